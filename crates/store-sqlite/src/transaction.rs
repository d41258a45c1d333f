//! Writing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, MutexGuard};

use model::{Epoch, LabelId, Timestamp};
use rusqlite::OptionalExtension;
use sha2::{Digest, Sha256};
use store::{
    CommitError, CommitNo, Copy, Departure, Horizon, Mark, Position, Record, ReferenceKey, Segment,
    StoreError, StoredEntry, Transaction, byte_range,
};

use crate::doing::Doing;
use crate::erasures::{Erasure, Erasures};
use crate::faults::Step;
use crate::ids::{self, IdMap, Settling, Spot};
use crate::keys::Key;
use crate::near::Tail;
use crate::open::SqliteStore;
use crate::reading::{HeadsCache, Reading, of_left};
use crate::state::{State, Totals};
use crate::writer::{Writer, is_certainly_undone, start_settling};

pub(crate) struct SqliteTransaction<'s> {
    pub(crate) store: &'s SqliteStore,
    pub(crate) writer: MutexGuard<'s, Writer>,
    /// What was current when it began.
    state: Arc<State>,
    pub(crate) totals: Totals,
    /// Ids that it brings, and the same by hash.
    pub(crate) new: Vec<(i64, Spot)>,
    pub(crate) new_by_hash: IdMap,
    /// Where the labels end that it wrote to.
    pub(crate) tails: BTreeMap<LabelId, Tail>,
    pub(crate) touched: BTreeSet<u32>,
    erasures: Arc<Erasures>,
    erased: bool,
    heads: HeadsCache,
    /// What was half done when something failed must not be committed.
    broken: bool,
    ended: bool,
}

impl<'s> SqliteTransaction<'s> {
    pub(crate) fn begin(store: &'s SqliteStore, writer: MutexGuard<'s, Writer>) -> Result<Self, StoreError> {
        writer
            .connection
            .prepare_cached("BEGIN IMMEDIATE")
            .and_then(|mut begin| begin.execute(()))
            .doing("beginning to write")?;
        let state = store.board.current();
        let mut totals = state.totals;
        totals.seq += 1;
        Ok(Self {
            store,
            writer,
            totals,
            new: Vec::new(),
            new_by_hash: IdMap::default(),
            tails: BTreeMap::new(),
            touched: BTreeSet::new(),
            erasures: Arc::clone(&state.erasures),
            erased: false,
            heads: HeadsCache::default(),
            broken: false,
            ended: false,
            state,
        })
    }

