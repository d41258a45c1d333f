//! What is due at the programme's webhooks, and how far each has come.
//!
//! Nothing is queued. A webhook has a *place*: the number of the next alert that it has not been given. What it is owed are
//! the alerts from there on, which are kept anyway, so a receiver that is gone for days costs nothing and misses nothing.
//!
//! ```text
//! alerts     0  1  2  3  4  5  6        the place of `soc` is 4: it was given 0 to 3
//! soc                    ^              it fails: 4 is tried again, after 1 s, 2 s, 4 s ... at most an hour
//! ```
//!
//! Whoever sends ([`due_alerts`](Exchange::due_alerts)) tells what became of it
//! ([`keep_hook`](Exchange::keep_hook)); place and failures are durable. If the process dies between the two, an alert is
//! sent again, under the same id: at least once, in order. A webhook that is new begins with what comes, and not with
//! what was.

use std::sync::Arc;
use std::time::Duration;

use model::{Caller, Timestamp};
use serde::{Deserialize, Serialize};
use store::StoreError;

use crate::alerts::{Alert, key_of};
use crate::error::{AdminError, WriteError};
use crate::exchange::{Exchange, require};
use crate::members::DECIDES;
use crate::registry::WEBHOOK;
use crate::writer::Instants;

/// How long the first retry waits.
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// How long any retry waits at most: within the hour after a receiver is back it has everything.
const RETRY_MAX: Duration = Duration::from_hours(1);
/// The longest error that is kept, in characters.
const ERROR_LENGTH_MAX: usize = 200;

/// How far a webhook has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookState {
    /// Where it is sent to. Another address has not failed yet.
    pub url: String,
    /// The number of the next alert to look at.
    pub next: u64,
    /// How many alerts it was given.
    pub delivered: u64,
    /// When it was given the last.
    pub delivered_at: Option<Timestamp>,
    /// How many attempts have failed since.
    pub failures: u32,
    /// When the last of them failed.
    pub failed_at: Option<Timestamp>,
    /// What was wrong then.
    pub last_error: Option<String>,
    /// When it is tried again.
    pub next_try: Option<Timestamp>,
}

impl HookState {
    /// Takes note that the alert of this number was given to it.
    pub fn succeeded(&mut self, number: u64, at: Timestamp) {
        self.next = number + 1;
        self.delivered += 1;
        self.delivered_at = Some(at);
        (self.failures, self.last_error, self.next_try) = (0, None, None);
    }

    /// Takes note that an attempt failed. The receiver may ask for more patience, up to an hour.
    pub fn failed(&mut self, error: &str, at: Timestamp, patience: Option<Duration>) {
        self.failures = self.failures.saturating_add(1);
        self.failed_at = Some(at);
        self.last_error = Some(error.chars().take(ERROR_LENGTH_MAX).collect());
        let wait = retry_after(self.failures).max(patience.unwrap_or_default());
        self.next_try = Some(at + wait.min(RETRY_MAX));
    }
}

/// How long to wait after so many failures: twice as long each time.
fn retry_after(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(20);
    RETRY_FIRST.saturating_mul(1 << doublings).min(RETRY_MAX)
}

/// What is due at a webhook.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DueAlerts {
    /// The alerts of its kinds, in order.
    pub alerts: Vec<Alert>,
    /// Its place when it was given all of them.
    pub next: u64,
}

/// A webhook, as its keepers see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WebhookView {
    /// Its name.
    pub name: String,
    /// Where it is sent to, without what stands behind a question mark.
    pub url: String,
    /// Which kinds of alerts; every kind if it is empty.
    pub kinds: Vec<String>,
    /// `waiting` for alerts, `due`, or `failing`.
    pub state: &'static str,
    /// The key of the last alert that it is done with.
    pub after: Option<String>,
    /// How many alerts came after that one.
    pub behind: u64,
    /// How many alerts it was given.
    pub delivered: u64,
    /// When it was given the last.
    pub delivered_at: Option<Timestamp>,
    /// How many attempts have failed since.
    pub failures: u32,
    /// When the last attempt failed.
    pub failed_at: Option<Timestamp>,
    /// What was wrong then.
    pub last_error: Option<String>,
    /// When it is tried again.
    pub next_try: Option<Timestamp>,
}

impl Exchange {
    /// The programme's webhooks, and how far each has come.
    ///
    /// # Errors
    ///
    /// Refuses all but operators and officers.
    pub fn webhooks(&self, caller: &Caller) -> Result<Vec<WebhookView>, AdminError> {
        require(caller, DECIDES, "an operator or an officer")?;
        Ok(self.hooks())
    }

