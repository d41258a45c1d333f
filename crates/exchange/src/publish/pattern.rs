//! What is wrong with an indicator's pattern, told to whoever submits it.
//!
//! A pattern that has no reading protects nobody, so its indicator is refused, with the line, the column and what was
//! expected there. What reads but cannot mean what its author thought (a property that the standard does not have, a port
//! compared with a text) is taken: others' tools may know better. It stands as a remark in the status.
//!
//! Only `pattern_type: stix` is looked at; of other languages nothing is known here. A revocation is never refused for its
//! pattern: what was taken once must be possible to take back.

use stix::Document;
use stix_pattern::Pattern;

/// So many remarks on one pattern are told; a pattern with more has one fault many times.
const REMARKS_MAX: usize = 5;

/// What is thought of an object's pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatternJudgement {
    /// It has none, none that is understood here, or a good one.
    Fine,
    /// It is taken, with this remark for its author.
    Remark(String),
    /// It has no reading: why, where, and what would help.
    Unreadable(String),
}

/// Judges the pattern of an object, if it is an indicator with one.
#[must_use]
pub fn judge_pattern(document: &Document<'_>) -> PatternJudgement {
    let root = document.root();
    let text = |key| root.get(key).and_then(|value| value.text());
    if text("type").as_deref() != Some("indicator") || text("pattern_type").as_deref() != Some("stix") {
        return PatternJudgement::Fine;
    }
    let Some(written) = text("pattern") else { return PatternJudgement::Fine };
    // Nearly all are that, and cost nothing to speak of.
    if stix_pattern::plain(&written).is_some() {
        return PatternJudgement::Fine;
    }
    match Pattern::parse(&written) {
        Ok(pattern) if pattern.findings().is_empty() => PatternJudgement::Fine,
        Ok(pattern) => {
            let findings = pattern.findings();
            let first: Vec<String> = findings.iter().take(REMARKS_MAX).map(ToString::to_string).collect();
            let more = match findings.len().saturating_sub(REMARKS_MAX) {
                0 => String::new(),
                more => format!(" (and {more} more)"),
            };
            PatternJudgement::Remark(format!("/pattern: {}{more}", first.join("; ")))
        }
        Err(error) => {
            let message = format!(
                "/pattern, line {}, column {}: {}; {} [pattern-syntax, STIX 2.1 section 9]",
                error.line, error.column, error.problem, error.remedy
            );
            if root.get("revoked").is_some_and(|revoked| revoked.raw() == "true") {
                return PatternJudgement::Remark(message);
            }
            PatternJudgement::Unreadable(message)
        }
    }
}

#[cfg(test)]
mod tests {
    use stix::Limits;

    use super::*;

    fn judged(kind: &str, language: &str, pattern: &str, more: &str) -> PatternJudgement {
        let pattern = serde_json::to_string(pattern).unwrap();
        let text = format!(r#"{{"type":"{kind}","pattern_type":"{language}","pattern":{pattern}{more}}}"#);
        judge_pattern(&Document::parse(text.as_bytes(), &Limits::default()).unwrap())
    }

    #[test]
    fn only_what_cannot_be_read_is_refused() {
        use PatternJudgement::{Fine, Remark, Unreadable};
        let good = "[domain-name:value = 'a.example']";
        assert_eq!(judged("indicator", "stix", good, ""), Fine);
        assert_eq!(judged("indicator", "yara", "rule {", ""), Fine);
        assert_eq!(judged("note", "stix", "rule {", ""), Fine);
        let broken = "[domain-name:value = 'a.example'\n  AND file:name ~ 'x']";
        let Unreadable(told) = judged("indicator", "stix", broken, "") else { panic!() };
        assert!(told.starts_with("/pattern, line 2, column 17: "), "{told}");
        assert!(told.ends_with("[pattern-syntax, STIX 2.1 section 9]"), "{told}");
        let revoked = judged("indicator", "stix", broken, r#","revoked":true"#);
        assert_eq!(revoked, Remark(told), "what was taken once can be taken back");
        let Remark(told) = judged("indicator", "stix", "[file:sizes = 3]", "") else { panic!() };
        assert!(told.contains("at byte 1") && told.contains("`file:sizes`"), "{told}");
    }

    #[test]
    fn many_remarks_are_told_in_part() {
        let many = ["file:x = 1"; 9].join(" OR ");
        let PatternJudgement::Remark(told) = judged("indicator", "stix", &format!("[{many}]"), "") else {
            panic!()
        };
        assert!(told.ends_with("(and 4 more)"), "{told}");
    }
}
