//! Entries in, tiles out.
//!
//! A [`Writer`] holds the right edge of the log: the frontier of the tree and the partial tiles. Appending an
//! entry changes only these; now and then a tile becomes full and is handed out for good. To write a batch
//! atomically, clone the writer (some 20 kB at most), append to the clone, persist what it hands out, and
//! keep the clone once that is durable; if it fails, the old one is still right:
//!
//! ```
//! use ledger::{Hash, Writer};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let writer = Writer::new();
//! let mut next = writer.clone();
//! for n in 0..300_u32 {
//!     next.append(&n.to_be_bytes())?;
//! }
//! let full = next.take_full();
//! let paths: Vec<String> = full.iter().map(|(tile, _)| tile.to_string()).collect();
//! assert_eq!(paths, ["tile/entries/000", "tile/0/000"]);
//! let paths: Vec<String> = next.partial().map(|(tile, _)| tile.to_string()).collect();
//! assert_eq!(paths, ["tile/entries/001.p/44", "tile/0/001.p/44", "tile/1/000.p/1"]);
//! assert_ne!(next.root(), writer.root());
//! # Ok(())
//! # }
//! ```

use thiserror::Error;

use crate::tile::{EntryTooLong, Kind, TILE_WIDTH, Tile, TileHashError, TileHashes, TileSource, push_entry};
use crate::tree::{Frontier, Hash, HashReader as _, LOG_SIZE_MAX, Node, ProveError, leaf_hash};

/// The right edge of a log, ready to append to.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    frontier: Frontier,
    /// INVARIANT: the hashes of the partial tile of each level, fewer than 256; empty where there is none.
    levels: Vec<Vec<u8>>,
    /// The partial entry bundle.
    bundle: Vec<u8>,
    full: Vec<(Tile, Vec<u8>)>,
}

/// Why a log could not be gone on with.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ResumeError<E> {
    /// The size is beyond [`LOG_SIZE_MAX`].
    #[error("a log of {0} entries is too large")]
    Size(u64),
    /// The partial entry bundle is not there.
    #[error("`{0}` is missing")]
    Missing(Tile),
    /// A tile could not be read.
    #[error(transparent)]
    Tile(#[from] TileHashError<E>),
}

impl Writer {
    /// An empty log.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Goes on with a log of `size` entries whose tiles are stored.
    ///
    /// Hash tiles above level 0 may be missing as long as the full ones below are there. A store that keeps full
    /// tiles only therefore resumes at the last multiple of 256 and appends the entries after that again.
    pub fn resume<S: TileSource>(size: u64, mut source: S) -> Result<Self, ResumeError<S::Error>> {
        if size > LOG_SIZE_MAX {
            return Err(ResumeError::Size(size));
        }
        let mut bundle = Vec::new();
        let mut levels = Vec::new();
        for tile in Tile::partial(size) {
            match tile.kind() {
                Kind::Entries => {
                    let bytes = source.tile(tile).map_err(TileHashError::Source)?;
                    bundle = bytes.ok_or(ResumeError::Missing(tile))?;
                }
                Kind::Hashes { level } => {
                    levels.resize(usize::from(level) + 1, Vec::new());
                    let mut reader = TileHashes::new(&mut source, size);
                    for index in (tile.first()..).take(tile.width().into()) {
                        let hash = reader.hash(Node { level: level * 8, index })?;
                        levels[usize::from(level)].extend_from_slice(&hash.0);
                    }
                }
            }
        }
        let frontier =
            Frontier::read(size, &mut TileHashes::new(source, size)).map_err(|error| match error {
                ProveError::OutOfRange { index, .. } => ResumeError::Size(index),
                ProveError::Read(error) => ResumeError::Tile(error),
            })?;
        Ok(Self { frontier, levels, bundle, full: Vec::new() })
    }

    /// The number of entries.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The root of the tree over all entries.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// The right edge of the tree.
    #[must_use]
    pub fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// Appends an entry and returns its index.
    pub fn append(&mut self, entry: &[u8]) -> Result<u64, EntryTooLong> {
        let index = self.size();
        push_entry(&mut self.bundle, entry)?;
        if (index + 1).is_multiple_of(u64::from(TILE_WIDTH)) {
            let bundle = std::mem::take(&mut self.bundle);
            self.full.extend(full_tile(Kind::Entries, index).map(|tile| (tile, bundle)));
        }
        let (levels, full) = (&mut self.levels, &mut self.full);
        self.frontier.append_with(leaf_hash(entry), |node, hash| {
            if node.level % 8 == 0 {
                collect(levels, full, node, hash);
            }
        });
        Ok(index)
    }

    /// The tiles and bundles that became full since this was last asked, each handed out once.
    #[must_use = "a full tile is handed out once"]
    pub fn take_full(&mut self) -> Vec<(Tile, Vec<u8>)> {
        std::mem::take(&mut self.full)
    }

    /// The partial tiles and bundle, as they belong beside a checkpoint of this size.
    pub fn partial(&self) -> impl Iterator<Item = (Tile, &[u8])> {
        Tile::partial(self.size()).map(|tile| {
            let bytes = match tile.kind() {
                Kind::Entries => Some(&self.bundle),
                Kind::Hashes { level } => self.levels.get(usize::from(level)),
            };
            (tile, bytes.map_or(&[][..], Vec::as_slice))
        })
    }
}

