//! `/content`: what the exchange holds, as far as whoever looks may read it.
//!
//! A search is a poll: what it shows is recorded as handed out, and what one may not read is neither shown nor counted.

pub(crate) mod object;
mod pattern;

use std::num::NonZeroU32;

use askama::Template;
use axum::extract::State;
use exchange::{CollectionView, ContentSearch, Exchange, FoundObject};
use model::{Caller, MemberId, Timestamp};
use serde_json::{Value, json};
use ties::Day;

use crate::asked::Asked;
use crate::console::Console;
use crate::export::{Format, Part};
use crate::frame::Frame;
use crate::pages::Choice;
use crate::pages::content::pattern::{Piece, highlighted};
use crate::problem::{Answer, Problem, page};
use crate::query::encode;
use crate::svg::shortened;
use crate::words;

/// How many objects a page shows, and one part of a file has.
const PAGE_MAX: NonZeroU32 = NonZeroU32::new(50).expect("it is not zero");
const PART_MAX: NonZeroU32 = NonZeroU32::new(1_000).expect("it is not zero");
/// How much of a text stands in a table.
const TEXT_LETTERS: usize = 240;

/// TLP levels and the marking definitions that mean them: TLP 2.0, and TLP 1 (STIX 2.1 §7.2.1.4).
const TLP: [(&str, &[&str]); 5] = [
    (
        "clear",
        &[
            "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
            "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9",
        ],
    ),
    (
        "green",
        &[
            "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
            "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da",
        ],
    ),
    (
        "amber",
        &[
            "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
            "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82",
        ],
    ),
    ("amber+strict", &["marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003"]),
    (
        "red",
        &[
            "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
            "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed",
        ],
    ),
];

/// Types that are common enough to be offered.
const TYPES: [&str; 14] = [
    "indicator",
    "observed-data",
    "sighting",
    "report",
    "malware",
    "campaign",
    "threat-actor",
    "attack-pattern",
    "intrusion-set",
    "vulnerability",
    "identity",
    "relationship",
    "note",
    "domain-name",
];

#[derive(Template)]
#[template(path = "content.html")]
struct ContentPageView {
    frame: Frame,
    collections: Vec<CollectionRow>,
    /// Those of which every member reads only its own, until they are published elsewhere.
    held: Vec<CollectionRow>,
    searched: Option<String>,
    is_held: bool,
    text: String,
    types: Vec<Choice>,
    markings: Vec<Choice>,
    marking_other: String,
    creator: String,
    added: String,
    from: String,
    before: String,
    as_member: String,
    as_name: Option<String>,
    rows: Vec<Row>,
    count: String,
    is_over: bool,
    next: Option<String>,
    csv: String,
    json: String,
}

struct CollectionRow {
    href: String,
    title: String,
    description: String,
    tier: String,
    is_current: bool,
}

/// An object, in a line.
pub(super) struct Row {
    id: String,
    href: String,
    kind: String,
    name: String,
    pattern: Vec<Piece>,
    markings: Vec<String>,
    creator: String,
    changed: String,
    date: String,
    is_revoked: bool,
    /// Whether the member as whom one looks can have it.
    seen: Option<bool>,
}

/// What a marking definition is called by people.
pub(super) fn marking_word(id: &str) -> String {
    let known = TLP.iter().find(|(_, ids)| ids.contains(&id));
    known.map_or_else(|| id.to_owned(), |(word, _)| format!("TLP:{}", word.to_uppercase()))
}

struct Search {
    search: ContentSearch,
    as_member: Option<MemberId>,
}

