//! Whether observations are what a pattern describes.
//!
//! # One observation
//!
//! An observation satisfies `[…]` if one of its objects does (STIX 2.1 §9.5): every comparison that AND joins is about that
//! same object, and a comparison about another kind of object is not true of it. A path may lead to several values, by
//! `[*]`; a comparison is true if it is true of one of them, each comparison for itself. `NOT` turns the answer for a
//! value round. A path that leads nowhere makes every comparison false but `NOT EXISTS`.
//!
//! Values of types that cannot be compared are unequal and have no order (§9.6): `=`, `<`, `IN`, `LIKE` … are false and
//! `!=` is true. Whole numbers and fractions compare as numbers, texts by code points, bytes with texts whose
//! characters are below 256. LIKE and MATCHES see texts in normalization form C. Beyond the standard, digests under
//! `hashes` compare in either case of letters.
//!
//! # Not knowing
//!
//! A comparison may be undecidable, for its regular expression. Then it is neither true nor false, and the answer is
//! known only if it is the same either way: evaluation asks once with every such comparison false and once with it true.
//! Nothing above a comparison is ever negated, so these are the two extremes.

use std::cmp::Ordering;

use smallvec::SmallVec;

use crate::address::Prefix;
use crate::compile::{Compiled, Expression, NodeKind, PathStep, Prepared, Test, Undecidable};
use crate::instant::Instant;
use crate::literal::Literal;
use crate::meter::{Exhausted, Meter};
use crate::observation::{Object, Observation, Text, Value};
use crate::search;

/// The budget that suits most: about 50 ms.
pub const BUDGET: u64 = 4_000_000;

/// What evaluation found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The observations are what the pattern describes.
    Match,
    /// They are not.
    NoMatch,
    /// Neither was established.
    Undecided(Undecidable),
}

/// Whether something is true, as far as is known. The order is that of OR; its minimum is AND.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Truth {
    False,
    /// By the limitation of this number.
    Unknown(usize),
    True,
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

impl Truth {
    fn negated_if(self, negated: bool) -> Self {
        match self {
            Self::False if negated => Self::True,
            Self::True if negated => Self::False,
            Self::False | Self::Unknown(_) | Self::True => self,
        }
    }
}

impl Compiled {
    /// Whether the observations, or some of them, are what the pattern describes.
    ///
    /// `budget` bounds the work; [`BUDGET`] suits most. A step is about 10 ns. Time and memory are in proportion to the
    /// budget and the number of observations, whatever the pattern.
    pub fn evaluate<'o>(
        &self,
        observations: impl IntoIterator<Item = &'o Observation>,
        budget: u64,
    ) -> Verdict {
        let mut meter = Meter::new(budget);
        let verdict = if let NodeKind::Leaf(number) = self.root.kind {
            any(&self.leaves[number], observations, &mut meter)
        } else {
            let observations: SmallVec<[&Observation; 16]> = observations.into_iter().collect();
            search::search(self, &observations, &mut meter)
        };
        match verdict {
            Ok(Truth::True) => Verdict::Match,
            Ok(Truth::False) => Verdict::NoMatch,
            Ok(Truth::Unknown(number)) => match self.limitations.get(number) {
                Some(limitation) => Verdict::Undecided(limitation.clone()),
                None => Verdict::NoMatch,
            },
            Err(Exhausted::Budget) => Verdict::Undecided(Undecidable::Budget { budget }),
            Err(Exhausted::Choices) => Verdict::Undecided(Undecidable::Choices),
        }
    }
}

impl Compiled {
    /// Whether the pattern is about one observation, so that none need be kept for later ones.
    #[must_use]
    pub fn is_single(&self) -> bool {
        matches!(self.root.kind, NodeKind::Leaf(_))
    }

    /// How many observations a match takes at least, each counted as often as it was made.
    #[must_use]
    pub fn observations_min(&self) -> u64 {
        self.root.least
    }

    /// Whether an observation can have a part in a match: whether it satisfies one of the pattern's brackets, or whether
    /// that cannot be told within the budget. Whoever keeps observations for later ones keeps these, and no others.
    #[must_use]
    pub fn concerns(&self, observation: &Observation, budget: u64) -> bool {
        let mut meter = Meter::new(budget);
        self.leaves
            .iter()
            .any(|leaf| satisfies(leaf, observation, &mut meter).map_or(true, |truth| truth != Truth::False))
    }
}

/// Whether one of the observations satisfies the expression.
fn any<'o>(
    expression: &Expression,
    observations: impl IntoIterator<Item = &'o Observation>,
    meter: &mut Meter,
) -> Result<Truth, Exhausted> {
    let mut best = Truth::False;
    for observation in observations {
        best = best.max(satisfies(expression, observation, meter)?);
        if best == Truth::True {
            break;
        }
    }
    Ok(best)
}

