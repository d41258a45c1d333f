//! What every request goes through, whatever it asks.
//!
//! Before the handler: the request gets an id, the caller is recognised where the endpoint wants one, and the media type
//! is checked. After it: refusals and bare statuses get their bodies, every answer its common headers, and the
//! request is counted and logged, once, without its query, its credentials and its body.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use exchange::{Attempt, AuthenticationError};
use hyper::header::{
    ACCEPT, ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, HeaderName, REFERRER_POLICY, RETRY_AFTER, STRICT_TRANSPORT_SECURITY, USER_AGENT,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use hyper::http::HeaderValue;
use hyper::http::request::Parts;
use hyper::{HeaderMap, StatusCode};
use model::Caller;
use taxii::Credentials;

use crate::answer::{JSON_TYPE, NO_STORE, TAXII_TYPE};
use crate::body::drain;
use crate::endpoints::{Access, ENDPOINTS, Face};
use crate::hub::Hub;
use crate::peer::{Connection, counted_for};
use crate::quota::Asks;
use crate::refusal::Refusal;
use crate::tls::ClientCertificate;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const NO_SNIFFING: HeaderValue = HeaderValue::from_static("nosniff");
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
/// No answer of ours is a page, so none may load, run or frame anything.
const NOTHING_ACTIVE: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
const TWO_YEARS: HeaderValue = HeaderValue::from_static("max-age=63072000");

/// Which endpoint a request was routed to: a place in [`ENDPOINTS`], or behind them for none.
#[derive(Clone, Copy)]
pub(crate) struct EndpointIndex(pub(crate) usize);

/// The caller that the pipeline recognised, for handlers of endpoints that want one.
#[derive(Clone)]
pub(crate) struct Authenticated(pub(crate) Arc<Caller>);

impl<S: Sync> FromRequestParts<S> for Authenticated {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        parts.extensions.get::<Self>().cloned().ok_or_else(not_authenticated)
    }
}

/// The pipeline of one endpoint.
pub(crate) async fn run(
    State((hub, EndpointIndex(index))): State<(Hub, EndpointIndex)>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let id = hub.request_id();
    let endpoint = ENDPOINTS.get(index);
    let (face, access) = endpoint.map_or_else(
        || (Face::of_path(request.uri().path()), Access::Anyone),
        |endpoint| (endpoint.face, endpoint.access),
    );
    let connection = request.extensions().get::<Arc<Connection>>().cloned();
    let is_encrypted = connection.as_ref().is_some_and(|connection| connection.is_encrypted);
    let method = request.method().clone();

    let admitted = match admit(&hub, face, access, connection.as_deref(), request.headers()).await {
        // Whoever has used up its quota can still ask what it has used.
        Ok(Some(caller)) if endpoint.is_some_and(|endpoint| !is_about_oneself(endpoint.path)) => {
            hub.admit_within_quota(&caller, Asks::Anew).map(|()| Some(caller))
        }
        admitted => admitted,
    };
    let (caller, mut response) = match admitted {
        Ok(caller) => {
            if let Some(caller) = &caller {
                if let Some(version) = guard_version(request.headers()) {
                    hub.exchange.hear_guard(caller, version);
                }
                request.extensions_mut().insert(Authenticated(Arc::clone(caller)));
            }
            (caller, next.run(request).await)
        }
        Err(refusal) => {
            let (parts, body) = request.into_parts();
            drain(&parts.headers, body).await;
            (None, refusal.into_response())
        }
    };

    let cause = write_refusal(&hub, face, &id, &mut response);
    let status = response.status();
    dress(face, is_encrypted, &id, response.headers_mut());
    let took = started.elapsed();
    hub.metrics.count_request(index, status, took);
    let route = endpoint.map_or("none", |endpoint| endpoint.path);
    if let Some(cause) = cause {
        tracing::error!(request.id = id, %method, route, status = status.as_u16(), cause, "a request failed");
    }
    tracing::debug!(
        request.id = id,
        %method,
        route,
        status = status.as_u16(),
        duration_ms = took.as_secs_f64() * 1_000.0,
        principal = caller.as_ref().map(|caller| tracing::field::display(&caller.principal)),
        "answered"
    );
    response
}

/// Whether a path is one at which a member asks about itself.
fn is_about_oneself(path: &str) -> bool {
    path == "/api/me" || path.starts_with("/api/me/")
}

/// Everything that is asked before the handler.
async fn admit(
    hub: &Hub,
    face: Face,
    access: Access,
    connection: Option<&Connection>,
    headers: &HeaderMap,
) -> Result<Option<Arc<Caller>>, Refusal> {
    let caller = match access {
        Access::Anyone => None,
        Access::Caller => Some(authenticate(hub, connection, headers).await?),
    };
    if face == Face::Taxii && caller.is_some() {
        let accept = headers.get(ACCEPT).map(|value| value.to_str().unwrap_or_default());
        taxii::accepts(accept)?;
    }
    Ok(caller)
}

