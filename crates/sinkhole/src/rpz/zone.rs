//! One zone: its serial, its journal, and the one place where it changes.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::content::Content;
use super::entry::{Entry, Reject, Rejects, Scope, Triggers, decode};
use super::journal::{Delta, Journal, JournalKey, Last};
use crate::name::{NAME_BYTES_MAX, Name, WireName};
use crate::{Clock, Random};

/// A full transfer is collected in pieces of about this size.
const SPOOL_PIECE_BYTES: usize = 1 << 20;

/// Who may ask.
///
/// A secondary that is refused keeps what it has until the zone's expiry. So whoever may no longer have the entries is not
/// refused but given a zone without any, and lets go of them at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Access {
    /// Names of keys; a request signed with one of them is answered.
    pub keys: Vec<Name>,
    /// Addresses that need not sign, for secondaries that cannot.
    pub unsigned: Vec<IpAddr>,
    /// Names of keys whose holders get the zone without entries.
    pub empty_keys: Vec<Name>,
    /// Addresses that need not sign, and get the zone without entries.
    pub empty_unsigned: Vec<IpAddr>,
}

/// What somebody gets to see of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    Entries,
    Empty,
}

impl Access {
    /// What a request signed with `key`, or with none from `peer`, gets to see.
    pub(crate) fn sight(&self, key: Option<&Name>, peer: IpAddr) -> Option<Sight> {
        let is_in = |keys: &[Name], unsigned: &[IpAddr]| match key {
            Some(key) => keys.contains(key),
            None => unsigned.contains(&peer.to_canonical()),
        };
        if is_in(&self.keys, &self.unsigned) {
            return Some(Sight::Entries);
        }
        is_in(&self.empty_keys, &self.empty_unsigned).then_some(Sight::Empty)
    }
}

/// A server to be told of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secondary {
    /// Where it takes a NOTIFY.
    pub address: SocketAddr,
    /// The key to sign it with.
    pub key: Option<Name>,
}

/// What a zone is called, who gets it, and its times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneSpec {
    /// The zone's name. It is never delegated anywhere; it is a label between primary and secondary.
    pub apex: Name,
    /// What its owners are.
    pub triggers: Triggers,
    /// Seconds for which those who asked keep an answer: how long an entry outlives its end. 30 to 60 is good.
    pub ttl: u32,
    /// Seconds between a secondary's own looks, should a NOTIFY get lost.
    pub refresh: u32,
    /// Seconds between its tries while we do not answer.
    pub retry: u32,
    /// Seconds without us after which a secondary lets go of the zone, unless it is [told](super::Publisher::set_expire) fewer.
    pub expire: u32,
    /// Who may ask.
    pub access: Access,
    /// Whom to tell.
    pub secondaries: Vec<Secondary>,
}

impl ZoneSpec {
    /// A zone that nobody may ask for yet: TTL 30 s, refresh 60 s, retry 10 s, expiry a day.
    #[must_use]
    pub fn new(apex: Name, triggers: Triggers) -> Self {
        let (access, secondaries) = (Access::default(), Vec::new());
        Self { apex, triggers, ttl: 30, refresh: 60, retry: 10, expire: 86_400, access, secondaries }
    }
}

/// Entries to put in and to take out, as the content has them: also those that lie below others.
#[derive(Clone, Copy, Debug, Default)]
pub struct Change<'a> {
    /// New entries, also new forms of such as are in `removed`.
    pub added: &'a [Entry<'a>],
    /// Entries as they were.
    pub removed: &'a [Entry<'a>],
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The zone's serial from now on.
    pub serial: u32,
    /// Entries that came into the zone, returned ones among them.
    pub added: u64,
    /// Entries that left it, those that a new parent covers among them.
    pub removed: u64,
    /// Entries of the change that the zone does not have, by reason.
    pub rejected: Rejects,
    /// Whether the journal has it. If not (a full disk), secondaries get it all the same, and the journal begins anew.
    pub journalled: bool,
}

/// How a zone stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneStatus {
    /// Its name.
    pub apex: Name,
    /// Its serial.
    pub serial: u32,
    /// Entries that secondaries get.
    pub entries: u64,
    /// Of those that the content had when the zone was opened, how many were left out and why; changes add to it.
    pub rejected: Rejects,
}

