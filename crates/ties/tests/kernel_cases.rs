//! The shared cases and the generated graphs with their expected figures.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;

use serde_json::Value;
use ties::kernel::{Builder, Certainty, Forest, Holdings, Line, Node, Order, Side, Terms};
use ties::{Fraction, Share};

/// A file of the shared data, or nothing, told aloud, where that data is not at hand.
fn shared(name: &str) -> Option<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/ties").join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            eprintln!("skipped: {} cannot be read: {error}", path.display());
            None
        }
    }
}

struct Case {
    names: Vec<String>,
    holdings: Holdings,
    designated: Vec<Node>,
}

impl Case {
    fn read(case: &Value, terms: Terms) -> Self {
        let mut names: Vec<String> = Vec::new();
        let mut number = |name: &Value| {
            let name = name.as_str().unwrap();
            let place = names.iter().position(|known| known == name).unwrap_or_else(|| {
                names.push(name.to_owned());
                names.len() - 1
            });
            u32::try_from(place).unwrap()
        };
        let mut ties = Vec::new();
        for tie in case["ties"].as_array().unwrap() {
            let share: Share = tie[2].to_string().parse().unwrap();
            ties.push((number(&tie[0]), number(&tie[1]), share));
        }
        let designated = case["designated"].as_array().unwrap().iter().map(&mut number).collect();
        let nodes = u32::try_from(names.len()).unwrap();
        let mut builder = Builder::new(nodes);
        for (holder, company, share) in ties {
            builder.tie(holder, company, share).unwrap();
        }
        for node in 0..nodes {
            builder.terms(node, terms).unwrap();
        }
        Self { names, holdings: builder.build(), designated }
    }

    fn names(&self, nodes: &[Node]) -> Vec<&str> {
        let mut names: Vec<&str> = nodes.iter().map(|&node| self.names[node as usize].as_str()).collect();
        names.sort_unstable();
        names
    }
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().map(|list| list.iter().map(|name| name.as_str().unwrap()).collect()).unwrap_or_default()
}

#[test]
fn the_numeric_cases_come_out_as_written() {
    let Some(bytes) = shared("cases/numeric.json") else { return };
    let file: Value = serde_json::from_slice(&bytes).unwrap();
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 17);
    for raw in cases {
        let id = raw["id"].as_str().unwrap();
        let expect = &raw["expect"];
        let case = Case::read(raw, Terms::default());
        let forest = Forest::new(case.holdings.clone());
        let order = Order::new(&case.holdings);
        for (node, name) in (0..).zip(&case.names) {
            let want = strings(&expect["controls_strict_majority"][name]);
            assert_eq!(case.names(&forest.controlled_by(node)), want, "{id}: {name}");
            let grown = case.holdings.closure(&[node], Line::MAJORITY, Certainty::Certain);
            assert_eq!(case.names(grown.joined()), want, "{id}: {name}");
        }
        let blocked = case.holdings.closure(&case.designated, Line::HALF_OR_MORE, Certainty::Certain);
        assert_eq!(case.names(blocked.joined()), strings(&expect["blocked_aggregate_50"]), "{id}");
        let first = &case.designated[..1];
        let parts = case.holdings.look_through(&order, first, Side::Least);
        let wanted = expect["integrated_percent_from_first_designated"].as_object().unwrap();
        for (node, name) in (0..).zip(&case.names).filter(|(node, _)| !first.contains(node)) {
            let want = wanted.get(name).map_or(0.0, |want| want.as_f64().unwrap());
            let part = parts[node as usize];
            assert!((part * 100.0 - want).abs() < 1e-6, "{id}: {name} {part}");
            let through = case.holdings.look_through_to(first, node).unwrap();
            assert!((through.least.exact.unwrap().to_f64() * 100.0 - want).abs() < 1e-6, "{id}: {name}");
            assert_eq!(through.least, through.most, "{id}: {name}");
        }
    }
}

#[test]
fn own_shares_that_do_not_vote_leave_the_rest_as_the_whole() {
    let Some(bytes) = shared("cases/numeric.json") else { return };
    let file: Value = serde_json::from_slice(&bytes).unwrap();
    let raw = file["cases"].as_array().unwrap().iter().find(|case| case["id"] == "own-shares").unwrap();
    let case = Case::read(raw, Terms { own_shares_vote: false, ..Terms::default() });
    let closure = case.holdings.closure(&case.designated, Line::MAJORITY, Certainty::Certain);
    assert_eq!(case.names(closure.joined()), ["A"]);
    let through = case.holdings.look_through_to(&case.designated, closure.joined()[0]).unwrap();
    assert_eq!(through.least.exact, Fraction::new(35, 60).ok());
}

