//! Kinds of values, and the STIX pattern that says "this value was seen".
//!
//! MISP has some two hundred attribute types, and every table of indicators has names of its own for
//! its columns. [`Kind::of_name`] knows those for which STIX patterns (STIX 2.1 §9) have words. The
//! pattern of a value is as plain as its kind allows, for most `[domain-name:value = 'a.example']`:
//! that is what nearly all published indicators look like and what every consumer can match.
//!
//! A value is checked and brought into one spelling first (addresses as RFC 5952 writes them, names and
//! hashes in lower case), so that one thing gets one identifier whatever list it came from.

use std::fmt::Write as _;
use std::net::IpAddr;

use crate::names::NAMES;
use crate::value;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// An address or a network, of either version.
    Address,
    /// An address and a port of the destination.
    Destination,
    /// An address and a port of the source.
    Source,
    /// A name and a port.
    NamePort,
    /// A name in the DNS.
    Name,
    /// A name and the address that it resolves to.
    NameAddress,
    /// A URL with its scheme, or a host with a path.
    Url,
    /// A URL, or the path of one.
    Uri,
    /// A mailbox.
    Mailbox,
    /// The mailbox that a message is from.
    Sender,
    /// The mailbox that a message is to.
    Recipient,
    /// One text property of a message or another object, named by its path.
    Text(&'static str),
    /// A whole number with its path and its largest value.
    Number(&'static str, u64),
    /// A file's name, perhaps with its directory.
    FileName,
    /// A file's hash.
    FileHash(Algorithm),
    /// A file's name and its hash.
    FileNameHash(Algorithm),
    /// A certificate's hash.
    CertificateHash(Algorithm),
    /// The hash of an executable's imports.
    ImportHash,
    /// A key of the Windows registry.
    RegistryKey,
    /// A key of the Windows registry and the data of a value in it.
    RegistryValue,
    /// A network card.
    CardAddress,
    /// An autonomous system.
    AutonomousSystem,
    /// A rule in another language, with STIX's name for it (`pattern-type-ov`).
    Rule(&'static str),
}

/// A way to hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Algorithm {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
    Sha3_256,
    Sha3_512,
    Ssdeep,
    Tlsh,
}

impl Algorithm {
    /// Its key in `hashes` as a pattern writes it (`hash-algorithm-ov`, §10.7).
    fn key(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha1 => "'SHA-1'",
            Self::Sha224 => "'SHA-224'",
            Self::Sha256 => "'SHA-256'",
            Self::Sha384 => "'SHA-384'",
            Self::Sha512 => "'SHA-512'",
            Self::Sha3_256 => "'SHA3-256'",
            Self::Sha3_512 => "'SHA3-512'",
            Self::Ssdeep => "SSDEEP",
            Self::Tlsh => "TLSH",
        }
    }

    /// The checked hash in lower case, where case says nothing.
    fn check(self, text: &str) -> Option<String> {
        let digits = match self {
            Self::Md5 => 32,
            Self::Sha1 => 40,
            Self::Sha224 => 56,
            Self::Sha256 | Self::Sha3_256 => 64,
            Self::Sha384 => 96,
            Self::Sha512 | Self::Sha3_512 => 128,
            Self::Ssdeep => return value::is_ssdeep(text).then(|| text.to_owned()),
            Self::Tlsh => {
                let body = text.strip_prefix("T1").unwrap_or(text);
                return (body.len() == 70 && value::is_hex(body)).then(|| text.to_ascii_uppercase());
            }
        };
        (text.len() == digits && value::is_hex(text)).then(|| text.to_ascii_lowercase())
    }
}

pub(crate) const PORT_MAX: u64 = 65_535;

