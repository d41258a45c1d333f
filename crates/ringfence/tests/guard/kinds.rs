//! The five kinds of indicators that the pilot had (address, domain, mail header, file, string), from one bundle to the
//! countermeasures and back as facts of occurrence, with the programs that people run in between.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use peers::capture::{softflowd, write_capture};
use peers::resolver::{Kind, Resolver};
use peers::{TRUE, eventually, world};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{Hub, text};
use crate::post::{Post, letter};
use crate::site::{
    Guard, Member, SINKHOLE, Wire, api, ask, away_from_the_hour_s_end, files, has, hour_that_is_over,
    indicator, provider, publish, resolver,
};

/// What all of this needs.
pub(crate) const PROGRAMS: [&str; 6] = ["dig", "unbound", "postfix", "postsuper", "swaks", "root"];

pub(crate) const NAME: &str = "c2.evil-kinds.example.com";
const ADDRESS: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 66);
pub(crate) const SUBJECT: &str = "Overdue parcel 81773";
const STRING: &str = "zq81-beacon-token";
const FILE: &[u8] = b"the listed file\x00\x01\x02";
/// SHA-256 of that file.
const FILE_SHA256: &str = "b4fbe0f919d9d3f48b8cc17ea5bfe8f42de3b7ac3e20032b9546a1178d0f804b";

/// Who asks, mails and talks: what no report may have in it.
const CLIENT: &str = "127.0.0.77";
const HOST: Ipv4Addr = Ipv4Addr::new(10, 20, 30, 40);
const VICTIMS: [&str; 8] = [
    CLIENT,
    "10.20.30.40",
    "victim.example",
    "sender.example",
    "alice",
    "bob@",
    "acme-customer",
    "good.example.net",
];

/// One bundle with an indicator of each kind: what it is called here, and its object.
pub(crate) fn kinds() -> Vec<(&'static str, Value)> {
    let patterns = [
        ("domain", format!("[domain-name:value = '{NAME}']")),
        ("address", format!("[ipv4-addr:value = '{ADDRESS}']")),
        ("header", format!("[email-message:subject = '{SUBJECT}']")),
        ("file", format!("[file:hashes.'SHA-256' = '{FILE_SHA256}']")),
        ("string", format!("[email-message:body LIKE '%{STRING}%']")),
    ];
    let numbered = (1_u32..).zip(patterns);
    numbered.map(|(number, (kind, pattern))| (kind, indicator(number, &pattern))).collect()
}

/// A provider's whole site: its guard, Unbound behind the guard's policy zones, Postfix with its milter.
pub(crate) struct Site {
    pub(crate) hub: Hub,
    pub(crate) wire: Wire,
    pub(crate) north: Member,
    pub(crate) guard: Guard,
    pub(crate) postfix: Post,
    _unbound: Resolver,
    // The last to go: the others' files lie in it.
    pub(crate) dir: TempDir,
}

impl Site {
    /// Everything runs, and the indicators are enforced. `more` belongs to the guard's `[hub]`.
    pub(crate) fn start(more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let hub = Hub::start(dir.path());
        let wire = Wire::to(&hub);
        let north = provider(&hub, "North");
        let indicators: Vec<Value> = kinds().into_iter().map(|(_, object)| object).collect();
        publish(&hub, &hub.token, dir.path(), &indicators);
        let world = world();
        let config = config(&wire.url, more, &world.to_string());
        let guard = Guard::started(&dir.path().join("north"), &north.token, &config);
        let count = u64::try_from(indicators.len()).unwrap();
        eventually("the bundle is taken", || guard.active() == count);
        let unbound = resolver(Kind::Unbound, dir.path(), &guard, "resolver", world);
        let postfix = Post::start(&dir.path().join("postfix"), &guard);
        let site = Self { hub, wire, north, guard, postfix, _unbound: unbound, dir };
        eventually("Unbound has the zone", || site.through_unbound(NAME) == Some(SINKHOLE));
        eventually("the files are written", || has(&site.export("names.txt"), NAME));
        site
    }

    pub(crate) fn through_unbound(&self, name: &str) -> Option<Ipv4Addr> {
        ask(self.guard.port("resolver"), name, "127.0.0.1")
    }

