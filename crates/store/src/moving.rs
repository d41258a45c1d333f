//! Moving a store whole into another one of any kind.
//!
//! A store that can be read [whole](Whole) tells all that it holds, item by item and in one order that does not depend
//! on how it keeps them. So the same digest over both tells that they hold the same, to the last byte.
//!
//! Content goes from store to store here, and to nobody. It takes no view, and so it takes what no hub has open: who can
//! do this has the files or the database.
//!
//! # A crash
//!
//! The first thing that is written to the target is a record that says that it is unfinished; the last transaction
//! takes it away. A target that was left half done is therefore refused by a hub and by the next attempt.

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::traits::CommitError;
use crate::{
    Departure, HeadRecord, Heads, Horizon, Inventory, Mark, Position, Record, ReferenceKey, Segment,
    Snapshot, Store, StoreError, StoredEntry, Transaction,
};

/// The record that says that a target is unfinished.
const KIND: &str = "moving";
const KEY: &str = "unfinished";

/// After so many bytes, or items, a transaction is committed.
const BYTES_MAX: usize = 16 * 1024 * 1024;
const ITEMS_MAX: usize = 8_192;

/// One of the things that a store holds.
#[derive(Clone, Debug)]
pub enum Item {
    /// The segments of one commit.
    Commit(Vec<Segment>),
    /// A mark.
    Mark(Mark),
    /// That an object names another in one of its references.
    Reference(ReferenceKey, Position),
    /// A record.
    Record(Record),
    /// A ledger entry.
    Entry(StoredEntry),
    /// A full tile of the ledger's tree.
    Tile {
        /// Its level.
        level: u8,
        /// Its number in the level.
        index: u64,
        /// Its bytes.
        bytes: Vec<u8>,
    },
}

/// A store that can be read whole.
pub trait Whole {
    /// Tells every item: commits by their numbers, marks by their positions, references by key and position, records by
    /// kind and key, entries by their numbers, tiles by level and number.
    ///
    /// # Errors
    ///
    /// Fails if `take` does, if the store does, or if bodies are not those of their segment's digest.
    fn each(&self, take: &mut dyn FnMut(Item) -> Result<(), StoreError>) -> Result<(), StoreError>;
}

/// Puts a segment together again from what was stored of it.
///
/// # Errors
///
/// Fails if the bodies are not those of the digest, or the heads are damaged.
pub fn segment_of(
    id: crate::SegmentId,
    collection: model::CollectionId,
    at: model::Timestamp,
    heads: &Heads,
    bodies: Vec<u8>,
    digest: [u8; 32],
) -> Result<Segment, StoreError> {
    if <[u8; 32]>::from(Sha256::digest(&bodies)) != digest {
        return Err(StoreError::Damaged(format!("the bodies of segment {id} are not what was written")));
    }
    let damaged = || StoreError::Damaged(format!("the heads of segment {id} are damaged"));
    let every = 0..heads.count();
    let records: Option<Vec<HeadRecord>> = every.clone().map(|index| heads.record(index)).collect();
    let ends: Option<Vec<u32>> = every.map(|index| heads.end(index)).collect();
    let (heads, ends) = (records.ok_or_else(damaged)?, ends.ok_or_else(damaged)?);
    Ok(Segment { id, collection, at, heads, ends, bodies, digest })
}

/// Why nothing was moved, or not all.
#[derive(Debug, Error)]
pub enum MoveError {
    /// The target has something in it.
    #[error("the target is not empty; name an empty one")]
    NotEmpty,
    /// An earlier move into the target was broken off.
    #[error("an earlier move into the target was broken off half way; remove what is there, and begin again")]
    Unfinished,
    /// The copy is not what the source is.
    #[error("the copy differs from its source: {0}; remove it, and keep the source")]
    Differs(String),
    /// A store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The target failed at a commit.
    #[error("writing to the target: {0}")]
    Commit(#[from] CommitError),
}

/// What was moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Where the writer stands, in both.
    pub horizon: Horizon,
    /// How much both hold.
    pub inventory: Inventory,
    /// SHA-256 over every item of both.
    pub digest: [u8; 32],
}

/// Whether a move into this store was begun and not finished.
///
/// # Errors
///
/// Fails if the store does.
pub fn is_unfinished(snapshot: &dyn Snapshot) -> Result<bool, StoreError> {
    Ok(snapshot.get(KIND, KEY)?.is_some())
}

/// Copies everything, reads both back, and compares.
///
/// # Errors
///
/// See [`MoveError`]. A target that has taken anything up is not to be used then.
pub fn copy<S, T>(from: &S, to: &T) -> Result<Moved, MoveError>
where
    S: Store + Whole + ?Sized,
    T: Store + Whole + ?Sized,
{
    let snapshot = to.snapshot()?;
    if is_unfinished(snapshot.as_ref())? {
        return Err(MoveError::Unfinished);
    }
    if snapshot.horizon() != Horizon::default() || snapshot.inventory()? != Inventory::default() {
        return Err(MoveError::NotEmpty);
    }
    drop(snapshot);
    let horizon = from.snapshot()?.horizon();
    let mut tx = to.begin()?;
    tx.put(Record { kind: KIND.to_owned(), key: KEY.to_owned(), value: Vec::new() })?;
    tx.commit()?;
    let mut filling = Filling { to, tx: Some(to.begin()?), bytes: 0, items: 0, failed: None };
    let told = from.each(&mut |item| filling.add(item));
    if let Some(failed) = filling.failed {
        return Err(failed.into());
    }
    told?;
    if let Some(mut tx) = filling.tx {
        tx.remove(KIND, KEY)?;
        while tx.horizon().commit < horizon.commit {
            tx.next_commit();
        }
        tx.set_last(horizon.last);
        tx.set_epoch(horizon.epoch);
        tx.commit()?;
    }
    compare(from, to)
}

