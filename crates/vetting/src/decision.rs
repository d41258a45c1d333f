//! Decisions: the grade of one entity on one tier, with everything that led to it.
//!
//! A [`Session`] is one picture, one programme: it remembers what it found out about parties, so that deciding on forty
//! thousand members after a list changed looks at each party once. [`Session::decide`] computes facts, asks the rules
//! twice, and returns a [`Decision`] that a person can read and a program can replay.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use model::{Grade, Tier};
use programme::{Instrument, InstrumentKind};
use serde::Serialize;
use ties::{AsOf, EntityId, Evidence, Picture, StatementId, TieId, Truth};

use crate::facts::{FactName, Facts, Side, Value};
use crate::judge::{Applies, Judge, JudgeError, Sitting, facts_of};
use crate::lens::Lens;
use crate::scene::Scene;
use crate::step::{Claim, Step};
use crate::{dealings, inward, outward};

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
    /// The instruments in force, by name.
    pub instruments: Vec<String>,
    /// The digest of the programme that decided.
    pub programme: String,
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
        let mut found = BTreeSet::new();
        let shown = self.findings.iter().flat_map(|finding| &finding.because);
        let mut open: Vec<&Step> = shown.flat_map(|fact| &fact.proof).collect();
        while let Some(step) = open.pop() {
            found.extend(step.statements.iter().cloned());
            open.extend(&step.because);
        }
        found
    }

    /// Leaves out of the proofs what a reader may not see as evidence. The decision itself does not change.
    pub fn show_to(&mut self, picture: &dyn Picture, may_see: Evidence) {
        let facts =
            self.findings.iter_mut().chain(&mut self.perhaps).flat_map(|finding| &mut finding.because);
        for fact in facts {
            let mut open: Vec<&mut Step> = fact.proof.iter_mut().collect();
            while let Some(step) = open.pop() {
                if let Claim::Tie { tie, .. } = &step.claim
                    && picture.tie(tie).is_some_and(|known| known.source.evidence > may_see)
                {
                    *step = Step::new("evidence withheld", Claim::Other);
                    continue;
                }
                open.extend(step.because.iter_mut());
            }
        }
    }
}

impl Finding {
    /// The ties that it rests on.
    #[must_use]
    pub fn ties(&self) -> BTreeSet<TieId> {
        self.because.iter().flat_map(|fact| &fact.proof).flat_map(Step::ties).collect()
    }
}

/// One picture and one programme's rules.
pub struct Session<'s> {
    judge: &'s Judge,
    scene: Scene<'s>,
    packs: Option<BTreeSet<String>>,
    sittings: RefCell<HashMap<Tier, Rc<Sitting<'s>>>>,
}

impl<'s> Session<'s> {
    /// Sits over `picture`, with the packs in force, or with `packs`.
    #[must_use]
    pub fn new(judge: &'s Judge, picture: &'s dyn Picture, packs: Option<BTreeSet<String>>) -> Self {
        let scene = Scene::new(picture, &judge.programme().settings().vetting);
        Self { judge, scene, packs, sittings: RefCell::default() }
    }

    /// The clocks.
    #[must_use]
    pub fn as_of(&self) -> AsOf {
        self.scene.picture.as_of()
    }

    /// The facts of one party.
    #[must_use]
    pub fn facts(&self, party: &Party) -> Facts {
        let instruments = self.in_force(party);
        if instruments.iter().all(|(instrument, _)| instrument.covers.is_empty()) {
            return facts_of_party(&self.scene, party, &instruments);
        }
        let lens = Lens::new(self.scene.picture).under_instruments(instruments.iter().copied());
        let scene = Scene::new(&lens, self.scene.settings);
        facts_of_party(&scene, party, &instruments)
    }