    pub(crate) fn through_forwarder(&self, name: &str) -> Option<Ipv4Addr> {
        ask(self.guard.port("forward"), name, CLIENT)
    }

    pub(crate) fn export(&self, name: &str) -> Vec<u8> {
        fs::read(self.guard.dir.join("export").join(name)).unwrap_or_default()
    }
}

fn config(hub: &str, more: &str, world: &str) -> String {
    format!(
        r#"
data = "guard"
[hub]
url = "{hub}/taxii2/"
token_file = "token"
poll_seconds = 1
{more}
[[feed]]
collection = "indicators"
mode = "enforce"
[[customer]]
name = "acme-customer"
networks = ["127.0.0.0/8"]
listeners = ["<milter>", "<flow>"]
report = true
[sinkhole]
addresses = {{ "" = ["{SINKHOLE}"] }}
[sinkhole.rpz]
listen = ["<rpz>"]
origin = "rpz.example.net"
unsigned = ["127.0.0.1"]
notify = [{{ address = "<resolver>" }}]
[sinkhole.forwarder]
plain = ["<forward>"]
upstreams = ["{world}"]
[quarantine]
listen = ["<milter>"]
action = "store"
release_to = "<back>"
[flows]
listen = ["<flow>"]
alerts_file = "alerts.jsonl"
[[export]]
format = "names"
path = "export/names.txt"
[[export]]
format = "hashes"
path = "export/hashes.txt"
[status]
listen = "<status>"
"#
    )
}

#[test]
fn each_kind_of_one_bundle_is_hit_and_reported_without_victims() {
    if !peers::has("the five kinds", &PROGRAMS) || !peers::has("the five kinds", &["softflowd"]) {
        return;
    }
    away_from_the_hour_s_end();
    let mut site = Site::start("");

    // Domain: through Unbound as a secondary, and twice through the forwarder, which counts.
    assert_eq!(site.through_unbound("good.example.net"), Some(TRUE));
    assert_eq!(site.through_unbound(&format!("www.{NAME}")), Some(SINKHOLE));
    for name in [NAME, &format!("www.{NAME}")] {
        assert_eq!(site.through_forwarder(name), Some(SINKHOLE), "{name}");
    }
    assert_eq!(site.through_forwarder("good.example.net"), Some(TRUE));

    // Header, file, string: each in a mail of its own; a fourth has none of them.
    mails(&site);

    // Address: three flows of a capture, of which the address is in two.
    let capture = site.dir.path().join("flows.pcap");
    let harmless = Ipv4Addr::new(203, 0, 113, 5);
    let talk = |from: Ipv4Addr, to: Ipv4Addr, port| (from.into(), to.into(), port, 443, 1);
    let other = Ipv4Addr::new(10, 20, 30, 41);
    let talks = [talk(HOST, ADDRESS, 20_000), talk(HOST, harmless, 20_001), talk(other, ADDRESS, 20_002)];
    write_capture(&capture, &talks);
    let collector = SocketAddr::from((Ipv4Addr::LOCALHOST, site.guard.port("flow")));
    let exported = softflowd(site.dir.path(), &capture, 9, collector);
    assert!(exported.status.success(), "{exported:?}");
    let alerts = site.guard.dir.join("alerts.jsonl");
    eventually("the alert is written", || fs::read_to_string(&alerts).is_ok_and(|text| text.contains("rf-")));

    eventually("all hits are counted", || site.guard.facts_waiting() == 5);
    reported(&mut site);
}

