//! Signing in and out, and what keeps others from doing it for somebody.

use std::sync::Arc;
use std::time::Duration;

use exchange::Attempt;
use model::{Principal, Role};
use testkit::World;

use crate::{Browser, Face};

const PASSWORD: (&str, &str) = ("a.ash", "correct horse battery");

async fn with_password(face: &Face, browser: &mut Browser, password: &str, code: &str) -> crate::Answer {
    face.get(browser, "/sign-in").await.expect(200);
    let fields = [("login", PASSWORD.0), ("password", password), ("code", code), ("next", "/members?q=x")];
    face.post(browser, "/sign-in", &fields).await
}

#[tokio::test]
async fn a_person_signs_in_looks_and_signs_out() {
    let face = Face::new();
    face.credential(Principal::Role(Role::Officer), Some(PASSWORD));
    let mut me = Browser::default();
    let sent = face.get(&mut me, "/members?q=x").await.expect(303);
    assert_eq!(sent.header("location"), "/sign-in?next=%2Fmembers%3Fq%3Dx");
    let form = face.get(&mut me, sent.header("location")).await.expect(200);
    form.has(&["name=\"next\" value=\"/members?q=x\"", "autocomplete=\"current-password\""]);
    with_password(&face, &mut me, "wrong", "").await.expect(401).has(&["were not accepted"]);
    let signed_in = with_password(&face, &mut me, PASSWORD.1, "").await.expect(303);
    assert_eq!(signed_in.header("location"), "/members?q=x");
    face.get(&mut me, "/").await.expect(200).has(&["a.ash, officer", "Sign out"]);
    let before = me.clone();
    face.post(&mut me, "/sign-out", &[]).await.expect(303);
    face.get(&mut me, "/").await.expect(303);
    face.get(&mut before.clone(), "/").await.expect(303);
}

#[tokio::test]
async fn a_session_is_never_one_that_was_there_before() {
    let face = Face::new();
    face.credential(Principal::Role(Role::Officer), Some(PASSWORD));
    let mut me = Browser::default();
    me.cookies.push(("ringfence".to_owned(), "planted".to_owned()));
    with_password(&face, &mut me, PASSWORD.1, "").await.expect(303);
    let first = me.cookies.iter().find(|(name, _)| name == "ringfence").unwrap().1.clone();
    assert_ne!(first, "planted");
    assert!(first.len() >= 43, "256 bits: {first}");
    let mut planted =
        Browser { cookies: vec![("ringfence".to_owned(), "planted".to_owned())], ..Browser::default() };
    face.get(&mut planted, "/").await.expect(303);
}

#[tokio::test]
async fn a_revoked_account_is_out_at_its_next_request() {
    let face = Face::new();
    let mut me = face.role(Role::Officer).await;
    face.get(&mut me, "/members").await.expect(200);
    face.world.exchange.revoke_credential(&face.world.operator, me.credential.as_ref().unwrap()).unwrap();
    face.get(&mut me, "/members").await.expect(303);
}

#[tokio::test]
async fn silence_ends_a_session() {
    let face = Face::new();
    let mut me = face.role(Role::Officer).await;
    face.world.pass(std::time::Duration::from_mins(29));
    face.get(&mut me, "/").await.expect(200);
    face.world.pass(std::time::Duration::from_mins(30));
    face.get(&mut me, "/").await.expect(303);
}

#[tokio::test]
async fn forms_of_others_are_refused() {
    let face = Face::new();
    let mut me = face.role(Role::Officer).await;
    let mut other = face.role(Role::Officer).await;
    let token = me.token.clone();
    let member = [("name", "Acme"), ("kind", "provider")];
    let with = |token: &'static str| [&[("token", token)], &member[..]].concat();
    // Without the token, with a wrong one, with that of another session.
    for fields in [member.to_vec(), with("x"), with("")] {
        face.post_bare(&mut me, "/members", &fields, &[]).await.expect(403);
    }
    let foreign = [&[("token", token.as_str())], &member[..]].concat();
    face.post_bare(&mut other, "/members", &foreign, &[]).await.expect(403);
    // With the right one, from a page of another site.
    for header in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
    ] {
        face.post_bare(&mut me, "/members", &foreign, &[header]).await.expect(403);
    }
    assert!(face.world.exchange.members(&face.world.operator, None, 10).unwrap().is_empty());
    face.post_bare(&mut me, "/members", &foreign, &[("origin", "https://hub.example")]).await.expect(303);
    assert_eq!(face.world.exchange.members(&face.world.operator, None, 10).unwrap().len(), 1);
    // Signing in has a token too, or somebody could be signed in as somebody else.
    let (_, secret) = face.credential(Principal::Role(Role::Officer), None);
    let mut nobody = Browser::default();
    face.post_bare(&mut nobody, "/sign-in", &[("bearer", &secret)], &[]).await.expect(403);
    face.get(&mut nobody, "/sign-in").await.expect(200);
    face.post(&mut nobody, "/sign-in", &[("bearer", &secret)]).await.expect(303);
}

