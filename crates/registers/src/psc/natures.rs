//! Natures of control, and the words for countries and their people that go with them.

use ties::{Appointment, Direction, Holding, Share, TieKind};

use crate::countries;
use crate::reading::{Reading, Reason};

/// In which capacity a right is held. Each is a holding of its own.
const CAPACITIES: [(&str, &str, bool); 6] = [
    // code                    class                           through something else?
    ("-as-control-over-trust", "through control over a trust", true),
    ("-as-control-over-firm", "through control over a firm", true),
    ("-as-nominee", "as a nominee", false),
    ("-as-trust", "as a trustee", false),
    ("-as-firm", "as a firm's member", false),
    (OWN, "", false),
];

/// For itself.
const OWN: &str = "";

/// The ties that natures of control amount to, each with its ending.
///
/// Shares and votes in one capacity are one holding. A nature that is not known is refused, and counts as an unknown
/// holding: the person is registered for something.
pub(super) fn ties(reading: &mut Reading<'_>, place: &str, codes: &[String]) -> Vec<(&'static str, TieKind)> {
    let mut held: Vec<Held> = Vec::new();
    for code in codes {
        let Some(nature) = nature(code) else {
            reading.refuse(
                format_args!("{place} natures_of_control"),
                Reason::BadValue,
                format_args!("`{code}`"),
            );
            merge(&mut held, Nature { right: Right::Unknown, capacity: CAPACITIES.len() - 1 });
            continue;
        };
        merge(&mut held, nature);
    }
    held.sort_by_key(|one| (one.capacity, one.group as u8));
    held.iter().filter_map(tie).collect()
}

/// A code, understood.
struct Nature {
    right: Right,
    /// Which of [`CAPACITIES`].
    capacity: usize,
}

#[derive(Clone, Copy)]
enum Right {
    Shares(Share),
    Votes(Share),
    Surplus(Share),
    Board,
    Influence,
    Unknown,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    Stake = 0,
    Board = 1,
    Influence = 2,
}

/// The rights of one group in one capacity.
struct Held {
    capacity: usize,
    group: Group,
    shares: Option<Share>,
    votes: Option<Share>,
    surplus: Option<Share>,
}

fn merge(held: &mut Vec<Held>, Nature { right, capacity }: Nature) {
    let group = match right {
        Right::Shares(_) | Right::Votes(_) | Right::Surplus(_) | Right::Unknown => Group::Stake,
        Right::Board => Group::Board,
        Right::Influence => Group::Influence,
    };
    let found = held.iter().position(|one| one.capacity == capacity && one.group == group);
    let at = found.unwrap_or_else(|| {
        held.push(Held { capacity, group, shares: None, votes: None, surplus: None });
        held.len() - 1
    });
    let one = &mut held[at];
    match right {
        Right::Shares(share) => one.shares = Some(wider(one.shares, share)),
        Right::Votes(share) => one.votes = Some(wider(one.votes, share)),
        Right::Surplus(share) => one.surplus = Some(wider(one.surplus, share)),
        Right::Board | Right::Influence | Right::Unknown => {}
    }
}

/// Two bands of one right in one capacity contradict each other: the range that holds both is what is known.
fn wider(known: Option<Share>, share: Share) -> Share {
    known.map_or(share, |known| crate::ftm::hull(known, share))
}

fn tie(held: &Held) -> Option<(&'static str, TieKind)> {
    let (_, class, through) = *CAPACITIES.get(held.capacity)?;
    let ending = ending(held.group, held.capacity);
    let kind = match held.group {
        Group::Stake => {
            // A right to what is left at the end of a partnership is no vote there.
            let votes =
                held.votes.or_else(|| held.surplus.filter(|_| held.shares.is_none()).map(|_| Share::UNKNOWN));
            TieKind::Holds(Holding {
                votes,
                money: held.shares.or(held.surplus),
                class: (!class.is_empty()).then(|| class.to_owned()),
                indirect: through,
                ..Holding::default()
            })
        }
        // The Act's condition is the right to appoint or remove a majority of the board.
        Group::Board => TieKind::Appoints(Appointment { majority: Some(true), ..Appointment::default() }),
        Group::Influence => TieKind::Directs { by: Direction::Influence },
    };
    Some((ending, kind))
}

