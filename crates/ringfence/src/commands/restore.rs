//! `ringfence restore`: a backup, checked to the last byte, as a new data directory.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use crate::data_dir::DataDir;
use crate::output::{Exit, Output, grouped};

/// Check a backup and copy it into a new data directory.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The backup
    from: PathBuf,
    /// The new data directory; it is not there yet, or empty
    to: PathBuf,
    /// The hub's keys.toml; the one in the backup if it has one
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
}

#[derive(Serialize)]
struct Report {
    directory: PathBuf,
    segments: u64,
    objects: u64,
    entries: u64,
    body_bytes: u64,
    keys: bool,
}

impl Restore {
    pub(crate) fn run(self, output: Output) -> Result<Exit> {
        let to = DataDir::new(&self.to);
        to.create()?;
        let restored = store_sqlite::restore(&self.from, &self.to)?;
        let keys = self.keys.or_else(|| DataDir::new(&self.from).keys_path());
        if let Some(keys) = &keys {
            to.copy_keys_from(keys)?;
        }
        let report = Report {
            directory: self.to,
            segments: restored.segments,
            objects: restored.objects,
            entries: restored.entries,
            body_bytes: restored.body_bytes,
            keys: keys.is_some(),
        };
        output.result(&report, || {
            let dir = report.directory.display();
            let keys = if report.keys {
                String::new()
            } else {
                format!("\nPut the hub's keys.toml into `{dir}` before you start a hub there.")
            };
            format!(
                "Checked the backup and restored it into `{dir}`: {} objects in {} segments, {} ledger entries.{keys}",
                grouped(report.objects),
                grouped(report.segments),
                grouped(report.entries)
            )
        })?;
        Ok(Exit::Done)
    }
}
