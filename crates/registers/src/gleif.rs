//! GLEIF: who has which Legal Entity Identifier, and who consolidates whom.
//!
//! Three files, each in CSV, XML or JSON (LEI-CDF 3.1, RR-CDF 2.1, reporting exceptions 2.1). All encodings of a file
//! give the same statements.
//!
//! ```text
//! level 1        XI-LEI:5493.. is an organisation, in force, of CN                        (gleif_entities)
//! relationships  child IS_DIRECTLY_CONSOLIDATED_BY parent                                 (gleif_parents)
//!                becomes  parent consolidates child: in the file the arrow runs the other way
//! exceptions     child says why it names no parent                                        (gleif_parents)
//! ```
//!
//! A consolidating parent is presumed to control; no share is stated, and none is made up. The percentages that some
//! records carry tell how much of the accounts is consolidated (`100.00`, and by other agents `1.00`), not who owns
//! how much, and are left out.
//!
//! The direct and the ultimate parent are two ties. The ultimate one sums up a chain and is not one more link of it.
//!
//! What runs out is the registration, not the company: a *lapsed* LEI means that nobody paid this year's fee.

use std::io::{self, BufRead, Cursor, Read as _};

use model::Timestamp;
use serde_json::Value;
use ties::{Confidence, PartialDate, Source, Statement};

use crate::reading::{Importing, Reading, Reason, Report, rows};
use crate::tree::{Columns, Node};
use crate::{gleif_entities, gleif_parents};

/// How far a file is looked into for its first sign.
const BLANKS_MAX: usize = 4 << 10;

/// Reads level 1: entities, successors, duplicates.
pub fn entities(reader: impl BufRead, importing: &Importing, emit: &mut dyn FnMut(Statement)) -> Report {
    read(reader, importing, emit, &["LEIRecord"], gleif_entities::record)
}

/// Reads level 2: who consolidates, manages, feeds whom.
pub fn relationships(reader: impl BufRead, importing: &Importing, emit: &mut dyn FnMut(Statement)) -> Report {
    read(reader, importing, emit, &["RelationshipRecord"], gleif_parents::relationship)
}

/// Reads level 2: why a parent is not named.
pub fn exceptions(reader: impl BufRead, importing: &Importing, emit: &mut dyn FnMut(Statement)) -> Report {
    read(reader, importing, emit, &["Exception", "ReportingException"], gleif_parents::exception)
}

fn read(
    reader: impl BufRead,
    importing: &Importing,
    emit: &mut dyn FnMut(Statement),
    elements: &[&str],
    each: fn(&mut Reading<'_>, &str, &Node),
) -> Report {
    let mut reading = Reading::new(importing, emit);
    match opened(reader) {
        Err(error) => reading.stop("start", error),
        Ok((b'<', reader)) => {
            reading.each_xml(reader, elements, &[], |reading, place, node| each(reading, place, &node));
        }
        Ok((b'{' | b'[', reader)) => {
            let within = &["records", "relations", "exceptions"];
            reading.each_json(reader, within, |reading, place, value: Value| {
                match Node::from_json("record", value) {
                    // The golden copy wraps each record once more.
                    Some(node) => each(
                        reading,
                        place,
                        elements.iter().find_map(|name| node.at(&[name])).unwrap_or(&node),
                    ),
                    None => reading.refuse(
                        place,
                        Reason::Malformed,
                        "it is no record, or too deep or too large for one",
                    ),
                }
            });
        }
        Ok((_, reader)) => reading.each_path_row(reader, each),
    }
    reading.done()
}

/// The first byte that is no blank, and the reader as if nothing had been read.
fn opened(mut reader: impl BufRead) -> io::Result<(u8, impl BufRead)> {
    let mut head = Vec::new();
    let mut first = 0;
    while first == 0 && head.len() < BLANKS_MAX {
        let mut byte = [0];
        if reader.read(&mut byte)? == 0 {
            break;
        }
        head.push(byte[0]);
        if !byte[0].is_ascii_whitespace() && !"\u{feff}".as_bytes().contains(&byte[0]) {
            first = byte[0];
        }
    }
    Ok((first, Cursor::new(head).chain(reader)))
}

impl Reading<'_> {
    /// Reads a table whose columns' names are paths.
    fn each_path_row(&mut self, reader: impl BufRead, each: fn(&mut Self, &str, &Node)) {
        let mut rows = rows(reader, true, b',');
        let columns = match rows.headers() {
            Ok(headers) => Columns::new(&headers),
            Err(error) => return self.stop("line 1", error),
        };
        let mut row = csv::ByteRecord::new();
        loop {
            match rows.next(&mut row) {
                Ok(None) => return,
                Ok(Some(line)) => {
                    self.record();
                    each(self, &format!("line {line}"), &columns.tree(&row));
                }
                Err(error) => return self.stop("rest of the file", error),
            }
        }
    }

    /// The date at the path; one that is none is refused, and counts as not given.
    pub(crate) fn date_at(&mut self, place: &str, node: &Node, path: &[&str]) -> Option<PartialDate> {
        let text = node.get(path)?;
        match text.parse() {
            Ok(date) => Some(date),
            Err(error) => {
                self.refuse(format_args!("{place} {}", path.join("/")), Reason::BadDate, error);
                None
            }
        }
    }

    /// The file's source, with the confidence that its record's validation deserves: what the entity said of itself
    /// and nobody compared with a register is a declaration by the party.
    pub(crate) fn validated(&self, record: &Node) -> Source {
        let mut source = self.source().clone();
        let checked = record.get(&["Registration", "ValidationSources"]) == Some("FULLY_CORROBORATED");
        if !checked {
            source.confidence = source.confidence.min(Confidence::Medium);
        }
        source
    }

    /// The day on which the registry learns it.
    pub(crate) fn today(&self) -> PartialDate {
        day_of(self.recorded())
    }
}

fn day_of(at: Timestamp) -> PartialDate {
    ties::Day::of(at).into()
}

/// Whether the text is a Legal Entity Identifier: 18 capitals or digits and two check digits (ISO 17442, which checks
/// by ISO 7064 MOD 97-10).
#[must_use]
pub fn is_lei(text: &str) -> bool {
    let bytes = text.as_bytes();
    let shaped = bytes.len() == 20
        && bytes[..18].iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        && bytes[18..].iter().all(u8::is_ascii_digit);
    shaped
        && bytes.iter().fold(0_u32, |rest, byte| match byte {
            b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
            _ => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
        }) == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_are_checked() {
        let cases = [
            ("506700GE1G29325QX363", true), // GLEIF's own
            ("001GPB6A9XPE8XJICC14", true),
            ("001GPB6A9XPE8XJICC41", false), // digits changed places
            ("001GPB6A9XPE8XJICC1", false),
            ("001gpb6a9xpe8xjicc14", false),
            ("", false),
        ];
        for (text, want) in cases {
            assert_eq!(is_lei(text), want, "{text}");
        }
    }
}
