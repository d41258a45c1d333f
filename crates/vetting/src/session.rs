//! Sitting over one picture: facts, rules, decisions.
//!
//! A [`Session`] is one picture and one programme. It remembers what it found out about parties, so that deciding on forty
//! thousand members after a list changed looks at each party once. [`Session::decide`] computes facts, asks the rules
//! twice, with what is certain and with what is possible, and returns a [`Decision`]. A session belongs to one thread;
//! to decide on very many, open one in each.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use model::{Grade, Tier};
use programme::{Instrument, InstrumentKind};
use ties::{AsOf, EntityId, Evidence, Picture, TieId, Truth};

use crate::decision::{Covered, Decision, Finding, Party, finding};
use crate::facts::{FactName, Facts, Side, Value};
use crate::judge::{Applies, Judge, JudgeError, Sitting};
use crate::lens::{Lens, transformed};
use crate::outward::Own;
use crate::scene::Scene;
use crate::step::{Claim, Step};
use crate::{dealings, inward, outward, wording};

/// One picture and one programme's rules.
pub struct Session<'s> {
    judge: &'s Judge,
    scene: Scene<'s>,
    packs: Option<BTreeSet<String>>,
    sittings: RefCell<HashMap<Tier, Rc<Sitting<'s>>>>,
}

/// The worst grade, and the rules that apply.
pub(crate) struct Verdict {
    pub(crate) grade: Grade,
    pub(crate) rules: BTreeSet<String>,
}

/// An instrument in force, with what its kind does.
type InForce<'p> = (&'p Instrument, &'p InstrumentKind);

impl<'s> Session<'s> {
    /// Sits over `picture`, with the packs in force, or with `packs`. The reader may see everything as evidence.
    #[must_use]
    pub fn new(judge: &'s Judge, picture: &'s dyn Picture, packs: Option<BTreeSet<String>>) -> Self {
        let scene = Scene::new(picture, &judge.programme().settings().vetting, Evidence::Programme);
        Self { judge, scene, packs, sittings: RefCell::default() }
    }

    /// The same for a reader who may see no more than this as evidence. Proofs prefer what the reader may see; where
    /// there is no such proof, they say "evidence withheld". No grade changes by it.
    #[must_use]
    pub fn for_reader(mut self, may_see: Evidence) -> Self {
        self.scene.may_see = may_see;
        self
    }

    /// The clocks.
    #[must_use]
    pub fn as_of(&self) -> AsOf {
        self.scene.picture.as_of()
    }

    /// The facts of one party: values, and what [`decide_on`](Self::decide_on) makes proofs of.
    #[must_use]
    pub fn facts(&self, party: &Party) -> Facts {
        self.facts_over(&self.scene, party)
    }

    /// The facts of one party without reasons, for questions about very many.
    pub(crate) fn values(&self, party: &Party) -> Facts {
        self.facts_over(&self.scene.over(self.scene.picture, false), party)
    }

    fn facts_over(&self, scene: &Scene<'_>, party: &Party) -> Facts {
        let instruments = self.in_force(party);
        if instruments.iter().all(|(instrument, _)| instrument.covers.is_empty()) {
            return facts_of_party(scene, party, &instruments);
        }
        let lens = Lens::new(scene.picture).under_instruments(instruments.iter().copied());
        let mut under = Scene::new(&lens, scene.settings, scene.may_see);
        under.proofs = scene.proofs;
        let mut facts = facts_of_party(&under, party, &instruments);
        // Whose relief is asked about is who would control it without them.
        let plain = facts_of_party(&scene.over(scene.picture, false), party, &instruments);
        if let Some(allied) = plain.get(FactName::Allied) {
            facts.told(FactName::Allied, allied.certain.clone());
        }
        facts.prove(&under);
        facts
    }

    /// The party's instruments that are in force, with their kinds.
    fn in_force<'p>(&'p self, party: &'p Party) -> Vec<InForce<'p>> {
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
        self.decide_as(&self.scene, party, tier, facts, self.scene.may_see)
    }

