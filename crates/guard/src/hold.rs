//! What the guard holds, on disk: one encrypted file that is written forward.
//!
//! ```text
//! magic (8)  generation (16, random)          the head
//! length (4, little endian)  ciphertext       a frame, numbered from 0
//! ...
//! ```
//!
//! A [`Frame`] is what one page of a feed changed, together with where the feed stands after it, so that the indicators
//! and the cursor can never disagree. It is compressed, then sealed with XChaCha20-Poly1305. Its nonce is the file's
//! generation and the frame's number, so no nonce is used twice under one key and no frame can be moved, left out in
//! the middle or carried into another file. A frame is synced before the page counts as taken.
//!
//! What was not wholly written when the power went is cut off: the hub has it still. Anything else that does not
//! decrypt is damage, which is told and not passed over; the remedy is to remove the file and subscribe anew.
//!
//! When most of the file is about what is gone, it is written anew beside itself and renamed into place.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead as _, KeyInit as _};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use thiserror::Error;

const MAGIC: &[u8; 8] = b"rfhold01";
const HEAD_BYTES: usize = 24;
/// The largest frame that is read: a page of the largest objects is far below.
const FRAME_BYTES_MAX: usize = 256 << 20;
/// Below this size nothing is written anew.
const COMPACT_BYTES_MIN: u64 = 16 << 20;
/// Speed counts more than size: a million indicators are read within a second.
const ZSTD_LEVEL: i32 = 1;

/// Why the store cannot be used.
#[derive(Debug, Error)]
pub enum HoldError {
    /// The disk.
    #[error("`{path}` cannot be {doing}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Which file.
        path: String,
        /// What happened.
        source: io::Error,
    },
    /// What is there was not written with this key, or was changed since.
    #[error(
        "frame {frame} of `{path}` is damaged or was written with another key; move the file away and the guard subscribes anew"
    )]
    Damaged {
        /// Which file.
        path: String,
        /// Which frame, from 0.
        frame: u64,
    },
}

/// A key of 256 bits.
#[derive(Clone)]
pub struct HoldKey([u8; 32]);

impl std::fmt::Debug for HoldKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HoldKey(..)")
    }
}

impl HoldKey {
    /// A key from its bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

/// One step of what is held.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// The alias of the feed; empty for what belongs to none.
    pub feed: String,
    /// Where the feed stands after this, as the subscription writes it.
    pub cursor: Option<String>,
    /// When the hub was last heard of, in microseconds since 1970.
    pub heard: i64,
    /// The feed is empty before what follows is put in.
    pub anew: bool,
    /// Objects, as they were received.
    pub put: Vec<Kept>,
    /// Objects that are gone.
    pub gone: Vec<String>,
}

/// An object that is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// What the hub permits with it; see [`crate::indicator::Rights`].
    pub rights: u8,
    /// The object.
    pub object: Vec<u8>,
}

/// The open store.
#[derive(Debug)]
pub struct Hold {
    path: PathBuf,
    key: HoldKey,
    file: File,
    generation: [u8; 16],
    frames: u64,
    bytes: u64,
    /// How large the file was when it held nothing that is gone.
    bytes_live: u64,
}

