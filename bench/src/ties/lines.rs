//! Lines of the table, and what each demands.

use std::fmt::Write as _;

use super::clock::Spread;
use super::decisions::{Decided, Round};
use super::graph::Graph;
use super::hub::Opened;
use super::peers::{Kernel, Outcome, Peer};
use super::registry::Loaded;
use crate::report::{Bound, Report, Row};
use crate::units::{float, short};

/// What everybody found on one graph.
pub(crate) struct Found {
    pub(crate) ours: Outcome,
    pub(crate) peers: Vec<(Peer, Outcome)>,
}

pub(crate) fn add(report: &mut Report, found: &Found) {
    report.add("control", Ok(control(found)));
    report.add("look-through", Ok(look_through(found)));
    report.add("changes", Ok(changes(found)));
    report.add("questions", Ok(found.ours.kernel.as_ref().map(questions).unwrap_or_default()));
}

fn control(Found { ours, peers }: &Found) -> Vec<Row> {
    let mut ours_told = told(ours);
    if let Some(kernel) = &ours.kernel {
        let _ = write!(
            ours_told,
            "; the forest that is kept up to date, without listing, {} ms",
            short(kernel.forest_cpu_ms)
        );
    }
    let mut rows =
        vec![
            Row::told("all control pairs, ms of CPU", &ours_told, "").judged(
                ours.cpu_ms,
                Bound::AtMost(200.0),
                None,
            ),
            Row::told("memory for that, most resident, MB", format!("{} MB", short(ours.peak_mb)), "")
                .judged(ours.peak_mb, Bound::AtMost(500.0), None),
        ];
    let best = peers.iter().min_by(|(_, one), (_, other)| one.cpu_ms.total_cmp(&other.cpu_ms));
    if let Some((_, best)) = best {
        let row = Row::told("all control pairs, beside the best peer", &ours_told, beside(best));
        rows.push(row.judged(best.cpu_ms / ours.cpu_ms, Bound::AtLeast(25.0), None));
    }
    for (peer, outcome) in peers {
        let ratio = outcome.cpu_ms / ours.cpu_ms;
        let row = format!("all control pairs, beside {}", peer.name());
        rows.push(Row::told(&row, format!("{} times less CPU", short(ratio)), beside(outcome)));
    }
    rows
}

fn questions(kernel: &Kernel) -> Vec<Row> {
    let Kernel { blocked, blocked_wall_ms, local, .. } = kernel;
    let closure =
        format!("{} ms on the clock, {} companies", short(*blocked_wall_ms), short(float(*blocked)));
    let proof = format!("{}; at most {} ties", spread(&local.proof), local.proof_ties_most);
    let cut = format!(
        "{}; {} proved least, {} without a remedy; at most {} ties",
        spread(&local.cut),
        local.cut_proved,
        local.cut_none,
        local.cut_ties_most
    );
    vec![
        Row::told("aggregate 50 % rule from 500 seeds", closure, ""),
        Row::told("proof of control, p99 in ms", proof, "").judged(
            local.proof.p99_us / 1e3,
            Bound::AtMost(1.0),
            None,
        ),
        Row::told("least cut, p50 in ms", cut, "").judged(local.cut.p50_us / 1e3, Bound::AtMost(5.0), None),
    ]
}

/// The lines of the registry.
pub(crate) fn registry(loaded: &Loaded) -> Vec<Row> {
    let [half, most, all] = loaded.upstream;
    let as_of = format!(
        "of CPU {}; on the clock {}; ties upstream: p50 {half}, p99 {most}, at most {all}",
        spread(&loaded.as_of_cpu),
        spread(&loaded.as_of)
    );
    let load = format!(
        "{} ms of CPU ({} on the clock) for {} statements in batches of {} MB in all; {} MB at most with both",
        short(loaded.load_cpu_ms),
        short(loaded.load_wall_ms),
        short(float(loaded.statements as u64)),
        short(loaded.encoded_mb),
        short(loaded.peak_mb)
    );
    vec![
        Row::told(
            "who controls one entity, as of a day, as known at an instant, p99 in ms of CPU",
            as_of,
            "",
        )
        .judged(loaded.as_of_cpu.p99_us / 1e3, Bound::AtMost(5.0), None),
        Row::told("encoded statements into the registry, without a store", load, ""),
    ]
}

/// The lines of the exchange over a store.
pub(crate) fn hub(opened: &Opened) -> Vec<Row> {
    let load = format!(
        "{} ms on the clock, {} ms of CPU for {} statements in {} MB on disk; {} MB at most",
        short(opened.open_wall_ms),
        short(opened.open_cpu_ms),
        short(float(opened.statements as u64)),
        short(opened.stored_mb),
        short(opened.peak_mb)
    );
    let change = format!(
        "on the clock {}; of CPU {}; {} of them moved a member",
        spread(&opened.change),
        spread(&opened.change_cpu),
        short(float(opened.moved as u64))
    );
    let flush = format!("one page flushed to the same disk: {}", spread(&opened.flush));
    let seconds = |ms: f64| ms / 1e3;
    vec![
        Row::told("cold load: an exchange opened over its store, s on the clock", &load, "").judged(
            seconds(opened.open_wall_ms),
            Bound::AtMost(3.0),
            None,
        ),
        Row::told("the same, s of CPU", load, "").judged(
            seconds(opened.open_cpu_ms),
            Bound::AtMost(3.0),
            None,
        ),
        Row::told("one statement imported until it is durable and decided, p50 in ms", &change, &flush)
            .judged(opened.change.p50_us / 1e3, Bound::AtMost(5.0), None),
        Row::told("the same, p99 in ms", change, flush).judged(
            opened.change.p99_us / 1e3,
            Bound::AtMost(5.0),
            None,
        ),
    ]
}

