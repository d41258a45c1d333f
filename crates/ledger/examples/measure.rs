//! Measures the parts that a hub runs for every disclosure, and the check of a whole log of N entries, in memory
//! and on one core:
//!
//! ```text
//! cargo run --release -p ledger --example measure -- [N]
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use ledger::entry::{ObjectDigest, Opening};
use ledger::tree::{inclusion_proof, leaf_hash};
use ledger::verify::verify_log;
use ledger::{Checkpoint, Frontier, NoteSigner, Tile, Trust, Writer, tile::TileHashes};

/// Runs something `rounds` times and prints its rate.
fn measure<T>(what: &str, rounds: u32, mut run: impl FnMut() -> T) {
    let start = Instant::now();
    for _ in 0..rounds {
        black_box(run());
    }
    rate(what, rounds, start);
}

fn rate(what: &str, count: u32, start: Instant) {
    let took = start.elapsed();
    println!(
        "{what:<34} {:>12.0} /s {:>12.2?} each",
        f64::from(count) / took.as_secs_f64(),
        took / count.max(1)
    );
}

fn main() -> Result<(), Box<dyn Error>> {
    let size: u32 = std::env::args().nth(1).map_or(Ok(1_000_000), |n| n.parse())?;
    let entries: Vec<[u8; 32]> = (0..size).map(|n| leaf_hash(&n.to_be_bytes()).0).collect();
    println!("{size} entries of 32 bytes, one core");

    let start = Instant::now();
    let mut frontier = Frontier::new();
    for entry in &entries {
        frontier.append(leaf_hash(entry));
    }
    rate("append to the frontier", size, start);

    let start = Instant::now();
    let mut writer = Writer::new();
    for entry in &entries {
        writer.append(entry)?;
    }
    rate("append and collect tiles", size, start);
    let mut tiles: BTreeMap<Tile, Vec<u8>> = writer.take_full().into_iter().collect();
    tiles.extend(writer.partial().map(|(tile, bytes)| (tile, bytes.to_vec())));
    measure("clone the writer for a batch", 10_000, || writer.clone());
    measure("root", 10_000, || writer.root());

    let key = NoteSigner::from_seed("log.example/measure".parse()?, &[1; 32]);
    let trust = Trust::in_key(key.verifier())?;
    let head = Checkpoint::new(trust.origin.clone(), writer.size(), writer.root());
    let checkpoint = head.sign(&[&key]).to_string().into_bytes();
    measure("sign a checkpoint", 10_000, || head.sign(&[&key]));
    measure("open a checkpoint", 10_000, || trust.open(&checkpoint));

    let opening = Opening { salt: [7; 32], body: vec![b'x'; 400] };
    measure("commit to a body of 400 bytes", 10_000, || opening.commitment());
    measure("digest a page of 1,000 objects", 1000, || {
        let mut digest = ObjectDigest::new();
        for _ in 0..1000 {
            digest.add("indicator--00000000-0000-4000-8000-000000000000", "2026-01-10T00:00:00.000Z");
        }
        digest.finish()
    });

    let (size, mut index) = (u64::from(size), 0);
    measure("inclusion proof from tiles", 1000, || {
        index = (index + 7919) % size.max(1);
        inclusion_proof(index, size, &mut TileHashes::new(&mut tiles, size))
    });

    let mut log = (checkpoint, tiles);
    let start = Instant::now();
    let report = verify_log(&mut log, &trust, None, |_, _| {})?;
    rate("verify the whole log, per entry", u32::try_from(report.entries)?, start);
    println!("verified {} entries, {} tiles, {} bundles", report.entries, report.tiles, report.bundles);
    Ok(())
}
