//! Request bodies, within limits of size, time and memory.
//!
//! Memory is counted in two steps, each with a [`Budget`] of its own in which no principal has more than a share:
//!
//! ```text
//! arriving: as many bytes as have come  ->  whole: as many as the body has when it is decompressed
//! ```
//!
//! What a client announces, and what a compressed body may become, takes nothing before it is there. So a slow client
//! holds what it sent and no more, and whoever waits in the second step waits only for work, never for a client.
//! Decisions are small and have a budget of their own: whatever is being published, they get through.

use std::time::Duration;

use axum::body::Body;
use exchange::AdminError;
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use hyper::header::EXPECT;
use hyper::{HeaderMap, StatusCode};
use model::{Action, Caller, Principal, Role};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout, timeout_at};

use crate::budget::{Budget, Held};
use crate::encoding::Encoding;
use crate::hub::Hub;
use crate::refusal::Refusal;

/// Permits of the memory budget count in units of this many bytes.
pub(crate) const BUDGET_UNIT_BYTES: usize = 1_024;
/// The largest body of a decision. What the registry says of a member takes some kilobytes.
pub(crate) const DECISION_MAX_BYTES: usize = 1024 * 1024;
/// How much room is made before anything was received, whatever the client announced.
const ROOM_AHEAD_MAX_BYTES: usize = 2 * 1024 * 1024;
/// How much of a refused body is read, and how long that goes on.
const DRAINED_MAX_BYTES: usize = 64 * 1024 * 1024;
const DRAINED_MAX: Duration = Duration::from_secs(1);

/// A body as it was received, decompressed, with its share of the memory budget.
pub(crate) struct Received {
    pub(crate) bytes: Vec<u8>,
    pub(crate) share: Held,
}

impl Hub {
    /// Receives a submission.
    ///
    /// # Errors
    ///
    /// 413 for one that is too large, announced or not; 408 for one that does not come; 415 for an unknown coding;
    /// 400 for one that ends early or cannot be decompressed; 503 if there is no memory for it.
    pub(crate) async fn receive(
        &self,
        caller: &Caller,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Received, Refusal> {
        let limits = self.exchange.programme().settings().limits;
        let room = Room {
            arriving: &self.arriving,
            whole: &self.whole,
            limit: limits.body_size_max_bytes,
            decoded_limit: limits.decompressed_size_max_bytes,
        };
        self.receive_or_drain(&caller.principal, headers, body, &room).await
    }

    async fn receive_or_drain(
        &self,
        principal: &Principal,
        headers: &HeaderMap,
        mut body: Body,
        room: &Room<'_>,
    ) -> Result<Received, Refusal> {
        let received = self.receive_whole(principal, headers, &mut body, room).await;
        if received.as_ref().is_err_and(|refusal| refusal.status != StatusCode::REQUEST_TIMEOUT) {
            drain(headers, body).await;
        }
        received
    }

    async fn receive_whole(
        &self,
        principal: &Principal,
        headers: &HeaderMap,
        body: &mut Body,
        room: &Room<'_>,
    ) -> Result<Received, Refusal> {
        let encoding = Encoding::sent(headers)?;
        // What the client announces is a promise, not a fact: an announced excess is refused unseen, and a body without
        // an announcement is counted as it comes.
        let announced = body.size_hint().exact().and_then(|length| usize::try_from(length).ok());
        if announced.is_some_and(|length| length > room.limit) {
            return Err(too_large(room.limit));
        }
        let mut arrived = room.arriving.nothing(principal).await.ok_or_else(busy)?;
        let bytes = self.collect(body, announced, room, &mut arrived).await?;
        let mut share = room.whole.nothing(principal).await.ok_or_else(busy)?;
        let decoded_limit = room.decoded_limit;
        let bytes = if encoding == Encoding::Identity {
            self.grow(room.whole, &mut share, bytes.len()).await?;
            encoding.decode(bytes, decoded_limit)?
        } else {
            // All that it may become, for as long as it takes to see what it is.
            self.grow(room.whole, &mut share, decoded_limit).await?;
            let decoding = tokio::task::spawn_blocking(move || {
                let bytes = encoding.decode(bytes, decoded_limit)?;
                share.shrink(units(bytes.len()));
                Ok::<_, Refusal>((bytes, share))
            });
            let (bytes, rest) = decoding.await.map_err(Refusal::internal)??;
            share = rest;
            bytes
        };
        Ok(Received { bytes, share })
    }

    /// Waits for memory for so many bytes in all, as long as a client may pause: so two bodies that wait for each other
    /// do not wait for ever.
    async fn grow(&self, budget: &Budget, held: &mut Held, bytes: usize) -> Result<(), Refusal> {
        let grown = timeout(self.options.body_pause_max, budget.grow(held, units(bytes))).await;
        grown.ok().flatten().ok_or_else(busy)
    }

    async fn collect(
        &self,
        body: &mut Body,
        announced: Option<usize>,
        room: &Room<'_>,
        arrived: &mut Held,
    ) -> Result<Vec<u8>, Refusal> {
        let deadline = Instant::now() + self.options.body_duration_max;
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
            let length = bytes.len().saturating_add(data.len());
            if length > room.limit {
                return Err(too_large(room.limit));
            }
            self.grow(room.arriving, arrived, length).await?;
            bytes.extend_from_slice(&data);
        }
    }

