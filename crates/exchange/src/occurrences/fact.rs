//! Reading a fact of occurrence: a sighting that has what it may have, and nothing else.

use std::collections::BTreeMap;
use std::time::Duration;

use model::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// The extension that says which countermeasure it was, and what it did.
pub const OCCURRENCE_EXTENSION: &str = "extension-definition--6d1c6b0e-92b4-4f6e-8a53-0d7c9fb3a1e2";
/// The buckets of counts; each stands for "at least".
pub const COUNT_BUCKETS: [u64; 6] = [1, 2, 5, 10, 100, 1_000];
/// How old a fact may be. A guard that was cut off for longer has let go of everything long since.
pub(super) const AGE_MAX: Duration = Duration::from_hours(30 * 24);
/// How far a guard's clock may be ahead.
const AHEAD_MAX: Duration = Duration::from_mins(5);
const HOUR_MICROS: i64 = 3_600_000_000;
/// How much of a text is repeated in a refusal.
const REPEATED_CHARS_MAX: usize = 100;

/// That an indicator hit, in one hour, at one member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fact {
    pub(crate) id: Uuid,
    /// The indicator.
    pub(crate) object: String,
    /// The hour's first instant.
    pub(crate) hour: Timestamp,
    /// One of [`COUNT_BUCKETS`].
    pub(crate) count: u64,
    pub(crate) countermeasure: Countermeasure,
    pub(crate) action: Action,
}

/// Which countermeasure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Countermeasure {
    Sinkhole,
    Quarantine,
    Flow,
}

impl Countermeasure {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Sinkhole => "sinkhole",
            Self::Quarantine => "quarantine",
            Self::Flow => "flow",
        }
    }
}

