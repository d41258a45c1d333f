//! How the set changes: objects that come, objects that go, and the passing of time.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use matcher::{BlindKey, BlindSetId, Blinded, Change as Listing, Key, Prefix, Scope};
use model::Timestamp;
use stix::Marking;
use uuid::Uuid;

use super::{Set, Standing, Table, better};
use crate::allow::Allowed;
use crate::compile::{Plan, compile};
use crate::config::Feed;
use crate::faces::rpz::prefixes_in;
use crate::follow::BlindLine;
use crate::indicator::{Indicator, IndicatorRef, Rights, is_passive};
use crate::record::{Bound, Bounds, Phase, Record};
use crate::rules::{ALWAYS_MAX, Rule};

const DAY_MICROS: i64 = 86_400_000_000;
/// What an indicator without a confidence counts as.
const CONFIDENCE_UNTOLD: u8 = 50;

/// An indicator that comes in, compiled. Making one needs no lock.
#[derive(Clone, Debug)]
pub struct Entering {
    id: Uuid,
    modified: Timestamp,
    from: Timestamp,
    until: Option<Timestamp>,
    confidence: Option<u8>,
    category: Arc<str>,
    rights: Rights,
    /// A marking that STIX or PAP defines forbids action.
    is_passive: bool,
    /// Markings that only their definitions tell about.
    markings: Vec<String>,
    plan: Plan,
}

/// An indicator that may be enforced and not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlindEntry {
    /// The reference, which is this member's own.
    pub id: Uuid,
    /// The keyed hash of what is looked for.
    pub value: Blinded,
    /// Since when.
    pub from: Option<Timestamp>,
    /// Until when.
    pub until: Option<Timestamp>,
    /// 0 to 100.
    pub confidence: Option<u8>,
    /// The programme calls it a false positive.
    pub is_false_positive: bool,
    /// What it is about.
    pub category: String,
}

impl BlindEntry {
    /// Reads what a hub says of one. A date that is none is no reason to enforce it earlier or longer than it should be, so it gives
    /// `None`, as whatever else cannot be understood.
    #[must_use]
    pub fn read(line: &BlindLine) -> Option<Self> {
        let date = |text: &Option<String>| match text {
            Some(text) => text.parse().ok().map(Some),
            None => Some(None),
        };
        Some(Self {
            id: line.reference.strip_prefix("b-")?.parse().ok()?,
            value: format!("{}:{}", line.kind, line.digest).parse().ok()?,
            from: date(&line.from)?,
            until: date(&line.until)?,
            confidence: line.confidence,
            is_false_positive: line.false_positive,
            category: line.category.clone().unwrap_or_default(),
        })
    }
}

/// Slots that begin to be looked up, cease to be, or change what they may do. Nothing has changed yet.
#[derive(Debug, Default)]
pub struct Change {
    /// Slots and what they will be; `None`: gone.
    pub(crate) to: BTreeMap<u32, Option<Record>>,
}

impl Change {
    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.to.is_empty()
    }

    /// How many indicators change.
    #[must_use]
    pub fn len(&self) -> usize {
        self.to.len()
    }

    /// The same in parts of so many indicators.
    pub fn in_parts(mut self, size: usize) -> impl Iterator<Item = Self> {
        std::iter::from_fn(move || {
            let next = self.to.keys().nth(size).copied();
            let rest = next.map(|slot| self.to.split_off(&slot)).unwrap_or_default();
            let part = std::mem::replace(&mut self.to, rest);
            (!part.is_empty()).then_some(Self { to: part })
        })
    }
}

/// What a name's entry in a zone was and will be.
#[derive(Debug)]
pub(crate) struct NameChange {
    pub(crate) name: String,
    pub(crate) before: Option<(u32, Scope)>,
    pub(crate) after: Option<(u32, Scope)>,
}

/// What a prefix's entry in a zone was and will be: the slot that stands for it.
#[derive(Debug)]
pub(crate) struct PrefixChange {
    pub(crate) prefix: Prefix,
    pub(crate) before: Option<u32>,
    pub(crate) after: Option<u32>,
}

