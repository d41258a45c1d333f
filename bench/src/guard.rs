//! The guard beside what people use for the same today: resolvers with a policy file, `grep`, the reference matcher.
//!
//! What is looked up is measured in this process; what answers is measured as the program that a site runs, in a process of its own,
//! on a store with a million indicators. Resolvers are started twice: as secondaries of the guard, and with the same names in a
//! file.

mod dns;
mod flows;
mod forward;
mod latency;
mod leaving;
mod matcher;
mod names;
mod pattern;
mod resolvers;
mod site;
mod start;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result};

use self::dns::world;
use self::forward::{Cost, Loads};
use self::latency::Reload;
use self::names::Names;
use self::resolvers::{Figures, Kind, Loaded, ZONE, load};
use self::site::Site;
pub(crate) use self::site::{RunArguments, run as run_guard};
use crate::report::{End, Report, Row};
use crate::units::short;

/// A load average above which a machine is not quiet.
const QUIET_LOAD: f64 = 1.0;

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A fiftieth of the names, and the table printed; nothing is judged by such a run
    #[arg(long)]
    quick: bool,

    /// The guard's binary; without it, the one beside this program is built and taken
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,

    /// Where the table is written; without it, bench/RESULTS.md, or standard output if it is quick
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// End with 1 if a number could not be taken, or a demand was missed that RESULTS.md does not tell as missed already
    #[arg(long)]
    strict: bool,
}

/// Measures the guard, and writes its part of the table.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let begun = Instant::now();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let binary = match &arguments.binary {
        Some(binary) => binary.clone(),
        None => crate::built(here)?,
    };
    let names = Names::collect(if arguments.quick { 20_000 } else { 1_000_000 })?;
    let command =
        format!("cargo run --release -p bench -- guard{}", if arguments.quick { " --quick" } else { "" });
    let setting = format!(
        "{} indicators: {}; each with all below it. Everything on loopback.",
        short(crate::units::float(u64::try_from(names.listed.len())?)),
        names.told()
    );
    let mut report = Report::new("Guard", command, setting);
    report.notes.extend(busy(&fs::read_to_string("/proc/loadavg")?));
    let folder = tempfile::tempdir()?;
    measure(folder.path(), &binary, &names.listed, &mut report);
    for kind in [Kind::Unbound, Kind::Bind] {
        report.notes.push(kind.version());
    }
    let took_seconds = begun.elapsed().as_secs();
    let Arguments { quick, strict, .. } = *arguments;
    report.finish(here, &End { out: arguments.out.as_deref(), quick, strict, took_seconds })
}

/// What to know of a run on a machine that has other work, by the load average before it.
fn busy(load: &str) -> Option<String> {
    let load: f64 = load.split_whitespace().next()?.parse().ok()?;
    let told = "**Taken on a busy machine**: what is timed on the clock (changes in effect, gaps, transfers, cold start, \
                reloads) is an upper bound, and CPU times are longer by what others take of the caches";
    (load > QUIET_LOAD).then(|| format!("{told}. The load average was {load} before the run"))
}

fn measure(home: &Path, binary: &Path, names: &[String], report: &mut Report) {
    let (rows, looked_up) = match matcher::measure(names) {
        Ok((rows, bytes)) => (Ok(rows), Some(bytes)),
        Err(why) => (Err(why), None),
    };
    report.add("matcher", rows);
    report.add("patterns", pattern::measure(home, names));
    report.add("flows", flows::measure());
    let resolvers = resolvers(home, binary, names, looked_up, report);
    if let Err(why) = resolvers {
        report.add("everything else that needs a guard", Err(why));
    }
}

