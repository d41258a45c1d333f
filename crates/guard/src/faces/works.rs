//! What each face did since the start, in numbers, and what it did not do and why.
//!
//! Every face counts for itself, in the words of its own crate. Here these are put together for the status page and for Prometheus, so that
//! nothing that was passed over, shed or refused stays unseen. No number says whom it concerned.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flows::Collector;
use quarantine::server::Quarantine;
use serde::Serialize;
use sinkhole::forward::Forwarder;
use sinkhole::rpz::ZoneStatus;

use crate::rules::Shortfalls;

/// How many categories of visits are told apart; a site names a few.
const CATEGORIES_MAX: usize = 1_000;

/// One number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Which face: `forwarder`, `landing`, `mail`, `flow`, `resolver` (by its log), `zone`, `pattern`.
    pub face: &'static str,
    /// What it did, or why it did not.
    pub what: String,
    /// How often.
    pub count: u64,
}

/// What the faces did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Did {
    /// What was done.
    pub done: Vec<Line>,
    /// What was not, by reason.
    pub shortfalls: Vec<Line>,
}

/// The faces that count.
#[derive(Default)]
pub struct Works(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    forwarder: Option<Arc<Forwarder>>,
    quarantine: Option<Arc<Quarantine>>,
    /// Those that have ended too: what they did was done.
    collectors: Vec<Arc<Collector>>,
    /// Visits of the landing page, by category.
    visits: BTreeMap<String, u64>,
    /// Lines of resolvers' logs, by what they told.
    heard: BTreeMap<&'static str, u64>,
    /// Lines of which no hit was made, by reason.
    not_heard: BTreeMap<&'static str, u64>,
}

impl Works {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These serve from here on; one that there is already stays.
    pub fn serve(&self, forwarder: Option<&Arc<Forwarder>>, quarantine: Option<&Arc<Quarantine>>) {
        let mut inner = self.inner();
        inner.forwarder = inner.forwarder.take().or_else(|| forwarder.cloned());
        inner.quarantine = inner.quarantine.take().or_else(|| quarantine.cloned());
    }

    /// One more collector serves.
    pub fn collect(&self, collector: &Arc<Collector>) {
        self.inner().collectors.push(Arc::clone(collector));
    }

    /// Somebody was led to the landing page.
    pub fn visited(&self, category: &str) {
        let visits = &mut self.inner().visits;
        if let Some(count) = visits.get_mut(category) {
            *count += 1;
        } else if visits.len() < CATEGORIES_MAX {
            visits.insert(category.to_owned(), 1);
        }
    }

    /// A resolver told of a hit.
    pub fn heard(&self, what: &'static str) {
        *self.inner().heard.entry(what).or_default() += 1;
    }

    /// A resolver told of something of which no hit can be made.
    pub fn not_heard(&self, why: &'static str) {
        *self.inner().not_heard.entry(why).or_default() += 1;
    }

    /// All of it, with what zones left out and what patterns could not be computed for.
    #[must_use]
    pub fn did(&self, zones: &[ZoneStatus], patterns: &Shortfalls) -> Did {
        let inner = self.inner();
        let mut did = Did::default();
        if let Some(forwarder) = &inner.forwarder {
            did.forwarder(forwarder);
        }
        did.done.extend(inner.visits.iter().map(|(what, count)| line("landing", what, *count)));
        if let Some(quarantine) = &inner.quarantine {
            did.mail(quarantine);
        }
        did.flows(&inner.collectors);
        did.done.extend(inner.heard.iter().map(|(what, count)| line("resolver", what, *count)));
        did.shortfalls.extend(inner.not_heard.iter().map(|(why, count)| line("resolver", why, *count)));
        let mut rejected: BTreeMap<&'static str, u64> = BTreeMap::new();
        for (reason, count) in zones.iter().flat_map(|zone| &zone.rejected) {
            *rejected.entry(reason.as_str()).or_default() += count;
        }
        did.shortfalls.extend(rejected.into_iter().map(|(reason, count)| line("zone", reason, count)));
        let Shortfalls { undecided, undated, forgotten } = *patterns;
        let patterns = [("undecided", undecided), ("undated", undated), ("forgotten", forgotten)];
        did.shortfalls.extend(patterns.map(|(reason, count)| line("pattern", reason, count)));
        did
    }
}