impl Set {
    /// Compiles an indicator of a feed. What cannot be compiled, is allowed or is benign is counted with its reason, and
    /// gives `None`.
    pub fn enter(&self, feed: u16, indicator: &Indicator, rights: Rights) -> Option<Entering> {
        self.entry(feed).enter(&indicator.borrowed(), rights)
    }

    /// The way in for many indicators of a feed.
    #[must_use]
    pub fn entry(&self, feed: u16) -> Entry<'_> {
        Entry {
            set: self,
            feed,
            settings: self.feeds().get(usize::from(feed)).cloned(),
            allowed: self.allowed(),
            category: Arc::from(""),
        }
    }
}

/// What compiles indicators of one feed, by the settings and lists that were in force when it was made.
pub struct Entry<'s> {
    set: &'s Set,
    feed: u16,
    settings: Option<Feed>,
    allowed: Arc<Allowed>,
    /// The category before: those that come together are mostly of one.
    category: Arc<str>,
}

impl Entering {
    pub(crate) fn id(&self) -> Uuid {
        self.id
    }
}

impl Entry<'_> {
    /// As [`Set::enter`].
    pub fn enter(&mut self, indicator: &IndicatorRef<'_>, rights: Rights) -> Option<Entering> {
        let until = ends(self.settings.as_ref()?.days_max, indicator.from, indicator.until);
        if indicator.is_benign {
            self.refuse(indicator.id, "benign", "its creator calls it benign".to_owned());
            return None;
        }
        let mut plan = match compile(indicator.pattern_type, indicator.pattern, self.set.kinds) {
            Ok(plan) => plan,
            Err(error) => {
                self.refuse(indicator.id, error.word(), error.to_string());
                return None;
            }
        };
        if let Some(rule) = &plan.rule {
            let needles = rule.needles();
            if needles.is_empty() && self.set.rules.extent().1 >= ALWAYS_MAX {
                let why = format!(
                    "nothing in it can be looked up first, and there are {ALWAYS_MAX} like it already"
                );
                self.refuse(indicator.id, "crowd", why);
                return None;
            }
            let by = needles.iter().map(|key| self.allowed.allows(key)).collect::<Option<Vec<_>>>();
            if let Some(list) = by.and_then(|lists| lists.first().copied()) {
                let why = format!("allowed by {list}");
                self.refuse(indicator.id, "allowed", why);
                return None;
            }
        }
        let mut by = None;
        plan.keys.retain(|key| {
            let list = self.allowed.allows(key).map(str::to_owned);
            let stays = list.is_none();
            by = by.take().or(list);
            stays
        });
        if let Some(list) = by {
            self.refuse(indicator.id, "allowed", format!("allowed by {list}"));
        }
        if *self.category != *indicator.category {
            self.category = indicator.category.into();
        }
        let known = |id: &&&str| stix::known(id).is_some();
        let (known, unknown): (Vec<&str>, Vec<&str>) = indicator.markings.iter().partition(|id| known(id));
        let forbids = |id: &&str| matches!(stix::known(id), Some(Marking::Pap(level)) if is_passive(level));
        let is_met = !plan.keys.is_empty() || plan.rule.is_some();
        is_met.then(|| Entering {
            id: indicator.id,
            modified: indicator.modified,
            from: indicator.from,
            until,
            confidence: indicator.confidence,
            category: Arc::clone(&self.category),
            rights,
            is_passive: known.iter().any(forbids),
            markings: unknown.into_iter().map(str::to_owned).collect(),
            plan,
        })
    }

    fn refuse(&self, id: Uuid, reason: &str, words: String) {
        if let Some(refusals) = self.set.table_mut().refusals.get_mut(usize::from(self.feed)) {
            refusals.count(id, reason, words);
        }
    }
}

