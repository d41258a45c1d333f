//! `/ties`: what is known of who owns, controls and supplies whom, beyond the members themselves.
//!
//! One page for each question: an entity by its name, the lists, names that may be the same, what is contradictory or
//! unknown, and what a file would change before it does.

pub(crate) mod entity;
pub(crate) mod import;
pub(crate) mod lists;
pub(crate) mod matches;
pub(crate) mod unsettled;

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::State;
use exchange::{ENTITIES_FOUND_MAX, EntityFound, Exchange, MatchState};
use model::Caller;
use serde_json::json;

use crate::asked::Asked;
use crate::console::Console;
use crate::export::Table;
use crate::frame::Frame;
use crate::problem::{Answer, Problem, page};
use crate::query::encode;
use crate::words;

/// A page about ties that one can go to from each of them.
pub(crate) struct Tab {
    href: &'static str,
    label: String,
    is_current: bool,
}

/// The pages about ties. How many matches wait is told beside theirs.
pub(crate) fn tabs(current: &str, waiting: usize) -> Vec<Tab> {
    let matches =
        if waiting == 0 { "Same company?".to_owned() } else { format!("Same company? {waiting} wait") };
    let all = [
        ("/ties", "Search".to_owned()),
        ("/ties/lists", "Lists and parties of concern".to_owned()),
        ("/ties/matches", matches),
        ("/ties/unsettled", "Conflicts and unknowns".to_owned()),
        ("/ties/import", "Import".to_owned()),
    ];
    all.map(|(href, label)| Tab { href, label, is_current: href == current }).into()
}

/// How many matches wait for a person.
pub(crate) fn waiting(exchange: &Exchange, caller: &Caller) -> Result<usize, Problem> {
    Ok(exchange.matches(caller, MatchState::Open, 0, 1)?.open)
}

/// The page of an entity.
pub(crate) fn entity_link(id: &ties::EntityId) -> String {
    format!("/entities/{}", encode(id.as_str()))
}

/// The page of a tie. Under a part of its own, since ties are called as their sources call them, `import` too.
pub(crate) fn tie_link(id: &ties::TieId) -> String {
    format!("/ties/at/{}", encode(id.as_str()))
}

#[derive(Template)]
#[template(path = "ties.html")]
struct TiesPage {
    frame: Frame,
    tabs: Vec<Tab>,
    query: String,
    was_asked: bool,
    rows: Vec<Row>,
    count: String,
    is_cut_short: bool,
    csv: String,
    json: String,
}

/// An entity that was found.
struct Row {
    id: String,
    href: String,
    name: String,
    others: Vec<String>,
    kind: &'static str,
    countries: String,
    identifiers: Vec<String>,
    member: Option<String>,
    concern: Vec<String>,
    lists: Vec<String>,
}

/// Answers `GET /ties`.
pub(crate) async fn get(State(console): State<Console>, asked: Asked) -> Answer {
    let caller = asked.caller();
    let query = asked.query.get("q").unwrap_or_default().to_owned();
    let text = query.clone();
    let (waiting, found) = console
        .read(move |exchange| -> Result<_, Problem> {
            let waiting = waiting(exchange, &caller)?;
            if text.is_empty() {
                return Ok((waiting, None));
            }
            Ok((waiting, Some(exchange.find_entities(&caller, &text, ENTITIES_FOUND_MAX)?)))
        })
        .await?;
    let was_asked = found.is_some();
    let found = found.unwrap_or_default();
    let rows: Vec<Row> = found.entities.iter().map(row).collect();
    if let Some(format) = asked.format()? {
        return table(&rows).answer(format, "entities");
    }
    page(&TiesPage {
        tabs: tabs("/ties", waiting),
        query,
        was_asked,
        count: words::count(rows.len(), "entity", "entities"),
        rows,
        is_cut_short: found.is_cut_short,
        csv: asked.link("format", Some("csv")),
        json: asked.link("format", Some("json")),
        frame: asked.frame("Ties"),
    })
}

fn row(found: &EntityFound) -> Row {
    let entity = &found.entity;
    let name = entity.name().to_owned();
    let others: BTreeSet<&str> = entity.names.iter().map(|name| name.text.as_str()).collect();
    Row {
        id: entity.id.to_string(),
        href: entity_link(&entity.id),
        others: others.into_iter().filter(|other| *other != name).map(str::to_owned).take(3).collect(),
        name,
        kind: words::entity_kind(entity.kind),
        countries: entity.countries.join(", "),
        identifiers: entity
            .identifiers
            .iter()
            .map(|id| format!("{} {}", id.scheme, id.value))
            .take(4)
            .collect(),
        member: found.member.as_ref().map(ToString::to_string),
        concern: found.concern.iter().map(ToString::to_string).collect(),
        lists: found.lists.iter().map(ToString::to_string).collect(),
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table =
        Table::new(&["entity", "name", "kind", "countries", "identifiers", "member", "concern", "lists"]);
    table.rows = rows
        .iter()
        .map(|row| {
            vec![
                json!(row.id),
                json!(row.name),
                json!(row.kind),
                json!(row.countries),
                json!(row.identifiers.join("; ")),
                json!(row.member),
                json!(row.concern.join("; ")),
                json!(row.lists.join("; ")),
            ]
        })
        .collect();
    table
}
