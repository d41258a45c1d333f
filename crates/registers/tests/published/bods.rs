//! BODS of every version, through the public door.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::support::{files, importing, picture, shared, shown_kind, sorts, ties_into};
use proptest::prelude::*;
use registers::{Importing, Reason, Report};
use serde_json::{Value, json};
use ties::{EntityKind, Picture, Registry, Said, Source, Statement, Tie};

fn bods(text: &[u8], importing: &Importing, emit: &mut dyn FnMut(Statement)) -> Report {
    registers::bods::read(text, importing, emit)
}

fn read(value: &Value) -> (Vec<Statement>, Report) {
    crate::support::read(bods, &value.to_string())
}

/// A relationship statement of 0.4 from `ann` to `acme`.
fn relationship(record: &str, interests: Value) -> Value {
    json!({
        "statementId": format!("statement-{record}"), "recordType": "relationship", "recordId": record,
        "statementDate": "2020-06-01", "declarationSubject": "acme",
        "recordDetails": {"isComponent": false, "subject": "acme", "interestedParty": "ann", "interests": interests},
    })
}

fn entity(record: &str, details: Value) -> Value {
    let mut all = json!({"isComponent": false, "entityType": {"type": "registeredEntity"}});
    all.as_object_mut().unwrap().extend(details.as_object().unwrap().clone());
    json!({
        "statementId": format!("statement-{record}"), "recordType": "entity", "recordId": record,
        "statementDate": "2020-06-01", "declarationSubject": record, "recordDetails": all,
    })
}

