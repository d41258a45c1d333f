//! The relationships that the standard suggests (§4, §6, and §3.7 for the common ones).
//!
//! Anyone may relate anything to anything under a name of their own (§5.1); the standard only
//! names relationships whose meaning it fixes. So what is not in the table is a warning.

use super::checker::Checker;
use super::path::Path;
use super::{forms, spec_of};
use crate::id::parse_id;
use crate::vocabulary::OBSERVABLES;

/// A source type, a relationship, and the types that it leads to.
type Row = (&'static str, &'static str, &'static [&'static str]);

const VICTIMS: &[&str] = &["identity", "location", "vulnerability"];
const MEANS: &[&str] = &["attack-pattern", "infrastructure", "malware", "tool"];
const HOSTS: &[&str] = &["ipv4-addr", "ipv6-addr", "domain-name", "url"];

#[rustfmt::skip]
const SUGGESTED: &[Row] = &[
    ("attack-pattern", "delivers", &["malware"]),
    ("attack-pattern", "targets", VICTIMS),
    ("attack-pattern", "uses", &["malware", "tool"]),
    ("campaign", "attributed-to", &["intrusion-set", "threat-actor"]),
    ("campaign", "compromises", &["infrastructure"]),
    ("campaign", "originates-from", &["location"]),
    ("campaign", "targets", VICTIMS),
    ("campaign", "uses", MEANS),
    ("course-of-action", "investigates", &["indicator"]),
    ("course-of-action", "mitigates", &["attack-pattern", "indicator", "malware", "tool", "vulnerability"]),
    ("course-of-action", "remediates", &["malware", "vulnerability"]),
    ("identity", "located-at", &["location"]),
    ("indicator", "indicates", &["attack-pattern", "campaign", "infrastructure", "intrusion-set", "malware",
                                 "threat-actor", "tool"]),
    ("indicator", "based-on", &["observed-data"]),
    ("infrastructure", "communicates-with", &["infrastructure", "ipv4-addr", "ipv6-addr", "domain-name", "url"]),
    ("infrastructure", "consists-of", &["infrastructure", "observed-data"]),
    ("infrastructure", "controls", &["infrastructure", "malware"]),
    ("infrastructure", "delivers", &["malware"]),
    ("infrastructure", "has", &["vulnerability"]),
    ("infrastructure", "hosts", &["tool", "malware"]),
    ("infrastructure", "located-at", &["location"]),
    ("infrastructure", "uses", &["infrastructure"]),
    ("intrusion-set", "attributed-to", &["threat-actor"]),
    ("intrusion-set", "compromises", &["infrastructure"]),
    ("intrusion-set", "hosts", &["infrastructure"]),
    ("intrusion-set", "owns", &["infrastructure"]),
    ("intrusion-set", "originates-from", &["location"]),
    ("intrusion-set", "targets", VICTIMS),
    ("intrusion-set", "uses", MEANS),
    ("malware", "authored-by", &["threat-actor", "intrusion-set"]),
    ("malware", "beacons-to", &["infrastructure"]),
    ("malware", "exfiltrates-to", &["infrastructure"]),
    ("malware", "exfiltrate-to", &["infrastructure"]),
    ("malware", "communicates-with", HOSTS),
    ("malware", "controls", &["malware"]),
    ("malware", "downloads", &["malware", "tool", "file"]),
    ("malware", "drops", &["malware", "tool", "file"]),
    ("malware", "exploits", &["vulnerability"]),
    ("malware", "originates-from", &["location"]),
    ("malware", "targets", &["identity", "infrastructure", "location", "vulnerability"]),
    ("malware", "uses", MEANS),
    ("malware", "variant-of", &["malware"]),
    ("malware-analysis", "analysis-of", &["malware"]),
    ("malware-analysis", "characterizes", &["malware"]),
    ("malware-analysis", "dynamic-analysis-of", &["malware"]),
    ("malware-analysis", "static-analysis-of", &["malware"]),
    ("threat-actor", "attributed-to", &["identity"]),
    ("threat-actor", "compromises", &["infrastructure"]),
    ("threat-actor", "hosts", &["infrastructure"]),
    ("threat-actor", "owns", &["infrastructure"]),
    ("threat-actor", "impersonates", &["identity"]),
    ("threat-actor", "located-at", &["location"]),
    ("threat-actor", "targets", VICTIMS),
    ("threat-actor", "uses", MEANS),
    ("tool", "delivers", &["malware"]),
    ("tool", "drops", &["malware"]),
    ("tool", "has", &["vulnerability"]),
    ("tool", "targets", &["identity", "infrastructure", "location", "vulnerability"]),
    ("tool", "uses", &["infrastructure"]),
    ("domain-name", "resolves-to", &["domain-name", "ipv4-addr", "ipv6-addr"]),
    ("ipv4-addr", "belongs-to", &["autonomous-system"]),
    ("ipv4-addr", "resolves-to", &["mac-addr"]),
    ("ipv6-addr", "belongs-to", &["autonomous-system"]),
    ("ipv6-addr", "resolves-to", &["mac-addr"]),
];

/// Warns of a relationship that the standard does not suggest.
pub(super) fn suggested(checker: &mut Checker<'_, '_, '_>, path: &Path<'_>) {
    let root = checker.root;
    let text = |key: &str| root.get(key).and_then(|value| value.text());
    let (Some(kind), Some(source), Some(target)) =
        (text("relationship_type"), text("source_ref"), text("target_ref"))
    else {
        return;
    };
    let (Ok(source), Ok(target)) = (parse_id(&source), parse_id(&target)) else { return };
    if forms::is_relationship_type(&kind) && !is_suggested(source.type_name, &kind, target.type_name) {
        let message = format_args!(
            "the standard does not suggest that a `{}` {kind} a `{}`",
            source.type_name, target.type_name
        );
        checker.should(&path.key("relationship_type"), "relationship-not-suggested", "5.1", message);
    }
}

fn is_suggested(source: &str, kind: &str, target: &str) -> bool {
    match kind {
        "related-to" => return true,
        // §3.7: both ends have one type.
        "derived-from" | "duplicate-of" => return source == target,
        _ => {}
    }
    if spec_of(source).is_none() || spec_of(target).is_none() {
        return true;
    }
    let consists = (source, kind) == ("infrastructure", "consists-of") && OBSERVABLES.contains(&target);
    consists || SUGGESTED.iter().any(|row| (row.0, row.1) == (source, kind) && row.2.contains(&target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_what_the_standard_suggests() {
        let cases = [
            ("indicator", "indicates", "malware", true),
            ("malware", "indicates", "indicator", false),
            ("infrastructure", "consists-of", "ipv4-addr", true),
            ("campaign", "derived-from", "campaign", true),
            ("campaign", "derived-from", "malware", false),
            ("identity", "related-to", "file", true),
            ("x-own", "anything", "malware", true),
        ];
        for (source, kind, target, want) in cases {
            assert_eq!(is_suggested(source, kind, target), want, "{source} {kind} {target}");
        }
    }

    #[test]
    fn every_type_of_the_table_is_of_the_standard() {
        for (source, kind, targets) in SUGGESTED {
            for name in targets.iter().chain([source]) {
                assert!(spec_of(name).is_some(), "{name} in {kind}");
            }
        }
    }
}
