//! Reading: pages of objects and of their manifest, versions, one object, statuses, and the stream.
//!
//! Every read is one loop: take the registry, make the view, choose what the view may have, record the disclosure,
//! hand out. The disclosure is a transaction that names the view's epoch; if the epoch is over by then, nothing is
//! handed out and the loop begins again.

use ledger::Body;
use ledger::entry::{Disclosure, Range, Resource};
use model::{Caller, CollectionId, Principal, Timestamp};
use programme::Collection;
use release::View;
use serde::{Deserialize, Serialize};
use store::timeline::{Dated, Page, Piece, Query, Sieve, VersionChoice, objects_with_id, page};
use store::{HeadRecord, Position, SegmentId, Snapshot, StoreError};
use taxii::{ManifestRecord, ObjectFilter, Status, StatusDetail, StatusState};

use crate::cursor::{Binding, Cursor};
use crate::error::{ReadError, WriteError};
use crate::exchange::{Exchange, Inner};
use crate::registry::{Registry, STATUS};
use crate::writer::Instants;

/// How often a read begins again because the epoch changed under it, before it gives up.
const ATTEMPTS_MAX: usize = 8;
/// The largest page in bytes of bodies; one object always fits.
const PAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The media type of every object that the exchange holds.
pub(crate) const STIX_MEDIA_TYPE: &str = "application/stix+json;version=2.1";

/// A collection as one caller sees it.
#[derive(Clone, Debug)]
pub struct CollectionView {
    /// Its settings.
    pub collection: Collection,
    /// Whether the caller may read it.
    pub can_read: bool,
    /// Whether the caller may write to it.
    pub can_write: bool,
}

/// What goes with every answer that has dates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// The date of the first object.
    pub first: Option<Timestamp>,
    /// The date of the last object.
    pub last: Option<Timestamp>,
    /// How many objects.
    pub count: usize,
    /// Whether there is more.
    pub more: bool,
    /// Where it goes on.
    pub next: Option<String>,
    /// Changes when the answer does, apart from `next`.
    pub etag: String,
}

/// An envelope, ready to be sent.
#[derive(Clone, Debug)]
pub struct ObjectsAnswer {
    /// The envelope's bytes.
    pub body: Vec<u8>,
    /// What goes with it.
    pub served: Served,
}

/// Manifest records or versions.
#[derive(Clone, Debug)]
pub struct RecordsAnswer {
    /// One for each version of each object.
    pub records: Vec<ManifestRecord>,
    /// What goes with them.
    pub served: Served,
}

/// A status resource.
pub type StatusView = Status;

/// What a stream hands out at once.
#[derive(Clone, Debug, Default)]
pub struct StreamBatch {
    /// Each object with its date, which is also where the stream is resumed.
    pub objects: Vec<(Timestamp, Vec<u8>)>,
    /// Where the stream stands.
    pub after: Option<Timestamp>,
}

/// A status as it is recorded: what was refused in words, what was accepted by its places.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StatusRecord {
    pub(crate) submitter: Principal,
    pub(crate) at: Timestamp,
    pub(crate) total: u64,
    pub(crate) accepted: Vec<(u32, u64, u32, u32)>,
    pub(crate) already: Vec<(String, String)>,
    pub(crate) refused: Vec<(String, String, String)>,
}

/// What is chosen for an answer, before it is read out.
struct Chosen {
    page: Page,
    resource: Resource,
    served: Served,
}

/// A filter as the timeline asks it.
struct FilterSieve<'f>(&'f ObjectFilter);

impl Sieve for FilterSieve<'_> {
    fn wants_head(&self, head: &HeadRecord) -> bool {
        self.0.wants_id(&head.id) && self.0.wants_type(head.object_type())
    }

    fn needs_body(&self) -> bool {
        !self.0.interop.is_empty()
    }

    fn wants_body(&self, body: &[u8]) -> bool {
        serde_json::from_slice(body).is_ok_and(|object| self.0.interop.matches(&object))
    }
}

fn versions_of(filter: &ObjectFilter) -> VersionChoice {
    let version = &filter.version;
    VersionChoice {
        all: version.all,
        first: version.first,
        last: version.last,
        exact: version.at.iter().map(ToString::to_string).collect(),
    }
}

