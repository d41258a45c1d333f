//! Does standing decide, whatever the programme's policies say? Proved by walking everything that they can tell apart.
//!
//! Cases show that a policy gives the answers that somebody thought of. What nobody thought of is where a policy goes
//! wrong in silence: a `permit` that forgot to ask for the list, a `forbid` that was the only thing between a suspended member
//! and content. Three claims ([`Claim`]) are what a programme stands on, so all of its edits are held to them.
//!
//! # Why the walk is exhaustive
//!
//! A policy is an expression over what the hub tells Cedar: attributes of the reader and of the label or collection, and
//! five answers about ACS markings. Two readers, or two labels, that agree in every attribute that a policy names, as
//! far as it can tell values apart, get the same answer from it; so one of each such class is enough ([`space`]):
//!
//! - *Standing* reaches the policies as two sets, the tiers on whose list the member is and those where it is there with
//!   conditions. Seven standings are three classes on each tier: off the list, on it, on it with conditions.
//! - TLP, PAP, unknown markings, kinds, collections and tiers have few values, and all are taken. A tier and a
//!   collection that the programme no longer has are among them, because labels outlive an edit.
//! - A submitter, and the members of an audience, are compared with the reader and with members that a policy names.
//!   All of these are taken, and one member who is none of them, in every combination.
//! - ACS markings are answered by code before the policies see them. Of the 32 combinations of the five answers 14 can
//!   occur, and all are taken, as markings that give them.
//! - Texts and tokens of members are free, but a policy compares them with texts that it names: every combination of
//!   those and of one other text is taken. Clearance is compared with numbers: those named, and their neighbours.
//! - Where that reasoning does not carry (wildcards, two free texts compared with each other, very many constants), the
//!   proof says that it is not whole, and why ([`Proof::gaps`]). It is never silently less than it claims.
//!
//! The product of the classes is too large to be asked one by one: some hundred thousand labels, by thousands of readers. But
//! Cedar's answer is *some permit applies, and no forbid does*, and each policy names few attributes. So the walk goes
//! through the product attribute by attribute, asks each policy as soon as what it names is settled, once for all places
//! that agree on it, and leaves a branch where the answer is already no. Policies are asked by the same code and the same
//! engine that answers members; what a walk finds is asked once more of the whole policy before it is told.
//!
//! Worked example: let somebody add `permit (principal is Member, action == Action::"read", resource is Label) when {
//! resource.tlp == 0 };`. For the second claim the walk settles the TLP level first, drops all but CLEAR because the new permit
//! does not apply, and goes on through the rest until no forbid applies: a suspended provider reads a TLP:CLEAR object of
//! the tier `cleared`. That is the counterexample.

mod space;
mod telling;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use cedar_policy::{ActionConstraint, Effect, PolicySet, PrincipalConstraint};
use model::{Member, Standing};
use programme::CaseAction;

use crate::{Label, Policy, Reader, Verdict};
use space::{Place, Space};
use words::Words;

/// How many places one walk looks at before it gives up and says so. A walk through the template takes a few hundred.
const PLACES_MAX: usize = 300_000;

/// What has to hold in every programme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claim {
    /// A member that is on no list has no content and sees no collection.
    NothingWithoutStanding,
    /// A member off the list of a tier has none of that tier's content and sees none of its collections.
    TierTakesItsStanding,
    /// Whatever a suspended member may do, it may do on the list as well.
    SuspensionTakesAway,
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NothingWithoutStanding => "nothing is readable without standing",
            Self::TierTakesItsStanding => "what a tier holds takes standing on that tier",
            Self::SuspensionTakesAway => "suspension only takes away",
        })
    }
}

/// One place at which a claim does not hold.
#[derive(Clone, Debug)]
pub struct Counterexample {
    /// The claim.
    pub claim: Claim,
    /// The policy that breaks it.
    pub policy: String,
    /// What the member may do, and should not.
    pub action: CaseAction,
    /// Who.
    pub member: Member,
    /// With what; of a question about a collection, only its collection counts.
    pub label: Label,
    /// What the programme's policies answer.
    pub verdict: Verdict,
    /// For [`Claim::SuspensionTakesAway`]: the same member on the list, to whom the answer is no.
    pub on_the_list: Option<(Member, Verdict)>,
}

