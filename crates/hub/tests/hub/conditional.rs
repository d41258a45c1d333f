//! Conditional requests and content codings.

use std::io::Read as _;

use testkit::indicator_id;

use crate::{Face, indicators};

#[tokio::test]
async fn what_a_client_has_is_not_sent_again_and_not_recorded_as_handed_out() {
    let face = Face::new();
    let (_, login) = face.member("Alpha", &["programme"]);
    let _ = face.world.publish("indicators", &indicators(1..4));
    let id = indicator_id(1);
    let disclosed =
        ["objects/?limit=2", "manifest/", &format!("objects/{id}/"), &format!("objects/{id}/versions/")];
    for path in disclosed {
        let path = format!("/jcsp/collections/indicators/{path}");
        let first = face.get(&login, &path).await.expect(200);
        let etag = first.header("etag").unwrap().to_owned();
        assert_eq!(first.header("cache-control"), Some("no-cache, private"));
        assert_eq!(first.header("vary"), Some("accept, accept-encoding, authorization"));
        let before = face.world.exchange.ledger_head().size;
        let again = |etag: &str| face.ask("GET", &path).login(&login).header("if-none-match", etag).send();
        let answer = again(&etag).await.expect(304);
        assert!(answer.body.is_empty(), "{path}");
        assert_eq!(answer.header("etag"), Some(etag.as_str()));
        again(&format!("\"other\", {}", etag.trim_start_matches("W/"))).await.expect(304);
        assert_eq!(face.world.exchange.ledger_head().size, before, "{path}: nothing left");
        again("\"other\"").await.expect(200);
        assert_eq!(face.world.exchange.ledger_head().size, before + 1, "{path}: a page left");
    }
    let path = "/jcsp/collections/indicators/manifest/";
    let etag = face.get(&login, path).await.header("etag").unwrap().to_owned();
    let _ = face.world.publish("indicators", &indicators(4..5));
    face.ask("GET", path).login(&login).header("if-none-match", &etag).send().await.expect(200);
}

#[tokio::test]
async fn resources_without_objects_are_conditional_too() {
    let face = Face::new();
    for path in ["/taxii2/", "/jcsp/", "/jcsp/collections/", "/jcsp/collections/open/"] {
        let etag = face.get(&face.operator, path).await.expect(200).header("etag").unwrap().to_owned();
        let ask = face.ask("GET", path).login(&face.operator).header("if-none-match", &etag);
        let answer = ask.send().await.expect(304);
        assert!(answer.body.is_empty());
        face.ask("GET", path).header("if-none-match", &etag).send().await.expect(401);
    }
}

#[tokio::test]
async fn an_entity_tag_tells_another_member_nothing() {
    let face = Face::new();
    let (_, alpha) = face.member("Alpha", &["programme"]);
    let (_, beta) = face.member("Beta", &["programme"]);
    let _ = face.world.publish("indicators", &indicators(1..4));
    let path = "/jcsp/collections/indicators/objects/";
    let etag = face.get(&alpha, path).await.header("etag").unwrap().to_owned();
    face.ask("GET", path).login(&beta).header("if-none-match", &etag).send().await.expect(200);
}

#[tokio::test]
async fn large_pages_are_compressed_as_the_client_likes() {
    let face = Face::new();
    let _ = face.world.publish("open", &indicators(1..40));
    let path = "/jcsp/collections/open/objects/";
    let plain = face.get(&face.operator, path).await.expect(200);
    assert!(plain.header("content-encoding").is_none());
    for (accept, coding) in
        [("gzip, deflate", "gzip"), ("gzip, zstd", "zstd"), ("gzip;q=1, zstd;q=0.5", "gzip")]
    {
        let ask = face.ask("GET", path).login(&face.operator).header("accept-encoding", accept);
        let answer = ask.send().await.expect(200);
        assert_eq!(answer.header("content-encoding"), Some(coding), "{accept}");
        assert!(answer.body.len() * 5 < plain.body.len(), "{accept}");
        let mut body = Vec::new();
        if coding == "gzip" {
            flate2::read::GzDecoder::new(answer.body.as_slice()).read_to_end(&mut body).unwrap();
        } else {
            body = zstd::decode_all(answer.body.as_slice()).unwrap();
        }
        assert_eq!(body, plain.body, "{accept}");
        assert_eq!(answer.header("etag"), plain.header("etag"), "a weak tag holds for every coding");
    }
    let small =
        face.ask("GET", &format!("{path}?limit=1")).login(&face.operator).header("accept-encoding", "gzip");
    assert!(small.send().await.expect(200).header("content-encoding").is_none());
}

#[tokio::test]
async fn secrets_are_never_compressed_or_kept() {
    let face = Face::new();
    let note = "x".repeat(4_096);
    let body = serde_json::json!({"role": "officer", "note": note});
    let ask = face
        .ask("POST", "/api/credentials")
        .login(&face.operator)
        .json(&body)
        .header("accept-encoding", "gzip");
    let answer = ask.send().await.expect(201);
    assert!(answer.header("content-encoding").is_none());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}
