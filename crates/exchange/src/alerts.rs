//! Alerts: what the programme's officers, or a member, should learn at once.

use std::collections::BTreeSet;

use model::{Caller, Grade, MemberId, Role, Standing, Tier, Timestamp};
use serde::{Deserialize, Serialize};
use store::StoreError;

use crate::error::AdminError;
use crate::evaluate::Moved;
use crate::exchange::{Exchange, Hand};
use crate::registry::ALERT;

/// How many alerts one answer holds at most.
pub const ALERTS_MAX: usize = 1_000;

/// How many alerts share all but the last three digits of their keys.
const BLOCK: u64 = 1_000;

/// One alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Its place in the order of alerts; ask for what came after it.
    #[serde(default)]
    pub key: String,
    /// When.
    pub at: Timestamp,
    /// What kind: `decision`, `party-of-concern`, `proposal`, `appeal`, `attestation`, `duty`.
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
}

/// Writes an alert.
pub(crate) fn put(turn: &mut Hand<'_>, alert: &Alert) -> Result<(), StoreError> {
    let number = turn.next_alert();
    let key = key_of(number);
    turn.put_json(ALERT, &key, &Alert { key: key.clone(), ..alert.clone() })
}

/// An alert's key; keys sort as the numbers do.
fn key_of(number: u64) -> String {
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
        if !caller.role().is_some_and(|role| Role::ALL.contains(&role)) {
            return Err(AdminError::Forbidden { needed: "the programme's people" });
        }
        let first = match after {
            "" => 0,
            key => {
                number_of(key).ok_or_else(|| {
                    AdminError::Invalid(format!("`{}` is the key of no alert", key.escape_debug()))
                })? + 1
            }
        };
        let snapshot = self.inner.store.snapshot()?;
        let mut later = Vec::new();
        // Numbers have no gaps, so these two blocks hold a whole answer, or all that there is.
        for block in [first / BLOCK, first / BLOCK + 1] {
            later.extend(snapshot.list(ALERT, &format!("{block:09}"))?);
        }
        later.retain(|record| record.key.as_str() > after);
        later.truncate(ALERTS_MAX);
        let parsed = later.iter().map(|record| serde_json::from_slice(&record.value));
        parsed
            .collect::<Result<_, _>>()
            .map_err(|error| AdminError::Store(StoreError::Damaged(format!("an alert: {error}"))))
    }
}
