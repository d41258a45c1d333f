//! Who sees which numbers.

use std::collections::BTreeMap;

use model::{Caller, LabelId, MemberId, Principal, Role, Timestamp};
use serde::Serialize;
use store::{CommitNo, Snapshot, StoreError};

use super::days::{RANK, READ_AT_ONCE};
use super::tally::{CONTRIBUTION, GIVEN, HIT, Hit};
use super::{REPORTER, Reporter, get, read};
use crate::error::AdminError;
use crate::exchange::Exchange;
use crate::false_positives::{State, state_of};

/// How many entries one answer has at most.
pub const OWN_MAX: usize = 1_000;

/// What became of an object that the caller contributed, as far as it names nobody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OwnObject {
    /// The object.
    pub object: String,
    /// How many days were published.
    pub days: u64,
    /// How often it hit, at least: the published counts added up.
    pub count: u64,
    /// How many members reported it on one day, at least.
    pub members_at_least: u64,
    /// The last day that was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_day: Option<String>,
    /// Whether it was said to be a false positive, and what became of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub false_positive: Option<State>,
}

/// What a member gives and takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Giving {
    /// The member.
    pub member: MemberId,
    /// How many objects it contributed, with all versions and copies.
    pub contributed: u64,
    /// How many of these objects were hit, at anybody.
    pub hit: u64,
    /// How many facts of occurrence it reported.
    pub facts: u64,
    /// When it last reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// How many whole objects it was handed, each as often as it was, by the ledger.
    pub received: u64,
    /// When it last was handed some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_received: Option<Timestamp>,
}

/// How an indicator hits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IndicatorHits {
    /// The indicator.
    pub object: String,
    /// How many members reported it.
    pub members: usize,
    /// How many facts they reported.
    pub facts: u64,
    /// The sum of their buckets.
    pub count: u64,
    /// The last day.
    pub last_day: String,
    /// How many days were published.
    pub published_days: u64,
}

impl Exchange {
    /// What became of the objects that the caller contributed, after the object `after`, at most `limit`: only what is
    /// published anyway, and whether somebody doubts them. Objects of which there is nothing to say are left out.
    ///
    /// # Errors
    ///
    /// Refuses all but members.
    pub fn own_occurrences(
        &self,
        caller: &Caller,
        after: &str,
        limit: usize,
    ) -> Result<Vec<OwnObject>, AdminError> {
        let member = caller.member().ok_or(AdminError::Forbidden { needed: "members" })?;
        let snapshot = self.inner.store.snapshot()?;
        let (prefix, limit) = (format!("{member}/"), limit.min(OWN_MAX));
        let mut after = format!("{prefix}{after}");
        let mut own = Vec::new();
        // Most have nothing to say, so more are read than told.
        while own.len() < limit {
            let records = snapshot.list_after(CONTRIBUTION, &prefix, &after, READ_AT_ONCE)?;
            let Some(last) = records.last() else { break };
            after.clone_from(&last.key);
            for record in &records {
                let object = record.key.strip_prefix(&prefix).unwrap_or_default();
                own.extend(own_object(snapshot.as_ref(), object)?);
            }
        }
        own.truncate(limit);
        Ok(own)
    }

    /// What each member gives and takes, after the member `after`, at most `limit`.
    ///
    /// # Errors
    ///
    /// Refuses all but operators, officers and overseers.
    pub fn giving(&self, caller: &Caller, after: &str, limit: usize) -> Result<Vec<Giving>, AdminError> {
        let registry = self.inner.published.registry();
        may_look(caller)?;
        let view = self.inner.view(caller, &registry)?;
        let snapshot = self.inner.store.snapshot()?;
        let mut labels: BTreeMap<&MemberId, Vec<LabelId>> = BTreeMap::new();
        for (number, facts) in (0..).zip(&registry.labels.facts) {
            if let Principal::Member(creator) = &facts.label.creator {
                labels.entry(creator).or_default().push(LabelId::new(number));
            }
        }
        let hits: BTreeMap<String, u64> = all(snapshot.as_ref(), GIVEN)?;
        let reporters: BTreeMap<String, Reporter> = all(snapshot.as_ref(), REPORTER)?;
        let taken = self.inner.spans.taken(snapshot.as_ref())?;
        let members = registry.members.keys().filter(|id| id.as_str() > after).take(limit.min(OWN_MAX));
        let mut giving = Vec::new();
        for member in members {
            let mut contributed = 0;
            for label in labels.get(member).into_iter().flatten() {
                contributed += snapshot.count_before(&view, *label, CommitNo(u64::MAX))?;
            }
            let hit = hits.get(member.as_str()).copied().unwrap_or_default();
            let (reporter, taken) = (reporters.get(member.as_str()), taken.get(member.as_str()));
            giving.push(Giving {
                member: member.clone(),
                contributed,
                hit,
                facts: reporter.map_or(0, |reporter| reporter.facts),
                last: reporter.map(|reporter| reporter.last),
                received: taken.map_or(0, |taken| taken.objects),
                last_received: taken.and_then(|taken| taken.last.parse().ok()),
            });
        }
        Ok(giving)
    }

