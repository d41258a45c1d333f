//! What goes on beside decisions: who a member is, what it attests and has to do, its instruments, appeals and reviews,
//! and the passing of time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ledger::Body;
use ledger::entry::Vetting;
use model::{Caller, MemberId, Principal, Tier, Timestamp};
use programme::Instrument;
use serde::Serialize;
use sha2::{Digest, Sha256};
use ties::{Day, PartialDate, Period, Said};

use crate::alerts::{self, Alert};
use crate::dossier::{
    Answer, AnswerDiff, Appeal, Attestation, Concluded, Done, Dossier, Duty, DutyOf, after,
};
use crate::error::AdminError;
use crate::evaluate::{Moved, evaluate, put_dossier};
use crate::exchange::{Exchange, Hand, Inner, name_of, require};
use crate::members::{DECIDES, check_tier, still_accepted};
use crate::people;
use crate::reporting;
use crate::writer::Instants;

/// The longest text that a person may file, in bytes.
const TEXT_MAX: usize = 65_536;
/// The longest id of an instrument, in bytes.
const INSTRUMENT_ID_LENGTH_MAX: usize = 200;
/// The longest name of a person, in bytes.
const NAME_LENGTH_MAX: usize = 200;
/// How often a member may attest, or certify that duties are done, in a day: more than anybody corrects itself.
const FILED_A_DAY_MAX: usize = 10;
/// How many entries of the ledger are looked at each second for whom they speak of: more than a busy hub writes.
const SPANS_READ: u64 = 8_192;

/// What an attestation says, and how it differs from the last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attested {
    /// What it says.
    pub attestation: Attestation,
    /// What differs from the one before.
    pub diff: Vec<AnswerDiff>,
}

impl Exchange {
    /// A member's dossier: to the programme's people, and to itself.
    ///
    /// # Errors
    ///
    /// Refuses other members, as if there were none.
    pub fn dossier(&self, caller: &Caller, member: &MemberId) -> Result<Dossier, AdminError> {
        let may = caller.role().is_some() || caller.member() == Some(member);
        let registry = self.inner.published.registry();
        if !may || !registry.members.contains_key(member) {
            return Err(AdminError::NoSuchMember(member.clone()));
        }
        Ok(registry.dossier(member))
    }

    /// Records an instrument that was signed.
    ///
    /// # Errors
    ///
    /// Refuses all but operators and officers, a kind that the programme does not have, and a name that is taken.
    pub fn sign_instrument(
        &self,
        caller: &Caller,
        member: &MemberId,
        instrument: Instrument,
    ) -> Result<Vec<Moved>, AdminError> {
        require(caller, DECIDES, "an operator or an officer")?;
        check_instrument(&instrument)?;
        self.check_covers(&instrument)?;
        self.change_dossier(caller, member, move |turn, dossier| {
            let registry = Arc::clone(turn.registry);
            let kinds = registry.programme().instruments();
            let kind = kinds.iter().find(|kind| kind.kind == instrument.kind).ok_or_else(|| {
                let known = kinds.iter().map(|kind| kind.kind.as_str()).collect::<Vec<_>>().join(", ");
                AdminError::Invalid(format!(
                    "there is no kind of instrument `{}`; there are {known}",
                    instrument.kind
                ))
            })?;
            if dossier.instruments.iter().any(|known| known.id == instrument.id) {
                return Err(AdminError::Invalid(format!(
                    "there is an instrument `{}` already",
                    instrument.id
                )));
            }
            let Some(entity) = dossier.entity.clone() else {
                return Err(AdminError::Invalid("say first which entity the member is".to_owned()));
            };
            for duty in &kind.duties {
                let of = DutyOf::Instrument { instrument: instrument.id.clone(), duty: duty.name.clone() };
                dossier.owe(of, &duty.text, turn.now, duty.every_days);
            }
            let subject = format!("{} `{}`", kind.title, instrument.id);
            dossier.instruments.push(Instrument { entity, recorded: Some(turn.now), ..instrument });
            Ok(Filed::new("instrument signed", subject))
        })
    }

