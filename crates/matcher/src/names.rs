//! Names by suffix, and what stands below what.
//!
//! `www.evil.example` is asked: `evil.example` may be listed with all below it, `www.evil.example` alone. Each suffix is one look-up, and the
//! hash of all of them is one pass (see `hash`).
//!
//! Zones and lists for other programs must not have a name below a listed one: it opens a hole in one resolver and is an error to
//! a proxy. So whoever keeps such a list needs to know, when a name comes or goes, which others it hides or brings back. For that the table
//! counts, for each suffix, the names below it; nearly always the count is none and nothing is walked.

use std::cmp::Ordering;
use std::collections::HashSet;

use hashbrown::HashTable;

use crate::hash::{Seed, label_start};
use crate::key::{NAME_BYTES_MAX, Scope};
use crate::postings::SUBDOMAINS;
use crate::table::{Added, Removed, Table};

/// Parents that are sought by comparing ends; more are sought by hashing suffixes.
const COMPARED_PARENTS_MAX: usize = 8;

#[derive(Default)]
pub(crate) struct Names {
    table: Table,
    /// Names of one label: while there are none, no look-up asks for a top-level domain.
    single: usize,
    /// For a fingerprint of a suffix of two labels or more, how many listed names are below it. Two suffixes with one fingerprint
    /// cost a walk that finds nothing.
    below: HashTable<(u32, u32)>,
}

#[expect(clippy::cast_possible_truncation, reason = "a fingerprint is a part of the hash")]
fn fingerprint(hash: u64) -> u32 {
    (hash >> 13) as u32
}