    /// How indicators hit, after the object `after`, at most `limit`.
    ///
    /// # Errors
    ///
    /// Refuses all but operators, officers and overseers.
    pub fn indicator_hits(
        &self,
        caller: &Caller,
        after: &str,
        limit: usize,
    ) -> Result<Vec<IndicatorHits>, AdminError> {
        may_look(caller)?;
        let snapshot = self.inner.store.snapshot()?;
        let records = snapshot.list_after(HIT, "", after, limit.min(OWN_MAX))?;
        records.iter().map(|record| Ok(IndicatorHits::of(snapshot.as_ref(), &record.key)?)).collect()
    }

    /// The indicators that hit most, at most `limit`, the first one most.
    ///
    /// # Errors
    ///
    /// Refuses all but operators, officers and overseers.
    pub fn top_hits(&self, caller: &Caller, limit: usize) -> Result<Vec<IndicatorHits>, AdminError> {
        may_look(caller)?;
        let snapshot = self.inner.store.snapshot()?;
        let ranks = snapshot.list_after(RANK, "", "", limit.min(OWN_MAX))?;
        let objects = ranks.iter().filter_map(|rank| rank.key.split_once('/'));
        objects.map(|(_, object)| Ok(IndicatorHits::of(snapshot.as_ref(), object)?)).collect()
    }
}

impl IndicatorHits {
    fn of(snapshot: &dyn Snapshot, object: &str) -> Result<Self, StoreError> {
        let hit: Hit = get(snapshot, HIT, object)?.unwrap_or_default();
        Ok(Self {
            object: object.to_owned(),
            members: hit.members.len(),
            facts: hit.facts,
            count: hit.count,
            last_day: hit.last_day,
            published_days: hit.published_days,
        })
    }
}

/// What may be told of an object to whoever contributed it, if there is anything to say.
fn own_object(snapshot: &dyn Snapshot, object: &str) -> Result<Option<OwnObject>, StoreError> {
    let hit: Hit = get(snapshot, HIT, object)?.unwrap_or_default();
    let false_positive = state_of(snapshot, object)?;
    // That it hit at fewer members than may be told is not to be seen by the entry being there.
    if hit.published_days == 0 && false_positive.is_none() {
        return Ok(None);
    }
    Ok(Some(OwnObject {
        object: object.to_owned(),
        days: hit.published_days,
        count: hit.published.count,
        members_at_least: hit.published.members_at_least,
        last_day: Some(hit.last_published_day).filter(|day| !day.is_empty()),
        false_positive,
    }))
}

/// Every record of a kind of which each member has one at most.
fn all<T: serde::de::DeserializeOwned>(
    snapshot: &dyn Snapshot,
    kind: &str,
) -> Result<BTreeMap<String, T>, StoreError> {
    snapshot.list(kind, "")?.iter().map(|record| Ok((record.key.clone(), read(record)?))).collect()
}

pub(crate) fn may_look(caller: &Caller) -> Result<(), AdminError> {
    let may = matches!(caller.role(), Some(Role::Operator | Role::Officer | Role::Overseer));
    if may { Ok(()) } else { Err(AdminError::Forbidden { needed: "an operator, an officer or an overseer" }) }
}
