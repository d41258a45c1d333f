//! How far a decision about one object reaches: to the objects derived from it, and to whatever refers to it.
//!
//! A relationship's label names the labels of its ends (`ends`), so it is withheld with them. When an end gets another
//! label, or is gone, the labels of all that refer to it have to follow, and so have those of what refers to these:
//!
//! ```text
//! indicator          GREEN ──recall──> RED
//! relationship to it GREEN ──────────> GREEN, and only where RED is open     (its bytes stay, its label changes)
//! note on that       GREEN ──────────> GREEN, and only where that one is open
//! ```
//!
//! An end that is gone leaves a label behind that is open to no member ([`nobody`]); when the object comes back, what refers
//! to it comes back with it. The labels of ends that nothing happened to are left as they are: a recall never opens
//! what another end closes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use model::{LabelId, Principal, Timestamp};
use release::{Audience, Demands, Label};
use stix::{Head, StixTimestamp};
use store::timeline::{RECEIVED, received_key};
use store::{Copy, Departure, Mark, Position, SegmentId, StoreError};

use crate::audit::Deliveries;
use crate::exchange::Hand;
use crate::labelling::with_ends;
use crate::publish::{Building, intern, of_programme};
use crate::sight::depart;

/// How far references are followed from one object to the next. Reports name relationships, which name indicators;
/// longer chains are made to be long.
pub(crate) const REFERENCE_DEPTH_MAX: usize = 16;
/// How many objects and bytes move in one commit: no more than in a commit of a publication.
const MOVED_OBJECTS_MAX: usize = 1_000;
const MOVED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The copies that one decision gives other labels, with these.
pub(crate) type Moved = BTreeMap<Position, (LabelId, Copy)>;

/// What an end asks of the label of whatever refers to it.
pub(crate) enum End {
    /// This label has to be open.
    Here(LabelId),
    /// The object is gone; see [`nobody`].
    Gone,
}

/// Whose word counts for what refers to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binding {
    /// The usual: the programme's objects bind all that refer to them, a member's only its own.
    BySubmitter,
    /// The programme decided on the end, so it binds all.
    Always,
}

/// Whether an object with label `end` can withhold one with label `referrer` that names it: the programme's can withhold
/// any, and a member's only what that member submitted itself, or it could take others' objects away by posting what
/// they refer to.
pub(crate) fn binds(end: &Label, referrer: &Label) -> bool {
    matches!(end.creator, Principal::Role(_)) || end.creator == referrer.creator
}

/// The label of what is gone, beside `referrer`: open to no member.
pub(crate) fn nobody(referrer: &Label) -> Label {
    Label {
        collection: referrer.collection,
        tier: referrer.tier.clone(),
        demands: Demands::default(),
        creator: of_programme(),
        audience: Audience::Named(BTreeSet::new()),
        release_at: None,
        release_until: None,
        ends: BTreeSet::new(),
        unless: None,
    }
}

/// What the object with this id asks of the label `referrer` of something that names it: the label of its newest version,
/// of the copy that came first, in the referrer's collection if there is one.
pub(crate) fn end_of(
    turn: &Hand<'_>,
    moved: &Moved,
    id: &str,
    referrer: &Label,
    binding: Binding,
) -> Result<Option<End>, StoreError> {
    let label_of = |copy: &Copy| moved.get(&copy.position()).map_or(copy.run.id.label, |(label, _)| *label);
    let mut copies = turn.tx().find(id)?;
    copies.retain(|copy| {
        let label = turn.registry.labels.label(label_of(copy));
        binding == Binding::Always || label.is_some_and(|label| binds(label, referrer))
    });
    let current = || copies.iter().filter(|copy| copy.left.is_none());
    let here: Vec<&Copy> = current().filter(|copy| copy.collection == referrer.collection).collect();
    let candidates = if here.is_empty() { current().collect() } else { here };
    let newest = candidates.iter().filter_map(|copy| StixTimestamp::parse(&copy.head.version).ok()).max();
    let first = candidates.iter().find(|copy| StixTimestamp::parse(&copy.head.version).ok() == newest);
    if let Some(copy) = first {
        return Ok(Some(End::Here(label_of(copy))));
    }
    let is_gone = copies.iter().any(|copy| matches!(copy.left, Some((_, Departure::Gone))));
    Ok(is_gone.then_some(End::Gone))
}

