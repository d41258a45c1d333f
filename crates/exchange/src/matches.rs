//! Names that may be the same: proposed by the hub, decided by a person.
//!
//! Entities meet by exact identifiers while they are imported (see `registers`). A source that gives none leaves a
//! company under a name of its own, and then a list may name a member's owner without anybody noticing. So when an
//! import is recorded, what it describes is compared by name with what other sources describe, and likely pairs become
//! *proposed matches*. Nothing follows from one until an officer accepts it:
//!
//! ```text
//! import     list says "Huawei Technologies Co., Ltd."; a register says "HUAWEI TECH. CO LTD"
//! compared   -> match 17, score 912, `co ltd` = `co ltd`, no identifier in common          (moves nobody)
//! accepted   -> statement match:17, Same { kept, merged }, by the officer, with all that follows from it
//! rejected   -> remembered: the pair is not proposed again, whatever is imported again
//! ```
//!
//! Identifiers decide and names propose: a pair whose identifiers say that they are two is never proposed, whatever the
//! names; one whose identifiers agree and contradict each other at once is, and shows both.
//!
//! Comparing is done [beside the writer](compare), a piece at a time.

mod compare;
mod file;
mod weigh;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ledger::Body;
use ledger::entry::Vetting;
use model::{Caller, MemberId, Role, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Snapshot, StoreError};
use ties::{AsOf, EntityId, EntityKind, Evidence, ExternalId, ListId, Picture as _, Said, Source, Statement};

pub use self::compare::Compared;
use self::compare::Run;
use crate::error::AdminError;
use crate::exchange::{Exchange, Hand, name_of, require};
use crate::members::{DECIDES, still_accepted};
use crate::registry::MATCH;
use crate::ties::{Imported, record};
use crate::writer::Instants;

/// How many matches one answer holds.
const PAGE_MAX: usize = 500;

/// The longest reason that is kept, in characters.
const REASON_LENGTH_MAX: usize = 1_000;

/// The document of what officers say of matches.
const DOCUMENT: &str = "matches";

/// Two entities that may be one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    /// Which match.
    pub number: u64,
    /// When it was proposed.
    pub at: Timestamp,
    /// The one that was compared.
    pub left: MatchSide,
    /// The one that it may be.
    pub right: MatchSide,
    /// How alike the names are, in thousandths.
    pub score: u16,
    /// Why.
    pub because: Vec<String>,
    /// Identifiers that both have.
    pub agree: Vec<String>,
    /// Identifiers of which each has another, where an entity has one.
    pub contradict: Vec<String>,
    /// What a person said to it.
    pub answered: Option<Answered>,
    /// How often what was said to it was taken back.
    #[serde(default, skip_serializing_if = "is_none")]
    pub reopened: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_none(count: &u32) -> bool {
    *count == 0
}

/// One of the two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchSide {
    /// The entity.
    pub entity: EntityId,
    /// The name that was compared.
    pub name: String,
    /// What it is.
    pub kind: EntityKind,
    /// Its countries.
    pub countries: Vec<String>,
    /// Since when it exists, or when it was born.
    pub founded: Option<String>,
    /// Its identifiers.
    pub identifiers: Vec<ExternalId>,
    /// The documents that are known to speak of it.
    pub documents: Vec<String>,
    /// The member that it is.
    pub member: Option<MemberId>,
    /// The lists that name it.
    pub lists: Vec<ListId>,
}

/// What a person said to a match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// What.
    pub answer: MatchAnswer,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// What a person says to a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MatchAnswer {
    /// They are one.
    Accept,
    /// They are two.
    Reject,
}

/// How far a match has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MatchState {
    /// It waits for a person.
    Open,
    /// They are one.
    Accepted,
    /// They are two.
    Rejected,
}

/// A page of matches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MatchPage {
    /// In the order of their numbers.
    pub matches: Vec<Match>,
    /// Ask for those after this one, if there are more.
    pub next: Option<u64>,
    /// How many wait for a person.
    pub open: usize,
}

impl Match {
    fn state(&self) -> MatchState {
        match self.answered.as_ref().map(|answered| answered.answer) {
            None => MatchState::Open,
            Some(MatchAnswer::Accept) => MatchState::Accepted,
            Some(MatchAnswer::Reject) => MatchState::Rejected,
        }
    }

    /// Whether it is about a member or somebody on a list.
    fn matters(&self) -> bool {
        [&self.left, &self.right].iter().any(|side| side.member.is_some() || !side.lists.is_empty())
    }

    fn pair(&self) -> (EntityId, EntityId) {
        pair(&self.left.entity, &self.right.entity)
    }
}

/// Two entities, whichever came first.
fn pair(one: &EntityId, other: &EntityId) -> (EntityId, EntityId) {
    if one <= other { (one.clone(), other.clone()) } else { (other.clone(), one.clone()) }
}

