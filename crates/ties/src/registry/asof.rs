//! The registry's picture: what counts of the log, as of a day and as known at an instant.
//!
//! Nothing is computed ahead. A question follows the chain of the entity that is asked about, finds who speaks for
//! each tie in it, and makes the answer; so a picture costs nothing to take, and any number of them may be open.

use std::sync::{Arc, Mutex, PoisonError};

use hashbrown::HashMap;

use super::intern::NONE;
use super::log::Log;
use super::merges::Merges;
use super::word::Word;
use crate::encode::Tag;
use crate::{
    AsOf, Entity, EntityId, KnownListing, KnownTie, ListId, Picture, Said, Source, StatementId, Tie, TieId,
    TieKind, Truth,
};

/// What the statements of a [`Registry`](crate::Registry) amount to on a day, as known at an instant.
#[derive(Debug)]
pub struct RegistryPicture<'r> {
    pub(crate) log: &'r Log,
    as_of: AsOf,
    merges: Merges,
    /// The sources that were shown so far, so that ties of one document share theirs.
    sources: Mutex<HashMap<u32, Arc<Source>>>,
}

/// A tie or listing that holds, by number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) tie: u32,
    pub(crate) word: Word,
    pub(crate) truth: Truth,
}

impl<'r> RegistryPicture<'r> {
    pub(super) fn new(log: &'r Log, as_of: AsOf) -> Self {
        Self { log, as_of, merges: Merges::default(), sources: Mutex::default() }
    }

    pub(crate) fn number(&self, id: &EntityId) -> Option<u32> {
        self.log.entities.find(id.as_str().as_bytes())
    }

