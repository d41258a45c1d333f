//! Every status code with its error resource, and nothing in it that the caller may not know.

use model::Standing;
use testkit::{envelope, indicator, indicator_id, tier};

use crate::{Face, TAXII, indicators};

#[tokio::test]
async fn without_credentials_there_are_two_challenges() {
    let face = Face::new();
    let wrong = format!("Bearer rf_{}_wrong", face.operator.user);
    let headers = [
        None,
        Some("Basic !!!"),
        Some("Digest x"),
        Some("Bearer"),
        Some("Basic YWRhOnNlc2FtZQ=="),
        Some(&wrong),
    ];
    for header in headers {
        for path in ["/taxii2/", "/jcsp/", "/jcsp/collections/none/", "/api/me"] {
            let mut ask = face.ask("GET", path);
            if let Some(header) = header {
                ask = ask.header("authorization", header);
            }
            let answer = ask.send().await.expect(401);
            let challenges: Vec<_> = answer.headers.get_all("www-authenticate").iter().collect();
            let title = "Joint Cybersecurity Services Programme";
            assert_eq!(
                challenges,
                [
                    format!("Basic realm=\"{title}\", charset=\"UTF-8\"").as_str(),
                    format!("Bearer realm=\"{title}\"").as_str(),
                ]
            );
            assert_eq!(answer.json()["http_status"], "401");
        }
        // Before this one can be throttled.
        face.world.pass(std::time::Duration::from_secs(61));
    }
}

#[tokio::test]
async fn both_schemes_are_accepted() {
    let face = Face::new();
    face.get(&face.operator, "/taxii2/").await.expect(200);
    let bearer = format!("Bearer {}", face.operator.token.clone().unwrap());
    face.ask("GET", "/taxii2/").header("authorization", &bearer).send().await.expect(200);
    let person = crate::issue(
        &face.world,
        model::Principal::Role(model::Role::Officer),
        Some("correct horse battery staple"),
    );
    face.get(&person, "/taxii2/").await.expect(200);
}

#[tokio::test]
async fn a_revoked_credential_is_refused_at_once() {
    let face = Face::new();
    let (_, login) = face.member("Alpha", &["open"]);
    face.get(&login, "/taxii2/").await.expect(200);
    face.api(&face.operator, "DELETE", &format!("/api/credentials/{}", login.id), serde_json::json!({}))
        .await
        .expect(200);
    face.get(&login, "/taxii2/").await.expect(401);
}

#[tokio::test]
async fn many_failures_are_throttled_with_a_time_to_come_back() {
    let face = Face::new();
    let guess = || face.ask("GET", "/taxii2/").header("authorization", "Basic YWRhOnNlc2FtZQ==").send();
    for _ in 0..10 {
        guess().await.expect(401);
    }
    let answer = guess().await.expect(429);
    assert_eq!(answer.header("content-type"), Some(TAXII));
    let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=61).contains(&seconds), "{seconds}");
    assert!(answer.headers.get("www-authenticate").is_none());
    face.world.pass(std::time::Duration::from_secs(61));
    guess().await.expect(401);
}

#[tokio::test]
async fn what_cannot_be_accepted_is_406_and_what_clients_send_is_accepted() {
    let face = Face::new();
    for accept in ["text/html", "application/taxii+json;version=2.0"] {
        let answer = face
            .ask("GET", "/taxii2/")
            .login(&face.operator)
            .header("accept", accept)
            .send()
            .await
            .expect(406);
        assert_eq!(answer.header("content-type"), Some(TAXII));
        face.ask("GET", "/taxii2/").header("accept", accept).send().await.expect(401);
        face.ask("GET", "/api/me").login(&face.operator).header("accept", accept).send().await.expect(200);
    }
    for accept in ["*/*", "application/json, text/plain, */*", "application/taxii+json; version=2.1"] {
        face.ask("GET", "/taxii2/").login(&face.operator).header("accept", accept).send().await.expect(200);
    }
}

