//! A stake as far as it is known: an interval with open or closed ends.
//!
//! Registers rarely give a number. A United Kingdom filing says *more than 25 %, not more than 50 %*; a press
//! report says *a majority*; most say nothing. Each is an interval, and whether an end belongs to it decides
//! cases: two people in the band over 25 certainly reach 50 % together, and one in the band over 50 certainly
//! has a majority, yet both bands "start at" a line they never touch.
//!
//! | what was said | share |
//! |---|---|
//! | 49 % | `49%` |
//! | more than 25 %, at most 50 % | `(25%,50%]` |
//! | at least 75 % | `[75%,100%]` |
//! | nothing | `[0%,100%]`, [`Share::UNKNOWN`] |
//!
//! Unknown is an interval, never zero: what was not said may be anything.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::fraction::{Fraction, ParseFractionError};

/// One end of a [`Share`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bound {
    /// Where the end lies.
    pub at: Fraction,
    /// Whether the share stops short of it: `(25%` starts above 25 %, and `[25%` at it.
    pub open: bool,
}

impl Bound {
    /// An end that belongs to the share.
    #[must_use]
    pub fn closed(at: Fraction) -> Self {
        Self { at, open: false }
    }

    /// An end that does not.
    #[must_use]
    pub fn open(at: Fraction) -> Self {
        Self { at, open: true }
    }
}

/// A part of a company, between nothing and the whole.
///
/// Holding one means that `0 <= lo <= hi <= 100 %` and that at least one number lies inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Share {
    lo: Bound,
    hi: Bound,
}

/// Why an interval is no share.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParseShareError {
    /// An end is no number.
    #[error(transparent)]
    Fraction(#[from] ParseFractionError),
    /// More than there is.
    #[error("{at} is more than the whole")]
    OverWhole { at: Fraction },
    /// The lower end lies above the upper one, or both are one number that does not belong.
    #[error("nothing lies between {lo} and {hi}")]
    Empty { lo: Fraction, hi: Fraction },
    /// Neither a number nor an interval.
    #[error("`{text}` is not a share: write `49%` or `(25%,50%]`")]
    Malformed { text: String },
}

impl Share {
    /// Nothing was said.
    pub const UNKNOWN: Self =
        Self { lo: Bound { at: Fraction::ZERO, open: false }, hi: Bound { at: Fraction::ONE, open: false } };
    /// All of it.
    pub const WHOLE: Self =
        Self { lo: Bound { at: Fraction::ONE, open: false }, hi: Bound { at: Fraction::ONE, open: false } };
    /// None of it. A stake of zero is a statement too: it says that the tie has ended.
    pub const NOTHING: Self =
        Self { lo: Bound { at: Fraction::ZERO, open: false }, hi: Bound { at: Fraction::ZERO, open: false } };

    /// Exactly this much.
    pub fn exact(at: Fraction) -> Result<Self, ParseShareError> {
        Self::between(Bound::closed(at), Bound::closed(at))
    }

    /// From one end to the other.
    pub fn between(lo: Bound, hi: Bound) -> Result<Self, ParseShareError> {
        if let Some(end) = [lo, hi].into_iter().find(|end| end.at > Fraction::ONE) {
            return Err(ParseShareError::OverWhole { at: end.at });
        }
        if lo.at > hi.at || (lo.at == hi.at && (lo.open || hi.open)) {
            return Err(ParseShareError::Empty { lo: lo.at, hi: hi.at });
        }
        Ok(Self { lo, hi })
    }

    /// The lower end.
    #[must_use]
    pub fn lo(self) -> Bound {
        self.lo
    }

    /// The upper end.
    #[must_use]
    pub fn hi(self) -> Bound {
        self.hi
    }

    /// Whether it is one number.
    #[must_use]
    pub fn is_exact(self) -> bool {
        self.lo == self.hi
    }

    /// The number, if it is one.
    #[must_use]
    pub fn as_exact(self) -> Option<Fraction> {
        self.is_exact().then_some(self.lo.at)
    }

    /// Whether a number lies inside.
    #[must_use]
    pub fn contains(self, at: Fraction) -> bool {
        let above = at > self.lo.at || (at == self.lo.at && !self.lo.open);
        let below = at < self.hi.at || (at == self.hi.at && !self.hi.open);
        above && below
    }

