//! Policy zones: one for each feed, given to the resolvers of customers that have the feed enforced.
//!
//! A name stands in its feed's zone while an indicator of the feed lists it that is active, may be enforced, and, where the
//! site has customers, may be redistributed: a zone hands the plain name to whoever transfers it. What is only monitored is
//! in no zone, for a resolver cannot tell that it would have blocked; the forwarder and the logs can.
//!
//! The zone holds no names of its own. It walks the set's, and every change of the set goes through the zone's lock.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use sinkhole::rpz::{
    Access, Change as ZoneChange, Content, Entry, JournalKey, MemoryContent, OpenError, Publisher, Rule,
    Scope as ZoneScope, Secondary, Triggers, TsigAlgorithm, TsigKey, ZoneSpec,
};
use sinkhole::{Clock as ZoneClock, Name, Random as ZoneRandom, WireName};
use thiserror::Error;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use matcher::Scope;

use crate::config::{Config, Mode, Rpz, RpzAction};
use crate::engine::Zones;
use crate::judge::Judge;
use crate::record::{Record, reference};
use crate::set::{Change, Set};

/// The zone of what is allowed; it stands before all others in a resolver's configuration.
const ALLOW_LABEL: &str = "allow";

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

/// Which records stand in a feed's zone.
#[derive(Clone, Copy, Debug)]
struct Counted {
    feed: u16,
    /// Whether zones go to others than the site itself.
    needs_redistribution: bool,
}

impl Counted {
    fn counts(self, record: &Record) -> bool {
        record.feed == self.feed
            && record.is_active()
            && record.mode(Mode::Enforce) == Mode::Enforce
            && (!self.needs_redistribution || record.rights.may_redistribute())
    }
}

/// What a zone says of a record.
#[derive(Clone, Debug)]
struct Rules {
    action: RpzAction,
    addresses: BTreeMap<String, Vec<IpAddr>>,
    salt: [u8; 16],
}

impl Rules {
    fn rule(&self, category: &str) -> Rule {
        match self.action {
            RpzAction::Nxdomain => Rule::NxDomain,
            RpzAction::Nodata => Rule::NoData,
            RpzAction::Sinkhole => {
                let (v4, v6) = safe_addresses(&self.addresses, category);
                Rule::Address { v4, v6 }
            }
        }
    }
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

/// A feed's names, as its zone sees them.
struct FeedContent {
    set: Arc<Set>,
    counted: Counted,
    rules: Rules,
}

impl FeedContent {
    fn counts(&self, slot: u32) -> bool {
        self.set.table().get(slot).is_some_and(|record| self.counted.counts(record))
    }

