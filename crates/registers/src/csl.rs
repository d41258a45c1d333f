//! The US consolidated screening list: thirteen lists of three departments in one table.
//!
//! ```text
//! _id, source, entity_number, type, programs, name, .., start_date, end_date, .., alt_names, .., ids
//! "..", Entity List (EL) - Bureau of Industry and Security, , , , 32 Group China Ltd., ..
//! ```
//!
//! Each row is on the list that its `source` has in brackets: `us-el`, `us-meu`, `us-uvl`, `us-dpl`, `us-isn`, `us-dtc`
//! and so on; `ofac-sdn`, `ofac-ssi`, .. for those of the Treasury. `entity_number` counts within one source only: the
//! Treasury's names the entry that OFAC's own files have, and elsewhere `_id`, which newer files have, tells rows apart;
//! older files leave only what the row says.
//!
//! A name may carry an instruction: *and any successor, sub-unit, or subsidiary thereof*. It is taken off the name, and
//! the listing says that it reaches them.

use std::io::BufRead;

use ties::{Entity, EntityKind, ExternalId, PartialDate, Period, Statement};

use crate::countries;
use crate::denied;
use crate::ofac::kind;
use crate::ofac_links::{Links, Relation};
use crate::ofac_remarks::{number, remarks};
use crate::party::{Named, OFAC, add_countries, add_name, entry};
use crate::reading::{Importing, Reading, Reason, Report, external, rows};

/// The lists, by what stands in brackets.
const LISTS: &[(&str, &str)] = &[
    ("SDN", "ofac-sdn"),
    ("SSI", "ofac-ssi"),
    ("CAP", "ofac-cap"),
    ("CMIC", "ofac-cmic"),
    ("MBS", "ofac-mbs"),
    ("PLC", "ofac-plc"),
    ("FSE", "ofac-fse"),
    ("EL", "us-el"),
    ("MEU", "us-meu"),
    ("UVL", "us-uvl"),
    ("DPL", "us-dpl"),
    ("DTC", "us-dtc"),
    ("ISN", "us-isn"),
];

/// The states of the US whose codes are those of countries as well, or may become so.
const STATES: &str = "AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY \
                      NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY";

/// What identifiers are called in the column `ids`.
const KINDS: &[(&str, &str)] = &[
    ("vessel registration identification", "IMO"),
    ("legal entity number", "LEI"),
    ("passport", "passport"),
    ("swift/bic", "BIC"),
    ("mmsi", "MMSI"),
    ("national id no.", "national-id"),
    ("identification number", "identification"),
    ("tax id no.", "tax"),
    ("v.a.t. number", "vat"),
    ("registration number", "registration"),
    ("registration id", "registration"),
    ("public registration number", "registration"),
    ("business registration number", "registration"),
    ("commercial registry number", "registration"),
    ("company number", "registration"),
    ("matricula mercantil no", "registration"),
    ("nit #", "tax"),
    ("government gazette number", "gazette"),
];

/// Reads the screening list, with the columns of any edition.
pub fn read(reader: impl BufRead, importing: &Importing, emit: &mut dyn FnMut(Statement)) -> Report {
    let mut reading = Reading::new(importing, emit);
    let mut rows = rows(reader, true, b',');
    let columns = match rows.headers() {
        Ok(columns) => columns,
        Err(error) => {
            reading.stop("line 1", error);
            return reading.done();
        }
    };
    let mut links = Links::default();
    let mut row = csv::ByteRecord::new();
    loop {
        match rows.next(&mut row) {
            Ok(Some(line)) => {
                reading.record();
                let at = |name: &str| {
                    let at = columns.iter().position(|column| column.eq_ignore_ascii_case(name))?;
                    let text = String::from_utf8_lossy(row.get(at)?).trim().to_owned();
                    (!text.is_empty()).then_some(text)
                };
                party(&mut reading, &mut links, &format!("line {line}"), &at);
            }
            Ok(None) => break,
            Err(error) => {
                reading.stop("rest of the file", error);
                break;
            }
        }
    }
    links.say(&mut reading);
    reading.done()
}

