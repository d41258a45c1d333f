//! What is read in a client's certificate: who it is for, by whom, and when.
//!
//! Names are written as RFC 4514 has them, the last part first, so that equal names have equal texts and different names
//! different ones: a comma that belongs to a value is escaped, and a value that is no text is written in hex.
//!
//! ```text
//! C=XX, O=Alpha, CN=feed     ->  CN=feed,O=Alpha,C=XX
//! CN="feed,O=Beta"           ->  CN=feed\,O\=Beta
//! ```

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use exchange::PresentedCertificate;
use model::Timestamp;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// Why a file holds no certificate that a credential can be.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// It is no PEM, or has no certificate in it.
    #[error("there is no certificate in PEM in it")]
    Missing,
    /// It cannot be read.
    #[error("its first certificate cannot be read")]
    Unreadable,
}

/// Reads the first certificate of a PEM file.
///
/// # Errors
///
/// Fails if there is none, or it cannot be read.
pub fn certificate_in_pem(pem: &[u8]) -> Result<PresentedCertificate, CertificateError> {
    let certificate = CertificateDer::from_pem_slice(pem).map_err(|_| CertificateError::Missing)?;
    read_certificate(&certificate).ok_or(CertificateError::Unreadable)
}

/// Reads a certificate; `None` if it cannot be, or has bytes behind its end.
pub(crate) fn read_certificate(certificate: &CertificateDer<'_>) -> Option<PresentedCertificate> {
    let (rest, parsed) = X509Certificate::from_der(certificate).ok()?;
    if !rest.is_empty() {
        return None;
    }
    let instant = |seconds: i64| Timestamp::from_micros(seconds.saturating_mul(1_000_000));
    let alternatives = parsed.subject_alternative_name().ok()?;
    let names = alternatives.iter().flat_map(|names| &names.value.general_names);
    Some(PresentedCertificate {
        sha256: hex::encode(Sha256::digest(certificate)),
        issuer: name(parsed.issuer()),
        subject: name(parsed.subject()),
        alternative_names: names.filter_map(alternative_name).collect(),
        not_before: instant(parsed.validity().not_before.timestamp()),
        not_after: instant(parsed.validity().not_after.timestamp()),
    })
}

/// A distinguished name as RFC 4514 §2 writes it.
fn name(name: &X509Name<'_>) -> String {
    let parts: Vec<_> = name.iter_rdn().collect();
    let part = |part: &_| {
        let part: &x509_parser::x509::RelativeDistinguishedName<'_> = part;
        part.iter().map(attribute).collect::<Vec<_>>().join("+")
    };
    parts.into_iter().rev().map(part).collect::<Vec<_>>().join(",")
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let oid = attribute.attr_type().to_id_string();
    // RFC 4514 §3; what it has no name for is written by its number.
    let kind = match oid.as_str() {
        "2.5.4.3" => "CN",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "STREET",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "0.9.2342.19200300.100.1.1" => "UID",
        "0.9.2342.19200300.100.1.25" => "DC",
        other => other,
    };
    match attribute.as_str() {
        Ok(text) => format!("{kind}={}", escaped(text)),
        Err(_) => format!("{kind}=#{}", hex::encode(attribute.as_slice())),
    }
}

/// RFC 4514 §2.4.
fn escaped(text: &str) -> String {
    let last = text.chars().count().saturating_sub(1);
    let mut escaped = String::with_capacity(text.len());
    for (at, c) in text.chars().enumerate() {
        let is_special = matches!(c, '"' | '+' | ',' | ';' | '<' | '=' | '>' | '\\')
            || (at == 0 && matches!(c, ' ' | '#'))
            || (at == last && c == ' ');
        if is_special {
            escaped.push('\\');
        }
        if c.is_control() {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                // Writing to a String does not fail.
                write!(escaped, "\\{byte:02x}").unwrap_or_default();
            }
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// A subject alternative name, with its kind before it.
fn alternative_name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(format!("dns:{}", name.to_ascii_lowercase())),
        GeneralName::RFC822Name(address) => Some(format!("email:{address}")),
        GeneralName::URI(uri) => Some(format!("uri:{uri}")),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(|bytes| IpAddr::from(Ipv4Addr::from(bytes)));
            let v6 = <[u8; 16]>::try_from(*bytes).map(|bytes| IpAddr::from(Ipv6Addr::from(bytes)));
            v4.or(v6).ok().map(|address| format!("ip:{address}"))
        }
        GeneralName::OtherName(..)
        | GeneralName::X400Address(_)
        | GeneralName::DirectoryName(_)
        | GeneralName::EDIPartyName(_)
        | GeneralName::RegisteredID(_)
        | GeneralName::Invalid(..) => None,
    }
}

#[cfg(test)]
mod tests {
    use testkit::certificates::{Authority, Wanted};

    use super::*;

    #[test]
    fn names_are_written_so_that_different_ones_differ() {
        let cases = [
            ("feed", "feed"),
            ("feed,O=Beta", "feed\\,O\\=Beta"),
            (" two words ", "\\ two words\\ "),
            ("#beef", "\\#beef"),
            ("a\\b\"c", "a\\\\b\\\"c"),
            ("line\nbreak", "line\\0abreak"),
            ("Größe", "Größe"),
        ];
        for (text, want) in cases {
            assert_eq!(escaped(text), want, "{text:?}");
        }
    }

    #[test]
    fn a_certificate_tells_who_it_is_for() {
        let authority = Authority::new("Sector CA");
        let wanted = Wanted { names: &["Feed.Alpha.example", "192.0.2.7"], ..Wanted::new("feed,O=Beta") };
        let read = certificate_in_pem(authority.issue(&wanted).certificate.as_bytes()).unwrap();
        assert_eq!(read.issuer, "CN=Sector CA");
        assert_eq!(read.subject, "CN=feed\\,O\\=Beta");
        assert_eq!(read.alternative_names, ["dns:feed.alpha.example", "ip:192.0.2.7"]);
        assert_eq!(read.sha256.len(), 64);
        assert!(read.not_before < read.not_after);
        assert!(certificate_in_pem(b"no certificate").is_err());
    }
}
