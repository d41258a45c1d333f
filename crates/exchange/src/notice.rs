//! The notice of a suspension or a removal: what the member's own client receives.
//!
//! The collections of the tier are gone for the member from its next request on, and a client sees of that a 404. So the
//! programme says in a collection that the member can still read what has happened: a STIX note to those concerned alone,
//! in the transaction of the step. Those who leave a tier at one instant share it.
//!
//! ```text
//! acme: listed -> suspended on `cleared`     a note in `open`, to acme: since when, the duty, its date
//! ```
//!
//! A member that can read nothing any more is told at `/api/me` alone, where all of them are.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use model::{CollectionId, Member, MemberId, Principal, Standing, StandingChange, Tier, Timestamp};
use release::{Audience, Demands, Label, Reader};
use serde::Serialize;
use serde_json::{Value, json};
use store::{HeadRecord, SegmentId, StoreError};

use crate::dossier::{Dossier, Duty, DutyOf};
use crate::error::AdminError;
use crate::exchange::{Exchange, Hand};
use crate::publish::{Building, intern, of_programme};
use crate::registry::{Profiles, Registry};

/// A member that was taken off a tier's list, and what it owes for it.
pub(crate) struct Closed {
    member: Member,
    tier: Tier,
    to: Standing,
    since: Timestamp,
    due: Option<Timestamp>,
}

impl Closed {
    /// What a step closed, if it closed anything: `member` is as it is after the step.
    pub(crate) fn by(step: &StandingChange, member: &Member, dossier: &Dossier) -> Option<Self> {
        let closes = step.from.is_on_the_list() && matches!(step.to, Standing::Suspended | Standing::Removed);
        closes.then(|| Self {
            member: member.clone(),
            tier: step.tier.clone(),
            to: step.to,
            since: step.at,
            due: disposal(dossier, &step.tier).map(|duty| duty.due),
        })
    }
}

/// The open duty to return or dispose of what is held of a tier.
fn disposal<'d>(dossier: &'d Dossier, tier: &Tier) -> Option<&'d Duty> {
    let is_it = |duty: &&Duty| matches!(&duty.of, DutyOf::Disposal { tier: of } if of == tier);
    dossier.duties.iter().filter(is_it).find(|duty| duty.done.is_none())
}

/// What is the same for all who share a note.
type What = (CollectionId, Tier, Standing, Timestamp, Option<Timestamp>);

/// Tells the members what was closed to them, where they can read it. To be called when their grants are what they are to
/// be.
pub(crate) fn tell(turn: &mut Hand<'_>, closed: &[Closed]) -> Result<(), StoreError> {
    if closed.is_empty() {
        return Ok(());
    }
    let registry = Arc::clone(turn.registry);
    let profiles = Profiles::new(&registry);
    // Of very many who are suspended at once most are alike to the policies.
    let mut known: HashMap<Vec<u8>, Option<CollectionId>> = HashMap::new();
    let mut told: BTreeMap<What, BTreeSet<MemberId>> = BTreeMap::new();
    for one in closed {
        let ask = || readable(&registry, &one.member);
        let collection = match profiles.of(&registry, &Principal::Member(one.member.id.clone())) {
            Some(profile) => *known.entry(profile).or_insert_with(ask),
            None => ask(),
        };
        if let Some(collection) = collection {
            let what = (collection, one.tier.clone(), one.to, one.since, one.due);
            told.entry(what).or_default().insert(one.member.id.clone());
        }
    }
    let mut by_collection: BTreeMap<CollectionId, Vec<(What, BTreeSet<MemberId>)>> = BTreeMap::new();
    for (what, members) in told {
        by_collection.entry(what.0).or_default().push((what, members));
    }
    for (collection, notes) in by_collection {
        let at = turn.instant(u64::try_from(notes.len()).unwrap_or(u64::MAX));
        let mut building: BTreeMap<_, Building> = BTreeMap::new();
        for (what, members) in notes {
            let Some(label) = label_for(&registry, collection, members) else { continue };
            let label = intern(turn, &label, at)?;
            let uuid = uuid::Builder::from_random_bytes(turn.random_bytes()).into_uuid();
            let id = format!("note--{uuid}");
            let body = note(&registry, &id, &what, at).to_string().into_bytes();
            let head = HeadRecord { id, version: at.to_string(), revoked: false };
            building.entry(label).or_default().push(head, &body);
        }
        let commit = turn.write().next_commit();
        let segments = building
            .into_iter()
            .map(|(label, built)| built.finish(SegmentId { label, commit }, collection, at))
            .collect();
        turn.append(segments)?;
    }
    Ok(())
}

