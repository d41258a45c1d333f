//! Publishing: from the bytes of an envelope to stored segments and a status.
//!
//! [`prepare`] does everything that needs no store, on the caller's thread: cut the envelope into objects, check each,
//! resolve markings, draft labels. The writer does the rest in its turn: look for other copies and versions, join the
//! labels of the ends of relationships, number, store, record. What is good is kept and what is bad is named, object
//! by object.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use ledger::Body;
use ledger::entry::{ObjectDigest, Publication};
use model::{Caller, LabelId, MemberId, Principal, Timestamp};
use programme::Collection;
use release::{Audience, Demands, Label, View};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use stix::{Document, Head, Limits, StixTimestamp, ValidateOptions};
use store::{Copy, HeadRecord, Mark, Position, Segment, SegmentId, StoreError};
use taxii::Status;

use crate::error::{PublishError, ReadError};
use crate::exchange::{Exchange, Hand, Inner, name_of};
use crate::labelling::{Finding, Resolver, Terms, draft, with_ends};
use crate::read::{StatusRecord, segment_number, status_resource};
use crate::registry::{FINDING, LABEL, LabelRecord, MARKING, Registry, STATUS, label_key};
use crate::writer::Instants;

/// How many objects a segment's commit holds at most, so that a page is a few segments and a cursor never stands far
/// inside one.
const COMMIT_OBJECTS_MAX: usize = 1_000;
/// How many bytes of bodies a commit holds at most, unless it is one object.
const COMMIT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How many findings of one code a submission leaves behind.
const FINDINGS_MAX: usize = 20;

/// What a publisher says about a whole submission, beside the objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublishOptions {
    /// Who is to have it; `None` is everyone whom tier and markings admit.
    pub audience: Option<BTreeSet<MemberId>>,
    /// Not before this instant.
    pub release_at: Option<Timestamp>,
    /// Not from this instant on.
    pub release_until: Option<Timestamp>,
    /// The objects' dates, one for each, when they are moved from another server. For operators.
    pub dates: Option<Vec<Timestamp>>,
}

/// What became of a submission.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The status, without the list of successes, which the status resource has.
    pub status: Status,
    /// How many objects were stored; the others were here already or were refused.
    pub stored: usize,
}

/// What became of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemFate {
    /// Stored.
    Stored,
    /// It was here, unchanged.
    Already,
    /// Refused, with the reason.
    Refused(String),
}

/// One object, checked.
struct Item {
    /// Where its bytes are in the submission, or bytes of its own if it was derived.
    bytes: Bytes,
    head: HeadRecord,
    creator: Option<String>,
    draft: usize,
    /// The draft of the whole object for which a derived one stands in.
    unless: Option<usize>,
    refs: Vec<String>,
    date: Option<Timestamp>,
}

enum Bytes {
    Range(std::ops::Range<usize>),
    Own(Vec<u8>),
}

/// A submission, checked.
struct Prepared {
    body: Vec<u8>,
    drafts: Vec<Label>,
    items: Vec<Item>,
    refused: Vec<(String, String, String)>,
    markings: Vec<(String, Demands)>,
    total: usize,
}

impl Prepared {
    fn bytes<'i>(&'i self, item: &'i Item) -> &'i [u8] {
        match &item.bytes {
            Bytes::Range(range) => self.body.get(range.clone()).unwrap_or_default(),
            Bytes::Own(bytes) => bytes,
        }
    }
}

impl Exchange {
    /// Publishes the objects of an envelope (TAXII 2.1 §5.5), a bundle, an array or one object.
    ///
    /// The answer comes when everything that was accepted is durable, and due.
    ///
    /// # Errors
    ///
    /// Fails if nothing could be accepted as a whole; what is wrong with single objects is in the status.
    pub fn publish(
        &self,
        caller: &Caller,
        collection: &str,
        body: Vec<u8>,
        options: PublishOptions,
    ) -> Result<Submission, PublishError> {
        let inner = &self.inner;
        let registry = inner.published.registry();
        let (known, rights) = inner.collection(caller, collection, &registry).map_err(hidden)?;
        if !rights.write {
            return Err(PublishError::NotWritable(known.alias));
        }
        if options.dates.is_some() && caller.role() != Some(model::Role::Operator) {
            return Err(PublishError::Forbidden("only an operator may give objects their dates".to_owned()));
        }
        let options = said_in_envelope(&body, options)?;
        let prepared = prepare(&registry, &known, caller, body, options)?;
        self.store_prepared(caller, known, registry, prepared)
    }

