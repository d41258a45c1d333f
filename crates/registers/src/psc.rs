//! The United Kingdom's register of people with significant control: one JSON record per line.
//!
//! Each line is about one company and one person (or company, or public body) who is registered at it, or a statement
//! why nobody is. A *nature of control* is a code made of three parts: the right, the band, the capacity.
//!
//! ```text
//! ownership-of-shares  -25-to-50-percent  -as-trust             holds (25%,50%] of the shares as a trustee
//! voting-rights        -50-to-75-percent                        holds (50%,75%) of the votes
//! right-to-appoint-and-remove-directors   -as-firm              appoints a majority of the board
//! significant-influence-or-control        -as-control-over-trust
//! ```
//!
//! The bands are those of the Companies Act 2006, schedule 1A: *more than* 25 and *not more than* 50, more than 50 but
//! *less than* 75, 75 *or more*. So the first can never be a majority, and the second always is one.
//!
//! What people get wrong with this register, and what is done here:
//!
//! - `ceased_on` ends the person's tenure. It says nothing about the company.
//! - A person who is *super-secure*, and a statement that somebody exists who is not identified, are somebody: an
//!   unknown entity with an unknown share. That the company knows of *nobody* is weaker than a complete register; it
//!   means that no one person has more than a quarter.
//! - A company that is exempt because its shares are traded has holders that the register does not name.
//! - A corporate holder's number is free text. It is taken for a British company number only if the country says so
//!   and it has the form of one; else the holder is known by the register's own link.
//! - Only the nearest registrable company is named. Who is behind it must be asked there.
//!
//! The ties of one record go by its link and a fixed ending (`#shares`, `#votes-as-trust`, `#board`). When a record
//! changes, those that are not said again are over: [`record_of`](crate::record_of) finds them.

mod natures;

use std::io::BufRead;

use serde::Deserialize;
use serde_json::Value;
use ties::{
    Bound, Day, Entity, EntityId, EntityKind, ExternalId, Fraction, Holding, Name, PartialDate, Period, Said,
    Share, Statement, Tie, TieKind,
};

use crate::reading::{Importing, Reading, Reason, Report, external};

/// Reads a snapshot, or a part of one.
pub fn read(reader: impl BufRead, importing: &Importing, emit: &mut dyn FnMut(Statement)) -> Report {
    let mut reading = Reading::new(importing, emit);
    let mut last_company = None;
    reading.each_json(reader, &[], |reading, place, line: Line| {
        record(reading, &mut last_company, place, &line);
    });
    reading.done()
}

#[derive(Deserialize)]
struct Line {
    company_number: Option<String>,
    data: Data,
}

#[derive(Default, Deserialize)]
struct Data {
    #[serde(default)]
    kind: String,
    etag: Option<String>,
    name: Option<String>,
    name_elements: Option<NameElements>,
    date_of_birth: Option<Born>,
    nationality: Option<String>,
    country_of_residence: Option<String>,
    identification: Option<Identification>,
    #[serde(default)]
    natures_of_control: Vec<String>,
    statement: Option<String>,
    restrictions_notice_withdrawal_reason: Option<String>,
    exemptions: Option<Value>,
    notified_on: Option<String>,
    ceased_on: Option<String>,
    ceased: Option<bool>,
    links: Option<Links>,
}

#[derive(Deserialize)]
struct NameElements {
    forename: Option<String>,
    middle_name: Option<String>,
    surname: Option<String>,
}

#[derive(Deserialize)]
struct Born {
    year: Option<u16>,
    month: Option<u8>,
}

#[derive(Deserialize)]
struct Identification {
    registration_number: Option<String>,
    country_registered: Option<String>,
    place_registered: Option<String>,
    legal_authority: Option<String>,
}

#[derive(Deserialize)]
struct Links {
    #[serde(rename = "self")]
    own: Option<String>,
}