    /// An instrument covers ties that somebody stated, and of which its kind makes something.
    fn check_covers(&self, instrument: &Instrument) -> Result<(), AdminError> {
        let registry = self.inner.published.registry();
        let kinds = registry.programme().instruments();
        // Whether there is such a kind is asked inside the transaction.
        let Some(kind) = kinds.iter().find(|kind| kind.kind == instrument.kind) else { return Ok(()) };
        let recorded = self.inner.recorded.read();
        for id in &instrument.covers {
            let history = recorded.history(id);
            let mut stated = history.iter().filter_map(|statement| match &statement.said {
                Said::Tie(tie) => Some(tie),
                Said::Entity(_)
                | Said::End(_)
                | Said::Listing(_)
                | Said::Same { .. }
                | Said::Retraction { .. } => None,
            });
            let message = match (stated.clone().next(), stated.any(|tie| vetting::acts_on(kind, tie))) {
                (None, _) => format!("there is no tie `{id}` to cover"),
                (Some(_), false) => format!("a {} makes nothing of the tie `{id}`", kind.title),
                (Some(_), true) => continue,
            };
            return Err(AdminError::Invalid(message));
        }
        Ok(())
    }

    /// Records that an instrument ended on a day.
    ///
    /// # Errors
    ///
    /// Refuses all but operators and officers, and an instrument that the member does not have.
    pub fn end_instrument(
        &self,
        caller: &Caller,
        member: &MemberId,
        instrument: &str,
        on: PartialDate,
    ) -> Result<Vec<Moved>, AdminError> {
        require(caller, DECIDES, "an operator or an officer")?;
        let id = instrument.to_owned();
        self.change_dossier(caller, member, move |_, dossier| {
            let Some(found) = dossier.instruments.iter_mut().find(|known| known.id == id) else {
                return Err(AdminError::Invalid(format!("the member has no instrument `{id}`")));
            };
            let valid = Period { to: Some(on), ..found.valid };
            if valid.is_backwards() {
                return Err(AdminError::Invalid(format!("the instrument `{id}` had not begun on {on}")));
            }
            found.valid = valid;
            let is_its =
                |of: &DutyOf| matches!(of, DutyOf::Instrument { instrument, .. } if *instrument == id);
            dossier.duties.retain(|duty| duty.done.is_some() || !is_its(&duty.of));
            Ok(Filed::new("instrument ended", format!("`{id}` on {on}")))
        })
    }

    /// Records what a member says of itself.
    ///
    /// # Errors
    ///
    /// Refuses all but the member, and answers that do not fit the programme's questionnaire: every question has to be
    /// answered, and nothing else.
    pub fn attest(
        &self,
        caller: &Caller,
        officer: &str,
        answers: BTreeMap<String, Answer>,
    ) -> Result<Attested, AdminError> {
        let Some(member) = caller.member().cloned() else {
            return Err(AdminError::Forbidden { needed: "a member, about itself" });
        };
        let registry = self.inner.published.registry();
        let Some(questionnaire) = registry.programme().questionnaire() else {
            return Err(AdminError::Invalid("this programme has no questionnaire".to_owned()));
        };
        for question in &questionnaire.questions {
            match answers.get(&question.id) {
                None => {
                    return Err(AdminError::Invalid(format!("the question {} is not answered", question.id)));
                }
                Some(answer) if answer.yes && answer.list.is_empty() => {
                    let message = format!("the answer to {} is yes; list {}", question.id, question.list);
                    return Err(AdminError::Invalid(message));
                }
                Some(_) => {}
            }
        }
        if let Some(stray) = answers.keys().find(|id| !questionnaire.questions.iter().any(|q| q.id == **id)) {
            return Err(AdminError::Invalid(format!("there is no question {stray}")));
        }
        let size: usize = answers.values().flat_map(|answer| &answer.list).map(String::len).sum();
        if size > TEXT_MAX {
            return Err(AdminError::Invalid(format!("the answers list more than {TEXT_MAX} bytes")));
        }
        if officer.len() > NAME_LENGTH_MAX {
            return Err(AdminError::Invalid(format!(
                "the officer's name is longer than {NAME_LENGTH_MAX} bytes"
            )));
        }
        if officer.trim().is_empty() {
            return Err(AdminError::Invalid(
                "an attestation names the officer who answers for it".to_owned(),
            ));
        }
        let (version, officer) = (questionnaire.version.clone(), officer.to_owned());
        let days = registry.programme().settings().vetting.attestation_days;
        self.change_dossier(caller, &member, move |turn, dossier| {
            once_more(dossier.attestations.iter().map(|filed| filed.at), turn.now)?;
            let attestation = Attestation { at: turn.now, version, officer, answers };
            let changed = attestation.diff(dossier.attestations.last()).len();
            let bytes = serde_json::to_vec(&attestation)
                .map_err(|error| AdminError::Invalid(format!("the attestation: {error}")))?;
            finish(dossier, &DutyOf::Attestation, turn.now, &attestation.officer, "attested");
            // An attestation that says what the last one said tells of no change.
            if changed > 0 {
                reporting::close(dossier, turn.now, &attestation.officer, "attested");
            }
            dossier.owe(DutyOf::Attestation, "answer the questionnaire", turn.now, days);
            dossier.attestations.push(attestation);
            let mut filed = Filed::new("attested", format!("{changed} answers differ from the last time"));
            filed.sha256 = Some(hex::encode(Sha256::digest(&bytes)));
            filed.alert = Some("attestation");
            Ok(filed)
        })?;
        let dossier = self.dossier(caller, &member)?;
        let mut newest = dossier.attestations.iter().rev();
        let attestation = newest.next().cloned().ok_or(AdminError::NoSuchMember(member))?;
        let diff = attestation.diff(newest.next());
        Ok(Attested { attestation, diff })
    }

