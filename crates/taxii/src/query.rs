//! Filters: what a request's query string asks for (TAXII 2.1 §3.4).
//!
//! ```text
//! ?added_after=2026-01-10T00:00:00Z&limit=100&match[type]=indicator,malware&match[spec_version]=2.1
//! ```
//!
//! A comma inside one `match` field means OR, different fields mean AND, and a field that occurs
//! twice is an error. `added_after` is exclusive: strictly later. Without `match[version]` only the
//! last version of an object is meant.
//!
//! Not every endpoint takes every filter. A known filter at an endpoint that does not take it, and a
//! `match` field that nobody knows, are refused: passing over one would give (or delete) more than was
//! asked for. Any other unknown parameter is passed over.

use std::{collections::BTreeSet, fmt, num::NonZeroU32};

use thiserror::Error;

use crate::{
    date::{DateError, Timestamp, parse_date, shorten},
    interop::{self, InteropFilters},
    urlencoded::decode_component,
};

/// The most values one `match` field may have: as many ids as fit in a URL that proxies let through, and more.
pub const MATCH_VALUES_MAX: usize = 1000;

/// The longest `next` that is taken. Ours are far shorter; so is every other server's.
pub const NEXT_BYTES_MAX: usize = 4096;

/// A request that takes filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `GET …/objects/` (TAXII 2.1 §5.4).
    Objects,
    /// `GET …/manifest/` (TAXII 2.1 §5.3).
    Manifest,
    /// `GET …/objects/{id}/` (TAXII 2.1 §5.6).
    Object,
    /// `GET …/objects/{id}/versions/` (TAXII 2.1 §5.8).
    Versions,
    /// `DELETE …/objects/{id}/` (TAXII 2.1 §5.7).
    Delete,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Parameter {
    AddedAfter,
    Limit,
    Next,
    Id,
    Type,
    Version,
    SpecVersion,
    Interop,
}

impl Endpoint {
    const fn takes(self, parameter: Parameter) -> bool {
        match parameter {
            Parameter::AddedAfter | Parameter::Limit | Parameter::Next => !matches!(self, Self::Delete),
            Parameter::Id | Parameter::Type | Parameter::Interop => {
                matches!(self, Self::Objects | Self::Manifest)
            }
            Parameter::Version => !matches!(self, Self::Versions),
            Parameter::SpecVersion => true,
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Objects => "get objects",
            Self::Manifest => "get object manifests",
            Self::Object => "get an object",
            Self::Versions => "get object versions",
            Self::Delete => "delete an object",
        })
    }
}

/// Why a query string cannot be obeyed: HTTP 400.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QueryError {
    /// A parameter occurs twice (interop 3.13.1.10).
    #[error("parameter `{parameter}` occurs more than once: separate its values by commas")]
    Repeated {
        /// Which one.
        parameter: String,
    },
    /// A `match` field that this crate does not know.
    #[error("unknown filter `{parameter}`")]
    UnknownMatch {
        /// The whole parameter.
        parameter: String,
    },
    /// A known filter that this endpoint does not take.
    #[error("filter `{parameter}` does not apply to `{endpoint}`")]
    NotHere {
        /// Which one.
        parameter: String,
        /// What was asked.
        endpoint: Endpoint,
    },
    /// A parameter without a value, or with nothing between two commas.
    #[error("parameter `{parameter}` has an empty value")]
    Empty {
        /// Which one.
        parameter: String,
    },
    /// The percent-encoded bytes are no text.
    #[error("the value of parameter `{parameter}` is not UTF-8")]
    NotUtf8 {
        /// Which one.
        parameter: String,
    },
    /// More values or a longer value than anyone needs.
    #[error("parameter `{parameter}` is too long: at most {max} {unit}")]
    TooLong {
        /// Which one.
        parameter: String,
        /// The limit.
        max: usize,
        /// What it counts.
        unit: &'static str,
    },
    /// `added_after` is no timestamp.
    #[error("parameter `added_after`: {0}")]
    AddedAfter(DateError),
    /// Another value that the parameter cannot have.
    #[error("parameter `{parameter}`: `{value}` is not {expected}")]
    Value {
        /// Which one.
        parameter: String,
        /// The offending value, shortened.
        value: String,
        /// What there should be.
        expected: &'static str,
    },
}

