//! Signing in by a provider, and every way of getting in by it that is none.

use std::sync::Arc;

use console::{Provider, ProviderSettings};
use model::Role;
use oidc::{Client, HttpFetch};
use serde_json::{Value, json};
use testkit::World;

use crate::provider::{Signing, State, TestProvider};
use crate::{Answer, Browser, Face};

struct Site {
    face: Face,
    provider: Arc<TestProvider>,
}

impl Site {
    fn new() -> Self {
        let world = World::new(1);
        let provider = TestProvider::start(Arc::clone(&world.clock));
        let client = Client::new(provider.settings(), Box::new(HttpFetch::default()));
        let roles =
            [("csirt-officers", Role::Officer), ("csirt-audit", Role::Overseer), ("ops", Role::Operator)];
        let settings = ProviderSettings {
            title: "Example CSIRT".to_owned(),
            groups_claim: "groups".to_owned(),
            person_claim: "name".to_owned(),
            roles: roles.map(|(group, role)| (group.to_owned(), role)).into(),
            public_url: "https://hub.example".to_owned(),
        };
        let face = Face::by(world, Some(Arc::new(Provider::new(client, settings))));
        Self { face, provider }
    }

    fn told(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.provider.state.lock().unwrap());
    }

    fn asked(&self, path: &str) -> usize {
        self.provider.state.lock().unwrap().asked.get(path).copied().unwrap_or_default()
    }

    /// Leaves for the provider and is sent back: the path, not yet gone to.
    async fn way_back(&self, browser: &mut Browser, next: &str) -> String {
        let leaving = self.face.get(browser, &format!("/sign-in/provider?next={next}")).await.expect(303);
        self.provider.visit(leaving.header("location"))
    }

    async fn sign_in(&self, browser: &mut Browser) -> Answer {
        let back = self.way_back(browser, "/members?q=x").await;
        self.face.get(browser, &back).await
    }

    async fn is_in(&self, browser: &mut Browser) -> bool {
        self.face.get(browser, "/members").await.status.is_success()
    }
}

#[tokio::test]
async fn whoever_signs_in_at_the_provider_signs_in_here() {
    for signing in [Signing::Es256, Signing::Rs256] {
        let site = Site::new();
        site.told(|state| state.signing = signing);
        let mut me = Browser::default();
        let link = "href=\"/sign-in/provider?next=%2Fmembers\"";
        site.face
            .get(&mut me, "/sign-in?next=/members")
            .await
            .expect(200)
            .has(&[link, "Sign in with Example CSIRT"]);
        let landed = site.sign_in(&mut me).await.expect(303);
        assert_eq!(landed.header("location"), "/members?q=x", "{signing:?}");
        site.face.get(&mut me, "/members").await.expect(200).has(&["A. Ash, officer"]);
        site.face
            .get(&mut me, "/account")
            .await
            .expect(200)
            .has(&["It keeps your password"])
            .lacks(&["name=\"old\""]);
        let out = site.face.post(&mut me, "/sign-out", &[]).await.expect(303);
        let told = site.face.get(&mut me, out.header("location")).await.expect(200);
        told.has(&[
            "sign out there too",
            "/end?client_id=hub&#38;post_logout_redirect_uri=https%3A%2F%2Fhub.example%2Fsign-in",
        ]);
        assert!(!site.is_in(&mut me).await);
        // Nothing is issued or fetched twice.
        site.sign_in(&mut me).await.expect(303);
        let issued = site.face.world.exchange.credentials(&site.face.world.operator, None, 10).unwrap();
        assert_eq!(issued.len(), 1);
        assert_eq!((site.asked("/keys"), site.asked("/.well-known/openid-configuration")), (1, 1));
    }
}