/// What the kinds of records are, whatever the register calls the persons ("with significant control", "beneficial
/// owner" of an overseas entity).
#[derive(Clone, Copy)]
enum Kind {
    Individual,
    Corporate,
    LegalPerson,
    SuperSecure,
    Statement,
    Exemptions,
    Totals,
}

fn kind(code: &str) -> Option<Kind> {
    let held = |begin: &str| {
        code.strip_prefix(begin)
            .is_some_and(|rest| matches!(rest, "person-with-significant-control" | "beneficial-owner"))
    };
    Some(match code {
        _ if held("individual-") => Kind::Individual,
        _ if held("corporate-entity-") => Kind::Corporate,
        _ if held("legal-person-") => Kind::LegalPerson,
        _ if held("super-secure-") => Kind::SuperSecure,
        "persons-with-significant-control-statement" => Kind::Statement,
        "exemptions" => Kind::Exemptions,
        _ if code.starts_with("totals#") => Kind::Totals,
        _ => return None,
    })
}

/// What all statements of a record share.
struct Record<'d> {
    place: &'d str,
    data: &'d Data,
    /// `01234567/individual/abc`.
    key: String,
    company: EntityId,
    valid: Period,
}

fn record(reading: &mut Reading<'_>, last_company: &mut Option<EntityId>, place: &str, line: &Line) {
    let data = &line.data;
    let Some(kind) = kind(&data.kind) else {
        return reading.refuse(place, Reason::UnknownKind, format_args!("`{}`", data.kind));
    };
    if let Kind::Totals = kind {
        return reading.note("totals");
    }
    let own_link = data.links.as_ref().and_then(|links| links.own.as_deref()).unwrap_or_default();
    // The streaming feed leaves the number out; it is in the link.
    let linked = own_link.strip_prefix("/company/").and_then(|rest| rest.split('/').next());
    let number = line.company_number.as_deref().filter(|number| !number.trim().is_empty()).or(linked);
    let Some(number) = number.and_then(|number| external("GB-COH", number)) else {
        return reading.refuse(
            place,
            Reason::Incomplete,
            "neither `company_number` nor a link names the company",
        );
    };
    let company: EntityId = match format!("{}:{}", number.scheme, number.value).parse() {
        Ok(company) => company,
        Err(error) => return reading.refuse(place, Reason::BadIdentifier, error),
    };
    let key = match own_link.rsplit_once("persons-with-significant-control/") {
        Some((_, person)) if !person.is_empty() => format!("{}/{person}", number.value),
        _ => format!("{}/{}", number.value, data.statement.as_deref().unwrap_or(&data.kind)),
    };
    let valid = period(reading, place, data);
    let record = Record { place, data, key, company: company.clone(), valid };

    if !matches!(kind, Kind::Exemptions) && last_company.as_ref() != Some(&company) {
        let said = Said::Entity(described(&company, number));
        let source = reading.source().clone();
        reading.say_again(0, source, "", said);
        *last_company = Some(company);
    } else if let Kind::Exemptions = kind {
        return exempt(reading, &record, number);
    }
    match kind {
        Kind::Individual => holds(reading, &record, individual(reading, &record)),
        Kind::Corporate | Kind::LegalPerson => {
            let holder = corporate(reading, &record);
            holds(reading, &record, holder);
        }
        Kind::SuperSecure => {
            let holder = unnamed(reading, &record, "protected from disclosure (super-secure)");
            holds(reading, &record, holder);
        }
        Kind::Statement => statement(reading, &record),
        Kind::Exemptions | Kind::Totals => {}
    }
}

fn described(company: &EntityId, number: ExternalId) -> Entity {
    let mut entity = Entity::new(company.clone(), EntityKind::Organisation);
    entity.countries.push("GB".to_owned());
    entity.identifiers.push(number);
    entity
}

fn date(reading: &mut Reading<'_>, place: &str, name: &str, text: Option<&str>) -> Option<PartialDate> {
    match text?.parse() {
        Ok(date) => Some(date),
        Err(error) => {
            reading.refuse(format_args!("{place} {name}"), Reason::BadDate, error);
            None
        }
    }
}

