//! Credentials: issued, verified, cached, limited, revoked.
//!
//! A credential belongs to one member or to one role. Its secret is 256 random bits, so a keyed hash (HMAC-SHA-256
//! under a key of the hub) is all that has to be kept of it, and verifying costs a microsecond; a password that a
//! person chose is kept as Argon2id instead, which costs tens of milliseconds on purpose. Both are presented as HTTP
//! Basic (`login` and secret) or, the random ones, as a Bearer token `rf_{login}_{secret}`.
//!
//! A success is remembered for a short while under a keyed hash of what was presented, tagged with the epoch: any
//! change of credentials begins an epoch, so a revoked credential is forgotten with the same commit. Failures are
//! counted for each login and for each peer *before* any slow hash is computed, so guessing costs the guesser and
//! not the hub. Where there are passwords, every failure costs a slow hash, whether the login exists or not: how long a
//! refusal takes does not tell.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use model::{Action, Caller, CollectionId, CredentialId, Epoch, Principal, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::certificates::CertificateBinding;
use crate::error::{AdminError, AuthenticationError};
use crate::people;
use crate::registry::Registry;
use crate::second_factor::{self, SecondFactor};

/// How many successes and how many failure counters are remembered at most.
const REMEMBERED_MAX: usize = 65_536;
/// The longest login.
const LOGIN_BYTES_MAX: usize = 128;
/// The shortest password, in characters.
const PASSWORD_LENGTH_MIN: usize = 12;
/// The window in which failures are counted.
const WINDOW_MICROS: i64 = 60_000_000;
/// Argon2id at 19 MiB and 2 passes, about 20 ms (OWASP's first recommendation).
const ARGON2_MEMORY_KIB: u32 = 19_456;
const ARGON2_PASSES: u32 = 2;

/// What is kept of a credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialRecord {
    /// Its name, which is no secret.
    pub id: CredentialId,
    /// The user name under which it is presented.
    pub login: String,
    /// Whom it stands for.
    pub principal: Principal,
    /// What it may be used for.
    pub actions: BTreeSet<Action>,
    /// What it is narrowed to, if it is.
    pub collections: Option<BTreeSet<CollectionId>>,
    /// What people call it.
    pub note: String,
    /// The person who has it, where it is one of the programme's people.
    #[serde(default)]
    pub person: Option<String>,
    /// When it was issued.
    pub created: Timestamp,
    /// From when on it is no longer accepted.
    pub expires: Option<Timestamp>,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
    /// The second factor that goes with its password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) second_factor: Option<SecondFactor>,
    pub(crate) verifier: Verifier,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verifier {
    /// HMAC-SHA-256 of a random secret, in hex.
    Keyed(String),
    /// A password in the PHC format of Argon2id.
    Argon2id(String),
    /// Nothing that is presented: a provider vouches for the person.
    Vouched {
        /// The provider.
        issuer: String,
        /// Who it is there.
        subject: String,
    },
    /// A certificate that a face has verified.
    Certificate(CertificateBinding),
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keyed(_) => "Keyed(..)",
            Self::Argon2id(_) => "Argon2id(..)",
            Self::Vouched { .. } => "Vouched(..)",
            Self::Certificate(_) => "Certificate(..)",
        })
    }
}

impl CredentialRecord {
    /// Whether it is accepted at `now`.
    #[must_use]
    pub fn is_current(&self, now: Timestamp) -> bool {
        self.revoked.is_none() && self.expires.is_none_or(|expires| now < expires)
    }

    /// Whether a person chose its secret.
    pub(crate) fn is_password(&self) -> bool {
        match self.verifier {
            Verifier::Argon2id(_) => true,
            Verifier::Keyed(_) | Verifier::Vouched { .. } | Verifier::Certificate(_) => false,
        }
    }

    /// Whether it is presented with a secret that the hub made.
    pub(crate) fn has_random_secret(&self) -> bool {
        match self.verifier {
            Verifier::Keyed(_) => true,
            Verifier::Argon2id(_) | Verifier::Vouched { .. } | Verifier::Certificate(_) => false,
        }
    }

