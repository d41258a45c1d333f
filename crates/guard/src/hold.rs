//! What the guard holds, on disk: one encrypted file that is written forward.
//!
//! ```text
//! magic (8)  generation (16, random)          the head
//! length (4, little endian)  ciphertext       a frame, numbered from 0: what the guard works with
//! length (4)                 ciphertext       the same frame's objects, byte for byte
//! ...
//! ```
//!
//! A [`Frame`] is what one page of a feed changed, together with where the feed stands after it, so that the indicators
//! and the cursor can never disagree. Both its parts are compressed, then sealed with XChaCha20-Poly1305. The nonce is the
//! file's generation and the part's number, so no nonce is used twice under one key and no part can be moved, left out
//! in the middle or carried into another file. A frame is synced before the page counts as taken.
//!
//! The objects themselves are for exports that hand them on unchanged. A start skips them: it reads what was made of
//! them, which is a tenth of the bytes and no JSON.
//!
//! What was not wholly written when the power went is cut off: the hub has it still. Anything else that does not
//! decrypt is damage, which is told and not passed over; the remedy is to remove the file and subscribe anew.
//!
//! When most of the file is about what is gone, it is [written anew](Tidying) beside itself and renamed into place. A feed is given up
//! by a frame that empties it: from there on nothing of it is read, and the next writing anew leaves nothing of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError, mpsc};
use std::thread;

use chacha20poly1305::aead::{Aead as _, KeyInit as _};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use crate::indicator::{Object, ObjectRef, id_of};

const MAGIC: &[u8; 8] = b"rfhold02";
const HEAD_BYTES: usize = 24;
/// The largest frame that is read: a page of the largest objects is far below.
const FRAME_BYTES_MAX: usize = 256 << 20;
/// Below this size nothing is written anew.
const COMPACT_BYTES_MIN: u64 = 16 << 20;
/// More threads than this have nothing to do: whoever takes the frames is one.
const READERS_MAX: usize = 8;
/// So many frames for each thread are read ahead of whoever takes them.
const FRAMES_AHEAD: usize = 4;
/// What a note is sealed as: no frame has so many before it.
const NOTE_PART: u64 = u64::MAX;
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

impl HoldKey {
    /// Keeps a value beside the store, sealed, in place of what has that name.
    ///
    /// # Errors
    ///
    /// Fails if the disk does.
    pub fn write_note(
        &self,
        folder: &Path,
        name: &str,
        generation: [u8; 16],
        value: &impl Serialize,
    ) -> Result<(), HoldError> {
        let path = folder.join(name);
        let bytes = [&generation[..], &seal(&cipher(self), &generation, NOTE_PART, value)].concat();
        crate::reporter::replace(&path, &bytes).map_err(io_error("written", &path))
    }

    /// A value that [`HoldKey::write_note`] kept; nothing if there is none.
    ///
    /// # Errors
    ///
    /// Fails if the disk does, or if what is there was not written with this key.
    pub fn read_note<T: serde::de::DeserializeOwned>(
        &self,
        folder: &Path,
        name: &str,
    ) -> Result<Option<T>, HoldError> {
        let path = folder.join(name);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error("read", &path)(error)),
        };
        let read = bytes.split_first_chunk::<16>().and_then(|(generation, rest)| {
            let plain = unseal(&cipher(self), generation, NOTE_PART, rest.get(4..)?)?;
            postcard::from_bytes(&plain).ok()
        });
        read.map(Some).ok_or_else(|| HoldError::Damaged { path: path.display().to_string(), frame: 0 })
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
    /// The feed is empty before what follows is put in: what came before was given up.
    pub anew: bool,
    /// What came, read.
    pub put: Vec<Kept>,
    /// Indicators that are gone.
    pub gone: Vec<Uuid>,
}

/// An object that is held, as the guard read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// What the hub permits with it; see [`crate::indicator::Rights`].
    pub rights: u8,
    /// What it is.
    pub object: Object,
}

/// A [`Frame`] as it lies in a buffer.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "as the fields of `Frame`")]
pub struct FrameRef<'a> {
    pub feed: &'a str,
    pub cursor: Option<&'a str>,
    pub heard: i64,
    pub anew: bool,
    #[serde(borrow)]
    pub put: Vec<KeptRef<'a>>,
    pub gone: Vec<Uuid>,
}

