//! `FollowTheMoney` entities and changes, through the public door.

use std::collections::BTreeMap;
use std::fs;

use crate::support::{importing, picture, shared, shown_kind, sorts, ties_into};
use model::Timestamp;
use proptest::prelude::*;
use registers::{Importing, Reason, Report};
use serde_json::{Value, json};
use ties::{AsOf, Picture, Registry, Said, Statement};

fn ftm(text: &[u8], importing: &Importing, emit: &mut dyn FnMut(Statement)) -> Report {
    registers::ftm::read(text, importing, emit)
}

fn read(lines: &[Value]) -> (Vec<Statement>, Report) {
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    crate::support::read(ftm, &lines.join("\n"))
}

fn ownership(more: Value) -> Value {
    let mut properties = json!({"owner": ["ann"], "asset": ["acme"]});
    properties.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"id": "e", "schema": "Ownership", "properties": properties})
}

#[test]
fn ownerships_become_holdings() {
    let cases = [
        (json!({}), "holds votes=? money=?"),
        (json!({"percentage": ["49"]}), "holds votes=? money=49%"),
        (json!({"percentage": ["50,01"]}), "holds votes=? money=50.01%"),
        (json!({"percentage": ["25-50"]}), "holds votes=? money=[25%,50%]"),
        (json!({"percentage": [">50"]}), "holds votes=? money=(50%,100%]"),
        (json!({"percentage": ["40", "25-50"]}), "holds votes=? money=[25%,50%]"),
        (json!({"percentage": ["60"], "sharesType": ["voting shares"]}), "holds votes=60% money=?"),
        (json!({"percentage": ["60"], "sharesType": ["non-voting"]}), "holds votes=0% money=60%"),
        (
            json!({"percentage": ["60"], "ownershipType": ["indirect"]}),
            "holds votes=? money=60% indirect of 0",
        ),
        (
            json!({"startDate": ["2020", "2019-05"], "endDate": ["2021-03-01", "2023"]}),
            "holds votes=? money=?",
        ),
    ];
    for (more, want) in cases {
        let (statements, report) = read(&[ownership(more.clone())]);
        assert_eq!(report.refused, [], "{more}");
        assert_eq!(ties_into(&statements, "doc:acme", "2022-01-01"), [format!("doc:ann {want}")], "{more}");
    }
    // What cannot be read is unknown, and told.
    let (statements, report) = read(&[ownership(json!({"percentage": ["a lot"], "endDate": ["soon"]}))]);
    assert_eq!(report.refused_by, BTreeMap::from([(Reason::BadShare, 1), (Reason::BadDate, 1)]));
    assert_eq!(ties_into(&statements, "doc:acme", "2022-01-01"), ["doc:ann holds votes=? money=[0%,100%]"]);
    // An interval is not an edge: it may have several ends.
    let (statements, _) = read(&[ownership(json!({"owner": ["a", "b"], "asset": ["x", "y"]}))]);
    assert_eq!(sorts(&statements), BTreeMap::from([("tie", 4)]));
    assert_eq!(ties_into(&statements, "doc:y", "2022-01-01").len(), 2);
}