impl Set {
    /// Puts indicators into a feed at once, while nothing is looked up: at a start, before [`Set::filled`]. Those that are
    /// there already take the usual way.
    pub fn fill(&self, feed: u16, entering: Vec<Entering>, now: Timestamp) {
        let mut again = Vec::new();
        let mut rules = Vec::new();
        let confidence_min = self.confidence_min(feed);
        // The matcher first: lookers hold it while they read the table.
        self.shared.with(|matcher| {
            let mut table = self.table_mut();
            for one in entering {
                let key = (feed, one.id);
                // Once one waits, so do those after it: their order counts.
                if !again.is_empty() || table.by_id.contains_key(&key) {
                    again.push(one);
                    continue;
                }
                let slot = reserve(&mut table, key);
                let record = record_of(&mut table, feed, confidence_min, one, now);
                if record.is_active() {
                    for key in &record.keys {
                        matcher.insert(key, slot);
                    }
                }
                if let Some(rule) = evaluated(Some(&record)) {
                    rules.push((slot, rule));
                }
                if let Some(place) = usize::try_from(slot).ok().and_then(|at| table.slots.get_mut(at)) {
                    *place = Some(record);
                }
            }
        });
        for (slot, rule) in rules {
            self.rules.set(slot, Some(rule));
        }
        if !again.is_empty() {
            self.commit(self.coming(feed, again, now));
        }
    }

    /// Makes room for so many indicators that [`Set::fill`] will put in.
    pub fn expect(&self, indicators: usize) {
        let mut table = self.table_mut();
        table.slots.reserve(indicators);
        table.by_id.reserve(indicators);
    }

    /// All is in that [`Set::fill`] puts in: from here on, time is looked after.
    pub fn filled(&self) {
        let mut table = self.table_mut();
        let due = (0_u32..).zip(&table.slots).filter_map(|(slot, record)| {
            let at = due_of(record.as_ref()?);
            (at < Timestamp::MAX).then_some((at, slot))
        });
        table.due = due.collect();
        drop(table);
        self.revised();
    }

    fn confidence_min(&self, feed: u16) -> u8 {
        self.feeds().get(usize::from(feed)).map_or(0, |feed| feed.confidence_min)
    }

    /// What it means that these indicators come into a feed, as of `now`: newer versions take the place of older ones, and
    /// older ones change nothing.
    #[must_use]
    pub fn coming(&self, feed: u16, entering: Vec<Entering>, now: Timestamp) -> Change {
        let confidence_min = self.confidence_min(feed);
        let mut table = self.table_mut();
        let mut change = Change::default();
        for one in entering {
            let key = (feed, one.id);
            let known = table.by_id.get(&key).copied();
            if let Some(slot) = known {
                let pending = change.to.get(&slot).and_then(Option::as_ref);
                let held = pending.or_else(|| table.get(slot)).map(|record| record.modified);
                if held.is_some_and(|held| held > one.modified) {
                    continue;
                }
            }
            let slot = known.unwrap_or_else(|| reserve(&mut table, key));
            let record = record_of(&mut table, feed, confidence_min, one, now);
            if known.is_some() && !change.to.contains_key(&slot) && table.get(slot) == Some(&record) {
                continue;
            }
            change.to.insert(slot, Some(record));
        }
        change
    }

