//! Our log, read by programs that are not ours: `signed_note` and `tlog_tiles`.
//!
//! Each test writes a log with this crate and lets the other crate judge it, so a misreading of the standard
//! that our writer and our verifier share would show here.

#![expect(clippy::unwrap_used, reason = "this file is a test, and its helpers may fail like one")]

use std::collections::BTreeMap;

use ledger::entry::Opening;
use ledger::note::SignedNote;
use ledger::tile::TileHashes;
use ledger::tree::{consistency_proof, verify_consistency, verify_inclusion};
use ledger::verify::receipt;
use ledger::{Checkpoint, Hash, NoteSigner, NoteVerifier, Tile, TlogProof, Trust, Writer};
use tlog_tiles::{HashReader as _, TileReader};

const SIZES: [u64; 8] = [1, 2, 7, 255, 256, 257, 700, 66_000];

struct Log {
    head: Checkpoint,
    signed: SignedNote,
    tiles: BTreeMap<Tile, Vec<u8>>,
}

fn signer() -> NoteSigner {
    NoteSigner::from_seed("hub.example/jcsp".parse().unwrap(), &[7; 32])
}

fn opening(n: u64) -> Opening {
    Opening { salt: [3; 32], body: format!("{{\"n\":{n}}}").into_bytes() }
}

fn log_of(size: u64) -> Log {
    let mut writer = Writer::new();
    for n in 0..size {
        writer.append(&opening(n).commitment()).unwrap();
    }
    let mut tiles: BTreeMap<_, _> = writer.take_full().into_iter().collect();
    tiles.extend(writer.partial().map(|(tile, bytes)| (tile, bytes.to_vec())));
    let head = Checkpoint::new("hub.example/jcsp".parse().unwrap(), size, writer.root());
    let signed = head.sign(&[&signer()]);
    Log { head, signed, tiles }
}

fn theirs(hash: Hash) -> tlog_tiles::Hash {
    tlog_tiles::Hash(hash.0)
}

/// Gives their reader our tiles. Its paths have the tile height in them, which C2SP fixes at 8 and leaves out.
struct OurTiles<'l>(&'l Log);

impl TileReader for OurTiles<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let read = |tile: &tlog_tiles::Tile| {
            let path = tile.path().replacen("tile/8/", "tile/", 1);
            let ours: Tile = path.parse().unwrap_or_else(|_| panic!("`{path}` is no path of ours"));
            self.0.tiles.get(&ours).cloned().unwrap_or_else(|| panic!("`{path}` was not written"))
        };
        Ok(tiles.iter().map(read).collect())
    }

    fn save_tiles(&self, _tiles: &[tlog_tiles::Tile], _data: &[Vec<u8>]) {}
}

#[test]
fn signed_note_accepts_our_checkpoint_and_tlog_tiles_reads_it() {
    let log = log_of(700);
    let vkey = signer().verifier().to_string();
    let known = |vkey: &str| {
        let verifier = signed_note::StandardVerifier::new(vkey).unwrap();
        signed_note::VerifierList::new(vec![Box::new(verifier)])
    };
    let note = signed_note::Note::from_bytes(log.signed.to_string().as_bytes()).unwrap();
    let (verified, unverified) = note.verify(&known(&vkey)).unwrap();
    assert_eq!((verified.len(), unverified.len()), (1, 0));
    let checkpoint = tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap();
    assert_eq!(checkpoint.origin(), "hub.example/jcsp");
    assert_eq!(checkpoint.size(), 700);
    assert_eq!(*checkpoint.hash(), theirs(log.head.root));
    let stranger = NoteSigner::from_seed("hub.example/jcsp".parse().unwrap(), &[8; 32]);
    assert!(note.verify(&known(&stranger.verifier().to_string())).is_err());
}

#[test]
fn we_accept_what_signed_note_signs_with_our_key() {
    let their_signer = signed_note::StandardSigner::new(&signer().to_secret_text()).unwrap();
    let log = log_of(7);
    let mut note = signed_note::Note::new(log.head.to_string().as_bytes(), &[]).unwrap();
    note.add_sigs(&[&their_signer]).unwrap();
    assert_eq!(note.to_bytes(), log.signed.to_string().into_bytes());
    let trust = Trust::in_key(signer().verifier()).unwrap();
    assert_eq!(trust.open(&note.to_bytes()).unwrap().checkpoint, log.head);
}

