//! Statements taken apart: the identifiers on one side, and on the other a *body* of bytes that holds all the rest.
//!
//! The registry and the batches share this: both keep identifiers as numbers, each with its own table of texts, and
//! copy the body as it is.

use std::str::FromStr;

use super::wire::{
    DecodeError, Flaw, Reader, put_bytes, put_date, put_list, put_maybe_flag, put_number, put_optional,
    put_period, put_share, put_text,
};
use crate::{
    Appointment, Confidence, Direction, End, Ending, Entity, EntityId, EntityKind, Evidence, ExternalId,
    Holding, Jurisdiction, ListId, Listing, Name, PartyRole, Period, Plan, Post, Said, Source, Stage,
    StatementId, Tie, TieId, TieKind,
};

/// Which kind of statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Tag {
    Entity,
    Tie,
    End,
    Listing,
    Same,
    Retraction,
}

impl Tag {
    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        [Self::Entity, Self::Tie, Self::End, Self::Listing, Self::Same, Self::Retraction]
            .into_iter()
            .find(|tag| *tag as u8 == byte)
    }
}

/// The identifiers of a statement, as numbers or as texts.
///
/// | kind | `tie` | `first` | `second` | `list` | `of` |
/// |---|---|---|---|---|---|
/// | entity | | itself | | | |
/// | tie | itself | from | to | | |
/// | end | the tie | | | | |
/// | listing | itself | whom | | on which | |
/// | same | | kept | merged | | |
/// | retraction | | | | | the statement |
#[derive(Clone, Copy, Debug)]
pub(crate) enum Keys<T> {
    Entity { first: T },
    Tie { tie: T, first: T, second: T },
    End { tie: T },
    Listing { tie: T, first: T, list: T },
    Same { first: T, second: T },
    Retraction { of: T },
}

impl<T> Keys<T> {
    pub(crate) fn tag(&self) -> Tag {
        match self {
            Self::Entity { .. } => Tag::Entity,
            Self::Tie { .. } => Tag::Tie,
            Self::End { .. } => Tag::End,
            Self::Listing { .. } => Tag::Listing,
            Self::Same { .. } => Tag::Same,
            Self::Retraction { .. } => Tag::Retraction,
        }
    }
}

/// The identifiers of what is said.
pub(crate) fn keys(said: &Said) -> Keys<&str> {
    match said {
        Said::Entity(entity) => Keys::Entity { first: entity.id.as_str() },
        Said::Tie(tie) => {
            Keys::Tie { tie: tie.id.as_str(), first: tie.from.as_str(), second: tie.to.as_str() }
        }
        Said::End(end) => Keys::End { tie: end.tie.as_str() },
        Said::Listing(listing) => Keys::Listing {
            tie: listing.id.as_str(),
            first: listing.entity.as_str(),
            list: listing.list.as_str(),
        },
        Said::Same { kept, merged, .. } => Keys::Same { first: kept.as_str(), second: merged.as_str() },
        Said::Retraction { of, .. } => Keys::Retraction { of: of.as_str() },
    }
}

/// Writes the body of what is said.
pub(crate) fn put_body(out: &mut Vec<u8>, said: &Said) {
    match said {
        Said::Entity(entity) => put_entity(out, entity),
        Said::Tie(tie) => {
            put_period(out, tie.valid);
            put_kind(out, &tie.kind);
        }
        Said::End(end) => {
            put_date(out, end.on);
            out.push(end.by as u8);
        }
        Said::Listing(listing) => {
            put_period(out, listing.valid);
            out.push(u8::from(listing.with_subsidiaries));
            put_optional(out, listing.entry.as_deref(), put_text);
        }
        Said::Same { because, .. } | Said::Retraction { because, .. } => put_text(out, because),
    }
}