/// Encoded entries, in pieces.
pub(crate) type Spool = Vec<Vec<u8>>;

pub(crate) struct Zone {
    pub(crate) spec: ZoneSpec,
    pub(crate) content: Arc<dyn Content>,
    state: Mutex<State>,
}

/// What an SOA says that changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stand {
    pub(crate) serial: u32,
    pub(crate) expire: u32,
}

struct State {
    journal: Journal,
    serial: u32,
    /// Seconds without us after which secondaries let go of the zone.
    expire: u32,
    /// A sum of hashes over all entries, whatever their order: it tells after a restart whether the content is the one that
    /// the serial stands for.
    sum: u64,
    entries: u64,
    rejected: Rejects,
    /// What transfers of this serial read, until one has read all of it.
    spool: Option<Arc<Spool>>,
}

impl State {
    fn stand(&self) -> Stand {
        Stand { serial: self.serial, expire: self.expire }
    }
}

/// What a secondary that knows an older serial has to be sent.
pub(crate) enum Difference {
    /// It knows this one already, or a later one.
    Nothing,
    /// These changes.
    Changes(Vec<Delta>),
    /// More than the journal has.
    Everything,
}

impl Zone {
    /// Opens the zone's journal in `folder`. Goes on with its serial if the content is what it was, else takes a new one.
    pub(crate) fn open(
        spec: ZoneSpec,
        content: Arc<dyn Content>,
        folder: &Path,
        key: JournalKey,
        random: Random,
        clock: &Clock,
    ) -> io::Result<Self> {
        let path = folder.join(format!("{}journal", spec.apex));
        let mut journal = Journal::open(path, spec.apex.as_wire(), key, random)?;
        // Who gets a zone and for how long is a part of what a serial stands for: should it change, secondaries ask anew.
        let (mut sum, mut entries) = (hash_of(&(spec.ttl, &spec.access)), 0);
        let mut rejected = Rejects::new();
        each_effective(&spec, &*content, &mut rejected, &mut |bytes| {
            sum = sum.wrapping_add(hash(bytes));
            entries += 1;
        });
        let last = match journal.last() {
            Some(last) if last.sum == sum => last,
            last => {
                let serial = next_serial(last.map(|last| last.serial), clock.now());
                let last = Last { serial, sum, expire: spec.expire };
                journal.begin(last)?;
                last
            }
        };
        let (serial, expire) = (last.serial, last.expire);
        let state = Mutex::new(State { journal, serial, expire, sum, entries, rejected, spool: None });
        Ok(Self { spec, content, state })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn stand(&self) -> Stand {
        self.state().stand()
    }

    /// Has secondaries let go of the zone after so many seconds without us, though never later than the zone's own expiry. That is a
    /// change of the SOA, which they get as any other.
    pub(crate) fn set_expire(&self, expire: u32, clock: &Clock) {
        let expire = expire.min(self.spec.expire);
        let mut state = self.state();
        if state.expire == expire {
            return;
        }
        let (from, to) = (state.serial, next_serial(Some(state.serial), clock.now()));
        let (removed, added): (Arc<[u8]>, Arc<[u8]>) = Default::default();
        let delta = Delta { from, to, sum: state.sum, expire: (state.expire, expire), removed, added };
        if let Err(error) = state.journal.append(delta) {
            tracing::warn!(zone = %self.spec.apex, %error, "a zone's expiry is published but not in its journal");
        }
        (state.serial, state.expire) = (to, expire);
    }

    pub(crate) fn status(&self) -> ZoneStatus {
        let state = self.state();
        let (serial, entries, rejected) = (state.serial, state.entries, state.rejected.clone());
        ZoneStatus { apex: self.spec.apex.clone(), serial, entries, rejected }
    }

    /// Bytes that the zone's name leaves for what stands before it.
    pub(crate) fn room(&self) -> usize {
        NAME_BYTES_MAX - self.spec.apex.as_wire().as_bytes().len()
    }

    /// Runs `commit`, which changes the content, and publishes what that means for the zone.
    pub(crate) fn apply(&self, change: &Change<'_>, clock: &Clock, commit: impl FnOnce()) -> Applied {
        let mut state = self.state();
        let mut rejected = Rejects::new();
        let (removed, added) = self.effect(change, &mut rejected, commit);
        for (reason, count) in &rejected {
            *state.rejected.entry(*reason).or_default() += count;
        }
        let mut applied =
            Applied { serial: state.serial, added: added.1, removed: removed.1, rejected, journalled: true };
        if removed.1 + added.1 == 0 {
            return applied;
        }
        let serial = next_serial(Some(state.serial), clock.now());
        let sum = state.sum.wrapping_add(sum_of(&added.0)).wrapping_sub(sum_of(&removed.0));
        let (from, expire) = (state.serial, (state.expire, state.expire));
        let delta = Delta { from, to: serial, sum, expire, removed: removed.0.into(), added: added.0.into() };
        if let Err(error) = state.journal.append(delta) {
            tracing::warn!(zone = %self.spec.apex, %error, "a zone's change is published but not in its journal");
            applied.journalled = false;
        }
        (state.serial, state.sum, state.spool) = (serial, sum, None);
        state.entries = (state.entries + applied.added).saturating_sub(applied.removed);
        applied.serial = serial;
        applied
    }

    /// What leaves the zone and what comes into it, encoded and counted, when `commit` makes `change` to the content.
    fn effect<'a>(
        &self,
        change: &Change<'a>,
        rejected: &mut Rejects,
        commit: impl FnOnce(),
    ) -> ((Vec<u8>, u64), (Vec<u8>, u64)) {
        let (mut removed, mut added) = ((Vec::new(), 0), (Vec::new(), 0));
        let fits = |entry: &Entry<'_>| entry.check(self.spec.apex.as_wire(), self.spec.triggers);
        let put = |(bytes, count): &mut (Vec<u8>, u64), entry: &Entry<'_>| {
            entry.encode(bytes);
            *count += 1;
        };
        let owners = |entries: &[Entry<'a>]| entries.iter().map(|entry| entry.owner).collect::<HashSet<_>>();

        // Before: what is in the zone and will not be.
        for entry in change.removed {
            if fits(entry).is_ok() && !self.content.is_subsumed(entry.owner) {
                put(&mut removed, entry);
            }
        }
        let new_parents = parents(change.added, &*self.content, &fits);
        if !new_parents.is_empty() {
            let told = owners(change.removed);
            self.content.below(&new_parents, &mut |entry| {
                if fits(&entry).is_ok()
                    && !told.contains(&entry.owner)
                    && !self.content.is_subsumed(entry.owner)
                {
                    put(&mut removed, &entry);
                }
            });
        }
        commit();
        // After: what is in the zone and was not.
        for entry in change.added {
            let reject = match fits(entry) {
                Ok(()) if self.content.is_subsumed(entry.owner) => Err(Reject::Subsumed),
                fit => fit,
            };
            match reject {
                Ok(()) => put(&mut added, entry),
                Err(reason) => *rejected.entry(reason).or_default() += 1,
            }
        }
        let gone_parents = parents(change.removed, &*self.content, &fits);
        if !gone_parents.is_empty() {
            let told = owners(change.added);
            self.content.below(&gone_parents, &mut |entry| {
                if fits(&entry).is_ok()
                    && !told.contains(&entry.owner)
                    && !self.content.is_subsumed(entry.owner)
                {
                    put(&mut added, &entry);
                }
            });
        }
        (removed, added)
    }

