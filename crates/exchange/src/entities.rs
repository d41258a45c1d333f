//! Entities to look at: found by what they are called, with the lists that name them and the members that are near.
//!
//! Here people begin who have a name and want to know what it means to the programme. What is told is a picture of ties
//! as of a day, as known at an instant, like everything about ties.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use model::{Caller, MemberId, Role};
use serde::Serialize;
use ties::derive::{Cone, Options, What};
use ties::{AsOf, Entity, EntityId, KnownListing, ListId, Picture, RegistryPicture, TieId};

use crate::around::Around;
use crate::error::AdminError;
use crate::exchange::{Exchange, require};
use crate::registry::Registry;

/// How many entities one search finds at most.
pub const ENTITIES_FOUND_MAX: usize = 200;

/// An entity that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EntityFound {
    /// What is said of it, all sources put together.
    pub entity: Entity,
    /// The member that it is.
    pub member: Option<MemberId>,
    /// The lists that name it and make it a party of concern.
    pub concern: Vec<ListId>,
    /// The other lists that name it.
    pub lists: Vec<ListId>,
}

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EntitiesFound {
    /// The entities, in the order in which they became known.
    pub entities: Vec<EntityFound>,
    /// Whether there may be more.
    pub is_cut_short: bool,
}

/// One entity, with what lies around it.
#[derive(Clone, Debug)]
pub struct EntityView {
    /// What is said of it, if anything is.
    pub entity: Option<Entity>,
    /// The identifiers that are one with its own, which is the first.
    pub also: Vec<EntityId>,
    /// The member that it is.
    pub member: Option<MemberId>,
    /// What lies around it.
    pub around: Around,
    /// The members among those around it, the nearest first.
    pub near: Vec<NearMember>,
}

/// A member that is near an entity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct NearMember {
    /// How many ties lie between them.
    pub steps: usize,
    /// Its name.
    pub name: String,
    /// The member.
    pub member: MemberId,
    /// The entity that it is.
    pub entity: EntityId,
}

/// A list of the registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListView {
    /// Its name.
    pub list: ListId,
    /// Whether whom it names is a party of concern.
    pub is_concern: bool,
    /// How many it names.
    pub named: usize,
    /// The members among them.
    pub members: Vec<MemberId>,
    /// The documents that it comes from.
    pub documents: BTreeSet<String>,
    /// When something of it was last recorded.
    pub recorded: Option<model::Timestamp>,
}

/// Somebody whom a list names.
#[derive(Clone, Debug)]
pub struct Named {
    /// The listing.
    pub listing: KnownListing,
    /// Its name.
    pub name: String,
    /// The member that it is.
    pub member: Option<MemberId>,
}

/// What about the ties of a member is not settled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unsettled {
    /// The member's name.
    pub name: String,
    /// The member.
    pub member: MemberId,
    /// What it is about.
    pub what: UnsettledBy,
    /// Whose ties they are.
    pub entity: EntityId,
    /// What that is called.
    pub called: String,
    /// The ties.
    pub ties: Vec<TieId>,
}

/// Why something is not settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnsettledBy {
    /// Sources contradict each other, or themselves.
    Conflict(What),
    /// One source says that a tie ended, and another, later, that it holds.
    DisputedEnd,
    /// Somebody must own it, and nobody is known to.
    NoHolder,
    /// There is more above it than is looked at.
    CutShort,
}

/// The member that each entity is, by the identifiers that stay.
fn members_of(registry: &Registry, picture: &dyn Picture) -> BTreeMap<EntityId, MemberId> {
    let bound =
        registry.dossiers.iter().filter_map(|(member, dossier)| Some((dossier.entity.as_ref()?, member)));
    bound.map(|(entity, member)| (picture.canonical(entity), member.clone())).collect()
}

fn is_of_concern(registry: &Registry, list: &ListId) -> bool {
    registry.programme().settings().vetting.concern.contains(list)
}

impl Exchange {
    /// The clocks of a question: now, unless it says otherwise; nobody knows what is not recorded yet.
    pub(crate) fn as_of_now(&self, as_of: Option<AsOf>) -> AsOf {
        let now = self.inner.clock.now();
        let mut as_of = as_of.unwrap_or(AsOf::at(now));
        as_of.known = as_of.known.min(now);
        as_of
    }

