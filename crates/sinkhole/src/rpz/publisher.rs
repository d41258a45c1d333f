//! All zones of one primary, and its keys.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use thiserror::Error;
use tokio::sync::Notify;

use super::content::Content;
use super::journal::JournalKey;
use super::message::{KeyRing, TsigKey};
use super::zone::{Applied, Change, Zone, ZoneSpec, ZoneStatus};
use crate::name::{NAME_BYTES_MAX, Name, WireName};
use crate::{Clock, Random};

/// A zone's name leaves at least this much for the names in it.
const APEX_BYTES_MAX: usize = 128;

/// The zones that a primary serves. Zones and keys come and go while it does.
pub struct Publisher {
    folder: PathBuf,
    journal_key: JournalKey,
    clock: Clock,
    random: Random,
    zones: RwLock<BTreeMap<Name, Arc<Zone>>>,
    keys: RwLock<(Arc<KeyRing>, Arc<[TsigKey]>)>,
    counts: Mutex<Counts>,
    /// Seconds without us after which secondaries let go of all zones.
    expire: AtomicU32,
    /// Woken by each change.
    changed: Notify,
}

/// What a primary did since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Zones handed out whole, also where changes were asked for.
    pub axfr: u64,
    /// Requests for changes that were answered with changes.
    pub ixfr: u64,
    /// Requests for changes that were answered with the whole zone.
    pub ixfr_whole: u64,
    /// Requests for changes from secondaries that have them all.
    pub up_to_date: u64,
    /// Requests that were refused: a wrong key, no key, no such zone, no sense.
    pub refused: u64,
    /// NOTIFY messages sent.
    pub notified: u64,
    /// NOTIFY messages acknowledged.
    pub acknowledged: u64,
}

/// Why a zone is not there.
#[derive(Debug, Error)]
pub enum OpenError {
    /// There is one of that name.
    #[error("there is a zone `{apex}` already")]
    Twice {
        /// The name.
        apex: Name,
    },
    /// The zone's name is the root, or so long that few names fit below it.
    #[error("a policy zone cannot be called `{apex}`: at most {APEX_BYTES_MAX} bytes, and not the root")]
    Apex {
        /// The name.
        apex: Name,
    },
    /// The zone's name cannot be a file's name.
    #[error("the name of zone `{apex}` has a character other than letters, digits, hyphen and underscore")]
    OddApex {
        /// The name.
        apex: Name,
    },
    /// Some key is named that the publisher does not have.
    #[error("zone `{apex}` names a key `{key}` that is not there")]
    UnknownKey {
        /// The zone.
        apex: Name,
        /// The key.
        key: Name,
    },
    /// Its journal cannot be read or written.
    #[error("the journal of zone `{apex}`: {source}")]
    Journal {
        /// The zone.
        apex: Name,
        /// What went wrong.
        source: io::Error,
    },
}

impl Publisher {
    /// A primary without zones, whose journals lie in `folder`, sealed with `journal_key`.
    #[must_use]
    pub fn new(folder: &Path, journal_key: JournalKey, clock: Clock, random: Random) -> Self {
        Self {
            folder: folder.to_owned(),
            journal_key,
            clock,
            random,
            zones: RwLock::default(),
            keys: RwLock::new((Arc::default(), Arc::new([]))),
            counts: Mutex::default(),
            expire: AtomicU32::new(u32::MAX),
            changed: Notify::new(),
        }
    }

    /// Takes these keys and no others from the next request on.
    pub fn set_keys(&self, keys: &[TsigKey]) {
        let ring = (Arc::new(KeyRing::new(keys)), Arc::from(keys));
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = ring;
    }

    /// Begins to serve a zone. Walks its content once.
    ///
    /// # Errors
    ///
    /// Fails for a name that is taken or too long, a key that is not there, and a journal that cannot be read or written.
    pub fn add_zone(&self, spec: ZoneSpec, content: Arc<dyn Content>) -> Result<ZoneStatus, OpenError> {
        if self.zone(&spec.apex).is_some() {
            return Err(OpenError::Twice { apex: spec.apex });
        }
        self.put_zone(spec, content)
    }

