//! The whole log, checked from its public files: what a member, an overseer or a stranger runs.
//!
//! [`verify_log`] believes nothing but the key it was given. It reads the signed checkpoint, then every entry
//! bundle, and grows the tree anew from the entries; each tile that the log serves must be, byte for byte, the
//! one that comes out, and the root at the end must be the signed one. With an older checkpoint it also
//! stops where that log ended and compares the root there: the log of then is a prefix of the log of now.
//!
//! ```text
//! tile/entries/000 --leaf hashes--> tile/0/000 --root--> tile/1/000 ... --root--> checkpoint
//!                                                            older checkpoint: root after its size
//! ```
//!
//! The first thing that does not fit is a [`Fault`] that names the file and the position. Memory stays at a few
//! tiles, whatever the size of the log. [`receipt`] makes the proof for one entry, from a handful of tiles.

use thiserror::Error;

use crate::checkpoint::{Checkpoint, CheckpointError, Opened, Trust};
use crate::note::{KeyName, SignedNote};
use crate::proof::TlogProof;
use crate::tile::{Kind, Tile, TileHashError, TileHashes, TileSource, TruncatedBundle, entries, hashes};
use crate::tree::{
    Hash, InvalidProof, ProveError, consistency_proof, inclusion_proof, leaf_hash, verify_consistency,
};
use crate::writer::Writer;

/// A log as the world sees it.
pub trait LogSource: TileSource {
    /// The bytes of the file `checkpoint`.
    fn checkpoint(&mut self) -> Result<Vec<u8>, Self::Error>;
}

impl<S: LogSource> LogSource for &mut S {
    fn checkpoint(&mut self) -> Result<Vec<u8>, S::Error> {
        (**self).checkpoint()
    }
}

/// A log in memory: its signed checkpoint and its tiles.
impl<T: TileSource> LogSource for (Vec<u8>, T) {
    fn checkpoint(&mut self) -> Result<Vec<u8>, T::Error> {
        Ok(self.0.clone())
    }
}

impl<T: TileSource> TileSource for (Vec<u8>, T) {
    type Error = T::Error;

    fn tile(&mut self, tile: Tile) -> Result<Option<Vec<u8>>, T::Error> {
        self.1.tile(tile)
    }
}

/// What was checked and found right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The head of the log.
    pub checkpoint: Checkpoint,
    /// The known keys that signed it.
    pub signed_by: Vec<KeyName>,
    /// Entries hashed.
    pub entries: u64,
    /// Entry bundles read.
    pub bundles: u64,
    /// Hash tiles compared.
    pub tiles: u64,
    /// Bytes read from tiles and bundles.
    pub bytes: u64,
    /// The size of the older checkpoint that this log was found to continue.
    pub continues: Option<u64>,
}

/// The first thing that is wrong with a log.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum Fault<E> {
    /// A file could not be read.
    #[error("`{path}` could not be read")]
    Source { path: String, source: E },
    /// The checkpoint is malformed, of another log, or not signed by a known key.
    #[error("`checkpoint`: {0}")]
    Checkpoint(CheckpointError),
    /// A file that a log of this size must have is not there.
    #[error("`{tile}` is missing")]
    Missing { tile: Tile },
    /// A bundle ends inside an entry.
    #[error("`{tile}`: {error}")]
    Bundle { tile: Tile, error: TruncatedBundle },
    /// A bundle has more or fewer entries than its place in the log demands.
    #[error("`{tile}` has {got} entries")]
    EntryCount { tile: Tile, got: usize },
    /// A hash tile has a length that does not fit its width.
    #[error("`{tile}` has {got} bytes")]
    Length { tile: Tile, got: usize },
    /// An entry is not the one whose hash the log serves.
    #[error("entry {index} in `{bundle}` does not hash to what `{tile}` has for it")]
    Entry { index: u64, bundle: Tile, tile: Tile },
    /// A hash above the leaves is not the root of the tile below it.
    #[error("hash {position} in `{tile}` is not the root of the tile below it")]
    Hash { tile: Tile, position: usize },
    /// The tiles agree with each other and not with the signed root.
    #[error("the root over {size} entries is {computed}, and {signed} was signed")]
    Root { size: u64, computed: Hash, signed: Hash },
    /// The log has fewer entries than it once had.
    #[error("the log has {size} entries and had {older} before")]
    Shrunk { size: u64, older: u64 },
    /// The first entries are not those of the older checkpoint: history was rewritten.
    #[error("the first {older} entries have the root {computed}, and {signed} was signed for them before")]
    Rewritten { older: u64, computed: Hash, signed: Hash },
}

