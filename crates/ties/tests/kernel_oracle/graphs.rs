//! Small random graphs, and the definitions tried on them by brute force. Shares nothing with the kernel.

use ties::kernel::{Builder, Holdings, Node, Terms};
use ties::{Bound, Fraction, Share};

/// The whole, in grid units. Ends lie on multiples of [`STEP`], so that up to three open ends in one company leave
/// room on the grid.
pub(crate) const WHOLE: u32 = 40;
pub(crate) const STEP: u32 = 4;

/// splitmix64 (Steele, Lea, Flood 2014).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        u32::try_from(self.next() % u64::from(limit)).unwrap()
    }

    pub(crate) fn one_in(&mut self, chances: u32) -> bool {
        self.below(chances) == 0
    }
}

/// One tie: from `lo` to `hi` grid units, each end open or closed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tie {
    pub(crate) holder: u32,
    pub(crate) company: u32,
    pub(crate) lo: u32,
    pub(crate) lo_open: bool,
    pub(crate) hi: u32,
    pub(crate) hi_open: bool,
}

impl Tie {
    pub(crate) fn exact(holder: u32, company: u32, units: u32) -> Self {
        Self { holder, company, lo: units, lo_open: false, hi: units, hi_open: false }
    }

    pub(crate) fn share(&self) -> Share {
        let at = |units: u32| Fraction::new(u64::from(units), u64::from(WHOLE)).unwrap();
        let lo = Bound { at: at(self.lo), open: self.lo_open };
        let hi = Bound { at: at(self.hi), open: self.hi_open };
        Share::between(lo, hi).unwrap()
    }

    pub(crate) fn values(&self) -> std::ops::RangeInclusive<u32> {
        self.lo + u32::from(self.lo_open)..=self.hi - u32::from(self.hi_open)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Graph {
    pub(crate) nodes: u32,
    pub(crate) ties: Vec<Tie>,
    pub(crate) terms: Vec<Terms>,
}

impl Graph {
    pub(crate) fn holdings(&self) -> Holdings {
        let mut builder = Builder::new(self.nodes);
        for tie in &self.ties {
            builder.tie(tie.holder, tie.company, tie.share()).unwrap();
        }
        for (company, &terms) in (0..).zip(&self.terms) {
            builder.terms(company, terms).unwrap();
        }
        builder.build()
    }
}

/// A graph of three to six nodes, at most `ranges` of whose ties are ranges. Every register can come out: its least
/// shares fit in the whole, and its most can fill it where it is complete.
pub(crate) fn random_graph(random: &mut Random, ranges: u32) -> Graph {
    let nodes = 3 + random.below(4);
    let mut left = ranges;
    let mut ties: Vec<Tie> = Vec::new();
    let mut terms = vec![Terms::default(); nodes as usize];
    for company in 0..nodes {
        if random.one_in(4) {
            continue;
        }
        let mut room = WHOLE;
        let holders = if random.one_in(2) { 2 } else { 1 + random.below(3) };
        for _ in 0..holders {
            let holder = random.below(nodes);
            if ties.iter().any(|tie| tie.holder == holder && tie.company == company) || room < STEP {
                continue;
            }
            let lo = STEP * random.below(room / STEP + 1);
            if left > 0 && random.one_in(3) {
                left -= 1;
                let width = STEP * random.below((WHOLE - lo) / STEP + 1);
                let (lo_open, hi_open) = (width > 0 && random.one_in(2), width > 0 && random.one_in(2));
                let lowest = lo + u32::from(lo_open);
                if lowest > room || (width == 0 && lo == 0) {
                    continue;
                }
                room -= lowest;
                ties.push(Tie { holder, company, lo, lo_open, hi: lo + width, hi_open });
            } else if lo > 0 {
                room -= lo;
                ties.push(Tie::exact(holder, company, lo));
            }
        }
        let own_shares_vote = random.one_in(2);
        if !own_shares_vote {
            // Idle votes change the denominator, and then the grid tells open ends from closed ones no more.
            for tie in ties.iter_mut().filter(|tie| tie.company == company) {
                (tie.lo_open, tie.hi_open) = (false, false);
            }
        }
        let most: u32 = ties.iter().filter(|tie| tie.company == company).map(|tie| *tie.values().end()).sum();
        terms[company as usize] =
            Terms { complete: most >= WHOLE && random.one_in(2), own_shares_vote, each_whole: false };
    }
    Graph { nodes, ties, terms }
}

/// Calls `each` with the shares of the ties in every way in which they can come out.
pub(crate) fn for_each_outcome(graph: &Graph, each: &mut dyn FnMut(&[u32])) {
    let mut outcome: Vec<u32> = graph.ties.iter().map(|tie| *tie.values().start()).collect();
    loop {
        let fits = (0..graph.nodes).all(|company| {
            let held = graph.ties.iter().zip(&outcome).filter(|(tie, _)| tie.company == company);
            let sum: u32 = held.map(|(_, units)| units).sum();
            let has_holders = graph.ties.iter().any(|tie| tie.company == company);
            sum <= WHOLE && (sum == WHOLE || !graph.terms[company as usize].complete || !has_holders)
        });
        if fits {
            each(&outcome);
        }
        let Some(place) = graph.ties.iter().zip(&outcome).position(|(tie, units)| units < tie.values().end())
        else {
            return;
        };
        outcome[place] += 1;
        for (earlier, tie) in outcome.iter_mut().zip(&graph.ties).take(place) {
            *earlier = *tie.values().start();
        }
    }
}

/// The least set, as bits, that contains the seeds and is closed: the definition, repeated until nothing changes.
pub(crate) fn least_set(graph: &Graph, outcome: &[u32], seeds: u32, line: (u32, bool)) -> u32 {
    let mut set = seeds;
    loop {
        let before = set;
        for company in 0..graph.nodes {
            let terms = graph.terms[company as usize];
            let (mut held, mut idle) = (0, 0);
            for (tie, units) in graph.ties.iter().zip(outcome).filter(|(tie, _)| tie.company == company) {
                if tie.holder == company && !terms.own_shares_vote {
                    idle += units;
                } else if set >> tie.holder & 1 == 1 {
                    held += if terms.each_whole { WHOLE } else { *units };
                }
            }
            let (held, wanted) = (held * WHOLE, line.0 * (WHOLE - idle));
            let any = graph.ties.iter().any(|tie| tie.company == company && set >> tie.holder & 1 == 1);
            if any && (held > wanted || (held == wanted && !line.1)) {
                set |= 1 << company;
            }
        }
        if set == before {
            return set;
        }
    }
}

pub(crate) fn bits(nodes: &[Node]) -> u32 {
    nodes.iter().fold(0, |bits, node| bits | 1 << node)
}

/// What is certain and what is possible for each set of seeds, by trying everything.
pub(crate) fn truth(graph: &Graph, seeds: &[u32], line: (u32, bool)) -> (Vec<u32>, Vec<u32>) {
    let (mut certain, mut possible) = (vec![u32::MAX; seeds.len()], vec![0; seeds.len()]);
    for_each_outcome(graph, &mut |outcome| {
        for (place, &seeds) in seeds.iter().enumerate() {
            let set = least_set(graph, outcome, seeds, line);
            certain[place] &= set;
            possible[place] |= set;
        }
    });
    (certain, possible)
}
