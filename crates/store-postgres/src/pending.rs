//! What a transaction has written so far: in memory until it is committed.
//!
//! Works of the writer take their time, and a transaction of the database that is open all the while would keep locks
//! even if its hub is paused. There is one writer, so nobody changes what it reads meanwhile; and should another hub have
//! taken over, the commit is refused.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use model::{CollectionId, LabelId, Timestamp};
use store::{
    CommitNo, Copy, HeadRecord, Heads, Mark, Part, Place, Position, Record, ReferenceKey, Run, Segment,
    SegmentId, StoredEntry, byte_range,
};

/// A segment of this transaction.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) collection: CollectionId,
    pub(crate) at: Timestamp,
    pub(crate) before: u64,
    pub(crate) heads: Heads,
    pub(crate) records: Vec<HeadRecord>,
    pub(crate) bodies: Vec<u8>,
    pub(crate) digest: [u8; 32],
}

/// A commit of this transaction.
#[derive(Debug)]
pub(crate) struct Commit {
    pub(crate) collection: CollectionId,
    pub(crate) at: Timestamp,
    pub(crate) no: CommitNo,
    pub(crate) parts: Vec<Part>,
}

#[derive(Debug, Default)]
pub(crate) struct Pending {
    pub(crate) commits: Vec<Commit>,
    pub(crate) segments: BTreeMap<SegmentId, Written>,
    pub(crate) marks: BTreeMap<Position, Mark>,
    pub(crate) references: BTreeMap<ReferenceKey, BTreeSet<Position>>,
    /// `None` removes it.
    pub(crate) records: BTreeMap<(String, String), Option<Vec<u8>>>,
    pub(crate) entries: Vec<StoredEntry>,
    pub(crate) tiles: BTreeMap<(u8, u64), Vec<u8>>,
    pub(crate) erased: BTreeMap<SegmentId, BTreeSet<u32>>,
    /// How many objects the labels have that it wrote to.
    pub(crate) tails: BTreeMap<LabelId, u64>,
    by_id: HashMap<String, Vec<Position>>,
}

impl Pending {
    /// Takes up a segment that has `before` objects of its label before it.
    pub(crate) fn add(&mut self, segment: Segment, before: u64) {
        let Segment { id, collection, at, heads: records, ends, bodies, digest } = segment;
        let heads = Heads::encode(&records, &ends);
        for (index, head) in (0..).zip(&records) {
            self.by_id.entry(head.id.clone()).or_default().push(Position { segment: id, index });
        }
        self.tails.insert(id.label, before + u64::from(heads.count()));
        self.segments.insert(id, Written { collection, at, before, heads, records, bodies, digest });
    }

    pub(crate) fn put(&mut self, record: Record) {
        self.records.insert((record.kind, record.key), Some(record.value));
    }

    fn is_marked(&self, segment: SegmentId) -> bool {
        let range = Position { segment, index: 0 }..=Position { segment, index: u32::MAX };
        self.marks.range(range).next().is_some()
    }

    fn copy_at(&self, position: Position) -> Option<Copy> {
        let written = self.segments.get(&position.segment)?;
        let length = u32::try_from(written.bodies.len()).unwrap_or(u32::MAX);
        let run = Run {
            id: position.segment,
            at: written.at,
            before: written.before,
            count: written.heads.count(),
            marked: self.is_marked(position.segment),
            place: Place { file: 0, offset: 0, length },
        };
        Some(Copy {
            collection: written.collection,
            run,
            index: position.index,
            head: written.heads.record(position.index)?,
            left: self.marks.get(&position).and_then(|mark| mark.left),
        })
    }

    /// Copies from the database as this transaction has changed them, with those that it wrote, in the order of arrival.
    fn joined(&self, mut copies: Vec<Copy>, own: impl Iterator<Item = Position>) -> Vec<Copy> {
        for copy in &mut copies {
            copy.run.marked |= self.is_marked(copy.run.id);
            if let Some(mark) = self.marks.get(&copy.position()) {
                copy.left = mark.left;
            }
        }
        copies.extend(own.filter_map(|position| self.copy_at(position)));
        copies.sort_by_key(|copy| (copy.run.id.commit, copy.run.id.label, copy.index));
        copies.dedup_by_key(|copy| copy.position());
        copies
    }

    pub(crate) fn with_id(&self, id: &str, stored: Vec<Copy>) -> Vec<Copy> {
        self.joined(stored, self.by_id.get(id).into_iter().flatten().copied())
    }

    /// Those of this transaction's references that lie in stored segments, whose copies have to be read.
    pub(crate) fn referring(&self, key: &ReferenceKey) -> impl Iterator<Item = Position> {
        self.references.get(key).into_iter().flatten().copied()
    }

    pub(crate) fn with_references(&self, key: &ReferenceKey, stored: Vec<Copy>) -> Vec<Copy> {
        self.joined(stored, self.referring(key))
    }

    /// The body of one of its own objects.
    pub(crate) fn body(&self, position: Position) -> Option<&[u8]> {
        let written = self.segments.get(&position.segment)?;
        let (offset, length) = byte_range(&written.heads, position.index, 1)?;
        let (offset, length) = (usize::try_from(offset).ok()?, usize::try_from(length).ok()?);
        written.bodies.get(offset..offset + length)
    }

    pub(crate) fn is_erased(&self, position: Position) -> bool {
        self.erased.get(&position.segment).is_some_and(|erased| erased.contains(&position.index))
    }
}