fn compare<S, T>(from: &S, to: &T) -> Result<Moved, MoveError>
where
    S: Store + Whole + ?Sized,
    T: Store + Whole + ?Sized,
{
    let (source, target) = (from.snapshot()?, to.snapshot()?);
    let (horizon, inventory) = (source.horizon(), source.inventory()?);
    if target.horizon() != horizon {
        return Err(MoveError::Differs(format!(
            "it stands at {:?} and not at {horizon:?}",
            target.horizon()
        )));
    }
    if target.inventory()? != inventory {
        return Err(MoveError::Differs(format!("it holds {:?} and not {inventory:?}", target.inventory()?)));
    }
    let digest = digest(from)?;
    if self::digest(to)? != digest {
        return Err(MoveError::Differs("its contents have another digest".to_owned()));
    }
    Ok(Moved { horizon, inventory, digest })
}

struct Filling<'t, T: ?Sized> {
    to: &'t T,
    tx: Option<Box<dyn Transaction + 't>>,
    bytes: usize,
    items: usize,
    failed: Option<CommitError>,
}

impl<T: Store + ?Sized> Filling<'_, T> {
    fn add(&mut self, item: Item) -> Result<(), StoreError> {
        const MOVE: &str = "moving";
        if self.bytes >= BYTES_MAX || self.items >= ITEMS_MAX {
            let full = self.tx.take();
            if let Some(Err(error)) = full.map(crate::Transaction::commit) {
                self.failed = Some(error);
                return Err(StoreError::failed(MOVE, "the target could not commit"));
            }
            (self.bytes, self.items) = (0, 0);
            self.tx = Some(self.to.begin()?);
        }
        let Some(tx) = &mut self.tx else { return Err(StoreError::failed(MOVE, "the target is closed")) };
        self.items += 1;
        self.bytes += write(tx.as_mut(), item)?;
        Ok(())
    }
}

/// Returns about how many bytes it has.
fn write(tx: &mut dyn Transaction, item: Item) -> Result<usize, StoreError> {
    Ok(match item {
        Item::Commit(segments) => {
            let no = segments.first().map(|segment| segment.id.commit);
            while no.is_some_and(|no| tx.horizon().commit < no) {
                tx.next_commit();
            }
            let bytes = segments.iter().map(|segment| segment.bodies.len()).sum();
            tx.append(segments)?;
            bytes
        }
        Item::Mark(mark) => {
            tx.mark(mark)?;
            0
        }
        Item::Reference(key, position) => {
            tx.refer_by(key, position)?;
            0
        }
        Item::Record(record) => {
            let bytes = record.value.len();
            tx.put(record)?;
            bytes
        }
        Item::Entry(entry) => {
            let bytes = entry.body.len();
            tx.append_entry(entry)?;
            bytes
        }
        Item::Tile { level, index, bytes } => {
            tx.put_tile(level, index, &bytes)?;
            bytes.len()
        }
    })
}

/// SHA-256 over every item, each field with its length.
///
/// # Errors
///
/// Fails if the store does.
pub fn digest(store: &(impl Whole + ?Sized)) -> Result<[u8; 32], StoreError> {
    let mut hash = Sha256::new();
    store.each(&mut |item| {
        let mut field = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        let place = |position: Position| {
            let Position { segment, index } = position;
            [u64::from(segment.label.number()), segment.commit.0, u64::from(index)]
                .map(u64::to_be_bytes)
                .concat()
        };
        match item {
            Item::Commit(segments) => {
                for segment in segments {
                    field(b"segment");
                    field(&place(Position { segment: segment.id, index: segment.count() }));
                    field(segment.collection.to_string().as_bytes());
                    field(&segment.at.as_micros().to_be_bytes());
                    field(Heads::encode(&segment.heads, &segment.ends).as_bytes());
                    field(&segment.digest);
                }
            }
            Item::Mark(Mark { position, left }) => {
                field(b"mark");
                field(&place(position));
                if let Some((at, departure)) = left {
                    field(&at.as_micros().to_be_bytes());
                    field(match departure {
                        Departure::Gone => b"gone",
                        Departure::Relabelled => b"relabelled",
                    });
                }
            }
            Item::Reference(key, position) => {
                field(b"reference");
                field(&key.0);
                field(&place(position));
            }
            Item::Record(Record { kind, key, value }) => {
                field(b"record");
                field(kind.as_bytes());
                field(key.as_bytes());
                field(&value);
            }
            Item::Entry(StoredEntry { index, salt, body }) => {
                field(b"entry");
                field(&index.to_be_bytes());
                field(&salt);
                field(&body);
            }
            Item::Tile { level, index, bytes } => {
                field(b"tile");
                field(&[level]);
                field(&index.to_be_bytes());
                field(&bytes);
            }
        }
        Ok(())
    })?;
    Ok(hash.finalize().into())
}
