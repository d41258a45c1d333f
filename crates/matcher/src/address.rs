//! Addresses by prefix, and ports at addresses.
//!
//! A look-up asks one hash table for each length of prefix that is in use: feeds use few, and 8 ns each beats a trie. Feeds of IPv6 may
//! use all 128 lengths, though, and a hostile one would; beyond [`TABLES_MAX`] lengths the prefixes go to one ordered map, which is walked from the
//! longest that could hold the address to the shortest, each step by what the address has in common with what was found.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Bound;

use hashbrown::HashTable;

use crate::hash::Seed;
use crate::postings::{Dropped, Postings};

/// Lengths that have a table of their own, in each family. Eight look-ups of 8 ns are as much as one walk of the ordered map.
const TABLES_MAX: usize = 8;

/// An address's bits, as small as its family allows.
pub(crate) trait Bits: Copy + Eq {
    const WIDTH: u8;
    fn of(bits: u128) -> Self;
    fn bits(self) -> u128;
    fn hash(self, seed: &Seed) -> u64;
}

/// Keeps the first `length` bits of `width`.
fn masked(bits: u128, width: u8, length: u8) -> u128 {
    let host = u32::from(width - length);
    bits.checked_shr(host).unwrap_or(0).checked_shl(host).unwrap_or(0)
}

impl Bits for u32 {
    const WIDTH: u8 = 32;

    #[expect(clippy::cast_possible_truncation, reason = "an IPv4 address has 32 bits")]
    fn of(bits: u128) -> Self {
        bits as u32
    }

    fn bits(self) -> u128 {
        u128::from(self)
    }

    fn hash(self, seed: &Seed) -> u64 {
        seed.finish(seed.number(seed.start(), u64::from(self)))
    }
}

/// In words, so that an entry beside it is not aligned to sixteen bytes.
pub(crate) type V6 = [u32; 4];

impl Bits for V6 {
    const WIDTH: u8 = 128;

    #[expect(clippy::cast_possible_truncation, reason = "cut into words")]
    fn of(bits: u128) -> Self {
        [(bits >> 96) as u32, (bits >> 64) as u32, (bits >> 32) as u32, bits as u32]
    }

    fn bits(self) -> u128 {
        self.into_iter().fold(0, |bits, word| bits << 32 | u128::from(word))
    }

    fn hash(self, seed: &Seed) -> u64 {
        seed.finish(
            self.into_iter().fold(seed.start(), |running, word| seed.number(running, u64::from(word))),
        )
    }
}

/// The prefixes and endpoints of one family.
pub(crate) struct Family<B> {
    /// By length; never more than [`TABLES_MAX`].
    tables: Vec<(u8, HashTable<(B, u32)>)>,
    /// The rest: first address, length, head.
    rest: BTreeMap<(u128, u8), u32>,
    endpoints: HashTable<(B, u16, u32)>,
    postings: Postings,
}

impl<B> Default for Family<B> {
    fn default() -> Self {
        let (tables, rest, postings) = (Vec::new(), BTreeMap::new(), Postings::default());
        Self { tables, rest, endpoints: HashTable::new(), postings }
    }
}

impl<B: Bits> Family<B> {
    pub(crate) fn has_prefixes(&self) -> bool {
        !self.tables.is_empty() || !self.rest.is_empty()
    }

    pub(crate) fn has_endpoints(&self) -> bool {
        !self.endpoints.is_empty()
    }

    pub(crate) fn prefixes(&self) -> usize {
        self.rest.len() + self.tables.iter().map(|(_, table)| table.len()).sum::<usize>()
    }

    pub(crate) fn endpoints(&self) -> usize {
        self.endpoints.len()
    }

    pub(crate) fn add(&mut self, seed: &Seed, network: u128, length: u8, value: u32) -> bool {
        if let Some(head) = self.rest.get_mut(&(network, length)) {
            return self.postings.add(*head, value).map(|fresh| *head = fresh).is_some();
        }
        let place = self.tables.iter().position(|(other, _)| *other == length);
        let place = place.or_else(|| {
            // A length that already has prefixes in the map stays there.
            let has_room = self.tables.len() < TABLES_MAX;
            (has_room && !self.rest.keys().any(|(_, other)| *other == length)).then(|| {
                self.tables.push((length, HashTable::new()));
                self.tables.len() - 1
            })
        });
        let Some(place) = place else {
            self.rest.insert((network, length), value);
            return true;
        };
        let network = B::of(network);
        let (_, table) = &mut self.tables[place];
        let hash = network.hash(seed);
        if let Some((_, head)) = table.find_mut(hash, |(other, _)| *other == network) {
            return self.postings.add(*head, value).map(|fresh| *head = fresh).is_some();
        }
        table.insert_unique(hash, (network, value), |(other, _)| other.hash(seed));
        true
    }