/// Puts what is said together again. The keys hold identifiers that were checked when they came in.
pub(crate) fn take_said(keys: Keys<&str>, body: &mut Reader<'_>) -> Result<Said, DecodeError> {
    Ok(match keys {
        Keys::Entity { first } => Said::Entity(take_entity(body, EntityId::stored(first))?),
        Keys::Tie { tie, first, second } => Said::Tie(Tie {
            id: TieId::stored(tie),
            from: EntityId::stored(first),
            to: EntityId::stored(second),
            valid: body.period()?,
            kind: take_kind(body)?,
        }),
        Keys::End { tie } => {
            let (on, by) = (body.date()?, take_code(body, "an ending", &ENDINGS)?);
            Said::End(End { tie: TieId::stored(tie), on, by })
        }
        Keys::Listing { tie, first, list } => {
            let (valid, with_subsidiaries) = (body.period()?, body.flag()?);
            Said::Listing(Listing {
                id: TieId::stored(tie),
                list: ListId::stored(list),
                entity: EntityId::stored(first),
                entry: body.optional(Reader::string)?,
                valid,
                with_subsidiaries,
            })
        }
        Keys::Same { first, second } => Said::Same {
            kept: EntityId::stored(first),
            merged: EntityId::stored(second),
            because: body.string()?,
        },
        Keys::Retraction { of } => Said::Retraction { of: StatementId::stored(of), because: body.string()? },
    })
}

/// Whether a body is one, without keeping anything of it.
pub(crate) fn check_body(tag: Tag, body: &[u8]) -> Result<(), DecodeError> {
    let mut reader = Reader::new(body);
    let keys = match tag {
        // Of a tie nothing but its rare texts is allocated, and ties are most of what there is.
        Tag::Tie => {
            reader.period()?;
            take_kind(&mut reader)?;
            return reader.finish();
        }
        Tag::Entity => Keys::Entity { first: "-" },
        Tag::End => Keys::End { tie: "-" },
        Tag::Listing => Keys::Listing { tie: "-", first: "-", list: "-" },
        Tag::Same => Keys::Same { first: "-", second: "-" },
        Tag::Retraction => Keys::Retraction { of: "-" },
    };
    take_said(keys, &mut reader)?;
    reader.finish()
}

/// The period with which the body of a tie or a listing begins.
pub(crate) fn take_period(body: &[u8]) -> Result<Period, DecodeError> {
    Reader::new(body).period()
}

/// Whether the body of a tie may name more than the two ends of the tie, or makes one of them a party. It errs to
/// "yes"; most ties are plain holdings, and "no" without being read.
pub(crate) fn is_indexed(body: &[u8]) -> bool {
    let mut reader = Reader::new(body);
    let plain = |reader: &mut Reader<'_>| {
        reader.period()?;
        match reader.byte()? {
            0 => reader.byte().map(|bits| bits & (NOMINATOR | COMPONENTS) == 0),
            kind => Ok(kind != 6),
        }
    };
    !plain(&mut reader).unwrap_or(false)
}

/// Writes a source.
pub(crate) fn put_source(out: &mut Vec<u8>, source: &Source) {
    put_text(out, &source.document);
    out.push(source.confidence as u8);
    out.push(source.evidence as u8);
    for text in [&source.url, &source.publisher, &source.asserted_by, &source.licence, &source.sha256] {
        put_optional(out, text.as_deref(), put_text);
    }
    put_optional(out, source.retrieved, put_date);
    // What came later stands last, and only where it says something: older batches stay readable.
    if let Some(document) = &source.edition_of {
        put_text(out, document);
    }
}

/// Reads a source.
pub(crate) fn take_source(reader: &mut Reader<'_>) -> Result<Source, DecodeError> {
    Ok(Source {
        document: reader.string()?,
        confidence: take_code(reader, "a confidence", &CONFIDENCES)?,
        evidence: take_code(reader, "who may see evidence", &EVIDENCES)?,
        url: reader.optional(Reader::string)?,
        publisher: reader.optional(Reader::string)?,
        asserted_by: reader.optional(Reader::string)?,
        licence: reader.optional(Reader::string)?,
        sha256: reader.optional(Reader::string)?,
        retrieved: reader.optional(Reader::date)?,
        edition_of: (reader.left() > 0).then(|| reader.string()).transpose()?,
    })
}

