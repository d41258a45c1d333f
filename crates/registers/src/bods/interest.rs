//! Interests, and the ties that they amount to.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use ties::{
    Appointment, Bound, Direction, Fraction, Holding, PartyRole, Period, Post, Share, TieId, TieKind,
};

use super::fields::Fields;
use crate::reading::{Reading, Reason};

/// With this an interest's `details` begin where we wrote it ourselves and the standard has no word for the tie.
pub(super) const OWN_WORDS: &str = "ringfence:";

/// A tie in our own words, as it stands in `details` behind [`OWN_WORDS`].
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnWords {
    pub(super) kind: TieKind,
    #[serde(default)]
    pub(super) valid: Period,
}

/// A tie that was drawn from interests.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Drawn {
    pub(super) kind: TieKind,
    pub(super) valid: Period,
    /// Whether the share is exactly 0: it is not held any more.
    pub(super) over: bool,
}

impl Drawn {
    /// Some interest, of which nothing is told: it may be any share.
    pub(super) fn unknown() -> Self {
        Self { kind: TieKind::Holds(Holding::default()), valid: Period::ALWAYS, over: false }
    }
}

/// What kind of interest it is.
enum What {
    /// In the capital.
    Shares,
    Votes,
    /// In profits or what is left at the end: money without votes.
    Profit,
    /// A tie by itself.
    Tie(TieKind),
}

struct Interest {
    what: What,
    share: Option<Share>,
    valid: Period,
    indirect: bool,
}

/// The ties that the interests of a relationship amount to.
///
/// Shares and votes over the same time are one stake. Where a stake in the capital and one in the votes overlap
/// without being the same time, each counts in its own measure only, so that together they count once in both.
pub(super) fn drawn(reading: &mut Reading<'_>, fields: &Fields<'_>, components: &[TieId]) -> Vec<Drawn> {
    let (mut out, mut capital, mut votes, mut profits) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for fields in fields.objects(reading, "interests") {
        let interest = interest(reading, &fields);
        if interest.indirect && components.is_empty() {
            reading.note("indirect-without-components");
        }
        match interest.what {
            What::Shares => capital.push(interest),
            What::Votes => votes.push(interest),
            What::Profit => profits.push(interest),
            What::Tie(kind) => out.push(Drawn { kind, valid: interest.valid, over: false }),
        }
    }
    for profit in profits {
        if capital.iter().any(|stake: &Interest| overlap(stake, &profit)) {
            // A second measure of the same money: the capital is what the rules read.
            reading.note("profit-beside-capital");
        } else {
            capital.push(profit);
        }
    }
    let mut stakes = Vec::new();
    for stake in capital {
        let same = votes.iter().position(|v| v.valid == stake.valid && v.indirect == stake.indirect);
        let with_votes = match same {
            Some(at) => Some(votes.remove(at).share.unwrap_or(Share::UNKNOWN)),
            None if votes.iter().any(|v| overlap(v, &stake)) => Some(Share::NOTHING),
            None if matches!(stake.what, What::Profit) => Some(Share::NOTHING),
            None => None,
        };
        let over = stake.share == Some(Share::NOTHING) && with_votes.is_none_or(|v| v == Share::NOTHING);
        let holding = holding(with_votes, stake.share, stake.indirect, components);
        stakes.push((Drawn { kind: TieKind::Holds(holding), valid: stake.valid, over }, stake));
    }
    let mut votes_only = Vec::new();
    for vote in votes {
        let money = stakes.iter().any(|(_, stake)| overlap(stake, &vote)).then_some(Share::NOTHING);
        let over = vote.share == Some(Share::NOTHING);
        let share = Some(vote.share.unwrap_or(Share::UNKNOWN));
        let kind = TieKind::Holds(holding(share, money, vote.indirect, components));
        votes_only.push(Drawn { kind, valid: vote.valid, over });
    }
    // Stakes first: they have the record's own identifier.
    stakes.into_iter().map(|(drawn, _)| drawn).chain(votes_only).chain(out).collect()
}

fn holding(votes: Option<Share>, money: Option<Share>, indirect: bool, components: &[TieId]) -> Holding {
    let components = if indirect { components.to_vec() } else { Vec::new() };
    Holding { votes, money, indirect, components, ..Holding::default() }
}

