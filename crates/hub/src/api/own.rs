//! What a member may ask about itself, and a person about the account: `/api/me/...`.
//!
//! Password and second factor are changed at the console only, which ends the sessions that they opened.

use axum::extract::State;
use axum::response::Response;
use exchange::{AdminError, OwnRights};
use hyper::StatusCode;
use programme::TLP_LEVELS;
use serde_json::{Value, json as object};

use crate::answer::json;
use crate::api::credentials::CredentialView;
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;

/// Answers what the rules let the member do, by collection and level of TLP.
pub(crate) async fn rights(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
) -> Result<Response, Refusal> {
    let rights = hub.read(move |exchange| exchange.own_rights(&caller)).await?;
    let told = |one: &OwnRights| {
        let tlp = one.tlp.and_then(|tlp| TLP_LEVELS.get(usize::from(tlp)));
        let uses: Vec<&str> = one.uses.words().collect();
        object!({"collection": one.collection, "tlp": tlp, "read": one.read, "uses": uses})
    };
    json(StatusCode::OK, &rights.iter().map(told).collect::<Vec<Value>>())
}

/// Answers how many objects the member published, by collection.
pub(crate) async fn contributions(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
) -> Result<Response, Refusal> {
    let counts = hub.read(move |exchange| exchange.own_contributions(&caller)).await?;
    let told = counts.iter().map(|(id, count)| object!({"collection": id, "objects": count}));
    json(StatusCode::OK, &told.collect::<Vec<Value>>())
}

/// Answers the member's credentials, without what verifies them.
pub(crate) async fn credentials(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
) -> Result<Response, Refusal> {
    let own = hub.read(move |exchange| exchange.own_credentials(&caller)).await?;
    json(StatusCode::OK, &own.iter().map(|record| CredentialView::of(record, &hub)).collect::<Vec<_>>())
}

/// Answers the questionnaire that members fill in.
pub(crate) async fn questionnaire(
    State(hub): State<Hub>,
    Authenticated(_): Authenticated,
) -> Result<Response, Refusal> {
    let programme = hub.exchange.programme();
    let Some(known) = programme.questionnaire() else {
        return Err(Refusal::new(StatusCode::NOT_FOUND, "this programme has no questionnaire"));
    };
    let questions: Vec<Value> = known
        .questions
        .iter()
        .map(|one| object!({"id": one.id, "text": one.text, "list": one.list}))
        .collect();
    let told = object!({
        "title": known.title,
        "version": known.version,
        "source": known.source,
        "questions": questions,
    });
    json(StatusCode::OK, &told)
}

/// Answers the account that the caller signed in with.
pub(crate) async fn account(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
) -> Result<Response, Refusal> {
    let account = hub.exchange.account(&caller);
    let account = account.ok_or_else(|| Refusal::from(AdminError::Revoked))?;
    let told = object!({
        "login": account.login,
        "person": account.person,
        "has_password": account.has_password,
        "second_factor_since": account.second_factor_since,
    });
    json(StatusCode::OK, &told)
}
