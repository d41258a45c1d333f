//! What the console is told from outside.

use std::sync::Arc;

use exchange::Random;

use crate::provider::Provider;

/// What the console is told from outside.
#[derive(Clone)]
pub struct ConsoleOptions {
    /// Chance: fills a buffer. Sessions are made of it.
    pub random: Random,
    /// By whom people sign in beside their accounts here.
    pub provider: Option<Arc<Provider>>,
    /// The folder from which the programme in force was read, to compare it with what lies there now.
    pub programme_folder: Option<std::path::PathBuf>,
    /// Whether people reach it encrypted, though it does not encrypt itself: behind a proxy that does.
    pub is_behind_tls: bool,
    /// How long somebody stays signed in who asks for nothing.
    pub idle_max: std::time::Duration,
    /// How long somebody stays signed in at all.
    pub session_max: std::time::Duration,
    /// How many pages are made at once.
    pub pages_max: usize,
    /// How many decisions wait for the writer at once.
    pub decisions_max: usize,
    /// How many passwords are verified or kept at once. Each takes 19 MiB for 20 ms, and anybody may try one.
    pub verifications_max: usize,
    /// How many pages are kept up to date at once. Each takes a thread while it waits.
    pub live_max: usize,
    /// How long a form may take to come.
    pub form_duration_max: std::time::Duration,
    /// How long a form with a file may take: 16 MiB at half a megabit a second.
    pub upload_duration_max: std::time::Duration,
}

impl ConsoleOptions {
    /// The defaults, with the chance that sessions are made of.
    #[must_use]
    pub fn new(random: Random) -> Self {
        Self {
            random,
            provider: None,
            programme_folder: None,
            is_behind_tls: false,
            idle_max: std::time::Duration::from_mins(30),
            session_max: std::time::Duration::from_hours(12),
            pages_max: 16,
            decisions_max: 16,
            verifications_max: 4,
            live_max: 128,
            form_duration_max: std::time::Duration::from_secs(30),
            upload_duration_max: std::time::Duration::from_mins(5),
        }
    }
}
