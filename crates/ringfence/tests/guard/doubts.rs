//! False positives: one member says so, the programme confirms, and every guard lets it pass.

use std::net::SocketAddr;
use std::time::Duration;

use peers::resolver::Kind;
use peers::{TRUE, eventually, world};
use serde_json::json;

use crate::common::Hub;
use crate::kinds::verified;
use crate::site::{Guard, SINKHOLE, api, ask, indicator, provider, publish, resolver};

const NAME: &str = "shared-host.example.com";
/// How long it may take until every guard has heard.
const SECONDS_MAX: Duration = Duration::from_secs(45);

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
[sinkhole]
addresses = {{ "" = ["{SINKHOLE}"] }}
[sinkhole.rpz]
listen = ["<rpz>"]
origin = "rpz.example.net"
unsigned = ["127.0.0.1"]
notify = [{{ address = "<resolver>" }}]
[sinkhole.forwarder]
plain = ["<forward>"]
upstreams = ["{world}"]
[status]
listen = "<status>"
"#
    )
}

#[test]
fn a_false_positive_that_is_confirmed_passes_everywhere() {
    if !peers::has("false positives", &["dig", "unbound"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::start(dir.path());
    let [north, south] = ["North", "South"].map(|name| provider(&hub, name));
    let officer = hub.json(&["token", "add", "--role", "officer"])["token"].as_str().unwrap().to_owned();
    let object = indicator(1, &format!("[domain-name:value = '{NAME}']"));
    publish(&hub, &south.token, dir.path(), std::slice::from_ref(&object));
    let id = object["id"].as_str().unwrap();

    let world = world();
    let guards = [("north", &north), ("south", &south)].map(|(name, member)| {
        Guard::started(&dir.path().join(name), &member.token, &config(&hub.url, world))
    });
    let resolvers = guards.each_ref().map(|guard| {
        eventually("the indicator is taken", || guard.active() == 1);
        resolver(Kind::Unbound, &guard.dir, guard, "resolver", world)
    });
    let everywhere = |address| {
        let mut ports = guards.iter().flat_map(|guard| [guard.port("resolver"), guard.port("forward")]);
        ports.all(|port| ask(port, NAME, "127.0.0.1") == Some(address))
    };
    eventually("it is blocked everywhere", || everywhere(SINKHOLE));

    let doubt = json!({"object": id, "reason": "our customers' web host"});
    let (status, said) = api(&hub, &north.token, "/api/false-positives", Some(&doubt));
    assert_eq!((status, &said["object"]), (202, &json!(id)), "{said}");
    assert!(everywhere(SINKHOLE), "what one member says changes nothing");
    let decide = |token: &str, word: &str| {
        let path = format!("/api/false-positives/{id}/{word}");
        api(&hub, token, &path, Some(&json!({"reason": "a shared host"}))).0
    };
    assert_eq!(decide(&north.token, "confirm"), 403);
    assert_eq!(decide(&officer, "confirm"), 200);
    let took = eventually("it passes everywhere", || everywhere(TRUE));
    assert!(took < SECONDS_MAX, "{took:?}");

    for guard in &guards {
        let status = guard.status();
        assert_eq!(status["feeds"][0]["active"], 1, "it is watched still");
        let monitored = status["feeds"][0]["monitored"].as_object().unwrap();
        assert!(monitored.keys().any(|why| why.contains("false positive")), "{monitored:?}");
        eventually("it would have hit", || guard.status()["most_hit"][0][1]["monitored"].as_u64() > Some(0));
    }
    let own = api(&hub, &south.token, "/api/me/occurrences", None).1;
    assert_eq!(own["objects"][0]["false_positive"], "confirmed", "{own}");

    assert_eq!(decide(&officer, "dismiss"), 200);
    eventually("it is blocked again", || everywhere(SINKHOLE));
    drop(resolvers);
    verified(&hub);
}
