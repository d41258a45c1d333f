//! Ties written as BODS 0.4.
//!
//! Ownership and control have words there, and are written in them. Where those words say less than we know (a class
//! of shares, a month without a day, a third of the votes), the interest's `details` hold the tie in our own words
//! behind `ringfence:`, so that reading the file again gives the same ties. What is neither ownership nor control (a
//! loan, a supply) is left out, and counted: there it would look like an owner.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use model::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use ties::{
    Bound, Confidence, Day, Direction, Entity, EntityId, EntityKind, Fraction, PartialDate, PartyRole,
    Period, Post, Share, Source, Tie, TieId, TieKind,
};

use super::describe::{CONCERT, JOINT_HOLDING, NOT_DISCLOSED};
use super::fields::Fields;
use super::interest::{OWN_WORDS, OwnWords, drawn};
use crate::reading::{Importing, Reading};

/// As what a file is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Who publishes it.
    pub publisher: String,
    /// When.
    pub date: Day,
    /// Under which licence, as an address; anything else is left out.
    pub licence: Option<String>,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Entities and persons.
    pub described: u64,
    /// Relationships.
    pub relationships: u64,
    /// Ties that are neither ownership nor control.
    pub left_out: u64,
}

/// Writes entities and the ties between them as one JSON array. An entity that a tie names and nobody described is
/// written by its identifier alone.
///
/// # Errors
///
/// Fails if `out` does.
pub fn write(
    entities: &[Entity],
    ties: &[(Tie, Source)],
    publication: &Publication,
    out: &mut dyn Write,
) -> io::Result<Written> {
    let mut written = Written::default();
    let kept: Vec<&(Tie, Source)> = ties.iter().filter(|(tie, _)| code(&tie.kind).is_some()).collect();
    written.left_out = (ties.len() - kept.len()) as u64;

    let mut known: BTreeMap<&EntityId, Option<&Entity>> =
        kept.iter().flat_map(|(tie, _)| [&tie.from, &tie.to]).map(|id| (id, None)).collect();
    known.extend(entities.iter().map(|entity| (&entity.id, Some(entity))));
    let components: BTreeSet<&TieId> = kept.iter().flat_map(|(tie, _)| components_of(&tie.kind)).collect();

    let mut separator = "[\n";
    let mut put = |statement: &Value| -> io::Result<()> {
        write!(out, "{separator}{statement}")?;
        separator = ",\n";
        Ok(())
    };
    for (id, entity) in &known {
        let (record_type, details) = describe(id, *entity);
        put(&statement(publication, None, id.as_str(), id.as_str(), record_type, &details))?;
        written.described += 1;
    }
    // Components come before what they are components of.
    for is_component in [true, false] {
        for (tie, source) in kept.iter().filter(|(tie, _)| components.contains(&tie.id) == is_component) {
            let details = relationship(tie, is_component);
            let (id, subject) = (tie.id.as_str(), tie.to.as_str());
            put(&statement(publication, Some(source), id, subject, "relationship", &details))?;
            written.relationships += 1;
        }
    }
    let nothing = written.described == 0;
    out.write_all(if nothing { b"[]\n" } else { b"\n]\n" })?;
    Ok(written)
}

fn components_of(kind: &TieKind) -> &[TieId] {
    if let TieKind::Holds(holding) = kind { &holding.components } else { &[] }
}

fn statement(
    publication: &Publication,
    source: Option<&Source>,
    record: &str,
    subject: &str,
    record_type: &str,
    details: &Value,
) -> Value {
    let mut hash = Sha256::new();
    for part in [record, record_type, &details.to_string(), &publication.date.to_string()] {
        hash.update(part);
        hash.update([0]);
    }
    let mut published = json!({
        "publicationDate": publication.date.to_string(),
        "bodsVersion": "0.4",
        "publisher": {"name": publication.publisher},
    });
    if let Some(licence) = publication.licence.as_deref().filter(|text| is_address(text)) {
        published["license"] = licence.into();
    }
    let mut statement = json!({
        "statementId": hex::encode(&hash.finalize()[..16]),
        "statementDate": publication.date.to_string(),
        "declarationSubject": subject,
        "recordId": record,
        "recordType": record_type,
        "recordStatus": "new",
        "recordDetails": details,
        "publicationDetails": published,
    });
    if let Some(source) = source {
        statement["source"] = told_by(source);
    }
    statement
}

fn told_by(source: &Source) -> Value {
    let mut out = json!({"description": source.document});
    if source.confidence != Confidence::High {
        out["type"] =
            json!([if source.confidence == Confidence::Medium { "selfDeclaration" } else { "thirdParty" }]);
    }
    if let Some(url) = source.url.as_deref().filter(|text| is_address(text)) {
        out["url"] = url.into();
    }
    if let Some(PartialDate::Day { day }) = source.retrieved {
        out["retrievedAt"] = day.to_string().into();
    }
    if let Some(by) = &source.asserted_by {
        out["assertedBy"] = json!([{"name": by}]);
    }
    out
}