/// Adds a hash to the partial tile of its level, and hands that out once it is full.
fn collect(levels: &mut Vec<Vec<u8>>, full: &mut Vec<(Tile, Vec<u8>)>, node: Node, hash: Hash) {
    let level = node.level / 8;
    let at = usize::from(level);
    if levels.len() <= at {
        levels.resize(at + 1, Vec::new());
    }
    levels[at].extend_from_slice(&hash.0);
    if levels[at].len() == usize::from(TILE_WIDTH) * Hash::LEN {
        let bytes = std::mem::take(&mut levels[at]);
        full.extend(full_tile(Kind::Hashes { level }, node.index).map(|tile| (tile, bytes)));
    }
}

/// The full tile whose last item has this position.
fn full_tile(kind: Kind, last: u64) -> Option<Tile> {
    Tile::in_log(kind, last / u64::from(TILE_WIDTH), LOG_SIZE_MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::tree::{inclusion_proof, verify_inclusion};

    fn entry(n: u64) -> Vec<u8> {
        format!("entry {n}").into_bytes()
    }

    /// Writes a log and keeps every file, the partial ones too.
    fn written(size: u64) -> (Writer, BTreeMap<Tile, Vec<u8>>) {
        let mut writer = Writer::new();
        for n in 0..size {
            assert_eq!(writer.append(&entry(n)), Ok(n));
        }
        let mut tiles: BTreeMap<_, _> = writer.take_full().into_iter().collect();
        tiles.extend(writer.partial().map(|(tile, bytes)| (tile, bytes.to_vec())));
        (writer, tiles)
    }

    #[test]
    fn the_tiles_handed_out_are_those_that_the_size_demands() {
        for size in [0, 1, 255, 256, 257, 70_000] {
            let (writer, tiles) = written(size);
            let mut want: Vec<Tile> = Tile::filled(0, size).chain(Tile::partial(size)).collect();
            want.sort_unstable();
            assert_eq!(tiles.keys().copied().collect::<Vec<_>>(), want, "{size}");
            for (tile, bytes) in &tiles {
                if tile.kind() != Kind::Entries {
                    assert_eq!(bytes.len(), usize::from(tile.width()) * Hash::LEN, "{tile}");
                }
            }
            assert_eq!(writer.size(), size);
        }
    }

    #[test]
    fn proofs_are_made_from_tiles_alone() {
        let (writer, tiles) = written(70_000);
        for index in [0, 255, 256, 65_535, 65_536, 69_887, 69_888, 69_999] {
            let mut reader = TileHashes::new(tiles.clone(), 70_000);
            let proof = inclusion_proof(index, 70_000, &mut reader).unwrap();
            let leaf = leaf_hash(&entry(index));
            assert_eq!(verify_inclusion(&proof, index, leaf, 70_000, writer.root()), Ok(()), "{index}");
        }
    }

    #[test]
    fn an_older_size_is_read_from_the_full_tiles_of_a_later_log() {
        let (_, tiles) = written(70_000);
        let (old, _) = written(300);
        let frontier = Frontier::read(300, &mut TileHashes::new(tiles, 300)).unwrap();
        assert_eq!(frontier.root(), old.root());
    }

    #[test]
    fn a_log_is_gone_on_with_from_full_tiles_alone() {
        let (whole, mut tiles) = written(70_000);
        tiles.retain(|tile, _| tile.is_full());
        let mut writer = Writer::resume(273 * 256, &mut tiles).unwrap();
        for n in writer.size()..70_000 {
            writer.append(&entry(n)).unwrap();
        }
        assert_eq!(writer.root(), whole.root());
        assert!(writer.partial().eq(whole.partial()));
        let missing = "tile/entries/273.p/112".parse().unwrap();
        assert_eq!(Writer::resume(70_000, &mut tiles).unwrap_err(), ResumeError::Missing(missing));
        assert_eq!(Writer::resume(u64::MAX, tiles).unwrap_err(), ResumeError::Size(u64::MAX));
    }

    #[test]
    fn a_tile_of_the_wrong_length_is_named() {
        let (_, mut tiles) = written(300);
        let tile = "tile/0/001.p/44".parse().unwrap();
        tiles.get_mut(&tile).unwrap().pop();
        let want = ResumeError::Tile(TileHashError::Length { tile, len: 44 * 32 - 1 });
        assert_eq!(Writer::resume(300, tiles).unwrap_err(), want);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn stopping_anywhere_and_going_on_gives_the_same_log(stop in 0..1500_u64, more in 0..1500_u64) {
            let (_, mut tiles) = written(stop);
            let mut writer = Writer::resume(stop, &mut tiles).unwrap();
            for n in stop..stop + more {
                writer.append(&entry(n)).unwrap();
            }
            let (whole, all) = written(stop + more);
            prop_assert_eq!(writer.root(), whole.root());
            prop_assert_eq!(writer.frontier(), whole.frontier());
            tiles.extend(writer.take_full());
            tiles.extend(writer.partial().map(|(tile, bytes)| (tile, bytes.to_vec())));
            tiles.retain(|tile, _| all.contains_key(tile));
            prop_assert_eq!(tiles, all);
        }
    }
}
