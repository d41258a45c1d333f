//! Accounts of people: credentials with which somebody signs in and stays signed in.
//!
//! An account is a credential, of a role or of a member, kept and revoked as all of them are; what is particular to one
//! that a person signs in with is its password and its second factor. A face that keeps sessions asks at every request
//! whether the credential still holds ([`is_accepted`](Exchange::is_accepted)), so a session ends with the credential, and
//! what its caller may do is decided anew each time.

use std::sync::Arc;

use model::{Caller, CredentialId, Role, Timestamp};

use crate::credentials::{Attempt, CredentialRecord};
use crate::error::{AdminError, AuthenticationError};
use crate::exchange::{Exchange, name_of, require};
use crate::members::{put_credential, still_accepted};
use crate::second_factor::{self, SecondFactor};
use crate::writer::Instants;

/// What a person may know of the account that it signed in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The user name.
    pub login: String,
    /// The person who has it, if it names one.
    pub person: Option<String>,
    /// Whether it has a password that can be changed; else a random secret.
    pub has_password: bool,
    /// Since when it asks for a second factor, if it does.
    pub second_factor_since: Option<Timestamp>,
    /// The provider that vouches for the person, if one does.
    pub vouched_by: Option<String>,
}

/// A second factor that is not asked for yet: it is once a code of it was given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecondFactorOffer {
    /// The secret, to be typed into a phone: base 32.
    pub secret: String,
    /// The same as phones scan it.
    pub uri: String,
}

impl Exchange {
    /// Recognises somebody who signs in. `code` is that of the second factor, for accounts that have one.
    ///
    /// # Errors
    ///
    /// One answer for every reason but too many failures.
    pub fn sign_in(
        &self,
        attempt: &Attempt<'_>,
        code: Option<&str>,
        peer: &str,
    ) -> Result<Caller, AuthenticationError> {
        let registry = self.inner.published.registry();
        let now = self.inner.clock.now();
        let caller = self.inner.verification.sign_in(&registry, attempt, code, peer, now)?;
        self.inner.verification.note_use(&caller, now);
        Ok(caller)
    }

    /// Whether the caller's credential holds now: issued here, not revoked, not expired.
    #[must_use]
    pub fn is_accepted(&self, caller: &Caller) -> bool {
        let registry = self.inner.published.registry();
        let now = self.inner.clock.now();
        registry.credentials.get(&caller.credential).is_some_and(|record| record.is_current(now))
    }

    /// The account that the caller signed in with.
    #[must_use]
    pub fn account(&self, caller: &Caller) -> Option<Account> {
        let registry = self.inner.published.registry();
        let record = registry.credentials.get(&caller.credential)?;
        Some(Account {
            login: record.login.clone(),
            person: record.person.clone(),
            has_password: record.is_password(),
            second_factor_since: record.second_factor.as_ref().map(|factor| factor.since),
            vouched_by: record.vouched_by().map(str::to_owned),
        })
    }

    /// Whether somebody at this address may try to sign in where the exchange verifies nothing itself.
    ///
    /// # Errors
    ///
    /// Says for how long it has failed too often.
    pub fn may_try(&self, peer: &str) -> Result<(), AuthenticationError> {
        let registry = self.inner.published.registry();
        self.inner.verification.may_try(&registry, peer, self.inner.clock.now())
    }

    /// Counts that somebody at this address failed there.
    pub fn count_failure(&self, peer: &str) {
        self.inner.verification.count_failure_of(peer, self.inner.clock.now());
    }

    /// The second factor that the caller's account would have with this nonce.
    ///
    /// # Errors
    ///
    /// Refuses an account without a password.
    pub fn offer_second_factor(&self, caller: &Caller, nonce: &str) -> Result<SecondFactorOffer, AdminError> {
        let registry = self.inner.published.registry();
        let record = with_password(registry.credentials.get(&caller.credential))?;
        let secret = self.inner.verification.second_factor_secret(&record.id, nonce);
        let secret = second_factor::base32(&secret);
        let issuer: String = registry.programme().settings().name.to_string();
        // A login has no character that a URI would have to escape but `@`, which phones take as it is.
        let uri = format!("otpauth://totp/{issuer}:{}?secret={secret}&issuer={issuer}", record.login);
        Ok(SecondFactorOffer { secret, uri })
    }

    /// Adds the second factor of this nonce to the caller's account, if `code` is one of it: whoever cannot give a code
    /// would be shut out.
    ///
    /// # Errors
    ///
    /// Refuses an account without a password, and a code that is not of about now.
    pub fn add_second_factor(&self, caller: &Caller, nonce: &str, code: &str) -> Result<(), AdminError> {
        let (inner, nonce, code) = (Arc::clone(&self.inner), nonce.to_owned(), code.to_owned());
        self.change_account(
            caller,
            caller.credential.clone(),
            "second factor added",
            move |mut record, _, now| {
                with_password(Some(&record))?;
                let secret = inner.verification.second_factor_secret(&record.id, &nonce);
                if second_factor::step_of(&secret, &code, now).is_none() {
                    return Err(AdminError::Invalid("this code is not the one of now".to_owned()));
                }
                record.second_factor = Some(SecondFactor { nonce, since: now });
                Ok(record)
            },
        )
    }

    /// Removes the second factor of an account, for a person who lost it.
    ///
    /// # Errors
    ///
    /// Refuses all but operators, and an account that there is not.
    pub fn remove_second_factor(&self, caller: &Caller, id: &CredentialId) -> Result<(), AdminError> {
        require(caller, &[Role::Operator], "an operator")?;
        self.change_account(caller, id.clone(), "second factor removed", |mut record, _, _| {
            record.second_factor = None;
            Ok(record)
        })
    }

    /// Gives the caller's account another password. The face has asked for the old one.
    ///
    /// # Errors
    ///
    /// Refuses an account without a password, and a password that is too short.
    pub fn change_password(&self, caller: &Caller, password: &str) -> Result<(), AdminError> {
        let password = password.to_owned();
        self.change_account(caller, caller.credential.clone(), "password changed", move |record, salt, _| {
            with_password(Some(&record))?;
            record.with_password(&password, &salt)
        })
    }

    fn change_account(
        &self,
        caller: &Caller,
        id: CredentialId,
        action: &'static str,
        change: impl FnOnce(CredentialRecord, [u8; 32], Timestamp) -> Result<CredentialRecord, AdminError>
        + Send
        + 'static,
    ) -> Result<(), AdminError> {
        let (by, caller) = (name_of(caller), caller.clone());
        let ((), last) =
            self.inner.writer.decide(Instants::HandsOut, move |turn| -> Result<_, AdminError> {
                still_accepted(turn, &caller)?;
                let known = turn.registry.credentials.get(&id).cloned();
                let record = known.ok_or_else(|| AdminError::NoSuchCredential(id.to_string()))?;
                let record = change(record, turn.random_bytes(), turn.now)?;
                put_credential(turn, &record, action, by)
            })?;
        self.inner.wait_until(last);
        Ok(())
    }
}

fn with_password(record: Option<&CredentialRecord>) -> Result<&CredentialRecord, AdminError> {
    record.filter(|record| record.is_password()).ok_or_else(|| {
        AdminError::Invalid("only an account with a password has that; yours has a random secret".to_owned())
    })
}
