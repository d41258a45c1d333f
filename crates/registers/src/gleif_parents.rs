//! GLEIF level 2: parents, and why there is none.
//!
//! ```text
//! IS_DIRECTLY_CONSOLIDATED_BY, IS_ULTIMATELY_CONSOLIDATED_BY     the end consolidates the start
//! IS_FUND-MANAGED_BY, IS_SUBFUND_OF, IS_FEEDER_TO, ..            the end is linked to the start: no ownership
//! INACTIVE, RETIRED                                              over, by the end of the period or the last update
//! ANNULLED                                                       never so: a tie that holds on no day
//! ```
//!
//! Of a relationship's periods only `RELATIONSHIP_PERIOD` tells how long it lasts; the years of accounts and of filings
//! beside it do not.
//!
//! An exception is information. It never means that there is no parent:
//!
//! | reason | what is known | what is said |
//! |---|---|---|
//! | `NO_LEI`, `NON_PUBLIC` and what it replaced | a parent exists, and is not named | somebody unknown consolidates |
//! | `NON_CONSOLIDATING`, `NATURAL_PERSONS` | somebody may control without consolidating | somebody unknown holds an unknown share |
//! | `NO_KNOWN_PERSON` | the entity knows of nobody who controls it | somebody unknown is linked to it: weaker than a complete register, and no holding |

use ties::{
    Confidence, End, Ending, Entity, EntityId, EntityKind, ExternalId, Holding, Name, PartialDate, Period,
    Said, Source, Tie, TieId, TieKind,
};

use crate::gleif_entities::company;
use crate::reading::{Reading, Reason};
use crate::tree::Node;

/// Says what a relationship record says.
pub(crate) fn relationship(reading: &mut Reading<'_>, place: &str, record: &Node) {
    let Some(child) = node(reading, place, record, "StartNode") else { return };
    let Some(parent) = node(reading, place, record, "EndNode") else { return };
    let Some(relation) = record.get(&["Relationship", "RelationshipType"]) else {
        return reading.refuse(place, Reason::Incomplete, "the relationship has no type");
    };
    let kind = match relation {
        "IS_DIRECTLY_CONSOLIDATED_BY" => TieKind::Consolidates { ultimate: false },
        "IS_ULTIMATELY_CONSOLIDATED_BY" => TieKind::Consolidates { ultimate: true },
        _ if relation.starts_with("IS_") => TieKind::Associates { relation: relation.to_owned() },
        _ => {
            return reading.refuse(
                place,
                Reason::UnknownKind,
                format_args!("`{relation}` is no known relationship"),
            );
        }
    };
    let stamp = record.get(&["Registration", "LastUpdateDate"]).unwrap_or_default();
    let id = reading.tie(&format!("rr/{}/{}/{relation}", child.id, parent.id));
    let mut source = reading.validated(record);
    if let Some(url) =
        record.get(&["Registration", "ValidationReference"]).filter(|url| url.starts_with("http"))
    {
        source.url = Some(url.to_owned());
    }
    if let Some(on) = deleted(reading, place, record) {
        return reading.say_by(source, stamp, ended(id, on));
    }
    let Some(valid) = period(reading, place, record) else { return };
    for end in [&child, &parent] {
        if let Some(entity) = end.unregistered.clone() {
            reading.say_by(source.clone(), stamp, Said::Entity(entity));
        }
    }
    reading.say_by(source, stamp, Said::Tie(Tie { id, from: parent.id, to: child.id, kind, valid }));
}

/// One end of a relationship.
struct RelationshipNode {
    id: EntityId,
    /// What there is to say of one that no record of level 1 describes.
    unregistered: Option<Entity>,
}

fn node(reading: &mut Reading<'_>, place: &str, record: &Node, which: &str) -> Option<RelationshipNode> {
    let at = |name: &str| record.get(&["Relationship", which, name]);
    let Some(number) = at("NodeID") else {
        reading.refuse(place, Reason::Incomplete, format_args!("{which} has no identifier"));
        return None;
    };
    // A parent without an LEI goes by a provisional node identifier.
    if at("NodeIDType") == Some("PNI") {
        let id = reading.entity(&format!("pni/{number}"));
        let mut entity = Entity::new(id.clone(), EntityKind::Organisation);
        entity.identifiers = vec![ExternalId { scheme: "GLEIF/PNI".to_owned(), value: number.to_owned() }];
        return Some(RelationshipNode { id, unregistered: Some(entity) });
    }
    let Some(id) = company(number) else {
        reading.refuse(place, Reason::BadIdentifier, format_args!("`{number}` of {which} is no LEI"));
        return None;
    };
    Some(RelationshipNode { id, unregistered: None })
}

