//! How much one network may have over UDP, where a sender's address proves nothing.
//!
//! Each client prefix (IPv4 /24, IPv6 /56) has a bucket that fills with time. Prefixes share a fixed table by a keyed hash, so
//! memory is bounded, and nobody can choose whose bucket to empty. Beyond the rate every other query gets an empty answer
//! that asks for TCP, which a forged sender cannot follow; the rest get silence.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

const BUCKETS: usize = 1 << 14;

/// Queries that one client prefix may send over UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// A second, in the long run. Zero means no limit.
    pub per_second: u32,
    /// At once.
    pub burst: u32,
}

/// What to do with a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    Answer,
    /// Say that there is more over TCP.
    Truncate,
    Ignore,
}

/// The buckets: in each the microsecond at which it will be full again, and in the lowest bit whose turn silence is.
pub(crate) struct Limiter {
    buckets: Box<[AtomicU64]>,
    hasher: RandomState,
    start: Instant,
}

impl Limiter {
    pub(crate) fn new(start: Instant) -> Self {
        Self { buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(), hasher: RandomState::new(), start }
    }

    pub(crate) fn pace(&self, client: IpAddr, rate: Rate, now: Instant) -> Pace {
        if rate.per_second == 0 {
            return Pace::Answer;
        }
        let prefix = match client.to_canonical() {
            IpAddr::V4(v4) => u64::from(v4.to_bits() >> 8),
            IpAddr::V6(v6) => 1 << 63 | u64::try_from(v6.to_bits() >> 72).unwrap_or(0),
        };
        let at = usize::try_from(self.hasher.hash_one(prefix)).unwrap_or(0) % BUCKETS;
        let now = u64::try_from(now.saturating_duration_since(self.start).as_micros()).unwrap_or(0);
        // Each query moves the time at which the bucket is full by its share of a second.
        let share = 1_000_000 / u64::from(rate.per_second).min(1_000_000);
        let ahead_max = share * u64::from(rate.burst.max(1));
        let mut pace = Pace::Answer;
        let step = |old: u64| {
            let full = (old >> 1).max(now);
            if full - now < ahead_max {
                pace = Pace::Answer;
                return Some((full + share) << 1 | (old & 1));
            }
            pace = if old & 1 == 0 { Pace::Truncate } else { Pace::Ignore };
            Some(old ^ 1)
        };
        let _before = self.buckets[at].fetch_update(Ordering::Relaxed, Ordering::Relaxed, step);
        pace
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_prefix_has_its_rate_and_no_more() {
        let start = Instant::now();
        let limiter = Limiter::new(start);
        let rate = Rate { per_second: 10, burst: 20 };
        let [one, neighbour, other]: [IpAddr; 3] =
            ["192.0.2.1", "192.0.2.200", "2001:db8::1"].map(|text| text.parse().unwrap());
        let tally = |client: IpAddr, count: usize, after: u64| {
            let now = start + Duration::from_millis(after);
            let paces: Vec<Pace> = (0..count).map(|_| limiter.pace(client, rate, now)).collect();
            [Pace::Answer, Pace::Truncate, Pace::Ignore]
                .map(|one| paces.iter().filter(|pace| **pace == one).count())
        };
        assert_eq!(tally(one, 24, 0), [20, 2, 2]);
        assert_eq!(tally(neighbour, 2, 0), [0, 1, 1], "a prefix is one client");
        assert_eq!(tally(one, 12, 1000), [10, 1, 1], "a second later");
        assert_eq!(tally(other, 21, 1000)[0], 20);
        assert_eq!(tally(one, 40, 60_000)[0], 20, "no more than the burst after a long rest");
        assert_eq!(limiter.pace(one, Rate { per_second: 0, burst: 0 }, start), Pace::Answer);
    }
}
