//! `POST /api/decisions`: the decision on an entity, as it is, as it was, or as it would be.

use std::collections::BTreeSet;
use std::time::Duration;

use ::ties::{EntityId, Statement, TieId};
use axum::extract::{Path, RawQuery, Request, State};
use axum::response::Response;
use exchange::{AdminError, Move, Question};
use hyper::StatusCode;
use model::{MemberId, Tier};
use serde::Deserialize;
use serde_json::json as object;

use super::as_of;
use crate::answer::json;
use crate::api::{id, limit, parameters};
use crate::body::Deciders;
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;

/// How many decisions a page has. Each holds its whole proof, of some kilobytes, and at worst of a megabyte.
const PAGE_DEFAULT: usize = 100;
const PAGE_MAX: usize = 1_000;
/// How long remedies are looked for.
const REMEDIES_MAX: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    entity: EntityId,
    tier: Tier,
    as_of: Option<String>,
    known: Option<String>,
    packs: Option<BTreeSet<String>>,
    #[serde(default)]
    end: BTreeSet<TieId>,
    #[serde(default)]
    add: Vec<Statement>,
    #[serde(default)]
    remedies: bool,
    /// Whether it is told who else would move, to the programme's people.
    #[serde(default)]
    others: bool,
}

/// Answers the decision with its proof; nothing is recorded.
pub(crate) async fn ask(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let asked: Asked = hub.receive_decision(&caller, Deciders::Anyone, &parts.headers, body).await?;
    let question = Question {
        as_of: as_of(asked.as_of.as_deref(), asked.known.as_deref(), hub.exchange.now())?,
        packs: asked.packs,
        end: asked.end,
        add: asked.add,
        remedies: asked.remedies.then_some(REMEDIES_MAX),
    };
    let (entity, tier) = (asked.entity, asked.tier);
    let (decision, remedies, others) = hub
        .question(move |exchange| -> Result<_, AdminError> {
            let (decision, remedies) = exchange.vet(&caller, &entity, &tier, &question)?;
            let others = asked.others.then(|| exchange.would_move(&caller, &question)).transpose()?;
            Ok((decision, remedies, others.map(|moves| without(moves, &entity))))
        })
        .await?;
    let text = decision.describe(remedies.as_ref());
    let mut answer = object!({"decision": decision, "remedies": remedies, "text": text});
    if let Some(others) = others {
        answer["others"] = object!(others);
    }
    json(StatusCode::OK, &answer)
}

/// Who else moves.
fn without(mut moves: Vec<Move>, entity: &EntityId) -> Vec<Move> {
    moves.retain(|one| one.entity != *entity);
    moves
}

/// Answers the decisions on a member, with their proofs, page by page.
pub(crate) async fn of_member(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path(member): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let member: MemberId = id(&member)?;
    let [next, wanted] = parameters(query.as_deref(), ["next", "limit"])?;
    let limit = limit(wanted.as_deref(), PAGE_DEFAULT, PAGE_MAX)?;
    let page = hub.read(move |exchange| exchange.decisions(&caller, &member, next.as_deref(), limit)).await?;
    json(StatusCode::OK, &page)
}