    /// What brings a secondary from `serial` to the present one, and that.
    pub(crate) fn since(&self, serial: u32) -> (Difference, Stand) {
        let state = self.state();
        let difference = if is_newer(state.serial, serial) {
            state.journal.since(serial).map_or(Difference::Everything, Difference::Changes)
        } else {
            Difference::Nothing
        };
        (difference, state.stand())
    }

    /// All entries of the present serial. No change comes in while they are collected.
    pub(crate) fn everything(&self) -> (Arc<Spool>, Stand) {
        let mut state = self.state();
        if let Some(spool) = &state.spool {
            return (Arc::clone(spool), state.stand());
        }
        let mut pieces: Spool = vec![Vec::new()];
        each_effective(&self.spec, &*self.content, &mut Rejects::new(), &mut |bytes| {
            if pieces.last().is_none_or(|piece| piece.len() + bytes.len() > SPOOL_PIECE_BYTES) {
                pieces.push(Vec::with_capacity(SPOOL_PIECE_BYTES));
            }
            if let Some(piece) = pieces.last_mut() {
                piece.extend_from_slice(bytes);
            }
        });
        let spool = Arc::new(pieces);
        state.spool = Some(Arc::clone(&spool));
        (spool, state.stand())
    }

    /// They were handed out whole. Until then they are kept, for a secondary that gave up while they were collected (Unbound does after ten
    /// seconds) asks again, and would find a busy machine no further.
    pub(crate) fn handed_out(&self, spool: &Arc<Spool>) {
        let mut state = self.state();
        if state.spool.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, spool)) {
            state.spool = None;
        }
    }
}

