//! Links in text.
//!
//! A link begins with a scheme or with `www.`, and ends where a reader would end it. People who warn of links *defang* them
//! (`hxxp://evil[.]example`), and people who send them do it, too, asking the reader to mend them: so they are made whole
//! before they are sought.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use memchr::memmem;

/// The longest link; browsers take more, indicators do not.
const LINK_BYTES_MAX: usize = 4096;

/// What people write instead of what they mean. Compared without regard to case.
const DEFANGED: &[(&str, &str)] = &[
    ("hxxp", "http"),
    ("h**p", "http"),
    ("fxp://", "ftp://"),
    ("[.]", "."),
    ("(.)", "."),
    ("{.}", "."),
    ("[.", "."),
    (".]", "."),
    ("[dot]", "."),
    ("(dot)", "."),
    ("{dot}", "."),
    (" dot ", " dot "), // left: too much of ordinary language
    ("[:]", ":"),
    ("[://]", "://"),
    ("[/]", "/"),
    ("[@]", "@"),
    ("[at]", "@"),
    ("(at)", "@"),
    ("\\.", "."),
];

/// The text with defanged links made whole.
#[must_use]
pub fn refang(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut out = String::new();
    let mut kept = 0;
    let mut from = 0;
    while let Some(at) = next_sign(&bytes[from..]) {
        let at = from + at;
        let found = DEFANGED.iter().find(|(written, _)| starts_with(&bytes[at..], written.as_bytes()));
        match found {
            Some((written, meant)) if written != meant => {
                out.push_str(&text[kept..at]);
                out.push_str(meant);
                kept = at + written.len();
                from = kept;
            }
            _ => from = at + 1,
        }
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[kept..]);
    Cow::Owned(out)
}

/// Where something of the table may begin.
fn next_sign(bytes: &[u8]) -> Option<usize> {
    bytes.iter().enumerate().position(|(at, byte)| match byte {
        b'[' | b'(' | b'{' | b'\\' => true,
        b'.' => bytes.get(at + 1) == Some(&b']'),
        b'h' | b'H' => matches!(bytes.get(at + 1), Some(b'x' | b'X' | b'*')),
        b'f' | b'F' => matches!(bytes.get(at + 1), Some(b'x' | b'X')),
        _ => false,
    })
}

fn starts_with(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.get(..wanted.len()).is_some_and(|head| head.eq_ignore_ascii_case(wanted))
}

/// Hands each link of a text to `take`, until it says no.
pub(super) fn find(text: &str, take: &mut dyn FnMut(&str) -> bool) {
    let bytes = text.as_bytes();
    let mut last_end = 0;
    for at in memmem::find_iter(bytes, b":") {
        if at < last_end || !starts_with(&bytes[at + 1..], b"//") && !starts_with(&bytes[at + 1..], b"\\\\") {
            continue;
        }
        let scheme =
            bytes[last_end..at].iter().rev().take(12).take_while(|byte| byte.is_ascii_alphanumeric());
        let begin = at - scheme.count();
        if begin == at {
            continue;
        }
        let end = end_of_link(bytes, at + 3);
        if end > at + 3 {
            if !take(&text[begin..end]) {
                return;
            }
            last_end = end;
        }
    }
    for at in memmem::find_iter(bytes, b".") {
        // `www.` where a word begins and no scheme stands before it.
        let Some(begin) = at.checked_sub(3) else { continue };
        let before = begin.checked_sub(1).map(|before| bytes[before]);
        let is_start = before.is_none_or(|byte| {
            !byte.is_ascii_alphanumeric() && !matches!(byte, b'/' | b'\\' | b'.' | b'-' | b'@')
        });
        if is_start && bytes[begin..at].eq_ignore_ascii_case(b"www") {
            let end = end_of_link(bytes, begin);
            if end > at + 1 && !take(&text[begin..end]) {
                return;
            }
        }
    }
}

/// A link ends at white space, at a bracket or quotation mark, and not with the punctuation of the sentence around it.
fn end_of_link(bytes: &[u8], from: usize) -> usize {
    let longest = bytes.len().min(from + LINK_BYTES_MAX);
    let is_end = |byte: &u8| {
        *byte <= b' ' || matches!(byte, b'<' | b'>' | b'"' | b'`' | b'{' | b'}' | b'|' | b'^' | 0x7f)
    };
    let mut end = from + bytes[from..longest].iter().position(is_end).unwrap_or(longest - from);
    // A limit may fall into a letter of several bytes.
    while end < bytes.len() && bytes[end] & 0xc0 == 0x80 {
        end -= 1;
    }
    loop {
        let link = &bytes[from..end];
        let trimmed = match link.last() {
            Some(b'.' | b',' | b';' | b':' | b'!' | b'?' | b'\'' | b'*') => true,
            Some(b')') => !link.contains(&b'('),
            Some(b']') => !link.contains(&b'['),
            _ => false,
        };
        if !trimmed {
            return end;
        }
        end -= 1;
    }
}

/// The host of a link, as a browser would ask for it: percent signs decoded, user and port gone, lower case.
#[must_use]
pub fn host_of(url: &str) -> Option<String> {
    let rest = match url.find(':') {
        Some(at) if url[..at].bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            url[at + 1..].trim_start_matches(['/', '\\'])
        }
        _ => url.trim_start_matches(['/', '\\']),
    };
    let authority = &rest[..rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len())];
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host.strip_prefix('[') {
        Some(literal) => literal.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(host, _)| host),
    };
    let host = percent_decoded(host).to_lowercase();
    let host = host.trim_end_matches('.');
    (!host.is_empty() && host.len() <= 1024).then(|| host.to_owned())
}

