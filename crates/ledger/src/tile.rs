//! The files of a log: tiles of hashes and bundles of entries, as C2SP tlog-tiles lays them out.
//!
//! A *tile* holds up to 256 consecutive hashes of one level of the tree. Tiles of level 0 hold leaf hashes;
//! each hash in a tile of level 1 is the root of a full tile of level 0, and so on, so a tile stands for eight
//! levels of the tree. An *entry bundle* holds the entries under one tile of level 0. A full tile never
//! changes; the partial ones at the right edge are replaced as the log grows. A log of 70,000 entries has
//!
//! ```text
//! tile/0/000 ... tile/0/272        273 full tiles of leaf hashes
//! tile/0/273.p/112                 the last 112 leaves
//! tile/1/000, tile/1/001.p/17      the roots of the 273 full tiles below
//! tile/2/000.p/1                   the root of tile/1/000
//! tile/entries/000 ... tile/entries/273.p/112
//! ```
//!
//! A path's index is written in groups of three digits, all but the last with an `x` before it: 1,234,067 is
//! `x001/x234/067`. There is one spelling for each tile, and [`Tile::from_str`] accepts no other.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::tree::{self, Hash, HashReader, LOG_SIZE_MAX, Node};

/// How many hashes a full tile holds, and how many entries a full bundle.
pub const TILE_WIDTH: u16 = 256;

/// The levels of the tree that one tile spans: 2 to the power of 8 is [`TILE_WIDTH`].
const TILE_HEIGHT: u8 = 8;

/// The highest level of tiles that a log of [`LOG_SIZE_MAX`] entries has. (The format has levels up to 63, but
/// no log has entries enough for them.)
const LEVEL_MAX: u8 = 7;

/// The longest entry: a bundle counts its bytes in 16 bits.
pub const ENTRY_LEN_MAX: usize = u16::MAX as usize;

/// What a file of the log holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Entries, each after its length in two bytes.
    Entries,
    /// The hashes of one tile level, 0 for leaves.
    Hashes { level: u8 },
}

impl Kind {
    fn level(self) -> u8 {
        match self {
            Self::Entries => 0,
            Self::Hashes { level } => level,
        }
    }

    /// How many items of this kind a log of `size` entries has.
    fn count(self, size: u64) -> u64 {
        size >> (TILE_HEIGHT * self.level())
    }
}

/// The coordinates of one tile or entry bundle; its path is what [`Display`](fmt::Display) writes.
///
/// INVARIANT: it fits into a log of [`LOG_SIZE_MAX`] entries; width is 1 to 256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    kind: Kind,
    index: u64,
    width: u16,
}

impl Tile {
    /// The tile `index` of this kind as it is in a log of `size` entries: full, or partial at the right edge.
    /// `None` where such a log has nothing.
    #[must_use]
    pub fn in_log(kind: Kind, index: u64, size: u64) -> Option<Self> {
        if kind.level() > LEVEL_MAX || size > LOG_SIZE_MAX {
            return None;
        }
        let before = index.checked_mul(u64::from(TILE_WIDTH))?;
        let width = kind.count(size).checked_sub(before)?.min(u64::from(TILE_WIDTH));
        let width = u16::try_from(width).ok().filter(|width| *width > 0)?;
        Some(Self { kind, index, width })
    }

    /// What the file holds.
    #[must_use]
    pub fn kind(self) -> Kind {
        self.kind
    }

    /// The position among the tiles of its kind.
    #[must_use]
    pub fn index(self) -> u64 {
        self.index
    }

    /// How many hashes or entries it holds, 1 to 256.
    #[must_use]
    pub fn width(self) -> u16 {
        self.width
    }

    /// Whether it will never change again.
    #[must_use]
    pub fn is_full(self) -> bool {
        self.width == TILE_WIDTH
    }

    /// The full tile that this one becomes or is.
    #[must_use]
    pub fn full(self) -> Self {
        Self { width: TILE_WIDTH, ..self }
    }

