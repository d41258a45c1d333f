//! Graphs for tests, and what every picture is held to, whatever the graph.

use super::fold::{Folded, fold};
use super::input::{Edge, Graph, Node, NodeKind};
use super::layout::{BOX_HEIGHT, BOX_WIDTH, LABEL_LINE, Layout, layout};
use super::opened::Opened;
use super::{Effort, draw};

/// A line that says how much is held.
pub(super) fn stake(from: usize, to: usize, share: u32) -> Edge {
    Edge {
        from,
        to,
        labels: vec![format!("{} %", share / 100)],
        is_holding: true,
        truth: ties::Truth::Certain,
        share,
        matters: false,
        href: "/y".to_owned(),
    }
}

fn add(graph: &mut Graph, level: i32) -> usize {
    let number = graph.nodes.len();
    let name = format!("Company number {number} Limited");
    let node = Node {
        countries: vec![format!("C{}", number % 12)],
        href: "/x".to_owned(),
        ..Node::of(format!("c{number}"), name, NodeKind::Organisation, level)
    };
    graph.nodes.push(node);
    number
}

fn focus() -> Graph {
    let node = Node::of("middle".to_owned(), "middle".to_owned(), NodeKind::Focus, 0);
    Graph { nodes: vec![node], edges: Vec::new() }
}

/// So many hanging on one, half of them above.
pub(super) fn star(count: usize) -> Graph {
    let mut graph = focus();
    for number in 1..=count {
        let is_above = number % 2 == 0;
        let other = add(&mut graph, if is_above { -1 } else { 1 });
        let (from, to) = if is_above { (other, 0) } else { (0, other) };
        graph.edges.push(stake(from, to, 4_900));
    }
    graph
}

/// A group as it comes: chains of owners, subsidiaries of subsidiaries, co-owners, directors, cross-holdings; a party of
/// concern four steps above, with the way to it on which the decision rests. The same for the same number.
pub(super) fn group(count: usize) -> Graph {
    let mut graph = focus();
    let mut chance = 7_u64;
    let mut below = |most: usize| {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(chance >> 33).unwrap() % most.max(1)
    };
    let mut last = 0;
    for level in 1..=4_i32 {
        let owner = add(&mut graph, -level);
        graph.edges.push(Edge { matters: true, ..stake(owner, last, 5_100) });
        last = owner;
    }
    graph.nodes[last].kind = NodeKind::Concern;
    while graph.nodes.len() < count {
        let on = below(graph.nodes.len().min(40));
        let level = graph.nodes[on].level;
        let is_above = if level == 0 { below(2) == 0 } else { (level < 0) == (below(4) > 0) };
        let other = add(&mut graph, if is_above { level - 1 } else { level + 1 });
        let (from, to) = if is_above { (other, on) } else { (on, other) };
        graph.edges.push(stake(from, to, u32::try_from(below(10_000)).unwrap()));
        if below(3) == 0 {
            // A second tie to anybody: across, up, or past several rows.
            let labels = ["supplies", "lends to", "appoints 2 of 5 directors", "licenses"];
            let far = below(graph.nodes.len() - 1);
            let labels = labels.iter().take(1 + below(4)).map(|&text| text.to_owned()).collect();
            graph.edges.push(Edge { labels, is_holding: false, ..stake(other, far, 0) });
        }
    }
    graph
}

/// Everybody with everybody, and the decision rests on all of it: the worst that can come.
pub(super) fn thicket(count: usize) -> Graph {
    let mut graph = focus();
    for number in 1..count {
        add(&mut graph, i32::try_from(number % 7).unwrap() - 3);
    }
    for from in 0..count {
        for to in (0..count).filter(|to| *to != from) {
            graph.edges.push(Edge { matters: true, ..stake(from, to, 100) });
        }
    }
    graph
}

pub(super) fn link(opened: &Opened) -> String {
    format!("/m?{opened:?}")
}

/// Folds and lays out a graph, and says how much was looked at.
pub(super) fn drawn(graph: &Graph, opened: &Opened) -> (Folded, Layout, usize) {
    let mut effort = Effort::default();
    let folded = fold(graph, opened, &link, &mut effort);
    let places = layout(&folded.graph, &mut effort);
    (folded, places, effort.0)
}

type Rectangle = (i32, i32, i32, i32);

fn meet(a: Rectangle, b: Rectangle) -> bool {
    a.0 < b.2 && b.0 < a.2 && a.1 < b.3 && b.1 < a.3
}

/// No two boxes meet, no words lie on boxes or words, no line runs through a box, and nothing lies outside.
fn assert_is_legible(folded: &Folded, layout: &Layout, what: &str) {
    let boxes: Vec<Rectangle> =
        layout.places.iter().map(|(x, y)| (*x, *y, x + BOX_WIDTH, y + BOX_HEIGHT)).collect();
    let words: Vec<Rectangle> = layout
        .lines
        .iter()
        .filter_map(|line| line.words.as_ref())
        .map(|words| {
            let widest = words.lines.iter().map(|text| crate::svg::width_of(text, 12)).max().unwrap() / 2;
            let height = i32::try_from(words.lines.len()).unwrap() * LABEL_LINE;
            (words.x - widest, words.top, words.x + widest, words.top + height)
        })
        .collect();
    let all: Vec<Rectangle> = boxes.iter().chain(&words).copied().collect();
    for (number, a) in all.iter().enumerate() {
        assert!(
            a.0 >= 0 && a.1 >= 0 && a.2 <= layout.width && a.3 <= layout.height,
            "{what}: {a:?} lies outside"
        );
        for b in &all[number + 1..] {
            assert!(!meet(*a, *b), "{what}: {a:?} and {b:?} meet");
        }
    }
    for (edge, line) in folded.graph.edges.iter().zip(&layout.lines) {
        for pair in line.points.windows(2) {
            // A bend lies within what its ends span: it begins and ends upright.
            let (x, y) = ((pair[0].x, pair[1].x), (pair[0].y, pair[1].y));
            let way = (x.0.min(x.1), y.0.min(y.1), x.0.max(x.1) + 1, y.0.max(y.1));
            for (number, a) in boxes.iter().enumerate() {
                let is_end = number == edge.from || number == edge.to;
                assert!(is_end || !meet(way, *a), "{what}: the line {edge:?} runs through {a:?}");
            }
        }
    }
}

