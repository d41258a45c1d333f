//! Recall: the programme withdraws an object, or gives it another label, after it was handed out.
//!
//! Only its creator may change a STIX object, so the programme does not touch the bytes. What it can do, and what
//! the receivers learn:
//!
//! - *withdraw*: the object is gone for everybody. Whoever holds it, by the ledger, gets a notice;
//! - *re-label*: the object is open to another audience or under stricter markings. Whoever holds it and may not have
//!   it any more gets a notice; whoever may have it now gets it, unless it has it already;
//! - if the programme itself created the object, a withdrawal is a new version with `revoked: true`, which is
//!   STIX's own word for it, to everybody who could read the object.
//!
//! STIX has no word for "you should no longer have this", so a notice is a `note` by the programme about the object,
//! labelled `recalled`, with the particulars in `x_ringfence_recall`. It goes to the holders by name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ledger::Body;
use model::{Caller, LabelId, MemberId, Role, Timestamp};
use release::{Audience, Demands, Label};
use serde::Serialize;
use serde_json::{Value, json};
use stix::Head;
use store::timeline::{RECEIVED, received_key};
use store::{Copy, Departure, HeadRecord, Mark, Position, SegmentId};

use crate::audit::{Receiver, credentials_that_received, receivers};
use crate::error::{AdminError, PublishError};
use crate::exchange::{Exchange, Hand, Inner, name_of, require};
use crate::members::still_accepted;
use crate::publish::{Building, intern, of_programme};
use crate::registry::Registry;
use crate::writer::Instants;

/// What is to become of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecallAction {
    /// Nobody is to have it.
    Withdraw,
    /// It is to have another label; `None` leaves an attribute as it is.
    Relabel {
        /// Who is to have it; an empty set is nobody.
        audience: Option<BTreeSet<MemberId>>,
        /// Its TLP level: 0 CLEAR, 1 GREEN, 2 AMBER, 3 AMBER+STRICT, 4 RED.
        tlp: Option<u8>,
    },
}

/// What a recall did.
#[derive(Clone, Debug, Serialize)]
pub struct RecallReport {
    /// The object.
    pub object: String,
    /// How many versions it concerned.
    pub versions: usize,
    /// Who had received it.
    pub receivers: Vec<Receiver>,
    /// Who is told by a notice in its next poll.
    pub told: Vec<String>,
    /// The notice's id, if there was anyone to tell.
    pub notice: Option<String>,
    /// Whether the object was revoked by a new version, being the programme's own.
    pub revoked: bool,
}

impl Exchange {
    /// Recalls an object, in every collection and all its versions.
    ///
    /// # Errors
    ///
    /// Refuses all but operators and reviewers, and an object that is not there.
    pub fn recall(
        &self,
        caller: &Caller,
        object: &str,
        action: RecallAction,
        reason: &str,
    ) -> Result<RecallReport, AdminError> {
        require(caller, &[Role::Operator, Role::Reviewer], "an operator or a reviewer")?;
        if reason.trim().is_empty() {
            return Err(AdminError::Invalid("a recall needs a reason".to_owned()));
        }
        let (inner, caller) = (Arc::clone(&self.inner), caller.clone());
        let (by, object, reason) = (name_of(&caller), object.to_owned(), reason.to_owned());
        let (report, last) =
            self.inner.writer.run(Instants::Alone, move |turn| -> Result<_, AdminError> {
                still_accepted(turn, &caller)?;
                recall(&inner, turn, &by, &object, &action, &reason)
            })?;
        self.inner.wait_until(last);
        Ok(report)
    }
}

