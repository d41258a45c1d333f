//! What a store promises, and what is built on any store that keeps the promises.
//!
//! # How objects lie
//!
//! Objects arrive in *commits*. A commit belongs to one collection and has one instant, its `at`; instants are
//! handed out by the one writer, strictly increasing over the whole hub and in commit order. Within a commit the
//! objects of one label lie together: that is a [`Segment`], named by its label and its commit's number. So the
//! store holds a matrix, commits by labels, and reads it along either side:
//!
//! ```text
//!            label 0    label 1    label 2          a reader with labels {0, 2} walks the commits in order and
//! commit 1   [a b c]               [d]              takes their segments in the order of the labels:
//! commit 2              [e f]      [g]              a b c | d | g | h ...
//! commit 3   [h]
//! ```
//!
//! A segment's bodies lie in one piece, joined by commas as they stand between the brackets of a TAXII envelope,
//! so a page is made of a few slices and no object is touched alone. What is rare (another version of an object
//! exists, it was re-labelled, deleted) is a [`Mark`] beside the segment; a segment without marks is copied blindly.
//!
//! # The door
//!
//! Content leaves a store only through a [`View`](release::View), which only `release` can make:
//! every function of [`Snapshot`] that reads objects takes one. What may be asked without a view is what the
//! writer needs to order and deduplicate ([`Transaction`]), and the records and ledger entries, which hold no content.
//!
//! The member's order of objects, member time and back-fill are computed over any store by [`timeline`].

mod heads;
mod keys;
mod memory;
pub mod moving;
mod part;
mod segment;
pub mod timeline;
mod traits;

#[cfg(feature = "contract")]
pub mod contract;

pub use heads::{HeadRecord, Heads, HeadsError};
pub use keys::{ReferenceKey, id_hash};
pub use memory::MemoryStore;
pub use part::Part;
pub use segment::{
    CommitNo, CommitRow, Copy, Departure, Mark, Place, Position, Run, Segment, SegmentId, Stretch,
    byte_range, check_commit,
};
pub use traits::{
    CommitError, Horizon, Inventory, Record, Snapshot, Store, StoreError, StoredEntry, Transaction,
};
