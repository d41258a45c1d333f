//! Reading a file of Cedar policies, with every fault at its place.

use cedar_policy::{Policy, PolicySet, Schema, ValidationMode, Validator};
use miette::Diagnostic;
use model::Problem;

/// A file of policies: its name within the folder, its text, and what Cedar made of it.
pub(crate) struct PolicyFile<'a> {
    pub(crate) name: &'a str,
    pub(crate) text: &'a str,
    pub(crate) set: PolicySet,
}

impl<'a> PolicyFile<'a> {
    pub(crate) fn parse(name: &'a str, text: &'a str) -> Result<Self, Vec<Problem>> {
        let remedy = "write it as a Cedar policy; every policy ends with `;`";
        let set = text.parse::<PolicySet>().map_err(|errors| {
            errors.iter().map(|error| diagnosed(name, text, error, remedy)).collect::<Vec<_>>()
        })?;
        let file = Self { name, text, set };
        if let Some(template) = file.set.templates().next() {
            let slot = "the policy has a slot such as `?principal`, which nothing fills";
            let problem = Problem::new(name, slot, "name the principal or resource in the policy");
            return Err(vec![file.at_text(problem, &template.to_cedar())]);
        }
        Ok(file)
    }

    /// What strict validation finds. Its warnings count as well: a policy that can never apply, or a name that mixes
    /// scripts, is a mistake in a file that decides who gets what.
    pub(crate) fn invalid(&self, schema: &Schema) -> Vec<Problem> {
        let result = Validator::new(schema.clone()).validate(&self.set, ValidationMode::Strict);
        let remedy = "use what schema.cedarschema declares, as it declares it";
        let errors = result.validation_errors().map(|error| diagnosed(self.name, self.text, error, remedy));
        let warnings = result.validation_warnings().map(|warning| {
            let remedy = "change the policy so that it can apply, or remove it";
            diagnosed(self.name, self.text, warning, remedy)
        });
        errors.chain(warnings).map(|problem| self.named_by_id(problem)).collect()
    }

    /// Cedar's messages speak of `policy7`; people know it by its `@id`.
    fn named_by_id(&self, mut problem: Problem) -> Problem {
        for policy in self.set.policies() {
            if let Some(id) = policy.annotation("id") {
                problem.message =
                    problem.message.replace(&format!("policy `{}`", policy.id()), &format!("policy `{id}`"));
            }
        }
        problem
    }

    /// The policy's annotation, which has to be there; `why` says what for.
    pub(crate) fn annotation(&self, policy: &Policy, key: &str, why: &str) -> Result<String, Problem> {
        match policy.annotation(key) {
            Some(value) if !value.trim().is_empty() => Ok(value.to_owned()),
            Some(_) | None => {
                Err(self.at(Problem::new(self.name, format!("this policy has no `@{key}`"), why), policy))
            }
        }
    }

    /// Puts the problem at the policy's line.
    pub(crate) fn at(&self, problem: Problem, policy: &Policy) -> Problem {
        self.at_text(problem, &policy.to_cedar().unwrap_or_default())
    }

    /// Puts the problem at the line where the policy's own text begins. Cedar keeps a parsed policy's text as it was.
    fn at_text(&self, problem: Problem, policy: &str) -> Problem {
        match self.text.find(policy.trim()) {
            Some(offset) => problem.at(self.text, offset),
            None => problem,
        }
    }
}

/// Cedar's own words about a fault, at the place that it names.
pub(crate) fn diagnosed(file: &str, text: &str, error: &dyn Diagnostic, remedy: &str) -> Problem {
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
