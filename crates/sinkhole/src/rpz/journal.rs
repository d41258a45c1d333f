//! The changes of a zone, so that a secondary that knows an older serial gets only what is new, also after a restart.
//!
//! A journal is an append-only file. Each record is sealed with the caller's key (XChaCha20-Poly1305), for the names in it are
//! what the guard's store keeps encrypted too; the seal is the checksum. A record's place in the file and the zone's name are
//! sealed in with it, so records cannot be exchanged. Reading stops at the first record that does not open: a torn end is cut
//! off. What was lost so shows as a different *sum* of the content, and then the journal begins anew.
//!
//! ```text
//! record := length u32, nonce [24], sealed [length]
//! plain  := from u32, to u32, sum u64, expire from u32, expire to u32, removed u32 (bytes), removed entries, added entries
//! ```
//!
//! The first record of a file has `from` = `to` and no entries: where the journal begins.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use crate::Random;
use crate::name::WireName;

/// A secondary that missed more than this gets the whole zone; about 100,000 changes.
pub const JOURNAL_BYTES_MAX: usize = 8 << 20;
/// Serials kept beside that bound.
pub const JOURNAL_CHANGES_MAX: usize = 4096;
/// The largest record that is read back; a larger change is not journalled at all.
const RECORD_BYTES_MAX: usize = JOURNAL_BYTES_MAX + 1024;
const NONCE_BYTES: usize = 24;
/// Sealed in with each record, so that a journal of another format does not open and begins anew.
const FORMAT: u8 = 2;

/// The key that seals a journal.
#[derive(Clone)]
pub struct JournalKey(XChaCha20Poly1305);

impl JournalKey {
    /// A key of 32 random bytes that the caller keeps.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self(XChaCha20Poly1305::new(key.into()))
    }
}

impl std::fmt::Debug for JournalKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JournalKey(..)")
    }
}

/// The way from one serial to the next.
#[derive(Clone, Debug)]
pub(crate) struct Delta {
    pub(crate) from: u32,
    pub(crate) to: u32,
    /// The sum over the content once this is applied.
    pub(crate) sum: u64,
    /// The zone's expiry at either serial: a secondary takes away the SOA that it has, and no other.
    pub(crate) expire: (u32, u32),
    /// Encoded entries.
    pub(crate) removed: Arc<[u8]>,
    /// Encoded entries.
    pub(crate) added: Arc<[u8]>,
}

impl Delta {
    fn bytes(&self) -> usize {
        self.removed.len() + self.added.len() + 28
    }
}

/// What a zone has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Last {
    pub(crate) serial: u32,
    /// The sum of the content that it stands for.
    pub(crate) sum: u64,
    /// The expiry that secondaries were told with it.
    pub(crate) expire: u32,
}

/// An open journal: the file, and what it says.
pub(crate) struct Journal {
    path: PathBuf,
    apex: Box<[u8]>,
    key: JournalKey,
    random: Random,
    bytes_max: usize,
    file: File,
    /// Whether the file's end may be torn, after a write that failed.
    torn: bool,
    /// Records in the file; the place of the next one.
    records: u64,
    file_bytes: usize,
    deltas: VecDeque<Delta>,
    kept_bytes: usize,
    last: Option<Last>,
}