fn key_of(number: u64) -> String {
    format!("{number:012}")
}

/// The matches of a hub, and the comparing that makes them.
#[derive(Default)]
pub(crate) struct Matcher {
    run: Mutex<Run>,
    /// Read from the store when first asked for.
    asked: Mutex<Option<Asked>>,
}

/// What is remembered of each match.
#[derive(Clone, Debug)]
struct Known {
    state: MatchState,
    pair: (EntityId, EntityId),
    matters: bool,
}

/// The matches that there are.
#[derive(Default)]
struct Asked {
    all: BTreeMap<u64, Known>,
}

impl Asked {
    fn load(snapshot: &dyn Snapshot) -> Result<Self, StoreError> {
        let mut asked = Self::default();
        for record in snapshot.list(MATCH, "")? {
            asked.note(&parse(&record.key, &record.value)?);
        }
        Ok(asked)
    }

    fn note(&mut self, found: &Match) {
        let known = Known { state: found.state(), pair: found.pair(), matters: found.matters() };
        self.all.insert(found.number, known);
    }

    fn open(&self) -> impl Iterator<Item = &Known> {
        self.all.values().filter(|known| known.state == MatchState::Open)
    }

    fn next(&self) -> u64 {
        self.all.last_key_value().map_or(1, |(number, _)| number + 1)
    }
}

fn parse(key: &str, value: &[u8]) -> Result<Match, StoreError> {
    serde_json::from_slice(value).map_err(|error| StoreError::Damaged(format!("match `{key}`: {error}")))
}

impl Exchange {
    fn asked<T>(&self, ask: impl FnOnce(&mut Asked) -> T) -> Result<T, StoreError> {
        let mut asked = self.inner.matcher.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = match &mut *asked {
            Some(asked) => asked,
            none => none.insert(Asked::load(self.inner.store.snapshot()?.as_ref())?),
        };
        Ok(ask(asked))
    }

    /// The matches in a state after the one of that number, at most `limit`. Of those that are open, the pairs that have
    /// become one by other statements since are left out.
    ///
    /// # Errors
    ///
    /// Refuses members.
    pub fn matches(
        &self,
        caller: &Caller,
        state: MatchState,
        after: u64,
        limit: usize,
    ) -> Result<MatchPage, AdminError> {
        require(caller, &Role::ALL, "the programme's people")?;
        let limit = limit.clamp(1, PAGE_MAX);
        let (found, open) = self.asked(|asked| {
            let later = asked.all.range(after.saturating_add(1)..);
            let found = later.filter(|(_, known)| known.state == state);
            let found = found.map(|(number, known)| (*number, known.pair.clone()));
            (found.take(limit + 1).collect::<Vec<_>>(), asked.open().count())
        })?;
        let next = found.get(limit).and_then(|_| found.get(limit - 1)).map(|(number, _)| *number);
        let ties = self.inner.recorded.read();
        let picture = ties.picture(AsOf::at(self.inner.clock.now()));
        let snapshot = self.inner.store.snapshot()?;
        let mut matches = Vec::new();
        for (number, (one, other)) in found.into_iter().take(limit) {
            if state == MatchState::Open && picture.canonical(&one) == picture.canonical(&other) {
                continue;
            }
            let key = key_of(number);
            if let Some(value) = snapshot.get(MATCH, &key)? {
                matches.push(parse(&key, &value)?);
            }
        }
        Ok(MatchPage { matches, next, open })
    }

    /// Says of a match that the two are one, or two. If they are one, that is recorded as a statement of the caller's,
    /// and everything follows that follows from a statement.
    ///
    /// # Errors
    ///
    /// Refuses all but operators and officers, a match that there is not, and one that was answered.
    pub fn answer_match(
        &self,
        caller: &Caller,
        number: u64,
        answer: MatchAnswer,
        reason: &str,
    ) -> Result<(Match, Imported), AdminError> {
        require(caller, DECIDES, "an operator or an officer")?;
        let (inner, caller) = (Arc::clone(&self.inner), caller.clone());
        let reason: String = reason.chars().take(REASON_LENGTH_MAX).collect();
        // What was answered is read from what is durable, so this has a transaction of its own.
        let done = self.recording(Instants::Alone, move |turn| {
            still_accepted(turn, &caller)?;
            let key = key_of(number);
            let value = inner.store.snapshot()?.get(MATCH, &key)?;
            let mut found = parse(&key, &value.ok_or(AdminError::NoSuchMatch(number))?)?;
            if let Some(answered) = &found.answered {
                return Err(AdminError::Invalid(format!(
                    "match {number} was answered by {} at {}",
                    answered.by, answered.at
                )));
            }
            let by = name_of(&caller);
            let imported = match answer {
                MatchAnswer::Accept => {
                    let statement = same(&found, &by, &reason)?;
                    let imported =
                        record(&inner, turn, vec![statement], &format!("match {number}"), by.clone())?;
                    if let Some((_, why)) = imported.refused.first() {
                        return Err(AdminError::Invalid(why.clone()));
                    }
                    imported
                }
                MatchAnswer::Reject => {
                    let said = format!("`{}` and `{}` are two", found.pair().0, found.pair().1);
                    enter(turn, &found, "match rejected", &format!("{said}: {reason}"), &by)?;
                    Imported::default()
                }
            };
            found.answered = Some(Answered { answer, by, at: turn.now, reason });
            turn.put_json(MATCH, &key, &found)?;
            Ok((found, imported))
        })?;
        self.asked(|asked| asked.note(&done.0))?;
        Ok(done)
    }

