//! Resolvers as secondaries of policy zones, as `docs/resolvers.md` sets them up.
//!
//! Each forwards what no zone is about to a [world](crate::world) that answers at once, keeps nothing in its cache for longer than
//! a second, and looks for changes as often as it can.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::docs::{once_more, snippet};
use crate::{Process, eventually, free_port, program};

/// The name below which the page's zones lie.
pub const ORIGIN: &str = "rpz.example.net";
/// What is allowed.
pub const ALLOW: &str = "allow.rpz.example.net";
/// What a feed lists.
pub const INDICATORS: &str = "indicators.rpz.example.net";
/// The addresses that a feed lists.
pub const ADDRESSES: &str = "indicators.ip.rpz.example.net";
/// The name of the page's key (HMAC with SHA-256).
pub const KEY: &str = "acme-resolver";
/// Its secret.
pub const SECRET: &[u8] = b"example-secret-replace-me-000000";
/// The same for tools that read base64.
pub const SECRET_BASE64: &str = "ZXhhbXBsZS1zZWNyZXQtcmVwbGFjZS1tZS0wMDAwMDA=";

const PAGE: &str = "resolvers.md";
/// The guard's port on the page.
const PRIMARY: &str = "5353";

/// Which resolver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Unbound.
    Unbound,
    /// BIND.
    Bind,
    /// PowerDNS Recursor.
    PowerDns,
    /// Knot DNS, which takes the zones, and Knot Resolver, which obeys them.
    Knot,
}

impl Kind {
    /// What has to be installed.
    #[must_use]
    pub fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Unbound => &["unbound"],
            Self::Bind => &["named"],
            Self::PowerDns => &["pdns_recursor"],
            Self::Knot => &["knotd", "kresd", "lua-cqueues"],
        }
    }

    /// Whether it signs its requests. Unbound learnt to in 1.24.
    #[must_use]
    pub fn signs(self) -> bool {
        self != Self::Unbound
    }

    /// Whether it takes a NOTIFY for a policy zone; the others look every second.
    #[must_use]
    pub fn hears(self) -> bool {
        self != Self::PowerDns
    }

    /// Whether it obeys zones of addresses.
    #[must_use]
    pub fn obeys_addresses(self) -> bool {
        self != Self::Knot
    }
}

/// Where a resolver runs, and between whom.
#[derive(Clone, Debug)]
pub struct Place {
    /// Where its files lie.
    pub folder: PathBuf,
    /// Where it is asked.
    pub port: u16,
    /// Where it is told of changes. Of Knot it is Knot DNS that is; of all others this is `port`.
    pub notified: u16,
    /// The primary's port.
    pub primary: u16,
    /// Who answers what no zone is about.
    pub world: SocketAddr,
    /// Zones beside [`ALLOW`] and [`INDICATORS`].
    pub more: Vec<&'static str>,
}

