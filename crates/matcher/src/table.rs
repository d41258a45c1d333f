//! Keys as bytes, a million of them in about 37 bytes each, with insertion and removal at any time.
//!
//! An entry lies in an arena: the head of its postings, its length, its bytes. A hash table beside the arena has the
//! places of entries, so no key is stored twice and no key has an allocation of its own. Arena and hash table are cut into
//! [`SHARDS`] by the hash, and each shard grows and is cleaned by itself: what stops the readers during an insertion is the copying of
//! one shard, a few thousand entries, and never of the whole.

use hashbrown::HashTable;

use crate::hash::Seed;
use crate::postings::{DEAD, Dropped, Postings};

/// A million names make 4,000 entries a shard, which are copied in under a millisecond.
pub(crate) const SHARDS: usize = 256;

/// An entry's length has fifteen bits.
pub(crate) const KEY_BYTES_MAX: usize = (1 << 15) - 1;

#[derive(Default)]
pub(crate) struct Table {
    /// Empty until the first insertion, then [`SHARDS`].
    shards: Vec<Shard>,
    postings: Postings,
    keys: usize,
}

#[derive(Default)]
struct Shard {
    arena: Vec<u8>,
    places: HashTable<u32>,
    /// Bytes of the arena that removed entries take.
    garbage: usize,
}

/// What an insertion did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    Key,
    Value,
    Nothing,
}

/// What a removal did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Removed {
    Key,
    Value,
    Nothing,
}

/// Bits of the hash that neither the place in a shard nor the tag there is made of.
fn shard_of(hash: u64) -> usize {
    (hash >> 48) as usize % SHARDS
}

impl Table {
    pub(crate) fn keys(&self) -> usize {
        self.keys
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys == 0
    }

    /// The postings of `key`, whose hash is given.
    pub(crate) fn find(&self, hash: u64, key: &[u8]) -> Option<u32> {
        let shard = self.shards.get(shard_of(hash))?;
        let place = shard.places.find(hash, |place| shard.key(*place) == key)?;
        Some(shard.head(*place))
    }

    pub(crate) fn each(&self, head: u32, visit: impl FnMut(u32)) {
        self.postings.each(head, visit);
    }

    pub(crate) fn add(&mut self, seed: &Seed, key: &[u8], value: u32) -> Added {
        let hash = seed.hash(key);
        if self.shards.is_empty() {
            self.shards.resize_with(SHARDS, Shard::default);
        }
        let shard = &mut self.shards[shard_of(hash)];
        if let Some(place) = shard.places.find(hash, |place| shard.key(*place) == key) {
            let place = *place;
            let Some(head) = self.postings.add(shard.head(place), value) else { return Added::Nothing };
            shard.set_head(place, head);
            return Added::Value;
        }
        let place = shard.push(key, value);
        let Shard { arena, places, .. } = shard;
        places.insert_unique(hash, place, |place| hash_at(seed, arena, *place));
        self.keys += 1;
        Added::Key
    }

    pub(crate) fn remove(&mut self, seed: &Seed, key: &[u8], value: u32) -> Removed {
        let hash = seed.hash(key);
        let Some(shard) = self.shards.get_mut(shard_of(hash)) else { return Removed::Nothing };
        let Shard { arena, places, .. } = &mut *shard;
        let Ok(found) = places.find_entry(hash, |place| key_at(arena, *place) == key) else {
            return Removed::Nothing;
        };
        let place = *found.get();
        match self.postings.drop(shard.head(place), value) {
            Dropped::Absent => Removed::Nothing,
            Dropped::Left(head) => {
                shard.set_head(place, head);
                Removed::Value
            }
            Dropped::Empty => {
                let Ok(found) = shard.places.find_entry(hash, |other| *other == place) else {
                    return Removed::Nothing;
                };
                found.remove();
                shard.set_head(place, DEAD);
                shard.garbage += entry_bytes(key.len());
                shard.clean(seed);
                self.keys -= 1;
                Removed::Key
            }
        }
    }

    /// Every key with the head of its postings, in no order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&[u8], u32)> {
        self.shards.iter().flat_map(Shard::entries)
    }

    /// The same for one shard.
    pub(crate) fn part(&self, shard: usize) -> impl Iterator<Item = (&[u8], u32)> {
        self.shards.get(shard).into_iter().flat_map(Shard::entries)
    }

    /// What it takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        let shards: usize =
            self.shards.iter().map(|shard| shard.arena.capacity() + shard.places.allocation_size()).sum();
        shards + self.shards.capacity() * size_of::<Shard>() + self.postings.bytes()
    }
}

// An entry: four bytes of head, one or two of length, the key. A length from 128 on has its high seven bits first, marked.

fn entry_bytes(key_length: usize) -> usize {
    4 + if key_length < 128 { 1 } else { 2 } + key_length
}

fn key_range(arena: &[u8], place: u32) -> (usize, usize) {
    let at = place as usize + 4;
    let first = usize::from(arena[at]);
    if first < 128 { (at + 1, first) } else { (at + 2, (first & 127) << 8 | usize::from(arena[at + 1])) }
}

fn key_at(arena: &[u8], place: u32) -> &[u8] {
    let (start, length) = key_range(arena, place);
    &arena[start..start + length]
}