/// Whether two interests may be in force on one day, and are held in the same way.
fn overlap(a: &Interest, b: &Interest) -> bool {
    let before = |a: &Interest, b: &Interest| match (a.valid.to, b.valid.from) {
        (Some(to), Some(from)) => to.settled() <= from.earliest(),
        (None, _) | (_, None) => false,
    };
    a.indirect == b.indirect && !before(a, b) && !before(b, a)
}

fn interest(reading: &mut Reading<'_>, fields: &Fields<'_>) -> Interest {
    fields.flag(reading, "beneficialOwnershipOrControl");
    let valid = period(reading, fields);
    let mut indirect = false;
    for key in ["directOrIndirect", "interestLevel"] {
        match fields.text(reading, key) {
            Some("indirect") => indirect = true,
            None | Some("direct" | "unknown") => {}
            Some(other) => {
                let message = format!("`{other}` is none of direct, indirect, unknown");
                reading.refuse(fields.at(key), Reason::BadValue, message);
            }
        }
    }
    let share = fields.object(reading, "share").and_then(|share| read_share(reading, &share));
    let own = fields.text(reading, "details").and_then(|details| details.strip_prefix(OWN_WORDS));
    if let Some(own) = own.and_then(|json| serde_json::from_str::<OwnWords>(json).ok()) {
        let what = What::Tie(scoped(reading, own.kind));
        return Interest { what, share, valid: own.valid, indirect };
    }
    let code = fields.text(reading, "type");
    let what = what(code.unwrap_or("unknownInterest"), share).unwrap_or_else(|| {
        let message = format!("no interest has the code `{}`", code.unwrap_or_default());
        reading.refuse(fields.at("type"), Reason::BadValue, message);
        What::Shares
    });
    Interest { what, share, valid, indirect }
}

/// What an interest's code means, in the spelling of any version. An interest of a kind that is not known, or not
/// published, may be a share of any size.
fn what(code: &str, share: Option<Share>) -> Option<What> {
    let plain: String =
        code.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let directs = |by| What::Tie(TieKind::Directs { by });
    let party = |role| What::Tie(TieKind::PartyTo { role });
    let serves = |post| What::Tie(TieKind::Serves { post });
    Some(match plain.as_str() {
        "shareholding" | "unknowninterest" | "unpublishedinterest" => What::Shares,
        "votingrights" => What::Votes,
        "rightstosurplusassetsondissolution"
        | "rightstosurplusassets"
        | "rightstoprofitorincome"
        | "righttoprofitorincomefromassets" => What::Profit,
        "appointmentofboard" => {
            let half = Fraction::percent(50);
            let majority = share.and_then(|share| match () {
                () if share.lo().at > half || share.lo().at == half && share.lo().open => Some(true),
                () if share.hi().at <= half => Some(false),
                () => None,
            });
            What::Tie(TieKind::Appoints(Appointment { majority, ..Appointment::default() }))
        }
        "otherinfluenceorcontrol" | "influenceorcontrol" | "otherinfluenceorcontroloftrust" => {
            directs(Direction::Influence)
        }
        "rightsgrantedbycontract" => directs(Direction::Contract),
        "controlviacompanyrulesorarticles" => directs(Direction::Articles),
        "controlbylegalframework" => directs(Direction::Law),
        "conditionalrightsgrantedbycontract" => {
            What::Tie(TieKind::MayAcquire { votes: share.unwrap_or(Share::UNKNOWN), window: Period::ALWAYS })
        }
        "seniormanagingofficial" => serves(Post::Officer),
        "boardmember" => serves(Post::Director),
        "boardchair" => serves(Post::Chair),
        "settlor" | "settloroftrust" => party(PartyRole::Settlor),
        "trustee" | "trusteeoftrust" => party(PartyRole::Trustee),
        "protector" | "protectoroftrust" => party(PartyRole::Protector),
        "beneficiaryoflegalarrangement" | "beneficiaryoftrust" => party(PartyRole::Beneficiary),
        "nominee" => party(PartyRole::Nominee),
        "nominator" => party(PartyRole::Nominator),
        "enjoymentanduseofassets" => What::Tie(TieKind::Associates { relation: code.to_owned() }),
        _ => return None,
    })
}

