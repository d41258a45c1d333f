//! What is published is enforced, and what is taken back is not.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use peers::resolver::{INDICATORS, ORIGIN};
use peers::{Client, PATIENCE, eventually};
use serde_json::Value;

use crate::common::{Hub, ringfence, text};
use crate::site::{Guard, SINKHOLE, id_of, provider};

fn config(hub: &str, more: &str) -> String {
    format!(
        "data = \"guard\"\n[hub]\nurl = \"{hub}/taxii2/\"\ntoken_file = \"token\"\npoll_seconds = 1\n{more}\n\
         [[feed]]\ncollection = \"indicators\"\nmode = \"enforce\"\n\
         [sinkhole]\naddresses = {{ \"\" = [\"{SINKHOLE}\"] }}\n\
         [sinkhole.rpz]\nlisten = [\"<rpz>\"]\norigin = \"{ORIGIN}\"\nunsigned = [\"127.0.0.1\"]\n\
         [status]\nlisten = \"<status>\"\n"
    )
}

/// The address that the feed's zone has for a name.
fn answer(guard: &Guard, name: &str) -> Option<Ipv4Addr> {
    let zone = SocketAddr::from(([127, 0, 0, 1], guard.port("rpz")));
    Client::new(PATIENCE).ask(zone, &format!("{name}.{INDICATORS}"))
}

/// What `ringfence doctor` says of a guard: subjects and how they stand.
fn looked_over(guard: &Guard) -> Vec<(String, String)> {
    let told = ringfence().args(["doctor", "--json", "--guard"]).arg(guard.config()).output().unwrap();
    let report: Value = serde_json::from_slice(&told.stdout).unwrap_or_else(|_| panic!("{}", text(&told)));
    let word = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    findings.map(|finding| (word(finding, "subject"), word(finding, "level"))).collect()
}

fn publish(hub: &Hub, dir: &Path, names: &[&str]) {
    let mut list = String::new();
    for name in names {
        writeln!(list, "{name}").unwrap();
    }
    fs::write(dir.join("list.txt"), list).unwrap();
    let list = dir.join("list.txt");
    let published = hub.run(&["publish", "--to", "indicators", list.to_str().unwrap()]);
    assert!(published.status.success(), "{}", text(&published));
}

#[test]
fn what_is_published_is_enforced_and_what_is_taken_back_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::start(dir.path());
    let north = provider(&hub, "North");
    publish(&hub, dir.path(), &["evil.example.com", "bad.example.net"]);
    let guard = Guard::started(&dir.path().join("north"), &north.token, &config(&hub.url, ""));
    eventually("the history is enforced", || answer(&guard, "evil.example.com") == Some(SINKHOLE));
    assert_eq!(answer(&guard, "good.example.com"), None);
    publish(&hub, dir.path(), &["new.example.org"]);
    eventually("the new is enforced", || answer(&guard, "new.example.org") == Some(SINKHOLE));

    let id = id_of(&hub, &north, "new.example");
    let recalled = hub.run(&["recall", &id, "--withdraw", "--reason", "mistaken"]);
    assert!(recalled.status.success(), "{}", text(&recalled));
    eventually("the recalled is let go of", || answer(&guard, "new.example.org").is_none());
    assert_eq!(answer(&guard, "evil.example.com"), Some(SINKHOLE), "what was not recalled stays");
    assert!(guard.page("/healthz").starts_with("HTTP/1.1 200"), "{}", guard.page("/healthz"));
    assert!(guard.page("/metrics").contains("ringfence_guard_zone_entries"));
    hub.stop();
}

#[test]
fn a_guard_that_was_killed_goes_on_without_its_hub_until_the_lease_ends() {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::start(dir.path());
    let north = provider(&hub, "North");
    publish(&hub, dir.path(), &["evil.example.com"]);
    let config = config(&hub.url, "lease_hours = 1");
    let mut guard = Guard::started(&dir.path().join("north"), &north.token, &config);
    eventually("it is enforced", || answer(&guard, "evil.example.com") == Some(SINKHOLE));
    let well = |subject: &str| (subject.to_owned(), "ok".to_owned());
    let told = looked_over(&guard);
    for subject in ["configuration", "store", "feed", "lease"] {
        assert!(told.contains(&well(subject)), "{subject}, while it runs: {told:?}");
    }
    guard.kill();
    hub.stop();
    guard.start();
    assert_eq!(answer(&guard, "evil.example.com"), Some(SINKHOLE), "it is there from the first question on");
    let stranger = Guard::started(&dir.path().join("elsewhere"), &north.token, &config);
    assert_eq!(answer(&stranger, "evil.example.com"), None, "one that never heard the hub enforces nothing");
    let told = looked_over(&stranger);
    assert!(told.contains(&("lease".to_owned(), "fault".to_owned())), "{told:?}");
    assert!(told.contains(&("feed".to_owned(), "attention".to_owned())), "{told:?}");
}
