//! Bytes that nobody published, and files that were damaged on the way: every reader comes to an end, and what it says
//! can be written down.

#![expect(clippy::unwrap_used, reason = "what cannot be read fails the test, as it should")]

use std::io::BufReader;

use proptest::prelude::*;
use registers::ofac::{Companion, Companions, List};
use registers::{Importing, Report, csl, denied, gleif, ofac, ofac_xml, un_list};
use ties::{Source, Statement};

type Reader = fn(&[u8], &Importing, &mut dyn FnMut(Statement)) -> Report;

/// A small buffer, so that what is looked for lies across its ends.
fn small(bytes: &[u8]) -> BufReader<&[u8]> {
    BufReader::with_capacity(13, bytes)
}

/// A sample of what each reader reads, and the reader.
const READERS: [(&str, Reader); 12] = [
    (LEI_XML, |bytes, importing, emit| gleif::entities(small(bytes), importing, emit)),
    (LEI_CSV, |bytes, importing, emit| gleif::entities(small(bytes), importing, emit)),
    (RR_XML, |bytes, importing, emit| gleif::relationships(small(bytes), importing, emit)),
    (RR_JSON, |bytes, importing, emit| gleif::relationships(small(bytes), importing, emit)),
    (REPEX_JSON, |bytes, importing, emit| gleif::exceptions(small(bytes), importing, emit)),
    (SDN, |bytes, importing, emit| {
        ofac::names(small(bytes), List::Sdn, &Companions::default(), importing, emit)
    }),
    (SDN, |bytes, importing, emit| {
        let mut companions = Companions::default();
        for which in [Companion::Alternates, Companion::Addresses, Companion::Comments] {
            companions.add(which, small(bytes));
        }
        ofac::names(SDN.as_bytes(), List::Consolidated, &companions, importing, emit)
    }),
    (ALT, |bytes, importing, emit| ofac::alone(small(bytes), Companion::Alternates, importing, emit)),
    (SDN_XML, |bytes, importing, emit| ofac_xml::read(small(bytes), importing, emit)),
    (CSL, |bytes, importing, emit| csl::read(small(bytes), importing, emit)),
    (DPL, |bytes, importing, emit| denied::read(small(bytes), importing, emit)),
    (UN, |bytes, importing, emit| un_list::read(small(bytes), importing, emit)),
];

const LEI_XML: &str = "<lei:D><lei:LEIRecord><lei:LEI>001GPB6A9XPE8XJICC14</lei:LEI><lei:Entity><lei:LegalName \
    xml:lang=\"en\">A &amp; B</lei:LegalName><lei:EntityStatus>INACTIVE</lei:EntityStatus><lei:LegalJurisdiction>US-DE\
    </lei:LegalJurisdiction></lei:Entity></lei:LEIRecord></lei:D>";
const LEI_CSV: &str = "LEI,Entity.LegalName,Entity.OtherEntityNames.OtherEntityName.1,Entity.EntityCreationDate\n\
    001GPB6A9XPE8XJICC14,\"A \"\"B\"\"\",C,2012-11-29\n";
const RR_XML: &str = "<D><RelationshipRecord><Relationship><StartNode><NodeID>001GPB6A9XPE8XJICC14</NodeID></StartNode>\
    <EndNode><NodeID>5493001Z012YSB2A0K51</NodeID></EndNode><RelationshipType>IS_DIRECTLY_CONSOLIDATED_BY\
    </RelationshipType><RelationshipPeriod><StartDate>2012</StartDate><PeriodType>RELATIONSHIP_PERIOD</PeriodType>\
    </RelationshipPeriod></Relationship></RelationshipRecord></D>";
const RR_JSON: &str = r#"{"relations": [{"Relationship": {"StartNode": {"NodeID": {"$": "001GPB6A9XPE8XJICC14"}},
    "EndNode": {"NodeID": "P 1", "NodeIDType": "PNI"}, "RelationshipType": "IS_SUBFUND_OF"}}]}"#;
const REPEX_JSON: &str = r#"[{"LEI": "001GPB6A9XPE8XJICC14", "ExceptionReason": ["NO_LEI", "NON_PUBLIC"],
    "ExceptionCategory": "DIRECT_ACCOUNTING_CONSOLIDATION_PARENT"}]"#;
const SDN: &str = "1,\"ACME\",-0- ,\"SDGT] [IRAN\",-0- ,-0- ,-0- ,-0- ,-0- ,\"Cuba\",\"BETA\",\"DOB 07 Jan 1940; a.k.a. \
    'X'; nationality Iran; Passport A 1 (Iran); Linked To: BETA.\"\n2,\"BETA\",\"individual\",\"CUBA\"\n";
