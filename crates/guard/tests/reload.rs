//! A guard that takes other configurations while it is asked: every question is answered, and each answer is of one or the
//! other.
#![expect(clippy::unwrap_used, reason = "a step that cannot be taken fails the test, as it should")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use guard::config::Config;
use guard::hold::{Frame, Hold, Kept};
use guard::indicator::{Indicator, Object, Rights};
use guard::run::Guard;
use guard::secrets::Secrets;
use model::{Clock, SystemClock};
use peers::{Client, PATIENCE, TRUE, eventually, free_port, world};
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

const SINKHOLE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 53);
const OTHER_SINKHOLE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 54);

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// A guard that runs in this process on what it held.
struct Site {
    folder: tempfile::TempDir,
    text: String,
    guard: Arc<Guard>,
    reload: mpsc::Sender<Config>,
    stop: watch::Sender<bool>,
    faces: Option<JoinHandle<()>>,
}

/// What a guard held when it stopped.
fn held(folder: &Path, names: &[&str]) {
    let data = folder.join("data");
    fs::create_dir_all(&data).unwrap();
    let secrets = Secrets::load_or_make(&data.join("guard.key"), [7; 32]).unwrap();
    let mut hold = Hold::open(&data, secrets.hold_key(), [9; 16], |_| ()).unwrap();
    let now = SystemClock::default().now();
    let put = (1_u128..).zip(names).map(|(id, name)| Kept {
        rights: Rights::ALL.bits(),
        object: Object::Indicator(Box::new(Indicator {
            from: now,
            pattern: format!("[domain-name:value = '{name}']"),
            ..Indicator::empty(Uuid::from_u128(id))
        })),
    });
    let frame = Frame {
        feed: "indicators".to_owned(),
        heard: now.as_micros(),
        put: put.collect(),
        ..Frame::default()
    };
    hold.append(&frame, &vec![b"{}".to_vec(); names.len()]).unwrap();
}

impl Site {
    fn start(names: &[&str], text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        held(folder.path(), names);
        fs::write(folder.path().join("token"), "x").unwrap();
        let text = format!(
            "data = \"data\"\n[hub]\nurl = \"http://127.0.0.1:9/taxii2/\"\ntoken_file = \"token\"\n{text}"
        );
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let config = Config::parse("guard.toml", &text, folder.path()).unwrap();
        let guard = Arc::new(Guard::start(config, &clock).unwrap());
        let (stop, stopped) = watch::channel(false);
        let (reload, reloads) = mpsc::channel(1);
        let (served, up) = (Arc::clone(&guard), Arc::new(AtomicBool::new(false)));
        let is_up = Arc::clone(&up);
        let faces = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
            let serving = guard::faces::serve(served, stopped, reloads, || up.store(true, Ordering::Relaxed));
            runtime.block_on(serving).unwrap();
        });
        eventually("the guard is up", || is_up.load(Ordering::Relaxed));
        Self { folder, text, guard, reload, stop, faces: Some(faces) }
    }

    /// Has the guard take its configuration with a part of it replaced; waits until it is in force, or refused.
    fn reload(&mut self, from: &str, to: &str) {
        assert!(self.text.contains(from), "{from} is not in {}", self.text);
        self.text = self.text.replace(from, to);
        let config = Config::parse("guard.toml", &self.text, self.folder.path()).unwrap();
        let seen = || self.guard.reloads().taken + self.guard.reloads().refused;
        let before = seen();
        self.reload.blocking_send(config).unwrap();
        eventually("the configuration was read", || seen() > before);
    }

    /// Stops softly.
    fn stop(mut self) {
        self.stop.send(true).unwrap();
        self.faces.take().unwrap().join().unwrap();
        self.guard.stop();
    }
}

