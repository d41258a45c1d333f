//! OFAC's lists as comma-separated values.
//!
//! Two lists, the SDN list and the consolidated one of all others, each in four tables without a head, in which `-0-`
//! means nothing:
//!
//! ```text
//! sdn.csv           number, name, type, programmes, .., flag, owner, remarks     cons_prim.csv
//! alt.csv           number, ., aka|fka|nka, name, .                              cons_alt.csv
//! add.csv           number, ., address, city, country, .                         cons_add.csv
//! sdn_comments.csv  number, the rest of the remarks, from the middle of a word   cons_comments.csv
//! ```
//!
//! The tables belong together: [`Companions`] takes the last three, and [`names`] reads the first with them. The rest
//! of a remark can only be read behind its beginning. Alternates and addresses can also be read alone.
//!
//! Ships and aircraft are entities like others; what they are stands among their sectors. A link is an
//! [`Associates`](ties::TieKind::Associates) tie from the one that is named to the entry that names it.

use std::collections::BTreeMap;
use std::io::BufRead;

use model::Timestamp;
use ties::{Entity, EntityKind, Said, Source, Statement};

use crate::countries;
use crate::ofac_links::{Links, Relation};
use crate::ofac_remarks::{Remarks, remarks};
use crate::party::{Named, OFAC, add_countries, add_name, entry};
use crate::reading::{Importing, Reading, Reason, Report, external, rows};

/// How much the companions may hold, in bytes. The real ones have 1.3 MB.
const COMPANIONS_BYTES_MAX: usize = 256 << 20;
/// How many names or countries of one entry are kept where tables are read alone.
const GROUP_MAX: usize = 10_000;

/// Which of OFAC's lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// Specially designated nationals and blocked persons.
    Sdn,
    /// Everybody on a list of OFAC's that is not that one.
    Consolidated,
}

impl List {
    /// The list that a document's name stands for: the consolidated one if it has `cons` in it.
    #[must_use]
    pub fn of(document: &str) -> Self {
        if document.to_ascii_lowercase().contains("cons") { Self::Consolidated } else { Self::Sdn }
    }

    /// What it is called here.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Sdn => "ofac-sdn",
            Self::Consolidated => "ofac-consolidated",
        }
    }
}

/// A table beside the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Companion {
    /// Other names.
    Alternates,
    /// Addresses.
    Addresses,
    /// The rest of remarks that were too long.
    Comments,
}

/// The tables that go with a table of names.
#[derive(Debug, Default)]
pub struct Companions {
    aliases: BTreeMap<u64, Vec<String>>,
    countries: BTreeMap<u64, Vec<String>>,
    remarks: BTreeMap<u64, String>,
    bytes: usize,
}

impl Companions {
    /// Takes in a table of alternates, addresses or comments.
    pub fn add(&mut self, which: Companion, reader: impl BufRead) -> Report {
        let importing = Importing { document: Source::default(), recorded: Timestamp::from_micros(0) };
        let mut ignored = |_| {};
        let mut reading = Reading::new(&importing, &mut ignored);
        reading.each_row(reader, |reading, line, number, row| {
            let Some(text) = companion(which, row) else { return Next::Row };
            self.bytes += text.len() + 64;
            if self.bytes > COMPANIONS_BYTES_MAX {
                reading.stop(line, "the tables beside the names are longer than 256 MiB");
                return Next::End;
            }
            match which {
                Companion::Alternates => self.aliases.entry(number).or_default().push(text),
                Companion::Addresses => self.countries.entry(number).or_default().push(text),
                Companion::Comments => self.remarks.entry(number).or_default().push_str(&text),
            }
            Next::Row
        });
        reading.done()
    }
}

/// What a row of a companion adds: a name, a country's code, or text.
fn companion(which: Companion, row: &[String]) -> Option<String> {
    match which {
        Companion::Alternates => cell(row, 3).map(str::to_owned),
        Companion::Addresses => cell(row, 4).and_then(countries::code),
        // It continues where the remark was cut, blanks included.
        Companion::Comments => row.get(1).cloned(),
    }
}

/// Reads a table of names, with what its companions add.
pub fn names(
    reader: impl BufRead,
    list: List,
    companions: &Companions,
    importing: &Importing,
    emit: &mut dyn FnMut(Statement),
) -> Report {
    let mut reading = Reading::new(importing, emit);
    let mut links = Links::default();
    reading.each_row(reader, |reading, line, number, row| {
        match cell(row, 1) {
            Some(name) if row.len() >= 4 => party(reading, &mut links, list, companions, number, name, row),
            Some(_) => reading.refuse(line, Reason::Malformed, "a row of names has at least four columns"),
            None => reading.refuse(line, Reason::Incomplete, "the entry has no name"),
        }
        Next::Row
    });
    links.say(&mut reading);
    reading.done()
}

