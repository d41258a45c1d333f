//! Load: the same requests, from so many connections, for so long.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};

use crate::http::{Body, Connection};
use crate::process::Process;
use crate::units::{float, median, per_second};

/// What a load did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Load {
    pub(crate) requests: u64,
    pub(crate) bytes: u64,
    pub(crate) took: Duration,
    /// CPU time of the server.
    pub(crate) cpu_seconds: f64,
}

impl Load {
    pub(crate) fn requests_per_second(&self) -> f64 {
        per_second(self.requests, self.took)
    }

    pub(crate) fn bytes_per_second(&self) -> f64 {
        per_second(self.bytes, self.took)
    }

    pub(crate) fn cpu_millis_per_request(&self) -> f64 {
        self.cpu_seconds * 1e3 / float(self.requests).max(1.0)
    }
}

/// How the connections are driven.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) threads: usize,
    /// Each thread sends on all its connections, then reads from all of them.
    pub(crate) connections_per_thread: usize,
}

/// Asks round and round through `requests`, each connection from a place of its own, until the time is over.
pub(crate) fn repeat(
    server: &Process,
    port: u16,
    shape: Shape,
    requests: &[Vec<u8>],
    time: Duration,
) -> Result<Load> {
    let cpu = server.cpu_seconds();
    let begun = Instant::now();
    let loads = thread::scope(|scope| {
        let runs: Vec<_> = (0..shape.threads)
            .map(|thread| {
                let from = requests.len() * thread / shape.threads;
                scope.spawn(move || {
                    repeat_on(port, shape.connections_per_thread, requests, from, begun + time)
                })
            })
            .collect();
        runs.into_iter()
            .map(|run| run.join().map_err(|_| anyhow!("a client panicked"))?)
            .collect::<Result<Vec<Load>>>()
    })?;
    let took = begun.elapsed();
    let (requests, bytes) =
        loads.iter().fold((0, 0), |(requests, bytes), load| (requests + load.requests, bytes + load.bytes));
    Ok(Load { requests, bytes, took, cpu_seconds: server.cpu_seconds() - cpu })
}

fn repeat_on(
    port: u16,
    connections: usize,
    requests: &[Vec<u8>],
    from: usize,
    until: Instant,
) -> Result<Load> {
    let mut connections: Vec<_> = (0..connections).map(|_| Connection::new(port)).collect();
    let mut requests = requests.iter().cycle().skip(from);
    let mut load = Load::default();
    while Instant::now() < until {
        for connection in &mut connections {
            connection.send(requests.next().context("there is nothing to ask")?)?;
        }
        for connection in &mut connections {
            let reply = connection.receive(Body::Drop)?;
            if reply.status != 200 {
                bail!("the server answered {} to a read", reply.status);
            }
            load.requests += 1;
            load.bytes += reply.bytes;
        }
    }
    Ok(load)
}

/// Takes turns between two servers and gives each one's median by requests a second, so that what else the machine does
/// falls on both.
pub(crate) fn in_turn(
    rounds: usize,
    mut one: impl FnMut() -> Result<Load>,
    mut other: impl FnMut() -> Result<Load>,
) -> Result<(Load, Load)> {
    let (mut ones, mut others) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        ones.push(one()?);
        others.push(other()?);
    }
    let middle = |loads: &mut Vec<Load>| {
        loads.sort_by(|a, b| a.requests_per_second().total_cmp(&b.requests_per_second()));
        loads.get(loads.len() / 2).copied().context("no round was run")
    };
    Ok((middle(&mut ones)?, middle(&mut others)?))
}

/// Sends every request once, from so many connections, and requires that all of it was taken.
pub(crate) fn post_all(
    server: &Process,
    port: u16,
    connections: usize,
    requests: &[Vec<u8>],
) -> Result<Load> {
    let (next, cpu, begun) = (AtomicUsize::new(0), server.cpu_seconds(), Instant::now());
    let bytes = thread::scope(|scope| {
        let runs: Vec<_> =
            (0..connections).map(|_| scope.spawn(|| post_next(port, requests, &next))).collect();
        runs.into_iter().map(|run| run.join().map_err(|_| anyhow!("a client panicked"))?).sum::<Result<u64>>()
    })?;
    let took = begun.elapsed();
    Ok(Load {
        requests: u64::try_from(requests.len())?,
        bytes,
        took,
        cpu_seconds: server.cpu_seconds() - cpu,
    })
}

fn post_next(port: u16, requests: &[Vec<u8>], next: &AtomicUsize) -> Result<u64> {
    let mut connection = Connection::new(port);
    let mut bytes = 0;
    while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
        let reply = connection.ask(request, Body::Keep)?;
        let status: serde_json::Value = serde_json::from_slice(&connection.body).unwrap_or_default();
        let is_taken = reply.status == 202
            && status["status"] == "complete"
            && status["failure_count"].as_u64().unwrap_or(0) == 0;
        if !is_taken {
            let said: String = String::from_utf8_lossy(&connection.body).chars().take(300).collect();
            bail!("the server answered {} to a submission: {said}", reply.status);
        }
        bytes += u64::try_from(request.len())?;
    }
    Ok(bytes)
}

/// Asks each request in turn, so many times, on one connection; the median time of each.
pub(crate) fn latencies(port: u16, requests: &[&[u8]], times: usize) -> Result<Vec<Duration>> {
    let mut connection = Connection::new(port);
    let mut taken = vec![Vec::with_capacity(times); requests.len()];
    for _ in 0..times {
        for (request, taken) in requests.iter().zip(&mut taken) {
            let begun = Instant::now();
            let reply = connection.ask(request, Body::Drop)?;
            taken.push(begun.elapsed());
            if reply.status != 200 {
                bail!("the server answered {} to a read", reply.status);
            }
        }
    }
    Ok(taken.iter_mut().map(|taken| median(taken).unwrap_or_default()).collect())
}
