//! What the reading is told: whose indicators these are, when it is, and how much input is too much.

use std::time::Duration;

use thiserror::Error;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use crate::marking::{self, Marking, Tag};

/// The limits of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes that one file may hold once it is decompressed, all members of an archive together.
    ///
    /// 4 GiB: forty times the largest public list. A file of a few kilobytes can claim more.
    pub decompressed_max_bytes: u64,
    /// Largest content that is read at once: a plain file, or one member of an archive.
    ///
    /// 512 MiB: it is held in memory; the largest public bundle has 46 MB, the largest list 86 MB.
    pub member_max_bytes: u64,
    /// Most members of one archive.
    pub member_count_max: u64,
    /// Most memory that one decompressor may ask for. 256 MiB: `xz -9` needs 65 MiB.
    pub decompressor_max_bytes: u64,
    /// Deepest directory below the one that was named.
    pub directory_depth_max: usize,
    /// Largest single object.
    pub object_max_bytes: usize,
    /// Most generated indicators that a run remembers, to make none of them twice.
    ///
    /// 10,000,000: five times the largest public list, in some 300 MB at worst. Beyond it repeated
    /// values come out again, and whoever stores them has to notice.
    pub remembered_max: usize,
    /// Longest line of a list. 64 KiB: no value that is recognised comes near it.
    pub line_max_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            decompressed_max_bytes: 4 << 30,
            member_max_bytes: 512 << 20,
            member_count_max: 1_000_000,
            decompressor_max_bytes: 256 << 20,
            directory_depth_max: 64,
            object_max_bytes: stix::Limits::default().object_size_max_bytes,
            remembered_max: 10_000_000,
            line_max_bytes: 64 << 10,
        }
    }
}

/// A choice that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OptionsError {
    /// The creator is not an identity.
    #[error("creator `{text}` is not the identifier of an identity")]
    BadCreator {
        /// What was given.
        text: String,
    },
    /// A time that is not RFC 3339, or outside the years 0 to 9999.
    #[error("`{text}` is not a time such as 2026-01-10T00:00:00Z")]
    BadTime {
        /// What was given.
        text: String,
    },
    /// A marking that is neither the name of one nor an identifier.
    #[error("marking `{text}` is neither tlp:..., pap:... nor the identifier of a marking-definition")]
    BadMarking {
        /// What was given.
        text: String,
    },
}

/// How records become indicators.
///
/// Nothing here touches objects that are STIX already: they are their creator's.
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) creator: String,
    pub(crate) now: Moment,
    pub(crate) created: Moment,
    pub(crate) markings: Vec<Marking>,
    pub(crate) other_markings: Vec<String>,
    /// Labels that every generated indicator carries.
    pub labels: Vec<String>,
    /// How long a generated indicator is valid, from its `valid_from`; for ever if absent.
    pub valid_for: Option<Duration>,
    /// Whether MISP attributes that are not meant for detection (`to_ids` false) are taken too.
    pub all_attributes: bool,
    /// Whether STIX 2.0 objects are converted; else they are refused.
    pub convert_2_0: bool,
    /// How much is too much.
    pub limits: Limits,
}

impl Options {
    /// The usual choices: no markings, no labels, valid for ever, attributes meant for detection only.
    ///
    /// `creator` is the identity that generated indicators name as theirs, `now` the RFC 3339 time
    /// that they carry unless their source has one.
    ///
    /// # Errors
    ///
    /// Fails if `creator` is not the identifier of an identity or `now` is not a time.
    pub fn new(creator: &str, now: &str) -> Result<Self, OptionsError> {
        if !stix::parse_id(creator).is_ok_and(|id| id.type_name == "identity") {
            return Err(OptionsError::BadCreator { text: creator.to_owned() });
        }
        let now = Moment::parse_option(now)?;
        Ok(Self {
            creator: creator.to_owned(),
            now,
            created: now,
            markings: Vec::new(),
            other_markings: Vec::new(),
            labels: Vec::new(),
            valid_for: None,
            all_attributes: false,
            convert_2_0: false,
            limits: Limits::default(),
        })
    }

    /// Adds a marking to every generated indicator: `tlp:amber`, `pap:green`, or an identifier.
    ///
    /// # Errors
    ///
    /// Fails for anything else.
    pub fn with_marking(mut self, text: &str) -> Result<Self, OptionsError> {
        match marking::of_tag(text) {
            Tag::Marking(level) => marking::add(&mut self.markings, level),
            Tag::Unknown | Tag::Label => {
                if !stix::parse_id(text).is_ok_and(|id| id.type_name == "marking-definition") {
                    return Err(OptionsError::BadMarking { text: text.to_owned() });
                }
                if !self.other_markings.iter().any(|held| held == text) {
                    self.other_markings.push(text.to_owned());
                }
            }
        }
        Ok(self)
    }

    /// When an indicator that is valid from then stops being valid, if it ever does.
    ///
    /// STIX 2.1 §4.7: `valid_until` is later than `valid_from`; a shorter time than is written does
    /// not count.
    pub(crate) fn until(&self, from: Moment) -> Option<Moment> {
        from.after(self.valid_for.filter(|valid_for| *valid_for >= Duration::from_millis(1))?)
    }

