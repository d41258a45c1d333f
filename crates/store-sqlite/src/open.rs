//! Opening a data directory, and the store itself.

use std::collections::{BTreeSet, HashMap};
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use model::LabelId;
use rusqlite::Connection;
use store::{CommitNo, Heads, Snapshot, Store, StoreError, Transaction};

use crate::bodies::{self, BodyFiles, Mode};
use crate::doing::Doing;
use crate::erasures::Erasures;
use crate::faults::Faults;
use crate::ids::{self, Recent};
use crate::keys::{Key, LABELS_MAX};
use crate::layout::{self, OWNERS_DIRECTORY, OWNERS_FILE};
use crate::near;
use crate::pool::Pool;
use crate::snapshot::SqliteSnapshot;
use crate::state::{Board, State, Totals};
use crate::transaction::SqliteTransaction;
use crate::writer::Writer;

const LOCK: &str = "lock";

/// A store in a directory.
#[derive(Debug)]
pub struct SqliteStore {
    pub(crate) dir: PathBuf,
    // Readers are closed before the writer, which then moves its log into the database.
    pub(crate) pool: Pool,
    pub(crate) writer: Option<Mutex<Writer>>,
    pub(crate) board: Board,
    pub(crate) bodies: BodyFiles,
    pub(crate) tuning: Tuning,
    _lock: File,
}

/// What tests set otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Tuning {
    pub(crate) file_size_max: u64,
    pub(crate) recent_max: usize,
    pub(crate) slice: usize,
    pub(crate) far: u64,
    pub(crate) faults: Faults,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            file_size_max: bodies::FILE_SIZE_MAX,
            recent_max: ids::RECENT_MAX,
            slice: ids::SLICE,
            far: near::FAR,
            faults: Faults::default(),
        }
    }
}

impl SqliteStore {
    /// Opens the store in `dir`, which is created if it is not there, and undoes what a crash left half done.
    ///
    /// # Errors
    ///
    /// Fails if another process has it open, if a newer program wrote it, or if it is damaged.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(dir.as_ref(), Tuning::default())
    }

    /// Opens the store in `dir` for reading. No hub may have it open.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open); moreover if there is no store in `dir`.
    pub fn open_read_only(dir: impl AsRef<Path>) -> Result<Self, StoreError> {
        let dir = dir.as_ref();
        Self::read_only(dir, lock(dir, Mode::Read)?)
    }

    /// The same, beside a hub that has it open: what was committed by now. The hub goes on meanwhile, so what it erases may be
    /// gone from the bodies; for looking at a store, and not for copying one.
    ///
    /// # Errors
    ///
    /// As [`open_read_only`](Self::open_read_only), but for the hub.
    pub fn open_beside(dir: impl AsRef<Path>) -> Result<Self, StoreError> {
        let dir = dir.as_ref();
        Self::read_only(dir, File::open(dir.join(LOCK)).doing("opening the data directory")?)
    }

    fn read_only(dir: &Path, lock: File) -> Result<Self, StoreError> {
        let connection = layout::open_reader(dir)?;
        let bodies = BodyFiles::new(dir, Mode::Read, Faults::default());
        let board = Board::new(load(&connection, &bodies)?);
        drop(connection);
        Ok(Self {
            dir: dir.to_owned(),
            pool: Pool::new(dir),
            writer: None,
            board,
            bodies,
            tuning: Tuning::default(),
            _lock: lock,
        })
    }

    pub(crate) fn open_with(dir: &Path, tuning: Tuning) -> Result<Self, StoreError> {
        create_directory(dir).doing("creating the data directory")?;
        let lock = lock(dir, Mode::Write)?;
        let connection = layout::open_writer(dir)?;
        let bodies = BodyFiles::new(dir, Mode::Write, tuning.faults.clone());
        let totals = Totals::read(&connection)?;
        bodies.cut(totals.file, totals.file_end)?;
        let board = Board::new(load(&connection, &bodies)?);
        let mut writer = Writer { connection, settling: None, tails: HashMap::new(), wedged: false };
        let mut store = Self {
            dir: dir.to_owned(),
            pool: Pool::new(dir),
            writer: None,
            board,
            bodies,
            tuning,
            _lock: lock,
        };
        store.finish_erasures(&mut writer)?;
        store.writer = Some(Mutex::new(writer));
        Ok(store)
    }
}

