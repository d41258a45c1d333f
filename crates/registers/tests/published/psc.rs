//! The register of people with significant control, through the public door.

use std::collections::BTreeMap;
use std::fs;

use crate::support::{files, importing, picture, shared, sorts, ties_into};
use proptest::prelude::*;
use registers::{Importing, Reason, Report, record_of};
use serde_json::{Value, json};
use ties::{EntityKind, Picture, Registry, Said, Statement};

fn psc(text: &[u8], importing: &Importing, emit: &mut dyn FnMut(Statement)) -> Report {
    registers::psc::read(text, importing, emit)
}

const COMPANY: &str = "GB-COH:01234567";

/// A record of a person; `more` replaces what it has.
fn record(more: Value) -> Value {
    let mut data = json!({
        "kind": "individual-person-with-significant-control", "etag": "e1",
        "name_elements": {"title": "Ms", "forename": "Ann", "surname": "Lee"}, "nationality": "Chinese",
        "date_of_birth": {"year": 1970, "month": 3}, "notified_on": "2016-04-06",
        "natures_of_control": ["ownership-of-shares-25-to-50-percent"],
        "links": {"self": "/company/01234567/persons-with-significant-control/individual/abc"},
    });
    for (key, value) in more.as_object().unwrap() {
        data[key] = value.clone();
    }
    json!({"company_number": "1234567", "data": data})
}

fn read(records: &[Value]) -> (Vec<Statement>, Report) {
    let lines: Vec<String> = records.iter().map(ToString::to_string).collect();
    crate::support::read(psc, &lines.join("\n"))
}

#[test]
fn a_record_becomes_company_person_and_ties() {
    let natures = json!([
        "ownership-of-shares-25-to-50-percent",
        "voting-rights-50-to-75-percent",
        "right-to-appoint-and-remove-directors-as-trust",
        "significant-influence-or-control"
    ]);
    let (statements, report) = read(&[record(json!({"natures_of_control": natures}))]);
    assert_eq!(report.refused, []);
    let want = [
        "doc:01234567/individual/abc holds votes=(50%,75%) money=(25%,50%]",
        r#"doc:01234567/individual/abc {"appoints":{"majority":true}}"#,
        r#"doc:01234567/individual/abc {"directs":{"by":"influence"}}"#,
    ];
    assert_eq!(ties_into(&statements, COMPANY, "2020-01-01"), want);
    assert_eq!(ties_into(&statements, COMPANY, "2016-04-05"), [""; 0]);
    let mut registry = Registry::default();
    registry.add(statements.clone());
    let person =
        picture(&registry, "2020-01-01").entity(&"doc:01234567/individual/abc".parse().unwrap()).unwrap();
    assert_eq!(
        (person.kind, person.name(), person.countries.as_slice()),
        (EntityKind::Person, "Ann Lee", ["CN".to_owned()].as_slice())
    );
    assert_eq!(person.founded.unwrap().to_string(), "1970-03");
    // The ties of a record go together: what a later edition of it does not say again is over.
    let ties =
        statements.iter().filter_map(|s| if let Said::Tie(tie) = &s.said { Some(&tie.id) } else { None });
    let records: Vec<&str> = ties.map(record_of).collect();
    assert_eq!(records, ["doc:01234567/individual/abc"; 3]);
}

#[test]
fn a_person_who_ceased_is_gone_and_the_company_is_not() {
    let (statements, _) = read(&[record(json!({"ceased_on": "2019-10-11"}))]);
    assert_eq!(ties_into(&statements, COMPANY, "2019-10-10").len(), 1);
    assert_eq!(ties_into(&statements, COMPANY, "2019-10-11"), [""; 0]);
    let mut registry = Registry::default();
    registry.add(statements);
    let company = picture(&registry, "2020-01-01").entity(&COMPANY.parse().unwrap()).unwrap();
    assert_eq!((company.dissolved, company.kind), (None, EntityKind::Organisation));
    // Ceased, and nobody says when: by the day on which it was read.
    let (statements, report) = read(&[record(json!({"ceased": true}))]);
    assert_eq!(report.notes["ceased-without-date"], 1);
    assert_eq!(ties_into(&statements, COMPANY, "2024-06-01"), [""; 0]);
}

