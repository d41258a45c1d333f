//! Pages of a timeline.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

use model::{CollectionId, LabelId, Timestamp};
use release::{LabelFacts, View};

use super::block::{Block, BlockCache, blocks};
use super::chosen::{VersionChoice, chosen_copies};
use super::direct::{Direct, dated};
use crate::{Copy, Departure, HeadRecord, Heads, Mark, Position, Run, Snapshot, StoreError, Stretch};

/// What a reader asks for.
#[derive(Clone, Copy)]
pub struct Query<'a> {
    /// Of which collection.
    pub collection: CollectionId,
    /// The collection's labels, in order of their numbers.
    pub labels: &'a [LabelId],
    /// All labels of the hub, by number.
    pub facts: &'a [LabelFacts],
    /// Only what is dated later than this.
    pub after: Option<Timestamp>,
    /// Only what is dated at or before this: the instant at which the first of a chain of pages was asked for.
    pub horizon: Timestamp,
    /// The present instant, at which a label has to be open.
    pub now: Timestamp,
    /// At most so many objects; at least 1.
    pub limit: usize,
    /// At most so many bytes of bodies, but always at least one object.
    pub bytes_max: usize,
    /// When so many bytes of bodies were looked at for the sieve, the page ends where it stands.
    pub scan_bytes_max: usize,
    /// Which versions of an object that has several.
    pub versions: &'a VersionChoice,
    /// Which objects; `None` is all.
    pub sieve: Option<&'a dyn Sieve>,
}

/// Lets objects through.
pub trait Sieve {
    /// Whether the object may be wanted, from its head alone.
    fn wants_head(&self, head: &HeadRecord) -> bool;

    /// Whether the body has to be looked at as well.
    fn needs_body(&self) -> bool;

    /// Whether the object is wanted, from its body.
    fn wants_body(&self, body: &[u8]) -> bool;
}

/// Consecutive objects of one segment on a page. Each is dated two microseconds after the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The segment.
    pub run: Run,
    /// The number of the first object within the segment.
    pub first: u32,
    /// How many objects.
    pub count: u32,
    /// The first object's date.
    pub date: Timestamp,
}

impl Piece {
    /// The last object's date.
    #[must_use]
    pub fn last_date(&self) -> Timestamp {
        self.date.plus_micros(i64::from(self.count.saturating_sub(1)) * 2)
    }
}

/// One page: which objects, in the reader's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// What to copy, in order.
    pub pieces: Vec<Piece>,
    /// How many objects.
    pub count: usize,
    /// Whether there is more behind it, up to the horizon.
    pub more: bool,
    /// If the page ended because enough was looked at: up to which date, wanted or not.
    pub looked_up_to: Option<Timestamp>,
}

impl Page {
    /// The date of the first object.
    #[must_use]
    pub fn first_date(&self) -> Option<Timestamp> {
        self.pieces.first().map(|piece| piece.date)
    }

    /// The date of the last object.
    #[must_use]
    pub fn last_date(&self) -> Option<Timestamp> {
        self.pieces.last().map(Piece::last_date)
    }

    /// Where the page behind this one begins: after this date.
    #[must_use]
    pub fn goes_on_after(&self) -> Option<Timestamp> {
        self.last_date().max(self.looked_up_to)
    }

    /// Appends the page's bodies, joined by commas, to `out`.
    ///
    /// # Errors
    ///
    /// Fails if the store does.
    pub fn read(&self, snapshot: &dyn Snapshot, view: &View, out: &mut Vec<u8>) -> Result<(), StoreError> {
        let stretch = |piece: &Piece| Stretch { run: piece.run, first: piece.first, count: piece.count };
        let stretches: Vec<Stretch> = self.pieces.iter().map(stretch).collect();
        snapshot.read_all(view, &stretches, out)
    }
}

