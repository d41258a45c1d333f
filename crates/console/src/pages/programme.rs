//! `/programme`: the rules in force, with text, source and dates; how its cases go; its versions.
//!
//! A programme is a folder that is tested like code, so the page can run its cases: the answer is the one that
//! `ringfence check` gives.

mod timeline;

use std::sync::Arc;
use std::time::Instant;

use askama::Template;
use axum::extract::State;
use exchange::{AdminError, Exchange, Sought};
use model::{Caller, Grade};
use programme::{PackRule, Programme};
use serde_json::json;
use ties::Day;

use crate::asked::Asked;
use crate::console::Console;
use crate::export::Table;
use crate::frame::Frame;
use crate::problem::{Answer, Problem, page};
use crate::svg::Picture;
use crate::words::{count, moment, period};

/// How many versions are told.
const VERSIONS_MAX: usize = 50;

#[derive(Template)]
#[template(path = "programme.html")]
struct ProgrammePage {
    frame: Frame,
    title: String,
    description: String,
    name: String,
    digest: String,
    epoch: u64,
    people: u32,
    tiers: Vec<(String, String)>,
    collections: Vec<(String, String)>,
    packs: Vec<PackView>,
    picture: Picture,
    release: Vec<ReleaseRule>,
    cases: Option<CasesView>,
    cases_count: String,
    versions: Option<Vec<Version>>,
    run: String,
    csv: String,
    json: String,
}

struct PackView {
    title: String,
    version: String,
    source: String,
    notice: String,
    in_force: bool,
    rules: Vec<RuleView>,
}

struct RuleView {
    id: String,
    grade: Grade,
    tiers: String,
    text: String,
    source: String,
    effective: String,
    suspended: Vec<String>,
    recorded: Option<String>,
    is_now: bool,
}

/// A rule about who may have what.
struct ReleaseRule {
    id: String,
    text: String,
    source: String,
    forbids: bool,
}

/// How the cases about vetting went.
struct CasesView {
    text: String,
    passed: bool,
    failures: Vec<Failure>,
}

struct Failure {
    place: String,
    id: String,
    message: String,
    because: String,
}

/// A version that came into force.
struct Version {
    index: u64,
    at: String,
    by: String,
    sha256: String,
    epoch: u64,
    is_this: bool,
}

/// Answers `GET /programme`; with `cases=run`, with how its cases go.
pub(crate) async fn get(State(console): State<Console>, asked: Asked) -> Answer {
    let programme = console.exchange.programme();
    let today = Day::of(asked.now);
    if let Some(format) = asked.format()? {
        return table(&programme).answer(format, "rules");
    }
    let caller = asked.caller();
    let (runs, of) = (asked.query.get("cases") == Some("run"), Arc::clone(&programme));
    let (cases, versions) = console
        .read(move |exchange| -> Result<_, Problem> {
            let cases = runs.then(|| run(of)).transpose()?;
            Ok((cases, versions(exchange, &caller)?))
        })
        .await?;
    let settings = programme.settings();
    let pack = |pack: &programme::Pack| PackView {
        title: pack.about.title.clone(),
        version: pack.about.version.clone(),
        source: pack.about.source.clone(),
        notice: pack.about.notice.clone(),
        in_force: pack.about.in_force,
        rules: pack.rules.iter().map(|one| rule(one, today)).collect(),
    };
    let cases_count = programme.vetting_cases().iter().map(|file| file.cases.len()).sum();
    page(&ProgrammePage {
        title: settings.title.clone(),
        description: settings.description.clone().unwrap_or_default(),
        name: settings.name.to_string(),
        digest: programme.digest().to_owned(),
        epoch: console.exchange.epoch().number(),
        people: settings.vetting.quorum,
        tiers: settings.tiers.iter().map(|tier| (tier.name.to_string(), tier.title.clone())).collect(),
        collections: settings
            .collections
            .iter()
            .map(|one| (one.title.clone(), one.tier.to_string()))
            .collect(),
        packs: programme.packs().iter().map(pack).collect(),
        picture: timeline::draw(&programme, today),
        release: programme.policies().rules().into_iter().map(release_rule).collect(),
        cases,
        cases_count: count(cases_count, "case", "cases"),
        versions,
        run: format!("{}#cases", asked.link("cases", Some("run"))),
        csv: asked.link("format", Some("csv")),
        json: asked.link("format", Some("json")),
        frame: asked.frame("Programme"),
    })
}