fn period(reading: &mut Reading<'_>, place: &str, data: &Data) -> Period {
    let from = date(reading, place, "notified_on", data.notified_on.as_deref());
    let mut to = date(reading, place, "ceased_on", data.ceased_on.as_deref());
    if to.is_none() && data.ceased == Some(true) {
        reading.note("ceased-without-date");
        to = Some(Day::of(reading.recorded()).into());
    }
    let valid = Period { from, to };
    if valid.is_backwards() {
        reading.refuse(format_args!("{place} ceased_on"), Reason::BadDate, "it lies before `notified_on`");
        return Period { from: None, to };
    }
    valid
}

fn individual(reading: &Reading<'_>, record: &Record<'_>) -> Entity {
    let data = record.data;
    let mut entity = Entity::new(reading.entity(&record.key), EntityKind::Person);
    let full = data.name_elements.as_ref().map(|name| {
        let parts = [&name.forename, &name.middle_name, &name.surname];
        parts
            .into_iter()
            .flatten()
            .map(|part| part.trim())
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    });
    let name = full.filter(|name| !name.is_empty()).or_else(|| data.name.clone());
    entity.names.extend(name.map(|text| Name { text, alias: false }));
    if let Some(Born { year: Some(year), month }) = data.date_of_birth {
        let text = month.map_or_else(|| format!("{year:04}"), |month| format!("{year:04}-{month:02}"));
        entity.founded = text.parse().ok();
    }
    // A nationality is a word of the country's people; where somebody lives is not where they belong.
    entity.countries.extend(data.nationality.as_deref().into_iter().flat_map(natures::nationalities));
    if entity.countries.is_empty() {
        entity.countries.extend(data.country_of_residence.as_deref().and_then(natures::british_or_named));
    }
    entity
}

fn corporate(reading: &mut Reading<'_>, record: &Record<'_>) -> Entity {
    let data = record.data;
    let mut entity = Entity::new(reading.entity(&record.key), EntityKind::Organisation);
    entity.names.extend(data.name.clone().map(|text| Name { text, alias: false }));
    let Some(known) = &data.identification else {
        reading.note("holder-without-register");
        return entity;
    };
    let places = [&known.country_registered, &known.place_registered, &known.legal_authority];
    let country = places[..2].iter().find_map(|place| natures::british_or_named(place.as_deref()?));
    entity.countries.extend(country.clone());
    let number = known.registration_number.as_deref().and_then(|number| {
        if country.as_deref() == Some("GB") && natures::is_company_number(number) {
            external("GB-COH", number)
        } else {
            external("registration", number)
        }
    });
    let Some(number) = number else {
        reading.note("holder-without-register");
        return entity;
    };
    if number.scheme == "GB-COH"
        && let Ok(id) = format!("{}:{}", number.scheme, number.value).parse::<EntityId>()
    {
        let because = "the register gives this company number for the holder".to_owned();
        let merged = std::mem::replace(&mut entity.id, id.clone());
        reading.say("", Said::Same { kept: id, merged, because });
    }
    entity.identifiers.push(number);
    entity
}

fn unnamed(reading: &mut Reading<'_>, record: &Record<'_>, why: &str) -> Entity {
    reading.note("undisclosed-party");
    let mut entity = Entity::new(reading.entity(&record.key), EntityKind::Unknown);
    entity.names.push(Name { text: format!("not disclosed: {why}"), alias: true });
    entity
}

/// Says who the holder is and what it holds.
fn holds(reading: &mut Reading<'_>, record: &Record<'_>, holder: Entity) {
    let stamp = record.data.etag.as_deref().unwrap_or_default();
    let from = holder.id.clone();
    reading.say(stamp, Said::Entity(holder));
    let mut ties = natures::ties(reading, record.place, &record.data.natures_of_control);
    if ties.is_empty() {
        // Registered, and nobody says for what: it may be any of the conditions.
        reading.note("no-nature-of-control");
        ties.push(("shares", TieKind::Holds(Holding::default())));
    }
    for (ending, kind) in ties {
        say_tie(reading, record, &from, ending, kind);
    }
}

