//! Strings with a form: addresses, hashes, names.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::checker::Checker;
use super::path::Path;
use super::shape::Form;
use crate::document::Value;
use crate::scan::Kind;
use crate::vocabulary::HASH_ALGORITHM;

/// Judges a string by its form.
pub(super) fn check(
    checker: &mut Checker<'_, '_, '_>,
    path: &Path<'_>,
    form: Form,
    text: &str,
    section: &'static str,
) {
    let defanged = checker.defanged;
    match form {
        Form::Hex if !is_hex(text) => {
            let message = format_args!("`{text}` is not an even number of hexadecimal digits");
            checker.must(path, "invalid-hex", "2.8", message);
        }
        Form::Binary if !is_base64(text) => {
            checker.must(path, "invalid-binary", "2.1", format_args!("it is not base64 (RFC 4648 §4)"));
        }
        Form::Url if !defanged && !is_url(text) => {
            let message = format_args!("`{text}` is no URL (RFC 3986)");
            checker.must(path, "invalid-url", section, message);
        }
        Form::Domain if !defanged && !is_domain(text) => {
            let message = format_args!("`{text}` is no domain name (RFC 1034, RFC 5890)");
            checker.must(path, "invalid-domain", section, message);
        }
        Form::EmailAddress if !defanged && !is_email(text) => {
            let message = format_args!("`{text}` is no address `local-part@domain` (RFC 5322)");
            checker.must(path, "invalid-address", section, message);
        }
        Form::Ipv4 if !defanged && !is_ipv4(text) => {
            let message = format_args!("`{text}` is no IPv4 address or CIDR block");
            checker.must(path, "invalid-address", section, message);
        }
        Form::Ipv6 if !defanged && !is_ipv6(text) => {
            let message = format_args!("`{text}` is no IPv6 address or CIDR block");
            checker.must(path, "invalid-address", section, message);
        }
        Form::Mac if !defanged && !is_mac(text) => {
            let message =
                format_args!("`{text}` is not six pairs of lower-case hexadecimal digits, with colons");
            checker.must(path, "invalid-address", section, message);
        }
        Form::Pattern if text.is_empty() => {
            checker.must(path, "empty-pattern", section, format_args!("a pattern must not be empty"));
        }
        Form::Charset if !is_charset(text) => {
            let message = format_args!("`{text}` cannot name a character set of the IANA registry");
            checker.must(path, "invalid-charset", section, message);
        }
        Form::Cpe if !text.starts_with("cpe:2.3:") => {
            checker.must(path, "invalid-cpe", section, format_args!("`{text}` is no CPE 2.3 name"));
        }
        Form::Language if !is_language(text) => {
            let message = format_args!("`{text}` is no language tag (RFC 5646)");
            checker.must(path, "invalid-language", section, message);
        }
        Form::Mime if !is_mime(text) => {
            let message = format_args!("`{text}` should be a media type `type/subtype`");
            checker.should(path, "invalid-media-type", section, message);
        }
        Form::RelationshipType if !is_relationship_type(text) => {
            let message = format_args!("`{text}` cannot name a relationship: a-z, 0-9 and hyphens");
            checker.must(path, "relationship-type", section, message);
        }
        Form::RegistryKey if is_abbreviated_hive(text) => {
            let message = format_args!("the hive of `{text}` must be written in full");
            checker.must(path, "abbreviated-hive", section, message);
        }
        Form::Selector => checker.selector(path, text),
        Form::SpecVersion if text != "2.1" => {
            let message = format_args!("`{text}` is not a version that is known here: it must be `2.1`");
            checker.must(path, "spec-version", "3.2", message);
        }
        Form::Hex
        | Form::Binary
        | Form::Url
        | Form::Domain
        | Form::EmailAddress
        | Form::Ipv4
        | Form::Ipv6
        | Form::Mac
        | Form::Pattern
        | Form::Charset
        | Form::Cpe
        | Form::Language
        | Form::Mime
        | Form::RelationshipType
        | Form::RegistryKey
        | Form::SpecVersion => {}
    }
}

