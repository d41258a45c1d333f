//! `/api/release` and `/api/objects/{object}/release`: who may have what, and by which policy.

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use hyper::StatusCode;
use model::MemberId;

use crate::answer::json;
use crate::api::parameters;
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

/// Answers who can have an object, who received it, and why not the others.
pub(crate) async fn of_object(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path(object): Path<String>,
) -> Result<Response, Refusal> {
    json(StatusCode::OK, &hub.read(move |exchange| exchange.object_release(&caller, &object)).await?)
}
