//! `/me/...`: what a member sees of its own, beside its standing, which is its page among the members'.
//!
//! Everything is asked as the member. What it may have is told as what the rules let it do, never by counting what there
//! is, so these pages tell nothing that its TAXII view does not.

pub(crate) mod attestation;
pub(crate) mod credentials;
pub(crate) mod feed;
pub(crate) mod guard;

use crate::asked::Asked;
use crate::problem::Problem;

/// Whether a member asks; for everybody else there is nothing here.
fn member(asked: &Asked) -> Result<(), Problem> {
    if asked.caller().member().is_some() { Ok(()) } else { Err(Problem::not_found()) }
}
