//! Asking the rules.
//!
//! A [`Sitting`] is the set of rules that count for one tier on one day, as known at an instant. It is asked twice, with
//! the certain and with the possible values of an entity's facts, and answers with every rule that applies. The worst
//! grade counts. A rule that cannot be evaluated counts as `suspend`: Cedar leaves such a rule out, and leaving one out
//! would open what it closes.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::str::FromStr;
use std::sync::Arc;

use cedar_policy::{
    Authorizer, Context, Entities, EntityId, EntityTypeName, EntityUid, PolicySet, Request,
    RestrictedExpression,
};
use model::{Grade, Tier, Timestamp};
use programme::{Pack, PackRule, Programme};
use thiserror::Error;
use ties::Day;

use crate::asks::{Asks, Key};
use crate::facts::{FactName, Kind, Value};

/// How many distinct sets of values a sitting remembers. Most entities of a register have one of a few hundred.
const REMEMBERED_MAX: usize = 100_000;

/// Why rules cannot be asked.
#[derive(Debug, Error)]
pub enum JudgeError {
    /// The schema does not declare what vetting tells.
    #[error("schema.cedarschema does not fit this version: {0}; take `Facts` and `vet` from the template")]
    Vocabulary(String),
    /// There is no such pack.
    #[error("there is no rule pack `{pack}`; there are {known}")]
    NoSuchPack {
        /// What was asked for.
        pack: String,
        /// What there is.
        known: String,
    },
}

/// A programme's rules about ties.
#[derive(Debug)]
pub struct Judge {
    programme: Arc<Programme>,
    action: EntityUid,
    party: EntityUid,
    /// What each rule asks about, by its identifier.
    asks: HashMap<String, Asks>,
}

/// The rules that count for one tier at one time.
#[derive(Debug)]
pub struct Sitting<'j> {
    judge: &'j Judge,
    tier: EntityUid,
    rules: HashMap<String, (&'j Pack, &'j PackRule)>,
    set: PolicySet,
    /// What all of them ask about.
    asks: Asks,
    remembered: RefCell<HashMap<Key, Rc<[Said]>>>,
}

/// That a rule applies, or cannot be evaluated.
#[derive(Clone, Debug)]
struct Said {
    rule: String,
    failed: bool,
}

/// A rule that applies.
#[derive(Clone, Copy, Debug)]
pub struct Applies<'j> {
    /// Its pack.
    pub pack: &'j Pack,
    /// The rule.
    pub rule: &'j PackRule,
    /// Whether it could not be evaluated, and counts as `suspend` for that.
    pub failed: bool,
}

impl Applies<'_> {
    /// How serious it is.
    #[must_use]
    pub fn grade(&self) -> Grade {
        if self.failed { self.rule.grade.max(Grade::Suspend) } else { self.rule.grade }
    }
}

fn uid(kind: &str, id: &str) -> EntityUid {
    let kind =
        EntityTypeName::from_str(kind).expect("the names are this file's own, and each is a Cedar name");
    EntityUid::from_type_name_and_id(kind, EntityId::new(id))
}

impl Judge {
    /// Rules that fit this version's facts.
    ///
    /// # Errors
    ///
    /// Refuses a schema that declares other facts than these.
    pub fn new(programme: Arc<Programme>) -> Result<Self, JudgeError> {
        let rules = programme.packs().iter().flat_map(|pack| &pack.rules);
        let asks = rules.map(|rule| (rule.id.clone(), Asks::of(&rule.policy))).collect();
        let judge = Self { action: uid("Action", "vet"), party: uid("Party", "it"), asks, programme };
        let nothing: Vec<_> = FactName::ALL.iter().map(|name| Value::nothing(name.kind())).collect();
        let tier = uid("Tier", "any");
        judge.request(&tier, &nothing, true).map_err(JudgeError::Vocabulary)?;
        Ok(judge)
    }

    /// The programme.
    #[must_use]
    pub fn programme(&self) -> &Arc<Programme> {
        &self.programme
    }

