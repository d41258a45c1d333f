//! What was found, and what was not looked at: a line for each hit, and at the end how much it was.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufWriter, Stdout, Write as _};

use anyhow::Result;
use guard::config::Mode;
use guard::indicator::Refused;
use guard::judge::Judge;
use guard::rules::Shortfalls;
use model::Timestamp;
use observe::{Place, Summary, Unit};
use serde_json::{Value, json};

use crate::client::printable;
use crate::output::{Exit, Output, add, count, grouped};

/// The longest that is shown of what was met.
const WHAT_CHARS_MAX: usize = 300;

/// One hit.
pub(super) struct Hit<'h> {
    pub(super) place: &'h Place,
    /// The id, or the opaque reference of what may not be shown.
    pub(super) indicator: String,
    pub(super) name: Option<&'h str>,
    pub(super) feed: &'h str,
    pub(super) mode: Mode,
    pub(super) kind: &'static str,
    pub(super) what: Option<&'h str>,
    /// Microseconds since 1970.
    pub(super) at: Option<i64>,
}

pub(super) struct Report {
    is_json: bool,
    out: BufWriter<Stdout>,
    hits: u64,
    indicators: BTreeSet<String>,
    files: u64,
    bytes: u64,
    files_hit: BTreeSet<String>,
    /// What was not looked at, by reason.
    troubles: BTreeMap<String, u64>,
    bad_indicators: u64,
    looked_for: Value,
}

impl Report {
    pub(super) fn new(output: Output) -> Self {
        Self {
            is_json: output.is_json(),
            out: BufWriter::new(io::stdout()),
            hits: 0,
            indicators: BTreeSet::new(),
            files: 0,
            bytes: 0,
            files_hit: BTreeSet::new(),
            troubles: BTreeMap::new(),
            bad_indicators: 0,
            looked_for: Value::Null,
        }
    }

    /// What is looked for, and what is not and why.
    pub(super) fn set(&mut self, judge: &Judge) {
        let report = judge.set().report(|_| true);
        let sum = |of: fn(&guard::set::FeedReport) -> u64| report.feeds.iter().map(of).sum::<u64>();
        let (active, evaluated) = (sum(|feed| feed.active), sum(|feed| feed.evaluated));
        let (waiting, ended) = (sum(|feed| feed.waiting), sum(|feed| feed.ended));
        let mut refused: BTreeMap<&str, u64> = BTreeMap::new();
        for (reason, count) in report.feeds.iter().flat_map(|feed| &feed.refused) {
            *refused.entry(reason).or_default() += count;
        }
        if !self.is_json {
            let mut text = format!("looking for {}", count(active, "indicator", "indicators"));
            for (number, words) in
                [(evaluated, "evaluated"), (waiting, "not valid yet"), (ended, "no longer valid")]
            {
                if number > 0 {
                    add!(text, "; {} {words}", grouped(number));
                }
            }
            for (reason, count) in &refused {
                add!(text, "; {} not: {reason}", grouped(*count));
            }
            eprintln!("{text}");
            for (id, why) in report.feeds.iter().flat_map(|feed| &feed.samples) {
                eprintln!("  {id}: {}", printable(why));
            }
        }
        let samples: Vec<_> = report.feeds.iter().flat_map(|feed| &feed.samples).collect();
        self.looked_for = json!({"active": active, "evaluated": evaluated, "waiting": waiting, "ended": ended,
            "refused": refused, "refused_samples": samples});
    }

    pub(super) fn bad_indicator(&mut self, file: &str, why: &Refused) {
        self.bad_indicators += 1;
        if !self.is_json {
            eprintln!("{file}: an object is passed over: {}", printable(&why.to_string()));
        }
    }

