//! Percent-encoding, as far as a query string and a path segment need it.

/// Decodes one name or value of a query string: `%XX` is a byte, `+` is a space.
///
/// `None` if the bytes are no UTF-8. A `%` without two hex digits stands for itself, as in browsers.
#[must_use]
pub fn decode_component(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let (byte, tail) = match (first, tail) {
            (b'+', _) => (b' ', tail),
            (b'%', [high, low, after @ ..]) => match (hex_digit(*high), hex_digit(*low)) {
                (Some(high), Some(low)) => (high * 16 + low, after),
                _ => (b'%', tail),
            },
            _ => (first, tail),
        };
        decoded.push(byte);
        rest = tail;
    }
    String::from_utf8(decoded).ok()
}

/// Encodes one name or value of a query string, or one segment of a path.
///
/// Only the unreserved characters of RFC 3986 §2.3 stay as they are.
#[must_use]
pub fn encode_component(text: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(char::from(HEX[usize::from(byte >> 4)]));
            encoded.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    encoded
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_are_decoded() {
        let cases = [
            ("", Some("")),
            ("match%5Btype%5d", Some("match[type]")),
            ("a+b%20c%2Bd", Some("a b c+d")),
            ("100%", Some("100%")),
            ("%4", Some("%4")),
            ("%zz%41", Some("%zzA")),
            ("%C3%A9", Some("é")),
            ("%C3", None),
        ];
        for (text, decoded) in cases {
            assert_eq!(decode_component(text).as_deref(), decoded, "{text}");
        }
    }

    #[test]
    fn what_is_encoded_decodes_to_itself() {
        for text in ["", "a b+c", "2026-01-10T00:00:00.000000Z", "match[type]", "ü/..%&=#", "\0\u{7f}"] {
            let encoded = encode_component(text);
            assert!(encoded.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)), "{encoded}");
            assert_eq!(decode_component(&encoded).as_deref(), Some(text));
        }
    }
}
