//! `ringfence ties import`: files into a hub, in parts of bounded size.
//!
//! A file is read front to back and sent as it is read, so that a gigabyte takes no more memory than a megabyte, here
//! and at the hub. What fits one part is one request and one transaction there. Of more, each part is recorded by itself:
//! run the command again if it broke off, and what is there already is known already. What a new edition of a list leaves
//! out is ended with the last part, and only if every file was read whole.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use registers::{Format, Report};
use serde_json::{Value, json};
use ties::Statement;

use super::source::Opened;
use crate::client::{Api, ApiError};
use crate::connection::Connection;
use crate::data_dir::fill_random;
use crate::output::{Exit, Output, add, count, grouped};

/// How many statements one part has: up to as many, the hub follows whom they concern instead of looking at everybody.
const PART_STATEMENTS_MAX: usize = 10_000;
/// How large a preview may be: it is one request, and the hub copies its registry for it.
const PREVIEW_BYTES_MAX: usize = 30 << 20;
/// How many of the hub's remarks of each kind are kept.
const KEPT_MAX: usize = 1_000;
/// How often a part is sent before its failure is final: about a quarter of a minute, with the pauses below.
const ATTEMPTS_MAX: u32 = 7;
/// The pause after the first failure; it doubles.
const PAUSE: Duration = Duration::from_millis(250);

#[derive(Debug, Args)]
pub(super) struct Import {
    /// Files: BODS, `FollowTheMoney`, GLEIF, UK PSC, OFAC, the screening list, the UN list, or tables of our own
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The format, where it cannot be told from the file: `bods`, `ftm`, `uk-psc`, ...; docs/registers.md lists them
    #[arg(long, value_parser = format_named)]
    format: Option<Format>,
    /// The name of the document; keep it the same from one edition to the next. Left out, it is the format's, and only a
    /// format of which there is one file has editions then
    #[arg(long, value_name = "NAME")]
    document: Option<String>,
    /// Say who would move, and record nothing
    #[arg(long)]
    preview: bool,
    /// Keep what an earlier edition of a list said and this one no longer does. Otherwise it ends today, if the file
    /// was read whole, its format means that, and no other document says it
    #[arg(long)]
    keep_missing: bool,
    /// The largest request, in bytes; more is sent in parts. Below the hub's `body_size_max_bytes`
    #[arg(long, value_name = "BYTES", default_value_t = 8 << 20)]
    part_bytes: usize,
    #[command(flatten)]
    connection: Connection,
}

fn format_named(code: &str) -> Result<Format, String> {
    Format::named(code).ok_or_else(|| {
        let codes: Vec<&str> = Format::ALL.iter().map(|format| format.code()).collect();
        format!("it is none of {}", codes.join(", "))
    })
}

impl Import {
    pub(super) fn run(self, output: Output) -> Result<Exit> {
        let api = self.connection.api()?;
        let open = |file: &PathBuf| Opened::open(file, self.format, self.document.as_deref());
        let files: Vec<Opened> = self.files.iter().map(open).collect::<Result<_>>()?;
        let mut parts = Parts::new(&api, &self, files.iter().any(Opened::closes_missing));
        let mut reports = Vec::new();
        let (mut editions, mut unnamed) = (Editions::default(), Vec::new());
        for file in files {
            let (shown, closes, document) = (file.shown.clone(), file.closes_missing(), file.edition());
            let report = file.read(&mut |statement| parts.add(&statement))?;
            match document {
                // A file that says nothing is more likely a mistake than an empty list.
                Some(document) if report.statements > 0 => {
                    editions.read(document, closes, report.is_whole());
                }
                None if closes && !self.keep_missing => unnamed.push(shown.clone()),
                Some(_) | None => {}
            }
            reports.push((shown, report));
        }
        let answer = parts.finish(&editions.whole())?;
        let refused: u64 = reports.iter().map(|(_, report)| report.refused_count()).sum();
        let result = json!({
            "files": reports.iter().map(|(file, report)| json!({"file": file, "report": report})).collect::<Vec<_>>(),
            "unnamed": unnamed,
            "answer": answer,
        });
        output.result(&result, || {
            let mut text = describe(&reports, &answer, self.preview);
            for file in &unnamed {
                add!(
                    text,
                    "{file}: nothing ends that it leaves out, because it has no name that its editions share; \
                     give it one with --document.\n"
                );
            }
            text
        })?;
        Ok(if refused == 0 { Exit::Done } else { Exit::InPart })
    }
}

/// The documents of the files, and which of them are here whole.
#[derive(Default)]
struct Editions {
    closing: BTreeSet<String>,
    broken: BTreeSet<String>,
}

impl Editions {
    fn read(&mut self, document: String, closes: bool, is_whole: bool) {
        if !is_whole {
            self.broken.insert(document);
        } else if closes {
            self.closing.insert(document);
        }
    }

    fn whole(&self) -> Vec<&String> {
        self.closing.difference(&self.broken).collect()
    }
}

