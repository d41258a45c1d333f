//! The only key that opens the store.

use std::sync::Arc;

use model::{Caller, Epoch, LabelId};

use crate::{Grants, Intervals};

/// What one credential may see, as of one epoch.
///
/// INVARIANT: only [`Policy::view`](crate::Policy::view) makes one. Every function of `store` that reads objects
/// takes a `View`, so a path that forgot the check does not compile.
#[derive(Clone, Debug)]
pub struct View {
    caller: Caller,
    epoch: Epoch,
    grants: Arc<Grants>,
}

impl View {
    pub(crate) fn new(caller: Caller, epoch: Epoch, grants: Arc<Grants>) -> Self {
        Self { caller, epoch, grants }
    }

    /// Who asks.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The epoch at which this was decided. It says nothing about a later one.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// When `label` was and is open to the caller.
    #[must_use]
    pub fn intervals(&self, label: LabelId) -> &Intervals {
        self.grants.intervals(label)
    }

    /// All of the caller's grants.
    #[must_use]
    pub fn grants(&self) -> &Arc<Grants> {
        &self.grants
    }
}