fn rule(rule: &PackRule, today: Day) -> RuleView {
    RuleView {
        id: rule.id.clone(),
        grade: rule.grade,
        tiers: tiers(rule),
        text: rule.text.clone(),
        source: rule.source.clone(),
        effective: period(rule.effective),
        suspended: rule.suspended.iter().map(|out| period(*out)).collect(),
        recorded: rule.recorded.map(|day| day.to_string()),
        is_now: rule.effective.holds(today) != ties::Truth::No
            && !rule.suspended.iter().any(|out| out.holds(today) == ties::Truth::Certain),
    }
}

fn tiers(rule: &PackRule) -> String {
    let Some(tiers) = &rule.tiers else { return "all".to_owned() };
    tiers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn release_rule(rule: &programme::Rule) -> ReleaseRule {
    ReleaseRule {
        id: rule.id.clone(),
        text: rule.text.clone(),
        source: rule.source.clone(),
        forbids: rule.forbids,
    }
}

/// Runs the cases about vetting.
fn run(programme: Arc<Programme>) -> Result<CasesView, Problem> {
    let began = Instant::now();
    let judge = vetting::Judge::new(programme).map_err(Problem::internal)?;
    let report = vetting::run_cases(&judge);
    let took = began.elapsed().as_millis();
    let failure = |one: &vetting::CaseFailure| Failure {
        place: format!("{}:{}", one.file, one.line),
        id: one.id.clone(),
        message: one.message.clone(),
        because: one.because.clone(),
    };
    Ok(CasesView {
        text: format!(
            "{} run in {took} ms, {} went wrong.",
            count(report.run, "case", "cases"),
            report.failures.len()
        ),
        passed: report.failures.is_empty(),
        failures: report.failures.iter().map(failure).collect(),
    })
}

/// The last versions that came into force, as far as the end of the ledger tells of them, the newest first; for its auditors.
fn versions(exchange: &Exchange, caller: &Caller) -> Result<Option<Vec<Version>>, Problem> {
    let sought = Sought { kind: Some("policy".to_owned()), ..Sought::default() };
    let entries = match exchange.ledger_entries(caller, &sought, VERSIONS_MAX) {
        Err(AdminError::Forbidden { .. }) => return Ok(None),
        found => found?.entries,
    };
    let programme = exchange.programme();
    let version = |entry: &exchange::OpenedEntry| {
        let text = |name: &str| entry.body[name].as_str().unwrap_or_default().to_owned();
        Version {
            index: entry.index,
            at: entry.at.parse().map_or_else(|_| entry.at.clone(), moment),
            by: text("by"),
            is_this: text("sha256") == programme.digest(),
            sha256: text("sha256"),
            epoch: entry.body["epoch"].as_u64().unwrap_or_default(),
        }
    };
    Ok(Some(entries.iter().map(version).collect()))
}

fn table(programme: &Programme) -> Table {
    let mut table = Table::new(&[
        "pack",
        "pack_version",
        "in_force",
        "rule",
        "grade",
        "tiers",
        "text",
        "source",
        "effective_from",
        "effective_to",
        "recorded",
    ]);
    for pack in programme.packs() {
        for rule in &pack.rules {
            table.rows.push(vec![
                json!(pack.about.name),
                json!(pack.about.version),
                json!(pack.about.in_force),
                json!(rule.id),
                json!(rule.grade),
                json!(tiers(rule)),
                json!(rule.text),
                json!(rule.source),
                json!(rule.effective.from.map(|day| day.to_string())),
                json!(rule.effective.to.map(|day| day.to_string())),
                json!(rule.recorded.map(|day| day.to_string())),
            ]);
        }
    }
    table
}
