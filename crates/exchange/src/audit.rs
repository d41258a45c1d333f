//! Accounting: the ledger's head, tiles and receipts, and what it answers: who holds what.

mod browse;
mod changes;
mod deliveries;
mod spans;

use std::collections::{BTreeMap, BTreeSet};

use ledger::entry::{Disclosure, Resource};
use ledger::{Body, Checkpoint, Hash, Opening, Tile, TlogProof};
use model::{Caller, MemberId, Principal, Role, Timestamp};
use serde::Serialize;
use store::timeline::{Query, VersionChoice};
use store::{Copy, SegmentId, Snapshot, StoreError};

pub(crate) use self::browse::open_entry;
pub use self::browse::{ENTRIES_MAX, EntriesPage, Growth, OpenedEntry, Sought};
pub use self::changes::{Change, Watched};
pub(crate) use self::deliveries::Deliveries;
pub(crate) use self::spans::Spans;
use crate::error::AdminError;
use crate::exchange::{Exchange, Inner, require};
use crate::keeping::FullTiles;
use crate::read::segment_of;

/// How many entries are read at once.
const BATCH: usize = 4_096;

/// The ledger's signed head.
#[derive(Clone, Debug)]
pub struct LedgerHead {
    /// How many entries.
    pub size: u64,
    /// The root hash.
    pub root: Hash,
    /// The signed checkpoint, as it is served.
    pub checkpoint: String,
    /// The key that verifies it.
    pub vkey: String,
}

/// One version of an object that a member was handed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct HeldObject {
    /// The object.
    pub id: String,
    /// Its version, or empty.
    pub version: String,
    /// The collection.
    pub collection: String,
    /// The tier of what it was handed out as.
    pub tier: String,
    /// When it was first handed out.
    pub first: String,
    /// The ledger entry that says so.
    pub entry: u64,
    /// Whether the whole object was handed out, or only that it exists (a manifest or a list of versions).
    pub whole: bool,
}

/// What a member holds.
#[derive(Clone, Debug, Serialize)]
pub struct HoldsReport {
    /// The member.
    pub member: String,
    /// How many ledger entries tell of it. How many others there are is not for a member to know.
    pub entries: u64,
    /// The objects, in order of their ids and versions.
    pub objects: Vec<HeldObject>,
}

/// Who was handed an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Receiver {
    /// The member or role.
    pub member: String,
    /// The version.
    pub version: String,
    /// When it was first handed out.
    pub first: String,
    /// The ledger entry that says so.
    pub entry: u64,
    /// Whether the whole object was handed out, or only that it exists.
    pub whole: bool,
}

/// Who received an object.
#[derive(Clone, Debug, Serialize)]
pub struct WhoReport {
    /// The object.
    pub object: String,
    /// The receivers, in order of their names.
    pub receivers: Vec<Receiver>,
}

pub(crate) const AUDITS: &[Role] = &[Role::Operator, Role::Officer, Role::Overseer];

impl Exchange {
    /// The ledger's head, signed now.
    #[must_use]
    pub fn ledger_head(&self) -> LedgerHead {
        let log = self.inner.published.log();
        let (size, root) = (log.size(), log.root());
        let checkpoint =
            Checkpoint::new(self.inner.origin.clone(), size, root).sign(&[&self.inner.signer]).to_string();
        LedgerHead { size, root, checkpoint, vkey: self.inner.signer.verifier().to_string() }
    }

    /// A tile or entry bundle of the ledger, full or partial, if the log is large enough to have it.
    ///
    /// # Errors
    ///
    /// Fails if the store does.
    pub fn ledger_tile(&self, tile: Tile) -> Result<Option<Vec<u8>>, StoreError> {
        let log = self.inner.published.log();
        if !tile.is_part_of(log.size()) {
            return Ok(None);
        }
        let current =
            log.partial().find(|(partial, _)| partial.full() == tile.full()).map(|(_, bytes)| bytes.to_vec());
        let bytes = if current.is_some() {
            current
        } else {
            let snapshot = self.inner.store.snapshot()?;
            ledger::TileSource::tile(&mut FullTiles(snapshot.as_ref()), tile.full())?
        };
        Ok(bytes.map(|bytes| cut(bytes, tile)))
    }

