//! Texts that go to the server: checked once, and safe in any frame.

use std::fmt;

use thiserror::Error;

/// The longest text of a reply or a header here. SMTP has 512 bytes for a line of a reply (RFC 5321 §4.5.3.1.5), code included.
const LINE_BYTES_MAX: usize = 400;

/// Why a text cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{text}` cannot be sent: {why}")]
pub struct InvalidText {
    text: String,
    why: &'static str,
}

/// One line of printable ASCII, for a reply, a reason or a header's value.
///
/// It holds no `%`: Sendmail takes replies for formats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line(String);

impl Line {
    /// Checks a text.
    ///
    /// # Errors
    ///
    /// Fails if the text is empty or longer than 400 bytes, or holds anything but printable ASCII, or a `%`.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidText> {
        let text = text.into();
        let why = if text.is_empty() || text.len() > LINE_BYTES_MAX {
            "it is empty, or longer than 400 bytes"
        } else if !text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'%') {
            "only printable ASCII without `%` is"
        } else {
            return Ok(Self(text));
        };
        Err(InvalidText { text, why })
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a header: printable ASCII without space and colon (RFC 5322 §2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderName(String);

impl HeaderName {
    /// Checks a name.
    ///
    /// # Errors
    ///
    /// Fails if the name is empty, longer than 76 bytes, or not one by RFC 5322.
    pub fn new(name: impl Into<String>) -> Result<Self, InvalidText> {
        let name = name.into();
        let well_formed = name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
        if name.is_empty() || name.len() > 76 || !well_formed {
            return Err(InvalidText { text: name, why: "it is no name of a header" });
        }
        Ok(Self(name))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_cannot_end_a_reply_or_be_a_format() {
        let cases = [
            ("refused by policy (ref 7f3a)", true),
            ("", false),
            ("two\r\n250 lines", false),
            ("nul\0", false),
            ("100 %s", false),
            ("naïve", false),
        ];
        for (text, want) in cases {
            assert_eq!(Line::new(text).is_ok(), want, "{text:?}");
        }
        assert!(Line::new("x".repeat(400)).is_ok());
        assert!(Line::new("x".repeat(401)).is_err());
    }

    #[test]
    fn a_headers_name_is_one() {
        for (name, want) in
            [("X-Ringfence", true), ("X Y", false), ("X:", false), ("", false), ("X\n", false)]
        {
            assert_eq!(HeaderName::new(name).is_ok(), want, "{name:?}");
        }
    }
}
