//! The domain in words for people: dates, parts, ties, standings. One place, so that all pages speak alike.

use model::{Grade, Standing, Timestamp};
use ties::{
    Appointment, Direction, Holding, Jurisdiction, PartyRole, Period, Post, Share, Stage, TieKind, Truth,
};

/// An instant: day and minute in UTC.
pub(crate) fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    match (text.get(..10), text.get(11..16)) {
        (Some(day), Some(minute)) => format!("{day} {minute} UTC"),
        _ => text,
    }
}

/// The day of an instant.
pub(crate) fn day(at: Timestamp) -> String {
    ties::Day::of(at).to_string()
}

/// A standing without its hyphens.
pub(crate) fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Applicant => "applicant",
        Standing::UnderReview => "under review",
        Standing::Listed => "listed",
        Standing::ListedWithConditions => "listed with conditions",
        Standing::Suspended => "suspended",
        Standing::Removed => "removed",
        Standing::Reinstating => "reinstating",
    }
}

/// What the rules do to somebody on a tier: what stands before the name, and what stands between name and tier.
pub(crate) fn rules_do(grade: Grade) -> (&'static str, &'static str) {
    match grade {
        Grade::Clear => ("the rules find nothing against ", " on"),
        Grade::Disclose => ("the rules ask ", " for no more than to disclose on"),
        Grade::Review => ("the rules want a person to look at ", " on"),
        Grade::Condition => ("the rules let ", " only with conditions onto the list of"),
        Grade::Suspend => ("the rules suspend ", " on"),
        Grade::Bar => ("the rules bar ", " from"),
    }
}

/// What somebody of that grade would be, before "on TIER".
pub(crate) fn grade_phrase(grade: Grade) -> &'static str {
    match grade {
        Grade::Clear => "clear",
        Grade::Disclose => "clear, with things to disclose,",
        Grade::Review => "to be reviewed",
        Grade::Condition => "listable only with conditions",
        Grade::Suspend => "suspended",
        Grade::Bar => "barred",
    }
}

/// A part of a whole: `49 %`, `25 to 50 %`, `unknown`.
pub(crate) fn share(share: Share) -> String {
    if share == Share::UNKNOWN {
        return "unknown".to_owned();
    }
    let number = |fraction: ties::Fraction| fraction.to_string().replace('%', "");
    let percent = |text: &str| if text.contains('/') { text.to_owned() } else { format!("{text} %") };
    if share.is_exact() {
        return percent(&number(share.lo().at));
    }
    let (lo, hi) = (number(share.lo().at), number(share.hi().at));
    match (share.lo().open, share.hi().open) {
        (true, false) => format!("over {lo} to {}", percent(&hi)),
        (true, true) => format!("over {lo}, under {}", percent(&hi)),
        (false, true) => format!("{lo} to under {}", percent(&hi)),
        (false, false) => format!("{lo} to {}", percent(&hi)),
    }
}

/// Votes and money of a holding: `49 %` if both are the same, else each by its name.
pub(crate) fn holding(holding: &Holding) -> String {
    let votes = holding.votes.or(holding.money);
    match (votes, holding.money) {
        (Some(votes), Some(money)) if votes == money => share(votes),
        (Some(votes), Some(money)) => format!("{} votes, {} money", share(votes), share(money)),
        (Some(votes), None) => format!("{} votes, money unknown", share(votes)),
        (None, _) => "unknown part".to_owned(),
    }
}

/// A kind of tie in a word or two, from the side of whoever has influence.
pub(crate) fn tie_word(kind: &TieKind) -> &'static str {
    match kind {
        TieKind::Holds(_) => "holds",
        TieKind::MayAcquire { .. } => "may acquire",
        TieKind::Appoints(_) => "appoints",
        TieKind::Directs { .. } => "directs",
        TieKind::Consolidates { .. } => "consolidates",
        TieKind::Venture => "venture",
        TieKind::PartyTo { .. } => "party to",
        TieKind::Serves { .. } => "serves",
        TieKind::Seconds => "seconds staff",
        TieKind::Licenses { .. } => "licenses",
        TieKind::Contracts { .. } => "contracts",
        TieKind::Supplies { .. } => "supplies",
        TieKind::Lends { .. } => "lends",
        TieKind::Pays { .. } => "pays",
        TieKind::Grants { .. } => "grants",
        TieKind::Equips { .. } => "equips",
        TieKind::Governs { .. } => "law",
        TieKind::Family => "family",
        TieKind::Associates { .. } => "associate",
        TieKind::Succeeds => "succeeds",
        TieKind::Plans(_) => "plans",
    }
}

