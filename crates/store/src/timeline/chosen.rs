//! Which of several stored copies of one object a reader gets.
//!
//! Most objects have one copy and no mark, and nothing here is asked. The rest:
//!
//! - *Versions*: TAXII hands out the last version unless asked otherwise (TAXII 2.1 §3.4.1, `match[version]`). The last
//!   is the last *that this reader may see*.
//! - *Re-labelled*: the copy under the old label ends at the instant at which the one under the new label begins. The
//!   two are one object with a history. A reader gets it where it first became visible along that history, and
//!   only if the newest copy is open to it now; so whoever had it before gets nothing twice, and whoever is
//!   admitted by the new label gets it then.
//! - *Shadows*: two contents of one id and version, the second accepted because its poster could not know of the
//!   first. A reader gets the first one that it may see, and never the other.
//! - *Deleted*: nothing is left.

use std::collections::BTreeMap;

use model::{CollectionId, Timestamp};
use release::View;
use stix::StixTimestamp;

use crate::{Copy, Departure};

/// Which versions of an object are asked for (TAXII 2.1 §3.4.1, `match[version]`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionChoice {
    /// Every version.
    pub all: bool,
    /// The earliest.
    pub first: bool,
    /// The latest.
    pub last: bool,
    /// These.
    pub exact: Vec<String>,
}

impl VersionChoice {
    /// The latest version, which is what TAXII hands out unless asked otherwise.
    #[must_use]
    pub fn last() -> Self {
        Self { all: false, first: false, last: true, exact: Vec::new() }
    }

    /// Every version.
    #[must_use]
    pub fn all() -> Self {
        Self { all: true, first: false, last: false, exact: Vec::new() }
    }

    /// Whether an object that has no other version is wanted.
    #[must_use]
    pub fn wants_single(&self, version: &str) -> bool {
        self.all || self.first || self.last || self.names(version)
    }

    fn names(&self, version: &str) -> bool {
        !self.exact.is_empty() && {
            let key = version_key(version);
            self.exact.iter().any(|exact| version_key(exact) == key)
        }
    }
}

/// Versions in the order of time, and behind them by spelling, so that any two differ if their spellings mean
/// different instants.
fn version_key(version: &str) -> (Option<StixTimestamp>, &str) {
    match version.parse::<StixTimestamp>() {
        Ok(instant) => (Some(instant), ""),
        Err(_) => (None, version),
    }
}

/// The copies of one object that the reader gets, one for each wanted version, in the order of versions.
///
/// `copies` are all of one id, in the order of arrival.
#[must_use]
pub fn chosen_copies<'c>(
    view: &View,
    collection: CollectionId,
    copies: &'c [Copy],
    choice: &VersionChoice,
    now: Timestamp,
    horizon: Timestamp,
) -> Vec<&'c Copy> {
    let mut by_version: BTreeMap<_, Vec<&Copy>> = BTreeMap::new();
    for copy in copies.iter().filter(|copy| copy.collection == collection) {
        by_version.entry(version_key(&copy.head.version)).or_default().push(copy);
    }
    let visible: Vec<&Copy> =
        by_version.values().filter_map(|copies| first_visible(view, copies, now, horizon)).collect();
    let newest = visible.len().saturating_sub(1);
    let wanted = |index: usize, copy: &Copy| {
        choice.all
            || (choice.first && index == 0)
            || (choice.last && index == newest)
            || choice.names(&copy.head.version)
    };
    visible.iter().enumerate().filter(|(index, copy)| wanted(*index, copy)).map(|(_, copy)| *copy).collect()
}

/// Of the copies of one version: the place at which the reader first met the first one that it may see now.
fn first_visible<'c>(
    view: &View,
    copies: &[&'c Copy],
    now: Timestamp,
    horizon: Timestamp,
) -> Option<&'c Copy> {
    let continues = |copy: &Copy| {
        copies.iter().any(|earlier| earlier.left == Some((copy.arrived(), Departure::Relabelled)))
    };
    copies.iter().filter(|copy| !continues(copy)).find_map(|first| {
        let history = history(copies, first);
        let newest = history.last()?;
        let is_open = newest.left.is_none() && view.intervals(newest.run.id.label).is_open(now);
        if !is_open {
            return None;
        }
        let met = history.into_iter().find(|copy| {
            view.intervals(copy.run.id.label)
                .was_open_within(copy.arrived(), copy.left.map(|(at, _)| at))
        })?;
        let opened = view.intervals(met.run.id.label).first_open_from(met.arrived())?;
        (opened <= horizon).then_some(met)
    })
}

/// The copies that continue one another from `first` on.
fn history<'c>(copies: &[&'c Copy], first: &'c Copy) -> Vec<&'c Copy> {
    let mut history = vec![first];
    let mut at = first;
    while let Some((left, Departure::Relabelled)) = at.left {
        let Some(next) = copies.iter().find(|copy| copy.arrived() == left && copy.position() != at.position()) else {
            break;
        };
        if history.len() >= copies.len() {
            break;
        }
        history.push(next);
        at = next;
    }
    history
}
