//! What the policies said, remembered for as long as it holds: one epoch.
//!
//! No answer outlives its epoch, for that counts every change of policy, standing and membership. When more is remembered than
//! there is room for, all of it is forgotten: what is asked for again comes back at the price of one question each.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use model::Epoch;

/// Answers by what was asked.
pub(crate) struct Remembered<K, V> {
    known: Mutex<HashMap<K, (Epoch, V)>>,
    entries_max: usize,
}

impl<K: Eq + Hash, V: Clone> Remembered<K, V> {
    pub(crate) fn new(entries_max: usize) -> Self {
        Self { known: Mutex::default(), entries_max }
    }

    /// The answer of this epoch.
    pub(crate) fn get(&self, asked: &K, epoch: Epoch) -> Option<V> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(asked).filter(|(of, _)| *of == epoch).map(|(_, answer)| answer.clone())
    }

    pub(crate) fn keep(&self, asked: K, epoch: Epoch, answer: V) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= self.entries_max {
            known.clear();
        }
        known.insert(asked, (epoch, answer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_with_its_epoch_and_room_is_made() {
        let remembered = Remembered::new(2);
        let (one, two) = (Epoch::default(), Epoch::default().next());
        remembered.keep('a', one, 1);
        assert_eq!((remembered.get(&'a', one), remembered.get(&'a', two)), (Some(1), None));
        remembered.keep('a', two, 2);
        remembered.keep('b', two, 3);
        assert_eq!((remembered.get(&'a', two), remembered.get(&'b', two)), (Some(2), Some(3)));
        remembered.keep('c', two, 4);
        assert_eq!((remembered.get(&'a', two), remembered.get(&'c', two)), (None, Some(4)));
    }
}
