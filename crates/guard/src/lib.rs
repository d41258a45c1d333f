//! The guard: what a provider runs to protect its customers, or a participant to protect itself.
//!
//! It follows a hub, turns indicators into countermeasures on the resolvers, mail servers and flow collectors that are
//! already there, lets go of each the second it has ended, was recalled, or the hub says so, and reports the bare fact
//! of occurrence back, if its customer consents.
#![warn(missing_docs)]

pub mod allow;
pub mod compile;
pub mod config;
pub mod customers;
pub mod engine;
pub mod faces;
pub mod follow;
pub mod frequency;
pub mod hold;
pub mod indicator;
pub mod judge;
pub mod lease;
pub mod occurrence;
pub mod record;
pub mod reload;
pub mod reporter;
pub mod run;
pub mod secrets;
pub mod set;
