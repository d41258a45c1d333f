//! The ledger: an append-only Merkle log that strangers can verify.
//!
//! Everything a programme decides and everything it hands out becomes one *entry* of the log. The log has
//! the shape of C2SP [tlog-tiles](https://c2sp.org/tlog-tiles): immutable files of hashes and entries beside
//! one small mutable file, the signed [checkpoint](https://c2sp.org/tlog-checkpoint). Whoever holds an old
//! checkpoint can prove later that nothing before it was changed, taken out or slipped in.
//!
//! | module | what |
//! |---|---|
//! | [`tree`] | RFC 6962 hashing, the right edge of a growing tree, inclusion and consistency proofs |
//! | [`tile`] | which files make up a log, their paths, and what is in them |
//! | [`writer`] | entries in, tiles out |
//! | [`note`], [`checkpoint`] | signed text, and the signed head of the log |
//! | [`proof`] | the receipt: one file that proves one entry offline |
//! | [`entry`] | what our entries commit to; the only module that knows of Ringfence |
//! | [`verify`] | the whole log checked from its public files |
//!
//! An entry in the public files is 32 bytes: a salted commitment. The content, its *opening*, goes only to
//! those whom it concerns, so a log that anyone may mirror tells nobody who was handed what.
//!
//! What this crate is *not*: it reads no file and no socket, asks no clock, draws no random number and holds no
//! transaction. Bytes, instants and salts are handed in; the store decides what is durable and when.
//! It runs no witness, and it prunes nothing.

pub mod checkpoint;
pub mod entry;
pub mod note;
pub mod proof;
pub mod tile;
pub mod tree;
pub mod verify;
pub mod writer;

pub use checkpoint::{Checkpoint, Trust};
pub use entry::{Body, Opening};
pub use note::{NoteSigner, NoteVerifier};
pub use proof::TlogProof;
pub use tile::{Tile, TileSource};
pub use tree::{Frontier, Hash};
pub use writer::Writer;
