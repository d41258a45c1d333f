//! Reading as of one moment.

use std::cell::RefCell;
use std::sync::Arc;

use model::{CollectionId, LabelId, Timestamp};
use release::View;
use rusqlite::{Connection, OptionalExtension};
use store::{
    CommitNo, CommitRow, Copy, Heads, Horizon, Inventory, Mark, Record, Run, SegmentId, Snapshot, StoreError,
    StoredEntry,
};

use crate::ahead::ReadAhead;
use crate::bodies::BodyFiles;
use crate::commits::Commit;
use crate::doing::Doing;
use crate::ids;
use crate::keys::Key;
use crate::open::SqliteStore;
use crate::pool::Pool;
use crate::reading::{HeadsCache, Reading, last_run, runs, select_runs};
use crate::state::{Board, State, Totals};

/// How often a snapshot pins its transaction again because the writer went on by several commits meanwhile. One
/// time is rare; so many mean that the database and this process no longer agree.
const PINS_MAX: usize = 10_000;
/// How many runs are read ahead when objects are asked for by their number, at first and at most.
const AHEAD_FIRST: usize = 4;
const AHEAD_MAX: usize = 256;

pub(crate) struct SqliteSnapshot<'s> {
    connection: Option<Connection>,
    pool: &'s Pool,
    board: &'s Board,
    bodies: &'s BodyFiles,
    state: Arc<State>,
    heads: HeadsCache,
    read_ahead: ReadAhead,
    ahead: RefCell<Ahead>,
    /// The commits that were asked for last; their segments are likely to be asked for next.
    walked: RefCell<Vec<Commit>>,
}

/// Consecutive runs of one label.
#[derive(Debug)]
struct Ahead {
    runs: Vec<Run>,
    fetch: usize,
}

impl<'s> SqliteSnapshot<'s> {
    pub(crate) fn take(store: &'s SqliteStore) -> Result<Self, StoreError> {
        let SqliteStore { pool, board, bodies, .. } = store;
        let connection = pool.take()?;
        match pin(&connection, board) {
            Ok(state) => Ok(Self {
                connection: Some(connection),
                pool,
                board,
                bodies,
                state,
                heads: HeadsCache::default(),
                ahead: RefCell::new(Ahead { runs: Vec::new(), fetch: AHEAD_FIRST }),
                walked: RefCell::default(),
                read_ahead: ReadAhead::default(),
            }),
            Err(error) => {
                drop(connection);
                pool.forget();
                Err(error)
            }
        }
    }

    fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("a snapshot has its connection until it is dropped")
    }

    pub(crate) fn reading(&self) -> Reading<'_> {
        let Self { bodies, state, heads, read_ahead, .. } = self;
        Reading {
            connection: self.connection(),
            bodies,
            erasures: &state.erasures,
            heads,
            ahead: Some(read_ahead),
        }
    }

    /// Searches the label's segments for the one with object number `ordinal`.
    fn search(&self, label: LabelId, ordinal: u64) -> Result<Option<Run>, StoreError> {
        let Some(whole) = Key::range(label, CommitNo(0)) else { return Ok(None) };
        let holds = |run: &Run| (run.before..run.before + u64::from(run.count)).contains(&ordinal);
        let first =
            runs(self.connection(), select_runs!("WHERE id BETWEEN ? AND ? LIMIT ?"), whole, 1)?.pop();
        let (Some(mut low), Some(mut high)) = (first, last_run(self.connection(), whole)?) else {
            return Ok(None);
        };
        if ordinal >= high.before + u64::from(high.count) {
            return Ok(None);
        }
        // INVARIANT: the segment lies at or after `low` and at or before `high`.
        let mut guesses = true;
        while !holds(&low) && !holds(&high) {
            // Commits of a label mostly bring like numbers of objects, so guessing by proportion is soon there; halving
            // in turn with it keeps the worst case logarithmic.
            let (from, to) = (low.id.commit.0 + 1, high.id.commit.0 - 1);
            let middle =
                if guesses { proportional(from, to, &low, &high, ordinal) } else { from.midpoint(to) };
            guesses = !guesses;
            let after_low = SegmentId { label, commit: CommitNo(from) };
            let up_to = SegmentId { label, commit: CommitNo(middle) };
            let (Some(after_low), Some(up_to)) = (Key::of(after_low), Key::of(up_to)) else {
                return Ok(None);
            };
            match last_run(self.connection(), (after_low, up_to))? {
                Some(run) if run.before <= ordinal => low = run,
                Some(run) => high = run,
                // Nothing lies between: then the next one behind the middle takes over from below.
                None => {
                    let Some(rest) = Key::range(label, CommitNo(middle + 1)) else { return Ok(None) };
                    let sql = select_runs!("WHERE id BETWEEN ? AND ? LIMIT ?");
                    match runs(self.connection(), sql, rest, 1)?.pop() {
                        Some(run) if run.before <= ordinal => low = run,
                        Some(_) | None => return Ok(None), // a gap in the numbers: damaged
                    }
                }
            }
        }
        Ok(Some(if holds(&low) { low } else { high }))
    }
}

