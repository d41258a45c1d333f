//! What was noticed about a pattern, and why a text is none.

use std::fmt;

use thiserror::Error;

/// Something about a pattern that its author should know. The pattern is used all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where it begins, in bytes from the pattern's start.
    pub offset: usize,
    /// What it is.
    pub matter: Matter,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: {}", self.offset, self.matter)
    }
}

/// What a finding is about.
///
/// The first group was read as what it must mean; the second is kept as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matter {
    /// A text in double quotes.
    DoubleQuotes,
    /// A key with characters that need quotes.
    UnquotedKey(String),
    /// A keyword in another case.
    KeywordCase(String),
    /// A backslash in a text before something other than `'` and `\`; it stands for itself.
    LoneBackslash,
    /// A timestamp whose `T` or `Z` is in lower case.
    TimestampCase(String),
    /// START or STOP with a plain text, as STIX 2.0 wrote it.
    PlainTimestamp,
    /// No brackets around a comparison.
    NoBrackets,
    /// A byte-order mark before the pattern.
    ByteOrderMark,
    /// A key by another name than the standard's.
    Alias {
        /// As it was written.
        written: String,
        /// As it was read.
        read: String,
    },
    /// A list compared as if it were one value; read as any of its elements.
    ListWithoutIndex(String),
    /// A literal of another type than the property's, which could be read as that type.
    Converted {
        /// The property.
        path: String,
        /// As it was written.
        written: String,
        /// As it was read.
        read: String,
    },

    /// A kind of object that the standard does not have.
    UnknownType(String),
    /// A property that the standard does not give to this kind of object.
    UnknownProperty(String),
    /// A literal whose type the property never has: `=` is never true, `!=` always.
    LiteralDoesNotFit {
        /// The property.
        path: String,
        /// The property's type.
        property: &'static str,
        /// The literal's type.
        literal: &'static str,
    },
    /// An order between values that have none.
    NoOrder(String),
    /// AND between kinds of objects: no one object is both, so it is never true.
    TypesDiffer {
        /// The first kind.
        one: String,
        /// Another kind.
        other: String,
    },
    /// An index below zero, where no list has an element.
    NegativeIndex(i64),
    /// Not an address or a range of addresses, so nothing is a subset or superset of it.
    NotAnAddress(String),
    /// A set without elements.
    EmptySet,
    /// STOP at or before START: no instant counts.
    EmptyPeriod,
    /// WITHIN 0 SECONDS.
    ZeroSeconds,
    /// A hash whose length is not its algorithm's.
    HashLength {
        /// The algorithm.
        algorithm: String,
        /// The text.
        text: String,
    },
}

impl Matter {
    /// Whether the pattern was read as something else than was written.
    #[must_use]
    pub fn is_normalised(&self) -> bool {
        match self {
            Self::DoubleQuotes
            | Self::UnquotedKey(_)
            | Self::KeywordCase(_)
            | Self::LoneBackslash
            | Self::TimestampCase(_)
            | Self::PlainTimestamp
            | Self::NoBrackets
            | Self::ByteOrderMark
            | Self::Alias { .. }
            | Self::ListWithoutIndex(_)
            | Self::Converted { .. } => true,
            Self::UnknownType(_)
            | Self::UnknownProperty(_)
            | Self::LiteralDoesNotFit { .. }
            | Self::NoOrder(_)
            | Self::TypesDiffer { .. }
            | Self::NegativeIndex(_)
            | Self::NotAnAddress(_)
            | Self::EmptySet
            | Self::EmptyPeriod
            | Self::ZeroSeconds
            | Self::HashLength { .. } => false,
        }
    }
}

impl fmt::Display for Matter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DoubleQuotes => write!(f, "a text stands in double quotes; write single ones"),
            Self::UnquotedKey(key) => write!(f, "the key `{key}` needs single quotes"),
            Self::KeywordCase(word) => {
                write!(f, "the keyword `{word}` is in another case than the standard's")
            }
            Self::LoneBackslash => write!(f, "a backslash is not doubled; it is read as itself"),
            Self::TimestampCase(text) => write!(f, "the timestamp `{text}` needs a capital `T` and `Z`"),
            Self::PlainTimestamp => write!(f, "START and STOP need timestamps: write `t'…'`"),
            Self::NoBrackets => write!(f, "an observation stands without `[` and `]`"),
            Self::ByteOrderMark => write!(f, "a byte-order mark stands before the pattern"),
            Self::Alias { written, read } => write!(f, "`{written}` is read as `{read}`"),
            Self::ListWithoutIndex(path) => write!(f, "`{path}` is a list; it is read as `{path}[*]`"),
            Self::Converted { path, written, read } => {
                write!(f, "`{path}` is compared with {written}, which is read as {read}")
            }
            Self::UnknownType(name) => write!(f, "the standard has no object type `{name}`"),
            Self::UnknownProperty(path) => write!(f, "the standard has no property `{path}`"),
            Self::LiteralDoesNotFit { path, property, literal } => {
                write!(f, "`{path}` is a {property} and never equals a {literal}")
            }
            Self::NoOrder(path) => write!(f, "`{path}` has values without an order"),
            Self::TypesDiffer { one, other } => {
                write!(f, "no object is both `{one}` and `{other}`: within brackets AND is about one object")
            }
            Self::NegativeIndex(index) => write!(f, "no list has an element [{index}]"),
            Self::NotAnAddress(text) => {
                write!(f, "`{text}` is not an address or a range like 198.51.100.0/24")
            }
            Self::EmptySet => write!(f, "a set without elements holds nothing"),
            Self::EmptyPeriod => write!(f, "STOP is not after START, so no time counts"),
            Self::ZeroSeconds => write!(f, "WITHIN needs more than 0 seconds"),
            Self::HashLength { algorithm, text } => write!(f, "`{text}` is not a {algorithm} in hexadecimal"),
        }
    }
}

/// Why a text is no pattern, where, and what would help.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}, column {column} (byte {offset}): {problem}; {remedy}")]
pub struct ParseError {
    /// Bytes from the start.
    pub offset: usize,
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub remedy: &'static str,
}

impl ParseError {
    pub(crate) fn new(source: &str, offset: usize, problem: String, remedy: &'static str) -> Self {
        let before = source.get(..offset).unwrap_or(source);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            offset,
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            problem,
            remedy,
        }
    }
}
