//! Budgets of which nobody can take all.
//!
//! A budget counts units: of memory, or of places. One principal holds a share of it at most, whatever its credentials
//! and connections are, so that its slowness is felt by itself before it is felt by others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use model::Principal;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many units, shared by all.
pub(crate) struct Budget {
    all: Arc<Semaphore>,
    share_units: usize,
    /// The shares of those who hold something or did so lately.
    shares: Mutex<BTreeMap<Principal, Arc<Semaphore>>>,
}

/// Units of a budget, given back when they are dropped.
#[derive(Debug)]
pub(crate) struct Held {
    all: OwnedSemaphorePermit,
    share: OwnedSemaphorePermit,
}

impl Budget {
    /// A budget of `units`, of which one principal holds `share_units` at most.
    pub(crate) fn new(units: usize, share_units: usize) -> Self {
        let units = units.clamp(1, u32::MAX as usize);
        Self {
            all: Arc::new(Semaphore::new(units)),
            share_units: share_units.clamp(1, units),
            shares: Mutex::default(),
        }
    }

    /// Nothing, to which [`grow`](Self::grow) adds.
    pub(crate) async fn nothing(&self, principal: &Principal) -> Option<Held> {
        let share = self.share(principal).acquire_many_owned(0).await.ok()?;
        Some(Held { share, all: Arc::clone(&self.all).acquire_many_owned(0).await.ok()? })
    }

    /// Waits until `held` has `units`, or a whole share if that is less. `None` if there will never be any.
    pub(crate) async fn grow(&self, held: &mut Held, units: usize) -> Option<()> {
        let wanted = units.min(self.share_units);
        let more = wanted.saturating_sub(held.all.num_permits());
        if more == 0 {
            return Some(());
        }
        let more = u32::try_from(more).ok()?;
        // First the own share: whoever waits for that stands in nobody's way.
        let share = Arc::clone(held.share.semaphore()).acquire_many_owned(more).await.ok()?;
        held.all.merge(Arc::clone(&self.all).acquire_many_owned(more).await.ok()?);
        held.share.merge(share);
        Some(())
    }

    /// One unit, if there is one now.
    pub(crate) fn try_one(&self, principal: &Principal) -> Option<Held> {
        let share = self.share(principal).try_acquire_owned().ok()?;
        Some(Held { share, all: Arc::clone(&self.all).try_acquire_owned().ok()? })
    }

    /// How many units nobody holds.
    pub(crate) fn left(&self) -> usize {
        self.all.available_permits()
    }

    fn share(&self, principal: &Principal) -> Arc<Semaphore> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = shares.get(principal) {
            return Arc::clone(share);
        }
        // A share that only the map knows is whole: nothing of it is held and nobody waits.
        shares.retain(|_, share| Arc::strong_count(share) > 1);
        let share = Arc::new(Semaphore::new(self.share_units));
        shares.insert(principal.clone(), Arc::clone(&share));
        share
    }
}

impl Held {
    /// Gives back what is beyond `units`.
    pub(crate) fn shrink(&mut self, units: usize) {
        for permit in [&mut self.all, &mut self.share] {
            let excess = permit.num_permits().saturating_sub(units);
            drop(permit.split(excess));
        }
    }
}

/// A budget of bytes of answers, from when they are made until they are sent.
///
/// How large an answer is is known when it is made. So it is asked before whether anything is left, and what is made then
/// is counted, over the budget if it must be: by as much as the reads that run at once can make.
#[derive(Debug)]
pub(crate) struct Answers {
    max_bytes: usize,
    share_max_bytes: usize,
    held: Mutex<HeldBytes>,
}

#[derive(Debug, Default)]
struct HeldBytes {
    all: usize,
    by: BTreeMap<Principal, usize>,
}

/// Whose answers are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// The principal's own.
    Share,
    /// All together.
    All,
}

impl Answers {
    /// A budget of `max_bytes`, of which one principal's answers hold `share_max_bytes`.
    pub(crate) fn new(max_bytes: usize, share_max_bytes: usize) -> Self {
        Self { max_bytes, share_max_bytes, held: Mutex::default() }
    }

