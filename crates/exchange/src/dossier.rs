//! What the programme keeps about a member's vetting: one document for each member.
//!
//! The ties themselves are in the registry of statements; what follows from them for *this* member, what people
//! decided about it, and what it has to do by when, is here.

use std::collections::{BTreeMap, BTreeSet};

use model::{CredentialId, Grade, MemberId, Standing, Tier, Timestamp};
use programme::{Instrument, VettingSettings};
use serde::{Deserialize, Serialize};
use ties::EntityId;
use vetting::Party;

/// A member's dossier.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dossier {
    /// The entity that the member is. Without one, only people decide on it.
    pub entity: Option<EntityId>,
    /// The entities that it was before; it may have been one several times.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub was: BTreeSet<EntityId>,
    /// The last decision on each tier.
    pub decided: BTreeMap<Tier, Decided>,
    /// The reviews that are open.
    pub reviews: BTreeMap<Tier, Review>,
    /// Steps that wait for another person.
    pub proposals: BTreeMap<Tier, Proposal>,
    /// Tiers on whose list it is against the rules, by decision of people.
    pub overrides: BTreeMap<Tier, Override>,
    /// Tiers on which the rules, and not people, suspended it or set conditions.
    pub by_rules: BTreeSet<Tier>,
    /// Until when it negotiates a mitigation in good faith.
    pub negotiating_until: Option<Timestamp>,
    /// Who said so last; to say it again takes somebody else.
    pub negotiation_by: Option<Agreement>,
    /// Its instruments.
    pub instruments: Vec<Instrument>,
    /// What it has to do, and has done.
    pub duties: Vec<Duty>,
    /// What it said of itself, the newest last.
    pub attestations: Vec<Attestation>,
    /// Its appeals.
    pub appeals: Vec<Appeal>,
    /// Another entity that it is to be, which waits for another person.
    pub rebinding: Option<Rebinding>,
    /// The SHA-256 of the facts of its ties as it last told them, in hex; see [`reporting`](crate::reporting).
    pub told: Option<String>,
}

/// A decision, as the dossier remembers it; the whole is a record of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// What is certain leads to this.
    pub grade: Grade,
    /// What is possible would lead to this.
    pub possible: Grade,
    /// The rules that apply.
    pub rules: BTreeSet<String>,
    /// Since when this is so.
    pub at: Timestamp,
    /// The SHA-256 of the decision with its proof, in hex.
    pub sha256: String,
    /// The SHA-256 of what it says and why, without the day, in hex: another one is another decision.
    #[serde(default)]
    pub content: String,
    /// The certain values of the facts that the rules ask about.
    #[serde(default)]
    pub values: Option<Values>,
}

/// The certain values of facts, by name: flags, numbers and sets of words.
pub type Values = BTreeMap<String, serde_json::Value>;

/// Whether there is more in `new` than in `old`. What nobody kept was as it is.
pub(crate) fn is_worse(new: Option<&Values>, old: Option<&Values>) -> bool {
    let (Some(new), Some(old)) = (new, old) else { return false };
    new.iter().any(|(name, value)| match (value, old.get(name)) {
        (serde_json::Value::Number(new), Some(serde_json::Value::Number(old))) => new.as_u64() > old.as_u64(),
        (serde_json::Value::Array(new), Some(serde_json::Value::Array(old))) => {
            new.iter().any(|word| !old.contains(word))
        }
        (new, Some(old)) => new != old,
        (_, None) => true,
    })
}

/// Something that a person has to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Since when.
    pub since: Timestamp,
    /// By when. Then the member is taken off the list until it is done.
    pub due: Timestamp,
    /// The rules that ask for it.
    pub rules: BTreeSet<String>,
    /// The facts that it is about, as they were last before it was concluded.
    #[serde(default)]
    pub values: Option<Values>,
    /// How it ended.
    pub concluded: Option<Concluded>,
}

/// The end of a review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concluded {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// With what finding.
    pub reason: String,
}

/// A step that needs several people, and those who agreed so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// The member.
    pub member: MemberId,
    /// The tier.
    pub tier: Tier,
    /// From which standing.
    pub from: Standing,
    /// To which.
    pub to: Standing,
    /// Why.
    pub reason: String,
    /// When it was made.
    pub at: Timestamp,
    /// Who agreed: nobody, if the rules proposed it.
    pub agreed: Vec<Agreement>,
    /// How many different people it needs.
    pub needs: u32,
}

/// That a listed member is another entity than was said so far, and those who agreed to that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebinding {
    /// The member.
    pub member: MemberId,
    /// Which entity it is until then.
    pub bound: EntityId,
    /// Which entity it is to be.
    pub entity: EntityId,
    /// When it was first asked for.
    pub at: Timestamp,
    /// Who agreed.
    pub agreed: Vec<Agreement>,
    /// How many different people it needs.
    pub needs: u32,
}

