//! GLEIF's files in all three encodings, and what their records mean.

#![expect(clippy::unwrap_used, reason = "what cannot be read fails the test, as it should")]
#![expect(clippy::wildcard_enum_match_arm, reason = "what a test does not expect is shown, and fails it")]

use std::path::Path;

use registers::{Importing, Report, gleif};
use ties::{Confidence, EntityKind, Holding, Said, Source, Statement, Tie, TieKind};

type Reader = fn(&[u8], &Importing, &mut dyn FnMut(Statement)) -> Report;

const ENTITIES: Reader = |bytes, importing, emit| gleif::entities(bytes, importing, emit);
const RELATIONSHIPS: Reader = |bytes, importing, emit| gleif::relationships(bytes, importing, emit);
const EXCEPTIONS: Reader = |bytes, importing, emit| gleif::exceptions(bytes, importing, emit);

fn importing() -> Importing {
    let document = Source { document: "gleif".to_owned(), ..Source::default() };
    Importing { document, recorded: "2024-01-01T00:00:00Z".parse().unwrap() }
}

fn read(reader: Reader, bytes: &[u8]) -> (Report, Vec<Statement>) {
    let mut statements = Vec::new();
    let report = reader(bytes, &importing(), &mut |statement| statements.push(statement));
    assert_eq!(report.statements, statements.len() as u64);
    (report, statements)
}

fn data(name: &str) -> Option<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/ties/gleif").join(name);
    if !path.exists() {
        eprintln!("skipped: {} is absent", path.display());
        return None;
    }
    Some(std::fs::read(path).unwrap())
}

fn ties(statements: &[Statement]) -> Vec<&Tie> {
    let tie = |statement: &'_ Statement| matches!(statement.said, Said::Tie(_));
    let ties = statements.iter().filter(|statement| tie(statement));
    ties.filter_map(|statement| if let Said::Tie(tie) = &statement.said { Some(tie) } else { None }).collect()
}

/// `from kind to from_date to_date` of each tie, with LEIs cut to their last four signs.
fn shown(tie: &Tie) -> String {
    let short = |id: &str| id.get(id.len().saturating_sub(4)..).unwrap_or(id).to_owned();
    let kind = match &tie.kind {
        TieKind::Consolidates { ultimate: true } => "ultimately-consolidates".to_owned(),
        TieKind::Consolidates { ultimate: false } => "consolidates".to_owned(),
        TieKind::Associates { relation } => relation.clone(),
        TieKind::Holds(holding) if *holding == Holding::default() => "holds-unknown".to_owned(),
        other => format!("{other:?}"),
    };
    let date = |date: Option<ties::PartialDate>| date.map_or("-".to_owned(), |date| date.to_string());
    let (from, to) = (date(tie.valid.from), date(tie.valid.to));
    format!("{} {kind} {} {from} {to}", short(tie.from.as_str()), short(tie.to.as_str()))
}

#[test]
fn every_file_imports() {
    let cases: [(&str, Reader, u64, u64); 12] = [
        // file                         records  statements
        ("lei-data.xml", ENTITIES, 13, 15),
        ("lei-data.json", ENTITIES, 13, 15),
        ("lei-updates-data2.xml", ENTITIES, 12, 12),
        ("lei-updates-data2-new.xml", ENTITIES, 12, 12),
        ("rr-data.xml", RELATIONSHIPS, 10, 10),
        ("rr-data.json", RELATIONSHIPS, 10, 10),
        ("rr-updates-data2.xml", RELATIONSHIPS, 11, 11),
        ("rr-updates-data2-new.xml", RELATIONSHIPS, 10, 10),
        ("repex-data.xml", EXCEPTIONS, 10, 20),
        ("repex-data.json", EXCEPTIONS, 10, 20),
        ("repex-updates-data2.xml", EXCEPTIONS, 7, 14),
        ("repex-updates-data2-new.xml", EXCEPTIONS, 7, 13),
    ];
    for (name, reader, records, statements) in cases {
        let Some(bytes) = data(name) else { return };
        let (report, _) = read(reader, &bytes);
        assert_eq!((report.records, report.statements), (records, statements), "{name}: {report:?}");
        assert!(report.is_whole(), "{name}: {report:?}");
    }
}

