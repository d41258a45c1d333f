//! `FollowTheMoney` (OCCRP, `OpenSanctions`): entities as JSON lines, and the changes between two editions.
//!
//! ```text
//! {"id":"a","schema":"Company","properties":{"name":["Acme"]},"referents":["b"]}
//! {"id":"e","schema":"Ownership","properties":{"owner":["x"],"asset":["a"],"percentage":["25-50"]}}
//! {"op":"DEL","entity":{"id":"e"}}
//! ```
//!
//! Everything is an entity there, ties too, and every property is a list of texts. So:
//!
//! - A percentage is read from text: `49`, `50,01`, `25-50`, `>50`, `at least 75`. Several texts make the range that
//!   holds them all. What cannot be read is an unknown share, not none.
//! - Several owners or assets in one record are as many ties.
//! - `referents` are identifiers that were merged into this one: each is said to be the same.
//! - A `Sanction` is a listing, on the list of the data set that it comes from; so is the topic `sanction`,
//!   `export.control` or `debarment` of an entity, for files that carry the topic alone.
//! - `ADD` and `MOD` say what holds now. `DEL` ends: the tie or the listing of that identifier is over, as of the day
//!   of the file. An entity that is deleted is not dissolved; it is merely not listed any more.
//! - In a full export, what is missing is over ([`closes_missing`](crate::closes_missing)).
//!
//! Addresses, payments, documents and the like are no ties, and are counted as such.

mod edge;
mod percentage;
mod thing;

use std::collections::BTreeMap;
use std::io::BufRead;

use serde::Deserialize;
use ties::{Day, End, Ending, PartialDate, Said, Source, Statement};

use crate::reading::{Importing, Reading, Reason, Report};

pub(crate) use percentage::{hull, read as percentage};

/// The topics that are listings.
const LISTED: [&str; 3] = ["sanction", "export.control", "debarment"];

/// Reads a file of entities, or of changes.
pub fn read(reader: impl BufRead, importing: &Importing, emit: &mut dyn FnMut(Statement)) -> Report {
    let mut reading = Reading::new(importing, emit);
    reading.each_json(reader, &[], |reading, place, line: Line| match line {
        Line { op: None, entity: None, id: Some(id), schema, properties, rest } => {
            entity(reading, place, &Thing { id, schema, properties, rest }, Op::Add);
        }
        Line { op: Some(op), entity: Some(thing), .. } => {
            reading.is_delta();
            match op.as_str() {
                "ADD" => entity(reading, place, &thing, Op::Add),
                "MOD" => entity(reading, place, &thing, Op::Mod),
                "DEL" => delete(reading, place, &thing.id),
                other => {
                    reading.refuse(place, Reason::BadValue, format!("`{other}` is none of ADD, MOD, DEL"));
                }
            }
        }
        _ => reading.refuse(place, Reason::Incomplete, "neither an entity with `id` nor a change with `op`"),
    });
    reading.done()
}

/// A line: an entity, or a change around one.
#[derive(Deserialize)]
struct Line {
    op: Option<String>,
    entity: Option<Thing>,
    id: Option<String>,
    #[serde(default)]
    schema: String,
    #[serde(default)]
    properties: Properties,
    #[serde(flatten)]
    rest: Rest,
}

/// An entity.
#[derive(Deserialize)]
struct Thing {
    id: String,
    #[serde(default)]
    schema: String,
    #[serde(default)]
    properties: Properties,
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Default, Deserialize)]
struct Rest {
    caption: Option<String>,
    #[serde(default)]
    referents: Vec<String>,
    #[serde(default)]
    datasets: Vec<String>,
    last_change: Option<String>,
}

/// Properties: lists of texts.
#[derive(Default, Deserialize)]
#[serde(transparent)]
struct Properties(BTreeMap<String, Vec<String>>);

impl Properties {
    /// The texts of a property that are not blank.
    fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.get(name).into_iter().flatten().map(|text| text.trim()).filter(|text| !text.is_empty())
    }

    fn first(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Whether a text of one of the properties has the word in it.
    fn mentions(&self, names: &[&str], word: &str) -> bool {
        names.iter().flat_map(|name| self.all(name)).any(|text| text.to_lowercase().contains(word))
    }

    /// The dates of a property, the earliest first. What is no date is refused.
    fn dates(&self, reading: &mut Reading<'_>, place: &str, name: &str) -> Vec<PartialDate> {
        let mut dates = Vec::new();
        for text in self.all(name) {
            match text.split(' ').next().unwrap_or_default().parse() {
                Ok(date) => dates.push(date),
                Err(error) => reading.refuse(format_args!("{place} {name}"), Reason::BadDate, error),
            }
        }
        dates.sort_by_key(|date: &PartialDate| (date.earliest(), date.settled()));
        dates
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Op {
    Add,
    Mod,
}

fn entity(reading: &mut Reading<'_>, place: &str, thing: &Thing, op: Op) {
    if thing.id.trim().is_empty() {
        return reading.refuse(place, Reason::Incomplete, "`id` is empty");
    }
    if thing.schema.is_empty() {
        return reading.refuse(place, Reason::Incomplete, "`schema` is required");
    }
    if let Some(kind) = thing::kind(&thing.schema) {
        thing::describe(reading, place, thing, kind, op);
    } else if let Some(edge) = edge::edge(&thing.schema) {
        edge::relate(reading, place, thing, &edge);
    } else if thing.schema == "Sanction" {
        thing::listing(reading, place, thing);
    } else {
        reading.note("not-about-ties");
    }
}

fn delete(reading: &mut Reading<'_>, place: &str, id: &str) {
    if id.trim().is_empty() {
        return reading.refuse(place, Reason::Incomplete, "`id` is empty");
    }
    let on = today(reading);
    let tie = reading.tie(id);
    let topics = LISTED.map(|topic| reading.tie(&topic_listing(id, topic)));
    for tie in std::iter::once(tie).chain(topics) {
        reading.say("", Said::End(End { tie, on, by: Ending::Completed }));
    }
}

/// The listing of an entity by a topic.
fn topic_listing(id: &str, topic: &str) -> String {
    format!("{id}#{topic}")
}

/// As of when the file tells.
fn today(reading: &Reading<'_>) -> PartialDate {
    reading.source().retrieved.unwrap_or_else(|| Day::of(reading.recorded()).into())
}

/// The file's source, with the address and the publisher that the record names.
fn source(reading: &Reading<'_>, thing: &Thing) -> Source {
    let mut source = reading.source().clone();
    let named = |name: &str| thing.properties.first(name).map(str::to_owned);
    source.url = named("sourceUrl").or(source.url);
    source.publisher = named("publisher").or_else(|| named("authority")).or(source.publisher);
    source
}
