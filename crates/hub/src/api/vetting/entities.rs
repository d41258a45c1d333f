//! `/api/entities`, `/api/lists` and `/api/unsettled`: whom the registry of ties knows, by name and by list, and what of it
//! is not settled.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use hyper::StatusCode;

use crate::answer::json;
use crate::api::{limit, parameters};
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;

/// Answers the entities in whose names or identifiers a text stands.
pub(crate) async fn find(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let [text, most] = parameters(query.as_deref(), ["q", "limit"])?;
    let text = text.ok_or_else(|| Refusal::bad_request("`q` is what to search for"))?;
    let most = limit(most.as_deref(), exchange::ENTITIES_FOUND_MAX, exchange::ENTITIES_FOUND_MAX)?;
    json(StatusCode::OK, &hub.read(move |exchange| exchange.find_entities(&caller, &text, most)).await?)
}

/// Answers every list that names anybody.
pub(crate) async fn lists(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
) -> Result<Response, Refusal> {
    json(StatusCode::OK, &hub.read(move |exchange| exchange.lists(&caller, None)).await?)
}

/// Answers what of the ties above members is contradictory or unknown.
pub(crate) async fn unsettled(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
) -> Result<Response, Refusal> {
    json(StatusCode::OK, &hub.read(move |exchange| exchange.unsettled(&caller)).await?)
}
