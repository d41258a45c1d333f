//! Asks the judge about everything that is observed.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use guard::config::Service;
use guard::customers::CustomerId;
use guard::faces::mail::sight_of;
use guard::judge::{Decided, Judge};
use guard::sight::{Kind as SightKind, SeenFile, Sight};
use matcher::{Algorithm, Kind};
use observe::{By, Chunk, Place, Seen, Summary, Unit, Watcher, Word, time_of_line, words};
use quarantine::inspect::{Limits as MailLimits, Mail, inspect};
use quarantine::judge::{Algorithm as MailAlgorithm, Client, Finding, Judge as MailJudge, Observable, Whole};
use serde_json::Value;
use stix_pattern::Instant;

use super::report::{Hit, Report};
use crate::output::Exit;

const WHO: CustomerId = CustomerId::ONLY;
/// Everybody has every countermeasure; which one asks makes no difference.
const SERVICE: Service = Service::Sinkhole;
/// Said of a pattern that was evaluated, in place of the kind of value that was met.
const PATTERN: &str = "pattern";

pub(super) struct Looker<'j> {
    judge: &'j Judge,
    /// The names of indicators, by id.
    names: BTreeMap<String, String>,
    report: Report,
    failed: Option<anyhow::Error>,
}

impl<'j> Looker<'j> {
    pub(super) fn new(judge: &'j Judge, names: BTreeMap<String, String>, report: Report) -> Self {
        Self { judge, names, report, failed: None }
    }

    /// A file has ended.
    pub(super) fn end(&mut self, summary: &Summary) -> Result<()> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        self.report.file(summary);
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Exit> {
        self.report.finish(&self.judge.set().rules().shortfalls())
    }

    fn hit(&mut self, place: &Place, decided: Decided, kind: &'static str, what: &str, at: Option<i64>) {
        let Some(record) = self.judge.set().record(decided.slot) else { return };
        // Where nobody may read an indicator, what it matched would tell.
        let may_display = record.rights.may_display();
        let id = guard::indicator::id_text(record.id);
        let feeds = self.judge.set().feeds();
        let hit = Hit {
            place,
            indicator: if may_display { id.clone() } else { self.judge.reference(decided.slot) },
            name: if may_display { self.names.get(&id).map(String::as_str) } else { None },
            feed: feeds.get(usize::from(decided.feed)).map_or("", |feed| feed.alias.as_str()),
            mode: decided.mode,
            kind,
            what: may_display.then_some(what),
            at,
        };
        if let Err(error) = self.report.hit(&hit) {
            self.failed = self.failed.take().or(Some(error));
        }
    }

    fn maybe(&mut self, place: &Place, decided: Option<Decided>, kind: Kind, what: &str, at: Option<i64>) {
        if let Some(decided) = decided {
            self.hit(place, decided, kind.word(), what, at);
        }
    }

    fn lines(&mut self, place: &Place, chunk: Chunk<'_>) {
        let mut hits = self.listed_in(chunk);
        if self.judge.wants(SightKind::Line) {
            self.lines_as_wholes(chunk, &mut hits);
            hits.sort_by_key(|hit| hit.line);
        }
        for hit in hits {
            let place = Place { unit: Unit::Line(hit.line), ..place.clone() };
            self.hit(&place, hit.decided, hit.kind, &hit.what, hit.at);
        }
    }

    /// What is listed in lines, in their order.
    fn listed_in(&self, chunk: Chunk<'_>) -> Vec<LineHit> {
        let mut met = Vec::new();
        self.judge.scan(WHO, SERVICE, chunk.bytes, |decided, one| {
            // One line is one record: what goes over its end is in none.
            if !chunk.bytes[one.span.clone()].contains(&b'\n') {
                met.push((one.span, decided, one.kind));
            }
        });
        met.sort_by_key(|(span, decided, _)| (span.start, decided.slot, span.end));
        let (mut line, mut counted) = (chunk.first, 0);
        let (mut told, mut hits) = (Vec::new(), Vec::new());
        for (span, decided, kind) in met {
            let breaks = line_breaks(&chunk.bytes[counted..span.start]);
            if breaks > 0 {
                told.clear();
            }
            line += breaks;
            counted = span.start;
            // A URL and its host are one hit of one indicator.
            if !told.contains(&decided.slot) {
                told.push(decided.slot);
                let what = String::from_utf8_lossy(&chunk.bytes[span]).into_owned();
                hits.push(LineHit { line, decided, kind: kind.word(), what, at: None });
            }
        }
        hits
    }