#[tokio::test]
async fn a_token_that_is_not_to_be_believed_lets_nobody_in() {
    let site = Site::new();
    let now = site.face.world.exchange.now().as_micros() / 1_000_000;
    let lies: [(Signing, Value); 15] = [
        (Signing::Es256, json!({"nonce": "another"})),
        (Signing::Es256, json!({"nonce": null})),
        (Signing::Es256, json!({"aud": "another"})),
        (Signing::Es256, json!({"aud": ["hub", "another"]})),
        (Signing::Es256, json!({"azp": "another"})),
        (Signing::Es256, json!({"iss": "https://login.example"})),
        (Signing::Es256, json!({"exp": now - 61})),
        (Signing::Es256, json!({"exp": null})),
        (Signing::Es256, json!({"iat": now + 86_400})),
        (Signing::Es256, json!({"nbf": now + 86_400})),
        (Signing::Es256, json!({"sub": ""})),
        (Signing::None, json!({})),
        (Signing::Hs256, json!({})),
        (Signing::Stranger, json!({})),
        (Signing::Former, json!({})),
    ];
    for (signing, lie) in lies {
        site.told(|state| {
            state.signing = signing;
            state.lie = lie.clone();
        });
        let mut me = Browser::default();
        let refused = site.sign_in(&mut me).await;
        assert_eq!(refused.status.as_u16(), 403, "{signing:?} {lie}");
        refused.has(&["What Example CSIRT answered was not accepted", "Sign in with Example CSIRT"]);
        assert!(!site.is_in(&mut me).await, "{signing:?} {lie}");
        // Refusals are counted, and this is about something else.
        site.face.world.pass(std::time::Duration::from_secs(61));
        site.told(|state| state.lie = json!({}));
    }
    site.told(|state| state.signing = Signing::Es256);
    site.sign_in(&mut Browser::default()).await.expect(303);
}

#[tokio::test]
async fn keys_that_are_exchanged_are_fetched() {
    let site = Site::new();
    site.sign_in(&mut Browser::default()).await.expect(303);
    site.told(|state| state.key = 2);
    site.sign_in(&mut Browser::default()).await.expect(303);
    assert_eq!(site.asked("/keys"), 2);
    site.told(|state| state.signing = Signing::Former);
    site.sign_in(&mut Browser::default()).await.expect(403);
    assert_eq!(site.asked("/keys"), 3, "looked for once more, and no more often");
}

#[tokio::test]
async fn a_way_back_is_gone_once() {
    let site = Site::new();
    let mut me = Browser::default();
    let back = site.way_back(&mut me, "/").await;
    let mut copy = me.clone();
    site.face.get(&mut me, &back).await.expect(303);
    // Again in this browser, in which it is over; and with the cookie as it was.
    let mut again = Browser::default();
    site.face.get(&mut again, &back).await.expect(403).has(&["begin again"]);
    site.face.get(&mut copy, &back).await.expect(403).has(&["begin again"]);
    assert!(!site.is_in(&mut copy).await);
    assert_eq!(site.asked("/token"), 1, "the code was shown once");
    // The code in another sign-in: the provider has seen it, and another secret goes with it.
    let other = site.way_back(&mut copy, "/").await;
    let replayed = other.replace("code-1", "code-0");
    assert_ne!(replayed, other);
    site.face.get(&mut copy, &replayed).await.expect(403).has(&["was not accepted"]);
    assert!(!site.is_in(&mut copy).await);
}

#[tokio::test]
async fn nobody_is_signed_in_as_somebody_else() {
    let site = Site::new();
    // The attacker begins, stops before the last step, and leads the victim there.
    let mut attacker = Browser::default();
    let led = site.way_back(&mut attacker, "/").await;
    let mut victim = Browser::default();
    site.face.get(&mut victim, &led).await.expect(403);
    site.way_back(&mut victim, "/").await;
    site.face.get(&mut victim, &led).await.expect(403);
    assert!(!site.is_in(&mut victim).await);
    assert_eq!(site.asked("/token"), 0, "nothing is asked for it");
    // The state is that of this browser, whole.
    let mut me = Browser::default();
    let back = site.way_back(&mut me, "/").await;
    let (before, state) = back.split_once("&state=").unwrap();
    let issuer = state.split_once('&').unwrap().1;
    for wrong in [
        format!("{before}&{issuer}"),
        format!("{before}&state=&{issuer}"),
        format!("{before}&state={}&{issuer}", "x".repeat(43)),
    ] {
        let mut copy = me.clone();
        site.face.get(&mut copy, &wrong).await.expect(403);
        assert!(!site.is_in(&mut copy).await, "{wrong}");
    }
    // An answer of another provider is none (RFC 9207), nor one that does not say whose it is.
    for issuer_of in ["", "&iss=https%3A%2F%2Fevil.example"] {
        let mut copy = me.clone();
        let elsewhere = format!("{}{issuer_of}", back.split("&iss=").next().unwrap());
        site.face.get(&mut copy, &elsewhere).await.expect(403).has(&["not that of Example CSIRT"]);
        assert!(!site.is_in(&mut copy).await, "{elsewhere}");
    }
    assert_eq!(site.asked("/token"), 0);
    site.face.world.pass(std::time::Duration::from_mins(10));
    site.face.get(&mut me, &back).await.expect(403).has(&["took too long"]);
}

