//! `/api/programme`: the rules in force, their cases, the versions, and what another version would change.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, RawQuery, Request, State};
use axum::response::Response;
use exchange::AdminError;
use hyper::StatusCode;
use model::Role;
use programme::{Pack, PackRule, Programme};
use serde::Deserialize;
use serde_json::{Value, json as object};

use crate::answer::json;
use crate::api::{limit, parameters};
use crate::body::Deciders;
use crate::hub::Hub;
use crate::pipeline::Authenticated;
use crate::refusal::Refusal;

/// How many versions one answer has, where nothing else is said, and at most.
const VERSIONS_DEFAULT: usize = 50;
const VERSIONS_MAX: usize = 500;

/// Which two are compared. What is left out is the version in force.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Compared {
    from: Option<String>,
    to: Option<String>,
    /// The later one as its files, instead of `to`.
    files: Option<BTreeMap<String, String>>,
}

/// Answers the programme in force: its rules with their texts, sources and dates.
pub(crate) async fn get(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
) -> Result<Response, Refusal> {
    if caller.role().is_none() {
        return Err(AdminError::Forbidden { needed: "the programme's people" }.into());
    }
    let programme = hub.exchange.programme();
    let settings = programme.settings();
    let release: Vec<Value> = programme
        .policies()
        .rules()
        .into_iter()
        .map(|rule| object!({"id": rule.id, "text": rule.text, "source": rule.source, "forbids": rule.forbids}))
        .collect();
    let collections: Vec<Value> = settings
        .collections
        .iter()
        .map(|one| object!({"id": one.id, "alias": one.alias, "title": one.title, "tier": one.tier}))
        .collect();
    let tiers: Vec<Value> =
        settings.tiers.iter().map(|tier| object!({"name": tier.name, "title": tier.title})).collect();
    let answer = object!({
        "name": settings.name,
        "title": settings.title,
        "sha256": programme.digest(),
        "epoch": hub.exchange.epoch().number(),
        "quorum": settings.vetting.quorum,
        "tiers": tiers,
        "collections": collections,
        "packs": programme.packs().iter().map(pack).collect::<Vec<_>>(),
        "release": release,
    });
    json(StatusCode::OK, &answer)
}

fn pack(pack: &Pack) -> Value {
    let about = &pack.about;
    object!({
        "name": about.name,
        "title": about.title,
        "version": about.version,
        "source": about.source,
        "in_force": about.in_force,
        "rules": pack.rules.iter().map(rule).collect::<Vec<_>>(),
    })
}

fn rule(rule: &PackRule) -> Value {
    object!({
        "id": rule.id,
        "grade": rule.grade,
        "tiers": rule.tiers,
        "text": rule.text,
        "source": rule.source,
        "effective": rule.effective,
        "suspended": rule.suspended,
        "recorded": rule.recorded,
    })
}

/// Runs the cases of the programme in force.
pub(crate) async fn cases(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
) -> Result<Response, Refusal> {
    let run = hub.question(move |exchange| exchange.run_cases(&caller, &exchange.programme())).await?;
    json(StatusCode::OK, &run)
}

/// Answers the versions that came into force, the newest first.
pub(crate) async fn versions(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let [most] = parameters(query.as_deref(), ["limit"])?;
    let most = limit(most.as_deref(), VERSIONS_DEFAULT, VERSIONS_MAX)?;
    json(StatusCode::OK, &hub.read(move |exchange| exchange.programme_versions(&caller, most)).await?)
}

/// Answers the files of a version that is kept.
pub(crate) async fn version(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    Path(sha256): Path<String>,
) -> Result<Response, Refusal> {
    let found = hub.read(move |exchange| exchange.programme_version(&caller, &sha256)).await?;
    let programme = found.ok_or_else(not_kept)?;
    let files: BTreeMap<&String, String> = programme
        .files()
        .iter()
        .map(|(name, bytes)| (name, String::from_utf8_lossy(bytes).into_owned()))
        .collect();
    json(StatusCode::OK, &object!({"sha256": programme.digest(), "files": files}))
}

/// Answers what two versions differ in and whom that would move; nothing comes into force.
pub(crate) async fn compare(
    State(hub): State<Hub>,
    Authenticated(caller): Authenticated,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let asked: Compared = hub.receive_decision(&caller, Deciders::Anyone, &parts.headers, body).await?;
    if caller.role().is_none_or(|role| !Role::ALL.contains(&role)) {
        return Err(AdminError::Forbidden { needed: "the programme's people" }.into());
    }
    if asked.to.is_some() && asked.files.is_some() {
        return Err(Refusal::bad_request("the later version is `to` or `files`, not both"));
    }
    let compared = hub.question(move |exchange| -> Result<_, Refusal> {
        let known = |wanted: Option<&str>| -> Result<Arc<Programme>, Refusal> {
            let Some(sha256) = wanted else { return Ok(exchange.programme()) };
            exchange.programme_version(&caller, sha256)?.ok_or_else(not_kept)
        };
        let from = known(asked.from.as_deref())?;
        let to = match asked.files {
            None => known(asked.to.as_deref())?,
            Some(files) => {
                let files = files.into_iter().map(|(name, text)| (name, text.into_bytes())).collect();
                Arc::new(Programme::from_files(&files).map_err(|error| faulty(&error))?)
            }
        };
        Ok(exchange.compare_programmes(&caller, &from, &to)?)
    });
    json(StatusCode::OK, &compared.await?)
}

fn faulty(error: &model::Problems) -> Refusal {
    Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
}

fn not_kept() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "no version with this SHA-256 is kept here")
}
