//! Use without display: indicators that a guard may act on and nobody may read.
//!
//! For a label that the policies let a member `enforce` and not `read`, the object itself is never handed out. Its guard gets
//! what it needs to recognise the values, and a reference to report by:
//!
//! ```text
//! [domain-name:value = 'c2.example']  ->  {"ref": "b-9c1e...", "kind": "name.subdomains", "digest": "5d41...", "category": "..."}
//! ```
//!
//! The digest is a keyed hash under a key of this member's ([`matcher::BlindKey`] says what it hides and what it does not), so two
//! members cannot compare what they hold. The reference is the object's id, permuted under a key that the hub keeps: it is
//! the same at every asking, names the object to the hub alone, and tells nothing to who holds it. In a report it
//! stands where the indicator's id would stand, as `indicator--` and the reference's UUID.
//!
//! Only values of one property can be looked up so. What else a pattern may be is left out, and counted.

mod keys;
mod reference;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use ledger::entry::{Range, Resource};
use matcher::BlindKey;
use model::{Caller, LabelId, MemberId, Timestamp};
use release::{Label, View};
use serde::{Deserialize, Serialize};
use stix::StixTimestamp;
use store::{CommitNo, Run, Snapshot, StoreError};

pub(crate) use self::reference::References;
use crate::error::{ReadError, WriteError};
use crate::exchange::{Exchange, Hand, Inner};
use crate::false_positives::{self, State};
use crate::occurrences::{get, uuid_of};
use crate::read::{ATTEMPTS_MAX, Leaving, segment_number};
use crate::registry::Registry;
use crate::writer::Instants;

/// The kind of the records of members' keys.
const BLIND_KEY: &str = "blind-key";
/// How many entries one answer has at most. What is beyond is counted with what was left out.
const ENTRIES_MAX: usize = 200_000;
const DAY_MICROS: i64 = 86_400_000_000;
/// How many segments are looked up at once.
const RUNS_AT_ONCE: usize = 256;

/// What a member's guard may act on unseen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BlindedAnswer {
    /// The member's key, 32 bytes in hexadecimal.
    pub key: String,
    /// Changes when the entries may have changed.
    pub serial: String,
    /// What is to be recognised.
    pub entries: Vec<BlindedEntry>,
    /// How many indicators cannot be recognised so.
    pub left_out: usize,
}

/// A value to be recognised. Several of one reference are one indicator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BlindedEntry {
    /// `b-` and a UUID.
    #[serde(rename = "ref")]
    pub reference: String,
    /// What kind of value: `name.subdomains`, `prefix4.24`, `hash.sha256`, ...
    pub kind: String,
    /// The keyed hash.
    pub digest: String,
    /// Since when it is valid, if it says so: the instant if that is to come, for the guard has to keep it; else only the day, from which a
    /// site counts how long it keeps an indicator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Until when it is valid, if it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// How sure its creator is, 0 to 100, if it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<u8>,
    /// The programme says that it hits what it should not.
    #[serde(skip_serializing_if = "is_false")]
    pub false_positive: bool,
    /// What kind of threat it is about.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub category: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over by reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// What of an indicator is looked at.
#[derive(Deserialize)]
struct Indicator {
    pattern: String,
    pattern_type: String,
    valid_from: Option<Timestamp>,
    valid_until: Option<Timestamp>,
    confidence: Option<u8>,
    #[serde(default, rename = "indicator_types")]
    kinds: Vec<String>,
    #[serde(default)]
    labels: Vec<String>,
}

/// Where the newest version of an indicator lies.
struct Newest {
    version: Option<StixTimestamp>,
    run: Run,
    index: u32,
    revoked: bool,
}

impl Exchange {
    /// What the caller's guard may act on unseen in a collection, for one that has the answers with the serials `known`.
    ///
    /// # Errors
    ///
    /// See [`ReadError`]. Whatever the reason, nothing was handed out.
    pub fn blinded(
        &self,
        caller: &Caller,
        collection: &str,
        known: &[&str],
    ) -> Result<BlindedAnswer, ReadError> {
        let inner = &self.inner;
        for _ in 0..ATTEMPTS_MAX {
            let now = inner.clock.now();
            inner.published.settle(now);
            let registry = inner.published.registry();
            if !registry.accepts(caller, now) {
                return Err(ReadError::Revoked);
            }
            let (collection, rights) = inner.collection(caller, collection, &registry)?;
            let (true, Some(member)) = (rights.read, caller.member()) else {
                return Err(ReadError::NotReadable(collection.alias));
            };
            let view = inner.blinded_view(caller, &registry);
            let open = registry.labels.of(collection.id).iter().copied();
            let labels: Vec<LabelId> = open.filter(|label| view.intervals(*label).is_open(now)).collect();
            let snapshot = inner.store.snapshot()?;
            let serial = inner.blinded_serial(snapshot.as_ref(), &view, &registry, &labels)?;
            if known.contains(&serial.as_str()) {
                return Err(ReadError::NotModified { etag: serial });
            }
            drop(snapshot);
            let key = self.blind_key(member)?;
            let snapshot = inner.store.snapshot()?;
            let newest = newest_of(snapshot.as_ref(), &view, &labels, now)?;
            let references = inner.references(member);
            let mut making = Making {
                key: BlindKey::new(&key),
                references,
                now,
                entries: Vec::new(),
                ranges: Vec::new(),
                left_out: 0,
            };
            for (id, newest) in &newest {
                making.add(snapshot.as_ref(), &view, id, newest)?;
            }
            drop(snapshot);
            let Making { mut entries, ranges, left_out, .. } = making;
            // By ids, two members could lay their answers side by side; references are each member's own.
            entries
                .sort_by(|a, b| (&a.reference, &a.kind, &a.digest).cmp(&(&b.reference, &b.kind, &b.digest)));
            let leaving = Leaving { resource: Resource::Blinded, count: ranges.len(), ranges };
            if leaving.count > 0 && !inner.disclose(&view, collection.id, leaving, now)? {
                continue;
            }
            return Ok(BlindedAnswer { key: hex::encode(key), serial, entries, left_out });
        }
        Err(ReadError::Unsettled)
    }

