//! Checking single values, bringing each into one spelling, and recognising them without a label.
//!
//! People disarm what they write down, so that nobody clicks on it: `hxxps://evil[.]example`.
//! [`refang`] undoes that. [`classify`] then tells what an unlabelled value is. It would rather say
//! nothing than guess: a file name that is taken for a domain ends up in somebody's resolver.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

use crate::kind::{Algorithm, Kind};

/// Longest URL that is taken. 8,192: beyond it servers and proxies refuse them (RFC 9110 §4.1 asks
/// for 8,000).
const URL_MAX_BYTES: usize = 8_192;

/// Longest name in the DNS, and longest label (RFC 1035 §2.3.4).
const NAME_MAX_BYTES: usize = 253;
const LABEL_MAX_BYTES: usize = 63;

/// Undoes what was done to a value to disarm it. Nothing else is touched, and a value that was not
/// disarmed is given back as it is.
pub(crate) fn refang(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    if text.contains(['[', '(', '{']) {
        for (written, meant) in BRACKETS {
            if text.contains(written) {
                text = Cow::Owned(text.replace(written, meant));
            }
        }
    }
    let Some((scheme, rest)) = text.split_once(':') else { return text };
    let meant = match scheme.to_ascii_lowercase().as_str() {
        "hxxp" | "hxtp" | "htxp" | "h**p" | "meow" => "http",
        "hxxps" | "hxtps" | "htxps" | "h**ps" => "https",
        "fxp" => "ftp",
        _ => return text,
    };
    Cow::Owned(format!("{meant}:{rest}"))
}

const BRACKETS: [(&str, &str); 16] = [
    ("[.]", "."),
    ("(.)", "."),
    ("{.}", "."),
    ("[.", "."),
    ("[dot]", "."),
    ("(dot)", "."),
    ("{dot}", "."),
    ("[DOT]", "."),
    ("[:]", ":"),
    ("[://]", "://"),
    ("[:]//", "://"),
    ("[/]", "/"),
    ("[at]", "@"),
    ("(at)", "@"),
    ("[@]", "@"),
    ("(@)", "@"),
];

/// Whether a text is hexadecimal digits only.
pub(crate) fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a text is a fuzzy hash as ssdeep writes it: block size, and two pieces of base64.
pub(crate) fn is_ssdeep(text: &str) -> bool {
    let mut parts = text.split(':');
    let size = parts.next().is_some_and(|size| size.parse::<u32>().is_ok_and(|size| size >= 3));
    let pieces = (0..2).all(|_| {
        parts.next().is_some_and(|piece| {
            piece.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
        })
    });
    size && pieces && parts.next().is_none()
}

/// A port number.
pub(crate) fn port(text: &str) -> Option<u16> {
    let text = text.trim();
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// An address, with its prefix length if it is a network of more than one address.
pub(crate) fn network(text: &str) -> Option<(IpAddr, Option<u8>)> {
    let Some((address, prefix)) = text.split_once('/') else {
        return text.parse().ok().map(|address| (address, None));
    };
    let address: IpAddr = address.parse().ok()?;
    let whole = if address.is_ipv4() { 32 } else { 128 };
    let prefix: u8 = prefix.parse().ok().filter(|prefix| *prefix <= whole)?;
    Some((masked(address, prefix), (prefix < whole).then_some(prefix)))
}

/// The first address of a network, so that `198.51.100.7/24` and `198.51.100.0/24` are one.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V4((u32::from(v4) & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from(u128::from(v6) & mask))
        }
    }
}

/// An address and a port: `198.51.100.7:443`, `[2001:db8::1]:443`, `198.51.100.7|443`.
pub(crate) fn address_port(text: &str) -> Option<(IpAddr, u16)> {
    let (address, number) = text.split_once('|').or_else(|| text.rsplit_once(':'))?;
    let address = address.trim();
    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address: IpAddr = bare.unwrap_or(address).parse().ok()?;
    let needs_brackets = address.is_ipv6() && !text.contains('|');
    if needs_brackets && bare.is_none() {
        return None;
    }
    Some((address, port(number)?))
}

