//! What is loaded, and what is not and why.

use std::collections::BTreeMap;

use model::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::Set;
use crate::indicator::id_text;
use crate::record::{Bound, Phase, Record};

/// Of each reason so many indicators are named.
const SAMPLES_MAX: usize = 20;

/// So many records are looked at under one lock: far below a millisecond.
const WALK: usize = 8_192;

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
    /// Active ones that are known by keyed hashes only.
    pub blinded: u64,
    /// When the first of the active ones ends.
    pub ends_first: Option<Timestamp>,
    /// When the last of those ends that have an end.
    pub ends_last: Option<Timestamp>,
    /// Active ones without an end.
    pub endless: u64,
    /// Active ones whose patterns are evaluated, since no look-up will do. They stand in no zone and no export.
    pub evaluated: u64,
    /// Active ones that only monitor, by reason.
    pub monitored: BTreeMap<&'static str, u64>,
    /// What was not taken, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Some of what was not taken: the indicator and why.
    pub samples: Vec<(String, String)>,
}

impl FeedReport {
    fn count(&mut self, record: &Record) {
        match record.phase {
            Phase::Active => self.active += 1,
            Phase::Waiting => self.waiting += 1,
            Phase::Ended => self.ended += 1,
        }
        if !record.is_active() {
            return;
        }
        self.blinded += u64::from(!record.blinded.is_empty());
        self.evaluated += u64::from(record.rule.is_some());
        match record.until {
            Some(until) => {
                self.ends_first = Some(self.ends_first.map_or(until, |other| other.min(until)));
                self.ends_last = self.ends_last.max(Some(until));
            }
            None => self.endless += 1,
        }
        for bound in record.bounds.iter() {
            *self.monitored.entry(Bound::words(bound)).or_default() += 1;
        }
    }
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
    /// Visits every record with its category's name, a part at a time: a change that waits for a walk over a million would keep every
    /// question waiting.
    pub(crate) fn each_record(&self, mut visit: impl FnMut(&Record, &str)) {
        let mut from = 0;
        loop {
            let table = self.table();
            let to = table.slots.len().min(from + WALK);
            for record in table.slots.get(from..to).unwrap_or_default().iter().flatten() {
                let category = table.categories.get(usize::from(record.category));
                visit(record, category.map_or("", String::as_str));
            }
            if to == table.slots.len() {
                return;
            }
            from = to;
        }
    }

    /// What is loaded; `may_name` says which refused indicators may be named.
    #[must_use]
    pub fn report(&self, may_name: impl Fn(Uuid) -> bool) -> Report {
        let settings = self.feeds();
        let mut feeds: Vec<FeedReport> = settings
            .iter()
            .map(|feed| FeedReport { feed: feed.alias.clone(), ..FeedReport::default() })
            .collect();
        self.each_record(|record, _| {
            if let Some(feed) = feeds.get_mut(usize::from(record.feed)) {
                feed.count(record);
            }
        });
        for (feed, refusals) in feeds.iter_mut().zip(&self.table().refusals) {
            let samples = refusals.samples.values().flatten().filter(|(id, _)| may_name(*id));
            feed.samples = samples.map(|(id, words)| (id_text(*id), words.clone())).collect();
            feed.refused.clone_from(&refusals.counts);
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
