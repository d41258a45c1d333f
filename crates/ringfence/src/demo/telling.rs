//! How the story is told: numbered steps in plain words, or one JSON document a step.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use crate::output::{Output, add};

/// Tells the steps of a story in their order.
pub(crate) struct Telling {
    output: Output,
    steps: u32,
}

impl Telling {
    pub(crate) fn new(output: Output) -> Self {
        Self { output, steps: 0 }
    }

    /// Tells one step: what was done, in words, and what was measured.
    pub(crate) fn step(&mut self, title: &str, lines: &[String], measured: &Value) -> Result<()> {
        self.steps += 1;
        let number = self.steps;
        self.output.step(&json!({"step": number, "title": title, "measured": measured}), || {
            let mut text = format!("{number:>2}. {title}\n");
            for line in lines {
                add!(text, "      {line}\n");
            }
            text
        })
    }

    /// Says something outside the steps.
    pub(crate) fn remark(&self, json: &Value, human: impl FnOnce() -> String) -> Result<()> {
        self.output.step(json, human)
    }
}

/// A duration in the unit that people would use.
pub(super) fn took(duration: Duration) -> String {
    let micros = duration.as_micros();
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{:.1} ms", duration.as_secs_f64() * 1e3),
        _ => format!("{:.2} s", duration.as_secs_f64()),
    }
}

/// Milliseconds, for programs.
pub(super) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// How many a second.
pub(super) fn rate(count: usize, duration: Duration) -> u64 {
    let nanos = duration.as_nanos().max(1);
    u64::try_from(count as u128 * 1_000_000_000 / nanos).unwrap_or(u64::MAX)
}
