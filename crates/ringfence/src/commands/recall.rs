//! `ringfence recall`: an object was handed out, and should not have been, or not to all of them.

use std::collections::BTreeSet;

use anyhow::Result;
use clap::{ArgGroup, Args};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::commands::member;
use crate::connection::Connection;
use crate::output::{Exit, Output, add, count, listed};

/// Withdraw or re-label an object that was handed out.
///
/// Whoever holds it and may not have it any more gets a notice in its next poll. The ledger keeps who received it.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).multiple(true).args(["withdraw", "tlp", "audience", "nobody"]))]
pub(crate) struct Recall {
    /// The object's STIX id; all its versions, in every collection
    object: String,
    /// Nobody is to have it
    #[arg(long, conflicts_with_all = ["tlp", "audience", "nobody"])]
    withdraw: bool,
    /// Its new TLP level
    #[arg(long, value_name = "LEVEL", value_parser = ["clear", "green", "amber", "amber+strict", "red"])]
    tlp: Option<String>,
    /// Only this member is to have it, by id or name; may be given several times
    #[arg(long, value_name = "MEMBER", conflicts_with = "nobody")]
    audience: Vec<String>,
    /// No member is to have it, until it is re-labelled
    #[arg(long)]
    nobody: bool,
    /// Why, in words; the notice and the ledger say it
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Serialize, Deserialize)]
struct Report {
    object: String,
    versions: u64,
    receivers: Vec<Receiver>,
    told: Vec<String>,
    notice: Option<String>,
    notices: Vec<String>,
    revoked: bool,
    reached: Vec<Reached>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Reached {
    object: String,
    action: String,
    receivers: Vec<Receiver>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Receiver {
    member: String,
    version: String,
    first: String,
    entry: u64,
    whole: bool,
}

impl Recall {
    pub(crate) fn run(self, output: Output) -> Result<Exit> {
        let api = self.connection.api()?;
        let mut body = Map::new();
        body.insert("object".to_owned(), json!(self.object));
        body.insert("reason".to_owned(), json!(self.reason));
        let action = if self.withdraw { "withdraw" } else { "relabel" };
        body.insert("action".to_owned(), json!(action));
        if let Some(tlp) = self.tlp {
            body.insert("tlp".to_owned(), json!(tlp));
        }
        if self.nobody || !self.audience.is_empty() {
            let ids: BTreeSet<_> =
                self.audience.iter().map(|name| Ok(member::find(&api, name)?.id)).collect::<Result<_>>()?;
            body.insert("audience".to_owned(), json!(ids));
        }
        let report: Report = api.post("/api/recall", &Value::Object(body))?;
        output.result(&report, || describe(&report))?;
        Ok(Exit::Done)
    }
}

fn describe(report: &Report) -> String {
    let Report { object, versions, receivers, told, notice: _, notices, revoked, reached } = report;
    let mut text = format!("Recalled {} of {object}.\n", count(*versions, "version", "versions"));
    if receivers.is_empty() {
        text.push_str("Nobody had received it.\n");
    }
    for Receiver { member, version, first, entry, whole } in receivers {
        let what = if *whole { "received" } else { "was told of" };
        add!(text, "  {member} {what} version {version} on {first} (ledger entry {entry})\n");
    }
    if *revoked {
        text.push_str("It is the programme's own: a revoked version goes to everybody who could read it.\n");
    }
    for Reached { object, action, receivers } in reached {
        let holders: BTreeSet<String> = receivers.iter().map(|receiver| receiver.member.clone()).collect();
        let had: Vec<String> = holders.into_iter().collect();
        let had =
            if had.is_empty() { "nobody had it".to_owned() } else { format!("{} had it", listed(&had)) };
        add!(text, "With it: {object} {action}; {had}.\n");
    }
    if !notices.is_empty() {
        add!(text, "Told in the next poll: {} ({}).\n", listed(told), notices.join(", "));
    }
    text
}
