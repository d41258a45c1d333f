//! Contracts, money, people, equipment and plans: the ties that carry no shares.

use ties::{EntityId, KnownTie, Post, TieKind, Truth};

use crate::facts::{FactName, Facts, Value};
use crate::outward::Own;
use crate::scene::{Scene, tie_step};
use crate::step::{Claim, Step};
use crate::wording;

/// Looks at everything that runs to and from its own: the entity, and what it controls.
pub(crate) fn look(scene: &Scene<'_>, own: &Own<'_, '_>, entity: &EntityId, facts: &mut Facts) {
    let mut revenue = Revenue::default();
    for (id, ours) in own.iter() {
        for mut known in scene.picture.ties_into(id) {
            known.truth = known.truth.min(ours);
            let other = known.tie.from.clone();
            if own.truth(&other) != Truth::Certain {
                dealing(own, &known, &other, facts);
                revenue.add(own, &known, &other, facts);
            }
            if id == entity {
                people(scene, &known, own, facts);
            }
        }
        for mut known in scene.picture.ties_out_of(id) {
            known.truth = known.truth.min(ours);
            let other = known.tie.to.clone();
            if own.truth(&other) != Truth::Certain {
                dealing(own, &known, &other, facts);
            }
        }
    }
    revenue.tell(facts);
}

/// One tie with one other party, in either direction.
fn dealing(own: &Own<'_, '_>, known: &KnownTie, other: &EntityId, facts: &mut Facts) {
    use FactName as F;
    let inward = known.tie.from == *other;
    let (foreign_fact, concern_fact) = match &known.tie.kind {
        TieKind::Licenses { technology, royalty, .. } if *technology || *royalty => {
            (vec![F::ForeignLicence, F::ForeignContract], vec![F::ConcernLicence])
        }
        TieKind::Licenses { .. } | TieKind::Contracts { .. } | TieKind::Supplies { .. } => {
            (vec![F::ForeignContract], vec![F::ConcernContract])
        }
        TieKind::Lends { directs, .. } if inward => {
            let directs = directs.then_some(F::ForeignDebtDirects);
            ([F::ForeignDebt].into_iter().chain(directs).collect(), Vec::new())
        }
        TieKind::Grants { .. } if inward => (vec![F::ForeignGrant], Vec::new()),
        TieKind::Equips { essential } if inward => {
            let essential = essential.then_some(F::ConcernEquipmentEssential);
            (Vec::new(), [F::ConcernEquipment].into_iter().chain(essential).collect())
        }
        TieKind::Plans(_) => return plan(own, known, other, facts),
        TieKind::Holds(_)
        | TieKind::MayAcquire { .. }
        | TieKind::Appoints(_)
        | TieKind::Directs { .. }
        | TieKind::Consolidates { .. }
        | TieKind::Venture
        | TieKind::PartyTo { .. }
        | TieKind::Serves { .. }
        | TieKind::Seconds
        | TieKind::Lends { .. }
        | TieKind::Grants { .. }
        | TieKind::Equips { .. }
        | TieKind::Pays { .. }
        | TieKind::Governs { .. }
        | TieKind::Family
        | TieKind::Associates { .. }
        | TieKind::Succeeds => return,
    };
    both(own, known, other, &foreign_fact, &concern_fact, facts);
}

fn both(
    own: &Own<'_, '_>,
    known: &KnownTie,
    other: &EntityId,
    foreign: &[FactName],
    concern: &[FactName],
    facts: &mut Facts,
) {
    let scene = own.scene;
    let nature = scene.nature(other);
    for name in foreign {
        let step =
            || tie_step(scene, known).because([nature.belongs.clone()]).because(ours(own, known, other));
        facts.flag(*name, nature.foreign.min(known.truth), step);
    }
    if concern.is_empty() {
        return;
    }
    let theirs = scene.concern(other);
    for name in concern {
        let step = || {
            let theirs = theirs.because.iter().cloned();
            tie_step(scene, known).because(theirs).because(ours(own, known, other))
        };
        facts.flag(*name, theirs.truth.min(known.truth), step);
    }
}

/// Why the end of a tie that is not the other party's counts as its own.
fn ours(own: &Own<'_, '_>, known: &KnownTie, other: &EntityId) -> Option<Step> {
    let here = if known.tie.from == *other { &known.tie.to } else { &known.tie.from };
    own.why(here, known.truth)
}

