//! The kernel against brute force, on small random graphs with circles, ranges, own shares and joint holdings.
//!
//! The oracle shares nothing with the kernel. It tries every way in which the ranges can come out, on a grid fine enough
//! to fall on both sides of each end, and in each of them repeats the definition until nothing changes: what holds
//! in all of them is certain, what holds in one is possible.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use ties::kernel::{Builder, Certainty, Forest, Holdings, Line, Node, Terms};
use ties::{Bound, Fraction, Share};

/// The whole, in grid units. Ends lie on multiples of [`STEP`], so that up to three open ends in one company leave
/// room on the grid.
const WHOLE: u32 = 40;
const STEP: u32 = 4;

/// splitmix64 (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u32) -> u32 {
        u32::try_from(self.next() % u64::from(limit)).unwrap()
    }

    fn one_in(&mut self, chances: u32) -> bool {
        self.below(chances) == 0
    }
}

/// One tie: from `lo` to `hi` grid units, each end open or closed.
#[derive(Clone, Copy, Debug)]
struct Tie {
    holder: u32,
    company: u32,
    lo: u32,
    lo_open: bool,
    hi: u32,
    hi_open: bool,
}

impl Tie {
    fn exact(holder: u32, company: u32, units: u32) -> Self {
        Self { holder, company, lo: units, lo_open: false, hi: units, hi_open: false }
    }

    fn share(&self) -> Share {
        let at = |units: u32| Fraction::new(u64::from(units), u64::from(WHOLE)).unwrap();
        let lo = Bound { at: at(self.lo), open: self.lo_open };
        let hi = Bound { at: at(self.hi), open: self.hi_open };
        Share::between(lo, hi).unwrap()
    }

    fn values(&self) -> std::ops::RangeInclusive<u32> {
        self.lo + u32::from(self.lo_open)..=self.hi - u32::from(self.hi_open)
    }
}

#[derive(Clone, Debug)]
struct Graph {
    nodes: u32,
    ties: Vec<Tie>,
    terms: Vec<Terms>,
}

