//! The seventy optional filters of the interoperability document (interop 3.13.2), as one table.
//!
//! Beside the four `match` fields of the standard, a server may offer seventy more that look into
//! the object itself. They come in five groups:
//!
//! | group | looks at | an object passes if |
//! |---|---|---|
//! | tier 1 | one property at the top | it equals a wanted value |
//! | tier 2 | one list at the top | a member equals a wanted value |
//! | tier 3 | properties further in: references, phases, hashes, extensions, markings | one of them equals a wanted value |
//! | relationships | the ends of relationships and sightings | one of them is a wanted id |
//! | calculation | a number or a timestamp | it is at least (`-gte`) or at most (`-lte`) the wanted value |
//!
//! So a filter is a place in the object and a test, and [`FIELDS`] lists both. A list on the way stands
//! for each of its members. A property that is absent passes no filter, with two exceptions that STIX
//! itself makes: `revoked` is `false` (STIX 2.1 §3.2), and an indicator without `valid_until` is valid
//! for ever (STIX 2.1 §4.7). Texts are compared exactly, hashes in hexadecimal without regard to case.
//! As anywhere in a filter a comma means OR; texts that may well contain one, such as `pattern`, also pass
//! if they equal the whole value, commas included.
//!
//! `tlp` takes the short names of both TLP versions and compares with the well-known identifiers in
//! `object_marking_refs`; `white` and `clear` mean the same, `amber` does not include `amber+strict`.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::date::Timestamp;

/// How many optional filters there are.
pub const INTEROP_FIELD_COUNT: usize = 70;

