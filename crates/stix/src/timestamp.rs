//! Timestamps as STIX writes them, compared exactly.
//!
//! STIX 2.1 §2.16: a timestamp is RFC 3339 with the zone `Z`, and the sub-second part has as many
//! digits as its writer knew. Two versions of one object may differ in the seventh digit alone, so
//! comparing at microseconds would call them the same version. [`StixTimestamp`] keeps every digit
//! that matters: `…00.1Z` equals `…00.100Z`, and is less than `…00.1000000000001Z`.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Digits that are kept as a number; any further ones are kept as text.
const NANO_DIGITS: usize = 9;

/// A point in time, to the last digit given.
///
/// Ordering and equality are those of the instants: the number of trailing zeros is no part of it.
/// A leap second (`23:59:60`) sorts between its minute's last ordinary second and the next minute.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StixTimestamp {
    /// Seconds since 1970-01-01T00:00:00Z, leap seconds not counted.
    seconds: i64,
    /// Whether this is the leap second that follows `seconds`.
    leap: bool,
    nanos: u32,
    /// Digits beyond the ninth. INVARIANT: without trailing zeros, so that equality is textual.
    rest: Rest,
}

/// Digits behind the ninth, ordered as a fraction. Nearly always none, and then costs nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Rest(Option<Box<str>>);

impl PartialOrd for Rest {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Rest {
    fn cmp(&self, other: &Self) -> Ordering {
        // Without trailing zeros the order of digit strings is the order of the fractions.
        self.0.as_deref().unwrap_or_default().cmp(other.0.as_deref().unwrap_or_default())
    }
}

/// A text that is not a STIX timestamp.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{text}` is not a timestamp: {reason}")]
pub struct ParseTimestampError {
    text: String,
    reason: &'static str,
}

impl ParseTimestampError {
    /// What is wrong with it.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.reason
    }
}

impl StixTimestamp {
    /// Reads `2016-01-20T12:31:12.123Z`, with any number of fractional digits or none.
    ///
    /// # Errors
    ///
    /// Fails for any other form, for a zone other than `Z`, and for a date or time that does not
    /// exist. `23:59:60` exists on any day: which days had a leap second is not in the text.
    pub fn parse(text: &str) -> Result<Self, ParseTimestampError> {
        read(text).map_err(|reason| ParseTimestampError { text: text.chars().take(64).collect(), reason })
    }

    /// Whole microseconds since 1970, rounded down; a leap second counts as the last microsecond
    /// before it ends its minute, so that the order is kept.
    #[must_use]
    pub fn micros(&self) -> i64 {
        let micros = if self.leap { 999_999 } else { i64::from(self.nanos / 1_000) };
        self.seconds * 1_000_000 + micros
    }

    /// The fraction's nanoseconds, further digits cut off.
    #[must_use]
    pub fn subsec_nanos(&self) -> u32 {
        self.nanos
    }

    /// Seconds since 1970, rounded down.
    #[must_use]
    pub fn seconds(&self) -> i64 {
        self.seconds
    }
}

fn read(text: &str) -> Result<StixTimestamp, &'static str> {
    let bytes = text.as_bytes();
    let form = "it must have the form YYYY-MM-DDTHH:MM:SS[.s+]Z";
    let fixed: &[u8; 19] = bytes.first_chunk().ok_or(form)?;
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if separators.iter().any(|(at, byte)| fixed[*at] != *byte) {
        return Err(form);
    }
    let number = |from: usize, to: usize| {
        fixed[from..to].iter().try_fold(0_u32, |sum, byte| {
            if byte.is_ascii_digit() { Ok(sum * 10 + u32::from(byte - b'0')) } else { Err(form) }
        })
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let fraction = match &bytes[19..] {
        b"Z" => &[][..],
        [b'.', digits @ .., b'Z'] if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => digits,
        [.., b'Z'] => return Err(form),
        _ => return Err("it must end in `Z`"),
    };
    if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return Err("there is no such day");
    }
    let leap = second == 60;
    if hour > 23 || minute > 59 || second > 60 || (leap && (hour, minute) != (23, 59)) {
        return Err("there is no such time of day");
    }
    let day_seconds = hour * 3_600 + minute * 60 + second.min(59);
    let seconds = days_since_1970(year, month, day) * 86_400 + i64::from(day_seconds);
    let (nanos, rest) = split_fraction(fraction);
    Ok(StixTimestamp { seconds, leap, nanos, rest })
}