    /// The member's key, made when it is first asked for.
    fn blind_key(&self, member: &MemberId) -> Result<[u8; 32], ReadError> {
        if let Some(key) = kept_key(self.inner.store.snapshot()?.as_ref(), member)? {
            return Ok(key);
        }
        let (inner, member) = (Arc::clone(&self.inner), member.clone());
        let (key, _) = self.inner.writer.run(Instants::Alone, move |turn| -> Result<_, WriteError> {
            // Somebody may have asked for it in the same moment.
            if let Some(key) = kept_key(inner.store.snapshot()?.as_ref(), &member)? {
                return Ok(key);
            }
            let key = turn.random_bytes::<32>();
            turn.put_json(BLIND_KEY, member.as_str(), &hex::encode(key))?;
            Ok(key)
        })?;
        Ok(key)
    }
}

fn kept_key(snapshot: &dyn Snapshot, member: &MemberId) -> Result<Option<[u8; 32]>, StoreError> {
    let text: Option<String> = get(snapshot, BLIND_KEY, member.as_str())?;
    Ok(text.and_then(|text| hex::decode(text).ok()?.try_into().ok()))
}

struct Making {
    key: BlindKey,
    references: References,
    now: Timestamp,
    entries: Vec<BlindedEntry>,
    ranges: Vec<Range>,
    left_out: usize,
}

impl Making {
    fn add(
        &mut self,
        snapshot: &dyn Snapshot,
        view: &View,
        id: &str,
        newest: &Newest,
    ) -> Result<(), StoreError> {
        if newest.revoked {
            return Ok(());
        }
        let mut body = Vec::new();
        snapshot.read(view, &newest.run, newest.index, 1, &mut body)?;
        let indicator = serde_json::from_slice::<Indicator>(&body).ok();
        let (Some(indicator), Some(uuid)) = (indicator, uuid_of(id, "indicator--")) else {
            self.left_out += 1;
            return Ok(());
        };
        if indicator.valid_until.is_some_and(|until| until <= self.now) {
            return Ok(());
        }
        let keys = if indicator.pattern_type == "stix" { keys::of(&indicator.pattern) } else { None };
        let Some(keys) = keys.filter(|keys| self.entries.len() + keys.len() <= ENTRIES_MAX) else {
            self.left_out += 1;
            return Ok(());
        };
        let reference = format!("b-{}", self.references.hide(uuid));
        let is_false_positive = false_positives::state_of(snapshot, id)? == Some(State::Confirmed);
        let from = indicator.valid_from.map(|from| if from > self.now { from } else { day_of(from) });
        let category = indicator.kinds.into_iter().chain(indicator.labels).next().unwrap_or_default();
        for key in keys {
            let blinded = self.key.blind(&key).to_string();
            let (kind, digest) = blinded.split_once(':').unwrap_or_default();
            self.entries.push(BlindedEntry {
                reference: reference.clone(),
                kind: kind.to_owned(),
                digest: digest.to_owned(),
                from,
                until: indicator.valid_until,
                confidence: indicator.confidence,
                false_positive: is_false_positive,
                category: category.clone(),
            });
        }
        let segment = segment_number(newest.run.id);
        self.ranges.push(Range { segment, first: u64::from(newest.index), count: 1 });
        Ok(())
    }
}

/// The beginning of an instant's day. To the microsecond, a date that has passed would only tell which object it is.
fn day_of(at: Timestamp) -> Timestamp {
    Timestamp::from_micros(at.as_micros().div_euclid(DAY_MICROS) * DAY_MICROS)
}