/// What is being sent.
struct Parts<'a> {
    api: &'a Api,
    subject: String,
    /// What the hub calls it while its parts come.
    import: String,
    is_preview: bool,
    /// Whether the hub is to remember what the parts speak of.
    is_edition: bool,
    bytes_max: usize,
    /// The statements of the part that is being filled, as JSON, with commas.
    held: Vec<u8>,
    count: usize,
    sent: u64,
    number: u32,
    total: Total,
}

/// What the hub said to all parts.
#[derive(Default)]
struct Total {
    counts: BTreeMap<&'static str, u64>,
    lists: BTreeMap<&'static str, Vec<Value>>,
    matches: Value,
}

impl Total {
    fn add(&mut self, answer: &Value, before: u64) {
        for name in ["new", "known_already", "ended"] {
            *self.counts.entry(name).or_default() += answer[name].as_u64().unwrap_or_default();
        }
        for name in ["refused", "findings", "moved"] {
            let list = self.lists.entry(name).or_default();
            let more = answer[name].as_array().into_iter().flatten().cloned();
            list.extend(more.take(KEPT_MAX.saturating_sub(list.len())).map(|one| placed(one, before)));
        }
        self.matches = answer["matches"].clone();
    }

    fn json(self, parts: u32) -> Value {
        let mut all = json!({"parts": parts, "matches": self.matches});
        for (name, count) in self.counts {
            all[name] = count.into();
        }
        for (name, list) in self.lists {
            all[name] = list.into();
        }
        all
    }
}

/// A refusal tells its place in its part; here it gets its place in the whole.
fn placed(mut one: Value, before: u64) -> Value {
    if let Some(place) = one.get(0).and_then(Value::as_u64) {
        one[0] = (place + before).into();
    }
    one
}

impl<'a> Parts<'a> {
    fn new(api: &'a Api, command: &Import, closes_missing: bool) -> Self {
        let names = command.files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>();
        let mut name = [0; 16];
        fill_random(&mut name);
        Self {
            api,
            subject: names.join(", "),
            import: hex::encode(name),
            is_preview: command.preview,
            is_edition: closes_missing && !command.keep_missing,
            bytes_max: command.part_bytes,
            held: Vec::new(),
            count: 0,
            sent: 0,
            number: 0,
            total: Total::default(),
        }
    }

    fn add(&mut self, statement: &Statement) -> Result<()> {
        let bytes = serde_json::to_vec(statement)?;
        let length = self.held.len() + bytes.len() + 1;
        if self.is_preview {
            if length > PREVIEW_BYTES_MAX {
                bail!(
                    "this is more than the {} MiB of a preview; preview the part of the file that matters, or \
                     import the whole into a copy of the hub (`ringfence restore` makes one of a backup)",
                    PREVIEW_BYTES_MAX >> 20
                );
            }
        } else if self.count > 0 && (length > self.bytes_max || self.count == PART_STATEMENTS_MAX) {
            self.send(Some(&[]), false)?;
        }
        if self.count > 0 {
            self.held.push(b',');
        }
        self.held.extend(bytes);
        self.count += 1;
        Ok(())
    }

    fn finish(mut self, editions: &[&String]) -> Result<Value> {
        if self.is_preview {
            let body = self.body(self.is_edition.then_some(editions), None)?;
            return Ok(self.api.post_bytes("/api/ties/preview", &body)?);
        }
        self.send(Some(editions), true)?;
        Ok(self.total.json(self.number))
    }

    fn body(&self, editions: Option<&[&String]>, part: Option<Value>) -> Result<Vec<u8>> {
        let mut head = json!({"subject": self.subject});
        if let Some(editions) = editions {
            head["editions"] = json!(editions);
        }
        if let Some(part) = part {
            head["part"] = part;
        }
        let mut body = serde_json::to_vec(&head)?;
        body.pop();
        body.extend_from_slice(b",\"statements\":[");
        body.extend_from_slice(&self.held);
        body.extend_from_slice(b"]}");
        Ok(body)
    }

    /// Sends what is held.
    fn send(&mut self, editions: Option<&[&String]>, last: bool) -> Result<()> {
        self.number += 1;
        // What is one part is the whole, and is told as that.
        let part = (self.number > 1 || !last)
            .then(|| json!({"import": self.import, "number": self.number, "last": last}));
        let body = self.body(editions.filter(|_| self.is_edition), part)?;
        let answer = self.post(&body)?;
        self.total.add(&answer, self.sent);
        self.sent += self.count as u64;
        self.held.clear();
        self.count = 0;
        Ok(())
    }

    /// Posts a part, and once more if the hub is busy or was gone for a moment. A part may come twice.
    fn post(&self, body: &[u8]) -> Result<Value> {
        let mut attempt = 1;
        loop {
            let error = match self.api.post_bytes("/api/ties", body) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            // Where nothing was sent yet, a hub that is not there is no passing thing.
            let is_passing = error.is_passing()
                && (self.number > 1 || matches!(error, ApiError::Refused { status: 429 | 503, .. }));
            if !is_passing || attempt == ATTEMPTS_MAX {
                return Err(self.explained(error));
            }
            thread::sleep(PAUSE * 2_u32.pow(attempt - 1));
            attempt += 1;
        }
    }

