//! The lists of the US Treasury, Commerce and State Departments and of the UN Security Council.

#![expect(clippy::unwrap_used, reason = "what cannot be read fails the test, as it should")]
#![expect(clippy::wildcard_enum_match_arm, reason = "what a test does not expect is shown, and fails it")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use registers::ofac::{Companion, Companions, List};
use registers::{Importing, Report, csl, denied, ofac, ofac_xml, un_list};
use ties::{Entity, EntityKind, Listing, Said, Source, Statement, Tie, TieKind};

fn importing() -> Importing {
    let document = Source { document: "test".to_owned(), ..Source::default() };
    Importing { document, recorded: "2026-01-01T00:00:00Z".parse().unwrap() }
}

/// What a file says, taken apart.
struct Said4 {
    report: Report,
    entities: BTreeMap<String, Entity>,
    listings: Vec<Listing>,
    ties: Vec<Tie>,
    same: Vec<(String, String)>,
    ids: BTreeSet<String>,
}

fn read(reader: impl FnOnce(&Importing, &mut dyn FnMut(Statement)) -> Report) -> Said4 {
    let (mut entities, mut listings, mut ties, mut same) =
        (BTreeMap::new(), Vec::new(), Vec::new(), Vec::new());
    let mut ids = BTreeSet::new();
    let mut count = 0;
    let report = reader(&importing(), &mut |statement: Statement| {
        count += 1;
        ids.insert(statement.id.to_string());
        match statement.said {
            Said::Entity(entity) => drop(entities.insert(entity.id.to_string(), entity)),
            Said::Listing(listing) => listings.push(listing),
            Said::Tie(tie) => ties.push(tie),
            Said::Same { kept, merged, .. } => same.push((kept.to_string(), merged.to_string())),
            other @ (Said::End(_) | Said::Retraction { .. }) => panic!("no list says this: {other:?}"),
        }
    });
    assert_eq!(report.statements, count);
    Said4 { report, entities, listings, ties, same, ids }
}

fn data(name: &str) -> Option<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/ties").join(name);
    if !path.exists() {
        eprintln!("skipped: {} is absent", path.display());
        return None;
    }
    Some(std::fs::read(path).unwrap())
}

fn names(bytes: &[u8], list: List, companions: &Companions) -> Said4 {
    read(|importing, emit| ofac::names(bytes, list, companions, importing, emit))
}

/// The tables of one of OFAC's lists, read together.
fn list(list: List, files: [&str; 4]) -> Option<(Said4, Vec<Report>)> {
    let mut companions = Companions::default();
    let mut reports = Vec::new();
    for (which, name) in
        [Companion::Alternates, Companion::Addresses, Companion::Comments].into_iter().zip(&files[1..])
    {
        reports.push(companions.add(which, data(&format!("ofac_csl/{name}"))?.as_slice()));
    }
    Some((names(&data(&format!("ofac_csl/{}", files[0]))?, list, &companions), reports))
}

fn names_of(entity: &Entity) -> Vec<&str> {
    entity.names.iter().map(|name| name.text.as_str()).collect()
}

#[test]
fn the_sdn_list_imports_with_its_links() {
    let files = ["sdn.csv", "alt.csv", "add.csv", "sdn_comments.csv"];
    let Some((said, companions)) = list(List::Sdn, files) else { return };
    assert!(said.report.is_whole(), "{:?}", said.report);
    assert_eq!(companions.iter().map(|report| report.records).collect::<Vec<_>>(), ALT_ADD_COMMENTS);
    assert!(companions.iter().all(Report::is_whole));
    assert_eq!((said.report.records, said.listings.len()), (7_379, 7_379));
    assert!(said.listings.iter().all(|listing| listing.list.as_str() == "ofac-sdn"));
    let count = |kind| said.entities.values().filter(|entity| entity.kind == kind).count();
    assert_eq!(count(EntityKind::Person), 3_845);
    assert_eq!(
        said.report.notes,
        LINKS.map(|(code, count)| (code.to_owned(), count)).into(),
        "every link is counted"
    );
    let linked = said
        .ties
        .iter()
        .filter(|tie| matches!(&tie.kind, TieKind::Associates { relation } if relation == "Linked To"));
    assert!(linked.count() > 2_400);
    let sector = |name: &str| said.entities.values().filter(|entity| entity.sectors == [name]).count();
    assert_eq!((sector("vessel"), sector("aircraft")), (323, 217));
    // Every end of a tie is described.
    for tie in &said.ties {
        assert!(
            said.entities.contains_key(tie.from.as_str()) && said.entities.contains_key(tie.to.as_str()),
            "{tie:?}"
        );
    }
}

