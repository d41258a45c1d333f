//! The measures, one family to a file. Each gives lines of the table, or why it could not be taken.

pub(crate) mod ingest;
pub(crate) mod labels;
pub(crate) mod peers;
pub(crate) mod poll;
pub(crate) mod publish;
pub(crate) mod suspension;

use std::path::PathBuf;
use std::time::Duration;

/// How much is measured.
pub(crate) struct Extent {
    /// Objects in the main collection.
    pub(crate) objects: u64,
    /// Submissions of one object in the collections of few and of many labels.
    pub(crate) labelled: u64,
    /// How many labels are many.
    pub(crate) labels: u64,
    /// Polls of a suspended member.
    pub(crate) polls: usize,
    /// How long a load is kept up in each round.
    pub(crate) round: Duration,
    /// Objects that the slow peers are given.
    pub(crate) peer_objects: u64,
    /// Where everything is written.
    pub(crate) work: PathBuf,
}

impl Extent {
    pub(crate) fn new(is_quick: bool, work: PathBuf) -> Self {
        if is_quick {
            return Self {
                objects: 100_000,
                labelled: 2_000,
                labels: 1_000,
                polls: 1_000,
                round: Duration::from_millis(500),
                peer_objects: 2_000,
                work,
            };
        }
        Self {
            objects: 1_000_000,
            labelled: 20_000,
            labels: 10_000,
            polls: 10_000,
            round: Duration::from_secs(4),
            peer_objects: 5_000,
            work,
        }
    }
}
