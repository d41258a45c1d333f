//! `/api/proposals`: steps that wait for another person. Agreeing is making the same step.

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use hyper::StatusCode;
use model::{MemberId, Tier};

use crate::answer::json;
use crate::api::{id, page};
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;

/// Answers what waits: steps, and members that are to be other entities.
pub(crate) async fn list(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let (after, limit) = page::<MemberId>(query.as_deref())?;
    json(StatusCode::OK, &hub.exchange.proposals(&caller, after.as_ref(), limit)?)
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

/// Withdraws what waits about the entity of a member.
pub(crate) async fn withdraw_rebinding(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path(member): Path<String>,
) -> Result<Response, Refusal> {
    let member: MemberId = id(&member)?;
    let withdrawn = hub.decide(move |exchange| exchange.withdraw_rebinding(&caller, &member)).await?;
    json(StatusCode::OK, &withdrawn)
}