/// From when to when the relationship holds; `None` if the record says nothing, which is counted.
fn period(reading: &mut Reading<'_>, place: &str, record: &Node) -> Option<Period> {
    let periods = record.with("PeriodType");
    let lasting = periods.iter().filter(|period| period.get(&["PeriodType"]) == Some("RELATIONSHIP_PERIOD"));
    let stated: Vec<Period> = lasting
        .map(|period| Period {
            from: reading.date_at(place, period, &["StartDate"]),
            to: reading.date_at(place, period, &["EndDate"]),
        })
        .collect();
    let mut valid = stated.into_iter().max_by_key(|period| period.from).unwrap_or(Period::ALWAYS);
    if valid.is_backwards() {
        reading.refuse(place, Reason::BadDate, "the relationship ends before it starts");
        return None;
    }
    let updated = reading.date_at(place, record, &["Registration", "LastUpdateDate"]);
    match record.get(&["Registration", "RegistrationStatus"]) {
        // Another record says the same, and speaks for both.
        Some("DUPLICATE") => {
            reading.note("registration-duplicate");
            return None;
        }
        Some("PENDING_VALIDATION" | "CANCELLED") => {
            reading.note("registration-not-in-force");
            return None;
        }
        Some("ANNULLED") => {
            reading.note("registration-annulled");
            return Some(never(valid.from.or(updated).unwrap_or_else(|| reading.today())));
        }
        Some("LAPSED") => reading.note("registration-lapsed"),
        Some(_) | None => {}
    }
    let retired = record.get(&["Registration", "RegistrationStatus"]) == Some("RETIRED");
    match record.get(&["Relationship", "RelationshipStatus"]) {
        Some("NULL") => return Some(never(valid.from.or(updated).unwrap_or_else(|| reading.today()))),
        status if retired || status == Some("INACTIVE") => {
            // It is over, at the latest when the record was last changed.
            valid.to = Some(valid.to.or(updated).unwrap_or_else(|| reading.today()));
            if valid.is_backwards() {
                valid.from = None;
            }
        }
        Some(_) | None => {}
    }
    Some(valid)
}

/// A period without a day in it.
fn never(on: PartialDate) -> Period {
    let day = PartialDate::from(on.earliest());
    Period { from: Some(day), to: Some(day) }
}

/// When a file of changes says that the record was taken out.
fn deleted(reading: &mut Reading<'_>, place: &str, record: &Node) -> Option<PartialDate> {
    let deletion = record.at(&["Extension", "Deletion"])?;
    Some(reading.date_at(place, deletion, &["DeletedAt"]).unwrap_or_else(|| reading.today()))
}

fn ended(tie: TieId, on: PartialDate) -> Said {
    Said::End(End { tie, on, by: Ending::Completed })
}

/// Says what a reporting exception says.
pub(crate) fn exception(reading: &mut Reading<'_>, place: &str, record: &Node) {
    let Some(lei) = record.get(&["LEI"]) else {
        return reading.refuse(place, Reason::Incomplete, "the exception has no LEI");
    };
    let Some(child) = company(lei) else {
        return reading.refuse(place, Reason::BadIdentifier, format_args!("`{lei}` is no LEI"));
    };
    let category = record.get(&["ExceptionCategory"]).or_else(|| record.get(&["Exception", "Category"]));
    let level = match category {
        Some("DIRECT_ACCOUNTING_CONSOLIDATION_PARENT") => "direct",
        Some("ULTIMATE_ACCOUNTING_CONSOLIDATION_PARENT") => "ultimate",
        Some(other) => {
            return reading.refuse(
                place,
                Reason::UnknownKind,
                format_args!("`{other}` is no known exception"),
            );
        }
        None => return reading.refuse(place, Reason::Incomplete, "the exception has no category"),
    };
    let id = reading.tie(&format!("exception/{lei}/{level}"));
    // What an entity says of itself, compared with nothing.
    let mut source: Source = reading.source().clone();
    source.confidence = source.confidence.min(Confidence::Medium);
    if let Some(on) = deleted(reading, place, record) {
        return reading.say_by(source, "", ended(id, on));
    }
    let reasons = record.all("ExceptionReason").into_iter().chain(record.all("Reason"));
    let reasons: Vec<&str> = reasons.filter_map(Node::value).collect();
    let Some(kind) = reasons.iter().map(|reason| meaning(reason, level)).max_by_key(|(weight, _)| *weight)
    else {
        return reading.refuse(place, Reason::Incomplete, "the exception has no reason");
    };
    for reason in &reasons {
        reading.note(&format!("exception-{}", noted(reason)));
    }
    let from = reading.entity(&format!("{level}-parent/{lei}"));
    let mut entity = Entity::new(from.clone(), EntityKind::Unknown);
    let text = format!("{level} parent of {lei}, not named ({})", reasons.join(", "));
    entity.names = vec![Name { text, alias: false }];
    reading.say_by(source.clone(), "", Said::Entity(entity));
    reading.say_by(source, "", Said::Tie(Tie { id, from, to: child, kind: kind.1, valid: Period::ALWAYS }));
}

/// What a reason means, and how much: of several, the one that says most counts.
fn meaning(reason: &str, level: &str) -> (u8, TieKind) {
    match reason {
        "NO_LEI"
        | "NON_PUBLIC"
        | "BINDING_LEGAL_COMMITMENTS"
        | "LEGAL_OBSTACLES"
        | "CONSENT_NOT_OBTAINED"
        | "DETRIMENT_NOT_EXCLUDED"
        | "DISCLOSURE_DETRIMENTAL" => (2, TieKind::Consolidates { ultimate: level == "ultimate" }),
        "NO_KNOWN_PERSON" => (0, TieKind::Associates { relation: "NO_KNOWN_PERSON".to_owned() }),
        // `NON_CONSOLIDATING`, `NATURAL_PERSONS`, and any that is new: unknown is not none.
        _ => (1, TieKind::Holds(Holding::default())),
    }
}

/// A reason as it is counted.
fn noted(reason: &str) -> &'static str {
    match reason {
        "NO_LEI" => "no-lei",
        "NON_CONSOLIDATING" => "non-consolidating",
        "NATURAL_PERSONS" => "natural-persons",
        "NO_KNOWN_PERSON" => "no-known-person",
        "NON_PUBLIC"
        | "BINDING_LEGAL_COMMITMENTS"
        | "LEGAL_OBSTACLES"
        | "CONSENT_NOT_OBTAINED"
        | "DETRIMENT_NOT_EXCLUDED"
        | "DISCLOSURE_DETRIMENTAL" => "non-public",
        _ => "reason-unknown",
    }
}