const ALT_ADD_COMMENTS: [u64; 3] = [9_682, 11_696, 13];
const LINKS: [(&str, u64); 3] = [("ambiguous-link", 2), ("resolved-link", 2_429), ("unresolved-link", 5)];

#[test]
fn the_consolidated_list_imports() {
    let files = ["cons_prim.csv", "cons_alt.csv", "cons_add.csv", "cons_comments.csv"];
    let Some((said, _)) = list(List::Consolidated, files) else { return };
    assert!(said.report.is_whole(), "{:?}", said.report);
    assert_eq!((said.report.records, said.listings.len()), (442, 442), "the sign at the end is no record");
    assert!(said.listings.iter().all(|listing| listing.list.as_str() == "ofac-consolidated"));
    assert_eq!(said.entities["ofac:9639"].kind, EntityKind::Person);
    assert_eq!(said.entities["ofac:9639"].founded.unwrap().to_string(), "1962");
    assert!(names_of(&said.entities["ofac:9639"]).contains(&"HANIYA, Ismail"));
    assert_eq!(List::of("ofac-cons-2026"), List::Consolidated);
    assert_eq!(List::of("ofac-sdn"), List::Sdn);
}

#[test]
fn a_remark_continues_in_the_middle_of_a_word() {
    let sdn = "1,\"ACME\",-0- ,\"SDGT] [IRAN\",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,\"Linked To: BE\"\n\
        2,\"BETA LTD.\",-0- ,\"CUBA\",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- \n\
        3,\"SHIP\",\"vessel\",\"CUBA\",-0- ,\"CL2\",\"Tug\",-0- ,\"212\",\"Cuba\",\"Beta  Ltd.\",\"IMO 1.\"\n\
        4,\"TWIN\",-0- ,\"A\",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,\"Linked To: TWIN.\"\n\
        5,\"TWIN\",-0- ,\"A\",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,\"Linked To: OTHER NAME\"\n\u{1a}";
    let mut companions = Companions::default();
    companions
        .add(Companion::Comments, "1,\"TA LTD..; Legal Entity Number 253400V1H6ART1UQ0N98.\"\n".as_bytes());
    companions.add(Companion::Alternates, "2,9,\"aka\",\"OTHER NAME\",-0- \n".as_bytes());
    companions.add(Companion::Addresses, "2,9,-0- ,\"Havana\",\"Cuba\",-0- \n".as_bytes());
    let said = names(sdn.as_bytes(), List::Sdn, &companions);
    let tie = |tie: &Tie| format!("{} {:?} {}", tie.from, tie.kind, tie.to);
    let ties: Vec<String> = said.ties.iter().map(tie).collect();
    assert_eq!(ties[0], "ofac:2 Associates { relation: \"Linked To\" } ofac:1", "{ties:?}");
    assert!(
        ties[1].starts_with("ofac:named/") && ties[1].contains("Holds(") && ties[1].ends_with("ofac:3"),
        "{ties:?}"
    );
    assert!(ties[2].starts_with("ofac:named/") && ties[2].ends_with("ofac:4"), "two are called so: {ties:?}");
    assert_eq!(
        ties[3], "ofac:2 Associates { relation: \"Linked To\" } ofac:5",
        "an alias is a name: {ties:?}"
    );
    let stand_in = &said.entities[said.ties[1].from.as_str()];
    assert_eq!((stand_in.kind, stand_in.name()), (EntityKind::Unknown, "Beta Ltd."));
    assert_eq!(said.same, [("XI-LEI:253400V1H6ART1UQ0N98".to_owned(), "ofac:1".to_owned())]);
    assert_eq!(said.listings[0].entry.as_deref(), Some("SDGT, IRAN"));
    assert_eq!(said.entities["ofac:2"].countries, ["CU"]);
    assert_eq!(said.entities["ofac:3"].countries, ["CU"]);
    assert_eq!(said.report.records, 5);
}

