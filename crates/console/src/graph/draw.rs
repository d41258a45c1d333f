//! The picture of a graph.

use std::fmt::Write as _;

use ties::Truth;

use super::input::{Edge, Graph, Node, NodeKind};
use super::layout::{BOX_HEIGHT, BOX_WIDTH, LABEL_LINE, LABEL_SIZE, Layout, Line, Point};
use crate::svg::{Picture, Svg, fitted, width_of};

/// The words of a box: their size and height, and the room for them.
const NAME_SIZE: i32 = 13;
const NOTE_SIZE: i32 = 12;
const TEXT_LINE: i32 = 16;
const TEXT_WIDTH: i32 = BOX_WIDTH - 14;
/// What the sign of a party of concern takes, on either side.
const SIGN_WIDTH: i32 = 15;

/// Draws a graph. `title` and `description` are for those who do not see it.
pub(super) fn draw(graph: &Graph, layout: &Layout, title: &str, description: &str) -> Picture {
    let mut svg = Svg::new("ties-picture", layout.width, layout.height, title, description);
    arrow_heads(&mut svg);
    // What matters is drawn last, in front.
    let mut order: Vec<(&Edge, &Line)> = graph.edges.iter().zip(&layout.lines).collect();
    order.sort_by_key(|(edge, _)| edge.matters);
    for (edge, line) in &order {
        draw_line(&mut svg, edge, line);
    }
    let mut matters = vec![false; graph.nodes.len()];
    for edge in graph.edges.iter().filter(|edge| edge.matters) {
        (matters[edge.from], matters[edge.to]) = (true, true);
    }
    for (number, node) in graph.nodes.iter().enumerate() {
        draw_box(&mut svg, node, layout.places[number], matters[number]);
    }
    for (edge, line) in &order {
        draw_words(&mut svg, graph, edge, line);
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

/// The way of a line as a path: straight down where it runs straight, and bends that begin and end upright.
fn path(points: &[Point]) -> String {
    let mut path = String::new();
    let mut last: Option<Point> = None;
    for point in points {
        // What is written cannot fail: it goes into a string.
        let _ = match last {
            None => write!(path, "M{} {}", point.x, point.y),
            Some(last) if point.is_straight || last.x == point.x => {
                if last.y == point.y {
                    Ok(())
                } else {
                    write!(path, "V{}", point.y)
                }
            }
            Some(last) => {
                let middle = i32::midpoint(last.y, point.y);
                write!(path, "C{} {middle} {} {middle} {} {}", last.x, point.x, point.x, point.y)
            }
        };
        last = Some(*point);
    }
    path
}

fn draw_line(svg: &mut Svg, edge: &Edge, line: &Line) {
    let mut class = String::from(if edge.is_holding { "tie holding" } else { "tie other" });
    if edge.truth != Truth::Certain {
        class.push_str(" possible");
    }
    if edge.matters {
        class.push_str(" matters");
    }
    let head = if edge.matters { "url(#arrow-matters)" } else { "url(#arrow)" };
    svg.shape("path", &[("d", &path(&line.points)), ("class", &class), ("marker-end", head)]);
}

fn draw_words(svg: &mut Svg, graph: &Graph, edge: &Edge, line: &Line) {
    let Some(words) = &line.words else { return };
    let name = |place: usize| graph.nodes[place].name.as_str();
    let is_link = !edge.href.is_empty();
    if is_link {
        svg.begin("a", &[("href", &edge.href)]);
    }
    svg.begin("g", &[("class", if edge.matters { "label matters" } else { "label" })]);
    svg.words("title", &[], &format!("{} to {}: {}", name(edge.from), name(edge.to), edge.labels.join("; ")));
    for (text, number) in words.lines.iter().zip(1_i32..) {
        // The last of a line's height is below its letters' foot.
        let foot = words.top + number * LABEL_LINE - (LABEL_LINE - LABEL_SIZE);
        svg.words("text", &[("x", &words.x.to_string()), ("y", &foot.to_string())], text);
    }
    svg.end();
    if is_link {
        svg.end();
    }
}

/// A name in one line or two, cut where it has to be.
fn name_lines(name: &str, width: i32) -> Vec<String> {
    if width_of(name, NAME_SIZE) <= width {
        return vec![name.to_owned()];
    }
    let mut first = String::new();
    for word in name.split_whitespace() {
        let longer = if first.is_empty() { word.to_owned() } else { format!("{first} {word}") };
        if width_of(&longer, NAME_SIZE) > width {
            break;
        }
        first = longer;
    }
    if first.is_empty() {
        return vec![fitted(name, width, NAME_SIZE)];
    }
    let words = first.split_whitespace().count();
    let rest: Vec<&str> = name.split_whitespace().skip(words).collect();
    vec![first, fitted(&rest.join(" "), width, NAME_SIZE)]
}

fn draw_box(svg: &mut Svg, node: &Node, (x, y): (i32, i32), matters: bool) {
    let class = match node.kind {
        NodeKind::Focus => "box focus",
        NodeKind::Concern => "box concern",
        NodeKind::Person => "box person",
        NodeKind::State => "box state",
        NodeKind::Organisation => "box",
        NodeKind::Cluster => "box cluster",
    };
    let class = if matters { format!("{class} matters") } else { class.to_owned() };
    let is_link = !node.href.is_empty() && node.kind != NodeKind::Focus;
    if is_link {
        svg.begin("a", &[("href", &node.href)]);
    }
    svg.begin("g", &[("class", &class)]);
    let width = TEXT_WIDTH - if node.kind == NodeKind::Concern { 2 * SIGN_WIDTH } else { 0 };
    let mut lines = name_lines(&node.name, width);
    if lines.join(" ") != node.name {
        svg.words("title", &[], &node.name);
    }
    let (left, top) = (x.to_string(), y.to_string());
    let (width, height) = (BOX_WIDTH.to_string(), BOX_HEIGHT.to_string());
    let corner = if node.kind == NodeKind::Person { "26" } else { "5" };
    svg.shape("rect", &[("x", &left), ("y", &top), ("width", &width), ("height", &height), ("rx", corner)]);
    if node.kind == NodeKind::Concern {
        // Told apart by more than its colour.
        let d = format!("M{} {} l6 -11 l6 11 Z", x + 6, y + 16);
        svg.shape("path", &[("d", &d), ("class", "sign")]);
    }
    let names = lines.len();
    if !node.note.is_empty() {
        lines.push(fitted(&node.note, TEXT_WIDTH, NOTE_SIZE));
    }
    let middle = (x + BOX_WIDTH / 2).to_string();
    let count = i32::try_from(lines.len()).unwrap_or(3);
    let first = y + (BOX_HEIGHT - count * TEXT_LINE) / 2 + NAME_SIZE - 1;
    for (number, (text, line)) in lines.iter().zip(0_i32..).enumerate() {
        let at = (first + line * TEXT_LINE).to_string();
        let class = if number < names { "name" } else { "note" };
        svg.words("text", &[("class", class), ("x", &middle), ("y", &at)], text);
    }
    svg.end();
    if is_link {
        svg.end();
    }
}
