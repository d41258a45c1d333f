//! Rows of boxes and bends, their order, and how far each lies to the right.

use std::collections::BTreeMap;

use super::Effort;
use super::input::Graph;
use super::layout::{BETWEEN, BOX_WIDTH, MARGIN, small};

/// How many boxes a row has at most.
const ROW_MAX: usize = 5;
/// How often the rows are sorted, and how often they are moved, down and up.
const SORTINGS: usize = 8;
const MOVES: usize = 10;
/// The room of a line beside boxes.
const BEND_WIDTH: i32 = 12;
const BEND_BETWEEN: i32 = 14;
/// How much more a line that the decision rests on pulls than others: it runs as straight as it can.
const PULL: f64 = 8.0;

/// Boxes, by their numbers, and behind them the bends.
#[derive(Default)]
pub(super) struct Rows {
    /// What each row has, from left to right.
    pub(super) across: Vec<Vec<usize>>,
    /// The row of each box and bend, and how far to the right its middle is.
    pub(super) row: Vec<usize>,
    pub(super) x: Vec<i32>,
    /// For each line the boxes and bends that it passes, from its beginning to its end.
    pub(super) ways: Vec<Vec<usize>>,
    pub(super) width: i32,
    boxes: usize,
    /// Neighbours in the row above and in the row below, and how much they pull.
    above: Vec<Vec<(usize, f64)>>,
    below: Vec<Vec<(usize, f64)>>,
}

impl Rows {
    pub(super) fn of(graph: &Graph, effort: &mut Effort) -> Self {
        let mut rows = Self { boxes: graph.nodes.len(), row: vec![0; graph.nodes.len()], ..Self::default() };
        rows.cut(graph);
        rows.bend(graph, effort);
        for sorting in 0..SORTINGS {
            rows.sort(sorting % 2 == 1, effort);
        }
        rows.place(effort);
        rows
    }

    /// The boxes by level; a long level in several rows.
    fn cut(&mut self, graph: &Graph) {
        let mut levels: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
        for (place, node) in graph.nodes.iter().enumerate() {
            levels.entry(node.level).or_default().push(place);
        }
        for level in levels.into_values() {
            let rows = level.len().div_ceil(ROW_MAX).max(1);
            self.across.extend(level.chunks(level.len().div_ceil(rows)).map(<[usize]>::to_vec));
        }
        for (number, row) in self.across.iter().enumerate() {
            for place in row {
                self.row[*place] = number;
            }
        }
    }

    /// A bend for each row that a line passes.
    fn bend(&mut self, graph: &Graph, effort: &mut Effort) {
        self.above = vec![Vec::new(); self.boxes];
        self.below = vec![Vec::new(); self.boxes];
        for edge in &graph.edges {
            let is_down = self.row[edge.from] <= self.row[edge.to];
            let (upper, lower) = if is_down { (edge.from, edge.to) } else { (edge.to, edge.from) };
            let mut way = vec![upper];
            for row in self.row[upper] + 1..self.row[lower] {
                effort.step();
                let bend = self.row.len();
                self.row.push(row);
                self.above.push(Vec::new());
                self.below.push(Vec::new());
                self.across[row].push(bend);
                way.push(bend);
            }
            way.push(lower);
            if self.row[upper] != self.row[lower] {
                let pull = if edge.matters { PULL } else { 1.0 };
                for pair in way.windows(2) {
                    // Between two bends a line is straight before anything else is.
                    let bends = pair.iter().filter(|item| **item >= self.boxes).count();
                    let pull = pull * [1.0, 2.0, 4.0][bends];
                    self.below[pair[0]].push((pair[1], pull));
                    self.above[pair[1]].push((pair[0], pull));
                }
            }
            if !is_down {
                way.reverse();
            }
            self.ways.push(way);
        }
    }

    /// Sorts each row by the mean place of its neighbours in the row that was sorted before it.
    fn sort(&mut self, upwards: bool, effort: &mut Effort) {
        let mut at = vec![0.0; self.row.len()];
        for row in &self.across {
            note(&mut at, row);
        }
        let order: Vec<usize> =
            if upwards { (0..self.across.len()).rev().collect() } else { (0..self.across.len()).collect() };
        for number in order {
            let neighbours = if upwards { &self.below } else { &self.above };
            let mean = |item: usize| {
                let beside = &neighbours[item];
                let pull: f64 = beside.iter().map(|(_, pull)| pull).sum();
                if pull == 0.0 {
                    return at[item];
                }
                beside.iter().map(|(other, pull)| at[*other] * pull).sum::<f64>() / pull
            };
            let row = &self.across[number];
            effort.take(row.iter().map(|item| 1 + neighbours[*item].len()).sum());
            let mut keyed: Vec<(f64, usize)> = row.iter().map(|item| (mean(*item), *item)).collect();
            // Equal ones stay in their order, so that the picture is the same each time.
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            self.across[number] = keyed.into_iter().map(|(_, item)| item).collect();
            note(&mut at, &self.across[number]);
        }
    }

