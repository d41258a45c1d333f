//! What a pattern is, once it is read, and its canonical text.
//!
//! AND, OR and FOLLOWEDBY are associative, so a chain of them is one node with a list: `a AND b AND c` and
//! `(a AND b) AND c` are the same pattern, and a chain of a hundred thousand makes no deep tree.

use std::fmt;

use crate::instant::Timestamp;
use crate::literal::{Literal, write_quoted};

/// What must be observed.
#[derive(Clone, Debug, PartialEq)]
pub enum ObservationExpression {
    /// `[…]`: one observation.
    Observation(ComparisonExpression),
    /// Each of them, by observations that are all different.
    And(Vec<ObservationExpression>),
    /// One of them.
    Or(Vec<ObservationExpression>),
    /// Each of them, by observations that are all different, none before one of an earlier member.
    FollowedBy(Vec<ObservationExpression>),
    /// With qualifiers, which apply in order from the left.
    Qualified {
        /// What they qualify: anything but another `Qualified`.
        inner: Box<ObservationExpression>,
        /// At least one.
        qualifiers: Vec<Qualifier>,
    },
}

/// What an observation expression demands beside its observations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Qualifier {
    /// `WITHIN 5 SECONDS`: all of it within a time.
    Within(Seconds),
    /// `REPEATS 5 TIMES`: so often, by observations that are all different. At least 1.
    Repeats(u32),
    /// `START t'…' STOP t'…'`: all of it at or after the one, and before the other.
    StartStop {
        /// The first instant that counts.
        start: Timestamp,
        /// The first instant that no longer counts.
        stop: Timestamp,
    },
}

/// A length of time, to the nanosecond; never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seconds {
    /// INVARIANT: at most `u64::MAX` seconds and 999 999 999 nanoseconds.
    nanos: u128,
}

impl Seconds {
    /// So many nanoseconds.
    pub(crate) fn from_parts(seconds: u64, nanos: u32) -> Self {
        Self { nanos: u128::from(seconds) * 1_000_000_000 + u128::from(nanos.min(999_999_999)) }
    }

    /// The length in nanoseconds.
    #[must_use]
    pub fn nanos(self) -> u128 {
        self.nanos
    }
}

/// What an observation holds, in one of its objects.
#[derive(Clone, Debug, PartialEq)]
pub enum ComparisonExpression {
    /// One comparison.
    Comparison(Comparison),
    /// All of them, by one object.
    And(Vec<ComparisonExpression>),
    /// One of them.
    Or(Vec<ComparisonExpression>),
}

/// A property and what is asked of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The property.
    pub path: ObjectPath,
    /// Whether the answer is turned round, by `NOT`.
    pub negated: bool,
    /// The question.
    pub operator: Operator,
}

/// The question that a comparison asks.
#[derive(Clone, Debug, PartialEq)]
pub enum Operator {
    /// `=`
    Equal(Literal),
    /// `!=`
    NotEqual(Literal),
    /// `<`
    Less(Literal),
    /// `<=`
    LessOrEqual(Literal),
    /// `>`
    Greater(Literal),
    /// `>=`
    GreaterOrEqual(Literal),
    /// `IN ('a', 'b')`
    In(Vec<Literal>),
    /// `LIKE 'a%b_'`: `%` stands for any text, `_` for one character.
    Like(String),
    /// `MATCHES 'a+'`: a regular expression that is found somewhere.
    Matches(String),
    /// `ISSUBSET '198.51.100.0/24'`: the property's addresses all lie in this range.
    IsSubset(String),
    /// `ISSUPERSET '198.51.100.1/32'`: the property's range holds all these addresses.
    IsSuperset(String),
    /// `EXISTS path`: there is such a property.
    Exists,
}

/// A property of a kind of object: `file:hashes.'SHA-256'`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectPath {
    /// `file`
    pub object_type: String,
    /// At least one, and the first is a key.
    pub steps: Vec<Step>,
}

/// One step of an object path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// `.key`; from a property that ends in `_ref` into the object referred to.
    Key(String),
    /// `[2]`, counted from zero.
    Index(i64),
    /// `[*]`: any element.
    Any,
}

impl ObjectPath {
    /// The path behind the type, in canonical form: `hashes.'SHA-256'`.
    #[must_use]
    pub fn property(&self) -> String {
        Property(&self.steps).to_string()
    }

    /// The last key.
    #[must_use]
    pub fn last_key(&self) -> Option<&str> {
        self.steps.iter().rev().find_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Index(_) | Step::Any => None,
        })
    }
}

