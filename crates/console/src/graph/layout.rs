//! Places for boxes, ways for lines, room for words.
//!
//! The levels come with the graph (owners above, holdings below), and a level with more boxes than fit is several rows. A
//! line that passes rows has a place of its own in each, a *bend*, so that it crosses no box. In each row boxes and bends
//! are sorted by where their neighbours are, a few times down and up: the barycentre method of Sugiyama, Tagawa and Toda
//! (1981). Then each row is moved as near under its neighbours as its order allows.
//!
//! ```text
//!       ┌──────┐   │          row: boxes, and bends beside them
//!       └┬────┬┘   │
//!       51 %  │    │          words of the lines that begin here: lines run straight down
//!         ╲    ╲  ╱           lines cross, words never stand here
//!          │   49 %           words of the lines that end below
//!       ┌──┴──┐┌─┴───┐
//! ```
//!
//! So no two boxes meet, no words lie on a box or on other words, and no line runs through a box, whatever the graph is.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::Effort;
use super::input::{Edge, Graph};
use super::rows::Rows;
use crate::svg::{fitted, width_of};

/// The size of a box, and the room between boxes.
pub(crate) const BOX_WIDTH: i32 = 204;
pub(crate) const BOX_HEIGHT: i32 = 56;
pub(super) const BETWEEN: i32 = 24;
pub(crate) const MARGIN: i32 = 16;
/// Where lines cross, between the words above and below.
const CROSSING: i32 = 46;
/// How far a line between boxes of one row rises above their words.
const ARC: i32 = 26;

/// Words at lines: their size, the height of a line of them, and the room between those of two lines.
pub(crate) const LABEL_SIZE: i32 = 12;
pub(crate) const LABEL_LINE: i32 = 15;
const LABEL_BETWEEN: i32 = 5;
/// How far words stay from their box, so that arrows are seen.
const LABEL_OFF: i32 = 10;
/// How many lines of words a line has.
const LABEL_LINES_MAX: usize = 3;
/// At how many lines on one side of a box words stand. What the decision rests on has its words in any case.
const LABELS_MAX: usize = 3;
/// With up to how many lines on one side of a box the words of each stand at their own line, if they are short.
const BESIDE_MAX: usize = 3;
/// How much of a name stands before words that would else not tell whose they are.
const WHOSE_WIDTH: i32 = 92;

/// Where everything is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The upper left corner of each box.
    pub(crate) places: Vec<(i32, i32)>,
    /// The way of each line.
    pub(crate) lines: Vec<Line>,
    pub(crate) width: i32,
    pub(crate) height: i32,
}

/// The way of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    /// From its beginning to its end: straight down or up where `is_straight`, else curved.
    pub(crate) points: Vec<Point>,
    pub(crate) words: Option<Words>,
}

/// A point on a line's way, and whether the line runs straight to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Point {
    pub(crate) x: i32,
    pub(crate) y: i32,
    pub(crate) is_straight: bool,
}

/// What stands at a line: its middle, its upper edge, and the words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) x: i32,
    pub(crate) top: i32,
    pub(crate) lines: Vec<String>,
}

/// The side of a box at which lines begin and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Face {
    Top,
    Bottom,
}

/// One side of a box: the ends of lines there from left to right, and those of them that have their words there.
#[derive(Default)]
struct Dock {
    /// Where the line goes on to, and the line; its beginning or its end.
    ends: Vec<(i32, usize, bool)>,
    words: Vec<usize>,
    /// Whether each end has a part of the side, and its words stand there; else words stand on each other in the middle.
    is_beside: bool,
}

impl Dock {
    /// How far from the middle of the side an end is.
    fn off(&self, place: usize) -> i32 {
        let (place, count) = (small(place), small(self.ends.len()));
        if self.is_beside || count == 1 {
            return BOX_WIDTH * (2 * place + 1) / (2 * count) - BOX_WIDTH / 2;
        }
        // Within the middle of the side, so that corners stay free.
        let within = (BOX_WIDTH * 7 / 10).min((count - 1) * 40);
        within * place / (count - 1) - within / 2
    }

    fn place(&self, line: usize, is_begin: bool) -> Option<usize> {
        self.ends.iter().position(|end| (end.1, end.2) == (line, is_begin))
    }
}

/// A side of a box.
type Place = (usize, Face);

type Docks = BTreeMap<Place, Dock>;