    /// The entities in whose names or identifiers a text stands, whatever its letters' case.
    ///
    /// # Errors
    ///
    /// Refuses members, and a text of less than two letters.
    pub fn find_entities(
        &self,
        caller: &Caller,
        text: &str,
        limit: usize,
    ) -> Result<EntitiesFound, AdminError> {
        require(caller, &Role::ALL, "the programme's people")?;
        if text.trim().chars().nth(1).is_none() {
            return Err(AdminError::Invalid("a search needs two letters at least".to_owned()));
        }
        let registry = self.inner.published.registry();
        let ties = self.inner.recorded.read();
        let picture = ties.picture(self.as_of_now(None));
        let members = members_of(&registry, &picture);
        let (found, is_cut_short) = picture.find(text, limit.clamp(1, ENTITIES_FOUND_MAX));
        let told = |entity: Entity| {
            let lists = picture.listings(&entity.id).into_iter().map(|known| known.listing.list);
            let lists: BTreeSet<ListId> = lists.collect();
            let (concern, lists) = lists.into_iter().partition(|list| is_of_concern(&registry, list));
            EntityFound { member: members.get(&entity.id).cloned(), entity, concern, lists }
        };
        Ok(EntitiesFound { entities: found.into_iter().map(told).collect(), is_cut_short })
    }

    /// One entity, and what lies around it.
    ///
    /// # Errors
    ///
    /// Refuses members, and an entity of which nothing is said.
    pub fn entity(
        &self,
        caller: &Caller,
        id: &EntityId,
        as_of: Option<AsOf>,
    ) -> Result<EntityView, AdminError> {
        let around = self.around(caller, id, as_of, &BTreeSet::new())?;
        let registry = self.inner.published.registry();
        let ties = self.inner.recorded.read();
        let picture = ties.picture(around.as_of);
        let entity = picture.entity(id);
        let members = members_of(&registry, &picture);
        let own = around.entities.get(&around.focus);
        let is_listed = own.is_some_and(|own| !own.concern.is_empty() || !own.listings.is_empty());
        let member = members.get(&around.focus).cloned();
        if entity.is_none() && around.ties.is_empty() && !is_listed && member.is_none() {
            // It may have been known on another day, and then its page says so.
            let now = ties.picture(self.as_of_now(None));
            if now.entity(id).is_none() && now.ties_into(id).is_empty() && now.ties_out_of(id).is_empty() {
                return Err(AdminError::NoSuchObject(id.to_string()));
            }
        }
        let steps = steps(&around);
        let near =
            members.iter().filter(|(entity, _)| **entity != around.focus).filter_map(|(entity, member)| {
                let name = registry.members.get(member)?.name.clone();
                Some(NearMember {
                    steps: *steps.get(entity)?,
                    name,
                    member: member.clone(),
                    entity: entity.clone(),
                })
            });
        let mut near: Vec<NearMember> = near.collect();
        near.sort();
        Ok(EntityView { also: picture.also_known_as(id), entity, member, near, around })
    }

    /// Every list that names anybody, and what it is to the programme.
    ///
    /// # Errors
    ///
    /// Refuses members.
    pub fn lists(&self, caller: &Caller, as_of: Option<AsOf>) -> Result<Vec<ListView>, AdminError> {
        require(caller, &Role::ALL, "the programme's people")?;
        let registry = self.inner.published.registry();
        let ties = self.inner.recorded.read();
        let picture = ties.picture(self.as_of_now(as_of));
        let members = members_of(&registry, &picture);
        let view = |list: ListId| {
            let named = picture.listed_on(&list);
            let entities: BTreeSet<&EntityId> = named.iter().map(|known| &known.listing.entity).collect();
            let recorded =
                named.iter().filter_map(|known| Some(ties.statement(&known.statement)?.recorded)).max();
            ListView {
                is_concern: is_of_concern(&registry, &list),
                named: entities.len(),
                members: entities.iter().filter_map(|entity| members.get(*entity).cloned()).collect(),
                documents: named.iter().map(|known| known.source.document.clone()).collect(),
                recorded,
                list,
            }
        };
        let mut lists: Vec<ListView> = picture.lists().into_iter().map(view).collect();
        lists.sort_by(|a, b| (!a.is_concern, &a.list).cmp(&(!b.is_concern, &b.list)));
        Ok(lists)
    }