/// A name in the DNS, in lower case and without the root's dot: at least two labels, the last of them
/// no number. Underscores occur in real names; other scripts must come as `xn--`.
pub(crate) fn name(text: &str) -> Option<String> {
    let text = text.trim();
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.len() > NAME_MAX_BYTES {
        return None;
    }
    let mut last = None;
    let mut labels = 0;
    for label in text.split('.') {
        let bytes = label.as_bytes();
        let plain = bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if !plain || bytes.is_empty() || bytes.len() > LABEL_MAX_BYTES {
            return None;
        }
        last = Some(label);
        labels += 1;
    }
    let top = last.filter(|_| labels > 1)?;
    let plausible = top.len() > 1 && top.bytes().any(|byte| byte.is_ascii_alphabetic()) && !top.contains('_');
    plausible.then(|| text.to_ascii_lowercase())
}

/// A mailbox, `local@domain`, the domain in lower case. A domain of one label occurs in real lists.
pub(crate) fn mailbox(text: &str) -> Option<String> {
    let text = text.trim();
    let (local, domain) = text.rsplit_once('@')?;
    let atom = |byte: u8| {
        byte.is_ascii_graphic()
            && !matches!(
                byte,
                b'(' | b')' | b',' | b':' | b';' | b'<' | b'>' | b'@' | b'[' | b'\\' | b']' | b'"'
            )
    };
    // RFC 5321 §4.5.3.1.1: a local part has at most 64 octets.
    if local.is_empty() || local.len() > 64 || !local.bytes().all(atom) {
        return None;
    }
    let domain = match name(domain) {
        Some(domain) => domain,
        None if domain.eq_ignore_ascii_case("localhost") => "localhost".to_owned(),
        None => return None,
    };
    Some(format!("{local}@{domain}"))
}

/// A URL as it stands, or a host with a path as it stands. The host must be one.
pub(crate) fn url(text: &str) -> Option<Cow<'_, str>> {
    if text.len() > URL_MAX_BYTES || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return None;
    }
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) if !scheme.contains(['/', '?', '#']) => (Some(scheme), rest),
        Some(_) | None => (None, text),
    };
    if scheme.is_some_and(|scheme| !is_scheme(scheme)) {
        return None;
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    if scheme.is_none() && end == rest.len() {
        return None;
    }
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host_alone = match host.rsplit_once(':') {
        Some((before, number)) if port(number).is_some() && !number.is_empty() => before,
        Some(_) | None => host,
    };
    let bracketed = host_alone.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_host = match bracketed {
        Some(inner) => inner.parse::<Ipv6Addr>().is_ok(),
        None => {
            host_alone.parse::<IpAddr>().is_ok_and(|address| address.is_ipv4()) || name(host_alone).is_some()
        }
    };
    if !is_host {
        return None;
    }
    // RFC 3986 §6.2.2.1: scheme and host are the same in either case, the rest is not.
    if !text.get(..text.len() - path.len()).is_some_and(|front| front.bytes().any(|b| b.is_ascii_uppercase()))
    {
        return Some(Cow::Borrowed(text));
    }
    let user = &authority[..authority.len() - host.len()];
    let scheme = scheme.map(|scheme| format!("{}://", scheme.to_ascii_lowercase())).unwrap_or_default();
    Some(Cow::Owned(format!("{scheme}{user}{}{path}", host.to_ascii_lowercase())))
}

