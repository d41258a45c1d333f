//! Writing new objects, for importers of what is not STIX.

use crate::canonical::write_string;

/// What an indicator says. Times are texts in the form of STIX 2.1 §2.16.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndicatorParts<'a> {
    /// `id`, with its `indicator--`.
    pub id: &'a str,
    /// `created`.
    pub created: &'a str,
    /// `modified`.
    pub modified: &'a str,
    /// `pattern`, in the STIX patterning language.
    pub pattern: &'a str,
    /// `valid_from`.
    pub valid_from: &'a str,
    /// `valid_until`.
    pub valid_until: Option<&'a str>,
    /// `name`.
    pub name: Option<&'a str>,
    /// `description`.
    pub description: Option<&'a str>,
    /// `indicator_types`; none if empty.
    pub indicator_types: &'a [&'a str],
    /// `labels`; none if empty.
    pub labels: &'a [&'a str],
    /// `created_by_ref`.
    pub created_by_ref: Option<&'a str>,
    /// `object_marking_refs`; none if empty.
    pub object_marking_refs: &'a [&'a str],
}

/// Writes an indicator. The parts are taken as they are: validate the result.
#[must_use]
pub fn indicator(parts: &IndicatorParts<'_>) -> Vec<u8> {
    let mut out = String::from(r#"{"type":"indicator","spec_version":"2.1""#);
    text(&mut out, "id", Some(parts.id));
    text(&mut out, "created_by_ref", parts.created_by_ref);
    text(&mut out, "created", Some(parts.created));
    text(&mut out, "modified", Some(parts.modified));
    text(&mut out, "name", parts.name);
    text(&mut out, "description", parts.description);
    texts(&mut out, "indicator_types", parts.indicator_types);
    text(&mut out, "pattern", Some(parts.pattern));
    text(&mut out, "pattern_type", Some("stix"));
    text(&mut out, "valid_from", Some(parts.valid_from));
    text(&mut out, "valid_until", parts.valid_until);
    texts(&mut out, "labels", parts.labels);
    texts(&mut out, "object_marking_refs", parts.object_marking_refs);
    out.push('}');
    out.into_bytes()
}

/// Escapes a text for a string literal of a pattern (§9.5): `'` and `\` get a backslash.
#[must_use]
pub fn escape_pattern_literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '\'' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

fn text(out: &mut String, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        out.push(',');
        write_string(key, out);
        out.push(':');
        write_string(value, out);
    }
}

fn texts(out: &mut String, key: &str, values: &[&str]) {
    if values.is_empty() {
        return;
    }
    out.push(',');
    write_string(key, out);
    out.push_str(":[");
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_string(value, out);
    }
    out.push(']');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Head, ValidateOptions, validate};
    use proptest::prelude::*;

    #[test]
    fn a_pattern_literal_cannot_be_left() {
        assert_eq!(escape_pattern_literal(r"a'b\c"), r"a\'b\\c");
        assert_eq!(escape_pattern_literal("plain"), "plain");
    }

    proptest! {
        #[test]
        fn a_written_indicator_is_valid_and_says_what_was_given(name in any::<String>(), value in any::<String>()) {
            let pattern = format!("[url:value = '{}']", escape_pattern_literal(&value));
            let bytes = indicator(&IndicatorParts {
                id: "indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
                created: "2026-01-01T00:00:00.000Z",
                modified: "2026-01-01T00:00:00.000Z",
                pattern: &pattern,
                valid_from: "2026-01-01T00:00:00Z",
                name: Some(&name),
                indicator_types: &["malicious-activity"],
                labels: &["a", "b"],
                object_marking_refs: &["marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"],
                ..IndicatorParts::default()
            });
            let report = validate(&bytes, &ValidateOptions::default());
            prop_assert!(report.findings.is_empty(), "{:?}", report);
            let head = Head::parse(&bytes).expect("a head");
            prop_assert_eq!(head.name.as_deref(), Some(name.as_str()));
            let tree: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
            prop_assert_eq!(tree["pattern"].as_str(), Some(pattern.as_str()));
        }
    }
}