#[tokio::test]
async fn bad_filters_are_400() {
    let face = Face::new();
    let objects = "/jcsp/collections/open/objects/";
    let cases = [
        "match[type]=indicator&match[type]=malware",
        "match%5Btype%5D=indicator&match[type]=malware",
        "limit=0",
        "limit=-1",
        "limit=ten",
        "added_after=yesterday",
        "match[nonsense]=1",
        "match[id]=",
        "next=garbage",
        "next=",
    ];
    for query in cases {
        let answer = face.get(&face.operator, &format!("{objects}?{query}")).await.expect(400);
        assert_eq!(answer.header("content-type"), Some(TAXII), "{query}");
        assert!(!answer.json()["description"].as_str().unwrap().is_empty(), "{query}");
    }
    face.get(&face.operator, &format!("{objects}?unknown=1")).await.expect(200);
}

#[tokio::test]
async fn a_hidden_collection_and_an_absent_one_are_one_answer() {
    let face = Face::new();
    let (alpha, login) = face.member("Alpha", &["open"]);
    let exchange = &face.world.exchange;
    exchange
        .set_standing(&face.world.operator, &alpha.id, &tier("open"), Standing::Suspended, "a test")
        .unwrap();
    let hidden = "7d1a2c40-53be-4f0c-8a59-0f6d3f1b6003";
    let absent = "7d1a2c40-53be-4f0c-8a59-0f6d3f1b6999";
    let id = indicator_id(1);
    let tails = [
        ("GET", String::new()),
        ("GET", "objects/".to_owned()),
        ("GET", "objects/?limit=5&added_after=2020-01-01T00:00:00Z".to_owned()),
        ("GET", "manifest/".to_owned()),
        ("GET", format!("objects/{id}/")),
        ("GET", format!("objects/{id}/versions/")),
        ("POST", "objects/".to_owned()),
        ("DELETE", format!("objects/{id}/")),
        ("HEAD", String::new()),
    ];
    for (method, tail) in tails {
        let ask = async |collection: &str| {
            let ask = face.ask(method, &format!("/jcsp/collections/{collection}/{tail}")).login(&login);
            let ask = if method == "POST" { ask.taxii(envelope(&indicators(1..2))) } else { ask };
            let answer = ask.send().await.expect(404);
            let (status, headers, body) = answer.comparable();
            (status, headers, String::from_utf8(body).unwrap().replace(collection, "COLLECTION"))
        };
        assert_eq!(ask(hidden).await, ask(absent).await, "{method} {tail}");
    }
    for path in [format!("/api/stream?collection={hidden}"), format!("/api/stream?collection={absent}")] {
        face.get(&login, &path).await.expect(404);
    }
}

#[tokio::test]
async fn a_hidden_object_and_an_absent_one_are_one_answer() {
    let face = Face::new();
    let (_, login) = face.member("Alpha", &["open", "programme"]);
    // TLP:RED without named recipients: nobody but the operator reads it.
    let hidden = indicator(1, 1, &[testkit::TLP[4]]);
    let _ = face.world.publish("indicators", &[hidden, indicator(2, 1, &[testkit::TLP[1]])]);
    face.get(&face.operator, &format!("/jcsp/collections/indicators/objects/{}/", indicator_id(1)))
        .await
        .expect(200);
    for tail in ["", "versions/"] {
        let ask = async |n| {
            let id = indicator_id(n);
            let path = format!("/jcsp/collections/indicators/objects/{id}/{tail}");
            let (status, headers, body) = face.get(&login, &path).await.expect(404).comparable();
            (status, headers, String::from_utf8(body).unwrap().replace(&id, "OBJECT"))
        };
        assert_eq!(ask(1).await, ask(999).await, "{tail}");
    }
    let path = format!("/jcsp/collections/indicators/objects/?match[id]={}", indicator_id(1));
    assert_eq!(face.get(&login, &path).await.expect(200).json(), serde_json::json!({"more": false}));
}

#[tokio::test]
async fn reading_and_writing_need_their_rights() {
    let face = Face::new();
    let (_, login) = face.member("Alpha", &["open"]);
    let post =
        face.ask("POST", "/jcsp/collections/open/objects/").login(&login).taxii(envelope(&indicators(1..2)));
    let answer = post.send().await.expect(403);
    assert_eq!(answer.header("content-type"), Some(TAXII));
    // The open collection is readable to an officer, who may not add to it.
    let officer = face.role(model::Role::Officer);
    let id = indicator_id(1);
    face.ask("DELETE", &format!("/jcsp/collections/open/objects/{id}/"))
        .login(&officer)
        .send()
        .await
        .expect(403);
}