fn spread(fingerprint: u32) -> u64 {
    // The golden ratio: a fingerprint is random already, and the highest bits have to be so too.
    u64::from(fingerprint).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Calls `visit` with the start and the hash of each suffix, from the shortest; ends at an empty label.
fn suffixes(seed: &Seed, name: &[u8], length: usize, mut visit: impl FnMut(usize, u64)) {
    let mut running = seed.start();
    let mut end = length;
    loop {
        let start = label_start(name, end);
        if start == end {
            return;
        }
        running = seed.label(running, &name[start..], end - start);
        visit(start, seed.finish(running));
        if start == 0 {
            return;
        }
        end = start - 1;
    }
}

fn is_single(name: &[u8]) -> bool {
    !name.contains(&b'.')
}

/// A slot with its scope, as a value of a table.
pub(crate) fn value(slot: u32, scope: Scope) -> u32 {
    match scope {
        Scope::Exact => slot,
        Scope::Subdomains => slot | SUBDOMAINS,
    }
}

/// And back.
pub(crate) fn listed(value: u32) -> (u32, Scope) {
    let scope = if value & SUBDOMAINS == 0 { Scope::Exact } else { Scope::Subdomains };
    (value & !SUBDOMAINS, scope)
}

impl Names {
    pub(crate) fn keys(&self) -> usize {
        self.table.keys()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.table.bytes() + self.below.allocation_size()
    }

    pub(crate) fn add(&mut self, seed: &Seed, name: &str, scope: Scope, slot: u32) -> bool {
        let added = self.table.add(seed, name.as_bytes(), value(slot, scope));
        if added == Added::Key {
            self.single += usize::from(is_single(name.as_bytes()));
            self.count_parents(seed, name.as_bytes(), |count| count + 1);
        }
        added != Added::Nothing
    }

    pub(crate) fn remove(&mut self, seed: &Seed, name: &str, scope: Scope, slot: u32) -> bool {
        let removed = self.table.remove(seed, name.as_bytes(), value(slot, scope));
        if removed == Removed::Key {
            self.single -= usize::from(is_single(name.as_bytes()));
            self.count_parents(seed, name.as_bytes(), |count| count - 1);
        }
        removed != Removed::Nothing
    }

    fn count_parents(&mut self, seed: &Seed, name: &[u8], change: impl Fn(u32) -> u32) {
        let below = &mut self.below;
        suffixes(seed, name, name.len(), |start, hash| {
            if start == 0 || is_single(&name[start..]) {
                return;
            }
            let fingerprint = fingerprint(hash);
            let entry = below.entry(
                spread(fingerprint),
                |(other, _)| *other == fingerprint,
                |(other, _)| spread(*other),
            );
            let mut entry = entry.or_insert((fingerprint, 0));
            entry.get_mut().1 = change(entry.get().1);
            if entry.get().1 == 0 {
                entry.remove();
            }
        });
    }

    /// Visits every value that reaches `name`, with the start of the listed suffix, from the shortest. `name` is in canonical form; what
    /// stands in it behind `length` is not looked at.
    #[inline]
    pub(crate) fn each(&self, seed: &Seed, name: &[u8], length: usize, mut visit: impl FnMut(usize, u32)) {
        if self.table.is_empty() {
            return;
        }
        let has_single = self.single > 0;
        suffixes(seed, name, length, |start, hash| {
            let suffix = &name[start..length];
            if !has_single && is_single(suffix) {
                return;
            }
            if let Some(head) = self.table.find(hash, suffix) {
                self.table.each(head, |value| {
                    if start == 0 || value & SUBDOMAINS != 0 {
                        visit(start, value);
                    }
                });
            }
        });
    }

    /// Visits what reaches `name` from above: the listed names that it is below.
    pub(crate) fn each_parent(&self, seed: &Seed, name: &str, mut visit: impl FnMut(usize, u32)) {
        self.each(seed, name.as_bytes(), name.len(), |start, value| {
            if start > 0 {
                visit(start, value);
            }
        });
    }

    /// What is listed of `name` itself.
    pub(crate) fn each_of(&self, seed: &Seed, name: &str, visit: impl FnMut(u32)) {
        if let Some(head) = self.table.find(seed.hash(name.as_bytes()), name.as_bytes()) {
            self.table.each(head, visit);
        }
    }

    /// Visits each listed name that is below one of `parents`, in no order.
    pub(crate) fn each_below(&self, seed: &Seed, parents: &[&str], mut visit: impl FnMut(&str)) {
        let has_children = |parent: &&[u8]| {
            let fingerprint = fingerprint(seed.hash(parent));
            is_single(parent)
                || self.below.find(spread(fingerprint), |(other, _)| *other == fingerprint).is_some()
        };
        let parents: Vec<&[u8]> =
            parents.iter().map(|parent| parent.as_bytes()).filter(has_children).collect();
        if parents.is_empty() {
            return;
        }
        let set: HashSet<&[u8]> = if parents.len() > COMPARED_PARENTS_MAX {
            parents.iter().copied().collect()
        } else {
            HashSet::new()
        };
        let is_wanted = |name: &[u8]| {
            if set.is_empty() {
                return parents.iter().any(|parent| is_below(name, parent));
            }
            memchr::memchr_iter(b'.', name).any(|dot| set.contains(&name[dot + 1..]))
        };
        for (name, _) in self.table.entries() {
            if let (true, Ok(name)) = (is_wanted(name), std::str::from_utf8(name)) {
                visit(name);
            }
        }
    }

    /// Visits every value of a part of the names, out of [`PARTS`].
    pub(crate) fn each_of_part(&self, part: usize, mut visit: impl FnMut(&str, u32)) {
        for (name, head) in self.table.part(part) {
            let Ok(name) = std::str::from_utf8(name) else { continue };
            self.table.each(head, |value| visit(name, value));
        }
    }
}

/// Into how many parts a walk over all names can be cut.
pub(crate) const PARTS: usize = crate::table::SHARDS;

fn is_below(name: &[u8], parent: &[u8]) -> bool {
    name.len() > parent.len() + 1 && name.ends_with(parent) && name[name.len() - parent.len() - 1] == b'.'
}

/// A name of a query in canonical form in a place of its own, without allocation.
pub(crate) struct Lowered {
    bytes: [u8; NAME_BYTES_MAX + 8],
    length: usize,
}

impl Lowered {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// In lower case; of a text longer than any name, its last labels that fit.
    #[inline]
    pub(crate) fn of_text(text: &[u8]) -> Self {
        let mut start = text.len().saturating_sub(NAME_BYTES_MAX);
        if start > 0 && text[start - 1] != b'.' {
            // The label that is cut is left away; without a dot there is nothing to ask for.
            start =
                text[start..].iter().position(|byte| *byte == b'.').map_or(text.len(), |dot| start + dot + 1);
        }
        let text = &text[start..];
        let mut lowered = Self { bytes: [0; NAME_BYTES_MAX + 8], length: text.len() };
        for (to, from) in lowered.bytes.iter_mut().zip(text) {
            *to = from.to_ascii_lowercase();
        }
        lowered
    }

    /// From a name as it stands in a DNS message, uncompressed, to its last byte of zero.
    ///
    /// A label may hold any byte on the wire, a dot too. Such a label is in no listed name, and its dot must not be taken for the end of a
    /// label: a byte that no name has stands for it.
    pub(crate) fn of_wire(wire: &[u8]) -> Option<Self> {
        let mut lowered = Self { bytes: [0; NAME_BYTES_MAX + 8], length: 0 };
        let mut at = 0;
        loop {
            let length = usize::from(*wire.get(at)?);
            // RFC 1035 §3.1: the two high bits mark a pointer, of which an uncompressed name has none.
            let label = wire.get(at + 1..at + 1 + length).filter(|_| length < 64)?;
            if length == 0 {
                return (lowered.length > 0).then_some(lowered);
            }
            if lowered.length > 0 {
                lowered.bytes[lowered.length] = b'.';
                lowered.length += 1;
            }
            if lowered.length + length > NAME_BYTES_MAX {
                return None;
            }
            for (to, from) in lowered.bytes[lowered.length..].iter_mut().zip(label) {
                *to = if *from == b'.' { 0 } else { from.to_ascii_lowercase() };
            }
            lowered.length += length;
            at += 1 + length;
        }
    }
}

/// Names as they were at one time, to be written out.
///
/// They are in one order, whatever the tables' secret: by their letters from the last to the first, where a dot comes before all letters. So a
/// name comes before all names below it, and these follow it at once.
#[derive(Default)]
pub struct NameList {
    text: Vec<u8>,
    entries: Vec<Entry>,
    is_sorted: bool,
}

struct Entry {
    at: u64,
    slot: u32,
    length: u8,
    scope: Scope,
}

/// A name in a [`NameList`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed<'l> {
    /// In canonical form.
    pub name: &'l str,
    /// How far it reaches.
    pub scope: Scope,
    /// By whom it is listed.
    pub slot: u32,
}

