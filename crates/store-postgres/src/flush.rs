//! Writes what is pending into the database, each table in one statement.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use store::{Departure, Heads, Mark, Position, SegmentId, StoreError, byte_range, id_hash};

use crate::connection::Connection;
use crate::numbers::big;
use crate::pending::{Pending, Written};
use crate::transaction::columns;

/// How many bytes of bodies go into one statement: far below what the server takes in one message, which is 1 GiB.
const BODIES_MAX: usize = 64 * 1024 * 1024;

/// Writes everything but the horizon; returns by how much the number of objects that left has changed.
pub(crate) fn write(connection: &mut Connection, pending: &Pending) -> Result<i64, StoreError> {
    write_segments(connection, &pending.segments)?;
    write_commits(connection, pending)?;
    write_ids(connection, &pending.segments)?;
    let gone = write_marks(connection, pending)?;
    write_erasures(connection, pending)?;
    write_references(connection, pending)?;
    write_records(connection, pending)?;
    write_ledger(connection, pending)?;
    Ok(gone)
}

const APPEND: &str = "writing a commit";

fn write_segments(
    connection: &mut Connection,
    segments: &BTreeMap<SegmentId, Written>,
) -> Result<(), StoreError> {
    let all: Vec<(&SegmentId, &Written)> = segments.iter().collect();
    let mut rest = all.as_slice();
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = |(_, written): &&(&SegmentId, &Written)| {
            bytes += written.bodies.len();
            bytes <= BODIES_MAX
        };
        let count = rest.iter().take_while(fits).count().max(1);
        let (now, later) = rest.split_at(count);
        rest = later;
        let mut columns: [Vec<i64>; 6] = Default::default();
        let (mut collections, mut digests) = (Vec::new(), Vec::new());
        let (mut heads, mut bodies) = (Vec::new(), Vec::new());
        for (id, written) in now {
            let numbers = [
                i64::from(id.label.number()),
                big(id.commit.0),
                written.at.as_micros(),
                big(written.before),
                i64::from(written.heads.count()),
                big(written.bodies.len()),
            ];
            for (column, number) in columns.iter_mut().zip(numbers) {
                column.push(number);
            }
            collections.push(written.collection.to_string());
            digests.push(written.digest.as_slice());
            heads.push(written.heads.as_bytes());
            bodies.push(written.bodies.as_slice());
        }
        let [labels, numbers, ats, befores, counts, lengths] = &columns;
        let sql = "INSERT INTO segments (label, no, at, before, count, length, marked, collection, digest, heads, bodies)
                   SELECT a, b, c, d, e, f, false, g::uuid, h, i, j
                   FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
                               $7::text[], $8::bytea[], $9::bytea[], $10::bytea[]) AS t (a, b, c, d, e, f, g, h, i, j)";
        connection.execute(
            APPEND,
            sql,
            &[labels, numbers, ats, befores, counts, lengths, &collections, &digests, &heads, &bodies],
        )?;
    }
    Ok(())
}

fn write_commits(connection: &mut Connection, pending: &Pending) -> Result<(), StoreError> {
    if pending.commits.is_empty() {
        return Ok(());
    }
    let (mut collections, mut ats) = (Vec::new(), Vec::new());
    let (mut numbers, mut parts) = (Vec::new(), Vec::new());
    for commit in &pending.commits {
        collections.push(commit.collection.to_string());
        ats.push(commit.at.as_micros());
        numbers.push(big(commit.no.0));
        parts.push(store::Part::encode(&commit.parts));
    }
    let sql = "INSERT INTO commits (collection, at, no, marked, parts) SELECT a::uuid, b, c, false, d
               FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bytea[]) AS t (a, b, c, d)";
    connection.execute(APPEND, sql, &[&collections, &ats, &numbers, &parts]).map(drop)
}

