//! Observations, prepared once for any number of patterns.
//!
//! An observation is what an `observed-data` object tells (STIX 2.1 §4.14): objects that were seen together, between two
//! instants, so many times. Preparing one hashes its keys, resolves its references, decodes its bytes and composes its
//! texts, so that evaluation allocates nothing and compares numbers first.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use thiserror::Error;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use crate::instant::Instant;
use crate::literal::decode_base64;
use crate::schema;

/// How deep an object's values may nest; deeper ones are left out. The standard's own nest five deep.
pub const NESTING_MAX: usize = 64;

/// Objects that were observed together.
#[derive(Clone, Debug)]
pub struct Observation {
    pub(crate) first: Instant,
    pub(crate) last: Instant,
    pub(crate) count: u32,
    pub(crate) objects: Vec<Object>,
}

/// Why an `observed-data` object is no observation.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ObservedDataError {
    /// A property is missing or has another form.
    #[error("`{property}` is missing or is not {form}")]
    Property {
        /// Its name.
        property: &'static str,
        /// What it must be.
        form: &'static str,
    },
}

/// One object of an observation.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) kind: Key,
    pub(crate) properties: Map,
}

/// A name and its hash, which is compared first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    hash: u64,
    name: Box<str>,
}

impl Key {
    pub(crate) fn new(name: &str) -> Self {
        // FNV-1a. A collision costs one comparison of texts, so nobody gains by making one.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self { hash, name: name.into() }
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        self.hash == other.hash && self.name == other.name
    }
}

/// A dictionary. INVARIANT: in the order of the hashes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Map(Vec<(Key, Value)>);

impl Map {
    pub(crate) fn get(&self, key: &Key) -> Option<&Value> {
        const SCANNED: usize = 16;
        let entries = if self.0.len() > SCANNED {
            &self.0[self.0.partition_point(|(known, _)| known.hash < key.hash)..]
        } else {
            &self.0
        };
        entries
            .iter()
            .take_while(|(known, _)| self.0.len() <= SCANNED || known.hash == key.hash)
            .find(|(known, _)| known.is(key))
            .map(|(_, value)| value)
    }
}

/// A value of an object.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(Text),
    Bytes(Box<[u8]>),
    List(Vec<Value>),
    Map(Map),
}

#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) plain: Box<str>,
    /// In Unicode's normalization form C, if that is another text.
    composed: Option<Box<str>>,
    /// The object that it refers to, if it is a reference and the observation holds that object.
    pub(crate) target: Option<usize>,
}

impl Text {
    /// The text as LIKE and MATCHES see it.
    pub(crate) fn composed(&self) -> &str {
        self.composed.as_deref().unwrap_or(&self.plain)
    }
}

/// A text in Unicode's normalization form C, if that is another text.
pub(crate) fn compose(text: &str) -> Option<String> {
    if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        return None;
    }
    let composed: String = text.nfc().collect();
    (composed != text).then_some(composed)
}

impl Observation {
    /// Prepares objects that were seen together, each with the identifier by which others of them refer to it, between two
    /// instants, so many times (0 counts as 1).
    ///
    /// What is no JSON object, or has no `type`, is left out.
    pub fn new<'a>(
        first: Instant,
        last: Instant,
        count: u32,
        objects: impl IntoIterator<Item = (&'a str, &'a Json)>,
    ) -> Self {
        let objects: Vec<(&str, &str, &serde_json::Map<String, Json>)> = objects
            .into_iter()
            .filter_map(|(id, object)| {
                let properties = object.as_object()?;
                Some((id, properties.get("type")?.as_str()?, properties))
            })
            .collect();
        let places: BTreeMap<&str, usize> =
            objects.iter().enumerate().map(|(at, (id, _, _))| (*id, at)).collect();
        let prepared = objects
            .iter()
            .map(|(_, kind, properties)| Object {
                kind: Key::new(kind),
                properties: map(properties, "", &places, 0),
            })
            .collect();
        Self { first: first.min(last), last: first.max(last), count: count.max(1), objects: prepared }
    }

    /// Prepares objects that were seen once, at an instant. They refer to each other by their `id`.
    pub fn at<'a>(instant: Instant, objects: impl IntoIterator<Item = &'a Json>) -> Self {
        let id = |object: &'a Json| object.get("id").and_then(Json::as_str).unwrap_or_default();
        Self::new(instant, instant, 1, objects.into_iter().map(|object| (id(object), object)))
    }

    /// Prepares what an `observed-data` object tells: the objects that it holds (as in STIX 2.0), or that `find` knows under
    /// its `object_refs`. Those that `find` does not know are left out.
    ///
    /// # Errors
    ///
    /// Fails if the object lacks its times, or has them in another form.
    pub fn from_observed_data<'a>(
        observed: &'a Json,
        find: impl Fn(&str) -> Option<&'a Json>,
    ) -> Result<Self, ObservedDataError> {
        let instant = |property| {
            let text = observed.get(property).and_then(Json::as_str);
            let form = "a timestamp such as 2016-01-20T12:31:12Z";
            text.and_then(Instant::parse).ok_or(ObservedDataError::Property { property, form })
        };
        let (first, last) = (instant("first_observed")?, instant("last_observed")?);
        let count = match observed.get("number_observed") {
            None => 1,
            Some(number) => {
                let form = "a whole number from 1 to 999999999";
                let count = number.as_u64().filter(|count| (1..=999_999_999).contains(count));
                let count = count.and_then(|count| u32::try_from(count).ok());
                count.ok_or(ObservedDataError::Property { property: "number_observed", form })?
            }
        };
        let held = observed.get("objects").and_then(Json::as_object).into_iter().flatten();
        let held = held.map(|(id, object)| (id.as_str(), object));
        let references = observed.get("object_refs").and_then(Json::as_array).into_iter().flatten();
        let referred = references.filter_map(Json::as_str).filter_map(|id| Some((id, find(id)?)));
        Ok(Self::new(first, last, count, held.chain(referred)))
    }

    /// How many objects it holds.
    #[must_use]
    pub fn object_count(&self) -> usize {
        self.objects.len()
    }
}

