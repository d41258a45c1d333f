//! STIX 2.1 as bytes.
//!
//! STIX is the language in which organisations write down threat intelligence: JSON objects with an
//! identifier, a version and references to each other. Only the creator of an object may change it,
//! so whoever passes objects on must give back the bytes that came in. This crate therefore keeps
//! no typed model of STIX. It finds objects in what a client sends ([`split()`]), borrows their
//! heads ([`Head`]) and judges them ([`validate()`]), all over the received bytes.
//!
//! It is not a store, a client, a pattern matcher or a policy: it does not know who may read what,
//! only what an object's markings say.
#![warn(missing_docs)]

pub mod canonical;
pub mod convert;
pub mod derive;
pub mod document;
pub mod head;
pub mod id;
pub mod limits;
pub mod markings;
mod scan;
pub mod sco_id;
pub mod selector;
pub mod split;
pub mod timestamp;
pub mod validate;
mod vocabulary;
pub mod write;

pub use canonical::{CanonicalError, canonical};
pub use convert::{ConvertError, convert_2_0};
pub use derive::{DeriveError, derive};
pub use document::{Document, Text, Value};
pub use head::{GranularMarking, Head, HeadError, Mark, Reference};
pub use id::{IdError, IdParts, parse_id};
pub use limits::Limits;
pub use markings::{Acs, AisConsent, Marking, PapLevel, TlpLevel, ais_consent, known};
pub use scan::{JsonError, JsonFault, Kind};
pub use sco_id::{ScoId, ScoIdError, is_observable_type, sco_id};
pub use selector::{Step, covers, parse_selector, resolve};
pub use split::{Objects, SplitError, Wrapper, split};
pub use timestamp::{ParseTimestampError, StixTimestamp};
pub use validate::{Finding, Report, Severity, ValidateOptions, validate, validate_document};
pub use write::{IndicatorParts, escape_pattern_literal, indicator};
