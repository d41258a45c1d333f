//! Folding: of many boxes, those that matter stay, and the others are put together.
//!
//! What stays: whom the picture is about, parties of concern, the ends of ties that the decision rests on, and a shortest
//! way from each of them to the middle. Then, nearest first, as many others as there is room for. What is left is put
//! together by what it hangs on: "41 more above Acme". The table beside the picture has all of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::input::{Edge, Graph, Node, NodeKind};

/// The same graph with at most about so many boxes.
pub(crate) fn fold(graph: Graph, boxes_max: usize) -> Graph {
    if graph.nodes.len() <= boxes_max {
        return graph;
    }
    let neighbours = neighbours(&graph);
    let (near, towards) = nearest_first(&neighbours, graph.nodes.len());
    // Clusters need room too: about a fourth of it.
    let room = boxes_max - boxes_max / 4;
    let mut kept = important(&graph, &towards, room);
    for place in near {
        if kept.len() >= room {
            break;
        }
        kept.insert(place);
    }
    put_together(&graph, &kept, &neighbours)
}

fn neighbours(graph: &Graph) -> Vec<Vec<usize>> {
    let mut neighbours = vec![Vec::new(); graph.nodes.len()];
    for edge in &graph.edges {
        neighbours[edge.from].push(edge.to);
        neighbours[edge.to].push(edge.from);
    }
    neighbours
}

/// The boxes from the middle outwards, and for each the one that is a step nearer.
fn nearest_first(neighbours: &[Vec<usize>], count: usize) -> (Vec<usize>, Vec<usize>) {
    let mut towards = vec![usize::MAX; count];
    let mut order = Vec::with_capacity(count);
    let mut open = VecDeque::from([0]);
    towards[0] = 0;
    while let Some(place) = open.pop_front() {
        order.push(place);
        for &next in &neighbours[place] {
            if towards[next] == usize::MAX {
                towards[next] = place;
                open.push_back(next);
            }
        }
    }
    (order, towards)
}

/// What stays in any case, as far as there is room.
fn important(graph: &Graph, towards: &[usize], room: usize) -> BTreeSet<usize> {
    let mut kept = BTreeSet::from([0]);
    let of_ties = graph.edges.iter().filter(|edge| edge.matters).flat_map(|edge| [edge.from, edge.to]);
    let of_concern = graph.nodes.iter().enumerate().filter(|(_, node)| node.kind == NodeKind::Concern);
    for place in of_ties.chain(of_concern.map(|(place, _)| place)) {
        let mut way = Vec::new();
        let mut at = place;
        while at != usize::MAX && !kept.contains(&at) {
            way.push(at);
            at = towards[at];
        }
        if kept.len() + way.len() <= room {
            kept.extend(way);
        }
    }
    kept
}

/// Puts together what is not kept, by the kept box that it hangs on and the side on which it does.
fn put_together(graph: &Graph, kept: &BTreeSet<usize>, neighbours: &[Vec<usize>]) -> Graph {
    let mut folded = Graph::default();
    let mut new_place: Vec<Option<usize>> = vec![None; graph.nodes.len()];
    for &place in kept {
        new_place[place] = Some(folded.nodes.len());
        folded.nodes.push(graph.nodes[place].clone());
    }
    // Outwards from what is kept: each box belongs to whatever reached it first.
    let mut root: Vec<Option<(usize, i32)>> = vec![None; graph.nodes.len()];
    let mut open: VecDeque<usize> = kept.iter().copied().collect();
    while let Some(place) = open.pop_front() {
        for &next in &neighbours[place] {
            if kept.contains(&next) || root[next].is_some() {
                continue;
            }
            let side = (graph.nodes[next].level - graph.nodes[place].level).signum();
            root[next] = if kept.contains(&place) { Some((place, side)) } else { root[place] };
            open.push_back(next);
        }
    }
    let mut clusters: BTreeMap<(usize, i32), Vec<usize>> = BTreeMap::new();
    for (place, root) in root.iter().enumerate() {
        if let Some(root) = root {
            clusters.entry(*root).or_default().push(place);
        }
    }
    for ((root, side), places) in clusters {
        let of = &graph.nodes[root];
        let level = of.level + if side == 0 { 1 } else { side };
        let place = folded.nodes.len();
        if let [only] = places.as_slice() {
            folded.nodes.push(graph.nodes[*only].clone());
        } else {
            folded.nodes.push(Node {
                name: format!("{} more", places.len()),
                note: format!("{} {}", if side < 0 { "above" } else { "below" }, of.name),
                kind: NodeKind::Cluster,
                level,
                href: "#ties".to_owned(),
            });
        }
        for member in places {
            new_place[member] = Some(place);
        }
    }
    folded.edges = joined(graph, &new_place, &folded.nodes);
    folded
}