fn mails(site: &Site) {
    let letters = [
        ("header", letter(SUBJECT, "mark-header", b"harmless")),
        ("file", letter("A file", "mark-file", FILE)),
        ("string", letter("A text", &format!("mark-string {STRING} and more"), b"harmless")),
    ];
    let clean = letter("Nothing", "mark-clean", b"harmless");
    for (kind, mail) in letters.iter().map(|(kind, mail)| (*kind, mail)).chain([("clean", &clean)]) {
        let (taken, said) = site.postfix.send(mail);
        assert!(taken, "{kind}: {said}");
    }
    arrives(site, "mark-clean", &clean);
    let listed = site.guard.held(&["list"]);
    assert!(listed.status.success(), "{}", text(&listed));
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let held = listed["held"].as_array().unwrap();
    assert_eq!(held.len(), 3, "{listed}");
    for (kind, mail) in &letters {
        let mark = format!("mark-{kind}");
        assert!(site.postfix.delivered(&mark).is_empty(), "{kind}");
        for (path, bytes) in files(&site.guard.data().join("mail")) {
            assert!(!has(&bytes, &mark), "{} is not encrypted", path.display());
        }
        // Held mails are told apart by what they weigh and are about.
        let about = |one: &&Value| {
            let subject = one["about"]["subject"].as_str().unwrap_or_default();
            has(mail, &format!("Subject: {subject}\r\n"))
        };
        let id = held.iter().find(about).unwrap()["id"].as_str().unwrap();
        let released = site.guard.held(&["release", id, "--who", "bob", "--why", "it is expected"]);
        assert!(released.status.success(), "{}", text(&released));
        arrives(site, &mark, mail);
    }
}

/// It is delivered, once and byte for byte.
#[track_caller]
fn arrives(site: &Site, mark: &str, mail: &[u8]) {
    eventually("the mail is delivered", || !site.postfix.delivered(mark).is_empty());
    let delivered = site.postfix.delivered(mark);
    assert_eq!(delivered.len(), 1);
    same(&delivered[0], mail);
}

#[track_caller]
fn same(got: &[u8], want: &[u8]) {
    let at = got.iter().zip(want).take_while(|(a, b)| a == b).count();
    let near =
        |bytes: &[u8]| bytes[at..].iter().take(200).copied().collect::<Vec<u8>>().escape_ascii().to_string();
    assert!(got == want, "from byte {at} on it is\n{}\n--- and not ---\n{}", near(got), near(want));
}

/// The hour goes by, and what is reported of it is what happened, and nothing else.
fn reported(site: &mut Site) {
    let hour = hour_that_is_over();
    site.guard.stop();
    site.guard.shift_facts(hour);
    site.guard.start();
    eventually("all is reported", || site.guard.facts_waiting() == 0 && !site.guard.reported().is_empty());
    let mut found: Vec<(String, u64, String, String)> = Vec::new();
    for sighting in site.guard.reported() {
        let object = sighting["sighting_of_ref"].as_str().unwrap().to_owned();
        for date in ["created", "modified", "first_seen", "last_seen"] {
            assert_eq!(sighting[date], hour.to_string(), "{sighting}");
        }
        let said = sighting["extensions"].as_object().unwrap().values().next().unwrap();
        let word = |name: &str| said[name].as_str().unwrap().to_owned();
        found.push((object, sighting["count"].as_u64().unwrap(), word("countermeasure"), word("action")));
        assert!(has(&site.wire.sent(), &sighting.to_string()), "what was written down is what left");
    }
    found.sort();
    let told = [
        ("domain", 2, "sinkhole", "enforced"),
        ("address", 2, "flow", "monitored"),
        ("header", 1, "quarantine", "enforced"),
        ("file", 1, "quarantine", "enforced"),
        ("string", 1, "quarantine", "enforced"),
    ];
    let ids = kinds().into_iter().map(|(kind, object)| (kind, object["id"].as_str().unwrap().to_owned()));
    let ids: Vec<(&str, String)> = ids.collect();
    let mut wanted: Vec<(String, u64, String, String)> = Vec::new();
    for (kind, count, countermeasure, action) in told {
        let id = ids.iter().find(|(known, _)| *known == kind).unwrap().1.clone();
        wanted.push((id, count, countermeasure.to_owned(), action.to_owned()));
    }
    wanted.sort();
    assert_eq!(found, wanted);

    let (status, known) = api(&site.hub, &site.hub.token, "/api/occurrences?by=indicators", None);
    assert_eq!(status, 200, "{known}");
    let mut at_hub: Vec<(String, u64)> = Vec::new();
    for one in known["objects"].as_array().unwrap() {
        assert_eq!((&one["members"], &one["facts"]), (&json!(1), &json!(1)), "{one}");
        at_hub.push((one["object"].as_str().unwrap().to_owned(), one["count"].as_u64().unwrap()));
    }
    assert_eq!(at_hub, wanted.iter().map(|(id, count, ..)| (id.clone(), *count)).collect::<Vec<_>>());

    let sent = site.wire.sent();
    for victim in VICTIMS {
        assert!(!has(&sent, victim), "`{victim}` left the guard");
        for (path, bytes) in files(&site.dir.path().join("data")) {
            assert!(!has(&bytes, victim), "`{victim}` is at the hub, in {}", path.display());
        }
    }
    assert!(has(&sent, &site.north.token), "the search finds what is there");
    stays_quiet(site);
    verified(&site.hub);
}

