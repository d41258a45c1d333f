//! The same rows in `SQLite` alone: what storing costs at least, if the rows are to be found again.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use rusqlite::Connection;

use crate::objects;
use crate::process::own_cpu;

const COMMIT: u64 = 1_000;

/// Writes so many objects, a thousand in a commit, each commit durable, into a table with three indexes: by id and
/// version, by collection and date, by label. Gives the time, and the CPU time, without that of
/// making the objects.
pub(crate) fn ingest(dir: &Path, count: u64) -> Result<(Duration, Duration)> {
    if dir.exists() {
        fs::remove_dir_all(dir)?;
    }
    fs::create_dir_all(dir)?;
    let connection = Connection::open(dir.join("alone.db"))?;
    connection.execute_batch(
        "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -262144;
         CREATE TABLE objects (pos INTEGER PRIMARY KEY, id TEXT NOT NULL, version TEXT NOT NULL, added INTEGER NOT NULL,
             collection INTEGER NOT NULL, label INTEGER NOT NULL, body BLOB NOT NULL);
         CREATE UNIQUE INDEX by_id ON objects (id, version);
         CREATE INDEX by_date ON objects (collection, added);
         CREATE INDEX by_label ON objects (label, pos);",
    )?;
    let (mut took, mut cpu) = (Duration::ZERO, Duration::ZERO);
    for first in (0..count).step_by(usize::try_from(COMMIT)?) {
        let rows: Vec<_> = (first..first + COMMIT)
            .map(|number| (objects::id(number), objects::indicator(number), number))
            .collect();
        let (begun, cpu_begun) = (Instant::now(), own_cpu()?);
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let mut insert = connection.prepare_cached(
            "INSERT INTO objects (id, version, added, collection, label, body) VALUES (?, ?, ?, 1, 1, ?)",
        )?;
        for (id, body, added) in &rows {
            insert.execute((id, objects::VERSION, i64::try_from(*added)?, body.as_bytes()))?;
        }
        connection.execute_batch("COMMIT")?;
        took += begun.elapsed();
        cpu += own_cpu()?.saturating_sub(cpu_begun);
    }
    drop(connection);
    fs::remove_dir_all(dir)?;
    Ok((took, cpu))
}
