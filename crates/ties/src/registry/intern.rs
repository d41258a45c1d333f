//! Texts by number.
//!
//! A registry of four million statements names some twelve million things, most of them in twenty bytes. As strings
//! of their own they would cost a gigabyte in headers and allocations; here they lie end to end in one arena, and a
//! number of four bytes stands for each.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

/// "No such number", where a number is optional and four bytes must do.
pub(crate) const NONE: u32 = u32::MAX;

/// From how many texts on it pays to sort them first.
const BULK_MIN: usize = 4_096;

/// Of a table of 40 MB, a region of this many is 40 kB: it stays in the nearest cache.
const REGIONS: usize = 1_024;

/// The most bytes that one arena holds: what an offset of four bytes can tell apart.
const ARENA_BYTES_MAX: usize = u32::MAX as usize;

/// No room for one more text: four gigabytes, or four thousand million of them, are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// A set of texts, each with the number of its arrival.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interner {
    bytes: Vec<u8>,
    /// Where each text ends; it begins where the one before ends.
    ends: Vec<u32>,
    numbers: HashTable<u32>,
    // Seeded at random for each registry, since the texts come from outside. It decides where a number lies in the
    // table and nothing that can be seen.
    hasher: DefaultHashBuilder,
}

impl Interner {
    /// How many texts there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Makes room for that many more texts, of that many bytes together.
    pub(crate) fn reserve(&mut self, texts: usize, bytes: usize) {
        let Self { bytes: arena, ends, numbers, hasher } = self;
        arena.reserve(bytes);
        ends.reserve(texts);
        numbers.reserve(texts, |&number| hasher.hash_one(slice(arena, ends, number)));
    }

    /// The number of a text that is here.
    pub(crate) fn find(&self, text: &[u8]) -> Option<u32> {
        let hash = self.hasher.hash_one(text);
        self.numbers.find(hash, |&number| slice(&self.bytes, &self.ends, number) == text).copied()
    }

    /// The number of a text, which is put in if it is new.
    pub(crate) fn intern(&mut self, text: &[u8]) -> Result<u32, Full> {
        let Self { bytes, ends, numbers, hasher } = self;
        let hash = hasher.hash_one(text);
        if let Some(&number) = numbers.find(hash, |&number| slice(bytes, ends, number) == text) {
            return Ok(number);
        }
        let end = bytes.len() + text.len();
        let number = u32::try_from(ends.len()).ok().filter(|&number| number != NONE).ok_or(Full)?;
        if end > ARENA_BYTES_MAX {
            return Err(Full);
        }
        bytes.extend_from_slice(text);
        ends.push(u32::try_from(end).map_err(|_| Full)?);
        numbers.insert_unique(hash, number, |&number| hasher.hash_one(slice(bytes, ends, number)));
        Ok(number)
    }

    /// The numbers of many texts, which are put in if they are new.
    ///
    /// One by one, each would wait for a cache line of a table that is far larger than any cache. So they are looked
    /// up region by region of the table, numbered in the order in which they came, and put in region by region.
    pub(crate) fn intern_all(&mut self, texts: &[&[u8]]) -> Result<Vec<u32>, Full> {
        if texts.len() < BULK_MIN {
            return texts.iter().map(|text| self.intern(text)).collect();
        }
        self.reserve(texts.len(), texts.iter().map(|text| text.len()).sum());
        let hashes: Vec<u64> = texts.iter().map(|text| self.hasher.hash_one(text)).collect();
        let order = by_region(&hashes, self.numbers.capacity());
        let Self { bytes, ends, numbers, hasher } = self;
        let mut found = vec![NONE; texts.len()];
        for &place in &order {
            let (hash, text) = (hashes[place as usize], texts[place as usize]);
            if let Some(&number) = numbers.find(hash, |&number| slice(bytes, ends, number) == text) {
                found[place as usize] = number;
            }
        }
        let first_new = number_of(ends.len())?;
        for (text, found) in texts.iter().zip(&mut found).filter(|(_, found)| **found == NONE) {
            *found = number_of(ends.len())?;
            bytes.extend_from_slice(text);
            ends.push(number_of(bytes.len())?);
        }
        for &place in &order {
            let (hash, number) = (hashes[place as usize], found[place as usize]);
            if number >= first_new {
                let text = slice(bytes, ends, number);
                if let Some(&earlier) = numbers.find(hash, |&other| slice(bytes, ends, other) == text) {
                    // It came twice; the second number stands for nothing.
                    found[place as usize] = earlier;
                } else {
                    let hash_of = |&number: &u32| hasher.hash_one(slice(bytes, ends, number));
                    numbers.insert_unique(hash, number, hash_of);
                }
            }
        }
        Ok(found)
    }