#[test]
fn who_is_not_named_is_unknown_and_not_nobody() {
    let cases = [
        // the record, and its tie on 2020-01-01
        (
            json!({"kind": "super-secure-person-with-significant-control", "natures_of_control": [],
                "links": {"self": "/company/01234567/persons-with-significant-control/super-secure/x"}}),
            "doc:01234567/super-secure/x holds votes=? money=?",
        ),
        (
            json!({"kind": "super-secure-beneficial-owner", "natures_of_control": ["voting-rights-75-to-100-percent"],
                "links": {"self": "/company/01234567/persons-with-significant-control/super-secure/x"}}),
            "doc:01234567/super-secure/x holds votes=[75%,100%] money=?",
        ),
        (
            json!({"kind": "persons-with-significant-control-statement", "statement": "psc-exists-but-not-identified",
                "links": {"self": "/company/01234567/persons-with-significant-control-statements/s"}}),
            "doc:01234567/psc-exists-but-not-identified holds votes=[0%,100%] money=[0%,100%]",
        ),
        // The register's spelling. Nobody over a quarter is less than a whole register.
        (
            json!({"kind": "persons-with-significant-control-statement",
                "statement": "no-individual-or-entity-with-signficant-control", "links": null}),
            "doc:01234567/no-individual-or-entity-with-signficant-control holds votes=[0%,25%] money=[0%,25%]",
        ),
        (
            json!({"kind": "exemptions", "links": {"self": "/company/01234567/exemptions"}, "notified_on": null,
                "exemptions": {"psc_exempt_as_shares_admitted_on_market": {"items": [{"exempt_from": "2016-10-29"}]}}}),
            "doc:01234567/exemptions holds votes=? money=?",
        ),
        (json!({"natures_of_control": []}), "doc:01234567/individual/abc holds votes=? money=?"),
    ];
    for (more, want) in cases {
        let (statements, report) = read(&[record(more.clone())]);
        assert_eq!(report.refused, [], "{more}");
        assert_eq!(ties_into(&statements, COMPANY, "2020-01-01"), [want], "{more}");
        let unnamed = !want.contains("individual/abc");
        let mut registry = Registry::default();
        registry.add(statements);
        let holder = want.split(' ').next().unwrap().parse().unwrap();
        let holder = picture(&registry, "2020-01-01").entity(&holder).unwrap();
        assert_eq!(holder.kind == EntityKind::Unknown, unnamed, "{more}");
    }
}

#[test]
fn an_exempt_company_is_listed_whatever_else_is_said() {
    let exemption = |item: Value| {
        record(
            json!({"kind": "exemptions", "links": {"self": "/company/01234567/exemptions"}, "notified_on": null,
            "exemptions": {"psc_exempt_as_trading_on_regulated_market": {"items": [item]}}}),
        )
    };
    let listed = |records: &[Value]| {
        let (statements, report) = read(records);
        assert_eq!(report.refused, []);
        let mut registry = Registry::default();
        registry.add(statements);
        picture(&registry, "2020-01-01").entity(&COMPANY.parse().unwrap()).unwrap().publicly_listed
    };
    let now = exemption(json!({"exempt_from": "2016-10-29"}));
    let past = exemption(json!({"exempt_from": "2016-10-29", "exempt_to": "2018-01-01"}));
    assert_eq!(listed(&[now.clone(), record(json!({}))]), Some(true));
    assert_eq!(listed(&[record(json!({})), now]), Some(true));
    assert_eq!(listed(&[past]), None);
}

