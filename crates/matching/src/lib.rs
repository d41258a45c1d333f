//! Is this the same company, the same person?
//!
//! Two records from two files seldom spell a company alike, and a wrong answer costs: two strangers merged bring the
//! owners of one to the other. So there are two kinds of evidence here, and they are never mixed.
//!
//! - An [`Identifier`] *decides*. It is a value of a published scheme (an LEI, a number in a companies register), checked
//!   with the scheme's own check digits, and [`agreement`] says what two sets of them prove.
//! - A [`Name`] *proposes*. [`compare`] gives a [`Score`] of 0 to 1000 with its [`Reason`]s, and [`Index`] finds, among
//!   very many subjects, those worth comparing. What scores [`PROPOSED`] or more is worth a person's look, no more.
//!
//! ```
//! use matching::{Identifier, Kind, Name, PROPOSED, Scheme, compare};
//!
//! // One digit is wrong, and the check digits say so before anything is matched.
//! assert!(Identifier::parse("LEI", "529900T8BM49AURSDO55").is_ok());
//! assert!(Identifier::parse("LEI", "529900T8BM49AURSDO56").is_err());
//!
//! let ours = Name::parse("ООО «Северный мост»", Kind::Organisation)?;
//! let theirs = Name::parse("Severny Most LLC", Kind::Organisation)?;
//! assert!(compare(&ours.into(), &theirs.into()).score >= PROPOSED);
//! # Ok::<(), matching::NameError>(())
//! ```
//!
//! What it is *not*: it merges nothing and stores nothing, it knows neither ties nor members, and it has no list of
//! real names to look pairs up in. It reads no clock and no randomness: the same input gives the same answer everywhere,
//! which is why scores are whole thousandths. Every text it takes is bounded ([`NAME_CHARS_MAX`], [`NAME_WORDS_MAX`],
//! [`IDENTIFIER_CHARS_MAX`]), so a crafted name costs no more than a long honest one.

#![warn(missing_docs)]

mod align;
mod compare;
mod identifier;
mod index;
mod name;
mod spelling;
mod subject;
mod vocabulary;

pub use compare::{Comparison, PROPOSED, Reason, Score, compare};
pub use identifier::{
    Agreement, IDENTIFIER_CHARS_MAX, Identifier, IdentifierError, ListCode, Scheme, agreement,
};
pub use index::{Index, Proposal};
pub use name::{Kind, NAME_CHARS_MAX, NAME_WORDS_MAX, Name, NameError};
pub use subject::{BirthDate, BirthDateError, Country, CountryError, Subject};
