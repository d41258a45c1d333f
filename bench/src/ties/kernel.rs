//! The kernel's answers about one graph, in a process of its own, told as each peer tells its own.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sys::resource::{UsageWho, getrusage};
use ties::kernel::{Builder, Certainty, Forest, Holdings, Line};
use ties::{Fraction, Share};

use super::graph::{self, Graph, Pairs, Tie};
use super::peers::{Blocked, Edits, Files, Outcome, outcome};
use super::reference::{self, Adjacent};
use super::shared::Figures;
use crate::units::{float, median};

/// What to ask the kernel.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Lines of `holder,company,basis points`
    graph: PathBuf,
    /// The same, one change a line; 0 ends a tie
    edits: PathBuf,
    /// Holders to look through, one a line
    asked: PathBuf,
    /// How often the whole is computed; medians count
    runs: u32,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let holdings = read(&arguments.graph)?;
    let (mut forest, all, pairs) = control(holdings, arguments.runs)?;
    let peak_mb = peak_megabytes()?;
    let asked = graph::read_nodes(&arguments.asked)?;
    let blocked = blocked(forest.holdings(), &asked, arguments.runs)?;
    let edits = changed(&mut forest, &graph::read_edits(&arguments.edits)?)?;
    let outcome = Outcome {
        version: format!("ties {}", env!("CARGO_PKG_VERSION")),
        pairs: pairs.count,
        checksum: format!("{:016x}", pairs.checksum),
        cpu_ms: all.cpu_ms,
        wall_ms: all.wall_ms,
        peak_mb,
        blocked: Some(blocked),
        through: None,
        edits: Some(edits),
    };
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(ExitCode::SUCCESS)
}

/// Reads a file twice, so that no more of it is in memory than the holdings: how many nodes there are, then the ties.
fn read(path: &Path) -> Result<Holdings> {
    let open = || anyhow::Ok(BufReader::new(File::open(path)?));
    let (mut nodes, mut ties) = (0, 0);
    graph::for_each_tie(open()?, |tie| {
        nodes = nodes.max(tie.holder.max(tie.company) + 1);
        ties += 1;
    })?;
    let mut builder = Builder::new(nodes);
    builder.reserve(ties);
    let mut refused = None;
    graph::for_each_tie(open()?, |tie| refused = refused.take().or(tell(&mut builder, tie).err()))?;
    refused.map_or(Ok(()), Err)?;
    Ok(builder.build())
}

fn tell(builder: &mut Builder, tie: Tie) -> Result<()> {
    Ok(builder.tie(tie.holder, tie.company, share(tie.points)?)?)
}

fn share(points: u32) -> Result<Share> {
    if points == 0 {
        return Ok(Share::NOTHING);
    }
    Ok(Share::exact(Fraction::basis_points(points))?)
}

/// The forest, and every pair of it enumerated, as the peers enumerate theirs. The holdings are handed from one run to the
/// next.
fn control(holdings: Holdings, runs: u32) -> Result<(Forest, Times, Pairs)> {
    let mut clock = Clock::default();
    let mut holdings = Some(holdings);
    let mut found = None;
    for _ in 0..runs.max(1) {
        holdings = holdings.or_else(|| found.take().map(|(forest, _)| Forest::into_holdings(forest)));
        let given = holdings.take().context("the holdings are lost")?;
        found = Some(clock.time(|| {
            let forest = Forest::new(given);
            let mut pairs = Pairs::default();
            forest.pairs().for_each(|(controller, company)| pairs.take(controller, company));
            (forest, pairs)
        })?);
    }
    let (forest, pairs) = found.context("nothing ran")?;
    Ok((forest, clock.times(), pairs))
}

/// The aggregate rule. It touches so little that the CPU time is too coarse a measure.
fn blocked(holdings: &Holdings, seeds: &[u32], runs: u32) -> Result<Blocked> {
    let (mut clock, mut count) = (Clock::default(), 0);
    for _ in 0..runs.max(1) {
        let closure = clock.time(|| holdings.closure(seeds, Line::HALF_OR_MORE, Certainty::Certain))?;
        count = closure.joined().len() as u64;
    }
    Ok(Blocked { count, blocked_wall_ms: clock.times().wall_ms })
}

/// Makes the changes, each timed until it is known who moved.
fn changed(forest: &mut Forest, edits: &[Tie]) -> Result<Edits> {
    let mut took = Vec::with_capacity(edits.len());
    for edit in edits {
        let share = share(edit.points)?;
        let begun = Instant::now();
        let moved = forest.set(edit.holder, edit.company, share)?;
        took.push(begun.elapsed());
        drop(moved);
    }
    took.sort_unstable();
    let mut after = Pairs::default();
    forest.pairs().for_each(|(controller, company)| after.take(controller, company));
    Ok(Edits {
        count: took.len() as u64,
        p50_us: part(&took, 50).as_secs_f64() * 1e6,
        p99_us: part(&took, 99).as_secs_f64() * 1e6,
        pairs_after: after.count,
        checksum_after: format!("{:016x}", after.checksum),
    })
}

/// The time that so many in a hundred do not exceed.
fn part(sorted: &[Duration], percent: usize) -> Duration {
    sorted.get(sorted.len() * percent / 100).copied().unwrap_or_default()
}

/// Asks the kernel in another process, so that its memory is its own.
pub(crate) fn ask(files: &Files, runs: u32) -> Result<Outcome> {
    let Files { graph, edits, asked } = files;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("ties-kernel").args([graph, edits, asked]).arg(runs.to_string());
    outcome("the kernel", &mut command)
}

/// What the kernel finds of a graph that comes with figures.
pub(crate) fn figures(graph: &Graph) -> Result<Figures> {
    let mut builder = Builder::new(graph.nodes);
    for tie in &graph.ties {
        tell(&mut builder, *tie)?;
    }
    let seeds = graph::seeds(graph.nodes);
    let (forest, _, pairs) = control(builder.build(), 1)?;
    let blocked = blocked(forest.holdings(), &seeds, 1)?.count;
    Ok(Figures { pairs, blocked, sum: reference::look_through(&Adjacent::up(graph), &seeds) })
}

/// Medians, in milliseconds.
struct Times {
    cpu_ms: f64,
    wall_ms: f64,
}

/// Times the same work several times.
#[derive(Default)]
struct Clock {
    spent: Vec<Duration>,
    took: Vec<Duration>,
}

impl Clock {
    fn time<T>(&mut self, work: impl FnOnce() -> T) -> Result<T> {
        let (before, begun) = (cpu()?, Instant::now());
        let found = work();
        self.took.push(begun.elapsed());
        self.spent.push(cpu()?.saturating_sub(before));
        Ok(found)
    }

    fn times(mut self) -> Times {
        let middle = |times: &mut Vec<Duration>| median(times).unwrap_or_default().as_secs_f64() * 1e3;
        Times { cpu_ms: middle(&mut self.spent), wall_ms: middle(&mut self.took) }
    }
}

/// The CPU time of all threads of this process.
fn cpu() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let micros =
        [usage.user_time(), usage.system_time()].map(|time| time.tv_sec() * 1_000_000 + time.tv_usec());
    Ok(Duration::from_micros(micros.iter().sum::<i64>().unsigned_abs()))
}

/// The most memory that was resident so far. `ru_maxrss` would tell that of the process which started this one, too.
fn peak_megabytes() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("the kernel tells no peak")?;
    Ok(float(peak.trim().trim_end_matches(" kB").parse()?) * 1_024.0 / 1e6)
}
