//! Which of several stored copies of one object a reader gets.
//!
//! Most objects have one copy and no mark, and nothing here is asked. The rest:
//!
//! - *Versions*: TAXII hands out the last version unless asked otherwise (TAXII 2.1 §3.4.1, `match[version]`). The last
//!   is the last *that this reader may see*.
//! - *Re-labelled*: the copy under the old label ends at the instant at which the one under the new label begins. The
//!   two are one object with a history. A reader gets it only if the newest copy is open to it now, and it gets it at
//!   the place along that history from which on it could see it without a gap. Where there was a gap, a client's
//!   cursor cannot tell whether the client had the object before; the record of who had received the older copy
//!   when it was re-labelled can ([`RECEIVED`]). Whoever had gets nothing twice, and whoever had not gets it now.
//! - *Shadows*: something that was accepted although a content or a version that its poster could not know of stands
//!   against it. It stays closed to whoever may read that one ([`SHADOW`]). The label says nothing of it, or the order of
//!   its poster's own objects would.
//! - *Deleted*: nothing is left.

use std::collections::BTreeMap;

use model::{CollectionId, CredentialId, LabelId, Timestamp};
use release::View;
use stix::StixTimestamp;

use crate::{Copy, Departure, Position, Snapshot, StoreError};

/// The kind of the records that say which credentials had received an object when it was re-labelled. Their keys are
/// made by [`received_key`], and their documents are JSON lists of credential ids.
pub const RECEIVED: &str = "received";

/// The key of a position's record of receivers.
#[must_use]
pub fn received_key(position: Position) -> String {
    format!("{:08}/{:013}/{}", position.segment.label.number(), position.segment.commit.0, position.index)
}

/// The kind of the records that name, for a shadow, the label of what it stands against; keys as of [`RECEIVED`].
pub const SHADOW: &str = "shadow";

/// Whether the reader may read what the copy is only a shadow of.
fn is_shadowed(
    snapshot: &dyn Snapshot,
    view: &View,
    copy: &Copy,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let Some(record) = snapshot.get(SHADOW, &received_key(copy.position()))? else { return Ok(false) };
    let number = std::str::from_utf8(&record).ok().and_then(|text| text.parse().ok());
    let number =
        number.ok_or_else(|| StoreError::Damaged(format!("the shadow of {} is unreadable", copy.head.id)))?;
    Ok(view.intervals(LabelId::new(number)).is_open(now))
}

/// Whether the credential had received the copy when it was re-labelled. Where nobody recorded it the answer is no:
/// an object that comes twice does less harm than one that never comes.
fn had_received(snapshot: &dyn Snapshot, credential: &CredentialId, copy: &Copy) -> Result<bool, StoreError> {
    let record = snapshot.get(RECEIVED, &received_key(copy.position()))?;
    // Credential ids have one length, so a quoted one cannot be part of another.
    let quoted = format!("\"{credential}\"");
    Ok(record.is_some_and(|list| list.windows(quoted.len()).any(|window| window == quoted.as_bytes())))
}

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
///
/// # Errors
///
/// Fails if the store does.
pub fn chosen_copies<'c>(
    snapshot: &dyn Snapshot,
    view: &View,
    collection: CollectionId,
    copies: &'c [Copy],
    choice: &VersionChoice,
    now: Timestamp,
    horizon: Timestamp,
) -> Result<Vec<&'c Copy>, StoreError> {
    let mut by_version: BTreeMap<_, Vec<&Copy>> = BTreeMap::new();
    for copy in copies.iter().filter(|copy| copy.collection == collection) {
        by_version.entry(version_key(&copy.head.version)).or_default().push(copy);
    }
    let mut visible: Vec<&Copy> = Vec::with_capacity(by_version.len());
    for copies in by_version.values() {
        visible.extend(first_visible(snapshot, view, copies, now, horizon)?);
    }
    let newest = visible.len().saturating_sub(1);
    let wanted = |index: usize, copy: &Copy| {
        choice.all
            || (choice.first && index == 0)
            || (choice.last && index == newest)
            || choice.names(&copy.head.version)
    };
    Ok(visible
        .iter()
        .enumerate()
        .filter(|(index, copy)| wanted(*index, copy))
        .map(|(_, copy)| *copy)
        .collect())
}

/// Of the copies of one version: the place at which the reader gets the first one that it may see now.
fn first_visible<'c>(
    snapshot: &dyn Snapshot,
    view: &View,
    copies: &[&'c Copy],
    now: Timestamp,
    horizon: Timestamp,
) -> Result<Option<&'c Copy>, StoreError> {
    let continues = |copy: &Copy| {
        copies.iter().any(|earlier| {
            earlier.left == Some((copy.arrived(), Departure::Relabelled))
                && earlier.position() != copy.position()
        })
    };
    for first in copies.iter().filter(|copy| !continues(copy)) {
        let history = history(copies, first);
        let Some(newest) = history.last() else { continue };
        if newest.left.is_some() || !view.intervals(newest.run.id.label).is_open(now) {
            continue;
        }
        if is_shadowed(snapshot, view, first, now)? {
            continue;
        }
        let place = place_in(snapshot, view, &history)?;
        let opened = view.intervals(place.run.id.label).first_open_from(place.arrived());
        if opened.is_some_and(|opened| opened <= horizon) {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

/// Where along its history a reader gets an object whose newest copy is open to it.
fn place_in<'c>(snapshot: &dyn Snapshot, view: &View, history: &[&'c Copy]) -> Result<&'c Copy, StoreError> {
    let mut place = history[history.len() - 1];
    // From the newest backwards, as long as the reader could see the object through the change of labels.
    for pair in history.windows(2).rev() {
        let (older, newer) = (pair[0], pair[1]);
        let was_open = view.intervals(older.run.id.label).is_open(newer.arrived().plus_micros(-1));
        let is_open = view.intervals(newer.run.id.label).is_open(newer.arrived());
        if was_open && is_open && place.position() == newer.position() {
            place = older;
        }
    }
    // Across a gap: the oldest place at which this very client had received it.
    for older in history {
        if older.position() == place.position() {
            break;
        }
        let was_open =
            view.intervals(older.run.id.label).was_open_within(older.arrived(), older.left.map(|(at, _)| at));
        if was_open && had_received(snapshot, &view.caller().credential, older)? {
            return Ok(older);
        }
    }
    Ok(place)
}

/// The copies that continue one another from `first` on.
fn history<'c>(copies: &[&'c Copy], first: &'c Copy) -> Vec<&'c Copy> {
    let mut history = vec![first];
    let mut at = first;
    while let Some((left, Departure::Relabelled)) = at.left {
        let Some(next) =
            copies.iter().find(|copy| copy.arrived() == left && copy.position() != at.position())
        else {
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