    /// Gives what a slot says of a name.
    fn entry(&self, name: &str, slot: u32, scope: Scope, visit: &mut dyn FnMut(Entry<'_>)) {
        let told = {
            let table = self.set.table();
            table.get(slot).map(|record| {
                let category = table.categories.get(usize::from(record.category));
                (self.rules.rule(category.map_or("", String::as_str)), reference(&self.rules.salt, record.id))
            })
        };
        if let (Some((rule, reference)), Ok(owner)) = (told, name.parse::<Name>()) {
            visit(Entry { owner: owner.as_wire(), scope: zone_scope(scope), rule, reference: &reference });
        }
    }
}

fn zone_scope(scope: Scope) -> ZoneScope {
    match scope {
        Scope::Exact => ZoneScope::Exact,
        Scope::Subdomains => ZoneScope::WithSubdomains,
    }
}

impl Content for FeedContent {
    fn for_each(&self, visit: &mut dyn FnMut(Entry<'_>)) {
        let list = self.set.shared.name_list(|slot| self.counts(slot));
        let mut before = String::new();
        for listed in list.iter() {
            // Of several that list a name, the list has the one that stands for it first.
            if listed.name != before {
                self.entry(listed.name, listed.slot, listed.scope, visit);
                listed.name.clone_into(&mut before);
            }
        }
    }

    fn is_subsumed(&self, owner: WireName<'_>) -> bool {
        self.set.shared.read().is_subsumed(&text_of(owner), |slot| self.counts(slot))
    }

    fn below(&self, parents: &[WireName<'_>], visit: &mut dyn FnMut(Entry<'_>)) {
        let parents: Vec<String> = parents.iter().map(|parent| text_of(*parent)).collect();
        let borrowed: Vec<&str> = parents.iter().map(String::as_str).collect();
        let mut names = Vec::new();
        self.set.shared.read().below(&borrowed, |name| names.push(name.to_owned()));
        for name in names {
            if let Some((slot, scope)) = self.set.entry_of(&name, |slot| self.counts(slot)) {
                self.entry(&name, slot, scope, visit);
            }
        }
    }

    fn find(&self, owner: WireName<'_>, visit: &mut dyn FnMut(Entry<'_>)) {
        let name = text_of(owner);
        if let Some((slot, scope)) = self.set.entry_of(&name, |slot| self.counts(slot)) {
            self.entry(&name, slot, scope, visit);
        }
    }
}

/// A name as the matcher spells it.
fn text_of(name: WireName<'_>) -> String {
    let labels: Vec<String> =
        name.labels().map(|label| String::from_utf8_lossy(label).into_owned()).collect();
    labels.join(".")
}

/// The zones, in the order of the feeds.
pub struct RpzZones {
    publisher: Arc<Publisher>,
    zones: Vec<(Name, Arc<FeedContent>)>,
}

impl RpzZones {
    /// Makes a zone for each feed, and one for what the site allows.
    ///
    /// # Errors
    ///
    /// Fails for keys and names that cannot be used, and if a journal cannot be read.
    pub fn open(
        config: &Config,
        rpz: &Rpz,
        judge: &Arc<Judge>,
        secrets: &crate::secrets::Secrets,
        clock: ZoneClock,
        random: ZoneRandom,
    ) -> Result<Self, RpzError> {
        let folder = config.data.join("zones");
        std::fs::create_dir_all(&folder).map_err(RpzError::Folder)?;
        let journal_key = JournalKey::new(&secrets.journal_key());
        let publisher = Arc::new(Publisher::new(&folder, journal_key, clock, random));
        publisher.set_keys(&keys(rpz)?);
        let rules = Rules {
            action: rpz.action,
            addresses: config.sinkhole.addresses.clone(),
            salt: secrets.reference_salt(),
        };
        let spec = |label: &str, keys: &[&str]| spec(config, rpz, label, keys);
        let every_key: Vec<&str> = rpz.keys.iter().map(|key| key.name.as_str()).collect();
        publisher.add_zone(spec(ALLOW_LABEL, &every_key)?, Arc::new(allowed(config)))?;
        let mut zones = Vec::new();
        for (index, feed) in (0_u16..).zip(&config.feeds) {
            let counted = Counted { feed: index, needs_redistribution: config.has_customers };
            let set = Arc::clone(judge.set());
            let content = Arc::new(FeedContent { set, counted, rules: rules.clone() });
            let spec = spec(&feed.alias, &judge.customers().keys_of(index))?;
            let apex = spec.apex.clone();
            publisher.add_zone(spec, Arc::clone(&content) as Arc<dyn Content>)?;
            zones.push((apex, content));
        }
        Ok(Self { publisher, zones })
    }

