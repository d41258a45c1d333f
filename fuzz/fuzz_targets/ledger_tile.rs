//! Tile paths, hash tiles and entry bundles; and a whole log made of hostile files.
#![no_main]

use std::convert::Infallible;

use ledger::tile::{entries, hashes, push_entry};
use ledger::{Tile, TileSource, Writer};
use libfuzzer_sys::fuzz_target;

/// Answers every path with the same bytes, cut to any length.
struct Hostile<'d>(&'d [u8]);

impl TileSource for Hostile<'_> {
    type Error = Infallible;

    fn tile(&mut self, tile: Tile) -> Result<Option<Vec<u8>>, Infallible> {
        let wanted = usize::from(tile.width()) * 32;
        let cut = self.0.len().min(wanted);
        Ok((!self.0.is_empty()).then(|| self.0[..cut].to_vec()))
    }
}

fuzz_target!(|input: (&str, u64, &[u8])| {
    let (path, size, bytes) = input;
    if let Ok(tile) = path.parse::<Tile>() {
        assert_eq!(tile.to_string(), path, "a tile has one path");
        assert!((1..=256).contains(&tile.width()));
        assert!(tile.full().is_full());
    }
    assert_eq!(hashes(bytes).len(), bytes.len() / 32);
    let read: Result<Vec<&[u8]>, _> = entries(bytes).collect();
    if let Ok(read) = read {
        let mut bundle = Vec::new();
        for entry in read {
            push_entry(&mut bundle, entry).expect("what was in a bundle fits into one");
        }
        assert_eq!(bundle, bytes, "a bundle has one spelling");
    }
    drop(Writer::resume(size % 100_000, Hostile(bytes)));
});
