//! What every request goes through, whatever page it asks for.
//!
//! Before the handler: the session is found and its credential held against the exchange; whoever is not signed in is sent
//! to the page for that; a form has to come from a page of ours. After it: a problem gets its page, every answer its headers.

use std::sync::Arc;
use std::time::Instant;

use askama::Template;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName, ORIGIN, REFERRER_POLICY,
    RETRY_AFTER, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use subtle::ConstantTimeEq as _;
use tokio::time::timeout;

use crate::asked::{Asked, Posted};
use crate::console::Console;
use crate::cookies;
use crate::frame::{Frame, decides};
use crate::multipart::{self, File};
use crate::options::ConsoleOptions;
use crate::pages::live;
use crate::peer::Peer;
use crate::problem::Problem;
use crate::query::{Query, encode};
use crate::router::{PAGES, Who};
use crate::sessions::{Flash, Session};

/// The largest form. Attestations are the longest, at some kilobytes.
const FORM_MAX_BYTES: usize = 256 * 1024;

/// The largest form with a file. A national register is larger, and goes in by the command line, in parts.
const UPLOAD_MAX_BYTES: usize = 16 * 1024 * 1024;

/// Nothing from elsewhere, nothing inline, no frames: what is injected into a page all the same does nothing.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
);
const PERMISSIONS: HeaderName = HeaderName::from_static("permissions-policy");
const OPENER: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCES: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// Marks what a page asks by itself to stay up to date. It keeps no session alive and takes no message away.
const BY_ITSELF: HeaderName = HeaderName::from_static("live-update");

/// Which page a request was routed to: a place in [`PAGES`].
#[derive(Clone, Copy)]
pub(crate) struct PageIndex(pub(crate) usize);

/// Marks an answer that is a page already, though its status is that of a failure.
#[derive(Clone, Copy)]
pub(crate) struct Rendered;

/// What the pipeline found out of a request, for the pages before signing in.
#[derive(Clone)]
pub(crate) struct Arrived {
    pub(crate) peer: Peer,
    /// As the cookies say.
    pub(crate) token: Option<String>,
    pub(crate) before: Option<String>,
    pub(crate) attempt: Option<String>,
    pub(crate) is_encrypted: bool,
    /// The host that was asked, perhaps with a port.
    pub(crate) host: Option<String>,
    /// The fields of a form, if it was one.
    pub(crate) fields: Query,
    pub(crate) query: Query,
}

/// The pipeline of one page.
pub(crate) async fn run(
    State((console, PageIndex(index))): State<(Console, PageIndex)>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let peer = request.extensions().get::<Peer>().cloned().unwrap_or_default();
    let is_encrypted = peer.is_encrypted || console.options.is_behind_tls;
    let page = &PAGES[index];
    let is_by_itself = page.path == live::PATH || request.headers().contains_key(BY_ITSELF);
    let session = session_of(&console, request.headers(), is_encrypted, is_by_itself);
    let admitted = admit(&console, page.who, session.clone(), peer, is_encrypted, request).await;
    let mut response = match admitted {
        Ok(request) => next.run(request).await,
        Err(response) => *response,
    };
    write_problem(&console, session.as_deref(), &path, &method, &mut response);
    dress(is_encrypted, response.headers_mut());
    tracing::debug!(
        %method,
        page = page.path,
        status = response.status().as_u16(),
        duration_ms = started.elapsed().as_secs_f64() * 1_000.0,
        principal = session.as_ref().map(|session| tracing::field::display(&session.caller.principal)),
        "answered a page"
    );
    response
}

/// Whether a browser asks on behalf of somebody who will read the answer: it says so with each page that it opens.
#[must_use]
pub fn is_for_people(method: &Method, headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    matches!(*method, Method::GET | Method::HEAD) && accepted.contains("text/html")
}

/// The page of a path that there is not.
#[must_use]
pub fn nowhere(console: &Console, peer: &Peer, headers: &HeaderMap, path: &str) -> Response {
    let is_encrypted = peer.is_encrypted || console.options.is_behind_tls;
    let session = session_of(console, headers, is_encrypted, true);
    let mut response = Problem::not_found().into_response();
    write_problem(console, session.as_deref(), path, &Method::GET, &mut response);
    dress(is_encrypted, response.headers_mut());
    response
}

