//! The real binary, as people run it.
#![allow(dead_code, reason = "each test file uses its own part of this")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

pub(crate) mod kill;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use taxii::{Credentials, Secret};
use taxii_client::{Client, Collection, Options};

pub(crate) fn ringfence() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringfence"));
    // What the developer's shell says is no part of the test.
    for name in ["RINGFENCE_HUB", "RINGFENCE_TOKEN", "RINGFENCE_CA", "RINGFENCE_LOG"] {
        command.env_remove(name);
    }
    command
}

pub(crate) fn text(output: &Output) -> String {
    let [out, err] =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    format!("{}\nstdout: {out}\nstderr: {err}", output.status)
}

/// A hub in a process of its own, killed when it is dropped.
pub(crate) struct Hub {
    child: Child,
    pub(crate) url: String,
    pub(crate) token: String,
    /// The certificates that commands trust, where it speaks TLS.
    ca: Option<PathBuf>,
}

/// The template programme in `dir/programme`.
pub(crate) fn programme(dir: &Path) -> PathBuf {
    let programme = dir.join("programme");
    if !programme.exists() {
        let made = ringfence().arg("init").arg(&programme).output().unwrap();
        assert!(made.status.success(), "{}", text(&made));
    }
    programme
}

pub(crate) fn hub_command(dir: &Path) -> Command {
    let mut command = ringfence();
    command.args(["hub", "--json", "--listen", "127.0.0.1:0", "--log", "error"]);
    command.arg("--programme").arg(programme(dir)).arg("--data").arg(dir.join("data"));
    command
}

impl Hub {
    /// Starts it on `dir/data` and waits until it listens.
    pub(crate) fn start(dir: &Path) -> Self {
        Self::from_command(dir, hub_command(dir), None)
    }

    /// The same by a command of its own, whose certificate `ca` vouches for.
    pub(crate) fn from_command(dir: &Path, mut command: Command, ca: Option<PathBuf>) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("the hub said `{line}`"));
        let token = std::fs::read_to_string(dir.join("data/operator.token")).unwrap().trim().to_owned();
        Self { child, url: said["url"].as_str().unwrap().to_owned(), token, ca }
    }

    /// SIGKILL: no chance to say goodbye.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// What it writes to stderr, where its command pipes that.
    pub(crate) fn stderr(&mut self) -> std::process::ChildStderr {
        self.child.stderr.take().unwrap()
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGHUP.
    pub(crate) fn hang_up(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    }

    /// SIGTERM; it has to end well.
    pub(crate) fn stop(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }

    /// Runs a command against this hub, as its operator.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.run_with(args, "")
    }

    pub(crate) fn run_with(&self, args: &[&str], stdin: &str) -> Output {
        let mut command = ringfence();
        command.args(args).env("RINGFENCE_HUB", &self.url).env("RINGFENCE_TOKEN", &self.token);
        if let Some(ca) = &self.ca {
            command.env("RINGFENCE_CA", ca);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that reads no input may be gone before it is written.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// The JSON that a command prints; it has to succeed.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let output = self.run(&[args, &["--json"]].concat());
        assert!(output.status.success(), "{args:?}: {}", text(&output));
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{args:?}: {error}: {}", text(&output)))
    }

    /// A collection, to a user.
    pub(crate) fn collection(&self, user: &str, password: &str, collection: &str) -> Collection {
        let credentials =
            Credentials::Basic { user: user.to_owned(), password: Secret::new(password.to_owned()) };
        let options = Options { credentials: Some(credentials), ..Options::default() };
        let client = Client::new(&self.url, &options).unwrap();
        client.api_root("/jcsp/").unwrap().collection(collection).unwrap()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        // It may be gone already, by kill or stop.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An indicator, different for each number.
pub(crate) fn indicator(number: u32) -> Vec<u8> {
    let id = format!("indicator--{number:08x}-0000-4000-8000-000000000000");
    let pattern = format!("[ipv6-addr:value = '2001:db8::{:x}:{:x}']", number >> 16, number & 0xffff);
    stix::indicator(&stix::IndicatorParts {
        id: &id,
        created: "2026-01-10T00:00:00.000Z",
        modified: "2026-01-10T00:00:00.000Z",
        pattern: &pattern,
        valid_from: "2026-01-10T00:00:00.000Z",
        indicator_types: &["benign"],
        ..stix::IndicatorParts::default()
    })
}

/// A member on every list, and its user name and password.
pub(crate) fn member(hub: &Hub, name: &str) -> (String, String, String) {
    let tiers = ["--tier", "open", "--tier", "programme", "--tier", "cleared"];
    let added = hub.json(&[&["member", "add", name, "--kind", "provider"], &tiers[..]].concat());
    let issued = hub.json(&["token", "add", "--member", name]);
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    (word(&added["id"]), word(&issued["credential"]["login"]), word(&issued["secret"]))
}