/// Where between two commits the object should lie if all commits brought like numbers.
fn proportional(from: u64, to: u64, low: &Run, high: &Run, ordinal: u64) -> u64 {
    let passed = u128::from(ordinal.saturating_sub(low.before));
    let all = u128::from(high.before.saturating_sub(low.before)).max(1);
    let span = u128::from(to.saturating_sub(from));
    let step = u64::try_from(span * passed / all).unwrap_or(0);
    from.saturating_add(step).min(to)
}

/// Begins a read transaction and takes the state that goes with what it reads.
fn pin(connection: &Connection, board: &Board) -> Result<Arc<State>, StoreError> {
    const PIN: &str = "taking a snapshot";
    let run = |sql| connection.prepare_cached(sql).and_then(|mut statement| statement.execute(())).doing(PIN);
    for _ in 0..PINS_MAX {
        run("BEGIN")?;
        // The first read pins the transaction.
        let totals = Totals::read(connection)?;
        if let Some(state) = board.hold(totals.seq) {
            return Ok(state);
        }
        run("COMMIT")?;
    }
    let changed = "the database was changed by someone else; open the store again";
    Err(StoreError::failed(PIN, changed))
}

impl Drop for SqliteSnapshot<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            let ended = connection.prepare_cached("COMMIT").and_then(|mut statement| statement.execute(()));
            if ended.is_ok() {
                self.pool.give_back(connection);
            } else {
                drop(connection);
                self.pool.forget();
            }
        }
        self.board.let_go(self.state.totals.seq);
    }
}

const COMMITS: &str = "reading the commits of a collection";