    /// What it means that these are all the indicators of a feed that may be enforced and not read.
    ///
    /// They are known by references that are this member's own, and by keyed hashes. Nothing here is kept on the disk: after a
    /// restart the hub is asked anew.
    #[must_use]
    pub fn blinded(&self, feed: u16, key: &[u8; 32], entries: Vec<BlindEntry>, now: Timestamp) -> Change {
        let set = self.blind_set(key);
        let settings = self.feeds().get(usize::from(feed)).cloned();
        let confidence_min = settings.as_ref().map_or(0, |settings| settings.confidence_min);
        let days_max = settings.and_then(|settings| settings.days_max);
        let mut table = self.table_mut();
        let mut change = Change::default();
        for slot in (0_u32..).zip(&table.slots).filter_map(|(slot, record)| {
            let is_ours =
                record.as_ref().is_some_and(|record| record.feed == feed && !record.blinded.is_empty());
            is_ours.then_some(slot)
        }) {
            change.to.insert(slot, None);
        }
        for entry in entries {
            let key = (feed, entry.id);
            let slot = table.by_id.get(&key).copied().unwrap_or_else(|| reserve(&mut table, key));
            let mut bounds = Bounds::default();
            let confidence = entry.confidence.unwrap_or(CONFIDENCE_UNTOLD);
            bounds.set(Bound::Confidence, confidence < confidence_min);
            bounds.set(Bound::FalsePositive, entry.is_false_positive);
            bounds.set(Bound::Frequency, table.demoted.contains(&entry.id));
            let mut values: Vec<_> = match change.to.get(&slot) {
                // Several values of one indicator come as several entries.
                Some(Some(record)) => record.blinded.to_vec(),
                Some(None) | None => Vec::new(),
            };
            values.push((set, entry.value));
            let category = table.category(&entry.category);
            let from = entry.from.unwrap_or(now);
            let mut record = Record {
                id: entry.id,
                feed,
                modified: now,
                from,
                until: ends(days_max, from, entry.until),
                category,
                rights: Rights::of_words(["enforce"]),
                bounds,
                phase: Phase::Waiting,
                keys: Box::default(),
                rule: None,
                blinded: values.into(),
            };
            record.phase = record.phase_at(now);
            change.to.insert(slot, Some(record));
        }
        change
    }

