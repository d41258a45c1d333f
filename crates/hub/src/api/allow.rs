//! `GET /api/allow`: what no guard of the programme may act on, whatever an indicator says.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, ETAG};
use hyper::http::HeaderValue;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::answer::{JSON_TYPE, REVALIDATE, answer, known_etags};
use crate::api::parameters;
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;

#[derive(Serialize)]
struct Allowed<'a> {
    serial: &'a str,
    values: &'a [String],
}

/// Answers the list with its serial as an entity tag; 304 if the guard has it.
pub(crate) async fn get(
    State(hub): State<Hub>,
    Authenticated(_): Authenticated,
    request: Request,
) -> Result<Response, Refusal> {
    let [] = parameters(request.uri().query(), [])?;
    let programme = hub.exchange.programme();
    let values = programme.allow();
    let mut hash = Sha256::new();
    for value in values {
        hash.update(value);
        hash.update(b"\n");
    }
    let serial = hex::encode(&hash.finalize()[..16]);
    let mut response = if known_etags(request.headers()).contains(&serial) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        let body = serde_json::to_vec(&Allowed { serial: &serial, values }).map_err(Refusal::internal)?;
        answer(StatusCode::OK, JSON_TYPE, body)
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, REVALIDATE);
    if let Ok(tag) = HeaderValue::try_from(format!("\"{serial}\"")) {
        headers.insert(ETAG, tag);
    }
    Ok(response)
}
