//! Request bodies, within limits of size, time and memory.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use hyper::header::EXPECT;
use hyper::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout, timeout_at};

use crate::encoding::Encoding;
use crate::hub::Hub;
use crate::refusal::Refusal;

/// Permits of the memory budget count in units of this many bytes.
pub(crate) const BUDGET_UNIT_BYTES: usize = 1_024;
/// How much room is made before anything was received, whatever the client announced.
const ROOM_AHEAD_MAX_BYTES: usize = 2 * 1024 * 1024;
/// How much of a refused body is read, and how long that goes on.
const DRAINED_MAX_BYTES: usize = 64 * 1024 * 1024;
const DRAINED_MAX: Duration = Duration::from_secs(1);

/// A body as it was received, decompressed, with its share of the memory budget.
pub(crate) struct Received {
    pub(crate) bytes: Vec<u8>,
    pub(crate) share: OwnedSemaphorePermit,
}

impl Hub {
    /// Receives a body.
    ///
    /// # Errors
    ///
    /// 413 for one that is too large, announced or not; 408 for one that does not come; 415 for an unknown coding;
    /// 400 for one that ends early or cannot be decompressed.
    pub(crate) async fn receive(&self, headers: &HeaderMap, mut body: Body) -> Result<Received, Refusal> {
        let received = self.receive_whole(headers, &mut body).await;
        if received.as_ref().is_err_and(|refusal| refusal.status != StatusCode::REQUEST_TIMEOUT) {
            drain(headers, body).await;
        }
        received
    }

    async fn receive_whole(&self, headers: &HeaderMap, body: &mut Body) -> Result<Received, Refusal> {
        let limits = self.exchange.programme().settings().limits;
        let encoding = Encoding::sent(headers)?;
        // What the client announces is a promise, not a fact: an announced excess is refused unseen, and a body without
        // an announcement is counted as it comes.
        let announced = body.size_hint().exact().and_then(|length| usize::try_from(length).ok());
        if announced.is_some_and(|length| length > limits.body_size_max_bytes) {
            return Err(too_large(limits.body_size_max_bytes));
        }
        let most = match encoding {
            Encoding::Identity => announced.unwrap_or(limits.body_size_max_bytes),
            Encoding::Gzip | Encoding::Zstd => limits.decompressed_size_max_bytes,
        };
        let deadline = Instant::now() + self.options.body_duration_max;
        let share = timeout_at(deadline, self.body_share(most))
            .await
            .map_err(|_| Refusal::unavailable("the hub is busy with other submissions; try again"))??;
        let bytes = self.collect(body, announced, limits.body_size_max_bytes, deadline).await?;
        if encoding == Encoding::Identity {
            return Ok(Received {
                bytes: encoding.decode(bytes, limits.decompressed_size_max_bytes)?,
                share,
            });
        }
        let decoded = move || encoding.decode(bytes, limits.decompressed_size_max_bytes);
        let bytes = tokio::task::spawn_blocking(decoded).await.map_err(Refusal::internal)??;
        Ok(Received { bytes, share })
    }

    /// Waits for memory for a body of at most so many bytes.
    async fn body_share(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
        let units = bytes.div_ceil(BUDGET_UNIT_BYTES).clamp(1, self.body_budget_units);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        Arc::clone(&self.bodies).acquire_many_owned(units).await.map_err(Refusal::internal)
    }

    async fn collect(
        &self,
        body: &mut Body,
        announced: Option<usize>,
        limit: usize,
        deadline: Instant,
    ) -> Result<Vec<u8>, Refusal> {
        let mut bytes = Vec::with_capacity(announced.unwrap_or(0).min(ROOM_AHEAD_MAX_BYTES));
        loop {
            let wait = (Instant::now() + self.options.body_pause_max).min(deadline);
            let frame = timeout_at(wait, body.frame())
                .await
                .map_err(|_| Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"))?;
            let Some(frame) = frame else { return Ok(bytes) };
            let frame =
                frame.map_err(|_| Refusal::bad_request("the body ended before its announced length"))?;
            let Ok(data) = frame.into_data() else { continue };
            if bytes.len().saturating_add(data.len()) > limit {
                return Err(too_large(limit));
            }
            bytes.extend_from_slice(&data);
        }
    }

    /// Receives a JSON document of the API.
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive); 415 for another media type, 400 for what does not have the form.
    pub(crate) async fn receive_json<T: DeserializeOwned>(
        &self,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<T, Refusal> {
        if let Err(refusal) = require_json(headers) {
            drain(headers, body).await;
            return Err(refusal);
        }
        let received = self.receive(headers, body).await?;
        serde_json::from_slice(&received.bytes).map_err(|error| Refusal::bad_request(error.to_string()))
    }
}

/// Reads on behind a refusal for a moment, so that a client that is still sending gets to read it: a connection that
/// is closed under its hands tells it nothing. A client that asked first (`Expect: 100-continue`) sends nothing.
pub(crate) async fn drain(headers: &HeaderMap, mut body: Body) {
    if headers.contains_key(EXPECT) {
        return;
    }
    let mut seen = 0;
    let all = async {
        while let Some(Ok(frame)) = body.frame().await {
            seen += frame.data_ref().map_or(0, bytes::Bytes::len);
            if seen > DRAINED_MAX_BYTES {
                break;
            }
        }
    };
    drop(timeout(DRAINED_MAX, all).await);
}

/// Requires that a body is JSON, by its media type.
///
/// # Errors
///
/// 415 for another type or none.
pub(crate) fn require_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let value =
        headers.get(hyper::header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = value.split(';').next().unwrap_or_default().trim();
    if name.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "send the body as `application/json`"))
}

fn too_large(limit: usize) -> Refusal {
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is larger than {limit} bytes; split it"))
}