/// From when to when. An end before the beginning makes the beginning unknown: that it is over weighs more.
fn period(reading: &mut Reading<'_>, fields: &Fields<'_>) -> Period {
    let (from, to) = (fields.date(reading, "startDate"), fields.date(reading, "endDate"));
    let valid = Period { from, to };
    if valid.is_backwards() {
        reading.refuse(fields.at("endDate"), Reason::BadDate, "it lies before `startDate`");
        return Period { from: None, to };
    }
    valid
}

/// A share. Before 0.4, `exclusiveMinimum` and `exclusiveMaximum` are flags beside the ends; since 0.4 they are ends of
/// their own. An end without a word about it belongs to the share: the old schemas would have an upper end exclusive
/// then, which publishers do not mean (`75` to `100`), and the wider share is never wrong.
fn read_share(reading: &mut Reading<'_>, fields: &Fields<'_>) -> Option<Share> {
    if let Some(exact) = percent(reading, fields, "exact") {
        return made(reading, fields, Share::exact(exact).map_err(|error| error.to_string()));
    }
    let flag = |key: &str| fields.get(key).and_then(Value::as_bool);
    let mut end = |plain: &str, exclusive: &str, tighter: fn(&Bound, &Bound) -> bool| {
        let closed = percent(reading, fields, plain).map(Bound::closed);
        let flagged = flag(exclusive).is_some();
        let open = if flagged { None } else { percent(reading, fields, exclusive).map(Bound::open) };
        match (closed, open) {
            (Some(closed), Some(open)) => Some(if tighter(&closed, &open) { closed } else { open }),
            (closed, open) => closed.or(open),
        }
    };
    let lo = end("minimum", "exclusiveMinimum", |closed, open| closed.at > open.at);
    let hi = end("maximum", "exclusiveMaximum", |closed, open| closed.at < open.at);
    if lo.is_none() && hi.is_none() {
        return None;
    }
    let (mut lo, mut hi) = (lo.unwrap_or(Share::UNKNOWN.lo()), hi.unwrap_or(Share::UNKNOWN.hi()));
    lo.open |= flag("exclusiveMinimum") == Some(true);
    hi.open |= flag("exclusiveMaximum") == Some(true) && hi.at > lo.at;
    made(reading, fields, Share::between(lo, hi).map_err(|error| error.to_string()))
}

fn made(reading: &mut Reading<'_>, fields: &Fields<'_>, share: Result<Share, String>) -> Option<Share> {
    share.map_err(|message| reading.refuse(&fields.place, Reason::BadShare, message)).ok()
}

/// A number of percent, exactly as it is written.
fn percent(reading: &mut Reading<'_>, fields: &Fields<'_>, key: &str) -> Option<Fraction> {
    let text = match fields.get(key)? {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        other @ (Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) => other.to_string(),
    };
    match text.parse::<Fraction>() {
        Ok(fraction) if fraction <= Fraction::percent(100) => Some(fraction),
        Ok(_) => {
            reading.refuse(fields.at(key), Reason::BadShare, format_args!("{text} is more than 100 %"));
            None
        }
        Err(error) => {
            reading.refuse(fields.at(key), Reason::BadShare, error);
            None
        }
    }
}

/// Our own words name entities and ties by our identifiers: in a file they are the file's.
fn scoped(reading: &Reading<'_>, kind: TieKind) -> TieKind {
    match kind {
        TieKind::Holds(mut holding) => {
            holding.nominator = holding.nominator.map(|id| reading.entity(id.as_str()));
            holding.components = holding.components.iter().map(|id| reading.tie(id.as_str())).collect();
            TieKind::Holds(holding)
        }
        TieKind::Plans(mut plan) => {
            plan.ends = plan.ends.iter().map(|id| reading.tie(id.as_str())).collect();
            TieKind::Plans(plan)
        }
        other @ (TieKind::MayAcquire { .. }
        | TieKind::Appoints(_)
        | TieKind::Directs { .. }
        | TieKind::Consolidates { .. }
        | TieKind::Venture
        | TieKind::PartyTo { .. }
        | TieKind::Serves { .. }
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
        | TieKind::Succeeds) => other,
    }
}
