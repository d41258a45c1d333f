//! The small texts inside objects: timestamps, identifiers, selectors, patterns' literals.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stix::{StixTimestamp, covers, escape_pattern_literal, parse_id, parse_selector};

fuzz_target!(|text: &str| {
    if let Ok(time) = StixTimestamp::parse(text) {
        assert!(time.subsec_nanos() < 1_000_000_000);
        assert_eq!(time.micros().div_euclid(1_000_000), time.seconds());
        // What six digits say is what any other reading of a timestamp says.
        assert_eq!(taxii::parse_date(text), Ok(time.micros()), "two readings of one timestamp agree");
    }
    if let Ok(id) = parse_id(text) {
        assert!(text.starts_with(id.type_name) && text[id.type_name.len()..].starts_with("--"));
    }
    if let Ok(steps) = parse_selector(text) {
        assert!(!steps.is_empty());
        assert!(covers(text, text), "a selector covers what it selects");
    }
    let literal = escape_pattern_literal(text);
    let bare = literal.replace("\\\\", "").replace("\\'", "");
    assert!(!bare.contains('\'') && !bare.contains('\\'), "nothing in a literal ends it");
});