/// The newest version of each indicator under these labels.
fn newest_of(
    snapshot: &dyn Snapshot,
    view: &View,
    labels: &[LabelId],
    now: Timestamp,
) -> Result<BTreeMap<String, Newest>, StoreError> {
    let mut newest: BTreeMap<String, Newest> = BTreeMap::new();
    for label in labels {
        let mut from = CommitNo(0);
        loop {
            let runs = snapshot.runs(view, *label, from, RUNS_AT_ONCE)?;
            let Some(last) = runs.last() else { break };
            from = CommitNo(last.id.commit.0 + 1);
            for run in runs.into_iter().filter(|run| run.at <= now) {
                let marks = if run.marked { snapshot.marks(view, &run)? } else { Vec::new() };
                let is_gone =
                    |index| marks.iter().any(|mark| mark.position.index == index && mark.left.is_some());
                let heads = snapshot.heads(view, &run)?;
                for index in 0..run.count {
                    let Some(head) = heads.record(index).filter(|_| !is_gone(index)) else { continue };
                    if head.object_type() != "indicator" {
                        continue;
                    }
                    let version = StixTimestamp::parse(&head.version).ok();
                    if newest.get(&head.id).is_none_or(|known| known.version < version) {
                        let place = Newest { version, run, index, revoked: head.revoked };
                        newest.insert(head.id, place);
                    }
                }
            }
        }
    }
    Ok(newest)
}

impl Inner {
    /// What the caller's guard may act on and nobody there may read.
    fn blinded_view(&self, caller: &Caller, registry: &Registry) -> View {
        let labels = registry.labels.facts.len();
        let known =
            self.blinded.lock().unwrap_or_else(PoisonError::into_inner).get(&caller.principal).cloned();
        if let Some((epoch, judged, grants)) = known
            && epoch == registry.epoch
            && judged == labels
        {
            return registry.policy.view(caller.clone(), registry.epoch, grants);
        }
        let resolve = |label: &'_ Label| -> Label { Cow::into_owned(registry.resolved(label)) };
        let reader = registry.reader(&caller.principal);
        let view = registry.policy.blinded_view(
            caller.clone(),
            registry.epoch,
            reader,
            &registry.labels.facts,
            resolve,
        );
        let mut remembered = self.blinded.lock().unwrap_or_else(PoisonError::into_inner);
        if self.published.registry().labels.facts.len() >= labels {
            let grants = Arc::clone(view.grants());
            remembered.insert(caller.principal.clone(), (registry.epoch, labels, grants));
        }
        view
    }

    /// Follows from what lies under the labels that concern the member and from nothing else, so it tells nothing of others.
    fn blinded_serial(
        &self,
        snapshot: &dyn Snapshot,
        view: &View,
        registry: &Registry,
        labels: &[LabelId],
    ) -> Result<String, StoreError> {
        let mut content = format!("blinded {}", view.caller().principal).into_bytes();
        for label in labels {
            content.extend(label.number().to_le_bytes());
            content.extend(snapshot.count_before(view, *label, CommitNo(u64::MAX))?.to_le_bytes());
            let departed = registry.departures.last_from(*label).unwrap_or_default();
            content.extend(departed.as_micros().to_le_bytes());
        }
        // What was decided on others' objects changes nothing here.
        for object in false_positives::confirmed(snapshot)? {
            let copies = snapshot.find(view, &object)?;
            if copies.iter().any(|copy| copy.left.is_none() && labels.contains(&copy.run.id.label)) {
                content.extend(object.as_bytes());
            }
        }
        Ok(hex::encode(&self.cursor.tag(&content)[..16]))
    }

    fn references(&self, member: &MemberId) -> References {
        References::new(self.cursor.tag(format!("blinded references of {member}").as_bytes()))
    }

    /// The object that a caller means by an id: the id's own if the caller may have it, or the one behind a reference that its
    /// guard may act on unseen.
    pub(crate) fn meant(
        &self,
        turn: &Hand<'_>,
        caller: &Caller,
        object: &str,
    ) -> Result<Option<String>, StoreError> {
        let registry: Arc<Registry> = Arc::clone(turn.registry);
        let readable = self.view(caller, &registry)?;
        if self.is_open(turn, caller, &registry, &readable, object)? {
            return Ok(Some(object.to_owned()));
        }
        let (Some(member), Some(uuid)) = (caller.member(), uuid_of(object, "indicator--")) else {
            return Ok(None);
        };
        let hidden = format!("indicator--{}", self.references(member).show(uuid));
        let blinded = self.blinded_view(caller, &registry);
        let is_open = self.is_open(turn, caller, &registry, &blinded, &hidden)?;
        Ok(is_open.then_some(hidden))
    }

    fn is_open(
        &self,
        turn: &Hand<'_>,
        caller: &Caller,
        registry: &Registry,
        view: &View,
        object: &str,
    ) -> Result<bool, StoreError> {
        let copies = turn.tx().find(object)?;
        Ok(copies.iter().any(|copy| {
            copy.left.is_none()
                && view.intervals(copy.run.id.label).is_open(turn.now)
                && self.rights(caller, copy.collection, registry).read
        }))
    }
}
