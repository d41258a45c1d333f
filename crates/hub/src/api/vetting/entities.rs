//! `/api/entities`, `/api/lists` and `/api/unsettled`: whom the registry of ties knows, by name and by list, and what of it
//! is not settled.

use ::ties::{EntityId, ListId};
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use hyper::StatusCode;
use serde_json::json as object;

use crate::answer::json;
use crate::api::vetting::as_of;
use crate::api::vetting::ties::known_tie;
use crate::api::{id, limit, parameters};
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;

/// Answers the entities in whose names or identifiers a text stands.
pub(crate) async fn find(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let [text, most] = parameters(query.as_deref(), ["q", "limit"])?;
    let text = text.ok_or_else(|| Refusal::bad_request("`q` is what to search for"))?;
    let most = limit(most.as_deref(), exchange::ENTITIES_FOUND_MAX, exchange::ENTITIES_FOUND_MAX)?;
    json(StatusCode::OK, &hub.read(move |exchange| exchange.find_entities(&caller, &text, most)).await?)
}

/// Answers one entity: what is said of it, the ties around it, and the members that are near.
pub(crate) async fn get(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path(entity): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let entity: EntityId = id(&entity)?;
    let [day, known] = parameters(query.as_deref(), ["as_of", "known"])?;
    let as_of = as_of(day.as_deref(), known.as_deref(), hub.exchange.now())?;
    let found = hub.read(move |exchange| exchange.entity(&caller, &entity, as_of)).await?;
    let around = &found.around;
    let told = object!({
        "entity": found.entity,
        "also": found.also,
        "member": found.member,
        "near": found.near,
        "ties": around.ties.iter().map(known_tie).collect::<Vec<_>>(),
        "is_cut_short": around.is_cut_short,
    });
    json(StatusCode::OK, &told)
}

/// Answers whom a list names, and since when.
pub(crate) async fn list(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path(list): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let list: ListId = id(&list)?;
    let [day, known] = parameters(query.as_deref(), ["as_of", "known"])?;
    let as_of = as_of(day.as_deref(), known.as_deref(), hub.exchange.now())?;
    let named = hub.read(move |exchange| exchange.listed_on(&caller, &list, as_of)).await?;
    let told = |one: &exchange::Named| {
        let known = &one.listing;
        object!({
            "name": one.name,
            "member": one.member,
            "listing": known.listing,
            "truth": known.truth,
            "statement": known.statement,
            "source": *known.source,
        })
    };
    json(StatusCode::OK, &named.iter().map(told).collect::<Vec<_>>())
}

/// Answers every list that names anybody.
pub(crate) async fn lists(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
) -> Result<Response, Refusal> {
    json(StatusCode::OK, &hub.read(move |exchange| exchange.lists(&caller, None)).await?)
}

/// Answers what of the ties above members is contradictory or unknown.
pub(crate) async fn unsettled(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
) -> Result<Response, Refusal> {
    json(StatusCode::OK, &hub.read(move |exchange| exchange.unsettled(&caller)).await?)
}
