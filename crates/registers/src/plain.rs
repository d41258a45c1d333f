//! Our own tables: ties, and lists of parties of concern, as comma-separated values that a spreadsheet opens.
//!
//! `docs/registers.md` tells every column. In short:
//!
//! ```text
//! id,from,to,kind,votes,money,from_date,to_date,source
//! stake-1,symantec,venture,holds,49%,49%,2008-02,,nyt-2012-03-26
//! sale-1,huawei,symantec,plans,100%,,,,nyt-2012-03-26
//! stake-1,,,end,,,,2012-03-30,sec-8k
//! ```
//!
//! Identifiers stand as they are: the table is in our words, not a source's. A row with anything wrong in it is refused
//! whole, since whoever wrote it can mend it. Of two rows about one tie or entity, the later counts. What is written
//! ([`write_ties`], [`write_lists`]) reads back as the same.

mod columns;
mod kinds;
mod suppose;
mod write;

use std::collections::HashMap;
use std::io::BufRead;

use ties::{End, Ending, Entity, EntityId, EntityKind, Listing, Name, Said, Source, Statement, Tie};

use crate::reading::{Importing, Reading, Reason, Report, rows};
use columns::{LISTS, Row, TIES, Wrong};

pub use suppose::{SupposeError, share_columns, suppose};
pub use write::{write_lists, write_ties};

/// Reads a table of ties.
pub fn read_ties(reader: impl BufRead, importing: &Importing, emit: &mut dyn FnMut(Statement)) -> Report {
    let mut reading = Reading::new(importing, emit);
    let mut told = Told::default();
    table(&mut reading, reader, &TIES, |reading, row| tie(reading, &mut told, row));
    reading.done()
}

/// Reads a table of listed parties.
pub fn read_lists(reader: impl BufRead, importing: &Importing, emit: &mut dyn FnMut(Statement)) -> Report {
    let mut reading = Reading::new(importing, emit);
    let mut told = Told::default();
    table(&mut reading, reader, &LISTS, |reading, row| listing(reading, &mut told, row));
    reading.done()
}

/// How often the table has told of a tie, a listing or an entity before.
#[derive(Default)]
struct Told(HashMap<String, u32>);

impl Told {
    fn version(&mut self, kind: &str, id: &str) -> u32 {
        let count = self.0.entry(format!("{kind} {id}")).or_default();
        *count += 1;
        *count - 1
    }
}

