//! `/ties/import`: a file of a register or a list. What it would change is shown first; then a person confirms it.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect};
use exchange::{AdminError, FeedMove, Import, Moved, Rehearsal};
use http::StatusCode;
use model::Timestamp;
use registers::{Format, Importing, Report};
use ties::{Evidence, Source, Statement};

use crate::asked::{Asked, Posted};
use crate::console::Console;
use crate::frame::{Frame, decides};
use crate::multipart::File;
use crate::pages::Choice;
use crate::pages::actions::with_moves;
use crate::pages::moves::{self, MoveRow};
use crate::pages::ties::{Tab, tabs, waiting};
use crate::problem::{Answer, Problem, page};
use crate::words;

/// How many refusals and findings a page tells of each, and how many moves; the file has all of those.
const TOLD_MAX: usize = 50;
const MOVES_TOLD: usize = 100;
/// How long names are compared before the import is answered. What is left is compared afterwards.
const COMPARING_MAX: std::time::Duration = std::time::Duration::from_millis(500);

#[derive(Template)]
#[template(path = "import.html")]
struct ImportPage {
    frame: Frame,
    tabs: Vec<Tab>,
    formats: Vec<Choice>,
    may_decide: bool,
    preview: Option<Preview>,
}

/// What an import would do.
struct Preview {
    /// Where it is to be seen.
    path: String,
    csv: String,
    json: String,
    /// Whether anything has changed since it was computed.
    has_moved: bool,
    name: String,
    format: &'static str,
    document: String,
    records: u64,
    statements: usize,
    new: usize,
    known_already: usize,
    ended: usize,
    unread: u64,
    refused: Vec<String>,
    notes: Vec<String>,
    findings: Vec<String>,
    findings_count: usize,
    moves: Vec<MoveRow>,
    moves_count: usize,
    standings: Vec<Moved>,
    standings_count: usize,
    feeds: Vec<FeedMove>,
    feeds_count: usize,
    is_cut_short: bool,
}

fn formats(chosen: Option<&str>) -> Vec<Choice> {
    let choice = |format: &Format| Choice {
        value: format.code().to_owned(),
        label: format.code().to_owned(),
        is_chosen: chosen == Some(format.code()),
    };
    Format::ALL.iter().map(choice).collect()
}

/// Answers `GET /ties/import`.
pub(crate) async fn get(State(console): State<Console>, asked: Asked) -> Answer {
    let caller = asked.caller();
    let waiting = console.read(move |exchange| waiting(exchange, &caller)).await?;
    page(&ImportPage {
        tabs: tabs("/ties/import", waiting),
        formats: formats(None),
        may_decide: decides(&asked.caller()),
        preview: None,
        frame: asked.frame("Import ties"),
    })
}

/// A file, read.
#[derive(Clone)]
struct Read {
    format: &'static str,
    document: String,
    report: Report,
    import: Import,
}

/// Reads a file as statements.
fn read(file: &File, posted: &Posted) -> Result<Read, Problem> {
    let unreadable = |text: String| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, text);
    let head = &file.bytes[..file.bytes.len().min(8 * 1024)];
    let text = String::from_utf8_lossy(head);
    let is_statements =
        text.trim_start().starts_with('[') && text.contains("\"said\"") && text.contains("\"recorded\"");
    let format = match posted.fields.get("format") {
        Some(code) => {
            Some(Format::named(code).ok_or_else(|| unreadable(format!("there is no format `{code}`")))?)
        }
        None if is_statements => None,
        None => Some(registers::detect(head, &file.name).ok_or_else(|| {
            unreadable("the format cannot be told from the file; say which it is".to_owned())
        })?),
    };
    let subject = file.name.clone();
    let Some(format) = format else {
        let statements: Vec<Statement> =
            serde_json::from_slice(&file.bytes).map_err(|error| unreadable(error.to_string()))?;
        let import = Import { subject, statements, ..Import::default() };
        return Ok(Read { format: "statements", document: String::new(), report: Report::default(), import });
    };
    let named = posted.fields.get("document");
    let is_named = named.is_some() || !registers::needs_name(format);
    let document = named.unwrap_or(format.code()).to_owned();
    let evidence =
        if posted.fields.get("secret").is_some() { Evidence::Programme } else { Evidence::default() };
    let source = Source { document: document.clone(), evidence, ..Source::default() };
    let importing = Importing { document: source, recorded: posted.asked.now };
    let mut statements = Vec::new();
    let mut report =
        registers::read(format, &file.bytes[..], &importing, &mut |statement| statements.push(statement));
    // Only a list that was read whole ends what it leaves out, and only what the list of that name said.
    let closes = registers::closes_missing(format) && posted.fields.get("keep").is_none();
    let ends = closes && is_named && report.is_whole() && !statements.is_empty();
    if closes && !is_named {
        *report.notes.entry("without-a-name-nothing-ends".to_owned()).or_default() += 1;
    }
    let editions = ends.then(|| vec![document.clone()]);
    let import = Import { subject, statements, editions, ..Import::default() };
    Ok(Read { format: format.code(), document, report, import })
}

