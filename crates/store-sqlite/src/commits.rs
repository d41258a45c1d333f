//! Commits as their rows tell them: where the bodies of each segment begin follows from the lengths of those before it.

use model::{LabelId, Timestamp};
use rusqlite::Row;
use store::{CommitNo, CommitRow, Part, Place, Run, SegmentId};

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
        let parts = Part::decode(row.get_ref(5)?.as_blob()?)
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
