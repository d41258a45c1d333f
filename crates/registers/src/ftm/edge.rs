//! Records that are ties.

use ties::{Appointment, Direction, Holding, PartialDate, Period, Post, Said, Share, Tie, TieKind};

use super::{Properties, Thing, percentage, source};
use crate::reading::{Reading, Reason};

/// How a kind of record becomes a tie.
pub(super) struct Edge {
    /// The property that has the one with influence.
    from: &'static str,
    /// The property that has the other.
    to: &'static str,
    kind: fn(&mut Reading<'_>, &str, &Properties) -> TieKind,
}

/// Most ties that one record may be: owners times assets. Real records have a handful.
const PAIRS_MAX: usize = 10_000;

/// The tie that records of a schema are, if they are one.
pub(super) fn edge(schema: &str) -> Option<Edge> {
    let edge = |from, to, kind| Some(Edge { from, to, kind });
    match schema {
        "Ownership" => edge("owner", "asset", owns),
        "Control" => edge("controller", "controlled", controls),
        "Directorship" => edge("director", "organization", directs),
        "Membership" => edge("member", "organization", |_, _, _| TieKind::Serves { post: Post::Member }),
        "Employment" => edge("employee", "employer", employs),
        "Family" => edge("person", "relative", |_, _, _| TieKind::Family),
        "Associate" => {
            edge("person", "associate", |_, _, p| associates(p, &["relationship", "role"], "associate"))
        }
        "Representation" => edge("agent", "client", |_, _, p| associates(p, &["role"], "representation")),
        "UnknownLink" => {
            edge("subject", "object", |_, _, p| associates(p, &["role", "summary"], "unknown link"))
        }
        // Ours says who follows; theirs, who came first.
        "Succession" => edge("successor", "predecessor", |_, _, _| TieKind::Succeeds),
        _ => None,
    }
}

pub(super) fn relate(reading: &mut Reading<'_>, place: &str, thing: &Thing, edge: &Edge) {
    let properties = &thing.properties;
    let from: Vec<&str> = properties.all(edge.from).collect();
    let to: Vec<&str> = properties.all(edge.to).collect();
    if from.is_empty() || to.is_empty() {
        let message = format!("a record of schema {} needs `{}` and `{}`", thing.schema, edge.from, edge.to);
        return reading.refuse(place, Reason::UnresolvedLink, message);
    }
    if from.len().saturating_mul(to.len()) > PAIRS_MAX {
        return reading.refuse(place, Reason::TooLong, format_args!("a record has at most {PAIRS_MAX} ties"));
    }
    let kind = (edge.kind)(reading, place, properties);
    let start = properties.dates(reading, place, "startDate");
    let end = properties.dates(reading, place, "endDate");
    // Of several beginnings the first, of several ends the last: the time in which any account has it.
    let valid = period(reading, place, start.first().copied(), end.last().copied());
    if valid.to.is_none() && properties.mentions(&["status"], "former") {
        reading.note("former-without-end");
    }
    let stamp = thing.rest.last_change.as_deref().unwrap_or_default();
    let alone = from.len() * to.len() == 1;
    for from in &from {
        for to in &to {
            let local = if alone { thing.id.clone() } else { format!("{}#{from}>{to}", thing.id) };
            let tie = Tie {
                id: reading.tie(&local),
                from: reading.entity(from),
                to: reading.entity(to),
                kind: kind.clone(),
                valid,
            };
            let source = source(reading, thing);
            reading.say_by(source, stamp, Said::Tie(tie));
        }
    }
}

/// From when to when; of a period that ends before it begins, only the end is kept.
pub(super) fn period(
    reading: &mut Reading<'_>,
    place: &str,
    from: Option<PartialDate>,
    to: Option<PartialDate>,
) -> Period {
    let valid = Period { from, to };
    if valid.is_backwards() {
        reading.refuse(format_args!("{place} endDate"), Reason::BadDate, "it lies before `startDate`");
        return Period { from: None, to };
    }
    valid
}

fn owns(reading: &mut Reading<'_>, place: &str, properties: &Properties) -> TieKind {
    let mut share: Option<Share> = None;
    for text in properties.all("percentage") {
        match percentage::read(text) {
            Ok(read) => share = Some(share.map_or(read, |share| percentage::hull(share, read))),
            Err(message) => {
                reading.refuse(format_args!("{place} percentage"), Reason::BadShare, message);
                // What one account leaves unreadable may be anything.
                share = Some(Share::UNKNOWN);
            }
        }
    }
    if properties.all("percentage").count() > 1 {
        reading.note("several-percentages");
    }
    let types = ["ownershipType", "sharesType", "role"];
    let indirect =
        properties.mentions(&types, "indirect") || properties.mentions(&["ownershipType"], "ultimate");
    let class = properties.first("sharesType").map(str::to_owned);
    let mut holding = Holding { indirect, class, ..Holding::default() };
    if properties.mentions(&["ownershipType", "sharesType"], "voting")
        && !properties.mentions(&["ownershipType", "sharesType"], "non-voting")
    {
        holding.votes = share;
    } else {
        holding.money = share;
        if properties.mentions(&["sharesType"], "non-voting") {
            holding.votes = Some(Share::NOTHING);
        }
    }
    TieKind::Holds(holding)
}

/// Control without a number. How it is exercised decides what it is; it is a control that the source asserts.
fn controls(_: &mut Reading<'_>, _: &str, properties: &Properties) -> TieKind {
    let by = |word: &str| properties.mentions(&["controlType"], word);
    if by("appointment") {
        TieKind::Appoints(Appointment { majority: Some(true), ..Appointment::default() })
    } else if by("contract") {
        TieKind::Directs { by: Direction::Contract }
    } else if by("state") {
        TieKind::Directs { by: Direction::Law }
    } else {
        TieKind::Directs { by: Direction::Fact }
    }
}

fn directs(_: &mut Reading<'_>, _: &str, properties: &Properties) -> TieKind {
    let is = |word: &str| properties.mentions(&["role"], word);
    let post = if is("chair") {
        Post::Chair
    } else if is("secretary") || is("officer") || is("manager") || is("executive director") || is("ceo") {
        Post::Officer
    } else {
        Post::Director
    };
    TieKind::Serves { post }
}

fn employs(_: &mut Reading<'_>, _: &str, properties: &Properties) -> TieKind {
    let is = |word: &str| properties.mentions(&["role"], word);
    let runs = is("officer") || is("president") || is("ceo") || is("executive") || is("managing");
    TieKind::Serves { post: if runs { Post::Officer } else { Post::Member } }
}

fn associates(properties: &Properties, names: &[&str], otherwise: &str) -> TieKind {
    let relation = names.iter().find_map(|name| properties.first(name)).unwrap_or(otherwise);
    TieKind::Associates { relation: relation.to_owned() }
}
