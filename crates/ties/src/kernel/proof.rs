//! Why something holds, and how far it is from holding.
//!
//! A proof is a list of lines such as
//!
//! > C: X 20 % + A 40 % = 60 %, more than 50 %
//!
//! each resting on the seeds and on companies proved in lines before it, so that no argument runs in a circle. No
//! tie in it is superfluous: take one away, and the rest proves nothing. It is *one sufficient set of ties*, and not the
//! smallest; finding that is as hard as the hardest covering problems, and nobody needs it.
//!
//! Which proof is shown is a matter of cost: a tie from a secret source, or one of little confidence, is avoided by giving
//! it a high one. A tie without a cost is never used. A proof whose dearest tie is as cheap as possible is found
//! first; within it each line takes cheap ties before dear ones, and large before small.

use super::closure::Closure;
use super::cone::Cone;
use super::holdings::{Holding, Holdings, Node};
use super::line::{Certainty, Line, Weight};
use crate::{Bound, Fraction};

/// What using a tie in a proof, or ending it, costs: holder, company. `None` where it must not be.
pub type Cost<'a> = &'a dyn Fn(Node, Node) -> Option<u64>;

/// One line of a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Of whom the line tells.
    pub company: Node,
    /// The ties that carry it, the largest first.
    pub carriers: Vec<Holding>,
    /// What the carriers hold together: at least if the proof is of certainty, at most if it is of possibility.
    /// With an open end it is more, or less, than that.
    pub held: Bound,
    /// What counts for nobody, so that the rest is the whole: own shares that do not vote.
    pub idle: Fraction,
}

/// Why a company is in a closure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Whoever carries a line is a seed or has a line before it. The last line is the company's.
    pub steps: Vec<Step>,
    /// What each line had to meet.
    pub line: Line,
    /// Whether it must be so, or only can be.
    pub certainty: Certainty,
}

impl Proof {
    /// Every tie in it: holder, company.
    pub fn ties(&self) -> impl Iterator<Item = (Node, Node)> + '_ {
        let ties = |step: &Step| {
            let company = step.company;
            step.carriers
                .iter()
                .map(|carrier| carrier.holder)
                .collect::<Vec<_>>()
                .into_iter()
                .zip(std::iter::repeat(company))
        };
        self.steps.iter().flat_map(ties)
    }
}

/// How near a group comes to a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nearness {
    /// The group's ties into the company, the largest first.
    pub group: Vec<Holding>,
    /// The least that it holds together.
    pub least: Bound,
    /// The most that it can hold.
    pub most: Bound,
    /// What no holder is known for: the whole less everybody's least.
    pub undisclosed: Fraction,
    /// Whether the line is met certainly, or at least possibly.
    pub met: Option<Certainty>,
    /// What the group certainly lacks to the line, and possibly lacks; nothing where it is met.
    pub lacks: (Fraction, Fraction),
}

impl Holdings {
    /// Why a company is in a closure: an irredundant proof. `None` if it is a seed, or not in it.
    ///
    /// The closure has been grown over ties that all have a cost.
    #[must_use]
    pub fn prove(&self, closure: &Closure, company: Node, cost: Cost<'_>) -> Option<Proof> {
        let mut steps = Vec::new();
        let mut wanted = vec![company];
        let mut seen = super::table::NodeSet::default();
        while let Some(company) = wanted.pop() {
            if closure.is_seed(company) || !seen.insert(company) {
                continue;
            }
            let rank = closure.rank(company)?;
            let step = self.step(closure, company, rank, cost)?;
            wanted.extend(step.carriers.iter().map(|carrier| carrier.holder));
            steps.push((rank, step));
        }
        if steps.is_empty() {
            return None;
        }
        steps.sort_unstable_by_key(|(rank, _)| *rank);
        let steps = steps.into_iter().map(|(_, step)| step).collect();
        Some(Proof { steps, line: closure.line, certainty: closure.certainty })
    }

