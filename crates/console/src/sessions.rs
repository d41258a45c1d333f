//! Who is signed in.
//!
//! A session is found by a random token of 256 bits that only the browser has; here lies its SHA-256. It is made at signing
//! in, never before, so nobody can hand somebody a session to sign in with; and it ends by signing out, after a time
//! without a request, after a time in any case, and (the [`pipeline`](crate::pipeline) sees to that) with its credential.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::{Caller, CredentialId, Timestamp};
use sha2::{Digest as _, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many sessions there are at most, and how many one credential has. Beyond, the one that was silent longest ends.
const SESSIONS_MAX: usize = 10_000;
const PER_CREDENTIAL_MAX: usize = 16;
/// How many pages of a session are kept up to date at once. Those in hidden tabs are not, and a browser has six connections
/// to a host with HTTP/1.1.
const LIVE_MAX: usize = 8;

/// A message that the next page shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flash {
    pub(crate) text: String,
    pub(crate) is_error: bool,
}

/// One session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) caller: Arc<Caller>,
    /// What forms carry, to show that they come from a page of this session.
    pub(crate) form_token: String,
    since: Timestamp,
    last: Mutex<Timestamp>,
    flash: Mutex<Option<Flash>>,
    /// Places for pages that are kept up to date.
    live: Arc<Semaphore>,
}

impl Session {
    /// A place for one more page that is kept up to date.
    pub(crate) fn live_place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.live).try_acquire_owned().ok()
    }

    /// Says something on the next page.
    pub(crate) fn say(&self, flash: Flash) {
        *self.flash.lock().unwrap_or_else(PoisonError::into_inner) = Some(flash);
    }

    /// What is to be said, once.
    pub(crate) fn said(&self) -> Option<Flash> {
        self.flash.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn last(&self) -> Timestamp {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Key = [u8; 32];

/// All sessions, and links that sign in once.
pub(crate) struct Sessions {
    idle_max: Duration,
    session_max: Duration,
    known: Mutex<HashMap<Key, Arc<Session>>>,
    links: Mutex<HashMap<Key, (Caller, Timestamp)>>,
}

fn key_of(token: &str) -> Key {
    Sha256::digest(token.as_bytes()).into()
}

impl Sessions {
    pub(crate) fn new(idle_max: Duration, session_max: Duration) -> Self {
        Self { idle_max, session_max, known: Mutex::default(), links: Mutex::default() }
    }

    /// Begins a session under a fresh token.
    pub(crate) fn begin(&self, token: &str, form_token: String, caller: Caller, now: Timestamp) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, session| self.is_alive(session, now));
        let of_credential = known.values().filter(|session| session.caller.credential == caller.credential);
        let is_crowded = of_credential.count() >= PER_CREDENTIAL_MAX;
        if is_crowded || known.len() >= SESSIONS_MAX {
            let candidates = known
                .iter()
                .filter(|(_, session)| !is_crowded || session.caller.credential == caller.credential);
            let silent = candidates.min_by_key(|(_, session)| session.last()).map(|(key, _)| *key);
            silent.and_then(|key| known.remove(&key));
        }
        let session = Session {
            caller: Arc::new(caller),
            form_token,
            since: now,
            last: Mutex::new(now),
            flash: Mutex::default(),
            live: Arc::new(Semaphore::new(LIVE_MAX)),
        };
        known.insert(key_of(token), Arc::new(session));
    }

    /// The session of a token, which lives on by this.
    pub(crate) fn find(&self, token: &str, now: Timestamp) -> Option<Arc<Session>> {
        let session = self.look(token, now)?;
        *session.last.lock().unwrap_or_else(PoisonError::into_inner) = now;
        Some(session)
    }

    /// The session of a token, for what a page asks by itself: nobody is there for that.
    pub(crate) fn look(&self, token: &str, now: Timestamp) -> Option<Arc<Session>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let key = key_of(token);
        let session = Arc::clone(known.get(&key)?);
        if !self.is_alive(&session, now) {
            known.remove(&key);
            return None;
        }
        Some(session)
    }

    pub(crate) fn end(&self, token: &str) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&key_of(token));
    }

    /// Ends all sessions of a credential.
    pub(crate) fn end_all(&self, credential: &CredentialId) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, session| session.caller.credential != *credential);
    }

    /// A link that signs in once, until an instant.
    pub(crate) fn offer(&self, token: &str, caller: Caller, until: Timestamp) {
        self.links.lock().unwrap_or_else(PoisonError::into_inner).insert(key_of(token), (caller, until));
    }

    /// Whom a link signs in; the link is gone after that.
    pub(crate) fn redeem(&self, token: &str, now: Timestamp) -> Option<Caller> {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.retain(|_, (_, until)| now < *until);
        links.remove(&key_of(token)).map(|(caller, _)| caller)
    }

    fn is_alive(&self, session: &Session, now: Timestamp) -> bool {
        now.since(session.last()) < self.idle_max && now.since(session.since) < self.session_max
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use model::{Principal, Role};

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_micros(minutes * 60_000_000)
    }

    fn caller(credential: u64) -> Caller {
        Caller {
            principal: Principal::Role(Role::Officer),
            credential: CredentialId::from_bits(credential),
            actions: BTreeSet::new(),
            collections: None,
        }
    }

    #[test]
    fn a_session_ends_when_nobody_asks_and_after_its_time() {
        let sessions = Sessions::new(HOUR / 2, HOUR);
        sessions.begin("t", String::new(), caller(1), at(0));
        assert!(sessions.find("u", at(1)).is_none());
        assert!(sessions.find("t", at(29)).is_some());
        assert!(sessions.look("t", at(58)).is_some(), "looking is no request");
        assert!(sessions.find("t", at(58)).is_some(), "a request keeps it");
        assert!(sessions.find("t", at(60)).is_none(), "its time is over");
        sessions.begin("t", String::new(), caller(1), at(100));
        assert!(sessions.look("t", at(129)).is_some());
        assert!(sessions.find("t", at(130)).is_none(), "nobody asked for half an hour");
    }

    #[test]
    fn one_credential_has_so_many_sessions_and_no_more() {
        let sessions = Sessions::new(HOUR, HOUR);
        sessions.begin("other", String::new(), caller(2), at(0));
        for number in 0..=PER_CREDENTIAL_MAX {
            let minute = i64::try_from(number).unwrap();
            sessions.begin(&format!("t{number}"), String::new(), caller(1), at(minute));
        }
        assert!(sessions.find("t0", at(20)).is_none(), "the most silent one made room");
        assert!(sessions.find("t1", at(20)).is_some());
        sessions.end_all(&CredentialId::from_bits(1));
        assert!(sessions.find("t1", at(20)).is_none());
        assert!(sessions.find("other", at(20)).is_some(), "others stay");
    }

    #[test]
    fn a_link_signs_in_once_and_not_late() {
        let sessions = Sessions::new(HOUR, HOUR);
        sessions.offer("a", caller(1), at(10));
        sessions.offer("b", caller(1), at(10));
        assert!(sessions.redeem("a", at(9)).is_some());
        assert!(sessions.redeem("a", at(9)).is_none());
        assert!(sessions.redeem("b", at(10)).is_none());
    }
}
