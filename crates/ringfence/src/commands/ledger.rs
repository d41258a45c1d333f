//! `ringfence ledger`: is the log whole, and what does it say?

mod account;
mod export;
mod verify;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use exchange::Exchange;
use model::{Action, Caller, CredentialId, Principal, Role};

use crate::connection::Connection;
use crate::data_dir::DataDir;
use crate::logs::Log;
use crate::output::{Exit, Output};

pub(crate) use account::{HoldsReport, WhoReport};
pub(crate) use export::export;
pub(crate) use verify::{Verified, verify};

/// Verify the ledger, and ask it who holds what.
#[derive(Debug, Args)]
pub(crate) struct Ledger {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check the whole log, or the receipt of one entry, believing nothing but the log's key
    Verify(verify::Verify),
    /// What a member holds, object by object
    Holds(account::Holds),
    /// Who was handed an object
    Who(account::Who),
    /// The signed head of the log; keep it, and verify later logs against it
    Checkpoint(account::Checkpoint),
    /// The proof of one entry, which can be checked offline
    Receipt(account::Receipt),
    /// Copy the log's public files into a folder that any web server can serve
    Export(export::Export),
}

impl Ledger {
    pub(crate) fn run(self, output: Output) -> Result<Exit> {
        match self.command {
            Command::Verify(verify) => verify.run(output),
            Command::Holds(holds) => holds.run(output),
            Command::Who(who) => who.run(output),
            Command::Checkpoint(checkpoint) => checkpoint.run(output),
            Command::Receipt(receipt) => receipt.run(output),
            Command::Export(export) => export.run(output),
        }
    }
}

/// The hub, or a data directory that no hub has open.
#[derive(Debug, Args)]
struct Source {
    /// Read this data directory, which no hub has open, instead of asking a hub
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    connection: Connection,
}

impl Source {
    fn offline(&self) -> Result<Option<Exchange>> {
        self.data.as_ref().map(|dir| DataDir::new(dir).read_offline()).transpose()
    }

    fn log(&self) -> Result<Log> {
        match self.offline()? {
            Some(exchange) => Ok(Log::Data(Box::new(exchange))),
            None => Log::over_http(self.connection.open_api()?).context("looking for the ledger"),
        }
    }
}

/// Whoever reads the data directory itself audits all of it.
fn auditor() -> Caller {
    Caller {
        principal: Principal::Role(Role::Overseer),
        credential: CredentialId::from_bits(0),
        actions: [Action::Administer].into(),
        collections: None,
    }
}
