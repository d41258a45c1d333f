//! URLs, as far as TAXII needs them: an origin and a path.
//!
//! Discovery names API roots by absolute URLs, by absolute paths, or by paths relative to itself
//! (TAXII 2.1 §4.1); a client must cope with all of them.

use ureq::http::Uri;

use crate::error::Error;

/// An absolute `http` or `https` URL without a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Scheme, host and port, in lower case, without the scheme's own port.
    origin: String,
    // INVARIANT: begins and ends with a slash, as every TAXII endpoint does.
    path: String,
}

impl Address {
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let refuse = |reason| Error::Url { url: text.to_owned(), reason };
        let uri: Uri = text.parse().map_err(|_| refuse("it is not a URL"))?;
        let scheme = uri.scheme_str().unwrap_or_default().to_ascii_lowercase();
        let default_port = match scheme.as_str() {
            "https" => 443,
            "http" => 80,
            _ => return Err(refuse("it does not begin with `https://` or `http://`")),
        };
        let authority = uri.authority().ok_or_else(|| refuse("it has no host"))?;
        if authority.as_str().contains('@') {
            // The text is not repeated: it holds a password.
            let url = format!("{scheme}://…@{}", authority.host());
            return Err(Error::Url { url, reason: "credentials belong into the options" });
        }
        if authority.host().is_empty() {
            return Err(refuse("it has no host"));
        }
        if uri.query().is_some() {
            return Err(refuse("it has a query"));
        }
        let host = authority.host().to_ascii_lowercase();
        let origin = match authority.port_u16() {
            Some(port) if port != default_port => format!("{scheme}://{host}:{port}"),
            Some(_) | None => format!("{scheme}://{host}"),
        };
        Ok(Self { origin, path: closed(uri.path()) })
    }

    /// What a reference found at this address points to (RFC 3986 §5.2, without dot segments).
    pub(crate) fn resolve(&self, reference: &str) -> Result<Self, Error> {
        if reference.contains("://") {
            return Self::parse(reference);
        }
        if reference.starts_with("//") {
            let scheme = self.origin.split_once("//").map_or("https:", |(scheme, _)| scheme);
            return Self::parse(&format!("{scheme}{reference}"));
        }
        if reference.starts_with('/') {
            return Self::parse(&format!("{}{reference}", self.origin));
        }
        Self::parse(&format!("{self}{reference}"))
    }

    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    pub(crate) fn is_bare(&self) -> bool {
        self.path == "/"
    }

    /// A fixed part of the protocol below this address.
    pub(crate) fn endpoint(&self, name: &'static str) -> Self {
        Self { origin: self.origin.clone(), path: format!("{}{name}/", self.path) }
    }

    /// Something with an id below this address. The id is encoded, so that it stays one segment.
    pub(crate) fn item(&self, id: &str) -> Result<Self, Error> {
        // RFC 3986 §6.2.2.3: dot segments lead elsewhere however they are encoded; an empty one leads nowhere.
        if matches!(id, "" | "." | "..") {
            return Err(Error::Url { url: format!("{self}{id}"), reason: "that is no id" });
        }
        let id = taxii::encode_component(id);
        Ok(Self { origin: self.origin.clone(), path: format!("{}{id}/", self.path) })
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.origin, self.path)
    }
}

fn closed(path: &str) -> String {
    if path.ends_with('/') { path.to_owned() } else { format!("{path}/") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_normalised() {
        let cases = [
            ("https://A.Example", "https://a.example/"),
            ("https://a.example:443/taxii2", "https://a.example/taxii2/"),
            ("http://a.example:80/x/", "http://a.example/x/"),
            ("http://a.example:443/x/", "http://a.example:443/x/"),
            ("http://[::1]:8080/x", "http://[::1]:8080/x/"),
        ];
        for (text, want) in cases {
            assert_eq!(Address::parse(text).unwrap().to_string(), want, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in
            ["", "a.example", "/taxii2/", "ftp://a.example/", "https://", "https:///x", "https://a/?q"]
        {
            assert!(Address::parse(text).is_err(), "{text}");
        }
        let refusal = Address::parse("https://ada:sesame@a.example/").unwrap_err().to_string();
        assert!(!refusal.contains("sesame"), "{refusal}");
    }

    #[test]
    fn references_are_resolved() {
        let discovery = Address::parse("https://a.example/taxii2/").unwrap();
        let cases = [
            ("/root/", "https://a.example/root/"),
            ("/root", "https://a.example/root/"),
            ("root/", "https://a.example/taxii2/root/"),
            ("https://b.example/root/", "https://b.example/root/"),
            ("//b.example:8443/root/", "https://b.example:8443/root/"),
        ];
        for (reference, want) in cases {
            assert_eq!(discovery.resolve(reference).unwrap().to_string(), want, "{reference}");
        }
    }

    #[test]
    fn ids_cannot_leave_their_place() {
        let objects = Address::parse("https://a.example/root/").unwrap().endpoint("objects");
        let item = objects.item("../../x?y#z").unwrap().endpoint("versions");
        assert_eq!(item.to_string(), "https://a.example/root/objects/..%2F..%2Fx%3Fy%23z/versions/");
        for id in ["", ".", ".."] {
            assert!(objects.item(id).is_err(), "{id}");
        }
    }
}
