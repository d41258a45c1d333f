//! Entities: organisations, people, states, and the arrangements between them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::PartialDate;

/// The longest identifier of an entity, tie, statement or list, in bytes. Registers of our world stay under 100.
pub const ID_LENGTH_MAX: usize = 256;

/// A text that cannot be an identifier.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IdError {
    /// There is nothing there.
    #[error("an identifier is empty; give every {0} one")]
    Empty(&'static str),
    /// More than [`ID_LENGTH_MAX`] bytes.
    #[error("an identifier of {length} bytes is longer than the {ID_LENGTH_MAX} that a {what} may have")]
    TooLong {
        /// What it would identify.
        what: &'static str,
        /// Its length.
        length: usize,
    },
    /// White space or control characters.
    #[error("`{text}` has white space or a control character, which the identifier of a {what} may not have")]
    Unprintable {
        /// What it would identify.
        what: &'static str,
        /// The text, shown with escapes.
        text: String,
    },
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Takes a text that was checked when it was stored.
            pub(crate) fn stored(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                checked($what, text).map(|text| Self(text.into()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

identifier! {
    /// What an entity is called here: `symantec`, `state:CN`, `XI-LEI:506700GE1G29325QX363`.
    EntityId, "entity"
}
identifier! {
    /// What a tie is called here; statements about one tie carry the same.
    TieId, "tie"
}
identifier! {
    /// What a statement is called; unique in the registry.
    StatementId, "statement"
}
identifier! {
    /// What a list of parties of concern is called: `ofac-sdn`, `concern`.
    ListId, "list"
}

/// The text, if it may be an identifier of a `what`.
pub(crate) fn checked<'t>(what: &'static str, text: &'t str) -> Result<&'t str, IdError> {
    if text.is_empty() {
        return Err(IdError::Empty(what));
    }
    if text.len() > ID_LENGTH_MAX {
        return Err(IdError::TooLong { what, length: text.len() });
    }
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    if !plain && text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(IdError::Unprintable { what, text: text.escape_debug().to_string() });
    }
    Ok(text)
}

/// The state with an ISO 3166 code, such as `state:CN`.
///
/// # Errors
///
/// Refuses a code that is not two or three letters.
pub fn state(code: &str) -> Result<EntityId, IdError> {
    if !(2..=3).contains(&code.len()) || !code.bytes().all(|b| b.is_ascii_alphabetic()) {
        let text = code.chars().take(32).collect::<String>().escape_debug().to_string();
        return Err(IdError::Unprintable { what: "state", text });
    }
    format!("state:{}", code.to_ascii_uppercase()).parse()
}

/// What an entity is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntityKind {
    /// A company, partnership, foundation: whatever can be owned or run.
    Organisation,
    /// A human being.
    Person,
    /// A country.
    State,
    /// A part of a state: a ministry, an agency, a fund of the state.
    StateBody,
    /// A trust. Its trustees vote, unless a rule says otherwise.
    Trust,
    /// One holds in its own name for another: its parties are the nominee and the nominator.
    Nomination,
    /// Several hold together, and each counts as if it held the whole.
    JointHolding,
    /// Several vote together: their stakes add up.
    Concert,
    /// Something is there, and nobody said what.
    Unknown,
}

/// A name, and what kind of name it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Name {
    /// The name.
    pub text: String,
    /// Whether it is an alias or a former name, not the one in force.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub alias: bool,
}

/// An identifier that somebody else gave: scheme (`XI-LEI`, `GB-COH`, `IMO`) and value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ExternalId {
    /// Who gave it, as an org-id code where there is one.
    pub scheme: String,
    /// What they gave.
    pub value: String,
}

/// What a source says an entity is. What it does not say is left out, and counts as unknown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entity {
    /// Which entity.
    pub id: EntityId,
    /// What it is.
    pub kind: EntityKind,
    /// Its names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<Name>,
    /// The ISO 3166 codes of the countries that it belongs to: incorporation, seat, citizenship.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub countries: Vec<String>,
    /// Identifiers that others gave.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifiers: Vec<ExternalId>,
    /// What it works in: `security`, `network`, ...
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sectors: Vec<String>,
    /// Since when it exists; for a person, when it was born.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub founded: Option<PartialDate>,
    /// When it ceased to exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dissolved: Option<PartialDate>,
    /// Whether the known holders are all the holders there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub register_complete: Option<bool>,
    /// Whether shares that a company holds in itself vote; in most laws they do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_shares_vote: Option<bool>,
    /// Whether its shares are traded in public.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publicly_listed: Option<bool>,
}

impl Entity {
    /// An entity of which nothing is known but its kind.
    #[must_use]
    pub fn new(id: EntityId, kind: EntityKind) -> Self {
        Self {
            id,
            kind,
            names: Vec::new(),
            countries: Vec::new(),
            identifiers: Vec::new(),
            sectors: Vec::new(),
            founded: None,
            dissolved: None,
            register_complete: None,
            own_shares_vote: None,
            publicly_listed: None,
        }
    }

    /// The name to show: the first that is no alias, else the first, else the identifier.
    #[must_use]
    pub fn name(&self) -> &str {
        let own = self.names.iter().find(|name| !name.alias).or_else(|| self.names.first());
        own.map_or(self.id.as_str(), |name| name.text.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_printable_and_bounded() {
        assert!("XI-LEI:506700GE1G29325QX363".parse::<EntityId>().is_ok());
        assert_eq!("".parse::<TieId>(), Err(IdError::Empty("tie")));
        assert!(matches!("a b".parse::<EntityId>(), Err(IdError::Unprintable { .. })));
        assert!("x".repeat(ID_LENGTH_MAX).parse::<EntityId>().is_ok());
        assert!(matches!(
            "x".repeat(ID_LENGTH_MAX + 1).parse::<EntityId>(),
            Err(IdError::TooLong { length: 257, .. })
        ));
        assert_eq!(state("cn").unwrap().as_str(), "state:CN");
        assert!(state("c-").is_err() && state("china").is_err());
    }

    #[test]
    fn the_name_in_force_is_shown() {
        let mut entity = Entity::new("x".parse().unwrap(), EntityKind::Organisation);
        assert_eq!(entity.name(), "x");
        entity.names = vec![
            Name { text: "Old Name".to_owned(), alias: true },
            Name { text: "New Name".to_owned(), alias: false },
        ];
        assert_eq!(entity.name(), "New Name");
    }
}
