//! What happens when the hub says that a feed is no more for this member.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tracing::warn;

use super::Engine;
use crate::hold::HoldError;
use crate::indicator::id_text;

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

impl Engine {
    /// The feed is gone: nothing of it is enforced from here on, nothing of it stays on the disk, and that is certified.
    pub(super) fn gone(&mut self, feed: u16, why: &str) -> Result<(), HoldError> {
        let is_new = self.feeds.get(usize::from(feed)).is_some_and(|state| !state.is_gone);
        if let Some(state) = self.feeds.get_mut(usize::from(feed)) {
            state.is_gone = true;
            state.trouble = Some(why.to_owned());
            state.cursor = crate::follow::Cursor::default();
        }
        let change = self.set.all_going(feed);
        if !change.is_empty() {
            self.change(feed, change);
        }
        self.set.forget_refusals(feed);
        if !is_new {
            return Ok(());
        }
        let alias = self.alias(feed).to_owned();
        warn!(feed = alias, "the hub says that this feed is no more for us: {why}");
        let ids = self.hold.ids(&alias)?;
        self.hold.rewrite((self.random)(), |kept| kept != alias)?;
        if ids.is_empty() {
            return Ok(());
        }
        let mut hash = Sha256::new();
        for id in &ids {
            hash.update(id_text(*id));
            hash.update(b"\n");
        }
        let collection = self.config.feeds.get(usize::from(feed)).map_or("", |feed| feed.collection.as_str());
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
        Ok(())
    }
}
