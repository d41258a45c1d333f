//! The resolvers that people run, as secondaries of our policy zones, each asked with `dig`.

#![expect(clippy::unwrap_used, reason = "a step that cannot be taken fails the test, as it should")]

mod support;

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use sinkhole::rpz::{Access, MemoryContent, Rule, Secondary, Triggers, ZoneSpec};
use support::{
    LOOPBACK, Listed, Primary, Running, SAFE, SECRET, SECRET_BASE64, TRUE, address, dig, exact, free_port,
    key, name, peer, safe, start, wait_for, whole, world,
};

const ZONES: [&str; 3] = ["allow.guard", "block.guard", "addresses.guard"];

/// One resolver: how to start it with our zones.
trait Resolver {
    fn program(&self) -> &'static str;
    /// Whether it signs its requests.
    fn signs(&self) -> bool;
    /// Whether it takes a NOTIFY for a policy zone; the others look every second.
    fn hears(&self) -> bool;
    /// Writes what it needs into `folder`, and says with which arguments to start it.
    fn configure(&self, folder: &Path, port: u16, primary: u16, world: SocketAddr) -> Vec<String>;
}

struct Unbound;

impl Resolver for Unbound {
    fn program(&self) -> &'static str {
        "unbound"
    }

    // It learnt to in 1.24.
    fn signs(&self) -> bool {
        false
    }

    fn hears(&self) -> bool {
        true
    }

    fn configure(&self, folder: &Path, port: u16, primary: u16, world: SocketAddr) -> Vec<String> {
        let mut text = format!(
            "server:\n interface: 127.0.0.1@{port}\n do-daemonize: no\n username: \"\"\n chroot: \"\"\n directory: \"{dir}\"\n \
             pidfile: \"{dir}/pid\"\n use-syslog: no\n logfile: \"\"\n do-not-query-localhost: no\n cache-max-ttl: 0\n \
             module-config: \"respip iterator\"\n verbosity: 2\nremote-control:\n control-enable: no\n\
             forward-zone:\n name: \".\"\n forward-addr: 127.0.0.1@{world}\n",
            dir = folder.display(),
            world = world.port(),
        );
        for zone in ZONES {
            write!(text, "rpz:\n name: {zone}\n primary: 127.0.0.1@{primary}\n zonefile: \"{zone}.zone\"\n")
                .unwrap();
        }
        let path = folder.join("unbound.conf");
        fs::write(&path, text).unwrap();
        vec!["-d".to_owned(), "-c".to_owned(), path.display().to_string()]
    }
}

struct Bind;

impl Resolver for Bind {
    fn program(&self) -> &'static str {
        "named"
    }

    fn signs(&self) -> bool {
        true
    }

    fn hears(&self) -> bool {
        true
    }

    fn configure(&self, folder: &Path, port: u16, primary: u16, world: SocketAddr) -> Vec<String> {
        let mut text = format!(
            "options {{ directory \"{dir}\"; pid-file \"{dir}/pid\"; session-keyfile \"{dir}/session\"; \
             listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; dnssec-validation no; recursion yes; \
             forwarders {{ 127.0.0.1 port {world}; }}; forward only; max-cache-ttl 1; max-ncache-ttl 1; \
             min-refresh-time 1; min-retry-time 1; \
             response-policy {{",
            dir = folder.display(),
            world = world.port(),
        );
        for zone in ZONES {
            write!(text, " zone \"{zone}\" min-update-interval 0;").unwrap();
        }
        write!(
            text,
            " }} qname-wait-recurse no; }};\ncontrols {{ }};\n\
             key \"transfer.guard\" {{ algorithm hmac-sha256; secret \"{SECRET_BASE64}\"; }};\n"
        )
        .unwrap();
        for zone in ZONES {
            writeln!(
                text,
                "zone \"{zone}\" {{ type secondary; check-names fail; primaries port {primary} {{ 127.0.0.1 key \"transfer.guard\"; }}; \
                 file \"{zone}.zone\"; }};"
            )
            .unwrap();
        }
        let path = folder.join("named.conf");
        fs::write(&path, text).unwrap();
        ["-g", "-c", &path.display().to_string()].map(str::to_owned).to_vec()
    }
}

