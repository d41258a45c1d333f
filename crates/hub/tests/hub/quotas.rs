//! Quotas of members: refused before anything is handed out, whatever the credential or connection, until the time is over.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hub::HubOptions;
use model::Principal;
use serde_json::Value;
use testkit::World;

use crate::{Answer, Face, Login, indicators, issue};

const OBJECTS: &str = "/jcsp/collections/indicators/objects/?limit=5";

fn face(quotas: &str) -> Face {
    let mut files: BTreeMap<String, Vec<u8>> = testkit::one_person_programme();
    files.get_mut("programme.toml").unwrap().extend(quotas.as_bytes());
    let options = HubOptions { metrics: hub::MetricsAccess::Anyone, ..HubOptions::new([7; 32]) };
    Face::over(World::over(Arc::new(store::MemoryStore::new()), &files, 1), options)
}

async fn own(face: &Face, login: &Login) -> Value {
    face.get(login, "/api/me").await.expect(200).json()["quota"].clone()
}

/// How many entries of the ledger say that something was handed out.
fn ledger_size(face: &Face) -> u64 {
    face.world.exchange.ledger_head().size
}

fn refused(answer: &Answer, seconds: &str) {
    assert_eq!(answer.header("retry-after"), Some(seconds));
    assert_eq!(answer.header("content-type"), Some(crate::TAXII));
    assert!(answer.headers.get("x-taxii-date-added-last").is_none());
}

#[tokio::test]
async fn objects_are_counted_over_all_of_a_members_credentials_until_the_time_is_over() {
    let face = face("\n[[quota]]\ntier = \"programme\"\nobjects = 10\nwindow_minutes = 10\n");
    let (member, first) = face.member("Alpha", &["programme"]);
    let second = issue(&face.world, Principal::Member(member.id), None);
    let (_, other) = face.member("Beta", &["programme"]);
    let _ = face.world.publish("indicators", &indicators(1..30));
    for (login, used) in [(&first, 5), (&second, 10)] {
        face.get(login, OBJECTS).await.expect(200);
        assert_eq!(own(&face, &first).await["objects"]["used"], used);
    }
    face.world.clock.advance(Duration::from_mins(1));
    let before = ledger_size(&face);
    for login in [&first, &second] {
        refused(&face.get(login, OBJECTS).await.expect(429), "540");
    }
    assert_eq!(ledger_size(&face), before, "what is refused is not recorded as handed out");
    face.get(&other, OBJECTS).await.expect(200);
    face.get(&face.operator, OBJECTS).await.expect(200);
    face.world.clock.advance(Duration::from_mins(9) - Duration::from_micros(1));
    refused(&face.get(&first, OBJECTS).await.expect(429), "1");
    face.world.clock.advance(Duration::from_micros(1));
    face.get(&first, OBJECTS).await.expect(200);
    assert_eq!(own(&face, &second).await["objects"]["used"], 5);
    let metrics = face.ask("GET", "/metrics").send().await.expect(200);
    assert!(String::from_utf8(metrics.body).unwrap().contains("ringfence_quota_refusals_total 3\n"));
}

#[tokio::test]
async fn requests_and_bytes_have_their_own_borders() {
    let face = face("\n[[quota]]\nrequests = 3\n");
    let (_, login) = face.member("Alpha", &["programme"]);
    for _ in 0..3 {
        face.get(&login, "/taxii2/").await.expect(200);
    }
    for path in ["/taxii2/", OBJECTS, "/api/members", "/api/stream?collection=indicators"] {
        assert_eq!(face.get(&login, path).await.expect(429).header("retry-after"), Some("3600"), "{path}");
    }
    let told = own(&face, &login).await;
    assert_eq!((&told["requests"]["used"], &told["requests"]["limit"]), (&3.into(), &3.into()));
    assert!(told["bytes"]["limit"].is_null());

    let face = self::face("\n[[quota]]\nbytes = 2\n");
    let (_, login) = face.member("Alpha", &["programme"]);
    let _ = face.world.publish("indicators", &indicators(1..30));
    let page = face.get(&login, OBJECTS).await.expect(200);
    assert_eq!(own(&face, &login).await["bytes"]["used"], page.body.len());
    face.get(&login, OBJECTS).await.expect(429);
}

#[tokio::test]
async fn the_first_quota_that_is_a_members_holds() {
    let plain = Face::new();
    let (_, login) = plain.member("Alpha", &["programme"]);
    assert!(own(&plain, &login).await.is_null(), "there is none unless the programme says so");
    let face = face(
        "\n[[quota]]\ntier = \"cleared\"\nrequests = 9\n\n[[quota]]\ntier = \"open\"\nrequests = 5\n\n[[quota]]\nrequests = 2\n",
    );
    for (tiers, want) in [(&["open"][..], 5), (&["open", "cleared"], 9), (&["programme"], 2)] {
        let (_, login) = face.member(&tiers.join(" and "), tiers);
        assert_eq!(own(&face, &login).await["requests"]["limit"], want, "{tiers:?}");
    }
}
