//! What is heard of guards: whose guard asked last when, until when it may act, and by which countermeasures it reports.
//!
//! A guard acts for one lease at most without hearing from the hub. The hub cannot know when a guard last heard it, but it
//! knows when the guard last asked, which a guard that follows the hub does four times a minute. So:
//!
//! ```text
//! 12:00:00  asks          heard; its lease ends at 16:00 or a little later (with four hours)
//! 12:05:01  silent        nothing was heard for five minutes: it cannot reach the hub, or does not run
//! 16:00:00  lease over    whatever it held is unloaded by now
//! ```
//!
//! A site may have shortened the lease; then its guard let go earlier. Who asks is in memory, for it changes with every
//! request, and is kept every few minutes so that a restart of the hub does not make a guard that has been away for a week
//! look new. A guard is known by its credential: one that is revoked is no guard any more.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use model::{Caller, CredentialId, MemberId, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Snapshot, StoreError};

use crate::error::{AdminError, WriteError};
use crate::exchange::Exchange;
use crate::occurrences::{Countermeasure, may_look};
use crate::writer::Instants;

/// A kind of records: what was heard of a guard, by its credential.
const GUARD: &str = "guard";
/// How often what was heard is kept.
const KEEP_EVERY: Duration = Duration::from_mins(5);
/// After how long a guard that does not ask is called silent. It asks four times a minute, and after a failure once.
const SILENT_AFTER: Duration = Duration::from_mins(5);
/// How much of the version that a guard says is kept.
const VERSION_CHARS_MAX: usize = 20;

/// What was heard of one guard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Heard {
    member: MemberId,
    version: String,
    last: Timestamp,
    /// When it last reported a hit by each countermeasure.
    #[serde(default)]
    reported: BTreeMap<Countermeasure, Timestamp>,
}

/// What was heard of all guards.
#[derive(Default)]
pub(crate) struct Guards(Mutex<Known>);

#[derive(Default)]
struct Known {
    guards: BTreeMap<CredentialId, Heard>,
    /// Up to when everything is kept.
    kept: Timestamp,
}

/// How a guard stands, as far as the hub can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GuardState {
    /// Its lease ended before it asked again.
    LeaseOver,
    /// It did not ask for some minutes.
    Silent,
    /// It asks.
    Heard,
}

/// A guard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GuardView {
    /// Whose.
    pub member: MemberId,
    /// The member's name.
    pub name: String,
    /// The credential with which it asks.
    pub credential: CredentialId,
    /// The credential's login.
    pub login: String,
    /// The version that it says it has.
    pub version: String,
    /// When it last asked.
    pub heard: Timestamp,
    /// When its lease ends if it hears nothing more, unless its site made it shorter.
    pub lease_until: Timestamp,
    /// How it stands.
    pub state: GuardState,
    /// By which countermeasures it reported hits, and when it last did.
    pub reported: BTreeMap<&'static str, Timestamp>,
}

impl Guards {
    pub(crate) fn load(snapshot: &dyn Snapshot) -> Result<Self, StoreError> {
        let mut known = Known::default();
        for record in snapshot.list(GUARD, "")? {
            let damaged = |what: &dyn std::fmt::Display| {
                StoreError::Damaged(format!("the record `{GUARD}/{}`: {what}", record.key))
            };
            let credential: CredentialId = record.key.parse().map_err(|error| damaged(&error))?;
            let heard: Heard = serde_json::from_slice(&record.value).map_err(|error| damaged(&error))?;
            known.kept = known.kept.max(heard.last);
            known.guards.insert(credential, heard);
        }
        Ok(Self(Mutex::new(known)))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes by which countermeasures the guard of a caller reported, if it is a guard that was heard.
    pub(crate) fn reported(
        &self,
        caller: &Caller,
        countermeasures: impl IntoIterator<Item = Countermeasure>,
        now: Timestamp,
    ) {
        if let Some(heard) = self.known().guards.get_mut(&caller.credential) {
            heard.reported.extend(countermeasures.into_iter().map(|word| (word, now)));
        }
    }
}

impl Exchange {
    /// Notes that a member's guard asked something, and the version that it says it has. Anybody else is no guard.
    pub fn hear_guard(&self, caller: &Caller, version: &str) {
        let Some(member) = caller.member() else { return };
        let now = self.inner.clock.now();
        let mut known = self.inner.guards.known();
        if let Some(heard) = known.guards.get_mut(&caller.credential) {
            heard.last = heard.last.max(now);
            if heard.version == version {
                return;
            }
        }
        let said = version.chars().filter(char::is_ascii_graphic).take(VERSION_CHARS_MAX).collect();
        let fresh =
            || Heard { member: member.clone(), version: String::new(), last: now, reported: BTreeMap::new() };
        known.guards.entry(caller.credential.clone()).or_insert_with(fresh).version = said;
    }

