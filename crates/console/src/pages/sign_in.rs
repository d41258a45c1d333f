//! Signing in and out.

pub(crate) mod provider;

use askama::Template;
use axum::extract::{Extension, Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use exchange::Attempt;
use http::header::SET_COOKIE;
use http::{HeaderValue, Method};
use model::Caller;

use crate::asked::{Asked, Posted, own_path};
use crate::console::Console;
use crate::cookies;
use crate::frame::Frame;
use crate::pipeline::{Arrived, Rendered, sentence};
use crate::problem::{Answer, Problem, page};

#[derive(Template)]
#[template(path = "sign-in.html")]
struct SignIn {
    frame: Frame,
    next: String,
    login: String,
    problem: Option<String>,
    /// What the provider is called, by whom people sign in too, and the link for it.
    provider: Option<(String, String)>,
    /// Somebody signed out here who came by the provider; where one signs out there.
    left: Option<(String, Option<String>)>,
}

/// Answers `GET /sign-in`.
pub(crate) async fn get(
    State(console): State<Console>,
    Extension(arrived): Extension<Arrived>,
    asked: Option<Extension<Asked>>,
) -> Answer {
    let next = own_path(arrived.query.get("next")).unwrap_or("/").to_owned();
    if asked.is_some() {
        return Ok(Redirect::to(&next).into_response());
    }
    form(&console, &arrived, next, String::new(), None)
}

/// The form, bound to a cookie that the browser has or gets now.
fn form(
    console: &Console,
    arrived: &Arrived,
    next: String,
    login: String,
    problem: Option<&Problem>,
) -> Answer {
    let fresh = arrived.before.is_none().then(|| console.random_token());
    let cookie = arrived.before.clone().or_else(|| fresh.clone()).unwrap_or_default();
    let frame = Frame::before(console, "Sign in", console.token_before(&cookie));
    let problem_text = problem.map(|problem| sentence(&problem.text));
    let provider = console.options.provider.as_ref().map(|provider| {
        let link = format!("/sign-in/provider?next={}", crate::query::encode(&next));
        (provider.settings.title.clone(), link)
    });
    let came_by_provider = console.options.provider.as_ref().filter(|_| arrived.query.get("left").is_some());
    let left = came_by_provider.map(|provider| (provider.settings.title.clone(), provider.sign_out_url()));
    let mut response = page(&SignIn { frame, next, login, problem: problem_text, provider, left })?;
    if let Some(problem) = problem {
        *response.status_mut() = problem.status;
        response.extensions_mut().insert(Rendered);
        if let Some(seconds) = problem.retry_after {
            response.headers_mut().insert(http::header::RETRY_AFTER, seconds.into());
        }
    }
    if let Some(fresh) = fresh {
        set_cookie(&mut response, &cookies::write(cookies::BEFORE, &fresh, None, arrived.is_encrypted))?;
    }
    Ok(response)
}

pub(crate) fn set_cookie(response: &mut Response, cookie: &str) -> Result<(), Problem> {
    let value = HeaderValue::from_str(cookie).map_err(Problem::internal)?;
    response.headers_mut().append(SET_COOKIE, value);
    Ok(())
}

/// Takes `POST /sign-in`: a login with its password, and the code of the second factor; or a token alone.
pub(crate) async fn post(State(console): State<Console>, Extension(arrived): Extension<Arrived>) -> Answer {
    let fields = arrived.fields.clone();
    let peer = arrived.peer.counted_for.clone();
    let signed_in = console.verify(move |exchange| {
        let attempt = match (fields.get("bearer"), fields.get("login"), fields.get("password")) {
            (Some(bearer), None, None) => Attempt::Bearer(bearer),
            (_, login, secret) => {
                Attempt::Basic { login: login.unwrap_or_default(), secret: secret.unwrap_or_default() }
            }
        };
        exchange.sign_in(&attempt, fields.get("code"), &peer)
    });
    let next = own_path(arrived.fields.get("next")).unwrap_or("/").to_owned();
    match signed_in.await {
        Ok(caller) => begin(&console, &arrived, caller, &next),
        Err(problem) if problem.status.is_client_error() => {
            let login = arrived.fields.get("login").unwrap_or_default().to_owned();
            form(&console, &arrived, next, login, Some(&problem))
        }
        Err(problem) => Err(problem),
    }
}

/// Begins a session, with a token that nobody had before; the one that the browser came with ends.
fn begin(console: &Console, arrived: &Arrived, caller: Caller, next: &str) -> Answer {
    if let Some(old) = &arrived.token {
        console.sessions.end(old);
    }
    let token = console.random_token();
    tracing::info!(principal = %caller.principal, credential = %caller.credential, "somebody signed in");
    console.sessions.begin(&token, console.random_token(), caller, console.exchange.now());
    let mut response = Redirect::to(next).into_response();
    let is_encrypted = arrived.is_encrypted;
    set_cookie(&mut response, &cookies::write(cookies::SESSION, &token, None, is_encrypted))?;
    set_cookie(&mut response, &cookies::write(cookies::BEFORE, "", Some(0), is_encrypted))?;
    Ok(response)
}

/// Answers `GET /sign-in/once/{token}`: a link that signs in one time. Looking whether it is there does not use it.
pub(crate) async fn once(
    State(console): State<Console>,
    Extension(arrived): Extension<Arrived>,
    Path(token): Path<String>,
    method: Method,
) -> Answer {
    let next = own_path(arrived.query.get("next")).unwrap_or("/").to_owned();
    if method == Method::HEAD {
        return Ok(().into_response());
    }
    let caller = console.sessions.redeem(&token, console.exchange.now());
    let gone = || {
        Problem::new(http::StatusCode::GONE, "this link was used already, or is too old; sign in as usual")
    };
    let caller = caller.filter(|caller| console.exchange.is_accepted(caller)).ok_or_else(gone)?;
    begin(&console, &arrived, caller, &next)
}

/// Takes `POST /sign-out`.
pub(crate) async fn out(
    State(console): State<Console>,
    Extension(arrived): Extension<Arrived>,
    posted: Posted,
) -> Answer {
    let account = console.exchange.account(&posted.caller());
    let came_by_provider = account.is_some_and(|account| account.vouched_by.is_some());
    if let Some(token) = &arrived.token {
        console.sessions.end(token);
    }
    let to = if came_by_provider { "/sign-in?left=provider" } else { "/sign-in" };
    let mut response = Redirect::to(to).into_response();
    set_cookie(&mut response, &cookies::write(cookies::SESSION, "", Some(0), arrived.is_encrypted))?;
    Ok(response)
}
