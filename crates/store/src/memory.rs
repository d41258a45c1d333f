//! A store in memory: the model that the durable ones are held against, and what tests run on.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use model::{CollectionId, Epoch, LabelId, Timestamp};
use release::View;

use crate::segment::byte_range;
use crate::traits::CommitError;
use crate::{
    CommitNo, CommitRow, Copy, Departure, Heads, Horizon, Inventory, Mark, Place, Position, Record,
    ReferenceKey, Run, Segment, SegmentId, Snapshot, Store, StoreError, StoredEntry, Transaction,
};

/// Keeps everything in memory, and forgets it with the process.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: RwLock<Arc<State>>,
    writer: Mutex<()>,
}

#[derive(Clone, Debug, Default)]
struct State {
    horizon: Horizon,
    commits: BTreeMap<(CollectionId, Timestamp), CommitRow>,
    segments: BTreeMap<SegmentId, Arc<Kept>>,
    marks: BTreeMap<Position, Mark>,
    by_id: BTreeMap<String, Vec<Position>>,
    referrers: BTreeMap<ReferenceKey, Vec<Position>>,
    records: BTreeMap<(String, String), Vec<u8>>,
    entries: Vec<StoredEntry>,
    tiles: BTreeMap<(u8, u64), Vec<u8>>,
}

#[derive(Clone, Debug)]
struct Kept {
    collection: CollectionId,
    at: Timestamp,
    before: u64,
    heads: Heads,
    bodies: Vec<u8>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn current(&self) -> Arc<State> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Store for MemoryStore {
    fn begin(&self) -> Result<Box<dyn Transaction + '_>, StoreError> {
        let turn = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let state = State::clone(&self.current());
        Ok(Box::new(MemoryTransaction { store: self, state, _turn: turn }))
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, StoreError> {
        Ok(Box::new(self.current()))
    }
}

struct MemoryTransaction<'s> {
    store: &'s MemoryStore,
    state: State,
    _turn: MutexGuard<'s, ()>,
}

impl State {
    fn to_run(&self, id: SegmentId, kept: &Kept) -> Run {
        let marked = self.marks_of(id).next().is_some();
        let length = u32::try_from(kept.bodies.len()).unwrap_or(u32::MAX);
        let place = Place { file: 0, offset: 0, length };
        Run { id, at: kept.at, before: kept.before, count: kept.heads.count(), marked, place }
    }

    fn marks_of(&self, segment: SegmentId) -> impl Iterator<Item = &Mark> {
        let range = Position { segment, index: 0 }..=Position { segment, index: u32::MAX };
        self.marks.range(range).map(|(_, mark)| mark)
    }

    fn runs_of(&self, label: LabelId) -> impl DoubleEndedIterator<Item = (&SegmentId, &Arc<Kept>)> {
        let first = SegmentId { label, commit: CommitNo(0) };
        self.segments.range(first..=SegmentId { label, commit: CommitNo(u64::MAX) })
    }

    fn copy_at(&self, position: Position) -> Option<Copy> {
        let kept = self.segments.get(&position.segment)?;
        Some(Copy {
            collection: kept.collection,
            run: self.to_run(position.segment, kept),
            index: position.index,
            head: kept.heads.record(position.index)?,
            left: self.marks.get(&position).and_then(|mark| mark.left),
        })
    }

    fn copies(&self, positions: Option<&Vec<Position>>) -> Vec<Copy> {
        let mut copies: Vec<_> =
            positions.into_iter().flatten().filter_map(|position| self.copy_at(*position)).collect();
        copies.sort_by_key(|copy| (copy.run.id.commit, copy.run.id.label, copy.index));
        copies.dedup_by_key(|copy| copy.position());
        copies
    }

    fn body(&self, segment: SegmentId, first: u32, count: u32) -> Result<&[u8], StoreError> {
        let range = || {
            let kept = self.segments.get(&segment)?;
            let (offset, length) = byte_range(&kept.heads, first, count)?;
            let (offset, length) = (usize::try_from(offset).ok()?, usize::try_from(length).ok()?);
            kept.bodies.get(offset..offset + length)
        };
        range().ok_or_else(|| {
            StoreError::Damaged(format!("segment {segment} lacks object {first} or what follows"))
        })
    }
}