impl Snapshot for SqliteSnapshot<'_> {
    fn horizon(&self) -> Horizon {
        self.state.totals.horizon
    }

    fn commits(
        &self,
        _: &View,
        collection: CollectionId,
        from: Timestamp,
        limit: usize,
    ) -> Result<Vec<CommitRow>, StoreError> {
        let sql = "SELECT no, at, marked, file, offset, labels FROM commits
                   WHERE collection = (SELECT no FROM collections WHERE uuid = ?) AND at >= ? ORDER BY at LIMIT ?";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut query = self.connection().prepare_cached(sql).doing(COMMITS)?;
        let values = (collection.to_string(), from.as_micros(), limit);
        let found = query.query_map(values, Commit::of).doing(COMMITS)?;
        let found = found.collect::<Result<Vec<_>, _>>().doing(COMMITS)?;
        let commits = found.iter().map(Commit::to_row).collect();
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
                   WHERE collection = (SELECT no FROM collections WHERE uuid = ?) AND at <= ? ORDER BY at DESC LIMIT 1";
        self.connection()
            .prepare_cached(sql)
            .and_then(|mut one| {
                one.query_row((collection.to_string(), at.as_micros()), |row| {
                    Ok((CommitNo(row.get(0)?), Timestamp::from_micros(row.get(1)?)))
                })
                .optional()
            })
            .doing(COMMITS)
    }

    fn runs(&self, _: &View, label: LabelId, from: CommitNo, limit: usize) -> Result<Vec<Run>, StoreError> {
        let Some(bounds) = Key::range(label, from) else { return Ok(Vec::new()) };
        runs(self.connection(), select_runs!("WHERE id BETWEEN ? AND ? LIMIT ?"), bounds, limit)
    }

    fn run(&self, _: &View, segment: SegmentId) -> Result<Option<Run>, StoreError> {
        let walked = self.walked.borrow();
        if let Ok(index) = walked.binary_search_by_key(&segment.commit, Commit::no)
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
        // Whoever reads on right behind what was read ahead is walking: read further ahead, and do not search.
        let last = ahead.runs.last().filter(|run| run.id.label == label);
        let walks = last.filter(|run| run.before + u64::from(run.count) == ordinal).copied();
        let from = match walks {
            Some(last) => CommitNo(last.id.commit.0 + 1),
            None => match self.search(label, ordinal)? {
                Some(found) => found.id.commit,
                None => return Ok(None),
            },
        };
        ahead.fetch = if walks.is_some() { (ahead.fetch * 2).min(AHEAD_MAX) } else { AHEAD_FIRST };
        let Some(bounds) = Key::range(label, from) else { return Ok(None) };
        let sql = select_runs!("WHERE id BETWEEN ? AND ? LIMIT ?");
        ahead.runs = runs(self.connection(), sql, bounds, ahead.fetch)?;
        Ok(ahead.runs.first().copied())
    }

    fn count_before(&self, _: &View, label: LabelId, commit: CommitNo) -> Result<u64, StoreError> {
        let Some((first, last)) = Key::range(label, CommitNo(0)) else { return Ok(0) };
        let Some(before) = commit.0.checked_sub(1) else { return Ok(0) };
        let up_to = Key::of(SegmentId { label, commit: CommitNo(before) }).unwrap_or(last);
        let run = last_run(self.connection(), (first, up_to))?;
        Ok(run.map_or(0, |run| run.before + u64::from(run.count)))
    }

    fn heads(&self, _: &View, run: &Run) -> Result<Heads, StoreError> {
        self.reading().heads_of(run.id).map(|heads| Heads::clone(&heads))
    }

    fn marks(&self, _: &View, run: &Run) -> Result<Vec<Mark>, StoreError> {
        self.reading().marks(run.id)
    }

    fn was_relabelled(&self, _: &View, label: LabelId) -> Result<bool, StoreError> {
        self.connection()
            .prepare_cached("SELECT 1 FROM relabelled WHERE label = ?")
            .and_then(|mut any| any.exists([label.number()]))
            .doing("looking for relabelled objects")
    }

    fn read(&self, _: &View, run: &Run, first: u32, count: u32, out: &mut Vec<u8>) -> Result<(), StoreError> {
        self.reading().bodies(run, first, count, out)
    }

    fn find(&self, _: &View, id: &str) -> Result<Vec<Copy>, StoreError> {
        let (hash, mut spots) = (store::id_hash(id), Vec::new());
        let last = self.state.totals.horizon.commit;
        self.state.recent.collect(hash, last, &mut spots);
        if let Some(settling) = &self.state.settling {
            settling.collect(hash, last, &mut spots);
        }
        ids::collect_indexed(self.connection(), hash, &mut spots)?;
        self.reading().copies(spots, Some(id))
    }

    fn get(&self, kind: &str, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.connection()
            .prepare_cached("SELECT value FROM records WHERE kind = ? AND key = ?")
            .and_then(|mut one| one.query_row((kind, key), |row| row.get(0)).optional())
            .doing("reading a record")
    }

    fn list(&self, kind: &str, prefix: &str) -> Result<Vec<Record>, StoreError> {
        const LIST: &str = "listing records";
        let sql = "SELECT key, value FROM records WHERE kind = ? AND key >= ? ORDER BY key";
        let mut query = self.connection().prepare_cached(sql).doing(LIST)?;
        let mut rows = query.query((kind, prefix)).doing(LIST)?;
        let mut records = Vec::new();
        while let Some(row) = rows.next().doing(LIST)? {
            let key: String = row.get(0).doing(LIST)?;
            if !key.starts_with(prefix) {
                break;
            }
            records.push(Record { kind: kind.to_owned(), key, value: row.get(1).doing(LIST)? });
        }
        Ok(records)
    }

    fn list_after(
        &self,
        kind: &str,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        const LIST: &str = "listing records";
        let sql =
            "SELECT key, value FROM records WHERE kind = ? AND key >= ? AND key > ? ORDER BY key LIMIT ?";
        let mut query = self.connection().prepare_cached(sql).doing(LIST)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = query.query((kind, prefix, after, limit)).doing(LIST)?;
        let mut records = Vec::new();
        while let Some(row) = rows.next().doing(LIST)? {
            let key: String = row.get(0).doing(LIST)?;
            if !key.starts_with(prefix) {
                break;
            }
            records.push(Record { kind: kind.to_owned(), key, value: row.get(1).doing(LIST)? });
        }
        Ok(records)
    }

    fn last_key(&self, kind: &str) -> Result<Option<String>, StoreError> {
        const LAST: &str = "finding the last record";
        let sql = "SELECT key FROM records WHERE kind = ? ORDER BY key DESC LIMIT 1";
        let mut query = self.connection().prepare_cached(sql).doing(LAST)?;
        query.query_row([kind], |row| row.get(0)).optional().doing(LAST)
    }

    fn entries(&self, from: u64, limit: usize) -> Result<Vec<StoredEntry>, StoreError> {
        const ENTRIES: &str = "reading ledger entries";
        let (Ok(from), limit) = (i64::try_from(from), i64::try_from(limit).unwrap_or(i64::MAX)) else {
            return Ok(Vec::new());
        };
        let sql = "SELECT idx, salt, body FROM entries WHERE idx >= ? ORDER BY idx LIMIT ?";
        let mut query = self.connection().prepare_cached(sql).doing(ENTRIES)?;
        let entries = query
            .query_map((from, limit), |row| {
                Ok(StoredEntry { index: row.get(0)?, salt: row.get(1)?, body: row.get(2)? })
            })
            .doing(ENTRIES)?;
        entries.collect::<Result<_, _>>().doing(ENTRIES)
    }

    fn tile(&self, level: u8, index: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let Ok(index) = i64::try_from(index) else { return Ok(None) };
        self.connection()
            .prepare_cached("SELECT data FROM tiles WHERE level = ? AND idx = ?")
            .and_then(|mut one| one.query_row((level, index), |row| row.get(0)).optional())
            .doing("reading a tile of the ledger")
    }

    fn names(&self, segment: SegmentId) -> Result<Option<Heads>, StoreError> {
        Ok(self.reading().heads(segment)?.map(|heads| Heads::clone(&heads)))
    }

    fn inventory(&self) -> Result<Inventory, StoreError> {
        let Totals { objects, gone, segments, body_bytes, horizon, .. } = self.state.totals;
        Ok(Inventory {
            objects: objects.saturating_sub(gone),
            segments,
            entries: horizon.entries,
            body_bytes,
        })
    }
}
