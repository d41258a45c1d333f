//! False positives: who says that an indicator is wrong, and what the programme says to that.
//!
//! ```text
//! a member, a reviewer: "this is our own mail server"    reported:  a proposal; nothing changes
//! a reviewer, an officer, an operator confirms           confirmed: an opinion of the programme, `strongly-disagree`
//! one of them dismisses, or takes the opinion back       dismissed: the opinion is revoked
//! ```
//!
//! The opinion lies beside the indicator ([`beside`](crate::beside)): it reaches every guard that holds it, and a guard
//! stops acting on what the programme disagrees with. The indicator itself is its producer's, and stays as it is. No
//! member learns who reported; the reason that is published is that of whoever confirmed.

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger::Body;
use ledger::entry::Report;
use model::{Caller, Role, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use store::{HeadRecord, Snapshot, StoreError};

use crate::beside::{Places, Statement, places_of, publish};
use crate::error::AdminError;
use crate::exchange::{Exchange, Hand, name_of, require};
use crate::members::still_accepted;
use crate::occurrences::{get, note_contribution, read, uuid_of};
use crate::writer::Instants;

/// The kind of the records.
const FALSE_POSITIVE: &str = "false-positive";
/// What the programme's opinions on them are labelled with.
pub(crate) const FALSE_POSITIVE_LABEL: &str = "false-positive";
/// How long a reason may be.
const REASON_CHARS_MAX: usize = 2_000;
/// How many reports on one object are kept; a member has one at a time.
const REPORTS_MAX: usize = 10_000;
/// How many entries one answer has at most.
pub const FALSE_POSITIVES_MAX: usize = 1_000;

/// How things stand with a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Somebody says so.
    Reported,
    /// The programme says so.
    Confirmed,
    /// The programme does not say so, or not any more.
    Dismissed,
}

/// What is kept of an object that somebody doubts.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Doubted {
    state: State,
    /// By who reported.
    reports: BTreeMap<String, Doubt>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    decided: Option<Settled>,
    /// The opinions that stand: id and date of creation.
    #[serde(default)]
    opinions: Vec<(String, Timestamp)>,
}

/// One report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// An object that somebody doubts, for those who decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FalsePositive {
    /// The object.
    pub object: String,
    /// How things stand.
    pub state: State,
    /// How many members reported it, and how many of the programme's people.
    pub members: usize,
    /// The programme's people among those who reported.
    pub people: usize,
    /// What they said, oldest first. Who said it, the ledger has.
    pub reports: Vec<Doubt>,
    /// What was decided last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided: Option<Settled>,
}

/// Who decides.
const DECIDERS: [Role; 3] = [Role::Operator, Role::Officer, Role::Reviewer];
const DECIDERS_TEXT: &str = "an operator, an officer or a reviewer";

impl Exchange {
    /// Reports an indicator as a false positive: a proposal, by a member that may have it or by the programme's people.
    ///
    /// # Errors
    ///
    /// Refuses an object that the caller may not have, as if there were none, and a reason that is none.
    pub fn report_false_positive(
        &self,
        caller: &Caller,
        object: &str,
        reason: &str,
    ) -> Result<FalsePositive, AdminError> {
        if caller.member().is_none() {
            require(caller, &DECIDERS, DECIDERS_TEXT)?;
        }
        self.doubt(caller, object, reason, "reported", |_, _, known, (by, said)| {
            let mut doubted = known.unwrap_or_else(|| Doubted {
                state: State::Reported,
                reports: BTreeMap::new(),
                decided: None,
                opinions: Vec::new(),
            });
            if doubted.state == State::Dismissed {
                doubted.state = State::Reported;
            }
            if doubted.reports.len() >= REPORTS_MAX && !doubted.reports.contains_key(&by) {
                return Err(AdminError::Invalid(format!("{REPORTS_MAX} have said so already")));
            }
            doubted.reports.insert(by, said);
            Ok(doubted)
        })
    }