impl Store for SqliteStore {
    fn begin(&self) -> Result<Box<dyn Transaction + '_>, StoreError> {
        let mut writer = self.writer()?;
        if !self.board.current().erasures.is_empty() {
            self.finish_erasures(&mut writer)?;
        }
        Ok(Box::new(SqliteTransaction::begin(self, writer)?))
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, StoreError> {
        Ok(Box::new(SqliteSnapshot::take(self)?))
    }

    fn tend(&self) -> Result<bool, StoreError> {
        let mut writer = self.writer()?;
        self.finish_erasures(&mut writer)?;
        self.settle(&mut writer)
    }
}

/// Makes sure that a directory is there; a new one is for its owner alone.
pub(crate) fn create_directory(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(OWNERS_DIRECTORY).create(dir)
}

/// Takes the lock of a data directory: a writer's excludes everyone, readers' only a writer's.
pub(crate) fn lock(dir: &Path, mode: Mode) -> Result<File, StoreError> {
    const LOCKING: &str = "locking the data directory";
    let path = dir.join(LOCK);
    let (file, locked) = match mode {
        Mode::Write => {
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(OWNERS_FILE)
                .open(path)
                .doing(LOCKING)?;
            let locked = file.try_lock();
            (file, locked)
        }
        Mode::Read => {
            let file = File::open(path).doing("opening the data directory")?;
            let locked = file.try_lock_shared();
            (file, locked)
        }
    };
    match locked {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(dir.display().to_string())),
        Err(TryLockError::Error(error)) => Err(StoreError::failed(LOCKING, error)),
    }
}

/// What has to be known in memory.
fn load(connection: &Connection, bodies: &BodyFiles) -> Result<State, StoreError> {
    let totals = Totals::read(connection)?;
    let recent = Recent::default();
    let erasures = Erasures::read(connection)?;
    load_recent(connection, bodies, totals.indexed_upto, &recent)?;
    Ok(State { totals, recent: Arc::new(recent), settling: None, erasures: Arc::new(erasures) })
}

/// Reads the ids of commits after `upto` from the heads of their segments.
fn load_recent(
    connection: &Connection,
    bodies: &BodyFiles,
    upto: CommitNo,
    recent: &Recent,
) -> Result<(), StoreError> {
    const LOAD: &str = "reading the newest ids";
    for label in labels(connection)? {
        let Some((first, last)) = Key::range(label, CommitNo(upto.0 + 1)) else { continue };
        let sql = "SELECT id, file, heads_offset, heads_length FROM segments WHERE id BETWEEN ? AND ?";
        let mut query = connection.prepare_cached(sql).doing(LOAD)?;
        let mut rows = query.query((first.number(), last.number())).doing(LOAD)?;
        while let Some(row) = rows.next().doing(LOAD)? {
            let place = || -> rusqlite::Result<(i64, u32, u64, u32)> {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            };
            let (key, file, offset, length) = place().doing(LOAD)?;
            let damaged =
                || StoreError::Damaged(format!("the heads of segment {} are damaged", Key::segment(key)));
            let mut bytes = Vec::new();
            bodies.read(file, offset, length, &mut bytes)?;
            let heads = Heads::decode(bytes).map_err(|_| damaged())?;
            let mut new = Vec::new();
            for index in 0..heads.count() {
                let head = heads.record(index).ok_or_else(damaged)?;
                new.push((store::id_hash(&head.id), (key, index)));
            }
            recent.add_all(&new);
        }
    }
    Ok(())
}

/// The labels that have segments, each found behind the last key of the one before.
pub(crate) fn labels(connection: &Connection) -> Result<BTreeSet<LabelId>, StoreError> {
    const LABELS: &str = "listing the labels";
    let mut labels = BTreeSet::new();
    let mut next = Some(LabelId::new(0));
    while let Some((from, _)) = next.and_then(|label| Key::range(label, CommitNo(0))) {
        let found: Option<i64> = connection
            .prepare_cached("SELECT min(id) FROM segments WHERE id >= ?")
            .and_then(|mut one| one.query_row([from.number()], |row| row.get(0)))
            .doing(LABELS)?;
        let label = found.map(|key| Key::segment(key).label);
        labels.extend(label);
        next = label.map(|label| LabelId::new((label.number() + 1).min(LABELS_MAX)));
    }
    Ok(labels)
}