/// Looks up a column of a row.
type Row<'r> = &'r dyn Fn(&str) -> Option<String>;

fn party(reading: &mut Reading<'_>, links: &mut Links, place: &str, at: Row<'_>) {
    let source = at("source").unwrap_or_default();
    let Some(list) = list(&source) else {
        return reading.refuse(
            place,
            Reason::UnknownKind,
            format_args!("`{source}` is no list that we know"),
        );
    };
    let Some(written) = at("name") else {
        return reading.refuse(place, Reason::Incomplete, "the row names nobody");
    };
    let (name, with_subsidiaries) = instruction(&written);
    let valid =
        Period { from: date(reading, place, at, "start_date"), to: date(reading, place, at, "end_date") };
    if valid.is_backwards() {
        return reading.refuse(place, Reason::BadDate, "the entry ends before it starts");
    }
    let (body, local) = local(list, name, &valid, at);
    let (kind, sector) = match at("type") {
        Some(word) => kind(Some(&word)),
        None => (EntityKind::Unknown, None),
    };
    let mut entity = Entity::new(entry(body, &local), kind);
    entity.sectors.extend(sector.map(str::to_owned));
    add_name(&mut entity, name, false);
    for alias in at("alt_names").unwrap_or_default().split(';') {
        add_name(&mut entity, alias.trim(), true);
    }
    add_countries(&mut entity, all_countries(kind, at));
    entity.founded = born(&at("dates_of_birth").unwrap_or_default());
    entity.identifiers = identifiers(&at("ids").unwrap_or_default());
    entity.identifiers.extend(at("call_sign").and_then(|sign| external("call-sign", &sign)));
    if body == OFAC
        && let Ok(number) = local.parse()
    {
        for name in &entity.names {
            links.bears(reading, number, &name.text, name.alias);
        }
        for name in remarks(&at("remarks").unwrap_or_default()).links {
            links.add(reading, list, number, &name, Relation::Linked);
        }
        if let Some(owner) = at("vessel_owner") {
            links.add(reading, list, number, &owner, Relation::Owner);
        }
    }
    let entry = at("programs").or_else(|| at("federal_register_notice"));
    reading.say_named("", entity, Named { list, local, entry, valid, with_subsidiaries });
}

/// The list in brackets: `Entity List (EL) - Bureau of Industry and Security`.
fn list(source: &str) -> Option<&'static str> {
    let (_, rest) = source.split_once('(')?;
    let (code, _) = rest.split_once(')')?;
    LISTS.iter().find(|(name, _)| name.eq_ignore_ascii_case(code.trim())).map(|(_, list)| *list)
}

/// The name without its instruction, and whether there was one.
fn instruction(name: &str) -> (&str, bool) {
    let lower = name.to_ascii_lowercase();
    let begins = lower.find("and any").filter(|_| lower.ends_with("thereof") && lower.contains("subsidiar"));
    match begins {
        Some(at) if at > 0 => (name[..at].trim_end().trim_end_matches([';', ',']).trim_end(), true),
        Some(_) | None => (name, false),
    }
}

/// Who numbers the entry, and what it goes by there.
fn local(list: &'static str, name: &str, valid: &Period, at: Row<'_>) -> (&'static str, String) {
    let number = at("entity_number").filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    if let (true, Some(number)) = (list.starts_with("ofac-"), number) {
        return (OFAC, number);
    }
    if list == denied::LIST {
        return (list, denied::local(name, valid.from));
    }
    let said = || {
        let parts = ["start_date", "federal_register_notice", "addresses"]
            .map(|column| at(column).unwrap_or_default());
        format!("{name} | {}", parts.join(" | "))
    };
    (list, at("_id").unwrap_or_else(said))
}

