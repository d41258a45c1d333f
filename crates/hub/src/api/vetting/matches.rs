//! `/api/ties/matches`: names that may be the same, for a person to say.

use axum::extract::{Path, Query, Request, State};
use axum::response::Response;
use exchange::{MatchAnswer, MatchState};
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::json as object;

use crate::answer::json;
use crate::body::Deciders;
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;

/// How many matches one answer holds, unless fewer are asked for.
const PAGE: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    state: Option<MatchState>,
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    answer: MatchAnswer,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reopening {
    reason: String,
}

/// Answers the matches in a state, by default those that wait, in the order of their numbers.
pub(crate) async fn list(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Query(Wanted { state, after, limit }): Query<Wanted>,
) -> Result<Response, Refusal> {
    let (state, limit) = (state.unwrap_or(MatchState::Open), limit.unwrap_or(PAGE));
    json(StatusCode::OK, &hub.read(move |exchange| exchange.matches(&caller, state, after, limit)).await?)
}

/// Accepts or rejects a match.
pub(crate) async fn answer(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path(number): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let said: Said = hub.receive_decision(&caller, Deciders::OperatorOrOfficer, &parts.headers, body).await?;
    let number: u64 = number.parse().map_err(|_| Refusal::not_found())?;
    let answered =
        hub.decide(move |exchange| exchange.answer_match(&caller, number, said.answer, &said.reason));
    let (answered, imported) = answered.await?;
    json(StatusCode::OK, &object!({"match": answered, "imported": imported}))
}

/// Takes back what was said to a match.
pub(crate) async fn reopen(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path(number): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let why: Reopening =
        hub.receive_decision(&caller, Deciders::OperatorOrOfficer, &parts.headers, body).await?;
    let number: u64 = number.parse().map_err(|_| Refusal::not_found())?;
    let (found, imported) =
        hub.decide(move |exchange| exchange.reopen_match(&caller, number, &why.reason)).await?;
    json(StatusCode::OK, &object!({"match": found, "imported": imported}))
}
