//! What the row of a commit says of its segments.
//!
//! A reader with many labels walks the commits and asks for the segments of each. Those of one commit lie far apart
//! where segments lie in the order of labels; so the commit's row repeats what is needed to read them, 20 bytes a label
//! (numbers little-endian):
//!
//! ```text
//! label u32 | count u32 | length of the bodies u32 | objects of the label before it u64
//! ```

use model::LabelId;

const PART_LENGTH: usize = 20;

/// One segment of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The segment's label.
    pub label: LabelId,
    /// How many objects it holds.
    pub count: u32,
    /// How many bytes its bodies have, joined.
    pub length: u32,
    /// How many objects of the label lie before it.
    pub before: u64,
}

impl Part {
    /// Encodes the parts of one commit.
    #[must_use]
    pub fn encode(parts: &[Self]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(parts.len() * PART_LENGTH);
        for Self { label, count, length, before } in parts {
            bytes.extend(label.number().to_le_bytes());
            bytes.extend(count.to_le_bytes());
            bytes.extend(length.to_le_bytes());
            bytes.extend(before.to_le_bytes());
        }
        bytes
    }

    /// The parts of a commit; what is too short for one more is passed over.
    pub fn decode(bytes: &[u8]) -> impl Iterator<Item = Self> + '_ {
        bytes.chunks_exact(PART_LENGTH).map(|part| {
            let word =
                |at: usize| part[at..at + 4].iter().rev().fold(0, |sum, byte| (sum << 8) | u32::from(*byte));
            let before = (u64::from(word(16)) << 32) | u64::from(word(12));
            Self { label: LabelId::new(word(0)), count: word(4), length: word(8), before }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_comes_back() {
        let part = |label, count, length, before| Part { label: LabelId::new(label), count, length, before };
        let parts =
            [part(0, 1, 2, 3), part(7, u32::MAX, u32::MAX - 1, u64::MAX), part(u32::MAX, 0, 256, 1 << 33)];
        assert_eq!(Part::decode(&Part::encode(&parts)).collect::<Vec<_>>(), parts);
    }
}
