//! `/api/proposals`: steps that wait for another person. Agreeing is making the same step.

use axum::extract::{Path, State};
use axum::response::Response;
use hyper::StatusCode;
use model::{MemberId, Tier};

use crate::answer::json;
use crate::api::id;
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;

/// Answers the steps that wait.
pub(crate) async fn list(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
) -> Result<Response, Refusal> {
    json(StatusCode::OK, &hub.exchange.proposals(&caller)?)
}

/// Withdraws a step that waits.
pub(crate) async fn withdraw(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path((member, tier)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let (member, tier): (MemberId, Tier) = (id(&member)?, id(&tier)?);
    let withdrawn = hub.decide(move |exchange| exchange.withdraw_proposal(&caller, &member, &tier)).await?;
    json(StatusCode::OK, &withdrawn)
}
