//! Strings that are sought in text, found by their first token.

use hashbrown::HashTable;
use smallvec::SmallVec;

use crate::hash::Seed;
use crate::table::{Added, Removed, Table};
use crate::text;

#[derive(Default)]
pub(crate) struct Texts {
    table: Table,
    /// For the hash of a first token: how many tokens the strings have that begin with it, and how many strings have so many.
    firsts: HashTable<(u64, Lengths)>,
}

type Lengths = SmallVec<[(u8, u32); 2]>;

/// A string's first token and the number of its tokens.
fn head(seed: &Seed, text: &str) -> (u64, u8) {
    let mut tokens = text::tokens(text.as_bytes());
    let first = tokens.next().unwrap_or_default();
    (seed.hash(&text.as_bytes()[first]), u8::try_from(tokens.count() + 1).unwrap_or(u8::MAX))
}

impl Texts {
    pub(crate) fn keys(&self) -> usize {
        self.table.keys()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.table.bytes() + self.firsts.allocation_size()
    }

    pub(crate) fn add(&mut self, seed: &Seed, text: &str, slot: u32) -> bool {
        let added = self.table.add(seed, text.as_bytes(), slot);
        if added == Added::Key {
            let (first, tokens) = head(seed, text);
            let entry = self.firsts.entry(first, |(other, _)| *other == first, |(other, _)| *other);
            let mut entry = entry.or_insert_with(|| (first, Lengths::new()));
            let lengths = &mut entry.get_mut().1;
            match lengths.iter_mut().find(|(length, _)| *length == tokens) {
                Some((_, count)) => *count += 1,
                None => lengths.push((tokens, 1)),
            }
        }
        added != Added::Nothing
    }

    pub(crate) fn remove(&mut self, seed: &Seed, text: &str, slot: u32) -> bool {
        let removed = self.table.remove(seed, text.as_bytes(), slot);
        if removed == Removed::Key {
            let (first, tokens) = head(seed, text);
            if let Ok(mut entry) = self.firsts.find_entry(first, |(other, _)| *other == first) {
                let lengths = &mut entry.get_mut().1;
                if let Some((_, count)) = lengths.iter_mut().find(|(length, _)| *length == tokens) {
                    *count -= 1;
                }
                lengths.retain(|(_, count)| *count > 0);
                if lengths.is_empty() {
                    entry.remove();
                }
            }
        }
        removed != Removed::Nothing
    }

    /// The numbers of tokens of strings that begin with a token of this hash.
    pub(crate) fn lengths(&self, first: u64) -> Option<&Lengths> {
        self.firsts.find(first, |(other, _)| *other == first).map(|(_, lengths)| lengths)
    }

    /// Visits those who list a string in canonical form.
    pub(crate) fn each(&self, seed: &Seed, text: &[u8], visit: impl FnMut(u32)) {
        if let Some(head) = self.table.find(seed.hash(text), text) {
            self.table.each(head, visit);
        }
    }
}