    pub(super) fn hit(&mut self, hit: &Hit<'_>) -> Result<()> {
        self.hits += 1;
        self.indicators.insert(hit.indicator.clone());
        self.files_hit.insert(hit.place.file.to_string());
        let what = hit.what.map(|what| printable(&what.chars().take(WHAT_CHARS_MAX).collect::<String>()));
        let mode = match hit.mode {
            Mode::Monitor => "monitor",
            Mode::Enforce => "enforce",
        };
        let at = hit.at.map(|at| Timestamp::from_micros(at).to_string());
        if self.is_json {
            let mut line = json!({"file": &*hit.place.file, "place": hit.place.to_string(), "indicator": hit.indicator,
                "feed": hit.feed, "mode": mode, "kind": hit.kind});
            let (unit, number) = unit(&hit.place.unit);
            line[unit] = number;
            for (key, value) in [("what", what.as_deref()), ("name", hit.name), ("at", at.as_deref())] {
                if let Some(value) = value {
                    line[key] = json!(value);
                }
            }
            writeln!(self.out, "{line}")?;
            return Ok(());
        }
        let place = printable(&hit.place.to_string());
        let what = what.as_deref().unwrap_or("(may not be shown)");
        write!(self.out, "{place}: {} {what}  {}", hit.kind, hit.indicator)?;
        if let Some(name) = hit.name {
            write!(self.out, " \"{}\"", printable(name))?;
        }
        write!(self.out, " ({}, {mode})", printable(hit.feed))?;
        if let Some(at) = at {
            write!(self.out, " at {at}")?;
        }
        writeln!(self.out)?;
        Ok(())
    }

    /// Something of a mail, or of an observation, was not looked at.
    pub(super) fn unexamined(&mut self, place: &Place, reason: &str, count: u64) {
        *self.troubles.entry(reason.to_owned()).or_default() += count;
        if !self.is_json {
            eprintln!("{}: not looked at: {reason}", printable(&place.to_string()));
        }
    }

    pub(super) fn file(&mut self, summary: &Summary) {
        self.files += 1;
        self.bytes += summary.bytes;
        for (reason, troubles) in &summary.troubles {
            *self.troubles.entry(reason.word().to_owned()).or_default() += troubles.count;
            if self.is_json {
                continue;
            }
            for (place, words) in &troubles.first {
                eprintln!("{}: {}", printable(&place.to_string()), printable(words));
            }
            let more = troubles.count - troubles.first.len() as u64;
            if more > 0 {
                eprintln!("  and {} more of this kind ({})", grouped(more), reason.word());
            }
        }
    }

    pub(super) fn finish(mut self, shortfalls: &Shortfalls) -> Result<Exit> {
        let Shortfalls { undecided, undated, forgotten } = *shortfalls;
        let is_whole = self.troubles.is_empty() && self.bad_indicators == 0 && undecided == 0;
        if self.is_json {
            let summary = json!({"hits": self.hits, "indicators": self.indicators.len(), "files": self.files,
                "files_hit": self.files_hit.len(), "bytes": self.bytes, "looked_for": self.looked_for,
                "bad_indicators": self.bad_indicators, "not_looked_at": self.troubles,
                "undecided": undecided, "undated": undated, "forgotten": forgotten});
            writeln!(self.out, "{}", json!({"summary": summary}))?;
        }
        self.out.flush()?;
        if !self.is_json {
            eprintln!(
                "{} of {} in {} of {}, {} read{}",
                count(self.hits, "hit", "hits"),
                count(self.indicators.len() as u64, "indicator", "indicators"),
                self.files_hit.len(),
                count(self.files, "file", "files"),
                count(self.bytes, "byte", "bytes"),
                if is_whole { "" } else { "; not everything could be looked at" },
            );
            for (number, words) in [
                (undecided, "evaluations came to no result"),
                (undated, "observations had no time, which patterns about several need"),
                (forgotten, "observations had to make room for others"),
            ] {
                if number > 0 {
                    eprintln!("{} {words}", grouped(number));
                }
            }
        }
        Ok(match (self.hits, is_whole) {
            (0, true) => Exit::Done,
            (0, false) => Exit::Unsure,
            (_, _) => Exit::Found,
        })
    }
}

fn unit(unit: &Unit) -> (&'static str, Value) {
    match unit {
        Unit::Line(number) => ("line", json!(number)),
        Unit::Mail(number) => ("mail", json!(number)),
        Unit::Packet(number) => ("packet", json!(number)),
        Unit::Datagram(number) => ("datagram", json!(number)),
        Unit::Object(id) => ("object", json!(id)),
        Unit::Whole => ("whole", json!(true)),
    }
}