#[derive(Debug, PartialEq, Eq)]
struct Field {
    name: &'static str,
    test: Test,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The property that has the filter's name.
    Top,
    /// One of these paths.
    Paths(&'static [&'static [&'static str]]),
    /// The hash that has the filter's name, wherever STIX 2.1 puts hashes.
    Hashes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Test {
    /// A term without commas, an id among them.
    Term,
    /// A text that may have commas of its own.
    Text,
    /// A text in hexadecimal.
    Hex,
    Integer,
    Boolean,
    Tlp,
    IntegerAtLeast,
    IntegerAtMost,
    MomentAtLeast,
    MomentAtMost,
}

use Place::{Hashes, Paths, Top};
use Test::{
    Boolean, Hex, Integer, IntegerAtLeast, IntegerAtMost, MomentAtLeast, MomentAtMost, Term, Text, Tlp,
};

const fn field(name: &'static str, test: Test, place: Place) -> Field {
    Field { name, test, place }
}

static FIELDS: [Field; INTEROP_FIELD_COUNT] = [
    // Tier 1: one property at the top.
    field("account_type", Term, Top),
    field("confidence", Integer, Top),
    field("context", Term, Top),
    field("data_type", Term, Paths(&[&["data_type"], &["values", "data_type"]])), // of a registry key's values
    field("dst_port", Integer, Top),
    field("encryption_algorithm", Term, Top),
    field("identity_class", Term, Top),
    field("name", Text, Top),
    field("number", Integer, Top),
    field("opinion", Term, Top),
    field("pattern", Text, Top),
    field("pattern_type", Term, Top),
    field("primary_motivation", Term, Top),
    field("region", Term, Top),
    field("relationship_type", Term, Top),
    field("resource_level", Term, Top),
    field("result", Term, Top),
    field("revoked", Boolean, Top),
    field("src_port", Integer, Top),
    field("sophistication", Term, Top),
    field("subject", Text, Top),
    field("value", Text, Top),
    // Tier 2: one list at the top.
    field("aliases", Term, Top),
    field("architecture_execution_envs", Term, Top),
    field("capabilities", Term, Top),
    field("extension_types", Term, Top),
    field("implementation_languages", Term, Top),
    field("indicator_types", Term, Top),
    field("infrastructure_types", Term, Top),
    field("labels", Term, Top),
    field("malware_types", Term, Top),
    field("personal_motivations", Term, Top),
    field("report_types", Term, Top),
    field("roles", Term, Top),
    field("secondary_motivations", Term, Top),
    field("sectors", Term, Top),
    field("threat_actor_types", Term, Top),
    field("tool_types", Term, Top),
    // Tier 3: properties further in.
    field("address_family", Term, Paths(&[&["extensions", "socket-ext", "address_family"]])),
    field("external_id", Term, Paths(&[&["external_references", "external_id"]])),
    field("MD5", Hex, Hashes),
    field("SHA-1", Hex, Hashes),
    field("SHA-256", Hex, Hashes),
    field("SHA-512", Hex, Hashes),
    field("SHA3-256", Hex, Hashes),
    field("SHA3-512", Hex, Hashes),
    field("SSDEEP", Text, Hashes), // base64, and may contain commas
    field("TLSH", Hex, Hashes),
    field("integrity_level", Term, Paths(&[&["extensions", "windows-process-ext", "integrity_level"]])),
    field("pe_type", Term, Paths(&[&["extensions", "windows-pebinary-ext", "pe_type"]])),
    field("phase_name", Term, Paths(&[&["kill_chain_phases", "phase_name"]])),
    field("service_status", Term, Paths(&[&["extensions", "windows-service-ext", "service_status"]])),
    field("service_type", Term, Paths(&[&["extensions", "windows-service-ext", "service_type"]])),
    field("socket_type", Term, Paths(&[&["extensions", "socket-ext", "socket_type"]])),
    field("source_name", Text, Paths(&[&["external_references", "source_name"]])),
    field("start_type", Term, Paths(&[&["extensions", "windows-service-ext", "start_type"]])),
    field("tlp", Tlp, Paths(&[&["object_marking_refs"]])),
    // Relationships: every end of a STIX relationship object, that is of a relationship and of a sighting.
    field("relationships-all", Term, Paths(RELATIONSHIP_ENDS)),
    // Calculation.
    field("confidence-gte", IntegerAtLeast, Paths(&[&["confidence"]])),
    field("confidence-lte", IntegerAtMost, Paths(&[&["confidence"]])),
    field("modified-gte", MomentAtLeast, Paths(&[&["modified"]])),
    field("modified-lte", MomentAtMost, Paths(&[&["modified"]])),
    field("number-gte", IntegerAtLeast, Paths(&[&["number"]])),
    field("number-lte", IntegerAtMost, Paths(&[&["number"]])),
    field("src_port-gte", IntegerAtLeast, Paths(&[&["src_port"]])),
    field("src_port-lte", IntegerAtMost, Paths(&[&["src_port"]])),
    field("dst_port-gte", IntegerAtLeast, Paths(&[&["dst_port"]])),
    field("dst_port-lte", IntegerAtMost, Paths(&[&["dst_port"]])),
    field("valid_until-gte", MomentAtLeast, Paths(&[&["valid_until"]])),
    field("valid_from-lte", MomentAtMost, Paths(&[&["valid_from"]])),
];

/// STIX 2.1 §5.1 and §5.2; no other object has these properties.
const RELATIONSHIP_ENDS: &[&[&str]] = &[
    &["source_ref"],
    &["target_ref"],
    &["sighting_of_ref"],
    &["observed_data_refs"],
    &["where_sighted_refs"],
];

/// STIX 2.1 §2.5 (external references), §6.1, §6.7 and §6.18 (artifacts, files, certificates).
const HASH_HOLDERS: &[&[&str]] = &[
    &["hashes"],
    &["external_references", "hashes"],
    &["extensions", "ntfs-ext", "alternate_data_streams", "hashes"],
    &["extensions", "windows-pebinary-ext", "file_header_hashes"],
    &["extensions", "windows-pebinary-ext", "optional_header", "hashes"],
    &["extensions", "windows-pebinary-ext", "sections", "hashes"],
];

/// Short names and the marking definitions they stand for: TLP 1 (STIX 2.1 §7.2.1.4), then TLP 2.0.
/// A space is what a `+` becomes that nobody encoded.
const TLP: [(&[&str], &[&str]); 5] = [
    (
        &["clear", "white"],
        &[
            "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9",
            "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
        ],
    ),
    (
        &["green"],
        &[
            "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da",
            "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
        ],
    ),
    (
        &["amber"],
        &[
            "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82",
            "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
        ],
    ),
    (&["amber+strict", "amber strict"], &["marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003"]),
    (
        &["red"],
        &[
            "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed",
            "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
        ],
    ),
];

/// The optional filters of one request; all of them must let an object pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InteropFilters {
    // INVARIANT: ascending by the field's name, each field once, no empty set of wanted values.
    filters: Vec<Filter>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Filter {
    field: &'static Field,
    wanted: BTreeSet<Wanted>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wanted {
    Text(String),
    Integer(i64),
    Boolean(bool),
    Moment(Timestamp),
    /// An index into [`TLP`].
    Tlp(usize),
}

/// Why a value does not fit its field.
#[derive(Debug)]
pub(crate) struct BadValue {
    pub(crate) value: String,
    pub(crate) expected: &'static str,
}

/// The names of the optional filters, as they stand between the brackets of `match[…]`.
pub fn interop_field_names() -> impl Iterator<Item = &'static str> {
    FIELDS.iter().map(|field| field.name)
}

pub(crate) fn is_field(name: &str) -> bool {
    field_named(name).is_some()
}

fn field_named(name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.name == name)
}

impl InteropFilters {
    /// Whether no optional filter was asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.filters.is_empty()
    }

    /// Whether an object passes every filter.
    #[must_use]
    pub fn matches(&self, object: &Value) -> bool {
        self.filters.iter().all(|filter| filter.matches(object))
    }

    /// Adds a filter: the whole value, and what stands between its commas. Unknown names add nothing.
    pub(crate) fn add(&mut self, name: &str, whole: &str, values: &[&str]) -> Result<(), BadValue> {
        let Some(field) = field_named(name) else { return Ok(()) };
        let whole = (field.test == Text).then_some(whole);
        let wanted =
            values.iter().copied().chain(whole).map(|value| field.wanted(value)).collect::<Result<_, _>>()?;
        // INVARIANT: ascending and once; a second filter on a field replaces the first.
        match self.filters.binary_search_by_key(&field.name, |filter| filter.field.name) {
            Ok(at) => self.filters[at].wanted = wanted,
            Err(at) => self.filters.insert(at, Filter { field, wanted }),
        }
        Ok(())
    }

    /// Names and values in a fixed order and spelling.
    pub(crate) fn spelled(&self) -> impl Iterator<Item = (&'static str, Vec<String>)> {
        self.filters.iter().map(|filter| {
            let values = filter.wanted.iter().map(|wanted| match wanted {
                Wanted::Text(text) => text.clone(),
                Wanted::Integer(integer) => integer.to_string(),
                Wanted::Boolean(boolean) => boolean.to_string(),
                Wanted::Moment(moment) => moment.to_string(),
                Wanted::Tlp(level) => level.to_string(),
            });
            (filter.field.name, values.collect())
        })
    }
}

impl Field {
    fn wanted(&self, value: &str) -> Result<Wanted, BadValue> {
        let (wanted, expected) = match self.test {
            Term | Text => (Some(Wanted::Text(value.to_owned())), "a text"),
            Hex => (Some(Wanted::Text(value.to_ascii_lowercase())), "a hash"),
            Integer | IntegerAtLeast | IntegerAtMost => {
                (value.parse().ok().map(Wanted::Integer), "an integer")
            }
            Boolean => (value.parse().ok().map(Wanted::Boolean), "`true` or `false`"),
            MomentAtLeast | MomentAtMost => {
                (value.replace(' ', "+").parse().ok().map(Wanted::Moment), "an RFC 3339 timestamp")
            }
            Tlp => (
                tlp_named(value).map(Wanted::Tlp),
                "`clear`, `white`, `green`, `amber`, `amber+strict` or `red`",
            ),
        };
        wanted.ok_or_else(|| BadValue { value: value.to_owned(), expected })
    }
}

fn tlp_named(name: &str) -> Option<usize> {
    let name = name.to_ascii_lowercase();
    TLP.iter().position(|(names, _)| names.contains(&name.as_str()))
}

impl Filter {
    fn matches(&self, object: &Value) -> bool {
        let test = |value: &Value| self.wanted.iter().any(|wanted| passes(self.field.test, wanted, value));
        let name = [self.field.name];
        let is_found = match self.field.place {
            Top => any_at(object, &name, &test),
            Paths(paths) => paths.iter().any(|path| any_at(object, path, &test)),
            Hashes => HASH_HOLDERS
                .iter()
                .any(|holder| any_at(object, holder, &|hashes: &Value| any_at(hashes, &name, &test))),
        };
        is_found || self.matches_absence(object)
    }

