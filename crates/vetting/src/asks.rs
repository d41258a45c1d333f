//! What a rule asks about, read off its conditions.
//!
//! Most rules compare a part with a line: `context.adversary_holding >= 1000`. To such a rule 1001 and 4999 are the
//! same number. Knowing the lines, a [`Sitting`](crate::Sitting) asks Cedar once for all parties whose numbers no line
//! tells apart, which is what makes forty thousand decisions quick. A number that is used in any other way tells
//! itself apart from every other.
//!
//! It also tells whether a rule *grows* with the ties: whether it can only be set off, and never be calmed, by a tie
//! more. Remedies rely on it.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::Policy;
use serde_json::Value as Json;

use crate::facts::{FactName, Kind, Value};

/// What one rule, or several, ask about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asks {
    /// The facts, with the lines that numbers are compared with; `None` where the number itself counts.
    lines: BTreeMap<FactName, Option<BTreeSet<i64>>>,
    /// Whether a tie more may calm it.
    pub(crate) shrinks: bool,
}

/// What tells parties apart: the facts that are asked for, with numbers as places between lines.
pub(crate) type Key = Vec<(FactName, Place)>;

/// Where a value lies.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// Between two lines, or on one: twice the number of lines below it, and one more if it is on one.
    Between(usize),
    /// Anywhere: the value itself.
    Is(Value),
}

/// Whether a condition counts as it is, or turned round.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Plain,
    Turned,
}

impl Sign {
    fn turned(self) -> Self {
        if self == Self::Plain { Self::Turned } else { Self::Plain }
    }
}

impl Asks {
    pub(crate) fn of(policy: &Policy) -> Self {
        let mut asks = Self::default();
        let read = policy.to_json().ok();
        let conditions = read.as_ref().and_then(|policy| policy.get("conditions")?.as_array());
        let Some(conditions) = conditions else {
            // What cannot be read may ask for anything.
            asks.lines.extend(FactName::ALL.iter().map(|name| (*name, None)));
            asks.shrinks = true;
            return asks;
        };
        for condition in conditions {
            let unless = condition.get("kind").and_then(Json::as_str) == Some("unless");
            let sign = if unless { Sign::Turned } else { Sign::Plain };
            if let Some(body) = condition.get("body") {
                asks.read(body, sign);
            }
        }
        asks
    }

    /// The facts, in the order of the schema.
    pub(crate) fn facts(&self) -> impl Iterator<Item = FactName> + '_ {
        self.lines.keys().copied()
    }

    /// Asks for what the other asks for, too.
    pub(crate) fn join(&mut self, other: &Self) {
        for (name, lines) in &other.lines {
            match (self.lines.entry(*name).or_insert_with(|| Some(BTreeSet::new())), lines) {
                (Some(mine), Some(theirs)) => mine.extend(theirs),
                (mine, None) => *mine = None,
                (None, Some(_)) => {}
            }
        }
        self.shrinks |= other.shrinks;
    }

    /// What tells values apart.
    pub(crate) fn key<'v>(&self, value: &dyn Fn(FactName) -> Option<&'v Value>) -> Key {
        let asked = self.lines.iter().map(|(name, lines)| {
            let place = match (value(*name), lines) {
                (None, Some(lines)) if name.kind() == Kind::Number => between(lines, 0),
                (Some(Value::Number(number)), Some(lines)) => between(lines, i64::from(*number)),
                (Some(value), _) => Place::Is(value.clone()),
                (None, _) => Place::Is(Value::nothing(name.kind())),
            };
            (*name, place)
        });
        asked.collect()
    }

    /// Reads an expression of Cedar's JSON form. A rule's own nesting bounds how deep this goes: Cedar's parser has
    /// been there before.
    fn read(&mut self, expression: &Json, sign: Sign) {
        let Some((operator, operand)) = expression.as_object().and_then(|object| object.iter().next()) else {
            return;
        };
        let sides = || Some((operand.get("left")?, operand.get("right")?));
        match operator.as_str() {
            "." => match fact_of(expression) {
                Some(name) => self.fact(name, sign),
                None => self.all(operand, sign),
            },
            "&&" | "||" | "contains" | "containsAll" | "containsAny" => self.all(operand, sign),
            "!" | "isEmpty" => self.all(operand, sign.turned()),
            ">" | ">=" | "<" | "<=" => match sides() {
                Some((left, right)) => self.compare(left, right, sign, operator.starts_with('>')),
                None => self.anything(operand),
            },
            "Value" | "Var" | "Set" => {}
            _ => self.anything(operand),
        }
    }

    fn all(&mut self, operand: &Json, sign: Sign) {
        for side in ["left", "right", "arg"].into_iter().filter_map(|side| operand.get(side)) {
            self.read(side, sign);
        }
    }

    fn compare(&mut self, left: &Json, right: &Json, sign: Sign, left_is_more: bool) {
        let number = |side: &Json| side.get("Value").and_then(Json::as_i64);
        let part = |side: &Json| fact_of(side).filter(|name| name.kind() == Kind::Number);
        match (part(left), number(right), number(left), part(right)) {
            (Some(name), Some(line), ..) => self.line(name, line, sign, left_is_more),
            (.., Some(line), Some(name)) => self.line(name, line, sign, !left_is_more),
            _ => {
                self.anything(left);
                self.anything(right);
            }
        }
    }

    fn line(&mut self, name: FactName, line: i64, sign: Sign, is_more: bool) {
        if let Some(lines) = self.lines.entry(name).or_insert_with(|| Some(BTreeSet::new())) {
            lines.insert(line);
        }
        self.shrinks |= name.is_of_ties() && (sign == Sign::Plain) != is_more;
    }

    fn fact(&mut self, name: FactName, sign: Sign) {
        let number = name.kind() == Kind::Number;
        let lines = self.lines.entry(name).or_insert_with(|| Some(BTreeSet::new()));
        if number {
            *lines = None;
        }
        // `allied` says that of several controllers all are; one more may make it false.
        self.shrinks |= name.is_of_ties() && (number || sign == Sign::Turned || name == FactName::Allied);
    }

    /// Every fact inside counts for itself, and either way.
    fn anything(&mut self, expression: &Json) {
        let mut open = vec![expression];
        while let Some(expression) = open.pop() {
            if let Some(name) = fact_of(expression) {
                self.lines.insert(name, None);
                self.shrinks |= name.is_of_ties();
            }
            match expression {
                Json::Object(object) => open.extend(object.values()),
                Json::Array(items) => open.extend(items),
                Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
            }
        }
    }
}

