//! The pages, one file for each.

pub(crate) mod account;
pub(crate) mod actions;
pub(crate) mod alerts;
pub(crate) mod content;
pub(crate) mod first_run;
pub(crate) mod hits;
pub(crate) mod ledger;
pub(crate) mod live;
pub(crate) mod member;
pub(crate) mod members;
pub(crate) mod moves;
pub(crate) mod part;
pub(crate) mod portal;
pub(crate) mod programme;
pub(crate) mod release;
pub(crate) mod sign_in;
pub(crate) mod tie;
pub(crate) mod ties;
pub(crate) mod today;

use std::str::FromStr;

use crate::problem::Problem;

/// An id in a path. One that is misspelt names nothing.
pub(crate) fn id<T: FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::not_found())
}

/// A value to choose from in a form.
pub(crate) struct Choice {
    pub(crate) value: String,
    pub(crate) label: String,
    pub(crate) is_chosen: bool,
}
