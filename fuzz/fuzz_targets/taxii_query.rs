//! The query string of every endpoint. The first byte chooses the endpoint.
#![no_main]

use libfuzzer_sys::fuzz_target;
use taxii::{Endpoint, ObjectFilter};

const ENDPOINTS: [Endpoint; 5] =
    [Endpoint::Objects, Endpoint::Manifest, Endpoint::Object, Endpoint::Versions, Endpoint::Delete];

const OBJECT: &str = r#"{"type":"indicator","id":"indicator--01234567-89ab-4def-8123-456789abcdef",
    "created":"2012-01-13T00:00:00.000Z","modified":"2012-01-13T00:00:00.000Z","confidence":50,"labels":["a"],
    "revoked":false,"pattern":"[ipv4-addr:value = '192.0.2.1']","pattern_type":"stix","external_references":
    [{"source_name":"x","external_id":"y"}],"hashes":{"MD5":"0"},"value":"example.com","kill_chain_phases":null}"#;

thread_local! {
    static PARSED: serde_json::Value = serde_json::from_str(OBJECT).expect("the object above is JSON");
}

fuzz_target!(|input: (u8, &str)| {
    let (choice, query) = input;
    let endpoint = ENDPOINTS[usize::from(choice) % ENDPOINTS.len()];
    let filter = match ObjectFilter::parse(endpoint, query) {
        Ok(filter) => filter,
        Err(error) => {
            let said = error.to_string();
            assert!(said.len() <= query.len() + 400, "a refusal does not blow up what was sent");
            return;
        }
    };
    let again = ObjectFilter::parse(endpoint, query).expect("what was read once is read again");
    assert_eq!(filter.fingerprint(), again.fingerprint());
    // The cursor binds a chain of pages to what it was begun with: order makes no difference.
    let mut pairs: Vec<&str> = query.split('&').collect();
    pairs.reverse();
    let turned = ObjectFilter::parse(endpoint, &pairs.join("&")).expect("the order of parameters is free");
    assert_eq!(filter, turned);
    PARSED.with(|object| filter.interop.matches(object));
    assert_eq!(filter.wants_id("x"), filter.ids.is_empty() || filter.ids.contains("x"));
});