pub(crate) fn layout(graph: &Graph, effort: &mut Effort) -> Layout {
    let rows = Rows::of(graph, effort);
    let mut docks = docks(graph, &rows);
    let told = choose_words(graph, &mut docks);
    let bands = bands(graph, &rows, &docks, &told);
    let mut layout = Layout { lines: vec![Line::default(); graph.edges.len()], ..Layout::default() };
    for node in 0..graph.nodes.len() {
        layout.places.push((rows.x[node] - BOX_WIDTH / 2, bands[rows.row[node]].top));
    }
    for (number, edge) in graph.edges.iter().enumerate() {
        effort.step();
        let port = |node: usize, is_begin: bool| port(&docks, &rows, node, number, is_begin);
        layout.lines[number].points =
            way(edge, &rows, &bands, number, port(edge.from, true), port(edge.to, false));
    }
    put_words(&mut layout, graph, &rows, &bands, &docks, &told);
    layout.width = rows.width;
    layout.height = bands.last().map_or(0, |band| band.top + BOX_HEIGHT + band.below) + MARGIN;
    layout
}

/// A row from above: the words over its boxes, its boxes, the words under them.
struct Band {
    above: i32,
    top: i32,
    below: i32,
}

/// At which sides of which boxes lines begin and end.
fn docks(graph: &Graph, rows: &Rows) -> Docks {
    let mut docks = Docks::new();
    for (number, edge) in graph.edges.iter().enumerate() {
        let way = &rows.ways[number];
        let next = |place: usize| way.get(place).map(|item| rows.x[*item]);
        let (from, to) = faces(edge, rows);
        let after = next(1).unwrap_or_default();
        let before = way.len().checked_sub(2).and_then(next).unwrap_or_default();
        docks.entry((edge.from, from)).or_default().ends.push((after, number, true));
        docks.entry((edge.to, to)).or_default().ends.push((before, number, false));
    }
    for dock in docks.values_mut() {
        dock.ends.sort_unstable();
    }
    docks
}

fn faces(edge: &Edge, rows: &Rows) -> (Face, Face) {
    match rows.row[edge.from].cmp(&rows.row[edge.to]) {
        std::cmp::Ordering::Less => (Face::Bottom, Face::Top),
        std::cmp::Ordering::Equal => (Face::Top, Face::Top),
        std::cmp::Ordering::Greater => (Face::Top, Face::Bottom),
    }
}

/// Where the end of a line is on its side of a box.
fn port(docks: &Docks, rows: &Rows, node: usize, line: usize, is_begin: bool) -> (i32, Face) {
    for face in [Face::Top, Face::Bottom] {
        let Some(dock) = docks.get(&(node, face)) else { continue };
        if let Some(place) = dock.place(line, is_begin) {
            return (rows.x[node] + dock.off(place), face);
        }
    }
    (rows.x[node], Face::Top)
}

/// Which words stand at which line, and at which of its ends: where fewer lines meet, so that it is plain whose they are.
fn choose_words(graph: &Graph, docks: &mut Docks) -> Vec<Vec<String>> {
    let mut told: Vec<Vec<String>> = vec![Vec::new(); graph.edges.len()];
    let mut order: Vec<usize> =
        (0..graph.edges.len()).filter(|line| !graph.edges[*line].labels.is_empty()).collect();
    order.sort_by_key(|line| (!graph.edges[*line].matters, Reverse(graph.edges[*line].share), *line));
    let mut sides: BTreeMap<usize, Vec<(usize, Place)>> = BTreeMap::new();
    for (key, dock) in docks.iter() {
        for (_, line, _) in &dock.ends {
            sides.entry(*line).or_default().push((dock.ends.len(), *key));
        }
    }
    for line in order {
        let edge = &graph.edges[line];
        let mut ends = sides.remove(&line).unwrap_or_default();
        ends.sort_unstable();
        let free = |key: &(usize, Face)| docks.get(key).is_some_and(|dock| dock.words.len() < LABELS_MAX);
        let mut chosen = ends.iter().map(|(_, key)| *key).find(|key| free(key));
        if chosen.is_none() && edge.matters {
            chosen = ends.first().map(|(_, key)| *key);
        }
        let Some(dock) = chosen.and_then(|key| docks.get_mut(&key)) else { continue };
        dock.words.push(line);
        told[line] = edge.labels.iter().take(LABEL_LINES_MAX).cloned().collect();
        if edge.labels.len() > LABEL_LINES_MAX {
            told[line][LABEL_LINES_MAX - 1] = format!("and {} more", edge.labels.len() - LABEL_LINES_MAX + 1);
        }
    }
    for ((node, _), dock) in docks.iter_mut() {
        // Words stand in the order of their lines, and say whose they are where several stand.
        let place = |line: &usize| dock.ends.iter().position(|end| end.1 == *line);
        dock.words.sort_by_key(place);
        let part = BOX_WIDTH / small(dock.ends.len()) - 2 * LABEL_BETWEEN;
        let is_short = |line: &usize| told[*line].iter().all(|text| width_of(text, LABEL_SIZE) <= part);
        dock.is_beside = dock.ends.len() <= BESIDE_MAX && dock.words.iter().all(is_short);
        for line in dock.words.iter().filter(|_| !dock.is_beside) {
            let edge = &graph.edges[*line];
            if dock.ends.len() == 1 {
                continue;
            }
            let other = if edge.from == *node { edge.to } else { edge.from };
            if let Some(first) = told[*line].first_mut() {
                *first = format!("{}: {first}", fitted(&graph.nodes[other].name, WHOSE_WIDTH, LABEL_SIZE));
            }
        }
    }
    for text in told.iter_mut().flatten() {
        *text = fitted(text, BOX_WIDTH, LABEL_SIZE);
    }
    told
}

