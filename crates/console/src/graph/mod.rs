//! A picture of ties: owners above, holdings below, whoever else holds those beside.
//!
//! ```text
//!   around (exchange) ──> what is drawn (input) ──> folded to what can be read, but for what was opened (fold)
//!        ──> rows, places, ways and words (rows, layout) ──> SVG (draw), and beside it a table of all ties (the page)
//! ```
//!
//! All of it is computed from sorted collections, so the same ties give the same picture.

mod draw;
mod fold;
mod input;
mod layout;
mod opened;
mod rows;
#[cfg(test)]
mod samples;

use crate::asked::Asked;
use crate::svg::Picture;

pub(crate) use input::{Graph, from_around, from_decision, shown};
pub(crate) use opened::Opened;

/// How much was looked at: counted, so that a test can hold it to a bound whatever the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effort(usize);

impl Effort {
    fn step(&mut self) {
        self.0 += 1;
    }

    fn take(&mut self, steps: usize) {
        self.0 += steps;
    }
}

/// A picture, and what a page says beside it.
pub(crate) struct Drawn {
    pub(crate) picture: Picture,
    /// What was put together, with links that open it.
    pub(crate) folded: Vec<Link>,
    /// How many entities that is.
    pub(crate) folded_count: usize,
    /// What was opened, with links that fold it.
    pub(crate) opened: Vec<Link>,
    /// How many ties between what is drawn have no line.
    pub(crate) lines_left_out: usize,
}

/// Something that can be opened or folded.
pub(crate) struct Link {
    pub(crate) text: String,
    pub(crate) href: String,
}

/// Draws a graph for a page, if there is anything to draw. `title` and `about` are for those who do not see it.
pub(crate) fn picture(graph: &Graph, asked: &Asked, title: &str, about: &str) -> Option<Drawn> {
    if graph.edges.is_empty() {
        return None;
    }
    let mut effort = Effort::default();
    let folded = fold::fold(graph, &Opened::read(asked), &|opened| opened.link(asked), &mut effort);
    let places = layout::layout(&folded.graph, &mut effort);
    tracing::debug!(
        boxes = graph.nodes.len(),
        lines = graph.edges.len(),
        steps = effort.0,
        "ties were drawn"
    );
    let nodes = &folded.graph.nodes;
    let clusters = nodes.iter().filter_map(|node| Some((node, &nodes[node.hangs_on?])));
    let link = |(node, on): (&input::Node, &input::Node)| {
        let side = opened::Side::of(node.level, on.level).as_str();
        let note = if node.note.is_empty() { String::new() } else { format!(" ({})", node.note) };
        Link { text: format!("{} {side} {}{note}", node.name, on.name), href: node.href.clone() }
    };
    let shown = |window: &fold::Window| Link {
        text: format!(
            "{} to {} of {} {} {}",
            window.first,
            window.last,
            window.of,
            window.side.as_str(),
            window.name
        ),
        href: window.href.clone(),
    };
    let is_cluster = |node: &&input::Node| node.hangs_on.is_some();
    Some(Drawn {
        folded_count: nodes.iter().filter(is_cluster).map(|node| node.stands_for).sum(),
        folded: clusters.map(link).collect(),
        opened: folded.windows.iter().map(shown).collect(),
        lines_left_out: folded.lines_left_out,
        picture: draw::draw(&folded.graph, &places, title, about),
    })
}