    /// How far apart the middles of two neighbours in a row are at least.
    fn apart(&self, a: usize, b: usize) -> f64 {
        let width = |item: usize| if item < self.boxes { BOX_WIDTH } else { BEND_WIDTH };
        let between = if a < self.boxes && b < self.boxes { BETWEEN } else { BEND_BETWEEN };
        f64::from(width(a) + width(b)) / 2.0 + f64::from(between)
    }

    /// Moves each row as near to its neighbours as its order allows, and the whole to the left edge.
    fn place(&mut self, effort: &mut Effort) {
        let mut x = vec![0.0; self.row.len()];
        for number in 0..self.across.len() {
            self.settle(number, &mut x, |_, _| 0.0, effort);
        }
        for step in 0..MOVES {
            let upwards = step % 2 == 1;
            let order: Vec<usize> = if upwards {
                (0..self.across.len()).rev().collect()
            } else {
                (0..self.across.len()).collect()
            };
            // The last moves look both ways.
            let both = step + 2 >= MOVES;
            for number in order {
                let wanted = |item: usize, x: &[f64]| {
                    let above = self.above[item].iter().filter(|_| both || !upwards);
                    let beside = above.chain(self.below[item].iter().filter(|_| both || upwards));
                    let (pull, sum) = beside
                        .fold((0.0, 0.0), |(pull, sum), (other, one)| (pull + one, sum + x[*other] * one));
                    if pull == 0.0 { x[item] } else { sum / pull }
                };
                self.settle(number, &mut x, wanted, effort);
            }
        }
        let half = |item: usize| if item < self.boxes { f64::from(BOX_WIDTH) / 2.0 } else { 0.0 };
        let left = (0..x.len()).map(|item| x[item] - half(item)).fold(f64::INFINITY, f64::min);
        let whole = |x: f64| {
            #[expect(clippy::cast_possible_truncation, reason = "a picture is some thousand units wide")]
            let whole = x.round() as i32;
            whole
        };
        self.x = x.iter().map(|x| whole(x - left) + MARGIN).collect();
        let right = (0..x.len()).map(|item| self.x[item] + whole(half(item))).max().unwrap_or(0);
        self.width = right + MARGIN;
    }

    /// Puts a row as near to where each of it is wanted as its order and its widths allow, by least squares: neighbours that
    /// would overlap become a block, which lies where its members are wanted on the mean (pool adjacent violators).
    fn settle(
        &self,
        number: usize,
        x: &mut [f64],
        wanted: impl Fn(usize, &[f64]) -> f64,
        effort: &mut Effort,
    ) {
        let row = &self.across[number];
        effort.take(row.iter().map(|item| 1 + self.above[*item].len() + self.below[*item].len()).sum());
        // Counted without the widths before it, each has to lie no further left than the one before.
        let mut before = Vec::with_capacity(row.len());
        let mut width = 0.0;
        for (place, item) in row.iter().enumerate() {
            if let Some(last) = place.checked_sub(1) {
                width += self.apart(row[last], *item);
            }
            before.push(width);
        }
        // Blocks: where, how much they weigh, how many they are.
        let mut blocks: Vec<(f64, f64, usize)> = Vec::new();
        for (place, item) in row.iter().enumerate() {
            let weight =
                self.above[*item].iter().chain(&self.below[*item]).map(|(_, pull)| pull).sum::<f64>();
            let mut block = (wanted(*item, x) - before[place], weight.max(0.1), 1);
            while let Some(last) = blocks.last().filter(|last| last.0 > block.0).copied() {
                blocks.pop();
                let weight = last.1 + block.1;
                block = ((last.0 * last.1 + block.0 * block.1) / weight, weight, last.2 + block.2);
            }
            blocks.push(block);
        }
        let settled = blocks.iter().flat_map(|(at, _, count)| std::iter::repeat_n(*at, *count));
        for ((item, at), before) in row.iter().zip(settled).zip(&before) {
            x[*item] = at + before;
        }
    }
}

/// Notes where each of a row stands, counted from the row's middle.
fn note(at: &mut [f64], row: &[usize]) {
    let middle = f64::from(small(row.len().saturating_sub(1))) / 2.0;
    for (place, item) in row.iter().enumerate() {
        at[*item] = f64::from(small(place)) - middle;
    }
}
