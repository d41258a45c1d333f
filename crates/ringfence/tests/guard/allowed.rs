//! The programme's own allow list, from its folder to what a guard answers.

use std::fs;
use std::net::SocketAddr;

use peers::{TRUE, eventually, world};

use crate::common::{Hub, programme};
use crate::site::{Guard, SINKHOLE, Wire, ask, indicator, provider, publish};

const LISTED: &str = "evil-allowed.example.com";
const ALLOWED: &str = "good-allowed.example.net";
const CLIENT: &str = "127.0.0.1";

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
[sinkhole.forwarder]
plain = ["<forward>"]
upstreams = ["{world}"]
[status]
listen = "<status>"
"#
    )
}

#[test]
fn what_the_programme_allows_is_answered_truthfully_as_long_as_it_does() {
    if !peers::has("the programme's allow list", &["dig"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let list = programme(dir.path()).join("lists/allow.txt");
    fs::write(&list, format!("# Everybody needs it.\n{ALLOWED}\n")).unwrap();
    let hub = Hub::start(dir.path());
    let wire = Wire::to(&hub);
    let north = provider(&hub, "North");
    let listed = [(1, LISTED), (2, ALLOWED)];
    let listed = listed.map(|(number, name)| indicator(number, &format!("[domain-name:value = '{name}']")));
    publish(&hub, &hub.token, dir.path(), &listed);
    let mut guard = Guard::started(&dir.path().join("north"), &north.token, &config(&wire.url, world()));
    let port = guard.port("forward");
    let answers = |name: &str| ask(port, name, CLIENT);
    eventually("what is listed is blocked", || answers(LISTED) == Some(SINKHOLE));
    for name in [ALLOWED, &format!("www.{ALLOWED}")] {
        assert_eq!(answers(name), Some(TRUE), "{name} is listed and allowed");
    }

    // The programme allows the other instead. A hub reads its folder when it starts.
    let change = |hub: Hub, values: &str| {
        hub.stop();
        fs::write(&list, values).unwrap();
        let hub = Hub::start(dir.path());
        wire.lead_to(&hub);
        hub
    };
    let hub = change(hub, &format!("{LISTED}\n"));
    eventually("what is allowed no more is blocked", || answers(ALLOWED) == Some(SINKHOLE));
    eventually("what is allowed now is not", || answers(LISTED) == Some(TRUE));

    // The guard knows it without the hub, too.
    guard.kill();
    wire.cut(true);
    guard.start();
    eventually("it blocks again", || answers(ALLOWED) == Some(SINKHOLE));
    assert_eq!(answers(LISTED), Some(TRUE), "what the programme allows was kept");
    wire.cut(false);

    let _hub = change(hub, "");
    eventually("nothing is allowed any more", || answers(LISTED) == Some(SINKHOLE));
    assert_eq!(answers(ALLOWED), Some(SINKHOLE));
}
