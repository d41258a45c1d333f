//! Lines of the table, and what each demands.

use std::fmt::Write as _;

use super::graph::Graph;
use super::peers::{Outcome, Peer};
use crate::report::{Bound, Report, Row};
use crate::units::{float, short};

/// What everybody found on one graph.
pub(crate) struct Found {
    pub(crate) ours: Outcome,
    pub(crate) peers: Vec<(Peer, Outcome)>,
}

pub(crate) fn add(report: &mut Report, found: &Found) {
    report.add("control", Ok(control(found)));
    report.add("aggregate rule", Ok(blocked(&found.ours)));
    report.add("look-through", Ok(look_through(found)));
    report.add("changes", Ok(changes(found)));
}

fn control(Found { ours, peers }: &Found) -> Vec<Row> {
    let ours_told = told(ours);
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

fn blocked(ours: &Outcome) -> Vec<Row> {
    let told = ours.blocked.as_ref().map(|blocked| {
        let (count, ms) = (short(float(blocked.count)), short(blocked.blocked_wall_ms));
        Row::told(
            "aggregate 50 % rule from 500 seeds",
            format!("{ms} ms on the clock, {count} companies"),
            "",
        )
    });
    told.into_iter().collect()
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
    let told = format!("{} ms of CPU, sum {:.6}", short(ms), through.look_through_sum);
    let row =
        Row::told("look-through of 500 holders over everything, ms of CPU", told, beside.unwrap_or_default());
    vec![row.judged(ms, Bound::AtMost(150.0), None)]
}

fn changes(Found { ours, peers }: &Found) -> Vec<Row> {
    let Some(edits) = &ours.edits else { return Vec::new() };
    let each = |outcome: &Outcome| {
        outcome.edits.as_ref().map(|edits| {
            format!(
                "p50 {} µs, p99 {} µs of {} changes",
                short(edits.p50_us),
                short(edits.p99_us),
                short(float(edits.count))
            )
        })
    };
    let told = each(ours).unwrap_or_default();
    let mut rows = vec![
        Row::told("one changed tie to everybody affected, p50 in µs", &told, "").judged(
            edits.p50_us,
            Bound::AtMost(10.0),
            None,
        ),
        Row::told("the same, p99 in µs", &told, "").judged(edits.p99_us, Bound::AtMost(1_000.0), None),
    ];
    let theirs = peers.iter().find_map(|(_, peer)| Some((peer, peer.edits.as_ref()?)));
    if let Some((peer, theirs)) = theirs {
        let beside = format!("{}: {}", peer.version, each(peer).unwrap_or_default());
        let row = Row::told("the same p50, beside differential-dataflow", told, beside);
        rows.push(row.judged(theirs.p50_us / edits.p50_us, Bound::AtLeast(50.0), None));
    }
    rows
}

/// A graph of another shape: told, and not judged.
pub(crate) fn other(name: &str, graph: &Graph, ours: &Outcome) -> Row {
    let mut text = told(ours);
    if let Some(edits) = &ours.edits {
        let _ = write!(text, "; one change p50 {} µs, p99 {} µs", short(edits.p50_us), short(edits.p99_us));
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
