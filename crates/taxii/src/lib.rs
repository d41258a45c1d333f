//! TAXII 2.1 (OASIS Standard, 10 June 2021) as data.
//!
//! A TAXII server answers seven kinds of question about *collections* of objects, and every
//! answer is a small JSON resource with fixed property names. This crate has those resources,
//! the media type they travel under, the filters a request may carry, the timestamps both sides
//! compare, and the two kinds of credentials in an `Authorization` header.
//!
//! What it is *not*: it has no router and no socket, it stores nothing, and it does not judge
//! STIX. The objects inside an envelope are bytes to it, apart from the optional filters
//! ([`InteropFilters`]), which look into an object that somebody else has parsed. It allocates
//! no time and no randomness of its own.
//!
//! ```
//! use taxii::{Endpoint, ObjectFilter};
//!
//! let query = "added_after=2026-01-10T00:00:00Z&match%5Btype%5D=indicator,malware&limit=100";
//! let filter = ObjectFilter::parse(Endpoint::Objects, query)?;
//! assert_eq!(filter.added_after.map(taxii::format_date).as_deref(), Some("2026-01-10T00:00:00.000000Z"));
//! assert!(filter.wants_type("malware") && !filter.wants_type("report"));
//! # Ok::<(), taxii::QueryError>(())
//! ```
//!
//! Sections cited as `TAXII 2.1 §n` are those of the standard; *interop* is the TAXII 2.1
//! Interoperability Test Document, version 1.0.

#![warn(missing_docs)]

mod authorization;
mod date;
mod envelope;
mod interop;
mod media;
mod query;
mod resource;
mod urlencoded;

pub use authorization::{AuthorizationError, Credentials, Secret, challenges};
pub use date::{DateError, Timestamp, format_date, parse_date};
pub use envelope::{EMPTY_ENVELOPE, ENVELOPE_SUFFIX, Envelope, envelope_prefix};
pub use interop::{INTEROP_FIELD_COUNT, InteropFilters, interop_field_names};
pub use media::{MEDIA_TYPE, NotAcceptable, UnsupportedMediaType, accepts, content_type_ok};
pub use query::{Endpoint, MATCH_VALUES_MAX, NEXT_BYTES_MAX, ObjectFilter, QueryError, VersionMatch};
pub use resource::{
    ApiRoot, Collection, Collections, Custom, Discovery, ErrorResource, Manifest, ManifestRecord, Status,
    StatusDetail, StatusState, Versions,
};
pub use urlencoded::{decode_component, encode_component};

/// The `date_added` of the first object of a page (TAXII 2.1 §3.2), in the spelling that header maps want.
pub const DATE_ADDED_FIRST: &str = "x-taxii-date-added-first";

/// The `date_added` of the last object of a page (TAXII 2.1 §3.2): where a client without `next` goes on.
pub const DATE_ADDED_LAST: &str = "x-taxii-date-added-last";

/// Where discovery is answered on every server (TAXII 2.1 §4.1).
pub const DISCOVERY_PATH: &str = "/taxii2/";
