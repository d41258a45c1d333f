//! What the tests with sockets share: a primary that runs, and its content.

#![allow(dead_code, reason = "each test uses its part")]

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use peers::dig;
use peers::resolver::{KEY, SECRET};
use sinkhole::rpz::{
    Change, Content, Counts, Entry, JournalKey, MemoryContent, Publisher, Rule, Scope, ServerLimits,
    TsigAlgorithm, TsigKey, ZoneSpec, serve,
};
use sinkhole::{Clock, Name, Random};

/// What a blocked name leads to.
pub(crate) const SAFE: &str = "192.0.2.80";

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

/// The addresses that a resolver gives for a name.
pub(crate) fn address(port: u16, name: &str) -> String {
    dig(port, &["+short", "A", name]).trim().to_owned()
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
        publisher.set_keys(&[key(KEY, SECRET)]);
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
