//! The schema and the release policies: parsed, validated strictly, and their annotations looked up.
//!
//! Cedar numbers the policies of a text `policy0`, `policy1`, ...; the name that people gave one stands in its
//! `@id` annotation and is something else. What a verdict reports is the `@id`, so [`Policies`] keeps the table
//! from the one to the other.

use std::collections::BTreeMap;

use cedar_policy::{Effect, PolicyId, PolicySet, Schema};
use model::Problem;

use crate::cedar::{PolicyFile, diagnosed};
use crate::read;

const SCHEMA: &str = "schema.cedarschema";
const RELEASE: &str = "release.cedar";

/// The programme's vocabulary and its release policies.
#[derive(Clone, Debug)]
pub struct Policies {
    schema: Schema,
    release: PolicySet,
    rules: BTreeMap<PolicyId, Rule>,
}

/// What people say about a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its `@id`, unique in the programme.
    pub id: String,
    /// Its `@text`: what it says, for people.
    pub text: String,
    /// Its `@source`: where it comes from.
    pub source: String,
    /// Whether it forbids; else it permits.
    pub forbids: bool,
}

impl Policies {
    /// The vocabulary.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The policies of `release.cedar`.
    #[must_use]
    pub fn release(&self) -> &PolicySet {
        &self.release
    }

    /// What people say about the policy that Cedar calls `id`.
    #[must_use]
    pub fn rule(&self, id: &PolicyId) -> Option<&Rule> {
        self.rules.get(id)
    }

    /// All rules, in the order of their `@id`.
    #[must_use]
    pub fn rules(&self) -> Vec<&Rule> {
        let mut rules: Vec<_> = self.rules.values().collect();
        rules.sort_by(|a, b| a.id.cmp(&b.id));
        rules
    }
}

pub(crate) fn read(files: &BTreeMap<String, Vec<u8>>) -> Result<Policies, Vec<Problem>> {
    let mut problems = Vec::new();
    let schema =
        read::text(files, SCHEMA).and_then(parse_schema).map_err(|problem| problems.push(problem)).ok();
    let release = read::text(files, RELEASE)
        .map_err(|problem| vec![problem])
        .and_then(|text| PolicyFile::parse(RELEASE, text))
        .map_err(|found| problems.extend(found))
        .ok();
    let (Some(schema), Some(release)) = (schema, release) else { return Err(problems) };
    problems.extend(release.invalid(&schema));
    match rules_of(&release) {
        Ok(rules) if problems.is_empty() => Ok(Policies { schema, release: release.set, rules }),
        Ok(_) => Err(problems),
        Err(found) => {
            problems.extend(found);
            Err(problems)
        }
    }
}

fn parse_schema(text: &str) -> Result<Schema, Problem> {
    match Schema::from_cedarschema_str(text) {
        Ok((schema, _)) => Ok(schema),
        Err(error) => Err(diagnosed(
            SCHEMA,
            text,
            &error,
            "write it as a Cedar schema; the template has one to compare with",
        )),
    }
}

fn rules_of(release: &PolicyFile<'_>) -> Result<BTreeMap<PolicyId, Rule>, Vec<Problem>> {
    let mut rules = BTreeMap::new();
    let mut seen = BTreeMap::new();
    let mut problems = Vec::new();
    for policy in release.set.policies() {
        let mut annotation = |key: &str, why: &str| {
            release.annotation(policy, key, why).unwrap_or_else(|problem| {
                problems.push(problem);
                String::new()
            })
        };
        let rule = Rule {
            id: annotation("id", "give it a name that verdicts can report"),
            text: annotation("text", "say in a sentence what it does"),
            source: annotation("source", "say where the rule comes from"),
            forbids: policy.effect() == Effect::Forbid,
        };
        if !rule.id.is_empty() && seen.insert(rule.id.clone(), policy.id().clone()).is_some() {
            let message = format!("two policies have the @id `{}`", rule.id);
            problems.push(release.at(Problem::new(RELEASE, message, "give each its own"), policy));
        }
        rules.insert(policy.id().clone(), rule);
    }
    if problems.is_empty() { Ok(rules) } else { Err(problems) }
}
