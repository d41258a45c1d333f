//! Objects on their way into a hub, in batches that may safely be sent again.
//!
//! A hub takes an object that it already has, unchanged, as a success, so a batch whose answer got lost is simply sent
//! once more. What the hub refuses is counted by reason. A batch that it refuses *as a whole* for its content is cut
//! in halves until the object that spoils it stands alone.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use model::{MemberId, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value, json};
use taxii::Status;

use crate::client::{Api, ApiError, printable, segment};
use crate::output::add;

/// How often a batch is sent before its failure is final: about half a minute, with the pauses below.
const ATTEMPTS_MAX: u32 = 8;
/// The pause after the first failure; it doubles.
const PAUSE: Duration = Duration::from_millis(250);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(8);
/// How many bytes a batch holds at most, unless it is one object. A quarter of what a hub takes by default.
const BATCH_BYTES_MAX: usize = 8 << 20;
/// How many places are kept for each reason.
const PLACES_KEPT: usize = 3;

/// What is said of all objects alike.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    pub(crate) audience: Option<Vec<MemberId>>,
    pub(crate) release_at: Option<Timestamp>,
    pub(crate) release_until: Option<Timestamp>,
}

/// What became of the objects.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Sent {
    /// Accepted, or there already, unchanged.
    pub(crate) accepted: u64,
    /// Refused by the hub.
    pub(crate) refused: u64,
    /// Batches that were sent.
    pub(crate) batches: u64,
    /// Times that a batch had to be sent again.
    pub(crate) retries: u64,
    /// The refusals by reason.
    pub(crate) reasons: BTreeMap<String, Refusals>,
    /// What authors should know of objects that were taken, by reason.
    pub(crate) remarks: BTreeMap<String, Refusals>,
}

/// Objects refused for one reason.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Refusals {
    pub(crate) count: u64,
    /// The first of them: id or place, and the hub's words.
    pub(crate) first: Vec<(String, String)>,
}

impl Refusals {
    fn count(&mut self, what: &str, message: &str) {
        self.count += 1;
        if self.first.len() < PLACES_KEPT {
            self.first.push((printable(what), printable(message)));
        }
    }
}

impl Sent {
    pub(crate) fn refuse(&mut self, what: &str, message: &str) {
        self.refused += 1;
        self.reasons.entry(class_of(message)).or_default().count(what, message);
    }

    pub(crate) fn remark(&mut self, what: &str, message: &str) {
        self.remarks.entry(class_of(message)).or_default().count(what, message);
    }
}

/// Gathers objects into batches and sends them.
pub(crate) struct Uploader<'a> {
    api: &'a Api,
    path: String,
    /// The properties beside the objects, each with a comma before it.
    terms: String,
    batch_max: usize,
    batch: Vec<Waiting>,
    batch_bytes: usize,
    pub(crate) sent: Sent,
}

struct Waiting {
    bytes: Vec<u8>,
    place: String,
}

impl<'a> Uploader<'a> {
    /// To a collection, by id or alias, `batch_max` objects at a time.
    pub(crate) fn new(api: &'a Api, collection: &str, terms: &Terms, batch_max: usize) -> Self {
        let mut said = Map::new();
        if let Some(audience) = &terms.audience {
            said.insert("audience".to_owned(), json!(audience));
        }
        for (name, instant) in [("release_at", terms.release_at), ("release_until", terms.release_until)] {
            if let Some(instant) = instant {
                said.insert(name.to_owned(), json!(instant));
            }
        }
        let mut terms = String::new();
        for (name, value) in &said {
            add!(terms, ",\"{name}\":{value}");
        }
        Self {
            api,
            path: format!("/api/collections/{}/objects", segment(collection)),
            terms,
            batch_max: batch_max.max(1),
            batch: Vec::new(),
            batch_bytes: 0,
            sent: Sent::default(),
        }
    }

    /// Adds an object; sends the batch if it is full.
    pub(crate) fn push(&mut self, bytes: Vec<u8>, place: impl Into<String>) -> Result<()> {
        let is_full = self.batch.len() >= self.batch_max || self.batch_bytes + bytes.len() > BATCH_BYTES_MAX;
        if is_full {
            self.flush()?;
        }
        self.batch_bytes += bytes.len() + 1;
        self.batch.push(Waiting { bytes, place: place.into() });
        Ok(())
    }

