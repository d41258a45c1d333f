//! What an object's markings say.
//!
//! A marking is an object of its own, a `marking-definition`, that other objects refer to (STIX 2.1
//! §7.2). It says in one of five tongues who may see and do what:
//!
//! - **TLP**, the traffic light protocol: version 1 is part of STIX, version 2 an extension of it;
//! - **PAP**, the permissible actions protocol, an extension;
//! - a **statement**, free text such as a copyright notice, which binds people and not machines;
//! - **ACS 3.0**, the access control of the US information sharing architecture ([`acs`]);
//! - anything else, which is [`Marking::Unknown`].
//!
//! The definitions of TLP and PAP have published identifiers ([`known`]), so their meaning does not
//! hang on whether the definition itself was sent along, nor on what a sender wrote into it.
//!
//! This module only reads. Whether someone may have an object is for others to decide, and whoever
//! decides must take `Unknown` for the strictest marking there is.

pub mod acs;
mod ais;
mod known;

use crate::document::{Document, Value};
use crate::head::HeadError;
use crate::limits::Limits;
use crate::scan::Kind;

pub use acs::Acs;
pub use ais::{AisConsent, AisConsentError, ais_consent};
pub use known::{PapLevel, TlpLevel, known};
pub(crate) use known::{TLP_1_CREATED, tlp_1_definition};

/// The extension that carries TLP 2.0.
const TLP_2_EXTENSION: &str = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d";
/// The extension that carries PAP.
const PAP_EXTENSION: &str = "extension-definition--f8d78575-edfd-406e-8e84-6162a8450f5b";
/// The extension that carries ACS 3.0.
const ACS_EXTENSION: &str = "extension-definition--3a65884d-005a-4290-8335-cb2d778a83ce";
/// The older form of ACS 3.0, as a type of definition.
const ACS_DEFINITION_TYPE: &str = "x-isa-acs-3-0";

/// What a marking definition means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Marking {
    /// A level of the traffic light protocol.
    Tlp(TlpLevel),
    /// A level of the permissible actions protocol.
    Pap(PapLevel),
    /// A text for people.
    Statement(String),
    /// The US access control specification.
    Acs(Box<Acs>),
    /// Something that this crate does not understand, wholly or in part.
    Unknown {
        /// Why not, for the operator.
        reason: String,
    },
}

/// One thing that is wrong with the content of a marking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkingFinding {
    /// Where, as a JSON pointer into the marking's content.
    pub pointer: String,
    /// A stable code.
    pub code: &'static str,
    /// What, in words.
    pub message: String,
}

impl Marking {
    /// Reads a marking definition from its bytes.
    ///
    /// # Errors
    ///
    /// Fails if the bytes are not a JSON object with unique keys. A definition that is not understood
    /// is no error, but [`Unknown`](Self::Unknown).
    pub fn parse(bytes: &[u8]) -> Result<Self, HeadError> {
        let document = Document::parse(bytes, &Limits::default())?;
        match document.root().kind() {
            Kind::Object => Ok(Self::of(document.root())),
            Kind::Null
            | Kind::True
            | Kind::False
            | Kind::Integer
            | Kind::Float
            | Kind::String
            | Kind::EscapedString
            | Kind::Array => Err(HeadError::NotAnObject),
        }
    }

    /// Reads a marking definition that is already parsed.
    ///
    /// A definition means what its content means; if it says several things, or one that is not
    /// understood, or something else than its published identifier stands for, it is unknown.
    #[must_use]
    pub fn of(root: Value<'_, '_>) -> Self {
        let text = |key: &str| root.get(key).and_then(|value| value.text());
        if text("type").as_deref() != Some("marking-definition") {
            return Self::unknown("it is no marking definition");
        }
        let mut meanings = Vec::new();
        if let Some(kind) = text("definition_type") {
            meanings.push(of_definition(&kind, root.get("definition")));
        }
        for (key, extension) in root.get("extensions").into_iter().flat_map(|list| list.members()) {
            meanings.push(match extension_form(&key) {
                Some(form) => of_extension(form, extension),
                None => Self::unknown(&format!("the extension `{key}` is not known")),
            });
        }
        let content = match (meanings.len(), meanings.pop()) {
            (1, Some(meaning)) => meaning,
            (_, None) => Self::unknown("it defines nothing"),
            (_, Some(_)) => Self::unknown("it defines several things at once"),
        };
        match text("id").as_deref().and_then(known) {
            Some(published) if published != content => {
                Self::unknown("its content is not what its published identifier stands for")
            }
            Some(_) | None => content,
        }
    }

    fn unknown(reason: &str) -> Self {
        Self::Unknown { reason: reason.to_owned() }
    }
}

fn of_definition(kind: &str, definition: Option<Value<'_, '_>>) -> Marking {
    let Some(definition) = definition else { return Marking::unknown("it has no `definition`") };
    let text = |key: &str| definition.get(key).and_then(|value| value.text());
    match kind {
        "tlp" => text("tlp")
            .and_then(|word| TlpLevel::of_tlp_1_word(&word))
            .map_or_else(|| Marking::unknown("it is no level of TLP 1"), Marking::Tlp),
        "statement" => text("statement").map_or_else(
            || Marking::unknown("it has no `statement`"),
            |statement| Marking::Statement(statement.into_owned()),
        ),
        ACS_DEFINITION_TYPE => of_acs(acs::unwrapped(definition), acs::Form::DefinitionType),
        _ => Marking::unknown(&format!("the definition type `{kind}` is not known")),
    }
}

