//! Patterns that a table can look up.
//!
//! Of the patterns in public feeds 98.65 % are one equality, and most others are a list or a conjunction of a few. A
//! matcher takes these by kind of object and property (`domain-name:value`, `file:hashes.'SHA-256'`), and leaves the rest to
//! evaluation.

use crate::ast::{Comparison, ComparisonExpression, ObservationExpression, Operator};
use crate::literal::Literal;

/// How many conjunctions a pattern may stand for and still be called simple. Sets in feeds hold a few hundred values.
const ALTERNATIVES_MAX: usize = 16_384;

/// A pattern about one observation that needs no more than equalities.
///
/// It matches an observation if, for one of the alternatives, one object satisfies every equality of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Simple<'a> {
    /// Never empty; nor is any alternative. The equalities of an alternative are about one kind of object.
    pub alternatives: Vec<Vec<Equality<'a>>>,
}

impl<'a> Simple<'a> {
    /// The one equality that the pattern is, if it is no more than that.
    #[must_use]
    pub fn single(&self) -> Option<&Equality<'a>> {
        match self.alternatives.as_slice() {
            [alternative] => match alternative.as_slice() {
                [equality] => Some(equality),
                _ => None,
            },
            _ => None,
        }
    }
}

/// A property and the value that it must have.
#[derive(Clone, Debug, PartialEq)]
pub struct Equality<'a> {
    /// `file`
    pub object_type: &'a str,
    /// The path behind the type, canonical: `hashes.'SHA-256'`, `from_ref.value`, `protocols[*]`.
    pub property: String,
    /// What the property must be.
    pub wanted: Wanted<'a>,
}

/// What an equality asks of its property.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wanted<'a> {
    /// To be this value.
    Value(&'a Literal),
    /// To be an address or range that lies in this range: `198.51.100.0/24`.
    Within(&'a str),
}

impl<'a> Wanted<'a> {
    /// The text that is wanted, be it a value or a range.
    #[must_use]
    pub fn text(self) -> Option<&'a str> {
        match self {
            Self::Value(literal) => literal.as_text(),
            Self::Within(range) => Some(range),
        }
    }
}

type Conjunction<'a> = Vec<Equality<'a>>;

pub(crate) fn simple(root: &ObservationExpression) -> Option<Simple<'_>> {
    let mut alternatives = Vec::new();
    match root {
        ObservationExpression::Observation(inside) => alternatives = expand(inside)?,
        ObservationExpression::Or(members) => {
            for member in members {
                let ObservationExpression::Observation(inside) = member else { return None };
                alternatives.extend(expand(inside)?);
                if alternatives.len() > ALTERNATIVES_MAX {
                    return None;
                }
            }
        }
        ObservationExpression::And(_)
        | ObservationExpression::FollowedBy(_)
        | ObservationExpression::Qualified { .. } => return None,
    }
    // What no object can satisfy adds nothing.
    alternatives.retain(|all| all.iter().all(|equality| equality.object_type == all[0].object_type));
    (!alternatives.is_empty()).then_some(Simple { alternatives })
}

/// The expression as a list of conjunctions, if it holds equalities only and the list stays short.
fn expand(expression: &ComparisonExpression) -> Option<Vec<Conjunction<'_>>> {
    match expression {
        ComparisonExpression::Comparison(comparison) => equalities(comparison),
        ComparisonExpression::Or(members) => {
            let mut all = Vec::new();
            for member in members {
                all.extend(expand(member)?);
                if all.len() > ALTERNATIVES_MAX {
                    return None;
                }
            }
            Some(all)
        }
        ComparisonExpression::And(members) => {
            let mut all: Vec<Conjunction<'_>> = vec![Vec::new()];
            for member in members {
                let choices = expand(member)?;
                if all.len().checked_mul(choices.len())? > ALTERNATIVES_MAX {
                    return None;
                }
                all = all
                    .iter()
                    .flat_map(|before| {
                        choices.iter().map(|choice| [before.as_slice(), choice.as_slice()].concat())
                    })
                    .collect();
            }
            Some(all)
        }
    }
}

