//! All indicators, and the one place where they change.
//!
//! Two things are shared with whoever looks up: the [`matcher`], from what is met to slots, and the table of
//! [`Record`]s, from slots to what they mean. Lookers hold the matcher's lock while they read the table, so whoever changes
//! never waits for the matcher with the table in hand. The order of a change makes every state between safe:
//!
//! - coming: the record is in the table before a key leads to it;
//! - going: the record stops counting before its keys go, and its slot is given away only after they are gone.
//!
//! Policy zones have to change together with the set. So a change is first *told* ([`Change`]) and then *made*
//! ([`Set::commit`]), and the zones make it under their own lock.

mod changing;
mod report;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use matcher::{BlindSetId, Matcher, Scope, Shared};
use model::Timestamp;
use uuid::Uuid;

use crate::allow::Allowed;
use crate::config::Feed;
use crate::record::Record;
use crate::rules::Rules;
use crate::sight::Kinds;

pub use changing::{BlindEntry, Change, Entering, Entry};
pub use report::{FeedReport, Refusals, Report};

/// How many categories are told apart; STIX has a dozen.
const CATEGORIES_MAX: usize = 10_000;
/// How much of a category's name is kept.
const CATEGORY_CHARACTERS_MAX: usize = 60;

/// Everything that is looked up.
pub struct Set {
    pub(crate) shared: Shared,
    /// Patterns that are no look-up.
    pub(crate) rules: Rules,
    /// What is met at all, so that patterns about other things are told as what cannot be computed.
    kinds: Kinds,
    table: RwLock<Table>,
    allowed: RwLock<Arc<Allowed>>,
    feeds: RwLock<Arc<[Feed]>>,
    revision: AtomicU64,
    /// Feeds that are being taken out, a part at a time: nothing of them counts any more.
    leaving: Box<[AtomicBool]>,
    /// The keys under which blinded values are known, and their tables.
    blind: Mutex<Vec<([u8; 32], BlindSetId)>>,
}

/// The records, by slot.
#[derive(Default)]
pub(crate) struct Table {
    pub(crate) slots: Vec<Option<Record>>,
    free: Vec<u32>,
    by_id: HashMap<(u16, Uuid), u32>,
    /// When each record that waits or holds begins or ends.
    due: BTreeSet<(Timestamp, u32)>,
    pub(crate) categories: Vec<String>,
    category_ids: HashMap<String, u16>,
    /// PAP markings, and whether each forbids action.
    pap: BTreeMap<String, bool>,
    false_positives: BTreeSet<Uuid>,
    demoted: BTreeSet<Uuid>,
    refusals: Vec<Refusals>,
}

impl Table {
    /// The record at a slot.
    pub(crate) fn get(&self, slot: u32) -> Option<&Record> {
        self.slots.get(usize::try_from(slot).ok()?)?.as_ref()
    }

    fn category(&mut self, name: &str) -> u16 {
        if let Some(at) = self.category_ids.get(name) {
            return *at;
        }
        let shortened: String = name.chars().take(CATEGORY_CHARACTERS_MAX).collect();
        if let Some(at) = self.category_ids.get(&shortened) {
            return *at;
        }
        // A feed that invents a category for each indicator gets the last one for all further ones.
        if self.categories.len() < CATEGORIES_MAX {
            self.categories.push(shortened.clone());
        }
        let at = u16::try_from(self.categories.len() - 1).unwrap_or(u16::MAX);
        if self.category_ids.len() < CATEGORIES_MAX {
            self.category_ids.insert(shortened, at);
        }
        at
    }
}

impl Set {
    /// An empty set. `random` is the secret of its tables.
    #[must_use]
    pub fn new(random: [u8; 32], allowed: Allowed, feeds: Vec<Feed>) -> Self {
        let refusals = feeds.iter().map(|_| Refusals::default()).collect();
        let leaving = feeds.iter().map(|_| AtomicBool::new(false)).collect();
        let table = RwLock::new(Table { refusals, ..Table::default() });
        Self {
            shared: Shared::new(Matcher::new(random)),
            rules: Rules::new(random),
            kinds: Kinds::MET,
            table,
            allowed: RwLock::new(Arc::new(allowed)),
            feeds: RwLock::new(feeds.into()),
            revision: AtomicU64::new(0),
            leaving,
            blind: Mutex::default(),
        }
    }

