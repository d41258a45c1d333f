//! The statements about ties in memory: what the store holds, ready to be asked.
//!
//! The writer adds to them inside its transaction, before that is durable, so they may come to hold what then was
//! never written. They know how many batches they hold, and of which programme's lists; whoever decides by them asks
//! first whether that is what the registry of its own transaction says, and reads the store anew if it is not.
//!
//! ```text
//! import, 7 batches in the store   ->  8 in memory, the commit fails, 7 in the store
//! next work of the writer          ->  its registry says 7, memory says 8: read anew, and decide by 7
//! ```
//!
//! Those who only look take what is there. What they see of a transaction that failed is gone a moment later. Whoever looks
//! for a moment holds a lock, for which the writer waits; whoever computes (a preview, a decision with its remedies) keeps the
//! statements as they are and lets the writer go on. If it does meanwhile, it adds to a copy.

use std::ops::Deref;
use std::panic::resume_unwind;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::thread;

use programme::Programme;
use store::{Snapshot, Store, StoreError};
use ties::{Added, CheckedBatch, Registry as Ties, Statement};

use crate::exchange::Hand;
use crate::registry::{Registry, STATEMENTS, batch_key};

/// How many batches are read ahead of the one that is taken in.
const READ_AHEAD: usize = 2;
/// Up to how many times as many statements as are here room is made for at once, where as many seem to follow.
const GROWTH_MAX: usize = 4;

/// Every statement of the store, and of the programme's lists.
pub(crate) struct Recorded(RwLock<State>);

struct State {
    ties: Arc<Ties>,
    /// How many batches of the store it holds.
    batches: u64,
    /// The programme whose lists it holds.
    programme: Arc<Programme>,
}

/// The statements, for as long as somebody looks at them.
pub(crate) struct Reading<'r>(RwLockReadGuard<'r, State>);

impl Deref for Reading<'_> {
    type Target = Ties;

    fn deref(&self) -> &Ties {
        &self.0.ties
    }
}

impl State {
    fn load(snapshot: &dyn Snapshot, registry: &Registry) -> Result<Self, StoreError> {
        let ties = load(snapshot, registry.programme(), registry.batches)?;
        let programme = Arc::clone(registry.policy.programme());
        Ok(Self { ties: Arc::new(ties), batches: registry.batches, programme })
    }

    fn is_of(&self, registry: &Registry) -> bool {
        self.batches == registry.batches && self.programme.digest() == registry.programme().digest()
    }

    /// Whether it has the statements of a programme that may be another, but names the same on its lists: a rule that
    /// changed is no reason to read a national register anew.
    fn has_all_of(&self, registry: &Registry) -> bool {
        self.batches == registry.batches && self.programme.lists() == registry.programme().lists()
    }
}

/// Reads and checks the batches one after another, and takes each in while the next is read: of a national register's
/// statements, no more than a few batches are in memory twice.
pub(crate) fn load(snapshot: &dyn Snapshot, programme: &Programme, batches: u64) -> Result<Ties, StoreError> {
    let mut ties = Ties::new();
    ties.add(programme.lists().to_vec());
    let (sender, receiver) = sync_channel::<(u64, CheckedBatch<'static>)>(READ_AHEAD);
    let take_in = move || {
        let mut room = 0;
        for (number, batch) in receiver {
            if ties.len() + batch.len() > room {
                room = likely(ties.len() + batch.len(), number + 1, batches);
                ties.reserve(room - ties.len());
            }
            ties.take_in(&batch);
        }
        ties
    };
    thread::scope(|scope| {
        let named = thread::Builder::new().name("statements".to_owned());
        let taking = named
            .spawn_scoped(scope, take_in)
            .map_err(|error| StoreError::failed("starting to read the statements", error))?;
        for number in 0..batches {
            let key = batch_key(number);
            // A number whose import came to nothing has no batch.
            let Some(batch) = snapshot.get(STATEMENTS, &key)? else { continue };
            let batch = CheckedBatch::read(batch)
                .map_err(|error| StoreError::Damaged(format!("statements `{key}`: {error}")))?;
            if sender.send((number, batch)).is_err() {
                // Only a thread that panicked stops taking; below it is heard.
                break;
            }
        }
        drop(sender);
        Ok(taking.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

/// How many statements there likely are in all batches, after so many of them; no batch is known to be like the others, so
/// it is a few times as many at most. Tables that grow step by step cost as much again as filling them.
fn likely(statements: usize, seen: u64, batches: u64) -> usize {
    let times = usize::try_from(batches.div_ceil(seen.max(1))).unwrap_or(GROWTH_MAX);
    statements.saturating_mul(times.clamp(1, GROWTH_MAX))
}

impl Recorded {
    /// The statements of a store whose registry was just read from the same snapshot.
    pub(crate) fn load(snapshot: &dyn Snapshot, registry: &Registry) -> Result<Self, StoreError> {
        Ok(Self(RwLock::new(State::load(snapshot, registry)?)))
    }

    /// The statements as they are now, for those who compute with them.
    pub(crate) fn kept(&self) -> Arc<Ties> {
        Arc::clone(&self.read().0.ties)
    }

    /// The statements, for those who only look, and for a moment.
    pub(crate) fn read(&self) -> Reading<'_> {
        Reading(self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The statements that a work of the writer decides by.
    pub(crate) fn current(&self, turn: &Hand<'_>, store: &dyn Store) -> Result<Reading<'_>, StoreError> {
        let reading = self.read();
        if reading.0.is_of(turn.registry) {
            return Ok(reading);
        }
        let has_all = reading.0.has_all_of(turn.registry);
        drop(reading);
        if has_all {
            let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
            state.programme = Arc::clone(turn.registry.policy.programme());
            drop(state);
            return Ok(self.read());
        }
        // INVARIANT: what a transaction added was added to what was current in it, so whoever finds something else is
        // the first of its transaction to look, and the store has all that its registry tells of.
        let snapshot = store.snapshot()?;
        let anew = State::load(snapshot.as_ref(), turn.registry)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = anew;
        Ok(self.read())
    }

    /// Adds statements, and gives the number of the batch that they make if any of them is new.
    pub(crate) fn add(
        &self,
        turn: &mut Hand<'_>,
        store: &dyn Store,
        statements: Vec<Statement>,
    ) -> Result<(Added, Option<u64>), StoreError> {
        drop(self.current(turn, store)?);
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let added = Arc::make_mut(&mut state.ties).add(statements);
        let batch = (!added.new.is_empty()).then(|| turn.next_batch());
        state.batches = turn.registry.batches;
        Ok((added, batch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_made_for_what_seems_to_follow() {
        for (statements, seen, batches, want) in [
            (100_000, 1, 1, 100_000),       // nothing follows
            (100_000, 1, 2, 200_000),       // one more of the kind
            (100_000, 1, 40, 400_000),      // at most four times as many: the others may be small
            (2_000_000, 20, 40, 4_000_000), // half of them are here
            (3_900_000, 39, 40, 7_800_000), // more than half: never less than what is here
            (4_000_000, 40, 40, 4_000_000),
            (0, 0, 0, 0),
        ] {
            assert_eq!(likely(statements, seen, batches), want, "{statements} {seen} {batches}");
        }
    }
}
