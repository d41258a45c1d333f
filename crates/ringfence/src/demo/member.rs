//! A member of the demo: a TAXII client as members run one, with a cursor for each collection that it never resets.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use model::MemberId;
use serde_json::Value;
use taxii::{Credentials, Secret};
use taxii_client::{ApiRoot, Client, Options, PullState, Query};

/// A member and everything that it ever received.
pub(super) struct Poller {
    pub(super) name: &'static str,
    pub(super) id: MemberId,
    pub(super) login: String,
    pub(super) secret: String,
    root: ApiRoot,
    cursors: BTreeMap<String, PullState>,
    received: BTreeMap<String, Vec<Vec<u8>>>,
}

/// How a poll went.
#[derive(Debug)]
pub(super) enum Polled {
    /// So many objects came, in so many pages.
    Objects { count: usize, pages: usize, took: Duration },
    /// There is no such collection, as far as this member can tell.
    NotFound { took: Duration },
}

impl Polled {
    /// How many objects came; none if there is no such collection.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::Objects { count, .. } => *count,
            Self::NotFound { .. } => 0,
        }
    }

    pub(super) fn took(&self) -> Duration {
        match self {
            Self::Objects { took, .. } | Self::NotFound { took } => *took,
        }
    }
}

impl Poller {
    pub(super) fn new(
        name: &'static str,
        id: MemberId,
        url: &str,
        login: String,
        secret: String,
    ) -> Result<Self> {
        let credentials = Credentials::Basic { user: login.clone(), password: Secret::new(secret.clone()) };
        let client = Client::new(url, &Options { credentials: Some(credentials), ..Options::default() })?;
        let root = client.default_root()?;
        Ok(Self { name, id, login, secret, root, cursors: BTreeMap::new(), received: BTreeMap::new() })
    }

    /// The aliases of the collections that the server shows to it.
    pub(super) fn collections(&self) -> Result<Vec<String>> {
        Ok(self.root.collections()?.into_iter().filter_map(|collection| collection.alias).collect())
    }

    /// Polls a collection from where it stands, in pages of `page` objects, to the end.
    pub(super) fn poll(&mut self, collection: &str, page: u32) -> Result<Polled> {
        let begun = Instant::now();
        let query =
            NonZeroU32::new(page).map_or_else(Query::default, |page| Query::default().with_limit(page));
        let state = self.cursors.get(collection).cloned().unwrap_or_default();
        let (mut count, mut pages) = (0, 0);
        let remote = self.root.collection(collection)?;
        for answer in remote.objects(&query, state) {
            let answer = match answer {
                Ok(answer) => answer,
                // The cursor stays where it is: the client does not know why, and asks again later.
                Err(taxii_client::Error::Refused { status: 404, .. }) if pages == 0 => {
                    return Ok(Polled::NotFound { took: begun.elapsed() });
                }
                Err(error) => return Err(error.into()),
            };
            let received = self.received.entry(collection.to_owned()).or_default();
            received.extend(answer.items().map(<[u8]>::to_vec));
            count += answer.items().len();
            pages += 1;
            self.cursors.insert(collection.to_owned(), answer.state().clone());
        }
        Ok(Polled::Objects { count, pages, took: begun.elapsed() })
    }

    /// What the programme told it of its own standing.
    pub(super) fn notices(&self) -> Vec<Value> {
        let all = self.received.values().flatten().filter_map(|object| notice(object));
        all.collect()
    }

    /// Whether it received exactly these objects of a collection, each once, byte for byte; besides, what it was told of its
    /// own standing.
    pub(super) fn has_exactly(&self, collection: &str, published: &[Vec<u8>]) -> Result<()> {
        let received = self.received(collection).iter().filter(|object| notice(object).is_none());
        let mut received: Vec<&[u8]> = received.map(Vec::as_slice).collect();
        let mut published: Vec<&[u8]> = published.iter().map(Vec::as_slice).collect();
        received.sort_unstable();
        published.sort_unstable();
        ensure!(
            received == published,
            "{} received {} objects of `{collection}`, and they are not byte for byte the {} that were published",
            self.name,
            received.len(),
            published.len()
        );
        Ok(())
    }

    /// What it received of a collection, in the order of arrival.
    pub(super) fn received(&self, collection: &str) -> &[Vec<u8>] {
        self.received.get(collection).map_or(&[], Vec::as_slice)
    }

    /// How many objects it received in all.
    pub(super) fn received_count(&self) -> usize {
        self.received.values().map(Vec::len).sum()
    }

    /// Its ids and versions, all of them, in order.
    pub(super) fn inventory(&self) -> Result<Vec<(String, String)>> {
        let mut inventory = Vec::new();
        for object in self.received.values().flatten() {
            let head = stix::Head::parse(object)?;
            inventory.push((head.id.to_string(), head.version().unwrap_or_default().to_owned()));
        }
        inventory.sort_unstable();
        Ok(inventory)
    }
}

/// What a notice says of a standing, if the object is one.
fn notice(object: &[u8]) -> Option<Value> {
    let object: Value = serde_json::from_slice(object).ok()?;
    object.get("x_ringfence_standing").cloned()
}
