//! Words that mean little, or mean the same.
//!
//! Not every word of a name tells one bearer from another: *bank* and *of* do not, and *Limited* is said in a hundred ways.
//! The tables here are short on purpose. They hold what is common across the registers of the world, and a word that
//! they miss is compared by its letters, which costs a proposal's rank and never a wrong decision.
//!
//! All words are in the Latin letters that [`crate::spelling`] gives, so one entry serves every script.

mod forms;
mod numerals;
mod organisations;
mod persons;

pub(crate) use forms::{LEGAL_FORMS, LegalForm};
pub(crate) use numerals::{decimal, ordinal, roman};
pub(crate) use organisations::organisation_word;
pub(crate) use persons::{full_given_name, person_word};

/// How much a word tells, and how it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Class {
    /// Tells most; spelling mistakes are forgiven.
    Plain,
    /// One letter.
    Initial,
    /// A numeral, in decimal digits.
    Number,
    /// What many organisations are or do.
    Common,
    /// A country or a region.
    Region,
    /// *Company*, which stands or falls away as the speaker likes.
    Company,
    /// *of*, *and*, *bin*, *de*.
    Particle,
    /// *Mr*, *General*.
    Title,
}

impl Class {
    /// What the word tells, in thousandths of a plain one.
    pub(crate) fn weight(self) -> u32 {
        match self {
            Self::Plain => 1000,
            Self::Region => 700,
            Self::Initial | Self::Number | Self::Common => 500,
            Self::Company => 200,
            Self::Particle | Self::Title => 100,
        }
    }

    /// Whether it is a word of these tables: two of them that differ do so on purpose.
    pub(crate) fn is_known(self) -> bool {
        match self {
            Self::Common | Self::Region | Self::Company | Self::Particle | Self::Title => true,
            Self::Plain | Self::Initial | Self::Number => false,
        }
    }
}
