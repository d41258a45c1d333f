//! From what a pattern means to what evaluates it.
//!
//! Keys become hashes, addresses numbers, regular expressions automata, and alternatives of single observations one test.
//! Nothing fails here: a comparison that cannot be prepared is kept as *undecidable*, with the reason, and the rest of the
//! pattern still counts.

use std::fmt::Write as _;
use std::ops::Range;

use regex::{RegexBuilder, bytes};
use thiserror::Error;

use crate::address::Prefix;
use crate::ast::{Comparison, ComparisonExpression, ObservationExpression, Operator, Qualifier, Step};
use crate::check;
use crate::instant::Instant;
use crate::lexer::shortened;
use crate::like::Like;
use crate::literal::Literal;
use crate::observation::{Key, compose};
use crate::parser::Pattern;
use crate::search::CHOICES_MAX;

/// Regular expressions of one pattern. No published pattern has more than two.
const REGEXES_MAX: usize = 64;

/// What a pattern's first regular expressions may take in memory each, and what the others may: together 30 MiB at most.
const REGEX_BYTES: [(usize, usize); 2] = [(8, 2 << 20), (REGEXES_MAX, 256 << 10)];

/// Why evaluation has no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Undecidable {
    /// A regular expression cannot be used: it asks for what needs unbounded time (look-around, back references), has no
    /// meaning, or is too large.
    #[error("the regular expression `{regex}` cannot be used: {reason}")]
    Regex {
        /// The expression, shortened.
        regex: String,
        /// Why not.
        reason: String,
    },
    /// The evaluation's budget was used up before there was an answer.
    #[error("the budget of {budget} steps was used up")]
    Budget {
        /// How much there was.
        budget: u64,
    },
    /// More repetitions of a part with several choices than are followed.
    #[error("more than {CHOICES_MAX} choices were open at a time")]
    Choices,
}

/// A pattern that is ready to be evaluated. See [`Compiled::evaluate`].
#[derive(Debug)]
pub struct Compiled {
    pub(crate) root: Node,
    /// What an observation must hold for each leaf of the tree, by number.
    pub(crate) leaves: Vec<Expression>,
    pub(crate) limitations: Vec<Undecidable>,
}

/// What must be observed: an observation expression with its leaves numbered.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) kind: NodeKind,
    /// The leaves below it.
    pub(crate) leaves: Range<usize>,
    /// How many observations it needs at least.
    pub(crate) least: u64,
}

#[derive(Debug)]
pub(crate) enum NodeKind {
    /// One observation that satisfies the leaf of this number.
    Leaf(usize),
    And(Vec<Node>),
    Or(Vec<Node>),
    FollowedBy(Vec<Node>),
    /// So often.
    Repeats(Box<Node>, u64),
    /// All of it within so many nanoseconds.
    Within(Box<Node>, i128),
    /// All of it from the first instant to the second, both of which count.
    Between(Box<Node>, Instant, Instant),
}

/// What one object of an observation must satisfy.
#[derive(Debug)]
pub(crate) enum Expression {
    Comparison(Box<Prepared>),
    And(Vec<Expression>),
    Or(Vec<Expression>),
}

/// A comparison that is ready.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) object_type: Key,
    pub(crate) path: Box<[PathStep]>,
    pub(crate) negated: bool,
    pub(crate) test: Test,
}

#[derive(Debug)]
pub(crate) enum PathStep {
    Key(Key),
    /// `None` for an index that no list has.
    Index(Option<usize>),
    Any,
}

/// The question, ready.
#[derive(Debug)]
pub(crate) enum Test {
    Exists,
    Equal(Literal),
    NotEqual(Literal),
    /// A digest, in either case of letters.
    Digest(Box<str>),
    Less(Literal),
    LessOrEqual(Literal),
    Greater(Literal),
    GreaterOrEqual(Literal),
    In(Vec<Literal>),
    /// A set of texts, in order.
    InTexts(Vec<Box<str>>),
    /// A set of digests in lower case, in order.
    InDigests(Vec<Box<str>>),
    Like(Box<Like>),
    Regex(regex::Regex),
    /// For a property that holds bytes.
    BytesRegex(bytes::Regex),
    Subset(Prefix),
    Superset(Prefix),
    /// Never so.
    Never,
    /// Never known, for the limitation of this number.
    Unknown(usize),
}

