//! Who gets which observations: a flow, kept up demand by demand.
//!
//! Each demand is for so many of its candidates, and no candidate serves more often than it was seen. A new demand takes what
//! is spare; for what that leaves open it looks for a chain of moves: it takes an observation from another demand, which
//! takes one from a third, until one takes a spare one. If there is no chain, there is no assignment at all (Ford and
//! Fulkerson), and the demand is refused. Demands end in the reverse order.

use crate::meter::{Exhausted, Meter};

pub(crate) struct Assignment {
    /// By observation, how often it may still be used.
    spare: Vec<u64>,
    /// INVARIANT: all of them are met, between calls.
    demands: Vec<Demand>,
}

struct Demand {
    candidates: Vec<usize>,
    /// Observations, and how often each is used: never 0.
    met: Vec<(usize, u64)>,
}

/// How the demands and observations were reached that a chain can go through.
struct Reached {
    /// By observation, the demand that would take it.
    takers: Vec<Option<usize>>,
    /// By demand, the observation that it would give up.
    given_up: Vec<Option<usize>>,
}

impl Assignment {
    /// By observation, how often it was seen.
    pub(crate) fn new(seen: Vec<u64>) -> Self {
        Self { spare: seen, demands: Vec::new() }
    }

    /// How many observations are left, each as often as it was seen.
    pub(crate) fn spare(&self) -> u64 {
        self.spare.iter().fold(0, |sum, spare| sum.saturating_add(*spare))
    }

    /// How many demands there are.
    pub(crate) fn demands(&self) -> usize {
        self.demands.len()
    }

    /// Meets a demand, moving others if need be; or says no, and no demand is added.
    pub(crate) fn demand(
        &mut self,
        candidates: Vec<usize>,
        amount: u64,
        meter: &mut Meter,
    ) -> Result<bool, Exhausted> {
        let mut open = amount;
        let mut met = Vec::new();
        for at in &candidates {
            let taken = open.min(self.spare[*at]);
            if taken > 0 {
                self.spare[*at] -= taken;
                met.push((*at, taken));
                open -= taken;
            }
        }
        self.demands.push(Demand { candidates, met });
        while open > 0 {
            match self.augment(open, meter)? {
                0 => {
                    self.withdraw_to(self.demands.len() - 1);
                    return Ok(false);
                }
                met => open -= met,
            }
        }
        Ok(true)
    }

    /// Ends the last demands until so many are left. These stay met: what was moved serves them as well.
    pub(crate) fn withdraw_to(&mut self, left: usize) {
        for demand in self.demands.drain(left..) {
            for (at, amount) in demand.met {
                self.spare[at] += amount;
            }
        }
    }

    /// Meets a part of the last demand, at most `open`, along a shortest chain. Returns how much was met.
    fn augment(&mut self, open: u64, meter: &mut Meter) -> Result<u64, Exhausted> {
        let Some(last) = self.demands.len().checked_sub(1) else { return Ok(0) };
        meter.spend((self.spare.len() + self.demands.len()) / 8)?;
        let mut reached =
            Reached { takers: vec![None; self.spare.len()], given_up: vec![None; self.demands.len()] };
        let mut queue = vec![last];
        let mut at = 0;
        while let Some(taker) = queue.get(at).copied() {
            at += 1;
            meter.spend(self.demands[taker].candidates.len())?;
            for &observation in &self.demands[taker].candidates {
                if reached.takers[observation].is_some() {
                    continue;
                }
                reached.takers[observation] = Some(taker);
                if self.spare[observation] > 0 {
                    return Ok(self.shift(observation, open, &reached));
                }
                for (number, (giver, given_up)) in
                    self.demands.iter().zip(&mut reached.given_up).enumerate().take(last)
                {
                    meter.spend(giver.met.len())?;
                    if given_up.is_none() && giver.met.iter().any(|(used, _)| *used == observation) {
                        *given_up = Some(observation);
                        queue.push(number);
                    }
                }
            }
        }
        Ok(0)
    }

    /// Moves as much as the chain carries that ends at a spare observation.
    fn shift(&mut self, spare: usize, open: u64, reached: &Reached) -> u64 {
        // From the end: a demand takes one observation, and gives up another to the demand before it.
        let mut chain = Vec::new();
        let mut amount = open.min(self.spare[spare]);
        let mut taken = spare;
        while let Some(taker) = reached.takers[taken] {
            let given_up = reached.given_up[taker];
            chain.push((taker, taken, given_up));
            let Some(given_up) = given_up else { break };
            let used = self.demands[taker].met.iter().find(|(at, _)| *at == given_up);
            amount = amount.min(used.map_or(0, |(_, used)| *used));
            taken = given_up;
        }
        self.spare[spare] -= amount;
        for (taker, taken, given_up) in chain {
            let met = &mut self.demands[taker].met;
            match met.iter_mut().find(|(at, _)| *at == taken) {
                Some((_, used)) => *used += amount,
                None => met.push((taken, amount)),
            }
            if let Some(given_up) = given_up {
                met.retain_mut(|(at, used)| {
                    *used -= if *at == given_up { amount } else { 0 };
                    *used > 0
                });
            }
        }
        amount
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Whether the demands can all be met, by trying every candidate for the first unit of the first demand.
    fn slow(seen: &mut Vec<u64>, demands: &mut Vec<(Vec<usize>, u64)>) -> bool {
        let Some(at) = demands.iter().position(|(_, amount)| *amount > 0) else { return true };
        demands[at].1 -= 1;
        for candidate in demands[at].0.clone() {
            if seen[candidate] > 0 {
                seen[candidate] -= 1;
                let found = slow(seen, demands);
                seen[candidate] += 1;
                if found {
                    demands[at].1 += 1;
                    return true;
                }
            }
        }
        demands[at].1 += 1;
        false
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]
        #[test]
        fn demands_are_met_if_they_can_be(
            seen in prop::collection::vec(0_u64..3, 4),
            wanted in prop::collection::vec((prop::collection::btree_set(0_usize..4, 0..4), 0_u64..4), 0..5),
        ) {
            let mut assignment = Assignment::new(seen.clone());
            let mut meter = Meter::new(u64::MAX);
            let mut met: Vec<(Vec<usize>, u64)> = Vec::new();
            for (candidates, amount) in wanted {
                let candidates: Vec<usize> = candidates.into_iter().collect();
                met.push((candidates.clone(), amount));
                let want = slow(&mut seen.clone(), &mut met.clone());
                prop_assert_eq!(assignment.demand(candidates, amount, &mut meter).unwrap(), want);
                if !want {
                    met.pop();
                }
                prop_assert_eq!(assignment.demands(), met.len());
                let used: u64 = met.iter().map(|(_, amount)| amount).sum();
                prop_assert_eq!(assignment.spare(), seen.iter().sum::<u64>() - used);
            }
            assignment.withdraw_to(0);
            prop_assert_eq!(assignment.spare, seen);
        }
    }
}
