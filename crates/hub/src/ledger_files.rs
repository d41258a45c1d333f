//! `/ledger/`: the log as C2SP tlog-tiles serves it, and receipts.
//!
//! Checkpoint and tiles are for everybody: an entry in them is a salted commitment and tells nothing. A receipt opens
//! one entry, so it goes only to those whom the entry concerns.

use axum::extract::{Path, State};
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::CACHE_CONTROL;
use hyper::http::HeaderValue;
use ledger::Tile;

use crate::answer::{REVALIDATE, TEXT_TYPE, answer};
use crate::api::status::Fault;
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;

const BYTES_TYPE: HeaderValue = HeaderValue::from_static("application/octet-stream");
/// C2SP tlog-tiles: full tiles are immutable, and so is a partial tile of a given width.
const FOR_GOOD: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const A_MOMENT: HeaderValue = HeaderValue::from_static("public, no-cache");

fn with_cache(mut response: Response, rule: HeaderValue) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, rule);
    response
}

/// Answers `GET /ledger/checkpoint`.
pub(crate) async fn checkpoint(State(hub): State<Hub>) -> Response {
    with_cache(answer(StatusCode::OK, TEXT_TYPE, hub.exchange.ledger_head().checkpoint), A_MOMENT)
}

/// Answers `GET /ledger/vkey`: the key that verifies checkpoints.
pub(crate) async fn vkey(State(hub): State<Hub>) -> Response {
    with_cache(answer(StatusCode::OK, TEXT_TYPE, format!("{}\n", hub.exchange.ledger_head().vkey)), A_MOMENT)
}

/// Answers `GET /ledger/tile/{path}`: hashes or entries.
pub(crate) async fn tile(State(hub): State<Hub>, Path(path): Path<String>) -> Result<Response, Refusal> {
    let tile: Tile = format!("tile/{path}").parse().map_err(|_| Refusal::not_found())?;
    let bytes = hub.read(move |exchange| exchange.ledger_tile(tile).map_err(Fault::from)).await?;
    let bytes = bytes.ok_or_else(Refusal::not_found)?;
    Ok(with_cache(answer(StatusCode::OK, BYTES_TYPE, bytes), FOR_GOOD))
}

/// Answers `GET /ledger/receipt/{index}`: a C2SP tlog-proof of one entry, with its opening.
pub(crate) async fn receipt(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path(index): Path<String>,
) -> Result<Response, Refusal> {
    let index: u64 = index.parse().map_err(|_| Refusal::not_found())?;
    let proof = hub.read(move |exchange| exchange.receipt(&caller, index)).await?;
    Ok(with_cache(answer(StatusCode::OK, TEXT_TYPE, proof.to_string()), REVALIDATE))
}
