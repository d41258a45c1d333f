//! People for whom a provider vouches: whoever signed in there signs in here, with the role that it gives them.
//!
//! A face has verified what the provider says; here it becomes an account. An account is a credential like any other, so
//! all that holds of those holds of these: it stands in the ledger, agreements and steps name it, the operator sees it
//! and revokes it, and whatever is done with it is done by a credential that is accepted at that moment.
//!
//! ```text
//! first sign-in of 7f3 at login.example, officer       a credential of an officer, of the person "A. Ash"
//! next sign-ins                                        the same one; nothing is written
//! 7f3 is a reviewer there now                          the first one ends, and a credential of a reviewer begins
//! 7f3 has no role there any more                       it ends; who signed in with it is out at the next request
//! an officer or operator here revokes it               7f3 does not come in again, whatever the provider says
//! ```
//!
//! A credential of this kind has no secret: nothing that is presented at the API opens it.

use std::sync::Arc;

use model::{Action, Caller, CredentialId, Principal, Role};

use crate::credentials::{CredentialRecord, Verifier};
use crate::error::AdminError;
use crate::exchange::{Exchange, Hand};
use crate::members::put_credential;
use crate::people;
use crate::registry::Registry;
use crate::writer::Instants;

/// Somebody who signed in at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouched {
    /// The provider.
    pub issuer: String,
    /// Who it is there, for ever.
    pub subject: String,
    /// The person's name, by which people count who have more than one account. That of the first sign-in stays: with another
    /// name nobody becomes another person.
    pub person: String,
}

impl Exchange {
    /// Signs in somebody for whom a provider vouches, with the role that follows from what it says; without one, ends what
    /// there was. The face has verified what the provider says.
    ///
    /// # Errors
    ///
    /// [`AdminError::Revoked`] if the account was revoked here; fails if nothing could be written.
    pub fn sign_in_vouched(&self, who: &Vouched, role: Option<Role>) -> Result<Option<Caller>, AdminError> {
        let registry = self.inner.published.registry();
        // Mostly it is who it was, and nothing is to be written.
        if let (Some(role), Found::Current(record)) = (role, find(&registry, who, self.inner.clock.now()))
            && record.principal == Principal::Role(role)
        {
            return Ok(Some(record.caller()));
        }
        let (who, inner) = (who.clone(), Arc::clone(&self.inner));
        let (caller, last) =
            self.inner.writer.decide(Instants::HandsOut, move |turn| -> Result<_, AdminError> {
                let by = format!("the provider {}", who.issuer);
                let person = match find(turn.registry, &who, turn.now) {
                    Found::Revoked => return Err(AdminError::Revoked),
                    Found::Current(record)
                        if role.is_some_and(|role| record.principal == Principal::Role(role)) =>
                    {
                        return Ok(Some(record.caller()));
                    }
                    Found::Current(record) => {
                        let mut ended = record.clone();
                        // Not revoked: it is the provider's word that ended, and that may come again.
                        ended.expires = Some(turn.now);
                        put_credential(turn, &ended, "ended", by.clone())?;
                        ended.person
                    }
                    Found::Ended(record) => record.person.clone(),
                    Found::Nobody => None,
                };
                let Some(role) = role else { return Ok(None) };
                let person = person.unwrap_or_else(|| who.person.clone());
                let record = account(turn, &who, role, &person)?;
                put_credential(turn, &record, "issued", by)?;
                Ok(Some(record.caller()))
            })?;
        inner.wait_until(last);
        Ok(caller)
    }
}

/// What there is of somebody.
enum Found<'r> {
    Nobody,
    /// One was revoked, and nothing was issued since.
    Revoked,
    /// There is one at most: another one begins when it ends.
    Current(&'r CredentialRecord),
    /// One of those that have ended; all of them name the same person.
    Ended(&'r CredentialRecord),
}

fn find<'r>(registry: &'r Registry, who: &Vouched, now: model::Timestamp) -> Found<'r> {
    let mut found = Found::Nobody;
    for record in registry.credentials.values().filter(|one| one.is_vouched_for(&who.issuer, &who.subject)) {
        if record.revoked.is_some() {
            return Found::Revoked;
        }
        if record.is_current(now) {
            found = Found::Current(record);
        } else if matches!(found, Found::Nobody) {
            found = Found::Ended(record);
        }
    }
    found
}

fn account(turn: &Hand<'_>, who: &Vouched, role: Role, person: &str) -> Result<CredentialRecord, AdminError> {
    let id = CredentialId::from_bits(u64::from_le_bytes(turn.random_bytes()));
    let digits = id.as_str().trim_start_matches("credential:").to_owned();
    Ok(CredentialRecord {
        login: digits,
        id,
        principal: Principal::Role(role),
        actions: [Action::Read, Action::Publish, Action::Administer].into(),
        collections: None,
        note: format!("by {}", who.issuer),
        person: Some(people::name(person)?),
        created: turn.now,
        expires: None,
        revoked: None,
        second_factor: None,
        verifier: Verifier::Vouched { issuer: who.issuer.clone(), subject: who.subject.clone() },
    })
}
