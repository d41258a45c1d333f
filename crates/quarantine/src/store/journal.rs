//! Who released or deleted what, and why: a sealed log that only grows.
//!
//! Each record is a length of four bytes, a nonce and the sealed text, bound to where it stands, so that records cannot be moved.
//! What a crash leaves half written is cut off by whoever writes next. When the log is full, it becomes the older one of two.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use model::Timestamp;
use serde::{Deserialize, Serialize};

use super::file::{seal, unseal};
use super::key::StoreKey;

/// About fifty thousand acts.
const JOURNAL_BYTES_MAX: u64 = 16 * 1024 * 1024;
const RECORD_BYTES_MAX: u32 = 64 * 1024;
/// The longest text of what was answered: with all else of an act far below what a record may have.
pub(super) const DETAIL_CHARS_MAX: usize = 4_000;
const NONCE_BYTES: usize = 24;

/// What was done with a kept mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Somebody asked to release it. If nothing follows, nobody knows whether it was delivered.
    ReleaseAsked,
    /// It was delivered.
    Released,
    /// It was not delivered.
    ReleaseFailed,
    /// It was deleted by somebody.
    Deleted,
    /// It was deleted by its age.
    Expired,
}

/// One act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// When.
    pub at: Timestamp,
    /// Which mail.
    pub id: String,
    /// What.
    pub act: Act,
    /// By whom; empty for what happens by itself.
    pub who: String,
    /// Why, in their words.
    pub why: String,
    /// Where it was delivered to, or why not.
    pub detail: String,
}

fn path_of(folder: &Path) -> PathBuf {
    folder.join("journal")
}

/// Writes entries; when this returns they are on the disk.
pub(super) fn append(folder: &Path, key: &StoreKey, entries: &[JournalEntry]) -> io::Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let path = path_of(folder);
    let mut file = open(&path)?;
    file.lock()?;
    if file.metadata()?.len() > JOURNAL_BYTES_MAX {
        // Whoever waits for the lock of the old file then writes behind its end, which readers see as well.
        fs::rename(&path, folder.join("journal.old"))?;
        file = open(&path)?;
        file.lock()?;
    }
    let mut at = end_of(&mut file)?;
    file.set_len(at)?;
    file.seek(SeekFrom::Start(at))?;
    let mut out = Vec::new();
    for entry in entries {
        let text = serde_json::to_vec(entry)?;
        let mut nonce = [0; NONCE_BYTES];
        key.random(&mut nonce);
        let sealed = seal(key, &nonce, &at.to_be_bytes(), &text)?;
        let length = u32::try_from(NONCE_BYTES + sealed.len()).map_err(io::Error::other)?;
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        at += 4 + u64::from(length);
    }
    file.write_all(&out)?;
    file.sync_all()
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Behind the last whole record.
fn end_of(file: &mut File) -> io::Result<u64> {
    let length = file.metadata()?.len();
    let mut at = 0;
    loop {
        let mut head = [0; 4];
        file.seek(SeekFrom::Start(at))?;
        if length - at < 4 {
            return Ok(at);
        }
        file.read_exact(&mut head)?;
        let next = at + 4 + u64::from(u32::from_be_bytes(head));
        if next > length {
            return Ok(at);
        }
        at = next;
    }
}

/// All entries, the oldest first. A record that does not open is passed over.
pub(super) fn read(folder: &Path, key: &StoreKey) -> io::Result<Vec<JournalEntry>> {
    let mut entries = Vec::new();
    for path in [folder.join("journal.old"), path_of(folder)] {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let mut file = BufReader::new(file);
        let mut at = 0_u64;
        let mut head = [0; 4];
        while file.read_exact(&mut head).is_ok() {
            let length = u32::from_be_bytes(head);
            let mut record = vec![0; length.min(RECORD_BYTES_MAX) as usize];
            if length > RECORD_BYTES_MAX || file.read_exact(&mut record).is_err() {
                break;
            }
            if let Some((nonce, sealed)) = record.split_at_checked(NONCE_BYTES)
                && let Ok(text) = unseal(key, nonce, &at.to_be_bytes(), sealed)
                && let Ok(entry) = serde_json::from_slice(&text)
            {
                entries.push(entry);
            }
            at += 4 + u64::from(length);
        }
    }
    Ok(entries)
}