#[test]
fn json_says_what_xml_says() {
    let cases = [("rr-data", RELATIONSHIPS), ("repex-data", EXCEPTIONS), ("lei-data", ENTITIES)];
    for (name, reader) in cases {
        let Some(xml) = data(&format!("{name}.xml")) else { return };
        let Some(json) = data(&format!("{name}.json")) else { return };
        let (xml, json) = (read(reader, &xml).1, read(reader, &json).1);
        for (xml, json) in xml.iter().zip(&json) {
            assert_eq!(xml, json, "{name}");
        }
        assert_eq!(xml.len(), json.len(), "{name}");
    }
}

#[test]
fn csv_and_the_golden_copys_json_say_it_too() {
    let xml = "<rr:R xmlns:rr='u'><rr:RelationshipRecord><rr:Relationship><rr:StartNode><rr:NodeID>001GPB6A9XPE8XJICC14\
        </rr:NodeID><rr:NodeIDType>LEI</rr:NodeIDType></rr:StartNode><rr:EndNode><rr:NodeID>5493001Z012YSB2A0K51\
        </rr:NodeID><rr:NodeIDType>LEI</rr:NodeIDType></rr:EndNode><rr:RelationshipType>IS_DIRECTLY_CONSOLIDATED_BY\
        </rr:RelationshipType><rr:RelationshipPeriods><rr:RelationshipPeriod><rr:StartDate>2022-01-01</rr:StartDate>\
        <rr:EndDate>2022-12-31</rr:EndDate><rr:PeriodType>ACCOUNTING_PERIOD</rr:PeriodType></rr:RelationshipPeriod>\
        <rr:RelationshipPeriod><rr:StartDate>2012-11-29T00:00:00Z</rr:StartDate><rr:PeriodType>RELATIONSHIP_PERIOD\
        </rr:PeriodType></rr:RelationshipPeriod></rr:RelationshipPeriods><rr:RelationshipStatus>ACTIVE\
        </rr:RelationshipStatus></rr:Relationship><rr:Registration><rr:LastUpdateDate>2023-05-18</rr:LastUpdateDate>\
        <rr:RegistrationStatus>PUBLISHED</rr:RegistrationStatus><rr:ValidationSources>FULLY_CORROBORATED\
        </rr:ValidationSources></rr:Registration></rr:RelationshipRecord></rr:R>";
    let json = r#"{"relations": [{"RelationshipRecord": {"Relationship": {
        "StartNode": {"NodeID": {"$": "001GPB6A9XPE8XJICC14"}, "NodeIDType": {"$": "LEI"}},
        "EndNode": {"NodeID": {"$": "5493001Z012YSB2A0K51"}, "NodeIDType": {"$": "LEI"}},
        "RelationshipType": {"$": "IS_DIRECTLY_CONSOLIDATED_BY"},
        "RelationshipPeriods": {"RelationshipPeriod": [
            {"StartDate": {"$": "2022-01-01"}, "EndDate": {"$": "2022-12-31"}, "PeriodType": {"$": "ACCOUNTING_PERIOD"}},
            {"StartDate": {"$": "2012-11-29T00:00:00Z"}, "PeriodType": {"$": "RELATIONSHIP_PERIOD"}}]},
        "RelationshipStatus": {"$": "ACTIVE"}},
        "Registration": {"LastUpdateDate": {"$": "2023-05-18"}, "RegistrationStatus": {"$": "PUBLISHED"},
            "ValidationSources": {"$": "FULLY_CORROBORATED"}}}}]}"#;
    let csv = "Relationship.StartNode.NodeID,Relationship.StartNode.NodeIDType,Relationship.EndNode.NodeID,\
        Relationship.EndNode.NodeIDType,Relationship.RelationshipType,Relationship.RelationshipStatus,\
        Relationship.Period.1.startDate,Relationship.Period.1.endDate,Relationship.Period.1.periodType,\
        Relationship.Period.2.startDate,Relationship.Period.2.endDate,Relationship.Period.2.periodType,\
        Registration.LastUpdateDate,Registration.RegistrationStatus,Registration.ValidationSources\n\
        001GPB6A9XPE8XJICC14,LEI,5493001Z012YSB2A0K51,LEI,IS_DIRECTLY_CONSOLIDATED_BY,ACTIVE,\
        2022-01-01,2022-12-31,ACCOUNTING_PERIOD,2012-11-29T00:00:00Z,,RELATIONSHIP_PERIOD,2023-05-18,PUBLISHED,\
        FULLY_CORROBORATED\n";
    let (report, statements) = read(RELATIONSHIPS, xml.as_bytes());
    assert!(report.is_whole());
    assert_eq!(shown(ties(&statements)[0]), "0K51 consolidates CC14 2012-11-29 -");
    assert_eq!(read(RELATIONSHIPS, json.as_bytes()).1, statements);
    assert_eq!(read(RELATIONSHIPS, csv.as_bytes()).1, statements);
}