/// A kind of tie with what is particular to it.
pub(crate) fn tie(kind: &TieKind) -> String {
    let about = |word: &str, subject: &str| {
        if subject.is_empty() { word.to_owned() } else { format!("{word}: {subject}") }
    };
    match kind {
        TieKind::Holds(held) => {
            let class = held.class.as_ref().map(|class| format!(", class {class}")).unwrap_or_default();
            let indirect = if held.indirect { ", indirectly" } else { "" };
            format!("holds {}{class}{indirect}", holding(held))
        }
        TieKind::MayAcquire { votes, .. } => format!("may acquire {}", share(*votes)),
        TieKind::Appoints(appointment) => appoints(appointment),
        TieKind::Directs { by } => format!("directs by {}", direction(*by)),
        TieKind::Consolidates { ultimate: true } => "consolidates it, as ultimate parent".to_owned(),
        TieKind::Consolidates { ultimate: false } => "consolidates it".to_owned(),
        TieKind::Venture => "is a parent of the venture".to_owned(),
        TieKind::PartyTo { role } => format!("is its {}", party(*role)),
        TieKind::Serves { post } => format!("is its {}", post_word(*post)),
        TieKind::Licenses { subject, technology, royalty } => {
            let technology = if *technology { ", technology" } else { "" };
            let royalty = if *royalty { ", for royalties" } else { "" };
            format!("{}{technology}{royalty}", about("licenses", subject))
        }
        TieKind::Contracts { subject, income } => match income {
            Some(income) => format!("{}, {} of its income", about("contracts", subject), share(*income)),
            None => about("contracts", subject),
        },
        TieKind::Supplies { subject } => about("supplies", subject),
        TieKind::Lends { of_net_worth, directs } => {
            let part = of_net_worth.map(|part| format!(" {} of its worth", share(part))).unwrap_or_default();
            let directs = if *directs { ", and may direct it" } else { "" };
            format!("lends{part}{directs}")
        }
        TieKind::Pays { revenue } => format!("pays {} of its revenue", share(*revenue)),
        TieKind::Grants { subject } => about("grants", subject),
        TieKind::Equips { essential: true } => "made equipment that is essential to it".to_owned(),
        TieKind::Equips { essential: false } => "made equipment that it uses".to_owned(),
        TieKind::Governs { by } => format!("its law reaches it by {}", jurisdiction(*by)),
        TieKind::Associates { relation } => about("is associated", relation),
        TieKind::Plans(plan) => {
            let votes = plan.votes.map(|votes| format!(" {} of the votes", share(votes))).unwrap_or_default();
            format!("plans{votes}, {}", stage(plan.stage))
        }
        TieKind::Seconds | TieKind::Family | TieKind::Succeeds => tie_word(kind).to_owned(),
    }
}

fn appoints(appointment: &Appointment) -> String {
    let seats = match (appointment.seats, appointment.of, appointment.majority) {
        (Some(seats), Some(of), _) => format!(" {seats} of {of} seats"),
        (Some(seats), None, _) => format!(" {seats} seats"),
        (None, _, Some(true)) => " a majority of the board".to_owned(),
        (None, _, Some(false)) => " a minority of the board".to_owned(),
        (None, _, None) => " to the board".to_owned(),
    };
    let observer = if appointment.observer { ", as observers" } else { "" };
    let veto = if appointment.veto { ", with a veto" } else { "" };
    format!("appoints{seats}{observer}{veto}")
}

fn direction(by: Direction) -> &'static str {
    match by {
        Direction::Contract => "contract",
        Direction::Articles => "its articles",
        Direction::Law => "law",
        Direction::Fact => "fact",
        Direction::DominantMinority => "a minority that nobody outvotes",
        Direction::Influence => "significant influence",
    }
}

