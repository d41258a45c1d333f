//! Alerts: what the programme's officers, or a member, should learn at once.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use model::{Caller, Grade, MemberId, Role, Standing, StandingChange, Tier, Timestamp};
use serde::{Deserialize, Serialize};
use store::StoreError;

use crate::error::AdminError;
use crate::evaluate::Moved;
use crate::exchange::{Exchange, Hand};
use crate::registry::{ALERT, SEEN};
use crate::writer::Instants;

/// How many alerts one answer holds at most.
pub const ALERTS_MAX: usize = 1_000;

/// One alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Its place in the order of alerts; ask for what came after it.
    #[serde(default)]
    pub key: String,
    /// When.
    pub at: Timestamp,
    /// What kind, one of [`ALERT_KINDS`](programme::ALERT_KINDS).
    pub kind: String,
    /// The member that it is about, if it is about one.
    pub member: Option<MemberId>,
    /// The tier.
    pub tier: Option<Tier>,
    /// The grade, where it is about a decision.
    pub grade: Option<Grade>,
    /// The standing, where it changed.
    pub standing: Option<Standing>,
    /// What happened, for people.
    pub text: String,
    /// The rules that apply, where it is about a decision.
    #[serde(default)]
    pub rules: BTreeSet<String>,
}

impl Alert {
    pub(crate) fn new(kind: &str, member: Option<&MemberId>, text: String, at: Timestamp) -> Self {
        Self {
            key: String::new(),
            at,
            kind: kind.to_owned(),
            member: member.cloned(),
            tier: None,
            grade: None,
            standing: None,
            text,
            rules: BTreeSet::new(),
        }
    }

    pub(crate) fn moved(moved: &Moved, verdict: &str, at: Timestamp) -> Self {
        let standing = if moved.from == moved.to {
            format!("it stays {}", moved.to)
        } else {
            format!("from {} to {}", moved.from, moved.to)
        };
        let proposed = moved.proposed.map(|to| format!("; proposed: {to}")).unwrap_or_default();
        Self {
            tier: Some(moved.tier.clone()),
            grade: Some(moved.grade),
            standing: (moved.from != moved.to).then_some(moved.to),
            rules: moved.rules.clone(),
            ..Self::new(
                "decision",
                Some(&moved.member),
                format!("{verdict} On {}: {standing}{proposed}.", moved.tier),
                at,
            )
        }
    }

    /// A step that people made.
    pub(crate) fn stepped(change: &StandingChange) -> Self {
        let StandingChange { member, tier, from, to, by, reason, at } = change;
        Self {
            tier: Some(tier.clone()),
            standing: Some(*to),
            ..Self::new(
                "decision",
                Some(member),
                format!("On {tier}: from {from} to {to}, by {by}: {reason}"),
                *at,
            )
        }
    }

    /// Its number in the order of alerts, from 0.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        number_of(&self.key)
    }
}

/// What is new to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unseen {
    /// The number of the first alert that is new.
    pub from: u64,
    /// How many there are.
    pub count: u64,
}

/// Writes an alert.
pub(crate) fn put(turn: &mut Hand<'_>, alert: &Alert) -> Result<(), StoreError> {
    let number = turn.next_alert();
    let key = key_of(number);
    turn.put_json(ALERT, &key, &Alert { key: key.clone(), ..alert.clone() })
}

/// An alert's key; keys sort as the numbers do.
pub(crate) fn key_of(number: u64) -> String {
    format!("{number:012}")
}

fn number_of(key: &str) -> Option<u64> {
    let is_key = key.len() == 12 && key.bytes().all(|byte| byte.is_ascii_digit());
    key.parse().ok().filter(|_| is_key)
}

impl Exchange {
    /// The alerts after `after` (from the first, if empty), at most [`ALERTS_MAX`] of them.
    ///
    /// # Errors
    ///
    /// Refuses members, and an `after` that is no alert's key.
    pub fn alerts(&self, caller: &Caller, after: &str) -> Result<Vec<Alert>, AdminError> {
        Ok(self.alerts_from(first_after(caller, after)?)?)
    }