fn recall(
    inner: &Inner,
    turn: &mut Hand<'_>,
    by: &str,
    object: &str,
    action: &RecallAction,
    reason: &str,
) -> Result<RecallReport, AdminError> {
    let copies = turn.tx().find(object)?;
    let current: Vec<Copy> = copies.iter().filter(|copy| copy.left.is_none()).cloned().collect();
    if current.is_empty() {
        return Err(AdminError::NoSuchObject(object.to_owned()));
    }
    let holders: Vec<Receiver> = receivers(inner.store.snapshot()?.as_ref(), &copies)?.into_iter().collect();
    let at = turn.instant(u64::try_from(current.len() + 2).unwrap_or(u64::MAX));
    let newest =
        current.iter().max_by_key(|copy| stix::StixTimestamp::parse(&copy.head.version).ok()).cloned();
    let (mut told, mut notice, mut revoked) = (BTreeSet::new(), None, false);
    let mut additions: Vec<Addition> = Vec::new();

    let own = newest.as_ref().map(|copy| own_revocation(turn, copy, at)).transpose()?.flatten();
    match (action, newest, own) {
        (RecallAction::Withdraw, Some(newest), Some((head, body))) => {
            revoked = true;
            let label = newest.run.id.label;
            additions.push(Addition { of: newest, label, head, body, continues: false });
        }
        (RecallAction::Withdraw, _, _) => {
            for copy in &current {
                turn.write().mark(Mark { position: copy.position(), left: Some((at, Departure::Gone)) })?;
            }
            told.extend(members_of(&holders));
        }
        (RecallAction::Relabel { audience, tlp }, _, _) => {
            // Older copies too: a reader to whom the last change was seamless still gets the object at its old place.
            let snapshot = inner.store.snapshot()?;
            for copy in &copies {
                let received = credentials_that_received(snapshot.as_ref(), copy)?;
                turn.put_json(RECEIVED, &received_key(copy.position()), &received)?;
            }
            for copy in &current {
                let registry = Arc::clone(turn.registry);
                let Some(old) = registry.labels.label(copy.run.id.label) else { continue };
                let new = relabelled(old, audience.as_ref(), *tlp);
                if new == *old {
                    continue;
                }
                let label = intern(turn, &new, at).map_err(refused)?;
                let body = turn.tx().body_for_relabelling(copy)?;
                let head = copy.head.clone();
                additions.push(Addition { of: copy.clone(), label, head, body, continues: true });
                told.extend(
                    members_of(&holders).into_iter().filter(|member| !may_read(turn.registry, member, &new)),
                );
            }
        }
    }
    store_additions(turn, &additions, at, &copies)?;
    if !told.is_empty() {
        notice = Some(store_notice(turn, &current[0], object, action, reason, &told, at)?);
    }
    for copy in &current {
        turn.record(&Body::Recall(ledger::entry::Recall {
            at: at.to_string(),
            by: by.to_owned(),
            object: object.to_owned(),
            version: copy.head.version.clone(),
            action: match action {
                RecallAction::Withdraw if revoked => "revoked".to_owned(),
                RecallAction::Withdraw => "withdrawn".to_owned(),
                RecallAction::Relabel { .. } => "re-labelled".to_owned(),
            },
            reason: reason.to_owned(),
        }))?;
    }
    Ok(RecallReport {
        object: object.to_owned(),
        versions: current.len(),
        receivers: holders,
        told: told.iter().map(ToString::to_string).collect(),
        notice,
        revoked,
    })
}

fn refused(error: PublishError) -> AdminError {
    match error {
        PublishError::Revoked => AdminError::Revoked,
        PublishError::Store(source) => AdminError::Store(source),
        PublishError::Write(source) => AdminError::Write(source),
        PublishError::NoSuchCollection(_)
        | PublishError::NotWritable(_)
        | PublishError::Malformed(_)
        | PublishError::BadProperty { .. }
        | PublishError::OutOfOrder(_)
        | PublishError::Forbidden(_)
        | PublishError::NoSuchObject(_) => AdminError::Invalid(error.to_string()),
    }
}

fn members_of(holders: &[Receiver]) -> Vec<MemberId> {
    holders.iter().filter_map(|receiver| receiver.member.parse().ok()).collect()
}

fn may_read(registry: &Registry, member: &MemberId, label: &Label) -> bool {
    registry
        .members
        .get(member)
        .is_some_and(|member| registry.policy.may_read(release::Reader::Member(member), label).permitted)
}

fn relabelled(old: &Label, audience: Option<&BTreeSet<MemberId>>, tlp: Option<u8>) -> Label {
    let mut new = old.clone();
    if let Some(audience) = audience {
        new.audience = Audience::Named(audience.clone());
    }
    if let Some(tlp) = tlp {
        new.demands.tlp = Some(tlp);
    }
    new
}

/// A revoking version of an object that the programme created itself.
fn own_revocation(
    turn: &Hand<'_>,
    copy: &Copy,
    at: Timestamp,
) -> Result<Option<(HeadRecord, Vec<u8>)>, AdminError> {
    let body = turn.tx().body_for_relabelling(copy)?;
    let identity = &turn.registry.programme().settings().identity.id;
    let is_own = Head::parse(&body).is_ok_and(|head| {
        head.created_by_ref.as_deref() == Some(identity) && head.modified.is_some() && !head.revoked
    });
    let Some(mut object) = is_own.then(|| serde_json::from_slice::<Value>(&body).ok()).flatten() else {
        return Ok(None);
    };
    let Some(properties) = object.as_object_mut() else { return Ok(None) };
    let modified = stix_date(at);
    properties.insert("modified".to_owned(), json!(modified));
    properties.insert("revoked".to_owned(), json!(true));
    let head = HeadRecord { id: copy.head.id.clone(), version: modified, revoked: true };
    Ok(Some((head, object.to_string().into_bytes())))
}

