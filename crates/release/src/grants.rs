//! Grants: when each label was open to one reader.
//!
//! A reader's grant on a label is a list of half-open intervals `[from, to)`, in order and apart. From it follows
//! the instant at which an object became visible *to that reader*, its member time (DESIGN.md 3.1): the earliest
//! instant, not before the object's own, at which the grant is open.
//!
//! Worked example. A member holds label 4 on `[10, 20)` and again from `30` on. Objects of that label were added
//! at 5, 12, 25 and 33. Their member times are 10 (granted later than added: the history), 12 (seen at once), 30
//! (added while the member was away: the back-fill) and 33. A client whose cursor stands at 12 since before the
//! suspension polls "after 12" and gets exactly the last two.
//!
//! History is append-only. What a [`Transition`] recorded is never changed, so member times never move, so no
//! cursor that a client holds is ever invalidated. Three sources make the intervals:
//!
//! - transitions: at a change of the reader's standing, of the programme or of the reader's attributes, the labels
//!   that opened and those that closed at that instant, as decided then;
//! - labels newer than the last transition, which open when they are created if the policy permits them now
//!   (nothing has changed since, so "now" is what it would have said then);
//! - the label's own embargo and expiry, and the labels it names as `ends` and `unless`, which clip the result.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{LabelId, Principal, Timestamp};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::Label;

/// A half-open stretch of time, `[from, to)`; without `to` it has no end yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// The first instant that belongs to it.
    pub from: Timestamp,
    /// The first instant that no longer does.
    pub to: Option<Timestamp>,
}

impl Interval {
    fn contains(self, at: Timestamp) -> bool {
        self.from <= at && self.to.is_none_or(|to| at < to)
    }

    fn end(self) -> Timestamp {
        self.to.unwrap_or(Timestamp::MAX)
    }
}

/// The stretches during which a label was open, in order, apart and none of them empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intervals(SmallVec<[Interval; 1]>);

static NEVER: Intervals = Intervals(SmallVec::new_const());

impl Intervals {
    /// Open from `from` on.
    #[must_use]
    pub fn from_instant(from: Timestamp) -> Self {
        Self(SmallVec::from_elem(Interval { from, to: None }, 1))
    }

    /// The stretches, in order.
    #[must_use]
    pub fn as_slice(&self) -> &[Interval] {
        &self.0
    }

    /// Whether the label is open at `at`.
    #[must_use]
    pub fn is_open(&self, at: Timestamp) -> bool {
        self.0.iter().rev().any(|interval| interval.contains(at))
    }

    /// Whether the label was open at some instant in `[from, to)`.
    #[must_use]
    pub fn was_open_within(&self, from: Timestamp, to: Option<Timestamp>) -> bool {
        let to = to.unwrap_or(Timestamp::MAX);
        self.0.iter().any(|interval| interval.from < to && from < interval.end())
    }

    /// The earliest instant, not before `at`, at which the label is open.
    #[must_use]
    pub fn first_open_from(&self, at: Timestamp) -> Option<Timestamp> {
        self.0.iter().find(|interval| at < interval.end()).map(|interval| interval.from.max(at))
    }

    /// The instants at which both are open.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut both = SmallVec::new();
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
            let (from, end) = (a.from.max(b.from), a.end().min(b.end()));
            if from < end {
                both.push(interval(from, end));
            }
            if a.end() < b.end() {
                left.next();
            } else {
                right.next();
            }
        }
        Self(both)
    }

    /// The instants at which this is open and `other` is not.
    #[must_use]
    pub fn but_not(&self, other: &Self) -> Self {
        let mut closed = SmallVec::new();
        let mut from = Timestamp::MIN;
        for gone in &other.0 {
            if from < gone.from {
                closed.push(interval(from, gone.from));
            }
            from = gone.end();
        }
        if from < Timestamp::MAX {
            closed.push(interval(from, Timestamp::MAX));
        }
        self.and(&Self(closed))
    }

    /// This, but not before `from` and not from `to` on.
    #[must_use]
    pub fn clipped(&self, from: Option<Timestamp>, to: Option<Timestamp>) -> Self {
        let window = Interval { from: from.unwrap_or(Timestamp::MIN), to };
        if window.from >= window.end() {
            return Self::default();
        }
        self.and(&Self(SmallVec::from_elem(window, 1)))
    }

    fn open(&mut self, at: Timestamp) {
        if self.0.last().is_none_or(|last| last.to.is_some()) {
            self.0.push(Interval { from: at, to: None });
        }
    }

    fn close(&mut self, at: Timestamp) {
        if let Some(last) = self.0.last_mut().filter(|last| last.to.is_none()) {
            last.to = Some(at);
            if last.from >= at {
                self.0.pop(); // it opened and closed in one instant: nobody saw it open
            }
        }
    }
}

