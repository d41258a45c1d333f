//! Real feeds, if they lie beside the project; a test says when it was skipped.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use intake::{Item, Options, Summary};

fn options() -> Options {
    Options::new("identity--f690c992-8e7d-4b9a-9303-3312616c0220", "2026-01-10T00:00:00Z").unwrap()
}

fn data(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/stix").join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {} is absent", path.display());
    None
}

/// Reads, and validates every object that was made here, which are those that name the creator.
fn read(path: &Path, options: &Options) -> (Summary, BTreeMap<String, usize>) {
    let checks = stix::ValidateOptions { warnings: false, ..stix::ValidateOptions::default() };
    let mut by_file = BTreeMap::new();
    let summary = intake::read(path, options, &mut |item| {
        if let Item::Object { bytes, place } = item {
            let member = place.to_string().split(':').nth(1).unwrap_or_default().to_owned();
            *by_file.entry(member).or_insert(0) += 1;
            let head = stix::Head::parse(&bytes).unwrap();
            if head.created_by_ref.as_deref() == Some("identity--f690c992-8e7d-4b9a-9303-3312616c0220") {
                let report = stix::validate(&bytes, &checks);
                assert!(report.is_accepted(), "{place}: {report:?}");
            }
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    eprintln!("{summary}");
    (summary, by_file)
}

fn is_bundle(file: &str) -> bool {
    Path::new(file).extension().is_some_and(|extension| extension == "stix2")
}

fn counts(summary: &Summary) -> BTreeMap<String, u64> {
    summary.refused.iter().map(|(reason, refusals)| (reason.to_string(), refusals.count)).collect()
}

#[test]
fn the_bundles_of_amnesty_and_their_lists_are_read() {
    let Some(path) = data("bundles/amnesty-investigations.tar.xz") else { return };
    let (summary, by_file) = read(&path, &options());
    let bundles: usize = by_file.iter().filter(|(file, _)| is_bundle(file)).map(|(_, n)| n).sum();
    assert_eq!(bundles, 8_550);
    assert!(by_file["2018-08-01_nso/indicators.csv"] > 100, "{by_file:?}");
    assert!(!by_file.contains_key("2024-12-16_serbia_novispy/package_names.txt"), "{by_file:?}");
    assert!(!by_file.contains_key("2021-07-18_nso/processes.txt"), "{by_file:?}");
    assert_eq!(summary.files, 50);
}

#[test]
fn the_events_of_eset_are_read() {
    let Some(path) = data("misp/eset-malware-ioc-misp.tar.xz") else { return };
    let (summary, _) = read(&path, &options());
    let refused = counts(&summary);
    // One event ends in a stray comma, which its publisher never noticed.
    assert_eq!(refused["bad-json"], 1);
    assert_eq!(summary.objects, 1_280);
    let mut all = options();
    all.all_attributes = true;
    let (more, _) = read(&path, &all);
    assert!(more.objects > summary.objects);
    assert!(!counts(&more).contains_key("not-for-detection"));
    // Of all that is meant for detection only prose, which no pattern expresses, is missing.
    assert_eq!(refused["unsupported-type `text`"], 46);
    assert_eq!(counts(&more)["unsupported-type `text`"], 617);
}

#[test]
fn the_hashes_of_eset_are_read() {
    let Some(path) = data("misp/eset-malware-ioc-hashes.tar.xz") else { return };
    let (summary, _) = read(&path, &options());
    // One line has a letter too many.
    assert_eq!(summary.objects + summary.refused_count(), 16_150, "{summary}");
    assert_eq!(counts(&summary)["unclassified"], 1);
}

#[test]
fn the_indicators_on_stalkerware_are_read() {
    let Some(path) = data("misp/stalkerware-indicators.tar.xz") else { return };
    let (summary, by_file) = read(&path, &options());
    for file in ["generated/misp_event.json", "generated/hosts", "samples.csv"] {
        assert!(by_file.get(file).is_some_and(|count| *count > 100), "{file}: {by_file:?}");
    }
    // The table has the names of the hosts file once more.
    assert!(counts(&summary)["duplicate"] > 500, "{summary}");
}

#[test]
fn the_wrappers_of_misp_are_read() {
    let Some(path) = data("misp/misp-stix-tests.tar.xz") else { return };
    let mut options = options();
    options.all_attributes = true;
    options.convert_2_0 = true;
    let (summary, by_file) = read(&path, &options);
    assert!(by_file.contains_key("tests/test_attributes_collection_1.json"), "{by_file:?}");
    assert!(by_file.contains_key("tests/test_events_collection_1.json"), "{by_file:?}");
    assert!(by_file.contains_key("tests/test_event1_stix20.json"), "{by_file:?}");
    assert!(!counts(&summary).contains_key("unknown-json"), "{summary}");
}

#[test]
fn every_object_of_attack_is_handed_on() {
    let Some(path) = data("bundles/attack/ics-attack-18.1.json.xz") else { return };
    let (summary, _) = read(&path, &options());
    assert_eq!((summary.objects, summary.refused_count()), (1_826, 0));
}

#[test]
fn ipsum_is_read() {
    let Some(path) = data("lists/ipsum.txt.xz") else { return };
    let (summary, _) = read(&path, &options());
    assert_eq!((summary.objects, summary.refused_count()), (120_430, 0));
}

/// The first part of the list is enough for a test; `examples/speed.rs` reads all of it.
const ROWS: usize = 200_000;

#[test]
fn maltrail_is_read() {
    let Some(path) = data("lists/maltrail-trails.tsv.xz") else { return };
    let (mut ids, mut rows) = (BTreeSet::new(), 0);
    let summary = intake::read(&path, &options(), &mut |item| {
        rows += 1;
        if let Item::Object { bytes, .. } = item {
            ids.insert(stix::Head::parse(&bytes).unwrap().id.to_string());
        }
        if rows < ROWS { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })
    .unwrap();
    eprintln!("{summary}\n{} distinct", ids.len());
    assert!(summary.stopped);
    // The same value stands in several families, and is one indicator. Its second place is refused,
    // and hardly anything else is: the file has 159,100 different values in these rows.
    assert_eq!((ids.len(), summary.objects), (159_098, 159_098));
    assert_eq!(summary.refused_count() - counts(&summary)["duplicate"], 2);
}
