//! `/ties/at/{tie}`: everything that was ever said of a tie, by whom, and when it was learned.

use askama::Template;
use axum::extract::{Path, State};
use serde_json::json;
use ties::{Evidence, Said, Statement, TieId};

use crate::asked::Asked;
use crate::console::Console;
use crate::export::Table;
use crate::frame::Frame;
use crate::pages::id;
use crate::problem::{Answer, Problem, page};
use crate::words;

#[derive(Template)]
#[template(path = "tie.html")]
struct TiePage {
    frame: Frame,
    tie: String,
    rows: Vec<Row>,
    csv: String,
    json: String,
}

/// A statement.
struct Row {
    recorded: String,
    says: String,
    holds: String,
    source: String,
    url: Option<String>,
    confidence: &'static str,
    evidence: &'static str,
    id: String,
}

/// Answers `GET /ties/at/{tie}`.
pub(crate) async fn get(State(console): State<Console>, Path(tie): Path<String>, asked: Asked) -> Answer {
    let tie: TieId = id(&tie)?;
    let (caller, wanted) = (asked.caller(), tie.clone());
    let history = console.read(move |exchange| exchange.tie_history(&caller, &wanted)).await?;
    if history.is_empty() {
        return Err(Problem::not_found());
    }
    let rows: Vec<Row> = history.iter().map(row).collect();
    if let Some(format) = asked.format()? {
        let mut table =
            Table::new(&["recorded", "says", "holds", "source", "url", "confidence", "statement"]);
        table.rows = rows
            .iter()
            .map(|row| {
                vec![
                    json!(row.recorded),
                    json!(row.says),
                    json!(row.holds),
                    json!(row.source),
                    json!(row.url),
                    json!(row.confidence),
                    json!(row.id),
                ]
            })
            .collect();
        return table.answer(format, &format!("tie-{tie}"));
    }
    let (csv, json) = (asked.link("format", Some("csv")), asked.link("format", Some("json")));
    page(&TiePage { frame: asked.frame(&format!("Tie {tie}")), tie: tie.to_string(), rows, csv, json })
}

fn row(statement: &Statement) -> Row {
    let (says, holds) = match &statement.said {
        Said::Tie(tie) => {
            (format!("{} → {}: {}", tie.from, tie.to, words::tie(&tie.kind)), words::period(tie.valid))
        }
        Said::End(end) => {
            let by = match end.by {
                ties::Ending::Completed => "it ended",
                ties::Ending::Announced => "its end is announced",
            };
            (by.to_owned(), format!("on {}", end.on))
        }
        Said::Listing(listing) => {
            (format!("the list {} names {}", listing.list, listing.entity), words::period(listing.valid))
        }
        Said::Entity(entity) => (format!("describes {}", entity.name()), String::new()),
        Said::Same { kept, merged, because } => (format!("{merged} is {kept}: {because}"), String::new()),
        Said::Retraction { of, because } => (format!("takes {of} back: {because}"), String::new()),
    };
    let source = &statement.source;
    Row {
        recorded: words::moment(statement.recorded),
        says,
        holds,
        source: source.document.clone(),
        // Only what a browser would open as a page; a source can say anything.
        url: source.url.clone().filter(|url| url.starts_with("https://") || url.starts_with("http://")),
        confidence: match source.confidence {
            ties::Confidence::Low => "low",
            ties::Confidence::Medium => "medium",
            ties::Confidence::High => "high",
        },
        evidence: match source.evidence {
            Evidence::Public => "everyone",
            Evidence::Concerned => "the member concerned, and the programme's people",
            Evidence::Programme => "the programme's people",
        },
        id: statement.id.to_string(),
    }
}
