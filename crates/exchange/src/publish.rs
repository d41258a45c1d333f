//! Publishing: from the bytes of an envelope to stored segments and a status.
//!
//! [`prepare`] does everything that needs no store, on the caller's thread: cut the envelope into objects, check each,
//! resolve markings, draft labels. The writer does the rest in its turn: look for other copies and versions, join the
//! labels of the ends of relationships, number, store, record. What is good is kept and what is bad is named, object
//! by object.

mod building;
mod deciding;
mod ends;
mod prepare;
mod storing;

use std::collections::BTreeSet;
use std::sync::Arc;

use ledger::Body;
use model::{Caller, MemberId, Principal, Timestamp};
use programme::Collection;
use store::{Copy, Mark};
use taxii::Status;

pub(crate) use self::building::Building;
pub(crate) use self::ends::intern;
use self::prepare::{Prepared, prepare};
use crate::error::{PublishError, ReadError};
use crate::exchange::{Exchange, name_of};
use crate::labelling::Finding;
use crate::registry::{FINDING, Registry};
use crate::writer::Instants;

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
        let has_dates = prepared.items.iter().any(|item| item.date.is_some());
        let instants = if has_dates { Instants::Alone } else { Instants::HandsOut };
        let (submission, last) = self.inner.writer.run(instants, move |turn| {
            if !turn.registry.accepts(&caller, turn.now) {
                return Err(PublishError::Revoked);
            }
            if turn.epoch() != registry.epoch && !inner.rights(&caller, collection.id, turn.registry).write {
                return Err(PublishError::NotWritable(collection.alias));
            }
            deciding::apply(&inner, turn, &caller, &collection, &prepared)
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
            self.inner.writer.run(Instants::Alone, move |turn| -> Result<usize, PublishError> {
                let registry = Arc::clone(turn.registry);
                if !registry.accepts(&caller, turn.now) {
                    return Err(PublishError::Revoked);
                }
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
                // A page that was chosen before is chosen again.
                turn.begin_epoch();
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
        ReadError::Revoked => PublishError::Revoked,
        ReadError::BadNext | ReadError::NotModified { .. } | ReadError::Unsettled => {
            PublishError::Malformed(error.to_string())
        }
    }
}

/// Who may have submitted it, for the label of something that the programme itself adds.
pub(crate) fn of_programme() -> Principal {
    Principal::Role(model::Role::Operator)
}
