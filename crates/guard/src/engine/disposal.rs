//! Taking what is gone off the disk, and what happens when the hub says that a feed is no more for this member.
//!
//! The store is written anew by a thread of its own, since that takes seconds at a million indicators: news, time and hits do
//! not wait for it. A feed that is no more for us is emptied in the set and by a frame in the store at once, so that neither a question
//! nor a restart finds anything of it. The certificate is made when the store without it is in place; if the guard ends before that,
//! the next start finds what is left to be done in the store itself.

use std::collections::BTreeSet;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tracing::warn;
use uuid::Uuid;

use super::Engine;
use crate::follow::Cursor;
use crate::hold::{Frame, HoldError, Tidied};
use crate::indicator::id_text;

/// After so long without news what is gone is taken off the disk. A feed that is no more for us waits for nothing.
const QUIET: Duration = Duration::from_secs(5);
/// Why the site's own feed goes.
pub(super) const UNFOLLOWED: &str = "the site no longer follows it";

/// That what was held of a feed was disposed of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// What is certified, as it was signed.
    pub statement: String,
    /// The guard's public key (Ed25519), in base64.
    pub key: String,
    /// The signature over the statement's bytes, in base64.
    pub signature: String,
}

/// What a certificate states.
#[derive(Serialize)]
struct Statement<'a> {
    certificate: &'static str,
    collection: &'a str,
    at: String,
    reason: &'a str,
    /// How many indicators were held.
    indicators: usize,
    /// SHA-256 over their ids, sorted, each followed by a line feed: whoever knows what was handed out can compare.
    ids_sha256: String,
    enforcement_ended: bool,
    store_rewritten: bool,
}

/// A feed that is no more for us, by its alias.
pub(super) struct Leaving {
    alias: String,
    collection: String,
    why: String,
}

/// The store that is being written anew, and the feeds that it will be without.
pub(super) struct Writing {
    thread: JoinHandle<Result<Tidied, HoldError>>,
    leaving: Vec<Leaving>,
}

/// Which feeds are in the store, and which were given up and are in it still, as one goes through its frames in order.
#[derive(Default)]
pub(super) struct GivenUp {
    held: BTreeSet<String>,
    given_up: BTreeSet<String>,
}

impl GivenUp {
    /// The next frame: whether its feed is empty before it, and whether it puts something in.
    pub(super) fn see(&mut self, feed: &str, anew: bool, puts: bool) {
        if anew && self.held.remove(feed) {
            self.given_up.insert(feed.to_owned());
        }
        if puts && !self.held.contains(feed) {
            self.held.insert(feed.to_owned());
        }
    }
}

impl Engine {
    /// Takes what is gone off the disk.
    pub(super) fn tidy(&mut self) -> Result<(), HoldError> {
        if let Some(done) = self.tidying.take_if(|writing| writing.thread.is_finished()) {
            self.adopt(done)?;
        }
        let is_due = self.quiet_since.elapsed() > QUIET && (self.is_untidy || self.hold.wants_compaction());
        if (is_due || !self.leaving.is_empty()) && self.tidying.is_none() {
            let tidying = self.hold.tidying((self.random)())?;
            match thread::Builder::new().name("tidy".to_owned()).spawn(move || tidying.run()) {
                Ok(thread) => {
                    self.tidying = Some(Writing { thread, leaving: std::mem::take(&mut self.leaving) });
                    self.is_untidy = false;
                }
                Err(error) => warn!("what is gone stays on the disk, encrypted, for now: {error}"),
            }
        }
        Ok(())
    }

