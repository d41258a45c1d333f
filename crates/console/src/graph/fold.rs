//! Folding: of many boxes, those that matter stay, and the others are put together.
//!
//! From the middle outwards every box hangs on one that is nearer to it: a tree, whose ways run along ties that the decision
//! rests on where they can. What always stays: whom the picture is about, the ends of the ties that the decision rests on,
//! parties of concern, and the ways from all of them to the middle. Of whatever else hangs on a box on one side, the few
//! with the largest parts stay while there is room, nearest first, and the others are one box with all that hangs on them:
//! "37 more, 12 countries". That box is a link that opens it, some at a time. The table beside the picture has all of it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Effort;
use super::input::{Edge, Graph, Node, NodeKind};
use super::opened::{Opened, Side};

/// How many boxes there is room for beside those that stay in any case, and how many more if somebody opened something.
const ROOM: usize = 28;
const ROOM_OPENED: usize = 20;
/// Of how many that hang on one box on one side all are shown, and how many of more.
const SIBLINGS_WHOLE: usize = 5;
const SIBLINGS_MAX: usize = 4;
/// How many are shown at a time where somebody opened it, and in any case, however little room there is.
const WINDOW_MAX: usize = 20;
const WINDOW_MIN: usize = 5;
/// How many steps away from what stays others are shown, unless somebody opened what they hang on: a chain of owners who
/// decide nothing is not the picture.
const DEPTH_MAX: usize = 3;
/// How many boxes stay because the decision rests on their ties, and how many more because they are parties of concern.
const DECIDING_MAX: usize = 40;
const CONCERN_MAX: usize = 10;
/// How many lines are drawn: those that matter, those that a box hangs on, then the largest parts.
const LINES_MAX: usize = 90;

/// What is left to draw.
pub(crate) struct Folded {
    pub(crate) graph: Graph,
    /// How many ties between what is drawn have no line.
    pub(crate) lines_left_out: usize,
    /// What somebody opened.
    pub(crate) windows: Vec<Window>,
}

/// A side of a box that somebody opened: what of it is shown, counted from 1, and the link that folds it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) first: usize,
    pub(crate) last: usize,
    pub(crate) of: usize,
    pub(crate) side: Side,
    pub(crate) name: String,
    pub(crate) href: String,
}

/// The same graph with few enough boxes to be read. `link` makes the link to the page with something open.
pub(crate) fn fold(
    graph: &Graph,
    opened: &Opened,
    link: &dyn Fn(&Opened) -> String,
    effort: &mut Effort,
) -> Folded {
    let tree = Tree::of(graph, effort);
    let kept = tree.kept(graph, opened);
    let room = ROOM + if opened.is_empty() { 0 } else { ROOM_OPENED };
    let mut drawing = Drawing {
        graph,
        tree: &tree,
        opened,
        link,
        new_place: vec![None; graph.nodes.len()],
        nodes: Vec::new(),
        windows: Vec::new(),
        room: signed(room) - kept.iter().map(|place| tree.cost(*place)).sum::<isize>(),
    };
    drawing.show(&kept, effort);
    let Drawing { new_place, nodes, windows, .. } = drawing;
    let (edges, lines_left_out) = joined(graph, &tree, &new_place, &nodes, effort);
    Folded { graph: Graph { nodes, edges }, lines_left_out, windows }
}

/// What hangs on what.
struct Tree {
    /// The box that each hangs on; its own place for the middle.
    on: Vec<usize>,
    /// From the middle outwards.
    order: Vec<usize>,
    /// For each box what hangs on it, by side, the largest part first.
    families: Vec<BTreeMap<Side, Vec<usize>>>,
    /// How many boxes each is with all that hangs on it.
    size: Vec<usize>,
}

impl Tree {
    fn of(graph: &Graph, effort: &mut Effort) -> Self {
        let count = graph.nodes.len();
        let mut neighbours = vec![Vec::new(); count];
        for edge in &graph.edges {
            effort.step();
            neighbours[edge.from].push((edge.to, edge));
            neighbours[edge.to].push((edge.from, edge));
        }
        let mut tree = Self {
            on: vec![usize::MAX; count],
            order: vec![0],
            families: vec![BTreeMap::new(); count],
            size: vec![1; count],
        };
        tree.on[0] = 0;
        tree.reach(0, &neighbours, |edge| edge.matters, effort);
        tree.reach(0, &neighbours, |_| true, effort);
        for place in 0..count {
            if tree.on[place] == usize::MAX {
                // Nothing leads there: it hangs on the middle.
                tree.on[place] = 0;
                tree.order.push(place);
                tree.reach(tree.order.len() - 1, &neighbours, |_| true, effort);
            }
        }
        tree.families(graph, &neighbours, effort);
        tree
    }

    /// Goes on from what was reached, from a place in that order on, along some of the lines.
    fn reach(
        &mut self,
        from: usize,
        neighbours: &[Vec<(usize, &Edge)>],
        along: impl Fn(&Edge) -> bool,
        effort: &mut Effort,
    ) {
        let mut next = from;
        while let Some(&place) = self.order.get(next) {
            for (other, edge) in &neighbours[place] {
                effort.step();
                if self.on[*other] == usize::MAX && along(edge) {
                    self.on[*other] = place;
                    self.order.push(*other);
                }
            }
            next += 1;
        }
    }