    /// The certificates that it is, if it is such a credential.
    #[must_use]
    pub fn certificate(&self) -> Option<&CertificateBinding> {
        match &self.verifier {
            Verifier::Certificate(binding) => Some(binding),
            Verifier::Keyed(_) | Verifier::Argon2id(_) | Verifier::Vouched { .. } => None,
        }
    }

    /// One that is a certificate.
    pub(crate) fn bound(
        new: NewCredential,
        id: CredentialId,
        binding: CertificateBinding,
        now: Timestamp,
    ) -> Result<Self, AdminError> {
        let login = id.as_str().trim_start_matches("credential:").to_owned();
        Self::new(new, (id, login), Verifier::Certificate(binding), now)
    }

    fn new(
        new: NewCredential,
        (id, login): (CredentialId, String),
        verifier: Verifier,
        now: Timestamp,
    ) -> Result<Self, AdminError> {
        Ok(Self {
            id,
            login,
            principal: new.principal,
            actions: new.actions,
            collections: new.collections,
            note: new.note,
            person: new.person.as_deref().map(people::name).transpose()?,
            created: now,
            expires: new.expires,
            revoked: None,
            second_factor: None,
            verifier,
        })
    }

    /// The provider that vouches for whoever has it, if one does.
    #[must_use]
    pub fn vouched_by(&self) -> Option<&str> {
        match &self.verifier {
            Verifier::Vouched { issuer, .. } => Some(issuer),
            Verifier::Keyed(_) | Verifier::Argon2id(_) | Verifier::Certificate(_) => None,
        }
    }

    /// Whether it is that of a provider's person.
    pub(crate) fn is_vouched_for(&self, by: &str, whom: &str) -> bool {
        match &self.verifier {
            Verifier::Vouched { issuer, subject } => issuer == by && subject == whom,
            Verifier::Keyed(_) | Verifier::Argon2id(_) | Verifier::Certificate(_) => false,
        }
    }

    /// The same with another password.
    pub(crate) fn with_password(mut self, password: &str, salt: &[u8; 32]) -> Result<Self, AdminError> {
        self.verifier = chosen(password, salt)?;
        Ok(self)
    }

    pub(crate) fn caller(&self) -> Caller {
        Caller {
            principal: self.principal.clone(),
            credential: self.id.clone(),
            actions: self.actions.clone(),
            collections: self.collections.clone(),
        }
    }
}

/// What a new credential is to be.
#[derive(Clone, Debug)]
pub struct NewCredential {
    /// Whom it stands for.
    pub principal: Principal,
    /// The user name; a random one if `None`.
    pub login: Option<String>,
    /// What it may be used for.
    pub actions: BTreeSet<Action>,
    /// What it is narrowed to.
    pub collections: Option<BTreeSet<CollectionId>>,
    /// From when on it is no longer accepted.
    pub expires: Option<Timestamp>,
    /// What people call it.
    pub note: String,
    /// The person who has it, where it is one of the programme's people. All credentials of one person count as one where
    /// different people are needed; left out, the credential counts as a person of its own.
    pub person: Option<String>,
    /// A password that a person chose, instead of a random secret.
    pub password: Option<String>,
}

/// A new credential with its secret, which is shown once and kept nowhere.
#[derive(Clone)]
pub struct CredentialSecret {
    /// What is kept.
    pub record: CredentialRecord,
    /// The secret, to be presented as the password of HTTP Basic.
    pub secret: String,
    /// The Bearer token; none for a password.
    pub token: Option<String>,
}

impl fmt::Debug for CredentialSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialSecret").field("record", &self.record).finish_non_exhaustive()
    }
}

/// What a caller presents.
pub enum Attempt<'a> {
    /// HTTP Basic.
    Basic {
        /// The user name.
        login: &'a str,
        /// The password or secret.
        secret: &'a str,
    },
    /// A Bearer token.
    Bearer(&'a str),
}

impl<'a> Attempt<'a> {
    /// Login and secret; `None` if the token is not one of ours.
    fn parts(&self) -> Option<(&'a str, &'a str)> {
        match *self {
            Self::Basic { login, secret } => Some((login, secret)),
            // The secret's alphabet has `_`, a login's has not.
            Self::Bearer(token) => token.strip_prefix("rf_")?.split_once('_'),
        }
    }
}