    /// Records that a duty was done, with what is certified. For a disposal, that is the disposal certificate.
    ///
    /// # Errors
    ///
    /// Refuses all but the member and those who decide, and a duty that is not open.
    pub fn fulfil(
        &self,
        caller: &Caller,
        member: &MemberId,
        duty: &str,
        certificate: &str,
    ) -> Result<Vec<Moved>, AdminError> {
        if caller.member() != Some(member) {
            require(caller, DECIDES, "the member, an operator or an officer")?;
        }
        let certificate = text(certificate, "a certificate")?;
        let (id, by) = (duty.to_owned(), name_of(caller));
        let by_itself = caller.member().is_some();
        self.change_dossier(caller, member, move |turn, dossier| {
            let registry = Arc::clone(turn.registry);
            if by_itself {
                let done = dossier.duties.iter().filter_map(|duty| duty.done.as_ref());
                once_more(done.filter(|done| done.by == by).map(|done| done.at), turn.now)?;
            }
            let Some(open) = dossier.duties.iter_mut().find(|duty| duty.id == id && duty.done.is_none())
            else {
                return Err(AdminError::Invalid(format!("the member has no open duty `{id}`")));
            };
            // Whether there was anything to report, an officer may find; the member itself reports it.
            if open.of == DutyOf::Attestation || open.of == DutyOf::Report && by_itself {
                return Err(AdminError::Invalid(
                    "this duty is done by answering the questionnaire".to_owned(),
                ));
            }
            if open.of == DutyOf::Report {
                dossier.told = None;
            }
            open.done = Some(Done { at: turn.now, by, certificate: certificate.clone() });
            let of = open.of.clone();
            if let DutyOf::Instrument { instrument, duty } = &of {
                let kind =
                    dossier.instruments.iter().find(|known| known.id == *instrument).map(|i| i.kind.clone());
                let kinds = registry.programme().instruments();
                let kind = kind.and_then(|kind| kinds.iter().find(|known| known.kind == kind));
                if let Some(next) = kind.and_then(|kind| kind.duties.iter().find(|known| known.name == *duty))
                {
                    dossier.owe(of.clone(), &next.text, turn.now, next.every_days);
                }
            }
            let mut filed = Filed::new("duty done", id);
            filed.sha256 = Some(hex::encode(Sha256::digest(certificate.as_bytes())));
            filed.alert = Some("duty");
            Ok(filed)
        })
    }

