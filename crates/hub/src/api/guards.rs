//! `GET /api/guards`: whose guard asked last when, and until when it may act.

use axum::extract::State;
use axum::response::Response;
use exchange::GuardView;
use hyper::StatusCode;
use serde::Serialize;

use crate::answer::json;
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;

#[derive(Serialize)]
struct Guards {
    guards: Vec<GuardView>,
}

/// Answers with every guard that was heard.
pub(crate) async fn list(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
) -> Result<Response, Refusal> {
    let guards = hub.read(move |exchange| exchange.guards(&caller)).await?;
    json(StatusCode::OK, &Guards { guards })
}