    /// The tables of a key; another key is another set of tables.
    fn blind_set(&self, key: &[u8; 32]) -> BlindSetId {
        let mut sets = self.blind.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, set)) = sets.iter().find(|(known, _)| known == key) {
            return *set;
        }
        let set = self.shared.with(|matcher| matcher.add_blind_set(BlindKey::new(key)));
        sets.push((*key, set));
        set
    }

    /// What it means that these indicators of a feed are gone.
    #[must_use]
    pub fn going(&self, feed: u16, ids: impl IntoIterator<Item = Uuid>) -> Change {
        let table = self.table();
        let slots = ids.into_iter().filter_map(|id| table.by_id.get(&(feed, id)).copied());
        Change { to: slots.map(|slot| (slot, None)).collect() }
    }

    /// What it means that a feed is gone.
    #[must_use]
    pub fn all_going(&self, feed: u16) -> Change {
        let table = self.table();
        let of_feed = table.by_id.iter().filter(|((of, _), _)| *of == feed);
        Change { to: of_feed.map(|(_, slot)| (*slot, None)).collect() }
    }

    /// What time has brought by `now`, by feed; at most `limit` indicators.
    #[must_use]
    pub fn due(&self, now: Timestamp, limit: usize) -> BTreeMap<u16, Change> {
        let table = self.table();
        let mut changes: BTreeMap<u16, Change> = BTreeMap::new();
        for (_, slot) in table.due.iter().take_while(|(at, _)| *at <= now).take(limit) {
            let Some(record) = table.get(*slot) else { continue };
            let next = Record { phase: record.phase_at(now), ..record.clone() };
            changes.entry(record.feed).or_default().to.insert(*slot, Some(next));
        }
        changes
    }

    /// What it means that a bound holds, or holds no more, for an indicator, by feed. It is remembered for versions to come.
    #[must_use]
    pub fn bounding(&self, id: Uuid, bound: Bound, holds: bool) -> BTreeMap<u16, Change> {
        let mut table = self.table_mut();
        let remembered = match bound {
            Bound::FalsePositive => Some(&mut table.false_positives),
            Bound::Frequency => Some(&mut table.demoted),
            Bound::Rights | Bound::Pap | Bound::Confidence => None,
        };
        if let Some(remembered) = remembered {
            if holds {
                remembered.insert(id);
            } else {
                remembered.remove(&id);
            }
        }
        let mut changes: BTreeMap<u16, Change> = BTreeMap::new();
        for (feed, slot) in self.feeds_of(&table, id) {
            if let Some(record) = table.get(slot) {
                let mut next = record.clone();
                next.bounds.set(bound, holds);
                changes.entry(feed).or_default().to.insert(slot, Some(next));
            }
        }
        changes
    }

    /// The same for each prefix of addresses.
    pub(crate) fn prefixes_of(&self, change: &Change, counts: &dyn Fn(&Record) -> bool) -> Vec<PrefixChange> {
        let mut prefixes: BTreeMap<Prefix, (Vec<u32>, Option<u32>)> = BTreeMap::new();
        let table = self.table();
        for (slot, to) in &change.to {
            let before = table.get(*slot).filter(|record| counts(record));
            for prefix in before.iter().flat_map(|record| prefixes_in(&record.keys)) {
                prefixes.entry(*prefix).or_default().0.push(*slot);
            }
            let after = to.as_ref().filter(|record| counts(record));
            for prefix in after.iter().flat_map(|record| prefixes_in(&record.keys)) {
                let entry = prefixes.entry(*prefix).or_default();
                entry.0.push(*slot);
                entry.1 = Some(entry.1.map_or(*slot, |other| other.min(*slot)));
            }
        }
        drop(table);
        let changes = prefixes.into_iter().map(|(prefix, (touched, entering))| {
            let (mut before, mut staying): (Option<u32>, Option<u32>) = (None, None);
            let mut slots = Vec::new();
            self.shared.read().exact(&Key::Prefix(prefix), |slot| slots.push(slot));
            let standing = slots.into_iter().filter(|slot| self.table().get(*slot).is_some_and(counts));
            for slot in standing {
                before = Some(before.map_or(slot, |other| other.min(slot)));
                if !touched.contains(&slot) {
                    staying = Some(staying.map_or(slot, |other| other.min(slot)));
                }
            }
            let after = [staying, entering].into_iter().flatten().min();
            PrefixChange { prefix, before, after }
        });
        changes.collect()
    }

    fn feeds_of(&self, table: &Table, id: Uuid) -> Vec<(u16, u32)> {
        let feeds = 0..u16::try_from(self.feeds().len()).unwrap_or(u16::MAX);
        feeds.filter_map(|feed| table.by_id.get(&(feed, id)).map(|slot| (feed, *slot))).collect()
    }

    /// Learns what a PAP marking means, for indicators that come after it, as STIX has it.
    pub fn learn_pap(&self, id: String, is_passive: bool) {
        self.table_mut().pap.insert(id, is_passive);
    }

    /// Makes a change.
    pub fn commit(&self, change: Change) {
        let mut listings = Vec::new();
        let mut rules = Vec::new();
        let mut freed = Vec::new();
        {
            let mut table = self.table_mut();
            for (slot, to) in change.to {
                let (old, new) = (evaluated(table.get(slot)), evaluated(to.as_ref()));
                if old.as_ref().map(Arc::as_ptr) != new.as_ref().map(Arc::as_ptr) {
                    rules.push((slot, new));
                }
                turn(&mut table, slot, to, &mut listings, &mut freed);
            }
        }
        self.shared.apply(listings);
        for (slot, rule) in rules {
            self.rules.set(slot, rule);
        }
        if !freed.is_empty() {
            self.table_mut().free.extend(freed);
        }
        self.revised();
    }

    /// What a change means for each name that it touches, where `counts` says which records stand in the zone.
    pub(crate) fn names_of(&self, change: &Change, counts: &dyn Fn(&Record) -> bool) -> Vec<NameChange> {
        let mut names: BTreeMap<String, (Vec<u32>, Option<Standing>)> = BTreeMap::new();
        let table = self.table();
        for (slot, to) in &change.to {
            let before = table.get(*slot).filter(|record| counts(record));
            for name in before.iter().flat_map(|record| names_in(&record.keys)) {
                names.entry(name.0.to_owned()).or_default().0.push(*slot);
            }
            let after = to.as_ref().filter(|record| counts(record));
            for (name, scope) in after.iter().flat_map(|record| names_in(&record.keys)) {
                let entry = names.entry(name.to_owned()).or_default();
                entry.0.push(*slot);
                entry.1 = Some(better(entry.1, (*slot, scope)));
            }
        }
        drop(table);
        let standing = |slot: u32| self.table().get(slot).is_some_and(counts);
        let changes = names.into_iter().map(|(name, (touched, entering))| {
            let before = self.entry_of(&name, standing);
            let staying = self.entry_of(&name, |slot| standing(slot) && !touched.contains(&slot));
            let after = match entering {
                Some(entering) => Some(better(staying, entering)),
                None => staying,
            };
            NameChange { name, before, after }
        });
        changes.collect()
    }
}

