//! What is wrong with a folder, said so that it can be mended.

use std::fmt;

use thiserror::Error;

/// One fault: where it is, what it is, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file's name within the folder.
    pub file: String,
    /// The line, from 1, where the fault could be pinned to one.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl Problem {
    pub(crate) fn new(file: &str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: None, message: message.into(), remedy: remedy.into() }
    }

    /// The same, at the line of `text` that holds the byte `offset`.
    pub(crate) fn at(mut self, text: &str, offset: usize) -> Self {
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

/// Why a folder is no programme: every fault that was found, one to a line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct LoadError {
    problems: Vec<Problem>,
}

impl LoadError {
    pub(crate) fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        Self { problems }
    }

    /// The faults, by file and line.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

/// The file's text, or the problem that there is none.
pub(crate) fn text<'a>(
    files: &'a std::collections::BTreeMap<String, Vec<u8>>,
    name: &str,
) -> Result<&'a str, Problem> {
    let bytes = files.get(name).ok_or_else(|| {
        Problem::new(name, "the file is missing", "`ringfence init DIR` writes a folder that has it")
    })?;
    std::str::from_utf8(bytes).map_err(|error| {
        Problem::new(name, format!("byte {} is not UTF-8", error.valid_up_to()), "save the file as UTF-8")
    })
}

/// Reads TOML into `T`, and turns a fault into a problem with its line.
pub(crate) fn toml<T: serde::de::DeserializeOwned>(name: &str, text: &str) -> Result<T, Problem> {
    toml::from_str(text).map_err(|error| {
        let message = error.message().trim_end().replace('\n', ", ");
        let problem = Problem::new(name, message, "see the same file in the template for what belongs here");
        match error.span() {
            Some(span) => problem.at(text, span.start),
            None => problem,
        }
    })
}
