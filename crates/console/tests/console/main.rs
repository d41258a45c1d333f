//! The console as browsers see it: whole requests to the router, over an exchange in this process.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod actions;
mod by_provider;
mod content;
mod files;
mod first_run;
mod guard_file;
mod hits;
mod inference;
mod ledger;
mod links;
mod live;
mod member;
mod pages;
mod portal;
mod provider;
mod routes;
mod routes_table;
mod rules;
mod sign_in;
mod ties;
mod whole;

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use console::{Console, ConsoleOptions, Peer, router};
use exchange::NewCredential;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use model::{Action, CredentialId, Principal, Role};
use testkit::{Chance, World};
use tower::ServiceExt as _;

/// A console over a hub in memory.
pub(crate) struct Face {
    pub(crate) world: World,
    pub(crate) console: Console,
    router: Router,
}

/// A browser: somebody who is signed in, or nobody.
#[derive(Clone, Default)]
pub(crate) struct Browser {
    pub(crate) cookies: Vec<(String, String)>,
    /// The token of the last page's forms.
    token: String,
    pub(crate) credential: Option<CredentialId>,
}

impl Browser {
    /// Its cookies as a header, if it has some.
    pub(crate) fn cookie_header(&self) -> Option<String> {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        (!cookies.is_empty()).then(|| cookies.join("; "))
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The same, held to a status.
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{} {}", self.header("location"), self.body);
        self
    }

    /// The same, held to have all of these in it.
    pub(crate) fn has(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.body.contains(text), "`{text}` is missing: {}", self.body);
        }
        self
    }

    /// The same, held to have none of these in it.
    pub(crate) fn lacks(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(!self.body.contains(text), "`{text}` is there: {}", self.body);
        }
        self
    }

    /// The page as one reads it: without tags, with single blanks, entities as their characters.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let mut rest = self.body.as_str();
        while let Some((before, tag)) = rest.split_once('<') {
            text.push_str(before);
            let inline = ["strong", "/strong", "code", "/code", "a ", "/a"];
            if !inline.iter().any(|name| tag.starts_with(name)) {
                text.push(' ');
            }
            rest = tag.split_once('>').map(|(_, after)| after).unwrap_or_default();
        }
        text.push_str(rest);
        let text =
            text.replace("&#39;", "'").replace("&#38;", "&").replace("&#60;", "<").replace("&#62;", ">");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

impl Face {
    pub(crate) fn new() -> Self {
        Self::over(World::new(1))
    }

    /// As [`new`](Self::new), with the template's quorum of two.
    pub(crate) fn with_quorum() -> Self {
        Self::over(World::over(Arc::new(store::MemoryStore::new()), &programme::template(), 1))
    }

    pub(crate) fn over(world: World) -> Self {
        Self::limited(world, |_| {})
    }

    /// As [`over`](Self::over), with a provider by whom people sign in.
    pub(crate) fn by(world: World, provider: Option<Arc<console::Provider>>) -> Self {
        Self::limited(world, |options| options.provider = provider)
    }

    /// A console with other options than the usual ones.
    pub(crate) fn limited(world: World, set: impl FnOnce(&mut ConsoleOptions)) -> Self {
        let chance = Mutex::new(Chance(7));
        let random = Arc::new(move |bytes: &mut [u8]| {
            let mut chance = chance.lock().unwrap();
            for byte in bytes {
                *byte = u8::try_from(chance.below(256)).unwrap();
            }
        });
        let mut options = ConsoleOptions::new(random);
        set(&mut options);
        let console = Console::new(world.exchange.clone(), options);
        let router = router(&console);
        Self { world, console, router }
    }

    /// Issues a credential and gives its token.
    pub(crate) fn credential(
        &self,
        principal: Principal,
        password: Option<(&str, &str)>,
    ) -> (CredentialId, String) {
        // Officers decide together; the others are known by what they sign in with.
        let decides = password.is_none() && principal == Principal::Role(Role::Officer);
        let person = if decides { testkit::person_for(&principal) } else { None };
        let new = NewCredential {
            principal,
            login: password.map(|(login, _)| login.to_owned()),
            actions: [Action::Read, Action::Publish, Action::Administer].into(),
            collections: None,
            expires: None,
            note: String::new(),
            person,
            password: password.map(|(_, password)| password.to_owned()),
        };
        let issued = self.world.exchange.issue_credential(&self.world.operator, new).unwrap();
        (issued.record.id, issued.token.unwrap_or(issued.secret))
    }