    fn adopt(&mut self, Writing { thread, leaving }: Writing) -> Result<(), HoldError> {
        // Until it is adopted, all is as untidy as before.
        let was_untidy = std::mem::replace(&mut self.is_untidy, true);
        let Ok(written) = thread.join() else {
            self.leaving.extend(leaving);
            return Ok(());
        };
        match written.and_then(|tidied| self.hold.adopt(tidied)) {
            Ok(mut disposed) => {
                self.is_untidy = was_untidy;
                for one in leaving {
                    let ids = disposed.remove(&one.alias).unwrap_or_default();
                    self.certify(&one, &ids);
                }
                Ok(())
            }
            Err(error) => {
                self.leaving.extend(leaving);
                Err(error)
            }
        }
    }

    /// These feeds were given up before a restart, or are not followed any more.
    pub(super) fn leave(&mut self, GivenUp { held, given_up }: GivenUp) -> Result<(), HoldError> {
        for alias in given_up {
            let written = self.tidying.iter().flat_map(|writing| &writing.leaving);
            if !self.leaving.iter().chain(written).any(|one| one.alias == alias) {
                self.leaves(alias, "the hub or the site said so before the guard was started again");
            }
        }
        for alias in held {
            if !alias.is_empty() && !self.config.feeds.iter().any(|feed| feed.alias == alias) {
                warn!(
                    feed = alias,
                    "the configuration has this feed no more: what is held of it is disposed of"
                );
                self.give_up(&alias)?;
                self.leaves(alias, UNFOLLOWED);
            }
        }
        Ok(())
    }

    /// From here on nothing that was held of a feed is read again.
    fn give_up(&mut self, alias: &str) -> Result<(), HoldError> {
        let (feed, cursor) = (alias.to_owned(), Some(Cursor::default().to_text()));
        self.hold.append(&Frame { feed, cursor, anew: true, ..Frame::default() }, &[])
    }

    fn leaves(&mut self, alias: String, why: &str) {
        let known = self.config.feeds.iter().find(|feed| feed.alias == alias);
        // A feed's alias is its collection's name if the site gave it no other.
        let collection = known.map_or_else(|| alias.clone(), |feed| feed.collection.clone());
        self.leaving.retain(|one| one.alias != alias);
        self.leaving.push(Leaving { alias, collection, why: why.to_owned() });
    }

    /// The site no longer follows a feed.
    pub(super) fn drop_feed(&mut self, feed: u16) -> Result<(), HoldError> {
        self.gone(feed, UNFOLLOWED)?;
        self.dropped.insert(feed);
        self.owe(feed, false)
    }

    /// The feed is gone: nothing of it is enforced from here on, nothing of it stays on the disk, and that is certified.
    pub(super) fn gone(&mut self, feed: u16, why: &str) -> Result<(), HoldError> {
        let is_new = self.feeds.get(usize::from(feed)).is_some_and(|state| !state.is_gone);
        self.empty(feed);
        self.set.forget_refusals(feed);
        self.comparing.retain(|one| !one.is_of(feed));
        if is_new {
            let alias = self.alias(feed).to_owned();
            warn!(feed = alias, "this feed is no more for us: {why}");
            self.give_up(&alias)?;
            self.leaves(alias, why);
        }
        if let Some(state) = self.feeds.get_mut(usize::from(feed)) {
            state.is_gone = true;
            state.trouble = Some(why.to_owned());
            state.cursor = Cursor::default();
        }
        Ok(())
    }

    fn certify(&mut self, Leaving { collection, why, .. }: &Leaving, ids: &BTreeSet<Uuid>) {
        if ids.is_empty() {
            return;
        }
        let mut hash = Sha256::new();
        for id in ids {
            hash.update(id_text(*id));
            hash.update(b"\n");
        }
        let statement = Statement {
            certificate: "ringfence-disposal-1",
            collection,
            at: self.clock.now().to_string(),
            reason: why,
            indicators: ids.len(),
            ids_sha256: hex::encode(hash.finalize()),
            enforcement_ended: true,
            store_rewritten: true,
        };
        let statement = serde_json::to_string(&statement).unwrap_or_default();
        let (key, signature) = self.secrets.sign(statement.as_bytes());
        self.certificates.push(Certificate { statement, key, signature });
    }
}