struct PowerDns;

impl Resolver for PowerDns {
    fn program(&self) -> &'static str {
        "pdns_recursor"
    }

    fn signs(&self) -> bool {
        true
    }

    fn hears(&self) -> bool {
        false
    }

    fn configure(&self, folder: &Path, port: u16, primary: u16, world: SocketAddr) -> Vec<String> {
        let mut zones = String::new();
        for zone in ZONES {
            writeln!(
                zones,
                "rpzPrimary(\"127.0.0.1:{primary}\", \"{zone}\", {{refresh=1, tsigname=\"transfer.guard\", \
                 tsigalgo=\"hmac-sha256\", tsigsecret=\"{SECRET_BASE64}\"}})"
            )
            .unwrap();
        }
        fs::write(folder.join("zones.lua"), zones).unwrap();
        let text = format!(
            "local-address=127.0.0.1\nlocal-port={port}\ndaemon=no\nsocket-dir={dir}\nlua-config-file={dir}/zones.lua\n\
             dnssec=off\nforward-zones-recurse=.=127.0.0.1:{world}\nmax-cache-ttl=1\nmax-negative-ttl=1\n\
             disable-packetcache=yes\nthreads=1\nquiet=yes\nhint-file=no\n",
            dir = folder.display(),
            world = world.port(),
        );
        fs::write(folder.join("recursor.conf"), text).unwrap();
        vec![format!("--config-dir={}", folder.display())]
    }
}

/// A resolver that runs, behind a primary that runs.
struct Scene<'a> {
    resolver: &'a dyn Resolver,
    folder: tempfile::TempDir,
    port: u16,
    primary: Primary,
    process: Option<Running>,
    arguments: Vec<String>,
    contents: [Arc<MemoryContent>; 3],
}

fn specs(port: u16, signs: bool) -> Vec<ZoneSpec> {
    let spec = |apex: &str| {
        let triggers = if apex.starts_with("addresses") { Triggers::Addresses } else { Triggers::Names };
        let key = signs.then(|| name("transfer.guard"));
        ZoneSpec {
            refresh: if signs { 1 } else { 3600 },
            access: Access {
                keys: vec![name("transfer.guard")],
                unsigned: if signs { Vec::new() } else { vec![LOOPBACK] },
                ..Access::default()
            },
            secondaries: vec![Secondary { address: (Ipv4Addr::LOCALHOST, port).into(), key }],
            ..ZoneSpec::new(name(apex), triggers)
        }
    };
    ZONES.map(spec).to_vec()
}

impl<'a> Scene<'a> {
    fn open(resolver: &'a dyn Resolver) -> Option<Self> {
        let program = peer(resolver.program())?;
        peer("dig")?;
        let folder = tempfile::tempdir().unwrap();
        let (port, primary_port) = (free_port(), free_port());
        let contents: [Arc<MemoryContent>; 3] = Default::default();
        contents[0].insert(&whole("good.example.com", Rule::Passthru).entry());
        contents[1].insert(&whole("example.com", safe()).entry());
        let primary = Self::primary(&folder, port, primary_port, &contents, resolver);
        let arguments = resolver.configure(folder.path(), port, primary_port, world());
        let borrowed: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let process = Some(start(&program, &borrowed, &folder.path().join("log")));
        Some(Self { resolver, folder, port, primary, process, arguments, contents })
    }

    fn primary(
        folder: &tempfile::TempDir,
        port: u16,
        primary_port: u16,
        contents: &[Arc<MemoryContent>; 3],
        resolver: &dyn Resolver,
    ) -> Primary {
        let zones: Vec<_> = specs(port, resolver.signs()).into_iter().zip(contents.iter().cloned()).collect();
        Primary::start(folder.path(), primary_port, &zones)
    }