/// Whether it is an address that may stand where the standard wants a URI.
fn is_address(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_graphic() && !b"<>\"{}|\\^`".contains(&b))
    })
}

fn describe(id: &EntityId, entity: Option<&Entity>) -> (&'static str, Value) {
    let mut out = Map::new();
    out.insert("isComponent".to_owned(), false.into());
    let Some(entity) = entity else {
        out.insert("entityType".to_owned(), json!({"type": "unknownEntity"}));
        out.insert(
            "unspecifiedEntityDetails".to_owned(),
            json!({"reason": "informationUnknownToPublisher", "description": id}),
        );
        return ("entity", Value::Object(out));
    };
    let mut identifiers = Vec::new();
    for identifier in &entity.identifiers {
        let is_code = identifier.scheme.get(2..3) == Some("-");
        let key = if is_code { "scheme" } else { "schemeName" };
        identifiers.push(json!({key: identifier.scheme, "id": identifier.value}));
    }
    if !identifiers.is_empty() {
        out.insert("identifiers".to_owned(), identifiers.into());
    }
    if entity.kind == EntityKind::Person {
        out.insert("personType".to_owned(), "knownPerson".into());
        let named = |name: &ties::Name| json!({"type": if name.alias { "alternative" } else { "legal" }, "fullName": name.text});
        out.insert("names".to_owned(), entity.names.iter().map(named).collect());
        let countries = entity.countries.iter().filter(|code| code.len() == 2);
        out.insert(
            "nationalities".to_owned(),
            countries.map(|code| json!({"name": code, "code": code})).collect(),
        );
        for (key, date) in [("birthDate", entity.founded), ("deathDate", entity.dissolved)] {
            if let Some(date) = date {
                out.insert(key.to_owned(), date.to_string().into());
            }
        }
        return ("person", Value::Object(out));
    }
    out.insert("entityType".to_owned(), entity_type(entity.kind));
    if entity.kind == EntityKind::Unknown {
        let why = entity.name();
        let why = why.strip_prefix(NOT_DISCLOSED).unwrap_or(why);
        let details = json!({"reason": "unknown", "description": why});
        out.insert("unspecifiedEntityDetails".to_owned(), details);
    } else if !entity.names.is_empty() {
        let own = entity.name();
        let others: Vec<&str> =
            entity.names.iter().map(|name| name.text.as_str()).filter(|name| *name != own).collect();
        out.insert("name".to_owned(), own.into());
        out.insert("alternateNames".to_owned(), others.into());
    }
    if let Some(code) = entity.countries.iter().find(|code| code.len() == 2) {
        out.insert("jurisdiction".to_owned(), json!({"name": code, "code": code}));
    }
    for (key, date) in [("foundingDate", entity.founded), ("dissolutionDate", entity.dissolved)] {
        if let Some(date) = date {
            out.insert(key.to_owned(), date.earliest().to_string().into());
        }
    }
    if let Some(listed) = entity.publicly_listed {
        out.insert("publicListing".to_owned(), json!({"hasPublicListing": listed}));
    }
    ("entity", Value::Object(out))
}

fn entity_type(kind: EntityKind) -> Value {
    match kind {
        EntityKind::Organisation | EntityKind::Person => json!({"type": "registeredEntity"}),
        EntityKind::State => json!({"type": "state"}),
        EntityKind::StateBody => json!({"type": "stateBody"}),
        EntityKind::Trust => json!({"type": "arrangement", "subtype": "trust"}),
        EntityKind::Nomination => json!({"type": "arrangement", "subtype": "nomination"}),
        EntityKind::JointHolding => {
            json!({"type": "arrangement", "subtype": "other", "details": JOINT_HOLDING})
        }
        EntityKind::Concert => json!({"type": "arrangement", "subtype": "other", "details": CONCERT}),
        EntityKind::Unknown => json!({"type": "unknownEntity"}),
    }
}

fn relationship(tie: &Tie, is_component: bool) -> Value {
    // 0.4: what is a component has no components of its own.
    let components = if is_component { &[] } else { components_of(&tie.kind) };
    let mut details = json!({
        "isComponent": is_component,
        "subject": tie.to,
        "interestedParty": tie.from,
        "interests": interests(tie),
    });
    if !components.is_empty() {
        details["componentRecords"] = json!(components);
    }
    if !reads_back(&details, tie, components) {
        let own = OwnWords { kind: tie.kind.clone(), valid: tie.valid };
        let own = serde_json::to_string(&own).expect("a tie is a map with text keys");
        let mut interest = details["interests"][0].clone();
        interest["details"] = format!("{OWN_WORDS}{own}").into();
        details["interests"] = json!([interest]);
    }
    details
}

/// Whether the standard's words alone give the same tie again.
fn reads_back(details: &Value, tie: &Tie, components: &[TieId]) -> bool {
    let importing = Importing { document: Source::default(), recorded: Timestamp::from_micros(0) };
    let mut nobody = |_| {};
    let mut reading = Reading::new(&importing, &mut nobody);
    let Some(fields) = Fields::of(details, "") else { return false };
    let drawn = drawn(&mut reading, &fields, components);
    matches!(drawn.as_slice(), [one] if one.kind == tie.kind && one.valid == tie.valid && !one.over)
}