impl Hold {
    /// Opens the store in a folder, or makes it with `generation`, and gives every frame in it to `take`, in order.
    ///
    /// # Errors
    ///
    /// Fails if the disk does, or if what is there is not what this key wrote.
    pub fn open(
        folder: &Path,
        key: HoldKey,
        generation: [u8; 16],
        mut take: impl FnMut(Frame),
    ) -> Result<Self, HoldError> {
        fs::create_dir_all(folder).map_err(io_error("made", folder))?;
        let path = folder.join("indicators.hold");
        let existing = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(io_error("read", &path)(error)),
        };
        if existing.len() < HEAD_BYTES {
            return Self::create(path, key, generation);
        }
        let generation: [u8; 16] = existing[8..HEAD_BYTES].try_into().unwrap_or(generation);
        let damaged = |frame| HoldError::Damaged { path: path.display().to_string(), frame };
        if &existing[..8] != MAGIC {
            return Err(damaged(0));
        }
        let cipher = cipher(&key);
        let (mut at, mut frames) = (HEAD_BYTES, 0_u64);
        while let Some(sealed) = next_frame(&existing, at) {
            let frame = open_frame(&cipher, &generation, frames, sealed).ok_or_else(|| damaged(frames))?;
            take(frame);
            at += 4 + sealed.len();
            frames += 1;
        }
        let file =
            OpenOptions::new().read(true).append(true).open(&path).map_err(io_error("opened", &path))?;
        let bytes = u64::try_from(at).unwrap_or(u64::MAX);
        // What is behind was being written when the power went.
        file.set_len(bytes).map_err(io_error("shortened", &path))?;
        Ok(Self { path, key, file, generation, frames, bytes, bytes_live: bytes })
    }

    fn create(path: PathBuf, key: HoldKey, generation: [u8; 16]) -> Result<Self, HoldError> {
        let mut file = private(&path).map_err(io_error("made", &path))?;
        let mut head = MAGIC.to_vec();
        head.extend(generation);
        file.write_all(&head).and_then(|()| file.sync_all()).map_err(io_error("written", &path))?;
        let bytes = u64::try_from(HEAD_BYTES).unwrap_or(0);
        Ok(Self { path, key, file, generation, frames: 0, bytes, bytes_live: bytes })
    }

    /// Adds a frame. When this returns, it is durable.
    ///
    /// # Errors
    ///
    /// Fails if the disk does; then the frame is not there.
    pub fn append(&mut self, frame: &Frame) -> Result<(), HoldError> {
        let sealed = seal_frame(&cipher(&self.key), &self.generation, self.frames, frame);
        let written = self.file.write_all(&sealed).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // Nothing half there: the next frame would come to stand behind it.
            let _: io::Result<()> = self.file.set_len(self.bytes);
            return Err(io_error("written", &self.path)(error));
        }
        self.frames += 1;
        self.bytes += u64::try_from(sealed.len()).unwrap_or(0);
        Ok(())
    }

    /// Whether most of the file is about what is gone.
    #[must_use]
    pub fn wants_compaction(&self) -> bool {
        self.bytes > COMPACT_BYTES_MIN && self.bytes > 2 * self.bytes_live
    }

    /// Writes the file anew, with `frames` only, under a fresh generation.
    ///
    /// # Errors
    ///
    /// Fails if the disk does; then the old file stays.
    pub fn rewrite(
        &mut self,
        generation: [u8; 16],
        frames: impl Iterator<Item = Frame>,
    ) -> Result<(), HoldError> {
        let beside = self.path.with_extension("new");
        let _: io::Result<()> = fs::remove_file(&beside);
        let mut anew = Self::create(beside.clone(), self.key.clone(), generation)?;
        for frame in frames {
            anew.append(&frame)?;
        }
        fs::rename(&beside, &self.path).map_err(io_error("renamed", &beside))?;
        sync_folder(&self.path).map_err(io_error("synced", &self.path))?;
        anew.path.clone_from(&self.path);
        anew.bytes_live = anew.bytes;
        *self = anew;
        Ok(())
    }

    /// Removes all that is held: the store is empty afterwards, under a fresh generation.
    ///
    /// # Errors
    ///
    /// Fails if the disk does.
    pub fn clear(&mut self, generation: [u8; 16]) -> Result<(), HoldError> {
        self.rewrite(generation, std::iter::empty())
    }

    /// How many bytes the file has.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

fn cipher(key: &HoldKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(Key::from_slice(&key.0))
}

fn nonce(generation: &[u8; 16], frame: u64) -> XNonce {
    let mut nonce = [0; 24];
    nonce[..16].copy_from_slice(generation);
    nonce[16..].copy_from_slice(&frame.to_le_bytes());
    nonce.into()
}

fn next_frame(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let length = bytes.get(at..at + 4)?;
    let length = usize::try_from(u32::from_le_bytes(length.try_into().ok()?)).ok()?;
    bytes.get(at + 4..(at + 4).checked_add(length)?)
}

fn seal_frame(cipher: &XChaCha20Poly1305, generation: &[u8; 16], number: u64, frame: &Frame) -> Vec<u8> {
    let plain = postcard::to_stdvec(frame).expect("a frame is made of what postcard can write");
    let packed = zstd::bulk::compress(&plain, ZSTD_LEVEL).expect("compressing into memory cannot fail");
    let sealed = cipher.encrypt(&nonce(generation, number), packed.as_slice());
    let sealed = sealed.expect("a frame is shorter than 256 GiB");
    let mut whole = Vec::with_capacity(sealed.len() + 4);
    whole.extend(u32::try_from(sealed.len()).unwrap_or(u32::MAX).to_le_bytes());
    whole.extend(sealed);
    whole
}