/// What was read of a file, and what it would do: kept for a while, under a link that can be sent to a colleague.
pub(crate) struct Previewed {
    name: String,
    found: Read,
    rehearsal: Rehearsal,
}

/// Takes `POST /ties/import`: computes what the file would do, keeps it until somebody says yes, and shows it.
pub(crate) async fn preview(State(console): State<Console>, posted: Posted) -> Answer {
    let caller = posted.caller();
    if !decides(&caller) {
        return Err(Problem::forbidden("an operator or an officer imports ties"));
    }
    let file = posted.file("file")?.clone();
    let asking = posted.clone();
    let previewed = console
        .decide(move |exchange| -> Result<_, Problem> {
            let found = read(&file, &asking)?;
            let rehearsal = exchange.rehearse(&caller, found.import.clone())?;
            Ok(Previewed { name: file.name, found, rehearsal })
        })
        .await?;
    Ok(Redirect::to(&keep(&console, &posted, previewed)).into_response())
}

/// Keeps a preview, and says where it is to be seen.
fn keep(console: &Console, posted: &Posted, previewed: Previewed) -> String {
    let (id, of) = (console.random_token(), posted.asked.session.caller.credential.clone());
    console.uploads.keep(id.clone(), of, Arc::new(previewed), posted.asked.now);
    format!("/ties/import/{id}")
}

fn kept(console: &Console, id: &str, now: Timestamp) -> Result<Arc<Previewed>, Problem> {
    let gone = || {
        let text = "this preview is no longer here: it was recorded, an hour is over, or others came since; send the file again";
        Problem::new(StatusCode::GONE, text)
    };
    console.uploads.see(id, now).ok_or_else(gone)
}

/// Answers `GET /ties/import/{preview}`: what a file would do, to all of the programme's people.
pub(crate) async fn look(State(console): State<Console>, Path(id): Path<String>, asked: Asked) -> Answer {
    let previewed = kept(&console, &id, asked.now)?;
    let caller = asked.caller();
    let (waiting, members) = console
        .read(move |exchange| -> Result<_, Problem> {
            Ok((waiting(exchange, &caller)?, crate::pages::members::everybody(exchange, &caller)?))
        })
        .await?;
    let members = moves::by_entity(&members);
    if let Some(format) = asked.format()? {
        let rows = moves::rows(&previewed.rehearsal.moves, &members);
        return moves::table(&rows).answer(format, "would-move");
    }
    let mut preview = told(&asked, &previewed, moves::rows(&previewed.rehearsal.moves, &members));
    preview.has_moved = console.exchange.ties_state() != previewed.rehearsal.state;
    page(&ImportPage {
        tabs: tabs("/ties/import", waiting),
        formats: formats(Some(previewed.found.format)),
        may_decide: decides(&asked.caller()),
        preview: Some(preview),
        frame: asked.frame("Import ties: preview"),
    })
}

