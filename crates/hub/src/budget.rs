//! Budgets of which nobody can take all.
//!
//! A budget counts units: of memory, or of places. One principal holds a share of it at most, whatever its credentials
//! and connections are, so that its slowness is felt by itself before it is felt by others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

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
}