    /// Whether a log of `size` entries has, or once had, this tile; a server answers 404 for any other.
    #[must_use]
    pub fn is_part_of(self, size: u64) -> bool {
        Self::in_log(self.kind, self.index, size).is_some_and(|now| self.width <= now.width)
    }

    /// The first hash or entry, counted among all of its kind.
    #[must_use]
    pub fn first(self) -> u64 {
        self.index * u64::from(TILE_WIDTH)
    }

    /// The tiles and bundles that become full when a log grows from `from` to `to` entries, from the leaves up:
    /// what a store has to keep for good.
    pub fn filled(from: u64, to: u64) -> impl Iterator<Item = Self> {
        kinds().flat_map(move |kind| {
            let full = |size| kind.count(size) / u64::from(TILE_WIDTH);
            (full(from)..full(to)).map(move |index| Self { kind, index, width: TILE_WIDTH })
        })
    }

    /// The partial tiles and bundles of a log of `size` entries.
    pub fn partial(size: u64) -> impl Iterator<Item = Self> {
        kinds().filter_map(move |kind| {
            let index = kind.count(size) / u64::from(TILE_WIDTH);
            Self::in_log(kind, index, size)
        })
    }
}

fn kinds() -> impl Iterator<Item = Kind> {
    std::iter::once(Kind::Entries).chain((0..=LEVEL_MAX).map(|level| Kind::Hashes { level }))
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Entries => f.write_str("tile/entries/")?,
            Kind::Hashes { level } => write!(f, "tile/{level}/")?,
        }
        let mut divisor = 1;
        while self.index / divisor >= 1000 {
            divisor *= 1000;
        }
        while divisor > 1 {
            write!(f, "x{:03}/", self.index / divisor % 1000)?;
            divisor /= 1000;
        }
        write!(f, "{:03}", self.index % 1000)?;
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

/// The text is not the path of a tile or entry bundle, or not its one spelling.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{path}` is no tile path")]
pub struct ParseTileError {
    path: String,
}

impl FromStr for Tile {
    type Err = ParseTileError;

    fn from_str(path: &str) -> Result<Self, Self::Err> {
        // Writing it back is what holds the one spelling: signs, leading zeroes and idle groups all differ.
        parse_path(path)
            .filter(|tile| tile.to_string() == path)
            .ok_or_else(|| ParseTileError { path: path.to_owned() })
    }
}

fn parse_path(path: &str) -> Option<Tile> {
    let (kind, rest) = path.strip_prefix("tile/")?.split_once('/')?;
    let kind = match kind {
        "entries" => Kind::Entries,
        level => Kind::Hashes { level: level.parse().ok()? },
    };
    let (groups, width) = match rest.split_once(".p/") {
        Some((groups, width)) => {
            (groups, width.parse().ok().filter(|width| (1..TILE_WIDTH).contains(width))?)
        }
        None => (rest, TILE_WIDTH),
    };
    let index = groups.split('/').try_fold(0_u64, |index, group| {
        let digits = group.strip_prefix('x').unwrap_or(group);
        index
            .checked_mul(1000)?
            .checked_add(digits.parse::<u16>().ok().filter(|digits| *digits < 1000)?.into())
    })?;
    let tile = Tile { kind, index, width };
    (kind.level() <= LEVEL_MAX && tile.is_part_of(LOG_SIZE_MAX)).then_some(tile)
}

/// The entry is longer than a bundle can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("an entry of {len} bytes is longer than {ENTRY_LEN_MAX}")]
pub struct EntryTooLong {
    len: usize,
}