    fn decide_as(
        &self,
        scene: &Scene<'_>,
        party: &Party,
        tier: &Tier,
        facts: &Facts,
        may_see: Evidence,
    ) -> Result<Decision, JudgeError> {
        let sitting = self.sitting(tier)?;
        let shown = |applies: &Applies<'_>, side| finding(self.judge, applies, facts, side, scene, may_see);
        let certain = sitting.ask(&|name| facts.value(name, Side::Certain));
        let possible = sitting.ask(&|name| facts.value(name, Side::Possible));
        let mut findings: Vec<_> = certain.iter().map(|applies| shown(applies, Side::Certain)).collect();
        findings.extend(self.closed(party, tier, facts));
        findings.sort_by(|a, b| b.grade.cmp(&a.grade).then_with(|| a.rule.cmp(&b.rule)));
        let more = possible.iter().filter(|maybe| !certain.iter().any(|is| is.rule.id == maybe.rule.id));
        let perhaps: Vec<_> = more.map(|applies| shown(applies, Side::Possible)).collect();
        let worst = |found: &[Finding]| found.iter().map(|finding| finding.grade).max().unwrap_or_default();
        let grade = worst(&findings);
        let AsOf { day, known } = self.as_of();
        let near = facts.near.iter().filter(|(_, evidence)| *evidence <= may_see);
        let unknown = facts.unknown.iter().filter(|(_, evidence)| *evidence <= may_see);
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
            near: near.map(|(near, _)| near.clone()).collect(),
            unknown: unknown.map(|(text, _)| text.clone()).collect(),
            instruments: self.in_force(party).iter().map(|(instrument, _)| instrument.id.clone()).collect(),
            covered: self.covered(party, may_see),
            programme: self.judge.programme().digest().to_owned(),
        })
    }

    /// What the instruments in force make of the ties that they cover, as far as a reader may see these.
    fn covered(&self, party: &Party, may_see: Evidence) -> Vec<Covered> {
        let mut covered = Vec::new();
        for (instrument, kind) in self.in_force(party) {
            let known = instrument.covers.iter().filter_map(|tie| self.scene.picture.tie(tie));
            for known in known.filter(|known| known.source.evidence <= may_see) {
                let tie = known.tie;
                let (from, to) = (self.scene.name(&tie.from), self.scene.name(&tie.to));
                let left = transformed(tie.clone(), &kind.transforms);
                let counts = left.as_ref() != Some(&tie);
                let says = match left {
                    None => "it counts as none".to_owned(),
                    Some(_) if !counts => "which makes nothing of it".to_owned(),
                    Some(left) => format!("it counts as if {}", wording::tie(&from, &to, &left.kind)),
                };
                let text = format!(
                    "{} [{}]; under the {} `{}` {says}",
                    wording::tie(&from, &to, &tie.kind),
                    tie.id,
                    kind.title,
                    instrument.id,
                );
                covered.push(Covered { instrument: instrument.id.clone(), tie: tie.id, counts, text });
            }
        }
        covered
    }

    /// The grade alone, and the rules that lead to it.
    pub(crate) fn verdict(&self, party: &Party, tier: &Tier, facts: &Facts) -> Result<Verdict, JudgeError> {
        let applies = self.sitting(tier)?.ask(&|name| facts.value(name, Side::Certain));
        let closed = self.closed(party, tier, facts);
        let closed = closed.into_iter().map(|finding| (finding.grade, finding.rule));
        let found = applies.iter().map(|applies| (applies.grade(), applies.rule.id.clone())).chain(closed);
        let mut verdict = Verdict { grade: Grade::Clear, rules: BTreeSet::new() };
        for (grade, rule) in found {
            verdict.grade = verdict.grade.max(grade);
            verdict.rules.insert(rule);
        }
        Ok(verdict)
    }

    /// The verdict if ties between parties were as in `lens`.
    pub(crate) fn verdict_through(
        &self,
        lens: &Lens<'_>,
        party: &Party,
        tier: &Tier,
    ) -> Result<Verdict, JudgeError> {
        let facts = self.facts_over(&self.scene.over(lens, false), party);
        self.verdict(party, tier, &facts)
    }

    /// The decision as those see it who may see everything, and the facts that it rests on.
    pub(crate) fn decide_for_all(&self, party: &Party, tier: &Tier) -> Result<(Decision, Facts), JudgeError> {
        let scene = self.scene.over(self.scene.picture, true);
        let facts = self.facts_over(&scene, party);
        Ok((self.decide_as(&scene, party, tier, &facts, Evidence::Programme)?, facts))
    }

    /// The same if ties between parties were as in `lens`.
    pub(crate) fn decide_for_all_through(
        &self,
        lens: &Lens<'_>,
        party: &Party,
        tier: &Tier,
    ) -> Result<Decision, JudgeError> {
        let scene = self.scene.over(lens, true);
        self.decide_as(&scene, party, tier, &self.facts_over(&scene, party), Evidence::Programme)
    }

    pub(crate) fn home(&self) -> &'s BTreeSet<String> {
        &self.scene.settings.home
    }

    pub(crate) fn picture(&self) -> &'s dyn Picture {
        self.scene.picture
    }

    pub(crate) fn may_see(&self) -> Evidence {
        self.scene.may_see
    }

    /// The entity and whatever certainly counts as its own.
    pub(crate) fn own(&self, entity: &EntityId) -> BTreeSet<EntityId> {
        let own = Own::of(&self.scene, &self.scene.picture.canonical(entity));
        own.iter().filter(|(_, truth)| *truth == Truth::Certain).map(|(id, _)| id.clone()).collect()
    }

    pub(crate) fn tie_text(&self, id: &TieId) -> String {
        self.scene.tie(id).map_or_else(|| id.to_string(), |step| step.text.clone())
    }

    pub(crate) fn instrument_kinds(&self) -> &'s [InstrumentKind] {
        self.judge.programme().instruments()
    }

    pub(crate) fn sitting(&self, tier: &Tier) -> Result<Rc<Sitting<'s>>, JudgeError> {
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

