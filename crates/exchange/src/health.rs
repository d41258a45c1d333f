//! How the hub fares, for the people who run it: how much comes, what waits for them, and whether the ledger still is what
//! was signed.
//!
//! How much comes is kept by day as it comes, in the transaction that stores it: one small record for each day.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use model::{Caller, CollectionId, LabelId, Role, Timestamp};
use serde::Serialize;
use store::{CommitNo, Snapshot, StoreError};

use crate::error::AdminError;
use crate::exchange::{Exchange, Hand, require};
use crate::keeping::log_of;
use crate::occurrences::{day_of, get};

/// A kind of records: how many objects were stored, by day.
const STORED: &str = "stored-on";
/// How many days are told, today and those before.
const DAYS: u32 = 31;
const DAY: Duration = Duration::from_hours(24);
/// How often the ledger is held to its head.
const CHECK_EVERY: Duration = Duration::from_hours(1);

/// What was found when the ledger was last read back and held to its head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LedgerCheck {
    /// When.
    pub at: Timestamp,
    /// How many entries it had.
    pub size: u64,
    /// What is wrong with it, if something is.
    pub problem: Option<String>,
}

/// The last check.
#[derive(Default)]
pub(crate) struct LastCheck(Mutex<Option<LedgerCheck>>);

/// A collection whose objects wait to be published elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeldSubmissions {
    /// The collection.
    pub collection: CollectionId,
    /// Its alias.
    pub alias: String,
    /// How many objects were ever submitted to it, with all versions.
    pub objects: u64,
    /// When the last ones came.
    pub last: Option<Timestamp>,
}

/// Adds to the day's count.
pub(crate) fn note_stored(
    turn: &mut Hand<'_>,
    snapshot: &dyn Snapshot,
    objects: u64,
) -> Result<(), StoreError> {
    let day = day_of(turn.now);
    let known: u64 = get(snapshot, STORED, &day)?.unwrap_or_default();
    turn.put_json(STORED, &day, &known.saturating_add(objects))
}

impl Exchange {
    /// How many objects were stored on each of the last 31 days, the newest first; days without any are left out.
    ///
    /// # Errors
    ///
    /// Refuses members.
    pub fn stored_by_day(&self, caller: &Caller) -> Result<Vec<(String, u64)>, AdminError> {
        require(caller, &Role::ALL, "the programme's people")?;
        let snapshot = self.inner.store.snapshot()?;
        let now = self.inner.clock.now();
        let mut stored = Vec::new();
        for back in 0..DAYS {
            let day = day_of(now - DAY * back);
            let count: Option<u64> = get(snapshot.as_ref(), STORED, &day)?;
            stored.extend(count.map(|count| (day, count)));
        }
        Ok(stored)
    }

    /// What was submitted to collections of which every member reads only its own, as far as the caller may read them.
    ///
    /// # Errors
    ///
    /// Refuses members.
    pub fn held_submissions(&self, caller: &Caller) -> Result<Vec<HeldSubmissions>, AdminError> {
        require(caller, &Role::ALL, "the programme's people")?;
        let registry = self.inner.published.registry();
        let view = self.inner.view(caller, &registry)?;
        let snapshot = self.inner.store.snapshot()?;
        let mut held = Vec::new();
        for known in self.collections(caller).into_iter().filter(|known| known.can_read) {
            let collection = known.collection;
            if collection.shared {
                continue;
            }
            let mut objects = 0;
            for label in registry.labels.of(collection.id) {
                let label: LabelId = *label;
                objects += snapshot.count_before(&view, label, CommitNo(u64::MAX))?;
            }
            let last = snapshot.commit_before(&view, collection.id, Timestamp::MAX)?.map(|(_, at)| at);
            held.push(HeldSubmissions { collection: collection.id, alias: collection.alias, objects, last });
        }
        Ok(held)
    }

    /// What was found when the ledger was last read back.
    ///
    /// # Errors
    ///
    /// Refuses members.
    pub fn ledger_check(&self, caller: &Caller) -> Result<Option<LedgerCheck>, AdminError> {
        require(caller, &Role::ALL, "the programme's people")?;
        Ok(self.last_ledger_check())
    }

    /// The same, for the hub's metrics, which say no more than that it was well.
    #[must_use]
    pub fn last_ledger_check(&self) -> Option<LedgerCheck> {
        self.inner.checked.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the ledger's tree back from the store, once an hour, and holds it to the head that is signed. It costs what the
    /// right edge of the tree costs, and not the log; `ringfence ledger verify` reads the whole.
    pub(crate) fn check_ledger(&self) {
        let now = self.inner.clock.now();
        {
            let mut last = self.inner.checked.0.lock().unwrap_or_else(PoisonError::into_inner);
            if last.as_ref().is_some_and(|last| now < last.at + CHECK_EVERY) {
                return;
            }
            // Whoever comes meanwhile finds it done.
            let size = self.inner.published.log().size();
            *last = Some(LedgerCheck { at: now, size, problem: None });
        }
        let check = self.checked_now(now);
        if let Some(problem) = &check.problem {
            tracing::error!(problem, "the ledger in the store is not the one whose head is signed");
        }
        *self.inner.checked.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(check);
    }

    fn checked_now(&self, at: Timestamp) -> LedgerCheck {
        // The head first: the store has at least what was published.
        let log = self.inner.published.log();
        let held =
            self.inner.store.snapshot().map_err(|error| error.to_string()).and_then(|snapshot| {
                log_of(snapshot.as_ref(), log.size()).map_err(|error| error.to_string())
            });
        let problem = match held {
            Ok(held) if held.root() == log.root() => None,
            Ok(held) => Some(format!("its root is {}, and {} is signed", held.root(), log.root())),
            Err(error) => Some(error),
        };
        LedgerCheck { at, size: log.size(), problem }
    }
}