    /// The party's instruments that are in force, with their kinds.
    fn in_force<'p>(&'p self, party: &'p Party) -> Vec<(&'p Instrument, &'p InstrumentKind)> {
        let AsOf { day, known } = self.as_of();
        let kinds = self.judge.programme().instruments();
        let counts = |instrument: &&Instrument| {
            instrument.entity == party.entity
                && instrument.valid.holds(day) == Truth::Certain
                && instrument.recorded.is_none_or(|recorded| recorded <= known)
        };
        let with_kind = |instrument: &'p Instrument| {
            Some((instrument, kinds.iter().find(|kind| kind.kind == instrument.kind)?))
        };
        party.instruments.iter().filter(counts).filter_map(with_kind).collect()
    }

    /// The decision on one party for one tier.
    ///
    /// # Errors
    ///
    /// Refuses a pack that there is not.
    pub fn decide(&self, party: &Party, tier: &Tier) -> Result<Decision, JudgeError> {
        self.decide_on(party, tier, &self.facts(party))
    }

    /// The decision on a party whose facts are known.
    ///
    /// # Errors
    ///
    /// As [`decide`](Self::decide).
    pub fn decide_on(&self, party: &Party, tier: &Tier, facts: &Facts) -> Result<Decision, JudgeError> {
        let sitting = self.sitting(tier)?;
        let certain = sitting.ask(&facts.values(Side::Certain));
        let possible = sitting.ask(&facts.values(Side::Possible));
        let mut findings: Vec<_> =
            certain.iter().map(|applies| finding(applies, facts, Side::Certain)).collect();
        findings.extend(self.closed(party, tier, facts));
        findings.sort_by(|a, b| b.grade.cmp(&a.grade).then_with(|| a.rule.cmp(&b.rule)));
        let more = possible.iter().filter(|maybe| !certain.iter().any(|is| is.rule.id == maybe.rule.id));
        let perhaps: Vec<_> = more.map(|applies| finding(applies, facts, Side::Possible)).collect();
        let worst = |found: &[Finding]| found.iter().map(|finding| finding.grade).max().unwrap_or_default();
        let grade = worst(&findings);
        let AsOf { day, known } = self.as_of();
        Ok(Decision {
            entity: party.entity.clone(),
            name: self.scene.name(&party.entity),
            tier: tier.clone(),
            as_of: day,
            known,
            grade,
            possible: grade.max(worst(&perhaps)),
            findings,
            perhaps,
            instruments: self.in_force(party).iter().map(|(instrument, _)| instrument.id.clone()).collect(),
            programme: self.judge.programme().digest().to_owned(),
        })
    }

    /// What the party's grade would be on a tier if `lens` were so; no proof is made.
    pub(crate) fn grade_through(
        &self,
        lens: &Lens<'_>,
        party: &Party,
        tier: &Tier,
    ) -> Result<Decision, JudgeError> {
        let session = Session {
            judge: self.judge,
            scene: Scene::new(lens, self.scene.settings),
            packs: self.packs.clone(),
            sittings: RefCell::default(),
        };
        session.decide(party, tier)
    }

    pub(crate) fn picture(&self) -> &'s dyn Picture {
        self.scene.picture
    }

    pub(crate) fn own(&self, entity: &EntityId) -> BTreeSet<EntityId> {
        outward::own(&self.scene, entity)
    }

    pub(crate) fn tie_text(&self, id: &TieId) -> String {
        let known = self.scene.picture.tie(id);
        known.map_or_else(|| id.to_string(), |known| crate::scene::tie_step(&self.scene, &known).text)
    }

    pub(crate) fn instrument_kinds(&self) -> &'s [InstrumentKind] {
        self.judge.programme().instruments()
    }

    fn sitting(&self, tier: &Tier) -> Result<Rc<Sitting<'s>>, JudgeError> {
        if let Some(known) = self.sittings.borrow().get(tier) {
            return Ok(Rc::clone(known));
        }
        let AsOf { day, known } = self.as_of();
        let sitting = Rc::new(self.judge.sitting(tier, day, known, self.packs.as_ref())?);
        self.sittings.borrow_mut().insert(tier.clone(), Rc::clone(&sitting));
        Ok(sitting)
    }

    /// Instruments keep tiers closed, except from owners of allied countries (R26).
    fn closed(&self, party: &Party, tier: &Tier, facts: &Facts) -> Vec<Finding> {
        let allied = facts.certain(FactName::Allied) == Value::Flag(true);
        let in_force = self.in_force(party).into_iter();
        let closing = in_force.filter(|(_, kind)| kind.closes.contains(tier) && !allied);
        closing
            .map(|(instrument, kind)| Finding {
                rule: format!("instrument:{}", kind.kind),
                pack: "instruments".to_owned(),
                version: instrument.id.clone(),
                grade: Grade::Suspend,
                text: format!("The {} keeps this tier closed.", kind.title),
                source: kind.source.clone(),
                because: Vec::new(),
            })
            .collect()
    }
}

fn facts_of_party(scene: &Scene<'_>, party: &Party, instruments: &[(&Instrument, &InstrumentKind)]) -> Facts {
    use FactName as F;
    let mut facts = Facts::default();
    let entity = scene.picture.canonical(&party.entity);
    let ground = scene.ground(&entity);
    inward::look(scene, &ground, &entity, &mut facts);
    let own = outward::own(scene, &entity);
    outward::look(scene, &own, &mut facts);
    dealings::look(scene, &own, &entity, &mut facts);
    facts.told(F::Applicant, Value::Flag(party.applicant));
    facts.told(F::Negotiating, Value::Flag(party.negotiating));
    facts.told(F::Overdue, Value::Words(party.overdue.keys().cloned().collect()));
    facts.told(F::OverdueDays, Value::Number(party.overdue.values().copied().max().unwrap_or(0)));
    facts.told(F::Instruments, Value::Words(instruments.iter().map(|(_, kind)| kind.kind.clone()).collect()));
    let points = |side: Side| -> u32 {
        let values = scene.settings.score.iter().filter(|(name, _)| {
            let name = F::ALL.iter().find(|fact| fact.as_str() == name.as_str());
            let value = name.map(|name| match side {
                Side::Certain => facts.certain(*name),
                Side::Possible => facts.possible(*name),
            });
            value == Some(Value::Flag(true))
        });
        values.map(|(_, points)| points).sum()
    };
    let (certain, possible) = (points(Side::Certain), points(Side::Possible));
    let step = |points| Step::new(format!("the aggregate judgement comes to {points} points"), Claim::Other);
    if certain > 0 {
        facts.certainly(F::Score, &Value::Number(certain), step(certain));
    }
    if possible > certain {
        facts.possibly(F::Score, &Value::Number(possible), step(possible));
    }
    facts
}

/// A rule that applies, with the proofs of the facts that it asks about and that say something.
fn finding(applies: &Applies<'_>, facts: &Facts, side: Side) -> Finding {
    let shown = facts_of(applies.rule).into_iter().filter_map(|name| {
        let fact = facts.get(name)?;
        let (value, proof) = match side {
            Side::Certain => (&fact.certain, &fact.because),
            Side::Possible => {
                (&fact.possible, if fact.perhaps.is_empty() { &fact.because } else { &fact.perhaps })
            }
        };
        (*value != Value::nothing(name.kind())).then(|| FactShown {
            fact: name.as_str(),
            about: name.about(),
            certain: fact.certain.clone(),
            possible: fact.possible.clone(),
            proof: proof.clone(),
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
