//! The hub as a client sees it: in-process, and over sockets on loopback.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod administration;
mod attacks;
mod bodies;
mod certificates;
mod conditional;
mod guard;
mod ledger;
mod pages;
mod quotas;
mod refusals;
mod resources;
mod routes;
mod server;
mod stream;
mod tokens;
mod vetting;
mod webhooks;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use exchange::{CredentialSecret, NewCredential};
use http_body_util::BodyExt as _;
use hub::{HubOptions, router};
use hyper::{HeaderMap, Method, Request, StatusCode};
use model::{Action, Member, Principal, Role};
use serde_json::Value;
use testkit::World;
use tower::ServiceExt as _;

const TAXII: &str = "application/taxii+json;version=2.1";

/// A hub with its router, in memory.
pub(crate) struct Face {
    pub(crate) world: World,
    pub(crate) router: Router,
    pub(crate) operator: Login,
}

/// What a client presents.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
    pub(crate) id: String,
}

impl Login {
    /// The header for HTTP Basic.
    pub(crate) fn basic(&self) -> String {
        let secret = taxii::Secret::new(self.secret.clone());
        taxii::Credentials::Basic { user: self.user.clone(), password: secret }
            .header_value()
            .expose()
            .to_owned()
    }
}

impl From<CredentialSecret> for Login {
    fn from(secret: CredentialSecret) -> Self {
        let CredentialSecret { record, secret, token } = secret;
        Self { user: record.login, secret, token, id: record.id.to_string() }
    }
}

/// The template's files, with other limits.
pub(crate) fn template_with(lines: &[(&str, u64)]) -> BTreeMap<String, Vec<u8>> {
    let mut files = programme::template();
    let mut text = String::from_utf8(files["programme.toml"].clone()).unwrap();
    for (name, value) in lines {
        let start = text.find(&format!("\n{name} =")).unwrap() + 1;
        let end = start + text[start..].find('\n').unwrap();
        text.replace_range(start..end, &format!("{name} = {value}"));
    }
    files.insert("programme.toml".to_owned(), text.into_bytes());
    files
}

impl Face {
    pub(crate) fn new() -> Self {
        Self::with(HubOptions::new([7; 32]))
    }

    pub(crate) fn with(options: HubOptions) -> Self {
        Self::over(World::new(1), options)
    }

    pub(crate) fn over(world: World, options: HubOptions) -> Self {
        let router = router(world.exchange.clone(), options).unwrap();
        let operator = issue(&world, Principal::Role(Role::Operator), None);
        Self { world, router, operator }
    }

    /// A hub whose programme has other limits than the template's.
    pub(crate) fn with_limits(lines: &[(&str, u64)]) -> Self {
        let world = World::over(Arc::new(store::MemoryStore::new()), &template_with(lines), 1);
        Self::over(world, HubOptions::new([7; 32]))
    }

    /// A hub whose programme has one file more.
    pub(crate) fn with_file(name: &str, text: &str) -> Self {
        let mut files = testkit::one_person_programme();
        files.insert(name.to_owned(), text.as_bytes().to_vec());
        let world = World::over(Arc::new(store::MemoryStore::new()), &files, 1);
        Self::over(world, HubOptions::new([7; 32]))
    }

    pub(crate) fn member(&self, name: &str, tiers: &[&str]) -> (Member, Login) {
        let (member, _) = self.world.member(name, tiers);
        let login = issue(&self.world, Principal::Member(member.id.clone()), None);
        (member, login)
    }

    pub(crate) fn role(&self, role: Role) -> Login {
        issue(&self.world, Principal::Role(role), None)
    }

    pub(crate) fn ask<'f>(&'f self, method: &str, path: &str) -> Ask<'f> {
        Ask::new(&self.router, method, path)
    }

    /// Asks as a member or a role.
    pub(crate) async fn get(&self, login: &Login, path: &str) -> Answer {
        self.ask("GET", path).login(login).send().await
    }

    /// Posts JSON to the API.
    pub(crate) async fn api(&self, login: &Login, method: &str, path: &str, document: Value) -> Answer {
        self.ask(method, path).login(login).json(&document).send().await
    }
}

/// Issues a credential.
pub(crate) fn issue(world: &World, principal: Principal, password: Option<&str>) -> Login {
    let person = testkit::person_for(&principal);
    let new = NewCredential {
        principal,
        login: None,
        actions: [Action::Read, Action::Publish, Action::Administer].into(),
        collections: None,
        expires: None,
        note: String::new(),
        person,
        password: password.map(str::to_owned),
    };
    world.exchange.issue_credential(&world.operator, new).unwrap().into()
}

/// A request in the making.
pub(crate) struct Ask<'f> {
    router: &'f Router,
    request: Request<Body>,
}

impl<'f> Ask<'f> {
    pub(crate) fn new(router: &'f Router, method: &str, path: &str) -> Self {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
        *request.uri_mut() = path.parse().unwrap();
        Self { router, request }
    }

    pub(crate) fn login(self, login: &Login) -> Self {
        let header = login.basic();
        self.header("authorization", &header)
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.request.headers_mut().append(name, value.parse().unwrap());
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Body>) -> Self {
        *self.request.body_mut() = body.into();
        self
    }

    /// A TAXII body.
    pub(crate) fn taxii(self, body: Vec<u8>) -> Self {
        self.header("content-type", TAXII).body(body)
    }

    pub(crate) fn json(self, document: &Value) -> Self {
        self.header("content-type", "application/json").body(document.to_string())
    }

    pub(crate) async fn send(self) -> Answer {
        let response = self.router.clone().oneshot(self.request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The same, held to a status.
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.body));
        self
    }

    /// Headers and body, without what differs from request to request.
    pub(crate) fn comparable(&self) -> (StatusCode, HeaderMap, Vec<u8>) {
        let mut headers = self.headers.clone();
        let id = headers.remove("x-request-id").map(|id| id.to_str().unwrap().to_owned()).unwrap_or_default();
        let body = String::from_utf8_lossy(&self.body).replace(&id, "ID");
        (self.status, headers, body.into_bytes())
    }
}

/// Indicators numbered `range`, TLP:GREEN.
pub(crate) fn indicators(range: std::ops::Range<u64>) -> Vec<Vec<u8>> {
    range.map(|n| testkit::indicator(n, 1, &[testkit::TLP[1]])).collect()
}
