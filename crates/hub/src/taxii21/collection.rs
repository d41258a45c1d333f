//! `GET {api-root}/collections/{collection}/`: one collection, by id or alias (TAXII 2.1 §5.2).

use axum::extract::{Path, State};
use axum::response::Response;
use hyper::HeaderMap;

use crate::answer::Fixed;
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;
use crate::taxii21::collection_resource;

/// Answers the collection as the caller sees it.
pub(crate) async fn get(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path(collection): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let view = hub.exchange.collection(&caller, &collection)?;
    let prebuilt = hub.prebuilt();
    if let Some(fixed) = prebuilt.collection(&view.collection.id, view.can_read, view.can_write) {
        return Ok(fixed.response(&headers));
    }
    // Another programme was put in force between the two questions.
    let resource = collection_resource(&view.collection, view.can_read, view.can_write);
    Ok(Fixed::new(&resource).response(&headers))
}
