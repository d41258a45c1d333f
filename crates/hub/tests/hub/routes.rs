//! Every path is described, every described path is there, and every answer has its media type.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{Ask, Face, TAXII};

pub(crate) const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The paths of TAXII 2.1, with the methods that each takes.
pub(crate) const TAXII_ROUTES: [(&str, &[&str]); 9] = [
    ("/taxii2/", &["get"]),
    ("/jcsp/", &["get"]),
    ("/jcsp/status/2b3c/", &["get"]),
    ("/jcsp/collections/", &["get"]),
    ("/jcsp/collections/open/", &["get"]),
    ("/jcsp/collections/open/manifest/", &["get"]),
    ("/jcsp/collections/open/objects/", &["get", "post"]),
    ("/jcsp/collections/open/objects/indicator--1/", &["get", "delete"]),
    ("/jcsp/collections/open/objects/indicator--1/versions/", &["get"]),
];

pub(crate) async fn document(face: &Face) -> Value {
    face.ask("GET", "/api/openapi.json").send().await.expect(200).json()
}

pub(crate) fn concrete(path: &str) -> String {
    path.replace("/tile/{path}", "/tile/0/000.p/1")
        .replace("{index}", "0")
        .replace("{collection}", "open")
        .replace("{object}", "indicator--1")
        .replace("{number}", "1")
        .replace("{tie}", "tie-1")
        .replace("{entity}", "entity-1")
        .replace("{list}", "list-1")
        .replace("{sha256}", &"0".repeat(64))
        .replace("{member}", "member:0123456789abcdef")
        .replace("{tier}", "cleared")
        .replace("{duty}", "attestation-1")
        .replace("{instrument}", "proxy-1")
        .replace("/members/{id}", "/members/member:0123456789abcdef")
        .replace("/credentials/{id}", "/credentials/credential:0123456789abcdef")
}

pub(crate) fn described_methods(item: &Value) -> BTreeSet<&str> {
    item.as_object().unwrap().keys().map(String::as_str).filter(|key| METHODS.contains(key)).collect()
}

