//! The administration API, called from here.
//!
//! Small on purpose: one function for each method, bytes in and bytes out, and one error that says what the hub said.
//! The shapes of the answers are read where they are used.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::de::DeserializeOwned;
use serde_json::Value;
use taxii::{Credentials, Secret};
use thiserror::Error;
use ureq::Agent;
use ureq::http::{Response, StatusCode, header};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

/// The whole of one request. Publishing a large envelope to a busy hub takes seconds.
const TIMEOUT: Duration = Duration::from_mins(2);
/// The largest answer that is read: `ledger holds` of a member with millions of objects.
const BODY_SIZE_MAX_BYTES: u64 = 1 << 30;

/// How many entries of a list are asked for at once: as many as a hub answers with.
const PAGE: usize = 1_000;

/// Why the hub did not do what it was asked.
#[derive(Debug, Error)]
pub(crate) enum ApiError {
    /// There was no answer.
    #[error("no answer from `{url}`: {source}")]
    Transport { url: String, source: Box<ureq::Error> },
    /// The answer is a refusal.
    #[error("{}", refusal(*.status, .title, .description.as_deref()))]
    Refused { status: u16, title: String, description: Option<String>, retry_after_seconds: Option<u64> },
    /// The answer makes no sense.
    #[error("`{url}` did not answer as a hub does: {source}")]
    Malformed { url: String, source: serde_json::Error },
}

fn refusal(status: u16, title: &str, description: Option<&str>) -> String {
    let remedy = match status {
        401 => " (is the token right, and not expired or revoked?)",
        _ => "",
    };
    let description =
        description.filter(|text| *text != title).map(|text| format!(": {text}")).unwrap_or_default();
    format!("the hub answered {status}, {title}{description}{remedy}")
}

impl ApiError {
    /// Whether the same request may succeed later: the hub was not there, overloaded, or being stopped.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Transport { .. } => true,
            Self::Refused { status, .. } => matches!(status, 429 | 500 | 502 | 503 | 504),
            Self::Malformed { .. } => false,
        }
    }
}

/// A hub.
#[derive(Clone)]
pub(crate) struct Api {
    agent: Agent,
    // INVARIANT: ends without a slash.
    base: String,
    token: Option<String>,
    certificates_pem: Option<Vec<u8>>,
}

impl Api {
    pub(crate) fn new(url: &str, token: Option<String>, certificates_pem: Option<&[u8]>) -> Result<Self> {
        if !url.starts_with("http://") && !url.starts_with("https://") {
            bail!("`{url}` is no address of a hub; it begins with https:// or http://");
        }
        let tls = match certificates_pem {
            Some(pem) => TlsConfig::builder().root_certs(trusted(pem)?).build(),
            None => TlsConfig::default(),
        };
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(TIMEOUT))
            .user_agent(concat!("ringfence/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .build()
            .new_agent();
        let base = url.trim_end_matches('/').to_owned();
        Ok(Self { agent, base, token, certificates_pem: certificates_pem.map(<[u8]>::to_vec) })
    }

    /// The same hub with the same credential, as a TAXII client.
    pub(crate) fn taxii(&self) -> Result<taxii_client::Client, taxii_client::Error> {
        let credentials = self.token.clone().map(|token| Credentials::Bearer { token: Secret::new(token) });
        let trusted_certificates_pem = self.certificates_pem.clone();
        let options = taxii_client::Options { credentials, trusted_certificates_pem, ..Default::default() };
        taxii_client::Client::new(&self.base, &options)
    }

    /// The hub's address.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        let url = self.url(path);
        let bytes = self.get_bytes(path)?;
        read(&url, &bytes)
    }

