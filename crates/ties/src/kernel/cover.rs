//! The cheapest choice that meets a list of demands.
//!
//! Each demand is met by taking one of some things, or by leaving one of some others. With nothing to leave it is the
//! hitting set problem. Branch and bound: what a demand forces is done at once; otherwise the thing that most open
//! demands name is taken, and then left. A branch is given up when what it has cost and what its open demands
//! must still cost (each may charge its things up to their price, and no thing is charged twice) reach
//! the best so far.

/// One demand.
#[derive(Clone, Debug, Default)]
pub struct Clause {
    /// Taking one of these meets it. Each stands here once.
    pub take: Vec<usize>,
    /// So does leaving one of these.
    pub leave: Vec<usize>,
}

/// The outcome of [`cheapest`].
#[derive(Clone, Debug)]
pub enum Cover {
    /// What to take, in order.
    Cheapest(Vec<usize>),
    /// The demands contradict each other.
    None,
    /// No time.
    Late { lower_bound: u64 },
}

struct Decision {
    /// How many were settled before it.
    settled: usize,
    thing: usize,
    cost: u64,
    /// Whether leaving the thing has been tried too.
    left: bool,
}

struct Search<'a> {
    demands: &'a [Clause],
    costs: &'a [u64],
    taken: Vec<Option<bool>>,
    settled: Vec<usize>,
    decisions: Vec<Decision>,
    cost: u64,
    best: Option<(u64, Vec<usize>)>,
}

enum Look {
    /// A demand cannot be met any more.
    DeadEnd,
    /// All demands are met.
    Met,
    /// At least so much more, and what to decide next.
    Open { more: u64, next: usize },
}

/// The cheapest choice; things are numbered from 0, each with its price. `deadline` says when to stop.
pub fn cheapest(demands: &[Clause], costs: &[u64], deadline: &mut dyn FnMut() -> bool) -> Cover {
    let mut search = Search {
        demands,
        costs,
        taken: vec![None; costs.len()],
        settled: Vec::new(),
        decisions: Vec::new(),
        cost: 0,
        best: None,
    };
    let mut root_bound = None;
    loop {
        let look = search.look();
        let give_up = match look {
            Look::DeadEnd => true,
            Look::Met => {
                search.keep();
                true
            }
            Look::Open { more, next } => {
                let bound = search.cost.saturating_add(more);
                root_bound.get_or_insert(bound);
                let worse = search.best.as_ref().is_some_and(|(best, _)| bound >= *best);
                if !worse {
                    search.decide(next);
                }
                worse
            }
        };
        if give_up && !search.back() {
            return search.best.map_or(Cover::None, |(_, chosen)| Cover::Cheapest(chosen));
        }
        if deadline() {
            return Cover::Late { lower_bound: root_bound.unwrap_or(0) };
        }
    }
}

