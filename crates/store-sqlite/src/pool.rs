//! Connections for readers.

use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use store::StoreError;

use crate::layout;

/// How many snapshots can be open at once. A snapshot lives as long as it takes to read one page, so this is more
/// than the threads that a hub reads with; each costs up to 2 MiB of cache.
const READERS_MAX: usize = 32;
/// How long a snapshot waits for another one to be dropped before it gives up.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Connections that are not in use, and how many there are in all.
#[derive(Debug)]
pub(crate) struct Pool {
    dir: PathBuf,
    readers: Mutex<Readers>,
    returned: Condvar,
}

#[derive(Debug, Default)]
struct Readers {
    idle: Vec<Connection>,
    open: usize,
}

impl Pool {
    pub(crate) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), readers: Mutex::default(), returned: Condvar::new() }
    }

    /// A connection, an idle one if there is one.
    pub(crate) fn take(&self) -> Result<Connection, StoreError> {
        let readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut readers, _) = self
            .returned
            .wait_timeout_while(readers, WAIT_MAX, |readers| {
                readers.idle.is_empty() && readers.open >= READERS_MAX
            })
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = readers.idle.pop() {
            return Ok(connection);
        }
        if readers.open >= READERS_MAX {
            let many = format!("{READERS_MAX} snapshots are open and none was dropped in {WAIT_MAX:?}");
            return Err(StoreError::failed("taking a snapshot", many));
        }
        readers.open += 1;
        drop(readers);
        layout::open_reader(&self.dir).inspect_err(|_| self.forget())
    }

    /// Takes a connection back for the next reader.
    pub(crate) fn give_back(&self, connection: Connection) {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).idle.push(connection);
        self.returned.notify_one();
    }

    /// A connection was closed instead.
    pub(crate) fn forget(&self) {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).open -= 1;
        self.returned.notify_one();
    }
}