impl Kind {
    /// The kind that a MISP attribute type, or the name of a type in somebody's table, means.
    ///
    /// Case and the signs between words do not matter.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        let name: String = name
            .trim()
            .chars()
            .map(|c| if matches!(c, ' ' | '_') { '-' } else { c.to_ascii_lowercase() })
            .collect();
        NAMES.binary_search_by_key(&name.as_str(), |(known, _)| known).ok().map(|at| NAMES[at].1)
    }

    /// A short stable name, part of the identifiers of what plain lists give.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Destination => "destination",
            Self::Source => "source",
            Self::NamePort => "name-port",
            Self::Name => "name",
            Self::NameAddress => "name-address",
            Self::Url => "url",
            Self::Uri => "uri",
            Self::Mailbox => "mailbox",
            Self::Sender => "sender",
            Self::Recipient => "recipient",
            Self::Text(path) | Self::Number(path, _) => path,
            Self::FileName => "file-name",
            Self::FileHash(_) => "file-hash",
            Self::FileNameHash(_) => "file-name-hash",
            Self::CertificateHash(_) => "certificate-hash",
            Self::ImportHash => "import-hash",
            Self::RegistryKey => "registry-key",
            Self::RegistryValue => "registry-value",
            Self::CardAddress => "card-address",
            Self::AutonomousSystem => "autonomous-system",
            Self::Rule(language) => language,
        }
    }

    /// STIX's name for the language of the pattern.
    pub(crate) fn pattern_type(self) -> &'static str {
        if let Self::Rule(language) = self { language } else { "stix" }
    }

    /// The pattern that matches a value, or none if the value is not of this kind.
    pub(crate) fn pattern(self, text: &str) -> Option<String> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        match self {
            Self::Address => address(text),
            Self::Destination => endpoint(text, "dst"),
            Self::Source => endpoint(text, "src"),
            Self::NamePort => {
                let (name, port) = text.split_once('|').or_else(|| text.rsplit_once(':'))?;
                let name = value::name(name)?;
                Some(traffic("dst", "domain-name", &name, value::port(port)?))
            }
            Self::Name => Some(equal("domain-name:value", &value::name(text)?)),
            Self::NameAddress => {
                let (name, address) = text.split_once('|')?;
                let address: IpAddr = address.trim().parse().ok()?;
                let name = comparison("domain-name:value", &value::name(name)?);
                let resolves = comparison("domain-name:resolves_to_refs[*].value", &address.to_string());
                Some(format!("[{name} AND {resolves}]"))
            }
            Self::Uri if text.starts_with('/') => {
                Some(equal("network-traffic:extensions.'http-request-ext'.request_value", text))
            }
            Self::Url | Self::Uri => url(text),
            Self::Mailbox => Some(equal("email-addr:value", &value::mailbox(text)?)),
            Self::Sender => Some(equal("email-message:from_ref.value", &value::mailbox(text)?)),
            Self::Recipient => Some(equal("email-message:to_refs[*].value", &value::mailbox(text)?)),
            Self::Text(path) => Some(equal(path, text)),
            Self::Number(path, max) => {
                let number: u64 = text.parse().ok().filter(|number| *number <= max)?;
                Some(format!("[{path} = {number}]"))
            }
            Self::FileName => Some(format!("[{}]", file_name(text)?)),
            Self::FileHash(algorithm) => Some(format!("[{}]", hash("file", algorithm, text)?)),
            Self::CertificateHash(algorithm) => {
                // Fingerprints are often written with a colon after each byte.
                Some(format!("[{}]", hash("x509-certificate", algorithm, &text.replace(':', ""))?))
            }
            Self::FileNameHash(algorithm) => {
                let (name, digest) = text.rsplit_once('|')?;
                Some(format!("[{} AND {}]", file_name(name)?, hash("file", algorithm, digest)?))
            }
            Self::ImportHash => {
                let digest = Algorithm::Md5.check(text)?;
                Some(equal("file:extensions.'windows-pebinary-ext'.imphash", &digest))
            }
            Self::RegistryKey => Some(equal("windows-registry-key:key", &value::registry_key(text)?)),
            Self::RegistryValue => {
                let (key, data) = text.split_once('|')?;
                let key = comparison("windows-registry-key:key", &value::registry_key(key)?);
                Some(format!(
                    "[{key} AND {}]",
                    comparison("windows-registry-key:values[*].data", data.trim())
                ))
            }
            Self::CardAddress => Some(equal("mac-addr:value", &value::card_address(text)?)),
            Self::AutonomousSystem => {
                let digits = text.get(..2).filter(|start| start.eq_ignore_ascii_case("as"));
                let number: u32 = digits.map_or(text, |_| &text[2..]).trim().parse().ok()?;
                Some(format!("[autonomous-system:number = {number}]"))
            }
            Self::Rule(_) => Some(text.to_owned()),
        }
    }
}

fn comparison(path: &str, value: &str) -> String {
    let mut text = String::with_capacity(path.len() + value.len() + 8);
    text.push_str(path);
    text.push_str(" = ");
    literal(&mut text, value);
    text
}

fn equal(path: &str, value: &str) -> String {
    let mut text = String::with_capacity(path.len() + value.len() + 8);
    text.push('[');
    text.push_str(path);
    text.push_str(" = ");
    literal(&mut text, value);
    text.push(']');
    text
}

