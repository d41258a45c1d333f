//! The kernel's answers about one graph, in a process of its own, told as each peer tells its own.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Result, ensure};
use ties::kernel::{Builder, Certainty, Forest, Holdings, Line, Order, Side};
use ties::{Fraction, Share};

use super::clock::{Clock, Each, Times, peak_megabytes};
use super::graph::{self, Graph, Pairs, Tie};
use super::local;
use super::peers::{Edits, Files, Kernel, Outcome, Through, answer};
use super::shared::Figures;

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
    let runs = arguments.runs.max(1);
    let mut found = control(holdings, runs)?;
    let asked = graph::read_nodes(&arguments.asked)?;
    let (blocked, blocking) = blocked(found.forest.holdings(), &asked, runs)?;
    let (ordering, through) = look_through(found.forest.holdings(), &asked, runs)?;
    let local = local::measure(&found.forest)?;
    let edits = changed(&mut found.forest, &graph::read_edits(&arguments.edits)?)?;
    let outcome = Outcome {
        version: format!("ties {}", env!("CARGO_PKG_VERSION")),
        pairs: found.pairs.count,
        checksum: format!("{:016x}", found.pairs.checksum),
        cpu_ms: found.all.cpu_ms,
        wall_ms: found.all.wall_ms,
        peak_mb: found.peak_mb,
        kernel: Some(Kernel {
            forest_cpu_ms: found.forest_alone.cpu_ms,
            blocked,
            blocked_wall_ms: blocking.wall_ms,
            order_cpu_ms: ordering.cpu_ms,
            local,
        }),
        through: Some(through),
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

pub(crate) fn share(points: u32) -> Result<Share> {
    if points == 0 {
        return Ok(Share::NOTHING);
    }
    Ok(Share::exact(Fraction::basis_points(points))?)
}

struct Control {
    forest: Forest,
    pairs: Pairs,
    forest_alone: Times,
    all: Times,
    /// The most memory until the pairs were listed, and before there was a forest.
    peak_mb: f64,
}

/// Every pair enumerated, as the peers enumerate theirs; and the forest, of which the same pairs must follow. The
/// holdings are handed from one forest to the next.
fn control(holdings: Holdings, runs: u32) -> Result<Control> {
    let (mut alone, mut all) = (Clock::default(), Clock::default());
    let mut listed = Pairs::default();
    for _ in 0..runs {
        listed = all.time(|| {
            let mut pairs = Pairs::default();
            holdings.control_pairs(|controller, company| pairs.take(controller, company));
            pairs
        })?;
    }
    let peak_mb = peak_megabytes()?;
    let mut forest = alone.time(|| Forest::new(holdings))?;
    for _ in 1..runs {
        let holdings = forest.into_holdings();
        forest = alone.time(|| Forest::new(holdings))?;
    }
    let kept = pairs(&forest);
    ensure!(kept == listed, "the forest has other pairs than are listed: {kept:?} against {listed:?}");
    Ok(Control { forest, pairs: listed, forest_alone: alone.times(), all: all.times(), peak_mb })
}

fn pairs(forest: &Forest) -> Pairs {
    let mut pairs = Pairs::default();
    forest.pairs().for_each(|(controller, company)| pairs.take(controller, company));
    pairs
}

/// The aggregate rule: how many companies it adds. It touches so little that CPU time is too coarse a measure.
fn blocked(holdings: &Holdings, seeds: &[u32], runs: u32) -> Result<(u64, Times)> {
    let (mut clock, mut count) = (Clock::default(), 0);
    for _ in 0..runs {
        let closure = clock.time(|| holdings.closure(seeds, Line::HALF_OR_MORE, Certainty::Certain))?;
        count = closure.joined().len() as u64;
    }
    Ok((count, clock.times()))
}

/// The look-through of all seeds at once, and the order that it follows.
fn look_through(holdings: &Holdings, seeds: &[u32], runs: u32) -> Result<(Times, Through)> {
    let (mut ordering, mut clock) = (Clock::default(), Clock::default());
    let order = ordering.time(|| Order::new(holdings))?;
    let mut sum = 0.0;
    for _ in 0..runs {
        let parts = clock.time(|| holdings.look_through(&order, seeds, Side::Least))?;
        sum = parts.iter().sum();
    }
    let through = Through { look_through_sum: sum, look_through_cpu_ms: clock.times().cpu_ms };
    Ok((ordering.times(), through))
}

/// Makes the changes, each timed until it is known who moved.
fn changed(forest: &mut Forest, edits: &[Tie]) -> Result<Edits> {
    let mut each = Each::default();
    for edit in edits {
        let share = share(edit.points)?;
        each.time(|| forest.set(edit.holder, edit.company, share))?;
    }
    let after = pairs(forest);
    Ok(Edits {
        spread: each.spread(),
        pairs_after: after.count,
        checksum_after: format!("{:016x}", after.checksum),
    })
}

/// Asks the kernel in another process, so that its memory is its own.
pub(crate) fn ask(files: &Files, runs: u32) -> Result<Outcome> {
    let Files { graph, edits, asked } = files;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("ties-kernel").args([graph, edits, asked]).arg(runs.to_string());
    answer("the kernel", &mut command)
}

/// What the kernel finds of a graph that comes with figures.
pub(crate) fn figures(graph: &Graph) -> Result<Figures> {
    let mut builder = Builder::new(graph.nodes);
    for tie in &graph.ties {
        tell(&mut builder, *tie)?;
    }
    let seeds = graph::seeds(graph.nodes);
    let found = control(builder.build(), 1)?;
    let holdings = found.forest.holdings();
    let (blocked, _) = blocked(holdings, &seeds, 1)?;
    let (_, through) = look_through(holdings, &seeds, 1)?;
    Ok(Figures { pairs: found.pairs, blocked, sum: through.look_through_sum })
}
