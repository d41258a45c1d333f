//! Where held mail lies.
//!
//! A folder with one sealed [file](file) for each mail. The file's name says what became of it, and renaming is the one step that
//! changes that, so there is no index that could disagree with the files after a crash:
//!
//! ```text
//! 7c..e1.draft      is still being written: at the next start it is removed, and the mail server still has the mail
//! 7c..e1.held       is kept: written, synced, then renamed, and only then did the mail server hear that it was taken
//! 7c..e1.released   was delivered; it stays until it expires
//! journal           who released or deleted what, and why
//! lock              held by the one program that writes mail
//! ```
//!
//! The program that writes, and those that list or release, may be different ones. Whoever acts on a mail locks its file.
//!
//! A crash between the rename and the answer leaves a mail that the sender will bring again: it may then be here twice, and is
//! never lost. A crash while a mail is released leaves it held, and possibly delivered: the journal then ends with the
//! request.

mod file;
mod journal;
mod key;
mod release;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use file::MailReader;
use file::Sealer;
pub use journal::{Act, JournalEntry};
pub use key::{KeyError, Random, StoreKey};
use model::Timestamp;
pub use release::{Delivery, ReleaseError, SmtpTarget};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why the store did not do something.
#[derive(Debug, Error)]
pub enum StoreError {
    /// A file cannot be read or written, or does not open with this key.
    #[error("`{}`: {source}", .path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// All that is kept, and being written, is as much as there may be.
    #[error("the store is full: {bytes_max} bytes")]
    Full {
        /// The limit.
        bytes_max: u64,
    },
    /// Another program has the store.
    #[error("another program writes into `{}`", .folder.display())]
    Taken {
        /// The store.
        folder: PathBuf,
    },
    /// Somebody else is at this mail.
    #[error("mail {id} is being released or deleted by another program")]
    Busy {
        /// Which mail.
        id: MailId,
    },
    /// Who and why have to be said.
    #[error("say who releases or deletes the mail, and why")]
    Unexplained,
    /// The mail could not be delivered.
    #[error(transparent)]
    Release(#[from] ReleaseError),
}

fn at_path(path: &Path) -> impl Fn(io::Error) -> StoreError + use<> {
    let path = path.to_owned();
    move |source| StoreError::File { path: path.clone(), source }
}

/// A kept mail's identifier: 32 hexadecimal digits, at random.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MailId(String);

/// A text that is no identifier of a mail.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{text}` is not the identifier of a kept mail: 32 hexadecimal digits")]
pub struct ParseMailIdError {
    text: String,
}

impl MailId {
    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for MailId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for MailId {
    type Err = ParseMailIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let well_formed =
            text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if well_formed { Ok(Self(text.to_owned())) } else { Err(ParseMailIdError { text: text.to_owned() }) }
    }
}

impl TryFrom<String> for MailId {
    type Error = ParseMailIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<MailId> for String {
    fn from(id: MailId) -> Self {
        id.0
    }
}

/// What is known of a kept mail, beside itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// When it was kept.
    pub at: Timestamp,
    /// The mail server's identifier.
    pub queue_id: String,
    /// The listener that it came by.
    pub listener: String,
    /// Who handed it to the mail server.
    pub peer: Option<std::net::IpAddr>,
    /// `MAIL FROM`, without angle brackets.
    pub sender: String,
    /// `RCPT TO`, without angle brackets.
    pub recipients: Vec<String>,
    /// The subject, decoded.
    pub subject: String,
    /// The opaque references of what it hit.
    pub references: Vec<String>,
    /// Its size.
    pub bytes: u64,
}

/// What became of a kept mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody released it.
    Held,
    /// It was delivered.
    Released,
}

impl State {
    fn suffix(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Released => "released",
        }
    }
}

/// A kept mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its identifier.
    pub id: MailId,
    /// What became of it.
    pub state: State,
    /// What is known of it.
    pub about: About,
}

/// Who does something with a kept mail, and why.
#[derive(Clone, Copy, Debug)]
pub struct Reason<'a> {
    /// Who.
    pub who: &'a str,
    /// Why.
    pub why: &'a str,
}

/// A folder of kept mail.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    key: StoreKey,
    bytes_max: u64,
    /// What lies here and what is being written, as far as this program knows.
    bytes: Arc<AtomicU64>,
    /// Held by whoever writes mail.
    lock: Option<File>,
}

impl Store {
    /// Opens a store to list, read, release and delete.
    ///
    /// # Errors
    ///
    /// Fails if the folder cannot be made or read.
    pub fn open(folder: &Path, key: StoreKey, bytes_max: u64) -> Result<Self, StoreError> {
        let failed = at_path(folder);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(&failed)?;
        let bytes = Arc::default();
        let store = Self { folder: folder.to_owned(), key, bytes_max, bytes, lock: None };
        store.count_bytes()?;
        Ok(store)
    }