    fn families(&mut self, graph: &Graph, neighbours: &[Vec<(usize, &Edge)>], effort: &mut Effort) {
        for &place in self.order.iter().skip(1).rev() {
            self.size[self.on[place]] += self.size[place];
        }
        let mut share = vec![0; self.on.len()];
        for &place in self.order.iter().skip(1) {
            let on = self.on[place];
            let to_it = neighbours[place].iter().filter(|(other, _)| *other == on);
            share[place] = to_it.map(|(_, edge)| edge.share).max().unwrap_or(0);
            effort.take(neighbours[place].len());
            let side = Side::of(graph.nodes[place].level, graph.nodes[on].level);
            self.families[on].entry(side).or_default().push(place);
        }
        for family in self.families.iter_mut().flat_map(BTreeMap::values_mut) {
            effort.take(family.len());
            family.sort_by_key(|place| (Reverse((share[*place], self.size[*place])), *place));
        }
    }

    /// The room that a box takes: its own, and a box for what hangs on each of its sides.
    fn cost(&self, place: usize) -> isize {
        signed(1 + self.families[place].len())
    }

    /// Adds a box and the way from it to the middle, if that makes no more than so many.
    fn keep(&self, kept: &mut BTreeSet<usize>, place: usize, most: usize) {
        let mut way = Vec::new();
        let mut at = place;
        while !kept.contains(&at) {
            way.push(at);
            at = self.on[at];
        }
        if kept.len() + way.len() <= most {
            kept.extend(way);
        }
    }

    /// What stays in any case.
    fn kept(&self, graph: &Graph, opened: &Opened) -> BTreeSet<usize> {
        let mut kept = BTreeSet::from([0]);
        let deciding: BTreeSet<usize> =
            graph.edges.iter().filter(|edge| edge.matters).flat_map(|edge| [edge.from, edge.to]).collect();
        for place in self.order.iter().filter(|place| deciding.contains(place)) {
            self.keep(&mut kept, *place, DECIDING_MAX);
        }
        let most = kept.len() + CONCERN_MAX;
        for place in self.order.iter().filter(|place| graph.nodes[**place].kind == NodeKind::Concern) {
            self.keep(&mut kept, *place, most);
        }
        // What is open is opened, even if there is no room for what it hangs on.
        for place in self.order.iter().filter(|place| opened.hangs_on(&graph.nodes[**place].id)) {
            self.keep(&mut kept, *place, usize::MAX);
        }
        kept
    }
}

/// Boxes on their way into the picture.
struct Drawing<'g> {
    graph: &'g Graph,
    tree: &'g Tree,
    opened: &'g Opened,
    link: &'g dyn Fn(&Opened) -> String,
    new_place: Vec<Option<usize>>,
    nodes: Vec<Node>,
    windows: Vec<Window>,
    room: isize,
}