/// A [`Kept`] as it lies in a buffer.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "as the fields of `Kept`")]
pub struct KeptRef<'a> {
    pub rights: u8,
    #[serde(borrow)]
    pub object: ObjectRef<'a>,
}

impl Kept {
    /// The same without a copy.
    #[must_use]
    pub fn borrowed(&self) -> KeptRef<'_> {
        KeptRef { rights: self.rights, object: self.object.borrowed() }
    }
}

/// The open store.
#[derive(Debug)]
pub struct Hold {
    path: PathBuf,
    key: HoldKey,
    file: File,
    generation: [u8; 16],
    /// Where each frame's first part lies: behind its length, and how long it is.
    places: Vec<(u64, u32)>,
    bytes: u64,
    /// How large the file was when it held nothing that is gone.
    bytes_live: u64,
}

/// A file that is to be written anew, up to where it was when this was made.
#[derive(Debug)]
pub struct Tidying {
    until: Hold,
    generation: [u8; 16],
}

/// A file written anew beside the one that it is a copy of.
#[derive(Debug)]
pub struct Tidied {
    /// So many frames of the other it has seen.
    frames: u64,
    anew: Hold,
    disposed: Disposed,
}

/// The indicators of feeds that were given up, by the feeds' aliases.
pub type Disposed = BTreeMap<String, BTreeSet<Uuid>>;