/// The entries of a change that cover others and are covered by none.
fn parents<'a>(
    entries: &[Entry<'a>],
    content: &dyn Content,
    fits: &impl Fn(&Entry<'_>) -> Result<(), Reject>,
) -> Vec<WireName<'a>> {
    let covers = |entry: &&Entry<'_>| entry.scope == Scope::WithSubdomains && fits(entry).is_ok();
    let parents = entries.iter().filter(covers).map(|entry| entry.owner);
    parents.filter(|owner| !content.is_subsumed(*owner)).collect()
}

/// Gives each entry that secondaries get, encoded, to `visit`.
fn each_effective(
    spec: &ZoneSpec,
    content: &dyn Content,
    rejected: &mut Rejects,
    visit: &mut dyn FnMut(&[u8]),
) {
    let mut bytes = Vec::new();
    content.for_each(&mut |entry| {
        let fit = match entry.check(spec.apex.as_wire(), spec.triggers) {
            Ok(()) if content.is_subsumed(entry.owner) => Err(Reject::Subsumed),
            fit => fit,
        };
        match fit {
            Ok(()) => {
                bytes.clear();
                entry.encode(&mut bytes);
                visit(&bytes);
            }
            Err(reason) => *rejected.entry(reason).or_default() += 1,
        }
    });
}

fn hash(entry: &[u8]) -> u64 {
    hash_of(entry)
}

fn hash_of(value: &(impl Hash + ?Sized)) -> u64 {
    // The hasher has fixed keys. Should a later standard library hash otherwise, a restart takes a new serial.
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn sum_of(mut entries: &[u8]) -> u64 {
    let mut sum = 0_u64;
    while let Some((_, rest)) = decode(entries) {
        sum = sum.wrapping_add(hash(&entries[..entries.len() - rest.len()]));
        entries = rest;
    }
    sum
}

/// Whether serial `a` comes after `b` (RFC 1982 §3.2).
fn is_newer(a: u32, b: u32) -> bool {
    let ahead = a.wrapping_sub(b);
    ahead != 0 && ahead < 1 << 31
}

/// The serial after `last`: the present second, unless that is not later. Should journals get lost, serials still grow.
fn next_serial(last: Option<u32>, now: u64) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "serials run in a circle of 32 bits")]
    let by_time = now as u32;
    match last {
        Some(last) if !is_newer(by_time, last) => last.wrapping_add(1),
        _ => by_time,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpz::{MemoryContent, Rule, Scope};

    #[test]
    fn what_was_collected_is_kept_until_somebody_has_all_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let content = Arc::new(MemoryContent::default());
        let owner: Name = "bad.example.com".parse().unwrap();
        let entry =
            Entry { owner: owner.as_wire(), scope: Scope::Exact, rule: Rule::NxDomain, reference: "" };
        content.insert(&entry);
        let spec = ZoneSpec::new("block.guard".parse().unwrap(), Triggers::Names);
        let clock = Clock::new(|| 1_000);
        let (key, random) = (JournalKey::new(&[1; 32]), Random::new(|bytes| bytes.fill(7)));
        let zone = Zone::open(spec, Arc::clone(&content) as _, folder.path(), key, random, &clock).unwrap();
        let (first, _) = zone.everything();
        let place = Arc::as_ptr(&first);
        drop(first);
        let (again, _) = zone.everything();
        assert_eq!(Arc::as_ptr(&again), place, "a transfer that broke off is taken up");
        zone.handed_out(&Arc::new(Spool::new()));
        assert!(Arc::ptr_eq(&zone.everything().0, &again), "another's end is not this one's");
        zone.handed_out(&again);
        assert!(!Arc::ptr_eq(&zone.everything().0, &again));
    }
}
