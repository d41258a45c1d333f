//! Where in the ledger to look for who was handed an object.
//!
//! The ledger is long, and most of its disclosures speak of other objects. So of each disclosure it is kept in memory, label by
//! label, from which commit to which it reaches; whoever asks about one object then opens those entries alone:
//!
//! ```text
//! entry 107   label 3, commits 40 to 52        an object of label 3 in commit 45: open 107 and 109
//! entry 108   label 3, commits 53 to 60
//! entry 109   label 3, commits 1 to 60; label 9, commit 4
//! ```
//!
//! Who received how much is added up on the way.
//!
//! It is an index and no source: what an entry says is read from the entry. It is read on whenever somebody asks, and a little
//! every second, so that the first to ask after a start does not wait for the whole log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use ledger::entry::Disclosure;
use store::{Snapshot, StoreError};

use super::{each_disclosure, is_whole};
use crate::read::segment_of;

/// How many spans are kept: 12 bytes each, so 48 MB. Entries beyond are opened one by one.
const SPANS_MAX: usize = 4_000_000;

/// From which commit to which an entry reaches, within one label.
struct Span {
    entry: u32,
    first: u32,
    last: u32,
}

/// The spans of the ledger's entries, up to one of them.
#[derive(Default)]
pub(crate) struct Spans(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// How many entries were read.
    entries: u64,
    count: usize,
    /// The first entry that had no room, if one had none.
    full_at: Option<u64>,
    by_label: BTreeMap<u32, Vec<Span>>,
    by_reader: BTreeMap<String, Taken>,
}

/// What a reader was handed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// How many whole objects, each as often as it was.
    pub(crate) objects: u64,
    /// When it last was, as the ledger has it.
    pub(crate) last: String,
}

impl Known {
    /// Whether it has room for the disclosure, and then has it.
    fn add(&mut self, entry: u64, disclosure: &Disclosure) -> bool {
        let mut reach: BTreeMap<u32, (u32, u32)> = BTreeMap::new();
        let Ok(entry) = u32::try_from(entry) else { return false };
        for range in &disclosure.ranges {
            let segment = segment_of(range.segment);
            let Ok(commit) = u32::try_from(segment.commit.0) else { return false };
            let (first, last) = reach.entry(segment.label.number()).or_insert((commit, commit));
            (*first, *last) = ((*first).min(commit), (*last).max(commit));
        }
        if self.count + reach.len() > SPANS_MAX {
            return false;
        }
        self.count += reach.len();
        for (label, (first, last)) in reach {
            self.by_label.entry(label).or_default().push(Span { entry, first, last });
        }
        true
    }

    /// The entries that may speak of a segment.
    fn near(&self, number: u64) -> impl Iterator<Item = u64> {
        let segment = segment_of(number);
        let spans = self.by_label.get(&segment.label.number()).map_or(&[][..], Vec::as_slice);
        let commit = u32::try_from(segment.commit.0).ok();
        let near =
            move |span: &&Span| commit.is_some_and(|commit| (span.first..=span.last).contains(&commit));
        spans.iter().filter(near).map(|span| u64::from(span.entry))
    }

    fn read_on(&mut self, snapshot: &dyn Snapshot, entries: u64) -> Result<(), StoreError> {
        let until = self.entries.saturating_add(entries);
        self.entries = each_disclosure(snapshot, self.entries..until, |entry, disclosure| {
            if self.full_at.is_none() && !self.add(entry, &disclosure) {
                self.full_at = Some(entry);
            }
            self.take(&disclosure);
            Ok(())
        })?;
        Ok(())
    }

    fn take(&mut self, disclosure: &Disclosure) {
        if is_whole(disclosure.resource) {
            let taken = self.by_reader.entry(disclosure.member.clone()).or_default();
            taken.objects = taken.objects.saturating_add(disclosure.count);
            taken.last.clone_from(&disclosure.at);
        }
    }
}

impl Spans {
    /// Reads on, by so many entries at most.
    pub(crate) fn read_on(&self, snapshot: &dyn Snapshot, entries: u64) -> Result<(), StoreError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).read_on(snapshot, entries)
    }

    /// The entries that may speak of one of these segments, and up to which entry that is known; those behind it have to be
    /// looked at one by one.
    pub(crate) fn of(
        &self,
        snapshot: &dyn Snapshot,
        segments: impl IntoIterator<Item = u64>,
    ) -> Result<(BTreeSet<u64>, u64), StoreError> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.read_on(snapshot, u64::MAX)?;
        let mut entries = BTreeSet::new();
        for number in segments {
            entries.extend(known.near(number));
        }
        Ok((entries, known.full_at.unwrap_or(known.entries)))
    }

    /// What each reader, by its name in the ledger, was handed.
    pub(crate) fn taken(&self, snapshot: &dyn Snapshot) -> Result<BTreeMap<String, Taken>, StoreError> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.read_on(snapshot, u64::MAX)?;
        Ok(known.by_reader.clone())
    }
}

#[cfg(test)]
mod tests {
    use ledger::entry::{Range, Resource};
    use store::SegmentId;

    use super::*;
    use crate::read::segment_number;

    fn number(label: u32, commit: u64) -> u64 {
        let label = model::LabelId::new(label);
        segment_number(SegmentId { label, commit: store::CommitNo(commit) })
    }

    #[test]
    fn an_entry_is_looked_at_for_the_labels_and_commits_that_it_reaches() {
        let disclosure = |segments: &[(u32, u64)]| Disclosure {
            ranges: segments
                .iter()
                .map(|(label, commit)| Range { segment: number(*label, *commit), first: 0, count: 1 })
                .collect(),
            at: String::new(),
            member: String::new(),
            credential: String::new(),
            collection: String::new(),
            epoch: 1,
            resource: Resource::Objects,
            except: Vec::new(),
            count: 0,
            digest: String::new(),
            query: String::new(),
        };
        let mut known = Known::default();
        assert!(known.add(107, &disclosure(&[(3, 40), (3, 52)])));
        assert!(known.add(108, &disclosure(&[(3, 53), (3, 60)])));
        assert!(known.add(109, &disclosure(&[(9, 4), (3, 60), (3, 1)])));
        assert_eq!(known.count, 4, "one for each entry and label");
        assert!(!known.add(u64::MAX, &disclosure(&[(3, 1)])), "what has no room is left to be read");
        let near = |label: u32, commit: u64| known.near(number(label, commit)).collect::<Vec<u64>>();
        assert_eq!(near(3, 45), [107, 109]);
        assert_eq!(near(3, 60), [108, 109]);
        assert_eq!(near(9, 4), [109]);
        assert!(near(9, 5).is_empty() && near(4, 45).is_empty());
    }
}
