//! What the programme says about an object, published beside it: under the object's own labels.
//!
//! Whoever reads the object reads what is said of it, and nobody else does. It names the object, so it is withheld when
//! the object is, and follows it to another label. It carries the object's markings, since it is no less sensitive than
//! what it speaks of. Where copies of the object carry different markings, each kind gets a statement of its own.

use std::collections::{BTreeMap, BTreeSet};

use ledger::Body;
use ledger::entry::{ObjectDigest, Publication};
use model::{CollectionId, LabelId, Timestamp};
use stix::{Head, StixTimestamp};
use store::{HeadRecord, Mark, Position, Segment, SegmentId, StoreError};

use crate::exchange::Hand;
use crate::publish::Building;
use crate::reach::refer_from;
use crate::read::segment_number;

/// The labels of an object, by collection.
pub(crate) type Places = BTreeMap<CollectionId, BTreeSet<LabelId>>;

/// How many statements go into one commit.
const COMMIT_OBJECTS_MAX: usize = 1_000;

/// Something that is said, as an object.
pub(crate) struct Statement {
    pub(crate) head: HeadRecord,
    pub(crate) body: Vec<u8>,
    pub(crate) places: Places,
}

/// Where an object lies, by the markings that it has there.
pub(crate) fn places_of(turn: &Hand<'_>, object: &str) -> Result<BTreeMap<Vec<String>, Places>, StoreError> {
    let mut newest = BTreeMap::new();
    for copy in turn.tx().find(object)?.into_iter().filter(|copy| copy.left.is_none()) {
        if turn.registry.programme().collection(&copy.collection).is_none() {
            continue;
        }
        let version = StixTimestamp::parse(&copy.head.version).ok();
        let known = newest.entry((copy.collection, copy.run.id.label)).or_insert((None, None));
        if known.1.is_none() || version > known.0 {
            *known = (version, Some(copy));
        }
    }
    let mut places: BTreeMap<Vec<String>, Places> = BTreeMap::new();
    for ((collection, label), (_, copy)) in newest {
        let Some(copy) = copy else { continue };
        let body = turn.tx().body_for_relabelling(&copy)?;
        let Ok(head) = Head::parse(&body) else { continue };
        let mut markings: BTreeSet<String> =
            head.object_marking_refs.iter().map(|id| id.clone().into_owned()).collect();
        // What is marked in part is marked as a whole where it is spoken of.
        markings.extend(head.granular_markings.iter().filter_map(|marking| match &marking.mark {
            stix::Mark::Marking(id) => Some(id.clone().into_owned()),
            stix::Mark::Language(_) | stix::Mark::Unknown => None,
        }));
        let of_these = places.entry(markings.into_iter().collect()).or_default();
        of_these.entry(collection).or_default().insert(label);
    }
    Ok(places)
}

/// Publishes statements, as of `at`.
pub(crate) fn publish(
    turn: &mut Hand<'_>,
    statements: &[Statement],
    at: Timestamp,
) -> Result<(), StoreError> {
    let mut by_collection: BTreeMap<CollectionId, Vec<(LabelId, &Statement)>> = BTreeMap::new();
    for statement in statements {
        for (collection, labels) in &statement.places {
            let here = by_collection.entry(*collection).or_default();
            here.extend(labels.iter().map(|label| (*label, statement)));
        }
    }
    for (collection, placed) in by_collection {
        for placed in placed.chunks(COMMIT_OBJECTS_MAX) {
            store(turn, collection, placed, at)?;
        }
    }
    for statement in statements {
        let copies = turn.tx().find(&statement.head.id)?;
        if copies.len() > 1 {
            for copy in copies.iter().filter(|copy| copy.left.is_none()) {
                turn.write().mark(Mark { position: copy.position(), left: None })?;
            }
        }
    }
    Ok(())
}

fn store(
    turn: &mut Hand<'_>,
    collection: CollectionId,
    placed: &[(LabelId, &Statement)],
    at: Timestamp,
) -> Result<(), StoreError> {
    let count = u64::try_from(placed.len()).unwrap_or(u64::MAX);
    let instant = turn.instant(count);
    let mut building: BTreeMap<LabelId, Building> = BTreeMap::new();
    let mut positions = Vec::with_capacity(placed.len());
    for (label, statement) in placed {
        let index = building.entry(*label).or_default().push(statement.head.clone(), &statement.body);
        positions.push((*label, index, &statement.body));
    }
    let commit = turn.write().next_commit();
    let segments: Vec<Segment> = building
        .into_iter()
        .map(|(label, built)| built.finish(SegmentId { label, commit }, collection, instant))
        .collect();
    let (mut digest, mut numbers) = (ObjectDigest::new(), Vec::with_capacity(segments.len()));
    for segment in &segments {
        let number = segment_number(segment.id);
        digest.add(&number.to_string(), &hex::encode(segment.digest));
        numbers.push(number);
    }
    turn.append(segments)?;
    for (label, index, body) in positions {
        refer_from(turn, Position { segment: SegmentId { label, commit }, index }, body)?;
    }
    turn.record(&Body::Publication(Publication {
        at: at.to_string(),
        collection: collection.to_string(),
        by: "the programme".to_owned(),
        count,
        segments: numbers,
        digest: digest.finish(),
    }))?;
    Ok(())
}
