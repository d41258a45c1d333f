//! What is kept of a member beside its ties: reviews, duties, instruments, appeals, attestations, and what was decided.

use std::collections::BTreeMap;

use exchange::{Answer, AnswerDiff, Attestation, Dossier, Exchange, Proposal};
use model::{Caller, MemberId, Timestamp};
use serde_json::json;

use super::gather::{Found, Past, past};
use crate::asked::Asked;
use crate::export::{Format, Part, Table};
use crate::pages::ties::tie_link;
use crate::problem;
use crate::svg::shortened;
use crate::words;

/// How many attestations are told of, how much of a list, and how much of each thing in it; the file has all.
const ATTESTATIONS_MAX: usize = 5;
const LISTED_MAX: usize = 12;
const LISTED_LETTERS: usize = 120;
/// How many decisions one part of their file has.
const DECISIONS_AT_ONCE: usize = 100;

/// The record, for the page.
pub(super) struct Record {
    pub(super) proposals: Vec<ProposalView>,
    pub(super) rebinding: Option<String>,
    pub(super) reviews: Vec<ReviewView>,
    pub(super) duties: Vec<DutyView>,
    pub(super) instruments: Vec<InstrumentView>,
    pub(super) appeals: Vec<AppealView>,
    pub(super) attestations: Vec<AttestationView>,
    pub(super) attestations_more: usize,
    pub(super) negotiating_until: Option<String>,
    pub(super) past: Vec<PastView>,
    pub(super) has_more_past: bool,
}

pub(super) struct ProposalView {
    pub(super) tier: String,
    pub(super) to: String,
    pub(super) to_word: &'static str,
    pub(super) reason: String,
    pub(super) since: String,
    pub(super) agreed: usize,
    pub(super) needs: u32,
    pub(super) by_rules: bool,
    /// Whether the caller's credential agreed already, so that another person has to.
    pub(super) is_mine: bool,
}

pub(super) struct ReviewView {
    pub(super) tier: String,
    pub(super) rules: String,
    pub(super) due: String,
    pub(super) is_over: bool,
    pub(super) concluded: Option<String>,
}

pub(super) struct DutyView {
    pub(super) id: String,
    pub(super) text: String,
    pub(super) due: String,
    pub(super) is_over: bool,
    pub(super) done: Option<String>,
    /// Whether it is done by a certificate, and not by answering the questionnaire.
    pub(super) takes_certificate: bool,
}

pub(super) struct InstrumentView {
    pub(super) id: String,
    pub(super) text: String,
    /// The ties that it covers, with their pages.
    pub(super) covers: Vec<(String, String)>,
    /// Whether nobody has said that it ends.
    pub(super) is_open: bool,
}

pub(super) struct AppealView {
    pub(super) tier: String,
    pub(super) at: String,
    pub(super) text: String,
    pub(super) answered: Option<String>,
}

pub(super) struct AttestationView {
    pub(super) at: String,
    pub(super) officer: String,
    pub(super) changed: Vec<ChangeView>,
    /// Each question with its answer; of the last one only.
    pub(super) whole: Vec<(String, String)>,
}

/// An answer that is another one than before.
pub(super) struct ChangeView {
    pub(super) id: String,
    pub(super) text: String,
    pub(super) before: Option<String>,
    pub(super) now: String,
    /// How much of both lists is left out.
    pub(super) more: usize,
}

/// What is asked, by the questions' numbers.
pub(super) type Texts = BTreeMap<String, String>;

/// A decision that was recorded.
pub(super) struct PastView {
    pub(super) when: String,
    pub(super) tier: String,
    pub(super) grade: String,
    pub(super) rules: String,
    pub(super) href: String,
}

