//! The hub's own API, as far as a guard needs it.

use std::fmt;
use std::io::Read;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use taxii::{Credentials, Secret};
use thiserror::Error;
use ureq::Agent;
use ureq::http::{Response, StatusCode, header};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

/// What the guard calls itself.
pub(crate) const USER_AGENT: &str = concat!("ringfence-guard/", env!("CARGO_PKG_VERSION"));
/// The whole of a short request.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest part of a stream that one connection carries. A connection that died without a word is noticed by then.
const STREAM_MAX: Duration = Duration::from_mins(5);
/// The greatest answer to a short request.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// Why the hub did not do what it was asked to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HubError {
    /// It said no, and means it.
    #[error("{0}")]
    Refused(String),
    /// It has no place for this now.
    #[error("{0}")]
    Busy(String),
    /// It could not be reached, or failed.
    #[error("{0}")]
    Failed(String),
}

/// As whom the hub knows the guard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Me {
    /// The member.
    #[serde(default)]
    pub principal: Value,
    /// How long the hub allows to act without hearing from it.
    #[serde(default)]
    pub lease_seconds: Option<u64>,
    /// The programme.
    #[serde(default)]
    pub programme: Option<Programme>,
}

/// A programme, as it names itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Programme {
    /// The STIX identity under which it publishes.
    pub identity: String,
    /// What it is called.
    #[serde(default)]
    pub name: String,
}

/// What no guard of the programme may act on.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AllowList {
    /// Which state of it this is.
    pub serial: String,
    /// Names, addresses and networks.
    pub values: Vec<String>,
}

/// What of a collection may be enforced and not read.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct BlindFeed {
    /// The key of the hashes, in hexadecimal digits.
    pub key: String,
    /// Which state of it this is.
    pub serial: String,
    /// Each value.
    pub entries: Vec<BlindLine>,
}

impl fmt::Debug for BlindFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlindFeed")
            .field("serial", &self.serial)
            .field("entries", &self.entries.len())
            .finish_non_exhaustive()
    }
}

/// A value that may be enforced and not read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct BlindLine {
    /// The indicator, as this member may call it.
    #[serde(rename = "ref")]
    pub reference: String,
    /// What kind of value it is.
    pub kind: String,
    /// Its keyed hash.
    pub digest: String,
    /// Since when.
    #[serde(default)]
    pub from: Option<String>,
    /// Until when.
    #[serde(default)]
    pub until: Option<String>,
    /// 0 to 100.
    #[serde(default)]
    pub confidence: Option<u8>,
    /// The programme says that it hits what it should not.
    #[serde(default)]
    pub false_positive: bool,
    /// What it is about.
    #[serde(default)]
    pub category: Option<String>,
}

impl Me {
    /// The member's id, if the credential is a member's.
    #[must_use]
    pub fn member(&self) -> Option<String> {
        let text = match &self.principal {
            Value::String(text) => Some(text.as_str()),
            Value::Object(object) => object.get("member").and_then(Value::as_str),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
        };
        text.filter(|text| text.starts_with("member:")).map(str::to_owned)
    }
}

