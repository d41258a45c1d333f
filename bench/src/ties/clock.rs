//! Times and memory of this process.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sys::resource::{UsageWho, getrusage};

use crate::units::{float, median};

/// Medians, in milliseconds.
pub(crate) struct Times {
    pub(crate) cpu_ms: f64,
    pub(crate) wall_ms: f64,
}

/// Times the same work several times.
#[derive(Default)]
pub(crate) struct Clock {
    spent: Vec<Duration>,
    took: Vec<Duration>,
}

impl Clock {
    pub(crate) fn time<T>(&mut self, work: impl FnOnce() -> T) -> Result<T> {
        let (before, begun) = (cpu()?, Instant::now());
        let found = work();
        self.took.push(begun.elapsed());
        self.spent.push(cpu()?.saturating_sub(before));
        Ok(found)
    }

    pub(crate) fn times(mut self) -> Times {
        let middle = |times: &mut Vec<Duration>| median(times).unwrap_or_default().as_secs_f64() * 1e3;
        Times { cpu_ms: middle(&mut self.spent), wall_ms: middle(&mut self.took) }
    }
}

/// How long each of many questions took.
#[derive(Default)]
pub(crate) struct Each(Vec<Duration>);

impl Each {
    pub(crate) fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let found = work();
        self.0.push(begun.elapsed());
        found
    }

    /// Counts a time that was taken otherwise.
    pub(crate) fn took(&mut self, time: Duration) {
        self.0.push(time);
    }

    pub(crate) fn spread(mut self) -> Spread {
        self.0.sort_unstable();
        let at = |percent: usize| {
            let place = (self.0.len() * percent / 100).min(self.0.len().saturating_sub(1));
            self.0.get(place).copied().unwrap_or_default().as_secs_f64() * 1e6
        };
        Spread { count: self.0.len() as u64, p50_us: at(50), p99_us: at(99), most_us: at(100) }
    }
}

/// The time that half of the questions, 99 in a hundred and all do not exceed, in microseconds.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Spread {
    pub(crate) count: u64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) most_us: f64,
}

/// The CPU time of all threads of this process, to the microsecond; `schedstat` is as coarse as the kernel's ticks.
pub(crate) fn cpu() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let micros =
        [usage.user_time(), usage.system_time()].map(|time| time.tv_sec() * 1_000_000 + time.tv_usec());
    Ok(Duration::from_micros(micros.iter().sum::<i64>().unsigned_abs()))
}

/// The most memory that was resident so far. `ru_maxrss` would tell that of the process which started this one, too.
pub(crate) fn peak_megabytes() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("the kernel tells no peak")?;
    Ok(float(peak.trim().trim_end_matches(" kB").parse()?) * 1_024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_in_order() {
        let mut each = Each((1..=200).map(Duration::from_micros).collect());
        each.time(|| {});
        let spread = each.spread();
        assert_eq!(spread.count, 201);
        assert!((spread.p50_us - 100.0).abs() < 1.5 && (spread.p99_us - 198.0).abs() < 1.5, "{spread:?}");
        assert!((spread.most_us - 200.0).abs() < 0.5, "{spread:?}");
    }

    #[test]
    fn work_takes_time_and_memory() {
        let mut clock = Clock::default();
        let sum = clock.time(|| (0..3_000_000_u64).fold(0_u64, |sum, n| sum ^ n.wrapping_mul(n))).unwrap();
        assert!(sum > 0 && clock.times().wall_ms > 0.0);
        assert!(peak_megabytes().unwrap() > 0.1);
    }
}
