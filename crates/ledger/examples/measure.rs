//! Measures the parts that a hub runs for every disclosure, and the check of a whole log of N entries, in memory
//! and on one core:
//!
//! ```text
//! cargo run --release -p ledger --example measure -- [N]
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use ledger::entry::{ObjectDigest, Opening};
use ledger::tree::{inclusion_proof, leaf_hash};
use ledger::verify::verify_log;
use ledger::{Checkpoint, Frontier, NoteSigner, Tile, Trust, Writer, tile::TileHashes};

fn timed<T>(run: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = run();
    (result, start.elapsed())
}

fn rate(what: &str, count: u32, took: Duration) {
    println!("{what:<42} {:>12.0} /s {:>12.2?} each", f64::from(count) / took.as_secs_f64(), took / count);
}

fn main() -> Result<(), Box<dyn Error>> {
    let size: u32 = std::env::args().nth(1).map_or(Ok(1_000_000), |n| n.parse())?;
    let entries: Vec<[u8; 32]> = (0..size).map(|n| leaf_hash(&n.to_be_bytes()).0).collect();
    println!("{size} entries of 32 bytes, one core");

    let (_, took) = timed(|| {
        let mut frontier = Frontier::new();
        entries.iter().for_each(|entry| frontier.append(leaf_hash(entry)));
        black_box(frontier.root())
    });
    rate("append to the frontier", size, took);

    let (written, took) = timed(|| {
        let mut writer = Writer::new();
        entries.iter().try_for_each(|entry| writer.append(entry).map(|_| ())).map(|()| writer)
    });
    let mut writer = written?;
    rate("append and collect tiles", size, took);

    let mut tiles: BTreeMap<Tile, Vec<u8>> = writer.take_full().into_iter().collect();
    tiles.extend(writer.partial().map(|(tile, bytes)| (tile, bytes.to_vec())));
    let signer = NoteSigner::from_seed("log.example/measure".parse()?, &[1; 32]);
    let trust = Trust::in_key(signer.verifier())?;
    let rounds = 10_000;
    let (_, took) = timed(|| (0..rounds).for_each(|_| drop(black_box(writer.clone()))));
    rate("clone the writer for a batch", rounds, took);
    let (_, took) = timed(|| {
        (0..rounds).for_each(|_| {
            black_box(writer.root());
        })
    });
    rate("root", rounds, took);
    let head = Checkpoint::new(trust.origin.clone(), writer.size(), writer.root());
    let (_, took) = timed(|| (0..rounds).for_each(|_| drop(black_box(head.sign(&[&signer])))));
    rate("sign a checkpoint", rounds, took);
    let signed = head.sign(&[&signer]).to_string().into_bytes();
    let (_, took) = timed(|| (0..rounds).for_each(|_| drop(black_box(trust.open(&signed)))));
    rate("open a checkpoint", rounds, took);

    let opening = Opening { salt: [7; 32], body: vec![b'x'; 400] };
    let (_, took) = timed(|| {
        (0..rounds).for_each(|_| {
            black_box(opening.commitment());
        })
    });
    rate("commit to a body of 400 bytes", rounds, took);
    let pages = 1000;
    let (_, took) = timed(|| {
        for _ in 0..pages {
            let mut digest = ObjectDigest::new();
            for _ in 0..1000 {
                digest.add("indicator--00000000-0000-4000-8000-000000000000", "2026-01-10T00:00:00.000Z");
            }
            black_box(digest.finish());
        }
    });
    rate("digest a page of 1,000 objects", pages, took);

    let proofs = 1000.min(size);
    let (made, took) = timed(|| {
        (0..proofs).try_for_each(|n| {
            let index = u64::from(n) * u64::from(size / proofs);
            inclusion_proof(index, size.into(), &mut TileHashes::new(&mut tiles, size.into())).map(drop)
        })
    });
    made?;
    rate("inclusion proof from tiles", proofs, took);

    let mut log = (signed, tiles);
    let (report, took) = timed(|| verify_log(&mut log, &trust, None, |_, _| {}));
    let report = report?;
    rate("verify the whole log, per entry", size, took);
    println!(
        "verified {} entries, {} tiles, {} bundles in {took:.2?}",
        report.entries, report.tiles, report.bundles
    );
    Ok(())
}
