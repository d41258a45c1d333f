//! ID tokens: as they come, and with claims of any kind under a signature that holds.
#![no_main]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use oidc::{Expected, KeySet, verify};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};

const NOW: i64 = 1_800_000_000;
const EXPECTED: Expected<'_> = Expected { issuer: "https://login.example", client_id: "hub", nonce: "n-0S6" };

struct Provider {
    pair: EcdsaKeyPair,
    keys: KeySet,
}

static PROVIDER: LazyLock<Provider> = LazyLock::new(|| {
    let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).expect("a key");
    let point = pair.public_key().as_ref();
    let [x, y] = [&point[1..33], &point[33..]].map(|part| URL_SAFE_NO_PAD.encode(part));
    let keys = format!(r#"{{"keys":[{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}]}}"#);
    Provider { keys: KeySet::parse(keys.as_bytes()).expect("a set of keys"), pair }
});

fuzz_target!(|data: &[u8]| {
    let Provider { pair, keys } = &*PROVIDER;
    if let Ok(text) = std::str::from_utf8(data) {
        assert!(verify(text, keys, EXPECTED, NOW).is_err(), "nobody guesses a signature");
    }
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256"}"#), URL_SAFE_NO_PAD.encode(data));
    let signature = pair.sign(&SystemRandom::new(), signed.as_bytes()).expect("a signature");
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()));
    if let Ok(claims) = verify(&token, keys, EXPECTED, NOW) {
        assert!(!claims.subject.is_empty() && claims.subject.len() <= 255);
        assert_eq!(claims.text("iss"), Some(EXPECTED.issuer));
        assert_eq!(claims.text("nonce"), Some(EXPECTED.nonce));
        assert!(claims.list("aud").iter().all(|audience| *audience == EXPECTED.client_id));
        assert!(!claims.list("aud").is_empty());
    }
});