    /// Opens a store to write mail into, too, and removes what a crash left half written.
    ///
    /// # Errors
    ///
    /// Fails if another program has done so.
    pub fn open_to_write(folder: &Path, key: StoreKey, bytes_max: u64) -> Result<Self, StoreError> {
        let mut store = Self::open(folder, key, bytes_max)?;
        let path = folder.join("lock");
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let lock = lock.map_err(at_path(&path))?;
        lock.try_lock().map_err(|_| StoreError::Taken { folder: folder.to_owned() })?;
        for (path, _, suffix) in store.files()? {
            if suffix == "draft" {
                fs::remove_file(&path).map_err(at_path(&path))?;
            }
        }
        store.count_bytes()?;
        store.lock = Some(lock);
        Ok(store)
    }

    fn files(&self) -> Result<Vec<(PathBuf, MailId, String)>, StoreError> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(at_path(&self.folder))? {
            let path = entry.map_err(at_path(&self.folder))?.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
            let suffix = path.extension().and_then(|suffix| suffix.to_str()).map(str::to_owned);
            if let (Some(id), Some(suffix)) = (stem, suffix) {
                files.push((path, id, suffix));
            }
        }
        files.sort();
        Ok(files)
    }

    fn count_bytes(&self) -> Result<(), StoreError> {
        let sizes =
            self.files()?.into_iter().filter_map(|(path, ..)| fs::metadata(path).ok()).map(|meta| meta.len());
        self.bytes.store(sizes.sum(), Ordering::Relaxed);
        Ok(())
    }

    /// Begins to write a mail.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be made.
    pub fn draft(&self) -> Result<Draft, StoreError> {
        let mut bytes = [0; 16];
        self.key.random(&mut bytes);
        let id = MailId(hex::encode(bytes));
        let path = self.folder.join(format!("{id}.draft"));
        let sealer = Sealer::create(&path, id.as_str(), &self.key).map_err(at_path(&path))?;
        Ok(Draft {
            sealer: Some(sealer),
            id,
            path,
            key: self.key.clone(),
            size: 0,
            total: Arc::clone(&self.bytes),
            bytes_max: self.bytes_max,
            is_kept: false,
        })
    }

    /// All kept mail, and the files that do not open, with why.
    ///
    /// # Errors
    ///
    /// Fails if the folder cannot be read.
    pub fn list(&self) -> Result<(Vec<Kept>, Vec<StoreError>), StoreError> {
        let (mut kept, mut broken) = (Vec::new(), Vec::new());
        for (path, id, suffix) in self.files()? {
            let state = match suffix.as_str() {
                "held" => State::Held,
                "released" => State::Released,
                _ => continue,
            };
            match self.about(&path, &id) {
                Ok(about) => kept.push(Kept { id, state, about }),
                // Another program may have moved or removed it meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => (),
                Err(source) => broken.push(StoreError::File { path, source }),
            }
        }
        kept.sort_by(|one, other| (one.about.at, &one.id).cmp(&(other.about.at, &other.id)));
        Ok((kept, broken))
    }

    fn about(&self, path: &Path, id: &MailId) -> io::Result<About> {
        let about = file::about(&mut File::open(path)?, id.as_str(), &self.key)?;
        Ok(serde_json::from_slice(&about)?)
    }

    fn find(&self, id: &MailId) -> Option<(PathBuf, State)> {
        let path = |state: State| self.folder.join(format!("{id}.{}", state.suffix()));
        let both = [State::Held, State::Released];
        both.into_iter().map(|state| (path(state), state)).find(|(path, _)| path.exists())
    }

    /// What is known of a mail.
    ///
    /// # Errors
    ///
    /// Fails if its file does not open.
    pub fn show(&self, id: &MailId) -> Result<Option<Kept>, StoreError> {
        let Some((path, state)) = self.find(id) else { return Ok(None) };
        let about = self.about(&path, id).map_err(at_path(&path))?;
        Ok(Some(Kept { id: id.clone(), state, about }))
    }

    /// The mail as it came, byte for byte.
    ///
    /// # Errors
    ///
    /// Fails if its file does not open.
    pub fn read(&self, id: &MailId) -> Result<Option<MailReader>, StoreError> {
        let Some((path, _)) = self.find(id) else { return Ok(None) };
        let file = File::open(&path).map_err(at_path(&path))?;
        MailReader::new(file, id.as_str(), &self.key).map(Some).map_err(at_path(&path))
    }

    /// Delivers a mail and says who wanted it, and why. `None` if there is no such mail.
    ///
    /// It waits for the receiving side: call it from a thread that may.
    ///
    /// # Errors
    ///
    /// Fails, and keeps the mail held, if nobody took it. Some recipients may have been refused; see [`Delivery`].
    pub fn release(
        &self,
        id: &MailId,
        reason: Reason<'_>,
        target: &SmtpTarget,
        now: Timestamp,
    ) -> Result<Option<Delivery>, StoreError> {
        let entry = explained(id, reason, now)?;
        let Some((path, file, state)) = self.locked(id)? else { return Ok(None) };
        let about = self.about(&path, id).map_err(at_path(&path))?;
        self.journal_append(&[JournalEntry { act: Act::ReleaseAsked, ..entry.clone() }])?;
        let mail = MailReader::new(file.try_clone().map_err(at_path(&path))?, id.as_str(), &self.key);
        let delivered = release::deliver(target, &about, &mut mail.map_err(at_path(&path))?);
        let (act, detail) = match &delivered {
            Ok(delivery) => (Act::Released, delivery.to_string()),
            Err(error) => (Act::ReleaseFailed, error.to_string()),
        };
        if delivered.is_ok() && state == State::Held {
            let released = self.folder.join(format!("{id}.released"));
            fs::rename(&path, &released).map_err(at_path(&released))?;
            self.sync_folder()?;
        }
        // What a mail server answers may be long, and a record of the journal is not.
        let detail = detail.chars().take(journal::DETAIL_CHARS_MAX).collect();
        self.journal_append(&[JournalEntry { act, detail, ..entry }])?;
        Ok(Some(delivered?))
    }

    /// Writes a mail out and notes it as released. `None` if there is no such mail.
    ///
    /// # Errors
    ///
    /// Fails, and keeps the mail held, if it cannot be written.
    pub fn release_to(
        &self,
        id: &MailId,
        reason: Reason<'_>,
        out: &mut dyn Write,
        now: Timestamp,
    ) -> Result<Option<()>, StoreError> {
        let entry = explained(id, reason, now)?;
        let Some((path, file, state)) = self.locked(id)? else { return Ok(None) };
        self.journal_append(&[JournalEntry { act: Act::ReleaseAsked, ..entry.clone() }])?;
        let failed = at_path(&path);
        let mut mail =
            MailReader::new(file.try_clone().map_err(&failed)?, id.as_str(), &self.key).map_err(&failed)?;
        io::copy(&mut mail, out).and_then(|_| out.flush()).map_err(&failed)?;
        if state == State::Held {
            fs::rename(&path, self.folder.join(format!("{id}.released"))).map_err(&failed)?;
            self.sync_folder()?;
        }
        self.journal_append(&[JournalEntry {
            act: Act::Released,
            detail: "written out".to_owned(),
            ..entry
        }])?;
        Ok(Some(()))
    }

    /// Deletes a mail for good. `None` if there is no such mail.
    ///
    /// # Errors
    ///
    /// Fails if somebody else is at it, or the disk refuses.
    pub fn delete(&self, id: &MailId, reason: Reason<'_>, now: Timestamp) -> Result<Option<()>, StoreError> {
        let entry = explained(id, reason, now)?;
        let Some((path, ..)) = self.locked(id)? else { return Ok(None) };
        self.journal_append(&[JournalEntry { act: Act::Deleted, ..entry }])?;
        self.remove(&path)?;
        self.sync_folder()?;
        Ok(Some(()))
    }

    /// Deletes what has been here longer than `keep`; gives how many that were. What somebody else is at stays for now.
    ///
    /// # Errors
    ///
    /// Fails if the folder cannot be read or the journal not written.
    pub fn expire(&self, keep: Duration, now: Timestamp) -> Result<usize, StoreError> {
        let (kept, _) = self.list()?;
        let (mut entries, mut locked, mut expired) = (Vec::new(), Vec::new(), 0);
        for Kept { id, about, .. } in kept {
            if now.since(about.at) <= keep {
                continue;
            }
            if let Ok(Some((path, file, _))) = self.locked(&id) {
                let (who, why, detail) = (String::new(), String::new(), String::new());
                entries.push(JournalEntry { at: now, id: id.0, act: Act::Expired, who, why, detail });
                locked.push((path, file));
            }
            // Each lock is an open file.
            if locked.len() >= 256 {
                expired += self.expire_locked(&mut entries, &mut locked)?;
            }
        }
        expired += self.expire_locked(&mut entries, &mut locked)?;
        self.count_bytes()?;
        self.sync_folder()?;
        Ok(expired)
    }

    fn expire_locked(
        &self,
        entries: &mut Vec<JournalEntry>,
        locked: &mut Vec<(PathBuf, File)>,
    ) -> Result<usize, StoreError> {
        self.journal_append(entries)?;
        for (path, _) in locked.iter() {
            self.remove(path)?;
        }
        entries.clear();
        Ok(locked.drain(..).count())
    }

    /// What was done with kept mail, the oldest first.
    ///
    /// # Errors
    ///
    /// Fails if the journal cannot be read.
    pub fn journal(&self) -> Result<Vec<JournalEntry>, StoreError> {
        journal::read(&self.folder, &self.key).map_err(at_path(&self.folder))
    }

    fn journal_append(&self, entries: &[JournalEntry]) -> Result<(), StoreError> {
        journal::append(&self.folder, &self.key, entries).map_err(at_path(&self.folder))
    }

    fn locked(&self, id: &MailId) -> Result<Option<(PathBuf, File, State)>, StoreError> {
        let Some((path, state)) = self.find(id) else { return Ok(None) };
        let file = File::open(&path).map_err(at_path(&path))?;
        match file.try_lock() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => return Err(StoreError::Busy { id: id.clone() }),
            Err(TryLockError::Error(source)) => return Err(StoreError::File { path, source }),
        }
        // It may have been moved between looking and locking.
        Ok(path.exists().then_some((path, file, state)))
    }

    fn remove(&self, path: &Path) -> Result<(), StoreError> {
        let size = fs::metadata(path).map_or(0, |meta| meta.len());
        fs::remove_file(path).map_err(at_path(path))?;
        let _ = self
            .bytes
            .try_update(Ordering::Relaxed, Ordering::Relaxed, |total| Some(total.saturating_sub(size)));
        Ok(())
    }

    fn sync_folder(&self) -> Result<(), StoreError> {
        sync_folder(&self.folder)
    }
}

fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    File::open(folder).and_then(|file| file.sync_all()).map_err(at_path(folder))
}

fn explained(id: &MailId, reason: Reason<'_>, now: Timestamp) -> Result<JournalEntry, StoreError> {
    let (who, why) = (reason.who.trim(), reason.why.trim());
    if who.is_empty() || why.is_empty() {
        return Err(StoreError::Unexplained);
    }
    // A record has a limit.
    let shortened = |text: &str| text.chars().take(2_000).collect::<String>();
    Ok(JournalEntry {
        at: now,
        id: id.0.clone(),
        act: Act::Deleted,
        who: shortened(who),
        why: shortened(why),
        detail: String::new(),
    })
}

/// A mail that is being written. Dropped before it is [kept](Self::keep), nothing remains of it.
#[derive(Debug)]
pub struct Draft {
    sealer: Option<Sealer>,
    id: MailId,
    path: PathBuf,
    key: StoreKey,
    size: u64,
    total: Arc<AtomicU64>,
    bytes_max: u64,
    is_kept: bool,
}

impl Draft {
    /// Appends to the mail.
    ///
    /// # Errors
    ///
    /// Fails if the disk or the store is full.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let added = bytes.len() as u64;
        let before = self.total.fetch_add(added, Ordering::Relaxed);
        self.size += added;
        if before + added > self.bytes_max {
            return Err(StoreError::Full { bytes_max: self.bytes_max });
        }
        match &mut self.sealer {
            Some(sealer) => sealer.write(bytes).map_err(at_path(&self.path)),
            None => Ok(()),
        }
    }

    /// The beginning of what was written.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read.
    pub fn beginning(&mut self, bytes_max: usize) -> Result<Vec<u8>, StoreError> {
        match &mut self.sealer {
            Some(sealer) => sealer.read_back(&self.path, &self.key, bytes_max).map_err(at_path(&self.path)),
            None => Ok(Vec::new()),
        }
    }

    /// Keeps the mail: when this returns, it survives the loss of power.
    ///
    /// # Errors
    ///
    /// Fails, and keeps nothing, if the disk refuses.
    pub fn keep(mut self, about: &About) -> Result<MailId, StoreError> {
        let failed = at_path(&self.path);
        let text = serde_json::to_vec(about).map_err(io::Error::other).map_err(&failed)?;
        if let Some(sealer) = self.sealer.take() {
            sealer.finish(&text, &self.key).map_err(&failed)?;
        }
        let kept = self.path.with_extension(State::Held.suffix());
        fs::rename(&self.path, &kept).map_err(&failed)?;
        self.path.clone_from(&kept);
        sync_folder(kept.parent().unwrap_or(Path::new(".")))?;
        self.is_kept = true;
        Ok(self.id.clone())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        // Also what was renamed already, but may not survive: the mail server will hear that it was not taken.
        let _ = fs::remove_file(&self.path);
        let size = self.size;
        let _ = self
            .total
            .try_update(Ordering::Relaxed, Ordering::Relaxed, |total| Some(total.saturating_sub(size)));
    }
}
