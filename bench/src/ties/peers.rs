//! What the kernel is compared with: programs below `bench/peers/ties/`, each on the same file in a process of its own.
//!
//! A peer that is not installed leaves a line that says so. A peer that answers otherwise than the kernel ends the run:
//! a ratio between different answers says nothing.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::clock::Spread;
use super::local::Local;

/// What a program says of one graph; the peers' programs write the same names.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// The program or library, with its version.
    pub(crate) version: String,
    /// How many control pairs there are.
    pub(crate) pairs: u64,
    /// Their checksum, in hexadecimal.
    pub(crate) checksum: String,
    /// The process's own CPU time for finding them all, without reading the graph.
    pub(crate) cpu_ms: f64,
    pub(crate) wall_ms: f64,
    /// The most memory that was resident until all were found, reading included.
    pub(crate) peak_mb: f64,
    /// What only the kernel tells.
    #[serde(default)]
    pub(crate) kernel: Option<Kernel>,
    #[serde(flatten)]
    pub(crate) through: Option<Through>,
    #[serde(flatten)]
    pub(crate) edits: Option<Edits>,
}

/// What only the kernel tells.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Kernel {
    /// What the forest takes, which is kept up to date; its pairs are not listed.
    pub(crate) forest_cpu_ms: f64,
    /// What the aggregate rule adds to the holders asked about.
    pub(crate) blocked: u64,
    pub(crate) blocked_wall_ms: f64,
    /// The order of the companies, which the look-through follows and which is kept.
    pub(crate) order_cpu_ms: f64,
    pub(crate) local: Local,
}

/// The look-through of all holders asked about.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Through {
    pub(crate) look_through_sum: f64,
    pub(crate) look_through_cpu_ms: f64,
}

/// Single changes, each until everything that it moves is known.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Edits {
    #[serde(rename = "edits")]
    pub(crate) spread: Spread,
    pub(crate) pairs_after: u64,
    pub(crate) checksum_after: String,
}

/// The files that a run is about.
pub(crate) struct Files {
    pub(crate) graph: PathBuf,
    /// Changes, one a line.
    pub(crate) edits: PathBuf,
    /// Holders to look through, one a line.
    pub(crate) asked: PathBuf,
}

/// Which programs there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    DifferentialDataflow,
    Scipy,
    DuckDbLoop,
    DuckDbKeyed,
    Networkx,
}

impl Peer {
    pub(crate) const ALL: [Self; 5] =
        [Self::DifferentialDataflow, Self::Scipy, Self::DuckDbLoop, Self::DuckDbKeyed, Self::Networkx];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::DifferentialDataflow => "differential-dataflow",
            Self::Scipy => "scipy",
            Self::DuckDbLoop => "DuckDB, a loop of statements",
            Self::DuckDbKeyed => "DuckDB, recursive with USING KEY",
            Self::Networkx => "networkx",
        }
    }

    /// Runs the program, as often as is said where it can repeat itself, and gives the median.
    pub(crate) fn ask(self, work: &Path, files: &Files, runs: u32) -> Result<Outcome> {
        let Files { graph, edits, asked } = files;
        let mut command = match self {
            Self::DifferentialDataflow => {
                let mut command = Command::new(installed(work.join("ties-dd/release/ties-dd"))?);
                command.arg(graph).arg(edits);
                return answer(self.name(), &mut command);
            }
            Self::Scipy => script(work, "scipy_ties.py")?,
            Self::DuckDbLoop | Self::DuckDbKeyed => script(work, "duckdb_control.py")?,
            Self::Networkx => script(work, "networkx_control.py")?,
        };
        command.arg(graph).arg(runs.to_string());
        match self {
            Self::Scipy => command.arg(asked),
            Self::DuckDbLoop => command.arg("loop"),
            Self::DuckDbKeyed => command.arg("keyed"),
            Self::Networkx | Self::DifferentialDataflow => &mut command,
        };
        answer(self.name(), &mut command)
    }
}

fn script(work: &Path, name: &str) -> Result<Command> {
    let mut command = Command::new(installed(work.join("ties/bin/python"))?);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/ties").join(name));
    Ok(command)
}

fn installed(path: PathBuf) -> Result<PathBuf> {
    ensure!(path.exists(), "`{}` is not there; run bench/setup.sh", path.display());
    Ok(path)
}

/// Runs a program that prints a line of JSON.
pub(crate) fn answer<T: DeserializeOwned>(name: &str, command: &mut Command) -> Result<T> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .with_context(|| format!("starting {name}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    // Python tells the error at the end, Rust at the beginning, before the way that led there.
    let told = said.lines().find(|line| line.starts_with("Error: ")).or_else(|| said.lines().last());
    ensure!(output.status.success(), "{name} failed: {}", told.unwrap_or_default());
    let line = String::from_utf8(output.stdout)?;
    serde_json::from_str(line.trim()).with_context(|| format!("{name} says `{}`", line.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_what_it_has() {
        let line = r#"{"version":"a 1","pairs":2,"checksum":"0f","cpu_ms":1.5,"wall_ms":2,"peak_mb":3.25"#;
        let bare: Outcome = serde_json::from_str(&format!("{line}}}")).unwrap();
        assert!(bare.through.is_none() && bare.edits.is_none());
        let more = r#","edits":{"count":4,"p50_us":1.0,"p99_us":2.0,"most_us":3.0},"pairs_after":1,"checksum_after":"00"}"#;
        let edited: Outcome = serde_json::from_str(&format!("{line}{more}")).unwrap();
        assert!(edited.through.is_none() && edited.edits.is_some_and(|edits| edits.spread.count == 4));
    }

    #[test]
    fn a_program_that_fails_is_told() {
        let told = answer::<Outcome>("false", &mut Command::new("false")).unwrap_err();
        assert!(told.to_string().contains("false failed"), "{told}");
        assert!(answer::<Outcome>("echo", Command::new("echo").arg("nothing")).is_err());
    }
}
