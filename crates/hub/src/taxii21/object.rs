//! `GET` and `DELETE {api-root}/collections/{collection}/objects/{object}/` (TAXII 2.1 §5.6, §5.7).

use axum::extract::{Path, Request, State};
use axum::response::Response;
use bytes::Bytes;
use hyper::StatusCode;
use taxii::{Endpoint, ObjectFilter};

use crate::answer::{TAXII_TYPE, Wishes, answer};
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;

/// Answers versions of one object.
pub(crate) async fn get(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path((collection, object)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Refusal> {
    let filter = ObjectFilter::parse(Endpoint::Object, request.uri().query().unwrap_or_default())?;
    let principal = caller.principal.clone();
    hub.page(&principal, Wishes::of(request.headers()), move |exchange, known| {
        let answer = exchange.unless(known).object(&caller, &collection, &object, &filter)?;
        Ok((answer.body, answer.served))
    })
    .await
}

/// Deletes versions of one object. The answer has no content.
pub(crate) async fn delete(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path((collection, object)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Refusal> {
    let filter = ObjectFilter::parse(Endpoint::Delete, request.uri().query().unwrap_or_default())?;
    hub.write(move |exchange| exchange.delete(&caller, &collection, &object, &filter)).await?;
    Ok(answer(StatusCode::OK, TAXII_TYPE, Bytes::new()))
}
