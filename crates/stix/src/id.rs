//! Identifiers: an object's type, two dashes, a UUID (STIX 2.1 §2.9).

use thiserror::Error;

/// The type and the UUID of an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdParts<'a> {
    /// The type in front of the two dashes.
    pub type_name: &'a str,
    /// The UUID behind them, 36 characters.
    pub uuid: &'a str,
}

/// A text that is not an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum IdError {
    /// The two dashes are missing.
    #[error("it must have the form type--UUID")]
    NoSeparator,
    /// What stands in front of the dashes cannot be a type.
    #[error("the part before `--` is not the name of a type")]
    BadType,
    /// What stands behind the dashes is no UUID.
    #[error("the part after `--` is not an RFC 4122 UUID")]
    BadUuid,
}

/// Takes an identifier apart.
///
/// # Errors
///
/// Fails for any text that §2.9 does not allow. The letters of the UUID may be of either case.
pub fn parse_id(text: &str) -> Result<IdParts<'_>, IdError> {
    let (type_name, uuid) = text.split_once("--").ok_or(IdError::NoSeparator)?;
    if !is_type_name(type_name) {
        return Err(IdError::BadType);
    }
    if !is_uuid(uuid.as_bytes()) {
        return Err(IdError::BadUuid);
    }
    Ok(IdParts { type_name, uuid })
}

/// Whether a text can name a type: lower-case letters, digits and hyphens (§3.1).
pub(crate) fn is_type_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() <= 250
        && bytes.first().is_some_and(u8::is_ascii_lowercase)
        && bytes.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

/// Whether 36 characters are an RFC 4122 UUID: its hyphens, its variant, a version from 1 to 8.
fn is_uuid(bytes: &[u8]) -> bool {
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            14 => matches!(byte, b'1'..=b'8'),
            19 => matches!(byte, b'8' | b'9' | b'a' | b'b' | b'A' | b'B'),
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_a_type_and_a_uuid() {
        let cases = [
            ("indicator--e2e1a340-4415-4ba8-9671-f7343fbf0836", Ok("indicator")),
            ("x-mitre-tactic--2558fd61-8c75-4730-94c4-11926db2a263", Ok("x-mitre-tactic")),
            ("ipv4-addr--FF26C055-6336-5BC5-B98D-13D6226742DD", Ok("ipv4-addr")),
            ("e2e1a340-4415-4ba8-9671-f7343fbf0836", Err(IdError::NoSeparator)),
            ("Indicator--e2e1a340-4415-4ba8-9671-f7343fbf0836", Err(IdError::BadType)),
            ("--e2e1a340-4415-4ba8-9671-f7343fbf0836", Err(IdError::BadType)),
            ("indicator--e2e1a340", Err(IdError::BadUuid)),
            ("indicator--e2e1a340-4415-4ba8-c671-f7343fbf0836", Err(IdError::BadUuid)),
            ("indicator--00000000-0000-0000-0000-000000000000", Err(IdError::BadUuid)),
            ("indicator--e2e1a340-4415-4ba8-9671-f7343fbf083é", Err(IdError::BadUuid)),
        ];
        for (text, want) in cases {
            assert_eq!(parse_id(text).map(|parts| parts.type_name), want, "{text}");
        }
    }
}
