//! The arithmetic of ties, beside what others would compute it with.
//!
//! One graph in the shape of a national register is made, written to a file, and given to the kernel and to every peer, each
//! in a process of its own. All must find the same control pairs, also after the same changes; an answer that differs ends
//! the run. `README.md` says how each number is taken.

mod clock;
pub(crate) mod decisions;
mod edits;
mod generator;
mod graph;
pub(crate) mod hub;
pub(crate) mod kernel;
mod lines;
mod local;
pub(crate) mod peers;
mod random;
mod reference;
pub(crate) mod registry;
mod shape;
mod shared;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, ensure};

use self::generator::Preset;
use self::graph::{Graph, Pairs, Tie};
use self::lines::Found;
use self::peers::{Files, Outcome, Peer};
use self::reference::Adjacent;
use self::shape::Shape;
use self::shared::Figures;
use crate::report::{End, Report, Row};
use crate::units::{float, short};

/// Changes of single ties, and how many of them are not taken back.
const EDITS: (u32, u32) = (40_000, 5_000);
/// How often the whole is computed; the median counts.
const RUNS: u32 = 3;
/// How many members are decided on.
const MEMBERS: usize = 40_000;
/// Ties of the graphs beside the national one: with a mutual core, and of deep pyramids.
const OTHER_TIES: u32 = 1_000_000;

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A hundred thousand ties instead of four million, and the table printed; nothing is judged by such a run
    #[arg(long)]
    quick: bool,

    /// The seed of the graphs
    #[arg(long, default_value_t = 7)]
    seed: u64,

    /// How many ties; without it, four million or what `--quick` says
    #[arg(long)]
    ties: Option<u32>,

    /// Make this graph, print its shape, and end
    #[arg(long, value_name = "PRESET")]
    shape: Option<Preset>,

    /// Where the table is written; without it, bench/RESULTS.md, or standard output if it is quick
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// End with 1 if a number could not be taken, or a demand was missed that RESULTS.md does not tell as missed already
    #[arg(long)]
    strict: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let ties = arguments.ties.unwrap_or(if arguments.quick { 100_000 } else { 4_000_000 });
    if let Some(preset) = arguments.shape {
        println!("{}", Shape::of(&generator::generate(preset, ties, arguments.seed)?));
        return Ok(ExitCode::SUCCESS);
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let home = here.join("work/ties-run");
    fs::create_dir_all(&home)?;
    let begun = Instant::now();
    let graph = generator::generate(Preset::National, ties, arguments.seed)?;
    let shape = Shape::of(&graph);
    println!("{shape}\n");
    let mut report = Report::new("Results: ties", command(arguments), setting(&shape, arguments.seed));
    report.add("shared graphs", shared_graphs());
    let found = ask_everybody(here, &home, &graph, &mut report)?;
    lines::add(&mut report, &found);
    drop(graph);
    report.add("as of", registry::ask(&home.join("graph.csv")).map(|loaded| lines::registry(&loaded)));
    let opened = hub::ask(&home.join("graph.csv"), &home.join("hub"));
    report.add("cold load and durable change", opened.map(|opened| lines::hub(&opened)));
    let decided_ties = if arguments.quick { ties } else { OTHER_TIES.min(ties) };
    let members = decisions::members(decided_ties, MEMBERS);
    let decided = decisions::ask(decided_ties, arguments.seed, members);
    report.add("decisions", decided.map(|decided| lines::decisions(&decided)));
    let other_ties = if arguments.quick { ties } else { OTHER_TIES };
    for (preset, name) in [(Preset::Core, "a mutual core"), (Preset::Deep, "pyramids of 400 levels")] {
        let graph = generator::generate(preset, other_ties, arguments.seed)?;
        let row = ask_kernel(&home, &graph).map(|ours| vec![lines::other(name, &graph, &ours)]);
        report.add(name, row);
    }
    fs::remove_dir_all(home)?;

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

fn command(arguments: &Arguments) -> String {
    let mut text = "cargo run --release -p bench -- ties".to_owned();
    if arguments.quick {
        text.push_str(" --quick");
    }
    if let Some(ties) = arguments.ties {
        let _ = write!(text, " --ties {ties}");
    }
    text
}

fn setting(shape: &Shape, seed: u64) -> String {
    format!(
        "A graph in the shape of a national register, seed {seed}: {} ties, {} nodes.",
        short(float(shape.ties)),
        short(float(shape.nodes))
    )
}

/// The kernel on the graphs that come with figures: whatever differs is an error.
fn shared_graphs() -> Result<Vec<Row>> {
    let Some(folder) = shared::folder() else {
        let told = "not here: they are not part of the sources";
        return Ok(vec![Row::told("figures of the shared graphs", told, "")]);
    };
    let graphs = shared::all(&folder)?;
    for (name, graph, expected, shape) in &graphs {
        ensure!(shared::told(&Shape::of(graph)) == *shape, "{name} has another shape than it says");
        let found = kernel::figures(graph)?;
        ensure!(found.agree(expected), "{name}: {found:?} against {expected:?}");
    }
    let told = format!("pairs, checksum, blocked and sum equal in all {}", graphs.len());
    Ok(vec![Row::told("figures of the shared graphs", told, "")])
}

/// The kernel, every peer and the plain way on the same files.
fn ask_everybody(here: &Path, home: &Path, graph: &Graph, report: &mut Report) -> Result<Found> {
    let files = written(home, graph, EDITS)?;
    let changes = graph::read_edits(&files.edits)?;
    let plain = Plain::of(graph, &changes);
    let ours = kernel::ask(&files, RUNS)?;
    let mut peers = Vec::new();
    for peer in Peer::ALL {
        match peer.ask(&here.join("work"), &files, RUNS) {
            Ok(outcome) => peers.push((peer, outcome)),
            Err(why) => report.add(peer.name(), Err(why)),
        }
    }
    for (name, outcome) in
        peers.iter().map(|(peer, outcome)| (peer.name(), outcome)).chain([("the kernel", &ours)])
    {
        plain.agrees(name, outcome)?;
    }
    report.notes.extend(peers.iter().map(|(_, outcome)| outcome.version.clone()));
    Ok(Found { ours, peers })
}

/// What the plain way finds.
struct Plain {
    figures: Figures,
    pairs_after: Pairs,
}

impl Plain {
    fn of(graph: &Graph, changes: &[Tie]) -> Self {
        let left = edits::apply(graph, changes);
        let pairs_after = reference::control(&Adjacent::down(&left), |_, _| {});
        Self { figures: Figures::of(graph), pairs_after }
    }

    /// # Errors
    ///
    /// Fails if the program found anything else.
    fn agrees(&self, name: &str, outcome: &Outcome) -> Result<()> {
        let told = |pairs: Pairs| (pairs.count, format!("{:016x}", pairs.checksum));
        let (found, want) = ((outcome.pairs, outcome.checksum.clone()), told(self.figures.pairs));
        ensure!(found == want, "{name} finds other pairs: {found:?} against {want:?}");
        if let Some(edits) = &outcome.edits {
            let (found, want) = ((edits.pairs_after, edits.checksum_after.clone()), told(self.pairs_after));
            ensure!(found == want, "{name} finds other pairs after the changes: {found:?} against {want:?}");
        }
        if let Some(kernel) = &outcome.kernel {
            let (found, want) = (kernel.blocked, self.figures.blocked);
            ensure!(found == want, "{name} finds {found} companies blocked instead of {want}");
        }
        if let Some(through) = &outcome.through {
            let (found, want) = (through.look_through_sum, self.figures.sum);
            ensure!((found - want).abs() < 1e-6, "{name} finds the sum {found} instead of {want}");
        }
        Ok(())
    }
}

/// The kernel alone, on a graph of another shape; the plain way must agree.
fn ask_kernel(home: &Path, graph: &Graph) -> Result<Outcome> {
    let files = written(home, graph, (EDITS.0 / 10, EDITS.1 / 10))?;
    let changes = graph::read_edits(&files.edits)?;
    let ours = kernel::ask(&files, RUNS)?;
    Plain::of(graph, &changes).agrees("the kernel", &ours)?;
    Ok(ours)
}

fn written(home: &Path, graph: &Graph, (changes, for_good): (u32, u32)) -> Result<Files> {
    let files =
        Files { graph: home.join("graph.csv"), edits: home.join("edits.csv"), asked: home.join("asked") };
    graph.write(&files.graph)?;
    graph::write(&edits::draw(graph, changes, for_good, 11), &files.edits)?;
    let asked: Vec<String> = graph::seeds(graph.nodes).iter().map(u32::to_string).collect();
    fs::write(&files.asked, asked.join("\n"))?;
    Ok(files)
}