    /// Takes back what was said to a match, which waits for a person again. If it had been accepted, the statement that
    /// the two are one is retracted, with all that follows from that.
    ///
    /// # Errors
    ///
    /// Refuses all but operators and officers, a match that there is not, one that waits already, and an empty reason.
    pub fn reopen_match(
        &self,
        caller: &Caller,
        number: u64,
        reason: &str,
    ) -> Result<(Match, Imported), AdminError> {
        require(caller, DECIDES, "an operator or an officer")?;
        if reason.trim().is_empty() {
            return Err(AdminError::Invalid("taking an answer back needs a reason".to_owned()));
        }
        let (inner, caller) = (Arc::clone(&self.inner), caller.clone());
        let reason: String = reason.chars().take(REASON_LENGTH_MAX).collect();
        let done = self.recording(Instants::Alone, move |turn| {
            still_accepted(turn, &caller)?;
            let key = key_of(number);
            let value = inner.store.snapshot()?.get(MATCH, &key)?;
            let mut found = parse(&key, &value.ok_or(AdminError::NoSuchMatch(number))?)?;
            let by = name_of(&caller);
            let imported = match found.state() {
                MatchState::Open => {
                    return Err(AdminError::Invalid(format!("match {number} waits already")));
                }
                MatchState::Accepted => {
                    let statement = retracting(&found, &by, &reason)?;
                    record(&inner, turn, vec![statement], &format!("match {number}, taken back"), by)?
                }
                MatchState::Rejected => {
                    enter(turn, &found, "match reopened", &reason, &by)?;
                    Imported::default()
                }
            };
            found.answered = None;
            found.reopened += 1;
            turn.put_json(MATCH, &key, &found)?;
            Ok((found, imported))
        })?;
        self.asked(|asked| asked.note(&done.0))?;
        Ok(done)
    }
}

/// What the statement is called that accepts a match. One that was taken back is not made again.
fn accepting(found: &Match) -> String {
    match found.reopened {
        0 => format!("match:{}", found.number),
        times => format!("match:{}:{times}", found.number),
    }
}

/// The statement that accepts a match.
fn same(found: &Match, by: &str, reason: &str) -> Result<Statement, AdminError> {
    let id = statement_id(&accepting(found))?;
    let names = format!("`{}` and `{}`", found.left.name, found.right.name);
    let told = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    let said = Said::Same {
        kept: found.right.entity.clone(),
        merged: found.left.entity.clone(),
        because: format!("{by} compared {names} and accepted match {}{told}", found.number),
    };
    Ok(Statement { id, said, source: source(by), recorded: Timestamp::EPOCH })
}

/// The statement that takes an acceptance back.
fn retracting(found: &Match, by: &str, reason: &str) -> Result<Statement, AdminError> {
    let of = accepting(found);
    let id = statement_id(&format!("{of}:retracted"))?;
    let because = format!("{by} took the acceptance of match {} back: {reason}", found.number);
    let said = Said::Retraction { of: statement_id(&of)?, because };
    Ok(Statement { id, said, source: source(by), recorded: Timestamp::EPOCH })
}

fn statement_id(id: &str) -> Result<ties::StatementId, AdminError> {
    id.parse().map_err(|error| AdminError::Invalid(format!("`{id}`: {error}")))
}

fn source(by: &str) -> Source {
    Source {
        document: DOCUMENT.to_owned(),
        asserted_by: Some(by.to_owned()),
        evidence: Evidence::Programme,
        ..Source::default()
    }
}

/// Enters into the ledger what was said of a match without a statement.
fn enter(
    turn: &mut Hand<'_>,
    found: &Match,
    action: &str,
    subject: &str,
    by: &str,
) -> Result<(), StoreError> {
    let at = turn.instant(0);
    turn.record(&Body::Vetting(Vetting {
        at: at.to_string(),
        member: None,
        action: action.to_owned(),
        subject: format!("match {}: {subject}", found.number),
        by: by.to_owned(),
        sha256: None,
    }))?;
    Ok(())
}
