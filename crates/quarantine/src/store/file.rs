//! One kept mail as a file: sealed so that neither disk nor backup shows it, and written so that a crash leaves all or nothing.
//!
//! ```text
//! "RFQ1"  nonce (19)                     the beginning
//! chunk of 64 KiB + tag (16) ...         the mail, the last chunk marked as such (the STREAM construction)
//! nonce (24)  what is known of it + tag  JSON
//! length of that (4)  length of the chunks (8)  "1QFR"
//! ```
//!
//! What is known of a mail (to whom it goes, what it hit) is written behind it, since the mail is written as it comes and the
//! decision comes last. Both are bound to the mail's identifier: a file that was given another's name does not open.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use chacha20poly1305::aead::stream::{DecryptorBE32, EncryptorBE32};
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};

use super::key::StoreKey;

const BEGIN: &[u8; 4] = b"RFQ1";
const END: &[u8; 4] = b"1QFR";
const CHUNK_BYTES: usize = 64 * 1024;
const TAG_BYTES: usize = 16;
const STREAM_NONCE_BYTES: usize = 19;
const NONCE_BYTES: usize = 24;
const FOOT_BYTES: usize = 16;
/// The nonce before what is known of a mail, and the foot behind it.
const BEHIND_BYTES: i64 = 24 + 16;
/// What is known of a mail has its recipients in it.
const ABOUT_BYTES_MAX: usize = 16 * 1024 * 1024;

fn broken(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// A file that is being written.
#[derive(Debug)]
pub(super) struct Sealer {
    file: File,
    seal: Seal,
    chunk: Vec<u8>,
    sealed_bytes: u64,
    id: String,
}

/// The state of the cipher, without its key in a log.
struct Seal(EncryptorBE32<XChaCha20Poly1305>);

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

impl Sealer {
    pub(super) fn create(path: &Path, id: &str, key: &StoreKey) -> io::Result<Self> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let mut nonce = [0; STREAM_NONCE_BYTES];
        key.random(&mut nonce);
        file.write_all(BEGIN)?;
        file.write_all(&nonce)?;
        let seal = Seal(EncryptorBE32::new(key.bytes(), (&nonce).into()));
        Ok(Self { file, seal, chunk: Vec::with_capacity(CHUNK_BYTES), sealed_bytes: 0, id: id.to_owned() })
    }

    pub(super) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            // A full chunk waits for the next byte: it may be the last one.
            if self.chunk.len() == CHUNK_BYTES {
                let chunk = Payload { msg: &self.chunk, aad: self.id.as_bytes() };
                let sealed =
                    self.seal.0.encrypt_next(chunk).map_err(|_| broken("more than 256 TiB in one mail"))?;
                self.file.write_all(&sealed)?;
                self.sealed_bytes += sealed.len() as u64;
                self.chunk.clear();
            }
            let taken = bytes.len().min(CHUNK_BYTES - self.chunk.len());
            self.chunk.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
        }
        Ok(())
    }

    /// Ends the file; when this returns it is on the disk, though not yet its name.
    pub(super) fn finish(mut self, about: &[u8], key: &StoreKey) -> io::Result<()> {
        let last = Payload { msg: &self.chunk, aad: self.id.as_bytes() };
        let sealed = self.seal.0.encrypt_last(last).map_err(|_| broken("the cipher refuses"))?;
        self.file.write_all(&sealed)?;
        self.sealed_bytes += sealed.len() as u64;
        let mut nonce = [0; NONCE_BYTES];
        key.random(&mut nonce);
        let about = seal(key, &nonce, self.id.as_bytes(), about)?;
        self.file.write_all(&nonce)?;
        self.file.write_all(&about)?;
        let length = u32::try_from(about.len()).map_err(|_| broken("too much is known of a mail"))?;
        self.file.write_all(&length.to_be_bytes())?;
        self.file.write_all(&self.sealed_bytes.to_be_bytes())?;
        self.file.write_all(END)?;
        self.file.sync_all()
    }

    /// Everything written so far, read back from the file; for a mail that is looked at before it is kept.
    pub(super) fn read_back(&mut self, path: &Path, key: &StoreKey, bytes_max: usize) -> io::Result<Vec<u8>> {
        let mut file = BufReader::new(File::open(path)?);
        let mut nonce = read_begin(&mut file)?;
        let mut open = DecryptorBE32::<XChaCha20Poly1305>::new(key.bytes(), (&nonce).into());
        nonce.fill(0);
        let mut out = Vec::new();
        let mut left = self.sealed_bytes;
        let mut sealed = vec![0; CHUNK_BYTES + TAG_BYTES];
        while left > 0 && out.len() < bytes_max {
            file.read_exact(&mut sealed)?;
            left -= sealed.len() as u64;
            let chunk = Payload { msg: &sealed, aad: self.id.as_bytes() };
            out.extend(open.decrypt_next(chunk).map_err(|_| broken("what was just written does not open"))?);
        }
        out.extend_from_slice(&self.chunk);
        out.truncate(bytes_max);
        Ok(out)
    }
}