/// Where a number lies among lines.
fn between(lines: &BTreeSet<i64>, number: i64) -> Place {
    Place::Between(2 * lines.range(..number).count() + usize::from(lines.contains(&number)))
}

/// The fact that an expression names: `context.foreign_control`, in either spelling.
fn fact_of(expression: &Json) -> Option<FactName> {
    let access = expression.get(".")?;
    let is_context = access.get("left")?.get("Var")?.as_str()? == "context";
    let name = access.get("attr")?.as_str().filter(|_| is_context)?;
    FactName::ALL.iter().copied().find(|fact| fact.as_str() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(condition: &str) -> Asks {
        let text = format!("forbid (principal, action, resource) {condition};");
        Asks::of(&Policy::parse(None, text).unwrap())
    }

    #[test]
    fn lines_and_direction_are_read_off_the_conditions() {
        use FactName as F;
        type Wanted<'a> = &'a [(F, Option<&'a [i64]>)];
        let cases: &[(&str, Wanted<'_>, bool)] = &[
            ("when { context.foreign_holding >= 500 }", &[(F::ForeignHolding, Some(&[500]))], false),
            ("when { 500 <= context[\"foreign_holding\"] }", &[(F::ForeignHolding, Some(&[500]))], false),
            ("when { context.foreign_holding < 500 }", &[(F::ForeignHolding, Some(&[500]))], true),
            ("unless { context.foreign_holding < 500 }", &[(F::ForeignHolding, Some(&[500]))], false),
            ("when { context.foreign_holding == 500 }", &[(F::ForeignHolding, None)], true),
            (
                "when { context.foreign_holding > context.foreign_votes }",
                &[(F::ForeignHolding, None), (F::ForeignVotes, None)],
                true,
            ),
            ("when { !context.chain.isEmpty() }", &[(F::Chain, Some(&[]))], false),
            ("when { context.chain.isEmpty() }", &[(F::Chain, Some(&[]))], true),
            ("when { context.chain.containsAny([\"a\"]) }", &[(F::Chain, Some(&[]))], false),
            (
                "when { context.foreign_control && (context.applicant || !context.negotiating) }",
                &[(F::Applicant, Some(&[])), (F::Negotiating, Some(&[])), (F::ForeignControl, Some(&[]))],
                false,
            ),
            ("when { context.overdue_days > 30 }", &[(F::OverdueDays, Some(&[30]))], false),
            ("when { if context.conflicted then true else false }", &[(F::Conflicted, None)], true),
        ];
        for (condition, wanted, shrinks) in cases {
            let found = asks(condition);
            let wanted: BTreeMap<_, _> = wanted
                .iter()
                .map(|(name, lines)| (*name, lines.map(|lines| lines.iter().copied().collect())))
                .collect();
            assert_eq!((&found.lines, found.shrinks), (&wanted, *shrinks), "{condition}");
        }
    }

    #[test]
    fn numbers_between_two_lines_are_one() {
        let mut both = asks("when { context.foreign_holding >= 500 }");
        both.join(&asks("when { context.foreign_holding > 1000 }"));
        let place = |points| {
            let value = Value::Number(points);
            both.key(&|name| (name == FactName::ForeignHolding && points > 0).then_some(&value))
        };
        for (one, other, same) in [
            (0, 499, true),
            (499, 500, false),
            (500, 501, false),
            (501, 999, true),
            (1000, 1001, false),
            (1001, 9999, true),
        ] {
            assert_eq!(place(one) == place(other), same, "{one} {other}");
        }
    }
}