/// A string literal: a quote and a backslash in it are escaped with a backslash (§9).
fn literal(out: &mut String, value: &str) {
    out.push('\'');
    if value.bytes().any(|byte| matches!(byte, b'\'' | b'\\')) {
        for c in value.chars() {
            if matches!(c, '\'' | '\\') {
                out.push('\\');
            }
            out.push(c);
        }
    } else {
        out.push_str(value);
    }
    out.push('\'');
}

fn address_type(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "ipv4-addr" } else { "ipv6-addr" }
}

/// A single address by equality, a network by `ISSUBSET`.
fn address(text: &str) -> Option<String> {
    let (address, prefix) = value::network(text)?;
    let type_name = address_type(address);
    let mut pattern = String::with_capacity(40);
    let written = match prefix {
        None => write!(pattern, "[{type_name}:value = '{address}']"),
        Some(prefix) => write!(pattern, "[{type_name}:value ISSUBSET '{address}/{prefix}']"),
    };
    written.ok().map(|()| pattern)
}

fn endpoint(text: &str, side: &str) -> Option<String> {
    let (address, port) = value::address_port(text)?;
    Some(traffic(side, address_type(address), &address.to_string(), port))
}

fn traffic(side: &str, type_name: &str, value: &str, port: u16) -> String {
    format!(
        "[network-traffic:{side}_ref.type = '{type_name}' AND network-traffic:{side}_ref.value = '{value}' \
         AND network-traffic:{side}_port = {port}]"
    )
}

/// A URL by equality; without a scheme it is one of the two that carry the web.
fn url(text: &str) -> Option<String> {
    let url = value::url(text)?;
    if url.contains("://") {
        return Some(equal("url:value", &url));
    }
    let plain = comparison("url:value", &format!("http://{url}"));
    Some(format!("[{plain} OR {}]", comparison("url:value", &format!("https://{url}"))))
}

/// A file by its name, and by its directory if the name has one (§6.7: a name holds no path).
fn file_name(text: &str) -> Option<String> {
    let text = text.trim();
    let Some(cut) = text.rfind(['/', '\\']) else {
        return (!text.is_empty()).then(|| comparison("file:name", text));
    };
    let (directory, name) = (&text[..cut], &text[cut + 1..]);
    if name.is_empty() {
        return None;
    }
    let directory = if directory.is_empty() { &text[..=cut] } else { directory };
    let parent = comparison("file:parent_directory_ref.path", directory);
    Some(format!("{} AND {parent}", comparison("file:name", name)))
}