    /// Sets when the indicators of a plain list were created, if that was not `now`.
    ///
    /// A list has no dates of its own. `created` must stay the same in every later version of an
    /// object (STIX 2.1 §3.2), so whoever publishes a list again and again gives the time of the
    /// first publication here.
    ///
    /// # Errors
    ///
    /// Fails if it is not an RFC 3339 time, or lies after `now`.
    pub fn first_created(mut self, text: &str) -> Result<Self, OptionsError> {
        let created = Moment::parse_option(text)?;
        if created > self.now {
            return Err(OptionsError::BadTime { text: text.to_owned() });
        }
        self.created = created;
        Ok(self)
    }
}

/// A point in time with the precision that is written: milliseconds, or microseconds if it has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(OffsetDateTime);

impl Moment {
    /// Reads RFC 3339 with any offset.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let time = OffsetDateTime::parse(text, &Rfc3339).ok()?.checked_to_offset(UtcOffset::UTC)?;
        (0..=9999).contains(&time.year()).then_some(Self(time))
    }

    fn parse_option(text: &str) -> Result<Self, OptionsError> {
        Self::parse(text).ok_or_else(|| OptionsError::BadTime { text: text.to_owned() })
    }

    /// Reads a day, `2026-01-10`, as its first instant.
    pub(crate) fn parse_day(text: &str) -> Option<Self> {
        Self::parse(&format!("{text}T00:00:00Z"))
    }

    /// Reads seconds since 1970.
    pub(crate) fn from_epoch(text: &str) -> Option<Self> {
        let time = OffsetDateTime::from_unix_timestamp(text.parse().ok()?).ok()?;
        (0..=9999).contains(&time.year()).then_some(Self(time))
    }

    /// The instant so much later, unless it lies outside the calendar.
    pub(crate) fn after(self, duration: Duration) -> Option<Self> {
        let time = self.0.checked_add(time::Duration::try_from(duration).ok()?)?;
        (time.year() <= 9999).then_some(Self(time))
    }

    /// As STIX writes it (§2.16): UTC, at least millisecond precision.
    pub(crate) fn text(self) -> String {
        let (date, clock) = (self.0.date(), self.0.time());
        let micros = clock.microsecond();
        let fraction =
            if micros % 1_000 == 0 { format!("{:03}", micros / 1_000) } else { format!("{micros:06}") };
        let (hour, minute, second) = (clock.hour(), clock.minute(), clock.second());
        format!(
            "{:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{fraction}Z",
            date.year(),
            u8::from(date.month()),
            date.day()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREATOR: &str = "identity--f690c992-8e7d-4b9a-9303-3312616c0220";

    #[test]
    fn moments_are_written_in_utc() {
        let cases = [
            ("2026-01-10T00:00:00Z", Some("2026-01-10T00:00:00.000Z")),
            ("2021-06-10T02:00:00+02:00", Some("2021-06-10T00:00:00.000Z")),
            ("2021-06-10T02:00:00.000001Z", Some("2021-06-10T02:00:00.000001Z")),
            ("2021-06-10T02:00:00.120000Z", Some("2021-06-10T02:00:00.120Z")),
            ("9999-12-31T23:59:59-01:00", None),
            ("0000-01-01T00:00:00+01:00", None),
            ("2021-06-10", None),
            ("", None),
        ];
        for (text, want) in cases {
            assert_eq!(Moment::parse(text).map(Moment::text).as_deref(), want, "{text}");
        }
        assert_eq!(Moment::from_epoch("1715103640").map(Moment::text).unwrap(), "2024-05-07T17:40:40.000Z");
        assert_eq!(Moment::from_epoch("99999999999999"), None);
        assert_eq!(Moment::from_epoch("-99999999999"), None);
    }

    #[test]
    fn what_lies_after_the_calendar_is_not_written() {
        let start = Moment::parse("9999-12-31T00:00:00Z").unwrap();
        assert!(start.after(Duration::from_hours(23)).is_some());
        assert_eq!(start.after(Duration::from_hours(24)), None);
        assert_eq!(start.after(Duration::MAX), None);
    }

    #[test]
    fn choices_are_checked_at_the_door() {
        let now = "2026-01-10T00:00:00Z";
        assert!(Options::new("Example Org", now).is_err());
        assert!(Options::new("indicator--f690c992-8e7d-4b9a-9303-3312616c0220", now).is_err());
        assert!(Options::new(CREATOR, "yesterday").is_err());
        let options = Options::new(CREATOR, now).unwrap();
        let marked = options.clone().with_marking("TLP:AMBER").unwrap().with_marking("tlp:amber").unwrap();
        let id = "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421";
        assert_eq!(marked.markings.iter().map(|marking| marking.id()).collect::<Vec<_>>(), [id]);
        let custom = "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da";
        assert_eq!(marked.with_marking(custom).unwrap().other_markings, [custom]);
        assert!(options.clone().with_marking("secret").is_err());
        assert!(options.clone().first_created("2026-01-10T00:00:00Z").is_ok());
        assert!(options.first_created("2026-01-10T00:00:01Z").is_err());
    }
}
