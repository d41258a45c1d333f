//! `/api/ties`: what is said about who owns, controls and supplies whom.

use std::sync::Arc;
use std::time::Duration;

use ::ties::{EntityId, KnownTie, Statement, TieId};
use axum::extract::{Path, Query, Request, State};
use axum::response::Response;
use exchange::{Compared, Exchange, Imported};
use hyper::StatusCode;
use model::Caller;
use serde::{Deserialize, Serialize};
use serde_json::json as object;

use super::as_of;
use crate::answer::json;
use crate::api::id;
use crate::body::{Deciders, drain, require_json};
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;

/// How many statements one answer holds.
const STATEMENTS_MAX: usize = 10_000;

/// How long names are compared before an import is answered. What is left is compared afterwards.
const COMPARING_MAX: Duration = Duration::from_millis(500);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Import {
    /// What is imported, for the ledger: a file's name.
    #[serde(default)]
    subject: String,
    statements: Vec<Statement>,
    /// Which part of an import this is; left out, it is all of it.
    #[serde(default)]
    part: Option<PartOf>,
    /// The documents of which the import is a whole new edition.
    #[serde(default)]
    editions: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PartOf {
    import: String,
    number: u32,
    #[serde(default)]
    last: bool,
}

impl From<Import> for exchange::Import {
    fn from(import: Import) -> Self {
        let Import { subject, statements, part, editions } = import;
        let part = part.map(|PartOf { import, number, last }| exchange::Part { import, number, last });
        Self { subject, statements, part, editions, looked_at: None }
    }
}

/// What became of an import, and which names may be the same.
#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    imported: Imported,
    /// How comparing names went so far; left out with a part that others follow.
    #[serde(skip_serializing_if = "Option::is_none")]
    matches: Option<Compared>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    entity: String,
    as_of: Option<String>,
    known: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    #[serde(default)]
    from: usize,
    limit: Option<usize>,
}

/// Answers the ties of one entity, on a day, as known at an instant.
pub(crate) async fn get(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Refusal> {
    let entity: EntityId = id(&wanted.entity)?;
    let as_of = as_of(wanted.as_of.as_deref(), wanted.known.as_deref(), hub.exchange.now())?;
    let found = hub.read(move |exchange| exchange.ties_of(&caller, &entity, as_of)).await?;
    let shown: Vec<_> = found.iter().map(known_tie).collect();
    json(StatusCode::OK, &shown)
}

/// A tie as it stands in a picture.
pub(crate) fn known_tie(known: &KnownTie) -> serde_json::Value {
    object!({
        "tie": known.tie,
        "truth": known.truth,
        "statement": known.statement,
        "source": *known.source,
        "announced_end": known.announced_end,
        "disputed_end": known.disputed_end,
    })
}

/// Records statements; the answer says who moved.
pub(crate) async fn post(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    request: Request,
) -> Result<Response, Refusal> {
    let answer = receive(&hub, caller, request, |exchange, caller, import| {
        let is_last = import.part.as_ref().is_none_or(|part| part.last);
        let imported = exchange.import(caller, import.into())?;
        Ok(Answer { imported, matches: is_last.then(|| compared(exchange)).flatten() })
    });
    json(StatusCode::OK, &answer.await?)
}

/// Compares names for a moment. The import is recorded, whatever becomes of this.
fn compared(exchange: &Exchange) -> Option<Compared> {
    let compared = exchange.compare_names(COMPARING_MAX);
    compared
        .inspect_err(|error| tracing::warn!(%error, "names could not be compared; it is tried again"))
        .ok()
}

/// Says what would become of an import; nothing is recorded.
pub(crate) async fn preview(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    request: Request,
) -> Result<Response, Refusal> {
    let rehearsal = receive(&hub, caller, request, |exchange, caller, import| {
        exchange.rehearse(caller, import.into()).map_err(Refusal::from)
    });
    json(StatusCode::OK, &rehearsal.await?)
}

/// An import may be as large as a submission, and has that budget.
async fn receive<T: Send + 'static>(
    hub: &Hub,
    caller: Arc<Caller>,
    request: Request,
    work: impl FnOnce(&Exchange, &Caller, Import) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let (parts, body) = request.into_parts();
    let checked = Deciders::OperatorOrOfficer.check(&caller).and_then(|()| require_json(&parts.headers));
    if let Err(refusal) = checked {
        drain(&parts.headers, body).await;
        return Err(refusal);
    }
    let received = hub.receive(&caller, &parts.headers, body).await?;
    hub.decide(move |exchange| {
        let _share = received.share;
        let import: Import = serde_json::from_slice(&received.bytes)
            .map_err(|error| Refusal::bad_request(error.to_string()))?;
        work(exchange, &caller, import)
    })
    .await
}

/// Answers what was said of one tie, as it was recorded.
pub(crate) async fn history(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path(tie): Path<String>,
) -> Result<Response, Refusal> {
    let tie: TieId = id(&tie)?;
    json(StatusCode::OK, &hub.read(move |exchange| exchange.tie_history(&caller, &tie)).await?)
}

/// Answers everything that was ever said, in the order of its arrival.
pub(crate) async fn statements(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Query(part): Query<Part>,
) -> Result<Response, Refusal> {
    let limit = part.limit.unwrap_or(STATEMENTS_MAX).min(STATEMENTS_MAX);
    let found = hub.read(move |exchange| exchange.statements(&caller, part.from, limit)).await?;
    json(StatusCode::OK, &found)
}
