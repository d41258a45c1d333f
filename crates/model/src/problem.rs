//! What is wrong with a file that somebody wrote, said so that it can be mended.

use std::fmt;

use serde::Serialize;
use thiserror::Error;

/// One fault: where it is, what it is, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file's name, as its writer knows it.
    pub file: String,
    /// The line, from 1, where the fault could be pinned to one.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl Problem {
    /// A fault of the whole file.
    #[must_use]
    pub fn new(file: &str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: None, message: message.into(), remedy: remedy.into() }
    }

    /// The same, at the line of `text` that holds the byte `offset`.
    #[must_use]
    pub fn at(mut self, text: &str, offset: usize) -> Self {
        let before = text.as_bytes().iter().take(offset);
        self.line = Some(1 + before.filter(|byte| **byte == b'\n').count());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}; {}", self.message, self.remedy)
    }
}

/// Everything that is wrong, so that it is mended in one go; printed one fault to a line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// The faults, sorted by file and line.
    #[must_use]
    pub fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        Self(problems)
    }

    /// The faults, by file and line.
    #[must_use]
    pub fn as_slice(&self) -> &[Problem] {
        &self.0
    }

    /// The faults, by file and line.
    #[must_use]
    pub fn into_vec(self) -> Vec<Problem> {
        self.0
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_told_by_file_and_line() {
        let text = "one\ntwo\nthree\n";
        let late = Problem::new("b.toml", "it is odd", "remove it").at(text, text.find("three").unwrap_or(0));
        let early = Problem::new("b.toml", "it is missing", "add it").at(text, 0);
        let whole = Problem::new("a.toml", "it cannot be read", "name another");
        assert_eq!(
            Problems::new(vec![late, early, whole]).to_string(),
            "a.toml: it cannot be read; name another\n\
             b.toml:1: it is missing; add it\n\
             b.toml:3: it is odd; remove it"
        );
    }
}