    fn reading(&self) -> Reading<'_> {
        let Self { store, writer, erasures, heads, .. } = self;
        Reading { connection: &writer.connection, bodies: &store.bodies, erasures, heads, ahead: None }
    }

    /// Does one part of the writing. After a failure nothing of the transaction may be kept, whatever its owner does.
    fn attempt<T>(&mut self, part: impl FnOnce(&mut Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.broken {
            return Err(StoreError::failed("writing", "an earlier part of the transaction failed"));
        }
        self.broken = true;
        let done = part(self)?;
        self.broken = false;
        Ok(done)
    }

    fn execute(
        &mut self,
        doing: &'static str,
        sql: &str,
        values: impl rusqlite::Params,
    ) -> Result<usize, StoreError> {
        self.attempt(|this| {
            this.writer.connection.prepare_cached(sql).and_then(|mut run| run.execute(values)).doing(doing)
        })
    }

    fn set_mark(&mut self, mark: Mark) -> Result<(), StoreError> {
        const MARK: &str = "marking an object";
        let key = Key::to_write(mark.position.segment)?.number();
        let connection = &self.writer.connection;
        let sql = "SELECT left_kind IS NOT NULL FROM marks WHERE segment = ? AND idx = ?";
        let before: Option<bool> = connection
            .prepare_cached(sql)
            .and_then(|mut one| one.query_row((key, mark.position.index), |row| row.get(0)).optional())
            .doing(MARK)?;
        let (left_at, left_kind) = of_left(mark.left);
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO marks (segment, idx, left_at, left_kind) VALUES (?, ?, ?, ?)",
            )
            .and_then(|mut insert| insert.execute((key, mark.position.index, left_at, left_kind)))
            .doing(MARK)?;
        if before.is_none() {
            connection
                .prepare_cached("UPDATE segments SET marked = 1 WHERE id = ? AND marked = 0")
                .and_then(|mut update| update.execute([key]))
                .doing(MARK)?;
            let sql = "UPDATE commits SET marked = 1
                       FROM (SELECT collection AS c, at AS a FROM segments WHERE id = ?)
                       WHERE collection = c AND at = a AND marked = 0";
            connection.prepare_cached(sql).and_then(|mut update| update.execute([key])).doing(MARK)?;
        }
        if matches!(mark.left, Some((_, Departure::Relabelled))) {
            connection
                .prepare_cached("INSERT OR IGNORE INTO relabelled (label) VALUES (?)")
                .and_then(|mut insert| insert.execute([mark.position.segment.label.number()]))
                .doing(MARK)?;
        }
        match (before.unwrap_or(false), mark.left.is_some()) {
            (false, true) => self.totals.gone += 1,
            (true, false) => self.totals.gone = self.totals.gone.saturating_sub(1),
            (true, true) | (false, false) => {}
        }
        Ok(())
    }

    /// Records that a body has to be overwritten, and the digest that its segment will have then.
    fn record_erasure(&mut self, position: Position) -> Result<(), StoreError> {
        const ERASE: &str = "recording an erasure";
        let Some(run) = self.reading().run(position.segment)? else { return Ok(()) };
        let heads = self.reading().heads_of(position.segment)?;
        let Some((offset, length)) = byte_range(&heads, position.index, 1) else { return Ok(()) };
        let key = Key::to_write(position.segment)?.number();
        let erasure = Erasure { index: position.index, offset, length, seq: self.totals.seq };
        Arc::make_mut(&mut self.erasures).add(key, erasure);
        self.erased = true;

        let mut bodies = Vec::new();
        self.reading().bodies(&run, 0, run.count, &mut bodies)?;
        let digest: [u8; 32] = Sha256::digest(&bodies).into();
        let connection = &self.writer.connection;
        connection
            .prepare_cached("UPDATE segments SET digest = ? WHERE id = ?")
            .and_then(|mut update| update.execute((digest, key)))
            .doing(ERASE)?;
        connection
            .prepare_cached(
                "INSERT OR IGNORE INTO erasures (segment, idx, offset, length) VALUES (?, ?, ?, ?)",
            )
            .and_then(|mut insert| insert.execute((key, position.index, offset, length)))
            .doing(ERASE)?;
        Ok(())
    }

    /// Everything short of the commit itself. Returns how far the settling of ids would come with it.
    fn prepare(&mut self) -> Result<Option<usize>, StoreError> {
        let settled = self.attempt(|this| {
            this.store.bodies.flush(&this.touched)?;
            let Some(settling) = &this.writer.settling else { return Ok(None) };
            let count = (this.new.len() * ids::SETTLED_PER_NEW).max(ids::SETTLED_MIN);
            let done = settling.write_slice(&this.writer.connection, count)?;
            if settling.is_done_at(done) {
                this.totals.indexed_upto = settling.upto;
            }
            Ok(Some(done))
        })?;
        let totals = self.totals;
        self.attempt(|this| totals.write(&this.writer.connection))?;
        if self.writer.connection.is_autocommit() {
            return Err(StoreError::failed("committing", "the database gave the transaction up"));
        }
        Ok(settled)
    }

    /// The state that holds if the commit succeeds, and what is to be settled then.
    fn next_state(&self, settled: Option<usize>) -> (State, Option<Settling>) {
        self.state.recent.add_all(&self.new);
        let mut next = State {
            totals: self.totals,
            recent: Arc::clone(&self.state.recent),
            settling: self.state.settling.clone(),
            erasures: Arc::clone(&self.erasures),
        };
        if let (Some(settling), Some(done)) = (&self.writer.settling, settled)
            && settling.is_done_at(done)
        {
            next.settling = None;
        }
        let mut started = None;
        if next.settling.is_none() && next.recent.len() >= self.store.tuning.recent_max {
            started = Some(start_settling(&mut next));
        }
        (next, started)
    }

    fn rollback(&mut self) {
        self.ended = true;
        let connection = &self.writer.connection;
        if !connection.is_autocommit() && connection.execute_batch("ROLLBACK").is_err() {
            self.writer.wedged = true;
        }
        if !self.touched.is_empty() {
            // Should this fail, the bytes stay behind the end that counts, and the next commit writes over them.
            let _ = self.store.bodies.cut(self.state.totals.file, self.state.totals.file_end);
        }
    }
}