#[tokio::test]
async fn a_session_is_never_one_that_was_there_before() {
    let site = Site::new();
    let planted = ("ringfence".to_owned(), "planted".to_owned());
    let mut me = Browser { cookies: vec![planted.clone()], ..Browser::default() };
    site.sign_in(&mut me).await.expect(303);
    assert!(site.is_in(&mut me).await && !me.cookies.contains(&planted));
    assert!(!site.is_in(&mut Browser { cookies: vec![planted], ..Browser::default() }).await);
    // Who was signed in as somebody is so no longer.
    let before = me.clone();
    site.sign_in(&mut me).await.expect(303);
    assert!(site.is_in(&mut me).await && !site.is_in(&mut before.clone()).await);
}

#[tokio::test]
async fn it_leads_nowhere_else() {
    let site = Site::new();
    for next in
        ["https://evil.example", "//evil.example", "/%5Cevil.example", "%2F%2Fevil.example", "", "/%0d%0ax"]
    {
        let mut me = Browser::default();
        let back = site.way_back(&mut me, next).await;
        let landed = site.face.get(&mut me, &format!("{back}&next=//evil.example")).await.expect(303);
        assert_eq!(landed.header("location"), "/", "{next}");
    }
}

#[tokio::test]
async fn groups_give_one_role_or_none() {
    let site = Site::new();
    for (groups, want) in [
        (json!(["staff"]), "give you no role here"),
        (json!([]), "give you no role here"),
        (Value::Null, "give you no role here"),
        (json!({"csirt-officers": true}), "give you no role here"),
        (json!(["csirt-officers", "ops"]), "more than one role here (operator, officer)"),
    ] {
        site.told(|state| state.claims["groups"] = groups.clone());
        let mut me = Browser::default();
        site.sign_in(&mut me).await.expect(403).has(&[want]);
        assert!(!site.is_in(&mut me).await, "{groups}");
    }
    site.told(|state| state.claims["groups"] = json!("csirt-audit"));
    let mut me = Browser::default();
    site.sign_in(&mut me).await.expect(303);
    site.face.get(&mut me, "/").await.expect(200).has(&["A. Ash, overseer"]);
}

#[tokio::test]
async fn another_role_ends_the_sessions_of_the_one_before() {
    let site = Site::new();
    let (mut desk, mut phone) = (Browser::default(), Browser::default());
    site.sign_in(&mut desk).await.expect(303);
    site.told(|state| {
        state.claims["groups"] = json!(["csirt-audit"]);
        state.claims["name"] = json!("Somebody else");
    });
    site.sign_in(&mut phone).await.expect(303);
    site.face.get(&mut phone, "/").await.expect(200).has(&["A. Ash, overseer"]).lacks(&["Somebody else"]);
    assert!(!site.is_in(&mut desk).await, "whoever is an overseer is an officer no more");
    // Without a role there it is over, here and elsewhere, until there is one again.
    site.told(|state| state.claims["groups"] = json!([]));
    site.sign_in(&mut desk).await.expect(403);
    assert!(!site.is_in(&mut phone).await);
    site.told(|state| state.claims["groups"] = json!(["csirt-officers"]));
    site.sign_in(&mut desk).await.expect(303);
    let exchange = &site.face.world.exchange;
    let all = exchange.credentials(&site.face.world.operator, None, 10).unwrap();
    assert!(all.iter().all(|record| record.person.as_deref() == Some("A. Ash")), "{all:?}");
    let current: Vec<_> = all.iter().filter(|record| record.is_current(exchange.now())).collect();
    assert_eq!((all.len(), current.len()), (3, 1));
    // What an operator revokes stays revoked.
    exchange.revoke_credential(&site.face.world.operator, &current[0].id).unwrap();
    assert!(!site.is_in(&mut desk).await, "at the next request");
    site.sign_in(&mut desk).await.expect(403).has(&["was revoked here"]);
    site.told(|state| state.claims["sub"] = json!("another"));
    site.sign_in(&mut desk).await.expect(303);
}

