//! What clients post: too much, too deep, compressed, cut short, of the wrong kind.

use std::collections::VecDeque;
use std::io::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use hyper::body::Frame;
use testkit::{envelope, indicator_id};

use crate::{Ask, Face, TAXII, indicators};

const PATH: &str = "/jcsp/collections/open/objects/";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A body that comes in pieces, announces no length, and at its end breaks, falls silent or ends.
struct Pieces {
    pieces: VecDeque<Vec<u8>>,
    end: End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    Broken,
    Silent,
}

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        match (self.pieces.pop_front(), self.end) {
            (Some(piece), _) => Poll::Ready(Some(Ok(Frame::data(piece.into())))),
            (None, End::Whole) => Poll::Ready(None),
            (None, End::Broken) => Poll::Ready(Some(Err(std::io::Error::other("cut off")))),
            (None, End::Silent) => Poll::Pending,
        }
    }
}

fn in_pieces(body: &[u8], end: End) -> Body {
    Body::new(Pieces { pieces: body.chunks(100).map(<[u8]>::to_vec).collect(), end })
}

#[tokio::test]
async fn compressed_bodies_are_taken() {
    let face = Face::new();
    let first = gzip(&envelope(&indicators(1..3)));
    let posted = face.ask("POST", PATH).login(&face.operator).header("content-encoding", "gzip").taxii(first);
    assert_eq!(posted.send().await.expect(202).json()["success_count"], 2);
    let second = zstd::encode_all(envelope(&indicators(3..6)).as_slice(), 3).unwrap();
    let posted =
        face.ask("POST", PATH).login(&face.operator).header("content-encoding", "zstd").taxii(second);
    assert_eq!(posted.send().await.expect(202).json()["success_count"], 3);
    let posted = face.ask("POST", PATH).login(&face.operator).header("content-encoding", "br").taxii(vec![1]);
    posted.send().await.expect(415);
    let posted =
        face.ask("POST", PATH).login(&face.operator).header("content-encoding", "gzip").taxii(vec![1]);
    posted.send().await.expect(400);
}

#[tokio::test]
async fn bodies_up_to_the_limit_are_taken_and_no_larger_ones() {
    let mut body = envelope(&indicators(1..5));
    body.resize(2_000, b' ');
    for (limit, status) in [(2_000, 202), (1_999, 413)] {
        let face = Face::with_limits(&[("body_size_max_bytes", limit)]);
        let whole =
            face.ask("POST", PATH).login(&face.operator).taxii(body.clone()).send().await.expect(status);
        assert_eq!(whole.header("content-type"), Some(TAXII));
        // The same without a length that is announced.
        let ask = face.ask("POST", PATH).login(&face.operator).header("content-type", TAXII);
        ask.body(in_pieces(&body, End::Whole)).send().await.expect(status);
    }
}

#[tokio::test]
async fn a_bomb_costs_what_the_limit_allows() {
    let face = Face::with_limits(&[("decompressed_size_max_bytes", 1_000_000)]);
    let bomb = gzip(&vec![b' '; 200_000_000]);
    assert!(bomb.len() < 1_000_000);
    let posted = face.ask("POST", PATH).login(&face.operator).header("content-encoding", "gzip").taxii(bomb);
    let answer = posted.send().await.expect(413);
    assert!(answer.json()["description"].as_str().unwrap().contains("1000000"));
}

#[tokio::test]
async fn deep_nesting_and_what_is_no_json_is_refused() {
    let face = Face::new();
    for body in ["", "{", "[1,2", "not json", "{\"objects\":{}}", "null", "{\"objects\":[1]} trailing"] {
        let answer = face
            .ask("POST", PATH)
            .login(&face.operator)
            .taxii(body.as_bytes().to_vec())
            .send()
            .await
            .expect(422);
        assert_eq!(answer.json()["http_status"], "422", "{body}");
    }
    // Deep as a whole: refused. Deep in one object: that object is named.
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)).into_bytes();
    face.ask("POST", PATH).login(&face.operator).taxii(deep).send().await.expect(422);
    let nested = format!("{}1{}", "[".repeat(500), "]".repeat(500));
    let object = String::from_utf8(indicators(1..2).remove(0)).unwrap();
    let object = object.replacen('{', &format!("{{\"x_deep\":{nested},"), 1).into_bytes();
    let mixed = envelope(&[object, indicators(2..3).remove(0)]);
    let answer = face.ask("POST", PATH).login(&face.operator).taxii(mixed).send().await;
    assert!([202, 422].contains(&answer.status.as_u16()), "{}", answer.status);
    face.get(&face.operator, &format!("{PATH}{}/", indicator_id(1))).await.expect(404);
}

#[tokio::test]
async fn another_content_type_is_415() {
    let face = Face::new();
    for content_type in [None, Some("text/plain"), Some("application/taxii+json;version=2.0")] {
        let mut ask = face.ask("POST", PATH).login(&face.operator);
        if let Some(content_type) = content_type {
            ask = ask.header("content-type", content_type);
        }
        let answer = ask.body(envelope(&indicators(1..2))).send().await.expect(415);
        assert_eq!(answer.header("content-type"), Some(TAXII));
    }
}

