//! Timestamps: RFC 3339 in UTC.
//!
//! A server stamps each object with a `date_added` and writes it with six fractional digits:
//! one microsecond is the finest step there is. Clients send any number of digits back, from
//! none to nine and more, and some cut theirs to milliseconds. Hence two readings:
//!
//! - [`parse_date`] gives whole microseconds since 1970, rounded *down*. For the exclusive
//!   `added_after` that is exact: a stored date with six digits is later than
//!   `…00.0000019Z` exactly when it is later than `…00.000001Z`.
//! - [`Timestamp`] keeps every digit, for the places where two timestamps are compared for
//!   equality (`match[version]`) or from both sides (`modified-lte`).
//!
//! ```
//! use taxii::{format_date, parse_date};
//! assert_eq!(parse_date("2026-01-10T00:00:00.0000019Z"), parse_date("2026-01-10T00:00:00.000001Z"));
//! assert_eq!(format_date(1_500_000), "1970-01-01T00:00:01.500000Z");
//! ```

use std::{fmt, str::FromStr};

use thiserror::Error;

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// The years that four digits can write, as days since 1970.
const FIRST_DAY: i64 = -719_528; // 0000-01-01
const LAST_DAY: i64 = 2_932_896; // 9999-12-31

/// Why a text is no timestamp.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{text}` is not an RFC 3339 timestamp such as `2026-01-10T00:00:00.000000Z`")]
pub struct DateError {
    text: String,
}

/// A moment with all the digits it was written with.
///
/// Ordered by time; trailing zeros make no difference, so `…00.5Z` equals `…00.500Z`.
/// Displayed in UTC with `Z` and with as many digits as it needs, at least three, as STIX 2.1 §3.2 asks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    seconds: i64,
    // INVARIANT: decimal digits without trailing zeros, so that the order of texts is the order of fractions.
    fraction: String,
}

impl Timestamp {
    /// Whole microseconds since 1970-01-01T00:00:00Z, rounded down.
    #[must_use]
    pub fn micros(&self) -> i64 {
        let micros = self
            .fraction
            .bytes()
            .chain(std::iter::repeat(b'0'))
            .take(6)
            .fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
        self.seconds * MICROS_PER_SECOND + micros
    }
}

impl FromStr for Timestamp {
    type Err = DateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        read(text.as_bytes()).ok_or_else(|| DateError { text: shorten(text) })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:0<3}Z", Seconds(self.seconds), self.fraction)
    }
}

/// Writes microseconds since 1970 as a TAXII server does: UTC, six fractional digits, `Z`.
///
/// Moments outside the years 0000 to 9999, which RFC 3339 cannot write, become the nearest that it can.
#[must_use]
pub fn format_date(micros: i64) -> String {
    let first = FIRST_DAY * SECONDS_PER_DAY * MICROS_PER_SECOND;
    let last = (LAST_DAY + 1) * SECONDS_PER_DAY * MICROS_PER_SECOND - 1;
    let micros = micros.clamp(first, last);
    let seconds = Seconds(micros.div_euclid(MICROS_PER_SECOND));
    format!("{seconds}.{:06}Z", micros.rem_euclid(MICROS_PER_SECOND))
}

/// Reads a timestamp as whole microseconds since 1970, rounded down.
///
/// # Errors
///
/// Fails for anything but RFC 3339. An offset other than `Z` is converted, though the standard
/// asks for UTC: the moment is clear. A leap second (`:60`) is refused.
pub fn parse_date(text: &str) -> Result<i64, DateError> {
    text.parse::<Timestamp>().map(|timestamp| timestamp.micros())
}

/// Seconds since 1970, displayed as `2026-01-10T00:00:00`.
struct Seconds(i64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(self.0.div_euclid(SECONDS_PER_DAY));
        let second = self.0.rem_euclid(SECONDS_PER_DAY);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
    }
}