/// What the walk found.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    /// Where a claim does not hold: one place for each claim and policy that breaks it.
    pub counterexamples: Vec<Counterexample>,
    /// Why the walk did not reach everything, if so.
    pub gaps: Vec<String>,
    /// How many classes of readers the policies can tell apart.
    pub readers: u128,
    /// How many classes of labels.
    pub labels: u128,
    /// How many questions had to be asked.
    pub questions: usize,
}

impl Proof {
    /// Whether every claim holds everywhere, and the walk reached everything.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.counterexamples.is_empty() && self.gaps.is_empty()
    }
}

impl Counterexample {
    /// Whether `policy` answers what this says that it answers.
    #[must_use]
    pub fn holds_against(&self, policy: &Policy) -> bool {
        let may = |member| policy.judge(Reader::Member(member)).may(self.action, &self.label).permitted;
        may(&self.member) && self.on_the_list.as_ref().is_none_or(|(member, _)| !may(member))
    }
}

/// Walks everything that the programme's release policies can tell apart.
#[must_use]
pub fn prove(policy: &Policy) -> Proof {
    let mut read = Vec::new();
    let mut gaps = Vec::new();
    for one in policy.programme().policies().release().policies() {
        let rule = policy.programme().policies().rule(one.id());
        let id = rule.map_or_else(|| one.id().to_string(), |rule| rule.id.clone());
        match Words::of(one) {
            Ok(words) => read.push((one, id, words)),
            Err(error) => gaps.push(format!("`{id}` cannot be read ({error})")),
        }
    }
    let named: Vec<_> = read.iter().map(|(_, id, words)| (id.clone(), words.clone())).collect();
    let space = Space::new(policy, &named);
    let mut walk = Walk::new(policy, &space);
    for (one, id, words) in read {
        walk.add(one, id, &words);
    }
    let mut counterexamples = Vec::new();
    for claim in [Claim::NothingWithoutStanding, Claim::TierTakesItsStanding, Claim::SuspensionTakesAway] {
        counterexamples.extend(walk.examine(claim));
    }
    gaps.extend(space.gaps.iter().cloned());
    gaps.extend(std::mem::take(&mut walk.gaps));
    let (readers, labels) = space.classes();
    Proof { counterexamples, gaps, readers, labels, questions: walk.answers.len() }
}

/// What one policy says at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Applies,
    Silent,
    /// It could not be evaluated, which closes.
    Fails,
}

struct Part {
    id: String,
    alone: PolicySet,
    forbids: bool,
    /// For each action that it can speak of for members: the variables on which its answer depends.
    asks: BTreeMap<&'static str, Vec<usize>>,
}

impl Part {
    fn blocks(&self, answer: Answer) -> bool {
        match answer {
            Answer::Applies => self.forbids,
            Answer::Silent => false,
            Answer::Fails => true,
        }
    }
}

/// What a walk looks for: a place where `culprit` opens what `claim` closes.
#[derive(Clone, Copy)]
struct Goal {
    claim: Claim,
    action: CaseAction,
    culprit: usize,
    /// For a suspension: the variable of the tier's standing, and the value before.
    suspended: Option<(usize, usize)>,
}

struct Walk<'a> {
    policy: &'a Policy,
    space: &'a Space,
    parts: Vec<Part>,
    answers: BTreeMap<(usize, &'static str, Vec<usize>), Answer>,
    left: usize,
    gaps: BTreeSet<String>,
}

impl<'a> Walk<'a> {
    fn new(policy: &'a Policy, space: &'a Space) -> Self {
        Self { policy, space, parts: Vec::new(), answers: BTreeMap::new(), left: 0, gaps: BTreeSet::new() }
    }