/// Which versions of an object are asked for: those that any of the parts selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionMatch {
    /// The oldest.
    pub first: bool,
    /// The newest.
    pub last: bool,
    /// Every one.
    pub all: bool,
    /// Those with one of these timestamps.
    pub at: BTreeSet<Timestamp>,
}

impl Default for VersionMatch {
    /// The last alone, as without `match[version]`.
    fn default() -> Self {
        Self { first: false, last: true, all: false, at: BTreeSet::new() }
    }
}

impl VersionMatch {
    /// Whether the last version, and no other, is asked for: the common case.
    #[must_use]
    pub fn is_last_only(&self) -> bool {
        *self == Self::default()
    }

    /// Whether one version is asked for, given whether it is the object's oldest and newest.
    ///
    /// An object without versions, such as a STIX observable, has one, which is both.
    #[must_use]
    pub fn selects(&self, version: &Timestamp, is_first: bool, is_last: bool) -> bool {
        self.all || (self.first && is_first) || (self.last && is_last) || self.at.contains(version)
    }
}

/// The filters of one request. An empty set stands for "no such filter".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectFilter {
    /// Only what was added strictly later, in microseconds since 1970.
    pub added_after: Option<i64>,
    /// The most results to give; a server may give fewer.
    pub limit: Option<NonZeroU32>,
    /// Where an earlier page ended; opaque here.
    pub next: Option<String>,
    /// `match[id]`.
    pub ids: BTreeSet<String>,
    /// `match[type]`.
    pub types: BTreeSet<String>,
    /// `match[version]`.
    pub version: VersionMatch,
    /// `match[spec_version]`; if empty, the newest specification version of each object is meant.
    pub spec_versions: BTreeSet<String>,
    /// The optional filters of the interoperability document.
    pub interop: InteropFilters,
}