#[test]
fn interests_become_ties() {
    let cases = [
        // interests, and what holds on 2021-01-01
        (json!([{"type": "shareholding", "share": {"exact": 49}}]), vec!["holds votes=? money=49%"]),
        (json!([{"type": "shareholding"}]), vec!["holds votes=? money=?"]),
        (json!([]), vec!["holds votes=? money=?"]),
        (json!([{"type": "unknownInterest"}]), vec!["holds votes=? money=?"]),
        (json!([{"type": "votingRights", "share": {"exact": 60}}]), vec!["holds votes=60% money=?"]),
        (json!([{"type": "votingRights"}]), vec!["holds votes=[0%,100%] money=?"]),
        // Votes and money of one stake are one holding.
        (
            json!([{"type": "shareholding", "share": {"exact": 10}}, {"type": "votingRights", "share": {"exact": 60}}]),
            vec!["holds votes=60% money=10%"],
        ),
        // Not quite the same time: each counts in its own measure, once.
        (
            json!([
                {"type": "shareholding", "share": {"exact": 10}, "startDate": "2016-01-01"},
                {"type": "votingRights", "share": {"exact": 60}, "startDate": "2018-01-01"},
            ]),
            vec!["holds votes=0% money=10%", "holds votes=60% money=0%"],
        ),
        // One after the other: they do not meet.
        (
            json!([
                {"type": "shareholding", "share": {"exact": 10}, "startDate": "2016-01-01", "endDate": "2017-01-01"},
                {"type": "votingRights", "share": {"exact": 60}, "startDate": "2018-01-01"},
            ]),
            vec!["holds votes=60% money=?"],
        ),
        // Profits carry no votes, and beside shares they are no second stake.
        (
            json!([{"type": "rightsToProfitOrIncome", "share": {"exact": 10}}]),
            vec!["holds votes=0% money=10%"],
        ),
        (
            json!([{"type": "shareholding", "share": {"exact": 10}}, {"type": "rightsToProfitOrIncome", "share": {"exact": 10}}]),
            vec!["holds votes=? money=10%"],
        ),
        (
            json!([{"type": "rightsToProfitOrIncome", "share": {"exact": 10}}, {"type": "votingRights", "share": {"exact": 60}}]),
            vec!["holds votes=60% money=10%"],
        ),
        // Not any more.
        (json!([{"type": "shareholding", "share": {"exact": 0}}]), vec![]),
        (json!([{"type": "shareholding", "share": {"exact": 49}, "endDate": "2020-12-31"}]), vec![]),
        (
            json!([{"type": "votingRights", "share": {"exact": 0}}, {"type": "shareholding", "share": {"exact": 0}}]),
            vec![],
        ),
        // Shares without votes are held.
        (
            json!([{"type": "votingRights", "share": {"exact": 0}}, {"type": "shareholding", "share": {"exact": 5}}]),
            vec!["holds votes=0% money=5%"],
        ),
        // Ends that are numbers, and ends that have flags.
        (
            json!([{"type": "shareholding", "share": {"exclusiveMinimum": 25, "maximum": 50}}]),
            vec!["holds votes=? money=(25%,50%]"],
        ),
        (
            json!([{"type": "shareholding", "share": {"minimum": 25, "exclusiveMinimum": true, "maximum": 50, "exclusiveMaximum": false}}]),
            vec!["holds votes=? money=(25%,50%]"],
        ),
        (
            json!([{"type": "shareholding", "share": {"minimum": 75, "exclusiveMinimum": 75, "maximum": 90.5, "exclusiveMaximum": 90}}]),
            vec!["holds votes=? money=(75%,90%)"],
        ),
        (json!([{"type": "shareholding", "share": {"minimum": 75}}]), vec!["holds votes=? money=[75%,100%]"]),
        (json!([{"type": "shareholding", "share": {"exact": 33.33}}]), vec!["holds votes=? money=33.33%"]),
        // The other rights.
        (json!([{"type": "appointmentOfBoard"}]), vec![r#"{"appoints":{}}"#]),
        (
            json!([{"type": "appointmentOfBoard", "share": {"exclusiveMinimum": 50}}]),
            vec![r#"{"appoints":{"majority":true}}"#],
        ),
        (json!([{"type": "influence-or-control"}]), vec![r#"{"directs":{"by":"influence"}}"#]),
        (json!([{"type": "controlByLegalFramework"}]), vec![r#"{"directs":{"by":"law"}}"#]),
        (json!([{"type": "beneficiary-of-trust"}]), vec![r#"{"party-to":{"role":"beneficiary"}}"#]),
        (json!([{"type": "nominee"}]), vec![r#"{"party-to":{"role":"nominee"}}"#]),
        (json!([{"type": "boardChair"}]), vec![r#"{"serves":{"post":"chair"}}"#]),
        (
            json!([{"type": "conditionalRightsGrantedByContract", "share": {"exact": 20}}]),
            vec![r#"{"may-acquire":{"votes":"20%"}}"#],
        ),
    ];
    for (interests, want) in cases {
        let (statements, report) = read(&json!([relationship("r", interests.clone())]));
        assert_eq!(report.refused, [], "{interests}");
        let want: Vec<String> = want.into_iter().map(|tie| format!("doc:ann {tie}")).collect();
        assert_eq!(ties_into(&statements, "doc:acme", "2021-01-01"), want, "{interests}");
    }
}

#[test]
fn what_is_wrong_in_a_field_leaves_the_stake_unknown() {
    let cases = [
        (json!([{"type": "shareholding", "share": {"exact": 500}}]), Reason::BadShare),
        (json!([{"type": "shareholding", "share": {"exact": -1}}]), Reason::BadShare),
        (json!([{"type": "shareholding", "share": {"minimum": 60, "maximum": 40}}]), Reason::BadShare),
        (json!([{"type": "shareholding", "share": "half"}]), Reason::BadValue),
        (json!([{"type": "ownsTheMoon"}]), Reason::BadValue),
        (json!([{"type": "shareholding", "startDate": "01.02.2020"}]), Reason::BadDate),
        (
            json!([{"type": "shareholding", "startDate": "2030-01-01", "endDate": "2029-01-01"}]),
            Reason::BadDate,
        ),
        (json!([7]), Reason::BadValue),
        (json!({"type": "shareholding"}), Reason::BadValue),
    ];
    for (interests, reason) in cases {
        let (statements, report) = read(&json!([relationship("r", interests.clone())]));
        assert_eq!(report.refused_by.into_iter().collect::<Vec<_>>(), [(reason, 1)], "{interests}");
        assert_eq!(
            ties_into(&statements, "doc:acme", "2021-01-01"),
            ["doc:ann holds votes=? money=?"],
            "{interests}"
        );
    }
}

#[test]
fn a_bad_record_does_not_stop_the_file() {
    let good = relationship("r", json!([]));
    let text = format!(
        "[{{\"a\": nope}}, 7, {{}}, {{\"recordType\":\"relationship\",\"recordId\":\"x\"}}, \
         {{\"statementType\":\"entityStatement\"}}, {good}]"
    );
    let (statements, report) = crate::support::read(bods, &text);
    let reasons: Vec<Reason> = report.refused.iter().map(|refusal| refusal.reason).collect();
    assert_eq!(report.records, 6);
    let unknown = Reason::UnknownKind;
    let want = [
        Reason::Malformed,
        Reason::Malformed,
        unknown,
        Reason::Incomplete,
        Reason::Incomplete,
        Reason::Incomplete,
    ];
    assert_eq!(reasons, want);
    assert_eq!(report.refused[0].place, "record 1, line 1");
    assert_eq!(sorts(&statements), BTreeMap::from([("tie", 1)]));
    let (_, cut) = crate::support::read(bods, "[{\"recordType\": \"entity\", ");
    assert!(cut.cut_short && !cut.is_whole());
}

#[test]
fn somebody_unnamed_is_somebody() {
    let mut by_nobody = relationship("r", json!([{"type": "shareholding", "share": {"minimum": 25}}]));
    by_nobody["recordDetails"]["interestedParty"] =
        json!({"reason": "interestedPartyHasNotProvidedInformation"});
    let anonymous = json!({
        "statementId": "s", "recordType": "person", "recordId": "ann", "statementDate": "2020-06-01",
        "recordDetails": {"isComponent": false, "personType": "anonymousPerson",
            "unspecifiedPersonDetails": {"reason": "interestedPartyExemptFromDisclosure", "description": "a minor"}},
    });
    let older = json!({
        "statementID": "o", "statementType": "ownershipOrControlStatement",
        "subject": {"describedByEntityStatement": "acme"},
        "interestedParty": {"unspecified": {"reason": "no-beneficial-owners"}},
    });
    let (statements, report) = read(&json!([by_nobody, anonymous, relationship("q", json!([])), older]));
    assert_eq!(report.refused, []);
    assert_eq!(report.notes["undisclosed-party"], 2);
    assert_eq!(report.notes["declared-without-owner"], 1);
    let want = [
        "doc:ann holds votes=? money=?",
        "doc:o#party holds votes=? money=?",
        "doc:r#party holds votes=? money=[25%,100%]",
    ];
    assert_eq!(ties_into(&statements, "doc:acme", "2021-01-01"), want);
    let mut registry = Registry::default();
    registry.add(statements);
    for (id, name) in [
        ("doc:ann", "not disclosed: a minor"),
        ("doc:r#party", "not disclosed: interestedPartyHasNotProvidedInformation"),
    ] {
        let entity = picture(&registry, "2021-01-01").entity(&id.parse().unwrap()).unwrap();
        assert_eq!((entity.kind, entity.name()), (EntityKind::Unknown, name));
    }
}

#[test]
fn the_last_statement_about_a_record_counts() {
    let first =
        relationship("r", json!([{"type": "shareholding", "share": {"exact": 40}}, {"type": "boardMember"}]));
    let mut second = relationship("r", json!([{"type": "shareholding", "share": {"exact": 60}}]));
    second["statementId"] = json!("statement-2");
    second["recordStatus"] = json!("updated");
    let mut closed = relationship("r", json!([]));
    closed["statementId"] = json!("statement-3");
    closed["recordStatus"] = json!("closed");
    closed["statementDate"] = json!("2022-03-01");
    let on = |statements: &[Value], day: &str| ties_into(&read(&json!(statements)).0, "doc:acme", day);

    let both = ["doc:ann holds votes=? money=40%", r#"doc:ann {"serves":{"post":"director"}}"#];
    assert_eq!(on(std::slice::from_ref(&first), "2022-01-01"), both);
    // The seat on the board is not said again: it ended by the day of the statement.
    assert_eq!(on(&[first.clone(), second.clone()], "2022-01-01"), ["doc:ann holds votes=? money=60%"]);
    let all = [first, second, closed];
    assert_eq!(on(&all, "2022-02-28"), ["doc:ann holds votes=? money=60%"]);
    assert_eq!(on(&all, "2022-03-01"), [""; 0]);
    // Closed with nothing before it in the file.
    let (statements, _) = read(&json!([all[2]]));
    assert_eq!(sorts(&statements), BTreeMap::from([("end", 1)]));
}

#[test]
fn a_replaced_statement_is_taken_back() {
    let statement = |id: &str, share: u32, replaces: Value| {
        json!({
            "statementID": id, "statementType": "ownershipOrControlStatement", "statementDate": "2018-01-05",
            "subject": {"describedByEntityStatement": "acme"},
            "interestedParty": {"describedByPersonStatement": format!("by-{id}")},
            "interests": [{"type": "shareholding", "interestLevel": "direct", "startDate": "2016-04-06", "share": {"exact": share}}],
            "replacesStatements": replaces,
        })
    };
    let old = statement("old", 100, json!([]));
    let halves = [statement("a", 50, json!(["old"])), statement("b", 50, json!(["old"]))];
    let want = ["doc:by-a holds votes=? money=50%", "doc:by-b holds votes=? money=50%"];
    let (statements, report) = read(&json!([old, halves[0], halves[1]]));
    assert_eq!(report.refused, []);
    // Even for a day before the correction, nobody held the whole.
    assert_eq!(ties_into(&statements, "doc:acme", "2017-01-01"), want);
    // In another file: the old tie can only end.
    let (mut before, _) = read(&json!([old]));
    let (after, report) = read(&json!(halves));
    assert_eq!(report.notes["replaced-elsewhere"], 2);
    before.extend(after);
    assert_eq!(ties_into(&before, "doc:acme", "2019-01-01"), want);
}

#[test]
fn an_indirect_interest_names_its_components() {
    let Some(folder) = shared("bods") else { return };
    let cases = [
        (
            "0.2/examples/indirect-ownership/os-06-dr-03.json",
            "GB-COH:XE001111",
            "holds votes=? money=60% indirect of 4",
        ),
        ("0.4/examples/multiple-indirect-ownership.json", "", "indirect of 4"),
        (
            "0.4/examples/mixed-direct-and-indirect-ownership.json",
            "GB-COH:XE-08-A",
            "holds votes=? money=50% indirect of 2",
        ),
    ];
    for (file, company, want) in cases {
        let (statements, _) = crate::support::read(bods, &fs::read_to_string(folder.join(file)).unwrap());
        let sums: Vec<&Tie> = statements
            .iter()
            .filter_map(|statement| if let Said::Tie(tie) = &statement.said { Some(tie) } else { None })
            .filter(|tie| shown_kind(&tie.kind).contains(want))
            .collect();
        assert_eq!(sums.len(), 1, "{file}");
        if !company.is_empty() {
            let ties = ties_into(&statements, company, "2020-01-01");
            assert_eq!(ties.iter().filter(|tie| tie.ends_with(want)).count(), 1, "{ties:?}");
        }
    }
}

#[test]
fn entities_go_by_their_best_identifier() {
    let lei = json!({"identifiers": [
        {"scheme": "GB-COH", "id": "1234567"}, {"scheme": "XI-LEI", "id": "506700GE1G29325QX363"},
        {"schemeName": "Handelsregister", "id": "HRB 1"}],
        "name": "Acme", "alternateNames": ["Acme Ltd"], "jurisdiction": {"code": "GB-SCT", "name": "Scotland"},
        "foundingDate": "2001-02-03", "dissolutionDate": "2021-02", "publicListing": {"hasPublicListing": true}});
    let (statements, report) = read(&json!([
        entity("acme", lei),
        relationship("r", json!([])),
        entity(
            "finland",
            json!({"entityType": {"type": "state"}, "jurisdiction": {"name": "Finland", "code": "FI"}})
        ),
    ]));
    assert_eq!(report.refused, []);
    let mut registry = Registry::default();
    registry.add(statements);
    let picture = picture(&registry, "2020-07-01");
    for id in ["XI-LEI:506700GE1G29325QX363", "GB-COH:01234567", "doc:acme"] {
        let entity = picture.entity(&id.parse().unwrap()).unwrap();
        assert_eq!(entity.id.as_str(), "XI-LEI:506700GE1G29325QX363");
        assert_eq!((entity.name(), entity.countries.as_slice()), ("Acme", ["GB".to_owned()].as_slice()));
        assert_eq!((entity.publicly_listed, entity.identifiers.len()), (Some(true), 3));
        assert_eq!(entity.dissolved.map(|date| date.to_string()).as_deref(), Some("2021-02"));
        assert_eq!(picture.ties_into(&entity.id).len(), 1, "{id}");
    }
    assert_eq!(picture.entity(&"doc:finland".parse().unwrap()).unwrap().id.as_str(), "state:FI");
}

#[test]
fn a_joint_holding_is_known_by_its_name() {
    let Some(folder) = shared("bods") else { return };
    let text = fs::read_to_string(folder.join("0.4/examples/joint-ownership.json")).unwrap();
    let (statements, _) = crate::support::read(bods, &text);
    assert_eq!(
        ties_into(&statements, "GB-COH:07444723", "2020-01-01"),
        ["doc:91b4236a7d89 holds votes=? money=100%"]
    );
    let want = ["doc:1accb8b18b99 holds votes=? money=50%", "doc:f040df24d9ec holds votes=? money=50%"];
    assert_eq!(ties_into(&statements, "doc:91b4236a7d89", "2020-01-01"), want);
    let kind = |statement: &Statement| {
        let Said::Entity(entity) = &statement.said else { return None };
        (entity.id.as_str() == "doc:91b4236a7d89").then_some(entity.kind)
    };
    assert_eq!(statements.iter().find_map(kind), Some(EntityKind::JointHolding));
}

#[test]
fn every_example_is_read() {
    let Some(folder) = shared("bods") else { return };
    let (mut read, mut records, mut total) = (0, 0, BTreeMap::new());
    for version in ["0.1", "0.2", "0.3", "0.4"] {
        for file in files(&folder.join(version).join("examples"), ".json") {
            let (statements, report) = crate::support::read(bods, &fs::read_to_string(&file).unwrap());
            if file.ends_with("flat-serialisation/single-direct.json") {
                // The shape of the drafts before 0.1: groups of statements without types.
                assert_eq!(report.refused_by, BTreeMap::from([(Reason::UnknownKind, 1)]));
                continue;
            }
            assert_eq!(report.refused, [], "{}", file.display());
            assert!(!statements.is_empty(), "{}", file.display());
            (read, records) = (read + 1, records + report.records);
            for (sort, count) in sorts(&statements) {
                *total.entry(sort).or_insert(0) += count;
            }
        }
    }
    println!("{read} files, {records} records: {total:?}");
    assert_eq!((read, records), (89, 346));
}

/// What the validator's cases are about that no tie depends on.
const NOT_ABOUT_TIES: [&str; 22] = [
    "address",
    "annotations",
    "formed_by_statute",
    "public_listing_company",
    "has_public_listing_missing",
    "security",
    "_uri",
    "PepStatus",
    "politicalExposure",
    "birth_place",
    "taxResidencies",
    "names_familyName",
    "names_givenName",
    "names_patronymic",
    "postcode",
    "statement_declaration",
    "missing_declarationSubject",
    "publication_details",
    "source_description",
    "source_type_code",
    "source_url",
    "type_details",
];

/// What a validator refuses and a reader understands: a year where a day should be, a code in the older place, an
/// identifier that is too short, a reason that is not given, one statement that stands in no list.
const UNDERSTOOD: [&str; 24] = [
    "entity_founding_date_not_date",
    "entity_isComponent_missing",
    "entity_isComponent_not_boolean",
    "entity_jurisdiction_code_3chars",
    "entity_jurisdiction_missing_name",
    "entity_jurisdiction_name_number",
    "entity_recordDetails_missing_isComponent",
    "entity_statementDate_format",
    "entity_statementDate_missing",
    "entity_type_not_object",
    "entity_unspecified_entity_no_reason",
    "entity_unspecified_entity_reason_not_codelist",
    "person_isComponent_missing",
    "person_iscomponent_not_bool",
    "person_names_type_code",
    "person_type_missing",
    "relationship_component_records_true",
    "relationship_interests_end_date_dateformat",
    "relationship_isComponent_missing",
    "statement_statementDate_missing",
    "statement_statementDate_not_date_string",
    "statement_statementId_too_long",
    "statement_statementId_too_short",
    "statements_not_array",
];

#[test]
fn what_the_validator_refuses_is_refused_where_a_tie_depends_on_it() {
    let Some(folder) = shared("bods/0.4/tests/data") else { return };
    let valid = files(&folder.join("valid-statements"), ".json");
    for file in &valid {
        let (_, report) = crate::support::read(bods, &fs::read_to_string(file).unwrap());
        assert_eq!(report.refused, [], "{}", file.display());
    }
    let (mut refused, mut understood) = (0, BTreeSet::new());
    let invalid = files(&folder.join("invalid-statements"), ".json");
    for file in &invalid {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let (_, report) = crate::support::read(bods, &fs::read_to_string(file).unwrap());
        if report.refused_count() > 0 {
            refused += 1;
        } else if !NOT_ABOUT_TIES.iter().any(|part| name.contains(part)) {
            understood.insert(name);
        }
    }
    assert_eq!(understood.iter().map(String::as_str).collect::<Vec<_>>(), UNDERSTOOD);
    assert_eq!((valid.len(), invalid.len(), refused), (111, 192, 79));
}

#[test]
fn what_is_written_reads_back_and_fits_the_schema() {
    let Some(folder) = shared("bods") else { return };
    let schema = Schema::of(&folder.join("0.4/schema"));
    let mut ties_read = 0;
    for version in ["0.1", "0.2", "0.3", "0.4"] {
        for file in files(&folder.join(version).join("examples"), ".json") {
            let (statements, _) = crate::support::read(bods, &fs::read_to_string(&file).unwrap());
            ties_read += round_trip(&schema, &statements, &file.display().to_string());
        }
    }
    assert_eq!(ties_read, 146);
}

#[test]
fn every_kind_of_ownership_and_control_survives() {
    let kinds = [
        json!({"holds": {"votes": "1/3", "money": "(25%,50%]"}}),
        json!({"holds": {"money": "[0%,100%]"}}),
        json!({"holds": {"votes": "0%", "money": "0%"}}),
        json!({"holds": {"votes": "10%", "class": "B", "nominator": "doc:eve"}}),
        json!({"holds": {"money": "33.333333%", "indirect": true, "components": ["doc:t0"]}}),
        json!({"may-acquire": {"votes": "[10%,20%]", "window": {"from": "2030"}}}),
        json!({"appoints": {"seats": 3, "of": 5, "veto": true}}),
        json!({"appoints": {"majority": false}}),
        json!({"directs": {"by": "dominant-minority"}}),
        json!({"directs": {"by": "articles"}}),
        json!({"consolidates": {"ultimate": true}}),
        json!({"party-to": {"role": "party"}}),
        json!({"serves": {"post": "partner"}}),
    ];
    let mut statements = Vec::new();
    for (at, kind) in kinds.iter().enumerate() {
        let tie = json!({"id": format!("doc:t{at}"), "from": "doc:ann", "to": "doc:acme", "kind": kind, "valid": {"from": "2020-01"}});
        let said = Said::Tie(serde_json::from_value(tie).unwrap());
        let recorded = crate::support::RECORDED.parse().unwrap();
        statements.push(Statement {
            id: format!("s{at}").parse().unwrap(),
            said,
            source: importing("doc").document,
            recorded,
        });
    }
    let schema = shared("bods").map(|folder| Schema::of(&folder.join("0.4/schema")));
    let schema = schema.unwrap_or_default();
    assert_eq!(round_trip(&schema, &statements, "by hand"), kinds.len());
}

/// Reads, writes, reads again, and compares the pictures; how many ties there were.
fn round_trip(schema: &Schema, statements: &[Statement], name: &str) -> usize {
    let (entities, ties) = parts(statements);
    let publication = registers::bods::Publication {
        publisher: "Ringfence".to_owned(),
        date: "2024-06-02".parse().unwrap(),
        licence: Some("https://example.org/licence".to_owned()),
    };
    let mut out = Vec::new();
    let written = registers::bods::write(&entities, &ties, &publication, &mut out).unwrap();
    assert_eq!((written.relationships, written.left_out), (ties.len() as u64, 0), "{name}");
    let text = String::from_utf8(out).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    if let Err(error) = schema.check(&value) {
        panic!("{name}: {error}\n{text}");
    }
    let (again, report) = crate::support::read(bods, &text);
    assert_eq!(report.refused, [], "{name}");

    let (_, again) = parts(&again);
    assert_eq!(ties.len(), again.len(), "{name}");
    for ((before, _), (after, _)) in ties.iter().zip(&again) {
        assert_eq!(before, after, "{name}");
    }
    ties.len()
}

/// The entities, and each tie as it is told last, by the identifiers that stay.
fn parts(statements: &[Statement]) -> (Vec<ties::Entity>, Vec<(Tie, Source)>) {
    let mut registry = Registry::default();
    registry.add(statements.to_vec());
    let picture = picture(&registry, "2019-06-01");
    let (mut ids, mut ties) = (BTreeSet::new(), BTreeMap::new());
    for statement in statements {
        match &statement.said {
            Said::Tie(tie) => {
                let (from, to) = (picture.canonical(&tie.from), picture.canonical(&tie.to));
                ids.extend([from.clone(), to.clone()]);
                ties.insert(tie.id.clone(), (Tie { from, to, ..tie.clone() }, statement.source.clone()));
            }
            Said::Entity(entity) => drop(ids.insert(picture.canonical(&entity.id))),
            Said::End(_) | Said::Listing(_) | Said::Same { .. } | Said::Retraction { .. } => {}
        }
    }
    (ids.iter().filter_map(|id| picture.entity(id)).collect(), ties.into_values().collect())
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        registers::bods::read(bytes.as_slice(), &importing("doc"), &mut |_| {});
    }

    #[test]
    fn a_statement_with_any_field_spoilt_is_read_or_refused(at in 0usize..2_000, with in 0usize..6) {
        let text = json!([
            entity("acme", json!({"name": "Acme", "identifiers": [{"scheme": "GB-COH", "id": "1"}]})),
            relationship("r", json!([{"type": "shareholding", "share": {"minimum": 25, "maximum": 50}, "startDate": "2020-01-01"}])),
        ]).to_string();
        let spoilt = ["null", "\"\"", "[]", "{}", "-1e400", "\"\u{0}\u{202e}\""][with];
        let values: Vec<usize> = text.match_indices(':').map(|(at, _)| at).collect();
        let colon = values[at % values.len()];
        let end = text[colon + 1..].find([',', '}', ']']).unwrap() + colon + 1;
        let text = format!("{}{spoilt}{}", &text[..=colon], &text[end..]);
        registers::bods::read(text.as_bytes(), &importing("doc"), &mut |_| {});
    }
}

/// As much of JSON Schema as the schemas of BODS 0.4 use.
#[derive(Default)]
struct Schema(BTreeMap<String, Value>);

impl Schema {
    fn of(folder: &std::path::Path) -> Self {
        let names = ["statement", "components", "entity-record", "person-record", "relationship-record"];
        let read = names.map(|name| {
            let text = fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
            let schema: Value = serde_json::from_str(&text).unwrap();
            (schema["$id"].as_str().unwrap().to_owned(), schema)
        });
        Self(read.into())
    }

    fn check(&self, value: &Value) -> Result<(), String> {
        self.0.get("urn:statement").map_or(Ok(()), |schema| self.fits(value, schema, "urn:statement", "$"))
    }

    fn fits(&self, value: &Value, schema: &Value, root: &str, at: &str) -> Result<(), String> {
        let fail = |what: &str| Err(format!("{at}: {what}: {value}"));
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            let (file, pointer) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { root } else { file };
            let target = self.0[file].pointer(pointer).unwrap();
            self.fits(value, target, file, at)?;
        }
        let kinds = |kind: &Value| match kind.as_str().unwrap() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            other => panic!("a type `{other}`"),
        };
        if schema.get("type").is_some_and(|kind| !kinds(kind)) {
            return fail("wrong type");
        }
        if schema.get("enum").is_some_and(|any| !any.as_array().unwrap().contains(value)) {
            return fail("not in the list");
        }
        if schema.get("const").is_some_and(|one| one != value) {
            return fail("not that");
        }
        if let Some(text) = value.as_str() {
            let length = text.chars().count() as u64;
            let below = schema.get("minLength").and_then(Value::as_u64).is_some_and(|min| length < min);
            if below || schema.get("maxLength").and_then(Value::as_u64).is_some_and(|max| length > max) {
                return fail("wrong length");
            }
            let is_date = text.parse::<ties::Day>().is_ok();
            let fits = match schema.get("format").and_then(Value::as_str) {
                Some("date") => is_date && text.len() == 10,
                Some("date-time") => is_date && text.contains('T'),
                Some("uri") => text
                    .split_once(':')
                    .is_some_and(|(scheme, rest)| !scheme.contains('/') && !rest.is_empty()),
                _ => true,
            };
            // The two patterns of these schemas: a year or a month, and two numbers with a point.
            let pattern = schema.get("pattern").is_none_or(|pattern| match pattern.as_str().unwrap() {
                p if p.contains("\\.") => text
                    .split_once('.')
                    .is_some_and(|(a, b)| a.parse::<u32>().is_ok() && b.parse::<u32>().is_ok()),
                _ => matches!(text.len(), 4 | 7) && text.parse::<ties::PartialDate>().is_ok(),
            });
            if !fits || !pattern {
                return fail("wrong format");
            }
        }
        if let Some(number) = value.as_f64() {
            let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
            if bound("minimum").is_some_and(|min| number < min)
                || bound("maximum").is_some_and(|max| number > max)
            {
                return fail("out of range");
            }
        }
        let none = Vec::new();
        let list = |key: &str| schema.get(key).and_then(Value::as_array).unwrap_or(&none);
        if let Some(object) = value.as_object() {
            if let Some(missing) =
                list("required").iter().find(|key| !object.contains_key(key.as_str().unwrap()))
            {
                return fail(&format!("{missing} is missing"));
            }
            for (key, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
                if let Some(value) = object.get(key) {
                    self.fits(value, property, root, &format!("{at}.{key}"))?;
                }
            }
        }
        if let (Some(items), Some(values)) = (schema.get("items"), value.as_array()) {
            for (index, value) in values.iter().enumerate() {
                self.fits(value, items, root, &format!("{at}[{index}]"))?;
            }
        }
        for part in list("allOf") {
            self.fits(value, part, root, at)?;
        }
        let matching =
            |key: &str| list(key).iter().filter(|part| self.fits(value, part, root, at).is_ok()).count();
        if schema.get("anyOf").is_some() && matching("anyOf") == 0 {
            return fail("none of these");
        }
        if schema.get("oneOf").is_some() && matching("oneOf") != 1 {
            return fail("not one of these");
        }
        if schema.get("not").is_some_and(|not| self.fits(value, not, root, at).is_ok()) {
            return fail("just that");
        }
        if let Some(condition) = schema.get("if") {
            let branch = if self.fits(value, condition, root, at).is_ok() { "then" } else { "else" };
            if let Some(branch) = schema.get(branch) {
                self.fits(value, branch, root, at)?;
            }
        }
        Ok(())
    }
}

#[test]
fn the_schema_is_understood() {
    let Some(folder) = shared("bods/0.4") else { return };
    let schema = Schema::of(&folder.join("schema"));
    let mut missed = Vec::new();
    for (kind, valid) in [("valid-statements", true), ("invalid-statements", false)] {
        for file in files(&folder.join("tests/data").join(kind), ".json") {
            let value: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
            if schema.check(&value).is_ok() != valid {
                missed.push(file.file_stem().unwrap().to_string_lossy().into_owned());
            }
        }
    }
    assert_eq!(missed, [""; 0]);
}