impl Pattern {
    /// Prepares the pattern for evaluation.
    #[must_use]
    pub fn compile(&self) -> Compiled {
        let mut compiler = Compiler { leaves: Vec::new(), limitations: Vec::new(), regexes: 0 };
        let root = compiler.node(self.root());
        Compiled { root, leaves: compiler.leaves, limitations: compiler.limitations }
    }
}

impl Compiled {
    /// The comparisons that could not be prepared, and why. Where one of them matters, evaluation says so.
    #[must_use]
    pub fn limitations(&self) -> &[Undecidable] {
        &self.limitations
    }
}

struct Compiler {
    leaves: Vec<Expression>,
    limitations: Vec<Undecidable>,
    regexes: usize,
}

impl Compiler {
    fn node(&mut self, expression: &ObservationExpression) -> Node {
        let from = self.leaves.len();
        match expression {
            ObservationExpression::Observation(inside) => {
                let leaf = self.expression(inside);
                self.leaf(leaf)
            }
            ObservationExpression::And(members) => {
                let members: Vec<Node> = members.iter().map(|member| self.node(member)).collect();
                let least = members.iter().fold(0, |sum: u64, member| sum.saturating_add(member.least));
                self.over(from, least, NodeKind::And(members))
            }
            ObservationExpression::FollowedBy(members) => {
                let members: Vec<Node> = members.iter().map(|member| self.node(member)).collect();
                let least = members.iter().fold(0, |sum: u64, member| sum.saturating_add(member.least));
                self.over(from, least, NodeKind::FollowedBy(members))
            }
            ObservationExpression::Or(members) => self.alternatives(from, members),
            ObservationExpression::Qualified { inner, qualifiers } => {
                let mut node = self.node(inner);
                for qualifier in qualifiers {
                    node = self.qualified(from, node, qualifier);
                }
                node
            }
        }
    }

    fn leaf(&mut self, expression: Expression) -> Node {
        let number = self.leaves.len();
        self.leaves.push(expression);
        Node { kind: NodeKind::Leaf(number), leaves: number..number + 1, least: 1 }
    }

    fn over(&self, from: usize, least: u64, kind: NodeKind) -> Node {
        Node { kind, leaves: from..self.leaves.len(), least }
    }

    /// `[a] OR [b]` needs one observation that is either, which is `[a OR b]`: no choice is left to be searched.
    fn alternatives(&mut self, from: usize, members: &[ObservationExpression]) -> Node {
        let mut single = Vec::new();
        let mut nodes = Vec::new();
        for member in members {
            match member {
                ObservationExpression::Observation(inside) => single.push(self.expression(inside)),
                ObservationExpression::And(_)
                | ObservationExpression::Or(_)
                | ObservationExpression::FollowedBy(_)
                | ObservationExpression::Qualified { .. } => nodes.push(self.node(member)),
            }
        }
        if let Some(only) = single.pop() {
            let leaf = if single.is_empty() {
                only
            } else {
                single.push(only);
                Expression::Or(single)
            };
            nodes.push(self.leaf(leaf));
        }
        match nodes.pop() {
            Some(only) if nodes.is_empty() => only,
            popped => {
                nodes.extend(popped);
                let least = nodes.iter().map(|node| node.least).min().unwrap_or(1);
                self.over(from, least, NodeKind::Or(nodes))
            }
        }
    }