#[test]
fn level_1_in_csv_says_what_json_says() {
    let json = r#"[{"LEI": "001GPB6A9XPE8XJICC14", "Entity": {"LegalName": "Acme",
        "OtherEntityNames": [{"type": "PREVIOUS_LEGAL_NAME", "OtherEntityName": "Old"}, {"OtherEntityName": "Older"}],
        "HeadquartersAddress": {"Country": "CN"}, "LegalJurisdiction": "US-DE", "EntityCategory": "GENERAL",
        "RegistrationAuthority": {"RegistrationAuthorityID": "RA000665", "RegistrationAuthorityEntityID": "S 1"},
        "EntityStatus": "ACTIVE", "EntityCreationDate": "2012-11-29T00:00:00.000Z"},
        "Registration": {"RegistrationStatus": "LAPSED", "ValidationSources": "FULLY_CORROBORATED"}}]"#;
    let csv = "LEI,Entity.LegalName,Entity.LegalName.xmllang,Entity.OtherEntityNames.OtherEntityName.1,\
        Entity.OtherEntityNames.OtherEntityName.1.type,Entity.OtherEntityNames.OtherEntityName.2,\
        Entity.HeadquartersAddress.Country,Entity.LegalJurisdiction,Entity.EntityCategory,\
        Entity.RegistrationAuthority.RegistrationAuthorityID,Entity.RegistrationAuthority.RegistrationAuthorityEntityID,\
        Entity.EntityStatus,Entity.EntityCreationDate,Registration.RegistrationStatus,Registration.ValidationSources\n\
        001GPB6A9XPE8XJICC14,Acme,en,Old,PREVIOUS_LEGAL_NAME,Older,CN,US-DE,GENERAL,RA000665,S 1,ACTIVE,\
        2012-11-29T00:00:00.000Z,LAPSED,FULLY_CORROBORATED\n";
    let (report, statements) = read(ENTITIES, json.as_bytes());
    assert_eq!(report.notes["registration-lapsed"], 1);
    assert_eq!(read(ENTITIES, csv.as_bytes()).1, statements);
    let [Statement { said: Said::Entity(entity), .. }] = statements.as_slice() else {
        panic!("{statements:?}")
    };
    let names: Vec<_> = entity.names.iter().map(|name| (name.text.as_str(), name.alias)).collect();
    assert_eq!(names, [("Acme", false), ("Old", true), ("Older", true)]);
    assert_eq!(entity.countries, ["US", "CN"]);
    assert_eq!(entity.dissolved, None, "a lapsed registration is still the same company");
    assert_eq!(entity.founded.unwrap().to_string(), "2012-11-29");
    let ids: Vec<_> = entity.identifiers.iter().map(|id| format!("{}:{}", id.scheme, id.value)).collect();
    assert_eq!(ids, ["XI-LEI:001GPB6A9XPE8XJICC14", "RA000665:S1"]);
}

#[test]
fn the_arrow_is_turned_and_funds_are_not_owned() {
    let Some(bytes) = data("rr-data.xml") else { return };
    let (_, statements) = read(RELATIONSHIPS, &bytes);
    let found: Vec<String> = ties(&statements).into_iter().map(shown).collect();
    let count = |part: &str| found.iter().filter(|tie| tie.contains(part)).count();
    assert_eq!(count(" consolidates "), 1);
    assert_eq!(count(" ultimately-consolidates "), 1);
    assert_eq!(count(" IS_FUND-MANAGED_BY "), 5);
    assert_eq!(count(" IS_SUBFUND_OF "), 3);
    assert_eq!(found[0], "0K51 IS_FUND-MANAGED_BY CC14 2012-11-29 -");
}