/// One page of the reader's timeline.
///
/// # Errors
///
/// Fails if the store does.
pub fn page(
    snapshot: &dyn Snapshot,
    view: &View,
    query: &Query<'_>,
    cache: &BlockCache,
) -> Result<Page, StoreError> {
    let after = query.after.map_or(i64::MIN, Timestamp::as_micros);
    let horizon = query.horizon.as_micros();
    let mut streams: Vec<(Block, u64)> = blocks(snapshot, view, query, cache)?
        .into_iter()
        .filter(|block| block.end() > after)
        .map(|block| {
            let rank = block.rank_after(after);
            (block, rank)
        })
        .collect();
    let mut direct = Direct::seek(snapshot, view, query, after)?;
    let mut filling = Filling {
        snapshot,
        view,
        query,
        page: Page::default(),
        bytes: 0,
        scanned: 0,
        after,
        chosen: RefCell::default(),
    };

    while !filling.page.more {
        streams.retain(|(block, rank)| *rank < block.total());
        // Blocks of one reader do not overlap, so only the first can be next.
        let block_date = streams.first().map(|(block, rank)| block.date(*rank));
        let direct_run = direct.peek()?;
        let direct_date = direct_run.map(|run| run.date);
        match (block_date, direct_run) {
            (Some(date), _) if date <= horizon && direct_date.is_none_or(|other| date < other) => {
                let until = direct_date.unwrap_or(i64::MAX).min(horizon.saturating_add(1));
                let Some((block, rank)) = streams.first_mut() else { break };
                *rank += filling.take_from_block(block, *rank, until)?;
            }
            (other, Some(run)) if run.date <= horizon => {
                filling.take_from_direct(&run, other.unwrap_or(i64::MAX), &mut streams)?;
                direct.take();
            }
            (_, _) => break,
        }
    }
    Ok(filling.page)
}

/// What a reader may have of a label's objects now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Share {
    /// The label is open: whatever is in it.
    All,
    /// The label has closed, but objects left it for another one, which may be open.
    Relabelled,
    /// The label has closed, and all that it holds with it.
    Nothing,
}

struct Filling<'a> {
    snapshot: &'a dyn Snapshot,
    view: &'a View,
    query: &'a Query<'a>,
    page: Page,
    bytes: usize,
    /// How many bytes of bodies were looked at. Only of objects that the reader may have: where a page ends tells
    /// nothing of others.
    scanned: usize,
    after: i64,
    /// The copies that the reader gets, by id, as far as they were asked for.
    chosen: RefCell<HashMap<String, BTreeSet<Position>>>,
}

