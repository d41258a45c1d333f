//! `/healthz`, `/readyz`, `/metrics`: for whoever keeps the hub running.

use axum::extract::{Request, State};
use axum::response::Response;
use exchange::Exchange;
use hyper::StatusCode;
use hyper::header::CACHE_CONTROL;
use hyper::http::HeaderValue;
use model::Timestamp;

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
    let streams = hub.options.streams_max.saturating_sub(hub.streams.left());
    let refused = hub.quotas.refused();
    let gauges = hub.read(move |exchange| Ok::<_, Fault>(gauges(exchange, streams, refused))).await?;
    Ok(text(PROMETHEUS_TYPE, hub.metrics.render(&gauges)))
}

/// What is known at this moment. A store that does not answer is a figure, too, and no reason to have none.
fn gauges(exchange: &Exchange, streams: usize, quota_refusals: u64) -> Gauges {
    let seconds = |at: Timestamp| u64::try_from(at.as_micros() / 1_000_000).unwrap_or(0);
    let last = exchange.last_instant().unwrap_or(Timestamp::EPOCH);
    let behind = last.as_micros().saturating_sub(exchange.now().as_micros());
    Gauges {
        epoch: exchange.epoch().number(),
        ledger_size: exchange.ledger_head().size,
        is_ready: exchange.check_ready().is_ok(),
        held: exchange.inventory().ok().map(|held| (held.objects, held.body_bytes)),
        clock_behind_seconds: u64::try_from(behind / 1_000_000).unwrap_or(0),
        ledger_check: exchange.last_ledger_check().map(|check| (seconds(check.at), check.problem.is_none())),
        policies_asked: exchange.policies_asked(),
        webhooks: exchange.hooks(),
        streams,
        quota_refusals,
    }
}
