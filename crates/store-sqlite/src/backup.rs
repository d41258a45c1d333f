//! Copies that can be restored.
//!
//! A backup is a data directory like any other. It is taken while the hub runs: a snapshot is held first, so that
//! nothing is overwritten meanwhile; then the database is copied as of one moment; then the body files, as far as
//! that database names them. Bodies are on the disk before the database names them, so the copy lacks nothing.
//! (Files are copied and not linked: an erasure in the original must not reach into a backup and damage it. What was
//! erased stays in older backups until those are destroyed.)

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rusqlite::backup::{Backup, StepResult};
use store::{Store, StoreError};

use crate::bodies::{FOLDER, Mode, file_name};
use crate::doing::Doing;
use crate::layout::{self, DATABASE, OWNERS_FILE};
use crate::open::{SqliteStore, create_directory, lock};
use crate::state::Totals;
use crate::verify::{VerifyReport, verify};

/// What a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupReport {
    /// Objects, all versions, without the deleted.
    pub objects: u64,
    /// Ledger entries.
    pub entries: u64,
    /// Bytes copied.
    pub bytes: u64,
}

const BACKUP: &str = "copying the data directory";

impl SqliteStore {
    /// Copies the store as of now into `to`, a directory that is not there or is empty. Neither readers nor the writer
    /// wait.
    ///
    /// # Errors
    ///
    /// Fails if `to` holds something already, or a disk refuses.
    pub fn backup(&self, to: impl AsRef<Path>) -> Result<BackupReport, StoreError> {
        let to = to.as_ref();
        make_empty(to)?;
        let held = self.snapshot()?;
        let source = layout::open_reader(&self.dir)?;
        let mut target = layout::create(&to.join(DATABASE)).doing(BACKUP)?;
        let step = Backup::new(&source, &mut target).and_then(|all| all.step(-1)).doing(BACKUP)?;
        if step != StepResult::Done {
            return Err(StoreError::failed(BACKUP, "the database stayed busy"));
        }
        let totals = Totals::read(&target)?;
        drop(target);
        let bytes = copy_bodies(&self.dir, to, &totals)?;
        drop(held);
        finish(to)?;
        let database = fs::metadata(to.join(DATABASE)).doing(BACKUP)?.len();
        Ok(BackupReport {
            objects: totals.objects.saturating_sub(totals.gone),
            entries: totals.horizon.entries,
            bytes: bytes + database,
        })
    }
}

/// Checks the backup in `from` and copies it into `to`, a directory that is not there or is empty.
///
/// # Errors
///
/// Fails if the backup is not sound, if `to` holds something already, or a disk refuses.
pub fn restore(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<VerifyReport, StoreError> {
    let (from, to) = (from.as_ref(), to.as_ref());
    let report = verify(from)?;
    if let Some(problem) = report.problems.first() {
        return Err(StoreError::Damaged(format!(
            "the backup in `{}` is not sound: {problem}",
            from.display()
        )));
    }
    let _lock = lock(from, Mode::Read)?;
    make_empty(to)?;
    let source = layout::open_reader(from)?;
    let mut target = layout::create(&to.join(DATABASE)).doing(BACKUP)?;
    let step = Backup::new(&source, &mut target).and_then(|all| all.step(-1)).doing(BACKUP)?;
    if step != StepResult::Done {
        return Err(StoreError::failed(BACKUP, "the database stayed busy"));
    }
    copy_bodies(from, to, &Totals::read(&target)?)?;
    drop(target);
    finish(to)?;
    Ok(report)
}

fn make_empty(dir: &Path) -> Result<(), StoreError> {
    create_directory(&dir.join(FOLDER)).doing("creating the directory of the copy")?;
    let mut names = fs::read_dir(dir).doing("looking into the directory of the copy")?;
    let others = names.any(|entry| entry.is_ok_and(|entry| entry.file_name() != FOLDER));
    if others {
        let full = format!("`{}` is not empty; name a new directory", dir.display());
        return Err(StoreError::failed(BACKUP, full));
    }
    Ok(())
}

fn copy_bodies(from: &Path, to: &Path, totals: &Totals) -> Result<u64, StoreError> {
    let mut bytes = 0;
    for number in 1..=totals.file {
        let name = file_name(number);
        let source = match File::open(from.join(FOLDER).join(&name)) {
            Err(_) if number == totals.file && totals.file_end == 0 => break, // nothing was ever written to it
            opened => opened.doing(BACKUP)?,
        };
        let end = if number == totals.file { totals.file_end } else { u64::MAX };
        let mut target = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(OWNERS_FILE)
            .open(to.join(FOLDER).join(&name))
            .doing(BACKUP)?;
        bytes += io::copy(&mut source.take(end), &mut target).doing(BACKUP)?;
        target.sync_all().doing(BACKUP)?;
    }
    Ok(bytes)
}

/// Puts the lock's file in its place and everything's names on the disk.
fn finish(to: &Path) -> Result<(), StoreError> {
    drop(lock(to, Mode::Write)?);
    let sync = |path: &Path| File::open(path).and_then(|file| file.sync_all()).doing(BACKUP);
    sync(&to.join(DATABASE))?;
    sync(&to.join(FOLDER))?;
    sync(to)
}
