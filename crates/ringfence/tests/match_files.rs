//! `ringfence match` over files of every kind, by bundles and by what a guard holds.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use common::{ringfence, text};
use guard::config::Config;
use guard::hold::{Frame, Hold, Kept};
use guard::indicator::Rights;
use guard::lease;
use guard::secrets::Secrets;
use model::{Clock as _, SystemClock, Timestamp};
use serde_json::{Value, json};

fn indicator(n: u32, name: &str, pattern: &str) -> Value {
    json!({"type": "indicator", "spec_version": "2.1", "id": format!("indicator--00000000-0000-4000-8000-{n:012}"),
        "created": "2026-01-01T00:00:00Z", "modified": "2026-01-01T00:00:00Z", "valid_from": "2026-01-01T00:00:00Z",
        "pattern_type": "stix", "name": name, "pattern": pattern})
}

fn bundle(dir: &Path) -> std::path::PathBuf {
    let mut ended = indicator(9, "ended", "[domain-name:value = 'ended.example']");
    ended["valid_until"] = json!("2026-01-02T00:00:00Z");
    let bundle = json!({"type": "bundle", "id": "bundle--00000000-0000-4000-8000-000000000000", "objects": [
        indicator(1, "name", "[domain-name:value = 'evil.example']"),
        indicator(2, "address", "[ipv4-addr:value = '192.0.2.66']"),
        indicator(3, "expression", r"[url:value MATCHES '^http://[a-z]+\\.shop\\.example/gate\\.php']"),
        indicator(4, "attachment", "[file:name LIKE '%.scr' AND file:size > 3]"),
        indicator(5, "beacon", "[domain-name:value = 'beacon.example'] REPEATS 3 TIMES WITHIN 60 SECONDS"),
        indicator(6, "mutex", "[mutex:name = 'x1']"),
        indicator(7, "unusable", "[url:value MATCHES '(?=x)']"),
        indicator(8, "connection", "[network-traffic:dst_ref.value = '198.51.100.9' AND network-traffic:dst_port > 8000]"),
        ended,
    ]});
    let path = dir.join("bundle.json");
    std::fs::write(&path, bundle.to_string()).unwrap();
    path
}

fn matched(bundle: &Path, files: &[&Path], more: &[&str]) -> (Output, Vec<Value>, Value) {
    let output = ringfence()
        .args(["match", "--json", "--bundle"])
        .arg(bundle)
        .args(more)
        .args(files)
        .output()
        .unwrap();
    let lines: Vec<Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (summary, hits) = lines.split_last().unwrap_or_else(|| panic!("{}", text(&output)));
    (output.clone(), hits.to_vec(), summary["summary"].clone())
}

fn told(hits: &[Value], unit: &str) -> Vec<(u64, String, String)> {
    let mut told: Vec<_> = hits
        .iter()
        .map(|hit| {
            let text = |key: &str| hit[key].as_str().unwrap_or_default().to_owned();
            (hit[unit].as_u64().unwrap_or(0), text("kind"), text("name"))
        })
        .collect();
    told.sort();
    told
}

const LOG: &str = "\
2026-01-15T10:00:00Z query www.evil.example notevil.example evil.example.org\n\
2026-01-15T10:00:01Z query beacon.example\n\
2026-01-15T10:00:11Z query beacon.example\n\
2026-01-15T10:00:21Z query beacon.example from 192.0.2.66:80\n\
2026-01-15T10:00:22Z GET http://abc.shop.example/gate.php?x HTTP/1.1\n\
2026-01-15T10:00:23Z query ended.example\n";

#[test]
fn a_log_is_matched_by_tokens_and_by_evaluation_packed_or_not() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = bundle(dir.path());
    let plain = dir.path().join("dns.log");
    std::fs::write(&plain, LOG).unwrap();
    // What it is called says nothing.
    let packed = dir.path().join("dns.jpg");
    std::fs::write(&packed, zstd::encode_all(LOG.as_bytes(), 1).unwrap()).unwrap();
    let want = [
        (1, "name", "name"),
        (4, "pattern", "beacon"),
        (4, "prefix", "address"),
        (5, "pattern", "expression"),
    ];
    let want = want.map(|(line, kind, name)| (line, kind.to_owned(), name.to_owned()));
    for path in [&plain, &packed] {
        let (output, hits, summary) = matched(&bundle, &[path.as_path()], &[]);
        assert_eq!(told(&hits, "line"), want, "{}", text(&output));
        assert_eq!(output.status.code(), Some(1));
        assert_eq!((&summary["hits"], &summary["looked_for"]["ended"]), (&json!(4), &json!(1)));
        assert_eq!(summary["looked_for"]["refused"], json!({"evaluation": 1}));
    }
    // As of a day on which it was valid, it is looked for.
    let (_, hits, _) = matched(&bundle, &[plain.as_path()], &["--at", "2026-01-01T12:00:00Z"]);
    assert!(told(&hits, "line").contains(&(6, "name".to_owned(), "ended".to_owned())));
}

