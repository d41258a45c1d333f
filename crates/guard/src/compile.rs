//! From an indicator's pattern to what the tables look up.
//!
//! Nearly all patterns are one equality of a property that a table holds. Each alternative of a pattern becomes one
//! [`Key`]; a pattern of which any alternative cannot become one is not looked up at all, for half of an indicator is
//! another indicator. It becomes a [`Rule`] instead, which is evaluated on what countermeasures see. What cannot be computed
//! at all is told with its reason, indicator by indicator, and stops nothing.
//!
//! | property | looked up as |
//! |---|---|
//! | `domain-name:value` | a name with all below it; a public suffix (`co.uk`, `github.io`) by itself alone |
//! | `ipv4-addr:value`, `ipv6-addr:value`, also `ISSUBSET` | an address or network |
//! | `network-traffic:dst_ref.value`, `src_ref.value` | the same; with `dst_port`, that port at the address |
//! | `url:value` | a URL |
//! | `email-addr:value`, `email-message:from_ref.value`, `sender_ref.value` | an e-mail address |
//! | `email-message:subject` | a subject |
//! | `file:hashes.…`, `artifact:hashes.…` | a hash; of several hashes of one file, the strongest |
//! | `file:name` | a file's name |
//! | `email-message:body`, `artifact:payload_bin`, `process:command_line`, with `=` or `LIKE '%…%'` | a string in text |

use std::net::IpAddr;
use std::sync::Arc;

use matcher::{Algorithm, Key, KeyError, Scope};
use stix_pattern::{ComparisonExpression, Equality, ObservationExpression, Operator, Pattern, Wanted, plain};
use thiserror::Error;

use crate::rules::{KEPT_PER_RULE_MAX, Rule};
use crate::sight::{Kinds, kinds_of};

/// What becomes of a pattern.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// What is looked up; each by itself is a hit.
    pub keys: Vec<Key>,
    /// What is evaluated, where no look-up will do.
    pub rule: Option<Arc<Rule>>,
}

/// Why an indicator cannot become a countermeasure.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CannotCompile {
    /// Its pattern is in another language.
    #[error("its pattern is in `{0}`; only `stix` is understood")]
    Language(String),
    /// Its pattern has no reading.
    #[error("its pattern cannot be read: {0}")]
    Syntax(String),
    /// A property that no countermeasure sees.
    #[error("no countermeasure sees `{0}`")]
    Property(String),
    /// It cannot be evaluated.
    #[error("it cannot be evaluated: {0}")]
    Evaluation(String),
    /// It takes more observations than are kept for one pattern.
    #[error("it takes {0} observations, and {KEPT_PER_RULE_MAX} are kept for one pattern")]
    Observations(u64),
    /// The value is none of its kind.
    #[error("{0}")]
    Value(String),
}

impl CannotCompile {
    /// The reason in a word, to be counted by.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Language(_) => "language",
            Self::Syntax(_) => "syntax",
            Self::Property(_) => "property",
            Self::Evaluation(_) => "evaluation",
            Self::Observations(_) => "observations",
            Self::Value(_) => "value",
        }
    }
}

impl From<KeyError> for CannotCompile {
    fn from(error: KeyError) -> Self {
        Self::Value(error.to_string())
    }
}

/// Why a pattern is no look-up.
enum NoLookUp {
    /// Something of it has to be evaluated.
    Evaluate,
    /// A value in it is none of its kind, so that nothing would ever be it.
    Value(String),
}

impl From<KeyError> for NoLookUp {
    fn from(error: KeyError) -> Self {
        Self::Value(error.to_string())
    }
}

/// What becomes of a pattern where `met` are the kinds of things that are met.
///
/// # Errors
///
/// Says why nothing does.
pub fn compile(pattern_type: &str, text: &str, met: Kinds) -> Result<Plan, CannotCompile> {
    if pattern_type != "stix" {
        return Err(CannotCompile::Language(pattern_type.chars().take(40).collect()));
    }
    // Nearly all are that; to read a million of them with a parser takes seconds.
    if let Some(plain) = plain(text)
        && let Some(key) = key(plain.object_type, plain.property, plain.value)
    {
        return Ok(Plan { keys: vec![key?], rule: None });
    }
    let pattern = Pattern::parse(text).map_err(|error| CannotCompile::Syntax(error.to_string()))?;
    match keys_of(&pattern) {
        Ok(keys) => Ok(Plan { keys, rule: None }),
        Err(NoLookUp::Value(why)) => Err(CannotCompile::Value(why)),
        Err(NoLookUp::Evaluate) => Ok(Plan { keys: Vec::new(), rule: Some(rule_of(&pattern, met)?) }),
    }
}

