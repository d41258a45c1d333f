//! `observed-data` in STIX: bundles, envelopes, arrays, single objects, one behind the other.
//!
//! An observation of STIX 2.1 refers to its objects by their ids, which stand elsewhere in the file, before or after; so the
//! file is read whole. One of STIX 2.0 holds them. Observations are told in the order of their times.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Deserializer, Value};

use crate::place::{Reason, Summary, Unit};
use crate::source::Source;
use crate::{Limits, Seen, Watcher, lines};

/// So many objects belong to one observation.
const OBJECTS_MAX: usize = 10_000;

pub(crate) fn read(
    source: &mut Source<'_>,
    limits: &Limits,
    summary: &mut Summary,
    watcher: &mut dyn Watcher,
) {
    let bytes = source.want(limits.stix_bytes_max.saturating_add(1));
    if bytes.len() > limits.stix_bytes_max {
        summary.trouble(
            Reason::TooLarge,
            Unit::Whole,
            "it is too large to be read as STIX, and was read as text",
        );
        return lines::read(source, limits, summary, watcher);
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut objects = Vec::new();
    for value in Deserializer::from_slice(text).into_iter::<Value>() {
        match value {
            Ok(value) => gather(value, &mut objects),
            Err(error) => {
                let words = format!("{error}; it was read as text");
                summary.trouble(Reason::Json, Unit::Line(error.line() as u64), &words);
                return lines::read(source, limits, summary, watcher);
            }
        }
    }
    let length = bytes.len();
    source.consume(length);
    tell(&objects, summary, watcher);
}

fn gather(value: Value, objects: &mut Vec<Value>) {
    match value {
        Value::Array(values) => values.into_iter().for_each(|value| gather(value, objects)),
        Value::Object(mut object) if object.get("type").is_none_or(|kind| kind == "bundle") => {
            if let Some(inner) = object.remove("objects") {
                gather(inner, objects);
            }
        }
        Value::Object(object) => objects.push(Value::Object(object)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn tell(all: &[Value], summary: &mut Summary, watcher: &mut dyn Watcher) {
    let text = |object: &Value, key: &str| object[key].as_str().unwrap_or_default().to_owned();
    let by_id: BTreeMap<&str, &Value> =
        all.iter().filter_map(|object| Some((object["id"].as_str()?, object))).collect();
    let mut observed: Vec<&Value> = all.iter().filter(|object| object["type"] == "observed-data").collect();
    observed.sort_by_key(|object| text(object, "first_observed"));
    for data in observed {
        let id = text(data, "id");
        let mut objects: Vec<(String, Value)> = Vec::new();
        for (id, object) in data["objects"].as_object().into_iter().flatten() {
            objects.push((id.clone(), object.clone()));
        }
        let mut wanted: Vec<&str> =
            data["object_refs"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let (mut seen, mut missing) = (BTreeSet::new(), 0);
        // What an object refers to belongs to it, even if the observation does not say so.
        while let Some(id) = wanted.pop() {
            if objects.len() >= OBJECTS_MAX || !seen.insert(id) {
                continue;
            }
            match by_id.get(id) {
                Some(object) => {
                    objects.push((id.to_owned(), (*object).clone()));
                    references(object, &mut wanted);
                }
                None => missing += 1,
            }
        }
        if missing > 0 {
            let words = format!("{missing} of its objects are not in the file");
            summary.trouble(Reason::Observation, Unit::Object(id.clone()), &words);
        }
        summary.pieces += 1;
        let place = summary.place(Unit::Object(id));
        watcher.see(&place, Seen::Observed { data, objects: &objects });
    }
}

/// The observables that an object refers to; not who made it, or how it is marked.
fn references<'v>(object: &'v Value, wanted: &mut Vec<&'v str>) {
    for (key, value) in object.as_object().into_iter().flatten() {
        if key == "object_marking_refs" || key == "created_by_ref" {
            continue;
        }
        if key.ends_with("_ref") {
            wanted.extend(value.as_str());
        } else if key.ends_with("_refs") {
            wanted.extend(value.as_array().into_iter().flatten().filter_map(Value::as_str));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Place, read};

    fn told(text: &str) -> (Vec<(String, Vec<String>)>, Vec<&'static str>) {
        let mut told = Vec::new();
        let summary =
            read("x.json", text.as_bytes(), &Limits::default(), &mut |place: &Place, seen: Seen<'_>| {
                match seen {
                    Seen::Observed { objects, .. } => {
                        told.push((place.to_string(), objects.iter().map(|(id, _)| id.clone()).collect()));
                    }
                    Seen::Lines(_) => told.push(("text".to_owned(), vec![])),
                    Seen::Mail { .. }
                    | Seen::Name { .. }
                    | Seen::Url { .. }
                    | Seen::Connection { .. }
                    | Seen::Flow { .. } => panic!("{seen:?}"),
                }
            });
        (told, summary.troubles.keys().map(|reason| reason.word()).collect())
    }

    #[test]
    fn observations_of_both_versions_come_with_their_objects() {
        let new = json!({"type": "bundle", "objects": [
            {"type": "observed-data", "id": "observed-data--2", "first_observed": "2026-01-02T00:00:00Z",
                "object_refs": ["email-message--1", "lost--1"]},
            {"type": "email-message", "id": "email-message--1", "from_ref": "email-addr--1", "object_marking_refs": ["m"]},
            {"type": "email-addr", "id": "email-addr--1", "value": "a@b.example"},
            {"type": "indicator", "id": "indicator--1"},
        ]});
        let old = json!({"type": "observed-data", "id": "observed-data--1", "first_observed": "2026-01-01T00:00:00Z",
            "objects": {"0": {"type": "domain-name", "value": "a.example"}}});
        let (found, troubles) = told(&format!("{new}\n{old}\n"));
        let want = [
            ("x.json: observed-data--1", vec!["0"]),
            ("x.json: observed-data--2", vec!["email-message--1", "email-addr--1"]),
        ];
        let want: Vec<(String, Vec<String>)> = want
            .into_iter()
            .map(|(place, ids)| (place.to_owned(), ids.into_iter().map(ToOwned::to_owned).collect()))
            .collect();
        assert_eq!((found, troubles), (want, vec!["observation"]));
    }

    #[test]
    fn what_is_no_json_after_all_is_read_as_text() {
        let (found, troubles) = told("{\"type\": \"bundle\", \"objects\": [ www.evil.example");
        assert_eq!((found, troubles), (vec![("text".to_owned(), vec![])], vec!["broken-json"]));
    }
}
