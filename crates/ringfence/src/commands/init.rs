//! `ringfence init`: the template programme as a folder of one's own.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::json;

use crate::output::{Exit, Output, add};

/// Write the template programme into a new folder.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The folder; it is made if it is not there, and has to be empty
    dir: PathBuf,
}

impl Init {
    pub(crate) fn run(self, output: Output) -> Result<Exit> {
        let names = write_template(&self.dir)?;
        let dir = self.dir.display();
        output.result(&json!({"dir": self.dir, "files": names}), || {
            let mut text = format!("Wrote the template programme into `{dir}`:\n");
            for name in &names {
                add!(text, "  {name}\n");
            }
            add!(
                text,
                "\nEdit it, then:\n  ringfence check {dir}\n  ringfence hub --programme {dir} --data DATA\n"
            );
            text
        })?;
        Ok(Exit::Done)
    }
}

/// Writes the template's files into `dir`, which is not there or is empty; returns their names.
pub(crate) fn write_template(dir: &Path) -> Result<Vec<String>> {
    let shown = dir.display();
    match fs::read_dir(dir) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                bail!("`{shown}` is not empty, and nothing in it was touched; name a new folder");
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("looking into `{shown}`")),
    }
    let mut names = Vec::new();
    for (name, content) in programme::template() {
        let path = dir.join(&name);
        let parent = path.parent().unwrap_or(dir);
        fs::create_dir_all(parent).with_context(|| format!("making the folder `{}`", parent.display()))?;
        let written = fs::File::create_new(&path).and_then(|mut file| file.write_all(&content));
        written.with_context(|| format!("writing `{}`", path.display()))?;
        names.push(name);
    }
    Ok(names)
}
