//! `GET {api-root}/`: what this API root speaks and takes (TAXII 2.1 §4.2).

use axum::extract::State;
use axum::response::Response;
use hyper::HeaderMap;

use crate::hub::Hub;

/// Answers the API root's information.
pub(crate) async fn get(State(hub): State<Hub>, headers: HeaderMap) -> Response {
    hub.prebuilt().api_root.response(&headers)
}
