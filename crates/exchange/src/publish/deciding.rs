//! What is to become of each object of a submission, before anything is written.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use model::{Caller, LabelId, Principal, Timestamp};
use programme::Collection;
use release::{Label, View};
use stix::{Head, StixTimestamp};
use store::{Copy, StoreError};

use super::prepare::{Item, Prepared};
use super::{ItemFate, Submission};
use crate::error::PublishError;
use crate::exchange::{Hand, Inner, name_of};

/// The writer's work on a submission.
pub(super) struct Storing<'t, 'h, 'p> {
    pub(super) inner: &'p Inner,
    pub(super) turn: &'t mut Hand<'h>,
    pub(super) caller: &'p Caller,
    pub(super) collection: &'p Collection,
    pub(super) prepared: &'p Prepared,
    pub(super) view: Option<View>,
    pub(super) labels: HashMap<Label, LabelId>,
    /// The numbers of the drafts as they stand, once they are known.
    pub(super) draft_labels: Vec<Option<LabelId>>,
    /// The last given date so far.
    pub(super) seeded: Option<Timestamp>,
    pub(super) refused: Vec<(String, String, String)>,
    pub(super) already: Vec<(String, String)>,
    pub(super) findings: BTreeMap<(&'static str, String), (usize, String, String)>,
    pub(super) accepted: Vec<Accepted>,
}

/// The items of one commit, and where each id stands among them.
pub(super) struct Within<'w> {
    pub(super) accepted: &'w [Accepted],
    pub(super) places: HashMap<&'w str, usize>,
}

/// An item on its way into a segment.
pub(super) struct Accepted {
    pub(super) item: usize,
    /// Whether other copies or versions of the same id are here, so that it has to be marked with them.
    pub(super) has_others: bool,
    /// The label of what it was submitted against without knowing; it stays closed to whoever may read that.
    pub(super) shadows: Option<LabelId>,
}

pub(super) fn apply(
    inner: &Inner,
    turn: &mut Hand<'_>,
    caller: &Caller,
    collection: &Collection,
    prepared: &Prepared,
) -> Result<Submission, PublishError> {
    let mut seeded = None;
    if let Some(first) = prepared.items.iter().filter_map(|item| item.date).min() {
        let last = inner.last_date_in(turn, caller, collection)?;
        if !turn.registry.members.is_empty() {
            let why = "objects with given dates come before the first member: a date that lies behind a member's cursor \
                       would never reach it";
            return Err(PublishError::OutOfOrder(why.to_owned()));
        }
        let dates: Vec<_> = prepared.items.iter().filter_map(|item| item.date).collect();
        if let Some([earlier, later]) = dates.array_windows().find(|[earlier, later]| later < earlier) {
            return Err(PublishError::OutOfOrder(format!(
                "{later} comes behind {earlier}; they come oldest first"
            )));
        }
        if last.is_some_and(|last| first <= last) {
            let last = last.unwrap_or_default();
            return Err(PublishError::OutOfOrder(format!(
                "the first date, {first}, is not later than the last one in this collection, {last}; they come oldest first"
            )));
        }
        if dates.last().is_some_and(|latest| *latest > turn.now) {
            return Err(PublishError::OutOfOrder("a given date lies in the future".to_owned()));
        }
        seeded = last;
    }
    let mut storing = Storing {
        inner,
        turn,
        caller,
        collection,
        prepared,
        view: None,
        labels: HashMap::new(),
        draft_labels: vec![None; prepared.drafts.len()],
        seeded,
        refused: prepared.refused.clone(),
        already: Vec::new(),
        findings: BTreeMap::new(),
        accepted: Vec::with_capacity(prepared.items.len()),
    };
    storing.decide()?;
    storing.store()
}

/// How many versions and copies of one object are kept. What changes more often is a feed in disguise, and every reader
/// would pay for it.
const VERSIONS_MAX: usize = 1_000;

