//! The same questions answered the plain way: what the kernel and every peer must agree with.
//!
//! Nothing here is shared with the kernel. Control: from each holder a worklist, where the votes of what it controls are
//! added up company by company. The aggregate rule: one such worklist from all seeds, at half or more. The look-through:
//! rounds over all ties until nothing moves.

use super::graph::{Graph, HALF, Pairs, Tie, WHOLE};

/// Ties by one of their ends: what a holder has, or who has a company.
pub(crate) struct Adjacent {
    starts: Vec<u32>,
    /// The other end, and the points.
    ends: Vec<(u32, u32)>,
}

impl Adjacent {
    /// What each holder has.
    pub(crate) fn down(graph: &Graph) -> Self {
        Self::new(graph, |tie| tie.holder, |tie| tie.company)
    }

    /// Who has each company.
    pub(crate) fn up(graph: &Graph) -> Self {
        Self::new(graph, |tie| tie.company, |tie| tie.holder)
    }

    fn new(graph: &Graph, from: impl Fn(&Tie) -> u32, to: impl Fn(&Tie) -> u32) -> Self {
        let mut starts = vec![0; graph.nodes as usize + 1];
        for tie in &graph.ties {
            starts[from(tie) as usize + 1] += 1;
        }
        for node in 0..graph.nodes as usize {
            starts[node + 1] += starts[node];
        }
        let (mut next, mut ends) = (starts.clone(), vec![(0, 0); graph.ties.len()]);
        for tie in &graph.ties {
            let place = &mut next[from(tie) as usize];
            ends[*place as usize] = (to(tie), tie.points);
            *place += 1;
        }
        Self { starts, ends }
    }

    pub(crate) fn of(&self, node: u32) -> &[(u32, u32)] {
        let node = node as usize;
        &self.ends[self.starts[node] as usize..self.starts[node + 1] as usize]
    }

    pub(crate) fn nodes(&self) -> u32 {
        u32::try_from(self.starts.len() - 1).unwrap_or(u32::MAX)
    }
}

/// Votes that are forgotten all at once: each has the round that it was written in.
struct Votes {
    round: u32,
    counts: Vec<(u32, u32)>,
}

impl Votes {
    fn new(nodes: u32) -> Self {
        Self { round: 0, counts: vec![(0, 0); nodes as usize] }
    }

    const fn forget(&mut self) {
        self.round += 1;
    }

    /// Adds votes, and gives the sum before and after.
    fn add(&mut self, company: u32, points: u32) -> (u32, u32) {
        let (round, sum) = &mut self.counts[company as usize];
        if *round != self.round {
            (*round, *sum) = (self.round, 0);
        }
        let before = *sum;
        *sum += points;
        (before, *sum)
    }
}

/// All pairs of who controls whom, by strictly more than half.
pub(crate) fn control(down: &Adjacent, mut pair: impl FnMut(u32, u32)) -> Pairs {
    let (mut votes, mut work, mut pairs) = (Votes::new(down.nodes()), Vec::new(), Pairs::default());
    for source in 0..down.nodes() {
        votes.forget();
        work.push(source);
        while let Some(holder) = work.pop() {
            for (company, points) in down.of(holder) {
                let (before, after) = votes.add(*company, *points);
                if *company != source && before <= HALF && after > HALF {
                    pairs.take(source, *company);
                    pair(source, *company);
                    work.push(*company);
                }
            }
        }
    }
    pairs
}

/// What the aggregate rule adds to the seeds: companies that the set holds directly to half or more.
pub(crate) fn closure(down: &Adjacent, seeds: &[u32]) -> Vec<u32> {
    let (mut votes, mut work, mut added) = (Votes::new(down.nodes()), seeds.to_vec(), Vec::new());
    votes.forget();
    let mut is_seed = vec![false; down.nodes() as usize];
    for seed in seeds {
        is_seed[*seed as usize] = true;
    }
    while let Some(holder) = work.pop() {
        for (company, points) in down.of(holder) {
            let (before, after) = votes.add(*company, *points);
            if !is_seed[*company as usize] && before < HALF && after >= HALF {
                added.push(*company);
                work.push(*company);
            }
        }
    }
    added.sort_unstable();
    added
}

/// What the seeds, held at 1, have of everybody by way of everybody, in all; each round goes over all ties.
pub(crate) fn look_through(up: &Adjacent, seeds: &[u32]) -> f64 {
    let mut of = vec![0.0_f64; up.nodes() as usize];
    let mut is_seed = vec![false; up.nodes() as usize];
    for seed in seeds {
        (of[*seed as usize], is_seed[*seed as usize]) = (1.0, true);
    }
    loop {
        let mut moved = 0.0_f64;
        for company in (0..up.nodes()).filter(|company| !is_seed[*company as usize]) {
            let held =
                up.of(company).iter().map(|(holder, points)| f64::from(*points) * of[*holder as usize]);
            let sum = held.sum::<f64>() / f64::from(WHOLE);
            moved = moved.max((sum - of[company as usize]).abs());
            of[company as usize] = sum;
        }
        if moved <= 1e-12 {
            return of.iter().sum();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(ties: &[(u32, u32, u32)]) -> Graph {
        let ties = ties.iter().map(|(holder, company, points)| Tie {
            holder: *holder,
            company: *company,
            points: *points,
        });
        Graph::new(ties.collect()).unwrap()
    }

    fn controlled(ties: &[(u32, u32, u32)]) -> Vec<(u32, u32)> {
        let mut pairs = Vec::new();
        control(&Adjacent::down(&graph(ties)), |holder, company| pairs.push((holder, company)));
        pairs.sort_unstable();
        pairs
    }

    #[test]
    fn control_is_more_than_half_through_what_is_controlled() {
        assert_eq!(controlled(&[(0, 1, 5_000)]), Vec::new());
        assert_eq!(controlled(&[(0, 1, 5_001), (1, 2, 3_000), (0, 2, 2_001)]), [(0, 1), (0, 2)]);
        // Two that hold each other are not controlled by who holds neither.
        assert_eq!(controlled(&[(1, 2, 6_000), (2, 1, 6_000), (0, 1, 4_000)]), [(1, 2), (2, 1)]);
    }

    #[test]
    fn the_aggregate_rule_counts_half_and_multiplies_nothing() {
        let down = Adjacent::down(&graph(&[(0, 2, 2_500), (1, 2, 2_500), (2, 3, 5_000), (3, 4, 4_999)]));
        assert_eq!(closure(&down, &[0, 1]), [2, 3]);
        assert_eq!(closure(&down, &[0]), Vec::<u32>::new());
    }

    #[test]
    fn the_look_through_solves_cycles() {
        // 0 has 51 % of 1; 2, which 1 has to 60 %, has 30 % of 1 in turn: 0.51 / (1 - 0.18).
        let up = Adjacent::up(&graph(&[(0, 1, 5_100), (1, 2, 6_000), (2, 1, 3_000)]));
        let of = 0.51 / (1.0 - 0.18);
        assert!((look_through(&up, &[0]) - (1.0 + of + 0.6 * of)).abs() < 1e-9);
    }
}