fn equalities(comparison: &Comparison) -> Option<Vec<Conjunction<'_>>> {
    if comparison.negated {
        return None;
    }
    let property = comparison.path.property();
    let equality = |wanted| {
        vec![Equality { object_type: &comparison.path.object_type, property: property.clone(), wanted }]
    };
    match &comparison.operator {
        Operator::Equal(value) => Some(vec![equality(Wanted::Value(value))]),
        Operator::In(values) => Some(values.iter().map(|value| equality(Wanted::Value(value))).collect()),
        Operator::IsSubset(range) => Some(vec![equality(Wanted::Within(range))]),
        Operator::NotEqual(_)
        | Operator::Less(_)
        | Operator::LessOrEqual(_)
        | Operator::Greater(_)
        | Operator::GreaterOrEqual(_)
        | Operator::Like(_)
        | Operator::Matches(_)
        | Operator::IsSuperset(_)
        | Operator::Exists => None,
    }
}

/// Equalities of which one holds wherever the expression does, as few as are easily found.
pub(crate) fn needles(root: &ObservationExpression) -> Option<Vec<Equality<'_>>> {
    match root {
        ObservationExpression::Observation(inside) => needles_inside(inside),
        ObservationExpression::Or(members) => all_of(members.iter().map(needles)),
        // Each of them must hold, so the needles of any one will do.
        ObservationExpression::And(members) | ObservationExpression::FollowedBy(members) => {
            members.iter().filter_map(needles).min_by_key(Vec::len)
        }
        ObservationExpression::Qualified { inner, .. } => needles(inner),
    }
}

fn needles_inside(expression: &ComparisonExpression) -> Option<Vec<Equality<'_>>> {
    expression.needles(&|_| true)
}

impl ComparisonExpression {
    /// Equalities of which at least one holds of an object whenever the expression does, out of those that count: a caller
    /// names what its tables can look up. `None` if there are none to be relied on; an empty list if it never holds.
    #[must_use]
    pub fn needles(&self, counts: &dyn Fn(&Equality<'_>) -> bool) -> Option<Vec<Equality<'_>>> {
        match self {
            Self::Comparison(comparison) => {
                let all: Vec<_> = equalities(comparison)?.into_iter().flatten().collect();
                all.iter().all(counts).then_some(all)
            }
            Self::Or(members) => all_of(members.iter().map(|member| member.needles(counts))),
            Self::And(members) => {
                members.iter().filter_map(|member| member.needles(counts)).min_by_key(Vec::len)
            }
        }
    }
}

fn all_of<'a>(members: impl Iterator<Item = Option<Vec<Equality<'a>>>>) -> Option<Vec<Equality<'a>>> {
    members.collect::<Option<Vec<_>>>().map(|all| all.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use crate::{Pattern, Wanted};

    #[test]
    fn lookups_are_told_from_evaluations() {
        let cases: &[(&str, Option<&[&[&str]]>)] = &[
            ("[domain-name:value = 'a']", Some(&[&["domain-name:value 'a'"]])),
            ("[file:hashes.sha1 = 'a']", Some(&[&["file:hashes.'SHA-1' 'a'"]])),
            (
                "[url:value IN ('a', 'b') OR ipv4-addr:value ISSUBSET '10.0.0.0/8']",
                Some(&[&["url:value 'a'"], &["url:value 'b'"], &["ipv4-addr:value in 10.0.0.0/8"]]),
            ),
            ("[url:value = 'a'] OR [url:value = 'b']", Some(&[&["url:value 'a'"], &["url:value 'b'"]])),
            (
                "[network-traffic:dst_ref.value = 'a' AND network-traffic:dst_port = 80]",
                Some(&[&["network-traffic:dst_ref.value 'a'", "network-traffic:dst_port 80"]]),
            ),
            (
                "[file:name = 'n' AND (file:size = 1 OR file:size = 2)]",
                Some(&[&["file:name 'n'", "file:size 1"], &["file:name 'n'", "file:size 2"]]),
            ),
            // What no object can be is no alternative.
            ("[file:name = 'a' AND url:value = 'b' OR url:value = 'c']", Some(&[&["url:value 'c'"]])),
            ("[file:name = 'a' AND url:value = 'b']", None),
            ("[url:value != 'a']", None),
            ("[url:value NOT = 'a']", None),
            ("[url:value NOT IN ('a')]", None),
            ("[url:value LIKE 'a']", None),
            ("[url:value = 'a' OR url:value LIKE 'b']", None),
            ("[url:value = 'a'] AND [url:value = 'b']", None),
            ("[url:value = 'a'] REPEATS 2 TIMES", None),
            ("[url:value = 'a'] OR [url:value = 'b'] WITHIN 5 SECONDS", None),
        ];
        for (text, want) in cases {
            let pattern = Pattern::parse(text).unwrap();
            let simple = pattern.simple();
            let found: Option<Vec<Vec<String>>> = simple.as_ref().map(|simple| {
                let written = |equality: &crate::Equality<'_>| match equality.wanted {
                    Wanted::Value(value) => format!("{}:{} {value}", equality.object_type, equality.property),
                    Wanted::Within(range) => {
                        format!("{}:{} in {range}", equality.object_type, equality.property)
                    }
                };
                simple.alternatives.iter().map(|all| all.iter().map(written).collect()).collect()
            });
            let want: Option<Vec<Vec<String>>> =
                want.map(|all| all.iter().map(|one| one.iter().map(ToString::to_string).collect()).collect());
            assert_eq!(found, want, "{text}");
            let single = simple.as_ref().is_some_and(|simple| simple.single().is_some());
            assert_eq!(single, want.is_some_and(|all| all.len() == 1 && all[0].len() == 1), "{text}");
        }
    }

