//! `/hits`: which indicators hit, who gives and who takes, what is doubted, and what is heard of guards.
//!
//! The hub knows of a hit that a member's guard met an indicator in some hour, about how often, and nothing of whom. What
//! it shows here is for the programme's people; members see the published numbers of their own contributions.

mod tables;

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect};
use exchange::{
    AdminError, DayHits, Exchange, FALSE_POSITIVES_MAX, FalsePositive, Giving, GuardState, GuardView,
    IndicatorHits, OWN_MAX, State as Doubt,
};
use http::StatusCode;
use model::{Action, Caller, MemberId, Role, Timestamp};

use self::tables::{days_table, doubts_table, guards_table, indicators_table, members_table};
use crate::asked::{Asked, Posted};
use crate::chart::{self, Bars, Counts, Size};
use crate::console::Console;
use crate::frame::Frame;
use crate::pages::portal::feed::doubt;
use crate::pipeline::refused;
use crate::problem::{Answer, Problem, page};
use crate::query::encode;
use crate::svg::{Picture, shortened};
use crate::words::{count, day, moment, thousands};

/// How many lines each table of the page has; its file has more.
const ROWS_MAX: usize = 25;
/// How many doubts it has at a time, how many reasons of each, and how much of a reason.
const DOUBTS_MAX: usize = 15;
const REASONS_MAX: usize = 3;
const REASON_LETTERS: usize = 240;
/// How many members are read at once.
const READ_AT_ONCE: usize = 1_000;

#[derive(Template)]
#[template(path = "hits.html")]
struct HitsPage {
    frame: Frame,
    /// Whether the caller may not see numbers.
    is_closed: bool,
    picture: Option<Picture>,
    days: Vec<DayRow>,
    guards: Vec<GuardRow>,
    guards_words: String,
    guards_more: usize,
    members: Vec<MemberRow>,
    members_more: usize,
    indicators: Vec<IndicatorRow>,
    indicators_max: usize,
    doubts: Vec<DoubtRow>,
    doubts_all: usize,
    doubts_before: Option<String>,
    doubts_after: Option<String>,
    may_decide: bool,
    lease_hours: u32,
    least: u32,
    here: Files,
}

/// Where the tables' files are.
struct Files {
    days: (String, String),
    guards: (String, String),
    members: (String, String),
    indicators: (String, String),
    doubts: (String, String),
}

struct DayRow {
    day: String,
    countermeasure: &'static str,
    facts: String,
    count: String,
    enforced: String,
}

struct GuardRow {
    member: MemberId,
    name: String,
    login: String,
    version: String,
    class: &'static str,
    word: &'static str,
    heard: String,
    lease: String,
    reported: Vec<String>,
}

struct MemberRow {
    id: MemberId,
    name: String,
    contributed: String,
    hit: String,
    facts: String,
    last: String,
    received: String,
    last_received: String,
}

struct IndicatorRow {
    object: String,
    href: String,
    members: usize,
    facts: String,
    count: String,
    last_day: String,
    published_days: u64,
}

struct DoubtRow {
    object: String,
    href: String,
    action: String,
    class: &'static str,
    word: &'static str,
    said: String,
    reasons: Vec<String>,
    reasons_more: usize,
    decided: Option<String>,
    may_confirm: bool,
    may_dismiss: bool,
}

/// What only some may see.
struct Numbers {
    days: Vec<DayHits>,
    guards: Vec<GuardView>,
    giving: Vec<Giving>,
    indicators: Vec<IndicatorHits>,
}

struct Found {
    numbers: Option<Numbers>,
    doubts: Vec<FalsePositive>,
    names: BTreeMap<MemberId, String>,
}

/// Answers `GET /hits`.
pub(crate) async fn get(State(console): State<Console>, asked: Asked) -> Answer {
    let caller = asked.caller();
    let format = asked.format()?;
    // A page has a part of what its files have.
    let most = if format.is_some() { OWN_MAX } else { ROWS_MAX };
    let found = console.read(move |exchange| gather(exchange, &caller, most)).await?;
    let Some(format) = format else { return page(&view(&console, &asked, found)) };
    let name = asked.query.get("table").unwrap_or("days");
    let closed = || Problem::forbidden("this is for an operator, an officer or an overseer");
    if name == "doubts" {
        return doubts_table(&found.doubts).answer(format, "hits-doubts");
    }
    let table = match (name, found.numbers) {
        ("days" | "guards" | "members" | "indicators", None) => return Err(closed()),
        ("days", Some(numbers)) => days_table(&numbers.days),
        ("guards", Some(numbers)) => guards_table(&numbers.guards),
        ("members", Some(numbers)) => members_table(&numbers.giving, &found.names),
        ("indicators", Some(numbers)) => indicators_table(&numbers.indicators),
        (_, _) => {
            return Err(Problem::bad_request("`table` is days, guards, members, indicators or doubts"));
        }
    };
    table.answer(format, &format!("hits-{name}"))
}

