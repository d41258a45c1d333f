//! Looking through: what somebody holds of an entity through all chains, multiplied along each and added up.
//!
//! Walking up from the entity, each holder's part is its share times what is held of it by the entity's chain, summed
//! over everything that it holds; cycles make the sum a geometric series, which converges as long as something of each
//! cycle is held from outside. The figures are compared in basis points; the tolerance is a millionth of one.

use std::collections::BTreeSet;

use ties::TieId;
use ties::kernel::Node;

use crate::ground::{Ground, Measure};

/// Passes over a cone with cycles before the rest is neglected: 0.9^1000 is below 1e-45.
const PASSES_MAX: usize = 1_000;

/// A millionth of a basis point.
const TOLERANCE: f64 = 1e-6;

impl Ground {
    /// For each entity of the cone, the least and the most that it holds of the entity, in basis points.
    pub(crate) fn parts(&self, measure: Measure) -> Vec<(u32, u32)> {
        let least = self.shares(measure, &BTreeSet::new(), |holding| holding.0);
        let most = self.shares(measure, &BTreeSet::new(), |holding| holding.1);
        least.into_iter().zip(most).map(|(least, most)| (floor(least), ceil(most))).collect()
    }

    /// What a group holds, where a member that stands behind another member is not counted again.
    pub(crate) fn part_of_group(&self, measure: Measure, group: &BTreeSet<Node>) -> (u32, u32) {
        let sum = |side: fn((f64, f64)) -> f64| -> f64 {
            let shares = self.shares(measure, group, side);
            group.iter().filter_map(|node| shares.get(*node as usize)).sum()
        };
        (floor(sum(|holding| holding.0)), ceil(sum(|holding| holding.1)))
    }

    /// The parts, walking up from the entity and not beyond the nodes in `stop`.
    fn shares(&self, measure: Measure, stop: &BTreeSet<Node>, side: impl Fn((f64, f64)) -> f64) -> Vec<f64> {
        let holdings = self.holdings(measure);
        let nodes = holdings.nodes() as usize;
        let mut total = vec![0.0; nodes];
        let mut wave = vec![0.0; nodes];
        wave[0] = 1.0;
        let mut front: Vec<Node> = vec![0];
        for _ in 0..PASSES_MAX {
            let mut next = vec![];
            let mut coming = std::collections::BTreeMap::<Node, f64>::new();
            for company in front.drain(..) {
                let amount = std::mem::take(&mut wave[company as usize]);
                if stop.contains(&company) || amount < 1e-15 {
                    continue;
                }
                // A joint holding is each party's as a whole.
                for holding in holdings.holdings_of(company) {
                    let share = side((holding.lo.at.to_f64(), holding.hi.at.to_f64().min(1.0)));
                    if holding.holder != company && share > 0.0 {
                        *coming.entry(holding.holder).or_default() += amount * share;
                    }
                }
            }
            for (holder, amount) in coming {
                total[holder as usize] += amount;
                wave[holder as usize] = amount;
                next.push(holder);
            }
            if next.is_empty() {
                break;
            }
            front = next;
        }
        total
    }

    /// The ties on the chains from a holder down to the entity.
    pub(crate) fn chain(&self, measure: Measure, holder: Node) -> Vec<TieId> {
        let holdings = self.holdings(measure);
        let mut ties = Vec::new();
        let mut seen = BTreeSet::from([holder]);
        let mut open = vec![holder];
        while let Some(node) = open.pop() {
            for company in holdings.companies(node) {
                ties.extend(self.ties(node, *company).iter().cloned());
                if *company != 0 && seen.insert(*company) {
                    open.push(*company);
                }
            }
        }
        ties.sort();
        ties.dedup();
        ties
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the value is clamped to 0 to 10,000 before it becomes an integer"
)]
fn floor(share: f64) -> u32 {
    (share * 10_000.0 + TOLERANCE).floor().clamp(0.0, 10_000.0) as u32
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the value is clamped to 0 to 10,000 before it becomes an integer"
)]
fn ceil(share: f64) -> u32 {
    (share * 10_000.0 - TOLERANCE).ceil().clamp(0.0, 10_000.0) as u32
}
