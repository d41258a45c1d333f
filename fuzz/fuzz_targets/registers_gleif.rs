//! GLEIF's three files in CSV, XML and JSON. The first byte chooses the file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model::Timestamp;
use registers::{Importing, gleif};
use ties::{Source, Statement};

fuzz_target!(|data: &[u8]| {
    let Some((choice, content)) = data.split_first() else { return };
    let document = Source { document: "fuzz".to_owned(), ..Source::default() };
    let importing = Importing { document, recorded: Timestamp::from_micros(0) };
    let mut statements = 0_u64;
    let mut emit = |statement: Statement| {
        statements += 1;
        let written = serde_json::to_vec(&statement).expect("a statement can be written");
        let read: Statement = serde_json::from_slice(&written).expect("what was written can be read");
        assert_eq!(read, statement);
    };
    let report = match choice % 3 {
        0 => gleif::entities(content, &importing, &mut emit),
        1 => gleif::relationships(content, &importing, &mut emit),
        _ => gleif::exceptions(content, &importing, &mut emit),
    };
    assert_eq!(report.statements, statements, "the report counts what was handed out");
});
