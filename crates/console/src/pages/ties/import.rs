//! `/ties/import`: a file of a register or a list. What it would change is shown first; then a person confirms it.

use askama::Template;
use axum::extract::State;
use exchange::{Import, Rehearsal};
use http::StatusCode;
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

/// How many refusals, findings and moves a page tells of each.
const TOLD_MAX: usize = 50;
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
    upload: String,
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
    let document = posted.fields.get("document").unwrap_or(format.code()).to_owned();
    let evidence =
        if posted.fields.get("secret").is_some() { Evidence::Programme } else { Evidence::default() };
    let source = Source { document: document.clone(), evidence, ..Source::default() };
    let importing = Importing { document: source, recorded: posted.asked.now };
    let mut statements = Vec::new();
    let report =
        registers::read(format, &file.bytes[..], &importing, &mut |statement| statements.push(statement));
    // Only a list that was read whole ends what it leaves out.
    let ends = registers::closes_missing(format) && report.is_whole() && posted.fields.get("keep").is_none();
    let editions = (ends && !statements.is_empty()).then(|| {
        let documents: std::collections::BTreeSet<&str> =
            statements.iter().map(|statement| statement.source.document.as_str()).collect();
        documents.into_iter().map(str::to_owned).collect()
    });
    let import = Import { subject, statements, editions, ..Import::default() };
    Ok(Read { format: format.code(), document, report, import })
}

/// Takes `POST /ties/import`: shows what the file would do, and keeps it until somebody says yes.
pub(crate) async fn preview(State(console): State<Console>, posted: Posted) -> Answer {
    let caller = posted.caller();
    if !decides(&caller) {
        return Err(Problem::forbidden("an operator or an officer imports ties"));
    }
    let file = posted.file("file")?.clone();
    let (asking, name) = (posted.clone(), file.name.clone());
    let (waiting, found, rehearsal, members) = console
        .decide(move |exchange| -> Result<_, Problem> {
            let found = read(&file, &asking)?;
            let rehearsal = exchange.rehearse(&caller, found.import.clone())?;
            let members = crate::pages::members::everybody(exchange, &caller)?;
            Ok((waiting(exchange, &caller)?, found, rehearsal, members))
        })
        .await?;
    let upload = console.random_token();
    let (asked, now) = (&posted.asked, posted.asked.now);
    let preview = told(upload.clone(), name, &found, rehearsal, &members);
    console.uploads.keep(upload, asked.session.caller.credential.clone(), found.import, now);
    page(&ImportPage {
        tabs: tabs("/ties/import", waiting),
        formats: formats(Some(found.format)),
        may_decide: true,
        preview: Some(preview),
        frame: asked.frame("Import ties: preview"),
    })
}

fn told(
    upload: String,
    name: String,
    found: &Read,
    rehearsal: Rehearsal,
    members: &[crate::pages::members::Known],
) -> Preview {
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
        upload,
        name,
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
        findings: rehearsal.findings.into_iter().take(TOLD_MAX).collect(),
        moves_count: rehearsal.moves.len(),
        moves: moves::rows(&rehearsal.moves, &moves::by_entity(members)),
        is_cut_short: found.report.cut_short,
    }
}

/// Takes `POST /ties/import/confirm`: records what was previewed.
pub(crate) async fn confirm(State(console): State<Console>, posted: Posted) -> Answer {
    let (caller, now) = (posted.caller(), posted.asked.now);
    let import = console.uploads.take(posted.field("upload")?, &caller.credential, now);
    let Some(import) = import else {
        let text = "this file is no longer here, or was imported already; send it again";
        return Err(Problem::new(StatusCode::GONE, text));
    };
    let imported = console
        .decide(move |exchange| -> Result<_, Problem> {
            let imported = exchange.import(&caller, import)?;
            if let Err(error) = exchange.compare_names(COMPARING_MAX) {
                tracing::warn!(%error, "names could not be compared; it is tried again");
            }
            Ok(imported)
        })
        .await?;
    let mut done = format!("Recorded: {}", words::count(imported.new, "statement", "statements"));
    if imported.ended > 0 {
        done = format!("{done}, {} of them ends of what the file leaves out", imported.ended);
    }
    if !imported.refused.is_empty() {
        done = format!("{done}; {} refused", imported.refused.len());
    }
    posted.done(with_moves(&done, &imported.moved), "/ties/import")
}
