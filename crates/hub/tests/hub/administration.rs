//! The administration API, as the command line uses it.

use std::sync::{Arc, Mutex};

use hub::{BackupError, BackupReport, Backups, HubOptions};
use model::Role;
use serde_json::{Value, json};
use testkit::indicator_id;

use crate::{Face, Login, indicators};

fn objects(range: std::ops::Range<u64>) -> Vec<Value> {
    indicators(range).iter().map(|object| serde_json::from_slice(object).unwrap()).collect()
}

fn seen(page: &Value) -> usize {
    page["objects"].as_array().map_or(0, Vec::len)
}

#[tokio::test]
async fn the_hub_tells_what_it_is_and_members_not_what_it_holds() {
    let face = Face::new();
    let (_, member) = face.member("Alpha", &["open"]);
    let _ = face.world.publish("cleared", &indicators(1..4));
    let status = face.get(&face.operator, "/api/status").await.expect(200).json();
    assert_eq!(status["programme"], "jcsp");
    assert_eq!(status["ledger"]["origin"], "test.example/jcsp");
    assert_eq!(status["ledger"]["size"], face.world.exchange.ledger_head().size);
    assert_eq!(status["inventory"]["objects"], 3);
    let identity = face.world.exchange.programme().settings().identity.id.clone();
    assert_eq!(status["identity"], json!({"id": identity}));
    let status = face.get(&member, "/api/status").await.expect(200).json();
    assert!(status.get("inventory").is_none() && status.get("identity").is_none(), "{status}");
}

#[tokio::test]
async fn a_caller_learns_who_it_is() {
    let face = Face::new();
    let (alpha, login) = face.member("Alpha", &["open"]);
    let me = face.get(&login, "/api/me").await.expect(200).json();
    assert_eq!(me["principal"], json!({"member": alpha.id}));
    assert_eq!(me["standings"], json!({"open": "listed"}));
    assert_eq!(me["credential"], login.id.as_str());
    let me = face.get(&face.operator, "/api/me").await.expect(200).json();
    assert_eq!(me["principal"], json!({"role": "operator"}));
    assert!(me.get("standings").is_none());
}

#[tokio::test]
async fn members_are_admitted_changed_and_decided_on() {
    let face = Face::new();
    let new = json!({"name": "Alpha", "kind": "provider", "listed": ["open"], "subject": {"clearance": 2}});
    let member = face.api(&face.operator, "POST", "/api/members", new).await.expect(201).json();
    let path = format!("/api/members/{}", member["id"].as_str().unwrap());
    assert_eq!(member["standings"], json!({"open": "listed"}));
    let changed =
        face.api(&face.operator, "PATCH", &path, json!({"name": "Alpha Ltd"})).await.expect(200).json();
    assert_eq!((&changed["name"], &changed["subject"]["clearance"]), (&json!("Alpha Ltd"), &json!(2)));
    assert_eq!(face.get(&face.operator, &path).await.expect(200).json(), changed);
    let listed = face.get(&face.operator, "/api/members").await.expect(200).json();
    assert_eq!(listed.as_array().unwrap().len(), 1);

    let standing = format!("{path}/standing");
    let decide = async |document| face.api(&face.operator, "POST", &standing, document).await;
    let step = decide(json!({"tier": "open", "to": "suspended", "reason": "late"})).await.expect(200).json();
    assert_eq!((&step["from"], &step["to"]), (&json!("listed"), &json!("suspended")));
    decide(json!({"tier": "open", "to": "applicant", "reason": "no such step"})).await.expect(409);
    decide(json!({"tier": "none", "to": "listed", "reason": "no such tier"})).await.expect(404);
    decide(json!({"tier": "open", "to": "listed", "reason": " "})).await.expect(422);
    decide(json!({"tier": "open", "to": "banned", "reason": "no such word"})).await.expect(400);
    decide(json!({"tier": "open", "to": "listed"})).await.expect(400);
    decide(json!({"tier": "open", "to": "listed", "reason": "r", "reasons": "misspelt"})).await.expect(400);
}

#[tokio::test]
async fn only_those_who_may_administer_do() {
    let face = Face::new();
    let (alpha, member) = face.member("Alpha", &["open"]);
    let (beta, _) = face.member("Beta", &["open"]);
    let overseer = face.role(Role::Overseer);
    let new = json!({"name": "x", "kind": "provider"});
    for login in [&member, &overseer] {
        face.api(login, "POST", "/api/members", new.clone()).await.expect(403);
        face.api(login, "POST", "/api/credentials", json!({"role": "operator"})).await.expect(403);
        face.api(login, "POST", "/api/backup", json!({"directory": "x"})).await.expect(403);
        let recall = json!({"object": "indicator--1", "action": "withdraw", "reason": "r"});
        face.api(login, "POST", "/api/recall", recall).await.expect(403);
    }
    for path in ["/api/members", "/api/credentials", "/api/findings", "/metrics"] {
        face.get(&member, path).await.expect(403);
        face.get(&overseer, path).await.expect(200);
    }
    // A member sees itself, and nobody else as if there were nobody.
    face.get(&member, &format!("/api/members/{}", alpha.id)).await.expect(200);
    face.get(&member, &format!("/api/members/{}", beta.id)).await.expect(404);
    face.get(&member, "/api/members/nobody").await.expect(404);
    face.get(&member, &format!("/api/members/{}/holds", beta.id)).await.expect(403);
}