/// How high words at one side of a box are together.
fn stack(dock: &Dock, told: &[Vec<String>]) -> i32 {
    let heights = dock.words.iter().map(|line| small(told[*line].len()) * LABEL_LINE + LABEL_BETWEEN);
    if dock.is_beside { heights.max().unwrap_or(0) } else { heights.sum() }
}

fn bands(graph: &Graph, rows: &Rows, docks: &Docks, told: &[Vec<String>]) -> Vec<Band> {
    let mut bands: Vec<Band> = rows.across.iter().map(|_| Band { above: 0, top: 0, below: 0 }).collect();
    for ((node, face), dock) in docks {
        let band = &mut bands[rows.row[*node]];
        let room = match face {
            Face::Top => &mut band.above,
            Face::Bottom => &mut band.below,
        };
        *room = (*room).max(stack(dock, told) + LABEL_OFF);
    }
    // Lines between boxes of the first row rise above it.
    let rises = graph.edges.iter().any(|edge| rows.row[edge.from] == 0 && rows.row[edge.to] == 0);
    let mut at = MARGIN + if rises { ARC } else { 0 };
    for band in &mut bands {
        band.top = at + band.above;
        at = band.top + BOX_HEIGHT + band.below + CROSSING;
    }
    bands
}

/// The points of a line from box to box.
fn way(
    edge: &Edge,
    rows: &Rows,
    bands: &[Band],
    line: usize,
    from: (i32, Face),
    to: (i32, Face),
) -> Vec<Point> {
    let straight = |x, y| Point { x, y, is_straight: true };
    let curved = |x, y| Point { x, y, is_straight: false };
    // The edge of the box, and the edge of its words.
    let end = |node: usize, face: Face| {
        let band = &bands[rows.row[node]];
        match face {
            Face::Top => (band.top, band.top - band.above),
            Face::Bottom => (band.top + BOX_HEIGHT, band.top + BOX_HEIGHT + band.below),
        }
    };
    let (begin, out) = end(edge.from, from.1);
    let (stop, into) = end(edge.to, to.1);
    let mut points = vec![straight(from.0, begin), straight(from.0, out)];
    let is_down = rows.row[edge.from] < rows.row[edge.to];
    let between = rows.ways[line].iter().skip(1).rev().skip(1).rev();
    for bend in between {
        let band = &bands[rows.row[*bend]];
        let (over, under) = (band.top - band.above, band.top + BOX_HEIGHT + band.below);
        let (near, far) = if is_down { (over, under) } else { (under, over) };
        points.push(curved(rows.x[*bend], near));
        points.push(straight(rows.x[*bend], far));
    }
    if rows.row[edge.from] == rows.row[edge.to] {
        points.push(curved(i32::midpoint(from.0, to.0), out - ARC));
    }
    points.push(curved(to.0, into));
    points.push(straight(to.0, stop));
    points
}

fn put_words(
    layout: &mut Layout,
    graph: &Graph,
    rows: &Rows,
    bands: &[Band],
    docks: &Docks,
    told: &[Vec<String>],
) {
    for ((node, face), dock) in docks {
        let band = &bands[rows.row[*node]];
        let height = stack(dock, told) - LABEL_BETWEEN;
        let first = match face {
            Face::Top => band.top - LABEL_OFF - height,
            Face::Bottom => band.top + BOX_HEIGHT + LABEL_OFF,
        };
        let mut top = first;
        for line in &dock.words {
            let is_begin = graph.edges[*line].from == *node;
            let place = dock.place(*line, is_begin).unwrap_or(0);
            let off = if dock.is_beside { dock.off(place) } else { 0 };
            let lines = told[*line].clone();
            let below = top + small(lines.len()) * LABEL_LINE + LABEL_BETWEEN;
            layout.lines[*line].words = Some(Words { x: rows.x[*node] + off, top, lines });
            top = if dock.is_beside { first } else { below };
        }
    }
}

/// A count of lines or words, of which there are some hundreds at most.
pub(super) fn small(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX / 1_000)
}