fn keys_of(pattern: &Pattern) -> Result<Vec<Key>, NoLookUp> {
    let Some(simple) = pattern.simple() else { return text_of(pattern.root()) };
    let mut keys = Vec::with_capacity(simple.alternatives.len());
    for alternative in &simple.alternatives {
        keys.push(key_of(alternative)?);
    }
    keys.sort_unstable();
    keys.dedup();
    Ok(keys)
}

fn rule_of(pattern: &Pattern, met: Kinds) -> Result<Arc<Rule>, CannotCompile> {
    let kinds = kinds_of(pattern.root(), met).map_err(CannotCompile::Property)?;
    let compiled = pattern.compile();
    if let Some(limitation) = compiled.limitations().first() {
        return Err(CannotCompile::Evaluation(limitation.to_string()));
    }
    let least = compiled.observations_min();
    if least > KEPT_PER_RULE_MAX as u64 {
        return Err(CannotCompile::Observations(least));
    }
    let mut needles = Some(Vec::new());
    needles_of(pattern.root(), &mut needles);
    let mut needles = needles.unwrap_or_default();
    needles.sort_unstable();
    needles.dedup();
    Ok(Arc::new(Rule::new(compiled, pattern.root(), needles, kinds)))
}

/// The needles of every bracket, for each observation that satisfies one has a part in the match; `None` if one has none.
fn needles_of(expression: &ObservationExpression, all: &mut Option<Vec<Key>>) {
    match expression {
        ObservationExpression::Observation(inside) => {
            let found = inside.needles(&|equality| needle(equality).is_some());
            // What never holds needs no needle; it is left to evaluation to say so.
            match (all.as_mut(), found) {
                (Some(all), Some(found)) if !found.is_empty() => all.extend(found.iter().filter_map(needle)),
                (_, _) => *all = None,
            }
        }
        ObservationExpression::And(members)
        | ObservationExpression::Or(members)
        | ObservationExpression::FollowedBy(members) => {
            for member in members {
                needles_of(member, all);
            }
        }
        ObservationExpression::Qualified { inner, .. } => needles_of(inner, all),
    }
}

/// An equality as a key under which whatever satisfies it is found, and perhaps more: evaluation decides.
fn needle(equality: &Equality<'_>) -> Option<Key> {
    let text = equality.wanted.text()?;
    if let Some(algorithm) = algorithm(equality) {
        return Key::hash(algorithm.name(), text).ok();
    }
    let exactly = |text| Key::name(text, Scope::Exact).ok();
    match (equality.object_type, equality.property.as_str()) {
        ("domain-name", "value") => exactly(text),
        ("ipv4-addr" | "ipv6-addr", "value") => Key::parse_prefix(text).ok(),
        ("network-traffic", "dst_ref.value" | "src_ref.value") => {
            Key::parse_prefix(text).ok().or_else(|| exactly(text))
        }
        ("url", "value") => Key::url(text).ok(),
        ("email-addr", "value") => Key::email(text).ok(),
        ("email-message", "from_ref.value" | "sender_ref.value" | "to_refs[*].value") => {
            Key::email(text).ok()
        }
        ("email-message", "subject") => Key::subject(text).ok(),
        ("file", "name") => Key::file_name(text).ok(),
        _ => None,
    }
}

