//! Our own tables, through the public door.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::support::{importing, picture, sorts, ties_into};
use proptest::prelude::*;
use registers::{Importing, Reason, Report, detect};
use serde_json::json;
use ties::{Picture, Registry, Said, Source, Statement};

fn ties(text: &[u8], importing: &Importing, emit: &mut dyn FnMut(Statement)) -> Report {
    registers::plain::read_ties(text, importing, emit)
}

fn lists(text: &[u8], importing: &Importing, emit: &mut dyn FnMut(Statement)) -> Report {
    registers::plain::read_lists(text, importing, emit)
}

#[test]
fn the_examples_of_the_document_are_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/registers.md");
    let document = fs::read_to_string(path).unwrap();
    let blocks: Vec<&str> =
        document.split("```csv\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let [tie_table, list_table] = blocks.as_slice() else { panic!("two examples, found {}", blocks.len()) };
    assert_eq!(detect(tie_table.as_bytes(), ""), Some(registers::Format::Ties));
    assert_eq!(detect(list_table.as_bytes(), ""), Some(registers::Format::Lists));

    let (statements, report) = crate::support::read(ties, tie_table);
    assert_eq!(report.refused, []);
    assert_eq!(sorts(&statements), BTreeMap::from([("end", 1), ("entity", 3), ("tie", 4)]));
    let huawei = "huawei holds votes=51% money=51%";
    // Signed is not closed: the plan stays a plan.
    let plan = r#"huawei {"plans":{"stage":"signed","ends":["stake-1"],"votes":"100%"}}"#;
    assert_eq!(
        ties_into(&statements, "venture", "2012-03-29"),
        [huawei, plan, "symantec holds votes=49% money=49%"]
    );
    assert_eq!(ties_into(&statements, "venture", "2012-03-30"), [huawei, plan]);

    let (statements, report) = crate::support::read(lists, list_table);
    assert_eq!(report.refused, []);
    let mut registry = Registry::default();
    registry.add(statements);
    let listed = picture(&registry, "2012-03-01").listed_on(&"concern".parse().unwrap());
    let listed: Vec<&str> = listed.iter().map(|known| known.listing.entity.as_str()).collect();
    assert_eq!(listed, ["huawei"]);
}

#[test]
fn every_kind_of_statement_comes_back() {
    let kinds = [
        json!({"holds": {"votes": "1/3", "money": "(25%,50%]", "class": "B, \"new\"", "nominator": "eve", "indirect": true, "components": ["a", "b"]}}),
        json!({"holds": {}}),
        json!({"may-acquire": {"votes": "10%", "window": {"from": "2030", "to": "2031-02"}}}),
        json!({"appoints": {"seats": 2, "of": 5, "majority": false, "observer": true, "veto": true}}),
        json!({"directs": {"by": "dominant-minority"}}),
        json!({"consolidates": {"ultimate": true}}),
        json!({"consolidates": {"ultimate": false}}),
        json!("venture"),
        json!({"party-to": {"role": "protector"}}),
        json!({"serves": {"post": "consultant"}}),
        json!("seconds"),
        json!({"licenses": {"subject": "x\ny", "technology": true, "royalty": true}}),
        json!({"contracts": {"subject": "", "income": "[5%,10%]"}}),
        json!({"supplies": {"subject": "steel"}}),
        json!({"lends": {"of_net_worth": "30%", "directs": true}}),
        json!({"pays": {"revenue": "(30%,100%]"}}),
        json!({"grants": {"subject": "research"}}),
        json!({"equips": {"essential": true}}),
        json!({"governs": {"by": "headquarters"}}),
        json!("family"),
        json!({"associates": {"relation": "friend"}}),
        json!("succeeds"),
        json!({"plans": {"stage": "signed", "ends": ["t0"], "votes": "49%"}}),
    ];
    let source: Source = serde_json::from_value(json!({
        "document": "d", "url": "https://example.org/a,b", "publisher": "P", "asserted_by": "A", "retrieved": "2020-01",
        "confidence": "low", "evidence": "programme"})).unwrap();
    let mut said: Vec<Said> = Vec::new();
    for (at, kind) in kinds.iter().enumerate() {
        let tie = json!({"tie": {"id": format!("t{at}"), "from": "ann", "to": "acme", "kind": kind, "valid": {"from": "2020-01", "to": "2021"}}});
        said.push(serde_json::from_value(tie).unwrap());
    }
    for by in ["completed", "announced"] {
        said.push(
            serde_json::from_value(json!({"end": {"tie": format!("t-{by}"), "on": "2020-02", "by": by}}))
                .unwrap(),
        );
    }
    let listing = json!({"listing": {"id": "l", "list": "concern", "entity": "acme", "entry": "§ 7", "valid": {"from": "2020"}, "with_subsidiaries": true}});
    said.push(serde_json::from_value(listing).unwrap());
    let statements: Vec<Statement> = (said.into_iter().enumerate())
        .map(|(at, said)| Statement {
            id: format!("s{at}").parse().unwrap(),
            said,
            source: source.clone(),
            recorded: crate::support::RECORDED.parse().unwrap(),
        })
        .collect();

    let (mut tie_table, mut list_table) = (Vec::new(), Vec::new());
    assert_eq!(registers::plain::write_ties(&statements, &mut tie_table).unwrap(), 25);
    assert_eq!(registers::plain::write_lists(&statements, &mut list_table).unwrap(), 1);
    let (mut again, first) = crate::support::read(ties, &String::from_utf8(tie_table).unwrap());
    let (listed, second) = crate::support::read(lists, &String::from_utf8(list_table).unwrap());
    again.extend(listed);
    assert_eq!((first.refused, second.refused), (vec![], vec![]));
    assert_eq!(again.len(), statements.len());
    for (before, after) in statements.iter().zip(&again) {
        // The source is the row's, the edition the file's that was written.
        let table = match before.said {
            Said::Listing(_) => "doc",
            Said::Tie(_) | Said::Entity(_) | Said::End(_) | Said::Same { .. } | Said::Retraction { .. } => {
                "doc:ties"
            }
        };
        let edition_of = Some(table.to_owned());
        let source = Source { edition_of, ..before.source.clone() };
        assert_eq!((&before.said, &source), (&after.said, &after.source));
    }
}