/// One person's agreement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    /// By which credential; two agreements by the credentials of one person are one.
    pub credential: CredentialId,
    /// In which role, and by which credential: what the ledger says of it.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// A decision of people against the rules. It ends when other rules apply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// The rules that applied then.
    pub rules: BTreeSet<String>,
    /// The facts as they were then.
    #[serde(default)]
    pub values: Option<Values>,
    /// Who decided.
    pub by: Vec<String>,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// What a duty is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DutyOf {
    /// To answer the questionnaire.
    Attestation,
    /// To report a change of its ties that others made known (R22).
    Report,
    /// To return or dispose of what it holds of a tier, and to certify that.
    Disposal {
        /// Of which tier.
        tier: Tier,
    },
    /// A duty of an instrument.
    Instrument {
        /// Which instrument.
        instrument: String,
        /// Which of its duties.
        duty: String,
    },
}

/// Something that a member has to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duty {
    /// Its name, unique in the dossier.
    pub id: String,
    /// What it is about.
    pub of: DutyOf,
    /// What is to be done, for people.
    pub text: String,
    /// Since when.
    pub since: Timestamp,
    /// By when.
    pub due: Timestamp,
    /// That it was done.
    pub done: Option<Done>,
}

/// That a duty was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// When.
    pub at: Timestamp,
    /// Who said so.
    pub by: String,
    /// What they certify.
    pub certificate: String,
}

/// One answer to the questionnaire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Yes or no; "it depends" is not offered.
    pub yes: bool,
    /// What the question wants listed, if yes.
    #[serde(default)]
    pub list: Vec<String>,
}

/// What a member said of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attestation {
    /// When.
    pub at: Timestamp,
    /// The questionnaire's version.
    pub version: String,
    /// The officer of the member who answers for it, by name.
    pub officer: String,
    /// The answers, by question.
    pub answers: BTreeMap<String, Answer>,
}

/// How one answer differs from the last time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AnswerDiff {
    /// The question.
    pub question: String,
    /// The answer before; `None` if it was not asked.
    pub before: Option<Answer>,
    /// The answer now.
    pub now: Option<Answer>,
}

impl Attestation {
    /// What differs from `before`, by question.
    #[must_use]
    pub fn diff(&self, before: Option<&Self>) -> Vec<AnswerDiff> {
        let none = BTreeMap::new();
        let old = before.map_or(&none, |before| &before.answers);
        let questions: BTreeSet<&String> = old.keys().chain(self.answers.keys()).collect();
        let differ =
            questions.into_iter().filter(|question| old.get(*question) != self.answers.get(*question));
        differ
            .map(|question| AnswerDiff {
                question: question.clone(),
                before: old.get(question).cloned(),
                now: self.answers.get(question).cloned(),
            })
            .collect()
    }
}

/// A member's appeal against a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appeal {
    /// On which tier.
    pub tier: Tier,
    /// When.
    pub at: Timestamp,
    /// By when it is to be answered.
    pub due: Timestamp,
    /// What it says.
    pub text: String,
    /// How it was answered.
    pub answered: Option<Concluded>,
}

impl Dossier {
    /// Who is vetted, as of `now`; `None` without an entity.
    pub(crate) fn party(&self, now: Timestamp) -> Option<Party> {
        Some(Party {
            negotiating: self.negotiating_until.is_some_and(|until| now < until),
            overdue: self.overdue(now),
            instruments: self.instruments.clone(),
            ..Party::new(self.entity.clone()?)
        })
    }

    /// The duties that are overdue, with the days. What is held back from disposal does not count against the ties.
    fn overdue(&self, now: Timestamp) -> BTreeMap<String, u32> {
        let is_about_ties = |of: &DutyOf| !matches!(of, DutyOf::Disposal { .. });
        let open = self
            .duties
            .iter()
            .filter(|duty| duty.done.is_none() && duty.due < now && is_about_ties(&duty.of));
        let mut overdue = BTreeMap::new();
        for duty in open {
            let name = match &duty.of {
                DutyOf::Attestation => "attestation".to_owned(),
                DutyOf::Report => "report".to_owned(),
                DutyOf::Instrument { duty, .. } => duty.clone(),
                DutyOf::Disposal { .. } => "disposal".to_owned(),
            };
            let days = u32::try_from(now.since(duty.due).as_secs() / 86_400).unwrap_or(u32::MAX);
            let entry = overdue.entry(name).or_insert(0);
            *entry = days.max(*entry);
        }
        overdue
    }

    /// The next duty of a kind, due after `every_days`.
    pub(crate) fn owe(&mut self, of: DutyOf, text: &str, at: Timestamp, every_days: u32) {
        let name = match &of {
            DutyOf::Attestation => "attestation".to_owned(),
            DutyOf::Report => "report".to_owned(),
            DutyOf::Disposal { tier } => format!("disposal-{tier}"),
            DutyOf::Instrument { instrument, duty } => format!("{instrument}-{duty}"),
        };
        let number = self.duties.iter().filter(|duty| duty.of == of).count() + 1;
        let id = format!("{name}-{number}");
        self.duties.push(Duty {
            id,
            of,
            text: text.to_owned(),
            since: at,
            due: after(at, every_days),
            done: None,
        });
    }

