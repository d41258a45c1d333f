//! `/ledger`: what was decided and handed out, entry by entry, and the means to verify it.
//!
//! The log is public, so everybody who is signed in sees its head. What entries say is told to whom the exchange tells it:
//! the programme's auditors, and members of themselves. The proofs are recomputed by `ledger.js` in the browser; the page
//! names the command that does the same.

mod words;

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::IntoResponse as _;
use exchange::{AdminError, ENTRIES_MAX, EntriesPage, Exchange, OpenedEntry, Sought};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use model::{Caller, MemberId};
use serde_json::json;

use crate::asked::Asked;
use crate::console::Console;
use crate::export::{Format, Part, Table};
use crate::frame::Frame;
use crate::pages::members::{Known, everybody};
use crate::pages::{Choice, id};
use crate::problem::{Answer, Problem, page};
use crate::words::moment;

/// How many entries a page shows.
const ROWS_MAX: usize = 50;
/// How many certificates a page shows.
const CERTIFICATES_MAX: usize = 50;
/// How many members the filter offers to choose from.
const CHOICES_MAX: usize = 100;
/// The kinds of entries that one can look for.
const KINDS: [&str; 11] = [
    "decision",
    "vetting",
    "disclosure",
    "publication",
    "recall",
    "report",
    "membership",
    "credential",
    "policy",
    "key",
    "genesis",
];

#[derive(Template)]
#[template(path = "ledger.html")]
struct LedgerPage {
    frame: Frame,
    size: u64,
    root: String,
    vkey: String,
    checkpoint: String,
    /// Whether the caller may not read what entries say.
    is_closed: bool,
    is_people: bool,
    query: String,
    before: String,
    kinds: Vec<Choice>,
    /// The members to choose from; none if they are too many for a page, or if only one's own are shown.
    members: Vec<Choice>,
    member: String,
    rows: Vec<Row>,
    older: Option<String>,
    certificates: Vec<Certificate>,
    certificates_more: usize,
    csv: String,
    json: String,
}

#[derive(Template)]
#[template(path = "ledger-entry.html")]
struct EntryPage {
    frame: Frame,
    index: u64,
    row: Row,
    body: String,
    receipt: String,
    vkey: String,
    earlier: Option<String>,
    later: Option<String>,
}

/// An entry in words.
struct Row {
    index: u64,
    at: String,
    kind: String,
    about: String,
    href: Option<String>,
    what: String,
}

/// That somebody certified that a duty was done.
struct Certificate {
    member: MemberId,
    name: String,
    duty: String,
    text: String,
    by: String,
    at: String,
}

/// Names of members, for those who may know them.
type Names = BTreeMap<String, String>;

/// Answers `GET /ledger`.
pub(crate) async fn get(State(console): State<Console>, asked: Asked) -> Answer {
    let sought = sought(&asked)?;
    let format = asked.format()?;
    if let Some(format) = format {
        return file(&asked, format, sought).await;
    }
    let caller = asked.caller();
    let wanted = sought.clone();
    let (found, known) = console
        .read(move |exchange| -> Result<_, Problem> {
            let found = match exchange.ledger_entries(&caller, &wanted, ROWS_MAX) {
                Err(AdminError::Forbidden { .. }) => None,
                found => Some(found?),
            };
            Ok((found, known_to(exchange, &caller)?))
        })
        .await?;
    let names = names(&known);
    let is_closed = found.is_none();
    let EntriesPage { entries, before } = found.unwrap_or_default();
    let head = console.exchange.ledger_head();
    let mut certificates = certificates(&known);
    let certificates_more = certificates.len().saturating_sub(CERTIFICATES_MAX);
    certificates.truncate(CERTIFICATES_MAX);
    let choice = |value: &str, label: &str, chosen: Option<&str>| Choice {
        value: value.to_owned(),
        label: label.to_owned(),
        is_chosen: chosen == Some(value),
    };
    let is_people = asked.caller().role().is_some();
    let chosen = sought.member.as_ref().map(MemberId::as_str);
    page(&LedgerPage {
        size: head.size,
        root: head.root.to_string(),
        vkey: head.vkey,
        checkpoint: head.checkpoint,
        is_closed,
        is_people,
        query: sought.text.clone().unwrap_or_default(),
        before: sought.before.map(|before| before.to_string()).unwrap_or_default(),
        kinds: KINDS.iter().map(|kind| choice(kind, kind, sought.kind.as_deref())).collect(),
        members: if is_people && known.len() <= CHOICES_MAX {
            known.iter().map(|(member, _)| choice(member.id.as_str(), &member.name, chosen)).collect()
        } else {
            Vec::new()
        },
        member: chosen.unwrap_or_default().to_owned(),
        rows: entries.iter().map(|entry| row(&console, entry, &names)).collect(),
        older: before.map(|before| asked.link("before", Some(&before.to_string()))),
        certificates,
        certificates_more,
        csv: asked.link("format", Some("csv")),
        json: asked.link("format", Some("json")),
        frame: asked.frame("Ledger"),
    })
}