impl Transaction for MemoryTransaction<'_> {
    fn horizon(&self) -> Horizon {
        self.state.horizon
    }

    fn set_last(&mut self, last: Timestamp) {
        self.state.horizon.last = self.state.horizon.last.max(last);
    }

    fn set_epoch(&mut self, epoch: Epoch) {
        self.state.horizon.epoch = epoch;
    }

    fn next_commit(&mut self) -> CommitNo {
        self.state.horizon.commit.0 += 1;
        self.state.horizon.commit
    }

    fn append(&mut self, segments: Vec<Segment>) -> Result<(), StoreError> {
        let Some(first) = segments.first() else { return Ok(()) };
        let labels = segments.iter().map(|segment| (segment.id.label, segment.count())).collect();
        let row = CommitRow { no: first.id.commit, at: first.at, labels };
        self.state.commits.insert((first.collection, first.at), row);
        for segment in segments {
            let before = self
                .state
                .runs_of(segment.id.label)
                .next_back()
                .map_or(0, |(_, k)| k.before + u64::from(k.heads.count()));
            let heads = Heads::encode(&segment.heads, &segment.ends);
            for (index, head) in (0..).zip(&segment.heads) {
                let position = Position { segment: segment.id, index };
                self.state.by_id.entry(head.id.clone()).or_default().push(position);
            }
            let Segment { id, collection, at, bodies, .. } = segment;
            self.state.segments.insert(id, Arc::new(Kept { collection, at, before, heads, bodies }));
        }
        Ok(())
    }

    fn mark(&mut self, mark: Mark) -> Result<(), StoreError> {
        self.state.marks.insert(mark.position, mark);
        Ok(())
    }

    fn erase(&mut self, position: Position) -> Result<(), StoreError> {
        if let Some(kept) = self.state.segments.get_mut(&position.segment)
            && let Some((offset, length)) = byte_range(&kept.heads, position.index, 1)
        {
            let (offset, length) = (offset as usize, length as usize);
            if let Some(bytes) = Arc::make_mut(kept).bodies.get_mut(offset..offset + length) {
                bytes.fill(b' ');
            }
        }
        Ok(())
    }

    fn find(&self, id: &str) -> Result<Vec<Copy>, StoreError> {
        Ok(self.state.copies(self.state.by_id.get(id)))
    }

    fn is_same(&self, copy: &Copy, body: &[u8]) -> Result<bool, StoreError> {
        Ok(self.state.body(copy.run.id, copy.index, 1)? == body)
    }

    fn body_for_relabelling(&self, copy: &Copy) -> Result<Vec<u8>, StoreError> {
        self.state.body(copy.run.id, copy.index, 1).map(<[u8]>::to_vec)
    }

    fn referrers(&self, id: &str) -> Result<Vec<Copy>, StoreError> {
        Ok(self.state.copies(self.state.referrers.get(&ReferenceKey::of(id))))
    }

    fn refer_by(&mut self, key: ReferenceKey, position: Position) -> Result<(), StoreError> {
        self.state.referrers.entry(key).or_default().push(position);
        Ok(())
    }

    fn put(&mut self, record: Record) -> Result<(), StoreError> {
        self.state.records.insert((record.kind, record.key), record.value);
        Ok(())
    }

    fn remove(&mut self, kind: &str, key: &str) -> Result<(), StoreError> {
        self.state.records.remove(&(kind.to_owned(), key.to_owned()));
        Ok(())
    }

    fn append_entry(&mut self, entry: StoredEntry) -> Result<(), StoreError> {
        if entry.index != self.state.horizon.entries {
            return Err(StoreError::Damaged(format!("ledger entry {} is out of turn", entry.index)));
        }
        self.state.horizon.entries += 1;
        self.state.entries.push(entry);
        Ok(())
    }

    fn put_tile(&mut self, level: u8, index: u64, tile: &[u8]) -> Result<(), StoreError> {
        self.state.tiles.insert((level, index), tile.to_vec());
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<Horizon, CommitError> {
        let horizon = self.state.horizon;
        *self.store.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(self.state);
        Ok(horizon)
    }
}

impl Snapshot for Arc<State> {
    fn horizon(&self) -> Horizon {
        self.horizon
    }

    fn commits(
        &self,
        _: &View,
        collection: CollectionId,
        from: Timestamp,
        limit: usize,
    ) -> Result<Vec<CommitRow>, StoreError> {
        let range = (collection, from)..=(collection, Timestamp::MAX);
        Ok(self.commits.range(range).take(limit).map(|(_, row)| row.clone()).collect())
    }

    fn commit_before(
        &self,
        _: &View,
        collection: CollectionId,
        at: Timestamp,
    ) -> Result<Option<(CommitNo, Timestamp)>, StoreError> {
        let range = (Bound::Included((collection, Timestamp::MIN)), Bound::Included((collection, at)));
        Ok(self.commits.range(range).next_back().map(|(_, row)| (row.no, row.at)))
    }

