//! Files that change under a reader's eyes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// What a replacement did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// The file has the new content.
    Changed,
    /// It had it before, and was not touched: readers that look at its time see no change.
    Same,
}

/// Why a file stayed as it was.
#[derive(Debug, Error)]
#[error("`{}` was not replaced: {source}", .path.display())]
pub struct ReplaceError {
    path: PathBuf,
    source: io::Error,
}

/// Puts a file in its place: whoever opens the path gets the old content or the new, whole, whatever happens meanwhile. The new content is on the
/// disk when this returns.
///
/// # Errors
///
/// Fails if the folder cannot be written to; the old file is then as it was.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<Replaced, ReplaceError> {
    let fail = |source| ReplaceError { path: path.to_owned(), source };
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(Replaced::Same);
    }
    // Beside the file, because a rename is whole only within one file system; of this process, because another may write the same.
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().ok_or_else(|| fail(io::ErrorKind::InvalidFilename.into()))?);
    name.push(format!(".{}.new", std::process::id()));
    let fresh = path.with_file_name(name);
    let put = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&fresh)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&fresh, path)?;
        // The rename itself is an entry of the folder.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()
    };
    put().map_err(|source| {
        // What is left of it would only be in the way; if it cannot be removed either, the first error says why.
        let _ = fs::remove_file(&fresh);
        fail(source)
    })?;
    Ok(Replaced::Changed)
}

/// A strong entity tag (RFC 9110 §8.8.3) of a file's content, with its quotation marks.
#[must_use]
pub fn etag(bytes: &[u8]) -> String {
    format!("\"{}\"", hex::encode(&Sha256::digest(bytes)[..16]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.txt");
        assert_eq!(replace(&path, b"one\n").unwrap(), Replaced::Changed);
        assert_eq!(replace(&path, b"one\n").unwrap(), Replaced::Same);
        let mut open = File::open(&path).unwrap();
        assert_eq!(replace(&path, b"two\n").unwrap(), Replaced::Changed);
        // Who has the old file open reads it to its end.
        let mut old = String::new();
        io::Read::read_to_string(&mut open, &mut old).unwrap();
        assert_eq!((old.as_str(), fs::read(&path).unwrap().as_slice()), ("one\n", &b"two\n"[..]));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
        let error = replace(&folder.path().join("absent/list.txt"), b"").unwrap_err();
        assert!(error.to_string().contains("absent/list.txt` was not replaced"), "{error}");
    }

    #[test]
    fn a_tag_changes_with_the_content() {
        assert_eq!(etag(b"one"), etag(b"one"));
        assert_ne!(etag(b"one"), etag(b"two"));
        assert!(etag(b"").starts_with('"') && etag(b"").ends_with('"') && etag(b"").len() == 34);
    }
}