fn ending(group: Group, capacity: usize) -> &'static str {
    const ENDINGS: [[&str; 6]; 3] = [
        [
            "shares-over-trust",
            "shares-over-firm",
            "shares-as-nominee",
            "shares-as-trust",
            "shares-as-firm",
            "shares",
        ],
        [
            "board-over-trust",
            "board-over-firm",
            "board-as-nominee",
            "board-as-trust",
            "board-as-firm",
            "board",
        ],
        [
            "influence-over-trust",
            "influence-over-firm",
            "influence-as-nominee",
            "influence-as-trust",
            "influence-as-firm",
            "influence",
        ],
    ];
    ENDINGS[group as usize].get(capacity).copied().unwrap_or("shares")
}

fn nature(code: &str) -> Option<Nature> {
    let mut rest = code.strip_prefix("part-").unwrap_or(code);
    for vehicle in ["-limited-liability-partnership", "-registered-overseas-entity", "-scottish-partnership"]
    {
        rest = rest.strip_suffix(vehicle).unwrap_or(rest);
    }
    let (capacity, rest) = CAPACITIES
        .iter()
        .enumerate()
        .find_map(|(at, (ending, ..))| Some((at, rest.strip_suffix(ending)?)))?;
    let banded = |right: &str| band(rest.strip_prefix(right)?.strip_prefix('-')?);
    let right = if let Some(share) = banded("ownership-of-shares") {
        Right::Shares(share)
    } else if let Some(share) = banded("voting-rights") {
        Right::Votes(share)
    } else if let Some(share) = banded("right-to-share-surplus-assets") {
        Right::Surplus(share)
    } else {
        match rest {
            "right-to-appoint-and-remove-directors"
            | "right-to-appoint-and-remove-members"
            | "right-to-appoint-and-remove-person" => Right::Board,
            "significant-influence-or-control" => Right::Influence,
            _ => return None,
        }
    };
    Some(Nature { right, capacity })
}

/// The bands of the Act.
fn band(code: &str) -> Option<Share> {
    let text = match code {
        "25-to-50-percent" => "(25%,50%]",
        "50-to-75-percent" => "(50%,75%)",
        "75-to-100-percent" => "[75%,100%]",
        "more-than-25-percent" => "(25%,100%]",
        _ => return None,
    };
    text.parse().ok()
}

/// Whether the text has the form of a British company number: up to eight digits, or two letters and digits.
pub(super) fn is_company_number(text: &str) -> bool {
    let bare: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let letters = bare.bytes().take_while(u8::is_ascii_alphabetic).count();
    let digits = &bare[letters..];
    digits.bytes().all(|b| b.is_ascii_digit())
        && match letters {
            0 => (4..=8).contains(&digits.len()),
            2 => (1..=6).contains(&digits.len()),
            _ => false,
        }
}

/// The country of a name; the parts of the United Kingdom are it.
pub(super) fn british_or_named(name: &str) -> Option<String> {
    let plain = name.trim().to_lowercase();
    let plain = plain.trim_end_matches('.');
    let british = [
        "england",
        "wales",
        "scotland",
        "northern ireland",
        "united kingdom",
        "great britain",
        "uk",
        "u.k",
        "gb",
    ];
    let parts = plain.split([',', '&', '/', '(', ')']).flat_map(|part| part.split(" and ")).map(str::trim);
    let mut parts = parts.filter(|part| !part.is_empty()).peekable();
    if parts.peek().is_some() && parts.all(|part| british.contains(&part)) {
        return Some("GB".to_owned());
    }
    // Two letters are a code in other formats; here they are as often something else.
    if plain.len() == 2 { None } else { countries::code(plain) }
}

/// The countries of which somebody is a national, as far as the words are known.
pub(super) fn nationalities(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for word in text.split([',', '/', ';']) {
        let word = word.trim().to_lowercase();
        let found = PEOPLES.iter().find(|(people, _)| *people == word).map(|(_, code)| (*code).to_owned());
        if let Some(code) = found.or_else(|| british_or_named(&word))
            && !out.contains(&code)
        {
            out.push(code);
        }
    }
    out
}

