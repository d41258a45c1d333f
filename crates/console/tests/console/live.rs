//! `/live`: that something changed which somebody may see, and never what.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use model::{Principal, Role, Standing};
use tokio::time::timeout;

use crate::inference::{hidden, hub};
use crate::{Browser, Face};

/// For what has to come; far longer than it takes.
const PATIENCE: Duration = Duration::from_mins(1);

/// A stream that a page has opened.
struct Live {
    body: Body,
    /// Everything that came.
    text: String,
}

fn request(browser: &Browser, headers: &[(&str, &str)]) -> Request<Body> {
    let cookies = browser.cookie_header().unwrap_or_default();
    let mut request = Request::get("/live").header("cookie", cookies);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

impl Live {
    async fn open(face: &Face, browser: &Browser) -> Self {
        let headers = [("accept", "text/event-stream"), ("sec-fetch-site", "same-origin")];
        let response = face.begin(request(browser, &headers)).await;
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let mut live = Self { body: response.into_body(), text: String::new() };
        live.next().await.unwrap();
        assert_eq!(live.text, "retry: 5000\n: open\n\n");
        live
    }

    /// What comes next; nothing if the stream has ended.
    async fn next(&mut self) -> Option<String> {
        let frame = timeout(PATIENCE, self.body.frame()).await.unwrap()?;
        let text = String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap();
        self.text.push_str(&text);
        Some(text)
    }

    /// Reads until all of these were told, and gives all that was.
    async fn until(&mut self, words: &[&str]) -> BTreeSet<String> {
        let mut told = BTreeSet::new();
        while !words.iter().all(|word| told.contains(*word)) {
            let text = self.next().await.expect("the stream ended");
            let data = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap_or_default();
            told.extend(data.split_whitespace().map(str::to_owned));
        }
        told
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_programmes_people_are_told_that_something_changed() {
    let face = Face::new();
    let (member, caller) = face.world.member("Acme", &["open"]);
    let me = face.role(Role::Overseer).await;
    let mut live = Live::open(&face, &me).await;
    drop(face.world.publish("open", &[testkit::indicator(1, 1, &[])]));
    live.until(&["feed", "ledger"]).await;
    face.world.exchange.objects(&caller, "open", &taxii::ObjectFilter::default()).unwrap();
    live.until(&["ledger"]).await;
    let tier = testkit::tier("open");
    face.world
        .exchange
        .set_standing(&face.world.operator, &member.id, &tier, Standing::Suspended, "a test")
        .unwrap();
    live.until(&["alerts", "standing", "ledger"]).await;
    let doubted = testkit::indicator_id(1);
    let mut reviewer = face.role(Role::Reviewer).await;
    face.get(&mut reviewer, "/hits").await.expect(200);
    face.world.exchange.report_false_positive(&face.world.operator, &doubted, "it is ours").unwrap();
    live.until(&["hits"]).await;
    // That it changed, and nothing of what.
    for secret in [member.id.as_str(), "Acme", "a test", doubted.as_str(), "open\n\ndata", "ours"] {
        assert!(!live.text.contains(secret), "{}", live.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_is_told_the_same_whatever_is_hidden_from_it() {
    let (full, bare) = (hub().await, hub().await);
    let mut with = Live::open(&full.face, &full.me).await;
    let mut without = Live::open(&bare.face, &bare.me).await;
    hidden(&full);
    for hub in [&full, &bare] {
        drop(hub.face.world.publish("open", &[testkit::indicator(2, 1, &[testkit::TLP[1]])]));
    }
    with.until(&["feed"]).await;
    without.until(&["feed"]).await;
    assert_eq!(with.text, without.text);
    assert!(with.text.ends_with("event: change\ndata: feed\n\n"), "{}", with.text);
    // What concerns it is told on both.
    for (hub, live) in [(&full, &mut with), (&bare, &mut without)] {
        let (world, tier) = (&hub.face.world, testkit::tier("programme"));
        world
            .exchange
            .set_standing(&world.operator, &hub.member.id, &tier, Standing::Suspended, "a test")
            .unwrap();
        let told = live.until(&["standing", "ledger"]).await;
        assert!(!told.contains("alerts") && !told.contains("hits"), "{told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_session_and_does_not_keep_it() {
    let face = Face::new();
    // By signing out.
    let mut me = face.role(Role::Officer).await;
    let mut live = Live::open(&face, &me).await;
    face.post(&mut me, "/sign-out", &[]).await.expect(303);
    assert_eq!(live.next().await, None);
    // With its credential: what happens after that is not told.
    let me = face.role(Role::Officer).await;
    let mut live = Live::open(&face, &me).await;
    let credential = me.credential.clone().unwrap();
    face.world.exchange.revoke_credential(&face.world.operator, &credential).unwrap();
    drop(face.world.publish("open", &[testkit::indicator(1, 1, &[])]));
    assert_eq!(live.next().await, None);
    // By silence: neither the stream nor what a page fetches by itself is a request of a person.
    let (member, _) = face.world.member("Acme", &["open"]);
    let mut me = face.sign_in(Principal::Member(member.id)).await;
    let mut live = Live::open(&face, &me).await;
    face.world.clock.advance(Duration::from_mins(20));
    let mut by_itself = request(&me, &[("live-update", "?1")]);
    *by_itself.uri_mut() = "/me/feed".parse().unwrap();
    assert_eq!(face.begin(by_itself).await.status().as_u16(), 200);
    face.world.clock.advance(Duration::from_mins(11));
    while live.next().await.is_some() {}
    face.get(&mut me, "/me/feed").await.expect(303);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_for_pages_of_this_host_and_so_many() {
    let face = Face::limited(testkit::World::new(1), |options| options.live_max = 9);
    let me = face.role(Role::Operator).await;
    let events = ("accept", "text/event-stream");
    for (headers, status) in [
        (vec![], 406),
        (vec![("accept", "text/html")], 406),
        (vec![events, ("sec-fetch-site", "cross-site")], 403),
        (vec![events, ("origin", "https://evil.example")], 403),
    ] {
        assert_eq!(face.begin(request(&me, &headers)).await.status().as_u16(), status, "{headers:?}");
    }
    let mut open = Vec::new();
    for _ in 0..8 {
        open.push(Live::open(&face, &me).await);
    }
    assert_eq!(face.begin(request(&me, &[events])).await.status().as_u16(), 503, "so many of a session");
    let other = face.role(Role::Operator).await;
    open.push(Live::open(&face, &other).await);
    assert_eq!(face.begin(request(&other, &[events])).await.status().as_u16(), 503, "so many in all");
    // Whoever goes makes room at once.
    open.clear();
    let deadline = std::time::Instant::now() + PATIENCE;
    while face.begin(request(&other, &[events])).await.status().as_u16() != 200 {
        assert!(std::time::Instant::now() < deadline, "nobody made room");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_a_page_fetches_by_itself_takes_no_message_away() {
    let face = Face::new();
    let (member, _) = face.world.member("Acme", &["open"]);
    let mut me = face.role(Role::Officer).await;
    let page = format!("/members/{}", member.id);
    face.get(&mut me, &page).await.expect(200);
    face.post(&mut me, &format!("{page}/negotiation"), &[("text", "it sells")]).await.expect(303);
    let mut by_itself = request(&me, &[("live-update", "?1")]);
    *by_itself.uri_mut() = "/".parse().unwrap();
    let fetched = face.send(&mut me, by_itself).await.expect(200);
    assert!(fetched.headers.get("set-cookie").is_none(), "what is new stays new");
    fetched.lacks(&["role=\"status\""]);
    face.get(&mut me, &page).await.expect(200).has(&["role=\"status\""]);
}
