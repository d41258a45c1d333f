//! Timestamps as clients send them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use taxii::{Timestamp, format_date, parse_date};

fuzz_target!(|text: &str| {
    let Ok(timestamp) = text.parse::<Timestamp>() else {
        assert!(parse_date(text).is_err());
        return;
    };
    let micros = timestamp.micros();
    assert_eq!(parse_date(text), Ok(micros));
    let written = format_date(micros);
    assert!(written.len() == 27 && written.ends_with('Z'), "{written}");
    // An offset may lead out of the years that four digits can write; then the nearest is written.
    if let Ok(again) = timestamp.to_string().parse::<Timestamp>() {
        assert_eq!(again, timestamp, "every digit comes back");
        assert_eq!(parse_date(&written), Ok(micros), "{written}");
    }
});