/// The words under which the register has nationalities most often.
const PEOPLES: [(&str, &str); 93] = [
    ("afghan", "AF"),
    ("albanian", "AL"),
    ("algerian", "DZ"),
    ("american", "US"),
    ("argentinian", "AR"),
    ("armenian", "AM"),
    ("australian", "AU"),
    ("austrian", "AT"),
    ("azerbaijani", "AZ"),
    ("bangladeshi", "BD"),
    ("belarusian", "BY"),
    ("belgian", "BE"),
    ("brazilian", "BR"),
    ("british", "GB"),
    ("bulgarian", "BG"),
    ("cameroonian", "CM"),
    ("canadian", "CA"),
    ("chilean", "CL"),
    ("chinese", "CN"),
    ("colombian", "CO"),
    ("croatian", "HR"),
    ("cypriot", "CY"),
    ("czech", "CZ"),
    ("danish", "DK"),
    ("dutch", "NL"),
    ("egyptian", "EG"),
    ("emirati", "AE"),
    ("english", "GB"),
    ("eritrean", "ER"),
    ("estonian", "EE"),
    ("ethiopian", "ET"),
    ("finnish", "FI"),
    ("french", "FR"),
    ("georgian", "GE"),
    ("german", "DE"),
    ("ghanaian", "GH"),
    ("greek", "GR"),
    ("hong konger", "HK"),
    ("hungarian", "HU"),
    ("icelandic", "IS"),
    ("indian", "IN"),
    ("indonesian", "ID"),
    ("iranian", "IR"),
    ("iraqi", "IQ"),
    ("irish", "IE"),
    ("israeli", "IL"),
    ("italian", "IT"),
    ("japanese", "JP"),
    ("jordanian", "JO"),
    ("kazakh", "KZ"),
    ("kenyan", "KE"),
    ("kuwaiti", "KW"),
    ("kyrgyz", "KG"),
    ("latvian", "LV"),
    ("lebanese", "LB"),
    ("libyan", "LY"),
    ("lithuanian", "LT"),
    ("luxembourger", "LU"),
    ("malaysian", "MY"),
    ("maltese", "MT"),
    ("mauritian", "MU"),
    ("mexican", "MX"),
    ("moldovan", "MD"),
    ("moroccan", "MA"),
    ("nepalese", "NP"),
    ("new zealander", "NZ"),
    ("nigerian", "NG"),
    ("north korean", "KP"),
    ("norwegian", "NO"),
    ("pakistani", "PK"),
    ("philippine", "PH"),
    ("polish", "PL"),
    ("portuguese", "PT"),
    ("qatari", "QA"),
    ("romanian", "RO"),
    ("russian", "RU"),
    ("saudi arabian", "SA"),
    ("scottish", "GB"),
    ("serbian", "RS"),
    ("singaporean", "SG"),
    ("slovak", "SK"),
    ("slovenian", "SI"),
    ("south african", "ZA"),
    ("south korean", "KR"),
    ("spanish", "ES"),
    ("sri lankan", "LK"),
    ("swedish", "SE"),
    ("swiss", "CH"),
    ("syrian", "SY"),
    ("taiwanese", "TW"),
    ("turkish", "TR"),
    ("ukrainian", "UA"),
    ("welsh", "GB"),
];

#[cfg(test)]
mod tests {
    use model::Timestamp;
    use ties::Source;

    use super::*;
    use crate::reading::Importing;

    fn read(codes: &[&str]) -> Vec<String> {
        let importing = Importing { document: Source::default(), recorded: Timestamp::from_micros(0) };
        let mut nobody = |_| {};
        let mut reading = Reading::new(&importing, &mut nobody);
        let codes: Vec<String> = codes.iter().map(|code| (*code).to_owned()).collect();
        let shown = |share: Option<Share>| share.map_or("?".to_owned(), |share| share.to_string());
        let ties = ties(&mut reading, "", &codes).into_iter();
        ties.map(|(ending, kind)| {
            let TieKind::Holds(held) = kind else { return ending.to_owned() };
            let through = if held.indirect { " indirect" } else { "" };
            format!("{ending}: votes {} money {}{through}", shown(held.votes), shown(held.money))
        })
        .collect()
    }

