//! Facts of occurrence: that an indicator hit, and nothing about whom.
//!
//! What may leave is a STIX `sighting` with exactly these properties, built from numbers and words of a closed list; no
//! text of a site can get into it, because no parameter takes one:
//!
//! | property | value |
//! |---|---|
//! | `sighting_of_ref` | the indicator, never what was observed |
//! | `first_seen`, `last_seen` | the hour |
//! | `count` | the bucket: 1, 2, 5, 10, 100 or 1,000, and each stands for "at least" |
//! | `extensions` | countermeasure, and whether it was enforced or monitored |
//!
//! Hits are counted here only for customers who consent. An hour is reported once it is over, at a moment of its own, so
//! that neither the time of the report nor its size names a single event. A report's id follows from what it is about
//! and a salt that stays here, so what is sent twice is taken once, and two guards' reports cannot be told to be about the
//! same customer.

use std::collections::BTreeMap;

use model::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::config::Service;
use crate::indicator::id_text;

/// The extension that says which countermeasure it was, and what it did.
pub const OCCURRENCE_EXTENSION: &str = "extension-definition--6d1c6b0e-92b4-4f6e-8a53-0d7c9fb3a1e2";
/// The buckets of counts; each is the least that it stands for.
pub const COUNT_BUCKETS: [u64; 6] = [1, 2, 5, 10, 100, 1_000];
const HOUR_MICROS: i64 = 3_600_000_000;
/// Facts beyond this many wait for nothing: the oldest are dropped, and counted.
const FACTS_MAX: usize = 200_000;

/// What a countermeasure did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It acted.
    Enforced,
    /// It would have acted.
    Monitored,
}

impl Action {
    fn word(self) -> &'static str {
        match self {
            Self::Enforced => "enforced",
            Self::Monitored => "monitored",
        }
    }
}

impl Service {
    /// Its name in reports, metrics and logs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Sinkhole => "sinkhole",
            Self::Quarantine => "quarantine",
            Self::Flow => "flow",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Fact {
    hour: i64,
    indicator: Uuid,
    service: Service,
    action: Action,
}

/// A fact that may leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    fact: Fact,
    /// The sighting.
    pub sighting: Value,
}

/// Facts that wait for their hour to be over.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Facts {
    salt: Uuid,
    counts: Vec<(Fact, u64)>,
    #[serde(skip)]
    open: BTreeMap<Fact, u64>,
    dropped: u64,
}

impl Facts {
    /// None yet. The salt is random and stays on this machine.
    #[must_use]
    pub fn new(salt: Uuid) -> Self {
        Self { salt, counts: Vec::new(), open: BTreeMap::new(), dropped: 0 }
    }

    /// Reads what [`Facts::to_bytes`] wrote; `None` if it is something else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut facts: Self = serde_json::from_slice(bytes).ok()?;
        facts.open = std::mem::take(&mut facts.counts).into_iter().collect();
        Some(facts)
    }

    /// All that waits, to be kept over a restart.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let counts = self.open.iter().map(|(fact, count)| (*fact, *count)).collect();
        let kept = Self { salt: self.salt, counts, open: BTreeMap::new(), dropped: self.dropped };
        serde_json::to_vec(&kept).unwrap_or_default()
    }

    /// Counts a hit of a customer who consents.
    pub fn count(&mut self, indicator: Uuid, service: Service, action: Action, at: Timestamp) {
        let hour = at.as_micros().div_euclid(HOUR_MICROS);
        let count = self.open.entry(Fact { hour, indicator, service, action }).or_default();
        *count = count.saturating_add(1);
        if self.open.len() > FACTS_MAX && self.open.pop_first().is_some() {
            self.dropped += 1;
        }
    }

    /// What happened in hours that ended before `until`, at most `limit` facts, oldest first. It stays here until it is
    /// [`settle`](Self::settle)d.
    #[must_use]
    pub fn due(&self, until: Timestamp, limit: usize) -> Vec<Due> {
        let hour = until.as_micros().div_euclid(HOUR_MICROS);
        let over = self.open.iter().take_while(|(fact, _)| fact.hour < hour).take(limit);
        over.map(|(fact, count)| Due { fact: *fact, sighting: self.sighting(*fact, *count) }).collect()
    }

    /// These have arrived at the hub, or are not wanted there.
    pub fn settle(&mut self, due: &[Due]) {
        for due in due {
            self.open.remove(&due.fact);
        }
    }

    /// How many facts wait, and how many were dropped because too many did.
    #[must_use]
    pub fn waiting(&self) -> (usize, u64) {
        (self.open.len(), self.dropped)
    }

    fn sighting(&self, fact: Fact, count: u64) -> Value {
        let hour = Timestamp::from_micros(fact.hour.saturating_mul(HOUR_MICROS)).to_string();
        let about =
            format!("{} {} {} {}", fact.hour, fact.indicator, fact.service.word(), fact.action.word());
        let id = Uuid::new_v5(&self.salt, about.as_bytes());
        json!({
            "type": "sighting",
            "spec_version": "2.1",
            "id": format!("sighting--{id}"),
            "created": hour,
            "modified": hour,
            "first_seen": hour,
            "last_seen": hour,
            "count": bucket(count),
            "sighting_of_ref": id_text(fact.indicator),
            "extensions": {
                OCCURRENCE_EXTENSION: {
                    "extension_type": "property-extension",
                    "countermeasure": fact.service.word(),
                    "action": fact.action.word(),
                },
            },
        })
    }
}