#[tokio::test]
async fn a_credential_is_issued_used_and_revoked() {
    let face = Face::new();
    let (alpha, _) = face.member("Alpha", &["open"]);
    let new = json!({"member": alpha.id, "login": "alpha", "actions": ["read"], "note": "their sensor"});
    let issued = face.api(&face.operator, "POST", "/api/credentials", new.clone()).await.expect(201).json();
    assert_eq!(issued["credential"]["login"], "alpha");
    assert!(issued["credential"].get("verifier").is_none(), "{issued}");
    let text = |name: &str| issued[name].as_str().unwrap().to_owned();
    let id = issued["credential"]["id"].as_str().unwrap().to_owned();
    let login = Login {
        user: "alpha".to_owned(),
        secret: text("secret"),
        token: Some(text("token")),
        id: id.clone(),
    };
    face.get(&login, "/jcsp/collections/open/").await.expect(200);
    let listed = face.get(&face.operator, "/api/credentials").await.expect(200);
    let listing = String::from_utf8(listed.body).unwrap();
    assert!(listing.contains("their sensor") && !listing.contains("verifier"), "{listing}");
    assert!(!listing.contains(&login.secret));

    face.api(&face.operator, "POST", "/api/credentials", new).await.expect(422);
    let revoked = face.ask("DELETE", &format!("/api/credentials/{id}")).login(&face.operator).send().await;
    assert!(revoked.expect(200).json()["revoked"].is_string());
    face.get(&login, "/jcsp/collections/open/").await.expect(401);
    for (wrong, status) in [
        (json!({}), 400),
        (json!({"member": alpha.id, "role": "operator"}), 400),
        (json!({"member": "member:0000000000000000"}), 404),
        (json!({"role": "operator", "password": "short"}), 422),
        (json!({"role": "operator", "action": ["read"]}), 400),
    ] {
        face.api(&face.operator, "POST", "/api/credentials", wrong.clone()).await.expect(status);
    }
}

#[tokio::test]
async fn publishing_has_terms() {
    let face = Face::new();
    let (alpha, login_a) = face.member("Alpha", &["programme"]);
    let (_, login_b) = face.member("Beta", &["programme"]);
    let path = "/api/collections/indicators/objects";
    let publish = async |document| face.api(&face.operator, "POST", path, document).await;
    let pages = async || {
        let path = "/jcsp/collections/indicators/objects/";
        (seen(&face.get(&login_a, path).await.json()), seen(&face.get(&login_b, path).await.json()))
    };
    let named = json!({"objects": objects(1..3), "audience": [alpha.id]});
    assert_eq!(publish(named).await.expect(200).json()["success_count"], 2);
    assert_eq!(pages().await, (2, 0));
    publish(json!({"objects": objects(3..4), "audience": []})).await.expect(200);
    assert_eq!(pages().await, (2, 0), "an empty audience is nobody");
    publish(json!({"objects": objects(4..5), "release_at": "2012-03-29T00:00:00Z"})).await.expect(200);
    assert_eq!(pages().await, (2, 0), "not before its time");
    face.world.pass(std::time::Duration::from_secs(86_401));
    assert_eq!(pages().await, (3, 1));
    // A misspelt term publishes nothing.
    publish(json!({"objects": objects(5..6), "audiences": []})).await.expect(400);
    assert_eq!(pages().await, (3, 1));
    face.api(&login_a, "POST", "/api/collections/cleared/objects", json!({"objects": []})).await.expect(404);
    face.ask("POST", path).login(&face.operator).body("{}").send().await.expect(415);
}

#[tokio::test]
async fn objects_move_in_with_the_dates_that_they_had() {
    let face = Face::new();
    // What moves in comes behind everything that is there, and before the first member.
    let dates = ["2012-03-28T00:00:05.000002Z", "2012-03-28T00:00:05.000008Z"];
    let body = json!({"objects": objects(1..3), "dates": dates});
    let path = "/api/collections/indicators/objects";
    face.api(&face.operator, "POST", path, json!({"objects": objects(1..3), "dates": [dates[0]]}))
        .await
        .expect(422);
    let early = json!({"objects": objects(1..3), "dates": ["2001-01-01T00:00:00Z", dates[1]]});
    face.api(&face.operator, "POST", path, early).await.expect(422);
    face.world.pass(std::time::Duration::from_secs(10));
    let answer = face.api(&face.operator, "POST", path, body).await.expect(200).json();
    assert_eq!(answer["success_count"], 2, "{answer}");
    let (_, member) = face.member("Alpha", &["open", "programme"]);
    let late = json!({"objects": objects(3..4), "dates": ["2012-03-28T00:00:09Z"]});
    face.api(&member, "POST", path, late.clone()).await.expect(403);
    face.api(&face.operator, "POST", path, late).await.expect(422);
    let manifest =
        face.get(&face.operator, "/jcsp/collections/indicators/manifest/").await.expect(200).json();
    let moved: Vec<_> =
        manifest["objects"].as_array().unwrap().iter().map(|record| &record["date_added"]).collect();
    assert_eq!(moved, dates);
}