/// Answers `GET /ledger/certificates`: all of them, as a file.
pub(crate) async fn certificates_file(State(console): State<Console>, asked: Asked) -> Answer {
    let caller = asked.caller();
    let known = console.read(move |exchange| known_to(exchange, &caller)).await?;
    let format = asked.format()?.ok_or_else(Problem::not_found)?;
    let mut table = Table::new(&["member", "name", "duty", "certified", "by", "at"]);
    let certified = certificates(&known).into_iter();
    table.rows = certified
        .map(|one| {
            vec![
                json!(one.member),
                json!(one.name),
                json!(one.duty),
                json!(one.text),
                json!(one.by),
                json!(one.at),
            ]
        })
        .collect();
    table.answer(format, "certificates")
}

/// Answers `GET /ledger/entries/{index}`.
pub(crate) async fn entry(State(console): State<Console>, Path(index): Path<String>, asked: Asked) -> Answer {
    let index: u64 = id(&index)?;
    let caller = asked.caller();
    let (opened, receipt, names) = console
        .read(move |exchange| -> Result<_, Problem> {
            let receipt = exchange.receipt(&caller, index)?.to_string();
            let sought = Sought { before: Some(index + 1), ..Sought::default() };
            let newest = exchange.ledger_entries(&caller, &sought, 1)?.entries.into_iter().next();
            let opened = newest.filter(|entry| entry.index == index).ok_or_else(Problem::not_found)?;
            let names = names(&known_to(exchange, &caller)?);
            Ok((opened, receipt, names))
        })
        .await?;
    let head = console.exchange.ledger_head();
    let is_people = asked.caller().role().is_some();
    let neighbour = |index: u64| format!("/ledger/entries/{index}");
    page(&EntryPage {
        index,
        row: row(&console, &opened, &names),
        body: serde_json::to_string_pretty(&opened.body).map_err(Problem::internal)?,
        receipt,
        vkey: head.vkey,
        // A member's entries are not beside each other.
        earlier: index.checked_sub(1).filter(|_| is_people).map(neighbour),
        later: Some(index + 1).filter(|later| is_people && *later < head.size).map(neighbour),
        frame: asked.frame(&format!("Entry {index}")),
    })
}

/// Answers `GET /ledger/entries/{index}/receipt`.
pub(crate) async fn receipt(
    State(console): State<Console>,
    Path(index): Path<String>,
    asked: Asked,
) -> Answer {
    let index: u64 = id(&index)?;
    let caller = asked.caller();
    let receipt = console.read(move |exchange| exchange.receipt(&caller, index)).await?;
    let disposition = format!("attachment; filename=\"receipt-{index}.txt\"");
    let headers =
        [(CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()), (CONTENT_DISPOSITION, disposition)];
    Ok((headers, receipt.to_string()).into_response())
}