/// The label `now` of a copy, with what its end `id` asks from now on in place of what it asked so far.
pub(crate) fn rejoined(
    turn: &Hand<'_>,
    copy: &Copy,
    now: &Label,
    id: &str,
    end: Option<LabelId>,
) -> Result<Label, StoreError> {
    let registry = Arc::clone(turn.registry);
    let gone = registry.labels.find(&nobody(now));
    let body = turn.tx().body_for_relabelling(copy)?;
    let (mut asked_by_end, mut asked_by_others) = (BTreeSet::new(), BTreeSet::new());
    for reference in Head::parse(&body).map(|head| head.refs).unwrap_or_default() {
        let asked = if reference.id == id { &mut asked_by_end } else { &mut asked_by_others };
        let copies = turn.tx().find(&reference.id)?;
        asked.extend(copies.iter().map(|copy| copy.run.id.label));
        let is_gone = !copies.is_empty() && copies.iter().all(|copy| copy.left.is_some());
        if is_gone || reference.id == id {
            asked.extend(gone);
        }
    }
    let mut label = now.clone();
    label.ends.retain(|end| asked_by_others.contains(end) || !asked_by_end.contains(end));
    let end = end.and_then(|end| Some((end, registry.labels.label(end)?)));
    Ok(with_ends(&label, end.as_slice()))
}

/// Follows the references to the objects `changed`, whose labels in `moved` are new or which are gone, and adds all
/// whose labels have to follow.
pub(crate) fn follow(
    turn: &mut Hand<'_>,
    changed: &BTreeSet<String>,
    moved: &mut Moved,
    binding: Binding,
    at: Timestamp,
) -> Result<(), StoreError> {
    let mut queue: VecDeque<(String, usize)> = changed.iter().map(|id| (id.clone(), 0)).collect();
    while let Some((id, depth)) = queue.pop_front() {
        // Objects that refer to one another in a circle would go round for ever.
        if depth >= REFERENCE_DEPTH_MAX {
            continue;
        }
        for referrer in turn.tx().referrers(&id)? {
            let position = referrer.position();
            let now = moved.get(&position).map_or(referrer.run.id.label, |(label, _)| *label);
            let registry = Arc::clone(turn.registry);
            let Some(label) = registry.labels.label(now).filter(|_| referrer.left.is_none()) else {
                continue;
            };
            let end = match end_of(turn, moved, &id, label, binding)? {
                Some(End::Here(end)) => Some(end),
                Some(End::Gone) => Some(intern(turn, &nobody(label), at)?),
                None => None,
            };
            let joined = rejoined(turn, &referrer, label, &id, end)?;
            if joined == *label {
                continue;
            }
            let joined = intern(turn, &joined, at)?;
            queue.push_back((referrer.head.id.clone(), depth + 1));
            moved.insert(position, (joined, referrer));
        }
    }
    Ok(())
}

/// The ids of `object`, of what was derived from it, and of all that refers to any of them, however indirectly.
pub(crate) fn ids_within_reach(turn: &Hand<'_>, object: &str) -> Result<BTreeSet<String>, StoreError> {
    let mut ids = derived_ids(turn, &turn.tx().find(object)?)?;
    ids.insert(object.to_owned());
    let mut queue: VecDeque<(String, usize)> = ids.iter().map(|id| (id.clone(), 0)).collect();
    while let Some((id, depth)) = queue.pop_front() {
        for referrer in turn.tx().referrers(&id)? {
            if referrer.left.is_none() && depth < REFERENCE_DEPTH_MAX && ids.insert(referrer.head.id.clone())
            {
                queue.push_back((referrer.head.id, depth + 1));
            }
        }
    }
    Ok(ids)
}