/// §2.7: the keys of a hashes dictionary are algorithms, and the digests have their length.
pub(super) fn hashes<'d, 'a>(checker: &mut Checker<'d, 'a, '_>, path: &Path<'_>, value: Value<'d, 'a>) {
    if value.kind() != Kind::Object {
        return checker.wrong_type(path, value, "a dictionary of hashes", "2.7");
    }
    let mut empty = true;
    for (key, digest) in value.members() {
        empty = false;
        let path = path.key(&key);
        checker.dictionary_key(&path, &key);
        if key.len() < 3 {
            let message = format_args!("`{key}` cannot name an algorithm: it has fewer than 3 characters");
            checker.must(&path, "dictionary-key", "2.7", message);
        }
        let Some(digest) = checker.string(&path, digest, "2.7") else { continue };
        if !is_digest(&key, &digest) {
            let message = format_args!("`{digest}` is no {key} digest");
            checker.must(&path, "invalid-hash", "2.7", message);
        }
        if !HASH_ALGORITHM.terms.contains(&&*key) {
            let message = format_args!("`{key}` is not in `{}`", HASH_ALGORITHM.name);
            checker.should(&path, "open-vocabulary", HASH_ALGORITHM.section, message);
        }
    }
    if empty {
        checker.must(
            path,
            "empty-dictionary",
            "2.7",
            format_args!("a dictionary must not be empty: leave it out"),
        );
    }
}

fn is_digest(algorithm: &str, digest: &str) -> bool {
    let hex = |length: usize| digest.len() == length && digest.bytes().all(|b| b.is_ascii_hexdigit());
    match algorithm {
        "MD5" => hex(32),
        "SHA-1" => hex(40),
        "SHA-256" | "SHA3-256" => hex(64),
        "SHA-512" | "SHA3-512" => hex(128),
        // A TLSH digest has 70 digits, with `T1` before them since its version 4.
        "TLSH" => hex(70) || digest.strip_prefix("T1").is_some_and(|d| d.len() == 70),
        _ => !digest.is_empty(),
    }
}

fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.len().is_multiple_of(2) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let padding = text.len() - body.len();
    text.len().is_multiple_of(4)
        && padding <= 2
        && !body.is_empty()
        && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

/// A scheme, a colon, and something without space behind it.
fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let scheme_bytes = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    scheme.as_bytes().first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.bytes().all(scheme_bytes)
        && !rest.is_empty()
        && !text.bytes().any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control())
}

/// Labels of 1 to 63 bytes, or of letters beyond ASCII. Names in use begin with an underscore too.
fn is_domain(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        !label.is_empty()
            && (label.len() <= 63 || !label.is_ascii())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_') || !c.is_ascii())
    };
    (1..=253).contains(&name.chars().count()) && name.split('.').all(label)
}

fn is_email(text: &str) -> bool {
    text.rsplit_once('@').is_some_and(|(local, domain)| {
        let plain = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '<' | '>');
        !local.is_empty()
            && (local.starts_with('"') || local.chars().all(plain))
            && !domain.is_empty()
            && domain.chars().all(plain)
    })
}

fn is_block(text: &str, bits: u8, address: impl Fn(&str) -> bool) -> bool {
    match text.split_once('/') {
        None => address(text),
        Some((start, length)) => {
            let digits = length.bytes().all(|byte| byte.is_ascii_digit());
            address(start) && digits && length.parse::<u8>().is_ok_and(|length| length <= bits)
        }
    }
}

fn is_ipv4(text: &str) -> bool {
    is_block(text, 32, |address| address.parse::<Ipv4Addr>().is_ok())
}

fn is_ipv6(text: &str) -> bool {
    is_block(text, 128, |address| address.parse::<Ipv6Addr>().is_ok())
}