impl Filling<'_> {
    /// What the reader may have of a label's objects now.
    fn share(&self, label: LabelId) -> Result<Share, StoreError> {
        Ok(if self.view.intervals(label).is_open(self.query.now) {
            Share::All
        } else if self.snapshot.was_relabelled(self.view, label)? {
            Share::Relabelled
        } else {
            Share::Nothing
        })
    }

    /// Takes what the block has before the date `until`, at most one segment; returns how many objects it passed.
    fn take_from_block(&mut self, block: &Block, rank: u64, until: i64) -> Result<u64, StoreError> {
        let Some((label, left)) = block.label_at(rank) else { return Ok(u64::MAX - rank) };
        let room = u64::try_from((until - block.date(rank) + 1) / 2).unwrap_or(0).max(1);
        let share = self.share(label)?;
        if share == Share::Nothing {
            return Ok(left.min(room));
        }
        let Some(stretch) = block.stretch(self.snapshot, self.view, rank)? else {
            return Ok(u64::MAX - rank);
        };
        let count = u32::try_from(u64::from(stretch.count).min(room)).unwrap_or(u32::MAX);
        self.take(&stretch.run, share, stretch.first, count, stretch.date)?;
        Ok(u64::from(count))
    }

    /// Takes a direct segment, and from the blocks what lies between its objects.
    fn take_from_direct(
        &mut self,
        run: &super::direct::DirectRun,
        block_date: i64,
        streams: &mut [(Block, u64)],
    ) -> Result<(), StoreError> {
        let end = run.date + 2 * i64::from(run.count);
        let share = self.share(run.id.label)?;
        if block_date >= end {
            if share != Share::Nothing && end > self.after.saturating_add(1) {
                let found = run.run(self.snapshot, self.view)?;
                self.take(&found, share, 0, run.count, run.date)?;
            }
            return Ok(());
        }
        // Rare: a back-fill is still being dated while new objects arrive. Go one by one.
        let found = run.run(self.snapshot, self.view)?;
        for index in 0..run.count {
            let date = run.date + 2 * i64::from(index);
            for (block, rank) in streams.iter_mut() {
                while !self.page.more && *rank < block.total() && block.date(*rank) < date {
                    *rank += self.take_from_block(
                        block,
                        *rank,
                        date.min(self.query.horizon.as_micros().saturating_add(1)),
                    )?;
                }
            }
            if share != Share::Nothing {
                self.take(&found, share, index, 1, date)?;
            }
            if self.page.more {
                break;
            }
        }
        Ok(())
    }

    /// Takes objects of one segment as far as they are wanted, not yet passed and not beyond the horizon.
    fn take(&mut self, run: &Run, share: Share, first: u32, count: u32, date: i64) -> Result<(), StoreError> {
        let (mut first, mut count, mut date) = (first, count, date);
        if date <= self.after {
            let passed = u32::try_from((self.after - date) / 2 + 1).unwrap_or(u32::MAX).min(count);
            (first, count, date) = (first + passed, count - passed, date + 2 * i64::from(passed));
        }
        let due = (self.query.horizon.as_micros() - date).div_euclid(2) + 1;
        count = count.min(u32::try_from(due.max(0)).unwrap_or(u32::MAX));
        if count == 0 || (share == Share::Relabelled && !run.marked) {
            return Ok(());
        }
        if !run.marked && self.query.sieve.is_none() && self.query.versions.wants_single("") {
            return self.take_blindly(run, first, count, date);
        }
        let heads = self.snapshot.heads(self.view, run)?;
        let marks = if run.marked { self.snapshot.marks(self.view, run)? } else { Vec::new() };
        for index in first..first + count {
            let date = date + 2 * i64::from(index - first);
            if self.is_wanted(run, share, index, &heads, &marks)? {
                self.push(run, index, 1, date, size(&heads, index));
            }
            if !self.page.more && self.scanned >= self.query.scan_bytes_max {
                self.page.more = true;
                self.page.looked_up_to = Some(Timestamp::from_micros(date));
            }
            if self.page.more {
                break;
            }
        }
        Ok(())
    }

    /// Nothing about these objects is out of the ordinary and all are wanted: take them as they lie.
    fn take_blindly(&mut self, run: &Run, first: u32, count: u32, date: i64) -> Result<(), StoreError> {
        let room = self.query.limit - self.page.count;
        let whole = usize::try_from(run.place.length).unwrap_or(usize::MAX);
        let fits = |bytes: usize| self.bytes + bytes <= self.query.bytes_max;
        if first == 0 && count == run.count && count as usize <= room && fits(whole + 1) {
            self.push(run, first, count, date, whole + 1);
            return Ok(());
        }
        if room == 0 {
            self.page.more = true;
            return Ok(());
        }
        let heads = self.snapshot.heads(self.view, run)?;
        for index in first..first + count {
            self.push(run, index, 1, date + 2 * i64::from(index - first), size(&heads, index));
            if self.page.more {
                break;
            }
        }
        Ok(())
    }

    fn push(&mut self, run: &Run, first: u32, count: u32, date: i64, bytes: usize) {
        let is_full = self.page.count >= self.query.limit
            || (self.page.count > 0 && self.bytes + bytes > self.query.bytes_max);
        if is_full {
            self.page.more = true;
            return;
        }
        let date = Timestamp::from_micros(date);
        self.bytes += bytes;
        self.page.count += usize::try_from(count).unwrap_or(usize::MAX);
        if let Some(last) = self.page.pieces.last_mut()
            && last.run.id == run.id
            && last.first + last.count == first
            && last.last_date().plus_micros(2) == date
        {
            last.count += count;
            return;
        }
        self.page.pieces.push(Piece { run: *run, first, count, date });
    }

    /// Whether the copy at `position` is one that the reader gets; looked up once a page for each id.
    fn is_chosen(&self, id: &str, position: Position) -> Result<bool, StoreError> {
        if let Some(chosen) = self.chosen.borrow().get(id) {
            return Ok(chosen.contains(&position));
        }
        let copies = self.snapshot.find(self.view, id)?;
        let Query { collection, versions, now, horizon, .. } = *self.query;
        let chosen: BTreeSet<Position> =
            chosen_copies(self.snapshot, self.view, collection, &copies, versions, now, horizon)?
                .iter()
                .map(|copy| copy.position())
                .collect();
        let is_chosen = chosen.contains(&position);
        self.chosen.borrow_mut().insert(id.to_owned(), chosen);
        Ok(is_chosen)
    }

    fn is_wanted(
        &mut self,
        run: &Run,
        share: Share,
        index: u32,
        heads: &Heads,
        marks: &[Mark],
    ) -> Result<bool, StoreError> {
        let mark =
            marks.binary_search_by_key(&index, |mark| mark.position.index).ok().map(|found| marks[found]);
        let left = mark.and_then(|mark| mark.left);
        if share == Share::Relabelled && !matches!(left, Some((_, Departure::Relabelled))) {
            return Ok(false);
        }
        let head = heads.record(index).ok_or_else(|| {
            StoreError::Damaged(format!("object {index} of segment {} has no head", run.id))
        })?;
        if let Some(sieve) = self.query.sieve
            && !sieve.wants_head(&head)
        {
            return Ok(false);
        }
        let chosen = if mark.is_some() {
            self.is_chosen(&head.id, Position { segment: run.id, index })?
        } else {
            self.query.versions.wants_single(&head.version)
        };
        if !chosen {
            return Ok(false);
        }
        match self.query.sieve {
            Some(sieve) if sieve.needs_body() => {
                let mut body = Vec::new();
                self.snapshot.read(self.view, run, index, 1, &mut body)?;
                self.scanned = self.scanned.saturating_add(body.len());
                Ok(sieve.wants_body(&body))
            }
            Some(_) | None => Ok(true),
        }
    }
}

