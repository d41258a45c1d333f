//! Entities and persons.

use ties::{Entity, EntityKind, ExternalId, Name, Said};

use super::fields::{Fields, Party};
use super::relate::Seen;
use super::{Head, Status};
use crate::reading::{Reading, Reason, external, identity};

/// What we write where the standard has no code for an arrangement.
pub(super) const JOINT_HOLDING: &str = "joint-holding";
pub(super) const CONCERT: &str = "concert";

/// How the stand-in for a name begins.
pub(super) const NOT_DISCLOSED: &str = "not disclosed: ";

/// An entity statement (0.1 to 0.3), or an entity record's details (0.4).
pub(super) fn entity(reading: &mut Reading<'_>, seen: &mut Seen, head: &Head, fields: &Fields<'_>) {
    let (kind, code) = entity_kind(reading, fields);
    let mut entity = Entity::new(reading.entity(&head.key), kind);
    for (key, alias) in [("name", false), ("alternateNames", true)] {
        let names =
            if alias { fields.texts(reading, key) } else { Vec::from_iter(fields.text(reading, key)) };
        entity.names.extend(names.into_iter().map(|text| Name { text: text.to_owned(), alias }));
    }
    let jurisdiction = ["jurisdiction", "incorporatedInJurisdiction"]
        .into_iter()
        .find_map(|key| fields.object(reading, key))
        .and_then(|jurisdiction| country(reading, &jurisdiction));
    entity.countries.extend(jurisdiction);
    entity.identifiers = identifiers(reading, fields);
    entity.founded = fields.date(reading, "foundingDate");
    entity.dissolved = fields.date(reading, "dissolutionDate");
    if let Some(listing) = fields.object(reading, "publicListing") {
        entity.publicly_listed = listing.flag(reading, "hasPublicListing");
    }
    if entity.kind == EntityKind::Unknown {
        reading.note("undisclosed-party");
        undisclosed(reading, &mut entity, fields, "unspecifiedEntityDetails", code);
    }
    if entity.kind == EntityKind::State
        && let [country] = entity.countries.as_slice()
        && let Ok(id) = ties::state(country)
    {
        let own = std::mem::replace(&mut entity.id, id.clone());
        same(reading, head, id, own, "the state with that code");
    }
    say_described(reading, seen, head, entity);
}

/// A person statement (0.1 to 0.3), or a person record's details (0.4).
pub(super) fn person(reading: &mut Reading<'_>, seen: &mut Seen, head: &Head, fields: &Fields<'_>) {
    let code = fields.text(reading, "personType").unwrap_or("knownPerson");
    let kind = match code {
        "knownPerson" => EntityKind::Person,
        "anonymousPerson" | "unknownPerson" => EntityKind::Unknown,
        other => {
            reading.refuse(
                fields.at("personType"),
                Reason::BadValue,
                format_args!("no such type as `{other}`"),
            );
            EntityKind::Person
        }
    };
    let mut entity = Entity::new(reading.entity(&head.key), kind);
    for name in fields.objects(reading, "names") {
        let alias = !matches!(name.text(reading, "type"), None | Some("legal" | "individual"));
        match name.text(reading, "fullName") {
            Some(text) => entity.names.push(Name { text: text.to_owned(), alias }),
            None => reading.refuse(&name.place, Reason::Incomplete, "a name needs `fullName`"),
        }
    }
    for nationality in fields.objects(reading, "nationalities") {
        entity.countries.extend(country(reading, &nationality));
    }
    entity.identifiers = identifiers(reading, fields);
    entity.founded = fields.date(reading, "birthDate");
    entity.dissolved = fields.date(reading, "deathDate");
    if entity.kind == EntityKind::Unknown {
        reading.note("undisclosed-party");
        undisclosed(reading, &mut entity, fields, "unspecifiedPersonDetails", code);
    }
    say_described(reading, seen, head, entity);
}

fn entity_kind<'v>(reading: &mut Reading<'_>, fields: &Fields<'v>) -> (EntityKind, &'v str) {
    // 0.4 nests the code and its subtype; before, it was a text beside an optional `entitySubtype`.
    let nested = fields.get("entityType").is_some_and(serde_json::Value::is_object);
    let (code, subtype) = if nested {
        let Some(kind) = fields.object(reading, "entityType") else { return (EntityKind::Organisation, "") };
        let (code, subtype) = (kind.text(reading, "type"), kind.text(reading, "subtype"));
        (code, subtype.filter(|subtype| fits(reading, &kind, code.unwrap_or_default(), subtype)))
    } else {
        let subtype = fields.object(reading, "entitySubtype");
        (fields.text(reading, "entityType"), subtype.and_then(|s| s.text(reading, "generalCategory")))
    };
    let Some(code) = code else {
        reading.refuse(fields.at("entityType"), Reason::Incomplete, "an entity needs a type");
        return (EntityKind::Organisation, "");
    };
    let kind = match code {
        "legalEntity" if subtype == Some("trust") => EntityKind::Trust,
        "registeredEntity" | "legalEntity" => EntityKind::Organisation,
        "arrangement" => arrangement(reading, fields, subtype),
        "anonymousEntity" | "unknownEntity" => EntityKind::Unknown,
        "state" => EntityKind::State,
        "stateBody" => EntityKind::StateBody,
        other => {
            reading.refuse(
                fields.at("entityType"),
                Reason::BadValue,
                format_args!("no such type as `{other}`"),
            );
            EntityKind::Organisation
        }
    };
    (kind, code)
}

