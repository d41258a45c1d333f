//! The set itself: what is listed by whom, and the look-ups.

use std::net::IpAddr;

use crate::address::{Family, V6, split};
use crate::blind::{BlindKey, BlindSet, Blinded, Shape};
use crate::hash::Seed;
use crate::key::{Algorithm, Key, Kind, Scope};
use crate::names::{Lowered, NameList, Names, PARTS, listed};
use crate::postings::SLOT_MAX;
use crate::table::{Added, Removed, Table};
use crate::texts::Texts;

/// A listed name that reaches a name that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameHit {
    /// By whom it is listed.
    pub slot: u32,
    /// How far the listed name reaches.
    pub scope: Scope,
    /// How many labels the listed name has: those at the end of what was asked for. `None` if it is blinded and shorter than
    /// that, or the same; this is not told.
    pub labels: Option<u8>,
}

/// Which of several blinded sets; given by [`Matcher::add_blind_set`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlindSetId(usize);

/// What the tables take in memory, in bytes, and how much they hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "a pair for each kind of table")]
pub struct Extent {
    pub names: usize,
    pub names_bytes: usize,
    pub addresses: usize,
    pub addresses_bytes: usize,
    pub digests: usize,
    pub digests_bytes: usize,
    pub values: usize,
    pub values_bytes: usize,
    pub texts: usize,
    pub texts_bytes: usize,
    pub blinded: usize,
    pub blinded_bytes: usize,
}

/// Everything that is listed, each with the slots of those who list it.
pub struct Matcher {
    pub(crate) seed: Seed,
    pub(crate) names: Names,
    pub(crate) v4: Family<u32>,
    pub(crate) v6: Family<V6>,
    /// By [`Algorithm`].
    pub(crate) digests: [Table; Algorithm::ALL.len()],
    pub(crate) emails: Table,
    pub(crate) urls: Table,
    file_names: Table,
    subjects: Table,
    pub(crate) texts: Texts,
    pub(crate) blind: Vec<BlindSet>,
}

impl Matcher {
    /// An empty set. `random` is the secret of its tables: fresh for each process, from the system's generator, and told to nobody.
    #[must_use]
    pub fn new(random: [u8; 32]) -> Self {
        Self {
            seed: Seed::new(random),
            names: Names::default(),
            v4: Family::default(),
            v6: Family::default(),
            digests: Default::default(),
            emails: Table::default(),
            urls: Table::default(),
            file_names: Table::default(),
            subjects: Table::default(),
            texts: Texts::default(),
            blind: Vec::new(),
        }
    }

    /// Lists `key` for `slot`; `false` if that is known.
    ///
    /// # Panics
    ///
    /// Panics for a slot above [`SLOT_MAX`].
    pub fn insert(&mut self, key: &Key, slot: u32) -> bool {
        assert!(slot <= SLOT_MAX, "slot {slot} is above {SLOT_MAX}");
        let seed = &self.seed;
        match key {
            Key::Name(name, scope) => self.names.add(seed, name.as_str(), *scope, slot),
            Key::Prefix(prefix) => match split(prefix.network()) {
                (true, bits) => self.v4.add(seed, bits, prefix.length(), slot),
                (false, bits) => self.v6.add(seed, bits, prefix.length(), slot),
            },
            Key::Endpoint(address, port) => match split(*address) {
                (true, bits) => self.v4.add_endpoint(seed, bits, *port, slot),
                (false, bits) => self.v6.add_endpoint(seed, bits, *port, slot),
            },
            Key::Digest(digest) => {
                let table = &mut self.digests[digest.algorithm() as usize];
                table.add(seed, digest.bytes(), slot) != Added::Nothing
            }
            Key::Email(text) => self.emails.add(seed, text.as_str().as_bytes(), slot) != Added::Nothing,
            Key::Url(text) => self.urls.add(seed, text.as_str().as_bytes(), slot) != Added::Nothing,
            Key::FileName(text) => {
                self.file_names.add(seed, text.as_str().as_bytes(), slot) != Added::Nothing
            }
            Key::Subject(text) => self.subjects.add(seed, text.as_str().as_bytes(), slot) != Added::Nothing,
            Key::Text(text) => self.texts.add(seed, text.as_str(), slot),
        }
    }

