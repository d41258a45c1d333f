//! The constants of a pattern (STIX 2.1 §9.2).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::instant::Timestamp;

/// A constant that a property is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// `'text'`
    Text(String),
    /// `443`
    Integer(i64),
    /// `0.5`; always finite.
    Float(f64),
    /// `true`
    Boolean(bool),
    /// `t'2016-01-20T12:31:12Z'`
    Timestamp(Timestamp),
    /// `b'AQID'`, bytes in Base64
    Binary(Vec<u8>),
    /// `h'010203'`, bytes in hexadecimal
    Hex(Vec<u8>),
}

impl Literal {
    /// The text, if it is a text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Integer(_)
            | Self::Float(_)
            | Self::Boolean(_)
            | Self::Timestamp(_)
            | Self::Binary(_)
            | Self::Hex(_) => None,
        }
    }

    /// The name of its type in the standard.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::Integer(_) => "integer",
            Self::Float(_) => "float",
            Self::Boolean(_) => "boolean",
            Self::Timestamp(_) => "timestamp",
            Self::Binary(_) => "binary",
            Self::Hex(_) => "hex",
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write_quoted(f, text),
            Self::Integer(number) => write!(f, "{number}"),
            // The grammar has no exponents, and Rust writes none here; it does leave out `.0`.
            Self::Float(number) => {
                let text = number.to_string();
                let whole = !text.contains('.');
                write!(f, "{text}{}", if whole { ".0" } else { "" })
            }
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Timestamp(timestamp) => write!(f, "t'{timestamp}'"),
            Self::Binary(bytes) => write!(f, "b'{}'", STANDARD.encode(bytes)),
            Self::Hex(bytes) => write!(f, "h'{}'", hex::encode(bytes)),
        }
    }
}

/// Writes a text in single quotes, with a backslash before `'` and `\`.
pub(crate) fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("'")?;
    let mut rest = text;
    while let Some(at) = rest.find(['\'', '\\']) {
        write!(f, "{}\\{}", &rest[..at], &rest[at..=at])?;
        rest = &rest[at + 1..];
    }
    write!(f, "{rest}'")
}

/// Bytes from Base64, with or without padding, white space ignored as MIME does.
pub(crate) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    if let Ok(bytes) = STANDARD.decode(text) {
        return Some(bytes);
    }
    let lenient = base64::engine::GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        base64::engine::GeneralPurposeConfig::new()
            .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
    );
    let packed: String = text.split_ascii_whitespace().collect();
    lenient.decode(packed).ok()
}