fn line(face: &'static str, what: &str, count: u64) -> Line {
    Line { face, what: what.to_owned(), count }
}

impl Did {
    fn forwarder(&mut self, forwarder: &Forwarder) {
        let counts = forwarder.counts();
        let done = [("blocked", counts.blocked), ("cached", counts.cached), ("forwarded", counts.forwarded)];
        let not = [("failed", counts.failed), ("broken", counts.broken), ("shed", counts.shed)];
        self.add("forwarder", &done, &not);
    }

    fn mail(&mut self, quarantine: &Quarantine) {
        let counts = quarantine.counts();
        self.add("mail", &[("sessions", counts.sessions), ("mails", counts.mails)], &[]);
        let decisions = counts.decisions.iter().map(|(decision, count)| line("mail", decision, *count));
        self.done.extend(decisions);
        let sessions = [
            ("sessions_refused", counts.sessions_refused),
            ("violations", counts.violations),
            ("silences", counts.silences),
        ];
        self.add("mail", &[], &sessions);
        let failures = counts.failures.iter().map(|(reason, count)| line("mail", reason.as_str(), *count));
        self.shortfalls.extend(failures);
        let passed_over = counts.unexamined.iter();
        self.shortfalls.extend(passed_over.map(|(reason, count)| line("mail", reason.as_str(), *count)));
    }

    fn flows(&mut self, collectors: &[Arc<Collector>]) {
        let all: Vec<_> = collectors.iter().map(|collector| collector.counts()).collect();
        if all.is_empty() {
            return;
        }
        let sum = |of: fn(&flows::Counts) -> u64| all.iter().map(of).sum::<u64>();
        let done = [
            ("packets", sum(|counts| counts.packets)),
            ("flows", sum(|counts| counts.flows)),
            ("hits", sum(|counts| counts.hits)),
            ("alerts", sum(|counts| counts.alerts)),
        ];
        let not = [
            ("strangers", sum(|counts| counts.strangers)),
            ("broken", sum(|counts| counts.broken)),
            ("without_template", sum(|counts| counts.without_template)),
            ("template_too_late", sum(|counts| counts.waiting.lost)),
            ("alerts_delayed", sum(|counts| counts.delayed)),
            ("alerts_lost", sum(|counts| counts.lost)),
            ("alerts_not_taken", sum(|counts| counts.dropped)),
        ];
        self.add("flow", &done, &not);
    }

    fn add(&mut self, face: &'static str, done: &[(&str, u64)], not: &[(&str, u64)]) {
        self.done.extend(done.iter().map(|(what, count)| line(face, what, *count)));
        self.shortfalls.extend(not.iter().map(|(why, count)| line(face, why, *count)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sinkhole::rpz::Reject;

    #[test]
    fn what_zones_leave_out_and_patterns_cannot_tell_is_told_by_reason() {
        let zone = |rejected: &[(Reject, u64)]| ZoneStatus {
            apex: "a.rpz".parse().unwrap(),
            serial: 1,
            entries: 0,
            rejected: rejected.iter().copied().collect(),
        };
        let works = Works::default();
        works.visited("malware");
        works.visited("malware");
        let zones = [zone(&[(Reject::Subsumed, 2), (Reject::TooLong, 1)]), zone(&[(Reject::Subsumed, 3)])];
        let did = works.did(&zones, &Shortfalls { undecided: 4, undated: 0, forgotten: 5 });
        assert_eq!(did.done, [line("landing", "malware", 2)]);
        for expected in [
            line("zone", "subsumed", 5),
            line("zone", "too_long", 1),
            line("pattern", "undecided", 4),
            line("pattern", "forgotten", 5),
        ] {
            assert!(did.shortfalls.contains(&expected), "{expected:?} is not in {did:?}");
        }
    }
}
