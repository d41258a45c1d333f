//! Names as they stand on the wire: labels with a length before each, lower case, the root last.
//!
//! A [`Name`] owns its bytes, a [`WireName`] borrows them. Holding either means that the form was checked: every label has 1
//! to 63 bytes, the whole at most 255 with the root, and upper-case ASCII letters were made lower. The bytes inside labels are
//! free, as DNS has them; [`Display`](fmt::Display) escapes what is no letter, digit, hyphen or underscore.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use thiserror::Error;

/// Bytes of a whole name with its root (RFC 1035 §2.3.4).
pub const NAME_BYTES_MAX: usize = 255;
/// Bytes of one label (RFC 1035 §2.3.4).
pub const LABEL_BYTES_MAX: usize = 63;

/// A whole name in wire form that lies somewhere else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WireName<'a>(&'a [u8]);

/// A whole name in wire form.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Box<[u8]>);

/// Why bytes or text are no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// A label without a byte, or a name that ends in the middle.
    #[error("the name has an empty label or ends in the middle of one")]
    Broken,
    /// A label of more than 63 bytes.
    #[error("a label has more than {LABEL_BYTES_MAX} bytes")]
    LongLabel,
    /// A name of more than 255 bytes.
    #[error("the name has more than {NAME_BYTES_MAX} bytes")]
    LongName,
    /// A letter that is not ASCII: a name has to come as A-labels.
    #[error("the name has a character outside ASCII; write it as an A-label")]
    NotAscii,
    /// An upper-case letter in what should be canonical wire form.
    #[error("the wire form has an upper-case letter")]
    UpperCase,
}

impl<'a> WireName<'a> {
    /// The root alone.
    pub const ROOT: WireName<'static> = WireName(&[0]);

    /// Checks canonical wire form: lower case, uncompressed, nothing after the root.
    ///
    /// # Errors
    ///
    /// Fails with what is wrong about the form.
    pub fn new(wire: &'a [u8]) -> Result<Self, NameError> {
        if wire.len() > NAME_BYTES_MAX {
            return Err(NameError::LongName);
        }
        let mut at = 0;
        loop {
            let length = usize::from(*wire.get(at).ok_or(NameError::Broken)?);
            at += 1;
            if length == 0 {
                return if at == wire.len() { Ok(Self(wire)) } else { Err(NameError::Broken) };
            }
            if length > LABEL_BYTES_MAX {
                return Err(NameError::LongLabel);
            }
            let label = wire.get(at..at + length).ok_or(NameError::Broken)?;
            if label.iter().any(u8::is_ascii_uppercase) {
                return Err(NameError::UpperCase);
            }
            at += length;
        }
    }

    /// What a reader of this crate has checked itself.
    pub(crate) fn checked(wire: &'a [u8]) -> Self {
        debug_assert!(Self::new(wire).is_ok(), "a reader let {wire:?} through");
        Self(wire)
    }

    /// The bytes with the root.
    #[must_use]
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The bytes without the root: what stands before a zone's name in that zone.
    #[must_use]
    pub fn relative(self) -> &'a [u8] {
        &self.0[..self.0.len() - 1]
    }

    /// The labels, the leftmost first, without the root.
    pub fn labels(self) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.relative();
        std::iter::from_fn(move || {
            let (&length, after) = rest.split_first()?;
            let (label, after) = after.split_at(usize::from(length));
            rest = after;
            Some(label)
        })
    }

    /// The name without its leftmost label; nothing above the root.
    #[must_use]
    pub fn parent(self) -> Option<Self> {
        let length = usize::from(self.0[0]);
        (length > 0).then(|| Self(&self.0[length + 1..]))
    }

    /// Whether this name lies below `other`; a name does not lie below itself.
    #[must_use]
    pub fn is_below(self, other: WireName<'_>) -> bool {
        if self.0.len() <= other.0.len() || !self.0.ends_with(other.0) {
            return false;
        }
        // The same bytes could begin in the middle of a label.
        let start = self.0.len() - other.0.len();
        let mut at = 0;
        while at < start {
            at += usize::from(self.0[at]) + 1;
        }
        at == start
    }

    /// An owned copy.
    #[must_use]
    pub fn to_name(self) -> Name {
        Name(self.0.into())
    }
}

impl Name {
    /// Borrows the name.
    #[must_use]
    pub fn as_wire(&self) -> WireName<'_> {
        WireName(&self.0)
    }

    /// The owner, in a policy zone for addresses, of the trigger for `address` and all that share its first `length` bits.
    ///
    /// `192.0.2.0/24` is `24.0.2.0.192.rpz-ip`; `2001:db8::/32` is `32.zz.db8.2001.rpz-ip`.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "what is written here is always a name")]
    pub fn rpz_ip(address: IpAddr, length: u8) -> Self {
        let text = match address {
            IpAddr::V4(v4) => {
                let length = length.min(32);
                let kept = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
                let [a, b, c, d] = Ipv4Addr::from_bits(v4.to_bits() & kept).octets();
                format!("{length}.{d}.{c}.{b}.{a}.rpz-ip")
            }
            IpAddr::V6(v6) => {
                let length = length.min(128);
                let kept = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
                let groups = Ipv6Addr::from_bits(v6.to_bits() & kept).segments();
                format!("{length}.{}.rpz-ip", reversed_groups(groups))
            }
        };
        text.parse().expect("the labels are digits and short words")
    }
}

