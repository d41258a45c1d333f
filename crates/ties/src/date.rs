//! Days, dates of which only the month or the year is known, and periods between them.
//!
//! Sources say "since January 2020" as often as they say a day. A [`PartialDate`] keeps what was said; asking whether
//! something that began then holds on a day has three answers ([`Truth`]). A tie with `from` 2020-01 holds possibly
//! from 2020-01-01 on, and certainly from 2020-02-01 on. A [`Period`] is half open: on the day of its `to` it is over.

use std::fmt;
use std::str::FromStr;

use model::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// A calendar day in UTC, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i32);

impl Day {
    /// Before every day that can be written.
    pub const MIN: Self = Self(-719_529);
    /// After every day that can be written.
    pub const MAX: Self = Self(2_932_897);

    /// The day `days` days after 1970-01-01, moved into the range that can be written.
    #[must_use]
    pub fn from_days(days: i32) -> Self {
        Self(days.clamp(Self::MIN.0, Self::MAX.0))
    }

    /// Days since 1970-01-01.
    #[must_use]
    pub fn as_days(self) -> i32 {
        self.0
    }

    /// The day on which the instant lies.
    #[must_use]
    pub fn of(at: Timestamp) -> Self {
        Self::from_days(i32::try_from(at.as_micros().div_euclid(MICROS_PER_DAY)).unwrap_or(i32::MAX))
    }

    /// The day's first instant.
    #[must_use]
    pub fn start(self) -> Timestamp {
        Timestamp::from_micros(i64::from(self.0) * MICROS_PER_DAY)
    }

    /// The day's last instant: what "known on that day" means.
    #[must_use]
    pub fn end(self) -> Timestamp {
        Timestamp::from_micros((i64::from(self.0) + 1) * MICROS_PER_DAY - 1)
    }

    /// The day `days` days later (earlier, if negative).
    #[must_use]
    pub fn plus(self, days: i32) -> Self {
        Self::from_days(self.0.saturating_add(days))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(self.0);
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl FromStr for Day {
    type Err = ParseDateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<PartialDate>()? {
            date @ PartialDate::Day { .. } => Ok(date.earliest()),
            PartialDate::Month { .. } | PartialDate::Year { .. } => {
                Err(ParseDateError { text: text.to_owned() })
            }
        }
    }
}

/// A date as precisely as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PartialDate {
    /// A year.
    Year {
        /// 0 to 9999.
        year: i32,
    },
    /// A month.
    Month {
        /// 0 to 9999.
        year: i32,
        /// 1 to 12.
        month: u8,
    },
    /// A day.
    Day {
        /// The day itself.
        day: Day,
    },
}

/// A text that is no date.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{text}` is not a date such as 2012-03-28, 2012-03 or 2012")]
pub struct ParseDateError {
    text: String,
}

impl PartialDate {
    /// The first day that it may mean.
    #[must_use]
    pub fn earliest(self) -> Day {
        match self {
            Self::Year { year } => Day(days(year, 1, 1)),
            Self::Month { year, month } => Day(days(year, month, 1)),
            Self::Day { day } => day,
        }
    }

    /// The first day by which it is past: the day itself, or the first day after the month or year.
    #[must_use]
    pub fn settled(self) -> Day {
        match self {
            Self::Year { year } | Self::Month { year, month: 12 } => Day(days(year + 1, 1, 1)),
            Self::Month { year, month } => Day(days(year, month + 1, 1)),
            Self::Day { day } => day,
        }
    }

    /// The last day that it may mean.
    #[must_use]
    pub fn latest(self) -> Day {
        match self {
            Self::Year { .. } | Self::Month { .. } => self.settled().plus(-1),
            Self::Day { day } => day,
        }
    }

    /// Whether, on `day`, the date has come.
    #[must_use]
    pub fn has_come(self, day: Day) -> Truth {
        if day >= self.settled() {
            Truth::Certain
        } else if day >= self.earliest() {
            Truth::Possible
        } else {
            Truth::No
        }
    }
}

impl From<Day> for PartialDate {
    fn from(day: Day) -> Self {
        Self::Day { day }
    }
}

impl fmt::Display for PartialDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Year { year } => write!(f, "{year:04}"),
            Self::Month { year, month } => write!(f, "{year:04}-{month:02}"),
            Self::Day { day } => day.fmt(f),
        }
    }
}

impl FromStr for PartialDate {
    type Err = ParseDateError;

