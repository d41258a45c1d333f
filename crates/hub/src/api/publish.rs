//! `POST /api/collections/{collection}/objects`: publishing with terms of release, and moving in from another server.
//!
//! The objects are the ones of a TAXII envelope, taken byte for byte from the body; beside them stand the terms.

use std::collections::BTreeSet;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use exchange::PublishOptions;
use hyper::StatusCode;
use model::{MemberId, Timestamp};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::answer::json;
use crate::body::{drain, require_json};
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;
use crate::taxii21::objects::check_writable;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Terms {
    #[serde(rename = "objects")]
    _objects: Vec<IgnoredAny>,
    audience: Option<BTreeSet<MemberId>>,
    release_at: Option<Timestamp>,
    release_until: Option<Timestamp>,
    dates: Option<Vec<Timestamp>>,
}

/// Publishes; the answer is a TAXII status, as JSON.
pub(crate) async fn post(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path(collection): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    if let Err(refusal) =
        require_json(&parts.headers).and_then(|()| check_writable(&hub, &caller, &collection))
    {
        drain(&parts.headers, body).await;
        return Err(refusal);
    }
    let received = hub.receive(&caller, &parts.headers, body).await?;
    let submission = hub
        .write(move |exchange| {
            let _share = received.share;
            let terms: Terms = serde_json::from_slice(&received.bytes)
                .map_err(|error| Refusal::bad_request(error.to_string()))?;
            let Terms { audience, release_at, release_until, dates, .. } = terms;
            let options = PublishOptions { audience, release_at, release_until, dates };
            exchange.publish(&caller, &collection, received.bytes, options).map_err(Refusal::from)
        })
        .await?;
    hub.metrics.count_published(submission.stored);
    json(StatusCode::OK, &submission.status)
}
