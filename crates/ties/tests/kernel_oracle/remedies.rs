//! Proofs, remedies and look-through against brute force on small random graphs.

use std::collections::BTreeSet;

use crate::graphs::{Graph, Random, STEP, WHOLE, bits, random_graph};
use ties::kernel::{Certainty, Ending, Least, Line, Node, Order, Remedy, Side, Task};
use ties::{Fraction, Share};

/// The exact shares of a graph without ranges, with some ties ended: sold ones count for nobody, cancelled ones
/// are taken out of the whole.
fn is_in(graph: &Graph, seeds: u32, company: u32, ended: &BTreeSet<(u32, u32)>, ending: Ending) -> bool {
    let mut set = seeds;
    loop {
        let before = set;
        for company in 0..graph.nodes {
            let (mut held, mut idle) = (0, 0);
            for tie in graph.ties.iter().filter(|tie| tie.company == company) {
                let own = tie.holder == company && !graph.terms[company as usize].own_shares_vote;
                let over = ended.contains(&(tie.holder, company));
                if own || (over && ending == Ending::Cancelled) {
                    idle += tie.lo;
                } else if !over && set >> tie.holder & 1 == 1 {
                    held += tie.lo;
                }
            }
            if held > 0 && 2 * held >= WHOLE - idle {
                set |= 1 << company;
            }
        }
        if set == before {
            return set >> company & 1 == 1;
        }
    }
}

/// The least cost by trying every set of ties that can be ended.
fn brute(graph: &Graph, seeds: u32, company: u32, costs: &[Option<u64>], ending: Ending) -> Option<u64> {
    let endable: Vec<(u64, (u32, u32))> = graph
        .ties
        .iter()
        .zip(costs)
        .filter_map(|(tie, cost)| Some(((*cost)?, (tie.holder, tie.company))))
        .collect();
    (0..1_u32 << endable.len())
        .filter_map(|choice| {
            let chosen = endable.iter().enumerate().filter(|(place, _)| choice >> place & 1 == 1);
            let cost = chosen.clone().map(|(_, (cost, _))| cost).sum();
            let ended: BTreeSet<(u32, u32)> = chosen.map(|(_, (_, tie))| *tie).collect();
            (!is_in(graph, seeds, company, &ended, ending)).then_some(cost)
        })
        .min()
}

#[test]
fn remedies_are_as_cheap_as_trying_everything() {
    let mut random = Random(11);
    let (mut found, mut impossible) = (0, 0);
    for _ in 0..20_000 {
        let graph = random_graph(&mut random, 0);
        // Here "complete" changes nothing, since all is exact.
        let holdings = graph.holdings();
        let company = random.below(graph.nodes);
        let seeds = 1 + random.below((1 << graph.nodes) - 1);
        if seeds >> company & 1 == 1 {
            continue;
        }
        let costs: Vec<Option<u64>> =
            graph.ties.iter().map(|_| (!random.one_in(4)).then(|| 1 + u64::from(random.below(4)))).collect();
        let cost = |holder: Node, company: Node| {
            let place = graph.ties.iter().position(|tie| (tie.holder, tie.company) == (holder, company));
            costs[place.unwrap()]
        };
        let nodes: Vec<Node> = (0..graph.nodes).filter(|node| seeds >> node & 1 == 1).collect();
        let ending = if random.one_in(2) { Ending::Sold } else { Ending::Cancelled };
        let task = Task {
            company,
            seeds: &nodes,
            line: Line::HALF_OR_MORE,
            certainty: Certainty::Certain,
            ending,
            cost: &cost,
        };
        let remedy = holdings.least_cuts(&task, 3, &mut || false);
        let want = brute(&graph, seeds, company, &costs, ending);
        match remedy {
            Remedy::NotNeeded => {
                assert!(!is_in(&graph, seeds, company, &BTreeSet::new(), ending), "{graph:?}");
            }
            Remedy::Impossible => {
                impossible += 1;
                assert_eq!(want, None, "{ending:?} {company} {nodes:?} {costs:?} {graph:?}");
            }
            Remedy::Undecided => unreachable!("there is no deadline"),
            Remedy::Cuts(cuts) => {
                found += 1;
                assert_eq!(Some(cuts[0].cost), want, "{ending:?} {company} {nodes:?} {costs:?} {graph:?}");
                for (place, cut) in cuts.iter().enumerate() {
                    assert_eq!(cut.least, Least::Proved);
                    let ended: BTreeSet<(u32, u32)> = cut.ties.iter().copied().collect();
                    assert!(!is_in(&graph, seeds, company, &ended, ending), "{cut:?} {graph:?}");
                    for earlier in &cuts[..place] {
                        assert!(earlier.cost <= cut.cost);
                        assert!(!earlier.ties.iter().all(|tie| ended.contains(tie)), "{cuts:?}");
                    }
                }
            }
        }
    }
    assert!(found > 2_000 && impossible > 300, "{found} found, {impossible} impossible");
}