/// Checks the whole log.
///
/// `older`, if given, is a checkpoint that the caller kept and [opened](Trust::open) before; `visit` is shown
/// each entry with its index, before anything about its bundle was compared with the root.
pub fn verify_log<S: LogSource>(
    source: &mut S,
    trust: &Trust,
    older: Option<&Checkpoint>,
    mut visit: impl FnMut(u64, &[u8]),
) -> Result<Report, Fault<S::Error>> {
    let opened = open(source, trust)?;
    let head = &opened.checkpoint;
    if let Some(older) = older {
        check_older(head, older)?;
    }
    let mut check = Check { source, size: head.size, writer: Writer::new(), bundles: 0, tiles: 0, bytes: 0 };
    for tile in (0..).map_while(|index| Tile::in_log(Kind::Entries, index, head.size)) {
        check.next_bundle(tile, older, &mut visit)?;
    }
    let edge: Vec<(Tile, Vec<u8>)> =
        check.writer.partial().map(|(tile, want)| (tile, want.to_vec())).collect();
    for (tile, want) in edge {
        check.compare(tile, &want)?;
    }
    let computed = check.writer.root();
    if computed != head.root {
        return Err(Fault::Root { size: head.size, computed, signed: head.root });
    }
    let (entries, bundles, tiles, bytes) = (check.writer.size(), check.bundles, check.tiles, check.bytes);
    let continues = older.map(|older| older.size);
    Ok(Report {
        checkpoint: opened.checkpoint,
        signed_by: opened.signed_by,
        entries,
        bundles,
        tiles,
        bytes,
        continues,
    })
}

fn open<S: LogSource>(source: &mut S, trust: &Trust) -> Result<Opened, Fault<S::Error>> {
    let read = source.checkpoint();
    let bytes = read.map_err(|source| Fault::Source { path: "checkpoint".to_owned(), source })?;
    trust.open(&bytes).map_err(Fault::Checkpoint)
}

/// What two checkpoints tell without any tile.
fn check_older<E>(head: &Checkpoint, older: &Checkpoint) -> Result<(), Fault<E>> {
    if older.origin != head.origin {
        let (got, want) = (older.origin.clone(), head.origin.clone());
        return Err(Fault::Checkpoint(CheckpointError::OtherLog { got, want }));
    }
    if older.size > head.size {
        return Err(Fault::Shrunk { size: head.size, older: older.size });
    }
    let empty = Writer::new().root();
    if older.size == 0 && older.root != empty {
        return Err(Fault::Rewritten { older: 0, computed: empty, signed: older.root });
    }
    Ok(())
}

/// The log so far, grown anew.
struct Check<'s, S> {
    source: &'s mut S,
    size: u64,
    writer: Writer,
    bundles: u64,
    tiles: u64,
    bytes: u64,
}