    pub(crate) fn remove(&mut self, seed: &Seed, network: u128, length: u8, value: u32) -> bool {
        if let Some(head) = self.rest.get_mut(&(network, length)) {
            match self.postings.drop(*head, value) {
                Dropped::Absent => return false,
                Dropped::Left(fresh) => *head = fresh,
                Dropped::Empty => drop(self.rest.remove(&(network, length))),
            }
            return true;
        }
        let network = B::of(network);
        let Some(place) = self.tables.iter().position(|(other, _)| *other == length) else { return false };
        let table = &mut self.tables[place].1;
        let Ok(mut found) = table.find_entry(network.hash(seed), |(other, _)| *other == network) else {
            return false;
        };
        match self.postings.drop(found.get().1, value) {
            Dropped::Absent => return false,
            Dropped::Left(fresh) => found.get_mut().1 = fresh,
            Dropped::Empty => drop(found.remove()),
        }
        if self.tables[place].1.is_empty() {
            self.tables.swap_remove(place);
        }
        true
    }

    pub(crate) fn each(&self, seed: &Seed, address: u128, mut visit: impl FnMut(u32)) {
        for (length, table) in &self.tables {
            let network = B::of(masked(address, B::WIDTH, *length));
            if let Some((_, head)) = table.find(network.hash(seed), |(other, _)| *other == network) {
                self.postings.each(*head, &mut visit);
            }
        }
        self.each_of_rest(address, visit);
    }

    /// Visits the values of one prefix itself.
    pub(crate) fn each_of(&self, seed: &Seed, network: u128, length: u8, visit: impl FnMut(u32)) {
        if let Some(head) = self.rest.get(&(network, length)) {
            return self.postings.each(*head, visit);
        }
        let network = B::of(network);
        let table = self.tables.iter().find(|(other, _)| *other == length);
        let found =
            table.and_then(|(_, table)| table.find(network.hash(seed), |(other, _)| *other == network));
        if let Some((_, head)) = found {
            self.postings.each(*head, visit);
        }
    }

    /// Whatever holds the address and is no longer than `longest` begins with the address's first bits, so it stands at or before them;
    /// each step makes `longest` smaller.
    fn each_of_rest(&self, address: u128, mut visit: impl FnMut(u32)) {
        let mut longest = B::WIDTH;
        loop {
            let bound = (masked(address, B::WIDTH, longest), longest);
            let before = self.rest.range((Bound::Unbounded, Bound::Included(bound))).next_back();
            let Some(((network, length), head)) = before else { return };
            let common = common(*network, address, B::WIDTH);
            if common >= *length {
                self.postings.each(*head, &mut visit);
                if *length == 0 {
                    return;
                }
                longest = *length - 1;
            } else {
                longest = common.min(longest);
            }
        }
    }

    pub(crate) fn add_endpoint(&mut self, seed: &Seed, address: u128, port: u16, value: u32) -> bool {
        let address = B::of(address);
        let hash = endpoint_hash(seed, address, port);
        let found = self.endpoints.find_mut(hash, |(other, at, _)| *other == address && *at == port);
        if let Some((_, _, head)) = found {
            return self.postings.add(*head, value).map(|fresh| *head = fresh).is_some();
        }
        let rehash = |(address, port, _): &(B, u16, u32)| endpoint_hash(seed, *address, *port);
        self.endpoints.insert_unique(hash, (address, port, value), rehash);
        true
    }

    pub(crate) fn remove_endpoint(&mut self, seed: &Seed, address: u128, port: u16, value: u32) -> bool {
        let address = B::of(address);
        let hash = endpoint_hash(seed, address, port);
        let found = self.endpoints.find_entry(hash, |(other, at, _)| *other == address && *at == port);
        let Ok(mut found) = found else { return false };
        match self.postings.drop(found.get().2, value) {
            Dropped::Absent => return false,
            Dropped::Left(fresh) => found.get_mut().2 = fresh,
            Dropped::Empty => drop(found.remove()),
        }
        true
    }

