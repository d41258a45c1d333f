//! STIX 2.0 made into STIX 2.1, object by object, on explicit request.
//!
//! The two differ in little for most objects: 2.1 has `spec_version` on every object where 2.0 had it on
//! the bundle, and gave the vocabularies that 2.0 kept in `labels` their own properties. So
//! [`convert_2_0`] adds what is missing, moves those labels, and copies the rest byte by byte.
//!
//! What cannot be converted on its own is refused: `observed-data` in 2.0 contains its observables, which
//! become objects of their own in 2.1.

use thiserror::Error;

use crate::canonical::write_string;
use crate::document::{Document, Value};
use crate::limits::Limits;
use crate::markings;
use crate::scan::{JsonError, Kind};

/// Why an object was not converted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConvertError {
    /// The bytes are not JSON, or a key occurs twice.
    #[error("{0}")]
    Json(#[from] JsonError),
    /// The object has no `type`, or is no object.
    #[error("not a STIX object: `type` is missing")]
    NoType,
    /// The object is STIX 2.1 or later already, or an observable, which 2.0 did not have on its own.
    #[error("not a STIX 2.0 object: {reason}")]
    NotStix20 {
        /// How that is known.
        reason: &'static str,
    },
    /// A bundle: convert what is in it.
    #[error("a bundle is a wrapper: convert the objects in it")]
    Bundle,
    /// Observables inside `objects`, which must become objects of their own.
    #[error("`{id}` holds observables in `objects`: each must become an object of its own")]
    EmbeddedObservables {
        /// The object's identifier.
        id: String,
    },
}

/// The property of 2.1 that took over the vocabulary which 2.0 kept in `labels`.
fn property_of_labels(type_name: &str) -> Option<&'static str> {
    match type_name {
        "indicator" => Some("indicator_types"),
        "malware" => Some("malware_types"),
        "report" => Some("report_types"),
        "threat-actor" => Some("threat_actor_types"),
        "tool" => Some("tool_types"),
        _ => None,
    }
}

/// Converts one object of STIX 2.0.
///
/// - every object gets `spec_version`;
/// - `labels` of an indicator, malware, report, threat actor or tool become `*_types`;
/// - an indicator gets `pattern_type` `stix`, the only language that 2.0 had;
/// - malware gets `is_family` `false`: 2.0 did not tell, and `true` would say more than is known;
/// - a TLP marking gets the name that 2.1 gives it.
///
/// The result may still break the standard, if the original did: validate it.
///
/// # Errors
///
/// Fails for what is no object of STIX 2.0, and for `observed-data` with its observables inside.
pub fn convert_2_0(bytes: &[u8]) -> Result<Vec<u8>, ConvertError> {
    let document = Document::parse(bytes, &Limits::default())?;
    let root = document.root();
    let text = |key: &str| root.get(key).and_then(|value| value.text());
    let type_name = text("type").ok_or(ConvertError::NoType)?;
    if type_name == "bundle" {
        return Err(ConvertError::Bundle);
    }
    match root.get("spec_version").map(|value| value.text()) {
        None => {}
        Some(Some(version)) if version == "2.0" => {}
        Some(_) => return Err(ConvertError::NotStix20 { reason: "it has another `spec_version`" }),
    }
    if crate::sco_id::is_observable_type(&type_name) {
        return Err(ConvertError::NotStix20 { reason: "observables were no objects in STIX 2.0" });
    }
    if type_name == "observed-data" && root.get("objects").is_some() {
        return Err(ConvertError::EmbeddedObservables { id: text("id").unwrap_or_default().into_owned() });
    }
    Ok(convert(root, &type_name))
}