/// Words that a key must not look like unless it is quoted.
pub(crate) const RESERVED: &[&str] = &[
    "AND",
    "OR",
    "NOT",
    "FOLLOWEDBY",
    "LIKE",
    "MATCHES",
    "ISSUPERSET",
    "ISSUBSET",
    "EXISTS",
    "LAST",
    "IN",
    "START",
    "STOP",
    "SECONDS",
    "TRUE",
    "FALSE",
    "WITHIN",
    "REPEATS",
    "TIMES",
];

/// Whether a key needs no quotes.
pub(crate) fn is_plain_key(key: &str) -> bool {
    let mut bytes = key.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !RESERVED.iter().any(|word| word.eq_ignore_ascii_case(key))
}

struct Property<'a>(&'a [Step]);

impl fmt::Display for Property<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) => {
                    f.write_str(if at == 0 { "" } else { "." })?;
                    if is_plain_key(key) { f.write_str(key)? } else { write_quoted(f, key)? }
                }
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Any => f.write_str("[*]")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for ObjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.object_type, Property(&self.steps))
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let not = if self.negated { "NOT " } else { "" };
        let path = &self.path;
        let text = |f: &mut fmt::Formatter<'_>, word: &str, text: &str| {
            write!(f, "{path} {not}{word} ")?;
            write_quoted(f, text)
        };
        match &self.operator {
            Operator::Equal(value) => write!(f, "{path} {not}= {value}"),
            Operator::NotEqual(value) => write!(f, "{path} {not}!= {value}"),
            Operator::Less(value) => write!(f, "{path} {not}< {value}"),
            Operator::LessOrEqual(value) => write!(f, "{path} {not}<= {value}"),
            Operator::Greater(value) => write!(f, "{path} {not}> {value}"),
            Operator::GreaterOrEqual(value) => write!(f, "{path} {not}>= {value}"),
            Operator::In(values) => {
                write!(f, "{path} {not}IN (")?;
                for (at, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if at == 0 { "" } else { ", " })?;
                }
                f.write_str(")")
            }
            Operator::Like(pattern) => text(f, "LIKE", pattern),
            Operator::Matches(pattern) => text(f, "MATCHES", pattern),
            Operator::IsSubset(range) => text(f, "ISSUBSET", range),
            Operator::IsSuperset(range) => text(f, "ISSUPERSET", range),
            Operator::Exists => write!(f, "{not}EXISTS {path}"),
        }
    }
}

/// Writes a chain, with the members in brackets that bind less tightly.
fn write_chain<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    members: &[T],
    word: &str,
    needs_brackets: fn(&T) -> bool,
) -> fmt::Result {
    for (at, member) in members.iter().enumerate() {
        if at > 0 {
            write!(f, " {word} ")?;
        }
        if needs_brackets(member) { write!(f, "({member})")? } else { write!(f, "{member}")? }
    }
    Ok(())
}

impl fmt::Display for ComparisonExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Comparison(comparison) => write!(f, "{comparison}"),
            Self::And(members) => write_chain(f, members, "AND", |member| matches!(member, Self::Or(_))),
            Self::Or(members) => write_chain(f, members, "OR", |_| false),
        }
    }
}

impl fmt::Display for ObservationExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let loose = |member: &Self| matches!(member, Self::Or(_) | Self::FollowedBy(_));
        match self {
            Self::Observation(comparison) => write!(f, "[{comparison}]"),
            Self::And(members) => write_chain(f, members, "AND", loose),
            Self::Or(members) => {
                write_chain(f, members, "OR", |member| matches!(member, Self::FollowedBy(_)))
            }
            Self::FollowedBy(members) => write_chain(f, members, "FOLLOWEDBY", |_| false),
            Self::Qualified { inner, qualifiers } => {
                if matches!(**inner, Self::Observation(_)) {
                    write!(f, "{inner}")?;
                } else {
                    write!(f, "({inner})")?;
                }
                qualifiers.iter().try_for_each(|qualifier| write!(f, " {qualifier}"))
            }
        }
    }
}

impl fmt::Display for Qualifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Within(seconds) => write!(f, "WITHIN {seconds} SECONDS"),
            Self::Repeats(times) => write!(f, "REPEATS {times} TIMES"),
            Self::StartStop { start, stop } => write!(f, "START t'{start}' STOP t'{stop}'"),
        }
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.nanos / 1_000_000_000, self.nanos % 1_000_000_000);
        if rest == 0 {
            return write!(f, "{whole}");
        }
        let digits = format!("{rest:09}");
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}
