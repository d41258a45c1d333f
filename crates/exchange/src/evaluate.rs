//! From ties to standings, inside one transaction.
//!
//! Whatever changes what is known (a tie, a list, an instrument, a duty done, a day that passed), the same function
//! looks at the members concerned: [`evaluate`] decides anew, makes the steps that follow by themselves, opens reviews
//! and proposals, writes the decisions with their proofs, and opens and closes grants under one epoch. Nothing of it is
//! seen before all of it is durable.

use std::collections::BTreeSet;
use std::sync::Arc;

use ledger::Body;
use ledger::entry;
use model::{Grade, Member, MemberId, Principal, Standing, StandingChange, Tier, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::StoreError;
use ties::Registry as Ties;
use vetting::Decision;

use crate::alerts::{self, Alert};
use crate::deciding::{self, Chosen, Worked};
use crate::dossier::{Decided, Dossier, DutyOf, Override, Proposal, Values, is_worse};
use crate::exchange::{Hand, Inner};
use crate::members::put_same_identity;
use crate::notice::{self, Closed};
use crate::past::{self, Past};
use crate::procedure::{self, Follows, Known};
use crate::registry::{DECISION, DOSSIER, ReaderGrants, Registry};
use crate::reporting;
use crate::writer::Judging;

/// Who decided, where no person did.
pub(crate) const THE_RULES: &str = "the rules";

/// What became of one member on one tier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// The member.
    pub member: MemberId,
    /// Its name.
    pub name: String,
    /// The tier.
    pub tier: Tier,
    /// The grade before; `None` if it was never decided on.
    pub grade_before: Option<Grade>,
    /// The grade now.
    pub grade: Grade,
    /// The standing before.
    pub from: Standing,
    /// The standing now.
    pub to: Standing,
    /// The rules that apply now.
    pub rules: BTreeSet<String>,
    /// The step that was proposed, if one was.
    pub proposed: Option<Standing>,
}

/// A member whose record changes.
pub(crate) struct Changing {
    pub(crate) member: Member,
    dossier: Dossier,
    known: Option<ReaderGrants>,
    pub(crate) steps: Vec<StandingChange>,
    touched: bool,
}

impl Changing {
    pub(crate) fn new((member, dossier): Chosen<'_>) -> Self {
        let (member, dossier) = (member.clone(), dossier.clone());
        Self { member, dossier, known: None, steps: Vec::new(), touched: false }
    }
}

/// Decides anew on the members in `who`, or on all, as of `at`, and lets follow what follows.
pub(crate) fn evaluate(
    inner: &Inner,
    turn: &mut Hand<'_>,
    ties: &Ties,
    who: Option<&BTreeSet<MemberId>>,
    at: Timestamp,
) -> Result<Vec<Moved>, StoreError> {
    evaluate_news(inner, turn, ties, who, Some(&BTreeSet::new()), at)
}

/// As [`evaluate`], after others said something new about the members in `talked_about`, or about all.
pub(crate) fn evaluate_news(
    inner: &Inner,
    turn: &mut Hand<'_>,
    ties: &Ties,
    who: Option<&BTreeSet<MemberId>>,
    talked_about: Option<&BTreeSet<MemberId>>,
    at: Timestamp,
) -> Result<Vec<Moved>, StoreError> {
    let before = Arc::clone(turn.registry);
    let mut moved = Vec::new();
    let mut changing = Vec::new();
    let chosen = before.dossiers.iter().filter(|(id, _)| who.is_none_or(|who| who.contains(*id)));
    let chosen: Vec<Chosen<'_>> =
        chosen.filter_map(|(id, dossier)| Some((before.members.get(id)?, dossier.as_ref()))).collect();
    deciding::all(&before, ties, at, &chosen, |chosen, worked| {
        let mut one = Changing::new(chosen);
        let is_talked_about = talked_about.is_none_or(|whom| whom.contains(&one.member.id));
        follow_all(turn, worked, &mut one, is_talked_about, at, &mut moved)?;
        if !one.steps.is_empty() {
            one.known = Some(inner.grants_of(&Principal::Member(one.member.id.clone()), &before)?);
        }
        if one.touched {
            changing.push(one);
        }
        Ok(())
    })?;
    let epoch =
        if changing.iter().any(|one| !one.steps.is_empty()) { turn.begin_epoch() } else { turn.epoch() };
    let mut judging = Judging::all(&before);
    let mut closed = Vec::new();
    for one in &changing {
        put_dossier(turn, &one.member.id, &one.dossier)?;
        if one.steps.is_empty() {
            continue;
        }
        let mut member = one.member.clone();
        member.since = at;
        put_same_identity(turn, &member)?;
        let principal = Principal::Member(member.id.clone());
        if let Some(known) = &one.known {
            turn.reform(&principal, known, &before, at, &mut judging)?;
        }
        for step in &one.steps {
            let proof = one.dossier.decided.get(&step.tier).map(|decided| decided.sha256.clone());
            record_step(turn, step, epoch.number(), proof)?;
            closed.extend(Closed::by(step, &member, &one.dossier));
        }
    }
    notice::tell(turn, &closed)?;
    Ok(moved)
}

