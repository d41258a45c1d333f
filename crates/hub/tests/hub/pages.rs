//! Paging to the end, by every way that clients have.

use http_body_util::BodyExt as _;
use hub::HubOptions;
use serde_json::Value;
use testkit::{indicator, indicator_id};
use tower::ServiceExt as _;

use crate::{Answer, Face, Login, indicators};

async fn page(face: &Face, login: &Login, path: &str, query: &str) -> Answer {
    face.get(login, &format!("{path}?{query}")).await.expect(200)
}

/// Follows `next` until there is no more; each page with its headers.
async fn follow(face: &Face, login: &Login, path: &str, filter: &str) -> Vec<Answer> {
    let mut pages = vec![page(face, login, path, filter).await];
    while pages.last().unwrap().json()["more"] == true {
        let next = pages.last().unwrap().json()["next"].as_str().unwrap().to_owned();
        pages.push(page(face, login, path, &format!("{filter}&next={next}")).await);
        assert!(pages.len() < 100, "it does not end");
    }
    pages
}

fn ids(value: &Value) -> Vec<String> {
    let objects = value["objects"].as_array().cloned().unwrap_or_default();
    objects.iter().map(|object| object["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn objects_manifest_and_versions_are_paged_one_by_one_to_the_end() {
    let face = Face::new();
    let (_, login) = face.member("Alpha", &["programme"]);
    let _ = face.world.publish("indicators", &indicators(1..6));
    let versions: Vec<_> = (2..5).map(|version| indicator(1, version, &[testkit::TLP[1]])).collect();
    for version in versions {
        let _ = face.world.publish("indicators", &[version]);
    }
    let cases = [
        ("/jcsp/collections/indicators/objects/", 5),
        ("/jcsp/collections/indicators/manifest/", 5),
        ("/jcsp/collections/indicators/objects/indicator--00000000-0000-4000-8000-000000000001/versions/", 4),
    ];
    for (path, count) in cases {
        let pages = follow(&face, &login, path, "limit=1").await;
        assert_eq!(pages.len(), count, "{path}");
        let mut last = String::new();
        for page in &pages {
            let first = page.header("x-taxii-date-added-first").unwrap();
            assert_eq!(Some(first), page.header("x-taxii-date-added-last"), "one object has one date");
            assert!(first.len() == 27 && first.ends_with('Z'), "{first}");
            assert!(first > last.as_str(), "{path}");
            last = first.to_owned();
        }
        assert_eq!(pages.last().unwrap().json().get("next"), None);
    }
    let all = "match[version]=all&limit=1";
    assert_eq!(follow(&face, &login, "/jcsp/collections/indicators/objects/", all).await.len(), 8);
}

#[tokio::test]
async fn a_client_that_goes_by_the_date_header_ends_complete_too() {
    let face = Face::new();
    let (_, login) = face.member("Alpha", &["programme"]);
    let _ = face.world.publish("indicators", &indicators(1..8));
    let path = "/jcsp/collections/indicators/objects/";
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = page(&face, &login, path, &format!("limit=3{after}")).await;
        found.extend(ids(&page.json()));
        let Some(last) = page.header("x-taxii-date-added-last") else { break };
        after = format!("&added_after={last}");
    }
    assert_eq!(found, (1..8).map(indicator_id).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_empty_page_has_neither_objects_nor_dates() {
    let face = Face::new();
    let _ = face.world.publish("open", &indicators(1..2));
    let id = indicator_id(1);
    for path in ["objects/", "manifest/", &format!("objects/{id}/"), &format!("objects/{id}/versions/")] {
        let path = format!("/jcsp/collections/open/{path}");
        let page = page(&face, &face.operator, &path, "added_after=2030-01-01T00:00:00Z").await;
        assert_eq!(page.json(), serde_json::json!({"more": false}), "{path}");
        assert!(page.header("x-taxii-date-added-first").is_none());
        assert!(page.header("x-taxii-date-added-last").is_none());
    }
}

#[tokio::test]
async fn objects_come_back_as_they_were_sent() {
    let face = Face::new();
    let odd = indicator(1, 1, &[testkit::TLP[1]]);
    let odd = String::from_utf8(odd)
        .unwrap()
        .replace("\"spec_version\":", "\"x_odd\" : [ 1.0,\t\"\\u00e9\" ],\n \"spec_version\":");
    let _ = face.world.publish("open", &[odd.clone().into_bytes()]);
    let page = page(&face, &face.operator, "/jcsp/collections/open/objects/", "").await;
    assert_eq!(String::from_utf8(page.body).unwrap(), format!("{{\"more\":false,\"objects\":[{odd}]}}"));
}

#[tokio::test]
async fn a_next_belongs_to_its_caller_and_its_question() {
    let face = Face::new();
    let (_, alpha) = face.member("Alpha", &["programme"]);
    let (_, beta) = face.member("Beta", &["programme"]);
    let _ = face.world.publish("indicators", &indicators(1..4));
    let objects = "/jcsp/collections/indicators/objects/";
    let first = page(&face, &alpha, objects, "limit=1").await;
    let next = first.json()["next"].as_str().unwrap().to_owned();
    let refused = [
        (&beta, format!("{objects}?limit=1&next={next}")),
        (&alpha, format!("{objects}?limit=1&match[type]=indicator&next={next}")),
        (&alpha, format!("/jcsp/collections/indicators/manifest/?limit=1&next={next}")),
        (&alpha, format!("/jcsp/collections/submissions/objects/?limit=1&next={next}")),
    ];
    for (login, path) in refused {
        face.get(login, &path).await.expect(400);
    }
    assert_eq!(
        ids(&page(&face, &alpha, objects, &format!("limit=1&next={next}")).await.json()),
        [indicator_id(2)]
    );
}

#[tokio::test]
async fn filters_choose() {
    let face = Face::new();
    let _ = face.world.publish("open", &indicators(1..4));
    let cases = [
        (format!("match[id]={},{}", indicator_id(1), indicator_id(3)), 2),
        ("match[type]=indicator".to_owned(), 3),
        ("match[type]=malware".to_owned(), 0),
        ("match[spec_version]=2.0".to_owned(), 0),
        ("match[pattern_type]=stix".to_owned(), 3),
        ("match[pattern_type]=yara".to_owned(), 0),
        (format!("match[id]={}&match[type]=malware", indicator_id(1)), 0),
    ];
    for (query, count) in cases {
        let page = page(&face, &face.operator, "/jcsp/collections/open/objects/", &query).await;
        assert_eq!(ids(&page.json()).len(), count, "{query}");
    }
}

#[tokio::test]
async fn who_does_not_read_its_answers_gets_no_more_and_others_do() {
    let mut options = HubOptions::new([7; 32]);
    // A page of ten is more than half of all that may be on its way, and more than one member's share.
    (options.answers_max_bytes, options.answers_per_principal_max_bytes) = (5_000, 1_000);
    let face = Face::with(options);
    let (_, alpha) = face.member("alpha", &["programme"]);
    let (_, beta) = face.member("beta", &["programme"]);
    let (_, gamma) = face.member("gamma", &["programme"]);
    let _ = face.world.publish("indicators", &indicators(0..10));
    let path = "/jcsp/collections/indicators/objects/";
    let unread = |login: &Login| {
        let mut request = hyper::Request::new(axum::body::Body::empty());
        *request.uri_mut() = path.parse().unwrap();
        request.headers_mut().insert("authorization", login.basic().parse().unwrap());
        face.router.clone().oneshot(request)
    };
    let first = unread(&alpha).await.unwrap();
    assert_eq!(first.status(), 200);
    let entries = face.world.exchange.ledger_head().size;
    let refused = face.get(&alpha, path).await.expect(429);
    assert_eq!(refused.header("retry-after"), Some("5"));
    assert_eq!(face.world.exchange.ledger_head().size, entries, "what is refused is no disclosure");
    let second = unread(&beta).await.unwrap();
    assert_eq!(second.status(), 200);
    let refused = face.get(&gamma, path).await.expect(503);
    assert_eq!(refused.header("retry-after"), Some("5"));
    // Decisions and small answers are not held up.
    face.get(&gamma, "/jcsp/collections/").await.expect(200);
    drop(first);
    face.get(&gamma, path).await.expect(200);
    face.get(&alpha, path).await.expect(200);
    face.get(&beta, path).await.expect(429);
    let body = second.into_body().collect().await.unwrap().to_bytes();
    face.get(&beta, path).await.expect(429);
    drop(body);
    face.get(&beta, path).await.expect(200);
}