fn hash_at(seed: &Seed, arena: &[u8], place: u32) -> u64 {
    let (start, length) = key_range(arena, place);
    seed.hash_prefix(&arena[start..], length)
}

impl Shard {
    fn key(&self, place: u32) -> &[u8] {
        key_at(&self.arena, place)
    }

    fn head(&self, place: u32) -> u32 {
        let at = place as usize;
        u32::from_le_bytes([self.arena[at], self.arena[at + 1], self.arena[at + 2], self.arena[at + 3]])
    }

    fn set_head(&mut self, place: u32, head: u32) {
        self.arena[place as usize..place as usize + 4].copy_from_slice(&head.to_le_bytes());
    }

    fn push(&mut self, key: &[u8], head: u32) -> u32 {
        debug_assert!(key.len() <= KEY_BYTES_MAX, "keys are checked at the door");
        let place =
            u32::try_from(self.arena.len()).expect("a shard stays below 4 GB: 256 of them are a terabyte");
        let needed = entry_bytes(key.len());
        if self.arena.capacity() - self.arena.len() < needed {
            // An eighth more each time: doubling would leave a third of the memory empty.
            self.arena.reserve_exact(needed.max(self.arena.capacity() / 8));
        }
        self.arena.extend_from_slice(&head.to_le_bytes());
        let [high, low] = u16::try_from(key.len()).unwrap_or(u16::MAX).to_be_bytes();
        if key.len() < 128 {
            self.arena.push(low);
        } else {
            self.arena.extend_from_slice(&[high | 128, low]);
        }
        self.arena.extend_from_slice(key);
        place
    }

    fn entries(&self) -> impl Iterator<Item = (&[u8], u32)> {
        let mut at = 0;
        std::iter::from_fn(move || {
            while at < self.arena.len() {
                let place = u32::try_from(at).ok()?;
                let (start, length) = key_range(&self.arena, place);
                at = start + length;
                let head = self.head(place);
                if head != DEAD {
                    return Some((&self.arena[start..at], head));
                }
            }
            None
        })
    }

    /// Writes the shard anew if a quarter of it is garbage.
    fn clean(&mut self, seed: &Seed) {
        if self.garbage * 4 <= self.arena.len() {
            return;
        }
        let mut fresh = Self::default();
        fresh.arena.reserve_exact(self.arena.len() - self.garbage);
        fresh.places.reserve(self.places.len(), |_| 0);
        for (key, head) in self.entries() {
            let place = fresh.push(key, head);
            fresh.places.insert_unique(seed.hash(key), place, |place| hash_at(seed, &fresh.arena, *place));
        }
        *self = fresh;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    fn values(table: &Table, seed: &Seed, key: &str) -> BTreeSet<u32> {
        let mut values = BTreeSet::new();
        if let Some(head) = table.find(seed.hash(key.as_bytes()), key.as_bytes()) {
            table.each(head, |value| assert!(values.insert(value)));
        }
        values
    }

    proptest! {
        #[test]
        fn a_table_is_a_map_of_sets(
            steps in prop::collection::vec((any::<bool>(), "[ab]{0,2}(\\.[ab]{0,9}){0,2}", 0u32..4), 0..200),
        ) {
            let seed = Seed::new([3; 32]);
            let mut table = Table::default();
            let mut model: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
            for (is_insertion, key, value) in steps {
                let before = model.get(&key).cloned().unwrap_or_default();
                if is_insertion {
                    let want = match (before.is_empty(), before.contains(&value)) {
                        (true, _) => Added::Key,
                        (false, false) => Added::Value,
                        (false, true) => Added::Nothing,
                    };
                    prop_assert_eq!(table.add(&seed, key.as_bytes(), value), want);
                    model.entry(key).or_default().insert(value);
                } else {
                    let want = match (before.contains(&value), before.len()) {
                        (false, _) => Removed::Nothing,
                        (true, 1) => Removed::Key,
                        (true, _) => Removed::Value,
                    };
                    prop_assert_eq!(table.remove(&seed, key.as_bytes(), value), want);
                    if let Some(values) = model.get_mut(&key) {
                        values.remove(&value);
                    }
                    model.retain(|_, values| !values.is_empty());
                }
                prop_assert_eq!(table.keys(), model.len());
            }
            for (key, want) in &model {
                prop_assert_eq!(&values(&table, &seed, key), want);
            }
            let listed: BTreeSet<&[u8]> = table.entries().map(|(key, _)| key).collect();
            prop_assert_eq!(listed, model.keys().map(String::as_bytes).collect::<BTreeSet<_>>());
        }
    }

    #[test]
    fn keys_of_any_length_are_kept_and_removed_ones_leave_no_memory() {
        let seed = Seed::new([4; 32]);
        let mut table = Table::default();
        let lengths = [0, 1, 6, 7, 8, 127, 128, 129, 255, 256, 4_000, KEY_BYTES_MAX];
        for round in 0..300 {
            for length in lengths {
                let key = "k".repeat(length);
                assert_eq!(table.add(&seed, key.as_bytes(), round), Added::Key, "{length}");
                assert_eq!(values(&table, &seed, &key), [round].into());
            }
            for length in lengths {
                assert_eq!(
                    table.remove(&seed, "k".repeat(length).as_bytes(), round),
                    Removed::Key,
                    "{length}"
                );
            }
        }
        assert!(table.is_empty() && table.bytes() < 60_000, "{}", table.bytes());
    }
}