/// Adds an entry to the end of a bundle.
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), EntryTooLong> {
    let len = u16::try_from(entry.len()).map_err(|_| EntryTooLong { len: entry.len() })?;
    bundle.extend_from_slice(&len.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// The bundle ends in the middle of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the bundle ends inside its entry {position}")]
pub struct TruncatedBundle {
    position: usize,
}

/// Takes a bundle apart; after an error there is nothing more.
pub fn entries(bundle: &[u8]) -> impl Iterator<Item = Result<&[u8], TruncatedBundle>> {
    let mut rest = bundle;
    let mut position = 0;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let entry = rest.split_first_chunk().and_then(|(len, rest)| {
            let len = usize::from(u16::from_be_bytes(*len));
            rest.split_at_checked(len)
        });
        let Some((entry, after)) = entry else {
            rest = &[];
            return Some(Err(TruncatedBundle { position }));
        };
        rest = after;
        position += 1;
        Some(Ok(entry))
    })
}

/// Takes the bytes of a tile apart into hashes; what is left over at the end is not looked at.
pub fn hashes(tile: &[u8]) -> impl ExactSizeIterator<Item = Hash> {
    tile.as_chunks().0.iter().copied().map(Hash)
}

/// Where the files of a log are read from: a folder, a URL, a table.
pub trait TileSource {
    /// Why reading failed; that a tile is absent is no failure.
    type Error;

    /// The bytes of a tile or bundle, `None` if it is not there.
    fn tile(&mut self, tile: Tile) -> Result<Option<Vec<u8>>, Self::Error>;
}

impl<S: TileSource> TileSource for &mut S {
    type Error = S::Error;

    fn tile(&mut self, tile: Tile) -> Result<Option<Vec<u8>>, S::Error> {
        (**self).tile(tile)
    }
}

/// A log in memory.
impl TileSource for BTreeMap<Tile, Vec<u8>> {
    type Error = Infallible;

    fn tile(&mut self, tile: Tile) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(self.get(&tile).cloned())
    }
}

/// Why a node could not be read from tiles.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TileHashError<E> {
    /// Neither the tile nor what it could be computed from is there.
    #[error("`{0}` is missing")]
    Missing(Tile),
    /// The tile has another length than its width says.
    #[error("`{tile}` has {len} bytes")]
    Length { tile: Tile, len: usize },
    /// The node lies outside the log.
    #[error("{0} lies outside the log")]
    Outside(Node),
    /// The source failed.
    #[error(transparent)]
    Source(E),
}

/// Reads nodes of the tree from the tiles of a log of one size, so that proofs can be made from them.
///
/// It believes the tiles: whoever got them from a stranger checks the proof against a signed root afterwards.
/// A partial tile that is gone is taken from the full one, as tlog-tiles allows; where that is not there
/// either, it is computed from the full tiles below, so a store may keep full tiles only.
#[derive(Debug)]
pub struct TileHashes<S> {
    source: S,
    size: u64,
    /// What was read; a proof looks at each tile several times.
    read: BTreeMap<Tile, Vec<Hash>>,
}

impl<S: TileSource> TileHashes<S> {
    /// A reader of the log of `size` entries.
    pub fn new(source: S, size: u64) -> Self {
        Self { source, size, read: BTreeMap::new() }
    }

    fn load(&mut self, tile: Tile) -> Result<&[Hash], TileHashError<S::Error>> {
        if !self.read.contains_key(&tile) {
            let hashes = match self.fetch(tile)? {
                Some(hashes) => hashes,
                None => self.derive(tile)?,
            };
            self.read.insert(tile, hashes);
        }
        Ok(self.read.get(&tile).map_or(&[], Vec::as_slice))
    }

    fn fetch(&mut self, tile: Tile) -> Result<Option<Vec<Hash>>, TileHashError<S::Error>> {
        for form in [tile, tile.full()] {
            let Some(bytes) = self.source.tile(form).map_err(TileHashError::Source)? else { continue };
            if bytes.len() != usize::from(form.width()) * Hash::LEN {
                return Err(TileHashError::Length { tile: form, len: bytes.len() });
            }
            return Ok(Some(hashes(&bytes).take(tile.width().into()).collect()));
        }
        Ok(None)
    }

