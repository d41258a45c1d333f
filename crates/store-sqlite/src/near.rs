//! Copies of small segments, each beside others of its label.
//!
//! Bodies lie in the order of the commits. That suits whoever reads most of what there is; but a reader of one object in
//! a thousand would pick it from a thousand places far apart, and pay more for getting there than for what it reads. So
//! a small segment that lies far behind the last one of its label is written a second time, on a *shelf* of its label:
//!
//! ```text
//! commit 7                 commit 8                 a shelf of label 1
//! [label 0 ......][label 1][label 0 ......][label 1]  [label 1 of 7][of 8] room for more
//! ```
//!
//! The table of commits leads to the first copy, the table of segments to the second, so everyone reads on from where
//! it is: who walks the commits goes through one stretch of the file, who follows a label through its shelves. A
//! segment of more than a few KiB has no second copy, since there getting to a place costs little beside reading it.
//!
//! The copies lie in the body files and not in the database, because what is erased must be gone: a write-ahead log and
//! the pages of a tree that was balanced keep remains of rows that were overwritten since.
//!
//! What a crash leaves of a copy lies behind the label's last one, where nothing names it; the next copy is written
//! over it.

use model::LabelId;
use rusqlite::{Connection, OptionalExtension, Row};
use store::{CommitNo, StoreError};

use crate::doing::Doing;
use crate::keys::Key;

/// A longer segment has one copy only, in bytes. Without second copies a page of single objects of 5 kB takes a third
/// longer if they lie far apart than if they lie side by side; one of 1 kB, more than twice as long.
pub(crate) const SMALL_MAX: u64 = 4 * 1024;
/// How long a shelf is, and where it may begin: at multiples of this. It belongs to the layout, because the end of
/// a shelf is known from any place within it. A reader gets there once for a dozen objects of 1 kB.
pub(crate) const SHELF: u64 = 16 * 1024;
/// A segment is far from the last one of its label if more bytes lie between them, or if they lie in two files.
pub(crate) const FAR: u64 = 4 * 1024;
/// A commit with more small segments that are far from their labels' last ones gets no second copies: it would take
/// longer to write them all over the file than any reader can save.
pub(crate) const COPIES_MAX: usize = 64;

/// Where a label ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tail {
    /// How many objects it has.
    pub(crate) total: u64,
    /// The body file of its last segment, and the first byte behind the first copy.
    end: Option<(u32, u64)>,
    shelf: Option<Shelf>,
}

/// The shelf of a label to which it wrote last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shelf {
    file: u32,
    /// The first byte that is free.
    free: u64,
    /// The first byte behind it.
    end: u64,
}

impl Shelf {
    /// The shelf that has a copy at `offset`, free behind the copy.
    ///
    /// INVARIANT: no copy crosses the end of its shelf.
    fn around(file: u32, offset: u64, length: u64) -> Self {
        Self { file, free: offset + length, end: offset - offset % SHELF + SHELF }
    }
}

impl Tail {
    /// The label's tail as the database has it.
    pub(crate) fn read(connection: &Connection, label: LabelId) -> Result<Self, StoreError> {
        let Some((first, last)) = Key::range(label, CommitNo(0)) else { return Ok(Self::default()) };
        let sql = "SELECT before + count, file, offset, length, near FROM segments WHERE id BETWEEN ? AND ?
                   ORDER BY id DESC LIMIT 1";
        let found = connection
            .prepare_cached(sql)
            .and_then(|mut one| one.query_row((first.number(), last.number()), Self::of).optional())
            .doing("reading where a label ends")?;
        Ok(found.unwrap_or_default())
    }

    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let (file, offset, length): (u32, u64, u64) = (row.get(1)?, row.get(2)?, row.get(3)?);
        let near: Option<u64> = row.get(4)?;
        Ok(Self {
            total: row.get(0)?,
            end: Some((file, offset + length)),
            shelf: near.map(|near| Shelf::around(file, near, length)),
        })
    }

    /// Whether a segment at this place is to be copied beside the label's others, where more than `far` bytes are far.
    /// The first one of a label is not: it may stay the only one.
    pub(crate) fn wants_copy(&self, file: u32, offset: u64, length: u64, far: u64) -> bool {
        let is_far = |(last, end)| last != file || offset.saturating_sub(end) > far;
        length <= SMALL_MAX && self.end.is_some_and(is_far)
    }

    /// Finds room for a copy, in the label's shelf or in a new one behind byte `file_end` of the file. Returns where it
    /// begins and where the file ends then.
    pub(crate) fn place(&mut self, file: u32, file_end: u64, length: u64) -> (u64, u64) {
        let fits = |shelf: &&mut Shelf| shelf.file == file && shelf.free + length <= shelf.end;
        if let Some(shelf) = self.shelf.as_mut().filter(fits) {
            let near = shelf.free;
            shelf.free += length;
            return (near, file_end);
        }
        let near = file_end.next_multiple_of(SHELF);
        self.shelf = Some(Shelf::around(file, near, length));
        (near, near + SHELF)
    }

    /// A segment of `count` objects was written at this place.
    pub(crate) fn follow(&mut self, count: u32, file: u32, offset: u64, length: u64) {
        self.total += u64::from(count);
        self.end = Some((file, offset + length));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_segments_are_copied_that_are_far_from_their_labels_last() {
        let mut tail = Tail::default();
        assert!(!tail.wants_copy(1, 1 << 20, 10, FAR), "the first of a label");
        tail.follow(1, 1, 1_000, 10);
        let end = 1_010;
        let cases = [
            // file, offset, length, copied
            (1, end, 10, false),
            (1, end + FAR, 10, false),
            (1, end + FAR + 1, 10, true),
            (1, end + FAR + 1, SMALL_MAX, true),
            (1, end + FAR + 1, SMALL_MAX + 1, false),
            (2, 0, 10, true),
            (2, end, SMALL_MAX + 1, false),
        ];
        for (file, offset, length, copied) in cases {
            assert_eq!(tail.wants_copy(file, offset, length, FAR), copied, "{file} {offset} {length}");
        }
    }

    #[test]
    fn copies_fill_a_block_to_its_end_and_then_another() {
        let mut tail = Tail::default();
        let cases = [
            // file, its end, length, where the copy lies, the file's end then
            (1, 100, SMALL_MAX, SHELF, 2 * SHELF),
            (1, 9 * SHELF, SMALL_MAX, SHELF + SMALL_MAX, 9 * SHELF),
            (1, 9 * SHELF, SMALL_MAX, SHELF + 2 * SMALL_MAX, 9 * SHELF),
            (1, 9 * SHELF, SMALL_MAX - 1, SHELF + 3 * SMALL_MAX, 9 * SHELF),
            (1, 9 * SHELF, 2, 9 * SHELF, 10 * SHELF),
            (1, 11 * SHELF, SMALL_MAX, 9 * SHELF + 2, 11 * SHELF),
            (2, 0, 1, 0, SHELF),
            (2, SHELF, SHELF - 1, 1, SHELF),
            (2, SHELF + 1, 1, 2 * SHELF, 3 * SHELF),
        ];
        for (file, end, length, near, end_then) in cases {
            assert_eq!(tail.place(file, end, length), (near, end_then), "{file} {end} {length}");
            // What the database tells of this copy leads to the same shelf.
            assert_eq!(tail.shelf, Some(Shelf::around(file, near, length)));
        }
    }
}