/// The interest that comes nearest; none for what is neither ownership nor control.
fn code(kind: &TieKind) -> Option<&'static str> {
    Some(match kind {
        TieKind::Holds(_) => "shareholding",
        TieKind::MayAcquire { .. } => "conditionalRightsGrantedByContract",
        TieKind::Appoints(_) => "appointmentOfBoard",
        TieKind::Directs { by } => match by {
            Direction::Contract => "rightsGrantedByContract",
            Direction::Articles => "controlViaCompanyRulesOrArticles",
            Direction::Law => "controlByLegalFramework",
            Direction::Fact | Direction::DominantMinority | Direction::Influence => "otherInfluenceOrControl",
        },
        TieKind::Consolidates { .. } => "otherInfluenceOrControl",
        TieKind::PartyTo { role } => match role {
            PartyRole::Settlor => "settlor",
            PartyRole::Trustee => "trustee",
            PartyRole::Protector => "protector",
            PartyRole::Beneficiary => "beneficiaryOfLegalArrangement",
            PartyRole::Nominee => "nominee",
            PartyRole::Nominator => "nominator",
            PartyRole::Party => "unknownInterest",
        },
        TieKind::Serves { post } => match post {
            Post::Chair => "boardChair",
            Post::Director => "boardMember",
            Post::Officer | Post::Partner => "seniorManagingOfficial",
            Post::Consultant | Post::Secondee | Post::Member => return None,
        },
        TieKind::Venture
        | TieKind::Seconds
        | TieKind::Licenses { .. }
        | TieKind::Contracts { .. }
        | TieKind::Supplies { .. }
        | TieKind::Lends { .. }
        | TieKind::Pays { .. }
        | TieKind::Grants { .. }
        | TieKind::Equips { .. }
        | TieKind::Governs { .. }
        | TieKind::Family
        | TieKind::Associates { .. }
        | TieKind::Succeeds
        | TieKind::Plans(_) => return None,
    })
}

fn interests(tie: &Tie) -> Vec<Value> {
    let Some(code) = code(&tie.kind) else { return Vec::new() };
    if let TieKind::Holds(holding) = &tie.kind {
        let held = if holding.indirect { "indirect" } else { "direct" };
        let mut out = Vec::new();
        if holding.money.is_some() || holding.votes.is_none() {
            out.push(interest(code, holding.money, Some(held), tie.valid));
        }
        if let Some(votes) = holding.votes {
            let stated = Some(votes).filter(|votes| *votes != Share::UNKNOWN);
            out.push(interest("votingRights", stated, Some(held), tie.valid));
        }
        return out;
    }
    let share = if let TieKind::MayAcquire { votes, .. } = &tie.kind {
        Some(*votes).filter(|votes| *votes != Share::UNKNOWN)
    } else if let TieKind::Appoints(appointment) = &tie.kind {
        appointment.majority.and_then(of_the_board)
    } else {
        None
    };
    vec![interest(code, share, None, tie.valid)]
}

/// The share of the board that a majority is, or what is none.
fn of_the_board(majority: bool) -> Option<Share> {
    let (half, whole) = (Fraction::percent(50), Share::UNKNOWN);
    let share = if majority {
        Share::between(Bound::open(half), whole.hi())
    } else {
        Share::between(whole.lo(), Bound::closed(half))
    };
    share.ok()
}

fn interest(code: &str, share: Option<Share>, held: Option<&str>, valid: Period) -> Value {
    let mut out = json!({"type": code});
    if let Some(held) = held {
        out["directOrIndirect"] = held.into();
    }
    if let Some(share) = share {
        out["share"] = share_of(share);
    }
    for (key, date) in [("startDate", valid.from), ("endDate", valid.to)] {
        if let Some(date) = date {
            out[key] = date.earliest().to_string().into();
        }
    }
    out
}

fn share_of(share: Share) -> Value {
    if let Some(exact) = share.as_exact().and_then(percent) {
        return json!({"exact": exact});
    }
    // An end that no decimal number hits is rounded outward.
    let points = |points: u32| json!(f64::from(points) / 100.0);
    let (lo, hi) = (share.lo(), share.hi());
    let at_lo = percent(lo.at).unwrap_or_else(|| points(share.basis_points_floor()));
    let at_hi = percent(hi.at).unwrap_or_else(|| points(share.basis_points_ceil()));
    let (lo, hi) = (
        if lo.open { "exclusiveMinimum" } else { "minimum" },
        if hi.open { "exclusiveMaximum" } else { "maximum" },
    );
    json!({lo: at_lo, hi: at_hi})
}

/// The percentage as a JSON number that is read as the very same fraction.
fn percent(fraction: Fraction) -> Option<Value> {
    let text = fraction.to_string();
    let text = text.strip_suffix('%')?;
    let number = match text.parse::<u64>() {
        Ok(whole) => json!(whole),
        Err(_) => json!(text.parse::<f64>().ok()?),
    };
    (number.to_string().parse() == Ok(fraction)).then_some(number)
}
