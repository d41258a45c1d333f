//! What the tests of the store share.

use store_postgres::{Candidate, Opened, PostgresStore, Server};

/// Opens a database that nobody holds.
pub(crate) fn open(url: &str) -> PostgresStore {
    let server: Server = url.parse().unwrap();
    match Candidate::of(&server, "a test").try_open().unwrap() {
        Opened::Mine(store) => *store,
        Opened::Theirs(holder) => panic!("`{holder}` holds it"),
    }
}
