//! Who owns, controls or is tied to whom, since when, and as known when.
//!
//! The crate has two storeys. Above are *statements*: what sources said, with two clocks, kept for ever
//! ([`Statement`]); a [`Picture`] is what they amount to on a day, as known at an instant. Below is the [`kernel`]:
//! arithmetic on numbered nodes that knows no names and no dates, so that it can be fast and can be checked against
//! brute force.
//!
//! It does not judge. Which tie matters under which rule is `vetting`'s business; reading the formats in which
//! registers publish is that of `registers`.
//!
//! Worked example, the one that Ringfence was built for: Symantec holds 49 % of a venture, Huawei 51 %. Huawei
//! controls the venture (more than half of the votes), the venture is inside the 50 % closure of a list that names
//! Huawei, and Symantec is in neither: it owns *outward*. The tie that matters is between the two parents.

mod date;
pub mod derive;
mod encode;
mod entity;
mod fraction;
pub mod kernel;
mod picture;
mod registry;
mod share;
mod statement;

pub use date::{Day, ParseDateError, PartialDate, Period, Truth};
pub use encode::{CheckedBatch, DecodeError, Flaw, decode, encode};
pub use entity::{
    Entity, EntityId, EntityKind, ExternalId, ID_LENGTH_MAX, IdError, ListId, Name, StatementId, TieId, state,
};
pub use fraction::{Fraction, ParseFractionError};
pub use picture::{AsOf, KnownListing, KnownTie, Picture};
pub use registry::{Added, Affected, Finding, Refusal, Registry, RegistryPicture};
pub use share::{Bound, ParseShareError, Share};
pub use statement::{
    Appointment, Confidence, Direction, End, Ending, Evidence, Holding, Jurisdiction, Listing, PartyRole,
    Plan, Post, Said, Source, Stage, Statement, Tie, TieKind,
};