/// The lines of very many decisions.
pub(crate) fn decisions(decided: &Decided) -> Vec<Row> {
    let Decided { statements, members, tiers, rule, list, proof_ties, peak_mb, sha256 } = decided;
    let number = |count: &usize| short(float(*count as u64));
    let row = |what: &str, round: &Round| {
        let told = format!(
            "{} ms of CPU ({} on the clock, {} with two threads) for {} members on {tiers} tiers over {} statements; \
             {} decisions are others, {} grades",
            short(round.cpu_ms),
            short(round.wall_ms),
            short(round.two_wall_ms),
            number(members),
            number(statements),
            number(&round.changed),
            number(&round.grades)
        );
        let name = format!("decisions with proof on everybody after a {what} change, s of CPU");
        Row::told(&name, told, "").judged(round.cpu_ms / 1e3, Bound::AtMost(5.0), None)
    };
    let proofs = format!(
        "{} ties in all proofs, {} MB at most; SHA-256 of all decisions {}",
        number(proof_ties),
        short(*peak_mb),
        sha256.get(..16).unwrap_or(sha256)
    );
    vec![row("rule", rule), row("list", list), Row::told("the same: proofs and memory", proofs, "")]
}

fn spread(spread: &Spread) -> String {
    let Spread { count, p50_us, p99_us, most_us } = spread;
    format!(
        "p50 {} µs, p99 {} µs, most {} µs of {}",
        short(*p50_us),
        short(*p99_us),
        short(*most_us),
        short(float(*count))
    )
}

fn look_through(Found { ours, peers }: &Found) -> Vec<Row> {
    let Some(through) = &ours.through else { return Vec::new() };
    let ms = through.look_through_cpu_ms;
    let theirs = peers.iter().find_map(|(_, peer)| Some((peer, peer.through.as_ref()?)));
    let beside = theirs.map(|(peer, theirs)| {
        format!(
            "{}: {} ms of CPU, sum {:.6}",
            peer.version,
            short(theirs.look_through_cpu_ms),
            theirs.look_through_sum
        )
    });
    let mut told = format!("{} ms of CPU, sum {:.6}", short(ms), through.look_through_sum);
    if let Some(kernel) = &ours.kernel {
        let _ = write!(told, "; the order that it follows, once, {} ms", short(kernel.order_cpu_ms));
    }
    let row =
        Row::told("look-through of 500 holders over everything, ms of CPU", told, beside.unwrap_or_default());
    vec![row.judged(ms, Bound::AtMost(150.0), None)]
}

fn changes(Found { ours, peers }: &Found) -> Vec<Row> {
    let Some(edits) = &ours.edits else { return Vec::new() };
    let told = spread(&edits.spread);
    let mut rows = vec![
        Row::told("one changed tie to everybody affected, p50 in µs", &told, "").judged(
            edits.spread.p50_us,
            Bound::AtMost(10.0),
            None,
        ),
        Row::told("the same, p99 in µs", &told, "").judged(edits.spread.p99_us, Bound::AtMost(1_000.0), None),
    ];
    let theirs = peers.iter().find_map(|(_, peer)| Some((peer, peer.edits.as_ref()?)));
    if let Some((peer, theirs)) = theirs {
        let beside = format!("{}: {}", peer.version, spread(&theirs.spread));
        let row = Row::told("the same p50, beside differential-dataflow", told, beside);
        rows.push(row.judged(theirs.spread.p50_us / edits.spread.p50_us, Bound::AtLeast(50.0), None));
    }
    rows
}

/// A graph of another shape: told, and not judged.
pub(crate) fn other(name: &str, graph: &Graph, ours: &Outcome) -> Row {
    let mut text = told(ours);
    if let Some(edits) = &ours.edits {
        let _ = write!(text, "; one change {}", spread(&edits.spread));
    }
    let ties = short(float(graph.ties.len() as u64));
    Row::told(&format!("all control pairs, {name}, {ties} ties"), text, "")
}

fn told(outcome: &Outcome) -> String {
    format!(
        "{} ms of CPU ({} on the clock), {} pairs",
        short(outcome.cpu_ms),
        short(outcome.wall_ms),
        short(float(outcome.pairs))
    )
}

fn beside(outcome: &Outcome) -> String {
    format!("{}: {}, {} MB", outcome.version, told(outcome), short(outcome.peak_mb))
}
