//! A guard beside a hub, both as people run them, with the mail servers, resolvers and exporters that people have.
//!
//! What is missing of those is told by name, and the test is skipped; it fails where `RINGFENCE_REQUIRE_PEERS=1`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../common/mod.rs"]
mod common;

mod allowed;
mod basics;
mod blinded;
mod doubts;
mod kinds;
mod members;
mod post;
mod reload;
mod removal;
mod resolvers;
mod shown;
mod site;
mod watched;