    /// Whether another answer may be made for `principal` now.
    pub(crate) fn admit(&self, principal: &Principal) -> Result<(), Full> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.by.get(principal).is_some_and(|bytes| *bytes >= self.share_max_bytes) {
            return Err(Full::Share);
        }
        if held.all >= self.max_bytes { Err(Full::All) } else { Ok(()) }
    }

    /// The bytes of an answer, counted until the last of them is sent.
    pub(crate) fn count(self: &Arc<Self>, principal: &Principal, mut bytes: Vec<u8>) -> Bytes {
        if bytes.capacity() / 2 > bytes.len() {
            bytes.shrink_to_fit();
        }
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.all += bytes.len();
        *held.by.entry(principal.clone()).or_default() += bytes.len();
        drop(held);
        Bytes::from_owner(Counted { bytes, principal: principal.clone(), answers: Arc::clone(self) })
    }
}

struct Counted {
    bytes: Vec<u8>,
    principal: Principal,
    answers: Arc<Answers>,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut held = self.answers.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.all -= self.bytes.len();
        if let Some(bytes) = held.by.get_mut(&self.principal) {
            *bytes -= self.bytes.len();
            if *bytes == 0 {
                held.by.remove(&self.principal);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use model::Role;

    use super::*;

    const ALPHA: Principal = Principal::Role(Role::Operator);
    const BETA: Principal = Principal::Role(Role::Officer);

    #[test]
    fn nobody_takes_more_than_a_share() {
        let budget = Budget::new(3, 2);
        let first = budget.try_one(&ALPHA);
        let second = budget.try_one(&ALPHA);
        assert!(first.is_some() && second.is_some() && budget.try_one(&ALPHA).is_none());
        let others = budget.try_one(&BETA);
        assert!(others.is_some() && budget.try_one(&BETA).is_none(), "there are three in all");
        drop(first);
        assert!(budget.try_one(&BETA).is_some() && budget.try_one(&ALPHA).is_some());
    }

    #[tokio::test]
    async fn what_is_held_grows_to_a_share_and_shrinks() {
        let budget = Budget::new(10, 6);
        let mut held = budget.nothing(&ALPHA).await.unwrap();
        assert_eq!(budget.left(), 10);
        for (wanted, left) in [(1, 9), (4, 6), (2, 6), (100, 4)] {
            budget.grow(&mut held, wanted).await.unwrap();
            assert_eq!(budget.left(), left, "{wanted}");
        }
        assert!(budget.try_one(&ALPHA).is_none());
        held.shrink(5);
        assert_eq!(budget.left(), 5);
        assert!(budget.try_one(&ALPHA).is_some());
        drop(held);
        assert_eq!(budget.left(), 10);
    }

    #[test]
    fn shares_of_those_who_hold_nothing_are_forgotten() {
        let budget = Budget::new(10, 6);
        let held = budget.try_one(&ALPHA);
        drop(budget.try_one(&BETA));
        let _other = budget.try_one(&Principal::Role(Role::Overseer));
        let shares = budget.shares.lock().unwrap();
        assert!(held.is_some() && shares.contains_key(&ALPHA) && !shares.contains_key(&BETA));
    }

    #[test]
    fn answers_are_counted_until_the_last_part_of_them_is_gone() {
        let answers = Arc::new(Answers::new(10, 6));
        let first = answers.count(&ALPHA, vec![0; 5]);
        assert_eq!(answers.admit(&ALPHA), Ok(()), "one byte is left of the share");
        let mut second = answers.count(&ALPHA, vec![0; 4]);
        assert_eq!((answers.admit(&ALPHA), answers.admit(&BETA)), (Err(Full::Share), Ok(())));
        let others = answers.count(&BETA, vec![0; 1]);
        assert_eq!(answers.admit(&BETA), Err(Full::All));
        let part = second.split_off(1);
        drop((first, second));
        assert_eq!((answers.admit(&ALPHA), answers.admit(&BETA)), (Ok(()), Ok(())));
        drop(part);
        drop(others);
        let held = answers.held.lock().unwrap();
        assert!(held.all == 0 && held.by.is_empty(), "{held:?}");
    }
}
