//! Patterns that are no look-up, evaluated on what is met.
//!
//! A million indicators are look-ups and stay that. The others are few, and most of them hold a *needle*: an equality
//! without which they cannot match. Needles lie in tables of their own, so that what is met costs a look-up more and
//! evaluates what it may concern; only a pattern without any (`[url:value MATCHES '…']`) is asked each time, and of those
//! there may be [so many](ALWAYS_MAX).
//!
//! A pattern about several observations (`AND`, `FOLLOWEDBY`, `REPEATS`) needs those before. What satisfies one of its brackets
//! is kept, for each customer apart: at most [`KEPT_PER_RULE_MAX`], for as long as the pattern's own `WITHIN` says, or a
//! day. What has matched is forgotten, so that the next match takes new observations. All of it is in memory only: it is about
//! clients and correspondents.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use matcher::{Algorithm, Key, Kind as KeyKind, Matcher};
use serde_json::Value;
use stix_pattern::{Compiled, Instant, Observation, ObservationExpression, Qualifier, Verdict};

use crate::customers::CustomerId;
use crate::sight::{Kind, Kinds, Sight};

/// So many patterns may be without a needle. Each costs every question and mail about a microsecond.
pub const ALWAYS_MAX: usize = 1_000;
/// So many observations are kept for one pattern and customer; the oldest go.
pub const KEPT_PER_RULE_MAX: usize = 256;
/// So many are kept in all. Each takes about a kilobyte.
const KEPT_MAX: usize = 50_000;
/// How long an observation is kept for a pattern that does not say.
const REACH_SECONDS: u64 = 86_400;
/// What one evaluation may cost: about two milliseconds.
const STEPS_MAX: u64 = 200_000;

/// A pattern that is evaluated.
#[derive(Debug)]
pub struct Rule {
    compiled: Compiled,
    needles: Box<[Key]>,
    kinds: Kinds,
    reach_nanos: i128,
}

/// A pattern that is compiled anew counts as another.
impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Rule {}

impl Rule {
    /// A pattern that is asked of these kinds; without needles, of all that are met.
    #[must_use]
    pub fn new(compiled: Compiled, root: &ObservationExpression, needles: Vec<Key>, kinds: Kinds) -> Self {
        let nanos = reach_of(root).unwrap_or(u128::from(REACH_SECONDS) * 1_000_000_000);
        Self {
            compiled,
            needles: needles.into(),
            kinds,
            reach_nanos: i128::try_from(nanos).unwrap_or(i128::MAX),
        }
    }

    /// What must be there for it to match; empty if nothing is known.
    #[must_use]
    pub fn needles(&self) -> &[Key] {
        &self.needles
    }
}

/// The longest time that observations of one match can lie apart, if the pattern says so; never more than a day.
fn reach_of(root: &ObservationExpression) -> Option<u128> {
    let ObservationExpression::Qualified { qualifiers, .. } = root else { return None };
    let within = qualifiers.iter().filter_map(|qualifier| match qualifier {
        Qualifier::Within(seconds) => Some(seconds.nanos()),
        Qualifier::Repeats(_) | Qualifier::StartStop { .. } => None,
    });
    within.min().map(|nanos| nanos.min(u128::from(REACH_SECONDS) * 1_000_000_000))
}

/// All patterns that are evaluated, by slot.
pub struct Rules {
    listed: RwLock<Listed>,
    /// By kind: how many have needles, and how many have none. What nobody asks for costs one look at these.
    with_needles: [AtomicUsize; Kind::ALL.len()],
    without: [AtomicUsize; Kind::ALL.len()],
    windows: Mutex<Windows>,
    undecided: AtomicU64,
    undated: AtomicU64,
}

struct Listed {
    needles: Matcher,
    rules: BTreeMap<u32, Arc<Rule>>,
    always: BTreeSet<u32>,
}

/// What is kept for patterns about several observations.
#[derive(Default)]
struct Windows {
    kept: BTreeMap<(u32, CustomerId), VecDeque<(Instant, Observation)>>,
    count: usize,
    forgotten: u64,
}

/// What could not be established, and what was let go of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shortfalls {
    /// Evaluations that used up their budget, or met an expression that cannot be used.
    pub undecided: u64,
    /// Observations without a time, of which patterns about several were not asked.
    pub undated: u64,
    /// Observations that had to make room for others.
    pub forgotten: u64,
}

