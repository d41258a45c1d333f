//! Our own tables of ties and of listed parties; what was read is written and read again.
//!
//! The first byte chooses the table.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model::Timestamp;
use registers::{Importing, plain};
use ties::{Said, Source, Statement};

fuzz_target!(|data: &[u8]| {
    let Some((choice, content)) = data.split_first() else { return };
    let document = Source { document: "fuzz".to_owned(), ..Source::default() };
    let importing = Importing { document, recorded: Timestamp::from_micros(0) };
    let lists = choice % 2 == 0;
    let read = |content: &[u8]| {
        let mut statements: Vec<Statement> = Vec::new();
        let mut emit = |statement| statements.push(statement);
        let report = if lists {
            plain::read_lists(content, &importing, &mut emit)
        } else {
            plain::read_ties(content, &importing, &mut emit)
        };
        assert_eq!(report.statements, statements.len() as u64, "the report counts what was handed out");
        statements.retain(|statement| !matches!(statement.said, Said::Entity(_)));
        (statements, report)
    };
    let (statements, _) = read(content);
    let mut out = Vec::new();
    let rows = if lists {
        plain::write_lists(&statements, &mut out)
    } else {
        plain::write_ties(&statements, &mut out)
    };
    assert_eq!(rows.expect("memory takes everything"), statements.len() as u64);
    let (again, report) = read(&out);
    assert!(report.refused.is_empty(), "{:?}\n{}", report.refused, String::from_utf8_lossy(&out));
    assert_eq!(again, statements, "{}", String::from_utf8_lossy(&out));
});
