//! Cutting an envelope, a bundle or a list into objects.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stix::{Document, Head, Limits, split};

fuzz_target!(|data: &[u8]| {
    let limits = Limits { nesting_max: 64, object_size_max_bytes: 4_096, object_count_max: 64 };
    let Ok(objects) = split(data, &limits) else { return };
    assert!(objects.len() <= limits.object_count_max, "the limit on objects holds");
    let whole = data.as_ptr_range();
    for object in &objects {
        let part = object.as_ptr_range();
        assert!(whole.start <= part.start && part.end <= whole.end, "an object is a part of the input");
        assert!(object.len() <= limits.object_size_max_bytes, "the limit on an object's size holds");
        assert_eq!(object.trim_ascii(), object, "no space around an object");
        // Whether or not the head can be read, the object alone is JSON, unless a name stands in it twice.
        if Head::parse(object).is_ok() {
            assert!(
                Document::parse(object, &Limits::default()).is_ok(),
                "an object with a head is a document"
            );
        }
        assert!(serde_json::from_slice::<serde_json::Value>(object).is_ok() || has_wide_number(object));
    }
});

/// The comparison parser refuses numbers that no `f64` holds; the grammar allows them.
fn has_wide_number(object: &[u8]) -> bool {
    serde_json::from_slice::<&serde_json::value::RawValue>(object).is_ok()
}
