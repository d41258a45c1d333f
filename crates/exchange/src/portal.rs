//! What a member may ask about itself: what the rules let it do, what it contributed, its credentials.
//!
//! No answer here depends on what others hold or published: rights are asked of the policy for objects that are thought
//! up, and counts are of the member's own. So a member learns nothing here that its TAXII view does not tell.

use model::{Action, Caller, CollectionId, Principal, Role};
use release::{Audience, Demands, Label};
use store::CommitNo;

use crate::credentials::CredentialRecord;
use crate::error::AdminError;
use crate::exchange::Exchange;
use crate::uses::Uses;

/// The levels of TLP, from CLEAR to RED.
const TLP_LEVELS: u8 = 5;

/// What the caller may do with objects of a collection that are marked so and for everybody, submitted by the programme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnRights {
    /// The collection.
    pub collection: CollectionId,
    /// The level of TLP: 0 CLEAR to 4 RED; none for objects without.
    pub tlp: Option<u8>,
    /// Whether it may read them.
    pub read: bool,
    /// What else it may do with them.
    pub uses: Uses,
}

impl Exchange {
    /// What the rules let the calling member do, for each collection that it may read and each level of TLP.
    ///
    /// # Errors
    ///
    /// Refuses all but members.
    pub fn own_rights(&self, caller: &Caller) -> Result<Vec<OwnRights>, AdminError> {
        self.own(caller)?;
        let registry = self.inner.published.registry();
        let mut rights = Vec::new();
        let Some(reader) = registry.reader(&caller.principal) else { return Ok(rights) };
        let judge = registry.policy.judge(reader);
        let readable = self.collections(caller).into_iter().filter(|view| view.can_read);
        for view in readable {
            for tlp in std::iter::once(None).chain((0..TLP_LEVELS).map(Some)) {
                let label = Label {
                    collection: view.collection.id,
                    tier: view.collection.tier.clone(),
                    demands: Demands { tlp, ..Demands::default() },
                    creator: Principal::Role(Role::Operator),
                    audience: Audience::Everyone,
                    release_at: None,
                    release_until: None,
                    ends: std::collections::BTreeSet::new(),
                    unless: None,
                };
                let read = judge.may_read(&label).permitted;
                let uses = Uses {
                    enforce: read && judge.may_enforce(&label).permitted,
                    display: read && judge.may_display(&label).permitted,
                    redistribute: read && judge.may_redistribute(&label).permitted,
                };
                rights.push(OwnRights { collection: view.collection.id, tlp, read, uses });
            }
        }
        Ok(rights)
    }

    /// How many objects the calling member published, with all versions, by collection.
    ///
    /// # Errors
    ///
    /// Refuses all but members.
    pub fn own_contributions(&self, caller: &Caller) -> Result<Vec<(CollectionId, u64)>, AdminError> {
        self.own(caller)?;
        let registry = self.inner.published.registry();
        let view = self.inner.view(caller, &registry)?;
        let snapshot = self.inner.store.snapshot()?;
        let mut counts = std::collections::BTreeMap::new();
        for (number, facts) in (0..).zip(&registry.labels.facts) {
            if facts.label.creator == caller.principal {
                let count = snapshot.count_before(&view, model::LabelId::new(number), CommitNo(u64::MAX))?;
                *counts.entry(facts.label.collection).or_insert(0) += count;
            }
        }
        Ok(counts.into_iter().filter(|(_, count)| *count > 0).collect())
    }

    /// The credentials of whom the caller stands for, without their secrets, in the order of their ids.
    ///
    /// # Errors
    ///
    /// Refuses all but members; the programme's people have [`credentials`](Self::credentials).
    pub fn own_credentials(&self, caller: &Caller) -> Result<Vec<CredentialRecord>, AdminError> {
        self.own(caller)?;
        let registry = self.inner.published.registry();
        let own = registry.credentials.values().filter(|record| record.principal == caller.principal);
        Ok(own.cloned().collect())
    }

    /// Whether a member asks, with a credential that may read all that it may.
    fn own(&self, caller: &Caller) -> Result<(), AdminError> {
        let is_whole = caller.actions.contains(&Action::Read) && caller.collections.is_none();
        if caller.member().is_none() || !is_whole {
            return Err(AdminError::Forbidden { needed: "members, about themselves" });
        }
        if self.is_accepted(caller) { Ok(()) } else { Err(AdminError::Revoked) }
    }
}