    /// Reads `2012`, `2012-03` and `2012-03-28`; of a date with a time it takes the date.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || ParseDateError { text: text.chars().take(64).collect() };
        let date = text.split_once('T').map_or(text, |(date, _)| date).trim();
        let mut parts = date.split('-');
        let number = |part: Option<&str>, digits: usize| match part {
            Some(part) if part.len() == digits && part.bytes().all(|b| b.is_ascii_digit()) => {
                part.parse::<u16>().map(Some).map_err(|_| refused())
            }
            Some(_) => Err(refused()),
            None => Ok(None),
        };
        let (year, month, day) =
            (number(parts.next(), 4)?, number(parts.next(), 2)?, number(parts.next(), 2)?);
        if parts.next().is_some() {
            return Err(refused());
        }
        let year = i32::from(year.ok_or_else(refused)?);
        let Some(month) = month else { return Ok(Self::Year { year }) };
        let month = u8::try_from(month).ok().filter(|month| (1..=12).contains(month)).ok_or_else(refused)?;
        let Some(day) = day else { return Ok(Self::Month { year, month }) };
        let first = Self::Month { year, month };
        let last = first.settled().plus(-1);
        let found = first.earliest().plus(i32::from(day) - 1);
        if day == 0 || found > last { Err(refused()) } else { Ok(Self::Day { day: found }) }
    }
}

impl Serialize for PartialDate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PartialDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What is known of a statement's truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Truth {
    /// It is not so.
    No,
    /// It may be so.
    Possible,
    /// It is so.
    Certain,
}

impl std::ops::Not for Truth {
    type Output = Self;

    /// The truth of the contrary.
    fn not(self) -> Self {
        match self {
            Self::No => Self::Certain,
            Self::Possible => Self::Possible,
            Self::Certain => Self::No,
        }
    }
}

/// When something holds: from a date on, until another. What is left out is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// Its first day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<PartialDate>,
    /// The day on which it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<PartialDate>,
}

impl Period {
    /// Since ever, and for ever.
    pub const ALWAYS: Self = Self { from: None, to: None };

    /// From `from` on.
    #[must_use]
    pub fn since(from: PartialDate) -> Self {
        Self { from: Some(from), to: None }
    }

    /// Whether it holds on `day`.
    #[must_use]
    pub fn holds(self, day: Day) -> Truth {
        let begun = self.from.map_or(Truth::Certain, |from| from.has_come(day));
        let over = self.to.map_or(Truth::No, |to| to.has_come(day));
        begun.min(!over)
    }

    /// Whether it ends before it can have begun.
    #[must_use]
    pub fn is_backwards(self) -> bool {
        match (self.from, self.to) {
            (Some(from), Some(to)) => to.latest() < from.earliest(),
            (None | Some(_), None) | (None, Some(_)) => false,
        }
    }
}

/// Days from 1970-01-01 to a day of the proleptic Gregorian calendar, by counting years from 1 March of the year 0.
fn days(year: i32, month: u8, day: u8) -> i32 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let month_from_march = (i32::from(month) + 9) % 12;
    let of_year = (153 * month_from_march + 2) / 5 + i32::from(day) - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The inverse of [`days`].
fn civil(days: i32) -> (i32, i32, i32) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i32::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> PartialDate {
        text.parse().unwrap()
    }

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    #[test]
    fn dates_come_back_as_they_were_written() {
        for text in ["2012", "2012-03", "2012-03-28", "2000-02-29", "1969-12-31", "0001-01-01", "9999-12-31"]
        {
            assert_eq!(date(text).to_string(), text);
        }
        assert_eq!(date("2012-03-28T10:00:00Z"), date("2012-03-28"));
        assert_eq!(day("1970-01-01").as_days(), 0);
        assert_eq!(day("2012-03-28").start(), "2012-03-28T00:00:00Z".parse().unwrap());
        assert_eq!(Day::of(day("2012-03-28").end()), day("2012-03-28"));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in ["", "12", "2012-13", "2012-00", "2011-02-29", "2012-3-28", "2012-03-28-01", "28.03.2012"]
        {
            assert!(text.parse::<PartialDate>().is_err(), "{text}");
        }
        assert!("2012-03".parse::<Day>().is_err());
    }

    #[test]
    fn an_imprecise_date_leaves_a_time_of_doubt() {
        let cases = [
            // period                                   on            holds?
            (Some("2020-01"), None, "2019-12-31", Truth::No),
            (Some("2020-01"), None, "2020-01-01", Truth::Possible),
            (Some("2020-01"), None, "2020-01-31", Truth::Possible),
            (Some("2020-01"), None, "2020-02-01", Truth::Certain),
            (Some("2020-01-15"), None, "2020-01-15", Truth::Certain),
            (None, Some("2012-03-30"), "2012-03-29", Truth::Certain),
            (None, Some("2012-03-30"), "2012-03-30", Truth::No),
            (None, Some("2012"), "2012-06-01", Truth::Possible),
            (None, Some("2012-12"), "2013-01-01", Truth::No),
            (None, None, "1900-01-01", Truth::Certain),
        ];
        for (from, to, on, want) in cases {
            let period = Period { from: from.map(date), to: to.map(date) };
            assert_eq!(period.holds(day(on)), want, "{from:?} to {to:?} on {on}");
        }
        let backwards = Period { from: Some(date("2012-02")), to: Some(date("2012-01-31")) };
        assert!(backwards.is_backwards());
        assert!(Period { from: Some(date("2012")), to: Some(date("2011")) }.is_backwards());
        assert!(!Period { from: Some(date("2012-02")), to: Some(date("2012-02-01")) }.is_backwards());
    }
}
