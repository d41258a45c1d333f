//! Alerts on their way to webhooks: signed, one after the other, again until they are taken.
//!
//! The form is that of [Standard Webhooks](https://www.standardwebhooks.com/), so a receiver has a library for it already:
//!
//! ```text
//! POST /hook
//! webhook-id: jcsp-000000000012-1768048496000000       the same for every attempt
//! webhook-timestamp: 1768048500                        when this attempt was made, in seconds since 1970
//! webhook-signature: v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=
//!
//! {"type":"decision","timestamp":"2026-01-10T12:34:56.000000Z","data":{"key":"000000000012",...}}
//! ```
//!
//! The signature is the HMAC-SHA-256 of `id.timestamp.body`. What is sent is what an officer reads at `/api/alerts`, and
//! nothing beside it. Any status from 200 to 299 means that it was taken. Everything else is a failure, a redirect too:
//! an alert goes to where the programme says and nowhere else.
//!
//! Each webhook has a thread, so that a slow receiver holds up no other. How far it has come and when it is tried again
//! is the exchange's to keep (`exchange::HookState`); see there for what a crash leaves.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use exchange::{Alert, Exchange, HookState, WriteError};
use hmac::{Hmac, Mac as _};
use serde::Serialize;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use thiserror::Error;
use ureq::Agent;
use ureq::http::header::RETRY_AFTER;

/// How long one attempt may take, from the look-up of the name to the head of the answer: what Standard Webhooks
/// recommends is 15 to 30 s; a receiver that only takes note needs less, and the end of the hub waits for it.
const ATTEMPT_MAX: Duration = Duration::from_secs(10);
/// How long one wait is, for news or for the next attempt. After it the sender looks whether it is to end.
const WAIT: Duration = Duration::from_millis(500);
/// How often the place is kept while alert follows alert. After a crash so much may be sent again.
const KEEP_EVERY: Duration = Duration::from_secs(1);
/// How Standard Webhooks marks a secret in text.
const KEY_PREFIX: &str = "whsec_";
/// How long a secret is, in bytes (Standard Webhooks: between 24 and 64).
const KEY_LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;
/// How many secrets sign at once: the new one and the old, while the receiver changes over.
const KEYS_MAX: usize = 2;

/// Why a text holds no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a webhook's key is one line, or two while it is exchanged: `whsec_` and 24 to 64 bytes in Base64")]
pub struct BadKey;

/// The secrets of one webhook.
#[derive(Clone)]
pub struct WebhookKeys(Vec<Vec<u8>>);

impl fmt::Debug for WebhookKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookKeys(..)")
    }
}

impl WebhookKeys {
    /// Reads the lines of a key file; empty ones, and those that begin with `#`, are passed over.
    ///
    /// # Errors
    ///
    /// Refuses what is no key. The error does not show it.
    pub fn parse(text: &str) -> Result<Self, BadKey> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let key = |line: &str| {
            let bytes = STANDARD.decode(line.strip_prefix(KEY_PREFIX)?).ok()?;
            Some(bytes).filter(|bytes| KEY_LENGTHS.contains(&bytes.len()))
        };
        let keys: Option<Vec<_>> = lines.map(key).collect();
        keys.filter(|keys| (1..=KEYS_MAX).contains(&keys.len())).map(Self).ok_or(BadKey)
    }

    /// A key in the form that [`parse`](Self::parse) reads and receivers are given.
    #[must_use]
    pub fn text_of(key: &[u8; 32]) -> String {
        format!("{KEY_PREFIX}{}", STANDARD.encode(key))
    }

    /// The header's value: one signature for each key.
    fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let signature = |key: &Vec<u8>| {
            let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
            mac.update(format!("{id}.{timestamp}.").as_bytes());
            mac.update(body);
            format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
        };
        self.0.iter().map(signature).collect::<Vec<_>>().join(" ")
    }
}