impl Rules {
    /// None yet. `random` is the secret of the needles' tables.
    #[must_use]
    pub fn new(random: [u8; 32]) -> Self {
        let listed =
            Listed { needles: Matcher::new(random), rules: BTreeMap::new(), always: BTreeSet::new() };
        Self {
            listed: RwLock::new(listed),
            with_needles: Default::default(),
            without: Default::default(),
            windows: Mutex::default(),
            undecided: AtomicU64::new(0),
            undated: AtomicU64::new(0),
        }
    }

    /// How many there are, and how many of them are asked every time.
    #[must_use]
    pub fn extent(&self) -> (usize, usize) {
        let listed = self.listed();
        (listed.rules.len(), listed.always.len())
    }

    /// What could not be established.
    #[must_use]
    pub fn shortfalls(&self) -> Shortfalls {
        Shortfalls {
            undecided: self.undecided.load(Ordering::Relaxed),
            undated: self.undated.load(Ordering::Relaxed),
            forgotten: self.windows().forgotten,
        }
    }

    fn listed(&self) -> std::sync::RwLockReadGuard<'_, Listed> {
        self.listed.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn windows(&self) -> std::sync::MutexGuard<'_, Windows> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a slot a pattern, another one, or none.
    pub(crate) fn set(&self, slot: u32, rule: Option<Arc<Rule>>) {
        let mut listed = self.listed.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = listed.rules.remove(&slot) {
            for key in &old.needles {
                listed.needles.remove(key, slot);
            }
            listed.always.remove(&slot);
            self.count(&old, |number| {
                number.fetch_sub(1, Ordering::Relaxed);
            });
            self.windows().forget(slot);
        }
        if let Some(rule) = rule {
            for key in &rule.needles {
                listed.needles.insert(key, slot);
            }
            if rule.needles.is_empty() {
                listed.always.insert(slot);
            }
            self.count(&rule, |number| {
                number.fetch_add(1, Ordering::Relaxed);
            });
            listed.rules.insert(slot, rule);
        }
    }

    fn count(&self, rule: &Rule, change: impl Fn(&AtomicUsize)) {
        let counts = if rule.needles.is_empty() { &self.without } else { &self.with_needles };
        Kind::ALL
            .into_iter()
            .zip(counts)
            .filter(|(kind, _)| rule.kinds.has(*kind))
            .for_each(|(_, it)| change(it));
    }

    /// Whether any pattern is asked of a kind.
    #[must_use]
    pub fn wants(&self, kind: Kind) -> bool {
        let at = kind as usize;
        self.without[at].load(Ordering::Relaxed) > 0 || self.with_needles[at].load(Ordering::Relaxed) > 0
    }

    /// Whether a question for a name may concern any pattern.
    pub(crate) fn wants_name(&self, name: &str) -> bool {
        self.may_concern(Kind::Question, |needles, hit| needles.names(name, |_| *hit = true))
    }

    /// Whether a flow between two addresses may concern any pattern.
    pub(crate) fn wants_flow(&self, ends: [IpAddr; 2]) -> bool {
        self.may_concern(Kind::Flow, |needles, hit| {
            for end in ends {
                needles.address(end, |_| *hit = true);
            }
        })
    }

    fn may_concern(&self, kind: Kind, look_up: impl FnOnce(&Matcher, &mut bool)) -> bool {
        if self.without[kind as usize].load(Ordering::Relaxed) > 0 {
            return true;
        }
        let mut hit = false;
        if self.with_needles[kind as usize].load(Ordering::Relaxed) > 0 {
            look_up(&self.listed().needles, &mut hit);
        }
        hit
    }

    /// The slots whose patterns may match on account of this, in order.
    pub(crate) fn candidates(&self, sight: &Sight) -> Vec<u32> {
        if !self.wants(sight.kind()) {
            return Vec::new();
        }
        let listed = self.listed();
        let mut slots = listed.always.clone();
        if self.with_needles[sight.kind() as usize].load(Ordering::Relaxed) > 0 {
            for object in sight.objects() {
                look_up(&listed.needles, object, &mut |slot| {
                    slots.insert(slot);
                });
            }
        }
        let is_asked = |slot: &u32| listed.rules.get(slot).is_some_and(|rule| rule.kinds.has(sight.kind()));
        slots.into_iter().filter(is_asked).collect()
    }