impl Journal {
    /// Opens the journal at `path`, or begins an empty one.
    pub(crate) fn open(
        path: PathBuf,
        apex: WireName<'_>,
        key: JournalKey,
        random: Random,
    ) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let apex = apex.as_bytes().into();
        let (deltas, kept_bytes, last) = (VecDeque::new(), 0, None);
        let (bytes_max, torn) = (JOURNAL_BYTES_MAX, false);
        let (records, file_bytes) = (0, 0);
        let mut journal = Self {
            path,
            apex,
            key,
            random,
            bytes_max,
            file,
            torn,
            records,
            file_bytes,
            deltas,
            kept_bytes,
            last,
        };
        let mut rest = &bytes[..];
        while let Some((delta, after)) = journal.read_record(rest) {
            let follows = journal.last.is_none_or(|last| last.serial == delta.from);
            if !follows {
                break;
            }
            rest = after;
            journal.records += 1;
            journal.last = Some(Last { serial: delta.to, sum: delta.sum, expire: delta.expire.1 });
            if delta.from != delta.to {
                journal.keep(delta);
            }
        }
        journal.file_bytes = bytes.len() - rest.len();
        if !rest.is_empty() {
            tracing::warn!(bytes = rest.len(), "the end of a zone's journal does not open and is cut off");
            journal.file.set_len(journal.file_bytes as u64)?;
        }
        Ok(journal)
    }

    /// The last serial, and what it stands for.
    pub(crate) fn last(&self) -> Option<Last> {
        self.last
    }

    /// The changes since `serial`, the oldest first; `None` if that is beyond what is kept.
    pub(crate) fn since(&self, serial: u32) -> Option<Vec<Delta>> {
        let first = self.deltas.iter().position(|delta| delta.from == serial)?;
        Some(self.deltas.iter().skip(first).cloned().collect())
    }

    /// Forgets all changes and begins at `serial`.
    pub(crate) fn begin(&mut self, last: Last) -> io::Result<()> {
        self.deltas.clear();
        self.kept_bytes = 0;
        self.last = Some(last);
        self.rewrite()
    }

    /// Makes a change durable.
    pub(crate) fn append(&mut self, delta: Delta) -> io::Result<()> {
        let last = Last { serial: delta.to, sum: delta.sum, expire: delta.expire.1 };
        if delta.bytes() > self.bytes_max {
            // Whoever knows an older serial gets the whole zone.
            return self.begin(last);
        }
        self.last = Some(last);
        self.keep(delta);
        if self.torn || self.file_bytes > 2 * self.bytes_max || self.records > 2 * JOURNAL_CHANGES_MAX as u64
        {
            return self.rewrite();
        }
        let delta = self.deltas.back().expect("just kept");
        let record = self.seal(self.records, delta);
        self.torn = true;
        self.file.write_all(&record)?;
        self.file.sync_data()?;
        self.torn = false;
        self.records += 1;
        self.file_bytes += record.len();
        Ok(())
    }

    fn keep(&mut self, delta: Delta) {
        self.kept_bytes += delta.bytes();
        self.deltas.push_back(delta);
        while self.kept_bytes > self.bytes_max || self.deltas.len() > JOURNAL_CHANGES_MAX {
            let Some(oldest) = self.deltas.pop_front() else { break };
            self.kept_bytes -= oldest.bytes();
        }
    }

    /// Writes what is kept into a new file and puts that in the old one's place.
    fn rewrite(&mut self) -> io::Result<()> {
        self.torn = true;
        let Some(Last { serial, sum, expire }) = self.last else { return Ok(()) };
        let first = self.deltas.front().map(|delta| (delta.from, delta.expire.0));
        let (start, expire) = first.unwrap_or((serial, expire));
        let empty: Arc<[u8]> = Arc::new([]);
        let removed = Arc::clone(&empty);
        let base = Delta { from: start, to: start, sum, expire: (expire, expire), removed, added: empty };
        let mut bytes = self.seal(0, &base);
        for (delta, at) in self.deltas.iter().zip(1..) {
            bytes.extend_from_slice(&self.seal(at, delta));
        }
        let beside = self.path.with_extension("journal-new");
        let mut file = File::create(&beside)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&beside, &self.path)?;
        sync_folder(&self.path)?;
        self.file = OpenOptions::new().append(true).open(&self.path)?;
        self.records = 1 + self.deltas.len() as u64;
        self.file_bytes = bytes.len();
        self.torn = false;
        Ok(())
    }

    fn place(&self, record: u64) -> Vec<u8> {
        let mut place = self.apex.to_vec();
        place.push(FORMAT);
        place.extend_from_slice(&record.to_be_bytes());
        place
    }

    fn seal(&self, record: u64, delta: &Delta) -> Vec<u8> {
        let mut plain = Vec::with_capacity(delta.bytes());
        plain.extend_from_slice(&delta.from.to_be_bytes());
        plain.extend_from_slice(&delta.to.to_be_bytes());
        plain.extend_from_slice(&delta.sum.to_be_bytes());
        plain.extend_from_slice(&delta.expire.0.to_be_bytes());
        plain.extend_from_slice(&delta.expire.1.to_be_bytes());
        let removed = u32::try_from(delta.removed.len()).expect("a delta is within the journal's bound");
        plain.extend_from_slice(&removed.to_be_bytes());
        plain.extend_from_slice(&delta.removed);
        plain.extend_from_slice(&delta.added);
        let mut nonce = [0; NONCE_BYTES];
        self.random.fill(&mut nonce);
        let payload = Payload { msg: &plain, aad: &self.place(record) };
        let sealed =
            self.key.0.encrypt(XNonce::from_slice(&nonce), payload).expect("far below the cipher's limit");
        let length = u32::try_from(sealed.len()).expect("a delta is within the journal's bound");
        [&length.to_be_bytes()[..], &nonce, &sealed].concat()
    }

    fn read_record<'a>(&self, bytes: &'a [u8]) -> Option<(Delta, &'a [u8])> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let length =
            usize::try_from(u32::from_be_bytes(*length)).ok().filter(|length| *length <= RECORD_BYTES_MAX)?;
        let (nonce, rest) = rest.split_at_checked(NONCE_BYTES)?;
        let (sealed, rest) = rest.split_at_checked(length)?;
        let payload = Payload { msg: sealed, aad: &self.place(self.records) };
        let plain = self.key.0.decrypt(XNonce::from_slice(nonce), payload).ok()?;
        let (from, plain) = plain.split_first_chunk::<4>()?;
        let (to, plain) = plain.split_first_chunk::<4>()?;
        let (sum, plain) = plain.split_first_chunk::<8>()?;
        let (expire_from, plain) = plain.split_first_chunk::<4>()?;
        let (expire_to, plain) = plain.split_first_chunk::<4>()?;
        let (removed, plain) = plain.split_first_chunk::<4>()?;
        let removed = usize::try_from(u32::from_be_bytes(*removed)).ok()?;
        let (removed, added) = plain.split_at_checked(removed)?;
        let delta = Delta {
            from: u32::from_be_bytes(*from),
            to: u32::from_be_bytes(*to),
            sum: u64::from_be_bytes(*sum),
            expire: (u32::from_be_bytes(*expire_from), u32::from_be_bytes(*expire_to)),
            removed: removed.into(),
            added: added.into(),
        };
        Some((delta, rest))
    }
}

