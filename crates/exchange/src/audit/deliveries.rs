//! Who was handed what, by the ledger, for a few objects.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use ledger::entry::{Disclosure, Resource};
use store::{Copy, Position, Snapshot, StoreError};

use super::{Receiver, Spans, each_disclosure, is_whole};
use crate::read::segment_number;

/// Who was handed some copies, by the ledger.
///
/// The ledger is long, so it is read once for all copies, by its spans where these are known, and read on from where it was
/// read to.
#[derive(Debug, Default)]
pub(crate) struct Deliveries {
    /// How many entries were read.
    read: u64,
    copies: BTreeMap<Position, BTreeMap<String, Delivery>>,
}

/// That a reader was handed a copy.
#[derive(Clone, Debug)]
struct Delivery {
    first: String,
    entry: u64,
    whole: bool,
    /// Whether it was handed out in any form but blinded, so that its holder knows which object it is.
    named: bool,
    /// The credentials with which it came whole.
    credentials: BTreeSet<String>,
}

/// Copies by the number of their segment.
type Segments = HashMap<u64, Vec<Position>>;

fn by_segment(positions: &BTreeSet<Position>) -> Segments {
    let mut segments = Segments::new();
    for position in positions {
        segments.entry(segment_number(position.segment)).or_default().push(*position);
    }
    segments
}

impl Deliveries {
    /// What the ledger says of these copies.
    pub(crate) fn find(
        spans: &Spans,
        snapshot: &dyn Snapshot,
        positions: impl IntoIterator<Item = Position>,
    ) -> Result<Self, StoreError> {
        let positions: BTreeSet<Position> = positions.into_iter().collect();
        let copies = positions.iter().map(|position| (*position, BTreeMap::new())).collect();
        let mut found = Self { read: 0, copies };
        let segments = by_segment(&positions);
        let numbers = positions.iter().map(|position| segment_number(position.segment));
        let (entries, read) = spans.of(snapshot, numbers)?;
        for run in runs(&entries) {
            each_disclosure(snapshot, run, |index, disclosure| {
                found.note(&segments, index, &disclosure);
                Ok(())
            })?;
        }
        found.read = found.scan(snapshot, read, &positions)?;
        Ok(found)
    }

    /// Reads what the ledger says of these copies that is not known yet.
    pub(crate) fn bring_up(
        &mut self,
        snapshot: &dyn Snapshot,
        positions: impl IntoIterator<Item = Position>,
    ) -> Result<(), StoreError> {
        let news: BTreeSet<Position> =
            positions.into_iter().filter(|position| !self.copies.contains_key(position)).collect();
        let known: BTreeSet<Position> = self.copies.keys().copied().collect();
        if !known.is_empty() {
            self.read = self.scan(snapshot, self.read, &known)?;
        }
        if !news.is_empty() {
            self.copies.extend(news.iter().map(|position| (*position, BTreeMap::new())));
            self.read = self.scan(snapshot, 0, &news)?;
        }
        Ok(())
    }

    fn scan(
        &mut self,
        snapshot: &dyn Snapshot,
        from: u64,
        positions: &BTreeSet<Position>,
    ) -> Result<u64, StoreError> {
        let segments = by_segment(positions);
        each_disclosure(snapshot, from..u64::MAX, |index, disclosure| {
            self.note(&segments, index, &disclosure);
            Ok(())
        })
    }

    fn note(&mut self, segments: &Segments, index: u64, disclosure: &Disclosure) {
        for range in &disclosure.ranges {
            for position in segments.get(&range.segment).into_iter().flatten() {
                let at = u64::from(position.index);
                let is_in = (range.first..range.first + range.count).contains(&at)
                    && !disclosure
                        .except
                        .iter()
                        .any(|slot| slot.segment == range.segment && slot.index == at);
                if is_in && let Some(known) = self.copies.get_mut(position) {
                    deliver(known, index, disclosure);
                }
            }
        }
    }

    /// The credentials with which this copy was received whole.
    pub(crate) fn credentials(&self, position: Position) -> BTreeSet<&str> {
        let deliveries = self.copies.get(&position).into_iter().flat_map(BTreeMap::values);
        deliveries.flat_map(|delivery| delivery.credentials.iter().map(String::as_str)).collect()
    }

    /// Who was handed this copy or told of it. Whoever has it blinded was not: a notice would name it.
    pub(crate) fn readers(&self, position: Position) -> impl Iterator<Item = &str> {
        let readers = self.copies.get(&position).into_iter().flatten();
        readers.filter(|(_, delivery)| delivery.named).map(|(member, _)| member.as_str())
    }

    /// Who was handed one of these copies of an object, each with the first time of each version.
    pub(crate) fn receivers(&self, copies: &[Copy]) -> Vec<Receiver> {
        let mut found: BTreeMap<(&str, &str), Receiver> = BTreeMap::new();
        for copy in copies {
            for (member, delivery) in self.copies.get(&copy.position()).into_iter().flatten() {
                let here = Receiver {
                    member: member.clone(),
                    version: copy.head.version.clone(),
                    first: delivery.first.clone(),
                    entry: delivery.entry,
                    whole: delivery.whole,
                };
                let receiver = found.entry((member, &copy.head.version)).or_insert_with(|| here.clone());
                if (!here.whole, here.entry) < (!receiver.whole, receiver.entry) {
                    *receiver = here;
                }
            }
        }
        found.into_values().collect()
    }
}

/// Entries that lie near each other, to be read together.
fn runs(entries: &BTreeSet<u64>) -> Vec<Range<u64>> {
    /// Reading so many entries for nothing costs less than beginning to read once more.
    const GAP_MAX: u64 = 4;
    let mut runs: Vec<Range<u64>> = Vec::new();
    for entry in entries {
        match runs.last_mut() {
            Some(run) if *entry <= run.end + GAP_MAX => run.end = entry + 1,
            Some(_) | None => runs.push(*entry..entry + 1),
        }
    }
    runs
}

fn deliver(known: &mut BTreeMap<String, Delivery>, entry: u64, disclosure: &Disclosure) {
    let whole = is_whole(disclosure.resource);
    let delivery = known.entry(disclosure.member.clone()).or_insert_with(|| Delivery {
        first: disclosure.at.clone(),
        entry,
        whole,
        named: false,
        credentials: BTreeSet::new(),
    });
    delivery.named |= disclosure.resource != Resource::Blinded;
    if whole {
        if !delivery.whole {
            (delivery.whole, delivery.first, delivery.entry) = (true, disclosure.at.clone(), entry);
        }
        delivery.credentials.insert(disclosure.credential.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_that_lie_near_are_read_together() {
        let cases: [(&[u64], &str); 4] =
            [(&[], "[]"), (&[7], "[7..8]"), (&[1, 2, 7], "[1..8]"), (&[1, 7, 8], "[1..2, 7..9]")];
        for (entries, want) in cases {
            let found = runs(&entries.iter().copied().collect());
            assert_eq!(format!("{found:?}"), want, "{entries:?}");
        }
    }
}