    fn add(&mut self, policy: &cedar_policy::Policy, id: String, words: &Words) {
        let of_members = match policy.principal_constraint() {
            PrincipalConstraint::Is(kind) | PrincipalConstraint::IsIn(kind, _) => kind.basename() == "Member",
            PrincipalConstraint::Eq(one) => one.type_name().basename() == "Member",
            PrincipalConstraint::Any | PrincipalConstraint::In(_) => true,
        };
        let speaks_of = |action: CaseAction| match policy.action_constraint() {
            ActionConstraint::Eq(one) => one.id().unescaped() == action.as_str(),
            ActionConstraint::Any | ActionConstraint::In(_) => true,
        };
        let actions = CaseAction::ALL.into_iter().filter(|action| of_members && speaks_of(*action));
        let asks = actions.map(|action| (action.as_str(), self.space.asked_by(words, action))).collect();
        let mut alone = PolicySet::new();
        match alone.add(policy.clone()) {
            Ok(()) => {}
            Err(error) => drop(self.gaps.insert(format!("`{id}` cannot be asked alone ({error})"))),
        }
        self.parts.push(Part { id, alone, forbids: policy.effect() == Effect::Forbid, asks });
    }

    /// The first counterexample for each policy that breaks the claim.
    fn examine(&mut self, claim: Claim) -> Vec<Counterexample> {
        let mut found = Vec::new();
        for culprit in 0..self.parts.len() {
            let goals = self.goals(claim, culprit);
            found.extend(goals.into_iter().find_map(|goal| self.pursue(goal)));
        }
        found
    }

    fn goals(&self, claim: Claim, culprit: usize) -> Vec<Goal> {
        let part = &self.parts[culprit];
        let actions = CaseAction::ALL.into_iter().filter(|action| part.asks.contains_key(action.as_str()));
        match claim {
            // Whoever may publish reads nothing by that, so a programme may take submissions from applicants.
            Claim::NothingWithoutStanding | Claim::TierTakesItsStanding => actions
                .filter(|action| *action != CaseAction::Publish && !part.forbids)
                .map(|action| Goal { claim, action, culprit, suspended: None })
                .collect(),
            // Only a policy that asks for standing can answer otherwise when nothing but standing changes.
            Claim::SuspensionTakesAway => actions
                .flat_map(|action| (0..self.space.tiers.len()).map(move |tier| (action, tier)))
                .flat_map(|(action, tier)| self.space.on_the_list().map(move |before| (action, tier, before)))
                .map(|(action, tier, before)| (action, self.space.standing_of(tier), before))
                .filter(|(action, standing, _)| part.asks[action.as_str()].contains(standing))
                .map(|(action, standing, before)| Goal {
                    claim,
                    action,
                    culprit,
                    suspended: Some((standing, before)),
                })
                .collect(),
        }
    }

    fn pursue(&mut self, goal: Goal) -> Option<Counterexample> {
        let order = self.order(goal);
        let mut place: Place = vec![Some(0); self.space.len()];
        for variable in &order {
            place[*variable] = None;
        }
        self.left = PLACES_MAX;
        let reached = self.descend(goal, &order, &mut place);
        if self.left == 0 {
            let id = &self.parts[goal.culprit].id;
            self.gaps
                .insert(format!("{}: the walk for `{id}` is longer than {PLACES_MAX} places", goal.claim));
        }
        if reached { self.told(goal, &place) } else { None }
    }

    /// In which order a walk settles what it has to settle: first what the culprit asks for, then what decides about
    /// standing, because there most branches end.
    fn order(&self, goal: Goal) -> Vec<usize> {
        let action = goal.action.as_str();
        let asked: BTreeSet<usize> =
            self.parts.iter().filter_map(|part| part.asks.get(action)).flatten().copied().collect();
        let standings: Vec<usize> =
            (0..self.space.tiers.len()).map(|tier| self.space.standing_of(tier)).collect();
        let mut order = self.parts[goal.culprit].asks[action].clone();
        // The claim asks for the tier, whether a policy does or not.
        order.push(self.space.tier());
        order.extend(standings.iter().filter(|standing| asked.contains(standing)));
        order.extend(asked);
        let settled = |variable: usize| match goal.claim {
            Claim::NothingWithoutStanding => standings.contains(&variable),
            Claim::TierTakesItsStanding => false,
            Claim::SuspensionTakesAway => goal.suspended.is_some_and(|(standing, _)| standing == variable),
        };
        let mut seen = BTreeSet::new();
        order.retain(|variable| !settled(*variable) && seen.insert(*variable));
        order
    }