fn say_tie(reading: &mut Reading<'_>, record: &Record<'_>, from: &EntityId, ending: &str, kind: TieKind) {
    let stamp = record.data.etag.as_deref().unwrap_or_default();
    let tie = Tie {
        id: reading.tie(&format!("{}#{ending}", record.key)),
        from: from.clone(),
        to: record.company.clone(),
        kind,
        valid: record.valid,
    };
    reading.say(stamp, Said::Tie(tie));
}

/// A statement instead of a person: why nobody is registered.
fn statement(reading: &mut Reading<'_>, record: &Record<'_>) {
    let Some(code) = record.data.statement.as_deref() else {
        return reading.refuse(record.place, Reason::Incomplete, "a statement needs `statement`");
    };
    if record.data.restrictions_notice_withdrawal_reason.is_some() {
        return reading.note("restrictions-withdrawn");
    }
    if code.starts_with("all-beneficial-owners-identified") {
        return reading.note("all-owners-identified");
    }
    let stamp = record.data.etag.as_deref().unwrap_or_default();
    let holder = unnamed(reading, record, code);
    let from = holder.id.clone();
    reading.say(stamp, Said::Entity(holder));
    // The register's own spelling lacks an `i`.
    let nobody =
        code.starts_with("no-individual-or-entity-with-sign") || code.starts_with("no-beneficial-owner");
    let share = if nobody {
        let (lo, quarter) = (Bound::closed(Fraction::percent(0)), Bound::closed(Fraction::percent(25)));
        reading.note("declared-without-owner");
        Share::between(lo, quarter).ok()
    } else {
        Some(Share::UNKNOWN)
    };
    let kind = TieKind::Holds(Holding { votes: share, money: share, ..Holding::default() });
    say_tie(reading, record, &from, "shares", kind);
}

/// An exemption, which companies with traded shares have: its holders are known to the market and not here.
fn exempt(reading: &mut Reading<'_>, record: &Record<'_>, number: ExternalId) {
    let (mut from, mut to, mut open, mut any) = (None, None, false, false);
    let exemptions = record.data.exemptions.as_ref().and_then(Value::as_object);
    let items =
        exemptions.into_iter().flat_map(|map| map.values()).filter_map(|one| one.get("items")?.as_array());
    for item in items.flatten() {
        any = true;
        let dated = |reading: &mut Reading<'_>, key: &str| {
            date(reading, record.place, key, item.get(key).and_then(Value::as_str))
        };
        let (begin, end) = (dated(reading, "exempt_from"), dated(reading, "exempt_to"));
        from = [from, begin].into_iter().flatten().min_by_key(|date: &PartialDate| date.earliest());
        open |= end.is_none();
        to = [to, end].into_iter().flatten().max_by_key(|date: &PartialDate| date.earliest());
    }
    if !any {
        return reading.refuse(record.place, Reason::Incomplete, "an exemption needs `items`");
    }
    let valid = Period { from, to: to.filter(|_| !open) };
    let valid = if valid.is_backwards() { Period { from: None, ..valid } } else { valid };
    let mut company = described(&record.company, number);
    company.publicly_listed = open.then_some(true);
    let stamp = record.data.etag.as_deref().unwrap_or_default();
    // Other records describe the company too, and say less: this one is the later word.
    let source = reading.source().clone();
    reading.say_again(1, source, stamp, Said::Entity(company));
    let holder = unnamed(reading, record, "the company is exempt, its shares are traded");
    let id = holder.id.clone();
    reading.say(stamp, Said::Entity(holder));
    let record = Record { key: record.key.clone(), company: record.company.clone(), valid, ..*record };
    say_tie(reading, &record, &id, "shares", TieKind::Holds(Holding::default()));
}
