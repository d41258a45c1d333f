//! Exact parts of a whole.
//!
//! A legal line does not forgive rounding: 50 % blocks under one rule and does not control under another, and
//! a typed `24.9` that became `25` put people on a register where they did not belong. So a stake is a
//! fraction of two integers, kept in lowest terms, and compared by its cross products. There is no float
//! in this crate's comparisons.
//!
//! People write parts as percentages, so a bare number is one: `49`, `49.5%` and `50,01` are read as percent,
//! and `1/3` as shares held over shares issued. [`Fraction`] prints itself as percent when that ends, and as
//! `n/d` when it does not; either way what was printed reads back as the same number.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// An exact number that is not negative: `numerator / denominator` in lowest terms.
///
/// It may exceed one (two sources can claim 60 % each); [`Share`](crate::Share) is the type that may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fraction {
    // INVARIANT: the two have no common divisor, and the denominator is not zero; so equal numbers are equal
    // fields. `new` and the constants uphold it.
    numerator: u64,
    denominator: u64,
}

/// Why a text or a pair of numbers is no fraction.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParseFractionError {
    /// Nothing is a part of no shares.
    #[error("a fraction of nothing: the denominator is 0")]
    ZeroDenominator,
    /// A stake below nothing.
    #[error("`{text}` is negative")]
    Negative { text: String },
    /// No number, percentage or fraction.
    #[error("`{text}` is not a percentage or a fraction")]
    Malformed { text: String },
    /// More digits than 64 bits hold exactly. It is refused rather than rounded.
    #[error("`{text}` has more digits than are kept exactly")]
    TooLong { text: String },
}

impl Fraction {
    /// Nothing.
    pub const ZERO: Self = Self { numerator: 0, denominator: 1 };
    /// The whole.
    pub const ONE: Self = Self { numerator: 1, denominator: 1 };
    /// Twice the whole: more than anybody can hold.
    pub(crate) const TWO: Self = Self { numerator: 2, denominator: 1 };
    /// The line of majority.
    pub const HALF: Self = Self { numerator: 1, denominator: 2 };

    /// `numerator / denominator`, reduced.
    pub fn new(numerator: u64, denominator: u64) -> Result<Self, ParseFractionError> {
        if denominator == 0 {
            return Err(ParseFractionError::ZeroDenominator);
        }
        let divisor = greatest_common_divisor(numerator, denominator);
        Ok(Self { numerator: numerator / divisor, denominator: denominator / divisor })
    }

    /// Whole percent.
    #[must_use]
    pub fn percent(percent: u32) -> Self {
        Self::over(u64::from(percent), 100)
    }

    /// Hundredths of a percent, the unit of facts and rules.
    #[must_use]
    pub fn basis_points(points: u32) -> Self {
        Self::over(u64::from(points), 10_000)
    }

    /// `new` for a denominator that is known not to be zero.
    fn over(numerator: u64, denominator: u64) -> Self {
        Self::new(numerator, denominator).expect("the denominator is a constant above zero")
    }

    /// The upper number, in lowest terms.
    #[must_use]
    pub fn numerator(self) -> u64 {
        self.numerator
    }

    /// The lower number, in lowest terms; never zero.
    #[must_use]
    pub fn denominator(self) -> u64 {
        self.denominator
    }

    /// Basis points, rounded down; [`u64::MAX`] when there are more.
    #[must_use]
    pub fn basis_points_floor(self) -> u64 {
        let scaled = u128::from(self.numerator) * 10_000;
        u64::try_from(scaled / u128::from(self.denominator)).unwrap_or(u64::MAX)
    }

    /// Basis points, rounded up; [`u64::MAX`] when there are more.
    #[must_use]
    pub fn basis_points_ceil(self) -> u64 {
        let scaled = u128::from(self.numerator) * 10_000;
        u64::try_from(scaled.div_ceil(u128::from(self.denominator))).unwrap_or(u64::MAX)
    }

