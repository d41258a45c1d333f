//! `GET` and `POST {api-root}/collections/{collection}/objects/` (TAXII 2.1 §5.4, §5.5).

use axum::extract::{Path, Request, State};
use axum::response::Response;
use exchange::{PublishError, PublishOptions};
use hyper::StatusCode;
use hyper::header::CONTENT_TYPE;
use model::Caller;
use taxii::{Endpoint, ObjectFilter};

use crate::answer::{Wishes, resource};
use crate::body::drain;
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;

/// Answers a page of objects.
pub(crate) async fn get(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path(collection): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let filter = ObjectFilter::parse(Endpoint::Objects, request.uri().query().unwrap_or_default())?;
    let principal = caller.principal.clone();
    hub.page(&principal, Wishes::of(request.headers()), move |exchange, known| {
        let answer = exchange.unless(known).objects(&caller, &collection, &filter)?;
        Ok((answer.body, answer.served))
    })
    .await
}

/// Takes objects. What is good is kept, what is bad is named, object by object, in the status.
pub(crate) async fn post(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path(collection): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let admitted =
        taxii::content_type_ok(parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()))
            .map_err(Refusal::from)
            .and_then(|()| check_writable(&hub, &caller, &collection));
    if let Err(refusal) = admitted {
        drain(&parts.headers, body).await;
        return Err(refusal);
    }
    let received = hub.receive(&caller, &parts.headers, body).await?;
    let submission = hub
        .write(move |exchange| {
            let _share = received.share;
            exchange.publish(&caller, &collection, received.bytes, PublishOptions::default())
        })
        .await?;
    hub.metrics.count_published(submission.stored);
    resource(StatusCode::ACCEPTED, &submission.status)
}

/// Whether a submission can be accepted at all, before its body is received: the exchange asks again when it has it.
pub(crate) fn check_writable(hub: &Hub, caller: &Caller, collection: &str) -> Result<(), Refusal> {
    let view = hub.exchange.collection(caller, collection)?;
    if view.can_write { Ok(()) } else { Err(PublishError::NotWritable(view.collection.alias).into()) }
}