/// The session of a request, if it has one and its credential still holds.
fn session_of(
    console: &Console,
    headers: &HeaderMap,
    is_encrypted: bool,
    is_by_itself: bool,
) -> Option<Arc<Session>> {
    let token = cookies::read(headers, cookies::SESSION, is_encrypted)?;
    let (sessions, now) = (&console.sessions, console.exchange.now());
    let session = if is_by_itself { sessions.look(token, now) } else { sessions.find(token, now) }?;
    if console.exchange.is_accepted(&session.caller) {
        return Some(session);
    }
    console.sessions.end_all(&session.caller.credential);
    None
}

/// Everything that is asked before the handler.
async fn admit(
    console: &Console,
    who: Who,
    session: Option<Arc<Session>>,
    peer: Peer,
    is_encrypted: bool,
    request: Request,
) -> Result<Request, Box<Response>> {
    let query = Query::parse(request.uri().query().unwrap_or_default());
    let is_form = !matches!(*request.method(), Method::GET | Method::HEAD);
    let refuse = |problem: Problem| Box::new(problem.into_response());
    match (who, &session) {
        (Who::SignedIn | Who::People, None) => return Err(Box::new(to_sign_in(&request, &query, is_form))),
        (Who::People, Some(session)) if session.caller.role().is_none() => {
            return Err(refuse(Problem::forbidden("this page is for the programme's people")));
        }
        (Who::Anyone, _) | (Who::SignedIn | Who::People, Some(_)) => {}
    }
    let (mut parts, mut body) = request.into_parts();
    let cookie = |name| cookies::read(&parts.headers, name, is_encrypted).map(str::to_owned);
    let (token, before) = (cookie(cookies::SESSION), cookie(cookies::BEFORE));
    let host = host_of(&parts.uri, &parts.headers).map(str::to_owned);
    let attempt = cookie(cookies::ATTEMPT);
    let (mut fields, mut files) = (Query::default(), Vec::new());
    if is_form {
        same_origin(&parts.headers, host.as_deref()).map_err(refuse)?;
        // Whoever may not decide has no file to send.
        let is_trusted =
            who == Who::People && session.as_ref().is_some_and(|session| decides(&session.caller));
        (fields, files) =
            read_form(&console.options, &parts.headers, body, is_trusted).await.map_err(refuse)?;
        body = Body::empty();
        let wanted = match (who, &session) {
            (Who::SignedIn | Who::People, Some(session)) => Some(session.form_token.clone()),
            (Who::Anyone, _) | (Who::SignedIn | Who::People, None) => {
                before.as_deref().map(|cookie| console.token_before(cookie))
            }
        };
        let shown = fields.get("token").unwrap_or_default();
        let is_ours = wanted.is_some_and(|wanted| bool::from(wanted.as_bytes().ct_eq(shown.as_bytes())));
        if !is_ours {
            let text = "this form is not of this session, or too old; open the page again and repeat it";
            return Err(refuse(Problem::forbidden(text)));
        }
    }
    if let Some(session) = session {
        let path = parts.uri.path().to_owned();
        let now = console.exchange.now();
        let is_by_itself = parts.headers.contains_key(BY_ITSELF);
        let asked =
            Asked { session, console: console.clone(), path, query: query.clone(), now, is_by_itself };
        parts.extensions.insert(Posted { asked: asked.clone(), fields: fields.clone(), files });
        parts.extensions.insert(asked);
    }
    let arrived = Arrived { peer, token, before, attempt, is_encrypted, host, fields, query };
    parts.extensions.insert(arrived);
    Ok(Request::from_parts(parts, body))
}

/// Sends to the page for signing in, which leads back. A program that wants a table is told by the status.
fn to_sign_in(request: &Request, query: &Query, is_form: bool) -> Response {
    if query.get("format").is_some() {
        return Problem::new(StatusCode::UNAUTHORIZED, "sign in first").into_response();
    }
    let uri = request.uri();
    let wanted = uri.path_and_query().map_or(uri.path(), http::uri::PathAndQuery::as_str);
    // What was sent is gone; whoever sent it starts from where it leads back to.
    let next = if is_form { "/" } else { wanted };
    Redirect::to(&format!("/sign-in?next={}", encode(next))).into_response()
}

/// The host that a request is for. HTTP/2 has it in the place of the URI, and `Host` need not be there (RFC 9113 §8.3.1);
/// with HTTP/1.1 a whole URI goes before `Host` (RFC 9112 §3.2.2).
fn host_of<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> Option<&'r str> {
    let authority = uri.authority().map(http::uri::Authority::as_str);
    authority.or_else(|| headers.get(HOST).and_then(|host| host.to_str().ok()))
}