#[test]
fn a_newer_record_replaces_and_a_deletion_ends() {
    let Some(old) = data("rr-updates-data2.xml") else { return };
    let Some(new) = data("rr-updates-data2-new.xml") else { return };
    let (old, new) = (read(RELATIONSHIPS, &old).1, read(RELATIONSHIPS, &new).1);
    let (before, after) = (ties(&old), ties(&new));
    let kept = after.iter().filter(|tie| before.iter().any(|known| known.id == tie.id)).count();
    assert_eq!((before.len(), after.len(), kept), (11, 9, 8), "eight are said again, one is new");
    let ends: Vec<_> =
        new.iter().filter_map(|s| if let Said::End(end) = &s.said { Some(end) } else { None }).collect();
    assert_eq!(ends.len(), 1);
    assert_eq!(ends[0].on.to_string(), "2023-11-01");
    assert!(before.iter().any(|tie| tie.id == ends[0].tie));
    let again = old.iter().filter(|known| new.iter().any(|statement| statement.id == known.id)).count();
    assert!(again < 11, "what was changed is said anew: {again}");
}

/// A relationship in JSON, with these values.
fn relationship(kind: &str, status: &str, registration: &str, period: &str, id_type: &str) -> String {
    format!(
        r#"[{{"Relationship": {{"StartNode": {{"NodeID": "001GPB6A9XPE8XJICC14", "NodeIDType": "LEI"}},
        "EndNode": {{"NodeID": "5493001Z012YSB2A0K51", "NodeIDType": "{id_type}"}}, "RelationshipType": "{kind}",
        "RelationshipPeriods": [{{{period} "PeriodType": "RELATIONSHIP_PERIOD"}}], "RelationshipStatus": "{status}"}},
        "Registration": {{"LastUpdateDate": "2020-02-02", "RegistrationStatus": "{registration}"}}}}]"#
    )
}

#[test]
fn the_status_of_a_record_decides_when_it_holds() {
    let direct = "IS_DIRECTLY_CONSOLIDATED_BY";
    let since = r#""StartDate": "2010-01-01","#;
    let until = r#""StartDate": "2010-01-01", "EndDate": "2015-05-05","#;
    let cases = [
        (relationship(direct, "ACTIVE", "PUBLISHED", since, "LEI"), "0K51 consolidates CC14 2010-01-01 -"),
        (relationship(direct, "ACTIVE", "LAPSED", since, "LEI"), "0K51 consolidates CC14 2010-01-01 -"),
        (
            relationship(direct, "ACTIVE", "PUBLISHED", until, "LEI"),
            "0K51 consolidates CC14 2010-01-01 2015-05-05",
        ),
        (
            relationship(direct, "INACTIVE", "PUBLISHED", until, "LEI"),
            "0K51 consolidates CC14 2010-01-01 2015-05-05",
        ),
        (
            relationship(direct, "INACTIVE", "PUBLISHED", since, "LEI"),
            "0K51 consolidates CC14 2010-01-01 2020-02-02",
        ),
        (relationship(direct, "ACTIVE", "RETIRED", "", "LEI"), "0K51 consolidates CC14 - 2020-02-02"),
        (
            relationship(direct, "NULL", "ANNULLED", since, "LEI"),
            "0K51 consolidates CC14 2010-01-01 2010-01-01",
        ),
        (relationship(direct, "ACTIVE", "PUBLISHED", "", "PNI"), "0K51 consolidates CC14 - -"),
        (relationship("IS_FEEDER_TO", "ACTIVE", "PUBLISHED", "", "LEI"), "0K51 IS_FEEDER_TO CC14 - -"),
    ];
    for (text, want) in cases {
        let (report, statements) = read(RELATIONSHIPS, text.as_bytes());
        assert_eq!(shown(ties(&statements)[0]), want);
        assert!(report.is_whole());
        assert_eq!(statements[0].source.confidence, Confidence::Medium, "nobody validated it");
    }
    for registration in ["DUPLICATE", "PENDING_VALIDATION", "CANCELLED"] {
        let text = relationship(direct, "ACTIVE", registration, since, "LEI");
        let (report, statements) = read(RELATIONSHIPS, text.as_bytes());
        assert_eq!((statements.len(), report.notes.len()), (0, 1), "{registration}");
    }
    let (_, statements) =
        read(RELATIONSHIPS, relationship(direct, "ACTIVE", "PUBLISHED", "", "PNI").as_bytes());
    assert_eq!(statements.len(), 2, "a parent without an LEI is described here");
}