#[tokio::test]
async fn over_http2_the_host_is_that_of_the_uri() {
    let face = Face::new();
    let mut me = face.role(Role::Operator).await;
    for (uri, origin, status) in [
        ("https://hub.example:8443/members", "https://hub.example:8443", 303),
        ("https://hub.example:8443/members", "https://hub.example", 403),
        ("https://evil.example/members", "https://hub.example", 403),
    ] {
        let token = me.token.clone();
        let fields = [("token", token.as_str()), ("name", "Acme"), ("kind", "provider")];
        let answer = face.post_bare(&mut me, uri, &fields, &[("origin", origin)]).await;
        assert_eq!(answer.status.as_u16(), status, "{uri} {origin}");
    }
    // What is shown to be copied has it too.
    let (member, _) = face.world.member("Bravo", &["open"]);
    let credential = [("member", member.id.as_str())];
    let made = face.post(&mut me, "https://hub.example:8443/first-run/credential", &credential).await;
    made.expect(200).has(&["http://hub.example:8443/jcsp/"]);
    let mut member = face.sign_in(Principal::Member(member.id)).await;
    let guard = face.get(&mut member, "https://hub.example:8443/me/guard").await.expect(200);
    guard.has(&["https://hub.example:8443/taxii2/"]);
}

/// An officer who came by a link, and sent no form for it.
async fn linked(face: &Face) -> Browser {
    let (_, token) = face.credential(Principal::Role(Role::Officer), None);
    let caller = face.world.exchange.authenticate(&Attempt::Bearer(&token), "x").unwrap();
    let mut browser = Browser::default();
    face.get(&mut browser, &face.console.link_once(caller, "/")).await.expect(303);
    browser
}

/// A form that begins and never goes on.
struct Silent;

impl hyper::body::Body for Silent {
    type Data = hyper::body::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
        std::task::Poll::Pending
    }
}

#[tokio::test]
async fn a_form_that_does_not_come_is_not_waited_for() {
    const FORM: &str = "application/x-www-form-urlencoded";
    const FILE: &str = "multipart/form-data; boundary=bound";
    let (short, long) = (Duration::from_millis(50), Duration::from_hours(1));
    // Each kind has a time of its own.
    for (media_type, path, form, upload) in [
        (FORM, "/sign-in", short, long),
        (FORM, "/members", short, long),
        (FILE, "/ties/import", long, short),
    ] {
        let face = Face::limited(World::new(1), |options| {
            (options.form_duration_max, options.upload_duration_max) = (form, upload);
        });
        let mut me = if path == "/sign-in" { Browser::default() } else { linked(&face).await };
        let request = http::Request::post(path).header("content-type", media_type);
        let sent = face.send(&mut me, request.body(axum::body::Body::new(Silent)).unwrap());
        let answer = tokio::time::timeout(Duration::from_secs(30), sent).await.expect("an answer comes");
        answer.expect(408).has(&["Too slow"]);
    }
}

#[tokio::test]
async fn strangers_who_sign_in_take_nobodys_place() {
    let face = Arc::new(Face::limited(World::new(1), |options| {
        (options.pages_max, options.verifications_max) = (1, 0);
    }));
    let mut strangers = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let face = Arc::clone(&face);
        strangers.spawn(async move {
            let mut browser = Browser::default();
            face.get(&mut browser, "/sign-in").await.expect(200);
            face.post(&mut browser, "/sign-in", &[("login", "somebody"), ("password", "a guess")]).await
        });
    }
    let mut me = linked(&face).await;
    let page = tokio::time::timeout(Duration::from_secs(30), face.get(&mut me, "/members")).await;
    page.expect("a page is made").expect(200);
    assert!(strangers.try_join_next().is_none(), "no place is free for a password");
}

#[tokio::test]
async fn guessing_is_slowed_down() {
    let face = Face::new();
    face.credential(Principal::Role(Role::Officer), Some(PASSWORD));
    let mut me = Browser::default();
    for _ in 0..10 {
        with_password(&face, &mut me, "wrong", "").await.expect(401);
    }
    let told = with_password(&face, &mut me, PASSWORD.1, "").await.expect(429);
    assert!(!told.header("retry-after").is_empty());
    face.world.pass(std::time::Duration::from_secs(61));
    with_password(&face, &mut me, PASSWORD.1, "").await.expect(303);
}