/// Nobody asked for logs that say whom it concerned, so nothing that the guard wrote or shows does, but its configuration.
fn stays_quiet(site: &Site) {
    let config = site.guard.config();
    for (path, bytes) in files(&site.guard.dir).iter().filter(|(path, _)| *path != config) {
        for victim in VICTIMS {
            assert!(!has(bytes, victim), "`{victim}` stands in {}", path.display());
        }
    }
    for path in ["/", "/status.json", "/metrics", "/healthz"] {
        let page = site.guard.page(path);
        for victim in VICTIMS {
            assert!(!has(page.as_bytes(), victim), "`{victim}` stands in {path}: {page}");
        }
    }
}

/// The hub's ledger is whole.
pub(crate) fn verified(hub: &Hub) {
    let verified = hub.run(&["ledger", "verify", &hub.url]);
    assert!(verified.status.success(), "{}", text(&verified));
}

#[test]
fn a_guard_that_is_killed_in_the_middle_of_a_mail_loses_nothing() {
    if !peers::has("a guard killed amid mail", &PROGRAMS) {
        return;
    }
    let mut site = Site::start("");
    let large = letter(SUBJECT, "mark-large", &vec![0x5a; 5_000_000]);
    let drafts = |folder: &Path| {
        let suffixed =
            |(path, _): &(std::path::PathBuf, Vec<u8>)| path.extension().is_some_and(|it| it == "draft");
        folder.exists() && files(folder).iter().any(suffixed)
    };
    let mail = site.guard.data().join("mail");
    let held = |site: &Site| -> Value { serde_json::from_slice(&site.guard.held(&["list"]).stdout).unwrap() };
    let mut before = 0;
    // A mail may have passed before the guard is dead; then another is sent.
    let met = (0..50).any(|_| {
        let sending = site.postfix.sending(&large);
        eventually("the mail comes", || drafts(&mail) || sending.is_finished());
        site.guard.kill();
        let was_amid = drafts(&mail);
        site.guard.start();
        let (taken, said) = sending.join().unwrap();
        assert!(taken || said.contains(" 451 4.7.1 "), "the sender has it still: {said}");
        before += usize::from(taken);
        assert_eq!(
            held(&site)["held"].as_array().unwrap().len(),
            before,
            "what was taken is held, and nothing else"
        );
        !taken && was_amid
    });
    assert!(met, "no mail was met in its middle");
    assert!(!drafts(&mail), "half a mail is gone at the next start");

    // The guard is down, and the sender keeps what it has; then it comes again.
    site.guard.kill();
    let small = letter(SUBJECT, "mark-small", b"harmless");
    let (taken, said) = site.postfix.send(&small);
    assert!(!taken && said.contains(" 451 4.7.1 "), "{said}");
    site.guard.start();
    for mail in [&large, &small] {
        let (taken, said) = site.postfix.send(mail);
        assert!(taken, "{said}");
    }
    assert_eq!(held(&site)["held"].as_array().unwrap().len(), before + 2);
    assert!(site.postfix.delivered("mark-").is_empty());
    site.guard.kill();
    site.guard.start();
    for one in held(&site)["held"].as_array().unwrap() {
        let id = one["id"].as_str().unwrap();
        let file = site.dir.path().join(id);
        let path = file.to_str().unwrap();
        let released = site.guard.held(&["release", id, "--who", "bob", "--why", "a test", "--to", path]);
        assert!(released.status.success(), "{}", text(&released));
        let released = fs::read(file).unwrap();
        same(&released, if released.len() > 1_000_000 { &large } else { &small });
    }
}
