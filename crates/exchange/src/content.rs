//! Content for people: what a reader may have, searched as people search.
//!
//! A search is a poll with a closer look: the same view, the same order, the same dates, and what it hands out is recorded
//! as a disclosure before it leaves. What the reader may not have is neither looked at nor counted.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use ledger::entry::Resource;
use model::{Caller, LabelId, Timestamp};
use release::View;
use serde_json::Value;
use store::{Snapshot, StoreError};
use taxii::{ObjectFilter, VersionMatch};

use crate::error::ReadError;
use crate::exchange::Exchange;
use crate::read::{Chosen, Served, Unless};

/// What is searched for. What is left out, everything passes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContentSearch {
    /// A text that stands somewhere in the object, whatever the case of its ASCII letters: a value, a name, a part of a pattern.
    pub text: Option<String>,
    /// One of these STIX types.
    pub types: BTreeSet<String>,
    /// One of these marking definitions, on the object as a whole.
    pub markings: BTreeSet<String>,
    /// The identity that created it.
    pub creator: Option<String>,
    /// Added to the collection, for this reader, after this instant.
    pub added_after: Option<Timestamp>,
    /// Created or last changed by its creator not before this instant.
    pub modified_from: Option<Timestamp>,
    /// Created or last changed by its creator before this instant.
    pub modified_before: Option<Timestamp>,
}

impl ContentSearch {
    /// Whether it asks about what only the body says.
    pub(crate) fn needs_body(&self) -> bool {
        self.text.is_some()
            || !self.markings.is_empty()
            || self.creator.is_some()
            || self.modified_from.is_some()
            || self.modified_before.is_some()
    }

    /// Whether an object is found.
    pub(crate) fn wants(&self, body: &[u8]) -> bool {
        if self.text.as_deref().is_some_and(|text| !holds(body, text)) {
            return false;
        }
        if self.markings.is_empty()
            && self.creator.is_none()
            && self.modified_from.is_none()
            && self.modified_before.is_none()
        {
            return true;
        }
        let Ok(object) = serde_json::from_slice::<Value>(body) else { return false };
        let markings =
            object["object_marking_refs"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let is_marked = || markings.into_iter().any(|marking| self.markings.contains(marking));
        let is_of = |creator: &String| object["created_by_ref"].as_str() == Some(creator);
        (self.markings.is_empty() || is_marked())
            && self.creator.as_ref().is_none_or(is_of)
            && self.is_in_time(&object)
    }

    fn is_in_time(&self, object: &Value) -> bool {
        if self.modified_from.is_none() && self.modified_before.is_none() {
            return true;
        }
        let text = object["modified"].as_str().or_else(|| object["created"].as_str());
        let Some(at) = text.and_then(|text| text.parse::<Timestamp>().ok()) else { return false };
        self.modified_from.is_none_or(|from| from <= at)
            && self.modified_before.is_none_or(|before| at < before)
    }

    /// For binding a cursor to the search that it belongs to.
    pub(crate) fn fingerprint(&self) -> Vec<u8> {
        format!("{self:?}").into_bytes()
    }
}

/// Whether a text stands in a body, as JSON escapes it, whatever the case of its ASCII letters.
fn holds(body: &[u8], text: &str) -> bool {
    let escaped = Value::from(text).to_string();
    let needle = escaped.get(1..escaped.len() - 1).unwrap_or(text).as_bytes();
    // Bodies are gone through by the byte of the text that is met least often, and compared where it is met.
    let Some((at, rare)) = needle.iter().enumerate().max_by_key(|(_, byte)| rarity(**byte)) else {
        return true;
    };
    let mut places = memchr::memchr2_iter(rare.to_ascii_lowercase(), rare.to_ascii_uppercase(), body);
    places.any(|place| {
        let window = place.checked_sub(at).and_then(|from| body.get(from..from + needle.len()));
        window.is_some_and(|window| window.eq_ignore_ascii_case(needle))
    })
}

/// How seldom a byte is met in STIX objects, from 0 for those that are met most.
fn rarity(byte: u8) -> usize {
    const COMMON: &[u8] = b"\"e-tioa0nrsdcl:,4fm8p2b1u_ 3965y7.ghv/wk{}[]'=xjqz";
    COMMON.iter().position(|common| *common == byte.to_ascii_lowercase()).unwrap_or(COMMON.len())
}

/// An object that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundObject {
    /// Since when this reader can have it.
    pub date: Timestamp,
    /// The label under which it lies.
    pub label: LabelId,
    /// Its bytes.
    pub object: Vec<u8>,
}

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContentPage {
    /// The objects, in the order of their dates.
    pub objects: Vec<FoundObject>,
    /// Where it goes on.
    pub served: Served,
}

