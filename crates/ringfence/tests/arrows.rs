//! The arrows between our crates point down, and only down (`DESIGN.md` section 2, `ARCHITECTURE.md`).
//!
//! The tables below are the whole truth: a dependency that is not in them fails here. An arrow added on purpose is one line
//! in this file, and a reason in the commit.

#![expect(clippy::unwrap_used, reason = "a manifest that cannot be read fails the test, as it should")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

/// What each crate may be built on.
const ARROWS: &[(&str, &[&str])] = &[
    ("stix", &[]),
    ("stix-pattern", &[]),
    ("taxii", &[]),
    ("ledger", &[]),
    ("model", &[]),
    ("matching", &[]),
    // Other people's programs for the tests; nothing is built on it.
    ("peers", &[]),
    ("matcher", &[]),
    ("sinkhole", &[]),
    ("feeds", &["matcher"]),
    ("milter", &[]),
    ("oidc", &[]),
    ("quarantine", &["milter", "model"]),
    ("flows", &["model"]),
    ("observe", &["flows"]),
    ("ties", &["model"]),
    ("registers", &["model", "ties"]),
    ("vetting", &["model", "programme", "ties"]),
    ("taxii-client", &["taxii"]),
    ("intake", &["stix"]),
    ("programme", &["model", "ties"]),
    ("release", &["model", "programme", "stix"]),
    ("store", &["model", "release", "stix"]),
    ("store-sqlite", &["model", "release", "store"]),
    ("store-postgres", &["model", "release", "store"]),
    (
        "exchange",
        &[
            "ledger",
            "matcher",
            "matching",
            "model",
            "programme",
            "release",
            "stix",
            "stix-pattern",
            "store",
            "taxii",
            "ties",
            "vetting",
        ],
    ),
    (
        "guard",
        &[
            "feeds",
            "flows",
            "matcher",
            "model",
            "quarantine",
            "sinkhole",
            "stix",
            "stix-pattern",
            "taxii",
            "taxii-client",
        ],
    ),
    ("console", &["exchange", "model", "oidc", "programme", "registers", "store", "ties", "vetting"]),
    ("hub", &["exchange", "ledger", "model", "programme", "store", "taxii", "ties"]),
    ("testkit", &["exchange", "ledger", "model", "programme", "release", "stix", "store", "taxii"]),
    (
        "ringfence",
        &[
            "console",
            "exchange",
            "guard",
            "hub",
            "intake",
            "ledger",
            "matcher",
            "milter",
            "model",
            "observe",
            "oidc",
            "programme",
            "quarantine",
            "registers",
            "release",
            "stix",
            "stix-pattern",
            "store",
            "store-postgres",
            "store-sqlite",
            "taxii",
            "taxii-client",
            "ties",
            "vetting",
        ],
    ),
    // Measures everything, and nothing is built on it.
    (
        "bench",
        &[
            "exchange",
            "flows",
            "guard",
            "hub",
            "intake",
            "ledger",
            "matcher",
            "matching",
            "model",
            "programme",
            "release",
            "stix",
            "stix-pattern",
            "store",
            "store-sqlite",
            "taxii",
            "taxii-client",
            "testkit",
            "ties",
            "vetting",
        ],
    ),
];

/// What a crate's tests may use beside that.
const TEST_ARROWS: &[(&str, &[&str])] = &[
    ("store", &["programme", "store"]),
    ("store-sqlite", &["programme"]),
    ("store-postgres", &["peers", "programme"]),
    ("exchange", &["store-sqlite", "testkit"]),
    ("console", &["guard", "peers", "taxii", "testkit"]),
    ("hub", &["matcher", "release", "stix", "store", "store-sqlite", "taxii-client", "testkit"]),
    ("intake", &[]),
    ("sinkhole", &["peers"]),
    ("feeds", &["peers"]),
    ("quarantine", &["peers"]),
    ("flows", &["peers"]),
    ("observe", &["peers"]),
    ("guard", &["peers"]),
    ("ringfence", &["peers", "testkit"]),
];