    /// Records that a member disposed of what it held of a collection, with the certificate. Whatever disposal it owes is done by that; if it
    /// owes none, because one collection was closed to it and no list, the certificate stands as one that nobody asked for.
    ///
    /// # Errors
    ///
    /// Refuses all but members, for themselves, and a collection that there is not.
    pub fn certify_disposal(
        &self,
        caller: &Caller,
        collection: &str,
        certificate: &str,
    ) -> Result<Vec<Moved>, AdminError> {
        let Some(member) = caller.member().cloned() else {
            return Err(AdminError::Forbidden { needed: "a member, for itself" });
        };
        let certificate = text(certificate, "a certificate")?;
        let registry = self.inner.published.registry();
        // By the programme and not by what the member sees: it is closed to the member, most likely.
        let Some(tier) = registry.programme().find_collection(collection).map(|known| known.tier.clone())
        else {
            return Err(AdminError::Invalid(
                "the certificate is about no collection of this programme".to_owned(),
            ));
        };
        let by = name_of(caller);
        self.change_dossier(caller, &member, move |turn, dossier| {
            let done = dossier.duties.iter().filter_map(|duty| duty.done.as_ref());
            once_more(done.filter(|done| done.by == by).map(|done| done.at), turn.now)?;
            let is_owed = |duty: &Duty| matches!(duty.of, DutyOf::Disposal { .. }) && duty.done.is_none();
            if !dossier.duties.iter().any(is_owed) {
                dossier.owe(DutyOf::Disposal { tier }, "dispose of what is closed to it", turn.now, 0);
            }
            let mut names = Vec::new();
            for duty in dossier.duties.iter_mut().filter(|duty| is_owed(duty)) {
                duty.done = Some(Done { at: turn.now, by: by.clone(), certificate: certificate.clone() });
                names.push(duty.id.clone());
            }
            let mut filed = Filed::new("duty done", names.join(", "));
            filed.sha256 = Some(hex::encode(Sha256::digest(certificate.as_bytes())));
            filed.alert = Some("duty");
            Ok(filed)
        })
    }

    /// Begins the time in which a member on the list negotiates a mitigation. Where the programme asks for several people,
    /// one person begins it, and another has to begin it again: the rules are milder meanwhile.
    ///
    /// # Errors
    ///
    /// Refuses all but operators and officers, and whoever began it last.
    pub fn begin_negotiation(
        &self,
        caller: &Caller,
        member: &MemberId,
        reason: &str,
    ) -> Result<Vec<Moved>, AdminError> {
        require(caller, DECIDES, "an operator or an officer")?;
        let (reason, by) = (text(reason, "a reason")?, caller.clone());
        self.change_dossier(caller, member, move |turn, dossier| {
            let vetting = &turn.registry.programme().settings().vetting;
            let days = vetting.grace_days;
            if let Some(last) = dossier.negotiation_by.as_ref().filter(|_| vetting.quorum > 1) {
                people::check_another(turn.registry, last, &by)?;
            }
            dossier.negotiation_by = Some(people::agreement(&by, turn.now));
            dossier.negotiating_until = Some(after(turn.now, days));
            Ok(Filed::new("negotiation begun", reason))
        })
    }

    /// Files a member's appeal.
    ///
    /// # Errors
    ///
    /// Refuses all but the member, a tier that there is not, and a second appeal before the first is answered.
    pub fn appeal(&self, caller: &Caller, tier: &Tier, words: &str) -> Result<Appeal, AdminError> {
        let Some(member) = caller.member().cloned() else {
            return Err(AdminError::Forbidden { needed: "a member, for itself" });
        };
        let (words, tier) = (text(words, "an appeal")?, tier.clone());
        self.change_dossier(caller, &member, move |turn, dossier| {
            check_tier(turn, &tier)?;
            if dossier.appeals.iter().any(|appeal| appeal.tier == tier && appeal.answered.is_none()) {
                return Err(AdminError::Invalid(format!("your appeal on {tier} is not answered yet")));
            }
            let days = turn.registry.programme().settings().vetting.appeal_days;
            let subject = format!("on {tier}");
            let due = after(turn.now, days);
            dossier.appeals.push(Appeal { tier, at: turn.now, due, text: words, answered: None });
            let mut filed = Filed::new("appealed", subject);
            filed.alert = Some("appeal");
            Ok(filed)
        })?;
        let dossier = self.dossier(caller, &member)?;
        dossier.appeals.last().cloned().ok_or(AdminError::NoSuchMember(member))
    }