fn convert(root: Value<'_, '_>, type_name: &str) -> Vec<u8> {
    let mut out = String::from("{");
    let lacks = |key: &str| root.get(key).is_none();
    let types = property_of_labels(type_name).filter(|property| lacks(property));
    for (key, value) in root.members() {
        match &*key {
            "spec_version" => continue,
            "labels" if types.is_some() && value.kind() == Kind::Array => {
                member(&mut out, types.unwrap_or("labels"), value.raw());
            }
            _ => member(&mut out, &key, value.raw()),
        }
        if key == "type" {
            member(&mut out, "spec_version", "\"2.1\"");
        }
    }
    match type_name {
        "indicator" if lacks("pattern_type") => member(&mut out, "pattern_type", "\"stix\""),
        "malware" if lacks("is_family") => member(&mut out, "is_family", "false"),
        "marking-definition" if lacks("name") => {
            let level = root.get("definition").and_then(|definition| definition.get("tlp")?.text());
            if let Some((_, name)) = level.and_then(|level| markings::tlp_1_definition(&level)) {
                member(&mut out, "name", &format!("\"{name}\""));
            }
        }
        _ => {}
    }
    out.push('}');
    out.into_bytes()
}

fn member(out: &mut String, key: &str, raw: &str) {
    if !out.ends_with('{') || out.len() > 1 {
        out.push(',');
    }
    write_string(key, out);
    out.push(':');
    out.push_str(raw);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ValidateOptions, validate};
    use proptest::prelude::*;

    const DATES: &str = r#""created":"2016-04-06T20:03:48.000Z","modified":"2016-04-06T20:03:48.000Z""#;

    #[test]
    fn converted_objects_are_valid_stix_2_1() {
        let cases = [
            (
                format!(r#"{{"type":"indicator","id":"indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",{DATES},
                    "labels":["malicious-activity"],"pattern":"[a:b = 'c']","valid_from":"2016-01-01T00:00:00Z"}}"#),
                [r#""indicator_types":["malicious-activity"]"#, r#""pattern_type":"stix""#],
            ),
            (
                format!(r#"{{"type":"malware","id":"malware--0c7b5b88-8ff7-4a4d-aa9d-feb398cd0061",{DATES},
                    "labels":["ransomware"],"name":"Cryptolocker"}}"#),
                [r#""malware_types":["ransomware"]"#, r#""is_family":false"#],
            ),
            (
                format!(r#"{{"type":"identity","spec_version":"2.0","labels":["keep"],"name":"i",{DATES},
                    "id":"identity--0c7b5b88-8ff7-4a4d-aa9d-feb398cd0061","identity_class":"group"}}"#),
                [r#""labels":["keep"]"#, r#""spec_version":"2.1""#],
            ),
            (
                r#"{"type":"marking-definition","id":"marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9",
                    "created":"2017-01-20T00:00:00.000Z","definition_type":"tlp","definition":{"tlp":"white"}}"#
                    .to_owned(),
                [r#""name":"TLP:WHITE""#, r#""spec_version":"2.1""#],
            ),
        ];
        for (text, want) in cases {
            let before = validate(text.as_bytes(), &ValidateOptions::default());
            assert_eq!(before.findings.iter().map(|f| f.code).collect::<Vec<_>>(), ["stix-2.0"], "{text}");
            let converted = convert_2_0(text.as_bytes()).expect("converted");
            let report = validate(&converted, &ValidateOptions::default());
            assert!(report.is_accepted(), "{report:?}");
            let converted = String::from_utf8(converted).expect("text");
            assert!(want.iter().all(|part| converted.contains(part)), "{converted}");
        }
    }

    #[test]
    fn what_cannot_be_converted_is_refused() {
        let refused = |text: &str| convert_2_0(text.as_bytes()).expect_err(text);
        assert!(matches!(refused(r#"{"type":"bundle"}"#), ConvertError::Bundle));
        assert!(matches!(refused(r#"{"id":"x"}"#), ConvertError::NoType));
        assert!(matches!(refused("[]"), ConvertError::NoType));
        assert!(matches!(refused(r#"{"type":"url"}"#), ConvertError::NotStix20 { .. }));
        assert!(matches!(refused(r#"{"type":"tool","spec_version":"2.1"}"#), ConvertError::NotStix20 { .. }));
        let observed = refused(r#"{"type":"observed-data","id":"observed-data--1","objects":{}}"#);
        assert_eq!(observed, ConvertError::EmbeddedObservables { id: "observed-data--1".to_owned() });
    }

    proptest! {
        #[test]
        fn any_bytes_are_converted_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = convert_2_0(&bytes);
        }
    }
}
