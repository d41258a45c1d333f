//! `ringfence ledger export`: the log's public files, for any web server or for a disk in a safe.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use ledger::tile::Kind;
use ledger::verify::LogSource as _;
use ledger::{Checkpoint, Tile, TileSource as _};
use serde::Serialize;

use super::Source;
use crate::data_dir::write_whole;
use crate::logs::Log;
use crate::output::{Exit, Output, count, grouped};

#[derive(Debug, Args)]
pub(super) struct Export {
    /// The folder; what is in it from an earlier export is continued
    dir: PathBuf,
    #[command(flatten)]
    source: Source,
}

/// What was written.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Exported {
    pub(crate) dir: PathBuf,
    pub(crate) size: u64,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

impl Export {
    pub(super) fn run(self, output: Output) -> Result<Exit> {
        let exported = export(&mut self.source.log()?, &self.dir)?;
        output.result(&exported, || {
            let Exported { dir, size, files, bytes } = &exported;
            format!(
                "Wrote {} of the ledger into `{}`: {} files, {} bytes. `ringfence ledger verify {}` checks them.",
                count(*size, "entry", "entries"),
                dir.display(),
                grouped(*files),
                grouped(*bytes),
                dir.display()
            )
        })?;
        Ok(Exit::Done)
    }
}

/// Writes the checkpoint, every tile and bundle of the log that it heads, and the log's key.
pub(crate) fn export(log: &mut Log, dir: &Path) -> Result<Exported> {
    let signed = log.checkpoint()?;
    let text = std::str::from_utf8(&signed).context("the checkpoint is no text")?;
    let note = text.split_once("\n\n").map(|(text, _)| format!("{text}\n")).unwrap_or_default();
    let head: Checkpoint = note.parse().context("reading the checkpoint")?;
    let mut exported = Exported { dir: dir.to_owned(), size: head.size, files: 0, bytes: 0 };
    let kinds = (0..=u8::MAX).map(|level| Kind::Hashes { level });
    for kind in [Kind::Entries].into_iter().chain(kinds) {
        let mut tiles = (0..).map_while(|index| Tile::in_log(kind, index, head.size)).peekable();
        if tiles.peek().is_none() {
            break;
        }
        for tile in tiles {
            let path = dir.join(tile.to_string());
            // A full tile never changes.
            if tile.is_full() && path.exists() {
                continue;
            }
            let bytes = log.tile(tile)?.with_context(|| format!("`{tile}` is missing in the log"))?;
            write(&path, &bytes, &mut exported)?;
        }
    }
    if let Some(vkey) = log.own_key()? {
        write(&dir.join("vkey"), format!("{vkey}\n").as_bytes(), &mut exported)?;
    }
    // Last, so that a reader of the folder never finds a checkpoint without its tiles.
    write(&dir.join("checkpoint"), &signed, &mut exported)?;
    Ok(exported)
}

fn write(path: &Path, bytes: &[u8], exported: &mut Exported) -> Result<()> {
    let made = path.parent().map_or(Ok(()), fs::create_dir_all);
    made.and_then(|()| write_whole(path, bytes, 0o644))
        .with_context(|| format!("writing `{}`", path.display()))?;
    exported.files += 1;
    exported.bytes += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    Ok(())
}
