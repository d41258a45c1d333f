//! The store keeps the contract on a real server.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod common;

use std::cell::RefCell;
use std::sync::Arc;

use common::open;
use peers::postgres::{self, Postgres};
use store::contract::Subject;
use store::{MemoryStore, Store};
use store_postgres::PostgresStore;

struct OnServer {
    store: Option<PostgresStore>,
    url: String,
    _server: Arc<Postgres>,
}

impl Subject for OnServer {
    fn store(&self) -> &dyn Store {
        self.store.as_ref().unwrap()
    }

    fn reopen(&mut self) -> bool {
        drop(self.store.take());
        self.store = Some(open(&self.url));
        true
    }
}

/// Stands in where no server can be started, which is told.
struct InMemory(MemoryStore);

impl Subject for InMemory {
    fn store(&self) -> &dyn Store {
        &self.0
    }

    fn reopen(&mut self) -> bool {
        false
    }
}

thread_local! {
    /// The server of this test, so that it is not started anew for each store.
    static SERVER: RefCell<Option<Arc<Postgres>>> = const { RefCell::new(None) };
}

fn make() -> Box<dyn Subject> {
    let test = std::thread::current().name().unwrap_or("the contract").to_owned();
    if !postgres::is_here(&test) {
        return Box::new(InMemory(MemoryStore::new()));
    }
    let server = SERVER.with(|kept| Arc::clone(kept.borrow_mut().get_or_insert_with(postgres::shared)));
    let url = server.database();
    Box::new(OnServer { store: Some(open(&url)), url, _server: server })
}

store::store_contract!(make);