    /// Takes `key` off the list for `slot`; `false` if it was not on it. What others list stays.
    pub fn remove(&mut self, key: &Key, slot: u32) -> bool {
        let seed = &self.seed;
        match key {
            Key::Name(name, scope) => self.names.remove(seed, name.as_str(), *scope, slot),
            Key::Prefix(prefix) => match split(prefix.network()) {
                (true, bits) => self.v4.remove(seed, bits, prefix.length(), slot),
                (false, bits) => self.v6.remove(seed, bits, prefix.length(), slot),
            },
            Key::Endpoint(address, port) => match split(*address) {
                (true, bits) => self.v4.remove_endpoint(seed, bits, *port, slot),
                (false, bits) => self.v6.remove_endpoint(seed, bits, *port, slot),
            },
            Key::Digest(digest) => {
                let table = &mut self.digests[digest.algorithm() as usize];
                table.remove(seed, digest.bytes(), slot) != Removed::Nothing
            }
            Key::Email(text) => self.emails.remove(seed, text.as_str().as_bytes(), slot) != Removed::Nothing,
            Key::Url(text) => self.urls.remove(seed, text.as_str().as_bytes(), slot) != Removed::Nothing,
            Key::FileName(text) => {
                self.file_names.remove(seed, text.as_str().as_bytes(), slot) != Removed::Nothing
            }
            Key::Subject(text) => {
                self.subjects.remove(seed, text.as_str().as_bytes(), slot) != Removed::Nothing
            }
            Key::Text(text) => self.texts.remove(seed, text.as_str(), slot),
        }
    }

    /// Room for the blinded indicators under one key.
    pub fn add_blind_set(&mut self, key: BlindKey) -> BlindSetId {
        self.blind.push(BlindSet::new(key));
        BlindSetId(self.blind.len() - 1)
    }

    /// Lists a blinded value for `slot`; `false` if that is known.
    ///
    /// # Panics
    ///
    /// Panics for a slot above [`SLOT_MAX`].
    pub fn insert_blinded(&mut self, set: BlindSetId, blinded: &Blinded, slot: u32) -> bool {
        assert!(slot <= SLOT_MAX, "slot {slot} is above {SLOT_MAX}");
        self.blind.get_mut(set.0).is_some_and(|set| set.add(&self.seed, blinded, slot))
    }

    /// Takes a blinded value off the list for `slot`.
    pub fn remove_blinded(&mut self, set: BlindSetId, blinded: &Blinded, slot: u32) -> bool {
        self.blind.get_mut(set.0).is_some_and(|set| set.remove(&self.seed, blinded, slot))
    }

    /// Visits what reaches a name: itself, or a name above it that is listed with its subdomains. The name may be in any case and have a trailing
    /// dot; beyond ASCII it is looked up by its A-labels. What can be no name has no hits.
    pub fn names(&self, name: &str, visit: impl FnMut(NameHit)) {
        let name = name.strip_suffix('.').unwrap_or(name);
        if name.is_ascii() {
            let lowered = Lowered::of_text(name.as_bytes());
            if lowered.len() == name.len() {
                self.names_at(&lowered, visit);
            }
        } else if let Ok(Key::Name(name, _)) = Key::name(name, Scope::Exact) {
            self.names_at(&Lowered::of_text(name.as_str().as_bytes()), visit);
        }
    }

    /// The same for a name as it stands in a DNS message: labels with their lengths, uncompressed, with the root's zero; bytes behind that are
    /// not looked at. Allocates nothing. What is no such name has no hits.
    pub fn names_wire(&self, wire: &[u8], visit: impl FnMut(NameHit)) {
        if let Some(lowered) = Lowered::of_wire(wire) {
            self.names_at(&lowered, visit);
        }
    }