fn party(
    reading: &mut Reading<'_>,
    links: &mut Links,
    list: List,
    companions: &Companions,
    number: u64,
    name: &str,
    row: &[String],
) {
    let (kind, sector) = kind(cell(row, 2));
    let mut entity = Entity::new(entry(OFAC, &number.to_string()), kind);
    entity.sectors.extend(sector.map(str::to_owned));
    add_name(&mut entity, name, false);
    links.bears(reading, number, name, false);

    let mut text = cell(row, 11).unwrap_or_default().to_owned();
    text.push_str(companions.remarks.get(&number).map_or("", String::as_str));
    let Remarks { born, countries: nations, identifiers, aliases, links: linked } = remarks(&text);
    let alternates = companions.aliases.get(&number).map_or(&[][..], Vec::as_slice);
    for alias in alternates.iter().chain(&aliases) {
        add_name(&mut entity, alias, true);
        links.bears(reading, number, alias, true);
    }
    for name in &linked {
        links.add(reading, list.id(), number, name, Relation::Linked);
    }
    if let Some(owner) = cell(row, 10) {
        links.add(reading, list.id(), number, owner, Relation::Owner);
    }
    add_countries(&mut entity, nations);
    add_countries(&mut entity, cell(row, 9).and_then(countries::code));
    // A person's addresses tell where letters go, not whose citizen it is.
    if kind == EntityKind::Organisation {
        add_countries(&mut entity, companions.countries.get(&number).cloned().unwrap_or_default());
    }
    entity.founded = born;
    entity.identifiers = identifiers;
    entity.identifiers.extend(cell(row, 5).and_then(|sign| external("call-sign", sign)));

    let entry = cell(row, 3).map(|programmes| programmes.replace("] [", ", "));
    let named = Named { list: list.id(), local: number.to_string(), entry, ..Named::default() };
    reading.say_named("", entity, named);
}

/// What OFAC's word for a party means.
pub(crate) fn kind(word: Option<&str>) -> (EntityKind, Option<&'static str>) {
    match word.map(str::to_ascii_lowercase).as_deref() {
        Some("individual") => (EntityKind::Person, None),
        Some("vessel") => (EntityKind::Organisation, Some("vessel")),
        Some("aircraft") => (EntityKind::Organisation, Some("aircraft")),
        Some(_) | None => (EntityKind::Organisation, None),
    }
}

/// Reads alternates or addresses alone: what they add to the entries, by a document of their own beside the names'.
///
/// Comments alone say nothing, since they begin in the middle: each is counted as `remark-without-beginning`.
pub fn alone(
    reader: impl BufRead,
    which: Companion,
    importing: &Importing,
    emit: &mut dyn FnMut(Statement),
) -> Report {
    let mut source = importing.document.clone();
    let suffix = match which {
        Companion::Alternates => "alternates",
        Companion::Addresses => "addresses",
        Companion::Comments => "comments",
    };
    source.document = format!("{}-{suffix}", source.document);
    let mut reading = Reading::new(importing, emit);
    // An entry's rows follow each other.
    let mut group: Option<(u64, Vec<String>)> = None;
    reading.each_row(reader, |reading, _, number, row| {
        let text = companion(which, row);
        if which == Companion::Comments {
            reading.note("remark-without-beginning");
            return Next::Row;
        }
        match &mut group {
            Some((open, texts)) if *open == number => {
                if texts.len() < GROUP_MAX {
                    texts.extend(text);
                } else {
                    reading.note("rows-beyond-limit");
                }
            }
            _ => {
                if let Some(done) = group.replace((number, text.into_iter().collect())) {
                    say_group(reading, &source, which, done);
                }
            }
        }
        Next::Row
    });
    if let Some(done) = group {
        say_group(&mut reading, &source, which, done);
    }
    reading.done()
}

fn say_group(
    reading: &mut Reading<'_>,
    source: &Source,
    which: Companion,
    (number, texts): (u64, Vec<String>),
) {
    if texts.is_empty() {
        return;
    }
    let mut entity = Entity::new(entry(OFAC, &number.to_string()), EntityKind::Unknown);
    if which == Companion::Alternates {
        for text in &texts {
            add_name(&mut entity, text, true);
        }
    } else {
        add_countries(&mut entity, texts);
    }
    reading.say_by(source.clone(), "", Said::Entity(entity));
}

/// Whether to go on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Row,
    End,
}

/// A cell's text; `None` if it is empty or says `-0-`.
fn cell(row: &[String], at: usize) -> Option<&str> {
    row.get(at).map(|text| text.trim()).filter(|text| !text.is_empty() && *text != "-0-")
}

impl Reading<'_> {
    /// Reads rows that begin with the number of an entry.
    fn each_row(
        &mut self,
        reader: impl BufRead,
        mut each: impl FnMut(&mut Self, &str, u64, &[String]) -> Next,
    ) {
        let mut rows = rows(reader, false, b',');
        let mut row = csv::ByteRecord::new();
        loop {
            let line = match rows.next(&mut row) {
                Ok(Some(line)) => format!("line {line}"),
                Ok(None) => return,
                Err(error) => return self.stop("rest of the file", error),
            };
            // The sign with which old systems end a file.
            if row.len() == 1 && row[0].trim_ascii() == b"\x1a" {
                continue;
            }
            self.record();
            let cells: Vec<String> =
                row.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect();
            let first = cells.first().map_or("", |cell| cell.trim());
            match first.parse() {
                Ok(number) => {
                    if each(self, &line, number, &cells) == Next::End {
                        return;
                    }
                }
                Err(_) => {
                    self.refuse(
                        line,
                        Reason::BadIdentifier,
                        format_args!("`{first}` is no number of an entry"),
                    );
                }
            }
        }
    }
}
