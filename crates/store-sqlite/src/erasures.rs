//! Bodies that were erased and may still be in their files.
//!
//! Erasing overwrites bytes in place, but a snapshot that is older than the erasure must still read what was there.
//! So a transaction only *records* what is due. Whoever reads at or after it gets blanks in its place, and the bytes
//! themselves are overwritten once no older snapshot is open, at the latest at the next start.

use std::collections::BTreeMap;
use std::ops::Range;

use rusqlite::Connection;
use store::StoreError;

use crate::doing::Doing;

/// What stands in the place of an erased body.
pub(crate) const BLANK: u8 = b' ';

/// One body that is due to be overwritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Erasure {
    /// The object's number in its segment.
    pub(crate) index: u32,
    /// From which byte of the segment's bodies on.
    pub(crate) offset: u32,
    pub(crate) length: u32,
    /// Snapshots before this sequence number still read what was there.
    pub(crate) seq: u64,
}

/// What is due, by the row number of the segment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Erasures(BTreeMap<i64, Vec<Erasure>>);

impl Erasures {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn add(&mut self, segment: i64, erasure: Erasure) {
        let of_segment = self.0.entry(segment).or_default();
        if of_segment.iter().all(|known| known.index != erasure.index) {
            of_segment.push(erasure);
        }
    }

    /// Blanks what is due within `bytes`, which were read from byte `from` of the segment's bodies on.
    pub(crate) fn blank(&self, segment: i64, from: u32, bytes: &mut [u8]) {
        for erasure in self.0.get(&segment).into_iter().flatten() {
            let range = relative(erasure, from, bytes.len());
            if let Some(due) = bytes.get_mut(range) {
                due.fill(BLANK);
            }
        }
    }

    /// What may be overwritten when no snapshot before `oldest` is open.
    pub(crate) fn due_at(&self, oldest: u64) -> Vec<(i64, Erasure)> {
        let all = self.0.iter().flat_map(|(segment, due)| due.iter().map(|erasure| (*segment, *erasure)));
        all.filter(|(_, erasure)| erasure.seq <= oldest).collect()
    }

    pub(crate) fn without(&self, done: &[(i64, Erasure)]) -> Self {
        let mut left = self.clone();
        for (segment, gone) in done {
            if let Some(of_segment) = left.0.get_mut(segment) {
                of_segment.retain(|erasure| erasure.index != gone.index);
            }
        }
        left.0.retain(|_, of_segment| !of_segment.is_empty());
        left
    }

    /// What the database says is due; nothing that was open when it was recorded is open any more.
    pub(crate) fn read(connection: &Connection) -> Result<Self, StoreError> {
        let mut erasures = Self::default();
        let mut all = connection
            .prepare("SELECT segment, idx, offset, length FROM erasures")
            .doing("reading what is to be erased")?;
        let mut rows = all.query(()).doing("reading what is to be erased")?;
        while let Some(row) = rows.next().doing("reading what is to be erased")? {
            let of_row = || -> rusqlite::Result<_> {
                Ok((
                    row.get(0)?,
                    Erasure { index: row.get(1)?, offset: row.get(2)?, length: row.get(3)?, seq: 0 },
                ))
            };
            let (segment, erasure) = of_row().doing("reading what is to be erased")?;
            erasures.add(segment, erasure);
        }
        Ok(erasures)
    }
}

fn relative(erasure: &Erasure, from: u32, length: usize) -> Range<usize> {
    let within =
        |at: u64| usize::try_from(at.saturating_sub(u64::from(from))).unwrap_or(usize::MAX).min(length);
    let start = u64::from(erasure.offset);
    within(start)..within(start + u64::from(erasure.length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_due_is_blanked_wherever_the_reading_began() {
        let mut erasures = Erasures::default();
        erasures.add(7, Erasure { index: 1, offset: 4, length: 3, seq: 1 });
        let cases = [
            // segment, from, read, left
            (7, 0, "aaa,bbb,ccc", "aaa,   ,ccc"),
            (7, 4, "bbb,ccc", "   ,ccc"),
            (7, 5, "bb,", "  ,"),
            (7, 0, "aaa,b", "aaa, "),
            (7, 8, "ccc", "ccc"),
            (7, 0, "aaa", "aaa"),
            (8, 0, "aaa,bbb", "aaa,bbb"),
        ];
        for (segment, from, read, left) in cases {
            let mut bytes = read.as_bytes().to_vec();
            erasures.blank(segment, from, &mut bytes);
            assert_eq!(String::from_utf8_lossy(&bytes), left, "{segment} {from} {read}");
        }
    }

    #[test]
    fn an_erasure_waits_for_snapshots_before_it() {
        let mut erasures = Erasures::default();
        erasures.add(7, Erasure { index: 1, offset: 4, length: 3, seq: 5 });
        assert!(erasures.due_at(4).is_empty());
        let due = erasures.due_at(5);
        assert_eq!(due.len(), 1);
        assert!(erasures.without(&due).is_empty());
        assert!(!erasures.without(&[]).is_empty());
    }
}