/// `MAX` stands for "no end yet".
fn interval(from: Timestamp, end: Timestamp) -> Interval {
    Interval { from, to: (end < Timestamp::MAX).then_some(end) }
}

/// The labels that opened and closed for one reader at one instant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// When.
    pub at: Timestamp,
    /// The labels that the policy permits from then on and did not permit before.
    pub opened: Vec<LabelId>,
    /// The labels that the policy permitted before and does not permit from then on.
    pub closed: Vec<LabelId>,
    /// How many labels there were; those numbered from here on are newer than this transition.
    pub labels: u32,
}

/// A label and when it came into being.
#[derive(Clone, Debug)]
pub struct LabelFacts {
    /// The label. Shared, because tables of labels are copied when one is added.
    pub label: Arc<Label>,
    /// When the first object with it was accepted.
    pub created: Timestamp,
}

/// When each label was open to one reader.
#[derive(Clone, Debug, Default)]
pub struct Grants {
    /// Whose they are. What a reader submitted itself is not withheld from it for the sake of an end that it may not
    /// know: that it vanished would tell.
    reader: Option<Principal>,
    /// What the policy alone says, by label number.
    permitted: Vec<Intervals>,
    /// The same, clipped by embargo, expiry, `ends` and `unless`.
    effective: Vec<Intervals>,
    /// Since when nothing but new labels was added.
    settled: Timestamp,
}

impl Grants {
    /// No grants yet, for one reader.
    #[must_use]
    pub fn of(reader: Principal) -> Self {
        Self { reader: Some(reader), ..Self::default() }
    }

