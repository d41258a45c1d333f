//! Which formats there are, and how to tell them by a file's first bytes.

use std::fmt;
use std::io::BufRead;

use ties::Statement;

use crate::ofac::{self, Companion, Companions, List};
use crate::{Importing, Report, bods, csl, denied, ftm, gleif, ofac_xml, plain, psc, un_list};

/// How many bytes of a file's beginning [`detect`] looks at.
const LOOKED_AT_MAX: usize = 8 << 10;

/// A format that a register or a list is published in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Beneficial Ownership Data Standard, 0.1 to 0.4: JSON array or lines.
    Bods,
    /// `FollowTheMoney` entities as JSON lines, or the changes between two editions of them.
    Ftm,
    /// The UK register of people with significant control: JSON lines.
    UkPsc,
    /// Our own table of ties.
    Ties,
    /// Our own table of listed entities.
    Lists,
    /// GLEIF level 1: CSV, XML or JSON.
    GleifLei,
    /// GLEIF level 2, relationships: CSV, XML or JSON.
    GleifRelationships,
    /// GLEIF level 2, reporting exceptions: CSV, XML or JSON.
    GleifExceptions,
    /// OFAC's lists as comma-separated values: names, remarks.
    OfacNames,
    /// Alternate names for [`OfacNames`](Self::OfacNames).
    OfacAlternates,
    /// Addresses for [`OfacNames`](Self::OfacNames).
    OfacAddresses,
    /// The rest of remarks that were too long for [`OfacNames`](Self::OfacNames).
    OfacComments,
    /// OFAC's lists as advanced XML.
    OfacXml,
    /// The denied persons of the US Department of Commerce, with tabs.
    DeniedPersons,
    /// The US consolidated screening list: CSV with old or new columns.
    ScreeningList,
    /// The consolidated list of the UN Security Council: XML.
    UnList,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 16] = [
        Self::Bods,
        Self::Ftm,
        Self::UkPsc,
        Self::Ties,
        Self::Lists,
        Self::GleifLei,
        Self::GleifRelationships,
        Self::GleifExceptions,
        Self::OfacNames,
        Self::OfacAlternates,
        Self::OfacAddresses,
        Self::OfacComments,
        Self::OfacXml,
        Self::DeniedPersons,
        Self::ScreeningList,
        Self::UnList,
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Bods => "bods",
            Self::Ftm => "ftm",
            Self::UkPsc => "uk-psc",
            Self::Ties => "ties",
            Self::Lists => "lists",
            Self::GleifLei => "gleif-lei",
            Self::GleifRelationships => "gleif-rr",
            Self::GleifExceptions => "gleif-exceptions",
            Self::OfacNames => "ofac-names",
            Self::OfacAlternates => "ofac-alternates",
            Self::OfacAddresses => "ofac-addresses",
            Self::OfacComments => "ofac-comments",
            Self::OfacXml => "ofac-xml",
            Self::DeniedPersons => "denied-persons",
            Self::ScreeningList => "screening-list",
            Self::UnList => "un-list",
        }
    }

    /// The format with that name.
    #[must_use]
    pub fn named(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.code() == code)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Reads a file of a known format. OFAC's tables are read each for itself; with the names' companions at hand,
/// [`ofac::names`] does better.
pub fn read(
    format: Format,
    reader: impl BufRead,
    importing: &Importing,
    emit: &mut dyn FnMut(Statement),
) -> Report {
    match format {
        Format::Bods => bods::read(reader, importing, emit),
        Format::Ftm => ftm::read(reader, importing, emit),
        Format::UkPsc => psc::read(reader, importing, emit),
        Format::Ties => plain::read_ties(reader, importing, emit),
        Format::Lists => plain::read_lists(reader, importing, emit),
        Format::GleifLei => gleif::entities(reader, importing, emit),
        Format::GleifRelationships => gleif::relationships(reader, importing, emit),
        Format::GleifExceptions => gleif::exceptions(reader, importing, emit),
        Format::OfacNames => {
            let list = List::of(&importing.document.document);
            ofac::names(reader, list, &Companions::default(), importing, emit)
        }
        Format::OfacAlternates => ofac::alone(reader, Companion::Alternates, importing, emit),
        Format::OfacAddresses => ofac::alone(reader, Companion::Addresses, importing, emit),
        Format::OfacComments => ofac::alone(reader, Companion::Comments, importing, emit),
        Format::OfacXml => ofac_xml::read(reader, importing, emit),
        Format::DeniedPersons => denied::read(reader, importing, emit),
        Format::ScreeningList => csl::read(reader, importing, emit),
        Format::UnList => un_list::read(reader, importing, emit),
    }
}

