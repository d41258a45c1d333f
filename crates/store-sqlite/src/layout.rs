//! The tables, and how a connection is set up.

use std::error::Error;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use store::StoreError;

use crate::doing::Doing;

/// The database's name in the data directory.
pub(crate) const DATABASE: &str = "hub.db";

/// Who may do what with a file that is created here: its owner alone reads and writes it.
pub(crate) const OWNERS_FILE: u32 = 0o600;
/// The same for a directory.
pub(crate) const OWNERS_DIRECTORY: u32 = 0o700;

/// Page cache of the writer, in KiB. The tree of ids is written at random places; 24 MiB hold its inner pages and the
/// leaves of some million objects.
const WRITER_CACHE_KIB: u32 = 24 * 1024;
/// Page cache of each reader, in KiB: the inner pages of all trees, some hundred leaves of segments.
const READER_CACHE_KIB: u32 = 2 * 1024;
/// How many pages the write-ahead log holds before they are moved to the database: 16 MiB.
const CHECKPOINT_PAGES: u32 = 2_000;
/// To what size the write-ahead log is cut back after it had to grow, in bytes.
const LOG_SIZE_MAX: u32 = 64 * 1024 * 1024;
/// How many prepared statements each connection keeps; there are some forty.
const STATEMENTS_KEPT: usize = 64;

/// The layout of an empty database's first migration. Layouts before it were never released, and are refused.
const FIRST_LAYOUT: usize = 2;

/// The first makes the tables of [`FIRST_LAYOUT`]; each further one brings them to the next number. What was released is
/// never edited: append.
const MIGRATIONS: [&str; 1] = ["
    -- One row: where the writer stands, how much there is, and the first free byte of the last body file.
    CREATE TABLE horizon (
        id INTEGER PRIMARY KEY CHECK (id = 0),
        seq INTEGER NOT NULL, last INTEGER NOT NULL, commit_no INTEGER NOT NULL, epoch INTEGER NOT NULL,
        entries INTEGER NOT NULL, objects INTEGER NOT NULL, gone INTEGER NOT NULL, segments INTEGER NOT NULL,
        body_bytes INTEGER NOT NULL, file INTEGER NOT NULL, file_end INTEGER NOT NULL, indexed_upto INTEGER NOT NULL
    );
    INSERT INTO horizon VALUES (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0);
    CREATE TABLE collections (no INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE);
    -- Where the bodies begin, and for each label what module commits says. marked is set with the first mark of any
    -- of its segments; then their own rows have to be asked.
    CREATE TABLE commits (
        collection INTEGER NOT NULL, at INTEGER NOT NULL, no INTEGER NOT NULL, marked INTEGER NOT NULL,
        file INTEGER NOT NULL, offset INTEGER NOT NULL, labels BLOB NOT NULL, PRIMARY KEY (collection, at)
    ) WITHOUT ROWID;
    -- id is label << 40 | commit; the heads lie in the body file as well, behind all bodies of the commit. near is
    -- where in the same file the copy lies that module near tells of, if there is one.
    CREATE TABLE segments (
        id INTEGER PRIMARY KEY,
        at INTEGER NOT NULL, before INTEGER NOT NULL, count INTEGER NOT NULL, marked INTEGER NOT NULL,
        file INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL, near INTEGER,
        heads_offset INTEGER NOT NULL, heads_length INTEGER NOT NULL, collection INTEGER NOT NULL,
        digest BLOB NOT NULL, heads_digest BLOB NOT NULL
    );
    CREATE TABLE marks (
        segment INTEGER NOT NULL, idx INTEGER NOT NULL, left_at INTEGER, left_kind INTEGER,
        PRIMARY KEY (segment, idx)
    ) WITHOUT ROWID;
    CREATE TABLE relabelled (label INTEGER PRIMARY KEY);
    -- hash is the first 8 bytes of SHA-256(id); whoever finds a place compares the id itself.
    CREATE TABLE ids (
        hash INTEGER NOT NULL, segment INTEGER NOT NULL, idx INTEGER NOT NULL, PRIMARY KEY (hash, segment, idx)
    ) WITHOUT ROWID;
    -- hash is the first 16 bytes of SHA-256(id), because nothing else is compared here.
    CREATE TABLE refs (
        hash BLOB NOT NULL, segment INTEGER NOT NULL, idx INTEGER NOT NULL, PRIMARY KEY (hash, segment, idx)
    ) WITHOUT ROWID;
    CREATE TABLE records (
        kind TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (kind, key)
    ) WITHOUT ROWID;
    CREATE TABLE entries (idx INTEGER PRIMARY KEY, salt BLOB NOT NULL, body BLOB NOT NULL);
    CREATE TABLE tiles (
        level INTEGER NOT NULL, idx INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (level, idx)
    );
    -- What has to be overwritten in the body files as soon as no older snapshot is open.
    CREATE TABLE erasures (
        segment INTEGER NOT NULL, idx INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL,
        PRIMARY KEY (segment, idx)
    ) WITHOUT ROWID;
"];

/// Opens the writer's connection, creates the tables or brings them up to date.
pub(crate) fn open_writer(dir: &Path) -> Result<Connection, StoreError> {
    let connection = create(&dir.join(DATABASE)).doing("opening the database")?;
    connection
        .execute_batch(&format!(
            "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             PRAGMA busy_timeout = 5000; PRAGMA cache_size = -{WRITER_CACHE_KIB};
             PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}; PRAGMA journal_size_limit = {LOG_SIZE_MAX};
             PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;"
        ))
        .doing("setting up the database")?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    migrate(&connection, &MIGRATIONS)?;
    Ok(connection)
}

