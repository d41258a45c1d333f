//! `GET /api/findings?limit=`: what the programme's people should look at.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use hyper::StatusCode;

use crate::answer::json;
use crate::api::{self, parameters};
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;

const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 10_000;

/// Answers the findings, newest first.
pub(crate) async fn get(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let [limit] = parameters(query.as_deref(), ["limit"])?;
    let limit = api::limit(limit.as_deref(), LIMIT_DEFAULT, LIMIT_MAX)?;
    let findings = hub.read(move |exchange| exchange.findings(&caller, limit)).await?;
    json(StatusCode::OK, &findings)
}
