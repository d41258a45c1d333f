//! `/healthz`, `/readyz`, `/metrics`: for whoever keeps the hub running.

use axum::extract::{Request, State};
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::CACHE_CONTROL;
use hyper::http::HeaderValue;

use crate::answer::{NO_STORE, TEXT_TYPE, answer};
use crate::api::status::Fault;
use crate::hub::Hub;
use crate::metrics::Gauges;
use crate::options::MetricsAccess;
use crate::peer::Connection;
use crate::pipeline::authenticate;
use crate::refusal::Refusal;

const PROMETHEUS_TYPE: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

fn text(media_type: HeaderValue, body: impl Into<bytes::Bytes>) -> Response {
    let mut response = answer(StatusCode::OK, media_type, body);
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    response
}

/// Answers `GET /healthz`: the process serves.
pub(crate) async fn health() -> Response {
    text(TEXT_TYPE, "ok\n")
}

/// Answers `GET /readyz`: the store answers, and the hub is not on its way out.
pub(crate) async fn readiness(State(hub): State<Hub>, request: Request) -> Result<Response, Refusal> {
    let connection = request.extensions().get::<std::sync::Arc<Connection>>();
    if connection.is_some_and(|connection| *connection.closing.borrow()) {
        return Err(Refusal::unavailable("the hub is shutting down"));
    }
    let ready = hub.read(|exchange| exchange.check_ready().map_err(Fault::from)).await;
    ready.map_err(|refusal| Refusal {
        cause: refusal.cause,
        ..Refusal::unavailable("the store does not answer")
    })?;
    Ok(text(TEXT_TYPE, "ready\n"))
}

/// Answers `GET /metrics` in the text format of Prometheus.
pub(crate) async fn metrics(State(hub): State<Hub>, request: Request) -> Result<Response, Refusal> {
    match hub.options.metrics {
        MetricsAccess::Anyone => {}
        MetricsAccess::People => {
            let connection = request.extensions().get::<std::sync::Arc<Connection>>();
            let connection = connection.map(std::convert::AsRef::as_ref);
            let caller = authenticate(&hub, connection, request.headers()).await?;
            if caller.role().is_none() {
                return Err(Refusal::new(StatusCode::FORBIDDEN, "only the programme's people may do this"));
            }
        }
    }
    let gauges = Gauges {
        epoch: hub.exchange.epoch().number(),
        ledger_size: hub.exchange.ledger_head().size,
        policies_asked: hub.exchange.policies_asked(),
        webhooks: hub.exchange.hooks(),
        streams: hub.options.streams_max.saturating_sub(hub.streams.left()),
    };
    Ok(text(PROMETHEUS_TYPE, hub.metrics.render(&gauges)))
}
