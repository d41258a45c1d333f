//! Policy zones: one for each feed, given to the resolvers of customers that have the feed enforced.
//!
//! A name stands in its feed's zone while an indicator of the feed lists it that is active, may be enforced, and, where the
//! site has customers, may be redistributed: a zone hands the plain name to whoever transfers it. What is only monitored is
//! in no zone, for a resolver cannot tell that it would have blocked; the forwarder and the logs can.
//!
//! The zone holds no names of its own. It walks the set's, and every change of the set goes through the zone's lock.

mod content;
mod plan;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use sinkhole::rpz::{
    Change as ZoneChange, Content, Entry, JournalKey, MemoryContent, OpenError, Publisher, Rule,
    Scope as ZoneScope, ZoneSpec,
};
use sinkhole::{Clock as ZoneClock, Name, Random as ZoneRandom};
use thiserror::Error;
use tracing::error;

use matcher::Scope;

use crate::config::Config;
use crate::engine::Zones;
use crate::record::reference;
use crate::set::{Change, Set};

pub(crate) use content::prefixes_in;
use content::{
    AddressContent, Counted, FeedContent, Rules, allowed_addresses, allowed_below, allowed_names, passing,
    zone_scope,
};
pub use plan::Plan;
use plan::Subject;
pub(crate) use plan::{ADDRESSES_LABEL, ALLOW_LABEL};

/// Why zones cannot be served.
#[derive(Debug, Error)]
pub enum RpzError {
    /// A name cannot stand in the DNS.
    #[error("`{0}` cannot be a name in the DNS")]
    Name(String),
    /// A secret cannot be used.
    #[error("the TSIG key `{key}` cannot be used: {reason}")]
    Key {
        /// Its name.
        key: String,
        /// Why.
        reason: String,
    },
    /// The folder of the journals cannot be made.
    #[error("the folder of the zones' journals cannot be made: {0}")]
    Folder(std::io::Error),
    /// A zone cannot be served.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Where a blocked client is sent: the category's addresses, or those for all others.
#[must_use]
pub fn safe_addresses(
    addresses: &BTreeMap<String, Vec<IpAddr>>,
    category: &str,
) -> (Option<std::net::Ipv4Addr>, Option<std::net::Ipv6Addr>) {
    let list = addresses.get(category).or_else(|| addresses.get(""));
    let list = list.map_or(&[][..], Vec::as_slice);
    let v4 = list.iter().find_map(|address| match address {
        IpAddr::V4(v4) => Some(*v4),
        IpAddr::V6(_) => None,
    });
    let v6 = list.iter().find_map(|address| match address {
        IpAddr::V6(v6) => Some(*v6),
        IpAddr::V4(_) => None,
    });
    (v4, v6)
}

/// The zones, which come and go with the configuration.
pub struct RpzZones {
    publisher: Arc<Publisher>,
    folder: PathBuf,
    salt: [u8; 16],
    served: RwLock<Served>,
}

/// What is served now.
#[derive(Default)]
struct Served {
    specs: BTreeMap<Name, ZoneSpec>,
    /// By feed.
    feeds: BTreeMap<u16, FeedZones>,
    allowed: Option<(Name, Arc<MemoryContent>)>,
    allowed_addresses: Option<Name>,
}

struct FeedZones {
    content: Arc<FeedContent>,
    names: Name,
    addresses: Option<Name>,
}

impl RpzZones {
    /// No zones yet.
    #[must_use]
    pub fn new(
        config: &Config,
        secrets: &crate::secrets::Secrets,
        clock: ZoneClock,
        random: ZoneRandom,
    ) -> Self {
        let folder = config.data.join("zones");
        let journal_key = JournalKey::new(&secrets.journal_key());
        let publisher = Arc::new(Publisher::new(&folder, journal_key, clock, random));
        Self { publisher, folder, salt: secrets.reference_salt(), served: RwLock::default() }
    }

