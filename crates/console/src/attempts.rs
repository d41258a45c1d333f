//! Sign-ins by a provider that have begun.
//!
//! Between leaving for the provider and coming back, everything lies with the browser that began, in one cookie: a random
//! text, until when it holds, where to go on, and our MAC of it all. `state`, `nonce` and the secret of PKCE follow from the random text
//! and a key that ends with this process. So a way back is believed only in the browser that began (nobody can
//! be made to come back from somebody else's sign-in), where it leads on to cannot be changed on the way, and whoever
//! begins a million sign-ins takes no memory here. What was used is remembered until it is too old anyway.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use model::Timestamp;
use oidc::Challenge;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::asked::own_path;
use crate::provider;

/// How long somebody has for signing in at the provider.
pub(crate) const ATTEMPT_MAX: Duration = Duration::from_mins(10);
/// The longest path to go on to that is kept; others go on to the first page.
const NEXT_BYTES_MAX: usize = 1_500;

/// One sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    random: String,
    until: Timestamp,
    pub(crate) next: String,
}

/// Begins, seals and recognises them.
pub(crate) struct Attempts {
    key: [u8; 32],
    used: Mutex<BTreeMap<String, Timestamp>>,
}

impl Attempts {
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self { key, used: Mutex::default() }
    }

    /// Begins one, of a random text that nobody had before.
    pub(crate) fn begin(random: String, next: &str, now: Timestamp) -> Attempt {
        let next = own_path(Some(next)).filter(|next| next.len() <= NEXT_BYTES_MAX).unwrap_or("/");
        Attempt { random, until: now + ATTEMPT_MAX, next: next.to_owned() }
    }

    /// What the provider and the token have to give back.
    pub(crate) fn challenge(&self, attempt: &Attempt) -> Challenge {
        provider::challenge(|purpose| self.mac(purpose, &attempt.random))
    }

    /// The cookie's value.
    pub(crate) fn seal(&self, attempt: &Attempt) -> String {
        let text = written(attempt);
        format!("{text}.{}", self.mac("cookie", &text))
    }

    /// The sign-in of a cookie, if it is one of ours, is not over, and was not used.
    pub(crate) fn open(&self, cookie: &str, now: Timestamp) -> Option<Attempt> {
        let (text, mac) = cookie.rsplit_once('.')?;
        if !bool::from(self.mac("cookie", text).as_bytes().ct_eq(mac.as_bytes())) {
            return None;
        }
        let mut parts = text.split('.');
        let (random, until, next) = (parts.next()?, parts.next()?, parts.next()?);
        let next = String::from_utf8(URL_SAFE_NO_PAD.decode(next).ok()?).ok()?;
        let attempt =
            Attempt { random: random.to_owned(), until: Timestamp::from_micros(until.parse().ok()?), next };
        let is_used = self.used.lock().unwrap_or_else(PoisonError::into_inner).contains_key(random);
        (now < attempt.until && !is_used).then_some(attempt)
    }

    /// Remembers that somebody was signed in by it. Whether nobody was before.
    pub(crate) fn use_up(&self, attempt: &Attempt, now: Timestamp) -> bool {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|_, until| now < *until);
        used.insert(attempt.random.clone(), attempt.until).is_none()
    }

    fn mac(&self, purpose: &str, text: &str) -> String {
        let mut mac =
            <Hmac<Sha256> as hmac::Mac>::new_from_slice(&self.key).expect("HMAC takes a key of any length");
        // No purpose has a line break in it.
        mac.update(purpose.as_bytes());
        mac.update(b"\n");
        mac.update(text.as_bytes());
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }
}

fn written(attempt: &Attempt) -> String {
    let next = URL_SAFE_NO_PAD.encode(&attempt.next);
    format!("{}.{}.{next}", attempt.random, attempt.until.as_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_micros(minutes * 60_000_000)
    }

    #[test]
    fn a_cookie_is_what_was_sealed_for_ten_minutes_and_once() {
        let attempts = Attempts::new([1; 32]);
        let begun = Attempts::begin("random".to_owned(), "/members?q=x", at(0));
        let cookie = attempts.seal(&begun);
        assert_eq!(attempts.open(&cookie, at(9)).as_ref(), Some(&begun));
        assert_eq!(attempts.open(&cookie, at(10)), None);
        assert_eq!(Attempts::new([2; 32]).open(&cookie, at(1)), None, "another hub's");
        let (text, mac) = cookie.rsplit_once('.').unwrap();
        for forged in [
            text.replace("random", "rondam"),
            text.replace("600000000", "900000000"),
            text.replace(&URL_SAFE_NO_PAD.encode("/members?q=x"), &URL_SAFE_NO_PAD.encode("//evil.example")),
        ] {
            assert_ne!(forged, text);
            assert_eq!(attempts.open(&format!("{forged}.{mac}"), at(1)), None, "{forged}");
        }
        assert_eq!(attempts.open("", at(1)), None);
        assert!(attempts.use_up(&begun, at(1)) && !attempts.use_up(&begun, at(1)));
        assert_eq!(attempts.open(&cookie, at(1)), None);
    }

    #[test]
    fn it_goes_on_to_pages_of_ours_only() {
        let long = format!("/{}", "x".repeat(NEXT_BYTES_MAX));
        for bad in ["", "//evil.example", "https://evil.example", &long] {
            assert_eq!(Attempts::begin(String::new(), bad, at(0)).next, "/");
        }
    }

    #[test]
    fn each_secret_is_its_own() {
        let attempts = Attempts::new([1; 32]);
        let [one, two] =
            ["one", "two"].map(|random| attempts.challenge(&Attempts::begin(random.to_owned(), "/", at(0))));
        let all = [&one.state, &one.nonce, &one.verifier, &two.state, &two.nonce, &two.verifier];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert!(all.iter().all(|text| text.len() == 43), "256 bits, and long enough for PKCE");
    }
}