#[test]
fn a_remedy_without_time_is_a_remedy_with_a_bound() {
    let mut random = Random(12);
    let mut unproved = 0;
    for _ in 0..3_000 {
        let graph = random_graph(&mut random, 0);
        let holdings = graph.holdings();
        let company = random.below(graph.nodes);
        let seeds: Vec<Node> = (0..graph.nodes).filter(|&node| node != company && random.one_in(2)).collect();
        let task = Task {
            company,
            seeds: &seeds,
            line: Line::HALF_OR_MORE,
            certainty: Certainty::Certain,
            ending: Ending::Sold,
            cost: &|_, _| Some(1),
        };
        let (Remedy::Cuts(least), Remedy::Cuts(hasty)) =
            (holdings.least_cuts(&task, 1, &mut || false), holdings.least_cuts(&task, 1, &mut || true))
        else {
            continue;
        };
        let ended: BTreeSet<(u32, u32)> = hasty[0].ties.iter().copied().collect();
        assert!(!is_in(&graph, bits(&seeds), company, &ended, Ending::Sold), "{graph:?}");
        match hasty[0].least {
            Least::Proved => assert_eq!(hasty[0].cost, least[0].cost),
            Least::BestFound { lower_bound } => {
                unproved += 1;
                assert!(lower_bound <= least[0].cost && least[0].cost <= hasty[0].cost, "{graph:?}");
            }
        }
    }
    assert!(unproved > 20, "{unproved}");
}

#[test]
fn every_proof_proves_and_loses_nothing_it_can_spare() {
    let mut random = Random(13);
    let mut long = 0;
    for round in 0..20_000 {
        let graph = random_graph(&mut random, round % 4);
        let holdings = graph.holdings();
        let seeds: Vec<Node> = (0..graph.nodes).filter(|_| random.one_in(2)).collect();
        let certainty = if random.one_in(2) { Certainty::Certain } else { Certainty::Possible };
        let line = if random.one_in(2) { Line::MAJORITY } else { Line::HALF_OR_MORE };
        let closure = holdings.closure(&seeds, line, certainty);
        for &company in closure.joined() {
            let proof = holdings.prove(&closure, company, &|_, _| Some(0)).unwrap();
            let ties: Vec<(Node, Node)> = proof.ties().collect();
            long += usize::from(proof.steps.len() > 1);
            let proves = |without: Option<(Node, Node)>| {
                let admit = |h, c| ties.contains(&(h, c)) && without != Some((h, c));
                holdings.closure_where(&seeds, line, certainty, &admit).contains(company)
            };
            assert!(proves(None), "{proof:?} {graph:?}");
            for &tie in &ties {
                assert!(!proves(Some(tie)), "{tie:?} is superfluous: {proof:?} {graph:?}");
            }
            // Each line rests on seeds and on earlier lines.
            let mut known: BTreeSet<Node> = seeds.iter().copied().collect();
            for step in &proof.steps {
                assert!(step.carriers.iter().all(|carrier| known.contains(&carrier.holder)), "{proof:?}");
                known.insert(step.company);
            }
            assert_eq!(proof.steps.last().map(|step| step.company), Some(company));
            let nearness = holdings.nearness(&closure, company);
            assert!(nearness.met.is_some_and(|met| met <= certainty), "{nearness:?}");
        }
    }
    assert!(long > 1_000, "{long}");
}

