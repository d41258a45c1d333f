//! `/release`: who may have what, and by which policy: labels and members as a matrix, and one member's view of it all.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::{Path, State};
use exchange::{LabelView, ReleaseCell, ReleaseMatrix};
use model::MemberId;
use serde_json::json;

use crate::asked::{Asked, Files};
use crate::console::Console;
use crate::export::Table;
use crate::frame::Frame;
use crate::pages::content::object::{demands, policy_texts, why};
use crate::pages::{Choice, id};
use crate::problem::{Answer, Problem, page};
use crate::query::encode;
use crate::words;

/// How many members stand side by side.
const COLUMNS_MAX: usize = 12;
/// How many labels a page shows; the file has up to 200.
const ROWS_MAX: usize = 60;

#[derive(Template)]
#[template(path = "release.html")]
struct ReleasePage {
    frame: Frame,
    collections: Vec<Choice>,
    query: String,
    members: Vec<(String, String)>,
    rows: Vec<Row>,
    labels: String,
    rows_all: usize,
    found: usize,
    before: Option<String>,
    after: Option<String>,
    policies: Vec<(String, String)>,
    csv: String,
    json: String,
}

/// A label with its cells.
struct Row {
    label: u32,
    collection: String,
    tier: String,
    demands: String,
    created: String,
    cells: Vec<Cell>,
}

struct Cell {
    is_open: bool,
    word: &'static str,
    since: String,
    policies: Vec<String>,
    uses: String,
    note: &'static str,
}

fn cell(cell: &ReleaseCell) -> Cell {
    let (word, note) = match (cell.is_open, cell.may_read) {
        (true, _) => ("has it", ""),
        (false, true) => ("withheld", "permitted, but an embargo, an end or the whole keeps it back"),
        (false, false) if !cell.errors.is_empty() => ("withheld", "a policy could not be evaluated"),
        (false, false) if cell.policies.is_empty() => ("withheld", "no policy permits it"),
        (false, false) => ("withheld", ""),
    };
    Cell {
        is_open: cell.is_open,
        word,
        since: cell.since.map(words::day).unwrap_or_default(),
        policies: cell.policies.clone(),
        uses: if cell.is_open { cell.uses.join(", ") } else { String::new() },
        note,
    }
}

fn row(label: &LabelView, cells: &[ReleaseCell]) -> Row {
    Row {
        label: label.label,
        collection: label.collection.clone(),
        tier: label.tier.clone(),
        demands: demands(label),
        created: words::moment(label.created),
        cells: cells.iter().map(cell).collect(),
    }
}

/// The policies that decided somewhere, with their texts.
fn deciding(matrix: &ReleaseMatrix, texts: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let named: BTreeSet<&String> = matrix.cells.iter().flatten().flat_map(|cell| &cell.policies).collect();
    named.into_iter().map(|name| (name.clone(), texts.get(name).cloned().unwrap_or_default())).collect()
}

/// Answers `GET /release`.
pub(crate) async fn get(State(console): State<Console>, asked: Asked) -> Answer {
    let caller = asked.caller();
    let collection = asked.query.get("collection").map(str::to_owned);
    let query = asked.query.get("q").unwrap_or_default().to_owned();
    let from: usize = asked.query.get("from").and_then(|text| text.parse().ok()).unwrap_or(0);
    let format = asked.format()?;
    let (wanted, name, is_file) = (collection.clone(), query.to_lowercase(), format.is_some());
    let (matrix, found, from) = console
        .read(move |exchange| -> Result<_, Problem> {
            let mut members = Vec::new();
            let mut after = None;
            loop {
                let some = exchange.members(&caller, after.as_ref(), 1_000)?;
                let Some(last) = some.last() else { break };
                after = Some(last.id.clone());
                members.extend(some.into_iter().filter(|one| one.name.to_lowercase().contains(&name)));
            }
            members.sort_by_cached_key(|member| (member.name.to_lowercase(), member.id.clone()));
            let found = members.len();
            let from = from.min(found.saturating_sub(1)) / COLUMNS_MAX * COLUMNS_MAX;
            let shown = if is_file { usize::MAX } else { COLUMNS_MAX };
            let ids: Vec<MemberId> = members
                .into_iter()
                .skip(if is_file { 0 } else { from })
                .take(shown)
                .map(|one| one.id)
                .collect();
            Ok((exchange.release_matrix(&caller, wanted.as_deref(), &ids)?, found, from))
        })
        .await?;
    if let Some(format) = format {
        return table(&matrix).answer(format, "release");
    }
    let programme = console.exchange.programme();
    let choice = |known: &programme::Collection| Choice {
        value: known.alias.clone(),
        label: known.title.clone(),
        is_chosen: collection.as_deref() == Some(known.alias.as_str()),
    };
    let link = |from: usize| asked.link("from", Some(&from.to_string()));
    let rows: Vec<Row> = matrix
        .labels
        .iter()
        .zip(&matrix.cells)
        .take(ROWS_MAX)
        .map(|(label, cells)| row(label, cells))
        .collect();
    page(&ReleasePage {
        collections: programme.settings().collections.iter().map(choice).collect(),
        query,
        members: matrix.members.iter().map(|(id, name)| (id.to_string(), name.clone())).collect(),
        labels: words::count(matrix.labels_all, "label", "labels"),
        rows_all: matrix.labels_all,
        rows,
        found,
        before: (from > 0).then(|| link(from.saturating_sub(COLUMNS_MAX))),
        after: (from + COLUMNS_MAX < found).then(|| link(from + COLUMNS_MAX)),
        policies: deciding(&matrix, &policy_texts(&console)),
        csv: asked.link("format", Some("csv")),
        json: asked.link("format", Some("json")),
        frame: asked.frame("Release"),
    })
}