    fn lines_as_wholes(&self, chunk: Chunk<'_>, hits: &mut Vec<LineHit>) {
        for (number, line) in (chunk.first..).zip(chunk.bytes.split(|byte| *byte == b'\n')) {
            let line = String::from_utf8_lossy(line);
            let at = time_of_line(&line);
            let mut sight = Sight::new(SightKind::Line, at.map(instant));
            for word in words(&line) {
                match word {
                    Word::Url(url) => drop(sight.url(url)),
                    Word::Name(name) => drop(sight.name(name)),
                    Word::Address(address) => drop(sight.address(address)),
                    Word::Mailbox(address) => drop(sight.mailbox(address)),
                    Word::Digest(algorithm, digest) => drop(sight.file(&SeenFile {
                        hashes: vec![(algorithm, digest.to_ascii_lowercase())],
                        ..SeenFile::default()
                    })),
                }
            }
            if !sight.is_empty() {
                self.judge.met(WHO, SERVICE, sight, |decided| {
                    let what = line.trim().to_owned();
                    hits.push(LineHit { line: number, decided, kind: PATTERN, what, at });
                });
            }
        }
    }

    fn whole(&mut self, place: &Place, sight: Sight, what: &str, at: Option<i64>) {
        let judge = self.judge;
        judge.met(WHO, SERVICE, sight, |decided| self.hit(place, decided, PATTERN, what, at));
    }

    fn mail(&mut self, place: &Place, bytes: &[u8], is_cut: bool) {
        let judge = AtRest { judge: self.judge, found: Mutex::default() };
        let client = Client { listener: "", peer: None, recipients: &[] };
        let mail = Mail { client, sender: "", bytes, is_cut };
        let looked = inspect(&mail, &judge, &MailLimits::default());
        let found = judge.found.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut told = Vec::new();
        for (decided, kind, what) in found {
            // The same link stands in a mail many times.
            if !told.contains(&decided.slot) {
                told.push(decided.slot);
                self.hit(place, decided, kind, &what, None);
            }
        }
        for (reason, count) in &looked.unexamined {
            self.report.unexamined(place, reason.as_str(), *count);
        }
    }

    fn name(&mut self, place: &Place, name: &str, by: By, at: Option<i64>) {
        let decided = self.judge.name(WHO, SERVICE, name);
        self.maybe(place, decided, Kind::Name, name, at);
        let kind = match by {
            By::Dns => SightKind::Question,
            By::Tls | By::Http => SightKind::Line,
        };
        if self.judge.wants(kind) {
            let mut sight = Sight::new(kind, at.map(instant));
            sight.name(name);
            self.whole(place, sight, name, at);
        }
    }

    fn url(&mut self, place: &Place, url: &str, at: Option<i64>) {
        let mut met = Vec::new();
        self.judge.scan(WHO, SERVICE, url.as_bytes(), |decided, one| met.push((decided, one.kind)));
        met.sort_by_key(|(decided, _)| decided.slot);
        met.dedup_by_key(|(decided, _)| decided.slot);
        for (decided, kind) in met {
            self.hit(place, decided, kind.word(), url, at);
        }
        if self.judge.wants(SightKind::Line) {
            let mut sight = Sight::new(SightKind::Line, at.map(instant));
            sight.url(url);
            if let Some(host) = quarantine::inspect::host_of(url) {
                sight.name(&host);
            }
            self.whole(place, sight, url, at);
        }
    }