    /// Whether `rules` were already looked at by a person, with facts no better than these.
    pub(crate) fn was_reviewed(
        &self,
        tier: &Tier,
        rules: &BTreeSet<String>,
        values: Option<&Values>,
    ) -> bool {
        self.reviews.get(tier).is_some_and(|review| {
            review.concluded.is_some()
                && rules.is_subset(&review.rules)
                && !is_worse(values, review.values.as_ref())
        })
    }

    /// Opens a review, unless the same was looked at; one that is open is about the rules and the facts as they are now.
    pub(crate) fn review(
        &mut self,
        tier: &Tier,
        rules: &BTreeSet<String>,
        values: Option<&Values>,
        at: Timestamp,
        settings: &VettingSettings,
    ) {
        let open = self.reviews.get_mut(tier).filter(|review| review.concluded.is_none());
        if let Some(open) = open {
            open.rules.clone_from(rules);
            open.values = values.cloned();
        } else if !self.was_reviewed(tier, rules, values) {
            let due = after(at, settings.review_days);
            let (rules, values) = (rules.clone(), values.cloned());
            self.reviews.insert(tier.clone(), Review { since: at, due, rules, values, concluded: None });
        }
    }
}

/// `days` after `at`.
pub(crate) fn after(at: Timestamp, days: u32) -> Timestamp {
    at + std::time::Duration::from_secs(u64::from(days) * 86_400)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_duty_is_overdue_after_its_due_date_and_until_it_is_done() {
        let mut dossier = Dossier { entity: Some("x".parse().unwrap()), ..Dossier::default() };
        dossier.owe(DutyOf::Attestation, "attest", at("2012-01-01"), 10);
        let overdue = |dossier: &Dossier, now: &str| dossier.party(at(now)).unwrap().overdue;
        assert!(overdue(&dossier, "2012-01-11").is_empty(), "its last instant counts");
        assert_eq!(overdue(&dossier, "2012-01-14"), BTreeMap::from([("attestation".to_owned(), 3)]));
        dossier.duties[0].done =
            Some(Done { at: at("2012-01-14"), by: "x".to_owned(), certificate: String::new() });
        assert!(overdue(&dossier, "2012-01-15").is_empty());
        dossier.owe(DutyOf::Attestation, "attest", at("2012-01-14"), 10);
        assert_eq!(dossier.duties[1].id, "attestation-2");
    }

    #[test]
    fn an_attestation_is_told_by_what_changed() {
        let answer = |yes| Answer { yes, list: Vec::new() };
        let attest = |answers: &[(&str, bool)]| Attestation {
            at: at("2012-01-01"),
            version: "1".to_owned(),
            officer: "o".to_owned(),
            answers: answers.iter().map(|(q, yes)| ((*q).to_owned(), answer(*yes))).collect(),
        };
        let before = attest(&[("1", false), ("2", false)]);
        let now = attest(&[("1", false), ("2", true), ("3", false)]);
        let questions = |diff: Vec<AnswerDiff>| diff.into_iter().map(|d| d.question).collect::<Vec<_>>();
        assert_eq!(questions(now.diff(Some(&before))), ["2", "3"]);
        assert_eq!(questions(now.diff(None)), ["1", "2", "3"]);
        assert!(now.diff(Some(&now)).is_empty());
    }

    #[test]
    fn what_was_reviewed_is_not_opened_again_for_the_same_rules() {
        let settings = VettingSettings::default();
        let (mut dossier, tier) = (Dossier::default(), "cleared".parse::<Tier>().unwrap());
        let rules = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let (one, two, three) = (rules(&["a"]), rules(&["a", "b"]), rules(&["a", "c"]));
        dossier.review(&tier, &one, None, at("2012-01-01"), &settings);
        assert_eq!(dossier.reviews[&tier].due, at("2012-01-31"));
        dossier.review(&tier, &two, None, at("2012-01-02"), &settings);
        assert_eq!(dossier.reviews[&tier].since, at("2012-01-01"), "one is open already");
        assert_eq!(dossier.reviews[&tier].rules, two, "and is about all that there is to look at");
        dossier.reviews.get_mut(&tier).unwrap().concluded =
            Some(Concluded { at: at("2012-01-03"), by: "o".to_owned(), reason: "fine".to_owned() });
        dossier.review(&tier, &one, None, at("2012-01-04"), &settings);
        assert_eq!(dossier.reviews[&tier].since, at("2012-01-01"));
        dossier.review(&tier, &two, None, at("2012-01-04"), &settings);
        assert_eq!(dossier.reviews[&tier].since, at("2012-01-01"));
        dossier.review(&tier, &three, None, at("2012-01-05"), &settings);
        assert_eq!(dossier.reviews[&tier].since, at("2012-01-05"));
    }
}
