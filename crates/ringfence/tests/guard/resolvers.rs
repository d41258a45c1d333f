//! The resolvers that people run, behind a guard's policy zones: what changes at the hub, by time, or by a restart is what they
//! answer.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use model::{Clock as _, SystemClock};
use peers::resolver::{INDICATORS, KEY, Kind, ORIGIN, SECRET_BASE64};
use peers::{TRUE, eventually, world};
use serde_json::json;

use crate::common::{Hub, text};
use crate::site::{Guard, SINKHOLE, ask, indicator, provider, publish, resolver};

/// Each, and the port at which the guard knows it.
const RESOLVERS: [(Kind, &str); 4] =
    [(Kind::Unbound, "resolver"), (Kind::Bind, "bind"), (Kind::PowerDns, "powerdns"), (Kind::Knot, "kresd")];
const PARENT: &str = "evil-zone.example.com";
const CHILD: &str = "www.evil-zone.example.com";
const SIBLING: &str = "ftp.evil-zone.example.com";
const BRIEF: &str = "brief.example.net";
const LATER: &str = "later.example.net";
/// How long the short-lived indicator holds.
const BRIEF_SECONDS: u64 = 60;

fn config(hub: &str) -> String {
    format!(
        r#"
data = "guard"
[hub]
url = "{hub}/taxii2/"
token_file = "token"
[[feed]]
collection = "indicators"
mode = "enforce"
[sinkhole]
addresses = {{ "" = ["{SINKHOLE}"] }}
[sinkhole.rpz]
listen = ["<rpz>"]
origin = "{ORIGIN}"
unsigned = ["127.0.0.1"]
notify = [{{ address = "<resolver>" }}, {{ address = "<bind>", key = "{KEY}" }}, {{ address = "<knot>", key = "{KEY}" }}]
[[sinkhole.rpz.key]]
name = "{KEY}"
secret_file = "secret"
[status]
listen = "<status>"
"#
    )
}

/// What `dig` says to a transfer that is asked for from an address that need not, or need, sign.
fn transfer(guard: &Guard, from: &str, more: &[&str]) -> String {
    peers::dig(guard.port("rpz"), &[&["-b", from, INDICATORS], more].concat())
}

/// How many names a transfer has that lead to the sinkhole.
fn blocked(transferred: &str) -> usize {
    transferred.lines().filter(|line| line.ends_with(&SINKHOLE.to_string())).count()
}

fn serial(guard: &Guard) -> u64 {
    let status = guard.status();
    let zones = status["zones"].as_array().unwrap();
    let zone = zones.iter().find(|zone| zone["zone"].as_str().unwrap().starts_with("indicators")).unwrap();
    zone["serial"].as_u64().unwrap()
}

#[test]
fn every_resolver_follows_what_comes_ends_and_goes() {
    let programs: Vec<&str> = RESOLVERS.iter().flat_map(|(kind, _)| kind.programs()).copied().collect();
    if !peers::has("resolvers behind a guard", &[&["dig"], &programs[..]].concat()) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::start(dir.path());
    let north = provider(&hub, "North");
    let list = |number, name: &str| indicator(number, &format!("[domain-name:value = '{name}']"));
    publish(&hub, &hub.token, dir.path(), &[list(1, CHILD)]);

    let folder = dir.path().join("north");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("secret"), SECRET_BASE64).unwrap();
    let mut guard = Guard::started(&folder, &north.token, &config(&hub.url));
    eventually("the first is taken", || guard.active() == 1);
    let world: SocketAddr = world();
    let ports = RESOLVERS.map(|(_, port)| guard.port(port));
    let start = |(kind, port)| resolver(kind, dir.path(), &guard, port, world);
    let _resolvers = RESOLVERS.map(start);
    let everywhere = |name: &str, address: Ipv4Addr| {
        ports.iter().all(|port| ask(*port, name, "127.0.0.1") == Some(address))
    };
    eventually("it is blocked", || everywhere(CHILD, SINKHOLE));
    assert!(everywhere(SIBLING, TRUE));

    // The parent comes, and with it all below; the child is no entry of its own any more, and is one again afterwards.
    publish(&hub, &hub.token, dir.path(), &[list(2, PARENT)]);
    eventually("all below the parent is blocked", || {
        everywhere(SIBLING, SINKHOLE) && everywhere(CHILD, SINKHOLE)
    });
    // The name and all below it.
    assert_eq!(blocked(&transfer(&guard, "127.0.0.1", &["AXFR"])), 2);
    let id = list(2, PARENT)["id"].as_str().unwrap().to_owned();
    let recalled = hub.run(&["recall", &id, "--withdraw", "--reason", "mistaken"]);
    assert!(recalled.status.success(), "{}", text(&recalled));
    eventually("the siblings are free", || everywhere(SIBLING, TRUE));
    assert!(everywhere(CHILD, SINKHOLE), "what listed the child still does");

    // One that ends by itself.
    let ends = SystemClock::default().now() + Duration::from_secs(BRIEF_SECONDS);
    let mut brief = list(3, BRIEF);
    brief["valid_until"] = json!(ends.to_string());
    publish(&hub, &hub.token, dir.path(), &[brief]);
    eventually("it is blocked as long as it holds", || everywhere(BRIEF, SINKHOLE));
    assert!(SystemClock::default().now() < ends, "it came too late to show its end");
    eventually("it has ended everywhere", || everywhere(BRIEF, TRUE));
    assert!(SystemClock::default().now() >= ends, "it ended before its time");

    // Who does not sign, and signs wrongly, gets nothing.
    let right = format!("hmac-sha256:{KEY}:{SECRET_BASE64}");
    let wrong = right.replace("ZXhh", "AAAA");
    for more in [&["AXFR"][..], &["AXFR", "-y", &wrong]] {
        let said = transfer(&guard, "127.0.0.2", more);
        assert!(blocked(&said) == 0 && !said.contains("rf-"), "{more:?}: {said}");
    }
    assert_eq!(blocked(&transfer(&guard, "127.0.0.2", &["AXFR", "-y", &right])), 2, "who signs gets all");

    // A restart goes on where it was: whoever has the last serial gets what came since, and not everything.
    let before = serial(&guard);
    guard.kill();
    assert!(everywhere(CHILD, SINKHOLE), "resolvers have what they have");
    guard.start();
    publish(&hub, &hub.token, dir.path(), &[list(4, LATER)]);
    eventually("the new is blocked", || everywhere(LATER, SINKHOLE));
    let said = transfer(&guard, "127.0.0.1", &[&format!("IXFR={before}")]);
    assert!(said.contains(LATER) && !said.contains(CHILD), "{said}");
}
