//! Hits, giving and taking, and false positives.

use std::time::Duration;

use model::{Action, Caller, Principal, Role};
use serde_json::{Value, json};

use crate::Face;

/// Three members, of whom each reported hits on one indicator; the first doubts it.
fn hit() -> (Face, String) {
    let face = Face::new();
    drop(face.world.publish("open", &[testkit::indicator(1, 1, &[])]));
    let object = testkit::indicator_id(1);
    let hour = format!("{}:00:00Z", face.world.exchange.now().to_string().get(..13).unwrap());
    for (number, (name, word)) in
        [("Alpha", "sinkhole"), ("Beta", "quarantine"), ("Gamma", "sinkhole")].into_iter().enumerate()
    {
        let (_, caller) = face.world.member(name, &["open"]);
        let sighting = json!({
            "type": "sighting", "spec_version": "2.1", "id": format!("sighting--00000000-0000-4000-8000-00000000000{number}"),
            "created": hour, "modified": hour, "first_seen": hour, "last_seen": hour, "count": 10,
            "sighting_of_ref": object,
            "extensions": { exchange::OCCURRENCE_EXTENSION: {
                "extension_type": "property-extension", "countermeasure": word, "action": "enforced",
            }},
        });
        let reported = face.world.exchange.report_occurrences(&caller, &[sighting]).unwrap();
        assert_eq!(reported.accepted, 1, "{reported:?}");
        if number == 0 {
            face.world.exchange.objects(&caller, "open", &taxii::ObjectFilter::default()).unwrap();
            let reason = "it is <b>our own</b> host";
            face.world.exchange.report_false_positive(&caller, &object, reason).unwrap();
        }
    }
    (face, object)
}

#[tokio::test]
async fn hits_are_shown_over_time_and_by_member_and_indicator() {
    let (face, object) = hit();
    for role in [Role::Operator, Role::Officer, Role::Overseer] {
        let mut me = face.role(role).await;
        let page = face.get(&mut me, "/hits").await.expect(200);
        page.has(&[
            "<svg",
            "sinkhole, at least 20",
            "quarantine, at least 10",
            "No guard has asked this hub",
            &object,
        ]);
    }
    let mut me = face.role(Role::Overseer).await;
    let rows = |body: &str| serde_json::from_str::<Vec<Value>>(body).unwrap();
    let days = rows(&face.get(&mut me, "/hits?format=json").await.expect(200).body);
    let found: Vec<_> = days
        .iter()
        .map(|day| (day["countermeasure"].as_str().unwrap(), day["hits_at_least"].as_u64()))
        .collect();
    assert_eq!(found, [("sinkhole", Some(20)), ("quarantine", Some(10))]);
    let members = rows(&face.get(&mut me, "/hits?table=members&format=json").await.expect(200).body);
    let give_and_take: Vec<_> = members
        .iter()
        .map(|row| (row["name"].as_str(), row["facts_reported"].as_u64(), row["objects_received"].as_u64()))
        .collect();
    for expected in [(Some("Alpha"), Some(1), Some(1)), (Some("Beta"), Some(1), Some(0))] {
        assert!(give_and_take.contains(&expected), "{members:?}");
    }
    assert!(
        members.iter().all(|row| row["last_received"].is_null() == (row["name"] != "Alpha")),
        "{members:?}"
    );
    let indicators = rows(&face.get(&mut me, "/hits?table=indicators&format=json").await.expect(200).body);
    assert_eq!((indicators.len(), indicators[0]["members"].as_u64()), (1, Some(3)));
    face.get(&mut me, "/hits?table=others&format=csv").await.expect(400);
    let mut reviewer = face.role(Role::Reviewer).await;
    face.get(&mut reviewer, "/hits")
        .await
        .expect(200)
        .has(&["for an operator, an officer or an overseer", &object])
        .lacks(&["<svg"]);
    face.get(&mut reviewer, "/hits?format=csv").await.expect(403);
}

/// A member's guard, as the hub knows it by its credential.
fn guard(face: &Face, name: &str) -> Caller {
    let (member, _) = face.world.member(name, &["open"]);
    let principal = Principal::Member(member.id);
    let (credential, _) = face.credential(principal.clone(), None);
    Caller { principal, credential, actions: [Action::Read].into(), collections: None }
}

