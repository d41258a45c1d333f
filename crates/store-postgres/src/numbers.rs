//! Numbers as the database has them: signed, with 64 bits.

use model::LabelId;
use store::{CommitNo, Departure, Position, SegmentId};

use model::Timestamp;

/// A count or a number, the largest for what no database holds.
pub(crate) fn big(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// What was written by [`big`]; what cannot have been is 0.
pub(crate) fn small<T: TryFrom<i64> + Default>(number: i64) -> T {
    T::try_from(number).unwrap_or_default()
}

pub(crate) fn label_of(number: i64) -> LabelId {
    LabelId::new(small(number))
}

pub(crate) fn segment_of(label: i64, no: i64) -> SegmentId {
    SegmentId { label: label_of(label), commit: CommitNo(small(no)) }
}

/// Label, commit and index of a position.
pub(crate) fn place_of(position: Position) -> (i64, i64, i64) {
    let SegmentId { label, commit } = position.segment;
    (i64::from(label.number()), big(commit.0), i64::from(position.index))
}

pub(crate) fn left_of(at: Option<i64>, relabelled: Option<bool>) -> Option<(Timestamp, Departure)> {
    let departure = if relabelled? { Departure::Relabelled } else { Departure::Gone };
    Some((Timestamp::from_micros(at?), departure))
}
