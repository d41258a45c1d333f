//! The resolvers that people run, as secondaries of our policy zones, each asked with `dig`.

#![expect(clippy::unwrap_used, reason = "a step that cannot be taken fails the test, as it should")]

mod support;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use peers::resolver::{ADDRESSES, ALLOW, INDICATORS, KEY, Kind, Place, Resolver, SECRET};
use peers::{TRUE, TRUE_V6, dig, eventually, free_port, has, world};
use sinkhole::rpz::{Access, MemoryContent, Rule, Secondary, Triggers, ZoneSpec};
use support::{LOOPBACK, Listed, Primary, SAFE, address, exact, key, name, safe, whole};

const ZONES: [&str; 3] = [ALLOW, INDICATORS, ADDRESSES];

/// A resolver that runs, behind a primary that runs.
struct Scene {
    kind: Kind,
    folder: tempfile::TempDir,
    place: Place,
    resolver: Resolver,
    primary: Primary,
    contents: [Arc<MemoryContent>; 3],
}

fn specs(kind: Kind, notified: u16) -> Vec<ZoneSpec> {
    let spec = |apex: &str| {
        let triggers = if apex == ADDRESSES { Triggers::Addresses } else { Triggers::Names };
        let key = kind.signs().then(|| name(KEY));
        ZoneSpec {
            refresh: if kind.signs() { 1 } else { 3600 },
            access: Access {
                keys: vec![name(KEY)],
                unsigned: if kind.signs() { Vec::new() } else { vec![LOOPBACK] },
                ..Access::default()
            },
            secondaries: vec![Secondary { address: (Ipv4Addr::LOCALHOST, notified).into(), key }],
            ..ZoneSpec::new(name(apex), triggers)
        }
    };
    ZONES.map(spec).to_vec()
}

impl Scene {
    fn open(kind: Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let contents: [Arc<MemoryContent>; 3] = Default::default();
        contents[0].insert(&whole("good.example.com", Rule::Passthru).entry());
        contents[1].insert(&whole("example.com", safe()).entry());
        let more: &[&str] = if kind.obeys_addresses() { &[ADDRESSES] } else { &[] };
        let place = Place::new(kind, &folder.path().join("resolver"), free_port(), world(), more);
        let primary = Self::primary(&folder, &place, kind, &contents);
        let resolver = Resolver::start(kind, place.clone());
        Self { kind, folder, place, resolver, primary, contents }
    }

    fn primary(
        folder: &tempfile::TempDir,
        place: &Place,
        kind: Kind,
        contents: &[Arc<MemoryContent>; 3],
    ) -> Primary {
        let zones: Vec<_> = specs(kind, place.notified).into_iter().zip(contents.iter().cloned()).collect();
        Primary::start(folder.path(), place.primary, &zones)
    }

