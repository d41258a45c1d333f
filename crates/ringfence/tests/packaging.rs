//! What `packaging/` has agrees with the program: the package installs, dashboards and alerts ask for metrics that there are, each
//! metric is documented, each alert has its section in the runbook.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Hub, indicator, text};
use peers::eventually;
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names of metrics in a text: what begins with the program's name, goes on with lower-case letters, and is no other word.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'));
    let names = words.filter(|word| word.starts_with("ringfence_") && word.len() > "ringfence_".len());
    names.map(|name| name.strip_suffix("_bucket").unwrap_or(name)).map(base).collect()
}

/// A histogram's parts count as the histogram.
fn base(name: &str) -> String {
    let of_histogram = |suffix| name.strip_suffix(suffix).filter(|name| name.ends_with("_duration_seconds"));
    of_histogram("_sum").or_else(|| of_histogram("_count")).unwrap_or(name).to_owned()
}

/// What hubs expose: one that has a webhook and was asked for something.
fn of_a_hub() -> BTreeSet<String> {
    let dir = tempfile::tempdir().unwrap();
    let programme = common::programme(dir.path()).join("programme.toml");
    let hook = "\n[[webhook]]\nname = \"desk\"\nurl = \"http://127.0.0.1:9/\"\n";
    let settings = fs::read_to_string(&programme).unwrap();
    fs::write(&programme, settings + hook).unwrap();
    let hub = Hub::start(dir.path());
    let file = dir.path().join("object.json");
    fs::write(&file, indicator(1)).unwrap();
    hub.json(&["publish", "--to", "indicators", file.to_str().unwrap()]);
    let exposed = || {
        let asked = ureq::get(format!("{}/metrics", hub.url));
        let answer = asked.header("Authorization", format!("Bearer {}", hub.token)).call().unwrap();
        answer.into_body().read_to_string().unwrap()
    };
    // The ledger is held to its head by the writer, at some time after the start.
    eventually("the ledger was held to its head", || exposed().contains("ringfence_ledger_sound"));
    exposed().lines().filter(|line| !line.starts_with('#')).flat_map(metrics_in).collect()
}

/// What guards expose, by the table that their exposition is written from.
fn of_a_guard() -> BTreeSet<String> {
    guard::faces::status::METRICS.iter().map(|(name, ..)| format!("ringfence_guard_{name}")).collect()
}

#[test]
fn dashboards_alerts_and_documentation_know_the_metrics() {
    let there: BTreeSet<String> = of_a_hub().into_iter().chain(of_a_guard()).collect();
    assert!(there.len() > 25, "{there:?}");
    let mut asked = BTreeSet::new();
    for board in ["packaging/grafana/hub.json", "packaging/grafana/guard.json"] {
        let board: Value = serde_json::from_str(&read(board)).unwrap();
        for panel in board["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().unwrap() {
                let names = metrics_in(target["expr"].as_str().unwrap());
                assert!(!names.is_empty(), "{target}");
                asked.extend(names);
            }
        }
    }
    assert_eq!(asked, there, "the dashboards show every metric, and none that is not there");
    let alerts = read("packaging/prometheus/alerts.yaml");
    let expressions = alerts.lines().filter_map(|line| line.trim().strip_prefix("expr: "));
    let asked: BTreeSet<String> = expressions.flat_map(metrics_in).collect();
    assert!(asked.len() > 10 && asked.is_subset(&there), "{:?}", asked.difference(&there));
    let table: String =
        read("docs/operations.md").lines().filter(|line| line.starts_with("| `ringfence_")).collect();
    assert_eq!(metrics_in(&table), there, "each metric has its line in docs/operations.md, and no other");
}

#[test]
fn each_alert_has_its_section_in_the_runbook() {
    let (alerts, runbook) = (read("packaging/prometheus/alerts.yaml"), read("docs/runbook.md"));
    let named: BTreeSet<&str> =
        alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let sections: BTreeSet<&str> = runbook.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert!(named.len() > 10);
    assert_eq!(named, sections);
    for name in named {
        assert!(alerts.contains(&format!("runbook: docs/runbook.md#{}\n", name.to_lowercase())), "{name}");
    }
}

#[test]
fn the_container_is_made_of_what_is_there_and_runs_as_nobody() {
    let file = read("packaging/container/Containerfile");
    let lines: Vec<&str> = file.lines().filter(|line| !line.starts_with('#')).collect();
    for line in lines.iter().filter(|line| line.starts_with("COPY ") && !line.contains("--from=")) {
        let words: Vec<&str> = line.split_whitespace().skip(1).collect();
        for source in &words[..words.len() - 1] {
            assert!(root().join(source).exists(), "{line}");
        }
    }
    let stages: Vec<usize> =
        lines.iter().enumerate().filter(|(_, line)| line.starts_with("FROM ")).map(|(at, _)| at).collect();
    assert_eq!(stages.len(), 2, "what builds is not what runs");
    let last = &lines[stages[1]..];
    let user = last.iter().find_map(|line| line.strip_prefix("USER ")).unwrap();
    assert!(user.split(':').all(|id| id.parse::<u32>().is_ok_and(|id| id > 0)), "{user}");
    assert!(last.iter().any(|line| line.starts_with("ENTRYPOINT [")), "{last:?}");
    // Every crate of the workspace that the program is made of is copied, wherever it lies.
    let members = read("Cargo.toml");
    let members = members.lines().find_map(|line| line.strip_prefix("members = ")).unwrap();
    for member in
        members.split('"').filter(|word| word.chars().all(|c| c.is_alphanumeric() || "/*".contains(c)))
    {
        let folder = member.trim_end_matches("/*");
        assert!(folder.is_empty() || lines.contains(&format!("COPY {folder} {folder}").as_str()), "{folder}");
    }
}

#[test]
fn the_package_installs_runs_and_goes() {
    let missing = ["dpkg-deb", "strip", "objdump", "useradd"].into_iter().find(|tool| {
        !Command::new("sh").args(["-c", &format!("command -v {tool}")]).output().unwrap().status.success()
    });
    let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    if missing.is_some() || !is_root {
        let why = missing.map_or("it takes root".to_owned(), |tool| format!("`{tool}` is not here"));
        assert!(std::env::var_os("RINGFENCE_REQUIRE_PEERS").is_none(), "{why}");
        eprintln!("skipped: the_package_installs_runs_and_goes: {why}");
        return;
    }
    let binary = env!("CARGO_BIN_EXE_ringfence");
    let tested = Command::new(root().join("packaging/deb/test.sh")).arg(binary).output().unwrap();
    assert!(tested.status.success(), "{}", text(&tested));
}
