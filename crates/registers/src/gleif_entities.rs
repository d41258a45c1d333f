//! GLEIF level 1: one record for each Legal Entity Identifier.
//!
//! ```text
//! registration   ISSUED, LAPSED, RETIRED, MERGED, ..    the same company; whether it exists is the entity's status
//!                DUPLICATE                              the company has another LEI: the two are one
//!                ANNULLED, CANCELLED                    the LEI should never have been given: nothing is said
//! entity         INACTIVE                               dissolved, by the date of expiration or of the event
//! successor      an LEI                                 the successor follows it
//! ```

use ties::{Entity, EntityId, EntityKind, ExternalId, Name, PartialDate, Period, Said, Tie, TieKind};

use crate::countries;
use crate::gleif::is_lei;
use crate::reading::{Reading, Reason, external, identity};
use crate::tree::Node;

/// The events that end a legal entity, the surest first.
const ENDING_EVENTS: [&str; 7] = [
    "DISSOLUTION",
    "ABSORPTION",
    "MERGERS_AND_ACQUISITIONS",
    "DEMERGER",
    "LIQUIDATION",
    "BANKRUPTCY",
    "INSOLVENCY",
];

/// The codes of the three British company registers.
const COMPANIES_HOUSE: [&str; 3] = ["RA000585", "RA000586", "RA000587"];

/// Says what a record of level 1 says.
pub(crate) fn record(reading: &mut Reading<'_>, place: &str, record: &Node) {
    let Some(lei) = record.get(&["LEI"]) else {
        return reading.refuse(place, Reason::Incomplete, "the record has no LEI");
    };
    let Some(id) = company(lei) else {
        return reading.refuse(place, Reason::BadIdentifier, format_args!("`{lei}` is no LEI"));
    };
    if record.at(&["Extension", "Deletion"]).is_some() {
        // A file of changes tells that the record was taken out, which says nothing of the company.
        return reading.note("record-deleted");
    }
    let stamp = record.get(&["Registration", "LastUpdateDate"]).unwrap_or_default();
    match record.get(&["Registration", "RegistrationStatus"]) {
        Some("DUPLICATE") => return duplicate(reading, place, stamp, &id, record),
        Some(status @ ("ANNULLED" | "CANCELLED" | "PENDING_VALIDATION")) => {
            return reading.note(&format!("registration-{}", status.to_lowercase().replace('_', "-")));
        }
        Some("LAPSED") => reading.note("registration-lapsed"),
        Some(_) | None => {}
    }
    let source = reading.validated(record);
    let entity = entity(reading, place, &id, lei, record);
    let dissolved = entity.dissolved;
    let same = identity(id.clone(), &entity.identifiers).others;
    reading.say_by(source.clone(), stamp, Said::Entity(entity));
    for other in same {
        let because = format!("the LEI record names {other}, checked with the register");
        reading.say_by(source.clone(), stamp, Said::Same { kept: id.clone(), merged: other, because });
    }
    for successor in record.with("SuccessorLEI").iter().filter_map(|group| group.get(&["SuccessorLEI"])) {
        let Some(successor) = company(successor).filter(|successor| *successor != id) else {
            reading.refuse(
                place,
                Reason::BadIdentifier,
                format_args!("`{successor}` is no LEI of a successor"),
            );
            continue;
        };
        let tie = Tie {
            id: reading.tie(&format!("lei/{lei}#{successor}")),
            from: successor,
            to: id.clone(),
            kind: TieKind::Succeeds,
            valid: Period { from: dissolved, to: None },
        };
        reading.say_by(source.clone(), stamp, Said::Tie(tie));
    }
}

/// The entity with that LEI.
pub(crate) fn company(lei: &str) -> Option<EntityId> {
    is_lei(lei).then(|| format!("XI-LEI:{lei}").parse().ok()).flatten()
}

/// A duplicate's successor is the LEI that stays.
fn duplicate(reading: &mut Reading<'_>, place: &str, stamp: &str, id: &EntityId, record: &Node) {
    let kept = record.all("SuccessorLEI").into_iter().find_map(Node::value).and_then(company);
    let Some(kept) = kept.filter(|kept| kept != id) else {
        return reading.refuse(
            place,
            Reason::Incomplete,
            "a duplicate that does not name the LEI that stays",
        );
    };
    let because = format!("GLEIF marks {id} as a duplicate of {kept}");
    let source = reading.validated(record);
    reading.say_by(source, stamp, Said::Same { kept, merged: id.clone(), because });
}

