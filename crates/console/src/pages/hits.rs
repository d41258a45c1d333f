//! `/hits`: which indicators hit, who gives and who takes, what is doubted, and what is heard of guards.
//!
//! The hub knows of a hit that a member's guard met an indicator in some hour, about how often, and nothing of whom. What
//! it shows here is for the programme's people; members see the published numbers of their own contributions.

mod chart;

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect};
use exchange::{
    AdminError, DayHits, Exchange, FALSE_POSITIVES_MAX, FalsePositive, Giving, IndicatorHits, OWN_MAX,
    State as Doubt,
};
use http::StatusCode;
use model::{Action, Caller, MemberId, Role};
use serde_json::json;

use crate::asked::{Asked, Posted};
use crate::console::Console;
use crate::export::Table;
use crate::frame::Frame;
use crate::pages::members::everybody;
use crate::pages::portal::feed::doubt;
use crate::pipeline::refused;
use crate::problem::{Answer, Problem, page};
use crate::query::encode;
use crate::svg::Picture;
use crate::words::moment;

/// How many lines each table of the page has; its file has all.
const ROWS_MAX: usize = 50;

#[derive(Template)]
#[template(path = "hits.html")]
struct HitsPage {
    frame: Frame,
    /// Whether the caller may not see numbers.
    is_closed: bool,
    picture: Option<Picture>,
    days: Vec<DayHits>,
    is_cut_short: bool,
    members: Vec<MemberRow>,
    members_more: usize,
    indicators: Vec<IndicatorHits>,
    indicators_more: usize,
    doubts: Vec<DoubtRow>,
    doubts_more: usize,
    may_decide: bool,
    lease_hours: u32,
    least: u32,
    here: Files,
}

/// Where the tables' files are.
struct Files {
    days: (String, String),
    members: (String, String),
    indicators: (String, String),
    doubts: (String, String),
}

struct MemberRow {
    id: MemberId,
    name: String,
    contributed: u64,
    hit: u64,
    facts: u64,
    last: String,
    guard: (&'static str, &'static str),
}

struct DoubtRow {
    object: String,
    action: String,
    class: &'static str,
    word: &'static str,
    said: String,
    reasons: Vec<String>,
    decided: Option<String>,
    may_confirm: bool,
    may_dismiss: bool,
}

/// Days, whether there were too many facts to count all, who gives and takes, and what hit.
type Numbers = (Vec<DayHits>, bool, Vec<Giving>, Vec<IndicatorHits>);

#[derive(Default)]
struct Found {
    numbers: Option<Numbers>,
    doubts: Vec<FalsePositive>,
    names: BTreeMap<MemberId, String>,
}

