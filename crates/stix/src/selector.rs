//! Selectors: how a granular marking points into its object (STIX 2.1 §7.2.3.1).
//!
//! `external_references.[0].source_name` selects the name of the first reference. A component is a
//! property (or a dictionary's key), or `[n]` for the n-th element of a list. A selector covers what
//! lies beneath: `external_references` covers every reference with all it contains. Unlike a
//! pattern's path, it must lead to something that is there.

use thiserror::Error;

use crate::document::{Text, Value};
use crate::head::{GranularMarking, Mark};

/// One step of a selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step<'s> {
    /// A property or a key.
    Key(&'s str),
    /// An element of a list, from 0.
    Index(usize),
}

/// Why a text is not a selector.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{component}` is not a component of a selector")]
pub struct SelectorError {
    component: String,
}

/// Reads a selector.
///
/// # Errors
///
/// Fails for an empty component and for an index that is not `[` digits `]`.
pub fn parse_selector(text: &str) -> Result<Vec<Step<'_>>, SelectorError> {
    text.split('.').map(step).collect()
}

fn step(component: &str) -> Result<Step<'_>, SelectorError> {
    let bad = || SelectorError { component: component.chars().take(64).collect() };
    if let Some(inner) = component.strip_prefix('[') {
        let digits = inner.strip_suffix(']').filter(|d| d.bytes().all(|b| b.is_ascii_digit()));
        let canonical = digits.filter(|digits| *digits == "0" || !digits.starts_with('0'));
        return canonical.and_then(|digits| digits.parse().ok()).map(Step::Index).ok_or_else(bad);
    }
    let in_alphabet = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if component.is_empty() || component.len() > 250 || !component.bytes().all(in_alphabet) {
        return Err(bad());
    }
    Ok(Step::Key(component))
}

/// Follows a selector into an object.
#[must_use]
pub fn resolve<'d, 'a>(root: Value<'d, 'a>, steps: &[Step<'_>]) -> Option<Value<'d, 'a>> {
    steps.iter().try_fold(root, |value, step| match step {
        Step::Key(key) => value.get(key),
        Step::Index(index) => value.elements().nth(*index),
    })
}

/// Steps that following all selectors of one object may take: a tenth of a second.
const STEPS_MAX: usize = 50_000_000;

/// Whether so many selectors can be followed in a document of this size.
///
/// One selector may have to pass every value of its object. Both are the sender's choice, so their
/// product has a limit.
pub(crate) fn within_budget(root: Value<'_, '_>, selectors: usize) -> bool {
    root.size().saturating_mul(selectors) <= STEPS_MAX
}

/// Whether what `outer` selects contains what `inner` selects, or is the same.
///
/// A text that is no selector selects nothing, so it covers nothing.
#[must_use]
pub fn covers(outer: &str, inner: &str) -> bool {
    match (parse_selector(outer), parse_selector(inner)) {
        (Ok(outer), Ok(inner)) => inner.starts_with(&outer),
        (Err(_), _) | (_, Err(_)) => false,
    }
}

/// The selectors that one marking covers among an object's granular markings.
pub fn selectors_of<'h, 'a>(
    markings: &'h [GranularMarking<'a>],
    marking: &'h str,
) -> impl Iterator<Item = &'h Text<'a>> {
    let named = move |entry: &&GranularMarking<'_>| matches!(&entry.mark, Mark::Marking(id) if id == marking);
    markings.iter().filter(named).flat_map(|entry| &entry.selectors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Document, Limits};

    #[test]
    fn a_selector_leads_to_what_is_there() {
        let text = br#"{"id":"x","labels":["a","b"],"hashes":{"SHA-256":"c"},"o":[{"k":[1]}]}"#;
        let document = Document::parse(text, &Limits::default()).expect("well formed");
        let cases = [
            ("id", Some("\"x\"")),
            ("labels", Some("[\"a\",\"b\"]")),
            ("labels.[1]", Some("\"b\"")),
            ("labels.[2]", None),
            ("labels.a", None),
            ("hashes.SHA-256", Some("\"c\"")),
            ("o.[0].k.[0]", Some("1")),
            ("id.[0]", None),
        ];
        for (selector, want) in cases {
            let steps = parse_selector(selector).expect(selector);
            assert_eq!(resolve(document.root(), &steps).map(|value| value.raw()), want, "{selector}");
        }
    }

    #[test]
    fn a_malformed_selector_is_refused() {
        for text in ["", ".", "a.", ".a", "a..b", "a.[", "a.[]", "a.[01]", "a.[-1]", "a.[x]", "a[0]", "a b"] {
            assert!(parse_selector(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_budget_is_the_product_of_selectors_and_values() {
        let text = format!("[{}]", ["1"; 999].join(","));
        let document = Document::parse(text.as_bytes(), &Limits::default()).expect("well formed");
        assert!(within_budget(document.root(), 50_000));
        assert!(!within_budget(document.root(), 50_001));
    }

    #[test]
    fn a_selector_covers_what_lies_beneath() {
        assert!(covers("labels", "labels"));
        assert!(covers("labels", "labels.[1]"));
        assert!(covers("o.[0]", "o.[0].k"));
        assert!(!covers("labels.[1]", "labels"));
        assert!(!covers("labels.[1]", "labels.[10]"));
        assert!(!covers("name", "name_enc"));
    }
}