/// Asks one question after the other on a thread of its own.
struct Asking {
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicU64>,
    unanswered: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Asking {
    fn start(server: SocketAddr, names: &'static [&'static str]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (asked, unanswered) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (until, questions, lost) = (Arc::clone(&stop), Arc::clone(&asked), Arc::clone(&unanswered));
        let thread = thread::spawn(move || {
            let client = Client::new(PATIENCE);
            for name in names.iter().cycle() {
                if until.load(Ordering::Relaxed) {
                    return;
                }
                let began = Instant::now();
                if client.ask(server, name).is_none() {
                    eprintln!("no answer for {name} within {:?}", began.elapsed());
                    lost.fetch_add(1, Ordering::Relaxed);
                }
                questions.fetch_add(1, Ordering::Relaxed);
                // Below what one client may ask.
                thread::sleep(Duration::from_millis(4));
            }
        });
        Self { stop, asked, unanswered, thread: Some(thread) }
    }

    /// How many questions were asked, and how many of them were not answered.
    fn end(mut self) -> (u64, u64) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        (self.asked.load(Ordering::Relaxed), self.unanswered.load(Ordering::Relaxed))
    }
}

fn forwarder(port: u16, world: SocketAddr) -> String {
    format!(
        "[[feed]]\ncollection = \"indicators\"\nmode = \"enforce\"\n[allow]\nvalues = []\n[sinkhole]\naddresses = {{ \"\" = [\"{SINKHOLE}\"] }}\n\
         [sinkhole.forwarder]\nplain = [\"127.0.0.1:{port}\"]\nupstreams = [\"{world}\"]\n"
    )
}

#[test]
fn every_question_is_answered_while_configurations_change() {
    let (port, world) = (free_port(), world());
    let names = ["evil.example", "bad.example"];
    let mut site = Site::start(&names, &forwarder(port, world));
    let server = local(port);
    let client = Client::new(PATIENCE);
    let answer = |name: &str| client.ask(server, name);
    let asking = Asking::start(server, &["evil.example", "good.example", "www.bad.example"]);
    assert_eq!(answer("www.evil.example"), Some(SINKHOLE));
    assert_eq!(answer("good.example"), Some(TRUE));

    site.reload("mode = \"enforce\"", "mode = \"monitor\"");
    assert_eq!(answer("www.evil.example"), Some(TRUE), "it only watches");
    site.reload("mode = \"monitor\"", "mode = \"enforce\"");
    assert_eq!(answer("www.evil.example"), Some(SINKHOLE));

    site.reload("values = []", "values = [\"evil.example\"]");
    assert_eq!(answer("evil.example"), Some(TRUE), "the site allows it");
    assert_eq!(answer("bad.example"), Some(SINKHOLE));
    site.reload("values = [\"evil.example\"]", "values = [\"www.evil.example\"]");
    assert_eq!(answer("evil.example"), Some(SINKHOLE), "what was left out comes back from the store");
    assert_eq!(answer("x.www.evil.example"), Some(TRUE));

    site.reload(&SINKHOLE.to_string(), &OTHER_SINKHOLE.to_string());
    assert_eq!(answer("evil.example"), Some(OTHER_SINKHOLE));
    site.reload("mode = \"enforce\"", "mode = \"enforce\"\nconfidence_min = 60");
    assert_eq!(answer("evil.example"), Some(TRUE), "it has less confidence than is asked for");
    site.reload("\nconfidence_min = 60", "");
    assert_eq!(answer("evil.example"), Some(OTHER_SINKHOLE));

    eventually("there were enough questions", || asking.asked.load(Ordering::Relaxed) > 20);
    let (asked, unanswered) = asking.end();
    assert_eq!(unanswered, 0, "of {asked}");
    site.stop();
}