    /// The same for the hub's health page; members are not told.
    #[must_use]
    pub fn hooks(&self) -> Vec<WebhookView> {
        let registry = self.inner.published.registry();
        let view = |hook: &programme::WebhookSettings| {
            let fresh = HookState { next: registry.alerts, ..HookState::default() };
            let state = registry.hooks.get(&hook.name).cloned().unwrap_or(fresh);
            let behind = registry.alerts.saturating_sub(state.next);
            WebhookView {
                name: hook.name.clone(),
                url: hook.url.split('?').next().unwrap_or_default().to_owned(),
                kinds: hook.kinds.iter().cloned().collect(),
                state: match (state.failures, behind) {
                    (0, 0) => "waiting",
                    (0, _) => "due",
                    _ => "failing",
                },
                after: state.next.checked_sub(1).map(key_of),
                behind,
                delivered: state.delivered,
                delivered_at: state.delivered_at,
                failures: state.failures,
                failed_at: state.failed_at,
                last_error: state.last_error,
                next_try: state.next_try,
            }
        };
        registry.programme().settings().webhooks.iter().map(view).collect()
    }

    /// How far a webhook has come, for whoever sends to it. One that is new begins behind the last alert.
    ///
    /// # Errors
    ///
    /// Fails if nothing could be written.
    pub fn begin_hook(&self, name: &str, url: &str) -> Result<HookState, WriteError> {
        let (name, url) = (name.to_owned(), url.to_owned());
        let begin = move |turn: &mut crate::exchange::Hand<'_>| -> Result<HookState, WriteError> {
            let registry = Arc::clone(turn.registry);
            let state = match registry.hooks.get(&name) {
                Some(known) if known.url == url => return Ok(known.clone()),
                Some(known) => HookState {
                    url,
                    next: known.next,
                    delivered: known.delivered,
                    delivered_at: known.delivered_at,
                    ..HookState::default()
                },
                None => HookState { url, next: registry.alerts, ..HookState::default() },
            };
            put(turn, &name, &state)?;
            Ok(state)
        };
        Ok(self.inner.writer.run(Instants::None, begin)?.0)
    }

    /// Remembers how far a webhook has come.
    ///
    /// # Errors
    ///
    /// Fails if nothing could be written; then what was given since is given again after a restart.
    pub fn keep_hook(&self, name: &str, state: &HookState) -> Result<(), WriteError> {
        let (name, state) = (name.to_owned(), state.clone());
        let keep = move |turn: &mut crate::exchange::Hand<'_>| -> Result<(), WriteError> {
            Ok(put(turn, &name, &state)?)
        };
        self.inner.writer.run(Instants::None, keep).map(drop)
    }

    /// What is due at the webhook `name` from the alert number `next` on. Waits for some for at most `patience`.
    ///
    /// # Errors
    ///
    /// Fails if the store does.
    pub fn due_alerts(&self, name: &str, next: u64, patience: Duration) -> Result<DueAlerts, StoreError> {
        self.wait_for_alert(next, patience);
        let mut alerts = self.alerts_from(next)?;
        let next = alerts.last().and_then(Alert::number).map_or(next, |last| last + 1);
        let registry = self.inner.published.registry();
        let hook = registry.programme().settings().webhooks.iter().find(|hook| hook.name == name);
        alerts.retain(|alert| hook.is_some_and(|hook| hook.wants(&alert.kind)));
        Ok(DueAlerts { alerts, next })
    }
}

fn put(turn: &mut crate::exchange::Hand<'_>, name: &str, state: &HookState) -> Result<(), StoreError> {
    turn.put_json(WEBHOOK, name, state)?;
    let registry = Arc::make_mut(turn.registry);
    Arc::make_mut(&mut registry.hooks).insert(name.to_owned(), state.clone());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_wait_twice_as_long_each_time_up_to_an_hour() {
        let cases =
            [(1, 1), (2, 2), (3, 4), (10, 512), (12, 2_048), (13, 3_600), (40, 3_600), (u32::MAX, 3_600)];
        for (failures, seconds) in cases {
            assert_eq!(retry_after(failures), Duration::from_secs(seconds), "{failures}");
        }
    }

    #[test]
    fn a_receiver_may_ask_for_patience_but_not_for_more_than_an_hour() {
        let cases = [(None, 1), (Some(0), 1), (Some(30), 30), (Some(3_601), 3_600), (Some(u64::MAX), 3_600)];
        for (asked, seconds) in cases {
            let mut state = HookState::default();
            state.failed("no", Timestamp::EPOCH, asked.map(Duration::from_secs));
            assert_eq!(state.next_try, Some(Timestamp::EPOCH + Duration::from_secs(seconds)), "{asked:?}");
        }
    }

    #[test]
    fn a_success_forgets_the_failures() {
        let mut state = HookState { next: 3, ..HookState::default() };
        for _ in 0..3 {
            state.failed(&"x".repeat(1_000), Timestamp::EPOCH, None);
        }
        assert_eq!((state.failures, state.next), (3, 3));
        assert_eq!(state.last_error.as_ref().unwrap().len(), ERROR_LENGTH_MAX);
        state.succeeded(3, Timestamp::EPOCH);
        assert_eq!((state.failures, state.next, state.delivered, state.next_try), (0, 4, 1, None));
        assert!(state.last_error.is_none());
    }
}
