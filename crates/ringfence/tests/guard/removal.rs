//! Removal: when the hub says so, or says nothing for too long, a guard holds nothing and hinders nobody.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use peers::{TRUE, eventually};
use serde_json::Value;

use crate::common::{ringfence, text};
use crate::kinds::{NAME, PROGRAMS, SUBJECT, Site, verified};
use crate::post::letter;
use crate::site::{SINKHOLE, files, has};

/// How long a guard may go on after the hub's decision.
const SECONDS_MAX: Duration = Duration::from_secs(45);

/// Every countermeasure is off.
fn hinders_nobody(site: &Site) {
    eventually("Unbound tells the truth", || site.through_unbound(NAME) == Some(TRUE));
    assert_eq!(site.through_forwarder(NAME), Some(TRUE));
    let mail = letter(SUBJECT, "mark-passes", b"harmless");
    let (taken, said) = site.postfix.send(&mail);
    assert!(taken, "{said}");
    eventually("the mail is delivered", || site.postfix.delivered("mark-passes") == [mail.clone()]);
    eventually("the files are empty", || {
        let entries = |name| {
            let file = String::from_utf8(site.export(name)).unwrap();
            file.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count()
        };
        entries("names.txt") == 0 && entries("hashes.txt") == 0
    });
    assert!(site.guard.page("/healthz").starts_with("HTTP/1.1 503"));
}

fn sha256(words: &str) -> String {
    let mut hashing = Command::new("sha256sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    hashing.stdin.take().unwrap().write_all(words.as_bytes()).unwrap();
    String::from_utf8(hashing.wait_with_output().unwrap().stdout).unwrap()[..64].to_owned()
}

#[test]
fn a_suspended_provider_s_guard_lets_go_of_everything_and_certifies_it() {
    if !peers::has("removal", &PROGRAMS) {
        return;
    }
    let site = Site::start("");
    let to = ["--tier", "programme", "--to", "suspended", "--reason", "a tie"];
    let suspended = site.hub.run(&[&["member", "standing", "North"], &to[..]].concat());
    assert!(suspended.status.success(), "{}", text(&suspended));
    let took = eventually("the forwarder tells the truth", || site.through_forwarder(NAME) == Some(TRUE));
    assert!(took < SECONDS_MAX, "{took:?}");
    hinders_nobody(&site);

    let mut certificate = String::new();
    eventually("the certificate is at the hub", || {
        let dossier = site.hub.json(&["member", "dossier", "North"]);
        let duties = dossier["duties"].as_array().cloned().unwrap_or_default();
        let done = duties.iter().find_map(|duty| duty["done"]["certificate"].as_str().map(str::to_owned));
        certificate = done.unwrap_or_default();
        !certificate.is_empty()
    });
    let read: Value = serde_json::from_str(&certificate).unwrap();
    let statement: Value = serde_json::from_str(read["statement"].as_str().unwrap()).unwrap();
    assert_eq!((&statement["indicators"], &statement["collection"]), (&5.into(), &"indicators".into()));
    for (path, bytes) in files(&site.guard.data()) {
        assert!(!has(&bytes, NAME), "{} has it still", path.display());
    }
    verified(&site.hub);
    let digest = sha256(&certificate);
    site.hub.stop();
    let data = site.dir.path().join("data");
    let entries = files(&data);
    assert!(entries.iter().any(|(_, bytes)| has(bytes, &digest)), "an entry of the ledger has its digest");
    let verified = ringfence().args(["ledger", "verify", "--data"]).arg(data).output().unwrap();
    assert!(verified.status.success(), "{}", text(&verified));
}

#[test]
fn a_guard_that_is_cut_off_warns_and_lets_go_when_its_lease_ends() {
    if !peers::has("the end of a lease", &PROGRAMS) {
        return;
    }
    let site = Site::start("lease_seconds = 80");
    site.wire.cut(true);
    let lease = || site.guard.status()["lease"].as_str().unwrap().to_owned();
    eventually("it says that the lease ends", || lease() == "ending");
    eventually("the log says so, too", || site.guard.log().contains("the lease ends soon"));
    assert_eq!(site.through_forwarder(NAME), Some(SINKHOLE), "until then it goes on");
    assert_eq!(site.through_unbound(NAME), Some(SINKHOLE));
    let left = eventually("the lease is over", || lease() == "over");
    assert!(left < Duration::from_secs(40), "a quarter of it was left: {left:?}");
    hinders_nobody(&site);
    eventually("the log says so, too", || site.guard.log().contains("the lease is over"));

    // The hub is heard again, and everything is back.
    site.wire.cut(false);
    eventually("it is enforced again", || site.through_forwarder(NAME) == Some(SINKHOLE));
    eventually("Unbound has it again", || site.through_unbound(NAME) == Some(SINKHOLE));
    eventually("the file has it again", || has(&site.export("names.txt"), NAME));
    verified(&site.hub);
}
