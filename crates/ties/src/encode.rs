//! Batches of statements as bytes, for storage.
//!
//! The registry is a log; a store keeps it as blobs, each with the statements of one import. A batch begins with its
//! tables of texts, so that an identifier that stands in a hundred statements is written once, and a reader that
//! keeps tables of its own (the registry) looks each one up once:
//!
//! ```text
//! "TIES" 1 | entities | ties | lists | sources | identifiers of the statements | statements
//! statement: kind, recorded (minus the one before), number of the source, numbers of its identifiers, body
//! ```
//!
//! Equal batches have equal bytes. Reading never panics and refuses with the place; a later version of the encoding
//! gets a new number, and this one stays readable.

mod checked;
mod said;
mod wire;

use std::collections::HashMap;

use model::Timestamp;

pub use self::checked::CheckedBatch;
pub(crate) use self::checked::{CheckedLine, Span};
pub(crate) use self::said::{
    Keys, Tag, check_body, is_indexed, keys, put_body, put_source, take_kind, take_period, take_said,
    take_source,
};
pub(crate) use self::wire::Reader;
pub use self::wire::{DecodeError, Flaw};
use self::wire::{put_bytes, put_number, put_signed, put_text};
use crate::entity::checked;
use crate::{Statement, StatementId};

const MAGIC: &[u8; 4] = b"TIES";
const VERSION: u8 = 1;

/// Writes statements as one batch.
#[must_use]
pub fn encode(statements: &[Statement]) -> Vec<u8> {
    let mut tables = Tables::default();
    let mut lines = Vec::new();
    let mut body = Vec::new();
    let mut before = 0;
    for statement in statements {
        let keys = keys(&statement.said);
        lines.push(keys.tag() as u8);
        put_signed(&mut lines, statement.recorded.as_micros() - before);
        before = statement.recorded.as_micros();
        body.clear();
        put_source(&mut body, &statement.source);
        put_number(&mut lines, tables.sources.number(&body));
        tables.put_keys(&mut lines, keys);
        body.clear();
        put_body(&mut body, &statement.said);
        put_bytes(&mut lines, &body);
    }
    let mut out = Vec::with_capacity(lines.len());
    out.extend_from_slice(MAGIC);
    out.push(VERSION);
    for table in [&tables.entities, &tables.ties, &tables.lists] {
        table.put(&mut out);
    }
    tables.sources.put(&mut out);
    put_number(&mut out, statements.len() as u64);
    for statement in statements {
        put_text(&mut out, statement.id.as_str());
    }
    out.extend_from_slice(&lines);
    out
}

/// Reads a batch.
///
/// # Errors
///
/// Refuses bytes that are no batch, and names the place.
pub fn decode(bytes: &[u8]) -> Result<Vec<Statement>, DecodeError> {
    let mut batch = Batch::open(bytes)?;
    let mut statements = Vec::new();
    let mut sources = Vec::with_capacity(batch.sources.len());
    for source in &batch.sources {
        // INVARIANT: `open` has read each of them once.
        sources.push(take_source(&mut Reader::new(source))?);
    }
    while let Some(line) = batch.next_line()? {
        let keys = match line.keys {
            Keys::Entity { first } => Keys::Entity { first: batch.entities[first] },
            Keys::Tie { tie, first, second } => Keys::Tie {
                tie: batch.ties[tie],
                first: batch.entities[first],
                second: batch.entities[second],
            },
            Keys::End { tie } => Keys::End { tie: batch.ties[tie] },
            Keys::Listing { tie, first, list } => {
                Keys::Listing { tie: batch.ties[tie], first: batch.entities[first], list: batch.lists[list] }
            }
            Keys::Same { first, second } => {
                Keys::Same { first: batch.entities[first], second: batch.entities[second] }
            }
            Keys::Retraction { .. } => Keys::Retraction { of: line.of },
        };
        let mut body = Reader::new(line.body);
        let said = take_said(keys, &mut body)
            .and_then(|said| body.finish().map(|()| said))
            .map_err(|error| DecodeError { at: line.body_at + error.at, flaw: error.flaw })?;
        statements.push(Statement {
            id: StatementId::stored(batch.names[line.place]),
            said,
            source: sources[line.source].clone(),
            recorded: line.recorded,
        });
    }
    Ok(statements)
}

/// A batch whose tables were read, and whose statements are read one by one.
struct Batch<'b> {
    reader: Reader<'b>,
    entities: Vec<&'b str>,
    ties: Vec<&'b str>,
    lists: Vec<&'b str>,
    sources: Vec<&'b [u8]>,
    /// The identifiers of the statements, one each.
    names: Vec<&'b str>,
    next: usize,
    recorded: i64,
}

/// A statement of a batch. Its numbers lie within the batch's tables.
struct Line<'b> {
    /// Its place in the batch.
    place: usize,
    recorded: Timestamp,
    source: usize,
    keys: Keys<usize>,
    /// The statement that a retraction is of; empty otherwise.
    of: &'b str,
    body: &'b [u8],
    /// Where the body begins.
    body_at: usize,
}