impl Exchange {
    /// The collections that the caller may know of, in order of their ids.
    #[must_use]
    pub fn collections(&self, caller: &Caller) -> Vec<CollectionView> {
        let registry = self.inner.published.registry();
        let mut all: Vec<_> = registry
            .programme()
            .settings()
            .collections
            .iter()
            .filter_map(|collection| {
                let rights = self.inner.rights(caller, collection.id, &registry);
                (rights.read || rights.write).then(|| CollectionView {
                    collection: collection.clone(),
                    can_read: rights.read,
                    can_write: rights.write,
                })
            })
            .collect();
        all.sort_by_key(|view| view.collection.id);
        all
    }

    /// One collection, by id or alias.
    ///
    /// # Errors
    ///
    /// Refuses one that the caller may not know of, as if there were none.
    pub fn collection(&self, caller: &Caller, id_or_alias: &str) -> Result<CollectionView, ReadError> {
        let registry = self.inner.published.registry();
        let (collection, rights) = self.inner.collection(caller, id_or_alias, &registry)?;
        Ok(CollectionView { collection, can_read: rights.read, can_write: rights.write })
    }

    /// A page of objects (TAXII 2.1 §5.4).
    ///
    /// # Errors
    ///
    /// See [`ReadError`]. Whatever the reason, nothing was handed out.
    pub fn objects(
        &self,
        caller: &Caller,
        collection: &str,
        filter: &ObjectFilter,
    ) -> Result<ObjectsAnswer, ReadError> {
        self.unless(&[]).objects(caller, collection, filter)
    }

    /// The versions of one object that the filter asks for (TAXII 2.1 §5.6).
    ///
    /// # Errors
    ///
    /// See [`ReadError`]. Whatever the reason, nothing was handed out.
    pub fn object(
        &self,
        caller: &Caller,
        collection: &str,
        id: &str,
        filter: &ObjectFilter,
    ) -> Result<ObjectsAnswer, ReadError> {
        self.unless(&[]).object(caller, collection, id, filter)
    }

    /// A page of the manifest (TAXII 2.1 §5.3).
    ///
    /// # Errors
    ///
    /// See [`ReadError`]. Whatever the reason, nothing was handed out.
    pub fn manifest(
        &self,
        caller: &Caller,
        collection: &str,
        filter: &ObjectFilter,
    ) -> Result<RecordsAnswer, ReadError> {
        self.unless(&[]).manifest(caller, collection, filter)
    }

    /// A page of the versions of one object (TAXII 2.1 §5.8).
    ///
    /// # Errors
    ///
    /// See [`ReadError`]. Whatever the reason, nothing was handed out.
    pub fn versions(
        &self,
        caller: &Caller,
        collection: &str,
        id: &str,
        filter: &ObjectFilter,
    ) -> Result<RecordsAnswer, ReadError> {
        self.unless(&[]).versions(caller, collection, id, filter)
    }

    /// Reads for a caller that holds the answers with these entity tags ([`Served::etag`]).
    ///
    /// If the answer would be one of them, it is [`ReadError::NotModified`]: nothing leaves, so no disclosure is
    /// recorded.
    #[must_use]
    pub fn unless<'a>(&'a self, known: &'a [&'a str]) -> Unless<'a> {
        Unless { exchange: self, known }
    }

    /// What came into the collection, or became visible to the caller, after `after`; waits up to `patience` for it.
    ///
    /// The same view, the same order and the same dates as a poll: the stream is a poll that waits.
    ///
    /// # Errors
    ///
    /// See [`ReadError`]. Whatever the reason, nothing was handed out.
    pub fn stream(
        &self,
        caller: &Caller,
        collection: &str,
        after: Option<Timestamp>,
        patience: std::time::Duration,
    ) -> Result<StreamBatch, ReadError> {
        let filter = ObjectFilter { added_after: after.map(Timestamp::as_micros), ..ObjectFilter::default() };
        let mut seen = self.inner.published.wait_for_arrivals(u64::MAX, std::time::Duration::ZERO);
        let deadline = self.inner.clock.now() + patience;
        loop {
            let batch = self.unless(&[]).answer(
                caller,
                collection,
                &filter,
                Resource::Stream,
                None,
                |_, view, snapshot, chosen| stream_batch(view, snapshot, &chosen),
            )?;
            let left = deadline.since(self.inner.clock.now());
            if !batch.objects.is_empty() || left.is_zero() {
                return Ok(StreamBatch { after: batch.after.or(after), ..batch });
            }
            seen = self.inner.published.wait_for_arrivals(seen, left);
        }
    }

    /// What became of a submission (TAXII 2.1 §4.3). Only its submitter may know that there is one.
    ///
    /// # Errors
    ///
    /// Refuses everybody else's, and one that is no longer kept, as if there were none.
    pub fn status(&self, caller: &Caller, id: &str) -> Result<StatusView, ReadError> {
        let unknown = || ReadError::NoSuchStatus(id.chars().take(100).collect());
        let snapshot = self.inner.store.snapshot()?;
        let value = snapshot.get(STATUS, id)?.ok_or_else(unknown)?;
        let record: StatusRecord = serde_json::from_slice(&value)
            .map_err(|error| StoreError::Damaged(format!("status `{id}`: {error}")))?;
        let retention = self.inner.published.registry().programme().settings().limits.status_retention_hours;
        let over = record.at + std::time::Duration::from_secs(u64::from(retention) * 3_600);
        if record.submitter != caller.principal || self.inner.clock.now() >= over {
            return Err(unknown());
        }
        status_resource(id, &record, Some(snapshot.as_ref())).map_err(ReadError::Store)
    }
}

