//! Ties, decisions and what follows from them: one file for each thing that is asked about.

pub(crate) mod alerts;
pub(crate) mod decisions;
pub(crate) mod dossier;
pub(crate) mod entities;
pub(crate) mod matches;
pub(crate) mod proposals;
pub(crate) mod ties;

use ::ties::{AsOf, Day};
use model::Timestamp;

use crate::refusal::Refusal;

/// The two clocks, from a day and an instant or a day; what is left out is now.
pub(crate) fn as_of(day: Option<&str>, known: Option<&str>, now: Timestamp) -> Result<Option<AsOf>, Refusal> {
    if day.is_none() && known.is_none() {
        return Ok(None);
    }
    let wrong = |what: &str, error: String| Refusal::bad_request(format!("`{what}`: {error}"));
    let day = match day {
        Some(text) => text.parse::<Day>().map_err(|error| wrong("as_of", error.to_string()))?,
        None => Day::of(now),
    };
    let known = match known {
        // A day means all of it.
        Some(text) if text.len() == 10 => {
            text.parse::<Day>().map_err(|error| wrong("known", error.to_string()))?.end()
        }
        Some(text) => text.parse::<Timestamp>().map_err(|error| wrong("known", error.to_string()))?,
        None => now,
    };
    Ok(Some(AsOf { day, known }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_that_something_was_known_on_is_the_whole_day() {
        let now: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
        assert!(as_of(None, None, now).unwrap().is_none());
        let both = as_of(Some("2012-03-15"), Some("2012-03-15"), now).unwrap().unwrap();
        assert_eq!(both.day.to_string(), "2012-03-15");
        assert_eq!(both.known.to_string(), "2012-03-15T23:59:59.999999Z");
        assert_eq!(as_of(Some("2012-03-15"), None, now).unwrap().unwrap().known, now);
        assert!(as_of(Some("2012-03"), None, now).is_err());
        assert!(as_of(None, Some("yesterday"), now).is_err());
    }
}