fn view(console: &Console, asked: &Asked, found: Found) -> HitsPage {
    let is_closed = found.numbers.is_none();
    let nothing = || Numbers { days: vec![], guards: vec![], giving: vec![], indicators: vec![] };
    let Numbers { days, guards, giving, indicators } = found.numbers.unwrap_or_else(nothing);
    let programme = console.exchange.programme();
    let settings = &programme.settings().guard;
    let may_decide = decides(&asked.caller());
    let files = |name: &str| {
        let query = asked.query.with("table", Some(name));
        let link = |format: &str| query.with("format", Some(format)).link(&asked.path);
        (link("csv"), link("json"))
    };
    let from: usize = asked.query.get("doubts").and_then(|text| text.parse().ok()).unwrap_or(0);
    let from = from.min(found.doubts.len().saturating_sub(1)) / DOUBTS_MAX * DOUBTS_MAX;
    let doubts_at = |from: usize| format!("{}#doubts", asked.link("doubts", Some(&from.to_string())));
    HitsPage {
        is_closed,
        picture: (!days.is_empty()).then(|| drawn(&days, asked.now, Size::Large)),
        days: days.iter().map(day_row).collect(),
        guards_words: states(&guards),
        guards_more: guards.len().saturating_sub(ROWS_MAX),
        guards: guards.iter().take(ROWS_MAX).map(guard_row).collect(),
        members: giving.iter().take(ROWS_MAX).map(|one| member_row(one, &found.names)).collect(),
        members_more: giving.len().saturating_sub(ROWS_MAX),
        indicators: indicators.iter().map(indicator_row).collect(),
        indicators_max: ROWS_MAX,
        doubts_all: found.doubts.len(),
        doubts_before: (from > 0).then(|| doubts_at(from.saturating_sub(DOUBTS_MAX))),
        doubts_after: (from + DOUBTS_MAX < found.doubts.len()).then(|| doubts_at(from + DOUBTS_MAX)),
        doubts: found
            .doubts
            .iter()
            .skip(from)
            .take(DOUBTS_MAX)
            .map(|one| doubt_row(one, may_decide))
            .collect(),
        may_decide,
        lease_hours: settings.lease_hours,
        least: settings.occurrence_members_min,
        here: Files {
            days: files("days"),
            guards: files("guards"),
            members: files("members"),
            indicators: files("indicators"),
            doubts: files("doubts"),
        },
        frame: asked.frame("Hits"),
    }
}

/// The hits of the last days as bars.
pub(crate) fn drawn(days: &[DayHits], now: Timestamp, size: Size) -> Picture {
    let bars = Bars {
        id: "hits-chart",
        title: "Hits on each day, by countermeasure",
        what: "hits",
        parts: &["sinkhole", "quarantine", "flow"],
        is_at_least: true,
        size,
    };
    let counts: Counts<'_> =
        days.iter().map(|one| ((one.day.as_str(), one.countermeasure), one.count)).collect();
    chart::draw(&bars, &counts, now)
}

fn gather(exchange: &Exchange, caller: &Caller, most: usize) -> Result<Found, Problem> {
    let mut doubts = doubts(exchange, caller)?;
    // What nobody decided on stands first.
    doubts.sort_by_key(|one| (one.state != Doubt::Reported, one.object.clone()));
    let mut names = BTreeMap::new();
    let numbers = match exchange.hits_by_day(caller) {
        Err(AdminError::Forbidden { .. }) => None,
        days => {
            names = names_of(exchange, caller)?;
            Some(Numbers {
                days: days?,
                guards: exchange.guards(caller)?,
                giving: giving(exchange, caller)?,
                indicators: exchange.top_hits(caller, most)?,
            })
        }
    };
    Ok(Found { numbers, doubts, names })
}

