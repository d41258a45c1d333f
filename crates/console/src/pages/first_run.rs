//! `/first-run`: from an empty data directory to a first member that polls.
//!
//! Each step is an operation that has a page or an API of its own; here they stand in their order, each with whether it is
//! done, which is asked of the exchange and remembered nowhere.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse as _, Redirect};
use exchange::{CredentialSecret, Exchange, NewCredential, NewMember, Sought};
use http::StatusCode;
use model::{Action, Caller, Member, MemberId, MemberKind, Principal, Role, Subject, Tier};

use crate::asked::{Asked, Posted};
use crate::console::Console;
use crate::frame::{Frame, decides};
use crate::pages::Choice;
use crate::pipeline::{Arrived, refused};
use crate::problem::{Answer, Problem, page};

const HERE: &str = "/first-run";
/// How many members and credentials are looked at: whoever has more is past the first run.
const LOOKED_AT: usize = 100;
/// What the note of a credential says that is made here.
const NOTE: &str = "made at the first run";

#[derive(Template)]
#[template(path = "first-run.html")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a step that is done or not, or a right that is there or not"
)]
struct FirstRunPage {
    frame: Frame,
    has_account: bool,
    has_member: bool,
    has_credential: bool,
    has_polled: bool,
    /// Whether the caller may admit members, and whether it may make credentials.
    may_decide: bool,
    may_issue: bool,
    roles: Vec<Choice>,
    members: Vec<Choice>,
    tiers: Vec<String>,
    /// What was made just now, and is shown this once.
    made: Option<Made>,
    hub: String,
    root: String,
    collection: String,
    /// Something to publish, as a bundle that stands in a command.
    bundle: String,
}

/// A credential's secret.
struct Made {
    member: String,
    token: String,
}

/// How far it is.
#[derive(Default)]
struct Found {
    has_account: bool,
    members: Vec<Member>,
    has_credential: bool,
    has_polled: bool,
}

/// Answers `GET /first-run`.
pub(crate) async fn get(
    State(console): State<Console>,
    Extension(arrived): Extension<Arrived>,
    asked: Asked,
) -> Answer {
    show(&console, &arrived, &asked, None).await
}

async fn show(console: &Console, arrived: &Arrived, asked: &Asked, made: Option<Made>) -> Answer {
    let caller = asked.caller();
    let found = console.read(move |exchange| gather(exchange, &caller)).await?;
    let programme = console.exchange.programme();
    let settings = programme.settings();
    let host = arrived.host.as_deref().filter(|host| is_plain(host)).unwrap_or("hub.example");
    let made_at = asked.now.to_string();
    let bundle = first_bundle(&console.random_uuid(), &console.random_uuid(), &made_at);
    let choice = |value: String, label: String| Choice { value, label, is_chosen: false };
    page(&FirstRunPage {
        has_account: found.has_account,
        has_member: !found.members.is_empty(),
        has_credential: found.has_credential,
        has_polled: found.has_polled,
        may_decide: decides(&asked.caller()),
        may_issue: decides(&asked.caller()) && asked.caller().role() == Some(Role::Operator),
        roles: Role::ALL.iter().map(|role| choice(role.to_string(), role.to_string())).collect(),
        members: found.members.iter().map(|one| choice(one.id.to_string(), one.name.clone())).collect(),
        tiers: settings.tiers.iter().map(|tier| tier.name.to_string()).collect(),
        made,
        hub: format!("{}://{host}", if arrived.is_encrypted { "https" } else { "http" }),
        root: settings.name.to_string(),
        collection: settings.collections.first().map(|known| known.alias.clone()).unwrap_or_default(),
        bundle,
        frame: asked.frame("First steps"),
    })
}

/// Whether a host is spelled with nothing that means something in a command.
fn is_plain(host: &str) -> bool {
    host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
}

/// A first object for a first feed: a name that is kept for examples (RFC 2606), marked TLP:CLEAR.
fn first_bundle(bundle: &str, indicator: &str, now: &str) -> String {
    let bundle = serde_json::json!({
        "type": "bundle",
        "id": format!("bundle--{bundle}"),
        "objects": [{
            "type": "indicator",
            "spec_version": "2.1",
            "id": format!("indicator--{indicator}"),
            "created": now,
            "modified": now,
            "valid_from": now,
            "name": "A first indicator, to try the feed",
            "pattern": "[domain-name:value = 'first.example']",
            "pattern_type": "stix",
            "object_marking_refs": ["marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"],
        }],
    });
    serde_json::to_string_pretty(&bundle).unwrap_or_default()
}