    /// Confirms that an indicator is a false positive: the programme says so wherever the indicator is.
    ///
    /// # Errors
    ///
    /// Refuses all but reviewers, officers and operators, and what nobody reported or is confirmed already.
    pub fn confirm_false_positive(
        &self,
        caller: &Caller,
        object: &str,
        reason: &str,
    ) -> Result<FalsePositive, AdminError> {
        require(caller, &DECIDERS, DECIDERS_TEXT)?;
        self.doubt(caller, object, reason, "confirmed", |turn, object, known, (by, said)| {
            let mut doubted = known.ok_or_else(|| AdminError::NoSuchObject(object.to_owned()))?;
            if doubted.state == State::Confirmed {
                return Err(AdminError::Invalid("it is confirmed already".to_owned()));
            }
            doubted.opinions = confirm(turn, object, &said)?;
            doubted.state = State::Confirmed;
            doubted.decided = Some(Settled { at: said.at, by, reason: said.reason });
            Ok(doubted)
        })
    }

    /// Dismisses a report; what was confirmed is taken back.
    ///
    /// # Errors
    ///
    /// Refuses all but reviewers, officers and operators, and what nobody reported or is dismissed already.
    pub fn dismiss_false_positive(
        &self,
        caller: &Caller,
        object: &str,
        reason: &str,
    ) -> Result<FalsePositive, AdminError> {
        require(caller, &DECIDERS, DECIDERS_TEXT)?;
        self.doubt(caller, object, reason, "dismissed", |turn, object, known, (by, said)| {
            let mut doubted = known.ok_or_else(|| AdminError::NoSuchObject(object.to_owned()))?;
            if doubted.state == State::Dismissed {
                return Err(AdminError::Invalid("it is dismissed already".to_owned()));
            }
            take_back(turn, object, &std::mem::take(&mut doubted.opinions), &said)?;
            doubted.state = State::Dismissed;
            doubted.decided = Some(Settled { at: said.at, by, reason: said.reason });
            Ok(doubted)
        })
    }

    /// What somebody doubts, after the object `after`, at most `limit`.
    ///
    /// # Errors
    ///
    /// Refuses members.
    pub fn false_positives(
        &self,
        caller: &Caller,
        after: &str,
        limit: usize,
    ) -> Result<Vec<FalsePositive>, AdminError> {
        if caller.role().is_none() {
            return Err(AdminError::Forbidden { needed: "the programme's people" });
        }
        let limit = limit.min(FALSE_POSITIVES_MAX);
        let records = self.inner.store.snapshot()?.list_after(FALSE_POSITIVE, "", after, limit)?;
        let shown = records.iter().map(|record| Ok(shown(&record.key, read(record)?)));
        shown.collect::<Result<_, StoreError>>().map_err(AdminError::from)
    }

