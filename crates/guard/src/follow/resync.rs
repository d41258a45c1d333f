//! What there is at all, asked beside the stream.
//!
//! A hub says that something that this reader may hold has left its sight, and not what: that is asked of the manifest, which takes
//! seconds with a million objects. The stream goes on meanwhile, so a recall's notice and whatever is new are taken at once, and what is
//! compared in the end is the manifest together with what came since it was asked for.
//!
//! ```text
//! stream     resync   notice   new  new           new            resync
//! manifest      |-------------- read ---------------| compared      |------- read ...
//! ```
//!
//! A comparison that was not made is owed: over a connection that broke, and over a restart, for the stream's cursor has gone on.

use std::collections::BTreeSet;
use std::thread::{self, JoinHandle};

use serde::Deserialize;
use taxii_client::{Client, Collection, Error, Options, PullState, Query};
use uuid::Uuid;

use super::{Hub, Received, hub};
use crate::indicator::id_of;

/// A manifest that is being read.
#[derive(Debug)]
pub(super) struct Reading {
    thread: JoinHandle<Result<BTreeSet<Uuid>, Error>>,
    /// As of which departure.
    at: String,
    /// Indicators that came since it began: they may be too new for its answer.
    since: BTreeSet<Uuid>,
    /// Something else left since it began.
    again: Option<String>,
}

/// What a manifest said.
pub(super) struct Read {
    /// As of which departure.
    pub(super) at: String,
    /// All that there is.
    pub(super) present: Result<BTreeSet<Uuid>, String>,
    /// The server means its refusal.
    pub(super) is_refused: bool,
    /// Something else left meanwhile.
    pub(super) again: Option<String>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

impl Reading {
    /// Begins to read, on a thread of its own.
    pub(super) fn begin(hub: &Hub, collection: &str, at: String) -> std::io::Result<Self> {
        let (hub, collection) = (hub.clone(), collection.to_owned());
        let thread = thread::Builder::new()
            .name("guard-manifest".to_owned())
            .spawn(move || present(&taxii(&hub, &collection)?))?;
        Ok(Self { thread, at, since: BTreeSet::new(), again: None })
    }

    /// Something left at an instant.
    pub(super) fn lost(&mut self, at: String) {
        // A hub that does not say when may mean another one.
        if at.is_empty() || at != self.at {
            self.again = Some(at);
        }
    }

    /// These came.
    pub(super) fn came(&mut self, received: &[Received]) {
        let named = received.iter().filter_map(|one| serde_json::from_slice::<Named>(&one.object).ok());
        self.since.extend(named.filter_map(|named| id_of(&named.id)));
    }

    pub(super) fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// What was read; waits for it.
    pub(super) fn end(self) -> Read {
        let Self { thread, at, since, again } = self;
        let (present, is_refused) = match thread.join() {
            Ok(Ok(mut present)) => {
                present.extend(since);
                (Ok(present), false)
            }
            Ok(Err(error)) => (Err(error.to_string()), super::means_it(&error)),
            Err(_) => (Err("the manifest could not be read".to_owned()), false),
        };
        Read { at, present, is_refused, again }
    }
}

/// The collection on the server.
pub(super) fn taxii(hub: &Hub, collection: &str) -> Result<Collection, Error> {
    let options = Options {
        credentials: Some(hub.credentials()),
        trusted_certificates_pem: hub.trusted().map(<[u8]>::to_vec),
        user_agent: hub::USER_AGENT.to_owned(),
        ..Options::default()
    };
    Client::new(hub.url(), &options)?.default_root()?.collection(collection)
}

/// The indicators that a collection has.
pub(super) fn present(collection: &Collection) -> Result<BTreeSet<Uuid>, Error> {
    let mut present = BTreeSet::new();
    for page in collection.manifest(&Query::default(), PullState::default()) {
        let records: Vec<Named> = page?.read()?;
        present.extend(records.iter().filter_map(|record| id_of(&record.id)));
    }
    Ok(present)
}