    #[test]
    fn products_that_grow_too_long_are_not_simple() {
        let pair = |n: usize| format!("(x-a:a = {n} OR x-a:b = {n})");
        let product = |n: usize| (0..n).map(pair).collect::<Vec<_>>().join(" AND ");
        let alternatives = |n| {
            let pattern = Pattern::parse(&format!("[{}]", product(n))).unwrap();
            pattern.simple().map(|simple| simple.alternatives.len())
        };
        assert_eq!(alternatives(10), Some(1024));
        assert_eq!(alternatives(40), None);
    }

    #[test]
    fn needles_are_chosen_among_those_that_count() {
        let cases: &[(&str, Option<&[&str]>)] = &[
            ("[file:size = 1 AND file:name IN ('b', 'c')]", Some(&["name", "name"])),
            ("[file:size = 1 OR file:name = 'b']", None),
            ("[file:size = 1]", None),
        ];
        for (text, want) in cases {
            let pattern = Pattern::parse(text).unwrap();
            let crate::ObservationExpression::Observation(inside) = pattern.root() else { panic!() };
            let found = inside.needles(&|equality| equality.property == "name");
            let found: Option<Vec<String>> =
                found.map(|all| all.into_iter().map(|equality| equality.property).collect());
            let want: Option<Vec<String>> = want.map(|all| all.iter().map(ToString::to_string).collect());
            assert_eq!(found, want, "{text}");
        }
    }

    #[test]
    fn needles_are_what_a_match_cannot_do_without() {
        let cases: &[(&str, Option<&[&str]>)] = &[
            ("[url:value = 'a']", Some(&["'a'"])),
            ("[url:value LIKE 'a']", None),
            ("[url:value LIKE 'a' AND url:value IN ('b', 'c') AND url:value = 'd']", Some(&["'d'"])),
            ("[url:value = 'a' OR url:value LIKE 'b']", None),
            ("[url:value = 'a' OR url:value = 'b' AND url:value LIKE 'c']", Some(&["'a'", "'b'"])),
            ("[url:value NOT = 'a']", None),
            ("([url:value LIKE 'a'] FOLLOWEDBY [url:value = 'b']) REPEATS 5 TIMES", Some(&["'b'"])),
            (
                "[url:value = 'a'] WITHIN 5 SECONDS OR [url:value = 'b'] AND [url:value != 'c']",
                Some(&["'a'", "'b'"]),
            ),
            ("[url:value = 'a'] OR [url:value != 'c']", None),
            ("[url:value IN ()]", Some(&[])),
        ];
        for (text, want) in cases {
            let pattern = Pattern::parse(text).unwrap();
            let found: Option<Vec<String>> = pattern.needles().map(|all| {
                let written = |equality: &crate::Equality<'_>| match equality.wanted {
                    Wanted::Value(value) => value.to_string(),
                    Wanted::Within(range) => range.to_owned(),
                };
                all.iter().map(written).collect()
            });
            let want: Option<Vec<String>> = want.map(|all| all.iter().map(ToString::to_string).collect());
            assert_eq!(found, want, "{text}");
        }
    }
}