/// What follows for one member, tier by tier.
fn follow_all(
    turn: &mut Hand<'_>,
    worked: Worked,
    one: &mut Changing,
    is_talked_about: bool,
    at: Timestamp,
    moved: &mut Vec<Moved>,
) -> Result<(), StoreError> {
    let registry = Arc::clone(turn.registry);
    let owed = (one.dossier.told.clone(), one.dossier.duties.len());
    let settings = &registry.programme().settings().vetting;
    if reporting::compare(&mut one.dossier, worked.facts, is_talked_about, at, settings) {
        let text = format!("{}: a change became known that it has to report", one.member.id);
        alerts::put(turn, &Alert::new("duty", Some(&one.member.id), text, at))?;
    }
    one.touched |= owed != (one.dossier.told.clone(), one.dossier.duties.len());
    for (decision, content) in worked.decisions {
        follow_one(turn, &decision, content, one, at, moved)?;
    }
    Ok(())
}

/// What follows for one member on one tier.
fn follow_one(
    turn: &mut Hand<'_>,
    decision: &Decision,
    content: String,
    one: &mut Changing,
    at: Timestamp,
    moved: &mut Vec<Moved>,
) -> Result<(), StoreError> {
    let registry = Arc::clone(turn.registry);
    let (tier, grade, rules) = (&decision.tier, decision.grade, rules_of(decision));
    let old = one.dossier.decided.get(tier).cloned();
    let changed =
        old.as_ref().and_then(|old| deciding::changed(old.values.as_ref()?, &deciding::values(decision)));
    let is_other = is_other(old.as_ref(), decision, &content);
    let sha256 = if is_other { write(turn, &one.member.id, decision, at)? } else { String::new() };
    let steps = one.steps.len();
    let told = follow_decision(&registry, one, decision, content, sha256, at);
    if is_other && one.steps.len() == steps {
        // A step is an entry that names its decision; what moves no standing has one of its own.
        record_decision(turn, one, decision, old.as_ref(), at)?;
    }
    if let Some(told) = told {
        alerts::put(turn, &Alert::moved(&told, &decision.verdict(), at))?;
        moved.push(told);
    } else if let Some(changed) = changed {
        // The grade and the rules are the same, and what they are about is not.
        let text = format!("{} On {tier}: {changed}.", decision.verdict());
        let alert = Alert {
            tier: Some(tier.clone()),
            grade: Some(grade),
            rules,
            ..Alert::new("decision", Some(&one.member.id), text, at)
        };
        alerts::put(turn, &alert)?;
    }
    Ok(())
}

/// Whether a decision is another than the last one on its tier, be it for other reasons only.
fn is_other(old: Option<&Decided>, decision: &Decision, content: &str) -> bool {
    has_moved(old, decision) || old.is_none_or(|old| old.content != content)
}

/// Whether a decision has another grade than the last one on its tier, or other rules.
fn has_moved(old: Option<&Decided>, decision: &Decision) -> bool {
    old.is_none_or(|old| {
        (old.grade, old.possible) != (decision.grade, decision.possible) || old.rules != rules_of(decision)
    })
}

/// What follows from a decision for one member, and who moved by it. Nothing is written: what would follow is found out
/// in the same way.
pub(crate) fn follow_decision(
    registry: &Registry,
    one: &mut Changing,
    decision: &Decision,
    content: String,
    sha256: String,
    at: Timestamp,
) -> Option<Moved> {
    let (tier, grade, rules) = (&decision.tier, decision.grade, rules_of(decision));
    let from = one.member.standing(tier);
    let old = one.dossier.decided.get(tier).cloned();
    let news = has_moved(old.as_ref(), decision);
    if is_other(old.as_ref(), decision, &content) {
        note(one, decision, content, sha256, &rules, at);
    }
    let asking = decision.findings.iter().filter(|finding| finding.grade >= Grade::Review);
    let asking = asking.map(|finding| finding.rule.clone()).collect();
    let proposed = follow(registry, one, tier, grade, &asking, at);
    let to = one.member.standing(tier);
    (news || to != from || proposed.is_some()).then(|| Moved {
        member: one.member.id.clone(),
        name: one.member.name.clone(),
        tier: tier.clone(),
        grade_before: old.map(|old| old.grade),
        grade,
        from,
        to,
        rules,
        proposed,
    })
}

