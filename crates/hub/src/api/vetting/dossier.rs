//! `/api/members/{id}/...`: a member's dossier, and everything that is filed in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use ::ties::{EntityId, PartialDate};
use axum::extract::{Path, Request, State};
use axum::response::Response;
use exchange::{Answer, Bound, Exchange, Moved};
use hyper::StatusCode;
use model::{Caller, MemberId, Tier};
use programme::Instrument;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::answer::json;
use crate::api::id;
use crate::body::Deciders;
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entity {
    entity: EntityId,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    id: String,
    kind: String,
    covers: std::collections::BTreeSet<::ties::TieId>,
    #[serde(default)]
    valid: ::ties::Period,
    #[serde(default)]
    source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ended {
    on: PartialDate,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Disposal {
    collection: String,
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attests {
    officer: String,
    answers: BTreeMap<String, Answer>,
}

/// Answers the dossier, to the programme's people and to the member.
pub(crate) async fn get(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path(member): Path<String>,
) -> Result<Response, Refusal> {
    let member: MemberId = id(&member)?;
    json(StatusCode::OK, &hub.exchange.dossier(&caller, &member)?)
}

/// Says which entity the member is; the answer says what follows, or that another person has to agree.
pub(crate) async fn bind(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path(member): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let member: MemberId = id(&member)?;
    let (parts, body) = request.into_parts();
    let body: Entity =
        hub.receive_decision(&caller, Deciders::OperatorOrOfficer, &parts.headers, body).await?;
    let bound = hub.decide(move |exchange| exchange.bind_entity(&caller, &member, &body.entity)).await?;
    match bound {
        Bound::Changed(moved) => json(StatusCode::OK, &moved),
        Bound::Proposed(rebinding) => json(StatusCode::ACCEPTED, &rebinding),
    }
}

/// Records an instrument.
pub(crate) async fn sign(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path(member): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let member: MemberId = id(&member)?;
    file(&hub, caller, request, Deciders::OperatorOrOfficer, move |exchange, caller, body: Signed| {
        let Signed { id, kind, covers, valid, source } = body;
        // Whose it is and when it was learned are the exchange's to say.
        let nobody = "-".parse().expect("a dash is a word");
        let instrument = Instrument { id, kind, entity: nobody, covers, valid, recorded: None, source };
        Ok(exchange.sign_instrument(caller, &member, instrument)?)
    })
    .await
}

/// Records the end of an instrument.
pub(crate) async fn end(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path((member, instrument)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Refusal> {
    let member: MemberId = id(&member)?;
    file(&hub, caller, request, Deciders::OperatorOrOfficer, move |exchange, caller, body: Ended| {
        Ok(exchange.end_instrument(caller, &member, &instrument, body.on)?)
    })
    .await
}

/// Records that a duty was done, with what is certified.
pub(crate) async fn fulfil(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path((member, duty)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Refusal> {
    let member: MemberId = id(&member)?;
    file(&hub, caller, request, Deciders::Anyone, move |exchange, caller, body: Words| {
        Ok(exchange.fulfil(caller, &member, &duty, &body.text)?)
    })
    .await
}

/// Certifies that a member's guard disposed of a collection, whether the member owes that or not.
pub(crate) async fn dispose(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    request: Request,
) -> Result<Response, Refusal> {
    file(&hub, caller, request, Deciders::Anyone, move |exchange, caller, body: Disposal| {
        Ok(exchange.certify_disposal(caller, &body.collection, &body.text)?)
    })
    .await
}

/// Begins the time in which a mitigation is negotiated.
pub(crate) async fn negotiate(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path(member): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let member: MemberId = id(&member)?;
    file(&hub, caller, request, Deciders::OperatorOrOfficer, move |exchange, caller, body: Words| {
        Ok(exchange.begin_negotiation(caller, &member, &body.text)?)
    })
    .await
}

/// Concludes a review.
pub(crate) async fn review(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path((member, tier)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Refusal> {
    let (member, tier): (MemberId, Tier) = (id(&member)?, id(&tier)?);
    file(&hub, caller, request, Deciders::OperatorOrOfficer, move |exchange, caller, body: Words| {
        Ok(exchange.conclude_review(caller, &member, &tier, &body.text)?)
    })
    .await
}

/// Files the caller's own appeal.
pub(crate) async fn appeal(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path(tier): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let tier: Tier = id(&tier)?;
    let (parts, body) = request.into_parts();
    let words: Words = hub.receive_decision(&caller, Deciders::Anyone, &parts.headers, body).await?;
    let appeal = hub.decide(move |exchange| exchange.appeal(&caller, &tier, &words.text)).await?;
    json(StatusCode::CREATED, &appeal)
}

/// Answers a member's appeal.
pub(crate) async fn answer(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path((member, tier)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Refusal> {
    let (member, tier): (MemberId, Tier) = (id(&member)?, id(&tier)?);
    file(&hub, caller, request, Deciders::OperatorOrOfficer, move |exchange, caller, body: Words| {
        Ok(exchange.answer_appeal(caller, &member, &tier, &body.text)?)
    })
    .await
}

/// Records what the caller says of itself; the answer says what differs from the last time.
pub(crate) async fn attest(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let said: Attests = hub.receive_decision(&caller, Deciders::Anyone, &parts.headers, body).await?;
    let attested = hub.decide(move |exchange| exchange.attest(&caller, &said.officer, said.answers)).await?;
    json(StatusCode::CREATED, &attested)
}

/// Files something; the answer says who moved by it.
async fn file<B: DeserializeOwned + Send + 'static>(
    hub: &Hub,
    caller: Arc<Caller>,
    request: Request,
    by: Deciders,
    work: impl FnOnce(&Exchange, &Caller, B) -> Result<Vec<Moved>, Refusal> + Send + 'static,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let body: B = hub.receive_decision(&caller, by, &parts.headers, body).await?;
    let moved = hub.decide(move |exchange| work(exchange, &caller, body)).await?;
    json(StatusCode::OK, &moved)
}
