//! Looking at a picture as if some ties were different.
//!
//! Instruments, remedies and questions of what would be are all the same thing: the picture with some ties taken out
//! or changed. A [`Lens`] is that, without copying the picture.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use programme::{Instrument, InstrumentKind, Transform};
use ties::{
    AsOf, Entity, EntityId, KnownListing, KnownTie, ListId, Picture, Source, StatementId, Tie, TieId,
    TieKind, Truth,
};

/// A picture with some ties taken out, changed or added.
pub struct Lens<'p> {
    under: &'p dyn Picture,
    /// Ties that are as if they had ended.
    without: BTreeSet<TieId>,
    /// Ties that are as if they were these.
    changed: BTreeMap<TieId, Tie>,
    /// Ties that are as if they had been stated.
    added: Vec<(Tie, StatementId, Source)>,
}

impl<'p> Lens<'p> {
    /// The picture as it is.
    #[must_use]
    pub fn new(under: &'p dyn Picture) -> Self {
        Self { under, without: BTreeSet::new(), changed: BTreeMap::new(), added: Vec::new() }
    }

    /// As if these ties had ended by sale to somebody eligible: the other holders keep their parts.
    #[must_use]
    pub fn without(mut self, ties: impl IntoIterator<Item = TieId>) -> Self {
        self.without.extend(ties);
        self
    }

    /// As if these ties were stated.
    #[must_use]
    pub fn with(mut self, ties: impl IntoIterator<Item = (Tie, StatementId, Source)>) -> Self {
        self.added.extend(ties);
        self
    }

    /// As if `tie` were this.
    #[must_use]
    pub fn changed(mut self, tie: Tie) -> Self {
        self.changed.insert(tie.id.clone(), tie);
        self
    }

    /// With what instruments make of the ties that they cover.
    #[must_use]
    pub fn under_instruments<'i>(
        mut self,
        instruments: impl IntoIterator<Item = (&'i Instrument, &'i InstrumentKind)>,
    ) -> Self {
        for (instrument, kind) in instruments {
            for id in &instrument.covers {
                let tie = self.changed.get(id).cloned().or_else(|| self.under.tie(id).map(|known| known.tie));
                let Some(tie) = tie else { continue };
                match transformed(tie, &kind.transforms) {
                    Some(tie) => drop(self.changed.insert(id.clone(), tie)),
                    None => drop(self.without.insert(id.clone())),
                }
            }
        }
        self
    }

    fn seen(&self, mut known: KnownTie) -> Option<KnownTie> {
        if self.without.contains(&known.tie.id) {
            return None;
        }
        if let Some(changed) = self.changed.get(&known.tie.id) {
            known.tie = changed.clone();
        }
        Some(known)
    }

    fn additions(&self) -> impl Iterator<Item = KnownTie> {
        let day = self.under.as_of().day;
        self.added.iter().filter_map(move |(tie, statement, source)| {
            let truth = tie.valid.holds(day);
            (truth != Truth::No && !self.without.contains(&tie.id)).then(|| KnownTie {
                tie: tie.clone(),
                statement: statement.clone(),
                source: Arc::new(source.clone()),
                truth,
                announced_end: None,
                disputed_end: None,
            })
        })
    }
}

/// What is left of a tie under an instrument; `None` if nothing.
fn transformed(mut tie: Tie, transforms: &BTreeSet<Transform>) -> Option<Tie> {
    let has = |transform| transforms.contains(&transform);
    match &mut tie.kind {
        TieKind::Holds(holding) if has(Transform::NoVotes) => {
            holding.money = holding.money.or(holding.votes);
            holding.votes = Some(ties::Share::NOTHING);
        }
        TieKind::Appoints(_) if has(Transform::NoAppointments) => {
            return None;
        }
        TieKind::Directs { .. } | TieKind::Consolidates { .. } if has(Transform::NoDirection) => return None,
        TieKind::MayAcquire { .. } if has(Transform::NoProspects) => return None,
        TieKind::Serves { .. } | TieKind::Seconds if has(Transform::Recusal) => return None,
        TieKind::Holds(_)
        | TieKind::MayAcquire { .. }
        | TieKind::Appoints(_)
        | TieKind::Directs { .. }
        | TieKind::Consolidates { .. }
        | TieKind::Serves { .. }
        | TieKind::Seconds => {}
        TieKind::Venture
        | TieKind::PartyTo { .. }
        | TieKind::Licenses { .. }
        | TieKind::Contracts { .. }
        | TieKind::Supplies { .. }
        | TieKind::Lends { .. }
        | TieKind::Pays { .. }
        | TieKind::Grants { .. }
        | TieKind::Equips { .. }
        | TieKind::Governs { .. }
        | TieKind::Family
        | TieKind::Associates { .. }
        | TieKind::Succeeds
        | TieKind::Plans(_) => {
            if has(Transform::Accepted) {
                return None;
            }
        }
    }
    Some(tie)
}

impl Picture for Lens<'_> {
    fn as_of(&self) -> AsOf {
        self.under.as_of()
    }

    fn canonical(&self, id: &EntityId) -> EntityId {
        self.under.canonical(id)
    }

    fn entity(&self, id: &EntityId) -> Option<Entity> {
        self.under.entity(id)
    }

    fn ties_into(&self, id: &EntityId) -> Vec<KnownTie> {
        let here = self.under.canonical(id);
        let added = self.additions().filter(|known| self.under.canonical(&known.tie.to) == here);
        self.under.ties_into(id).into_iter().filter_map(|known| self.seen(known)).chain(added).collect()
    }

    fn ties_out_of(&self, id: &EntityId) -> Vec<KnownTie> {
        let here = self.under.canonical(id);
        let added = self.additions().filter(|known| self.under.canonical(&known.tie.from) == here);
        self.under.ties_out_of(id).into_iter().filter_map(|known| self.seen(known)).chain(added).collect()
    }

    fn tie(&self, id: &TieId) -> Option<KnownTie> {
        let known = self.under.tie(id).and_then(|known| self.seen(known));
        known.or_else(|| self.additions().find(|known| known.tie.id == *id))
    }

    fn listings(&self, id: &EntityId) -> Vec<KnownListing> {
        self.under.listings(id)
    }

    fn listed_on(&self, list: &ListId) -> Vec<KnownListing> {
        self.under.listed_on(list)
    }

    fn lists(&self) -> Vec<ListId> {
        self.under.lists()
    }
}
