//! Counting: an indicator's days, and when they are published.

use std::collections::{BTreeMap, BTreeSet};

use model::{MemberId, Principal, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{HeadRecord, Snapshot, StoreError};

use super::days::RANK;
use super::fact::{Fact, OCCURRENCE_EXTENSION, bucket, day_of};
use super::get;
use crate::beside::{Statement, places_of, publish};
use crate::exchange::Hand;

/// Kinds of records: days by indicator; indicators; what of a member's own was hit or doubted, and how many of these hit.
pub(super) const DAY: &str = "occurrence-day";
pub(super) const HIT: &str = "occurrence-hit";
pub(super) const CONTRIBUTION: &str = "contribution";
pub(super) const GIVEN: &str = "contribution-hits";

/// The buckets of numbers of members; each stands for "at least".
const MEMBER_BUCKETS: [u64; 4] = [3, 5, 10, 100];

/// An indicator's day.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct DayTally {
    /// The sum of the buckets that each member reported.
    members: BTreeMap<MemberId, u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    published: Option<Numbers>,
    /// The sightings by the markings that they carry: id and date of creation.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    sightings: BTreeMap<String, (String, Timestamp)>,
}

/// Numbers that name nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Numbers {
    pub(super) count: u64,
    pub(super) members_at_least: u64,
}

/// What is known of an indicator over all days.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Hit {
    pub(super) members: BTreeSet<MemberId>,
    pub(super) facts: u64,
    pub(super) count: u64,
    pub(super) last_day: String,
    /// How many days were published, their counts added up, and the most members of one.
    pub(super) published_days: u64,
    pub(super) published: Numbers,
    pub(super) last_published_day: String,
}

/// What became of an object that a member contributed.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Contribution {
    pub(super) hit: bool,
}

/// Days and indicators while a report is taken.
pub(super) struct Tallies<'s> {
    snapshot: &'s dyn Snapshot,
    days: BTreeMap<(String, String), DayTally>,
    hits: BTreeMap<String, Hit>,
    /// Where the indicators stood that were hit before.
    ranks: BTreeMap<String, String>,
    /// Of how many more objects of each member it is known now that they hit.
    given: BTreeMap<MemberId, u64>,
}

impl<'s> Tallies<'s> {
    pub(super) fn new(snapshot: &'s dyn Snapshot) -> Self {
        let (days, hits, ranks, given) = Default::default();
        Self { snapshot, days, hits, ranks, given }
    }

    pub(super) fn add(
        &mut self,
        turn: &mut Hand<'_>,
        member: &MemberId,
        fact: &Fact,
    ) -> Result<(), StoreError> {
        let day = day_of(fact.hour);
        let key = (day.clone(), fact.object.clone());
        if !self.days.contains_key(&key) {
            let known = get(self.snapshot, DAY, &day_key(&key))?.unwrap_or_default();
            self.days.insert(key.clone(), known);
        }
        if let Some(tally) = self.days.get_mut(&key) {
            let sum = tally.members.entry(member.clone()).or_default();
            *sum = sum.saturating_add(fact.count);
        }
        if !self.hits.contains_key(&fact.object) {
            let known: Option<Hit> = get(self.snapshot, HIT, &fact.object)?;
            let rank = known.as_ref().map(|known| (fact.object.clone(), rank_key(known, &fact.object)));
            self.ranks.extend(rank);
            self.hits.insert(fact.object.clone(), known.unwrap_or_default());
            for member in note_contribution(turn, self.snapshot, &fact.object, true)? {
                *self.given.entry(member).or_default() += 1;
            }
        }
        if let Some(hit) = self.hits.get_mut(&fact.object) {
            hit.members.insert(member.clone());
            hit.facts = hit.facts.saturating_add(1);
            hit.count = hit.count.saturating_add(fact.count);
            hit.last_day = day.max(std::mem::take(&mut hit.last_day));
        }
        Ok(())
    }

    /// Publishes what may be published and is news, and keeps the rest.
    pub(super) fn settle(mut self, turn: &mut Hand<'_>, at: Timestamp) -> Result<(), StoreError> {
        let least = u64::from(turn.registry.programme().settings().guard.occurrence_members_min);
        let mut statements = Vec::new();
        for (key, tally) in &mut self.days {
            let numbers = numbers_of(&tally.members, least);
            if let Some(numbers) = numbers.filter(|numbers| Some(*numbers) != tally.published) {
                state(turn, key, tally, numbers, at, &mut statements)?;
                if let Some(hit) = self.hits.get_mut(&key.1) {
                    hit.publish(&key.0, tally.published, numbers);
                }
                tally.published = Some(numbers);
            }
            turn.put_json(DAY, &day_key(key), tally)?;
        }
        for (object, hit) in &self.hits {
            turn.put_json(HIT, object, hit)?;
            if let Some(before) = self.ranks.get(object) {
                turn.write().remove(RANK, before)?;
            }
            turn.put_json(RANK, &rank_key(hit, object), &())?;
        }
        for (member, more) in &self.given {
            let known: u64 = get(self.snapshot, GIVEN, member.as_str())?.unwrap_or_default();
            turn.put_json(GIVEN, member.as_str(), &known.saturating_add(*more))?;
        }
        publish(turn, &statements, at)
    }
}