    fn store_prepared(
        &self,
        caller: &Caller,
        collection: Collection,
        registry: Arc<Registry>,
        prepared: Prepared,
    ) -> Result<Submission, PublishError> {
        let (inner, caller) = (Arc::clone(&self.inner), caller.clone());
        let (submission, last) = self.inner.writer.run(Instants::HandsOut, move |turn| {
            if turn.epoch() != registry.epoch && !inner.rights(&caller, collection.id, turn.registry).write {
                return Err(PublishError::NotWritable(collection.alias));
            }
            apply(&inner, turn, &caller, &collection, &prepared)
        })?;
        self.inner.wait_until(last);
        Ok(submission)
    }

    /// Deletes versions of an object (TAXII 2.1 §5.7). Its bytes are overwritten; the ledger keeps who received it.
    ///
    /// # Errors
    ///
    /// Refuses what the caller may not see as if it were not there, and what it may see and did not submit.
    pub fn delete(
        &self,
        caller: &Caller,
        collection: &str,
        id: &str,
        filter: &taxii::ObjectFilter,
    ) -> Result<usize, PublishError> {
        let inner = Arc::clone(&self.inner);
        let registry = inner.published.registry();
        let (known, rights) = inner.collection(caller, collection, &registry).map_err(hidden)?;
        if !rights.read || !rights.write {
            return Err(PublishError::NotWritable(known.alias));
        }
        let (caller, id, filter) = (caller.clone(), id.to_owned(), filter.clone());
        let (count, last) =
            self.inner.writer.run(Instants::HandsOut, move |turn| -> Result<usize, PublishError> {
                let registry = Arc::clone(turn.registry);
                let view = inner.view(&caller, &registry)?;
                let copies = turn.tx().find(&id)?;
                let snapshot = inner.store.snapshot()?;
                let choice = store::timeline::VersionChoice {
                    all: filter.version.all,
                    first: filter.version.first,
                    last: filter.version.last,
                    exact: filter.version.at.iter().map(ToString::to_string).collect(),
                };
                let chosen: Vec<Copy> = store::timeline::chosen_copies(
                    snapshot.as_ref(),
                    &view,
                    known.id,
                    &copies,
                    &choice,
                    turn.now,
                    turn.now,
                )?
                .into_iter()
                .cloned()
                .collect();
                if chosen.is_empty() {
                    return Err(PublishError::NoSuchObject(id));
                }
                let is_own = |copy: &Copy| {
                    registry
                        .labels
                        .label(copy.run.id.label)
                        .is_some_and(|label| label.creator == caller.principal)
                };
                if caller.role() != Some(model::Role::Operator) && !chosen.iter().all(is_own) {
                    return Err(PublishError::Forbidden(format!(
                        "`{id}` is another submitter's, who alone may delete it"
                    )));
                }
                let (now, at) = (turn.now, turn.instant(0));
                let mut count = 0;
                for version in &chosen {
                    for copy in copies.iter().filter(|copy| {
                        copy.collection == known.id
                            && copy.left.is_none()
                            && copy.head.version == version.head.version
                            && view.intervals(copy.run.id.label).is_open(now)
                    }) {
                        turn.write().mark(Mark {
                            position: copy.position(),
                            left: Some((at, store::Departure::Gone)),
                        })?;
                        turn.write().erase(copy.position())?;
                        count += 1;
                    }
                    turn.record(&Body::Recall(ledger::entry::Recall {
                        at: at.to_string(),
                        by: name_of(&caller),
                        object: id.clone(),
                        version: version.head.version.clone(),
                        action: "deleted".to_owned(),
                        reason: String::new(),
                    }))?;
                }
                Ok(count)
            })?;
        self.inner.wait_until(last);
        Ok(count)
    }

    /// The findings that the programme's people should look at, newest first.
    ///
    /// # Errors
    ///
    /// Refuses members.
    pub fn findings(&self, caller: &Caller, limit: usize) -> Result<Vec<Finding>, crate::AdminError> {
        if caller.role().is_none() {
            return Err(crate::AdminError::Forbidden { needed: "the programme's people" });
        }
        let records = self.inner.store.snapshot()?.list(FINDING, "")?;
        Ok(records
            .iter()
            .rev()
            .take(limit)
            .filter_map(|record| serde_json::from_slice(&record.value).ok())
            .collect())
    }
}

