//! Questions about one company at a time: why it is controlled, and what would have to end.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use ties::Fraction;
use ties::kernel::{Certainty, Closure, Ending, Forest, Holdings, Least, Line, Node, Proof, Remedy, Task};

use super::clock::{Each, Spread};
use super::random::SplitMix;

/// How many proofs are asked for.
const PROOFS: usize = 10_000;
/// How many cuts are asked for, half of them of the most entangled companies.
const CUTS: usize = 300;
/// How many busy holders the set has whose companies are to be let out.
const BUSY: usize = 600;
/// From how many companies on a holder is busy.
const BUSY_FROM: usize = 4;
/// How long one cut may take.
const CUT_TIME: Duration = Duration::from_secs(1);

/// What the questions took.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Local {
    pub(crate) proof: Spread,
    /// Ties of the largest proof.
    pub(crate) proof_ties_most: usize,
    pub(crate) cut: Spread,
    /// Ties of the largest cut.
    pub(crate) cut_ties_most: usize,
    /// Cuts proved least.
    pub(crate) cut_proved: usize,
    /// Companies that no cut lets out, since the set holds them directly as a member.
    pub(crate) cut_none: usize,
}

pub(crate) fn measure(forest: &Forest) -> Result<Local> {
    let (proof, proof_ties_most) = proofs(forest)?;
    let cuts = cuts(forest.holdings())?;
    let Cuts { spread: cut, ties_most: cut_ties_most, proved: cut_proved, none: cut_none } = cuts;
    Ok(Local { proof, proof_ties_most, cut, cut_ties_most, cut_proved, cut_none })
}

/// Why the ultimate controller of a company controls it, for companies drawn by chance: the walk upstream included.
fn proofs(forest: &Forest) -> Result<(Spread, usize)> {
    let holdings = forest.holdings();
    let mut random = SplitMix::new(13);
    let (mut each, mut most) = (Each::default(), 0);
    let mut asked = 0;
    for _ in 0..100 * PROOFS {
        let company = random.below(holdings.nodes());
        let Some(controller) = forest.ultimate(company).first().copied().filter(|node| *node != company)
        else {
            continue;
        };
        let proof = each.time(|| {
            let cone = holdings.upstream(company);
            holdings.prove_within(&cone, &[controller], company, Line::MAJORITY, Certainty::Certain)
        });
        let proof = proof.context("what the forest says has no proof")?;
        check(holdings, &proof, controller, company)?;
        most = most.max(proof.ties().count());
        asked += 1;
        if asked == PROOFS {
            break;
        }
    }
    Ok((each.spread(), most))
}

/// A proof holds: whoever carries a line is the controller or has a line before, and the carriers have a majority.
fn check(holdings: &Holdings, proof: &Proof, controller: Node, company: Node) -> Result<()> {
    let mut proved = BTreeSet::from([controller]);
    for step in &proof.steps {
        let mut sum = Fraction::ZERO;
        for carrier in &step.carriers {
            ensure!(proved.contains(&carrier.holder), "a line of the proof rests on nothing: {step:?}");
            let held =
                holdings.holding(carrier.holder, step.company).context("a tie of the proof is not there")?;
            sum = sum.checked_add(held.lo.at).context("the shares are too fine to be added")?;
        }
        ensure!(sum > Fraction::HALF, "a line of the proof has no majority: {step:?}");
        proved.insert(step.company);
    }
    ensure!(proved.contains(&company), "the proof does not end at the company");
    Ok(())
}

struct Cuts {
    spread: Spread,
    ties_most: usize,
    proved: usize,
    none: usize,
}

/// The least set of ties to sell so that a company is no longer blocked by a set of busy holders.
fn cuts(holdings: &Holdings) -> Result<Cuts> {
    let seeds = busy(holdings);
    let closure = holdings.closure(&seeds, Line::HALF_OR_MORE, Certainty::Certain);
    let (mut each, mut ties_most, mut proved, mut none) = (Each::default(), 0, 0, 0);
    for company in targets(holdings, &closure) {
        let task = Task {
            company,
            seeds: &seeds,
            line: Line::HALF_OR_MORE,
            certainty: Certainty::Certain,
            ending: Ending::Sold,
            cost: &|_, _| Some(1),
        };
        let remedy = each.time(|| {
            let begun = Instant::now();
            holdings.least_cuts(&task, 1, &mut || begun.elapsed() > CUT_TIME)
        });
        let Remedy::Cuts(cuts) = remedy else {
            none += 1;
            continue;
        };
        let cut = cuts.first().context("a remedy without a cut")?;
        let left = |holder, company| !cut.ties.contains(&(holder, company));
        let after = holdings.closure_where(&seeds, Line::HALF_OR_MORE, Certainty::Certain, &left);
        ensure!(!after.contains(company), "the cut {:?} does not let {company} out", cut.ties);
        ties_most = ties_most.max(cut.ties.len());
        proved += usize::from(cut.least == Least::Proved);
    }
    Ok(Cuts { spread: each.spread(), ties_most, proved, none })
}

/// Holders of several companies, drawn by chance.
fn busy(holdings: &Holdings) -> Vec<Node> {
    let mut random = SplitMix::new(17);
    let mut seeds = BTreeSet::new();
    for _ in 0..10_000 * BUSY {
        let node = random.below(holdings.nodes());
        if holdings.companies(node).len() >= BUSY_FROM {
            seeds.insert(node);
        }
        if seeds.len() == BUSY {
            break;
        }
    }
    seeds.into_iter().collect()
}

/// Companies in the closure: the most entangled, and as many by chance. Entangled is who has many ties upstream by
/// which it may be blocked.
fn targets(holdings: &Holdings, closure: &Closure) -> Vec<Node> {
    let entangled = |company: Node| {
        let (mut ties, mut seen, mut work) = (0, BTreeSet::from([company]), vec![company]);
        while let Some(company) = work.pop() {
            for holder in holdings.holders(company).filter(|holder| closure.contains(*holder)) {
                ties += 1;
                if seen.insert(holder) {
                    work.push(holder);
                }
            }
        }
        ties
    };
    let mut joined: Vec<(usize, Node)> =
        closure.joined().iter().map(|company| (entangled(*company), *company)).collect();
    joined.sort_unstable_by(|one, other| other.cmp(one));
    let rest = joined.split_off(joined.len().min(CUTS / 2));
    let mut targets: Vec<Node> = joined.into_iter().map(|(_, company)| company).collect();
    let mut random = SplitMix::new(19);
    if let Ok(rest_len) = u32::try_from(rest.len())
        && rest_len > 0
    {
        targets.extend((0..CUTS / 2).map(|_| rest[random.below(rest_len) as usize].1));
    }
    targets
}
