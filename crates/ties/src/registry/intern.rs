//! Texts by number.
//!
//! A registry of four million statements names some twelve million things, most of them in twenty bytes. As strings
//! of their own they would cost a gigabyte in headers and allocations; here they lie end to end in one arena, and a
//! number of four bytes stands for each.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

/// "No such number", where a number is optional and four bytes must do.
pub(crate) const NONE: u32 = u32::MAX;

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

    /// The text of a number that [`intern`](Self::intern) gave.
    pub(crate) fn bytes(&self, number: u32) -> &[u8] {
        slice(&self.bytes, &self.ends, number)
    }

    /// The same, of an interner that was given nothing but text.
    pub(crate) fn text(&self, number: u32) -> &str {
        std::str::from_utf8(self.bytes(number)).expect("only text was put in")
    }
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