fn put_entity(out: &mut Vec<u8>, entity: &Entity) {
    out.push(entity.kind as u8);
    put_list(out, &entity.names, |out, name| {
        out.push(u8::from(name.alias));
        put_text(out, &name.text);
    });
    put_list(out, &entity.countries, |out, text| put_text(out, text));
    put_list(out, &entity.identifiers, |out, id| {
        put_text(out, &id.scheme);
        put_text(out, &id.value);
    });
    put_list(out, &entity.sectors, |out, text| put_text(out, text));
    put_period(out, Period { from: entity.founded, to: entity.dissolved });
    for flag in [entity.register_complete, entity.own_shares_vote, entity.publicly_listed] {
        put_maybe_flag(out, flag);
    }
}

fn take_entity(body: &mut Reader<'_>, id: EntityId) -> Result<Entity, DecodeError> {
    let mut entity = Entity::new(id, take_code(body, "the kind of an entity", &ENTITY_KINDS)?);
    entity.names = body.list(|body| Ok(Name { alias: body.flag()?, text: body.string()? }))?;
    entity.countries = body.list(Reader::string)?;
    entity.identifiers =
        body.list(|body| Ok(ExternalId { scheme: body.string()?, value: body.string()? }))?;
    entity.sectors = body.list(Reader::string)?;
    let Period { from, to } = body.period()?;
    (entity.founded, entity.dissolved) = (from, to);
    entity.register_complete = body.maybe_flag()?;
    entity.own_shares_vote = body.maybe_flag()?;
    entity.publicly_listed = body.maybe_flag()?;
    Ok(entity)
}

fn put_kind(out: &mut Vec<u8>, kind: &TieKind) {
    match kind {
        TieKind::Holds(holding) => {
            out.push(0);
            put_holding(out, holding);
        }
        TieKind::MayAcquire { votes, window } => {
            out.push(1);
            put_share(out, *votes);
            put_period(out, *window);
        }
        TieKind::Appoints(right) => {
            out.push(2);
            put_optional(out, right.seats, |out, seats| put_number(out, u64::from(seats)));
            put_optional(out, right.of, |out, of| put_number(out, u64::from(of)));
            put_maybe_flag(out, right.majority);
            out.extend([u8::from(right.observer), u8::from(right.veto)]);
        }
        TieKind::Directs { by } => out.extend([3, *by as u8]),
        TieKind::Consolidates { ultimate } => out.extend([4, u8::from(*ultimate)]),
        TieKind::Venture => out.push(5),
        TieKind::PartyTo { role } => out.extend([6, *role as u8]),
        TieKind::Serves { post } => out.extend([7, *post as u8]),
        TieKind::Seconds => out.push(8),
        TieKind::Licenses { subject, technology, royalty } => {
            out.extend([9, u8::from(*technology), u8::from(*royalty)]);
            put_text(out, subject);
        }
        TieKind::Contracts { subject, income } => {
            out.push(10);
            put_text(out, subject);
            put_optional(out, *income, put_share);
        }
        TieKind::Supplies { subject } => {
            out.push(11);
            put_text(out, subject);
        }
        TieKind::Lends { of_net_worth, directs } => {
            out.extend([12, u8::from(*directs)]);
            put_optional(out, *of_net_worth, put_share);
        }
        TieKind::Pays { revenue } => {
            out.push(13);
            put_share(out, *revenue);
        }
        TieKind::Grants { subject } => {
            out.push(14);
            put_text(out, subject);
        }
        TieKind::Equips { essential } => out.extend([15, u8::from(*essential)]),
        TieKind::Governs { by } => out.extend([16, *by as u8]),
        TieKind::Family => out.push(17),
        TieKind::Associates { relation } => {
            out.push(18);
            put_text(out, relation);
        }
        TieKind::Succeeds => out.push(19),
        TieKind::Plans(plan) => {
            out.extend([20, plan.stage as u8]);
            put_list(out, &plan.ends, |out, tie| put_text(out, tie.as_str()));
            put_optional(out, plan.votes, put_share);
        }
    }
}