/// Whether a form, or what a page asks by itself, comes from a page of this host, by what browsers say of that. Old ones say nothing; for them there is
/// the token.
pub(crate) fn same_origin(headers: &HeaderMap, here: Option<&str>) -> Result<(), Problem> {
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let is_here = match (text(&FETCH_SITE), text(&ORIGIN)) {
        (Some(site), _) if site != "same-origin" && site != "none" => false,
        (_, Some(origin)) => {
            let host = origin.split_once("://").map(|(_, host)| host);
            host.is_some() && host == here
        }
        (_, None) => true,
    };
    if is_here { Ok(()) } else { Err(Problem::forbidden("this was sent from another site")) }
}

/// Reads a form, which has to come whole within its time: nobody holds a connection with one that does not.
async fn read_form(
    options: &ConsoleOptions,
    headers: &HeaderMap,
    body: Body,
    may_have_files: bool,
) -> Result<(Query, Vec<File>), Problem> {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let boundary = multipart::boundary(media_type).filter(|_| may_have_files);
    if boundary.is_none() && !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "pages take forms, and nothing else"));
    }
    let (most, longest) = match boundary {
        Some(_) => (UPLOAD_MAX_BYTES, options.upload_duration_max),
        None => (FORM_MAX_BYTES, options.form_duration_max),
    };
    let bytes = timeout(longest, to_bytes(body, most)).await.map_err(|_| {
        Problem::new(StatusCode::REQUEST_TIMEOUT, "the form did not come in time; send it again")
    })?;
    let bytes = bytes.map_err(|_| {
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the form is too large, or did not come whole")
    })?;
    match boundary {
        None => Ok((Query::parse(&String::from_utf8_lossy(&bytes)), Vec::new())),
        Some(boundary) => multipart::read(&bytes, &boundary)
            .ok_or_else(|| Problem::bad_request("the form did not come whole, or is none")),
    }
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    frame: Frame,
    title: &'static str,
    text: String,
}

/// Gives a problem, or any other bare failure, its page. A form that was refused for what is in it leads back, with a
/// message.
fn write_problem(
    console: &Console,
    session: Option<&Session>,
    path: &str,
    method: &Method,
    response: &mut Response,
) {
    let status = response.status();
    let is_failure = status.is_client_error() || status.is_server_error();
    if !is_failure || response.extensions().get::<Rendered>().is_some() {
        return;
    }
    let problem = response.extensions_mut().remove::<Problem>();
    let problem = problem.unwrap_or_else(|| match status {
        StatusCode::METHOD_NOT_ALLOWED => Problem::new(status, "this page does not take that"),
        StatusCode::NOT_FOUND => Problem::not_found(),
        _ => Problem::new(status, "the request cannot be understood"),
    });
    if let Some(cause) = &problem.cause {
        tracing::error!(%method, path, status = status.as_u16(), cause, "a page failed");
    }
    let title = title(status);
    let page = ProblemPage {
        frame: Frame::new(console, session, path, title),
        title,
        text: sentence(&problem.text),
    };
    let headers = std::mem::take(response.headers_mut());
    *response = match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "the page of a problem failed");
            status.into_response()
        }
    };
    for (name, value) in &headers {
        if name != CONTENT_TYPE && name != http::header::CONTENT_LENGTH {
            response.headers_mut().append(name, value.clone());
        }
    }
    if let Some(seconds) = problem.retry_after {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
}

/// An error's text as a sentence of a page.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters.next().map(|letter| letter.to_uppercase().collect()).unwrap_or_default();
    let end = if text.ends_with(['.', '?', '!']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

/// What the message of a refused form is.
pub(crate) fn refused(problem: &Problem) -> Flash {
    Flash { text: sentence(&problem.text), is_error: true }
}

fn title(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "This cannot be understood",
        401 => "Not signed in",
        403 => "Not permitted",
        404 => "Not found",
        408 => "Too slow",
        409 => "This does not follow",
        413 => "Too large",
        415 => "Not a form",
        422 => "This cannot be done",
        429 => "Too many attempts",
        503 => "Not available now",
        _ => "This failed",
    }
}

fn dress(is_encrypted: bool, headers: &mut HeaderMap) {
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(
        PERMISSIONS,
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=()"),
    );
    headers.insert(OPENER, HeaderValue::from_static("same-origin"));
    headers.insert(RESOURCES, HeaderValue::from_static("same-origin"));
    if is_encrypted {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=63072000"));
    }
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}
