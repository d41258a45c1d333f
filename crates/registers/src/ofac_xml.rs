//! OFAC's lists as advanced XML, in which relations are more than words.
//!
//! The file is a set of tables that refer to each other by numbers, in this order:
//!
//! ```text
//! ReferenceValueSets     what the numbers of types mean: RelationType 15003 is "Owned or Controlled By"
//! Locations              Location 25 is in Country 11073
//! IDRegDocuments         document 9 of Identity 4375 is a passport
//! DistinctParties        party 36 has profile 36, with identities, aliases, features
//! ProfileRelationships   profile 36 --15003--> profile 90
//! SanctionsEntries       profile 36 is on list 1550 since 1986-12-10, under CUBA
//! ```
//!
//! Two types of relation say who owns whom, in opposite directions:
//!
//! | type | name | the owned one is |
//! |---|---|---|
//! | 15003 | Owned or Controlled By | `From` |
//! | 92019 | Owns, controls, or operates | `To` |
//!
//! Neither has a percentage, and each leaves open whether the tie is by shares. So both become two ties: the owner
//! *directs* the owned one in fact, which makes control certain; and it *holds* an unknown share, which makes a stake
//! of 50 % possible and nothing more. A relation that is marked as former is over; the file does not say since when,
//! only that it was so when it was issued.
//!
//! Whoever reads the file in another order (relations before parties) loses nothing but the countries and documents.

use std::collections::BTreeMap;
use std::io::BufRead;

use ties::{
    Direction, Entity, EntityKind, ExternalId, Holding, PartialDate, Period, Post, Said, Statement, Tie,
    TieKind,
};

use crate::countries;
use crate::ofac::{List, kind};
use crate::ofac_remarks::number;
use crate::party::{Named, OFAC, add_countries, add_name, entry};
use crate::reading::{Importing, Reading, Reason, Report};
use crate::tree::Node;

/// How many entries each of the tables that are kept may have; the real ones have some 30,000.
const KEPT_MAX: usize = 1 << 18;
/// The longest name of a type that is kept, in bytes.
const TYPE_NAME_BYTES_MAX: usize = 256;

/// The elements that are records.
const RECORDS: &[&str] = &["DistinctParty", "ProfileRelationship", "SanctionsEntry"];

/// The elements that explain records.
const ASIDE: &[&str] = &[
    "DateOfIssue",
    "AliasType",
    "AreaCode",
    "Country",
    "FeatureType",
    "IDRegDocType",
    "List",
    "PartySubType",
    "RelationType",
    "SanctionsType",
    "Location",
    "IDRegDocument",
];

/// Types by their numbers, where a file does not explain them.
const KNOWN: &[(&str, u32, &str)] = &[
    ("FeatureType", 8, "Birthdate"),
    ("FeatureType", 10, "Nationality Country"),
    ("FeatureType", 11, "Citizenship Country"),
    ("FeatureType", 25, "Location"),
    ("List", 1550, "SDN List"),
    ("PartySubType", 1, "Vessel"),
    ("PartySubType", 2, "Aircraft"),
    ("PartySubType", 4, "Individual"),
    ("RelationType", 15003, "Owned or Controlled By"),
    ("RelationType", 92019, "Owns, controls, or operates"),
    ("SanctionsType", 1, "Program"),
];

/// Reads a file of either list.
pub fn read(reader: impl BufRead, importing: &Importing, emit: &mut dyn FnMut(Statement)) -> Report {
    let mut reading = Reading::new(importing, emit);
    let mut tables = Tables::default();
    reading.each_xml(reader, RECORDS, ASIDE, |reading, place, node| match node.name.as_str() {
        "DistinctParty" => tables.party(reading, place, &node),
        "ProfileRelationship" => tables.relation(reading, place, &node),
        "SanctionsEntry" => tables.listing(reading, place, &node),
        _ => tables.keep(reading, &node),
    });
    reading.done()
}

/// What was read of the tables that others refer to.
#[derive(Default)]
struct Tables {
    types: BTreeMap<(String, u32), String>,
    /// The country of a location.
    locations: BTreeMap<u32, String>,
    /// The documents of an identity.
    documents: BTreeMap<u32, Vec<ExternalId>>,
    documents_kept: usize,
    /// The party of a profile, where their numbers differ.
    profiles: BTreeMap<u32, u32>,
    issued: Option<PartialDate>,
}

/// A number in an attribute.
fn reference(node: &Node, name: &str) -> Option<u32> {
    node.get(&[name])?.parse().ok()
}

/// `<Date><Year>2024</Year><Month>3</Month><Day>5</Day></Date>`.
fn date(node: &Node) -> Option<PartialDate> {
    let part = |name: &str| node.get(&[name]).and_then(|text| text.parse::<u32>().ok());
    let text = match (part("Year")?, part("Month"), part("Day")) {
        (year, Some(month), Some(day)) => format!("{year:04}-{month:02}-{day:02}"),
        (year, Some(month), None) => format!("{year:04}-{month:02}"),
        (year, None, _) => format!("{year:04}"),
    };
    text.parse().ok()
}