/// How many bytes the object takes on a page, with the comma behind it.
fn size(heads: &Heads, index: u32) -> usize {
    usize::try_from(heads.length(index).unwrap_or(0)).unwrap_or(usize::MAX).saturating_add(1)
}

/// One object with its date in the reader's timeline.
#[derive(Clone, Debug)]
pub struct Dated {
    /// The stored copy.
    pub copy: Copy,
    /// When it became visible to the reader.
    pub date: Timestamp,
}

/// The versions of the objects with these ids that the reader gets, in the reader's order.
///
/// The same answer as [`page`] gives with a filter on ids, found by the ids and not by walking. `limit` and
/// `bytes_max` are left to the caller.
///
/// # Errors
///
/// Fails if the store does.
pub fn objects_with_id(
    snapshot: &dyn Snapshot,
    view: &View,
    query: &Query<'_>,
    cache: &BlockCache,
    ids: &[&str],
) -> Result<Vec<Dated>, StoreError> {
    let mut found = Vec::new();
    let mut blocks_of_reader = None;
    for id in ids {
        let copies = snapshot.find(view, id)?;
        for copy in chosen_copies(
            snapshot,
            view,
            query.collection,
            &copies,
            query.versions,
            query.now,
            query.horizon,
        )? {
            let intervals = view.intervals(copy.run.id.label);
            let date = if intervals.is_open(copy.arrived()) {
                direct_date(snapshot, view, query.collection, copy)?
            } else {
                if blocks_of_reader.is_none() {
                    blocks_of_reader = Some(blocks(snapshot, view, query, cache)?);
                }
                blocks_of_reader.iter().flatten().find_map(|block| block.date_of(&copy.run, copy.position()))
            };
            let Some(date) = date.map(Timestamp::from_micros) else { continue };
            if date <= query.horizon && query.after.is_none_or(|after| date > after) {
                found.push(Dated { copy: copy.clone(), date });
            }
        }
    }
    found.sort_by_key(|dated| dated.date);
    found.dedup_by_key(|dated| dated.date);
    Ok(found)
}

/// When the last date of the reader's back-fills comes, as far as they have begun.
///
/// # Errors
///
/// Fails if the store does.
pub fn end_of_back_fill(
    snapshot: &dyn Snapshot,
    view: &View,
    query: &Query<'_>,
    cache: &BlockCache,
) -> Result<Option<Timestamp>, StoreError> {
    let blocks = blocks(snapshot, view, query, cache)?;
    Ok(blocks.last().map(|block| Timestamp::from_micros(block.end())))
}

fn direct_date(
    snapshot: &dyn Snapshot,
    view: &View,
    collection: CollectionId,
    copy: &Copy,
) -> Result<Option<i64>, StoreError> {
    let rows = snapshot.commits(view, collection, copy.arrived(), 1)?;
    let Some(row) = rows.first().filter(|row| row.no == copy.run.id.commit) else { return Ok(None) };
    let before: u64 = row
        .labels
        .iter()
        .take_while(|(label, _)| *label < copy.run.id.label)
        .filter(|(label, _)| view.intervals(*label).is_open(row.at))
        .map(|(_, count)| u64::from(*count))
        .sum();
    Ok(Some(dated(row.at, before + u64::from(copy.index))))
}