fn percent_decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.as_bytes();
    while let Some((byte, rest)) = bytes.split_first() {
        let code = rest.get(..2).and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(decoded) if *byte == b'%' => {
                out.push(decoded);
                bytes = &rest[2..];
            }
            _ => {
                out.push(*byte);
                bytes = rest;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

/// An address in a spelling that browsers take: `192.0.2.1`, `0xc0000201`, `3221225985`, `0300.0.2.1`, `2001:db8::1`.
pub(super) fn as_address(host: &str) -> Option<IpAddr> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let bare = host.strip_prefix("IPv6:").or_else(|| host.strip_prefix("ipv6:")).unwrap_or(host);
    if let Ok(address) = bare.parse::<Ipv6Addr>() {
        return Some(IpAddr::V6(address));
    }
    // The URL standard's reading of a host that ends in a number: up to four of them, the last fills what is left.
    let numbers: Vec<u64> = host.split('.').map(number).collect::<Option<_>>()?;
    let (last, first) = numbers.split_last()?;
    if first.len() > 3 || first.iter().any(|part| *part > 255) {
        return None;
    }
    let free = 4 - first.len();
    if *last >= 1 << (8 * free) {
        return None;
    }
    let high = first.iter().fold(0_u64, |high, part| high << 8 | part);
    u32::try_from(high << (8 * free) | last).ok().map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits)))
}

fn number(text: &str) -> Option<u64> {
    // `from_str_radix` would take a sign.
    if text.is_empty() || text.len() > 16 || !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    match text.as_bytes() {
        [b'0', b'x' | b'X'] => Some(0),
        [b'0', b'x' | b'X', ..] => u64::from_str_radix(&text[2..], 16).ok(),
        [b'0', _, ..] => u64::from_str_radix(&text[1..], 8).ok(),
        _ => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(text: &str) -> Vec<String> {
        let mut links = Vec::new();
        find(&refang(text), &mut |url| {
            links.push(url.to_owned());
            true
        });
        links
    }

    #[test]
    fn links_end_where_a_reader_would_end_them() {
        let cases: &[(&str, &[&str])] = &[
            ("see http://a.example/x. Then", &["http://a.example/x"]),
            ("(http://a.example/x_(y)) and", &["http://a.example/x_(y))"]),
            ("(see http://a.example)", &["http://a.example"]),
            ("<https://a.example?q=1&r=2>", &["https://a.example?q=1&r=2"]),
            ("hxxps://evil[.]example/p", &["https://evil.example/p"]),
            ("hXXp[:]//evil(dot)example, or", &["http://evil.example"]),
            ("h**p[://]evil{.}example", &["http://evil.example"]),
            ("go to www.a.example/x now", &["www.a.example/x"]),
            ("http://www.a.example/", &["http://www.a.example/"]),
            ("http://[2001:db8::1]:80/x", &["http://[2001:db8::1]:80/x"]),
            ("http:\\\\a.example\\x", &["http:\\\\a.example\\x"]),
            ("two:http://a.example,http://b.example", &["http://a.example,http://b.example"]),
            ("http:// nothing, ://none, a: b", &[]),
            ("http://bücher.example/ä", &["http://bücher.example/ä"]),
        ];
        for (text, want) in cases {
            assert_eq!(found(text), *want, "{text}");
        }
    }

    #[test]
    fn a_host_is_the_one_that_a_browser_would_ask() {
        let cases = [
            ("http://User:pw@Evil.Example:8080/x@y", Some("evil.example")),
            ("http://good.example@evil.example", Some("evil.example")),
            ("http://%65vil.example./", Some("evil.example")),
            ("http:\\\\evil.example\\@good.example", Some("evil.example")),
            ("//evil.example/x", Some("evil.example")),
            ("www.evil.example/x", Some("www.evil.example")),
            ("http://[2001:db8::1]:443/", Some("2001:db8::1")),
            ("http://", None),
            ("http:///x", Some("x")), // browsers pass over slashes, too
        ];
        for (url, want) in cases {
            assert_eq!(host_of(url).as_deref(), want, "{url}");
        }
    }

    #[test]
    fn addresses_have_many_spellings() {
        let cases = [
            ("192.0.2.1", Some("192.0.2.1")),
            ("3221225985", Some("192.0.2.1")),
            ("0xC0000201", Some("192.0.2.1")),
            ("0300.0.2.1", Some("192.0.2.1")),
            ("192.513", Some("192.0.2.1")),
            ("[IPv6:2001:db8::1]", Some("2001:db8::1")),
            ("4294967296", None),
            ("256.0.0.1", None),
            ("1.2.3.4.5", None),
            ("a.example", None),
            ("-1", None),
            ("", None),
        ];
        for (host, want) in cases {
            assert_eq!(as_address(host).map(|ip| ip.to_string()).as_deref(), want, "{host}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_searched(text in "[a-zA-Zä:/\\\\.\\[\\]()@%0-9 xX*]{0,200}") {
            for url in found(&text) {
                let _ = host_of(&url).map(|host| as_address(&host));
            }
        }
    }
}