    #[test]
    fn natures_are_right_band_and_capacity() {
        let cases: &[(&[&str], &[&str])] = &[
            (&["ownership-of-shares-25-to-50-percent"], &["shares: votes ? money (25%,50%]"]),
            (
                &["ownership-of-shares-25-to-50-percent", "voting-rights-50-to-75-percent"],
                &["shares: votes (50%,75%) money (25%,50%]"],
            ),
            (
                &["ownership-of-shares-75-to-100-percent-as-trust", "voting-rights-75-to-100-percent"],
                &["shares-as-trust: votes ? money [75%,100%]", "shares: votes [75%,100%] money ?"],
            ),
            (
                &["voting-rights-more-than-25-percent-as-control-over-firm-registered-overseas-entity"],
                &["shares-over-firm: votes (25%,100%] money ? indirect"],
            ),
            (
                &["right-to-share-surplus-assets-25-to-50-percent-limited-liability-partnership"],
                &["shares: votes [0%,100%] money (25%,50%]"],
            ),
            (
                &["right-to-appoint-and-remove-directors-as-firm", "significant-influence-or-control"],
                &["board-as-firm", "influence"],
            ),
            (&["ownership-of-shares-10-to-25-percent"], &["shares: votes ? money ?"]),
            (&["", "voting-rights-"], &["shares: votes ? money ?"]),
        ];
        for (codes, want) in cases {
            assert_eq!(read(codes), *want, "{codes:?}");
        }
    }

    /// Right x band x capacity x vehicle, as the register's enumeration has them.
    #[test]
    fn every_code_of_the_enumeration_is_understood() {
        let mut codes = Vec::new();
        let bands = ["25-to-50-percent", "50-to-75-percent", "75-to-100-percent"];
        for capacity in ["", "-as-trust", "-as-firm"] {
            for band in bands {
                codes.push(format!("ownership-of-shares-{band}{capacity}"));
                codes.push(format!("voting-rights-{band}{capacity}"));
                codes.push(format!("voting-rights-{band}{capacity}-limited-liability-partnership"));
                codes.push(format!(
                    "right-to-share-surplus-assets-{band}{capacity}-limited-liability-partnership"
                ));
            }
            codes.push(format!("right-to-appoint-and-remove-directors{capacity}"));
            codes
                .push(format!("right-to-appoint-and-remove-members{capacity}-limited-liability-partnership"));
            codes.push(format!("significant-influence-or-control{capacity}"));
            codes.push(format!("significant-influence-or-control{capacity}-limited-liability-partnership"));
        }
        for capacity in ["", "-as-trust", "-as-firm", "-as-control-over-trust", "-as-control-over-firm"] {
            for right in [
                "ownership-of-shares-more-than-25-percent",
                "voting-rights-more-than-25-percent",
                "right-to-appoint-and-remove-directors",
                "significant-influence-or-control",
            ] {
                codes.push(format!("{right}{capacity}-registered-overseas-entity"));
            }
        }
        assert_eq!(codes.len(), 68);
        for code in &codes {
            assert!(nature(code).is_some(), "{code}");
        }
    }

    #[test]
    fn words_for_countries_and_peoples_are_known() {
        let cases = [
            ("United Kingdom", Some("GB")),
            ("England & Wales", Some("GB")),
            ("England and Wales", Some("GB")),
            ("United Kingdom (England)", Some("GB")),
            ("West Yorkshire", None),
            ("Germany", Some("DE")),
            ("", None),
            ("NA", None),
        ];
        for (name, want) in cases {
            assert_eq!(british_or_named(name).as_deref(), want, "{name}");
        }
        assert_eq!(nationalities("British,Irish"), ["GB", "IE"]);
        assert_eq!(nationalities("Chinese / Martian"), ["CN"]);
        for (people, code) in PEOPLES {
            assert!(people.chars().all(|c| c.is_lowercase() || c == ' ') && code.len() == 2, "{people}");
        }
    }

    #[test]
    fn company_numbers_have_a_form() {
        for (text, want) in [
            ("89101112", true),
            ("SC 123456", true),
            ("56099", true),
            ("HRB 1234", false),
            ("", false),
            ("é1", false),
        ] {
            assert_eq!(is_company_number(text), want, "{text}");
        }
    }
}