    fn runs(&self, _: &View, label: LabelId, from: CommitNo, limit: usize) -> Result<Vec<Run>, StoreError> {
        let range = SegmentId { label, commit: from }..=SegmentId { label, commit: CommitNo(u64::MAX) };
        Ok(self.segments.range(range).take(limit).map(|(id, kept)| self.to_run(*id, kept)).collect())
    }

    fn run(&self, _: &View, segment: SegmentId) -> Result<Option<Run>, StoreError> {
        Ok(self.segments.get(&segment).map(|kept| self.to_run(segment, kept)))
    }

    fn run_at(&self, _: &View, label: LabelId, ordinal: u64) -> Result<Option<Run>, StoreError> {
        let found = self
            .runs_of(label)
            .find(|(_, kept)| (kept.before..kept.before + u64::from(kept.heads.count())).contains(&ordinal));
        Ok(found.map(|(id, kept)| self.to_run(*id, kept)))
    }

    fn count_before(&self, _: &View, label: LabelId, commit: CommitNo) -> Result<u64, StoreError> {
        let last = self.runs_of(label).take_while(|(id, _)| id.commit < commit).last();
        Ok(last.map_or(0, |(_, kept)| kept.before + u64::from(kept.heads.count())))
    }

    fn heads(&self, _: &View, run: &Run) -> Result<Heads, StoreError> {
        self.names(run.id)?.ok_or_else(|| StoreError::Damaged(format!("segment {} is missing", run.id)))
    }

    fn marks(&self, _: &View, run: &Run) -> Result<Vec<Mark>, StoreError> {
        Ok(self.marks_of(run.id).copied().collect())
    }

    fn was_relabelled(&self, _: &View, label: LabelId) -> Result<bool, StoreError> {
        Ok(self.marks.values().any(|mark| {
            mark.position.segment.label == label && matches!(mark.left, Some((_, Departure::Relabelled)))
        }))
    }

    fn read(&self, _: &View, run: &Run, first: u32, count: u32, out: &mut Vec<u8>) -> Result<(), StoreError> {
        out.extend_from_slice(self.body(run.id, first, count)?);
        Ok(())
    }

    fn find(&self, _: &View, id: &str) -> Result<Vec<Copy>, StoreError> {
        Ok(self.copies(self.by_id.get(id)))
    }

    fn get(&self, kind: &str, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.records.get(&(kind.to_owned(), key.to_owned())).cloned())
    }

    fn list(&self, kind: &str, prefix: &str) -> Result<Vec<Record>, StoreError> {
        let from = (kind.to_owned(), prefix.to_owned());
        let of_kind =
            self.records.range(from..).take_while(|((k, key), _)| k == kind && key.starts_with(prefix));
        Ok(of_kind
            .map(|((kind, key), value)| Record { kind: kind.clone(), key: key.clone(), value: value.clone() })
            .collect())
    }

    fn last_key(&self, kind: &str) -> Result<Option<String>, StoreError> {
        let from = (kind.to_owned(), String::new());
        // The first that is greater than every key of the kind.
        let to = (format!("{kind}\0"), String::new());
        Ok(self.records.range(from..to).next_back().map(|((_, key), _)| key.clone()))
    }

    fn entries(&self, from: u64, limit: usize) -> Result<Vec<StoredEntry>, StoreError> {
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        Ok(self.entries.iter().skip(from).take(limit).cloned().collect())
    }

    fn tile(&self, level: u8, index: u64) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.tiles.get(&(level, index)).cloned())
    }

    fn names(&self, segment: SegmentId) -> Result<Option<Heads>, StoreError> {
        Ok(self.segments.get(&segment).map(|kept| kept.heads.clone()))
    }

    fn inventory(&self) -> Result<Inventory, StoreError> {
        let gone = self.marks.values().filter(|mark| mark.left.is_some()).count();
        let objects: u64 = self.segments.values().map(|kept| u64::from(kept.heads.count())).sum();
        Ok(Inventory {
            objects: objects.saturating_sub(u64::try_from(gone).unwrap_or(0)),
            segments: u64::try_from(self.segments.len()).unwrap_or(u64::MAX),
            entries: self.horizon.entries,
            body_bytes: self
                .segments
                .values()
                .map(|kept| u64::try_from(kept.bodies.len()).unwrap_or(0))
                .sum(),
        })
    }
}