#[tokio::test]
async fn a_provider_that_cannot_be_used_is_not_asked_elsewhere_and_leaves_the_accounts() {
    let described = "/.well-known/openid-configuration";
    let redirected = ("302 Found\r\nlocation: /other", Vec::new());
    let endless = ("200 OK", vec![b' '; 300 * 1024]);
    let broken = ("500 Internal Server Error", b"{}".to_vec());
    let nothing = ("200 OK", b"<html>".to_vec());
    for (head, body) in [redirected, endless, broken, nothing] {
        let site = Site::new();
        site.told(|state| state.instead = Some((described, head.to_owned(), body)));
        let mut me = Browser::default();
        for _ in 0..3 {
            let told = site.face.get(&mut me, "/sign-in/provider").await.expect(503);
            told.has(&["cannot be used now", "autocomplete=\"current-password\""]);
        }
        assert_eq!((site.asked(described), site.asked("/other")), (1, 0), "{head}");
        site.told(|state| state.instead = None);
        site.face.world.pass(std::time::Duration::from_secs(5));
        site.sign_in(&mut me).await.expect(303);
    }
    let elsewhere = TestProvider::start(Arc::clone(&Face::new().world.clock));
    for (name, value) in [
        ("issuer", elsewhere.url.clone()),
        ("token_endpoint", format!("{}/token", elsewhere.url)),
        ("jwks_uri", format!("{}/keys", elsewhere.url)),
        ("authorization_endpoint", format!("{}/authorize", elsewhere.url)),
        ("jwks_uri", "file:///etc/passwd".to_owned()),
    ] {
        let site = Site::new();
        site.told(|state| state.description[name] = json!(value));
        site.face.get(&mut Browser::default(), "/sign-in/provider").await.expect(503);
    }
    assert!(elsewhere.state.lock().unwrap().asked.is_empty());
    // Between leaving and coming back.
    let site = Site::new();
    for path in ["/token", "/keys"] {
        let mut me = Browser::default();
        let back = site.way_back(&mut me, "/").await;
        site.told(|state| {
            state.instead = Some((path, "302 Found\r\nlocation: /other".to_owned(), Vec::new()));
        });
        site.face.get(&mut me, &back).await.expect(503).has(&["cannot be used now"]);
        assert!(!site.is_in(&mut me).await);
        site.told(|state| state.instead = None);
        site.face.world.pass(std::time::Duration::from_secs(5));
    }
    assert_eq!(site.asked("/other"), 0);
}

#[tokio::test]
async fn what_the_provider_refuses_is_said_in_our_words() {
    let site = Site::new();
    let mut me = Browser::default();
    let back = site.way_back(&mut me, "/members").await;
    let refusal = back.replace("code=code-0", "error=access_denied&error_description=Call+0900+now");
    let told = site.face.get(&mut me, &refusal).await.expect(403);
    told.has(&["did not let you in", "next=%2Fmembers"]).lacks(&["0900"]);
    let unasked = "/sign-in/provider/back?error=access_denied&error_description=Call+0900+now";
    site.face.get(&mut Browser::default(), unasked).await.expect(403).lacks(&["0900", "did not let you in"]);
    assert_eq!(site.asked("/token"), 0);
}

#[tokio::test]
async fn guessing_codes_is_slowed_down() {
    let site = Site::new();
    for _ in 0..10 {
        let mut me = Browser::default();
        let back = site.way_back(&mut me, "/").await.replace("code=code-", "code=guess-");
        site.face.get(&mut me, &back).await.expect(403);
    }
    let told = site.face.get(&mut Browser::default(), "/sign-in/provider").await.expect(429);
    assert!(!told.header("retry-after").is_empty());
    assert_eq!(site.asked("/token"), 10);
    site.face.world.pass(std::time::Duration::from_secs(61));
    site.sign_in(&mut Browser::default()).await.expect(303);
}

#[tokio::test]
async fn without_a_provider_there_is_nothing_of_it() {
    let face = Face::new();
    let mut me = Browser::default();
    face.get(&mut me, "/sign-in/provider").await.expect(404);
    face.get(&mut me, "/sign-in/provider/back?code=x&state=y").await.expect(404);
    face.get(&mut me, "/sign-in").await.expect(200).lacks(&["/sign-in/provider"]);
}