    /// A receipt for one entry: its opening, its place in the log, and the signed head. For the programme's auditors
    /// and for the member that the entry is about.
    ///
    /// # Errors
    ///
    /// Refuses everybody else, as if there were no such entry.
    pub fn receipt(&self, caller: &Caller, index: u64) -> Result<TlogProof, AdminError> {
        let unknown = || AdminError::NoSuchObject(format!("ledger entry {index}"));
        let snapshot = self.inner.store.snapshot()?;
        let entry = snapshot.entries(index, 1)?.into_iter().next().filter(|entry| entry.index == index);
        drop(snapshot);
        let entry = entry.ok_or_else(unknown)?;
        let opening = Opening { salt: entry.salt, body: entry.body };
        let about = opening.read().ok().and_then(|body| body.member().map(str::to_owned));
        let is_own = caller.member().is_some_and(|member| about.as_deref() == Some(member.as_str()));
        if !is_own {
            require(caller, AUDITS, "the programme's auditors").map_err(|_| unknown())?;
        }
        let head = self.ledger_head();
        let checkpoint = Checkpoint::new(self.inner.origin.clone(), head.size, head.root);
        let signed = checkpoint.sign(&[&self.inner.signer]);
        let tiles = ServedTiles(self);
        ledger::verify::receipt(
            tiles,
            &checkpoint,
            signed,
            index,
            &opening.commitment(),
            Some(opening.to_bytes()),
        )
        .map_err(|error| AdminError::Invalid(error.to_string()))
    }

    /// What a member holds, object by object, by the ledger.
    ///
    /// # Errors
    ///
    /// Refuses all but the programme's auditors and the member itself.
    pub fn holds(&self, caller: &Caller, member: &MemberId) -> Result<HoldsReport, AdminError> {
        let is_own = caller.member() == Some(member)
            && caller.actions.contains(&model::Action::Read)
            && caller.collections.is_none();
        if !is_own {
            require(caller, AUDITS, "the programme's auditors")?;
        }
        let snapshot = self.inner.store.snapshot()?;
        let registry = self.inner.published.registry();
        let tier_of = |segment: SegmentId| {
            registry.labels.label(segment.label).map(|label| label.tier.to_string()).unwrap_or_default()
        };
        let mut names = Names::new(snapshot.as_ref());
        let mut held: BTreeMap<(String, String, String), HeldObject> = BTreeMap::new();
        let mut entries = 0;
        each_disclosure(snapshot.as_ref(), 0..u64::MAX, |index, disclosure| {
            if disclosure.member != member.as_str() {
                return Ok(());
            }
            // What a member has blinded it has under references; the ids are for the auditors.
            if disclosure.resource == Resource::Blinded && caller.member().is_some() {
                return Ok(());
            }
            entries += 1;
            let whole = is_whole(disclosure.resource);
            for (segment, at) in positions(&disclosure) {
                let Some((id, version)) = names.name(segment, at)? else { continue };
                let key = (id.clone(), version.clone(), disclosure.collection.clone());
                let held = held.entry(key).or_insert_with(|| HeldObject {
                    id,
                    version,
                    collection: disclosure.collection.clone(),
                    tier: tier_of(segment),
                    first: disclosure.at.clone(),
                    entry: index,
                    whole,
                });
                if whole && !held.whole {
                    (held.whole, held.first, held.entry) = (true, disclosure.at.clone(), index);
                }
            }
            Ok(())
        })?;
        Ok(HoldsReport { member: member.to_string(), entries, objects: held.into_values().collect() })
    }

    /// Who was handed an object, any version of it, by the ledger.
    ///
    /// # Errors
    ///
    /// Refuses all but the programme's auditors.
    pub fn who(&self, caller: &Caller, object: &str) -> Result<WhoReport, AdminError> {
        require(caller, AUDITS, "the programme's auditors")?;
        let snapshot = self.inner.store.snapshot()?;
        let copies = self.inner.copies_for_audit(snapshot.as_ref(), object)?;
        if copies.is_empty() {
            return Err(AdminError::NoSuchObject(object.to_owned()));
        }
        let positions = copies.iter().map(Copy::position);
        let deliveries = Deliveries::find(&self.inner.spans, snapshot.as_ref(), positions)?;
        let mut receivers = deliveries.receivers(&copies);
        receivers.sort();
        Ok(WhoReport { object: object.to_owned(), receivers })
    }
}

/// The ledger's tiles as they are served.
struct ServedTiles<'e>(&'e Exchange);

impl ledger::TileSource for ServedTiles<'_> {
    type Error = StoreError;

    fn tile(&mut self, tile: Tile) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.ledger_tile(tile)
    }
}

