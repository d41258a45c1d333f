//! The consolidated list of the UN Security Council.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model::Timestamp;
use registers::{Importing, un_list};
use ties::{Source, Statement};

fuzz_target!(|data: &[u8]| {
    let document = Source { document: "fuzz".to_owned(), ..Source::default() };
    let importing = Importing { document, recorded: Timestamp::from_micros(0) };
    let mut statements = 0_u64;
    let report = un_list::read(data, &importing, &mut |statement: Statement| {
        statements += 1;
        let written = serde_json::to_vec(&statement).expect("a statement can be written");
        let read: Statement = serde_json::from_slice(&written).expect("what was written can be read");
        assert_eq!(read, statement);
    });
    assert_eq!(report.statements, statements, "the report counts what was handed out");
});
