//! Who may have what, and by which policy: for people who have to explain it.
//!
//! A label says what an object demands; a verdict says what the policies make of it for one reader. Whether a reader *has*
//! it follows from more: an embargo, the ends of a relationship, the whole that a derived object stands in for. So each
//! cell has the verdict with its policies, and whether the label is open to the reader at this moment, and since when.
//! None of it is content.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{Caller, LabelId, Member, MemberId, Principal, Role, Timestamp};
use programme::{PAP_LEVELS, TLP_LEVELS};
use release::{Audience, Interval, Label, Reader, Verdict};
use serde::Serialize;

use crate::audit::{Deliveries, Receiver};
use crate::error::AdminError;
use crate::exchange::{Exchange, Inner, require};
use crate::registry::{Profiles, Registry, names_nobody};
use crate::uses::Uses;

/// How many labels and how many members one matrix has at most.
const LABELS_MAX: usize = 200;
const MEMBERS_MAX: usize = 200;

/// A label, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LabelView {
    /// Its number.
    pub label: u32,
    /// Since when there are objects with it.
    pub created: Timestamp,
    /// The alias of its collection.
    pub collection: String,
    /// The tier.
    pub tier: String,
    /// The TLP level, or what the programme takes unmarked objects for.
    pub tlp: &'static str,
    /// Whether an object carried a TLP marking.
    pub has_tlp: bool,
    /// The PAP level, if one is marked.
    pub pap: Option<&'static str>,
    /// How many ACS markings have to admit a reader.
    pub acs: usize,
    /// The submitter's AIS consent.
    pub consent: Option<String>,
    /// Markings that nobody knows here.
    pub unknown: BTreeSet<String>,
    /// Who submitted it.
    pub creator: String,
    /// Who alone is to have it, if somebody is named.
    pub audience: Option<BTreeSet<MemberId>>,
    /// Not before.
    pub release_at: Option<Timestamp>,
    /// Not from this instant on.
    pub release_until: Option<Timestamp>,
    /// Labels that have to be open as well.
    pub ends: Vec<u32>,
    /// The label that has to be closed.
    pub unless: Option<u32>,
}

/// What one reader may do with what has one label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReleaseCell {
    /// Whether the policies permit reading.
    pub may_read: bool,
    /// The policies that decided on reading. None: no policy permits it.
    pub policies: Vec<String>,
    /// What could not be evaluated.
    pub errors: Vec<String>,
    /// Whether the reader can have it at this moment.
    pub is_open: bool,
    /// Since when, if it can.
    pub since: Option<Timestamp>,
    /// What else it may do: enforce, display, redistribute.
    pub uses: Vec<&'static str>,
}

/// Labels and members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReleaseMatrix {
    /// The labels: the rows.
    pub labels: Vec<LabelView>,
    /// How many labels were asked for, of which the rows are the first.
    pub labels_all: usize,
    /// The members and their names: the columns.
    pub members: Vec<(MemberId, String)>,
    /// For each label, a cell for each member.
    pub cells: Vec<Vec<ReleaseCell>>,
}

/// An object's release.
#[derive(Clone, Debug, Serialize)]
pub struct ObjectRelease {
    /// The object.
    pub object: String,
    /// Where it lies.
    pub places: Vec<ObjectPlace>,
    /// Every member, by name.
    pub members: Vec<MemberRelease>,
}

/// A label under which an object lies.
#[derive(Clone, Debug, Serialize)]
pub struct ObjectPlace {
    /// The label.
    pub label: LabelView,
    /// How many versions.
    pub versions: usize,
}

/// What one member may do with an object, and what it did.
#[derive(Clone, Debug, Serialize)]
pub struct MemberRelease {
    /// The member.
    pub member: MemberId,
    /// Its name.
    pub name: String,
    /// Whether it can have it at this moment.
    pub is_open: bool,
    /// The cell of the place that is most open to it, with that label's number.
    pub by: Option<(u32, ReleaseCell)>,
    /// Whether and when it was handed out, to whoever may know that.
    pub received: Vec<Receiver>,
}

/// Who asks about a label: a member, or all that are like it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Asker {
    Alone(Principal, LabelId),
    Alike(Vec<u8>, LabelId),
}

/// What the policies say to somebody about a label.
pub(crate) struct Judged {
    read: Verdict,
    uses: Uses,
}

/// How many such answers are remembered at most: those of a hub with a thousand members that are no two alike, for the labels
/// of a matrix of hundreds.
pub(crate) const JUDGED_KEPT_MAX: usize = 262_144;

