//! An instant, counted in whole microseconds.
//!
//! TAXII 2.1 asks for six fractional digits in every date that a server hands out, so the exchange counts in the
//! unit that its outside sees: one tick is one microsecond, and two instants that differ are written differently.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const NANOS_PER_MICRO: i128 = 1_000;

/// An instant in UTC, in microseconds since 1970-01-01T00:00:00Z, between the years 0 and 9999.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A text that is not an instant.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{text}` is not a date and time such as 2012-03-28T00:00:00Z or a date such as 2012-03-28")]
pub struct ParseTimestampError {
    text: String,
}

impl Timestamp {
    /// The start of the count, 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);
    /// Earlier than every instant that can be written.
    pub const MIN: Self = Self(-62_167_219_200_000_000);
    /// The last instant that can be written, 9999-12-31T23:59:59.999999Z.
    pub const MAX: Self = Self(253_402_300_799_999_999);

    /// The instant `micros` microseconds after 1970-01-01T00:00:00Z, moved into the range that can be written.
    #[must_use]
    pub fn from_micros(micros: i64) -> Self {
        Self(micros.clamp(Self::MIN.0, Self::MAX.0))
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn as_micros(self) -> i64 {
        self.0
    }

    /// The instant `micros` microseconds later (earlier, if negative).
    #[must_use]
    pub fn plus_micros(self, micros: i64) -> Self {
        Self::from_micros(self.0.saturating_add(micros))
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        self.plus_micros(i64::try_from(rhs.as_micros()).unwrap_or(i64::MAX))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, rhs: Duration) -> Self {
        self.plus_micros(i64::try_from(rhs.as_micros()).map_or(i64::MIN, |micros| -micros))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * NANOS_PER_MICRO)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH);
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
            at.microsecond()
        )
    }
}

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    /// Reads RFC 3339, or a date alone, which means its first instant. Digits beyond the microsecond are dropped.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
        let at = OffsetDateTime::parse(&whole, &Rfc3339)
            .map_err(|_| ParseTimestampError { text: text.to_owned() })?;
        let micros = at.unix_timestamp_nanos().div_euclid(NANOS_PER_MICRO);
        i64::try_from(micros)
            .map(Self::from_micros)
            .map_err(|_| ParseTimestampError { text: text.to_owned() })
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_read_and_written_with_six_digits() {
        let cases = [
            ("2012-03-28T00:00:00Z", "2012-03-28T00:00:00.000000Z"),
            ("2012-03-28", "2012-03-28T00:00:00.000000Z"),
            ("2016-01-01T12:00:00.1234567Z", "2016-01-01T12:00:00.123456Z"),
            ("2016-01-01T12:00:00+02:00", "2016-01-01T10:00:00.000000Z"),
            ("1969-12-31T23:59:59.9999999Z", "1969-12-31T23:59:59.999999Z"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000000Z"),
        ];
        for (text, want) in cases {
            assert_eq!(text.parse::<Timestamp>().map(|t| t.to_string()), Ok(want.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_instant_is_refused() {
        for text in ["", "yesterday", "2012-13-01", "2012-03-28 00:00", "2012-03-28T25:00:00Z"] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn arithmetic_stays_in_the_range_that_can_be_written() {
        assert_eq!(Timestamp::MAX + Duration::from_secs(1), Timestamp::MAX);
        assert_eq!(Timestamp::MIN - Duration::from_secs(1), Timestamp::MIN);
        assert_eq!(Timestamp::EPOCH.since(Timestamp::MAX), Duration::ZERO);
        assert_eq!(Timestamp::MIN.to_string(), "0000-01-01T00:00:00.000000Z");
    }
}
