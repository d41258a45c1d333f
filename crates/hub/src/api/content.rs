//! `GET /api/content`: what a caller may have, searched as people search. A search is a poll: what it hands out is
//! recorded, and what the caller may not have is neither looked at nor counted.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use exchange::ContentSearch;
use hyper::StatusCode;
use model::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::answer::json;
use crate::api::{limit, parameters};
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;

/// How many objects a page has, where nothing else is said, and at most.
const PAGE_DEFAULT: usize = 50;
const PAGE_MAX: usize = 100;

/// The parameters.
const NAMES: [&str; 10] = [
    "collection",
    "text",
    "types",
    "markings",
    "creator",
    "added_after",
    "modified_from",
    "modified_before",
    "limit",
    "next",
];

#[derive(Serialize)]
struct Found {
    date: Timestamp,
    /// To the programme's people: labels are numbered over all that there are, which a member is not to count.
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<u32>,
    object: Value,
}

#[derive(Serialize)]
struct Page {
    objects: Vec<Found>,
    more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Answers the objects of a collection that are found.
pub(crate) async fn search(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let values = parameters(query.as_deref(), NAMES)?;
    let [collection, text, types, markings, creator, added_after, from, before, most, next] = values;
    let collection = collection.ok_or_else(|| Refusal::bad_request("`collection` is where to search"))?;
    let instant = |name: &str, text: Option<String>| {
        let read = text.map(|text| text.parse::<Timestamp>()).transpose();
        read.map_err(|error| Refusal::bad_request(format!("`{name}`: {error}")))
    };
    let search = ContentSearch {
        text,
        types: words(types),
        markings: words(markings),
        creator,
        added_after: instant("added_after", added_after)?,
        modified_from: instant("modified_from", from)?,
        modified_before: instant("modified_before", before)?,
    };
    let most = limit(most.as_deref(), PAGE_DEFAULT, PAGE_MAX)?;
    let most = u32::try_from(most).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
    let is_people = caller.role().is_some();
    let found = hub
        .read(move |exchange| exchange.search(&caller, &collection, &search, most, next.as_deref()))
        .await?;
    let told = |one: &exchange::FoundObject| {
        let object = serde_json::from_slice(&one.object).map_err(Refusal::internal)?;
        let label = is_people.then(|| one.label.number());
        Ok(Found { date: one.date, label, object })
    };
    let objects = found.objects.iter().map(told).collect::<Result<_, Refusal>>()?;
    json(StatusCode::OK, &Page { objects, more: found.served.more, next: found.served.next })
}

/// Words with commas between them.
fn words(text: Option<String>) -> BTreeSet<String> {
    let text = text.unwrap_or_default();
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}