    fn qualified(&mut self, from: usize, node: Node, qualifier: &Qualifier) -> Node {
        let least = node.least;
        match qualifier {
            // One observation alone is within any time, since it may have been made at one instant.
            Qualifier::Within(_) if matches!(node.kind, NodeKind::Leaf(_)) => node,
            Qualifier::Within(seconds) => {
                let nanos = i128::try_from(seconds.nanos()).unwrap_or(i128::MAX);
                self.over(from, least, NodeKind::Within(Box::new(node), nanos))
            }
            Qualifier::Repeats(times) => {
                let times = u64::from(*times);
                self.over(from, least.saturating_mul(times), NodeKind::Repeats(Box::new(node), times))
            }
            Qualifier::StartStop { start, stop } => {
                let (start, end) = (start.instant(), stop.instant().later(-1));
                self.over(from, least, NodeKind::Between(Box::new(node), start, end))
            }
        }
    }

    fn expression(&mut self, expression: &ComparisonExpression) -> Expression {
        match expression {
            ComparisonExpression::Comparison(comparison) => {
                Expression::Comparison(Box::new(self.comparison(comparison)))
            }
            ComparisonExpression::And(members) => {
                Expression::And(members.iter().map(|member| self.expression(member)).collect())
            }
            ComparisonExpression::Or(members) => {
                Expression::Or(members.iter().map(|member| self.expression(member)).collect())
            }
        }
    }

    fn comparison(&mut self, comparison: &Comparison) -> Prepared {
        let steps = comparison.path.steps.iter().map(|step| match step {
            Step::Key(key) => PathStep::Key(Key::new(key)),
            Step::Index(index) => PathStep::Index(usize::try_from(*index).ok()),
            Step::Any => PathStep::Any,
        });
        let digest = check::digest(&comparison.path).is_some();
        let mut negated = comparison.negated;
        let test = match &comparison.operator {
            Operator::Equal(Literal::Text(text)) if digest => Test::Digest(text.as_str().into()),
            Operator::NotEqual(Literal::Text(text)) if digest => {
                negated = !negated;
                Test::Digest(text.as_str().into())
            }
            Operator::Equal(value) => Test::Equal(value.clone()),
            Operator::NotEqual(value) => Test::NotEqual(value.clone()),
            Operator::Less(value) => Test::Less(value.clone()),
            Operator::LessOrEqual(value) => Test::LessOrEqual(value.clone()),
            Operator::Greater(value) => Test::Greater(value.clone()),
            Operator::GreaterOrEqual(value) => Test::GreaterOrEqual(value.clone()),
            Operator::In(values) => set(values, digest),
            Operator::Like(pattern) => Test::Like(Box::new(Like::new(pattern))),
            Operator::Matches(regex) => {
                let on_bytes =
                    comparison.path.last_key().is_some_and(|k| k.ends_with("_bin") || k.ends_with("_hex"));
                self.regex(regex, on_bytes)
            }
            Operator::IsSubset(range) => Prefix::parse(range).map_or(Test::Never, Test::Subset),
            Operator::IsSuperset(range) => Prefix::parse(range).map_or(Test::Never, Test::Superset),
            Operator::Exists => Test::Exists,
        };
        Prepared { object_type: Key::new(&comparison.path.object_type), path: steps.collect(), negated, test }
    }

    fn regex(&mut self, regex: &str, on_bytes: bool) -> Test {
        let limit = REGEX_BYTES.iter().find(|(numbers, _)| self.regexes < *numbers).map(|(_, bytes)| *bytes);
        self.regexes += 1;
        let built = match limit {
            _ if has_possessive(regex) => Err("possessive quantifiers are not supported".to_owned()),
            None => Err(format!("the pattern has more than {REGEXES_MAX} of them")),
            Some(limit) if on_bytes => match on_single_bytes(regex) {
                Some(regex) => {
                    let mut builder = bytes::RegexBuilder::new(&regex);
                    builder.unicode(false).size_limit(limit).dfa_size_limit(limit);
                    builder.build().map(Test::BytesRegex).map_err(|error| reason(&error))
                }
                // A character above 255 is in no bytes.
                None => Ok(Test::Never),
            },
            Some(limit) => {
                let composed = compose(regex);
                let mut builder = RegexBuilder::new(composed.as_deref().unwrap_or(regex));
                builder.size_limit(limit).dfa_size_limit(limit);
                builder.build().map(Test::Regex).map_err(|error| reason(&error))
            }
        };
        built.unwrap_or_else(|reason| {
            self.limitations.push(Undecidable::Regex { regex: shortened(regex), reason });
            Test::Unknown(self.limitations.len() - 1)
        })
    }
}

