//! What stands in the zones: walks over the guard's one set, so that no name is in memory twice.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use matcher::{Key, Prefix, Scope};
use sinkhole::rpz::{Content, Entry, MemoryContent, Rule, Scope as ZoneScope};
use sinkhole::{Name, WireName};

use super::safe_addresses;
use crate::allow::Allowed;
use crate::config::{Mode, RpzAction};
use crate::record::{Record, reference};
use crate::set::Set;

/// Which records stand in a feed's zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) feed: u16,
    /// Whether zones go to others than the site itself.
    pub(super) needs_redistribution: bool,
    /// Whether what only monitors stands in it too.
    pub(super) watches: bool,
}

impl Counted {
    pub(super) fn counts(self, record: &Record) -> bool {
        record.feed == self.feed
            && record.is_active()
            && (self.watches || record.mode(Mode::Enforce) == Mode::Enforce)
            && (!self.needs_redistribution || record.rights.may_redistribute())
    }
}

/// What a zone says of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    /// `None`: the truth is answered, and the resolver writes it down.
    pub(super) action: Option<RpzAction>,
    pub(super) addresses: BTreeMap<String, Vec<IpAddr>>,
    pub(super) salt: [u8; 16],
}

impl Rules {
    pub(super) fn rule(&self, category: &str) -> Rule {
        match self.action {
            None => Rule::Passthru,
            Some(RpzAction::Nxdomain) => Rule::NxDomain,
            Some(RpzAction::Nodata) => Rule::NoData,
            Some(RpzAction::Sinkhole) => {
                let (v4, v6) = safe_addresses(&self.addresses, category);
                Rule::Address { v4, v6 }
            }
        }
    }
}

/// A feed's names, as its zone sees them.
pub(super) struct FeedContent {
    pub(super) set: Arc<Set>,
    pub(super) counted: Counted,
    pub(super) rules: Rules,
}

impl FeedContent {
    /// Whether it says the same of the same records.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        self.rules == other.rules && self.counted == other.counted
    }

    fn counts(&self, slot: u32) -> bool {
        !self.set.is_leaving(self.counted.feed)
            && self.set.table().get(slot).is_some_and(|record| self.counted.counts(record))
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

pub(super) fn zone_scope(scope: Scope) -> ZoneScope {
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
pub(super) fn text_of(name: WireName<'_>) -> String {
    let labels: Vec<String> =
        name.labels().map(|label| String::from_utf8_lossy(label).into_owned()).collect();
    labels.join(".")
}

/// A feed's addresses, as its zone sees them. What is nested stays: the longest prefix counts.
pub(super) struct AddressContent(pub(super) Arc<FeedContent>);

impl Content for AddressContent {
    fn for_each(&self, visit: &mut dyn FnMut(Entry<'_>)) {
        let mut listed: BTreeMap<Prefix, (Rule, String)> = BTreeMap::new();
        if !self.0.set.is_leaving(self.0.counted.feed) {
            let (FeedContent { counted, rules, .. }, table) = (&*self.0, self.0.set.table());
            // By slots, so that the oldest stands for a prefix.
            for record in table.slots.iter().flatten().filter(|record| counted.counts(record)) {
                let category = table.categories.get(usize::from(record.category)).map_or("", String::as_str);
                for prefix in prefixes_in(&record.keys) {
                    listed
                        .entry(*prefix)
                        .or_insert_with(|| (rules.rule(category), reference(&rules.salt, record.id)));
                }
            }
        }
        for (prefix, (rule, reference)) in listed {
            let owner = Name::rpz_ip(prefix.network(), prefix.length());
            let (owner, reference) = (owner.as_wire(), reference.as_str());
            visit(Entry { owner, scope: ZoneScope::Exact, rule, reference });
        }
    }

    fn is_subsumed(&self, _owner: WireName<'_>) -> bool {
        false
    }
}

/// The prefixes of some keys that a zone may have.
pub(crate) fn prefixes_in(keys: &[Key]) -> impl Iterator<Item = &Prefix> {
    let prefixes = keys.iter().filter_map(|key| match key {
        Key::Prefix(prefix) => Some(prefix),
        Key::Name(..)
        | Key::Endpoint(..)
        | Key::Digest(_)
        | Key::Email(_)
        | Key::Url(_)
        | Key::FileName(_)
        | Key::Subject(_)
        | Key::Text(_) => None,
    });
    prefixes.filter(|prefix| feeds::is_narrow(prefix))
}

/// What is allowed: all that the site and the programme name, and of the warning lists what lies below a listed name. A
/// million names that nobody blocks would be one more zone to hold for every resolver.
pub(super) fn allowed_names(set: &Set, allowed: &Allowed) -> MemoryContent {
    let content = MemoryContent::default();
    for name in allowed.own_names() {
        pass(&content, name);
    }
    if allowed.has_warning_lists() {
        let list = set.shared.name_list(|_| true);
        let wide = list.iter().filter(|listed| listed.scope == Scope::Subdomains);
        let parents: Vec<&str> = wide.map(|listed| listed.name).collect();
        allowed.names_below(&parents, |name| pass(&content, name));
    }
    content
}

fn pass(content: &MemoryContent, name: &str) {
    if let Ok(owner) = name.parse::<Name>() {
        content.insert(&passing(&owner));
    }
}

/// The entry that lets a name and all below it pass, or an address.
pub(super) fn passing(owner: &Name) -> Entry<'_> {
    let is_address = owner.as_wire().labels().last() == Some(b"rpz-ip");
    let scope = if is_address { ZoneScope::Exact } else { ZoneScope::WithSubdomains };
    Entry { owner: owner.as_wire(), scope, rule: Rule::Passthru, reference: "allow" }
}

/// The addresses that the site and the programme allow.
pub(super) fn allowed_addresses(allowed: &Allowed) -> MemoryContent {
    let content = MemoryContent::default();
    for prefix in allowed.own_prefixes() {
        content.insert(&passing(&Name::rpz_ip(prefix.network(), prefix.length())));
    }
    content
}

/// Allowed names below names that come into a zone, without those that the zone of what is allowed has.
pub(super) fn allowed_below(content: &MemoryContent, allowed: &Allowed, parents: &[&str]) -> Vec<Name> {
    let mut names = BTreeSet::new();
    allowed.names_below(parents, |name| names.extend(name.parse::<Name>().ok()));
    names.retain(|name| {
        let mut is_there = false;
        content.find(name.as_wire(), &mut |_| is_there = true);
        !is_there
    });
    names.into_iter().collect()
}