fn facts_of_party(scene: &Scene<'_>, party: &Party, instruments: &[InForce<'_>]) -> Facts {
    use FactName as F;
    let mut facts = Facts::none_yet(scene.proofs);
    let entity = scene.picture.canonical(&party.entity);
    let ground = scene.ground(&entity);
    inward::look(scene, &ground, &entity, &mut facts);
    let own = Own::of(scene, &entity);
    outward::look(scene, &own, &mut facts);
    dealings::look(&own, &entity, &mut facts);
    facts.told(F::Applicant, Value::Flag(party.applicant));
    facts.told(F::Negotiating, Value::Flag(party.negotiating));
    facts.told(F::Overdue, Value::Words(party.overdue.keys().cloned().collect()));
    facts.told(F::OverdueDays, Value::Number(party.overdue.values().copied().max().unwrap_or(0)));
    facts.told(F::Instruments, Value::Words(instruments.iter().map(|(_, kind)| kind.kind.clone()).collect()));
    score(scene, &mut facts);
    facts
}

/// The aggregate judgement: points for each flag that is up. Its reasons are the flags' own.
fn score(scene: &Scene<'_>, facts: &mut Facts) {
    for side in [Side::Certain, Side::Possible] {
        let up: Vec<(FactName, u32)> = scene
            .settings
            .score
            .iter()
            .filter_map(|(name, points)| {
                let name = *FactName::ALL.iter().find(|fact| fact.as_str() == name.as_str())?;
                let value = if side == Side::Certain { facts.certain(name) } else { facts.possible(name) };
                (value == Value::Flag(true)).then_some((name, *points))
            })
            .collect();
        let points = up.iter().fold(0_u32, |sum, (_, points)| sum.saturating_add(*points));
        if points == 0 {
            continue;
        }
        let reasons: Vec<Step> = up
            .iter()
            .filter_map(|(name, _)| {
                let fact = facts.get(*name)?;
                fact.because.first().or(fact.perhaps.first()).cloned()
            })
            .collect();
        let text = format!("the aggregate judgement comes to {points} points");
        let step = || Step::new(text, Claim::Other).because(reasons);
        match side {
            Side::Certain => facts.certainly(FactName::Score, &Value::Number(points), step),
            Side::Possible => facts.possibly(FactName::Score, &Value::Number(points), step),
        }
    }
}