    /// Whom a list names.
    ///
    /// # Errors
    ///
    /// Refuses members.
    pub fn listed_on(
        &self,
        caller: &Caller,
        list: &ListId,
        as_of: Option<AsOf>,
    ) -> Result<Vec<Named>, AdminError> {
        require(caller, &Role::ALL, "the programme's people")?;
        let registry = self.inner.published.registry();
        let ties = self.inner.recorded.read();
        let picture = ties.picture(self.as_of_now(as_of));
        let members = members_of(&registry, &picture);
        let named = |listing: KnownListing| {
            let id = &listing.listing.entity;
            let name = picture.entity(id).map_or_else(|| id.to_string(), |entity| entity.name().to_owned());
            Named { name, member: members.get(id).cloned(), listing }
        };
        let mut all: Vec<Named> = picture.listed_on(list).into_iter().map(named).collect();
        all.sort_by(|a, b| (&a.name, &a.listing.listing.id).cmp(&(&b.name, &b.listing.listing.id)));
        Ok(all)
    }

    /// What of the ties that lie above each member is contradictory or unknown.
    ///
    /// # Errors
    ///
    /// Refuses members.
    pub fn unsettled(&self, caller: &Caller) -> Result<Vec<Unsettled>, AdminError> {
        require(caller, &Role::ALL, "the programme's people")?;
        let registry = self.inner.published.registry();
        let ties = self.inner.recorded.kept();
        let picture = ties.picture(self.as_of_now(None));
        let mut all = Vec::new();
        for (id, dossier) in registry.dossiers.iter() {
            let (Some(entity), Some(member)) = (&dossier.entity, registry.members.get(id)) else { continue };
            let mut tell = |what: UnsettledBy, of: &EntityId, about: Vec<TieId>| {
                let known_as =
                    picture.entity(of).map_or_else(|| of.to_string(), |entity| entity.name().to_owned());
                let (name, member) = (member.name.clone(), id.clone());
                all.push(Unsettled { name, member, what, entity: of.clone(), called: known_as, ties: about });
            };
            above(&picture, entity, &mut tell);
        }
        all.sort();
        Ok(all)
    }
}

/// What is not settled above an entity.
fn above(
    picture: &RegistryPicture<'_>,
    entity: &EntityId,
    tell: &mut dyn FnMut(UnsettledBy, &EntityId, Vec<TieId>),
) {
    let cone = Cone::upstream(picture, entity, &Options::default());
    for one in &cone.irregularities {
        tell(UnsettledBy::Conflict(one.what), &one.company, one.ties.clone());
    }
    for open in cone.open_ends() {
        tell(UnsettledBy::NoHolder, open, Vec::new());
    }
    for company in cone.entities() {
        let disputed = picture.ties_into(company).into_iter().filter(|known| known.disputed_end.is_some());
        let ties: Vec<TieId> = disputed.map(|known| known.tie.id).collect();
        if !ties.is_empty() {
            tell(UnsettledBy::DisputedEnd, company, ties);
        }
    }
    if cone.cut_short {
        tell(UnsettledBy::CutShort, entity, Vec::new());
    }
}

/// How many ties lie between the middle and everybody around it, in whatever direction they run.
fn steps(around: &Around) -> BTreeMap<EntityId, usize> {
    let mut beside: BTreeMap<&EntityId, Vec<&EntityId>> = BTreeMap::new();
    for known in &around.ties {
        beside.entry(&known.tie.from).or_default().push(&known.tie.to);
        beside.entry(&known.tie.to).or_default().push(&known.tie.from);
    }
    let mut steps = BTreeMap::from([(around.focus.clone(), 0)]);
    let mut open = VecDeque::from([(&around.focus, 0)]);
    while let Some((entity, count)) = open.pop_front() {
        for next in beside.get(entity).into_iter().flatten() {
            if !steps.contains_key(*next) {
                steps.insert((*next).clone(), count + 1);
                open.push_back((next, count + 1));
            }
        }
    }
    steps
}