/// The first `width` entries or hashes of a tile.
fn cut(bytes: Vec<u8>, tile: Tile) -> Vec<u8> {
    let width = usize::from(tile.width());
    let length = match tile.kind() {
        ledger::tile::Kind::Hashes { .. } => width * Hash::LEN,
        ledger::tile::Kind::Entries => ledger::tile::entries(&bytes)
            .take(width)
            .map(|entry| entry.map_or(0, |entry| entry.len() + 2))
            .sum(),
    };
    let mut bytes = bytes;
    bytes.truncate(length);
    bytes
}

fn is_whole(resource: Resource) -> bool {
    match resource {
        Resource::Objects | Resource::Object | Resource::Stream => true,
        Resource::Manifest | Resource::Versions | Resource::Blinded => false,
    }
}

/// Runs `then` over every disclosure among these entries of the ledger; returns up to where there are any.
fn each_disclosure(
    snapshot: &dyn Snapshot,
    entries: std::ops::Range<u64>,
    mut then: impl FnMut(u64, Disclosure) -> Result<(), StoreError>,
) -> Result<u64, StoreError> {
    let mut from = entries.start;
    loop {
        let left = usize::try_from(entries.end.saturating_sub(from)).unwrap_or(usize::MAX);
        let entries = snapshot.entries(from, left.min(BATCH))?;
        let Some(last) = entries.last() else { return Ok(from) };
        from = last.index + 1;
        for entry in entries {
            let opening = Opening { salt: entry.salt, body: entry.body };
            let body = opening
                .read()
                .map_err(|error| StoreError::Damaged(format!("ledger entry {}: {error}", entry.index)))?;
            if let Body::Disclosure(disclosure) = body {
                then(entry.index, disclosure)?;
            }
        }
    }
}

fn positions(disclosure: &Disclosure) -> impl Iterator<Item = (SegmentId, u32)> + '_ {
    disclosure.ranges.iter().flat_map(move |range| {
        (range.first..range.first + range.count)
            .filter(|at| {
                !disclosure.except.iter().any(|slot| slot.segment == range.segment && slot.index == *at)
            })
            .map(|at| (segment_of(range.segment), u32::try_from(at).unwrap_or(u32::MAX)))
    })
}

/// Names objects by their places, remembering the segment that was asked for last.
struct Names<'s> {
    snapshot: &'s dyn Snapshot,
    last: Option<(SegmentId, store::Heads)>,
}

impl<'s> Names<'s> {
    fn new(snapshot: &'s dyn Snapshot) -> Self {
        Self { snapshot, last: None }
    }

    fn name(&mut self, segment: SegmentId, index: u32) -> Result<Option<(String, String)>, StoreError> {
        if self.last.as_ref().is_none_or(|(known, _)| *known != segment) {
            self.last = self.snapshot.names(segment)?.map(|heads| (segment, heads));
        }
        let head = self.last.as_ref().and_then(|(_, heads)| heads.record(index));
        Ok(head.map(|head| (head.id, head.version)))
    }
}

impl Inner {
    /// Every copy of an object, for the ledger's answers; none of its content.
    pub(crate) fn copies_for_audit(
        &self,
        snapshot: &dyn Snapshot,
        object: &str,
    ) -> Result<Vec<Copy>, StoreError> {
        let registry = self.published.registry();
        let caller = Caller {
            principal: Principal::Role(Role::Overseer),
            credential: model::CredentialId::from_bits(0),
            actions: BTreeSet::new(),
            collections: None,
        };
        let view = self.view(&caller, &registry)?;
        snapshot.find(&view, object)
    }

    /// When the last date of a reader's back-fills comes, if it has any.
    pub(crate) fn end_of_back_fill(&self, principal: &Principal) -> Result<Option<Timestamp>, StoreError> {
        let registry = self.published.registry();
        let caller = Caller {
            principal: principal.clone(),
            credential: model::CredentialId::from_bits(0),
            actions: BTreeSet::new(),
            collections: None,
        };
        let view = self.view(&caller, &registry)?;
        let snapshot = self.store.snapshot()?;
        let now = self.clock.now();
        // The instant of the change may lie a little ahead of the clock.
        let horizon = snapshot.horizon().last.max(now);
        let mut end = None;
        for collection in &registry.programme().settings().collections {
            let query = Query {
                collection: collection.id,
                labels: registry.labels.of(collection.id),
                facts: &registry.labels.facts,
                after: None,
                horizon,
                now,
                limit: 1,
                bytes_max: 1,
                scan_bytes_max: usize::MAX,
                versions: &VersionChoice::last(),
                sieve: None,
            };
            end = end.max(store::timeline::end_of_back_fill(snapshot.as_ref(), &view, &query, &self.blocks)?);
        }
        Ok(end)
    }
}
