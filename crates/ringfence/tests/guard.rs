//! A guard beside a hub, both as people run them: what is published is enforced, and what is taken back is not.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use common::{Hub, ringfence, text};
use serde_json::Value;

/// How long anything here may take before it counts as not happening.
const PATIENCE: Duration = Duration::from_secs(30);
const SINKHOLE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 53);

struct Guard {
    child: Child,
    dns: SocketAddr,
    status: SocketAddr,
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Already gone if a test stopped it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Guard {
    fn start(dir: &Path, hub: &str, more: &str) -> Self {
        let (dns, status) = (free_port(), free_port());
        let config = format!(
            "data = \"guard\"\n[hub]\nurl = \"{hub}/taxii2/\"\ntoken_file = \"token\"\npoll_seconds = 1\n{more}\n\
             [[feed]]\ncollection = \"indicators\"\nmode = \"enforce\"\n\
             [sinkhole]\naddresses = {{ \"\" = [\"{SINKHOLE}\"] }}\n\
             [sinkhole.rpz]\nlisten = [\"127.0.0.1:{dns}\"]\norigin = \"rpz.guard.example\"\nunsigned = [\"127.0.0.1\"]\n\
             [status]\nlisten = \"127.0.0.1:{status}\"\n"
        );
        let path = dir.join("guard.toml");
        std::fs::write(&path, config).unwrap();
        let checked = ringfence().args(["guard", "--check"]).arg(&path).output().unwrap();
        assert!(checked.status.success(), "{}", text(&checked));
        let child =
            ringfence().arg("guard").arg(&path).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let [dns, status] = [dns, status].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let guard = Self { child, dns, status };
        eventually("the guard is up", || TcpStream::connect(guard.status).is_ok());
        guard
    }

    /// The address that the feed's zone has for a name.
    fn answer(&self, name: &str) -> Option<Ipv4Addr> {
        let mut query = vec![0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in format!("{name}.indicators.rpz.guard.example").split('.') {
            query.push(u8::try_from(label.len()).unwrap());
            query.extend(label.as_bytes());
        }
        query.extend([0, 0, 1, 0, 1]);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        socket.send_to(&query, self.dns).unwrap();
        let mut answer = [0; 1500];
        let length = socket.recv(&mut answer).unwrap();
        let answers = u16::from_be_bytes([answer[6], answer[7]]);
        // The one address that an answer has stands at its end, before nothing but what signs it.
        let bytes: [u8; 4] =
            answer[..length].windows(6).rev().find(|w| w[..2] == [0, 4])?[2..].try_into().unwrap();
        (answers > 0).then(|| bytes.into())
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.status).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: guard\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "it never came true that {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn publish(hub: &Hub, dir: &Path, names: &[&str]) {
    let mut list = String::new();
    for name in names {
        writeln!(list, "{name}").unwrap();
    }
    std::fs::write(dir.join("list.txt"), list).unwrap();
    let list = dir.join("list.txt");
    let published = hub.run(&["publish", "--to", "indicators", list.to_str().unwrap()]);
    assert!(published.status.success(), "{}", text(&published));
}

/// A provider of a hub, with what it logs in with.
struct Provider {
    login: String,
    secret: String,
}

/// A hub with a provider, whose token lies where the guard's configuration says.
fn hub_with_provider(dir: &Path) -> (Hub, Provider) {
    let hub = Hub::start(dir);
    hub.json(&["member", "add", "North", "--kind", "provider", "--tier", "open", "--tier", "programme"]);
    let issued = hub.json(&["token", "add", "--member", "North"]);
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    std::fs::write(dir.join("token"), word(&issued["token"])).unwrap();
    let provider = Provider { login: word(&issued["credential"]["login"]), secret: word(&issued["secret"]) };
    (hub, provider)
}

fn id_of(hub: &Hub, provider: &Provider, name: &str) -> String {
    let collection = hub.collection(&provider.login, &provider.secret, "indicators");
    let pages = collection.objects(&taxii_client::Query::default(), taxii_client::PullState::default());
    let objects = pages.flat_map(|page| page.unwrap().read::<Value>().unwrap());
    let mut found =
        objects.filter(|object| object["pattern"].as_str().is_some_and(|text| text.contains(name)));
    found.next().unwrap()["id"].as_str().unwrap().to_owned()
}

#[test]
fn what_is_published_is_enforced_and_what_is_taken_back_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let (hub, provider) = hub_with_provider(dir.path());
    publish(&hub, dir.path(), &["evil.example.com", "bad.example.net"]);
    let guard = Guard::start(dir.path(), &hub.url, "");
    eventually("the history is enforced", || guard.answer("evil.example.com") == Some(SINKHOLE));
    assert_eq!(guard.answer("good.example.com"), None);
    publish(&hub, dir.path(), &["new.example.org"]);
    eventually("the new is enforced", || guard.answer("new.example.org") == Some(SINKHOLE));

    let recalled =
        hub.run(&["recall", &id_of(&hub, &provider, "new.example"), "--withdraw", "--reason", "mistaken"]);
    assert!(recalled.status.success(), "{}", text(&recalled));
    eventually("the recalled is let go of", || guard.answer("new.example.org").is_none());
    assert_eq!(guard.answer("evil.example.com"), Some(SINKHOLE), "what was not recalled stays");
    assert!(guard.get("/healthz").starts_with("HTTP/1.1 200"), "{}", guard.get("/healthz"));
    assert!(guard.get("/metrics").contains("ringfence_guard_zone_entries"));

    let suspended = hub.run(&[
        "member",
        "standing",
        "North",
        "--tier",
        "programme",
        "--to",
        "suspended",
        "--reason",
        "x",
    ]);
    assert!(suspended.status.success(), "{}", text(&suspended));
    eventually("the suspended provider's guard is empty", || guard.answer("evil.example.com").is_none());
    assert!(guard.get("/healthz").starts_with("HTTP/1.1 503"));
    let certificates = dir.path().join("guard/certificates");
    eventually("the disposal is certified at the hub", || {
        std::fs::read_dir(&certificates).is_ok_and(|files| {
            files.flatten().any(|file| file.path().extension().is_some_and(|it| it == "filed"))
        })
    });
    let dossier = hub.json(&["member", "dossier", "North"]).to_string();
    assert!(dossier.contains("ringfence-disposal-1"), "{dossier}");
    hub.stop();
}

#[test]
fn a_guard_that_was_killed_goes_on_without_its_hub_until_the_lease_ends() {
    let dir = tempfile::tempdir().unwrap();
    let (hub, _) = hub_with_provider(dir.path());
    publish(&hub, dir.path(), &["evil.example.com"]);
    let guard = Guard::start(dir.path(), &hub.url, "lease_hours = 1");
    eventually("it is enforced", || guard.answer("evil.example.com") == Some(SINKHOLE));
    guard.kill();
    let url = hub.url.clone();
    hub.stop();
    let guard = Guard::start(dir.path(), &url, "lease_hours = 1");
    assert_eq!(guard.answer("evil.example.com"), Some(SINKHOLE), "it is there from the first question on");
    guard.kill();
    let other = dir.path().join("elsewhere");
    std::fs::create_dir(&other).unwrap();
    std::fs::copy(dir.path().join("token"), other.join("token")).unwrap();
    let stranger = Guard::start(&other, &url, "lease_hours = 1");
    assert_eq!(stranger.answer("evil.example.com"), None, "one that never heard the hub enforces nothing");
}