/// What is here under one id.
#[derive(Default)]
struct Known {
    copies: Vec<Copy>,
    visible: Vec<bool>,
    versions: HashMap<(Option<StixTimestamp>, String), Vec<usize>>,
    /// Who may change what the submitter can see, and what it cannot, with the label of that.
    first_visible: Option<(Creator, LabelId)>,
    first_hidden: Option<(Creator, LabelId)>,
}

struct Creator {
    named: Option<String>,
    submitter: Option<Principal>,
}

impl Storing<'_, '_, '_> {
    /// Decides on each item, before anything is written.
    fn decide(&mut self) -> Result<(), PublishError> {
        let mut seen: HashMap<(&str, &str), usize> = HashMap::with_capacity(self.prepared.items.len());
        let mut versions: HashMap<&str, usize> = HashMap::with_capacity(self.prepared.items.len());
        let mut here: HashMap<&str, Known> = HashMap::with_capacity(self.prepared.items.len());
        let mut last_whole_is_kept = true;
        for (index, item) in self.prepared.items.iter().enumerate() {
            // A derived object follows the one that it stands in for, and goes its way.
            if item.unless.is_some() && !last_whole_is_kept {
                continue;
            }
            let key = (item.head.id.as_str(), item.head.version.as_str());
            if let Some(first) = seen.get(&key) {
                let same = self.prepared.bytes(&self.prepared.items[*first]) == self.prepared.bytes(item);
                self.settle_twin(item, same);
                last_whole_is_kept &= item.unless.is_some();
                continue;
            }
            seen.insert(key, index);
            if !here.contains_key(item.head.id.as_str()) {
                here.insert(item.head.id.as_str(), self.known(&item.head.id)?);
            }
            let known = &here[item.head.id.as_str()];
            let (fate, shadows) = self.fate(item, known)?;
            if item.unless.is_none() {
                last_whole_is_kept = fate == ItemFate::Stored;
            }
            match fate {
                ItemFate::Stored => {
                    let is_here = known.copies.iter().any(|copy| copy.collection == self.collection.id);
                    let sibling = versions.insert(item.head.id.as_str(), self.accepted.len());
                    if let Some(sibling) = sibling {
                        self.accepted[sibling].has_others = true;
                    }
                    self.accepted.push(Accepted {
                        item: index,
                        has_others: is_here || sibling.is_some(),
                        shadows,
                    });
                }
                ItemFate::Already => self.already.push((item.head.id.clone(), item.head.version.clone())),
                ItemFate::Refused(why) => {
                    self.refused.push((item.head.id.clone(), item.head.version.clone(), why));
                }
            }
        }
        Ok(())
    }

    fn settle_twin(&mut self, item: &Item, same: bool) {
        let key = (item.head.id.clone(), item.head.version.clone());
        if same {
            self.already.push(key);
        } else {
            let why = "the same id and version stand twice in this submission, with different content";
            self.refused.push((key.0, key.1, why.to_owned()));
        }
    }

    fn is_visible(&mut self, copy: &Copy) -> Result<bool, PublishError> {
        if copy.left.is_some() {
            return Ok(false);
        }
        let registry = Arc::clone(self.turn.registry);
        if !self.inner.rights(self.caller, copy.collection, &registry).read {
            return Ok(false);
        }
        if self.view.is_none() {
            self.view = Some(self.inner.view(self.caller, &registry)?);
        }
        let now = self.turn.now;
        Ok(self.view.as_ref().is_some_and(|view| view.intervals(copy.run.id.label).is_open(now)))
    }

    /// What is here under an id, looked up once for a submission however many versions it brings.
    fn known(&mut self, id: &str) -> Result<Known, PublishError> {
        let copies: Vec<Copy> =
            self.turn.tx().find(id)?.into_iter().filter(|copy| copy.left.is_none()).collect();
        let mut known = Known::default();
        for (index, copy) in copies.iter().enumerate() {
            known.versions.entry(version_key(&copy.head.version)).or_default().push(index);
            let visible = self.is_visible(copy)?;
            known.visible.push(visible);
            let first = if visible { &mut known.first_visible } else { &mut known.first_hidden };
            if first.is_none() {
                *first = Some((self.creator_of(copy)?, copy.run.id.label));
            }
        }
        known.copies = copies;
        Ok(known)
    }

    /// What is to become of the object; and if it is stored although something hidden from its submitter stands
    /// against it, the label of that, to whose readers it stays closed.
    fn fate(&mut self, item: &Item, known: &Known) -> Result<(ItemFate, Option<LabelId>), PublishError> {
        if known.copies.is_empty() {
            return Ok((ItemFate::Stored, None));
        }
        let bytes = self.prepared.bytes(item);
        let mut against = None;
        let same_version =
            known.versions.get(&version_key(&item.head.version)).map_or(&[][..], Vec::as_slice);
        for index in same_version {
            let copy = &known.copies[*index];
            let same = self.turn.tx().is_same(copy, bytes)?;
            match (known.visible[*index], same) {
                (true, false) => {
                    let why = "conflict: another content with this id and version is here; a change needs a later \
                               `modified`";
                    return Ok((ItemFate::Refused(why.to_owned()), None));
                }
                (true, true) if copy.collection == self.collection.id => {
                    return Ok((ItemFate::Already, None));
                }
                (true | false, true) => {}
                (false, false) => against = Some(copy.run.id.label),
            }
        }
        if known.copies.len() >= VERSIONS_MAX {
            let why = format!("there are {VERSIONS_MAX} versions of this object already, which is the limit");
            return Ok((ItemFate::Refused(why), None));
        }
        if let Some((creator, _)) = &known.first_visible
            && !self.may_change(item, creator)
        {
            let why = "only its creator may change an object: `created_by_ref`, or without one the submitter, is not \
                       that of the version here";
            return Ok((ItemFate::Refused(why.to_owned()), None));
        }
        if let Some((creator, label)) = &known.first_hidden
            && !self.may_change(item, creator)
        {
            against = against.or(Some(*label));
        }
        if against.is_some() {
            // The submitter may not learn that there is another one. It is told what it would be told if there were
            // none; the programme's people are told the rest.
            let detail = "was submitted although another content or another creator's version is here and hidden from \
                          its submitter; it stays closed to whoever may read that one";
            self.find("hidden-conflict", &item.head.id, detail);
        }
        Ok((ItemFate::Stored, against))
    }

    /// Who may change an object: its creator (STIX 2.1 §3.6.2); where it names none, whoever submitted it.
    fn creator_of(&self, copy: &Copy) -> Result<Creator, StoreError> {
        let body = self.turn.tx().body_for_relabelling(copy)?;
        let named =
            Head::parse(&body).ok().and_then(|head| head.created_by_ref.as_deref().map(str::to_owned));
        let submitter = self.turn.registry.labels.label(copy.run.id.label).map(|label| label.creator.clone());
        Ok(Creator { named, submitter })
    }

    fn may_change(&self, item: &Item, creator: &Creator) -> bool {
        if creator.named != item.creator {
            return false;
        }
        let is_named = creator.named.is_some();
        is_named || self.caller.role().is_some() || creator.submitter.as_ref() == Some(&self.caller.principal)
    }

    pub(super) fn find(&mut self, code: &'static str, object: &str, detail: &str) {
        let submitter = name_of(self.caller);
        let entry =
            self.findings.entry((code, object.to_owned())).or_insert((0, submitter, detail.to_owned()));
        entry.0 += 1;
    }
}

/// Versions that are the same instant have one key, however they are spelled.
fn version_key(version: &str) -> (Option<StixTimestamp>, String) {
    match StixTimestamp::parse(version) {
        Ok(instant) => (Some(instant), String::new()),
        Err(_) => (None, version.to_owned()),
    }
}
