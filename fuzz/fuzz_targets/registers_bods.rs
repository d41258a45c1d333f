//! BODS of any version; and the ties in it, which are written and read again.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use model::Timestamp;
use registers::{Importing, bods};
use ties::{Registry, Said, Source, Statement, Tie, TieId};

fuzz_target!(|data: &[u8]| {
    let document = Source { document: "fuzz".to_owned(), ..Source::default() };
    let importing = Importing { document: document.clone(), recorded: Timestamp::from_micros(0) };
    let mut statements: Vec<Statement> = Vec::new();
    let report = bods::read(data, &importing, &mut |statement| statements.push(statement));
    assert_eq!(report.statements, statements.len() as u64, "the report counts what was handed out");

    let ties = last(&statements);
    let added = Registry::default().add(statements);
    assert!(added.refused.is_empty(), "the registry takes what is read: {:?}", added.refused);

    let written: Vec<(Tie, Source)> = ties.values().map(|tie| (tie.clone(), document.clone())).collect();
    let date = "2024-01-01".parse().expect("a day");
    let publication = bods::Publication { publisher: "fuzz".to_owned(), date, licence: None };
    let mut out = Vec::new();
    let told = bods::write(&[], &written, &publication, &mut out).expect("memory takes everything");
    let mut again = Vec::new();
    let report = bods::read(out.as_slice(), &importing, &mut |statement| again.push(statement));
    assert!(report.refused.is_empty(), "{:?}\n{}", report.refused, String::from_utf8_lossy(&out));
    let again = last(&again);
    assert_eq!(again.len() as u64, told.relationships);
    for (id, tie) in again {
        assert_eq!(Some(&tie), ties.get(&id), "{}", String::from_utf8_lossy(&out));
    }
});

fn last(statements: &[Statement]) -> BTreeMap<TieId, Tie> {
    let tie = |statement: &Statement| match &statement.said {
        Said::Tie(tie) => Some((tie.id.clone(), tie.clone())),
        _ => None,
    };
    statements.iter().filter_map(tie).collect()
}
