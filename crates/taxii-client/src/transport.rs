//! One request, one answer: headers, limits, and what counts as an answer.

use std::{fmt, sync::Arc, time::Duration};

use serde::de::DeserializeOwned;
use taxii::{Credentials, ErrorResource, MEDIA_TYPE, Secret};
use ureq::{
    Agent, Body, Proxy, RequestBuilder,
    config::RedirectAuthHeaders,
    http::{HeaderMap, Response, StatusCode, header},
    tls::{PemItem, RootCerts, TlsConfig, parse_pem},
};

use crate::{address::Address, error::Error};

/// The longest piece of a server's words that goes into an error.
const TITLE_CHARS_MAX: usize = 200;

/// How to talk to a server.
#[derive(Clone)]
pub struct Options {
    /// Shown to the client's own origin only.
    pub credentials: Option<Credentials>,
    /// The whole of one request, from name resolution to the last byte.
    pub timeout: Duration,
    /// The greatest answer that is read, uncompressed.
    pub body_size_max_bytes: u64,
    /// What the client calls itself.
    pub user_agent: String,
    /// Certificates in PEM to trust *instead of* the well-known authorities.
    pub trusted_certificates_pem: Option<Vec<u8>>,
    /// A proxy such as `http://proxy.example:3128`.
    pub proxy: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            credentials: None,
            // A page of 100 MiB at 1 MiB/s needs less.
            timeout: Duration::from_mins(2),
            // Ten times the 10 MiB that servers commonly take as a request.
            body_size_max_bytes: 100 << 20,
            user_agent: concat!("taxii-client/", env!("CARGO_PKG_VERSION")).to_owned(),
            trusted_certificates_pem: None,
            proxy: None,
        }
    }
}

#[derive(Clone)]
pub(crate) struct Transport {
    agent: Agent,
    /// The only origin that sees the credentials.
    origin: String,
    authorization: Option<Secret>,
    body_size_max_bytes: u64,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// A successful answer.
pub(crate) struct Answer {
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Transport {
    pub(crate) fn new(home: &Address, options: &Options) -> Result<Self, Error> {
        let proxy = options.proxy.as_deref().map(Proxy::new).transpose();
        let proxy = proxy.map_err(|error| Error::Option { option: "proxy", reason: error.to_string() })?;
        let tls = match &options.trusted_certificates_pem {
            Some(pem) => TlsConfig::builder().root_certs(trusted(pem)?).build(),
            None => TlsConfig::default(),
        };
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(options.timeout))
            .redirect_auth_headers(RedirectAuthHeaders::SameHost)
            .user_agent(options.user_agent.as_str())
            .tls_config(tls)
            .proxy(proxy)
            .build()
            .new_agent();
        Ok(Self {
            agent,
            origin: home.origin().to_owned(),
            authorization: options.credentials.as_ref().map(Credentials::header_value),
            body_size_max_bytes: options.body_size_max_bytes,
        })
    }

    pub(crate) fn get(&self, address: &Address, query: &str) -> Result<Answer, Error> {
        let url = with_query(address, query);
        let request = self.prepare(self.agent.get(&url), address);
        self.finish(request.call(), url)
    }

    pub(crate) fn post(&self, address: &Address, body: &[u8]) -> Result<Answer, Error> {
        let url = address.to_string();
        let request = self.prepare(self.agent.post(&url), address).content_type(MEDIA_TYPE);
        // A body is sent once, to where it was meant to go.
        self.finish(request.config().max_redirects(0).build().send(body), url)
    }

    pub(crate) fn delete(&self, address: &Address, query: &str) -> Result<Answer, Error> {
        let url = with_query(address, query);
        let request = self.prepare(self.agent.delete(&url), address);
        self.finish(request.config().max_redirects(0).build().call(), url)
    }

    fn prepare<B>(&self, request: RequestBuilder<B>, address: &Address) -> RequestBuilder<B> {
        let request = request.header(header::ACCEPT, MEDIA_TYPE);
        match &self.authorization {
            Some(value) if address.origin() == self.origin => {
                request.header(header::AUTHORIZATION, value.expose())
            }
            Some(_) | None => request,
        }
    }

    fn finish(&self, response: Result<Response<Body>, ureq::Error>, url: String) -> Result<Answer, Error> {
        let read = |response: Response<Body>| {
            let (head, body) = response.into_parts();
            let body = body.into_with_config().limit(self.body_size_max_bytes).read_to_vec()?;
            Ok((head, body))
        };
        let (head, body) = response.and_then(read).map_err(|error| {
            if matches!(error, ureq::Error::BodyExceedsLimit(_)) {
                Error::TooLarge { url: url.clone(), body_size_max_bytes: self.body_size_max_bytes }
            } else {
                Error::Transport { url: url.clone(), source: Box::new(error) }
            }
        })?;
        if !head.status.is_success() {
            return Err(refusal(url, head.status, &head.headers, &body));
        }
        let content_type = text_of(&head.headers, header::CONTENT_TYPE.as_str());
        // A delete has nothing to say.
        if !body.is_empty() && taxii::content_type_ok(content_type).is_err() {
            let content_type = printable(content_type.unwrap_or("no content type"));
            return Err(Error::WrongContentType { url, content_type });
        }
        Ok(Answer { url, headers: head.headers, body })
    }
}

impl Answer {
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body)
            .map_err(|source| Error::Malformed { url: self.url.clone(), source })
    }
}

/// A header's value, if it is text.
pub(crate) fn text_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn refusal(url: String, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
    // Whatever the content type says: a proxy's page is no error resource, and a sloppy server's may be.
    let resource: Option<ErrorResource> = serde_json::from_slice(body).ok();
    let (title, description) = resource.map_or((None, None), |resource| {
        (Some(printable(&resource.title)), resource.description.as_deref().map(printable))
    });
    if status == StatusCode::UNAUTHORIZED {
        let offers: Vec<String> = headers
            .get_all(header::WWW_AUTHENTICATE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .map(printable)
            .collect();
        let challenges = if offers.is_empty() { "nothing".to_owned() } else { offers.join(", ") };
        return Error::Unauthorized { url, challenges, title };
    }
    let retry_after_seconds =
        text_of(headers, header::RETRY_AFTER.as_str()).and_then(|value| value.trim().parse().ok());
    Error::Refused { url, status: status.as_u16(), title, description, retry_after_seconds }
}

/// A stranger's words, fit for a terminal.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(TITLE_CHARS_MAX).collect()
}

fn with_query(address: &Address, query: &str) -> String {
    if query.is_empty() { address.to_string() } else { format!("{address}?{query}") }
}

fn trusted(pem: &[u8]) -> Result<RootCerts, Error> {
    let refuse = |reason: String| Error::Option { option: "trusted_certificates_pem", reason };
    let mut certificates = Vec::new();
    for item in parse_pem(pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| refuse(error.to_string()))? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(refuse("it has no certificate".to_owned()));
    }
    Ok(RootCerts::Specific(Arc::new(certificates)))
}
