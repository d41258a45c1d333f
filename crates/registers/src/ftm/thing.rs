//! Things (companies, people, vessels) and the listings that name them.

use ties::{End, Ending, Entity, EntityKind, ExternalId, Listing, Name, PartialDate, Period, Said};

use super::{LISTED, Op, Thing, source, today, topic_listing};
use crate::reading::{Reading, Reason, external, identity};

/// The properties that are identifiers, with the code of the scheme. One without a hyphen decides nothing alone.
const IDENTIFIERS: [(&str, &str); 15] = [
    ("leiCode", "XI-LEI"),
    ("ogrnCode", "RU-OGRN"),
    ("innCode", "RU-INN"),
    ("imoNumber", "IMO"),
    ("swiftBic", "BIC"),
    ("isinCode", "ISIN"),
    ("isin", "ISIN"),
    ("dunsCode", "DUNS"),
    ("uniqueEntityId", "UEI"),
    ("cageCode", "CAGE"),
    ("registrationNumber", "registration"),
    ("vatCode", "VAT"),
    ("taxNumber", "tax"),
    ("idNumber", "id"),
    ("passportNumber", "passport"),
];

/// What kind of entity the schema is, if it is one that can hold or be held.
pub(super) fn kind(schema: &str) -> Option<EntityKind> {
    Some(match schema {
        "Person" => EntityKind::Person,
        "PublicBody" => EntityKind::StateBody,
        // A legal entity of which it is not known whether it is a person is whatever can be owned or run.
        "Company" | "Organization" | "LegalEntity" | "Asset" | "Vessel" | "Airplane" | "Vehicle"
        | "RealEstate" | "CryptoWallet" | "Security" => EntityKind::Organisation,
        _ => return None,
    })
}

pub(super) fn describe(reading: &mut Reading<'_>, place: &str, thing: &Thing, kind: EntityKind, op: Op) {
    let properties = &thing.properties;
    let mut entity = Entity::new(reading.entity(&thing.id), kind);
    for (property, alias) in [("name", false), ("alias", true), ("weakAlias", true), ("previousName", true)] {
        let names = properties.all(property).map(|text| Name { text: text.to_owned(), alias });
        entity.names.extend(names);
    }
    if let Some(caption) = thing.rest.caption.as_deref().filter(|caption| !caption.trim().is_empty()) {
        // The caption is the name that the publisher chose: it comes first.
        entity.names.retain(|name| name.text != caption);
        entity.names.insert(0, Name { text: caption.to_owned(), alias: false });
    }
    for property in ["jurisdiction", "mainCountry", "country", "nationality", "citizenship"] {
        for code in properties.all(property) {
            let code = code.to_ascii_uppercase();
            if code.len() == 2
                && code.bytes().all(|b| b.is_ascii_uppercase())
                && !entity.countries.contains(&code)
            {
                entity.countries.push(code);
            }
        }
    }
    entity.identifiers = identifiers(thing);
    entity.sectors = properties.all("sector").map(str::to_owned).collect();
    entity.founded = date(reading, place, thing, &["incorporationDate", "birthDate", "buildDate"]);
    entity.dissolved = date(reading, place, thing, &["dissolutionDate", "deathDate"]);

    let source = source(reading, thing);
    let stamp = thing.rest.last_change.as_deref().unwrap_or_default();
    let known = identity(entity.id.clone(), &entity.identifiers);
    let mut same: Vec<_> = known.others.into_iter().map(|id| (id, "identifiers of one record")).collect();
    same.extend(thing.rest.referents.iter().map(|id| (reading.entity(id), "merged by the source")));
    for (merged, because) in same {
        if merged != known.id {
            let said = Said::Same { kept: known.id.clone(), merged, because: because.to_owned() };
            reading.say_by(source.clone(), "", said);
        }
    }
    entity.id = known.id;
    topics(reading, thing, &entity, op);
    reading.say_by(source, stamp, Said::Entity(entity));
}

/// The topics that are listings. A change that has a topic no more ends its listing.
fn topics(reading: &mut Reading<'_>, thing: &Thing, entity: &Entity, op: Op) {
    for topic in LISTED {
        let id = reading.tie(&topic_listing(&thing.id, topic));
        let source = source(reading, thing);
        if thing.properties.all("topics").any(|found| found == topic) {
            let list = reading.list(topic);
            let listing = Listing {
                id,
                list,
                entity: entity.id.clone(),
                entry: None,
                valid: Period::ALWAYS,
                with_subsidiaries: false,
            };
            reading.say_by(source, "", Said::Listing(listing));
        } else if op == Op::Mod {
            let on = today(reading);
            reading.say_by(source, "", Said::End(End { tie: id, on, by: Ending::Completed }));
        }
    }
}

fn identifiers(thing: &Thing) -> Vec<ExternalId> {
    let mut out = Vec::new();
    for (property, scheme) in IDENTIFIERS {
        out.extend(thing.properties.all(property).filter_map(|value| external(scheme, value)));
    }
    out.sort();
    out.dedup();
    out
}

/// The one date that a thing has of a kind. Of several, the earliest is taken and the rest noted: sources disagree.
fn date(reading: &mut Reading<'_>, place: &str, thing: &Thing, names: &[&str]) -> Option<PartialDate> {
    for name in names {
        let dates = thing.properties.dates(reading, place, name);
        if dates.len() > 1 {
            reading.note("several-dates");
        }
        if let Some(date) = dates.first() {
            return Some(*date);
        }
    }
    None
}

/// A `Sanction` record: that the list of its data set names an entity.
pub(super) fn listing(reading: &mut Reading<'_>, place: &str, thing: &Thing) {
    let properties = &thing.properties;
    let entities: Vec<&str> = properties.all("entity").collect();
    if entities.is_empty() {
        return reading.refuse(place, Reason::UnresolvedLink, "a sanction needs an `entity`");
    }
    let mut lists: Vec<&str> = thing.rest.datasets.iter().map(String::as_str).collect();
    if lists.is_empty() {
        lists.push("sanctions");
    }
    let entry = properties.first("programId").or_else(|| properties.first("program"));
    let entry = entry.or_else(|| properties.first("unscId")).map(str::to_owned);
    let mut from = properties.dates(reading, place, "startDate");
    if from.is_empty() {
        from = properties.dates(reading, place, "listingDate");
    }
    let to = properties.dates(reading, place, "endDate");
    let valid = super::edge::period(reading, place, from.first().copied(), to.last().copied());
    let stamp = thing.rest.last_change.as_deref().unwrap_or_default();
    let alone = entities.len() * lists.len() == 1;
    for entity in entities {
        for list in &lists {
            let local = if alone { thing.id.clone() } else { format!("{}#{entity}>{list}", thing.id) };
            let listing = Listing {
                id: reading.tie(&local),
                list: reading.list(list),
                entity: reading.entity(entity),
                entry: entry.clone(),
                valid,
                with_subsidiaries: false,
            };
            let source = source(reading, thing);
            reading.say_by(source, stamp, Said::Listing(listing));
        }
    }
}
