//! The key that everything in a store is sealed with: 32 bytes in a file of its own.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chacha20poly1305::Key;
use thiserror::Error;

/// Fills a buffer with random bytes.
pub type Random = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// Why a key cannot be used.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("the key `{}`: {source}", .path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others than its owner can read it.
    #[error("the key `{}` can be read by others (mode {mode:o}); `chmod 600` it", .path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is no key.
    #[error("the key `{}` is not 64 hexadecimal digits", .path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
    },
}

/// The key of a store, and where its random numbers come from.
#[derive(Clone)]
pub struct StoreKey {
    key: Key,
    random: Random,
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreKey")
    }
}

impl StoreKey {
    /// A key from its bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32], random: Random) -> Self {
        Self { key: bytes.into(), random }
    }

    /// Reads the key of a file, 64 hexadecimal digits; makes the file if there is none.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read or made, is open to others, or is no key.
    pub fn of_file(path: &Path, random: Random) -> Result<Self, KeyError> {
        let failed = |source| KeyError::File { path: path.to_owned(), source };
        if !path.exists() {
            let mut bytes = [0; 32];
            random(&mut bytes);
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
            file.write_all(format!("{}\n", hex::encode(bytes)).as_bytes()).map_err(failed)?;
            file.sync_all().map_err(failed)?;
        }
        let mode = fs::metadata(path).map_err(failed)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Open { path: path.to_owned(), mode });
        }
        let text = fs::read_to_string(path).map_err(failed)?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(text.trim(), &mut bytes)
            .map_err(|_| KeyError::Malformed { path: path.to_owned() })?;
        Ok(Self::new(bytes, random))
    }

    pub(super) fn bytes(&self) -> &Key {
        &self.key
    }

    pub(super) fn random(&self, buffer: &mut [u8]) {
        (self.random)(buffer);
    }
}
