//! `/ties/lists`: the lists, which of them make a party of concern, and whom each names since when.

use askama::Template;
use axum::extract::State;
use exchange::{ListView, Named};
use serde_json::json;
use ties::{ListId, Truth};

use crate::asked::{Asked, Files};
use crate::console::Console;
use crate::export::Table;
use crate::frame::Frame;
use crate::pages::ties::entity::clocks;
use crate::pages::ties::{Tab, entity_link, tabs, waiting};
use crate::problem::{Answer, Problem, page};
use crate::words;

/// How many of a list a page shows; the file of it has all.
const ROWS_MAX: usize = 200;

#[derive(Template)]
#[template(path = "lists.html")]
struct ListsPage {
    frame: Frame,
    tabs: Vec<Tab>,
    lists: Vec<ListRow>,
    chosen: Option<Chosen>,
    as_of: String,
    lists_files: Files,
    csv: String,
    json: String,
}

struct ListRow {
    name: String,
    href: String,
    is_concern: bool,
    named: usize,
    members: Vec<String>,
    documents: String,
    recorded: String,
}

/// A list, opened.
struct Chosen {
    name: String,
    query: String,
    rows: Vec<Row>,
    found: usize,
    all: usize,
}

struct Row {
    id: String,
    name: String,
    href: String,
    holds: String,
    is_possible: bool,
    programme: String,
    source: String,
    statement: String,
    member: Option<String>,
}

/// Answers `GET /ties/lists`.
pub(crate) async fn get(State(console): State<Console>, asked: Asked) -> Answer {
    let caller = asked.caller();
    let list = asked.query.get("list").map(str::parse::<ListId>).transpose();
    let list = list.map_err(|error| Problem::bad_request(format!("`list`: {error}")))?;
    let as_of = clocks(&asked)?;
    let wanted = list.clone();
    let (waiting, lists, named) = console
        .read(move |exchange| -> Result<_, Problem> {
            let named = wanted.map(|list| exchange.listed_on(&caller, &list, as_of)).transpose()?;
            Ok((waiting(exchange, &caller)?, exchange.lists(&caller, as_of)?, named))
        })
        .await?;
    let lists: Vec<ListRow> = lists.iter().map(|view| list_row(&asked, view)).collect();
    let chosen = list.zip(named).map(|(list, named)| chosen(&asked, &list, &named));
    if let Some(format) = asked.format()? {
        return match &chosen {
            Some(chosen) if asked.query.get("table") != Some("lists") => {
                of_rows(&chosen.rows).answer(format, &format!("list-{}", chosen.name))
            }
            _ => of_lists(&lists).answer(format, "lists"),
        };
    }
    page(&ListsPage {
        tabs: tabs("/ties/lists", waiting),
        lists,
        chosen: chosen
            .map(|chosen| Chosen { rows: chosen.rows.into_iter().take(ROWS_MAX).collect(), ..chosen }),
        as_of: asked.query.get("as_of").unwrap_or_default().to_owned(),
        lists_files: asked.files_of("lists"),
        csv: asked.link("format", Some("csv")),
        json: asked.link("format", Some("json")),
        frame: asked.frame("Lists and parties of concern"),
    })
}

fn list_row(asked: &Asked, view: &ListView) -> ListRow {
    ListRow {
        name: view.list.to_string(),
        href: asked.query.with("q", None).with("list", Some(view.list.as_str())).link(&asked.path),
        is_concern: view.is_concern,
        named: view.named,
        members: view.members.iter().map(ToString::to_string).collect(),
        documents: view.documents.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
        recorded: view.recorded.map(words::moment).unwrap_or_default(),
    }
}

fn chosen(asked: &Asked, list: &ListId, named: &[Named]) -> Chosen {
    let query = asked.query.get("q").unwrap_or_default().to_owned();
    let wanted = query.to_lowercase();
    let is_wanted = |named: &&Named| {
        named.name.to_lowercase().contains(&wanted)
            || named.listing.listing.entity.as_str().to_lowercase().contains(&wanted)
    };
    let rows: Vec<Row> = named.iter().filter(is_wanted).map(row).collect();
    Chosen { name: list.to_string(), query, found: rows.len(), rows, all: named.len() }
}

fn row(named: &Named) -> Row {
    let known = &named.listing;
    Row {
        id: known.listing.entity.to_string(),
        name: named.name.clone(),
        href: entity_link(&known.listing.entity),
        holds: words::period(known.listing.valid),
        is_possible: known.truth != Truth::Certain,
        programme: known.listing.entry.clone().unwrap_or_default(),
        source: known.source.document.clone(),
        statement: known.statement.to_string(),
        member: named.member.as_ref().map(ToString::to_string),
    }
}

fn of_lists(lists: &[ListRow]) -> Table {
    let mut table = Table::new(&["list", "of_concern", "named", "members", "documents", "recorded"]);
    table.rows = lists
        .iter()
        .map(|list| {
            vec![
                json!(list.name),
                json!(list.is_concern),
                json!(list.named),
                json!(list.members.join("; ")),
                json!(list.documents),
                json!(list.recorded),
            ]
        })
        .collect();
    table
}

fn of_rows(rows: &[Row]) -> Table {
    let mut table = Table::new(&[
        "entity",
        "name",
        "holds",
        "possible_only",
        "programme",
        "member",
        "source",
        "statement",
    ]);
    table.rows = rows
        .iter()
        .map(|row| {
            vec![
                json!(row.id),
                json!(row.name),
                json!(row.holds),
                json!(row.is_possible),
                json!(row.programme),
                json!(row.member),
                json!(row.source),
                json!(row.statement),
            ]
        })
        .collect();
    table
}