    #[inline]
    pub(crate) fn names_at(&self, lowered: &Lowered, mut visit: impl FnMut(NameHit)) {
        let (name, length) = (lowered.bytes(), lowered.len());
        self.names.each(&self.seed, name, length, |start, value| {
            let (slot, scope) = listed(value);
            let dots = memchr::memchr_iter(b'.', &name[start..length]).count();
            visit(NameHit { slot, scope, labels: u8::try_from(dots + 1).ok() });
        });
        for set in &self.blind {
            set.each_of_name(&self.seed, &name[..length], |_, value| {
                let (slot, scope) = listed(value);
                visit(NameHit { slot, scope, labels: None });
            });
        }
    }

    /// Visits the slots of every listed prefix that holds the address.
    pub fn address(&self, address: IpAddr, mut visit: impl FnMut(u32)) {
        let address = address.to_canonical();
        match split(address) {
            (true, bits) => self.v4.each(&self.seed, bits, &mut visit),
            (false, bits) => self.v6.each(&self.seed, bits, &mut visit),
        }
        for set in &self.blind {
            set.each_of_address(&self.seed, address, &mut visit);
        }
    }

    /// Visits the slots of this port at this address; of the address alone, [`Matcher::address`] tells.
    pub fn endpoint(&self, address: IpAddr, port: u16, mut visit: impl FnMut(u32)) {
        let address = address.to_canonical();
        match split(address) {
            (true, bits) => self.v4.each_endpoint(&self.seed, bits, port, &mut visit),
            (false, bits) => self.v6.each_endpoint(&self.seed, bits, port, &mut visit),
        }
        for set in &self.blind {
            set.each_of_endpoint(&self.seed, address, port, &mut visit);
        }
    }

    /// Visits the slots of a hash.
    pub fn hash(&self, algorithm: Algorithm, bytes: &[u8], mut visit: impl FnMut(u32)) {
        self.value(&self.digests[algorithm as usize], Shape::Digest(algorithm), bytes, &mut visit);
    }

    /// Visits the slots of exactly this key, whatever its kind: of a prefix itself and not of what holds it, of a name itself in its scope.
    pub fn exact(&self, key: &Key, mut visit: impl FnMut(u32)) {
        let text = |text: &crate::key::Canonical| text.as_str().as_bytes().to_vec();
        match key {
            Key::Name(name, scope) => {
                self.names.each_of(&self.seed, name.as_str(), |value| {
                    let (slot, of) = listed(value);
                    if of == *scope {
                        visit(slot);
                    }
                });
            }
            Key::Prefix(prefix) => match split(prefix.network()) {
                (true, bits) => self.v4.each_of(&self.seed, bits, prefix.length(), visit),
                (false, bits) => self.v6.each_of(&self.seed, bits, prefix.length(), visit),
            },
            Key::Endpoint(address, port) => self.endpoint(*address, *port, visit),
            Key::Digest(digest) => self.hash(digest.algorithm(), digest.bytes(), visit),
            Key::Email(value) => self.value(&self.emails, Shape::Email, &text(value), &mut visit),
            Key::Url(value) => self.value(&self.urls, Shape::Url, &text(value), &mut visit),
            Key::FileName(value) => self.value(&self.file_names, Shape::FileName, &text(value), &mut visit),
            Key::Subject(value) => self.value(&self.subjects, Shape::Subject, &text(value), &mut visit),
            Key::Text(value) => self.texts.each(&self.seed, value.as_str().as_bytes(), visit),
        }
    }

    /// Visits the slots of an e-mail address, a URL, a file's name or a subject as it was met; what is none has no hits.
    pub fn exact_text(&self, kind: Kind, text: &str, visit: impl FnMut(u32)) {
        let key = match kind {
            Kind::Email => Key::email(text),
            Kind::Url => Key::url(text),
            Kind::FileName => Key::file_name(text),
            Kind::Subject => Key::subject(text),
            // These have look-ups of their own.
            Kind::Name | Kind::Prefix | Kind::Endpoint | Kind::Digest | Kind::Text => return,
        };
        if let Ok(key) = key {
            self.exact(&key, visit);
        }
    }

