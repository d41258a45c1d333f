//! Where a ledger is read from: a hub or any web server, a folder of its files, or a data directory.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::Result;
use exchange::Exchange;
use ledger::verify::LogSource;
use ledger::{Tile, TileSource};
use thiserror::Error;

use crate::client::Api;

/// A file of the log that could not be read, in words.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct LogError(String);

/// A ledger's public files.
pub(crate) enum Log {
    /// Over HTTP, below `prefix`.
    Http { api: Api, prefix: &'static str },
    /// In a folder, as `ringfence ledger export` writes it.
    Folder(PathBuf),
    /// In a data directory.
    Data(Box<Exchange>),
}

impl Log {
    /// The log at a hub's address, or directly at the URL of a log.
    pub(crate) fn over_http(api: Api) -> Result<Self> {
        for prefix in ["/ledger", ""] {
            // A web server with other things at these paths may answer anything but a checkpoint.
            if let Ok(Some(_)) = api.fetch(&format!("{prefix}/checkpoint")) {
                return Ok(Self::Http { api, prefix });
            }
        }
        // Asked once more, for the reason.
        api.fetch("/ledger/checkpoint")?;
        anyhow::bail!("there is no ledger at `{}`", api.base());
    }

    /// The key that the log itself names. It proves nothing about who runs the log, only that it is one log.
    pub(crate) fn own_key(&self) -> Result<Option<String>> {
        let text = match self {
            Self::Http { api, prefix } => api
                .fetch(&format!("{prefix}/vkey"))?
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
            Self::Folder(dir) => fs::read_to_string(dir.join("vkey")).ok(),
            Self::Data(exchange) => Some(exchange.ledger_head().vkey),
        };
        Ok(text.map(|text| text.trim().to_owned()))
    }

    /// Where it is, for people.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Http { api, .. } => api.base().to_owned(),
            Self::Folder(dir) => dir.display().to_string(),
            Self::Data(_) => "the data directory".to_owned(),
        }
    }

    fn file(&self, path: &str) -> Result<Option<Vec<u8>>, LogError> {
        match self {
            Self::Http { api, prefix } => {
                api.fetch(&format!("{prefix}/{path}")).map_err(|error| LogError(error.to_string()))
            }
            Self::Folder(dir) => match fs::read(dir.join(path)) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(LogError(error.to_string())),
            },
            Self::Data(_) => Ok(None),
        }
    }
}

impl TileSource for Log {
    type Error = LogError;

    fn tile(&mut self, tile: Tile) -> Result<Option<Vec<u8>>, LogError> {
        match self {
            Self::Data(exchange) => exchange.ledger_tile(tile).map_err(|error| LogError(error.to_string())),
            Self::Http { .. } | Self::Folder(_) => self.file(&tile.to_string()),
        }
    }
}

impl LogSource for Log {
    fn checkpoint(&mut self) -> Result<Vec<u8>, LogError> {
        match self {
            Self::Data(exchange) => Ok(exchange.ledger_head().checkpoint.into_bytes()),
            Self::Http { .. } | Self::Folder(_) => {
                self.file("checkpoint")?.ok_or_else(|| LogError("there is no such file".to_owned()))
            }
        }
    }
}
