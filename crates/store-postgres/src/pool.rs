//! Connections for readers.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use store::StoreError;

use crate::connection::{Connection, Server};

/// How many snapshots can be open at once, each on a connection of its own. A hub reads on fewer threads; a server
/// takes 100 connections if nobody told it otherwise.
const READERS_MAX: usize = 24;
/// How long a snapshot waits for another one to be dropped before it gives up.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Connections that are not in use, and how many there are in all.
#[derive(Debug)]
pub(crate) struct Pool {
    server: Server,
    /// What the server shows as the sessions' name.
    name: String,
    readers: Mutex<Readers>,
    returned: Condvar,
}

#[derive(Debug, Default)]
struct Readers {
    idle: Vec<Connection>,
    open: usize,
}

impl Pool {
    pub(crate) fn new(server: Server, name: String) -> Self {
        Self { server, name, readers: Mutex::default(), returned: Condvar::new() }
    }

    /// A connection that is open as far as anyone knows, an idle one if there is one.
    pub(crate) fn take(&self) -> Result<Connection, StoreError> {
        let readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut readers, _) = self
            .returned
            .wait_timeout_while(readers, WAIT_MAX, |readers| {
                readers.idle.is_empty() && readers.open >= READERS_MAX
            })
            .unwrap_or_else(PoisonError::into_inner);
        let mut closed = Vec::new();
        while let Some(connection) = readers.idle.pop() {
            if !connection.is_closed() {
                return Ok(connection);
            }
            readers.open -= 1;
            closed.push(connection);
        }
        if readers.open >= READERS_MAX {
            let many = format!("{READERS_MAX} snapshots are open and none was dropped in {WAIT_MAX:?}");
            return Err(StoreError::failed("taking a snapshot", many));
        }
        readers.open += 1;
        drop(readers);
        drop(closed);
        self.server.connect(&self.name).inspect_err(|_| self.forget())
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

    /// Closes those that are idle: after one failed, the others lead to the same server.
    pub(crate) fn forget_idle(&self) {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = std::mem::take(&mut readers.idle);
        readers.open -= idle.len();
        drop(readers);
        self.returned.notify_all();
        drop(idle);
    }
}
