//! Who may have what, since when.
//!
//! Four ideas, each in a module of its own:
//!
//! 1. [`Label`]: the release attributes of an object, interned. A hub with a million objects has a few hundred
//!    labels, so every question about release is asked of labels and never of objects.
//! 2. [`Policy`]: the programme's `release.cedar`, asked once per member, label and epoch.
//! 3. [`Grants`]: for one reader, the intervals during which each label was open to it. They are history: an
//!    interval that has begun or ended is never rewritten, which is what lets a member that was away receive what
//!    it missed without a reset of its cursor.
//! 4. [`View`]: what one credential may see at one epoch; the only key that opens the store.
//!
//! [`prove`] walks all that the programme's policies can tell apart and finds out whether standing decides.
//!
//! The crate is pure. Instants, members and labels are arguments; nothing here reads a clock or a disk, so a day
//! in 2012 is judged as well as today.

mod acs;
mod cases;
mod grants;
mod label;
mod policy;
mod proof;
mod view;

pub use acs::{
    AcsAction, AcsClassification, AcsEffect, AcsFurtherSharing, AcsLabel, AcsPrivilege, AcsRefusal, AcsScope,
    consent_word, demands_of, pap_rank, tlp_rank,
};
pub use cases::{CaseFailure, CaseReport, run_cases};
pub use grants::{Grants, Interval, Intervals, LabelFacts, Transition};
pub use label::{Audience, Demands, Label};
pub use policy::{Judge, Policy, PolicyError, Reader, Verdict};
pub use proof::{Claim, Counterexample, Proof, prove};
pub use view::View;
