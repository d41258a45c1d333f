//! Reads files or directories, and prints what came of them and how fast.
//!
//! `cargo run --release -p intake --example speed -- PATH...`

use std::error::Error;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use intake::{Item, Options};

fn main() -> Result<(), Box<dyn Error>> {
    let creator = "identity--f690c992-8e7d-4b9a-9303-3312616c0220";
    let options = Options::new(creator, "2026-01-10T00:00:00Z")?;
    for path in std::env::args_os().skip(1) {
        let mut written = 0;
        let started = Instant::now();
        let summary = intake::read(Path::new(&path), &options, &mut |item| {
            if let Item::Object { bytes, .. } = item {
                written += bytes.len();
            }
            ControlFlow::Continue(())
        })?;
        let seconds = started.elapsed().as_secs_f64();
        println!("{summary}");
        let objects: f64 = u32::try_from(summary.objects)?.into();
        let megabytes = f64::from(u32::try_from(written / 1_000)?) / 1_000.0;
        println!(
            "  {seconds:.3} s, {:.0} objects/s, {:.0} MB/s of objects\n",
            objects / seconds,
            megabytes / seconds
        );
    }
    Ok(())
}
