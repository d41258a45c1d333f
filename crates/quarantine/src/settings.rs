//! What a site decides about its mail.

use std::time::Duration;

use milter::HeaderName;

use crate::inspect::Limits;

/// What becomes of a mail that something here failed on. It is never lost: either it passes, or its sender keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// The sender hears to try again later.
    TempFail,
    /// It passes.
    Pass,
}

/// How mail is treated, and how much of it at once.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What becomes of a mail when the disk is full, the store refuses, or the look at it fails.
    pub on_failure: Otherwise,
    /// What becomes of a mail that hit nothing, and was not looked at whole. Who says [`TempFail`](Otherwise::TempFail) here will never
    /// get mail with an encrypted archive.
    pub on_unexamined: Otherwise,
    /// How much of a mail is looked at.
    pub limits: Limits,
    /// The header of a tag. Headers of that name that come with a mail are removed.
    pub tag_header: HeaderName,
    /// How much of a mail is in memory while it comes; the rest lies sealed in the store's folder.
    pub memory_bytes_max: usize,
    /// How much of a mail, from its beginning, is in memory while it is looked at.
    pub inspected_bytes_max: usize,
    /// How many mails are looked at at once.
    pub inspections_max: usize,
    /// How many connections of mail servers are served at once. Postfix keeps one for each of its SMTP connections.
    pub sessions_max: usize,
    /// How many recipients a mail may have; Postfix's own limit is 1,000.
    pub recipients_max: usize,
    /// How long a mail server may be silent.
    pub idle_max: Duration,
    /// How long mail that is being served may take at the end of the program.
    pub grace: Duration,
    /// How long mail is kept in the store.
    pub keep: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            on_failure: Otherwise::TempFail,
            on_unexamined: Otherwise::Pass,
            limits: Limits::default(),
            tag_header: HeaderName::new("X-Ringfence").expect("it is printable and has no colon"),
            memory_bytes_max: 1024 * 1024,
            inspected_bytes_max: 32 * 1024 * 1024,
            inspections_max: 2,
            sessions_max: 500,
            recipients_max: 5_000,
            idle_max: Duration::from_mins(10),
            grace: Duration::from_secs(20),
            keep: Duration::from_hours(30 * 24),
        }
    }
}
