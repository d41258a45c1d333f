//! The graphs that are handed around with the figures that everybody found for them (`shared/data/ties/generated`).

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::graph::{Graph, Pairs, seeds};
use super::reference::{self, Adjacent};
use super::shape::Shape;

/// What is known of a graph.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figures {
    pub(crate) pairs: Pairs,
    /// Companies that the aggregate rule adds to the seeds.
    pub(crate) blocked: u64,
    /// The look-through of the seeds over everybody, themselves included.
    pub(crate) sum: f64,
}

impl Figures {
    /// What the plain way finds.
    pub(crate) fn of(graph: &Graph) -> Self {
        let (down, seeds) = (Adjacent::down(graph), seeds(graph.nodes));
        Self {
            pairs: reference::control(&down, |_, _| {}),
            blocked: reference::closure(&down, &seeds).len() as u64,
            sum: reference::look_through(&Adjacent::up(graph), &seeds),
        }
    }

    /// The same pairs and companies, and the same sum to the six digits that are told.
    pub(crate) fn agree(&self, other: &Self) -> bool {
        (self.pairs, self.blocked) == (other.pairs, other.blocked) && (self.sum - other.sum).abs() < 1e-6
    }
}

/// Where the graphs are, if they are here.
pub(crate) fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/ties/generated");
    folder.join("expected.json").exists().then_some(folder)
}

/// Each graph by name, with what is expected of it and what shape it is said to have.
pub(crate) fn all(folder: &Path) -> Result<Vec<(String, Graph, Figures, String)>> {
    let text = fs::read_to_string(folder.join("expected.json"))?;
    let expected: serde_json::Map<String, Value> = serde_json::from_str(&text)?;
    let mut found = Vec::new();
    for (name, told) in expected {
        let graph = Graph::read(&folder.join(format!("{name}.gz")))?;
        let number = |key: &str| told[key].as_u64().with_context(|| format!("{name} has no `{key}`"));
        let text = |key: &str| told[key].as_str().with_context(|| format!("{name} has no `{key}`"));
        ensure!(number("nodes")? == u64::from(graph.nodes), "{name} has other nodes than it says");
        ensure!(number("ties")? == graph.ties.len() as u64, "{name} has other ties than it says");
        let figures = Figures {
            pairs: Pairs {
                count: number("control_pairs_strict_majority")?,
                checksum: u64::from_str_radix(text("control_pairs_checksum")?, 16)?,
            },
            blocked: number("newly_blocked_aggregate_50_from_500_seeded")?,
            sum: told["integrated_ownership_sum_from_500_seeded"].as_f64().context("no sum")?,
        };
        let shape = text("shape")?.to_owned();
        found.push((name, graph, figures, shape));
    }
    Ok(found)
}

/// A shape in the words that the figures are told in.
pub(crate) fn told(shape: &Shape) -> String {
    let Shape { owned, holders, most_in, most_out, strong, strong_many, strong_largest, .. } = shape;
    let Shape { weak, weak_largest, self_held, majority_held, overfull, tails: (tail_in, tail_out), .. } =
        shape;
    let both = shape.both;
    format!(
        "owned={owned} holders={holders} both={both} mean_in={:.2} mean_out={:.2} max_in={most_in} max_out={most_out} \
         scc={strong} nontrivial={strong_many} largest_scc={strong_largest} wcc={weak} largest_wcc={weak_largest} \
         self_loops={self_held} majority_held={majority_held} over100={overfull} \
         alpha_in(hill,xmin10)={tail_in:.2} alpha_out(hill,xmin10)={tail_out:.2}",
        shape.mean_in(),
        shape.mean_out(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_way_finds_what_is_told() {
        let Some(folder) = folder() else {
            eprintln!("skipped: the shared graphs are not here");
            return;
        };
        for (name, graph, expected, shape) in all(&folder).unwrap() {
            let found = Figures::of(&graph);
            assert!(found.agree(&expected), "{name}: {found:?} against {expected:?}");
            assert_eq!(told(&Shape::of(&graph)), shape, "{name}");
        }
    }
}