pub(crate) fn rules_of(decision: &Decision) -> BTreeSet<String> {
    decision.findings.iter().map(|finding| finding.rule.clone()).collect()
}

/// Writes the decision with its proof, and answers with the SHA-256 of that.
fn write(
    turn: &mut Hand<'_>,
    member: &MemberId,
    decision: &Decision,
    at: Timestamp,
) -> Result<String, StoreError> {
    let bytes =
        serde_json::to_vec(decision).map_err(|error| StoreError::failed("writing a decision", error))?;
    let sha256 = hex::encode(Sha256::digest(&bytes));
    let key = decision_key(member, &decision.tier, at);
    turn.write().put(store::Record { kind: DECISION.to_owned(), key, value: bytes })?;
    Ok(sha256)
}

/// Notes a decision in the dossier.
fn note(
    one: &mut Changing,
    decision: &Decision,
    content: String,
    sha256: String,
    rules: &BTreeSet<String>,
    at: Timestamp,
) {
    let (tier, grade, possible) = (&decision.tier, decision.grade, decision.possible);
    let values = Some(deciding::values(decision));
    let worse = |old: &Option<Values>| is_worse(values.as_ref(), old.as_ref());
    let lapsed = |over: &Override| over.rules != *rules || worse(&over.values);
    if one.dossier.overrides.get(tier).is_some_and(lapsed) {
        one.dossier.overrides.remove(tier);
    }
    let decided = Decided { grade, possible, rules: rules.clone(), at, sha256, content, values };
    let old = one.dossier.decided.insert(tier.clone(), decided);
    // Whoever agreed that it come onto the list agreed to that under the rules that applied then.
    if old.is_none_or(|old| old.grade != grade || old.rules != *rules)
        && one.dossier.proposals.get(tier).is_some_and(|waiting| waiting.to.is_on_the_list())
    {
        one.dossier.proposals.remove(tier);
    }
    one.touched = true;
}

/// Writes to the ledger that a decision is another than the last one, where no step does.
fn record_decision(
    turn: &mut Hand<'_>,
    one: &Changing,
    decision: &Decision,
    old: Option<&Decided>,
    at: Timestamp,
) -> Result<(), StoreError> {
    let Decision { tier, grade, .. } = decision;
    let subject = match old {
        None => format!("{grade} on {tier}"),
        Some(old) if old.grade != *grade => format!("{grade} on {tier}, before {}", old.grade),
        Some(old) if old.rules != rules_of(decision) => {
            format!("{grade} on {tier} as before, by other rules")
        }
        Some(_) => format!("{grade} on {tier} as before, for other reasons"),
    };
    turn.record(&Body::Vetting(entry::Vetting {
        at: at.to_string(),
        member: Some(one.member.id.to_string()),
        action: "decided".to_owned(),
        subject,
        by: THE_RULES.to_owned(),
        sha256: one.dossier.decided.get(tier).map(|decided| decided.sha256.clone()),
    }))?;
    Ok(())
}

/// The key of a decision's record; keys sort by member, tier and time.
pub(crate) fn decision_key(member: &MemberId, tier: &Tier, at: Timestamp) -> String {
    format!("{member}/{tier}/{:020}", at.as_micros())
}