/// STIX asks for milliseconds at least and takes microseconds.
fn stix_date(at: Timestamp) -> String {
    at.to_string()
}

/// An object that a recall adds.
struct Addition {
    /// The copy that it follows.
    of: Copy,
    label: LabelId,
    head: HeadRecord,
    body: Vec<u8>,
    /// Whether it is the same version under another label; otherwise it is a new version.
    continues: bool,
}

fn store_additions(
    turn: &mut Hand<'_>,
    additions: &[Addition],
    at: Timestamp,
    copies: &[Copy],
) -> Result<(), AdminError> {
    let collections: BTreeSet<_> = additions.iter().map(|addition| addition.of.collection).collect();
    for collection in collections {
        let commit = turn.write().next_commit();
        let mut building: BTreeMap<LabelId, Building> = BTreeMap::new();
        let mut placed = Vec::new();
        for addition in additions.iter().filter(|addition| addition.of.collection == collection) {
            let index =
                building.entry(addition.label).or_default().push(addition.head.clone(), &addition.body);
            placed.push((Position { segment: SegmentId { label: addition.label, commit }, index }, addition));
        }
        let segments = building
            .into_iter()
            .map(|(label, built)| built.finish(SegmentId { label, commit }, collection, at))
            .collect();
        turn.write().append(segments)?;
        for (position, addition) in placed {
            turn.write().mark(Mark { position, left: None })?;
            if addition.continues {
                let left = Some((at, Departure::Relabelled));
                turn.write().mark(Mark { position: addition.of.position(), left })?;
            }
            if let Ok(head) = Head::parse(&addition.body) {
                for reference in &head.refs {
                    turn.write().refer(&reference.id, position)?;
                }
            }
        }
    }
    if additions.iter().any(|addition| !addition.continues) {
        for copy in copies.iter().filter(|copy| copy.left.is_none()) {
            turn.write().mark(Mark { position: copy.position(), left: None })?;
        }
    }
    Ok(())
}

/// Tells the holders, each by name, in the collection in which the object was.
fn store_notice(
    turn: &mut Hand<'_>,
    recalled: &Copy,
    object: &str,
    action: &RecallAction,
    reason: &str,
    told: &BTreeSet<MemberId>,
    at: Timestamp,
) -> Result<String, AdminError> {
    let registry = Arc::clone(turn.registry);
    let Some(old) = registry.labels.label(recalled.run.id.label) else {
        return Err(AdminError::NoSuchObject(object.to_owned()));
    };
    let identity = registry.programme().settings().identity.id.clone();
    let uuid = uuid::Builder::from_random_bytes(turn.random_bytes()).into_uuid();
    let id = format!("note--{uuid}");
    let what = match action {
        RecallAction::Withdraw => "withdrawn",
        RecallAction::Relabel { .. } => "re-labelled",
    };
    let date = stix_date(at);
    let note = json!({
        "type": "note",
        "spec_version": "2.1",
        "id": id,
        "created": date,
        "modified": date,
        "created_by_ref": identity,
        "abstract": format!("{object} was {what} by the programme: stop using it and dispose of it"),
        "content": reason,
        "labels": ["recalled"],
        "object_refs": [object],
        "x_ringfence_recall": { "object": object, "version": recalled.head.version, "action": what },
    });
    let label = Label {
        collection: old.collection,
        tier: old.tier.clone(),
        demands: Demands::default(),
        creator: of_programme(),
        audience: Audience::Named(told.clone()),
        release_at: None,
        release_until: None,
        ends: BTreeSet::new(),
        unless: None,
    };
    // The recall's own additions may have taken the instant's commit in this collection.
    let at = turn.instant(1).max(at);
    let label = intern(turn, &label, at).map_err(refused)?;
    let commit = turn.write().next_commit();
    let mut built = Building::default();
    built.push(HeadRecord { id: id.clone(), version: date, revoked: false }, note.to_string().as_bytes());
    turn.write().append(vec![built.finish(SegmentId { label, commit }, recalled.collection, at)])?;
    Ok(id)
}
