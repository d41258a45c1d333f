//! `GET {api-root}/collections/{collection}/manifest/`: what is there, without the objects (TAXII 2.1 §5.3).

use axum::extract::{Path, Request, State};
use axum::response::Response;
use exchange::ReadError;
use taxii::{Endpoint, Manifest, ObjectFilter};

use crate::answer::Wishes;
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;

/// Answers a page of the manifest. `next` goes with it, though the standard forgot it here: without it, clients loop.
pub(crate) async fn get(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path(collection): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let filter = ObjectFilter::parse(Endpoint::Manifest, request.uri().query().unwrap_or_default())?;
    let principal = caller.principal.clone();
    hub.page(&principal, Wishes::of(request.headers()), move |exchange, known| {
        let answer = exchange.unless(known).manifest(&caller, &collection, &filter)?;
        let manifest = Manifest {
            more: answer.served.more,
            next: answer.served.next.clone(),
            objects: answer.records,
            custom: taxii::Custom::default(),
        };
        Ok::<_, ReadError>((serde_json::to_vec(&manifest).unwrap_or_default(), answer.served))
    })
    .await
}
