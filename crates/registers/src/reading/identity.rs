//! Which identifier an entity goes by.

use sha2::{Digest, Sha256};
use ties::{EntityId, ExternalId};

use crate::gleif::is_lei;

/// Longest scope, so that a scope and a local identifier stay under the limit for identifiers.
const SCOPE_BYTES_MAX: usize = 64;

/// Longest local identifier that is kept as it is.
const LOCAL_BYTES_MAX: usize = 160;

/// What an entity goes by, and what else is exactly it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The best exact identifier, else the source's own.
    pub(crate) id: EntityId,
    /// The further ones, the source's own among them. Each is the same entity.
    pub(crate) others: Vec<EntityId>,
}

/// The identity of what the source calls `own`, which others gave `identifiers`.
///
/// The order: LEI, then registers in the order of their codes, then the source's own. A scheme under which the record
/// has two different values decides nothing: two companies were taken for one, or one of the values is wrong.
pub(crate) fn identity(own: EntityId, identifiers: &[ExternalId]) -> Identity {
    let mut exact: Vec<&ExternalId> = identifiers.iter().filter(|id| is_exact(id)).collect();
    exact.sort_by_key(|id| (id.scheme != "XI-LEI", &id.scheme, &id.value));
    exact.dedup();
    let values = |scheme: &str| exact.iter().filter(|id| id.scheme == scheme).count();
    let exact: Vec<&ExternalId> = exact.iter().copied().filter(|id| values(&id.scheme) == 1).collect();
    let mut ids: Vec<EntityId> = Vec::with_capacity(exact.len() + 1);
    let named = exact.iter().filter_map(|id| format!("{}:{}", id.scheme, id.value).parse().ok());
    for id in named.chain([own]) {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    let id = ids.remove(0);
    Identity { id, others: ids }
}

/// An identifier as it is compared: the scheme in capitals, the value without blanks, a British company number with
/// its leading zeros. `None` if there is no scheme or no value.
pub(crate) fn external(scheme: &str, value: &str) -> Option<ExternalId> {
    let bare =
        |text: &str| text.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect::<String>();
    let (scheme, mut value) = (bare(scheme).to_uppercase(), bare(value));
    if scheme.is_empty() || value.is_empty() || scheme.len() + value.len() > LOCAL_BYTES_MAX {
        return None;
    }
    if scheme == "XI-LEI" || scheme == "GB-COH" {
        value.make_ascii_uppercase();
    }
    if scheme == "GB-COH" {
        value = padded(&value);
    }
    Some(ExternalId { scheme, value })
}

/// A British company number has eight signs: digits, or two letters and six digits.
fn padded(value: &str) -> String {
    let letters = value.bytes().take_while(u8::is_ascii_alphabetic).count();
    let digits = &value[letters..];
    let is_number =
        matches!(letters, 0 | 2) && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if !is_number || value.len() >= 8 {
        return value.to_owned();
    }
    format!("{}{digits:0>width$}", &value[..letters], width = 8 - letters)
}

/// Whether the identifier alone decides who is meant: an LEI whose check digits are right, or a number in a register that org-id.guide has a code
/// for (two capitals and a hyphen).
pub(crate) fn is_exact(id: &ExternalId) -> bool {
    let scheme = id.scheme.as_bytes();
    let coded = scheme.len() > 3
        && scheme[..2].iter().all(u8::is_ascii_uppercase)
        && scheme[2] == b'-'
        && scheme[3..]
            .iter()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'-' || *b == b'_');
    match id.scheme.as_str() {
        "XI-LEI" => is_lei(&id.value),
        _ => coded,
    }
}

/// A document's name as a prefix of identifiers.
pub(crate) fn scope(document: &str) -> String {
    let document = clean(document);
    if document.len() <= SCOPE_BYTES_MAX { document } else { digest(&document) }
}

/// The source's own identifier, made unique by the source. One that is so already (it was written out by us, and comes
/// back) stays as it is.
pub(crate) fn scoped(scope: &str, local: &str) -> String {
    let local = clean(local);
    let is_scoped = local.strip_prefix(scope).is_some_and(|rest| rest.starts_with(':') && rest.len() > 1);
    if is_scoped { local } else { format!("{scope}:{local}") }
}

/// The text, if it can be part of an identifier; else a digest of it, since to mend it could make two out of one.
pub(crate) fn clean(text: &str) -> String {
    let usable = !text.is_empty()
        && text.len() <= LOCAL_BYTES_MAX
        && !text.chars().any(|c| c.is_whitespace() || c.is_control());
    if usable { text.to_owned() } else { digest(text) }
}

fn digest(text: &str) -> String {
    format!("sha256-{}", hex::encode(&Sha256::digest(text)[..16]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_exact_identifier_names_the_entity() {
        type Case<'c> = (&'c [(&'c str, &'c str)], &'c str, &'c str);
        let own: EntityId = "doc:7".parse().unwrap();
        let ids = |pairs: &[(&str, &str)]| {
            let ids: Vec<ExternalId> = pairs.iter().filter_map(|(s, v)| external(s, v)).collect();
            let found = identity(own.clone(), &ids);
            let others = found.others.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
            (found.id.to_string(), others)
        };
        let cases: &[Case<'_>] = &[
            (&[], "doc:7", ""),
            (&[("GB-COH", "1234567")], "GB-COH:01234567", "doc:7"),
            (&[("GB-COH", "sc123")], "GB-COH:SC000123", "doc:7"),
            (&[("GB-COH", "XE-08-A")], "GB-COH:XE-08-A", "doc:7"),
            (
                &[("GB-COH", "01234567"), ("xi-lei", "506700ge1g29325qx363")],
                "XI-LEI:506700GE1G29325QX363",
                "GB-COH:01234567 doc:7",
            ),
            (&[("XI-LEI", "no lei")], "doc:7", ""),
            // A wrong check digit.
            (&[("XI-LEI", "506700GE1G29325QX364")], "doc:7", ""),
            (&[("passport", "12 34"), ("", "x"), ("GB-COH", " ")], "doc:7", ""),
            (&[("GB-COH", "1"), ("GB-COH", "00000001")], "GB-COH:00000001", "doc:7"),
            (&[("GB-COH", "1"), ("GB-COH", "2"), ("RU-INN", "3")], "RU-INN:3", "doc:7"),
        ];
        for (given, id, others) in cases {
            assert_eq!(ids(given), ((*id).to_owned(), (*others).to_owned()), "{given:?}");
        }
    }

    #[test]
    fn what_cannot_be_an_identifier_is_digested_and_stays_apart() {
        assert_eq!(scoped("doc", "a"), "doc:a");
        assert_eq!(scoped("doc", "doc:a"), "doc:a");
        assert_eq!(scoped("doc", "docs:a"), "doc:docs:a");
        assert_ne!(scoped("doc", "a b"), scoped("doc", "a  b"));
        for text in ["", "a b", "\u{0}", &"x".repeat(5_000)] {
            assert!(scoped(&scope(text), text).parse::<EntityId>().is_ok());
        }
    }
}