fn table(
    reading: &mut Reading<'_>,
    reader: impl BufRead,
    known: &[&'static str],
    mut each: impl FnMut(&mut Reading<'_>, &Row<'_>) -> Result<(), Wrong>,
) {
    let mut rows = rows(reader, true, b',');
    let headers = match rows.headers() {
        Ok(headers) => headers,
        Err(error) => return reading.stop("line 1", error),
    };
    let mut places = Vec::with_capacity(headers.len());
    for (at, header) in headers.iter().enumerate() {
        let column = known.iter().find(|column| column.eq_ignore_ascii_case(header));
        match column {
            Some(column) => places.push((*column, at)),
            None if header.is_empty() => {}
            // A misspelt column would otherwise lose what stands in it.
            None => reading.refuse("line 1", Reason::BadValue, format_args!("there is no column `{header}`")),
        }
    }
    let mut record = csv::ByteRecord::new();
    loop {
        match rows.next(&mut record) {
            Ok(Some(line)) => {
                if record.iter().all(|field| field.trim_ascii().is_empty()) {
                    continue;
                }
                reading.record();
                let told = Row::of(&record, &places).and_then(|row| each(reading, &row));
                if let Err(Wrong { column, reason, message }) = told {
                    let place = if column.is_empty() {
                        format!("line {line}")
                    } else {
                        format!("line {line}, {column}")
                    };
                    reading.refuse(place, reason, message);
                }
            }
            Ok(None) => return,
            Err(error) => return reading.stop("rest of the file", error),
        }
    }
}

fn tie(reading: &mut Reading<'_>, told: &mut Told, row: &Row<'_>) -> Result<(), Wrong> {
    let mut source = row.source(reading.source())?;
    // A table of ties has no editions, and a list that goes by the same name has: that one ends nothing of this.
    source.edition_of = Some(format!("{}:ties", reading.source().edition()));
    let id = row.needed("id")?;
    if row.needed::<String>("kind")? == "end" {
        let by = match row.get("stage") {
            None | Some("completed") => Ending::Completed,
            Some("announced") => Ending::Announced,
            Some(other) => {
                return Err(Row::bad("stage", format!("`{other}` is none of completed, announced")));
            }
        };
        let end = End { tie: id, on: row.needed("to_date")?, by };
        reading.say_again(told.version("tie", end.tie.as_str()), source, "", Said::End(end));
        return Ok(());
    }
    let tie = Tie {
        id,
        from: row.needed("from")?,
        to: row.needed("to")?,
        kind: kinds::kind(row)?,
        valid: row.period("from_date", "to_date")?,
    };
    let entities = [
        described(row, &tie.from, "from_name", "from_kind", "from_country")?,
        described(row, &tie.to, "to_name", "to_kind", "to_country")?,
    ];
    for entity in entities.into_iter().flatten() {
        say_entity(reading, told, &source, entity);
    }
    reading.say_again(told.version("tie", tie.id.as_str()), source, "", Said::Tie(tie));
    Ok(())
}

fn listing(reading: &mut Reading<'_>, told: &mut Told, row: &Row<'_>) -> Result<(), Wrong> {
    let source = row.source(reading.source())?;
    let (list, entity): (ties::ListId, EntityId) = (row.needed("list")?, row.needed("entity")?);
    let entry: Option<String> = row.optional("entry")?;
    let id = if let Some(id) = row.optional("id")? {
        id
    } else {
        let entry = entry.as_deref().unwrap_or_default();
        let local = format!("{entity}{}{entry}", if entry.is_empty() { "" } else { "/" });
        // Two files that name the same party have an entry each.
        reading.tie(&format!("{list}/{local}"))
    };
    let described = described(row, &entity, "name", "kind", "country")?;
    let listing = Listing {
        id,
        list,
        entity,
        entry,
        valid: row.period("from", "to")?,
        with_subsidiaries: row.flag("subsidiaries")?,
    };
    if let Some(entity) = described {
        say_entity(reading, told, &source, entity);
    }
    reading.say_again(told.version("listing", listing.id.as_str()), source, "", Said::Listing(listing));
    Ok(())
}

/// What a row tells of an entity, if anything.
fn described(
    row: &Row<'_>,
    id: &EntityId,
    name: &'static str,
    kind: &'static str,
    country: &'static str,
) -> Result<Option<Entity>, Wrong> {
    if [name, kind, country].iter().all(|column| row.get(column).is_none()) {
        return Ok(None);
    }
    let mut entity = Entity::new(id.clone(), row.word(kind)?.unwrap_or(EntityKind::Organisation));
    // Further names stand behind `;`.
    let names = row.get(name).unwrap_or_default().split(';').map(str::trim).filter(|name| !name.is_empty());
    entity.names =
        names.enumerate().map(|(at, text)| Name { text: text.to_owned(), alias: at > 0 }).collect();
    for code in row.get(country).unwrap_or_default().split_whitespace() {
        if code.len() != 2 || !code.bytes().all(|b| b.is_ascii_alphabetic()) {
            return Err(Row::bad(country, format!("`{code}` is no ISO 3166 code of two letters")));
        }
        entity.countries.push(code.to_ascii_uppercase());
    }
    Ok(Some(entity))
}

fn say_entity(reading: &mut Reading<'_>, told: &mut Told, source: &Source, entity: Entity) {
    let version = told.version("entity", entity.id.as_str());
    reading.say_again(version, source.clone(), "", Said::Entity(entity));
}
