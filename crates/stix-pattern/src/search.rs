//! Which observations for which part of a pattern.
//!
//! AND, FOLLOWEDBY and REPEATS need observations that are all different, so a part of the pattern cannot be judged alone:
//! `[a] AND [b]` asks for two observations even if one is both. An `observed-data` object with a number of *n* stands for
//! *n* observations with the same content and the same times.
//!
//! # Times
//!
//! An observation was made at some instant between its first and its last, and each demand on times is judged by
//! whether such instants can be chosen for it (as the standard's own matcher does). For a set of observations that is:
//!
//! | demand | holds if |
//! |---|---|
//! | START x STOP y | every observation has first < y and last >= x |
//! | A FOLLOWEDBY B | the latest first of A <= the earliest last of B |
//! | WITHIN d | the latest first - the earliest last <= d |
//!
//! The last two say that there is an instant *t* such that, on each side, every observation for itself keeps to a
//! bound: firsts of A <= t and lasts of B >= t; lasts >= t and firsts <= t + d. And *t* need only be tried at the firsts
//! of A, or at the lasts. So **once the instants are chosen, every leaf of the pattern has a window, and what
//! is left is an assignment**: each leaf needs so many observations out of its candidates, none is used twice. That is a
//! flow, and is kept up leaf by leaf: a leaf that finds no observations even when others give theirs up and take others
//! ends the branch at once.
//!
//! Choices remain: the instants, and the members of OR. Copies that REPEATS makes are alike, so they are shared out in
//! numbers (three with this instant, two with a later one) and never one by one. This is exponential in the worst case,
//! as the question is; the meter ends it.

use std::rc::Rc;

use crate::assignment::Assignment;
use crate::compile::{Compiled, Node, NodeKind};
use crate::evaluate::{Truth, satisfies};
use crate::instant::Instant;
use crate::meter::{Exhausted, Meter};
use crate::observation::Observation;

/// How many choices are open at a time. A frame takes a few hundred bytes of stack.
pub(crate) const CHOICES_MAX: usize = 400;

/// Whether the observations satisfy the pattern, as far as is known.
pub(crate) fn search(
    compiled: &Compiled,
    observations: &[&Observation],
    meter: &mut Meter,
) -> Result<Truth, Exhausted> {
    let mut truths = Vec::with_capacity(compiled.leaves.len());
    let mut unknown = None;
    for leaf in &compiled.leaves {
        let mut of_leaf = Vec::with_capacity(observations.len());
        for observation in observations {
            let truth = satisfies(leaf, observation, meter)?;
            if let Truth::Unknown(number) = truth {
                unknown = unknown.or(Some(number));
            }
            of_leaf.push(truth);
        }
        truths.push(of_leaf);
    }
    // Unknown comparisons as false, and then as true: what holds without them holds, and what fails with them fails.
    if Search::new(observations, &truths, |truth| truth == Truth::True, meter).holds(&compiled.root)? {
        return Ok(Truth::True);
    }
    let Some(number) = unknown else { return Ok(Truth::False) };
    let possible =
        Search::new(observations, &truths, |truth| truth != Truth::False, meter).holds(&compiled.root)?;
    Ok(if possible { Truth::Unknown(number) } else { Truth::False })
}

/// Bounds that an observation must keep to: its last not before `from`, its first not after `until`.
#[derive(Clone, Copy)]
struct Window {
    from: Instant,
    until: Instant,
}

impl Window {
    const ALL: Self = Self { from: Instant::MIN, until: Instant::MAX };

    fn and(self, from: Instant, until: Instant) -> Self {
        Self { from: self.from.max(from), until: self.until.min(until) }
    }

    fn admits(self, observation: &Observation) -> bool {
        observation.last >= self.from && observation.first <= self.until
    }
}

/// Something that is still to be satisfied, so many times, in a window.
#[derive(Clone, Copy)]
struct Task<'p> {
    what: What<'p>,
    window: Window,
    times: u64,
}

#[derive(Clone, Copy)]
enum What<'p> {
    Node(&'p Node),
    /// One of them for each copy.
    Or(&'p [Node]),
    /// All of them in order. The first is over by an instant not before this one.
    FollowedBy(&'p [Node], Instant),
    /// All within so many nanoseconds from an instant not before this one.
    Within(&'p Node, i128, Instant),
}

/// The tasks that are left, as a list that branches share.
type Agenda<'p> = Option<Rc<Link<'p>>>;

struct Link<'p> {
    task: Task<'p>,
    next: Agenda<'p>,
}

fn with<'p>(task: Task<'p>, next: Agenda<'p>) -> Agenda<'p> {
    if task.times == 0 { next } else { Some(Rc::new(Link { task, next })) }
}

struct Search<'a> {
    observations: &'a [&'a Observation],
    /// By leaf, the observations that satisfy it.
    candidates: Vec<Vec<usize>>,
    assignment: Assignment,
    choices: usize,
    meter: &'a mut Meter,
}