fn read_begin(file: &mut impl Read) -> io::Result<[u8; STREAM_NONCE_BYTES]> {
    let mut begin = [0; 4];
    file.read_exact(&mut begin)?;
    if &begin != BEGIN {
        return Err(broken("no kept mail, or of another version"));
    }
    let mut nonce = [0; STREAM_NONCE_BYTES];
    file.read_exact(&mut nonce)?;
    Ok(nonce)
}

/// Seals a short text in one piece.
pub(super) fn seal(
    key: &StoreKey,
    nonce: &[u8; NONCE_BYTES],
    bound_to: &[u8],
    text: &[u8],
) -> io::Result<Vec<u8>> {
    XChaCha20Poly1305::new(key.bytes())
        .encrypt(XNonce::from_slice(nonce), Payload { msg: text, aad: bound_to })
        .map_err(|_| broken("the cipher refuses"))
}

/// Opens what [`seal`] made.
pub(super) fn unseal(key: &StoreKey, nonce: &[u8], bound_to: &[u8], sealed: &[u8]) -> io::Result<Vec<u8>> {
    XChaCha20Poly1305::new(key.bytes())
        .decrypt(XNonce::from_slice(nonce), Payload { msg: sealed, aad: bound_to })
        .map_err(|_| broken("it was changed, or sealed with another key"))
}

/// What is known of a kept mail.
pub(super) fn about(file: &mut File, id: &str, key: &StoreKey) -> io::Result<Vec<u8>> {
    let (about_bytes, _) = read_foot(file)?;
    let behind = i64::from(about_bytes) + BEHIND_BYTES;
    file.seek(SeekFrom::End(-behind))?;
    let mut nonce = [0; NONCE_BYTES];
    file.read_exact(&mut nonce)?;
    let mut sealed = vec![0; usize::try_from(about_bytes).unwrap_or(usize::MAX)];
    file.read_exact(&mut sealed)?;
    unseal(key, &nonce, id.as_bytes(), &sealed)
}

fn read_foot(file: &mut File) -> io::Result<(u32, u64)> {
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.checked_sub(FOOT_BYTES as u64).ok_or(broken("it breaks off"))?))?;
    let mut foot = [0; FOOT_BYTES];
    file.read_exact(&mut foot)?;
    let about_bytes = u32::from_be_bytes([foot[0], foot[1], foot[2], foot[3]]);
    let sealed_bytes =
        u64::from_be_bytes([foot[4], foot[5], foot[6], foot[7], foot[8], foot[9], foot[10], foot[11]]);
    let fixed = (BEGIN.len() + STREAM_NONCE_BYTES + NONCE_BYTES + FOOT_BYTES) as u64;
    let sum = sealed_bytes.checked_add(u64::from(about_bytes)).and_then(|sum| sum.checked_add(fixed));
    if &foot[12..] != END || sum != Some(length) || about_bytes as usize > ABOUT_BYTES_MAX {
        return Err(broken("it breaks off"));
    }
    Ok((about_bytes, sealed_bytes))
}

/// Reads a kept mail, chunk by chunk. Nothing is given out that was not verified, and nobody is told that it ended before it did.
pub struct MailReader {
    file: BufReader<File>,
    open: Option<DecryptorBE32<XChaCha20Poly1305>>,
    left: u64,
    chunk: Vec<u8>,
    given: usize,
    id: String,
}

impl std::fmt::Debug for MailReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MailReader").field("id", &self.id).field("left", &self.left).finish_non_exhaustive()
    }
}

impl MailReader {
    pub(super) fn new(mut file: File, id: &str, key: &StoreKey) -> io::Result<Self> {
        let (_, left) = read_foot(&mut file)?;
        file.seek(SeekFrom::Start(0))?;
        let mut file = BufReader::new(file);
        let nonce = read_begin(&mut file)?;
        let open = Some(DecryptorBE32::new(key.bytes(), (&nonce).into()));
        Ok(Self { file, open, left, chunk: Vec::new(), given: 0, id: id.to_owned() })
    }

    fn next_chunk(&mut self) -> io::Result<()> {
        let most = (CHUNK_BYTES + TAG_BYTES) as u64;
        let size = self.left.min(most);
        let mut sealed = vec![0; usize::try_from(size).map_err(|_| broken("it breaks off"))?];
        self.file.read_exact(&mut sealed)?;
        self.left -= size;
        let chunk = Payload { msg: &sealed, aad: self.id.as_bytes() };
        let opened = if self.left > 0 {
            self.open.as_mut().map(|open| open.decrypt_next(chunk))
        } else {
            self.open.take().map(|open| open.decrypt_last(chunk))
        };
        let opened = opened.ok_or(broken("it goes on behind its end"))?;
        self.chunk = opened.map_err(|_| broken("it was changed, or sealed with another key"))?;
        self.given = 0;
        Ok(())
    }
}

impl Read for MailReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.given == self.chunk.len() {
            if self.open.is_none() {
                return Ok(0);
            }
            self.next_chunk()?;
        }
        let taken = out.len().min(self.chunk.len() - self.given);
        out[..taken].copy_from_slice(&self.chunk[self.given..self.given + taken]);
        self.given += taken;
        Ok(taken)
    }
}
