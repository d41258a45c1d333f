//! `/programme/compare`: two versions of the programme side by side: what changed, and whom it would move.
//!
//! A version is one that was in force, the hub's folder as it lies there now, or an archive that somebody sends to look at
//! it. Looking puts nothing in force: that is the hub's start with the folder.

mod archive;

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect};
use exchange::{AdminError, CasesRun, Comparison, Exchange, ReleaseMove, VersionView};
use http::StatusCode;
use model::{Caller, Grade, Problems};
use programme::{Change, FileChange, Programme, RuleChange};
use serde_json::json;

use crate::asked::{Asked, Files, Posted};
use crate::console::Console;
use crate::export::Table;
use crate::frame::{Frame, decides};
use crate::pages::Choice;
use crate::pages::members::everybody;
use crate::pages::moves::{self, MembersByEntity, MoveRow};
use crate::problem::{Answer, Problem, page};
use crate::query::encode;
use crate::words::{count, moment};

/// How many versions there are to choose from.
const VERSIONS_MAX: usize = 50;
/// How many moves the page tells; the file has all.
const MOVES_SHOWN: usize = 100;
/// How many changes of release the page tells; the file has all that was found.
const RELEASES_SHOWN: usize = 60;
/// How the folder and an archive are called in the query.
const FOLDER: &str = "folder";
const CANDIDATE: &str = "candidate-";

#[derive(Template)]
#[template(path = "programme-compare.html")]
struct ComparePage {
    frame: Frame,
    from: Vec<Choice>,
    to: Vec<Choice>,
    may_send: bool,
    faults: Vec<String>,
    compared: Option<ComparedView>,
}

struct ComparedView {
    from: String,
    to: String,
    is_same: bool,
    summary: Vec<String>,
    members: String,
    moves: Vec<MoveRow>,
    moves_all: usize,
    releases: Vec<ReleaseMove>,
    releases_all: usize,
    releases_cut_short: bool,
    rules: Vec<RuleView>,
    files: Vec<FileView>,
    cases: CasesRun,
    moves_files: Files,
    releases_files: Files,
    rules_files: Files,
}

struct RuleView {
    id: String,
    pack: String,
    class: &'static str,
    word: &'static str,
    grade: Option<Grade>,
    text: String,
    aspects: Vec<AspectView>,
}

struct AspectView {
    what: &'static str,
    /// What was and is; a condition is told by the lines of its file.
    values: Option<(String, String)>,
}

struct FileView {
    file: String,
    word: &'static str,
    counts: String,
    lines: Vec<(&'static str, &'static str, String)>,
    is_cut_short: bool,
}

/// A version that is compared.
enum Side {
    Loaded(Arc<Programme>),
    Faulty(Problems),
}

/// Answers `GET /programme/compare`.
pub(crate) async fn get(State(console): State<Console>, asked: Asked) -> Answer {
    let (from, to) = (asked.query.get("from").map(str::to_owned), asked.query.get("to").map(str::to_owned));
    let is_asked = from.is_some() || to.is_some();
    let (caller, now, owned) = (asked.caller(), asked.now, console.clone());
    let (versions, found) = console
        .read(move |exchange| -> Result<_, Problem> {
            let versions = match exchange.programme_versions(&caller, VERSIONS_MAX) {
                Err(AdminError::Forbidden { .. }) => Vec::new(),
                found => found?,
            };
            if !is_asked {
                return Ok((versions, None));
            }
            let side = |wanted: Option<&str>| side(&owned, exchange, &caller, wanted, now);
            let (from, to) = (side(from.as_deref())?, side(to.as_deref())?);
            Ok((versions, Some(compare(exchange, &caller, from, to)?)))
        })
        .await?;
    let mut faults = Vec::new();
    let mut compared = None;
    match found {
        Some(Ok((comparison, cases, members))) => {
            if let Some(format) = asked.format()? {
                return file(&asked, &comparison, &members)?.answer(format, "programme-comparison");
            }
            compared = Some(view(&asked, &versions, &comparison, cases, &members));
        }
        Some(Err(error)) => faults = error.as_slice().iter().map(ToString::to_string).collect(),
        None => {}
    }
    page(&ComparePage {
        from: choices(&console, &versions, asked.query.get("from")),
        to: choices(&console, &versions, asked.query.get("to")),
        may_send: decides(&asked.caller()),
        faults,
        compared,
        frame: asked.frame("Compare versions"),
    })
}

