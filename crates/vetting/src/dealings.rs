//! Contracts, money, people, equipment and plans: the ties that carry no shares.

use ties::{EntityId, KnownTie, Post, TieKind, Truth};

use crate::facts::{FactName, Facts, Value};
use crate::outward::Own;
use crate::scene::tie_step;
use crate::step::{Claim, Step};
use crate::wording;

/// A tie between its own and another party.
struct Deal<'d, 'a, 's> {
    own: &'d Own<'a, 's>,
    known: &'d KnownTie,
    /// The end that counts as its own.
    ours: &'d EntityId,
    other: &'d EntityId,
}

impl Deal<'_, '_, '_> {
    /// Whether it is there: the tie, and that its end counts as its own.
    fn truth(&self) -> Truth {
        self.known.truth.min(self.own.truth(self.ours))
    }

    /// The step that it is there.
    fn step(&self, because: impl IntoIterator<Item = Step>) -> Step {
        tie_step(self.own.scene, self.known)
            .because(because)
            .because(self.own.why(self.ours, self.known.truth))
    }
}

/// Looks at everything that runs to and from its own: the entity, and what it controls.
pub(crate) fn look(own: &Own<'_, '_>, entity: &EntityId, facts: &mut Facts) {
    let scene = own.scene;
    let mut revenue = Revenue::default();
    for (ours, _) in own.iter() {
        for known in scene.ties_into(ours).iter() {
            let deal = Deal { own, known, ours, other: &known.tie.from };
            dealing(&deal, facts);
            revenue.add(&deal, facts);
            if ours == entity {
                people(own, known, facts);
            }
        }
        for known in own.ties_out_of(ours).iter() {
            dealing(&Deal { own, known, ours, other: &known.tie.to }, facts);
        }
    }
    revenue.tell(facts);
}

/// One tie with one other party, in either direction.
fn dealing(deal: &Deal<'_, '_, '_>, facts: &mut Facts) {
    use FactName as F;
    let known = deal.known;
    let inward = known.tie.from == *deal.other;
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
        TieKind::Plans(_) => return plan(deal, facts),
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
    both(deal, &foreign_fact, &concern_fact, facts);
}

fn both(deal: &Deal<'_, '_, '_>, foreign: &[FactName], concern: &[FactName], facts: &mut Facts) {
    let scene = deal.own.scene;
    let nature = scene.nature(deal.other);
    if deal.own.truth(deal.other) == Truth::Certain {
        // What its own have to do with each other is nobody else's; sold, it would be.
        facts.hides |= nature.matters();
        return;
    }
    let abroad = scene.foreign(deal.other);
    for name in foreign {
        let step = || deal.step(abroad.because.iter().cloned());
        facts.flag(*name, abroad.truth.min(deal.truth()), step);
    }
    if concern.is_empty() {
        return;
    }
    let theirs = scene.concern(deal.other);
    for name in concern {
        let step = || deal.step(theirs.because.iter().cloned());
        facts.flag(*name, theirs.truth.min(deal.truth()), step);
    }
}

/// A plan is with everybody who plans about the same company, and with that company.
fn plan(deal: &Deal<'_, '_, '_>, facts: &mut Facts) {
    let Deal { own, known, other, .. } = deal;
    let scene = own.scene;
    both(deal, &[FactName::ForeignPlan], &[FactName::ConcernPlan], facts);
    if known.tie.to != **other {
        return;
    }
    for theirs in scene.ties_into(other).iter() {
        if matches!(theirs.tie.kind, TieKind::Plans(_) | TieKind::Venture)
            && own.truth(&theirs.tie.from) != Truth::Certain
        {
            let (abroad, concern) = (scene.foreign(&theirs.tie.from), scene.concern(&theirs.tie.from));
            let truth = deal.truth().min(theirs.truth);
            let step = |because: Vec<Step>| deal.step([tie_step(scene, theirs).because(because)]);
            facts.flag(FactName::ForeignPlan, truth.min(abroad.truth), || step(abroad.because.clone()));
            facts.flag(FactName::ConcernPlan, truth.min(concern.truth), || step(concern.because.clone()));
        }
    }
}

/// Who serves the entity, and whom else they serve.
fn people(own: &Own<'_, '_>, known: &KnownTie, facts: &mut Facts) {
    use FactName as F;
    let scene = own.scene;
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
            facts.hides |= scene.nature(&other).matters();
            continue;
        }
        let (theirs, concern) = (scene.nature(&other), scene.concern(&other));
        let truth = known.truth.min(elsewhere.truth);
        let step = |because: Vec<Step>| {
            tie_step(scene, known).because([tie_step(scene, &elsewhere).because(because)])
        };
        let abroad = scene.foreign(&other);
        facts.flag(F::ForeignInterlock, abroad.truth.min(truth), || step(abroad.because.clone()));
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
    fn add(&mut self, deal: &Deal<'_, '_, '_>, facts: &mut Facts) {
        let TieKind::Pays { revenue } = deal.known.tie.kind else { return };
        let nature = deal.own.scene.nature(deal.other);
        if deal.own.truth(deal.other) == Truth::Certain {
            facts.hides |= nature.matters();
            return;
        }
        let abroad = deal.own.scene.foreign(deal.other);
        let truth = abroad.truth.min(deal.truth());
        if truth == Truth::No {
            return;
        }
        let (least, most) = (revenue.basis_points_floor(), revenue.basis_points_ceil());
        let step = || deal.step(abroad.because.iter().cloned());
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
