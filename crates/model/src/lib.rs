//! The words of Ringfence as types.
//!
//! Everything that more than one crate has to name lives here: who takes part ([`Member`], [`Role`]), what an
//! officer decided about them ([`Standing`]), what things are called ([`MemberId`], [`CollectionId`], ...) and
//! what time it is ([`Timestamp`], [`Clock`]). The crate decides nothing and stores nothing. A value of one of
//! its types was checked when it was made, and stays checked.

mod caller;
mod clock;
mod grade;
mod id;
mod member;
mod problem;
mod standing;
mod timestamp;

pub use caller::{Action, Caller, Principal, Role, UnknownRole};
pub use clock::{Clock, ManualClock, MovedClock, SystemClock};
pub use grade::{Grade, UnknownGrade};
pub use id::{CollectionId, CredentialId, Epoch, IdError, LabelId, MemberId, ProgrammeName, Tier};
pub use member::{Member, MemberKind, Subject, UnknownMemberKind};
pub use problem::{Problem, Problems};
pub use standing::{InvalidTransition, Standing, StandingChange, UnknownStanding};
pub use timestamp::{ParseTimestampError, Timestamp};