    /// As [`add_zone`](Self::add_zone), in place of a zone of that name if there is one: that one is served until the new one
    /// can be. Secondaries go on by changes if the content is what it was and the same people may have it, else they ask anew.
    /// No change may be applied to the zone meanwhile.
    ///
    /// # Errors
    ///
    /// As [`add_zone`](Self::add_zone); then the zone stays as it was.
    pub fn put_zone(&self, spec: ZoneSpec, content: Arc<dyn Content>) -> Result<ZoneStatus, OpenError> {
        let apex = spec.apex.clone();
        let wire = apex.as_wire();
        const { assert!(APEX_BYTES_MAX < NAME_BYTES_MAX) }
        if wire == WireName::ROOT || wire.as_bytes().len() > APEX_BYTES_MAX {
            return Err(OpenError::Apex { apex });
        }
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if !wire.labels().flatten().all(plain) {
            return Err(OpenError::OddApex { apex });
        }
        let access = spec.access.keys.iter().chain(&spec.access.empty_keys);
        let named = access.chain(spec.secondaries.iter().filter_map(|one| one.key.as_ref()));
        for key in named {
            if self.key(key).is_none() {
                return Err(OpenError::UnknownKey { apex, key: key.clone() });
            }
        }
        let (key, random) = (self.journal_key.clone(), self.random.clone());
        let zone = Zone::open(spec, content, &self.folder, key, random, &self.clock)
            .map_err(|source| OpenError::Journal { apex: apex.clone(), source })?;
        zone.set_expire(self.expire.load(Ordering::Relaxed), &self.clock);
        let status = zone.status();
        self.zones.write().unwrap_or_else(PoisonError::into_inner).insert(apex, Arc::new(zone));
        self.changed.notify_one();
        Ok(status)
    }

    /// Has secondaries let go of all zones after so many seconds without us, or after fewer if a zone's own expiry is shorter. They look for
    /// changes the oftener.
    pub fn set_expire(&self, seconds: u32) {
        if self.expire.swap(seconds, Ordering::Relaxed) == seconds {
            return;
        }
        for zone in self.all_zones() {
            zone.set_expire(seconds, &self.clock);
        }
        self.changed.notify_one();
    }

    /// Ceases to serve a zone: from the next request on it is refused. Its journal stays.
    pub fn remove_zone(&self, apex: &Name) {
        self.zones.write().unwrap_or_else(PoisonError::into_inner).remove(apex);
        self.changed.notify_one();
    }

    /// Publishes a change of a zone's content; `None` if there is no such zone (`commit` has then not run).
    ///
    /// `commit` makes the change in the content; it runs under the zone's lock, so that no transfer sees half of it. Say all
    /// that changes in the content, also what lies below other entries: what that means for the zone is worked out here.
    pub fn apply(&self, apex: &Name, change: &Change<'_>, commit: impl FnOnce()) -> Option<Applied> {
        let applied = self.zone(apex)?.apply(change, &self.clock, commit);
        self.changed.notify_one();
        Some(applied)
    }

    /// How each zone stands.
    #[must_use]
    pub fn zones(&self) -> Vec<ZoneStatus> {
        self.all_zones().iter().map(|zone| zone.status()).collect()
    }

    /// What was done so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tally(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn random(&self) -> &Random {
        &self.random
    }

    pub(crate) fn changed(&self) -> &Notify {
        &self.changed
    }

    pub(crate) fn keys(&self) -> Arc<KeyRing> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner).0)
    }

    pub(crate) fn key(&self, name: &Name) -> Option<TsigKey> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.1.iter().find(|key| key.name() == name).cloned()
    }

    pub(crate) fn all_zones(&self) -> Vec<Arc<Zone>> {
        self.zones.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn zone(&self, apex: &Name) -> Option<Arc<Zone>> {
        self.zones.read().unwrap_or_else(PoisonError::into_inner).get(apex).cloned()
    }

    /// The zone that `name` lies in.
    pub(crate) fn zone_above(&self, name: WireName<'_>) -> Option<Arc<Zone>> {
        let zones = self.zones.read().unwrap_or_else(PoisonError::into_inner);
        let mut at = Some(name);
        while let Some(name) = at {
            if let Some(zone) = zones.get(&name.to_name()) {
                return Some(Arc::clone(zone));
            }
            at = name.parent();
        }
        None
    }
}
