//! `GET` and `POST /api/members`: the registry.

use std::collections::BTreeSet;

use axum::extract::{RawQuery, Request, State};
use axum::response::Response;
use exchange::NewMember;
use hyper::StatusCode;
use model::{MemberId, MemberKind, Subject, Tier};
use serde::Deserialize;

use crate::answer::json;
use crate::api::page;
use crate::body::Deciders;
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Admission {
    name: String,
    kind: MemberKind,
    identity: Option<String>,
    #[serde(default)]
    subject: Subject,
    #[serde(default)]
    listed: BTreeSet<Tier>,
}

/// Answers the members, to the programme's people.
pub(crate) async fn list(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let (after, limit) = page::<MemberId>(query.as_deref())?;
    json(StatusCode::OK, &hub.exchange.members(&caller, after.as_ref(), limit)?)
}

/// Admits a member to the registry.
pub(crate) async fn add(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let Admission { name, kind, identity, subject, listed } =
        hub.receive_decision(&caller, Deciders::OperatorOrOfficer, &parts.headers, body).await?;
    let new = NewMember { name, kind, identity, subject, listed };
    let member = hub.decide(move |exchange| exchange.add_member(&caller, new)).await?;
    json(StatusCode::CREATED, &member)
}
