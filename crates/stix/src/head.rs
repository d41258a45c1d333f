//! The head of an object: what an exchange must know of it to store, order and release it.
//!
//! A [`Head`] borrows from the object's bytes. It does not judge: an object whose head can be read
//! may still break the standard, which [`validate`](crate::validate()) tells.

use smallvec::SmallVec;
use thiserror::Error;

use crate::document::{Document, Text, Value};
use crate::limits::Limits;
use crate::scan::{JsonError, Kind};
use crate::timestamp::{ParseTimestampError, StixTimestamp};

/// A short list that needs no memory of its own.
pub type List<T> = SmallVec<[T; 2]>;

/// The properties of an object that an exchange needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// `id`.
    pub id: Text<'a>,
    /// `type`.
    pub type_: Text<'a>,
    /// `spec_version`; an observable may leave it out, which means 2.1 (STIX 2.1 §3.2).
    pub spec_version: Option<Text<'a>>,
    /// `created`.
    pub created: Option<Text<'a>>,
    /// `modified`.
    pub modified: Option<Text<'a>>,
    /// `revoked`, false if absent.
    pub revoked: bool,
    /// `created_by_ref`.
    pub created_by_ref: Option<Text<'a>>,
    /// `object_marking_refs`.
    pub object_marking_refs: List<Text<'a>>,
    /// `granular_markings`.
    pub granular_markings: Vec<GranularMarking<'a>>,
    /// Every other reference to an object, at any depth, in the order of the text.
    pub refs: List<Reference<'a>>,
    /// `labels`.
    pub labels: Vec<Text<'a>>,
    /// `name`.
    pub name: Option<Text<'a>>,
}

/// One entry of `granular_markings` (§7.2.3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GranularMarking<'a> {
    /// What the entry says of the selected content.
    pub mark: Mark<'a>,
    /// What it says it of.
    pub selectors: Vec<Text<'a>>,
}

/// What a granular marking says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark<'a> {
    /// `marking_ref`: the marking that applies.
    Marking(Text<'a>),
    /// `lang`: the language that the content is written in.
    Language(Text<'a>),
    /// Neither: the entry is malformed, and what it means is unknown.
    Unknown,
}

/// A property whose name ends in `_ref` or `_refs`, and one value of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference<'a> {
    /// The property's name, such as `source_ref`.
    pub property: Text<'a>,
    /// The identifier referred to.
    pub id: Text<'a>,
}

/// Why no head could be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HeadError {
    /// The bytes are not JSON, a key occurs twice, or a limit is exceeded.
    #[error("{0}")]
    Json(#[from] JsonError),
    /// The bytes are JSON, but no object.
    #[error("not a JSON object")]
    NotAnObject,
    /// A property without which an object cannot be told from others.
    #[error("`{property}` is missing")]
    Missing {
        /// Its name.
        property: &'static str,
    },
    /// A property that is something other than the standard says.
    #[error("`{property}` is not {expected}")]
    WrongType {
        /// Its name.
        property: &'static str,
        /// What it should be.
        expected: &'static str,
    },
}

impl<'a> Head<'a> {
    /// Reads the head of one object.
    ///
    /// # Errors
    ///
    /// Fails for what is not one JSON object with unique keys, without `id` or `type`, and when a
    /// property of the head has the wrong JSON type.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, HeadError> {
        Self::of(&Document::parse(bytes, &Limits::default())?)
    }

    /// Reads the head from a document that is already parsed.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn of(document: &Document<'a>) -> Result<Self, HeadError> {
        let root = document.root();
        if root.kind() != Kind::Object {
            return Err(HeadError::NotAnObject);
        }
        let mut reader = Reader::default();
        for (key, value) in root.members() {
            reader.member(key, value)?;
        }
        reader.finish()
    }

    /// The text that orders the versions of this object: `modified`, else `created`, else none
    /// (an observable without either has one version only).
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.modified.as_deref().or(self.created.as_deref())
    }

    /// [`version`](Self::version) as a point in time.
    ///
    /// # Errors
    ///
    /// Fails if the text is not a timestamp.
    pub fn version_timestamp(&self) -> Result<Option<StixTimestamp>, ParseTimestampError> {
        self.version().map(StixTimestamp::parse).transpose()
    }

    /// Whether the object is a cyber-observable of the standard (§6).
    #[must_use]
    pub fn is_observable(&self) -> bool {
        crate::vocabulary::OBSERVABLES.contains(&&*self.type_)
    }
}