    /// A browser in which somebody of that role signed in.
    pub(crate) async fn role(&self, role: Role) -> Browser {
        self.sign_in(Principal::Role(role)).await
    }

    /// A browser in which somebody signed in with a token.
    pub(crate) async fn sign_in(&self, principal: Principal) -> Browser {
        let (id, token) = self.credential(principal, None);
        let mut browser = Browser { credential: Some(id), ..Browser::default() };
        self.get(&mut browser, "/sign-in").await.expect(200);
        self.post(&mut browser, "/sign-in", &[("bearer", &token), ("next", "/account")]).await.expect(303);
        self.get(&mut browser, "/account").await.expect(200);
        browser
    }

    /// Sends a request and gives what begins to come back.
    pub(crate) async fn begin(&self, mut request: Request<Body>) -> Response<Body> {
        // A whole URI is how HTTP/2 comes, without `Host`.
        if request.uri().authority().is_none() {
            request.headers_mut().insert("host", "hub.example".parse().unwrap());
        }
        let peer = Peer { counted_for: "192.0.2.1".to_owned(), ..Peer::default() };
        request.extensions_mut().insert(peer);
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn get(&self, browser: &mut Browser, path: &str) -> Answer {
        self.send(browser, Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// Sends a form of the last page.
    pub(crate) async fn post(&self, browser: &mut Browser, path: &str, fields: &[(&str, &str)]) -> Answer {
        let token = browser.token.clone();
        let mut all = vec![("token", token.as_str())];
        all.extend(fields);
        self.post_bare(browser, path, &all, &[("sec-fetch-site", "same-origin")]).await
    }

    /// Sends fields as they are, with headers as they are.
    pub(crate) async fn post_bare(
        &self,
        browser: &mut Browser,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        let encoded = |text: &str| {
            text.bytes().fold(String::new(), |mut encoded, byte| {
                write!(encoded, "%{byte:02X}").unwrap();
                encoded
            })
        };
        let form: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        let mut request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(browser, request.body(Body::from(form.join("&"))).unwrap()).await
    }

    /// Sends a form of the last page with a file in it.
    pub(crate) async fn post_file(
        &self,
        browser: &mut Browser,
        path: &str,
        name: &str,
        bytes: &[u8],
        fields: &[(&str, &str)],
    ) -> Answer {
        let token = browser.token.clone();
        let mut body = Vec::new();
        for (field, value) in [("token", token.as_str())].iter().chain(fields) {
            body.extend(
                format!("--bound\r\ncontent-disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n")
                    .bytes(),
            );
        }
        let head =
            format!("--bound\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n");
        body.extend(head.bytes());
        body.extend(bytes);
        body.extend(b"\r\n--bound--\r\n");
        let request = Request::post(path)
            .header("content-type", "multipart/form-data; boundary=bound")
            .header("sec-fetch-site", "same-origin");
        self.send(browser, request.body(Body::from(body)).unwrap()).await
    }

    pub(crate) async fn send(&self, browser: &mut Browser, mut request: Request<Body>) -> Answer {
        if let Some(cookies) = browser.cookie_header() {
            request.headers_mut().insert("cookie", cookies.parse().unwrap());
        }
        let (parts, body) = self.begin(request).await.into_parts();
        let body = String::from_utf8_lossy(&body.collect().await.unwrap().to_bytes()).into_owned();
        for cookie in parts.headers.get_all("set-cookie") {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            browser.cookies.retain(|(known, _)| known != name);
            if !rest.contains("Max-Age=0") {
                browser.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        if let Some((_, after)) = body.split_once("name=\"token\" value=\"") {
            after.split('"').next().unwrap().clone_into(&mut browser.token);
        }
        Answer { status: parts.status, headers: parts.headers, body }
    }
}