impl Drop for SqliteTransaction<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.rollback();
        }
    }
}

impl Transaction for SqliteTransaction<'_> {
    fn horizon(&self) -> Horizon {
        self.totals.horizon
    }

    fn set_last(&mut self, last: Timestamp) {
        self.totals.horizon.last = self.totals.horizon.last.max(last);
    }

    fn set_epoch(&mut self, epoch: Epoch) {
        self.totals.horizon.epoch = epoch;
    }

    fn next_commit(&mut self) -> CommitNo {
        self.totals.horizon.commit.0 += 1;
        self.totals.horizon.commit
    }

    fn append(&mut self, segments: Vec<Segment>) -> Result<(), StoreError> {
        self.attempt(|this| this.append_commit(&segments))
    }

    fn mark(&mut self, mark: Mark) -> Result<(), StoreError> {
        self.attempt(|this| this.set_mark(mark))
    }

    fn erase(&mut self, position: Position) -> Result<(), StoreError> {
        self.attempt(|this| this.record_erasure(position))
    }

    fn find(&self, id: &str) -> Result<Vec<Copy>, StoreError> {
        let (hash, mut spots) = (store::id_hash(id), Vec::new());
        spots.extend_from_slice(self.new_by_hash.get(hash));
        let last = self.state.totals.horizon.commit;
        self.state.recent.collect(hash, last, &mut spots);
        if let Some(settling) = &self.state.settling {
            settling.collect(hash, last, &mut spots);
        }
        ids::collect_indexed(&self.writer.connection, hash, &mut spots)?;
        self.reading().copies(spots, Some(id))
    }

    fn is_same(&self, copy: &Copy, body: &[u8]) -> Result<bool, StoreError> {
        Ok(self.body_for_relabelling(copy)? == body)
    }

    fn body_for_relabelling(&self, copy: &Copy) -> Result<Vec<u8>, StoreError> {
        let mut body = Vec::new();
        self.reading().bodies(&copy.run, copy.index, 1, &mut body)?;
        Ok(body)
    }

    fn referrers(&self, id: &str) -> Result<Vec<Copy>, StoreError> {
        const REFERRERS: &str = "looking up references";
        let spots: Vec<Spot> = self
            .writer
            .connection
            .prepare_cached("SELECT segment, idx FROM refs WHERE hash = ?")
            .and_then(|mut all| {
                all.query_map([ReferenceKey::of(id).0], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
            })
            .doing(REFERRERS)?;
        self.reading().copies(spots, None)
    }

    fn refer_by(&mut self, key: ReferenceKey, position: Position) -> Result<(), StoreError> {
        let segment = Key::to_write(position.segment)?.number();
        let sql = "INSERT OR IGNORE INTO refs (hash, segment, idx) VALUES (?, ?, ?)";
        self.execute("writing a reference", sql, (key.0, segment, position.index)).map(drop)
    }

    fn put(&mut self, record: Record) -> Result<(), StoreError> {
        let Record { kind, key, value } = record;
        let sql = "INSERT OR REPLACE INTO records (kind, key, value) VALUES (?, ?, ?)";
        self.execute("writing a record", sql, (kind, key, value)).map(drop)
    }

    fn remove(&mut self, kind: &str, key: &str) -> Result<(), StoreError> {
        let sql = "DELETE FROM records WHERE kind = ? AND key = ?";
        self.execute("removing a record", sql, (kind, key)).map(drop)
    }

    fn append_entry(&mut self, entry: StoredEntry) -> Result<(), StoreError> {
        let StoredEntry { index, salt, body } = entry;
        if index != self.totals.horizon.entries {
            return Err(StoreError::Damaged(format!("ledger entry {index} is out of turn")));
        }
        let sql = "INSERT INTO entries (idx, salt, body) VALUES (?, ?, ?)";
        self.execute("writing a ledger entry", sql, (index, salt, body))?;
        self.totals.horizon.entries += 1;
        Ok(())
    }

    fn put_tile(&mut self, level: u8, index: u64, tile: &[u8]) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO tiles (level, idx, data) VALUES (?, ?, ?)";
        self.execute("writing a tile of the ledger", sql, (level, index, tile)).map(drop)
    }

    fn commit(mut self: Box<Self>) -> Result<Horizon, CommitError> {
        // Steps 1 to 3 of the crate's first page. Until the commit itself nothing has happened.
        let settled = self.prepare().map_err(CommitError::NotApplied)?;
        let (next, started) = self.next_state(settled);
        self.store.board.announce(next);
        let committed = self.store.tuning.faults.around(Step::Commit, || -> Result<(), CommitFailure> {
            self.writer.connection.prepare_cached("COMMIT")?.execute(())?;
            Ok(())
        });
        if let Err(failure) = committed {
            return Err(self.failed(failure));
        }
        self.ended = true;
        self.store.board.fulfil();
        let tails = std::mem::take(&mut self.tails);
        let Self { store, writer, erased, .. } = &mut *self;
        writer.tails.extend(tails);
        if let (Some(settling), Some(done)) = (&mut writer.settling, settled) {
            settling.advance(done);
            if settling.is_done_at(done) {
                writer.settling = None;
            }
        }
        if started.is_some() {
            writer.settling = started;
        }
        if *erased {
            // Should this fail, it stays recorded, and whoever writes or tends next tries again.
            let _ = store.finish_erasures(writer);
        }
        Ok(self.totals.horizon)
    }
}