/// Whether one object of the observation satisfies the expression.
pub(crate) fn satisfies(
    expression: &Expression,
    observation: &Observation,
    meter: &mut Meter,
) -> Result<Truth, Exhausted> {
    let mut best = Truth::False;
    for object in &observation.objects {
        best = best.max(object_satisfies(expression, object, observation, meter)?);
        if best == Truth::True {
            break;
        }
    }
    Ok(best)
}

/// Recursion is as deep as the pattern's parentheses.
fn object_satisfies(
    expression: &Expression,
    object: &Object,
    observation: &Observation,
    meter: &mut Meter,
) -> Result<Truth, Exhausted> {
    match expression {
        Expression::Comparison(comparison) => compare(comparison, object, observation, meter),
        Expression::And(members) => {
            let mut worst = Truth::True;
            for member in members {
                worst = worst.min(object_satisfies(member, object, observation, meter)?);
                if worst == Truth::False {
                    break;
                }
            }
            Ok(worst)
        }
        Expression::Or(members) => {
            let mut best = Truth::False;
            for member in members {
                best = best.max(object_satisfies(member, object, observation, meter)?);
                if best == Truth::True {
                    break;
                }
            }
            Ok(best)
        }
    }
}

fn compare(
    comparison: &Prepared,
    object: &Object,
    observation: &Observation,
    meter: &mut Meter,
) -> Result<Truth, Exhausted> {
    meter.spend(0)?;
    if !comparison.object_type.is(&object.kind) {
        return Ok(Truth::False);
    }
    let [PathStep::Key(first), rest @ ..] = &*comparison.path else { return Ok(Truth::False) };
    let found = match object.properties.get(first) {
        Some(value) => Walk { comparison, observation, meter }.along(value, rest)?,
        None => Truth::False,
    };
    // `NOT EXISTS` is about all the values together: that there is none.
    let about_all = matches!(comparison.test, Test::Exists);
    Ok(if about_all { found.negated_if(comparison.negated) } else { found })
}

struct Walk<'a> {
    comparison: &'a Prepared,
    observation: &'a Observation,
    meter: &'a mut Meter,
}

impl<'a> Walk<'a> {
    /// Whether the comparison is true of a value that the path leads to from here. Recursion is as deep as the path is long.
    fn along(&mut self, from: &'a Value, steps: &[PathStep]) -> Result<Truth, Exhausted> {
        let mut value = from;
        for (at, step) in steps.iter().enumerate() {
            self.meter.spend(0)?;
            let next = match (step, value) {
                (PathStep::Key(key), Value::Map(map)) => map.get(key),
                (PathStep::Key(key), Value::Text(Text { target: Some(target), .. })) => {
                    self.observation.objects.get(*target).and_then(|object| object.properties.get(key))
                }
                (PathStep::Index(Some(index)), Value::List(elements)) => elements.get(*index),
                (PathStep::Any, Value::List(elements)) => {
                    let mut best = Truth::False;
                    for element in elements {
                        best = best.max(self.along(element, &steps[at + 1..])?);
                        if best == Truth::True {
                            break;
                        }
                    }
                    return Ok(best);
                }
                _ => None,
            };
            let Some(next) = next else { return Ok(Truth::False) };
            value = next;
        }
        if matches!(self.comparison.test, Test::Exists) {
            return Ok(Truth::True);
        }
        Ok(ask(&self.comparison.test, value, self.meter)?.negated_if(self.comparison.negated))
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a question names the values that it is about; it is false of others"
)]
fn ask(question: &Test, value: &Value, meter: &mut Meter) -> Result<Truth, Exhausted> {
    let text = match value {
        Value::Text(text) => Some(text),
        _ => None,
    };
    Ok(Truth::from(match question {
        Test::Exists => true,
        Test::Never => false,
        Test::Equal(literal) => equals(value, literal),
        Test::NotEqual(literal) => !equals(value, literal),
        Test::Digest(digest) => text.is_some_and(|text| text.plain.eq_ignore_ascii_case(digest)),
        Test::Less(literal) => order(value, literal).is_some_and(Ordering::is_lt),
        Test::LessOrEqual(literal) => order(value, literal).is_some_and(Ordering::is_le),
        Test::Greater(literal) => order(value, literal).is_some_and(Ordering::is_gt),
        Test::GreaterOrEqual(literal) => order(value, literal).is_some_and(Ordering::is_ge),
        Test::In(literals) => {
            meter.spend(literals.len())?;
            literals.iter().any(|literal| equals(value, literal))
        }
        Test::InTexts(texts) => match value {
            Value::Text(text) => texts.binary_search_by(|known| (**known).cmp(&text.plain)).is_ok(),
            Value::Bytes(bytes) => {
                meter.spend(texts.len())?;
                texts.iter().any(|known| order_bytes_text(bytes, known).is_some_and(Ordering::is_eq))
            }
            _ => false,
        },
        Test::InDigests(digests) => {
            text.is_some_and(|text| digests.binary_search_by(|known| order_lower(known, &text.plain)).is_ok())
        }
        Test::Like(like) => match value {
            Value::Text(text) => like.matches(text.composed(), meter)?,
            Value::Bytes(bytes) => {
                meter.spend(bytes.len() / 8)?;
                let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
                like.matches(&text, meter)?
            }
            _ => false,
        },
        Test::Regex(regex) => match text {
            Some(text) => {
                meter.spend(text.composed().len() / 2)?;
                regex.is_match(text.composed())
            }
            None => false,
        },
        Test::BytesRegex(regex) => {
            let bytes = match value {
                Value::Bytes(bytes) => bytes,
                Value::Text(text) => text.plain.as_bytes(),
                _ => return Ok(Truth::False),
            };
            meter.spend(bytes.len() / 2)?;
            regex.is_match(bytes)
        }
        Test::Subset(range) => {
            text.and_then(|text| Prefix::parse(&text.plain)).is_some_and(|found| range.contains(&found))
        }
        Test::Superset(range) => {
            text.and_then(|text| Prefix::parse(&text.plain)).is_some_and(|found| found.contains(range))
        }
        Test::Unknown(number) => {
            let tested = text.is_some() || matches!(value, Value::Bytes(_));
            return Ok(if tested { Truth::Unknown(*number) } else { Truth::False });
        }
    }))
}

