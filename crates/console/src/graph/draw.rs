//! The picture of a graph.

use ties::Truth;

use super::input::{Edge, Graph, Node, NodeKind};
use super::layout::{BOX_HEIGHT, BOX_WIDTH, Layout, MARGIN};
use crate::svg::{Picture, Svg, shortened};

/// How many letters a box and a line's label hold.
const NAME_LETTERS: usize = 28;
const NOTE_LETTERS: usize = 33;
const LABEL_LETTERS: usize = 26;
/// How many lines of words a line has.
const LABELS_MAX: usize = 3;
const LABEL_LINE: i32 = 15;

/// Draws a graph. `title` and `description` are for those who do not see it.
pub(crate) fn draw(graph: &Graph, layout: &Layout, title: &str, description: &str) -> Picture {
    let mut svg = Svg::new("ties-picture", layout.width, layout.height + MARGIN, title, description);
    arrow_heads(&mut svg);
    // What matters is drawn last, in front.
    let mut order: Vec<&Edge> = graph.edges.iter().collect();
    order.sort_by_key(|edge| edge.matters);
    for edge in &order {
        line(&mut svg, layout, edge);
    }
    for (node, place) in graph.nodes.iter().zip(&layout.places) {
        draw_box(&mut svg, node, *place);
    }
    let degrees = degrees(graph);
    for edge in &order {
        let near = if degrees[edge.from].0 <= degrees[edge.to].1 { Near::Begin } else { Near::End };
        labels(&mut svg, graph, layout, edge, near);
    }
    svg.finish()
}

fn arrow_heads(svg: &mut Svg) {
    svg.begin("defs", &[]);
    for (id, class) in [("arrow", "head"), ("arrow-matters", "head matters")] {
        let size = [("markerWidth", "9"), ("markerHeight", "9"), ("refX", "8"), ("refY", "4")];
        let mut attributes =
            vec![("id", id), ("orient", "auto-start-reverse"), ("markerUnits", "userSpaceOnUse")];
        attributes.extend(size);
        svg.begin("marker", &attributes);
        svg.shape("path", &[("d", "M0 0 L8 4 L0 8 Z"), ("class", class)]);
        svg.end();
    }
    svg.end();
}

/// Where a line begins and ends, and where its words stand.
struct Course {
    path: String,
    words: (i32, i32),
}

/// Where on a line its words stand: nearer to the end at which fewer lines meet, so that they do not lie on each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Near {
    Begin,
    End,
}

/// For each box, how many lines begin and how many end at it.
fn degrees(graph: &Graph) -> Vec<(usize, usize)> {
    let mut degrees = vec![(0, 0); graph.nodes.len()];
    for edge in &graph.edges {
        degrees[edge.from].0 += 1;
        degrees[edge.to].1 += 1;
    }
    degrees
}

fn course(layout: &Layout, edge: &Edge, near: Near) -> Course {
    let (from, to) = (layout.places[edge.from], layout.places[edge.to]);
    let half = BOX_WIDTH / 2;
    let (x1, x2) = (from.0 + half, to.0 + half);
    if from.1 == to.1 {
        // Side by side: an arc above both.
        let (y, lift) = (from.1, 34);
        let path = format!("M{x1} {y} C{x1} {0} {x2} {0} {x2} {y}", y - lift);
        return Course { path, words: (i32::midpoint(x1, x2), y - lift + 6) };
    }
    let downwards = from.1 < to.1;
    let (y1, y2) = if downwards { (from.1 + BOX_HEIGHT, to.1) } else { (from.1, to.1 + BOX_HEIGHT) };
    let bend = (y2 - y1) / 2;
    let path = format!("M{x1} {y1} C{x1} {} {x2} {} {x2} {y2}", y1 + bend, y2 - bend);
    // The curve's point at three or seven tenths of its way.
    let (across, along) = match near {
        Near::Begin => (22, 35),
        Near::End => (78, 65),
    };
    Course { path, words: (x1 + (x2 - x1) * across / 100, y1 + (y2 - y1) * along / 100) }
}

fn line(svg: &mut Svg, layout: &Layout, edge: &Edge) {
    let mut class = String::from(if edge.is_holding { "tie holding" } else { "tie other" });
    if edge.truth != Truth::Certain {
        class.push_str(" possible");
    }
    if edge.matters {
        class.push_str(" matters");
    }
    let head = if edge.matters { "url(#arrow-matters)" } else { "url(#arrow)" };
    svg.shape(
        "path",
        &[("d", &course(layout, edge, Near::Begin).path), ("class", &class), ("marker-end", head)],
    );
}

