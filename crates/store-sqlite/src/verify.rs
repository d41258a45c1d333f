//! Checking a data directory against itself.
//!
//! Every byte that was acknowledged is covered by a digest in the database, and the database by `SQLite`'s own check.
//! What is said twice is compared: a commit's labels with its segments, a segment's count with its heads, the totals
//! with the sums, and each id of the settled commits with the table of ids.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, Row, params};
use sha2::{Digest, Sha256};
use store::{Heads, Place, Run, SegmentId, StoreError};

use crate::bodies::{BodyFiles, Mode};
use crate::commits::Commit;
use crate::doing::Doing;
use crate::erasures::Erasures;
use crate::faults::Faults;
use crate::keys::Key;
use crate::layout;
use crate::open::lock;
use crate::state::Totals;

/// How many problems are described; a damaged disk has one for each segment.
const PROBLEMS_MAX: usize = 100;

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Segments that were read and hashed.
    pub segments: u64,
    /// Objects in them.
    pub objects: u64,
    /// Bytes of bodies in them.
    pub body_bytes: u64,
    /// Ledger entries.
    pub entries: u64,
    /// What is wrong, in words; the first hundred things.
    pub problems: Vec<String>,
}

impl VerifyReport {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }

    fn problem(&mut self, what: String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(what);
        }
    }

    fn expect_equal(&mut self, what: &str, found: u64, recorded: u64) {
        if found != recorded {
            self.problem(format!("there are {found} {what}, and {recorded} are recorded"));
        }
    }
}

/// Checks the data directory in `dir`, which no hub may have open, and changes nothing in it.
///
/// # Errors
///
/// Fails if it cannot be read at all. Damage that can be described is in the report.
pub fn verify(dir: impl AsRef<Path>) -> Result<VerifyReport, StoreError> {
    let dir = dir.as_ref();
    let _lock = lock(dir, Mode::Read)?;
    let connection = layout::open_reader(dir)?;
    let bodies = BodyFiles::new(dir, Mode::Read, Faults::default());
    let mut report = VerifyReport::default();
    check_database(&connection, &mut report)?;
    let totals = Totals::read(&connection)?;
    let erasures = Erasures::read(&connection)?;
    let check = Check { connection: &connection, bodies: &bodies, erasures: &erasures, totals: &totals };
    check.segments(&mut report)?;
    check.commits(&mut report)?;
    check.entries(&mut report)?;
    check.totals(&mut report)?;
    Ok(report)
}

/// Checks what can be checked in `dir` while a hub has it open: the database against itself, as of one moment, and its ledger
/// entries. The bodies are left out, because the hub may be erasing some.
///
/// # Errors
///
/// As [`verify`].
pub fn verify_beside(dir: impl AsRef<Path>) -> Result<VerifyReport, StoreError> {
    let dir = dir.as_ref();
    let connection = layout::open_reader(dir)?;
    connection.execute_batch("BEGIN").doing(VERIFY)?;
    let mut report = VerifyReport::default();
    check_database(&connection, &mut report)?;
    let totals = Totals::read(&connection)?;
    let (bodies, erasures) =
        (BodyFiles::new(dir, Mode::Read, Faults::default()), Erasures::read(&connection)?);
    let check = Check { connection: &connection, bodies: &bodies, erasures: &erasures, totals: &totals };
    check.entries(&mut report)?;
    (report.segments, report.objects) = (totals.segments, totals.objects);
    report.body_bytes = totals.body_bytes;
    Ok(report)
}

const VERIFY: &str = "checking the data directory";

fn check_database(connection: &Connection, report: &mut VerifyReport) -> Result<(), StoreError> {
    let mut check = connection.prepare("PRAGMA integrity_check").doing(VERIFY)?;
    let lines = check.query_map((), |row| row.get::<_, String>(0)).doing(VERIFY)?;
    for line in lines {
        let line = line.doing(VERIFY)?;
        if line != "ok" {
            report.problem(format!("the database: {line}"));
        }
    }
    Ok(())
}

