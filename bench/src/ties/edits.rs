//! Changes of single ties: each drawn tie is ended and then restored, and at last some are ended for good, so that the
//! graph that is left is another one and its pairs can be compared.

use super::graph::{Graph, Tie};
use super::random::SplitMix;

/// How many changes, and how many of them are the last, which are not taken back.
pub(crate) fn draw(graph: &Graph, changes: u32, for_good: u32, seed: u64) -> Vec<Tie> {
    let mut random = SplitMix::new(seed);
    let ties = u32::try_from(graph.ties.len()).unwrap_or(u32::MAX);
    let mut any = || graph.ties[random.below(ties) as usize];
    let mut edits = Vec::with_capacity(changes as usize);
    for _ in 0..(changes - for_good) / 2 {
        let tie = any();
        edits.extend([Tie { points: 0, ..tie }, tie]);
    }
    edits.extend((0..for_good).map(|_| Tie { points: 0, ..any() }));
    edits
}

/// The graph after all changes, for who answers from the beginning.
pub(crate) fn apply(graph: &Graph, edits: &[Tie]) -> Graph {
    let mut changed = graph.clone();
    for edit in edits {
        let place =
            changed.ties.binary_search_by_key(&(edit.holder, edit.company), |tie| (tie.holder, tie.company));
        if let Ok(place) = place {
            changed.ties[place].points = edit.points;
        }
    }
    changed.ties.retain(|tie| tie.points > 0);
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ended_for_good_is_gone_and_the_rest_is_back() {
        let ties = (0..1_000).map(|number| Tie {
            holder: number,
            company: 1_000 + number % 300,
            points: 1 + number,
        });
        let graph = Graph::new(ties.collect()).unwrap();
        let edits = draw(&graph, 400, 100, 7);
        assert_eq!(edits.len(), 400);
        let left = apply(&graph, &edits);
        let gone = graph.ties.len() - left.ties.len();
        assert!((80..=100).contains(&gone), "{gone}");
        assert!(left.ties.iter().all(|tie| graph.ties.contains(tie)));
    }
}
