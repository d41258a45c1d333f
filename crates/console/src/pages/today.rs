//! `/`: what needs a decision, what changed, and whether all is well.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect};
use exchange::{
    AdminError, Alert, DayHits, Exchange, FALSE_POSITIVES_MAX, FalsePositive, GuardState, HeldSubmissions,
    LedgerCheck, MatchState, State as Doubt, Unseen, Waiting, WebhookView,
};
use model::{Caller, Timestamp};
use serde_json::json;

use crate::asked::{Asked, Files};
use crate::chart::{self, Bars, Counts, Size};
use crate::console::Console;
use crate::export::Table;
use crate::frame::Frame;
use crate::pages::alerts::News;
use crate::pages::hits;
use crate::pages::members::{Known, everybody};
use crate::problem::{Answer, Problem, page};
use crate::query::encode;
use crate::svg::Picture;
use crate::words::{self, thousands};

/// How many lines each list has.
const LINES_MAX: usize = 25;

#[derive(Template)]
#[template(path = "today.html")]
struct TodayPage {
    frame: Frame,
    todo: Vec<Todo>,
    todo_more: usize,
    kinds: Vec<(String, bool)>,
    news: Vec<News>,
    /// How many alerts are new to the account, and the newest one's key.
    unseen: u64,
    newest: String,
    held: Vec<Held>,
    health: Vec<Health>,
    is_ready: bool,
    not_ready: String,
    feed: Chart,
    hits: Option<Chart>,
    objects: String,
    epoch: u64,
    members: usize,
    feed_files: Files,
    hits_files: Files,
    csv: String,
    json: String,
}

/// Something that somebody has to do.
struct Todo {
    kind: &'static str,
    what: String,
    who: String,
    href: String,
    due: Option<Timestamp>,
    due_day: String,
    is_over: bool,
}

/// Submissions that lie where each member reads its own only.
struct Held {
    href: String,
    alias: String,
    objects: String,
    last: String,
}

/// One thing that is well or not.
struct Health {
    what: &'static str,
    class: &'static str,
    word: String,
    note: String,
    href: &'static str,
}

/// A small chart with its numbers.
struct Chart {
    picture: Option<Picture>,
    /// The total, in words.
    total: String,
    /// Day, part and number.
    rows: Vec<(String, String, String)>,
}

struct Gathered {
    known: Vec<Known>,
    waiting: Vec<Waiting>,
    /// The newest first.
    alerts: Vec<Alert>,
    unseen: Unseen,
    matches: usize,
    doubts: Vec<FalsePositive>,
    held: Vec<HeldSubmissions>,
    stored: Vec<(String, u64)>,
    /// For those who may see numbers of hits.
    hits: Option<Vec<DayHits>>,
    /// How many guards are silent, how many let go, of how many.
    guards: Option<[usize; 3]>,
    /// For those who may see them.
    webhooks: Option<Vec<WebhookView>>,
    checked: Option<LedgerCheck>,
    objects: u64,
    ready: Result<(), String>,
}

/// Answers `GET /`.
pub(crate) async fn get(State(console): State<Console>, asked: Asked) -> Answer {
    let caller = asked.caller();
    if caller.member().is_some() {
        return Ok(Redirect::to("/me").into_response());
    }
    let found = console.read(move |exchange| gather(exchange, &caller)).await?;
    let todo = todo(&found, asked.now);
    if let (Some(format), Some(chart)) = (asked.format()?, asked.query.get("table")) {
        return days(&found, chart)?.answer(format, chart);
    }
    if let Some(format) = asked.format()? {
        let mut table = Table::new(&["kind", "what", "who", "due", "overdue"]);
        let row = |todo: &Todo| {
            vec![json!(todo.kind), json!(todo.what), json!(todo.who), json!(todo.due), json!(todo.is_over)]
        };
        table.rows = todo.iter().map(row).collect();
        return table.answer(format, "today");
    }
    let news: Vec<News> = found.alerts.iter().map(|alert| News::new(alert, found.unseen)).collect();
    page(&TodayPage {
        kinds: kinds(&todo, found.matches),
        todo_more: todo.len().saturating_sub(LINES_MAX),
        todo: todo.into_iter().take(LINES_MAX).collect(),
        unseen: found.unseen.count,
        newest: found.alerts.first().map(|alert| alert.key.clone()).unwrap_or_default(),
        news,
        held: found.held.iter().filter(|held| held.objects > 0).map(held).collect(),
        health: health(&console, &found),
        is_ready: found.ready.is_ok(),
        feed: feed(&found.stored, asked.now),
        hits: found.hits.as_deref().map(|days| hits_chart(days, asked.now)),
        objects: thousands(found.objects),
        epoch: console.exchange.epoch().number(),
        members: found.known.len(),
        feed_files: asked.files_of("feed"),
        hits_files: asked.files_of("hits"),
        csv: asked.link("format", Some("csv")),
        json: asked.link("format", Some("json")),
        frame: asked.frame("Today"),
        not_ready: found.ready.err().unwrap_or_default(),
    })
}

