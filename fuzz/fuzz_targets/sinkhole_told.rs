//! A line of a resolver's log: read or passed over.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sinkhole::rpz::told::read;

fuzz_target!(|data: &[u8]| {
    if let Some(applied) = read(data) {
        for name in [applied.trigger, applied.asked] {
            assert!(!name.contains(char::is_whitespace), "`{name}` is a word");
        }
    }
});