/// The ids of the objects that stand in for copies that are here, for those who may not have the whole.
///
/// They follow from the copies' content, so nothing has to be kept to find them again.
pub(crate) fn derived_ids(turn: &Hand<'_>, copies: &[Copy]) -> Result<BTreeSet<String>, StoreError> {
    let identity = &turn.registry.programme().settings().identity.id;
    let mut ids = BTreeSet::new();
    for copy in copies.iter().filter(|copy| copy.left.is_none()) {
        let body = turn.tx().body_for_relabelling(copy)?;
        let Ok(head) = Head::parse(&body) else { continue };
        let selectors = redacted(&head);
        if selectors.is_empty() {
            continue;
        }
        let derived = stix::derive(&body, &selectors, &|_| false, identity).ok();
        let id = derived.as_deref().and_then(|bytes| Some(Head::parse(bytes).ok()?.id.into_owned()));
        ids.extend(id);
    }
    Ok(ids)
}

/// What is left out of an object for those who may not have all of it: the parts with markings of their own.
pub(crate) fn redacted<'h>(head: &'h Head<'_>) -> Vec<&'h str> {
    let marked = head.granular_markings.iter();
    marked
        .filter(|marking| matches!(marking.mark, stix::Mark::Marking(_)))
        .flat_map(|marking| marking.selectors.iter().map(AsRef::as_ref))
        .collect()
}

/// Stores what moved under its new labels. With the deliveries so far, it is recorded who had received what, so that
/// nobody gets it twice when it opens again.
pub(crate) fn store_moved(
    turn: &mut Hand<'_>,
    moved: &Moved,
    deliveries: Option<&Deliveries>,
) -> Result<(), StoreError> {
    if let Some(deliveries) = deliveries {
        let ids: BTreeSet<&str> = moved.values().map(|(_, copy)| copy.head.id.as_str()).collect();
        for id in ids {
            // Older copies too: a reader to whom the last change was seamless gets the object at its old place.
            for copy in turn.tx().find(id)? {
                let received = deliveries.credentials(copy.position());
                turn.put_json(RECEIVED, &received_key(copy.position()), &received)?;
            }
        }
    }
    let mut rest: Vec<&(LabelId, Copy)> =
        moved.values().filter(|(label, copy)| copy.run.id.label != *label).collect();
    rest.sort_by_key(|(_, copy)| (copy.collection, copy.position()));
    while !rest.is_empty() {
        rest = store_some(turn, rest)?;
    }
    Ok(())
}

/// Stores as many of these as go into one commit, and returns the others.
fn store_some<'m>(
    turn: &mut Hand<'_>,
    all: Vec<&'m (LabelId, Copy)>,
) -> Result<Vec<&'m (LabelId, Copy)>, StoreError> {
    let collection = all[0].1.collection;
    let (mut building, mut placed) = (BTreeMap::<LabelId, Building>::new(), Vec::new());
    let (mut rest, mut bytes, mut seen) = (Vec::new(), 0, BTreeSet::new());
    for one in all {
        let (label, copy) = one;
        // Two copies of one version never move at one instant, or it could not be told which continues which.
        let key = (copy.head.id.as_str(), copy.head.version.as_str());
        let is_full = placed.len() >= MOVED_OBJECTS_MAX || bytes > MOVED_BYTES_MAX;
        if is_full || copy.collection != collection || !seen.insert(key) {
            rest.push(one);
            continue;
        }
        let body = turn.tx().body_for_relabelling(copy)?;
        bytes += body.len();
        let index = building.entry(*label).or_default().push(copy.head.clone(), &body);
        placed.push((*label, index, copy, body));
    }
    let at = turn.instant(u64::try_from(placed.len()).unwrap_or(u64::MAX));
    let commit = turn.write().next_commit();
    let segments = building
        .into_iter()
        .map(|(label, built)| built.finish(SegmentId { label, commit }, collection, at))
        .collect();
    turn.append(segments)?;
    for (label, index, copy, body) in placed {
        let position = Position { segment: SegmentId { label, commit }, index };
        turn.write().mark(Mark { position, left: None })?;
        let left = Some((at, Departure::Relabelled));
        turn.write().mark(Mark { position: copy.position(), left })?;
        depart(turn, copy.run.id.label, Some(label), at)?;
        refer_from(turn, position, &body)?;
    }
    Ok(rest)
}

/// Remembers what the object at `position` refers to.
pub(crate) fn refer_from(turn: &mut Hand<'_>, position: Position, body: &[u8]) -> Result<(), StoreError> {
    for reference in Head::parse(body).map(|head| head.refs).unwrap_or_default() {
        turn.write().refer(&reference.id, position)?;
    }
    Ok(())
}
