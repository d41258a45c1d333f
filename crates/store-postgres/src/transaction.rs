//! Writing.

use std::sync::MutexGuard;

use model::{Epoch, LabelId, Timestamp};
use store::{
    CommitError, CommitNo, Copy, Horizon, Mark, Part, Position, Record, ReferenceKey, Segment, StoreError,
    StoredEntry, Stretch, Transaction, check_commit,
};

use crate::connection::Commit as Ended;
use crate::numbers::place_of;
use crate::open::{PostgresStore, Writer};
use crate::pending::{Commit, Pending};
use crate::reading::{Reading, select_runs};
use crate::totals::Totals;

pub(crate) struct PostgresTransaction<'s> {
    pub(crate) store: &'s PostgresStore,
    writer: MutexGuard<'s, Writer>,
    /// The writer's session; it is given back in the end.
    pub(crate) reading: Option<Reading>,
    pub(crate) totals: Totals,
    pub(crate) pending: Pending,
}

impl<'s> PostgresTransaction<'s> {
    pub(crate) fn begin(
        store: &'s PostgresStore,
        mut writer: MutexGuard<'s, Writer>,
    ) -> Result<Self, StoreError> {
        let connection = match writer.connection.take() {
            Some(connection) if !connection.is_closed() => connection,
            Some(_) | None => store.connect()?,
        };
        let totals = writer.totals;
        let reading = Some(Reading::new(connection));
        Ok(Self { store, writer, reading, totals, pending: Pending::default() })
    }

    fn reading(&self) -> &Reading {
        self.reading.as_ref().expect("a transaction has its connection until it ends")
    }

    /// How many objects the label has.
    fn tail(&self, label: LabelId) -> Result<u64, StoreError> {
        if let Some(total) = self.pending.tails.get(&label).or_else(|| self.writer.tails.get(&label)) {
            return Ok(*total);
        }
        let sql = select_runs!("WHERE label = $1 ORDER BY no DESC LIMIT 1");
        let last = self.reading().runs(sql, &[&i64::from(label.number())])?.pop();
        Ok(last.map_or(0, |run| run.before + u64::from(run.count)))
    }

    /// Undoes what the database has of it, and gives the session back if it is of use.
    fn end(&mut self, is_sound: bool) {
        let Some(reading) = self.reading.take() else { return };
        self.writer.connection = is_sound.then(|| reading.into_connection());
    }
}

impl Drop for PostgresTransaction<'_> {
    fn drop(&mut self) {
        self.end(true);
    }
}

