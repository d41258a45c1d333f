//! What is loaded, and what is not and why.

use std::collections::BTreeMap;

use serde::Serialize;
use uuid::Uuid;

use super::{Set, counts_by_phase};
use crate::indicator::id_text;
use crate::record::{Bound, Phase, Record};

/// Of each reason so many indicators are named.
const SAMPLES_MAX: usize = 20;

/// What a feed's indicators were refused for.
#[derive(Clone, Debug, Default)]
pub struct Refusals {
    counts: BTreeMap<String, u64>,
    samples: BTreeMap<String, Vec<(Uuid, String)>>,
}

impl Refusals {
    pub(super) fn count(&mut self, id: Uuid, reason: &str, words: String) {
        *self.counts.entry(reason.to_owned()).or_default() += 1;
        let samples = self.samples.entry(reason.to_owned()).or_default();
        if samples.len() < SAMPLES_MAX {
            samples.push((id, words));
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// A feed at a glance.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FeedReport {
    /// Its alias.
    pub feed: String,
    /// Indicators that are looked up.
    pub active: u64,
    /// Those that begin later.
    pub waiting: u64,
    /// Those that have ended.
    pub ended: u64,
    /// Active ones of which only keyed hashes are known: they are in no zone and no file.
    pub blinded: u64,
    /// Active ones that only monitor, by reason.
    pub monitored: BTreeMap<&'static str, u64>,
    /// What was not taken, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Some of what was not taken: the indicator and why.
    pub samples: Vec<(String, String)>,
}

/// The set at a glance.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Feed by feed.
    pub feeds: Vec<FeedReport>,
    /// How many values are allowed.
    pub allowed: usize,
    /// Warning lists of types that are not read.
    pub passed_over: Vec<String>,
}

impl Set {
    /// What is loaded; `may_name` says which refused indicators may be named.
    #[must_use]
    pub fn report(&self, may_name: impl Fn(Uuid) -> bool) -> Report {
        let table = self.table();
        let mut feeds = Vec::new();
        for (index, feed) in self.feeds().iter().enumerate() {
            let number = u16::try_from(index).unwrap_or(u16::MAX);
            let phases = counts_by_phase(&table, number);
            let count = |phase| phases.get(&phase).copied().unwrap_or(0);
            let is_active = |record: &&Record| record.feed == number && record.is_active();
            let (mut blinded, mut monitored) = (0, BTreeMap::new());
            for record in table.slots.iter().flatten().filter(is_active) {
                blinded += u64::from(!record.blinded.is_empty());
                for bound in record.bounds.iter() {
                    *monitored.entry(Bound::words(bound)).or_default() += 1;
                }
            }
            let refusals = table.refusals.get(index).cloned().unwrap_or_default();
            let samples = refusals.samples.into_values().flatten();
            let samples = samples.filter(|(id, _)| may_name(*id)).map(|(id, words)| (id_text(id), words));
            feeds.push(FeedReport {
                feed: feed.alias.clone(),
                active: count(Phase::Active),
                waiting: count(Phase::Waiting),
                ended: count(Phase::Ended),
                blinded,
                monitored,
                refused: refusals.counts,
                samples: samples.collect(),
            });
        }
        let lists = self.allowed();
        let (allowed, passed_over) = lists.extent();
        Report { feeds, allowed, passed_over: passed_over.to_vec() }
    }

    /// Forgets what a feed's indicators were refused for: the feed is read anew.
    pub fn forget_refusals(&self, feed: u16) {
        if let Some(refusals) = self.table_mut().refusals.get_mut(usize::from(feed)) {
            refusals.clear();
        }
    }
}
