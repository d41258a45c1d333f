//! `/api/release` and `/api/objects/{object}/release`: who may have what, and by which policy.

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use exchange::{AdminError, MatrixAsked};
use hyper::StatusCode;
use model::MemberId;
use serde_json::json as object;

use crate::answer::json;
use crate::api::{id, parameters};
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;

/// Answers the labels of a collection, or of all, and what each of some members may do with them.
pub(crate) async fn matrix(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let names = ["collection", "members", "label", "before"];
    let [collection, members, label, before] = parameters(query.as_deref(), names)?;
    let (label, before) = (number("label", label)?, number("before", before)?);
    let members = members.unwrap_or_default();
    let ids: Result<Vec<MemberId>, _> =
        members.split(',').filter(|text| !text.is_empty()).map(str::parse).collect();
    let ids = ids.map_err(|error| Refusal::bad_request(format!("`members`: {error}")))?;
    let matrix = hub.read(move |exchange| {
        let asked = MatrixAsked { collection: collection.as_deref(), label, before, ..MatrixAsked::of(&ids) };
        exchange.release_matrix(&caller, &asked)
    });
    json(StatusCode::OK, &matrix.await?)
}

/// A label's number.
fn number(name: &str, text: Option<String>) -> Result<Option<u32>, Refusal> {
    let number = text.map(|text| text.parse()).transpose();
    number.map_err(|error| Refusal::bad_request(format!("`{name}`: {error}")))
}

/// Answers the exchange as one member meets it: which collections exist for it, and what it may do with every label.
pub(crate) async fn as_member(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path(member): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let member: MemberId = id(&member)?;
    let [before] = parameters(query.as_deref(), ["before"])?;
    let before = number("before", before)?;
    let (collections, matrix) = hub
        .read(move |exchange| -> Result<_, AdminError> {
            let collections = exchange.collections_of(&caller, &member)?;
            let asked = MatrixAsked { before, ..MatrixAsked::of(std::slice::from_ref(&member)) };
            Ok((collections, exchange.release_matrix(&caller, &asked)?))
        })
        .await?;
    let collections = collections.iter().map(
        |(alias, (exists, policies))| object!({"collection": alias, "exists": exists, "policies": policies}),
    );
    let collections: Vec<_> = collections.collect();
    json(StatusCode::OK, &object!({"collections": collections, "release": matrix}))
}

/// Answers who can have an object, who received it, and why not the others.
pub(crate) async fn of_object(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path(object): Path<String>,
) -> Result<Response, Refusal> {
    json(StatusCode::OK, &hub.read(move |exchange| exchange.object_release(&caller, &object)).await?)
}
