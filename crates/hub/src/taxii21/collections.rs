//! `GET {api-root}/collections/`: the collections that the caller may know of (TAXII 2.1 §5.1).

use axum::extract::State;
use axum::response::Response;
use hyper::HeaderMap;
use taxii::Collections;

use crate::answer::Fixed;
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::taxii21::collection_resource;

/// Answers the collections, ascending by id (interop 3.4.1).
pub(crate) async fn get(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    headers: HeaderMap,
) -> Response {
    let views = hub.exchange.collections(&caller);
    let collections = views
        .iter()
        .map(|view| collection_resource(&view.collection, view.can_read, view.can_write))
        .collect();
    Fixed::new(&Collections { collections, custom: taxii::Custom::default() }).response(&headers)
}