/// A plan is with everybody who plans about the same company, and with that company.
fn plan(own: &Own<'_, '_>, known: &KnownTie, other: &EntityId, facts: &mut Facts) {
    let scene = own.scene;
    both(own, known, other, &[FactName::ForeignPlan], &[FactName::ConcernPlan], facts);
    if known.tie.to == *other {
        for theirs in scene.picture.ties_into(other) {
            if matches!(theirs.tie.kind, TieKind::Plans(_) | TieKind::Venture)
                && own.truth(&theirs.tie.from) != Truth::Certain
            {
                let (nature, concern) = (scene.nature(&theirs.tie.from), scene.concern(&theirs.tie.from));
                let truth = known.truth.min(theirs.truth);
                let step = |because: Vec<Step>| {
                    tie_step(scene, known)
                        .because([tie_step(scene, &theirs).because(because)])
                        .because(ours(own, known, other))
                };
                facts.flag(FactName::ForeignPlan, truth.min(nature.foreign), || {
                    step(vec![nature.belongs.clone()])
                });
                facts.flag(FactName::ConcernPlan, truth.min(concern.truth), || step(concern.because.clone()));
            }
        }
    }
}

/// Who serves the entity, and whom else they serve.
fn people(scene: &Scene<'_>, known: &KnownTie, own: &Own<'_, '_>, facts: &mut Facts) {
    use FactName as F;
    let TieKind::Serves { post } = known.tie.kind else { return };
    let person = known.tie.from.clone();
    let nature = scene.nature(&person);
    if matches!(post, Post::Chair | Post::Director | Post::Officer | Post::Partner) {
        let step = || tie_step(scene, known).because([nature.belongs.clone()]);
        facts.flag(F::ForeignManager, nature.foreign.min(known.truth), step);
    }
    for elsewhere in scene.picture.ties_out_of(&person) {
        let TieKind::Serves { .. } = elsewhere.tie.kind else { continue };
        let other = elsewhere.tie.to.clone();
        if own.truth(&other) == Truth::Certain {
            continue;
        }
        let (theirs, concern) = (scene.nature(&other), scene.concern(&other));
        let truth = known.truth.min(elsewhere.truth);
        let step = |because: Vec<Step>| {
            tie_step(scene, known).because([tie_step(scene, &elsewhere).because(because)])
        };
        facts.flag(F::ForeignInterlock, theirs.foreign.min(truth), || step(vec![theirs.belongs.clone()]));
        facts.flag(F::ConcernInterlock, concern.truth.min(truth), || step(concern.because.clone()));
        for (list, listed, named) in &theirs.lists {
            facts.word(F::Touched, truth.min(*listed), list, || step(vec![named.clone()]));
        }
    }
}

/// Revenue from foreign persons, one by one and together.
#[derive(Default)]
struct Revenue {
    certain: u32,
    possible: u32,
    steps: Vec<Step>,
    perhaps: Vec<Step>,
}

impl Revenue {
    fn add(&mut self, own: &Own<'_, '_>, known: &KnownTie, other: &EntityId, facts: &mut Facts) {
        let scene = own.scene;
        let TieKind::Pays { revenue } = known.tie.kind else { return };
        let nature = scene.nature(other);
        let truth = nature.foreign.min(known.truth);
        if truth == Truth::No {
            return;
        }
        let (least, most) = (revenue.basis_points_floor(), revenue.basis_points_ceil());
        let step =
            || tie_step(scene, known).because([nature.belongs.clone()]).because(ours(own, known, other));
        if truth == Truth::Certain && least > 0 {
            facts.certainly(FactName::ForeignRevenueOne, &Value::Number(least), || {
                sum(least, true, vec![step()])
            });
            self.certain = self.certain.saturating_add(least);
            self.steps.push(step());
        }
        facts.possibly(FactName::ForeignRevenueOne, &Value::Number(most), || sum(most, false, vec![step()]));
        self.possible = self.possible.saturating_add(most);
        self.perhaps.push(step());
    }

    fn tell(self, facts: &mut Facts) {
        let (certain, possible) = (self.certain.min(10_000), self.possible.min(10_000));
        let all = FactName::ForeignRevenueAll;
        if certain > 0 {
            facts.certainly(all, &Value::Number(certain), || sum(certain, true, self.steps));
        }
        if possible > certain {
            facts.possibly(all, &Value::Number(possible), || sum(possible, false, self.perhaps));
        }
    }
}

fn sum(points: u32, certain: bool, because: Vec<Step>) -> Step {
    let who = if because.len() == 1 { "a foreign person makes" } else { "foreign persons together make" };
    let up_to = if certain { "" } else { "possibly up to " };
    let text = format!("{who} {up_to}{} of the revenue", wording::part(points));
    Step::new(text, Claim::Sum { points, certain }).because(because)
}
