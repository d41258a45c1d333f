//! Beneficial Ownership Data Standard (Open Ownership), 0.1 to 0.4 in, 0.4 out.
//!
//! A BODS file is an array (or lines) of statements about *entities*, *persons*, and *relationships*: what interests an
//! interested party has in a subject.
//!
//! ```text
//! 0.1 - 0.3   statementType entityStatement | personStatement | ownershipOrControlStatement; they point at each
//!             other by statementID, and a newer one names what it replaces
//! 0.4         recordType entity | person | relationship; they point at each other by recordId, and a newer statement
//!             about the same record replaces the older
//! ```
//!
//! How it is read here:
//!
//! - The interests of one relationship become ties: shares and votes of the same time are one holding, since votes
//!   and money are two numbers of the same stake; each other interest is a tie of its own. The first tie goes by the
//!   record's identifier, further ones by `record#2`, `record#3`.
//! - A party that is *unspecified*, unknown or anonymous becomes an entity of kind unknown that holds what is said to
//!   be held. That somebody is there is information.
//! - An *indirect* interest that names its components sums them up ([`Holding::indirect`](ties::Holding)).
//! - A share of exactly 0 and an `endDate` both mean "not any more". A closed record ends its ties.
//! - A statement that is replaced is retracted; where it stood in another file, its tie ends.
//! - What cannot be read in a field is refused, and the field counts as unknown. A stake whose share is nonsense is
//!   still a stake.

mod describe;
mod fields;
mod interest;
mod relate;
mod write;

use std::io::BufRead;

use serde_json::Value;
use ties::{PartialDate, Source, Statement};

use crate::reading::{Importing, Reading, Reason, Report};
use describe::{entity, person};
use fields::Fields;
use relate::{Seen, relationship};

pub use write::{Publication, Written, write};

/// Reads a file of BODS statements.
pub fn read(reader: impl BufRead, importing: &Importing, emit: &mut dyn FnMut(Statement)) -> Report {
    let mut reading = Reading::new(importing, emit);
    let mut seen = Seen::default();
    reading.each_json(reader, &[], |reading, place, value: Value| record(reading, &mut seen, place, &value));
    reading.done()
}

/// Whom and when a statement is from.
struct Head {
    /// What others point at: the record's identifier (0.4) or the statement's (0.1 to 0.3).
    key: String,
    /// The statement's identifier.
    stamp: String,
    /// The statement's date.
    date: Option<PartialDate>,
    source: Source,
    status: Status,
    /// Identifiers of the statements that this one replaces.
    replaces: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    /// New or updated; also where the version has no word for it.
    Current,
    Closed,
}

fn record(reading: &mut Reading<'_>, seen: &mut Seen, place: &str, value: &Value) {
    let Some(fields) = Fields::of(value, place) else {
        return reading.refuse(place, Reason::Malformed, "a statement is a JSON object");
    };
    if fields.has("recordType") || fields.has("recordDetails") || fields.has("recordId") {
        record_04(reading, seen, &fields);
    } else if fields.has("statementType") {
        statement_03(reading, seen, &fields);
    } else {
        // Drafts before 0.1 have groups of statements without types.
        reading.refuse(
            place,
            Reason::UnknownKind,
            "neither `recordType` (0.4) nor `statementType` (0.1 to 0.3)",
        );
    }
}

/// A statement of 0.4.
fn record_04(reading: &mut Reading<'_>, seen: &mut Seen, fields: &Fields<'_>) {
    let kind = fields.text(reading, "recordType");
    let (Some(kind), Some(key)) = (kind, fields.text(reading, "recordId")) else {
        return reading.refuse(&fields.place, Reason::Incomplete, "`recordType` and `recordId` are required");
    };
    let stamp = fields.text(reading, "statementId");
    if stamp.is_none() {
        reading.refuse(&fields.place, Reason::Incomplete, "`statementId` is required");
    }
    let Some(details) = fields.object(reading, "recordDetails") else {
        return reading.refuse(&fields.place, Reason::Incomplete, "`recordDetails` is required");
    };
    let status = match fields.text(reading, "recordStatus") {
        Some("closed") => Status::Closed,
        None | Some("new" | "updated") => Status::Current,
        Some(other) => {
            let message = format!("`{other}` is none of new, updated, closed");
            reading.refuse(fields.at("recordStatus"), Reason::BadValue, message);
            Status::Current
        }
    };
    let head = Head {
        key: key.to_owned(),
        stamp: stamp.unwrap_or_default().to_owned(),
        date: fields.date(reading, "statementDate"),
        source: fields.source(reading),
        status,
        replaces: Vec::new(),
    };
    match kind {
        "entity" => entity(reading, seen, &head, &details),
        "person" => person(reading, seen, &head, &details),
        "relationship" => {
            let subject = details.party(reading, "subject");
            let party = details.party(reading, "interestedParty");
            relationship(reading, seen, &head, &details, subject, party);
        }
        other => reading.refuse(fields.at("recordType"), Reason::UnknownKind, format_args!("`{other}`")),
    }
}

/// A statement of 0.1 to 0.3.
fn statement_03(reading: &mut Reading<'_>, seen: &mut Seen, fields: &Fields<'_>) {
    let kind = fields.text(reading, "statementType");
    let (Some(kind), Some(head)) = (kind, head_03(reading, fields)) else {
        return reading.refuse(
            &fields.place,
            Reason::Incomplete,
            "`statementType` and `statementID` are required",
        );
    };
    match kind {
        "entityStatement" => entity(reading, seen, &head, fields),
        "personStatement" => person(reading, seen, &head, fields),
        "ownershipOrControlStatement" => {
            let subject = fields.described(reading, "subject");
            let party = fields.described(reading, "interestedParty");
            relationship(reading, seen, &head, fields, subject, party);
        }
        other => reading.refuse(fields.at("statementType"), Reason::UnknownKind, format_args!("`{other}`")),
    }
}

fn head_03(reading: &mut Reading<'_>, fields: &Fields<'_>) -> Option<Head> {
    let id = fields.text(reading, "statementID")?.to_owned();
    // The shipped examples of three versions write it without the `s`.
    let mut replaces = fields.texts(reading, "replacesStatements");
    replaces.extend(fields.texts(reading, "replaceStatements"));
    Some(Head {
        stamp: id.clone(),
        key: id,
        date: fields.date(reading, "statementDate"),
        source: fields.source(reading),
        status: Status::Current,
        replaces: replaces.into_iter().map(str::to_owned).collect(),
    })
}