#[tokio::test]
async fn guards_are_shown_with_their_state_and_lease() {
    let face = Face::new();
    drop(face.world.publish("open", &[testkit::indicator(1, 1, &[])]));
    let (alpha, beta) = (guard(&face, "Alpha <b>"), guard(&face, "Beta"));
    face.world.exchange.hear_guard(&alpha, "1.2.3");
    face.world.exchange.hear_guard(&face.world.operator, "1.2.3");
    let hour = format!("{}:00:00Z", face.world.exchange.now().to_string().get(..13).unwrap());
    let sighting = json!({
        "type": "sighting", "spec_version": "2.1", "id": "sighting--00000000-0000-4000-8000-000000000001",
        "created": hour, "modified": hour, "first_seen": hour, "last_seen": hour, "count": 10,
        "sighting_of_ref": testkit::indicator_id(1),
        "extensions": { exchange::OCCURRENCE_EXTENSION: {
            "extension_type": "property-extension", "countermeasure": "flow", "action": "monitored",
        }},
    });
    face.world.exchange.report_occurrences(&alpha, &[sighting]).unwrap();
    let states = async || {
        let mut me = face.role(Role::Overseer).await;
        let rows = face.get(&mut me, "/hits?table=guards&format=json").await.expect(200);
        let rows: Vec<Value> = serde_json::from_str(&rows.body).unwrap();
        let state = |row: &Value| (row["name"].as_str().unwrap().to_owned(), row["state"].clone());
        rows.iter().map(state).collect::<Vec<_>>()
    };
    let said = |name: &str, state: &str| (name.to_owned(), json!(state));
    assert_eq!(states().await, [said("Alpha <b>", "heard")], "the operator is no guard");
    let mut me = face.role(Role::Officer).await;
    let page = face.get(&mut me, "/hits").await.expect(200).lacks(&["<b>", "No guard has asked"]);
    let text = page.text();
    for part in ["1 guard is heard now", "2012-03-29 00:00 UTC", "flow, last 2012-03-28", "1.2.3"] {
        assert!(text.contains(part), "`{part}`: {text}");
    }
    face.world.pass(Duration::from_mins(6));
    face.world.exchange.hear_guard(&beta, "1.2.3");
    assert_eq!(states().await, [said("Alpha <b>", "silent"), said("Beta", "heard")]);
    face.world.pass(Duration::from_hours(24) - Duration::from_mins(6));
    assert_eq!(states().await, [said("Alpha <b>", "lease-over"), said("Beta", "silent")]);
    let mut me = face.role(Role::Officer).await;
    let text = face.get(&mut me, "/").await.expect(200).text();
    assert!(text.contains("1 lease over, 1 silent"), "{text}");
    face.world.exchange.revoke_credential(&face.world.operator, &alpha.credential).unwrap();
    assert_eq!(states().await, [said("Beta", "silent")], "without a credential it is no guard");
    let mut reviewer = face.role(Role::Reviewer).await;
    face.get(&mut reviewer, "/hits").await.expect(200).lacks(&["Beta"]);
    face.get(&mut reviewer, "/hits?table=guards&format=csv").await.expect(403);
}

#[tokio::test]
async fn a_doubt_is_confirmed_and_dismissed_by_those_who_may() {
    let (face, object) = hit();
    let action = format!("/hits/false-positives/{object}");
    let fields = |decision| [("decision", decision), ("reason", "looked at it")];
    let mut overseer = face.role(Role::Overseer).await;
    face.get(&mut overseer, "/hits")
        .await
        .expect(200)
        .has(&["&#60;b&#62;our own"])
        .lacks(&["<b>our own", "It is one"]);
    face.post(&mut overseer, &action, &fields("confirm")).await.expect(403);
    let mut me = face.role(Role::Reviewer).await;
    face.get(&mut me, "/hits").await.expect(200).has(&[
        "said to be a false positive",
        "It is one",
        "It is none",
    ]);
    face.post(&mut me, &action, &fields("confirm")).await.expect(303);
    let page = face.get(&mut me, "/hits").await.expect(200);
    page.has(&["Confirmed: guards", "looked at it", "It is none"]).lacks(&["It is one<"]);
    face.post(&mut me, &action, &fields("confirm")).await.expect(303);
    face.get(&mut me, "/hits").await.expect(200).has(&["role=\"alert\"", "confirmed already"]);
    face.post(&mut me, &action, &fields("dismiss")).await.expect(303);
    face.get(&mut me, "/hits").await.expect(200).has(&["no false positive"]);
    face.post(&mut me, &action, &fields("whatever")).await.expect(400);
    face.post(&mut me, "/hits/false-positives/indicator--x", &fields("confirm")).await.expect(404);
}

#[tokio::test]
async fn a_hub_without_hits_says_so() {
    let face = Face::new();
    let mut me = face.role(Role::Officer).await;
    face.get(&mut me, "/hits")
        .await
        .expect(200)
        .has(&["Nobody reported a hit", "Nobody doubts anything"])
        .lacks(&["<svg"]);
}
