//! `GET /api/webhooks`: how far each webhook of the programme has come, and what is wrong with it.

use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;

use crate::answer::json;
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;

/// Answers the webhooks, to operators and officers.
pub(crate) async fn get(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
) -> Result<Response, Refusal> {
    json(StatusCode::OK, &hub.exchange.webhooks(&caller)?)
}
