//! FollowTheMoney entities and changes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model::Timestamp;
use registers::{Importing, ftm};
use ties::{Registry, Source, Statement};

fuzz_target!(|data: &[u8]| {
    let document = Source { document: "fuzz".to_owned(), ..Source::default() };
    let importing = Importing { document, recorded: Timestamp::from_micros(0) };
    let mut statements: Vec<Statement> = Vec::new();
    let report = ftm::read(data, &importing, &mut |statement| statements.push(statement));
    assert_eq!(report.statements, statements.len() as u64, "the report counts what was handed out");
    let added = Registry::default().add(statements);
    assert!(added.refused.is_empty(), "the registry takes what is read: {:?}", added.refused);
});
