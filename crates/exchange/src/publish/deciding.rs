//! What is to become of each object of a submission, before anything is written.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use model::{Caller, LabelId, Timestamp};
use programme::Collection;
use release::{Label, View};
use stix::{Head, StixTimestamp};
use store::{Copy, Position, StoreError};

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
    /// Other copies of the same id in this collection, which have to be marked with it.
    pub(super) others: Vec<(Position, Option<(Timestamp, store::Departure)>)>,
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
        if let Some(pair) = dates.windows(2).find(|pair| pair[1] < pair[0]) {
            return Err(PublishError::OutOfOrder(format!(
                "{} comes behind {}; they come oldest first",
                pair[1], pair[0]
            )));
        }
        if last.is_some_and(|last| first <= last) {
            let last = last.unwrap_or_default();
            return Err(PublishError::OutOfOrder(format!(
                "the first date, {first}, is not later than the last one in this collection, {last}; they come oldest first"
            )));
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

impl Storing<'_, '_, '_> {
    /// Decides on each item, before anything is written.
    fn decide(&mut self) -> Result<(), PublishError> {
        let mut seen: HashMap<(&str, &str), usize> = HashMap::with_capacity(self.prepared.items.len());
        for (index, item) in self.prepared.items.iter().enumerate() {
            let key = (item.head.id.as_str(), item.head.version.as_str());
            if let Some(first) = seen.get(&key) {
                let same = self.prepared.bytes(&self.prepared.items[*first]) == self.prepared.bytes(item);
                self.settle_twin(item, same);
                continue;
            }
            seen.insert(key, index);
            let copies = self.turn.tx().find(&item.head.id)?;
            match self.fate(item, &copies)? {
                ItemFate::Stored => {
                    let others = copies
                        .iter()
                        .filter(|copy| copy.collection == self.collection.id)
                        .map(|copy| (copy.position(), copy.left))
                        .collect();
                    self.accepted.push(Accepted { item: index, others });
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

    fn fate(&mut self, item: &Item, copies: &[Copy]) -> Result<ItemFate, PublishError> {
        if copies.is_empty() {
            return Ok(ItemFate::Stored);
        }
        let bytes = self.prepared.bytes(item);
        let mut hidden_conflict = false;
        for copy in copies.iter().filter(|copy| copy.left.is_none()) {
            let same_version = same_version(&copy.head.version, &item.head.version);
            let visible = self.is_visible(copy)?;
            if !same_version {
                if visible && let Some(why) = self.is_anothers(item, copy)? {
                    return Ok(ItemFate::Refused(why));
                }
                continue;
            }
            let same = self.turn.tx().is_same(copy, bytes)?;
            match (visible, same) {
                (true, false) => {
                    let why = "conflict: another content with this id and version is here; a change needs a later \
                               `modified`";
                    return Ok(ItemFate::Refused(why.to_owned()));
                }
                (true, true) if copy.collection == self.collection.id => return Ok(ItemFate::Already),
                (true | false, true) => {}
                (false, false) => hidden_conflict = true,
            }
        }
        if hidden_conflict {
            // The submitter may not learn that there is another one. It is told what it would be told if there were
            // none; the programme's people are told the rest.
            let detail = "was submitted with a content that differs from the one that is here and hidden from its \
                          submitter; each reader gets the first one that it may see";
            self.find("hidden-conflict", &item.head.id, detail);
        }
        Ok(ItemFate::Stored)
    }

    /// Only its creator may change a STIX object (STIX 2.1 §3.6.2).
    fn is_anothers(&self, item: &Item, copy: &Copy) -> Result<Option<String>, StoreError> {
        let body = self.turn.tx().body_for_relabelling(copy)?;
        let Ok(head) = Head::parse(&body) else { return Ok(None) };
        if head.created_by_ref.as_deref() == item.creator.as_deref() {
            return Ok(None);
        }
        Ok(Some(
            "only its creator may change an object: `created_by_ref` is not that of the version here"
                .to_owned(),
        ))
    }

    pub(super) fn find(&mut self, code: &'static str, object: &str, detail: &str) {
        let submitter = name_of(self.caller);
        let entry =
            self.findings.entry((code, object.to_owned())).or_insert((0, submitter, detail.to_owned()));
        entry.0 += 1;
    }
}

/// Whether two versions are the same instant, however they are spelled.
fn same_version(one: &str, other: &str) -> bool {
    one == other
        || matches!((StixTimestamp::parse(one), StixTimestamp::parse(other)), (Ok(one), Ok(other)) if one == other)
}
