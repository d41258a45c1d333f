//! `GET /taxii2/`: what this server offers (TAXII 2.1 §4.1).

use axum::extract::State;
use axum::response::Response;
use hyper::HeaderMap;

use crate::hub::Hub;

/// Answers discovery.
pub(crate) async fn get(State(hub): State<Hub>, headers: HeaderMap) -> Response {
    hub.prebuilt().discovery.response(&headers)
}
