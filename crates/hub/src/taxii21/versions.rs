//! `GET {api-root}/collections/{collection}/objects/{object}/versions/` (TAXII 2.1 §5.8).

use axum::extract::{Path, Request, State};
use axum::response::Response;
use exchange::ReadError;
use taxii::{Endpoint, ObjectFilter, Versions};

use crate::answer::Wishes;
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;

/// Answers a page of an object's versions.
pub(crate) async fn get(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path((collection, object)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Refusal> {
    let filter = ObjectFilter::parse(Endpoint::Versions, request.uri().query().unwrap_or_default())?;
    let principal = caller.principal.clone();
    hub.page(&principal, Wishes::of(request.headers()), move |exchange, known| {
        let answer = exchange.unless(known).versions(&caller, &collection, &object, &filter)?;
        let versions = Versions {
            more: answer.served.more,
            next: answer.served.next.clone(),
            versions: answer.records.into_iter().map(|record| record.version).collect(),
            custom: taxii::Custom::default(),
        };
        Ok::<_, ReadError>((serde_json::to_vec(&versions).unwrap_or_default(), answer.served))
    })
    .await
}