impl<S: LogSource> Check<'_, S> {
    /// Reads one bundle, appends its entries, and compares the tiles that these fill.
    fn next_bundle(
        &mut self,
        tile: Tile,
        older: Option<&Checkpoint>,
        visit: &mut impl FnMut(u64, &[u8]),
    ) -> Result<(), Fault<S::Error>> {
        let (form, bytes) = self.read(tile)?;
        self.bundles += 1;
        let (first, mut got) = (tile.first(), 0);
        for entry in entries(&bytes) {
            let entry = entry.map_err(|error| Fault::Bundle { tile: form, error })?;
            got += 1;
            // A full bundle that stands in for a partial one goes on behind the checkpoint.
            if self.writer.size() < first + u64::from(tile.width()) {
                visit(self.writer.size(), entry);
                self.writer.append(entry).expect("INVARIANT: a bundle cannot hold an entry that is too long");
                if let Some(older) = older.filter(|older| older.size == self.writer.size()) {
                    self.compare_older(older)?;
                }
            }
        }
        if got != usize::from(form.width()) {
            return Err(Fault::EntryCount { tile: form, got });
        }
        let filled = self.writer.take_full();
        filled.iter().try_for_each(|(tile, want)| self.compare(*tile, want))
    }

    fn compare_older(&self, older: &Checkpoint) -> Result<(), Fault<S::Error>> {
        let computed = self.writer.root();
        if computed == older.root {
            return Ok(());
        }
        Err(Fault::Rewritten { older: older.size, computed, signed: older.root })
    }

    /// Reads a file, in place of a partial one that is gone the full one (tlog-tiles, "Partial Tiles").
    fn read(&mut self, tile: Tile) -> Result<(Tile, Vec<u8>), Fault<S::Error>> {
        for form in [tile, tile.full()] {
            let read = self.source.tile(form);
            let read = read.map_err(|source| Fault::Source { path: form.to_string(), source })?;
            if let Some(bytes) = read {
                self.bytes += bytes.len() as u64;
                return Ok((form, bytes));
            }
        }
        Err(Fault::Missing { tile })
    }

    /// Compares a hash tile of the log with the one that the entries make. Bundles are what they are made from.
    fn compare(&mut self, tile: Tile, want: &[u8]) -> Result<(), Fault<S::Error>> {
        let Kind::Hashes { level } = tile.kind() else { return Ok(()) };
        let (form, bytes) = self.read(tile)?;
        self.tiles += 1;
        if bytes.len() != usize::from(form.width()) * Hash::LEN {
            return Err(Fault::Length { tile: form, got: bytes.len() });
        }
        if bytes.starts_with(want) {
            return Ok(());
        }
        let position = hashes(&bytes).zip(hashes(want)).take_while(|(got, want)| got == want).count();
        if level > 0 {
            return Err(Fault::Hash { tile: form, position });
        }
        let bundle = Tile::in_log(Kind::Entries, tile.index(), self.size).unwrap_or(tile);
        Err(Fault::Entry { index: tile.first() + position as u64, bundle, tile: form })
    }
}