fn gather(exchange: &Exchange, caller: &Caller) -> Result<Found, Problem> {
    let mut found = Found { members: exchange.members(caller, None, LOOKED_AT)?, ..Found::default() };
    found.members.sort_by_key(|member| member.name.to_lowercase());
    for credential in exchange.credentials(caller, None, LOOKED_AT)? {
        match credential.principal {
            Principal::Member(_) => found.has_credential = true,
            Principal::Role(_) => found.has_account |= credential.person.is_some(),
        }
    }
    let sought = Sought { kind: Some("disclosure".to_owned()), ..Sought::default() };
    // A reviewer may not read the ledger, and sees the last step as not done.
    let handed = exchange.ledger_entries(caller, &sought, LOOKED_AT).unwrap_or_default();
    let is_member = |name: Option<&str>| name.is_some_and(|name| name.parse::<MemberId>().is_ok());
    found.has_polled = handed.entries.iter().any(|entry| is_member(entry.member.as_deref()));
    Ok(found)
}

/// Takes `POST /first-run/account`: an account for a person.
pub(crate) async fn account(State(console): State<Console>, posted: Posted) -> Answer {
    let role: Role = posted.read("role")?;
    let (login, person) = (posted.field("login")?.to_owned(), posted.field("person")?.to_owned());
    let password = posted.field("password")?.to_owned();
    let new = NewCredential {
        principal: Principal::Role(role),
        login: Some(login.clone()),
        actions: [Action::Read, Action::Publish, Action::Administer].into(),
        collections: None,
        expires: None,
        note: NOTE.to_owned(),
        person: Some(person),
        password: Some(password),
    };
    let caller = posted.caller();
    match console.verify(move |exchange| exchange.issue_credential(&caller, new)).await {
        Ok(_) => posted.done(
            format!("{login} can sign in, as {role}. Add a second factor at the account's page."),
            HERE,
        ),
        Err(problem) => back(&posted, problem),
    }
}

/// Takes `POST /first-run/member`: a member.
pub(crate) async fn member(State(console): State<Console>, posted: Posted) -> Answer {
    let name = posted.field("name")?.to_owned();
    let kind: MemberKind = posted.read("kind")?;
    let listed: Result<BTreeSet<Tier>, _> = posted.fields.all("listed").map(str::parse).collect();
    let listed = listed.map_err(|error| Problem::bad_request(format!("{error}")))?;
    let new = NewMember { name, kind, identity: None, subject: Subject::default(), listed };
    let caller = posted.caller();
    match console.decide(move |exchange| exchange.add_member(&caller, new)).await {
        Ok(member) => posted.done(format!("{} is in the registry.", member.name), HERE),
        Err(problem) => back(&posted, problem),
    }
}

/// Takes `POST /first-run/credential`: a member's credential, whose secret the answer shows this once.
pub(crate) async fn credential(
    State(console): State<Console>,
    Extension(arrived): Extension<Arrived>,
    posted: Posted,
) -> Answer {
    let member: MemberId = posted.read("member")?;
    let new = NewCredential {
        principal: Principal::Member(member.clone()),
        login: None,
        actions: [Action::Read, Action::Publish].into(),
        collections: None,
        expires: None,
        note: NOTE.to_owned(),
        person: None,
        password: None,
    };
    let caller = posted.caller();
    let issued = console
        .decide(move |exchange| -> Result<_, Problem> {
            let name = exchange.member(&caller, &member)?.name;
            Ok((name, exchange.issue_credential(&caller, new)?))
        })
        .await;
    match issued {
        Ok((name, secret)) => {
            let made = Made { member: name, token: token(secret) };
            let asked = Asked { path: HERE.to_owned(), ..posted.asked.clone() };
            show(&console, &arrived, &asked, Some(made)).await
        }
        Err(problem) => back(&posted, problem),
    }
}

/// What is typed in to sign in.
fn token(secret: CredentialSecret) -> String {
    secret.token.unwrap_or(secret.secret)
}

fn back(posted: &Posted, problem: Problem) -> Answer {
    if !matches!(problem.status, StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY) {
        return Err(problem);
    }
    posted.asked.session.say(refused(&problem));
    Ok(Redirect::to(HERE).into_response())
}
