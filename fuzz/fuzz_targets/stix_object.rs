//! Judging one object: head, findings, markings, deterministic id, canonical form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stix::{Document, Head, Limits, Marking, ValidateOptions, canonical, sco_id, validate};

fuzz_target!(|data: &[u8]| {
    let options = ValidateOptions { findings_max: 50, ..ValidateOptions::default() };
    let report = validate(data, &options);
    assert!(report.findings.len() <= options.findings_max, "the limit on findings holds");
    for finding in &report.findings {
        assert!(!finding.code.is_empty() && !finding.section.is_empty() && !finding.message.is_empty());
        assert!(finding.pointer.is_empty() || finding.pointer.starts_with('/'), "{}", finding.pointer);
    }
    let head = Head::parse(data);
    if report.is_accepted() {
        let head = head.as_ref().expect("an accepted object has a head");
        assert!(stix::parse_id(&head.id).is_ok(), "an accepted object has an id");
        assert!(
            head.version_timestamp().is_ok(),
            "an accepted object has a version that is a timestamp or none"
        );
    }
    drop((Marking::parse(data), sco_id(data)));
    let Ok(document) = Document::parse(data, &Limits::default()) else { return };
    let Ok(text) = canonical(document.root()) else { return };
    let again = Document::parse(text.as_bytes(), &Limits::default()).expect("the canonical form is JSON");
    assert_eq!(
        canonical(again.root()).as_ref(),
        Ok(&text),
        "the canonical form of a canonical form is itself"
    );
});
