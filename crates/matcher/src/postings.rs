//! Who lists a key: one value in place, or a list elsewhere.
//!
//! Nearly every key is listed once, so a table's entry has room for one value of 31 bits. A key that several list has the number
//! of a list there instead, told by the highest bit.

/// The highest slot that a table can hold.
pub const SLOT_MAX: u32 = (1 << 30) - 1;

/// A value's bit that says that names below match too.
pub(crate) const SUBDOMAINS: u32 = 1 << 30;

/// A head's bit that says that a list's number follows.
const LISTED: u32 = 1 << 31;

/// No head: an entry that is gone.
pub(crate) const DEAD: u32 = u32::MAX;

#[derive(Default)]
pub(crate) struct Postings {
    /// Each in ascending order.
    lists: Vec<Vec<u32>>,
    free: Vec<u32>,
}

/// What is left of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dropped {
    Absent,
    Left(u32),
    Empty,
}

impl Postings {
    /// The head with `value` too; `None` if it has it already.
    pub(crate) fn add(&mut self, head: u32, value: u32) -> Option<u32> {
        if head & LISTED == 0 {
            if head == value {
                return None;
            }
            let both = if head < value { vec![head, value] } else { vec![value, head] };
            let number = self.free.pop().unwrap_or(u32::try_from(self.lists.len()).unwrap_or(DEAD));
            match self.lists.get_mut(number as usize) {
                Some(place) => *place = both,
                None => self.lists.push(both),
            }
            return Some(LISTED | number);
        }
        let list = &mut self.lists[(head & !LISTED) as usize];
        let place = list.binary_search(&value).err()?;
        list.insert(place, value);
        Some(head)
    }

    pub(crate) fn drop(&mut self, head: u32, value: u32) -> Dropped {
        if head & LISTED == 0 {
            return if head == value { Dropped::Empty } else { Dropped::Absent };
        }
        let number = head & !LISTED;
        let list = &mut self.lists[number as usize];
        let Ok(place) = list.binary_search(&value) else { return Dropped::Absent };
        list.remove(place);
        let [only] = list[..] else { return Dropped::Left(head) };
        *list = Vec::new();
        self.free.push(number);
        Dropped::Left(only)
    }

    pub(crate) fn each(&self, head: u32, mut visit: impl FnMut(u32)) {
        if head & LISTED == 0 {
            return visit(head);
        }
        self.lists[(head & !LISTED) as usize].iter().for_each(|value| visit(*value));
    }

    pub(crate) fn bytes(&self) -> usize {
        let lists: usize = self.lists.iter().map(|list| list.capacity() * size_of::<u32>()).sum();
        lists + self.lists.capacity() * size_of::<Vec<u32>>() + self.free.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_holds_what_was_added_and_not_dropped() {
        let mut postings = Postings::default();
        let seen = |postings: &Postings, head| {
            let mut values = Vec::new();
            postings.each(head, |value| values.push(value));
            values
        };
        let head = 5;
        assert_eq!(postings.add(head, 5), None);
        let head = postings.add(head, 3).unwrap();
        let head = postings.add(head, 9).unwrap();
        assert_eq!(postings.add(head, 9), None);
        assert_eq!(seen(&postings, head), [3, 5, 9]);
        assert_eq!(postings.drop(head, 4), Dropped::Absent);
        assert_eq!(postings.drop(head, 5), Dropped::Left(head));
        let Dropped::Left(single) = postings.drop(head, 3) else { panic!("9 is left") };
        assert_eq!(seen(&postings, single), [9]);
        assert_eq!(postings.drop(single, 8), Dropped::Absent);
        assert_eq!(postings.drop(single, 9), Dropped::Empty);
        // The list's place is used again.
        assert_eq!(postings.add(1, 2), Some(LISTED));
    }
}
