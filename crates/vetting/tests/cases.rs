//! The template's own cases: the story of 2007 to 2019, its variants, and the fictional members.

use std::sync::Arc;

use programme::{Programme, template};
use vetting::{Judge, run_cases};

#[test]
fn the_templates_cases_give_the_answers_that_they_state() {
    let judge = Judge::new(Arc::new(Programme::from_files(&template()).unwrap())).unwrap();
    let report = run_cases(&judge);
    let failures: Vec<_> = report
        .failures
        .iter()
        .map(|failure| format!("{}:{} {}: {}", failure.file, failure.line, failure.id, failure.message))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(report.run >= 40, "{} cases", report.run);
}