#[derive(Default)]
struct Reader<'a> {
    id: Option<Text<'a>>,
    type_: Option<Text<'a>>,
    spec_version: Option<Text<'a>>,
    created: Option<Text<'a>>,
    modified: Option<Text<'a>>,
    revoked: bool,
    created_by_ref: Option<Text<'a>>,
    object_marking_refs: List<Text<'a>>,
    granular_markings: Vec<GranularMarking<'a>>,
    refs: List<Reference<'a>>,
    labels: Vec<Text<'a>>,
    name: Option<Text<'a>>,
}

impl<'a> Reader<'a> {
    fn member(&mut self, key: Text<'a>, value: Value<'_, 'a>) -> Result<(), HeadError> {
        match &*key {
            "id" => self.id = Some(string("id", value)?),
            "type" => self.type_ = Some(string("type", value)?),
            "spec_version" => self.spec_version = Some(string("spec_version", value)?),
            "created" => self.created = Some(string("created", value)?),
            "modified" => self.modified = Some(string("modified", value)?),
            "revoked" => self.revoked = boolean("revoked", value)?,
            "created_by_ref" => self.created_by_ref = Some(string("created_by_ref", value)?),
            "object_marking_refs" => self.object_marking_refs = strings("object_marking_refs", value)?.into(),
            "granular_markings" => self.granular_markings = granular_markings(value)?,
            "labels" => self.labels = strings("labels", value)?,
            "name" => self.name = value.text(),
            _ => collect_refs(key, value, &mut self.refs),
        }
        Ok(())
    }

    fn finish(self) -> Result<Head<'a>, HeadError> {
        Ok(Head {
            id: self.id.ok_or(HeadError::Missing { property: "id" })?,
            type_: self.type_.ok_or(HeadError::Missing { property: "type" })?,
            spec_version: self.spec_version,
            created: self.created,
            modified: self.modified,
            revoked: self.revoked,
            created_by_ref: self.created_by_ref,
            object_marking_refs: self.object_marking_refs,
            granular_markings: self.granular_markings,
            refs: self.refs,
            labels: self.labels,
            name: self.name,
        })
    }
}

fn string<'a>(property: &'static str, value: Value<'_, 'a>) -> Result<Text<'a>, HeadError> {
    value.text().ok_or(HeadError::WrongType { property, expected: "a string" })
}

fn boolean(property: &'static str, value: Value<'_, '_>) -> Result<bool, HeadError> {
    match value.kind() {
        Kind::True => Ok(true),
        Kind::False => Ok(false),
        Kind::Null
        | Kind::Integer
        | Kind::Float
        | Kind::String
        | Kind::EscapedString
        | Kind::Array
        | Kind::Object => Err(HeadError::WrongType { property, expected: "a boolean" }),
    }
}

fn strings<'a>(property: &'static str, value: Value<'_, 'a>) -> Result<Vec<Text<'a>>, HeadError> {
    let wrong = HeadError::WrongType { property, expected: "a list of strings" };
    if value.kind() != Kind::Array {
        return Err(wrong);
    }
    value.elements().map(|element| element.text().ok_or_else(|| wrong.clone())).collect()
}

fn granular_markings<'a>(value: Value<'_, 'a>) -> Result<Vec<GranularMarking<'a>>, HeadError> {
    let wrong = HeadError::WrongType { property: "granular_markings", expected: "a list of objects" };
    if value.kind() != Kind::Array {
        return Err(wrong);
    }
    let mut markings = Vec::new();
    for entry in value.elements() {
        if entry.kind() != Kind::Object {
            return Err(wrong);
        }
        let selectors = match entry.get("selectors") {
            Some(selectors) => strings("selectors", selectors)?,
            None => Vec::new(),
        };
        let of = |key: &str| entry.get(key).and_then(|value| value.text());
        // A marking outweighs a language: what is both must not be taken for harmless.
        let mark = match (of("marking_ref"), of("lang")) {
            (Some(marking), _) => Mark::Marking(marking),
            (None, Some(language)) if entry.get("marking_ref").is_none() => Mark::Language(language),
            (None, _) => Mark::Unknown,
        };
        markings.push(GranularMarking { mark, selectors });
    }
    Ok(markings)
}