fn gather(exchange: &Exchange, caller: &Caller) -> Result<Gathered, Problem> {
    let matches = exchange.matches(caller, MatchState::Open, 0, 1)?;
    let mut doubts = exchange.false_positives(caller, "", FALSE_POSITIVES_MAX)?;
    doubts.retain(|one| one.state == Doubt::Reported);
    let guards = open_to(exchange.guards(caller))?.map(|guards| {
        let of = |state: GuardState| guards.iter().filter(|guard| guard.state == state).count();
        [of(GuardState::Silent), of(GuardState::LeaseOver), guards.len()]
    });
    Ok(Gathered {
        known: everybody(exchange, caller)?,
        waiting: exchange.proposals(caller, None, 1_000)?,
        alerts: exchange.alerts_before(caller, None, LINES_MAX)?,
        unseen: exchange.unseen_alerts(caller)?,
        matches: matches.open,
        doubts,
        held: exchange.held_submissions(caller)?,
        stored: exchange.stored_by_day(caller)?,
        hits: open_to(exchange.hits_by_day(caller))?,
        guards,
        webhooks: open_to(exchange.webhooks(caller))?,
        checked: exchange.ledger_check(caller)?,
        objects: exchange.inventory()?.objects,
        ready: exchange.check_ready().map_err(|error| error.to_string()),
    })
}

/// What only some roles may see, for those who may.
fn open_to<T>(answer: Result<T, AdminError>) -> Result<Option<T>, AdminError> {
    match answer {
        Err(AdminError::Forbidden { .. }) => Ok(None),
        answer => answer.map(Some),
    }
}

/// How many there are of each kind of what is to be done, and whether one of it is overdue.
fn kinds(todo: &[Todo], matches: usize) -> Vec<(String, bool)> {
    const KINDS: [(&str, &str); 6] = [
        ("proposal", "proposals"),
        ("review", "reviews"),
        ("appeal", "appeals"),
        ("overdue duty", "overdue duties"),
        ("doubt", "doubts"),
        ("match", "matches"),
    ];
    let told = |(kind, many): (&str, &str)| {
        let of = || todo.iter().filter(|todo| todo.kind == kind);
        // All pairs of names are one task.
        let number = if kind == "match" { matches } else { of().count() };
        (number > 0).then(|| (words::count(number, kind, many), of().any(|todo| todo.is_over)))
    };
    KINDS.into_iter().filter_map(told).collect()
}

fn held(held: &HeldSubmissions) -> Held {
    Held {
        href: format!("/content?collection={}", encode(&held.alias)),
        alias: held.alias.clone(),
        objects: words::count(usize::try_from(held.objects).unwrap_or(usize::MAX), "object", "objects"),
        last: held.last.map(words::moment).unwrap_or_default(),
    }
}

/// What a chart shows, as a file.
fn days(found: &Gathered, chart: &str) -> Result<Table, Problem> {
    let mut table;
    match (chart, &found.hits) {
        ("feed", _) => {
            table = Table::new(&["day", "objects_stored"]);
            table.rows = found.stored.iter().map(|(day, count)| vec![json!(day), json!(count)]).collect();
        }
        ("hits", Some(hits)) => {
            table = Table::new(&["day", "countermeasure", "hits_at_least"]);
            let row = |one: &DayHits| vec![json!(one.day), json!(one.countermeasure), json!(one.count)];
            table.rows = hits.iter().map(row).collect();
        }
        _ => return Err(Problem::bad_request("`table` is feed or hits, or left out")),
    }
    Ok(table)
}

fn feed(stored: &[(String, u64)], now: Timestamp) -> Chart {
    let bars = Bars {
        id: "feed-chart",
        title: "Objects stored on each day",
        what: "objects",
        parts: &["stored"],
        is_at_least: false,
        size: Size::Small,
    };
    let counts: Counts<'_> = stored.iter().map(|(day, count)| ((day.as_str(), "stored"), *count)).collect();
    let total = stored.iter().fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
    let row = |(day, count): &(String, u64)| (day.clone(), String::new(), thousands(*count));
    Chart {
        picture: (total > 0).then(|| chart::draw(&bars, &counts, now)),
        total: thousands(total),
        rows: stored.iter().map(row).collect(),
    }
}

