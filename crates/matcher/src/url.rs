//! URLs in the form in which they are compared.
//!
//! `hxxp://user@EVIL[.]example:80/a/../b%7e#top` and `http://evil.example/b~` lead to the same place, so they are one key. Kept apart are
//! scheme, host, port, path and query; a fragment never reaches the server, and a user is no part of where a link leads. Hosts
//! written as numbers (`http://3221225985/`, `http://0xc0.0.2.1/`) are addresses, as every browser reads them (WHATWG URL §3.5).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::key::{Why, canonical_name};
use crate::text;

/// Where a URL leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) host: Host,
    /// As written, or the scheme's own.
    pub(crate) port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Name(String),
    Address(IpAddr),
}

/// Schemes that lead somewhere, as written and as disguised, with their ports.
const SCHEMES: &[(&str, &str, u16)] = &[
    ("http", "http", 80),
    ("https", "https", 443),
    ("ftp", "ftp", 21),
    ("ftps", "ftps", 990),
    ("ws", "ws", 80),
    ("wss", "wss", 443),
    ("hxxp", "http", 80),
    ("hxxps", "https", 443),
    ("hxtp", "http", 80),
    ("htxp", "http", 80),
    ("hxtps", "https", 443),
    ("htxps", "https", 443),
    ("fxp", "ftp", 21),
    ("meow", "http", 80),
    ("meows", "https", 443),
];

/// The scheme that a word stands for, with its port.
pub(crate) fn scheme(word: &[u8]) -> Option<(&'static str, u16)> {
    let found = SCHEMES.iter().find(|(written, ..)| written.as_bytes().eq_ignore_ascii_case(word))?;
    Some((found.1, found.2))
}

/// Writes the canonical form of a URL into `out`, which is emptied first.
pub(crate) fn canonical(url: &str, out: &mut Vec<u8>) -> Result<Place, Why> {
    out.clear();
    let (scheme_word, rest) = split_scheme(url).ok_or(Why::Scheme)?;
    let known = scheme(scheme_word.as_bytes());
    match known {
        Some((plain, _)) => out.extend_from_slice(plain.as_bytes()),
        None => out.extend(scheme_word.bytes().map(|byte| byte.to_ascii_lowercase())),
    }
    out.extend_from_slice(b"://");
    let place = authority(&rest[..authority_length(rest)], known.map(|(_, port)| port), out)?;
    path_and_query(&rest.as_bytes()[authority_length(rest)..], out);
    Ok(place)
}

/// Cuts a URL after its `://`, however that is disguised; the scheme is a word of letters.
fn split_scheme(url: &str) -> Option<(&str, &str)> {
    let length =
        url.bytes().position(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'+' | b'-'))?;
    let (b':', mark) = text::mark_at(url.as_bytes(), length)? else { return None };
    let rest = &url[length + mark..];
    let is_slash = |byte: Option<&u8>| matches!(byte, Some(b'/' | b'\\'));
    let slashes = rest.as_bytes();
    let is_word = url.as_bytes().first().is_some_and(u8::is_ascii_alphabetic);
    (is_word && is_slash(slashes.first()) && is_slash(slashes.get(1))).then(|| (&url[..length], &rest[2..]))
}

/// How long user, host and port are together.
pub(crate) fn authority_length(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            // A disguised dot begins with a stroke too.
            b'\\' if bytes.get(at + 1) == Some(&b'.') => at += 1,
            b'/' | b'?' | b'#' | b'\\' => return at,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

fn authority(written: &str, own_port: Option<u16>, out: &mut Vec<u8>) -> Result<Place, Why> {
    let plain = text::refang(written);
    let host_port = plain.rsplit_once('@').map_or(plain.as_ref(), |(_, host)| host);
    let (host, port) = if let Some(rest) = host_port.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or(Why::Host)?;
        let address: Ipv6Addr = host.parse().map_err(|_| Why::Address)?;
        (Host::Address(IpAddr::V6(address).to_canonical()), after.strip_prefix(':').unwrap_or(after))
    } else {
        let (host, port) = host_port.split_once(':').unwrap_or((host_port, ""));
        (read_host(host)?, port)
    };
    let port = match port {
        "" => own_port,
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(digits.parse().map_err(|_| Why::Port)?)
        }
        _ => return Err(Why::Port),
    };
    match &host {
        Host::Name(name) => out.extend_from_slice(name.as_bytes()),
        Host::Address(IpAddr::V4(address)) => out.extend_from_slice(address.to_string().as_bytes()),
        Host::Address(IpAddr::V6(address)) => out.extend_from_slice(format!("[{address}]").as_bytes()),
    }
    if let Some(port) = port.filter(|port| Some(*port) != own_port) {
        out.extend_from_slice(format!(":{port}").as_bytes());
    }
    Ok(Place { host, port })
}

