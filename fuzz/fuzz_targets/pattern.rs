//! STIX patterns: any text is read or refused with its place; what is read is written and read again as itself, and is
//! evaluated to an answer.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::json;
use stix_pattern::{Instant, Observation, Pattern};

static OBSERVATIONS: LazyLock<Vec<Observation>> = LazyLock::new(|| {
    let objects = [
        json!({"type": "file", "id": "0", "name": "foo.dll", "size": 4096, "hashes": {"MD5": "00"}, "parent_directory_ref": "1",
            "extensions": {"a-ext": {"sections": [{"entropy": 7.5}, {"entropy": 1}]}}}),
        json!({"type": "directory", "id": "1", "path": "C:\\Windows", "contains_refs": ["0", "1", "1"]}),
        json!({"type": "network-traffic", "id": "2", "protocols": ["tcp"], "dst_port": 443, "dst_ref": "3"}),
        json!({"type": "ipv4-addr", "id": "3", "value": "198.51.100.7"}),
        json!({"type": "artifact", "id": "4", "payload_bin": "AQIDBA=="}),
    ];
    (0..6_u32)
        .map(|n| {
            let held = objects
                .iter()
                .skip(usize::from(n % 2 == 1))
                .map(|o| (o["id"].as_str().unwrap_or_default(), o));
            Observation::new(
                Instant::from_unix(i64::from(n), 0),
                Instant::from_unix(i64::from(n * 2), 0),
                n,
                held,
            )
        })
        .collect()
});

fuzz_target!(|text: &str| {
    match Pattern::parse(text) {
        Ok(pattern) => {
            assert_eq!(pattern.source(), text);
            assert!(pattern.findings().iter().all(|finding| finding.offset <= text.len()));
            let canonical = pattern.to_string();
            let again = Pattern::parse(&canonical).expect("canonical text is a pattern");
            assert!(again == pattern, "canonical text means the same");
            assert!(!again.findings().iter().any(|finding| finding.matter.is_normalised()), "{canonical}");
            if let Some(simple) = pattern.simple() {
                assert!(
                    !simple.alternatives.is_empty() && simple.alternatives.iter().all(|all| !all.is_empty())
                );
            }
            let compiled = pattern.compile();
            let verdict = compiled.evaluate(OBSERVATIONS.iter(), 100_000);
            assert_eq!(again.compile().evaluate(OBSERVATIONS.iter(), 100_000), verdict);
        }
        Err(error) => {
            assert!(text.is_char_boundary(error.offset), "{error}");
            assert!(error.line >= 1 && error.column >= 1 && !error.remedy.is_empty());
        }
    }
});