impl<'a> Search<'a> {
    fn new(
        observations: &'a [&'a Observation],
        truths: &[Vec<Truth>],
        counts: fn(Truth) -> bool,
        meter: &'a mut Meter,
    ) -> Self {
        let of_leaf = |truths: &Vec<Truth>| {
            truths.iter().enumerate().filter(|(_, truth)| counts(**truth)).map(|(at, _)| at).collect()
        };
        Self {
            observations,
            candidates: truths.iter().map(of_leaf).collect(),
            assignment: Assignment::new(
                observations.iter().map(|observation| u64::from(observation.count)).collect(),
            ),
            choices: 0,
            meter,
        }
    }

    fn holds(&mut self, root: &Node) -> Result<bool, Exhausted> {
        if root.least > self.assignment.spare() || !self.may_hold(root, Window::ALL) {
            return Ok(false);
        }
        let task = Task { what: What::Node(root), window: Window::ALL, times: 1 };
        self.satisfied(with(task, None))
    }

    /// Whether every part has a candidate, order and numbers aside: what most often fails, fails here.
    fn may_hold(&self, node: &Node, window: Window) -> bool {
        match &node.kind {
            NodeKind::Leaf(leaf) => {
                self.candidates[*leaf].iter().any(|at| window.admits(self.observations[*at]))
            }
            NodeKind::And(members) | NodeKind::FollowedBy(members) => {
                members.iter().all(|member| self.may_hold(member, window))
            }
            NodeKind::Or(members) => members.iter().any(|member| self.may_hold(member, window)),
            NodeKind::Repeats(inner, _) | NodeKind::Within(inner, _) => self.may_hold(inner, window),
            NodeKind::Between(inner, start, end) => {
                start <= end && self.may_hold(inner, window.and(*start, *end))
            }
        }
    }

    /// Whether all tasks can be satisfied beside the demands that are met already. Demands are left as they were.
    fn satisfied(&mut self, agenda: Agenda<'_>) -> Result<bool, Exhausted> {
        if self.choices == CHOICES_MAX {
            return Err(Exhausted::Choices);
        }
        self.choices += 1;
        let before = self.assignment.demands();
        let found = self.steps(agenda);
        self.assignment.withdraw_to(before);
        self.choices -= 1;
        found
    }

    /// Does tasks that leave no choice one after the other, and tries every choice of the first that leaves one.
    fn steps(&mut self, mut agenda: Agenda<'_>) -> Result<bool, Exhausted> {
        while let Some(link) = agenda {
            self.meter.spend(0)?;
            let Task { what, window, times } = link.task;
            let next = link.next.clone();
            match what {
                What::Node(node) => match &node.kind {
                    NodeKind::Leaf(leaf) => {
                        if !self.demand(*leaf, window, times)? {
                            return Ok(false);
                        }
                        agenda = next;
                    }
                    NodeKind::And(members) => {
                        let Some(after) = self.all(members, window, times, next)? else { return Ok(false) };
                        agenda = after;
                    }
                    NodeKind::Or(members) => {
                        agenda = with(Task { what: What::Or(members), window, times }, next);
                    }
                    NodeKind::FollowedBy(members) => {
                        let what = What::FollowedBy(members, Instant::MIN);
                        agenda = with(Task { what, window, times }, next);
                    }
                    NodeKind::Within(inner, nanos) => {
                        let what = What::Within(inner, *nanos, Instant::MIN);
                        agenda = with(Task { what, window, times }, next);
                    }
                    NodeKind::Repeats(inner, repeats) => {
                        let times = times.saturating_mul(*repeats);
                        agenda = with(Task { what: What::Node(inner), window, times }, next);
                    }
                    NodeKind::Between(inner, start, end) => {
                        if start > end {
                            return Ok(false);
                        }
                        let window = window.and(*start, *end);
                        agenda = with(Task { what: What::Node(inner), window, times }, next);
                    }
                },
                What::Or(members) => return self.choose_member(members, window, times, &next),
                What::FollowedBy([only], _) => {
                    agenda = with(Task { what: What::Node(only), window, times }, next);
                }
                What::FollowedBy(members, from) => {
                    return self.choose_order(members, from, window, times, &next);
                }
                What::Within(inner, nanos, from) => {
                    return self.choose_window(inner, nanos, from, window, times, &next);
                }
            }
        }
        Ok(true)
    }

    /// All members: the leaves' demands at once, the others as tasks. `None` if a leaf finds no observations.
    fn all<'p>(
        &mut self,
        members: &'p [Node],
        window: Window,
        times: u64,
        mut next: Agenda<'p>,
    ) -> Result<Option<Agenda<'p>>, Exhausted> {
        for member in members {
            if let NodeKind::Leaf(leaf) = member.kind {
                if !self.demand(leaf, window, times)? {
                    return Ok(None);
                }
            } else {
                next = with(Task { what: What::Node(member), window, times }, next);
            }
        }
        Ok(Some(next))
    }

    /// How many copies of something can be tried at all.
    fn at_most(&self, node: &Node, times: u64) -> u64 {
        times.min(self.assignment.spare() / node.least.max(1))
    }

    /// Some copies with the first member that gets any, the others with later ones.
    fn choose_member(
        &mut self,
        members: &[Node],
        window: Window,
        times: u64,
        next: &Agenda<'_>,
    ) -> Result<bool, Exhausted> {
        for (at, member) in members.iter().enumerate() {
            let rest = &members[at + 1..];
            let fewest = if rest.is_empty() { times } else { 1 };
            for copies in (fewest..=self.at_most(member, times)).rev() {
                self.meter.spend(0)?;
                let others = Task { what: What::Or(rest), window, times: times - copies };
                let agenda = with(others, next.clone());
                let agenda = with(Task { what: What::Node(member), window, times: copies }, agenda);
                if self.satisfied(agenda)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Some copies with the first instant that gets any, the others with later ones: by that instant the first member is
    /// over, and the others are not before it.
    fn choose_order(
        &mut self,
        members: &[Node],
        from: Instant,
        window: Window,
        times: u64,
        next: &Agenda<'_>,
    ) -> Result<bool, Exhausted> {
        let [head, rest @ ..] = members else { return Ok(true) };
        let instants = self.instants(head, window, from, |observation| observation.first)?;
        for (at, instant) in instants.iter().enumerate() {
            let fewest = if at + 1 == instants.len() { times } else { 1 };
            for copies in (fewest..=self.at_most(head, times)).rev() {
                self.meter.spend(0)?;
                let later = What::FollowedBy(members, instants.get(at + 1).copied().unwrap_or(Instant::MAX));
                let agenda = with(Task { what: later, window, times: times - copies }, next.clone());
                let after = window.and(*instant, Instant::MAX);
                let what = What::FollowedBy(rest, Instant::MIN);
                let agenda = with(Task { what, window: after, times: copies }, agenda);
                let before = window.and(Instant::MIN, *instant);
                let agenda = with(Task { what: What::Node(head), window: before, times: copies }, agenda);
                if self.satisfied(agenda)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Some copies with the first instant that gets any, the others with later ones: all of it from there, so long.
    fn choose_window(
        &mut self,
        inner: &Node,
        nanos: i128,
        from: Instant,
        window: Window,
        times: u64,
        next: &Agenda<'_>,
    ) -> Result<bool, Exhausted> {
        let instants = self.instants(inner, window, from, |observation| observation.last)?;
        for (at, instant) in instants.iter().enumerate() {
            let fewest = if at + 1 == instants.len() { times } else { 1 };
            for copies in (fewest..=self.at_most(inner, times)).rev() {
                self.meter.spend(0)?;
                let what = What::Within(inner, nanos, instants.get(at + 1).copied().unwrap_or(Instant::MAX));
                let agenda = with(Task { what, window, times: times - copies }, next.clone());
                let narrow = window.and(*instant, instant.later(nanos));
                let agenda = with(Task { what: What::Node(inner), window: narrow, times: copies }, agenda);
                if self.satisfied(agenda)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// The instants worth trying: those of observations that may serve the node, from one on, each once.
    fn instants(
        &mut self,
        node: &Node,
        window: Window,
        from: Instant,
        instant: fn(&Observation) -> Instant,
    ) -> Result<Vec<Instant>, Exhausted> {
        let mut found = Vec::new();
        for candidates in &self.candidates[node.leaves.clone()] {
            self.meter.spend(candidates.len())?;
            let admitted = candidates.iter().map(|at| self.observations[*at]).filter(|o| window.admits(o));
            found.extend(admitted.map(instant).filter(|instant| *instant >= from));
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Meets a leaf's demand for so many observations in the window; or changes nothing and says no.
    fn demand(&mut self, leaf: usize, window: Window, amount: u64) -> Result<bool, Exhausted> {
        self.meter.spend(self.candidates[leaf].len())?;
        let admitted = self.candidates[leaf].iter().copied();
        let candidates = admitted.filter(|at| window.admits(self.observations[*at])).collect();
        self.assignment.demand(candidates, amount, self.meter)
    }
}