/// A name or an IPv4 address in any of its spellings.
pub(crate) fn read_host(written: &str) -> Result<Host, Why> {
    let decoded = if written.contains('%') { decode(written)? } else { written.to_owned() };
    let bare = decoded.strip_suffix('.').unwrap_or(&decoded);
    if bare.is_empty() {
        return Err(Why::Host);
    }
    let last = bare.rsplit('.').next().unwrap_or_default();
    if number(last).is_some() || !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()) {
        return address_of_numbers(bare).map(|address| Host::Address(address.into())).ok_or(Why::Address);
    }
    canonical_name(&decoded).map(Host::Name)
}

fn decode(text: &str) -> Result<String, Why> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], encoded_at(bytes, at)) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                at += 3;
            }
            (byte, _) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).map_err(|_| Why::Character)
}

fn encoded_at(bytes: &[u8], at: usize) -> Option<u8> {
    let digit = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
    u8::try_from(digit(at + 1)? << 4 | digit(at + 2)?).ok()
}

/// A number in decimal, `0x` hexadecimal or `0` octal digits.
fn number(part: &str) -> Option<u64> {
    let (digits, radix) = match part.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&part[2..], 16),
        [b'0', _, ..] => (&part[1..], 8),
        [] => return None,
        _ => (part, 10),
    };
    match digits {
        "" => Some(0),
        // A sign is none of the digits that are meant.
        _ if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => None,
        _ => u64::from_str_radix(digits, radix).ok(),
    }
}

fn address_of_numbers(host: &str) -> Option<Ipv4Addr> {
    let mut parts = Vec::with_capacity(4);
    for part in host.split('.') {
        if parts.len() == 4 {
            return None;
        }
        parts.push(number(part)?);
    }
    let (last, before) = parts.split_last()?;
    // The last number fills all places that the others leave.
    if before.iter().any(|part| *part > 255) || *last >= 1 << (8 * (4 - before.len())) {
        return None;
    }
    let high = before.iter().zip([24, 16, 8]).map(|(part, shift)| part << shift).sum::<u64>();
    u32::try_from(high + last).ok().map(Ipv4Addr::from)
}

fn path_and_query(rest: &[u8], out: &mut Vec<u8>) {
    let end = memchr::memchr(b'#', rest).unwrap_or(rest.len());
    let path_end = memchr::memchr(b'?', &rest[..end]).unwrap_or(end);
    let root = out.len();
    out.push(b'/');
    let path = rest[..path_end].strip_prefix(b"/").or_else(|| rest[..path_end].strip_prefix(b"\\"));
    let mut segments = path.unwrap_or_default().split(|byte| matches!(byte, b'/' | b'\\')).peekable();
    while let Some(segment) = segments.next() {
        let start = out.len();
        uniform(segment, out);
        let is_last = segments.peek().is_none();
        match &out[start..] {
            b"." => out.truncate(start),
            b".." => {
                out.truncate(start);
                // Back over the last slash to the one before; never above the root.
                let parent = out[root..start - 1].iter().rposition(|byte| *byte == b'/');
                out.truncate(parent.map_or(root + 1, |slash| root + slash + 1));
            }
            _ if !is_last => out.push(b'/'),
            _ => {}
        }
    }
    if path_end < end {
        out.push(b'?');
        uniform(&rest[path_end + 1..end], out);
    }
}

