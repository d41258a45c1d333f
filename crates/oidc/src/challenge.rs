//! What one sign-in is bound to.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// The secrets of one sign-in. Each is random, and known to nobody but us and, the first two, the browser that began.
#[derive(Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Comes back with the browser: OpenID Connect Core 1.0 §3.1.2.1.
    pub state: String,
    /// Comes back in the token.
    pub nonce: String,
    /// Redeems the code; the provider has seen its hash (RFC 7636 §4.1: 43 to 128 letters).
    pub verifier: String,
}

impl std::fmt::Debug for Challenge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Challenge(..)")
    }
}

impl Challenge {
    /// What the provider is shown of the verifier (RFC 7636 §4.2, `S256`).
    pub(crate) fn of_verifier(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_the_standards_example() {
        // RFC 7636, Appendix B.
        let challenge = Challenge {
            state: String::new(),
            nonce: String::new(),
            verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned(),
        };
        assert_eq!(challenge.of_verifier(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
