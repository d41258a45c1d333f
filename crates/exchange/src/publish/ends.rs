//! The label that an object gets in the end: its draft, joined with the labels of what it refers to, now and later.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use model::{LabelId, Timestamp};
use release::Label;
use store::{Copy, Position, StoreError};

use super::building::Building;
use super::deciding::{Accepted, Storing, Within};
use crate::error::PublishError;
use crate::exchange::Hand;
use crate::labelling::with_ends;
use crate::reach::{Binding, End, Moved, REFERENCE_DEPTH_MAX, binds, end_of, nobody, rejoined};
use crate::registry::{LABEL, LabelRecord, label_key};

impl Storing<'_, '_, '_> {
    /// The label of the object at `place`: its draft, joined with the labels of what it refers to.
    pub(super) fn label_of(
        &mut self,
        place: usize,
        within: &Within<'_>,
        settled: &mut [Option<LabelId>],
        at: Timestamp,
        depth: usize,
    ) -> Result<LabelId, PublishError> {
        if let Some(label) = settled[place] {
            return Ok(label);
        }
        let item = &self.prepared.items[within.accepted[place].item];
        let draft = &self.prepared.drafts[item.draft];
        for marking in &draft.demands.unknown {
            let detail = "is a marking that the programme does not know, so what carries it is closed to all members; \
                          publish its definition, and what waits for it is judged anew";
            self.find("unknown-marking", marking, detail);
        }
        // Objects that refer to one another in a circle find each other's drafts.
        let mut label = draft.clone();
        let plain = self.label_of_draft(item.draft, at)?;
        settled[place] = Some(plain);
        if item.refs.is_empty() && item.unless.is_none() {
            return Ok(plain);
        }
        if let Some(whole) = item.unless {
            label.unless = Some(self.label_of_draft(whole, at)?);
        }
        let mut ends = BTreeSet::new();
        for reference in &item.refs {
            if let Some(end) = within.places.get(reference.as_str()) {
                ends.insert(match settled[*end] {
                    None if depth < REFERENCE_DEPTH_MAX => {
                        self.label_of(*end, within, settled, at, depth + 1)?
                    }
                    Some(label) => label,
                    None => self.label_of_draft(self.prepared.items[within.accepted[*end].item].draft, at)?,
                });
            } else {
                ends.extend(self.label_of_end(reference, &label, at)?);
            }
        }
        if !ends.is_empty() {
            let registry = Arc::clone(self.turn.registry);
            let ends: Vec<_> =
                ends.iter().filter_map(|id| Some((*id, registry.labels.label(*id)?))).collect();
            label = with_ends(&label, &ends);
        }
        let label = self.intern(label, at)?;
        settled[place] = Some(label);
        Ok(label)
    }

    fn label_of_draft(&mut self, draft: usize, at: Timestamp) -> Result<LabelId, PublishError> {
        if let Some(id) = self.draft_labels[draft] {
            return Ok(id);
        }
        let id = intern(self.turn, &self.prepared.drafts[draft], at)?;
        self.draft_labels[draft] = Some(id);
        Ok(id)
    }

    /// The label that has to be open for the sake of what `id` names, if that is or was here and binds.
    fn label_of_end(
        &mut self,
        id: &str,
        referrer: &Label,
        at: Timestamp,
    ) -> Result<Option<LabelId>, PublishError> {
        Ok(match end_of(self.turn, &Moved::new(), id, referrer, Binding::BySubmitter)? {
            Some(End::Here(label)) => Some(label),
            Some(End::Gone) => Some(self.intern(nobody(referrer), at)?),
            None => None,
        })
    }

    fn intern(&mut self, label: Label, at: Timestamp) -> Result<LabelId, PublishError> {
        if let Some(id) = self.labels.get(&label) {
            return Ok(*id);
        }
        let id = intern(self.turn, &label, at)?;
        self.labels.insert(label, id);
        Ok(id)
    }

    /// Relationships that were here before their ends: now that an end has a label, theirs has to name it, and so has
    /// that of whatever refers to the relationship.
    pub(super) fn relabel_referrers(
        &mut self,
        accepted: &[Accepted],
        labels: &[LabelId],
        at: Timestamp,
        building: &mut BTreeMap<LabelId, Building>,
    ) -> Result<Vec<(LabelId, u32, Copy)>, PublishError> {
        let ids = accepted.iter().map(|one| self.prepared.items[one.item].head.id.clone());
        let mut ends: VecDeque<(String, LabelId, bool)> =
            ids.zip(labels).map(|(id, label)| (id, *label, false)).collect();
        let mut moved: BTreeMap<Position, (LabelId, u8, Copy)> = BTreeMap::new();
        while let Some((id, label, was_gone)) = ends.pop_front() {
            for referrer in self.turn.tx().referrers(&id)? {
                if referrer.left.is_some() || referrer.collection != self.collection.id {
                    continue;
                }
                let position = referrer.position();
                let (now, times) = moved
                    .get(&position)
                    .map_or((referrer.run.id.label, 0), |(label, times, _)| (*label, *times));
                let registry = Arc::clone(self.turn.registry);
                let (Some(theirs), Some(end)) = (registry.labels.label(now), registry.labels.label(label))
                else {
                    continue;
                };
                // Objects that refer to one another in a circle would go round for ever.
                if !binds(end, theirs) || usize::from(times) >= REFERENCE_DEPTH_MAX {
                    continue;
                }
                let gone = registry.labels.find(&nobody(theirs));
                let was_gone = was_gone || gone.is_some_and(|gone| theirs.ends.contains(&gone));
                let joined = if was_gone {
                    // The end is here again, or what it refers to.
                    rejoined(self.turn, &referrer, theirs, &id, Some(label))?
                } else {
                    with_ends(theirs, &[(label, end)])
                };
                if joined == *theirs {
                    continue;
                }
                let joined = self.intern(joined, at)?;
                ends.push_back((referrer.head.id.clone(), joined, was_gone));
                moved.insert(position, (joined, times + 1, referrer));
            }
        }
        let mut relabelled = Vec::with_capacity(moved.len());
        for (joined, _, referrer) in moved.into_values() {
            let body = self.turn.tx().body_for_relabelling(&referrer)?;
            let index = building.entry(joined).or_default().push(referrer.head.clone(), &body);
            relabelled.push((joined, index, referrer));
        }
        Ok(relabelled)
    }
}

/// The label's number, a new one if it is new.
pub(crate) fn intern(turn: &mut Hand<'_>, label: &Label, at: Timestamp) -> Result<LabelId, StoreError> {
    if let Some(id) = turn.registry.labels.find(label) {
        return Ok(id);
    }
    let registry = Arc::make_mut(turn.registry);
    let id = Arc::make_mut(&mut registry.labels).add(label.clone(), at);
    turn.put_json(LABEL, &label_key(id), &LabelRecord { label: label.clone(), created: at })?;
    Ok(id)
}
