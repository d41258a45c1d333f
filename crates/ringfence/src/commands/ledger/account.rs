//! What the ledger answers: who holds what, its head, and the proof of one entry.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use model::MemberId;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Source, auditor};
use crate::client::segment;
use crate::commands::member;
use crate::output::{Exit, Output, count, objects, table};

#[derive(Debug, Args)]
pub(super) struct Holds {
    /// The member, by id or name; with --data by id
    member: String,
    #[command(flatten)]
    source: Source,
}

#[derive(Debug, Args)]
pub(super) struct Who {
    /// The object's STIX id
    object: String,
    #[command(flatten)]
    source: Source,
}

#[derive(Debug, Args)]
pub(super) struct Checkpoint {
    #[command(flatten)]
    source: Source,
}

#[derive(Debug, Args)]
pub(super) struct Receipt {
    /// The entry's number
    entry: u64,
    /// Write it to this file instead of stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    source: Source,
}

/// What a member holds, as the hub answers it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct HoldsReport {
    pub(crate) member: String,
    pub(crate) entries: u64,
    pub(crate) objects: Vec<Held>,
}

/// One version of an object that a member was handed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Held {
    pub(crate) id: String,
    pub(crate) version: String,
    pub(crate) collection: String,
    pub(crate) tier: String,
    pub(crate) first: String,
    pub(crate) entry: u64,
    pub(crate) whole: bool,
}

/// Who was handed an object, as the hub answers it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WhoReport {
    pub(crate) object: String,
    pub(crate) receivers: Vec<Receiver>,
}

/// One receiver.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Receiver {
    pub(crate) member: String,
    pub(crate) version: String,
    pub(crate) first: String,
    pub(crate) entry: u64,
    pub(crate) whole: bool,
}

impl Holds {
    pub(super) fn run(self, output: Output) -> Result<Exit> {
        let report: HoldsReport = if let Some(exchange) = self.source.offline()? {
            let id: MemberId = self.member.parse()?;
            serde_json::from_value(serde_json::to_value(exchange.holds(&auditor(), &id)?)?)?
        } else {
            let api = self.source.connection.api()?;
            // A member asks for itself and may not look others up; an id needs no looking up.
            let own_id = self.member.parse::<MemberId>().ok();
            let id = own_id.map_or_else(|| Ok(member::find(&api, &self.member)?.id), anyhow::Ok)?;
            api.get(&format!("/api/members/{}/holds", segment(id)))?
        };
        output.result(&report, || {
            let mut text = format!(
                "{} holds {}, by {} of the ledger.\n",
                report.member,
                objects(report.objects.len()),
                count(report.entries, "entry", "entries")
            );
            let rows: Vec<[String; 6]> = report
                .objects
                .iter()
                .map(|held| {
                    [
                        held.id.clone(),
                        held.version.clone(),
                        held.tier.clone(),
                        held.first.clone(),
                        held.entry.to_string(),
                        what(held.whole),
                    ]
                })
                .collect();
            if !rows.is_empty() {
                text.push_str(&table(
                    ["OBJECT", "VERSION", "TIER", "FIRST HANDED OUT", "ENTRY", "WHAT"],
                    &rows,
                ));
            }
            text
        })?;
        Ok(Exit::Done)
    }
}

impl Who {
    pub(super) fn run(self, output: Output) -> Result<Exit> {
        let report: WhoReport = match self.source.offline()? {
            Some(exchange) => {
                serde_json::from_value(serde_json::to_value(exchange.who(&auditor(), &self.object)?)?)?
            }
            None => self
                .source
                .connection
                .api()?
                .get(&format!("/api/objects/{}/receivers", segment(&self.object)))?,
        };
        output.result(&report, || {
            if report.receivers.is_empty() {
                return format!("Nobody was handed {}.", report.object);
            }
            let rows: Vec<[String; 5]> = report
                .receivers
                .iter()
                .map(|one| {
                    [
                        one.member.clone(),
                        one.version.clone(),
                        one.first.clone(),
                        one.entry.to_string(),
                        what(one.whole),
                    ]
                })
                .collect();
            table(["RECEIVER", "VERSION", "FIRST HANDED OUT", "ENTRY", "WHAT"], &rows)
        })?;
        Ok(Exit::Done)
    }
}

fn what(whole: bool) -> String {
    if whole { "the object" } else { "that it exists" }.to_owned()
}

impl Checkpoint {
    pub(super) fn run(self, output: Output) -> Result<Exit> {
        let mut log = self.source.log()?;
        let signed = ledger::verify::LogSource::checkpoint(&mut log)?;
        let text = String::from_utf8(signed).context("the checkpoint is no text")?;
        // As it was signed: the file is good for `--older` as it is.
        output.result(&json!({"checkpoint": text, "vkey": log.own_key()?}), || text.clone())?;
        Ok(Exit::Done)
    }
}

impl Receipt {
    pub(super) fn run(self, output: Output) -> Result<Exit> {
        let text = if let Some(exchange) = self.source.offline()? {
            exchange.receipt(&auditor(), self.entry)?.to_string()
        } else {
            let api = self.source.connection.api()?;
            let bytes = api.fetch(&format!("/ledger/receipt/{}", self.entry))?;
            let bytes = bytes.with_context(|| {
                format!("there is no entry {}, or these credentials may not see it", self.entry)
            })?;
            String::from_utf8(bytes).context("the receipt is no text")?
        };
        let Some(file) = &self.out else {
            output.result(&json!({"entry": self.entry, "receipt": text}), || text.clone())?;
            return Ok(Exit::Done);
        };
        fs::write(file, &text).with_context(|| format!("writing `{}`", file.display()))?;
        output.result(&json!({"entry": self.entry, "file": file}), || {
            format!("Wrote the receipt of entry {} to `{}`.", self.entry, file.display())
        })?;
        Ok(Exit::Done)
    }
}