impl<'b> Batch<'b> {
    fn open(bytes: &'b [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        if !bytes.starts_with(MAGIC) {
            return Err(reader.flaw(Flaw::Foreign));
        }
        for _ in MAGIC {
            reader.byte()?;
        }
        let version = reader.byte()?;
        if version != VERSION {
            return Err(reader.flaw(Flaw::Version(version)));
        }
        let entities = table(&mut reader, "entity")?;
        let ties = table(&mut reader, "tie")?;
        let lists = table(&mut reader, "list")?;
        let sources = reader.list(|reader| {
            let at = reader.at();
            let bytes = reader.bytes()?;
            let mut source = Reader::new(bytes);
            take_source(&mut source)
                .and_then(|_| source.finish())
                .map_err(|error| DecodeError { at: at + error.at, flaw: error.flaw })?;
            Ok(bytes)
        })?;
        let names = table(&mut reader, "statement")?;
        Ok(Self { reader, entities, ties, lists, sources, names, next: 0, recorded: 0 })
    }

    fn next_line(&mut self) -> Result<Option<Line<'b>>, DecodeError> {
        let place = self.next;
        if place == self.names.len() {
            return self.reader.finish().map(|()| None);
        }
        self.next += 1;
        let byte = self.reader.byte()?;
        let tag = Tag::from_byte(byte)
            .ok_or_else(|| self.reader.value("the kind of a statement", u64::from(byte)))?;
        let recorded = self.reader.signed()?;
        self.recorded = self
            .recorded
            .checked_add(recorded)
            .filter(|&micros| Timestamp::from_micros(micros).as_micros() == micros)
            .ok_or_else(|| self.reader.value("an instant", recorded.unsigned_abs()))?;
        let (entities, ties, lists) = (self.entities.len(), self.ties.len(), self.lists.len());
        let source = number_below(&mut self.reader, self.sources.len())?;
        let reader = &mut self.reader;
        let mut of = "";
        let keys = match tag {
            Tag::Entity => Keys::Entity { first: number_below(reader, entities)? },
            Tag::Tie => Keys::Tie {
                tie: number_below(reader, ties)?,
                first: number_below(reader, entities)?,
                second: number_below(reader, entities)?,
            },
            Tag::End => Keys::End { tie: number_below(reader, ties)? },
            Tag::Listing => Keys::Listing {
                tie: number_below(reader, ties)?,
                first: number_below(reader, entities)?,
                list: number_below(reader, lists)?,
            },
            Tag::Same => {
                Keys::Same { first: number_below(reader, entities)?, second: number_below(reader, entities)? }
            }
            Tag::Retraction => {
                of = name(reader, "statement")?;
                Keys::Retraction { of: 0 }
            }
        };
        let body = reader.bytes()?;
        let body_at = reader.at() - body.len();
        let recorded = Timestamp::from_micros(self.recorded);
        Ok(Some(Line { place, recorded, source, keys, of, body, body_at }))
    }
}

fn table<'b>(reader: &mut Reader<'b>, what: &'static str) -> Result<Vec<&'b str>, DecodeError> {
    reader.list(|reader| name(reader, what))
}

fn name<'b>(reader: &mut Reader<'b>, what: &'static str) -> Result<&'b str, DecodeError> {
    let at = reader.at();
    let text = reader.text()?;
    checked(what, text).map_err(|error| DecodeError { at, flaw: Flaw::Text(error.to_string()) })
}

fn number_below(reader: &mut Reader<'_>, length: usize) -> Result<usize, DecodeError> {
    let number = reader.number()?;
    usize::try_from(number)
        .ok()
        .filter(|&place| place < length)
        .ok_or_else(|| reader.value("a place in a table", number))
}

/// The tables of a batch that is being written.
#[derive(Default)]
struct Tables<'s> {
    entities: Table<&'s [u8]>,
    ties: Table<&'s [u8]>,
    lists: Table<&'s [u8]>,
    sources: Table<Vec<u8>>,
}

struct Table<T> {
    texts: Vec<T>,
    numbers: HashMap<T, u64>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { texts: Vec::new(), numbers: HashMap::new() }
    }
}

impl<T: std::borrow::Borrow<[u8]> + Clone + Eq + std::hash::Hash> Table<T> {
    fn number_of(&mut self, text: T) -> u64 {
        let next = self.texts.len() as u64;
        let number = *self.numbers.entry(text.clone()).or_insert(next);
        if number == next {
            self.texts.push(text);
        }
        number
    }

    fn put(&self, out: &mut Vec<u8>) {
        put_number(out, self.texts.len() as u64);
        for text in &self.texts {
            put_bytes(out, text.borrow());
        }
    }
}

impl Table<Vec<u8>> {
    fn number(&mut self, bytes: &[u8]) -> u64 {
        match self.numbers.get(bytes) {
            Some(&number) => number,
            None => self.number_of(bytes.to_vec()),
        }
    }
}

impl<'s> Tables<'s> {
    fn put_keys(&mut self, out: &mut Vec<u8>, keys: Keys<&'s str>) {
        let entity = |this: &mut Self, text: &'s str| this.entities.number_of(text.as_bytes());
        let tie = |this: &mut Self, text: &'s str| this.ties.number_of(text.as_bytes());
        let numbers = match keys {
            Keys::Entity { first } => vec![entity(self, first)],
            Keys::Tie { tie: id, first, second } => {
                vec![tie(self, id), entity(self, first), entity(self, second)]
            }
            Keys::End { tie: id } => vec![tie(self, id)],
            Keys::Listing { tie: id, first, list } => {
                vec![tie(self, id), entity(self, first), self.lists.number_of(list.as_bytes())]
            }
            Keys::Same { first, second } => vec![entity(self, first), entity(self, second)],
            Keys::Retraction { of } => return put_text(out, of),
        };
        for number in numbers {
            put_number(out, number);
        }
    }
}
