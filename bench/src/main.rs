//! Measures a hub beside its peers, in one run, and writes the table.
//!
//! Every number is a ratio to something that ran on the same machine minutes apart at most: the same rows in `SQLite` alone,
//! the same bytes from nginx, the same submissions to the TAXII servers that are in use. `README.md` says how to run it
//! and how each number is taken. All traffic stays on this machine, and whatever is started is stopped at the end.

mod console;
mod guard;
mod http;
mod hub;
mod load;
mod measures;
mod names;
mod objects;
mod peers;
mod process;
mod report;
mod sqlite;
mod ties;
mod units;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, Subcommand};

use crate::hub::Hub;
use crate::measures::peers::Durable;
use crate::measures::{Extent, ingest, labels, poll, publish, suspension};
use crate::peers::{Nginx, Peer};
use crate::report::{Bound, End, Report, Row};
use crate::units::short;

/// What is measured in this process allocates as the hub's binary does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures a hub beside its peers, in one run, and writes the table
#[derive(Parser)]
struct Arguments {
    /// A tenth of everything, to see that it works; nothing is judged by such a run
    #[arg(long)]
    quick: bool,

    /// The hub's binary; without it, the one beside this program is built and taken
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,

    /// Where the table is written; without it, bench/RESULTS.md, or standard output if it is quick
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// End with 1 if a number could not be taken, or a demand was missed that RESULTS.md does not tell as missed already
    #[arg(long)]
    strict: bool,

    #[command(subcommand)]
    part: Option<Part>,
}

