//! Measures how fast objects are cut, read and judged.
//!
//! `cargo run --release -p stix --example speed [FILE]` reads a bundle of plain JSON; without a file
//! it makes 100,000 indicators of 1 kB. Each measure is the best of several rounds.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use stix::{Document, Head, Limits, ValidateOptions, split, validate, validate_document};

const ROUNDS: usize = 9;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bytes = match std::env::args().nth(1) {
        Some(path) => std::fs::read(path)?,
        None => generated(100_000),
    };
    let limits = Limits::default();
    let count = split(&bytes, &limits)?.len();
    println!("{count} objects, {:.1} MB", megabytes(bytes.len()));

    report("split", &bytes, count, || Ok(split(&bytes, &limits)?.len()))?;
    report("split + head", &bytes, count, || {
        let mut refs = 0;
        for object in split(&bytes, &limits)? {
            refs += Head::parse(object)?.refs.len();
        }
        Ok(refs)
    })?;
    let options = ValidateOptions::default();
    report("split + validate", &bytes, count, || {
        let mut findings = 0;
        for object in split(&bytes, &limits)? {
            findings += validate(object, &options).findings.len();
        }
        Ok(findings)
    })?;
    report("all, one parse", &bytes, count, || {
        let mut sum = 0;
        for object in split(&bytes, &limits)? {
            let document = Document::parse(object, &limits)?;
            sum += Head::of(&document)?.refs.len() + validate_document(&document, &options).findings.len();
        }
        Ok(sum)
    })?;
    Ok(())
}

type Outcome = Result<usize, Box<dyn std::error::Error>>;

fn report(
    name: &str,
    bytes: &[u8],
    count: usize,
    run: impl Fn() -> Outcome,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        std::hint::black_box(run()?);
        best = best.min(start.elapsed());
    }
    let seconds = best.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a count of objects for a table")]
    let objects = count as f64 / seconds;
    println!(
        "{name:17} {:8.0} MB/s {objects:10.0} objects/s {:8.1} ms",
        megabytes(bytes.len()) / seconds,
        seconds * 1e3
    );
    Ok(())
}

fn megabytes(bytes: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a size for a table")]
    let megabytes = bytes as f64 / 1e6;
    megabytes
}

/// An envelope of indicators, each about 1 kB, no two alike.
fn generated(count: u32) -> Vec<u8> {
    let filler =
        "Seen in mail to procurement offices, with a password-protected archive attached. ".repeat(4);
    let mut text = String::from(r#"{"more":false,"objects":["#);
    for n in 0..count {
        let comma = if n == 0 { "" } else { "," };
        let _ = write!(
            text,
            "{comma}{{\"type\":\"indicator\",\"spec_version\":\"2.1\",\
            \"id\":\"indicator--{n:08x}-4415-4ba8-9671-f7343fbf0836\",\
            \"created_by_ref\":\"identity--f431f809-377b-45e0-aa1c-6a4751cae5ff\",\
            \"created\":\"2026-01-01T00:00:00.000Z\",\"modified\":\"2026-01-01T00:00:00.000Z\",\
            \"indicator_types\":[\"malicious-activity\"],\"name\":\"Delivery host {n}\",\
            \"description\":\"{filler}\",\"pattern\":\"[domain-name:value = 'host{n}.example']\",\
            \"pattern_type\":\"stix\",\"valid_from\":\"2026-01-01T00:00:00Z\",\
            \"labels\":[\"campaign-7\",\"phishing\"],\"confidence\":70,\
            \"external_references\":[{{\"source_name\":\"report\",\"external_id\":\"R-{n}\"}}],\
            \"object_marking_refs\":[\"marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da\"]}}"
        );
    }
    text.push_str("]}");
    text.into_bytes()
}
