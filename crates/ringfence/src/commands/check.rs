//! `ringfence check`: is this folder a programme, and do its rules give the answers that its cases state?

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use model::Problem;
use programme::Programme;
use release::Policy;
use serde::Serialize;
use vetting::Judge;

use crate::output::{Exit, Output, add, count, grouped};

/// Validate a programme's folder and run its cases.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The programme's folder
    #[arg(default_value = ".")]
    dir: PathBuf,
}

#[derive(Debug, Default, Serialize)]
struct Checked {
    ok: bool,
    name: Option<String>,
    sha256: Option<String>,
    tiers: usize,
    collections: usize,
    rules: usize,
    cases: usize,
    faults: Vec<Problem>,
}

impl Check {
    pub(crate) fn run(self, output: Output) -> Result<Exit> {
        let checked = check(&self.dir);
        output.result(&checked, || describe(&self.dir, &checked))?;
        Ok(if checked.ok { Exit::Done } else { Exit::Wrong })
    }
}

fn check(dir: &Path) -> Checked {
    let programme = match Programme::load(dir) {
        Ok(programme) => Arc::new(programme),
        Err(error) => return Checked { faults: error.into_vec(), ..Checked::default() },
    };
    let settings = programme.settings();
    let mut checked = Checked {
        ok: true,
        name: Some(settings.name.to_string()),
        sha256: Some(programme.digest().to_owned()),
        tiers: settings.tiers.len(),
        collections: settings.collections.len(),
        rules: programme.policies().rules().len()
            + programme.packs().iter().map(|p| p.rules.len()).sum::<usize>(),
        ..Checked::default()
    };
    match Policy::new(Arc::clone(&programme)) {
        Ok(policy) => {
            let report = release::run_cases(&policy);
            checked.cases = report.run;
            checked.faults = report.failures.into_iter().map(fault_of_case).collect();
        }
        Err(error) => checked.faults.push(Problem {
            file: "release.cedar".to_owned(),
            line: None,
            message: error.to_string(),
            remedy: "mend the policy; the template's file shows the form".to_owned(),
        }),
    }
    match Judge::new(Arc::clone(&programme)) {
        Ok(judge) => {
            let report = vetting::run_cases(&judge);
            checked.cases += report.run;
            checked.faults.extend(report.failures.into_iter().map(fault_of_vetting));
        }
        Err(error) => checked.faults.push(Problem {
            file: "schema.cedarschema".to_owned(),
            line: None,
            message: error.to_string(),
            remedy: "take `Facts`, `Party`, `Tier` and `vet` from the template".to_owned(),
        }),
    }
    checked.ok = checked.faults.is_empty();
    checked
}

fn fault_of_vetting(failure: vetting::CaseFailure) -> Problem {
    Problem {
        file: failure.file,
        line: Some(failure.line),
        message: format!("case `{}`: {}", failure.id, failure.message),
        remedy: format!("mend the rule, or the case, which says: {}", failure.because),
    }
}

fn fault_of_case(failure: release::CaseFailure) -> Problem {
    Problem {
        file: failure.file,
        line: Some(failure.line),
        message: format!("case `{}`: {}", failure.id, failure.message),
        remedy: format!("mend the rule, or the case, which says: {}", failure.because),
    }
}

fn describe(dir: &Path, checked: &Checked) -> String {
    let mut text = String::new();
    for fault in &checked.faults {
        let place = dir.join(&fault.file);
        let line = fault.line.map(|line| format!(":{line}")).unwrap_or_default();
        add!(text, "{}{line}: {}; {}\n", place.display(), fault.message, fault.remedy);
    }
    if let Some(name) = &checked.name {
        let good = checked.cases - checked.faults.len().min(checked.cases);
        add!(
            text,
            "The programme `{name}`: {} tiers, {} collections, {} rules; {} of {} give the answer that they state.\n",
            checked.tiers,
            checked.collections,
            checked.rules,
            grouped(good as u128),
            count(checked.cases as u128, "case", "cases"),
        );
    } else {
        let faults = count(checked.faults.len() as u128, "fault", "faults");
        add!(text, "`{}` is no programme yet: {faults}.\n", dir.display());
    }
    text
}
