//! Identifiers that two producers compute alike (STIX 2.1 §3.4).
//!
//! An observable is what it is whoever saw it: `198.51.100.3` seen by two organisations is one
//! address. So its identifier should be computed from the properties that make it what it is, as a
//! UUID of version 5 over their canonical JSON. Each type has its *contributing properties* (the last
//! lines of its section in §6); of several hashes only one contributes, by a fixed order, so that
//! whoever knows more digests of a file does not see another file. An object that has none of its
//! contributing properties, like every `process`, gets a random identifier.

use thiserror::Error;
use uuid::Uuid;

use crate::canonical::{CanonicalError, write_string, write_value};
use crate::document::{Document, Value};
use crate::limits::Limits;
use crate::scan::{JsonError, Kind};
use crate::vocabulary::OBSERVABLES;

/// The namespace of identifiers of observables (§2.9).
pub const SCO_NAMESPACE: Uuid = Uuid::from_u128(0x00ab_edb4_aa42_466c_9c01_fed2_3315_a9b7);

/// What the standard says of an observable's identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScoId {
    /// It is this one.
    Deterministic(String),
    /// Nothing contributes to it: it is `type--` and a random UUID (version 4).
    Random,
}

/// Why an identifier could not be computed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ScoIdError {
    /// The bytes are not JSON, or a key occurs twice.
    #[error("{0}")]
    Json(#[from] JsonError),
    /// The object is no cyber-observable of the standard.
    #[error("`{type_name}` is no cyber-observable of STIX 2.1")]
    NotAnObservable {
        /// Its type.
        type_name: String,
    },
    /// A contributing number has no canonical form.
    #[error("{0}")]
    Canonical(#[from] CanonicalError),
}

/// The identifier that the standard gives an observable, whatever identifier it bears.
///
/// # Errors
///
/// Fails for what is not JSON, not an observable, or has a number that no double holds.
pub fn sco_id(object: &[u8]) -> Result<ScoId, ScoIdError> {
    sco_id_of(Document::parse(object, &Limits::default())?.root())
}

/// As [`sco_id`], of a document that is already parsed.
///
/// # Errors
///
/// As [`sco_id`].
pub fn sco_id_of(root: Value<'_, '_>) -> Result<ScoId, ScoIdError> {
    let type_name = root.get("type").and_then(|value| value.text()).unwrap_or_default();
    let Some(contributing) = contributing(&type_name) else {
        return Err(ScoIdError::NotAnObservable { type_name: type_name.into_owned() });
    };
    let mut text = String::from("{");
    // The names are in canonical order already: ASCII, sorted.
    for name in contributing {
        let Some(value) = root.get(name) else { continue };
        if text.len() > 1 {
            text.push(',');
        }
        write_string(name, &mut text);
        text.push(':');
        match (*name, chosen_hash(value)) {
            ("hashes", Some((algorithm, digest))) => {
                text.push('{');
                write_string(&algorithm, &mut text);
                text.push(':');
                write_value(digest, &mut text)?;
                text.push('}');
            }
            _ => write_value(value, &mut text)?,
        }
    }
    text.push('}');
    if text == "{}" {
        return Ok(ScoId::Random);
    }
    let uuid = Uuid::new_v5(&SCO_NAMESPACE, text.as_bytes());
    Ok(ScoId::Deterministic(format!("{type_name}--{uuid}")))
}

/// Whether a type is an observable of the standard and nothing of this object contributes.
pub(crate) fn has_random_id(root: Value<'_, '_>) -> bool {
    let type_name = root.get("type").and_then(|value| value.text()).unwrap_or_default();
    contributing(&type_name).is_some_and(|names| names.iter().all(|name| root.get(name).is_none()))
}

/// The contributing properties of a type, sorted.
fn contributing(type_name: &str) -> Option<&'static [&'static str]> {
    Some(match type_name {
        "artifact" => &["hashes", "payload_bin"],
        "autonomous-system" => &["number"],
        "directory" => &["path"],
        "domain-name" | "email-addr" | "ipv4-addr" | "ipv6-addr" | "mac-addr" | "url" => &["value"],
        "email-message" => &["body", "from_ref", "subject"],
        "file" => &["extensions", "hashes", "name", "parent_directory_ref"],
        "mutex" => &["name"],
        "network-traffic" => {
            &["dst_port", "dst_ref", "end", "extensions", "protocols", "src_port", "src_ref", "start"]
        }
        "software" => &["cpe", "name", "swid", "vendor", "version"],
        "user-account" => &["account_login", "account_type", "user_id"],
        "windows-registry-key" => &["key", "values"],
        "x509-certificate" => &["hashes", "serial_number"],
        "process" => &[],
        _ => return None,
    })
}