fn hidden(error: ReadError) -> PublishError {
    match error {
        ReadError::NoSuchCollection(name) => PublishError::NoSuchCollection(name),
        ReadError::NotReadable(name) => PublishError::NotWritable(name),
        ReadError::Store(source) => PublishError::Store(source),
        ReadError::Write(source) => PublishError::Write(source),
        ReadError::NoSuchObject(name) | ReadError::NoSuchStatus(name) => PublishError::NoSuchObject(name),
        ReadError::BadNext | ReadError::NotModified { .. } | ReadError::Unsettled => {
            PublishError::Malformed(error.to_string())
        }
    }
}

/// Terms of release may also be said in the envelope, as properties of its own: `x_ringfence_audience` (member ids),
/// `x_ringfence_release_at`, `x_ringfence_release_until`.
fn said_in_envelope(body: &[u8], mut options: PublishOptions) -> Result<PublishOptions, PublishError> {
    const PREFIX: &[u8] = b"\"x_ringfence_";
    if memchr::memmem::find(body, PREFIX).is_none() {
        return Ok(options);
    }
    let Ok(properties) = serde_json::from_slice::<BTreeMap<String, &RawValue>>(body) else {
        return Ok(options);
    };
    let bad = |property: &'static str, problem: &str| PublishError::BadProperty {
        property,
        problem: problem.to_owned(),
    };
    let instant = |property: &'static str| -> Result<Option<Timestamp>, PublishError> {
        let Some(value) = properties.get(property) else { return Ok(None) };
        serde_json::from_str(value.get()).map(Some).map_err(|_| bad(property, "is no date and time"))
    };
    if let Some(value) = properties.get("x_ringfence_audience") {
        let audience = serde_json::from_str(value.get())
            .map_err(|_| bad("x_ringfence_audience", "is no list of member ids"))?;
        options.audience = options.audience.or(Some(audience));
    }
    options.release_at = options.release_at.or(instant("x_ringfence_release_at")?);
    options.release_until = options.release_until.or(instant("x_ringfence_release_until")?);
    Ok(options)
}

fn prepare(
    registry: &Registry,
    collection: &Collection,
    caller: &Caller,
    body: Vec<u8>,
    options: PublishOptions,
) -> Result<Prepared, PublishError> {
    let limits = &registry.programme().settings().limits;
    let stix_limits = Limits {
        nesting_max: limits.nesting_depth_max,
        object_size_max_bytes: limits.object_size_max_bytes,
        object_count_max: limits.envelope_objects_max,
    };
    let audience = options.audience.map_or(Audience::Everyone, Audience::Named);
    let terms = Terms { audience, release_at: options.release_at, release_until: options.release_until };
    let mut drafting = Drafting {
        registry,
        collection,
        caller,
        terms,
        resolver: Resolver::new(registry),
        drafts: Vec::new(),
        by_label: HashMap::new(),
        by_refs: HashMap::new(),
        items: Vec::new(),
        refused: Vec::new(),
    };
    let checks = ValidateOptions { limits: stix_limits, warnings: false, findings_max: 20 };
    let total;
    {
        let objects =
            stix::split(&body, &stix_limits).map_err(|error| PublishError::Malformed(error.to_string()))?;
        total = objects.len();
        if let Some(dates) = &options.dates
            && dates.len() != total
        {
            let problem = format!("there are {} dates for {total} objects", dates.len());
            return Err(PublishError::OutOfOrder(problem));
        }
        for bytes in objects.iter().filter(|bytes| mentions_definition(bytes)) {
            drafting.bring(bytes, &stix_limits);
        }
        let start = body.as_ptr() as usize;
        for (index, bytes) in objects.iter().enumerate() {
            let offset = bytes.as_ptr() as usize - start;
            let date = options.dates.as_ref().and_then(|dates| dates.get(index).copied());
            drafting.object(bytes, offset, date, &checks);
        }
    }
    let Drafting { resolver, drafts, items, refused, .. } = drafting;
    Ok(Prepared { body, drafts, items, refused, markings: resolver.into_brought(), total })
}

fn mentions_definition(bytes: &[u8]) -> bool {
    const NEEDLE: &[u8] = b"marking-definition--";
    memchr::memmem::find(bytes, NEEDLE).is_some()
}

struct Drafting<'r> {
    registry: &'r Registry,
    collection: &'r Collection,
    caller: &'r Caller,
    terms: Terms,
    resolver: Resolver<'r>,
    drafts: Vec<Label>,
    by_label: HashMap<Vec<u8>, usize>,
    /// Most objects of a submission carry the same markings: their draft is found by them.
    by_refs: HashMap<String, usize>,
    items: Vec<Item>,
    refused: Vec<(String, String, String)>,
}