fn hits_chart(days: &[DayHits], now: Timestamp) -> Chart {
    let total = days.iter().fold(0_u64, |sum, one| sum.saturating_add(one.count));
    let row = |one: &DayHits| (one.day.clone(), one.countermeasure.to_owned(), thousands(one.count));
    Chart {
        picture: (total > 0).then(|| hits::drawn(days, now, Size::Small)),
        total: thousands(total),
        rows: days.iter().map(row).collect(),
    }
}

/// What runs beside the answering: the ledger, guards, webhooks.
fn health(console: &Console, found: &Gathered) -> Vec<Health> {
    let size = thousands(console.exchange.ledger_head().size);
    let (class, word, note) = match &found.checked {
        None => ("", "not checked yet".to_owned(), format!("{size} entries")),
        Some(LedgerCheck { at, problem: None, .. }) => {
            let note =
                format!("{size} entries; read back and held to its signed head {}", words::moment(*at));
            ("listed", "whole".to_owned(), note)
        }
        Some(LedgerCheck { at, problem: Some(problem), .. }) => {
            let note = format!("{}: {problem}. Stop the hub and restore a backup", words::moment(*at));
            ("suspended", "not what is signed".to_owned(), note)
        }
    };
    let mut health = vec![Health { what: "Ledger", class, word, note, href: "/ledger" }];
    if let Some([silent, over, all]) = found.guards.filter(|[_, _, all]| *all > 0) {
        let (class, word) = match (silent, over) {
            (0, 0) => ("listed", "all heard".to_owned()),
            (silent, 0) => ("review", format!("{silent} silent")),
            (0, over) => ("suspended", format!("{} over", words::count(over, "lease", "leases"))),
            (silent, over) => {
                ("suspended", format!("{} over, {silent} silent", words::count(over, "lease", "leases")))
            }
        };
        let note = format!("{} known", words::count(all, "guard", "guards"));
        health.push(Health { what: "Guards", class, word, note, href: "/hits#guards" });
    }
    for hook in found.webhooks.iter().flatten().filter(|hook| hook.state == "failing") {
        let note = format!("{}: {}", hook.name, hook.last_error.as_deref().unwrap_or_default());
        let word =
            words::count(usize::try_from(hook.behind).unwrap_or(usize::MAX), "alert waits", "alerts wait");
        health.push(Health { what: "Webhook", class: "review", word, note, href: "/#news" });
    }
    health
}

/// What has to be done, what is due first before the rest; what has no date, before that: somebody waits for it.
fn todo(found: &Gathered, now: Timestamp) -> Vec<Todo> {
    let mut todo = Vec::new();
    let mut add = |kind: &'static str, what: String, who: &str, href: String, due: Option<Timestamp>| {
        let due_day = due.map(words::day).unwrap_or_default();
        todo.push(Todo {
            kind,
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
                    "proposal",
                    what,
                    &name(&step.member),
                    format!("/members/{}?tier={}#actions", step.member, step.tier),
                    None,
                );
            }
            Waiting::Binding(binding) => {
                let what = format!("Agree: it is the entity {}", binding.entity);
                let href = format!("/members/{}#actions", binding.member);
                add("proposal", what, &name(&binding.member), href, None);
            }
        }
    }
    for (member, dossier) in &found.known {
        let page = |tier: &model::Tier| format!("/members/{}?tier={tier}#actions", member.id);
        for (tier, review) in dossier.reviews.iter().filter(|(_, review)| review.concluded.is_none()) {
            add("review", format!("Review on {tier}"), &member.name, page(tier), Some(review.due));
        }
        for appeal in dossier.appeals.iter().filter(|appeal| appeal.answered.is_none()) {
            add(
                "appeal",
                format!("Answer the appeal on {}", appeal.tier),
                &member.name,
                page(&appeal.tier),
                Some(appeal.due),
            );
        }
        for duty in dossier.duties.iter().filter(|duty| duty.done.is_none() && duty.due < now) {
            let what = format!("Overdue: {}", duty.text);
            let href = format!("/members/{}#record", member.id);
            add("overdue duty", what, &member.name, href, Some(duty.due));
        }
    }
    for doubt in &found.doubts {
        let said = words::count(doubt.members + doubt.people, "says", "say");
        let what = format!("Decide whether it is a false positive: {said} so");
        add("doubt", what, &doubt.object, "/hits#doubts".to_owned(), None);
    }
    if found.matches > 0 {
        let pairs = words::count(found.matches, "pair of names", "pairs of names");
        let what = "the same company, or not".to_owned();
        add("match", what, &pairs, "/ties/matches".to_owned(), None);
    }
    todo.sort_by(|a, b| (a.due, &a.who, &a.what).cmp(&(b.due, &b.who, &b.what)));
    todo
}