fn write_ids(connection: &mut Connection, segments: &BTreeMap<SegmentId, Written>) -> Result<(), StoreError> {
    if segments.is_empty() {
        return Ok(());
    }
    let positions = segments.iter().flat_map(|(segment, written)| {
        (0..written.heads.count()).map(|index| Position { segment: *segment, index })
    });
    let (labels, numbers, indexes) = columns(positions);
    let (mut hashes, mut ids) = (Vec::new(), Vec::new());
    let (mut versions, mut revoked) = (Vec::new(), Vec::new());
    for record in segments.values().flat_map(|written| &written.records) {
        hashes.push(id_hash(&record.id));
        ids.push(record.id.as_bytes());
        versions.push(record.version.as_bytes());
        revoked.push(record.revoked);
    }
    let sql =
        "INSERT INTO ids (hash, label, no, idx, id, version, revoked) SELECT * FROM unnest($1::bigint[],
               $2::bigint[], $3::bigint[], $4::bigint[], $5::bytea[], $6::bytea[], $7::boolean[])";
    connection
        .execute("indexing ids", sql, &[&hashes, &labels, &numbers, &indexes, &ids, &versions, &revoked])
        .map(drop)
}

fn write_marks(connection: &mut Connection, pending: &Pending) -> Result<i64, StoreError> {
    const MARK: &str = "marking objects";
    if pending.marks.is_empty() {
        return Ok(0);
    }
    let (labels, numbers, indexes) = columns(pending.marks.keys().copied());
    let sql =
        "SELECT count(*) FROM marks JOIN unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS t (a, b, c)
               ON label = a AND no = b AND idx = c WHERE relabelled IS NOT NULL";
    let had_left = connection.query(MARK, sql, &[&labels, &numbers, &indexes])?;
    let had_left: i64 = had_left.first().map_or(0, |row| row.get(0));
    let left_at: Vec<Option<i64>> =
        pending.marks.values().map(|mark| mark.left.map(|(at, _)| at.as_micros())).collect();
    let is_relabelled = |mark: &Mark| mark.left.map(|(_, departure)| departure == Departure::Relabelled);
    let relabelled: Vec<Option<bool>> = pending.marks.values().map(is_relabelled).collect();
    let sql = "INSERT INTO marks (label, no, idx, left_at, relabelled)
               SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::boolean[])
               ON CONFLICT (label, no, idx) DO UPDATE SET left_at = excluded.left_at, relabelled = excluded.relabelled";
    connection.execute(MARK, sql, &[&labels, &numbers, &indexes, &left_at, &relabelled])?;
    let sql = "WITH touched AS (
                   UPDATE segments SET marked = true
                   FROM (SELECT DISTINCT * FROM unnest($1::bigint[], $2::bigint[]) AS t (a, b)) AS t
                   WHERE label = a AND no = b AND NOT marked RETURNING collection, at
               )
               UPDATE commits SET marked = true FROM (SELECT DISTINCT collection AS c, at AS d FROM touched) AS t
               WHERE collection = c AND at = d AND NOT marked";
    connection.execute(MARK, sql, &[&labels, &numbers])?;
    let gone_from: Vec<i64> = labels
        .iter()
        .zip(&relabelled)
        .filter(|(_, left)| **left == Some(true))
        .map(|(label, _)| *label)
        .collect();
    if !gone_from.is_empty() {
        let sql = "INSERT INTO relabelled (label) SELECT DISTINCT * FROM unnest($1::bigint[]) ON CONFLICT DO NOTHING";
        connection.execute(MARK, sql, &[&gone_from])?;
    }
    let have_left = big(left_at.iter().flatten().count());
    Ok(have_left - had_left)
}