fn entity(reading: &mut Reading<'_>, place: &str, id: &EntityId, lei: &str, record: &Node) -> Entity {
    let mut entity = Entity::new(id.clone(), kind(record));
    let legal = record.get(&["Entity", "LegalName"]);
    let others = ["OtherEntityName", "TransliteratedOtherEntityName"];
    let others = others.iter().flat_map(|name| record.all(name)).filter_map(Node::value);
    let names = legal.map(|text| (text, false)).into_iter().chain(others.map(|text| (text, true)));
    for (text, alias) in names {
        if !entity.names.iter().any(|name| name.text == text) {
            entity.names.push(Name { text: text.to_owned(), alias });
        }
    }
    // A jurisdiction may be a part of a country: `US-DE`.
    let country = |path: &[&str]| record.get(path).and_then(|text| text.get(..2));
    let law =
        country(&["Entity", "LegalJurisdiction"]).or_else(|| country(&["Entity", "LegalAddress", "Country"]));
    entity.countries =
        countries::codes(law.into_iter().chain(country(&["Entity", "HeadquartersAddress", "Country"])));
    entity.identifiers = identifiers(lei, record);
    entity.founded = reading.date_at(place, record, &["Entity", "EntityCreationDate"]);
    if record.get(&["Entity", "EntityStatus"]) == Some("INACTIVE") {
        entity.dissolved = Some(dissolved(reading, place, record));
    }
    entity
}

fn kind(record: &Node) -> EntityKind {
    match record.get(&["Entity", "EntityCategory"]) {
        Some("RESIDENT_GOVERNMENT_ENTITY") => EntityKind::StateBody,
        Some("SOLE_PROPRIETOR") => EntityKind::Person,
        Some(_) | None => EntityKind::Organisation,
    }
}

/// The LEI, and the number in the register that knows the entity.
///
/// Branches and funds give the number of what they belong to. So a number counts as the entity's own, by the
/// register's common code, only for what is neither, and only if somebody compared it with the register; else it stays
/// under GLEIF's code of the register, which merges nothing.
fn identifiers(lei: &str, record: &Node) -> Vec<ExternalId> {
    let authority = ["Entity", "RegistrationAuthority"];
    let at = |name: &str| record.get(&[authority[0], authority[1], name]);
    let own = record.get(&["Entity", "EntityCategory"]) == Some("GENERAL")
        && record.get(&["Registration", "ValidationSources"]) == Some("FULLY_CORROBORATED");
    let number = at("RegistrationAuthorityID").zip(at("RegistrationAuthorityEntityID"));
    // RA888888 and RA999999 mean that no register of GLEIF's list knows it.
    let number = number.filter(|(authority, _)| !matches!(*authority, "RA888888" | "RA999999"));
    let number = number.and_then(|(authority, number)| {
        let scheme = if own && COMPANIES_HOUSE.contains(&authority) { "GB-COH" } else { authority };
        external(scheme, number)
    });
    external("XI-LEI", lei).into_iter().chain(number).collect()
}

/// When an inactive entity ended: as the record says, else by its last update at the latest.
fn dissolved(reading: &mut Reading<'_>, place: &str, record: &Node) -> PartialDate {
    if let Some(date) = reading.date_at(place, record, &["Entity", "EntityExpirationDate"]) {
        return date;
    }
    let events = record.with("LegalEntityEventType");
    let happened = |event: &&&Node| {
        let status = event.get(&["event_status"]).or_else(|| event.get(&["LegalEntityEventStatus"]));
        !matches!(status, Some("IN_PROGRESS" | "WITHDRAWN_CANCELLED"))
    };
    for wanted in ENDING_EVENTS {
        let ends = |event: &&&Node| event.get(&["LegalEntityEventType"]) == Some(wanted);
        let found = events.iter().filter(ends).filter(happened);
        let date =
            found.filter_map(|event| event.get(&["LegalEntityEventEffectiveDate"])?.parse().ok()).max();
        if let Some(date) = date {
            return date;
        }
    }
    reading.note("dissolved-by-last-update");
    let updated = record.get(&["Registration", "LastUpdateDate"]).and_then(|date| date.parse().ok());
    updated.unwrap_or_else(|| reading.today())
}