/// One column of the matrix, ready to be asked.
struct Column<'r> {
    inner: &'r Inner,
    principal: Principal,
    registry: &'r Registry,
    member: &'r Member,
    profile: Option<Vec<u8>>,
    grants: Arc<release::Grants>,
    now: Timestamp,
}

impl Column<'_> {
    fn open(&self, id: LabelId) -> Option<&Interval> {
        let intervals = self.grants.intervals(id).as_slice();
        let is_now =
            |interval: &&Interval| interval.from <= self.now && interval.to.is_none_or(|to| self.now < to);
        intervals.iter().rev().find(is_now)
    }

    fn cell(&self, id: LabelId, label: &Label) -> ReleaseCell {
        let judged = self.judged(id, label);
        let open = self.open(id);
        ReleaseCell {
            may_read: judged.read.permitted,
            policies: judged.read.policies.clone(),
            errors: judged.read.errors.clone(),
            is_open: open.is_some(),
            since: open.map(|interval| interval.from),
            uses: judged.uses.words().collect(),
        }
    }

    /// Asked once in an epoch, and once for all that are alike.
    fn judged(&self, id: LabelId, label: &Label) -> Arc<Judged> {
        let profile = self.profile.as_ref().filter(|_| names_nobody(label, &self.principal));
        let asker = match profile {
            Some(profile) => Asker::Alike(profile.clone(), id),
            None => Asker::Alone(self.principal.clone(), id),
        };
        let epoch = self.registry.epoch;
        self.inner.judged.get(&asker, epoch).unwrap_or_else(|| {
            let label = self.registry.resolved(label);
            let judge = self.registry.policy.judge(Reader::Member(self.member));
            let judged = Judged { read: judge.may_read(&label), uses: Uses::judged(&judge, &label) };
            let judged = Arc::new(judged);
            self.inner.judged.keep(asker, epoch, Arc::clone(&judged));
            judged
        })
    }
}

fn view(registry: &Registry, id: LabelId, label: &Label, created: Timestamp) -> LabelView {
    let label = registry.resolved(label);
    let settings = registry.programme().settings();
    let tlp = label.demands.tlp.unwrap_or(settings.unmarked_tlp);
    let collection = registry.programme().collection(&label.collection);
    LabelView {
        label: id.number(),
        created,
        collection: collection.map_or_else(|| label.collection.to_string(), |known| known.alias.clone()),
        tier: label.tier.to_string(),
        tlp: TLP_LEVELS.get(usize::from(tlp)).copied().unwrap_or("red"),
        has_tlp: label.demands.tlp.is_some(),
        pap: label.demands.pap.map(|pap| PAP_LEVELS.get(usize::from(pap)).copied().unwrap_or("red")),
        acs: label.demands.acs.len(),
        consent: label.demands.consent.clone(),
        unknown: label.demands.unknown.clone(),
        creator: label.creator.to_string(),
        audience: match &label.audience {
            Audience::Everyone => None,
            Audience::Named(members) => Some(members.clone()),
        },
        release_at: label.release_at,
        release_until: label.release_until,
        ends: label.ends.iter().map(|end| end.number()).collect(),
        unless: label.unless.map(LabelId::number),
    }
}