/// Percent-encoding as RFC 3986 §6.2.2 has it: capitals, and none where none is needed; what no URL may hold as it is, encoded.
fn uniform(part: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while at < part.len() {
        let byte = part[at];
        let (byte, was_encoded) = match (byte, encoded_at(part, at)) {
            (b'%', Some(decoded)) => {
                at += 3;
                (decoded, true)
            }
            (byte, _) => {
                at += 1;
                (byte, false)
            }
        };
        let is_unreserved = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        let is_graphic = byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'`');
        if is_unreserved || is_graphic && !was_encoded {
            out.push(byte);
        } else {
            out.push(b'%');
            out.extend(hex::encode_upper([byte]).bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_have_one_spelling() {
        let cases = [
            ("hxxp://user:pw@EVIL[.]example:80/a/../b%7e#top", Ok("http://evil.example/b~")),
            ("https://evil.example", Ok("https://evil.example/")),
            ("HTTPS://evil.example:443/?", Ok("https://evil.example/?")),
            ("https://evil.example:8443/x?y=%2f&z=a b", Ok("https://evil.example:8443/x?y=%2F&z=a%20b")),
            ("hxxps[:]//evil(dot)example/a[.]b", Ok("https://evil.example/a[.]b")),
            ("http:\\\\evil.example\\a\\b", Ok("http://evil.example/a/b")),
            ("http://Bücher.example/ü", Ok("http://xn--bcher-kva.example/%C3%BC")),
            ("http://evil.example./", Ok("http://evil.example/")),
            ("http://evil%2eexample/", Ok("http://evil.example/")),
            ("http://good.example@evil.example/", Ok("http://evil.example/")),
            ("http://a.example/../../x/./y/..", Ok("http://a.example/x/")),
            ("http://a.example//x//../y", Ok("http://a.example//x/y")),
            ("http://a.example/%2e%2E/x", Ok("http://a.example/x")),
            ("http://3221225985/", Ok("http://192.0.2.1/")),
            ("http://0xc0.0.0x2.01", Ok("http://192.0.2.1/")),
            ("http://192.0.513/", Ok("http://192.0.2.1/")),
            ("http://192[.]0[.]2[.]1:8080/a", Ok("http://192.0.2.1:8080/a")),
            ("http://[2001:DB8::1]:80/", Ok("http://[2001:db8::1]/")),
            ("http://[::ffff:192.0.2.1]/", Ok("http://192.0.2.1/")),
            ("gopher://evil.example/x", Ok("gopher://evil.example/x")),
            ("http://evil.example/100%", Ok("http://evil.example/100%")),
            ("evil.example/x", Err(Why::Scheme)),
            ("mailto:a@b.example", Err(Why::Scheme)),
            ("http:/evil.example", Err(Why::Scheme)),
            ("http://", Err(Why::Host)),
            ("http:///x", Err(Why::Host)),
            ("http://evil.example:99999/", Err(Why::Port)),
            ("http://evil.example:x/", Err(Why::Port)),
            ("http://256.256.256.256/", Err(Why::Address)),
            ("http://1.2.3.4.5/", Err(Why::Address)),
            ("http://[::1/", Err(Why::Host)),
            ("http://a b/", Err(Why::Character)),
        ];
        for (url, want) in cases {
            let mut out = b"what was there before".to_vec();
            let read = canonical(url, &mut out).map(|_| String::from_utf8(out).unwrap());
            assert_eq!(read.as_deref().map_err(|why| *why), want, "{url}");
        }
    }

    #[test]
    fn a_place_has_the_port_that_is_used() {
        let place = |url| canonical(url, &mut Vec::new()).unwrap();
        assert_eq!(place("https://192.0.2.1/").port, Some(443));
        assert_eq!(place("http://192.0.2.1:81/").port, Some(81));
        assert_eq!(place("gopher://192.0.2.1/").port, None);
    }
}
