//! `ringfence backup`: a copy that can be restored, taken while the hub runs.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};
use store_sqlite::SqliteStore;

use crate::connection::Connection;
use crate::data_dir::{BACKUPS, DataDir};
use crate::output::{Exit, Output, grouped};

/// Copy a hub's data while it runs.
///
/// The hub writes the copy below its own data directory; with --data, where no hub runs, it is written where you say.
/// The hub's keys are not in the copy: keep keys.toml apart from it.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The copy's name below the hub's `backups/`; with --data, a new directory
    dir: PathBuf,
    /// Copy this data directory, which no hub has open, instead of asking a hub
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Put the hub's keys into the copy too: whoever has it can be this hub
    #[arg(long, requires = "data")]
    with_keys: bool,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Serialize)]
struct Report {
    directory: PathBuf,
    objects: u64,
    entries: u64,
    bytes: u64,
    keys: bool,
}

impl Backup {
    pub(crate) fn run(self, output: Output) -> Result<Exit> {
        let Some(data) = &self.data else {
            let name = self.dir.to_str().context("the copy's name is no text")?;
            let report: Value = self.connection.api()?.post("/api/backup", &json!({"directory": name}))?;
            output.result(&report, || {
                let text = |key: &str| report.get(key).and_then(Value::as_u64).map_or_else(|| "?".to_owned(), grouped);
                let objects = text("objects");
                format!(
                    "The hub wrote a verified copy of {objects} objects to `{BACKUPS}/{name}` in its data directory. Its \
                     keys are not in it: keep keys.toml apart from it."
                )
            })?;
            return Ok(Exit::Done);
        };
        let data = DataDir::new(data);
        let store = SqliteStore::open_read_only(data.path())?;
        let copied = store.backup(&self.dir)?;
        let checked = store_sqlite::verify(&self.dir)?;
        if let Some(problem) = checked.problems.first() {
            anyhow::bail!("the copy in `{}` is not sound: {problem}", self.dir.display());
        }
        if self.with_keys {
            let keys = data.keys_path().context("the data directory has no keys.toml")?;
            DataDir::new(&self.dir).copy_keys_from(&keys)?;
        }
        let report = Report {
            directory: self.dir,
            objects: copied.objects,
            entries: copied.entries,
            bytes: copied.bytes,
            keys: self.with_keys,
        };
        output.result(&report, || {
            let keys =
                if report.keys { "The hub's keys are in it." } else { "Keep keys.toml apart from it." };
            format!(
                "Wrote and verified a copy in `{}`: {} objects, {} ledger entries, {} bytes. {keys}",
                report.directory.display(),
                grouped(report.objects),
                grouped(report.entries),
                grouped(report.bytes)
            )
        })?;
        Ok(Exit::Done)
    }
}
