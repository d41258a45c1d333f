//! From a pattern to the values that are looked up, where it is as simple as that.

use matcher::{Algorithm, Key, Scope};
use stix_pattern::{Equality, Pattern};

/// The values, any of which is meant; `None` if the pattern is anything but one property that has one of some values.
pub(super) fn of(pattern: &str) -> Option<Vec<Key>> {
    let pattern = Pattern::parse(pattern).ok()?;
    let simple = pattern.simple()?;
    let mut keys = Vec::with_capacity(simple.alternatives.len());
    for alternative in &simple.alternatives {
        let [equality] = alternative.as_slice() else { return None };
        keys.push(key_of(equality)?);
    }
    keys.sort_unstable();
    keys.dedup();
    Some(keys)
}

fn key_of(equality: &Equality<'_>) -> Option<Key> {
    let text = equality.wanted.text()?;
    if let ("file" | "artifact", Some(name)) =
        (equality.object_type, equality.property.strip_prefix("hashes."))
    {
        let algorithm = Algorithm::parse(name.trim_matches('\''))?;
        return Key::hash(algorithm.name(), text).ok();
    }
    let key = match (equality.object_type, equality.property.as_str()) {
        ("domain-name", "value") => return name(text),
        ("ipv4-addr" | "ipv6-addr", "value") => Key::parse_prefix(text),
        ("network-traffic", "dst_ref.value" | "src_ref.value") => {
            return Key::parse_prefix(text).ok().or_else(|| name(text));
        }
        ("url", "value") => Key::url(text),
        ("email-addr", "value") | ("email-message", "from_ref.value" | "sender_ref.value") => {
            Key::email(text)
        }
        ("email-message", "subject") => Key::subject(text),
        ("file", "name") => Key::file_name(text),
        ("email-message", "body") | ("artifact", "payload_bin") | ("process", "command_line") => {
            Key::text(text)
        }
        _ => return None,
    };
    key.ok()
}

/// A name with all below it, unless that would be everybody's: `co.uk`, `github.io`. A guard could not see that itself.
fn name(text: &str) -> Option<Key> {
    let key = Key::name(text, Scope::Subdomains).ok()?;
    if let Key::Name(canonical, _) = &key
        && psl::suffix_str(canonical.as_str()) == Some(canonical.as_str())
    {
        return Key::name(canonical.as_str(), Scope::Exact).ok();
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_one_property_is_looked_up_and_the_rest_is_left_out() {
        let hash = "aec070645fe53ee3b3763059376134f058cc337247c978add178b6ccdfb0019f";
        let name = |text, scope| vec![Key::name(text, scope).unwrap()];
        let cases = [
            ("[domain-name:value = 'C2.Example']".to_owned(), Some(name("c2.example", Scope::Subdomains))),
            ("[domain-name:value = 'co.uk']".to_owned(), Some(name("co.uk", Scope::Exact))),
            (
                "[ipv4-addr:value = '192.0.2.1']".to_owned(),
                Some(vec![Key::parse_prefix("192.0.2.1").unwrap()]),
            ),
            (format!("[file:hashes.'SHA-256' = '{hash}']"), Some(vec![Key::hash("SHA-256", hash).unwrap()])),
            (format!("[file:hashes.'SHA-256' = '{hash}' AND file:name = 'a']"), None),
            ("[file:size = 7]".to_owned(), None),
            ("[domain-name:value LIKE '%.example']".to_owned(), None),
            ("[domain-name:value = 'a b']".to_owned(), None),
            ("[domain-name:value".to_owned(), None),
        ];
        for (pattern, want) in cases {
            assert_eq!(of(&pattern), want, "{pattern}");
        }
    }
}