impl Exchange {
    fn column<'r>(
        &'r self,
        registry: &'r Registry,
        profiles: &Profiles,
        member: &'r Member,
    ) -> Result<Column<'r>, AdminError> {
        let principal = Principal::Member(member.id.clone());
        let grants = self.inner.grants_of(&principal, registry)?.grants;
        let profile = profiles.of(registry, &principal);
        let now = self.inner.clock.now();
        Ok(Column { inner: &self.inner, principal, registry, member, profile, grants, now })
    }

    /// What the policies make of every label for some members: of one collection, or of all. At most the first 200
    /// labels and 200 members are answered.
    ///
    /// # Errors
    ///
    /// Refuses members, and a collection or member that there is not.
    pub fn release_matrix(
        &self,
        caller: &Caller,
        collection: Option<&str>,
        members: &[MemberId],
    ) -> Result<ReleaseMatrix, AdminError> {
        require(caller, &Role::ALL, "the programme's people")?;
        let registry = self.inner.published.registry();
        let wanted = match collection {
            None => None,
            Some(name) => {
                let known = registry.programme().find_collection(name);
                Some(known.ok_or_else(|| AdminError::NoSuchCollection(name.to_owned()))?.id)
            }
        };
        let facts = registry.labels.facts.iter().enumerate().filter_map(|(number, facts)| {
            let id = LabelId::new(u32::try_from(number).ok()?);
            wanted.is_none_or(|wanted| facts.label.collection == wanted).then_some((id, facts))
        });
        let facts: Vec<_> = facts.collect();
        let profiles = Profiles::new(&registry);
        let mut columns = Vec::new();
        for id in members.iter().take(MEMBERS_MAX) {
            let member = registry.members.get(id).ok_or_else(|| AdminError::NoSuchMember(id.clone()))?;
            columns.push((member, self.column(&registry, &profiles, member)?));
        }
        let labels_all = facts.len();
        let rows = &facts[..labels_all.min(LABELS_MAX)];
        Ok(ReleaseMatrix {
            labels: rows
                .iter()
                .map(|(id, facts)| view(&registry, *id, &facts.label, facts.created))
                .collect(),
            labels_all,
            members: columns.iter().map(|(member, _)| (member.id.clone(), member.name.clone())).collect(),
            cells: rows
                .iter()
                .map(|(id, facts)| columns.iter().map(|(_, column)| column.cell(*id, &facts.label)).collect())
                .collect(),
        })
    }

    /// The collections that exist for a member, with the policies that say so or that do not, by alias.
    ///
    /// # Errors
    ///
    /// Refuses members, and a member that there is not.
    pub fn collections_of(
        &self,
        caller: &Caller,
        member: &MemberId,
    ) -> Result<BTreeMap<String, (bool, Vec<String>)>, AdminError> {
        require(caller, &Role::ALL, "the programme's people")?;
        let registry = self.inner.published.registry();
        let known = registry.members.get(member).ok_or_else(|| AdminError::NoSuchMember(member.clone()))?;
        let reader = Reader::Member(known);
        let told = registry.programme().settings().collections.iter().map(|collection| {
            let verdict = registry.policy.may_list(reader, &collection.id);
            (collection.alias.clone(), (verdict.permitted, verdict.policies))
        });
        Ok(told.collect())
    }

    /// Who can have an object, who received it, and why not the others.
    ///
    /// Who received it is told to auditors only.
    ///
    /// # Errors
    ///
    /// Refuses members, and an object that is not there.
    pub fn object_release(&self, caller: &Caller, object: &str) -> Result<ObjectRelease, AdminError> {
        require(caller, &Role::ALL, "the programme's people")?;
        let registry = self.inner.published.registry();
        let snapshot = self.inner.store.snapshot()?;
        let copies = self.inner.copies_for_audit(snapshot.as_ref(), object)?;
        if copies.is_empty() {
            return Err(AdminError::NoSuchObject(object.to_owned()));
        }
        let mut received: BTreeMap<String, Vec<Receiver>> = BTreeMap::new();
        if require(caller, crate::audit::AUDITS, "the programme's auditors").is_ok() {
            let positions = copies.iter().map(store::Copy::position);
            let deliveries = Deliveries::find(&self.inner.spans, snapshot.as_ref(), positions)?;
            for receiver in deliveries.receivers(&copies) {
                received.entry(receiver.member.clone()).or_default().push(receiver);
            }
        }
        let mut versions: BTreeMap<LabelId, usize> = BTreeMap::new();
        for copy in copies.iter().filter(|copy| copy.left.is_none()) {
            *versions.entry(copy.run.id.label).or_default() += 1;
        }
        let labels: Vec<_> =
            versions.keys().filter_map(|id| Some((*id, registry.labels.facts.get(id.index())?))).collect();
        let profiles = Profiles::new(&registry);
        let mut members = Vec::new();
        for member in registry.members.values() {
            let column = self.column(&registry, &profiles, member)?;
            let cells = labels.iter().map(|(id, facts)| (id.number(), column.cell(*id, &facts.label)));
            let by = cells.max_by_key(|(_, cell)| (cell.is_open, cell.may_read));
            members.push(MemberRelease {
                is_open: by.as_ref().is_some_and(|(_, cell)| cell.is_open),
                by,
                received: received.remove(member.id.as_str()).unwrap_or_default(),
                member: member.id.clone(),
                name: member.name.clone(),
            });
        }
        members.sort_by_cached_key(|one| (one.name.to_lowercase(), one.member.clone()));
        let place = |(id, facts): &(LabelId, &release::LabelFacts)| ObjectPlace {
            label: view(&registry, *id, &facts.label, facts.created),
            versions: versions.get(id).copied().unwrap_or_default(),
        };
        Ok(ObjectRelease { object: object.to_owned(), places: labels.iter().map(place).collect(), members })
    }
}
