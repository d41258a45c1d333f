//! What OFAC writes into the remarks of an entry.
//!
//! ```text
//! DOB 07 Jan 1940; alt. DOB circa 1941; POB Burma; nationality Burma; Passport A 1 (Burma) expires 2014;
//! a.k.a. 'X'; Vessel Registration Identification IMO 9116412; Linked To: SOMEBODY S.A.
//! ```
//!
//! The pieces are parted by semicolons, and the whole ends in a full stop, which may or may not be that of the last
//! name. What is not understood is left alone.

use ties::{Day, ExternalId, PartialDate};

use crate::countries;
use crate::reading::external;

/// What the remarks tell.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Remarks {
    /// When the person was born, if the remarks agree with themselves.
    pub(crate) born: Option<PartialDate>,
    /// Nationalities and citizenships, as codes.
    pub(crate) countries: Vec<String>,
    pub(crate) identifiers: Vec<ExternalId>,
    pub(crate) aliases: Vec<String>,
    /// The names after `Linked To:`.
    pub(crate) links: Vec<String>,
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// What an identifier begins with, and the scheme that we give it. None of these decides alone who is meant: a scheme
/// of ours has a slash, and merges nothing. The longer beginnings stand first.
const KINDS: &[(&str, &str)] = &[
    ("Vessel Registration Identification IMO ", "IMO"),
    ("Company Number IMO ", "IMO/company"),
    ("Legal Entity Number ", "LEI"),
    ("Passport ", "passport"),
    ("SWIFT/BIC ", "BIC"),
    ("MMSI ", "MMSI"),
    ("National ID No. ", "national-id"),
    ("Identification Number ", "identification"),
    ("Tax ID No. ", "tax"),
    ("V.A.T. Number ", "vat"),
    ("Registration Number ", "registration"),
    ("Registration ID ", "registration"),
    ("Business Registration Number ", "registration"),
    ("Commercial Registry Number ", "registration"),
    ("Company Number ", "registration"),
    ("Matricula Mercantil No ", "registration"),
    ("Folio Mercantil No. ", "registration"),
    ("NIT # ", "tax"),
    ("R.F.C. ", "tax"),
    ("C.U.R.P. ", "national-id"),
    ("Cedula No. ", "national-id"),
    ("D.N.I. ", "national-id"),
    ("Government Gazette Number ", "gazette"),
];

/// Reads remarks.
pub(crate) fn remarks(text: &str) -> Remarks {
    let mut found = Remarks::default();
    let mut births = Vec::new();
    let text = text.trim();
    let mut pieces = text.split(';').map(str::trim).filter(|piece| !piece.is_empty()).peekable();
    while let Some(piece) = pieces.next() {
        let last = pieces.peek().is_none();
        // A name keeps its full stop until somebody knows better.
        if let Some(name) = linked(piece) {
            found.links.push(name.to_owned());
            continue;
        }
        let piece = if last { piece.strip_suffix('.').unwrap_or(piece) } else { piece };
        let piece = piece.strip_prefix("alt. ").unwrap_or(piece);
        if let Some(date) = piece.strip_prefix("DOB ") {
            births.push(date);
        } else if let Some(name) = quoted(piece) {
            found.aliases.push(name.to_owned());
        } else if let Some(country) =
            piece.strip_prefix("nationality ").or_else(|| piece.strip_prefix("citizen "))
        {
            found.countries.extend(countries::code(country));
        } else {
            found.identifiers.extend(identifier(piece));
        }
    }
    found.countries = countries::codes(found.countries.iter().map(String::as_str));
    found.born = born(&births);
    found
}

/// `Linked To: NAME`, also in brackets.
fn linked(piece: &str) -> Option<&str> {
    let bare = piece
        .strip_prefix('(')
        .map_or(piece, |inner| inner.strip_suffix(").").or_else(|| inner.strip_suffix(')')).unwrap_or(inner));
    let start = bare.get(..10).filter(|start| start.eq_ignore_ascii_case("linked to:"))?;
    let name = bare[start.len()..].trim();
    (!name.is_empty()).then_some(name)
}

/// `a.k.a. 'NAME'`, and former and new names.
fn quoted(piece: &str) -> Option<&str> {
    let name = ["a.k.a. '", "f.k.a. '", "n.k.a. '"].iter().find_map(|begin| piece.strip_prefix(begin))?;
    Some(name.strip_suffix('\'').unwrap_or(name)).filter(|name| !name.is_empty())
}

fn identifier(piece: &str) -> Option<ExternalId> {
    let (begin, kind) = KINDS.iter().find(|(begin, _)| piece.starts_with(begin))?;
    let rest = &piece[begin.len()..];
    let (value, place) = match rest.split_once(" (") {
        Some((value, place)) => (value, place.split(')').next().unwrap_or_default()),
        None => (rest, ""),
    };
    let value = value.split(" issued ").next().unwrap_or_default();
    let value = value.split(" expires ").next().unwrap_or_default();
    number(kind, value, countries::code(place).as_deref())
}