/// Why a receipt could not be made.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum ReceiptError<E> {
    /// The entry lies outside the log, or a tile could not be read.
    #[error(transparent)]
    Prove(#[from] ProveError<TileHashError<E>>),
    /// The tiles do not fit the checkpoint.
    #[error(transparent)]
    Invalid(#[from] InvalidProof),
}

/// Proves, from a few tiles, that `entry` has this `index` in the log with the head `checkpoint`; `signed` is
/// that head as it was signed. The proof is checked before it is given away.
pub fn receipt<S: TileSource>(
    source: S,
    checkpoint: &Checkpoint,
    signed: SignedNote,
    index: u64,
    entry: &[u8],
    extra: Option<Vec<u8>>,
) -> Result<TlogProof, ReceiptError<S::Error>> {
    let Checkpoint { size, root, .. } = *checkpoint;
    let hashes = inclusion_proof(index, size, &mut TileHashes::new(source, size))?;
    crate::tree::verify_inclusion(&hashes, index, leaf_hash(entry), size, root)?;
    Ok(TlogProof { extra, index, hashes, checkpoint: signed })
}

/// Proves, from a few tiles, that the log continues an older one, and checks that proof against both roots:
/// what a witness asks for, and what a returning reader checks without reading the whole log.
pub fn growth<S: TileSource>(
    source: S,
    older: &Checkpoint,
    newer: &Checkpoint,
) -> Result<Vec<Hash>, ReceiptError<S::Error>> {
    let proof = consistency_proof(older.size, newer.size, &mut TileHashes::new(source, newer.size))?;
    verify_consistency(&proof, older.size, older.root, newer.size, newer.root)?;
    Ok(proof)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::note::{NoteError, NoteSigner};
    use crate::tree::EMPTY_ROOT;

    type Memory = (Vec<u8>, BTreeMap<Tile, Vec<u8>>);
    type Damage = Box<dyn Fn(&mut Memory)>;

    fn signer() -> NoteSigner {
        NoteSigner::from_seed("hub.example/jcsp".parse().unwrap(), &[7; 32])
    }

    fn trust() -> Trust {
        Trust::in_key(signer().verifier()).unwrap()
    }

    fn entry(n: u64) -> Vec<u8> {
        format!("entry {n}").into_bytes()
    }

    fn log_of(size: u64, entry: impl Fn(u64) -> Vec<u8>) -> (Checkpoint, Memory) {
        let mut writer = Writer::new();
        for n in 0..size {
            writer.append(&entry(n)).unwrap();
        }
        let mut tiles: BTreeMap<_, _> = writer.take_full().into_iter().collect();
        tiles.extend(writer.partial().map(|(tile, bytes)| (tile, bytes.to_vec())));
        let head = Checkpoint::new(trust().origin, size, writer.root());
        let signed = head.sign(&[&signer()]).to_string().into_bytes();
        (head, (signed, tiles))
    }

    fn tile(path: &str) -> Tile {
        path.parse().unwrap()
    }

    fn check(
        log: &mut Memory,
        older: Option<&Checkpoint>,
    ) -> Result<Report, Fault<std::convert::Infallible>> {
        verify_log(log, &trust(), older, |_, _| {})
    }

    #[test]
    fn a_whole_log_of_any_size_is_found_right() {
        for size in [0, 1, 2, 255, 256, 257, 700, 66_000] {
            let (head, mut log) = log_of(size, entry);
            let mut seen = Vec::new();
            let report =
                verify_log(&mut log, &trust(), None, |index, entry| seen.push((index, entry.to_vec())));
            let report = report.unwrap();
            assert_eq!((report.checkpoint, report.entries), (head, size));
            assert_eq!(report.bundles + report.tiles, log.1.len() as u64);
            assert_eq!(report.bytes, log.1.values().map(Vec::len).sum::<usize>() as u64);
            assert!(seen.iter().cloned().eq((0..size).map(|n| (n, entry(n)))), "{size}");
        }
    }

    #[test]
    fn every_older_checkpoint_of_the_same_log_is_continued() {
        let (newer, mut log) = log_of(700, entry);
        for size in [0, 1, 255, 256, 511, 699, 700] {
            let (older, _) = log_of(size, entry);
            assert_eq!(check(&mut log, Some(&older)).unwrap().continues, Some(size));
            assert!(growth(&mut log, &older, &newer).is_ok(), "{size}");
        }
    }

    #[test]
    fn a_log_that_was_cut_rewritten_or_replaced_is_caught() {
        let (newer, mut log) = log_of(700, entry);
        let (longer, _) = log_of(701, entry);
        assert_eq!(check(&mut log, Some(&longer)), Err(Fault::Shrunk { size: 700, older: 701 }));
        // Another history, signed with the right key.
        let (other, _) = log_of(300, |n| entry(if n == 7 { 8 } else { n }));
        let (right, _) = log_of(300, entry);
        let rewritten = Fault::Rewritten { older: 300, computed: right.root, signed: other.root };
        assert_eq!(check(&mut log, Some(&other)), Err(rewritten));
        assert_eq!(growth(&mut log, &other, &newer), Err(InvalidProof.into()));
        let nothing = Checkpoint::new(other.origin, 0, other.root);
        let rewritten = Fault::Rewritten { older: 0, computed: EMPTY_ROOT, signed: nothing.root };
        assert_eq!(check(&mut log, Some(&nothing)), Err(rewritten));
        let elsewhere = Checkpoint::new("hub.example/other".parse().unwrap(), 0, EMPTY_ROOT);
        assert!(matches!(
            check(&mut log, Some(&elsewhere)),
            Err(Fault::Checkpoint(CheckpointError::OtherLog { .. }))
        ));
    }

    #[test]
    fn each_fault_is_named_where_it_is() {
        let flip = |path: &'static str, at: usize| {
            move |log: &mut Memory| log.1.get_mut(&tile(path)).unwrap()[at] ^= 1
        };
        let bundle = "tile/entries/257.p/208";
        let leaves = "tile/0/257.p/208";
        let cases: Vec<(Damage, Fault<_>)> = vec![
            (
                Box::new(flip("tile/entries/001", 2 + 9 + 2)),
                Fault::Entry { index: 257, bundle: tile("tile/entries/001"), tile: tile("tile/0/001") },
            ),
            (
                Box::new(flip("tile/0/003", 32 * 5)),
                Fault::Entry { index: 768 + 5, bundle: tile("tile/entries/003"), tile: tile("tile/0/003") },
            ),
            (
                Box::new(flip(leaves, 32 * 207 + 31)),
                Fault::Entry { index: 65_999, bundle: tile(bundle), tile: tile(leaves) },
            ),
            (Box::new(flip("tile/1/000", 32 * 200)), Fault::Hash { tile: tile("tile/1/000"), position: 200 }),
            (Box::new(flip("tile/2/000.p/1", 0)), Fault::Hash { tile: tile("tile/2/000.p/1"), position: 0 }),
            (
                Box::new(|log| drop(log.1.remove(&tile("tile/1/001.p/1")))),
                Fault::Missing { tile: tile("tile/1/001.p/1") },
            ),
            (
                Box::new(|log| drop(log.1.remove(&tile("tile/entries/100")))),
                Fault::Missing { tile: tile("tile/entries/100") },
            ),
            (
                Box::new(move |log| log.1.get_mut(&tile(leaves)).unwrap().push(0)),
                Fault::Length { tile: tile(leaves), got: 208 * 32 + 1 },
            ),
            (
                Box::new(move |log| log.1.get_mut(&tile(bundle)).unwrap().extend([0, 0])),
                Fault::EntryCount { tile: tile(bundle), got: 209 },
            ),
            (
                Box::new(|log| log.1.get_mut(&tile("tile/entries/000")).unwrap().truncate(9 * 10 + 4)),
                Fault::Bundle { tile: tile("tile/entries/000"), error: truncated(10) },
            ),
        ];
        let (_, good) = log_of(66_000, entry);
        for (damage, want) in cases {
            let mut log = good.clone();
            damage(&mut log);
            assert_eq!(check(&mut log, None), Err(want));
        }
    }

    fn truncated(entries_before: usize) -> TruncatedBundle {
        let mut bundle = [0, 0].repeat(entries_before);
        bundle.push(0);
        entries(&bundle).find_map(Result::err).unwrap()
    }

    #[test]
    fn a_wrong_root_and_a_wrong_signature_are_caught() {
        let (head, mut log) = log_of(700, entry);
        let false_head = Checkpoint::new(head.origin.clone(), 700, EMPTY_ROOT);
        let mut signed_false = (false_head.sign(&[&signer()]).to_string().into_bytes(), log.1.clone());
        let root = Fault::Root { size: 700, computed: head.root, signed: EMPTY_ROOT };
        assert_eq!(check(&mut signed_false, None), Err(root));
        let stranger = NoteSigner::from_seed("hub.example/jcsp".parse().unwrap(), &[8; 32]);
        log.0 = head.sign(&[&stranger]).to_string().into_bytes();
        assert_eq!(check(&mut log, None), Err(Fault::Checkpoint(NoteError::Unsigned.into())));
    }

    #[test]
    fn a_full_tile_stands_in_for_a_partial_one_that_is_gone() {
        let (_, later) = log_of(700, entry);
        let (_, mut log) = log_of(300, entry);
        log.1.retain(|tile, _| tile.kind() == Kind::Hashes { level: 1 });
        log.1.extend(later.1.into_iter().filter(|(tile, _)| tile.is_full()));
        let report = check(&mut log, None).unwrap();
        assert_eq!(report.entries, 300);
    }

    #[test]
    fn a_receipt_is_made_from_tiles_and_checked() {
        let (head, log) = log_of(700, entry);
        let signed = SignedNote::parse(&log.0).unwrap();
        let proof = receipt(log.1.clone(), &head, signed.clone(), 300, &entry(300), None).unwrap();
        assert_eq!(proof.verify(&trust(), &entry(300)), Ok(head.clone()));
        let other = receipt(log.1.clone(), &head, signed.clone(), 301, &entry(300), None);
        assert_eq!(other, Err(InvalidProof.into()));
        let outside = receipt(log.1, &head, signed, 700, &entry(300), None);
        assert_eq!(outside, Err(ProveError::OutOfRange { index: 700, size: 700 }.into()));
    }
}
