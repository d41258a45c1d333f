//! One bit a node: small enough to stay in the processor's caches where a number a node is not.

use super::holdings::Node;

#[derive(Clone, Debug, Default)]
pub(crate) struct Marks {
    words: Vec<u64>,
}

impl Marks {
    /// No node of so many.
    pub(crate) fn none(nodes: u32) -> Self {
        Self { words: vec![0; (nodes as usize).div_ceil(64)] }
    }

    /// Makes room for more nodes, unmarked.
    pub(crate) fn grow(&mut self, nodes: u32) {
        self.words.resize((nodes as usize).div_ceil(64), 0);
    }

    pub(crate) fn has(&self, node: Node) -> bool {
        self.words[node as usize / 64] >> (node % 64) & 1 == 1
    }

    pub(crate) fn set(&mut self, node: Node, on: bool) {
        let word = &mut self.words[node as usize / 64];
        *word = *word & !(1 << (node % 64)) | u64::from(on) << (node % 64);
    }

    /// The marked nodes, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Node> + '_ {
        (0..).step_by(64).zip(&self.words).flat_map(|(first, &word)| {
            let mut left = word;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                Some(first + bit)
            })
        })
    }
}

/// A number for each marked node, without gaps, and the other way round only in order.
#[derive(Clone, Debug)]
pub(crate) struct Slots {
    marks: Marks,
    /// How many are marked before each word.
    before: Vec<u32>,
    count: u32,
}

impl Slots {
    pub(crate) fn new(marks: Marks) -> Self {
        let mut count = 0;
        let before = |word: &u64| {
            let before = count;
            count += word.count_ones();
            before
        };
        let before = marks.words.iter().map(before).collect();
        Self { marks, before, count }
    }

    pub(crate) fn count(&self) -> usize {
        self.count as usize
    }

    pub(crate) fn marks(&self) -> &Marks {
        &self.marks
    }

    /// The number of a node, if it is marked.
    pub(crate) fn of(&self, node: Node) -> Option<usize> {
        let word = self.marks.words[node as usize / 64];
        let bit = 1 << (node % 64);
        let below = (word & (bit - 1)).count_ones();
        (word & bit != 0).then(|| (self.before[node as usize / 64] + below) as usize)
    }

    /// Spreads a value for each marked node over all nodes; the others get the default.
    pub(crate) fn spread(&self, values: &[u32], nodes: u32) -> Vec<u32> {
        let mut spread = vec![0; nodes as usize];
        for (node, &value) in self.marks.iter().zip(values) {
            spread[node as usize] = value;
        }
        spread
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_number_the_marked_without_gaps() {
        let mut marks = Marks::none(200);
        let marked = [0, 5, 63, 64, 127, 128, 199];
        for node in marked {
            marks.set(node, true);
        }
        marks.set(70, true);
        marks.set(70, false);
        assert!(marks.iter().eq(marked));
        let slots = Slots::new(marks);
        assert_eq!(slots.count(), marked.len());
        for node in 0..200 {
            assert_eq!(slots.of(node), marked.iter().position(|&other| other == node), "{node}");
        }
        let spread = slots.spread(&[9, 8, 7, 6, 5, 4, 3], 200);
        assert_eq!((spread[0], spread[64], spread[199], spread[1]), (9, 6, 3, 0));
    }
}
