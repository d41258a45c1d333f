//! Publishing: from the bytes of an envelope to stored segments and a status.
//!
//! [`prepare`] does everything that needs no store, on the caller's thread: cut the envelope into objects, check each,
//! resolve markings, draft labels. The writer does the rest in its turn: look for other copies and versions, join the
//! labels of the ends of relationships, number, store, record. What is good is kept and what is bad is named, object
//! by object.

mod building;
mod deciding;
mod deleting;
mod ends;
mod pattern;
mod prepare;
mod storing;
mod words;

use std::collections::BTreeSet;
use std::sync::Arc;

use model::{Caller, MemberId, Principal, Timestamp};
use programme::Collection;
use taxii::Status;

pub(crate) use self::building::Building;
pub(crate) use self::ends::intern;
pub use self::pattern::{PatternJudgement, judge_pattern};
use self::prepare::{Prepared, prepare};
use crate::error::{PublishError, ReadError};
use crate::exchange::Exchange;
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
