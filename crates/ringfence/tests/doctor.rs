//! `ringfence doctor`: it finds what is wrong, beside a running hub too, and changes nothing.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use common::{Hub, indicator, programme, ringfence, text};
use peers::eventually;
use serde_json::Value;

/// Valid from 2012-01-13 until 2012-02-13.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
MIIBEzCBugIBATAKBggqhkjOPQQDAjAWMRQwEgYDVQQDDAtodWIuZXhhbXBsZTAe
Fw0xMjAxMTMwMDAwMDBaFw0xMjAyMTMwMDAwMDBaMBYxFDASBgNVBAMMC2h1Yi5l
eGFtcGxlMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAExOb2OeRtgmMEcVQIAg6w
wwBXgqa3BI13tc5jCluuEtRi9M/dZEJOwitjDel50j395VhfbQdkyHr9Y8i7/knR
HTAKBggqhkjOPQQDAgNIADBFAiA4XRgnE6p+OznKAN/olKbaxbInbxrrPQMrkT4h
HLUheAIhAOWzkxMYh9jwSqqGPRRYtTT8keMMsDmC80JU4nOGMmQs
-----END CERTIFICATE-----
";

/// What the doctor says: its exit code, and each finding as (level, subject, message).
fn look(args: &[&str]) -> (i32, Vec<(String, String, String)>) {
    let output = ringfence().arg("doctor").args(args).arg("--json").output().unwrap();
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)));
    let field = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    let findings = findings.map(|f| (field(f, "level"), field(f, "subject"), field(f, "message"))).collect();
    (output.status.code().unwrap(), findings)
}

/// The findings that are not well, without the disk, which is this machine's.
fn amiss(findings: &[(String, String, String)]) -> Vec<(&str, &str)> {
    let amiss = findings.iter().filter(|(level, subject, _)| level != "ok" && subject != "disk");
    amiss.map(|(level, subject, _)| (level.as_str(), subject.as_str())).collect()
}

fn says<'a>(findings: &'a [(String, String, String)], subject: &str) -> &'a str {
    let found = findings.iter().find(|(_, found, _)| found == subject);
    found.map_or_else(|| panic!("nothing is said of `{subject}`: {findings:?}"), |(_, _, message)| message)
}

