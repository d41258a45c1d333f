//! The steps of a proof: sentences for people, figures for programs, and the statements behind both.
//!
//! A proof is flat, however deep the pyramid that it tells of: a chain of ten thousand companies is ten thousand lines
//! below one claim, each resting on the lines after it, and not ten thousand levels. So a proof can be written,
//! read and dropped by programs that recurse.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use ties::kernel::{Certainty, Line};
use ties::{EntityId, Evidence, KnownTie, ListId, PartialDate, StatementId, TieId, TieKind};

use crate::ground::Graph;

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
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "shared")]
    pub because: Vec<Arc<Step>>,
    /// If a tie is claimed, what it says, for pictures and tables. It is as visible as the claim.
    #[serde(skip)]
    pub tie: Option<Arc<TieShown>>,
    /// Who may see it: whoever may see the most restricted statement in it.
    #[serde(skip)]
    pub(crate) evidence: Evidence,
}

/// A tie as a proof claims it: who is called what, and what it says.
#[derive(Clone, Debug, PartialEq)]
pub struct TieShown {
    /// What the one from whom it comes is called.
    pub from: String,
    /// What the one to whom it goes is called.
    pub to: String,
    /// What it says.
    pub kind: TieKind,
    /// Since when, if that is said.
    pub since: Option<PartialDate>,
}

/// Lines that many proofs rest on are kept once and written wherever they are needed.
fn shared<S: Serializer>(steps: &[Arc<Step>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(steps.iter().map(AsRef::as_ref))
}

/// How many levels of lines there are below a line at most. Nothing that is built here has more.
pub const LEVELS_MAX: usize = 8;

/// A claim that a program can check. `certain` says which way a range was taken: `true` claims what holds however the
/// unknown turns out, `false` what some way of it allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "claim", rename_all = "kebab-case")]
pub enum Claim {
    /// This tie holds on the day, or may.
    Tie {
        /// Which.
        tie: TieId,
        /// From whom.
        from: EntityId,
        /// To whom.
        to: EntityId,
        /// Whether it certainly holds.
        certain: bool,
    },
    /// The list names the entity on the day.
    Named {
        /// Which list.
        list: ListId,
        /// Whom.
        entity: EntityId,
        /// Whether it certainly does.
        certain: bool,
    },
    /// The entity belongs to these countries, and to no other that is known.
    Belongs {
        /// Which entity.
        entity: EntityId,
        /// ISO 3166 codes.
        countries: Vec<String>,
    },
    /// A group holds this much of a company.
    Holds {
        /// Whose holdings are added up, the largest first.
        group: Vec<EntityId>,
        /// Of which company.
        company: EntityId,
        /// Of what.
        of: Graph,
        /// At least this much, or, if it is not certain, at most.
        held: String,
        /// Whether it is certainly so much.
        certain: bool,
        /// The line that it meets, if it was held against one.
        #[serde(skip_serializing_if = "Option::is_none")]
        line: Option<LineShown>,
    },
    /// Each of these alone directs a company, whatever the others hold: by right, or as a joint holder of the whole.
    Directs {
        /// Who.
        group: Vec<EntityId>,
        /// Which company.
        company: EntityId,
        /// Whether it certainly does.
        certain: bool,
    },
    /// Percentages multiplied along all chains and added up: this much is looked through to.
    LooksThrough {
        /// From whom, all together.
        holders: Vec<EntityId>,
        /// To which company.
        company: EntityId,
        /// By which measure.
        of: Graph,
        /// At least, or, if it is not certain, at most so many basis points.
        points: u32,
        /// Whether it is certainly so much.
        certain: bool,
    },
    /// One controls another.
    Controls {
        /// Who.
        controller: EntityId,
        /// Whom.
        company: EntityId,
        /// Whether it certainly does.
        certain: bool,
    },
    /// These and whatever they reach together meet a line in a company, level by level, without multiplying.
    Reaches {
        /// From whom.
        from: Vec<EntityId>,
        /// Which company.
        company: EntityId,
        /// By which measure.
        of: Graph,
        /// The line on every level.
        line: LineShown,
        /// Whether it certainly does.
        certain: bool,
    },
    /// The entity works in these fields.
    Works {
        /// Which entity.
        entity: EntityId,
        /// Fields in which content is exchanged.
        sectors: Vec<String>,
    },
    /// A number that the lines below add up to, each a tie's.
    Sum {
        /// The sum.
        points: u32,
        /// Whether it is certainly so much.
        certain: bool,
    },
    /// What is missing in the register of a company, or stands in nobody's name.
    Undisclosed {
        /// Whose register.
        company: EntityId,
        /// At most so many basis points, or, if it is certain, at least.
        points: u32,
        /// Whether it is certainly so much.
        certain: bool,
    },
    /// So many more lines would say the same; they are left out.
    More {
        /// How many.
        lines: usize,
    },
    /// It rests on what the reader may not see.
    Withheld,
    /// Something that is not about ties: a duty that is overdue, a score.
    Other,
}

impl Claim {
    /// Whether it tells of a direct holder of something.
    pub(crate) fn has_holder(&self, id: &EntityId) -> bool {
        matches!(self, Self::Holds { group, .. } | Self::Directs { group, .. } if group.contains(id))
    }
}

/// A line as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LineShown {
    /// The part.
    pub at: String,
    /// Whether it has to be exceeded, and not only reached.
    pub strict: bool,
}