/// Whether a subtype goes with a type (0.4, entity record, `entityType`).
fn fits(reading: &mut Reading<'_>, kind: &Fields<'_>, code: &str, subtype: &str) -> bool {
    let fits = match subtype {
        "other" => true,
        "trust" => matches!(code, "arrangement" | "legalEntity"),
        "nomination" => code == "arrangement",
        "governmentDepartment" | "stateAgency" => code == "stateBody",
        _ => false,
    };
    if !fits {
        let message = format!("`{subtype}` does not go with `{code}`");
        reading.refuse(kind.at("subtype"), Reason::BadValue, message);
    }
    fits
}

/// What an arrangement is. Before 0.4 there is no code for it, and since then none for a joint holding, so the name
/// has to tell. What it does not tell is a plain holder, through which stakes are followed like any other.
fn arrangement(reading: &mut Reading<'_>, fields: &Fields<'_>, subtype: Option<&str>) -> EntityKind {
    let local = fields.get("entityType").and_then(|kind| kind.get("details")).and_then(|text| text.as_str());
    match (subtype, local) {
        (Some("trust"), _) => return EntityKind::Trust,
        (Some("nomination"), _) => return EntityKind::Nomination,
        (_, Some(JOINT_HOLDING)) => return EntityKind::JointHolding,
        (_, Some(CONCERT)) => return EntityKind::Concert,
        _ => {}
    }
    let name = fields.get("name").and_then(|name| name.as_str()).unwrap_or_default().to_lowercase();
    let word = |wanted: &str| name.split(|c: char| !c.is_alphanumeric()).any(|word| word == wanted);
    if word("joint") || word("jointly") {
        reading.note("joint-holding-by-name");
        EntityKind::JointHolding
    } else if word("trust") {
        reading.note("trust-by-name");
        EntityKind::Trust
    } else {
        EntityKind::Organisation
    }
}

/// Says why somebody is not named, where a name would stand.
fn undisclosed(reading: &mut Reading<'_>, entity: &mut Entity, fields: &Fields<'_>, key: &str, code: &str) {
    let details = fields.object(reading, key).map(|details| details.unspecified(reading));
    let why = match details {
        Some(Party::Unspecified { reason, description }) => description.unwrap_or(reason),
        Some(Party::Described(_)) | None => code.to_owned(),
    };
    entity.names.push(unnamed(&why));
}

/// What stands in for the name of somebody who is not named.
pub(super) fn unnamed(why: &str) -> Name {
    Name { text: format!("{NOT_DISCLOSED}{why}"), alias: true }
}

/// The ISO 3166-1 code of a country or of what it is a part of (`US-DE`).
fn country(reading: &mut Reading<'_>, fields: &Fields<'_>) -> Option<String> {
    let code = fields.text(reading, "code")?;
    let country = code.split('-').next().unwrap_or_default();
    if country.len() == 2 && country.bytes().all(|b| b.is_ascii_alphabetic()) {
        return Some(country.to_ascii_uppercase());
    }
    reading.refuse(fields.at("code"), Reason::BadValue, format_args!("`{code}` is no ISO 3166 code"));
    None
}

fn identifiers(reading: &mut Reading<'_>, fields: &Fields<'_>) -> Vec<ExternalId> {
    let mut out = Vec::new();
    for identifier in fields.objects(reading, "identifiers") {
        let scheme = identifier.text(reading, "scheme").or_else(|| identifier.text(reading, "schemeName"));
        let Some(value) = identifier.text(reading, "id") else { continue };
        match scheme.and_then(|scheme| external(scheme, value)) {
            Some(id) => out.push(id),
            None => {
                reading.refuse(&identifier.place, Reason::BadIdentifier, "it needs `scheme` or `schemeName`");
            }
        }
    }
    out.sort();
    out.dedup();
    out
}

/// Says what the entity is, under its best identifier, and that the others mean the same.
fn say_described(reading: &mut Reading<'_>, seen: &mut Seen, head: &Head, mut entity: Entity) {
    let version = seen.version(reading, &head.key);
    if head.status == Status::Closed {
        reading.note("closed-description");
    }
    let known = identity(entity.id.clone(), &entity.identifiers);
    for merged in known.others {
        same(reading, head, known.id.clone(), merged, "identifiers of one record");
    }
    for replaced in &head.replaces {
        let merged = reading.entity(replaced);
        same(reading, head, known.id.clone(), merged, "a statement and the one that replaces it");
    }
    entity.id = known.id;
    reading.say_again(version, head.source.clone(), &head.stamp, Said::Entity(entity));
}

fn same(reading: &mut Reading<'_>, head: &Head, kept: ties::EntityId, merged: ties::EntityId, because: &str) {
    if kept != merged {
        let said = Said::Same { kept, merged, because: because.to_owned() };
        reading.say_by(head.source.clone(), "", said);
    }
}
