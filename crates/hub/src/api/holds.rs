//! `GET /api/members/{id}/holds`: what a member was handed, by the ledger.

use axum::extract::{Path, State};
use axum::response::Response;
use hyper::StatusCode;
use model::MemberId;

use crate::answer::json;
use crate::api::id;
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;

/// Answers what the member holds, object by object.
pub(crate) async fn get(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path(member): Path<String>,
) -> Result<Response, Refusal> {
    let member: MemberId = id(&member)?;
    let report = hub.read(move |exchange| exchange.holds(&caller, &member)).await?;
    json(StatusCode::OK, &report)
}
