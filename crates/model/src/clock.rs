//! Where `now` comes from.
//!
//! Whoever owns a loop or a request asks the clock once and passes the instant down, so that one operation sees
//! one time and a test moves the clock instead of sleeping.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Timestamp;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The present instant.
    fn now(&self) -> Timestamp;

    /// How long to wait, by the wall, until `instant` has come; zero if it has. A manual clock moves instead.
    fn until(&self, instant: Timestamp) -> Duration {
        instant.since(self.now())
    }
}

/// The machine's clock, held so that it never runs backwards within one process.
#[derive(Debug, Default)]
pub struct SystemClock {
    latest: AtomicI64,
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
    fn now(&self) -> Timestamp {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros());
        let wall = i64::try_from(wall).unwrap_or(i64::MAX);
        Timestamp::from_micros(self.latest.fetch_max(wall, Ordering::Relaxed).max(wall))
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock {
    micros: AtomicI64,
}

impl ManualClock {
    /// A clock that shows `start`.
    #[must_use]
    pub fn at(start: Timestamp) -> Self {
        Self { micros: AtomicI64::new(start.as_micros()) }
    }

    /// Moves the clock on.
    pub fn advance(&self, by: Duration) {
        self.micros.fetch_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX), Ordering::SeqCst);
    }

    /// Sets the clock to `instant`, forwards or backwards.
    pub fn set(&self, instant: Timestamp) {
        self.micros.store(instant.as_micros(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.micros.load(Ordering::SeqCst))
    }

    /// Nothing to wait for: the clock is moved to `instant` instead.
    fn until(&self, instant: Timestamp) -> Duration {
        self.micros.fetch_max(instant.as_micros(), Ordering::SeqCst);
        Duration::ZERO
    }
}
/// The system's clock, moved: it runs as that one does, from another day. For stories that are told as of then.
#[derive(Debug, Default)]
pub struct MovedClock {
    system: SystemClock,
    moved_micros: AtomicI64,
}

impl MovedClock {
    /// Moves the clock so that it shows `to` now.
    pub fn set(&self, to: Timestamp) {
        let moved = to.as_micros() - self.system.now().as_micros();
        self.moved_micros.store(moved, Ordering::SeqCst);
    }
}

impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        self.system.now().plus_micros(self.moved_micros.load(Ordering::SeqCst))
    }

    fn until(&self, instant: Timestamp) -> Duration {
        instant.since(self.now())
    }
}
