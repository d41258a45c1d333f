//! How segments are numbered in the database.
//!
//! A segment's row number is its label in the upper 23 bits and its commit in the lower 40. So the segments of a
//! label lie together and in order, and "the label's segments from commit 7 on" is one range.

use model::LabelId;
use store::{CommitNo, SegmentId, StoreError};

const COMMIT_BITS: u32 = 40;
/// How many labels a store can hold: `SQLite`'s row numbers are positive 63-bit numbers.
pub(crate) const LABELS_MAX: u32 = 1 << (63 - COMMIT_BITS);
/// How many commits a store can hold: a thousand a second for 34 years.
pub(crate) const COMMITS_MAX: u64 = 1 << COMMIT_BITS;

/// The row number of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key(i64);

impl Key {
    /// The key of a segment, if a store can hold it.
    pub(crate) fn of(id: SegmentId) -> Option<Self> {
        (id.label.number() < LABELS_MAX && id.commit.0 < COMMITS_MAX)
            .then(|| Self((i64::from(id.label.number()) << COMMIT_BITS) | id.commit.0.cast_signed()))
    }

    /// The key under which a segment is written.
    ///
    /// # Errors
    ///
    /// Refuses what is beyond the limits, in words for the operator.
    pub(crate) fn to_write(id: SegmentId) -> Result<Self, StoreError> {
        Self::of(id).ok_or_else(|| {
            let limits = format!("a store holds at most {LABELS_MAX} labels and {COMMITS_MAX} commits");
            StoreError::failed("numbering a segment", format!("segment {id} is beyond the limits: {limits}"))
        })
    }

    /// The label's keys from a commit on, first and last; `None` if no store can hold one of them.
    pub(crate) fn range(label: LabelId, from: CommitNo) -> Option<(Self, Self)> {
        let first = Self::of(SegmentId { label, commit: from })?;
        Some((first, Self(first.0 | (COMMITS_MAX - 1).cast_signed())))
    }

    pub(crate) fn number(self) -> i64 {
        self.0
    }

    /// The segment with this row number.
    pub(crate) fn segment(number: i64) -> SegmentId {
        let label = u32::try_from(number >> COMMIT_BITS).unwrap_or(u32::MAX);
        let commit = number.cast_unsigned() & (COMMITS_MAX - 1);
        SegmentId { label: LabelId::new(label), commit: CommitNo(commit) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(label: u32, commit: u64) -> SegmentId {
        SegmentId { label: LabelId::new(label), commit: CommitNo(commit) }
    }

    #[test]
    fn a_key_gives_back_its_segment_up_to_the_limits() {
        let cases = [
            (id(0, 0), true),
            (id(3, 7), true),
            (id(LABELS_MAX - 1, COMMITS_MAX - 1), true),
            (id(LABELS_MAX, 0), false),
            (id(0, COMMITS_MAX), false),
            (id(u32::MAX, u64::MAX), false),
        ];
        for (id, held) in cases {
            assert_eq!(Key::of(id).map(|key| Key::segment(key.number())), held.then_some(id));
            assert_eq!(Key::to_write(id).is_ok(), held);
        }
    }

    #[test]
    fn the_keys_of_a_label_follow_one_another_and_end_before_the_next_label() {
        let (first, last) = Key::range(LabelId::new(1), CommitNo(5)).unwrap();
        assert_eq!(Key::segment(first.number()), id(1, 5));
        assert_eq!(Key::segment(last.number()), id(1, COMMITS_MAX - 1));
        assert!(last < Key::of(id(2, 0)).unwrap());
        assert_eq!(Key::range(LabelId::new(1), CommitNo(u64::MAX)), None);
    }
}
