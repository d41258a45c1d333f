//! Server, API root, collection: what can be asked of each.

use std::{thread, time::Duration};

use taxii::{Collections, Discovery, Status, StatusState};

use crate::{
    address::Address,
    error::Error,
    pages::{Listing, Pages, PullState, Query},
    transport::{Answer, Options, Transport},
};

/// A TAXII 2.1 server.
#[derive(Clone, Debug)]
pub struct Client {
    transport: Transport,
    discovery: Address,
}

/// One API root of a server. Making one asks nothing yet.
#[derive(Clone, Debug)]
pub struct ApiRoot {
    transport: Transport,
    address: Address,
}

/// One collection of an API root. Making one asks nothing yet.
#[derive(Clone, Debug)]
pub struct Collection {
    root: ApiRoot,
    address: Address,
}

/// How long to wait for a status to be complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Between two questions.
    pub pause: Duration,
    /// How often to ask.
    pub polls_max: u32,
}

impl Default for Patience {
    /// A minute, once a second.
    fn default() -> Self {
        Self { pause: Duration::from_secs(1), polls_max: 60 }
    }
}

impl Client {
    /// A client for the server at `url`: its discovery endpoint or, without a path, its origin.
    ///
    /// # Errors
    ///
    /// Fails if the URL or an option cannot be used. Nothing is asked yet.
    pub fn new(url: &str, options: &Options) -> Result<Self, Error> {
        let address = Address::parse(url)?;
        // TAXII 2.1 §4.1: discovery is at this path on every server.
        let discovery = if address.is_bare() { address.resolve(taxii::DISCOVERY_PATH)? } else { address };
        let transport = Transport::new(&discovery, options)?;
        Ok(Self { transport, discovery })
    }

    /// What the server offers.
    pub fn discovery(&self) -> Result<Discovery, Error> {
        self.transport.get(&self.discovery, "")?.read()
    }

    /// The API root at a URL, or at a reference as discovery gives it.
    ///
    /// # Errors
    ///
    /// Fails if that is no URL.
    pub fn api_root(&self, reference: &str) -> Result<ApiRoot, Error> {
        let address = self.discovery.resolve(reference)?;
        Ok(ApiRoot { transport: self.transport.clone(), address })
    }

    /// The API root that discovery calls the default, or else its first.
    pub fn default_root(&self) -> Result<ApiRoot, Error> {
        let discovery = self.discovery()?;
        let reference = discovery.default.as_ref().or(discovery.api_roots.first());
        match reference {
            Some(reference) => self.api_root(reference),
            None => Err(Error::NoApiRoot { url: self.discovery.to_string() }),
        }
    }
}

impl ApiRoot {
    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        self.address.to_string()
    }

    /// Its title, versions and limit.
    pub fn information(&self) -> Result<taxii::ApiRoot, Error> {
        self.transport.get(&self.address, "")?.read()
    }

    /// The collections that the caller may know of.
    pub fn collections(&self) -> Result<Vec<taxii::Collection>, Error> {
        let collections: Collections =
            self.transport.get(&self.address.endpoint("collections"), "")?.read()?;
        Ok(collections.collections)
    }

    /// The collection with an id or an alias.
    ///
    /// # Errors
    ///
    /// Fails if no URL can hold that id.
    pub fn collection(&self, id: &str) -> Result<Collection, Error> {
        let address = self.address.endpoint("collections").item(id)?;
        Ok(Collection { root: self.clone(), address })
    }

    /// How an earlier request to add objects goes.
    pub fn status(&self, id: &str) -> Result<Status, Error> {
        self.transport.get(&self.address.endpoint("status").item(id)?, "")?.read()
    }
}

impl Collection {
    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        self.address.to_string()
    }

    /// Its title, and what the caller may do with it.
    pub fn information(&self) -> Result<taxii::Collection, Error> {
        self.root.transport.get(&self.address, "")?.read()
    }

    /// Its objects, from `state` on. The default state is the beginning.
    #[must_use]
    pub fn objects(&self, query: &Query, state: PullState) -> Pages<'_> {
        self.pages(self.address.endpoint("objects"), Listing::Objects, query, state)
    }

    /// Its manifest; the items are [`taxii::ManifestRecord`]s.
    #[must_use]
    pub fn manifest(&self, query: &Query, state: PullState) -> Pages<'_> {
        self.pages(self.address.endpoint("manifest"), Listing::Objects, query, state)
    }

    /// The wanted versions of one object; the last, unless the query says otherwise.
    ///
    /// # Errors
    ///
    /// Fails if no URL can hold that id.
    pub fn object(&self, id: &str, query: &Query, state: PullState) -> Result<Pages<'_>, Error> {
        Ok(self.pages(self.object_address(id)?, Listing::Objects, query, state))
    }

    /// The versions of one object, as timestamps; the items are JSON strings.
    ///
    /// # Errors
    ///
    /// Fails if no URL can hold that id.
    pub fn versions(&self, id: &str, query: &Query, state: PullState) -> Result<Pages<'_>, Error> {
        Ok(self.pages(self.object_address(id)?.endpoint("versions"), Listing::Versions, query, state))
    }

    fn object_address(&self, id: &str) -> Result<Address, Error> {
        self.address.endpoint("objects").item(id)
    }

    fn pages(&self, address: Address, listing: Listing, query: &Query, state: PullState) -> Pages<'_> {
        Pages::new(&self.root.transport, address, listing, query.clone(), state)
    }

    /// Adds the objects of an envelope; see [`envelope_of`]. The status may still be pending.
    pub fn post(&self, envelope: &[u8]) -> Result<Status, Error> {
        // TAXII 2.1 §5.5 answers 202 with a status; some servers answer 200 or 201 with the same.
        self.root.transport.post(&self.address.endpoint("objects"), envelope)?.read()
    }

    /// Adds the objects of an envelope and waits until the server has dealt with all of them.
    ///
    /// # Errors
    ///
    /// Fails with [`Error::StillPending`] when patience ends. Objects that the server refused are
    /// no error: they are in the status.
    pub fn post_and_wait(&self, envelope: &[u8], patience: Patience) -> Result<Status, Error> {
        let mut status = self.post(envelope)?;
        for _ in 0..patience.polls_max {
            if status.status == StatusState::Complete {
                break;
            }
            thread::sleep(patience.pause);
            status = self.root.status(&status.id)?;
        }
        match status.status {
            StatusState::Complete => Ok(status),
            StatusState::Pending => Err(Error::StillPending { status: Box::new(status) }),
        }
    }

    /// Deletes versions of one object: all that it has, unless the query names some.
    pub fn delete(&self, id: &str, query: &Query) -> Result<(), Error> {
        let _: Answer = self.root.transport.delete(&self.object_address(id)?, &query.matches())?;
        Ok(())
    }
}

/// Wraps objects, each a JSON text, into an envelope.
#[must_use]
pub fn envelope_of<'a>(objects: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut envelope = b"{\"objects\":[".to_vec();
    for (nth, object) in objects.into_iter().enumerate() {
        if nth > 0 {
            envelope.push(b',');
        }
        envelope.extend_from_slice(object);
    }
    envelope.extend_from_slice(taxii::ENVELOPE_SUFFIX);
    envelope
}
