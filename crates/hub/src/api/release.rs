//! `/api/release` and `/api/objects/{object}/release`: who may have what, and by which policy.

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use exchange::AdminError;
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
    let [collection, members] = parameters(query.as_deref(), ["collection", "members"])?;
    let members = members.unwrap_or_default();
    let ids: Result<Vec<MemberId>, _> =
        members.split(',').filter(|text| !text.is_empty()).map(str::parse).collect();
    let ids = ids.map_err(|error| Refusal::bad_request(format!("`members`: {error}")))?;
    let matrix = hub.read(move |exchange| exchange.release_matrix(&caller, collection.as_deref(), &ids));
    json(StatusCode::OK, &matrix.await?)
}

/// Answers the exchange as one member meets it: which collections exist for it, and what it may do with every label.
pub(crate) async fn as_member(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path(member): Path<String>,
) -> Result<Response, Refusal> {
    let member: MemberId = id(&member)?;
    let (collections, matrix) = hub
        .read(move |exchange| -> Result<_, AdminError> {
            let collections = exchange.collections_of(&caller, &member)?;
            Ok((collections, exchange.release_matrix(&caller, None, std::slice::from_ref(&member))?))
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
