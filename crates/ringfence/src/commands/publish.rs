//! `ringfence publish`: files of all kinds, as STIX objects, into a collection.

use std::fmt::Write as _;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use exchange::{PatternJudgement, judge_pattern};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use intake::{Item, Summary};
use model::{Clock as _, SystemClock, Timestamp};
use serde::Serialize;
use serde_json::Value;

use crate::client::{Api, segment};
use crate::commands::member;
use crate::connection::Connection;
use crate::output::{Exit, Output, count, grouped};
use crate::upload::{Sent, Terms, Uploader};

/// Stands for the creator where none is known, so that files which need none can be read all the same.
const NOBODY: &str = "identity--00000000-0000-4000-8000-000000000000";

/// Publish files: STIX bundles and envelopes, MISP events, lists of indicators; compressed, in archives, in folders.
#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// The collection, by id or alias
    #[arg(long, value_name = "COLLECTION")]
    to: String,
    /// Files and folders; `-` is stdin
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Convert STIX 2.0 objects instead of refusing them
    #[arg(long = "convert-2.0")]
    convert_2_0: bool,
    /// The TLP level of indicators that are made from lists and events; what is STIX already keeps its own
    #[arg(long, value_name = "LEVEL", value_parser = ["clear", "green", "amber", "amber+strict", "red"])]
    tlp: Option<String>,
    /// A label for indicators that are made from lists and events; may be given several times
    #[arg(long = "label", value_name = "LABEL")]
    labels: Vec<String>,
    /// The STIX identity that such indicators name as their creator; one's own if left out
    #[arg(long, value_name = "IDENTITY")]
    creator: Option<String>,
    /// Take the attributes of MISP events too that are not meant for detection
    #[arg(long)]
    all_attributes: bool,
    /// Only for this member, by id or name; may be given several times
    #[arg(long, value_name = "MEMBER")]
    audience: Vec<String>,
    /// Not to be seen by members before this time
    #[arg(long, value_name = "TIME")]
    release_at: Option<Timestamp>,
    /// Not to be seen by members from this time on
    #[arg(long, value_name = "TIME")]
    release_until: Option<Timestamp>,
    /// Read and check everything, and send nothing
    #[arg(long)]
    dry_run: bool,
    /// How many objects to send at once
    #[arg(long, default_value_t = 1_000, value_name = "OBJECTS")]
    batch: usize,
    #[command(flatten)]
    connection: Connection,
}

/// What came of it all.
#[derive(Debug, Serialize)]
struct Report {
    collection: String,
    dry_run: bool,
    /// Read from the files.
    objects: u64,
    files: u64,
    /// Refused before they were sent, by reason.
    not_read: Vec<NotRead>,
    #[serde(flatten)]
    sent: Sent,
}

#[derive(Debug, Serialize)]
struct NotRead {
    reason: String,
    count: u64,
    first: Vec<(String, String)>,
}

impl Publish {
    pub(crate) fn run(self, output: Output) -> Result<Exit> {
        // A dry run needs a hub only where a name has to be looked up.
        let api = if self.dry_run && self.audience.is_empty() { None } else { Some(self.connection.api()?) };
        let (options, creator_is_known) = self.options(api.as_ref())?;
        let terms = self.terms(api.as_ref())?;
        let bar = progress(&self.paths, output);
        let mut target = match &api {
            Some(api) if !self.dry_run => Target::Hub(Uploader::new(api, &self.to, &terms, self.batch)),
            Some(_) | None => Target::Nowhere(Check::default()),
        };
        let mut summary = Summary::default();
        let mut orphans = 0;
        for path in &self.paths {
            let mut failure = None;
            let mut sink = |item: Item| {
                let taken = match item {
                    Item::Object { bytes, .. } if !creator_is_known && is_nobodys(&bytes) => {
                        orphans += 1;
                        Ok(())
                    }
                    Item::Object { bytes, place } => target.take(bytes, &place),
                    Item::Refused { .. } => Ok(()),
                    Item::FileDone { bytes, .. } => {
                        bar.inc(bytes);
                        Ok(())
                    }
                };
                match taken {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(error) => {
                        failure = Some(error);
                        ControlFlow::Break(())
                    }
                }
            };
            let read = if path.as_os_str() == "-" {
                intake::read_reader("stdin", io::stdin().lock(), &options, &mut sink)
            } else {
                intake::read(path, &options, &mut sink)?
            };
            summary.absorb(read);
            if let Some(error) = failure {
                return Err(error);
            }
        }
        let sent = target.finish()?;
        bar.finish_and_clear();
        let report = self.report(summary, orphans, sent);
        output.result(&report, || describe(&report))?;
        let all = report.sent.refused == 0 && report.not_read.is_empty();
        Ok(if all { Exit::Done } else { Exit::InPart })
    }