fn map(
    properties: &serde_json::Map<String, Json>,
    under: &str,
    places: &BTreeMap<&str, usize>,
    depth: usize,
) -> Map {
    let mut entries: Vec<(Key, Value)> = properties
        .iter()
        .map(|(key, value)| {
            // Algorithms of hashes go by the standard's spelling, as they do in patterns.
            let name = if under == "hashes" { schema::hash_algorithm(key).unwrap_or(key) } else { key };
            (Key::new(name), prepared(value, key, places, depth + 1))
        })
        .collect();
    // Stable, so that of two spellings of one key the first in the object's order counts.
    entries.sort_by_key(|(key, _)| key.hash);
    Map(entries)
}

/// A value under a key, whose ending says what its text means (STIX 2.1 §3.1).
fn prepared(value: &Json, key: &str, places: &BTreeMap<&str, usize>, depth: usize) -> Value {
    if depth > NESTING_MAX {
        return Value::Null;
    }
    match value {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Boolean(*value),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => Value::Integer(integer),
            None => Value::Float(number.as_f64().unwrap_or(f64::MAX)),
        },
        Json::String(text) => {
            let bytes = if key.ends_with("_bin") {
                decode_base64(text)
            } else if key.ends_with("_hex") {
                hex::decode(text).ok()
            } else {
                None
            };
            if let Some(bytes) = bytes {
                return Value::Bytes(bytes.into());
            }
            let refers = key.ends_with("_ref") || key.ends_with("_refs");
            let target = if refers { places.get(text.as_str()).copied() } else { None };
            Value::Text(Text { plain: text.as_str().into(), composed: compose(text).map(Into::into), target })
        }
        Json::Array(elements) => {
            Value::List(elements.iter().map(|element| prepared(element, key, places, depth + 1)).collect())
        }
        Json::Object(properties) => Value::Map(map(properties, key, places, depth)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn observed_data_of_both_versions_is_read() {
        let domain = json!({"type": "domain-name", "id": "domain-name--1", "value": "a"});
        let times = ("2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z");
        let of_2_1 = json!({"first_observed": times.0, "last_observed": times.1, "number_observed": 3,
            "object_refs": ["domain-name--1", "url--2"]});
        let of_2_0 = json!({"first_observed": times.0, "last_observed": times.1, "number_observed": 3,
            "objects": {"0": domain}});
        for observed in [of_2_1, of_2_0] {
            let found =
                Observation::from_observed_data(&observed, |id| (id == "domain-name--1").then_some(&domain));
            let observation = found.unwrap();
            assert_eq!((observation.object_count(), observation.count), (1, 3));
            assert_eq!(observation.last, Instant::parse(times.1).unwrap());
        }
    }

    #[test]
    fn observed_data_without_times_is_refused() {
        for (observed, property) in [
            (json!({}), "first_observed"),
            (json!({"first_observed": "2020-01-01T00:00:00Z", "last_observed": "x"}), "last_observed"),
            (
                json!({"first_observed": "2020-01-01T00:00:00Z", "last_observed": "2020-01-01T00:00:00Z", "number_observed": 0}),
                "number_observed",
            ),
        ] {
            let Err(ObservedDataError::Property { property: found, .. }) =
                Observation::from_observed_data(&observed, |_| None)
            else {
                panic!("{observed}");
            };
            assert_eq!(found, property);
        }
    }

    #[test]
    fn large_dictionaries_find_every_key() {
        let many: serde_json::Map<String, Json> = (0..1000).map(|n| (format!("k{n}"), json!(n))).collect();
        let map = map(&many, "", &BTreeMap::new(), 0);
        for n in 0..1000_i64 {
            assert!(
                matches!(map.get(&Key::new(&format!("k{n}"))), Some(Value::Integer(found)) if *found == n)
            );
        }
        assert!(map.get(&Key::new("k1000")).is_none());
    }
}