    /// Every guard that was heard and whose credential holds, those first of whom something is wrong.
    ///
    /// # Errors
    ///
    /// Refuses all but operators, officers and overseers.
    pub fn guards(&self, caller: &Caller) -> Result<Vec<GuardView>, AdminError> {
        may_look(caller)?;
        let registry = self.inner.published.registry();
        let now = self.inner.clock.now();
        let lease = Duration::from_hours(u64::from(registry.programme().settings().guard.lease_hours));
        let known = self.inner.guards.known();
        let view = |(id, heard): (&CredentialId, &Heard)| {
            let credential = registry.credentials.get(id).filter(|credential| credential.is_current(now))?;
            let member = registry.members.get(&heard.member)?;
            let lease_until = heard.last + lease;
            let state = match now.since(heard.last) {
                _ if lease_until <= now => GuardState::LeaseOver,
                silence if silence > SILENT_AFTER => GuardState::Silent,
                _ => GuardState::Heard,
            };
            Some(GuardView {
                member: heard.member.clone(),
                name: member.name.clone(),
                credential: id.clone(),
                login: credential.login.clone(),
                version: heard.version.clone(),
                heard: heard.last,
                lease_until,
                state,
                reported: heard.reported.iter().map(|(word, at)| (word.word(), *at)).collect(),
            })
        };
        let mut guards: Vec<GuardView> = known.guards.iter().filter_map(view).collect();
        drop(known);
        guards.sort_by_cached_key(|guard| (guard.state, guard.name.to_lowercase(), guard.credential.clone()));
        Ok(guards)
    }

    /// Keeps what was heard since it was last kept, if that is some minutes ago, and forgets guards whose credential is gone.
    pub(crate) fn keep_guards(&self) -> Result<(), WriteError> {
        let now = self.inner.clock.now();
        let registry = self.inner.published.registry();
        let mut known = self.inner.guards.known();
        let since = known.kept;
        if now < since + KEEP_EVERY {
            return Ok(());
        }
        let news = known.guards.iter().filter(|(_, heard)| heard.last > since);
        let news: Vec<(CredentialId, Heard)> = news.map(|(id, heard)| (id.clone(), heard.clone())).collect();
        let is_gone = |id: &&CredentialId| {
            registry.credentials.get(id).is_none_or(|credential| !credential.is_current(now))
        };
        let gone: Vec<CredentialId> = known.guards.keys().filter(is_gone).cloned().collect();
        known.guards.retain(|id, _| !gone.contains(id));
        known.kept = now;
        drop(known);
        if news.is_empty() && gone.is_empty() {
            return Ok(());
        }
        self.inner.writer.run(Instants::None, move |turn| -> Result<(), WriteError> {
            for (id, heard) in &news {
                turn.put_json(GUARD, id.as_str(), heard)?;
            }
            for id in &gone {
                turn.write().remove(GUARD, id.as_str())?;
            }
            Ok(())
        })?;
        Ok(())
    }
}
