//! What a query costs: CPU time of the server, divided by the queries that `dnsperf` saw answered.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};

use super::resolvers::Resolver;
use crate::process::Process;
use crate::report::{Bound, Row};
use crate::units::{float, short};

/// Unlisted names, all in every cache after the first round.
const GOOD: usize = 1_000;
/// Listed names.
const BLOCKED: usize = 100_000;
/// How long the cache is filled, and how long is measured.
const SECONDS: (u32, u32) = (1, 5);
/// Of the answers so many may get lost on a busy machine before a number says nothing.
const LOST_MAX: f64 = 0.01;
/// What the issue allows, and what it aims for, in microseconds.
const QUERY_MICROS: (f64, f64) = (10.0, 6.0);

/// Both loads, as files for `dnsperf`.
pub(super) struct Loads([(&'static str, String); 2]);

impl Loads {
    pub(super) fn write(home: &Path, names: &[String]) -> Result<Self> {
        let good: Vec<String> = (0..GOOD).map(|number| format!("good{number}.example.org A")).collect();
        let blocked: Vec<String> = names.iter().take(BLOCKED).map(|name| format!("{name} A")).collect();
        let file = |what: &str, lines: &[String]| -> Result<String> {
            let path = home.join(format!("queries-{what}"));
            fs::write(&path, lines.join("\n") + "\n")?;
            Ok(path.display().to_string())
        };
        Ok(Self([
            ("unlisted name, from the cache", file("good", &good)?),
            ("listed name", file("blocked", &blocked)?),
        ]))
    }
}

/// Microseconds of CPU for a query of each load, and queries a second.
#[derive(Clone, Copy)]
pub(super) struct Cost([(f64, f64); 2]);

/// Sends both loads to a server; `cpu_seconds` says what it has taken so far.
fn cost(loads: &Loads, port: u16, cpu_seconds: &dyn Fn() -> Result<f64>) -> Result<Cost> {
    let mut costs = [(0.0, 0.0); 2];
    for (cost, (_, file)) in costs.iter_mut().zip(&loads.0) {
        dnsperf(port, file, SECONDS.0)?;
        let before = cpu_seconds()?;
        let (answered, rate) = dnsperf(port, file, SECONDS.1)?;
        *cost = ((cpu_seconds()? - before) / answered * 1e6, rate);
    }
    Ok(Cost(costs))
}

pub(super) fn of_resolver(loads: &Loads, resolver: &Resolver) -> Result<Cost> {
    cost(loads, resolver.port, &|| Ok(resolver.process.cpu_seconds()))
}

/// What a bare loop of receiving and sending takes: the server behind all resolvers, which does nothing else.
pub(super) fn of_world(loads: &Loads, world: SocketAddr) -> Result<Cost> {
    cost(loads, world.port(), &|| {
        let usage = getrusage(UsageWho::RUSAGE_SELF)?;
        let micros = |time: nix::sys::time::TimeVal| time.tv_sec() * 1_000_000 + time.tv_usec();
        let all = u64::try_from(micros(usage.user_time()) + micros(usage.system_time()))?;
        Ok(Duration::from_micros(all).as_secs_f64())
    })
}

/// How many queries were answered, and how many a second.
fn dnsperf(port: u16, file: &str, seconds: u32) -> Result<(f64, f64)> {
    let (port, seconds) = (port.to_string(), seconds.to_string());
    let output = Command::new("dnsperf")
        .args(["-s", "127.0.0.1", "-p", &port, "-c", "16", "-l", &seconds, "-d", file])
        .output()
        .context("running dnsperf")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let number = |what: &str| -> Result<f64> {
        let line = said.lines().find_map(|line| line.trim().strip_prefix(what));
        let word = line.and_then(|line| line.split_whitespace().next());
        word.and_then(|word| word.parse().ok()).with_context(|| format!("dnsperf does not tell `{what}`"))
    };
    let (answered, lost) = (number("Queries completed:")?, number("Queries lost:")?);
    ensure!(answered > 1000.0, "only {answered} queries were answered");
    ensure!(lost <= answered * LOST_MAX, "{lost} of {answered} queries were lost");
    Ok((answered, number("Queries per second:")?))
}

/// The forwarder beside whoever could be measured.
pub(super) fn rows(
    loads: &Loads,
    port: u16,
    guard: &Process,
    peers: &[(&str, Result<Cost>)],
) -> Result<Vec<Row>> {
    let ours = cost(loads, port, &|| Ok(guard.cpu_seconds()))?;
    let mut rows = Vec::new();
    for (at, (what, _)) in loads.0.iter().enumerate() {
        let (micros, rate) = ours.0[at];
        let told = peers.iter().map(|(name, cost)| match cost {
            Ok(cost) => {
                let (theirs, rate) = cost.0[at];
                let ratio = short(theirs / micros);
                format!("{name}: {} µs, {ratio} times ours, {} /s", short(theirs), short(rate))
            }
            Err(why) => format!("{name}: not measured ({why:#})").replace('|', "/"),
        });
        let beside = told.collect::<Vec<_>>().join("; ");
        let row = Row::told(
            &format!("forwarder: {what}, µs of CPU a query"),
            format!("{} µs, {} /s", short(micros), short(rate)),
            beside,
        );
        let (least, aim) = (Bound::AtMost(QUERY_MICROS.0), Bound::AtMost(QUERY_MICROS.1));
        rows.push(row.judged(micros, least, Some(aim)));
    }
    Ok(rows)
}

/// Bytes an indicator, of what a process takes more with so many of them.
pub(super) fn bytes_each(with_megabytes: f64, without_megabytes: f64, count: usize) -> f64 {
    (with_megabytes - without_megabytes) * 1e6 / float(u64::try_from(count).unwrap_or(1).max(1))
}
