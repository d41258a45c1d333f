//! Who the provider is, and which addresses are its own.

use http::Uri;

use crate::error::Error;

/// The longest address. Nobody has a use for longer ones.
const URL_BYTES_MAX: usize = 2_000;

/// An issuer: an `https` URL without query and fragment (OpenID Connect Core 1.0 §1.2), compared as it is written.
///
/// `http` is for a provider on this machine only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    // INVARIANT: as it was configured; the standard compares issuers letter by letter.
    text: String,
    origin: String,
}

impl Issuer {
    /// Reads what was configured.
    ///
    /// # Errors
    ///
    /// Refuses what is no issuer.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let refuse = |reason| Error::Address { url: text.to_owned(), reason };
        let (origin, uri) = origin_of(text)?;
        if uri.query().is_some() {
            return Err(refuse("an issuer has no query"));
        }
        Ok(Self { text: text.to_owned(), origin })
    }

    /// As it was configured.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Where it describes itself (OpenID Connect Discovery 1.0 §4).
    #[must_use]
    pub fn discovery_url(&self) -> String {
        format!("{}/.well-known/openid-configuration", self.text.trim_end_matches('/'))
    }

    /// An address that the provider names, if it is one of its own: of the same scheme, host and port. Whoever could make
    /// the provider name another one would have us ask that one, from inside our own network.
    pub(crate) fn own(&self, url: &str) -> Result<String, Error> {
        let (origin, _) = origin_of(url)?;
        if origin != self.origin {
            let reason = "it does not lie at the issuer's own scheme, host and port";
            return Err(Error::Address { url: url.to_owned(), reason });
        }
        Ok(url.to_owned())
    }
}

/// Scheme, host and port of a URL that may be asked at all.
fn origin_of(text: &str) -> Result<(String, Uri), Error> {
    let refuse = |reason| Error::Address { url: text.chars().take(URL_BYTES_MAX).collect(), reason };
    if text.len() > URL_BYTES_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(refuse("it is not a URL"));
    }
    // The parser takes a scheme in capitals too; here an address has one spelling.
    if !text.starts_with("https://") && !text.starts_with("http://") {
        return Err(refuse("only `https` is asked, or `http` on this machine"));
    }
    if text.contains('#') {
        return Err(refuse("it has a fragment"));
    }
    let uri: Uri = text.parse().map_err(|_| refuse("it is not a URL"))?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(refuse("it is not a URL"));
    };
    if authority.as_str().contains('@') {
        return Err(refuse("it has credentials in it"));
    }
    let host = authority.host().to_ascii_lowercase();
    let default_port = match scheme {
        "https" => 443,
        "http" if is_loopback(&host) => 80,
        _ => return Err(refuse("only `https` is asked, or `http` on this machine")),
    };
    if host.is_empty() {
        return Err(refuse("it has no host"));
    }
    Ok((format!("{scheme}://{host}:{}", authority.port_u16().unwrap_or(default_port)), uri))
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether a URL is one of plain HTTP on this machine: the only one for which encryption may be missing.
#[must_use]
pub fn is_plain_loopback(url: &str) -> bool {
    url.starts_with("http://") && origin_of(url).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_encrypted_or_on_this_machine() {
        let long = format!("https://login.example/{}", "x".repeat(URL_BYTES_MAX));
        let cases = [
            ("https://login.example", true),
            ("https://login.example/realms/csirt/", true),
            ("http://127.0.0.1:8080/realms/csirt", true),
            ("http://[::1]:8080", true),
            ("http://localhost:8080", true),
            ("http://login.example", false),
            ("HTTP://127.0.0.1", false),
            ("http://127.0.0.1.evil.example", false),
            ("http://localhost.evil.example", false),
            ("http://2130706433.example", false),
            ("https://login.example?tenant=1", false),
            ("https://login.example#x", false),
            ("https://user:pw@login.example", false),
            ("https://", false),
            ("https:login.example", false),
            ("file:///etc/passwd", false),
            ("gopher://127.0.0.1", false),
            ("/realms", false),
            ("", false),
            ("https://login.example/a b", false),
            (&long, false),
        ];
        for (text, want) in cases {
            assert_eq!(Issuer::parse(text).is_ok(), want, "{text}");
        }
    }

    #[test]
    fn only_what_lies_at_the_issuer_is_asked() {
        let issuer = Issuer::parse("https://login.example/realms/csirt").unwrap();
        assert_eq!(
            issuer.discovery_url(),
            "https://login.example/realms/csirt/.well-known/openid-configuration"
        );
        for good in ["https://login.example/token", "https://LOGIN.example:443/x?y=z"] {
            assert_eq!(issuer.own(good).as_deref(), Ok(good));
        }
        for bad in [
            "http://login.example/token",
            "https://login.example:8443/token",
            "https://login.example.evil.example/token",
            "https://login.example@evil.example/token",
            "https://169.254.169.254/latest",
            "http://127.0.0.1/admin",
            "//login.example/token",
            "/token",
        ] {
            assert!(issuer.own(bad).is_err(), "{bad}");
        }
        assert!(is_plain_loopback("http://127.0.0.1:1/x") && !is_plain_loopback("https://127.0.0.1/x"));
        assert!(!is_plain_loopback("http://hub.example"));
    }
}