/// A part that is measured by itself; without one, the hub is
#[derive(Subcommand)]
enum Part {
    /// The arithmetic of ties, beside differential-dataflow, `DuckDB`, scipy and networkx
    Ties(ties::Arguments),
    /// The guard with a million indicators, beside Unbound, BIND, grep, ripgrep and the reference matcher of patterns
    Guard(guard::Arguments),
    /// Every page of the console, with a thousand members and a million objects
    Console(console::Arguments),
    /// Names: how often a proposal is right, and what it costs to find
    Names,
    /// A guard in a process of its own that takes its news from the measures
    #[command(hide = true)]
    GuardRun(guard::RunArguments),
    /// What the kernel says of one graph, in a process of its own, as each peer is
    #[command(hide = true)]
    TiesKernel(ties::kernel::Arguments),
    /// The same for the registry of statements
    #[command(hide = true)]
    TiesRegistry(ties::registry::Arguments),
    /// Writes a hub's store with the statements in it
    #[command(hide = true)]
    TiesHubWrite(ties::hub::WriteArguments),
    /// The same for the exchange that is opened over that store
    #[command(hide = true)]
    TiesHub(ties::hub::Arguments),
    /// The same for decisions on very many members
    #[command(hide = true)]
    TiesDecisions(ties::decisions::Arguments),
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    match &arguments.part {
        Some(Part::Ties(ties)) => return ties::run(ties),
        Some(Part::Guard(guard)) => return guard::run(guard),
        Some(Part::GuardRun(run)) => return guard::run_guard(run),
        Some(Part::Console(console)) => return console::run(console),
        Some(Part::Names) => return names::run(),
        Some(Part::TiesKernel(kernel)) => return ties::kernel::run(kernel),
        Some(Part::TiesRegistry(registry)) => return ties::registry::run(registry),
        Some(Part::TiesHubWrite(write)) => return ties::hub::write(write),
        Some(Part::TiesHub(hub)) => return ties::hub::run(hub),
        Some(Part::TiesDecisions(decisions)) => return ties::decisions::run(decisions),
        None => {}
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let work = here.join("work");
    std::fs::create_dir_all(&work)?;
    let binary = match &arguments.binary {
        Some(binary) => binary.clone(),
        None => built(here)?,
    };
    let extent = Extent::new(arguments.quick, work);
    let command = if arguments.quick {
        "cargo run --release -p bench -- --quick"
    } else {
        "cargo run --release -p bench"
    };
    let setting = format!(
        "{} objects of 1 kB in the main collection, envelopes and pages of 1,000, plain HTTP on loopback, ledger and \
         release on.",
        short(units::float(extent.objects))
    );
    let mut report = Report::new("Results", command.to_owned(), setting);
    let begun = Instant::now();

    report.add("`stix` alone", ingest::measure());
    let (published, collections) = measure_hub(&extent, &binary, &mut report);
    let medallion =
        measures::peers::measure(&extent, Peer::medallion(&extent.work), Durable::No, published, collections);
    report.add("publish, beside medallion", medallion);
    let opentaxii = measures::peers::measure(
        &extent,
        Peer::opentaxii(&extent.work),
        Durable::Yes,
        published,
        collections,
    );
    report.add("publish, beside OpenTAXII", opentaxii);
    report.notes.extend(versions(&extent));

    report.finish(
        here,
        &End {
            out: arguments.out.as_deref(),
            quick: arguments.quick,
            strict: arguments.strict,
            took_seconds: begun.elapsed().as_secs(),
        },
    )
}

/// Everything that needs the hub; gives its rates of publishing and of collection resources, for the peers' lines.
fn measure_hub(extent: &Extent, binary: &Path, report: &mut Report) -> (Option<f64>, Option<f64>) {
    let mut rates = (None, None);
    if let Err(why) = measure_running_hub(extent, binary, report, &mut rates) {
        report.rows.push(Row::missing("everything else that needs the hub", &why));
    }
    rates
}

fn measure_running_hub(
    extent: &Extent,
    binary: &Path,
    report: &mut Report,
    rates: &mut (Option<f64>, Option<f64>),
) -> Result<()> {
    let home = extent.work.join("hub-run");
    let hub = Hub::start(binary, &home)?;
    let (wide, few) = (hub.admit("wide")?, hub.admit("few")?);
    let published = publish::measure(extent, &hub).map(|(rows, rate)| {
        rates.0 = Some(rate);
        rows
    });
    report.add("durable publish", published);
    match Nginx::start(&made(&extent.work.join("nginx-run"))?) {
        Ok(nginx) => {
            report.add("poll, full pages, 8 connections", poll::pages(extent, &hub, &nginx, &wide));
            let collection = poll::collection(extent, &hub, &nginx, &wide).map(|(rows, rate)| {
                rates.1 = Some(rate);
                rows
            });
            report.add("collection resource with Basic", collection);
        }
        Err(why) => report.add("poll and collection resource, beside nginx", Err(why)),
    }
    report.add("page at a deep cursor", poll::depth(&hub, &wide));
    report.add("suspension to effect", suspension::measure(extent, &hub, &few));
    report.add("memory", Ok(vec![memory("memory after all these reads, MB resident", &hub)]));
    let hub = hub.restart()?;
    report.add(
        "memory",
        hub.walk(hub::BULK, &wide.authorization)
            .map(|_| vec![memory("memory after a restart and one walk over everything, MB resident", &hub)]),
    );
    let sparse = publish::fill_sparse(extent, &hub, &wide, &few).and_then(|()| poll::sparse(&hub, &few));
    report.add("page for a member that may read 0.1 %", sparse);
    report.add("page with 10,000 labels in the collection", labels::measure(extent, &hub, &wide));
    report.add("memory", Ok(vec![memory("memory with everything above stored, MB resident", &hub)]));
    drop(hub);
    Ok(std::fs::remove_dir_all(home)?)
}

fn memory(measure: &str, hub: &Hub) -> Row {
    let (now, most) = hub.process.resident_megabytes();
    let told = format!("{} MB (most so far: {} MB)", short(now), short(most));
    Row::told(measure, told, "").judged(now, Bound::AtMost(200.0), None)
}

fn made(dir: &Path) -> Result<PathBuf> {
    if dir.exists() {
        std::fs::remove_dir_all(dir)?;
    }
    std::fs::create_dir_all(dir)?;
    Ok(dir.to_owned())
}

/// Builds the hub with the same profile as this program, and gives the path of it.
fn built(here: &Path) -> Result<PathBuf> {
    let beside = std::env::current_exe()?.with_file_name("ringfence");
    let mut command = Command::new("cargo");
    command.args(["build", "--release", "-p", "ringfence"]).current_dir(here);
    let status = command.status().context("running cargo")?;
    ensure!(status.success(), "the hub does not build");
    Ok(beside)
}

/// The peers' versions, as their environments say.
fn versions(extent: &Extent) -> Vec<String> {
    [("medallion", "medallion", "flask waitress"), ("opentaxii", "opentaxii", "SQLAlchemy flask gunicorn")]
        .into_iter()
        .map(|(environment, package, others)| {
            let python = extent.work.join(environment).join("bin/python");
            let ask = "import sys; from importlib.metadata import version; \
                       print(', '.join(f'{name} {version(name)}' for name in sys.argv[1:]))";
            report::said(Command::new(python).args(["-c", ask, package]).args(others.split(' ')))
        })
        .collect()
}
