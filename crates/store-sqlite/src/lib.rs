//! Keeps what a hub knows in one directory: `SQLite` for the order of things, append-only files for their bodies.
//!
//! It is not a server and not a cache; it knows nothing of TAXII, of policy or of who asks.
//!
//! # The directory
//!
//! ```text
//! DATA/hub.db                  SQLite: where each segment lies, commits, marks, records, ledger entries and tiles
//! DATA/bodies/00000001.dat     bodies and heads of segments, at most 1 GiB a file and what one commit brings
//! DATA/lock                    held by the one process that writes
//! ```
//!
//! A segment is written once and read often, whole and in order, so its bodies lie outside the database: a page
//! is a few contiguous reads, and a megabyte of bodies goes to the disk once instead of twice (`SQLite` writes each
//! page to its log first). What is left in the database are rows of some hundred bytes for each segment. Small
//! segments of a label that gets few are copied beside one another, which module `near` tells.
//!
//! # A commit, and a crash at each step
//!
//! 1. *Append* the bodies behind the last byte that the database names, and copies to the free ends of their labels'
//!    shelves. A crash leaves bytes that nobody names; the next start cuts them off, or they are written over.
//! 2. *Flush* the body file. A crash here is the same.
//! 3. *Commit* in `SQLite` (write-ahead log, `synchronous=FULL`): the rows that name the bytes, marks, records, ledger
//!    entries and the horizon land in one step. This is the moment of truth.
//! 4. *Publish* the new state in memory, so that the next snapshot sees it.
//! 5. *Erase* what the transaction erased, once no snapshot is left that may still read it. The database remembers
//!    what is due, so a crash only delays it to the next start.
//!
//! A failure before step 3 undoes everything and is reported as [`NotApplied`](store::CommitError::NotApplied). Only a
//! failure of step 3 itself leaves a doubt; the store then refuses to write until it is opened again, which resolves it.
//!
//! # Finding an id
//!
//! The index from ids to places is the only part that grows by a row for each object, and at random places of its
//! tree. So it is filled late: a commit adds its ids to a table in memory, and [`tend`](store::Store::tend) (or, under
//! load, later commits) moves them to the database in sorted slices. At start the table in memory is made anew from
//! the heads of the newest segments.

mod ahead;
mod append;
mod backup;
mod bodies;
mod commits;
mod doing;
mod erasures;
mod faults;
mod ids;
mod keys;
mod layout;
mod near;
mod open;
mod pool;
mod reading;
mod snapshot;
mod state;
mod transaction;
mod verify;
mod whole;
mod writer;

#[cfg(test)]
mod tests;

pub use backup::{BackupReport, restore};
pub use open::SqliteStore;
pub use verify::{VerifyReport, verify, verify_beside};