/// Reads with a condition; see [`Exchange::unless`].
#[derive(Clone, Copy)]
pub struct Unless<'a> {
    exchange: &'a Exchange,
    known: &'a [&'a str],
}

impl Unless<'_> {
    /// As [`Exchange::objects`].
    ///
    /// # Errors
    ///
    /// See [`ReadError`]. Whatever the reason, nothing was handed out.
    pub fn objects(
        &self,
        caller: &Caller,
        collection: &str,
        filter: &ObjectFilter,
    ) -> Result<ObjectsAnswer, ReadError> {
        self.answer(caller, collection, filter, Resource::Objects, None, |_, view, snapshot, chosen| {
            envelope(view, snapshot, chosen)
        })
    }

    /// As [`Exchange::object`].
    ///
    /// # Errors
    ///
    /// See [`ReadError`]. Whatever the reason, nothing was handed out.
    pub fn object(
        &self,
        caller: &Caller,
        collection: &str,
        id: &str,
        filter: &ObjectFilter,
    ) -> Result<ObjectsAnswer, ReadError> {
        self.answer(caller, collection, filter, Resource::Object, Some(id), |_, view, snapshot, chosen| {
            envelope(view, snapshot, chosen)
        })
    }

    /// As [`Exchange::manifest`].
    ///
    /// # Errors
    ///
    /// See [`ReadError`]. Whatever the reason, nothing was handed out.
    pub fn manifest(
        &self,
        caller: &Caller,
        collection: &str,
        filter: &ObjectFilter,
    ) -> Result<RecordsAnswer, ReadError> {
        self.answer(caller, collection, filter, Resource::Manifest, None, |_, view, snapshot, chosen| {
            records(view, snapshot, chosen)
        })
    }

    /// As [`Exchange::versions`].
    ///
    /// # Errors
    ///
    /// See [`ReadError`]. Whatever the reason, nothing was handed out.
    pub fn versions(
        &self,
        caller: &Caller,
        collection: &str,
        id: &str,
        filter: &ObjectFilter,
    ) -> Result<RecordsAnswer, ReadError> {
        let every = ObjectFilter {
            version: taxii::VersionMatch { all: true, ..filter.version.clone() },
            ..filter.clone()
        };
        self.answer(caller, collection, &every, Resource::Versions, Some(id), |_, view, snapshot, chosen| {
            records(view, snapshot, chosen)
        })
    }

    fn answer<A>(
        &self,
        caller: &Caller,
        collection: &str,
        filter: &ObjectFilter,
        resource: Resource,
        only: Option<&str>,
        read_out: impl Fn(&Inner, &View, &dyn Snapshot, Chosen) -> Result<A, StoreError>,
    ) -> Result<A, ReadError> {
        let inner = &self.exchange.inner;
        for _ in 0..ATTEMPTS_MAX {
            let now = inner.clock.now();
            let asked = inner.asked(caller, collection, filter, resource, only, now)?;
            inner.published.settle(asked.horizon);
            // After the wait: what landed meanwhile may have labels of its own.
            let registry = inner.published.registry();
            let (known, rights) = inner.collection(caller, collection, &registry)?;
            if !rights.read {
                return Err(ReadError::NotReadable(known.alias));
            }
            let view = inner.view(caller, &registry)?;
            let snapshot = inner.store.snapshot()?;
            let chosen = inner.choose(snapshot.as_ref(), &view, &registry, &known, filter, &asked, now)?;
            if let Some(id) = only
                && chosen.page.count == 0
                && !inner.is_known(snapshot.as_ref(), &view, &registry, known.id, id, now)?
            {
                return Err(ReadError::NoSuchObject(id.chars().take(200).collect()));
            }
            if self.known.contains(&chosen.served.etag.as_str()) {
                return Err(ReadError::NotModified { etag: chosen.served.etag });
            }
            if chosen.page.count > 0 && !inner.disclose(&view, known.id, &chosen, now)? {
                continue;
            }
            return Ok(read_out(inner, &view, snapshot.as_ref(), chosen)?);
        }
        Err(ReadError::Unsettled)
    }
}