/// Verifies credentials and remembers, for a while, what it verified and what failed.
pub(crate) struct Verification {
    key: [u8; 32],
    known: Mutex<HashMap<[u8; 32], Known>>,
    /// By a keyed hash of the counter's name, so that names of any length take the same room.
    failures: Mutex<HashMap<[u8; 32], Failures>>,
    /// The step of the last code that each account's second factor was accepted with.
    used_steps: Mutex<HashMap<CredentialId, u64>>,
    /// When each credential was last accepted. There are no more of them than credentials.
    last_used: Mutex<HashMap<CredentialId, Timestamp>>,
    #[cfg(test)]
    slow_hashes: std::sync::atomic::AtomicUsize,
}

struct Known {
    caller: Caller,
    epoch: Epoch,
    until: Timestamp,
}

struct Failures {
    since: Timestamp,
    count: u32,
}

impl Verification {
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self {
            key,
            known: Mutex::default(),
            failures: Mutex::default(),
            used_steps: Mutex::default(),
            last_used: Mutex::default(),
            #[cfg(test)]
            slow_hashes: std::sync::atomic::AtomicUsize::new(0),
        }
    }

    fn mac(&self, purpose: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        let mut mac =
            <Hmac<Sha256> as Mac>::new_from_slice(&self.key).expect("HMAC takes a key of any length");
        mac.update(purpose);
        for part in parts {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// Makes a credential.
    pub(crate) fn issue(
        &self,
        new: NewCredential,
        id: CredentialId,
        secret_bytes: [u8; 32],
        now: Timestamp,
    ) -> Result<CredentialSecret, AdminError> {
        let digits = id.as_str().trim_start_matches("credential:").to_owned();
        let login = new.login.clone().unwrap_or(digits);
        let well_formed = !login.is_empty()
            && login.len() <= LOGIN_BYTES_MAX
            && login.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'@'));
        if !well_formed {
            return Err(AdminError::Invalid(format!(
                "`{login}` is not a login: 1 to 128 of A-Z, a-z, 0-9, `-`, `.` and `@`"
            )));
        }
        let (verifier, secret, token) = if let Some(password) = &new.password {
            (chosen(password, &secret_bytes)?, password.clone(), None)
        } else {
            let secret = URL_SAFE_NO_PAD.encode(secret_bytes);
            let keyed = self.mac(b"secret\n", &[login.as_bytes(), secret.as_bytes()]);
            let token = format!("rf_{login}_{secret}");
            (Verifier::Keyed(hex::encode(keyed)), secret, Some(token))
        };
        let record = CredentialRecord::new(new, (id, login), verifier, now)?;
        Ok(CredentialSecret { record, secret, token })
    }

    /// Recognises a caller.
    pub(crate) fn verify(
        &self,
        registry: &Registry,
        attempt: &Attempt<'_>,
        peer: &str,
        now: Timestamp,
    ) -> Result<Caller, AuthenticationError> {
        let (login, secret) = attempt.parts().ok_or(AuthenticationError::Refused)?;
        if login.len() > LOGIN_BYTES_MAX {
            return Err(AuthenticationError::Refused);
        }
        let presented = self.mac(b"presented\n", &[login.as_bytes(), secret.as_bytes()]);
        if let Some(caller) = self.recall(&presented, registry.epoch, now) {
            return Ok(caller);
        }
        // A password alone is not accepted of an account with a second factor, or the second factor would mean nothing.
        let (caller, expires) = self.check(registry, (login, secret), None, peer, now)?;
        let seconds = i64::from(registry.programme().settings().limits.credential_cache_seconds);
        let cached = now.plus_micros(seconds.saturating_mul(1_000_000));
        let until = expires.map_or(cached, |expires| expires.min(cached));
        self.remember(presented, Known { caller: caller.clone(), epoch: registry.epoch, until });
        Ok(caller)
    }

    /// Recognises a person who signs in, with the code of the second factor where the account has one. Nothing of it is
    /// remembered: the same code is not accepted twice.
    pub(crate) fn sign_in(
        &self,
        registry: &Registry,
        attempt: &Attempt<'_>,
        code: Option<&str>,
        peer: &str,
        now: Timestamp,
    ) -> Result<Caller, AuthenticationError> {
        let (login, secret) = attempt.parts().ok_or(AuthenticationError::Refused)?;
        if login.len() > LOGIN_BYTES_MAX {
            return Err(AuthenticationError::Refused);
        }
        self.check(registry, (login, secret), code, peer, now).map(|(caller, _)| caller)
    }

    /// Notes that a caller's credential was accepted.
    pub(crate) fn note_use(&self, caller: &Caller, now: Timestamp) {
        let mut last_used = self.last_used.lock().unwrap_or_else(PoisonError::into_inner);
        // Mostly it is there, and its id need not be copied.
        match last_used.get_mut(&caller.credential) {
            Some(known) => *known = now,
            None => drop(last_used.insert(caller.credential.clone(), now)),
        }
    }

    pub(crate) fn last_used(&self, id: &CredentialId) -> Option<Timestamp> {
        self.last_used.lock().unwrap_or_else(PoisonError::into_inner).get(id).copied()
    }

    /// Whether a peer may try to sign in by a provider: it has not failed too often, here or otherwise.
    pub(crate) fn may_try(
        &self,
        registry: &Registry,
        peer: &str,
        now: Timestamp,
    ) -> Result<(), AuthenticationError> {
        let allowed = registry.programme().settings().limits.failed_attempts_per_minute;
        self.check_failures(&self.mac(b"peer\n", &[peer.as_bytes()]), allowed, now)
    }

    /// Counts a failure of a peer.
    pub(crate) fn count_failure_of(&self, peer: &str, now: Timestamp) {
        self.count_failure(&self.mac(b"peer\n", &[peer.as_bytes()]), now);
    }

    /// Holds a login, a secret and the code of a second factor against what is kept, and counts failures.
    fn check(
        &self,
        registry: &Registry,
        (login, secret): (&str, &str),
        code: Option<&str>,
        peer: &str,
        now: Timestamp,
    ) -> Result<(Caller, Option<Timestamp>), AuthenticationError> {
        let limits = registry.programme().settings().limits;
        let credential = registry.logins.get(login).and_then(|id| registry.credentials.get(id));
        let mut counters = vec![self.mac(b"peer\n", &[peer.as_bytes()])];
        // A random secret cannot be guessed, so its login is not counted: counting would let anybody lock it out. A
        // password is weaker, and its hash is slow; a login that nobody has is refused as one with a password is.
        if credential.is_none_or(CredentialRecord::is_password) {
            counters.push(self.mac(b"login\n", &[login.as_bytes()]));
        }
        for counter in &counters {
            self.check_failures(counter, limits.failed_attempts_per_minute, now)?;
        }
        let matches = credential.is_some_and(|credential| self.matches(credential, secret));
        let took_long = credential.is_some_and(CredentialRecord::is_password);
        if !matches && !took_long && registry.credentials.values().any(CredentialRecord::is_password) {
            self.spend_as_for_a_password(secret);
        }
        let accepted = credential.filter(|credential| matches && credential.is_current(now));
        let Some(credential) = accepted.filter(|credential| self.has_second_factor(credential, code, now))
        else {
            for counter in &counters {
                self.count_failure(counter, now);
            }
            return Err(AuthenticationError::Refused);
        };
        Ok((credential.caller(), credential.expires))
    }

    /// Whether the account has no second factor, or `code` is its code now and was not used before.
    fn has_second_factor(&self, credential: &CredentialRecord, code: Option<&str>, now: Timestamp) -> bool {
        let Some(factor) = &credential.second_factor else { return true };
        let secret = self.second_factor_secret(&credential.id, &factor.nonce);
        let Some(step) = code.and_then(|code| second_factor::step_of(&secret, code, now)) else {
            return false;
        };
        let mut used = self.used_steps.lock().unwrap_or_else(PoisonError::into_inner);
        // RFC 6238 §5.2: a code is accepted once. So is one that is older than one that was accepted.
        if used.get(&credential.id).is_some_and(|last| step <= *last) {
            return false;
        }
        used.insert(credential.id.clone(), step);
        true
    }

    /// The secret of a second factor. It follows from the hub's key, so the store holds nothing that a thief could use.
    pub(crate) fn second_factor_secret(&self, id: &CredentialId, nonce: &str) -> [u8; 20] {
        let whole = self.mac(b"second factor\n", &[id.as_str().as_bytes(), nonce.as_bytes()]);
        std::array::from_fn(|at| whole[at])
    }

    fn matches(&self, credential: &CredentialRecord, secret: &str) -> bool {
        match &credential.verifier {
            Verifier::Keyed(kept) => {
                let computed =
                    hex::encode(self.mac(b"secret\n", &[credential.login.as_bytes(), secret.as_bytes()]));
                computed.as_bytes().ct_eq(kept.as_bytes()).into()
            }
            Verifier::Argon2id(kept) => {
                self.count_slow_hash();
                PasswordHash::new(kept)
                    .is_ok_and(|hash| Argon2::default().verify_password(secret.as_bytes(), &hash).is_ok())
            }
            Verifier::Vouched { .. } | Verifier::Certificate(_) => false,
        }
    }

    /// Does the work of verifying a password, of which nothing is wanted but that it takes its time.
    fn spend_as_for_a_password(&self, secret: &str) {
        self.count_slow_hash();
        drop(slow_hash(secret, &[0; 32]));
    }

    #[cfg(test)]
    fn count_slow_hash(&self) {
        self.slow_hashes.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "only tests count")]
    fn count_slow_hash(&self) {}

    /// The caller that these credentials stood for a short while ago, under the same epoch.
    pub(crate) fn recall_attempt(
        &self,
        attempt: &Attempt<'_>,
        epoch: Epoch,
        now: Timestamp,
    ) -> Option<Caller> {
        let (login, secret) = attempt.parts()?;
        let presented = self.mac(b"presented\n", &[login.as_bytes(), secret.as_bytes()]);
        self.recall(&presented, epoch, now)
    }

    fn recall(&self, presented: &[u8; 32], epoch: Epoch, now: Timestamp) -> Option<Caller> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get(presented)?;
        (known.epoch == epoch && now < known.until).then(|| known.caller.clone())
    }

    fn remember(&self, presented: [u8; 32], fresh: Known) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(presented, fresh);
    }

    fn check_failures(
        &self,
        counter: &[u8; 32],
        allowed: u32,
        now: Timestamp,
    ) -> Result<(), AuthenticationError> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(seen) = failures.get(counter) else { return Ok(()) };
        let over = seen.since.plus_micros(WINDOW_MICROS);
        if seen.count < allowed || now >= over {
            return Ok(());
        }
        Err(AuthenticationError::Throttled { retry_after_seconds: over.since(now).as_secs() + 1 })
    }

    fn count_failure(&self, counter: &[u8; 32], now: Timestamp) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= REMEMBERED_MAX {
            failures.retain(|_, seen| now < seen.since.plus_micros(WINDOW_MICROS));
        }
        if failures.len() >= REMEMBERED_MAX && !failures.contains_key(counter) {
            return;
        }
        let seen = failures.entry(*counter).or_insert(Failures { since: now, count: 0 });
        if now >= seen.since.plus_micros(WINDOW_MICROS) {
            *seen = Failures { since: now, count: 0 };
        }
        seen.count = seen.count.saturating_add(1);
    }
}

