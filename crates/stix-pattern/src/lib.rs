//! The STIX 2.1 pattern language (STIX 2.1 §9): parse, check, compile, evaluate.
//!
//! A pattern says what an indicator looks for in observations:
//!
//! ```text
//! [file:hashes.'SHA-256' = 'aec0…' AND file:name LIKE '%.scr']      one observation
//!     FOLLOWEDBY [domain-name:value IN ('evil.example')]            a later one
//!     WITHIN 300 SECONDS
//! ```
//!
//! Inside the brackets stand *comparisons* of a property, named by an *object path*, with a literal; one object of one
//! observation must satisfy them together. Outside stand *observation operators* and *qualifiers*, which ask for several
//! observations, for their order and for their times.
//!
//! Four things can be done with one:
//!
//! - [`Pattern::parse`] reads all of the grammar, and beside it what feeds really publish (`hashes.sha256`, double quotes,
//!   ports as strings). Whatever was read as something else, and whatever does not fit the standard's types, is a
//!   [`Finding`]; only a text without a reading is refused, with the place and the remedy. `Display` writes the canonical
//!   text, which parses to the same pattern.
//! - [`Pattern::simple`] tells the patterns that a table can look up, which nearly all are, from those that need
//!   evaluation; [`plain`] tells the plainest of them without a parser.
//!   [`Pattern::needles`] tells of many of the others what must hold before they are worth evaluating.
//! - [`Pattern::compile`] prepares evaluation: regular expressions are built and keys hashed, once.
//! - [`Compiled::evaluate`] is total: any pattern on any observations ends, within a budget, in a match, in no match, or in
//!   the named reason why neither was established.
//!
//! The crate knows no indicators, no feeds and no network; observations are built from JSON objects by the caller. It is
//! no translator to other query languages, and it judges nothing but syntax and types.

#![warn(missing_docs)]

mod address;
mod assignment;
mod ast;
mod check;
mod compile;
mod evaluate;
mod finding;
mod instant;
mod lexer;
mod like;
mod literal;
mod meter;
mod observation;
mod parser;
mod plain;
mod schema;
mod search;
mod simple;

pub use ast::{
    Comparison, ComparisonExpression, ObjectPath, ObservationExpression, Operator, Qualifier, Seconds, Step,
};
pub use compile::{Compiled, Undecidable};
pub use evaluate::{BUDGET, Verdict};
pub use finding::{Finding, Matter, ParseError};
pub use instant::{Instant, Timestamp};
pub use literal::Literal;
pub use observation::{NESTING_MAX, Observation, ObservedDataError};
pub use parser::{DEPTH_MAX, PATTERN_MAX_BYTES, Pattern};
pub use plain::{Plain, plain};
pub use simple::{Equality, Simple, Wanted};
