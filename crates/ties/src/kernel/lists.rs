//! Many short lists in one vector.
//!
//! Freshly built, they lie one after another without gaps. A list that outgrows its place moves to the end with room
//! to grow; what it leaves behind is never more than what it takes.

use std::collections::BTreeMap;

use super::holdings::{Node, number};

#[derive(Clone, Debug, Default)]
pub(crate) struct Lists<T> {
    cells: Vec<T>,
    /// How many cells a list owns, where it is not just as many as it uses.
    room: BTreeMap<Node, u32>,
}

impl<T: Copy> Lists<T> {
    pub(crate) fn new(cells: Vec<T>) -> Self {
        Self { cells, room: BTreeMap::new() }
    }

    pub(crate) fn list(&self, start: u32, len: u32) -> &[T] {
        &self.cells[start as usize..start as usize + len as usize]
    }

    pub(crate) fn list_mut(&mut self, start: u32, len: u32) -> &mut [T] {
        &mut self.cells[start as usize..start as usize + len as usize]
    }

    /// Inserts into the list of `key`, and returns where it is now.
    pub(crate) fn insert(&mut self, key: Node, span: (u32, u32), place: usize, value: T) -> (u32, u32) {
        let (mut start, len) = span;
        let room = self.room.get(&key).copied().unwrap_or(len);
        if len == room {
            let grown = (2 * room).max(4);
            let moved = number(self.cells.len());
            self.cells.extend_from_within(start as usize..(start + len) as usize);
            self.cells.resize((moved + grown) as usize, value);
            self.room.insert(key, grown);
            start = moved;
        }
        let cells = &mut self.cells[start as usize..=(start + len) as usize];
        cells.copy_within(place..len as usize, place + 1);
        cells[place] = value;
        (start, len + 1)
    }

    /// Removes from the list of `key`, and returns how long it is now.
    pub(crate) fn remove(&mut self, key: Node, span: (u32, u32), place: usize) -> u32 {
        let (start, len) = span;
        self.room.entry(key).or_insert(len);
        self.list_mut(start, len).copy_within(place + 1.., place);
        len - 1
    }
}
