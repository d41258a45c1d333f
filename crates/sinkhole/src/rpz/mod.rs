//! A primary for response policy zones.
//!
//! A zone here has no file. Its [`Content`] lies with the caller; a [`Publisher`] gives every change a serial number, keeps
//! the changes in a journal, tells the secondaries (NOTIFY), and answers them: the changes since the serial they know (IXFR),
//! or all of it (AXFR). With a million names that is the difference between 40 ms and a minute without answers.
//!
//! ```text
//! caller ── apply(added, removed) ──► serial + 1 ─► journal ─► NOTIFY ─► secondary
//!                                                                          │ IXFR, serial 7
//!                                     changes 7→8, 8→9  ◄──────────────────┘
//! ```
//!
//! *Names below names.* If a zone has `p.example` with everything below it and also `x.y.p.example`, the deeper entry makes
//! `y.p.example` exist, and BIND stops blocking that (RFC 4592 §2.2.2: a wildcard does not reach below a name that exists).
//! So an entry below one with subdomains is never in the zone; it comes back when that one goes.
//! [`apply`](Publisher::apply) sees to both.
//!
//! *No one else may look.* Transfers and questions are answered to those who sign with a key of the zone (TSIG). A resolver
//! that cannot sign (Unbound before 1.24) can be let in by its address.

mod answer;
mod content;
mod entry;
mod journal;
mod message;
mod notify;
mod publisher;
mod server;
pub mod told;
mod zone;

pub use answer::{Response, Transfer, Transport};
pub use content::{Content, MemoryContent};
pub use entry::{Entry, REFERENCE_BYTES_MAX, Reject, Rejects, Rule, Scope, Triggers};
pub use journal::{JOURNAL_BYTES_MAX, JOURNAL_CHANGES_MAX, JournalKey};
pub use message::{KeyError, TsigAlgorithm, TsigKey};
pub use publisher::{Counts, OpenError, Publisher};
pub use server::{ServerLimits, serve};
pub use zone::{Access, Applied, Change, Secondary, ZoneSpec, ZoneStatus};
