//! `GET` and `PATCH /api/members/{id}`: one member.

use axum::extract::{Path, Request, State};
use axum::response::Response;
use exchange::MemberChange;
use hyper::StatusCode;
use model::{MemberId, Subject};
use serde::Deserialize;

use crate::answer::json;
use crate::api::id;
use crate::body::Deciders;
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    name: Option<String>,
    identity: Option<String>,
    subject: Option<Subject>,
}

/// Answers a member, to the programme's people and to itself.
pub(crate) async fn get(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path(member): Path<String>,
) -> Result<Response, Refusal> {
    let member: MemberId = id(&member)?;
    json(StatusCode::OK, &hub.exchange.member(&caller, &member)?)
}

/// Changes what the registry says of a member; what is left out stays.
pub(crate) async fn change(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path(member): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let member: MemberId = id(&member)?;
    let (parts, body) = request.into_parts();
    let Change { name, identity, subject } =
        hub.receive_decision(&caller, Deciders::OperatorOrOfficer, &parts.headers, body).await?;
    let change = MemberChange { name, identity, subject };
    let member = hub.decide(move |exchange| exchange.change_member(&caller, &member, change)).await?;
    json(StatusCode::OK, &member)
}
