//! The denied persons of the US Department of Commerce: a table with tabs.
//!
//! An order that names one party at several addresses fills several rows, which follow each other; it is one party. The
//! order runs from the effective date until it expires, and for ever if no expiration is given.

use std::io::BufRead;

use ties::{Entity, EntityKind, PartialDate, Period, Statement};

use crate::countries;
use crate::party::{Named, add_countries, add_name, entry};
use crate::reading::{Importing, Reading, Reason, Report, rows};

/// What the list is called here.
pub(crate) const LIST: &str = "us-dpl";

/// The rows of one party are kept until another begins; of more than this, the countries are left out.
const ROWS_MAX: u32 = 10_000;

/// Reads the denied persons.
pub fn read(reader: impl BufRead, importing: &Importing, emit: &mut dyn FnMut(Statement)) -> Report {
    let mut reading = Reading::new(importing, emit);
    let mut rows = rows(reader, true, b'\t');
    let columns = match rows.headers() {
        Ok(columns) => columns,
        Err(error) => {
            reading.stop("line 1", error);
            return reading.done();
        }
    };
    let mut open: Option<Party> = None;
    let mut row = csv::ByteRecord::new();
    loop {
        match rows.next(&mut row) {
            Ok(Some(line)) => {
                reading.record();
                let at = |name: &str| {
                    let at = columns.iter().position(|column| column.eq_ignore_ascii_case(name))?;
                    let text = String::from_utf8_lossy(row.get(at)?).trim().to_owned();
                    (!text.is_empty()).then_some(text)
                };
                let next = party(&mut reading, &format!("line {line}"), &at);
                take(&mut reading, &mut open, next);
            }
            Ok(None) => break,
            Err(error) => {
                reading.stop("rest of the file", error);
                break;
            }
        }
    }
    take(&mut reading, &mut open, None);
    if let Some(party) = open {
        party.say(&mut reading);
    }
    reading.done()
}

/// One party under one order.
struct Party {
    entity: Entity,
    named: Named,
    rows: u32,
}

impl Party {
    fn say(self, reading: &mut Reading<'_>) {
        reading.say_named("", self.entity, self.named);
    }
}

/// Puts a row to the party that it is about.
fn take(reading: &mut Reading<'_>, open: &mut Option<Party>, next: Option<Party>) {
    let Some(next) = next else { return };
    match open {
        Some(party) if party.entity.id == next.entity.id => {
            party.rows += 1;
            if party.rows <= ROWS_MAX {
                add_countries(&mut party.entity, next.entity.countries);
            }
            // Of two rows the one that ends later counts.
            let lasting = |to: Option<PartialDate>| to.map_or(ties::Day::MAX, PartialDate::settled);
            if lasting(next.named.valid.to) > lasting(party.named.valid.to) {
                party.named.valid.to = next.named.valid.to;
            }
        }
        Some(_) | None => {
            if let Some(party) = open.replace(next) {
                party.say(reading);
            }
        }
    }
}

fn party(reading: &mut Reading<'_>, place: &str, at: &dyn Fn(&str) -> Option<String>) -> Option<Party> {
    let Some(name) = at("Name") else {
        reading.refuse(place, Reason::Incomplete, "the order names nobody");
        return None;
    };
    let mut date = |column: &str| match at(column).map(|text| (american(&text), text)) {
        Some((None, text)) => {
            reading.refuse(
                format_args!("{place} {column}"),
                Reason::BadDate,
                format_args!("`{text}` is no date"),
            );
            None
        }
        Some((date, _)) => date,
        None => None,
    };
    let valid = Period { from: date("Effective_Date"), to: date("Expiration_Date") };
    let local = local(&name, valid.from);
    let mut entity = Entity::new(entry(LIST, &local), EntityKind::Unknown);
    add_name(&mut entity, &name, false);
    add_countries(&mut entity, at("Country").as_deref().and_then(countries::code));
    let named = Named { list: LIST, local, entry: at("FR_Citation"), valid, ..Named::default() };
    Some(Party { entity, named, rows: 1 })
}

/// What a denied person goes by, here and in the screening list: the name and the day of the order.
pub(crate) fn local(name: &str, from: Option<PartialDate>) -> String {
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{name} | {}", from.map(|date| date.to_string()).unwrap_or_default())
}

/// `10/16/2017`.
fn american(text: &str) -> Option<PartialDate> {
    let mut parts = text.split('/');
    let (month, day, year) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    format!("{year}-{month:0>2}-{day:0>2}").parse().ok()
}
