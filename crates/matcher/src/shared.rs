//! A matcher that many read while one writes.
//!
//! A lock and not a snapshot: a second copy of a million names would double the memory, and a small table over a large one makes each look-up
//! ask twice. An insertion takes a microsecond, and now and then the time to copy one of 256 shards; so the writer holds the lock for a few
//! changes at a time, and lets the readers through between. Walks over everything take the lock a part at a time too.

use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use crate::key::Key;
use crate::matcher::Matcher;
use crate::names::{NameList, PARTS};
use crate::{BlindSetId, Blinded};

/// Changes made under one lock: at a microsecond each, far below what a query waits for anyway.
const CHANGES_PER_LOCK: usize = 128;

/// A matcher behind a lock that is never held for long.
pub struct Shared(RwLock<Matcher>);

/// One change of what is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A slot lists a key.
    Insert(Key, u32),
    /// A slot lists a key no longer.
    Remove(Key, u32),
    /// A slot lists a blinded value.
    InsertBlinded(BlindSetId, Blinded, u32),
    /// A slot lists a blinded value no longer.
    RemoveBlinded(BlindSetId, Blinded, u32),
}

impl Shared {
    /// Takes a matcher to be shared.
    #[must_use]
    pub fn new(matcher: Matcher) -> Self {
        Self(RwLock::new(matcher))
    }

    /// For look-ups. Hold it for one query or one text, not for a walk: a writer that waits stops readers that come after it.
    pub fn read(&self) -> RwLockReadGuard<'_, Matcher> {
        // No function of a matcher leaves it half changed: a panic elsewhere is no reason to stop protecting.
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes changes in their order, and tells how many changed anything. Readers may see some of them before the others.
    pub fn apply(&self, changes: impl IntoIterator<Item = Change>) -> usize {
        let mut changes = changes.into_iter().peekable();
        let mut effective = 0;
        while changes.peek().is_some() {
            let mut matcher = self.0.write().unwrap_or_else(PoisonError::into_inner);
            for change in changes.by_ref().take(CHANGES_PER_LOCK) {
                effective += usize::from(match change {
                    Change::Insert(key, slot) => matcher.insert(&key, slot),
                    Change::Remove(key, slot) => matcher.remove(&key, slot),
                    Change::InsertBlinded(set, blinded, slot) => matcher.insert_blinded(set, &blinded, slot),
                    Change::RemoveBlinded(set, blinded, slot) => matcher.remove_blinded(set, &blinded, slot),
                });
            }
        }
        effective
    }

    /// Changes the matcher as a whole, as by [`Matcher::add_blind_set`]; readers wait.
    pub fn with<T>(&self, change: impl FnOnce(&mut Matcher) -> T) -> T {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// All names that a slot that counts lists, in order. Taken in parts: who calls this makes no changes meanwhile, or does not mind.
    #[must_use]
    pub fn name_list(&self, counts: impl Fn(u32) -> bool) -> NameList {
        let mut list = NameList::default();
        for part in 0..PARTS {
            self.read().collect_names(part, &counts, &mut list);
        }
        list.sort();
        list
    }
}