#[test]
fn a_row_with_anything_wrong_is_refused_whole() {
    let cases = [
        // a row, the column, the reason
        ("t,ann,acme,holds,120%,,,,,", "votes", Reason::BadShare),
        ("t,ann,acme,holds,,,2020-13,,,", "from_date", Reason::BadDate),
        ("t,ann,acme,holds,,,2020-02,2020-01,,", "to_date", Reason::BadDate),
        ("t,an n,acme,holds,,,,,,", "from", Reason::BadIdentifier),
        (",ann,acme,holds,,,,,,", "id", Reason::Incomplete),
        ("t,ann,acme,,,,,,,", "kind", Reason::Incomplete),
        ("t,ann,acme,owns,,,,,,", "kind", Reason::BadValue),
        ("t,ann,acme,directs:magic,,,,,,", "kind", Reason::BadValue),
        ("t,ann,acme,directs,,,,,,", "kind", Reason::BadValue),
        ("t,ann,acme,holds:x,,,,,,", "kind", Reason::BadValue),
        ("t,ann,acme,plans,,,,,,", "stage", Reason::Incomplete),
        ("t,ann,acme,pays,,,,,,", "share", Reason::Incomplete),
        ("t,,,end,,,,,,", "to_date", Reason::Incomplete),
        ("t,,,end,,,,2020,maybe,", "stage", Reason::BadValue),
        ("t,ann,acme,holds,,,,,,sure", "confidence", Reason::BadValue),
    ];
    let head = "id,from,to,kind,votes,money,from_date,to_date,stage,confidence";
    for (row, column, reason) in cases {
        let (statements, report) =
            crate::support::read(ties, &format!("{head}\n{row}\n\nok,ann,acme,family,,,,,,\n"));
        assert_eq!((statements.len(), report.records), (1, 2), "{row}");
        let refusal = &report.refused[0];
        assert_eq!(
            (refusal.place.as_str(), refusal.reason),
            (format!("line 2, {column}").as_str(), reason),
            "{row}: {refusal:?}"
        );
    }
    let (_, report) = crate::support::read(ties, "id,from,to,kind,vote\nt,a,b,holds,50%\n");
    assert_eq!(report.refused[0].message, "there is no column `vote`");
    let (statements, _) = crate::support::read(lists, "list,entity,country\nl,e,China\nl,e,cn\n");
    assert_eq!(sorts(&statements), BTreeMap::from([("entity", 1), ("listing", 1)]));
}

#[test]
fn of_two_rows_about_one_thing_the_later_counts() {
    let rows = ["t,ann,acme,holds,10%,Ann", "t,ann,acme,holds,20%,Ann Lee"];
    for (first, second, want, name) in [(0, 1, "20%", "Ann Lee"), (1, 0, "10%", "Ann")] {
        let text = format!("id,from,to,kind,votes,from_name\n{}\n{}\n", rows[first], rows[second]);
        let (statements, _) = crate::support::read(ties, &text);
        assert_eq!(ties_into(&statements, "acme", "2020-01-01"), [format!("ann holds votes={want} money=?")]);
        let mut registry = Registry::default();
        registry.add(statements);
        assert_eq!(picture(&registry, "2020-01-01").entity(&"ann".parse().unwrap()).unwrap().name(), name);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        registers::plain::read_ties(bytes.as_slice(), &importing("doc"), &mut |_| {});
        registers::plain::read_lists(bytes.as_slice(), &importing("doc"), &mut |_| {});
    }

    #[test]
    fn any_cells_are_read_or_refused(cells in proptest::collection::vec("\\PC{0,12}", 7)) {
        let row = |cells: &[String]| cells.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect::<Vec<_>>().join(",");
        let text = format!("id,from,to,kind,votes,from_date,flags\n{}\nt,a,b,holds,{}\n", row(&cells), row(&cells[4..]));
        registers::plain::read_ties(text.as_bytes(), &importing("doc"), &mut |_| {});
        let text = format!("list,entity,name,country,entry,from,to\n{}\n", row(&cells));
        registers::plain::read_lists(text.as_bytes(), &importing("doc"), &mut |_| {});
    }
}