    fn expect(&self, asked: &str, want: &str) {
        let mut got = String::new();
        let start = Instant::now();
        while start.elapsed() < peers::PATIENCE {
            got = address(self.place.port, asked);
            if got == want {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!(
            "{:?}: {asked} gives `{got}`, not `{want}`; {:?}; its log ends:\n{}",
            self.kind,
            self.primary.counts(),
            self.resolver.log()
        );
    }

    /// It leads where it does in truth.
    fn expect_truth(&self, asked: &str) {
        self.expect(asked, &TRUE.to_string());
    }

    fn change(&self, added: &[Listed], removed: &[Listed]) {
        self.primary.change(INDICATORS, &self.contents[1], added, removed);
    }

    fn change_addresses(&self, added: &[Listed], removed: &[Listed]) {
        self.primary.change(ADDRESSES, &self.contents[2], added, removed);
    }
}

/// Add, subsume, expire, recall, refuse, restart: what a site lives through.
fn live_through(kind: Kind) {
    if !has("a resolver behind our zones", &[&["dig"], kind.programs()].concat()) {
        return;
    }
    let mut scene = Scene::open(kind);
    // The zones come whole, the allow list before the others.
    scene.expect("bad.example.com", SAFE);
    scene.expect_truth("x.good.example.com");
    scene.expect_truth("else.example.net");
    let zones = if kind.obeys_addresses() { 3 } else { 2 };
    eventually("all zones came", || scene.primary.counts().axfr >= zones);
    let first = scene.primary.counts();
    assert_eq!(first.ixfr, 0, "{first:?}");

    // Add: what it lacks is told, and only that.
    let listed = whole("listed.example.net", safe());
    scene.change(std::slice::from_ref(&listed), &[]);
    scene.expect("a.b.listed.example.net", SAFE);
    scene.expect("listed.example.net", SAFE);
    let second = scene.primary.counts();
    assert_eq!(second.axfr, first.axfr, "the zone did not go out whole again");
    assert!(second.ixfr > 0, "{second:?}");
    if kind.hears() {
        eventually("the secondary acknowledges the change", || scene.primary.counts().acknowledged > 0);
    }

    // Other actions.
    let [none, empty] = [exact("none.example.org", Rule::NxDomain), exact("empty.example.org", Rule::NoData)];
    scene.change(&[none, empty], &[]);
    scene.expect("none.example.org", "");
    assert!(dig(scene.place.port, &["A", "none.example.org"]).contains("NXDOMAIN"));
    scene.expect("empty.example.org", "");
    assert!(dig(scene.place.port, &["A", "empty.example.org"]).contains("NOERROR"));
    let v6 = dig(scene.place.port, &["+short", "AAAA", "listed.example.net"]);
    assert_eq!(v6.trim(), "2001:db8::80");
    let text = dig(scene.place.port, &["+short", "TXT", "listed.example.net"]);
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
        assert!(dig(scene.place.port, &["-t", "A", "-q", &name]).contains("NXDOMAIN"), "{name}");
        assert!(dig(scene.place.port, &["A", &format!("x.{name}")]).contains("NXDOMAIN"), "below {name}");
    }

    // Subsume: a deep name, then a parent. Nothing in between comes free.
    let (deep, parent) = (exact("x.deep.mid.p.example.org", safe()), whole("p.example.org", safe()));
    scene.change(std::slice::from_ref(&deep), &[]);
    scene.expect("x.deep.mid.p.example.org", SAFE);
    scene.expect_truth("mid.p.example.org");
    scene.change(std::slice::from_ref(&parent), &[]);
    for asked in ["p.example.org", "mid.p.example.org", "deep.mid.p.example.org", "x.deep.mid.p.example.org"]
    {
        scene.expect(asked, SAFE);
    }
    // The parent expires: what was listed below it stays.
    scene.change(&[], std::slice::from_ref(&parent));
    scene.expect_truth("mid.p.example.org");
    scene.expect_truth("p.example.org");
    scene.expect("x.deep.mid.p.example.org", SAFE);

    // Recall.
    scene.change(&[], std::slice::from_ref(&listed));
    scene.expect_truth("a.b.listed.example.net");
    assert_eq!(scene.primary.counts().axfr, first.axfr, "all of it went by changes");

    if kind.obeys_addresses() {
        obey_addresses(&scene);
    }
    restart_both(&mut scene);
    if kind.signs() {
        refuse(&scene);
    }
}

/// Where a name leads decides, too.
fn obey_addresses(scene: &Scene) {
    let network = |address: IpAddr, length| Listed {
        owner: sinkhole::Name::rpz_ip(address, length),
        ..exact("a.b", safe())
    };
    let one = network(TRUE.into(), 32);
    scene.change_addresses(std::slice::from_ref(&one), &[]);
    scene.expect("anything.example.net", SAFE);
    scene.change_addresses(&[], std::slice::from_ref(&one));
    scene.expect_truth("anything.example.net");

    // Networks of both families; of the safe addresses each gets the one of its own.
    let both = [network(TRUE.into(), 24), network(TRUE_V6.into(), 48)];
    scene.change_addresses(&both, &[]);
    scene.expect("something.example.net", SAFE);
    let v6 = |name: &str| dig(scene.place.port, &["+short", "AAAA", name]).trim().to_owned();
    eventually("an answer in IPv6 is replaced", || v6("something.example.net") == "2001:db8::80");
    scene.change_addresses(&[], &both);
    scene.expect_truth("something.example.net");
    eventually("it is no more", || v6("something.example.net") == TRUE_V6.to_string());
}

/// The primary restarts with its journal, and goes on by changes; then the resolver does.
fn restart_both(scene: &mut Scene) {
    let elsewhere = Place { primary: free_port(), ..scene.place.clone() };
    let again = Scene::primary(&scene.folder, &elsewhere, scene.kind, &scene.contents);
    let serial = |primary: &Primary| primary.publisher.zones()[1].serial;
    assert_eq!(serial(&again), serial(&scene.primary), "the serial survives");
    again.stop();
    std::mem::replace(&mut scene.primary, Primary::start(scene.folder.path(), free_port(), &[])).stop();
    let primary = Scene::primary(&scene.folder, &scene.place, scene.kind, &scene.contents);
    std::mem::replace(&mut scene.primary, primary).stop();
    scene.change(&[exact("after.example.net", safe())], &[]);
    scene.expect("after.example.net", SAFE);
    let counts = scene.primary.counts();
    assert!(counts.ixfr > 0 && counts.axfr == 0, "{counts:?}");

    scene.resolver.restart();
    scene.expect("after.example.net", SAFE);
    scene.expect_truth("x.good.example.com");
}

/// With another secret at the primary nothing goes out, and what was there stays; with the right one it goes on.
fn refuse(scene: &Scene) {
    scene.primary.publisher.set_keys(&[key(KEY, b"another secret, as long as it has")]);
    let before = scene.primary.counts();
    scene.change(&[exact("late.example.net", safe())], &[]);
    eventually("the secondary is refused", || scene.primary.counts().refused > before.refused);
    assert_eq!(address(scene.place.port, "late.example.net"), TRUE.to_string());
    let after = scene.primary.counts();
    assert_eq!((after.axfr, after.ixfr), (before.axfr, before.ixfr));
    scene.primary.publisher.set_keys(&[key(KEY, SECRET)]);
    scene.change(&[exact("later.example.net", safe())], &[]);
    scene.expect("late.example.net", SAFE);
    scene.expect("later.example.net", SAFE);
}

/// Without the primary BIND goes on for as long as it was told last, be it less than before, and not longer. The others keep a zone
/// whose expiry has passed.
#[test]
fn bind_lets_go_of_zones_that_nobody_renews() {
    if !has("a resolver that is left alone", &["dig", "named"]) {
        return;
    }
    let mut scene = Scene::open(Kind::Bind);
    scene.expect("bad.example.com", SAFE);
    eventually("all zones came", || scene.primary.counts().axfr >= 3);
    let first = scene.primary.counts();
    scene.primary.publisher.set_expire(3);
    eventually("it is told", || scene.primary.counts().ixfr >= first.ixfr + 3);
    assert_eq!(scene.primary.counts().axfr, first.axfr, "that is a change as any other");
    scene.change(&[whole("listed.example.net", safe())], &[]);
    scene.expect("listed.example.net", SAFE);
    std::mem::replace(&mut scene.primary, Primary::start(scene.folder.path(), free_port(), &[])).stop();
    scene.expect_truth("listed.example.net");
    scene.expect_truth("bad.example.com");
    // And it comes back.
    let primary = Scene::primary(&scene.folder, &scene.place, scene.kind, &scene.contents);
    std::mem::replace(&mut scene.primary, primary).stop();
    scene.expect("bad.example.com", SAFE);
}

#[test]
fn unbound_follows_our_zones() {
    live_through(Kind::Unbound);
}

#[test]
fn bind_follows_our_zones() {
    live_through(Kind::Bind);
}

#[test]
fn powerdns_follows_our_zones() {
    live_through(Kind::PowerDns);
}

#[test]
fn knot_follows_our_zones() {
    live_through(Kind::Knot);
}