/// The groups of an address, the last first, with the longest run of zeros as `zz`.
fn reversed_groups(mut groups: [u16; 8]) -> String {
    groups.reverse();
    let (mut first, mut longest) = (0, 0);
    let mut run = 0;
    for (at, group) in groups.iter().enumerate() {
        run = if *group == 0 { run + 1 } else { 0 };
        if run > longest {
            (first, longest) = (at + 1 - run, run);
        }
    }
    let mut words = Vec::with_capacity(8);
    for (at, group) in groups.iter().enumerate() {
        if longest < 2 || !(first..first + longest).contains(&at) {
            words.push(format!("{group:x}"));
        } else if at == first {
            words.push("zz".to_owned());
        }
    }
    words.join(".")
}

impl FromStr for Name {
    type Err = NameError;

    /// Reads dotted text, with or without the last dot. Nothing is escaped.
    fn from_str(text: &str) -> Result<Self, NameError> {
        if !text.is_ascii() {
            return Err(NameError::NotAscii);
        }
        let text = text.strip_suffix('.').unwrap_or(text);
        let mut wire = Vec::with_capacity(text.len() + 2);
        for label in text.split('.').filter(|_| !text.is_empty()) {
            let length = u8::try_from(label.len()).map_err(|_| NameError::LongLabel)?;
            wire.push(length);
            wire.extend(label.bytes().map(|byte| byte.to_ascii_lowercase()));
            if length == 0 {
                return Err(NameError::Broken);
            }
        }
        wire.push(0);
        WireName::new(&wire)?;
        Ok(Self(wire.into()))
    }
}

impl fmt::Display for WireName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for label in self.labels() {
            for &byte in label {
                match byte {
                    b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'*' => write!(f, "{}", char::from(byte))?,
                    _ => write!(f, "\\{byte:03}")?,
                }
            }
            f.write_str(".")?;
        }
        if self.0.len() == 1 { f.write_str(".") } else { Ok(()) }
    }
}

impl fmt::Debug for WireName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_wire().fmt(f)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn text_becomes_wire_form_and_comes_back() {
        let long_label = "a".repeat(64);
        let long_name = vec!["a".repeat(63); 4].join(".");
        let cases: [(&str, Result<&str, NameError>); 9] = [
            ("Example.COM", Ok("example.com.")),
            ("example.com.", Ok("example.com.")),
            ("_dmarc.a-b.example", Ok("_dmarc.a-b.example.")),
            ("", Ok(".")),
            (".", Ok(".")),
            ("a..b", Err(NameError::Broken)),
            ("bücher.example", Err(NameError::NotAscii)),
            (&long_label, Err(NameError::LongLabel)),
            (&long_name, Err(NameError::LongName)),
        ];
        for (text, want) in cases {
            let got = text.parse::<Name>().map(|name| name.to_string());
            assert_eq!(got.as_deref().map_err(|error| *error), want, "{text}");
        }
    }

    #[test]
    fn wire_form_is_checked() {
        let cases: [(&[u8], Option<NameError>); 7] = [
            (b"\x01a\x00", None),
            (b"\x00", None),
            (b"", Some(NameError::Broken)),
            (b"\x02a\x00", Some(NameError::Broken)),
            (b"\x01a\x00\x00", Some(NameError::Broken)),
            (b"\x01A\x00", Some(NameError::UpperCase)),
            (b"\xc0\x0c", Some(NameError::LongLabel)),
        ];
        for (wire, want) in cases {
            assert_eq!(WireName::new(wire).err(), want, "{wire:?}");
        }
    }

    #[test]
    fn below_counts_labels_and_not_letters() {
        let cases = [
            ("a.b.example", "b.example", true),
            ("b.example", "b.example", false),
            ("b.example", "a.b.example", false),
            ("xb.example", "b.example", false),
            ("b.example", ".", true),
        ];
        for (name_text, other, want) in cases {
            assert_eq!(
                name(name_text).as_wire().is_below(name(other).as_wire()),
                want,
                "{name_text} {other}"
            );
        }
        // The last bytes equal the wire form of `b`, but begin inside a label.
        let inside = WireName::new(b"\x03x\x01b\x00").unwrap();
        assert!(!inside.is_below(name("b").as_wire()));
    }

    #[test]
    fn addresses_are_written_as_triggers() {
        let cases = [
            ("192.0.2.7", 32, "32.7.2.0.192.rpz-ip."),
            ("192.0.2.7", 24, "24.0.2.0.192.rpz-ip."),
            ("192.0.2.7", 0, "0.0.0.0.0.rpz-ip."),
            ("2001:db8::1", 128, "128.1.zz.db8.2001.rpz-ip."),
            ("2001:db8:1:2:3:4:5:6", 48, "48.zz.1.db8.2001.rpz-ip."),
            ("2001:db8:0:2:3:4:5:6", 128, "128.6.5.4.3.2.0.db8.2001.rpz-ip."),
        ];
        for (address, length, want) in cases {
            assert_eq!(Name::rpz_ip(address.parse().unwrap(), length).to_string(), want);
        }
    }
}