    /// What serves the zones.
    #[must_use]
    pub fn publisher(&self) -> &Arc<Publisher> {
        &self.publisher
    }
}

impl Zones for RpzZones {
    fn change(&self, set: &Set, feed: u16, change: Change) {
        let Some((apex, content)) = self.zones.get(usize::from(feed)) else {
            set.commit(change);
            return;
        };
        let names = set.names_of(&change, &|record| content.counted.counts(record));
        let mut removed = Vec::new();
        for name in &names {
            if let Some((slot, scope)) = name.before {
                removed.extend(Owned::of(content, set, &change, &name.name, slot, scope, When::Before));
            }
        }
        let mut added = Vec::new();
        for name in &names {
            if let Some((slot, scope)) = name.after {
                added.extend(Owned::of(content, set, &change, &name.name, slot, scope, When::After));
            }
        }
        // What stays as it was is no change.
        let unchanged: Vec<Owned> = removed.iter().filter(|one| added.contains(one)).cloned().collect();
        removed.retain(|one| !unchanged.contains(one));
        added.retain(|one| !unchanged.contains(one));
        if added.is_empty() && removed.is_empty() {
            set.commit(change);
            return;
        }
        let added: Vec<Entry<'_>> = added.iter().map(Owned::entry).collect();
        let removed: Vec<Entry<'_>> = removed.iter().map(Owned::entry).collect();
        let zone_change = ZoneChange { added: &added, removed: &removed };
        let mut waiting = Some(change);
        self.publisher.apply(apex, &zone_change, || {
            if let Some(change) = waiting.take() {
                set.commit(change);
            }
        });
        if let Some(change) = waiting {
            set.commit(change);
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
    fn of(
        content: &FeedContent,
        set: &Set,
        change: &Change,
        name: &str,
        slot: u32,
        scope: Scope,
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
            owner: name.parse().ok()?,
            scope: zone_scope(scope),
            rule: content.rules.rule(category.map_or("", String::as_str)),
            reference: reference(&content.rules.salt, record.id),
        })
    }

    fn entry(&self) -> Entry<'_> {
        Entry { owner: self.owner.as_wire(), scope: self.scope, rule: self.rule, reference: &self.reference }
    }
}

fn spec(config: &Config, rpz: &Rpz, label: &str, keys: &[&str]) -> Result<ZoneSpec, RpzError> {
    let apex = name(&format!("{label}.{}", rpz.origin))?;
    let mut spec = ZoneSpec::new(apex, Triggers::Names);
    spec.ttl = u32::try_from(config.sinkhole.ttl.as_secs()).unwrap_or(u32::MAX);
    let keys: Result<Vec<Name>, RpzError> = keys.iter().map(|key| name(key)).collect();
    let keys = keys?;
    let mut secondaries = Vec::new();
    for secondary in &rpz.notify {
        let key = secondary.key.as_deref().map(name).transpose()?;
        if key.as_ref().is_none_or(|key| keys.contains(key)) {
            secondaries.push(Secondary { address: secondary.address, key });
        }
    }
    spec.access = Access { keys, unsigned: rpz.unsigned.clone() };
    spec.secondaries = secondaries;
    Ok(spec)
}

fn name(text: &str) -> Result<Name, RpzError> {
    text.parse().map_err(|_| RpzError::Name(text.to_owned()))
}

fn keys(rpz: &Rpz) -> Result<Vec<TsigKey>, RpzError> {
    let mut keys = Vec::new();
    for key in &rpz.keys {
        let fault = |reason: String| RpzError::Key { key: key.name.clone(), reason };
        let text = std::fs::read_to_string(&key.secret_file)
            .map_err(|error| fault(format!("`{}` cannot be read: {error}", key.secret_file.display())))?;
        let secret = STANDARD.decode(text.trim()).map_err(|_| fault("its file is not base64".to_owned()))?;
        let algorithm = match key.algorithm.as_str() {
            "hmac-sha512" => TsigAlgorithm::HmacSha512,
            _ => TsigAlgorithm::HmacSha256,
        };
        let made = TsigKey::new(name(&key.name)?, algorithm, &secret);
        keys.push(made.map_err(|error| fault(error.to_string()))?);
    }
    Ok(keys)
}

/// The site's own allowed names. Warning lists are not in it: a million names that nobody blocks would be one more zone to
/// hold for every resolver; the indicators that they allow never get into a zone in the first place.
fn allowed(config: &Config) -> MemoryContent {
    let content = MemoryContent::default();
    for value in &config.allow.values {
        if let Ok(matcher::Key::Name(canonical, _)) = matcher::Key::name(value, Scope::Subdomains)
            && let Ok(owner) = canonical.as_str().parse::<Name>()
        {
            content.insert(&Entry {
                owner: owner.as_wire(),
                scope: ZoneScope::WithSubdomains,
                rule: Rule::Passthru,
                reference: "allow",
            });
        }
    }
    content
}