/// A request with its cursor opened.
struct Asked<'a> {
    after: Option<Timestamp>,
    horizon: Timestamp,
    binding: Binding,
    resource: Resource,
    only: Option<&'a str>,
}

fn resource_name(resource: Resource) -> &'static str {
    match resource {
        Resource::Objects => "objects",
        Resource::Manifest => "manifest",
        Resource::Versions => "versions",
        Resource::Object => "object",
        Resource::Stream => "stream",
    }
}

impl Inner {
    fn asked<'a>(
        &self,
        caller: &Caller,
        collection: &str,
        filter: &ObjectFilter,
        resource: Resource,
        only: Option<&'a str>,
        now: Timestamp,
    ) -> Result<Asked<'a>, ReadError> {
        let registry = self.published.registry();
        let (known, _) = self.collection(caller, collection, &registry)?;
        let mut bound = filter.fingerprint();
        bound.extend(only.unwrap_or_default().as_bytes());
        let binding = Binding::new(&caller.principal, known.id, resource_name(resource), &bound);
        let cursor = match &filter.next {
            None => Cursor { after: Timestamp::MIN, horizon: now },
            Some(next) => self.cursor.open(next, binding).ok_or(ReadError::BadNext)?,
        };
        let added_after = filter.added_after.map(Timestamp::from_micros);
        let after = match (filter.next.is_some(), added_after) {
            (true, Some(added_after)) => Some(cursor.after.max(added_after)),
            (true, None) => Some(cursor.after),
            (false, added_after) => added_after,
        };
        Ok(Asked { after, horizon: cursor.horizon.min(now), binding, resource, only })
    }

    #[expect(clippy::too_many_arguments, reason = "one request's whole context, used in one place")]
    fn choose(
        &self,
        snapshot: &dyn Snapshot,
        view: &View,
        registry: &Registry,
        collection: &Collection,
        filter: &ObjectFilter,
        asked: &Asked<'_>,
        now: Timestamp,
    ) -> Result<Chosen, StoreError> {
        let limits = &registry.programme().settings().limits;
        let limit = filter.limit.map_or(limits.page_objects_default, |limit| {
            usize::try_from(limit.get()).unwrap_or(usize::MAX).min(limits.page_objects_max)
        });
        let versions = versions_of(filter);
        let sieve = FilterSieve(filter);
        let is_filtered = !filter.ids.is_empty() || !filter.types.is_empty() || !filter.interop.is_empty();
        let query = Query {
            collection: collection.id,
            labels: registry.labels.of(collection.id),
            facts: &registry.labels.facts,
            after: asked.after,
            horizon: asked.horizon,
            now,
            limit,
            bytes_max: PAGE_BYTES_MAX,
            versions: &versions,
            sieve: is_filtered.then_some(&sieve as &dyn Sieve),
        };
        let by_id: Vec<&str> = match asked.only {
            Some(id) => vec![id],
            None => filter.ids.iter().map(String::as_str).collect(),
        };
        // The exchange holds STIX 2.1 and nothing else, so another spec version asks for nothing.
        let page = if !filter.wants_spec_version("2.1") {
            Page::default()
        } else if by_id.is_empty() {
            page(snapshot, view, &query, &self.blocks)?
        } else {
            let dated = objects_with_id(snapshot, view, &query, &self.blocks, &by_id)?;
            page_of(snapshot, view, dated, &sieve, asked.only.is_some(), limit)?
        };
        let next = match page.last_date() {
            Some(after) if page.more => {
                Some(self.cursor.seal(Cursor { after, horizon: asked.horizon }, asked.binding))
            }
            Some(_) | None => None,
        };
        let served = Served {
            first: page.first_date(),
            last: page.last_date(),
            count: page.count,
            more: page.more,
            next,
            etag: self.etag(&page, asked),
        };
        Ok(Chosen { page, resource: asked.resource, served })
    }

    /// No two objects of a reader ever share a date, so the dates of a page say which objects it has.
    fn etag(&self, page: &Page, asked: &Asked<'_>) -> String {
        let mut content = Vec::with_capacity(64 + page.pieces.len() * 12);
        content.extend(format!("{:?}{}", asked.binding, page.more).into_bytes());
        for piece in &page.pieces {
            content.extend(piece.date.as_micros().to_le_bytes());
            content.extend(piece.count.to_le_bytes());
        }
        hex::encode(&self.cursor.tag(&content)[..16])
    }

    /// Whether the reader may have any version of the object at all.
    fn is_known(
        &self,
        snapshot: &dyn Snapshot,
        view: &View,
        registry: &Registry,
        collection: CollectionId,
        id: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let query = Query {
            collection,
            labels: registry.labels.of(collection),
            facts: &registry.labels.facts,
            after: None,
            horizon: now,
            now,
            limit: 1,
            bytes_max: PAGE_BYTES_MAX,
            versions: &VersionChoice::all(),
            sieve: None,
        };
        Ok(!objects_with_id(snapshot, view, &query, &self.blocks, &[id])?.is_empty())
    }

    /// Records that these objects leave. `false` if the view's epoch is over: then they do not.
    fn disclose(
        &self,
        view: &View,
        collection: CollectionId,
        chosen: &Chosen,
        now: Timestamp,
    ) -> Result<bool, ReadError> {
        let ranges = ranges_of(&chosen.page.pieces);
        let epoch = view.epoch();
        let body = Body::Disclosure(Disclosure {
            at: now.to_string(),
            member: view.caller().principal.to_string(),
            credential: view.caller().credential.to_string(),
            collection: collection.to_string(),
            epoch: epoch.number(),
            resource: chosen.resource,
            ranges,
            except: Vec::new(),
            count: u64::try_from(chosen.page.count).unwrap_or(u64::MAX),
            digest: String::new(),
            query: String::new(),
        });
        let (current, _) = self.writer.run(Instants::None, move |turn| -> Result<bool, WriteError> {
            if turn.epoch() != epoch {
                return Ok(false);
            }
            turn.record(&body)?;
            Ok(true)
        })?;
        Ok(current)
    }
}

