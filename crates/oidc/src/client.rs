//! One provider, as we use it.
//!
//! What the provider says of itself and its keys are fetched when somebody signs in, and kept for an hour. A token that no
//! key verifies makes the keys be fetched once more, as providers exchange them when they like (OpenID Connect Core 1.0
//! §10.1.1). While something is fetched others wait for it, and a provider that did not answer is left alone for a
//! moment, so nobody can have it asked without end.

use std::fmt;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::challenge::Challenge;
use crate::error::{Error, TokenFault};
use crate::fetch::{Answer, Fetch};
use crate::issuer::Issuer;
use crate::keys::KeySet;
use crate::metadata::{Metadata, TakesSecret};
use crate::token::{Claims, Expected, verify};

/// How long what the provider says of itself is kept, and its keys.
const KEPT_SECONDS: i64 = 3_600;
/// How long a provider is left alone that could not be used.
const REST_SECONDS: i64 = 5;
/// The longest description and the longest set of keys. Real ones have 2 to 10 kB.
const DOCUMENT_BYTES_MAX: u64 = 256 * 1024;
/// The longest answer with a token.
const TOKEN_ANSWER_BYTES_MAX: u64 = 256 * 1024;
/// The longest code that is passed on.
const CODE_BYTES_MAX: usize = 4_096;

/// What is agreed with the provider.
#[derive(Clone)]
pub struct Settings {
    /// Who it is.
    pub issuer: Issuer,
    /// Who we are there.
    pub client_id: String,
    /// By what it knows that it is us; a *public* client has none and relies on PKCE.
    pub client_secret: Option<String>,
    /// Where browsers come back to, letter by letter as it is registered there.
    pub redirect_uri: String,
    /// What is asked for; `openid` is added if it is missing.
    pub scopes: Vec<String>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("issuer", &self.issuer)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// A provider with what is known of it.
pub struct Client {
    settings: Settings,
    fetch: Box<dyn Fetch>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    metadata: Option<(Metadata, i64)>,
    keys: Option<(KeySet, i64)>,
    /// Why it could not be used, and when.
    failed: Option<(Error, i64)>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    id_token: String,
}

#[derive(Deserialize)]
struct TokenRefusal {
    error: String,
}

impl Client {
    /// A provider of which nothing is known yet.
    #[must_use]
    pub fn new(settings: Settings, fetch: Box<dyn Fetch>) -> Self {
        Self { settings, fetch, known: Mutex::default() }
    }

    /// Who it is.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.settings.issuer.as_str()
    }

    /// Where a browser is sent to sign in (OpenID Connect Core 1.0 §3.1.2.1, RFC 7636 §4.3). `now` is in seconds since 1970.
    ///
    /// # Errors
    ///
    /// Fails if the provider cannot be asked, or describes itself as somebody else.
    pub fn authorization_url(&self, challenge: &Challenge, now: i64) -> Result<String, Error> {
        let endpoint = self.metadata(&mut self.known(), now)?.authorization_endpoint;
        let mut scopes = vec!["openid"];
        scopes.extend(self.settings.scopes.iter().map(String::as_str).filter(|scope| *scope != "openid"));
        Ok(with_query(
            &endpoint,
            &[
                ("response_type", "code"),
                ("client_id", &self.settings.client_id),
                ("redirect_uri", &self.settings.redirect_uri),
                ("scope", &scopes.join(" ")),
                ("state", &challenge.state),
                ("nonce", &challenge.nonce),
                ("code_challenge", &challenge.of_verifier()),
                ("code_challenge_method", "S256"),
            ],
        ))
    }

    /// Whether a way back is this provider's: `issuer` is what it names as its `iss` (RFC 9207 §2.4).
    ///
    /// # Errors
    ///
    /// Fails if the provider cannot be asked.
    pub fn is_from_here(&self, issuer: Option<&str>, now: i64) -> Result<bool, Error> {
        match issuer {
            Some(issuer) => Ok(issuer == self.issuer()),
            None => Ok(!self.metadata(&mut self.known(), now)?.names_itself),
        }
    }

    /// Exchanges a code for an ID token and says who signed in.
    ///
    /// # Errors
    ///
    /// Fails if the provider cannot be asked, refuses the code, or gives a token that is not to be believed.
    pub fn redeem(&self, code: &str, challenge: &Challenge, now: i64) -> Result<Claims, Error> {
        if code.is_empty() || code.len() > CODE_BYTES_MAX {
            return Err(Error::CodeRefused { code: "invalid_grant".to_owned() });
        }
        let metadata = self.metadata(&mut self.known(), now)?;
        let token = self.exchange_code(&metadata, code, challenge)?;
        let expected =
            Expected { issuer: self.issuer(), client_id: &self.settings.client_id, nonce: &challenge.nonce };
        let keys = self.keys(&mut self.known(), &metadata, now)?;
        match verify(&token, &keys, expected, now) {
            Err(TokenFault::UnknownKey | TokenFault::Signature) => {
                // The keys that we have may not be those of now.
                let mut known = self.known();
                known.keys = None;
                let keys = self.keys(&mut known, &metadata, now)?;
                drop(known);
                Ok(verify(&token, &keys, expected, now)?)
            }
            found => Ok(found?),
        }
    }

