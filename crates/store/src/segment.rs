//! Segments: the objects of one label in one commit.

use std::fmt;
use std::sync::Arc;

use model::{CollectionId, LabelId, Timestamp};

use crate::{HeadRecord, Heads, StoreError};

/// Counts the commits of a hub, from 1, in the order in which they happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitNo(pub u64);

/// Names a segment: a label and a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentId {
    /// The label that all its objects carry.
    pub label: LabelId,
    /// The commit in which they arrived.
    pub commit: CommitNo,
}

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.label, self.commit.0)
    }
}

/// A segment as it is written.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Label and commit.
    pub id: SegmentId,
    /// The collection of the commit.
    pub collection: CollectionId,
    /// The commit's instant.
    pub at: Timestamp,
    /// The objects' heads, in the order of the bodies.
    pub heads: Vec<HeadRecord>,
    /// Where each body ends in `bodies`, in bytes. The next one starts one byte later, behind a comma.
    pub ends: Vec<u32>,
    /// The bodies as received, joined by commas.
    pub bodies: Vec<u8>,
    /// SHA-256 of `bodies`.
    pub digest: [u8; 32],
}

impl Segment {
    /// How many objects it holds.
    #[must_use]
    pub fn count(&self) -> u32 {
        u32::try_from(self.heads.len()).unwrap_or(u32::MAX)
    }
}

/// Where a store put a segment's bodies; only that store can read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Which of its files.
    pub file: u32,
    /// From which byte on.
    pub offset: u64,
    /// How many bytes.
    pub length: u32,
}

/// A segment as it is found again, without its heads and bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Label and commit.
    pub id: SegmentId,
    /// The commit's instant.
    pub at: Timestamp,
    /// How many objects of the label lie before it.
    pub before: u64,
    /// How many objects it holds.
    pub count: u32,
    /// Whether any of its objects carries a mark.
    pub marked: bool,
    /// Where the bodies are.
    pub place: Place,
}

/// Consecutive objects of one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The segment.
    pub run: Run,
    /// The number of the first object within the segment.
    pub first: u32,
    /// How many objects.
    pub count: u32,
}

/// A commit, and how many objects of which labels it brought, in order of the labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitRow {
    /// Its number.
    pub no: CommitNo,
    /// Its instant.
    pub at: Timestamp,
    /// Labels and counts, in order of the labels.
    pub labels: Arc<[(LabelId, u32)]>,
}

/// One object's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Its segment.
    pub segment: SegmentId,
    /// Its number within the segment, from 0.
    pub index: u32,
}

/// How an object left its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// It was deleted or withdrawn: there is nothing any more.
    Gone,
    /// It got another label; the copy that continues it begins at that very instant.
    Relabelled,
}

/// What is out of the ordinary about one object.
///
/// A mark always means "look": other copies or versions of the same id exist or existed, so whether this one is
/// handed out depends on what else the reader may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The object.
    pub position: Position,
    /// When and how it left its place, if it did.
    pub left: Option<(Timestamp, Departure)>,
}

/// One stored copy of an object, as [`find`](crate::Snapshot::find) returns it.
#[derive(Clone, Debug)]
pub struct Copy {
    /// The collection.
    pub collection: CollectionId,
    /// Its segment.
    pub run: Run,
    /// Its number within the segment, from 0.
    pub index: u32,
    /// Its head.
    pub head: HeadRecord,
    /// When and how it left its place, if it did.
    pub left: Option<(Timestamp, Departure)>,
}

impl Copy {
    /// Its place.
    #[must_use]
    pub fn position(&self) -> Position {
        Position { segment: self.run.id, index: self.index }
    }

    /// When it came to its place.
    #[must_use]
    pub fn arrived(&self) -> Timestamp {
        self.run.at
    }
}

/// Where the bodies of `count` objects lie among those of their segment, from number `first` on: offset and length.
#[must_use]
pub fn byte_range(heads: &Heads, first: u32, count: u32) -> Option<(u32, u32)> {
    if count == 0 {
        return Some((0, 0));
    }
    let start = if first == 0 { 0 } else { heads.end(first - 1)?.checked_add(1)? };
    let end = heads.end(first.checked_add(count - 1)?)?;
    Some((start, end.checked_sub(start)?))
}

/// How long an id or a version can be, so that the encoding of heads holds it, in bytes.
const ID_LENGTH_MAX: usize = u16::MAX as usize;
const VERSION_LENGTH_MAX: usize = u8::MAX as usize;

/// Refuses segments that do not make one commit, or whose heads could not be encoded.
///
/// # Errors
///
/// Says what is wrong with them.
pub fn check_commit(segments: &[Segment]) -> Result<(), StoreError> {
    let wrong = |what: String| Err(StoreError::failed("writing a commit", what));
    for (index, segment) in segments.iter().enumerate() {
        let Segment { id, collection, at, heads, ends, bodies, .. } = segment;
        let before = index.checked_sub(1).map(|before| &segments[before]);
        let follows = before.is_none_or(|before| {
            before.id.label < id.label
                && (before.id.commit, before.collection, before.at) == (id.commit, *collection, *at)
        });
        if !follows {
            return wrong(format!("segment {id} does not follow the one before it"));
        }
        let ends_match = !heads.is_empty()
            && heads.len() == ends.len()
            && ends.is_sorted()
            && ends.last().is_some_and(|end| usize::try_from(*end).is_ok_and(|end| end == bodies.len()));
        if !ends_match {
            return wrong(format!("the bodies of segment {id} do not end where they should"));
        }
        if heads.iter().any(|head| head.id.len() > ID_LENGTH_MAX || head.version.len() > VERSION_LENGTH_MAX) {
            return wrong(format!(
                "an id of segment {id} has more than {ID_LENGTH_MAX} bytes, or a version more than {VERSION_LENGTH_MAX}"
            ));
        }
    }
    Ok(())
}
