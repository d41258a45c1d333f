//! What readers and the writer read alike.

use std::cell::RefCell;
use std::sync::Arc;

use model::{CollectionId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row};
use store::{Copy, Departure, Heads, Mark, Place, Position, Run, SegmentId, StoreError, byte_range};

use crate::ahead::ReadAhead;
use crate::bodies::BodyFiles;
use crate::doing::Doing;
use crate::erasures::Erasures;
use crate::ids::Spot;
use crate::keys::Key;

/// Selects what [`run_of`] reads.
macro_rules! select_runs {
    ($rest:literal) => {
        concat!(
            "SELECT id, at, before, count, marked, file, coalesce(near, offset), length FROM segments ",
            $rest
        )
    };
}
pub(crate) use select_runs;

const RUNS: &str = "reading where segments lie";

/// A connection within a transaction, and what it takes to read bodies.
pub(crate) struct Reading<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) bodies: &'a BodyFiles,
    pub(crate) erasures: &'a Erasures,
    pub(crate) heads: &'a HeadsCache,
    /// Bytes that were read ahead; the writer, whose files change under it, has none.
    pub(crate) ahead: Option<&'a ReadAhead>,
}

/// The heads that were read last. Pages and look-ups ask for the objects of one segment in a row.
#[derive(Debug, Default)]
pub(crate) struct HeadsCache(RefCell<Option<(SegmentId, Arc<Heads>)>>);

pub(crate) fn run_of(row: &Row<'_>) -> rusqlite::Result<Run> {
    Ok(Run {
        id: Key::segment(row.get(0)?),
        at: Timestamp::from_micros(row.get(1)?),
        before: row.get(2)?,
        count: row.get(3)?,
        marked: row.get(4)?,
        place: Place { file: row.get(5)?, offset: row.get(6)?, length: row.get(7)? },
    })
}

/// Runs a query from [`select_runs`] that has two numbers for parameters, and a limit.
pub(crate) fn runs(
    connection: &Connection,
    sql: &str,
    bounds: (Key, Key),
    limit: usize,
) -> Result<Vec<Run>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut query = connection.prepare_cached(sql).doing(RUNS)?;
    let rows = query.query_map((bounds.0.number(), bounds.1.number(), limit), run_of).doing(RUNS)?;
    rows.collect::<Result<_, _>>().doing(RUNS)
}

/// The last segment with a key in the range.
pub(crate) fn last_run(connection: &Connection, bounds: (Key, Key)) -> Result<Option<Run>, StoreError> {
    let sql = select_runs!("WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT ?");
    Ok(runs(connection, sql, bounds, 1)?.pop())
}

pub(crate) fn to_left(at: Option<i64>, kind: Option<i64>) -> Option<(Timestamp, Departure)> {
    let departure = if kind? == RELABELLED { Departure::Relabelled } else { Departure::Gone };
    Some((Timestamp::from_micros(at?), departure))
}

pub(crate) fn of_left(left: Option<(Timestamp, Departure)>) -> (Option<i64>, Option<i64>) {
    let kind = |departure| match departure {
        Departure::Gone => GONE,
        Departure::Relabelled => RELABELLED,
    };
    (left.map(|(at, _)| at.as_micros()), left.map(|(_, departure)| kind(departure)))
}

const GONE: i64 = 0;
const RELABELLED: i64 = 1;