#[test]
fn mails_captures_and_observed_data_are_told_by_content() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = bundle(dir.path());
    let mail = "Received: from [192.0.2.66]\r\nFrom: a@evil.example\r\nTo: b@c.example\r\nSubject: hello\r\n\
        Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nsee http://www.evil.example/\r\n--x\r\n\
        Content-Type: application/octet-stream; name=\"a.scr\"\r\n\r\nMZ-file\r\n--x--\r\n";
    let mbox = format!(
        "From x Thu Jan 15 10:00:00 2026\r\nFrom: x@y.example\r\nSubject: clean\r\n\r\nhello\r\n\r\nFrom y Thu\r\n{mail}"
    );
    // A capture of raw IP with one packet of TCP to 198.51.100.9:8443.
    let mut capture =
        vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0];
    capture.extend([0, 0x5e, 0x68, 0x69, 0, 0, 0, 0, 40, 0, 0, 0, 40, 0, 0, 0]);
    capture.extend([0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 198, 51, 100, 9]);
    capture.extend([0x9c, 0x40, 0x20, 0xfb, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0]);
    let observed = json!({"type": "bundle", "objects": [
        {"type": "observed-data", "id": "observed-data--1", "first_observed": "2026-01-15T00:00:00Z",
            "last_observed": "2026-01-15T00:00:00Z", "number_observed": 1, "object_refs": ["mutex--1", "file--1"]},
        {"type": "mutex", "id": "mutex--1", "name": "x1"},
        {"type": "file", "id": "file--1", "name": "b.scr", "size": 10},
    ]});
    // What it is not called says nothing either.
    let files = [
        (
            "a",
            mail.as_bytes().to_vec(),
            "mail",
            vec![(1, "name", "name"), (1, "pattern", "attachment"), (1, "prefix", "address")],
        ),
        (
            "b",
            mbox.into_bytes(),
            "mail",
            vec![(2, "name", "name"), (2, "pattern", "attachment"), (2, "prefix", "address")],
        ),
        ("c", capture, "packet", vec![(1, "pattern", "connection")]),
        (
            "d",
            observed.to_string().into_bytes(),
            "object",
            vec![(0, "pattern", "attachment"), (0, "pattern", "mutex")],
        ),
    ];
    for (name, bytes, unit, want) in files {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let (output, hits, _) = matched(&bundle, &[path.as_path()], &[]);
        let want: Vec<_> =
            want.into_iter().map(|(n, kind, name)| (n, kind.to_owned(), name.to_owned())).collect();
        assert_eq!(told(&hits, unit), want, "{name}: {}", text(&output));
    }
}

#[test]
fn the_exit_status_tells_nothing_found_from_not_looked() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = bundle(dir.path());
    let (clean, broken, listed) =
        (dir.path().join("clean"), dir.path().join("broken"), dir.path().join("folder/listed"));
    std::fs::write(&clean, "nothing to see\n").unwrap();
    std::fs::create_dir(dir.path().join("folder")).unwrap();
    std::fs::write(&listed, "evil.example\n").unwrap();
    let mut encoder = zstd::encode_all(&[b'a'; 10_000][..], 1).unwrap();
    encoder.truncate(encoder.len() - 3);
    std::fs::write(&broken, encoder).unwrap();
    let missing = dir.path().join("missing");
    let folder = dir.path().join("folder");
    let code = |files: &[&Path]| {
        let (output, _, summary) = matched(&bundle, files, &[]);
        (output.status.code(), summary["not_looked_at"].clone())
    };
    assert_eq!(code(&[&clean]), (Some(0), json!({})));
    assert_eq!(code(&[&clean, &broken]), (Some(2), json!({"broken-packing": 1})));
    assert_eq!(code(&[&missing, &clean]), (Some(2), json!({"unreadable": 1})));
    assert_eq!(
        code(&[&missing, &folder]),
        (Some(1), json!({"unreadable": 1})),
        "a bad file is not fatal for the others"
    );
    let output = ringfence().args(["match", "--bundle"]).arg(&missing).arg(&clean).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
}