    fn ends(&mut self, place: &Place, ends: [(IpAddr, u16); 2], protocol: u8, at: Option<i64>) {
        for (address, port) in ends {
            let decided = self.judge.address(WHO, SERVICE, address);
            self.maybe(place, decided, Kind::Prefix, &address.to_string(), at);
            let decided = self.judge.port(WHO, SERVICE, address, port);
            self.maybe(place, decided, Kind::Endpoint, &format!("{address} port {port}"), at);
        }
        if self.judge.wants_flow([ends[0].0, ends[1].0]) {
            let sight = Sight::flow(ends[0], ends[1], protocol, at.map(instant));
            let [from, to] = ends;
            let what = format!("{} port {} to {} port {}", from.0, from.1, to.0, to.1);
            self.whole(place, sight, &what, at);
        }
    }

    fn observed(&mut self, place: &Place, data: &Value, objects: &[(String, Value)]) {
        let instant_of = |key: &str| data[key].as_str().and_then(Instant::parse);
        let first = instant_of("first_observed");
        let at = first.and_then(|first| i64::try_from(first.nanos() / 1_000).ok());
        for (_, object) in objects {
            for (decided, kind, what) in listed(self.judge, object) {
                self.hit(place, decided, kind.word(), &what, at);
            }
        }
        let Some((first, last)) = first.zip(instant_of("last_observed")) else {
            return self.report.unexamined(place, "an observation without its times", 1);
        };
        let count = data["number_observed"].as_u64().and_then(|count| u32::try_from(count).ok()).unwrap_or(1);
        let sight = Sight::observed(first, last, count, objects.iter().cloned());
        self.whole(place, sight, "the observation", at);
    }
}

impl Watcher for Looker<'_> {
    fn see(&mut self, place: &Place, seen: Seen<'_>) {
        match seen {
            Seen::Lines(chunk) => self.lines(place, chunk),
            Seen::Mail { bytes, is_cut } => self.mail(place, bytes, is_cut),
            Seen::Name { name, by, at } => self.name(place, name, by, at),
            Seen::Url { url, at } => self.url(place, url, at),
            Seen::Connection { source, destination, protocol, at } => {
                self.ends(place, [source, destination], protocol, at);
            }
            Seen::Flow { flow, at, .. } => {
                let ends = [(flow.source, flow.source_port), (flow.destination, flow.destination_port)];
                self.ends(place, ends, flow.protocol, at);
            }
            Seen::Observed { data, objects } => self.observed(place, data, objects),
        }
    }
}

/// A hit in a line.
struct LineHit {
    line: u64,
    decided: Decided,
    kind: &'static str,
    what: String,
    at: Option<i64>,
}