    /// The same as [`replay`](Self::replay), for one reader.
    #[must_use]
    pub fn replay_for<'a>(
        reader: Principal,
        transitions: impl IntoIterator<Item = &'a Transition>,
        labels: &[LabelFacts],
    ) -> Self {
        Self::of(reader).replayed(transitions, labels)
    }

    /// Replays a reader's transitions, in order.
    #[must_use]
    pub fn replay<'a>(transitions: impl IntoIterator<Item = &'a Transition>, labels: &[LabelFacts]) -> Self {
        Self::default().replayed(transitions, labels)
    }

    fn replayed<'a>(
        mut self,
        transitions: impl IntoIterator<Item = &'a Transition>,
        labels: &[LabelFacts],
    ) -> Self {
        for transition in transitions {
            self.apply(transition);
        }
        self.extend_effective(labels);
        self
    }

    /// When `label` was and is open.
    #[must_use]
    pub fn intervals(&self, label: LabelId) -> &Intervals {
        self.effective.get(label.index()).unwrap_or(&NEVER)
    }

    /// How many labels were judged; label numbers from here on are news to these grants.
    #[must_use]
    pub fn judged(&self) -> usize {
        self.effective.len()
    }

    /// Judges the labels that are news, in order of their numbers: each opens when it was created if `permits`.
    pub fn judge_new(&mut self, labels: &[LabelFacts], mut permits: impl FnMut(&Label) -> bool) {
        for (index, facts) in labels.iter().enumerate().skip(self.permitted.len()) {
            debug_assert_eq!(index, self.permitted.len());
            let open = permits(&facts.label);
            self.permitted.push(if open {
                Intervals::from_instant(facts.created.max(self.settled))
            } else {
                Intervals::default()
            });
        }
        self.extend_effective(labels);
    }

    /// Judges every label anew as of `at`, and returns what opened and what closed.
    ///
    /// Labels that are news have to be judged under the old policy first ([`judge_new`](Self::judge_new)), or what
    /// they would have granted until `at` is lost.
    pub fn judge_all(
        &mut self,
        at: Timestamp,
        labels: &[LabelFacts],
        mut permits: impl FnMut(&Label) -> bool,
    ) -> Transition {
        self.judge_some(at, labels, |_| true, |_, label| permits(label))
    }

    /// The same for the labels that are `concerned`; the others stay as they are.
    pub fn judge_some(
        &mut self,
        at: Timestamp,
        labels: &[LabelFacts],
        concerned: impl Fn(&Label) -> bool,
        mut permits: impl FnMut(LabelId, &Label) -> bool,
    ) -> Transition {
        let mut transition = Transition {
            at,
            labels: u32::try_from(labels.len()).unwrap_or(u32::MAX),
            ..Transition::default()
        };
        for (index, facts) in labels.iter().enumerate() {
            let label = LabelId::new(u32::try_from(index).unwrap_or(u32::MAX));
            let was_open =
                self.permitted.get(index).is_some_and(|p| p.0.last().is_some_and(|l| l.to.is_none()));
            let is_open = if concerned(&facts.label) { permits(label, &facts.label) } else { was_open };
            match (was_open, is_open) {
                (false, true) => transition.opened.push(label),
                (true, false) => transition.closed.push(label),
                (true, true) | (false, false) => {}
            }
        }
        self.apply(&transition);
        self.effective.clear();
        self.extend_effective(labels);
        transition
    }

    /// The transitions that record what [`judge_new`](Self::judge_new) opened beyond the first `recorded` labels, so
    /// that a later replay needs no policy that is gone by then.
    #[must_use]
    pub fn unrecorded(&self, recorded: u32, labels: &[LabelFacts]) -> Vec<Transition> {
        let mut by_instant: BTreeMap<Timestamp, Vec<LabelId>> = BTreeMap::new();
        let first = usize::try_from(recorded).unwrap_or(usize::MAX);
        for (index, permitted) in self.permitted.iter().enumerate().skip(first).take(labels.len()) {
            if let Some(opened) = permitted.0.first() {
                by_instant
                    .entry(opened.from)
                    .or_default()
                    .push(LabelId::new(u32::try_from(index).unwrap_or(u32::MAX)));
            }
        }
        let judged = u32::try_from(self.permitted.len()).unwrap_or(u32::MAX);
        by_instant
            .into_iter()
            .map(|(at, opened)| Transition { at, opened, closed: Vec::new(), labels: judged })
            .collect()
    }

    fn apply(&mut self, transition: &Transition) {
        let judged = usize::try_from(transition.labels).unwrap_or(usize::MAX);
        if self.permitted.len() < judged {
            self.permitted.resize(judged, Intervals::default());
        }
        for label in &transition.opened {
            if let Some(intervals) = self.permitted.get_mut(label.index()) {
                intervals.open(transition.at);
            }
        }
        for label in &transition.closed {
            if let Some(intervals) = self.permitted.get_mut(label.index()) {
                intervals.close(transition.at);
            }
        }
        self.settled = self.settled.max(transition.at);
    }

    /// INVARIANT: a label names only labels with smaller numbers, so one pass in order settles them all.
    fn extend_effective(&mut self, labels: &[LabelFacts]) {
        for (permitted, LabelFacts { label, .. }) in
            self.permitted.iter().zip(labels).skip(self.effective.len())
        {
            let mut open = permitted.clipped(label.release_at, label.release_until);
            let is_own = self.reader.as_ref() == Some(&label.creator);
            for end in label.ends.iter().filter(|_| !is_own) {
                open = open.and(self.effective.get(end.index()).unwrap_or(&NEVER));
            }
            if let Some(whole) = label.unless {
                open = open.but_not(self.effective.get(whole.index()).unwrap_or(&NEVER));
            }
            self.effective.push(open);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use model::Role;
    use proptest::prelude::*;

    use super::*;
    use crate::{Audience, Demands};

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    fn spans(spans: &[(i64, Option<i64>)]) -> Intervals {
        Intervals(spans.iter().map(|(from, to)| Interval { from: at(*from), to: to.map(at) }).collect())
    }

    fn facts(created: i64) -> LabelFacts {
        let label = Label {
            collection: "a1b2c3d4-0000-4000-8000-000000000001".parse().unwrap(),
            tier: "programme".parse().unwrap(),
            demands: Demands::default(),
            creator: Principal::Role(Role::Operator),
            audience: Audience::Everyone,
            release_at: None,
            release_until: None,
            ends: BTreeSet::new(),
            unless: None,
        };
        LabelFacts { label: Arc::new(label), created: at(created) }
    }

    #[test]
    fn member_time_is_the_first_open_instant() {
        let away = spans(&[(10, Some(20)), (30, None)]);
        let cases =
            [(5, Some(10)), (12, Some(12)), (19, Some(19)), (20, Some(30)), (25, Some(30)), (33, Some(33))];
        for (added, want) in cases {
            assert_eq!(away.first_open_from(at(added)), want.map(at), "{added}");
        }
        let gone = spans(&[(10, Some(20))]);
        assert_eq!(gone.first_open_from(at(19)), Some(at(19)));
        assert_eq!(gone.first_open_from(at(20)), None);
        assert_eq!(NEVER.first_open_from(at(0)), None);
    }

    #[test]
    fn a_label_without_a_transition_opens_when_it_is_created() {
        let mut grants = Grants::default();
        grants.judge_new(&[facts(5), facts(7)], |_| true);
        assert_eq!(grants.intervals(LabelId::new(1)), &spans(&[(7, None)]));
        assert_eq!(grants.intervals(LabelId::new(2)), &NEVER, "a label that was not judged is closed");
        assert_eq!(grants.judged(), 2);
    }

    #[test]
    fn what_opens_and_closes_in_one_instant_was_never_open() {
        let labels = [facts(5)];
        let mut grants = Grants::default();
        grants.judge_new(&labels, |_| true);
        let closed = grants.judge_all(at(5), &labels, |_| false);
        assert_eq!(closed.closed, [LabelId::new(0)]);
        assert_eq!(grants.intervals(LabelId::new(0)), &NEVER);
    }

    #[test]
    fn embargo_expiry_ends_and_stand_ins_clip() {
        let mut labels = vec![facts(0), facts(0), facts(0), facts(0), facts(0)];
        Arc::make_mut(&mut labels[0].label).release_at = Some(at(10));
        Arc::make_mut(&mut labels[1].label).release_until = Some(at(20));
        Arc::make_mut(&mut labels[2].label).ends = BTreeSet::from([LabelId::new(0), LabelId::new(1)]);
        Arc::make_mut(&mut labels[3].label).unless = Some(LabelId::new(2));
        Arc::make_mut(&mut labels[4].label).release_at = Some(at(9));
        Arc::make_mut(&mut labels[4].label).release_until = Some(at(9));
        let mut grants = Grants::default();
        grants.judge_new(&labels, |_| true);
        let want: [&[(i64, Option<i64>)]; 5] =
            [&[(10, None)], &[(0, Some(20))], &[(10, Some(20))], &[(0, Some(10)), (20, None)], &[]];
        for (index, want) in want.into_iter().enumerate() {
            let label = LabelId::new(u32::try_from(index).unwrap());
            assert_eq!(grants.intervals(label), &spans(want), "label {index}");
        }
    }

    #[test]
    fn a_relationship_with_an_end_that_does_not_exist_is_withheld() {
        let mut labels = vec![facts(0)];
        Arc::make_mut(&mut labels[0].label).ends = BTreeSet::from([LabelId::new(9)]);
        let mut grants = Grants::default();
        grants.judge_new(&labels, |_| true);
        assert_eq!(grants.intervals(LabelId::new(0)), &NEVER);
    }

    /// Instants in the model: 0 to 31, and 32 stands for "and for ever".
    const LAST: i64 = 32;

    fn instants(intervals: &Intervals) -> BTreeSet<i64> {
        (0..=LAST).filter(|instant| intervals.is_open(at(*instant))).collect()
    }

    fn intervals() -> impl Strategy<Value = Intervals> {
        (prop::collection::btree_set(0..LAST, 0..9), any::<bool>()).prop_map(|(edges, endless)| {
            let edges: Vec<_> = edges.into_iter().collect();
            let pairs = edges.chunks(2).filter_map(|pair| match pair {
                [from, to] => Some((*from, Some(*to))),
                [from] if endless => Some((*from, None)),
                _ => None,
            });
            spans(&pairs.collect::<Vec<_>>())
        })
    }

    fn is_normal(intervals: &Intervals) -> bool {
        let spans = intervals.as_slice();
        spans.iter().all(|span| span.from < span.end())
            && spans.windows(2).all(|pair| pair[0].end() <= pair[1].from)
    }

    proptest! {
        #[test]
        fn the_algebra_is_that_of_sets(a in intervals(), b in intervals(), from in 0..LAST, to in 0..LAST) {
            let (in_a, in_b) = (instants(&a), instants(&b));
            let both = a.and(&b);
            let only = a.but_not(&b);
            prop_assert_eq!(instants(&both), in_a.intersection(&in_b).copied().collect::<BTreeSet<_>>());
            prop_assert_eq!(instants(&only), in_a.difference(&in_b).copied().collect::<BTreeSet<_>>());
            let clipped = a.clipped(Some(at(from)), Some(at(to)));
            let in_window: BTreeSet<_> = in_a.iter().copied().filter(|i| (from..to).contains(i)).collect();
            prop_assert_eq!(instants(&clipped), in_window.clone());
            prop_assert!(is_normal(&both) && is_normal(&only) && is_normal(&clipped));
            if from < to {
                prop_assert_eq!(a.was_open_within(at(from), Some(at(to))), !in_window.is_empty());
            }
            prop_assert_eq!(a.was_open_within(at(from), None), in_a.iter().any(|i| *i >= from));
            let first = in_a.iter().copied().find(|i| *i >= from);
            prop_assert_eq!(a.first_open_from(at(from)), first.map(at));
            prop_assert_eq!(a.clipped(None, None), a);
        }
    }

    /// One step of a programme's life, as one reader is judged.
    #[derive(Clone, Debug)]
    enum Step {
        /// A label comes into being, with an end and a whole among the earlier ones, an embargo and an expiry.
        Label { end: Option<u32>, unless: Option<u32>, embargo: Option<i64>, expiry: Option<i64> },
        /// The policy or the reader changes: bit n of the mask says whether label n is permitted from now on.
        Change { mask: u32 },
        /// The reader asks, so news are judged.
        Ask,
        /// The hub restarts: what was not recorded is gone.
        Restart,
    }

    fn step() -> impl Strategy<Value = Step> {
        let some_label = || prop::option::of(0..12_u32);
        let some_instant = || prop::option::of(0..LAST);
        prop_oneof![
            (some_label(), some_label(), some_instant(), some_instant())
                .prop_map(|(end, unless, embargo, expiry)| Step::Label { end, unless, embargo, expiry }),
            any::<u32>().prop_map(|mask| Step::Change { mask }),
            Just(Step::Ask),
            Just(Step::Restart),
        ]
    }

    /// Permits by a label's number, which the tests keep in its tier.
    fn permits(mask: u32) -> impl Fn(&Label) -> bool {
        move |label| label.tier.as_str()[1..].parse::<u32>().is_ok_and(|number| mask & (1 << number) != 0)
    }

    fn new_label(number: u32, now: i64, step: &Step) -> LabelFacts {
        let mut facts = facts(now);
        let label = Arc::make_mut(&mut facts.label);
        label.tier = format!("t{number}").parse().unwrap();
        if let Step::Label { end, unless, embargo, expiry } = step {
            label.ends = end.iter().filter(|end| **end < number).map(|end| LabelId::new(*end)).collect();
            label.unless = unless.filter(|whole| *whole < number).map(LabelId::new);
            (label.release_at, label.release_until) = (embargo.map(at), expiry.map(at));
        }
        facts
    }

    proptest! {
        /// What is replayed from the record is what was judged live, and both are what was permitted at each
        /// instant, by a model that knows nothing of intervals.
        #[test]
        fn a_replay_gives_what_was_judged_live(steps in prop::collection::vec(step(), 1..24)) {
            let mut labels: Vec<LabelFacts> = Vec::new();
            let mut record: Vec<Transition> = Vec::new();
            let mut grants = Grants::default();
            let mut mask = u32::MAX;
            let mut masks = Vec::new();
            for (now, step) in (0_i64..).zip(&steps) {
                match step {
                    Step::Label { .. } if labels.len() < 12 => {
                        let number = u32::try_from(labels.len()).unwrap();
                        labels.push(new_label(number, now, step));
                    }
                    Step::Label { .. } | Step::Ask => grants.judge_new(&labels, permits(mask)),
                    Step::Change { mask: next } => {
                        grants.judge_new(&labels, permits(mask));
                        let recorded = record.last().map_or(0, |last| last.labels);
                        record.extend(grants.unrecorded(recorded, &labels));
                        mask = *next;
                        record.push(grants.judge_all(at(now), &labels, permits(mask)));
                    }
                    Step::Restart => grants = Grants::replay(&record, &labels),
                }
                masks.push(mask);
            }
            grants.judge_new(&labels, permits(mask));
            let mut replayed = Grants::replay(&record, &labels);
            replayed.judge_new(&labels, permits(mask));
            let mut open: Vec<BTreeSet<i64>> = Vec::new();
            for (index, facts) in labels.iter().enumerate() {
                let id = LabelId::new(u32::try_from(index).unwrap());
                prop_assert_eq!(replayed.intervals(id), grants.intervals(id), "label {}", index);
                let permitted = |instant: i64| {
                    let mask = masks.get(usize::try_from(instant).unwrap()).copied().unwrap_or(mask);
                    facts.created <= at(instant) && permits(mask)(&facts.label)
                };
                let label = &facts.label;
                let model: BTreeSet<_> = (0..=LAST)
                    .filter(|instant| permitted(*instant))
                    .filter(|instant| label.release_at.is_none_or(|from| at(*instant) >= from))
                    .filter(|instant| label.release_until.is_none_or(|to| at(*instant) < to))
                    .filter(|instant| label.ends.iter().all(|end| open[end.index()].contains(instant)))
                    .filter(|instant| label.unless.is_none_or(|whole| !open[whole.index()].contains(instant)))
                    .collect();
                prop_assert_eq!(&instants(grants.intervals(id)), &model, "label {}", index);
                open.push(model);
            }
        }
    }
}