fn workspace() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The workspace's packages with their dependencies on each other: ordinary ones, and those of tests.
fn packages() -> BTreeMap<String, [BTreeSet<String>; 2]> {
    let mut tables = BTreeMap::new();
    let crates = fs::read_dir(workspace().join("crates")).unwrap().map(|entry| entry.unwrap().path());
    for dir in crates.chain([workspace().join("bench")]) {
        let text = fs::read_to_string(dir.join("Cargo.toml")).unwrap();
        let manifest: toml::Table = text.parse().unwrap();
        let name = manifest["package"]["name"].as_str().unwrap().to_owned();
        tables.insert(name, manifest);
    }
    let ours: BTreeSet<String> = tables.keys().cloned().collect();
    let named = |manifest: &toml::Table, kinds: &[&str], optional: bool| -> BTreeSet<String> {
        // Dependencies for one platform only count like all others.
        let platforms = manifest.get("target").and_then(toml::Value::as_table).into_iter().flatten();
        let platforms = platforms.filter_map(|(_, platform)| platform.as_table());
        let tables = [manifest].into_iter().chain(platforms);
        let dependencies =
            tables.flat_map(|table| kinds.iter().filter_map(|kind| table.get(*kind)?.as_table()));
        let is_optional =
            |wanted: &toml::Value| wanted.get("optional").and_then(toml::Value::as_bool) == Some(true);
        dependencies
            .flatten()
            .filter(|(_, wanted)| is_optional(wanted) == optional)
            .map(|(name, wanted)| {
                wanted.get("package").and_then(toml::Value::as_str).unwrap_or(name).to_owned()
            })
            .filter(|name| ours.contains(name))
            .collect()
    };
    let arrows = |manifest: &toml::Table| {
        let built_on = named(manifest, &["dependencies", "build-dependencies"], false);
        // What is optional is for tests that several crates share, as the store's contract is.
        let mut tested_with = named(manifest, &["dependencies"], true);
        tested_with.extend(named(manifest, &["dev-dependencies"], false));
        [built_on, tested_with]
    };
    tables.iter().map(|(name, manifest)| (name.clone(), arrows(manifest))).collect()
}

fn allowed(table: &[(&str, &[&str])], name: &str) -> BTreeSet<String> {
    table
        .iter()
        .filter(|(from, _)| *from == name)
        .flat_map(|(_, to)| to.iter().map(|to| (*to).to_owned()))
        .collect()
}

#[test]
fn arrows_point_down_and_only_down() {
    let packages = packages();
    assert!(packages.len() >= ARROWS.len(), "some crate of the table is gone: {:?}", packages.keys());
    for (name, [built_on, tested_with]) in &packages {
        assert!(ARROWS.iter().any(|(from, _)| from == name), "`{name}` is in no table; give it a line");
        let may = allowed(ARROWS, name);
        for to in built_on {
            assert!(may.contains(to), "`{name}` may not depend on `{to}`");
        }
        let may_test: BTreeSet<_> = may.union(&allowed(TEST_ARROWS, name)).cloned().collect();
        for to in tested_with {
            assert!(may_test.contains(to), "the tests of `{name}` may not depend on `{to}`");
        }
    }
}

#[test]
fn the_table_has_no_circle() {
    // A crate stands below another if all that it is built on stands below it: take away from the bottom.
    let mut left: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    while !left.is_empty() {
        let bottom: Vec<&str> = left
            .iter()
            .filter(|(_, to)| !to.iter().any(|to| left.contains_key(to)))
            .map(|(from, _)| *from)
            .collect();
        assert!(!bottom.is_empty(), "these depend on each other: {:?}", left.keys());
        left.retain(|from, _| !bottom.contains(from));
    }
}

#[test]
fn only_the_binary_and_measurements_name_a_back_end() {
    for (name, [built_on, _]) in packages() {
        let may = ["ringfence", "bench"].contains(&name.as_str());
        for back_end in ["store-sqlite", "store-postgres"] {
            assert!(may || !built_on.contains(back_end), "`{name}` names a back end");
        }
    }
}

#[test]
fn nothing_is_built_on_what_is_for_tests() {
    for (name, [built_on, _]) in packages() {
        assert!(!built_on.contains("peers"), "`{name}` is built on what is for tests");
    }
}
