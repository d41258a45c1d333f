//! Another secret for a service that runs: for a while both are accepted.
//!
//! ```text
//! 09:00  rotate, with an hour of overlap   the successor is issued; the old one ends at 10:00
//! 09:20  the service is given the new one  both are accepted
//! 10:00  the old one is refused            nobody had to be there
//! ```
//!
//! The successor is for the same principal and as narrow, and ends no later. It has a login of its own.

use std::sync::Arc;
use std::time::Duration;

use model::{Caller, CredentialId, Role, Timestamp};

use crate::credentials::{CredentialSecret, NewCredential};
use crate::error::AdminError;
use crate::exchange::{Exchange, name_of, require};
use crate::members::{put_credential, still_accepted};
use crate::writer::Instants;

/// The longest time for which two are valid: whoever needs more has not rotated.
const OVERLAP_MAX: Duration = Duration::from_hours(30 * 24);

impl Exchange {
    /// Issues the successor of a credential that has a random secret, and lets the old one end after `overlap`.
    ///
    /// # Errors
    ///
    /// Refuses all but operators, a credential that is not accepted any more or has no random secret, and more than 30 days.
    pub fn rotate_credential(
        &self,
        caller: &Caller,
        id: &CredentialId,
        overlap: Duration,
    ) -> Result<CredentialSecret, AdminError> {
        require(caller, &[Role::Operator], "an operator")?;
        if overlap > OVERLAP_MAX {
            let message = "the old credential and its successor are both valid for 30 days at most";
            return Err(AdminError::Invalid(message.to_owned()));
        }
        let micros = i64::try_from(overlap.as_micros()).unwrap_or(i64::MAX);
        let (inner, by, id, caller) = (Arc::clone(&self.inner), name_of(caller), id.clone(), caller.clone());
        let (issued, last) =
            self.inner.writer.decide(Instants::HandsOut, move |turn| -> Result<_, AdminError> {
                still_accepted(turn, &caller)?;
                let known = turn.registry.credentials.get(&id).cloned();
                let mut old = known.ok_or_else(|| AdminError::NoSuchCredential(id.to_string()))?;
                if !old.is_current(turn.now) || !old.has_random_secret() {
                    let message =
                        "only a credential that is accepted and has a random secret has a successor";
                    return Err(AdminError::Invalid(message.to_owned()));
                }
                let new = NewCredential {
                    principal: old.principal.clone(),
                    login: None,
                    actions: old.actions.clone(),
                    collections: old.collections.clone(),
                    expires: old.expires,
                    note: old.note.clone(),
                    person: old.person.clone(),
                    password: None,
                };
                let fresh = CredentialId::from_bits(u64::from_le_bytes(turn.random_bytes()));
                let issued = inner.verification.issue(new, fresh, turn.random_bytes(), turn.now)?;
                put_credential(turn, &issued.record, "issued", by.clone())?;
                let ends = turn.now.plus_micros(micros);
                old.expires = Some(old.expires.map_or(ends, |expires| expires.min(ends)));
                put_credential(turn, &old, "succeeded", by)?;
                Ok(issued)
            })?;
        self.inner.wait_until(last);
        Ok(issued)
    }

    /// When a credential was last accepted, since this hub started.
    #[must_use]
    pub fn last_used(&self, id: &CredentialId) -> Option<Timestamp> {
        self.inner.verification.last_used(id)
    }
}
