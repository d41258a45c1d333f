//! What the row of a commit says of its segments.
//!
//! A reader with many labels walks the commits and asks for the segments of each. Those of one commit lie far apart
//! in the table of segments, which is in the order of labels; so the commit's row repeats what is needed to read
//! them, 20 bytes a label (numbers little-endian):
//!
//! ```text
//! label u32 | count u32 | length of the bodies u32 | objects of the label before it u64
//! ```

use model::{LabelId, Timestamp};
use rusqlite::Row;
use store::{CommitNo, CommitRow, Place, Run, SegmentId};

const PART_LENGTH: usize = 20;

/// One segment of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) label: LabelId,
    pub(crate) count: u32,
    pub(crate) length: u32,
    pub(crate) before: u64,
}

pub(crate) fn encode(parts: &[Part]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(parts.len() * PART_LENGTH);
    for Part { label, count, length, before } in parts {
        bytes.extend(label.number().to_le_bytes());
        bytes.extend(count.to_le_bytes());
        bytes.extend(length.to_le_bytes());
        bytes.extend(before.to_le_bytes());
    }
    bytes
}

pub(crate) fn decode(bytes: &[u8]) -> impl Iterator<Item = Part> + '_ {
    bytes.chunks_exact(PART_LENGTH).map(|part| {
        let word =
            |at: usize| part[at..at + 4].iter().rev().fold(0, |sum, byte| (sum << 8) | u32::from(*byte));
        let before = (u64::from(word(16)) << 32) | u64::from(word(12));
        Part { label: LabelId::new(word(0)), count: word(4), length: word(8), before }
    })
}

/// A commit as its row tells it.
#[derive(Clone, Debug)]
pub(crate) struct Commit {
    no: CommitNo,
    at: Timestamp,
    marked: bool,
    file: u32,
    /// Its segments in order, and where the bodies of each begin.
    parts: Vec<(Part, u64)>,
}

impl Commit {
    /// Reads `no, at, marked, file, offset, labels`.
    pub(crate) fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let mut offset: u64 = row.get(4)?;
        let parts = decode(row.get_ref(5)?.as_blob()?)
            .map(|part| {
                let begins = offset;
                offset += u64::from(part.length);
                (part, begins)
            })
            .collect();
        let (no, at) = (CommitNo(row.get(0)?), Timestamp::from_micros(row.get(1)?));
        Ok(Self { no, at, marked: row.get(2)?, file: row.get(3)?, parts })
    }

    pub(crate) fn no(&self) -> CommitNo {
        self.no
    }

    /// Its segments as they should be found.
    pub(crate) fn runs(&self) -> impl Iterator<Item = Run> + '_ {
        self.parts.iter().map(|part| self.run_of(part))
    }

    fn run_of(&self, (part, offset): &(Part, u64)) -> Run {
        let Part { label, count, length, before } = *part;
        let place = Place { file: self.file, offset: *offset, length };
        Run {
            id: SegmentId { label, commit: self.no },
            at: self.at,
            before,
            count,
            marked: self.marked,
            place,
        }
    }

    pub(crate) fn to_row(&self) -> CommitRow {
        let labels = self.parts.iter().map(|(part, _)| (part.label, part.count)).collect();
        CommitRow { no: self.no, at: self.at, labels }
    }

    /// The segment of a label; `None` if there is none, or if it may have marks.
    pub(crate) fn run(&self, label: LabelId) -> Option<Run> {
        if self.marked {
            return None;
        }
        let index = self.parts.binary_search_by_key(&label, |(part, _)| part.label).ok()?;
        Some(self.run_of(&self.parts[index]))
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
        assert_eq!(decode(&encode(&parts)).collect::<Vec<_>>(), parts);
    }
}
