//! STIX 2.1 as bytes.
//!
//! STIX is the language in which organisations write down threat intelligence: JSON objects with an
//! identifier, a version and references to each other. Only the creator of an object may change it,
//! so whoever passes objects on must give back the bytes that came in. This crate therefore keeps
//! no typed model of STIX. It finds objects in what a client sends ([`split()`]), borrows their
//! heads ([`Head`]), all over the received bytes.
//!
//! It is not a store, a client, a pattern matcher or a policy: it does not know who may read what,
//! only what an object's markings say.
#![warn(missing_docs)]

pub mod document;
pub mod head;
pub mod id;
pub mod limits;
mod scan;
pub mod split;
pub mod timestamp;
mod vocabulary;

pub use document::{Document, Text, Value};
pub use head::{GranularMarking, Head, HeadError, Mark, Reference};
pub use id::{IdError, IdParts, parse_id};
pub use limits::Limits;
pub use scan::{JsonError, JsonFault, Kind};
pub use split::{Objects, SplitError, Wrapper, split};
pub use timestamp::{ParseTimestampError, StixTimestamp};
