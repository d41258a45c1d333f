//! Signing in by the provider: off to it, and back.

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use exchange::AdminError;
use http::StatusCode;
use subtle::ConstantTimeEq as _;

use super::{begin, form, set_cookie};
use crate::asked::own_path;
use crate::attempts::{ATTEMPT_MAX, Attempt, Attempts};
use crate::console::Console;
use crate::cookies;
use crate::pipeline::Arrived;
use crate::problem::{Answer, Problem};
use crate::provider::{Provider, seconds};

/// Answers `GET /sign-in/provider`: sends the browser off.
///
/// It is a link and no form: where a form may lead to is bound by our own policy, and this leads elsewhere. Whoever has
/// somebody follow the link has them sign in as themselves.
pub(crate) async fn leave(State(console): State<Console>, Extension(arrived): Extension<Arrived>) -> Answer {
    let provider = provider(&console)?;
    let next = own_path(arrived.query.get("next")).unwrap_or("/").to_owned();
    let now = console.exchange.now();
    let attempt = Attempts::begin(console.random_token(), &next, now);
    let challenge = console.attempts.challenge(&attempt);
    let peer = arrived.peer.counted_for.clone();
    let url = console.ask_provider(move |exchange| {
        exchange.may_try(&peer)?;
        provider
            .client
            .authorization_url(&challenge, seconds(now))
            .map_err(|error| not_vouched(&provider, &error))
    });
    match url.await {
        Ok(url) => {
            let mut response = Redirect::to(&url).into_response();
            let cookie = console.attempts.seal(&attempt);
            let most = Some(ATTEMPT_MAX.as_secs());
            set_cookie(
                &mut response,
                &cookies::write(cookies::ATTEMPT, &cookie, most, arrived.is_encrypted),
            )?;
            Ok(response)
        }
        Err(problem) => form(&console, &arrived, next, String::new(), Some(&problem)),
    }
}

/// Answers `GET /sign-in/provider/back`: the browser comes back with a code, or with the provider's refusal.
pub(crate) async fn back(State(console): State<Console>, Extension(arrived): Extension<Arrived>) -> Answer {
    let provider = provider(&console)?;
    let now = console.exchange.now();
    let cookie = arrived.attempt.as_deref();
    let attempt = cookie.and_then(|cookie| console.attempts.open(cookie, now));
    let attempt = attempt.filter(|attempt| {
        let state = arrived.query.get("state").unwrap_or_default();
        bool::from(console.attempts.challenge(attempt).state.as_bytes().ct_eq(state.as_bytes()))
    });
    let next = attempt.as_ref().map_or_else(|| "/".to_owned(), |attempt| attempt.next.clone());
    let signed_in = match attempt {
        // Nothing is counted: whoever is led here by somebody else's page has not failed.
        None => {
            let text = "this sign-in was not begun in this browser, is over, or took too long; begin again";
            Err(Problem::forbidden(text))
        }
        Some(attempt) => redeem(&console, &provider, &arrived, attempt).await,
    };
    let mut response = match signed_in {
        Ok(caller) => begin(&console, &arrived, caller, &next)?,
        Err(problem) if problem.status == StatusCode::INTERNAL_SERVER_ERROR => return Err(problem),
        Err(problem) => form(&console, &arrived, next, String::new(), Some(&problem))?,
    };
    done(&mut response, &arrived)?;
    Ok(response)
}

/// A way back is gone once.
fn done(response: &mut Response, arrived: &Arrived) -> Result<(), Problem> {
    set_cookie(response, &cookies::write(cookies::ATTEMPT, "", Some(0), arrived.is_encrypted))
}

fn provider(console: &Console) -> Result<Arc<Provider>, Problem> {
    console.options.provider.clone().ok_or_else(Problem::not_found)
}

/// Whoever the provider says it is, with the role that follows from that.
async fn redeem(
    console: &Console,
    provider: &Arc<Provider>,
    arrived: &Arrived,
    attempt: Attempt,
) -> Result<model::Caller, Problem> {
    let (now, challenge) = (console.exchange.now(), console.attempts.challenge(&attempt));
    let (peer, query, provider) =
        (arrived.peer.counted_for.clone(), arrived.query.clone(), Arc::clone(provider));
    let title = provider.settings.title.clone();
    let vouched = console.ask_provider(move |exchange| {
        exchange.may_try(&peer)?;
        let claims = vouch(&provider, &query, &challenge, seconds(now)).inspect_err(|problem| {
            if problem.status.is_client_error() {
                exchange.count_failure(&peer);
            }
        })?;
        Ok::<_, Problem>((provider.vouched(&claims), provider.role(&claims)))
    });
    let (who, role) = vouched.await?;
    if !console.attempts.use_up(&attempt, now) {
        return Err(Problem::forbidden("this sign-in was used already; begin again"));
    }
    let (given, subject) = (role.as_ref().ok().copied(), who.subject.clone());
    let signed_in = console.decide(move |exchange| match exchange.sign_in_vouched(&who, given) {
        Err(AdminError::Revoked) => Ok(None),
        found => found.map(Some),
    });
    match (signed_in.await?, role) {
        (Some(Some(caller)), Ok(_)) => Ok(caller),
        (Some(_), Err(why)) => {
            tracing::info!(subject, %why, "somebody of the provider was not let in");
            Err(Problem::forbidden(why.to_string()))
        }
        (None, _) | (Some(None), Ok(_)) => {
            tracing::info!(subject, "somebody of the provider was not let in: the account is revoked");
            let text = format!("your account of {title} was revoked here; an operator can tell you why");
            Err(Problem::forbidden(text))
        }
    }
}

/// What the provider says, checked.
fn vouch(
    provider: &Provider,
    query: &crate::query::Query,
    challenge: &oidc::Challenge,
    now: i64,
) -> Result<oidc::Claims, Problem> {
    let title = &provider.settings.title;
    let of_provider = |error: oidc::Error| not_vouched(provider, &error);
    // RFC 9207 §2.4: an answer of another provider is none, and neither is its error.
    if !provider.client.is_from_here(query.get("iss"), now).map_err(of_provider)? {
        return Err(Problem::forbidden(format!("this answer is not that of {title}; begin again")));
    }
    if let Some(error) = query.get("error") {
        tracing::info!(error, "the provider did not sign somebody in");
        // OpenID Connect Core 1.0 §3.1.2.6. Its own words are not shown: they come with the browser.
        let text = match error {
            "access_denied" => format!("{title} did not let you in, or you left; begin again"),
            "login_required" | "interaction_required" | "consent_required" | "account_selection_required" => {
                format!("{title} has something to ask of you first; begin again")
            }
            "server_error" | "temporarily_unavailable" => {
                format!("{title} cannot sign anybody in now; try again later")
            }
            _ => format!("{title} refused; the operator finds the reason in the log"),
        };
        return Err(Problem::forbidden(text));
    }
    let code = query
        .get("code")
        .ok_or_else(|| Problem::bad_request(format!("{title} gave no code; begin again")))?;
    provider.client.redeem(code, challenge, now).map_err(of_provider)
}

/// What is told of a provider that did not vouch; the log has the reason.
fn not_vouched(provider: &Provider, error: &oidc::Error) -> Problem {
    let title = &provider.settings.title;
    if error.is_of_the_provider() {
        tracing::warn!(%error, "the provider cannot be used");
        let text =
            format!("{title} cannot be used now; try again later, or sign in with an account of this hub");
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, text);
    }
    tracing::warn!(%error, "a sign-in by the provider was refused");
    Problem::forbidden(format!("what {title} answered was not accepted; begin again"))
}