fn split_fraction(digits: &[u8]) -> (u32, Rest) {
    let (head, tail) = digits.split_at(digits.len().min(NANO_DIGITS));
    let mut nanos = head.iter().fold(0, |sum, byte| sum * 10 + u32::from(byte - b'0'));
    for _ in head.len()..NANO_DIGITS {
        nanos *= 10;
    }
    let kept = tail.iter().rposition(|byte| *byte != b'0').map_or(0, |last| last + 1);
    let rest = (kept > 0).then(|| tail[..kept].iter().map(|byte| char::from(*byte)).collect::<String>());
    (nanos, Rest(rest.map(String::into_boxed_str)))
}

fn days_in(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar. Years are counted from March, so that
/// the leap day is a year's last; 146,097 days make 400 years.
fn days_since_1970(year: u32, month: u32, day: u32) -> i64 {
    let year = i64::from(year) - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = i64::from((153 * ((month + 9) % 12) + 2) / 5 + day - 1);
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

impl FromStr for StixTimestamp {
    type Err = ParseTimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// Writes the instant with at least three and otherwise as few digits as it needs.
impl fmt::Display for StixTimestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.seconds.div_euclid(86_400), self.seconds.rem_euclid(86_400));
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = (month_from_march + 2) % 12 + 1;
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        let (hour, minute) = (second / 3_600, second / 60 % 60);
        let second = second % 60 + i64::from(self.leap);
        write!(formatter, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.")?;
        let rest = self.rest.0.as_deref().unwrap_or_default();
        let digits = format!("{:09}{rest}", self.nanos);
        let kept = digits.trim_end_matches('0').len().max(3);
        write!(formatter, "{}Z", &digits[..kept])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> StixTimestamp {
        text.parse().expect("a timestamp")
    }

    #[test]
    fn the_order_is_exact_to_the_last_digit() {
        let ascending = [
            "0000-01-01T00:00:00Z",
            "1969-12-31T23:59:59.999Z",
            "1970-01-01T00:00:00Z",
            "2016-12-31T23:59:59.999999Z",
            "2016-12-31T23:59:60Z",
            "2016-12-31T23:59:60.5Z",
            "2017-01-01T00:00:00Z",
            "2017-01-01T00:00:00.000000001Z",
            "2017-01-01T00:00:00.00000000101Z",
            "2017-01-01T00:00:00.0000000011Z",
            "2017-01-01T00:00:00.1Z",
            "2017-01-01T00:00:00.1000000000001Z",
            "9999-12-31T23:59:59Z",
        ];
        for pair in ascending.windows(2) {
            assert!(at(pair[0]) < at(pair[1]), "{pair:?}");
            assert!(at(pair[0]).micros() <= at(pair[1]).micros(), "{pair:?}");
        }
        assert_eq!(at("2017-01-01T00:00:00.1Z"), at("2017-01-01T00:00:00.1000000000000Z"));
    }

    #[test]
    fn micros_are_rounded_down() {
        let cases = [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00.0000019Z", 1),
            ("1969-12-31T23:59:59.9999999Z", -1),
            ("2012-02-29T12:00:00.123456Z", 1_330_516_800_123_456),
            ("9999-12-31T23:59:59Z", 253_402_300_799_000_000),
        ];
        for (text, want) in cases {
            assert_eq!(at(text).micros(), want, "{text}");
        }
    }

    #[test]
    fn what_is_no_timestamp_is_refused() {
        for text in [
            "",
            "2017-01-01",
            "2017-01-01T00:00:00",
            "2017-01-01T00:00:00.Z",
            "2017-01-01T00:00:00z",
            "2017-01-01t00:00:00Z",
            "2017-01-01 00:00:00Z",
            "2017-01-01T00:00:00+00:00",
            "2017-13-01T00:00:00Z",
            "2017-00-01T00:00:00Z",
            "2017-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2017-01-32T00:00:00Z",
            "2017-01-01T24:00:00Z",
            "2017-01-01T00:60:00Z",
            "2017-01-01T00:00:60Z",
            "2017-01-01T23:59:61Z",
            "2017-01-01T00:00:00.12a4Z",
            "١٠١٧-01-01T00:00:00Z",
        ] {
            assert!(StixTimestamp::parse(text).is_err(), "{text}");
        }
        let error = StixTimestamp::parse("2017-02-29T00:00:00Z").expect_err("no leap year");
        assert_eq!(error.to_string(), "`2017-02-29T00:00:00Z` is not a timestamp: there is no such day");
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in ".{0,40}") {
            let _ = StixTimestamp::parse(&text);
        }

        #[test]
        fn what_is_written_is_read_back(seconds in -62_167_219_200_i64..253_402_300_800, digits in "[0-9]{0,14}") {
            let nanos = split_fraction(digits.as_bytes());
            let one = StixTimestamp { seconds, leap: false, nanos: nanos.0, rest: nanos.1 };
            prop_assert_eq!(at(&one.to_string()), one);
        }
    }
}
