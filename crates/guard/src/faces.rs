//! The countermeasures, each put between the judge and its own crate.

pub mod rpz;
