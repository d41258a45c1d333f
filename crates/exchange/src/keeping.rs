//! What holds a ledger to its past when a hub starts: the log itself, its key, and the last checkpoint that was kept.
//!
//! A database that has lost its end (a write-ahead log that was damaged or left behind, an older copy put in its place)
//! looks like one that ended earlier, and a hub that went on from there would sign a second history. So a checkpoint is
//! kept *beside* the store: the writer writes one when it is idle, when it ends, and once a second while it is busy, each
//! time after the commit that it speaks of. At the start the store has to hold at least that much, with the same root.
//!
//! | the process dies | the kept checkpoint | the next start |
//! |---|---|---|
//! | before a commit, or after it and before the checkpoint | speaks of an earlier end | the log has grown since: fine |
//! | while the checkpoint is written | is the old one or the new one, whole | fine |

use std::sync::Arc;
use std::time::Duration;

use ledger::checkpoint::Origin;
use ledger::tile::{Kind, TILE_WIDTH};
use ledger::{Body, Checkpoint, NoteSigner, Tile, TileSource, Trust};
use model::Timestamp;
use store::{Snapshot, StoreError};

use crate::error::OpenError;
use crate::writer::BUNDLE_LEVEL;

/// A place beside the store for one checkpoint.
pub trait KeptCheckpoint: Send + Sync {
    /// Where it is, for people.
    fn place(&self) -> String;

    /// What is kept, if anything.
    fn read(&self) -> std::io::Result<Option<Vec<u8>>>;

    /// Keeps this in place of what is kept, durably, whole or not at all.
    fn write(&self, checkpoint: &[u8]) -> std::io::Result<()>;
}

/// How often a checkpoint is kept while the writer is busy.
const KEEP_EVERY: Duration = Duration::from_secs(1);

/// Whether the writer has something else to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Busy,
    Idle,
}

/// Keeps checkpoints.
pub(crate) struct Keeper {
    kept: Arc<dyn KeptCheckpoint>,
    origin: Origin,
    signer: NoteSigner,
    last: Option<(u64, Timestamp)>,
}

impl Keeper {
    pub(crate) fn new(kept: Arc<dyn KeptCheckpoint>, origin: Origin, signer: NoteSigner) -> Self {
        Self { kept, origin, signer, last: None }
    }

    /// Holds the log that was read back from the store against the kept checkpoint.
    pub(crate) fn check(&self, snapshot: &dyn Snapshot, log: &ledger::Writer) -> Result<(), OpenError> {
        let place = self.kept.place();
        let unreadable = |problem: String| OpenError::Kept { place: self.kept.place(), problem };
        let Some(bytes) = self.kept.read().map_err(|error| unreadable(error.to_string()))? else {
            return Ok(());
        };
        let trust = Trust { origin: self.origin.clone(), keys: vec![self.signer.verifier().clone()] };
        let kept = trust.open(&bytes).map_err(|error| unreadable(error.to_string()))?.checkpoint;
        if kept.size > log.size() {
            return Err(OpenError::EndLost { found: log.size(), signed: kept.size, place });
        }
        let then = log_of(snapshot, kept.size)?;
        if then.root() == kept.root { Ok(()) } else { Err(OpenError::OtherPast { signed: kept.size, place }) }
    }

    /// Keeps a checkpoint of the log if it has grown and it is time to.
    pub(crate) fn keep(&mut self, log: &ledger::Writer, now: Timestamp, when: When) {
        let is_due = self
            .last
            .is_none_or(|(size, at)| size != log.size() && (when == When::Idle || now >= at + KEEP_EVERY));
        if !is_due {
            return;
        }
        let checkpoint = Checkpoint::new(self.origin.clone(), log.size(), log.root()).sign(&[&self.signer]);
        if let Err(error) = self.kept.write(checkpoint.to_string().as_bytes()) {
            let place = self.kept.place();
            tracing::warn!(%error, place, "no checkpoint could be kept; it will be tried again");
        }
        // Tried again when the log has grown, and not over and over.
        self.last = Some((log.size(), now));
    }
}

/// The log names the key that signs it; another one would fork it.
pub(crate) fn check_key(snapshot: &dyn Snapshot, vkey: &str) -> Result<(), OpenError> {
    let mut named = None;
    for entry in snapshot.entries(0, FIRST_ENTRIES)? {
        let opening = ledger::Opening { salt: entry.salt, body: entry.body };
        if let Ok(Body::Key(key)) = opening.read() {
            named = Some(key.vkey);
        }
    }
    match named {
        Some(named) if named != vkey => Err(OpenError::Key(format!(
            "the log was begun with the key `{named}`, not with `{vkey}`; put the right keys back"
        ))),
        Some(_) | None => Ok(()),
    }
}

/// Among how many first entries the log's key is named.
const FIRST_ENTRIES: usize = 8;
/// Reads the ledger's right edge back.
pub(crate) fn resume_log(snapshot: &dyn Snapshot) -> Result<ledger::Writer, OpenError> {
    log_of(snapshot, snapshot.horizon().entries)
}

/// The ledger as it was when it had `size` entries: the full tiles as they were kept, and the entries behind them once
/// more.
pub(crate) fn log_of(snapshot: &dyn Snapshot, size: u64) -> Result<ledger::Writer, OpenError> {
    let full = size - size % u64::from(TILE_WIDTH);
    let mut log = ledger::Writer::resume(full, FullTiles(snapshot))
        .map_err(|error| OpenError::Ledger(error.to_string()))?;
    for entry in snapshot.entries(full, usize::try_from(size - full).unwrap_or(usize::MAX))? {
        let opening = ledger::Opening { salt: entry.salt, body: entry.body };
        log.append(&opening.commitment()).map_err(|error| OpenError::Ledger(error.to_string()))?;
    }
    if log.size() == size {
        Ok(log)
    } else {
        Err(OpenError::Ledger(format!("{} of {size} entries are there", log.size())))
    }
}

/// The full tiles that a store keeps.
pub(crate) struct FullTiles<'s>(pub(crate) &'s dyn Snapshot);

impl TileSource for FullTiles<'_> {
    type Error = StoreError;

    fn tile(&mut self, tile: Tile) -> Result<Option<Vec<u8>>, StoreError> {
        if !tile.is_full() {
            return Ok(None);
        }
        let level = match tile.kind() {
            Kind::Entries => BUNDLE_LEVEL,
            Kind::Hashes { level } => level,
        };
        self.0.tile(level, tile.index())
    }
}
