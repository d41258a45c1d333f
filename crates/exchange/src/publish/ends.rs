//! The label that an object gets in the end: its draft, joined with the labels of what it refers to, now and later.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{LabelId, Timestamp};
use release::Label;
use store::Copy;

use super::building::Building;
use super::deciding::{Accepted, Storing, Within};
use super::prepare::Item;
use crate::error::PublishError;
use crate::exchange::Hand;
use crate::labelling::with_ends;
use crate::registry::{LABEL, LabelRecord, label_key};

impl Storing<'_, '_, '_> {
    /// The item's label: its draft, joined with the labels of what it refers to.
    pub(super) fn label_of(
        &mut self,
        item: &Item,
        within: &Within<'_>,
        settled: &[LabelId],
        at: Timestamp,
    ) -> Result<LabelId, PublishError> {
        let draft = &self.prepared.drafts[item.draft];
        for marking in &draft.demands.unknown {
            let detail = "is a marking that the programme does not know, so what carries it is closed to all members; \
                          publish its definition, and what waits for it is judged anew";
            self.find("unknown-marking", marking, detail);
        }
        if item.refs.is_empty() && item.unless.is_none() {
            return self.label_of_draft(item.draft, at);
        }
        let mut label = draft.clone();
        if let Some(whole) = item.unless {
            label.unless = Some(self.label_of_draft(whole, at)?);
        }
        let mut ends = BTreeSet::new();
        for reference in &item.refs {
            if let Some(end) = self.label_of_end(reference, within, settled, at)? {
                ends.insert(end);
            }
        }
        if !ends.is_empty() {
            let registry = Arc::clone(self.turn.registry);
            let ends: Vec<_> =
                ends.iter().filter_map(|id| Some((*id, registry.labels.label(*id)?))).collect();
            label = with_ends(&label, &ends);
        }
        self.intern(label, at)
    }

    fn label_of_draft(&mut self, draft: usize, at: Timestamp) -> Result<LabelId, PublishError> {
        if let Some(id) = self.draft_labels[draft] {
            return Ok(id);
        }
        let id = intern(self.turn, &self.prepared.drafts[draft], at)?;
        self.draft_labels[draft] = Some(id);
        Ok(id)
    }

    fn label_of_end(
        &mut self,
        id: &str,
        within: &Within<'_>,
        settled: &[LabelId],
        at: Timestamp,
    ) -> Result<Option<LabelId>, PublishError> {
        if let Some(place) = within.places.get(id) {
            // An end that comes later in the same commit has its draft for a label.
            return match settled.get(*place) {
                Some(label) => Ok(Some(*label)),
                None => {
                    self.label_of_draft(self.prepared.items[within.accepted[*place].item].draft, at).map(Some)
                }
            };
        }
        let copies = self.turn.tx().find(id)?;
        let current = copies.iter().rev().filter(|copy| copy.left.is_none());
        let here = current.clone().find(|copy| copy.collection == self.collection.id);
        Ok(here.or_else(|| current.clone().next()).map(|copy| copy.run.id.label))
    }

    fn intern(&mut self, label: Label, at: Timestamp) -> Result<LabelId, PublishError> {
        if let Some(id) = self.labels.get(&label) {
            return Ok(*id);
        }
        let id = intern(self.turn, &label, at)?;
        self.labels.insert(label, id);
        Ok(id)
    }

    /// Relationships that were here before their ends: now that an end has a label, theirs has to name it.
    pub(super) fn relabel_referrers(
        &mut self,
        accepted: &[Accepted],
        labels: &[LabelId],
        at: Timestamp,
        building: &mut BTreeMap<LabelId, Building>,
    ) -> Result<Vec<(LabelId, u32, Copy)>, PublishError> {
        let mut relabelled: Vec<(LabelId, u32, Copy)> = Vec::new();
        for (one, label) in accepted.iter().zip(labels) {
            let id = &self.prepared.items[one.item].head.id;
            for referrer in self.turn.tx().referrers(id)? {
                let is_done = relabelled.iter().any(|(_, _, old)| old.position() == referrer.position());
                if referrer.left.is_some() || referrer.collection != self.collection.id || is_done {
                    continue;
                }
                let registry = Arc::clone(self.turn.registry);
                let (Some(theirs), Some(end)) =
                    (registry.labels.label(referrer.run.id.label), registry.labels.label(*label))
                else {
                    continue;
                };
                if theirs.ends.contains(label) || theirs.is_no_wider_than(end) {
                    continue;
                }
                let joined = self.intern(with_ends(theirs, &[(*label, end)]), at)?;
                let body = self.turn.tx().body_for_relabelling(&referrer)?;
                let index = building.entry(joined).or_default().push(referrer.head.clone(), &body);
                relabelled.push((joined, index, referrer));
            }
        }
        Ok(relabelled)
    }
}

/// The label's number, a new one if it is new.
pub(crate) fn intern(turn: &mut Hand<'_>, label: &Label, at: Timestamp) -> Result<LabelId, PublishError> {
    if let Some(id) = turn.registry.labels.find(label) {
        return Ok(id);
    }
    let registry = Arc::make_mut(turn.registry);
    let id = Arc::make_mut(&mut registry.labels).add(label.clone(), at);
    turn.put_json(LABEL, &label_key(id), &LabelRecord { label: label.clone(), created: at })?;
    Ok(id)
}