/// Lets follow what follows from the grade; returns the step that was proposed.
fn follow(
    registry: &Registry,
    one: &mut Changing,
    tier: &Tier,
    grade: Grade,
    rules: &BTreeSet<String>,
    at: Timestamp,
) -> Option<Standing> {
    let settings = &registry.programme().settings().vetting;
    // A review whose reason is gone ends by itself.
    if grade < Grade::Review && one.dossier.reviews.get(tier).is_some_and(|review| review.concluded.is_none())
    {
        one.dossier.reviews.remove(tier);
        one.touched = true;
    }
    let review = one.dossier.reviews.get(tier).filter(|review| review.concluded.is_none());
    let known = Known {
        overridden: one.dossier.overrides.contains_key(tier),
        by_rules: one.dossier.by_rules.contains(tier),
        overdue: review.is_some_and(|review| review.due < at),
    };
    let from = one.member.standing(tier);
    match procedure::follows(from, grade, known) {
        Follows::Nothing => None,
        Follows::Review => {
            let before = one.dossier.reviews.clone();
            let values = one.dossier.decided.get(tier).and_then(|decided| decided.values.clone());
            one.dossier.review(tier, rules, values.as_ref(), at, settings);
            one.touched |= before != one.dossier.reviews;
            None
        }
        Follows::Step(to) => {
            step(one, tier, to, grade, rules, at, settings.disposal_days);
            None
        }
        Follows::Proposal(to) => {
            let pending = one.dossier.proposals.get(tier);
            if pending.is_some_and(|pending| pending.to == to) {
                return None;
            }
            let needs = procedure::people(from, to, grade, settings.quorum);
            let proposal = Proposal {
                member: one.member.id.clone(),
                tier: tier.clone(),
                from,
                to,
                reason: format!("the rules would have it {to} (grade {grade})"),
                at,
                agreed: Vec::new(),
                needs,
            };
            one.dossier.proposals.insert(tier.clone(), proposal);
            one.touched = true;
            Some(to)
        }
    }
}

/// A step that follows from the rules.
fn step(
    one: &mut Changing,
    tier: &Tier,
    to: Standing,
    grade: Grade,
    rules: &BTreeSet<String>,
    at: Timestamp,
    disposal_days: u32,
) {
    let from = one.member.standing(tier);
    // INVARIANT: the procedure's table has only steps that the standing allows; its test walks all of them.
    let Ok(to) = from.change(to) else { return };
    one.member.standings.insert(tier.clone(), to);
    if to == Standing::Listed {
        one.dossier.by_rules.remove(tier);
    } else {
        one.dossier.by_rules.insert(tier.clone());
    }
    one.dossier.proposals.remove(tier);
    leaves_the_list(&mut one.dossier, tier, from, to, at, disposal_days);
    let named = rules.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let reason = if to == Standing::UnderReview {
        "a review was not concluded in time".to_owned()
    } else {
        format!("grade {grade}, by {}", if named.is_empty() { "no rule" } else { &named })
    };
    let (member, tier, by) = (one.member.id.clone(), tier.clone(), THE_RULES.to_owned());
    one.steps.push(StandingChange { member, tier, from, to, by, reason, at });
    one.touched = true;
}

/// Who is taken off a list has to return or dispose of what it holds of it.
pub(crate) fn leaves_the_list(
    dossier: &mut Dossier,
    tier: &Tier,
    from: Standing,
    to: Standing,
    at: Timestamp,
    disposal_days: u32,
) {
    if from.is_on_the_list() && matches!(to, Standing::Suspended | Standing::Removed) {
        let of = DutyOf::Disposal { tier: tier.clone() };
        let text = format!("return or dispose of what it holds of the tier {tier}, and certify that");
        dossier.owe(of, &text, at, disposal_days);
    }
    if to.is_on_the_list() {
        // What it held it may hold again.
        dossier
            .duties
            .retain(|duty| duty.done.is_some() || duty.of != DutyOf::Disposal { tier: tier.clone() });
    }
}

/// Writes a step to the ledger.
pub(crate) fn record_step(
    turn: &mut Hand<'_>,
    step: &StandingChange,
    epoch: u64,
    proof: Option<String>,
) -> Result<(), StoreError> {
    turn.record(&Body::Decision(entry::Decision {
        at: step.at.to_string(),
        member: step.member.to_string(),
        tier: step.tier.to_string(),
        from: step.from.to_string(),
        to: step.to.to_string(),
        by: step.by.clone(),
        reason: step.reason.clone(),
        epoch,
        proof,
    }))?;
    Ok(())
}

/// Writes a dossier, and keeps it in the registry.
pub(crate) fn put_dossier(
    turn: &mut Hand<'_>,
    member: &MemberId,
    dossier: &Dossier,
) -> Result<(), StoreError> {
    let before = Past::now(turn.registry, member);
    turn.put_json(DOSSIER, member.as_str(), dossier)?;
    let registry = Arc::make_mut(turn.registry);
    Arc::make_mut(&mut registry.dossiers).insert(member.clone(), Arc::new(dossier.clone()));
    past::keep(turn, member, &before)
}