    /// The sum, or `None` when it cannot be kept exactly.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let left = u128::from(self.numerator).checked_mul(u128::from(other.denominator))?;
        let right = u128::from(other.numerator).checked_mul(u128::from(self.denominator))?;
        Self::reduced(left.checked_add(right)?, u128::from(self.denominator) * u128::from(other.denominator))
    }

    /// The difference, or `None` when it is negative or cannot be kept exactly.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        let left = u128::from(self.numerator) * u128::from(other.denominator);
        let right = u128::from(other.numerator) * u128::from(self.denominator);
        Self::reduced(left.checked_sub(right)?, u128::from(self.denominator) * u128::from(other.denominator))
    }

    /// The product, or `None` when it cannot be kept exactly.
    #[must_use]
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        Self::reduced(
            u128::from(self.numerator) * u128::from(other.numerator),
            u128::from(self.denominator) * u128::from(other.denominator),
        )
    }

    /// The quotient, or `None` when the divisor is zero or it cannot be kept exactly.
    #[must_use]
    pub fn checked_div(self, other: Self) -> Option<Self> {
        if other.numerator == 0 {
            return None;
        }
        self.checked_mul(Self { numerator: other.denominator, denominator: other.numerator })
    }

    /// The nearest float, for pictures and approximate sums; never for a comparison with a line.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "the caller asked for an approximation")]
    pub fn to_f64(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }

    pub(crate) fn reduced(numerator: u128, denominator: u128) -> Option<Self> {
        if let (Ok(numerator), Ok(denominator)) = (u64::try_from(numerator), u64::try_from(denominator)) {
            // Nearly always; and 64 bits are divided many times faster than 128.
            return Self::new(numerator, denominator).ok();
        }
        let (mut a, mut b) = (numerator, denominator);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        if a == 0 {
            return None;
        }
        Some(Self {
            numerator: u64::try_from(numerator / a).ok()?,
            denominator: u64::try_from(denominator / a).ok()?,
        })
    }

    /// The digits of the percentage, if it ends: the integer part, then at most [`DECIMALS_MAX`] decimals.
    fn as_decimal_percent(self) -> Option<String> {
        let scale = 10_u128.pow(DECIMALS_MAX);
        let scaled = u128::from(self.numerator).checked_mul(100 * scale)?;
        if scaled % u128::from(self.denominator) != 0 {
            return None;
        }
        let scaled = scaled / u128::from(self.denominator);
        let (whole, decimals) = (scaled / scale, scaled % scale);
        if decimals == 0 {
            return Some(whole.to_string());
        }
        let decimals = format!("{decimals:0width$}", width = DECIMALS_MAX as usize);
        Some(format!("{whole}.{}", decimals.trim_end_matches('0')))
    }
}

/// The most decimals of a percentage that are printed. With more, a text would hold too many digits
/// for 64 bits when it is read again, so such a number is printed as `n/d`.
const DECIMALS_MAX: u32 = 12;

pub(crate) fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

impl Ord for Fraction {
    fn cmp(&self, other: &Self) -> Ordering {
        let left = u128::from(self.numerator) * u128::from(other.denominator);
        let right = u128::from(other.numerator) * u128::from(self.denominator);
        left.cmp(&right)
    }
}

impl PartialOrd for Fraction {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_decimal_percent() {
            Some(percent) => write!(f, "{percent}%"),
            None => write!(f, "{}/{}", self.numerator, self.denominator),
        }
    }
}

impl FromStr for Fraction {
    type Err = ParseFractionError;

    fn from_str(text: &str) -> Result<Self, ParseFractionError> {
        let bare = text.trim();
        let malformed = || ParseFractionError::Malformed { text: text.to_owned() };
        if let Some(magnitude) = bare.strip_prefix('-') {
            return match magnitude.parse::<Self>() {
                Ok(_) => Err(ParseFractionError::Negative { text: text.to_owned() }),
                Err(_) => Err(malformed()),
            };
        }
        if let Some((held, issued)) = bare.split_once('/') {
            let held = digits(held.trim_end()).ok_or_else(malformed)?;
            let issued = digits(issued.trim_start()).ok_or_else(malformed)?;
            let too_long = || ParseFractionError::TooLong { text: text.to_owned() };
            return Self::new(held.parse().map_err(|_| too_long())?, issued.parse().map_err(|_| too_long())?);
        }
        let number = bare.strip_suffix('%').unwrap_or(bare).trim_end();
        // A comma is a decimal comma: no register writes thousands of percent.
        let (whole, decimals) = match number.split_once(['.', ',']) {
            Some((whole, decimals)) => (whole, digits(decimals).ok_or_else(malformed)?),
            None => (number, ""),
        };
        let whole = digits(whole).ok_or_else(malformed)?;
        let decimals = decimals.trim_end_matches('0');
        percent_from(whole, decimals).ok_or_else(|| ParseFractionError::TooLong { text: text.to_owned() })
    }
}

/// The text, if it is one or more ASCII digits.
fn digits(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(text)
}

fn percent_from(whole: &str, decimals: &str) -> Option<Fraction> {
    // 18 digits and the factor of 100 stay far inside 128 bits.
    let scale = 10_u128.checked_pow(u32::try_from(decimals.len()).ok().filter(|&length| length <= 18)?)?;
    let whole: u64 = whole.parse().ok()?;
    let decimals: u64 = if decimals.is_empty() { 0 } else { decimals.parse().ok()? };
    Fraction::reduced(u128::from(whole) * scale + u128::from(decimals), 100 * scale)
}

