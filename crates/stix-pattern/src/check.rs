//! Aliases and types: what a comparison says, by the standard's tables.
//!
//! Nothing is refused here. What can only mean one thing is read as that (`hashes.sha256`, a port as a text, a list without
//! an index), and the rest is kept with a finding: a pattern on a custom object is right in its own community.

use crate::ast::{Comparison, ComparisonExpression, ObjectPath, Operator, Step};
use crate::finding::{Finding, Matter};
use crate::instant::Timestamp;
use crate::lexer::shortened;
use crate::literal::Literal;
use crate::schema::{self, Type};

/// Reads a comparison by the tables.
pub(crate) fn comparison(comparison: &mut Comparison, offset: usize, findings: &mut Vec<Finding>) {
    let mut find = |matter| findings.push(Finding { offset, matter });
    aliases(&mut comparison.path, &mut find);
    for step in &comparison.path.steps {
        if let Step::Index(index) = step
            && *index < 0
        {
            find(Matter::NegativeIndex(*index));
        }
    }
    let kind = property_type(&comparison.path, &mut find);
    let element = match kind {
        Some(Type::List(element)) if !matches!(comparison.operator, Operator::Exists) => {
            find(Matter::ListWithoutIndex(comparison.path.to_string()));
            comparison.path.steps.push(Step::Any);
            Some(*element)
        }
        other => other,
    };
    operands(comparison, element, &mut find);
    hashes(comparison, &mut find);
}

/// Whether the members of a conjunction can be about one object.
pub(crate) fn one_object(expression: &ComparisonExpression, offset: usize, findings: &mut Vec<Finding>) {
    let ComparisonExpression::And(members) = expression else { return };
    let mut types = members.iter().filter_map(|member| match member {
        ComparisonExpression::Comparison(comparison) => Some(&comparison.path.object_type),
        ComparisonExpression::And(_) | ComparisonExpression::Or(_) => None,
    });
    let Some(one) = types.next() else { return };
    if let Some(other) = types.find(|other| *other != one) {
        let matter = Matter::TypesDiffer { one: shortened(one), other: shortened(other) };
        findings.push(Finding { offset, matter });
    }
}

/// Names that mean one of the standard's.
fn aliases(path: &mut ObjectPath, find: &mut impl FnMut(Matter)) {
    if schema::object(&path.object_type).is_none() {
        let lower = path.object_type.to_ascii_lowercase();
        let standard = if schema::object(&lower).is_some() { Some(lower.as_str()) } else { None };
        if let Some(standard) = standard.or_else(|| schema::type_alias(&path.object_type)) {
            let written = std::mem::replace(&mut path.object_type, standard.to_owned());
            find(Matter::Alias { written, read: standard.to_owned() });
        }
    }
    let mut behind_hashes = false;
    for step in &mut path.steps {
        let Step::Key(key) = step else {
            behind_hashes = false;
            continue;
        };
        if behind_hashes
            && let Some(standard) = schema::hash_algorithm(key)
            && standard != key
        {
            let written = std::mem::replace(key, standard.to_owned());
            find(Matter::Alias { written, read: standard.to_owned() });
        }
        behind_hashes = key == "hashes";
    }
}

/// The type of what a path leads to, if the tables know it; what they should know and do not is found.
fn property_type(path: &ObjectPath, find: &mut impl FnMut(Matter)) -> Option<Type> {
    let Some(properties) = schema::object(&path.object_type) else {
        if !path.object_type.starts_with("x-") {
            find(Matter::UnknownType(shortened(&path.object_type)));
        }
        return None;
    };
    let mut steps = path.steps.iter();
    let Some(Step::Key(first)) = steps.next() else { return None };
    let Some(mut kind) = schema::property(properties, first) else {
        if !first.starts_with("x_") {
            find(Matter::UnknownProperty(shortened(&path.to_string())));
        }
        return None;
    };
    for step in steps {
        kind = match (kind, step) {
            (Type::List(element), Step::Index(_) | Step::Any) => *element,
            (Type::Hashes, Step::Key(_)) => Type::Text,
            // What lies behind a reference may be of several kinds, and what lies in a dictionary is not in the tables.
            (Type::Reference | Type::Dictionary, _) => return None,
            _ => {
                find(Matter::UnknownProperty(shortened(&path.to_string())));
                return None;
            }
        };
    }
    Some(kind)
}