    /// Receives a decision: a small JSON document of the API, from a caller who may decide, by its role.
    ///
    /// The exchange asks again when it has it; here it is asked so that nobody else's body is waited for.
    ///
    /// # Errors
    ///
    /// 403 for callers who may not, before the body; 415 for another media type; else as [`receive`](Self::receive), and
    /// 400 for what does not have the form.
    pub(crate) async fn receive_decision<T: DeserializeOwned>(
        &self,
        caller: &Caller,
        by: Deciders,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<T, Refusal> {
        if let Err(refusal) = by.check(caller).and_then(|()| require_json(headers)) {
            drain(headers, body).await;
            return Err(refusal);
        }
        let limit = self.exchange.programme().settings().limits.body_size_max_bytes.min(DECISION_MAX_BYTES);
        let room =
            Room { arriving: &self.decisions, whole: &self.decisions_whole, limit, decoded_limit: limit };
        let received = self.receive_or_drain(&caller.principal, headers, body, &room).await?;
        serde_json::from_slice(&received.bytes).map_err(|error| Refusal::bad_request(error.to_string()))
    }
}

/// Where a body's memory is counted, and how large it may be: as it comes, and decompressed.
struct Room<'h> {
    arriving: &'h Budget,
    whole: &'h Budget,
    limit: usize,
    decoded_limit: usize,
}

/// Who decides something.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deciders {
    /// Of credentials.
    Operator,
    /// Of members.
    OperatorOrOfficer,
    /// Of what was published.
    OperatorOrReviewer,
    /// Whoever is known; the exchange says who may.
    Anyone,
}

impl Deciders {
    pub(crate) fn check(self, caller: &Caller) -> Result<(), Refusal> {
        let (roles, needed): (&[Role], _) = match self {
            Self::Operator => (&[Role::Operator], "an operator"),
            Self::OperatorOrOfficer => (&[Role::Operator, Role::Officer], "an operator or an officer"),
            Self::OperatorOrReviewer => (&[Role::Operator, Role::Reviewer], "an operator or a reviewer"),
            Self::Anyone => return Ok(()),
        };
        let may = caller.actions.contains(&Action::Administer)
            && caller.role().is_some_and(|role| roles.contains(&role));
        if may { Ok(()) } else { Err(AdminError::Forbidden { needed }.into()) }
    }
}

fn units(bytes: usize) -> usize {
    bytes.div_ceil(BUDGET_UNIT_BYTES).max(1)
}

fn busy() -> Refusal {
    Refusal::unavailable("the hub is busy with other submissions; try again")
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
