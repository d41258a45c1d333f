//! A provider's public keys (RFC 7517), and what they verify.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;

/// How many keys a set has at most. Providers have one to five.
const KEYS_MAX: usize = 64;

/// The algorithms that are accepted (RFC 7518 §3.1). Each goes with one kind of key, so no token can have a key taken for
/// something that it is not: a public key is never a shared secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Rs256,
    Es256,
}

impl Algorithm {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    id: Option<String>,
    material: Material,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// A point of P-256, uncompressed.
    P256(Vec<u8>),
}

/// The keys of a set that can verify an ID token; others are passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySet(Vec<Key>);

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a set.
    ///
    /// # Errors
    ///
    /// Says what is wrong with one that is none, or too large.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let document: Document = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if document.keys.len() > KEYS_MAX {
            return Err(format!("it has more than {KEYS_MAX} keys"));
        }
        // RFC 7517 §5: keys that are not understood are passed over.
        let read = |value| serde_json::from_value::<Jwk>(value).ok();
        Ok(Self(document.keys.into_iter().filter_map(read).filter_map(Key::read).collect()))
    }

    /// Whether one of the keys that may have signed did. `None` if there is no such key.
    pub(crate) fn verify(
        &self,
        algorithm: Algorithm,
        key_id: Option<&str>,
        message: &[u8],
        signature: &[u8],
    ) -> Option<bool> {
        let fits = |key: &&Key| {
            let is_kind = match (algorithm, &key.material) {
                (Algorithm::Rs256, Material::Rsa { .. }) | (Algorithm::Es256, Material::P256(_)) => true,
                (Algorithm::Rs256, Material::P256(_)) | (Algorithm::Es256, Material::Rsa { .. }) => false,
            };
            is_kind && (key_id.is_none() || key.id.as_deref() == key_id)
        };
        let candidates: Vec<&Key> = self.0.iter().filter(fits).collect();
        // OpenID Connect Core 1.0 §10.1: a set with several keys needs a `kid` to choose by.
        if candidates.is_empty() || key_id.is_none() && candidates.len() > 1 {
            return None;
        }
        Some(candidates.iter().any(|key| key.verifies(message, signature)))
    }
}

impl Key {
    fn read(jwk: Jwk) -> Option<Self> {
        let bytes = |text: Option<String>| URL_SAFE_NO_PAD.decode(text?).ok();
        if jwk.usage.is_some_and(|usage| usage != "sig") {
            return None;
        }
        let is_for = |algorithm: &str| jwk.alg.as_deref().is_none_or(|named| named == algorithm);
        let material = match jwk.kty.as_str() {
            "RSA" if is_for("RS256") => Material::Rsa { n: bytes(jwk.n)?, e: bytes(jwk.e)? },
            "EC" if is_for("ES256") && jwk.crv.as_deref() == Some("P-256") => {
                let (x, y) = (bytes(jwk.x)?, bytes(jwk.y)?);
                // RFC 7518 §6.2.1.2: as long as the curve's field.
                if x.len() != 32 || y.len() != 32 {
                    return None;
                }
                Material::P256([&[4][..], &x, &y].concat())
            }
            _ => return None,
        };
        Some(Self { id: jwk.kid, material })
    }

    fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            // Keys of fewer than 2,048 bits verify nothing (RFC 7518 §3.3).
            Material::Rsa { n, e } => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
            Material::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).is_ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_for_something_else_are_passed_over() {
        let coordinate = URL_SAFE_NO_PAD.encode([7; 32]);
        let cases = [
            (json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"}), 1),
            (json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "alg": "RS256", "use": "sig", "kid": "a"}), 1),
            (json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "use": "enc"}), 0),
            (json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "alg": "RSA-OAEP"}), 0),
            (json!({"kty": "RSA", "n": "not base64!", "e": "AQAB"}), 0),
            (json!({"kty": "EC", "crv": "P-256", "x": coordinate, "y": coordinate}), 1),
            (json!({"kty": "EC", "crv": "P-384", "x": coordinate, "y": coordinate}), 0),
            (json!({"kty": "EC", "crv": "P-256", "x": coordinate, "y": "AQAB"}), 0),
            (json!({"kty": "oct", "k": "AQAB"}), 0),
            (json!({"kty": 7}), 0),
            (json!("a key"), 0),
        ];
        for (key, want) in cases {
            let set = KeySet::parse(json!({"keys": [key]}).to_string().as_bytes()).unwrap();
            assert_eq!(set.0.len(), want, "{key}");
        }
        assert!(KeySet::parse(b"{}").is_err() && KeySet::parse(b"[]").is_err());
        let many = vec![json!({"kty": "oct"}); KEYS_MAX + 1];
        assert!(KeySet::parse(json!({"keys": many}).to_string().as_bytes()).is_err());
    }
}