/// Answers `GET /ledger/growth?from=N`: the proof that the log continues its first N entries.
pub(crate) async fn growth(State(console): State<Console>, asked: Asked) -> Answer {
    let from = asked.query.get("from").and_then(|text| text.parse::<u64>().ok());
    let from = from.ok_or_else(|| Problem::bad_request("`from` is a number of entries"))?;
    let grown = console.read(move |exchange| exchange.ledger_growth(from)).await?;
    let grown = grown.ok_or_else(Problem::not_found)?;
    let proof: Vec<String> = grown.proof.iter().map(ToString::to_string).collect();
    let told = json!({"from": grown.from, "checkpoint": grown.head.checkpoint, "proof": proof});
    Ok(([(CONTENT_TYPE, "application/json")], told.to_string()).into_response())
}

fn sought(asked: &Asked) -> Result<Sought, Problem> {
    let wrong = |name: &str| Problem::bad_request(format!("`{name}` is not understood"));
    let before = asked.query.get("before").map(str::parse).transpose().map_err(|_| wrong("before"))?;
    let member = asked.query.get("member").map(str::parse).transpose().map_err(|_| wrong("member"))?;
    let kind = asked.query.get("kind").map(str::to_owned);
    if kind.as_deref().is_some_and(|kind| !KINDS.contains(&kind)) {
        return Err(wrong("kind"));
    }
    Ok(Sought { before, member, kind, text: asked.query.get("q").map(str::to_owned) })
}

/// The members of whom the caller may know, with their dossiers: all, or itself.
fn known_to(exchange: &Exchange, caller: &Caller) -> Result<Vec<Known>, Problem> {
    match caller.member() {
        None => everybody(exchange, caller),
        Some(member) => Ok(vec![(exchange.member(caller, member)?, exchange.dossier(caller, member)?)]),
    }
}

fn names(known: &[Known]) -> Names {
    known.iter().map(|(member, _)| (member.id.to_string(), member.name.clone())).collect()
}

fn row(console: &Console, entry: &OpenedEntry, names: &Names) -> Row {
    let member = entry.member.as_deref();
    let name = member.and_then(|member| names.get(member));
    Row {
        index: entry.index,
        at: entry.at.parse().map_or_else(|_| entry.at.clone(), moment),
        kind: entry.body["kind"].as_str().unwrap_or_default().to_owned(),
        about: name.cloned().or_else(|| member.map(str::to_owned)).unwrap_or_default(),
        href: member.filter(|_| name.is_some()).map(|member| format!("/members/{member}")),
        what: words::what(&console.exchange.programme(), &entry.body),
    }
}

/// What was certified, the newest first.
fn certificates(known: &[Known]) -> Vec<Certificate> {
    let mut found = Vec::new();
    for (member, dossier) in known {
        for duty in &dossier.duties {
            let Some(done) = duty.done.as_ref().filter(|done| !done.certificate.is_empty()) else { continue };
            found.push((done.at, member, &duty.text, done));
        }
    }
    found.sort_by_key(|(at, member, ..)| (std::cmp::Reverse(*at), member.name.clone()));
    let told = found.into_iter().map(|(at, member, duty, done)| Certificate {
        member: member.id.clone(),
        name: member.name.clone(),
        duty: duty.clone(),
        text: done.certificate.clone(),
        by: done.by.clone(),
        at: moment(at),
    });
    told.collect()
}

/// All entries that are looked for, from the page on, to the first of the log.
async fn file(asked: &Asked, format: Format, sought: Sought) -> Answer {
    let row = |entry: &OpenedEntry| {
        vec![
            json!(entry.index),
            json!(entry.at),
            entry.body["kind"].clone(),
            json!(entry.member),
            entry.body.clone(),
        ]
    };
    let begin = sought.before;
    let part = move |exchange: &Exchange, caller: &Caller, before: Option<u64>| {
        let found = exchange.ledger_entries(caller, &Sought { before, ..sought.clone() }, ENTRIES_MAX)?;
        Ok(Part { rows: found.entries.iter().map(row).collect(), next: found.before.map(Some) })
    };
    asked.file(format, "ledger", &["entry", "at", "kind", "member", "body"], begin, part).await
}