struct Check<'a> {
    connection: &'a Connection,
    bodies: &'a BodyFiles,
    erasures: &'a Erasures,
    totals: &'a Totals,
}

/// A row of the table `segments`.
struct SegmentRow {
    key: i64,
    before: u64,
    count: u32,
    marked: bool,
    file: u32,
    offset: u64,
    length: u32,
    near: Option<u64>,
    heads_offset: u64,
    heads_length: u32,
    digest: [u8; 32],
    heads_digest: [u8; 32],
}

impl SegmentRow {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            key: row.get(0)?,
            before: row.get(1)?,
            count: row.get(2)?,
            marked: row.get(3)?,
            file: row.get(4)?,
            offset: row.get(5)?,
            length: row.get(6)?,
            heads_offset: row.get(7)?,
            heads_length: row.get(8)?,
            digest: row.get(9)?,
            heads_digest: row.get(10)?,
            near: row.get(11)?,
        })
    }
}

impl Check<'_> {
    fn segments(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        let sql =
            "SELECT id, before, count, marked, file, offset, length, heads_offset, heads_length, digest,
                   heads_digest, near FROM segments ORDER BY id";
        let mut query = self.connection.prepare(sql).doing(VERIFY)?;
        let rows = query.query_map((), SegmentRow::of).doing(VERIFY)?;
        let mut of_label = BTreeMap::new();
        for row in rows {
            let row = row.doing(VERIFY)?;
            let id = Key::segment(row.key);
            report.segments += 1;
            report.objects += u64::from(row.count);
            report.body_bytes += u64::from(row.length);
            let before = of_label.entry(id.label).or_insert(0_u64);
            if *before != row.before {
                report.problem(format!(
                    "segment {id} counts {} objects before it, and there are {before}",
                    row.before
                ));
            }
            *before = row.before + u64::from(row.count);
            self.segment(id, &row, report)?;
        }
        Ok(())
    }

    fn segment(&self, id: SegmentId, row: &SegmentRow, report: &mut VerifyReport) -> Result<(), StoreError> {
        self.bodies("the bodies", row.offset, id, row, report);
        if let Some(near) = row.near {
            self.bodies("the copied bodies", near, id, row, report);
        }
        let mut bytes = Vec::new();
        if let Err(error) = self.bodies.read(row.file, row.heads_offset, row.heads_length, &mut bytes) {
            report.problem(format!("the heads of segment {id}: {error}"));
            return Ok(());
        }
        if Sha256::digest(&bytes)[..] != row.heads_digest {
            report.problem(format!("the heads of segment {id} are not what was written"));
        }
        match Heads::decode(bytes) {
            Ok(heads) => self.heads(id, row, &heads, report)?,
            Err(error) => report.problem(format!("segment {id}: {error}")),
        }
        let marks: u32 = self
            .connection
            .prepare_cached("SELECT count(*) FROM marks WHERE segment = ?")
            .and_then(|mut one| one.query_row([row.key], |row| row.get(0)))
            .doing(VERIFY)?;
        if row.marked != (marks > 0) {
            report.problem(format!("segment {id} has {marks} marks and says otherwise"));
        }
        Ok(())
    }

    /// Compares bodies with their digest.
    fn bodies(&self, what: &str, offset: u64, id: SegmentId, row: &SegmentRow, report: &mut VerifyReport) {
        let mut bytes = Vec::new();
        match self.bodies.read(row.file, offset, row.length, &mut bytes) {
            Ok(()) => {
                self.erasures.blank(row.key, 0, &mut bytes);
                if Sha256::digest(&bytes)[..] != row.digest {
                    report.problem(format!("{what} of segment {id} are not what was written"));
                }
            }
            Err(error) => report.problem(format!("{what} of segment {id}: {error}")),
        }
    }

    fn heads(
        &self,
        id: SegmentId,
        row: &SegmentRow,
        heads: &Heads,
        report: &mut VerifyReport,
    ) -> Result<(), StoreError> {
        if heads.count() != row.count {
            report.problem(format!("segment {id} has {} heads for {} objects", heads.count(), row.count));
        }
        if heads.end(row.count.saturating_sub(1)) != Some(row.length) {
            report.problem(format!("the last object of segment {id} does not end where its bodies do"));
        }
        for index in 0..heads.count() {
            let Some(head) = heads.record(index) else {
                report.problem(format!("object {index} of segment {id} has no head"));
                continue;
            };
            if id.commit > self.totals.indexed_upto {
                continue;
            }
            let indexed = self
                .connection
                .prepare_cached("SELECT 1 FROM ids WHERE hash = ? AND segment = ? AND idx = ?")
                .and_then(|mut any| any.exists((store::id_hash(&head.id), row.key, index)))
                .doing(VERIFY)?;
            if !indexed {
                report.problem(format!("`{}` in segment {id} is missing from the index of ids", head.id));
            }
        }
        Ok(())
    }

    fn commits(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        let sql = "SELECT no, at, marked, file, offset, labels, collection FROM commits";
        let mut query = self.connection.prepare(sql).doing(VERIFY)?;
        let rows = query.query_map((), |row| Ok((Commit::of(row)?, row.get::<_, i64>(6)?))).doing(VERIFY)?;
        let mut named = 0_u64;
        for row in rows {
            let (commit, collection) = row.doing(VERIFY)?;
            if commit.no() > self.totals.horizon.commit {
                report.problem(format!("commit {} is later than the last one", commit.no().0));
            }
            for named_run in commit.runs() {
                named += 1;
                if !self.is_as_named(&named_run, collection)? {
                    report.problem(format!(
                        "a commit names segment {}, which is missing or another",
                        named_run.id
                    ));
                }
            }
        }
        let segments = report.segments;
        report.expect_equal("segments", segments, named);
        Ok(())
    }

    /// Whether the segment is in the table as its commit tells it; it may have no marks where its neighbours have.
    fn is_as_named(&self, named: &Run, collection: i64) -> Result<bool, StoreError> {
        let sql =
            "SELECT 1 FROM segments WHERE id = ? AND collection = ? AND at = ? AND before = ? AND count = ?
                   AND marked <= ? AND file = ? AND offset = ? AND length = ?";
        let Run { id, at, before, count, marked, place } = named;
        self.connection
            .prepare_cached(sql)
            .and_then(|mut any| {
                let key = Key::of(*id).map(Key::number);
                let Place { file, offset, length } = place;
                any.exists(params![
                    key,
                    collection,
                    at.as_micros(),
                    before,
                    count,
                    marked,
                    file,
                    offset,
                    length
                ])
            })
            .doing(VERIFY)
    }

    fn entries(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        let (count, next): (u64, u64) = self
            .connection
            .query_row("SELECT count(*), coalesce(max(idx) + 1, 0) FROM entries", (), |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .doing(VERIFY)?;
        report.entries = count;
        report.expect_equal("ledger entries", count, self.totals.horizon.entries);
        report.expect_equal("ledger entries", next, self.totals.horizon.entries);
        Ok(())
    }

    fn totals(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        let gone: u64 = self
            .connection
            .query_row("SELECT count(*) FROM marks WHERE left_at IS NOT NULL", (), |row| row.get(0))
            .doing(VERIFY)?;
        let VerifyReport { segments, objects, body_bytes, .. } = *report;
        report.expect_equal("segments", segments, self.totals.segments);
        report.expect_equal("objects", objects, self.totals.objects);
        report.expect_equal("bytes of bodies", body_bytes, self.totals.body_bytes);
        report.expect_equal("objects that left their place", gone, self.totals.gone);
        Ok(())
    }
}