    /// The proof that a company is in the closure of some seeds whose dearest tie is cheapest. `None` if it
    /// is not, or only by ties that have no cost.
    #[must_use]
    pub fn prove_cheaply(
        &self,
        seeds: &[Node],
        company: Node,
        line: Line,
        certainty: Certainty,
        cost: Cost<'_>,
    ) -> Option<Proof> {
        let cone = self.upstream(company);
        let mut costs: Vec<u64> = cone
            .nodes()
            .iter()
            .flat_map(|&node| self.holders(node).filter_map(move |holder| cost(holder, node)))
            .collect();
        costs.sort_unstable();
        costs.dedup();
        let within = |limit: u64| {
            let admit = |holder, company| cost(holder, company).is_some_and(|cost| cost <= limit);
            self.closure_within_where(&cone, seeds, line, certainty, &admit)
        };
        // Dearer ties only help, so the cheapest limit that suffices is found by halving.
        let at = costs.partition_point(|&limit| !within(limit).contains(company));
        let limit = *costs.get(at)?;
        let cheap = |holder, company| cost(holder, company).filter(|&cost| cost <= limit);
        self.prove(&within(limit), company, &cheap)
    }

    fn step(&self, closure: &Closure, company: Node, rank: u32, cost: Cost<'_>) -> Option<Step> {
        let group = self.held_by(closure, company, Some(rank));
        let carriers = self.carriers(closure, company, group, Weight::default(), cost)?;
        let sum = carriers.iter().fold(Weight::default(), |sum, (_, weight)| sum.plus(*weight));
        let units = self.units(company);
        let (held, idle) = match closure.certainty {
            Certainty::Certain => units.least(sum),
            Certainty::Possible => units.most(sum),
        };
        let (at, open) = units.part(held);
        Some(Step {
            company,
            carriers: self.told(company, &carriers),
            held: Bound { at, open },
            idle: units.part(idle).0,
        })
    }

    /// Members of a group that carry a company, none of them superfluous. `idle` is cancelled besides.
    pub(crate) fn carriers(
        &self,
        closure: &Closure,
        company: Node,
        group: Vec<(Node, Weight)>,
        idle: Weight,
        cost: Cost<'_>,
    ) -> Option<Vec<(Node, Weight)>> {
        let mut units = self.units(company);
        units.idle = units.idle.plus(idle);
        let clears = |sum| units.clears(sum, closure.line, closure.certainty);
        let mut usable: Vec<(u64, (Node, Weight))> = group
            .into_iter()
            .filter_map(|(holder, weight)| Some((cost(holder, company)?, (holder, weight))))
            .collect();
        let size = |weight: Weight| match closure.certainty {
            Certainty::Certain => (weight.lo, weight.hi),
            Certainty::Possible => (weight.hi, weight.lo),
        };
        usable.sort_unstable_by_key(|&(cost, (holder, weight))| {
            (cost, std::cmp::Reverse(size(weight)), holder)
        });
        let mut sum = Weight::default();
        let mut carriers = Vec::new();
        for (_, carrier) in usable {
            carriers.push(carrier);
            sum = sum.plus(carrier.1);
            if clears(sum) {
                break;
            }
        }
        if !clears(sum) {
            return None;
        }
        // The last to be taken are the dearest and the smallest: let go of these first.
        for place in (0..carriers.len()).rev() {
            let weight = carriers[place].1;
            let less = Weight { lo: sum.lo - weight.lo, hi: sum.hi - weight.hi };
            if carriers.len() > 1 && clears(less) {
                sum = less;
                carriers.remove(place);
            }
        }
        Some(carriers)
    }

    fn told(&self, company: Node, group: &[(Node, Weight)]) -> Vec<Holding> {
        let mut told: Vec<Holding> =
            group.iter().filter_map(|&(holder, _)| self.holding(holder, company)).collect();
        told.sort_by(|a, b| (b.lo.at, b.hi.at).cmp(&(a.lo.at, a.hi.at)).then(a.holder.cmp(&b.holder)));
        told
    }

    /// How near a closure's members come to carrying a company, whether they do or not.
    #[must_use]
    pub fn nearness(&self, closure: &Closure, company: Node) -> Nearness {
        if company >= self.nodes() {
            let none = Bound::closed(Fraction::ZERO);
            let lacks = (closure.line.at, closure.line.at);
            let undisclosed = Fraction::ONE;
            return Nearness { group: Vec::new(), least: none, most: none, undisclosed, met: None, lacks };
        }
        let group = self.held_by(closure, company, None);
        let sum = group.iter().fold(Weight::default(), |sum, (_, weight)| sum.plus(*weight));
        let units = self.units(company);
        let end = |weight: u64| {
            let (at, open) = units.part(weight);
            Bound { at, open }
        };
        let least = if units.conflicted { 0 } else { units.least(sum).0 };
        let (least, most) = (end(least), end(units.most(sum).0));
        let met = [Certainty::Certain, Certainty::Possible]
            .into_iter()
            .find(|&certainty| !group.is_empty() && units.clears(sum, closure.line, certainty));
        let lack = |met: bool, held: Bound| {
            if met { Fraction::ZERO } else { closure.line.at.checked_sub(held.at).unwrap_or(Fraction::ZERO) }
        };
        let lacks = (lack(met == Some(Certainty::Certain), least), lack(met.is_some(), most));
        let undisclosed = units.part(units.one.saturating_sub(units.total.lo)).0;
        Nearness { group: self.told(company, &group), least, most, undisclosed, met, lacks }
    }

