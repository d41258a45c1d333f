//! `GET /api/blinded?collection=`: what a member's guard may act on and nobody may read, as keyed hashes.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use exchange::ReadError;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, ETAG};
use hyper::http::HeaderValue;

use crate::answer::{JSON_TYPE, NO_STORE, answer, known_etags};
use crate::api::parameters;
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;

/// Answers the entries with their serial as an entity tag; 304 if the guard has them.
pub(crate) async fn get(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    request: Request,
) -> Result<Response, Refusal> {
    let [collection] = parameters(request.uri().query(), ["collection"])?;
    let collection =
        collection.ok_or_else(|| Refusal::bad_request("name a `collection`, by its id or alias"))?;
    let known = known_etags(request.headers());
    let answers = Arc::clone(&hub.answers);
    let read = hub.read(move |exchange| {
        answers.admit(&caller.principal)?;
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        match exchange.blinded(&caller, &collection, &known) {
            Ok(blinded) => {
                let body = serde_json::to_vec(&blinded).map_err(Refusal::internal)?;
                Ok((blinded.serial, Some(answers.count(&caller.principal, body))))
            }
            Err(ReadError::NotModified { etag }) => Ok((etag, None)),
            Err(error) => Err(Refusal::from(error)),
        }
    });
    let (serial, body): (String, Option<Bytes>) = read.await?;
    let mut response = if let Some(body) = body {
        answer(StatusCode::OK, JSON_TYPE, body)
    } else {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, NO_STORE);
    if let Ok(tag) = HeaderValue::try_from(format!("\"{serial}\"")) {
        headers.insert(ETAG, tag);
    }
    Ok(response)
}