const ALT: &str = "1,1,\"aka\",\"A\",-0- \n1,2,\"fka\",\"B\",-0- \n2,3,\"aka\",\"C\",-0- \n";
const SDN_XML: &str = "<S><DistinctParty FixedRef=\"1\"><Profile ID=\"2\" PartySubTypeID=\"4\"><Identity ID=\"3\" \
    Primary=\"true\"><Alias Primary=\"true\"><DocumentedName><NamePartValue>A</NamePartValue></DocumentedName></Alias>\
    </Identity><Feature FeatureTypeID=\"8\"><DatePeriod><Start><From><Year>1970</Year></From></Start></DatePeriod>\
    </Feature></Profile></DistinctParty><ProfileRelationship From-ProfileID=\"2\" To-ProfileID=\"9\" \
    RelationTypeID=\"15003\"/><SanctionsEntry ProfileID=\"2\" ListID=\"1550\"/></S>";
const CSL: &str = "_id,source,entity_number,type,name,addresses,start_date,alt_names,ids,remarks\n\
    a,X (SDN) - T,1,Entity,A,\"Phoenix, AZ; CN\",2020-01-01,B; C,\"TR, U1, Passport\",(Linked To: A)\n\
    b,X (EL) - T,,,\"D and any subsidiary thereof\",,,,,\n";
const DPL: &str =
    "\"Name\"\t\"Country\"\t\"Effective_Date\"\t\"Expiration_Date\"\n\"A\"\t\"US\"\t\"1/2/2003\"\t\"\"\n";
const UN: &str = "<L><INDIVIDUAL><REFERENCE_NUMBER>CDi.001</REFERENCE_NUMBER><FIRST_NAME>A</FIRST_NAME><LISTED_ON>\
    2012-12-31</LISTED_ON><INDIVIDUAL_DATE_OF_BIRTH><YEAR>1971</YEAR></INDIVIDUAL_DATE_OF_BIRTH></INDIVIDUAL></L>";

/// Reads, and checks what holds for any input.
fn check(reader: Reader, bytes: &[u8]) -> Report {
    let document = Source { document: "a document".to_owned(), ..Source::default() };
    let importing = Importing { document, recorded: "2026-01-01T00:00:00Z".parse().unwrap() };
    let mut count = 0;
    let report = reader(bytes, &importing, &mut |statement| {
        count += 1;
        let written = serde_json::to_string(&statement).unwrap();
        assert_eq!(serde_json::from_str::<Statement>(&written).unwrap(), statement);
    });
    assert_eq!(report.statements, count);
    assert!(report.refused.len() as u64 <= report.refused_count());
    report
}

#[test]
fn the_samples_are_read_whole() {
    for (sample, reader) in READERS {
        let report = check(reader, sample.as_bytes());
        assert!(report.statements > 0 && report.is_whole(), "{sample}: {report:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400), which in 0..READERS.len()) {
        check(READERS[which].1, &bytes);
    }

    #[test]
    fn damaged_files_are_read_or_refused(
        which in 0..READERS.len(),
        damages in proptest::collection::vec((any::<prop::sample::Index>(), 0..12_usize, "[<>&;,'\"{}\\[\\]a0 \n\u{fe}-]{0,4}"), 1..5),
    ) {
        let (sample, reader) = READERS[which];
        let mut bytes = sample.as_bytes().to_vec();
        for (at, length, with) in damages {
            let at = at.index(bytes.len() + 1);
            let end = (at + length).min(bytes.len());
            bytes.splice(at..end, with.bytes());
        }
        check(reader, &bytes);
    }

    #[test]
    fn what_follows_damage_is_still_read(which in 0..READERS.len(), at in any::<prop::sample::Index>()) {
        // Only XML has marks by which a reader finds the next record whatever came before.
        let (sample, reader) = READERS[which];
        if sample.starts_with('<') {
            let cut = at.index(sample.len());
            let (head, rest) = sample.split_at((0..=cut).rev().find(|at| sample.is_char_boundary(*at)).unwrap());
            // Within a tag or a quote, what follows belongs to it.
            let in_tag = head.rfind('<') > head.rfind('>') || rest.starts_with('<') && head.is_empty();
            if !in_tag {
                let whole = check(reader, sample.as_bytes());
                let report = check(reader, format!("{head}{sample}").as_bytes());
                prop_assert!(report.statements >= whole.statements, "{report:?}");
            }
        }
    }
}
