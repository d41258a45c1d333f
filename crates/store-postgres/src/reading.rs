//! What readers and the writer read alike.

use std::cell::RefCell;
use std::sync::Arc;

use model::{CollectionId, Timestamp};
use postgres::Row;
use store::{
    Copy, HeadRecord, Heads, Mark, Place, Position, Run, SegmentId, StoreError, Stretch, byte_range, id_hash,
};

use crate::connection::Connection;
use crate::numbers::{big, left_of, place_of, segment_of, small};

/// How many segments' heads are kept: pages and look-ups ask for the objects of one segment in a row.
const HEADS_KEPT: usize = 4;

/// Selects what [`run_of`] reads.
macro_rules! select_runs {
    ($rest:literal) => {
        concat!("SELECT label, no, at, before, count, length, marked FROM segments ", $rest)
    };
}
pub(crate) use select_runs;

pub(crate) fn run_of(row: &Row) -> Run {
    let place = Place { file: 0, offset: 0, length: small(row.get(5)) };
    Run {
        id: segment_of(row.get(0), row.get(1)),
        at: Timestamp::from_micros(row.get(2)),
        before: small(row.get(3)),
        count: small(row.get(4)),
        marked: row.get(6),
        place,
    }
}

/// A session, and what was read through it.
#[derive(Debug)]
pub(crate) struct Reading {
    connection: RefCell<Connection>,
    heads: RefCell<Vec<(SegmentId, Arc<Heads>)>>,
}

impl Reading {
    pub(crate) fn new(connection: Connection) -> Self {
        Self { connection: RefCell::new(connection), heads: RefCell::default() }
    }

    pub(crate) fn into_connection(self) -> Connection {
        self.connection.into_inner()
    }

