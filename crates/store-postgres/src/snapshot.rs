//! Reading as of one moment: a transaction that sees what was committed when it began, and nothing else.

use std::cell::RefCell;
use std::sync::Arc;

use model::{CollectionId, LabelId, Timestamp};
use postgres::Row;
use release::View;
use store::{
    CommitNo, CommitRow, Copy, Heads, Horizon, Inventory, Mark, Part, Place, Record, Run, SegmentId,
    Snapshot, StoreError, StoredEntry, Stretch,
};

use crate::connection::Connection;
use crate::numbers::{big, small};
use crate::open::PostgresStore;
use crate::pool::Pool;
use crate::reading::{Reading, select_runs, text};
use crate::totals::Totals;

/// How many runs are read ahead when objects are asked for by their number, at first and at most.
const AHEAD_FIRST: usize = 16;
const AHEAD_MAX: usize = 256;

const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
const SNAPSHOT: &str = "taking a snapshot";

pub(crate) struct PostgresSnapshot<'s> {
    /// Always there until it is dropped.
    reading: Option<Reading>,
    pool: &'s Pool,
    totals: Totals,
    ahead: RefCell<Ahead>,
    /// The commits that were asked for last, in order; their segments are likely to be asked for next.
    walked: RefCell<Vec<Walked>>,
}

/// Consecutive runs of one label.
#[derive(Debug)]
struct Ahead {
    runs: Vec<Run>,
    fetch: usize,
}

/// A commit as its row tells it.
#[derive(Clone, Debug)]
struct Walked {
    no: CommitNo,
    at: Timestamp,
    marked: bool,
    parts: Vec<Part>,
}

impl Walked {
    fn of_row(row: &Row) -> Self {
        let (no, at) = (CommitNo(small(row.get(0))), Timestamp::from_micros(row.get(1)));
        Self { no, at, marked: row.get(2), parts: Part::decode(row.get(3)).collect() }
    }

    fn to_row(&self) -> CommitRow {
        let labels = self.parts.iter().map(|part| (part.label, part.count)).collect();
        CommitRow { no: self.no, at: self.at, labels }
    }

    /// The segment of a label; `None` if there is none, or if it may have marks.
    fn run(&self, label: LabelId) -> Option<Run> {
        if self.marked {
            return None;
        }
        let index = self.parts.binary_search_by_key(&label, |part| part.label).ok()?;
        let Part { count, length, before, .. } = self.parts[index];
        let place = Place { file: 0, offset: 0, length };
        Some(Run {
            id: SegmentId { label, commit: self.no },
            at: self.at,
            before,
            count,
            marked: false,
            place,
        })
    }
}

impl<'s> PostgresSnapshot<'s> {
    /// Begins a transaction, on another connection if the server has hung up on this one.
    pub(crate) fn take(store: &'s PostgresStore) -> Result<Self, StoreError> {
        let pool = &store.pool;
        let begun = match begin(pool) {
            Err(StoreError::Unavailable { .. }) => {
                pool.forget_idle();
                begin(pool)
            }
            begun => begun,
        };
        let (connection, totals) = begun?;
        let snapshot = Self {
            reading: Some(Reading::new(connection)),
            pool,
            totals,
            ahead: RefCell::new(Ahead { runs: Vec::new(), fetch: AHEAD_FIRST }),
            walked: RefCell::default(),
        };
        // What another hub has written since is not what this one's memory goes with.
        store.expect_fence(totals.fence)?;
        Ok(snapshot)
    }

    pub(crate) fn reading(&self) -> &Reading {
        self.reading.as_ref().expect("a snapshot has its connection until it is dropped")
    }

    /// The records of a kind whose keys begin with `prefix`, from the key `from` on.
    fn records(
        &self,
        kind: &str,
        prefix: &str,
        from: &[u8],
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        // No byte of a text is 255.
        let end = [prefix.as_bytes(), &[u8::MAX]].concat();
        let sql =
            "SELECT key, value FROM records WHERE kind = $1 AND key >= $2 AND key < $3 ORDER BY key LIMIT $4";
        let rows =
            self.reading().query("listing records", sql, &[&kind.as_bytes(), &from, &end, &big(limit)])?;
        let record = |row: &Row| Record { kind: kind.to_owned(), key: text(row.get(0)), value: row.get(1) };
        Ok(rows.iter().map(record).collect())
    }
}