#[test]
fn every_kind_of_tie_has_its_direction() {
    let cases = [
        // schema, properties, from, to, what
        (
            "Directorship",
            json!({"director": ["a"], "organization": ["b"]}),
            r#"{"serves":{"post":"director"}}"#,
        ),
        (
            "Directorship",
            json!({"director": ["a"], "organization": ["b"], "role": ["Chairman"]}),
            r#"{"serves":{"post":"chair"}}"#,
        ),
        ("Membership", json!({"member": ["a"], "organization": ["b"]}), r#"{"serves":{"post":"member"}}"#),
        (
            "Employment",
            json!({"employee": ["a"], "employer": ["b"], "role": ["CEO"]}),
            r#"{"serves":{"post":"officer"}}"#,
        ),
        ("Family", json!({"person": ["a"], "relative": ["b"]}), r#""family""#),
        (
            "Associate",
            json!({"person": ["a"], "associate": ["b"], "relationship": ["partner"]}),
            r#"{"associates":{"relation":"partner"}}"#,
        ),
        (
            "Representation",
            json!({"agent": ["a"], "client": ["b"]}),
            r#"{"associates":{"relation":"representation"}}"#,
        ),
        (
            "UnknownLink",
            json!({"subject": ["a"], "object": ["b"], "role": ["supplier"]}),
            r#"{"associates":{"relation":"supplier"}}"#,
        ),
        ("Succession", json!({"predecessor": ["b"], "successor": ["a"]}), r#""succeeds""#),
        (
            "Control",
            json!({"controller": ["a"], "controlled": ["b"], "controlType": ["contractual"]}),
            r#"{"directs":{"by":"contract"}}"#,
        ),
        (
            "Control",
            json!({"controller": ["a"], "controlled": ["b"], "controlType": ["appointment"]}),
            r#"{"appoints":{"majority":true}}"#,
        ),
        ("Control", json!({"controller": ["a"], "controlled": ["b"]}), r#"{"directs":{"by":"fact"}}"#),
        ("Ownership", json!({"owner": ["a"], "asset": ["b"]}), "holds votes=? money=?"),
    ];
    for (schema, properties, want) in cases {
        let (statements, report) = read(&[json!({"id": "e", "schema": schema, "properties": properties})]);
        assert_eq!(report.refused, [], "{schema}");
        let Said::Tie(tie) = &statements[0].said else { panic!("{schema}") };
        assert_eq!(
            (tie.from.as_str(), tie.to.as_str(), tie.id.as_str()),
            ("doc:a", "doc:b", "doc:e"),
            "{schema}"
        );
        assert_eq!(shown_kind(&tie.kind), want, "{schema}");
        // Without an end it is no tie.
        let (statements, report) = read(&[json!({"id": "e", "schema": schema, "properties": {}})]);
        assert_eq!((statements.len(), report.refused[0].reason), (0, Reason::UnresolvedLink), "{schema}");
    }
}

#[test]
fn entities_are_merged_and_listed() {
    let company = json!({"id": "acme", "caption": "Acme", "schema": "Company", "referents": ["gb-1", "acme"],
        "datasets": ["x"], "properties": {"name": ["ACME LLC", "Acme"], "previousName": ["Ajax"], "country": ["ru", "suhh"],
        "leiCode": ["506700GE1G29325QX363"], "ogrnCode": ["1", "2"], "incorporationDate": ["2001-02-03"], "topics": ["sanction"]}});
    let sanction = json!({"id": "s", "schema": "Sanction", "datasets": ["eu_fsf"], "properties":
        {"entity": ["acme"], "programId": ["EU-X"], "startDate": ["2022-03"], "endDate": ["2024-01-01"], "sourceUrl": ["https://example.org"]}});
    let (statements, report) = read(&[company, sanction]);
    assert_eq!(report.refused, []);
    let mut registry = Registry::default();
    registry.add(statements);
    let now = picture(&registry, "2023-01-01");
    let acme = now.entity(&"doc:gb-1".parse().unwrap()).unwrap();
    // Two numbers of one kind decide nothing; the LEI does.
    assert_eq!(acme.id.as_str(), "XI-LEI:506700GE1G29325QX363");
    assert_eq!(
        (acme.name(), acme.names.len(), acme.countries.as_slice()),
        ("Acme", 3, ["RU".to_owned()].as_slice())
    );
    let lists: Vec<String> = now
        .listings(&acme.id)
        .iter()
        .map(|known| format!("{} {:?}", known.listing.list, known.listing.entry.as_deref()))
        .collect();
    assert_eq!(lists, ["doc:sanction None", "doc:eu_fsf Some(\"EU-X\")"]);
    assert_eq!(picture(&registry, "2024-01-01").listings(&acme.id).len(), 1);
}

#[test]
fn changes_add_modify_and_end() {
    let change = |op: &str, entity: Value| json!({"op": op, "entity": entity});
    let acme = |topics: Value| json!({"id": "acme", "schema": "Company", "properties": {"name": ["Acme"], "topics": topics}});
    let days: [Vec<Value>; 3] = [
        vec![
            change("ADD", acme(json!(["sanction"]))),
            change("ADD", ownership(json!({"percentage": ["40"]}))),
        ],
        vec![change("MOD", acme(json!([]))), change("MOD", ownership(json!({"percentage": ["60"]})))],
        vec![change("DEL", json!({"id": "e"})), change("ADD", acme(json!(["sanction"])))],
    ];
    let mut registry = Registry::default();
    let start: Timestamp = "2024-06-01T00:00:00Z".parse().unwrap();
    let mut seen = Vec::new();
    for (day, lines) in (0..).zip(days) {
        let recorded = start.plus_micros(day * 86_400_000_000);
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        let (statements, report) =
            crate::support::read_as(ftm, &lines.join("\n"), &Importing { recorded, ..importing("doc") });
        assert_eq!(report.refused, []);
        assert_eq!(registry.add(statements).refused, []);
        let picture = registry.picture(AsOf::at(recorded));
        let acme = "doc:acme".parse().unwrap();
        let ties: Vec<String> = picture.ties_into(&acme).iter().map(crate::support::shown).collect();
        seen.push((ties.join(" "), picture.listings(&acme).len()));
    }
    let holds = |share: u32| format!("doc:ann holds votes=? money={share}%");
    assert_eq!(seen, [(holds(40), 1), (holds(60), 0), (String::new(), 1)]);
}

#[test]
fn what_is_wrong_is_refused() {
    let cases = [
        (json!({"id": "", "schema": "Person"}), Reason::Incomplete),
        (json!({"id": "a"}), Reason::Incomplete),
        (json!({"schema": "Person"}), Reason::Incomplete),
        (json!({"op": "PUT", "entity": {"id": "a"}}), Reason::BadValue),
        (json!({"op": "ADD"}), Reason::Incomplete),
        (json!({"id": "a", "schema": "Person", "properties": {"name": "Ann"}}), Reason::Malformed),
        (json!({"id": "s", "schema": "Sanction", "properties": {}}), Reason::UnresolvedLink),
        (json!({"id": "a", "schema": "Person", "properties": {"birthDate": ["long ago"]}}), Reason::BadDate),
        (json!([1]), Reason::Malformed),
    ];
    for (line, reason) in cases {
        let (_, report) = read(&[json!({"id": "x", "schema": "Address"}), line.clone()]);
        assert_eq!(report.refused_by, BTreeMap::from([(reason, 1)]), "{line}");
        assert_eq!(report.notes["not-about-ties"], 1);
    }
}

#[test]
fn every_sample_is_read() {
    let Some(folder) = shared("ftm") else { return };
    let cases = [
        ("donations.ijson", 474, vec![("entity", 95)]),
        ("yente/parteispenden/entities.ftm.json", 475, vec![("entity", 96)]),
        (
            "yente/zala/entities.ftm.json",
            91,
            vec![("entity", 17), ("listing", 67), ("same", 261), ("tie", 21)],
        ),
        ("yente/t1/entities.ftm.json", 7, vec![("entity", 6), ("listing", 6), ("same", 57)]),
        ("yente/t1/20240527134702-zbn/entities.delta.json", 0, vec![]),
        (
            "yente/t2/20240527194702-wnk/entities.delta.json",
            2,
            vec![("entity", 2), ("listing", 2), ("same", 39)],
        ),
        (
            "yente/t2/20240528014702-pfh/entities.delta.json",
            2,
            vec![("end", 2), ("entity", 2), ("listing", 2), ("same", 31)],
        ),
        ("yente/t2/20240528074703-npf/entities.delta.json", 1, vec![("end", 4)]),
        (
            "yente/t2/20240528134729-3iv/entities.delta.json",
            1,
            vec![("entity", 1), ("listing", 1), ("same", 23)],
        ),
    ];
    for (file, records, sorted) in cases {
        let (statements, report) = crate::support::read(ftm, &fs::read_to_string(folder.join(file)).unwrap());
        assert_eq!(report.refused, [], "{file}");
        assert_eq!(report.records, records, "{file}");
        assert_eq!(sorts(&statements), BTreeMap::from_iter(sorted), "{file}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        registers::ftm::read(bytes.as_slice(), &importing("doc"), &mut |_| {});
    }

    #[test]
    fn any_texts_are_read_or_refused(schema in "Person|Ownership|Sanction|Control", texts in proptest::collection::vec("\\PC{0,20}", 6)) {
        let line = json!({"id": texts[0], "schema": schema, "referents": [texts[1]], "datasets": [texts[2]], "properties": {
            "owner": [texts[3]], "asset": [texts[4]], "entity": [texts[4]], "controller": [texts[3]], "controlled": [texts[0]],
            "percentage": [texts[5]], "startDate": [texts[5]], "country": [texts[5]], "leiCode": [texts[1]], "topics": ["sanction"]}});
        registers::ftm::read(line.to_string().as_bytes(), &importing(&texts[2]), &mut |_| {});
    }
}
