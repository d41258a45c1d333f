//! Decisions: the grade of one entity on one tier, with everything that led to it.
//!
//! A person reads it from the top: the grade, the rules that led to it, the facts that they ask about, and below each
//! fact the ties and statements. A program reads it from the bottom, and can replay it: every claim is in figures, and the
//! digest says which rules were asked. What is possible and not certain stands apart, and so does what nobody knows.

use std::collections::{BTreeMap, BTreeSet};

use model::{Grade, Tier};
use programme::Instrument;
use serde::Serialize;
use ties::{EntityId, Evidence, StatementId, TieId};

use crate::facts::{Facts, Kind, Near, Side, Value};
use crate::judge::{Applies, Judge};
use crate::scene::Scene;
use crate::step::{Claim, Step};

/// Who is vetted, and what the registry knows of it beside its ties.
#[derive(Clone, Debug, PartialEq)]
pub struct Party {
    /// The entity.
    pub entity: EntityId,
    /// Whether it asks to join; else it is on the list already.
    pub applicant: bool,
    /// Whether it negotiates a mitigation in good faith.
    pub negotiating: bool,
    /// Its duties that are overdue, with the days.
    pub overdue: BTreeMap<String, u32>,
    /// Its instruments.
    pub instruments: Vec<Instrument>,
}

impl Party {
    /// An entity on the list, of which nothing else is known.
    #[must_use]
    pub fn new(entity: EntityId) -> Self {
        Self {
            entity,
            applicant: false,
            negotiating: false,
            overdue: BTreeMap::new(),
            instruments: Vec::new(),
        }
    }
}

/// A rule that applies, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The rule's `@id`; for an instrument that closes a tier, `instrument:` and its kind.
    pub rule: String,
    /// The rule's pack.
    pub pack: String,
    /// The pack's version.
    pub version: String,
    /// How serious it is.
    pub grade: Grade,
    /// What the rule says.
    pub text: String,
    /// Where the rule comes from.
    pub source: String,
    /// The facts that it asks about and that say something, with their proofs.
    pub because: Vec<FactShown>,
}

/// A fact as a decision shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FactShown {
    /// Its name in the schema.
    pub fact: &'static str,
    /// What it says, for people.
    pub about: &'static str,
    /// What is certain.
    pub certain: Value,
    /// What is possible.
    pub possible: Value,
    /// The proof of what counts here: of the certain value, or of the possible one.
    pub proof: Vec<Step>,
    /// Further reasons, each of which would do as well; the first few.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Step>,
}

/// The computed grade with its whole proof.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Decision {
    /// Whom it is about.
    pub entity: EntityId,
    /// Its name.
    pub name: String,
    /// For which tier.
    pub tier: Tier,
    /// On which day.
    pub as_of: ties::Day,
    /// As known when.
    pub known: model::Timestamp,
    /// What is certain leads to this.
    pub grade: Grade,
    /// What is possible would lead to this.
    pub possible: Grade,
    /// The rules that apply, the worst first.
    pub findings: Vec<Finding>,
    /// The rules that would apply if what is possible were so.
    pub perhaps: Vec<Finding>,
    /// The lines of control and of the 50 % rules that nobody has certainly reached, and how near the best group is.
    pub near: Vec<Near>,
    /// What the sources leave open, in words.
    pub unknown: Vec<String>,
    /// The instruments in force, by name.
    pub instruments: Vec<String>,
    /// What they make of the ties that they cover.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub covered: Vec<Covered>,
    /// The digest of the programme that decided.
    pub programme: String,
}

/// A tie that an instrument covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Covered {
    /// The instrument.
    pub instrument: String,
    /// The tie.
    pub tie: TieId,
    /// Whether the instrument makes anything of it.
    pub counts: bool,
    /// The tie, and what is left of it, in words.
    pub text: String,
}

impl Decision {
    /// The ties that the findings of at least this grade rest on.
    #[must_use]
    pub fn ties(&self, from: Grade) -> BTreeSet<TieId> {
        let findings = self.findings.iter().filter(|finding| finding.grade >= from);
        findings.flat_map(Finding::ties).collect()
    }

    /// The statements that the decision rests on.
    #[must_use]
    pub fn statements(&self) -> BTreeSet<StatementId> {
        let shown = self.findings.iter().flat_map(|finding| &finding.because);
        let lines = shown.flat_map(|fact| &fact.proof).flat_map(Step::lines);
        lines.flat_map(|step| step.statements.iter().cloned()).collect()
    }
}

impl Finding {
    /// The ties that it rests on.
    #[must_use]
    pub fn ties(&self) -> BTreeSet<TieId> {
        self.because.iter().flat_map(|fact| &fact.proof).flat_map(Step::ties).collect()
    }
}

/// A rule that applies, with the proofs of the facts that it asks about and that say something, as a reader may see
/// them. The scene is the one that the facts were found in.
pub(crate) fn finding(
    judge: &Judge,
    applies: &Applies<'_>,
    facts: &Facts,
    side: Side,
    scene: &Scene<'_>,
    may_see: Evidence,
) -> Finding {
    let seen = |steps: &[&[Step]]| -> Vec<Step> {
        let mut steps: Vec<Step> =
            steps.iter().copied().flatten().map(|step| step.for_reader(may_see)).collect();
        steps.dedup_by(|a, b| a.claim == Claim::Withheld && b.claim == Claim::Withheld);
        steps
    };
    let shown = judge.asks(applies.rule).facts().filter_map(|name| {
        let fact = facts.get(name)?;
        let value = if side == Side::Certain { &fact.certain } else { &fact.possible };
        if *value == Value::nothing(name.kind()) {
            return None;
        }
        let certain = || [&fact.because[..], facts.reason(name, Side::Certain, scene)];
        let possible = || [&fact.perhaps[..], facts.reason(name, Side::Possible, scene)];
        let proof = match side {
            Side::Certain => seen(&certain()),
            // Each word of a set has its own reason, some of them certain.
            Side::Possible if name.kind() == Kind::Words => seen(&[&fact.because, &fact.perhaps]),
            Side::Possible => {
                let possible = possible();
                let none = possible.iter().all(|steps| steps.is_empty());
                if none { seen(&certain()) } else { seen(&possible) }
            }
        };
        let also = if side == Side::Certain { seen(&[&fact.also]) } else { Vec::new() };
        Some(FactShown {
            fact: name.as_str(),
            about: name.about(),
            certain: fact.certain.clone(),
            possible: fact.possible.clone(),
            proof,
            also,
        })
    });
    let text = if applies.failed {
        format!(
            "This rule cannot be evaluated, and counts as {} for that: {}",
            applies.grade(),
            applies.rule.text
        )
    } else {
        applies.rule.text.clone()
    };
    Finding {
        rule: applies.rule.id.clone(),
        pack: applies.pack.about.name.clone(),
        version: applies.pack.about.version.clone(),
        grade: applies.grade(),
        text,
        source: applies.rule.source.clone(),
        because: shown.collect(),
    }
}
