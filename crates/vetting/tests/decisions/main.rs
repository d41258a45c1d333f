//! Decisions: recomputed by a program that shares nothing with the one that made them but the statements; their
//! properties on random worlds; hostile registers; previews.
//!
//! The checker is given a decision as JSON and the statements. It recomputes each claim of each proof by brute force,
//! asks the rules again, and computes the inward facts from scratch, so that a finding that is missing is found out
//! as well as one that is wrong. That it would notice is shown by decisions that were tampered with.

#![expect(clippy::unwrap_used, reason = "a test that cannot make its world fails, as it should")]

mod check;
mod checked;
mod hostile;
mod preview;
mod properties;
mod random;
mod world;

use std::sync::Arc;

use model::{Tier, Timestamp};
use programme::{Programme, template};
use ties::{AsOf, Registry, Statement};
use vetting::{Judge, Party};

fn judge() -> Judge {
    Judge::new(Arc::new(Programme::from_files(&template()).unwrap())).unwrap()
}

fn registry_of(statements: &[Statement]) -> Registry {
    let mut registry = Registry::new();
    let added = registry.add(statements.to_vec());
    assert!(added.refused.is_empty(), "{:?}", added.refused);
    registry
}

/// All statements that a decision in a random world rests on: the world's and the programme's own lists.
fn with_lists(judge: &Judge, world: Vec<Statement>) -> Vec<Statement> {
    let mut all = judge.programme().lists().to_vec();
    all.extend(world);
    all
}

fn day() -> AsOf {
    AsOf { day: "2026-06-01".parse().unwrap(), known: Timestamp::MAX }
}

fn cleared() -> Tier {
    "cleared".parse().unwrap()
}

fn member() -> Party {
    Party::new("e0".parse().unwrap())
}