/// RFC 3986 §3.1.
fn is_scheme(text: &str) -> bool {
    text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

/// A registry key with its hive spelled out (STIX 2.1 §6.17: `HKEY_LOCAL_MACHINE`, never `HKLM`) and
/// without a backslash at its end.
pub(crate) fn registry_key(text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches('\\');
    let (hive, rest) = match text.find('\\') {
        Some(cut) => text.split_at(cut),
        None => (text, ""),
    };
    let hive = match hive.to_ascii_uppercase().as_str() {
        "HKLM" => "HKEY_LOCAL_MACHINE".to_owned(),
        "HKCU" => "HKEY_CURRENT_USER".to_owned(),
        "HKCR" => "HKEY_CLASSES_ROOT".to_owned(),
        "HKU" => "HKEY_USERS".to_owned(),
        "HKCC" => "HKEY_CURRENT_CONFIG".to_owned(),
        "" => return None,
        _ => hive.to_owned(),
    };
    Some(format!("{hive}{rest}"))
}

/// The address of a network card, as STIX writes it (§6.10): lower case, colons, leading zeros.
pub(crate) fn card_address(text: &str) -> Option<String> {
    let digits: String = text.trim().chars().filter(|c| !matches!(c, ':' | '-' | '.')).collect();
    if digits.len() != 12 || !is_hex(&digits) {
        return None;
    }
    let digits = digits.to_ascii_lowercase();
    let pairs: Vec<_> = (0..12).step_by(2).map(|at| &digits[at..at + 2]).collect();
    Some(pairs.join(":"))
}

/// What an unlabelled value is, if there is no doubt.
///
/// Ports and paths need company: `198.51.100.7:443` is a destination, `443` is nothing.
pub(crate) fn classify(text: &str) -> Option<Kind> {
    let first = *text.as_bytes().first()?;
    if text.len() > URL_MAX_BYTES {
        return None;
    }
    if is_hex(text) {
        return match text.len() {
            32 => Some(Kind::FileHash(Algorithm::Md5)),
            40 => Some(Kind::FileHash(Algorithm::Sha1)),
            64 => Some(Kind::FileHash(Algorithm::Sha256)),
            128 => Some(Kind::FileHash(Algorithm::Sha512)),
            _ => None,
        };
    }
    if (first.is_ascii_hexdigit() || first == b':') && network(text).is_some() {
        return Some(Kind::Address);
    }
    if text.contains("://") || text.contains('/') {
        // A host with a path has nothing that tells it from prose such as `and/or`, but its dot and
        // a plausible top-level domain.
        let host = text.split(['/', '?', '#']).next().unwrap_or_default();
        let alone = !text.contains("://");
        let bare = host.rsplit_once(':').map_or(host, |(host, _)| host);
        let is_address = bare.parse::<IpAddr>().is_ok();
        // `198.51.100.0/33` is a mistaken network, not a page called 33.
        let is_network = is_address && text.rsplit('/').next().is_some_and(|end| port(end).is_some());
        if alone && (is_network || !(is_address || is_domain_by_looks(bare))) {
            return None;
        }
        return url(text).map(|_| Kind::Url);
    }
    if text.contains('@') {
        return mailbox(text).map(|_| Kind::Mailbox);
    }
    if text.contains(':') {
        if address_port(text).is_some() {
            return Some(Kind::Destination);
        }
        let (host, number) = text.rsplit_once(':')?;
        return (is_domain_by_looks(host) && port(number).is_some()).then_some(Kind::NamePort);
    }
    is_domain_by_looks(text).then_some(Kind::Name)
}

/// Endings of file names that are no top-level domains and occur in lists of files.
const FILE_ENDINGS: [&str; 36] = [
    "apk", "bak", "bat", "bin", "cfg", "conf", "csv", "dat", "db", "dex", "dll", "dmg", "doc", "docx", "elf",
    "exe", "gz", "html", "ini", "ipa", "jar", "js", "json", "lnk", "log", "pdf", "php", "plist", "ps1",
    "rar", "tmp", "txt", "vbs", "xls", "xml", "yaml",
];

/// Longest top-level domain in use that is written in Latin letters (`travelersinsurance`).
const TOP_MAX_BYTES: usize = 18;

/// Whether an unlabelled text is a domain rather than a file name, a program's package name
/// (`com.example.app`), a version or a word with a dot in it.
fn is_domain_by_looks(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    if name(text).is_none() {
        return false;
    }
    let lower = text.to_ascii_lowercase();
    let top = lower.rsplit('.').next().unwrap_or_default();
    let real_top = top.starts_with("xn--")
        || (top.len() <= TOP_MAX_BYTES && top.bytes().all(|byte| byte.is_ascii_lowercase()));
    let reversed = ["com.", "org.", "net."].iter().any(|start| lower.starts_with(start))
        && top.len() > 2
        && !matches!(top, "com" | "net" | "org" | "info" | "biz" | "xyz" | "top" | "site" | "online");
    real_top && !FILE_ENDINGS.contains(&top) && !reversed
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn disarmed_values_are_armed_again() {
        let cases = [
            ("hxxps://evil[.]example/a", "https://evil.example/a"),
            ("hXXp[:]//evil(.)example", "http://evil.example"),
            ("fxp://evil.example/a", "ftp://evil.example/a"),
            ("198[.]51[.]100[.]7", "198.51.100.7"),
            ("198.51.100[.7", "198.51.100.7"),
            ("nobody[at]evil[dot]example", "nobody@evil.example"),
            ("[2001:db8::1]:443", "[2001:db8::1]:443"),
            ("http://evil.example/hxxp://x", "http://evil.example/hxxp://x"),
            ("", ""),
        ];
        for (text, want) in cases {
            assert_eq!(refang(text), want);
        }
    }

    #[test]
    fn unlabelled_values_are_recognised_or_left() {
        let sha256 = "f761dea56b7d4a0ad40e55632da2e6e2de322d1cae3b117d1d27ea0b33461234";
        let cases = [
            ("198.51.100.7", Some(Kind::Address)),
            ("198.51.100.0/24", Some(Kind::Address)),
            ("2001:db8::1", Some(Kind::Address)),
            ("::1", Some(Kind::Address)),
            ("198.51.100.7:443", Some(Kind::Destination)),
            ("[2001:db8::1]:443", Some(Kind::Destination)),
            ("213.165.60.118:22:443", None),
            ("evil.example", Some(Kind::Name)),
            ("evil.xn--p1ai", Some(Kind::Name)),
            ("_dmarc.evil.example", Some(Kind::Name)),
            ("evil.example:8080", Some(Kind::NamePort)),
            ("https://evil.example/a?b", Some(Kind::Url)),
            ("http://198.51.100.7:8080", Some(Kind::Url)),
            ("evil.example/a", Some(Kind::Url)),
            ("nobody@evil.example", Some(Kind::Mailbox)),
            ("google.com@localhost", Some(Kind::Mailbox)),
            ("41898dae353a85c04282979c44448beb", Some(Kind::FileHash(Algorithm::Md5))),
            ("8e3d8606ed916152b8f70d5e38026569bb7a20c4", Some(Kind::FileHash(Algorithm::Sha1))),
            (sha256, Some(Kind::FileHash(Algorithm::Sha256))),
            ("41898dae353a85c04282979c44448be", None),
            ("roleaccountd.plist", None),
            ("com.serv.services", None),
            ("com.accesibilityservice", None),
            ("sys.brand.notes2", None),
            ("198.51.100.0/33", None),
            ("198.51.100.7/gate", Some(Kind::Url)),
            ("and/or", None),
            ("and.exe/or", None),
            ("/private/var/tmp/UserEventAgent", None),
            ("support¬forum.org", None),
            ("q(l|r)[0-9]{5,6}\\.pw", None),
            ("1.2.3", None),
            ("localhost", None),
            ("443", None),
            ("", None),
        ];
        for (text, want) in cases {
            assert_eq!(classify(text), want, "{text}");
        }
    }

    #[test]
    fn urls_keep_their_path_and_lose_the_case_of_their_host() {
        let cases = [
            ("HTTP://Evil.Example:80/PaTh", Some("http://evil.example:80/PaTh")),
            ("http://User@Evil.example/", Some("http://User@evil.example/")),
            ("http://[2001:db8::1]/", Some("http://[2001:db8::1]/")),
            ("http://evil.example?Q", Some("http://evil.example?Q")),
            ("http://", None),
            ("http:///a", None),
            ("1http://evil.example", None),
            ("http://evil example/", None),
            ("evil.example", None),
        ];
        for (text, want) in cases {
            assert_eq!(url(text).as_deref(), want, "{text}");
        }
    }

    #[test]
    fn a_network_is_named_by_its_first_address() {
        let cases = [
            ("198.51.100.7/24", Some(("198.51.100.0", Some(24)))),
            ("198.51.100.7/32", Some(("198.51.100.7", None))),
            ("198.51.100.7/0", Some(("0.0.0.0", Some(0)))),
            ("2001:db8::1/32", Some(("2001:db8::", Some(32)))),
            ("2001:db8::1/0", Some(("::", Some(0)))),
            ("198.51.100.7/", None),
        ];
        for (text, want) in cases {
            let want = want.map(|(address, prefix)| (address.parse().unwrap(), prefix));
            assert_eq!(network(text), want, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_recognised_has_a_pattern(text in "[a-fA-F0-9.:/@\\[\\]hxtp]{1,40}") {
            let text = refang(&text);
            if let Some(kind) = classify(&text) {
                prop_assert!(kind.pattern(&text).is_some(), "{kind:?} {text}");
            }
        }
    }
}