fn table(matrix: &ReleaseMatrix) -> Table {
    let mut table = Table::new(&[
        "label",
        "collection",
        "tier",
        "demands",
        "member",
        "name",
        "has_it",
        "since",
        "policies",
        "uses",
    ]);
    for (label, cells) in matrix.labels.iter().zip(&matrix.cells) {
        for ((id, name), cell) in matrix.members.iter().zip(cells) {
            table.rows.push(vec![
                json!(label.label),
                json!(label.collection),
                json!(label.tier),
                json!(demands(label)),
                json!(id),
                json!(name),
                json!(cell.is_open),
                json!(cell.since),
                json!(cell.policies.join(", ")),
                json!(cell.uses.join(", ")),
            ]);
        }
    }
    table
}

#[derive(Template)]
#[template(path = "release-as.html")]
struct AsPage {
    frame: Frame,
    id: MemberId,
    name: String,
    collections: Vec<CollectionRow>,
    collections_files: Files,
    rows: Vec<AsRow>,
    open: usize,
    labels_all: usize,
    csv: String,
    json: String,
}

/// A collection, as it is to a member.
struct CollectionRow {
    alias: String,
    title: String,
    is_there: bool,
    policies: String,
    why: Vec<String>,
    href: String,
}

fn collections_table(rows: &[CollectionRow]) -> Table {
    let mut table = Table::new(&["collection", "title", "is_there", "policies", "why"]);
    let row = |one: &CollectionRow| {
        vec![json!(one.alias), json!(one.title), json!(one.is_there), json!(one.policies), json!(one.why)]
    };
    table.rows = rows.iter().map(row).collect();
    table
}

struct AsRow {
    label: u32,
    collection: String,
    demands: String,
    cell: Cell,
    why: Vec<String>,
}

/// Answers `GET /release/as/{member}`: the exchange as that member meets it.
pub(crate) async fn as_member(
    State(console): State<Console>,
    Path(member): Path<String>,
    asked: Asked,
) -> Answer {
    let member: MemberId = id(&member)?;
    let (caller, wanted) = (asked.caller(), member.clone());
    let (matrix, lists) = console
        .read(move |exchange| -> Result<_, Problem> {
            let matrix = exchange.release_matrix(&caller, None, std::slice::from_ref(&wanted))?;
            Ok((matrix, exchange.collections_of(&caller, &wanted)?))
        })
        .await?;
    let texts = policy_texts(&console);
    let programme = console.exchange.programme();
    let collection = |known: &programme::Collection| {
        let (is_there, policies) = lists.get(&known.alias).cloned().unwrap_or_default();
        let told = policies.iter().map(|policy| texts.get(policy).unwrap_or(policy).clone()).collect();
        let none = vec!["No policy lets it know that this exists: it is answered 404.".to_owned()];
        CollectionRow {
            alias: known.alias.clone(),
            title: known.title.clone(),
            is_there,
            policies: policies.join(", "),
            why: if policies.is_empty() { none } else { told },
            href: format!("/content?collection={}&as={}", encode(&known.alias), encode(member.as_str())),
        }
    };
    let as_row = |(label, cells): (&LabelView, &Vec<ReleaseCell>)| {
        let one = cells.first()?;
        Some(AsRow {
            label: label.label,
            collection: label.collection.clone(),
            demands: demands(label),
            why: if one.is_open { Vec::new() } else { why(Some(one), &texts) },
            cell: cell(one),
        })
    };
    let collections: Vec<CollectionRow> = programme.settings().collections.iter().map(collection).collect();
    if let Some(format) = asked.format()? {
        return match asked.query.get("table") {
            Some("collections") => {
                collections_table(&collections).answer(format, &format!("collections-{member}"))
            }
            _ => table(&matrix).answer(format, &format!("release-{member}")),
        };
    }
    let rows: Vec<AsRow> = matrix.labels.iter().zip(&matrix.cells).filter_map(as_row).collect();
    let name = matrix.members.first().map(|(_, name)| name.clone()).unwrap_or_default();
    page(&AsPage {
        collections,
        collections_files: asked.files_of("collections"),
        open: rows.iter().filter(|row| row.cell.is_open).count(),
        labels_all: matrix.labels_all,
        rows,
        csv: asked.link("format", Some("csv")),
        json: asked.link("format", Some("json")),
        frame: asked.frame(&format!("As {name}")),
        name,
        id: member,
    })
}