impl WebhookKeys {
    /// Whether a signature is one of these keys', as a receiver asks.
    #[must_use]
    pub fn verify(&self, id: &str, timestamp: i64, body: &[u8], signatures: &str) -> bool {
        let valid = self.sign(id, timestamp, body);
        signatures
            .split(' ')
            .any(|given| valid.split(' ').any(|valid| bool::from(valid.as_bytes().ct_eq(given.as_bytes()))))
    }
}

/// What is sent.
#[derive(Serialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    timestamp: model::Timestamp,
    data: &'a Alert,
}

/// The senders of a hub, one thread for each webhook.
pub struct Webhooks {
    end: Arc<End>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct End {
    has_come: Mutex<bool>,
    comes: Condvar,
}

impl End {
    fn has_come(&self) -> bool {
        *self.has_come.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the end, but no longer than `time`.
    fn wait(&self, time: Duration) {
        let has_come = self.has_come.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.comes.wait_timeout_while(has_come, time, |has_come| !*has_come));
    }

    fn come(&self) {
        *self.has_come.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.comes.notify_all();
    }
}

impl Webhooks {
    /// Begins to send to every webhook of the programme in force that has keys.
    ///
    /// # Errors
    ///
    /// Fails if a thread cannot be started.
    pub fn start(exchange: &Exchange, mut keys: BTreeMap<String, WebhookKeys>) -> io::Result<Self> {
        let end = Arc::<End>::default();
        let mut webhooks = Self { end, threads: Vec::new() };
        let programme = exchange.programme();
        for hook in &programme.settings().webhooks {
            let Some(keys) = keys.remove(&hook.name) else {
                tracing::error!(webhook = %hook.name, "the webhook has no key, and nothing is sent to it");
                continue;
            };
            let sender = Sender {
                name: hook.name.clone(),
                url: hook.url.clone(),
                programme: programme.settings().name.to_string(),
                keys,
                agent: agent(),
                exchange: exchange.clone(),
                end: Arc::clone(&webhooks.end),
            };
            let thread =
                std::thread::Builder::new().name("webhook".to_owned()).spawn(move || sender.run())?;
            webhooks.threads.push(thread);
        }
        Ok(webhooks)
    }

    /// Ends them softly: what is on its way is awaited, and the place of each is kept.
    pub fn stop(mut self) {
        self.end.come();
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}

impl Drop for Webhooks {
    fn drop(&mut self) {
        self.end.come();
    }
}

fn agent() -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(ATTEMPT_MAX))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("ringfence/", env!("CARGO_PKG_VERSION")))
        // The environment is the binary's to read.
        .proxy(None)
        .build()
        .new_agent()
}

/// Why an alert was not taken.
struct Failure {
    what: String,
    patience: Option<Duration>,
}

struct Sender {
    name: String,
    url: String,
    programme: String,
    keys: WebhookKeys,
    agent: Agent,
    exchange: Exchange,
    end: Arc<End>,
}

impl Sender {
    fn run(self) {
        let mut state = loop {
            match self.exchange.begin_hook(&self.name, &self.url) {
                Ok(state) => break state,
                Err(WriteError::Closed) => return,
                Err(error) => self.complain(&error),
            }
            if self.end.has_come() {
                return;
            }
        };
        let mut kept = state.clone();
        while !self.end.has_come() {
            let now = self.exchange.now();
            if let Some(next_try) = state.next_try.filter(|next_try| now < *next_try) {
                self.end.wait(WAIT.min(next_try.since(now)));
                continue;
            }
            match self.exchange.due_alerts(&self.name, state.next, WAIT) {
                Ok(due) => self.deliver(&due.alerts, due.next, &mut state, &mut kept),
                Err(error) => self.complain(&error),
            }
            self.keep(&state, &mut kept);
        }
    }

