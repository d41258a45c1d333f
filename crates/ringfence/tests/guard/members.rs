//! What several members report: nothing of it is told before enough of them have, and nothing of who does not consent.

use std::net::SocketAddr;

use peers::{TRUE, eventually, world};
use serde_json::{Value, json};

use crate::common::Hub;
use crate::kinds::verified;
use crate::site::{
    Guard, SINKHOLE, api, ask, away_from_the_hour_s_end, has, hour_that_is_over, indicator, objects,
    provider, publish,
};

const HIT: &str = "hit.evil-members.example.com";
const QUIET: &str = "quiet.evil-members.example.com";
/// A client of the customer who consents, one of another who does not, and one of a third who consents and only watches.
const CONSENTS: &str = "127.0.0.10";
const SILENT: &str = "127.0.0.20";
const WATCHES: &str = "127.0.0.30";

fn config(hub: &str, world: SocketAddr) -> String {
    format!(
        r#"
data = "guard"
[hub]
url = "{hub}/taxii2/"
token_file = "token"
poll_seconds = 1
[[feed]]
collection = "indicators"
mode = "enforce"
[[customer]]
name = "consents"
networks = ["{CONSENTS}"]
report = true
[[customer]]
name = "silent"
networks = ["{SILENT}"]
[[customer]]
name = "watches"
networks = ["{WATCHES}"]
feeds = {{ indicators = "monitor" }}
report = true
[sinkhole]
addresses = {{ "" = ["{SINKHOLE}"] }}
[sinkhole.forwarder]
plain = ["<forward>"]
upstreams = ["{world}"]
[status]
listen = "<status>"
"#
    )
}

#[test]
fn hits_are_told_from_three_members_and_only_of_those_who_consent() {
    if !peers::has("hits of three members", &["dig"]) {
        return;
    }
    away_from_the_hour_s_end();
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::start(dir.path());
    let contributor = provider(&hub, "Contributor");
    let indicators = [HIT, QUIET].map(|name| format!("[domain-name:value = '{name}']"));
    let indicators: Vec<Value> =
        (1_u32..).zip(&indicators).map(|(number, pattern)| indicator(number, pattern)).collect();
    publish(&hub, &contributor.token, dir.path(), &indicators);
    let hit = indicators[0]["id"].as_str().unwrap();

    let world = world();
    let members = ["Alpha", "Beta", "Gamma"].map(|name| provider(&hub, name));
    let mut guards = Vec::new();
    for (name, member) in ["alpha", "beta", "gamma"].iter().zip(&members) {
        let guard = Guard::started(&dir.path().join(name), &member.token, &config(&hub.url, world));
        eventually("the indicators are taken", || guard.active() == 2);
        for (client, name, times) in [(CONSENTS, HIT, 5), (SILENT, HIT, 1), (SILENT, QUIET, 3)] {
            // What the status page counts is looked up a moment later.
            eventually("it is looked up", || ask(guard.port("forward"), name, client) == Some(SINKHOLE));
            for _ in 1..times {
                assert_eq!(ask(guard.port("forward"), name, client), Some(SINKHOLE), "{client} {name}");
            }
        }
        let counted = || {
            let most = guard.status()["most_hit"].as_array().unwrap().clone();
            most.iter().map(|one| one[1]["enforced"].as_u64().unwrap()).sum::<u64>() == 9
        };
        eventually("all hits are counted", counted);
        assert_eq!(guard.facts_waiting(), 1, "what the silent customer's clients asked is no fact");
        if *name == "gamma" {
            // Who watches is told the truth, and tells that it would have been kept from it.
            assert_eq!(ask(guard.port("forward"), HIT, WATCHES), Some(TRUE));
            eventually("it is counted, by itself", || guard.facts_waiting() == 2);
        }
        guards.push(guard);
    }
    let hour = hour_that_is_over();
    for guard in &mut guards {
        guard.stop();
        guard.shift_facts(hour);
    }

    let own = |member| api(&hub, member, "/api/me/occurrences", None).1;
    for guard in &mut guards[..2] {
        guard.start();
        eventually("it reports", || guard.facts_waiting() == 0);
        assert_eq!(guard.reported().len(), 1);
    }
    let facts = |hub: &Hub| api(hub, &hub.token, "/api/occurrences?by=indicators", None).1["objects"].clone();
    assert_eq!(facts(&hub)[0]["members"], 2);
    assert_eq!(own(&contributor.token), json!({"objects": []}), "two are too few to be told");
    assert!(objects(&hub, &members[0], "sighting").is_empty());

    guards[2].start();
    eventually("it is published", || !objects(&hub, &members[0], "sighting").is_empty());
    eventually("all is reported", || guards[2].facts_waiting() == 0);
    let actions: Vec<String> = guards[2].reported().iter().map(|one| one["extensions"].to_string()).collect();
    assert!(actions.len() == 2 && actions.iter().any(|one| one.contains("\"monitored\"")), "{actions:?}");
    let told = objects(&hub, &contributor, "sighting");
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0]["sighting_of_ref"], &told[0]["count"]), (&json!(hit), &json!(10)));
    let day = &hour.to_string()[..10];
    assert_eq!(told[0]["first_seen"], format!("{day}T00:00:00.000000Z"));
    let text = told[0].to_string();
    assert!(text.contains("\"members_at_least\":3"), "{text}");
    for member in &members {
        assert!(!has(text.as_bytes(), &member.id) && !has(text.as_bytes(), &member.login), "{text}");
    }
    let seen = own(&contributor.token);
    assert_eq!(
        seen["objects"],
        json!([{"object": hit, "days": 1, "count": 10, "members_at_least": 3, "last_day": day}])
    );
    assert_eq!(own(&members[0].token), json!({"objects": []}), "it contributed nothing");

    // Of what only silent customers met, nobody ever hears.
    let known = facts(&hub);
    assert_eq!(known.as_array().unwrap().len(), 1, "{known}");
    assert_eq!(
        (&known[0]["object"], &known[0]["facts"], &known[0]["count"]),
        (&json!(hit), &json!(4), &json!(16))
    );
    verified(&hub);
}
