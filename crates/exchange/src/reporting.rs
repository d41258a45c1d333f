//! The duty to report a change (R22): a member that attested has to tell what has changed since, before others do.
//!
//! What a member told is kept as a digest of the facts that its ties amounted to then. When statements of others move
//! these facts, the member owes a report:
//!
//! ```text
//! attests                          told = the facts as they are
//! an officer records a stake       the facts are others: the duty `report` opens, due after `report_days`
//!   attests, and an answer differs   the duty is done; told = the facts as they are now
//!   the statement is retracted       the facts are those that it told: the duty is gone
//!   neither in time                  the duty is overdue, and the rules may ask for that
//! ```
//!
//! Before its first attestation a member owes that one, and no report beside it. What moves facts otherwise (a list, a
//! rule, an instrument, a day that passed) is no news about the member, and neither is what the programme recorded from the
//! member's own word: a statement whose source names the member, or its entity, as publisher.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{MemberId, Timestamp};
use programme::VettingSettings;
use sha2::{Digest, Sha256};
use ties::{Registry as Ties, Statement};
use vetting::{FactName, Facts, Side};

use crate::dossier::{Done, Dossier, DutyOf};
use crate::registry::Registry;
use crate::ties::{listed_by, whom};

const WORDS: &str = "report the change of its ties that became known, by answering the questionnaire anew";

/// The members about whose ties somebody else said something new; `None` for all of them. `all_whom` are those whom the
/// statements concern, whatever they are and whoever made them.
pub(crate) fn talked_about(
    registry: &Registry,
    ties: &Ties,
    new: &[Statement],
    all_whom: Option<&BTreeSet<MemberId>>,
    at: Timestamp,
) -> Option<BTreeSet<MemberId>> {
    let publisher = |statement: &Statement| {
        let name = statement.source.publisher.as_deref()?;
        let is_its = |(id, dossier): &(&MemberId, &Arc<Dossier>)| {
            id.as_str() == name || dossier.entity.as_ref().is_some_and(|entity| entity.as_str() == name)
        };
        registry.dossiers.iter().find(is_its).map(|(id, _)| id.clone())
    };
    let mut by: BTreeMap<Option<MemberId>, Vec<Statement>> = BTreeMap::new();
    for statement in new.iter().filter(|statement| listed_by(ties, &statement.said).is_empty()) {
        by.entry(publisher(statement)).or_default().push(statement.clone());
    }
    let mut about = BTreeSet::new();
    for (publisher, statements) in by {
        // Mostly one publisher says all of it.
        let is_all = statements.len() == new.len();
        let concerned = if is_all { all_whom.cloned() } else { whom(registry, ties, &statements, at) };
        let mut concerned = concerned?;
        if let Some(own) = publisher {
            concerned.remove(&own);
        }
        about.extend(concerned);
    }
    Some(about)
}

/// The digest of what a member's ties amount to.
pub(crate) fn digest(facts: &Facts) -> String {
    let mut hash = Sha256::new();
    for side in [Side::Certain, Side::Possible] {
        for (name, value) in
            FactName::ALL.iter().zip(facts.values(side)).filter(|(name, _)| name.is_of_ties())
        {
            hash.update(format!("{}={}\n", name.as_str(), value.to_json()));
        }
    }
    hex::encode(hash.finalize())
}

/// What follows for the duty to report from the facts as they are now. Returns whether the duty has just opened.
pub(crate) fn compare(
    dossier: &mut Dossier,
    now: String,
    is_talked_about: bool,
    at: Timestamp,
    settings: &VettingSettings,
) -> bool {
    let is_open = dossier.duties.iter().any(|duty| duty.of == DutyOf::Report && duty.done.is_none());
    match &dossier.told {
        Some(told) if *told == now => {
            dossier.duties.retain(|duty| duty.of != DutyOf::Report || duty.done.is_some());
            false
        }
        Some(_) if is_open => false,
        Some(_) if is_talked_about && !dossier.attestations.is_empty() => {
            dossier.owe(DutyOf::Report, WORDS, at, settings.report_days);
            true
        }
        Some(_) | None => {
            dossier.told = Some(now);
            false
        }
    }
}

/// Closes the duty to report; what it told is what is known when next its facts are looked at.
pub(crate) fn close(dossier: &mut Dossier, at: Timestamp, by: &str, certificate: &str) {
    let open = dossier.duties.iter_mut().filter(|duty| duty.of == DutyOf::Report && duty.done.is_none());
    for duty in open {
        duty.done = Some(Done { at, by: by.to_owned(), certificate: certificate.to_owned() });
    }
    dossier.told = None;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dossier::Attestation;

    fn attested() -> Dossier {
        let attestation = Attestation {
            at: Timestamp::EPOCH,
            version: "1".to_owned(),
            officer: "N. N.".to_owned(),
            answers: BTreeMap::new(),
        };
        Dossier { attestations: vec![attestation], told: Some("a".to_owned()), ..Dossier::default() }
    }

    #[test]
    fn a_report_is_owed_for_what_others_made_known_after_an_attestation() {
        let settings = VettingSettings::default();
        let at = Timestamp::EPOCH;
        let owes = |dossier: &Dossier| dossier.duties.iter().any(|duty| duty.done.is_none());
        let cases = [
            // facts now, said by others, has it attested; owes a report?
            ("a", true, true, false),
            ("b", true, true, true),
            ("b", false, true, false),
            ("b", true, false, false),
        ];
        for (now, by_others, has_attested, want) in cases {
            let mut dossier = attested();
            if !has_attested {
                dossier.attestations.clear();
            }
            assert_eq!(compare(&mut dossier, now.to_owned(), by_others, at, &settings), want);
            assert_eq!(owes(&dossier), want, "{now}, {by_others}, {has_attested}");
            assert_eq!(dossier.told.as_deref(), Some(if want { "a" } else { now }));
        }
    }

    #[test]
    fn one_report_is_owed_at_a_time_until_it_is_made_or_the_change_undone() {
        let settings = VettingSettings::default();
        let at = Timestamp::EPOCH;
        let mut dossier = attested();
        assert!(compare(&mut dossier, "b".to_owned(), true, at, &settings));
        assert!(!compare(&mut dossier, "c".to_owned(), true, at, &settings), "one is open");
        assert!(!compare(&mut dossier, "a".to_owned(), true, at, &settings));
        assert!(dossier.duties.is_empty(), "the facts are those that it told");
        assert!(compare(&mut dossier, "b".to_owned(), true, at, &settings));
        close(&mut dossier, at, "N. N.", "attested");
        assert!(!compare(&mut dossier, "b".to_owned(), true, at, &settings));
        assert!(!compare(&mut dossier, "b".to_owned(), true, at, &settings), "that was told");
        assert!(compare(&mut dossier, "a".to_owned(), true, at, &settings), "the next change");
        assert_eq!(dossier.duties.iter().filter(|duty| duty.done.is_none()).count(), 1);
    }
}