/// An identifier of a kind of [`KINDS`].
pub(crate) fn number(kind: &str, value: &str, country: Option<&str>) -> Option<ExternalId> {
    match (kind, country) {
        ("LEI", _) if crate::gleif::is_lei(value) => external("XI-LEI", value),
        ("IMO" | "IMO/company" | "MMSI" | "BIC", _) => external(kind, value),
        (_, Some(country)) => external(&format!("{kind}/{country}"), value),
        ("LEI", None) => external("registration/unknown", value),
        (_, None) => external(&format!("{kind}/unknown"), value),
    }
}

/// The date of birth that all agree on, as precisely as they do; `None` where they contradict each other.
fn born(births: &[&str]) -> Option<PartialDate> {
    let dates: Vec<PartialDate> = births.iter().map(|text| birth(text)).collect::<Option<_>>()?;
    let (first, rest) = dates.split_first()?;
    if rest.iter().all(|date| date == first) {
        return Some(*first);
    }
    let year = year_of(*first);
    rest.iter().all(|date| year_of(*date) == year).then_some(PartialDate::Year { year })
}

fn year_of(date: PartialDate) -> i32 {
    date.to_string().get(..4).and_then(|year| year.parse().ok()).unwrap_or_default()
}

/// `07 Jan 1940`, `Jan 1940`, `1940`, `01 Jan 1940 to 31 Dec 1940`. What is said to be about is no date.
fn birth(text: &str) -> Option<PartialDate> {
    if let Some((from, to)) = text.split_once(" to ") {
        let (from, to) = (date(from)?, date(to)?);
        let year = year_of(from);
        let whole = PartialDate::Year { year };
        let is_year = from.earliest() == whole.earliest() && to.settled() >= whole.settled().plus(-1);
        return (is_year && year_of(to) == year).then_some(whole);
    }
    date(text)
}

/// `07 Jan 1940`, `Jan 1940`, `1940`.
pub(crate) fn date(text: &str) -> Option<PartialDate> {
    let parts: Vec<&str> = text.split_whitespace().collect();
    let month = |name: &str| MONTHS.iter().position(|month| *month == name).map(|at| at + 1);
    let text = match parts.as_slice() {
        [year] => (*year).to_owned(),
        [name, year] => format!("{year}-{:02}", month(name)?),
        [day, name, year] => format!("{year}-{:02}-{day:0>2}", month(name)?),
        _ => return None,
    };
    let date: PartialDate = text.parse().ok()?;
    (date.earliest() > Day::MIN).then_some(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remarks_are_taken_apart() {
        let found = remarks(
            "DOB 07 Jan 1940; POB Burma; nationality Burma; citizen Korea, North; Passport AF427757 (Colombia) expires \
             1999; Vessel Registration Identification IMO 9116412; a.k.a. 'THE; a.k.a. 'B'; Linked To: A. B. S.A.; \
             Legal Entity Number 253400V1H6ART1UQ0N98; Tax ID No. 7707083893 (Russia); (Linked To: C & D (GMBH)); \
             Linked To: LAST S.A.",
        );
        assert_eq!(found.born.unwrap().to_string(), "1940-01-07");
        assert_eq!(found.countries, ["MM", "KP"]);
        assert_eq!(found.aliases, ["THE", "B"]);
        assert_eq!(found.links, ["A. B. S.A.", "C & D (GMBH)", "LAST S.A."]);
        let ids: Vec<_> = found.identifiers.iter().map(|id| format!("{} {}", id.scheme, id.value)).collect();
        assert_eq!(
            ids,
            ["PASSPORT/CO AF427757", "IMO 9116412", "XI-LEI 253400V1H6ART1UQ0N98", "TAX/RU 7707083893"]
        );
    }

    #[test]
    fn dates_of_birth_are_as_precise_as_their_remarks() {
        let cases = [
            ("DOB 1951.", Some("1951")),
            ("DOB Sep 1951.", Some("1951-09")),
            ("DOB 7 Sep 1951.", Some("1951-09-07")),
            ("DOB 01 Jan 1951 to 31 Dec 1951.", Some("1951")),
            ("DOB 01 Jan 1951 to 31 Dec 1952.", None),
            ("DOB 1951 to 1953.", None),
            ("DOB circa 1951.", None),
            ("DOB 13 May 1965; alt. DOB 13 May 1965.", Some("1965-05-13")),
            ("DOB 13 May 1965; alt. DOB 07 Jul 1965.", Some("1965")),
            ("DOB 13 May 1965; alt. DOB 07 Jul 1964.", None),
            ("DOB 31 Feb 1965.", None),
            ("", None),
        ];
        for (text, want) in cases {
            assert_eq!(remarks(text).born.map(|date| date.to_string()).as_deref(), want, "{text}");
        }
    }
}