#[test]
fn stdin_is_read_and_people_get_a_line_for_each_hit() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = bundle(dir.path());
    let mut child = ringfence()
        .args(["match", "--bundle"])
        .arg(&bundle)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(LOG.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let first = out.lines().next().unwrap_or_default();
    assert!(
        first.starts_with(
            "-:1: name www.evil.example  indicator--00000000-0000-4000-8000-000000000001 \"name\""
        ),
        "{}",
        text(&output)
    );
    assert_eq!(out.lines().count(), 4);
    assert!(String::from_utf8_lossy(&output.stderr).contains("4 hits of 4 indicators in 1 of 1 file"));
}

/// What a guard holds that heard its hub at a time, written as a guard writes it.
fn held(dir: &Path, indicators: &[Value], heard: Timestamp) -> std::path::PathBuf {
    let config = dir.join("guard.toml");
    let text = "data = \"state\"\n[hub]\nurl = \"https://hub.example\"\ntoken_file = \"token\"\nlease_hours = 2\n\
        [[feed]]\ncollection = \"loud\"\nmode = \"enforce\"\n[allow]\nvalues = [\"good.evil.example\"]\n";
    std::fs::write(&config, text).unwrap();
    let read = Config::load(&config).unwrap();
    std::fs::create_dir_all(&read.data).unwrap();
    let secrets = Secrets::load_or_make(&read.key_file, [9; 32]).unwrap();
    let mut hold = Hold::open(&read.data, secrets.hold_key(), [1; 16], |_| {}).unwrap();
    let objects: Vec<Vec<u8>> = indicators.iter().map(|one| one.to_string().into_bytes()).collect();
    let kept = |bytes: &Vec<u8>| Kept {
        rights: Rights::ALL.bits(),
        object: guard::indicator::read(bytes, None).unwrap(),
    };
    let frame = Frame {
        feed: "loud".to_owned(),
        heard: heard.as_micros(),
        put: objects.iter().map(kept).collect(),
        ..Frame::default()
    };
    hold.append(&frame, &objects).unwrap();
    config
}

#[test]
fn what_a_guard_holds_is_looked_for_with_its_allow_lists_and_modes() {
    let dir = tempfile::tempdir().unwrap();
    let now = SystemClock::default().now();
    let config = held(dir.path(), &[indicator(1, "", "[domain-name:value = 'evil.example']")], now);
    let log = dir.path().join("log");
    std::fs::write(&log, "www.evil.example\nwww.good.evil.example\n").unwrap();
    let run = |config: &Path| {
        ringfence().args(["match", "--json", "--config"]).arg(config).arg(&log).output().unwrap()
    };
    let output = run(&config);
    let lines: Vec<Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert_eq!((lines.len(), &lines[0]["line"], &lines[0]["mode"]), (2, &json!(1), &json!("enforce")));
    assert_eq!(lines[0]["feed"], "loud");
    // A configuration without a store beside it.
    let other = dir.path().join("other.toml");
    std::fs::write(&other, std::fs::read_to_string(&config).unwrap().replace("state", "none")).unwrap();
    let output = run(&other);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(String::from_utf8_lossy(&output.stderr).contains("has the guard ever run?"), "{}", text(&output));
}

#[test]
fn what_the_hub_granted_ends_here_too() {
    let dir = tempfile::tempdir().unwrap();
    let heard = SystemClock::default().now() - Duration::from_hours(1);
    let config = held(dir.path(), &[indicator(1, "", "[domain-name:value = 'evil.example']")], heard);
    let log = dir.path().join("log");
    std::fs::write(&log, "www.evil.example\n").unwrap();
    let granted = |granted| {
        let read = Config::load(&config).unwrap();
        let secrets = Secrets::load_or_make(&read.key_file, [9; 32]).unwrap();
        lease::keep(&secrets.hold_key(), &read.data, [2; 16], Some(granted)).unwrap();
    };
    let run = |more: &[&str]| {
        let mut command = ringfence();
        command.args(["match", "--config"]).arg(&config).args(more).arg(&log).output().unwrap()
    };
    assert_eq!(run(&[]).status.code(), Some(1), "the site's two hours are not over: {}", text(&run(&[])));
    granted(Duration::from_mins(30));
    // Nor does it help to ask about a time at which it was not.
    let then = (heard + Duration::from_mins(1)).to_string();
    for more in [&[][..], &["--at", &then]] {
        let output = run(more);
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("the lease is over") && said.contains("start the guard"), "{said}");
        assert!(output.stdout.is_empty(), "{}", text(&output));
    }
    granted(Duration::from_hours(3));
    assert_eq!(run(&["--at", &then]).status.code(), Some(1));
}