/// A generated graph: lines of holder, company and hundredths of a percent.
fn generated(name: &str) -> Option<Holdings> {
    let bytes = shared(name)?;
    let mut text = String::new();
    flate2::read::GzDecoder::new(bytes.as_slice()).read_to_string(&mut text).unwrap();
    let ties: Vec<[u32; 3]> = text
        .lines()
        .filter(|line| line.starts_with(|first: char| first.is_ascii_digit()))
        .map(|line| {
            let numbers: Vec<u32> = line.split(',').map(|number| number.parse().unwrap()).collect();
            numbers.try_into().unwrap()
        })
        .collect();
    let nodes = ties.iter().map(|tie| tie[0].max(tie[1]) + 1).max().unwrap();
    let mut builder = Builder::new(nodes);
    for [holder, company, points] in ties {
        builder.tie(holder, company, Share::exact(Fraction::basis_points(points)).unwrap()).unwrap();
    }
    Some(builder.build())
}

/// A pair as the checksum of the figures mixes it.
fn mixed((controller, company): (Node, Node)) -> u64 {
    let key = (u64::from(controller) << 32 | u64::from(company)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (key ^ (key >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

/// The 500 nodes that the figures begin from: the high half of a linear congruence.
fn seeds(nodes: u32) -> Vec<Node> {
    let mut state: u64 = 12_345;
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((state >> 33) % u64::from(nodes)).unwrap()
    };
    (0..500).map(|_| draw()).collect()
}

#[test]
fn the_generated_graphs_have_the_expected_figures() {
    let Some(expected) = shared("generated/expected.json") else { return };
    let expected: BTreeMap<String, Value> = serde_json::from_slice(&expected).unwrap();
    for (name, want) in &expected {
        let holdings = generated(&format!("generated/{name}.gz")).unwrap();
        assert_eq!(Some(holdings.ties() as u64), want["ties"].as_u64(), "{name}");
        let forest = Forest::new(holdings.clone());
        let pairs = want["control_pairs_strict_majority"].as_u64();
        assert_eq!(Some(forest.pairs_count()), pairs, "{name}");
        let mut from_each: Vec<(Node, Node)> = Vec::new();
        for node in 0..holdings.nodes() {
            let closure = holdings.closure(&[node], Line::MAJORITY, Certainty::Certain);
            from_each.extend(closure.joined().iter().map(|&company| (node, company)));
        }
        let mut listed: Vec<(Node, Node)> = forest.pairs().collect();
        let checksum = listed.iter().fold(0, |sum, &pair| sum ^ mixed(pair));
        assert_eq!(
            Some(format!("{checksum:016x}").as_str()),
            want["control_pairs_checksum"].as_str(),
            "{name}"
        );
        let seeds = seeds(holdings.nodes());
        let blocked = holdings.closure(&seeds, Line::HALF_OR_MORE, Certainty::Certain).joined().len() as u64;
        assert_eq!(Some(blocked), want["newly_blocked_aggregate_50_from_500_seeded"].as_u64(), "{name}");
        let sum: f64 = holdings.look_through(&Order::new(&holdings), &seeds, Side::Least).iter().sum();
        let told = want["integrated_ownership_sum_from_500_seeded"].as_f64().unwrap();
        assert!((sum - told).abs() < 1e-6, "{name}: {sum} {told}");
        from_each.sort_unstable();
        listed.sort_unstable();
        assert_eq!(listed, from_each, "{name}");
    }
}

#[test]
fn every_pair_of_the_small_generated_graph_is_as_listed() {
    let (Some(holdings), Some(list)) =
        (generated("generated/o10000.csv.gz"), shared("generated/o10000.control_pairs.csv"))
    else {
        return;
    };
    let mut want: Vec<(Node, Node)> = String::from_utf8(list)
        .unwrap()
        .lines()
        .filter_map(|line| line.split_once(','))
        .filter_map(|(holder, company)| Some((holder.parse().ok()?, company.parse().ok()?)))
        .collect();
    let mut got: Vec<(Node, Node)> = Forest::new(holdings).pairs().collect();
    want.sort_unstable();
    got.sort_unstable();
    assert_eq!(got.len(), 3242);
    assert_eq!(got, want);
}