    fn doubt(
        &self,
        caller: &Caller,
        object: &str,
        reason: &str,
        what: &'static str,
        change: impl FnOnce(&mut Hand<'_>, &str, Option<Doubted>, (String, Doubt)) -> Result<Doubted, AdminError>
        + Send
        + 'static,
    ) -> Result<FalsePositive, AdminError> {
        let reason = reason.trim();
        if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX {
            let why = format!("say why, in at most {REASON_CHARS_MAX} characters");
            return Err(AdminError::Invalid(why));
        }
        if uuid_of(object, "indicator--").is_none() {
            return Err(AdminError::NoSuchObject(object.chars().take(100).collect()));
        }
        let (inner, caller) = (Arc::clone(&self.inner), caller.clone());
        let (object, reason) = (object.to_owned(), reason.to_owned());
        let (shown, last) =
            self.inner.writer.decide(Instants::Alone, move |turn| -> Result<_, AdminError> {
                still_accepted(turn, &caller)?;
                // A member's guard may know it by a reference only, and the member learns no more of it here.
                let named = object.clone();
                let object = if caller.member().is_some() {
                    inner.meant(turn, &caller, &object)?
                } else {
                    let is_here = turn.tx().find(&object)?.iter().any(|copy| copy.left.is_none());
                    // What is confirmed can be taken back when the object is gone.
                    (is_here || what == "dismissed").then_some(object)
                };
                let object = object.ok_or_else(|| AdminError::NoSuchObject(named.clone()))?;
                let snapshot = inner.store.snapshot()?;
                let known = get(snapshot.as_ref(), FALSE_POSITIVE, &object)?;
                let at = turn.now;
                let by = name_of(&caller);
                let sha256 = hex::encode(Sha256::digest(reason.as_bytes()));
                let doubted = change(turn, &object, known, (by.clone(), Doubt { at, reason }))?;
                turn.put_json(FALSE_POSITIVE, &object, &doubted)?;
                note_contribution(turn, snapshot.as_ref(), &object, false)?;
                turn.record(&Body::Report(Report {
                    at: at.to_string(),
                    member: caller.member().map(ToString::to_string),
                    by,
                    action: format!("false positive {what}"),
                    object: Some(named),
                    count: 1,
                    sha256,
                }))?;
                Ok(shown(&object, doubted))
            })?;
        self.inner.wait_until(last);
        Ok(shown)
    }
}

fn shown(object: &str, doubted: Doubted) -> FalsePositive {
    let Doubted { state, reports, decided, .. } = doubted;
    let members = reports.keys().filter(|by| by.starts_with("member:")).count();
    let people = reports.len() - members;
    let mut reports: Vec<Doubt> = reports.into_values().collect();
    reports.sort_by(|a, b| (a.at, &a.reason).cmp(&(b.at, &b.reason)));
    FalsePositive { object: object.to_owned(), state, members, people, reports, decided }
}

/// How things stand with an object, if anybody doubts it.
pub(crate) fn state_of(snapshot: &dyn Snapshot, object: &str) -> Result<Option<State>, StoreError> {
    Ok(get::<Doubted>(snapshot, FALSE_POSITIVE, object)?.map(|doubted| doubted.state))
}

/// The objects that the programme calls false positives.
pub(crate) fn confirmed(snapshot: &dyn Snapshot) -> Result<Vec<String>, StoreError> {
    let mut confirmed = Vec::new();
    let mut after = String::new();
    loop {
        let records = snapshot.list_after(FALSE_POSITIVE, "", &after, FALSE_POSITIVES_MAX)?;
        let Some(last) = records.last() else { return Ok(confirmed) };
        after.clone_from(&last.key);
        for record in &records {
            if read::<Doubted>(record)?.state == State::Confirmed {
                confirmed.push(record.key.clone());
            }
        }
    }
}

/// Publishes the programme's opinion on an object.
fn confirm(turn: &mut Hand<'_>, object: &str, said: &Doubt) -> Result<Vec<(String, Timestamp)>, StoreError> {
    let at = turn.instant(0);
    let (mut opinions, mut statements) = (Vec::new(), Vec::new());
    for (markings, places) in places_of(turn, object)? {
        let uuid = uuid::Builder::from_random_bytes(turn.random_bytes()).into_uuid();
        let id = format!("opinion--{uuid}");
        statements.push(opinion(turn, &id, object, &markings, places, at, (at, &said.reason), false));
        opinions.push((id, at));
    }
    publish(turn, &statements, at)?;
    Ok(opinions)
}

/// Revokes the opinions, wherever they are by now.
fn take_back(
    turn: &mut Hand<'_>,
    object: &str,
    opinions: &[(String, Timestamp)],
    said: &Doubt,
) -> Result<(), StoreError> {
    if opinions.is_empty() {
        return Ok(());
    }
    let at = turn.instant(0);
    let mut statements = Vec::new();
    for (id, created) in opinions {
        for (markings, places) in places_of(turn, id)? {
            let dates = (at, said.reason.as_str());
            statements.push(opinion(turn, id, object, &markings, places, *created, dates, true));
        }
    }
    publish(turn, &statements, at)
}

#[expect(clippy::too_many_arguments, reason = "the properties of one object, named in one place")]
fn opinion(
    turn: &Hand<'_>,
    id: &str,
    object: &str,
    markings: &[String],
    places: Places,
    created: Timestamp,
    (modified, reason): (Timestamp, &str),
    revoked: bool,
) -> Statement {
    let modified = modified.to_string();
    let mut opinion = json!({
        "type": "opinion",
        "spec_version": "2.1",
        "id": id,
        "created_by_ref": turn.registry.programme().settings().identity.id,
        "created": created,
        "modified": modified,
        "labels": [FALSE_POSITIVE_LABEL],
        "explanation": reason,
        "opinion": "strongly-disagree",
        "object_refs": [object],
    });
    if !markings.is_empty() {
        opinion["object_marking_refs"] = json!(markings);
    }
    if revoked {
        opinion["revoked"] = json!(true);
    }
    let head = HeadRecord { id: id.to_owned(), version: modified, revoked };
    Statement { head, body: opinion.to_string().into_bytes(), places }
}