fn party(role: PartyRole) -> &'static str {
    match role {
        PartyRole::Settlor => "settlor",
        PartyRole::Trustee => "trustee",
        PartyRole::Protector => "protector",
        PartyRole::Beneficiary => "beneficiary",
        PartyRole::Nominee => "nominee",
        PartyRole::Nominator => "nominator",
        PartyRole::Party => "party",
    }
}

fn post_word(post: Post) -> &'static str {
    match post {
        Post::Chair => "chair",
        Post::Director => "director",
        Post::Officer => "officer",
        Post::Partner => "partner",
        Post::Consultant => "consultant",
        Post::Secondee => "secondee",
        Post::Member => "member",
    }
}

fn jurisdiction(by: Jurisdiction) -> &'static str {
    match by {
        Jurisdiction::Incorporation => "incorporation",
        Jurisdiction::Headquarters => "seat",
        Jurisdiction::Citizenship => "citizenship",
        Jurisdiction::Residence => "residence",
    }
}

fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Negotiating => "in negotiation",
        Stage::Announced => "announced",
        Stage::Signed => "signed, not closed",
    }
}

/// What an entity is.
pub(crate) fn entity_kind(kind: ties::EntityKind) -> &'static str {
    match kind {
        ties::EntityKind::Organisation => "organisation",
        ties::EntityKind::Person => "person",
        ties::EntityKind::State => "state",
        ties::EntityKind::StateBody => "part of a state",
        ties::EntityKind::Trust => "trust",
        ties::EntityKind::Nomination => "nomination",
        ties::EntityKind::JointHolding => "joint holding",
        ties::EntityKind::Concert => "concert of voters",
        ties::EntityKind::Unknown => "unknown",
    }
}

/// When something holds: `since 2008-02-05`, `2008 to 2012-03-30`.
pub(crate) fn period(period: Period) -> String {
    match (period.from, period.to) {
        (None, None) => "undated".to_owned(),
        (Some(from), None) => format!("since {from}"),
        (None, Some(to)) => format!("until {to}"),
        (Some(from), Some(to)) => format!("{from} to {to}"),
    }
}

/// Whether a tie is one for certain.
pub(crate) fn truth(truth: Truth) -> &'static str {
    match truth {
        Truth::No => "no",
        Truth::Possible => "possible",
        Truth::Certain => "certain",
    }
}

/// A number with its noun.
pub(crate) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// A number with commas between thousands.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Basis points as a percentage.
pub(crate) fn points(points: u32) -> String {
    share(Share::exact(ties::Fraction::basis_points(points.min(10_000))).unwrap_or(Share::UNKNOWN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_told_apart() {
        for (number, want) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(number), want);
        }
    }

    #[test]
    fn parts_are_told_as_far_as_they_are_known() {
        let cases = [
            ("49%", "49 %"),
            ("12.5%", "12.5 %"),
            ("1/3", "1/3"),
            ("(25%,50%]", "over 25 to 50 %"),
            ("[75%,100%]", "75 to 100 %"),
            ("[0%,100%]", "unknown"),
            ("(25%,50%)", "over 25, under 50 %"),
        ];
        for (given, want) in cases {
            assert_eq!(share(given.parse().unwrap()), want, "{given}");
        }
    }

    #[test]
    fn votes_and_money_are_two_things() {
        let held = |votes: Option<&str>, money: Option<&str>| {
            let read = |text: Option<&str>| text.map(|text| text.parse().unwrap());
            holding(&Holding { votes: read(votes), money: read(money), ..Holding::default() })
        };
        assert_eq!(held(Some("49%"), Some("49%")), "49 %");
        assert_eq!(held(Some("30%"), Some("49%")), "30 % votes, 49 % money");
        assert_eq!(held(Some("30%"), None), "30 % votes, money unknown");
        assert_eq!(held(None, Some("49%")), "49 %", "what is not said of votes is as of money");
        assert_eq!(held(None, None), "unknown part");
    }
}