/// A segment as the ledger names it.
pub(crate) fn segment_number(segment: SegmentId) -> u64 {
    (u64::from(segment.label.number()) << 40) | segment.commit.0
}

/// The segment that the ledger names so.
pub(crate) fn segment_of(number: u64) -> SegmentId {
    SegmentId {
        label: model::LabelId::new(u32::try_from(number >> 40).unwrap_or(u32::MAX)),
        commit: store::CommitNo(number & ((1 << 40) - 1)),
    }
}

fn ranges_of(pieces: &[Piece]) -> Vec<Range> {
    pieces
        .iter()
        .map(|piece| Range {
            segment: segment_number(piece.run.id),
            first: u64::from(piece.first),
            count: u64::from(piece.count),
        })
        .collect()
}

fn page_of(
    snapshot: &dyn Snapshot,
    view: &View,
    dated: Vec<Dated>,
    sieve: &FilterSieve<'_>,
    skip_head: bool,
    limit: usize,
) -> Result<Page, StoreError> {
    let mut page = Page::default();
    for Dated { copy, date } in dated {
        if !skip_head && !sieve.wants_head(&copy.head) {
            continue;
        }
        if sieve.needs_body() {
            let mut body = Vec::new();
            snapshot.read(view, &copy.run, copy.index, 1, &mut body)?;
            if !sieve.wants_body(&body) {
                continue;
            }
        }
        if page.count >= limit {
            page.more = true;
            break;
        }
        page.count += 1;
        page.pieces.push(Piece { run: copy.run, first: copy.index, count: 1, date });
    }
    Ok(page)
}