    /// Serves the zones of a plan and no others. Those that stay as they were are not touched; one that changes is served as
    /// it was until it is ready. Nothing else may change the set meanwhile.
    ///
    /// # Errors
    ///
    /// Fails if a journal cannot be used; the other zones are as planned.
    pub fn take(&self, config: &Config, plan: Plan, set: &Arc<Set>) -> Result<(), RpzError> {
        if !plan.zones.is_empty() {
            std::fs::create_dir_all(&self.folder).map_err(RpzError::Folder)?;
        }
        let mut served = self.served.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::take(&mut *served);
        self.publisher.set_keys(&plan.keys);
        let mut failed = None;
        for (subject, spec) in plan.zones {
            let known = before.specs.get(&spec.apex) == Some(&spec);
            let apex = spec.apex.clone();
            let put = |content: Arc<dyn Content>| self.publisher.put_zone(spec.clone(), content).map(drop);
            let done = match subject {
                Subject::AllowedNames => {
                    let content = Arc::new(allowed_names(set, &set.allowed()));
                    served.allowed = Some((apex.clone(), Arc::clone(&content)));
                    put(content)
                }
                Subject::AllowedAddresses => {
                    served.allowed_addresses = Some(apex.clone());
                    put(Arc::new(allowed_addresses(&set.allowed())))
                }
                Subject::Names(feed) => {
                    let wanted = self.content(config, set, feed);
                    let same = before.feeds.get(&feed).filter(|zones| {
                        known
                            && zones.content.rules == wanted.rules
                            && zones.content.counted == wanted.counted
                    });
                    let content = same.map_or_else(|| Arc::new(wanted), |zones| Arc::clone(&zones.content));
                    let zones =
                        FeedZones { content: Arc::clone(&content), names: apex.clone(), addresses: None };
                    served.feeds.insert(feed, zones);
                    if same.is_some() { Ok(()) } else { put(content) }
                }
                Subject::Addresses(feed) => match served.feeds.get_mut(&feed) {
                    Some(zones) => {
                        zones.addresses = Some(apex.clone());
                        put(Arc::new(AddressContent(Arc::clone(&zones.content))))
                    }
                    None => Ok(()),
                },
            };
            match done {
                Ok(()) => drop(served.specs.insert(apex, spec)),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        for apex in before.specs.keys().filter(|apex| !served.specs.contains_key(*apex)) {
            self.publisher.remove_zone(apex);
        }
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    fn content(&self, config: &Config, set: &Arc<Set>, feed: u16) -> FeedContent {
        let action = config.sinkhole.rpz.as_ref().map(|rpz| rpz.action).unwrap_or_default();
        FeedContent {
            set: Arc::clone(set),
            counted: Counted { feed, needs_redistribution: config.has_customers },
            rules: Rules { action, addresses: config.sinkhole.addresses.clone(), salt: self.salt },
        }
    }

    /// What serves the zones.
    #[must_use]
    pub fn publisher(&self) -> &Arc<Publisher> {
        &self.publisher
    }

    /// Lets pass what is allowed below names that come.
    fn let_pass(&self, allowed: Option<&(Name, Arc<MemoryContent>)>, set: &Set, coming: &[Owned]) {
        let Some((apex, content)) = allowed else { return };
        let wide: Vec<String> = coming
            .iter()
            .filter(|one| one.scope == ZoneScope::WithSubdomains)
            .map(|one| content::text_of(one.owner.as_wire()))
            .collect();
        let parents: Vec<&str> = wide.iter().map(String::as_str).collect();
        let names = allowed_below(content, &set.allowed(), &parents);
        if names.is_empty() {
            return;
        }
        let added: Vec<Entry<'_>> = names.iter().map(passing).collect();
        self.publisher.apply(apex, &ZoneChange { added: &added, removed: &[] }, || {
            for entry in &added {
                content.insert(entry);
            }
        });
    }
}

impl Zones for RpzZones {
    fn allowed_changed(&self, set: &Set) {
        let mut served = self.served.write().unwrap_or_else(PoisonError::into_inner);
        let allowed = set.allowed();
        let mut puts = Vec::new();
        if let Some((apex, content)) = &mut served.allowed {
            *content = Arc::new(allowed_names(set, &allowed));
            puts.push((apex.clone(), Arc::clone(content)));
        }
        if let Some(apex) = &served.allowed_addresses {
            puts.push((apex.clone(), Arc::new(allowed_addresses(&allowed))));
        }
        for (apex, content) in puts {
            let Some(spec) = served.specs.get(&apex) else { continue };
            if let Err(error) = self.publisher.put_zone(spec.clone(), content) {
                error!("the zone of what is allowed stays as it was: {error}");
            }
        }
    }

    fn change(&self, set: &Set, feed: u16, change: Change) {
        let served = self.served.read().unwrap_or_else(PoisonError::into_inner);
        let Some(zones) = served.feeds.get(&feed) else {
            set.commit(change);
            return;
        };
        let names = Difference::of_names(&zones.content, set, &change);
        let addresses = match &zones.addresses {
            Some(_) => Difference::of_addresses(&zones.content, set, &change),
            None => Difference::default(),
        };
        self.let_pass(served.allowed.as_ref(), set, &names.added);
        let mut waiting = Some(change);
        let mut commit = || {
            if let Some(change) = waiting.take() {
                set.commit(change);
            }
        };
        // Both zones stand still until the set has changed.
        names.apply(&self.publisher, &zones.names, || match &zones.addresses {
            Some(apex) => addresses.apply(&self.publisher, apex, &mut commit),
            None => commit(),
        });
    }
}

/// What leaves a zone and what comes into it.
#[derive(Default)]
struct Difference {
    added: Vec<Owned>,
    removed: Vec<Owned>,
}

impl Difference {
    fn of_names(content: &FeedContent, set: &Set, change: &Change) -> Self {
        let mut difference = Self::default();
        for name in set.names_of(change, &|record| content.counted.counts(record)) {
            let Ok(owner) = name.name.parse::<Name>() else { continue };
            let entry = |standing: Option<(u32, Scope)>, when| {
                let (slot, scope) = standing?;
                Owned::of(content, set, change, owner.clone(), slot, zone_scope(scope), when)
            };
            difference.push(entry(name.before, When::Before), entry(name.after, When::After));
        }
        difference
    }

    fn of_addresses(content: &FeedContent, set: &Set, change: &Change) -> Self {
        let mut difference = Self::default();
        for one in set.prefixes_of(change, &|record| content.counted.counts(record)) {
            let owner = Name::rpz_ip(one.prefix.network(), one.prefix.length());
            let entry = |slot: Option<u32>, when| {
                Owned::of(content, set, change, owner.clone(), slot?, ZoneScope::Exact, when)
            };
            difference.push(entry(one.before, When::Before), entry(one.after, When::After));
        }
        difference
    }

    /// What stays as it was is no change.
    fn push(&mut self, before: Option<Owned>, after: Option<Owned>) {
        if before != after {
            self.removed.extend(before);
            self.added.extend(after);
        }
    }

    fn apply(&self, publisher: &Publisher, apex: &Name, mut commit: impl FnMut()) {
        let mut is_made = false;
        if !self.added.is_empty() || !self.removed.is_empty() {
            let added: Vec<Entry<'_>> = self.added.iter().map(Owned::entry).collect();
            let removed: Vec<Entry<'_>> = self.removed.iter().map(Owned::entry).collect();
            publisher.apply(apex, &ZoneChange { added: &added, removed: &removed }, || {
                is_made = true;
                commit();
            });
        }
        if !is_made {
            commit();
        }
    }
}

#[derive(Clone, Copy)]
enum When {
    Before,
    After,
}

/// An entry with what it borrows.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Owned {
    owner: Name,
    scope: ZoneScope,
    rule: Rule,
    reference: String,
}

impl Owned {
    /// What a slot says of a name, or of an address as [`Name::rpz_ip`] spells it.
    fn of(
        content: &FeedContent,
        set: &Set,
        change: &Change,
        owner: Name,
        slot: u32,
        scope: ZoneScope,
        when: When,
    ) -> Option<Self> {
        let table = set.table();
        let coming = change.to.get(&slot).and_then(Option::as_ref);
        let record = match when {
            When::Before => table.get(slot),
            When::After => coming.or_else(|| table.get(slot)),
        }?;
        let category = table.categories.get(usize::from(record.category));
        Some(Self {
            owner,
            scope,
            rule: content.rules.rule(category.map_or("", String::as_str)),
            reference: reference(&content.rules.salt, record.id),
        })
    }

    fn entry(&self) -> Entry<'_> {
        Entry { owner: self.owner.as_wire(), scope: self.scope, rule: self.rule, reference: &self.reference }
    }
}
