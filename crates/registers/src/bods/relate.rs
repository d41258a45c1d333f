//! Relationships: who has which interests in whom, and what became of what was said before.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::num::NonZeroU32;

use ties::{Day, End, Ending, Entity, EntityId, EntityKind, PartialDate, Said, StatementId, Tie, TieId};

use super::describe::unnamed;
use super::fields::{Fields, Party};
use super::interest::{Drawn, drawn};
use super::{Head, Status};
use crate::reading::{Reading, Reason};

/// How many records are remembered. One takes some 50 bytes, and another 70 where it may be replaced by name (before
/// 0.4); a file of 1 GB has about two million.
const REMEMBERED_MAX: usize = 20_000_000;

/// What a file has told so far, as far as later records need it. Records go by a hash of their identifier.
#[derive(Default)]
pub(super) struct Seen {
    records: HashMap<u64, Told>,
    /// The statements behind the ties, for those that may be replaced.
    statements: Vec<StatementId>,
}

/// What was told of one record.
#[derive(Clone, Copy, Default)]
struct Told {
    /// How many times, before.
    version: u32,
    /// How many ties it last gave; none for an entity or person.
    ties: u32,
    /// Where the statements of those begin, if they may be taken back: one more than the index, which keeps it small.
    first: Option<NonZeroU32>,
}

impl Seen {
    /// How often the record was told of before; it is told of now.
    pub(super) fn version(&mut self, reading: &mut Reading<'_>, key: &str) -> u32 {
        if let Some(told) = self.records.get_mut(&hash(key)) {
            told.version += 1;
            return told.version;
        }
        self.remember(reading, key, Told::default());
        0
    }

    fn told(&self, key: &str) -> Option<Told> {
        self.records.get(&hash(key)).copied()
    }

    fn remember(&mut self, reading: &mut Reading<'_>, key: &str, told: Told) {
        if self.records.len() < REMEMBERED_MAX || self.records.contains_key(&hash(key)) {
            self.records.insert(hash(key), told);
        } else {
            reading.note("too-many-records-to-remember");
        }
    }
}