fn write_erasures(connection: &mut Connection, pending: &Pending) -> Result<(), StoreError> {
    const ERASE: &str = "erasing";
    for (id, indexes) in &pending.erased {
        let (label, no) = (i64::from(id.label.number()), big(id.commit.0));
        let sql = "SELECT heads, bodies FROM segments WHERE label = $1 AND no = $2";
        let rows = connection.query(ERASE, sql, &[&label, &no])?;
        let Some(row) = rows.first() else { continue };
        let damaged = || StoreError::Damaged(format!("the heads of segment {id} are damaged"));
        let heads = Heads::decode(row.get(0)).map_err(|_| damaged())?;
        let mut bodies: Vec<u8> = row.get(1);
        for index in indexes {
            let Some((offset, length)) = byte_range(&heads, *index, 1) else { continue };
            let range = usize::try_from(offset).and_then(|from| Ok(from..from + usize::try_from(length)?));
            let body = range.ok().and_then(|range| bodies.get_mut(range)).ok_or_else(damaged)?;
            body.fill(b' ');
        }
        let digest: [u8; 32] = Sha256::digest(&bodies).into();
        let sql = "UPDATE segments SET bodies = $3, digest = $4 WHERE label = $1 AND no = $2";
        connection.execute(ERASE, sql, &[&label, &no, &bodies, &digest.as_slice()])?;
    }
    Ok(())
}

fn write_references(connection: &mut Connection, pending: &Pending) -> Result<(), StoreError> {
    if pending.references.is_empty() {
        return Ok(());
    }
    let all =
        pending.references.iter().flat_map(|(key, positions)| positions.iter().map(move |at| (key, *at)));
    let (labels, numbers, indexes) = columns(all.clone().map(|(_, position)| position));
    let keys: Vec<&[u8]> = all.map(|(key, _)| key.0.as_slice()).collect();
    let sql =
        "INSERT INTO refs (key, label, no, idx) SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[],
               $4::bigint[]) ON CONFLICT DO NOTHING";
    connection.execute("writing references", sql, &[&keys, &labels, &numbers, &indexes]).map(drop)
}

fn write_records(connection: &mut Connection, pending: &Pending) -> Result<(), StoreError> {
    const RECORDS: &str = "writing records";
    let (mut kinds, mut keys, mut values) = (Vec::new(), Vec::new(), Vec::new());
    let (mut gone_kinds, mut gone_keys) = (Vec::new(), Vec::new());
    for ((kind, key), value) in &pending.records {
        if let Some(value) = value {
            kinds.push(kind.as_bytes());
            keys.push(key.as_bytes());
            values.push(value.as_slice());
        } else {
            gone_kinds.push(kind.as_bytes());
            gone_keys.push(key.as_bytes());
        }
    }
    if !gone_kinds.is_empty() {
        let sql = "DELETE FROM records USING unnest($1::bytea[], $2::bytea[]) AS t (a, b) WHERE kind = a AND key = b";
        connection.execute(RECORDS, sql, &[&gone_kinds, &gone_keys])?;
    }
    if !kinds.is_empty() {
        let sql = "INSERT INTO records (kind, key, value) SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bytea[])
                   ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value";
        connection.execute(RECORDS, sql, &[&kinds, &keys, &values])?;
    }
    Ok(())
}

fn write_ledger(connection: &mut Connection, pending: &Pending) -> Result<(), StoreError> {
    if !pending.entries.is_empty() {
        let indexes: Vec<i64> = pending.entries.iter().map(|entry| big(entry.index)).collect();
        let salts: Vec<&[u8]> = pending.entries.iter().map(|entry| entry.salt.as_slice()).collect();
        let bodies: Vec<&[u8]> = pending.entries.iter().map(|entry| entry.body.as_slice()).collect();
        let sql = "INSERT INTO entries (idx, salt, body)
                   SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[])";
        connection.execute("writing ledger entries", sql, &[&indexes, &salts, &bodies])?;
    }
    if !pending.tiles.is_empty() {
        let levels: Vec<i64> = pending.tiles.keys().map(|(level, _)| i64::from(*level)).collect();
        let indexes: Vec<i64> = pending.tiles.keys().map(|(_, index)| big(*index)).collect();
        let tiles: Vec<&[u8]> = pending.tiles.values().map(Vec::as_slice).collect();
        let sql = "INSERT INTO tiles (level, idx, data) SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[])
                   ON CONFLICT (level, idx) DO UPDATE SET data = excluded.data";
        connection.execute("writing tiles of the ledger", sql, &[&levels, &indexes, &tiles])?;
    }
    Ok(())
}
