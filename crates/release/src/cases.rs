//! A programme's release cases, run.

use std::fmt;

use model::{Member, MemberId, Principal, Timestamp};
use programme::{CaseAction, CaseMember, CaseWho, Expectation, ReleaseCase, ReleaseCases};

use crate::{Audience, Demands, Label, Policy, Reader, Verdict};

/// How a programme's cases went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaseReport {
    /// How many cases there are.
    pub run: usize,
    /// Those that did not give the answer that they state, in the order of the files.
    pub failures: Vec<CaseFailure>,
}

impl CaseReport {
    /// Whether every case gave the answer that it states.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

/// A case that did not give the answer that it states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseFailure {
    /// The case's file within the programme's folder.
    pub file: String,
    /// The case's line there.
    pub line: usize,
    /// The case's name.
    pub id: String,
    /// What was expected, what came instead, and through which rules.
    pub message: String,
    /// Why the case expects what it expects.
    pub because: String,
}

impl fmt::Display for CaseFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, id, message, because } = self;
        write!(f, "{file}:{line}: case `{id}`: {message}; expected because {because}")
    }
}

/// Runs every case of the programme's folder.
#[must_use]
pub fn run_cases(policy: &Policy) -> CaseReport {
    let mut report = CaseReport::default();
    for cases in policy.programme().cases() {
        let members = members_of(cases);
        for case in &cases.cases {
            report.run += 1;
            let failure = ask(policy, case, &members).and_then(|verdict| unexpected(case, &verdict));
            if let Err(message) = failure {
                report.failures.push(CaseFailure {
                    file: cases.file.clone(),
                    line: case.line,
                    id: case.id.clone(),
                    message,
                    because: case.because.clone(),
                });
            }
        }
    }
    report
}

fn members_of(cases: &ReleaseCases) -> Vec<Member> {
    let number = |index: usize| u64::try_from(index).unwrap_or(u64::MAX);
    let member = |(index, case): (usize, &CaseMember)| Member {
        id: MemberId::from_bits(number(index) + 1),
        name: case.name.clone(),
        kind: case.kind,
        identity: None,
        subject: case.subject.clone(),
        standings: case.standings.clone(),
        since: Timestamp::EPOCH,
    };
    cases.members.iter().enumerate().map(member).collect()
}

fn ask(policy: &Policy, case: &ReleaseCase, members: &[Member]) -> Result<Verdict, String> {
    let reader = match case.who {
        CaseWho::Member(index) => Reader::Member(&members[index]),
        CaseWho::Role(role) => Reader::Role(role),
    };
    let content = |ask: fn(&Policy, Reader<'_>, &Label) -> Verdict| {
        label_of(policy, case, members).map(|label| ask(policy, reader, &label))
    };
    match case.action {
        CaseAction::Read => content(Policy::may_read),
        CaseAction::Display => content(Policy::may_display),
        CaseAction::Enforce => content(Policy::may_enforce),
        CaseAction::Redistribute => content(Policy::may_redistribute),
        CaseAction::List => Ok(policy.may_list(reader, &case.collection)),
        CaseAction::Publish => Ok(policy.may_publish(reader, &case.collection)),
    }
}

fn label_of(policy: &Policy, case: &ReleaseCase, members: &[Member]) -> Result<Label, String> {
    let collection = policy.programme().collection(&case.collection);
    let collection = collection.ok_or_else(|| format!("there is no collection `{}`", case.collection))?;
    let acs = case
        .acs
        .iter()
        .map(|marking| serde_json::from_value(marking.clone()))
        .collect::<Result<_, _>>()
        .map_err(|error| format!("`acs` cannot be read ({error})"))?;
    Ok(Label {
        collection: collection.id,
        tier: collection.tier.clone(),
        demands: Demands {
            tlp: case.tlp,
            pap: case.pap,
            acs,
            consent: case.consent.clone(),
            unknown: case.unknown.clone(),
        },
        creator: match case.creator {
            CaseWho::Member(index) => Principal::Member(members[index].id.clone()),
            CaseWho::Role(role) => Principal::Role(role),
        },
        audience: match &case.audience {
            None => Audience::Everyone,
            Some(named) => Audience::Named(named.iter().map(|index| members[*index].id.clone()).collect()),
        },
        release_at: None,
        release_until: None,
        ends: std::collections::BTreeSet::new(),
        unless: None,
    })
}

fn unexpected(case: &ReleaseCase, verdict: &Verdict) -> Result<(), String> {
    let decided = match verdict.policies.as_slice() {
        [] => "no rule permits it".to_owned(),
        policies => format!("decided by {}", policies.join(", ")),
    };
    if let Some(error) = verdict.errors.first() {
        return Err(format!("it could not be decided ({error})"));
    }
    match (case.expect, verdict.permitted) {
        (Expectation::Permitted, true) | (Expectation::Withheld, false) => {}
        (Expectation::Permitted, false) => return Err(format!("it is withheld, {decided}")),
        (Expectation::Withheld, true) => return Err(format!("it is permitted, {decided}")),
    }
    match &case.by {
        Some(by) if !verdict.policies.contains(by) => Err(format!("`{by}` is not what decided; {decided}")),
        Some(_) | None => Ok(()),
    }
}