#[test]
fn a_corporate_holder_is_a_company_only_if_its_number_says_so() {
    let cases = [
        // country, number, the holder
        ("United Kingdom", "89101112", "GB-COH:89101112"),
        ("England and Wales", "SC 12345", "GB-COH:SC012345"),
        ("United Kingdom", "see certificate", "doc:01234567/corporate-entity/z"),
        ("Germany", "89101112", "doc:01234567/corporate-entity/z"),
        ("West Yorkshire", "89101112", "doc:01234567/corporate-entity/z"),
    ];
    for (country, number, want) in cases {
        let (statements, report) = read(&[record(json!({
            "kind": "corporate-entity-person-with-significant-control", "name": "Foo Bar Limited",
            "identification": {"country_registered": country, "registration_number": number},
            "links": {"self": "/company/01234567/persons-with-significant-control/corporate-entity/z"},
        }))]);
        assert_eq!(report.refused, []);
        let want = format!("{want} holds votes=? money=(25%,50%]");
        assert_eq!(ties_into(&statements, COMPANY, "2020-01-01"), [want], "{country} {number}");
    }
}

#[test]
fn what_is_wrong_is_refused_with_its_place() {
    let cases = [
        (json!({"company_number": "1", "data": {"kind": "unknown-kind"}}), Reason::UnknownKind, 0),
        (json!({"data": {"kind": "individual-person-with-significant-control"}}), Reason::Incomplete, 0),
        (json!({"company_number": "1"}), Reason::Malformed, 0),
        (record(json!({"notified_on": "soon"})), Reason::BadDate, 1),
        (record(json!({"ceased_on": "2010-01-01"})), Reason::BadDate, 1),
        (record(json!({"natures_of_control": ["owns-the-moon"]})), Reason::BadValue, 1),
        (record(json!({"natures_of_control": 7})), Reason::Malformed, 0),
    ];
    for (record, reason, ties) in cases {
        let (statements, report) = read(&[
            record.clone(),
            json!({"data": {"kind": "totals#persons-of-significant-control-snapshot"}}),
        ]);
        assert_eq!(report.refused_by, BTreeMap::from([(reason, 1)]), "{record}");
        assert!(report.refused[0].place.starts_with("record 1, line 1"), "{}", report.refused[0].place);
        assert_eq!((report.records, report.notes["totals"]), (2, 1));
        assert_eq!(sorts(&statements).get("tie").copied().unwrap_or_default(), ties, "{record}");
    }
    // The streaming feed leaves the company's number to the link.
    let mut streamed = record(json!({}));
    streamed["company_number"] = Value::Null;
    assert_eq!(ties_into(&read(&[streamed]).0, COMPANY, "2020-01-01").len(), 1);
}

#[test]
fn every_sample_is_read() {
    let Some(folder) = shared("psc") else { return };
    let mut total = BTreeMap::new();
    let files = files(&folder, ".json");
    for file in &files {
        let (statements, report) = crate::support::read(psc, &fs::read_to_string(file).unwrap());
        let unknown = file.ends_with("psc_unknown_kind.json");
        assert_eq!(report.refused_count(), u64::from(unknown), "{} {:?}", file.display(), report.refused);
        for (sort, count) in sorts(&statements) {
            *total.entry(sort).or_insert(0) += count;
        }
    }
    assert_eq!(files.len(), 13);
    assert_eq!(total, BTreeMap::from([("entity", 22), ("same", 3), ("tie", 11)]));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        registers::psc::read(bytes.as_slice(), &importing("doc"), &mut |_| {});
    }

    #[test]
    fn any_texts_are_read_or_refused(number in "\\PC{0,12}", code in "[a-z0-9-]{0,60}", link in "(/company/)?\\PC{0,20}") {
        let record = json!({"company_number": number, "data": {
            "kind": "corporate-entity-person-with-significant-control", "natures_of_control": [code],
            "identification": {"country_registered": "England", "registration_number": number},
            "links": {"self": link}}});
        registers::psc::read(record.to_string().as_bytes(), &importing(&link), &mut |_| {});
    }
}
