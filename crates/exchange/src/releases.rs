//! Who may have what, and by which policy: for people who have to explain it.
//!
//! A label says what an object demands; a verdict says what the policies make of it for one reader. Whether a reader *has*
//! it follows from more: an embargo, the ends of a relationship, the whole that a derived object stands in for. So each
//! cell has the verdict with its policies, and whether the label is open to the reader at this moment, and since when.
//! None of it is content.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{Caller, LabelId, MemberId, Principal, Role, Timestamp};
use programme::{PAP_LEVELS, TLP_LEVELS};
use release::{Audience, Interval, Label, Reader};
use serde::Serialize;

use crate::audit::{Deliveries, Receiver};
use crate::error::AdminError;
use crate::exchange::{Exchange, require};
use crate::judgements::Asker;
use crate::registry::Registry;

/// How many labels and how many members one matrix has at most, and how many cells: each is some hundred bytes.
const LABELS_MAX: usize = 200;
const MEMBERS_MAX: usize = 1_000;
const CELLS_MAX: usize = 40_000;

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

/// Which part of the matrix is asked for.
#[derive(Clone, Copy, Debug)]
pub struct MatrixAsked<'a> {
    /// Labels of this collection; of all, if left out.
    pub collection: Option<&'a str>,
    /// This label alone.
    pub label: Option<u32>,
    /// Labels with smaller numbers, so older ones.
    pub before: Option<u32>,
    /// At most so many labels.
    pub limit: usize,
    /// The members.
    pub members: &'a [MemberId],
}

impl<'a> MatrixAsked<'a> {
    /// As many labels as go with these members, the newest first.
    #[must_use]
    pub fn of(members: &'a [MemberId]) -> Self {
        Self { collection: None, label: None, before: None, limit: LABELS_MAX, members }
    }
}

/// Labels and members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReleaseMatrix {
    /// The labels: the rows.
    pub labels: Vec<LabelView>,
    /// How many labels there are, of which the rows are some.
    pub labels_all: usize,
    /// How many of them are newer than the rows.
    pub newer: usize,
    /// What to ask with as `before` for those that are older than the rows; none if there are none.
    pub older: Option<u32>,
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

/// One column of the matrix, ready to be asked.
struct Column<'r> {
    asker: Asker<'r>,
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

    fn cell(&self, id: LabelId, label: &Arc<Label>) -> ReleaseCell {
        let judged = self.asker.judged(label);
        let open = self.open(id);
        ReleaseCell {
            may_read: judged.read.permitted,
            policies: judged.read.policies.clone(),
            errors: judged.read.errors.clone(),
            is_open: open.is_some(),
            since: open.map(|interval| interval.from),
            uses: self.asker.uses(label, &judged).words().collect(),
        }
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
    fn column<'r>(&'r self, registry: &'r Registry, member: &MemberId) -> Result<Column<'r>, AdminError> {
        let principal = Principal::Member(member.clone());
        let grants = self.inner.grants_of(&principal, registry)?.grants;
        let asker = Asker::new(&self.inner.judgements, registry, &principal);
        Ok(Column { asker, grants, now: self.inner.clock.now() })
    }

    /// How often the policies were asked whether somebody may read something, since the start.
    #[must_use]
    pub fn policies_asked(&self) -> u64 {
        self.inner.judgements.asked()
    }

    /// What the policies make of labels for some members, the newest labels first. As many labels are answered as were
    /// asked for, and as go with so many members; `older` tells how to go on.
    ///
    /// # Errors
    ///
    /// Refuses members; a collection, member or label that there is not; and more than a thousand members.
    pub fn release_matrix(
        &self,
        caller: &Caller,
        asked: &MatrixAsked<'_>,
    ) -> Result<ReleaseMatrix, AdminError> {
        require(caller, &Role::ALL, "the programme's people")?;
        if asked.members.len() > MEMBERS_MAX {
            return Err(AdminError::Invalid(format!(
                "at most {MEMBERS_MAX} members are asked about at once"
            )));
        }
        let registry = self.inner.published.registry();
        let wanted = match asked.collection {
            None => None,
            Some(name) => {
                let known = registry.programme().find_collection(name);
                Some(known.ok_or_else(|| AdminError::NoSuchCollection(name.to_owned()))?.id)
            }
        };
        let facts = registry.labels.facts.iter().enumerate().filter_map(|(number, facts)| {
            let id = LabelId::new(u32::try_from(number).ok()?);
            let is_of_it = wanted.is_none_or(|wanted| facts.label.collection == wanted);
            (is_of_it && asked.label.is_none_or(|label| label == id.number())).then_some((id, facts))
        });
        let facts: Vec<_> = facts.collect();
        let mut columns = Vec::new();
        for id in asked.members {
            let member = registry.members.get(id).ok_or_else(|| AdminError::NoSuchMember(id.clone()))?;
            columns.push((member, self.column(&registry, id)?));
        }
        let labels_all = facts.len();
        let first =
            asked.before.map_or(labels_all, |before| facts.partition_point(|(id, _)| id.number() < before));
        let most = asked.limit.clamp(1, LABELS_MAX).min((CELLS_MAX / columns.len().max(1)).max(1));
        let rows: Vec<_> = facts[..first].iter().rev().take(most).collect();
        let older = rows.last().filter(|_| rows.len() < first).map(|(id, _)| id.number());
        Ok(ReleaseMatrix {
            older,
            newer: labels_all - first,
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

    /// What a member is called, and the numbers of the labels that are open to it now.
    ///
    /// # Errors
    ///
    /// Refuses members, and a member that there is not.
    pub fn labels_open_to(
        &self,
        caller: &Caller,
        member: &MemberId,
    ) -> Result<(String, BTreeSet<u32>), AdminError> {
        require(caller, &Role::ALL, "the programme's people")?;
        let registry = self.inner.published.registry();
        let known = registry.members.get(member).ok_or_else(|| AdminError::NoSuchMember(member.clone()))?;
        let column = self.column(&registry, member)?;
        let numbers = (0..registry.labels.facts.len()).filter_map(|number| u32::try_from(number).ok());
        let open = numbers.filter(|number| column.open(LabelId::new(*number)).is_some());
        Ok((known.name.clone(), open.collect()))
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
        let mut members = Vec::new();
        for member in registry.members.values() {
            let column = self.column(&registry, &member.id)?;
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