    /// Inside a cone, why a company is in the closure of some seeds.
    #[must_use]
    pub fn prove_within(
        &self,
        cone: &Cone,
        seeds: &[Node],
        company: Node,
        line: Line,
        certainty: Certainty,
    ) -> Option<Proof> {
        let closure = self.closure_within(cone, seeds, line, certainty);
        self.prove(&closure, company, &|_, _| Some(0))
    }
}

#[cfg(test)]
mod tests {
    use super::super::holdings::Builder;
    use super::*;

    fn graph(ties: &[(Node, Node, &str)]) -> Holdings {
        let mut builder = Builder::new(10);
        for &(holder, company, share) in ties {
            builder.tie(holder, company, share.parse().unwrap()).unwrap();
        }
        builder.build()
    }

    fn shown(proof: &Proof) -> Vec<String> {
        let line = |step: &Step| {
            let carriers: Vec<String> =
                step.carriers.iter().map(|tie| format!("{} {}", tie.holder, tie.lo.at)).collect();
            format!("{}: {} = {}", step.company, carriers.join(" + "), step.held.at)
        };
        proof.steps.iter().map(line).collect()
    }

    const JOINT: &[(Node, Node, &str)] =
        &[(0, 1, "60"), (0, 2, "60"), (1, 3, "30"), (2, 3, "30"), (0, 3, "25"), (0, 4, "51"), (3, 4, "10")];

    #[test]
    fn a_proof_has_nothing_superfluous() {
        let cases: &[(Node, &[&str])] = &[
            (1, &["1: 0 60% = 60%"]),
            (3, &["1: 0 60% = 60%", "2: 0 60% = 60%", "3: 1 30% + 2 30% = 60%"]),
            (4, &["4: 0 51% = 51%"]),
        ];
        let holdings = graph(JOINT);
        let closure = holdings.closure(&[0], Line::MAJORITY, Certainty::Certain);
        for (company, want) in cases {
            let proof = holdings.prove(&closure, *company, &|_, _| Some(0)).unwrap();
            assert_eq!(shown(&proof), *want);
        }
        assert_eq!(holdings.prove(&closure, 0, &|_, _| Some(0)), None);
        assert_eq!(holdings.prove(&closure, 9, &|_, _| Some(0)), None);
    }

    #[test]
    fn dear_ties_are_avoided_and_forbidden_ones_never_used() {
        let holdings = graph(JOINT);
        let prove = |cost: Cost<'_>| {
            holdings
                .prove_cheaply(&[0], 3, Line::MAJORITY, Certainty::Certain, cost)
                .map(|proof| shown(&proof))
        };
        // Through 1 alone: 25 + 30.
        let without_2 = ["1: 0 60% = 60%", "3: 1 30% + 0 25% = 55%"];
        assert_eq!(prove(&|_, company| Some(u64::from(company == 2))).unwrap(), without_2);
        assert_eq!(prove(&|_, company| (company != 2).then_some(0)).unwrap(), without_2);
        assert_eq!(prove(&|holder, _| (holder == 0).then_some(0)), None);
    }

    #[test]
    fn a_negative_answer_tells_how_near_it_was() {
        let holdings = graph(&[(0, 1, "41.2"), (2, 1, "46.8"), (0, 3, "(25%,50%]")]);
        let closure = holdings.closure(&[0], Line::MAJORITY, Certainty::Certain);
        let nearness = holdings.nearness(&closure, 1);
        assert_eq!(nearness.undisclosed, Fraction::percent(12));
        assert_eq!(nearness.least, Bound::closed("41.2".parse().unwrap()));
        assert_eq!(nearness.lacks.0, "8.8".parse().unwrap());
        assert_eq!(nearness.met, None);
        let band = holdings.nearness(&closure, 3);
        assert_eq!((band.least.open, band.most.at), (true, Fraction::HALF));
    }
}
