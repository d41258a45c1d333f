//! A programme's vetting cases, run.

use std::collections::BTreeSet;

use model::{Grade, Timestamp};
use programme::{VettingCase, VettingCases};
use ties::{AsOf, Registry, TieId};

use crate::decision::{Decision, Party};
use crate::judge::{Judge, JudgeError};
use crate::session::Session;

/// A case that did not give the answer that it states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseFailure {
    /// The case's file within the programme's folder.
    pub file: String,
    /// The case's line there.
    pub line: usize,
    /// The case's name.
    pub id: String,
    /// What was expected, and what came instead.
    pub message: String,
    /// Why the case expects what it expects.
    pub because: String,
}

/// How a programme's cases went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaseReport {
    /// How many there are.
    pub run: usize,
    /// Those that went wrong, in the order of the files.
    pub failures: Vec<CaseFailure>,
}

/// How many looks a case's search for remedies may take.
const LOOKS_MAX: usize = 10_000;

/// Runs every vetting case of the programme's folder.
#[must_use]
pub fn run_cases(judge: &Judge) -> CaseReport {
    let mut report = CaseReport::default();
    for file in judge.programme().vetting_cases() {
        let registry = registry_of(judge, file);
        for case in &file.cases {
            report.run += 1;
            let result = match &registry {
                Ok(registry) => {
                    run(judge, registry, file, case).unwrap_or_else(|error| vec![error.to_string()])
                }
                Err(message) => vec![message.clone()],
            };
            report.failures.extend(result.into_iter().map(|message| CaseFailure {
                file: file.file.clone(),
                line: case.line,
                id: case.id.clone(),
                message,
                because: case.because.clone(),
            }));
        }
    }
    report
}

/// What the file tells, beside the programme's own lists.
fn registry_of(judge: &Judge, file: &VettingCases) -> Result<Registry, String> {
    let mut registry = Registry::new();
    let lists = judge.programme().lists().to_vec();
    for statements in [lists, file.statements.clone()] {
        let added = registry.add(statements);
        if let Some((place, why)) = added.refused.first() {
            return Err(format!("statement {place} is refused: {why}"));
        }
    }
    Ok(registry)
}

fn run(
    judge: &Judge,
    registry: &Registry,
    file: &VettingCases,
    case: &VettingCase,
) -> Result<Vec<String>, JudgeError> {
    let known = case.known.unwrap_or(Timestamp::MAX);
    let picture = registry.picture(AsOf { day: case.on, known });
    let session = Session::new(judge, &picture, case.packs.clone());
    let party = Party {
        applicant: case.applicant,
        instruments: file.instruments.clone(),
        ..Party::new(case.entity.clone())
    };
    let decision = session.decide(&party, &case.tier)?;
    let mut wrong = compared(case, &decision);
    if let Some(wanted) = &case.remedy {
        let mut looks = 0;
        let remedies = session.remedies(&party, &decision, &mut || {
            looks += 1;
            looks > LOOKS_MAX
        })?;
        if let Some(remedy) = remedies.ties.iter().find(|remedy| remedy.end == *wanted) {
            if let Some(leaves) = case.leaves.filter(|leaves| *leaves != remedy.leaves) {
                wrong.push(format!("the remedy should leave `{leaves}` and leaves `{}`", remedy.leaves));
            }
        } else {
            let found =
                remedies.ties.iter().map(|remedy| shown(&remedy.end)).collect::<Vec<_>>().join(" or ");
            wrong.push(format!("the remedy {} is not among {found}", shown(wanted)));
        }
    }
    Ok(wrong)
}

fn shown(ties: &BTreeSet<TieId>) -> String {
    let ties: Vec<_> = ties.iter().map(TieId::as_str).collect();
    format!("{{{}}}", ties.join(", "))
}

fn compared(case: &VettingCase, decision: &Decision) -> Vec<String> {
    let mut wrong = Vec::new();
    let rules = |from: Grade| {
        let found = decision.findings.iter().filter(|finding| finding.grade >= from);
        found.map(|finding| finding.rule.as_str()).collect::<Vec<_>>().join(", ")
    };
    if decision.grade != case.expect {
        wrong.push(format!(
            "expected `{}`, and it is `{}` by {}",
            case.expect,
            decision.grade,
            if decision.findings.is_empty() { "no rule".to_owned() } else { rules(decision.grade) }
        ));
    }
    if let Some(possible) = case.possible.filter(|possible| *possible != decision.possible) {
        let perhaps: Vec<_> = decision.perhaps.iter().map(|finding| finding.rule.as_str()).collect();
        let message = format!(
            "`{possible}` should be possible, and `{}` is, by {}",
            decision.possible,
            perhaps.join(", ")
        );
        wrong.push(message);
    }
    for rule in &case.by {
        if !decision.findings.iter().any(|finding| finding.rule == *rule) {
            wrong.push(format!("the rule `{rule}` does not apply; these do: {}", rules(Grade::Clear)));
        }
    }
    let ties = decision.ties(Grade::Clear);
    for tie in &case.names {
        if !ties.contains(tie) {
            wrong.push(format!("the proof does not name the tie `{tie}`; it names {}", shown(&ties)));
        }
    }
    wrong
}