#[tokio::test]
async fn a_recall_names_receivers_and_reaches_them() {
    let face = Face::new();
    let (alpha, login) = face.member("Alpha", &["programme"]);
    let _ = face.world.publish("indicators", &indicators(1..3));
    face.get(&login, "/jcsp/collections/indicators/objects/").await.expect(200);
    let overseer = face.role(Role::Overseer);
    let path = format!("/api/objects/{}/receivers", indicator_id(1));
    let report = face.get(&overseer, &path).await.expect(200).json();
    assert_eq!(report["receivers"][0]["member"], alpha.id.as_str());
    let holds = face.get(&login, &format!("/api/members/{}/holds", alpha.id)).await.expect(200).json();
    assert_eq!(holds["objects"].as_array().unwrap().len(), 2);
    face.get(&overseer, &format!("/api/objects/{}/receivers", indicator_id(9))).await.expect(404);

    let recall = json!({"object": indicator_id(1), "action": "withdraw", "reason": "it was wrong"});
    let report = face.api(&face.operator, "POST", "/api/recall", recall).await.expect(200).json();
    assert_eq!(report["told"], json!([alpha.id]));
    let page = face.get(&login, "/jcsp/collections/indicators/objects/").await.expect(200).json();
    let types: Vec<_> =
        page["objects"].as_array().unwrap().iter().map(|o| o["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["indicator", "note"]);
    let recall = json!({"object": indicator_id(9), "action": "withdraw", "reason": "it was never there"});
    face.api(&face.operator, "POST", "/api/recall", recall).await.expect(404);
}

#[tokio::test]
async fn findings_are_listed() {
    let face = Face::new();
    let unknown = "marking-definition--11111111-1111-4111-8111-111111111111";
    let _ = face.world.publish("open", &[testkit::indicator(1, 1, &[unknown])]);
    let findings = face.get(&face.operator, "/api/findings?limit=1").await.expect(200).json();
    assert_eq!(findings[0]["code"], "unknown-marking");
    for query in ["limit=0", "limit=x", "limits=1"] {
        face.get(&face.operator, &format!("/api/findings?{query}")).await.expect(400);
    }
}

/// Remembers what it was asked to write.
#[derive(Default)]
struct Remembered(Mutex<Vec<String>>);

impl Backups for Remembered {
    fn back_up(&self, name: &str) -> Result<BackupReport, BackupError> {
        let mut names = self.0.lock().unwrap();
        if name == "full" {
            return Err(BackupError::Failed("no space in /srv/backups".to_owned()));
        }
        if names.iter().any(|known| known == name) {
            return Err(BackupError::Exists(name.to_owned()));
        }
        names.push(name.to_owned());
        Ok(BackupReport { directory: name.to_owned(), objects: 1, entries: 2, bytes: 3 })
    }
}

#[tokio::test]
async fn backups_are_written_where_the_hub_keeps_them() {
    let face = Face::new();
    face.api(&face.operator, "POST", "/api/backup", json!({"directory": "x"})).await.expect(501);
    let backups = Arc::new(Remembered::default());
    let face = Face::with(HubOptions { backups: Some(backups.clone()), ..HubOptions::new([0; 32]) });
    let back_up =
        async |name: &str| face.api(&face.operator, "POST", "/api/backup", json!({"directory": name})).await;
    assert_eq!(back_up("daily").await.expect(201).json()["directory"], "daily");
    back_up("daily").await.expect(409);
    back_up("../daily").await.expect(400);
    let failed = back_up("full").await.expect(500);
    assert!(!String::from_utf8(failed.body).unwrap().contains("/srv"), "the reason is for the log");
    assert_eq!(*backups.0.lock().unwrap(), ["daily"]);
}

#[tokio::test]
async fn metrics_count_and_name_nobody() {
    let face = Face::new();
    let (alpha, login) = face.member("Alpha", &["open"]);
    let _ = face.world.publish("open", &indicators(1..4));
    face.get(&login, "/jcsp/collections/open/objects/").await.expect(200);
    face.ask("GET", "/metrics").send().await.expect(401);
    let metrics = face.get(&face.operator, "/metrics").await.expect(200);
    assert!(metrics.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    let text = String::from_utf8(metrics.body).unwrap();
    assert!(text.contains("ringfence_objects_served_total 3\n"), "{text}");
    let route = "route=\"/{root}/collections/{collection}/objects/\",status=\"200\"} 1\n";
    assert!(text.contains(route), "{text}");
    for name in ["Alpha", alpha.id.as_str(), "7d1a2c40", &login.user] {
        assert!(!text.contains(name), "{name}");
    }
}

#[tokio::test]
async fn a_working_hub_is_healthy_and_ready() {
    let face = Face::new();
    face.ask("GET", "/healthz").send().await.expect(200);
    face.ask("GET", "/readyz").send().await.expect(200);
}
