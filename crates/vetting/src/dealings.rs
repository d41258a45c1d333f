//! Contracts, money, people, equipment and plans: the ties that carry no shares.

use std::collections::BTreeSet;

use ties::{EntityId, KnownTie, Post, TieKind, Truth};

use crate::facts::{FactName, Facts, Value};
use crate::scene::{Scene, tie_step};
use crate::step::{Claim, Step};
use crate::wording;

/// Looks at everything that runs to and from `own`: the entity, and what it controls.
pub(crate) fn look(scene: &Scene<'_>, own: &BTreeSet<EntityId>, entity: &EntityId, facts: &mut Facts) {
    let mut revenue = Revenue::default();
    for id in own {
        for known in scene.picture.ties_into(id) {
            let other = known.tie.from.clone();
            if !own.contains(&other) {
                dealing(scene, &known, &other, facts);
                revenue.add(scene, &known, &other, facts);
            }
            if id == entity {
                people(scene, &known, own, facts);
            }
        }
        for known in scene.picture.ties_out_of(id) {
            let other = known.tie.to.clone();
            if !own.contains(&other) {
                dealing(scene, &known, &other, facts);
            }
        }
    }
    revenue.tell(facts);
}

/// Adds a flag, as certain as it is.
pub(crate) fn flag(facts: &mut Facts, name: FactName, truth: Truth, step: impl FnOnce() -> Step) {
    match truth {
        Truth::Certain => facts.certainly(name, &Value::Flag(true), step()),
        Truth::Possible => facts.possibly(name, &Value::Flag(true), step()),
        Truth::No => {}
    }
}

/// One tie with one other party, in either direction.
fn dealing(scene: &Scene<'_>, known: &KnownTie, other: &EntityId, facts: &mut Facts) {
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
        TieKind::Plans(_) => return plan(scene, known, other, facts),
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
    both(scene, known, other, &foreign_fact, &concern_fact, facts);
}

fn both(
    scene: &Scene<'_>,
    known: &KnownTie,
    other: &EntityId,
    foreign: &[FactName],
    concern: &[FactName],
    facts: &mut Facts,
) {
    let nature = scene.nature(other);
    for name in foreign {
        let step = || tie_step(scene, known).because([nature.belongs.clone()]);
        flag(facts, *name, nature.foreign.min(known.truth), step);
    }
    if concern.is_empty() {
        return;
    }
    let theirs = scene.concern(other);
    for name in concern {
        let step = || tie_step(scene, known).because(theirs.because.iter().cloned());
        flag(facts, *name, theirs.truth.min(known.truth), step);
    }
}

/// A plan is with everybody who plans about the same company, and with that company.
fn plan(scene: &Scene<'_>, known: &KnownTie, other: &EntityId, facts: &mut Facts) {
    both(scene, known, other, &[FactName::ForeignPlan], &[FactName::ConcernPlan], facts);
    if known.tie.to == *other {
        for theirs in scene.picture.ties_into(other) {
            if matches!(theirs.tie.kind, TieKind::Plans(_) | TieKind::Venture)
                && theirs.tie.from != known.tie.from
            {
                let (nature, concern) = (scene.nature(&theirs.tie.from), scene.concern(&theirs.tie.from));
                let truth = known.truth.min(theirs.truth);
                let step = |because: Vec<Step>| {
                    tie_step(scene, known).because([tie_step(scene, &theirs).because(because)])
                };
                flag(facts, FactName::ForeignPlan, truth.min(nature.foreign), || {
                    step(vec![nature.belongs.clone()])
                });
                flag(facts, FactName::ConcernPlan, truth.min(concern.truth), || {
                    step(concern.because.clone())
                });
            }
        }
    }
}

/// Who serves the entity, and whom else they serve.
fn people(scene: &Scene<'_>, known: &KnownTie, own: &BTreeSet<EntityId>, facts: &mut Facts) {
    use FactName as F;
    let TieKind::Serves { post } = known.tie.kind else { return };
    let person = known.tie.from.clone();
    let nature = scene.nature(&person);
    if matches!(post, Post::Chair | Post::Director | Post::Officer | Post::Partner) {
        let step = || tie_step(scene, known).because([nature.belongs.clone()]);
        flag(facts, F::ForeignManager, nature.foreign.min(known.truth), step);
    }
    for elsewhere in scene.picture.ties_out_of(&person) {
        let TieKind::Serves { .. } = elsewhere.tie.kind else { continue };
        let other = elsewhere.tie.to.clone();
        if own.contains(&other) {
            continue;
        }
        let (theirs, concern) = (scene.nature(&other), scene.concern(&other));
        let truth = known.truth.min(elsewhere.truth);
        let step = |because: Vec<Step>| {
            tie_step(scene, known).because([tie_step(scene, &elsewhere).because(because)])
        };
        flag(facts, F::ForeignInterlock, theirs.foreign.min(truth), || step(vec![theirs.belongs.clone()]));
        flag(facts, F::ConcernInterlock, concern.truth.min(truth), || step(concern.because.clone()));
        for (list, listed, named) in &theirs.lists {
            let words = Value::Words([list.to_string()].into());
            match truth.min(*listed) {
                Truth::Certain => facts.certainly(F::Touched, &words, step(vec![named.clone()])),
                Truth::Possible => facts.possibly(F::Touched, &words, step(vec![named.clone()])),
                Truth::No => {}
            }
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
    fn add(&mut self, scene: &Scene<'_>, known: &KnownTie, other: &EntityId, facts: &mut Facts) {
        let TieKind::Pays { revenue } = known.tie.kind else { return };
        let nature = scene.nature(other);
        let truth = nature.foreign.min(known.truth);
        if truth == Truth::No {
            return;
        }
        let (least, most) = (revenue.basis_points_floor(), revenue.basis_points_ceil());
        let step = tie_step(scene, known).because([nature.belongs.clone()]);
        if truth == Truth::Certain {
            facts.certainly(FactName::ForeignRevenueOne, &Value::Number(least), step.clone());
            self.certain = self.certain.saturating_add(least);
            self.steps.push(step.clone());
        }
        facts.possibly(FactName::ForeignRevenueOne, &Value::Number(most), step.clone());
        self.possible = self.possible.saturating_add(most);
        self.perhaps.push(step);
    }

    fn tell(self, facts: &mut Facts) {
        let (certain, possible) = (self.certain.min(10_000), self.possible.min(10_000));
        let sum = |points, steps| {
            let text = format!("foreign persons together make {} of the revenue", wording::part(points));
            Step::new(text, Claim::Other).because(steps)
        };
        if certain > 0 {
            facts.certainly(FactName::ForeignRevenueAll, &Value::Number(certain), sum(certain, self.steps));
        }
        if possible > certain {
            facts.possibly(
                FactName::ForeignRevenueAll,
                &Value::Number(possible),
                sum(possible, self.perhaps),
            );
        }
    }
}
