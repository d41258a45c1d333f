//! `/`: what needs a decision, what changed, and whether all is well.

use askama::Template;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse as _, Redirect};
use exchange::{Alert, Exchange, MatchState, Waiting};
use model::{Caller, Timestamp};
use serde_json::json;

use crate::asked::Asked;
use crate::console::Console;
use crate::cookies;
use crate::export::Table;
use crate::frame::Frame;
use crate::pages::members::{Known, everybody};
use crate::pages::sign_in::set_cookie;
use crate::pipeline::Arrived;
use crate::problem::{Answer, Problem, page};
use crate::words;

/// How many lines each list has.
const LINES_MAX: usize = 25;
/// For how long a browser remembers up to where it has seen.
const SEEN_SECONDS: u64 = 90 * 24 * 3_600;

#[derive(Template)]
#[template(path = "today.html")]
struct TodayPage {
    frame: Frame,
    todo: Vec<Todo>,
    todo_more: usize,
    news: Vec<News>,
    fresh: usize,
    matches: usize,
    matches_words: String,
    ledger_size: u64,
    ledger_root: String,
    is_ready: bool,
    not_ready: String,
    objects: u64,
    epoch: u64,
    members: usize,
    csv: String,
    json: String,
}

/// Something that somebody has to do.
struct Todo {
    what: String,
    who: String,
    href: String,
    due: Option<Timestamp>,
    due_day: String,
    is_over: bool,
}

/// Something that happened.
struct News {
    at: String,
    kind: String,
    text: String,
    href: Option<String>,
    is_fresh: bool,
}

struct Gathered {
    known: Vec<Known>,
    waiting: Vec<Waiting>,
    alerts: Vec<Alert>,
    matches: usize,
    objects: u64,
    ready: Result<(), String>,
}

/// Answers `GET /`.
pub(crate) async fn get(
    State(console): State<Console>,
    Extension(arrived): Extension<Arrived>,
    asked: Asked,
    headers: http::HeaderMap,
) -> Answer {
    let caller = asked.caller();
    if caller.member().is_some() {
        return Ok(Redirect::to("/me").into_response());
    }
    let found = console.read(move |exchange| gather(exchange, &caller)).await?;
    let todo = todo(&found, asked.now);
    if let Some(format) = asked.format()? {
        let mut table = Table::new(&["what", "who", "due", "overdue"]);
        table.rows = todo
            .iter()
            .map(|todo| vec![json!(todo.what), json!(todo.who), json!(todo.due), json!(todo.is_over)])
            .collect();
        return table.answer(format, "today");
    }
    let seen = cookies::read(&headers, cookies::SEEN, arrived.is_encrypted).unwrap_or_default();
    let news: Vec<News> = found.alerts.iter().rev().map(|alert| news(alert, seen)).collect();
    let head = console.exchange.ledger_head();
    let last_seen = found.alerts.last().map(|alert| alert.key.clone());
    let mut response = page(&TodayPage {
        todo_more: todo.len().saturating_sub(LINES_MAX),
        todo: todo.into_iter().take(LINES_MAX).collect(),
        fresh: news.iter().filter(|news| news.is_fresh).count(),
        news,
        matches: found.matches,
        matches_words: words::count(found.matches, "pair of names", "pairs of names"),
        ledger_size: head.size,
        ledger_root: head.root.to_string(),
        is_ready: found.ready.is_ok(),
        not_ready: found.ready.err().unwrap_or_default(),
        objects: found.objects,
        epoch: console.exchange.epoch().number(),
        members: found.known.len(),
        csv: asked.link("format", Some("csv")),
        json: asked.link("format", Some("json")),
        frame: asked.frame("Today"),
    })?;
    if let Some(last) = last_seen {
        let cookie = cookies::write(cookies::SEEN, &last, Some(SEEN_SECONDS), arrived.is_encrypted);
        set_cookie(&mut response, &cookie)?;
    }
    Ok(response)
}

fn gather(exchange: &Exchange, caller: &Caller) -> Result<Gathered, Problem> {
    let matches = exchange.matches(caller, MatchState::Open, 0, 1)?;
    Ok(Gathered {
        known: everybody(exchange, caller)?,
        waiting: exchange.proposals(caller, None, 1_000)?,
        alerts: exchange.last_alerts(caller, LINES_MAX)?,
        matches: matches.open,
        objects: exchange.inventory()?.objects,
        ready: exchange.check_ready().map_err(|error| error.to_string()),
    })
}

/// What has to be done, what is due first before the rest; what has no date, before that: somebody waits for it.
fn todo(found: &Gathered, now: Timestamp) -> Vec<Todo> {
    let mut todo = Vec::new();
    let mut add = |what: String, who: &str, href: String, due: Option<Timestamp>| {
        let due_day = due.map(words::day).unwrap_or_default();
        todo.push(Todo {
            what,
            who: who.to_owned(),
            href,
            due,
            due_day,
            is_over: due.is_some_and(|due| due < now),
        });
    };
    let name = |id: &model::MemberId| {
        let known = found.known.iter().find(|(member, _)| member.id == *id);
        known.map_or_else(|| id.to_string(), |(member, _)| member.name.clone())
    };
    for waiting in &found.waiting {
        match waiting {
            Waiting::Step(step) => {
                let left = step.needs.saturating_sub(u32::try_from(step.agreed.len()).unwrap_or(u32::MAX));
                let what =
                    format!("Agree: {} on {} ({left} more needed)", words::standing(step.to), step.tier);
                add(
                    what,
                    &name(&step.member),
                    format!("/members/{}?tier={}#actions", step.member, step.tier),
                    None,
                );
            }
            Waiting::Binding(binding) => {
                let what = format!("Agree: it is the entity {}", binding.entity);
                add(what, &name(&binding.member), format!("/members/{}#actions", binding.member), None);
            }
        }
    }
    for (member, dossier) in &found.known {
        let page = |tier: &model::Tier| format!("/members/{}?tier={tier}#actions", member.id);
        for (tier, review) in dossier.reviews.iter().filter(|(_, review)| review.concluded.is_none()) {
            add(format!("Review on {tier}"), &member.name, page(tier), Some(review.due));
        }
        for appeal in dossier.appeals.iter().filter(|appeal| appeal.answered.is_none()) {
            add(
                format!("Answer the appeal on {}", appeal.tier),
                &member.name,
                page(&appeal.tier),
                Some(appeal.due),
            );
        }
        for duty in dossier.duties.iter().filter(|duty| duty.done.is_none() && duty.due < now) {
            let what = format!("Overdue: {}", duty.text);
            add(what, &member.name, format!("/members/{}#record", member.id), Some(duty.due));
        }
    }
    todo.sort_by(|a, b| (a.due, &a.who, &a.what).cmp(&(b.due, &b.who, &b.what)));
    todo
}

fn news(alert: &Alert, seen: &str) -> News {
    let href = alert.member.as_ref().map(|member| match &alert.tier {
        Some(tier) => format!("/members/{member}?tier={tier}"),
        None => format!("/members/{member}"),
    });
    News {
        at: words::moment(alert.at),
        kind: alert.kind.clone(),
        text: alert.text.clone(),
        href,
        is_fresh: alert.key.as_str() > seen,
    }
}
