//! From the ids of objects to their places.
//!
//! An id's hash leads to places; whoever follows it compares the id with the head that lies there, so a collision
//! costs a look and nothing else. New ids go to a table in memory ([`Recent`]). When it is full it is *settled*: sorted
//! by hash and moved in slices to the table `ids`, while a new one takes its place. A sorted slice touches each page
//! of the tree once, and a short one holds up the writer for a few milliseconds.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{PoisonError, RwLock};

use rusqlite::Connection;
use smallvec::SmallVec;
use store::{CommitNo, StoreError};

use crate::doing::Doing;
use crate::keys::Key;

/// How many new ids are kept in memory before they are moved: some 10 MB, twice that while they are moved.
pub(crate) const RECENT_MAX: usize = 131_072;
/// How many ids [`tend`](store::Store::tend) moves in one transaction.
pub(crate) const SLICE: usize = 16_384;
/// While ids are being moved, each commit moves this many for each one that it brings, and at least so many.
pub(crate) const SETTLED_PER_NEW: usize = 2;
pub(crate) const SETTLED_MIN: usize = 256;

/// Where an object lies: row number of its segment, and its number in it.
pub(crate) type Spot = (i64, u32);

/// The hashes are SHA-256 already; hashing them again would only take time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_i64(&mut self, number: i64) {
        self.0 = number.cast_unsigned();
    }
}

/// Hashes and spots.
#[derive(Debug, Default)]
pub(crate) struct IdMap {
    spots: HashMap<i64, SmallVec<[Spot; 1]>, BuildHasherDefault<AsIs>>,
    count: usize,
}

impl IdMap {
    pub(crate) fn add(&mut self, hash: i64, spot: Spot) {
        self.spots.entry(hash).or_default().push(spot);
        self.count += 1;
    }

    pub(crate) fn get(&self, hash: i64) -> &[Spot] {
        self.spots.get(&hash).map_or(&[], |spots| spots.as_slice())
    }

    fn sorted(&self) -> Vec<(i64, Spot)> {
        let mut all: Vec<_> =
            self.spots.iter().flat_map(|(hash, spots)| spots.iter().map(|spot| (*hash, *spot))).collect();
        all.sort_unstable();
        all
    }
}

/// The ids of the newest commits, shared by the writer and its readers.
#[derive(Debug, Default)]
pub(crate) struct Recent(RwLock<IdMap>);

impl Recent {
    pub(crate) fn add_all(&self, new: &[(i64, Spot)]) {
        let mut map = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for (hash, spot) in new {
            map.add(*hash, *spot);
        }
    }

    /// Takes back what commits after `last` added, because they did not happen.
    pub(crate) fn forget_after(&self, last: CommitNo) {
        let mut map = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let happened = |spot: &mut Spot| Key::segment(spot.0).commit <= last;
        map.spots.retain(|_, spots| {
            spots.retain(happened);
            !spots.is_empty()
        });
        map.count = map.spots.values().map(SmallVec::len).sum();
    }

    /// The spots of a hash in commits up to `last`.
    pub(crate) fn collect(&self, hash: i64, last: CommitNo, into: &mut Vec<Spot>) {
        let map = self.0.read().unwrap_or_else(PoisonError::into_inner);
        into.extend(map.get(hash).iter().filter(|spot| Key::segment(spot.0).commit <= last));
    }

    pub(crate) fn len(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).count
    }
}

/// Ids on their way to the table.
#[derive(Debug)]
pub(crate) struct Settling {
    sorted: Vec<(i64, Spot)>,
    done: usize,
    /// When all are there, the ids of commits up to this one are.
    pub(crate) upto: CommitNo,
}

impl Settling {
    pub(crate) fn new(full: &Recent, upto: CommitNo) -> Self {
        let sorted = full.0.read().unwrap_or_else(PoisonError::into_inner).sorted();
        Self { sorted, done: 0, upto }
    }

    /// Writes the next `count` ids within the transaction that is open, and says how far that would bring it. A
    /// second writing of the same ids changes nothing.
    pub(crate) fn write_slice(&self, connection: &Connection, count: usize) -> Result<usize, StoreError> {
        let slice = self.sorted.iter().skip(self.done).take(count);
        let mut insert = connection
            .prepare_cached("INSERT OR IGNORE INTO ids (hash, segment, idx) VALUES (?, ?, ?)")
            .doing("indexing ids")?;
        let mut done = self.done;
        for (hash, (segment, index)) in slice {
            insert.execute((hash, segment, index)).doing("indexing ids")?;
            done += 1;
        }
        Ok(done)
    }

    /// How far writing `count` more would bring it.
    pub(crate) fn done_after(&self, count: usize) -> usize {
        (self.done + count).min(self.sorted.len())
    }

    /// That transaction was committed.
    pub(crate) fn advance(&mut self, done: usize) {
        self.done = done;
    }

    pub(crate) fn is_done_at(&self, done: usize) -> bool {
        done >= self.sorted.len()
    }
}

/// The spots of a hash in the table.
pub(crate) fn collect_indexed(
    connection: &Connection,
    hash: i64,
    into: &mut Vec<Spot>,
) -> Result<(), StoreError> {
    let mut find =
        connection.prepare_cached("SELECT segment, idx FROM ids WHERE hash = ?").doing("looking up an id")?;
    let mut rows = find.query([hash]).doing("looking up an id")?;
    while let Some(row) = rows.next().doing("looking up an id")? {
        into.push((row.get(0).doing("looking up an id")?, row.get(1).doing("looking up an id")?));
    }
    Ok(())
}
