//! ID tokens: read, verified, believed.
//!
//! ```text
//! eyJhbGciOiJFUzI1NiIsImtpZCI6ImEifQ . eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUiLCJzdWIi... . MEQCIF...
//! {"alg":"ES256","kid":"a"}            {"iss":"https://login.example","sub":"7f3","aud":"hub",...}   signature of both
//! ```
//!
//! The order matters: nothing of the second part is looked at before the signature holds, and the first part only chooses
//! between algorithms that are accepted anyway.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};
use subtle::ConstantTimeEq as _;

use crate::error::TokenFault;
use crate::keys::{Algorithm, KeySet};

/// The longest token. One with two hundred groups has 10 kB.
const TOKEN_BYTES_MAX: usize = 64 * 1024;
/// The longest `sub` (OpenID Connect Core 1.0 §2).
const SUBJECT_BYTES_MAX: usize = 255;
/// By how much two clocks may differ, in seconds.
const SKEW_SECONDS: i64 = 60;

/// What a token has to be.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Who has to have made it.
    pub issuer: &'a str,
    /// For whom.
    pub client_id: &'a str,
    /// In answer to what.
    pub nonce: &'a str,
}

/// What a token says, verified.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims {
    /// Who signed in: never another person's at this issuer, and never another one of this person's.
    pub subject: String,
    all: Map<String, Value>,
}

impl Claims {
    /// A claim that is text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.all.get(name)?.as_str()
    }

    /// A claim that is a list of texts, or one.
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<&str> {
        match self.all.get(name) {
            Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(value)) => vec![value],
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => Vec::new(),
        }
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

/// Verifies an ID token at `now`, in seconds since 1970 (OpenID Connect Core 1.0 §3.1.3.7).
///
/// # Errors
///
/// Says what is wrong with it. [`TokenFault::UnknownKey`] and [`TokenFault::Signature`] may be healed by a fresh set of keys.
pub fn verify(token: &str, keys: &KeySet, expected: Expected<'_>, now: i64) -> Result<Claims, TokenFault> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenFault::Malformed);
    }
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenFault::Malformed);
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenFault::Malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(TokenFault::Malformed)?;
    // Five parts are an encrypted token; nobody was asked for one.
    if payload.contains('.') {
        return Err(TokenFault::Malformed);
    }
    let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| TokenFault::Malformed)?;
    let algorithm = Algorithm::parse(&header.alg)
        .ok_or_else(|| TokenFault::Algorithm(header.alg.chars().take(20).collect()))?;
    if header.crit.is_some() {
        return Err(TokenFault::Critical);
    }
    let signature = decode(signature)?;
    match keys.verify(algorithm, header.kid.as_deref(), signed.as_bytes(), &signature) {
        None => return Err(TokenFault::UnknownKey),
        Some(false) => return Err(TokenFault::Signature),
        Some(true) => {}
    }
    let claims: Map<String, Value> =
        serde_json::from_slice(&decode(payload)?).map_err(|_| TokenFault::Malformed)?;
    check(claims, expected, now)
}

/// The claims of a token whose signature holds.
fn check(claims: Map<String, Value>, expected: Expected<'_>, now: i64) -> Result<Claims, TokenFault> {
    let text = |name: &'static str| claims.get(name).and_then(Value::as_str).ok_or(TokenFault::Claim(name));
    let issuer = text("iss")?;
    if issuer != expected.issuer {
        return Err(TokenFault::Issuer(issuer.chars().take(200).collect()));
    }
    // Steps 3 to 5: it is refused if it has an audience that is not trusted beside us, and we trust none.
    let is_ours = match claims.get("aud") {
        Some(Value::String(audience)) => audience == expected.client_id,
        Some(Value::Array(all)) => {
            !all.is_empty() && all.iter().all(|one| one.as_str() == Some(expected.client_id))
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => {
            return Err(TokenFault::Claim("aud"));
        }
    };
    let is_presented_by_us = claims.get("azp").is_none_or(|azp| azp.as_str() == Some(expected.client_id));
    if !is_ours || !is_presented_by_us {
        return Err(TokenFault::Audience);
    }
    // Steps 9 and 10. Times are numbers, with or without a fraction (RFC 7519 §2).
    let seconds = |name: &'static str| {
        let value = claims.get(name).map(|value| value.as_f64().ok_or(TokenFault::Claim(name)));
        value.transpose()
    };
    let now = seconds_of(now);
    let skew = seconds_of(SKEW_SECONDS);
    if seconds("exp")?.ok_or(TokenFault::Claim("exp"))? + skew <= now {
        return Err(TokenFault::Expired);
    }
    let made = seconds("iat")?.ok_or(TokenFault::Claim("iat"))?;
    let begins = seconds("nbf")?.unwrap_or(made);
    if made.max(begins) - skew > now {
        return Err(TokenFault::Early);
    }
    if !bool::from(text("nonce")?.as_bytes().ct_eq(expected.nonce.as_bytes())) {
        return Err(TokenFault::Nonce);
    }
    let subject = text("sub")?;
    let is_subject = (1..=SUBJECT_BYTES_MAX).contains(&subject.len()) && subject.is_ascii();
    if !is_subject || subject.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(TokenFault::Claim("sub"));
    }
    Ok(Claims { subject: subject.to_owned(), all: claims })
}