#[test]
fn every_picture_can_be_read_and_costs_what_its_ties_are() {
    for count in [10, 60, 300, 5_000] {
        for (kind, graph) in
            [("a star", star(count - 1)), ("a group", group(count)), ("a thicket", thicket(count.min(90)))]
        {
            let (folded, layout, effort) = drawn(&graph, &Opened::default());
            let what = format!("{kind} of {count}");
            assert_is_legible(&folded, &layout, &what);
            let stand_for: usize = folded.graph.nodes.iter().map(|node| node.stands_for).sum();
            assert_eq!(stand_for, graph.nodes.len(), "{what}: nobody is lost");
            // A few looks at each box and line, and as many at what is drawn as that is large.
            let bound = 8 * (graph.nodes.len() + graph.edges.len()) + 60_000;
            assert!(effort <= bound, "{what}: {effort} steps");
            let picture = draw::draw(&folded.graph, &layout, "ties", "in words");
            let most = if kind == "a thicket" { 75_000 } else { 45_000 };
            assert!(picture.markup().len() < most, "{what}: {} bytes", picture.markup().len());
        }
    }
}

#[test]
fn what_the_decision_rests_on_is_drawn_whole() {
    for count in [10, 60, 300, 5_000] {
        let graph = group(count);
        let (folded, layout, _) = drawn(&graph, &Opened::default());
        let deciding: Vec<_> =
            folded.graph.edges.iter().zip(&layout.lines).filter(|(edge, _)| edge.matters).collect();
        assert_eq!(deciding.len(), 4);
        for (edge, line) in deciding {
            assert!(
                folded.graph.nodes[edge.from].kind != NodeKind::Cluster,
                "{count}: every box of it stands alone"
            );
            assert!(line.words.is_some(), "{count}: its words are there");
        }
        assert!(folded.graph.nodes.iter().any(|node| node.kind == NodeKind::Concern));
    }
}

#[test]
fn every_one_can_be_reached_by_opening() {
    let graph = star(120);
    let (folded, _, _) = drawn(&graph, &Opened::default());
    let cluster =
        folded.graph.nodes.iter().find(|node| node.kind == NodeKind::Cluster && node.level > 0).unwrap();
    assert_eq!((cluster.name.as_str(), cluster.note.as_str()), ("56 more", "6 countries"));
    let mut seen = std::collections::BTreeSet::new();
    let mut from = 0;
    for round in 0.. {
        assert!(round < 20, "it comes to an end");
        let opened = Opened::parse([format!("{from}.below.middle").as_str()].into_iter());
        let (folded, layout, _) = drawn(&graph, &opened);
        assert_is_legible(&folded, &layout, "opened");
        seen.extend(
            folded
                .graph
                .nodes
                .iter()
                .filter(|node| node.level == 1 && node.stands_for == 1)
                .map(|node| node.id.clone()),
        );
        let window = &folded.windows[0];
        assert_eq!((window.first, window.of), (from + 1, 60));
        from = window.last;
        if from == 60 {
            break;
        }
    }
    assert_eq!(seen.len(), 60);
}

#[test]
fn names_stay_text() {
    let mut graph = star(2);
    graph.nodes[1].name = "<script>alert(1)</script>".to_owned();
    graph.edges[0].labels = vec!["\"><img src=x>".to_owned()];
    let (folded, layout, _) = drawn(&graph, &Opened::default());
    let picture = draw::draw(&folded.graph, &layout, "t", "d");
    assert!(!picture.markup().contains("<script") && !picture.markup().contains("<img"));
}

#[test]
fn owners_are_above_and_holdings_below() {
    for count in [1, 5, 30] {
        let (folded, layout, _) = drawn(&star(count), &Opened::default());
        for (number, node) in folded.graph.nodes.iter().enumerate().skip(1) {
            let is_above = layout.places[number].1 < layout.places[0].1;
            assert_eq!(is_above, node.level < 0, "{}", node.name);
        }
    }
}

#[test]
fn neighbours_are_moved_to_each_other() {
    let mut graph = star(4);
    // Company 2 and 4 are above. Let 2 hold something far to the right, and 4 something far to the left.
    let (left, right) = (1, 3);
    graph.edges.push(stake(4, left, 100));
    graph.edges.push(stake(2, right, 100));
    let (folded, layout, _) = drawn(&graph, &Opened::default());
    let x = |id: &str| {
        let place = folded.graph.nodes.iter().position(|node| node.id == id).unwrap();
        layout.places[place].0
    };
    assert_eq!(x("c4") < x("c2"), x("c1") < x("c3"), "lines do not cross without need");
}