    /// Whether a slot's pattern matches now that this was met too.
    pub(crate) fn holds(
        &self,
        slot: u32,
        customer: CustomerId,
        sight: &Sight,
        observation: &Observation,
    ) -> bool {
        let Some(rule) = self.listed().rules.get(&slot).cloned() else { return false };
        if rule.compiled.is_single() {
            return self.established(&rule.compiled.evaluate([observation], STEPS_MAX));
        }
        if !rule.compiled.concerns(observation, STEPS_MAX) {
            return false;
        }
        if !sight.is_dated() {
            self.undated.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        let key = (slot, customer);
        let mut windows = self.windows();
        windows.keep(key, &rule, sight.last(), observation.clone());
        let kept = windows.kept.get(&key).into_iter().flatten().map(|(_, observation)| observation);
        let matches = self.established(&rule.compiled.evaluate(kept, STEPS_MAX));
        if matches {
            windows.drop_window(key);
        }
        matches
    }

    fn established(&self, verdict: &Verdict) -> bool {
        match verdict {
            Verdict::Match => true,
            Verdict::NoMatch => false,
            Verdict::Undecided(_) => {
                self.undecided.fetch_add(1, Ordering::Relaxed);
                false
            }
        }
    }
}

impl Windows {
    fn keep(&mut self, key: (u32, CustomerId), rule: &Rule, at: Instant, observation: Observation) {
        if self.count >= KEPT_MAX {
            // Everything is full: whoever has kept the most gives its oldest up.
            let longest = self.kept.iter().max_by_key(|(_, window)| window.len()).map(|(key, _)| *key);
            if let Some(window) = longest.and_then(|key| self.kept.get_mut(&key)) {
                self.count -= usize::from(window.pop_front().is_some());
                self.forgotten += 1;
            }
        }
        let window = self.kept.entry(key).or_default();
        let before = window.len();
        // Observations need not come in the order of their times: a file holds them as it likes.
        window.retain(|(then, _)| (at.nanos() - then.nanos()).abs() <= rule.reach_nanos);
        if window.len() >= KEPT_PER_RULE_MAX {
            window.pop_front();
            self.forgotten += 1;
        }
        window.push_back((at, observation));
        self.count = self.count + window.len() - before;
    }

    fn drop_window(&mut self, key: (u32, CustomerId)) {
        self.count -= self.kept.remove(&key).map_or(0, |window| window.len());
    }

