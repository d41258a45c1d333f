//! `/api/false-positives`: reports that an indicator is wrong, and what the programme says to them.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, Request, State};
use axum::response::Response;
use exchange::FALSE_POSITIVES_MAX;
use hyper::StatusCode;
use model::Caller;
use serde::{Deserialize, Serialize};

use crate::answer::json;
use crate::api::{page_of, parameters};
use crate::body::Deciders;
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Doubt {
    object: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reason {
    reason: String,
}

#[derive(Serialize)]
struct Page<'p> {
    objects: &'p [exchange::FalsePositive],
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'p str>,
}

/// Takes a report. It says back to a member no more than that it was taken.
pub(crate) async fn report(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let Doubt { object, reason } =
        hub.receive_decision(&caller, Deciders::Anyone, &parts.headers, body).await?;
    let said = caller.member().map(|_| object.clone());
    let doubted =
        hub.decide(move |exchange| exchange.report_false_positive(&caller, &object, &reason)).await?;
    if let Some(object) = said {
        return json(StatusCode::ACCEPTED, &serde_json::json!({ "object": object }));
    }
    json(StatusCode::ACCEPTED, &doubted)
}

/// Answers what is reported, to the programme's people.
pub(crate) async fn list(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let [after, limit] = parameters(query.as_deref(), ["after", "limit"])?;
    let (after, limit) = page_of(after, limit.as_deref(), FALSE_POSITIVES_MAX)?;
    let doubted = hub.read(move |exchange| exchange.false_positives(&caller, &after, limit)).await?;
    let next = doubted.last().filter(|_| doubted.len() == limit).map(|doubted| doubted.object.as_str());
    json(StatusCode::OK, &Page { objects: &doubted, next })
}

async fn reason(hub: &Hub, caller: &Arc<Caller>, request: Request) -> Result<String, Refusal> {
    let (parts, body) = request.into_parts();
    let Reason { reason } = hub.receive_decision(caller, Deciders::Anyone, &parts.headers, body).await?;
    Ok(reason)
}

/// Confirms a report.
pub(crate) async fn confirm(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path(object): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let reason = reason(&hub, &caller, request).await?;
    let decided =
        hub.decide(move |exchange| exchange.confirm_false_positive(&caller, &object, &reason)).await?;
    json(StatusCode::OK, &decided)
}

/// Dismisses a report, or takes back what was confirmed.
pub(crate) async fn dismiss(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path(object): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let reason = reason(&hub, &caller, request).await?;
    let decided =
        hub.decide(move |exchange| exchange.dismiss_false_positive(&caller, &object, &reason)).await?;
    json(StatusCode::OK, &decided)
}