#[test]
fn rows_that_say_nothing_are_refused() {
    let cases = [
        ("x,\"A\",-0- ,\"B\"\n", "bad-identifier"),
        ("1,-0- ,-0- ,\"B\"\n", "incomplete"),
        ("1,\"A\"\n", "malformed"),
    ];
    for (row, reason) in cases {
        let text = format!("{row}2,\"B\",-0- ,\"C\"\n");
        let said = names(text.as_bytes(), List::Sdn, &Companions::default());
        assert_eq!(said.report.refused[0].reason.code(), reason);
        assert_eq!((said.report.refused[0].place.as_str(), said.listings.len()), ("line 1", 1), "{row}");
    }
}

#[test]
fn tables_beside_the_names_can_be_read_alone() {
    let alone =
        |which, text: &str| read(|importing, emit| ofac::alone(text.as_bytes(), which, importing, emit));
    let said = alone(
        Companion::Alternates,
        "1,1,\"aka\",\"A\",-0- \n1,2,\"fka\",\"B\",-0- \n2,3,\"aka\",\"C\",-0- \n",
    );
    assert_eq!(names_of(&said.entities["ofac:1"]), ["A", "B"]);
    assert_eq!(names_of(&said.entities["ofac:2"]), ["C"]);
    let said = alone(
        Companion::Addresses,
        "1,1,-0- ,-0- ,\"Cuba\",-0- \n1,2,-0- ,-0- ,\"Iran\",-0- \n2,3,-0- ,-0- ,-0- ,-0- \n",
    );
    assert_eq!(said.entities["ofac:1"].countries, ["CU", "IR"]);
    assert!(!said.entities.contains_key("ofac:2"));
    let said = alone(Companion::Comments, "1,\"rest\"\n");
    assert_eq!((said.report.notes["remark-without-beginning"], said.report.statements), (1, 0));
}

#[test]
fn reading_again_says_nothing_new() {
    let files = ["cons_prim.csv", "cons_alt.csv", "cons_add.csv", "cons_comments.csv"];
    let Some((first, _)) = list(List::Consolidated, files) else { return };
    let Some((again, _)) = list(List::Consolidated, files) else { return };
    assert_eq!(first.ids, again.ids);
    assert_eq!(first.ids.len() as u64, first.report.statements, "every statement has a name of its own");
}