/// §3.4: of several hashes the first of this order, or else the first by name.
fn chosen_hash<'d, 'a>(hashes: Value<'d, 'a>) -> Option<(crate::document::Text<'a>, Value<'d, 'a>)> {
    if hashes.kind() != Kind::Object {
        return None;
    }
    let preferred = ["MD5", "SHA-1", "SHA-256", "SHA-512"];
    hashes.members().min_by_key(|(name, _)| {
        let rank = preferred.iter().position(|algorithm| algorithm == name).unwrap_or(preferred.len());
        (rank, name.clone())
    })
}

/// Whether a type is a cyber-observable of the standard.
#[must_use]
pub fn is_observable_type(type_name: &str) -> bool {
    OBSERVABLES.contains(&type_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_observable_has_its_contributing_properties() {
        for name in OBSERVABLES {
            let names = contributing(name).expect(name);
            assert!(names.is_sorted(), "{name}");
        }
    }

    /// Identifiers as the reference implementation of the standard's authors computes them.
    #[test]
    fn identifiers_are_those_that_others_compute() {
        let cases = [
            (r#"{"type": "ipv4-addr", "value": "198.51.100.3"}"#, "28bb3599-77cd-5a82-a950-b5bc3caf07c4"),
            (r#"{"type": "ipv6-addr", "value": "2001:db8::1"}"#, "6469e3a9-b053-5e34-a025-9396ae051d26"),
            (r#"{"type": "domain-name", "value": "example.com"}"#, "bedb4899-d24b-5401-bc86-8f6b4cc18ec7"),
            (r#"{"type": "domain-name", "value": "bücher.example"}"#, "dbf3aff2-b3cd-57d2-9616-0ddfde9d01ad"),
            (
                r#"{"type": "url", "value": "https://example.com/a?b=1&c=\"x\""}"#,
                "e5619a74-c2b5-5ded-b105-9d55eb207f0c",
            ),
            (
                r#"{"type": "email-addr", "value": "a@example.com", "display_name": "A"}"#,
                "8f5f7fba-cc24-5e3f-aca4-f7194112e042",
            ),
            (r#"{"type": "mac-addr", "value": "d2:fb:49:24:37:18"}"#, "757b1725-9903-54f5-a855-1240691d7659"),
            (r#"{"type": "mutex", "name": "__CLEANSWEEP__"}"#, "f93fe911-e545-5239-b9b0-597840d0c871"),
            (r#"{"type": "autonomous-system", "number": 15139}"#, "3aa27478-50b5-5ab8-9da9-cdc12b657fff"),
            (
                r#"{"type": "directory", "path": "C:\\Windows\\System32"}"#,
                "0a58d0c1-59e6-5afd-8252-dcd3f13e5622",
            ),
            (
                r#"{"type": "file", "hashes": {"SHA-256": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "MD5": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "SHA-1": "cccccccccccccccccccccccccccccccccccccccc"}, "name": "x.exe"}"#,
                "4915fc0e-b154-5cb1-b338-70da92bbc85c",
            ),
            (r#"{"type": "file", "name": "tab\there"}"#, "667813c1-9d12-507c-9531-1bbc53d8ff78"),
            (
                r#"{"type": "file", "hashes": {"SHA-512": "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd", "SHA3-256": "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"}}"#,
                "b4085862-e239-5786-85ca-3402487e6bec",
            ),
            (
                r#"{"type": "file", "name": "a.zip", "extensions": {"archive-ext": {"contains_refs": ["file--73c4cd13-7206-5100-88ac-822c42d3f02c"]}}}"#,
                "115f1a9d-d603-59fe-a49a-cbe30b9397b6",
            ),
            (
                r#"{"type": "file", "name": "x", "parent_directory_ref": "directory--93c0a9b0-520d-545d-9094-1a08ddf46b05"}"#,
                "191e0663-ffa2-5af8-beb6-2f4d762e43e6",
            ),
            (
                r#"{"type": "file", "name": "y.exe", "extensions": {"windows-pebinary-ext": {"pe_type": "exe", "sections": [{"name": "CODE", "entropy": 6.5}, {"name": "DATA", "entropy": 0.061089}]}}}"#,
                "4f6a92a6-dc29-5af7-a14a-28e22a1849b2",
            ),
            (r#"{"type": "artifact", "payload_bin": "VGVzdA=="}"#, "78167488-cc8d-5b3e-8853-f2dd21b19bec"),
            (
                r#"{"type": "artifact", "url": "https://example.com/f", "hashes": {"SHA-256": "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"}}"#,
                "dc1faca9-0ce5-51da-88c9-77ec88eda461",
            ),
            (
                r#"{"type": "network-traffic", "start": "2026-01-01T00:00:00Z", "src_ref": "ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4", "dst_port": 443, "protocols": ["ipv4", "tcp"], "dst_byte_count": 7}"#,
                "117ec369-724b-5b87-a8c6-07f2195e098d",
            ),
            (
                r#"{"type": "email-message", "is_multipart": false, "subject": "hello", "body": "line\r\nend"}"#,
                "4bbbd185-f0d4-58d7-bb28-e888e77872ef",
            ),
            (
                r#"{"type": "software", "name": "Word", "cpe": "cpe:2.3:a:microsoft:word:2000:*:*:*:*:*:*:*", "vendor": "Microsoft", "version": "2002"}"#,
                "710b0b41-d4d0-5d6c-a400-fc9254554ffc",
            ),
            (
                r#"{"type": "user-account", "user_id": "1001", "account_login": "jdoe", "account_type": "unix", "display_name": "John"}"#,
                "f94d689e-707d-58c3-b803-c720bb6ed096",
            ),
            (
                r#"{"type": "windows-registry-key", "key": "hkey_local_machine\\system\\bar", "values": [{"name": "Foo", "data": "qwerty", "data_type": "REG_SZ"}]}"#,
                "c2765796-d3b4-5871-8b9e-c0dca6a08e15",
            ),
            (
                r#"{"type": "x509-certificate", "serial_number": "36:f7:d4", "issuer": "C=ZA"}"#,
                "8c21b4b7-94fe-55e6-8a39-7ad008e784b2",
            ),
        ];
        for (text, uuid) in cases {
            let Ok(ScoId::Deterministic(id)) = sco_id(text.as_bytes()) else { panic!("{text}") };
            assert_eq!(id.split_once("--").map(|parts| parts.1), Some(uuid), "{text}");
        }
    }

    #[test]
    fn the_spelling_of_the_object_does_not_matter() {
        let one = br#"{"type":"url","id":"x","value":"https://a.example/\u00e9","x_note":1}"#;
        let two = "{\"value\" : \"https:\\/\\/a.example/é\", \"type\":\"url\"}";
        assert_eq!(sco_id(one), sco_id(two.as_bytes()));
    }

    #[test]
    fn what_has_nothing_to_contribute_is_random() {
        for text in [r#"{"type":"process","pid":1}"#, r#"{"type":"user-account","display_name":"x"}"#] {
            assert_eq!(sco_id(text.as_bytes()), Ok(ScoId::Random), "{text}");
        }
        let refused = sco_id(br#"{"type":"malware","name":"x"}"#);
        assert!(matches!(refused, Err(ScoIdError::NotAnObservable { .. })));
    }
}
