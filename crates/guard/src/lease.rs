//! How long the guard may act without hearing from the hub.
//!
//! A hub that removed a member cannot reach a guard that is cut off, so what the guard holds ends by itself: after the
//! lease, counted from the last word of the hub, everything is unloaded, and comes back with the next. Two clocks are
//! asked. Within one run the monotonic one counts, which nobody sets. Over a restart only the wall clock is left; if it
//! stands before the last word of the hub, it was set back, and the lease counts as over.
//!
//! How long the lease is the hub says, and the site may say less. What the hub [granted](granted) last is kept sealed beside the store, so that
//! neither a restart nor whoever reads the store without a guard goes on for longer than a guard that runs.

use std::path::Path;
use std::time::{Duration, Instant};

use model::Timestamp;

use crate::hold::{HoldError, HoldKey};

/// Without a word of a lease from hub or site, nothing ends by silence.
const NO_LEASE: Duration = Duration::from_secs(u64::MAX / 4);
/// The note with what the hub granted.
const GRANTED: &str = "lease.note";
/// Answers are kept for at most this part of the lease.
pub const SHARE_OF_ANSWERS: u32 = 10;
/// Before this part of the lease has passed, nobody is warned.
const WARN_AFTER: f64 = 0.75;

/// A lease, counted from the last word of the hub.
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    length: Duration,
    heard: Heard,
}

#[derive(Clone, Copy, Debug)]
enum Heard {
    /// In this run.
    Here(Instant),
    /// In an earlier one, so long before this run's beginning.
    Before { since: Duration, began: Instant },
    /// Never, or nobody can say when.
    Never,
}

/// How a lease stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// All is well, for so long.
    Held(Duration),
    /// It ends soon unless the hub is heard.
    Ending(Duration),
    /// It is over: nothing that needs it is enforced.
    Over,
}

impl Standing {
    /// Whether the guard may act.
    #[must_use]
    pub fn is_held(self) -> bool {
        match self {
            Self::Held(_) | Self::Ending(_) => true,
            Self::Over => false,
        }
    }
}

impl Standing {
    /// How long the guard may act unless the hub is heard; nothing where it needs no word, or may not act.
    #[must_use]
    pub fn left(self) -> Option<Duration> {
        match self {
            // Without a lease it is longer than any clock counts.
            Self::Held(left) | Self::Ending(left) => (left < NO_LEASE / 2).then_some(left),
            Self::Over => None,
        }
    }
}

/// How long a lease is that the hub granted and the site may have shortened.
#[must_use]
pub fn length(granted: Option<Duration>, of_site: Option<Duration>) -> Duration {
    [granted, of_site].into_iter().flatten().min().unwrap_or(NO_LEASE)
}

/// How much of a lease the guard uses: it lets go as much before the end as others keep its answers, so that none of them is used
/// longer. A configuration's TTL is no longer than a tenth of the site's lease, and of the shortest that a hub grants.
#[must_use]
pub fn used(length: Duration, ttl: Duration) -> Duration {
    length.saturating_sub(ttl.min(length / SHARE_OF_ANSWERS))
}

/// How long a lease the hub granted when it was last heard in this folder; nothing if it never granted one.
///
/// # Errors
///
/// Fails if the disk does, or if what is kept was not kept with this key.
pub fn granted(key: &HoldKey, folder: &Path) -> Result<Option<Duration>, HoldError> {
    let kept: Option<Option<u64>> = key.read_note(folder, GRANTED)?;
    Ok(kept.flatten().map(Duration::from_secs))
}

/// Keeps how long a lease the hub grants.
///
/// # Errors
///
/// Fails if the disk does.
pub fn keep(
    key: &HoldKey,
    folder: &Path,
    generation: [u8; 16],
    granted: Option<Duration>,
) -> Result<(), HoldError> {
    key.write_note(folder, GRANTED, generation, &granted.map(|granted| granted.as_secs()))
}

impl Lease {
    /// A lease after a start at `began`, which was `now` on the wall clock, when the hub was last heard at `heard`.
    #[must_use]
    pub fn resumed(length: Duration, heard: Option<Timestamp>, now: Timestamp, began: Instant) -> Self {
        let heard = match heard {
            Some(heard) if heard <= now => Heard::Before { since: now.since(heard), began },
            Some(_) | None => Heard::Never,
        };
        Self { length, heard }
    }

    /// The hub was heard.
    pub fn hear(&mut self, at: Instant) {
        self.heard = Heard::Here(at);
    }

    /// The hub grants another length, or the site a shorter one.
    pub fn set_length(&mut self, length: Duration) {
        self.length = length;
    }

    /// How long the lease is.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.length
    }

    /// How it stands.
    #[must_use]
    pub fn standing(&self, at: Instant) -> Standing {
        let silent = match self.heard {
            Heard::Here(heard) => at.saturating_duration_since(heard),
            Heard::Before { since, began } => since.saturating_add(at.saturating_duration_since(began)),
            Heard::Never => return Standing::Over,
        };
        match self.length.checked_sub(silent) {
            None | Some(Duration::ZERO) => Standing::Over,
            Some(left) if silent.as_secs_f64() > self.length.as_secs_f64() * WARN_AFTER => {
                Standing::Ending(left)
            }
            Some(left) => Standing::Held(left),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn it_ends_and_says_so_beforehand() {
        let start = Instant::now();
        let mut lease = Lease::resumed(4 * HOUR, None, at("2026-01-01"), start);
        assert_eq!(lease.standing(start), Standing::Over, "nothing was ever heard");
        lease.hear(start);
        assert_eq!(lease.standing(start + HOUR), Standing::Held(3 * HOUR));
        assert_eq!(lease.standing(start + HOUR * 7 / 2), Standing::Ending(HOUR / 2));
        assert_eq!(lease.standing(start + 4 * HOUR), Standing::Over);
        lease.hear(start + 5 * HOUR);
        assert!(lease.standing(start + 6 * HOUR).is_held());
    }

    #[test]
    fn a_restart_does_not_lengthen_it() {
        let start = Instant::now();
        let lease =
            Lease::resumed(4 * HOUR, Some(at("2026-01-01T00:00:00Z")), at("2026-01-01T03:00:00Z"), start);
        assert!(lease.standing(start).is_held());
        assert_eq!(lease.standing(start + HOUR), Standing::Over);
    }

    #[test]
    fn a_clock_that_was_set_back_ends_it() {
        let start = Instant::now();
        let lease = Lease::resumed(4 * HOUR, Some(at("2026-01-02")), at("2026-01-01"), start);
        assert_eq!(lease.standing(start), Standing::Over);
    }

    #[test]
    fn a_shorter_lease_counts_from_the_same_word() {
        let start = Instant::now();
        let mut lease = Lease::resumed(4 * HOUR, None, at("2026-01-01"), start);
        lease.hear(start);
        lease.set_length(HOUR);
        assert_eq!(lease.standing(start + 2 * HOUR), Standing::Over);
    }
}