impl Graph {
    fn holdings(&self) -> Holdings {
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
fn random_graph(random: &mut Random, ranges: u32) -> Graph {
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
fn for_each_outcome(graph: &Graph, each: &mut dyn FnMut(&[u32])) {
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
fn least_set(graph: &Graph, outcome: &[u32], seeds: u32, line: (u32, bool)) -> u32 {
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

fn bits(nodes: &[Node]) -> u32 {
    nodes.iter().fold(0, |bits, node| bits | 1 << node)
}

/// What is certain and what is possible for each set of seeds, by trying everything.
fn truth(graph: &Graph, seeds: &[u32], line: (u32, bool)) -> (Vec<u32>, Vec<u32>) {
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

#[test]
fn control_is_what_every_or_some_outcome_says() {
    let mut random = Random(1);
    let (mut certain_pairs, mut undecided) = (0, 0);
    for round in 0..60_000 {
        let graph = random_graph(&mut random, round % 4);
        let holdings = graph.holdings();
        assert_eq!(holdings.findings().count(), 0, "{graph:?}");
        let seeds: Vec<u32> = (0..graph.nodes).map(|node| 1 << node).collect();
        let (certain, possible) = truth(&graph, &seeds, (WHOLE / 2, true));
        let forest = Forest::new(holdings.clone());
        let mut pairs = 0;
        for node in 0..graph.nodes {
            let (all, some) = (certain[node as usize], possible[node as usize]);
            let grown = |certainty| holdings.closure(&[node], Line::MAJORITY, certainty);
            let grown_bits = |certainty| bits(grown(certainty).joined()) | 1 << node;
            assert_eq!(grown_bits(Certainty::Certain), all, "certain from {node}: {graph:?}");
            assert_eq!(grown_bits(Certainty::Possible), some, "possible from {node}: {graph:?}");
            assert_eq!(bits(&forest.controlled_by(node)) | 1 << node, all, "forest from {node}: {graph:?}");
            let controllers = bits(&forest.controllers(node));
            for other in 0..graph.nodes {
                let controls = other != node && certain[other as usize] >> node & 1 == 1;
                assert_eq!(controllers >> other & 1 == 1, controls, "{other} over {node}: {graph:?}");
                assert_eq!(forest.controls(other, node), controls, "{other} over {node}: {graph:?}");
                pairs += u64::from(controls);
            }
            certain_pairs += (all.count_ones() - 1) as usize;
            undecided += (some & !all).count_ones();
        }
        assert_eq!(forest.pairs_count(), pairs, "{graph:?}");
        assert_eq!(forest.pairs().count() as u64, pairs, "{graph:?}");
    }
    // The graphs were worth the trouble.
    assert!(certain_pairs > 50_000 && undecided > 10_000, "{certain_pairs} certain, {undecided} undecided");
}

#[test]
fn closures_are_what_every_or_some_outcome_says() {
    let mut random = Random(2);
    for round in 0..50_000 {
        let mut graph = random_graph(&mut random, round % 4);
        for terms in &mut graph.terms {
            // A joint holding has no register to be complete.
            let each_whole = random.one_in(6);
            *terms = Terms { each_whole, complete: terms.complete && !each_whole, ..*terms };
        }
        let holdings = graph.holdings();
        let seeds = 1 + random.below((1 << graph.nodes) - 1);
        let units = STEP * (1 + random.below(WHOLE / STEP));
        let strict = random.one_in(2) && units < WHOLE;
        let (certain, possible) = truth(&graph, &[seeds], (units, strict));
        let at = Fraction::new(u64::from(units), u64::from(WHOLE)).unwrap();
        let nodes: Vec<Node> = (0..graph.nodes).filter(|node| seeds >> node & 1 == 1).collect();
        for (certainty, want) in [(Certainty::Certain, certain[0]), (Certainty::Possible, possible[0])] {
            let closure = holdings.closure(&nodes, Line { at, strict }, certainty);
            assert_eq!(
                bits(closure.joined()) | seeds,
                want,
                "{certainty:?} {units} {strict} {nodes:?} {graph:?}"
            );
            for company in 0..graph.nodes {
                let cone = holdings.upstream(company);
                let local = holdings.closure_within(&cone, &nodes, Line { at, strict }, certainty);
                let member = local.contains(company);
                assert_eq!(member, want >> company & 1 == 1, "{company} in its cone: {graph:?}");
            }
        }
    }
}

/// One random edit: a new share for a tie, new or old, or its end; within the whole.
fn random_edit(random: &mut Random, graph: &mut Graph) -> (u32, u32, Share) {
    let holder = random.below(graph.nodes);
    let company = random.below(graph.nodes);
    graph.ties.retain(|tie| (tie.holder, tie.company) != (holder, company));
    let held = |end: fn(&Tie) -> u32| {
        let of = graph.ties.iter().filter(|tie| tie.company == company);
        of.map(end).sum::<u32>()
    };
    let room = WHOLE - held(|tie| *tie.values().start()).min(WHOLE);
    let lo = STEP * random.below(room / STEP + 1);
    if lo == 0 || random.one_in(3) {
        return (holder, company, Share::NOTHING);
    }
    let mut tie = Tie::exact(holder, company, lo);
    if random.one_in(4) && lo < room {
        tie = Tie { lo_open: true, hi: WHOLE, ..tie };
    }
    graph.ties.push(tie);
    (holder, company, tie.share())
}

/// Who controls a node, and who else is in its class.
fn facts(forest: &Forest, node: Node) -> (u32, u32) {
    (bits(&forest.controllers(node)), bits(&forest.class(node)))
}

#[test]
fn a_forest_kept_up_to_date_is_a_fresh_one() {
    let mut random = Random(3);
    let (mut moved_in_all, mut exact) = (0, 0);
    for _ in 0..6_000 {
        let mut graph = random_graph(&mut random, 2);
        graph.nodes += 4;
        graph.terms.resize(graph.nodes as usize, Terms::default());
        for terms in &mut graph.terms {
            terms.complete = false;
        }
        let mut forest = Forest::new(graph.holdings());
        for _ in 0..25 {
            let before: Vec<(u32, u32)> = (0..graph.nodes).map(|node| facts(&forest, node)).collect();
            let (holder, company, share) = random_edit(&mut random, &mut graph);
            let moved = forest.set(holder, company, share).unwrap();
            let fresh = Forest::new(graph.holdings());
            let mut changed = Vec::new();
            for node in 0..graph.nodes {
                let (kept, new) = (facts(&forest, node), facts(&fresh, node));
                assert_eq!(kept, new, "controllers of {node} after {holder} {company} {share}: {graph:?}");
                assert_eq!(forest.controlled_by(node), fresh.controlled_by(node), "{node}: {graph:?}");
                if new != before[node as usize] {
                    changed.push(node);
                }
            }
            // Around mutual control a few more may be named, never fewer.
            let mutual = |facts: &(u32, u32)| facts.1.count_ones() > 1;
            let named = bits(&moved.companies);
            if before.iter().any(mutual) || (0..graph.nodes).any(|node| mutual(&facts(&fresh, node))) {
                assert_eq!(bits(&changed) & !named, 0, "after {holder} {company} {share}: {graph:?}");
            } else {
                exact += 1;
                assert_eq!(moved.companies, changed, "after {holder} {company} {share}: {graph:?}");
            }
            assert_eq!(forest.pairs_count(), fresh.pairs_count());
            moved_in_all += changed.len();
            let rebuilt = graph.holdings();
            for node in 0..graph.nodes {
                let kept: Vec<_> = forest.holdings().holdings_of(node).collect();
                assert_eq!(kept, rebuilt.holdings_of(node).collect::<Vec<_>>(), "{graph:?}");
                assert_eq!(forest.holdings().companies(node), rebuilt.companies(node));
            }
        }
    }
    assert!(moved_in_all > 20_000 && exact > 20_000, "{moved_in_all} moved, {exact} without mutual control");
}
