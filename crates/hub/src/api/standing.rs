//! `POST /api/members/{id}/standing`: a decision on a member's standing on one tier.

use axum::extract::{Path, Request, State};
use axum::response::Response;
use exchange::Stepped;
use hyper::StatusCode;
use model::{MemberId, Standing, Tier};
use serde::Deserialize;

use crate::answer::json;
use crate::api::id;
use crate::body::Deciders;
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decision {
    tier: Tier,
    to: Standing,
    reason: String,
}

/// Takes the step; the member's next request sees it. A step that needs another person's agreement is accepted (202)
/// and waits; the same step by that person makes it.
pub(crate) async fn set(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path(member): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let member: MemberId = id(&member)?;
    let (parts, body) = request.into_parts();
    let Decision { tier, to, reason } =
        hub.receive_decision(&caller, Deciders::OperatorOrOfficer, &parts.headers, body).await?;
    let stepped =
        hub.decide(move |exchange| exchange.set_standing(&caller, &member, &tier, to, &reason)).await?;
    match stepped {
        Stepped::Changed(change) => json(StatusCode::OK, &change),
        Stepped::Proposed(proposal) => json(StatusCode::ACCEPTED, &proposal),
    }
}
