//! Watching the parties of concern.
//!
//! The officers are told when somebody comes onto a list of concern or leaves the last of them, when something is said of
//! somebody who is on one, and when a tie moves around one: above it, among those who hold a quarter of it or more or
//! otherwise have a hold on it, or below it, at whoever it has such a hold on. What is said of their other partners is
//! what the members' own decisions are about, and is told there.
//!
//! ```text
//! dragon is of concern      parent --60 %--> dragon --51 %--> venture <--49 %-- acme
//! x --5 %--> parent         told: above `dragon`
//! venture --10 %--> y       told: below `dragon`
//! x --5 %--> acme           not told: a decision on acme, if it is a member
//! ```

use std::collections::{BTreeMap, BTreeSet};

use model::Timestamp;
use store::StoreError;
use ties::{AsOf, EntityId, KnownTie, Picture, Registry as Ties, Said, Statement, TieId, TieKind};

use crate::alerts::{self, Alert};
use crate::exchange::Hand;
use crate::registry::Registry;
use crate::ties::{FOLLOWED_MAX, resolved};

/// From which part of a company on somebody who holds it counts as having a hold on it, in basis points.
const HOLD_BP: u32 = 2_500;
/// How many entities above and below are looked at for one import: the largest groups have some thousands.
const LOOKED_AT_MAX: usize = 20_000;
/// Of how many parties one import is told one by one: whoever loads a public list knows that it names many.
const TOLD_MAX: usize = 100;

/// The parties of concern.
pub(crate) fn parties(registry: &Registry, ties: &Ties, at: Timestamp) -> BTreeSet<EntityId> {
    let picture = ties.picture(AsOf::at(at));
    let lists = &registry.programme().settings().vetting.concern;
    lists.iter().flat_map(|list| picture.listed_on(list)).map(|known| known.listing.entity).collect()
}

/// Tells the officers when something is said of a party of concern, those from `before` the statements included, or of
/// whoever stands above or below it.
pub(crate) fn watch(
    turn: &mut Hand<'_>,
    ties: &Ties,
    before: &BTreeSet<EntityId>,
    new: &[Statement],
    at: Timestamp,
) -> Result<(), StoreError> {
    // Only these can make somebody a party of concern.
    let may_list = |statement: &Statement| !matches!(statement.said, Said::Tie(_) | Said::Entity(_));
    let after = if new.iter().any(may_list) { Some(parties(turn.registry, ties, at)) } else { None };
    let after = after.as_ref().unwrap_or(before);
    if before.is_empty() && after.is_empty() {
        return Ok(());
    }
    let told = told(ties, before, after, new, at);
    for text in told.values().take(TOLD_MAX) {
        alerts::put(turn, &Alert::new("party-of-concern", None, text.clone(), at))?;
    }
    if let Some(more) = told.len().checked_sub(TOLD_MAX).filter(|more| *more > 0) {
        let text = format!("something new is said of {more} further parties of concern");
        alerts::put(turn, &Alert::new("party-of-concern", None, text, at))?;
    }
    Ok(())
}

/// What is to be told, by the party of concern.
fn told(
    ties: &Ties,
    before: &BTreeSet<EntityId>,
    after: &BTreeSet<EntityId>,
    new: &[Statement],
    at: Timestamp,
) -> BTreeMap<EntityId, String> {
    let picture = ties.picture(AsOf::at(at));
    let (mut told, mut ended) = (BTreeMap::new(), BTreeSet::new());
    let (mut upon, mut by) = (BTreeSet::new(), BTreeSet::new());
    for statement in new {
        for about in about(ties, &statement.said, &mut ended) {
            for entity in about.entities().map(|entity| picture.canonical(entity)) {
                let text = match (before.contains(&entity), after.contains(&entity)) {
                    (true, true) => format!("something new is said of the party of concern `{entity}`"),
                    (false, true) => format!("`{entity}` is a party of concern from now on"),
                    (true, false) => format!("`{entity}` is no longer a party of concern"),
                    (false, false) => continue,
                };
                told.insert(entity, text);
            }
            if let About::Tie { from, to } = &about {
                by.insert(picture.canonical(from));
                upon.insert(picture.canonical(to));
            }
        }
    }
    if new.len() > FOLLOWED_MAX {
        return told;
    }
    let mut walk = Walk { picture: &picture, concern: after, left: LOOKED_AT_MAX };
    let below: BTreeSet<EntityId> = by.union(&upon).cloned().collect();
    for (party, whose) in walk.reached(&below, Towards::Holders) {
        let text =
            || format!("a tie of `{whose}`, which the party of concern `{party}` has a hold on, has changed");
        told.entry(party.clone()).or_insert_with(text);
    }
    for (party, whose) in walk.reached(&upon, Towards::Held) {
        let text =
            || format!("a tie of `{whose}`, which has a hold on the party of concern `{party}`, has changed");
        told.entry(party.clone()).or_insert_with(text);
    }
    told
}