fn of_acs(content: Value<'_, '_>, form: acs::Form) -> Marking {
    match Acs::read(content, form) {
        Ok(acs) => Marking::Acs(Box::new(acs)),
        Err(findings) => {
            let first =
                findings.first().map_or_else(String::new, |f| format!("{}: {}", f.pointer, f.message));
            Marking::Unknown { reason: format!("its ACS content is malformed at {first}") }
        }
    }
}

/// An extension that this crate reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExtensionForm {
    Tlp2,
    Pap,
    Acs,
}

/// Which extension an identifier names.
pub(crate) fn extension_form(key: &str) -> Option<ExtensionForm> {
    match key {
        TLP_2_EXTENSION => Some(ExtensionForm::Tlp2),
        PAP_EXTENSION => Some(ExtensionForm::Pap),
        ACS_EXTENSION => Some(ExtensionForm::Acs),
        _ => None,
    }
}

fn of_extension(form: ExtensionForm, extension: Value<'_, '_>) -> Marking {
    let text = |key: &str| extension.get(key).and_then(|value| value.text());
    match form {
        ExtensionForm::Tlp2 => text("tlp_2_0")
            .and_then(|word| TlpLevel::of_tlp_2_word(&word))
            .map_or_else(|| Marking::unknown("it is no level of TLP 2.0"), Marking::Tlp),
        ExtensionForm::Pap => text("pap")
            .and_then(|word| PapLevel::of_word(&word))
            .map_or_else(|| Marking::unknown("it is no level of PAP"), Marking::Pap),
        ExtensionForm::Acs => of_acs(extension, acs::Form::Extension),
    }
}

/// The ACS marking in an extension, if it is one and well formed.
pub(crate) fn acs_of(form: ExtensionForm, extension: Value<'_, '_>) -> Option<Acs> {
    match form {
        ExtensionForm::Acs => Acs::read(extension, acs::Form::Extension).ok(),
        ExtensionForm::Tlp2 | ExtensionForm::Pap => None,
    }
}

/// Judges the content of an extension that this crate reads.
pub(crate) fn extension_findings(form: ExtensionForm, extension: Value<'_, '_>) -> Vec<MarkingFinding> {
    let level = |property: &str, understood: bool| {
        let message = format!("`{property}` is required, and must be one of the published levels");
        let finding = MarkingFinding { pointer: format!("/{property}"), code: "marking-level", message };
        if understood { Vec::new() } else { vec![finding] }
    };
    match form {
        ExtensionForm::Tlp2 => level("tlp_2_0", matches!(of_extension(form, extension), Marking::Tlp(_))),
        ExtensionForm::Pap => level("pap", matches!(of_extension(form, extension), Marking::Pap(_))),
        ExtensionForm::Acs => Acs::read(extension, acs::Form::Extension).err().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(members: &str) -> Marking {
        let text = format!(r#"{{"type":"marking-definition",{members}}}"#);
        Marking::parse(text.as_bytes()).expect("well formed")
    }

    #[test]
    fn a_definition_means_what_its_content_means() {
        let cases = [
            (r#""definition_type":"tlp","definition":{"tlp":"amber"}"#, Marking::Tlp(TlpLevel::Amber)),
            (
                r#""extensions":{"extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d":
                    {"extension_type":"property-extension","tlp_2_0":"amber+strict"}}"#,
                Marking::Tlp(TlpLevel::AmberStrict),
            ),
            (
                r#""extensions":{"extension-definition--f8d78575-edfd-406e-8e84-6162a8450f5b":
                    {"extension_type":"property-extension","pap":"red"}}"#,
                Marking::Pap(PapLevel::Red),
            ),
            (
                r#""definition_type":"statement","definition":{"statement":"(c)"}"#,
                Marking::Statement("(c)".to_owned()),
            ),
        ];
        for (members, want) in cases {
            assert_eq!(of(members), want, "{members}");
        }
    }

    #[test]
    fn what_is_not_understood_in_every_part_is_unknown() {
        let tlp = r#""extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d":{"tlp_2_0":"clear"}"#;
        let other = r#""extension-definition--762e2e97-ee51-43e5-a9ea-165fbb862c4a":{"iep":1}"#;
        for members in [
            r#""name":"x""#.to_owned(),
            r#""definition_type":"tlp""#.to_owned(),
            r#""definition_type":"tlp","definition":{"tlp":"CLEAR"}"#.to_owned(),
            r#""definition_type":"x-own","definition":{"a":1}"#.to_owned(),
            format!(r#""extensions":{{{other}}}"#),
            format!(r#""extensions":{{{tlp},{other}}}"#),
            format!(
                r#""definition_type":"statement","definition":{{"statement":"s"}},"extensions":{{{tlp}}}"#
            ),
            // The identifier of TLP:RED with the content of TLP:CLEAR.
            format!(
                r#""id":"marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1","extensions":{{{tlp}}}"#
            ),
        ] {
            assert!(matches!(of(&members), Marking::Unknown { .. }), "{members}");
        }
    }
}
