//! What a provider says of itself, its keys, and who it is said to be.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oidc::{Expected, Issuer, KeySet, Metadata, verify};

fuzz_target!(|data: &[u8]| {
    let issuer = Issuer::parse("https://login.example").expect("an issuer");
    let _ = Metadata::parse(data, &issuer);
    if let Ok(keys) = KeySet::parse(data) {
        // Keys of any kind verify nothing that they did not sign, and are read without a panic.
        let expected = Expected { issuer: issuer.as_str(), client_id: "hub", nonce: "n" };
        for token in ["eyJhbGciOiJFUzI1NiJ9.e30.AAAA", "eyJhbGciOiJSUzI1NiJ9.e30.AAAA"] {
            assert!(verify(token, &keys, expected, 0).is_err());
        }
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(issuer) = Issuer::parse(text) {
        assert_eq!(issuer.as_str(), text);
        assert!(issuer.as_str().starts_with("https://") || oidc::is_plain_loopback(text));
        assert!(issuer.discovery_url().ends_with("/.well-known/openid-configuration"));
    }
});