#[expect(clippy::cast_precision_loss, reason = "seconds of any century are whole numbers in an f64")]
fn seconds_of(seconds: i64) -> f64 {
    seconds as f64
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_800_000_000;
    const EXPECTED: Expected<'_> =
        Expected { issuer: "https://login.example", client_id: "hub", nonce: "n-0S6" };

    struct Signer {
        pair: EcdsaKeyPair,
        random: SystemRandom,
    }

    impl Signer {
        fn new() -> Self {
            let random = SystemRandom::new();
            let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random)
                .unwrap();
            Self { pair, random }
        }

        fn jwk(&self, id: &str) -> Value {
            let point = self.pair.public_key().as_ref();
            let [x, y] = [&point[1..33], &point[33..]].map(|part| URL_SAFE_NO_PAD.encode(part));
            json!({"kty": "EC", "crv": "P-256", "kid": id, "x": x, "y": y})
        }

        fn keys(&self) -> KeySet {
            KeySet::parse(json!({"keys": [self.jwk("a")]}).to_string().as_bytes()).unwrap()
        }

        fn sign(&self, header: &Value, claims: &Value) -> String {
            let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
            let signed = format!("{header}.{claims}");
            let signature = self.pair.sign(&self.random, signed.as_bytes()).unwrap();
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
        }
    }

    fn header() -> Value {
        json!({"alg": "ES256", "kid": "a", "typ": "JWT"})
    }

    fn claims() -> Value {
        json!({
            "iss": "https://login.example", "sub": "7f3", "aud": "hub", "exp": NOW + 300, "iat": NOW, "nonce": "n-0S6",
            "groups": ["csirt", 7, "officers"], "name": "A. Ash",
        })
    }

    #[test]
    fn a_token_says_who_it_is() {
        let signer = Signer::new();
        let read = verify(&signer.sign(&header(), &claims()), &signer.keys(), EXPECTED, NOW).unwrap();
        assert_eq!((read.subject.as_str(), read.text("name")), ("7f3", Some("A. Ash")));
        assert_eq!(read.list("groups"), ["csirt", "officers"]);
        assert_eq!(read.list("name"), ["A. Ash"]);
        assert!(read.list("exp").is_empty() && read.list("none").is_empty());
    }

    #[test]
    fn each_claim_is_checked() {
        let signer = Signer::new();
        let keys = signer.keys();
        let cases = [
            (
                "iss",
                json!("https://evil.example"),
                Some(TokenFault::Issuer("https://evil.example".to_owned())),
            ),
            (
                "iss",
                json!("https://login.example/"),
                Some(TokenFault::Issuer("https://login.example/".to_owned())),
            ),
            ("iss", Value::Null, Some(TokenFault::Claim("iss"))),
            ("aud", json!(["hub"]), None),
            ("aud", json!("another"), Some(TokenFault::Audience)),
            ("aud", json!(["hub", "another"]), Some(TokenFault::Audience)),
            ("aud", json!([]), Some(TokenFault::Audience)),
            ("aud", json!({"hub": true}), Some(TokenFault::Claim("aud"))),
            ("azp", json!("hub"), None),
            ("azp", json!("another"), Some(TokenFault::Audience)),
            ("azp", json!(7), Some(TokenFault::Audience)),
            ("exp", json!(NOW - 59), None),
            ("exp", json!(NOW - 60), Some(TokenFault::Expired)),
            ("exp", json!(-1), Some(TokenFault::Expired)),
            ("exp", json!("never"), Some(TokenFault::Claim("exp"))),
            ("exp", Value::Null, Some(TokenFault::Claim("exp"))),
            ("iat", json!(NOW + 60), None),
            ("iat", json!(NOW + 61), Some(TokenFault::Early)),
            ("iat", json!([]), Some(TokenFault::Claim("iat"))),
            ("nbf", json!(1_800_000_060.5), Some(TokenFault::Early)),
            ("nonce", json!("n-0S7"), Some(TokenFault::Nonce)),
            ("nonce", json!(""), Some(TokenFault::Nonce)),
            ("nonce", Value::Null, Some(TokenFault::Claim("nonce"))),
            ("sub", json!(""), Some(TokenFault::Claim("sub"))),
            ("sub", json!("x".repeat(255)), None),
            ("sub", json!("x".repeat(256)), Some(TokenFault::Claim("sub"))),
            ("sub", json!("a\nb"), Some(TokenFault::Claim("sub"))),
            ("sub", json!(7), Some(TokenFault::Claim("sub"))),
        ];
        for (name, value, want) in cases {
            let mut said = claims();
            said[name] = value.clone();
            let found = verify(&signer.sign(&header(), &said), &keys, EXPECTED, NOW).err();
            assert_eq!(found, want, "{name}: {value}");
        }
    }

    #[test]
    fn each_header_is_checked() {
        let signer = Signer::new();
        let two = json!({"keys": [signer.jwk("a"), Signer::new().jwk("b")]}).to_string();
        let two = KeySet::parse(two.as_bytes()).unwrap();
        let one = signer.keys();
        let algorithm = |name: &str| Some(TokenFault::Algorithm(name.to_owned()));
        let cases = [
            (json!({"alg": "ES256"}), &one, None),
            (json!({"alg": "ES256"}), &two, Some(TokenFault::UnknownKey)),
            (json!({"alg": "ES256", "kid": "a"}), &two, None),
            (json!({"alg": "ES256", "kid": "b"}), &two, Some(TokenFault::Signature)),
            (json!({"alg": "ES256", "kid": "c"}), &two, Some(TokenFault::UnknownKey)),
            (json!({"alg": "RS256", "kid": "a"}), &one, Some(TokenFault::UnknownKey)),
            (json!({"alg": "none"}), &one, algorithm("none")),
            (json!({"alg": "HS256", "kid": "a"}), &one, algorithm("HS256")),
            (json!({"alg": "es256", "kid": "a"}), &one, algorithm("es256")),
            (json!({"alg": "ES256", "kid": "a", "crit": ["b64"]}), &one, Some(TokenFault::Critical)),
            (json!({"kid": "a"}), &one, Some(TokenFault::Malformed)),
        ];
        for (header, keys, want) in cases {
            let found = verify(&signer.sign(&header, &claims()), keys, EXPECTED, NOW).err();
            assert_eq!(found, want, "{header}");
        }
    }

    #[test]
    fn a_token_is_three_parts_and_each_letter_counts() {
        let signer = Signer::new();
        let keys = signer.keys();
        let token = signer.sign(&header(), &claims());
        let (both, signature) = token.rsplit_once('.').unwrap();
        let (head, payload) = both.split_once('.').unwrap();
        let mut other = claims();
        other["sub"] = json!("admin");
        let other = URL_SAFE_NO_PAD.encode(other.to_string());
        for bad in [
            String::new(),
            "..".to_owned(),
            both.to_owned(),
            format!("{both}."),
            format!("{token}."),
            format!("{token}="),
            format!("{head}.{payload}.{signature}.{signature}.{signature}"),
            format!("{head}.{other}.{signature}"),
            format!("{head}.{payload}.{}", URL_SAFE_NO_PAD.encode([0; 64])),
            "x".repeat(TOKEN_BYTES_MAX + 1),
        ] {
            let found = verify(&bad, &keys, EXPECTED, NOW);
            assert!(matches!(found, Err(TokenFault::Malformed | TokenFault::Signature)), "{bad}: {found:?}");
        }
        assert_eq!(verify(&token, &KeySet::default(), EXPECTED, NOW), Err(TokenFault::UnknownKey));
    }
}
