//! What other threads see of the writer's results: the registry, the log, and how far the instants have come.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::time::Duration;

use model::{Clock, Epoch, Principal, Timestamp};

use crate::registry::{ReaderGrants, Registry};

/// The registry, and the grants that were made under it.
///
/// INVARIANT: both change under one lock, so no reader ever holds the grants of one epoch and the registry of a
/// later one.
pub(crate) struct Shared {
    pub(crate) registry: Arc<Registry>,
    pub(crate) grants: HashMap<Principal, ReaderGrants>,
}

/// What other threads see of the writer's results.
pub(crate) struct Published {
    pub(crate) shared: RwLock<Shared>,
    pub(crate) log: RwLock<Arc<ledger::Writer>>,
    flight: Mutex<Option<Timestamp>>,
    landed: Condvar,
    arrivals: Mutex<u64>,
    arrived: Condvar,
    /// Whether the writer has stopped for good.
    pub(crate) halted: AtomicBool,
}

impl Published {
    pub(crate) fn new(registry: Registry, log: ledger::Writer) -> Self {
        Self {
            shared: RwLock::new(Shared { registry: Arc::new(registry), grants: HashMap::new() }),
            log: RwLock::new(Arc::new(log)),
            flight: Mutex::new(None),
            landed: Condvar::new(),
            arrivals: Mutex::new(0),
            arrived: Condvar::new(),
            halted: AtomicBool::new(false),
        }
    }

    pub(crate) fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.shared.read().unwrap_or_else(PoisonError::into_inner).registry)
    }

    /// The registry and the reader's grants of the same epoch, if these are in memory.
    pub(crate) fn registry_and_grants(&self, principal: &Principal) -> (Arc<Registry>, Option<ReaderGrants>) {
        let shared = self.shared.read().unwrap_or_else(PoisonError::into_inner);
        (Arc::clone(&shared.registry), shared.grants.get(principal).cloned())
    }

    /// Keeps a reader's grants in memory, unless the epoch under which they were made is over.
    pub(crate) fn keep_grants(&self, principal: &Principal, made_at: Epoch, grants: &ReaderGrants) {
        let mut shared = self.shared.write().unwrap_or_else(PoisonError::into_inner);
        if shared.registry.epoch == made_at {
            shared.grants.insert(principal.clone(), grants.clone());
        }
    }

    pub(crate) fn log(&self) -> Arc<ledger::Writer> {
        Arc::clone(&self.log.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until no transaction is in flight that may hand out instants at or before `horizon`.
    pub(crate) fn settle(&self, horizon: Timestamp) {
        let mut flight = self.flight.lock().unwrap_or_else(PoisonError::into_inner);
        while flight.is_some_and(|since| since <= horizon) {
            flight = self.landed.wait(flight).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The clock is read under the lock: a reader that took its horizon before finds every instant of this flight
    /// behind it, and one that takes it after waits.
    pub(crate) fn take_off(&self, clock: &dyn Clock) -> Timestamp {
        let mut flight = self.flight.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock.now();
        *flight = Some(now);
        now
    }

    pub(crate) fn land(&self) {
        *self.flight.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.landed.notify_all();
    }

    /// Waits until something new may be there to read since `seen`, or `patience` is over; returns the new count.
    pub(crate) fn wait_for_arrivals(&self, seen: u64, patience: Duration) -> u64 {
        let arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        let (arrivals, _) = self
            .arrived
            .wait_timeout_while(arrivals, patience, |count| *count <= seen)
            .unwrap_or_else(PoisonError::into_inner);
        *arrivals
    }

    pub(crate) fn announce(&self) {
        *self.arrivals.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.arrived.notify_all();
    }
}