impl Transaction for PostgresTransaction<'_> {
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
        let Some(first) = segments.first() else { return Ok(()) };
        check_commit(&segments)?;
        let (collection, at, no) = (first.collection, first.at, first.id.commit);
        let mut parts = Vec::with_capacity(segments.len());
        for segment in &segments {
            let length = u32::try_from(segment.bodies.len())
                .map_err(|error| StoreError::failed("writing a commit", error))?;
            let before = self.tail(segment.id.label)?;
            parts.push(Part { label: segment.id.label, count: segment.count(), length, before });
        }
        for (segment, part) in segments.into_iter().zip(&parts) {
            self.totals.objects += u64::from(part.count);
            self.totals.segments += 1;
            self.totals.body_bytes += u64::from(part.length);
            self.pending.add(segment, part.before);
        }
        self.pending.commits.push(Commit { collection, at, no, parts });
        Ok(())
    }

    fn mark(&mut self, mark: Mark) -> Result<(), StoreError> {
        self.pending.marks.insert(mark.position, mark);
        Ok(())
    }

    fn erase(&mut self, position: Position) -> Result<(), StoreError> {
        self.pending.erased.entry(position.segment).or_default().insert(position.index);
        Ok(())
    }

    fn find(&self, id: &str) -> Result<Vec<Copy>, StoreError> {
        Ok(self.pending.with_id(id, self.reading().find(id)?))
    }

    fn is_same(&self, copy: &Copy, body: &[u8]) -> Result<bool, StoreError> {
        Ok(self.body_for_relabelling(copy)? == body)
    }

    fn body_for_relabelling(&self, copy: &Copy) -> Result<Vec<u8>, StoreError> {
        let mut body = if let Some(body) = self.pending.body(copy.position()) {
            body.to_vec()
        } else {
            let mut body = Vec::new();
            self.reading().bodies(&[Stretch { run: copy.run, first: copy.index, count: 1 }], &mut body)?;
            body
        };
        if self.pending.is_erased(copy.position()) {
            body.fill(b' ');
        }
        Ok(body)
    }

    fn referrers(&self, id: &str) -> Result<Vec<Copy>, StoreError> {
        let key = ReferenceKey::of(id);
        let mut stored = self.reading().referrers(&key.0)?;
        for position in self.pending.referring(&key) {
            if !self.pending.segments.contains_key(&position.segment) {
                stored.extend(self.reading().copy_at(position)?);
            }
        }
        Ok(self.pending.with_references(&key, stored))
    }

    fn refer_by(&mut self, key: ReferenceKey, position: Position) -> Result<(), StoreError> {
        self.pending.references.entry(key).or_default().insert(position);
        Ok(())
    }

    fn put(&mut self, record: Record) -> Result<(), StoreError> {
        self.pending.put(record);
        Ok(())
    }

    fn remove(&mut self, kind: &str, key: &str) -> Result<(), StoreError> {
        self.pending.records.insert((kind.to_owned(), key.to_owned()), None);
        Ok(())
    }

    fn append_entry(&mut self, entry: StoredEntry) -> Result<(), StoreError> {
        if entry.index != self.totals.horizon.entries {
            return Err(StoreError::Damaged(format!("ledger entry {} is out of turn", entry.index)));
        }
        self.totals.horizon.entries += 1;
        self.pending.entries.push(entry);
        Ok(())
    }

    fn put_tile(&mut self, level: u8, index: u64, tile: &[u8]) -> Result<(), StoreError> {
        self.pending.tiles.insert((level, index), tile.to_vec());
        Ok(())
    }

    fn commit(mut self: Box<Self>) -> Result<Horizon, CommitError> {
        let written = self.write_out();
        if let Err(error) = written {
            // Whatever the session was in the middle of ends with it.
            self.end(false);
            if matches!(error, StoreError::Superseded) {
                self.store.lose();
            }
            return Err(CommitError::NotApplied(error));
        }
        let ended = self.reading.as_mut().map_or(Ok(()), |reading| reading.connection().commit());
        match ended {
            Ok(()) => {}
            Err(Ended::Undone(error)) => {
                self.end(false);
                return Err(CommitError::NotApplied(error));
            }
            // Nothing may be built on it before somebody has looked: opening the store again does.
            Err(Ended::InDoubt(error)) => {
                self.end(false);
                self.writer.is_in_doubt = true;
                return Err(CommitError::Unknown(error));
            }
        }
        self.end(true);
        let tails = std::mem::take(&mut self.pending.tails);
        let mut totals = self.totals;
        totals.seq += 1;
        self.writer.totals = totals;
        self.writer.tails.extend(tails);
        if !self.pending.erased.is_empty() {
            self.writer.has_erased = true;
        }
        Ok(totals.horizon)
    }
}

impl PostgresTransaction<'_> {
    /// Everything short of the commit itself, in a transaction of the database.
    fn write_out(&mut self) -> Result<(), StoreError> {
        let Self { reading, totals, pending, .. } = self;
        let Some(reading) = reading else { return Ok(()) };
        let connection = reading.connection();
        connection.run("beginning to write", "BEGIN")?;
        totals.gone = totals.gone.saturating_add_signed(crate::flush::write(connection, pending)?);
        // The last thing before the commit: so the row that others wait for is locked for as short as can be.
        if totals.write(connection)? { Ok(()) } else { Err(StoreError::Superseded) }
    }
}

/// A position as the three columns that name it.
pub(crate) fn columns(positions: impl Iterator<Item = Position>) -> (Vec<i64>, Vec<i64>, Vec<i64>) {
    let mut columns = (Vec::new(), Vec::new(), Vec::new());
    for position in positions {
        let (label, no, index) = place_of(position);
        columns.0.push(label);
        columns.1.push(no);
        columns.2.push(index);
    }
    columns
}