fn hash(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// The tie that a record's interest became: the record's identifier, then numbered.
fn tie_id(reading: &Reading<'_>, key: &str, index: usize) -> TieId {
    if index == 0 { reading.tie(key) } else { reading.tie(&format!("{key}#{}", index + 1)) }
}

/// A relationship record's details (0.4), or an ownership-or-control statement (0.1 to 0.3).
pub(super) fn relationship(
    reading: &mut Reading<'_>,
    seen: &mut Seen,
    head: &Head,
    fields: &Fields<'_>,
    subject: Option<Party>,
    party: Option<Party>,
) {
    fields.flag(reading, "isComponent");
    let (Some(subject), Some(party)) = (subject, party) else {
        let message = "a relationship needs `subject` and `interestedParty`";
        return reading.refuse(&fields.place, Reason::Incomplete, message);
    };
    let before = seen.told(&head.key);
    let version = seen.version(reading, &head.key);
    let to = end_of(reading, head, version, "subject", subject);
    let from = end_of(reading, head, version, "party", party);
    let components = components(reading, seen, fields);
    let mut drawn = drawn(reading, fields, &components);
    if drawn.is_empty() && head.status == Status::Current {
        drawn.push(Drawn::unknown());
    }

    // In 0.4 a later statement is about the same ties, so nobody needs to take this one back.
    let may_be_replaced = head.stamp == head.key && seen.statements.len() < REMEMBERED_MAX;
    let begin = u32::try_from(seen.statements.len() + 1).ok().and_then(NonZeroU32::new);
    let first = begin.filter(|_| may_be_replaced);
    let mut count = 0;
    for one in drawn {
        let id = tie_id(reading, &head.key, count);
        let said = said(reading, head, one, id, &from, &to);
        let statement = reading.say_again(version, head.source.clone(), &head.stamp, said);
        if may_be_replaced {
            seen.statements.push(statement);
        }
        count += 1;
    }
    let closed_unseen = head.status == Status::Closed && before.is_none() && count == 0;
    let gone = before.map_or(usize::from(closed_unseen), |told| told.ties as usize);
    for index in count..gone {
        end(reading, head, version, tie_id(reading, &head.key, index));
    }
    seen.remember(
        reading,
        &head.key,
        Told { version, ties: u32::try_from(count).unwrap_or(u32::MAX), first },
    );
    replace(reading, seen, head);
}

/// What one interest says: that the tie holds, or that it does not any more.
fn said(reading: &Reading<'_>, head: &Head, one: Drawn, id: TieId, from: &EntityId, to: &EntityId) -> Said {
    let Drawn { kind, mut valid, over } = one;
    let told = head.date.unwrap_or_else(|| today(reading));
    if over {
        // A share of exactly 0, from the day of which it is told.
        let on = valid.to.or(valid.from).unwrap_or(told);
        return Said::End(End { tie: id, on, by: Ending::Completed });
    }
    if head.status == Status::Closed && valid.to.is_none() {
        valid.to = Some(told);
        if valid.is_backwards() {
            valid.from = None;
        }
    }
    Said::Tie(Tie { id, from: from.clone(), to: to.clone(), kind, valid })
}

fn today(reading: &Reading<'_>) -> PartialDate {
    reading.source().retrieved.unwrap_or_else(|| Day::of(reading.recorded()).into())
}

fn end(reading: &mut Reading<'_>, head: &Head, version: u32, tie: TieId) {
    let on = head.date.unwrap_or_else(|| today(reading));
    let said = Said::End(End { tie, on, by: Ending::Completed });
    reading.say_again(version, head.source.clone(), &head.stamp, said);
}

/// Takes back what this statement replaces. What stood in another file can only be ended: what it said is not known.
fn replace(reading: &mut Reading<'_>, seen: &mut Seen, head: &Head) {
    for replaced in &head.replaces {
        let told = seen.told(replaced).and_then(|told| Some((told, told.first?.get() as usize - 1)));
        let Some((told, first)) = told else {
            reading.note("replaced-elsewhere");
            end(reading, head, 1, reading.tie(replaced));
            continue;
        };
        let statements = seen.statements.get(first..first + told.ties as usize).unwrap_or_default();
        for of in statements.iter().cloned() {
            let because = format!("replaced by statement {}", head.key);
            let said = Said::Retraction { of, because };
            reading.say_again(told.version + 1, head.source.clone(), "", said);
        }
    }
}

/// Whom an end of the relationship is. Somebody unspecified becomes an entity of its own.
fn end_of(reading: &mut Reading<'_>, head: &Head, version: u32, which: &str, party: Party) -> EntityId {
    let (reason, description) = match party {
        Party::Described(key) => return reading.entity(&key),
        Party::Unspecified { reason, description } => (reason, description),
    };
    let none = reason.replace('-', "").eq_ignore_ascii_case("noBeneficialOwners");
    reading.note(if none { "declared-without-owner" } else { "undisclosed-party" });
    let id = reading.entity(&format!("{}#{which}", head.key));
    let mut entity = Entity::new(id.clone(), EntityKind::Unknown);
    entity.names.push(unnamed(&description.map_or(reason.clone(), |text| format!("{reason}: {text}"))));
    reading.say_again(version, head.source.clone(), &head.stamp, Said::Entity(entity));
    id
}

/// The ties that an indirect interest sums up, as far as this file has told of them. The list also names the entities
/// on the way, which are no ties.
fn components(reading: &mut Reading<'_>, seen: &Seen, fields: &Fields<'_>) -> Vec<TieId> {
    let mut keys = fields.texts(reading, "componentRecords");
    keys.extend(fields.texts(reading, "componentStatementIDs"));
    let mut out = Vec::new();
    for key in keys {
        match seen.told(key) {
            Some(told) => out.extend((0..told.ties as usize).map(|index| tie_id(reading, key, index))),
            None => reading.note("component-elsewhere"),
        }
    }
    out
}
