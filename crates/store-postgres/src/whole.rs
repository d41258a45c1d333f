//! Reading everything, to move it.

use model::Timestamp;
use store::moving::{Item, Whole, segment_of};
use store::{Heads, Mark, Part, Position, Record, ReferenceKey, StoreError, StoredEntry};

use crate::numbers::{left_of, segment_of as id_of, small};
use crate::open::PostgresStore;
use crate::reading::{Reading, collection_of, text};
use crate::snapshot::PostgresSnapshot;

const EACH: &str = "reading everything";
/// How many rows are fetched at once.
const ROWS: i64 = 2_000;

type Take<'t> = &'t mut dyn FnMut(Item) -> Result<(), StoreError>;

impl Whole for PostgresStore {
    fn each(&self, take: Take<'_>) -> Result<(), StoreError> {
        let snapshot = PostgresSnapshot::take(self)?;
        let reading = snapshot.reading();
        commits(reading, take)?;
        marks(reading, take)?;
        references(reading, take)?;
        records(reading, take)?;
        ledger(reading, take)
    }
}

fn commits(reading: &Reading, take: Take<'_>) -> Result<(), StoreError> {
    let sql = "SELECT no, at, collection::text, parts FROM commits ORDER BY no";
    for row in reading.query(EACH, sql, &[])? {
        let (no, at): (i64, i64) = (row.get(0), row.get(1));
        let collection = collection_of(row.get(2))?;
        let mut segments = Vec::new();
        for part in Part::decode(row.get(3)) {
            let label = i64::from(part.label.number());
            let sql = "SELECT heads, bodies, digest FROM segments WHERE label = $1 AND no = $2";
            let found = reading.query(EACH, sql, &[&label, &no])?;
            let id = id_of(label, no);
            let damaged = || StoreError::Damaged(format!("segment {id} is missing or damaged"));
            let row = found.first().ok_or_else(damaged)?;
            let heads = Heads::decode(row.get(0)).map_err(|_| damaged())?;
            let digest = row.get::<_, &[u8]>(2).try_into().map_err(|_| damaged())?;
            let at = Timestamp::from_micros(at);
            segments.push(segment_of(id, collection, at, &heads, row.get(1), digest)?);
        }
        take(Item::Commit(segments))?;
    }
    Ok(())
}

fn marks(reading: &Reading, take: Take<'_>) -> Result<(), StoreError> {
    let sql = "SELECT label, no, idx, left_at, relabelled FROM marks ORDER BY label, no, idx";
    for row in reading.query(EACH, sql, &[])? {
        let position = Position { segment: id_of(row.get(0), row.get(1)), index: small(row.get(2)) };
        take(Item::Mark(Mark { position, left: left_of(row.get(3), row.get(4)) }))?;
    }
    Ok(())
}

fn references(reading: &Reading, take: Take<'_>) -> Result<(), StoreError> {
    let mut last: (Vec<u8>, i64, i64, i64) = (Vec::new(), 0, 0, 0);
    loop {
        let sql = "SELECT key, label, no, idx FROM refs WHERE (key, label, no, idx) > ($1, $2, $3, $4)
                   ORDER BY key, label, no, idx LIMIT $5";
        let rows = reading.query(EACH, sql, &[&last.0, &last.1, &last.2, &last.3, &ROWS])?;
        for row in &rows {
            let key = row.get::<_, &[u8]>(0);
            let key = key
                .try_into()
                .map_err(|_| StoreError::Damaged("a reference's key is too short".to_owned()))?;
            let position = Position { segment: id_of(row.get(1), row.get(2)), index: small(row.get(3)) };
            take(Item::Reference(ReferenceKey(key), position))?;
        }
        let Some(row) = rows.last() else { return Ok(()) };
        last = (row.get(0), row.get(1), row.get(2), row.get(3));
    }
}

fn records(reading: &Reading, take: Take<'_>) -> Result<(), StoreError> {
    let mut last: (Vec<u8>, Vec<u8>) = (Vec::new(), Vec::new());
    loop {
        let sql =
            "SELECT kind, key, value FROM records WHERE (kind, key) > ($1, $2) ORDER BY kind, key LIMIT $3";
        let rows = reading.query(EACH, sql, &[&last.0, &last.1, &ROWS])?;
        for row in &rows {
            take(Item::Record(Record { kind: text(row.get(0)), key: text(row.get(1)), value: row.get(2) }))?;
        }
        let Some(row) = rows.last() else { return Ok(()) };
        last = (row.get(0), row.get(1));
    }
}

fn ledger(reading: &Reading, take: Take<'_>) -> Result<(), StoreError> {
    let mut next = 0_i64;
    loop {
        let sql = "SELECT idx, salt, body FROM entries WHERE idx >= $1 ORDER BY idx LIMIT $2";
        let rows = reading.query(EACH, sql, &[&next, &ROWS])?;
        for row in &rows {
            let index = small(row.get(0));
            let salt = row.get::<_, &[u8]>(1).try_into();
            let salt = salt
                .map_err(|_| StoreError::Damaged(format!("the salt of ledger entry {index} is damaged")))?;
            take(Item::Entry(StoredEntry { index, salt, body: row.get(2) }))?;
        }
        let Some(row) = rows.last() else { break };
        next = row.get::<_, i64>(0) + 1;
    }
    let mut last = (-1_i64, 0_i64);
    loop {
        let sql =
            "SELECT level, idx, data FROM tiles WHERE (level, idx) > ($1, $2) ORDER BY level, idx LIMIT $3";
        let rows = reading.query(EACH, sql, &[&last.0, &last.1, &ROWS])?;
        for row in &rows {
            take(Item::Tile { level: small(row.get(0)), index: small(row.get(1)), bytes: row.get(2) })?;
        }
        let Some(row) = rows.last() else { return Ok(()) };
        last = (row.get(0), row.get(1));
    }
}