fn record_of(table: &mut Table, feed: u16, confidence_min: u8, entering: Entering, now: Timestamp) -> Record {
    let mut bounds = Bounds::default();
    bounds.set(Bound::Rights, !entering.rights.may_enforce());
    let is_passive = entering.is_passive || entering.markings.iter().any(|id| forbids_action(table, id));
    bounds.set(Bound::Pap, is_passive);
    bounds.set(Bound::Confidence, entering.confidence.unwrap_or(CONFIDENCE_UNTOLD) < confidence_min);
    bounds.set(Bound::FalsePositive, table.false_positives.contains(&entering.id));
    bounds.set(Bound::Frequency, table.demoted.contains(&entering.id));
    let mut record = Record {
        id: entering.id,
        feed,
        modified: entering.modified,
        from: entering.from,
        until: entering.until,
        category: table.category(&entering.category),
        rights: entering.rights,
        bounds,
        phase: Phase::Waiting,
        keys: entering.plan.keys.into(),
        rule: entering.plan.rule,
        blinded: Box::default(),
    };
    record.phase = record.phase_at(now);
    record
}

/// The earlier of what an indicator says and what the site says.
fn ends(days_max: Option<u32>, from: Timestamp, until: Option<Timestamp>) -> Option<Timestamp> {
    let site = days_max.map(|days| from.plus_micros(i64::from(days).saturating_mul(DAY_MICROS)));
    match (until, site) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

fn forbids_action(table: &Table, marking: &str) -> bool {
    table.pap.get(marking).copied().unwrap_or(false)
}

fn reserve(table: &mut Table, key: (u16, Uuid)) -> u32 {
    let slot = table.free.pop().unwrap_or_else(|| {
        table.slots.push(None);
        u32::try_from(table.slots.len() - 1).unwrap_or(u32::MAX)
    });
    table.by_id.insert(key, slot);
    slot
}

/// The pattern that is evaluated for a record, if there is one and it is its time.
fn evaluated(record: Option<&Record>) -> Option<Arc<Rule>> {
    record.filter(|record| record.is_active()).and_then(|record| record.rule.clone())
}

/// Makes one slot what it is to be.
fn turn(table: &mut Table, slot: u32, to: Option<Record>, listings: &mut Vec<Listing>, freed: &mut Vec<u32>) {
    let before = usize::try_from(slot).ok().and_then(|at| table.slots.get_mut(at)).and_then(Option::take);
    if let Some(record) = &before {
        table.due.remove(&(due_of(record), slot));
    }
    let keys = |record: &Option<Record>| match record {
        Some(record) if record.is_active() => record.keys.to_vec(),
        Some(_) | None => Vec::new(),
    };
    let (old, new) = (keys(&before), keys(&to));
    listings
        .extend(old.iter().filter(|key| !new.contains(key)).map(|key| Listing::Remove(key.clone(), slot)));
    listings.extend(new.into_iter().filter(|key| !old.contains(key)).map(|key| Listing::Insert(key, slot)));
    let blinded = |record: Option<&Record>| match record {
        Some(record) if record.is_active() => record.blinded.to_vec(),
        Some(_) | None => Vec::new(),
    };
    let (old, new) = (blinded(before.as_ref()), blinded(to.as_ref()));
    let going = old.iter().filter(|one| !new.contains(one));
    listings.extend(going.map(|(set, value)| Listing::RemoveBlinded(*set, *value, slot)));
    let coming = new.iter().filter(|one| !old.contains(one));
    listings.extend(coming.map(|(set, value)| Listing::InsertBlinded(*set, *value, slot)));
    match to {
        Some(record) => {
            let due = due_of(&record);
            if due < Timestamp::MAX {
                table.due.insert((due, slot));
            }
            if let Some(place) = usize::try_from(slot).ok().and_then(|at| table.slots.get_mut(at)) {
                *place = Some(record);
            }
        }
        None => {
            if let Some(record) = before {
                table.by_id.remove(&(record.feed, record.id));
                freed.push(slot);
            }
        }
    }
}

/// The next instant at which a record changes by itself.
fn due_of(record: &Record) -> Timestamp {
    match record.phase {
        Phase::Waiting => record.from.min(record.until.unwrap_or(Timestamp::MAX)),
        Phase::Active => record.until.unwrap_or(Timestamp::MAX),
        Phase::Ended => Timestamp::MAX,
    }
}

fn names_in(keys: &[Key]) -> impl Iterator<Item = (&str, Scope)> {
    keys.iter().filter_map(|key| match key {
        Key::Name(name, scope) => Some((name.as_str(), *scope)),
        Key::Prefix(_)
        | Key::Endpoint(..)
        | Key::Digest(_)
        | Key::Email(_)
        | Key::Url(_)
        | Key::FileName(_)
        | Key::Subject(_)
        | Key::Text(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Mode;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn set(days_max: Option<u32>) -> Set {
        let feed = |alias: &str| Feed {
            collection: alias.to_owned(),
            alias: alias.to_owned(),
            mode: Mode::Enforce,
            days_max,
            confidence_min: 0,
            cause: crate::config::Cause::default(),
        };
        Set::new([1; 32], Allowed::new([2; 32]), vec![feed("a"), feed("b")])
    }

    fn indicator(id: u128, name: &str) -> Indicator {
        Indicator {
            modified: at("2026-01-01"),
            from: at("2026-01-01"),
            category: "c2".to_owned(),
            pattern: format!("[domain-name:value = '{name}']"),
            ..Indicator::empty(Uuid::from_u128(id))
        }
    }

    fn come(set: &Set, feed: u16, indicator: &Indicator, now: &str) {
        let entering = set.enter(feed, indicator, Rights::ALL).into_iter().collect();
        let change = set.coming(feed, entering, at(now));
        set.commit(change);
    }

    fn slots(set: &Set, name: &str) -> Vec<u32> {
        let mut slots = Vec::new();
        set.shared.read().names(name, |hit| slots.push(hit.slot));
        slots
    }

    #[test]
    fn an_indicator_is_looked_up_from_its_beginning_to_the_earlier_end() {
        let set = set(Some(30));
        let mut one = indicator(1, "evil.example");
        one.from = at("2026-02-01");
        one.until = Some(at("2027-01-01"));
        come(&set, 0, &one, "2026-01-15");
        assert!(slots(&set, "evil.example").is_empty(), "it begins later");
        assert_eq!(set.next_due(), Some(at("2026-02-01")));
        for (_, change) in set.due(at("2026-02-01"), 10) {
            set.commit(change);
        }
        assert_eq!(slots(&set, "www.evil.example").len(), 1);
        assert_eq!(set.next_due(), Some(at("2026-03-03")), "30 days after its beginning, whatever it says");
        for (_, change) in set.due(at("2026-03-03"), 10) {
            set.commit(change);
        }
        assert!(slots(&set, "evil.example").is_empty());
        assert_eq!(set.next_due(), None);
    }

    #[test]
    fn a_newer_version_takes_the_place_and_an_older_one_changes_nothing() {
        let set = set(None);
        come(&set, 0, &indicator(1, "old.example"), "2026-01-15");
        let mut newer = indicator(1, "new.example");
        newer.modified = at("2026-01-10");
        come(&set, 0, &newer, "2026-01-15");
        come(&set, 0, &indicator(1, "older.example"), "2026-01-15");
        assert!(slots(&set, "old.example").is_empty() && slots(&set, "older.example").is_empty());
        assert_eq!(slots(&set, "new.example"), [0]);
    }

    #[test]
    fn what_goes_is_gone_at_once_and_its_slot_is_used_again() {
        let set = set(None);
        come(&set, 0, &indicator(1, "a.example"), "2026-01-15");
        come(&set, 1, &indicator(1, "a.example"), "2026-01-15");
        assert_eq!(slots(&set, "a.example"), [0, 1]);
        set.commit(set.going(0, [Uuid::from_u128(1), Uuid::from_u128(9)]));
        assert_eq!(slots(&set, "a.example"), [1], "the other feed's stays");
        come(&set, 0, &indicator(2, "b.example"), "2026-01-15");
        assert_eq!(slots(&set, "b.example"), [0]);
        set.commit(set.all_going(0));
        assert!(slots(&set, "b.example").is_empty() && slots(&set, "a.example") == [1]);
    }

    #[test]
    fn bounds_are_remembered_for_the_next_version() {
        let set = set(None);
        come(&set, 0, &indicator(1, "a.example"), "2026-01-15");
        for (_, change) in set.bounding(Uuid::from_u128(1), Bound::FalsePositive, true) {
            set.commit(change);
        }
        let mut newer = indicator(1, "a.example");
        newer.modified = at("2026-01-10");
        newer.markings = vec!["marking-definition--740d36e5-7714-4c30-961a-3ae632ceee0e".to_owned()];
        come(&set, 0, &newer, "2026-01-15");
        let record = set.record(0).unwrap();
        let held: Vec<Bound> = record.bounds.iter().collect();
        assert_eq!(held, [Bound::Pap, Bound::FalsePositive]);
        assert_eq!(record.mode(Mode::Enforce), Mode::Monitor);
    }

    #[test]
    fn a_zone_learns_who_stands_for_a_name_before_and_after() {
        let set = set(None);
        come(&set, 0, &indicator(1, "a.example"), "2026-01-15");
        come(&set, 0, &indicator(2, "a.example"), "2026-01-15");
        let all = |record: &Record| record.is_active() && record.feed == 0;
        let going = set.going(0, [Uuid::from_u128(1)]);
        let told = set.names_of(&going, &all);
        assert_eq!(told.len(), 1);
        assert_eq!(
            (told[0].before, told[0].after),
            (Some((0, Scope::Subdomains)), Some((1, Scope::Subdomains)))
        );
        set.commit(going);
        let last = set.going(0, [Uuid::from_u128(2)]);
        let told = set.names_of(&last, &all);
        assert_eq!((told[0].before, told[0].after), (Some((1, Scope::Subdomains)), None));
    }

    #[test]
    fn a_change_is_the_same_in_parts() {
        let set = set(None);
        for id in 1..8 {
            come(&set, 0, &indicator(id, &format!("n{id}.example")), "2026-01-15");
        }
        let parts: Vec<Change> = set.all_going(0).in_parts(3).collect();
        assert_eq!(parts.iter().map(Change::len).collect::<Vec<_>>(), [3, 3, 1]);
        for part in parts {
            set.commit(part);
        }
        assert!((1..8).all(|id| slots(&set, &format!("n{id}.example")).is_empty()));
        assert_eq!(Change::default().in_parts(3).count(), 0);
    }

    #[test]
    fn what_cannot_be_compiled_is_counted_by_reason() {
        let set = set(None);
        let mut strange = indicator(1, "x");
        strange.pattern = "[mutex:name = 'x']".to_owned();
        assert!(set.enter(0, &strange, Rights::ALL).is_none());
        let report = set.report(|_| true);
        assert_eq!(report.feeds[0].refused.get("property"), Some(&1));
    }
}