fn labels(svg: &mut Svg, graph: &Graph, layout: &Layout, edge: &Edge, near: Near) {
    if edge.labels.is_empty() {
        return;
    }
    let (x, y) = course(layout, edge, near).words;
    let mut told: Vec<String> =
        edge.labels.iter().take(LABELS_MAX).map(|text| shortened(text, LABEL_LETTERS)).collect();
    if edge.labels.len() > LABELS_MAX {
        let more = edge.labels.len() - LABELS_MAX + 1;
        told.truncate(LABELS_MAX - 1);
        told.push(format!("and {more} more"));
    }
    let name = |place: usize| graph.nodes[place].name.as_str();
    let whole = format!("{} to {}: {}", name(edge.from), name(edge.to), edge.labels.join("; "));
    let is_link = !edge.href.is_empty();
    if is_link {
        svg.begin("a", &[("href", &edge.href)]);
    }
    let lines = i32::try_from(told.len()).unwrap_or(1);
    let first = y - (lines - 1) * LABEL_LINE / 2 + 4;
    let class = if edge.matters { "label matters" } else { "label" };
    svg.begin("g", &[("class", class)]);
    svg.words("title", &[], &whole);
    for (text, line) in told.iter().zip(0_i32..) {
        let (x, y) = (x.to_string(), (first + line * LABEL_LINE).to_string());
        svg.words("text", &[("x", &x), ("y", &y), ("text-anchor", "middle")], text);
    }
    svg.end();
    if is_link {
        svg.end();
    }
}

fn draw_box(svg: &mut Svg, node: &Node, (x, y): (i32, i32)) {
    let class = match node.kind {
        NodeKind::Focus => "box focus",
        NodeKind::Concern => "box concern",
        NodeKind::Person => "box person",
        NodeKind::State => "box state",
        NodeKind::Organisation => "box",
        NodeKind::Cluster => "box cluster",
    };
    let is_link = !node.href.is_empty() && node.kind != NodeKind::Focus;
    if is_link {
        svg.begin("a", &[("href", &node.href)]);
    }
    svg.begin("g", &[("class", class)]);
    let name = shortened(&node.name, NAME_LETTERS);
    if name != node.name {
        svg.words("title", &[], &node.name);
    }
    let corner = if node.kind == NodeKind::Person { "26" } else { "5" };
    let (width, height) = (BOX_WIDTH.to_string(), BOX_HEIGHT.to_string());
    svg.shape(
        "rect",
        &[
            ("x", &x.to_string()),
            ("y", &y.to_string()),
            ("width", &width),
            ("height", &height),
            ("rx", corner),
        ],
    );
    if node.kind == NodeKind::Concern {
        // Told apart by more than its colour.
        let (left, top) = (x + 10, y + 10);
        let d = format!("M{left} {} l6 -11 l6 11 Z", top + 11);
        svg.shape("path", &[("d", &d), ("class", "sign")]);
    }
    let middle = (x + BOX_WIDTH / 2).to_string();
    let name_at = if node.note.is_empty() { y + 31 } else { y + 23 };
    svg.words(
        "text",
        &[("class", "name"), ("x", &middle), ("y", &name_at.to_string()), ("text-anchor", "middle")],
        &name,
    );
    if !node.note.is_empty() {
        let second = shortened(&node.note, NOTE_LETTERS);
        let at = (y + 40).to_string();
        svg.words(
            "text",
            &[("class", "note"), ("x", &middle), ("y", &at), ("text-anchor", "middle")],
            &second,
        );
    }
    svg.end();
    if is_link {
        svg.end();
    }
}

#[cfg(test)]
mod tests {
    use super::super::fold::star;
    use super::super::layout::layout;
    use super::super::{BOXES_MAX, fold};
    use super::*;

    #[test]
    fn a_picture_of_five_thousand_is_small() {
        let graph = fold(star(5_000), BOXES_MAX);
        let places = layout(&graph);
        let picture = draw(&graph, &places, "ties", "in words");
        assert!(picture.markup().len() < 40_000, "{}", picture.markup().len());
        assert!(picture.markup().contains("more</text>"), "what is folded is told");
    }

    #[test]
    fn names_stay_text() {
        let mut graph = star(2);
        graph.nodes[1].name = "<script>alert(1)</script>".to_owned();
        graph.edges[0].labels = vec!["\"><img src=x>".to_owned()];
        let picture = draw(&graph, &layout(&graph), "t", "d");
        assert!(!picture.markup().contains("<script") && !picture.markup().contains("<img"));
    }
}