fn search_of(asked: &Asked) -> Result<Search, Problem> {
    let get = |name: &str| asked.query.get(name);
    let wrong =
        |name: &str, error: &dyn std::fmt::Display| Problem::bad_request(format!("`{name}`: {error}"));
    let day = |name: &str| -> Result<Option<Timestamp>, Problem> {
        let day = get(name).map(str::parse::<Day>).transpose().map_err(|error| wrong(name, &error))?;
        let instant = day.map(|day| format!("{day}T00:00:00Z").parse::<Timestamp>()).transpose();
        instant.map_err(|error| wrong(name, &error))
    };
    let mut search = ContentSearch {
        text: get("q").map(str::to_owned),
        types: asked.query.all("type").map(str::to_owned).collect(),
        creator: get("creator").map(str::to_owned),
        // What was added on the day itself belongs to it.
        added_after: day("added")?.map(|at| at.plus_micros(-1)),
        modified_from: day("from")?,
        modified_before: day("before")?,
        ..ContentSearch::default()
    };
    for word in asked.query.all("marking") {
        match TLP.iter().find(|(known, _)| *known == word) {
            Some((_, ids)) => search.markings.extend(ids.iter().map(|&id| id.to_owned())),
            None => search.markings.extend([word.to_owned()]),
        }
    }
    let as_member = get("as").map(str::parse::<MemberId>).transpose().map_err(|error| wrong("as", &error))?;
    Ok(Search { search, as_member })
}

/// What was found.
#[derive(Default)]
struct Found {
    objects: Vec<(FoundObject, Option<bool>)>,
    more: bool,
    next: Option<String>,
    as_name: Option<String>,
}

fn find(
    exchange: &Exchange,
    caller: &Caller,
    collection: &CollectionView,
    wanted: &Search,
    limit: NonZeroU32,
    next: Option<&str>,
) -> Result<Found, Problem> {
    let alias = &collection.collection.alias;
    let page = exchange.search(caller, alias, &wanted.search, limit, next)?;
    let mut found = Found { more: page.served.more, next: page.served.next, ..Found::default() };
    let sight = match &wanted.as_member {
        None => None,
        Some(member) => {
            let (name, open) = exchange.labels_open_to(caller, member)?;
            found.as_name = Some(name);
            Some(open)
        }
    };
    let seen = |object: &FoundObject| sight.as_ref().map(|open| open.contains(&object.label.number()));
    found.objects = page
        .objects
        .into_iter()
        .map(|object| {
            let seen = seen(&object);
            (object, seen)
        })
        .collect();
    Ok(found)
}

/// Answers `GET /content`.
pub(crate) async fn get(State(console): State<Console>, asked: Asked) -> Answer {
    let caller = asked.caller();
    let wanted = search_of(&asked)?;
    let format = asked.format()?;
    let chosen = asked.query.get("collection").map(str::to_owned);
    let next = asked.query.get("next").map(str::to_owned);
    if let Some(format) = format {
        return file(&asked, format, chosen, wanted, next).await;
    }
    let name = chosen.clone();
    let (collections, chosen, found) = console
        .read(move |exchange| -> Result<_, Problem> {
            let mut collections = exchange.collections(&caller);
            collections.retain(|view| view.can_read);
            let chosen = match &name {
                None => None,
                Some(name) => {
                    let view = exchange.collection(&caller, name)?;
                    Some(view)
                }
            };
            let found = match &chosen {
                Some(view) => find(exchange, &caller, view, &wanted, PAGE_MAX, next.as_deref())?,
                None => Found::default(),
            };
            Ok((collections, chosen, found))
        })
        .await?;
    let rows: Vec<Row> = found.objects.iter().map(|(object, seen)| row(object, *seen)).collect();
    page(&view(&asked, &collections, chosen.as_ref(), found.as_name, rows, found.more, found.next))
}

/// Everything that a search finds from a page on, to its end.
async fn file(
    asked: &Asked,
    format: Format,
    chosen: Option<String>,
    wanted: Search,
    next: Option<String>,
) -> Answer {
    let name = format!("content-{}", chosen.as_deref().unwrap_or("none"));
    let part = move |exchange: &Exchange, caller: &Caller, next: Option<String>| {
        let Some(chosen) = &chosen else { return Ok(Part { rows: Vec::new(), next: None }) };
        let view = exchange.collection(caller, chosen)?;
        let found = find(exchange, caller, &view, &wanted, PART_MAX, next.as_deref())?;
        let rows = found.objects.iter().map(|(object, seen)| cells(&row(object, *seen))).collect();
        Ok(Part { rows, next: found.next.filter(|_| found.more).map(Some) })
    };
    asked.file(format, &name, &COLUMNS, next, part).await
}

