//! A hub, guards, and what stands between them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use model::{Clock as _, SystemClock, Timestamp};
use peers::resolver::{Kind, Place, Resolver};
use peers::{dig, eventually, free_port};
use serde_json::{Value, json};

use crate::common::{Hub, ringfence, text};

/// Where blocked clients are sent.
pub(crate) const SINKHOLE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 53);
const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// Asks a server on loopback for A as the client `from`; the first address of the answer.
pub(crate) fn ask(port: u16, name: &str, from: &str) -> Option<Ipv4Addr> {
    let said = dig(port, &["-b", from, "+short", "A", name]);
    said.lines().find_map(|line| line.trim().parse().ok())
}

/// A resolver behind a guard's policy zones, in its own folder of `dir`; the guard knows it by the name of its port.
pub(crate) fn resolver(kind: Kind, dir: &Path, guard: &Guard, name: &str, world: SocketAddr) -> Resolver {
    let port = guard.port(name);
    let place = Place::new(kind, &dir.join(name), guard.port("rpz"), world, &[]);
    let notified = if place.notified == place.port { port } else { guard.port("knot") };
    Resolver::start(kind, Place { port, notified, ..place })
}

pub(crate) fn has(bytes: &[u8], sought: &str) -> bool {
    bytes.windows(sought.len()).any(|window| window.eq_ignore_ascii_case(sought.as_bytes()))
}

/// Every file below a folder, with its bytes.
pub(crate) fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if let Ok(bytes) = fs::read(&path) {
            found.push((path, bytes));
        }
    }
    found
}

/// A member of the hub, with what it logs in with.
pub(crate) struct Member {
    pub(crate) id: String,
    pub(crate) token: String,
    pub(crate) login: String,
    pub(crate) secret: String,
}

/// A provider on the lists of two tiers.
pub(crate) fn provider(hub: &Hub, name: &str) -> Member {
    let tiers = ["--tier", "open", "--tier", "programme"];
    let added = hub.json(&[&["member", "add", name, "--kind", "provider"], &tiers[..]].concat());
    let issued = hub.json(&["token", "add", "--member", name]);
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    Member {
        id: word(&added["id"]),
        token: word(&issued["token"]),
        login: word(&issued["credential"]["login"]),
        secret: word(&issued["secret"]),
    }
}

