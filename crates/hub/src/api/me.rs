//! `GET /api/me`: as whom the caller is known, and what its credential covers.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use axum::response::Response;
use exchange::ClosedTier;
use hyper::StatusCode;
use model::{Action, CollectionId, CredentialId, Principal, Standing, Tier};
use serde::Serialize;

use crate::answer::json;
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::quota::QuotaUse;
use crate::refusal::Refusal;

#[derive(Serialize)]
struct Me<'a> {
    principal: &'a Principal,
    credential: &'a CredentialId,
    actions: &'a BTreeSet<Action>,
    /// `null` if the credential is not narrowed to any.
    collections: &'a Option<BTreeSet<CollectionId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    standings: Option<BTreeMap<Tier, Standing>>,
    /// The tiers that were closed to the member, with what it has yet to certify.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    closed: Vec<ClosedTier>,
    programme: Programme<'a>,
    /// What the member has used of what it may have in a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    quota: Option<QuotaUse>,
    /// How long a guard may act without hearing from the hub.
    lease_seconds: u64,
}

#[derive(Serialize)]
struct Programme<'a> {
    name: &'a str,
    /// The STIX identity under which it publishes.
    identity: &'a str,
}

/// Answers who the caller is.
pub(crate) async fn get(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
) -> Result<Response, Refusal> {
    let member = caller.member().map(|id| hub.exchange.member(&caller, id)).transpose()?;
    let closed = caller.member().map(|id| hub.exchange.closed_tiers(&caller, id)).transpose()?;
    let programme = hub.exchange.programme();
    let settings = programme.settings();
    let me = Me {
        principal: &caller.principal,
        credential: &caller.credential,
        actions: &caller.actions,
        collections: &caller.collections,
        standings: member.map(|member| member.standings),
        closed: closed.unwrap_or_default(),
        programme: Programme { name: settings.name.as_str(), identity: &settings.identity.id },
        quota: hub.quota_use(&caller),
        lease_seconds: u64::from(settings.guard.lease_hours) * 3_600,
    };
    json(StatusCode::OK, &me)
}
