//! Files and directories.

use std::fs::{self, File};
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::container;
use crate::options::Options;
use crate::place::{Item, Place, Reason, Summary};
use crate::run::Run;

/// Why nothing could be read at all.
#[derive(Debug, Error)]
pub enum IntakeError {
    /// What was named is not there, or may not be looked at.
    #[error("cannot read `{path}`: {source}")]
    Unreadable {
        /// What was named.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Reads a file, or every file below a directory in the order of their names.
///
/// The link that is named is followed, links below it are not. `sink` stops the run by breaking.
///
/// # Errors
///
/// Fails only if `path` itself is not there or may not be looked at; whatever is wrong further down is
/// handed out as [`Item::Refused`].
pub fn read(
    path: &Path,
    options: &Options,
    sink: &mut dyn FnMut(Item) -> ControlFlow<()>,
) -> Result<Summary, IntakeError> {
    let failed = |source| IntakeError::Unreadable { path: path.to_owned(), source };
    let kind = fs::metadata(path).map_err(failed)?.file_type();
    let mut run = Run::new(options, sink);
    let flow = if kind.is_dir() {
        fs::read_dir(path).map_err(failed)?;
        directory(&mut run, path, options.limits.directory_depth_max)
    } else {
        let opened = File::open(path).map_err(failed)?;
        file(&mut run, path, opened)
    };
    Ok(run.finish(flow))
}

/// Reads one file from any source, such as the standard input; `name` stands in its places.
pub fn read_reader(
    name: &str,
    reader: impl Read,
    options: &Options,
    sink: &mut dyn FnMut(Item) -> ControlFlow<()>,
) -> Summary {
    let mut run = Run::new(options, sink);
    let flow = container::open(&mut run, &Place::file(name), Box::new(reader));
    run.finish(flow)
}

/// The size on disk of all that [`read`] would open, for a progress bar.
///
/// # Errors
///
/// Fails if `path` is not there; what cannot be looked at further down counts nothing.
pub fn bytes_on_disk(path: &Path) -> io::Result<u64> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_dir() {
        return Ok(metadata.len());
    }
    let mut sum = 0;
    let mut open = vec![path.to_owned()];
    while let Some(directory) = open.pop() {
        let Ok(entries) = fs::read_dir(directory) else { continue };
        for entry in entries.flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(entry.path()),
                Ok(kind) if kind.is_file() => sum += entry.metadata().map_or(0, |metadata| metadata.len()),
                Ok(_) | Err(_) => {}
            }
        }
    }
    Ok(sum)
}

fn directory(run: &mut Run<'_>, path: &Path, depth_left: usize) -> ControlFlow<()> {
    let place = Place::file(&path.display().to_string());
    let entries = fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut entries = match entries {
        Ok(entries) => entries,
        Err(error) => return run.refuse(&place, Reason::Unreadable, error.to_string()),
    };
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let place = Place::file(&path.display().to_string());
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => {
                if depth_left == 0 {
                    let max = run.options.limits.directory_depth_max;
                    let message = format!("deeper than directory_depth_max ({max})");
                    run.refuse(&place, Reason::Limit, message)?;
                } else {
                    directory(run, &path, depth_left - 1)?;
                }
            }
            Ok(kind) if kind.is_file() => match File::open(&path) {
                Ok(opened) => file(run, &path, opened)?,
                Err(error) => run.refuse(&place, Reason::Unreadable, error.to_string())?,
            },
            Ok(kind) => {
                let what =
                    if kind.is_symlink() { "a symbolic link, not followed" } else { "not a plain file" };
                run.refuse(&place, Reason::NotAFile, what.to_owned())?;
            }
            Err(error) => run.refuse(&place, Reason::Unreadable, error.to_string())?,
        }
    }
    ControlFlow::Continue(())
}

fn file(run: &mut Run<'_>, path: &Path, opened: File) -> ControlFlow<()> {
    let place = Place::file(&path.display().to_string());
    let bytes = opened.metadata().map_or(0, |metadata| metadata.len());
    container::open(run, &place, Box::new(opened))?;
    run.hand_out(Item::FileDone { place, bytes })
}