fn read(text: &[u8]) -> Option<Timestamp> {
    let (date, rest) = text.split_at_checked(19)?;
    let separators = [(4, "-"), (7, "-"), (10, "Tt"), (13, ":"), (16, ":")];
    if !separators.iter().all(|(at, allowed)| allowed.as_bytes().contains(&date[*at])) {
        return None;
    }
    let (year, month, day) = (number(&date[0..4])?, number(&date[5..7])?, number(&date[8..10])?);
    let (hour, minute, second) = (number(&date[11..13])?, number(&date[14..16])?, number(&date[17..19])?);
    let real = (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !real {
        return None;
    }
    let (fraction, zone) = match rest.strip_prefix(b".") {
        Some(rest) => {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 {
                return None;
            }
            rest.split_at(digits)
        }
        None => (&[][..], rest),
    };
    let days = days_from_civil(year, month, day);
    let seconds = days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second - offset_seconds(zone)?;
    let fraction = std::str::from_utf8(fraction).ok()?.trim_end_matches('0').to_owned();
    Some(Timestamp { seconds, fraction })
}

fn offset_seconds(zone: &[u8]) -> Option<i64> {
    match zone {
        b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
            let seconds = (hours < 24 && minutes < 60).then_some(hours * 3600 + minutes * 60)?;
            Some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970 of a date in the proleptic Gregorian calendar.
///
/// The year is taken to begin in March, so that the leap day is its last; 400 years have 146,097 days.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = (shifted_month + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// Input as it is repeated in an error message: no longer than a line.
pub(crate) fn shorten(text: &str) -> String {
    const CHARS_MAX: usize = 80;
    let mut short: String = text.chars().take(CHARS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_and_written() {
        let cases = [
            // text                                 micros                  written back
            ("1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00.000000Z"),
            ("1969-12-31T23:59:59.999999Z", -1, "1969-12-31T23:59:59.999999Z"),
            ("2026-01-10T12:34:56.5Z", 1_768_048_496_500_000, "2026-01-10T12:34:56.500000Z"),
            ("2026-01-10t12:34:56.123z", 1_768_048_496_123_000, "2026-01-10T12:34:56.123000Z"),
            ("2026-01-10T12:34:56.123456789Z", 1_768_048_496_123_456, "2026-01-10T12:34:56.123456Z"),
            ("2026-01-10T13:34:56+01:00", 1_768_048_496_000_000, "2026-01-10T12:34:56.000000Z"),
            ("2026-01-10T00:04:56-12:30", 1_768_048_496_000_000, "2026-01-10T12:34:56.000000Z"),
            ("2024-02-29T00:00:00Z", 1_709_164_800_000_000, "2024-02-29T00:00:00.000000Z"),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000_000, "0000-01-01T00:00:00.000000Z"),
            ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
        ];
        for (text, micros, written) in cases {
            assert_eq!(parse_date(text), Ok(micros), "{text}");
            assert_eq!(format_date(micros), written, "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        let cases = [
            "",
            "2026",
            "2026-01-10",
            "2026-01-10T12:34:56",
            "2026-01-10 12:34:56Z",
            "2026-01-10T12:34:56.Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-10T24:00:00Z",
            "2026-01-10T23:60:00Z",
            "2026-01-10T23:59:60Z",
            "2026-01-10T12:34:56ZZ",
            "2026-01-10T12:34:56+0100",
            "2026-01-10T12:34:56+24:00",
            "+026-01-10T12:34:56Z",
            "1768048496",
            "2026-01-10T12:34:5éZ",
            "undefined",
        ];
        for text in cases {
            assert!(parse_date(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_day_of_the_calendar_comes_back() {
        let mut expected = (0, 1, 1);
        for days in FIRST_DAY..=LAST_DAY {
            assert_eq!(civil_from_days(days), expected);
            assert_eq!(days_from_civil(expected.0, expected.1, expected.2), days);
            let (year, month, day) = expected;
            expected = if day < days_in_month(year, month) {
                (year, month, day + 1)
            } else if month < 12 {
                (year, month + 1, 1)
            } else {
                (year + 1, 1, 1)
            };
        }
        assert_eq!(expected, (10_000, 1, 1));
    }

    #[test]
    fn moments_beyond_four_digit_years_are_clamped() {
        assert_eq!(format_date(i64::MAX), "9999-12-31T23:59:59.999999Z");
        assert_eq!(format_date(i64::MIN), "0000-01-01T00:00:00.000000Z");
    }

    #[test]
    fn timestamps_keep_their_order_beyond_microseconds() {
        let ordered = ["0.1Z", "0.12Z", "0.123456Z", "0.1234561Z", "0.12345612Z", "0.2Z", "1Z"];
        let read: Vec<Timestamp> =
            ordered.iter().map(|tail| format!("2026-01-10T00:00:0{tail}").parse().unwrap()).collect();
        assert!(read.is_sorted_by(|a, b| a < b), "{read:?}");
        let zeros: Timestamp = "2026-01-10T00:00:00.100000Z".parse().unwrap();
        assert_eq!(zeros, read[0]);
        assert_eq!(zeros.to_string(), "2026-01-10T00:00:00.100Z");
    }

    #[test]
    fn rounding_down_keeps_added_after_exclusive() {
        // An object added at .000002; added_after is strictly later than.
        let added = parse_date("2026-01-10T00:00:00.000002Z").unwrap();
        for (after, is_later) in
            [("000001999", true), ("0000019", true), ("000002", false), ("0000021", false)]
        {
            let after = parse_date(&format!("2026-01-10T00:00:00.{after}Z")).unwrap();
            assert_eq!(added > after, is_later);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_date_or_refused(text in "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{0,20}[Zz+-]?.{0,6}|.*") {
            if let Ok(micros) = parse_date(&text) {
                // An offset moves by less than a day.
                let day = micros.div_euclid(SECONDS_PER_DAY * MICROS_PER_SECOND);
                proptest::prop_assert!((FIRST_DAY - 1..=LAST_DAY + 1).contains(&day));
            }
        }

        #[test]
        fn any_moment_is_read_as_it_was_written(micros in -62_167_219_200_000_000..253_402_300_800_000_000_i64) {
            proptest::prop_assert_eq!(parse_date(&format_date(micros)), Ok(micros));
        }
    }
}
