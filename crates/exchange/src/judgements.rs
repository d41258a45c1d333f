//! What the policies say to a reader about a label, remembered for all readers that they cannot tell apart.
//!
//! A policy sees of a member what it is (its kind, attributes and standings), and of a label what it demands. Where no policy
//! names a member, two members that are the same in all of that fare alike with a label, but for two things: whether the
//! label names them among its recipients, and whether they submitted it. With three tiers a thousand members are some ten
//! such groups, so a label costs some ten questions, and not a thousand:
//!
//! ```text
//! Acme, listed on all tiers       ┐
//! Beta, listed on all tiers       ┴─ one question about the label, one answer
//! Gamma, listed on all tiers, named among the label's recipients ─ another
//! Delta, suspended on cleared ─ another
//! ```
//!
//! What is remembered is no right of anybody: it is the answer of a pure function under all that it follows from. The key
//! has the reader's attributes and standings and the label; the policies and the markings that are known are those of the
//! whole memory, which is emptied when they change. So it needs no epoch: a member that steps up or down asks with another
//! key from then on, and all others find their answers where they were.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use model::Principal;
use release::{Audience, Demands, Judge, Label, Policy, Verdict};
use sha2::{Digest as _, Sha256};

use crate::registry::{Profiles, Registry};
use crate::uses::Uses;

/// How many answers are remembered at most: those of a hub with a thousand members that are no two alike, for hundreds of
/// labels. When there are more, all are forgotten, and what is asked for again comes back at the price of a question each.
const KEPT_MAX: usize = 262_144;

/// What the policies say to some reader about a label.
pub(crate) struct Judged {
    pub(crate) read: Verdict,
    uses: OnceLock<Uses>,
}

/// Who asks about which label, as far as the policies can tell.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    /// The SHA-256 of what a policy sees of the reader.
    reader: [u8; 32],
    /// Where the label lies in memory; whoever remembers the answer keeps it there.
    label: usize,
    is_named: bool,
    is_creator: bool,
}

/// What all answers follow from, beside their keys.
#[derive(Clone)]
struct Basis {
    policy: Arc<Policy>,
    markings: Arc<HashMap<String, Demands>>,
    profiles: Profiles,
}

impl Basis {
    fn is_of(&self, registry: &Registry) -> bool {
        Arc::ptr_eq(&self.policy, &registry.policy) && Arc::ptr_eq(&self.markings, &registry.markings)
    }
}

#[derive(Default)]
struct Known {
    basis: Option<Basis>,
    /// INVARIANT: an answer is kept with the label that its key points to, so no other label comes to lie there.
    answers: HashMap<Key, (Arc<Label>, Arc<Judged>)>,
}

/// The memory.
#[derive(Default)]
pub(crate) struct Judgements {
    known: Mutex<Known>,
    asked: AtomicU64,
}

impl Judgements {
    /// How often the policies were asked whether somebody may read something.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// How the registry's readers are told apart; what was remembered on another basis is forgotten.
    fn profiles(&self, registry: &Registry) -> Profiles {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(basis) = known.basis.as_ref().filter(|basis| basis.is_of(registry)) {
            return basis.profiles;
        }
        let profiles = Profiles::new(registry);
        let (policy, markings) = (Arc::clone(&registry.policy), Arc::clone(&registry.markings));
        *known = Known { basis: Some(Basis { policy, markings, profiles }), answers: HashMap::new() };
        profiles
    }

    fn get(&self, registry: &Registry, key: &Key) -> Option<Arc<Judged>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.basis.as_ref().filter(|basis| basis.is_of(registry))?;
        known.answers.get(key).map(|(_, judged)| Arc::clone(judged))
    }

    fn keep(&self, registry: &Registry, key: Key, label: &Arc<Label>, judged: &Arc<Judged>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.basis.as_ref().is_some_and(|basis| basis.is_of(registry)) {
            if known.answers.len() >= KEPT_MAX {
                known.answers.clear();
            }
            known.answers.insert(key, (Arc::clone(label), Arc::clone(judged)));
        }
    }
}

/// A reader who asks about labels.
pub(crate) struct Asker<'r> {
    judgements: &'r Judgements,
    registry: &'r Registry,
    principal: Principal,
    reader: [u8; 32],
    judge: OnceCell<Option<Judge<'r>>>,
}

impl<'r> Asker<'r> {
    pub(crate) fn new(judgements: &'r Judgements, registry: &'r Registry, principal: &Principal) -> Self {
        let profiles = judgements.profiles(registry);
        let mut hash = Sha256::new();
        if let Some(alike) = profiles.of(registry, principal) {
            hash.update(alike);
        } else {
            // One that is like nobody is known by its name, and by what it is: both can be asked about.
            let member = match principal {
                Principal::Member(id) => registry.members.get(id),
                Principal::Role(_) => None,
            };
            hash.update(format!("{principal} ").as_bytes());
            hash.update(serde_json::to_vec(&member).unwrap_or_default());
        }
        let reader = hash.finalize().into();
        Self { judgements, registry, principal: principal.clone(), reader, judge: OnceCell::new() }
    }

    fn judge(&self) -> Option<&Judge<'r>> {
        let judge = self.judge.get_or_init(|| {
            self.registry.reader(&self.principal).map(|reader| self.registry.policy.judge(reader))
        });
        judge.as_ref()
    }

    /// What the policies say about a label.
    pub(crate) fn judged(&self, label: &Arc<Label>) -> Arc<Judged> {
        let is_named = match (&label.audience, &self.principal) {
            (Audience::Named(members), Principal::Member(member)) => members.contains(member),
            (Audience::Named(_) | Audience::Everyone, _) => false,
        };
        let key = Key {
            reader: self.reader,
            label: Arc::as_ptr(label).addr(),
            is_named,
            is_creator: label.creator == self.principal,
        };
        if let Some(judged) = self.judgements.get(self.registry, &key) {
            return judged;
        }
        self.judgements.asked.fetch_add(1, Ordering::Relaxed);
        let read = self.judge().map(|judge| judge.may_read(&self.registry.resolved(label)));
        let judged = Arc::new(Judged { read: read.unwrap_or_default(), uses: OnceLock::new() });
        self.judgements.keep(self.registry, key, label, &judged);
        judged
    }

    /// What else the reader may do with what has the label, of which `judged` is what was said.
    pub(crate) fn uses(&self, label: &Arc<Label>, judged: &Judged) -> Uses {
        *judged.uses.get_or_init(|| {
            let judge = self.judge();
            judge.map_or_else(Uses::default, |judge| Uses::judged(judge, &self.registry.resolved(label)))
        })
    }
}