fn hash(type_name: &str, algorithm: Algorithm, text: &str) -> Option<String> {
    let digest = algorithm.check(text.trim())?;
    Some(format!("{type_name}:hashes.{} = '{digest}'", algorithm.key()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Algorithm::{Md5, Sha256};

    #[test]
    fn names_are_sorted_and_found() {
        assert!(NAMES.is_sorted_by(|(left, _), (right, _)| left < right));
        assert_eq!(Kind::of_name("SHA256"), Some(Kind::FileHash(Sha256)));
        assert_eq!(Kind::of_name("md5_hash"), Some(Kind::FileHash(Md5)));
        assert_eq!(Kind::of_name("IP address "), Some(Kind::Address));
        assert_eq!(Kind::of_name("text"), None);
    }

    #[test]
    fn every_kind_has_its_pattern() {
        let md5 = "41898DAE353A85C04282979C44448BEB";
        let cases = [
            ("ip-dst", "38.9.8.78", "[ipv4-addr:value = '38.9.8.78']"),
            ("ip-src", "2001:DB8::0:1", "[ipv6-addr:value = '2001:db8::1']"),
            ("ip-src", "198.51.100.0/24", "[ipv4-addr:value ISSUBSET '198.51.100.0/24']"),
            ("ip-src", "198.51.100.7/32", "[ipv4-addr:value = '198.51.100.7']"),
            (
                "ip-dst|port",
                "198.51.100.7|443",
                "[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = \
                 '198.51.100.7' AND network-traffic:dst_port = 443]",
            ),
            (
                "ip-src|port",
                "[2001:db8::1]:443",
                "[network-traffic:src_ref.type = 'ipv6-addr' AND network-traffic:src_ref.value = \
                 '2001:db8::1' AND network-traffic:src_port = 443]",
            ),
            ("domain", "Evil.Example.", "[domain-name:value = 'evil.example']"),
            (
                "domain|ip",
                "evil.example|198.51.100.7",
                "[domain-name:value = 'evil.example' AND domain-name:resolves_to_refs[*].value = \
                 '198.51.100.7']",
            ),
            (
                "hostname|port",
                "evil.example|8080",
                "[network-traffic:dst_ref.type = 'domain-name' AND network-traffic:dst_ref.value = \
                 'evil.example' AND network-traffic:dst_port = 8080]",
            ),
            ("url", "http://evil.example/a'b", "[url:value = 'http://evil.example/a\\'b']"),
            (
                "url",
                "evil.example/a",
                "[url:value = 'http://evil.example/a' OR url:value = 'https://evil.example/a']",
            ),
            (
                "uri",
                "/gate.php?id=",
                "[network-traffic:extensions.'http-request-ext'.request_value = '/gate.php?id=']",
            ),
            ("email-src", "A@evil.example", "[email-message:from_ref.value = 'A@evil.example']"),
            ("email-dst", "a@evil.example", "[email-message:to_refs[*].value = 'a@evil.example']"),
            ("email-subject", "Get started", "[email-message:subject = 'Get started']"),
            ("filename", "kbdmai.dll", "[file:name = 'kbdmai.dll']"),
            ("filename", "/dev/.ctrl", "[file:name = '.ctrl' AND file:parent_directory_ref.path = '/dev']"),
            ("filename", "/init", "[file:name = 'init' AND file:parent_directory_ref.path = '/']"),
            (
                "filename",
                "%TEMP%\\a.exe",
                "[file:name = 'a.exe' AND file:parent_directory_ref.path = '%TEMP%']",
            ),
            ("md5", md5, "[file:hashes.MD5 = '41898dae353a85c04282979c44448beb']"),
            (
                "filename|md5",
                "a|b.doc|41898dae353a85c04282979c44448beb",
                "[file:name = 'a|b.doc' AND file:hashes.MD5 = '41898dae353a85c04282979c44448beb']",
            ),
            (
                "ssdeep",
                "96:s4Ud1Lj96tHHlZDrwciQmA:s4UDLj96tHHlZDr",
                "[file:hashes.SSDEEP = '96:s4Ud1Lj96tHHlZDrwciQmA:s4UDLj96tHHlZDr']",
            ),
            (
                "x509-fingerprint-sha1",
                "36:E6:67:1B:C4:39:7F:47:5A:35:09:05:D9:A6:49:A5:AD:E9:7B:B2",
                "[x509-certificate:hashes.'SHA-1' = '36e6671bc4397f475a350905d9a649a5ade97bb2']",
            ),
            ("mutex", "Global\\Bit", "[mutex:name = 'Global\\\\Bit']"),
            ("regkey", "HKLM\\A\\", "[windows-registry-key:key = 'HKEY_LOCAL_MACHINE\\\\A']"),
            (
                "regkey|value",
                "HKCU\\A|%TEMP%\\apis",
                "[windows-registry-key:key = 'HKEY_CURRENT_USER\\\\A' AND \
                 windows-registry-key:values[*].data = '%TEMP%\\\\apis']",
            ),
            ("AS", "AS174", "[autonomous-system:number = 174]"),
            ("mac-address", "00-0A-95-9D-68-16", "[mac-addr:value = '00:0a:95:9d:68:16']"),
            ("port", "443", "[network-traffic:dst_port = 443]"),
            ("yara", "rule a { condition: true }", "rule a { condition: true }"),
        ];
        for (name, value, want) in cases {
            let kind = Kind::of_name(name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(kind.pattern(value).as_deref(), Some(want), "{name} {value}");
        }
    }

    #[test]
    fn a_value_that_is_not_of_its_kind_has_no_pattern() {
        let cases = [
            ("ip-dst", "38.9.8.780"),
            ("ip-dst", "198.51.100.0/33"),
            ("ip-dst|port", "198.51.100.7|65536"),
            ("domain", "not a name"),
            ("domain|ip", "evil.example"),
            ("url", "evil.example"),
            ("uri", "nothing"),
            ("email-src", "nobody"),
            ("md5", "41898dae353a85c04282979c44448be"),
            ("sha1", "g6E6671BC4397F475A350905D9A649A5ADE97BB2"),
            ("filename", "C:\\Windows\\"),
            ("filename|md5", "41898dae353a85c04282979c44448beb"),
            ("AS", "ASé"),
            ("AS", "a€"),
            ("mac-address", "00:0a:95:9d:68"),
            ("port", "70000"),
            ("mutex", "  "),
        ];
        for (name, value) in cases {
            let kind = Kind::of_name(name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(kind.pattern(value), None, "{name} {value}");
        }
    }
}