const SANCTIONS: &str = r#"<?xml version="1.0"?>
<Sanctions xmlns="urn:x">
 <DateOfIssue CalendarTypeID="1"><Year>2026</Year><Month>9</Month><Day>10</Day></DateOfIssue>
 <ReferenceValueSets>
  <AreaCodeValues><AreaCode ID="7" CountryID="1" Description="Cuba">CU</AreaCode></AreaCodeValues>
  <CountryValues><Country ID="11" ISO2="KP">Korea, North</Country></CountryValues>
  <FeatureTypeValues><FeatureType ID="8">Birthdate</FeatureType><FeatureType ID="25">Location</FeatureType>
   <FeatureType ID="10">Nationality Country</FeatureType></FeatureTypeValues>
  <IDRegDocTypeValues><IDRegDocType ID="1571">Passport</IDRegDocType></IDRegDocTypeValues>
  <ListValues><List ID="1550">SDN List</List><List ID="91243">Non-SDN Menu-Based Sanctions List</List></ListValues>
  <RelationTypeValues><RelationType ID="15003">Owned or Controlled By</RelationType>
   <RelationType ID="92019">Owns, controls, or operates</RelationType>
   <RelationType ID="1555">Acting for or on behalf of</RelationType>
   <RelationType ID="15004">Family member of</RelationType>
   <RelationType ID="91725">Leader or official of</RelationType></RelationTypeValues>
 </ReferenceValueSets>
 <Locations>
  <Location ID="25"><LocationAreaCode AreaCodeID="7"/></Location>
  <Location ID="26"><LocationCountry CountryID="11"/></Location>
 </Locations>
 <IDRegDocuments>
  <IDRegDocument ID="1" IDRegDocTypeID="1571" IdentityID="31" IssuedBy-CountryID="11"><IDRegistrationNo>P 12</IDRegistrationNo></IDRegDocument>
 </IDRegDocuments>
 <DistinctParties>
  <DistinctParty FixedRef="1"><Profile ID="1" PartySubTypeID="3"><Identity ID="11" Primary="true">
    <Alias AliasTypeID="1403" Primary="true"><DocumentedName><DocumentedNamePart><NamePartValue>HOLDING</NamePartValue></DocumentedNamePart></DocumentedName></Alias>
    <Alias AliasTypeID="1400" Primary="false"><DocumentedName><DocumentedNamePart><NamePartValue>OLD</NamePartValue></DocumentedNamePart></DocumentedName></Alias>
   </Identity><Feature FeatureTypeID="25"><FeatureVersion><VersionLocation LocationID="25"/></FeatureVersion></Feature></Profile></DistinctParty>
  <DistinctParty FixedRef="2"><Profile ID="902" PartySubTypeID="3"><Identity ID="21" Primary="true">
    <Alias Primary="true"><DocumentedName><DocumentedNamePart><NamePartValue>SUB</NamePartValue></DocumentedNamePart></DocumentedName></Alias></Identity></Profile></DistinctParty>
  <DistinctParty FixedRef="3"><Profile ID="3" PartySubTypeID="4"><Identity ID="31" Primary="true">
    <Alias Primary="true"><DocumentedName><DocumentedNamePart><NamePartValue>DOE</NamePartValue></DocumentedNamePart>
     <DocumentedNamePart><NamePartValue>Jan</NamePartValue></DocumentedNamePart></DocumentedName></Alias></Identity>
   <Feature FeatureTypeID="8"><FeatureVersion><DatePeriod><Start><From><Year>1970</Year><Month>1</Month><Day>1</Day></From></Start>
     <End><To><Year>1970</Year><Month>12</Month><Day>31</Day></To></End></DatePeriod></FeatureVersion></Feature>
   <Feature FeatureTypeID="10"><FeatureVersion><VersionLocation LocationID="26"/></FeatureVersion></Feature></Profile></DistinctParty>
  <DistinctParty FixedRef="4"><Profile ID="4"/></DistinctParty>
 </DistinctParties>
 <ProfileRelationships>
  <ProfileRelationship ID="1" From-ProfileID="902" To-ProfileID="1" RelationTypeID="15003" Former="false"/>
  <ProfileRelationship ID="2" From-ProfileID="3" To-ProfileID="1" RelationTypeID="92019" Former="false"/>
  <ProfileRelationship ID="3" From-ProfileID="902" To-ProfileID="3" RelationTypeID="1555" Former="true"/>
  <ProfileRelationship ID="4" From-ProfileID="3" To-ProfileID="1" RelationTypeID="91725"/>
  <ProfileRelationship ID="5" From-ProfileID="3" RelationTypeID="1555"/>
 </ProfileRelationships>
 <SanctionsEntries>
  <SanctionsEntry ID="1" ProfileID="902" ListID="1550">
   <EntryEvent><Date><Year>2012</Year><Month>3</Month><Day>5</Day></Date></EntryEvent>
   <SanctionsMeasure SanctionsTypeID="1705"/><SanctionsMeasure SanctionsTypeID="1"><Comment>CUBA</Comment></SanctionsMeasure>
   <SanctionsMeasure SanctionsTypeID="1"><Comment>SDGT</Comment></SanctionsMeasure></SanctionsEntry>
  <SanctionsEntry ID="2" ProfileID="3" ListID="91243"/>
 </SanctionsEntries>