/// Opens a database for writing. A new one is for its owner alone, and so are the files that `SQLite` puts beside it.
pub(crate) fn create(path: &Path) -> Result<Connection, Box<dyn Error + Send + Sync>> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(OWNERS_FILE).open(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Ok(Connection::open_with_flags(path, flags)?)
}

/// Opens a connection that only reads.
pub(crate) fn open_reader(dir: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(dir.join(DATABASE), flags).doing("opening the database")?;
    connection
        .execute_batch(&format!(
            "PRAGMA busy_timeout = 5000; PRAGMA cache_size = -{READER_CACHE_KIB};
             PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF; PRAGMA query_only = ON;"
        ))
        .doing("setting up the database")?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    check_layout(&connection, last_layout(&MIGRATIONS))?;
    Ok(connection)
}

fn layout_of(connection: &Connection) -> Result<usize, StoreError> {
    connection.query_row("PRAGMA user_version", (), |row| row.get(0)).doing("reading the layout's number")
}

fn last_layout(migrations: &[&str]) -> usize {
    FIRST_LAYOUT + migrations.len() - 1
}

/// The layout's number, 0 for an empty database.
fn check_layout(connection: &Connection, known: usize) -> Result<usize, StoreError> {
    let found = layout_of(connection)?;
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    if found > known {
        return Err(StoreError::TooNew { found: number(found), known: number(known) });
    }
    if (1..FIRST_LAYOUT).contains(&found) {
        return Err(StoreError::TooOld { found: number(found), oldest: number(FIRST_LAYOUT) });
    }
    Ok(found)
}

/// Each step and the number that records it land in one transaction, so a crash between two is only a pause.
fn migrate(connection: &Connection, migrations: &[&str]) -> Result<(), StoreError> {
    let found = check_layout(connection, last_layout(migrations))?;
    for (number, step) in (FIRST_LAYOUT..).zip(migrations).filter(|(number, _)| *number > found) {
        let done = connection
            .execute_batch(&format!("BEGIN IMMEDIATE; {step}; PRAGMA user_version = {number}; COMMIT;"));
        if done.is_err() && !connection.is_autocommit() {
            connection.execute_batch("ROLLBACK").doing("undoing a change of layout")?;
        }
        done.doing("bringing the database to this program's layout")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_layout_is_refused_and_an_older_one_is_brought_up_to_date() {
        let connection = Connection::open_in_memory().unwrap();
        let steps = ["CREATE TABLE a (x)", "INSERT INTO a VALUES (7)"];
        migrate(&connection, &steps[..1]).unwrap();
        assert_eq!(layout_of(&connection).unwrap(), FIRST_LAYOUT);
        migrate(&connection, &steps).unwrap();
        migrate(&connection, &steps).unwrap();
        let rows: Vec<i64> = connection
            .prepare("SELECT x FROM a")
            .and_then(|mut all| all.query_map((), |row| row.get(0))?.collect())
            .unwrap();
        assert_eq!(rows, [7]);
        let refused = migrate(&connection, &steps[..1]).unwrap_err();
        assert!(matches!(refused, StoreError::TooNew { found: 3, known: 2 }), "{refused}");
    }

    #[test]
    fn a_layout_before_the_first_release_is_refused_with_the_remedy() {
        let connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "user_version", FIRST_LAYOUT - 1).unwrap();
        let refused = migrate(&connection, &MIGRATIONS).unwrap_err();
        assert!(matches!(refused, StoreError::TooOld { found: 1, oldest: 2 }), "{refused}");
        assert!(refused.to_string().contains("empty data directory"), "{refused}");
        assert!(connection.prepare("SELECT id FROM segments").is_err(), "nothing was changed");
    }

    #[test]
    fn a_step_that_fails_leaves_the_layout_as_it_was() {
        let connection = Connection::open_in_memory().unwrap();
        migrate(&connection, &["CREATE TABLE a (x)", "CREATE TABLE b (y); no such word"]).unwrap_err();
        assert_eq!(layout_of(&connection).unwrap(), FIRST_LAYOUT);
        assert!(connection.prepare("SELECT y FROM b").is_err());
    }
}
