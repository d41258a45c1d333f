//! `ringfence ties`: what is known about who owns, controls and supplies whom.

mod editions;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use clap::{Args, Subcommand};
use model::Timestamp;
use registers::{Format, Importing, Report};
use serde_json::{Value, json};
use ties::{EntityId, Source, Statement, TieId};

use crate::client::segment;
use crate::connection::Connection;
use crate::output::{Exit, Output, add, count, grouped};

/// How much of a file its format is told by.
const LOOKED_AT_BYTES: usize = 8 * 1024;

/// Import, list and export ties.
#[derive(Debug, Args)]
pub(crate) struct Ties {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Record what registers and lists say, and let follow what follows
    Import(Import),
    /// Show the ties of an entity
    Show(Show),
    /// Show what was said of one tie, and when
    History(History),
    /// Write the registry to a file
    Export(editions::Export),
}

#[derive(Debug, Args)]
struct Import {
    /// Files: BODS, `FollowTheMoney`, GLEIF, UK PSC, OFAC, the screening list, the UN list, or tables of our own
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The format, where it cannot be told from the file
    #[arg(long, value_parser = format_named)]
    format: Option<Format>,
    /// The name of the source; keep it the same from one edition to the next. Left out, it is the format's
    #[arg(long, value_name = "NAME")]
    document: Option<String>,
    /// Say who would move, and record nothing
    #[arg(long)]
    preview: bool,
    /// Keep what an earlier edition of a list said and this one no longer does. Otherwise it ends today, if the file
    /// was read whole and its format means that
    #[arg(long)]
    keep_missing: bool,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
struct Show {
    /// The entity
    entity: EntityId,
    /// On this day; left out, today
    #[arg(long, value_name = "DAY")]
    as_of: Option<ties::Day>,
    /// As known on this day; left out, as known now
    #[arg(long, value_name = "DAY")]
    known: Option<ties::Day>,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
struct History {
    /// The tie
    tie: TieId,
    #[command(flatten)]
    connection: Connection,
}

fn format_named(code: &str) -> Result<Format, String> {
    Format::named(code).ok_or_else(|| format!("`{code}` is no format that is read"))
}

impl Ties {
    pub(crate) fn run(self, output: Output) -> Result<Exit> {
        match self.command {
            Command::Import(command) => command.run(output),
            Command::Show(command) => command.run(output),
            Command::History(command) => command.run(output),
            Command::Export(command) => command.run(output),
        }
    }
}

/// How reading a file went.
pub(crate) struct Read {
    report: Report,
    /// Whether a new edition of this format ends what it leaves out.
    closes_missing: bool,
}

/// What a file says, and how reading it went.
pub(crate) fn read_file(
    path: &Path,
    format: Option<Format>,
    document: Option<&str>,
) -> Result<(Read, Vec<Statement>)> {
    let shown = path.display();
    let file = File::open(path).with_context(|| format!("opening `{shown}`"))?;
    let mut reader = BufReader::with_capacity(64 * 1024, file);
    let head = reader.fill_buf().with_context(|| format!("reading `{shown}`"))?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    // Statements as they are stored are read as they are: a JSON array of them.
    if format.is_none() && looks_like_statements(head) {
        let statements: Vec<Statement> =
            serde_json::from_reader(reader).with_context(|| format!("reading statements from `{shown}`"))?;
        return Ok((Read { report: Report::default(), closes_missing: false }, statements));
    }
    let format = format
        .or_else(|| registers::detect(&head[..head.len().min(LOOKED_AT_BYTES)], &name))
        .ok_or_else(|| anyhow!("the format of `{shown}` cannot be told; say it with --format"))?;
    let document = document.map_or_else(|| format.code().to_owned(), str::to_owned);
    let source = Source { document, ..Source::default() };
    let importing = Importing { document: source, recorded: Timestamp::EPOCH };
    let mut statements = Vec::new();
    let report = registers::read(format, reader, &importing, &mut |statement| statements.push(statement));
    Ok((Read { report, closes_missing: registers::closes_missing(format) }, statements))
}

fn looks_like_statements(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(&head[..head.len().min(LOOKED_AT_BYTES)]);
    text.trim_start().starts_with('[') && text.contains("\"said\"") && text.contains("\"recorded\"")
}

impl Import {
    fn run(self, output: Output) -> Result<Exit> {
        let api = self.connection.api()?;
        let (mut reports, mut statements) = (Vec::new(), Vec::new());
        for file in &self.files {
            let (report, said) = read_file(file, self.format, self.document.as_deref())?;
            let document = said.first().map(|statement| statement.source.document.clone());
            let closes = report.closes_missing && report.report.is_whole() && !self.keep_missing;
            if let Some(document) = document.filter(|_| closes) {
                statements.extend(editions::what_is_over(&api, &document, &said)?);
            }
            let report = report.report;
            statements.extend(said);
            reports.push((file.display().to_string(), report));
        }
        let names = self.files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ");
        let path = if self.preview { "/api/ties/preview" } else { "/api/ties" };
        let answer: Value = api.post(path, &json!({"subject": names, "statements": statements}))?;
        let refused: u64 = reports.iter().map(|(_, report)| report.refused_count()).sum();
        let result = json!({
            "files": reports.iter().map(|(file, report)| json!({"file": file, "report": report})).collect::<Vec<_>>(),
            "answer": answer,
        });
        output.result(&result, || describe(&reports, &answer, self.preview))?;
        Ok(if refused == 0 { Exit::Done } else { Exit::InPart })
    }
}

fn describe(reports: &[(String, Report)], answer: &Value, preview: bool) -> String {
    let mut text = String::new();
    for (file, report) in reports {
        let said = count(u128::from(report.statements), "statement", "statements");
        add!(text, "{file}: {} records, {said}\n", grouped(u128::from(report.records)));
        for (reason, number) in &report.refused_by {
            add!(text, "  refused, {}: {}\n", reason.code(), grouped(u128::from(*number)));
        }
        for refusal in report.refused.iter().take(10) {
            add!(text, "    {}: {}\n", refusal.place, refusal.message);
        }
    }
    if preview {
        let moves = answer.as_array().cloned().unwrap_or_default();
        add!(
            text,
            "{} would move; nothing was recorded.\n",
            count(moves.len() as u128, "standing", "standings")
        );
        for moved in &moves {
            let word = |key: &str| moved[key].as_str().unwrap_or_default().to_owned();
            add!(text, "  {} on {}: {} -> {}\n", word("entity"), word("tier"), word("from"), word("to"));
        }
        return text;
    }
    add!(text, "{} new, {} known already.\n", answer["new"], answer["known_already"]);
    for refused in answer["refused"].as_array().into_iter().flatten() {
        add!(text, "  refused: {refused}\n");
    }
    for moved in answer["moved"].as_array().into_iter().flatten() {
        let word = |key: &str| moved[key].as_str().unwrap_or_default().to_owned();
        let (name, tier, grade) = (word("name"), word("tier"), word("grade"));
        add!(text, "  {name} on {tier}: grade {grade}, {} -> {}\n", word("from"), word("to"));
    }
    text
}

impl Show {
    fn run(self, output: Output) -> Result<Exit> {
        let mut path = format!("/api/ties?entity={}", segment(&self.entity));
        if let Some(day) = self.as_of {
            add!(path, "&as_of={day}");
        }
        if let Some(day) = self.known {
            add!(path, "&known={day}");
        }
        let found: Vec<Value> = self.connection.api()?.get(&path)?;
        output.result(&found, || {
            let mut text = String::new();
            for known in &found {
                let tie = &known["tie"];
                let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let document = word(&known["source"]["document"]);
                add!(
                    text,
                    "{}: {} -> {}  {}  ({}, {document})\n",
                    word(&tie["id"]),
                    word(&tie["from"]),
                    word(&tie["to"]),
                    tie["kind"],
                    word(&known["truth"]),
                );
            }
            if text.is_empty() { "No tie is known.\n".to_owned() } else { text }
        })?;
        Ok(Exit::Done)
    }
}

impl History {
    fn run(self, output: Output) -> Result<Exit> {
        let path = format!("/api/ties/{}/history", segment(&self.tie));
        let said: Vec<Statement> = self.connection.api()?.get(&path)?;
        output.result(&said, || {
            let lines = said.iter().map(|statement| {
                let said = serde_json::to_string(&statement.said).unwrap_or_default();
                format!("{}  {}  {said}\n", statement.recorded, statement.source.document)
            });
            lines.collect()
        })?;
        Ok(Exit::Done)
    }
}
