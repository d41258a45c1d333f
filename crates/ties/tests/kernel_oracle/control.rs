//! The kernel against brute force, on small random graphs with circles, ranges, own shares and joint holdings.
//!
//! The oracle shares nothing with the kernel. It tries every way in which the ranges can come out, on a grid fine enough
//! to fall on both sides of each end, and in each of them repeats the definition until nothing changes: what holds
//! in all of them is certain, what holds in one is possible.

use crate::graphs::{Graph, Random, STEP, Tie, WHOLE, bits, random_graph, truth};
use ties::kernel::{Certainty, Forest, Holdings, Line, Node, Terms};
use ties::{Fraction, Share};

/// The pairs as they are listed at once, in order.
fn listed(holdings: &Holdings) -> Vec<(Node, Node)> {
    let mut pairs = Vec::new();
    holdings.control_pairs(|controller, company| pairs.push((controller, company)));
    pairs.sort_unstable();
    pairs
}

/// The same from the set of each source, as bits.
fn want(sets: &[u32]) -> Vec<(Node, Node)> {
    let sets = || (0..).zip(sets.iter().copied());
    let of = |(source, set): (Node, u32)| {
        (0..32).filter(move |&node| node != source && set >> node & 1 == 1).map(move |node| (source, node))
    };
    sets().flat_map(of).collect()
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
        assert_eq!(listed(&holdings), want(&certain), "{graph:?}");
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

#[test]
fn pairs_of_joint_holdings_are_what_every_outcome_says() {
    let mut random = Random(5);
    let (mut pairs, mut joint) = (0, 0);
    for round in 0..40_000 {
        let mut graph = random_graph(&mut random, round % 3);
        for terms in &mut graph.terms {
            let each_whole = random.one_in(3);
            *terms = Terms { each_whole, complete: terms.complete && !each_whole, ..*terms };
        }
        let holdings = graph.holdings();
        let seeds: Vec<u32> = (0..graph.nodes).map(|node| 1 << node).collect();
        let (certain, _) = truth(&graph, &seeds, (WHOLE / 2, true));
        let found = listed(&holdings);
        assert_eq!(found, want(&certain), "{graph:?}");
        pairs += found.len();
        joint += found.iter().filter(|(_, company)| graph.terms[*company as usize].each_whole).count();
    }
    assert!(pairs > 50_000 && joint > 10_000, "{pairs} pairs, {joint} of joint holdings");
}

#[test]
fn pairs_of_registers_over_the_whole_are_what_closures_find() {
    let mut random = Random(6);
    let mut overfull = 0;
    for _ in 0..20_000 {
        let mut graph = random_graph(&mut random, 1);
        for _ in 0..2 {
            let (holder, company) = (random.below(graph.nodes), random.below(graph.nodes));
            let is_new = |tie: &Tie| (tie.holder, tie.company) != (holder, company);
            if graph.ties.iter().all(is_new) {
                graph.ties.push(Tie::exact(holder, company, STEP * (1 + random.below(WHOLE / STEP))));
            }
        }
        let holdings = graph.holdings();
        overfull += usize::from(holdings.findings().next().is_some());
        let closures = holdings.closure_each(&[0, 1, 2, 3, 4, 5], Line::MAJORITY, Certainty::Certain);
        let sets: Vec<u32> = closures.map(|(_, closure)| bits(closure.joined())).collect();
        assert_eq!(listed(&holdings), want(&sets), "{graph:?}");
    }
    assert!(overfull > 3_000, "{overfull}");
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

/// A graph of sixty nodes: pyramids with joint control, circles through them, and shares that leave room for more.
fn deep_graph(random: &mut Random) -> Graph {
    let nodes = 60;
    let mut graph = Graph { nodes, ties: Vec::new(), terms: vec![Terms::default(); nodes as usize] };
    for company in 1..nodes {
        let near = |random: &mut Random| company - 1 - random.below(company.min(2));
        let (first, second) = (near(random), near(random));
        match random.below(24) {
            0..=11 => graph.ties.push(Tie::exact(first, company, 24)),
            12..=19 if first != second => {
                graph.ties.extend([Tie::exact(first, company, 12), Tie::exact(second, company, 12)]);
            }
            20..=22 => {
                let mut room = WHOLE;
                for _ in 0..5 {
                    let holder = random.below(nodes);
                    let taken = graph.ties.iter().any(|tie| (tie.holder, tie.company) == (holder, company));
                    let units = STEP * random.below(4);
                    if !taken && units > 0 && units <= room {
                        room -= units;
                        graph.ties.push(Tie::exact(holder, company, units));
                    }
                }
            }
            _ => graph.ties.push(Tie::exact(first, company, 16)),
        }
    }
    graph
}

#[test]
fn a_deep_forest_follows_its_edits() {
    let mut random = Random(4);
    let (mut deepest, mut classes) = (0, 0);
    for _ in 0..150 {
        let mut graph = deep_graph(&mut random);
        let mut forest = Forest::new(graph.holdings());
        for _ in 0..40 {
            let (holder, company, share) = random_edit(&mut random, &mut graph);
            forest.set(holder, company, share).unwrap();
            let holdings = forest.holdings();
            // What closures find was shown to be right above.
            let mut controllers = vec![Vec::new(); graph.nodes as usize];
            for node in 0..graph.nodes {
                let closure = holdings.closure(&[node], Line::MAJORITY, Certainty::Certain);
                for &controlled in closure.joined() {
                    controllers[controlled as usize].push(node);
                }
            }
            let of = |(company, sources): (Node, &Vec<Node>)| {
                sources.iter().map(move |&source| (source, company)).collect::<Vec<_>>()
            };
            let mut pairs: Vec<_> = (0..).zip(&controllers).flat_map(of).collect();
            pairs.sort_unstable();
            assert_eq!(listed(holdings), pairs, "{holder} {company} {share} {graph:?}");
            let fresh = Forest::new(graph.holdings());
            for node in 0..graph.nodes {
                for forest in [&forest, &fresh] {
                    let mut found = forest.controllers(node);
                    found.sort_unstable();
                    assert_eq!(found, controllers[node as usize], "{holder} {company} {share} {graph:?}");
                    classes += usize::from(forest.class(node).len() > 1);
                }
                let controls = |x: &Node| forest.controls(*x, node);
                assert!((0..graph.nodes).filter(controls).eq(controllers[node as usize].iter().copied()));
                let ultimate = forest.ultimate(node);
                let last = |x: &&Node| forest.controllers(**x).iter().all(|above| ultimate.contains(above));
                assert!(ultimate.iter().filter(last).count() == ultimate.len(), "{ultimate:?} over {node}");
                deepest = deepest.max(controllers[node as usize].len());
            }
        }
    }
    assert!(deepest > 12 && classes > 300, "{deepest} deep, {classes} in classes");
}