impl Record {
    pub(super) fn new(found: &Found, asked: &Asked, texts: &Texts) -> Self {
        let (dossier, now) = (&found.dossier, asked.now);
        let mine = &asked.caller().credential;
        Self {
            proposals: dossier
                .proposals
                .values()
                .map(|proposal| ProposalView {
                    is_mine: proposal.agreed.iter().any(|agreement| agreement.credential == *mine),
                    ..ProposalView::from(proposal)
                })
                .collect(),
            rebinding: dossier.rebinding.as_ref().map(|rebinding| rebinding.entity.to_string()),
            reviews: reviews(dossier, now),
            duties: duties(dossier, now),
            instruments: dossier
                .instruments
                .iter()
                .map(|one| InstrumentView {
                    id: one.id.clone(),
                    text: format!("{}, {}", one.kind, words::period(one.valid)),
                    covers: one.covers.iter().map(|tie| (tie.to_string(), tie_link(tie))).collect(),
                    is_open: one.valid.to.is_none(),
                })
                .collect(),
            appeals: dossier
                .appeals
                .iter()
                .rev()
                .map(|appeal| AppealView {
                    tier: appeal.tier.to_string(),
                    at: words::day(appeal.at),
                    text: appeal.text.clone(),
                    answered: appeal
                        .answered
                        .as_ref()
                        .map(|end| format!("{}: {}", words::day(end.at), end.reason)),
                })
                .collect(),
            attestations: attestations(dossier, texts),
            attestations_more: dossier.attestations.len().saturating_sub(ATTESTATIONS_MAX),
            negotiating_until: dossier.negotiating_until.filter(|until| now < *until).map(words::day),
            has_more_past: found.has_more_past,
            past: found.past.iter().rev().map(|past| past_view(past, asked)).collect(),
        }
    }
}

impl From<&Proposal> for ProposalView {
    fn from(proposal: &Proposal) -> Self {
        Self {
            tier: proposal.tier.to_string(),
            to: proposal.to.to_string(),
            to_word: words::standing(proposal.to),
            reason: proposal.reason.clone(),
            since: words::day(proposal.at),
            agreed: proposal.agreed.len(),
            needs: proposal.needs,
            by_rules: proposal.agreed.is_empty(),
            is_mine: false,
        }
    }
}

fn reviews(dossier: &Dossier, now: Timestamp) -> Vec<ReviewView> {
    let view = |(tier, review): (&model::Tier, &exchange::Review)| ReviewView {
        tier: tier.to_string(),
        rules: review.rules.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
        due: words::day(review.due),
        is_over: review.due < now,
        concluded: review.concluded.as_ref().map(|end| format!("{}: {}", words::day(end.at), end.reason)),
    };
    dossier.reviews.iter().map(view).collect()
}

fn duties(dossier: &Dossier, now: Timestamp) -> Vec<DutyView> {
    let mut duties: Vec<_> = dossier.duties.iter().collect();
    duties.sort_by_key(|duty| (duty.done.is_some(), duty.due));
    let view = |duty: &exchange::Duty| DutyView {
        id: duty.id.clone(),
        text: duty.text.clone(),
        due: words::day(duty.due),
        is_over: duty.done.is_none() && duty.due < now,
        done: duty.done.as_ref().map(|done| format!("{}: {}", words::day(done.at), done.certificate)),
        takes_certificate: duty.of != exchange::DutyOf::Attestation,
    };
    duties.into_iter().map(view).collect()
}

/// The newest attestations, with what changed in each and, of the last one, all of it.
fn attestations(dossier: &Dossier, texts: &Texts) -> Vec<AttestationView> {
    let mut views = Vec::new();
    for (number, attestation) in dossier.attestations.iter().enumerate().rev().take(ATTESTATIONS_MAX) {
        let before = number.checked_sub(1).map(|before| &dossier.attestations[before]);
        let differing = attestation.diff(before);
        // A first attestation differs from nothing; all of it is told below.
        let changed = differing.iter().filter(|_| before.is_some()).map(|diff| changed(diff, texts));
        let is_last = number + 1 == dossier.attestations.len();
        views.push(AttestationView {
            at: words::day(attestation.at),
            officer: attestation.officer.clone(),
            changed: changed.collect(),
            whole: if is_last { whole(attestation, texts) } else { Vec::new() },
        });
    }
    views
}

/// An answer in words: `yes: Acme Ltd; Beta Ltd`.
fn answer(answer: Option<&Answer>) -> String {
    match answer {
        None => "not asked".to_owned(),
        Some(Answer { yes, list }) => {
            let word = if *yes { "yes" } else { "no" };
            let told = list.iter().take(LISTED_MAX).map(|text| shortened(text, LISTED_LETTERS));
            let mut told = told.collect::<Vec<_>>().join("; ");
            if list.len() > LISTED_MAX {
                told = format!("{told}; and {} more", list.len() - LISTED_MAX);
            }
            if told.is_empty() { word.to_owned() } else { format!("{word}: {told}") }
        }
    }
}

