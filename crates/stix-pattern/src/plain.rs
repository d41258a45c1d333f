//! Patterns of the plainest kind, read without a parser.
//!
//! Nearly all patterns are `[domain-name:value = 'evil.example']` or one of a few like it. Whoever reads a million of them
//! wants no tree: [`plain`] tells them by comparing bytes, in a hundredth of the time. What it tells is exactly what
//! [`Pattern::parse`](crate::Pattern::parse) would, of a pattern without findings; of all others it tells nothing.

use crate::parser::PATTERN_MAX_BYTES;

/// One equality with a text, spelled as the standard spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plain<'p> {
    /// `file`
    pub object_type: &'static str,
    /// As in [`Equality`](crate::Equality): `hashes.'SHA-256'`
    pub property: &'static str,
    /// The text.
    pub value: &'p str,
}

/// Object type, property, and of digests their digits. The most frequent first.
const KINDS: [(&str, &str, usize); 11] = [
    ("domain-name", "value", 0),
    ("ipv4-addr", "value", 0),
    ("file", "hashes.'SHA-256'", 64),
    ("url", "value", 0),
    ("file", "hashes.MD5", 32),
    ("file", "hashes.'SHA-1'", 40),
    ("ipv6-addr", "value", 0),
    ("email-addr", "value", 0),
    ("file", "name", 0),
    ("email-message", "subject", 0),
    ("mutex", "name", 0),
];

/// The one equality that a pattern is, if it is as plain as can be.
#[must_use]
pub fn plain(text: &str) -> Option<Plain<'_>> {
    if text.len() > PATTERN_MAX_BYTES {
        return None;
    }
    let inner = text.strip_prefix('[')?.strip_suffix("']")?;
    KINDS.iter().find_map(|(object_type, property, digits)| {
        let rest = inner.strip_prefix(object_type)?.strip_prefix(':')?.strip_prefix(property)?;
        let value =
            rest.trim_start_matches(' ').strip_prefix('=')?.trim_start_matches(' ').strip_prefix('\'')?;
        let is_digest = || value.len() == *digits && value.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_plain =
            memchr::memchr2(b'\'', b'\\', value.as_bytes()).is_none() && (*digits == 0 || is_digest());
        is_plain.then_some(Plain { object_type, property, value })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Pattern, Wanted};

    /// What the parser says of a text that is called plain.
    fn check(text: &str) -> bool {
        let Some(found) = plain(text) else { return false };
        let pattern = Pattern::parse(text).unwrap();
        assert_eq!(pattern.findings(), [], "{text}");
        let simple = pattern.simple().unwrap();
        let equality = simple.single().unwrap();
        let Wanted::Value(literal) = equality.wanted else { panic!("{text}") };
        assert_eq!(
            (equality.object_type, equality.property.as_str(), literal.as_text()),
            (found.object_type, found.property, Some(found.value)),
            "{text}"
        );
        true
    }

    #[test]
    fn what_is_plain_is_what_the_parser_reads() {
        let digest = "aec070645fe53ee3b3763059376134f058cc337247c978add178b6ccdfb0019f";
        for (object_type, property, digits) in KINDS {
            let value = if digits == 0 { "any thing" } else { &digest[..digits] };
            assert!(check(&format!("[{object_type}:{property} = '{value}']")));
            assert!(check(&format!("[{object_type}:{property}='{value}']")));
        }
        for text in [
            "[domain-name:value = 'a\\'b']",
            "[domain-name:value != 'a']",
            "[domain-name:value = 'a'] OR [domain-name:value = 'b']",
            "[domain-name:value = 'a' AND domain-name:value = 'b']",
            "[domain-name:values = 'a']",
            "[file:hashes.MD5 = 'a']",
            "[file:hashes.sha256 = 'a']",
            "[domain-name:value = 'a' ]",
            "domain-name:value = 'a'",
            "[']",
            "",
        ] {
            assert_eq!(plain(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_value_is_read_alike(value in ".{0,40}", kind in 0..KINDS.len(), blanks in " {0,2}") {
            let (object_type, property, _) = KINDS[kind];
            check(&format!("[{object_type}:{property}{blanks}={blanks}'{value}']"));
        }
    }
}
