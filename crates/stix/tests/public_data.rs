//! Real bundles: cut, read and judged.
//!
//! The data is not part of the repository. Where the folder is absent the tests say so and end.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use stix::{Head, Limits, ValidateOptions, split, validate};

/// The folder of the data, if it is there.
fn data() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/stix/bundles");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: {} is not there", folder.display());
    None
}

/// Every file of the data that holds STIX, with its name.
fn bundles(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let decoder = |path: &Path| {
        let file = std::fs::File::open(path).expect("the file is there");
        liblzma::read::XzDecoder::new(file)
    };
    let attack = std::fs::read_dir(folder.join("attack")).expect("the folder is there");
    for path in attack.map(|entry| entry.expect("an entry").path()) {
        let mut bytes = Vec::new();
        decoder(&path).read_to_end(&mut bytes).expect("a whole file");
        found.push((path.display().to_string(), bytes));
    }
    for name in ["amnesty-investigations", "opencti-datasets", "oasis-json-schemas-examples"] {
        let mut archive = tar::Archive::new(decoder(&folder.join(format!("{name}.tar.xz"))));
        for entry in archive.entries().expect("an archive") {
            let mut entry = entry.expect("an entry");
            let path = entry.path().expect("a path").display().to_string();
            let extension = Path::new(&path).extension().unwrap_or_default();
            if (extension == "json" || extension == "stix2") && !path.contains("schemas/") {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).expect("a whole file");
                found.push((format!("{name}/{path}"), bytes));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn every_object_is_cut_as_it_was_received_and_its_head_is_read() {
    let Some(folder) = data() else { return };
    let mut count = 0;
    for (name, bytes) in bundles(&folder) {
        let tree: serde_json::Value = serde_json::from_slice(&bytes).expect("the data is JSON");
        let objects = split(&bytes, &Limits::default()).expect(&name);
        let alone = vec![tree.clone()];
        let theirs = tree["objects"].as_array().unwrap_or(&alone);
        assert_eq!(objects.len(), theirs.len(), "{name}");
        for (object, theirs) in objects.iter().zip(theirs) {
            let reread: serde_json::Value = serde_json::from_slice(object).expect("a slice is one object");
            assert_eq!(&reread, theirs, "{name}");
            let head = Head::parse(object).expect(&name);
            assert_eq!(head.id, theirs["id"].as_str().unwrap_or_default());
            assert_eq!(head.modified.as_deref(), theirs["modified"].as_str());
            assert_eq!(head.created_by_ref.as_deref(), theirs["created_by_ref"].as_str());
            count += 1;
        }
    }
    assert!(count > 30_000, "only {count} objects");
}

/// What is really wrong in the data: texts and trailing spaces where a URL must stand (§2.5).
const WRONG: [(&str, &str); 5] = [
    ("ics-attack-12.1.json.xz", "/external_references/3/url"),
    ("ics-attack-8.0.json.xz", "/external_references/0/url"),
    ("ics-attack-8.0.json.xz", "/external_references/1/url"),
    ("ics-attack-8.0.json.xz", "/external_references/4/url"),
    ("ics-attack-8.0.json.xz", "/external_references/8/url"),
];

#[test]
fn real_objects_are_accepted_but_for_five_broken_urls() {
    let Some(folder) = data() else { return };
    let mut refused = BTreeSet::new();
    for (name, bytes) in bundles(&folder) {
        let file = name.rsplit('/').next().unwrap_or_default().to_owned();
        for object in split(&bytes, &Limits::default()).expect(&name) {
            for finding in validate(object, &ValidateOptions::default()).musts() {
                assert_eq!(finding.code, "invalid-url", "{name}: {finding:?}");
                refused.insert((file.clone(), finding.pointer.clone()));
            }
        }
    }
    let want = WRONG.map(|(file, pointer)| (file.to_owned(), pointer.to_owned()));
    assert_eq!(refused, BTreeSet::from(want));
}