fn equals(value: &Value, literal: &Literal) -> bool {
    match (value, literal) {
        (Value::Text(text), Literal::Text(wanted)) => *text.plain == **wanted,
        (Value::Boolean(value), Literal::Boolean(wanted)) => value == wanted,
        _ => order(value, literal).is_some_and(Ordering::is_eq),
    }
}

/// How a value stands to a literal, if they have an order.
fn order(value: &Value, literal: &Literal) -> Option<Ordering> {
    match (value, literal) {
        (Value::Text(text), Literal::Text(wanted)) => Some((*text.plain).cmp(wanted)),
        (Value::Integer(value), Literal::Integer(wanted)) => Some(value.cmp(wanted)),
        (Value::Integer(value), Literal::Float(wanted)) => order_numbers(*value, *wanted),
        (Value::Float(value), Literal::Integer(wanted)) => {
            order_numbers(*wanted, *value).map(Ordering::reverse)
        }
        (Value::Float(value), Literal::Float(wanted)) => value.partial_cmp(wanted),
        (Value::Text(text), Literal::Timestamp(wanted)) => {
            Instant::parse(&text.plain).map(|instant| instant.cmp(&wanted.instant()))
        }
        (Value::Bytes(bytes), Literal::Binary(wanted) | Literal::Hex(wanted)) => Some((**bytes).cmp(wanted)),
        (Value::Bytes(bytes), Literal::Text(wanted)) => order_bytes_text(bytes, wanted),
        (Value::Text(text), Literal::Binary(wanted) | Literal::Hex(wanted)) => {
            order_bytes_text(wanted, &text.plain).map(Ordering::reverse)
        }
        _ => None,
    }
}

/// A whole number against a fraction, exactly: neither is rounded.
fn order_numbers(whole: i64, fraction: f64) -> Option<Ordering> {
    /// 2^63, the first number above every `i64`.
    const ABOVE: f64 = 9_223_372_036_854_775_808.0;
    if fraction.is_nan() {
        return None;
    }
    if fraction >= ABOVE {
        return Some(Ordering::Less);
    }
    if fraction < -ABOVE {
        return Some(Ordering::Greater);
    }
    #[expect(clippy::cast_possible_truncation, reason = "cut towards zero and in range, as was just asked")]
    let cut = fraction as i64;
    Some(whole.cmp(&cut).then_with(|| 0.0_f64.total_cmp(&(fraction.fract() + 0.0))))
}

/// Bytes against the characters of a text, if all of these are below 256.
fn order_bytes_text(bytes: &[u8], text: &str) -> Option<Ordering> {
    let mut ordering = Ordering::Equal;
    let mut left = bytes.iter();
    for c in text.chars() {
        let c = u8::try_from(u32::from(c)).ok()?;
        if ordering == Ordering::Equal {
            ordering = left.next().map_or(Ordering::Less, |byte| byte.cmp(&c));
        }
    }
    Some(ordering.then(if left.next().is_some() { Ordering::Greater } else { Ordering::Equal }))
}

/// A text in lower case against a text that is read in lower case.
fn order_lower(lower: &str, text: &str) -> Ordering {
    lower.bytes().cmp(text.bytes().map(|byte| byte.to_ascii_lowercase()))
}
