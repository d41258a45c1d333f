//! Every published file is known by its first bytes, and read by what it is known as.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufReader, Read};

use crate::support::{files, importing, shared};
use proptest::prelude::*;
use registers::{Format, detect, read};

#[test]
fn every_published_file_is_known_and_read() {
    let Some(folder) = shared("") else { return };
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for part in ["bods", "ftm", "psc", "gleif", "ofac_csl", "un"] {
        for file in files(&folder.join(part), "") {
            let name = file.to_string_lossy();
            // Schemas, code lists and indexes are no data.
            if ["/schema/", "expected_errors", "/delta.json", ".yaml", ".md"]
                .iter()
                .any(|part| name.contains(part))
            {
                continue;
            }
            let bytes = fs::read(&file).unwrap();
            let Some(format) = detect(&bytes, &name) else {
                // A sample that holds a kind of record that nobody knows.
                assert!(bytes.is_empty() || name.ends_with("psc_unknown_kind.json"), "{name}");
                *counts.entry("none").or_default() += 1;
                continue;
            };
            *counts.entry(format.code()).or_default() += 1;
            let report = read(format, bytes.as_slice(), &importing("doc"), &mut |_| {});
            assert!(!report.cut_short, "{name}");
        }
    }
    let want = [
        ("bods", 393),
        ("denied-persons", 1),
        ("ftm", 8),
        ("gleif-exceptions", 4),
        ("gleif-lei", 4),
        ("gleif-rr", 4),
        ("none", 3),
        ("ofac-addresses", 2),
        ("ofac-alternates", 2),
        ("ofac-comments", 2),
        ("ofac-names", 2),
        ("screening-list", 2),
        ("uk-psc", 12),
        ("un-list", 1),
    ];
    assert_eq!(counts, BTreeMap::from(want));
}

/// A reader that fails after some bytes, as a broken archive does.
struct Breaks<'b>(&'b [u8]);

impl Read for Breaks<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the archive ends too early"));
        }
        self.0.read(out)
    }
}

#[test]
fn what_breaks_off_is_told_and_closes_nothing() {
    for format in Format::ALL {
        for text in
            ["", "{\"id\":\"a\",\"schema\":\"Person\"}\n", "id,from,to,kind\nt,a,b,family\n", "<a><b/>"]
        {
            let reader = BufReader::new(Breaks(text.as_bytes()));
            let report = read(format, reader, &importing("doc"), &mut |_| {});
            assert!(report.cut_short && !report.is_whole(), "{format} {text:?}");
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_known_or_not(bytes in proptest::collection::vec(any::<u8>(), 0..200), name in "\\PC{0,20}") {
        let _ = detect(&bytes, &name);
    }
}
