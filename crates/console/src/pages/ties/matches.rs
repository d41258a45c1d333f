//! `/ties/matches`: names that may be the same, side by side, for a person to say; and what was said, to be taken back.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect};
use exchange::{Exchange, Imported, Match, MatchAnswer, MatchSide, MatchState};
use http::StatusCode;
use model::Caller;
use serde_json::json;

use crate::asked::{Asked, Posted};
use crate::console::Console;
use crate::export::Table;
use crate::frame::{Frame, decides};
use crate::pages::Choice;
use crate::pages::actions::with_moves;
use crate::pages::ties::{Tab, entity_link, tabs};
use crate::pipeline::refused;
use crate::problem::{Answer, Problem, page};
use crate::words;

/// How many matches a page shows, and a file has.
const PAGE_MAX: usize = 25;
const FILE_MAX: usize = 500;

#[derive(Template)]
#[template(path = "matches.html")]
struct MatchesPage {
    frame: Frame,
    tabs: Vec<Tab>,
    states: Vec<Choice>,
    state: &'static str,
    rows: Vec<Row>,
    after: Option<String>,
    may_decide: bool,
    here: String,
    csv: String,
    json: String,
}

/// A match.
struct Row {
    number: u64,
    at: String,
    score: String,
    because: Vec<String>,
    agree: Vec<String>,
    contradict: Vec<String>,
    left: Side,
    right: Side,
    answered: Option<String>,
    is_accepted: bool,
}

struct Side {
    href: String,
    id: String,
    name: String,
    kind: &'static str,
    countries: String,
    founded: String,
    identifiers: Vec<String>,
    documents: String,
    member: Option<String>,
    lists: Vec<String>,
}

fn state_of(asked: &Asked) -> Result<(MatchState, &'static str), Problem> {
    match asked.query.get("state") {
        None | Some("open") => Ok((MatchState::Open, "open")),
        Some("accepted") => Ok((MatchState::Accepted, "accepted")),
        Some("rejected") => Ok((MatchState::Rejected, "rejected")),
        Some(_) => Err(Problem::bad_request("`state` is open, accepted or rejected")),
    }
}

/// Answers `GET /ties/matches`.
pub(crate) async fn get(State(console): State<Console>, asked: Asked) -> Answer {
    let caller = asked.caller();
    let (state, word) = state_of(&asked)?;
    let format = asked.format()?;
    let after: u64 = asked.query.get("after").and_then(|text| text.parse().ok()).unwrap_or(0);
    let limit = if format.is_some() { FILE_MAX } else { PAGE_MAX };
    let found = console.read(move |exchange| exchange.matches(&caller, state, after, limit)).await?;
    let rows: Vec<Row> = found.matches.iter().map(row).collect();
    if let Some(format) = format {
        return table(&rows).answer(format, &format!("matches-{word}"));
    }
    let choice =
        |(value, label): (&str, String)| Choice { value: value.to_owned(), label, is_chosen: value == word };
    let states = [
        ("open", format!("waiting ({})", found.open)),
        ("accepted", "accepted".to_owned()),
        ("rejected", "refused".to_owned()),
    ];
    page(&MatchesPage {
        tabs: tabs("/ties/matches", found.open),
        states: states.map(choice).into(),
        state: word,
        rows,
        after: found.next.map(|next| asked.link("after", Some(&next.to_string()))),
        may_decide: decides(&asked.caller()),
        here: asked.query.link(&asked.path),
        csv: asked.link("format", Some("csv")),
        json: asked.link("format", Some("json")),
        frame: asked.frame("Same company?"),
    })
}

