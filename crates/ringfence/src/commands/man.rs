//! `ringfence man`: the manual pages, from the same definitions as `--help`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, Command, CommandFactory as _};
use serde_json::json;

use crate::cli::Cli;
use crate::output::{Exit, Output};

/// Write the manual pages: ringfence.1, and one for each command.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The folder; it is made if it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Man {
    pub(crate) fn run(self, output: Output) -> Result<Exit> {
        let shown = self.out.display();
        fs::create_dir_all(&self.out).with_context(|| format!("making `{shown}`"))?;
        let mut pages = Vec::new();
        let mut root = Cli::command().disable_help_subcommand(true);
        // So that each page knows the whole command and the options that all commands have.
        root.build();
        collect(&root, "ringfence", &mut pages)?;
        for (name, page) in &pages {
            let file = self.out.join(format!("{name}.1"));
            fs::write(&file, page).with_context(|| format!("writing `{}`", file.display()))?;
        }
        let names: Vec<&String> = pages.iter().map(|(name, _)| name).collect();
        output.result(&json!({"directory": self.out, "pages": names}), || {
            format!("Wrote {} manual pages into `{shown}`.", names.len())
        })?;
        Ok(Exit::Done)
    }
}

fn collect(command: &Command, name: &str, pages: &mut Vec<(String, Vec<u8>)>) -> Result<()> {
    let mut page = Vec::new();
    let man = clap_mangen::Man::new(command.clone()).title(name);
    man.render(&mut page).context("writing a manual page")?;
    pages.push((name.to_owned(), page));
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        collect(below, &format!("{name}-{}", below.get_name()), pages)?;
    }
    Ok(())
}
