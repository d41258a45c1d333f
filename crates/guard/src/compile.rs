//! From an indicator's pattern to what the tables look up.
//!
//! Nearly all patterns are one equality of a property that a table holds. Each alternative of a pattern becomes one
//! [`Key`]; a pattern of which any alternative cannot become one is not looked up at all, for half of an indicator is
//! another indicator. What cannot be compiled is told with its reason, indicator by indicator, and stops nothing.
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

use matcher::{Algorithm, Key, KeyError, Scope};
use stix_pattern::{ComparisonExpression, Equality, ObservationExpression, Operator, Pattern, Wanted};
use thiserror::Error;

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
    /// It asks for more than an equality.
    #[error("it takes more than a look-up; `ringfence match` evaluates it over files at rest")]
    Evaluation,
    /// Several properties of one object that no table holds together.
    #[error(
        "it asks for several properties of one object; `ringfence match` evaluates it over files at rest"
    )]
    Conjunction,
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
            Self::Evaluation => "evaluation",
            Self::Conjunction => "conjunction",
            Self::Value(_) => "value",
        }
    }
}

impl From<KeyError> for CannotCompile {
    fn from(error: KeyError) -> Self {
        Self::Value(error.to_string())
    }
}

/// What is looked up for a pattern.
///
/// # Errors
///
/// Says why it cannot be.
pub fn compile(pattern_type: &str, text: &str) -> Result<Vec<Key>, CannotCompile> {
    if pattern_type != "stix" {
        return Err(CannotCompile::Language(pattern_type.chars().take(40).collect()));
    }
    if let Some(key) = quick(text) {
        return Ok(vec![key]);
    }
    let pattern = Pattern::parse(text).map_err(|error| CannotCompile::Syntax(error.to_string()))?;
    let Some(simple) = pattern.simple() else { return text_of(pattern.root()) };
    let mut keys = Vec::with_capacity(simple.alternatives.len());
    for alternative in &simple.alternatives {
        keys.push(key_of(alternative)?);
    }
    keys.sort_unstable();
    keys.dedup();
    Ok(keys)
}

/// The commonest patterns, one plain equality, without a parse: a start compiles a million of them. Whatever is not exactly of
/// this form, or has no key, takes the long way.
fn quick(text: &str) -> Option<Key> {
    let (property, rest) = text.strip_prefix('[')?.split_once(" = '")?;
    let value = rest.strip_suffix("']")?;
    if value.is_empty() || value.contains(['\'', '\\']) {
        return None;
    }
    match property {
        "domain-name:value" => name(value).ok(),
        "ipv4-addr:value" | "ipv6-addr:value" => Key::parse_prefix(value).ok(),
        "url:value" => Key::url(value).ok(),
        "file:hashes.'SHA-256'" => Key::hash("SHA-256", value).ok(),
        "file:hashes.MD5" => Key::hash("MD5", value).ok(),
        _ => None,
    }
}