fn row(found: &Match) -> Row {
    let answered = found.answered.as_ref().map(|answered| {
        let what = match answered.answer {
            MatchAnswer::Accept => "Accepted",
            MatchAnswer::Reject => "Refused",
        };
        let reason =
            if answered.reason.is_empty() { String::new() } else { format!(": {}", answered.reason) };
        format!("{what} by {} on {}{reason}", answered.by, words::moment(answered.at))
    });
    Row {
        number: found.number,
        at: words::moment(found.at),
        score: format!("{}.{} %", found.score / 10, found.score % 10),
        because: found.because.clone(),
        agree: found.agree.clone(),
        contradict: found.contradict.clone(),
        left: side(&found.left),
        right: side(&found.right),
        is_accepted: found.answered.as_ref().is_some_and(|answered| answered.answer == MatchAnswer::Accept),
        answered,
    }
}

fn side(side: &MatchSide) -> Side {
    Side {
        href: entity_link(&side.entity),
        id: side.entity.to_string(),
        name: side.name.clone(),
        kind: words::entity_kind(side.kind),
        countries: side.countries.join(", "),
        founded: side.founded.clone().unwrap_or_default(),
        identifiers: side.identifiers.iter().map(|id| format!("{} {}", id.scheme, id.value)).collect(),
        documents: side.documents.join(", "),
        member: side.member.as_ref().map(ToString::to_string),
        lists: side.lists.iter().map(ToString::to_string).collect(),
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(&[
        "match",
        "proposed",
        "left",
        "left_name",
        "right",
        "right_name",
        "alike",
        "because",
        "agree",
        "contradict",
        "answered",
    ]);
    table.rows = rows
        .iter()
        .map(|row| {
            vec![
                json!(row.number),
                json!(row.at),
                json!(row.left.id),
                json!(row.left.name),
                json!(row.right.id),
                json!(row.right.name),
                json!(row.score),
                json!(row.because.join("; ")),
                json!(row.agree.join("; ")),
                json!(row.contradict.join("; ")),
                json!(row.answered),
            ]
        })
        .collect();
    table
}

/// Does something about a match, and goes back with what became of it.
async fn act(
    console: &Console,
    posted: &Posted,
    number: &str,
    done: &'static str,
    work: impl FnOnce(&Exchange, &Caller, u64) -> Result<Imported, Problem> + Send + 'static,
) -> Answer {
    let number: u64 = number.parse().map_err(|_| Problem::not_found())?;
    let to = posted.back_to("/ties/matches").to_owned();
    let caller = posted.caller();
    match console.decide(move |exchange| work(exchange, &caller, number)).await {
        Ok(imported) => posted.done(with_moves(&format!("Match {number} {done}"), &imported.moved), &to),
        Err(problem) if matches!(problem.status, StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY) => {
            posted.asked.session.say(refused(&problem));
            Ok(Redirect::to(&to).into_response())
        }
        Err(problem) => Err(problem),
    }
}

/// Takes `POST /ties/matches/{number}`: that they are one, or two.
pub(crate) async fn answer(
    State(console): State<Console>,
    Path(number): Path<String>,
    posted: Posted,
) -> Answer {
    let reason = posted.fields.get("reason").unwrap_or_default().to_owned();
    let (answer, done) = match posted.field("answer")? {
        "accept" => (MatchAnswer::Accept, "is accepted: they are one"),
        "reject" => (MatchAnswer::Reject, "is refused: they are two, and it is not proposed again"),
        _ => return Err(Problem::bad_request("`answer` is accept or reject")),
    };
    act(&console, &posted, &number, done, move |exchange, caller, number| {
        Ok(exchange.answer_match(caller, number, answer, &reason)?.1)
    })
    .await
}

/// Takes `POST /ties/matches/{number}/reopen`: takes an answer back.
pub(crate) async fn reopen(
    State(console): State<Console>,
    Path(number): Path<String>,
    posted: Posted,
) -> Answer {
    let reason = posted.field("reason")?.to_owned();
    act(&console, &posted, &number, "waits again", move |exchange, caller, number| {
        Ok(exchange.reopen_match(caller, number, &reason)?.1)
    })
    .await
}
