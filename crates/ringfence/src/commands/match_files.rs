//! `ringfence match`: the guard's set over files at rest.
//!
//! What lies in a file is told by `observe`, what it hits by the same judge that countermeasures ask; here the two are put
//! together ([`looker`]) and hits are [told](report).

mod looker;
mod report;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use guard::at_rest;
use guard::config::Config;
use guard::judge::Judge;
use model::{Clock, ManualClock, SystemClock, Timestamp};
use observe::{Limits, Reason, Summary, Unit};

use self::looker::Looker;
use self::report::Report;
use crate::output::{self, Exit, Output};

/// The largest bundle that is read.
const BUNDLE_BYTES_MAX: u64 = 1 << 30;

/// Look for indicators in files at rest: logs and other text, mails and mailboxes, captures (PCAP, pcapng), `NetFlow` and IPFIX
/// packets, STIX observed data; packed by gzip, zstd or xz or not. What a file is, its content says.
///
/// A line for each hit: where, what, by which indicator. The exit status is that of grep turned round: 0 if nothing was found,
/// 1 if something was, 2 if nothing was found but not everything could be looked at.
#[derive(Debug, Args)]
pub(crate) struct Match {
    /// A guard's configuration: look for what that guard holds, with its allow lists and modes
    #[arg(long, value_name = "GUARD.toml", required_unless_present = "bundle", conflicts_with = "bundle")]
    config: Option<PathBuf>,
    /// The modes of this customer of the guard, instead of those of its feeds
    #[arg(long, value_name = "NAME", requires = "config")]
    customer: Option<String>,
    /// A STIX bundle with indicators; may be given several times
    #[arg(long, value_name = "FILE")]
    bundle: Vec<PathBuf>,
    /// As of another time: what was valid then is looked for
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// Files and folders; `-` is stdin
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

impl Match {
    pub(crate) fn run(self, output: Output) -> Exit {
        match self.look(output) {
            Ok(exit) => exit,
            Err(error) if output::is_closed_pipe(&error) => Exit::Found,
            Err(error) => {
                eprintln!("ringfence: {}", output::one_line(&error));
                Exit::Unsure
            }
        }
    }

    fn look(&self, output: Output) -> Result<Exit> {
        let mut names = BTreeMap::new();
        let mut report = Report::new(output);
        let judge = self.judge(&mut names, &mut report)?;
        report.set(&judge);
        let mut looker = Looker::new(&judge, names, report);
        for path in &self.files {
            let name = path.display().to_string();
            if path.as_os_str() == "-" {
                let summary = observe::read("-", io::stdin().lock(), &Limits::default(), &mut looker);
                looker.end(&summary)?;
            } else {
                each_file(path, &mut |path| {
                    let name = path.display().to_string();
                    let summary = match File::open(path) {
                        Ok(file) => observe::read(&name, file, &Limits::default(), &mut looker),
                        Err(error) => unread(&name, &error),
                    };
                    looker.end(&summary)
                })
                .or_else(|error| match error.downcast::<io::Error>() {
                    Ok(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(error.into()),
                    Ok(error) => looker.end(&unread(&name, &error)),
                    Err(error) => Err(error),
                })?;
            }
        }
        looker.finish()
    }

    fn judge(&self, names: &mut BTreeMap<String, String>, report: &mut Report) -> Result<Judge> {
        let clock: Arc<dyn Clock> = match self.at {
            Some(at) => Arc::new(ManualClock::at(at)),
            None => Arc::new(SystemClock::default()),
        };
        let mut random = [0; 32];
        getrandom::fill(&mut random)
            .map_err(|error| anyhow::anyhow!("the system gives no randomness: {error}"))?;
        if let Some(path) = &self.config {
            let config = Config::load(path).map_err(|error| {
                anyhow::anyhow!("{}", error.as_slice().first().map(ToString::to_string).unwrap_or_default())
            })?;
            let now = SystemClock::default().now();
            return Ok(at_rest::held(&config, self.customer.as_deref(), clock, now, random)?);
        }
        let mut bundles = Vec::new();
        for path in &self.bundle {
            let name = path.display().to_string();
            let size = fs::metadata(path).with_context(|| format!("`{name}` cannot be read"))?.len();
            if size > BUNDLE_BYTES_MAX {
                bail!("`{name}` is larger than {BUNDLE_BYTES_MAX} bytes");
            }
            bundles.push((name.clone(), fs::read(path).with_context(|| format!("`{name}` cannot be read"))?));
        }
        let limits = stix::Limits {
            object_count_max: 10_000_000,
            object_size_max_bytes: 64 << 20,
            ..stix::Limits::default()
        };
        let mut files = Vec::new();
        for (name, bytes) in &bundles {
            let objects = stix::split(bytes, &limits)
                .map_err(|error| anyhow::anyhow!("`{name}` is no STIX: {error}"))?;
            let objects: Vec<&[u8]> = objects.iter().collect();
            for object in &objects {
                names.extend(named(object));
            }
            files.push((name.clone(), objects));
        }
        Ok(at_rest::of_objects(files, clock, random, |file, why| report.bad_indicator(file, &why)))
    }
}

/// An indicator's id and name.
fn named(object: &[u8]) -> Option<(String, String)> {
    #[derive(serde::Deserialize)]
    struct Named {
        id: String,
        name: String,
    }
    let named: Named = serde_json::from_slice(object).ok()?;
    named.id.starts_with("indicator--").then_some((named.id, named.name))
}

fn unread(name: &str, error: &io::Error) -> Summary {
    let mut summary = Summary::new(name);
    summary.trouble(Reason::Io, Unit::Whole, &error.to_string());
    summary
}

/// A file, or those of a folder and its folders, in the order of their names. Links within are not followed.
fn each_file(path: &Path, take: &mut dyn FnMut(&Path) -> Result<()>) -> Result<()> {
    if !fs::metadata(path)?.is_dir() {
        return take(path);
    }
    let mut entries = fs::read_dir(path)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type()?;
        if kind.is_dir() {
            each_file(&entry.path(), take)?;
        } else if kind.is_file() {
            take(&entry.path())?;
        }
    }
    Ok(())
}