fn open_frame(
    cipher: &XChaCha20Poly1305,
    generation: &[u8; 16],
    number: u64,
    sealed: &[u8],
) -> Option<Frame> {
    let packed = cipher.decrypt(&nonce(generation, number), sealed).ok()?;
    let mut plain = Vec::new();
    let reader = zstd::stream::Decoder::new(packed.as_slice()).ok()?;
    reader.take(FRAME_BYTES_MAX as u64).read_to_end(&mut plain).ok()?;
    postcard::from_bytes(&plain).ok()
}

fn private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn io_error<'a>(doing: &'static str, path: &'a Path) -> impl Fn(io::Error) -> HoldError + 'a {
    move |source| HoldError::Io { doing, path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn frame(n: u8) -> Frame {
        let put = vec![Kept { rights: n, object: vec![n; 300] }];
        Frame {
            feed: "x".to_owned(),
            cursor: Some(n.to_string()),
            heard: i64::from(n),
            put,
            ..Frame::default()
        }
    }

    fn read(folder: &Path, key: [u8; 32]) -> Result<(Hold, Vec<Frame>), HoldError> {
        let mut frames = Vec::new();
        let hold = Hold::open(folder, HoldKey::new(key), [9; 16], |frame| frames.push(frame))?;
        Ok((hold, frames))
    }

    #[test]
    fn what_was_appended_is_there_again() {
        let folder = tempfile::tempdir().unwrap();
        let (mut hold, frames) = read(folder.path(), KEY).unwrap();
        assert!(frames.is_empty());
        for n in 0..5 {
            hold.append(&frame(n)).unwrap();
        }
        assert_eq!(read(folder.path(), KEY).unwrap().1, (0..5).map(frame).collect::<Vec<_>>());
    }

    #[test]
    fn a_torn_end_is_cut_and_the_store_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let (mut hold, _) = read(folder.path(), KEY).unwrap();
        hold.append(&frame(0)).unwrap();
        let whole = hold.bytes();
        hold.append(&frame(1)).unwrap();
        let path = folder.path().join("indicators.hold");
        for length in whole..hold.bytes() {
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..usize::try_from(length).unwrap()]).unwrap();
            let (mut again, frames) = read(folder.path(), KEY).unwrap();
            assert_eq!(frames, [frame(0)], "cut at {length}");
            again.append(&frame(1)).unwrap();
            assert_eq!(read(folder.path(), KEY).unwrap().1, [frame(0), frame(1)]);
        }
    }

    #[test]
    fn another_key_and_a_flipped_bit_are_damage() {
        let folder = tempfile::tempdir().unwrap();
        let (mut hold, _) = read(folder.path(), KEY).unwrap();
        hold.append(&frame(0)).unwrap();
        hold.append(&frame(1)).unwrap();
        assert!(matches!(read(folder.path(), [8; 32]), Err(HoldError::Damaged { frame: 0, .. })));
        let path = folder.path().join("indicators.hold");
        let good = fs::read(&path).unwrap();
        let first = next_frame(&good, HEAD_BYTES).unwrap().len();
        // Swapped frames do not pass either.
        let (a, b) = good[HEAD_BYTES..].split_at(4 + first);
        fs::write(&path, [&good[..HEAD_BYTES], b, a].concat()).unwrap();
        assert!(matches!(read(folder.path(), KEY), Err(HoldError::Damaged { frame: 0, .. })));
        let mut flipped = good.clone();
        *flipped.last_mut().unwrap() ^= 1;
        fs::write(&path, &flipped).unwrap();
        assert!(matches!(read(folder.path(), KEY), Err(HoldError::Damaged { frame: 1, .. })));
    }

    #[test]
    fn nothing_readable_is_on_disk_and_clearing_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (mut hold, _) = read(folder.path(), KEY).unwrap();
        let object = b"evil.example".repeat(20);
        hold.append(&Frame { put: vec![Kept { rights: 0, object }], ..frame(0) }).unwrap();
        let path = folder.path().join("indicators.hold");
        let on_disk = fs::read(&path).unwrap();
        assert!(on_disk.windows(4).all(|window| window != b"evil"));
        hold.clear([3; 16]).unwrap();
        assert!(read(folder.path(), KEY).unwrap().1.is_empty());
        hold.append(&frame(7)).unwrap();
        assert_eq!(read(folder.path(), KEY).unwrap().1, [frame(7)]);
    }
}
