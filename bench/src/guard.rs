//! What a guard is made of, each part beside what people use for it today.

mod matcher;

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;

use crate::report::{self, Report, Row};

/// Measures the guard's parts, and writes their part of the table.
pub(crate) fn run() -> Result<ExitCode> {
    let begun = Instant::now();
    let setting = "A million made-up names with the lengths and labels of published lists; one thread, times of the processor.";
    let mut report =
        Report::new("Guard", "cargo run --release -p bench -- guard".to_owned(), setting.to_owned());
    report.add("matcher", matcher::measure());
    report::write(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("RESULTS.md"),
        &report.markdown(begun.elapsed().as_secs()),
    )?;
    Ok(if report.rows.iter().any(Row::is_short) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