    /// The text of a number that [`intern`](Self::intern) gave.
    pub(crate) fn bytes(&self, number: u32) -> &[u8] {
        slice(&self.bytes, &self.ends, number)
    }

    /// The same, of an interner that was given nothing but text.
    pub(crate) fn text(&self, number: u32) -> &str {
        std::str::from_utf8(self.bytes(number)).expect("only text was put in")
    }
}

/// A count as a number that is not [`NONE`].
fn number_of(count: usize) -> Result<u32, Full> {
    u32::try_from(count).ok().filter(|&number| number != NONE).ok_or(Full)
}

/// The places of hashes, by the region of a table into which they fall: a table of 2^n places looks first at the place
/// that the lowest n bits name.
fn by_region(hashes: &[u64], capacity: usize) -> Vec<u32> {
    let mask = capacity.next_power_of_two() as u64 - 1;
    let shift = mask.count_ones().saturating_sub(REGIONS.trailing_zeros());
    let region = |hash: u64| usize::try_from((hash & mask) >> shift).unwrap_or(0);
    let mut starts = [0_u32; REGIONS + 1];
    for &hash in hashes {
        starts[region(hash) + 1] += 1;
    }
    for at in 0..REGIONS {
        starts[at + 1] += starts[at];
    }
    let mut order = vec![0; hashes.len()];
    for (place, &hash) in (0_u32..).zip(hashes) {
        let start = &mut starts[region(hash)];
        order[*start as usize] = place;
        *start += 1;
    }
    order
}

fn slice<'b>(bytes: &'b [u8], ends: &[u32], number: u32) -> &'b [u8] {
    let number = number as usize;
    let start = if number == 0 { 0 } else { ends[number - 1] as usize };
    &bytes[start..ends[number] as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_at_once_are_numbered_as_one_by_one() {
        let texts: Vec<String> = (0..30_000).map(|n| format!("entity-{}", n % 20_000)).collect();
        let texts: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
        let (mut bulk, mut single) = (Interner::default(), Interner::default());
        for part in [&texts[..5_000], &texts[2_000..20_000], &texts[..100]] {
            let numbers: Vec<u32> = part.iter().map(|text| single.intern(text).unwrap()).collect();
            assert_eq!(bulk.intern_all(part).unwrap(), numbers);
        }
        // Where one stands twice in a part, both get the first number, and nothing else is lost.
        let numbers = bulk.intern_all(&texts).unwrap();
        assert!(texts.iter().zip(&numbers).all(|(text, &number)| bulk.bytes(number) == *text));
        assert_eq!(numbers[..10_000], numbers[20_000..]);
        let both = vec![&b"new"[..]; BULK_MIN];
        let numbers = bulk.intern_all(&both).unwrap();
        assert!(numbers.iter().all(|&number| Some(number) == bulk.find(b"new")));
    }

    #[test]
    fn a_text_keeps_its_number() {
        let mut interner = Interner::default();
        let texts: Vec<String> = (0..1_000).map(|n| format!("entity-{n}")).collect();
        let numbers: Vec<u32> = texts.iter().map(|text| interner.intern(text.as_bytes()).unwrap()).collect();
        assert_eq!(numbers, (0..1_000).collect::<Vec<u32>>());
        for (text, number) in texts.iter().zip(numbers) {
            assert_eq!(interner.intern(text.as_bytes()), Ok(number));
            assert_eq!(interner.find(text.as_bytes()), Some(number));
            assert_eq!(interner.text(number), text);
        }
        assert_eq!((interner.find(b"entity-1000"), interner.len()), (None, 1_000));
        assert_eq!(interner.intern(b""), Ok(1_000));
        assert_eq!((interner.bytes(1_000), interner.text(999)), (&b""[..], "entity-999"));
    }
}
