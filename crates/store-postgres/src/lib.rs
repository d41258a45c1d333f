//! Keeps what a hub knows in a `PostgreSQL` database, which one hub at a time [holds](hold).
//!
//! It is not a pool for others and not a mapper of objects; it knows nothing of TAXII, of policy or of who asks.
//!
//! # How things lie
//!
//! A segment is one row, with its bodies joined as they stand in an envelope, so a page is one question: the rows of its
//! segments by their key, and of each the bytes that are wanted. They are stored as they are, because a part of a
//! compressed value costs the whole. There are no partitions: nothing is deleted by age (an erased object leaves blanks,
//! and the ledger keeps its entries for ever), so there is nothing that dropping a partition would serve, and every
//! look-up by id would have to ask each of them.
//!
//! # A commit, and a crash at each step
//!
//! 1. *Gather*: what a transaction writes stays in memory, and only questions go to the server. A crash, or a pause
//!    however long, leaves nothing and holds no lock.
//! 2. *Write out*: `BEGIN`, and each table's rows in one statement. A crash undoes it.
//! 3. *Fence*: the horizon's row is written if it still has this hub's fence and the number of the last transaction. No row
//!    means that another hub has taken over: everything is undone, and this one is done for.
//! 4. *Commit*, with `synchronous_commit` on. The moment of truth. If the answer is lost, or the server stopped waiting for
//!    its standby, nobody knows: the store then refuses to write until it is opened again, and whoever opens it waits for
//!    that commit to end one way or the other, because taking over writes the same row.
//!
//! # A server that is away
//!
//! What fails because the server does not answer is told apart from what it refuses, and the next question connects
//! anew: to whichever of the hosts in the URL can be written to.

mod connection;
mod flush;
mod hold;
mod layout;
mod numbers;
mod open;
mod pending;
mod pool;
mod reading;
mod snapshot;
mod totals;
mod transaction;
mod whole;

pub use connection::{BadServer, Server};
pub use hold::{Candidate, LEASE, Tenure};
pub use open::{Opened, PostgresStore};
