//! The patterns of public feeds: all of them are read, and nearly all are look-ups.
//!
//! The data is not part of the repository. Where the folder is absent the tests say so and end.

#![expect(clippy::unwrap_used, reason = "data that cannot be read fails the test, as it should")]

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use stix_pattern::Pattern;

fn data(what: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/stix").join(what);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: {} is not there", path.display());
    None
}

fn unpacked(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).unwrap();
    liblzma::read::XzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    bytes
}

/// Reads one pattern, checks its canonical text, and counts what was noticed.
fn read(text: &str, counts: &mut BTreeMap<&'static str, usize>) {
    let pattern = Pattern::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let again = Pattern::parse(&pattern.to_string()).unwrap();
    assert_eq!(again, pattern, "{text}");
    assert!(!again.findings().iter().any(|finding| finding.matter.is_normalised()), "{text}");
    let simple = pattern.simple();
    let single = simple.as_ref().is_some_and(|simple| simple.single().is_some());
    let normalised = pattern.findings().iter().any(|finding| finding.matter.is_normalised());
    let noticed = pattern.findings().iter().any(|finding| !finding.matter.is_normalised());
    for (name, is) in [
        ("patterns", true),
        ("single", single),
        ("simple", simple.is_some()),
        ("normalised", normalised),
        ("noticed", noticed),
    ] {
        *counts.entry(name).or_default() += usize::from(is);
    }
}

#[test]
fn every_published_pattern_is_read() {
    let Some(path) = data("patterns/real-world-patterns.jsonl.xz") else { return };
    let mut counts = BTreeMap::new();
    for line in String::from_utf8(unpacked(&path)).unwrap().lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        read(entry["pattern"].as_str().unwrap(), &mut counts);
    }
    eprintln!("{counts:?}");
    assert!(counts["patterns"] > 14_000);
    // 98.65 % are one equality.
    assert!(counts["single"] * 10_000 >= counts["patterns"] * 9_860, "{counts:?}");
    assert!(counts["simple"] > counts["single"]);
    // `sha256`, ports and certificates' dates as texts; and those are a small part.
    assert!((100..500).contains(&counts["normalised"]), "{counts:?}");
}

#[test]
fn every_indicator_of_public_bundles_is_read() {
    let mut counts = BTreeMap::new();
    for name in ["amnesty-investigations", "oasis-json-schemas-examples"] {
        let Some(path) = data(&format!("bundles/{name}.tar.xz")) else { return };
        let bytes = unpacked(&path);
        let mut archive = tar::Archive::new(bytes.as_slice());
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().into_owned();
            if !path.extension().is_some_and(|extension| extension == "json" || extension == "stix2") {
                continue;
            }
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            let bundle: Value = serde_json::from_slice(&bytes).unwrap();
            for object in bundle["objects"].as_array().into_iter().flatten() {
                if let (Some("indicator"), Some(pattern)) =
                    (object["type"].as_str(), object["pattern"].as_str())
                {
                    read(pattern, &mut counts);
                }
            }
        }
    }
    eprintln!("{counts:?}");
    assert!(counts["patterns"] > 4_000, "{counts:?}");
}
