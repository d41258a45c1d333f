//! What is published: two small bundles written by hand, and as many generated indicators as one likes.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::value::RawValue;
use stix::IndicatorParts;

const FIRST: &str = include_str!("first.json");
const SECOND: &str = include_str!("second.json");

/// Objects by the alias of their collection.
pub(super) type ByCollection = BTreeMap<String, Vec<Vec<u8>>>;

/// What is there before the suspension.
pub(super) fn first() -> Result<ByCollection> {
    read(FIRST)
}

/// What is published during the suspension.
pub(super) fn second() -> Result<ByCollection> {
    read(SECOND)
}

/// The objects as they stand in the file, byte for byte, line breaks included.
fn read(text: &str) -> Result<ByCollection> {
    let raw: BTreeMap<String, Vec<&RawValue>> =
        serde_json::from_str(text).context("reading the demo's objects")?;
    let bytes =
        |objects: Vec<&RawValue>| objects.iter().map(|object| object.get().as_bytes().to_vec()).collect();
    Ok(raw.into_iter().map(|(collection, objects)| (collection, bytes(objects))).collect())
}

/// Indicator number `number`: an address of RFC 3849's documentation prefix.
pub(super) fn generated(number: u32, creator: &str) -> Vec<u8> {
    let (high, low) = (number >> 16, number & 0xffff);
    // Version 4 and the usual variant, so that it is a UUID like any other (STIX 2.1 §2.9).
    let id = format!("indicator--5eed0000-{high:04x}-4{:03x}-8000-{number:012x}", low >> 4);
    let pattern = format!("[ipv6-addr:value = '2001:db8:5eed::{high:x}:{low:x}']");
    stix::indicator(&IndicatorParts {
        id: &id,
        created: "2013-02-12T00:00:00.000Z",
        modified: "2013-02-12T00:00:00.000Z",
        pattern: &pattern,
        valid_from: "2013-02-12T00:00:00.000Z",
        name: Some("A generated address of the documentation prefix (RFC 3849)"),
        description: Some("One of many, to see how fast this machine is."),
        indicator_types: &["benign"],
        created_by_ref: Some(creator),
        object_marking_refs: &["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"],
        ..IndicatorParts::default()
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_object_is_valid_and_names_its_source() {
        let creator = "identity--b3f1c9d2-4a75-4c1e-9a37-6f0d2c85e101";
        let mut ids = BTreeSet::new();
        for objects in [first().unwrap(), second().unwrap()].iter().flat_map(BTreeMap::values) {
            for object in objects {
                let report = stix::validate(object, &stix::ValidateOptions::default());
                assert_eq!(report.musts().next(), None, "{}", String::from_utf8_lossy(object));
                let head = stix::Head::parse(object).unwrap();
                assert!(ids.insert(head.id.to_string()), "{} is there twice", head.id);
                assert_eq!(head.created_by_ref.as_deref(), Some(creator));
                let has_source = String::from_utf8_lossy(object).contains("external_references");
                assert!(has_source || head.type_.as_ref() == "relationship", "{} names no source", head.id);
            }
        }
        for number in [0, 1, 65_536, 4_000_000_000] {
            let object = generated(number, creator);
            let report = stix::validate(&object, &stix::ValidateOptions::default());
            assert_eq!(report.musts().next(), None, "{}", String::from_utf8_lossy(&object));
            assert!(ids.insert(stix::Head::parse(&object).unwrap().id.to_string()), "{number}");
        }
    }
}
