//! `/release`: who may have what, and by which policy: labels and members as a matrix, and one member's view of it all.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::{Path, State};
use exchange::{Exchange, LabelView, MatrixAsked, ReleaseCell, ReleaseMatrix};
use model::{Caller, MemberId};
use serde_json::{Value, json};

use crate::asked::{Asked, Files};
use crate::console::Console;
use crate::export::{Format, Part, Table};
use crate::frame::Frame;
use crate::pages::content::object::{demands, policy_texts, why};
use crate::pages::{Choice, id};
use crate::problem::{Answer, Problem, page};
use crate::query::encode;
use crate::words;

/// How many members stand side by side.
const COLUMNS_MAX: usize = 12;
/// How many labels a page shows beside so many members, and how many of one member's.
const ROWS_MAX: usize = 20;
const OWN_ROWS_MAX: usize = 60;
/// How many members one part of the file has.
const MEMBERS_AT_ONCE: usize = 1_000;

#[derive(Template)]
#[template(path = "release.html")]
struct ReleasePage {
    frame: Frame,
    collections: Vec<Choice>,
    query: String,
    members: Vec<(String, String)>,
    rows: Vec<Row>,
    labels: String,
    /// The one label that is shown, if one was asked for.
    label: Option<u32>,
    is_part: bool,
    newest: Option<String>,
    older: Option<String>,
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

/// Which labels are asked for: of a collection, one alone, those older than one.
#[derive(Clone, Default)]
struct Labels {
    collection: Option<String>,
    label: Option<u32>,
    before: Option<u32>,
}

impl Labels {
    fn read(asked: &Asked) -> Result<Self, Problem> {
        let number = |name: &str| {
            let number = asked.query.get(name).map(str::parse).transpose();
            number.map_err(|_| Problem::bad_request(format!("`{name}` is the number of a label")))
        };
        let collection = asked.query.get("collection").map(str::to_owned);
        Ok(Self { collection, label: number("label")?, before: number("before")? })
    }