fn envelope(view: &View, snapshot: &dyn Snapshot, chosen: Chosen) -> Result<ObjectsAnswer, StoreError> {
    let Chosen { page, served, .. } = chosen;
    if page.count == 0 {
        return Ok(ObjectsAnswer { body: taxii::EMPTY_ENVELOPE.to_vec(), served });
    }
    let prefix = taxii::envelope_prefix(served.more, served.next.as_deref());
    let bodies: usize =
        page.pieces.iter().map(|piece| usize::try_from(piece.run.place.length).unwrap_or(0)).sum();
    let mut body = Vec::with_capacity((prefix.len() + bodies + page.pieces.len() + 8).min(PAGE_BYTES_MAX));
    body.extend(prefix);
    page.read(snapshot, view, &mut body)?;
    body.extend(taxii::ENVELOPE_SUFFIX);
    Ok(ObjectsAnswer { body, served })
}

fn each_head(
    view: &View,
    snapshot: &dyn Snapshot,
    page: &Page,
    mut then: impl FnMut(Position, HeadRecord, Timestamp),
) -> Result<(), StoreError> {
    for piece in &page.pieces {
        let heads = snapshot.heads(view, &piece.run)?;
        for index in piece.first..piece.first + piece.count {
            let head = heads.record(index).ok_or_else(|| {
                StoreError::Damaged(format!("object {index} of segment {} has no head", piece.run.id))
            })?;
            let position = Position { segment: piece.run.id, index };
            then(position, head, piece.date.plus_micros(i64::from(index - piece.first) * 2));
        }
    }
    Ok(())
}

fn records(view: &View, snapshot: &dyn Snapshot, chosen: Chosen) -> Result<RecordsAnswer, StoreError> {
    let mut records = Vec::with_capacity(chosen.page.count);
    each_head(view, snapshot, &chosen.page, |_, head, date| {
        let date_added = date.to_string();
        // TAXII 2.1 §5.3: an object without a version of its own goes by the date on which it was added.
        let version = if head.version.is_empty() { date_added.clone() } else { head.version };
        records.push(ManifestRecord {
            id: head.id,
            date_added,
            version,
            media_type: Some(STIX_MEDIA_TYPE.to_owned()),
        });
    })?;
    Ok(RecordsAnswer { records, served: chosen.served })
}

fn stream_batch(view: &View, snapshot: &dyn Snapshot, chosen: &Chosen) -> Result<StreamBatch, StoreError> {
    let mut objects = Vec::with_capacity(chosen.page.count);
    for piece in &chosen.page.pieces {
        for index in piece.first..piece.first + piece.count {
            let mut body = Vec::new();
            snapshot.read(view, &piece.run, index, 1, &mut body)?;
            objects.push((piece.date.plus_micros(i64::from(index - piece.first) * 2), body));
        }
    }
    Ok(StreamBatch { objects, after: chosen.served.last })
}

/// The status resource of a record; with a snapshot, the accepted objects are named too.
pub(crate) fn status_resource(
    id: &str,
    record: &StatusRecord,
    snapshot: Option<&dyn Snapshot>,
) -> Result<Status, StoreError> {
    let at = record.at.to_string();
    let version_or = |version: String| if version.is_empty() { at.clone() } else { version };
    let mut successes = Vec::new();
    if let Some(snapshot) = snapshot {
        for (label, commit, first, count) in &record.accepted {
            let segment = SegmentId { label: model::LabelId::new(*label), commit: store::CommitNo(*commit) };
            let Some(heads) = snapshot.names(segment)? else { continue };
            for head in (*first..first + count).filter_map(|index| heads.record(index)) {
                successes.push(StatusDetail {
                    id: head.id,
                    version: version_or(head.version),
                    message: None,
                });
            }
        }
        for (id, version) in &record.already {
            let message = Some("already here, unchanged".to_owned());
            successes.push(StatusDetail { id: id.clone(), version: version_or(version.clone()), message });
        }
    }
    let failures: Vec<_> = record
        .refused
        .iter()
        .map(|(id, version, message)| StatusDetail {
            id: id.clone(),
            version: version_or(version.clone()),
            message: Some(message.clone()),
        })
        .collect();
    let failure_count = u64::try_from(failures.len()).unwrap_or(u64::MAX);
    Ok(Status {
        id: id.to_owned(),
        status: StatusState::Complete,
        request_timestamp: Some(at.clone()),
        total_count: record.total,
        success_count: record.total - failure_count.min(record.total),
        successes,
        failure_count,
        failures,
        pending_count: 0,
        pendings: Vec::new(),
        custom: taxii::Custom::default(),
    })
}