impl Tables {
    /// The name of a type.
    fn name(&self, table: &str, number: Option<u32>) -> Option<&str> {
        let number = number?;
        let found = self.types.get(&(table.to_owned(), number)).map(String::as_str);
        found.or_else(|| {
            KNOWN.iter().find(|(known, at, _)| *known == table && *at == number).map(|(_, _, name)| *name)
        })
    }

    fn keep(&mut self, reading: &mut Reading<'_>, node: &Node) {
        let full = self.types.len().max(self.locations.len()).max(self.documents_kept) >= KEPT_MAX;
        if full {
            return reading.note("tables-beyond-limit");
        }
        match node.name.as_str() {
            "DateOfIssue" => self.issued = date(node),
            "Location" => {
                let country = node.at(&["LocationCountry"]).and_then(|at| reference(at, "CountryID"));
                let country = self.name("Country", country).or_else(|| {
                    let area = node.at(&["LocationAreaCode"]).and_then(|at| reference(at, "AreaCodeID"));
                    self.name("AreaCode", area)
                });
                if let (Some(id), Some(code)) = (reference(node, "ID"), country.and_then(countries::code)) {
                    self.locations.insert(id, code);
                }
            }
            "IDRegDocument" => self.document(node),
            table => {
                let Some(id) = reference(node, "ID") else { return };
                // Some areas have the name in an attribute, and a code as their text.
                let text = node.get(&["Description"]).or_else(|| node.value()).unwrap_or_default();
                if text.len() <= TYPE_NAME_BYTES_MAX {
                    self.types.insert((table.to_owned(), id), text.to_owned());
                }
            }
        }
    }

    fn document(&mut self, node: &Node) {
        let Some(identity) = reference(node, "IdentityID") else { return };
        let kind = match self.name("IDRegDocType", reference(node, "IDRegDocTypeID")) {
            Some("Passport") => "passport",
            Some("Vessel Registration Identification") => "IMO",
            Some("Legal Entity Number") => "LEI",
            Some("SWIFT/BIC") => "BIC",
            Some("MMSI") => "MMSI",
            Some(name) if name.contains("Tax ID") || name.starts_with("NIT") || name == "R.F.C." => "tax",
            Some(name) if name.contains("National ID") || name.starts_with("Cedula") => "national-id",
            Some(name) if name.contains("Regist") || name.contains("Company Number") => "registration",
            Some(_) | None => return,
        };
        let country = self.name("Country", reference(node, "IssuedBy-CountryID")).and_then(countries::code);
        let value = node.get(&["IDRegistrationNo"]).unwrap_or_default();
        let value = value.strip_prefix("IMO ").unwrap_or(value);
        if let Some(id) = number(kind, value, country.as_deref()) {
            self.documents_kept += 1;
            self.documents.entry(identity).or_default().push(id);
        }
    }

    fn party(&mut self, reading: &mut Reading<'_>, place: &str, node: &Node) {
        let profile = node.at(&["Profile"]);
        let Some(party) = reference(node, "FixedRef").or_else(|| reference(profile?, "ID")) else {
            return reading.refuse(place, Reason::Incomplete, "the party has no number");
        };
        let Some(profile) = profile else {
            return reading.refuse(place, Reason::Incomplete, "the party has no profile");
        };
        if let Some(number) = reference(profile, "ID").filter(|number| *number != party) {
            if self.profiles.len() < KEPT_MAX {
                self.profiles.insert(number, party);
            } else {
                reading.note("tables-beyond-limit");
            }
        }
        let (kind, sector) = kind(self.name("PartySubType", reference(profile, "PartySubTypeID")));
        let mut entity = Entity::new(entry(OFAC, &party.to_string()), kind);
        entity.sectors.extend(sector.map(str::to_owned));
        for identity in profile.each("Identity") {
            names(&mut entity, identity);
            let documents = reference(identity, "ID").and_then(|id| self.documents.get(&id));
            entity.identifiers.extend(documents.into_iter().flatten().cloned());
        }
        if entity.names.is_empty() {
            return reading.refuse(place, Reason::Incomplete, "the party has no name");
        }
        self.features(&mut entity, profile);
        reading.say_party("", entity);
    }

    fn features(&self, entity: &mut Entity, profile: &Node) {
        let mut births = Vec::new();
        for feature in profile.each("Feature") {
            let name = self.name("FeatureType", reference(feature, "FeatureTypeID")).unwrap_or_default();
            match name {
                "Birthdate" => births.extend(feature.all("DatePeriod").into_iter().map(birth)),
                "Location" if entity.kind == EntityKind::Person => {}
                "Location"
                | "Nationality Country"
                | "Citizenship Country"
                | "Nationality of Registration"
                | "Vessel Flag" => {
                    let places = feature.all("VersionLocation");
                    let places = places
                        .iter()
                        .filter_map(|place| self.locations.get(&reference(place, "LocationID")?));
                    add_countries(entity, places.cloned().collect::<Vec<_>>());
                    let texts = feature.all("VersionDetail");
                    add_countries(entity, countries::codes(texts.iter().filter_map(|text| text.value())));
                }
                _ => {}
            }
        }
        entity.founded = match births.as_slice() {
            [first, rest @ ..] if rest.iter().all(|other| other == first) => *first,
            _ => None,
        };
    }