fn line_breaks(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

fn instant(micros: i64) -> Instant {
    let nanos = u32::try_from(micros.rem_euclid(1_000_000)).unwrap_or(0) * 1_000;
    Instant::from_unix(micros.div_euclid(1_000_000), nanos)
}

/// What of an observed object is listed: the properties that countermeasures look up.
fn listed(judge: &Judge, object: &Value) -> Vec<(Decided, Kind, String)> {
    let text = |key: &str| object[key].as_str().unwrap_or_default();
    let mut found = Vec::new();
    let mut take = |decided: Option<Decided>, kind, what: &str| {
        found.extend(decided.map(|decided| (decided, kind, what.to_owned())));
    };
    let value = text("value");
    match text("type") {
        "domain-name" => take(judge.name(WHO, SERVICE, value), Kind::Name, value),
        "ipv4-addr" | "ipv6-addr" => {
            let address = value.split('/').next().unwrap_or_default().parse().ok();
            take(address.and_then(|address| judge.address(WHO, SERVICE, address)), Kind::Prefix, value);
        }
        "url" => {
            judge.scan(WHO, SERVICE, value.as_bytes(), |decided, met| take(Some(decided), met.kind, value));
        }
        "email-addr" => {
            take(judge.text_of(WHO, SERVICE, Kind::Email, value), Kind::Email, value);
            if let Some((_, host)) = value.rsplit_once('@') {
                take(judge.name(WHO, SERVICE, host), Kind::Name, value);
            }
        }
        "email-message" => {
            let subject = text("subject");
            take(judge.text_of(WHO, SERVICE, Kind::Subject, subject), Kind::Subject, subject);
            judge.scan(WHO, SERVICE, text("body").as_bytes(), |decided, met| {
                let what = text("body").get(met.span).unwrap_or_default();
                take(Some(decided), met.kind, what);
            });
        }
        "file" | "artifact" => {
            let name = text("name");
            take(judge.text_of(WHO, SERVICE, Kind::FileName, name), Kind::FileName, name);
            for (algorithm, digest) in object["hashes"].as_object().into_iter().flatten() {
                let digest = digest.as_str().unwrap_or_default();
                let bytes = hex::decode(digest).ok();
                let decided = Algorithm::parse(algorithm)
                    .zip(bytes)
                    .and_then(|(algorithm, bytes)| judge.hash(WHO, SERVICE, algorithm, &bytes));
                take(decided, Kind::Digest, digest);
            }
        }
        "process" => {
            let line = text("command_line");
            judge.scan(WHO, SERVICE, line.as_bytes(), |decided, met| take(Some(decided), met.kind, line));
        }
        _ => {}
    }
    found
}

/// The judge of mails at rest: the same look-ups as a mail server's filter makes, with what was met written down.
struct AtRest<'j> {
    judge: &'j Judge,
    found: Mutex<Vec<(Decided, &'static str, String)>>,
}

impl AtRest<'_> {
    fn found(&self, decided: Option<Decided>, kind: &'static str, what: &str) {
        if let Some(decided) = decided {
            self.found.lock().unwrap_or_else(PoisonError::into_inner).push((decided, kind, what.to_owned()));
        }
    }

    fn scan(&self, text: &str) {
        self.judge.scan(WHO, SERVICE, text.as_bytes(), |decided, met| {
            let what = text.get(met.span).unwrap_or_default();
            self.found(Some(decided), met.kind.word(), what);
        });
    }

    fn exact(&self, kind: Kind, text: &str) {
        self.found(self.judge.text_of(WHO, SERVICE, kind, text), kind.word(), text);
    }
}

impl MailJudge for AtRest<'_> {
    fn judge(&self, _client: &Client<'_>, observable: &Observable<'_>, _findings: &mut Vec<Finding>) {
        match observable {
            Observable::Mailbox(_, text) => {
                let host = text.rsplit_once('@').map_or("", |(_, host)| host);
                self.exact(Kind::Email, text);
                self.found(self.judge.name(WHO, SERVICE, host), Kind::Name.word(), text);
            }
            Observable::Subject(text) => {
                self.scan(text);
                self.exact(Kind::Subject, text);
            }
            Observable::Url(text) => self.exact(Kind::Url, text),
            Observable::Name(text) => {
                self.found(self.judge.name(WHO, SERVICE, text), Kind::Name.word(), text);
            }
            Observable::FileName(text) => self.exact(Kind::FileName, text),
            Observable::Hash(algorithm, bytes) => {
                let algorithm = match algorithm {
                    MailAlgorithm::Md5 => Algorithm::Md5,
                    MailAlgorithm::Sha1 => Algorithm::Sha1,
                    MailAlgorithm::Sha256 => Algorithm::Sha256,
                };
                let decided = self.judge.hash(WHO, SERVICE, algorithm, bytes);
                self.found(decided, Kind::Digest.word(), &hex::encode(bytes));
            }
            Observable::Address(address) => {
                let decided = self.judge.address(WHO, SERVICE, *address);
                self.found(decided, Kind::Prefix.word(), &address.to_string());
            }
            Observable::Text(text) | Observable::SenderName(text) => self.scan(text),
        }
    }

    fn wants_whole(&self) -> bool {
        self.judge.wants(SightKind::Mail)
    }

    fn judge_whole(&self, _client: &Client<'_>, whole: &Whole, _findings: &mut Vec<Finding>) {
        // When a mail was received its headers may say, and may lie; so it has no time.
        let sight = sight_of(whole, None);
        self.judge.met(WHO, SERVICE, sight, |decided| self.found(Some(decided), PATTERN, &whole.subject));
    }

    fn reference(&self, slot: u32) -> String {
        self.judge.reference(slot)
    }
}
