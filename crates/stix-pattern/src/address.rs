//! Internet addresses and their ranges, for ISSUBSET and ISSUPERSET.

use std::net::IpAddr;

/// A range of addresses that share their first bits; a single address shares all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prefix {
    /// The address's bits; of version 4, the upper 32 of them.
    bits: u128,
    length: u8,
    is_v4: bool,
}

impl Prefix {
    /// Reads `198.51.100.1`, `198.51.100.0/24` or `2001:db8::/32`. Bits behind the length do not count.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let (bits, width, is_v4) = match address.parse().ok()? {
            IpAddr::V4(address) => (u128::from(u32::from(address)) << 96, 32, true),
            IpAddr::V6(address) => (u128::from(address), 128, false),
        };
        let length = match length {
            None => width,
            Some(digits) if digits.len() <= 3 && digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().ok().filter(|length| *length <= width)?
            }
            Some(_) => return None,
        };
        Some(Self { bits: bits & mask(length), length, is_v4 })
    }

    /// Whether every address of the other range lies in this one.
    pub(crate) fn contains(&self, other: &Self) -> bool {
        self.is_v4 == other.is_v4
            && self.length <= other.length
            && self.bits == other.bits & mask(self.length)
    }
}

fn mask(length: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::Prefix;

    #[test]
    fn ranges_hold_what_lies_in_them() {
        let cases = [
            // range              other                 holds it?
            ("198.51.100.0/24", "198.51.100.7", true),
            ("198.51.100.9/24", "198.51.100.0/25", true),
            ("198.51.100.0/24", "198.51.100.0/24", true),
            ("198.51.100.0/24", "198.51.0.0/16", false),
            ("198.51.100.0/24", "198.51.101.0", false),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("2001:db8::/32", "2001:DB8:1::/48", true),
            ("::/0", "198.51.100.1", false),
        ];
        for (range, other, want) in cases {
            let (range, other) = (Prefix::parse(range).unwrap(), Prefix::parse(other).unwrap());
            assert_eq!(range.contains(&other), want, "{range:?} {other:?}");
        }
    }

    #[test]
    fn what_is_no_address_is_no_range() {
        for text in [
            "",
            "/",
            "1.2.3/8",
            "1.2.3.4/",
            "1.2.3.4/33",
            "1.2.3.4/+8",
            "::/129",
            "1.2.3.4/0008",
            "x",
            "1.2.3.4/8/8",
        ] {
            assert_eq!(Prefix::parse(text), None, "{text}");
        }
    }
}