/// Answers `GET /hits`.
pub(crate) async fn get(State(console): State<Console>, asked: Asked) -> Answer {
    let caller = asked.caller();
    let found = console.read(move |exchange| gather(exchange, &caller)).await?;
    let is_closed = found.numbers.is_none();
    let (days, is_cut_short, giving, mut indicators) = found.numbers.unwrap_or_default();
    indicators.sort_by(|a, b| (b.count, &a.object).cmp(&(a.count, &b.object)));
    let mut doubts = found.doubts;
    // What nobody decided on stands first.
    doubts.sort_by_key(|one| (one.state != Doubt::Reported, one.object.clone()));
    if let Some(format) = asked.format()? {
        let closed = || Problem::forbidden("this is for an operator, an officer or an overseer");
        let name = asked.query.get("table").unwrap_or("days");
        let table = match name {
            "doubts" => doubts_table(&doubts),
            "days" | "members" | "indicators" if is_closed => return Err(closed()),
            "days" => days_table(&days),
            "members" => members_table(&giving, &found.names),
            "indicators" => indicators_table(&indicators),
            _ => return Err(Problem::bad_request("`table` is days, members, indicators or doubts")),
        };
        return table.answer(format, &format!("hits-{name}"));
    }
    let programme = console.exchange.programme();
    let guard = &programme.settings().guard;
    let lease = std::time::Duration::from_hours(u64::from(guard.lease_hours));
    let may_decide = decides(&asked.caller());
    let files = |name: &str| {
        let query = asked.query.with("table", Some(name));
        let link = |format: &str| query.with("format", Some(format)).link(&asked.path);
        (link("csv"), link("json"))
    };
    let member = |one: &Giving| MemberRow {
        name: found.names.get(&one.member).cloned().unwrap_or_default(),
        id: one.member.clone(),
        contributed: one.contributed,
        hit: one.hit,
        facts: one.facts,
        last: one.last.map(moment).unwrap_or_default(),
        guard: match one.last {
            None => ("applicant", "never reported"),
            Some(last) if asked.now.since(last) <= lease => ("listed", "reported within a lease"),
            Some(_) => ("review", "silent for longer than a lease"),
        },
    };
    page(&HitsPage {
        is_closed,
        picture: (!days.is_empty()).then(|| chart::draw(&days, asked.now)),
        days,
        is_cut_short,
        members: giving.iter().take(ROWS_MAX).map(member).collect(),
        members_more: giving.len().saturating_sub(ROWS_MAX),
        indicators_more: indicators.len().saturating_sub(ROWS_MAX),
        indicators: indicators.into_iter().take(ROWS_MAX).collect(),
        doubts_more: doubts.len().saturating_sub(ROWS_MAX),
        doubts: doubts.iter().take(ROWS_MAX).map(|one| doubt_row(one, may_decide)).collect(),
        may_decide,
        lease_hours: guard.lease_hours,
        least: guard.occurrence_members_min,
        here: Files {
            days: files("days"),
            members: files("members"),
            indicators: files("indicators"),
            doubts: files("doubts"),
        },
        frame: asked.frame("Hits"),
    })
}

fn gather(exchange: &Exchange, caller: &Caller) -> Result<Found, Problem> {
    let mut found = Found { doubts: doubts(exchange, caller)?, ..Found::default() };
    for (member, _) in everybody(exchange, caller)? {
        found.names.insert(member.id, member.name);
    }
    found.numbers = match exchange.hits_by_day(caller) {
        Err(AdminError::Forbidden { .. }) => None,
        days => {
            let (days, is_cut_short) = days?;
            Some((days, is_cut_short, giving(exchange, caller)?, indicators(exchange, caller)?))
        }
    };
    Ok(found)
}

fn doubts(exchange: &Exchange, caller: &Caller) -> Result<Vec<FalsePositive>, Problem> {
    let mut all: Vec<FalsePositive> = Vec::new();
    loop {
        let after = all.last().map(|one| one.object.clone()).unwrap_or_default();
        let some = exchange.false_positives(caller, &after, FALSE_POSITIVES_MAX)?;
        let is_last = some.len() < FALSE_POSITIVES_MAX;
        all.extend(some);
        if is_last {
            return Ok(all);
        }
    }
}

fn giving(exchange: &Exchange, caller: &Caller) -> Result<Vec<Giving>, Problem> {
    let mut all: Vec<Giving> = Vec::new();
    loop {
        let after = all.last().map(|one| one.member.to_string()).unwrap_or_default();
        let some = exchange.giving(caller, &after, OWN_MAX)?;
        let is_last = some.len() < OWN_MAX;
        all.extend(some);
        if is_last {
            return Ok(all);
        }
    }
}

/// Those that one answer of the exchange has: more are for the API.
fn indicators(exchange: &Exchange, caller: &Caller) -> Result<Vec<IndicatorHits>, Problem> {
    Ok(exchange.indicator_hits(caller, "", OWN_MAX)?)
}

fn doubt_row(one: &FalsePositive, may_decide: bool) -> DoubtRow {
    let (class, word) = doubt(one.state);
    let settled = one.decided.as_ref();
    DoubtRow {
        object: one.object.clone(),
        action: format!("/hits/false-positives/{}", encode(&one.object)),
        class,
        word,
        said: format!("{} members, {} of the programme's people", one.members, one.people),
        reasons: one
            .reports
            .iter()
            .map(|report| format!("{}: {}", moment(report.at), report.reason))
            .collect(),
        decided: settled.map(|settled| format!("{}, {}: {}", moment(settled.at), settled.by, settled.reason)),
        may_confirm: may_decide && one.state != Doubt::Confirmed,
        may_dismiss: may_decide && one.state != Doubt::Dismissed,
    }
}

