//! Tokens that are over, revoked or too narrow, at every endpoint that there is; and another secret for a service that runs.

use std::time::Duration;

use exchange::NewCredential;
use model::{Action, Principal, Role};
use serde_json::json;

use crate::routes::{METHODS, TAXII_ROUTES, concrete, described_methods, document};
use crate::{Face, Login};

/// Every path with every method that it takes, but those that are open to everybody.
async fn endpoints(face: &Face) -> Vec<(String, String)> {
    let document = document(face).await;
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in described_methods(item) {
            if !item[method]["security"].as_array().is_some_and(Vec::is_empty) {
                all.push((method.to_uppercase(), concrete(path)));
            }
        }
    }
    for (path, methods) in TAXII_ROUTES {
        all.extend(methods.iter().map(|method| (method.to_uppercase(), path.to_owned())));
    }
    assert!(all.len() > 60 && all.iter().all(|(method, _)| METHODS.contains(&&*method.to_lowercase())));
    all
}

fn issue(face: &Face, principal: Principal, actions: &[Action], seconds: Option<i64>) -> Login {
    let world = &face.world;
    let new = NewCredential {
        principal,
        login: None,
        actions: actions.iter().copied().collect(),
        collections: None,
        expires: seconds.map(|seconds| world.exchange.now().plus_micros(seconds * 1_000_000)),
        note: String::new(),
        person: None,
        password: None,
    };
    world.exchange.issue_credential(&world.operator, new).unwrap().into()
}

#[tokio::test]
async fn what_is_over_or_revoked_is_refused_at_every_endpoint() {
    let face = Face::new();
    let all = [Action::Read, Action::Publish, Action::Administer];
    let operator = Principal::Role(Role::Operator);
    let expired = issue(&face, operator.clone(), &all, Some(60));
    let revoked = issue(&face, operator, &all, None);
    for login in [&expired, &revoked] {
        face.get(login, "/api/me").await.expect(200);
    }
    face.world.clock.advance(Duration::from_mins(1));
    face.world.exchange.revoke_credential(&face.world.operator, &revoked.id.parse().unwrap()).unwrap();
    for (method, path) in endpoints(&face).await {
        for login in [&expired, &revoked] {
            let bearer = format!("Bearer {}", login.token.as_ref().unwrap());
            for header in [bearer, login.basic()] {
                let ask = face.ask(&method, &path).header("authorization", &header);
                let answer = ask.json(&json!({})).send().await;
                assert_eq!(answer.status.as_u16(), 401, "{method} {path}");
                // Failures of one address are throttled, which is another test's subject.
                face.world.clock.advance(Duration::from_secs(10));
            }
        }
    }
}

#[tokio::test]
async fn a_token_for_reading_changes_nothing_at_any_endpoint() {
    let face = Face::new();
    let reading = issue(&face, Principal::Role(Role::Operator), &[Action::Read], None);
    let (member, _) = face.member("Alpha", &["programme"]);
    let of_member = issue(&face, Principal::Member(member.id), &[], None);
    let before = face.world.exchange.ledger_head().size;
    for (method, path) in endpoints(&face).await.into_iter().filter(|(method, _)| method != "GET") {
        for login in [&reading, &of_member] {
            let answer = face.ask(&method, &path).login(login).json(&json!({})).send().await;
            let status = answer.status;
            assert!(!status.is_success() && status.as_u16() != 500, "{method} {path}: {status}");
        }
    }
    assert_eq!(face.world.exchange.ledger_head().size, before, "nothing was written");
    let publishing = issue(&face, Principal::Role(Role::Operator), &[Action::Publish], None);
    for path in ["/jcsp/collections/indicators/objects/", "/jcsp/collections/indicators/manifest/"] {
        face.get(&publishing, path).await.expect(403);
        face.get(&of_member, path).await.expect(404);
    }
}

#[tokio::test]
async fn a_successor_is_as_narrow_and_both_are_accepted_for_a_while() {
    let face = Face::new();
    let (member, _) = face.member("Alpha", &["programme"]);
    let old = issue(&face, Principal::Member(member.id), &[Action::Read], None);
    let path = format!("/api/credentials/{}/rotation", old.id);
    face.api(&old, "POST", &path, json!({})).await.expect(403);
    let issued =
        face.api(&face.operator, "POST", &path, json!({"overlap_hours": 1})).await.expect(201).json();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let successor = Login {
        user: text(&issued["credential"]["login"]),
        secret: text(&issued["secret"]),
        token: Some(text(&issued["token"])),
        id: text(&issued["credential"]["id"]),
    };
    assert_eq!(issued["credential"]["actions"], json!(["read"]));
    assert!(issued["credential"]["last_used"].is_null());
    for login in [&old, &successor] {
        face.get(login, "/taxii2/").await.expect(200);
    }
    face.world.clock.advance(Duration::from_hours(1) - Duration::from_micros(1));
    face.get(&old, "/taxii2/").await.expect(200);
    face.world.clock.advance(Duration::from_micros(1));
    face.get(&old, "/taxii2/").await.expect(401);
    face.get(&successor, "/taxii2/").await.expect(200);
    // What is over has no successor, and what has a password neither.
    assert!(face.api(&face.operator, "POST", &path, json!({})).await.status.is_client_error());
    let account = crate::issue(&face.world, Principal::Role(Role::Officer), Some("a long enough password"));
    let of_account = format!("/api/credentials/{}/rotation", account.id);
    assert!(face.api(&face.operator, "POST", &of_account, json!({})).await.status.is_client_error());
    let long = format!("/api/credentials/{}/rotation", successor.id);
    let too_long = face.api(&face.operator, "POST", &long, json!({"overlap_hours": 721})).await;
    assert!(too_long.status.is_client_error());
    let listed = face.get(&face.operator, "/api/credentials").await.expect(200).json();
    let used = |id: &str| {
        let found = listed.as_array().unwrap().iter().find(|one| one["id"] == id).unwrap();
        text(&found["last_used"])
    };
    assert!(used(&old.id) < used(&successor.id));
}
