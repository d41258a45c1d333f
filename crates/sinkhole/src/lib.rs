//! DNS as a countermeasure: names that are listed do not lead where their owner wants.
//!
//! There are three parts, each useful alone.
//!
//! - [`rpz`]: a primary for *response policy zones*. A site that runs a resolver already (BIND, Unbound, PowerDNS, Knot) lets
//!   it transfer the zone; a new rule reaches it by NOTIFY and IXFR within milliseconds and without a gap in its service.
//! - [`forward`]: a small forwarder for sites without a resolver. It answers what is listed itself, and asks upstream servers
//!   for the rest. It is no recursive resolver and does no validation of its own.
//! - [`landing`]: the page that a person sees who was led to the safe address.
//!
//! The crate knows no STIX and no indicators. It is told names and what to do about them; an indicator is a number to it that
//! it hands back ([`forward::Verdict`]). It stores no name longer than it needs, and tells nobody who asked for what.
//!
//! Time and randomness come from the caller: a [`Clock`] for what signatures and the journal need, and a [`Random`] for
//! nonces and identifiers. Time-outs run on tokio's clock.

#![warn(missing_docs)]

pub mod forward;
pub mod landing;
pub mod name;
pub mod rpz;

use std::fmt;
use std::sync::Arc;

pub use name::{Name, NameError, WireName};

/// The wall's clock, in whole seconds since 1970.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> u64 + Send + Sync>);

impl Clock {
    /// A clock that asks `seconds`.
    pub fn new(seconds: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(seconds))
    }

    /// Seconds since 1970.
    #[must_use]
    pub fn now(&self) -> u64 {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock(..)")
    }
}

/// A source of bytes that nobody can guess.
#[derive(Clone)]
pub struct Random(Arc<Fill>);

type Fill = dyn Fn(&mut [u8]) + Send + Sync;

impl Random {
    /// A source that fills what it is given.
    pub fn new(fill: impl Fn(&mut [u8]) + Send + Sync + 'static) -> Self {
        Self(Arc::new(fill))
    }

    /// Fills `bytes`.
    pub fn fill(&self, bytes: &mut [u8]) {
        (self.0)(bytes);
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random(..)")
    }
}