    fn options(&self, api: Option<&Api>) -> Result<(intake::Options, bool)> {
        let creator = match (&self.creator, api) {
            (Some(creator), _) => Some(creator.clone()),
            (None, Some(api)) => own_identity(api)?,
            (None, None) => None,
        };
        let now = SystemClock::default().now().to_string();
        let mut options = intake::Options::new(creator.as_deref().unwrap_or(NOBODY), &now)?;
        options.convert_2_0 = self.convert_2_0;
        options.all_attributes = self.all_attributes;
        options.labels.clone_from(&self.labels);
        if let Some(tlp) = &self.tlp {
            options = options.with_marking(&format!("tlp:{tlp}"))?;
        }
        // A dry run sends nothing, so nobody has to be the creator.
        Ok((options, creator.is_some() || self.dry_run))
    }

    fn terms(&self, api: Option<&Api>) -> Result<Terms> {
        let audience = match api {
            Some(api) if !self.audience.is_empty() => {
                let ids = self.audience.iter().map(|name| Ok(member::find(api, name)?.id));
                Some(ids.collect::<Result<_>>()?)
            }
            Some(_) | None => None,
        };
        Ok(Terms { audience, release_at: self.release_at, release_until: self.release_until })
    }

    fn report(&self, summary: Summary, orphans: u64, sent: Sent) -> Report {
        let mut not_read: Vec<NotRead> = summary
            .refused
            .into_iter()
            .map(|(reason, refusals)| NotRead {
                reason: reason.to_string(),
                count: refusals.count,
                first: refusals
                    .first
                    .into_iter()
                    .map(|(place, message)| (place.to_string(), message))
                    .collect(),
            })
            .collect();
        if orphans > 0 {
            not_read.push(NotRead {
                reason: "no-creator".to_owned(),
                count: orphans,
                first: vec![(
                    "indicators made here".to_owned(),
                    "name who makes them with --creator".to_owned(),
                )],
            });
        }
        not_read.sort_by_key(|one| std::cmp::Reverse(one.count));
        Report {
            collection: self.to.clone(),
            dry_run: self.dry_run,
            objects: summary.objects,
            files: summary.files,
            not_read,
            sent,
        }
    }
}

/// Where the objects go.
enum Target<'a> {
    Hub(Uploader<'a>),
    Nowhere(Check),
}

impl Target<'_> {
    fn take(&mut self, bytes: Vec<u8>, place: &intake::Place) -> Result<()> {
        match self {
            Self::Hub(uploader) => uploader.push(bytes, place.to_string()),
            Self::Nowhere(check) => {
                check.look_at(&bytes, place);
                Ok(())
            }
        }
    }

    fn finish(self) -> Result<Sent> {
        match self {
            Self::Hub(mut uploader) => {
                uploader.flush()?;
                Ok(uploader.sent)
            }
            Self::Nowhere(check) => Ok(check.0),
        }
    }
}

/// A dry run: the checks that a hub would make without knowing what it holds.
#[derive(Default)]
struct Check(Sent);