    /// The rules that count for `tier` on `day`, as known at `known`: those of the packs in force, or of `packs`.
    ///
    /// # Errors
    ///
    /// Refuses a pack that there is not.
    ///
    /// # Panics
    ///
    /// Never: a programme with two rules of one name is not loaded.
    pub fn sitting(
        &self,
        tier: &Tier,
        day: Day,
        known: Timestamp,
        packs: Option<&BTreeSet<String>>,
    ) -> Result<Sitting<'_>, JudgeError> {
        let all = self.programme.packs();
        if let Some(missing) =
            packs.into_iter().flatten().find(|name| !all.iter().any(|p| p.about.name == **name))
        {
            let known = all.iter().map(|pack| pack.about.name.as_str()).collect::<Vec<_>>().join(", ");
            return Err(JudgeError::NoSuchPack { pack: missing.clone(), known });
        }
        let asked = |pack: &&Pack| match packs {
            Some(names) => names.contains(&pack.about.name),
            None => pack.about.in_force,
        };
        let mut set = PolicySet::new();
        let mut rules = HashMap::new();
        let mut asks = Asks::default();
        for pack in all.iter().filter(asked) {
            for rule in pack.rules.iter().filter(|rule| rule.counts(tier, day, known)) {
                set.add(rule.policy.clone()).expect("identifiers of rules are unique in a programme");
                asks.join(self.asks(rule));
                rules.insert(rule.id.clone(), (pack, rule));
            }
        }
        let tier = uid("Tier", tier.as_str());
        Ok(Sitting { judge: self, tier, rules, set, asks, remembered: RefCell::default() })
    }

    /// What a rule asks about.
    pub(crate) fn asks(&self, rule: &PackRule) -> &Asks {
        // INVARIANT: a judge knows the rules of its programme, and hands out no others.
        self.asks.get(&rule.id).expect("the rule is the programme's")
    }

    fn request(&self, tier: &EntityUid, values: &[Value], check: bool) -> Result<Request, String> {
        let pairs = FactName::ALL.iter().zip(values);
        let pairs = pairs.map(|(name, value)| (name.as_str().to_owned(), expression(value)));
        let context = Context::from_pairs(pairs).map_err(|error| error.to_string())?;
        let schema = check.then(|| self.programme.policies().schema());
        Request::new(self.party.clone(), self.action.clone(), tier.clone(), context, schema)
            .map_err(|error| error.to_string())
    }
}

fn expression(value: &Value) -> RestrictedExpression {
    match value {
        Value::Flag(yes) => RestrictedExpression::new_bool(*yes),
        Value::Number(number) => RestrictedExpression::new_long(i64::from(*number)),
        Value::Words(words) => RestrictedExpression::new_set(
            words.iter().map(|word| RestrictedExpression::new_string(word.clone())),
        ),
    }
}

impl<'j> Sitting<'j> {
    /// The rules that apply to these values, the worst first, then by name. A fact that has none says nothing.
    pub fn ask<'v>(&self, value: &dyn Fn(FactName) -> Option<&'v Value>) -> Vec<Applies<'j>> {
        let key = self.asks.key(value);
        let known = self.remembered.borrow().get(&key).cloned();
        let said = known.unwrap_or_else(|| {
            let all = FactName::ALL.iter();
            let values = all.map(|name| value(*name).cloned().unwrap_or(Value::nothing(name.kind())));
            let said: Rc<[Said]> = self.evaluate(&values.collect::<Vec<_>>()).into();
            let mut remembered = self.remembered.borrow_mut();
            if remembered.len() >= REMEMBERED_MAX {
                remembered.clear();
            }
            remembered.insert(key, Rc::clone(&said));
            said
        });
        let applies = said.iter().filter_map(|said| {
            let (pack, rule) = *self.rules.get(&said.rule)?;
            Some(Applies { pack, rule, failed: said.failed })
        });
        let mut found: Vec<_> = applies.collect();
        found.sort_by(|a, b| b.grade().cmp(&a.grade()).then_with(|| a.rule.id.cmp(&b.rule.id)));
        found
    }

    /// Whether a tie more can only make things worse: no rule is calmed by one.
    pub(crate) fn grows(&self) -> bool {
        !self.asks.shrinks
    }

    fn evaluate(&self, values: &[Value]) -> Vec<Said> {
        let Ok(request) = self.judge.request(&self.tier, values, false) else {
            return self.rules.keys().map(|rule| Said { rule: rule.clone(), failed: true }).collect();
        };
        let response = Authorizer::new().is_authorized(&request, &self.set, &Entities::empty());
        let reasons = response.diagnostics().reason().map(|id| Said { rule: id.to_string(), failed: false });
        let errors = response.diagnostics().errors().map(|error| match error {
            cedar_policy::AuthorizationError::PolicyEvaluationError(error) => {
                Said { rule: error.policy_id().to_string(), failed: true }
            }
        });
        reasons.chain(errors).collect()
    }
}

/// Whether the kind of a fact is one of numbers: for showing it as a part.
pub(crate) fn is_part(name: FactName) -> bool {
    name.kind() == Kind::Number && !matches!(name, FactName::Score | FactName::OverdueDays)
}
