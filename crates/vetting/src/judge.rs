//! Asking the rules.
//!
//! A [`Sitting`] is the set of rules that count for one tier on one day, as known at an instant. It is asked twice, with
//! the certain and with the possible values of an entity's facts, and answers with every rule that applies. The worst
//! grade counts. A rule that cannot be evaluated counts as `suspend`: Cedar leaves such a rule out, and leaving one out
//! would open what it closes.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
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
}

/// The rules that count for one tier at one time.
#[derive(Debug)]
pub struct Sitting<'j> {
    judge: &'j Judge,
    tier: EntityUid,
    rules: HashMap<String, (&'j Pack, &'j PackRule)>,
    set: PolicySet,
    remembered: RefCell<HashMap<Vec<Value>, Vec<String>>>,
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
        let judge = Self { action: uid("Action", "vet"), party: uid("Party", "it"), programme };
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
        for pack in all.iter().filter(asked) {
            for rule in pack.rules.iter().filter(|rule| rule.counts(tier, day, known)) {
                set.add(rule.policy.clone()).expect("identifiers of rules are unique in a programme");
                rules.insert(rule.id.clone(), (pack, rule));
            }
        }
        let tier = uid("Tier", tier.as_str());
        Ok(Sitting { judge: self, tier, rules, set, remembered: RefCell::default() })
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
    /// The rules that apply to these values, the worst first, then by name.
    pub fn ask(&self, values: &[Value]) -> Vec<Applies<'j>> {
        let known = self.remembered.borrow().get(values).cloned();
        let ids = known.unwrap_or_else(|| {
            let ids = self.evaluate(values);
            let mut remembered = self.remembered.borrow_mut();
            if remembered.len() >= REMEMBERED_MAX {
                remembered.clear();
            }
            remembered.insert(values.to_vec(), ids.clone());
            ids
        });
        let mut found: Vec<_> = ids
            .iter()
            .filter_map(|id| {
                let failed = id.starts_with('!');
                let (pack, rule) = *self.rules.get(id.trim_start_matches('!'))?;
                Some(Applies { pack, rule, failed })
            })
            .collect();
        found.sort_by(|a, b| b.grade().cmp(&a.grade()).then_with(|| a.rule.id.cmp(&b.rule.id)));
        found
    }

    /// The identifiers of the rules that apply; with `!` before those that fail.
    fn evaluate(&self, values: &[Value]) -> Vec<String> {
        let every = |mark: &str| self.rules.keys().map(|id| format!("{mark}{id}")).collect();
        let Ok(request) = self.judge.request(&self.tier, values, false) else { return every("!") };
        let response = Authorizer::new().is_authorized(&request, &self.set, &Entities::empty());
        let mut ids: Vec<_> = response.diagnostics().reason().map(ToString::to_string).collect();
        ids.extend(response.diagnostics().errors().map(|error| match error {
            cedar_policy::AuthorizationError::PolicyEvaluationError(error) => {
                format!("!{}", error.policy_id())
            }
        }));
        ids
    }
}

/// The facts that a rule asks about, in the order of the schema.
pub(crate) fn facts_of(rule: &PackRule) -> Vec<FactName> {
    let text = rule.policy.to_cedar().unwrap_or_default();
    let asked: BTreeSet<&str> = text
        .match_indices("context.")
        .map(|(at, found)| {
            let rest = &text[at + found.len()..];
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
            &rest[..end]
        })
        .collect();
    FactName::ALL.iter().copied().filter(|name| asked.contains(name.as_str())).collect()
}

/// Whether the kind of a fact is one of numbers: for showing it as a part.
pub(crate) fn is_part(name: FactName) -> bool {
    name.kind() == Kind::Number && !matches!(name, FactName::Score | FactName::OverdueDays)
}