#[derive(Clone, Copy)]
enum Towards {
    Holders,
    Held,
}

/// Going up or down from entities to the parties of concern.
struct Walk<'w, P> {
    picture: &'w P,
    concern: &'w BTreeSet<EntityId>,
    /// How many entities may still be looked at.
    left: usize,
}

impl<P: Picture> Walk<'_, P> {
    /// The parties of concern that are reached, each with the entity from which it was. What lies behind one is its own.
    fn reached(&mut self, from: &BTreeSet<EntityId>, towards: Towards) -> BTreeMap<EntityId, EntityId> {
        let mut reached = BTreeMap::new();
        let mut seen = from.clone();
        // A tie of the party's own is told as that.
        let begin = from.iter().filter(|entity| !self.concern.contains(*entity));
        let mut open: Vec<(EntityId, EntityId)> =
            begin.map(|entity| (entity.clone(), entity.clone())).collect();
        while let Some((entity, origin)) = open.pop() {
            let Some(left) = self.left.checked_sub(1) else { break };
            self.left = left;
            let ties = match towards {
                Towards::Holders => self.picture.ties_into(&entity),
                Towards::Held => self.picture.ties_out_of(&entity),
            };
            for known in ties.iter().filter(|known| is_hold(known)) {
                let next = match towards {
                    Towards::Holders => &known.tie.from,
                    Towards::Held => &known.tie.to,
                };
                if self.concern.contains(next) {
                    reached.entry(next.clone()).or_insert_with(|| origin.clone());
                } else if seen.insert(next.clone()) {
                    open.push((next.clone(), origin.clone()));
                }
            }
        }
        reached
    }
}

/// Whether a tie gives whoever it comes from a hold on the other.
fn is_hold(known: &KnownTie) -> bool {
    match &known.tie.kind {
        TieKind::Holds(holding) => {
            // What is not stated may be all of it.
            holding.votes.or(holding.money).is_none_or(|share| share.basis_points_ceil() >= HOLD_BP)
        }
        TieKind::Appoints(right) => !right.observer,
        TieKind::Directs { .. }
        | TieKind::Consolidates { .. }
        | TieKind::Venture
        | TieKind::PartyTo { .. } => true,
        TieKind::MayAcquire { .. }
        | TieKind::Serves { .. }
        | TieKind::Seconds
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
        | TieKind::Plans(_) => false,
    }
}

/// What a statement is about.
enum About {
    Tie { from: EntityId, to: EntityId },
    Entities(Vec<EntityId>),
}

impl About {
    fn entities(&self) -> impl Iterator<Item = &EntityId> {
        let (ends, others) = match self {
            Self::Tie { from, to } => (Some([from, to]), [].as_slice()),
            Self::Entities(entities) => (None, entities.as_slice()),
        };
        ends.into_iter().flatten().chain(others)
    }
}

/// Whom a statement is about. The history of a tie that ends is looked at once for all its `ended`.
fn about(ties: &Ties, said: &Said, ended: &mut BTreeSet<TieId>) -> Vec<About> {
    match said {
        Said::Tie(tie) => vec![About::Tie { from: tie.from.clone(), to: tie.to.clone() }],
        Said::Listing(listing) => vec![About::Entities(vec![listing.entity.clone()])],
        Said::Same { kept, merged, .. } => vec![About::Entities(vec![kept.clone(), merged.clone()])],
        Said::End(end) if ended.insert(end.tie.clone()) => {
            let history = ties.history(&end.tie);
            let begins = |said: &Said| matches!(said, Said::Tie(_) | Said::Listing(_));
            let begun = history.iter().filter(|statement| begins(&statement.said));
            begun.flat_map(|statement| about(ties, &statement.said, ended)).collect()
        }
        Said::Retraction { .. } => {
            resolved(ties, said).map_or_else(Vec::new, |retracted| about(ties, &retracted, ended))
        }
        Said::End(_) | Said::Entity(_) => Vec::new(),
    }
}