impl Tidying {
    /// Writes. It takes seconds for a million indicators, and needs nobody to wait.
    ///
    /// # Errors
    ///
    /// Fails if the disk does.
    pub fn run(self) -> Result<Tidied, HoldError> {
        let Self { until, generation } = self;
        let (anew, disposed) = until.copied(&until.path.with_extension("tidy"), generation)?;
        anew.file.sync_data().map_err(io_error("synced", &anew.path))?;
        Ok(Tidied { frames: until.frames(), anew, disposed })
    }
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
        take: impl FnMut(Frame),
    ) -> Result<Self, HoldError> {
        let hold = Self::open_unread(folder, key, generation)?;
        hold.each_read(take)?;
        Ok(hold)
    }

    /// Opens the store in a folder, or makes it with `generation`. Of what is in it only the lengths are looked at.
    ///
    /// # Errors
    ///
    /// Fails if the disk does, or if what is there is no store.
    pub fn open_unread(folder: &Path, key: HoldKey, generation: [u8; 16]) -> Result<Self, HoldError> {
        fs::create_dir_all(folder).map_err(io_error("made", folder))?;
        let path = folder.join("indicators.hold");
        let file = match OpenOptions::new().read(true).append(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Self::create(path, key, generation);
            }
            Err(error) => return Err(io_error("opened", &path)(error)),
        };
        let length = file.metadata().map_err(io_error("read", &path))?.len();
        if length < HEAD_BYTES as u64 {
            return Self::create(path, key, generation);
        }
        let hold = Self::survey(path, key, file, length)?;
        // What is behind was being written when the power went.
        hold.file.set_len(hold.bytes).map_err(io_error("shortened", &hold.path))?;
        Ok(hold)
    }

    /// Gives every frame of a folder's store to `take`, in order, and changes nothing: a guard may be writing it meanwhile. What
    /// is not wholly written yet is not given.
    ///
    /// # Errors
    ///
    /// As [`Hold::open`]; also if there is no store.
    pub fn peek(folder: &Path, key: &HoldKey, take: impl FnMut(Frame)) -> Result<(), HoldError> {
        let path = folder.join("indicators.hold");
        let file = File::open(&path).map_err(io_error("opened", &path))?;
        let length = file.metadata().map_err(io_error("read", &path))?.len();
        if length < HEAD_BYTES as u64 {
            return Err(HoldError::Damaged { path: path.display().to_string(), frame: 0 });
        }
        Self::survey(path, key.clone(), file, length)?.each_read(take)
    }

    /// Finds where each frame lies in a file that has a head. Of the frames only the lengths are looked at.
    fn survey(path: PathBuf, key: HoldKey, file: File, length: u64) -> Result<Self, HoldError> {
        let mut magic = [0; MAGIC.len()];
        let mut generation = [0; 16];
        file.read_exact_at(&mut magic, 0)
            .and_then(|()| file.read_exact_at(&mut generation, MAGIC.len() as u64))
            .map_err(io_error("read", &path))?;
        if &magic != MAGIC {
            return Err(HoldError::Damaged { path: path.display().to_string(), frame: 0 });
        }
        let (mut at, mut places) = (HEAD_BYTES as u64, Vec::new());
        while let Some((place, end)) = next_place(&file, at, length).map_err(io_error("read", &path))? {
            places.push(place);
            at = end;
        }
        Ok(Self { path, key, file, generation, places, bytes: at, bytes_live: at })
    }

    fn create(path: PathBuf, key: HoldKey, generation: [u8; 16]) -> Result<Self, HoldError> {
        let mut file = private(&path).map_err(io_error("made", &path))?;
        // A head that was not wholly written is none.
        file.set_len(0).map_err(io_error("made", &path))?;
        let mut head = MAGIC.to_vec();
        head.extend(generation);
        file.write_all(&head).and_then(|()| file.sync_all()).map_err(io_error("written", &path))?;
        let bytes = u64::try_from(HEAD_BYTES).unwrap_or(0);
        Ok(Self { path, key, file, generation, places: Vec::new(), bytes, bytes_live: bytes })
    }

    /// Adds a frame with the objects of its `put`, in the same order. When this returns, it is durable.
    ///
    /// # Errors
    ///
    /// Fails if the disk does; then the frame is not there.
    pub fn append(&mut self, frame: &Frame, objects: &[Vec<u8>]) -> Result<(), HoldError> {
        let (bytes, frames) = (self.bytes, self.places.len());
        self.write(frame, objects)?;
        self.file.sync_data().map_err(|error| {
            // Nothing that may or may not be there: the next frame would come to stand behind it.
            let _: io::Result<()> = self.file.set_len(bytes);
            self.bytes = bytes;
            self.places.truncate(frames);
            io_error("written", &self.path)(error)
        })
    }

    /// Adds a frame, which is not durable yet.
    fn write(&mut self, frame: &Frame, objects: &[Vec<u8>]) -> Result<(), HoldError> {
        let cipher = cipher(&self.key);
        let number = self.frames();
        let mut sealed = seal(&cipher, &self.generation, 2 * number, frame);
        let length = u32::try_from(sealed.len() - 4).unwrap_or(u32::MAX);
        sealed.extend(seal(&cipher, &self.generation, 2 * number + 1, &objects));
        if let Err(error) = self.file.write_all(&sealed) {
            // Nothing half there.
            let _: io::Result<()> = self.file.set_len(self.bytes);
            return Err(io_error("written", &self.path)(error));
        }
        self.places.push((self.bytes + 4, length));
        self.bytes += u64::try_from(sealed.len()).unwrap_or(0);
        Ok(())
    }

    /// Whether most of the file is about what is gone.
    #[must_use]
    pub fn wants_compaction(&self) -> bool {
        self.bytes > COMPACT_BYTES_MIN && self.bytes > 2 * self.bytes_live
    }

    fn frames(&self) -> u64 {
        u64::try_from(self.places.len()).unwrap_or(u64::MAX)
    }

    /// When the hub was last heard of, as the last frame that says so has it.
    ///
    /// # Errors
    ///
    /// As [`Hold::each`].
    pub fn last_heard(&self) -> Result<Option<i64>, HoldError> {
        let cipher = cipher(&self.key);
        for number in (0..self.frames()).rev() {
            let heard = self.frame(&cipher, number)?.heard;
            if heard > 0 {
                return Ok(Some(heard));
            }
        }
        Ok(None)
    }

    /// Gives every frame to `take`, in order, without its objects.
    ///
    /// # Errors
    ///
    /// As [`Hold::each`].
    pub fn each_read(&self, mut take: impl FnMut(Frame)) -> Result<(), HoldError> {
        let cipher = cipher(&self.key);
        for number in 0..self.frames() {
            take(self.frame(&cipher, number)?);
        }
        Ok(())
    }

    /// Gives what `read` makes of every frame to `take`, in order. Frames are read by as many threads as the machine has
    /// cores, some frames ahead of `take`.
    ///
    /// # Errors
    ///
    /// As [`Hold::each`]; what came before the fault has been taken.
    pub fn each_parallel<T: Send>(
        &self,
        read: impl Fn(FrameRef<'_>) -> T + Sync,
        mut take: impl FnMut(T),
    ) -> Result<(), HoldError> {
        let threads = thread::available_parallelism().map_or(1, usize::from).min(READERS_MAX);
        let next = AtomicU64::new(0);
        let room = Room::new(threads * FRAMES_AHEAD);
        thread::scope(|scope| {
            let (sender, made) = mpsc::channel();
            for _ in 0..threads {
                let (sender, cipher) = (sender.clone(), cipher(&self.key));
                let (next, read, room) = (&next, &read, &room);
                scope.spawn(move || {
                    loop {
                        room.enter();
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= self.frames() {
                            return;
                        }
                        let one = self.frame_with(&cipher, number, read);
                        if sender.send((number, one)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            let mut waiting = BTreeMap::new();
            let (mut wanted, mut failed) = (0, None);
            for (number, one) in made {
                waiting.insert(number, one);
                while let Some(one) = waiting.remove(&wanted) {
                    wanted += 1;
                    room.leave();
                    match one {
                        Ok(one) if failed.is_none() => take(one),
                        Ok(_) => {}
                        Err(error) => failed = failed.or(Some(error)),
                    }
                }
            }
            failed.map_or(Ok(()), Err)
        })
    }

    /// Gives what still says something to `take`, in order: of each indicator the last word, if that is not that it is gone.
    ///
    /// # Errors
    ///
    /// As [`Hold::each`].
    pub fn each_live(&self, mut take: impl FnMut(Frame)) -> Result<(), HoldError> {
        let last = self.last()?;
        let mut number = 0;
        self.each_read(|mut frame| {
            frame.put.retain(|kept| last.is_live(&frame.feed, kept, number));
            frame.gone = Vec::new();
            number += 1;
            take(frame);
        })
    }

    /// Gives every frame with its objects to `take`, in order.
    ///
    /// # Errors
    ///
    /// Fails if the disk does, or at what is damaged.
    pub fn each(&self, mut take: impl FnMut(Frame, Vec<Vec<u8>>)) -> Result<(), HoldError> {
        let cipher = cipher(&self.key);
        for number in 0..self.frames() {
            let (frame, objects) = self.whole(&cipher, number)?;
            take(frame, objects);
        }
        Ok(())
    }

    /// A frame with its objects.
    fn whole(&self, cipher: &XChaCha20Poly1305, number: u64) -> Result<(Frame, Vec<Vec<u8>>), HoldError> {
        let frame = self.frame(cipher, number)?;
        let place = usize::try_from(number).ok().and_then(|number| self.places.get(number));
        let (at, length) = place.copied().ok_or_else(|| self.damaged(number))?;
        let at = at + u64::from(length);
        let length = self.bytes_at::<4>(at)?;
        let objects = self.part(cipher, 2 * number + 1, at + 4, u32::from_le_bytes(length))?;
        let objects = objects.and_then(|plain| postcard::from_bytes(&plain).ok());
        Ok((frame, objects.ok_or_else(|| self.damaged(number))?))
    }

    fn frame(&self, cipher: &XChaCha20Poly1305, number: u64) -> Result<Frame, HoldError> {
        let plain = self.plain(cipher, number)?;
        postcard::from_bytes(&plain).map_err(|_| self.damaged(number))
    }

    fn frame_with<T>(
        &self,
        cipher: &XChaCha20Poly1305,
        number: u64,
        read: impl Fn(FrameRef<'_>) -> T,
    ) -> Result<T, HoldError> {
        let plain = self.plain(cipher, number)?;
        postcard::from_bytes(&plain).map(read).map_err(|_| self.damaged(number))
    }

    fn plain(&self, cipher: &XChaCha20Poly1305, number: u64) -> Result<Vec<u8>, HoldError> {
        let place = usize::try_from(number).ok().and_then(|number| self.places.get(number));
        let (at, length) = place.copied().ok_or_else(|| self.damaged(number))?;
        self.part(cipher, 2 * number, at, length)?.ok_or_else(|| self.damaged(number))
    }

    /// What is sealed at a place; nothing if it is not what this key sealed there.
    fn part(
        &self,
        cipher: &XChaCha20Poly1305,
        part: u64,
        at: u64,
        length: u32,
    ) -> Result<Option<Vec<u8>>, HoldError> {
        let mut sealed = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        self.file.read_exact_at(&mut sealed, at).map_err(io_error("read", &self.path))?;
        Ok(unseal(cipher, &self.generation, part, &sealed))
    }

    fn bytes_at<const N: usize>(&self, at: u64) -> Result<[u8; N], HoldError> {
        let mut bytes = [0; N];
        self.file.read_exact_at(&mut bytes, at).map_err(io_error("read", &self.path))?;
        Ok(bytes)
    }

    fn last(&self) -> Result<Last, HoldError> {
        let (mut last, mut number) = (Last::default(), 0);
        self.each_read(|frame| {
            last.see(&frame, number);
            number += 1;
        })?;
        Ok(last)
    }

    fn damaged(&self, frame: u64) -> HoldError {
        HoldError::Damaged { path: self.path.display().to_string(), frame }
    }

    /// The file is to be written anew under a fresh generation, with the last version of what is held. That is done elsewhere while
    /// this goes on being written; [`Hold::adopt`] ends it. One at a time.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be opened once more.
    pub fn tidying(&self, generation: [u8; 16]) -> Result<Tidying, HoldError> {
        let file = self.file.try_clone().map_err(io_error("opened", &self.path))?;
        let (path, key, places) = (self.path.clone(), self.key.clone(), self.places.clone());
        let until =
            Self { path, key, file, generation: self.generation, places, bytes: self.bytes, bytes_live: 0 };
        Ok(Tidying { until, generation })
    }

    /// Puts a tidied file, to which what has come since is added, in the place of this. Gives what was given up before, and is on the disk
    /// no more.
    ///
    /// # Errors
    ///
    /// Fails if the disk does; then the old file stays.
    pub fn adopt(&mut self, tidied: Tidied) -> Result<Disposed, HoldError> {
        let Tidied { frames, mut anew, disposed } = tidied;
        let cipher = cipher(&self.key);
        for number in frames..self.frames() {
            let (frame, objects) = self.whole(&cipher, number)?;
            anew.write(&frame, &objects)?;
        }
        self.replace_by(anew)?;
        Ok(disposed)
    }

    /// A copy without what is gone, not yet durable; and what was given up.
    fn copied(&self, to: &Path, generation: [u8; 16]) -> Result<(Self, Disposed), HoldError> {
        let last = self.last()?;
        let _: io::Result<()> = fs::remove_file(to);
        let mut anew = Self::create(to.to_owned(), self.key.clone(), generation)?;
        let cipher = cipher(&self.key);
        for number in 0..self.frames() {
            let (frame, objects) = self.whole(&cipher, number)?;
            if !last.is_given_up(&frame.feed, number) {
                let (frame, objects) = last.live(frame, objects, number);
                anew.write(&frame, &objects)?;
            }
        }
        anew.bytes_live = anew.bytes;
        Ok((anew, last.disposed))
    }

    fn replace_by(&mut self, mut anew: Self) -> Result<(), HoldError> {
        anew.file.sync_data().map_err(io_error("synced", &anew.path))?;
        fs::rename(&anew.path, &self.path).map_err(io_error("renamed", &anew.path))?;
        sync_folder(&self.path).map_err(io_error("synced", &self.path))?;
        anew.path.clone_from(&self.path);
        *self = anew;
        Ok(())
    }

    /// How many frames there are.
    #[must_use]
    pub fn pages(&self) -> usize {
        self.places.len()
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

/// In which frame the last word on each indicator is.
#[derive(Default)]
struct Last {
    /// Of each feed: in which frame it begins, and its indicators.
    feeds: HashMap<String, (u64, HashMap<Uuid, u64>)>,
    /// What was held of feeds when they were given up.
    disposed: Disposed,
}

impl Last {
    fn see(&mut self, frame: &Frame, number: u64) {
        let (begins, feed) = self.feeds.entry(frame.feed.clone()).or_default();
        if frame.anew {
            *begins = number;
            if !feed.is_empty() {
                self.disposed.entry(frame.feed.clone()).or_default().extend(feed.drain().map(|(id, _)| id));
            }
        }
        for id in frame.put.iter().filter_map(|kept| kept.object.indicator()) {
            feed.insert(id, number);
        }
        for id in &frame.gone {
            feed.remove(id);
        }
        // A recall is about every feed, and about what came before it: what comes again after it counts again.
        for (at, kept) in frame.put.iter().enumerate() {
            if let Object::Recall(ids) = &kept.object {
                let again: BTreeSet<Uuid> =
                    frame.put[at..].iter().filter_map(|kept| kept.object.indicator()).collect();
                for id in ids.iter().filter_map(|id| id_of(id)).filter(|id| !again.contains(id)) {
                    for (_, feed) in self.feeds.values_mut() {
                        feed.remove(&id);
                    }
                }
            }
        }
    }

    fn is_live(&self, feed: &str, kept: &Kept, number: u64) -> bool {
        self.feeds.get(feed).is_some_and(|(begins, feed)| match kept.object.indicator() {
            Some(id) => feed.get(&id) == Some(&number),
            None => *begins <= number,
        })
    }

    /// Whether all that a frame says of its feed was given up.
    fn is_given_up(&self, feed: &str, number: u64) -> bool {
        self.feeds.get(feed).is_some_and(|(begins, _)| number < *begins)
    }

    /// What of a frame still says something. Its cursor always does.
    fn live(&self, mut frame: Frame, objects: Vec<Vec<u8>>, number: u64) -> (Frame, Vec<Vec<u8>>) {
        let (put, objects): (Vec<_>, Vec<_>) = std::mem::take(&mut frame.put)
            .into_iter()
            .zip(objects)
            .filter(|(kept, _)| self.is_live(&frame.feed, kept, number))
            .unzip();
        frame.put = put;
        frame.gone = Vec::new();
        (frame, objects)
    }
}

/// Where the first part of the frame that begins at `at` lies, and where the next frame begins.
fn next_place(file: &File, at: u64, length: u64) -> io::Result<Option<((u64, u32), u64)>> {
    let part = |at: u64| -> io::Result<Option<(u32, u64)>> {
        if at.saturating_add(4) > length {
            return Ok(None);
        }
        let mut bytes = [0; 4];
        file.read_exact_at(&mut bytes, at)?;
        let bytes = u32::from_le_bytes(bytes);
        let end = at.saturating_add(4).saturating_add(u64::from(bytes));
        Ok((end <= length).then_some((bytes, end)))
    };
    let Some((read, middle)) = part(at)? else { return Ok(None) };
    let Some((_, end)) = part(middle)? else { return Ok(None) };
    Ok(Some(((at + 4, read), end)))
}

/// How many frames may be read and not taken.
struct Room {
    left: Mutex<usize>,
    changed: Condvar,
}

impl Room {
    fn new(frames: usize) -> Self {
        Self { left: Mutex::new(frames), changed: Condvar::new() }
    }

    fn enter(&self) {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_while(left, |left| *left == 0);
        *waited.unwrap_or_else(PoisonError::into_inner) -= 1;
    }

    fn leave(&self) {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_one();
    }
}

fn seal(cipher: &XChaCha20Poly1305, generation: &[u8; 16], part: u64, value: &impl Serialize) -> Vec<u8> {
    let plain = postcard::to_stdvec(value).expect("a frame is made of what postcard can write");
    let packed = zstd::bulk::compress(&plain, ZSTD_LEVEL).expect("compressing into memory cannot fail");
    let sealed = cipher.encrypt(&nonce(generation, part), packed.as_slice());
    let sealed = sealed.expect("a frame is shorter than 256 GiB");
    let mut whole = Vec::with_capacity(sealed.len() + 4);
    whole.extend(u32::try_from(sealed.len()).unwrap_or(u32::MAX).to_le_bytes());
    whole.extend(sealed);
    whole
}

fn unseal(cipher: &XChaCha20Poly1305, generation: &[u8; 16], part: u64, sealed: &[u8]) -> Option<Vec<u8>> {
    let packed = cipher.decrypt(&nonce(generation, part), sealed).ok()?;
    let mut plain = Vec::new();
    let reader = zstd::stream::Decoder::new(packed.as_slice()).ok()?;
    reader.take(FRAME_BYTES_MAX as u64).read_to_end(&mut plain).ok()?;
    Some(plain)
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

    fn kept(n: u8) -> Kept {
        let by = format!("identity--{n}");
        Kept { rights: n, object: Object::FalsePositive { by, of: Vec::new(), stands: true } }
    }

    fn indicator(id: u128, pattern: &str) -> Kept {
        let indicator = crate::indicator::Indicator {
            pattern: pattern.to_owned(),
            ..crate::indicator::Indicator::empty(Uuid::from_u128(id))
        };
        Kept { rights: 7, object: Object::Indicator(Box::new(indicator)) }
    }

    fn frame(n: u8) -> Frame {
        let put = vec![kept(n)];
        Frame {
            feed: "x".to_owned(),
            cursor: Some(n.to_string()),
            heard: i64::from(n),
            put,
            ..Frame::default()
        }
    }

    fn object(n: u8) -> Vec<Vec<u8>> {
        vec![vec![n; 300]]
    }

    fn read(folder: &Path, key: [u8; 32]) -> Result<(Hold, Vec<Frame>), HoldError> {
        let mut frames = Vec::new();
        let hold = Hold::open(folder, HoldKey::new(key), [9; 16], |frame| frames.push(frame))?;
        Ok((hold, frames))
    }

    fn append(hold: &mut Hold, n: u8) {
        hold.append(&frame(n), &object(n)).unwrap();
    }

    fn tidy(hold: &mut Hold) -> Disposed {
        let generation = *Uuid::new_v4().as_bytes();
        hold.adopt(hold.tidying(generation).unwrap().run().unwrap()).unwrap()
    }

    #[test]
    fn what_was_appended_is_there_again() {
        let folder = tempfile::tempdir().unwrap();
        let (mut hold, frames) = read(folder.path(), KEY).unwrap();
        assert!(frames.is_empty());
        (0..5).for_each(|n| append(&mut hold, n));
        let (hold, frames) = read(folder.path(), KEY).unwrap();
        assert_eq!(frames, (0..5).map(frame).collect::<Vec<_>>());
        let mut objects = Vec::new();
        hold.each(|_, its| objects.extend(its)).unwrap();
        assert_eq!(objects, (0..5).flat_map(object).collect::<Vec<_>>());
    }

    #[test]
    fn a_store_is_tidied_beside_while_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let (mut hold, _) = read(folder.path(), KEY).unwrap();
        let put = |hold: &mut Hold, n: u8| {
            let frame = Frame { put: vec![indicator(n.into(), "p")], ..frame(n) };
            hold.append(&frame, &object(n)).unwrap();
        };
        (0..5).for_each(|n| put(&mut hold, n));
        let gone = vec![Uuid::from_u128(1)];
        hold.append(&Frame { gone, put: Vec::new(), ..frame(5) }, &[]).unwrap();
        let tidying = hold.tidying([3; 16]).unwrap();
        put(&mut hold, 6);
        let tidied = std::thread::spawn(move || tidying.run()).join().unwrap().unwrap();
        put(&mut hold, 7);
        assert_eq!(hold.adopt(tidied).unwrap(), Disposed::new(), "nothing was given up");
        put(&mut hold, 8);
        let (hold, frames) = read(folder.path(), KEY).unwrap();
        let there: Vec<Kept> = frames.into_iter().flat_map(|frame| frame.put).collect();
        assert_eq!(there, [0, 2, 3, 4, 6, 7, 8].map(|n| indicator(n, "p")));
        let mut objects = Vec::new();
        hold.each(|_, its| objects.extend(its)).unwrap();
        assert_eq!(objects, [0, 2, 3, 4, 6, 7, 8].map(object).concat());
    }

    #[test]
    fn a_feed_that_is_given_up_while_the_store_is_tidied_goes_with_the_next_tidying() {
        let folder = tempfile::tempdir().unwrap();
        let (mut hold, _) = read(folder.path(), KEY).unwrap();
        let of = |feed: &str, id| Frame {
            feed: feed.to_owned(),
            put: vec![indicator(id, "p")],
            ..Frame::default()
        };
        for (feed, id) in [("x", 1), ("y", 2), ("x", 3)] {
            hold.append(&of(feed, id), &object(1)).unwrap();
        }
        let tidying = hold.tidying([3; 16]).unwrap();
        let marker = Frame { feed: "x".to_owned(), anew: true, ..Frame::default() };
        hold.append(&marker, &[]).unwrap();
        assert_eq!(hold.adopt(tidying.run().unwrap()).unwrap(), Disposed::new(), "it came too late for that");
        let mut live = Vec::new();
        hold.each_live(|frame| {
            live.extend(frame.put.into_iter().map(|kept| (frame.feed.clone(), kept.object)));
        })
        .unwrap();
        assert!(live.iter().all(|(feed, _)| feed == "y"), "but nobody finds it: {live:?}");
        // It comes back meanwhile, and that stays.
        let tidying = hold.tidying([4; 16]).unwrap();
        hold.append(&of("x", 5), &object(5)).unwrap();
        let disposed = hold.adopt(tidying.run().unwrap()).unwrap();
        let ids = [1, 3].map(Uuid::from_u128);
        assert_eq!(disposed, Disposed::from([("x".to_owned(), BTreeSet::from(ids))]));
        let (mut hold, frames) = read(folder.path(), KEY).unwrap();
        assert_eq!(frames, [of("y", 2), marker, of("x", 5)]);
        assert_eq!(tidy(&mut hold), Disposed::new(), "what is disposed of once is not told again");
        let files: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(files, ["indicators.hold"]);
    }

    #[test]
    fn a_torn_end_is_cut_and_the_store_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let (mut hold, _) = read(folder.path(), KEY).unwrap();
        append(&mut hold, 0);
        let whole = hold.bytes();
        append(&mut hold, 1);
        let path = folder.path().join("indicators.hold");
        for length in whole..hold.bytes() {
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..usize::try_from(length).unwrap()]).unwrap();
            let (mut again, frames) = read(folder.path(), KEY).unwrap();
            assert_eq!(frames, [frame(0)], "cut at {length}");
            append(&mut again, 1);
            assert_eq!(read(folder.path(), KEY).unwrap().1, [frame(0), frame(1)]);
        }
    }

    #[test]
    fn another_key_and_a_flipped_bit_are_damage() {
        let folder = tempfile::tempdir().unwrap();
        let (mut hold, _) = read(folder.path(), KEY).unwrap();
        append(&mut hold, 0);
        append(&mut hold, 1);
        assert!(matches!(read(folder.path(), [8; 32]), Err(HoldError::Damaged { frame: 0, .. })));
        let path = folder.path().join("indicators.hold");
        let good = fs::read(&path).unwrap();
        // Swapped frames do not pass either.
        let first =
            usize::try_from(next_place(&hold.file, HEAD_BYTES as u64, hold.bytes).unwrap().unwrap().1)
                .unwrap();
        fs::write(&path, [&good[..HEAD_BYTES], &good[first..], &good[HEAD_BYTES..first]].concat()).unwrap();
        assert!(matches!(read(folder.path(), KEY), Err(HoldError::Damaged { frame: 0, .. })));
        let mut flipped = good.clone();
        flipped[first + 10] ^= 1;
        fs::write(&path, &flipped).unwrap();
        assert!(matches!(read(folder.path(), KEY), Err(HoldError::Damaged { frame: 1, .. })));
        let mut in_objects = good.clone();
        *in_objects.last_mut().unwrap() ^= 1;
        fs::write(&path, &in_objects).unwrap();
        assert!(matches!(hold.each(|_, _| ()), Err(HoldError::Damaged { frame: 1, .. })));
    }

    #[test]
    fn nothing_readable_is_on_disk_and_what_is_given_up_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (mut hold, _) = read(folder.path(), KEY).unwrap();
        hold.append(&frame(0), &[b"evil.example".repeat(20)]).unwrap();
        let path = folder.path().join("indicators.hold");
        let on_disk = fs::read(&path).unwrap();
        assert!(on_disk.windows(4).all(|window| window != b"evil"));
        let marker = Frame { feed: "x".to_owned(), anew: true, ..Frame::default() };
        hold.append(&marker, &[]).unwrap();
        tidy(&mut hold);
        assert_eq!(read(folder.path(), KEY).unwrap().1, std::slice::from_ref(&marker));
        append(&mut hold, 7);
        assert_eq!(read(folder.path(), KEY).unwrap().1, [marker, frame(7)]);
    }

    #[test]
    fn writing_anew_keeps_the_last_version_and_the_cursor() {
        let folder = tempfile::tempdir().unwrap();
        let (mut hold, _) = read(folder.path(), KEY).unwrap();
        let first =
            Frame { put: vec![indicator(1, "old"), indicator(2, "two"), indicator(3, "three")], ..frame(0) };
        hold.append(&first, &[b"1".to_vec(), b"2".to_vec(), b"3".to_vec()]).unwrap();
        let second = Frame { put: vec![indicator(1, "new")], gone: vec![Uuid::from_u128(3)], ..frame(1) };
        hold.append(&second, &[b"1b".to_vec()]).unwrap();
        tidy(&mut hold);
        let (hold, frames) = read(folder.path(), KEY).unwrap();
        assert_eq!(frames[0].put, [indicator(2, "two")]);
        assert_eq!(
            (frames[1].put.clone(), frames[1].cursor.clone()),
            (vec![indicator(1, "new")], Some("1".to_owned()))
        );
        let mut objects = Vec::new();
        hold.each(|_, its| objects.extend(its)).unwrap();
        assert_eq!(objects, [b"2".to_vec(), b"1b".to_vec()]);
    }
}
