//! Hits over time: how many facts of occurrence each day has, by countermeasure.
//!
//! The sums are kept as facts come, in the same transaction, so that telling them costs a look at thirty small records and
//! not at every fact. So is the order of indicators by how much they hit: one record each, whose key begins with what is
//! left of a large number when the hits are taken away, so that the first keys are those that hit most.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Caller, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Snapshot, StoreError};

use super::fact::{AGE_MAX, Action, Countermeasure, Fact, day_of};
use super::tally::{CONTRIBUTION, Contribution, GIVEN, HIT, Hit, rank_key};
use super::{FACT, get, may_look};
use crate::error::{AdminError, WriteError};
use crate::exchange::{Exchange, Hand};
use crate::writer::Instants;

/// Kinds of records: sums by day; indicators by how much they hit; that both are kept.
pub(super) const SUM: &str = "occurrence-sum";
pub(super) const RANK: &str = "occurrence-rank";
const SUMMED: &str = "occurrence-summed";

/// How many records are read at once where all are.
pub(super) const READ_AT_ONCE: usize = 4_096;
const DAY: std::time::Duration = std::time::Duration::from_hours(24);

/// The hits of one day by one countermeasure.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DayHits {
    /// The day, in UTC.
    pub day: String,
    /// `sinkhole`, `quarantine` or `flow`.
    pub countermeasure: &'static str,
    /// How many facts were reported.
    pub facts: u64,
    /// The sum of their buckets: at least so many hits.
    pub count: u64,
    /// Of these, those where a guard acted, and not only watched.
    pub enforced: u64,
}

/// What is kept of a day and a countermeasure.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Sum {
    facts: u64,
    count: u64,
    enforced: u64,
}

type DaySums = BTreeMap<Countermeasure, Sum>;

/// Sums by day while facts are taken.
#[derive(Default)]
pub(super) struct Sums(BTreeMap<String, DaySums>);

impl Sums {
    pub(super) fn add(&mut self, fact: &Fact) {
        let day = self.0.entry(day_of(fact.hour)).or_default();
        let sum = day.entry(fact.countermeasure).or_default();
        sum.facts = sum.facts.saturating_add(1);
        sum.count = sum.count.saturating_add(fact.count);
        if fact.action == Action::Enforced {
            sum.enforced = sum.enforced.saturating_add(fact.count);
        }
    }

    /// Adds them to what is kept.
    pub(super) fn settle(self, turn: &mut Hand<'_>, snapshot: &dyn Snapshot) -> Result<(), StoreError> {
        for (day, fresh) in self.0 {
            let mut known: DaySums = get(snapshot, SUM, &day)?.unwrap_or_default();
            for (countermeasure, more) in fresh {
                let sum = known.entry(countermeasure).or_default();
                sum.facts = sum.facts.saturating_add(more.facts);
                sum.count = sum.count.saturating_add(more.count);
                sum.enforced = sum.enforced.saturating_add(more.enforced);
            }
            turn.put_json(SUM, &day, &known)?;
        }
        Ok(())
    }
}

impl Exchange {
    /// The hits of each of the last 30 days, by countermeasure, the newest day first.
    ///
    /// # Errors
    ///
    /// Refuses all but operators, officers and overseers.
    pub fn hits_by_day(&self, caller: &Caller) -> Result<Vec<DayHits>, AdminError> {
        may_look(caller)?;
        let snapshot = self.inner.store.snapshot()?;
        let now = self.inner.clock.now();
        let mut hits = Vec::new();
        for day in days_before(now) {
            let known: DaySums = get(snapshot.as_ref(), SUM, &day)?.unwrap_or_default();
            hits.extend(known.into_iter().map(|(countermeasure, sum)| DayHits {
                day: day.clone(),
                countermeasure: countermeasure.word(),
                facts: sum.facts,
                count: sum.count,
                enforced: sum.enforced,
            }));
        }
        Ok(hits)
    }

    /// Counts what is there once, in the data of an older build, which kept facts and no sums.
    pub(crate) fn sum_occurrences(&self) -> Result<(), WriteError> {
        if self.inner.store.snapshot()?.get(SUMMED, "")?.is_some() {
            return Ok(());
        }
        let inner = Arc::clone(&self.inner);
        self.inner.writer.decide(Instants::Alone, move |turn| -> Result<(), WriteError> {
            let snapshot = inner.store.snapshot()?;
            let mut sums = Sums::default();
            each(snapshot.as_ref(), FACT, |fact: Fact, _| {
                sums.add(&fact);
                Ok(())
            })?;
            for (day, known) in sums.0 {
                turn.put_json(SUM, &day, &known)?;
            }
            each(snapshot.as_ref(), HIT, |hit: Hit, object| {
                turn.put_json(RANK, &rank_key(&hit, object), &())
            })?;
            let mut given: BTreeMap<String, u64> = BTreeMap::new();
            each(snapshot.as_ref(), CONTRIBUTION, |known: Contribution, key| {
                if let Some((member, _)) = key.split_once('/').filter(|_| known.hit) {
                    *given.entry(member.to_owned()).or_default() += 1;
                }
                Ok(())
            })?;
            for (member, hit) in given {
                turn.put_json(GIVEN, &member, &hit)?;
            }
            Ok(turn.put_json(SUMMED, "", &())?)
        })?;
        Ok(())
    }
}

/// The days of which facts are taken, the newest first.
fn days_before(now: Timestamp) -> impl Iterator<Item = String> {
    let days = u32::try_from(AGE_MAX.as_secs() / DAY.as_secs()).unwrap_or(u32::MAX);
    (0..=days).map(move |back| day_of(now - DAY * back))
}

/// Every record of a kind, read as what it is, with its key.
fn each<T: serde::de::DeserializeOwned>(
    snapshot: &dyn Snapshot,
    kind: &str,
    mut then: impl FnMut(T, &str) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut after = String::new();
    loop {
        let records = snapshot.list_after(kind, "", &after, READ_AT_ONCE)?;
        for record in &records {
            let document = serde_json::from_slice(&record.value);
            let damaged = |error| StoreError::Damaged(format!("the record `{kind}/{}`: {error}", record.key));
            then(document.map_err(damaged)?, &record.key)?;
        }
        match records.last() {
            Some(last) if records.len() == READ_AT_ONCE => after.clone_from(&last.key),
            Some(_) | None => return Ok(()),
        }
    }
}
