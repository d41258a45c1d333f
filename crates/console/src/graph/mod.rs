//! A picture of ties: owners above, holdings below, whoever else holds those beside.
//!
//! ```text
//!   around (exchange) ──> what is drawn (input) ──> folded to what can be read (fold)
//!        ──> rows and places (layout) ──> SVG (draw), and beside it a table of all ties (the page)
//! ```
//!
//! All of it is computed from sorted collections, so the same ties give the same picture.

mod draw;
mod fold;
mod input;
mod layout;

pub(crate) use draw::draw;
pub(crate) use fold::fold;
pub(crate) use input::{from_around, from_decision, shown};
pub(crate) use layout::layout;

/// How many boxes a picture has at most. Beyond, what does not matter is put together.
pub(crate) const BOXES_MAX: usize = 36;