    fn expect(&self, asked: &str, want: &str) {
        let mut got = String::new();
        let start = std::time::Instant::now();
        while start.elapsed() < std::time::Duration::from_mins(2) {
            got = address(self.port, asked);
            if got == want {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(40).collect();
        panic!(
            "{}: {asked} gives `{got}`, not `{want}`; {:?}; its log, the last first:\n{}",
            self.resolver.program(),
            self.primary.counts(),
            tail.join("\n")
        );
    }

    fn change(&self, added: &[Listed], removed: &[Listed]) {
        self.primary.change("block.guard", &self.contents[1], added, removed);
    }
}

/// Add, subsume, expire, recall, refuse, restart: what a site lives through.
fn live_through(resolver: &dyn Resolver) {
    let Some(mut scene) = Scene::open(resolver) else { return };
    // The zones come whole, the allow list before the others.
    scene.expect("bad.example.com", SAFE);
    scene.expect("x.good.example.com", TRUE);
    scene.expect("else.example.net", TRUE);
    wait_for("all zones came", || scene.primary.counts().axfr >= 3);
    let first = scene.primary.counts();
    assert!(first.axfr >= 3 && first.ixfr == 0, "{first:?}");

    // Add: what it lacks is told, and only that.
    let listed = whole("listed.example.net", safe());
    scene.change(std::slice::from_ref(&listed), &[]);
    scene.expect("a.b.listed.example.net", SAFE);
    scene.expect("listed.example.net", SAFE);
    let second = scene.primary.counts();
    assert_eq!(second.axfr, first.axfr, "the zone did not go out whole again");
    assert!(second.ixfr > 0, "{second:?}");
    if resolver.hears() {
        wait_for("the secondary acknowledges the change", || scene.primary.counts().acknowledged > 0);
    }

    // Other actions.
    let [none, empty] = [exact("none.example.org", Rule::NxDomain), exact("empty.example.org", Rule::NoData)];
    scene.change(&[none, empty], &[]);
    scene.expect("none.example.org", "");
    assert!(dig(scene.port, &["A", "none.example.org"]).contains("NXDOMAIN"));
    scene.expect("empty.example.org", "");
    assert!(dig(scene.port, &["A", "empty.example.org"]).contains("NOERROR"));
    let v6 = dig(scene.port, &["+short", "AAAA", "listed.example.net"]);
    assert_eq!(v6.trim(), "2001:db8::80");
    let text = dig(scene.port, &["+short", "TXT", "listed.example.net"]);
    assert_eq!(text.trim(), format!("\"{}\"", listed.reference));

    // Names that are no host's, for which some resolvers refuse an address, and with it the zone.
    let odd = ["_tcp.odd.example.org", "-a.odd.example.org", "a-.odd.example.org"];
    let odd: Vec<Listed> = odd.iter().map(|name| whole(name, safe())).collect();
    let beside = exact("beside.odd.example.org", safe());
    scene.change(&odd, &[]);
    scene.change(std::slice::from_ref(&beside), &[]);
    scene.expect("beside.odd.example.org", SAFE);
    for one in &odd {
        let name = one.owner.to_string();
        // By `-q`, for a name that begins with a hyphen.
        assert!(dig(scene.port, &["-t", "A", "-q", &name]).contains("NXDOMAIN"), "{name}");
        assert!(dig(scene.port, &["A", &format!("x.{name}")]).contains("NXDOMAIN"), "below {name}");
    }

    // Subsume: a deep name, then a parent. Nothing in between comes free.
    let (deep, parent) = (exact("x.deep.mid.p.example.org", safe()), whole("p.example.org", safe()));
    scene.change(std::slice::from_ref(&deep), &[]);
    scene.expect("x.deep.mid.p.example.org", SAFE);
    scene.expect("mid.p.example.org", TRUE);
    scene.change(std::slice::from_ref(&parent), &[]);
    for asked in ["p.example.org", "mid.p.example.org", "deep.mid.p.example.org", "x.deep.mid.p.example.org"]
    {
        scene.expect(asked, SAFE);
    }
    // The parent expires: what was listed below it stays.
    scene.change(&[], std::slice::from_ref(&parent));
    scene.expect("mid.p.example.org", TRUE);
    scene.expect("p.example.org", TRUE);
    scene.expect("x.deep.mid.p.example.org", SAFE);

    // Recall.
    scene.change(&[], std::slice::from_ref(&listed));
    scene.expect("a.b.listed.example.net", TRUE);
    assert_eq!(scene.primary.counts().axfr, first.axfr, "all of it went by changes");

    // An address in an answer.
    let trigger = Listed { owner: sinkhole::Name::rpz_ip(TRUE.parse().unwrap(), 32), ..exact("a.b", safe()) };
    scene.primary.change("addresses.guard", &scene.contents[2], std::slice::from_ref(&trigger), &[]);
    scene.expect("anything.example.net", SAFE);
    scene.primary.change("addresses.guard", &scene.contents[2], &[], std::slice::from_ref(&trigger));
    scene.expect("anything.example.net", TRUE);

    // Networks of both families; of the safe addresses each gets the one of its own.
    let network = |address: &str, length| Listed {
        owner: sinkhole::Name::rpz_ip(address.parse().unwrap(), length),
        ..exact("a.b", safe())
    };
    let both = [network(TRUE, 24), network(support::TRUE_V6, 48)];
    scene.primary.change("addresses.guard", &scene.contents[2], &both, &[]);
    scene.expect("something.example.net", SAFE);
    let v6 = |name: &str| dig(scene.port, &["+short", "AAAA", name]).trim().to_owned();
    wait_for("an answer in IPv6 is replaced", || v6("something.example.net") == "2001:db8::80");
    scene.primary.change("addresses.guard", &scene.contents[2], &[], &both);
    scene.expect("something.example.net", TRUE);
    wait_for("it is no more", || v6("something.example.net") == support::TRUE_V6);

    restart_both(&mut scene);
    if resolver.signs() {
        refuse(&scene);
    }
}

/// The primary restarts with its journal, and goes on by changes; then the resolver does.
fn restart_both(scene: &mut Scene<'_>) {
    let resolver = scene.resolver;
    let again = Scene::primary(&scene.folder, scene.port, free_port(), &scene.contents, resolver);
    let serial = |primary: &Primary| primary.publisher.zones()[1].serial;
    assert_eq!(serial(&again), serial(&scene.primary), "the serial survives");
    again.stop();
    let port = scene.primary.port;
    std::mem::replace(&mut scene.primary, Primary::start(scene.folder.path(), free_port(), &[])).stop();
    std::mem::replace(
        &mut scene.primary,
        Scene::primary(&scene.folder, scene.port, port, &scene.contents, resolver),
    )
    .stop();
    scene.change(&[exact("after.example.net", safe())], &[]);
    scene.expect("after.example.net", SAFE);
    let counts = scene.primary.counts();
    assert!(counts.ixfr > 0 && counts.axfr == 0, "{counts:?}");

    drop(scene.process.take());
    let program = peer(resolver.program()).unwrap();
    let arguments: Vec<&str> = scene.arguments.iter().map(String::as_str).collect();
    scene.process = Some(start(&program, &arguments, &scene.folder.path().join("log")));
    scene.expect("after.example.net", SAFE);
    scene.expect("x.good.example.com", TRUE);
}

/// With another secret at the primary nothing goes out, and what was there stays; with the right one it goes on.
fn refuse(scene: &Scene<'_>) {
    scene.primary.publisher.set_keys(&[key("transfer.guard", b"another secret, as long as it has")]);
    let before = scene.primary.counts();
    scene.change(&[exact("late.example.net", safe())], &[]);
    wait_for("the secondary is refused", || scene.primary.counts().refused > before.refused);
    assert_eq!(address(scene.port, "late.example.net"), TRUE);
    let after = scene.primary.counts();
    assert_eq!((after.axfr, after.ixfr), (before.axfr, before.ixfr));
    scene.primary.publisher.set_keys(&[key("transfer.guard", SECRET)]);
    scene.change(&[exact("later.example.net", safe())], &[]);
    scene.expect("late.example.net", SAFE);
    scene.expect("later.example.net", SAFE);
}

#[test]
fn unbound_follows_our_zones() {
    live_through(&Unbound);
}

#[test]
fn bind_follows_our_zones() {
    live_through(&Bind);
}

#[test]
fn powerdns_follows_our_zones() {
    live_through(&PowerDns);
}
