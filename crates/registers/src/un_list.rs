//! The consolidated list of the UN Security Council, in XML.
//!
//! ```text
//! <INDIVIDUAL> or <ENTITY>   REFERENCE_NUMBER CDi.001, UN_LIST_TYPE DRC, LISTED_ON 2012-12-31
//!   FIRST_NAME .. FOURTH_NAME, NAME_ORIGINAL_SCRIPT, ..._ALIAS (QUALITY: Good, Low, a.k.a., f.k.a.)
//!   NATIONALITY, ..._ADDRESS, INDIVIDUAL_DATE_OF_BIRTH (EXACT, APPROXIMATELY, BETWEEN), INDIVIDUAL_DOCUMENT
//! ```
//!
//! An entry goes by its reference number, which stays when the entry is amended. Whoever is taken off the list is
//! missing in the next edition. An alias of low quality is an alias; whether to look for it is not decided here.

use std::io::BufRead;

use ties::{Entity, EntityKind, ExternalId, PartialDate, Period, Statement};

use crate::countries;
use crate::ofac_remarks::number;
use crate::party::{Named, add_countries, add_name, entry};
use crate::reading::{Importing, Reading, Reason, Report};
use crate::tree::Node;

/// What the list is called here.
const LIST: &str = "un-sc";

/// Reads the list.
pub fn read(reader: impl BufRead, importing: &Importing, emit: &mut dyn FnMut(Statement)) -> Report {
    let mut reading = Reading::new(importing, emit);
    reading.each_xml(reader, &["INDIVIDUAL", "ENTITY"], &[], |reading, place, node| {
        party(reading, place, &node);
    });
    reading.done()
}

fn party(reading: &mut Reading<'_>, place: &str, node: &Node) {
    let Some(local) = node.get(&["REFERENCE_NUMBER"]).or_else(|| node.get(&["DATAID"])) else {
        return reading.refuse(place, Reason::Incomplete, "the entry has no number");
    };
    let parts = ["FIRST_NAME", "SECOND_NAME", "THIRD_NAME", "FOURTH_NAME"];
    let name = parts.iter().filter_map(|part| node.get(&[part])).collect::<Vec<_>>().join(" ");
    if name.is_empty() {
        return reading.refuse(place, Reason::Incomplete, "the entry names nobody");
    }
    let is_person = node.name == "INDIVIDUAL";
    let kind = if is_person { EntityKind::Person } else { EntityKind::Organisation };
    let mut entity = Entity::new(entry(LIST, local), kind);
    add_name(&mut entity, &name, false);
    let aliases = node.all("ALIAS_NAME").into_iter().chain(node.all("NAME_ORIGINAL_SCRIPT"));
    for alias in aliases.filter_map(Node::value) {
        add_name(&mut entity, alias, true);
    }
    let nations = node.each("NATIONALITY").flat_map(|nation| nation.each("VALUE")).filter_map(Node::value);
    add_countries(&mut entity, countries::codes(nations));
    if is_person {
        entity.founded = born(reading, place, node);
        entity.identifiers = node.each("INDIVIDUAL_DOCUMENT").filter_map(document).collect();
    } else {
        let seats = node.each("ENTITY_ADDRESS").filter_map(|address| address.get(&["COUNTRY"]));
        add_countries(&mut entity, countries::codes(seats));
    }
    let entry =
        [node.get(&["UN_LIST_TYPE"]), Some(local)].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let from = node.get(&["LISTED_ON"]).and_then(|text| date(reading, &format!("{place} LISTED_ON"), text));
    let valid = Period { from, to: None };
    let named = Named { list: LIST, local: local.to_owned(), entry: Some(entry), valid, ..Named::default() };
    let amended =
        node.each("LAST_DAY_UPDATED").flat_map(|days| days.each("VALUE")).filter_map(Node::value).max();
    let amended = amended.unwrap_or_default().to_owned();
    reading.say_named(&amended, entity, named);
}

/// A date, which may have a time zone behind it: `1964-09-28-04:00`.
fn date(reading: &mut Reading<'_>, place: &str, text: &str) -> Option<PartialDate> {
    let read = text.get(..10).unwrap_or(text).parse();
    read.map_err(|error| reading.refuse(place, Reason::BadDate, error)).ok()
}

/// The date of birth, if only one is given and it is exact.
fn born(reading: &mut Reading<'_>, place: &str, node: &Node) -> Option<PartialDate> {
    let mut found: Option<PartialDate> = None;
    for birth in node.each("INDIVIDUAL_DATE_OF_BIRTH") {
        let is_exact = !matches!(birth.get(&["TYPE_OF_DATE"]), Some("APPROXIMATELY" | "BETWEEN"));
        let text =
            birth.get(&["DATE"]).or_else(|| birth.get(&["DATE_OF_BIRTH"])).or_else(|| birth.get(&["YEAR"]));
        let Some(text) = text else { continue };
        let date = date(reading, &format!("{place} INDIVIDUAL_DATE_OF_BIRTH"), text)?;
        if !is_exact || found.is_some_and(|known| known != date) {
            return None;
        }
        found = Some(date);
    }
    found
}

fn document(node: &Node) -> Option<ExternalId> {
    let kind = match node.get(&["TYPE_OF_DOCUMENT"])?.to_lowercase().as_str() {
        "passport" | "numéro de passeport" | "número de pasaporte" => "passport",
        "national identification number" => "national-id",
        _ => return None,
    };
    let country =
        ["ISSUING_COUNTRY", "COUNTRY_OF_ISSUE"].iter().find_map(|name| countries::code(node.get(&[name])?));
    // Notes may follow the number, as in `D9004878, issued on 30 Nov. 2008`.
    let value = node.get(&["NUMBER"])?.split(',').next()?;
    number(kind, value, country.as_deref())
}