/// How the commit of `SQLite` failed.
enum CommitFailure {
    Database(rusqlite::Error),
    Reported(std::io::Error),
}

impl From<rusqlite::Error> for CommitFailure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl From<std::io::Error> for CommitFailure {
    fn from(error: std::io::Error) -> Self {
        Self::Reported(error)
    }
}

impl SqliteTransaction<'_> {
    /// Says what a failed commit means.
    fn failed(&mut self, failure: CommitFailure) -> CommitError {
        const COMMIT: &str = "committing";
        let is_full = matches!(&failure, CommitFailure::Database(error) if is_certainly_undone(error));
        if is_full {
            self.rollback();
            self.store.board.withdraw();
            self.state.recent.forget_after(self.state.totals.horizon.commit);
        }
        let source = match failure {
            CommitFailure::Database(error) => StoreError::failed(COMMIT, error),
            CommitFailure::Reported(error) => StoreError::failed(COMMIT, error),
        };
        if is_full && !self.writer.wedged {
            return CommitError::NotApplied(source);
        }
        // Nothing is cut off and nothing withdrawn: it may have happened. Readers go on with whatever the database
        // shows them, and the next start finds out.
        self.ended = true;
        self.writer.wedged = true;
        if !self.writer.connection.is_autocommit() {
            let _ = self.writer.connection.execute_batch("ROLLBACK");
        }
        CommitError::Unknown(source)
    }
}
