//! The lists of the US departments: OFAC's tables and XML, the screening list, the denied persons. The first byte
//! chooses.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model::Timestamp;
use registers::ofac::{Companion, Companions, List};
use registers::{Importing, csl, denied, ofac, ofac_xml};
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
    let report = match choice % 5 {
        0 => {
            // The tables one after the other: the names first, and behind a form feed what goes with them.
            let mut parts = content.splitn(2, |byte| *byte == 0x0c);
            let (names, beside) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            let mut companions = Companions::default();
            for which in [Companion::Alternates, Companion::Addresses, Companion::Comments] {
                companions.add(which, beside);
            }
            ofac::names(names, List::Sdn, &companions, &importing, &mut emit)
        }
        1 => ofac_xml::read(content, &importing, &mut emit),
        2 => csl::read(content, &importing, &mut emit),
        3 => denied::read(content, &importing, &mut emit),
        _ => ofac::alone(content, Companion::Alternates, &importing, &mut emit),
    };
    assert_eq!(report.statements, statements, "the report counts what was handed out");
});