impl ObjectFilter {
    /// Reads the raw query string, without its `?`, of a request to `endpoint`.
    ///
    /// # Errors
    ///
    /// Fails for everything that a server answers with 400; see [`QueryError`].
    pub fn parse(endpoint: Endpoint, query: &str) -> Result<Self, QueryError> {
        let mut filter = Self::default();
        let mut seen = BTreeSet::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let Some(name) = decode_component(name) else { continue };
            let Some(parameter) = parameter_named(&name)? else { continue };
            if !endpoint.takes(parameter) {
                return Err(QueryError::NotHere { parameter: name, endpoint });
            }
            let value =
                decode_component(value).ok_or_else(|| QueryError::NotUtf8 { parameter: name.clone() })?;
            if value.is_empty() {
                return Err(QueryError::Empty { parameter: name });
            }
            filter.read(parameter, &name, &value)?;
            if !seen.insert(name.clone()) {
                return Err(QueryError::Repeated { parameter: name });
            }
        }
        // Deleting an object deletes it, not only its last version, unless versions are named.
        if endpoint == Endpoint::Delete && !seen.contains("match[version]") {
            filter.version = VersionMatch { all: true, last: false, ..VersionMatch::default() };
        }
        Ok(filter)
    }

    fn read(&mut self, parameter: Parameter, name: &str, value: &str) -> Result<(), QueryError> {
        match parameter {
            Parameter::AddedAfter => {
                // A `+` that nobody encoded arrives as a space; only an offset can have one here.
                let after = parse_date(&value.replace(' ', "+")).map_err(QueryError::AddedAfter)?;
                self.added_after = Some(after);
            }
            Parameter::Limit => self.limit = Some(read_limit(name, value)?),
            Parameter::Next => {
                if value.len() > NEXT_BYTES_MAX {
                    return Err(QueryError::TooLong {
                        parameter: name.to_owned(),
                        max: NEXT_BYTES_MAX,
                        unit: "bytes",
                    });
                }
                self.next = Some(value.to_owned());
            }
            Parameter::Id => self.ids = read_set(name, value)?,
            Parameter::Type => self.types = read_set(name, value)?,
            Parameter::Version => self.version = read_version(name, value)?,
            Parameter::SpecVersion => self.spec_versions = read_set(name, value)?,
            Parameter::Interop => {
                let values = split_values(name, value)?;
                let field = match_field(name).unwrap_or_default();
                self.interop.add(field, value, &values).map_err(|refusal| QueryError::Value {
                    parameter: name.to_owned(),
                    value: shorten(&refusal.value),
                    expected: refusal.expected,
                })?;
            }
        }
        Ok(())
    }

    /// Whether `match[id]` lets an object pass.
    #[must_use]
    pub fn wants_id(&self, id: &str) -> bool {
        self.ids.is_empty() || self.ids.contains(id)
    }

    /// Whether `match[type]` lets an object pass.
    #[must_use]
    pub fn wants_type(&self, object_type: &str) -> bool {
        self.types.is_empty() || self.types.contains(object_type)
    }

    /// Whether `match[spec_version]` lets an object pass.
    #[must_use]
    pub fn wants_spec_version(&self, spec_version: &str) -> bool {
        self.spec_versions.is_empty() || self.spec_versions.contains(spec_version)
    }

    /// The filter without `next` and `limit`, as bytes: equal if and only if the filters mean the same.
    ///
    /// TAXII 2.1 §3.5 has a client repeat all filters with `next`; a server that puts this into its cursor
    /// notices when it does not. The order in which filters and values were written makes no difference.
    /// The endpoint and the collection are not in it.
    #[must_use]
    pub fn fingerprint(&self) -> Vec<u8> {
        let mut fingerprint = Fingerprint::default();
        if let Some(after) = self.added_after {
            fingerprint.field("added_after", [after.to_string()]);
        }
        fingerprint.field("id", &self.ids);
        fingerprint.field("type", &self.types);
        fingerprint.field("spec_version", &self.spec_versions);
        let VersionMatch { first, last, all, at } = &self.version;
        if *all {
            fingerprint.field("version", ["all"]); // the other parts add nothing to it
        } else {
            let words = [("first", *first), ("last", *last)].into_iter().filter(|(_, is_set)| *is_set);
            fingerprint.field("version", words.map(|(word, _)| word));
            fingerprint.field("version-at", at.iter().map(Timestamp::to_string));
        }
        for (name, values) in self.interop.spelled() {
            fingerprint.field(name, values);
        }
        fingerprint.bytes
    }
}

/// Names and values, each preceded by its length, so that no two lists of them give the same bytes.
#[derive(Default)]
struct Fingerprint {
    bytes: Vec<u8>,
}

impl Fingerprint {
    fn field(&mut self, name: &str, values: impl IntoIterator<Item = impl AsRef<str>>) {
        let mut values = values.into_iter().peekable();
        if values.peek().is_none() {
            return;
        }
        self.text(b'f', name);
        for value in values {
            self.text(b'v', value.as_ref());
        }
    }

    fn text(&mut self, kind: u8, text: &str) {
        self.bytes.push(kind);
        self.bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
        self.bytes.extend_from_slice(text.as_bytes());
    }
}

/// `Ok(None)` for a parameter that is passed over.
fn parameter_named(name: &str) -> Result<Option<Parameter>, QueryError> {
    let parameter = match name {
        "added_after" => Parameter::AddedAfter,
        "limit" => Parameter::Limit,
        "next" => Parameter::Next,
        _ if !name.starts_with("match[") => return Ok(None),
        _ => match match_field(name) {
            Some("id") => Parameter::Id,
            Some("type") => Parameter::Type,
            Some("version") => Parameter::Version,
            Some("spec_version") => Parameter::SpecVersion,
            Some(field) if interop::is_field(field) => Parameter::Interop,
            Some(_) | None => return Err(QueryError::UnknownMatch { parameter: shorten(name) }),
        },
    };
    Ok(Some(parameter))
}

fn match_field(name: &str) -> Option<&str> {
    name.strip_prefix("match[")?.strip_suffix(']')
}