/// Takes `POST /programme/compare`: an archive of a folder, to be compared with what is in force.
pub(crate) async fn post(State(console): State<Console>, posted: Posted) -> Answer {
    if !decides(&posted.caller()) {
        return Err(Problem::forbidden("an operator or an officer sends a folder to compare"));
    }
    let packed = Arc::clone(&posted.file("file")?.bytes);
    let files = console
        .read(move |_| {
            let unusable = |why: String| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why);
            archive::files(&packed).map_err(unusable)
        })
        .await?;
    let token = console.random_token();
    let credential = posted.caller().credential.clone();
    console.candidates.keep(token.clone(), credential, Arc::new(files), posted.asked.now);
    Ok(Redirect::to(&format!("/programme/compare?to={CANDIDATE}{token}")).into_response())
}

/// The version that is meant; the one in force, if none is named.
fn side(
    console: &Console,
    exchange: &Exchange,
    caller: &Caller,
    wanted: Option<&str>,
    now: model::Timestamp,
) -> Result<Side, Problem> {
    let loaded = |result: Result<Programme, Problems>| match result {
        Ok(programme) => Side::Loaded(Arc::new(programme)),
        Err(error) => Side::Faulty(error),
    };
    let Some(wanted) = wanted else { return Ok(Side::Loaded(exchange.programme())) };
    if wanted == FOLDER {
        let folder = console.options.programme_folder.as_ref().ok_or_else(Problem::not_found)?;
        return Ok(loaded(Programme::load(folder)));
    }
    if let Some(token) = wanted.strip_prefix(CANDIDATE) {
        let files = console
            .candidates
            .look(token, &caller.credential, now)
            .ok_or_else(|| Problem::new(StatusCode::GONE, "this archive is no longer here; send it again"))?;
        return Ok(loaded(Programme::from_files(&files)));
    }
    let known = exchange.programme_version(caller, wanted)?;
    known.map(Side::Loaded).ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "no version with this SHA-256 is kept here; the ledger has its digest",
        )
    })
}

type Compared = (Comparison, CasesRun, MembersByEntity);

fn compare(
    exchange: &Exchange,
    caller: &Caller,
    from: Side,
    to: Side,
) -> Result<Result<Compared, Problems>, Problem> {
    let (from, to) = match (from, to) {
        (Side::Loaded(from), Side::Loaded(to)) => (from, to),
        (Side::Faulty(error), _) | (_, Side::Faulty(error)) => return Ok(Err(error)),
    };
    let comparison = exchange.compare_programmes(caller, &from, &to)?;
    let cases = exchange.run_cases(caller, &to)?;
    let members = moves::by_entity(&everybody(exchange, caller)?);
    Ok(Ok((comparison, cases, members)))
}

fn choices(console: &Console, versions: &[VersionView], chosen: Option<&str>) -> Vec<Choice> {
    let choice = |value: &str, label: String| Choice {
        is_chosen: chosen.unwrap_or_default() == value,
        value: value.to_owned(),
        label,
    };
    let mut choices = vec![choice("", "in force".to_owned())];
    if console.options.programme_folder.is_some() {
        choices.push(choice(FOLDER, "the hub's folder as it is now".to_owned()));
    }
    if let Some(candidate) = chosen.filter(|chosen| chosen.starts_with(CANDIDATE)) {
        choices.push(choice(candidate, "the archive that you sent".to_owned()));
    }
    let mut told = std::collections::BTreeSet::new();
    for version in versions.iter().filter(|one| one.is_kept && !one.is_in_force) {
        if told.insert(&version.sha256) {
            choices.push(choice(&version.sha256, format!("of {}, {}", at(version), short(&version.sha256))));
        }
    }
    choices
}

fn at(version: &VersionView) -> String {
    version.at.parse().map_or_else(|_| version.at.clone(), moment)
}

/// As much of a digest as people compare.
fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

fn view(
    asked: &Asked,
    versions: &[VersionView],
    found: &Comparison,
    cases: CasesRun,
    members: &MembersByEntity,
) -> ComparedView {
    let name = |query: &str, digest: &str| {
        let version = versions.iter().find(|one| one.sha256 == digest);
        match (asked.query.get(query), version) {
            (None, _) => format!("the version in force, {}", short(digest)),
            (Some(FOLDER), _) => format!("the hub's folder as it is now, {}", short(digest)),
            (Some(_), Some(version)) => format!("the version of {}, {}", at(version), short(digest)),
            (Some(_), None) => format!("the archive that you sent, {}", short(digest)),
        }
    };
    let rules: Vec<&RuleChange> = found.difference.rules.iter().chain(&found.difference.release).collect();
    ComparedView {
        from: name("from", &found.from),
        to: name("to", &found.to),
        is_same: found.from == found.to,
        summary: summary(found, &cases),
        members: count(found.members, "member", "members"),
        moves: moves::rows(&found.moves, members).into_iter().take(MOVES_SHOWN).collect(),
        moves_all: found.moves.len(),
        releases: found.releases.iter().take(RELEASES_SHOWN).cloned().collect(),
        releases_all: found.releases.len(),
        releases_cut_short: found.releases_cut_short,
        rules: rules.into_iter().map(rule).collect(),
        files: found.difference.files.iter().map(changed).collect(),
        cases,
        moves_files: asked.files_of("moves"),
        releases_files: asked.files_of("releases"),
        rules_files: asked.files_of("rules"),
    }
}

