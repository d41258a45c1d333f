//! `ringfence ties`: what is known about who owns, controls and supplies whom.

mod export;
mod import;
mod matches;
mod source;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::Value;
use ties::{EntityId, Statement, TieId};

pub(crate) use self::source::read_file;
use crate::client::segment;
use crate::connection::Connection;
use crate::output::{Exit, Output, add};

/// Import, list and export ties.
#[derive(Debug, Args)]
pub(crate) struct Ties {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Record what registers and lists say, and let follow what follows
    Import(import::Import),
    /// Show names that may be the same, and say whether they are
    Matches(matches::Matches),
    /// Show the ties of an entity
    Show(Show),
    /// Show what was said of one tie, and when
    History(History),
    /// Write the registry to a file
    Export(export::Export),
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

impl Ties {
    pub(crate) fn run(self, output: Output) -> Result<Exit> {
        match self.command {
            Command::Import(command) => command.run(output),
            Command::Matches(command) => command.run(output),
            Command::Show(command) => command.run(output),
            Command::History(command) => command.run(output),
            Command::Export(command) => command.run(output),
        }
    }
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
        let path = format!("/api/ties/at/{}", segment(&self.tie));
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
