//! Ties and parts in words.

use ties::kernel::Line;
use ties::{Bound, Direction, Fraction, Jurisdiction, PartyRole, Post, Share, Stage, TieKind};

/// A part in basis points as a percentage: 4900 is `49 %`, 4910 is `49.1 %`.
pub(crate) fn part(points: u32) -> String {
    let (whole, rest) = (points / 100, points % 100);
    match rest {
        0 => format!("{whole} %"),
        rest if rest % 10 == 0 => format!("{whole}.{} %", rest / 10),
        rest => format!("{whole}.{rest:02} %"),
    }
}

/// A part of the whole, as precisely as it is known.
pub(crate) fn fraction(at: Fraction) -> String {
    at.to_string().replace('%', " %")
}

/// One end of a range of which it is certainly more, or possibly no more.
pub(crate) fn end(bound: Bound, certain: bool) -> String {
    let at = fraction(bound.at);
    match (certain, bound.open) {
        (true, false) => at,
        (true, true) => format!("more than {at}"),
        (false, false) => format!("up to {at}"),
        (false, true) => format!("less than {at}"),
    }
}

/// A range by its ends.
pub(crate) fn ends(lo: Bound, hi: Bound) -> String {
    match (lo.at == hi.at, lo.open, hi.open) {
        (true, ..) => fraction(lo.at),
        (false, true, true) => format!("more than {} and less than {}", fraction(lo.at), fraction(hi.at)),
        (false, true, false) => format!("more than {} and up to {}", fraction(lo.at), fraction(hi.at)),
        (false, false, true) => format!("{} to less than {}", fraction(lo.at), fraction(hi.at)),
        (false, false, false) => format!("{} to {}", fraction(lo.at), fraction(hi.at)),
    }
}

/// What a test demands.
pub(crate) fn line(line: Line) -> String {
    let over = if line.strict { "more than" } else { "at least" };
    format!("{over} {}", fraction(line.at))
}

/// How many names are told.
const NAMES_MAX: usize = 8;

/// Names with "and" between them, or the first few of very many.
pub(crate) fn several(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(NAMES_MAX);
    let told = names.take(NAMES_MAX).collect::<Vec<_>>().join(" and ");
    if more > 0 { format!("{told} and {more} more") } else { told }
}

fn share(share: Share) -> String {
    match share.as_exact() {
        Some(exact) => fraction(exact),
        None if share == Share::UNKNOWN => "an unknown part".to_owned(),
        None => format!("{share}"),
    }
}

