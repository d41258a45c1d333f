//! What is kept of a member beside its ties: reviews, duties, instruments, appeals, attestations, and what was decided.

use exchange::{Dossier, Proposal};
use model::Timestamp;
use serde_json::json;

use super::gather::{Found, Past};
use crate::asked::Asked;
use crate::export::Table;
use crate::pages::ties::tie_link;
use crate::words;

/// The record, for the page.
pub(super) struct Record {
    pub(super) proposals: Vec<ProposalView>,
    pub(super) rebinding: Option<String>,
    pub(super) reviews: Vec<ReviewView>,
    pub(super) duties: Vec<DutyView>,
    pub(super) instruments: Vec<InstrumentView>,
    pub(super) appeals: Vec<AppealView>,
    pub(super) attestations: Vec<AttestationView>,
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
    pub(super) changed: Vec<String>,
}

/// A decision that was recorded.
pub(super) struct PastView {
    pub(super) when: String,
    pub(super) tier: String,
    pub(super) grade: String,
    pub(super) rules: String,
    pub(super) href: String,
}

impl Record {
    pub(super) fn new(found: &Found, asked: &Asked) -> Self {
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
            attestations: attestations(dossier),
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

fn attestations(dossier: &Dossier) -> Vec<AttestationView> {
    let mut views = Vec::new();
    for (number, attestation) in dossier.attestations.iter().enumerate().rev() {
        let before = number.checked_sub(1).map(|before| &dossier.attestations[before]);
        let changed = attestation.diff(before).into_iter().map(|diff| {
            let word = |answer: Option<&exchange::Answer>| match answer {
                Some(answer) if answer.yes => "yes",
                Some(_) => "no",
                None => "not asked",
            };
            format!("{}: {} → {}", diff.question, word(diff.before.as_ref()), word(diff.now.as_ref()))
        });
        views.push(AttestationView {
            at: words::day(attestation.at),
            officer: attestation.officer.clone(),
            changed: changed.collect(),
        });
    }
    views
}

/// The recorded decisions as a file.
pub(super) fn table(found: &Found) -> Table {
    let mut table = Table::new(&["known", "as_of", "tier", "grade", "rules"]);
    let row = |past: &Past| {
        vec![json!(past.known), json!(past.as_of), json!(past.tier), json!(past.grade), json!(past.rules)]
    };
    table.rows = found.past.iter().rev().map(row).collect();
    table
}

fn past_view(past: &Past, asked: &Asked) -> PastView {
    let day = past.known.get(..10).unwrap_or_default();
    let query = asked.query.with("tier", Some(&past.tier)).with("as_of", Some(&past.as_of));
    PastView {
        when: day.to_owned(),
        tier: past.tier.clone(),
        grade: past.grade.clone(),
        rules: past.rules.join(", "),
        href: query.with("known", Some(day)).with("end", None).link(&asked.path),
    }
}
