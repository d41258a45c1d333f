//! What a command says, and how it ends.
//!
//! A command has one result. With `--json` it is printed as one JSON document (commands that go on for a while print
//! one document a line); otherwise as text that reads well. Nothing else goes to stdout.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;

/// Appends formatted text to a `String`, which cannot fail.
macro_rules! add {
    ($text:expr, $($format:tt)+) => {{
        use std::fmt::Write as _;
        let _ = write!($text, $($format)+);
    }};
}
pub(crate) use add;

/// How a command ended; `--help` lists the codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Done,
    Failed,
    InPart,
    Wrong,
    /// Of `match`: something was found.
    Found,
    /// Of `match`: nothing was found, but not everything was looked at.
    Unsure,
    /// Of `doctor`: something needs attention.
    Attention,
    /// Of `doctor`: something is at fault.
    Fault,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        // 2 is what clap answers to a wrong command line.
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed | Exit::Found | Exit::Attention => 1,
            Exit::Unsure | Exit::Fault => 2,
            Exit::InPart => 3,
            Exit::Wrong => 4,
        })
    }
}

/// Where results go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether a program reads.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Prints a result: as JSON, or as `human` writes it.
    pub(crate) fn result<T: Serialize + ?Sized>(
        self,
        value: &T,
        human: impl FnOnce() -> String,
    ) -> Result<()> {
        let text = if self.json { serde_json::to_string_pretty(value)? } else { human() };
        print(text.trim_end())
    }

    /// Prints one of several results: one line of JSON, or text.
    pub(crate) fn step<T: Serialize + ?Sized>(self, value: &T, human: impl FnOnce() -> String) -> Result<()> {
        let text = if self.json { serde_json::to_string(value)? } else { human() };
        print(&text)
    }
}

fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()?;
    Ok(())
}

/// Whether the reader of our output went away (`ringfence ... | head`), which is no failure of ours.
pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// An error with its causes, on one line.
pub(crate) fn one_line(error: &anyhow::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string().replace('\n', "; ");
        // Many errors repeat their source in their own words.
        if parts.last().is_none_or(|last| !last.contains(&text)) {
            parts.push(text);
        }
    }
    parts.join(": ")
}

/// Columns of text, as wide as they have to be, under their titles.
pub(crate) fn table<const N: usize>(titles: [&str; N], rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([titles[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |cells: [&str; N]| {
        let mut text = String::new();
        for (cell, width) in cells.iter().zip(widths) {
            add!(text, "{cell:<width$}  ");
        }
        format!("{}\n", text.trim_end())
    };
    let mut text = line(titles);
    for row in rows {
        text.push_str(&line(std::array::from_fn(|column| row[column].as_str())));
    }
    text
}

/// A number of things, with the right word.
pub(crate) fn count(number: impl Into<u128>, one: &str, many: &str) -> String {
    let number = number.into();
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// A number of objects.
pub(crate) fn objects(number: usize) -> String {
    count(number as u128, "object", "objects")
}

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: impl Into<u128>) -> String {
    let digits = number.into().to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Several names in one cell; a dash if there are none.
pub(crate) fn listed<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let names: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    if names.is_empty() { "-".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three() {
        for (number, want) in [(0_u64, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), want);
        }
        assert_eq!(objects(1), "1 object");
        assert_eq!(objects(2_000), "2,000 objects");
    }

    #[test]
    fn columns_line_up() {
        let rows = [["a".to_owned(), "long".to_owned()], ["bcd".to_owned(), String::new()]];
        assert_eq!(table(["x", "y"], &rows), "x    y\na    long\nbcd\n");
    }

    #[test]
    fn an_error_is_one_line_and_says_nothing_twice() {
        let error = anyhow::anyhow!("disk is full\nreally")
            .context("writing `a`: disk is full; really")
            .context("init");
        assert_eq!(one_line(&error), "init: writing `a`: disk is full; really");
    }
}