    /// Basis points of the lower end, rounded down: 0 to 10,000.
    #[must_use]
    pub fn basis_points_floor(self) -> u32 {
        // INVARIANT: no end exceeds the whole, so there are at most 10,000.
        u32::try_from(self.lo.at.basis_points_floor()).unwrap_or(10_000)
    }

    /// Basis points of the upper end, rounded up: 0 to 10,000.
    #[must_use]
    pub fn basis_points_ceil(self) -> u32 {
        u32::try_from(self.hi.at.basis_points_ceil()).unwrap_or(10_000)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_exact() {
            return write!(f, "{}", self.lo.at);
        }
        let left = if self.lo.open { '(' } else { '[' };
        let right = if self.hi.open { ')' } else { ']' };
        write!(f, "{left}{},{}{right}", self.lo.at, self.hi.at)
    }
}

impl FromStr for Share {
    type Err = ParseShareError;

    fn from_str(text: &str) -> Result<Self, ParseShareError> {
        let bare = text.trim();
        let malformed = || ParseShareError::Malformed { text: text.to_owned() };
        let lo_open = match bare.as_bytes().first() {
            Some(b'(') => true,
            Some(b'[') => false,
            _ => return Self::exact(bare.parse()?),
        };
        let hi_open = match bare.as_bytes().last() {
            Some(b')') => true,
            Some(b']') => false,
            _ => return Err(malformed()),
        };
        // Both brackets are one byte; `((` or `(` alone has no comma, and is refused below.
        let inside = bare.get(1..bare.len() - 1).ok_or_else(malformed)?;
        let (lo, hi) = split_ends(inside).ok_or_else(malformed)?;
        Self::between(Bound { at: lo.parse()?, open: lo_open }, Bound { at: hi.parse()?, open: hi_open })
    }
}

/// The two ends around the comma between them. A decimal comma needs the `%` before the one that separates.
fn split_ends(inside: &str) -> Option<(&str, &str)> {
    if inside.matches(',').count() == 1 {
        return inside.split_once(',');
    }
    inside.split_once("%,").or_else(|| inside.split_once(", "))
}

impl TryFrom<String> for Share {
    type Error = ParseShareError;

    fn try_from(text: String) -> Result<Self, ParseShareError> {
        text.parse()
    }
}

impl From<Share> for String {
    fn from(share: Share) -> Self {
        share.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_and_written() {
        let cases = [
            ("49%", Some("49%")),
            ("49", Some("49%")),
            ("1/3", Some("1/3")),
            ("(25%,50%]", Some("(25%,50%]")),
            ("[25,50)", Some("[25%,50%)")),
            ("(50%, 75%)", Some("(50%,75%)")),
            ("[0%,100%]", Some("[0%,100%]")),
            ("(1/3,2/3)", Some("(1/3,2/3)")),
            ("(25,5%,50,01%]", Some("(25.5%,50.01%]")),
            ("[50%,50%]", Some("50%")),
            ("(50%,50%]", None),
            ("[50%,50%)", None),
            ("[60%,50%]", None),
            ("[60%,101%]", None),
            ("101%", None),
            ("-1%", None),
            ("(25%,50%", None),
            ("25%,50%)", None),
            ("(", None),
            ("()", None),
            ("(]", None),
            ("", None),
            ("(é", None),
        ];
        for (text, want) in cases {
            let read = text.parse::<Share>();
            assert_eq!(read.as_ref().ok().map(ToString::to_string).as_deref(), want, "{text}: {read:?}");
        }
    }

    #[test]
    fn ends_belong_or_not() {
        let band: Share = "(25%,50%]".parse().unwrap();
        let cases = [("25", false), ("25.000001", true), ("50", true), ("50.000001", false)];
        for (at, want) in cases {
            assert_eq!(band.contains(at.parse().unwrap()), want, "{at}");
        }
    }

    #[test]
    fn basis_points_cover_the_share() {
        let cases = [("1/3", 3333, 3334), ("(25%,50%]", 2500, 5000), ("[0%,100%]", 0, 10_000)];
        for (text, floor, ceil) in cases {
            let share: Share = text.parse().unwrap();
            assert_eq!((share.basis_points_floor(), share.basis_points_ceil()), (floor, ceil), "{text}");
        }
    }

    #[test]
    fn serde_speaks_text() {
        let share: Share = serde_json::from_str("\"(25%,50%]\"").unwrap();
        assert_eq!(serde_json::to_string(&share).unwrap(), "\"(25%,50%]\"");
        assert!(serde_json::from_str::<Share>("\"[60%,50%]\"").is_err());
    }
}