    /// Sends alerts until one is not taken, or the end comes. `next` is the place behind all of them.
    fn deliver(&self, alerts: &[Alert], next: u64, state: &mut HookState, kept: &mut HookState) {
        let mut last_kept = Instant::now();
        for alert in alerts {
            if self.end.has_come() {
                return;
            }
            let taken = self.send(alert);
            let now = self.exchange.now();
            match taken {
                Ok(()) => {
                    if state.failures > 0 {
                        tracing::info!(webhook = %self.name, "the webhook takes alerts again");
                    }
                    state.succeeded(alert.number().unwrap_or(state.next), now);
                }
                Err(failure) => {
                    // Once, and not again until it worked in between; the state tells of the others.
                    if state.failures == 0 {
                        tracing::warn!(webhook = %self.name, error = failure.what, "an alert was not taken; it is tried again");
                    }
                    return state.failed(&failure.what, now, failure.patience);
                }
            }
            if last_kept.elapsed() >= KEEP_EVERY {
                self.keep(state, kept);
                last_kept = Instant::now();
            }
        }
        state.next = next;
    }

    fn send(&self, alert: &Alert) -> Result<(), Failure> {
        let failure = |what: String| Failure { what, patience: None };
        let message = Message { kind: &alert.kind, timestamp: alert.at, data: alert };
        let body = serde_json::to_vec(&message).map_err(|error| failure(error.to_string()))?;
        // With its instant, so that a hub restored from a backup does not give an id to two alerts.
        let id = format!("{}-{}-{}", self.programme, alert.key, alert.at.as_micros());
        let timestamp = self.exchange.now().as_micros().div_euclid(1_000_000);
        let request = self
            .agent
            .post(&self.url)
            .header("content-type", "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", timestamp.to_string())
            .header("webhook-signature", self.keys.sign(&id, timestamp, &body));
        let answer = request.send(&body[..]);
        let answer = answer.map_err(|error| failure(told(&error)))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let patience = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let redirected = if status.is_redirection() { "; redirects are not followed" } else { "" };
        Err(Failure {
            what: format!("it answered {}{redirected}", status.as_u16()),
            patience: patience.map(Duration::from_secs),
        })
    }

    /// Keeps the state if it is another than the one kept.
    fn keep(&self, state: &HookState, kept: &mut HookState) {
        if state == kept {
            return;
        }
        match self.exchange.keep_hook(&self.name, state) {
            Ok(()) => kept.clone_from(state),
            Err(WriteError::Closed) => {}
            Err(error) => self.complain(&error),
        }
    }

    fn complain(&self, error: &dyn fmt::Display) {
        tracing::error!(webhook = %self.name, %error, "the webhook's place cannot be read or kept");
        self.end.wait(KEEP_EVERY);
    }
}

/// What went wrong, without the address, in which there may be a secret.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library's enum grows, and what is told does not")]
fn told(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => format!("it did not answer within {} s", ATTEMPT_MAX.as_secs()),
        ureq::Error::Io(error) => format!("the connection failed: {error}"),
        ureq::Error::HostNotFound => "its name is not known".to_owned(),
        ureq::Error::ConnectionFailed => "the connection failed".to_owned(),
        ureq::Error::Rustls(error) => format!("the encrypted connection failed: {error}"),
        _ => "it could not be asked".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_signed_as_the_standard_says() {
        // The example of the Standard Webhooks libraries.
        let keys = WebhookKeys::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = keys.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b"{\"test\": 2432232314}");
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_key_file_has_one_key_or_two() {
        let key = WebhookKeys::text_of(&[7; 32]);
        let short = format!("whsec_{}", STANDARD.encode([7; 23]));
        let cases = [
            (key.clone(), Some(1)),
            (format!("# new\n{key}\n\n# old\n{key}\n"), Some(2)),
            (format!("{key}\n{key}\n{key}\n"), None),
            (String::new(), None),
            (short, None),
            (key.replace("whsec_", ""), None),
            ("whsec_no".to_owned(), None),
        ];
        for (text, want) in cases {
            let found = WebhookKeys::parse(&text).ok().map(|keys| keys.sign("a", 1, b"").split(' ').count());
            assert_eq!(found, want, "{text}");
        }
    }
}