    fn forget(&mut self, slot: u32) {
        let of_slot: Vec<_> = self.kept.keys().filter(|(of, _)| *of == slot).copied().collect();
        for key in of_slot {
            self.drop_window(key);
        }
    }
}

/// Looks up what of an object may be a needle.
fn look_up(needles: &Matcher, object: &Value, visit: &mut dyn FnMut(u32)) {
    let text = |key: &str| object[key].as_str().unwrap_or_default();
    match text("type") {
        "domain-name" => needles.names(text("value"), |hit| visit(hit.slot)),
        "ipv4-addr" | "ipv6-addr" => {
            // A range is looked up by its first address: a needle around it is around that, too.
            let first = text("value").split('/').next().unwrap_or_default();
            if let Ok(address) = first.parse() {
                needles.address(address, visit);
            }
        }
        "url" => needles.exact_text(KeyKind::Url, text("value"), visit),
        "email-addr" => needles.exact_text(KeyKind::Email, text("value"), visit),
        "email-message" => needles.exact_text(KeyKind::Subject, text("subject"), visit),
        "file" | "artifact" => {
            needles.exact_text(KeyKind::FileName, text("name"), &mut *visit);
            for (name, digest) in object["hashes"].as_object().into_iter().flatten() {
                let digest = digest.as_str().and_then(|digest| hex::decode(digest).ok());
                if let Some((algorithm, digest)) = Algorithm::parse(name).zip(digest) {
                    needles.hash(algorithm, &digest, &mut *visit);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use stix_pattern::Pattern;

    use super::*;
    use crate::compile::compile;

    const NOTHING: [u32; 0] = [];

    fn listed(patterns: &[&str]) -> Rules {
        let rules = Rules::new([1; 32]);
        for (slot, pattern) in (0..).zip(patterns) {
            let plan = compile("stix", pattern, Kinds::ALL).unwrap();
            assert!(plan.rule.is_some(), "{pattern} is a look-up");
            rules.set(slot, plan.rule);
        }
        rules
    }

    fn met(rules: &Rules, sight: &Sight) -> Vec<u32> {
        let observation = sight.observation();
        let slots = rules.candidates(sight);
        slots.into_iter().filter(|slot| rules.holds(*slot, CustomerId::ONLY, sight, &observation)).collect()
    }

    fn at(seconds: i64) -> Instant {
        Instant::from_unix(seconds, 0)
    }

    #[test]
    fn a_needle_spares_evaluation_and_loses_nothing() {
        let rules = listed(&[
            "[domain-name:value = 'a.example'] REPEATS 2 TIMES WITHIN 60 SECONDS",
            "[domain-name:value LIKE '%.top']",
            "[network-traffic:dst_ref.value = '192.0.2.1' AND network-traffic:dst_port >= 8000]",
        ]);
        assert_eq!(rules.extent(), (3, 1));
        assert_eq!(rules.candidates(&Sight::question("b.example", at(0))), [1]);
        assert_eq!(met(&rules, &Sight::question("b.top", at(0))), [1]);
        let flow = |port| {
            Sight::flow(
                ("10.0.0.1".parse().unwrap(), 40_000),
                ("192.0.2.1".parse().unwrap(), port),
                6,
                Some(at(0)),
            )
        };
        assert_eq!(met(&rules, &flow(8_443)), [2]);
        assert_eq!(met(&rules, &flow(443)), NOTHING);
        rules.set(1, None);
        assert!(!rules.wants_name("b.top") && rules.wants_name("a.example"));
        rules.set(0, None);
        assert!(!rules.wants(Kind::Question), "nobody asks any more");
    }

    #[test]
    fn several_observations_are_waited_for_and_then_forgotten() {
        let rules = listed(&["[domain-name:value = 'a.example'] REPEATS 3 TIMES WITHIN 60 SECONDS"]);
        let ask = |second| met(&rules, &Sight::question("a.example", at(second)));
        assert_eq!((ask(0), ask(30)), (vec![], vec![]));
        assert_eq!(ask(100), NOTHING, "the first two are too long ago");
        assert_eq!(ask(110), NOTHING);
        assert_eq!(ask(120), [0]);
        assert_eq!(ask(121), NOTHING, "what has matched does not match again");
        let mut undated = Sight::new(Kind::Question, None);
        undated.name("a.example");
        assert_eq!(met(&rules, &undated), NOTHING);
        assert_eq!(rules.shortfalls().undated, 1);
    }

    #[test]
    fn order_counts_over_countermeasures() {
        let rules = listed(&[
            "[domain-name:value = 'a.example'] FOLLOWEDBY [network-traffic:dst_port = 4444] WITHIN 10 SECONDS",
        ]);
        // Without parentheses WITHIN is about the second alone; so the day counts.
        let flow = |second| {
            let ends = (("10.0.0.1".parse().unwrap(), 1), ("192.0.2.1".parse().unwrap(), 4_444));
            met(&rules, &Sight::flow(ends.0, ends.1, 6, Some(at(second))))
        };
        assert_eq!(flow(0), NOTHING);
        assert_eq!(met(&rules, &Sight::question("a.example", at(1))), NOTHING, "the flow was before");
        assert_eq!(flow(500), [0]);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let rules = listed(&["[domain-name:value = 'a.example'] AND [domain-name:value = 'b.example']"]);
        for second in 0..300 {
            assert_eq!(met(&rules, &Sight::question("a.example", at(second))), NOTHING);
        }
        let forgotten = usize::try_from(rules.shortfalls().forgotten).unwrap();
        assert_eq!((forgotten, rules.windows().count), (300 - KEPT_PER_RULE_MAX, KEPT_PER_RULE_MAX));
        rules.set(0, None);
        assert_eq!(rules.windows().count, 0);
    }

    #[test]
    fn the_outermost_within_says_how_long_is_waited() {
        for (pattern, want) in [
            ("([x-a:a = 1] AND [x-a:b = 1]) WITHIN 5 SECONDS", Some(5)),
            ("[x-a:a = 1] REPEATS 5 TIMES WITHIN 30 SECONDS", Some(30)),
            ("[x-a:a = 1] FOLLOWEDBY ([x-a:a = 1] AND [x-a:b = 1]) WITHIN 5 SECONDS", None),
            ("([x-a:a = 1] AND [x-a:b = 1]) WITHIN 900000 SECONDS", Some(REACH_SECONDS)),
        ] {
            let pattern = Pattern::parse(pattern).unwrap();
            assert_eq!(reach_of(pattern.root()), want.map(|it| u128::from(it) * 1_000_000_000), "{pattern}");
        }
    }
}