/// The first collection of the programme in which a member can read what is addressed to it.
fn readable(registry: &Registry, member: &Member) -> Option<CollectionId> {
    let judge = registry.policy.judge(Reader::Member(member));
    let collections = registry.programme().settings().collections.iter();
    let mut ids = collections.map(|collection| collection.id);
    ids.find(|id| {
        registry.policy.may_see_collection(Reader::Member(member), id)
            && label_for(registry, *id, BTreeSet::from([member.id.clone()]))
                .is_some_and(|label| judge.may_read(&label).permitted)
    })
}

fn label_for(registry: &Registry, collection: CollectionId, members: BTreeSet<MemberId>) -> Option<Label> {
    let settings = registry.programme().collection(&collection)?;
    Some(Label {
        collection,
        tier: settings.tier.clone(),
        demands: Demands::default(),
        creator: of_programme(),
        audience: Audience::Named(members),
        release_at: None,
        release_until: None,
        ends: BTreeSet::new(),
        unless: None,
    })
}

fn note(registry: &Registry, id: &str, what: &What, at: Timestamp) -> Value {
    let (_, tier, to, since, due) = what;
    let identity = &registry.programme().settings().identity.id;
    let date = at.to_string();
    let duty = due.map_or_else(String::new, |due| {
        format!(
            " Return or dispose of what you hold of it, and certify that by {due}: `POST /api/me/disposals/{tier}`. \
             What you hold, by tier, is at `GET /api/members/{{your id}}/holds`."
        )
    });
    json!({
        "type": "note",
        "spec_version": "2.1",
        "id": id,
        "created": date,
        "modified": date,
        "created_by_ref": identity,
        "abstract": format!("you are {to} on the tier {tier} since {since}"),
        "content": format!("You are {to} on the tier {tier} since {since}, and get nothing of it any more.{duty}"),
        "labels": ["standing"],
        "object_refs": [identity],
        "x_ringfence_standing": {
            "tier": tier,
            "standing": to,
            "since": since,
            "duty": due.map(|_| "disposal"),
            "due": due,
        },
    })
}

/// A tier that was closed to a member, and what it owes for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClosedTier {
    /// The tier.
    pub tier: Tier,
    /// The standing on it.
    pub standing: Standing,
    /// Since when it owes.
    pub since: Timestamp,
    /// What it owes.
    pub duty: String,
    /// By when.
    pub due: Timestamp,
}

impl Exchange {
    /// The tiers that were closed to a member and of which it has not yet certified what it was to do.
    ///
    /// # Errors
    ///
    /// Refuses other members, as if there were none.
    pub fn closed_tiers(
        &self,
        caller: &model::Caller,
        member: &MemberId,
    ) -> Result<Vec<ClosedTier>, AdminError> {
        let known = self.member(caller, member)?;
        let registry = self.inner.published.registry();
        let dossier = registry.dossier(member);
        let tiers = registry.programme().settings().tiers.iter().map(|tier| &tier.name);
        let owed = tiers.filter_map(|tier| Some((tier, disposal(&dossier, tier)?)));
        let closed = owed.map(|(tier, duty)| ClosedTier {
            tier: tier.clone(),
            standing: known.standing(tier),
            since: duty.since,
            duty: duty.text.clone(),
            due: duty.due,
        });
        Ok(closed.collect())
    }
}