    /// The whole of a list that comes in pages; each goes on after what `key` gives of the last entry.
    pub(crate) fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        key: impl Fn(&T) -> String,
    ) -> Result<Vec<T>, ApiError> {
        let mut all: Vec<T> = Vec::new();
        loop {
            let after = all.last().map_or_else(String::new, |last| format!("&after={}", segment(key(last))));
            let page: Vec<T> = self.get(&format!("{path}?limit={PAGE}{after}"))?;
            let is_last = page.len() < PAGE;
            all.extend(page);
            if is_last {
                return Ok(all);
            }
        }
    }

    /// The bytes of a resource; `None` if it is not there.
    pub(crate) fn fetch(&self, path: &str) -> Result<Option<Vec<u8>>, ApiError> {
        match self.get_bytes(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(ApiError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn get_bytes(&self, path: &str) -> Result<Vec<u8>, ApiError> {
        let url = self.url(path);
        let mut request = self.agent.get(&url);
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        finish(&url, request.call())
    }

    pub(crate) fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, ApiError> {
        self.post_bytes(path, body.to_string().as_bytes())
    }

    pub(crate) fn post_bytes<T: DeserializeOwned>(&self, path: &str, body: &[u8]) -> Result<T, ApiError> {
        let url = self.url(path);
        let mut request = self.agent.post(&url).content_type("application/json");
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let bytes = finish(&url, request.send(body))?;
        read(&url, &bytes)
    }

    pub(crate) fn patch<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, ApiError> {
        let url = self.url(path);
        let mut request = self.agent.patch(&url).content_type("application/json");
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let bytes = finish(&url, request.send(body.to_string().as_bytes()))?;
        read(&url, &bytes)
    }

    pub(crate) fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        let url = self.url(path);
        let mut request = self.agent.delete(&url);
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let bytes = finish(&url, request.call())?;
        read(&url, &bytes)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

/// One segment of a path, encoded so that it stays one.
pub(crate) fn segment(text: impl Display) -> String {
    taxii::encode_component(&text.to_string())
}

fn read<T: DeserializeOwned>(url: &str, bytes: &[u8]) -> Result<T, ApiError> {
    // A DELETE may answer with nothing at all.
    let bytes = if bytes.is_empty() { b"null" } else { bytes };
    serde_json::from_slice(bytes).map_err(|source| ApiError::Malformed { url: url.to_owned(), source })
}

fn finish(url: &str, response: Result<Response<ureq::Body>, ureq::Error>) -> Result<Vec<u8>, ApiError> {
    let read = |response: Response<ureq::Body>| {
        let (head, body) = response.into_parts();
        let bytes = body.into_with_config().limit(BODY_SIZE_MAX_BYTES).read_to_vec()?;
        Ok((head, bytes))
    };
    let (head, bytes) = response
        .and_then(read)
        .map_err(|source| ApiError::Transport { url: url.to_owned(), source: Box::new(source) })?;
    if head.status.is_success() {
        return Ok(bytes);
    }
    let retry =
        head.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    Err(refused(head.status, &bytes, retry))
}

fn refused(status: StatusCode, body: &[u8], retry_after_seconds: Option<u64>) -> ApiError {
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    let words = |name: &str| said.get(name).and_then(Value::as_str).map(printable);
    let title =
        words("title").unwrap_or_else(|| status.canonical_reason().unwrap_or("no reason given").to_owned());
    ApiError::Refused {
        status: status.as_u16(),
        title,
        description: words("description"),
        retry_after_seconds,
    }
}

/// A stranger's words, fit for a terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(500).collect()
}

fn trusted(pem: &[u8]) -> Result<RootCerts> {
    let mut certificates = Vec::new();
    for item in parse_pem(pem) {
        if let PemItem::Certificate(certificate) = item.context("reading the certificates to trust")? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        bail!("the file with the certificates to trust has none");
    }
    Ok(RootCerts::Specific(Arc::new(certificates)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_the_hub_said() {
        let body =
            br#"{"title":"not allowed","description":"only an operator may do this","http_status":"403"}"#;
        let error = refused(StatusCode::FORBIDDEN, body, None);
        assert_eq!(error.to_string(), "the hub answered 403, not allowed: only an operator may do this");
        assert!(!error.is_passing());
        let error = refused(StatusCode::SERVICE_UNAVAILABLE, b"<html>", Some(3));
        assert_eq!(error.to_string(), "the hub answered 503, Service Unavailable");
        assert!(error.is_passing());
    }

    #[test]
    fn an_address_begins_with_its_scheme() {
        assert!(Api::new("hub.example", None, None).is_err());
        let api = Api::new("https://hub.example/", None, None).unwrap();
        assert_eq!(api.url("/api/status"), "https://hub.example/api/status");
    }
}