#[tokio::test]
async fn a_second_factor_is_asked_for_once_it_was_shown_to_work() {
    let face = Face::new();
    let (id, _) = face.credential(Principal::Role(Role::Officer), Some(PASSWORD));
    let mut me = Browser::default();
    with_password(&face, &mut me, PASSWORD.1, "").await.expect(303);
    let page = face.get(&mut me, "/account").await.expect(200);
    let after = |mark: &str| page.body.split_once(mark).unwrap().1.to_owned();
    let secret = after("<code class=\"secret\">").split('<').next().unwrap().to_owned();
    let nonce = after("name=\"nonce\" value=\"").split('"').next().unwrap().to_owned();
    let wrong = face.post(&mut me, "/account/second-factor", &[("nonce", &nonce), ("code", "000000")]).await;
    wrong.expect(303);
    face.get(&mut me, "/account").await.expect(200).has(&["not the one of now"]);
    let code = totp(&secret, face.world.exchange.now());
    face.post(&mut me, "/account/second-factor", &[("nonce", &nonce), ("code", &code)]).await.expect(303);
    face.get(&mut me, "/account")
        .await
        .expect(200)
        .has(&["signing in takes a code"])
        .lacks(&["class=\"secret\""]);

    let mut again = Browser::default();
    with_password(&face, &mut again, PASSWORD.1, "").await.expect(401);
    with_password(&face, &mut again, PASSWORD.1, &code).await.expect(303);
    with_password(&face, &mut Browser::default(), PASSWORD.1, &code).await.expect(401);
    face.world.pass(std::time::Duration::from_secs(30));
    let next = totp(&secret, face.world.exchange.now());
    with_password(&face, &mut Browser::default(), PASSWORD.1, &next).await.expect(303);
    let basic = exchange::Attempt::Basic { login: PASSWORD.0, secret: PASSWORD.1 };
    face.world.exchange.authenticate(&basic, "x").unwrap_err();
    face.world.exchange.remove_second_factor(&face.world.operator, &id).unwrap();
    face.world.exchange.authenticate(&basic, "x").unwrap();
}

/// The code of a secret in base 32 at an instant, computed anew from RFC 6238.
fn totp(secret: &str, now: model::Timestamp) -> String {
    use std::fmt::Write as _;

    use hmac::Mac as _;
    let mut bits = String::new();
    for letter in secret.bytes() {
        let value = if letter.is_ascii_digit() { letter - b'2' + 26 } else { letter - b'A' };
        write!(bits, "{value:05b}").unwrap();
    }
    let bytes: Vec<u8> = bits
        .as_bytes()
        .chunks_exact(8)
        .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
        .collect();
    let mut mac = hmac::Hmac::<sha1::Sha1>::new_from_slice(&bytes).unwrap();
    mac.update(&(now.as_micros() / 30_000_000).to_be_bytes());
    let hash = mac.finalize().into_bytes();
    let at = usize::from(hash[19] & 15);
    let number = u32::from_be_bytes(hash[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

#[tokio::test]
async fn another_password_signs_everybody_out() {
    let face = Face::new();
    face.credential(Principal::Role(Role::Officer), Some(PASSWORD));
    let (mut me, mut elsewhere) = (Browser::default(), Browser::default());
    with_password(&face, &mut me, PASSWORD.1, "").await.expect(303);
    with_password(&face, &mut elsewhere, PASSWORD.1, "").await.expect(303);
    face.get(&mut me, "/account").await.expect(200);
    for (old, new) in [("wrong", "another long password"), (PASSWORD.1, "short")] {
        face.post(&mut me, "/account/password", &[("old", old), ("new", new)]).await.expect(303);
        face.get(&mut me, "/account").await.expect(200).has(&["role=\"alert\""]);
    }
    face.post(&mut me, "/account/password", &[("old", PASSWORD.1), ("new", "another long password")])
        .await
        .expect(303);
    face.get(&mut me, "/").await.expect(303);
    face.get(&mut elsewhere, "/").await.expect(303);
    with_password(&face, &mut me, PASSWORD.1, "").await.expect(401);
    with_password(&face, &mut me, "another long password", "").await.expect(303);
}

#[tokio::test]
async fn a_link_signs_in_once() {
    let face = Face::new();
    let (id, _) = face.credential(Principal::Role(Role::Officer), None);
    let caller = model::Caller { credential: id, ..testkit::caller_of(Principal::Role(Role::Officer)) };
    let link = face.console.link_once(caller, "/members");
    let mut me = Browser::default();
    let head = http::Request::head(&link).body(axum::body::Body::empty()).unwrap();
    face.send(&mut me, head).await.expect(200);
    assert_eq!(face.get(&mut me, &link).await.expect(303).header("location"), "/members");
    face.get(&mut me, "/members").await.expect(200);
    face.get(&mut Browser::default(), &link).await.expect(410);
}