fn is_mac(text: &str) -> bool {
    text.len() == 17
        && text.bytes().enumerate().all(|(at, byte)| match at % 3 {
            2 => byte == b':',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

fn is_language(text: &str) -> bool {
    let mut parts = text.split('-');
    let primary = parts.next().unwrap_or_default();
    (2..=8).contains(&primary.len())
        && primary.bytes().all(|byte| byte.is_ascii_alphabetic())
        && parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// RFC 2978 §2.3, and what the registry really has.
fn is_charset(text: &str) -> bool {
    let in_alphabet = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:+()".contains(&byte);
    (2..=60).contains(&text.len()) && text.bytes().all(in_alphabet)
}

fn is_mime(text: &str) -> bool {
    let part = |part: &str| {
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b);
        !part.is_empty() && part.bytes().all(token)
    };
    let essence = text.split(';').next().unwrap_or_default().trim_end();
    essence.split_once('/').is_some_and(|(kind, subtype)| part(kind) && part(subtype))
}

pub(super) fn is_relationship_type(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

fn is_abbreviated_hive(text: &str) -> bool {
    let hive = text.split('\\').next().unwrap_or_default();
    ["HKLM", "HKCC", "HKCR", "HKCU", "HKU"].iter().any(|short| hive.eq_ignore_ascii_case(short))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Form = fn(&str) -> bool;

    #[test]
    fn forms_tell_the_right_from_the_wrong() {
        let cases: &[(Form, &[&str], &[&str])] = &[
            (is_hex, &["00", "aB09"], &["", "0", "0g"]),
            (is_base64, &["AA==", "AAA=", "AAAA", "+/8="], &["", "A", "AA=", "====", "A A=", "AA==AAAA"]),
            (
                is_url,
                &["https://x.example/a?b#c", "urn:a:b"],
                &["", "x.example/a", "http://a b", "1a:b", "a:"],
            ),
            (
                is_domain,
                &["example.com", "_dmarc.a.example.", "bücher.example", "xn--bcher-kva.example"],
                &["", "a..b", "-a.example", "a b.example", "http://a.example", "a[.]example"],
            ),
            (is_email, &["a@b.example", "\"a b\"@c.example"], &["a", "@b", "a@", "A <a@b.example>"]),
            (
                is_ipv4,
                &["198.51.100.3", "198.51.100.0/24", "0.0.0.0/0"],
                &["", "198.51.100", "198.51.100.256", "198.51.100.0/33", "198.51.100.0/+8", "198.51.100.03"],
            ),
            (is_ipv6, &["::", "2001:db8::1", "2001:db8::/32"], &["", "2001:db8", "2001:db8::/129", ":::"]),
            (is_mac, &["d2:fb:49:24:37:18"], &["D2:FB:49:24:37:18", "d2-fb-49-24-37-18", "d2:fb:49:24:37"]),
            (is_language, &["en", "pt-BR", "zh-Hant-TW"], &["", "e", "en_US", "english language"]),
            (
                is_mime,
                &["text/plain", "image/svg+xml", "text/html; charset=utf-8"],
                &["", "text", "text/", "/x"],
            ),
            (is_relationship_type, &["uses", "x-1"], &["", "Uses", "uses_it"]),
            (is_abbreviated_hive, &["HKLM\\x", "hkcu"], &["HKEY_LOCAL_MACHINE\\x", "software"]),
        ];
        for (form, right, wrong) in cases {
            for text in *right {
                assert!(form(text), "{text}");
            }
            for text in *wrong {
                assert!(!form(text), "{text}");
            }
        }
    }

    #[test]
    fn a_digest_has_the_length_of_its_algorithm() {
        assert!(is_digest("MD5", &"a".repeat(32)));
        assert!(!is_digest("MD5", &"a".repeat(31)));
        assert!(is_digest("SHA-256", &"A".repeat(64)));
        assert!(!is_digest("SHA-256", &"g".repeat(64)));
        assert!(is_digest("TLSH", &format!("T1{}", "A".repeat(70))));
        assert!(is_digest("x_own", "anything"));
        assert!(!is_digest("x_own", ""));
    }
}
