//! Policy zones: one for each feed, given to the resolvers of customers that have the feed enforced.
//!
//! A name stands in its feed's zone while an indicator of the feed lists it that is active, may be enforced, and, where the
//! site has customers, may be redistributed: a zone hands the plain name to whoever transfers it. What is only monitored is
//! in no such zone. Where the site wants it, each feed has a second one for all that it lists, which lets pass (`rpz-passthru`): a
//! resolver that keeps a log of policy decisions writes down what would have been blocked, and [the guard reads it](super::resolver_log).
//!
//! The zone holds no names of its own. It walks the set's, and every change of the set goes through the zone's lock.

mod content;
mod plan;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

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
pub(crate) use plan::{ADDRESSES_LABEL, ALLOW_LABEL, WATCH_LABEL, tsig_key};

/// Resolvers go on without us for at most a day.
const EXPIRE_MAX: u32 = 86_400;
/// And for a second at least.
const HALVINGS_MAX: u32 = EXPIRE_MAX.ilog2();

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
    /// How many halvings of a day resolvers may go on without us; more than there are before it is known.
    halvings: AtomicU32,
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
    watched: Option<(Arc<FeedContent>, Name)>,
}

/// What a zone is for.
#[derive(Clone, Copy)]
enum Purpose {
    Block,
    Watch,
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
        let (salt, halvings) = (secrets.reference_salt(), AtomicU32::new(u32::MAX));
        Self { publisher, folder, salt, served: RwLock::default(), halvings }
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
                    let wanted = self.content(config, set, feed, Purpose::Block);
                    let same = before.feeds.get(&feed).map(|zones| &zones.content);
                    let same = same.filter(|content| known && content.is_as(&wanted));
                    let content = same.map_or_else(|| Arc::new(wanted), Arc::clone);
                    let (names, content_of) = (apex.clone(), Arc::clone(&content));
                    let zones = FeedZones { content: content_of, names, addresses: None, watched: None };
                    served.feeds.insert(feed, zones);
                    if same.is_some() { Ok(()) } else { put(content) }
                }
                Subject::Watched(feed) => {
                    let wanted = self.content(config, set, feed, Purpose::Watch);
                    let same = before.feeds.get(&feed).and_then(|zones| zones.watched.as_ref());
                    let same = same.filter(|(content, _)| known && content.is_as(&wanted));
                    let content = same.map_or_else(|| Arc::new(wanted), |(content, _)| Arc::clone(content));
                    if let Some(zones) = served.feeds.get_mut(&feed) {
                        zones.watched = Some((Arc::clone(&content), apex.clone()));
                    }
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

    fn content(&self, config: &Config, set: &Arc<Set>, feed: u16, purpose: Purpose) -> FeedContent {
        let action = config.sinkhole.rpz.as_ref().map(|rpz| rpz.action).unwrap_or_default();
        let (action, watches) = match purpose {
            Purpose::Block => (Some(action), false),
            Purpose::Watch => (None, true),
        };
        FeedContent {
            set: Arc::clone(set),
            counted: Counted { feed, needs_redistribution: config.has_customers, watches },
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

/// How long resolvers may go on without us: so many halvings of a day. At most half of what is left of the lease, so that there is time
/// to tell them of the next half; and more again only when there is plenty, so that a lease that is renewed all the time changes nothing.
fn halvings(now: u32, left: Duration) -> u32 {
    let (left, mut halvings) = (left.as_secs(), now);
    let expire = |halvings: u32| u64::from(EXPIRE_MAX >> halvings);
    while halvings < HALVINGS_MAX && 2 * expire(halvings) > left {
        halvings += 1;
    }
    while halvings > 0 && 3 * expire(halvings - 1) <= left {
        halvings -= 1;
    }
    halvings
}

impl Zones for RpzZones {
    /// A zone without entries takes less to hand out than the way there.
    fn emptied(&self, _set: &Set, feed: u16) {
        let served = self.served.read().unwrap_or_else(PoisonError::into_inner);
        let Some(zones) = served.feeds.get(&feed) else { return };
        let names: Arc<dyn Content> = Arc::clone(&zones.content) as _;
        let addresses = zones.addresses.as_ref();
        let addresses = addresses.map(|apex| {
            let content: Arc<dyn Content> = Arc::new(AddressContent(Arc::clone(&zones.content)));
            (apex, content)
        });
        let watched = zones.watched.as_ref();
        let watched = watched.map(|(content, apex)| (apex, Arc::clone(content) as Arc<dyn Content>));
        for (apex, content) in std::iter::once((&zones.names, names)).chain(addresses).chain(watched) {
            let Some(spec) = served.specs.get(apex) else { continue };
            if let Err(error) = self.publisher.put_zone(spec.clone(), content) {
                error!("a zone keeps what it has for now: {error}");
            }
        }
    }

    fn lease(&self, left: Duration) {
        let before = self.halvings.load(Ordering::Relaxed);
        let after = halvings(before.min(HALVINGS_MAX), left);
        if after != before {
            self.halvings.store(after, Ordering::Relaxed);
            self.publisher.set_expire(EXPIRE_MAX >> after);
        }
    }

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
        let watched = match &zones.watched {
            Some((content, _)) => Difference::of_names(content, set, &change),
            None => Difference::default(),
        };
        self.let_pass(served.allowed.as_ref(), set, &names.added);
        self.let_pass(served.allowed.as_ref(), set, &watched.added);
        let mut waiting = Some(change);
        let mut commit = || {
            if let Some(change) = waiting.take() {
                set.commit(change);
            }
        };
        // All of them stand still until the set has changed.
        names.apply(&self.publisher, &zones.names, || {
            let mut rest = || match &zones.watched {
                Some((_, apex)) => watched.apply(&self.publisher, apex, &mut commit),
                None => commit(),
            };
            match &zones.addresses {
                Some(apex) => addresses.apply(&self.publisher, apex, rest),
                None => rest(),
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolvers_go_on_no_longer_than_the_lease_does() {
        let seconds = |halvings: u32| EXPIRE_MAX >> halvings;
        let cases = [
            // how it stood, seconds left, how it stands
            (u32::MAX, 86_370, 21_600),
            (2, 86_370, 21_600),
            (2, 43_201, 21_600),
            (2, 43_199, 10_800),
            (3, 43_201, 10_800),
            (3, 64_800, 21_600),
            (0, 3, 1),
            (0, 1, 1),
            (u32::MAX, u64::MAX / 4, 86_400),
        ];
        for (before, left, expected) in cases {
            let after = halvings(before.min(HALVINGS_MAX), Duration::from_secs(left));
            assert_eq!(seconds(after), expected, "{before} {left}");
        }
        for left in 2..100_000 {
            for before in 0..=HALVINGS_MAX {
                let after = halvings(before, Duration::from_secs(left));
                assert!(u64::from(seconds(after)) * 2 <= left, "{before} {left}");
                assert_eq!(halvings(after, Duration::from_secs(left)), after, "it stays");
            }
        }
    }
}