impl Drafting<'_> {
    fn bring(&mut self, bytes: &[u8], limits: &Limits) {
        let Ok(document) = Document::parse(bytes, limits) else { return };
        if let Ok(head) = Head::of(&document)
            && head.type_.as_ref() == "marking-definition"
        {
            self.resolver.bring(&head.id, &document);
        }
    }

    fn refuse(&mut self, id: &str, version: &str, message: String) {
        self.refused.push((id.to_owned(), version.to_owned(), message));
    }

    fn object(&mut self, bytes: &[u8], offset: usize, date: Option<Timestamp>, checks: &ValidateOptions) {
        let document = match Document::parse(bytes, &checks.limits) {
            Ok(document) => document,
            Err(error) => {
                return self.refuse("unknown--00000000-0000-0000-0000-000000000000", "", error.to_string());
            }
        };
        let report = stix::validate_document(&document, checks);
        let head = match Head::of(&document) {
            Ok(head) => head,
            Err(error) => {
                return self.refuse("unknown--00000000-0000-0000-0000-000000000000", "", error.to_string());
            }
        };
        let version = head.version().unwrap_or_default();
        if let Some(first) = report.musts().next() {
            let others = report.musts().count() - 1;
            let more = if others > 0 { format!(" (and {others} more)") } else { String::new() };
            let place = if first.pointer.is_empty() { "the object" } else { first.pointer.as_str() };
            let message = format!(
                "{place}: {} [{}, STIX 2.1 section {}]{more}",
                first.message, first.code, first.section
            );
            return self.refuse(&head.id, version, message);
        }
        if let Some(message) = self.impersonates(head.created_by_ref.as_deref()) {
            return self.refuse(&head.id, version, message);
        }
        let record = HeadRecord {
            id: head.id.clone().into_owned(),
            version: version.to_owned(),
            revoked: head.revoked,
        };
        let creator = head.created_by_ref.as_deref().map(str::to_owned);
        let refs = head.refs.iter().map(|reference| reference.id.clone().into_owned()).collect();
        let (whole, part) = self.drafts_of(&head);
        let item = Item {
            bytes: Bytes::Range(offset..offset + bytes.len()),
            head: record,
            creator,
            draft: whole,
            unless: None,
            refs,
            date,
        };
        self.items.push(item);
        if let Some(part) = part {
            self.derive(&head, bytes, whole, part, date);
        }
    }

    /// Only a member's own identity, or one that is nobody's, may stand as the creator of what it submits.
    fn impersonates(&self, creator: Option<&str>) -> Option<String> {
        let creator = creator?;
        let member = self.caller.member()?;
        let owner = self.registry.identities.get(creator)?;
        if owner.as_ref() == Some(member) {
            return None;
        }
        Some(format!(
            "/created_by_ref: `{creator}` is another's identity; objects are submitted under one's own"
        ))
    }

    /// The draft for the object as it is, and, if parts of it are marked more strictly than the whole and the
    /// programme allows redaction, the one for what is left without these parts.
    fn drafts_of(&mut self, head: &Head<'_>) -> (usize, Option<usize>) {
        if head.granular_markings.is_empty() && head.type_.as_ref() != "identity" {
            let mut key = String::new();
            for id in &head.object_marking_refs {
                key.push_str(id);
                key.push(' ');
            }
            if let Some(draft) = self.by_refs.get(&key) {
                return (*draft, None);
            }
            let (demands, _) = self.resolver.demands(head);
            let draft = self.draft(demands);
            self.by_refs.insert(key, draft);
            return (draft, None);
        }
        let (whole, granular) = self.resolver.demands(head);
        let Some(granular) = granular else { return (self.draft(whole), None) };
        let redacts =
            self.registry.programme().tier(&self.collection.tier).is_some_and(|tier| tier.redaction);
        let full = self.draft(granular);
        (full, redacts.then(|| self.draft(whole)))
    }

    fn draft(&mut self, demands: Demands) -> usize {
        let label = draft(self.collection, &self.caller.principal, &self.terms, demands);
        let next = self.drafts.len();
        let drafts = &mut self.drafts;
        *self.by_label.entry(label.canonical()).or_insert_with(|| {
            drafts.push(label);
            next
        })
    }

    /// Adds the object without its granularly marked parts, if what is left is still an object.
    fn derive(&mut self, head: &Head<'_>, bytes: &[u8], whole: usize, part: usize, date: Option<Timestamp>) {
        let identity = &self.registry.programme().settings().identity.id;
        let selectors: Vec<&str> = head
            .granular_markings
            .iter()
            .filter(|marking| matches!(marking.mark, stix::Mark::Marking(_)))
            .flat_map(|marking| marking.selectors.iter().map(AsRef::as_ref))
            .collect();
        let Ok(derived) = stix::derive(bytes, &selectors, &|_| false, identity) else { return };
        let Ok(derived_head) = Head::parse(&derived) else { return };
        let item = Item {
            head: HeadRecord {
                id: derived_head.id.clone().into_owned(),
                version: derived_head.version().unwrap_or_default().to_owned(),
                revoked: derived_head.revoked,
            },
            creator: Some(identity.clone()),
            refs: derived_head.refs.iter().map(|reference| reference.id.clone().into_owned()).collect(),
            draft: part,
            unless: Some(whole),
            date,
            bytes: Bytes::Own(derived.clone()),
        };
        self.items.push(item);
    }
}