    /// Settles what is open in `order`, one variable after the other, and leaves `place` where the goal is reached.
    fn descend(&mut self, goal: Goal, order: &[usize], place: &mut Place) -> bool {
        self.left = self.left.saturating_sub(1);
        if self.left == 0 || self.is_hopeless(goal, place, order.is_empty()) {
            return false;
        }
        let Some((variable, rest)) = order.split_first() else { return true };
        for value in 0..self.space.size(*variable) {
            place[*variable] = Some(value);
            if self.descend(goal, rest, place) {
                return true;
            }
        }
        place[*variable] = None;
        false
    }

    /// Whether no place below this one is a counterexample; at the end, whether this one is none.
    fn is_hopeless(&mut self, goal: Goal, place: &Place, at_the_end: bool) -> bool {
        if goal.claim == Claim::TierTakesItsStanding {
            let tier = self.space.tier_at(place, goal.action);
            if tier.and_then(|tier| place[self.space.standing_of(tier)]).is_some_and(|standing| standing != 0)
            {
                return true;
            }
        }
        let before = goal.suspended.map(|(standing, value)| {
            let mut before = place.clone();
            before[standing] = Some(value);
            before
        });
        let (mut opened, mut was_open, mut was_blocked) = (false, false, false);
        for part in 0..self.parts.len() {
            let Some(now) = self.answer(part, goal.action, place) else { continue };
            let blocks = self.parts[part].blocks(now);
            if blocks {
                return true;
            }
            opened |= now == Answer::Applies;
            let Some(before) = &before else {
                if part == goal.culprit && now != Answer::Applies {
                    return true;
                }
                continue;
            };
            let Some(then) = self.answer(part, goal.action, before) else { continue };
            was_blocked |= self.parts[part].blocks(then);
            was_open |= !self.parts[part].forbids && then == Answer::Applies;
            // It closed before, or it opens only now.
            let changes =
                self.parts[part].blocks(then) || (now == Answer::Applies && then != Answer::Applies);
            if part == goal.culprit && !changes {
                return true;
            }
        }
        at_the_end && (!opened || (before.is_some() && was_open && !was_blocked))
    }

    /// What a policy answers, if what it asks for is settled. None for one that does not speak of the action.
    fn answer(&mut self, part: usize, action: CaseAction, place: &Place) -> Option<Answer> {
        let asks = self.parts[part].asks.get(action.as_str())?;
        let values: Vec<usize> = asks.iter().map(|variable| place[*variable]).collect::<Option<_>>()?;
        let key = (part, action.as_str(), values);
        if let Some(answer) = self.answers.get(&key) {
            return Some(*answer);
        }
        let member = self.space.member(place, Some(Standing::Suspended));
        let label = self.space.label(place, action);
        let judge = self.policy.judge_by(&self.parts[part].alone, Reader::Member(&member));
        let verdict = judge.may(action, &label);
        let answer = match (verdict.errors.is_empty(), verdict.policies.is_empty()) {
            (false, _) => Answer::Fails,
            (true, true) => Answer::Silent,
            (true, false) => Answer::Applies,
        };
        self.answers.insert(key, answer);
        Some(answer)
    }

    /// The counterexample at `place`, asked of the whole policy.
    fn told(&mut self, goal: Goal, place: &Place) -> Option<Counterexample> {
        let off = (goal.claim != Claim::NothingWithoutStanding).then_some(Standing::Suspended);
        let label = self.space.label(place, goal.action);
        let member = self.space.member(place, off);
        let ask = |member: &Member| self.policy.judge(Reader::Member(member)).may(goal.action, &label);
        let verdict = ask(&member);
        let on_the_list = goal.suspended.map(|(standing, value)| {
            let mut before = place.clone();
            before[standing] = Some(value);
            let member = self.space.member(&before, off);
            let verdict = ask(&member);
            (member, verdict)
        });
        let found = Counterexample {
            claim: goal.claim,
            policy: self.parts[goal.culprit].id.clone(),
            action: goal.action,
            member,
            label,
            verdict,
            on_the_list,
        };
        if found.holds_against(self.policy) {
            return Some(found);
        }
        // The parts and the whole disagree, which would be a fault of this module.
        self.gaps.insert(format!(
            "{}: what was found for `{}` is not what the policies answer",
            found.claim, found.policy
        ));
        None
    }
}

#[cfg(test)]
mod tests;