    /// Answers a member's oldest open appeal on a tier.
    ///
    /// # Errors
    ///
    /// Refuses all but operators and officers, and where there is no open appeal.
    pub fn answer_appeal(
        &self,
        caller: &Caller,
        member: &MemberId,
        tier: &Tier,
        answer: &str,
    ) -> Result<Vec<Moved>, AdminError> {
        require(caller, DECIDES, "an operator or an officer")?;
        let (reason, tier, by) = (text(answer, "an answer")?, tier.clone(), name_of(caller));
        self.change_dossier(caller, member, move |turn, dossier| {
            let mut open = dossier.appeals.iter_mut().filter(|appeal| appeal.answered.is_none());
            let Some(appeal) = open.find(|appeal| appeal.tier == tier) else {
                return Err(AdminError::Invalid(format!("there is no open appeal on {tier}")));
            };
            appeal.answered = Some(Concluded { at: turn.now, by, reason: reason.clone() });
            Ok(Filed::new("appeal answered", reason))
        })
    }

    /// Concludes the open review on a tier: somebody looked, and the same rules open no other.
    ///
    /// # Errors
    ///
    /// Refuses all but operators and officers, and where no review is open.
    pub fn conclude_review(
        &self,
        caller: &Caller,
        member: &MemberId,
        tier: &Tier,
        reason: &str,
    ) -> Result<Vec<Moved>, AdminError> {
        require(caller, DECIDES, "an operator or an officer")?;
        let (reason, tier, by) = (text(reason, "a finding")?, tier.clone(), name_of(caller));
        self.change_dossier(caller, member, move |turn, dossier| {
            let open = dossier.reviews.get_mut(&tier).filter(|review| review.concluded.is_none());
            let Some(review) = open else {
                return Err(AdminError::Invalid(format!("no review is open on {tier}")));
            };
            review.concluded = Some(Concluded { at: turn.now, by, reason: reason.clone() });
            Ok(Filed::new("review concluded", format!("on {tier}: {reason}")))
        })
    }

    /// Lets time do its work if there is any: a new day, on which ties begin and end, or something that came due; keeps
    /// what was heard of guards, holds the ledger to its head, and reads on where in it to look for whom. A reconciler calls it every second.
    ///
    /// # Errors
    ///
    /// Fails if nothing could be written.
    pub fn tend_if_due(&self) -> Result<Vec<Moved>, AdminError> {
        self.keep_guards()?;
        self.check_ledger();
        self.inner.spans.read_on(self.inner.store.snapshot()?.as_ref(), SPANS_READ)?;
        let now = self.inner.clock.now();
        let last = Timestamp::from_micros(self.inner.tended.load(Ordering::SeqCst));
        let registry = self.inner.published.registry();
        let came_due = |at: Timestamp| last < at && at < now;
        let is_due = |dossier: &Dossier| {
            dossier.duties.iter().any(|duty| duty.done.is_none() && came_due(duty.due))
                || dossier.reviews.values().any(|review| review.concluded.is_none() && came_due(review.due))
                || dossier.negotiating_until.is_some_and(came_due)
        };
        let is_new_day = Day::of(last) != Day::of(now);
        // What is overdue is looked at once a day besides: the number of days counts.
        if is_new_day || registry.dossiers.values().any(|dossier| is_due(dossier)) {
            self.tend()
        } else {
            Ok(Vec::new())
        }
    }

    /// Lets time do its work: ties that begin and end, duties and reviews that come due.
    ///
    /// # Errors
    ///
    /// Fails if nothing could be written.
    pub fn tend(&self) -> Result<Vec<Moved>, AdminError> {
        let inner = Arc::clone(&self.inner);
        let tended = inner.tended.swap(inner.clock.now().as_micros(), Ordering::SeqCst);
        let has_work = inner.published.registry().dossiers.values().any(|dossier| dossier.entity.is_some());
        if !has_work {
            return Ok(Vec::new());
        }
        let result = self.inner.writer.decide(Instants::HandsOut, move |turn| -> Result<_, AdminError> {
            let at = turn.instant(0);
            let ties = inner.recorded.current(turn, inner.store.as_ref())?;
            Ok(evaluate(&inner, turn, &ties, None, at)?)
        });
        // What was not done is still to be done.
        let (moved, last) = result.inspect_err(|_| self.inner.tended.store(tended, Ordering::SeqCst))?;
        self.wait_for(&moved, last)?;
        Ok(moved)
    }