fn view(
    asked: &Asked,
    collections: &[CollectionView],
    chosen: Option<&CollectionView>,
    as_name: Option<String>,
    rows: Vec<Row>,
    more: bool,
    next: Option<String>,
) -> ContentPageView {
    let get = |name: &str| asked.query.get(name).unwrap_or_default().to_owned();
    let row = |view: &CollectionView| CollectionRow {
        href: format!("/content?collection={}", encode(&view.collection.alias)),
        title: view.collection.title.clone(),
        description: view.collection.description.clone().unwrap_or_default(),
        tier: view.collection.tier.to_string(),
        is_current: chosen.is_some_and(|chosen| chosen.collection.id == view.collection.id),
    };
    let (shared, held): (Vec<_>, Vec<_>) = collections.iter().partition(|view| view.collection.shared);
    let choice = |chosen: bool, value: &str| Choice {
        value: value.to_owned(),
        label: value.to_owned(),
        is_chosen: chosen,
    };
    let marking = get("marking");
    let kind = get("type");
    let is_tlp = TLP.iter().any(|(word, _)| *word == marking);
    ContentPageView {
        collections: shared.into_iter().map(row).collect(),
        held: held.into_iter().map(row).collect(),
        searched: chosen.map(|view| view.collection.alias.clone()),
        is_held: chosen.is_some_and(|view| !view.collection.shared),
        text: get("q"),
        types: TYPES.iter().map(|one| choice(kind == *one, one)).collect(),
        markings: TLP.iter().map(|(word, _)| choice(marking == *word, word)).collect(),
        marking_other: if is_tlp { String::new() } else { marking },
        creator: get("creator"),
        added: get("added"),
        from: get("from"),
        before: get("before"),
        as_member: get("as"),
        as_name,
        count: words::count(rows.len(), "object", "objects"),
        rows,
        is_over: !more,
        next: next.map(|next| asked.link("next", Some(&next))),
        csv: asked.query.with("next", None).with("format", Some("csv")).link(&asked.path),
        json: asked.query.with("next", None).with("format", Some("json")).link(&asked.path),
        frame: asked.frame("Content"),
    }
}

/// The text of an object that says most of it in a line.
pub(super) fn headline(object: &Value) -> String {
    let text = |name: &str| object[name].as_str().unwrap_or_default();
    let named = ["name", "value", "path", "key", "abstract", "content", "description", "opinion"].map(text);
    if let Some(text) = named.into_iter().find(|text| !text.is_empty()) {
        return text.to_owned();
    }
    match (text("source_ref"), text("target_ref"), text("sighting_of_ref")) {
        (_, _, of) if !of.is_empty() => format!("of {of}"),
        (from, to, _) if !from.is_empty() => format!("{from} {} {to}", text("relationship_type")),
        _ => String::new(),
    }
}

pub(super) fn markings_of(object: &Value) -> Vec<String> {
    let ids = object["object_marking_refs"].as_array().into_iter().flatten().filter_map(Value::as_str);
    ids.map(marking_word).collect()
}

fn row(found: &FoundObject, seen: Option<bool>) -> Row {
    let object: Value = serde_json::from_slice(&found.object).unwrap_or_default();
    let text = |name: &str| object[name].as_str().unwrap_or_default().to_owned();
    Row {
        href: format!("/content/{}", encode(&text("id"))),
        id: text("id"),
        kind: text("type"),
        name: shortened(&headline(&object), TEXT_LETTERS),
        pattern: highlighted(&shortened(&text("pattern"), TEXT_LETTERS)),
        markings: markings_of(&object),
        creator: text("created_by_ref"),
        changed: if object["modified"].is_string() { text("modified") } else { text("created") },
        date: words::moment(found.date),
        is_revoked: object["revoked"] == true,
        seen,
    }
}

/// The columns of the file.
const COLUMNS: [&str; 10] = [
    "object",
    "type",
    "name",
    "pattern",
    "markings",
    "creator",
    "changed",
    "added",
    "revoked",
    "seen_by_member",
];

fn cells(row: &Row) -> Vec<Value> {
    let pattern: String = row.pattern.iter().map(|piece| piece.text.as_str()).collect();
    vec![
        json!(row.id),
        json!(row.kind),
        json!(row.name),
        json!(pattern),
        json!(row.markings.join("; ")),
        json!(row.creator),
        json!(row.changed),
        json!(row.date),
        json!(row.is_revoked),
        json!(row.seen),
    ]
}
