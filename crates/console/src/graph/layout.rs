//! Places for boxes: rows by level, an order in each row with few crossings.
//!
//! The levels come with the graph (owners above, holdings below). A level with more boxes than fit is several rows. In each
//! row the boxes are sorted by where their neighbours are, a few times down and up: the barycentre method of Sugiyama,
//! Tagawa and Toda (1981). It is quick, and good enough for what was folded to some dozens of boxes.

use std::collections::BTreeMap;

use super::input::Graph;

/// The size of a box, and the room between boxes and rows.
pub(crate) const BOX_WIDTH: i32 = 236;
pub(crate) const BOX_HEIGHT: i32 = 52;
const BETWEEN: i32 = 56;
const BETWEEN_ROWS: i32 = 112;
pub(crate) const MARGIN: i32 = 16;

/// How many boxes a row has at most.
const ROW_MAX: usize = 5;
/// How often the rows are sorted, down and up.
const SWEEPS: usize = 6;

/// Where the boxes are: the upper left corner of each, and the size of the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) places: Vec<(i32, i32)>,
    pub(crate) width: i32,
    pub(crate) height: i32,
}

pub(crate) fn layout(graph: &Graph) -> Layout {
    let mut rows = rows(graph);
    for sweep in 0..SWEEPS {
        sort_rows(graph, &mut rows, sweep % 2 == 1);
    }
    place(graph, &rows)
}

/// The boxes by level; a long level in several rows.
fn rows(graph: &Graph) -> Vec<Vec<usize>> {
    let mut levels: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
    for (place, node) in graph.nodes.iter().enumerate() {
        levels.entry(node.level).or_default().push(place);
    }
    let split = levels.into_values().flat_map(|level| {
        let rows = level.len().div_ceil(ROW_MAX).max(1);
        let each = level.len().div_ceil(rows);
        level.chunks(each).map(<[usize]>::to_vec).collect::<Vec<_>>()
    });
    split.collect()
}

/// Sorts each row by the mean place of its neighbours in the rows that were sorted before it.
fn sort_rows(graph: &Graph, rows: &mut [Vec<usize>], upwards: bool) {
    let mut at = vec![(0_usize, 0.0_f64); graph.nodes.len()];
    let note = |at: &mut Vec<(usize, f64)>, number: usize, row: &[usize]| {
        let middle = centre(row.len());
        for (place, node) in row.iter().enumerate() {
            at[*node] = (number, number_of(place) - middle);
        }
    };
    for (number, row) in rows.iter().enumerate() {
        note(&mut at, number, row);
    }
    let order: Vec<usize> = if upwards { (0..rows.len()).rev().collect() } else { (0..rows.len()).collect() };
    for number in order {
        let mean = |node: usize| {
            let others = graph.edges.iter().filter_map(|edge| match node {
                _ if edge.from == node => Some(edge.to),
                _ if edge.to == node => Some(edge.from),
                _ => None,
            });
            let on_the_side = others
                .map(|other| at[other])
                .filter(|(row, _)| if upwards { *row > number } else { *row < number });
            let (count, sum) = on_the_side.fold((0_u32, 0.0), |(count, sum), (_, x)| (count + 1, sum + x));
            if count == 0 { at[node].1 } else { sum / f64::from(count) }
        };
        let mut keyed: Vec<(f64, usize)> = rows[number].iter().map(|node| (mean(*node), *node)).collect();
        // Equal ones stay in their order, so that the picture is the same each time.
        keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
        rows[number] = keyed.into_iter().map(|(_, node)| node).collect();
        let row = rows[number].clone();
        note(&mut at, number, &row);
    }
}

fn place(graph: &Graph, rows: &[Vec<usize>]) -> Layout {
    let widest = rows.iter().map(Vec::len).max().unwrap_or(1).max(2);
    let row_width = |count: usize| size(count) * BOX_WIDTH + (size(count) - 1) * BETWEEN;
    let width = row_width(widest) + 2 * MARGIN;
    let mut places = vec![(0, 0); graph.nodes.len()];
    for (number, row) in rows.iter().enumerate() {
        let left = (width - row_width(row.len())) / 2;
        let top = MARGIN + size(number) * (BOX_HEIGHT + BETWEEN_ROWS);
        for (place, node) in row.iter().enumerate() {
            places[*node] = (left + size(place) * (BOX_WIDTH + BETWEEN), top);
        }
    }
    let height = 2 * MARGIN + size(rows.len()) * (BOX_HEIGHT + BETWEEN_ROWS) - BETWEEN_ROWS;
    Layout { places, width, height }
}

/// A count of boxes or rows, of which there are some thousands at most.
fn size(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX / 1_000)
}

fn number_of(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn centre(count: usize) -> f64 {
    number_of(count.saturating_sub(1)) / 2.0
}

#[cfg(test)]
mod tests {
    use super::super::fold::star;
    use super::*;

    #[test]
    fn owners_are_above_holdings_below_and_no_two_boxes_meet() {
        for count in [1, 5, 30] {
            let graph = star(count);
            let layout = layout(&graph);
            for (number, node) in graph.nodes.iter().enumerate().skip(1) {
                let is_above = layout.places[number].1 < layout.places[0].1;
                assert_eq!(is_above, node.level < 0, "{}", node.name);
            }
            for (number, a) in layout.places.iter().enumerate() {
                assert!(a.0 >= 0 && a.0 + BOX_WIDTH <= layout.width && a.1 + BOX_HEIGHT <= layout.height);
                for b in &layout.places[number + 1..] {
                    let apart = (a.0 - b.0).abs() >= BOX_WIDTH || (a.1 - b.1).abs() >= BOX_HEIGHT;
                    assert!(apart, "{a:?} {b:?}");
                }
            }
        }
    }

    #[test]
    fn neighbours_are_moved_to_each_other() {
        let mut graph = star(4);
        // Company 2 and 4 are above. Let 2 hold something far to the right, and 4 something far to the left.
        let (left, right) = (1, 3);
        graph.edges.push(super::super::input::Edge { from: 4, to: left, ..graph.edges[0].clone() });
        graph.edges.push(super::super::input::Edge { from: 2, to: right, ..graph.edges[0].clone() });
        let layout = layout(&graph);
        let x = |place: usize| layout.places[place].0;
        assert_eq!(x(4) < x(2), x(left) < x(right), "lines do not cross without need");
    }
}
