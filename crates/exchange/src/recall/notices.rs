//! Notices: who has lost what by a recall, and how it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{CollectionId, MemberId, Principal};
use release::{Audience, Demands, Label};
use serde_json::{Value, json};
use store::{HeadRecord, SegmentId, StoreError};

use super::Recalling;
use crate::publish::{Building, intern, of_programme};

/// An object's id and version.
type Held = (String, String);
/// What each member holds and may not have any more, by the collection in which it received it.
pub(super) type Losses = BTreeMap<MemberId, BTreeMap<CollectionId, BTreeSet<Held>>>;

/// A notice on its way into a collection.
struct Note {
    to: BTreeSet<MemberId>,
    id: String,
    body: Vec<u8>,
}

/// How many objects one notice names.
const NOTICE_OBJECTS_MAX: usize = 500;

impl Recalling<'_, '_, '_> {
    /// What is lost by whom. It is asked of what holds now, so what a member holds under one label and may have under
    /// another is not lost.
    pub(super) fn losses(&mut self) -> Result<Losses, StoreError> {
        let mut ids = self.gone.clone();
        ids.extend(self.moved.values().map(|(_, copy)| copy.head.id.clone()));
        let registry = Arc::clone(self.turn.registry);
        let mut grants = BTreeMap::new();
        let mut losses = Losses::new();
        for id in ids {
            let copies = self.turn.tx().find(&id)?;
            for copy in &copies {
                for reader in self.deliveries.readers(copy.position()) {
                    let Ok(member) = reader.parse::<MemberId>() else { continue };
                    if !grants.contains_key(&member) {
                        let known = self.inner.grants_of(&Principal::Member(member.clone()), &registry)?;
                        grants.insert(member.clone(), known.grants);
                    }
                    let has_it = copies.iter().any(|other| {
                        other.left.is_none()
                            && other.head.version == copy.head.version
                            && grants[&member].intervals(other.run.id.label).is_open(self.at)
                    });
                    if !has_it {
                        let lost = losses.entry(member).or_default().entry(copy.collection).or_default();
                        lost.insert((id.clone(), copy.head.version.clone()));
                    }
                }
            }
        }
        Ok(losses)
    }

    /// Tells the holders, each by name, in the collections in which they received what they lose. Those who hold the
    /// same share a notice. Returns the notices' ids.
    pub(super) fn notify(&mut self, losses: &Losses) -> Result<Vec<String>, StoreError> {
        let mut told: BTreeMap<&BTreeSet<Held>, BTreeMap<CollectionId, BTreeSet<MemberId>>> = BTreeMap::new();
        for (member, collections) in losses {
            for (collection, held) in collections {
                let members = told.entry(held).or_default().entry(*collection).or_default();
                members.insert(member.clone());
            }
        }
        let date = self.at.to_string();
        let mut notices = Vec::new();
        let mut notes: BTreeMap<CollectionId, Vec<Note>> = BTreeMap::new();
        for (held, collections) in told {
            let held: Vec<&Held> = held.iter().collect();
            for held in held.chunks(NOTICE_OBJECTS_MAX) {
                let uuid = uuid::Builder::from_random_bytes(self.turn.random_bytes()).into_uuid();
                let id = format!("note--{uuid}");
                let body = self.note(&id, held).to_string().into_bytes();
                for (collection, members) in &collections {
                    let note = Note { to: members.clone(), id: id.clone(), body: body.clone() };
                    notes.entry(*collection).or_default().push(note);
                }
                notices.push(id);
            }
        }
        for (collection, notes) in notes {
            let at = self.turn.instant(u64::try_from(notes.len()).unwrap_or(u64::MAX));
            let mut building: BTreeMap<_, Building> = BTreeMap::new();
            for Note { to, id, body } in notes {
                let Some(label) = self.label_of_notice(collection, to) else { continue };
                let label = intern(self.turn, &label, self.at)?;
                let head = HeadRecord { id, version: date.clone(), revoked: false };
                building.entry(label).or_default().push(head, &body);
            }
            let commit = self.turn.write().next_commit();
            let segments = building
                .into_iter()
                .map(|(label, built)| built.finish(SegmentId { label, commit }, collection, at))
                .collect();
            self.turn.append(segments)?;
        }
        Ok(notices)
    }

    fn note(&self, id: &str, held: &[&Held]) -> Value {
        let order = self.order;
        let main = held.iter().find(|(id, _)| *id == order.object);
        let (object, version) = main.or(held.first()).map_or(("", ""), |(id, version)| (id, version));
        // To those who hold only what was reached, the object itself is none of their business.
        let what = if main.is_some() { order.action.done() } else { "withheld" };
        let more = if held.len() > 1 { " with what belongs to it" } else { "" };
        let date = self.at.to_string();
        let ids: BTreeSet<&str> = held.iter().map(|(id, _)| id.as_str()).collect();
        let objects: Vec<Value> =
            held.iter().map(|(id, version)| json!({ "id": id, "version": version })).collect();
        json!({
            "type": "note",
            "spec_version": "2.1",
            "id": id,
            "created": date,
            "modified": date,
            "created_by_ref": self.turn.registry.programme().settings().identity.id,
            "abstract": format!("{object} was {what} by the programme{more}: stop using it and dispose of it"),
            "content": order.reason,
            "labels": ["recalled"],
            "object_refs": ids,
            "x_ringfence_recall": { "action": what, "object": object, "version": version, "objects": objects },
        })
    }

    /// `None` for a collection in which there never was anything.
    fn label_of_notice(&self, collection: CollectionId, members: BTreeSet<MemberId>) -> Option<Label> {
        let registry = &self.turn.registry;
        // By its labels, for the programme may have given the collection up.
        let newest = registry.labels.of(collection).last().and_then(|label| registry.labels.label(*label))?;
        let settings = registry.programme().collection(&collection);
        Some(Label {
            collection,
            tier: settings.map_or_else(|| newest.tier.clone(), |settings| settings.tier.clone()),
            demands: Demands::default(),
            creator: of_programme(),
            audience: Audience::Named(members),
            release_at: None,
            release_until: None,
            ends: BTreeSet::new(),
            unless: None,
        })
    }
}