/// The literals against the property's type.
fn operands(comparison: &mut Comparison, kind: Option<Type>, find: &mut impl FnMut(Matter)) {
    let path = &comparison.path;
    let mut ordered = false;
    match &mut comparison.operator {
        Operator::Equal(value) | Operator::NotEqual(value) => literal(path, value, kind, find),
        Operator::Less(value)
        | Operator::LessOrEqual(value)
        | Operator::Greater(value)
        | Operator::GreaterOrEqual(value) => {
            literal(path, value, kind, find);
            ordered = true;
            if matches!(value, Literal::Boolean(_)) {
                find(Matter::NoOrder(shortened(&path.to_string())));
                ordered = false;
            }
        }
        Operator::In(values) => {
            if values.is_empty() {
                find(Matter::EmptySet);
            }
            for value in values {
                literal(path, value, kind, find);
            }
        }
        Operator::Like(_) | Operator::Matches(_) => {
            if let Some(kind @ (Type::Integer | Type::Boolean | Type::Hashes | Type::Dictionary)) = kind {
                let property = kind.name();
                find(Matter::LiteralDoesNotFit {
                    path: shortened(&path.to_string()),
                    property,
                    literal: "string",
                });
            }
        }
        Operator::IsSubset(range) | Operator::IsSuperset(range) => {
            if crate::address::Prefix::parse(range).is_none() {
                find(Matter::NotAnAddress(shortened(range)));
            }
        }
        Operator::Exists => {}
    }
    if ordered && matches!(kind, Some(Type::Boolean | Type::Hashes | Type::Dictionary)) {
        find(Matter::NoOrder(shortened(&path.to_string())));
    }
}

/// One literal against the property's type: fits, can be read so that it fits, or never equals.
fn literal(path: &ObjectPath, value: &mut Literal, kind: Option<Type>, find: &mut impl FnMut(Matter)) {
    let Some(kind) = kind else { return };
    let fits = match kind {
        Type::Text | Type::Reference => matches!(value, Literal::Text(_)),
        Type::Integer => matches!(value, Literal::Integer(_) | Literal::Float(_)),
        Type::Boolean => matches!(value, Literal::Boolean(_)),
        Type::Timestamp => matches!(value, Literal::Timestamp(_)),
        // STIX 2.1 §9.6: a text equals bytes if its characters are those bytes.
        Type::Binary | Type::Hex => matches!(value, Literal::Binary(_) | Literal::Hex(_) | Literal::Text(_)),
        Type::Hashes | Type::Dictionary | Type::List(_) => false,
    };
    if fits {
        return;
    }
    if let Some(read) = converted(value, kind) {
        let (path, written) = (shortened(&path.to_string()), shortened(&value.to_string()));
        find(Matter::Converted { path, written, read: read.to_string() });
        *value = read;
        return;
    }
    let (property, literal) = (kind.name(), value.type_name());
    find(Matter::LiteralDoesNotFit { path: shortened(&path.to_string()), property, literal });
}

/// A text as the literal that the property needs.
fn converted(value: &Literal, kind: Type) -> Option<Literal> {
    let text = value.as_text()?;
    match kind {
        Type::Integer => text.parse().ok().map(Literal::Integer),
        Type::Boolean if text.eq_ignore_ascii_case("true") => Some(Literal::Boolean(true)),
        Type::Boolean if text.eq_ignore_ascii_case("false") => Some(Literal::Boolean(false)),
        Type::Timestamp => Timestamp::parse(text).map(Literal::Timestamp),
        Type::Text
        | Type::Boolean
        | Type::Binary
        | Type::Hex
        | Type::Hashes
        | Type::Dictionary
        | Type::Reference
        | Type::List(_) => None,
    }
}

/// Digests that cannot be digests of their algorithm.
fn hashes(comparison: &Comparison, find: &mut impl FnMut(Matter)) {
    let Some((algorithm, length)) = digest(&comparison.path) else { return };
    let values = match &comparison.operator {
        Operator::Equal(value) | Operator::NotEqual(value) => std::slice::from_ref(value),
        Operator::In(values) => values,
        Operator::Less(_)
        | Operator::LessOrEqual(_)
        | Operator::Greater(_)
        | Operator::GreaterOrEqual(_)
        | Operator::Like(_)
        | Operator::Matches(_)
        | Operator::IsSubset(_)
        | Operator::IsSuperset(_)
        | Operator::Exists => return,
    };
    for text in values.iter().filter_map(Literal::as_text) {
        if text.len() != length || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            find(Matter::HashLength { algorithm: algorithm.to_owned(), text: shortened(text) });
        }
    }
}

/// The algorithm and the digits of the digest that a path leads to, if it leads to one.
pub(crate) fn digest(path: &ObjectPath) -> Option<(&str, usize)> {
    let [.., Step::Key(dictionary), Step::Key(algorithm)] = path.steps.as_slice() else { return None };
    if dictionary != "hashes" {
        return None;
    }
    Some((algorithm, schema::digest_length(algorithm)?))
}
