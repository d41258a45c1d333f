//! Choosing what an answer has, and recording that it leaves.

use ledger::Body;
use ledger::entry::{Disclosure, Range, Resource};
use model::{Caller, CollectionId, Timestamp};
use programme::Collection;
use release::View;
use store::timeline::{Dated, Page, Piece, Query, Sieve, VersionChoice, objects_with_id, page};
use store::{Copy, HeadRecord, Heads, SegmentId, Snapshot, StoreError};
use taxii::ObjectFilter;

use super::Served;
use crate::content::ContentSearch;
use crate::cursor::{Binding, Cursor};
use crate::error::{ReadError, WriteError};
use crate::exchange::Inner;
use crate::registry::Registry;
use crate::writer::Instants;

/// The largest page in bytes of bodies; one object always fits.
pub(super) const PAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How many bytes of bodies one request looks at, for filters that ask what objects say. It is a fifth of a second's work;
/// the page then ends where it stands, and `next` goes on behind it.
const SCAN_BYTES_MAX: usize = 2 * PAGE_BYTES_MAX;
/// The same for people, who wait for a page and not for all of it.
const SEARCH_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What is chosen for an answer, before it is read out.
pub(crate) struct Chosen {
    pub(crate) page: Page,
    pub(super) resource: Resource,
    pub(crate) served: Served,
}

/// What an answer hands out, for the ledger.
pub(crate) struct Leaving {
    pub(crate) resource: Resource,
    pub(crate) ranges: Vec<Range>,
    pub(crate) count: usize,
}

impl Chosen {
    /// What would leave with it.
    pub(super) fn leaving(&self) -> Leaving {
        Leaving { resource: self.resource, ranges: ranges_of(&self.page.pieces), count: self.page.count }
    }
}

/// A filter as the timeline asks it.
pub(super) struct FilterSieve<'f>(&'f ObjectFilter, Option<&'f ContentSearch>);

impl Sieve for FilterSieve<'_> {
    fn wants_head(&self, head: &HeadRecord) -> bool {
        self.0.wants_id(&head.id) && self.0.wants_type(head.object_type())
    }

    fn needs_body(&self) -> bool {
        !self.0.interop.is_empty() || self.1.is_some_and(ContentSearch::needs_body)
    }

    fn wants_body(&self, body: &[u8]) -> bool {
        let passes = || serde_json::from_slice(body).is_ok_and(|object| self.0.interop.matches(&object));
        self.1.is_none_or(|search| search.wants(body)) && (self.0.interop.is_empty() || passes())
    }
}

pub(crate) fn versions_of(filter: &ObjectFilter) -> VersionChoice {
    let version = &filter.version;
    VersionChoice {
        all: version.all,
        first: version.first,
        last: version.last,
        exact: version.at.iter().map(ToString::to_string).collect(),
    }
}

/// A request with its cursor opened.
pub(super) struct Asked<'a> {
    pub(super) after: Option<Timestamp>,
    pub(super) horizon: Timestamp,
    pub(super) binding: Binding,
    pub(super) resource: Resource,
    pub(super) only: Option<&'a str>,
    pub(super) search: Option<&'a ContentSearch>,
}

pub(super) fn resource_name(resource: Resource) -> &'static str {
    match resource {
        Resource::Objects => "objects",
        Resource::Manifest => "manifest",
        Resource::Versions => "versions",
        Resource::Object => "object",
        Resource::Stream => "stream",
        Resource::Blinded => "blinded",
    }
}