impl NameList {
    /// Takes one more.
    pub(crate) fn push(&mut self, name: &str, scope: Scope, slot: u32) {
        let (at, length) = (self.text.len() as u64, u8::try_from(name.len()).unwrap_or(u8::MAX));
        self.text.extend_from_slice(&name.as_bytes()[..usize::from(length)]);
        self.entries.push(Entry { at, slot, length, scope });
        self.is_sorted = false;
    }

    /// Puts them into their order.
    pub(crate) fn sort(&mut self) {
        let text = &self.text;
        let name = |entry: &Entry| bytes_of(text, entry);
        self.entries.sort_unstable_by(|one, other| {
            let names = order(name(one), name(other));
            // The wider scope first, then the lower slot.
            names.then(other.scope.cmp(&one.scope)).then(one.slot.cmp(&other.slot))
        });
        self.is_sorted = true;
    }

    /// How many there are, each slot of a name counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Each slot of each name, in the order of names, then the wider scope, then the slot.
    pub fn iter(&self) -> impl Iterator<Item = Listed<'_>> {
        self.entries.iter().map(|entry| {
            let name = std::str::from_utf8(bytes_of(&self.text, entry)).unwrap_or_default();
            Listed { name, scope: entry.scope, slot: entry.slot }
        })
    }

    /// One for each name that no other hides: names below one that is listed with its subdomains are left out, and of a name's own
    /// slots the first of the widest scope stands for all.
    pub fn unsubsumed(&self) -> impl Iterator<Item = Listed<'_>> {
        debug_assert!(self.is_sorted || self.entries.is_empty(), "made by a function that sorts");
        let mut hiding: Option<&str> = None;
        let mut last: Option<&str> = None;
        self.iter().filter(move |listed| {
            let is_hidden = hiding.is_some_and(|parent| is_below(listed.name.as_bytes(), parent.as_bytes()));
            let is_again = last == Some(listed.name);
            last = Some(listed.name);
            if is_hidden || is_again {
                return false;
            }
            if listed.scope == Scope::Subdomains {
                hiding = Some(listed.name);
            }
            true
        })
    }
}

fn bytes_of<'t>(text: &'t [u8], entry: &Entry) -> &'t [u8] {
    let at = usize::try_from(entry.at).unwrap_or(usize::MAX);
    &text[at..at + usize::from(entry.length)]
}

/// By letters from the last to the first, a dot before all.
fn order(one: &[u8], other: &[u8]) -> Ordering {
    let key = |byte: &u8| if *byte == b'.' { 0 } else { *byte };
    one.iter().rev().map(key).cmp(other.iter().rev().map(key))
}