/// Takes `POST /ties/import/{preview}/again`: computes anew what the file would do, as things are now.
pub(crate) async fn again(State(console): State<Console>, Path(id): Path<String>, posted: Posted) -> Answer {
    let caller = posted.caller();
    if !decides(&caller) {
        return Err(Problem::forbidden("an operator or an officer imports ties"));
    }
    let before = kept(&console, &id, posted.asked.now)?;
    let previewed = console
        .decide(move |exchange| -> Result<_, Problem> {
            let rehearsal = exchange.rehearse(&caller, before.found.import.clone())?;
            Ok(Previewed { name: before.name.clone(), found: before.found.clone(), rehearsal })
        })
        .await?;
    console.uploads.remove(&id);
    posted.done("Computed anew.", &keep(&console, &posted, previewed))
}

fn told(asked: &Asked, previewed: &Previewed, moves: Vec<MoveRow>) -> Preview {
    let Previewed { name, found, rehearsal } = previewed;
    let mut refused: Vec<String> = found
        .report
        .refused
        .iter()
        .map(|refusal| format!("{}: {}", refusal.place, refusal.message))
        .collect();
    refused.extend(rehearsal.refused.iter().map(|(place, why)| format!("statement {}: {why}", place + 1)));
    let unread = found.report.refused_count() + u64::try_from(rehearsal.refused.len()).unwrap_or(u64::MAX);
    refused.truncate(TOLD_MAX);
    Preview {
        path: asked.path.clone(),
        csv: asked.link("format", Some("csv")),
        json: asked.link("format", Some("json")),
        has_moved: false,
        name: name.clone(),
        format: found.format,
        document: found.document.clone(),
        records: found.report.records,
        statements: found.import.statements.len(),
        new: rehearsal.new,
        known_already: rehearsal.known_already,
        ended: rehearsal.ended,
        unread,
        refused,
        notes: found.report.notes.iter().map(|(note, count)| format!("{note}: {count}")).collect(),
        findings_count: rehearsal.findings.len(),
        findings: rehearsal.findings.iter().take(TOLD_MAX).cloned().collect(),
        moves_count: moves.len(),
        moves: moves.into_iter().take(MOVES_TOLD).collect(),
        standings_count: rehearsal.standings.len(),
        standings: rehearsal.standings.iter().take(MOVES_TOLD).cloned().collect(),
        feeds_count: rehearsal.feeds.len(),
        feeds: rehearsal.feeds.iter().take(MOVES_TOLD).cloned().collect(),
        is_cut_short: found.report.cut_short,
    }
}

/// Takes `POST /ties/import/{preview}`: records what was previewed, if nothing has changed since.
pub(crate) async fn confirm(
    State(console): State<Console>,
    Path(id): Path<String>,
    posted: Posted,
) -> Answer {
    let (caller, now) = (posted.caller(), posted.asked.now);
    if !decides(&caller) {
        return Err(Problem::forbidden("an operator or an officer imports ties"));
    }
    let previewed = kept(&console, &id, now)?;
    let looked_at = Some(previewed.rehearsal.state);
    let import = Import { looked_at, ..previewed.found.import.clone() };
    let imported = console
        .decide(move |exchange| -> Result<_, Problem> {
            let imported = match exchange.import(&caller, import) {
                Err(AdminError::Moved) => return Ok(None),
                imported => imported?,
            };
            if let Err(error) = exchange.compare_names(COMPARING_MAX) {
                tracing::warn!(%error, "names could not be compared; it is tried again");
            }
            Ok(Some(imported))
        })
        .await?;
    let Some(imported) = imported else {
        let text = "Nothing was recorded: ties, standings or rules have changed since this was computed. Compute it anew.";
        return posted.failed(text, &format!("/ties/import/{id}"));
    };
    console.uploads.remove(&id);
    let mut done = format!("Recorded: {}", words::count(imported.new, "statement", "statements"));
    if imported.ended > 0 {
        done = format!("{done}, {} of them ends of what the file leaves out", imported.ended);
    }
    if !imported.refused.is_empty() {
        done = format!("{done}; {} refused", imported.refused.len());
    }
    posted.done(with_moves(&done, &imported.moved), "/ties/import")
}