/// What the resolvers do with a file, what they do behind a guard, and what the guard does by itself.
fn resolvers(
    home: &Path,
    binary: &Path,
    names: &[String],
    looked_up: Option<f64>,
    report: &mut Report,
) -> Result<()> {
    let world = world()?;
    let site = Site::new(&home.join("site"), world)?;
    let loads = Loads::write(home, names)?;
    let (unbound, reload, unbound_cost) = from_file(Kind::Unbound, home, names, &loads, world, report);
    let (bind, _, bind_cost) = from_file(Kind::Bind, home, names, &loads, world, report);
    report.add("changes in effect", Ok(changes(&site, names, reload.as_ref())));
    report.add("a feed that goes, and files", leaving::measure(home, world, names));
    let started = start::start(&site, binary, names).context("starting the guard")?;
    let peers = [("Unbound", unbound.as_ref()), ("BIND", bind.as_ref())];
    report.add("cold start", Ok(vec![started.row(&peers)]));
    let memory = started.memory(&home.join("empty"), binary, names.len(), looked_up, &peers);
    report.add("memory", memory.map(|row| vec![row]));
    let costs = [
        ("Unbound", unbound_cost),
        ("BIND", bind_cost),
        ("a bare loop of receiving and sending", forward::of_world(&loads, world)),
    ];
    report.add("forwarder", forward::rows(&loads, site.forwarder, &started.process, &costs));
    Ok(())
}

/// A resolver with the names in a file: what it takes, what a query costs it, and for Unbound what one more name means. It is stopped at
/// the end.
fn from_file(
    kind: Kind,
    home: &Path,
    names: &[String],
    loads: &Loads,
    world: std::net::SocketAddr,
    report: &mut Report,
) -> (Option<Figures>, Option<Reload>, Result<Cost>) {
    let home = home.join(kind.name());
    let loaded = match load(kind, &home, names, world) {
        Ok(loaded) => loaded,
        Err(why) => {
            report.notes.push(format!("{} with a file: {why:#}", kind.name()).replace('\n', " "));
            return (None, None, Err(why));
        }
    };
    let cost = forward::of_resolver(loads, &loaded.resolver);
    let reload = match kind {
        Kind::Unbound => Some(Reload::measure(&loaded, ZONE, &home.join("large.zone"), names)),
        Kind::Bind => None,
    };
    let reload = match reload {
        Some(Ok(reload)) => Some(reload),
        Some(Err(why)) => {
            report.notes.push(format!("Unbound's reload: {why:#}").replace('\n', " "));
            None
        }
        None => None,
    };
    let Loaded { resolver, figures } = loaded;
    drop(resolver);
    (Some(figures), reload, cost)
}

/// Everything that takes news: a guard, and the resolvers behind it.
fn changes(site: &Site, names: &[String], reload: Option<&Reload>) -> Vec<Row> {
    let mut rows = Vec::new();
    if let Err(why) = add_changes(site, names, reload, &mut rows) {
        rows.push(Row::missing("further changes in effect", &why));
    }
    rows
}

fn add_changes(site: &Site, names: &[String], reload: Option<&Reload>, rows: &mut Vec<Row>) -> Result<()> {
    let mut guard = site.driven()?;
    let file = site.home.join("names");
    fs::write(&file, names.join("\n"))?;
    rows.push(latency::take_all(site, &mut guard, &file, names.len())?);
    let (unbound, row) = latency::secondary(Kind::Unbound, site, names)?;
    rows.push(row);
    rows.extend(latency::measure(site, &mut guard, reload)?);
    drop(unbound);
    let bind = latency::secondary(Kind::Bind, site, names).and_then(|(bind, row)| {
        rows.push(row);
        let row = latency::bind(site, &mut guard)?;
        drop(bind);
        Ok(row)
    });
    rows.push(bind.unwrap_or_else(|why| Row::missing("BIND behind the guard", &why)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_machine_is_told() {
        for (load, want) in [("0.31 0.2 0.1 1/99 7", false), ("13.7 2 1 9/99 7", true), ("", false)] {
            assert_eq!(busy(load).is_some(), want, "{load}");
        }
    }
}
