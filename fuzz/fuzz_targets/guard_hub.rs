//! What a guard is told by its hub, or by any TAXII server: the lines of a stream, objects, and what is blinded.
#![no_main]

use guard::follow::{BlindFeed, events_in};
use guard::indicator::{Object, read};
use guard::set::BlindEntry;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let (events, _) = events_in(data);
    assert!(events <= data.len() + 1, "each event takes a byte, and the end none");
    // Whoever the programme is, nobody else takes an indicator out of use.
    if let Ok(object) = read(data, None) {
        assert!(!matches!(object, Object::Recall(_)));
    }
    let _ = read(data, Some("identity--1"));
    if let Ok(feed) = serde_json::from_slice::<BlindFeed>(data) {
        for line in &feed.entries {
            if let Some(entry) = BlindEntry::read(line) {
                assert!(
                    line.from.is_none() || entry.from.is_some(),
                    "a beginning that cannot be read is no beginning"
                );
            }
        }
    }
});