fn begin(pool: &Pool) -> Result<(Connection, Totals), StoreError> {
    let mut connection = pool.take()?;
    // The first read after it decides what is seen.
    let begun = connection.run(SNAPSHOT, BEGIN).and_then(|()| Totals::read(&mut connection));
    match begun {
        Ok(totals) => Ok((connection, totals)),
        Err(error) => {
            drop(connection);
            pool.forget();
            Err(error)
        }
    }
}

impl Drop for PostgresSnapshot<'_> {
    fn drop(&mut self) {
        let Some(reading) = self.reading.take() else { return };
        let mut connection = reading.into_connection();
        if connection.run(SNAPSHOT, "COMMIT").is_ok() {
            self.pool.give_back(connection);
        } else {
            drop(connection);
            self.pool.forget();
        }
    }
}

impl Snapshot for PostgresSnapshot<'_> {
    fn horizon(&self) -> Horizon {
        self.totals.horizon
    }

    fn commits(
        &self,
        _: &View,
        collection: CollectionId,
        from: Timestamp,
        limit: usize,
    ) -> Result<Vec<CommitRow>, StoreError> {
        let sql = "SELECT no, at, marked, parts FROM commits
                   WHERE collection = $1::text::uuid AND at >= $2 ORDER BY at LIMIT $3";
        let values = (collection.to_string(), from.as_micros(), big(limit));
        let rows = self.reading().query(
            "reading the commits of a collection",
            sql,
            &[&values.0, &values.1, &values.2],
        )?;
        let found: Vec<Walked> = rows.iter().map(Walked::of_row).collect();
        let commits = found.iter().map(Walked::to_row).collect();
        self.walked.replace(found);
        Ok(commits)
    }

    fn commit_before(
        &self,
        _: &View,
        collection: CollectionId,
        at: Timestamp,
    ) -> Result<Option<(CommitNo, Timestamp)>, StoreError> {
        let sql = "SELECT no, at FROM commits
                   WHERE collection = $1::text::uuid AND at <= $2 ORDER BY at DESC LIMIT 1";
        let values = (collection.to_string(), at.as_micros());
        let rows =
            self.reading().query("reading the commits of a collection", sql, &[&values.0, &values.1])?;
        Ok(rows.first().map(|row| (CommitNo(small(row.get(0))), Timestamp::from_micros(row.get(1)))))
    }

    fn runs(&self, _: &View, label: LabelId, from: CommitNo, limit: usize) -> Result<Vec<Run>, StoreError> {
        let sql = select_runs!("WHERE label = $1 AND no >= $2 ORDER BY no LIMIT $3");
        self.reading().runs(sql, &[&i64::from(label.number()), &big(from.0), &big(limit)])
    }

    fn run(&self, _: &View, segment: SegmentId) -> Result<Option<Run>, StoreError> {
        let walked = self.walked.borrow();
        if let Ok(index) = walked.binary_search_by_key(&segment.commit, |commit| commit.no)
            && let Some(run) = walked[index].run(segment.label)
        {
            return Ok(Some(run));
        }
        self.reading().run(segment)
    }

    fn run_at(&self, _: &View, label: LabelId, ordinal: u64) -> Result<Option<Run>, StoreError> {
        let mut ahead = self.ahead.borrow_mut();
        let known = ahead.runs.partition_point(|run| run.before + u64::from(run.count) <= ordinal);
        if let Some(run) = ahead.runs.get(known)
            && run.id.label == label
            && run.before <= ordinal
        {
            return Ok(Some(*run));
        }
        let last = ahead.runs.last().filter(|run| run.id.label == label);
        let walks = last.is_some_and(|run| run.before + u64::from(run.count) == ordinal);
        ahead.fetch = if walks { (ahead.fetch * 2).min(AHEAD_MAX) } else { AHEAD_FIRST };
        // From the last one that begins at or before it.
        let sql = select_runs!(
            "WHERE label = $1 AND before >= (SELECT max(before) FROM segments WHERE label = $1 AND before <= $2)
             ORDER BY before LIMIT $3"
        );
        ahead.runs =
            self.reading().runs(sql, &[&i64::from(label.number()), &big(ordinal), &big(ahead.fetch)])?;
        let holds = |run: &Run| (run.before..run.before + u64::from(run.count)).contains(&ordinal);
        Ok(ahead.runs.first().copied().filter(holds))
    }

    fn count_before(&self, _: &View, label: LabelId, commit: CommitNo) -> Result<u64, StoreError> {
        let sql = select_runs!("WHERE label = $1 AND no < $2 ORDER BY no DESC LIMIT 1");
        let last = self.reading().runs(sql, &[&i64::from(label.number()), &big(commit.0)])?.pop();
        Ok(last.map_or(0, |run| run.before + u64::from(run.count)))
    }

    fn heads(&self, _: &View, run: &Run) -> Result<Heads, StoreError> {
        self.reading().heads_of(run.id).map(|heads| Heads::clone(&heads))
    }

    fn marks(&self, _: &View, run: &Run) -> Result<Vec<Mark>, StoreError> {
        self.reading().marks(run.id)
    }

    fn was_relabelled(&self, _: &View, label: LabelId) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM relabelled WHERE label = $1";
        let rows =
            self.reading().query("looking for relabelled objects", sql, &[&i64::from(label.number())])?;
        Ok(!rows.is_empty())
    }

    fn read(&self, _: &View, run: &Run, first: u32, count: u32, out: &mut Vec<u8>) -> Result<(), StoreError> {
        self.reading().bodies(&[Stretch { run: *run, first, count }], out)
    }

    fn read_all(&self, _: &View, stretches: &[Stretch], out: &mut Vec<u8>) -> Result<(), StoreError> {
        self.reading().bodies(stretches, out)
    }

    fn find(&self, _: &View, id: &str) -> Result<Vec<Copy>, StoreError> {
        self.reading().find(id)
    }

    fn get(&self, kind: &str, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT value FROM records WHERE kind = $1 AND key = $2";
        let rows = self.reading().query("reading a record", sql, &[&kind.as_bytes(), &key.as_bytes()])?;
        Ok(rows.first().map(|row| row.get(0)))
    }

    fn list(&self, kind: &str, prefix: &str) -> Result<Vec<Record>, StoreError> {
        self.records(kind, prefix, prefix.as_bytes(), usize::MAX)
    }

    fn list_after(
        &self,
        kind: &str,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        // The first key behind `after` is that with a zero more.
        let behind = [after.as_bytes(), &[0]].concat();
        self.records(kind, prefix, &behind.max(prefix.as_bytes().to_vec()), limit)
    }

    fn last_key(&self, kind: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT key FROM records WHERE kind = $1 ORDER BY key DESC LIMIT 1";
        let rows = self.reading().query("finding the last record", sql, &[&kind.as_bytes()])?;
        Ok(rows.first().map(|row| text(row.get(0))))
    }

    fn entries(&self, from: u64, limit: usize) -> Result<Vec<StoredEntry>, StoreError> {
        let sql = "SELECT idx, salt, body FROM entries WHERE idx >= $1 ORDER BY idx LIMIT $2";
        let rows = self.reading().query("reading ledger entries", sql, &[&big(from), &big(limit)])?;
        let entry = |row: &Row| -> Result<StoredEntry, StoreError> {
            let index = small(row.get(0));
            let salt = <[u8; 32]>::try_from(row.get::<_, &[u8]>(1)).map_err(|_| {
                StoreError::Damaged(format!("the salt of ledger entry {index} has another length"))
            })?;
            Ok(StoredEntry { index, salt, body: row.get(2) })
        };
        rows.iter().map(entry).collect()
    }

    fn tile(&self, level: u8, index: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT data FROM tiles WHERE level = $1 AND idx = $2";
        let rows =
            self.reading().query("reading a tile of the ledger", sql, &[&i64::from(level), &big(index)])?;
        Ok(rows.first().map(|row| row.get(0)))
    }

    fn names(&self, segment: SegmentId) -> Result<Option<Heads>, StoreError> {
        Ok(self.reading().heads(segment)?.map(Arc::unwrap_or_clone))
    }

    fn inventory(&self) -> Result<Inventory, StoreError> {
        Ok(self.totals.inventory())
    }
}
