//! That something changed which somebody may see, and never what: for pages that fetch themselves again.
//!
//! ```text
//! the ledger's new entries, as far as the caller may read them   standing, hits, feed (to people), ledger
//! the number of alerts, to the programme's people                alerts
//! a poll of the caller's view that hands nothing out             feed (to members)
//! ```
//!
//! To a member nothing is told that its own entries and its own poll would not tell, so a change that is hidden from it
//! changes nothing for it either. The programme's people see on their pages how many entries, objects and alerts there are,
//! whatever else they may read, so they are told when these numbers move.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use ledger::Opening;
use model::{Caller, Timestamp};

use super::browse::{READ_AT_ONCE, may_see, open};
use crate::error::AdminError;
use crate::exchange::Exchange;

/// What may have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// There are more alerts.
    Alerts,
    /// Something about members' standings, dossiers or ties.
    Standing,
    /// The ledger has entries that it had not.
    Ledger,
    /// Something hit, or is doubted.
    Hits,
    /// There is something to read that there was not, or no longer.
    Feed,
}

impl Change {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Alerts => "alerts",
            Self::Standing => "standing",
            Self::Ledger => "ledger",
            Self::Hits => "hits",
            Self::Feed => "feed",
        }
    }

    /// What an entry of this kind tells of, beside that there is one.
    fn of_kind(kind: &str) -> Option<Self> {
        match kind {
            "decision" | "vetting" | "membership" | "policy" => Some(Self::Standing),
            "report" => Some(Self::Hits),
            "publication" | "recall" => Some(Self::Feed),
            _ => None,
        }
    }
}

/// Up to where somebody was told of changes.
#[derive(Clone, Copy, Debug)]
pub struct Watched {
    at: Timestamp,
    entries: u64,
    alerts: u64,
}

impl Exchange {
    /// The present, for somebody who wants to be told what changes from here on.
    #[must_use]
    pub fn watched_from_here(&self) -> Watched {
        let published = &self.inner.published;
        let at = self.inner.clock.now();
        published.settle(at);
        Watched { at, entries: published.log().size(), alerts: published.registry().alerts }
    }

    /// What changed since `watched` that the caller may see; waits up to `patience` for it. `watched` moves on.
    ///
    /// # Errors
    ///
    /// Fails if the store does.
    pub fn wait_for_changes(
        &self,
        caller: &Caller,
        watched: &mut Watched,
        patience: Duration,
    ) -> Result<BTreeSet<Change>, AdminError> {
        let published = &self.inner.published;
        let until = Instant::now() + patience;
        loop {
            // Counted before it is looked, so that what arrives meanwhile is not waited for.
            let arrivals = published.wait_for_arrivals(u64::MAX, Duration::ZERO);
            let changes = self.changes(caller, watched)?;
            let left = until.saturating_duration_since(Instant::now());
            if !changes.is_empty() || left.is_zero() {
                return Ok(changes);
            }
            published.wait_for_arrivals(arrivals, left);
        }
    }

    fn changes(&self, caller: &Caller, watched: &mut Watched) -> Result<BTreeSet<Change>, AdminError> {
        let published = &self.inner.published;
        let now = self.inner.clock.now();
        published.settle(now);
        let (registry, size) = (published.registry(), published.log().size());
        let is_member = caller.member().is_some();
        let mut changes = BTreeSet::new();
        if !is_member && registry.alerts > watched.alerts {
            changes.insert(Change::Alerts);
        }
        if watched.entries < size {
            let snapshot = self.inner.store.snapshot()?;
            for first in (watched.entries..size).step_by(READ_AT_ONCE) {
                let count = usize::try_from(size - first).unwrap_or(READ_AT_ONCE).min(READ_AT_ONCE);
                for entry in snapshot.entries(first, count)? {
                    let opened = open(entry.index, &Opening { salt: entry.salt, body: entry.body })?;
                    if may_see(caller, &opened) {
                        changes.insert(Change::Ledger);
                        changes.extend(opened.body["kind"].as_str().and_then(Change::of_kind));
                    }
                }
            }
        }
        if is_member && self.has_news(caller, &registry, watched.at, now)? {
            changes.insert(Change::Feed);
        }
        *watched = Watched { at: now, entries: size, alerts: registry.alerts };
        Ok(changes)
    }
}
