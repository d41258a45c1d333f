//! What things are called.
//!
//! Each identifier is a newtype with one way in, so that holding one means that its spelling was checked. It
//! does not mean that the thing exists.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;
use uuid::Uuid;

/// A spelling that is no identifier of its kind.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{text}` is not {wanted}")]
pub struct IdError {
    text: String,
    wanted: &'static str,
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $wanted:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The identifier as it is written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let check: fn(&str) -> bool = $check;
                if check(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(IdError { text: text.chars().take(100).collect(), wanted: $wanted })
                }
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

fn is_hex16(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// A name of 1 to 64 lower-case letters, digits, hyphens and underscores that starts with a letter.
fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
}

text_id!(
    /// A member of the exchange, written `member:` and 16 lower-case hex digits.
    MemberId,
    "a member id: `member:` and 16 lower-case hex digits",
    |text| text.strip_prefix("member:").is_some_and(is_hex16)
);

text_id!(
    /// A credential, written `credential:` and 16 lower-case hex digits. It names the credential and is no secret.
    CredentialId,
    "a credential id: `credential:` and 16 lower-case hex digits",
    |text| text.strip_prefix("credential:").is_some_and(is_hex16)
);

text_id!(
    /// A programme's short name, the first part of its TAXII API root.
    ProgrammeName,
    "a programme name: 1 to 64 of a-z, 0-9, - and _, a letter first",
    is_name
);

text_id!(
    /// A class of content with its own demand on standing, such as `open`, `programme` or `cleared`.
    Tier,
    "a tier name: 1 to 64 of a-z, 0-9, - and _, a letter first",
    is_name
);

impl MemberId {
    /// The member id with these 64 bits, which come from a random generator.
    #[must_use]
    pub fn from_bits(bits: u64) -> Self {
        Self(format!("member:{bits:016x}"))
    }
}

impl CredentialId {
    /// The credential id with these 64 bits, which come from a random generator.
    #[must_use]
    pub fn from_bits(bits: u64) -> Self {
        Self(format!("credential:{bits:016x}"))
    }
}

/// A TAXII collection's identifier, a UUID (TAXII 2.1 §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CollectionId(Uuid);

impl CollectionId {
    /// The identifier with these bytes.
    #[must_use]
    pub fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl FromStr for CollectionId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        // Only the hyphenated form: a URL has one spelling.
        let wrong = || IdError { text: text.chars().take(100).collect(), wanted: "a collection id (a UUID)" };
        if text.len() != 36 {
            return Err(wrong());
        }
        Uuid::try_parse(text).map(Self).map_err(|_| wrong())
    }
}

impl fmt::Display for CollectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// Counts every change of policy, standing or membership. No cache outlives one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(u64);

impl Epoch {
    /// The epoch with this number; the first is 0.
    #[must_use]
    pub fn new(number: u64) -> Self {
        Self(number)
    }

    /// The epoch's number.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }

    /// The epoch that the next change begins.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An interned label. Ids are dense and start at 0, so that a set of them is a bit set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LabelId(u32);

impl LabelId {
    /// The label with this number.
    #[must_use]
    pub fn new(number: u32) -> Self {
        Self(number)
    }

    /// The label's number.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }

    /// The label's place in a table of labels.
    #[must_use]
    pub fn index(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for LabelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        assert!("member:0123456789abcdef".parse::<MemberId>().is_ok());
        for text in ["member:0123456789ABCDEF", "member:0123", "0123456789abcdef", "member:", ""] {
            assert!(text.parse::<MemberId>().is_err(), "{text}");
        }
        assert_eq!(MemberId::from_bits(255).as_str(), "member:00000000000000ff");
        assert!("a1b2c3d4-0000-4000-8000-000000000001".parse::<CollectionId>().is_ok());
        for text in ["a1b2c3d4000040008000000000000001", "{a1b2c3d4-0000-4000-8000-000000000001}", "x"] {
            assert!(text.parse::<CollectionId>().is_err(), "{text}");
        }
        assert!("jcsp".parse::<ProgrammeName>().is_ok());
        for text in ["", "JCSP", "1st", "a/b", "taxii2/"] {
            assert!(text.parse::<ProgrammeName>().is_err(), "{text}");
        }
    }
}
