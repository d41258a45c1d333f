//! The files in which bodies lie.
//!
//! They are only ever appended to, except that an erased body is overwritten in place. Which bytes count is for the
//! database to say: what lies behind the last byte that it names is left over from a commit that did not happen.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use store::StoreError;

use crate::doing::Doing;
use crate::erasures::BLANK;
use crate::faults::{Faults, Step};

/// The directory's name in the data directory.
pub(crate) const FOLDER: &str = "bodies";
/// A file that is longer takes no further commit: 1 GiB, so that a file can be copied and checked at one go.
pub(crate) const FILE_SIZE_MAX: u64 = 1 << 30;
/// From this size on bytes are written from where they lie instead of being gathered first.
const GATHERED_MAX: usize = 64 * 1024;

/// How many bytes are read ahead for a reader that walks through small segments.
const WINDOW: usize = 128 * 1024;
/// Reading is ahead of nothing if a read is longer than this, or further than this behind the last one.
const WALKED_MAX: u32 = 16 * 1024;

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
                    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
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

    /// Fills `bytes` from a file as far as it goes.
    fn read_ahead(&self, file: u32, offset: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
        bytes.resize(WINDOW, 0);
        let file = self.file(file)?;
        let mut filled = 0;
        while filled < bytes.len() {
            match file.read_at(&mut bytes[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(filled);
        Ok(())
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
        fs::create_dir_all(&self.folder).doing("creating the folder of bodies")?;
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

/// What was read ahead for one reader. A page of many labels is made of hundreds of segments that lie side by side.
#[derive(Debug, Default)]
pub(crate) struct Window(RefCell<Ahead>);

#[derive(Debug, Default)]
struct Ahead {
    file: u32,
    offset: u64,
    /// INVARIANT: they are of `file`.
    bytes: Vec<u8>,
    /// Where the last read ended.
    last: u64,
}

impl Window {
    /// Does what [`BodyFiles::read`] does.
    pub(crate) fn read(
        &self,
        bodies: &BodyFiles,
        file: u32,
        offset: u64,
        length: u32,
        out: &mut Vec<u8>,
    ) -> Result<(), StoreError> {
        let mut ahead = self.0.borrow_mut();
        let end = offset + u64::from(length);
        if file != ahead.file {
            *ahead = Ahead { file, ..Ahead::default() };
        }
        let walks =
            length <= WALKED_MAX && (ahead.last..=ahead.last + u64::from(WALKED_MAX)).contains(&offset);
        if walks && !ahead.holds(offset, end) {
            let Ahead { offset: begin, bytes, .. } = &mut *ahead;
            bodies.read_ahead(file, offset, bytes).doing("reading bodies")?;
            *begin = offset;
        }
        ahead.last = end;
        if walks && ahead.holds(offset, end) {
            let within = |at: u64| usize::try_from(at - ahead.offset).unwrap_or(usize::MAX);
            out.extend_from_slice(&ahead.bytes[within(offset)..within(end)]);
            return Ok(());
        }
        bodies.read(file, offset, length, out)
    }
}

impl Ahead {
    fn holds(&self, offset: u64, end: u64) -> bool {
        self.offset <= offset && end <= self.offset + self.bytes.len() as u64
    }
}