/// Reads the kind of a tie, with what is particular to it.
pub(crate) fn take_kind(body: &mut Reader<'_>) -> Result<TieKind, DecodeError> {
    Ok(match body.byte()? {
        0 => TieKind::Holds(take_holding(body)?),
        1 => TieKind::MayAcquire { votes: body.share()?, window: body.period()? },
        2 => TieKind::Appoints(Appointment {
            seats: body.optional(|body| body.small("a number of seats"))?,
            of: body.optional(|body| body.small("a number of seats"))?,
            majority: body.maybe_flag()?,
            observer: body.flag()?,
            veto: body.flag()?,
        }),
        3 => TieKind::Directs { by: take_code(body, "a way to direct", &DIRECTIONS)? },
        4 => TieKind::Consolidates { ultimate: body.flag()? },
        5 => TieKind::Venture,
        6 => TieKind::PartyTo { role: take_code(body, "a role", &ROLES)? },
        7 => TieKind::Serves { post: take_code(body, "a post", &POSTS)? },
        8 => TieKind::Seconds,
        9 => {
            let (technology, royalty) = (body.flag()?, body.flag()?);
            TieKind::Licenses { subject: body.string()?, technology, royalty }
        }
        10 => TieKind::Contracts { subject: body.string()?, income: body.optional(Reader::share)? },
        11 => TieKind::Supplies { subject: body.string()? },
        12 => {
            let directs = body.flag()?;
            TieKind::Lends { of_net_worth: body.optional(Reader::share)?, directs }
        }
        13 => TieKind::Pays { revenue: body.share()? },
        14 => TieKind::Grants { subject: body.string()? },
        15 => TieKind::Equips { essential: body.flag()? },
        16 => TieKind::Governs { by: take_code(body, "a jurisdiction", &JURISDICTIONS)? },
        17 => TieKind::Family,
        18 => TieKind::Associates { relation: body.string()? },
        19 => TieKind::Succeeds,
        20 => TieKind::Plans(Plan {
            stage: take_code(body, "a stage", &STAGES)?,
            ends: body.list(take_id)?,
            votes: body.optional(Reader::share)?,
        }),
        other => return Err(body.value("the kind of a tie", u64::from(other))),
    })
}

/// The bits of a holding's first byte.
const INDIRECT: u8 = 1;
const VOTES: u8 = 2;
const MONEY: u8 = 4;
const CLASS: u8 = 8;
const NOMINATOR: u8 = 16;
const COMPONENTS: u8 = 32;

fn put_holding(out: &mut Vec<u8>, holding: &Holding) {
    let mut bits = 0;
    for (bit, set) in [
        (INDIRECT, holding.indirect),
        (VOTES, holding.votes.is_some()),
        (MONEY, holding.money.is_some()),
        (CLASS, holding.class.is_some()),
        (NOMINATOR, holding.nominator.is_some()),
        (COMPONENTS, !holding.components.is_empty()),
    ] {
        bits |= if set { bit } else { 0 };
    }
    out.push(bits);
    for share in [holding.votes, holding.money].into_iter().flatten() {
        put_share(out, share);
    }
    let nominator = holding.nominator.as_ref().map(EntityId::as_str);
    for text in [holding.class.as_deref(), nominator].into_iter().flatten() {
        put_bytes(out, text.as_bytes());
    }
    if !holding.components.is_empty() {
        put_list(out, &holding.components, |out, tie| put_text(out, tie.as_str()));
    }
}

