//! What is known in memory about the database, and how a snapshot gets the state that fits what it reads.
//!
//! A snapshot is a read transaction of `SQLite` plus a [`State`]: the newest ids, and what is about to be erased. Both
//! have to be of the same moment, without readers waiting for the writer's flush. So every change of the database
//! carries a sequence number, and the writer *announces* the state of the next number before it commits. A reader
//! pins its transaction first, reads the number that it got, and takes the state of that number from the [`Board`]:
//! the current one or the announced one. If the writer went on by more than one meanwhile, it pins again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{Epoch, Timestamp};
use rusqlite::{Connection, Row, params};
use store::{CommitNo, Horizon, StoreError};

use crate::doing::Doing;
use crate::erasures::Erasures;
use crate::ids::Recent;

/// The one row of the table `horizon`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Counts the changes of the database.
    pub(crate) seq: u64,
    pub(crate) horizon: Horizon,
    /// Objects, those that left their place included.
    pub(crate) objects: u64,
    /// Objects that left their place.
    pub(crate) gone: u64,
    pub(crate) segments: u64,
    pub(crate) body_bytes: u64,
    /// The last body file, and its first byte that nothing names.
    pub(crate) file: u32,
    pub(crate) file_end: u64,
    /// The ids of commits up to this one are all in the table `ids`.
    pub(crate) indexed_upto: CommitNo,
}

impl Totals {
    pub(crate) fn read(connection: &Connection) -> Result<Self, StoreError> {
        let sql = "SELECT seq, last, commit_no, epoch, entries, objects, gone, segments, body_bytes, file, file_end,
                   indexed_upto FROM horizon WHERE id = 0";
        connection
            .prepare_cached(sql)
            .and_then(|mut one| one.query_row((), Self::of_row))
            .doing("reading where the writer stands")
    }

    fn of_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            seq: row.get(0)?,
            horizon: Horizon {
                last: Timestamp::from_micros(row.get(1)?),
                commit: CommitNo(row.get(2)?),
                epoch: Epoch::new(row.get(3)?),
                entries: row.get(4)?,
            },
            objects: row.get(5)?,
            gone: row.get(6)?,
            segments: row.get(7)?,
            body_bytes: row.get(8)?,
            file: row.get(9)?,
            file_end: row.get(10)?,
            indexed_upto: CommitNo(row.get(11)?),
        })
    }

    pub(crate) fn write(&self, connection: &Connection) -> Result<(), StoreError> {
        let sql = "UPDATE horizon SET seq = ?, last = ?, commit_no = ?, epoch = ?, entries = ?, objects = ?, gone = ?,
                   segments = ?, body_bytes = ?, file = ?, file_end = ?, indexed_upto = ? WHERE id = 0";
        let Horizon { last, commit, epoch, entries } = self.horizon;
        connection
            .prepare_cached(sql)
            .and_then(|mut update| {
                update.execute(params![
                    self.seq,
                    last.as_micros(),
                    commit.0,
                    epoch.number(),
                    entries,
                    self.objects,
                    self.gone,
                    self.segments,
                    self.body_bytes,
                    self.file,
                    self.file_end,
                    self.indexed_upto.0
                ])
            })
            .doing("writing where the writer stands")?;
        Ok(())
    }
}

/// What goes with one sequence number of the database.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) totals: Totals,
    /// Ids that are not yet in the table `ids`. The writer adds to it; readers pass over commits beyond their horizon.
    pub(crate) recent: Arc<Recent>,
    /// Ids that are being moved to the table.
    pub(crate) settling: Option<Arc<Recent>>,
    /// What was erased and may still be in the body files.
    pub(crate) erasures: Arc<Erasures>,
}

/// Where the writer shows the current state, and readers say which one they hold.
#[derive(Debug)]
pub(crate) struct Board {
    slots: Mutex<Slots>,
}

#[derive(Debug)]
struct Slots {
    current: Arc<State>,
    announced: Option<Arc<State>>,
    /// How many snapshots are open at which sequence number.
    open: BTreeMap<u64, usize>,
}

impl Board {
    pub(crate) fn new(state: State) -> Self {
        let slots = Slots { current: Arc::new(state), announced: None, open: BTreeMap::new() };
        Self { slots: Mutex::new(slots) }
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn current(&self) -> Arc<State> {
        Arc::clone(&self.slots().current)
    }

    /// Shows what will be current if the commit that follows succeeds.
    pub(crate) fn announce(&self, state: State) {
        self.slots().announced = Some(Arc::new(state));
    }

    /// The announced state came true.
    pub(crate) fn fulfil(&self) {
        let mut slots = self.slots();
        if let Some(state) = slots.announced.take() {
            slots.current = state;
        }
    }

    /// The announced state did not come true.
    pub(crate) fn withdraw(&self) {
        self.slots().announced = None;
    }

    /// The state that goes with `seq`, and notes that a snapshot holds it; `None` if the writer went on.
    pub(crate) fn hold(&self, seq: u64) -> Option<Arc<State>> {
        let mut slots = self.slots();
        let state = [Some(&slots.current), slots.announced.as_ref()]
            .into_iter()
            .flatten()
            .find(|state| state.totals.seq == seq)
            .map(Arc::clone)?;
        *slots.open.entry(seq).or_default() += 1;
        Some(state)
    }

    pub(crate) fn let_go(&self, seq: u64) {
        let mut slots = self.slots();
        if let Some(count) = slots.open.get_mut(&seq) {
            *count -= 1;
            if *count == 0 {
                slots.open.remove(&seq);
            }
        }
    }

    /// Every snapshot that is open, or is being opened, is at this sequence number or later.
    pub(crate) fn oldest(&self) -> u64 {
        let slots = self.slots();
        let current = slots.current.totals.seq;
        slots.open.keys().next().map_or(current, |oldest| current.min(*oldest))
    }
}