/// An expression on bytes, which stand for the characters below 256: `é` is written as `\xE9`. `None` if it names others.
fn on_single_bytes(regex: &str) -> Option<String> {
    let mut written = String::with_capacity(regex.len());
    let mut escaped = false;
    for c in regex.chars() {
        if c.is_ascii() {
            written.push(c);
            escaped = c == '\\' && !escaped;
            continue;
        }
        // A backslash before such a character means nothing, and would before `\x`.
        if escaped {
            written.pop();
            escaped = false;
        }
        write!(written, "\\x{:02X}", u8::try_from(u32::from(c)).ok()?).ok()?;
    }
    Some(written)
}

/// A set, in the form that is looked up fastest.
fn set(values: &[Literal], digests: bool) -> Test {
    let texts: Option<Vec<&str>> = values.iter().map(Literal::as_text).collect();
    let Some(texts) = texts else { return Test::In(values.to_vec()) };
    let lower = |text: &str| if digests { text.to_ascii_lowercase() } else { text.to_owned() };
    let mut texts: Vec<Box<str>> = texts.into_iter().map(|text| lower(text).into()).collect();
    texts.sort_unstable();
    texts.dedup();
    if digests { Test::InDigests(texts) } else { Test::InTexts(texts) }
}

/// The last line of what the builder says: the lines before it draw the expression.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// Whether an expression has a quantifier that gives nothing back, as in `a++`. Here it would read as a repetition of a
/// repetition, which matches more.
fn has_possessive(regex: &str) -> bool {
    let mut in_class = false;
    let mut after_quantifier = false;
    let mut chars = regex.chars();
    while let Some(c) = chars.next() {
        let quantifier = !in_class && matches!(c, '*' | '+' | '?' | '}');
        match c {
            '\\' => {
                chars.next();
            }
            '[' => in_class = true,
            ']' => in_class = false,
            '+' if after_quantifier && !in_class => return true,
            _ => {}
        }
        after_quantifier = quantifier && !after_quantifier;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_that_cannot_be_used_are_limitations() {
        let cases = [
            ("a+b", None),
            (r"^(?i)evil\d{2,3}$", None),
            ("[a++]", None),
            (r"a\++", None),
            ("a+?", None),
            ("a++", Some("possessive")),
            ("a{2}+", Some("possessive")),
            ("(?=a)", Some("look-around")),
            (r"(a)\1", Some("backreferences")),
            ("(", Some("unclosed")),
            (r"\w{1000}{1000}", Some("size limit")),
        ];
        for (regex, want) in cases {
            let escaped = regex.replace('\\', r"\\");
            let pattern = Pattern::parse(&format!("[file:name MATCHES '{escaped}']")).unwrap();
            let found: Vec<String> =
                pattern.compile().limitations().iter().map(ToString::to_string).collect();
            assert_eq!(found.len(), usize::from(want.is_some()), "{regex}: {found:?}");
            assert!(found.iter().all(|text| text.contains(want.unwrap_or_default())), "{regex}: {found:?}");
        }
    }

    #[test]
    fn one_pattern_has_so_many_expressions_and_no_more() {
        let many = |n| vec!["file:name MATCHES 'a'"; n].join(" OR ");
        let limitations =
            |n| Pattern::parse(&format!("[{}]", many(n))).unwrap().compile().limitations().len();
        assert_eq!(limitations(REGEXES_MAX), 0);
        assert_eq!(limitations(REGEXES_MAX + 3), 3);
    }
}
