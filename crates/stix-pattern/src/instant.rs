//! Instants to the nanosecond, and timestamps as they were written.
//!
//! STIX 2.1 §2.16 allows any number of fractional digits. Nine of them are kept as a number: enough to order what sensors
//! write, and small enough to compare at once. A timestamp's own text is kept beside it.

use std::fmt;

const NANOS: i128 = 1_000_000_000;

/// A point in time: nanoseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(i128);

impl Instant {
    pub(crate) const MIN: Self = Self(i128::MIN);
    pub(crate) const MAX: Self = Self(i128::MAX);

    /// The instant so many seconds after 1970, and nanoseconds after that.
    #[must_use]
    pub fn from_unix(seconds: i64, nanos: u32) -> Self {
        Self(i128::from(seconds) * NANOS + i128::from(nanos))
    }

    /// Nanoseconds since 1970.
    #[must_use]
    pub fn nanos(self) -> i128 {
        self.0
    }

    /// Reads `2016-01-20T12:31:12.123Z`; digits beyond the ninth are cut off. `None` for every other form, and for days
    /// and times that do not exist.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let fixed: &[u8; 19] = bytes.first_chunk()?;
        let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
        if separators.iter().any(|(at, byte)| fixed[*at] != *byte) {
            return None;
        }
        let number = |from: usize, to: usize| {
            fixed[from..to]
                .iter()
                .try_fold(0_i64, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
        };
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        let fraction = match &bytes[19..] {
            b"Z" => &[][..],
            [b'.', digits @ .., b'Z'] if !digits.is_empty() => digits,
            _ => return None,
        };
        if !fraction.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let leap_second = second == 60 && (hour, minute) == (23, 59);
        if !(1..=12).contains(&month)
            || !(1..=days_in(year, month)).contains(&day)
            || hour > 23
            || minute > 59
            || (second > 59 && !leap_second)
        {
            return None;
        }
        let digits = fraction.iter().copied().chain(std::iter::repeat(b'0')).take(9);
        let nanos = digits.fold(0_u32, |sum, byte| sum * 10 + u32::from(byte - b'0'));
        let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
        Some(Self::from_unix(seconds, nanos))
    }

    /// The instant so many nanoseconds later.
    pub(crate) fn later(self, nanos: i128) -> Self {
        Self(self.0.saturating_add(nanos))
    }
}

fn days_in(year: i64, month: i64) -> i64 {
    let leap_year = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap_year => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the Gregorian calendar, counted in years that begin in March, so that the leap day is the last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

/// A timestamp as it was written, and the instant that it names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Timestamp {
    text: Box<str>,
    instant: Instant,
}

impl Timestamp {
    /// Reads a timestamp in the form of STIX; `None` if it has another form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(Self { instant: Instant::parse(text)?, text: text.into() })
    }

    /// The instant.
    #[must_use]
    pub fn instant(&self) -> Instant {
        self.instant
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_to_the_nanosecond() {
        let cases: &[(&str, Option<(i64, u32)>)] = &[
            ("1970-01-01T00:00:00Z", Some((0, 0))),
            ("1969-12-31T23:59:59.5Z", Some((-1, 500_000_000))),
            ("2016-02-29T00:00:00.000000001Z", Some((1_456_704_000, 1))),
            ("2016-12-31T23:59:60Z", Some((1_483_228_800, 0))),
            ("2016-12-31T22:59:60Z", None),
            ("2015-02-29T00:00:00Z", None),
            ("2000-02-29T00:00:00.1234567899Z", Some((951_782_400, 123_456_789))),
            ("1900-02-29T00:00:00Z", None),
            ("2016-01-01t00:00:00Z", None),
            ("2016-01-01T00:00:00", None),
            ("2016-01-01T00:00:00.Z", None),
            ("2016-01-01T00:00:00.1x2Z", None),
            ("2016-01-01T24:00:00Z", None),
            ("2016-13-01T00:00:00Z", None),
            ("", None),
        ];
        for (text, want) in cases {
            let want = want.map(|(seconds, nanos)| Instant::from_unix(seconds, nanos));
            assert_eq!(Instant::parse(text), want, "{text}");
        }
    }
}