impl Place {
    /// Free ports for a resolver.
    #[must_use]
    pub fn new(kind: Kind, folder: &Path, primary: u16, world: SocketAddr, more: &[&'static str]) -> Self {
        let port = free_port();
        let notified = if kind == Kind::Knot { free_port() } else { port };
        Self { folder: folder.to_owned(), port, notified, primary, world, more: more.to_vec() }
    }

    /// A block of the page, with this place's port, folder and zones.
    fn snippet(&self, heading: &str, begins: &[&str], folder: &str) -> String {
        let text = once_more(&snippet(PAGE, heading), begins, INDICATORS, &self.more);
        let text = text.replace(PRIMARY, &self.primary.to_string());
        if folder.is_empty() { text } else { text.replace(folder, &self.folder.display().to_string()) }
    }

    fn write(&self, name: &str, text: String) -> PathBuf {
        let path = self.folder.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn log(&self) -> PathBuf {
        self.folder.join("resolver.log")
    }

    fn run(&self, command: &mut Command) -> Process {
        Process::start(command, &self.log())
    }
}

/// A resolver that runs.
#[derive(Debug)]
pub struct Resolver {
    kind: Kind,
    place: Place,
    processes: Vec<Process>,
}

impl Resolver {
    /// Starts one and waits until it can be asked.
    ///
    /// # Panics
    ///
    /// Panics if it cannot be started, or the page is not as it should be.
    #[must_use]
    pub fn start(kind: Kind, place: Place) -> Self {
        fs::create_dir_all(&place.folder).unwrap();
        let mut resolver = Self { kind, place, processes: Vec::new() };
        resolver.run();
        resolver
    }

    /// Ends it, and starts it again with what it kept.
    pub fn restart(&mut self) {
        self.processes.clear();
        self.run();
    }

    /// What it wrote down, the last lines.
    #[must_use]
    pub fn log(&self) -> String {
        let log = fs::read_to_string(self.place.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    fn run(&mut self) {
        let place = &self.place;
        match self.kind {
            Kind::Unbound => self.processes.push(unbound(place)),
            Kind::Bind => self.processes.push(bind(place)),
            Kind::PowerDns => self.processes.push(powerdns(place)),
            Kind::Knot => {
                self.processes.push(knot_dns(place));
                // Knot Resolver does not start without the zones, as the page says.
                let zones: Vec<PathBuf> = [ALLOW, INDICATORS]
                    .iter()
                    .chain(&place.more)
                    .map(|zone| place.folder.join(format!("{zone}.zone")))
                    .collect();
                eventually("Knot DNS has the zones", || zones.iter().all(|zone| zone.exists()));
                self.processes.push(knot_resolver(place));
            }
        }
        let port = self.place.port;
        eventually("the resolver listens", || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
    }
}

fn unbound(place: &Place) -> Process {
    let text = format!(
        "server:\n interface: 127.0.0.1@{port}\n do-daemonize: no\n username: \"\"\n chroot: \"\"\n directory: \"{dir}\"\n \
         pidfile: \"{dir}/pid\"\n use-syslog: no\n logfile: \"\"\n do-not-query-localhost: no\n cache-max-ttl: 0\n \
         verbosity: 2\nremote-control:\n control-enable: no\n\
         forward-zone:\n name: \".\"\n forward-addr: 127.0.0.1@{world}\n{snippet}",
        port = place.port,
        dir = place.folder.display(),
        world = place.world.port(),
        snippet = place.snippet("Unbound", &["rpz:"], "/var/lib/unbound"),
    );
    let config = place.write("unbound.conf", text);
    place.run(program("unbound").arg("-d").arg("-c").arg(config))
}

fn bind(place: &Place) -> Process {
    let options = format!(
        "options {{\n directory \"{dir}\"; pid-file \"{dir}/pid\"; session-keyfile \"{dir}/session\";\n \
         listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; dnssec-validation no; recursion yes;\n \
         forwarders {{ 127.0.0.1 port {world}; }}; forward only; max-cache-ttl 1; max-ncache-ttl 1;\n \
         min-refresh-time 1; min-retry-time 1; check-names secondary fail;\n",
        dir = place.folder.display(),
        port = place.port,
        world = place.world.port(),
    );
    let snippet = place.snippet("BIND", &["zone", "} "], "/var/log/named");
    let whole = snippet.replacen("options {\n", &options, 1);
    assert!(whole != snippet, "the page has no options for BIND:\n{snippet}");
    let config = place.write("named.conf", format!("{whole}\ncontrols {{ }};\n"));
    // What the configuration gives no other place is logged with all else.
    place.run(program("named").arg("-f").arg("-L").arg(place.log()).arg("-c").arg(config))
}

fn powerdns(place: &Place) -> Process {
    let snippet = place.snippet("PowerDNS Recursor", &[""], "");
    let often = snippet.replace("refresh = 10", "refresh = 1");
    assert!(often != snippet, "the page says not how often PowerDNS asks:\n{snippet}");
    place.write("recursor.lua", often);
    let text = format!(
        "local-address=127.0.0.1\nlocal-port={port}\ndaemon=no\nsocket-dir={dir}\nlua-config-file={dir}/recursor.lua\n\
         dnssec=off\nforward-zones-recurse=.=127.0.0.1:{world}\nmax-cache-ttl=1\nmax-negative-ttl=1\n\
         disable-packetcache=yes\nthreads=1\nquiet=yes\nhint-file=no\n",
        dir = place.folder.display(),
        port = place.port,
        world = place.world.port(),
    );
    place.write("recursor.conf", text);
    place.run(program("pdns_recursor").arg(format!("--config-dir={}", place.folder.display())))
}

fn knot_dns(place: &Place) -> Process {
    let text = format!(
        "server:\n    listen: 127.0.0.1@{port}\n    rundir: {dir}\n\ndatabase:\n    storage: {dir}\n\n\
         control:\n    listen: {dir}/knot.sock\n\nlog:\n  - target: stderr\n    any: info\n\n{snippet}",
        port = place.notified,
        dir = place.folder.display(),
        snippet = place.snippet("Knot DNS and Knot Resolver", &["- "], "/var/lib/knot"),
    );
    let config = place.write("knot.conf", text);
    place.run(program("knotd").arg("-c").arg(config))
}

fn knot_resolver(place: &Place) -> Process {
    let text = format!(
        "net.listen('127.0.0.1', {port}, {{ kind = 'dns' }})\ncache.size = 10 * MB\ncache.min_ttl(0)\ncache.max_ttl(1)\n\
         trust_anchors.remove('.')\n{snippet}policy.add(policy.all(policy.STUB('127.0.0.1@{world}')))\n",
        port = place.port,
        snippet = place.snippet("Knot Resolver", &[""], "/var/lib/knot"),
        world = place.world.port(),
    );
    let config = place.write("kresd.conf", text);
    let mut command = program("kresd");
    place.run(command.arg("-n").arg("-c").arg(config).arg(&place.folder))
}