    /// The alerts before number `before`, or the last ones, at most `limit` of them, the newest first.
    ///
    /// # Errors
    ///
    /// Refuses members.
    pub fn alerts_before(
        &self,
        caller: &Caller,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Alert>, AdminError> {
        first_after(caller, "")?;
        let count = self.inner.published.registry().alerts;
        let before = before.unwrap_or(count).min(count);
        let limit = u64::try_from(limit.min(ALERTS_MAX)).unwrap_or(u64::MAX);
        let mut alerts = self.alerts_from(before.saturating_sub(limit))?;
        alerts.retain(|alert| alert.number().is_some_and(|number| number < before));
        alerts.reverse();
        Ok(alerts)
    }

    /// From which alert on everything is new to the caller's account, and how many that are: what came after the last one
    /// that it said to have seen, or, if it never did, after the account was made.
    ///
    /// # Errors
    ///
    /// Refuses members.
    pub fn unseen_alerts(&self, caller: &Caller) -> Result<Unseen, AdminError> {
        first_after(caller, "")?;
        let registry = self.inner.published.registry();
        let snapshot = self.inner.store.snapshot()?;
        let seen = snapshot.get(SEEN, &caller.credential.to_string())?;
        let seen = seen.and_then(|bytes| serde_json::from_slice::<String>(&bytes).ok());
        let from = if let Some(number) = seen.as_deref().and_then(number_of) {
            number + 1
        } else {
            let Some(record) = registry.credentials.get(&caller.credential) else {
                return Ok(Unseen { from: registry.alerts, count: 0 });
            };
            let last = self.alerts_from(registry.alerts.saturating_sub(ALERTS_MAX as u64))?;
            let earlier = last.iter().rev().find(|alert| alert.at <= record.created);
            let first = last.first().and_then(Alert::number).unwrap_or(registry.alerts);
            earlier.and_then(Alert::number).map_or(first, |number| number + 1)
        };
        Ok(Unseen { from, count: registry.alerts.saturating_sub(from) })
    }

    /// Keeps that the caller's account has seen the alerts up to the one with this key. It never goes back.
    ///
    /// # Errors
    ///
    /// Refuses members, and a key that is no alert's.
    pub fn see_alerts(&self, caller: &Caller, key: &str) -> Result<(), AdminError> {
        let after = first_after(caller, key)?;
        if after > self.inner.published.registry().alerts {
            return Err(AdminError::Invalid("there is no such alert".to_owned()));
        }
        if after <= self.unseen_alerts(caller)?.from {
            return Ok(());
        }
        let (account, key) = (caller.credential.to_string(), key.to_owned());
        let keep =
            move |turn: &mut Hand<'_>| -> Result<(), AdminError> { Ok(turn.put_json(SEEN, &account, &key)?) };
        self.inner.writer.run(Instants::None, keep).map(drop)
    }

    /// Whether the caller may follow the alerts from `after` on.
    ///
    /// # Errors
    ///
    /// As [`alerts`](Self::alerts).
    pub fn may_follow_alerts(&self, caller: &Caller, after: &str) -> Result<(), AdminError> {
        first_after(caller, after).map(drop)
    }

    /// As [`alerts`](Self::alerts), but waits for some, at most until `patience` is over.
    ///
    /// # Errors
    ///
    /// As [`alerts`](Self::alerts).
    pub fn wait_for_alerts(
        &self,
        caller: &Caller,
        after: &str,
        patience: Duration,
    ) -> Result<Vec<Alert>, AdminError> {
        let first = first_after(caller, after)?;
        self.wait_for_alert(first, patience);
        Ok(self.alerts_from(first)?)
    }

    /// Waits until there is an alert of this number, or `patience` is over.
    pub(crate) fn wait_for_alert(&self, number: u64, patience: Duration) {
        let published = &self.inner.published;
        let until = Instant::now() + patience;
        let mut seen = published.wait_for_arrivals(u64::MAX, Duration::ZERO);
        // INVARIANT: what arrives is published before it is announced, so whoever counts first misses nothing.
        while published.registry().alerts <= number {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            seen = published.wait_for_arrivals(seen, left);
        }
    }

    /// The alerts from number `first` on, at most [`ALERTS_MAX`] of them.
    pub(crate) fn alerts_from(&self, first: u64) -> Result<Vec<Alert>, StoreError> {
        // Whoever waits for news asks often, and most often there is none.
        if self.inner.published.registry().alerts <= first {
            return Ok(Vec::new());
        }
        let snapshot = self.inner.store.snapshot()?;
        let before = first.checked_sub(1).map(key_of).unwrap_or_default();
        let later = snapshot.list_after(ALERT, "", &before, ALERTS_MAX)?;
        let parsed = later.iter().map(|record| serde_json::from_slice(&record.value));
        parsed.collect::<Result<_, _>>().map_err(|error| StoreError::Damaged(format!("an alert: {error}")))
    }
}

/// The number of the first alert after the one with this key, for somebody who may know.
fn first_after(caller: &Caller, after: &str) -> Result<u64, AdminError> {
    if !caller.role().is_some_and(|role| Role::ALL.contains(&role)) {
        return Err(AdminError::Forbidden { needed: "the programme's people" });
    }
    match after {
        "" => Ok(0),
        key => number_of(key)
            .map(|number| number + 1)
            .ok_or_else(|| AdminError::Invalid(format!("`{}` is the key of no alert", key.escape_debug()))),
    }
}