/// A request to the hub's API, and the answer's status and document.
pub(crate) fn api(hub: &Hub, token: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let (url, bearer) = (format!("{}{path}", hub.url), format!("Bearer {token}"));
    let answer = match body {
        Some(body) => agent
            .post(url)
            .header("authorization", bearer)
            .header("content-type", "application/json")
            .send(body.to_string().as_bytes()),
        None => agent.get(url).header("authorization", bearer).call(),
    };
    let answer = answer.unwrap();
    let status = answer.status().as_u16();
    let bytes = answer.into_body().read_to_vec().unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

/// The objects of a type that a member finds in `indicators`.
pub(crate) fn objects(hub: &Hub, member: &Member, object_type: &str) -> Vec<Value> {
    let collection = hub.collection(&member.login, &member.secret, "indicators");
    let pages = collection.objects(&taxii_client::Query::default(), taxii_client::PullState::default());
    let objects = pages.flat_map(|page| page.unwrap().read::<Value>().unwrap());
    objects.filter(|object| object["type"] == object_type).collect()
}

/// The id of the indicator whose pattern has a word in it.
pub(crate) fn id_of(hub: &Hub, member: &Member, word: &str) -> String {
    let mut found = objects(hub, member, "indicator").into_iter();
    let found = found.find(|object| object["pattern"].as_str().is_some_and(|text| text.contains(word)));
    found.unwrap()["id"].as_str().unwrap().to_owned()
}

/// An indicator with an id of its own.
pub(crate) fn indicator(number: u32, pattern: &str) -> Value {
    json!({
        "type": "indicator", "spec_version": "2.1", "id": format!("indicator--{number:08x}-1111-4111-8111-111111111111"),
        "created": "2026-01-10T00:00:00.000Z", "modified": "2026-01-10T00:00:00.000Z",
        "pattern_type": "stix", "pattern": pattern, "valid_from": "2026-01-10T00:00:00Z",
        "indicator_types": ["malicious-activity"],
    })
}

/// Publishes objects as one bundle, with somebody's token.
pub(crate) fn publish(hub: &Hub, token: &str, dir: &Path, objects: &[Value]) {
    let bundle =
        json!({"type": "bundle", "id": "bundle--44af6c39-c09b-49c5-9de2-394224b04982", "objects": objects});
    let path = dir.join("bundle.json");
    fs::write(&path, bundle.to_string()).unwrap();
    let mut command = ringfence();
    command.args(["publish", "--to", "indicators"]).arg(&path);
    let published = command.env("RINGFENCE_HUB", &hub.url).env("RINGFENCE_TOKEN", token).output().unwrap();
    assert!(published.status.success(), "{}", text(&published));
}

/// What a configuration may call its ports.
const PORTS: [&str; 12] = [
    "rpz", "forward", "landing", "milter", "flow", "status", "resolver", "bind", "powerdns", "kresd", "knot",
    "back",
];

/// A guard in a process of its own, in a folder of its own.
pub(crate) struct Guard {
    pub(crate) dir: PathBuf,
    ports: BTreeMap<&'static str, u16>,
    child: Option<Child>,
}

impl Guard {
    /// Writes and checks a configuration in which `<rpz>` and the like stand for ports, and does not start it yet.
    pub(crate) fn new(dir: &Path, token: &str, config: &str) -> Self {
        fs::create_dir_all(dir).unwrap();
        fs::write(dir.join("token"), token).unwrap();
        let ports: BTreeMap<_, _> = PORTS.map(|name| (name, free_port())).into();
        let guard = Self { dir: dir.to_owned(), ports, child: None };
        guard.configure(config);
        let checked = ringfence().args(["guard", "--check"]).arg(guard.config()).output().unwrap();
        assert!(checked.status.success(), "{}", text(&checked));
        guard
    }

    /// Writes a configuration, with ports as above.
    fn configure(&self, config: &str) {
        let filled = self.ports.iter().fold(config.to_owned(), |text, (name, port)| {
            text.replace(&format!("<{name}>"), &format!("127.0.0.1:{port}"))
        });
        fs::write(self.config(), filled).unwrap();
    }

    /// Has it read another configuration, by SIGHUP, and waits until that is in force or refused.
    pub(crate) fn reload(&self, config: &str) {
        let read = || {
            let status = self.status();
            ["taken", "refused"]
                .map(|what| status["configuration"][what].as_u64().unwrap())
                .iter()
                .sum::<u64>()
        };
        let before = read();
        self.configure(config);
        assert!(Command::new("kill").args(["-HUP", &self.pid().to_string()]).status().unwrap().success());
        eventually("the configuration is read", || read() > before);
    }

    pub(crate) fn started(dir: &Path, token: &str, config: &str) -> Self {
        let mut guard = Self::new(dir, token, config);
        guard.start();
        guard
    }

    /// Starts it, and waits until all its sockets are open.
    pub(crate) fn start(&mut self) {
        let log = File::options().create(true).append(true).open(self.dir.join("guard.log")).unwrap();
        let mut command = ringfence();
        command.arg("guard").arg(self.config()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().unwrap());
        let status = self.port("status");
        eventually("the guard is up", || TcpStream::connect((LOOPBACK, status)).is_ok());
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.dir.join("guard.toml")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir.join("guard")
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.join("guard.log")).unwrap_or_default()
    }

    pub(crate) fn port(&self, name: &str) -> u16 {
        self.ports[name]
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// SIGTERM; it has to end well.
    pub(crate) fn stop(&mut self) {
        let mut child = self.child.take().unwrap();
        assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
        assert!(child.wait().unwrap().success());
    }

    /// `ringfence held` on what it keeps.
    pub(crate) fn held(&self, args: &[&str]) -> Output {
        ringfence().arg("held").arg(self.config()).args(args).arg("--json").output().unwrap()
    }

    /// An answer of its status page, head and all.
    pub(crate) fn page(&self, path: &str) -> String {
        let mut stream = TcpStream::connect((LOOPBACK, self.port("status"))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: guard\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// The status page for programs.
    pub(crate) fn status(&self) -> Value {
        let page = self.page("/status.json");
        serde_json::from_str(page.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    /// How many indicators are looked up.
    pub(crate) fn active(&self) -> u64 {
        self.status()["feeds"][0]["active"].as_u64().unwrap()
    }

    /// How many facts wait to be reported.
    pub(crate) fn facts_waiting(&self) -> u64 {
        self.status()["facts_waiting"].as_u64().unwrap()
    }

    /// Lets what waits to be reported have happened in the hour that began at `hour`: a process's clock cannot be moved, and
    /// no test waits for an hour to be over. The guard has to be stopped.
    pub(crate) fn shift_facts(&self, hour: Timestamp) {
        let path = self.data().join("facts.json");
        let mut facts: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let mut sums: BTreeMap<String, (Value, u64)> = BTreeMap::new();
        for pair in facts["counts"].as_array().unwrap() {
            let mut fact = pair[0].clone();
            fact["hour"] = json!(hour.as_micros().div_euclid(3_600_000_000));
            let sum = sums.entry(fact.to_string()).or_insert((fact, 0));
            sum.1 += pair[1].as_u64().unwrap();
        }
        facts["counts"] = sums.into_values().map(|(fact, count)| json!([fact, count])).collect();
        fs::write(path, facts.to_string()).unwrap();
    }

    /// Everything that was ever reported, as it was written down before it left.
    pub(crate) fn reported(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.data().join("reported.jsonl")).unwrap_or_default();
        let bodies = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        bodies.flat_map(|body| body["objects"].as_array().unwrap().clone()).collect()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // Already gone if it failed.
            let _gone = child.kill();
            let _reaped = child.wait();
        }
        if thread::panicking() {
            eprintln!("--- the guard in {}\n{}", self.dir.display(), self.log());
        }
    }
}

/// Waits for the next hour if this one ends within two minutes: facts are counted by the hour, and a guard reports those of an hour
/// that is over by itself.
pub(crate) fn away_from_the_hour_s_end() {
    const HOUR: i64 = 3_600_000_000;
    let left = HOUR - SystemClock::default().now().as_micros().rem_euclid(HOUR);
    if left < 120_000_000 {
        thread::sleep(Duration::from_micros(left.unsigned_abs()));
    }
}

/// The beginning of an hour that is over, with all facts of it.
pub(crate) fn hour_that_is_over() -> Timestamp {
    let hour = SystemClock::default().now().as_micros().div_euclid(3_600_000_000) - 2;
    Timestamp::from_micros(hour * 3_600_000_000)
}

/// A wire to the hub that keeps what a guard sends over it, and can be cut.
pub(crate) struct Wire {
    pub(crate) url: String,
    sent: Arc<Mutex<Vec<u8>>>,
    is_cut: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
    target: Arc<Mutex<SocketAddr>>,
}

impl Wire {
    pub(crate) fn to(hub: &Hub) -> Self {
        let target = Arc::new(Mutex::new(address(hub)));
        let listener = TcpListener::bind((LOOPBACK, 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sent, is_cut, open) = (Arc::default(), Arc::default(), Arc::default());
        let wire = Self { url, sent, is_cut, open, target: Arc::clone(&target) };
        let (sent, is_cut, open) = (Arc::clone(&wire.sent), Arc::clone(&wire.is_cut), Arc::clone(&wire.open));
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                if is_cut.load(Ordering::SeqCst) {
                    continue;
                }
                let to = *target.lock().unwrap();
                let Ok(far) = TcpStream::connect(to) else { continue };
                for stream in [&near, &far] {
                    open.lock().unwrap().push(stream.try_clone().unwrap());
                }
                carry(near.try_clone().unwrap(), far.try_clone().unwrap(), Some(Arc::clone(&sent)));
                carry(far, near, None);
            }
        });
        wire
    }

    /// It leads to a hub that was started anew.
    pub(crate) fn lead_to(&self, hub: &Hub) {
        *self.target.lock().unwrap() = address(hub);
    }

    /// All that was ever sent to the hub.
    pub(crate) fn sent(&self) -> Vec<u8> {
        self.sent.lock().unwrap().clone()
    }

    /// Nothing gets through any more, or everything again.
    pub(crate) fn cut(&self, is_cut: bool) {
        self.is_cut.store(is_cut, Ordering::SeqCst);
        if is_cut {
            for stream in self.open.lock().unwrap().drain(..) {
                // It may be closed already.
                let _closed = stream.shutdown(Shutdown::Both);
            }
        }
    }
}

fn address(hub: &Hub) -> SocketAddr {
    hub.url.strip_prefix("http://").unwrap().parse().unwrap()
}

fn carry(mut from: TcpStream, mut to: TcpStream, keep: Option<Arc<Mutex<Vec<u8>>>>) {
    thread::spawn(move || {
        let mut buffer = [0; 16_384];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            if let Some(keep) = &keep {
                keep.lock().unwrap().extend_from_slice(&buffer[..length]);
            }
            if to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        let _closed = to.shutdown(Shutdown::Write);
    });
}
