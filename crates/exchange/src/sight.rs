//! What left a reader's sight, and when.
//!
//! A poll brings what is new; that something is gone, no poll says. Whoever acts on what it holds has to know, so a stream
//! tells its reader to look again at what there is. Two things take an object out of sight:
//!
//! - its label closes for the reader, which the reader's grants say;
//! - it is withdrawn, deleted, or moved to another label. The hub keeps when that last happened to each label, and where
//!   to: a *departure*.
//!
//! A departure concerns only those to whom the label was open at that instant, and the new one is not. Nobody else is
//! told anything, so nothing can be inferred from what is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{CollectionId, LabelId, Timestamp};
use release::Grants;
use store::StoreError;

use crate::exchange::Hand;
use crate::registry::{DEPARTED, Registry};

/// When something last left each label, and for which; `None` is for good.
#[derive(Clone, Debug, Default)]
pub(crate) struct Departures(BTreeMap<LabelId, BTreeMap<Option<LabelId>, Timestamp>>);

impl Departures {
    pub(crate) fn note(&mut self, from: LabelId, to: Option<LabelId>, at: Timestamp) {
        let last = self.0.entry(from).or_default().entry(to).or_insert(at);
        *last = at.max(*last);
    }

    /// When something last left a label.
    pub(crate) fn last_from(&self, label: LabelId) -> Option<Timestamp> {
        self.0.get(&label)?.values().max().copied()
    }

    /// Reads the key of a record back.
    pub(crate) fn labels_of(key: &str) -> Option<(LabelId, Option<LabelId>)> {
        let (from, to) = key.split_once('-')?;
        let number = |text: &str| text.parse::<u32>().ok().map(LabelId::new);
        Some((number(from)?, if to.is_empty() { None } else { Some(number(to)?) }))
    }

    fn key_of(from: LabelId, to: Option<LabelId>) -> String {
        format!("{:08}-{}", from.number(), to.map(|to| format!("{:08}", to.number())).unwrap_or_default())
    }
}

/// Takes note that something left a label at `at`, for another one or for good.
pub(crate) fn depart(
    turn: &mut Hand<'_>,
    from: LabelId,
    to: Option<LabelId>,
    at: Timestamp,
) -> Result<(), StoreError> {
    if to == Some(from) {
        return Ok(());
    }
    turn.put_json(DEPARTED, &Departures::key_of(from, to), &at)?;
    let registry = Arc::make_mut(turn.registry);
    Arc::make_mut(&mut registry.departures).note(from, to, at);
    Ok(())
}

/// When something last left the sight of a reader with these grants, after `since` and not after `now`, in a collection.
pub(crate) fn last_loss(
    registry: &Registry,
    grants: &Grants,
    collection: CollectionId,
    since: Timestamp,
    now: Timestamp,
) -> Option<Timestamp> {
    let is_news = |at: &Timestamp| *at > since && *at <= now;
    let mut last = None;
    for label in registry.labels.of(collection) {
        let open = grants.intervals(*label);
        let closings = open.as_slice().iter().filter_map(|interval| interval.to).filter(is_news);
        last = last.max(closings.max());
        let departures = registry.departures.0.get(label).into_iter().flatten();
        for (to, at) in departures.filter(|(_, at)| is_news(at)) {
            let is_gone = to.is_none_or(|to| !grants.intervals(to).is_open(*at));
            if is_gone && open.is_open(*at) {
                last = last.max(Some(*at));
            }
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_back() {
        let (one, two) = (LabelId::new(1), LabelId::new(20));
        for (from, to) in [(one, None), (two, Some(one))] {
            assert_eq!(Departures::labels_of(&Departures::key_of(from, to)), Some((from, to)));
        }
        for key in ["", "1", "x-", "1-x"] {
            assert_eq!(Departures::labels_of(key), None, "{key}");
        }
    }
}