#[test]
fn a_key_made_by_signed_note_is_ours_too() {
    let key = signed_note::new_ed25519_verifier_key(
        "witness.example/w1",
        &ed25519_dalek::SigningKey::from_bytes(&[9; 32]).verifying_key(),
    );
    let ours = NoteSigner::from_seed("witness.example/w1".parse().unwrap(), &[9; 32]).verifier();
    assert_eq!(key.parse::<NoteVerifier>(), Ok(ours.clone()));
    assert_eq!(ours.to_string(), key);
}

#[test]
fn tlog_tiles_authenticates_every_tile_and_computes_the_root() {
    for size in SIZES {
        let log = log_of(size);
        let tiles = OurTiles(&log);
        let reader = tlog_tiles::TileHashReader::new(size, theirs(log.head.root), &tiles);
        assert_eq!(tlog_tiles::tree_hash(size, &reader).unwrap(), theirs(log.head.root), "{size}");
        let step = 1 + size / 300;
        for index in (0..size).step_by(usize::try_from(step).unwrap()) {
            let stored = reader.read_hashes(&[tlog_tiles::stored_hash_index(0, index)]).unwrap();
            assert_eq!(stored, [tlog_tiles::record_hash(&opening(index).commitment())], "{index} of {size}");
        }
    }
}

#[test]
fn tlog_tiles_needs_exactly_the_tiles_that_we_write() {
    for (from, to) in [(0, 1), (0, 700), (255, 257), (256, 700), (700, 66_000)] {
        let mut want: Vec<String> = tlog_tiles::Tile::new_tiles(8, from, to)
            .iter()
            .map(|tile| tile.path().replacen("tile/8/", "tile/", 1))
            .collect();
        let hashes = |tile: &Tile| tile.kind() != ledger::tile::Kind::Entries;
        let was: Vec<Tile> = Tile::partial(from).collect();
        let mut got: Vec<String> = Tile::filled(from, to)
            .chain(Tile::partial(to).filter(|tile| !was.contains(tile)))
            .filter(hashes)
            .map(|tile| tile.to_string())
            .collect();
        want.sort_unstable();
        got.sort_unstable();
        assert_eq!(got, want, "{from} to {to}");
    }
}

#[test]
fn proofs_are_the_same_both_ways() {
    for size in SIZES {
        let log = log_of(size);
        let root = log.head.root;
        let tiles = OurTiles(&log);
        let reader = tlog_tiles::TileHashReader::new(size, theirs(root), &tiles);
        for index in [0, size / 3, size / 2, size - 1] {
            let entry = opening(index).commitment();
            let proof: TlogProof =
                receipt(log.tiles.clone(), &log.head, log.signed.clone(), index, &entry, None)
                    .unwrap()
                    .to_string()
                    .parse()
                    .unwrap();
            let leaf = tlog_tiles::record_hash(&entry);
            let hashes: Vec<tlog_tiles::Hash> = proof.hashes.iter().copied().map(theirs).collect();
            tlog_tiles::check_record(&hashes, size, theirs(root), index, leaf).unwrap();
            let made: Vec<Hash> = tlog_tiles::prove_record(size, index, &reader)
                .unwrap()
                .iter()
                .map(|hash| Hash(hash.0))
                .collect();
            assert_eq!(verify_inclusion(&made, index, Hash(leaf.0), size, root), Ok(()), "{index} of {size}");
        }
        for old in [1, size / 3, size / 2, size - 1, size].into_iter().filter(|old| *old > 0) {
            let old_root = log_of(old).head.root;
            let proof = consistency_proof(old, size, &mut TileHashes::new(log.tiles.clone(), size)).unwrap();
            let hashes: Vec<tlog_tiles::Hash> = proof.into_iter().map(theirs).collect();
            tlog_tiles::check_tree(&hashes, size, theirs(root), old, theirs(old_root)).unwrap();
            let made: Vec<Hash> =
                tlog_tiles::prove_tree(size, old, &reader).unwrap().iter().map(|hash| Hash(hash.0)).collect();
            assert_eq!(verify_consistency(&made, old, old_root, size, root), Ok(()), "{old} in {size}");
        }
    }
}
