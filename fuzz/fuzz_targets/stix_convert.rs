//! Turning objects of STIX 2.0 into objects of 2.1.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stix::{Document, Limits, convert_2_0};

fuzz_target!(|data: &[u8]| {
    let Ok(converted) = convert_2_0(data) else { return };
    let document = Document::parse(&converted, &Limits { nesting_max: 512, ..Limits::default() });
    let document = document.expect("what was converted is JSON with unique names");
    let version = document.root().get("spec_version").and_then(|value| value.text());
    assert_eq!(version.as_deref(), Some("2.1"), "what was converted says so");
    assert!(convert_2_0(&converted).is_err(), "nothing is converted twice");
});