    pub(crate) fn each_endpoint(&self, seed: &Seed, address: u128, port: u16, visit: impl FnMut(u32)) {
        if self.endpoints.is_empty() {
            return;
        }
        let address = B::of(address);
        let hash = endpoint_hash(seed, address, port);
        if let Some((_, _, head)) =
            self.endpoints.find(hash, |(other, at, _)| *other == address && *at == port)
        {
            self.postings.each(*head, visit);
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        let tables: usize = self.tables.iter().map(|(_, table)| table.allocation_size()).sum();
        // A node of the map has up to eleven entries and is two thirds full.
        let rest = self.rest.len() * size_of::<((u128, u8), u32)>() * 3 / 2;
        tables + rest + self.endpoints.allocation_size() + self.postings.bytes()
    }
}

fn endpoint_hash<B: Bits>(seed: &Seed, address: B, port: u16) -> u64 {
    // Thirty-two bits of address in each number leave no room for a port: it is a number by itself.
    let words = B::WIDTH / 32;
    let running = (0..words).fold(seed.start(), |running, word| {
        let shifted = address.bits() >> (32 * u32::from(word));
        seed.number(running, u64::from(u32::of(shifted)))
    });
    seed.finish(seed.number(running, u64::from(port) | 1 << 32))
}

/// How many leading bits are the same.
fn common(one: u128, other: u128, width: u8) -> u8 {
    let unused = 128 - u32::from(width);
    u8::try_from((one ^ other).leading_zeros().saturating_sub(unused)).unwrap_or(width).min(width)
}

/// An address's bits with its family.
pub(crate) fn split(address: IpAddr) -> (bool, u128) {
    match address {
        IpAddr::V4(v4) => (true, u128::from(u32::from(v4))),
        IpAddr::V6(v6) => (false, u128::from(v6)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn holds(network: u128, length: u8, width: u8, address: u128) -> bool {
        masked(address, width, length) == network
    }

    fn is_as_a_list<B: Bits>(steps: Vec<(bool, u128, u8, u32)>, asked: Vec<u128>) {
        let seed = Seed::new([9; 32]);
        let mut family = Family::<B>::default();
        let mut model = BTreeSet::new();
        let mut asked: Vec<u128> =
            asked.into_iter().map(|a| masked(a, 128, 128) >> (128 - u32::from(B::WIDTH))).collect();
        for (is_insertion, address, length, value) in steps {
            // Few different bits, so that prefixes hold each other.
            let length = length % (B::WIDTH + 1);
            let address = (address & address >> 1 & address >> 2) >> (128 - u32::from(B::WIDTH));
            asked.push(address);
            let network = masked(address, B::WIDTH, length);
            let key = (network, length, value);
            if is_insertion {
                assert_eq!(family.add(&seed, network, length, value), model.insert(key));
            } else {
                let key = model.iter().copied().find(|(_, l, v)| (*l, *v) == (length, value)).unwrap_or(key);
                assert_eq!(family.remove(&seed, key.0, key.1, key.2), model.remove(&key));
            }
        }
        let distinct: BTreeSet<(u128, u8)> =
            model.iter().map(|(network, length, _)| (*network, *length)).collect();
        assert_eq!(family.prefixes(), distinct.len());
        for address in asked {
            let mut found = Vec::new();
            family.each(&seed, address, |value| found.push(value));
            found.sort_unstable();
            let mut want: Vec<u32> =
                model.iter().filter(|(n, l, _)| holds(*n, *l, B::WIDTH, address)).map(|(.., v)| *v).collect();
            want.sort_unstable();
            assert_eq!(found, want, "{address:x}");
        }
    }

    proptest! {
        #[test]
        fn prefixes_of_ipv4_are_found_as_by_a_list(
            steps in prop::collection::vec((prop::bool::weighted(0.8), any::<u128>(), any::<u8>(), 0u32..3), 0..150),
            asked in prop::collection::vec(any::<u128>(), 0..10),
        ) {
            is_as_a_list::<u32>(steps, asked);
        }

        #[test]
        fn prefixes_of_ipv6_are_found_as_by_a_list(
            steps in prop::collection::vec((prop::bool::weighted(0.8), any::<u128>(), any::<u8>(), 0u32..3), 0..150),
            asked in prop::collection::vec(any::<u128>(), 0..10),
        ) {
            is_as_a_list::<V6>(steps, asked);
        }
    }

    #[test]
    fn an_endpoint_is_its_address_and_its_port() {
        let seed = Seed::new([9; 32]);
        let mut family = Family::<V6>::default();
        let found = |family: &Family<V6>, address, port| {
            let mut found = Vec::new();
            family.each_endpoint(&seed, address, port, |value| found.push(value));
            found
        };
        assert!(family.add_endpoint(&seed, 7, 80, 1));
        assert!(family.add_endpoint(&seed, 7, 80, 2));
        assert!(!family.add_endpoint(&seed, 7, 80, 2));
        assert!(family.add_endpoint(&seed, 7, 81, 3));
        assert_eq!(found(&family, 7, 80), [1, 2]);
        assert_eq!(found(&family, 7 | 1 << 64, 80), [0; 0]);
        assert!(family.remove_endpoint(&seed, 7, 80, 1));
        assert!(!family.remove_endpoint(&seed, 7, 80, 1));
        assert_eq!((found(&family, 7, 80), found(&family, 7, 81)), (vec![2], vec![3]));
    }
}
