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
    let key = format!("{number:012}");
    turn.put_json(ALERT, &key, &Alert { key: key.clone(), ..alert.clone() })
}

impl Exchange {
    /// The alerts after `after` (from the first, if empty), at most [`ALERTS_MAX`] of them.
    ///
    /// # Errors
    ///
    /// Refuses members.
    pub fn alerts(&self, caller: &Caller, after: &str) -> Result<Vec<Alert>, AdminError> {
        if !caller.role().is_some_and(|role| Role::ALL.contains(&role)) {
            return Err(AdminError::Forbidden { needed: "the programme's people" });
        }
        let records = self.inner.store.snapshot()?.list(ALERT, "")?;
        let later = records.iter().filter(|record| record.key.as_str() > after).take(ALERTS_MAX);
        let parsed = later.map(|record| serde_json::from_slice(&record.value));
        parsed
            .collect::<Result<_, _>>()
            .map_err(|error| AdminError::Store(StoreError::Damaged(format!("an alert: {error}"))))
    }
}