impl Hit {
    fn publish(&mut self, day: &str, before: Option<Numbers>, now: Numbers) {
        self.published_days += u64::from(before.is_none());
        let before = before.unwrap_or_default();
        self.published.count = self.published.count.saturating_sub(before.count).saturating_add(now.count);
        self.published.members_at_least = self.published.members_at_least.max(now.members_at_least);
        if *day > *self.last_published_day {
            day.clone_into(&mut self.last_published_day);
        }
    }
}

/// Where an indicator stands among all: the more hits, the earlier in the order of keys.
pub(super) fn rank_key(hit: &Hit, object: &str) -> String {
    format!("{:020}/{object}", u64::MAX - hit.count)
}

fn day_key((day, object): &(String, String)) -> String {
    format!("{day}/{object}")
}

/// What may be told of a day: nothing, unless enough members reported.
fn numbers_of(members: &BTreeMap<MemberId, u64>, least: u64) -> Option<Numbers> {
    let reported = u64::try_from(members.len()).unwrap_or(u64::MAX);
    if reported < least {
        return None;
    }
    let members_at_least =
        MEMBER_BUCKETS.into_iter().rev().find(|bucket| *bucket <= reported).unwrap_or(least);
    let count = bucket(members.values().fold(0, |sum, count| sum.saturating_add(*count)));
    Some(Numbers { count, members_at_least })
}

/// Adds the sightings of a day in a new version.
fn state(
    turn: &Hand<'_>,
    (day, object): &(String, String),
    tally: &mut DayTally,
    numbers: Numbers,
    at: Timestamp,
    statements: &mut Vec<Statement>,
) -> Result<(), StoreError> {
    let identity = turn.registry.programme().settings().identity.id.clone();
    let day = format!("{day}T00:00:00.000000Z");
    for (markings, places) in places_of(turn, object)? {
        let (id, created) = tally.sightings.entry(markings.join(" ")).or_insert_with(|| {
            let uuid = uuid::Builder::from_random_bytes(turn.random_bytes()).into_uuid();
            (format!("sighting--{uuid}"), at)
        });
        let modified = at.to_string();
        let mut sighting = json!({
            "type": "sighting",
            "spec_version": "2.1",
            "id": id,
            "created_by_ref": identity,
            "created": created,
            "modified": modified,
            "first_seen": day,
            "last_seen": day,
            "count": numbers.count,
            "sighting_of_ref": object,
            "extensions": {
                OCCURRENCE_EXTENSION: {
                    "extension_type": "property-extension",
                    "members_at_least": numbers.members_at_least,
                },
            },
        });
        if !markings.is_empty() {
            sighting["object_marking_refs"] = json!(markings);
        }
        let head = HeadRecord { id: id.clone(), version: modified, revoked: false };
        statements.push(Statement { head, body: sighting.to_string().into_bytes(), places });
    }
    Ok(())
}

/// Remembers for those who contributed an object that it was hit, or doubted; gives those of whom it was not known that it
/// was hit.
pub(crate) fn note_contribution(
    turn: &mut Hand<'_>,
    snapshot: &dyn Snapshot,
    object: &str,
    hit: bool,
) -> Result<Vec<MemberId>, StoreError> {
    let mut creators = BTreeSet::new();
    for copy in turn.tx().find(object)? {
        creators.extend(turn.registry.labels.label(copy.run.id.label).map(|label| label.creator.clone()));
    }
    let mut newly_hit = Vec::new();
    for creator in creators {
        let Principal::Member(member) = creator else { continue };
        let key = format!("{member}/{object}");
        let known: Option<Contribution> = get(snapshot, CONTRIBUTION, &key)?;
        let is_newly_hit = hit && known.is_none_or(|known| !known.hit);
        if known.is_none() || is_newly_hit {
            turn.put_json(CONTRIBUTION, &key, &Contribution { hit })?;
        }
        if is_newly_hit {
            newly_hit.push(member);
        }
    }
    Ok(newly_hit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_told_when_enough_members_reported_it() {
        let members = |counts: &[u64]| -> BTreeMap<MemberId, u64> {
            (0..).zip(counts).map(|(n, count)| (MemberId::from_bits(n), *count)).collect()
        };
        let told = |counts: &[u64], least| {
            numbers_of(&members(counts), least).map(|numbers| (numbers.count, numbers.members_at_least))
        };
        let cases: [(&[u64], u64, _); 8] = [
            (&[], 3, None),
            (&[1_000, 1_000], 3, None),
            (&[1, 1, 1], 3, Some((2, 3))),
            (&[10, 2, 5], 3, Some((10, 3))),
            (&[1, 1, 1, 1], 3, Some((2, 3))),
            (&[1, 1, 1, 1, 1], 3, Some((5, 5))),
            (&[1, 1], 2, Some((2, 2))),
            (&[1, 1, 1, 1], 5, None),
        ];
        for (counts, least, want) in cases {
            assert_eq!(told(counts, least), want, "{counts:?} of {least}");
        }
    }
}
