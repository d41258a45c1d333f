//! A server that runs for the time of the measures: started, watched from `/proc`, and stopped.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::units::float;

/// How long a server may take to listen.
const START: Duration = Duration::from_secs(20);
/// `USER_HZ`, in which `/proc` counts CPU time on every Linux of today.
const TICKS_PER_SECOND: f64 = 100.0;

/// A server, with the processes that it started. It is stopped when this is dropped.
pub(crate) struct Process {
    name: &'static str,
    child: Child,
}

impl Process {
    /// Starts a server; what it says goes to `log`.
    pub(crate) fn start(name: &'static str, command: &mut Command, log: &Path) -> Result<Self> {
        let said = File::create(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said)
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        Ok(Self { name, child })
    }

    /// Waits until something listens on the port.
    pub(crate) fn wait_for(&mut self, port: u16) -> Result<()> {
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended at its start ({status}); its log is in bench/work", self.name);
            }
            if begun.elapsed() > START {
                bail!("{} does not listen after {} s; its log is in bench/work", self.name, START.as_secs());
            }
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// The CPU time that the server has taken, in seconds, its own and its workers'.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        self.family().iter().filter_map(|id| ticks(*id)).map(|ticks| float(ticks) / TICKS_PER_SECOND).sum()
    }

    /// Resident memory in MB, now and at its largest, of the server and its workers.
    pub(crate) fn resident_megabytes(&self) -> (f64, f64) {
        let sum = |field: &str| {
            let of = |id: &u32| status_kilobytes(*id, field);
            float(self.family().iter().filter_map(of).sum::<u64>()) * 1_024.0 / 1e6
        };
        (sum("VmRSS:"), sum("VmHWM:"))
    }

    /// The process and its children.
    fn family(&self) -> Vec<u32> {
        let id = self.child.id();
        let tasks = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        std::iter::once(id).chain(tasks.split_whitespace().filter_map(|child| child.parse().ok())).collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Asked first: servers with workers stop these only then.
        let id = self.child.id().to_string();
        let asked = Command::new("kill").arg(&id).status();
        let begun = Instant::now();
        while asked.is_ok() && begun.elapsed() < Duration::from_secs(10) {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            sleep(Duration::from_millis(20));
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn ticks(id: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name, in parentheses, may have spaces; user and system time are fields 14 and 15.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn status_kilobytes(id: u32, field: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix(field))?.trim().trim_end_matches(" kB").parse().ok()
}

/// The CPU time that this thread has taken. Unlike the clock on the wall it does not count what else the machine does.
pub(crate) fn own_cpu() -> Result<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = text.split_whitespace().next().context("the kernel does not tell a thread's time")?;
    Ok(Duration::from_nanos(nanos.parse()?))
}

/// A port that nothing listens on.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_ends_at_once_is_told() {
        let log = std::env::temp_dir().join(format!("bench-process-{}", std::process::id()));
        let mut process = Process::start("false", &mut Command::new("false"), &log).unwrap();
        let port = free_port().unwrap();
        assert!(process.wait_for(port).is_err());
        fs::remove_file(log).unwrap();
    }

    #[test]
    fn our_own_time_and_memory_are_read() {
        let id = std::process::id();
        assert!(ticks(id).is_some());
        assert!(own_cpu().is_ok_and(|time| !time.is_zero()));
        assert!(status_kilobytes(id, "VmRSS:").is_some_and(|size| size > 100));
    }
}