    /// Where a browser is sent to sign out at the provider too, if it has such a place and that is known
    /// (OpenID Connect RP-Initiated Logout 1.0 §2).
    #[must_use]
    pub fn end_session_url(&self, back_to: &str) -> Option<String> {
        let known = self.known();
        let endpoint = known.metadata.as_ref()?.0.end_session_endpoint.as_deref()?;
        let client_id = self.settings.client_id.as_str();
        Some(with_query(endpoint, &[("client_id", client_id), ("post_logout_redirect_uri", back_to)]))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn metadata(&self, known: &mut Known, now: i64) -> Result<Metadata, Error> {
        if let Some((metadata, _)) =
            known.metadata.as_ref().filter(|(_, since)| is_fresh(*since, now, KEPT_SECONDS))
        {
            return Ok(metadata.clone());
        }
        let url = self.settings.issuer.discovery_url();
        let metadata =
            self.fetched(known, &url, now, |bytes| Metadata::parse(bytes, &self.settings.issuer))?;
        known.metadata = Some((metadata.clone(), now));
        Ok(metadata)
    }

    fn keys(&self, known: &mut Known, metadata: &Metadata, now: i64) -> Result<KeySet, Error> {
        if let Some((keys, _)) = known.keys.as_ref().filter(|(_, since)| is_fresh(*since, now, KEPT_SECONDS))
        {
            return Ok(keys.clone());
        }
        let read = |bytes: &[u8]| {
            KeySet::parse(bytes).map_err(|reason| Error::Document { url: metadata.keys.clone(), reason })
        };
        let keys = self.fetched(known, &metadata.keys, now, read)?;
        known.keys = Some((keys.clone(), now));
        Ok(keys)
    }

    /// A document of the provider's. One that could not be had is not asked for again at once.
    fn fetched<T>(
        &self,
        known: &mut Known,
        url: &str,
        now: i64,
        read: impl FnOnce(&[u8]) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if let Some((error, _)) =
            known.failed.as_ref().filter(|(_, since)| is_fresh(*since, now, REST_SECONDS))
        {
            return Err(error.clone());
        }
        let answer = self.fetch.get(url, DOCUMENT_BYTES_MAX);
        let answer = answer.map_err(|cause| Error::Unreachable { url: url.to_owned(), cause });
        let found = answer.and_then(|answer| success(url, answer)).and_then(|body| read(&body));
        known.failed = found.as_ref().err().map(|error| (error.clone(), now));
        found
    }

    /// OpenID Connect Core 1.0 §3.1.3.
    fn exchange_code(&self, metadata: &Metadata, code: &str, challenge: &Challenge) -> Result<String, Error> {
        let url = &metadata.token_endpoint;
        let id = self.settings.client_id.as_str();
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.settings.redirect_uri),
            ("code_verifier", &challenge.verifier),
        ];
        let mut authorization = None;
        match (&self.settings.client_secret, metadata.takes_secret) {
            (None, _) => form.push(("client_id", id)),
            (Some(secret), TakesSecret::Basic) => {
                // RFC 6749 §2.3.1: encoded as in a form, then as HTTP Basic.
                let pair = STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret)));
                authorization = Some(format!("Basic {pair}"));
            }
            (Some(secret), TakesSecret::Post) => form.extend([("client_id", id), ("client_secret", secret)]),
            (Some(_), TakesSecret::Neither) => {
                let reason =
                    "the provider takes no client secret, neither in a header nor in the form".to_owned();
                return Err(Error::Document { url: self.settings.issuer.discovery_url(), reason });
            }
        }
        let body = pairs(&form);
        let answer = self.fetch.post(url, &body, authorization.as_deref(), TOKEN_ANSWER_BYTES_MAX);
        let answer = answer.map_err(|cause| Error::Unreachable { url: url.clone(), cause })?;
        // RFC 6749 §5.2: 400, or 401 where we are not who we say.
        if matches!(answer.status, 400 | 401)
            && let Ok(refusal) = serde_json::from_slice::<TokenRefusal>(&answer.body)
        {
            return Err(Error::CodeRefused { code: word(&refusal.error) });
        }
        let body = success(url, answer)?;
        let read = serde_json::from_slice::<TokenAnswer>(&body);
        let unusable =
            |_| Error::Document { url: url.clone(), reason: "there is no `id_token` in it".to_owned() };
        Ok(read.map_err(unusable)?.id_token)
    }
}

fn is_fresh(since: i64, now: i64, seconds: i64) -> bool {
    (0..seconds).contains(&now.saturating_sub(since))
}

fn success(url: &str, answer: Answer) -> Result<Vec<u8>, Error> {
    if answer.status == 200 {
        return Ok(answer.body);
    }
    Err(Error::Document { url: url.to_owned(), reason: format!("the status is {}", answer.status) })
}

/// An error's code as it can stand in a log: RFC 6749 §5.2 has no others.
fn word(code: &str) -> String {
    code.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '_').take(40).collect()
}

/// An endpoint may have a query of its own, which stays (RFC 6749 §3.1).
fn with_query(endpoint: &str, query: &[(&str, &str)]) -> String {
    let mark = if endpoint.contains('?') { '&' } else { '?' };
    format!("{endpoint}{mark}{}", pairs(query))
}

fn pairs(query: &[(&str, &str)]) -> String {
    let pair = |(name, value): &(&str, &str)| format!("{name}={}", encoded(value));
    query.iter().map(pair).collect::<Vec<_>>().join("&")
}

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}
