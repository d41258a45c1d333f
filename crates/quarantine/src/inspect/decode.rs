//! Transfer encodings, read leniently: a mail client shows what it can, so here is looked at what can be read.

/// How a body is encoded (RFC 2045 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transfer {
    Plain,
    Base64,
    QuotedPrintable,
}

impl Transfer {
    pub(super) fn named(name: &str) -> Self {
        let name = name.trim();
        if name.eq_ignore_ascii_case("base64") {
            Self::Base64
        } else if name.eq_ignore_ascii_case("quoted-printable") {
            Self::QuotedPrintable
        } else {
            Self::Plain
        }
    }
}

/// Reads base64; whatever is not of its alphabet is passed over, and after padding it goes on (RFC 2045 §6.8).
pub(super) fn base64(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() / 4 * 3 + 3);
    let (mut bits, mut count) = (0_u32, 0_u8);
    for byte in bytes {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => {
                flush(bits, count, &mut out);
                (bits, count) = (0, 0);
                continue;
            }
            _ => continue,
        };
        bits = bits << 6 | u32::from(value);
        count += 1;
        if count == 4 {
            out.extend_from_slice(&bits.to_be_bytes()[1..]);
            (bits, count) = (0, 0);
        }
    }
    flush(bits, count, &mut out);
    out
}

/// Two or three letters hold one or two bytes.
fn flush(bits: u32, count: u8, out: &mut Vec<u8>) {
    match count {
        2 => out.extend_from_slice(&(bits << 12).to_be_bytes()[1..2]),
        3 => out.extend_from_slice(&(bits << 6).to_be_bytes()[1..3]),
        _ => (),
    }
}

/// Reads quoted-printable; an `=` that begins nothing stands for itself (RFC 2045 §6.7).
pub(super) fn quoted_printable(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = memchr::memchr(b'=', rest) {
        out.extend_from_slice(&rest[..at]);
        let behind = &rest[at + 1..];
        // White space between the sign and the end of its line is the mail servers'.
        let blank = behind.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        rest = match (&behind[blank..], behind) {
            ([b'\r', b'\n', after @ ..] | [b'\n', after @ ..], _) => after,
            (_, [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.push(digit(*high) << 4 | digit(*low));
                after
            }
            _ => {
                out.push(b'=');
                behind
            }
        };
    }
    out.extend_from_slice(rest);
    out
}

fn digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        _ => (byte | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_as_far_as_it_goes() {
        let cases: [(&[u8], &[u8]); 8] = [
            (b"aGVsbG8=", b"hello"),
            (b"aGVs\r\nbG8=\r\n", b"hello"),
            (b"aGVsbG8", b"hello"),
            (b"aGVsbG8=aGVsbG8=", b"hellohello"),
            (b"a*G!Vs bG8", b"hello"),
            (b"_-8", b"\xff\xef"),
            (b"a", b""),
            (b"", b""),
        ];
        for (text, want) in cases {
            assert_eq!(base64(text), want, "{text:?}");
        }
    }

    #[test]
    fn quoted_printable_is_read_as_far_as_it_goes() {
        let cases: [(&[u8], &[u8]); 6] = [
            (b"a=3Db", b"a=b"),
            (b"http://ev=\r\nil.example", b"http://evil.example"),
            (b"ev=  \nil", b"evil"),
            (b"=e4=zz=", b"\xe4=zz="),
            (b"=", b"="),
            (b"a=\n", b"a"),
        ];
        for (text, want) in cases {
            assert_eq!(quoted_printable(text), want, "{text:?}");
        }
    }
}