fn key_of(alternative: &[Equality<'_>]) -> Result<Key, NoLookUp> {
    match alternative {
        [equality] => single(equality),
        several if several.iter().all(|equality| algorithm(equality).is_some()) => {
            let strongest =
                several.iter().max_by_key(|equality| algorithm(equality).map(Algorithm::digest_bytes));
            strongest.map_or(Err(NoLookUp::Evaluate), single)
        }
        several => endpoint(several),
    }
}

fn algorithm(equality: &Equality<'_>) -> Option<Algorithm> {
    algorithm_of(equality.object_type, &equality.property)
}

fn algorithm_of(object_type: &str, property: &str) -> Option<Algorithm> {
    if !matches!(object_type, "file" | "artifact") {
        return None;
    }
    let name = property.strip_prefix("hashes.")?;
    Algorithm::parse(name.trim_matches('\''))
}

fn single(equality: &Equality<'_>) -> Result<Key, NoLookUp> {
    let text = equality.wanted.text().ok_or(NoLookUp::Evaluate)?;
    let key = key(equality.object_type, &equality.property, text).ok_or(NoLookUp::Evaluate)?;
    Ok(key?)
}

/// What a property with a text is looked up as; `None` if no table holds it.
fn key(object_type: &str, property: &str, text: &str) -> Option<Result<Key, KeyError>> {
    if let Some(algorithm) = algorithm_of(object_type, property) {
        return Some(Key::hash(algorithm.name(), text));
    }
    Some(match (object_type, property) {
        ("domain-name", "value") => name(text),
        ("ipv4-addr" | "ipv6-addr", "value") => Key::parse_prefix(text),
        ("network-traffic", "dst_ref.value" | "src_ref.value") => {
            Key::parse_prefix(text).or_else(|_| name(text))
        }
        ("url", "value") => Key::url(text),
        ("email-addr", "value") | ("email-message", "from_ref.value" | "sender_ref.value") => {
            Key::email(text)
        }
        ("email-message", "subject") => Key::subject(text),
        ("file", "name") => Key::file_name(text),
        (kind, path) if is_text(kind, path) => Key::text(text),
        _ => return None,
    })
}

/// A name with all below it, unless that would be everybody's: `co.uk`, `github.io`.
fn name(text: &str) -> Result<Key, KeyError> {
    let key = Key::name(text, Scope::Subdomains)?;
    if let Key::Name(canonical, _) = &key
        && psl::suffix_str(canonical.as_str()) == Some(canonical.as_str())
    {
        return Key::name(canonical.as_str(), Scope::Exact);
    }
    Ok(key)
}

fn is_text(kind: &str, property: &str) -> bool {
    matches!(
        (kind, property),
        ("email-message", "body") | ("artifact", "payload_bin") | ("process", "command_line")
    )
}

/// `[network-traffic:dst_ref.value = '192.0.2.1' AND network-traffic:dst_port = 8443]`
fn endpoint(alternative: &[Equality<'_>]) -> Result<Key, NoLookUp> {
    let mut address: Option<IpAddr> = None;
    let mut port: Option<u16> = None;
    for equality in alternative {
        let text = match equality.wanted {
            Wanted::Value(value) => value.to_string(),
            Wanted::Within(_) => return Err(NoLookUp::Evaluate),
        };
        let text = text.trim_matches('\'');
        match (equality.object_type, equality.property.as_str()) {
            ("network-traffic", "dst_ref.value") if address.is_none() => {
                let parsed = text.parse().map_err(|_| NoLookUp::Value(format!("`{text}` is no address")))?;
                address = Some(parsed);
            }
            ("network-traffic", "dst_port") if port.is_none() => {
                let parsed = text.parse().ok().filter(|port| *port != 0);
                port = Some(parsed.ok_or_else(|| NoLookUp::Value(format!("`{text}` is no port")))?);
            }
            // TCP or UDP: the table holds ports of both.
            ("network-traffic", "protocols[*]") => {}
            _ => return Err(NoLookUp::Evaluate),
        }
    }
    address.zip(port).map(|(address, port)| Key::endpoint(address, port)).ok_or(NoLookUp::Evaluate)
}

/// `[email-message:body LIKE '%token%']`: a string, if the wildcards stand at its ends only.
fn text_of(root: &ObservationExpression) -> Result<Vec<Key>, NoLookUp> {
    let ObservationExpression::Observation(ComparisonExpression::Comparison(comparison)) = root else {
        return Err(NoLookUp::Evaluate);
    };
    let Operator::Like(pattern) = &comparison.operator else { return Err(NoLookUp::Evaluate) };
    let sought = pattern.strip_prefix('%').and_then(|rest| rest.strip_suffix('%'));
    match sought {
        Some(sought)
            if !comparison.negated
                && !sought.contains(['%', '_'])
                && is_text(&comparison.path.object_type, &comparison.path.property()) =>
        {
            Ok(vec![Key::text(sought)?])
        }
        Some(_) | None => Err(NoLookUp::Evaluate),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compiled(pattern: &str) -> Result<Vec<String>, &'static str> {
        let plan = compile("stix", pattern, Kinds::MET).map_err(|error| error.word())?;
        let word = |key: &Key| format!("{} {key}", key.kind().word());
        Ok(match plan.rule {
            Some(rule) => rule.needles().iter().map(|key| format!("needle {}", word(key))).collect(),
            None => plan.keys.iter().map(word).collect(),
        })
    }

    #[test]
    fn what_tables_hold_is_compiled_and_the_rest_is_told() {
        let sha256 = "a".repeat(64);
        let both = format!("[file:hashes.MD5 = '{}' AND file:hashes.'SHA-256' = '{sha256}']", "b".repeat(32));
        let strongest = format!("hash {sha256}");
        let cases: &[(&str, Result<&[&str], &str>)] = &[
            ("[domain-name:value = 'Evil.Example']", Ok(&["name *.evil.example"])),
            ("[domain-name:value = 'github.io']", Ok(&["name github.io"])),
            ("[domain-name:value = 'co.uk']", Ok(&["name co.uk"])),
            ("[ipv4-addr:value = '192.0.2.0/24']", Ok(&["prefix 192.0.2.0/24"])),
            ("[ipv4-addr:value ISSUBSET '192.0.2.0/24']", Ok(&["prefix 192.0.2.0/24"])),
            (
                "[url:value = 'http://a.example/x'] OR [domain-name:value = 'a.example']",
                Ok(&["name *.a.example", "url http://a.example/x"]),
            ),
            (
                "[network-traffic:dst_ref.value = '192.0.2.1' AND network-traffic:dst_port = 8443]",
                Ok(&["endpoint 192.0.2.1:8443"]),
            ),
            ("[email-message:from_ref.value = 'A@b.example']", Ok(&["email a@b.example"])),
            ("[email-message:subject = 'Your  Invoice']", Ok(&["subject your invoice"])),
            ("[file:name = 'Invoice.scr']", Ok(&["file-name invoice.scr"])),
            (&both, Ok(&[strongest.as_str()])),
            ("[email-message:body LIKE '%zq81-beacon%']", Ok(&["text zq81-beacon"])),
            ("[domain-name:value = '192.0.2.1']", Err("value")),
            ("[file:hashes.MD5 = 'zz']", Err("value")),
            ("[mutex:name = 'x']", Err("property")),
            ("[file:name = 'a' AND file:ctime = t'2020-01-01T00:00:00Z']", Err("property")),
            // What is evaluated, with what must be there.
            ("[file:name = 'a' AND file:size = 3]", Ok(&["needle file-name a"])),
            ("[url:value MATCHES '^http']", Ok(&[])),
            ("[url:value MATCHES '(?=a)']", Err("evaluation")),
            ("[url:value = 'http://a.example/'] REPEATS 900 TIMES", Err("observations")),
            (
                "[url:value = 'http://a.example/'] FOLLOWEDBY [url:value = 'http://b.example/']",
                Ok(&["needle url http://a.example/", "needle url http://b.example/"]),
            ),
            ("[url:value = 'http://a.example/'] FOLLOWEDBY [url:value LIKE '%b%']", Ok(&[])),
            (
                "[domain-name:value = 'a.example' AND domain-name:value LIKE 'a%']",
                Ok(&["needle name a.example"]),
            ),
            ("[domain-name:value = ", Err("syntax")),
        ];
        for (pattern, expected) in cases {
            let found = compiled(pattern);
            let expected = expected.map(|keys| keys.iter().map(ToString::to_string).collect::<Vec<_>>());
            assert_eq!(found, expected, "{pattern}");
        }
        assert_eq!(
            compile("yara", "rule x {}", Kinds::MET).map(|_| ()).map_err(|error| error.word()),
            Err("language")
        );
    }
}