    /// Computes the hashes of a tile as the roots of the full tiles below it.
    fn derive(&mut self, tile: Tile) -> Result<Vec<Hash>, TileHashError<S::Error>> {
        let Some(level) = tile.kind.level().checked_sub(1) else { return Err(TileHashError::Missing(tile)) };
        let below = (tile.first()..).take(tile.width().into());
        below
            .map(|index| {
                let child = Tile { kind: Kind::Hashes { level }, index, width: TILE_WIDTH };
                match self.fetch(child)? {
                    Some(hashes) => Ok(complete_root(&hashes)),
                    None => Ok(complete_root(&self.derive(child)?)),
                }
            })
            .collect()
    }
}

/// The root over a power of two of hashes.
fn complete_root(hashes: &[Hash]) -> Hash {
    let mut frontier = tree::Frontier::new();
    for hash in hashes {
        frontier.append(*hash);
    }
    frontier.root()
}

impl<S: TileSource> HashReader for TileHashes<S> {
    type Error = TileHashError<S::Error>;

    fn hash(&mut self, node: Node) -> Result<Hash, Self::Error> {
        // The node is the root over 2^above hashes of the tile level at or below it.
        let (level, above) = (node.level / TILE_HEIGHT, node.level % TILE_HEIGHT);
        let outside = || TileHashError::Outside(node);
        let width = 1_u64 << above;
        let first = node.index.checked_mul(width).ok_or_else(outside)?;
        let kind = Kind::Hashes { level };
        let tile = Tile::in_log(kind, first / u64::from(TILE_WIDTH), self.size).ok_or_else(outside)?;
        let within = (first - tile.first(), first - tile.first() + width);
        let (Ok(from), Ok(to)) = (usize::try_from(within.0), usize::try_from(within.1)) else {
            return Err(outside());
        };
        self.load(tile)?.get(from..to).map(complete_root).ok_or_else(outside)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hashes_at(level: u8, index: u64, width: u16) -> Tile {
        Tile { kind: Kind::Hashes { level }, index, width }
    }

    #[test]
    fn a_tile_has_one_path() {
        let cases = [
            (hashes_at(0, 0, 256), "tile/0/000"),
            (hashes_at(0, 273, 112), "tile/0/273.p/112"),
            (hashes_at(1, 1_234_067, 256), "tile/1/x001/x234/067"),
            (hashes_at(3, 1000, 1), "tile/3/x001/000.p/1"),
            (Tile { kind: Kind::Entries, index: 999, width: 255 }, "tile/entries/999.p/255"),
            (hashes_at(7, 0, 127), "tile/7/000.p/127"),
        ];
        for (tile, path) in cases {
            assert_eq!(tile.to_string(), path);
            assert_eq!(path.parse(), Ok(tile));
        }
    }

    #[test]
    fn any_other_spelling_is_refused() {
        let paths = [
            "",
            "tile",
            "tile/",
            "tile/0",
            "tile/0/",
            "/tile/0/000",
            "tile/0/0",
            "tile/0/00",
            "tile/0/0000",
            "tile/0/x000/000",
            "tile/0/001/000",
            "tile/0/x001",
            "tile/0/x001/x000",
            "tile/00/000",
            "tile/+1/000",
            "tile/-1/000",
            "tile/64/000",
            "tile/8/000",
            "tile/0/+01",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/000.p/",
            "tile/0/000.p",
            "tile/0/000.p/1/",
            "tile/0/000/",
            "tile/data/000",
            "tile/entries/x001/0a0",
            "tile/0/../000",
            "tile/7/000",
            "tile/7/000.p/128",
            "tile/٠/000",
            "tile/0/x999/x999/x999/x999/x999/x999/x999/x999/999",
        ];
        for path in paths {
            assert_eq!(path.parse::<Tile>(), Err(ParseTileError { path: path.to_owned() }), "{path}");
        }
    }

    #[test]
    fn a_log_of_70_000_has_the_tiles_of_the_standard() {
        let filled: Vec<Tile> = Tile::filled(0, 70_000).collect();
        let count = |kind| filled.iter().filter(|tile| tile.kind == kind).count();
        assert_eq!(count(Kind::Entries), 273);
        assert_eq!(count(Kind::Hashes { level: 0 }), 273);
        assert_eq!(count(Kind::Hashes { level: 1 }), 1);
        assert_eq!(filled.len(), 273 + 273 + 1);
        let partial: Vec<String> = Tile::partial(70_000).map(|tile| tile.to_string()).collect();
        let want = ["tile/entries/273.p/112", "tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"];
        assert_eq!(partial, want);
        assert_eq!(Tile::partial(256).map(|t| t.to_string()).collect::<Vec<_>>(), ["tile/1/000.p/1"]);
        assert_eq!(Tile::partial(0).count(), 0);
    }

    #[test]
    fn a_tile_is_part_of_the_logs_that_are_large_enough() {
        let cases = [
            ("tile/0/000.p/5", 4, false),
            ("tile/0/000.p/5", 5, true),
            ("tile/0/000.p/5", 70_000, true), // once was
            ("tile/0/000", 255, false),
            ("tile/0/000", 256, true),
            ("tile/1/000.p/1", 255, false),
            ("tile/1/000.p/1", 256, true),
            ("tile/entries/001.p/1", 256, false),
            ("tile/entries/001.p/1", 257, true),
            ("tile/7/000.p/127", LOG_SIZE_MAX, true),
        ];
        for (path, size, want) in cases {
            assert_eq!(path.parse::<Tile>().unwrap().is_part_of(size), want, "{path} in {size}");
        }
    }

    #[test]
    fn bundles_hold_entries_of_any_length_up_to_the_limit() {
        let longest = vec![7; ENTRY_LEN_MAX];
        let mut bundle = Vec::new();
        for entry in [&b""[..], b"a", &longest] {
            push_entry(&mut bundle, entry).unwrap();
        }
        let got: Vec<&[u8]> = entries(&bundle).collect::<Result<_, _>>().unwrap();
        assert_eq!(got, [&b""[..], b"a", &longest]);
        let too_long = vec![7; ENTRY_LEN_MAX + 1];
        assert_eq!(push_entry(&mut bundle, &too_long), Err(EntryTooLong { len: ENTRY_LEN_MAX + 1 }));
        bundle.pop();
        assert_eq!(entries(&bundle).last(), Some(Err(TruncatedBundle { position: 2 })));
        assert_eq!(entries(&[0]).collect::<Vec<_>>(), [Err(TruncatedBundle { position: 0 })]);
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "(tile/)?(entries|[0-9]{1,2})?/?(x?[0-9]{1,4}/?){0,8}(\\.p/[0-9]{0,4})?") {
            if let Ok(tile) = text.parse::<Tile>() {
                prop_assert_eq!(tile.to_string(), text);
                prop_assert!(tile.is_part_of(LOG_SIZE_MAX));
            }
        }

        #[test]
        fn growing_in_two_steps_fills_the_same_tiles(a in 0..200_000_u64, b in 0..200_000_u64, c in 0..200_000_u64) {
            let mut sizes = [a, b, c];
            sizes.sort_unstable();
            let [a, b, c] = sizes;
            let mut twice: Vec<Tile> = Tile::filled(a, b).chain(Tile::filled(b, c)).collect();
            twice.sort_unstable();
            let mut once: Vec<Tile> = Tile::filled(a, c).collect();
            once.sort_unstable();
            prop_assert_eq!(twice, once);
        }

        #[test]
        fn any_bundle_is_taken_apart(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let total: usize = entries(&bytes).map_while(Result::ok).map(|entry| entry.len() + 2).sum();
            let whole = entries(&bytes).all(|entry| entry.is_ok());
            prop_assert!(total <= bytes.len());
            prop_assert_eq!(whole, total == bytes.len());
        }
    }
}
