//! Facts of occurrence: which indicators hit, told by members and published so that nobody is named.
//!
//! A guard reports that an indicator hit, in which hour, about how often, and nothing of whom. The hub knows who reports, since
//! it knows its callers; the other members are not to. So a report is kept, and what is published is a number for a
//! whole day, once enough *different* members have reported the same indicator for it:
//!
//! ```text
//! 2026-01-02  Alpha  10 hits    kept
//!             Beta    2         kept
//!             Gamma   5         three members: a sighting of that day, count 10 (at least), by at least 3
//!             Gamma   1         still these buckets: nothing new
//! ```
//!
//! Numbers are buckets, on the way in and on the way out, so that the step from one version to the next does not tell one
//! member's number. What stays below the number of members is never published, in no part of it. Whether a guard acted or
//! only watched is not told: it would tell how a member is set up.
//!
//! The sighting lies beside the indicator ([`beside`](crate::beside)). Its contributor sees the published numbers, and the
//! programme's people see who gives what hits, and who reports.

mod days;
mod fact;
mod listing;
mod tally;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ledger::Body;
use ledger::entry::Report;
use model::{Caller, MemberId, Timestamp};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use store::{Record, Snapshot, StoreError};

pub use self::days::DayHits;
use self::days::Sums;
pub use self::fact::{COUNT_BUCKETS, OCCURRENCE_EXTENSION};
pub(crate) use self::fact::{Countermeasure, Fact, day_of, uuid_of};
pub(crate) use self::listing::may_look;
pub use self::listing::{Giving, IndicatorHits, OWN_MAX, OwnObject};
use self::tally::Tallies;
pub(crate) use self::tally::note_contribution;
use crate::error::AdminError;
use crate::exchange::{Exchange, Hand, Inner, name_of};
use crate::writer::Instants;

/// Kinds of records: facts by day, member and id; days by indicator; members that report.
const FACT: &str = "occurrence";
const REPORTER: &str = "occurrence-reporter";
const SWEPT: &str = "occurrence-swept";

/// How many facts one report may have.
pub const REPORT_MAX: usize = 1_000;
/// How many facts of one day a member may report: every indicator of a large set, by every countermeasure, some hours long.
const FACTS_PER_DAY_MAX: u64 = 200_000;

/// What became of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reported {
    /// How many facts were new.
    pub accepted: usize,
    /// How many were here already.
    pub already: usize,
    /// Those that were not taken.
    pub refused: Vec<RefusedFact>,
}

/// A fact that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusedFact {
    /// Its id, as far as it has one.
    pub id: String,
    /// Its place in the report, from 0.
    pub place: usize,
    /// Why.
    pub reason: String,
}

/// What is kept of a member that reports.
#[derive(Clone, Debug, Default, Serialize, serde::Deserialize)]
struct Reporter {
    facts: u64,
    last: Timestamp,
    /// How many facts for each of the days that are not swept.
    days: BTreeMap<String, u64>,
}

impl Exchange {
    /// Takes a member's facts of occurrence. What is wrong with one is told by its place, and the others are taken.
    ///
    /// # Errors
    ///
    /// Refuses all but members, and a report that is too long.
    pub fn report_occurrences(&self, caller: &Caller, objects: &[Value]) -> Result<Reported, AdminError> {
        let Some(member) = caller.member().cloned() else {
            return Err(AdminError::Forbidden { needed: "members" });
        };
        if objects.len() > REPORT_MAX {
            let why = format!("a report has at most {REPORT_MAX} facts; this one has {}", objects.len());
            return Err(AdminError::Invalid(why));
        }
        let now = self.inner.clock.now();
        let mut reported = Reported::default();
        let mut facts = Vec::with_capacity(objects.len());
        for (place, object) in objects.iter().enumerate() {
            match fact::read(object, now) {
                Ok(fact) => facts.push((place, fact)),
                Err(reason) => {
                    reported.refused.push(RefusedFact { id: fact::named(object), place, reason });
                }
            }
        }
        if facts.is_empty() {
            return Ok(reported);
        }
        let words: BTreeSet<Countermeasure> = facts.iter().map(|(_, fact)| fact.countermeasure).collect();
        let (inner, by) = (Arc::clone(&self.inner), caller.clone());
        let (mut reported, last) = self.inner.writer.run(Instants::Alone, move |turn| {
            if !turn.registry.accepts(&by, turn.now) {
                return Err(AdminError::Revoked);
            }
            take(&inner, turn, &by, &member, &facts, reported)
        })?;
        reported.refused.sort_by_key(|refused| refused.place);
        if reported.accepted > 0 {
            self.inner.guards.reported(caller, words, now);
        }
        self.inner.wait_until(last);
        Ok(reported)
    }
}