#[tokio::test]
async fn a_body_that_ends_early_is_400_and_one_that_never_comes_408() {
    let options =
        hub::HubOptions { body_pause_max: Duration::from_millis(50), ..hub::HubOptions::new([0; 32]) };
    let face = Face::with(options);
    for (end, status) in [(End::Broken, 400), (End::Silent, 408)] {
        let body = in_pieces(b"{\"objects\":[", end);
        let ask = face.ask("POST", PATH).login(&face.operator).header("content-type", TAXII).body(body);
        ask.send().await.expect(status);
    }
    face.get(&face.operator, PATH).await.expect(200);
}

#[tokio::test]
async fn bodies_wait_for_their_share_of_memory() {
    let options = hub::HubOptions { bodies_max_bytes: 1_024, ..hub::HubOptions::new([0; 32]) };
    let face = Face::with(options);
    let mut posts = tokio::task::JoinSet::new();
    for n in 0..8_u64 {
        let (router, login) = (face.router.clone(), face.operator.clone());
        posts.spawn(async move {
            let body = envelope(&indicators(n * 10 + 1..n * 10 + 11));
            Ask::new(&router, "POST", PATH).login(&login).taxii(body).send().await.expect(202).json()
        });
    }
    for status in posts.join_all().await {
        assert_eq!(status["success_count"], 10);
    }
}

/// Starts a request whose body begins and then falls silent, and lets the hub get as far with it as it does.
async fn stall(face: &Face, login: &crate::Login, path: &str, types: [&str; 2], first: &[u8]) {
    let ask = face.ask("POST", path).login(login).header("content-type", types[0]);
    let ask = ask.header("content-encoding", types[1]).body(in_pieces(first, End::Silent));
    let (router, request) = (ask.router.clone(), ask.request);
    tokio::spawn(tower::ServiceExt::oneshot(router, request));
    tokio::time::sleep(Duration::from_millis(20)).await;
}

#[tokio::test]
async fn slow_compressed_bodies_stop_neither_publications_nor_decisions() {
    // Room for two of the largest bodies in all.
    let limit = 64 * 1024;
    let face = Face::with_limits(&[("decompressed_size_max_bytes", limit)]);
    let options = hub::HubOptions {
        bodies_max_bytes: usize::try_from(limit).unwrap() * 2,
        ..hub::HubOptions::new([0; 32])
    };
    let face = Face::over(face.world, options);
    let (alpha, slow) = face.member("Alpha", &["open"]);
    for _ in 0..20 {
        stall(&face, &slow, PATH, [TAXII, "gzip"], &gzip(b"{\"objects\":[")[..5]).await;
    }
    let soon = Duration::from_secs(30);
    let body = gzip(&envelope(&indicators(1..3)));
    let post = face.ask("POST", PATH).login(&face.operator).header("content-encoding", "gzip").taxii(body);
    let answer = tokio::time::timeout(soon, post.send()).await.expect("the operator publishes");
    assert_eq!(answer.expect(202).json()["success_count"], 2);
    // Whatever is on its way: even all of the memory for submissions.
    for login in [&slow, &face.operator] {
        stall(&face, login, PATH, [TAXII, "identity"], &vec![b' '; 60_000]).await;
    }
    let decision = serde_json::json!({"tier": "open", "to": "suspended", "reason": "r"});
    let path = format!("/api/members/{}/standing", alpha.id);
    let answer = tokio::time::timeout(soon, face.api(&face.operator, "POST", &path, decision)).await;
    answer.expect("the operator suspends").expect(200);
}

#[tokio::test]
async fn who_may_not_decide_is_refused_before_the_body() {
    let face = Face::new();
    let (alpha, member) = face.member("Alpha", &["open"]);
    let one = format!("/api/members/{}", alpha.id);
    let standing = format!("{one}/standing");
    let cases = [
        ("POST", "/api/members"),
        ("PATCH", one.as_str()),
        ("POST", standing.as_str()),
        ("POST", "/api/credentials"),
        ("POST", "/api/recall"),
        ("POST", "/api/backup"),
    ];
    for (method, path) in cases {
        let ask = face.ask(method, path).login(&member).header("content-type", "application/json");
        let ask = ask.body(in_pieces(b"{", End::Silent)).send();
        let answer = tokio::time::timeout(Duration::from_secs(30), ask).await;
        answer.unwrap_or_else(|_| panic!("{path} waits for a body")).expect(403);
    }
}

#[tokio::test]
async fn decisions_are_small() {
    let face = Face::new();
    for (length, status) in [(1_048_576, 400), (1_048_577, 413)] {
        let ask = face.ask("POST", "/api/members").login(&face.operator);
        let ask = ask.header("content-type", "application/json").body(vec![b' '; length]);
        ask.send().await.expect(status);
    }
}