/// Whether a whole new edition says, by leaving something out, that it is over.
///
/// A list is what is on it today. A register that is published record by record says so when a record ends (a BODS
/// record is *closed*, a British person *ceased*), and what is missing in a file was left out for another reason. Names and
/// addresses beside a list say of nobody that it is on it.
#[must_use]
pub fn closes_missing(format: Format) -> bool {
    match format {
        Format::Ftm
        | Format::Lists
        | Format::GleifExceptions
        | Format::OfacNames
        | Format::OfacXml
        | Format::DeniedPersons
        | Format::ScreeningList
        | Format::UnList => true,
        Format::Bods
        | Format::UkPsc
        | Format::Ties
        | Format::GleifLei
        | Format::GleifRelationships
        | Format::OfacAlternates
        | Format::OfacAddresses
        | Format::OfacComments => false,
    }
}

/// Whether there are many documents of the format, so that only a name tells of which one a file is a new edition. Of the
/// other formats there is one publisher's one file, and the format is its name.
#[must_use]
pub fn needs_name(format: Format) -> bool {
    match format {
        Format::Bods
        | Format::Ftm
        | Format::Ties
        | Format::Lists
        | Format::OfacNames
        | Format::OfacAlternates
        | Format::OfacAddresses
        | Format::OfacComments
        | Format::OfacXml => true,
        Format::UkPsc
        | Format::GleifLei
        | Format::GleifRelationships
        | Format::GleifExceptions
        | Format::DeniedPersons
        | Format::ScreeningList
        | Format::UnList => false,
    }
}

/// Tells the format by the file's first bytes (8 KiB are enough, fewer will often do), and by its name where the
/// bytes leave it open: OFAC's tables have no head. `None` if it is none of ours.
#[must_use]
pub fn detect(bytes: &[u8], name: &str) -> Option<Format> {
    let bytes = &bytes[..bytes.len().min(LOOKED_AT_MAX)];
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    match text.as_bytes().first()? {
        b'{' | b'[' => json(text),
        b'<' => xml(text),
        _ => table(text, name),
    }
}

fn json(text: &str) -> Option<Format> {
    let has = |keys: &[&str]| keys.iter().any(|key| text.contains(&format!("\"{key}\"")));
    let psc = text.contains("-significant-control") || text.contains("natures_of_control");
    if has(&["statementId", "statementID", "statementType", "recordDetails"]) {
        Some(Format::Bods)
    } else if has(&["company_number"]) && has(&["data"]) || psc && has(&["kind"]) {
        Some(Format::UkPsc)
    } else if has(&["schema"]) && has(&["properties", "caption"]) || has(&["op"]) && has(&["entity"]) {
        Some(Format::Ftm)
    } else if has(&["StartNode", "RelationshipRecord"]) {
        Some(Format::GleifRelationships)
    } else if has(&["ExceptionCategory", "exceptions"]) {
        Some(Format::GleifExceptions)
    } else if has(&["LEI"]) && has(&["Entity"]) {
        Some(Format::GleifLei)
    } else {
        None
    }
}

fn xml(text: &str) -> Option<Format> {
    // The root element follows declarations and comments; a name may carry a prefix.
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if rest.starts_with("!--") {
            rest = rest.split_once("-->").map_or("", |(_, after)| after);
        } else if !rest.starts_with(['?', '!']) {
            let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '>' | '/')).unwrap_or(rest.len());
            let root = rest[..end].rsplit(':').next().unwrap_or_default();
            return match root {
                "LEIData" => Some(Format::GleifLei),
                "RelationshipData" => Some(Format::GleifRelationships),
                "ReportingExceptionData" => Some(Format::GleifExceptions),
                "Sanctions" => Some(Format::OfacXml),
                "CONSOLIDATED_LIST" => Some(Format::UnList),
                _ => None,
            };
        }
    }
    None
}