</Sanctions>"#;

#[test]
fn the_two_relations_of_owners_run_in_opposite_directions() {
    let said = read(|importing, emit| ofac_xml::read(SANCTIONS.as_bytes(), importing, emit));
    let shown = |tie: &Tie| {
        let kind = match &tie.kind {
            TieKind::Directs { .. } => "directs",
            TieKind::Holds(holding) if holding.votes.is_none() && holding.money.is_none() => "holds-unknown",
            TieKind::Associates { relation } => relation,
            TieKind::Serves { .. } => "serves",
            other => panic!("{other:?}"),
        };
        let to = tie.valid.to.map(|date| format!(" until {date}")).unwrap_or_default();
        format!("{} {kind} {}{to}", tie.from, tie.to)
    };
    let ties: Vec<String> = said.ties.iter().map(shown).collect();
    assert_eq!(
        ties,
        [
            "ofac:1 directs ofac:2", // 15003: the owned one is From
            "ofac:1 holds-unknown ofac:2",
            "ofac:3 directs ofac:1", // 92019: the owned one is To
            "ofac:3 holds-unknown ofac:1",
            "ofac:3 Acting for or on behalf of ofac:2 until 2026-09-10",
            "ofac:3 serves ofac:1",
        ]
    );
}

#[test]
fn parties_are_put_together_from_their_tables() {
    let said = read(|importing, emit| ofac_xml::read(SANCTIONS.as_bytes(), importing, emit));
    assert_eq!(names_of(&said.entities["ofac:1"]), ["HOLDING", "OLD"]);
    assert!(said.entities["ofac:1"].names[1].alias);
    assert_eq!(said.entities["ofac:1"].countries, ["CU"]);
    let person = &said.entities["ofac:3"];
    assert_eq!((person.kind, person.name()), (EntityKind::Person, "DOE Jan"));
    assert_eq!(
        (person.countries.join(" "), person.founded.unwrap().to_string()),
        ("KP".to_owned(), "1970".to_owned())
    );
    assert_eq!(
        (person.identifiers[0].scheme.as_str(), person.identifiers[0].value.as_str()),
        ("PASSPORT/KP", "P12")
    );
    let listed: Vec<String> = said
        .listings
        .iter()
        .map(|l| {
            format!("{} {} {:?} {:?}", l.list, l.entity, l.entry, l.valid.from.map(|date| date.to_string()))
        })
        .collect();
    assert_eq!(
        listed,
        ["ofac-sdn ofac:2 Some(\"CUBA, SDGT\") Some(\"2012-03-05\")", "ofac-consolidated ofac:3 None None"]
    );
    // The party without a name, and the relation with one end.
    assert_eq!(said.report.refused_count(), 2);
    assert_eq!(said.report.records, 11);
}