    pub(crate) fn query(
        &self,
        doing: &'static str,
        sql: &'static str,
        values: &[&(dyn postgres::types::ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        self.connection.borrow_mut().query(doing, sql, values)
    }

    /// The session, for what is more than a question.
    pub(crate) fn connection(&mut self) -> &mut Connection {
        self.connection.get_mut()
    }

    pub(crate) fn runs(
        &self,
        sql: &'static str,
        values: &[&(dyn postgres::types::ToSql + Sync)],
    ) -> Result<Vec<Run>, StoreError> {
        Ok(self.query("reading where segments lie", sql, values)?.iter().map(run_of).collect())
    }

    pub(crate) fn run(&self, segment: SegmentId) -> Result<Option<Run>, StoreError> {
        let (label, no) = (i64::from(segment.label.number()), big(segment.commit.0));
        Ok(self.runs(select_runs!("WHERE label = $1 AND no = $2"), &[&label, &no])?.pop())
    }

    /// The heads of a segment, if it is there.
    pub(crate) fn heads(&self, segment: SegmentId) -> Result<Option<Arc<Heads>>, StoreError> {
        if let Some((_, heads)) = self.heads.borrow().iter().find(|(id, _)| *id == segment) {
            return Ok(Some(Arc::clone(heads)));
        }
        let (label, no) = (i64::from(segment.label.number()), big(segment.commit.0));
        let sql = "SELECT heads FROM segments WHERE label = $1 AND no = $2";
        let rows = self.query("reading the heads of a segment", sql, &[&label, &no])?;
        let Some(row) = rows.first() else { return Ok(None) };
        let heads = Arc::new(Heads::decode(row.get(0)).map_err(|_| damaged_heads(segment))?);
        let mut kept = self.heads.borrow_mut();
        if kept.len() >= HEADS_KEPT {
            kept.remove(0);
        }
        kept.push((segment, Arc::clone(&heads)));
        Ok(Some(heads))
    }

    pub(crate) fn heads_of(&self, segment: SegmentId) -> Result<Arc<Heads>, StoreError> {
        self.heads(segment)?.ok_or_else(|| StoreError::Damaged(format!("segment {segment} is missing")))
    }

    /// Where a stretch lies among the bodies of its segment: offset and length.
    fn range(&self, stretch: &Stretch) -> Result<(u32, u32), StoreError> {
        let Stretch { run, first, count } = stretch;
        if *first == 0 && *count == run.count {
            return Ok((0, run.place.length));
        }
        byte_range(&*self.heads_of(run.id)?, *first, *count).ok_or_else(|| {
            StoreError::Damaged(format!("segment {} lacks object {first} or what follows", run.id))
        })
    }

    /// Appends the bodies of some stretches to `out`, joined by commas.
    pub(crate) fn bodies(&self, stretches: &[Stretch], out: &mut Vec<u8>) -> Result<(), StoreError> {
        let (mut labels, mut numbers) = (Vec::new(), Vec::new());
        // `substring` counts from 1.
        let (mut froms, mut lengths) = (Vec::new(), Vec::new());
        for stretch in stretches {
            let (offset, length) = self.range(stretch)?;
            labels.push(i64::from(stretch.run.id.label.number()));
            numbers.push(big(stretch.run.id.commit.0));
            froms.push(i32::try_from(offset).unwrap_or(i32::MAX).saturating_add(1));
            lengths.push(i32::try_from(length).unwrap_or(i32::MAX));
        }
        let sql = "SELECT substring(bodies FROM start FOR length_wanted)
                   FROM unnest($1::bigint[], $2::bigint[], $3::int[], $4::int[])
                        WITH ORDINALITY AS wanted (label_wanted, no_wanted, start, length_wanted, turn)
                   JOIN segments ON label = label_wanted AND no = no_wanted ORDER BY turn";
        let rows = self.query("reading bodies", sql, &[&labels, &numbers, &froms, &lengths])?;
        let is_whole =
            |row: &Row, length: &i32| i64::try_from(row.get::<_, &[u8]>(0).len()) == Ok(i64::from(*length));
        if rows.len() != stretches.len()
            || !rows.iter().zip(&lengths).all(|(row, length)| is_whole(row, length))
        {
            return Err(StoreError::Damaged("the bodies of a segment are missing or too short".to_owned()));
        }
        for (index, row) in rows.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend_from_slice(row.get(0));
        }
        Ok(())
    }

    pub(crate) fn marks(&self, segment: SegmentId) -> Result<Vec<Mark>, StoreError> {
        let (label, no) = (i64::from(segment.label.number()), big(segment.commit.0));
        let sql = "SELECT idx, left_at, relabelled FROM marks WHERE label = $1 AND no = $2 ORDER BY idx";
        let rows = self.query("reading the marks of a segment", sql, &[&label, &no])?;
        let mark = |row: &Row| {
            let position = Position { segment, index: small(row.get(0)) };
            Mark { position, left: left_of(row.get(1), row.get(2)) }
        };
        Ok(rows.iter().map(mark).collect())
    }

    /// Every stored copy with this id, in the order of arrival.
    pub(crate) fn find(&self, id: &str) -> Result<Vec<Copy>, StoreError> {
        let sql = "SELECT s.label, s.no, s.at, s.before, s.count, s.length, s.marked, s.collection::text,
                          i.idx, m.left_at, m.relabelled, i.version, i.revoked
                   FROM ids i JOIN segments s ON s.label = i.label AND s.no = i.no
                   LEFT JOIN marks m ON m.label = i.label AND m.no = i.no AND m.idx = i.idx
                   WHERE i.hash = $1 AND i.id = $2 ORDER BY i.no, i.label, i.idx";
        let rows = self.query("looking up an id", sql, &[&id_hash(id), &id.as_bytes()])?;
        rows.iter()
            .map(|row| {
                let version = text(row.get(11));
                copy_of(row, HeadRecord { id: id.to_owned(), version, revoked: row.get(12) })
            })
            .collect()
    }

    /// The copies that name something in one of their references, in the order of arrival.
    pub(crate) fn referrers(&self, key: &[u8]) -> Result<Vec<Copy>, StoreError> {
        let sql = "SELECT s.label, s.no, s.at, s.before, s.count, s.length, s.marked, s.collection::text,
                          r.idx, m.left_at, m.relabelled
                   FROM refs r JOIN segments s ON s.label = r.label AND s.no = r.no
                   LEFT JOIN marks m ON m.label = r.label AND m.no = r.no AND m.idx = r.idx
                   WHERE r.key = $1 ORDER BY r.no, r.label, r.idx";
        let rows = self.query("looking up references", sql, &[&key])?;
        rows.iter()
            .map(|row| {
                let segment = segment_of(row.get(0), row.get(1));
                let head = self.heads_of(segment)?.record(small(row.get(8)));
                copy_of(row, head.ok_or_else(|| damaged_heads(segment))?)
            })
            .collect()
    }

    /// The copy at a position, if there is one.
    pub(crate) fn copy_at(&self, position: Position) -> Result<Option<Copy>, StoreError> {
        let (label, no, index) = place_of(position);
        let sql = "SELECT s.label, s.no, s.at, s.before, s.count, s.length, s.marked, s.collection::text,
                          $3::bigint, m.left_at, m.relabelled
                   FROM segments s LEFT JOIN marks m ON m.label = s.label AND m.no = s.no AND m.idx = $3
                   WHERE s.label = $1 AND s.no = $2";
        let rows = self.query("looking up an object", sql, &[&label, &no, &index])?;
        let Some(row) = rows.first() else { return Ok(None) };
        let Some(head) = self.heads_of(position.segment)?.record(position.index) else { return Ok(None) };
        copy_of(row, head).map(Some)
    }
}

fn copy_of(row: &Row, head: HeadRecord) -> Result<Copy, StoreError> {
    let run = run_of(row);
    let collection = collection_of(row.get(7))?;
    let left = left_of(row.get(9), row.get(10));
    Ok(Copy { collection, run, index: small(row.get(8)), head, left })
}

pub(crate) fn collection_of(uuid: &str) -> Result<CollectionId, StoreError> {
    uuid.parse().map_err(|_| StoreError::Damaged(format!("`{uuid}` is no collection")))
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn damaged_heads(segment: SegmentId) -> StoreError {
    StoreError::Damaged(format!("the heads of segment {segment} are damaged"))
}