fn names_of(exchange: &Exchange, caller: &Caller) -> Result<BTreeMap<MemberId, String>, Problem> {
    let mut names = BTreeMap::new();
    loop {
        let after = names.last_key_value().map(|(id, _): (&MemberId, &String)| id.clone());
        let some = exchange.members(caller, after.as_ref(), READ_AT_ONCE)?;
        let is_last = some.len() < READ_AT_ONCE;
        names.extend(some.into_iter().map(|member| (member.id, member.name)));
        if is_last {
            return Ok(names);
        }
    }
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

/// Everybody, those first who give and report most.
fn giving(exchange: &Exchange, caller: &Caller) -> Result<Vec<Giving>, Problem> {
    let mut all: Vec<Giving> = Vec::new();
    loop {
        let after = all.last().map(|one| one.member.to_string()).unwrap_or_default();
        let some = exchange.giving(caller, &after, OWN_MAX)?;
        let is_last = some.len() < OWN_MAX;
        all.extend(some);
        if is_last {
            break;
        }
    }
    let rank = |one: &Giving| (one.hit, one.contributed, one.facts);
    all.sort_by(|a, b| rank(b).cmp(&rank(a)).then_with(|| a.member.cmp(&b.member)));
    Ok(all)
}

fn day_row(one: &DayHits) -> DayRow {
    DayRow {
        day: one.day.clone(),
        countermeasure: one.countermeasure,
        facts: thousands(one.facts),
        count: thousands(one.count),
        enforced: thousands(one.enforced),
    }
}

/// How many guards stand how.
fn states(guards: &[GuardView]) -> String {
    let of = |state: GuardState| guards.iter().filter(|guard| guard.state == state).count();
    let (heard, silent, over) = (of(GuardState::Heard), of(GuardState::Silent), of(GuardState::LeaseOver));
    format!("{} heard now, {silent} silent, {over} over.", count(heard, "guard is", "guards are"))
}

fn guard_row(one: &GuardView) -> GuardRow {
    let (class, word) = match one.state {
        GuardState::Heard => ("listed", "heard"),
        GuardState::Silent => ("review", "silent"),
        GuardState::LeaseOver => ("suspended", "lease over"),
    };
    let until = moment(one.lease_until);
    GuardRow {
        member: one.member.clone(),
        name: one.name.clone(),
        login: one.login.clone(),
        version: one.version.clone(),
        class,
        word,
        heard: moment(one.heard),
        lease: if one.state == GuardState::LeaseOver { format!("ended {until}") } else { until },
        reported: one.reported.iter().map(|(word, at)| format!("{word}, last {}", day(*at))).collect(),
    }
}

fn member_row(one: &Giving, names: &BTreeMap<MemberId, String>) -> MemberRow {
    MemberRow {
        name: names.get(&one.member).cloned().unwrap_or_default(),
        id: one.member.clone(),
        contributed: thousands(one.contributed),
        hit: thousands(one.hit),
        facts: thousands(one.facts),
        last: one.last.map(moment).unwrap_or_default(),
        received: thousands(one.received),
        last_received: one.last_received.map(moment).unwrap_or_default(),
    }
}

fn indicator_row(one: &IndicatorHits) -> IndicatorRow {
    IndicatorRow {
        object: one.object.clone(),
        href: format!("/content/{}", encode(&one.object)),
        members: one.members,
        facts: thousands(one.facts),
        count: thousands(one.count),
        last_day: one.last_day.clone(),
        published_days: one.published_days,
    }
}

fn doubt_row(one: &FalsePositive, may_decide: bool) -> DoubtRow {
    let (class, word) = doubt(one.state);
    let settled = one.decided.as_ref();
    DoubtRow {
        object: one.object.clone(),
        href: format!("/content/{}", encode(&one.object)),
        action: format!("/hits/false-positives/{}", encode(&one.object)),
        class,
        word,
        said: format!(
            "{}, {} of the programme's people",
            count(one.members, "member", "members"),
            one.people
        ),
        reasons: one
            .reports
            .iter()
            .take(REASONS_MAX)
            .map(|report| format!("{}: {}", moment(report.at), shortened(&report.reason, REASON_LETTERS)))
            .collect(),
        reasons_more: one.reports.len().saturating_sub(REASONS_MAX),
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
