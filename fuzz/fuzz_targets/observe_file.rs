//! A file of any kind, packed or not: whatever it says it is, it is read to its end within the limits.
#![no_main]

use libfuzzer_sys::fuzz_target;
use observe::{Limits, Place, Seen, read, time_of_line, words};

fuzz_target!(|data: &[u8]| {
    let limits = Limits {
        chunk_bytes: 256,
        mail_bytes_max: 4_096,
        stix_bytes_max: 16_384,
        ratio_max: 100,
        ratio_from_bytes: 1 << 20,
        connections_max: 16,
        ..Limits::default()
    };
    let mut pieces = 0_usize;
    let summary = read("file", data, &limits, &mut |_: &Place, seen: Seen<'_>| {
        pieces += 1;
        match seen {
            Seen::Lines(chunk) => {
                assert!(!chunk.bytes.is_empty() && chunk.first > 0);
                for line in chunk.bytes.split(|byte| *byte == b'\n') {
                    let line = String::from_utf8_lossy(line);
                    let _read = (time_of_line(&line), words(&line).count());
                }
            }
            Seen::Mail { bytes, .. } => assert!(bytes.len() <= limits.mail_bytes_max),
            // The root has an empty one.
            Seen::Name { name, .. } => assert!(name.is_ascii()),
            Seen::Url { url, .. } => assert!(!url.is_empty()),
            Seen::Connection { .. } | Seen::Flow { .. } | Seen::Observed { .. } => {}
        }
    });
    assert!(pieces == 0 || summary.bytes > 0);
});
