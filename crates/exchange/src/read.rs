//! Reading: pages of objects and of their manifest, versions, one object, statuses, and the stream.
//!
//! Every read is one loop: take the registry, make the view, choose what the view may have, record the disclosure,
//! hand out. The disclosure is a transaction that names the view's epoch; if the epoch is over by then, nothing is
//! handed out and the loop begins again.

mod answers;
mod choosing;

use ledger::entry::Resource;
use model::{Caller, Timestamp};
use programme::Collection;
use release::View;
use store::{Snapshot, StoreError};
use taxii::{ManifestRecord, ObjectFilter, Status};

pub(crate) use self::answers::{StatusRecord, status_resource};
use self::answers::{envelope, records, stream_batch};
pub(crate) use self::choosing::{Chosen, Leaving, segment_number, segment_of, versions_of};
use crate::content::ContentSearch;
use crate::error::ReadError;
use crate::exchange::{Exchange, Inner};
use crate::registry::{Registry, STATUS};
use crate::sight::last_loss;
use crate::uses::Uses;

/// How often a read begins again because the epoch changed under it, before it gives up.
pub(crate) const ATTEMPTS_MAX: usize = 8;

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
    /// The objects, in the order of their dates.
    pub objects: Vec<Streamed>,
    /// Where the stream stands.
    pub after: Option<Timestamp>,
    /// When something last left the reader's sight, if that is news. It is told before the objects.
    pub lost: Option<Timestamp>,
}

/// An object as a stream hands it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Streamed {
    /// Its date, which is also where the stream is resumed.
    pub date: Timestamp,
    /// What the reader may do with it.
    pub uses: Uses,
    /// Its bytes.
    pub object: Vec<u8>,
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
        Unless { exchange: self, known, search: None }
    }

    /// What came into the collection, or became visible to the caller, after `after`; waits up to `patience` for it.
    ///
    /// The same view, the same order and the same dates as a poll: the stream is a poll that waits. It also says when
    /// something left the reader's sight after `seen`, which is the last time that it said so, or where the stream began.
    ///
    /// # Errors
    ///
    /// See [`ReadError`]. Whatever the reason, nothing was handed out.
    pub fn stream(
        &self,
        caller: &Caller,
        collection: &str,
        after: Option<Timestamp>,
        seen: Timestamp,
        patience: std::time::Duration,
    ) -> Result<StreamBatch, ReadError> {
        let filter = ObjectFilter { added_after: after.map(Timestamp::as_micros), ..ObjectFilter::default() };
        let mut arrivals = self.inner.published.wait_for_arrivals(u64::MAX, std::time::Duration::ZERO);
        let deadline = self.inner.clock.now() + patience;
        loop {
            let batch = self.unless(&[]).answer(
                caller,
                collection,
                &filter,
                Resource::Stream,
                None,
                |inner, view, snapshot, chosen| stream_batch(inner, view, snapshot, &chosen),
            )?;
            // Asked after the objects were chosen: what is gone by then is told before any of them moves the cursor.
            let lost = self.last_loss(caller, collection, seen)?;
            let left = deadline.since(self.inner.clock.now());
            if !batch.objects.is_empty() || lost.is_some() || left.is_zero() {
                return Ok(StreamBatch { after: batch.after.or(after), lost, ..batch });
            }
            arrivals = self.inner.published.wait_for_arrivals(arrivals, left);
        }
    }

    /// Whether a poll would bring the caller something that came after `since`, or a stream would tell it of a loss since
    /// then. Nothing is handed out.
    pub(crate) fn has_news(
        &self,
        caller: &Caller,
        registry: &Registry,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let readable: Vec<_> = self.collections(caller).into_iter().filter(|known| known.can_read).collect();
        if readable.is_empty() {
            return Ok(false);
        }
        let view = self.inner.view(caller, registry)?;
        let snapshot = self.inner.store.snapshot()?;
        for known in readable {
            let id = known.collection.id;
            if self.inner.has_newer(snapshot.as_ref(), &view, registry, id, since, now)?
                || last_loss(registry, view.grants(), id, since, now).is_some()
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn last_loss(
        &self,
        caller: &Caller,
        collection: &str,
        since: Timestamp,
    ) -> Result<Option<Timestamp>, ReadError> {
        let registry = self.inner.published.registry();
        let (known, _) = self.inner.collection(caller, collection, &registry)?;
        let view = self.inner.view(caller, &registry)?;
        Ok(last_loss(&registry, view.grants(), known.id, since, self.inner.clock.now()))
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
    pub(crate) exchange: &'a Exchange,
    pub(crate) known: &'a [&'a str],
    /// What of that is wanted.
    pub(crate) search: Option<&'a ContentSearch>,
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

    pub(crate) fn answer<A>(
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
            let asked = inner.asked(caller, collection, filter, self.search, resource, only, now)?;
            inner.published.settle(asked.horizon);
            // After the wait: what landed meanwhile may have labels of its own.
            let registry = inner.published.registry();
            if !registry.accepts(caller, now) {
                return Err(ReadError::Revoked);
            }
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
            let leaving = chosen.leaving();
            let answer = read_out(inner, &view, snapshot.as_ref(), chosen)?;
            // The writer may want a snapshot, and there are only so many.
            drop(snapshot);
            if leaving.count > 0 && !inner.disclose(&view, known.id, leaving, now)? {
                continue;
            }
            return Ok(answer);
        }
        Err(ReadError::Unsettled)
    }
}