/// The version of the guard that asks, if it is one by its own word.
fn guard_version(headers: &HeaderMap) -> Option<&str> {
    headers.get(USER_AGENT)?.to_str().ok()?.strip_prefix("ringfence-guard/")
}

fn not_authenticated() -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, "this needs credentials: HTTP Basic or a Bearer token")
}

/// Recognises the caller, by the certificate of its connection, by what its request presents, or by both, which then have to
/// be of one party: in place if it was recognised a moment ago, otherwise on a blocking thread, for a slow hash may have
/// to be computed.
pub(crate) async fn authenticate(
    hub: &Hub,
    connection: Option<&Connection>,
    headers: &HeaderMap,
) -> Result<Arc<Caller>, Refusal> {
    let certificate = connection.and_then(|connection| connection.certificate.as_deref());
    let certified = certificate
        .and_then(ClientCertificate::facts)
        .and_then(|facts| hub.exchange.recognise_certificate(facts).ok());
    let header = headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap_or_default());
    let caller = match (Credentials::parse(header)?, &certified) {
        (Some(credentials), _) => by_secret(hub, credentials, connection, headers).await?,
        (None, Some(caller)) => Arc::new(caller.clone()),
        (None, None) if certificate.is_some() => return Err(nobodys_certificate()),
        (None, None) => return Err(not_authenticated()),
    };
    // Whoever has the token of one and the certificate of another is neither.
    if certified.is_some_and(|certified| certified.principal != caller.principal) {
        return Err(AuthenticationError::Refused.into());
    }
    Ok(caller)
}

fn nobodys_certificate() -> Refusal {
    Refusal::new(
        StatusCode::UNAUTHORIZED,
        "the certificate of this connection is no credential here, or not any more",
    )
}

async fn by_secret(
    hub: &Hub,
    credentials: Credentials,
    connection: Option<&Connection>,
    headers: &HeaderMap,
) -> Result<Arc<Caller>, Refusal> {
    if let Some(caller) = hub.exchange.recall_caller(&attempt(&credentials)) {
        return Ok(Arc::new(caller));
    }
    let peer = counted_for(connection, headers, &hub.options.trusted_proxies);
    let permit = Arc::clone(&hub.verifications).acquire_owned().await.map_err(Refusal::internal)?;
    let exchange = hub.exchange.clone();
    let verified = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        exchange.authenticate(&attempt(&credentials), &peer)
    });
    Ok(Arc::new(verified.await.map_err(Refusal::internal)??))
}

fn attempt(credentials: &Credentials) -> Attempt<'_> {
    match credentials {
        Credentials::Basic { user, password } => Attempt::Basic { login: user, secret: password.expose() },
        Credentials::Bearer { token } => Attempt::Bearer(token.expose()),
    }
}

/// Gives a refusal, or any other bare failure, its body. Returns what only the log is to know.
fn write_refusal(hub: &Hub, face: Face, id: &str, response: &mut Response) -> Option<String> {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return None;
    }
    let refusal =
        response.extensions_mut().remove::<Refusal>().unwrap_or_else(|| bare(status, response.headers()));
    let body = refusal.body(face, id);
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.remove(CONTENT_ENCODING);
    headers.insert(CONTENT_TYPE, face.media_type());
    headers.insert(CACHE_CONTROL, NO_STORE);
    if let Some(seconds) = refusal.retry_after {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    if status == StatusCode::UNAUTHORIZED {
        for challenge in &hub.challenges {
            headers.append(WWW_AUTHENTICATE, challenge.clone());
        }
    }
    *response.body_mut() = Body::from(body);
    refusal.cause
}

/// A failure that comes from the router and not from a handler.
fn bare(status: StatusCode, headers: &HeaderMap) -> Refusal {
    match status {
        StatusCode::NOT_FOUND => Refusal::not_found(),
        StatusCode::METHOD_NOT_ALLOWED => {
            let allowed = headers.get(ALLOW).and_then(|value| value.to_str().ok()).unwrap_or("others");
            Refusal::new(status, format!("this resource takes {allowed}"))
        }
        _ => Refusal::new(status, "the request cannot be understood"),
    }
}

impl Face {
    fn media_type(self) -> HeaderValue {
        match self {
            Self::Taxii => TAXII_TYPE,
            Self::Plain => JSON_TYPE,
        }
    }
}

fn dress(face: Face, is_encrypted: bool, id: &str, headers: &mut HeaderMap) {
    if !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, face.media_type());
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, NO_SNIFFING);
    headers.insert(REFERRER_POLICY, NO_REFERRER);
    headers.insert(CONTENT_SECURITY_POLICY, NOTHING_ACTIVE);
    if is_encrypted {
        headers.insert(STRICT_TRANSPORT_SECURITY, TWO_YEARS);
    }
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
}
