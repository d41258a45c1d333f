//! `GET` and `POST /api/credentials`, `DELETE /api/credentials/{id}` and `.../second-factor`, `POST
//! /api/credentials/{id}/rotation`.
//!
//! A certificate is a credential without a secret: what is issued is the binding of it to a member or a role.
//!
//! A secret is in the answer that issues it and nowhere else, not even in a cache or a compressed form.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::extract::{Path, RawQuery, Request, State};
use axum::response::Response;
use exchange::{CertificateBinding, CredentialRecord, NewCredential};
use hyper::StatusCode;
use model::{Action, CollectionId, CredentialId, MemberId, Principal, Role, Timestamp};
use serde::{Deserialize, Serialize};

use crate::answer::json;
use crate::api::{id, page};
use crate::body::Deciders;
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Issue {
    member: Option<MemberId>,
    role: Option<Role>,
    login: Option<String>,
    actions: Option<BTreeSet<Action>>,
    collections: Option<BTreeSet<CollectionId>>,
    expires: Option<Timestamp>,
    #[serde(default)]
    note: String,
    person: Option<String>,
    password: Option<String>,
    certificate: Option<CertificateBinding>,
}

/// A credential without what verifies it.
#[derive(Serialize)]
pub(crate) struct CredentialView<'a> {
    id: &'a CredentialId,
    login: &'a str,
    principal: &'a Principal,
    actions: &'a BTreeSet<Action>,
    collections: &'a Option<BTreeSet<CollectionId>>,
    note: &'a str,
    person: Option<&'a str>,
    created: Timestamp,
    expires: Option<Timestamp>,
    revoked: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<&'a CertificateBinding>,
    /// Since this hub started.
    last_used: Option<Timestamp>,
}

impl<'a> CredentialView<'a> {
    pub(crate) fn of(record: &'a CredentialRecord, hub: &Hub) -> Self {
        Self {
            id: &record.id,
            login: &record.login,
            principal: &record.principal,
            actions: &record.actions,
            collections: &record.collections,
            note: &record.note,
            person: record.person.as_deref(),
            created: record.created,
            expires: record.expires,
            revoked: record.revoked,
            certificate: record.certificate(),
            last_used: hub.exchange.last_used(&record.id),
        }
    }
}

#[derive(Serialize)]
struct Issued<'a> {
    credential: CredentialView<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
}

/// Answers the credentials, without their secrets.
pub(crate) async fn list(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let (after, limit) = page::<CredentialId>(query.as_deref())?;
    let records = hub.exchange.credentials(&caller, after.as_ref(), limit)?;
    json(StatusCode::OK, &records.iter().map(|record| CredentialView::of(record, &hub)).collect::<Vec<_>>())
}

/// Issues a credential.
pub(crate) async fn issue(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let mut issue: Issue = hub.receive_decision(&caller, Deciders::Operator, &parts.headers, body).await?;
    let certificate = issue.certificate.take();
    let new = new_credential(issue)?;
    if let Some(binding) = certificate {
        let bound = hub.decide(move |exchange| exchange.bind_certificate(&caller, new, binding)).await?;
        let answer = Issued { credential: CredentialView::of(&bound, &hub), secret: None, token: None };
        return json(StatusCode::CREATED, &answer);
    }
    let issued = hub.decide(move |exchange| exchange.issue_credential(&caller, new)).await?;
    let answer = Issued {
        credential: CredentialView::of(&issued.record, &hub),
        secret: Some(&issued.secret),
        token: issued.token.as_deref(),
    };
    json(StatusCode::CREATED, &answer)
}

fn new_credential(issue: Issue) -> Result<NewCredential, Refusal> {
    let Issue { member, role, login, actions, collections, expires, note, person, password, certificate: _ } =
        issue;
    // A credential belongs to one member or to one role, never to both.
    let (principal, usual) = match (member, role) {
        (Some(member), None) => (Principal::Member(member), [Action::Read, Action::Publish].as_slice()),
        (None, Some(role)) => {
            (Principal::Role(role), [Action::Read, Action::Publish, Action::Administer].as_slice())
        }
        (Some(_), Some(_)) | (None, None) => {
            return Err(Refusal::bad_request("name either a `member` or a `role`"));
        }
    };
    let actions = actions.unwrap_or_else(|| usual.iter().copied().collect());
    Ok(NewCredential { principal, login, actions, collections, expires, note, person, password })
}

/// For how long both are accepted, unless the request says otherwise.
const OVERLAP_HOURS: u32 = 24;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotate {
    overlap_hours: Option<u32>,
}

/// Issues a credential's successor; for a while both are accepted.
pub(crate) async fn rotate(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path(credential): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let asked: Rotate = hub.receive_decision(&caller, Deciders::Operator, &parts.headers, body).await?;
    let credential: CredentialId = id(&credential)?;
    let overlap = Duration::from_hours(asked.overlap_hours.unwrap_or(OVERLAP_HOURS).into());
    let issued =
        hub.decide(move |exchange| exchange.rotate_credential(&caller, &credential, overlap)).await?;
    let answer = Issued {
        credential: CredentialView::of(&issued.record, &hub),
        secret: Some(&issued.secret),
        token: issued.token.as_deref(),
    };
    json(StatusCode::CREATED, &answer)
}

/// Revokes a credential; it is refused from the next request on.
pub(crate) async fn revoke(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path(credential): Path<String>,
) -> Result<Response, Refusal> {
    let credential: CredentialId = id(&credential)?;
    let record = hub.decide(move |exchange| exchange.revoke_credential(&caller, &credential)).await?;
    json(StatusCode::OK, &CredentialView::of(&record, &hub))
}

/// Removes the second factor of an account, for a person who lost it.
pub(crate) async fn remove_second_factor(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path(credential): Path<String>,
) -> Result<StatusCode, Refusal> {
    let credential: CredentialId = id(&credential)?;
    hub.decide(move |exchange| exchange.remove_second_factor(&caller, &credential)).await?;
    Ok(StatusCode::NO_CONTENT)
}