    /// Changes a dossier, records that, and decides anew on the member.
    fn change_dossier(
        &self,
        caller: &Caller,
        member: &MemberId,
        change: impl FnOnce(&mut Hand<'_>, &mut Dossier) -> Result<Filed, AdminError> + Send + 'static,
    ) -> Result<Vec<Moved>, AdminError> {
        let (inner, by, caller, id) =
            (Arc::clone(&self.inner), name_of(caller), caller.clone(), member.clone());
        let (moved, last) =
            self.inner.writer.decide(Instants::HandsOut, move |turn| -> Result<_, AdminError> {
                still_accepted(turn, &caller)?;
                if !turn.registry.members.contains_key(&id) {
                    return Err(AdminError::NoSuchMember(id));
                }
                let mut dossier = turn.registry.dossier(&id);
                let filed = change(turn, &mut dossier)?;
                file(turn, &inner, &id, &dossier, filed, by)
            })?;
        self.wait_for(&moved, last)?;
        Ok(moved)
    }

    /// Answers when what the moves opened is due.
    pub(crate) fn wait_for(&self, moved: &[Moved], last: model::Timestamp) -> Result<(), AdminError> {
        self.inner.wait_until(last);
        for moved in moved.iter().filter(|moved| moved.from != moved.to) {
            let due = self.inner.end_of_back_fill(&Principal::Member(moved.member.clone()))?;
            self.inner.wait_until(due.map_or(last, |due| due.max(last)));
        }
        Ok(())
    }
}

/// What was filed in a dossier, for the ledger.
pub(crate) struct Filed {
    action: &'static str,
    subject: String,
    sha256: Option<String>,
    alert: Option<&'static str>,
}

impl Filed {
    pub(crate) fn new(action: &'static str, subject: String) -> Self {
        Self { action, subject, sha256: None, alert: None }
    }
}

pub(crate) fn file(
    turn: &mut Hand<'_>,
    inner: &Inner,
    member: &MemberId,
    dossier: &Dossier,
    filed: Filed,
    by: String,
) -> Result<Vec<Moved>, AdminError> {
    let at = turn.instant(0);
    put_dossier(turn, member, dossier)?;
    let Filed { action, subject, sha256, alert } = filed;
    if let Some(kind) = alert {
        let text = format!("{member}: {action}, {subject}");
        alerts::put(turn, &Alert::new(kind, Some(member), text, at))?;
    }
    let entry = Vetting {
        at: at.to_string(),
        member: Some(member.to_string()),
        action: action.to_owned(),
        subject,
        by,
        sha256,
    };
    turn.record(&Body::Vetting(entry))?;
    let ties = inner.recorded.current(turn, inner.store.as_ref())?;
    Ok(evaluate(inner, turn, &ties, Some(&[member.clone()].into()), at)?)
}

/// Marks the oldest open duty of a kind as done.
fn finish(dossier: &mut Dossier, of: &DutyOf, at: model::Timestamp, by: &str, certificate: &str) {
    if let Some(duty) = dossier.duties.iter_mut().find(|duty| duty.of == *of && duty.done.is_none()) {
        duty.done = Some(Done { at, by: by.to_owned(), certificate: certificate.to_owned() });
    }
}

/// An instrument is named in paths, and holds for some time.
fn check_instrument(instrument: &Instrument) -> Result<(), AdminError> {
    let id = &instrument.id;
    let is_name = (1..=INSTRUMENT_ID_LENGTH_MAX).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
    if !is_name {
        let message = format!(
            "an instrument's id is 1 to {INSTRUMENT_ID_LENGTH_MAX} characters of ASCII without a slash or a space"
        );
        return Err(AdminError::Invalid(message));
    }
    if instrument.valid.is_backwards() {
        return Err(AdminError::Invalid(format!("the instrument `{id}` ends before it begins")));
    }
    Ok(())
}

/// Refuses a member that files the same kind of thing again and again: its dossier keeps all of it.
fn once_more(filed: impl Iterator<Item = Timestamp>, now: Timestamp) -> Result<(), AdminError> {
    if filed.filter(|at| now < after(*at, 1)).count() < FILED_A_DAY_MAX {
        return Ok(());
    }
    Err(AdminError::Invalid(format!(
        "you filed {FILED_A_DAY_MAX} of these within a day; file the next tomorrow"
    )))
}

fn text(words: &str, what: &str) -> Result<String, AdminError> {
    if words.trim().is_empty() {
        return Err(AdminError::Invalid(format!("{what} is empty")));
    }
    if words.len() > TEXT_MAX {
        return Err(AdminError::Invalid(format!("{what} is longer than {TEXT_MAX} bytes")));
    }
    Ok(words.trim().to_owned())
}
