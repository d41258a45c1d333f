//! How a provider describes itself (OpenID Connect Discovery 1.0 §3).

use serde::Deserialize;

use crate::error::Error;
use crate::issuer::Issuer;

/// What a provider says of itself, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    pub(crate) authorization_endpoint: String,
    pub(crate) token_endpoint: String,
    pub(crate) keys: String,
    /// Where one signs out (OpenID Connect RP-Initiated Logout 1.0 §2.1).
    pub(crate) end_session_endpoint: Option<String>,
    pub(crate) takes_secret: TakesSecret,
    /// Whether the way back always names the issuer (RFC 9207 §3).
    pub(crate) names_itself: bool,
}

/// How a provider takes the client's secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TakesSecret {
    /// `client_secret_basic`, in a header.
    Basic,
    /// `client_secret_post`, in the form.
    Post,
    Neither,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    end_session_endpoint: Option<String>,
    response_types_supported: Option<Vec<String>>,
    id_token_signing_alg_values_supported: Option<Vec<String>>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    code_challenge_methods_supported: Option<Vec<String>>,
    authorization_response_iss_parameter_supported: Option<bool>,
}

impl Metadata {
    /// Reads a description that came from the issuer's place for it.
    ///
    /// # Errors
    ///
    /// Refuses one of another issuer, with addresses elsewhere, or of a provider that cannot do what is needed.
    pub fn parse(bytes: &[u8], issuer: &Issuer) -> Result<Self, Error> {
        let refuse = |reason: String| Error::Document { url: issuer.discovery_url(), reason };
        let document: Document = serde_json::from_slice(bytes).map_err(|error| refuse(error.to_string()))?;
        // §4.3: exactly the same, or a provider could speak for another one.
        if document.issuer != issuer.as_str() {
            let named: String = document.issuer.chars().take(200).collect();
            return Err(refuse(format!("it describes the issuer `{named}`")));
        }
        let lacks = |list: &Option<Vec<String>>, wanted: &[&str]| {
            list.as_ref()
                .is_some_and(|list| !list.iter().any(|has| wanted.iter().any(|wanted| has == wanted)))
        };
        let needs = [
            (&document.response_types_supported, &["code"][..], "the authorisation code flow"),
            (&document.id_token_signing_alg_values_supported, &["RS256", "ES256"], "RS256 and ES256"),
            (&document.code_challenge_methods_supported, &["S256"], "PKCE with S256"),
        ];
        for (list, wanted, name) in needs {
            if lacks(list, wanted) {
                return Err(refuse(format!("the provider lacks {name}")));
            }
        }
        let methods = &document.token_endpoint_auth_methods_supported;
        // §3: if it is left out, `client_secret_basic`.
        let takes_secret = if !lacks(methods, &["client_secret_basic"]) {
            TakesSecret::Basic
        } else if !lacks(methods, &["client_secret_post"]) {
            TakesSecret::Post
        } else {
            TakesSecret::Neither
        };
        // Nobody has to be able to sign out there.
        let end_session_endpoint = document.end_session_endpoint.and_then(|url| issuer.own(&url).ok());
        Ok(Self {
            authorization_endpoint: issuer.own(&document.authorization_endpoint)?,
            token_endpoint: issuer.own(&document.token_endpoint)?,
            keys: issuer.own(&document.jwks_uri)?,
            end_session_endpoint,
            takes_secret,
            names_itself: document.authorization_response_iss_parameter_supported.unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn document() -> Value {
        json!({
            "issuer": "https://login.example",
            "authorization_endpoint": "https://login.example/authorize?tenant=1",
            "token_endpoint": "https://login.example/token",
            "jwks_uri": "https://login.example/keys",
            "end_session_endpoint": "https://login.example/end",
            "response_types_supported": ["code", "id_token"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "something_else": {"of": "theirs"},
        })
    }

    fn with(name: &str, value: Value) -> Result<Metadata, Error> {
        let mut document = document();
        document[name] = value;
        let issuer = Issuer::parse("https://login.example").unwrap();
        Metadata::parse(document.to_string().as_bytes(), &issuer)
    }

    #[test]
    fn a_description_is_of_the_issuer_and_names_its_own_addresses() {
        let read = with("issuer", json!("https://login.example")).unwrap();
        assert_eq!(read.takes_secret, TakesSecret::Basic);
        assert!(!read.names_itself);
        let bad = [
            ("issuer", json!("https://login.example/")),
            ("issuer", json!("https://evil.example")),
            ("authorization_endpoint", json!("https://evil.example/authorize")),
            ("token_endpoint", json!("http://169.254.169.254/token")),
            ("token_endpoint", json!("http://login.example/token")),
            ("jwks_uri", json!("file:///etc/passwd")),
            ("jwks_uri", Value::Null),
            ("response_types_supported", json!(["id_token"])),
            ("id_token_signing_alg_values_supported", json!(["none", "HS256"])),
            ("code_challenge_methods_supported", json!(["plain"])),
        ];
        for (name, value) in bad {
            assert!(with(name, value.clone()).is_err(), "{name}: {value}");
        }
    }

    #[test]
    fn what_is_optional_is() {
        let elsewhere = with("end_session_endpoint", json!("https://evil.example/end")).unwrap();
        assert_eq!(elsewhere.end_session_endpoint, None);
        let methods = "token_endpoint_auth_methods_supported";
        let cases = [
            (json!(["client_secret_post"]), TakesSecret::Post),
            (json!(["private_key_jwt", "client_secret_basic"]), TakesSecret::Basic),
            (json!(["private_key_jwt"]), TakesSecret::Neither),
        ];
        for (value, want) in cases {
            assert_eq!(with(methods, value).unwrap().takes_secret, want);
        }
    }
}