/// The whole in a few words.
fn summary(found: &Comparison, cases: &CasesRun) -> Vec<String> {
    let rules = || found.difference.rules.iter().chain(&found.difference.release);
    let of = |change: Change| rules().filter(|rule| rule.change == change).count();
    let mut summary = Vec::new();
    for (change, word) in
        [(Change::Added, "new"), (Change::Removed, "gone"), (Change::Changed, "other than before")]
    {
        if of(change) > 0 {
            summary.push(format!("{} {word}", count(of(change), "rule", "rules")));
        }
    }
    if rules().next().is_none() {
        summary.push("no rule is another".to_owned());
    }
    let who: std::collections::BTreeSet<_> = found.moves.iter().map(|one| &one.entity).collect();
    summary.push(match who.len() {
        0 => "nobody's grade would change".to_owned(),
        some => format!("{} would move", count(some, "member", "members")),
    });
    if !cases.failures.is_empty() {
        summary.push(format!("{} would fail", count(cases.failures.len(), "case", "cases")));
    }
    summary
}

fn word(change: Change) -> (&'static str, &'static str) {
    match change {
        Change::Added => ("listed", "new"),
        Change::Removed => ("suspended", "gone"),
        Change::Changed => ("review", "changed"),
    }
}

fn rule(change: &RuleChange) -> RuleView {
    let (class, word) = word(change.change);
    let aspect = |one: &programme::Aspect| AspectView {
        what: one.what,
        values: (one.what != "condition").then(|| (one.from.clone(), one.to.clone())),
    };
    RuleView {
        id: change.rule.clone(),
        pack: change.pack.clone().unwrap_or_else(|| "release".to_owned()),
        class,
        word,
        grade: change.grade,
        text: change.text.clone(),
        aspects: change.aspects.iter().map(aspect).collect(),
    }
}

fn changed(change: &FileChange) -> FileView {
    let line = |line: &programme::Line| match line.change {
        Some(Change::Added) => ("came", "+", line.text.clone()),
        Some(Change::Removed) => ("went", "−", line.text.clone()),
        Some(Change::Changed) | None => ("stayed", " ", line.text.clone()),
    };
    FileView {
        file: change.file.clone(),
        word: word(change.change).1,
        counts: format!("{} came, {} went", count(change.added, "line", "lines"), change.removed),
        lines: change.lines.iter().map(line).collect(),
        is_cut_short: change.is_cut_short,
    }
}

/// One of the page's tables.
fn file(asked: &Asked, found: &Comparison, members: &MembersByEntity) -> Result<Table, Problem> {
    match asked.query.get("table") {
        None | Some("moves") => Ok(moves::table(&moves::rows(&found.moves, members))),
        Some("releases") => {
            let mut table = Table::new(&["member", "name", "label", "collection", "may_read"]);
            let row = |one: &ReleaseMove| {
                vec![
                    json!(one.member),
                    json!(one.name),
                    json!(one.label),
                    json!(one.collection),
                    json!(one.may_read),
                ]
            };
            table.rows = found.releases.iter().map(row).collect();
            Ok(table)
        }
        Some("rules") => {
            let mut table = Table::new(&["rule", "pack", "change", "aspect", "from", "to"]);
            for rule in found.difference.rules.iter().chain(&found.difference.release) {
                let head = || vec![json!(rule.rule), json!(rule.pack), json!(rule.change)];
                if rule.aspects.is_empty() {
                    let mut row = head();
                    row.extend([json!(null), json!(null), json!(null)]);
                    table.rows.push(row);
                }
                for aspect in &rule.aspects {
                    let mut row = head();
                    row.extend([json!(aspect.what), json!(aspect.from), json!(aspect.to)]);
                    table.rows.push(row);
                }
            }
            Ok(table)
        }
        Some(_) => Err(Problem::bad_request("`table` is moves, releases or rules")),
    }
}

/// The comparison of a version with the one in force.
pub(crate) fn link(sha256: &str) -> String {
    format!("/programme/compare?from={}", encode(sha256))
}
