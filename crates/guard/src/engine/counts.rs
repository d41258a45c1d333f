//! What was hit, and what would have been: the numbers by which a site decides to enforce a feed.

use std::collections::BTreeMap;

use serde::Serialize;
use uuid::Uuid;

use crate::judge::Hit;
use crate::occurrence::Action;

/// Of so many indicators each is counted; hits of further ones are counted by feed alone.
const INDICATORS_MAX: usize = 100_000;

/// Hits of one indicator, or of a feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HitCount {
    /// The guard acted.
    pub enforced: u64,
    /// It would have acted.
    pub monitored: u64,
}

impl HitCount {
    fn add(&mut self, action: Action) {
        match action {
            Action::Enforced => self.enforced += 1,
            Action::Monitored => self.monitored += 1,
        }
    }
}

/// All counts since the start.
#[derive(Clone, Debug, Default)]
pub struct HitCounts {
    by_indicator: BTreeMap<Uuid, HitCount>,
    by_feed: BTreeMap<(u16, &'static str), HitCount>,
}

impl HitCounts {
    pub(super) fn count(&mut self, indicator: Uuid, feed: u16, hit: Hit) {
        self.by_feed.entry((feed, hit.service.word())).or_default().add(hit.action);
        if self.by_indicator.len() < INDICATORS_MAX || self.by_indicator.contains_key(&indicator) {
            self.by_indicator.entry(indicator).or_default().add(hit.action);
        }
    }

    /// By feed and countermeasure.
    #[must_use]
    pub fn by_feed(&self) -> &BTreeMap<(u16, &'static str), HitCount> {
        &self.by_feed
    }

    /// The indicators that were hit most, with their counts.
    #[must_use]
    pub fn most(&self, limit: usize) -> Vec<(Uuid, HitCount)> {
        let mut all: Vec<(Uuid, HitCount)> =
            self.by_indicator.iter().map(|(id, count)| (*id, *count)).collect();
        all.sort_by_key(|(id, count)| (u64::MAX - count.enforced.saturating_add(count.monitored), *id));
        all.truncate(limit);
        all
    }

    /// The counts of one indicator.
    #[must_use]
    pub fn of(&self, id: Uuid) -> HitCount {
        self.by_indicator.get(&id).copied().unwrap_or_default()
    }
}