    /// The party that has the profile.
    fn of_profile(&self, profile: u32) -> u32 {
        self.profiles.get(&profile).copied().unwrap_or(profile)
    }

    fn relation(&mut self, reading: &mut Reading<'_>, place: &str, node: &Node) {
        let end = |name: &str| reference(node, name).map(|profile| self.of_profile(profile));
        let (Some(from), Some(to)) = (end("From-ProfileID"), end("To-ProfileID")) else {
            return reading.refuse(place, Reason::Incomplete, "the relation does not have two ends");
        };
        let Some(kind) = reference(node, "RelationTypeID") else {
            return reading.refuse(place, Reason::Incomplete, "the relation has no type");
        };
        let valid = match node.get(&["Former"]) {
            Some("true" | "1") => {
                reading.note("former-relation");
                Period { from: None, to: Some(self.issued.unwrap_or_else(|| reading.today())) }
            }
            Some(_) | None => Period::ALWAYS,
        };
        let name = self.name("RelationType", Some(kind)).unwrap_or_default().to_owned();
        let owned = || {
            [
                ("control", TieKind::Directs { by: Direction::Fact }),
                ("stake", TieKind::Holds(Holding::default())),
            ]
        };
        // In our ties influence runs from `upper` to `lower`.
        let (upper, lower, kinds): (u32, u32, Vec<(&str, TieKind)>) = match name.to_lowercase().as_str() {
            "owned or controlled by" => (to, from, owned().into()),
            "owns, controls, or operates" => (from, to, owned().into()),
            "family member of" => (from, to, vec![("family", TieKind::Family)]),
            "leader or official of" => (from, to, vec![("post", TieKind::Serves { post: Post::Officer })]),
            _ => (to, from, vec![("link", TieKind::Associates { relation: name.clone() })]),
        };
        if name.is_empty() {
            reading.note("relation-type-without-name");
        }
        for (word, tie) in kinds {
            let id = reading.tie(&format!("relation/{from}/{kind}/{to}#{word}"));
            let (from, to) = (entry(OFAC, &upper.to_string()), entry(OFAC, &lower.to_string()));
            reading.say("", Said::Tie(Tie { id, from, to, kind: tie, valid }));
        }
    }

    fn listing(&mut self, reading: &mut Reading<'_>, place: &str, node: &Node) {
        let Some(profile) = reference(node, "ProfileID") else {
            return reading.refuse(place, Reason::Incomplete, "the entry names no profile");
        };
        let party = self.of_profile(profile);
        let list = match self.name("List", reference(node, "ListID")) {
            Some(name) if name.contains("SDN") && !name.contains("Non-SDN") => List::Sdn,
            Some(_) => List::Consolidated,
            None => List::of(&reading.source().document),
        };
        let is_programme = |measure: &&Node| {
            self.name("SanctionsType", reference(measure, "SanctionsTypeID"))
                .is_some_and(|name| name == "Program")
        };
        let programmes: Vec<&str> = node
            .each("SanctionsMeasure")
            .filter(is_programme)
            .filter_map(|measure| measure.get(&["Comment"]))
            .collect();
        let from = node.each("EntryEvent").filter_map(|event| date(event.at(&["Date"])?)).min();
        let named = Named {
            list: list.id(),
            local: party.to_string(),
            entry: (!programmes.is_empty()).then(|| programmes.join(", ")),
            valid: Period { from, to: None },
            with_subsidiaries: false,
        };
        reading.say_listing("", entry(OFAC, &party.to_string()), named);
    }
}

/// The names of an identity. An alias has a name for each way in which it is documented, and a name has parts.
fn names(entity: &mut Entity, identity: &Node) {
    let is_main = |node: &Node| node.get(&["Primary"]) == Some("true");
    for alias in identity.each("Alias") {
        for documented in alias.each("DocumentedName") {
            let parts = documented.all("NamePartValue");
            let text = parts.iter().filter_map(|part| part.value()).collect::<Vec<_>>().join(" ");
            let first = !entity.names.iter().any(|name| !name.alias);
            add_name(entity, &text, !(first && is_main(identity) && is_main(alias)));
        }
    }
}

/// The date of birth, if the period is a day, a month or a year.
fn birth(period: &Node) -> Option<PartialDate> {
    let start = date(period.at(&["Start", "From"])?)?;
    let Some(end) = period.at(&["End", "To"]).or_else(|| period.at(&["End", "From"])).and_then(date) else {
        return Some(start);
    };
    let year: PartialDate = start.to_string().get(..4)?.parse().ok()?;
    if start == end {
        Some(start)
    } else if start.earliest() == year.earliest() && end.settled() == year.settled().plus(-1) {
        Some(year)
    } else {
        None
    }
}