    /// For whoever meets other things than countermeasures do.
    #[must_use]
    pub fn meeting(self, kinds: Kinds) -> Self {
        Self { kinds, ..self }
    }

    /// Patterns that are no look-up.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Counts the changes.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    pub(crate) fn revised(&self) {
        self.revision.fetch_add(1, Ordering::Release);
    }

    /// Whether a feed is being taken out: what is in the set still counts no more.
    #[must_use]
    pub fn is_leaving(&self, feed: u16) -> bool {
        self.leaving.get(usize::from(feed)).is_some_and(|leaving| leaving.load(Ordering::Relaxed))
    }

    /// From here on nothing of a feed counts, or what is in the set of it does again.
    pub fn set_leaving(&self, feed: u16, leaves: bool) {
        if let Some(leaving) = self.leaving.get(usize::from(feed)) {
            leaving.store(leaves, Ordering::Relaxed);
        }
    }

    /// The feeds, in the order of the configuration.
    #[must_use]
    pub fn feeds(&self) -> Arc<[Feed]> {
        Arc::clone(&self.feeds.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is never acted on.
    #[must_use]
    pub fn allowed(&self) -> Arc<Allowed> {
        Arc::clone(&self.allowed.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes other settings for the same feeds. What is in the set was judged by the old ones until it comes again.
    pub fn set_feeds(&self, feeds: Vec<Feed>) {
        *self.feeds.write().unwrap_or_else(PoisonError::into_inner) = feeds.into();
        self.revised();
    }

    /// Takes other allow lists. From here on they win in every look-up; zones and exports follow when what is in the set comes
    /// again.
    pub fn set_allowed(&self, allowed: Allowed) {
        *self.allowed.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(allowed);
        self.revised();
    }

    pub(crate) fn table(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn table_mut(&self) -> std::sync::RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The slot of an indicator of a feed.
    #[must_use]
    pub fn slot_of(&self, feed: u16, id: Uuid) -> Option<u32> {
        self.table().by_id.get(&(feed, id)).copied()
    }

    /// The slots of an indicator, in whatever feed.
    #[must_use]
    pub fn slots_of(&self, id: Uuid) -> Vec<u32> {
        let table = self.table();
        let feeds = 0..u16::try_from(self.feeds().len()).unwrap_or(u16::MAX);
        feeds.filter_map(|feed| table.by_id.get(&(feed, id)).copied()).collect()
    }

    /// The indicators of a feed that objects told of, in no order; those that are blinded have no ids here.
    pub(crate) fn ids_of(&self, feed: u16) -> Vec<Uuid> {
        let table = self.table();
        let of_feed =
            table.slots.iter().flatten().filter(|record| record.feed == feed && record.blinded.is_empty());
        of_feed.map(|record| record.id).collect()
    }

    /// What the programme calls false positives.
    pub(crate) fn false_positives(&self) -> BTreeSet<Uuid> {
        self.table().false_positives.clone()
    }

    /// The next instant at which an indicator begins or ends by itself.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.table().due.first().map(|(at, _)| *at)
    }

    /// A copy of a record.
    #[must_use]
    pub fn record(&self, slot: u32) -> Option<Record> {
        self.table().get(slot).cloned()
    }

    /// The entry that stands for a name in a feed's zone: of all that list it, the widest, and of these the oldest slot.
    pub(crate) fn entry_of(&self, name: &str, counts: impl Fn(u32) -> bool) -> Option<(u32, Scope)> {
        let mut best: Option<(u32, Scope)> = None;
        self.shared.read().of_name(name, |slot, scope| {
            if counts(slot) {
                best = Some(better(best, (slot, scope)));
            }
        });
        best
    }
}

/// What stands for a name: a slot, and how far it lists it.
pub(crate) type Standing = (u32, Scope);

/// Of two that list a name the one that stands for it.
pub(crate) fn better(best: Option<Standing>, other: Standing) -> Standing {
    let rank = |(slot, scope): Standing| (scope == Scope::Exact, slot);
    best.map_or(other, |best| if rank(other) < rank(best) { other } else { best })
}
