//! `ringfence findings`: what the programme's people should look at.

use anyhow::Result;
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::connection::Connection;
use crate::output::{Exit, Output};

/// Show what the programme's people should look at, newest first.
#[derive(Debug, Args)]
pub(crate) struct Findings {
    /// At most so many
    #[arg(long, default_value_t = 100)]
    limit: u32,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Serialize, Deserialize)]
struct Finding {
    at: String,
    code: String,
    object: String,
    submitter: String,
    detail: String,
}

impl Findings {
    pub(crate) fn run(self, output: Output) -> Result<Exit> {
        let api = self.connection.api()?;
        let findings: Vec<Finding> = api.get(&format!("/api/findings?limit={}", self.limit))?;
        output.result(&findings, || {
            if findings.is_empty() {
                return "There is nothing to look at.".to_owned();
            }
            let lines = findings.iter().map(|finding| {
                let Finding { at, code, object, submitter, detail } = finding;
                format!("{at}  {code}  {object}\n  submitted by {submitter}: {detail}\n")
            });
            lines.collect()
        })?;
        Ok(Exit::Done)
    }
}