/// A hub, with the guard's credential.
#[derive(Clone)]
pub struct Hub {
    url: String,
    origin: String,
    /// Shared by all copies, so that a new one counts at once.
    token: Arc<RwLock<String>>,
    trusted: Option<Vec<u8>>,
    agent: Agent,
    stream_agent: Agent,
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Hub {
    /// The hub at a URL.
    ///
    /// # Errors
    ///
    /// Fails if the certificates to trust are none.
    pub fn new(url: &str, token: &str, trusted: Option<Vec<u8>>) -> Result<Self, HubError> {
        let scheme_end = url.find("://").map_or(0, |at| at + 3);
        let origin_end = url[scheme_end..].find('/').map_or(url.len(), |at| scheme_end + at);
        let tls = match &trusted {
            Some(pem) => TlsConfig::builder().root_certs(certificates(pem)?).build(),
            None => TlsConfig::default(),
        };
        let agent = |body: Option<Duration>, whole: Option<Duration>| {
            Agent::config_builder()
                .http_status_as_error(false)
                .timeout_connect(Some(TIMEOUT))
                .timeout_recv_response(Some(TIMEOUT))
                .timeout_recv_body(body)
                .timeout_global(whole)
                .max_redirects(0)
                .user_agent(USER_AGENT)
                .tls_config(tls.clone())
                .build()
                .new_agent()
        };
        Ok(Self {
            url: url.to_owned(),
            origin: url[..origin_end].to_owned(),
            token: Arc::new(RwLock::new(token.trim().to_owned())),
            trusted,
            agent: agent(None, Some(TIMEOUT)),
            stream_agent: agent(Some(STREAM_MAX), None),
        })
    }

    /// Takes another token from the next request on.
    pub fn set_token(&self, token: &str) {
        token.trim().clone_into(&mut self.token.write().unwrap_or_else(PoisonError::into_inner));
    }

    fn token(&self) -> String {
        self.token.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn trusted(&self) -> Option<&[u8]> {
        self.trusted.as_deref()
    }

    pub(crate) fn credentials(&self) -> Credentials {
        Credentials::Bearer { token: Secret::new(self.token()) }
    }

    /// As whom the hub knows the guard; `None` if it is another kind of server.
    ///
    /// # Errors
    ///
    /// Fails if it does not know the credential, or cannot be reached.
    pub fn me(&self) -> Result<Option<Me>, HubError> {
        let answer = self.get("/api/me")?;
        match answer.status() {
            StatusCode::OK => Ok(serde_json::from_slice(&body(answer)?).ok()),
            StatusCode::UNAUTHORIZED => {
                Err(HubError::Refused("the hub does not know the credential".to_owned()))
            }
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                Err(HubError::Failed(format!("the hub answered with status {}", status.as_u16())))
            }
            _ => Ok(None),
        }
    }

    /// A short request.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer. Its status is the caller's business.
    pub fn get(&self, path: &str) -> Result<Response<ureq::Body>, HubError> {
        let request = self.agent.get(format!("{}{path}", self.origin));
        request.header(header::AUTHORIZATION, self.authorization()).call().map_err(|error| failed(&error))
    }

    /// What of a collection may be enforced and not read; `None` if that is still what `known` says, or the hub has no such thing.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer, or one that cannot be read.
    pub fn blinded(&self, collection: &str, known: Option<&str>) -> Result<Option<BlindFeed>, HubError> {
        self.if_changed(&format!("/api/blinded?collection={}", taxii::encode_component(collection)), known)
    }

    /// What a path has, unless that is what `known` says.
    fn if_changed<T: DeserializeOwned>(
        &self,
        path: &str,
        known: Option<&str>,
    ) -> Result<Option<T>, HubError> {
        let mut request = self.agent.get(format!("{}{path}", self.origin));
        request = request.header(header::AUTHORIZATION, self.authorization());
        if let Some(known) = known {
            request = request.header(header::IF_NONE_MATCH, format!("\"{known}\""));
        }
        let answer = request.call().map_err(|error| failed(&error))?;
        let status = answer.status();
        if matches!(status, StatusCode::NOT_MODIFIED | StatusCode::NOT_FOUND | StatusCode::FORBIDDEN) {
            return Ok(None);
        }
        if status != StatusCode::OK {
            return Err(HubError::Failed(format!("the hub answered {path} with status {}", status.as_u16())));
        }
        let read = serde_json::from_slice(&body(answer)?);
        read.map(Some).map_err(|error| {
            HubError::Failed(format!("the hub answered {path} with something else: {error}"))
        })
    }

    /// What the programme allows; `None` if that is still what `known` says, or the hub has no such list.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer, or one that cannot be read.
    pub fn allowed(&self, known: Option<&str>) -> Result<Option<AllowList>, HubError> {
        self.if_changed("/api/allow", known)
    }

    /// A short request for JSON.
    ///
    /// # Errors
    ///
    /// Fails if the answer is anything else.
    pub fn get_json(&self, path: &str) -> Result<Value, HubError> {
        let answer = self.get(path)?;
        let status = answer.status();
        if status != StatusCode::OK {
            return Err(HubError::Failed(format!("the hub answered {path} with status {}", status.as_u16())));
        }
        let read = serde_json::from_slice(&body(answer)?);
        read.map_err(|error| HubError::Failed(format!("the hub answered {path} with no JSON: {error}")))
    }

    /// Sends JSON, and gives the answer's.
    ///
    /// # Errors
    ///
    /// Fails if the hub refuses it, or there is no answer.
    pub fn post(&self, path: &str, value: &Value) -> Result<Value, HubError> {
        let request = self.agent.post(format!("{}{path}", self.origin));
        let request = request.header(header::AUTHORIZATION, self.authorization());
        let request = request.header(header::CONTENT_TYPE, "application/json");
        let answer = request.send(value.to_string().as_bytes()).map_err(|error| failed(&error))?;
        let status = answer.status();
        let body = body(answer)?;
        if status.is_success() {
            return Ok(serde_json::from_slice(&body).unwrap_or(Value::Null));
        }
        let words = String::from_utf8_lossy(&body);
        let words: String = words.chars().filter(|c| !c.is_control()).take(200).collect();
        let text = format!("the hub answered {path} with status {}: {words}", status.as_u16());
        if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
            Err(HubError::Refused(text))
        } else {
            Err(HubError::Failed(text))
        }
    }

    /// Opens a stream.
    pub(super) fn stream(&self, path: &str, last_id: Option<&str>) -> Result<impl Read + use<>, HubError> {
        let mut request = self.stream_agent.get(format!("{}{path}", self.origin));
        request = request.header(header::AUTHORIZATION, self.authorization());
        request = request.header(header::ACCEPT, "text/event-stream");
        if let Some(id) = last_id {
            request = request.header("last-event-id", id);
        }
        let answer = request.call().map_err(|error| failed(&error))?;
        let status = answer.status();
        if status == StatusCode::OK {
            return Ok(answer.into_body().into_reader());
        }
        let text = format!("the hub answered the stream with status {}", status.as_u16());
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
                Err(HubError::Refused(text))
            }
            StatusCode::SERVICE_UNAVAILABLE => Err(HubError::Busy(text)),
            _ => Err(HubError::Failed(text)),
        }
    }

    fn authorization(&self) -> String {
        format!("Bearer {}", self.token())
    }
}

fn body(answer: Response<ureq::Body>) -> Result<Vec<u8>, HubError> {
    answer
        .into_body()
        .into_with_config()
        .limit(ANSWER_BYTES_MAX)
        .read_to_vec()
        .map_err(|error| failed(&error))
}

fn failed(error: &ureq::Error) -> HubError {
    HubError::Failed(format!("no answer from the hub: {error}"))
}

fn certificates(pem: &[u8]) -> Result<RootCerts, HubError> {
    let mut found = Vec::new();
    for item in parse_pem(pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => found.push(certificate),
            Ok(_) => {}
            Err(error) => {
                return Err(HubError::Failed(format!("the certificates to trust are none: {error}")));
            }
        }
    }
    if found.is_empty() {
        return Err(HubError::Failed("there is no certificate in the file to trust".to_owned()));
    }
    Ok(RootCerts::from(found))
}