    /// Whether an object passes *because* it lacks the property.
    fn matches_absence(&self, object: &Value) -> bool {
        match self.field.name {
            "revoked" => self.wanted.contains(&Wanted::Boolean(false)) && object.get("revoked").is_none(),
            "valid_until-gte" => {
                object.get("valid_until").is_none()
                    && object.get("type").and_then(Value::as_str) == Some("indicator")
            }
            _ => false,
        }
    }
}

fn passes(test: Test, wanted: &Wanted, value: &Value) -> bool {
    match wanted {
        Wanted::Text(wanted) if test == Hex => {
            value.as_str().is_some_and(|value| value.eq_ignore_ascii_case(wanted))
        }
        Wanted::Text(wanted) => value.as_str() == Some(wanted),
        Wanted::Boolean(wanted) => value.as_bool() == Some(*wanted),
        Wanted::Tlp(level) => value.as_str().is_some_and(|id| TLP[*level].1.contains(&id)),
        Wanted::Integer(wanted) => value.as_i64().is_some_and(|integer| holds(test, &integer, wanted)),
        Wanted::Moment(wanted) => value
            .as_str()
            .and_then(|text| text.parse::<Timestamp>().ok())
            .is_some_and(|moment| holds(test, &moment, wanted)),
    }
}

fn holds<T: Ord>(test: Test, value: &T, wanted: &T) -> bool {
    match test {
        IntegerAtLeast | MomentAtLeast => value >= wanted,
        IntegerAtMost | MomentAtMost => value <= wanted,
        Term | Text | Hex | Integer | Boolean | Tlp => value == wanted,
    }
}

/// Whether any value at the end of a path passes; a list on the way stands for each of its members.
fn any_at(value: &Value, path: &[&str], test: &dyn Fn(&Value) -> bool) -> bool {
    match (value, path) {
        (Value::Array(members), []) => members.iter().any(test),
        (value, []) => test(value),
        (Value::Array(members), path) => {
            members.iter().any(|member| member.is_object() && any_at(member, path, test))
        }
        (Value::Object(properties), [step, rest @ ..]) => {
            properties.get(*step).is_some_and(|next| any_at(next, rest, test))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Endpoint, ObjectFilter};

    fn filters(query: &str) -> InteropFilters {
        ObjectFilter::parse(Endpoint::Objects, query)
            .unwrap_or_else(|error| panic!("{query}: {error}"))
            .interop
    }

    /// An object that has one value for the field: the given one.
    fn holding(field: &Field, value: &Value) -> Value {
        let path: Vec<&str> = match field.place {
            Top => vec![field.name],
            Paths(paths) => paths[0].to_vec(),
            Hashes => vec!["hashes", field.name],
        };
        path.iter().rev().fold(value.clone(), |inner, step| {
            // Lists of things on the way, as STIX has them.
            let is_list = ["external_references", "kill_chain_phases"].contains(step);
            let inner = if is_list { json!([{"unrelated": 0}, inner]) } else { inner };
            json!({ *step: inner })
        })
    }

    #[test]
    fn there_are_seventy_fields_in_their_groups() {
        let names: BTreeSet<&str> = interop_field_names().collect();
        assert_eq!(names.len(), INTEROP_FIELD_COUNT);
        let of_the_standard = ["id", "type", "version", "spec_version"];
        assert!(names.iter().all(|name| !of_the_standard.contains(name)));
        let calculations =
            names.iter().filter(|name| name.ends_with("-gte") || name.ends_with("-lte")).count();
        let hashes = FIELDS.iter().filter(|field| field.place == Hashes).count();
        let deep =
            FIELDS.iter().filter(|field| matches!(field.place, Paths(paths) if paths[0].len() > 1)).count();
        assert_eq!((calculations, hashes, deep), (12, 8, 10));
    }

    #[test]
    fn every_field_finds_its_value_and_nothing_else() {
        for field in &FIELDS {
            // A value as written in a query, one that an object may hold, and one that does not match.
            let (text, held, other) = match field.test {
                Term | Text => ("windows", json!("windows"), json!("linux")),
                Hex => ("AB12", json!("ab12"), json!("ab13")),
                Integer => ("443", json!(443), json!(444)),
                Boolean => ("true", json!(true), json!(false)),
                Tlp => ("green", json!([TLP[1].1[1]]), json!([TLP[4].1[0]])),
                IntegerAtLeast => ("50", json!(50), json!(49)),
                IntegerAtMost => ("50", json!(50), json!(51)),
                MomentAtLeast => (
                    "2026-01-10T00:00:00Z",
                    json!("2026-01-10T00:00:00.000Z"),
                    json!("2026-01-09T23:59:59.999Z"),
                ),
                MomentAtMost => (
                    "2026-01-10T00:00:00Z",
                    json!("2026-01-10T00:00:00.000Z"),
                    json!("2026-01-10T00:00:00.001Z"),
                ),
            };
            let filter = filters(&format!("match[{}]={text}", field.name));
            assert!(filter.matches(&holding(field, &held)), "{}: {held}", field.name);
            assert!(!filter.matches(&holding(field, &other)), "{}: {other}", field.name);
            assert!(!filter.matches(&holding(field, &json!({"nested": held}))), "{}: nested", field.name);
            assert!(!filter.matches(&json!({"type": "note", "unrelated": held})), "{}: absent", field.name);
            assert!(!filter.matches(&json!(null)), "{}: no object", field.name);
        }
    }

    #[test]
    fn objects_pass_as_the_groups_say() {
        let indicator = json!({
            "type": "indicator", "name": "Emotet, second wave", "pattern": "[a:b = 'x, y']", "confidence": 70,
            "labels": ["botnet", "loader"], "modified": "2026-01-10T00:00:00.1234567Z",
            "valid_from": "2026-01-01T00:00:00Z", "object_marking_refs": ["marking-definition--other",
            "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003"],
            "kill_chain_phases": [{"kill_chain_name": "k", "phase_name": "delivery"}, {"phase_name": "c2"}],
        });
        let sighting = json!({"type": "sighting", "sighting_of_ref": "indicator--1",
            "where_sighted_refs": ["identity--1", "identity--2"], "revoked": true});
        let relationship =
            json!({"type": "relationship", "source_ref": "indicator--1", "target_ref": "malware--1"});
        let file = json!({"type": "file", "name": "a.exe", "hashes": {"MD5": "D41D8CD98F00B204E9800998ECF8427E"},
            "extensions": {"windows-pebinary-ext": {"pe_type": "exe", "sections": [
                {"name": ".text", "hashes": {"SHA-256": "aa"}}, {"name": ".data", "hashes": {"SSDEEP": "3:a,b"}}]}}});
        let key = json!({"type": "windows-registry-key", "values": [{"data_type": "REG_SZ"}, {"data_type": "REG_QWORD"}]});
        let cases = [
            // one comma is OR, two fields are AND
            ("match[labels]=worm,loader", &indicator, true),
            ("match[labels]=worm", &indicator, false),
            ("match[labels]=loader&match[confidence]=70", &indicator, true),
            ("match[labels]=loader&match[confidence]=71", &indicator, false),
            // texts with commas of their own
            ("match[name]=Emotet%2C+second+wave", &indicator, true),
            ("match[name]=Emotet", &indicator, false),
            ("match[pattern]=%5Ba:b+%3D+%27x,%20y%27%5D", &indicator, true),
            // numbers and moments, both sides of the limit
            ("match[confidence-gte]=70&match[confidence-lte]=70", &indicator, true),
            ("match[confidence-gte]=71", &indicator, false),
            ("match[confidence-lte]=69", &indicator, false),
            ("match[modified-gte]=2026-01-10T00:00:00.1234567Z", &indicator, true),
            ("match[modified-gte]=2026-01-10T00:00:00.12345671Z", &indicator, false),
            ("match[modified-lte]=2026-01-10T00:00:00.123456Z", &indicator, false),
            ("match[valid_from-lte]=2026-01-01T00:00:00.000Z", &indicator, true),
            ("match[valid_from-lte]=2025-12-31T23:59:59.999Z", &indicator, false),
            ("match[valid_until-gte]=2030-01-01T00:00:00Z", &indicator, true), // for ever
            ("match[valid_until-gte]=2030-01-01T00:00:00Z", &file, false),
            // markings
            ("match[tlp]=amber%2Bstrict", &indicator, true),
            ("match[tlp]=amber+strict", &indicator, true),
            ("match[tlp]=AMBER%2BSTRICT,red", &indicator, true),
            ("match[tlp]=amber", &indicator, false),
            ("match[tlp]=white", &file, false),
            // lists on the way
            ("match[phase_name]=c2", &indicator, true),
            ("match[phase_name]=k", &indicator, false),
            ("match[data_type]=REG_QWORD", &key, true),
            ("match[MD5]=d41d8cd98f00b204e9800998ecf8427e", &file, true),
            ("match[SHA-1]=d41d8cd98f00b204e9800998ecf8427e", &file, false),
            ("match[SHA-256]=AA", &file, true),
            ("match[SSDEEP]=3:a,b", &file, true),
            ("match[pe_type]=exe&match[name]=a.exe", &file, true),
            // revoked is false unless it is there
            ("match[revoked]=false", &indicator, true),
            ("match[revoked]=false", &sighting, false),
            ("match[revoked]=true", &sighting, true),
            ("match[revoked]=true,false", &sighting, true),
            ("match[revoked]=true", &indicator, false),
            // every end
            ("match[relationships-all]=indicator--1", &relationship, true),
            ("match[relationships-all]=malware--1", &relationship, true),
            ("match[relationships-all]=malware--2,identity--2", &sighting, true),
            ("match[relationships-all]=indicator--1", &sighting, true),
            ("match[relationships-all]=malware--2", &relationship, false),
            ("match[relationships-all]=indicator--1&match[relationship_type]=uses", &relationship, false),
        ];
        for (query, object, passes) in cases {
            assert_eq!(filters(query).matches(object), passes, "{query} on {object}");
        }
        assert!(filters("").is_empty() && filters("").matches(&file));
    }

    #[test]
    fn values_of_another_kind_are_refused() {
        for query in [
            "match[confidence]=high",
            "match[src_port]=80,https",
            "match[number-gte]=1.5",
            "match[revoked]=yes",
            "match[tlp]=blue",
            "match[modified-gte]=today",
            "match[valid_from-lte]=2026-01-10",
        ] {
            assert!(ObjectFilter::parse(Endpoint::Objects, query).is_err(), "{query}");
        }
    }
}