/// Makes a rename durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Name;

    fn open(path: &Path) -> Journal {
        let apex: Name = "rpz.guard".parse().unwrap();
        let key = JournalKey::new(&[7; 32]);
        Journal::open(
            path.to_owned(),
            apex.as_wire(),
            key,
            Random::new(|bytes| getrandom::fill(bytes).unwrap()),
        )
        .unwrap()
    }

    fn delta(from: u32, to: u32, bytes: usize) -> Delta {
        let (removed, added) = (vec![1; bytes].into(), vec![2; bytes].into());
        Delta { from, to, sum: u64::from(to), expire: (from * 2, to * 2), removed, added }
    }

    fn last(serial: u32) -> Last {
        Last { serial, sum: u64::from(serial), expire: serial * 2 }
    }

    fn serials(journal: &Journal, since: u32) -> Option<Vec<(u32, u32)>> {
        journal.since(since).map(|deltas| deltas.iter().map(|delta| (delta.from, delta.to)).collect())
    }

    #[test]
    fn changes_survive_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("zone.journal");
        let mut journal = open(&path);
        assert_eq!(journal.last(), None);
        journal.begin(last(10)).unwrap();
        for (from, to) in [(10, 12), (12, 13), (13, 20)] {
            journal.append(delta(from, to, 30)).unwrap();
        }
        drop(journal);
        let journal = open(&path);
        assert_eq!(journal.last(), Some(last(20)));
        assert_eq!(serials(&journal, 12), Some(vec![(12, 13), (13, 20)]));
        assert_eq!(journal.since(12).unwrap()[0].removed.len(), 30);
        assert_eq!(serials(&journal, 11), None, "never was a serial");
        assert_eq!(serials(&journal, 20), None, "nothing is newer");
    }

    #[test]
    fn a_torn_or_altered_end_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("zone.journal");
        let mut journal = open(&path);
        journal.begin(last(1)).unwrap();
        journal.append(delta(1, 2, 10)).unwrap();
        let whole = fs::read(&path).unwrap().len();
        journal.append(delta(2, 3, 10)).unwrap();
        drop(journal);
        let bytes = fs::read(&path).unwrap();
        for cut in whole..bytes.len() {
            fs::write(&path, &bytes[..cut]).unwrap();
            let mut journal = open(&path);
            assert_eq!(journal.last(), Some(last(2)), "cut at {cut}");
            journal.append(delta(2, 9, 1)).unwrap();
            assert_eq!(open(&path).last(), Some(last(9)), "it goes on after the cut");
        }
        let mut altered = bytes.clone();
        altered[whole + 40] ^= 1;
        fs::write(&path, &altered).unwrap();
        assert_eq!(open(&path).last(), Some(last(2)));
    }

    #[test]
    fn records_cannot_change_places() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("zone.journal");
        let mut journal = open(&path);
        journal.begin(last(1)).unwrap();
        let base = fs::read(&path).unwrap().len();
        journal.append(delta(1, 1, 10)).unwrap();
        let bytes = fs::read(&path).unwrap();
        let doubled = [&bytes[..], &bytes[base..]].concat();
        fs::write(&path, doubled).unwrap();
        assert_eq!(open(&path).records, 2, "the copy does not open in the third place");
    }

    #[test]
    fn the_journal_is_bounded_in_memory_and_on_disk() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("zone.journal");
        let mut journal = open(&path);
        journal.begin(last(0)).unwrap();
        let most = 64 << 10;
        journal.bytes_max = most;
        for serial in 0..40 {
            journal.append(delta(serial, serial + 1, most / 8)).unwrap();
            assert!(journal.kept_bytes <= most && journal.file_bytes <= 3 * most);
        }
        assert_eq!(serials(&journal, 30), None);
        assert_eq!(serials(&journal, 38), Some(vec![(38, 39), (39, 40)]));
        assert_eq!(open(&path).last(), Some(last(40)));
        journal.append(delta(40, 41, most)).unwrap();
        assert_eq!((serials(&journal, 40), open(&path).last()), (None, Some(last(41))));
    }
}
