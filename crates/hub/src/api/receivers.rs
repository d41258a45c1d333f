//! `GET /api/objects/{object}/receivers`: who was handed an object, by the ledger.

use axum::extract::{Path, State};
use axum::response::Response;
use hyper::StatusCode;

use crate::answer::json;
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;

/// Answers who received any version of the object.
pub(crate) async fn get(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path(object): Path<String>,
) -> Result<Response, Refusal> {
    let report = hub.read(move |exchange| exchange.who(&caller, &object)).await?;
    json(StatusCode::OK, &report)
}