/// The greatest bucket that is not more than a count.
#[must_use]
pub fn bucket(count: u64) -> u64 {
    COUNT_BUCKETS.into_iter().rev().find(|bucket| *bucket <= count).unwrap_or(COUNT_BUCKETS[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    const INDICATOR: Uuid = Uuid::from_u128(0x8e2e_2d2b_17d4_4cbf_938f_98ee_46b3_cd3f);

    #[test]
    fn counts_become_buckets() {
        let cases =
            [(1, 1), (2, 2), (4, 2), (5, 5), (9, 5), (99, 10), (100, 100), (999, 100), (1_000_000, 1_000)];
        for (count, expected) in cases {
            assert_eq!(bucket(count), expected, "{count}");
        }
    }

    #[test]
    fn a_report_has_the_named_properties_and_no_other() {
        let mut facts = Facts::new(Uuid::from_u128(1));
        for second in 10..17 {
            let when = at(&format!("2026-01-02T03:04:{second}.5Z"));
            facts.count(INDICATOR, Service::Sinkhole, Action::Enforced, when);
        }
        assert!(facts.due(at("2026-01-02T03:59:59Z"), 10).is_empty(), "the hour is not over");
        let due = facts.due(at("2026-01-02T04:00:00Z"), 10);
        let sighting = due[0].sighting.as_object().unwrap();
        let names: Vec<&str> = sighting.keys().map(String::as_str).collect();
        let mut expected = vec![
            "type",
            "spec_version",
            "id",
            "created",
            "modified",
            "first_seen",
            "last_seen",
            "count",
            "sighting_of_ref",
            "extensions",
        ];
        let mut sorted = names.clone();
        sorted.sort_unstable();
        expected.sort_unstable();
        assert_eq!(sorted, expected);
        assert_eq!(sighting["count"], 5);
        assert_eq!(sighting["first_seen"], "2026-01-02T03:00:00.000000Z");
        assert_eq!(sighting["extensions"][OCCURRENCE_EXTENSION]["countermeasure"], "sinkhole");
    }

    #[test]
    fn what_is_sent_twice_has_one_id_and_two_guards_have_two() {
        let reported = |salt| {
            let mut facts = Facts::new(Uuid::from_u128(salt));
            facts.count(INDICATOR, Service::Flow, Action::Monitored, at("2026-01-02T03:04:05Z"));
            let again = Facts::from_bytes(&facts.to_bytes()).unwrap();
            assert_eq!(facts.due(at("2026-01-03"), 1), again.due(at("2026-01-03"), 1));
            facts.due(at("2026-01-03"), 1)[0].sighting["id"].clone()
        };
        assert_eq!(reported(1), reported(1));
        assert_ne!(reported(1), reported(2));
    }

    #[test]
    fn what_is_settled_is_gone_and_the_rest_stays() {
        let mut facts = Facts::new(Uuid::from_u128(1));
        facts.count(INDICATOR, Service::Flow, Action::Monitored, at("2026-01-02T03:04:05Z"));
        facts.count(INDICATOR, Service::Flow, Action::Enforced, at("2026-01-02T05:04:05Z"));
        let due = facts.due(at("2026-01-02T04:30:00Z"), 10);
        assert_eq!(due.len(), 1);
        facts.settle(&due);
        assert_eq!(facts.waiting(), (1, 0));
    }
}