    fn of<'a>(&'a self, members: &'a [MemberId], limit: usize) -> MatrixAsked<'a> {
        let Self { label, before, .. } = *self;
        MatrixAsked { collection: self.collection.as_deref(), label, before, limit, members }
    }
}

/// The members whose names have a text in them, by name.
fn named(exchange: &Exchange, caller: &Caller, text: &str) -> Result<Vec<MemberId>, Problem> {
    let mut members = Vec::new();
    let mut after = None;
    loop {
        let some = exchange.members(caller, after.as_ref(), 1_000)?;
        let Some(last) = some.last() else { break };
        after = Some(last.id.clone());
        members.extend(some.into_iter().filter(|one| one.name.to_lowercase().contains(text)));
    }
    members.sort_by_cached_key(|member| (member.name.to_lowercase(), member.id.clone()));
    Ok(members.into_iter().map(|one| one.id).collect())
}

/// Answers `GET /release`.
pub(crate) async fn get(State(console): State<Console>, asked: Asked) -> Answer {
    let caller = asked.caller();
    let labels = Labels::read(&asked)?;
    let query = asked.query.get("q").unwrap_or_default().to_owned();
    let name = query.to_lowercase();
    if let Some(format) = asked.format()? {
        return file(&asked, format, labels, name).await;
    }
    let from: usize = asked.query.get("from").and_then(|text| text.parse().ok()).unwrap_or(0);
    let wanted = labels.clone();
    let (matrix, found, from) = console
        .read(move |exchange| -> Result<_, Problem> {
            let members = named(exchange, &caller, &name)?;
            let from = from.min(members.len().saturating_sub(1)) / COLUMNS_MAX * COLUMNS_MAX;
            let shown = &members[from..members.len().min(from + COLUMNS_MAX)];
            let matrix = exchange.release_matrix(&caller, &wanted.of(shown, ROWS_MAX))?;
            Ok((matrix, members.len(), from))
        })
        .await?;
    let programme = console.exchange.programme();
    let choice = |known: &programme::Collection| Choice {
        value: known.alias.clone(),
        label: known.title.clone(),
        is_chosen: labels.collection.as_deref() == Some(known.alias.as_str()),
    };
    let link = |from: usize| asked.link("from", Some(&from.to_string()));
    let rows: Vec<Row> =
        matrix.labels.iter().zip(&matrix.cells).map(|(label, cells)| row(label, cells)).collect();
    page(&ReleasePage {
        collections: programme.settings().collections.iter().map(choice).collect(),
        query,
        members: matrix.members.iter().map(|(id, name)| (id.to_string(), name.clone())).collect(),
        labels: words::count(matrix.labels_all, "label", "labels"),
        label: labels.label,
        is_part: matrix.labels_all > rows.len(),
        newest: (matrix.newer > 0 || labels.label.is_some())
            .then(|| asked.query.with("before", None).with("label", None).link(&asked.path)),
        older: matrix.older.map(|older| asked.link("before", Some(&older.to_string()))),
        rows,
        found,
        before: (from > 0).then(|| link(from.saturating_sub(COLUMNS_MAX))),
        after: (from + COLUMNS_MAX < found).then(|| link(from + COLUMNS_MAX)),
        policies: deciding(&matrix, &policy_texts(&console)),
        csv: whole(&asked, "csv"),
        json: whole(&asked, "json"),
        frame: asked.frame("Release"),
    })
}

/// The link to all of it as a file.
fn whole(asked: &Asked, format: &str) -> String {
    asked.query.with("before", None).with("from", None).with("format", Some(format)).link(&asked.path)
}

/// The whole matrix as a file: some members with all labels, then the next.
async fn file(asked: &Asked, format: Format, labels: Labels, name: String) -> Answer {
    let begin = (0, labels.before);
    let part = move |exchange: &Exchange, caller: &Caller, (from, before): (usize, Option<u32>)| {
        let members = named(exchange, caller, &name)?;
        let some = &members[from.min(members.len())..members.len().min(from + MEMBERS_AT_ONCE)];
        let wanted = Labels { before, ..labels.clone() };
        let matrix = exchange.release_matrix(caller, &wanted.of(some, usize::MAX))?;
        let further = from + MEMBERS_AT_ONCE;
        let next = match matrix.older {
            Some(older) => Some((from, Some(older))),
            None => (further < members.len()).then_some((further, labels.before)),
        };
        Ok(Part { rows: cells_of(&matrix), next })
    };
    asked.file(format, "release", &COLUMNS, begin, part).await
}

/// The columns of the file.
const COLUMNS: [&str; 10] =
    ["label", "collection", "tier", "demands", "member", "name", "has_it", "since", "policies", "uses"];

fn cells_of(matrix: &ReleaseMatrix) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    for (label, cells) in matrix.labels.iter().zip(&matrix.cells) {
        for ((id, name), cell) in matrix.members.iter().zip(cells) {
            rows.push(vec![
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
    rows
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
    newest: Option<String>,
    older: Option<String>,
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
    /// To whoever may read it: the search as that member.
    href: Option<String>,
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
    let labels = Labels { before: Labels::read(&asked)?.before, ..Labels::default() };
    let of_collections = asked.query.get("table") == Some("collections");
    if let Some(format) = asked.format()?.filter(|_| !of_collections) {
        let part = move |exchange: &Exchange, caller: &Caller, before: Option<u32>| {
            let labels = Labels { before, ..Labels::default() };
            let some = labels.of(std::slice::from_ref(&wanted), usize::MAX);
            let matrix = exchange.release_matrix(caller, &some)?;
            Ok(Part { rows: cells_of(&matrix), next: matrix.older.map(Some) })
        };
        return asked.file(format, &format!("release-{member}"), &COLUMNS, None, part).await;
    }
    let (matrix, lists, readable, open) = console
        .read(move |exchange| -> Result<_, Problem> {
            let one = std::slice::from_ref(&wanted);
            let matrix = exchange.release_matrix(&caller, &labels.of(one, OWN_ROWS_MAX))?;
            let (_, open) = exchange.labels_open_to(&caller, &wanted)?;
            let readable = exchange.collections(&caller).into_iter().filter(|view| view.can_read);
            let readable: BTreeSet<String> = readable.map(|view| view.collection.alias).collect();
            Ok((matrix, exchange.collections_of(&caller, &wanted)?, readable, open.len()))
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
            href: readable.contains(&known.alias).then(|| {
                format!("/content?collection={}&as={}", encode(&known.alias), encode(member.as_str()))
            }),
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
        return collections_table(&collections).answer(format, &format!("collections-{member}"));
    }
    let rows: Vec<AsRow> = matrix.labels.iter().zip(&matrix.cells).filter_map(as_row).collect();
    let file = |table: Option<&str>, format: &str| {
        let query = asked.query.with("before", None).with("table", table);
        query.with("format", Some(format)).link(&asked.path)
    };
    let name = matrix.members.first().map(|(_, name)| name.clone()).unwrap_or_default();
    page(&AsPage {
        collections,
        collections_files: asked.files_of("collections"),
        open,
        labels_all: matrix.labels_all,
        newest: (matrix.newer > 0).then(|| asked.link("before", None)),
        older: matrix.older.map(|older| asked.link("before", Some(&older.to_string()))),
        rows,
        csv: file(None, "csv"),
        json: file(None, "json"),
        frame: asked.frame(&format!("As {name}")),
        name,
        id: member,
    })
}