#[test]
fn the_screening_list_imports_with_old_and_new_columns() {
    let cases = [("csl_old_columns.csv", 115, 7), ("csl_current_columns.csv", 13, 1)];
    for (name, records, until) in cases {
        let Some(bytes) = data(&format!("ofac_csl/{name}")) else { return };
        let said = read(|importing, emit| csl::read(bytes.as_slice(), importing, emit));
        assert!(said.report.is_whole(), "{name}: {:?}", said.report);
        assert_eq!((said.report.records, said.listings.len()), (records, usize::try_from(records).unwrap()));
        let ids: BTreeSet<_> = said.listings.iter().map(|listing| &listing.id).collect();
        // One order names one party in two rows, at different addresses.
        assert_eq!(said.listings.len() - ids.len(), usize::from(name == "csl_old_columns.csv"), "{name}");
        assert_eq!(
            said.listings.iter().filter(|listing| listing.valid.to.is_some()).count(),
            until,
            "{name}"
        );
        let mut lists = BTreeMap::new();
        said.listings.iter().for_each(|listing| *lists.entry(listing.list.as_str()).or_insert(0) += 1);
        if name == "csl_old_columns.csv" {
            let want = [
                ("ofac-cap", 1),
                ("ofac-plc", 13),
                ("ofac-sdn", 28),
                ("ofac-ssi", 26),
                ("us-dpl", 8),
                ("us-dtc", 10),
                ("us-el", 22),
                ("us-isn", 3),
                ("us-uvl", 4),
            ];
            assert_eq!(lists, want.into());
        } else {
            assert_eq!(lists.len(), 10, "{lists:?}");
            let reaching: Vec<_> = said.listings.iter().filter(|listing| listing.with_subsidiaries).collect();
            assert_eq!(reaching.len(), 1);
            assert_eq!(
                said.entities[reaching[0].entity.as_str()].name(),
                "Sinobright Import and Export Company"
            );
            assert_eq!(
                reaching[0].entity.as_str(),
                "us-isn:233a4d725770c81fb561ffe3842c14010c2201971d6be62eca1e613b"
            );
            assert_eq!(reaching[0].valid.from.unwrap().to_string(), "2023-07-19");
        }
    }
}

#[test]
fn the_treasurys_numbers_are_the_ones_of_its_own_files() {
    let csv = "_id,source,entity_number,type,programs,name,addresses,start_date,end_date,remarks,alt_names,ids\n\
        36,Specially Designated Nationals (SDN) - Treasury Department,36,Entity,CUBA,AERO,\"Havana, CU\",,,,A; B,\n\
        37,Specially Designated Nationals (SDN) - Treasury Department,37,Vessel,CUBA,SHIP,,,,(Linked To: AERO),,\"IMO 9116412, \
        Vessel Registration Identification\"\n\
        ab,Entity List (EL) - Bureau of Industry and Security,36,,,OTHER,\"Phoenix, AZ; Baku, 1000, AZ; CN\",2020-01-01,,,,\n\
        ac,Unheard List (XX) - Nobody,1,,,OTHER,,,,,,\n\
        ad,Entity List (EL) - Bureau of Industry and Security,,,,LATE,,2020-01-01,2019-01-01,,,\n";
    let said = read(|importing, emit| csl::read(csv.as_bytes(), importing, emit));
    assert_eq!(names_of(&said.entities["ofac:36"]), ["AERO", "A", "B"]);
    assert_eq!(said.entities["ofac:36"].countries, ["CU"]);
    assert_eq!((said.ties[0].from.as_str(), said.ties[0].to.as_str()), ("ofac:36", "ofac:37"));
    assert_eq!(said.entities["ofac:37"].identifiers[0].value, "9116412");
    let other = &said.entities["us-el:ab"];
    assert_eq!((other.name(), other.countries.join(" ")), ("OTHER", "AZ CN".to_owned()));
    let reasons: Vec<_> = said.report.refused.iter().map(|refusal| refusal.reason.code()).collect();
    assert_eq!(reasons, ["unknown-kind", "bad-date"]);
}

