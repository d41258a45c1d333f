//! Where a zone's entries are: with whoever owns them.
//!
//! A million names are in memory once, in the matcher of whoever runs the zone. The zone asks for them when it has to walk
//! them all (a full transfer), or to know what a new parent covers.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::RwLock;

use super::entry::{Entry, Scope, decode};
use crate::name::WireName;

/// The entries of one zone as they are now.
///
/// Each method sees one state: no change may be half visible to it. [`Publisher::apply`](super::Publisher::apply) runs every
/// change under the zone's lock, so that a serial number always means one content; locks of the content itself are taken
/// inside that lock and never around it. Owners are unique.
pub trait Content: Send + Sync {
    /// Visits every entry, also those that lie below others.
    fn for_each(&self, visit: &mut dyn FnMut(Entry<'_>));

    /// Whether an entry with subdomains stands at a true parent of `owner`.
    fn is_subsumed(&self, owner: WireName<'_>) -> bool;

    /// Visits every entry that lies below one of `parents`.
    ///
    /// Walks everything unless the content has an index.
    fn below(&self, parents: &[WireName<'_>], visit: &mut dyn FnMut(Entry<'_>)) {
        let parents = Parents::new(parents);
        self.for_each(&mut |entry| {
            if parents.cover(entry.owner) {
                visit(entry);
            }
        });
    }

    /// Visits the entry at `owner` if there is one. For questions that an operator asks of the zone by hand.
    fn find(&self, owner: WireName<'_>, visit: &mut dyn FnMut(Entry<'_>)) {
        self.for_each(&mut |entry| {
            if entry.owner == owner {
                visit(entry);
            }
        });
    }
}

/// Some names, and quick word on what lies below one of them.
pub(crate) struct Parents<'a> {
    list: &'a [WireName<'a>],
    set: HashSet<WireName<'a>>,
}

impl<'a> Parents<'a> {
    /// So many are compared one by one, which is quicker than hashing each parent of what is asked for.
    const FEW: usize = 8;

    pub(crate) fn new(list: &'a [WireName<'a>]) -> Self {
        let set = if list.len() > Self::FEW { list.iter().copied().collect() } else { HashSet::new() };
        Self { list, set }
    }

    pub(crate) fn cover(&self, owner: WireName<'_>) -> bool {
        if self.list.len() <= Self::FEW {
            return self.list.iter().any(|parent| owner.is_below(*parent));
        }
        std::iter::successors(owner.parent(), |name| name.parent()).any(|name| self.set.contains(&name))
    }
}

/// A content that holds its own entries: for tests, and for small zones such as an allow list.
#[derive(Debug, Default)]
pub struct MemoryContent {
    /// By labels from the right, so that what lies below a name stands together.
    entries: RwLock<BTreeMap<Vec<u8>, Box<[u8]>>>,
}

/// The labels of a name from the right, each followed by a zero: the key of a parent is a prefix.
fn key(name: WireName<'_>) -> Vec<u8> {
    let mut labels: Vec<&[u8]> = name.labels().collect();
    labels.reverse();
    let mut key = Vec::with_capacity(name.as_bytes().len());
    for label in labels {
        key.extend_from_slice(label);
        key.push(0);
    }
    key
}

impl MemoryContent {
    /// Puts an entry at its owner, in place of one that may be there.
    pub fn insert(&self, entry: &Entry<'_>) {
        let mut bytes = Vec::new();
        entry.encode(&mut bytes);
        self.write().insert(key(entry.owner), bytes.into());
    }

    /// Takes the entry at `owner` away.
    pub fn remove(&self, owner: WireName<'_>) {
        self.write().remove(&key(owner));
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, BTreeMap<Vec<u8>, Box<[u8]>>> {
        self.entries.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<Vec<u8>, Box<[u8]>>> {
        self.entries.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Content for MemoryContent {
    fn for_each(&self, visit: &mut dyn FnMut(Entry<'_>)) {
        self.read().values().filter_map(|bytes| decode(bytes)).for_each(|(entry, _)| visit(entry));
    }

    fn is_subsumed(&self, owner: WireName<'_>) -> bool {
        let entries = self.read();
        let mut above = owner.parent();
        while let Some(name) = above {
            let here = entries.get(&key(name)).and_then(|bytes| decode(bytes));
            if here.is_some_and(|(entry, _)| entry.scope == Scope::WithSubdomains) {
                return true;
            }
            above = name.parent();
        }
        false
    }

    fn below(&self, parents: &[WireName<'_>], visit: &mut dyn FnMut(Entry<'_>)) {
        let entries = self.read();
        let distinct: BTreeSet<WireName<'_>> = parents.iter().copied().collect();
        let covering = Parents::new(parents);
        // What lies below two of the parents is visited once.
        for parent in distinct.into_iter().filter(|parent| !covering.cover(*parent)) {
            let from = key(parent);
            let below = entries.range(from.clone()..).take_while(|(key, _)| key.starts_with(&from));
            for (entry, _) in below.filter(|(key, _)| **key != from).filter_map(|(_, bytes)| decode(bytes)) {
                visit(entry);
            }
        }
    }

    fn find(&self, owner: WireName<'_>, visit: &mut dyn FnMut(Entry<'_>)) {
        if let Some((entry, _)) = self.read().get(&key(owner)).and_then(|bytes| decode(bytes)) {
            visit(entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Name;
    use crate::rpz::Rule;

    #[test]
    fn what_lies_below_is_found_once() {
        let content = MemoryContent::default();
        let names = ["p.example", "a.p.example", "b.a.p.example", "xp.example", "q.example", "a.q.example"];
        for text in names {
            let name: Name = text.parse().unwrap();
            content.insert(&Entry {
                owner: name.as_wire(),
                scope: Scope::Exact,
                rule: Rule::NoData,
                reference: "",
            });
        }
        let ask = |parents: &[&str]| {
            let parents: Vec<Name> = parents.iter().map(|text| text.parse().unwrap()).collect();
            let parents: Vec<WireName<'_>> = parents.iter().map(Name::as_wire).collect();
            let mut found = Vec::new();
            content.below(&parents, &mut |entry| found.push(entry.owner.to_string()));
            found.sort();
            let mut walked = Vec::new();
            content.for_each(&mut |entry| {
                if parents.iter().any(|parent| entry.owner.is_below(*parent)) {
                    walked.push(entry.owner.to_string());
                }
            });
            walked.sort();
            assert_eq!(found, walked, "the index and the walk agree");
            found
        };
        assert_eq!(ask(&["p.example"]), ["a.p.example.", "b.a.p.example."]);
        assert_eq!(ask(&["a.p.example", "p.example", "p.example"]), ["a.p.example.", "b.a.p.example."]);
        assert_eq!(ask(&["example"]).len(), 6);
        assert_eq!(ask(&["b.a.p.example", "nowhere"]), Vec::<String>::new());
    }

    #[test]
    fn only_a_parent_with_subdomains_covers() {
        let content = MemoryContent::default();
        let [parent, child]: [Name; 2] = ["p.example", "x.y.p.example"].map(|text| text.parse().unwrap());
        let entry = |scope| Entry { owner: parent.as_wire(), scope, rule: Rule::NoData, reference: "" };
        content.insert(&entry(Scope::Exact));
        assert!(!content.is_subsumed(child.as_wire()));
        content.insert(&entry(Scope::WithSubdomains));
        assert!(content.is_subsumed(child.as_wire()) && !content.is_subsumed(parent.as_wire()));
        content.remove(parent.as_wire());
        assert!(!content.is_subsumed(child.as_wire()));
    }
}
