//! Hits over time: how many facts of occurrence each day has, by countermeasure.

use std::collections::BTreeMap;

use model::Caller;
use serde::Serialize;

use super::FACT;
use super::fact::{AGE_MAX, Action, Countermeasure, Fact, day_of};
use super::listing::may_look;
use crate::error::AdminError;
use crate::exchange::Exchange;

/// How many facts are read for one answer; of days further back nothing is told then.
const READ_MAX: usize = 100_000;
/// How many facts are read at once.
pub(super) const READ_AT_ONCE: usize = 4_096;

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

impl Exchange {
    /// The hits of each of the last 30 days, by countermeasure, the newest day first; and whether days are left out because
    /// there are too many facts.
    ///
    /// # Errors
    ///
    /// Refuses all but operators, officers and overseers.
    pub fn hits_by_day(&self, caller: &Caller) -> Result<(Vec<DayHits>, bool), AdminError> {
        may_look(caller)?;
        let snapshot = self.inner.store.snapshot()?;
        let now = self.inner.clock.now();
        let (mut hits, mut read) = (Vec::new(), 0);
        let days = AGE_MAX.as_secs() / 86_400;
        for back in 0..=days {
            let day = day_of(now - std::time::Duration::from_secs(back * 86_400));
            let prefix = format!("{day}/");
            let mut found: BTreeMap<&'static str, DayHits> = BTreeMap::new();
            let mut after = String::new();
            loop {
                let records = snapshot.list_after(FACT, &prefix, &after, READ_AT_ONCE)?;
                read += records.len();
                if read > READ_MAX {
                    return Ok((hits, true));
                }
                for record in &records {
                    let Ok(fact) = serde_json::from_slice::<Fact>(&record.value) else { continue };
                    let word = word_of(fact.countermeasure);
                    let sum = found.entry(word).or_default();
                    sum.facts += 1;
                    sum.count = sum.count.saturating_add(fact.count);
                    if fact.action == Action::Enforced {
                        sum.enforced = sum.enforced.saturating_add(fact.count);
                    }
                }
                match records.last() {
                    Some(last) if records.len() == READ_AT_ONCE => after.clone_from(&last.key),
                    Some(_) | None => break,
                }
            }
            hits.extend(found.into_iter().map(|(word, sum)| DayHits {
                day: day.clone(),
                countermeasure: word,
                ..sum
            }));
        }
        Ok((hits, false))
    }
}

fn word_of(countermeasure: Countermeasure) -> &'static str {
    match countermeasure {
        Countermeasure::Sinkhole => "sinkhole",
        Countermeasure::Quarantine => "quarantine",
        Countermeasure::Flow => "flow",
    }
}
