//! What a policy can look at, read off its own syntax tree.
//!
//! The answer of a policy is a function of what it names: attributes, the context, and constants that it compares
//! with. An attribute counts as named wherever its name stands, whatever it hangs on; that errs to too much, which costs
//! time and no certainty.

use std::collections::BTreeSet;

use cedar_policy::Policy;
use serde_json::Value;

/// Attributes whose values are texts, or sets of texts, that nobody can list.
const OPEN: [&str; 7] =
    ["identity", "consent", "nationalities", "organisations", "entities", "communities", "accesses"];

/// What one policy names.
#[derive(Clone, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says of another thing whether it is named; none excludes another"
)]
pub(super) struct Words {
    pub(super) attributes: BTreeSet<String>,
    pub(super) texts: BTreeSet<String>,
    pub(super) numbers: BTreeSet<i64>,
    /// The ids of members and collections that it names, by type.
    pub(super) entities: BTreeSet<(String, String)>,
    pub(super) context: bool,
    /// Whether it calculates.
    pub(super) arithmetic: bool,
    /// Whether it matches texts with wildcards.
    pub(super) like: bool,
    /// Whether it compares two open attributes with each other.
    pub(super) crossed: bool,
}

impl Words {
    pub(super) fn of(policy: &Policy) -> Result<Self, String> {
        let tree = policy.to_json().map_err(|error| error.to_string())?;
        let mut words = Self::default();
        words.read(&tree);
        Ok(words)
    }

    pub(super) fn names(&self, attributes: &[&str]) -> bool {
        attributes.iter().any(|attribute| self.attributes.contains(*attribute))
    }

    /// Reads Cedar's JSON form of policies, whose nodes are objects with the operator as their key.
    fn read(&mut self, node: &Value) {
        match node {
            Value::Object(fields) => {
                for (key, value) in fields {
                    match key.as_str() {
                        // What people say about it decides nothing.
                        "annotations" => continue,
                        "attr" => self.attributes.extend(value.as_str().map(str::to_owned)),
                        "Value" => self.read_literal(value),
                        "Var" => self.context |= value == "context",
                        "+" | "-" | "*" | "neg" => self.arithmetic = true,
                        "like" => self.like = true,
                        "&&" | "||" => {}
                        _ => self.crossed |= compares_open(value),
                    }
                    self.read(value);
                }
                if let (Some(Value::String(kind)), Some(Value::String(id))) =
                    (fields.get("type"), fields.get("id"))
                {
                    self.entities.insert((kind.clone(), id.clone()));
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.read(item)),
            Value::String(_) | Value::Number(_) | Value::Null | Value::Bool(_) => {}
        }
    }

    fn read_literal(&mut self, literal: &Value) {
        match literal {
            Value::String(text) => self.texts.extend([text.clone()]),
            Value::Number(number) => self.numbers.extend(number.as_i64()),
            Value::Array(items) => items.iter().for_each(|item| self.read_literal(item)),
            Value::Object(_) | Value::Null | Value::Bool(_) => {} // entities are read where their fields are
        }
    }
}

fn compares_open(operands: &Value) -> bool {
    match (operands.get("left"), operands.get("right")) {
        (Some(left), Some(right)) => mentions_open(left) && mentions_open(right),
        _ => false,
    }
}

fn mentions_open(node: &Value) -> bool {
    match node {
        Value::Object(fields) => {
            let here = fields.get("attr").and_then(Value::as_str).is_some_and(|name| OPEN.contains(&name));
            here || fields.values().any(mentions_open)
        }
        Value::Array(items) => items.iter().any(mentions_open),
        Value::String(_) | Value::Number(_) | Value::Null | Value::Bool(_) => false,
    }
}