/// Whether a caller may decide on what is doubted. The exchange asks again.
fn decides(caller: &Caller) -> bool {
    caller.actions.contains(&Action::Administer)
        && matches!(caller.role(), Some(Role::Operator | Role::Officer | Role::Reviewer))
}

fn days_table(days: &[DayHits]) -> Table {
    let mut table = Table::new(&["day", "countermeasure", "facts", "hits_at_least", "of_these_enforced"]);
    let row = |one: &DayHits| {
        vec![
            json!(one.day),
            json!(one.countermeasure),
            json!(one.facts),
            json!(one.count),
            json!(one.enforced),
        ]
    };
    table.rows = days.iter().map(row).collect();
    table
}

fn members_table(giving: &[Giving], names: &BTreeMap<MemberId, String>) -> Table {
    let mut table =
        Table::new(&["member", "name", "contributed", "of_these_hit", "facts_reported", "last_report"]);
    let row = |one: &Giving| {
        let name = names.get(&one.member);
        vec![
            json!(one.member),
            json!(name),
            json!(one.contributed),
            json!(one.hit),
            json!(one.facts),
            json!(one.last),
        ]
    };
    table.rows = giving.iter().map(row).collect();
    table
}

fn indicators_table(indicators: &[IndicatorHits]) -> Table {
    let mut table =
        Table::new(&["indicator", "members", "facts", "hits_at_least", "last_day", "days_published"]);
    let row = |one: &IndicatorHits| {
        vec![
            json!(one.object),
            json!(one.members),
            json!(one.facts),
            json!(one.count),
            json!(one.last_day),
            json!(one.published_days),
        ]
    };
    table.rows = indicators.iter().map(row).collect();
    table
}

fn doubts_table(doubts: &[FalsePositive]) -> Table {
    let mut table = Table::new(&[
        "object",
        "state",
        "members",
        "people",
        "reasons",
        "decided_at",
        "decided_by",
        "decision",
    ]);
    let row = |one: &FalsePositive| {
        let reasons: Vec<&str> = one.reports.iter().map(|report| report.reason.as_str()).collect();
        let decided = one.decided.as_ref();
        vec![
            json!(one.object),
            json!(one.state),
            json!(one.members),
            json!(one.people),
            json!(reasons.join("; ")),
            json!(decided.map(|decided| decided.at)),
            json!(decided.map(|decided| &decided.by)),
            json!(decided.map(|decided| &decided.reason)),
        ]
    };
    table.rows = doubts.iter().map(row).collect();
    table
}

/// Takes `POST /hits/false-positives/{object}`: confirms what is doubted, or dismisses it.
pub(crate) async fn decide(
    State(console): State<Console>,
    Path(object): Path<String>,
    posted: Posted,
) -> Answer {
    let reason = posted.field("reason")?.to_owned();
    let confirms = match posted.field("decision")? {
        "confirm" => true,
        "dismiss" => false,
        _ => return Err(Problem::bad_request("`decision` is confirm or dismiss")),
    };
    let caller = posted.caller();
    let decided = console.decide(move |exchange| {
        if confirms {
            exchange.confirm_false_positive(&caller, &object, &reason)
        } else {
            exchange.dismiss_false_positive(&caller, &object, &reason)
        }
    });
    match decided.await {
        Ok(_) if confirms => posted
            .done("Confirmed: guards that follow the hub only watch for it from now on.", "/hits#doubts"),
        Ok(_) => posted.done("Dismissed: it counts as before.", "/hits#doubts"),
        Err(problem) if matches!(problem.status, StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY) => {
            posted.asked.session.say(refused(&problem));
            Ok(Redirect::to("/hits#doubts").into_response())
        }
        Err(problem) => Err(problem),
    }
}