fn table(text: &str, name: &str) -> Option<Format> {
    let head = text.lines().next()?;
    let tabbed = head.contains('\t');
    let columns: Vec<String> = head
        .split(if tabbed { '\t' } else { ',' })
        .map(|column| column.trim().trim_matches('"').to_ascii_lowercase())
        .collect();
    let has = |names: &[&str]| names.iter().all(|name| columns.iter().any(|column| column == name));
    let begins = |prefix: &str| columns.iter().any(|column| column.starts_with(prefix));
    if has(&["id", "from", "to", "kind"]) {
        return Some(Format::Ties);
    }
    if has(&["list", "entity"]) {
        return Some(Format::Lists);
    }
    if begins("relationship.") {
        return Some(Format::GleifRelationships);
    }
    if begins("exception.") || has(&["exceptioncategory"]) {
        return Some(Format::GleifExceptions);
    }
    if has(&["lei"]) && begins("entity.") {
        return Some(Format::GleifLei);
    }
    if has(&["source", "entity_number"]) {
        return Some(Format::ScreeningList);
    }
    if tabbed && has(&["name", "effective_date", "expiration_date"]) {
        return Some(Format::DeniedPersons);
    }
    let numbered = columns.first()?.bytes().all(|b| b.is_ascii_digit()) && !columns[0].is_empty();
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default().to_ascii_lowercase();
    let named = |parts: &[&str]| parts.iter().any(|part| name.starts_with(part));
    match columns.len() {
        _ if !numbered => None,
        _ if named(&["sdn_comments", "cons_comments"]) => Some(Format::OfacComments),
        _ if named(&["sdn", "cons_prim"]) => Some(Format::OfacNames),
        _ if named(&["alt", "cons_alt"]) => Some(Format::OfacAlternates),
        _ if named(&["add", "cons_add"]) => Some(Format::OfacAddresses),
        12.. if head.contains("-0-") => Some(Format::OfacNames),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_first_bytes() {
        let cases = [
            ("[\n {\"statementID\": \"x\", \"statementType\": \"entityStatement\"", "", Some(Format::Bods)),
            ("{\"statementId\":\"x\"", "", Some(Format::Bods)),
            ("{\"company_number\": \"1\", \"data\": {}}", "", Some(Format::UkPsc)),
            ("{\"id\": \"a\", \"schema\": \"Person\", \"properties\": {}}", "", Some(Format::Ftm)),
            ("{\"op\":\"DEL\",\"entity\":{\"id\":\"a\"}}", "", Some(Format::Ftm)),
            ("\u{feff}id,from,to,kind,votes\n", "", Some(Format::Ties)),
            ("list,entity,name\n", "", Some(Format::Lists)),
            ("\u{feff}<?xml version=\"1.0\"?>\n<!-- <a> --><lei:LEIData xmlns=", "", Some(Format::GleifLei)),
            ("<rr:RelationshipData>", "", Some(Format::GleifRelationships)),
            ("<CONSOLIDATED_LIST dateGenerated=\"\">", "", Some(Format::UnList)),
            ("<html>", "", None),
            ("LEI,Entity.LegalName\n", "", Some(Format::GleifLei)),
            ("Relationship.StartNode.NodeID,x", "", Some(Format::GleifRelationships)),
            ("_id,source,entity_number,type", "", Some(Format::ScreeningList)),
            (
                "306,\"BANCO\",-0- ,\"CUBA\",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- \n",
                "",
                Some(Format::OfacNames),
            ),
            ("306,129,\"Switz\",-0- ,-0- ,-0- \n", "in/add.csv", Some(Format::OfacAddresses)),
            ("a,b,c\n", "sdn.csv", None),
            ("", "", None),
            ("{}", "x.json", None),
        ];
        for (text, name, want) in cases {
            assert_eq!(detect(text.as_bytes(), name), want, "{text}");
        }
    }

    #[test]
    fn formats_go_by_their_names() {
        for format in Format::ALL {
            assert_eq!(Format::named(format.code()), Some(format));
        }
        assert!(closes_missing(Format::Ftm) && !closes_missing(Format::UkPsc));
        assert!(closes_missing(Format::OfacNames) && !closes_missing(Format::OfacAddresses));
        assert!(needs_name(Format::Lists) && !needs_name(Format::UnList));
    }
}