#[test]
fn what_cannot_be_meant_is_refused_by_reason() {
    let backwards = r#""StartDate": "2010-01-01", "EndDate": "2009-05-05","#;
    let cases = [
        (RELATIONSHIPS, relationship("IS_X", "ACTIVE", "PUBLISHED", backwards, "LEI"), "bad-date"),
        (RELATIONSHIPS, relationship("OWNS", "ACTIVE", "PUBLISHED", "", "LEI"), "unknown-kind"),
        (RELATIONSHIPS, "[{}]".to_owned(), "incomplete"),
        (RELATIONSHIPS, "[nope]".to_owned(), "malformed"),
        (RELATIONSHIPS, relationship("IS_X", "", "", "", "LEI").replace("CC14", "CC15"), "bad-identifier"),
        (EXCEPTIONS, r#"[{"LEI": "001GPB6A9XPE8XJICC14"}]"#.to_owned(), "incomplete"),
        (
            EXCEPTIONS,
            r#"[{"LEI": "001GPB6A9XPE8XJICC14", "ExceptionCategory": "X"}]"#.to_owned(),
            "unknown-kind",
        ),
        (EXCEPTIONS, "LEI,Exception.Category\nx,y\n".to_owned(), "bad-identifier"),
        (ENTITIES, r#"[{"LEI": "x"}]"#.to_owned(), "bad-identifier"),
        (ENTITIES, "<a><LEIRecord/></a>".to_owned(), "incomplete"),
        (ENTITIES, "<a><LEIRecord><LEI>".to_owned(), "unreadable"),
        (
            ENTITIES,
            r#"[{"LEI": "001GPB6A9XPE8XJICC14", "Registration": {"RegistrationStatus": "DUPLICATE"}}]"#
                .to_owned(),
            "incomplete",
        ),
    ];
    for (reader, text, reason) in cases {
        let (report, statements) = read(reader, text.as_bytes());
        assert_eq!(report.refused[0].reason.code(), reason, "{text}");
        assert!(statements.is_empty(), "{text}");
    }
}

#[test]
fn an_exception_is_unknown_and_not_none() {
    let cases = [
        // reasons                                             what is said
        (r#""NON_CONSOLIDATING""#, "holds-unknown"),
        (r#""NATURAL_PERSONS""#, "holds-unknown"),
        (r#""NO_KNOWN_PERSON""#, "NO_KNOWN_PERSON"),
        (r#""NO_LEI""#, "ultimately-consolidates"),
        (r#""NON_PUBLIC""#, "ultimately-consolidates"),
        (r#""LEGAL_OBSTACLES""#, "ultimately-consolidates"),
        (r#"["NO_KNOWN_PERSON", "NON_CONSOLIDATING"]"#, "holds-unknown"),
        (r#"["NON_PUBLIC", "NATURAL_PERSONS"]"#, "ultimately-consolidates"),
        (r#""SOMETHING_NEW""#, "holds-unknown"),
    ];
    for (reasons, want) in cases {
        let text = format!(
            r#"[{{"LEI": "001GPB6A9XPE8XJICC14", "ExceptionCategory": "ULTIMATE_ACCOUNTING_CONSOLIDATION_PARENT",
            "ExceptionReason": {reasons}}}]"#
        );
        let (report, statements) = read(EXCEPTIONS, text.as_bytes());
        let Said::Entity(unknown) = &statements[0].said else { panic!("{statements:?}") };
        assert_eq!(unknown.kind, EntityKind::Unknown);
        let tie = ties(&statements)[0].clone();
        assert_eq!((&tie.from, shown(&tie)), (&unknown.id, format!("CC14 {want} CC14 - -")));
        assert!(report.is_whole());
    }
}

#[test]
fn a_reason_that_changes_is_said_of_the_same_tie() {
    let Some(old) = data("repex-updates-data2.xml") else { return };
    let Some(new) = data("repex-updates-data2-new.xml") else { return };
    let (old, new) = (read(EXCEPTIONS, &old).1, read(EXCEPTIONS, &new).1);
    let ends: Vec<_> =
        new.iter().filter_map(|s| if let Said::End(end) = &s.said { Some(end) } else { None }).collect();
    assert_eq!(ends.len(), 1);
    assert!(ties(&old).iter().any(|tie| tie.id == ends[0].tie), "the deletion ends what the older file said");
}

#[test]
fn dissolved_merged_and_duplicate_companies() {
    let Some(bytes) = data("lei-data.xml") else { return };
    let (_, statements) = read(ENTITIES, &bytes);
    let dissolved: Vec<String> = statements
        .iter()
        .filter_map(|s| if let Said::Entity(entity) = &s.said { entity.dissolved } else { None })
        .map(|date| date.to_string())
        .collect();
    assert_eq!(dissolved, ["2018-11-09"], "the retired one; those that lapsed go on");

    let record = |status: &str, registration: &str| {
        format!(
            r#"[{{"LEI": "001GPB6A9XPE8XJICC14", "Entity": {{"LegalName": "Old", "EntityStatus": "{status}",
            "SuccessorEntity": [{{"SuccessorLEI": "5493001Z012YSB2A0K51"}}]}},
            "Registration": {{"RegistrationStatus": "{registration}", "LastUpdateDate": "2020-02-02T00:00:00Z"}}}}]"#
        )
    };
    let (report, merged) = read(ENTITIES, record("INACTIVE", "MERGED").as_bytes());
    assert_eq!(report.notes["dissolved-by-last-update"], 1);
    let tie = ties(&merged)[0];
    assert_eq!(tie.kind, TieKind::Succeeds);
    assert_eq!(
        (tie.from.as_str(), tie.to.as_str()),
        ("XI-LEI:5493001Z012YSB2A0K51", "XI-LEI:001GPB6A9XPE8XJICC14")
    );
    assert_eq!(tie.valid.from.unwrap().to_string(), "2020-02-02");

    let (_, duplicate) = read(ENTITIES, record("NULL", "DUPLICATE").as_bytes());
    let [Statement { said: Said::Same { kept, merged, .. }, .. }] = duplicate.as_slice() else {
        panic!("{duplicate:?}")
    };
    assert_eq!(
        (kept.as_str(), merged.as_str()),
        ("XI-LEI:5493001Z012YSB2A0K51", "XI-LEI:001GPB6A9XPE8XJICC14")
    );

    let (report, annulled) = read(ENTITIES, record("NULL", "ANNULLED").as_bytes());
    assert_eq!((annulled.len(), report.notes["registration-annulled"]), (0, 1));

    let gone =
        record("ACTIVE", "ISSUED").replace(r#""Entity":"#, r#""Extension": {"Deletion": {}}, "Entity":"#);
    let (report, gone) = read(ENTITIES, gone.as_bytes());
    assert_eq!(
        (gone.len(), report.notes["record-deleted"]),
        (0, 1),
        "no company ends because its record was taken out"
    );
}

#[test]
fn a_british_company_is_the_one_of_the_british_register() {
    let record = |category: &str, validated: &str| {
        format!(
            r#"[{{"LEI": "001GPB6A9XPE8XJICC14", "Entity": {{"EntityCategory": "{category}", "RegistrationAuthority":
            {{"RegistrationAuthorityID": "RA000585", "RegistrationAuthorityEntityID": "1234567"}}}},
            "Registration": {{"ValidationSources": "{validated}"}}}}]"#
        )
    };
    let same = |text: String| {
        let (_, statements) = read(ENTITIES, text.as_bytes());
        statements
            .into_iter()
            .find_map(|s| if let Said::Same { merged, .. } = s.said { Some(merged) } else { None })
    };
    assert_eq!(same(record("GENERAL", "FULLY_CORROBORATED")).unwrap().as_str(), "GB-COH:01234567");
    assert_eq!(same(record("GENERAL", "ENTITY_SUPPLIED_ONLY")), None);
    assert_eq!(same(record("FUND", "FULLY_CORROBORATED")), None, "a fund gives the number of its umbrella");
}