impl TryFrom<String> for Fraction {
    type Error = ParseFractionError;

    fn try_from(text: String) -> Result<Self, ParseFractionError> {
        text.parse()
    }
}

impl From<Fraction> for String {
    fn from(fraction: Fraction) -> Self {
        fraction.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn percentages_and_fractions_are_read_exactly() {
        let cases = [
            ("49", Some((49, 100)), "49%"),
            ("49.5%", Some((99, 200)), "49.5%"),
            ("50,01", Some((5001, 10_000)), "50.01%"),
            (" 50.010 % ", Some((5001, 10_000)), "50.01%"),
            ("1/3", Some((1, 3)), "1/3"),
            ("2 / 4", Some((1, 2)), "50%"),
            ("0", Some((0, 1)), "0%"),
            ("100", Some((1, 1)), "100%"),
            ("130", Some((13, 10)), "130%"),
            ("0.000000000001", Some((1, 100_000_000_000_000)), "0.000000000001%"),
            ("0.0000000000001", Some((1, 1_000_000_000_000_000)), "1/1000000000000000"),
            ("18446744073709551615/1", Some((u64::MAX, 1)), "1844674407370955161500%"),
            ("", None, ""),
            ("%", None, ""),
            ("-1", None, ""),
            ("--1", None, ""),
            (".5", None, ""),
            ("5.", None, ""),
            ("5e1", None, ""),
            ("+5", None, ""),
            ("1/0", None, ""),
            ("1/2/3", None, ""),
            ("25-50", None, ""),
            ("18446744073709551616/1", None, ""),
            ("0.0000000000000000000000001", None, ""),
        ];
        for (text, want, printed) in cases {
            let read = text.parse::<Fraction>();
            assert_eq!(read.as_ref().ok().map(|f| (f.numerator(), f.denominator())), want, "{text}");
            if let Ok(fraction) = read {
                assert_eq!(fraction.to_string(), printed, "{text}");
            }
        }
    }

    #[test]
    fn refusals_tell_why() {
        let cases = [
            ("-49%", ParseFractionError::Negative { text: "-49%".to_owned() }),
            ("-x", ParseFractionError::Malformed { text: "-x".to_owned() }),
            ("1/0", ParseFractionError::ZeroDenominator),
            ("99999999999999999999", ParseFractionError::TooLong { text: "99999999999999999999".to_owned() }),
        ];
        for (text, want) in cases {
            assert_eq!(text.parse::<Fraction>(), Err(want), "{text}");
        }
    }

    #[test]
    fn basis_points_round_as_asked() {
        let third = Fraction::new(1, 3).unwrap();
        assert_eq!((third.basis_points_floor(), third.basis_points_ceil()), (3333, 3334));
        assert_eq!(Fraction::percent(50).basis_points_floor(), Fraction::percent(50).basis_points_ceil());
        assert_eq!(Fraction::new(u64::MAX, 1).unwrap().basis_points_ceil(), u64::MAX);
    }

    #[test]
    fn arithmetic_is_exact_or_absent() {
        let (third, half) = (Fraction::new(1, 3).unwrap(), Fraction::HALF);
        assert_eq!(third.checked_add(half), Fraction::new(5, 6).ok());
        assert_eq!(half.checked_sub(third), Fraction::new(1, 6).ok());
        assert_eq!(third.checked_sub(half), None);
        assert_eq!(third.checked_mul(half), Fraction::new(1, 6).ok());
        assert_eq!(third.checked_div(half), Fraction::new(2, 3).ok());
        assert_eq!(third.checked_div(Fraction::ZERO), None);
        let fine = Fraction::new(1, u64::MAX).unwrap();
        assert_eq!(fine.checked_mul(third), None);
        assert_eq!(Fraction::new(u64::MAX, 1).unwrap().checked_add(Fraction::ONE), None);
    }

    proptest! {
        #[test]
        fn what_was_printed_reads_back(n: u64, d in 1_u64..) {
            let fraction = Fraction::new(n, d).unwrap();
            prop_assert_eq!(fraction.to_string().parse::<Fraction>().unwrap(), fraction);
        }

        #[test]
        fn any_text_is_parsed_or_refused(text in "[-0-9.,/% ]{0,30}|.{0,10}") {
            if let Ok(fraction) = text.parse::<Fraction>() {
                prop_assert_eq!(fraction.to_string().parse::<Fraction>().unwrap(), fraction);
            }
        }

        #[test]
        fn order_agrees_with_subtraction(a in 0_u64..50, b in 1_u64..50, c in 0_u64..50, d in 1_u64..50) {
            let (left, right) = (Fraction::new(a, b).unwrap(), Fraction::new(c, d).unwrap());
            prop_assert_eq!(left >= right, left.checked_sub(right).is_some());
        }
    }
}