/// What differs in an answer. Of two lists, what came and what went: the rest stands in both.
fn changed(diff: &AnswerDiff, texts: &Texts) -> ChangeView {
    let list =
        |answer: &Option<Answer>| answer.iter().flat_map(|answer| answer.list.clone()).collect::<Vec<_>>();
    let (old, new) = (list(&diff.before), list(&diff.now));
    let only = |these: &[String], those: &[String]| -> Vec<String> {
        these.iter().filter(|one| !those.contains(one)).cloned().collect()
    };
    let (went, came) = (only(&old, &new), only(&new, &old));
    let part = |all: &Option<Answer>, list: &[String]| {
        let shown = all.as_ref().map(|known| Answer { yes: known.yes, list: list.to_vec() });
        answer(shown.as_ref())
    };
    ChangeView {
        id: diff.question.clone(),
        text: texts.get(&diff.question).cloned().unwrap_or_default(),
        before: Some(part(&diff.before, &went)),
        now: part(&diff.now, &came),
        more: went.len().saturating_sub(LISTED_MAX) + came.len().saturating_sub(LISTED_MAX),
    }
}

fn whole(attestation: &Attestation, texts: &Texts) -> Vec<(String, String)> {
    let one = |(id, said): (&String, &Answer)| {
        (format!("{id}: {}", texts.get(id).map_or("", String::as_str)), answer(Some(said)))
    };
    attestation.answers.iter().map(one).collect()
}

/// Every answer of every attestation as a file.
pub(super) fn attested_table(found: &Found, texts: &Texts) -> Table {
    let mut table = Table::new(&["at", "officer", "version", "question", "text", "yes", "list", "changed"]);
    for (number, attestation) in found.dossier.attestations.iter().enumerate() {
        let before = number.checked_sub(1).map(|before| &found.dossier.attestations[before]);
        let differing: Vec<String> = attestation.diff(before).into_iter().map(|diff| diff.question).collect();
        for (id, said) in &attestation.answers {
            table.rows.push(vec![
                json!(attestation.at),
                json!(attestation.officer),
                json!(attestation.version),
                json!(id),
                json!(texts.get(id)),
                json!(said.yes),
                json!(said.list),
                json!(before.is_some() && differing.contains(id)),
            ]);
        }
    }
    table
}

/// All recorded decisions as a file, the newest first; to the programme's people.
pub(super) async fn decisions_file(asked: &Asked, format: Format, member: MemberId) -> problem::Answer {
    let name = format!("decisions-{member}");
    let part = move |exchange: &Exchange, caller: &Caller, before: Option<String>| {
        if caller.role().is_none() {
            return Ok(Part { rows: Vec::new(), next: None });
        }
        let found = exchange.decisions(caller, &member, before.as_deref(), DECISIONS_AT_ONCE)?;
        let row = |decision: &serde_json::Value| {
            let past = past(decision);
            vec![json!(past.known), json!(past.as_of), json!(past.tier), json!(past.grade), json!(past.rules)]
        };
        Ok(Part { rows: found.decisions.iter().map(row).collect(), next: found.next.map(Some) })
    };
    asked.file(format, &name, &["known", "as_of", "tier", "grade", "rules"], None, part).await
}

fn past_view(past: &Past, asked: &Asked) -> PastView {
    let day = past.known.get(..10).unwrap_or_default();
    // As it was decided, so with nothing that is supposed now, and at the instant: one day may have several.
    let query =
        ["end", "add", "remedies", "table"].iter().fold(asked.query.clone(), |q, name| q.with(name, None));
    let query = query.with("tier", Some(&past.tier)).with("as_of", Some(&past.as_of));
    PastView {
        when: day.to_owned(),
        tier: past.tier.clone(),
        grade: past.grade.clone(),
        rules: past.rules.join(", "),
        href: query.with("known", Some(&past.known)).link(&asked.path),
    }
}