    pub(crate) fn entity_count(&self) -> u32 {
        u32::try_from(self.log.entities.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn day(&self) -> crate::Day {
        self.as_of.day
    }

    /// Whether ties may run to an entity: some statement says so, and it was not merged into another.
    pub(crate) fn may_be_held(&self, entity: u32) -> bool {
        let heads = self.log.entity_heads[entity as usize];
        (heads.into != NONE || heads.same != NONE) && self.canonical_number(entity) == entity
    }

    /// Whether some statement may say what an entity is.
    pub(crate) fn is_described(&self, entity: u32) -> bool {
        let heads = self.log.entity_heads[entity as usize];
        heads.said != NONE || heads.same != NONE
    }

    pub(crate) fn canonical_number(&self, entity: u32) -> u32 {
        self.merges.canonical(self.log, entity, self.as_of.known)
    }

    /// The identifiers that are one with an entity's, its own included.
    pub(super) fn merged(&self, entity: u32) -> Vec<u32> {
        self.merges.members(self.log, entity, self.as_of.known)
    }

    pub(crate) fn described(&self, entity: u32) -> Option<Entity> {
        let members = self.merges.members(self.log, entity, self.as_of.known);
        self.log.described(self.canonical_number(entity), &members, self.as_of.known)
    }

    /// The ties to an entity that hold, in the order of their numbers.
    pub(crate) fn held_into(&self, entity: u32) -> Vec<Held> {
        let here = self.canonical_number(entity);
        self.held(
            entity,
            Tag::Tie,
            |member| self.log.into(member),
            |held| self.canonical_number(self.log.row(held.word.row).second) == here,
        )
    }

    /// The ties from an entity that hold, in the order of their numbers.
    pub(crate) fn held_out_of(&self, entity: u32) -> Vec<Held> {
        let here = self.canonical_number(entity);
        self.held(
            entity,
            Tag::Tie,
            |member| self.log.out_of(member),
            |held| self.canonical_number(self.log.row(held.word.row).first) == here,
        )
    }

    /// The ties by which an entity is a party to an arrangement.
    pub(crate) fn held_as_party(&self, entity: u32) -> Vec<Held> {
        if self.log.parties.is_empty() {
            return Vec::new();
        }
        let here = self.canonical_number(entity);
        let members = self.merges.members(self.log, entity, self.as_of.known);
        let ties = members.iter().filter_map(|member| self.log.parties.get(member)).flatten().copied();
        self.speaking(ties.collect(), Tag::Tie, |held| {
            self.canonical_number(self.log.row(held.word.row).first) == here
                && matches!(self.log.kind(held.word.row), TieKind::PartyTo { .. })
        })
    }

    fn held_listings(&self, entity: u32) -> Vec<Held> {
        let here = self.canonical_number(entity);
        self.held(
            entity,
            Tag::Listing,
            |member| self.log.said_of(member),
            |held| self.canonical_number(self.log.row(held.word.row).first) == here,
        )
    }

    fn held_on(&self, list: u32) -> Vec<Held> {
        let ties = self.log.of_list(list).map(|row| self.log.row(row).tie).collect();
        self.speaking(ties, Tag::Listing, |held| self.log.row(held.word.row).second == list)
    }

    fn held<I: Iterator<Item = u32>>(
        &self,
        entity: u32,
        tag: Tag,
        chain: impl Fn(u32) -> I,
        belongs: impl Fn(&Held) -> bool,
    ) -> Vec<Held> {
        let members = self.merges.members(self.log, entity, self.as_of.known);
        let rows = members.into_iter().flat_map(chain).map(|row| self.log.row(row));
        let ties = rows.filter(|row| row.tag == tag).map(|row| row.tie).collect();
        self.speaking(ties, tag, belongs)
    }

    /// Those of the ties that hold and belong here. A tie whose ends were corrected stands in the chains of the old
    /// ends too, so each is asked who speaks for it, once.
    fn speaking(&self, mut ties: Vec<u32>, tag: Tag, belongs: impl Fn(&Held) -> bool) -> Vec<Held> {
        ties.sort_unstable();
        ties.dedup();
        ties.into_iter().filter_map(|tie| self.one(tie, tag)).filter(belongs).collect()
    }

    pub(crate) fn one(&self, tie: u32, tag: Tag) -> Option<Held> {
        let mut word = self.log.word(tie, tag, self.as_of.known)?;
        let (truth, row) = self.log.truth(word, self.as_of.day);
        word.row = row;
        (truth != Truth::No).then_some(Held { tie, word, truth })
    }

    pub(crate) fn id(&self, entity: u32) -> EntityId {
        EntityId::stored(self.log.entities.text(self.canonical_number(entity)))
    }

    /// The tie, between ends that some caller may have at hand.
    fn known_tie(&self, held: &Held, from: Option<&EntityId>, to: Option<&EntityId>) -> Option<KnownTie> {
        let row = self.log.row(held.word.row);
        if row.tag != Tag::Tie {
            return None;
        }
        let (valid, kind) = self.log.tie_said(held.word.row);
        let mut tie = Tie {
            id: TieId::stored(self.log.ties.text(row.tie)),
            from: from.cloned().unwrap_or_else(|| self.id(row.first)),
            to: to.cloned().unwrap_or_else(|| self.id(row.second)),
            kind,
            valid,
        };
        self.rename(&mut tie);
        let end = held.word.ended.map(|row| self.log.name_of(row));
        Some(KnownTie {
            tie,
            statement: self.log.name_of(held.word.row),
            source: self.source(row.source, held.word.row),
            truth: held.truth,
            announced_end: held.word.announced.map(|row| self.log.name_of(row)),
            disputed_end: end.filter(|_| held.word.disputed),
        })
    }

    fn rename(&self, tie: &mut Tie) {
        if let TieKind::Holds(holding) = &mut tie.kind
            && let Some(nominator) = &mut holding.nominator
        {
            *nominator = self.canonical(nominator);
        }
    }

    fn known_listing(&self, held: &Held) -> Option<KnownListing> {
        let row = self.log.row(held.word.row);
        let Said::Listing(mut listing) = self.log.said(held.word.row) else { return None };
        listing.entity = self.id(row.first);
        Some(KnownListing {
            listing,
            statement: self.statement(held),
            source: self.source(row.source, held.word.row),
            truth: held.truth,
        })
    }

    fn statement(&self, held: &Held) -> StatementId {
        self.log.name_of(held.word.row)
    }

    fn source(&self, source: u32, row: u32) -> Arc<Source> {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let known = sources.entry(source).or_insert_with(|| Arc::new(self.log.source_of(self.log.row(row))));
        Arc::clone(known)
    }

    fn known_ties(&self, held: &[Held], from: Option<&EntityId>, to: Option<&EntityId>) -> Vec<KnownTie> {
        let mut ties: Vec<KnownTie> = held.iter().filter_map(|held| self.known_tie(held, from, to)).collect();
        ties.sort_unstable_by(|a, b| a.tie.id.cmp(&b.tie.id));
        ties
    }

    fn known_listings(&self, held: &[Held]) -> Vec<KnownListing> {
        let mut listings: Vec<KnownListing> = held.iter().filter_map(|h| self.known_listing(h)).collect();
        listings.sort_by(|a, b| a.listing.id.cmp(&b.listing.id));
        listings
    }
}

impl Picture for RegistryPicture<'_> {
    fn as_of(&self) -> AsOf {
        self.as_of
    }

    fn canonical(&self, id: &EntityId) -> EntityId {
        self.number(id).map_or_else(|| id.clone(), |number| self.id(number))
    }

    fn entity(&self, id: &EntityId) -> Option<Entity> {
        self.described(self.number(id)?)
    }

    fn ties_into(&self, id: &EntityId) -> Vec<KnownTie> {
        let Some(entity) = self.number(id) else { return Vec::new() };
        self.known_ties(&self.held_into(entity), None, Some(&self.id(entity)))
    }

    fn ties_out_of(&self, id: &EntityId) -> Vec<KnownTie> {
        let Some(entity) = self.number(id) else { return Vec::new() };
        self.known_ties(&self.held_out_of(entity), Some(&self.id(entity)), None)
    }

    fn arrangements(&self, id: &EntityId) -> Vec<KnownTie> {
        if self.log.parties.is_empty() {
            // Nearly always, and then nobody has to be looked up.
            return Vec::new();
        }
        let Some(entity) = self.number(id) else { return Vec::new() };
        self.known_ties(&self.held_as_party(entity), Some(&self.id(entity)), None)
    }

    fn tie(&self, id: &TieId) -> Option<KnownTie> {
        let tie = self.log.ties.find(id.as_str().as_bytes())?;
        self.one(tie, Tag::Tie).and_then(|held| self.known_tie(&held, None, None))
    }

    fn listings(&self, id: &EntityId) -> Vec<KnownListing> {
        self.number(id).map_or_else(Vec::new, |entity| self.known_listings(&self.held_listings(entity)))
    }

    fn listed_on(&self, list: &ListId) -> Vec<KnownListing> {
        let list = self.log.lists.find(list.as_str().as_bytes());
        list.map_or_else(Vec::new, |list| self.known_listings(&self.held_on(list)))
    }

    fn lists(&self) -> Vec<ListId> {
        let numbers = 0..u32::try_from(self.log.lists.len()).unwrap_or(u32::MAX);
        let mut lists: Vec<ListId> = numbers
            .filter(|&list| !self.held_on(list).is_empty())
            .map(|list| ListId::stored(self.log.lists.text(list)))
            .collect();
        lists.sort_unstable();
        lists
    }
}