fn date(reading: &mut Reading<'_>, place: &str, at: Row<'_>, column: &str) -> Option<PartialDate> {
    let text = at(column)?;
    match text.parse() {
        Ok(date) => Some(date),
        Err(error) => {
            reading.refuse(format_args!("{place} {column}"), Reason::BadDate, error);
            None
        }
    }
}

/// Citizenships and flags, and of those that are no persons the last word of each address.
fn all_countries(kind: EntityKind, at: Row<'_>) -> Vec<String> {
    let column = |name: &str| at(name).unwrap_or_default();
    let mut texts = [column("nationalities"), column("citizenships"), column("vessel_flag")].join(";");
    if kind != EntityKind::Person {
        for address in column("addresses").split(';') {
            let last = address.rsplit(',').next().unwrap_or_default().trim();
            let before = address.trim().len() - last.len();
            let after_code =
                address.trim()[..before].trim_end_matches([',', ' ']).ends_with(|c: char| c.is_ascii_digit());
            // `Phoenix, AZ` is not in Azerbaijan.
            let is_state = before > 0 && !after_code && STATES.split(' ').any(|state| state == last);
            if last.len() == 2 && !is_state {
                texts.push(';');
                texts.push_str(last);
            }
        }
    }
    countries::codes(texts.split(';'))
}

/// The year or day on which all agree.
fn born(text: &str) -> Option<PartialDate> {
    let mut dates = text.split(';').map(str::trim).filter(|text| !text.is_empty());
    let first: PartialDate = dates.next()?.parse().ok()?;
    dates.all(|other| other.parse() == Ok(first)).then_some(first)
}

/// `Passport, U00242309, TR; ..`, in older editions `TR, U00242309, Passport; ..`.
fn identifiers(text: &str) -> Vec<ExternalId> {
    text.split(';').filter_map(identifier).collect()
}

fn identifier(text: &str) -> Option<ExternalId> {
    let kind_of = |part: &str| {
        let part = part.to_ascii_lowercase();
        KINDS.iter().find(|(name, _)| *name == part).map(|(_, kind)| *kind)
    };
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let kind = parts.iter().find_map(|part| kind_of(part))?;
    let is_code = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_uppercase());
    let country = parts.iter().find(|part| is_code(part));
    let value = parts.iter().find(|part| kind_of(part).is_none() && !is_code(part))?;
    let value = value.strip_prefix("IMO ").unwrap_or(value);
    number(kind, value, country.copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instruction_is_no_part_of_a_name() {
        let cases = [
            (
                "Sinobright Company; and any successor, sub-unit, or subsidiary thereof",
                "Sinobright Company",
                true,
            ),
            ("X, AND ANY SUBSIDIARY THEREOF", "X", true),
            ("Friends and any sub-unit thereof", "Friends and any sub-unit thereof", false),
            ("and any subsidiary thereof", "and any subsidiary thereof", false),
            ("Band Anything", "Band Anything", false),
        ];
        for (written, name, reaches) in cases {
            assert_eq!(instruction(written), (name, reaches));
        }
    }

    #[test]
    fn identifiers_are_read_in_both_orders() {
        let shown = |text: &str| {
            identifiers(text).iter().map(|id| format!("{} {}", id.scheme, id.value)).collect::<Vec<_>>()
        };
        assert_eq!(shown("Passport, U00242309, TR; Gender, Male"), ["PASSPORT/TR U00242309"]);
        assert_eq!(shown("TR, U00242309, Passport"), ["PASSPORT/TR U00242309"]);
        assert_eq!(
            shown("IMO 9116412, Vessel Registration Identification; Panama, Former Vessel Flag"),
            ["IMO 9116412"]
        );
        assert_eq!(shown("5030056754, Tax ID No.; http://x, Website"), ["TAX/UNKNOWN 5030056754"]);
        assert!(shown("").is_empty());
    }
}
