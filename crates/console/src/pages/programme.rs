//! `/programme`: the rules in force, with text, source and dates; how its cases go; its versions.
//!
//! A programme is a folder that is tested like code, so the page can run its cases: the answer is the one that
//! `ringfence check` gives.

pub(crate) mod compare;
mod timeline;

use std::time::Instant;

use askama::Template;
use axum::extract::State;
use exchange::{AdminError, CaseFailed, CasesRun, Exchange, VersionView};
use model::{Caller, Grade};
use programme::{PackRule, Programme};
use serde_json::json;
use ties::Day;

use crate::asked::{Asked, Files};
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
    versions_files: Files,
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
    failures: Vec<CaseFailed>,
}

/// A version that came into force.
struct Version {
    index: u64,
    at: String,
    by: String,
    sha256: String,
    epoch: u64,
    is_this: bool,
    /// Where it is compared with the one in force, if its text is kept.
    compare: Option<String>,
}

/// Answers `GET /programme`; with `cases=run`, with how its cases go.
pub(crate) async fn get(State(console): State<Console>, asked: Asked) -> Answer {
    let programme = console.exchange.programme();
    let today = Day::of(asked.now);
    let caller = asked.caller();
    if let Some(format) = asked.format()? {
        if asked.query.get("table") != Some("versions") {
            return table(&programme).answer(format, "rules");
        }
        let all = console
            .read(move |exchange| exchange.programme_versions(&caller, usize::MAX).map_err(Problem::from))
            .await?;
        return versions_table(&all).answer(format, "versions");
    }
    let runs = asked.query.get("cases") == Some("run");
    let (cases, versions) = console
        .read(move |exchange| -> Result<_, Problem> {
            let cases = runs.then(|| run(exchange, &caller)).transpose()?;
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
        versions_files: asked.files_of("versions"),
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
        suspended: rule.suspended.iter().map(|suspension| period(suspension.out)).collect(),
        recorded: rule.recorded.map(|day| day.to_string()),
        is_now: rule.effective.holds(today) != ties::Truth::No
            && !rule.suspended.iter().any(|suspension| suspension.out.holds(today) == ties::Truth::Certain),
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
fn run(exchange: &Exchange, caller: &Caller) -> Result<CasesView, Problem> {
    let began = Instant::now();
    let CasesRun { run, failures } = exchange.run_cases(caller, &exchange.programme())?;
    let took = began.elapsed().as_millis();
    Ok(CasesView {
        text: format!("{} run in {took} ms, {} went wrong.", count(run, "case", "cases"), failures.len()),
        passed: failures.is_empty(),
        failures,
    })
}

/// The last versions that came into force, the newest first; for the ledger's auditors.
fn versions(exchange: &Exchange, caller: &Caller) -> Result<Option<Vec<Version>>, Problem> {
    let versions = match exchange.programme_versions(caller, VERSIONS_MAX) {
        Err(AdminError::Forbidden { .. }) => return Ok(None),
        found => found?,
    };
    let version = |one: VersionView| Version {
        index: one.entry,
        at: one.at.parse().map_or(one.at, moment),
        by: one.by,
        compare: (one.is_kept && !one.is_in_force).then(|| compare::link(&one.sha256)),
        sha256: one.sha256,
        epoch: one.epoch,
        is_this: one.is_in_force,
    };
    Ok(Some(versions.into_iter().map(version).collect()))
}

/// All versions, as a file.
fn versions_table(versions: &[VersionView]) -> Table {
    let mut table =
        Table::new(&["in_force_from", "epoch", "by", "sha256", "entry", "is_in_force", "is_kept"]);
    let row = |one: &VersionView| {
        vec![
            json!(one.at),
            json!(one.epoch),
            json!(one.by),
            json!(one.sha256),
            json!(one.entry),
            json!(one.is_in_force),
            json!(one.is_kept),
        ]
    };
    table.rows = versions.iter().map(row).collect();
    table
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
