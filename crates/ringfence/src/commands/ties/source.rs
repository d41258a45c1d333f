//! Files of registers and lists, opened and read as statements, one after the other.

use std::cell::Cell;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context as _, Result, anyhow};
use model::{Clock as _, SystemClock, Timestamp};
use registers::{Format, Importing, Report};
use serde::Deserializer as _;
use serde::de::{SeqAccess, Visitor};
use ties::{Source, Statement};

/// How much of a file its format is told by.
const LOOKED_AT_BYTES: usize = 8 * 1024;

/// An open file whose form is known.
pub(super) struct Opened {
    /// Its path, for people.
    pub(super) shown: String,
    reader: BufReader<File>,
    form: Form,
    importing: Importing,
    /// Whether it is known of which document it is an edition.
    is_named: bool,
}

#[derive(Clone, Copy)]
enum Form {
    /// Of a register or a list.
    Of(Format),
    /// Statements as they are stored: a JSON array of them.
    Statements,
}

impl Opened {
    pub(super) fn open(path: &Path, format: Option<Format>, document: Option<&str>) -> Result<Self> {
        let shown = path.display().to_string();
        let file = File::open(path).with_context(|| format!("opening `{shown}`"))?;
        let written = file.metadata().and_then(|metadata| metadata.modified()).ok();
        let mut reader = BufReader::with_capacity(64 * 1024, file);
        let head = reader.fill_buf().with_context(|| format!("reading `{shown}`"))?;
        let head = &head[..head.len().min(LOOKED_AT_BYTES)];
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let form = match format {
            Some(format) => Form::Of(format),
            None if looks_like_statements(head) => Form::Statements,
            None => Form::Of(registers::detect(head, &name).ok_or_else(|| unknown(&shown, head))?),
        };
        let code = match form {
            Form::Of(format) => format.code(),
            Form::Statements => "",
        };
        let is_named = match form {
            Form::Of(format) => document.is_some() || !registers::needs_name(format),
            Form::Statements => false,
        };
        let document = document.map_or_else(|| code.to_owned(), str::to_owned);
        let document = Source { document, ..Source::default() };
        let importing = Importing { document, recorded: day_of(written) };
        Ok(Self { shown, reader, form, importing, is_named })
    }

    /// Whether a new edition of such a file ends what it leaves out.
    pub(super) fn closes_missing(&self) -> bool {
        match self.form {
            Form::Of(format) => registers::closes_missing(format),
            Form::Statements => false,
        }
    }

    /// The document of which it is an edition, if that is known.
    pub(super) fn edition(&self) -> Option<String> {
        self.is_named.then(|| self.importing.document.document.clone())
    }

    /// Reads it to its end, or until a statement is not taken.
    pub(super) fn read(self, take: &mut dyn FnMut(Statement) -> Result<()>) -> Result<Report> {
        let failed: Cell<Option<anyhow::Error>> = Cell::new(None);
        let is_stopped = Cell::new(false);
        let mut emit = |statement| {
            if !is_stopped.get()
                && let Err(error) = take(statement)
            {
                failed.set(Some(error));
                is_stopped.set(true);
            }
        };
        let reader = Stoppable { reader: self.reader, is_stopped: &is_stopped };
        let report = match self.form {
            Form::Of(format) => Ok(registers::read(format, reader, &self.importing, &mut emit)),
            Form::Statements => {
                let mut json = serde_json::Deserializer::from_reader(reader);
                let read = json.deserialize_seq(Each(&mut emit)).and_then(|()| json.end());
                read.with_context(|| format!("reading statements from `{}`", self.shown))
                    .map(|()| Report::default())
            }
        };
        match failed.take() {
            Some(error) => Err(error),
            None => report,
        }
    }
}

/// What a file says; for files that are small.
pub(crate) fn read_file(path: &Path) -> Result<Vec<Statement>> {
    let mut statements = Vec::new();
    Opened::open(path, None, None)?.read(&mut |statement| {
        statements.push(statement);
        Ok(())
    })?;
    Ok(statements)
}

fn looks_like_statements(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head);
    text.trim_start().starts_with('[') && text.contains("\"said\"") && text.contains("\"recorded\"")
}

fn unknown(shown: &str, head: &[u8]) -> anyhow::Error {
    let why = if head.iter().all(u8::is_ascii_whitespace) {
        "there is nothing in it to tell it by"
    } else {
        "its beginning is like none of them"
    };
    let codes: Vec<&str> = Format::ALL.iter().map(|format| format.code()).collect();
    anyhow!(
        "the format of `{shown}` cannot be told: {why}; say it with --format, which is one of {}",
        codes.join(", ")
    )
}

/// The day of a file: when it was written, unless that is still to come. Changes that a file tells without a date are of
/// that day, so that reading it again tomorrow says the same.
fn day_of(written: Option<SystemTime>) -> Timestamp {
    let now = SystemClock::default().now();
    let written = written.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
    let micros = written.and_then(|since| i64::try_from(since.as_micros()).ok());
    micros.map_or(now, |micros| Timestamp::from_micros(micros).min(now))
}

/// A reader that is at its end as soon as nobody listens any more.
struct Stoppable<'s, R> {
    reader: R,
    is_stopped: &'s Cell<bool>,
}

impl<R: BufRead> Read for Stoppable<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_stopped.get() { Ok(0) } else { self.reader.read(buffer) }
    }
}

impl<R: BufRead> BufRead for Stoppable<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.is_stopped.get() { Ok(&[]) } else { self.reader.fill_buf() }
    }

    fn consume(&mut self, amount: usize) {
        self.reader.consume(amount);
    }
}

/// Hands out the statements of an array one by one.
struct Each<'e>(&'e mut dyn FnMut(Statement));

impl<'de> Visitor<'de> for Each<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of statements")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        while let Some(statement) = array.next_element()? {
            (self.0)(statement);
        }
        Ok(())
    }
}