#[test]
fn the_denied_persons_import_and_agree_with_the_screening_list() {
    let Some(bytes) = data("ofac_csl/dpl.txt") else { return };
    let said = read(|importing, emit| denied::read(bytes.as_slice(), importing, emit));
    assert!(said.report.is_whole(), "{:?}", said.report);
    assert_eq!((said.report.records, said.listings.len()), (546, 417));
    let ids: BTreeSet<_> = said.listings.iter().map(|listing| &listing.id).collect();
    let first = &said.listings[0];
    assert_eq!(said.entities[first.entity.as_str()].name(), "ADRIAN MANUEL HERNANDEZ");
    assert_eq!(first.valid.from.unwrap().to_string(), "2017-10-16");
    assert_eq!(first.valid.to.unwrap().to_string(), "2020-10-13");
    assert_eq!(ids.len(), said.listings.len(), "the rows of one party follow each other");
    let Some(bytes) = data("ofac_csl/csl_old_columns.csv") else { return };
    let screening = read(|importing, emit| csl::read(bytes.as_slice(), importing, emit));
    let denied = screening.listings.iter().filter(|listing| listing.list.as_str() == "us-dpl");
    let known = denied.filter(|listing| said.entities.contains_key(listing.entity.as_str())).count();
    assert_eq!(known, 7, "one of the eight was denied between the two editions");
}

#[test]
fn the_un_list_imports() {
    let Some(bytes) = data("un/UN_consolidated.xml") else { return };
    let said = read(|importing, emit| un_list::read(bytes.as_slice(), importing, emit));
    assert!(said.report.is_whole(), "{:?}", said.report);
    let count = |kind| said.entities.values().filter(|entity| entity.kind == kind).count();
    assert_eq!((count(EntityKind::Person), count(EntityKind::Organisation)), (730, 273));
    assert_eq!((said.report.records, said.listings.len()), (1_003, 1_003));
    assert!(
        said.listings.iter().all(|listing| listing.list.as_str() == "un-sc" && listing.valid.from.is_some())
    );
    let first = &said.entities["un-sc:CDi.001"];
    assert_eq!((first.name(), first.countries.join(" ")), ("ERIC BADEGE", "CD".to_owned()));
    assert_eq!(first.founded.unwrap().to_string(), "1971");
    assert_eq!(said.listings[0].entry.as_deref(), Some("DRC CDi.001"));
    assert_eq!(names_of(&said.entities["un-sc:CDe.001"])[..2], ["ADF", "Allied Democratic Forces"]);
}

#[test]
fn births_that_are_not_exact_are_left_out() {
    let party = |births: &str| {
        let xml = format!(
            "<L><INDIVIDUAL><REFERENCE_NUMBER>X 1</REFERENCE_NUMBER><FIRST_NAME>A</FIRST_NAME>{births}</INDIVIDUAL></L>"
        );
        let said = read(|importing, emit| un_list::read(xml.as_bytes(), importing, emit));
        let entity = said.entities.into_values().next().unwrap();
        entity.founded.map(|date| date.to_string())
    };
    let birth = |kind: &str, inside: &str| {
        format!(
            "<INDIVIDUAL_DATE_OF_BIRTH><TYPE_OF_DATE>{kind}</TYPE_OF_DATE>{inside}</INDIVIDUAL_DATE_OF_BIRTH>"
        )
    };
    let day = birth("EXACT", "<DATE>1964-09-28-04:00</DATE>");
    assert_eq!(party(&day).as_deref(), Some("1964-09-28"));
    assert_eq!(party(&birth("EXACT", "<YEAR>1964</YEAR>")).as_deref(), Some("1964"));
    assert_eq!(party(&birth("APPROXIMATELY", "<YEAR>1964</YEAR>")), None);
    assert_eq!(party(&birth("BETWEEN", "<FROM_YEAR>1964</FROM_YEAR><TO_YEAR>1965</TO_YEAR>")), None);
    assert_eq!(party(&(day.clone() + &birth("EXACT", "<YEAR>1964</YEAR>"))), None, "two that differ");
    assert_eq!(party(&birth("EXACT", "")), None);
}