fn read_limit(name: &str, value: &str) -> Result<NonZeroU32, QueryError> {
    let refusal = || QueryError::Value {
        parameter: name.to_owned(),
        value: shorten(value),
        expected: "a positive integer",
    };
    if !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refusal());
    }
    // All digits: what does not fit is greater than any page.
    NonZeroU32::new(value.parse().unwrap_or(u32::MAX)).ok_or_else(refusal)
}

fn read_version(name: &str, value: &str) -> Result<VersionMatch, QueryError> {
    let mut version = VersionMatch { first: false, last: false, all: false, at: BTreeSet::new() };
    for part in split_values(name, value)? {
        match part {
            "first" => version.first = true,
            "last" => version.last = true,
            "all" => version.all = true,
            timestamp => {
                let at = timestamp.replace(' ', "+").parse().map_err(|_| QueryError::Value {
                    parameter: name.to_owned(),
                    value: shorten(timestamp),
                    expected: "`first`, `last`, `all` or a timestamp",
                })?;
                version.at.insert(at);
            }
        }
    }
    Ok(version)
}

fn read_set(name: &str, value: &str) -> Result<BTreeSet<String>, QueryError> {
    Ok(split_values(name, value)?.into_iter().map(str::to_owned).collect())
}

/// The values between the commas. Clients encode the commas, too, so a value cannot have one of its own.
fn split_values<'a>(name: &str, value: &'a str) -> Result<Vec<&'a str>, QueryError> {
    let values: Vec<&str> = value.split(',').take(MATCH_VALUES_MAX + 1).collect();
    if values.len() > MATCH_VALUES_MAX {
        return Err(QueryError::TooLong {
            parameter: name.to_owned(),
            max: MATCH_VALUES_MAX,
            unit: "values",
        });
    }
    if values.contains(&"") {
        return Err(QueryError::Empty { parameter: name.to_owned() });
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use proptest::strategy::Strategy as _;

    use super::*;

    fn objects(query: &str) -> ObjectFilter {
        ObjectFilter::parse(Endpoint::Objects, query).unwrap_or_else(|error| panic!("{query}: {error}"))
    }

    fn set(values: &[&str]) -> BTreeSet<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    #[test]
    fn filters_are_read() {
        let none = ObjectFilter::default;
        let after = Some(1_768_003_200_000_000);
        let limit = |n| NonZeroU32::new(n);
        let last_and_at = VersionMatch {
            at: ["2026-01-10T00:00:00.1Z".parse().unwrap()].into(),
            ..VersionMatch::default()
        };
        let cases = [
            ("", none()),
            ("&&", none()),
            ("unknown=1&unknown=2&x_y", none()),
            ("added_after=2026-01-10T00:00:00Z", ObjectFilter { added_after: after, ..none() }),
            ("added_after=2026-01-10T00%3A00%3A00.000000Z", ObjectFilter { added_after: after, ..none() }),
            ("added_after=2026-01-10T00:00:00.0000009Z", ObjectFilter { added_after: after, ..none() }),
            ("added_after=2026-01-10T01:00:00+01:00", ObjectFilter { added_after: after, ..none() }),
            ("added_after=2026-01-10T01:00:00%2B01:00", ObjectFilter { added_after: after, ..none() }),
            ("limit=1", ObjectFilter { limit: limit(1), ..none() }),
            ("limit=0020", ObjectFilter { limit: limit(20), ..none() }),
            ("limit=99999999999999999999", ObjectFilter { limit: limit(u32::MAX), ..none() }),
            ("next=a%2Fb%2B", ObjectFilter { next: Some("a/b+".to_owned()), ..none() }),
            ("match[type]=indicator", ObjectFilter { types: set(&["indicator"]), ..none() }),
            ("match%5Btype%5D=a%2Cb", ObjectFilter { types: set(&["a", "b"]), ..none() }),
            (
                "match[id]=a--1,b--2&match[spec_version]=2.0,2.1",
                ObjectFilter { ids: set(&["a--1", "b--2"]), spec_versions: set(&["2.0", "2.1"]), ..none() },
            ),
            ("match[version]=last", none()),
            ("match[version]=2026-01-10T00:00:00.100Z,last", ObjectFilter { version: last_and_at, ..none() }),
        ];
        for (query, want) in cases {
            assert_eq!(objects(query), want, "{query}");
        }
    }

    #[test]
    fn bad_filters_are_refused_by_name() {
        let cases = [
            ("match[type]=a&match[type]=b", "`match[type]` occurs more than once"),
            ("match[type]=a&match%5Btype%5D=a", "`match[type]` occurs more than once"),
            ("limit=1&limit=1", "`limit` occurs more than once"),
            ("match[tlp]=red&match[tlp]=red", "`match[tlp]` occurs more than once"),
            ("match[colour]=a", "unknown filter `match[colour]`"),
            ("match[]=a", "unknown filter `match[]`"),
            ("match[type=a", "unknown filter `match[type`"),
            ("match[type]x=a", "unknown filter `match[type]x`"),
            ("limit=0", "`limit`: `0` is not a positive integer"),
            ("limit=-1", "`limit`: `-1` is not a positive integer"),
            ("limit=ten", "`limit`: `ten` is not a positive integer"),
            ("limit=1.5", "`limit`: `1.5` is not a positive integer"),
            ("limit=+1", "`limit`: ` 1` is not a positive integer"),
            ("limit=", "`limit` has an empty value"),
            ("limit", "`limit` has an empty value"),
            ("added_after=yesterday", "`added_after`: `yesterday` is not an RFC 3339 timestamp"),
            ("added_after=2026-02-30T00:00:00Z", "`added_after`: `2026-02-30T00:00:00Z` is not"),
            ("added_after=", "`added_after` has an empty value"),
            ("next=", "`next` has an empty value"),
            ("match[id]=", "`match[id]` has an empty value"),
            ("match[id]=a,,b", "`match[id]` has an empty value"),
            ("match[type]=a,", "`match[type]` has an empty value"),
            ("match[type]=%FF", "`match[type]` is not UTF-8"),
            (
                "match[version]=newest",
                "`match[version]`: `newest` is not `first`, `last`, `all` or a timestamp",
            ),
            ("match[confidence]=high", "`match[confidence]`: `high` is not an integer"),
        ];
        for (query, want) in cases {
            let error = ObjectFilter::parse(Endpoint::Objects, query).expect_err(query).to_string();
            assert!(error.contains(want), "{query}: {error}");
        }
    }

    #[test]
    fn limits_hold_on_both_sides() {
        let types = |count: usize| format!("match[type]={}", vec!["a"; count].join(","));
        let next = |bytes: usize| format!("next={}", "n".repeat(bytes));
        for (query, is_taken) in [
            (types(MATCH_VALUES_MAX), true),
            (types(MATCH_VALUES_MAX + 1), false),
            (next(NEXT_BYTES_MAX), true),
            (next(NEXT_BYTES_MAX + 1), false),
        ] {
            assert_eq!(ObjectFilter::parse(Endpoint::Objects, &query).is_ok(), is_taken, "{}", query.len());
        }
    }

    #[test]
    fn each_endpoint_takes_its_own_filters() {
        use Endpoint::{Delete, Manifest, Object, Objects, Versions};
        let cases: [(&str, &[Endpoint]); 8] = [
            ("added_after=2026-01-10T00:00:00Z", &[Objects, Manifest, Object, Versions]),
            ("limit=1", &[Objects, Manifest, Object, Versions]),
            ("next=n", &[Objects, Manifest, Object, Versions]),
            ("match[id]=a", &[Objects, Manifest]),
            ("match[type]=a", &[Objects, Manifest]),
            ("match[version]=all", &[Objects, Manifest, Object, Delete]),
            ("match[spec_version]=2.1", &[Objects, Manifest, Object, Versions, Delete]),
            ("match[tlp]=red", &[Objects, Manifest]),
        ];
        for (query, takers) in cases {
            for endpoint in [Objects, Manifest, Object, Versions, Delete] {
                let parsed = ObjectFilter::parse(endpoint, query);
                assert_eq!(parsed.is_ok(), takers.contains(&endpoint), "{query} at {endpoint}: {parsed:?}");
            }
        }
    }

    #[test]
    fn versions_are_selected() {
        let times: Vec<Timestamp> =
            (1..=3).map(|day| format!("2026-01-0{day}T00:00:00.000Z").parse().unwrap()).collect();
        let cases = [
            ("", vec![3]),
            ("match[version]=last", vec![3]),
            ("match[version]=first", vec![1]),
            ("match[version]=first,last", vec![1, 3]),
            ("match[version]=all", vec![1, 2, 3]),
            ("match[version]=2026-01-02T00:00:00Z", vec![2]),
            ("match[version]=2026-01-02T00:00:00.0Z,first,2027-01-01T00:00:00Z", vec![1, 2]),
        ];
        for (query, want) in cases {
            let version = objects(query).version;
            let selected: Vec<usize> =
                (1..=3).filter(|day| version.selects(&times[day - 1], *day == 1, *day == 3)).collect();
            assert_eq!(selected, want, "{query}");
        }
    }

    #[test]
    fn the_fingerprint_is_of_the_meaning() {
        let base = "match[type]=a,b&match[id]=c&added_after=2026-01-10T00:00:00Z&match[tlp]=red,clear";
        let same = [
            "match[id]=c&match[tlp]=white,red&added_after=2026-01-10T00%3A00%3A00.000Z&match[type]=b,a",
            "limit=5&next=n&match[type]=a,b,a&match[id]=c&added_after=2026-01-10T00:00:00Z&match[tlp]=red,clear",
            "match[version]=last&match[type]=a,b&match[id]=c&added_after=2026-01-10T00:00:00Z&match[tlp]=red,clear",
        ];
        for query in same {
            assert_eq!(objects(query).fingerprint(), objects(base).fingerprint(), "{query}");
        }
        let different = [
            "",
            base,
            "match[type]=a",
            "match[type]=a,b",
            "match[id]=a,b",
            "match[id]=a&match[type]=b",
            "match[spec_version]=2.1",
            "match[version]=first",
            "match[version]=all",
            "match[version]=first,last",
            "match[version]=2026-01-10T00:00:00Z",
            "added_after=2026-01-10T00:00:00Z",
            "match[tlp]=red",
            "match[confidence]=50",
            "match[confidence-gte]=50",
            "match[name]=a",
            "match[value]=a",
        ];
        let fingerprints: BTreeSet<Vec<u8>> =
            different.iter().map(|query| objects(query).fingerprint()).collect();
        assert_eq!(fingerprints.len(), different.len());
        assert_eq!(
            objects("match[version]=all,first").fingerprint(),
            objects("match[version]=all").fingerprint()
        );
    }

    /// Query strings that come close to the real thing.
    fn nearly_a_query() -> impl proptest::strategy::Strategy<Value = String> {
        let name = "added_after|limit|next|match%5Btlp\\]|match\\[(id|type|version|spec_version|MD5|valid_until-gte)\\]";
        let pair = format!(
            "({name}|.{{0,5}})=?(all|first|[0-9]{{1,12}}|2026-01-10T00:00:00[.0-9]{{0,9}}Z|.{{0,8}})(,|%2C|&|%)?"
        );
        proptest::collection::vec(proptest::string::string_regex(&pair).expect("a regex"), 0..6)
            .prop_map(|pairs| pairs.concat())
    }

    proptest::proptest! {
        #[test]
        fn any_query_is_parsed_or_refused_by_name(query in nearly_a_query()) {
            for endpoint in [Endpoint::Objects, Endpoint::Versions, Endpoint::Delete] {
                match ObjectFilter::parse(endpoint, &query) {
                    Ok(filter) => {
                        let again = ObjectFilter::parse(endpoint, &format!("&{query}&x=")).map(|f| f.fingerprint());
                        proptest::prop_assert_eq!(again, Ok(filter.fingerprint()));
                    }
                    Err(error) => proptest::prop_assert!(error.to_string().contains('`'), "{}", error),
                }
            }
        }
    }
}