/// Collects references below a property. The depth is bounded by the document's own limit.
fn collect_refs<'a>(key: Text<'a>, value: Value<'_, 'a>, refs: &mut List<Reference<'a>>) {
    match value.kind() {
        Kind::String | Kind::EscapedString if key.ends_with("_ref") => {
            refs.extend(value.text().map(|id| Reference { property: key, id }));
        }
        Kind::Array => {
            let is_list = key.ends_with("_refs");
            for element in value.elements() {
                match element.text() {
                    Some(id) if is_list => refs.push(Reference { property: key.clone(), id }),
                    Some(_) => {}
                    None => collect_refs(Text::Borrowed(""), element, refs),
                }
            }
        }
        Kind::Object => {
            for (key, member) in value.members() {
                collect_refs(key, member, refs);
            }
        }
        Kind::Null
        | Kind::True
        | Kind::False
        | Kind::Integer
        | Kind::Float
        | Kind::String
        | Kind::EscapedString => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_head_is_read_from_the_bytes() {
        let text = br#"{
            "type": "report", "spec_version": "2.1",
            "id": "report--84e4d88f-44ea-4bcd-bbf3-b2c1c320bcb3",
            "created": "2015-12-21T19:59:11.000Z", "modified": "2016-12-21T19:59:11.000Z",
            "created_by_ref": "identity--a", "revoked": true, "name": "The \"Vault\"",
            "labels": ["l1", "l2"],
            "object_marking_refs": ["marking-definition--m"],
            "granular_markings": [
                {"marking_ref": "marking-definition--g", "selectors": ["name", "labels.[0]"]},
                {"lang": "fr", "selectors": ["description"]},
                {"selectors": []}
            ],
            "object_refs": ["indicator--1", "campaign--2"],
            "extensions": {"x": {"deep": [{"some_ref": "identity--3"}], "preference": "identity--no"}}
        }"#;
        let head = Head::parse(text).expect("a report");
        assert_eq!(head.id, "report--84e4d88f-44ea-4bcd-bbf3-b2c1c320bcb3");
        assert_eq!(head.name.as_deref(), Some("The \"Vault\""));
        assert_eq!(head.version(), Some("2016-12-21T19:59:11.000Z"));
        assert!(head.revoked);
        assert_eq!(head.labels, ["l1", "l2"]);
        assert_eq!(head.object_marking_refs.as_slice(), ["marking-definition--m"]);
        let marks: Vec<_> = head.granular_markings.iter().map(|marking| marking.mark.clone()).collect();
        let want =
            [Mark::Marking("marking-definition--g".into()), Mark::Language("fr".into()), Mark::Unknown];
        assert_eq!(marks, want);
        let refs: Vec<_> = head.refs.iter().map(|r| (&*r.property, &*r.id)).collect();
        let want =
            [("object_refs", "indicator--1"), ("object_refs", "campaign--2"), ("some_ref", "identity--3")];
        assert_eq!(refs, want);
    }

    #[test]
    fn a_head_that_two_readers_could_read_differently_is_refused() {
        let refused = |text: &str| Head::parse(text.as_bytes()).expect_err(text).to_string();
        assert_eq!(refused(r#"{"type":"a","id":7}"#), "`id` is not a string");
        assert_eq!(refused(r#"{"type":"a"}"#), "`id` is missing");
        assert_eq!(refused("[]"), "not a JSON object");
        assert_eq!(refused(r#"{"type":"a","id":"x","labels":["a",1]}"#), "`labels` is not a list of strings");
        assert_eq!(
            refused(r#"{"type":"a","id":"x","id":"y"}"#),
            "duplicate key in an object at line 1, column 23 (byte 22)"
        );
    }

    #[test]
    fn the_version_falls_back_to_created() {
        let version =
            |text: &'static str| Head::parse(text.as_bytes()).expect("a head").version().map(str::to_owned);
        assert_eq!(version(r#"{"type":"a","id":"x","created":"c","modified":"m"}"#).as_deref(), Some("m"));
        assert_eq!(version(r#"{"type":"a","id":"x","created":"c"}"#).as_deref(), Some("c"));
        assert_eq!(version(r#"{"type":"url","id":"x"}"#), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Head::parse(&bytes);
        }
    }
}