/// A tie as a clause.
pub(crate) fn tie(from: &str, to: &str, kind: &TieKind) -> String {
    match kind {
        TieKind::Holds(holding) => {
            let indirectly = if holding.indirect { "indirectly " } else { "" };
            match (holding.votes, holding.money) {
                (Some(votes), Some(money)) if votes == money => {
                    format!("{from} {indirectly}holds {} of {to}", share(votes))
                }
                (Some(votes), Some(money)) => {
                    format!(
                        "{from} {indirectly}holds {} of the votes and {} of the capital of {to}",
                        share(votes),
                        share(money)
                    )
                }
                (Some(votes), None) => {
                    format!("{from} {indirectly}holds {} of the votes of {to}", share(votes))
                }
                (None, Some(money)) => format!("{from} {indirectly}holds {} of {to}", share(money)),
                (None, None) => format!("{from} {indirectly}holds an unknown part of {to}"),
            }
        }
        TieKind::MayAcquire { votes, .. } => {
            format!("{from} may acquire {} of the votes of {to}", share(*votes))
        }
        TieKind::Appoints(right) => {
            let seats = match (right.seats, right.of) {
                (Some(seats), Some(of)) => format!("{seats} of {of} seats"),
                (Some(seats), None) => format!("{seats} seats"),
                (None, _) if right.majority == Some(true) => "the majority".to_owned(),
                (None, _) => "seats".to_owned(),
            };
            format!("{from} may appoint {seats} on the board of {to}")
        }
        TieKind::Directs { by } => {
            let how = match by {
                Direction::Contract => "by contract",
                Direction::Articles => "by its articles",
                Direction::Law => "by law",
                Direction::Fact => "in fact",
                Direction::DominantMinority => "by a minority that nobody outvotes",
                Direction::Influence => "to some extent",
            };
            format!("{from} directs {to} {how}")
        }
        TieKind::Consolidates { ultimate: false } => format!("{from} consolidates {to} in its accounts"),
        TieKind::Consolidates { ultimate: true } => {
            format!("{from} is the ultimate parent of {to} in the accounts")
        }
        TieKind::Venture => format!("{from} is a parent of the joint venture {to}"),
        TieKind::PartyTo { role } => {
            let role = match role {
                PartyRole::Settlor => "settlor",
                PartyRole::Trustee => "trustee",
                PartyRole::Protector => "protector",
                PartyRole::Beneficiary => "beneficiary",
                PartyRole::Nominee => "nominee",
                PartyRole::Nominator => "nominator",
                PartyRole::Party => "party",
            };
            format!("{from} is {role} in {to}")
        }
        TieKind::Serves { post } => {
            let post = match post {
                Post::Chair => "chairs",
                Post::Director => "is a director of",
                Post::Officer => "is an officer of",
                Post::Partner => "is a partner of",
                Post::Consultant => "advises",
                Post::Secondee => "is seconded to",
                Post::Member => "is a member of",
            };
            format!("{from} {post} {to}")
        }
        TieKind::Seconds => format!("{from} sends staff to {to}"),
        TieKind::Licenses { subject, technology, royalty } => {
            let what = match (technology, royalty) {
                (true, _) => "technology",
                (false, true) => "rights, for royalties,",
                (false, false) => "rights",
            };
            format!("{from} licenses {what} to {to}{}", about(subject))
        }
        TieKind::Contracts { subject, .. } => format!("{from} has a contract with {to}{}", about(subject)),
        TieKind::Supplies { subject } => format!("{from} supplies {to}{}", about(subject)),
        TieKind::Lends { directs, .. } => {
            let directs = if *directs { ", with a say in its management" } else { "" };
            format!("{from} lends to {to}{directs}")
        }
        TieKind::Pays { revenue } => format!("{from} makes {} of the revenue of {to}", share(*revenue)),
        TieKind::Grants { subject } => format!("{from} gives a grant to {to}{}", about(subject)),
        TieKind::Equips { essential } => {
            let essential = if *essential { " as an essential part" } else { "" };
            format!("{to} uses equipment of {from}{essential}")
        }
        TieKind::Governs { by } => {
            let how = match by {
                Jurisdiction::Incorporation => "was formed in",
                Jurisdiction::Headquarters => "is run from",
                Jurisdiction::Citizenship => "is a citizen of",
                Jurisdiction::Residence => "lives in",
            };
            format!("{to} {how} {from}")
        }
        TieKind::Family => format!("{from} and {to} are family"),
        TieKind::Associates { relation } if relation.is_empty() => format!("{from} is linked to {to}"),
        TieKind::Associates { relation } => format!("{from} is linked to {to} ({relation})"),
        TieKind::Succeeds => format!("{from} succeeds {to}"),
        TieKind::Plans(plan) => {
            let stage = match plan.stage {
                Stage::Negotiating => "negotiates",
                Stage::Announced => "has announced",
                Stage::Signed => "has signed",
            };
            format!("{from} {stage} a change that concerns {to}")
        }
    }
}

fn about(subject: &str) -> String {
    if subject.is_empty() { String::new() } else { format!(": {subject}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_written_without_superfluous_digits() {
        for (points, text) in
            [(0, "0 %"), (4900, "49 %"), (4910, "49.1 %"), (4901, "49.01 %"), (10_000, "100 %")]
        {
            assert_eq!(part(points), text);
        }
    }

    #[test]
    fn ends_are_told_with_whether_they_belong() {
        for (text, want) in [
            ("(25%,50%]", "more than 25 % and up to 50 %"),
            ("[25%,50%)", "25 % to less than 50 %"),
            ("(25%,50%)", "more than 25 % and less than 50 %"),
            ("[25%,50%]", "25 % to 50 %"),
            ("49%", "49 %"),
        ] {
            let share: Share = text.parse().unwrap();
            assert_eq!(ends(share.lo(), share.hi()), want);
        }
    }
}