impl Exchange {
    /// Searches a collection for what the caller may have: the last version of each object, at most `limit` of them.
    ///
    /// # Errors
    ///
    /// See [`ReadError`]. Whatever the reason, nothing was handed out.
    pub fn search(
        &self,
        caller: &Caller,
        collection: &str,
        search: &ContentSearch,
        limit: NonZeroU32,
        next: Option<&str>,
    ) -> Result<ContentPage, ReadError> {
        let filter = ObjectFilter {
            added_after: search.added_after.map(Timestamp::as_micros),
            limit: Some(limit),
            next: next.map(str::to_owned),
            types: search.types.clone(),
            ..ObjectFilter::default()
        };
        let asked = Unless { search: Some(search), ..self.unless(&[]) };
        asked.answer(caller, collection, &filter, Resource::Objects, None, |_, view, snapshot, chosen| {
            content(view, snapshot, &chosen)
        })
    }

    /// Every version of one object that the caller may have, in the order of their dates.
    ///
    /// # Errors
    ///
    /// See [`ReadError`]. Whatever the reason, nothing was handed out.
    pub fn content(&self, caller: &Caller, collection: &str, object: &str) -> Result<ContentPage, ReadError> {
        let version = VersionMatch { all: true, last: false, ..VersionMatch::default() };
        let filter = ObjectFilter { version, ..ObjectFilter::default() };
        let asked = self.unless(&[]);
        asked.answer(
            caller,
            collection,
            &filter,
            Resource::Object,
            Some(object),
            |_, view, snapshot, chosen| content(view, snapshot, &chosen),
        )
    }
}

fn content(view: &View, snapshot: &dyn Snapshot, chosen: &Chosen) -> Result<ContentPage, StoreError> {
    let mut objects = Vec::with_capacity(chosen.page.count);
    for piece in &chosen.page.pieces {
        for index in piece.first..piece.first + piece.count {
            let mut object = Vec::new();
            snapshot.read(view, &piece.run, index, 1, &mut object)?;
            let date = piece.date.plus_micros(i64::from(index - piece.first) * 2);
            objects.push(FoundObject { date, label: piece.run.id.label, object });
        }
    }
    Ok(ContentPage { objects, served: chosen.served.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OBJECT: &[u8] = br#"{"type":"indicator","id":"indicator--1","created":"2012-01-13T00:00:00.000Z",
        "modified":"2012-02-13T00:00:00.000Z","created_by_ref":"identity--a","object_marking_refs":["marking-definition--g"],
        "pattern":"[domain-name:value = 'Evil.example' AND file:name = \"a\\\\b\"]"}"#;

    #[test]
    fn an_object_is_found_by_what_it_says() {
        let text = |text: &str| ContentSearch { text: Some(text.to_owned()), ..ContentSearch::default() };
        let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        let set = |text: &str| BTreeSet::from([text.to_owned()]);
        let default = ContentSearch::default;
        let cases = [
            (default(), true),
            (text("evil.EXAMPLE"), true),
            (text("'Evil.example'"), true),
            (text("\"a\\b\""), false),
            (text("good.example"), false),
            (text("E"), true),
            (text("{\"TYPE"), false),
            (text("a\\\\b"), true),
            (text("\u{e9}"), false),
            (text("g"), true),
            (ContentSearch { markings: set("marking-definition--g"), ..default() }, true),
            (ContentSearch { markings: set("marking-definition--r"), ..default() }, false),
            (ContentSearch { creator: Some("identity--a".to_owned()), ..default() }, true),
            (ContentSearch { creator: Some("identity--b".to_owned()), ..text("evil") }, false),
            (ContentSearch { modified_from: at("2012-02-13T00:00:00Z"), ..default() }, true),
            (ContentSearch { modified_before: at("2012-02-13T00:00:00Z"), ..default() }, false),
        ];
        for (search, want) in cases {
            assert_eq!(!search.needs_body() || search.wants(OBJECT), want, "{search:?}");
        }
    }
}