/// The writer's work on a submission.
struct Storing<'t, 'h, 'p> {
    inner: &'p Inner,
    turn: &'t mut Hand<'h>,
    caller: &'p Caller,
    collection: &'p Collection,
    prepared: &'p Prepared,
    view: Option<View>,
    labels: HashMap<Label, LabelId>,
    /// The numbers of the drafts as they stand, once they are known.
    draft_labels: Vec<Option<LabelId>>,
    refused: Vec<(String, String, String)>,
    already: Vec<(String, String)>,
    findings: BTreeMap<(&'static str, String), (usize, String, String)>,
    accepted: Vec<Accepted>,
}

/// The items of one commit, and where each id stands among them.
struct Within<'w> {
    accepted: &'w [Accepted],
    places: HashMap<&'w str, usize>,
}

/// An item on its way into a segment.
struct Accepted {
    item: usize,
    /// Other copies of the same id in this collection, which have to be marked with it.
    others: Vec<(Position, Option<(Timestamp, store::Departure)>)>,
}

fn apply(
    inner: &Inner,
    turn: &mut Hand<'_>,
    caller: &Caller,
    collection: &Collection,
    prepared: &Prepared,
) -> Result<Submission, PublishError> {
    if let Some(first) = prepared.items.iter().filter_map(|item| item.date).min()
        && first <= turn.tx().horizon().last
    {
        return Err(PublishError::OutOfOrder(format!(
            "the first date, {first}, is not later than everything that is here ({}); objects with given dates come \
             before any others, oldest first",
            turn.tx().horizon().last
        )));
    }
    let mut storing = Storing {
        inner,
        turn,
        caller,
        collection,
        prepared,
        view: None,
        labels: HashMap::new(),
        draft_labels: vec![None; prepared.drafts.len()],
        refused: prepared.refused.clone(),
        already: Vec::new(),
        findings: BTreeMap::new(),
        accepted: Vec::with_capacity(prepared.items.len()),
    };
    storing.decide()?;
    storing.store()
}