fn key_of(alternative: &[Equality<'_>]) -> Result<Key, CannotCompile> {
    match alternative {
        [equality] => single(equality),
        several if several.iter().all(|equality| algorithm(equality).is_some()) => {
            let strongest =
                several.iter().max_by_key(|equality| algorithm(equality).map(Algorithm::digest_bytes));
            strongest.map_or(Err(CannotCompile::Conjunction), single)
        }
        several => endpoint(several),
    }
}

fn algorithm(equality: &Equality<'_>) -> Option<Algorithm> {
    if !matches!(equality.object_type, "file" | "artifact") {
        return None;
    }
    let name = equality.property.strip_prefix("hashes.")?;
    Algorithm::parse(name.trim_matches('\''))
}

fn single(equality: &Equality<'_>) -> Result<Key, CannotCompile> {
    let property = || CannotCompile::Property(format!("{}:{}", equality.object_type, equality.property));
    let text = equality.wanted.text().ok_or_else(property)?;
    if let Some(algorithm) = algorithm(equality) {
        return Ok(Key::hash(algorithm.name(), text)?);
    }
    Ok(match (equality.object_type, equality.property.as_str()) {
        ("domain-name", "value") => name(text)?,
        ("ipv4-addr" | "ipv6-addr", "value") => Key::parse_prefix(text)?,
        ("network-traffic", "dst_ref.value" | "src_ref.value") => {
            Key::parse_prefix(text).or_else(|_| name(text))?
        }
        ("url", "value") => Key::url(text)?,
        ("email-addr", "value") | ("email-message", "from_ref.value" | "sender_ref.value") => {
            Key::email(text)?
        }
        ("email-message", "subject") => Key::subject(text)?,
        ("file", "name") => Key::file_name(text)?,
        (kind, path) if is_text(kind, path) => Key::text(text)?,
        _ => return Err(property()),
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
fn endpoint(alternative: &[Equality<'_>]) -> Result<Key, CannotCompile> {
    let mut address: Option<IpAddr> = None;
    let mut port: Option<u16> = None;
    for equality in alternative {
        let text = match equality.wanted {
            Wanted::Value(value) => value.to_string(),
            Wanted::Within(_) => return Err(CannotCompile::Conjunction),
        };
        let text = text.trim_matches('\'');
        match (equality.object_type, equality.property.as_str()) {
            ("network-traffic", "dst_ref.value") if address.is_none() => {
                let parsed =
                    text.parse().map_err(|_| CannotCompile::Value(format!("`{text}` is no address")))?;
                address = Some(parsed);
            }
            ("network-traffic", "dst_port") if port.is_none() => {
                let parsed = text.parse().ok().filter(|port| *port != 0);
                port = Some(parsed.ok_or_else(|| CannotCompile::Value(format!("`{text}` is no port")))?);
            }
            // TCP or UDP: the table holds ports of both.
            ("network-traffic", "protocols[*]") => {}
            _ => return Err(CannotCompile::Conjunction),
        }
    }
    address.zip(port).map(|(address, port)| Key::endpoint(address, port)).ok_or(CannotCompile::Conjunction)
}

/// `[email-message:body LIKE '%token%']`: a string, if the wildcards stand at its ends only.
fn text_of(root: &ObservationExpression) -> Result<Vec<Key>, CannotCompile> {
    let ObservationExpression::Observation(ComparisonExpression::Comparison(comparison)) = root else {
        return Err(CannotCompile::Evaluation);
    };
    let Operator::Like(pattern) = &comparison.operator else { return Err(CannotCompile::Evaluation) };
    let sought = pattern.strip_prefix('%').and_then(|rest| rest.strip_suffix('%'));
    match sought {
        Some(sought)
            if !comparison.negated
                && !sought.contains(['%', '_'])
                && is_text(&comparison.path.object_type, &comparison.path.property()) =>
        {
            Ok(vec![Key::text(sought)?])
        }
        Some(_) | None => Err(CannotCompile::Evaluation),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compiled(pattern: &str) -> Result<Vec<String>, &'static str> {
        let keys = compile("stix", pattern).map_err(|error| error.word())?;
        Ok(keys.iter().map(|key| format!("{} {key}", key.kind().word())).collect())
    }

    #[test]
    fn the_short_way_leads_where_the_long_one_does() {
        let sha256 = "Ab".repeat(32);
        let values = [
            "Evil.Example",
            "co.uk",
            "192.0.2.0/24",
            "2001:db8::1",
            "http://A.example/x?y=%41",
            &sha256,
            "é.example",
            "a b",
        ];
        let kinds = [
            "domain-name:value",
            "ipv4-addr:value",
            "ipv6-addr:value",
            "url:value",
            "file:hashes.'SHA-256'",
            "file:hashes.MD5",
        ];
        let mut found = 0;
        for (kind, value) in kinds.iter().flat_map(|kind| values.iter().map(move |value| (kind, value))) {
            let text = format!("[{kind} = '{value}']");
            if let Some(key) = quick(&text) {
                // A space more, and the parser has to do it.
                assert_eq!(Ok(vec![key]), compile("stix", &format!("[ {kind} = '{value}']")), "{text}");
                found += 1;
            }
        }
        assert!(found >= 9, "{found}");
        for text in [
            "[url:value = 'a\\'b']",
            "[domain-name:value = 'a.example'] OR [domain-name:value = 'b.example']",
            "[domain-name:value = '']",
        ] {
            assert_eq!(quick(text), None, "{text}");
        }
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
            ("[file:name = 'a' AND file:size = 3]", Err("conjunction")),
            ("[url:value MATCHES '^http']", Err("evaluation")),
            (
                "[url:value = 'http://a.example/'] FOLLOWEDBY [url:value = 'http://b.example/']",
                Err("evaluation"),
            ),
            ("[domain-name:value = ", Err("syntax")),
        ];
        for (pattern, expected) in cases {
            let found = compiled(pattern);
            let expected = expected.map(|keys| keys.iter().map(ToString::to_string).collect::<Vec<_>>());
            assert_eq!(found, expected, "{pattern}");
        }
        assert_eq!(compile("yara", "rule x {}").map_err(|error| error.word()), Err("language"));
    }
}