fn take(
    inner: &Inner,
    turn: &mut Hand<'_>,
    caller: &Caller,
    member: &MemberId,
    facts: &[(usize, Fact)],
    mut answer: Reported,
) -> Result<Reported, AdminError> {
    let snapshot = inner.store.snapshot()?;
    let mut teller: Reporter = get(snapshot.as_ref(), REPORTER, member.as_str())?.unwrap_or_default();
    let mut meant: BTreeMap<&str, Option<String>> = BTreeMap::new();
    let mut fresh: BTreeMap<String, Fact> = BTreeMap::new();
    for (place, fact) in facts {
        let day = day_of(fact.hour);
        let key = format!("{day}/{member}/{}", fact.id);
        if fresh.contains_key(&key) || snapshot.get(FACT, &key)?.is_some() {
            answer.already += 1;
            continue;
        }
        if !meant.contains_key(fact.object.as_str()) {
            meant.insert(&fact.object, inner.meant(turn, caller, &fact.object)?);
        }
        let object = meant.get(fact.object.as_str()).cloned().flatten();
        let so_far = teller.days.entry(day).or_default();
        let reason = if object.is_none() {
            Some(format!("there is no object `{}`", fact.object))
        } else if *so_far >= FACTS_PER_DAY_MAX {
            Some(format!("{FACTS_PER_DAY_MAX} facts of this day were taken, which is the limit"))
        } else {
            None
        };
        if let Some(reason) = reason {
            let id = format!("sighting--{}", fact.id);
            answer.refused.push(RefusedFact { id, place: *place, reason });
            continue;
        }
        *so_far += 1;
        fresh.insert(key, Fact { object: object.unwrap_or_default(), ..fact.clone() });
    }
    if fresh.is_empty() {
        return Ok(answer);
    }
    let at = turn.instant(0);
    let mut tallies = Tallies::new(snapshot.as_ref());
    let mut sums = Sums::default();
    let mut digest = Sha256::new();
    for (key, fact) in &fresh {
        tallies.add(turn, member, fact)?;
        sums.add(fact);
        turn.put_json(FACT, key, fact)?;
        digest.update(serde_json::to_vec(fact).unwrap_or_default());
    }
    tallies.settle(turn, at)?;
    sums.settle(turn, snapshot.as_ref())?;
    teller.facts = teller.facts.saturating_add(u64::try_from(fresh.len()).unwrap_or(u64::MAX));
    teller.last = at;
    let oldest = day_of(at - fact::AGE_MAX);
    teller.days.retain(|day, count| *day >= oldest && *count > 0);
    turn.put_json(REPORTER, member.as_str(), &teller)?;
    sweep(turn, snapshot.as_ref(), at)?;
    turn.record(&Body::Report(Report {
        at: at.to_string(),
        member: Some(member.to_string()),
        by: name_of(caller),
        action: "occurrences".to_owned(),
        object: None,
        count: u64::try_from(fresh.len()).unwrap_or(u64::MAX),
        sha256: hex::encode(digest.finalize()),
    }))?;
    answer.accepted = fresh.len();
    Ok(answer)
}

/// Removes what is too old to be added to: days whose facts would be refused.
fn sweep(turn: &mut Hand<'_>, snapshot: &dyn Snapshot, now: Timestamp) -> Result<(), StoreError> {
    const DAY: std::time::Duration = std::time::Duration::from_hours(24);
    /// How many days are made up for at once.
    const DAYS_MAX: u32 = 40;
    let last = day_of(now - fact::AGE_MAX - DAY);
    let swept: String = get(snapshot, SWEPT, "")?.unwrap_or_default();
    if swept >= last {
        return Ok(());
    }
    for back in 0..DAYS_MAX {
        let day = day_of(now - fact::AGE_MAX - DAY * (back + 1));
        if day <= swept {
            break;
        }
        for kind in [FACT, tally::DAY] {
            for record in snapshot.list(kind, &format!("{day}/"))? {
                turn.write().remove(kind, &record.key)?;
            }
        }
        turn.write().remove(days::SUM, &day)?;
    }
    turn.put_json(SWEPT, "", &last)
}

/// A record's document, if there is one.
pub(crate) fn get<T: serde::de::DeserializeOwned>(
    snapshot: &dyn Snapshot,
    kind: &str,
    key: &str,
) -> Result<Option<T>, StoreError> {
    let Some(value) = snapshot.get(kind, key)? else { return Ok(None) };
    document(kind, key, &value).map(Some)
}

/// The document of a record that was listed.
pub(crate) fn read<T: serde::de::DeserializeOwned>(record: &Record) -> Result<T, StoreError> {
    document(&record.kind, &record.key, &record.value)
}

fn document<T: serde::de::DeserializeOwned>(kind: &str, key: &str, value: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(value)
        .map_err(|error| StoreError::Damaged(format!("the record `{kind}/{key}`: {error}")))
}