impl Drawing<'_> {
    fn show(&mut self, kept: &BTreeSet<usize>, effort: &mut Effort) {
        self.put(0);
        let mut open = VecDeque::from([(0, 0)]);
        while let Some((place, depth)) = open.pop_front() {
            for (side, family) in &self.tree.families[place] {
                effort.take(family.len());
                let (always, others): (Vec<usize>, Vec<usize>) =
                    family.iter().partition(|place| kept.contains(place));
                // The room that was kept for what is folded here is to be given away again.
                self.room += 1;
                let from = self.opened.from(*side, &self.graph.nodes[place].id);
                let is_one = matches!(others.as_slice(), [only] if self.tree.size[*only] == 1);
                let is_far = depth >= DEPTH_MAX && from.is_none() && !is_one;
                let (shown, folded) =
                    if is_far { (Vec::new(), others.clone()) } else { self.choose(&others, from) };
                for one in &always {
                    self.put(*one);
                    open.push_back((*one, 0));
                }
                for one in &shown {
                    self.put(*one);
                    open.push_back((*one, if from.is_some() { 1 } else { depth + 1 }));
                }
                if !folded.is_empty() {
                    self.room -= 1;
                    let next = from.map(|from| from.min(others.len()) + shown.len());
                    let next = next.map_or(Some(0), |next| Some(next).filter(|next| *next < others.len()));
                    self.put_together(place, *side, &folded, next, effort);
                }
                if let Some(from) = from.filter(|_| !shown.is_empty()) {
                    self.windows.push(Window {
                        first: from + 1,
                        last: from + shown.len(),
                        of: others.len(),
                        side: *side,
                        name: self.graph.nodes[place].name.clone(),
                        href: (self.link)(&self.opened.with(*side, &self.graph.nodes[place].id, None)),
                    });
                }
            }
        }
    }

    fn put(&mut self, place: usize) {
        self.new_place[place] = Some(self.nodes.len());
        self.nodes.push(self.graph.nodes[place].clone());
    }

    /// Which of a family are shown, and which are folded.
    fn choose(&mut self, family: &[usize], from: Option<usize>) -> (Vec<usize>, Vec<usize>) {
        let (least, most) = match from {
            Some(_) => (WINDOW_MIN, WINDOW_MAX),
            None if family.len() <= SIBLINGS_WHOLE => (0, SIBLINGS_WHOLE),
            None => (0, SIBLINGS_MAX),
        };
        let (mut shown, mut folded) = (Vec::new(), Vec::new());
        for (number, place) in family.iter().enumerate() {
            let is_next = number == from.unwrap_or(0) + shown.len();
            // A box for the others, unless this is the last of them.
            let others = isize::from(!folded.is_empty() || number + 1 < family.len());
            let fits = self.tree.cost(*place) + others <= self.room || shown.len() < least;
            if is_next && shown.len() < most && fits {
                self.room -= self.tree.cost(*place);
                shown.push(*place);
            } else {
                folded.push(*place);
            }
        }
        if let [only] = folded.as_slice() {
            // One alone is no more to read than what would stand for it.
            if self.tree.size[*only] == 1 && from.is_none() {
                self.room -= 1;
                shown.push(*only);
                folded.clear();
            }
        }
        (shown, folded)
    }

    /// One box for several of a family with all that hangs on them.
    fn put_together(
        &mut self,
        on: usize,
        side: Side,
        family: &[usize],
        next: Option<usize>,
        effort: &mut Effort,
    ) {
        let place = self.nodes.len();
        let (mut countries, mut concern, mut stands_for) = (BTreeSet::new(), 0, 0);
        let mut open = family.to_vec();
        while let Some(one) = open.pop() {
            effort.step();
            let node = &self.graph.nodes[one];
            self.new_place[one] = Some(place);
            countries.extend(node.countries.iter().cloned());
            concern += usize::from(node.kind == NodeKind::Concern);
            stands_for += 1;
            open.extend(self.tree.families[one].values().flatten());
        }
        let mut note = Vec::new();
        if concern > 0 {
            note.push(format!("{concern} of concern"));
        }
        match countries.len() {
            0 => {}
            1..=3 => note.push(countries.iter().cloned().collect::<Vec<_>>().join(", ")),
            count => note.push(format!("{count} countries")),
        }
        if stands_for > family.len() {
            note.push(format!("{} behind", stands_for - family.len()));
        }
        let of = &self.graph.nodes[on];
        self.nodes.push(Node {
            note: note.join(" · "),
            countries: countries.into_iter().collect(),
            href: (self.link)(&self.opened.with(side, &of.id, next)),
            stands_for,
            hangs_on: self.new_place[on],
            ..Node::of(
                of.id.clone(),
                format!("{} more", family.len()),
                NodeKind::Cluster,
                of.level + side.step(),
            )
        });
    }
}

/// The lines between boxes as they are now, and how many have no place. What was put together has a line to what it hangs
/// on, and such as the decision rests on.
fn joined(
    graph: &Graph,
    tree: &Tree,
    new_place: &[Option<usize>],
    nodes: &[Node],
    effort: &mut Effort,
) -> (Vec<Edge>, usize) {
    let mut left_out = 0;
    // With each line: whether a box hangs on it, and how many ties it is.
    let mut edges: BTreeMap<(usize, usize), (Edge, bool, usize)> = BTreeMap::new();
    for edge in &graph.edges {
        effort.step();
        let (Some(from), Some(to)) = (new_place[edge.from], new_place[edge.to]) else { continue };
        if from == to {
            continue;
        }
        let hangs_on = |one: usize, other: usize| {
            nodes[one].kind != NodeKind::Cluster || nodes[one].hangs_on == Some(other)
        };
        if !(edge.matters || hangs_on(from, to) && hangs_on(to, from)) {
            left_out += 1;
            continue;
        }
        let hangs = tree.on[edge.from] == edge.to || tree.on[edge.to] == edge.from;
        let moved = Edge { from, to, ..edge.clone() };
        let entry = edges.entry((from, to)).or_insert((moved, hangs, 0));
        entry.0.truth = entry.0.truth.max(edge.truth);
        entry.0.is_holding |= edge.is_holding;
        entry.0.matters |= edge.matters;
        entry.0.share = entry.0.share.max(edge.share);
        entry.1 |= hangs;
        entry.2 += 1;
    }
    let mut shown: Vec<(Edge, bool, usize)> = edges.into_values().collect();
    shown.sort_by_key(|(edge, hangs, _)| (!edge.matters, !hangs, Reverse(edge.share), edge.from, edge.to));
    left_out += shown.iter().skip(LINES_MAX).map(|(_, _, count)| count).sum::<usize>();
    shown.truncate(LINES_MAX);
    let told = shown.into_iter().map(|(mut edge, _, count)| {
        let cluster = [edge.from, edge.to].into_iter().find(|place| nodes[*place].kind == NodeKind::Cluster);
        if let Some(cluster) = cluster {
            if count > 1 {
                edge.labels = vec![format!("{count} ties")];
            }
            edge.href.clone_from(&nodes[cluster].href);
        }
        edge
    });
    (told.collect(), left_out)
}

fn signed(count: usize) -> isize {
    isize::try_from(count).unwrap_or(isize::MAX)
}