impl Reading<'_> {
    pub(crate) fn run(&self, segment: SegmentId) -> Result<Option<Run>, StoreError> {
        let Some(key) = Key::of(segment) else { return Ok(None) };
        let sql = select_runs!("WHERE id = ?");
        self.connection
            .prepare_cached(sql)
            .and_then(|mut one| one.query_row([key.number()], run_of).optional())
            .doing(RUNS)
    }

    /// The heads of a segment, if it is there.
    pub(crate) fn heads(&self, segment: SegmentId) -> Result<Option<Arc<Heads>>, StoreError> {
        if let Some((id, heads)) = &*self.heads.0.borrow()
            && *id == segment
        {
            return Ok(Some(Arc::clone(heads)));
        }
        let Some(key) = Key::of(segment) else { return Ok(None) };
        let sql = "SELECT file, heads_offset, heads_length FROM segments WHERE id = ?";
        let place = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut one| {
                one.query_row([key.number()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()
            })
            .doing("finding the heads of a segment")?;
        let Some((file, offset, length)) = place else { return Ok(None) };
        let mut bytes = Vec::new();
        self.bodies.read(file, offset, length, &mut bytes)?;
        let heads = Heads::decode(bytes).map_err(|_| damaged_heads(segment))?;
        let heads = Arc::new(heads);
        self.heads.0.replace(Some((segment, Arc::clone(&heads))));
        Ok(Some(heads))
    }

    pub(crate) fn heads_of(&self, segment: SegmentId) -> Result<Arc<Heads>, StoreError> {
        self.heads(segment)?.ok_or_else(|| StoreError::Damaged(format!("segment {segment} is missing")))
    }

    /// Appends the bodies of some objects of a segment to `out`, joined by commas.
    pub(crate) fn bodies(
        &self,
        run: &Run,
        first: u32,
        count: u32,
        out: &mut Vec<u8>,
    ) -> Result<(), StoreError> {
        let (from, length) = if first == 0 && count == run.count {
            (0, run.place.length)
        } else {
            byte_range(&*self.heads_of(run.id)?, first, count).ok_or_else(|| {
                StoreError::Damaged(format!("segment {} lacks object {first} or what follows", run.id))
            })?
        };
        let (start, offset) = (out.len(), run.place.offset + u64::from(from));
        match self.ahead {
            Some(ahead) => ahead.read(self.bodies, run.place.file, offset, length, out)?,
            None => self.bodies.read(run.place.file, offset, length, out)?,
        }
        if !self.erasures.is_empty()
            && let Some(key) = Key::of(run.id)
        {
            self.erasures.blank(key.number(), from, &mut out[start..]);
        }
        Ok(())
    }

    pub(crate) fn marks(&self, segment: SegmentId) -> Result<Vec<Mark>, StoreError> {
        const MARKS: &str = "reading the marks of a segment";
        let Some(key) = Key::of(segment) else { return Ok(Vec::new()) };
        let sql = "SELECT idx, left_at, left_kind FROM marks WHERE segment = ? ORDER BY idx";
        let mut query = self.connection.prepare_cached(sql).doing(MARKS)?;
        let marks = query
            .query_map([key.number()], |row| {
                let position = Position { segment, index: row.get(0)? };
                Ok(Mark { position, left: to_left(row.get(1)?, row.get(2)?) })
            })
            .doing(MARKS)?;
        marks.collect::<Result<_, _>>().doing(MARKS)
    }

    /// The stored copies at `spots`, in the order of arrival; with an id, only those that have it.
    pub(crate) fn copies(&self, mut spots: Vec<Spot>, id: Option<&str>) -> Result<Vec<Copy>, StoreError> {
        let arrival = |spot: &Spot| {
            let segment = Key::segment(spot.0);
            (segment.commit, segment.label, spot.1)
        };
        spots.sort_unstable_by_key(arrival);
        spots.dedup();
        let mut copies = Vec::new();
        for (segment, index) in spots {
            copies.extend(self.copy_at(segment, index, id)?);
        }
        Ok(copies)
    }

    fn copy_at(&self, key: i64, index: u32, id: Option<&str>) -> Result<Option<Copy>, StoreError> {
        const COPY: &str = "looking up an object";
        let segment = Key::segment(key);
        let Some(heads) = self.heads(segment)? else { return Ok(None) };
        if index >= heads.count() {
            return Ok(None);
        }
        let head = heads.record(index).ok_or_else(|| damaged_heads(segment))?;
        if id.is_some_and(|id| id != head.id) {
            return Ok(None);
        }
        let sql = "SELECT id, at, before, count, marked, file, coalesce(near, offset), length, uuid
                   FROM segments JOIN collections ON no = collection WHERE id = ?";
        let (run, collection): (Run, String) = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut one| one.query_row([key], |row| Ok((run_of(row)?, row.get(8)?))))
            .doing(COPY)?;
        let collection: CollectionId = collection
            .parse()
            .map_err(|_| StoreError::Damaged(format!("segment {segment} is of collection `{collection}`")))?;
        let sql = "SELECT left_at, left_kind FROM marks WHERE segment = ? AND idx = ?";
        let left = if run.marked {
            self.connection
                .prepare_cached(sql)
                .and_then(|mut one| {
                    one.query_row((key, index), |row| Ok(to_left(row.get(0)?, row.get(1)?))).optional()
                })
                .doing(COPY)?
                .flatten()
        } else {
            None
        };
        Ok(Some(Copy { collection, run, index, head, left }))
    }
}

fn damaged_heads(segment: SegmentId) -> StoreError {
    StoreError::Damaged(format!("the heads of segment {segment} are damaged"))
}
