//! What lies around an entity: who is above it, what is below, and who else holds that. For pictures of ties.
//!
//! From the entity the walk goes up along every tie that runs to one, and down along every tie that runs from one. Of
//! what lies below, whoever else has influence on it is told too, one step up: a partner in a venture is what a picture of
//! a venture is about. States are not walked through, or everybody of a country would be everybody's neighbour.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use model::{Caller, Role};
use ties::{AsOf, EntityId, EntityKind, KnownListing, KnownTie, Picture, TieId, TieKind};

use crate::error::AdminError;
use crate::exchange::{Exchange, require};

/// How many entities are told of at most. A picture of more is none that people read.
pub const AROUND_MAX: usize = 5_000;
/// How many ties are told of at most.
const TIES_MAX: usize = 20_000;

/// What lies around an entity, on a day, as known at an instant.
#[derive(Clone, Debug)]
pub struct Around {
    /// The two clocks' position.
    pub as_of: AsOf,
    /// The entity, by the identifier that stays.
    pub focus: EntityId,
    /// Everybody who was reached, the entity included.
    pub entities: BTreeMap<EntityId, Neighbour>,
    /// The ties between them.
    pub ties: Vec<KnownTie>,
    /// Whether there is more than is told.
    pub is_cut_short: bool,
}

/// Somebody around an entity.
#[derive(Clone, Debug)]
pub struct Neighbour {
    /// Its name, or its identifier.
    pub name: String,
    /// What it is, if that is known.
    pub kind: Option<EntityKind>,
    /// Its countries.
    pub countries: Vec<String>,
    /// How many steps above (negative) or below the entity; a partner in something below is one step above that.
    pub level: i32,
    /// The listings that make it a party of concern.
    pub concern: Vec<KnownListing>,
    /// The other lists that name it.
    pub listings: Vec<KnownListing>,
}

struct Walk<'p> {
    picture: &'p dyn Picture,
    levels: BTreeMap<EntityId, i32>,
    ties: BTreeMap<TieId, KnownTie>,
    /// How many entities there may be by now.
    room: usize,
    is_cut_short: bool,
}

impl Walk<'_> {
    /// Takes note of a tie and of its ends; returns the end that is `new`, if it is.
    fn take(&mut self, known: KnownTie, new: &EntityId, level: i32) -> bool {
        let is_new = !self.levels.contains_key(new);
        if is_new && self.levels.len() >= self.room || self.ties.len() >= TIES_MAX {
            self.is_cut_short = true;
            return false;
        }
        self.ties.insert(known.tie.id.clone(), known);
        if is_new {
            self.levels.insert(new.clone(), level);
        }
        is_new
    }

    fn up(&mut self, from: &EntityId, level: i32, open: &mut VecDeque<(EntityId, i32)>) {
        for known in self.picture.ties_into(from) {
            if matches!(known.tie.kind, TieKind::Governs { .. }) {
                continue;
            }
            let above = known.tie.from.clone();
            if self.take(known, &above, level - 1) {
                open.push_back((above, level - 1));
            }
        }
    }

    /// Goes down from what was not gone down from yet, whether or not it was reached from above before.
    fn down(
        &mut self,
        from: &EntityId,
        level: i32,
        seen: &mut BTreeSet<EntityId>,
        open: &mut VecDeque<(EntityId, i32)>,
    ) {
        for known in self.picture.ties_out_of(from) {
            if matches!(known.tie.kind, TieKind::Governs { .. }) {
                continue;
            }
            let below = known.tie.to.clone();
            self.take(known, &below, level + 1);
            if self.levels.contains_key(&below) && seen.insert(below.clone()) {
                open.push_back((below, level + 1));
            }
        }
    }
}

