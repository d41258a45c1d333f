//! The tables, and how a database is brought to this program's layout.

use store::StoreError;

use crate::connection::Connection;

/// The schema that holds everything; so a database may hold other things as well, but only one hub.
pub(crate) const SCHEMA: &str = "ringfence";

/// The first makes the tables of layout 1, each further one brings them to the next number. What was released is never
/// edited: append.
const MIGRATIONS: [&str; 1] = ["
    -- One row: where the writer stands, how much there is, and which holder may write.
    CREATE TABLE horizon (
        id smallint PRIMARY KEY CHECK (id = 0),
        fence bigint NOT NULL, seq bigint NOT NULL, last bigint NOT NULL, commit_no bigint NOT NULL,
        epoch bigint NOT NULL, entries bigint NOT NULL, objects bigint NOT NULL, gone bigint NOT NULL,
        segments bigint NOT NULL, body_bytes bigint NOT NULL
    );
    INSERT INTO horizon VALUES (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    -- One row: who holds the database, and a count that goes on as long as the holder lives.
    CREATE TABLE lease (
        id smallint PRIMARY KEY CHECK (id = 0),
        fence bigint NOT NULL, beat bigint NOT NULL, released boolean NOT NULL, holder text NOT NULL
    );
    INSERT INTO lease VALUES (0, 0, 0, true, '');
    -- parts is what each segment's row says of it, so that whoever walks the commits need not ask for them.
    CREATE TABLE commits (
        collection uuid NOT NULL, at bigint NOT NULL, no bigint NOT NULL, marked boolean NOT NULL, parts bytea NOT NULL,
        PRIMARY KEY (collection, at)
    );
    CREATE TABLE segments (
        label bigint NOT NULL, no bigint NOT NULL, at bigint NOT NULL, before bigint NOT NULL, count bigint NOT NULL,
        length bigint NOT NULL, marked boolean NOT NULL, collection uuid NOT NULL, digest bytea NOT NULL,
        heads bytea NOT NULL, bodies bytea NOT NULL,
        PRIMARY KEY (label, no)
    );
    -- Not compressed: a page wants a part of a large value, and then only that part is read.
    ALTER TABLE segments ALTER heads SET STORAGE EXTERNAL, ALTER bodies SET STORAGE EXTERNAL;
    CREATE INDEX segments_before ON segments (label, before);
    CREATE TABLE marks (
        label bigint NOT NULL, no bigint NOT NULL, idx bigint NOT NULL, left_at bigint, relabelled boolean,
        PRIMARY KEY (label, no, idx)
    );
    CREATE TABLE relabelled (label bigint PRIMARY KEY);
    -- hash is the first 8 bytes of SHA-256(id); the id itself is compared as well.
    CREATE TABLE ids (
        hash bigint NOT NULL, label bigint NOT NULL, no bigint NOT NULL, idx bigint NOT NULL,
        id bytea NOT NULL, version bytea NOT NULL, revoked boolean NOT NULL
    );
    CREATE INDEX ids_hash ON ids (hash);
    -- key is the first 16 bytes of SHA-256(id), because nothing else is compared here.
    CREATE TABLE refs (
        key bytea NOT NULL, label bigint NOT NULL, no bigint NOT NULL, idx bigint NOT NULL,
        PRIMARY KEY (key, label, no, idx)
    );
    -- Bytes and not text: their order is the order of bytes under every collation, and they hold whatever text holds.
    CREATE TABLE records (kind bytea NOT NULL, key bytea NOT NULL, value bytea NOT NULL, PRIMARY KEY (kind, key));
    CREATE TABLE entries (idx bigint PRIMARY KEY, salt bytea NOT NULL, body bytea NOT NULL);
    CREATE TABLE tiles (level bigint NOT NULL, idx bigint NOT NULL, data bytea NOT NULL, PRIMARY KEY (level, idx));
"];

/// The number of this program's layout.
fn known() -> u32 {
    u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX)
}

/// Which layout the database has; 0 if it is empty.
pub(crate) fn layout_of(connection: &mut Connection) -> Result<u32, StoreError> {
    const LAYOUT: &str = "reading the layout's number";
    let is_there = connection.query(LAYOUT, "SELECT to_regclass('ringfence.layout') IS NOT NULL", &[])?;
    if !is_there.first().is_some_and(|row| row.get(0)) {
        return Ok(0);
    }
    let rows = connection.query(LAYOUT, "SELECT number FROM ringfence.layout", &[])?;
    let found = rows.first().map_or(0, |row| u32::try_from(row.get::<_, i64>(0)).unwrap_or(u32::MAX));
    if found > known() {
        return Err(StoreError::TooNew { found, known: known() });
    }
    Ok(found)
}

/// Brings the database to this program's layout. All steps land in one transaction; two hubs that begin at once take
/// turns.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    const MIGRATE: &str = "bringing the database to this program's layout";
    if layout_of(connection)? == known() {
        return Ok(());
    }
    // Any number will do that others do not use; it is `ringf` in ASCII.
    connection.run(MIGRATE, "BEGIN; SELECT pg_advisory_xact_lock(491329023590)")?;
    let found = usize::try_from(layout_of(connection)?).unwrap_or(usize::MAX);
    if found == 0 {
        connection.run(
            MIGRATE,
            &format!("CREATE SCHEMA IF NOT EXISTS {SCHEMA}; CREATE TABLE ringfence.layout (number bigint NOT NULL);
                      INSERT INTO ringfence.layout VALUES (0)"),
        )?;
    }
    for step in MIGRATIONS.iter().skip(found) {
        connection.run(MIGRATE, step)?;
    }
    connection.run(MIGRATE, &format!("UPDATE ringfence.layout SET number = {}; COMMIT", known()))
}
