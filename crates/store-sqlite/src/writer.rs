//! The one writer, and what it does besides transactions: erasing and settling.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, MutexGuard, PoisonError};

use model::LabelId;
use rusqlite::{Connection, ErrorCode, OptionalExtension};
use store::StoreError;

use crate::doing::Doing;
use crate::ids::{Recent, Settling};
use crate::near::Tail;
use crate::open::SqliteStore;
use crate::state::{State, Totals};

/// What only one may hold at a time.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) connection: Connection,
    /// Ids on their way to the table.
    pub(crate) settling: Option<Settling>,
    /// Where the labels end that were written to lately.
    pub(crate) tails: HashMap<LabelId, Tail>,
    /// Whether a commit's outcome is unknown. Then nothing may be built on it.
    pub(crate) wedged: bool,
}

/// Whether a commit that failed so did not happen and never will.
///
/// The commit's own mark is the last thing that is written to the log. If the disk was too full for all of it, the
/// mark is not there, and a recovery passes over the rest.
pub(crate) fn is_certainly_undone(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

/// Moves the ids in memory on their way to the table, and puts an empty table in their place.
pub(crate) fn start_settling(next: &mut State) -> Settling {
    let full = std::mem::replace(&mut next.recent, Arc::new(Recent::default()));
    let settling = Settling::new(&full, next.totals.horizon.commit);
    next.settling = Some(full);
    settling
}

impl SqliteStore {
    pub(crate) fn writer(&self) -> Result<MutexGuard<'_, Writer>, StoreError> {
        let Some(writer) = &self.writer else {
            return Err(StoreError::failed("beginning to write", "the store was opened for reading only"));
        };
        let writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
        if writer.wedged {
            let doubt =
                "it is not known whether the last commit was written; stop the hub and start it again";
            return Err(StoreError::failed("beginning to write", doubt));
        }
        Ok(writer)
    }

    /// Moves a slice of ids to their table; returns whether some are left.
    pub(crate) fn settle(&self, writer: &mut Writer) -> Result<bool, StoreError> {
        let mut next = State::clone(&self.board.current());
        next.totals.seq += 1;
        let mut settling = match writer.settling.take() {
            Some(settling) => settling,
            None if next.recent.len() > 0 => start_settling(&mut next),
            None => return Ok(false),
        };
        let done = settling.done_after(self.tuning.slice);
        if settling.is_done_at(done) {
            next.totals.indexed_upto = settling.upto;
            next.settling = None;
        }
        let left = next.settling.is_some() || next.recent.len() > 0;
        let written = self.write_aside(writer, next, |connection| {
            settling.write_slice(connection, self.tuning.slice).map(drop)
        });
        if let Err(error) = written {
            // What readers see did not change. If the settling had just begun, it begins anew next time.
            writer.settling = self.board.current().settling.is_some().then_some(settling);
            return Err(error);
        }
        if !settling.is_done_at(done) {
            settling.advance(done);
            writer.settling = Some(settling);
        }
        Ok(left)
    }

    /// Overwrites what was erased and is no longer read by anyone, and forgets that it is due.
    pub(crate) fn finish_erasures(&self, writer: &mut Writer) -> Result<(), StoreError> {
        const FINISH: &str = "erasing";
        let state = self.board.current();
        let due = state.erasures.due_at(self.board.oldest());
        if due.is_empty() {
            return Ok(());
        }
        let mut touched = BTreeSet::new();
        for (segment, erasure) in &due {
            let place: Option<(u32, u64, Option<u64>)> = writer
                .connection
                .prepare_cached("SELECT file, offset, near FROM segments WHERE id = ?")
                .and_then(|mut one| {
                    one.query_row([segment], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()
                })
                .doing(FINISH)?;
            let Some((file, offset, near)) = place else { continue };
            for copy in [Some(offset), near].into_iter().flatten() {
                self.bodies.blank(file, copy + u64::from(erasure.offset), erasure.length)?;
            }
            touched.insert(file);
        }
        self.bodies.flush(&touched)?;
        let next = State {
            totals: Totals { seq: state.totals.seq + 1, ..state.totals },
            erasures: Arc::new(state.erasures.without(&due)),
            ..State::clone(&state)
        };
        self.write_aside(writer, next, |connection| {
            let mut delete = connection
                .prepare_cached("DELETE FROM erasures WHERE segment = ? AND idx = ?")
                .doing(FINISH)?;
            for (segment, erasure) in &due {
                delete.execute((segment, erasure.index)).doing(FINISH)?;
            }
            Ok(())
        })
    }

    /// Writes what changes nothing that anyone can see, in a transaction of its own, and makes `next` current.
    pub(crate) fn write_aside(
        &self,
        writer: &mut Writer,
        next: State,
        write: impl FnOnce(&Connection) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let connection = &writer.connection;
        connection.execute_batch("BEGIN IMMEDIATE").doing("beginning to write")?;
        let written = write(connection).and_then(|()| next.totals.write(connection));
        if let Err(error) = written {
            writer.wedged |= !connection.is_autocommit() && connection.execute_batch("ROLLBACK").is_err();
            return Err(error);
        }
        self.board.announce(next);
        if let Err(error) = connection.execute_batch("COMMIT") {
            let is_undone = is_certainly_undone(&error)
                && (connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok());
            if is_undone {
                self.board.withdraw();
            } else {
                // As with any commit: whether it happened is found out at the next start.
                writer.wedged = true;
            }
            return Err(StoreError::failed("committing", error));
        }
        self.board.fulfil();
        Ok(())
    }
}