impl From<Line> for LineShown {
    fn from(line: Line) -> Self {
        Self { at: line.at.to_string(), strict: line.strict }
    }
}

/// Whether an answer of the arithmetic is a certain one.
pub(crate) fn is_certain(certainty: Certainty) -> bool {
    certainty == Certainty::Certain
}

impl Step {
    /// A step that rests on nothing else.
    #[must_use]
    pub fn new(text: impl Into<String>, claim: Claim) -> Self {
        let (statements, because) = (Vec::new(), Vec::new());
        Self { text: text.into(), claim, statements, because, tie: None, evidence: Evidence::Public }
    }

    /// What stands where the reader may not see what is there.
    pub(crate) fn withheld() -> Self {
        Self::new("evidence withheld", Claim::Withheld)
    }

    /// The same, resting on `because`.
    #[must_use]
    pub fn because(mut self, because: impl IntoIterator<Item: Into<Arc<Self>>>) -> Self {
        for step in because {
            let step = step.into();
            self.evidence = self.evidence.max(step.evidence);
            self.because.push(step);
        }
        self
    }

    /// The same, said by `statement`, which those may see who may see `evidence`.
    #[must_use]
    pub fn said_by(mut self, statement: &StatementId, evidence: Evidence) -> Self {
        self.statements.push(statement.clone());
        self.evidence = self.evidence.max(evidence);
        self
    }

    /// The same, with what the tie that it claims says.
    pub(crate) fn showing(mut self, known: &KnownTie, from: &str, to: &str) -> Self {
        let (kind, since) = (known.tie.kind.clone(), known.tie.valid.from);
        self.tie = Some(Arc::new(TieShown { from: from.to_owned(), to: to.to_owned(), kind, since }));
        self
    }

    /// As a reader may see it. A line that rests on what is withheld would tell of it, so it is withheld as a whole.
    pub(crate) fn for_reader(&self, may_see: Evidence) -> Self {
        if self.evidence > may_see { Self::withheld() } else { self.clone() }
    }

    /// Itself and every line below it.
    pub fn lines(&self) -> impl Iterator<Item = &Self> {
        let mut open = vec![self];
        std::iter::from_fn(move || {
            let step = open.pop()?;
            open.extend(step.because.iter().rev().map(AsRef::as_ref));
            Some(step)
        })
    }

    /// Every tie that it rests on, itself included.
    #[must_use]
    pub fn ties(&self) -> BTreeSet<TieId> {
        let ties = self.lines().filter_map(|step| match &step.claim {
            Claim::Tie { tie, .. } => Some(tie.clone()),
            Claim::Named { .. }
            | Claim::Belongs { .. }
            | Claim::Holds { .. }
            | Claim::Directs { .. }
            | Claim::LooksThrough { .. }
            | Claim::Controls { .. }
            | Claim::Reaches { .. }
            | Claim::Works { .. }
            | Claim::Sum { .. }
            | Claim::Undisclosed { .. }
            | Claim::More { .. }
            | Claim::Withheld
            | Claim::Other => None,
        });
        ties.collect()
    }
}