#[tokio::test]
async fn every_described_path_is_routed_with_the_described_methods_and_no_others() {
    let face = Face::new();
    let document = document(&face).await;
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 20);
    for (path, item) in paths {
        let described = described_methods(item);
        let path = concrete(path);
        assert!(!path.contains('{'), "{path}");
        for method in METHODS {
            let ask = face.ask(&method.to_uppercase(), &path).login(&face.operator).send().await;
            let is_routed = ask.status.as_u16() != 405;
            assert_eq!(is_routed, described.contains(method), "{method} {path}: {}", ask.status);
            if !is_routed {
                let allowed: BTreeSet<String> = ask
                    .header("allow")
                    .unwrap()
                    .split(',')
                    .map(str::to_lowercase)
                    .filter(|m| m != "head")
                    .collect();
                assert!(
                    allowed.iter().map(String::as_str).eq(described.iter().copied()),
                    "{path}: {allowed:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn every_route_that_was_asked_for_is_described_or_is_taxii() {
    // The metrics name each route under which a request was answered; `none` is what no route took.
    let options = hub::HubOptions { metrics: hub::MetricsAccess::Anyone, ..hub::HubOptions::new([7; 32]) };
    let face = Face::with(options);
    let document = document(&face).await;
    let described: BTreeSet<&str> =
        document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    for path in
        described.iter().map(|path| concrete(path)).chain(TAXII_ROUTES.map(|(path, _)| path.to_owned()))
    {
        if !path.contains("stream") {
            face.get(&face.operator, &path).await;
        }
    }
    let metrics = face.ask("GET", "/metrics").send().await.expect(200);
    let text = String::from_utf8(metrics.body).unwrap();
    let routes: BTreeSet<&str> =
        text.split("route=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(!routes.contains("none"), "{text}");
    for route in routes {
        let spelled = route.replace("{*path}", "{path}");
        assert!(
            route == "/taxii2/" || route.starts_with("/{root}/") || described.contains(spelled.as_str()),
            "{route}"
        );
    }
}

#[tokio::test]
async fn every_taxii_route_takes_its_methods_with_and_without_a_slash() {
    let face = Face::new();
    for (path, methods) in TAXII_ROUTES {
        for spelling in [path, path.trim_end_matches('/')] {
            for method in METHODS {
                let answer = face.ask(&method.to_uppercase(), spelling).login(&face.operator).send().await;
                assert_eq!(answer.status.as_u16() != 405, methods.contains(&method), "{method} {spelling}");
                assert_eq!(answer.header("content-type"), Some(TAXII), "{method} {spelling}");
                assert!(!answer.status.is_redirection(), "{method} {spelling}");
            }
        }
    }
}

#[tokio::test]
async fn whatever_is_not_there_is_a_taxii_error_outside_of_the_api() {
    let face = Face::new();
    let taxii =
        ["/", "/nowhere", "/other/", "/other/collections/", "/jcsp/x/", "/taxii2/x", "/%ff/", "/jcsp//"];
    for path in taxii {
        for login in [None, Some(&face.operator)] {
            let ask = face.ask("GET", path);
            let answer = login
                .map_or_else(|| ask, |login| face.ask("GET", path).login(login))
                .send()
                .await
                .expect(404);
            assert_eq!(answer.header("content-type"), Some(TAXII), "{path}");
            assert_eq!(answer.json()["http_status"], "404", "{path}");
        }
    }
    for path in ["/api/", "/api/nothing", "/ledger/", "/ledger/tile/x", "/metrics/more"] {
        let answer = face.get(&face.operator, path).await.expect(404);
        assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
        assert_eq!(answer.json()["title"], "Not found", "{path}");
    }
}

#[tokio::test]
async fn every_answer_is_dressed() {
    let face = Face::new();
    let mut ids = BTreeSet::new();
    for path in ["/taxii2/", "/nowhere", "/api/me", "/jcsp/collections/open/objects/?limit=0", "/healthz"] {
        let answer = face.get(&face.operator, path).await;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert_eq!(
            answer.header("content-security-policy"),
            Some("default-src 'none'; frame-ancestors 'none'")
        );
        assert!(answer.header("strict-transport-security").is_none(), "only where it is encrypted");
        let id = answer.header("x-request-id").unwrap().to_owned();
        if !answer.status.is_success() {
            assert_eq!(answer.json()["error_id"], id.as_str());
        }
        assert!(ids.insert(id), "{path}");
    }
}

#[tokio::test]
async fn what_needs_no_credentials_says_so_and_nothing_else_is_open() {
    let face = Face::new();
    let document = document(&face).await;
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in described_methods(item) {
            let answer = face.ask(&method.to_uppercase(), &concrete(path)).send().await;
            let is_public = item[method]["security"].as_array().is_some_and(Vec::is_empty);
            assert_eq!(answer.status.as_u16() == 401, !is_public, "{method} {path}: {}", answer.status);
        }
    }
    for (path, methods) in TAXII_ROUTES {
        for method in methods {
            face.ask(&method.to_uppercase(), path).send().await.expect(401);
        }
    }
}

#[tokio::test]
async fn every_reference_in_the_description_is_there() {
    let face = Face::new();
    let document = document(&face).await;
    assert_eq!(document["openapi"], "3.1.0");
    let mut seen = 0;
    let mut rest = vec![&document];
    while let Some(value) = rest.pop() {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
            seen += 1;
        }
        match value {
            Value::Array(values) => rest.extend(values),
            Value::Object(values) => rest.extend(values.values()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    assert!(seen > 100, "{seen}");
}

#[tokio::test]
async fn a_programme_cannot_hide_the_hubs_own_paths() {
    for (name, is_taken) in [("api", true), ("taxii2", true), ("metrics", true), ("apis", false)] {
        let mut files = programme::template();
        let text = String::from_utf8(files["programme.toml"].clone()).unwrap();
        files.insert(
            "programme.toml".to_owned(),
            text.replace("name = \"jcsp\"", &format!("name = \"{name}\"")).into(),
        );
        let world = testkit::World::over(std::sync::Arc::new(store::MemoryStore::new()), &files, 1);
        let router = hub::router(world.exchange, hub::HubOptions::new([0; 32]));
        assert_eq!(router.is_err(), is_taken, "{name}");
        if let Ok(router) = router {
            Ask::new(&router, "GET", &format!("/{name}/")).send().await.expect(401);
        }
    }
}
