//! The real program from nothing to its first sinkholed answer, and what it takes then.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::dns::{Client, world};
use super::forward::bytes_each;
use super::resolvers::{Figures, LOAD};
use super::site::Site;
use crate::process::Process;
use crate::report::{Bound, Row};
use crate::units::short;

/// How often it is started; the median counts.
const STARTS: usize = 3;
/// What the issue allows, in seconds, and in bytes an indicator beside the record store.
const START_SECONDS: f64 = 2.0;

/// A started guard, with what its starts took.
pub(super) struct Started {
    pub(super) process: Process,
    took: Vec<Duration>,
    cpu_seconds: f64,
}

/// Starts the program on a store that holds these names already; the last one goes on running.
pub(super) fn start(site: &Site, binary: &Path, names: &[String]) -> Result<Started> {
    let asked = names.last().context("there are names")?;
    let mut took = Vec::new();
    loop {
        let begun = Instant::now();
        let process = site.program(binary)?;
        let answered = Client::new(site.forwarder)?.wait(asked, true, LOAD)?;
        took.push(answered.duration_since(begun));
        if took.len() == STARTS {
            took.sort_unstable();
            let cpu_seconds = process.cpu_seconds();
            return Ok(Started { process, took, cpu_seconds });
        }
    }
}

impl Started {
    /// How long the start took, beside those who read the same names from a file.
    pub(super) fn row(&self, peers: &[(&str, Option<&Figures>)]) -> Row {
        let middle = self.took[self.took.len() / 2].as_secs_f64();
        let each: Vec<String> = self.took.iter().map(|took| short(took.as_secs_f64())).collect();
        let told = peers.iter().map(|(name, loaded)| match loaded {
            Some(loaded) => {
                let (seconds, cpu) = (loaded.took.as_secs_f64(), loaded.cpu_seconds);
                format!("{name} from a file: {} s, {} s of CPU", short(seconds), short(cpu))
            }
            None => format!("{name}: not measured"),
        });
        let beside = told.collect::<Vec<_>>().join("; ");
        let ours =
            format!("{} s, {} s of CPU (all: {} s)", short(middle), short(self.cpu_seconds), each.join(", "));
        Row::told("cold start of `ringfence guard` until its first sinkholed answer, s", ours, beside).judged(
            middle,
            Bound::AtMost(START_SECONDS),
            None,
        )
    }

    /// What it takes for each of so many indicators, `matcher` bytes of it in the tables that are looked up.
    pub(super) fn memory(
        &self,
        home: &Path,
        binary: &Path,
        count: usize,
        matcher: Option<f64>,
        peers: &[(&str, Option<&Figures>)],
    ) -> Result<Row> {
        let empty = Site::new(home, world()?)?;
        let process = empty.program(binary)?;
        Client::new(empty.forwarder)?.wait("innocent.example.org", false, LOAD)?;
        let (bare, _) = process.resident_megabytes();
        let (now, most) = self.process.resident_megabytes();
        let each = bytes_each(now, bare, count);
        let tables = matcher.map_or_else(String::new, |matcher| {
            format!(
                ", of which {} B are looked up and {} B are the record store",
                short(matcher),
                short(each - matcher)
            )
        });
        let told = peers.iter().map(|(name, loaded)| match loaded {
            Some(loaded) => {
                let ratio = short(loaded.bytes_each / each);
                format!("{name}: {} B, {ratio} times ours", short(loaded.bytes_each))
            }
            None => format!("{name}: not measured"),
        });
        Ok(Row::told(
            "memory of the whole guard for an indicator",
            format!("{} B{tables}; {} MB resident, {} MB at most", short(each), short(now), short(most)),
            told.collect::<Vec<_>>().join("; "),
        ))
    }
}
