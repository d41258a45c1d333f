//! One indicator as the guard knows it, and what may be done on its account.

use std::sync::Arc;

use matcher::{BlindSetId, Blinded, Key};
use model::Timestamp;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::config::Mode;
use crate::indicator::Rights;
use crate::rules::Rule;

/// Why an indicator does nothing, or less than its feed says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bound {
    /// The hub permits no enforcement.
    Rights,
    /// PAP:AMBER or PAP:RED: nothing that the adversary could notice.
    Pap,
    /// Less confidence than the feed asks for.
    Confidence,
    /// The programme says that it hits what it should not.
    FalsePositive,
    /// It matched far more than its peers.
    Frequency,
}

impl Bound {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Rights, Self::Pap, Self::Confidence, Self::FalsePositive, Self::Frequency];

    /// In words, for reports.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Rights => "the hub permits no enforcement",
            Self::Pap => "its PAP level permits no active measure",
            Self::Confidence => "its confidence is below what the feed asks for",
            Self::FalsePositive => "the programme calls it a false positive",
            Self::Frequency => "it matched far more than its peers",
        }
    }

    fn bit(self) -> u8 {
        1 << (self as u8)
    }
}

/// A set of bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds(u8);

impl Bounds {
    /// With or without one more.
    pub fn set(&mut self, bound: Bound, holds: bool) {
        if holds {
            self.0 |= bound.bit();
        } else {
            self.0 &= !bound.bit();
        }
    }

    /// Whether one holds.
    #[must_use]
    pub fn has(self, bound: Bound) -> bool {
        self.0 & bound.bit() != 0
    }

    /// The most that may be done.
    #[must_use]
    pub fn ceiling(self) -> Mode {
        if self.0 == 0 { Mode::Enforce } else { Mode::Monitor }
    }

    /// Those that hold.
    pub fn iter(self) -> impl Iterator<Item = Bound> {
        Bound::ALL.into_iter().filter(move |bound| self.has(*bound))
    }
}

/// Where an indicator is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// It begins later.
    Waiting,
    /// It is looked up.
    Active,
    /// It has ended.
    Ended,
}

/// One indicator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its id.
    pub id: Uuid,
    /// The feed, as an index into the configuration's.
    pub feed: u16,
    /// Its version.
    pub modified: Timestamp,
    /// Since when it holds.
    pub from: Timestamp,
    /// Until when it holds here: the earlier of what it says and what the site says.
    pub until: Option<Timestamp>,
    /// What it is about, as an index into the set's categories.
    pub category: u16,
    /// What may be done with it.
    pub rights: Rights,
    /// What keeps it from being enforced.
    pub bounds: Bounds,
    /// Where it is in its life.
    pub phase: Phase,
    /// What is looked up.
    pub keys: Box<[Key]>,
    /// What is evaluated instead, where it is no look-up.
    pub rule: Option<Arc<Rule>>,
    /// What is looked up without being known here.
    pub blinded: Box<[(BlindSetId, Blinded)]>,
}

impl Record {
    /// Whether it is looked up now.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.phase == Phase::Active
    }

    /// The mode in which it works for somebody whose feed is in `mode`.
    #[must_use]
    pub fn mode(&self, mode: Mode) -> Mode {
        mode.min(self.bounds.ceiling())
    }

    /// The phase that it should be in.
    #[must_use]
    pub fn phase_at(&self, now: Timestamp) -> Phase {
        if self.until.is_some_and(|until| until <= now) {
            Phase::Ended
        } else if self.from > now {
            Phase::Waiting
        } else {
            Phase::Active
        }
    }
}

/// The opaque reference of an indicator: what logs, zones and refusals call it. It tells nothing without the guard that
/// made it.
#[must_use]
pub fn reference(salt: &[u8; 16], id: Uuid) -> String {
    let digest =
        Sha256::new().chain_update(b"ringfence-reference\n").chain_update(salt).chain_update(id).finalize();
    format!("rf-{}", hex::encode(&digest[..8]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bound_makes_it_monitor() {
        let mut bounds = Bounds::default();
        assert_eq!(bounds.ceiling(), Mode::Enforce);
        for bound in Bound::ALL {
            bounds.set(bound, true);
            assert_eq!(bounds.ceiling(), Mode::Monitor);
            assert_eq!(bounds.iter().collect::<Vec<_>>(), [bound]);
            bounds.set(bound, false);
        }
        assert_eq!(bounds, Bounds::default());
    }

    #[test]
    fn references_differ_by_guard_and_by_indicator() {
        let all = [(1, 1), (1, 2), (2, 1)].map(|(salt, id)| reference(&[salt; 16], Uuid::from_u128(id)));
        assert!(all[0] != all[1] && all[0] != all[2] && all[0].len() == 19, "{all:?}");
    }
}