fn take_holding(body: &mut Reader<'_>) -> Result<Holding, DecodeError> {
    let bits = body.byte()?;
    if bits >= COMPONENTS << 1 {
        return Err(body.value("the fields of a holding", u64::from(bits)));
    }
    let has = |bit: u8| bits & bit != 0;
    let mut holding = Holding { indirect: has(INDIRECT), ..Holding::default() };
    if has(VOTES) {
        holding.votes = Some(body.share()?);
    }
    if has(MONEY) {
        holding.money = Some(body.share()?);
    }
    if has(CLASS) {
        holding.class = Some(body.string()?);
    }
    if has(NOMINATOR) {
        holding.nominator = Some(take_id(body)?);
    }
    if has(COMPONENTS) {
        holding.components = body.list(take_id)?;
    }
    Ok(holding)
}

/// An identifier, checked.
pub(crate) fn take_id<T: FromStr<Err = crate::IdError>>(reader: &mut Reader<'_>) -> Result<T, DecodeError> {
    let at = reader.at();
    let text = reader.text()?;
    text.parse().map_err(|error: crate::IdError| DecodeError { at, flaw: Flaw::Text(error.to_string()) })
}

// Each table holds the variants in the order of their declaration, since `as u8` writes the place of a variant. A
// variant is only ever added at the end; `each_code_stands_for_its_variant` holds this.

const ENTITY_KINDS: [EntityKind; 9] = [
    EntityKind::Organisation,
    EntityKind::Person,
    EntityKind::State,
    EntityKind::StateBody,
    EntityKind::Trust,
    EntityKind::Nomination,
    EntityKind::JointHolding,
    EntityKind::Concert,
    EntityKind::Unknown,
];
const CONFIDENCES: [Confidence; 3] = [Confidence::Low, Confidence::Medium, Confidence::High];
const EVIDENCES: [Evidence; 3] = [Evidence::Public, Evidence::Concerned, Evidence::Programme];
const ENDINGS: [Ending; 2] = [Ending::Completed, Ending::Announced];
const STAGES: [Stage; 3] = [Stage::Negotiating, Stage::Announced, Stage::Signed];
const DIRECTIONS: [Direction; 6] = [
    Direction::Contract,
    Direction::Articles,
    Direction::Law,
    Direction::Fact,
    Direction::DominantMinority,
    Direction::Influence,
];
const ROLES: [PartyRole; 7] = [
    PartyRole::Settlor,
    PartyRole::Trustee,
    PartyRole::Protector,
    PartyRole::Beneficiary,
    PartyRole::Nominee,
    PartyRole::Nominator,
    PartyRole::Party,
];
const POSTS: [Post; 7] = [
    Post::Chair,
    Post::Director,
    Post::Officer,
    Post::Partner,
    Post::Consultant,
    Post::Secondee,
    Post::Member,
];
const JURISDICTIONS: [Jurisdiction; 4] = [
    Jurisdiction::Incorporation,
    Jurisdiction::Headquarters,
    Jurisdiction::Citizenship,
    Jurisdiction::Residence,
];

fn take_code<T: Copy>(reader: &mut Reader<'_>, what: &'static str, table: &[T]) -> Result<T, DecodeError> {
    let code = reader.byte()?;
    table.get(usize::from(code)).copied().ok_or_else(|| reader.value(what, u64::from(code)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_stands_for_its_variant() {
        fn codes<T: Copy>(table: &[T], code: impl Fn(T) -> u8) -> bool {
            table.iter().enumerate().all(|(at, value)| usize::from(code(*value)) == at)
        }
        assert!(codes(&ENTITY_KINDS, |kind| kind as u8));
        assert!(codes(&CONFIDENCES, |confidence| confidence as u8));
        assert!(codes(&EVIDENCES, |evidence| evidence as u8));
        assert!(codes(&ENDINGS, |ending| ending as u8));
        assert!(codes(&STAGES, |stage| stage as u8));
        assert!(codes(&DIRECTIONS, |direction| direction as u8));
        assert!(codes(&ROLES, |role| role as u8));
        assert!(codes(&POSTS, |post| post as u8));
        assert!(codes(&JURISDICTIONS, |jurisdiction| jurisdiction as u8));
    }
}
