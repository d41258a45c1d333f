//! `/ties/unsettled`: what of the ties above members is contradictory or unknown. Unknown is not clean.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use exchange::{Unsettled, UnsettledBy};
use serde_json::json;
use ties::derive::What;

use crate::asked::Asked;
use crate::console::Console;
use crate::export::Table;
use crate::frame::Frame;
use crate::pages::Choice;
use crate::pages::ties::{Tab, entity_link, tabs, tie_link, waiting};
use crate::problem::{Answer, Problem, page};
use crate::words;

/// How many a page shows; the file of it has all.
const ROWS_MAX: usize = 300;

#[derive(Template)]
#[template(path = "unsettled.html")]
struct UnsettledPage {
    frame: Frame,
    tabs: Vec<Tab>,
    kinds: Vec<Choice>,
    rows: Vec<Row>,
    all: String,
    count: usize,
    csv: String,
    json: String,
}

struct Row {
    member: String,
    name: String,
    what: &'static str,
    code: &'static str,
    entity: String,
    href: String,
    called: String,
    ties: Vec<(String, String)>,
}

/// What is unsettled, as a code for filters and as a sentence.
fn told(what: UnsettledBy) -> (&'static str, &'static str) {
    match what {
        UnsettledBy::NoHolder => ("no-holder", "no holder of it is known"),
        UnsettledBy::DisputedEnd => {
            ("disputed-end", "one source says that a tie ended, a later one that it holds")
        }
        UnsettledBy::CutShort => ("cut-short", "more lies above it than is looked at"),
        UnsettledBy::Conflict(what) => match what {
            What::VotesOverFull => ("conflict", "its holders have more than all of the votes"),
            What::MoneyOverFull => ("conflict", "its holders have more than all of the money"),
            What::ShortRegister => {
                ("conflict", "its register is said to be complete, and does not come to the whole")
            }
            What::TooFine => ("conflict", "shares too fine to be added"),
            What::VotesDisputed => ("conflict", "sources contradict each other about votes"),
            What::MoneyDisputed => ("conflict", "sources contradict each other about money"),
            What::TooMuch => ("conflict", "one source gives more than the whole"),
            What::SummaryLeftOut => {
                ("summary", "an indirect holding is left out, since the chain that it sums up is known")
            }
            What::SummaryDoubted => {
                ("summary", "an indirect holding counts as possible only, or the whole would be too much")
            }
        },
    }
}

/// Answers `GET /ties/unsettled`.
pub(crate) async fn get(State(console): State<Console>, asked: Asked) -> Answer {
    let caller = asked.caller();
    let (waiting, found) = console
        .read(move |exchange| -> Result<_, Problem> {
            Ok((waiting(exchange, &caller)?, exchange.unsettled(&caller)?))
        })
        .await?;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for one in &found {
        *counts.entry(told(one.what).0).or_default() += 1;
    }
    let kind = asked.query.get("kind");
    let rows: Vec<Row> =
        found.iter().map(row).filter(|row| kind.is_none_or(|kind| kind == row.code)).collect();
    if let Some(format) = asked.format()? {
        return table(&rows).answer(format, "unsettled");
    }
    let choice = |(code, label): (&str, &str)| Choice {
        value: code.to_owned(),
        label: format!("{label} ({})", counts.get(code).copied().unwrap_or_default()),
        is_chosen: kind == Some(code),
    };
    let kinds = [
        ("conflict", "conflicts"),
        ("disputed-end", "disputed ends"),
        ("no-holder", "no holder known"),
        ("summary", "indirect holdings"),
        ("cut-short", "too much to look at"),
    ];
    page(&UnsettledPage {
        tabs: tabs("/ties/unsettled", waiting),
        kinds: kinds.map(choice).into(),
        all: words::count(rows.len(), "point", "points"),
        count: rows.len(),
        rows: rows.into_iter().take(ROWS_MAX).collect(),
        csv: asked.link("format", Some("csv")),
        json: asked.link("format", Some("json")),
        frame: asked.frame("Conflicts and unknowns"),
    })
}

fn row(one: &Unsettled) -> Row {
    let (code, what) = told(one.what);
    let link = |tie: &ties::TieId| (tie.to_string(), tie_link(tie));
    Row {
        member: one.member.to_string(),
        name: one.name.clone(),
        what,
        code,
        entity: one.entity.to_string(),
        href: entity_link(&one.entity),
        called: one.called.clone(),
        ties: one.ties.iter().map(link).collect(),
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(&["member", "name", "kind", "what", "entity", "called", "ties"]);
    table.rows = rows
        .iter()
        .map(|row| {
            let ties: Vec<&str> = row.ties.iter().map(|(tie, _)| tie.as_str()).collect();
            vec![
                json!(row.member),
                json!(row.name),
                json!(row.code),
                json!(row.what),
                json!(row.entity),
                json!(row.called),
                json!(ties.join("; ")),
            ]
        })
        .collect();
    table
}