fn walk(
    picture: &dyn Picture,
    focus: &EntityId,
    also: &BTreeSet<TieId>,
) -> (BTreeMap<EntityId, i32>, Vec<KnownTie>, bool) {
    let mut walk = Walk {
        picture,
        levels: BTreeMap::from([(focus.clone(), 0)]),
        ties: BTreeMap::new(),
        // What is above leaves room for what is below, however many owners there are.
        room: AROUND_MAX - AROUND_MAX / 4,
        is_cut_short: false,
    };
    // What a proof rests on is told before anything else can fill the picture.
    let proof: Vec<KnownTie> = also.iter().filter_map(|tie| picture.tie(tie)).collect();
    let (mut above, mut below) = (VecDeque::from([(focus.clone(), 0)]), VecDeque::from([(focus.clone(), 0)]));
    while let Some((entity, level)) = above.pop_front() {
        walk.up(&entity, level, &mut above);
    }
    walk.room = AROUND_MAX;
    let (mut reached, mut seen) = (Vec::new(), BTreeSet::from([focus.clone()]));
    while let Some((entity, level)) = below.pop_front() {
        walk.down(&entity, level, &mut seen, &mut below);
        reached.push((entity, level));
    }
    // The others who have influence on what lies below.
    let mut partners = VecDeque::new();
    for (entity, level) in reached.into_iter().skip(1) {
        walk.up(&entity, level, &mut partners);
    }
    for known in proof {
        let (from, to) = (known.tie.from.clone(), known.tie.to.clone());
        let level = match (walk.levels.get(&from), walk.levels.get(&to)) {
            (Some(from), _) => *from,
            (None, Some(to)) => to - 1,
            (None, None) => 0,
        };
        walk.levels.entry(from).or_insert(level);
        walk.levels.entry(to).or_insert(level + 1);
        walk.ties.insert(known.tie.id.clone(), known);
    }
    let ties: Vec<KnownTie> = walk.ties.into_values().collect();
    let mut levels = walk.levels;
    held_below(focus, &ties, &mut levels);
    (levels, ties, walk.is_cut_short)
}

/// Puts whoever is held by the entity, over however many steps, below it, unless it holds the entity in turn: a subsidiary
/// that supplies its parent is a subsidiary.
fn held_below(focus: &EntityId, ties: &[KnownTie], levels: &mut BTreeMap<EntityId, i32>) {
    let mut below: BTreeMap<&EntityId, Vec<&EntityId>> = BTreeMap::new();
    let mut above: BTreeMap<&EntityId, Vec<&EntityId>> = BTreeMap::new();
    for known in ties.iter().filter(|known| matches!(known.tie.kind, TieKind::Holds(_))) {
        below.entry(&known.tie.from).or_default().push(&known.tie.to);
        above.entry(&known.tie.to).or_default().push(&known.tie.from);
    }
    let reach = |along: &BTreeMap<&EntityId, Vec<&'_ EntityId>>| {
        let mut reached = BTreeMap::from([(focus.clone(), 0)]);
        let mut open = VecDeque::from([(focus.clone(), 0)]);
        while let Some((entity, steps)) = open.pop_front() {
            for next in along.get(&entity).into_iter().flatten() {
                if !reached.contains_key(*next) {
                    reached.insert((*next).clone(), steps + 1);
                    open.push_back(((*next).clone(), steps + 1));
                }
            }
        }
        reached
    };
    let holders = reach(&above);
    for (entity, steps) in reach(&below) {
        if !holders.contains_key(&entity) {
            levels.insert(entity, steps);
        }
    }
}

impl Exchange {
    /// What lies around an entity, and in any case the ties `also` with their ends.
    ///
    /// # Errors
    ///
    /// Refuses members.
    pub fn around(
        &self,
        caller: &Caller,
        entity: &EntityId,
        as_of: Option<AsOf>,
        also: &BTreeSet<TieId>,
    ) -> Result<Around, AdminError> {
        require(caller, &Role::ALL, "the programme's people")?;
        let registry = self.inner.published.registry();
        let concern = &registry.programme().settings().vetting.concern;
        let now = self.inner.clock.now();
        let mut as_of = as_of.unwrap_or(AsOf::at(now));
        as_of.known = as_of.known.min(now);
        let ties = self.inner.recorded.read();
        let picture = ties.picture(as_of);
        let focus = picture.canonical(entity);
        let (levels, ties, is_cut_short) = walk(&picture, &focus, also);
        let neighbour = |(id, level): (EntityId, i32)| {
            let said = picture.entity(&id);
            let (of_concern, others) =
                picture.listings(&id).into_iter().partition(|known| concern.contains(&known.listing.list));
            let neighbour = Neighbour {
                name: said.as_ref().map_or_else(|| id.to_string(), |said| said.name().to_owned()),
                kind: said.as_ref().map(|said| said.kind),
                countries: said.map(|said| said.countries).unwrap_or_default(),
                level,
                concern: of_concern,
                listings: others,
            };
            (id, neighbour)
        };
        let entities = levels.into_iter().map(neighbour).collect();
        Ok(Around { as_of, focus, entities, ties, is_cut_short })
    }
}
