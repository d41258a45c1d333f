//! Revoking what the programme created: a new version with `revoked: true`.
//!
//! An object may have versions under several labels and copies in several collections, and not everybody sees the
//! newest. So each label of each collection gets a revoked version, made of the newest version that is there: nobody is
//! shown by it what it could not see before. Different contents get different versions, the newest the latest.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{CollectionId, LabelId, Timestamp};
use serde_json::{Value, json};
use stix::{Head, StixTimestamp};
use store::{Copy, HeadRecord, Mark, Position, SegmentId, StoreError};

use crate::exchange::Hand;
use crate::publish::Building;
use crate::reach::refer_from;

/// What of an object can be revoked, and what can only be withdrawn.
pub(super) struct Revocation {
    /// The newest versions of the programme's own that are not revoked, oldest first, with where they are.
    pub(super) sources: Vec<Source>,
    /// The copies that are not the programme's; all, if there is nothing to revoke.
    pub(super) others: Vec<Copy>,
}

/// One content, and under which labels of which collections it is the newest.
pub(super) struct Source {
    version: String,
    body: Vec<u8>,
    places: BTreeMap<CollectionId, Vec<LabelId>>,
}

/// Sorts out which of the copies that are here can be revoked.
pub(super) fn revocations(turn: &Hand<'_>, current: Vec<Copy>) -> Result<Revocation, StoreError> {
    let registry = Arc::clone(turn.registry);
    let identity = &registry.programme().settings().identity.id;
    let mut places: BTreeMap<(CollectionId, LabelId), Vec<Copy>> = BTreeMap::new();
    for copy in current {
        places.entry((copy.collection, copy.run.id.label)).or_default().push(copy);
    }
    let mut sources: BTreeMap<(Option<StixTimestamp>, Vec<u8>), Source> = BTreeMap::new();
    let (mut own, mut others) = (Vec::new(), Vec::new());
    for ((collection, label), copies) in places {
        let version = |copy: &&Copy| StixTimestamp::parse(&copy.head.version).ok();
        let Some(newest) = copies.iter().max_by_key(version) else { continue };
        let body = turn.tx().body_for_relabelling(newest)?;
        let head = Head::parse(&body)
            .ok()
            .filter(|head| head.created_by_ref.as_deref() == Some(identity) && head.modified.is_some());
        let Some(is_revoked) = head.map(|head| head.revoked) else {
            others.extend(copies);
            continue;
        };
        if !is_revoked {
            let new = || Source {
                version: newest.head.version.clone(),
                body: body.clone(),
                places: BTreeMap::new(),
            };
            let source = sources.entry((version(&newest), body.clone())).or_insert_with(new);
            source.places.entry(collection).or_default().push(label);
        }
        own.extend(copies);
    }
    if sources.is_empty() {
        others.extend(own);
    }
    Ok(Revocation { sources: sources.into_values().collect(), others })
}

/// Stores the revoked versions.
pub(super) fn revoke(turn: &mut Hand<'_>, id: &str, sources: Vec<Source>) -> Result<(), StoreError> {
    for Source { version, body, places } in sources {
        let mut revoked = None;
        for (collection, labels) in places {
            let at = turn.instant(u64::try_from(labels.len()).unwrap_or(u64::MAX));
            if revoked.is_none() {
                revoked = revoked_version(id, &version, &body, at);
            }
            let Some((head, body)) = &revoked else { continue };
            let commit = turn.write().next_commit();
            let mut segments = Vec::with_capacity(labels.len());
            for label in &labels {
                let mut built = Building::default();
                built.push(head.clone(), body);
                segments.push(built.finish(SegmentId { label: *label, commit }, collection, at));
            }
            turn.append(segments)?;
            for label in labels {
                let position = Position { segment: SegmentId { label, commit }, index: 0 };
                turn.write().mark(Mark { position, left: None })?;
                refer_from(turn, position, body)?;
            }
        }
    }
    // What was alone under its id is not any more.
    for copy in turn.tx().find(id)?.iter().filter(|copy| copy.left.is_none()) {
        turn.write().mark(Mark { position: copy.position(), left: None })?;
    }
    Ok(())
}

fn revoked_version(id: &str, version: &str, body: &[u8], at: Timestamp) -> Option<(HeadRecord, Vec<u8>)> {
    let mut object: Value = serde_json::from_slice(body).ok()?;
    // A version may be dated later than the hub's clock; what revokes it has to be later still.
    let later = version.parse().map_or(at, |version: Timestamp| at.max(version.plus_micros(1_000)));
    let modified = later.to_string();
    let properties = object.as_object_mut()?;
    properties.insert("modified".to_owned(), json!(modified));
    properties.insert("revoked".to_owned(), json!(true));
    let head = HeadRecord { id: id.to_owned(), version: modified, revoked: true };
    Some((head, object.to_string().into_bytes()))
}
