//! The schema and the release policies: parsed, validated strictly, and their annotations looked up.
//!
//! Cedar numbers the policies of a text `policy0`, `policy1`, ...; the name that people gave one stands in its
//! `@id` annotation and is something else. What a verdict reports is the `@id`, so [`Policies`] keeps the table
//! from the one to the other.

use std::collections::BTreeMap;

use cedar_policy::{Effect, PolicyId, PolicySet, Schema, ValidationMode, Validator};
use miette::Diagnostic;

use crate::error::{self, Problem};

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
        error::text(files, SCHEMA).and_then(parse_schema).map_err(|problem| problems.push(problem)).ok();
    let release = error::text(files, RELEASE)
        .map_err(|problem| vec![problem])
        .and_then(|text| parse_policies(text).map(|policies| (text, policies)))
        .map_err(|found| problems.extend(found))
        .ok();
    let (Some(schema), Some((text, release))) = (schema, release) else { return Err(problems) };
    problems.extend(invalid(&schema, &release, text));
    match rules_of(&release, text) {
        Ok(rules) if problems.is_empty() => Ok(Policies { schema, release, rules }),
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

fn parse_policies(text: &str) -> Result<PolicySet, Vec<Problem>> {
    let set = text.parse::<PolicySet>().map_err(|errors| {
        errors
            .iter()
            .map(|error| {
                diagnosed(RELEASE, text, error, "write it as a Cedar policy; every policy ends with `;`")
            })
            .collect::<Vec<_>>()
    })?;
    if let Some(template) = set.templates().next() {
        let slot = "the policy has a slot such as `?principal`, which nothing fills";
        let problem = Problem::new(RELEASE, slot, "name the principal or resource in the policy");
        return Err(vec![at_policy(problem, text, &template.to_cedar())]);
    }
    Ok(set)
}

/// What strict validation finds. Its warnings count as well: a policy that can never apply, or a name that mixes
/// scripts, is a mistake in a file that decides who gets what.
fn invalid(schema: &Schema, release: &PolicySet, text: &str) -> Vec<Problem> {
    let result = Validator::new(schema.clone()).validate(release, ValidationMode::Strict);
    let remedy = "use what schema.cedarschema declares, as it declares it";
    let errors = result.validation_errors().map(|error| diagnosed(RELEASE, text, error, remedy));
    let warnings = result.validation_warnings().map(|warning| {
        diagnosed(RELEASE, text, warning, "change the policy so that it can apply, or remove it")
    });
    errors.chain(warnings).map(named_by_id(release)).collect()
}

/// Cedar's messages speak of `policy7`; people know it by its `@id`.
fn named_by_id(release: &PolicySet) -> impl Fn(Problem) -> Problem {
    move |mut problem| {
        for policy in release.policies() {
            if let Some(id) = policy.annotation("id") {
                problem.message =
                    problem.message.replace(&format!("policy `{}`", policy.id()), &format!("policy `{id}`"));
            }
        }
        problem
    }
}

fn rules_of(release: &PolicySet, text: &str) -> Result<BTreeMap<PolicyId, Rule>, Vec<Problem>> {
    let mut rules = BTreeMap::new();
    let mut seen = BTreeMap::new();
    let mut problems = Vec::new();
    for policy in release.policies() {
        let source = policy.to_cedar().unwrap_or_default();
        let mut annotation = |key: &str, why: &str| match policy.annotation(key) {
            Some(value) if !value.trim().is_empty() => value.to_owned(),
            Some(_) | None => {
                let problem = Problem::new(RELEASE, format!("this policy has no `@{key}`"), why);
                problems.push(at_policy(problem, text, &source));
                String::new()
            }
        };
        let rule = Rule {
            id: annotation("id", "give it a name that verdicts can report"),
            text: annotation("text", "say in a sentence what it does"),
            source: annotation("source", "say where the rule comes from"),
            forbids: policy.effect() == Effect::Forbid,
        };
        if !rule.id.is_empty() && seen.insert(rule.id.clone(), policy.id().clone()).is_some() {
            let problem = Problem::new(
                RELEASE,
                format!("two policies have the @id `{}`", rule.id),
                "give each its own",
            );
            problems.push(at_policy(problem, text, &source));
        }
        rules.insert(policy.id().clone(), rule);
    }
    if problems.is_empty() { Ok(rules) } else { Err(problems) }
}

/// Puts the problem at the line where the policy's own text begins. Cedar keeps a parsed policy's text as it was.
fn at_policy(problem: Problem, text: &str, policy: &str) -> Problem {
    match text.find(policy.trim()) {
        Some(offset) => problem.at(text, offset),
        None => problem,
    }
}

fn diagnosed(file: &str, text: &str, error: &dyn Diagnostic, remedy: &str) -> Problem {
    let mut message = error.to_string().replace('\n', " ");
    if let Some(label) = error.labels().and_then(|mut labels| labels.next()) {
        if let Some(said) = label.label() {
            message = format!("{message} ({said})");
        }
        let remedy =
            error.help().map_or_else(|| remedy.to_owned(), |help| help.to_string().replace('\n', " "));
        return Problem::new(file, message, remedy).at(text, label.offset());
    }
    Problem::new(file, message, remedy)
}