#[test]
fn sockets_come_and_go_and_a_configuration_that_cannot_be_had_changes_nothing() {
    let (port, other, status, world) = (free_port(), free_port(), free_port(), world());
    let mut site = Site::start(&["evil.example"], &forwarder(port, world));
    let client = Client::new(PATIENCE);
    let listen = |ports: &[u16]| {
        let ports: Vec<String> = ports.iter().map(|port| format!("\"127.0.0.1:{port}\"")).collect();
        format!("plain = [{}]", ports.join(", "))
    };
    let asking = Asking::start(local(port), &["evil.example", "good.example"]);
    site.reload(&listen(&[port]), &listen(&[port, other]));
    assert_eq!(client.ask(local(other), "evil.example"), Some(SINKHOLE));

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let (before, blocked) = (site.text.clone(), taken.local_addr().unwrap().port());
    site.reload(&listen(&[port, other]), &listen(&[port, blocked]));
    assert_eq!((site.guard.reloads().taken, site.guard.reloads().refused), (1, 1));
    assert!(
        site.guard.reloads().faults[0].contains(&blocked.to_string()),
        "{:?}",
        site.guard.reloads().faults
    );
    assert_eq!(client.ask(local(other), "evil.example"), Some(SINKHOLE), "what was there stays");
    site.text = before;

    site.reload("data = \"data\"", "data = \"elsewhere\"");
    assert_eq!(site.guard.reloads().needs_restart, ["data", "key_file"]);
    let upstreams = format!("upstreams = [\"{world}\"]");
    site.text = site.text.replace(&listen(&[port, other]), &listen(&[port]));
    site.reload(&upstreams, &format!("{upstreams}\n[status]\nlisten = \"127.0.0.1:{status}\""));
    let brief = Client::new(Duration::from_millis(500));
    assert_eq!(brief.ask(local(other), "evil.example"), None, "nobody listens there any more");
    let mut page = String::new();
    let mut stream = TcpStream::connect(local(status)).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    stream.read_to_string(&mut page).unwrap();
    assert!(page.contains("ringfence_guard_indicators{feed=\"indicators\",phase=\"active\"} 1"), "{page}");
    let (asked, unanswered) = asking.end();
    assert_eq!(unanswered, 0, "of {asked}");
    site.stop();
}

#[test]
fn zones_and_their_access_follow() {
    let (port, dns, world) = (free_port(), free_port(), world());
    let zones = format!(
        "[sinkhole.rpz]\nlisten = [\"127.0.0.1:{dns}\"]\norigin = \"rpz.example\"\nunsigned = [\"127.0.0.1\"]\n"
    );
    let mut site = Site::start(&["evil.example"], &(forwarder(port, world) + &zones));
    let client = Client::new(PATIENCE);
    let listed = |zone: &str| client.ask(local(dns), &format!("evil.example.{zone}"));
    let serial = |site: &Site, zone: &str| {
        let zones = site.guard.zones().publisher().zones();
        zones.into_iter().find(|one| one.apex.to_string() == zone).map(|one| one.serial)
    };
    assert_eq!(listed("indicators.rpz.example"), Some(SINKHOLE));
    let first = serial(&site, "indicators.rpz.example.").unwrap();
    site.reload("values = []", "values = [\"other.example\"]");
    assert_eq!(
        serial(&site, "indicators.rpz.example."),
        Some(first),
        "a zone that stays as it was is not handed out again"
    );
    site.reload("mode = \"enforce\"", "mode = \"monitor\"");
    assert_eq!(listed("indicators.rpz.example"), None, "who only watches gets it empty");
    let second = serial(&site, "indicators.rpz.example.").unwrap();
    assert_ne!(first, second, "and asks for it at once");
    site.reload("mode = \"monitor\"", "mode = \"enforce\"");
    site.reload(&SINKHOLE.to_string(), &OTHER_SINKHOLE.to_string());
    assert_eq!(listed("indicators.rpz.example"), Some(OTHER_SINKHOLE));
    site.reload("origin = \"rpz.example\"", "origin = \"policy.example\"");
    assert_eq!(listed("indicators.policy.example"), Some(OTHER_SINKHOLE));
    assert_eq!(serial(&site, "indicators.rpz.example."), None);
    site.reload(&zones.replace("rpz.example", "policy.example"), "");
    assert_eq!(site.guard.zones().publisher().zones().len(), 0);
    site.stop();
}
