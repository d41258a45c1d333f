//! Reading everything, to move it.

use rusqlite::Connection;
use sha2::{Digest, Sha256};
use store::moving::{Item, Whole, segment_of};
use store::{Mark, Position, Record, ReferenceKey, StoreError, StoredEntry};

use crate::commits::Commit;
use crate::doing::Doing;
use crate::keys::Key;
use crate::open::SqliteStore;
use crate::reading::{Reading, to_left};
use crate::snapshot::SqliteSnapshot;

const EACH: &str = "reading everything";

type Take<'t> = &'t mut dyn FnMut(Item) -> Result<(), StoreError>;

impl Whole for SqliteStore {
    fn each(&self, take: Take<'_>) -> Result<(), StoreError> {
        let snapshot = SqliteSnapshot::take(self)?;
        let reading = snapshot.reading();
        commits(&reading, take)?;
        marks(reading.connection, take)?;
        references(reading.connection, take)?;
        records(reading.connection, take)?;
        ledger(reading.connection, take)
    }
}

fn commits(reading: &Reading<'_>, take: Take<'_>) -> Result<(), StoreError> {
    let sql = "SELECT c.no, at, marked, file, offset, labels, uuid FROM commits c
               JOIN collections ON collections.no = collection ORDER BY c.no";
    let mut query = reading.connection.prepare(sql).doing(EACH)?;
    let mut rows = query.query(()).doing(EACH)?;
    while let Some(row) = rows.next().doing(EACH)? {
        let commit = Commit::of(row).doing(EACH)?;
        let uuid: String = row.get(6).doing(EACH)?;
        let collection =
            uuid.parse().map_err(|_| StoreError::Damaged(format!("`{uuid}` is no collection")))?;
        let mut segments = Vec::new();
        for run in commit.runs() {
            let mut bodies = Vec::new();
            reading.bodies(&run, 0, run.count, &mut bodies)?;
            let (digest, heads_digest): ([u8; 32], [u8; 32]) = reading
                .connection
                .prepare_cached("SELECT digest, heads_digest FROM segments WHERE id = ?")
                .and_then(|mut one| {
                    one.query_row([Key::of(run.id).map(Key::number)], |row| Ok((row.get(0)?, row.get(1)?)))
                })
                .doing(EACH)?;
            let heads = reading.heads_of(run.id)?;
            if <[u8; 32]>::from(Sha256::digest(heads.as_bytes())) != heads_digest {
                let damage = format!("the heads of segment {} are not what was written", run.id);
                return Err(StoreError::Damaged(damage));
            }
            segments.push(segment_of(run.id, collection, run.at, &heads, bodies, digest)?);
        }
        take(Item::Commit(segments))?;
    }
    Ok(())
}

fn marks(connection: &Connection, take: Take<'_>) -> Result<(), StoreError> {
    let mut query = connection
        .prepare("SELECT segment, idx, left_at, left_kind FROM marks ORDER BY segment, idx")
        .doing(EACH)?;
    let mut rows = query.query(()).doing(EACH)?;
    while let Some(row) = rows.next().doing(EACH)? {
        let position =
            Position { segment: Key::segment(row.get(0).doing(EACH)?), index: row.get(1).doing(EACH)? };
        let left = to_left(row.get(2).doing(EACH)?, row.get(3).doing(EACH)?);
        take(Item::Mark(Mark { position, left }))?;
    }
    Ok(())
}

fn references(connection: &Connection, take: Take<'_>) -> Result<(), StoreError> {
    let mut query =
        connection.prepare("SELECT hash, segment, idx FROM refs ORDER BY hash, segment, idx").doing(EACH)?;
    let mut rows = query.query(()).doing(EACH)?;
    while let Some(row) = rows.next().doing(EACH)? {
        let position =
            Position { segment: Key::segment(row.get(1).doing(EACH)?), index: row.get(2).doing(EACH)? };
        take(Item::Reference(ReferenceKey(row.get(0).doing(EACH)?), position))?;
    }
    Ok(())
}

fn records(connection: &Connection, take: Take<'_>) -> Result<(), StoreError> {
    let mut query =
        connection.prepare("SELECT kind, key, value FROM records ORDER BY kind, key").doing(EACH)?;
    let mut rows = query.query(()).doing(EACH)?;
    while let Some(row) = rows.next().doing(EACH)? {
        let (kind, key) = (row.get(0).doing(EACH)?, row.get(1).doing(EACH)?);
        take(Item::Record(Record { kind, key, value: row.get(2).doing(EACH)? }))?;
    }
    Ok(())
}

fn ledger(connection: &Connection, take: Take<'_>) -> Result<(), StoreError> {
    let mut query = connection.prepare("SELECT idx, salt, body FROM entries ORDER BY idx").doing(EACH)?;
    let mut rows = query.query(()).doing(EACH)?;
    while let Some(row) = rows.next().doing(EACH)? {
        let (index, salt) = (row.get(0).doing(EACH)?, row.get(1).doing(EACH)?);
        take(Item::Entry(StoredEntry { index, salt, body: row.get(2).doing(EACH)? }))?;
    }
    let mut query =
        connection.prepare("SELECT level, idx, data FROM tiles ORDER BY level, idx").doing(EACH)?;
    let mut rows = query.query(()).doing(EACH)?;
    while let Some(row) = rows.next().doing(EACH)? {
        let (level, index) = (row.get(0).doing(EACH)?, row.get(1).doing(EACH)?);
        take(Item::Tile { level, index, bytes: row.get(2).doing(EACH)? })?;
    }
    Ok(())
}