/// What is kept of a password that a person chose.
fn chosen(password: &str, salt: &[u8; 32]) -> Result<Verifier, AdminError> {
    if password.chars().count() < PASSWORD_LENGTH_MIN {
        let message = format!("a password needs at least {PASSWORD_LENGTH_MIN} characters");
        return Err(AdminError::Invalid(message));
    }
    Ok(Verifier::Argon2id(slow_hash(password, salt)?))
}

fn slow_hash(password: &str, salt: &[u8; 32]) -> Result<String, AdminError> {
    let failed =
        |error: &dyn fmt::Display| AdminError::Invalid(format!("the password could not be hashed: {error}"));
    let salt = SaltString::encode_b64(&salt[..16]).map_err(|error| failed(&error))?;
    let params = Params::new(ARGON2_MEMORY_KIB, ARGON2_PASSES, 1, None).map_err(|error| failed(&error))?;
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password(password.as_bytes(), &salt)
        .map(|hash| hash.to_string())
        .map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::Role;
    use programme::Programme;
    use release::Policy;
    use store::{MemoryStore, Store as _};

    use super::*;

    #[test]
    fn every_failure_costs_the_same_where_there_are_passwords() {
        let now: Timestamp = "2012-03-28T00:00:00Z".parse().unwrap();
        let verification = Verification::new([3; 32]);
        let programme = Arc::new(Programme::from_files(&programme::template()).unwrap());
        let policy = Arc::new(Policy::new(programme).unwrap());
        let store = MemoryStore::new();
        let mut registry = Registry::load(store.snapshot().unwrap().as_ref(), policy).unwrap();
        let issue = |registry: &mut Registry, number: u64, login: &str, password: Option<&str>| {
            let new = NewCredential {
                principal: Principal::Role(Role::Officer),
                login: Some(login.to_owned()),
                actions: [Action::Read].into(),
                collections: None,
                expires: None,
                note: String::new(),
                person: None,
                password: password.map(str::to_owned),
            };
            let id = CredentialId::from_bits(number);
            let issued = verification.issue(new, id.clone(), [7; 32], now).unwrap();
            Arc::make_mut(&mut registry.logins).insert(login.to_owned(), id.clone());
            Arc::make_mut(&mut registry.credentials).insert(id, issued.record.clone());
            issued.secret
        };
        let refuse = |registry: &Registry, login: &str| {
            let before = verification.slow_hashes.load(std::sync::atomic::Ordering::Relaxed);
            let attempt = Attempt::Basic { login, secret: "a wrong password" };
            assert_eq!(
                verification.verify(registry, &attempt, login, now),
                Err(AuthenticationError::Refused)
            );
            verification.slow_hashes.load(std::sync::atomic::Ordering::Relaxed) - before
        };
        let secret = issue(&mut registry, 1, "keyed", None);
        assert_eq!(
            ["keyed", "nobody"].map(|login| refuse(&registry, login)),
            [0, 0],
            "there is nothing to hide"
        );
        issue(&mut registry, 2, "person", Some("a long enough password"));
        assert_eq!(["keyed", "nobody", "person"].map(|login| refuse(&registry, login)), [1, 1, 1]);
        let before = verification.slow_hashes.load(std::sync::atomic::Ordering::Relaxed);
        let attempt = Attempt::Basic { login: "keyed", secret: &secret };
        verification.verify(&registry, &attempt, "a peer", now).unwrap();
        let after = verification.slow_hashes.load(std::sync::atomic::Ordering::Relaxed);
        assert_eq!(after, before, "a success with a random secret is quick");
    }

    #[test]
    fn a_login_that_nobody_has_is_throttled_as_one_with_a_password() {
        let now: Timestamp = "2012-03-28T00:00:00Z".parse().unwrap();
        let verification = Verification::new([3; 32]);
        let programme = Arc::new(Programme::from_files(&programme::template()).unwrap());
        let policy = Arc::new(Policy::new(programme).unwrap());
        let store = MemoryStore::new();
        let registry = Registry::load(store.snapshot().unwrap().as_ref(), policy).unwrap();
        let limit = registry.programme().settings().limits.failed_attempts_per_minute;
        let attempt = Attempt::Basic { login: "nobody", secret: "a guess" };
        for n in 0..limit {
            let peer = format!("192.0.2.{n}");
            assert_eq!(
                verification.verify(&registry, &attempt, &peer, now),
                Err(AuthenticationError::Refused)
            );
        }
        let told = verification.verify(&registry, &attempt, "198.51.100.1", now);
        assert!(matches!(told, Err(AuthenticationError::Throttled { .. })), "{told:?}");
    }
}