    pub(crate) fn value(&self, table: &Table, shape: Shape, value: &[u8], visit: &mut impl FnMut(u32)) {
        if !table.is_empty()
            && let Some(head) = table.find(self.seed.hash(value), value)
        {
            table.each(head, &mut *visit);
        }
        for set in &self.blind {
            if set.has(shape.kind()) {
                set.each(&self.seed, shape, value, &mut *visit);
            }
        }
    }

    /// Whether a name above `name` is listed with its subdomains by a slot that counts. `name` is in canonical form. Blinded names do not count:
    /// they are in no zone that another program reads.
    #[must_use]
    pub fn is_subsumed(&self, name: &str, counts: impl Fn(u32) -> bool) -> bool {
        let mut is_subsumed = false;
        self.names.each_parent(&self.seed, name, |_, value| is_subsumed |= counts(listed(value).0));
        is_subsumed
    }

    /// Visits each listed name below one of `parents`, in no order: one walk for all of them, and none if nothing is below any, as is usual. For
    /// parents that were inserted, these are the names to take out of a zone.
    pub fn below(&self, parents: &[&str], visit: impl FnMut(&str)) {
        self.names.each_below(&self.seed, parents, visit);
    }

    /// Visits each name that comes back now that `removed` are no longer listed: those below one of them that a slot that counts lists, and that
    /// nothing else above hides. In no order.
    pub fn restored(&self, removed: &[&str], counts: impl Fn(u32) -> bool, mut visit: impl FnMut(&str)) {
        self.below(removed, |name| {
            let mut is_listed = false;
            self.names.each_of(&self.seed, name, |value| is_listed |= counts(listed(value).0));
            if is_listed && !self.is_subsumed(name, &counts) {
                visit(name);
            }
        });
    }

    /// Visits what is listed of this name itself, with each slot's scope. `name` is in canonical form.
    pub fn of_name(&self, name: &str, mut visit: impl FnMut(u32, Scope)) {
        self.names.each_of(&self.seed, name, |value| {
            let (slot, scope) = listed(value);
            visit(slot, scope);
        });
    }

    /// All names that a slot that counts lists, in order.
    #[must_use]
    pub fn name_list(&self, counts: impl Fn(u32) -> bool) -> NameList {
        let mut list = NameList::default();
        for part in 0..PARTS {
            self.collect_names(part, &counts, &mut list);
        }
        list.sort();
        list
    }

    pub(crate) fn collect_names(&self, part: usize, counts: impl Fn(u32) -> bool, list: &mut NameList) {
        self.names.each_of_part(part, |name, value| {
            let (slot, scope) = listed(value);
            if counts(slot) {
                list.push(name, scope, slot);
            }
        });
    }

    /// How much is listed, and what that takes.
    #[must_use]
    pub fn extent(&self) -> Extent {
        let values = [&self.emails, &self.urls, &self.file_names, &self.subjects];
        let families = [
            (self.v4.prefixes() + self.v4.endpoints(), self.v4.bytes()),
            (self.v6.prefixes() + self.v6.endpoints(), self.v6.bytes()),
        ];
        Extent {
            names: self.names.keys(),
            names_bytes: self.names.bytes(),
            addresses: families.iter().map(|(count, _)| count).sum(),
            addresses_bytes: families.iter().map(|(_, bytes)| bytes).sum(),
            digests: self.digests.iter().map(Table::keys).sum(),
            digests_bytes: self.digests.iter().map(Table::bytes).sum(),
            values: values.iter().map(|table| table.keys()).sum(),
            values_bytes: values.iter().map(|table| table.bytes()).sum(),
            texts: self.texts.keys(),
            texts_bytes: self.texts.bytes(),
            blinded: self.blind.iter().map(BlindSet::len).sum(),
            blinded_bytes: self.blind.iter().map(BlindSet::bytes).sum(),
        }
    }
}
