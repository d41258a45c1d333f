//! The files in which bodies lie.
//!
//! They are only ever appended to, except that an erased body is overwritten in place, and that shelves are filled which
//! were reserved for the copies of small segments (module `near`). Which bytes count is for the database to say: what lies
//! behind the last byte that it names is left over from a commit that did not happen.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use store::StoreError;

use crate::doing::Doing;
use crate::erasures::BLANK;
use crate::faults::{Faults, Step};
use crate::layout::OWNERS_FILE;
use crate::open::create_directory;

/// The directory's name in the data directory.
pub(crate) const FOLDER: &str = "bodies";
/// A file that is longer takes no further commit: 1 GiB, so that a file can be copied and checked at one go.
pub(crate) const FILE_SIZE_MAX: u64 = 1 << 30;
/// From this size on bytes are written from where they lie instead of being gathered first.
const GATHERED_MAX: usize = 64 * 1024;

/// Whether the files may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Write,
    Read,
}

/// The body files of a data directory, each opened once.
#[derive(Debug)]
pub(crate) struct BodyFiles {
    folder: PathBuf,
    mode: Mode,
    open: RwLock<BTreeMap<u32, Arc<File>>>,
    faults: Faults,
}

pub(crate) fn file_name(number: u32) -> String {
    format!("{number:08}.dat")
}

fn file_number(name: &str) -> Option<u32> {
    name.strip_suffix(".dat").filter(|digits| digits.len() == 8)?.parse().ok()
}

impl BodyFiles {
    pub(crate) fn new(dir: &Path, mode: Mode, faults: Faults) -> Self {
        Self { folder: dir.join(FOLDER), mode, open: RwLock::default(), faults }
    }

    /// The file with this number; a writer's comes into being when it is first asked for.
    fn file(&self, number: u32) -> io::Result<Arc<File>> {
        if let Some(file) = self.open.read().unwrap_or_else(PoisonError::into_inner).get(&number) {
            return Ok(Arc::clone(file));
        }
        let path = self.folder.join(file_name(number));
        let file = match self.mode {
            Mode::Read => File::open(path)?,
            Mode::Write => match OpenOptions::new().read(true).write(true).open(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    let mut new = OpenOptions::new();
                    new.read(true).write(true).create_new(true).mode(OWNERS_FILE);
                    let file = new.open(&path)?;
                    // The name has to survive as well as the bytes.
                    File::open(&self.folder)?.sync_all()?;
                    file
                }
                opened => opened?,
            },
        };
        let file = Arc::new(file);
        self.open.write().unwrap_or_else(PoisonError::into_inner).insert(number, Arc::clone(&file));
        Ok(file)
    }

    /// Appends `length` bytes of a file to `out`.
    pub(crate) fn read(
        &self,
        file: u32,
        offset: u64,
        length: u32,
        out: &mut Vec<u8>,
    ) -> Result<(), StoreError> {
        let start = out.len();
        let length = usize::try_from(length).doing("reading bodies")?;
        let read = self.file(file).and_then(|file| {
            out.resize(start + length, 0);
            file.read_exact_at(&mut out[start..], offset)
        });
        read.map_err(|error| {
            out.truncate(start);
            if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::NotFound) {
                return StoreError::Damaged(format!(
                    "body file {} lacks bytes from {offset} on",
                    file_name(file)
                ));
            }
            StoreError::failed("reading bodies", error)
        })
    }

    /// Fills `bytes` with at most `length` bytes from a file, as far as it goes.
    pub(crate) fn read_ahead(
        &self,
        file: u32,
        offset: u64,
        length: usize,
        bytes: &mut Vec<u8>,
    ) -> io::Result<()> {
        bytes.resize(length, 0);
        let filled = self.file(file).and_then(|file| fill(&file, offset, bytes));
        bytes.truncate(*filled.as_ref().unwrap_or(&0));
        filled.map(drop)
    }

    /// Writes parts one behind the other from `offset` on; returns the first byte behind them.
    pub(crate) fn append<'p>(
        &self,
        file: u32,
        offset: u64,
        parts: impl Iterator<Item = &'p [u8]>,
    ) -> Result<u64, StoreError> {
        self.faults
            .around(Step::Append, || {
                let file = self.file(file)?;
                let (mut at, mut gathered) = (offset, Vec::new());
                let mut put = |bytes: &[u8]| -> io::Result<()> {
                    file.write_all_at(bytes, at)?;
                    at += bytes.len() as u64;
                    Ok(())
                };
                for part in parts {
                    if gathered.len() + part.len() > GATHERED_MAX {
                        put(&gathered)?;
                        gathered.clear();
                    }
                    if part.len() > GATHERED_MAX {
                        put(part)?;
                    } else {
                        gathered.extend_from_slice(part);
                    }
                }
                put(&gathered)?;
                Ok::<_, io::Error>(at)
            })
            .doing("appending bodies")
    }

    /// Writes each part where it belongs, and makes the file at least `end` bytes long.
    pub(crate) fn place(&self, file: u32, end: u64, parts: &[(u64, &[u8])]) -> Result<(), StoreError> {
        self.faults
            .around(Step::Append, || {
                let file = self.file(file)?;
                parts.iter().try_for_each(|(offset, bytes)| file.write_all_at(bytes, *offset))?;
                if file.metadata()?.len() < end {
                    file.set_len(end)?;
                }
                Ok::<_, io::Error>(())
            })
            .doing("copying bodies beside others of their label")
    }

    /// Flushes files to the disk.
    pub(crate) fn flush(&self, files: &BTreeSet<u32>) -> Result<(), StoreError> {
        self.faults
            .around(Step::Flush, || files.iter().try_for_each(|number| self.file(*number)?.sync_data()))
            .doing("flushing bodies to the disk")
    }

    /// Overwrites bytes with blanks.
    pub(crate) fn blank(&self, file: u32, offset: u64, length: u32) -> Result<(), StoreError> {
        let blanks = vec![BLANK; usize::try_from(length).doing("erasing a body")?];
        self.faults
            .around(Step::Erase, || self.file(file)?.write_all_at(&blanks, offset))
            .doing("erasing a body")
    }

    /// Cuts off what lies behind byte `end` of file `last`, the last that counts.
    ///
    /// # Errors
    ///
    /// Finds the store damaged if bytes that count are missing.
    pub(crate) fn cut(&self, last: u32, end: u64) -> Result<(), StoreError> {
        create_directory(&self.folder).doing("creating the folder of bodies")?;
        for entry in fs::read_dir(&self.folder).doing("listing body files")? {
            let entry = entry.doing("listing body files")?;
            if entry.file_name().to_str().and_then(file_number).is_some_and(|number| number > last) {
                self.open.write().unwrap_or_else(PoisonError::into_inner).clear();
                fs::remove_file(entry.path()).doing("removing a body file that nothing names")?;
            }
        }
        let path = self.folder.join(file_name(last));
        let length = match fs::metadata(&path) {
            Ok(found) => found.len(),
            Err(error) if error.kind() == ErrorKind::NotFound => 0,
            Err(error) => return Err(StoreError::failed("looking at a body file", error)),
        };
        if length < end {
            let name = file_name(last);
            return Err(StoreError::Damaged(format!(
                "body file {name} has {length} bytes and should have {end}"
            )));
        }
        if length > end {
            self.file(last).and_then(|file| file.set_len(end)).doing("cutting off what was not committed")?;
        }
        Ok(())
    }
}

/// Reads as much as there is, at most as much as fits; returns how much.
fn fill(file: &File, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
