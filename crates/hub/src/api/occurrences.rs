//! `/api/occurrences`: facts of occurrence, from guards; who gives and who takes. `/api/me/occurrences`: what became of one's own.

use axum::extract::{RawQuery, Request, State};
use axum::response::Response;
use exchange::OWN_MAX;
use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answer::json;
use crate::api::{page_of, parameters};
use crate::body::Deciders;
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Facts {
    objects: Vec<Value>,
}

#[derive(Serialize)]
struct Page<'p, T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<&'p [T]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    objects: Option<&'p [T]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'p str>,
}

/// Takes facts of occurrence.
pub(crate) async fn post(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let Facts { objects } = hub.receive_decision(&caller, Deciders::Anyone, &parts.headers, body).await?;
    let reported = hub.write(move |exchange| exchange.report_occurrences(&caller, &objects)).await?;
    json(StatusCode::OK, &reported)
}

/// Answers what became of the objects that the caller contributed.
pub(crate) async fn own(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let [after, limit] = parameters(query.as_deref(), ["after", "limit"])?;
    let (after, limit) = page_of(after, limit.as_deref(), OWN_MAX)?;
    let own = hub.read(move |exchange| exchange.own_occurrences(&caller, &after, limit)).await?;
    let next = own.last().filter(|_| own.len() == limit).map(|own| own.object.as_str());
    json(StatusCode::OK, &Page { members: None, objects: Some(&own), next })
}

/// Answers who gives and who takes, by members, by indicators or by days.
pub(crate) async fn list(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let [by, after, limit] = parameters(query.as_deref(), ["by", "after", "limit"])?;
    let (after, limit) = page_of(after, limit.as_deref(), OWN_MAX)?;
    match by.as_deref() {
        None | Some("members") => {
            let giving = hub.read(move |exchange| exchange.giving(&caller, &after, limit)).await?;
            let next = giving.last().filter(|_| giving.len() == limit).map(|giving| giving.member.as_str());
            json(StatusCode::OK, &Page { members: Some(&giving), objects: None, next })
        }
        Some("indicators") => {
            let hits = hub.read(move |exchange| exchange.indicator_hits(&caller, &after, limit)).await?;
            let next = hits.last().filter(|_| hits.len() == limit).map(|hits| hits.object.as_str());
            json(StatusCode::OK, &Page { members: None, objects: Some(&hits), next })
        }
        Some("days") => {
            let days = hub.read(move |exchange| exchange.hits_by_day(&caller)).await?;
            json(StatusCode::OK, &serde_json::json!({ "days": days }))
        }
        Some(_) => Err(Refusal::bad_request("`by` is `members`, `indicators` or `days`")),
    }
}