    /// Sends what is waiting. When this returns, the hub has acknowledged it.
    pub(crate) fn flush(&mut self) -> Result<()> {
        let batch = std::mem::take(&mut self.batch);
        self.batch_bytes = 0;
        // Halves of a batch that was refused as a whole wait here, the first one on top.
        let mut parts = vec![batch.as_slice()];
        while let Some(part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            match self.send(part) {
                Ok(status) => self.account(&status),
                Err(error) if is_about_content(&error) => match part {
                    [single] => self.sent.refuse(&single.place, &error.to_string()),
                    several => {
                        let (first, second) = several.split_at(several.len() / 2);
                        parts.extend([second, first]);
                    }
                },
                Err(error) => return Err(error).context("publishing"),
            }
        }
        Ok(())
    }

    fn send(&mut self, part: &[Waiting]) -> Result<Status, ApiError> {
        let mut body = b"{\"objects\":[".to_vec();
        for (nth, waiting) in part.iter().enumerate() {
            if nth > 0 {
                body.push(b',');
            }
            body.extend_from_slice(&waiting.bytes);
        }
        body.push(b']');
        body.extend_from_slice(self.terms.as_bytes());
        body.push(b'}');
        self.sent.batches += 1;
        let mut pause = PAUSE;
        for _ in 1..ATTEMPTS_MAX {
            match self.api.post_bytes(&self.path, &body) {
                Err(error) if error.is_passing() => {
                    let asked = match &error {
                        ApiError::Refused { retry_after_seconds, .. } => {
                            retry_after_seconds.map(Duration::from_secs)
                        }
                        ApiError::Transport { .. } | ApiError::Malformed { .. } => None,
                    };
                    thread::sleep(asked.unwrap_or(pause).min(PAUSE_MAX));
                    pause = (pause * 2).min(PAUSE_MAX);
                    self.sent.retries += 1;
                }
                answer => return answer,
            }
        }
        self.api.post_bytes(&self.path, &body)
    }

    fn account(&mut self, status: &Status) {
        self.sent.accepted += status.success_count;
        for failure in &status.failures {
            self.sent.refuse(&failure.id, failure.message.as_deref().unwrap_or("no reason given"));
        }
        let remarks = status.custom.get("x_ringfence_remarks").and_then(Value::as_array);
        for remark in remarks.into_iter().flatten() {
            let text = |key| remark.get(key).and_then(Value::as_str).unwrap_or_default();
            self.sent.remark(text("id"), text("message"));
        }
        // A hub may shorten the list of a batch that is wrong from end to end.
        let named = u64::try_from(status.failures.len()).unwrap_or(u64::MAX);
        self.sent.refused += status.failure_count.saturating_sub(named);
    }
}

/// Whether the hub dislikes what the batch holds, and not who sends it or where to.
fn is_about_content(error: &ApiError) -> bool {
    matches!(error, ApiError::Refused { status: 400 | 413 | 422, .. })
}

/// What refusals of the same kind have in common: the message without the place and without what is quoted.
fn class_of(message: &str) -> String {
    let message = match message.split_once(": ") {
        Some((place, rest)) if place.starts_with('/') || place == "the object" => rest,
        Some(_) | None => message,
    };
    // Where in a pattern it is does not make it another reason.
    let message = match message.strip_prefix("at byte ").and_then(|rest| rest.split_once(": ")) {
        Some((at, rest)) if at.bytes().all(|byte| byte.is_ascii_digit()) => rest,
        Some(_) | None => message,
    };
    let message = match message.rfind("] (and ") {
        Some(end) => &message[..=end],
        None => message,
    };
    let mut class = String::new();
    for (nth, part) in message.split('`').enumerate() {
        class.push_str(if nth % 2 == 0 { part } else { "`…`" });
    }
    printable(&class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_one_kind_are_counted_together() {
        let cases = [
            (
                "/pattern: `[x` is no pattern [pattern-syntax, STIX 2.1 section 9] (and 2 more)",
                "`…` is no pattern [pattern-syntax, STIX 2.1 section 9]",
            ),
            (
                "/pattern, line 2, column 9: expected `]`; add it [pattern-syntax, STIX 2.1 section 9]",
                "expected `…`; add it [pattern-syntax, STIX 2.1 section 9]",
            ),
            ("/pattern: at byte 15: the key `a` needs quotes", "the key `…` needs quotes"),
            ("the object: is too deep", "is too deep"),
            ("another version of `a` is here: `b`", "another version of `…` is here: `…`"),
        ];
        for (message, want) in cases {
            assert_eq!(class_of(message), want);
        }
    }
}