impl Storing<'_, '_, '_> {
    /// Decides on each item, before anything is written.
    fn decide(&mut self) -> Result<(), PublishError> {
        let mut seen: HashMap<(&str, &str), usize> = HashMap::with_capacity(self.prepared.items.len());
        for (index, item) in self.prepared.items.iter().enumerate() {
            let key = (item.head.id.as_str(), item.head.version.as_str());
            if let Some(first) = seen.get(&key) {
                let same = self.prepared.bytes(&self.prepared.items[*first]) == self.prepared.bytes(item);
                self.settle_twin(item, same);
                continue;
            }
            seen.insert(key, index);
            let copies = self.turn.tx().find(&item.head.id)?;
            match self.fate(item, &copies)? {
                ItemFate::Stored => {
                    let others = copies
                        .iter()
                        .filter(|copy| copy.collection == self.collection.id)
                        .map(|copy| (copy.position(), copy.left))
                        .collect();
                    self.accepted.push(Accepted { item: index, others });
                }
                ItemFate::Already => self.already.push((item.head.id.clone(), item.head.version.clone())),
                ItemFate::Refused(why) => {
                    self.refused.push((item.head.id.clone(), item.head.version.clone(), why));
                }
            }
        }
        Ok(())
    }

    fn settle_twin(&mut self, item: &Item, same: bool) {
        let key = (item.head.id.clone(), item.head.version.clone());
        if same {
            self.already.push(key);
        } else {
            let why = "the same id and version stand twice in this submission, with different content";
            self.refused.push((key.0, key.1, why.to_owned()));
        }
    }

    fn is_visible(&mut self, copy: &Copy) -> Result<bool, PublishError> {
        if copy.left.is_some() {
            return Ok(false);
        }
        let registry = Arc::clone(self.turn.registry);
        if !self.inner.rights(self.caller, copy.collection, &registry).read {
            return Ok(false);
        }
        if self.view.is_none() {
            self.view = Some(self.inner.view(self.caller, &registry)?);
        }
        let now = self.turn.now;
        Ok(self.view.as_ref().is_some_and(|view| view.intervals(copy.run.id.label).is_open(now)))
    }

    fn fate(&mut self, item: &Item, copies: &[Copy]) -> Result<ItemFate, PublishError> {
        if copies.is_empty() {
            return Ok(ItemFate::Stored);
        }
        let bytes = self.prepared.bytes(item);
        let mut hidden_conflict = false;
        for copy in copies.iter().filter(|copy| copy.left.is_none()) {
            let same_version = same_version(&copy.head.version, &item.head.version);
            let visible = self.is_visible(copy)?;
            if !same_version {
                if visible && let Some(why) = self.is_anothers(item, copy)? {
                    return Ok(ItemFate::Refused(why));
                }
                continue;
            }
            let same = self.turn.tx().is_same(copy, bytes)?;
            match (visible, same) {
                (true, false) => {
                    let why = "conflict: another content with this id and version is here; a change needs a later \
                               `modified`";
                    return Ok(ItemFate::Refused(why.to_owned()));
                }
                (true, true) if copy.collection == self.collection.id => return Ok(ItemFate::Already),
                (true | false, true) => {}
                (false, false) => hidden_conflict = true,
            }
        }
        if hidden_conflict {
            // The submitter may not learn that there is another one. It is told what it would be told if there were
            // none; the programme's people are told the rest.
            let detail = "was submitted with a content that differs from the one that is here and hidden from its \
                          submitter; each reader gets the first one that it may see";
            self.find("hidden-conflict", &item.head.id, detail);
        }
        Ok(ItemFate::Stored)
    }

    /// Only its creator may change a STIX object (STIX 2.1 §3.6.2).
    fn is_anothers(&self, item: &Item, copy: &Copy) -> Result<Option<String>, StoreError> {
        let body = self.turn.tx().body_for_relabelling(copy)?;
        let Ok(head) = Head::parse(&body) else { return Ok(None) };
        if head.created_by_ref.as_deref() == item.creator.as_deref() {
            return Ok(None);
        }
        Ok(Some(
            "only its creator may change an object: `created_by_ref` is not that of the version here"
                .to_owned(),
        ))
    }

    fn find(&mut self, code: &'static str, object: &str, detail: &str) {
        let submitter = name_of(self.caller);
        let entry =
            self.findings.entry((code, object.to_owned())).or_insert((0, submitter, detail.to_owned()));
        entry.0 += 1;
    }

    fn store(mut self) -> Result<Submission, PublishError> {
        let stored = self.accepted.len();
        let mut segments = Vec::new();
        let mut accepted_ranges = Vec::new();
        let accepted = std::mem::take(&mut self.accepted);
        let mut rest = accepted.as_slice();
        while !rest.is_empty() {
            let count = self.commit_size(rest);
            let (now, later) = rest.split_at(count);
            self.store_commit(now, &mut segments, &mut accepted_ranges)?;
            rest = later;
        }
        self.store_markings()?;
        let at = self.turn.now;
        if stored > 0 {
            let mut digest = ObjectDigest::new();
            for (segment, sha256) in &segments {
                digest.add(&segment.to_string(), &hex::encode(sha256));
            }
            self.turn.record(&Body::Publication(Publication {
                at: at.to_string(),
                collection: self.collection.id.to_string(),
                by: name_of(self.caller),
                count: u64::try_from(stored).unwrap_or(u64::MAX),
                segments: segments.iter().map(|(segment, _)| *segment).collect(),
                digest: digest.finish(),
            }))?;
        }
        self.write_findings(at)?;
        let id = status_id(at, &self.turn.random_bytes());
        self.sweep_statuses(at)?;
        let record = StatusRecord {
            submitter: self.caller.principal.clone(),
            at,
            total: u64::try_from(self.prepared.total).unwrap_or(u64::MAX),
            accepted: accepted_ranges,
            already: self.already,
            refused: self.refused,
        };
        self.turn.put_json(STATUS, &id, &record)?;
        Ok(Submission { status: status_resource(&id, &record, None)?, stored })
    }

    /// Keeps the marking definitions that the submission brought. Where objects waited for one, every reader is judged
    /// anew, and what opens is back-filled.
    fn store_markings(&mut self) -> Result<(), StoreError> {
        let known = Arc::clone(&self.turn.registry.markings);
        let fresh: Vec<_> =
            self.prepared.markings.iter().filter(|(id, _)| !known.contains_key(id)).cloned().collect();
        if fresh.is_empty() {
            return Ok(());
        }
        for (id, demands) in &fresh {
            self.turn.put_json(MARKING, id, demands)?;
        }
        let facts = &self.turn.registry.labels.facts;
        let awaited =
            facts.iter().any(|facts| fresh.iter().any(|(id, _)| facts.label.demands.unknown.contains(id)));
        let add = |registry: &mut Registry| Arc::make_mut(&mut registry.markings).extend(fresh);
        if awaited {
            self.inner.judge_everyone(self.turn, add)?;
        } else {
            add(Arc::make_mut(self.turn.registry));
        }
        Ok(())
    }

    /// Removes the statuses that nobody may ask for any more, once a minute.
    fn sweep_statuses(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let hours = self.turn.registry.programme().settings().limits.status_retention_hours;
        let over = now - std::time::Duration::from_secs(u64::from(hours) * 3_600);
        let due = u64::try_from(over.as_micros() / 1_000).unwrap_or(0) >> 16;
        let last = self.inner.swept.swap(due, std::sync::atomic::Ordering::Relaxed);
        if last == due {
            return Ok(());
        }
        let snapshot = self.inner.store.snapshot()?;
        for sweep in last.max(due.saturating_sub(SWEEPS_MAX))..due {
            let prefix = format!("{sweep:0SWEEP_DIGITS$x}");
            for record in snapshot.list(STATUS, &prefix)? {
                self.turn.write().remove(STATUS, &record.key)?;
            }
        }
        Ok(())
    }

    fn write_findings(&mut self, at: Timestamp) -> Result<(), StoreError> {
        let mut counts: HashMap<&'static str, usize> = HashMap::new();
        for ((code, object), (times, submitter, detail)) in std::mem::take(&mut self.findings) {
            let count = counts.entry(code).or_default();
            *count += 1;
            if *count > FINDINGS_MAX {
                continue;
            }
            let detail = if times > 1 { format!("{detail} ({times} objects)") } else { detail };
            let finding = Finding { at, code: code.to_owned(), object, submitter, detail };
            let key = format!("{:020}-{}", at.as_micros(), hex::encode(self.turn.random_bytes::<4>()));
            self.turn.put_json(FINDING, &key, &finding)?;
        }
        Ok(())
    }

    /// How many of the next items go into one commit: one date, and no more than a page and a few megabytes.
    fn commit_size(&self, rest: &[Accepted]) -> usize {
        let mut bytes = 0;
        let date = |accepted: &Accepted| self.prepared.items[accepted.item].date;
        for (count, accepted) in rest.iter().enumerate() {
            bytes += self.prepared.bytes(&self.prepared.items[accepted.item]).len();
            let is_full =
                count >= COMMIT_OBJECTS_MAX || bytes > COMMIT_BYTES_MAX || date(accepted) != date(&rest[0]);
            if count > 0 && is_full {
                return count;
            }
        }
        rest.len()
    }

    fn store_commit(
        &mut self,
        accepted: &[Accepted],
        numbers: &mut Vec<(u64, [u8; 32])>,
        ranges: &mut Vec<(u32, u64, u32, u32)>,
    ) -> Result<(), PublishError> {
        let room = u64::try_from(accepted.len()).unwrap_or(u64::MAX);
        let given = accepted.first().and_then(|first| self.prepared.items[first.item].date);
        let at = match given {
            Some(date) => {
                let even = date.plus_micros(-(date.as_micros() & 1));
                if !self.turn.take_instant(even, room) {
                    let why = format!("the date {date} is not later than those before it");
                    return Err(PublishError::OutOfOrder(why));
                }
                even
            }
            None => self.turn.instant(room),
        };
        let mut places: HashMap<&str, usize> = HashMap::new();
        if accepted.iter().any(|one| !self.prepared.items[one.item].refs.is_empty()) {
            let prepared = self.prepared;
            places.extend(
                accepted
                    .iter()
                    .enumerate()
                    .map(|(place, one)| (prepared.items[one.item].head.id.as_str(), place)),
            );
        }
        let within = Within { accepted, places };
        let mut labels = Vec::with_capacity(accepted.len());
        for one in accepted {
            labels.push(self.label_of(&self.prepared.items[one.item], &within, &labels, at)?);
        }
        let mut grouped: BTreeMap<LabelId, Vec<usize>> = BTreeMap::new();
        for (index, label) in labels.iter().enumerate() {
            grouped.entry(*label).or_default().push(index);
        }
        let mut building: BTreeMap<LabelId, Building> = BTreeMap::new();
        for (label, members) in &grouped {
            let built = building.entry(*label).or_default();
            for index in members {
                let item = &self.prepared.items[accepted[*index].item];
                built.push(item.head.clone(), self.prepared.bytes(item));
            }
        }
        let relabelled = self.relabel_referrers(accepted, &labels, at, &mut building)?;
        self.turn.widen(at, room + u64::try_from(relabelled.len()).unwrap_or(u64::MAX));
        let commit = self.turn.write().next_commit();
        let segments: Vec<Segment> = building
            .into_iter()
            .map(|(label, built)| built.finish(SegmentId { label, commit }, self.collection.id, at))
            .collect();
        for segment in &segments {
            numbers.push((segment_number(segment.id), segment.digest));
            if let Some(members) = grouped.get(&segment.id.label) {
                ranges.push((
                    segment.id.label.number(),
                    commit.0,
                    0,
                    u32::try_from(members.len()).unwrap_or(u32::MAX),
                ));
            }
        }
        self.turn.write().append(segments)?;
        for (label, members) in &grouped {
            for (index, member) in (0..).zip(members) {
                let position = Position { segment: SegmentId { label: *label, commit }, index };
                self.store_relations(&accepted[*member], position)?;
            }
        }
        for (label, index, old) in relabelled {
            let position = Position { segment: SegmentId { label, commit }, index };
            self.turn.write().mark(Mark { position, left: None })?;
            let left = Some((at, store::Departure::Relabelled));
            self.turn.write().mark(Mark { position: old.position(), left })?;
            let body = self.turn.tx().body_for_relabelling(&old)?;
            if let Ok(head) = Head::parse(&body) {
                for reference in &head.refs {
                    self.turn.write().refer(&reference.id, position)?;
                }
            }
        }
        Ok(())
    }

    fn store_relations(&mut self, accepted: &Accepted, position: Position) -> Result<(), StoreError> {
        for reference in &self.prepared.items[accepted.item].refs {
            self.turn.write().refer(reference, position)?;
        }
        if accepted.others.is_empty() {
            return Ok(());
        }
        for (other, left) in &accepted.others {
            self.turn.write().mark(Mark { position: *other, left: *left })?;
        }
        self.turn.write().mark(Mark { position, left: None })
    }

    /// The item's label: its draft, joined with the labels of what it refers to.
    fn label_of(
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
    fn relabel_referrers(
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

/// A status id begins with its time (a UUID of version 7), so that old ones lie together and are swept together.
fn status_id(at: Timestamp, random: &[u8; 10]) -> String {
    let millis = u64::try_from(at.as_micros() / 1_000).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, random).into_uuid().to_string()
}

/// How many digits of a status id name its sweep: 8 hexadecimal digits of milliseconds are 65 seconds.
const SWEEP_DIGITS: usize = 8;
/// How many sweeps are made up for at once: a day and a half.
const SWEEPS_MAX: u64 = 2_048;

/// Whether two versions are the same instant, however they are spelled.
fn same_version(one: &str, other: &str) -> bool {
    one == other
        || matches!((StixTimestamp::parse(one), StixTimestamp::parse(other)), (Ok(one), Ok(other)) if one == other)
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

/// A segment that is being put together.
#[derive(Default)]
pub(crate) struct Building {
    heads: Vec<HeadRecord>,
    ends: Vec<u32>,
    bodies: Vec<u8>,
}

impl Building {
    /// Adds an object and returns its number.
    pub(crate) fn push(&mut self, head: HeadRecord, body: &[u8]) -> u32 {
        if !self.heads.is_empty() {
            self.bodies.push(b',');
        }
        self.bodies.extend_from_slice(body);
        self.ends.push(u32::try_from(self.bodies.len()).unwrap_or(u32::MAX));
        self.heads.push(head);
        u32::try_from(self.heads.len() - 1).unwrap_or(u32::MAX)
    }

    pub(crate) fn finish(self, id: SegmentId, collection: model::CollectionId, at: Timestamp) -> Segment {
        let digest = Sha256::digest(&self.bodies).into();
        Segment { id, collection, at, heads: self.heads, ends: self.ends, bodies: self.bodies, digest }
    }
}

/// Who may have submitted it, for the label of something that the programme itself adds.
pub(crate) fn of_programme() -> Principal {
    Principal::Role(model::Role::Operator)
}