impl Check {
    fn look_at(&mut self, bytes: &[u8], place: &intake::Place) {
        let options = stix::ValidateOptions { warnings: false, ..stix::ValidateOptions::default() };
        let report = stix::validate(bytes, &options);
        match report.musts().next() {
            None => self.look_at_pattern(bytes, place),
            Some(first) => {
                let message = format!(
                    "{}: {} [{}, STIX 2.1 section {}]",
                    first.pointer, first.message, first.code, first.section
                );
                self.0.refuse(&place.to_string(), &message);
            }
        }
    }
}

impl Check {
    fn look_at_pattern(&mut self, bytes: &[u8], place: &intake::Place) {
        let judged = stix::Document::parse(bytes, &stix::Limits::default()).map(|it| judge_pattern(&it));
        match judged {
            Ok(PatternJudgement::Unreadable(message)) => {
                return self.0.refuse(&place.to_string(), &message);
            }
            Ok(PatternJudgement::Remark(message)) => self.0.remark(&place.to_string(), &message),
            Ok(PatternJudgement::Fine) | Err(_) => {}
        }
        self.0.accepted += 1;
    }
}

/// The identity under which these credentials publish, if it has one.
fn own_identity(api: &Api) -> Result<Option<String>> {
    let me: Value = api.get("/api/me").context("asking the hub who we are")?;
    let text =
        |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    if let Some(identity) = text(&me, "/identity") {
        return Ok(Some(identity));
    }
    if let Some(member) = text(&me, "/principal/member") {
        let record: Value = api.get(&format!("/api/members/{}", segment(member)))?;
        return Ok(text(&record, "/identity"));
    }
    let status: Value = api.get("/api/status")?;
    Ok(text(&status, "/identity/id").or_else(|| text(&status, "/identity")))
}

fn is_nobodys(bytes: &[u8]) -> bool {
    bytes.windows(NOBODY.len()).any(|window| window == NOBODY.as_bytes())
}

fn progress(paths: &[PathBuf], output: Output) -> ProgressBar {
    let sizes = paths.iter().filter(|path| path.as_os_str() != "-").map(|path: &PathBuf| size(path));
    let bar = ProgressBar::new(sizes.sum());
    if output.is_json() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let style = "{bar:30} {bytes} of {total_bytes} read, {elapsed} ({eta} to go)";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar
}

fn size(path: &Path) -> u64 {
    // A path that is not there is an error later, with its name.
    intake::bytes_on_disk(path).unwrap_or(0)
}

fn describe(report: &Report) -> String {
    let Report { collection, dry_run, objects, files, not_read, sent } = report;
    let (verb, place) = if *dry_run {
        ("would pass the checks", String::new())
    } else {
        ("are in", format!(" `{collection}` now"))
    };
    let mut text = format!(
        "{} of {} from {} {verb}{place}.\n",
        grouped(sent.accepted),
        count(*objects, "object", "objects"),
        count(*files, "file", "files")
    );
    if sent.retries > 0 {
        let _ = writeln!(text, "{} batches had to be sent again.", grouped(sent.retries));
    }
    let unread: u64 = not_read.iter().map(|one| one.count).sum();
    if unread > 0 {
        let _ = writeln!(text, "\n{} records gave no object:", grouped(unread));
        for NotRead { reason, count: times, first } in not_read {
            list(&mut text, reason, *times, first);
        }
    }
    if sent.refused > 0 {
        let who = if *dry_run { "would be refused" } else { "were refused by the hub" };
        let _ = writeln!(text, "\n{} objects {who}:", grouped(sent.refused));
        for (reason, refusals) in &sent.reasons {
            list(&mut text, reason, refusals.count, &refusals.first);
        }
    }
    let remarks: u64 = sent.remarks.values().map(|remarks| remarks.count).sum();
    if remarks > 0 {
        let _ = writeln!(text, "\n{} with a remark:", count(remarks, "object", "objects"));
        for (reason, remarks) in &sent.remarks {
            list(&mut text, reason, remarks.count, &remarks.first);
        }
    }
    text
}

fn list(text: &mut String, reason: &str, count: u64, first: &[(String, String)]) {
    let _ = writeln!(text, "{:>9}  {reason}", grouped(count));
    for (place, message) in first {
        let _ = writeln!(text, "           {place}: {message}");
    }
}
