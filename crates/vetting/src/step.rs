//! The steps of a proof: sentences for people, figures for programs, and the statements behind both.

use serde::Serialize;
use ties::{EntityId, ListId, StatementId, TieId};

/// One line of a proof, with the lines that it rests on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// What is claimed, as a sentence.
    pub text: String,
    /// What is claimed, as figures; an independent program can recompute it.
    pub claim: Claim,
    /// The statements that say so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub statements: Vec<StatementId>,
    /// What it rests on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<Step>,
}

/// A claim that a program can check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "claim", rename_all = "kebab-case")]
pub enum Claim {
    /// This tie holds on the day.
    Tie {
        /// Which.
        tie: TieId,
        /// From whom.
        from: EntityId,
        /// To whom.
        to: EntityId,
    },
    /// The list names the entity on the day.
    Named {
        /// Which list.
        list: ListId,
        /// Whom.
        entity: EntityId,
    },
    /// The entity belongs to these countries.
    Belongs {
        /// Which entity.
        entity: EntityId,
        /// ISO 3166 codes.
        countries: Vec<String>,
    },
    /// A group holds at least, and at most, these parts of a company.
    Holds {
        /// Whose holdings are added up.
        group: Vec<EntityId>,
        /// Of which company.
        company: EntityId,
        /// Of what: `votes` or `money`.
        measure: &'static str,
        /// The least, in basis points.
        least: u32,
        /// The most, in basis points.
        most: u32,
        /// The line that it is held against, in basis points, and whether it has to be exceeded.
        line: Option<(u32, bool)>,
    },
    /// Percentages multiplied along all chains and added up.
    LooksThrough {
        /// From whom.
        holder: EntityId,
        /// To whom.
        company: EntityId,
        /// The least, in basis points.
        least: u32,
        /// The most, in basis points.
        most: u32,
    },
    /// One controls another.
    Controls {
        /// Who.
        controller: EntityId,
        /// Whom.
        company: EntityId,
    },
    /// Something that is not about ties: a duty that is overdue, a score.
    Other,
}

impl Step {
    /// A step that rests on nothing else.
    #[must_use]
    pub fn new(text: impl Into<String>, claim: Claim) -> Self {
        Self { text: text.into(), claim, statements: Vec::new(), because: Vec::new() }
    }

    /// The same, resting on `because`.
    #[must_use]
    pub fn because(mut self, because: impl IntoIterator<Item = Self>) -> Self {
        self.because.extend(because);
        self
    }

    /// The same, said by `statement`.
    #[must_use]
    pub fn said_by(mut self, statement: &StatementId) -> Self {
        self.statements.push(statement.clone());
        self
    }

    /// Every tie that it rests on, itself included, without recursion: a proof may be as deep as a pyramid.
    #[must_use]
    pub fn ties(&self) -> std::collections::BTreeSet<TieId> {
        let mut ties = std::collections::BTreeSet::new();
        let mut open = vec![self];
        while let Some(step) = open.pop() {
            if let Claim::Tie { tie, .. } = &step.claim {
                ties.insert(tie.clone());
            }
            open.extend(&step.because);
        }
        ties
    }
}
