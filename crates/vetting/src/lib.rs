//! From ties to facts, from facts to a decision with its proof.
//!
//! ```text
//! picture (ties as of D, known on K) -> facts (certain and possible) -> rules (Cedar) -> grade
//!                                         |                               |
//!                                         proof steps, down to statements   findings, with the rule's version
//! ```
//!
//! The crate is pure: it takes a picture of the ties, a programme and what the registry knows of a party, and returns a
//! [`Decision`]. It asks no clock and stores nothing, so a decision of 2012 runs as well today.
//!
//! Worked example, 2008-03-01: Symantec holds 49 % of Huawei Symantec, Huawei 51 %; the officer named Huawei a party of
//! concern. The fact `venture_concern` is 4900 basis points; rule R8 of the pack `strict` asks for 1000 in an exchanged
//! field and says `suspend` on the tier `cleared`. The proof names both stakes and the listing. The remedy is to end the
//! 49 %; the licence that remains leaves `condition`.
//!
//! What it is *not*: it does not say whose standing changes to what. That is `exchange`'s, with the procedure.

mod alone;
mod asks;
mod cases;
mod dealings;
mod decision;
mod facts;
mod ground;
mod inward;
mod judge;
mod lens;
mod near;
mod outward;
mod preview;
mod print;
mod remedy;
mod scene;
mod session;
mod step;
mod wording;

pub use cases::{CaseFailure, CaseReport, run_cases};
pub use decision::{Covered, Decision, FactShown, Finding, Party};
pub use facts::{Fact, FactName, Facts, Kind, Near, Side, Value};
pub use ground::Graph;
pub use judge::{Applies, Judge, JudgeError, Sitting};
pub use lens::{Lens, acts_on};
pub use preview::{Move, moves};
pub use remedy::{
    ALTERNATIVES_MAX, Disclosure, InstrumentRemedy, Remedies, Remedy, RemedyBound, Sale, SaleRemedy,
};
pub use session::Session;
pub use step::{Claim, LEVELS_MAX, LineShown, Step, TieShown};