/// The parts by following the definition four thousand times, from nothing.
fn parts(graph: &Graph, seeds: u32, end: fn(&crate::graphs::Tie) -> u32) -> Vec<f64> {
    let mut parts = vec![0.0; graph.nodes as usize];
    for _ in 0..4_000 {
        let mut next = vec![0.0; graph.nodes as usize];
        for tie in &graph.ties {
            next[tie.company as usize] += f64::from(end(tie)) / f64::from(WHOLE) * parts[tie.holder as usize];
        }
        for (node, part) in next.iter_mut().enumerate() {
            *part = if seeds >> node & 1 == 1 { 1.0 } else { part.min(1.0) };
        }
        parts = next;
    }
    parts
}

#[test]
fn look_through_is_the_sum_over_all_chains() {
    let mut random = Random(14);
    let (mut exact, mut ranges) = (0, 0);
    for round in 0..4_000 {
        let mut graph = random_graph(&mut random, round % 3);
        for terms in &mut graph.terms {
            terms.complete = false;
        }
        let holdings = graph.holdings();
        let seeds = 1 + random.below((1 << graph.nodes) - 1);
        let nodes: Vec<Node> = (0..graph.nodes).filter(|node| seeds >> node & 1 == 1).collect();
        let order = Order::new(&holdings);
        let closed = holdings.ownerless(&order);
        let least = holdings.look_through(&order, &nodes, Side::Least);
        for (node, want) in parts(&graph, seeds, |tie| tie.lo).into_iter().enumerate() {
            assert!((least[node] - want).abs() < 1e-7, "{node}: {least:?} {want} {nodes:?} {graph:?}");
            let company = u32::try_from(node).unwrap();
            if closed.iter().flatten().any(|&member| member == company) {
                continue;
            }
            let through = holdings.look_through_to(&nodes, company).unwrap();
            assert!((through.least.near - want).abs() < 1e-7, "{company} {through:?} {graph:?}");
            if let Some(part) = through.least.exact {
                exact += 1;
                assert!((part.to_f64() - want).abs() < 1e-7, "{company} {through:?} {graph:?}");
            }
            assert!(through.most.near >= through.least.near - 1e-9);
            if through.tight {
                let most = parts(&graph, seeds, |tie| tie.hi)[node];
                ranges += u32::from(most > want);
                assert!((through.most.near - most).abs() < 1e-7, "{company} {through:?} {most} {graph:?}");
            }
        }
        // From the other end: each owner alone looks through to as much.
        let company = random.below(graph.nodes);
        let everyone =
            if closed.is_empty() { holdings.look_through_by(company, &|_| true) } else { Vec::new() };
        for (owner, through) in holdings.owners(company).into_iter().chain(everyone) {
            let forwards = holdings.look_through_to(&[owner], company).unwrap();
            assert!((through.least.near - forwards.least.near).abs() < 1e-9, "{owner} {company} {graph:?}");
            // Where the most shares cannot all be so at once, both are bounds, and forwards is the closer one.
            let excess = through.most.near - forwards.most.near;
            assert!(excess > -1e-9 && (excess < 1e-9 || !through.tight), "{owner} {company} {graph:?}");
            if let (Some(a), Some(b)) = (through.least.exact, forwards.least.exact) {
                assert_eq!(a, b, "{owner} {company} {graph:?}");
            }
        }
    }
    assert!(exact > 3_000 && ranges > 200, "{exact} exact, {ranges} ranges");
}

#[test]
fn a_line_is_met_exactly_or_it_is_said_to_be_open() {
    let mut builder = ties::kernel::Builder::new(4);
    for (holder, company) in [(0, 1), (1, 2), (2, 3)] {
        builder.tie(holder, company, Share::exact(Fraction::new(1, 3).unwrap()).unwrap()).unwrap();
    }
    let holdings = builder.build();
    let part = holdings.look_through_to(&[0], 3).unwrap().least;
    let line = |strict| Line { at: Fraction::new(1, 27).unwrap(), strict };
    assert_eq!((part.meets(line(false)), part.meets(line(true))), (Some(true), Some(false)));
    let near = ties::kernel::Part { exact: None, ..part };
    assert_eq!(near.meets(line(false)), None);
    assert_eq!(near.meets(Line::at_least(Fraction::percent(STEP))), Some(false));
}