/// The names and contents of all files of a data directory.
fn contents(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|file| file.unwrap().path())
        // A reader of SQLite leaves these two beside the database, the log empty.
        .filter(|path| {
            path.is_file() && !["-shm", "-wal"].iter().any(|end| path.to_string_lossy().ends_with(end))
        })
        .map(|path| (path.display().to_string(), fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn a_hub_is_looked_over_while_it_runs_and_when_it_has_stopped() {
    let root = tempfile::tempdir().unwrap();
    let hub = Hub::start(root.path());
    let file = root.path().join("objects.json");
    let objects: Vec<String> = (0..3).map(|n| String::from_utf8(indicator(n)).unwrap()).collect();
    fs::write(&file, objects.join("\n")).unwrap();
    hub.json(&["publish", "--to", "indicators", file.to_str().unwrap()]);
    let (data, folder) = (root.path().join("data"), programme(root.path()));
    let (data, folder) = (data.to_str().unwrap(), folder.to_str().unwrap());

    // The hub keeps one when its writer has nothing else to do.
    eventually("a checkpoint is kept", || root.path().join("data/checkpoint").exists());
    let (_, found) = look(&["--data", data, "--programme", folder]);
    assert_eq!(amiss(&found), [], "{found:?}");
    assert!(says(&found, "store").contains("3 objects"), "{found:?}");
    assert!(says(&found, "store").contains("a hub has it open"), "{found:?}");
    assert!(says(&found, "ledger").contains("verified against the tiles"), "{found:?}");
    let (_, found) = look(&["--data", data, "--network", "--reach", &hub.url]);
    assert!(says(&found, "network").contains("accepts connections"), "{found:?}");
    hub.stop();

    let before = contents(Path::new(data));
    let (_, found) = look(&["--data", data, "--programme", folder]);
    assert_eq!(amiss(&found), [], "{found:?}");
    assert!(says(&found, "ledger").contains("continues the kept checkpoint"), "{found:?}");
    assert!(!says(&found, "store").contains("unread"), "{found:?}");
    assert!(contents(Path::new(data)) == before, "it reads only");
    // Nobody listens there on any machine.
    let (code, found) = look(&["--data", data, "--network", "--reach", "http://127.0.0.1:1/"]);
    assert_eq!((code, amiss(&found)), (2, vec![("fault", "network")]), "{found:?}");
}

#[test]
fn what_is_amiss_is_found_with_its_remedy() {
    let root = tempfile::tempdir().unwrap();
    let hub = Hub::start(root.path());
    let file = root.path().join("objects.json");
    fs::write(&file, indicator(1)).unwrap();
    hub.json(&["publish", "--to", "indicators", file.to_str().unwrap()]);
    hub.json(&["token", "add", "--role", "officer", "--expires", &tomorrow()]);
    hub.stop();
    let dir = root.path().join("data");
    let folder = programme(root.path());
    let data = dir.to_str().unwrap();
    let (code, found) = look(&["--data", data]);
    assert!(code >= 1, "{found:?}");
    assert_eq!(amiss(&found), [("attention", "credentials")], "{found:?}");
    let ends = ("attention", "credentials");

    // A folder that was edited, and one that breaks a claim.
    let rules = folder.join("release.cedar");
    let text_of_rules = fs::read_to_string(&rules).unwrap();
    fs::write(&rules, format!("{text_of_rules}// edited\n")).unwrap();
    let with_folder = ["--data", data, "--programme", folder.to_str().unwrap()];
    assert_eq!(amiss(&look(&with_folder).1), [("attention", "programme"), ends]);
    fs::write(&rules, text_of_rules.replacen("when { principal.listed.contains(resource.tier) };", ";", 1))
        .unwrap();
    assert_eq!(amiss(&look(&with_folder).1), [("fault", "programme"), ends]);

    // A secret that others may read.
    let keys = dir.join("keys.toml");
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o644)).unwrap();
    let (code, found) = look(&["--data", data]);
    assert_eq!((code, amiss(&found)), (2, vec![("fault", "secrets"), ends]), "{found:?}");
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o600)).unwrap();

    // A certificate that is over.
    let certificate = root.path().join("hub.pem");
    fs::write(&certificate, CERTIFICATE).unwrap();
    let (_, found) = look(&["--data", data, "--tls-cert", certificate.to_str().unwrap()]);
    assert_eq!(amiss(&found), [ends, ("fault", "certificate")], "{found:?}");
    assert!(says(&found, "certificate").contains("2012-02-13T00:00:00"), "{found:?}");

    // A checkpoint of another log, and a body that is not what was stored.
    let checkpoint = dir.join("checkpoint");
    let kept = fs::read(&checkpoint).unwrap();
    fs::write(&checkpoint, "hub.example/x\n9\nAAAA\n").unwrap();
    assert_eq!(amiss(&look(&["--data", data]).1), [("fault", "ledger"), ends]);
    fs::write(&checkpoint, kept).unwrap();
    let body = dir.join("bodies/00000001.dat");
    let mut bytes = fs::read(&body).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(&body, bytes).unwrap();
    let (code, found) = look(&["--data", data]);
    assert_eq!((code, amiss(&found)), (2, vec![("fault", "store"), ends]), "{found:?}");

    // No keys, no hub.
    fs::remove_file(&keys).unwrap();
    let (_, found) = look(&["--data", data]);
    assert!(
        amiss(&found).contains(&("fault", "secrets")) && amiss(&found).contains(&("fault", "hub")),
        "{found:?}"
    );
    let (code, found) = look(&["--data", root.path().join("nowhere").to_str().unwrap()]);
    assert_eq!((code, amiss(&found)), (2, vec![("fault", "directory")]), "{found:?}");
}

fn tomorrow() -> String {
    let out = std::process::Command::new("date")
        .args(["-u", "-d", "+1 day", "+%Y-%m-%dT%H:%M:%SZ"])
        .output()
        .unwrap();
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_guard_that_never_ran_is_told_so() {
    let root = tempfile::tempdir().unwrap();
    let token = root.path().join("token");
    fs::write(&token, "rf_x").unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o640)).unwrap();
    let config = root.path().join("guard.toml");
    fs::write(&config, "data = \"data\"\n[hub]\nurl = \"http://127.0.0.1:1/\"\ntoken_file = \"token\"\n[[feed]]\ncollection = \"indicators\"\n").unwrap();
    let (code, found) = look(&["--guard", config.to_str().unwrap()]);
    assert_eq!(code, 2, "{found:?}");
    assert_eq!(
        amiss(&found),
        [("attention", "status"), ("fault", "secrets"), ("fault", "store")],
        "{found:?}"
    );
    fs::write(&config, "data = 3").unwrap();
    let (code, found) = look(&["--guard", config.to_str().unwrap()]);
    assert_eq!((code, amiss(&found)), (2, vec![("fault", "configuration")]), "{found:?}");
}

#[test]
fn manual_pages_and_completions_know_every_command() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("man");
    let made = ringfence().args(["man", "--out"]).arg(&out).output().unwrap();
    assert!(made.status.success(), "{}", text(&made));
    for (page, word) in [
        ("ringfence", "ringfence\\-doctor"),
        ("ringfence-hub", "\\-\\-data"),
        ("ringfence-ledger-verify", "vkey"),
    ] {
        let text = fs::read_to_string(out.join(format!("{page}.1"))).unwrap();
        assert!(text.contains(word), "{page}: {text}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let said = ringfence().args(["completions", shell]).output().unwrap();
        let script = String::from_utf8(said.stdout).unwrap();
        assert!(
            said.status.success() && script.contains("doctor") && script.contains("open-metrics"),
            "{shell}"
        );
    }
}