impl Inner {
    #[expect(clippy::too_many_arguments, reason = "one request's whole context, used in one place")]
    pub(super) fn asked<'a>(
        &self,
        caller: &Caller,
        collection: &str,
        filter: &ObjectFilter,
        search: Option<&'a ContentSearch>,
        resource: Resource,
        only: Option<&'a str>,
        now: Timestamp,
    ) -> Result<Asked<'a>, ReadError> {
        let registry = self.published.registry();
        let (known, _) = self.collection(caller, collection, &registry)?;
        let mut bound = filter.fingerprint();
        bound.extend(only.unwrap_or_default().as_bytes());
        bound.extend(search.map(ContentSearch::fingerprint).unwrap_or_default());
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
        Ok(Asked { after, horizon: cursor.horizon.min(now), binding, resource, only, search })
    }

    #[expect(clippy::too_many_arguments, reason = "one request's whole context, used in one place")]
    pub(super) fn choose(
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
        let sieve = FilterSieve(filter, asked.search);
        let is_filtered = !filter.ids.is_empty() || !filter.types.is_empty() || sieve.needs_body();
        let query = Query {
            collection: collection.id,
            labels: registry.labels.of(collection.id),
            facts: &registry.labels.facts,
            after: asked.after,
            horizon: asked.horizon,
            now,
            limit,
            bytes_max: PAGE_BYTES_MAX,
            scan_bytes_max: if asked.search.is_some() { SEARCH_BYTES_MAX } else { SCAN_BYTES_MAX },
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
            page_of(snapshot, view, dated, &sieve, asked, limit)?
        };
        let next = match page.goes_on_after() {
            Some(after) if page.more => {
                Some(self.cursor.seal(Cursor { after, horizon: asked.horizon }, asked.binding))
            }
            Some(_) | None => None,
        };
        let served = Served {
            first: page.first_date(),
            // A page may end without an object because enough was looked at. Who goes on by this date gets on.
            last: page.last_date().or(page.looked_up_to),
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
        content.extend(format!("{:?}{}{:?}", asked.binding, page.more, page.looked_up_to).into_bytes());
        for piece in &page.pieces {
            content.extend(piece.date.as_micros().to_le_bytes());
            content.extend(piece.count.to_le_bytes());
        }
        hex::encode(&self.cursor.tag(&content)[..16])
    }

    /// Whether the reader may have any version of the object at all.
    pub(super) fn is_known(
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
            scan_bytes_max: SCAN_BYTES_MAX,
            versions: &VersionChoice::all(),
            sieve: None,
        };
        Ok(!objects_with_id(snapshot, view, &query, &self.blocks, &[id])?.is_empty())
    }

    /// Whether the reader may have anything whose date is after `since` and not after `now`.
    pub(super) fn has_newer(
        &self,
        snapshot: &dyn Snapshot,
        view: &View,
        registry: &Registry,
        collection: CollectionId,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let query = Query {
            collection,
            labels: registry.labels.of(collection),
            facts: &registry.labels.facts,
            after: Some(since),
            horizon: now,
            now,
            limit: 1,
            bytes_max: PAGE_BYTES_MAX,
            scan_bytes_max: SCAN_BYTES_MAX,
            versions: &VersionChoice::all(),
            sieve: None,
        };
        Ok(page(snapshot, view, &query, &self.blocks)?.count > 0)
    }

    /// Records that these objects leave. `false` if the view's epoch is over: then they do not.
    pub(crate) fn disclose(
        &self,
        view: &View,
        collection: CollectionId,
        leaving: Leaving,
        now: Timestamp,
    ) -> Result<bool, ReadError> {
        let Leaving { resource, ranges, count } = leaving;
        let epoch = view.epoch();
        let body = Body::Disclosure(Disclosure {
            at: now.to_string(),
            member: view.caller().principal.to_string(),
            credential: view.caller().credential.to_string(),
            collection: collection.to_string(),
            epoch: epoch.number(),
            resource,
            ranges,
            except: Vec::new(),
            count: u64::try_from(count).unwrap_or(u64::MAX),
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

pub(super) fn ranges_of(pieces: &[Piece]) -> Vec<Range> {
    pieces
        .iter()
        .map(|piece| Range {
            segment: segment_number(piece.run.id),
            first: u64::from(piece.first),
            count: u64::from(piece.count),
        })
        .collect()
}

/// As much of `dated` as goes on one page.
fn page_of(
    snapshot: &dyn Snapshot,
    view: &View,
    dated: Vec<Dated>,
    sieve: &FilterSieve<'_>,
    asked: &Asked<'_>,
    limit: usize,
) -> Result<Page, StoreError> {
    let mut page = Page::default();
    let mut lengths = Lengths { snapshot, view, last: None };
    let (mut bytes, mut scanned) = (0, 0);
    for Dated { copy, date } in dated {
        if asked.only.is_none() && !sieve.wants_head(&copy.head) {
            continue;
        }
        if scanned >= SCAN_BYTES_MAX {
            page.more = true;
            break;
        }
        if sieve.needs_body() {
            let mut body = Vec::new();
            snapshot.read(view, &copy.run, copy.index, 1, &mut body)?;
            scanned += body.len();
            if !sieve.wants_body(&body) {
                page.looked_up_to = (scanned >= SCAN_BYTES_MAX).then_some(date);
                continue;
            }
        }
        let length = lengths.of(&copy)?;
        if page.count >= limit || (page.count > 0 && bytes + length > PAGE_BYTES_MAX) {
            page.more = true;
            break;
        }
        bytes += length;
        page.count += 1;
        page.pieces.push(Piece { run: copy.run, first: copy.index, count: 1, date });
    }
    if !page.more {
        page.looked_up_to = None;
    }
    Ok(page)
}

/// The lengths of objects, with the heads of the segment that was asked for last.
struct Lengths<'s> {
    snapshot: &'s dyn Snapshot,
    view: &'s View,
    last: Option<(SegmentId, Heads)>,
}

impl Lengths<'_> {
    /// How many bytes the object takes on a page, with the comma behind it.
    fn of(&mut self, copy: &Copy) -> Result<usize, StoreError> {
        if copy.run.count == 1 {
            return Ok(usize::try_from(copy.run.place.length).unwrap_or(usize::MAX).saturating_add(1));
        }
        if self.last.as_ref().is_none_or(|(known, _)| *known != copy.run.id) {
            self.last = Some((copy.run.id, self.snapshot.heads(self.view, &copy.run)?));
        }
        let length = self.last.as_ref().and_then(|(_, heads)| heads.length(copy.index)).unwrap_or(0);
        Ok(usize::try_from(length).unwrap_or(usize::MAX).saturating_add(1))
    }
}