/// What it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Action {
    Enforced,
    Monitored,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sighting {
    #[serde(rename = "type")]
    type_: String,
    spec_version: String,
    id: String,
    created: Timestamp,
    modified: Timestamp,
    first_seen: Timestamp,
    last_seen: Timestamp,
    count: u64,
    #[serde(rename = "sighting_of_ref")]
    of: String,
    extensions: BTreeMap<String, Extension>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Extension {
    #[serde(rename = "extension_type")]
    kind: String,
    countermeasure: Countermeasure,
    action: Action,
}

/// The UTC day of an instant, as text.
pub(crate) fn day_of(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

/// The greatest bucket that is not more than a count.
pub(crate) fn bucket(count: u64) -> u64 {
    COUNT_BUCKETS.into_iter().rev().find(|bucket| *bucket <= count).unwrap_or(COUNT_BUCKETS[0])
}

/// As much of a sighting's id as a refusal repeats.
pub(super) fn named(object: &Value) -> String {
    let id = object.get("id").and_then(Value::as_str).unwrap_or_default();
    id.chars().take(REPEATED_CHARS_MAX).collect()
}

/// Reads a fact as of `now`, or says what is wrong with it.
pub(super) fn read(object: &Value, now: Timestamp) -> Result<Fact, String> {
    let sighting = Sighting::deserialize(object).map_err(|error| error.to_string())?;
    let Sighting { type_, spec_version, id, created, modified, first_seen, last_seen, .. } = &sighting;
    if type_ != "sighting" || spec_version != "2.1" {
        return Err("it is not a `sighting` of STIX 2.1".to_owned());
    }
    let id = uuid_of(id, "sighting--").ok_or("`id` is not that of a sighting")?;
    if uuid_of(&sighting.of, "indicator--").is_none() {
        return Err("`sighting_of_ref` is not the id of an indicator".to_owned());
    }
    let hour = *first_seen;
    if hour.as_micros().rem_euclid(HOUR_MICROS) != 0 || [created, modified, last_seen] != [&hour; 3] {
        let wanted = "`created`, `modified`, `first_seen` and `last_seen` have to be one whole hour";
        return Err(wanted.to_owned());
    }
    if hour > now + AHEAD_MAX {
        return Err("its hour lies ahead".to_owned());
    }
    if now.since(hour) > AGE_MAX {
        return Err(format!("it is older than {} days", AGE_MAX.as_secs() / 86_400));
    }
    if !COUNT_BUCKETS.contains(&sighting.count) {
        return Err("`count` has to be 1, 2, 5, 10, 100 or 1000".to_owned());
    }
    let mut extensions = sighting.extensions.iter();
    let (Some((extension, said)), None) = (extensions.next(), extensions.next()) else {
        return Err("`extensions` has to be the one of facts of occurrence".to_owned());
    };
    if extension != OCCURRENCE_EXTENSION || said.kind != "property-extension" {
        return Err(format!("`extensions` has to be `{OCCURRENCE_EXTENSION}`, a property extension"));
    }
    let (countermeasure, action) = (said.countermeasure, said.action);
    Ok(Fact { id, object: sighting.of, hour, count: sighting.count, countermeasure, action })
}

/// The UUID behind a prefix, spelled as STIX has it.
pub(crate) fn uuid_of(id: &str, prefix: &str) -> Option<Uuid> {
    let text = id.strip_prefix(prefix)?;
    text.parse::<Uuid>().ok().filter(|uuid| uuid.to_string() == text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sighting() -> Value {
        let hour = "2026-01-02T03:00:00.000000Z";
        json!({
            "type": "sighting", "spec_version": "2.1", "id": "sighting--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
            "created": hour, "modified": hour, "first_seen": hour, "last_seen": hour, "count": 5,
            "sighting_of_ref": "indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
            "extensions": {OCCURRENCE_EXTENSION: {
                "extension_type": "property-extension", "countermeasure": "sinkhole", "action": "enforced",
            }},
        })
    }

    #[test]
    fn a_fact_has_what_it_may_have_and_nothing_else() {
        let now: Timestamp = "2026-01-02T04:10:00Z".parse().unwrap();
        let fact = read(&sighting(), now).unwrap();
        assert_eq!((fact.count, day_of(fact.hour).as_str()), (5, "2026-01-02"));
        let extension = format!("/extensions/{OCCURRENCE_EXTENSION}");
        let cases = [
            // where, what instead, what the refusal says
            ("", json!("text"), "invalid type"),
            ("/type", json!("note"), "not a `sighting`"),
            ("/id", json!("sighting--8E2E2D2B-17D4-4CBF-938F-98EE46B3CD3F"), "`id`"),
            (
                "/sighting_of_ref",
                json!("domain-name--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f"),
                "sighting_of_ref",
            ),
            ("/sighting_of_ref", json!("indicator--victim.example"), "sighting_of_ref"),
            ("/first_seen", json!("2026-01-02T03:00:01Z"), "whole hour"),
            ("/last_seen", json!("2026-01-02T04:00:00Z"), "whole hour"),
            ("/created", json!("2026-01-02T03:04:05Z"), "whole hour"),
            ("/count", json!(7), "`count`"),
            ("/count", json!(-1), "invalid value"),
            ("/count", json!("5"), "invalid type"),
            ("/where_sighted_refs", json!(["identity--1"]), "unknown field"),
            ("/created_by_ref", json!("identity--1"), "unknown field"),
            ("/description", json!("of user 7"), "unknown field"),
            ("/extensions", json!({}), "`extensions`"),
            (
                "/extensions/extension-definition--1",
                sighting()["extensions"][OCCURRENCE_EXTENSION].clone(),
                "`extensions`",
            ),
            (&format!("{extension}/action"), json!("dropped"), "unknown variant"),
            (&format!("{extension}/countermeasure"), json!("dns"), "unknown variant"),
            (&format!("{extension}/client"), json!("192.0.2.1"), "unknown field"),
            (&format!("{extension}/extension_type"), json!("new-sdo"), "property extension"),
        ];
        for (place, value, wanted) in cases {
            let mut object = sighting();
            if let Some(known) = object.pointer_mut(place) {
                *known = value.clone();
            } else {
                let (parent, name) = place.rsplit_once('/').unwrap();
                object.pointer_mut(parent).unwrap()[name] = value.clone();
            }
            let refusal = read(&object, now).unwrap_err();
            assert!(refusal.contains(wanted), "{place}: {refusal}");
        }
    }

    #[test]
    fn a_fact_is_neither_old_nor_ahead() {
        let read_at = |now: &str| read(&sighting(), now.parse().unwrap()).is_ok();
        assert!(read_at("2026-01-02T02:55:00Z") && !read_at("2026-01-02T02:54:59Z"));
        assert!(read_at("2026-02-01T03:00:00Z") && !read_at("2026-02-01T03:00:01Z"));
    }

    #[test]
    fn counts_become_buckets() {
        for (count, want) in [(0, 1), (1, 1), (4, 2), (9, 5), (99, 10), (999, 100), (u64::MAX, 1_000)] {
            assert_eq!(bucket(count), want, "{count}");
        }
    }
}
