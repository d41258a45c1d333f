//! What a hub is told from outside, and its own limits.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use thiserror::Error;

/// Who may read `/metrics`. Counts tell of other members' activity, so members never do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetricsAccess {
    /// The programme's people, with a credential of their own.
    #[default]
    People,
    /// Whoever reaches the port: for a port that only the operator's machines reach.
    Anyone,
}

/// A backup as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BackupReport {
    /// Its name among the backups.
    pub directory: String,
    /// How many objects it holds.
    pub objects: u64,
    /// How many ledger entries it holds.
    pub entries: u64,
    /// How many bytes it takes.
    pub bytes: u64,
}

/// Why there is no backup.
#[derive(Debug, Error)]
pub enum BackupError {
    /// There is one of that name.
    #[error("there is a backup `{0}` already; choose another name")]
    Exists(String),
    /// It could not be written, or did not verify.
    #[error("{0}")]
    Failed(String),
}

/// Writes verified backups into a place of its own. The hub checks the name: no path, no leading dot.
pub trait Backups: Send + Sync {
    /// Writes the backup `name` while the hub runs.
    ///
    /// # Errors
    ///
    /// See [`BackupError`].
    fn back_up(&self, name: &str) -> Result<BackupReport, BackupError>;
}

/// What a hub is told from outside. [`HubOptions::new`] has a default for everything but the seed.
#[derive(Clone)]
pub struct HubOptions {
    /// 32 random bytes, from which request ids are made.
    pub seed: [u8; 32],
    /// Where the hub is reached, such as `https://hub.example`; discovery then names an absolute API root.
    pub public_url: Option<String>,
    /// Proxies whose `X-Forwarded-For` is believed. From all others it is passed over.
    pub trusted_proxies: Vec<IpAddr>,
    /// Who may read `/metrics`.
    pub metrics: MetricsAccess,
    /// Where `/api/backup` writes; without it the hub keeps none.
    pub backups: Option<Arc<dyn Backups>>,
    /// How many reads run at once. Each has a page in memory (at most 16 MiB) and a thread.
    pub reads_max: usize,
    /// How many publications and decisions run at once; as many share one transaction of the writer.
    pub writes_max: usize,
    /// How many credentials are verified at once that no cache knows. Each may take 19 MiB for 20 ms.
    pub verifications_max: usize,
    /// How many event streams are open at once. Each takes a thread while it waits.
    pub streams_max: usize,
    /// How many of them one member, or one role, has.
    pub streams_per_principal_max: usize,
    /// How many bytes of submissions are in memory at once: half on their way, half as a whole. One member, or one role,
    /// has half of each at most. Further ones wait.
    pub bodies_max_bytes: usize,
    /// How many bytes of answers are in memory at once before further pages are refused: from when they are made until
    /// they are sent. The reads that run at once may go beyond.
    pub answers_max_bytes: usize,
    /// How many of them are those of one member, or of one role.
    pub answers_per_principal_max_bytes: usize,
    /// How long a client may pause while it sends a body.
    pub body_pause_max: Duration,
    /// How long a body may take in all. The largest body (32 MiB by default) at 2 Mbit/s takes 134 s.
    pub body_duration_max: Duration,
    /// How often a silent event stream shows that it is alive.
    pub heartbeat: Duration,
}

impl HubOptions {
    /// The defaults, with the random bytes that request ids are made from.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            seed,
            public_url: None,
            trusted_proxies: Vec::new(),
            metrics: MetricsAccess::default(),
            backups: None,
            reads_max: 32,
            writes_max: 128,
            verifications_max: 4,
            streams_max: 128,
            streams_per_principal_max: 16,
            bodies_max_bytes: 256 * 1024 * 1024,
            answers_max_bytes: 256 * 1024 * 1024,
            answers_per_principal_max_bytes: 64 * 1024 * 1024,
            body_pause_max: Duration::from_secs(20),
            body_duration_max: Duration::from_mins(5),
            heartbeat: Duration::from_secs(15),
        }
    }
}
