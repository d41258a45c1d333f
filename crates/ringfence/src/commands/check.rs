//! `ringfence check`: is this folder a programme, do its rules give the answers that its cases state, and does standing
//! decide whatever they say ([`release::prove`])?

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use model::{Member, Problem};
use programme::Programme;
use release::{Counterexample, Label, Policy, Proof};
use serde::Serialize;
use vetting::Judge;

use crate::output::{Exit, Output, add, count, grouped};

const RELEASE: &str = "release.cedar";

/// Validate a programme's folder, run its cases, and prove that standing decides.
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
    /// How many of the cases give another answer than they state.
    failed: usize,
    faults: Vec<Problem>,
    proof: Option<Proved>,
}

/// What was found out about every reader and label that the release policies can tell apart.
#[derive(Debug, Serialize)]
struct Proved {
    whole: bool,
    readers: String,
    labels: String,
    questions: usize,
    gaps: Vec<String>,
    counterexamples: Vec<Shown>,
}

#[derive(Debug, Serialize)]
struct Shown {
    claim: String,
    policy: String,
    action: &'static str,
    member: Member,
    label: Label,
    permitted_by: Vec<String>,
    on_the_list: Option<Member>,
    withheld_by: Vec<String>,
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
    let mut broken_claims = Vec::new();
    match Policy::new(Arc::clone(&programme)) {
        Ok(policy) => {
            let report = release::run_cases(&policy);
            checked.cases = report.run;
            checked.faults = report.failures.into_iter().map(fault_of_case).collect();
            let proof = release::prove(&policy);
            let text = fs::read_to_string(dir.join(RELEASE)).unwrap_or_default();
            let broken = proof.counterexamples.iter();
            broken_claims.extend(broken.map(|one| fault_of_claim(one, &policy, &text)));
            checked.proof = Some(proved(proof));
        }
        Err(error) => checked.faults.push(Problem {
            file: RELEASE.to_owned(),
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
    checked.failed = checked.faults.len();
    checked.faults.extend(broken_claims);
    checked.ok = checked.faults.is_empty();
    checked
}

/// What a check found, in short.
pub(crate) struct Glance {
    pub(crate) digest: String,
    pub(crate) faults: usize,
    pub(crate) proved: bool,
}

/// Checks a folder for somebody who wants to know whether it is well.
pub(crate) fn glance(dir: &Path) -> Result<Glance, Problem> {
    let mut checked = check(dir);
    match checked.sha256 {
        Some(digest) => Ok(Glance {
            digest,
            faults: checked.faults.len(),
            proved: checked.proof.is_some_and(|proof| proof.whole),
        }),
        None if checked.faults.is_empty() => Err(Problem::new("", "it cannot be read", "look at the folder")),
        None => Err(checked.faults.swap_remove(0)),
    }
}

fn proved(proof: Proof) -> Proved {
    let whole = proof.is_whole();
    let shown = |one: Counterexample| {
        let (on_the_list, withheld_by) =
            one.on_the_list.map_or((None, Vec::new()), |(member, verdict)| (Some(member), verdict.policies));
        Shown {
            claim: one.claim.to_string(),
            policy: one.policy,
            action: one.action.as_str(),
            member: one.member,
            label: one.label,
            permitted_by: one.verdict.policies,
            on_the_list,
            withheld_by,
        }
    };
    Proved {
        whole,
        readers: proof.readers.to_string(),
        labels: proof.labels.to_string(),
        questions: proof.questions,
        gaps: proof.gaps,
        counterexamples: proof.counterexamples.into_iter().map(shown).collect(),
    }
}

fn fault_of_claim(found: &Counterexample, policy: &Policy, text: &str) -> Problem {
    let settings = policy.programme().settings();
    let remedy =
        format!("let `{}` ask for standing on the label's tier, as the template's policies do", found.policy);
    let problem =
        Problem::new(RELEASE, format!("not so: {}: {}", found.claim, found.sentence(settings)), remedy);
    match text.find(&format!("@id(\"{}\")", found.policy)) {
        Some(offset) => problem.at(text, offset),
        None => problem,
    }
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
        let good = checked.cases.saturating_sub(checked.failed);
        add!(
            text,
            "The programme `{name}`: {} tiers, {} collections, {} rules; {} of {} give the answer that they state.\n",
            checked.tiers,
            checked.collections,
            checked.rules,
            grouped(good as u128),
            count(checked.cases as u128, "case", "cases"),
        );
        describe_proof(&mut text, checked.proof.as_ref());
    } else {
        let faults = count(checked.faults.len() as u128, "fault", "faults");
        add!(text, "`{}` is no programme yet: {faults}.\n", dir.display());
    }
    text
}

fn describe_proof(text: &mut String, proof: Option<&Proved>) {
    let Some(proof) = proof else { return };
    for gap in &proof.gaps {
        add!(text, "Not proved throughout: {gap}.\n");
    }
    if proof.whole {
        let figure = |number: &str| grouped(number.parse::<u128>().unwrap_or_default());
        add!(
            text,
            "Proved for {} classes of members and {} of labels, by {} questions: without standing nothing is \
             readable, what a tier holds takes standing on it, and suspension only takes away.\n",
            figure(&proof.readers),
            figure(&proof.labels),
            grouped(proof.questions as u128),
        );
    }
}
