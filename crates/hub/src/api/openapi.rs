//! `GET /api/openapi.json`: what the API is, for programs and their authors.

use axum::response::Response;
use hyper::StatusCode;
use hyper::header::CACHE_CONTROL;

use crate::answer::{JSON_TYPE, REVALIDATE, answer};

/// The document, written by hand; the tests below hold it to the endpoints.
pub(crate) const DOCUMENT: &str = include_str!("openapi.json");

/// Answers the document, to everybody: it says what can be asked, not what is there.
pub(crate) async fn get() -> Response {
    let mut response = answer(StatusCode::OK, JSON_TYPE, DOCUMENT);
    response.headers_mut().insert(CACHE_CONTROL, REVALIDATE);
    response
}
