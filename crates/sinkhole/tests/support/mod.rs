//! What the tests with sockets share: a primary that runs, resolvers of other people, a world that answers truly.

#![allow(dead_code, reason = "each test uses its part")]

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sinkhole::rpz::{
    Change, Content, Counts, Entry, JournalKey, MemoryContent, Publisher, Rule, Scope, ServerLimits,
    TsigAlgorithm, TsigKey, ZoneSpec, serve,
};
use sinkhole::{Clock, Name, Random};

/// What a blocked name leads to.
pub(crate) const SAFE: &str = "192.0.2.80";
/// What every name leads to in truth.
pub(crate) const TRUE: &str = "198.51.100.7";
pub(crate) const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
/// The same for tools that read base64.
pub(crate) const SECRET_BASE64: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn safe() -> Rule {
    Rule::Address { v4: Some(SAFE.parse().unwrap()), v6: Some("2001:db8::80".parse().unwrap()) }
}

pub(crate) fn clock() -> Clock {
    // The peers check signatures by the wall's clock.
    let start = Instant::now();
    let output = Command::new("date").arg("+%s").output().unwrap().stdout;
    let seconds: u64 = String::from_utf8(output).unwrap().trim().parse().unwrap();
    Clock::new(move || seconds + start.elapsed().as_secs())
}

pub(crate) fn random() -> Random {
    Random::new(|bytes| getrandom::fill(bytes).unwrap())
}

pub(crate) fn free_port() -> u16 {
    // Free for UDP too, as far as one can tell.
    loop {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = tcp.local_addr().unwrap().port();
        if UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// Asks again and again until `holds`; fails with `what` after two minutes.
pub(crate) fn wait_for(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_mins(2), "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
    start.elapsed()
}

/// The program, or a line that says that the test is skipped.
pub(crate) fn peer(program: &str) -> Option<PathBuf> {
    let folders = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];
    let found = folders.iter().map(|folder| Path::new(folder).join(program)).find(|path| path.is_file());
    if found.is_none() {
        eprintln!("skipped: {program} is not installed");
        let required = std::env::var_os("RINGFENCE_REQUIRE_PEERS").is_some_and(|value| value == "1");
        assert!(!required, "{program} is not installed, and RINGFENCE_REQUIRE_PEERS=1 asks for it");
    }
    found
}

/// A process that ends with the test.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

pub(crate) fn start(program: &Path, arguments: &[&str], log: &Path) -> Running {
    let log = fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    Running(child)
}

/// What `dig` prints with these arguments.
pub(crate) fn dig(port: u16, arguments: &[&str]) -> String {
    let output = Command::new("dig")
        .args(["@127.0.0.1", "-p", &port.to_string(), "+tries=1", "+time=20", "+nocookie"])
        .args(arguments)
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The addresses that a resolver gives for a name.
pub(crate) fn address(port: u16, name: &str) -> String {
    dig(port, &["+short", "A", name]).trim().to_owned()
}

/// Answers every question about A with the true address, over UDP.
pub(crate) fn world() -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
            if let Some(answer) = truth(&buffer[..length]) {
                let _lost = socket.send_to(&answer, peer);
            }
        }
    });
    address
}

/// What every name leads to in IPv6.
pub(crate) const TRUE_V6: &str = "2001:db8:7::7";

/// A true answer with a short life: an address for A and AAAA, no data for the rest.
pub(crate) fn truth(query: &[u8]) -> Option<Vec<u8>> {
    let mut end = 12;
    while *query.get(end)? != 0 {
        end += usize::from(query[end]) + 1;
    }
    let question = query.get(12..end + 5)?;
    let data = match question[question.len() - 4..] {
        [0, 1, 0, 1] => TRUE.parse::<Ipv4Addr>().unwrap().octets().to_vec(),
        [0, 28, 0, 1] => TRUE_V6.parse::<Ipv6Addr>().unwrap().octets().to_vec(),
        _ => Vec::new(),
    };
    let count = u8::from(!data.is_empty());
    let mut answer = vec![query[0], query[1], 0x84 | (query[2] & 1), 0x80, 0, 1, 0, count, 0, 0, 0, 0];
    answer.extend_from_slice(question);
    if count > 0 {
        let kind = question[question.len() - 3];
        answer.extend_from_slice(&[
            0xc0,
            12,
            0,
            kind,
            0,
            1,
            0,
            0,
            0,
            1,
            0,
            u8::try_from(data.len()).unwrap(),
        ]);
        answer.extend_from_slice(&data);
    }
    Some(answer)
}

/// A primary on loopback, with its content beside it.
pub(crate) struct Primary {
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) port: u16,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Primary {
    /// Starts one whose journals lie in `folder`.
    pub(crate) fn start(folder: &Path, port: u16, zones: &[(ZoneSpec, Arc<MemoryContent>)]) -> Self {
        let publisher = Arc::new(Publisher::new(folder, JournalKey::new(&[3; 32]), clock(), random()));
        publisher.set_keys(&[key("transfer.guard", SECRET)]);
        for (spec, content) in zones {
            let content: Arc<dyn Content> = Arc::clone(content) as _;
            publisher.add_zone(spec.clone(), content).unwrap();
        }
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let serving = Arc::clone(&publisher);
        let (udp, tcp) = runtime.block_on(async {
            let address = (Ipv4Addr::LOCALHOST, port);
            (
                tokio::net::UdpSocket::bind(address).await.unwrap(),
                tokio::net::TcpListener::bind(address).await.unwrap(),
            )
        });
        runtime.spawn(serve(serving, udp, tcp, ServerLimits::default()));
        Self { publisher, port, runtime: Some(runtime) }
    }

    pub(crate) fn counts(&self) -> Counts {
        self.publisher.counts()
    }

    /// Puts entries in and takes others out, in content and zone.
    pub(crate) fn change(&self, apex: &str, content: &MemoryContent, added: &[Listed], removed: &[Listed]) {
        let (added, removed): (Vec<_>, Vec<_>) =
            (added.iter().map(Listed::entry).collect(), removed.iter().map(Listed::entry).collect());
        let change = Change { added: &added, removed: &removed };
        let applied = self.publisher.apply(&name(apex), &change, || {
            for entry in &removed {
                content.remove(entry.owner);
            }
            for entry in &added {
                content.insert(entry);
            }
        });
        assert!(applied.unwrap().journalled);
    }

    pub(crate) fn stop(mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
    }
}

pub(crate) fn key(key_name: &str, secret: &[u8]) -> TsigKey {
    TsigKey::new(name(key_name), TsigAlgorithm::HmacSha256, secret).unwrap()
}

/// An entry that owns its name.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) owner: Name,
    pub(crate) scope: Scope,
    pub(crate) rule: Rule,
    pub(crate) reference: String,
}

impl Listed {
    pub(crate) fn entry(&self) -> Entry<'_> {
        Entry { owner: self.owner.as_wire(), scope: self.scope, rule: self.rule, reference: &self.reference }
    }
}

pub(crate) fn exact(text: &str, rule: Rule) -> Listed {
    Listed { owner: name(text), scope: Scope::Exact, rule, reference: format!("ref-{}", text.len()) }
}

pub(crate) fn whole(text: &str, rule: Rule) -> Listed {
    Listed { scope: Scope::WithSubdomains, ..exact(text, rule) }
}

pub(crate) const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
