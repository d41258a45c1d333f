//! What was done, in numbers, for metrics.

use std::collections::BTreeMap;

use crate::inspect::Unexamined;

/// Why a mail was not treated as it should have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failure {
    /// The disk or the store refused a mail while it came.
    Spool,
    /// The store did not keep a mail.
    Store,
    /// The look at a mail failed.
    Inspection,
    /// The mail server does not let this filter do what the indicators ask for.
    NotOffered,
    /// More recipients than the limit.
    Recipients,
}

impl Failure {
    /// The failure in a word, for metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Spool => "spool",
            Self::Store => "store",
            Self::Inspection => "inspection",
            Self::NotOffered => "not_offered",
            Self::Recipients => "recipients",
        }
    }
}

/// What was done since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections of mail servers.
    pub sessions: u64,
    /// Connections that were closed at once, because there were too many.
    pub sessions_refused: u64,
    /// Connections that broke the protocol.
    pub violations: u64,
    /// Connections that were silent too long.
    pub silences: u64,
    /// Mails that came whole.
    pub mails: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What became of them: `pass`, `tag`, `hold`, `store`, `reject`, `tempfail`.
    pub decisions: BTreeMap<&'static str, u64>,
    /// Parts that were not looked at.
    pub unexamined: BTreeMap<Unexamined, u64>,
    /// Mails that were not treated as they should have been.
    pub failures: BTreeMap<Failure, u64>,
}
