//! `GET {api-root}/status/{id}/`: what became of a submission (TAXII 2.1 §4.3).

use axum::extract::{Path, State};
use axum::response::Response;
use hyper::StatusCode;

use crate::answer::resource;
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;

/// Answers a status, to its submitter.
pub(crate) async fn get(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let status = hub.read(move |exchange| exchange.status(&caller, &id)).await?;
    resource(StatusCode::OK, &status)
}