    fn explained(&self, error: ApiError) -> anyhow::Error {
        let is_too_large = matches!(error, ApiError::Refused { status: 413, .. });
        let error = anyhow::Error::from(error);
        if is_too_large {
            return error.context("a part is larger than the hub takes; send smaller ones with --part-bytes");
        }
        if self.number > 1 {
            return error.context(format!(
                "part {} was not recorded; the {} statements before it were. Run the import again: what is there \
                 already is known already",
                self.number,
                grouped(u128::from(self.sent))
            ));
        }
        error
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
        describe_preview(&mut text, answer);
        return text;
    }
    add!(text, "{} new, {} known already.\n", answer["new"], answer["known_already"]);
    if let Some(ended) = answer["ended"].as_u64().filter(|ended| *ended > 0) {
        add!(text, "{} ended, because the new edition leaves them out.\n", grouped(u128::from(ended)));
    }
    for refused in answer["refused"].as_array().into_iter().flatten() {
        add!(text, "  refused: {refused}\n");
    }
    for moved in answer["moved"].as_array().into_iter().flatten() {
        let word = |key: &str| moved[key].as_str().unwrap_or_default().to_owned();
        let (name, tier, grade) = (word("name"), word("tier"), word("grade"));
        add!(text, "  {name} on {tier}: grade {grade}, {} -> {}\n", word("from"), word("to"));
    }
    let matches = &answer["matches"];
    if let Some(open) = matches["open"].as_u64().filter(|open| *open > 0) {
        let waiting = count(u128::from(open), "pair of names waits", "pairs of names wait");
        add!(text, "{waiting} for you to say whether they are the same: `ringfence ties matches`.\n");
    }
    if matches["is_behind"] == true {
        add!(text, "The hub is still comparing names.\n");
    }
    text
}

/// What would become of the import.
fn describe_preview(text: &mut String, answer: &Value) {
    let list = |key: &str| answer[key].as_array().cloned().unwrap_or_default();
    let word = |one: &Value, key: &str| one[key].as_str().unwrap_or_default().to_owned();
    let (moves, standings, feeds) = (list("moves"), list("standings"), list("feeds"));
    add!(text, "{} new, {} known already; nothing was recorded.\n", answer["new"], answer["known_already"]);
    if let Some(ended) = answer["ended"].as_u64().filter(|ended| *ended > 0) {
        add!(text, "{} would end, because the new edition leaves them out.\n", grouped(u128::from(ended)));
    }
    for refused in list("refused") {
        add!(text, "  would be refused: {refused}\n");
    }
    for finding in list("findings") {
        add!(text, "  to be looked at: {}\n", finding.as_str().unwrap_or_default());
    }
    add!(text, "The rules would say otherwise {}.\n", times(moves.len()));
    for one in &moves {
        let (entity, tier) = (word(one, "entity"), word(one, "tier"));
        add!(text, "  {entity} on {tier}: grade {} -> {}\n", word(one, "from"), word(one, "to"));
    }
    let changes = standings.iter().filter(|one| one["from"] != one["to"]).count();
    add!(text, "{} would change.\n", count(changes as u128, "standing", "standings"));
    for one in &standings {
        let (name, tier, from, to) =
            (word(one, "name"), word(one, "tier"), word(one, "from"), word(one, "to"));
        if let Some(proposed) = one["proposed"].as_str() {
            add!(text, "  {name} on {tier}: {from}; {proposed} would be proposed\n");
        } else {
            add!(text, "  {name} on {tier}: {from} -> {to}\n");
        }
    }
    for one in &feeds {
        let (name, collection) = (word(one, "name"), word(one, "collection"));
        add!(text, "  {name}: the feed `{collection}` {}\n", word(one, "change"));
    }
}

fn times(count: usize) -> String {
    match count {
        0 => "of nobody".to_owned(),
        1 => "once".to_owned(),
        many => format!("{many} times"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_documents_that_were_read_whole_end_what_they_leave_out() {
        let mut editions = Editions::default();
        for (document, closes, is_whole) in [
            ("list", true, true),
            ("cut", true, false),
            ("register", false, true),
            ("two files, one cut", true, true),
            ("two files, one cut", false, false),
        ] {
            editions.read(document.to_owned(), closes, is_whole);
        }
        assert_eq!(editions.whole(), ["list"]);
    }

    #[test]
    fn the_answers_to_parts_are_added_up() {
        let mut total = Total::default();
        total.add(&json!({"new": 2, "known_already": 1, "refused": [[0, "why"]], "findings": ["x"]}), 0);
        total.add(&json!({"new": 3, "ended": 1, "refused": [[2, "why"]], "matches": {"open": 4}}), 3);
        let all = total.json(2);
        let counts = ["new", "known_already", "ended", "parts"].map(|name| all[name].as_u64().unwrap());
        assert_eq!(counts, [5, 1, 1, 2]);
        assert_eq!(all["refused"], json!([[0, "why"], [5, "why"]]), "places are those in the whole");
        assert_eq!(all["matches"]["open"], 4);
    }
}
