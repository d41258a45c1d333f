//! All control pairs of a graph of ties on differential-dataflow, and what single changes cost there.
//!
//! ```text
//! ties-dd GRAPH EDITS
//! ```
//!
//! Both files have lines of `holder,company,basis points`. An edit gives a tie's new share, 0 to end it; edits are made one
//! by one, and each is timed until every pair that it moves is known. A worker, the default arrangements, compiled with
//! thin link-time optimisation. What comes out is one line of JSON; `bench/src/ties/peers.rs` reads it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::rc::Rc;
use std::time::{Duration, Instant};

use differential_dataflow::VecCollection;
use differential_dataflow::input::{Input as _, InputSession};
use differential_dataflow::lattice::Lattice;
use differential_dataflow::operators::Iterate as _;
use nix::sys::resource::{UsageWho, getrusage};
use timely::dataflow::ProbeHandle;
use timely::progress::Timestamp;
use timely::worker::Worker;

type Node = u32;
/// A holder, the company it holds, and its share in basis points.
type Tie = (Node, (Node, u32));
type Pair = (Node, Node);

/// More than this is a majority.
const HALF: isize = 5_000;

/// The pairs that hold now: how many, and their checksum.
#[derive(Clone, Default)]
struct Answer {
    pairs: Rc<Cell<isize>>,
    checksum: Rc<Cell<u64>>,
}

impl Answer {
    fn take(&self, (holder, company): Pair, times: isize) {
        self.pairs.set(self.pairs.get() + times);
        if times % 2 != 0 {
            self.checksum.set(self.checksum.get() ^ mix(u64::from(holder) << 32 | u64::from(company)));
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, graph, edits] = arguments.as_slice() else { return Err("usage: ties-dd GRAPH EDITS".into()) };
    let (graph, edits) = (read(graph)?, read(edits)?);
    timely::execute_directly(move |worker| run(worker, graph, &edits));
    Ok(())
}

fn run(worker: &mut Worker, graph: Vec<(Node, Node, u32)>, edits: &[(Node, Node, u32)]) {
    let mut probe = ProbeHandle::new();
    let answer = Answer::default();
    let (mut ties, mut holders) = worker.dataflow::<u32, _, _>(|scope| {
        let (ties_in, ties) = scope.new_collection::<Tie, isize>();
        let (holders_in, holders) = scope.new_collection::<Node, isize>();
        let sink = answer.clone();
        controlled(ties, holders)
            .inspect(move |(pair, _, times)| sink.take(*pair, *times))
            .probe_with(&mut probe);
        (ties_in, holders_in)
    });
    let mut shares = BTreeMap::new();
    for &(holder, company, points) in graph.iter() {
        ties.insert((holder, (company, points)));
        shares.insert((holder, company), points);
    }
    let mut last = None;
    for &(holder, ..) in graph.iter().filter(|tie| last.replace(tie.0) != Some(tie.0)) {
        holders.insert(holder);
    }
    drop(graph);
    holders.close();
    let (cpu, begun) = (cpu(), Instant::now());
    settle(worker, &mut ties, &probe, 1);
    let (cpu, wall) = (self::cpu() - cpu, begun.elapsed());
    let peak = peak_megabytes();
    let (pairs, checksum) = (answer.pairs.get(), answer.checksum.get());

    let mut took = Vec::with_capacity(edits.len());
    for (round, &(holder, company, points)) in (2..).zip(edits) {
        let before = if points == 0 {
            shares.remove(&(holder, company))
        } else {
            shares.insert((holder, company), points)
        };
        let begun = Instant::now();
        if let Some(before) = before {
            ties.remove((holder, (company, before)));
        }
        if points > 0 {
            ties.insert((holder, (company, points)));
        }
        settle(worker, &mut ties, &probe, round);
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    println!(
        "{{\"version\":\"differential-dataflow 0.26, one worker\",\"pairs\":{pairs},\"checksum\":\"{checksum:016x}\",\
         \"cpu_ms\":{:.3},\"wall_ms\":{:.3},\"peak_mb\":{peak:.1},\"edits\":{{\"count\":{},\"p50_us\":{:.3},\"p99_us\":{:.3},\"most_us\":{:.3}}},\
         \"pairs_after\":{},\"checksum_after\":\"{:016x}\"}}",
        cpu.as_secs_f64() * 1e3,
        wall.as_secs_f64() * 1e3,
        took.len(),
        micros(&took, 50),
        micros(&took, 99),
        micros(&took, 100),
        answer.pairs.get(),
        answer.checksum.get(),
    );
}

/// Everybody begins with itself; the votes of what it has are added up for each company they are held in; more than half
/// joins, and so on until nothing does.
fn controlled<'scope, T: Timestamp + Lattice + Ord>(
    ties: VecCollection<'scope, T, Tie, isize>,
    holders: VecCollection<'scope, T, Node, isize>,
) -> VecCollection<'scope, T, Pair, isize> {
    let ties = ties.arrange_by_key();
    let roots = holders.map(|holder| (holder, holder));
    let all = roots.clone().iterate(|scope, pairs| {
        pairs
            .map(|(root, held)| (held, root))
            .join_core(ties.enter(scope), |_, root, (company, points)| {
                (root != company).then_some(((*root, *company), *points))
            })
            .explode(|(pair, points)| Some((pair, points as isize)))
            .threshold(|_, votes| isize::from(*votes > HALF))
            .concat(roots.enter(scope))
    });
    all.filter(|(root, held)| root != held)
}

fn settle(worker: &mut Worker, ties: &mut InputSession<u32, Tie, isize>, probe: &ProbeHandle<u32>, round: u32) {
    ties.advance_to(round);
    ties.flush();
    worker.step_while(|| probe.less_than(ties.time()));
}

fn read(path: &str) -> Result<Vec<(Node, Node, u32)>, Box<dyn Error>> {
    let text = fs::read_to_string(path)?;
    let mut rows = Vec::new();
    for line in text.lines() {
        let mut fields = line.split(',').map(str::parse);
        let (Some(holder), Some(company), Some(points)) = (fields.next(), fields.next(), fields.next()) else {
            return Err(format!("not a tie: `{line}`").into());
        };
        rows.push((holder?, company?, points?));
    }
    Ok(rows)
}

fn mix(key: u64) -> u64 {
    let key = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (key ^ (key >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

fn cpu() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("a process may ask for its own usage");
    let micros = [usage.user_time(), usage.system_time()].map(|time| time.tv_sec() * 1_000_000 + time.tv_usec());
    Duration::from_micros(micros.iter().sum::<i64>().unsigned_abs())
}

/// The most memory that was resident so far. `ru_maxrss` would tell that of the process which started this one, too.
fn peak_megabytes() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = peak.and_then(|text| text.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kilobytes.unwrap_or(f64::NAN) * 1_024.0 / 1e6
}

fn micros(sorted: &[Duration], percent: usize) -> f64 {
    let place = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(place).map_or(f64::NAN, |took| took.as_secs_f64() * 1e6)
}
