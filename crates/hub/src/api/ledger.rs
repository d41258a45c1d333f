//! `GET /api/ledger/entries`: the ledger's entries opened, for auditors, and for the member that they are about.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use exchange::{ENTRIES_MAX, Sought};
use hyper::StatusCode;

use crate::answer::json;
use crate::api::{limit, parameters};
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;

/// How many entries an answer has where nothing else is said.
const PAGE_DEFAULT: usize = 100;

/// Answers the entries that are looked for, the newest first.
pub(crate) async fn entries(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let [before, kind, member, text, most] =
        parameters(query.as_deref(), ["before", "kind", "member", "q", "limit"])?;
    let before = before.map(|text| text.parse::<u64>()).transpose();
    let member = member.map(|text| text.parse()).transpose();
    let sought = Sought {
        before: before.map_err(|error| Refusal::bad_request(format!("`before`: {error}")))?,
        member: member.map_err(|error: model::IdError| Refusal::bad_request(format!("`member`: {error}")))?,
        kind,
        text,
    };
    let most = limit(most.as_deref(), PAGE_DEFAULT, ENTRIES_MAX)?;
    let page = hub.read(move |exchange| exchange.ledger_entries(&caller, &sought, most)).await?;
    json(StatusCode::OK, &page)
}
