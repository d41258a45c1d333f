//! The kernel against brute force, on more than a hundred thousand small random graphs.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod control;
mod graphs;
mod remedies;
