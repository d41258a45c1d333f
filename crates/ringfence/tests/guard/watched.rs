//! What resolvers block by our zones, and what they would have blocked, is counted: by what they write down themselves.

use std::net::SocketAddr;
use std::path::Path;

use peers::resolver::{Kind, Place, Resolver};
use peers::{TRUE, eventually, world};

use crate::common::Hub;
use crate::site::{Guard, SINKHOLE, ask, indicator, provider, publish};

const NAME: &str = "watched.example.com";
const BELOW: &str = "www.watched.example.com";
const WATCH: &str = "indicators.watch.rpz.example.net";

fn config(hub: &str, mode: &str) -> String {
    format!(
        r#"
data = "guard"
[hub]
url = "{hub}/taxii2/"
token_file = "token"
[[feed]]
collection = "indicators"
mode = "{mode}"
[sinkhole]
addresses = {{ "" = ["{SINKHOLE}"] }}
[sinkhole.rpz]
listen = ["<rpz>"]
origin = "rpz.example.net"
unsigned = ["127.0.0.1"]
watch = true
logs = ["../unbound/resolver.log", "../bind/rpz.log"]
notify = [{{ address = "<resolver>" }}, {{ address = "<bind>" }}]
[[sinkhole.rpz.key]]
name = "acme-resolver"
secret_file = "secret"
[status]
listen = "<status>"
"#
    )
}

/// Hits by the sinkhole: enforced, and what would have been.
fn hits(guard: &Guard) -> (u64, u64) {
    let status = guard.status();
    let by = status["feeds"][0]["hits"].as_array().unwrap();
    let sinkhole = by.iter().find(|hits| hits[0] == "sinkhole");
    let count = |what: &str| sinkhole.map_or(0, |hits| hits[1][what].as_u64().unwrap());
    (count("enforced"), count("monitored"))
}

fn behind(
    kind: Kind,
    dir: &Path,
    guard: &Guard,
    (folder, port): (&str, &str),
    world: SocketAddr,
) -> Resolver {
    let place = Place::new(kind, &dir.join(folder), guard.port("rpz"), world, &[WATCH]);
    let port = guard.port(port);
    Resolver::start(kind, Place { port, notified: port, ..place })
}

#[test]
fn what_resolvers_block_and_would_have_blocked_is_counted() {
    if !peers::has("resolvers that write down what they do", &["dig", "unbound", "named"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::start(dir.path());
    let north = provider(&hub, "North");
    publish(&hub, &hub.token, dir.path(), &[indicator(1, &format!("[domain-name:value = '{NAME}']"))]);
    let folder = dir.path().join("north");
    // Where there is no folder no log will be, which `--check` tells.
    for folder in [&folder, &dir.path().join("unbound"), &dir.path().join("bind")] {
        std::fs::create_dir(folder).unwrap();
    }
    std::fs::write(folder.join("secret"), peers::resolver::SECRET_BASE64).unwrap();
    let guard = Guard::started(&folder, &north.token, &config(&hub.url, "monitor"));
    eventually("it is taken", || guard.active() == 1);
    let world = world();
    let places = [(Kind::Unbound, ("unbound", "resolver")), (Kind::Bind, ("bind", "bind"))];
    for (kind, place) in places {
        let port = guard.port(place.1);
        let answer = |name: &str| ask(port, name, "127.0.0.1");
        guard.reload(&config(&hub.url, "monitor"));
        let _resolver = behind(kind, dir.path(), &guard, place, world);
        let before = hits(&guard);
        // It is asked until it has the zones and has written something down.
        eventually("what would have been blocked is counted", || {
            assert_eq!(answer(BELOW), Some(TRUE), "{kind:?} lets it pass");
            hits(&guard).1 > before.1
        });
        assert_eq!(hits(&guard).0, before.0, "{kind:?}: nothing was enforced");
        guard.reload(&config(&hub.url, "enforce"));
        eventually("it is blocked", || answer(NAME) == Some(SINKHOLE));
        eventually("what was blocked is counted", || hits(&guard).0 > before.0);
        assert_eq!(answer("else.example.com"), Some(TRUE));
    }
    let most = guard.status()["most_hit"].clone();
    assert_eq!(most.as_array().unwrap().len(), 1, "{most}");
    let metrics = guard.page("/metrics");
    for line in ["face=\"resolver\",what=\"blocked\"", "face=\"resolver\",what=\"passed\""] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
    assert!(!guard.log().contains(NAME), "who asked for what stays where it was");
}
