//! Server-sent events over a real socket: order, resumption, and every way that a stream ends.

use std::time::Duration;

use hub::HubOptions;
use model::{Principal, Role, Standing};
use testkit::tier;
use tokio::time::timeout;

use crate::indicators;
use crate::server::{Client, Live, limits};

/// Reads events until `count` objects came; returns their ids as events.
async fn events(client: &mut Client, count: usize) -> Vec<(String, serde_json::Value)> {
    let mut found = Vec::new();
    let mut id = String::new();
    while found.len() < count {
        let line = client.line().await.expect("the stream goes on");
        if let Some(date) = line.strip_prefix("id: ") {
            date.clone_into(&mut id);
        } else if let Some(data) = line.strip_prefix("data: ") {
            found.push((id.clone(), serde_json::from_str(data).unwrap()));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_come_in_order_and_a_stream_is_resumed() {
    let live = Live::start().await;
    let (_, login) = live.member("Alpha", &["open"]);
    live.publish("open", &indicators(1..4));
    let mut stream = live.stream(&login, "collection=open", &[]).await;
    let first = events(&mut stream, 3).await;
    assert!(first.is_sorted_by(|a, b| a.0 < b.0), "{first:?}");
    live.publish("open", &indicators(4..6));
    let second = events(&mut stream, 2).await;
    assert_eq!(second[0].1["object"]["id"], testkit::indicator_id(4));
    assert_eq!(second[0].1["date_added"], second[0].0.as_str());
    // Where the second event was, and from there again.
    for (query, header) in [
        ("collection=open", Some(&first[1].0)),
        ("collection=open&added_after=2000-01-01T00:00:00Z", Some(&first[1].0)),
    ] {
        let headers: Vec<_> = header.map(|date| ("last-event-id", date.as_str())).into_iter().collect();
        let mut resumed = live.stream(&login, query, &headers).await;
        let rest = events(&mut resumed, 3).await;
        let want: Vec<_> = first[2..].iter().chain(&second).cloned().collect();
        assert_eq!(rest, want);
    }
    let after = format!("collection=open&added_after={}", second[0].0);
    let mut resumed = live.stream(&login, &after, &[]).await;
    assert_eq!(events(&mut resumed, 1).await, second[1..]);
    live.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_come_to_the_programmes_people_and_are_resumed_by_their_number() {
    let live = Live::start().await;
    let (alpha, login) = live.member("Alpha", &["open", "programme", "cleared"]);
    let suspend = |name: &str| {
        live.exchange
            .set_standing(&live.operator, &alpha.id, &tier(name), Standing::Suspended, "a test")
            .unwrap();
    };
    let people = Role::ALL.map(|role| live.issue(Principal::Role(role)));
    suspend("open");
    let mut streams = Vec::new();
    for login in &people {
        streams.push(live.stream(login, "alerts", &[]).await);
    }
    let mut first = Vec::new();
    for stream in &mut streams {
        first = events(stream, 1).await;
        assert_eq!(first[0].0, first[0].1["key"].as_str().unwrap());
        let told = &first[0].1;
        assert_eq!((told["kind"].as_str(), told["standing"].as_str()), (Some("decision"), Some("suspended")));
    }
    // What comes while the streams are open comes at once, and once.
    suspend("programme");
    suspend("cleared");
    for stream in &mut streams {
        let later = events(stream, 2).await;
        let tiers = later.iter().map(|(_, alert)| alert["tier"].as_str().unwrap()).collect::<Vec<_>>();
        assert_eq!(tiers, ["programme", "cleared"]);
    }
    let officer = &people[1];
    for (query, header) in [
        ("alerts".to_owned(), Some(&first[0].0)),
        ("alerts=&after=000000000001".to_owned(), Some(&first[0].0)),
        (format!("alerts&after={}", first[0].0), None),
    ] {
        let headers: Vec<_> = header.map(|key| ("last-event-id", key.as_str())).into_iter().collect();
        let rest = events(&mut live.stream(officer, &query, &headers).await, 2).await;
        assert_eq!(rest[0].1["tier"], "programme", "{query}");
    }
    for (login, query, status) in [
        (&login, "alerts", 403),
        (officer, "alerts&collection=open", 400),
        (officer, "alerts=decision", 400),
        (officer, "alerts&added_after=2012-01-01T00:00:00Z", 400),
        (officer, "collection=open&after=000000000001", 400),
        (officer, "alerts&after=1", 422),
        (officer, "after=000000000001", 400),
    ] {
        let answer = live.request(login, "GET", &format!("/api/stream?{query}"), &[], b"").await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{query}: {answer}");
    }
    live.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_alerts_ends_with_the_credential() {
    let live = Live::start().await;
    let (alpha, _) = live.member("Alpha", &["open"]);
    let officer = live.issue(Principal::Role(Role::Officer));
    let mut stream = live.stream(&officer, "alerts", &[]).await;
    assert_eq!(stream.line().await.as_deref(), Some(": open"));
    live.exchange.revoke_credential(&live.operator, &officer.id.parse().unwrap()).unwrap();
    live.exchange
        .set_standing(&live.operator, &alpha.id, &tier("open"), Standing::Suspended, "a test")
        .unwrap();
    let rest = timeout(Duration::from_secs(30), stream.rest()).await.expect("the stream ends");
    assert!(!rest.contains("data:"), "{rest}");
    live.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_the_right_to_it() {
    let live = Live::start().await;
    let (alpha, login) = live.member("Alpha", &["open"]);
    let (_, other) = live.member("Beta", &["open"]);
    let mut suspended = live.stream(&login, "collection=open", &[]).await;
    let mut revoked = live.stream(&other, "collection=open", &[]).await;
    live.publish("open", &indicators(1..2));
    events(&mut suspended, 1).await;
    events(&mut revoked, 1).await;
    live.exchange
        .set_standing(&live.operator, &alpha.id, &tier("open"), Standing::Suspended, "a test")
        .unwrap();
    live.exchange.revoke_credential(&live.operator, &other.id.parse().unwrap()).unwrap();
    live.publish("open", &indicators(2..3));
    for stream in [&mut suspended, &mut revoked] {
        let rest = timeout(Duration::from_secs(30), stream.rest()).await.expect("the stream ends");
        assert!(!rest.contains("data:"), "{rest}");
    }
    live.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_stream_shows_that_it_is_alive_and_ends_at_shutdown() {
    let live = Live::start().await;
    let (_, login) = live.member("Alpha", &["open"]);
    let mut stream = live.stream(&login, "collection=open", &[]).await;
    loop {
        if stream.line().await.expect("the stream goes on") == ": alive" {
            break;
        }
    }
    let stopped = live.stop().await;
    assert_eq!(stopped, 0, "nothing had to be dropped");
    timeout(Duration::from_secs(30), stream.rest()).await.expect("the stream ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_no_more_streams_than_the_limit() {
    let live = Live::limited(HubOptions { streams_max: 2, ..limits() }).await;
    let (_, login) = live.member("Alpha", &["open"]);
    let first = live.stream(&login, "collection=open", &[]).await;
    let _second = live.stream(&login, "collection=open", &[]).await;
    let third = live.request(&login, "GET", "/api/stream?collection=open", &[], b"").await;
    assert!(third.starts_with("HTTP/1.1 503"), "{third}");
    drop(first);
    // The hub notices a reader that is gone when it has something to say.
    for n in 1..300 {
        live.publish("open", &indicators(n..n + 1));
        let again = live.open(&login, "/api/stream?collection=open", &[]).await;
        if again.1.starts_with("HTTP/1.1 200") {
            live.stop().await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the place of the first stream never became free");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_needs_a_collection_and_a_date_that_is_one() {
    let live = Live::start().await;
    let (_, login) = live.member("Alpha", &["open"]);
    for (query, status) in [
        ("", 400),
        ("collection=open&added_after=yesterday", 400),
        ("collection=open&collection=open", 400),
        ("collection=none", 404),
        ("collection=cleared", 404),
    ] {
        let answer = live.request(&login, "GET", &format!("/api/stream?{query}"), &[], b"").await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{query}: {answer}");
    }
    live.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_member_leaves_streams_to_others() {
    let live = Live::limited(HubOptions { streams_max: 17, ..limits() }).await;
    let (_, greedy) = live.member("Alpha", &["open"]);
    let (_, other) = live.member("Beta", &["open"]);
    let mut held = Vec::new();
    for _ in 0..16 {
        held.push(live.stream(&greedy, "collection=open", &[]).await);
    }
    let refused = live.request(&greedy, "GET", "/api/stream?collection=open", &[], b"").await;
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    held.push(live.stream(&other, "collection=open", &[]).await);
    live.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_says_what_may_be_done_with_an_object() {
    let live = Live::start().await;
    let (_, login) = live.member("Alpha", &["programme"]);
    let green = testkit::indicator(1, 1, &[testkit::TLP[1]]);
    let strict = testkit::indicator(2, 1, &[testkit::TLP[3]]);
    live.publish("indicators", &[green, strict]);
    let mut stream = live.stream(&login, "collection=indicators", &[]).await;
    let got = events(&mut stream, 2).await;
    let rights = |n: u64| {
        let event = got.iter().find(|(_, data)| data["object"]["id"] == testkit::indicator_id(n)).unwrap();
        event.1["rights"].clone()
    };
    assert_eq!(rights(1), serde_json::json!(["enforce", "display", "redistribute"]));
    assert_eq!(rights(2), serde_json::json!(["enforce", "display"]), "it stays in the organisation");
    live.stop().await;
}

/// The words of the next events, up to the object number `last`.
async fn words(client: &mut Client, last: u64) -> Vec<String> {
    let (mut found, mut word) = (Vec::new(), String::new());
    loop {
        let line = client.line().await.expect("the stream goes on");
        if let Some(event) = line.strip_prefix("event: ") {
            event.clone_into(&mut word);
            found.push(word.clone());
        } else if let Some(data) = line.strip_prefix("data: ") {
            let data: serde_json::Value = serde_json::from_str(data).unwrap();
            if word == "object" && data["object"]["id"] == testkit::indicator_id(last) {
                return found;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_says_when_something_left_its_readers_sight_and_nobody_elses() {
    let live = Live::start().await;
    let (alpha, login) = live.member("Alpha", &["open"]);
    let (_, other) = live.member("Beta", &["open"]);
    let named = exchange::PublishOptions {
        audience: Some([alpha.id.clone()].into()),
        ..exchange::PublishOptions::default()
    };
    let to_alpha = |n: u64| {
        let body = testkit::envelope(&indicators(n..n + 1));
        live.exchange.publish(&live.operator, "open", body, named.clone()).unwrap();
    };
    let mut first = live.stream(&login, "collection=open", &[]).await;
    let mut second = live.stream(&other, "collection=open", &[]).await;
    let recall = |n: u64, action: exchange::RecallAction| {
        live.exchange.recall(&live.operator, &testkit::indicator_id(n), action, "a test").unwrap();
    };
    let relabel = |audience: &[&model::Member]| exchange::RecallAction::Relabel {
        audience: Some(audience.iter().map(|member| member.id.clone()).collect()),
        tlp: None,
    };
    live.publish("open", &indicators(1..2));
    to_alpha(2);
    to_alpha(3);
    live.publish("open", &indicators(4..5));
    assert_eq!(words(&mut first, 4).await, ["object"; 4]);
    assert_eq!(words(&mut second, 4).await, ["object"; 2]);

    // Withdrawn, from the one who had it.
    recall(2, exchange::RecallAction::Withdraw);
    live.publish("open", &indicators(5..6));
    let told = words(&mut first, 5).await;
    assert_eq!(told.iter().filter(|word| *word == "resync").count(), 1, "{told:?}");
    assert_eq!(words(&mut second, 5).await, ["object"], "nothing left its sight");

    // Re-labelled away from one of two who had it.
    recall(1, relabel(&[&alpha]));
    live.publish("open", &indicators(6..7));
    let told = words(&mut first, 6).await;
    assert!(!told.contains(&"resync".to_owned()), "it has it still: {told:?}");
    let told = words(&mut second, 6).await;
    assert_eq!(told.iter().filter(|word| *word == "resync").count(), 1, "{told:?}");

    // Deleted, from both.
    let filter = taxii::ObjectFilter::default();
    live.exchange.delete(&live.operator, "open", &testkit::indicator_id(4), &filter).unwrap();
    live.publish("open", &indicators(7..8));
    for stream in [&mut first, &mut second] {
        assert_eq!(words(stream, 7).await, ["resync", "object"]);
    }
    live.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resumed_stream_says_what_left_meanwhile() {
    let live = Live::start().await;
    let (_, login) = live.member("Alpha", &["open"]);
    live.publish("open", &indicators(1..3));
    let mut stream = live.stream(&login, "collection=open", &[]).await;
    let got = events(&mut stream, 2).await;
    drop(stream);
    let filter = taxii::ObjectFilter::default();
    live.exchange.delete(&live.operator, "open", &testkit::indicator_id(1), &filter).unwrap();
    live.publish("open", &indicators(3..4));
    let mut resumed = live.stream(&login, "collection=open", &[("last-event-id", &got[1].0)]).await;
    assert_eq!(words(&mut resumed, 3).await, ["resync", "object"]);
    // Who begins anew holds nothing that could be gone.
    let mut fresh = live.stream(&login, "collection=open", &[]).await;
    assert_eq!(words(&mut fresh, 3).await, ["object"; 2]);
    live.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_says_what_a_stream_would_and_ends() {
    let face = crate::Face::new();
    let (_, login) = face.member("Alpha", &["open", "programme"]);
    let _ = face.world.publish("indicators", &indicators(1..4));
    face.world.pass(Duration::from_secs(1));
    let poll = async |after: &str| {
        let path = format!("/api/stream?collection=indicators&poll&added_after={after}");
        String::from_utf8(face.get(&login, &path).await.expect(200).body).unwrap()
    };
    let all = poll("").await;
    let ids: Vec<&str> = all.lines().filter_map(|line| line.strip_prefix("id: ")).collect();
    assert_eq!(ids.len(), 3, "{all}");
    assert!(all.contains("\"rights\":[\"enforce\"") && !all.contains("resync"), "{all}");
    assert_eq!(poll(ids[2]).await, ": open\n\n");
    // What left is told from where the reader stands, with the same instant each time.
    let recall =
        serde_json::json!({"object": testkit::indicator_id(1), "action": "withdraw", "reason": "wrong"});
    face.api(&face.operator, "POST", "/api/recall", recall).await.expect(200);
    face.world.pass(Duration::from_secs(1));
    let told = [poll(ids[2]).await, poll(ids[2]).await];
    assert_eq!(told[0], told[1]);
    assert!(told[0].starts_with(": open\n\nevent: resync\ndata: {\"collection\":"), "{}", told[0]);
    assert!(told[0].contains("\"at\":\"") && told[0].contains("x_ringfence_recall"), "{}", told[0]);
    for query in ["collection=indicators&poll=yes", "alerts&poll", "poll"] {
        face.get(&login, &format!("/api/stream?{query}")).await.expect(400);
    }
}
