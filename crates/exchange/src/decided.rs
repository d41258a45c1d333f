//! The decisions that were recorded on a member, page by page: each holds its whole proof, and a member may have many.

use model::{Caller, MemberId, Role, Tier};
use serde::Serialize;
use store::StoreError;

use crate::error::AdminError;
use crate::exchange::{Exchange, require};
use crate::registry::DECISION;

/// Some of the decisions on a member.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DecisionsPage {
    /// With their proofs, tier by tier, the oldest first.
    pub decisions: Vec<serde_json::Value>,
    /// What to ask with for those that come after; none if there are no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Exchange {
    /// The decisions on a member after the place `next` of an earlier page, at most `limit`.
    ///
    /// # Errors
    ///
    /// Refuses members, a member that there is not, and a place that is none.
    pub fn decisions(
        &self,
        caller: &Caller,
        member: &MemberId,
        next: Option<&str>,
        limit: usize,
    ) -> Result<DecisionsPage, AdminError> {
        require(caller, &Role::ALL, "the programme's people")?;
        if !self.inner.published.registry().members.contains_key(member) {
            return Err(AdminError::NoSuchMember(member.clone()));
        }
        let after = match next {
            None => String::new(),
            Some(place) if is_place(place) => format!("{member}/{place}"),
            Some(place) => {
                let place = place.chars().take(100).collect::<String>();
                let message = format!("`{}` is the `next` of no page", place.escape_debug());
                return Err(AdminError::Invalid(message));
            }
        };
        let prefix = format!("{member}/");
        let snapshot = self.inner.store.snapshot()?;
        let mut records = snapshot.list_after(DECISION, &prefix, &after, limit.saturating_add(1))?;
        let has_more = records.len() > limit;
        records.truncate(limit);
        let last = records.last().and_then(|record| record.key.strip_prefix(&prefix));
        let next = last.filter(|_| has_more).map(str::to_owned);
        let parsed = records.iter().map(|record| serde_json::from_slice(&record.value));
        let decisions = parsed
            .collect::<Result<_, _>>()
            .map_err(|error| AdminError::Store(StoreError::Damaged(format!("a decision: {error}"))))?;
        Ok(DecisionsPage { decisions, next })
    }
}

/// A tier and an instant, as the keys of decisions end.
fn is_place(text: &str) -> bool {
    text.split_once('/').is_some_and(|(tier, instant)| {
        tier.parse::<Tier>().is_ok() && instant.len() == 20 && instant.bytes().all(|b| b.is_ascii_digit())
    })
}