/// The lines between boxes as they are now; those of a cluster are counted and not told.
fn joined(graph: &Graph, new_place: &[Option<usize>], nodes: &[Node]) -> Vec<Edge> {
    let mut edges: BTreeMap<(usize, usize), (Edge, usize)> = BTreeMap::new();
    for edge in &graph.edges {
        let (Some(from), Some(to)) = (new_place[edge.from], new_place[edge.to]) else { continue };
        if from == to {
            continue;
        }
        let moved = Edge { from, to, ..edge.clone() };
        edges
            .entry((from, to))
            .and_modify(|(so_far, count)| {
                so_far.truth = so_far.truth.max(moved.truth);
                so_far.is_holding |= moved.is_holding;
                so_far.matters |= moved.matters;
                *count += 1;
            })
            .or_insert((moved, 1));
    }
    let shown = edges.into_values().map(|(mut edge, count)| {
        let ends = [edge.from, edge.to].map(|place| nodes[place].kind);
        if ends.contains(&NodeKind::Cluster) {
            edge.labels = if count > 1 { vec![format!("{count} ties")] } else { edge.labels };
            "#ties".clone_into(&mut edge.href);
        }
        edge
    });
    shown.collect()
}

/// A graph of `count` boxes hanging on one, for tests.
#[cfg(test)]
pub(super) fn star(count: usize) -> Graph {
    let node =
        |name: String, kind, level| Node { name, note: String::new(), kind, level, href: "/x".to_owned() };
    let mut graph = Graph { nodes: vec![node("middle".to_owned(), NodeKind::Focus, 0)], edges: Vec::new() };
    for number in 1..=count {
        let is_above = number % 2 == 0;
        let level = if is_above { -1 } else { 1 };
        graph.nodes.push(node(format!("company {number}"), NodeKind::Organisation, level));
        let (from, to) = if is_above { (number, 0) } else { (0, number) };
        graph.edges.push(Edge {
            from,
            to,
            labels: vec!["49 %".to_owned()],
            is_holding: true,
            truth: ties::Truth::Certain,
            matters: false,
            href: "/y".to_owned(),
        });
    }
    graph
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_folded_that_can_be_read() {
        let graph = fold(star(20), 36);
        assert_eq!(graph.nodes.len(), 21);
        assert!(graph.nodes.iter().all(|node| node.kind != NodeKind::Cluster));
    }

    #[test]
    fn what_matters_stays_and_the_rest_is_counted() {
        for count in [300, 5_000] {
            let mut graph = star(count);
            graph.edges[count - 1].matters = true;
            graph.nodes[count / 2].kind = NodeKind::Concern;
            let names = [graph.nodes[count].name.clone(), graph.nodes[count / 2].name.clone()];
            let folded = fold(graph, 36);
            assert!(folded.nodes.len() <= 36, "{}", folded.nodes.len());
            for name in names {
                assert!(folded.nodes.iter().any(|node| node.name == name), "{name}");
            }
            let clusters = folded.nodes.iter().filter(|node| node.kind == NodeKind::Cluster);
            let hidden: usize =
                clusters.map(|node| node.name.split(' ').next().unwrap().parse::<usize>().unwrap()).sum();
            let shown = folded.nodes.iter().filter(|node| node.kind != NodeKind::Cluster).count();
            assert_eq!(hidden + shown, count + 1, "nobody is lost");
        }
    }

    #[test]
    fn the_way_to_what_matters_stays_whole() {
        let mut graph = star(100);
        // A chain away from company 7: 7 -> 101 -> 102, and the last is of concern.
        for (from, to) in [(7, 101), (101, 102)] {
            graph.nodes.push(Node { level: to - 99, ..graph.nodes[7].clone() });
            graph.edges.push(Edge { from, to: usize::try_from(to).unwrap(), ..graph.edges[6].clone() });
        }
        graph.nodes[101].name = "between".to_owned();
        graph.nodes[102].kind = NodeKind::Concern;
        let folded = fold(graph, 20);
        assert!(folded.nodes.iter().any(|node| node.name == "between"));
        assert!(folded.nodes.iter().any(|node| node.kind == NodeKind::Concern));
    }
}