impl Search<'_> {
    fn set(&mut self, thing: usize, take: bool) {
        self.taken[thing] = Some(take);
        self.settled.push(thing);
        if take {
            self.cost = self.cost.saturating_add(self.costs[thing]);
        }
    }

    fn is_met(&self, demand: &Clause) -> bool {
        demand.take.iter().any(|&thing| self.taken[thing] == Some(true))
            || demand.leave.iter().any(|&thing| self.taken[thing] == Some(false))
    }

    /// Does what is forced, then bounds and chooses.
    fn look(&mut self) -> Look {
        loop {
            let mut forced = None;
            for demand in self.demands.iter().filter(|demand| !self.is_met(demand)) {
                let undecided = |thing: &&usize| self.taken[**thing].is_none();
                let takes = demand.take.iter().filter(undecided).map(|&thing| (thing, true));
                let leaves = demand.leave.iter().filter(undecided).map(|&thing| (thing, false));
                let mut ways = takes.chain(leaves);
                match (ways.next(), ways.next()) {
                    (None, _) => return Look::DeadEnd,
                    (Some(only), None) => {
                        forced = Some(only);
                        break;
                    }
                    (Some(_), Some(_)) => {}
                }
            }
            let Some((thing, take)) = forced else { break };
            self.set(thing, take);
        }
        self.bound_and_choose()
    }

    fn bound_and_choose(&self) -> Look {
        let mut left_to_charge = self.costs.to_vec();
        let mut named = vec![0_u32; self.costs.len()];
        let mut more = 0_u64;
        for demand in self.demands.iter().filter(|demand| !self.is_met(demand)) {
            let undecided = |thing: &&usize| self.taken[**thing].is_none();
            for &thing in demand.take.iter().chain(&demand.leave).filter(undecided) {
                named[thing] += 1;
            }
            if demand.leave.iter().any(|&thing| self.taken[thing].is_none()) {
                // It may be met for nothing.
                continue;
            }
            let takes = || demand.take.iter().filter(undecided);
            let charge = takes().map(|&thing| left_to_charge[thing]).min().unwrap_or(0);
            more = more.saturating_add(charge);
            for &thing in takes() {
                left_to_charge[thing] -= charge;
            }
        }
        let cheap = |thing: &usize| (named[*thing], std::cmp::Reverse((self.costs[*thing], *thing)));
        let next = (0..named.len()).filter(|&thing| named[thing] > 0).max_by_key(cheap);
        next.map_or(Look::Met, |next| Look::Open { more, next })
    }

    fn keep(&mut self) {
        if self.best.as_ref().is_none_or(|(best, _)| self.cost < *best) {
            let chosen = (0..self.taken.len()).filter(|&thing| self.taken[thing] == Some(true)).collect();
            self.best = Some((self.cost, chosen));
        }
    }

    fn decide(&mut self, thing: usize) {
        self.decisions.push(Decision { settled: self.settled.len(), thing, cost: self.cost, left: false });
        self.set(thing, true);
    }

    /// Back to the last decision that has another side; `false` if there is none.
    fn back(&mut self) -> bool {
        while let Some(decision) = self.decisions.pop() {
            for thing in self.settled.drain(decision.settled..) {
                self.taken[thing] = None;
            }
            self.cost = decision.cost;
            if !decision.left {
                let thing = decision.thing;
                self.decisions.push(Decision { left: true, ..decision });
                self.set(thing, false);
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By trying every choice.
    fn brute(demands: &[Clause], costs: &[u64]) -> Option<u64> {
        let met = |choice: u32, demand: &Clause| {
            demand.take.iter().any(|&thing| choice >> thing & 1 == 1)
                || demand.leave.iter().any(|&thing| choice >> thing & 1 == 0)
        };
        (0..1_u32 << costs.len())
            .filter(|&choice| demands.iter().all(|demand| met(choice, demand)))
            .map(|choice| {
                (0..costs.len()).filter(|&thing| choice >> thing & 1 == 1).map(|thing| costs[thing]).sum()
            })
            .min()
    }

    #[test]
    fn it_is_as_cheap_as_trying_everything() {
        let mut state = 1_u64;
        let mut random = move |limit: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from((state >> 33) % limit).unwrap()
        };
        let mut contradictions = 0;
        for _ in 0..3_000 {
            let things = 1 + random(8);
            let costs: Vec<u64> = (0..things).map(|_| random(5) as u64).collect();
            let demands: Vec<Clause> = (0..random(9))
                .map(|_| {
                    let mut side = || {
                        let side: std::collections::BTreeSet<usize> =
                            (0..random(3)).map(|_| random(things as u64)).collect();
                        side.into_iter().collect()
                    };
                    Clause { take: side(), leave: side() }
                })
                .collect();
            let found = match cheapest(&demands, &costs, &mut || false) {
                Cover::Cheapest(chosen) => Some(chosen.iter().map(|&thing| costs[thing]).sum()),
                Cover::None => None,
                Cover::Late { .. } => unreachable!("there is no deadline"),
            };
            contradictions += u32::from(found.is_none());
            assert_eq!(found, brute(&demands, &costs), "{demands:?} {costs:?}");
        }
        assert!(contradictions > 100);
    }
}
