//! Blocks: what one instant opened to a reader that was there before.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use model::{CollectionId, LabelId, Principal, Timestamp};
use release::View;

use super::page::Query;
use crate::{CommitNo, Position, Run, Snapshot, StoreError};

/// How many blocks' tables are kept; each is some 24 bytes a label.
const BLOCKS_KEPT_MAX: usize = 4_096;

/// The objects of one label within a block: its objects number `first` to `first + count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    label: LabelId,
    first: u64,
    count: u64,
    /// How many objects of the block lie in the parts before.
    before: u64,
}

/// The parts of a block, which are history and never change.
#[derive(Debug, Default)]
struct Parts {
    parts: Vec<Part>,
    total: u64,
}

/// One block of a reader's timeline.
#[derive(Clone, Debug)]
pub struct Block {
    start: i64,
    parts: Arc<Parts>,
}

/// Remembers the tables of blocks. They follow from history alone, so nothing ever has to be dropped from here for
/// the sake of truth, only for the sake of memory.
#[derive(Debug, Default)]
pub struct BlockCache {
    known: Mutex<HashMap<(Principal, CollectionId, Timestamp), Arc<Parts>>>,
}

impl BlockCache {
    fn get_or(
        &self,
        key: (Principal, CollectionId, Timestamp),
        make: impl FnOnce() -> Result<Parts, StoreError>,
    ) -> Result<Arc<Parts>, StoreError> {
        if let Some(parts) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Arc::clone(parts));
        }
        let parts = Arc::new(make()?);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= BLOCKS_KEPT_MAX {
            known.clear();
        }
        known.insert(key, Arc::clone(&parts));
        Ok(parts)
    }
}

/// The next run of objects in a block: `count` objects of `run` from number `first` on, the first of them dated
/// `date`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub(super) run: Run,
    pub(super) first: u32,
    pub(super) count: u32,
    pub(super) date: i64,
}

impl Block {
    /// The date behind the block's last object.
    pub(super) fn end(&self) -> i64 {
        self.start.saturating_add(i64::try_from(self.parts.total).unwrap_or(i64::MAX).saturating_mul(2))
    }

    /// How many of its objects are dated at or before `after`.
    pub(super) fn rank_after(&self, after: i64) -> u64 {
        if after < self.start {
            return 0;
        }
        let passed = (after - self.start) / 2 + 1;
        u64::try_from(passed).unwrap_or(0).min(self.parts.total)
    }

    /// How many objects it has.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.parts.total
    }

    /// The date of its object number `rank`.
    pub(super) fn date(&self, rank: u64) -> i64 {
        self.start.saturating_add(i64::try_from(rank).unwrap_or(i64::MAX).saturating_mul(2))
    }

    /// The label of object number `rank`, and how many objects of that label follow from there on.
    pub(super) fn label_at(&self, rank: u64) -> Option<(LabelId, u64)> {
        let part = self.part_at(rank)?;
        Some((part.label, part.count - (rank - part.before)))
    }

    fn part_at(&self, rank: u64) -> Option<&Part> {
        let index = self.parts.parts.partition_point(|part| part.before + part.count <= rank);
        self.parts.parts.get(index)
    }

    /// The stretch that begins with object number `rank`, within one segment.
    pub(super) fn stretch(
        &self,
        snapshot: &dyn Snapshot,
        view: &View,
        rank: u64,
    ) -> Result<Option<Stretch>, StoreError> {
        let Some(part) = self.part_at(rank) else { return Ok(None) };
        let ordinal = part.first + (rank - part.before);
        let Some(run) = snapshot.run_at(view, part.label, ordinal)? else {
            return Err(StoreError::Damaged(format!("object {ordinal} of label {} is missing", part.label)));
        };
        let first = u32::try_from(ordinal - run.before).unwrap_or(u32::MAX);
        let left = part.first + part.count - ordinal;
        let count = u64::from(run.count - first).min(left);
        Ok(Some(Stretch {
            run,
            first,
            count: u32::try_from(count).unwrap_or(u32::MAX),
            date: self.date(rank),
        }))
    }

    /// The date of the object at `position`, if the block has it.
    pub(super) fn date_of(&self, run: &Run, position: Position) -> Option<i64> {
        let ordinal = run.before + u64::from(position.index);
        let part = self.parts.parts.iter().find(|part| {
            part.label == run.id.label && (part.first..part.first + part.count).contains(&ordinal)
        })?;
        Some(self.date(part.before + (ordinal - part.first)))
    }
}

/// The blocks of a reader's timeline up to the query's horizon, in order.
pub(super) fn blocks(
    snapshot: &dyn Snapshot,
    view: &View,
    query: &Query<'_>,
    cache: &BlockCache,
) -> Result<Vec<Block>, StoreError> {
    let mut opened: BTreeMap<Timestamp, Vec<(LabelId, Timestamp)>> = BTreeMap::new();
    for label in query.labels {
        let mut since = query.facts.get(label.index()).map_or(Timestamp::MIN, |facts| facts.created);
        for interval in view.intervals(*label).as_slice() {
            if interval.from > query.horizon {
                break;
            }
            if since < interval.from {
                opened.entry(interval.from).or_default().push((*label, since));
            }
            since = interval.to.unwrap_or(Timestamp::MAX);
        }
    }
    let mut blocks = Vec::with_capacity(opened.len());
    let mut free = i64::MIN;
    for (at, labels) in opened {
        let key = (view.caller().principal.clone(), query.collection, at);
        let parts = cache.get_or(key, || parts(snapshot, view, query.collection, at, &labels))?;
        if parts.total == 0 {
            continue;
        }
        let block = Block { start: (at.as_micros() | 1).max(free), parts };
        free = block.end();
        blocks.push(block);
    }
    Ok(blocks)
}

fn parts(
    snapshot: &dyn Snapshot,
    view: &View,
    collection: CollectionId,
    at: Timestamp,
    labels: &[(LabelId, Timestamp)],
) -> Result<Parts, StoreError> {
    let mut bounds: HashMap<Timestamp, CommitNo> = HashMap::new();
    let mut first_commit_from = |instant: Timestamp| -> Result<CommitNo, StoreError> {
        if let Some(no) = bounds.get(&instant) {
            return Ok(*no);
        }
        let before = snapshot.commit_before(view, collection, instant.plus_micros(-1))?;
        let no = before.map_or(CommitNo(0), |(no, _)| CommitNo(no.0 + 1));
        bounds.insert(instant, no);
        Ok(no)
    };
    let (mut all, mut total) = (Vec::new(), 0);
    let end = first_commit_from(at)?;
    for (label, since) in labels {
        let begin = first_commit_from(*since)?;
        let first = snapshot.count_before(view, *label, begin)?;
        let count = snapshot.count_before(view, *label, end)?.saturating_sub(first);
        if count > 0 {
            all.push(Part { label: *label, first, count, before: total });
            total += count;
        }
    }
    Ok(Parts { parts: all, total })
}
