//! The `Authorization` header: HTTP Basic, which every TAXII 2.1 server and client must
//! know, and Bearer, which many prefer.
//!
//! What is read here is a claim, not an identity: nothing has been verified yet. Secrets sit in a
//! [`Secret`], which no `{:?}` prints.

use std::fmt;

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use thiserror::Error;

/// Writes the padding, and reads with or without it: some clients leave it out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A password or token. `Debug` shows nothing of it; compare it in constant time.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub fn new(secret: String) -> Self {
        Self(secret)
    }

    /// The secret itself, for whoever verifies or sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// What a caller shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// HTTP Basic (RFC 7617).
    Basic {
        /// The user's name: everything before the first colon.
        user: String,
        /// The rest, colons included.
        password: Secret,
    },
    /// A bearer token (RFC 6750), also an API key.
    Bearer {
        /// The token.
        token: Secret,
    },
}

/// Why an `Authorization` header could not be read. The header is never repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AuthorizationError {
    /// Neither Basic nor Bearer.
    #[error("unknown authentication scheme: use Basic or Bearer")]
    UnknownScheme,
    /// Not base64 of `user:password` in UTF-8.
    #[error("malformed Basic credentials: expected base64 of `user:password` in UTF-8")]
    MalformedBasic,
    /// An empty token, or one with characters that no token has.
    #[error("malformed Bearer credentials: expected one token")]
    MalformedBearer,
}

impl Credentials {
    /// Reads the header; no header is `Ok(None)`.
    ///
    /// # Errors
    ///
    /// Fails for other schemes and for what does not follow its scheme's syntax. All of it is a 401.
    pub fn parse(header: Option<&str>) -> Result<Option<Self>, AuthorizationError> {
        let Some(header) = header.map(str::trim).filter(|header| !header.is_empty()) else {
            return Ok(None);
        };
        let (scheme, value) = header.split_once(' ').unwrap_or((header, ""));
        let value = value.trim();
        // RFC 9110 §11.1: the scheme's case does not matter.
        if scheme.eq_ignore_ascii_case("basic") {
            Self::basic(value).map(Some).ok_or(AuthorizationError::MalformedBasic)
        } else if scheme.eq_ignore_ascii_case("bearer") {
            let is_token = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic());
            if !is_token {
                return Err(AuthorizationError::MalformedBearer);
            }
            Ok(Some(Self::Bearer { token: Secret::new(value.to_owned()) }))
        } else {
            Err(AuthorizationError::UnknownScheme)
        }
    }

    fn basic(value: &str) -> Option<Self> {
        let decoded = BASE64.decode(value).ok()?;
        let decoded = String::from_utf8(decoded).ok()?;
        let (user, password) = decoded.split_once(':')?;
        Some(Self::Basic { user: user.to_owned(), password: Secret::new(password.to_owned()) })
    }

    /// The header's value that shows these credentials: a secret, too.
    #[must_use]
    pub fn header_value(&self) -> Secret {
        Secret::new(match self {
            Self::Basic { user, password } => {
                let pair = format!("{user}:{}", password.expose());
                format!("Basic {}", BASE64.encode(pair))
            }
            Self::Bearer { token } => format!("Bearer {}", token.expose()),
        })
    }
}

/// The values of `WWW-Authenticate` that go with a 401, one header each (RFC 9110 §11.6.1).
#[must_use]
pub fn challenges(realm: &str) -> [String; 2] {
    // RFC 9110 §5.6.4: inside a quoted string, `"` and `\` are escaped; control characters have no place in it.
    let mut quoted = String::with_capacity(realm.len());
    for c in realm.chars().filter(|c| !c.is_control()) {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    [format!("Basic realm=\"{quoted}\", charset=\"UTF-8\""), format!("Bearer realm=\"{quoted}\"")]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(user: &str, password: &str) -> Credentials {
        Credentials::Basic { user: user.to_owned(), password: Secret::new(password.to_owned()) }
    }

    #[test]
    fn authorization_headers_are_read() {
        let bearer = Ok(Some(Credentials::Bearer { token: Secret::new("a.b-c_d~e+f/g==".to_owned()) }));
        let cases = [
            (None, Ok(None)),
            (Some(""), Ok(None)),
            (Some("Basic YWRhOnNlc2FtZQ=="), Ok(Some(basic("ada", "sesame")))),
            (Some("bAsIc  YWRhOnNlc2FtZQ"), Ok(Some(basic("ada", "sesame")))),
            (Some("Basic YWRhOmE6Yg=="), Ok(Some(basic("ada", "a:b")))),
            (Some("Basic YWRhOg=="), Ok(Some(basic("ada", "")))),
            (Some("Basic w6k6w6k="), Ok(Some(basic("é", "é")))),
            (Some("Bearer a.b-c_d~e+f/g=="), bearer.clone()),
            (Some("bearer a.b-c_d~e+f/g=="), bearer),
            (Some("Basic"), Err(AuthorizationError::MalformedBasic)),
            (Some("Basic YWRh"), Err(AuthorizationError::MalformedBasic)), // no colon
            (Some("Basic ada:sesame"), Err(AuthorizationError::MalformedBasic)),
            (Some("Basic /zr/"), Err(AuthorizationError::MalformedBasic)), // not UTF-8
            (Some("Bearer "), Err(AuthorizationError::MalformedBearer)),
            (Some("Bearer a b"), Err(AuthorizationError::MalformedBearer)),
            (Some("Digest x"), Err(AuthorizationError::UnknownScheme)),
            (Some("BasicYWRhOnNlc2FtZQ=="), Err(AuthorizationError::UnknownScheme)),
        ];
        for (header, want) in cases {
            assert_eq!(Credentials::parse(header), want, "{header:?}");
        }
    }

    #[test]
    fn what_is_sent_is_what_is_read() {
        for header in ["Basic YWRhOnNlc2FtZQ==", "Bearer token"] {
            let credentials = Credentials::parse(Some(header)).unwrap().unwrap();
            assert_eq!(credentials.header_value().expose(), header);
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        for header in ["Basic YWRhOnNlc2FtZQ==", "Bearer sesame"] {
            let shown = format!("{:?}", Credentials::parse(Some(header)));
            assert!(!shown.contains("sesame"), "{shown}");
        }
    }

    #[test]
    fn challenges_quote_the_realm() {
        let [basic, bearer] = challenges("an \"odd\"\r\n realm");
        assert_eq!(basic, r#"Basic realm="an \"odd\" realm", charset="UTF-8""#);
        assert_eq!(bearer, r#"Bearer realm="an \"odd\" realm""#);
    }
}
