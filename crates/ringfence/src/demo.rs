//! The story of this program, told on this machine and checked while it is told.
//!
//! A real hub (HTTP on loopback, `SQLite` on disk, release rules and ledger on) is started in this process; everything after
//! that goes through its doors: the administration API for the programme's people, TAXII for the members. Each step
//! states a claim, checks it and prints what it measured. A claim that does not hold ends the demo with an error.
//!
//! The objects were written for this purpose from public facts, with the source in each; addresses and domains are of
//! the ranges that are reserved for documentation, and the members are fictional.

mod guard;
mod member;
mod objects;
mod story;
mod telling;
mod wire;

pub(crate) use story::{Cast, Setting, tell};
pub(crate) use telling::Telling;
