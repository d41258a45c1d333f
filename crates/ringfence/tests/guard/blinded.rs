//! Use without display: what a guard may enforce and nobody may read is met, and is nowhere to be seen.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::SocketAddr;

use peers::resolver::Kind;
use peers::{TRUE, eventually, world};
use serde_json::{Value, json};

use crate::common::Hub;
use crate::kinds::{PROGRAMS, verified};
use crate::post::{Post, letter};
use crate::site::{
    Guard, SINKHOLE, api, ask, away_from_the_hour_s_end, files, has, hour_that_is_over, indicator, objects,
    provider, publish, resolver,
};

const MARKING: &str = "marking-definition--5f7c1e0e-7d51-4a0c-9b1c-0d7f6c1a2b3c";
/// What nobody may read: a name, by its telling label, and a subject.
const LABEL: &str = "qzx-undisplayed-name";
const SUBJECT: &str = "Qzx undisplayed subject";
/// What everybody may read.
const PLAIN: &str = "qzx-displayed-name";
const PLAIN_SUBJECT: &str = "Qzx displayed subject";

/// Content that may be enforced and not shown.
fn netdef_only() -> Value {
    json!({
        "type": "marking-definition", "spec_version": "2.1", "id": MARKING, "created": "2012-01-13T00:00:00.000Z",
        "extensions": {"extension-definition--3a65884d-005a-4290-8335-cb2d778a83ce": {
            "extension_type": "property-extension", "identifier": "isa:guide.999191.one",
            "create_date_time": "2012-01-13T00:00:00.000Z", "responsible_entity_custodian": "USA.DHS.US-CERT",
            "policy_reference": "urn:isa:policy:acs:ns:v3.0?privdefault=deny&sharedefault=permit",
            "access_privilege": [{
                "privilege_action": "NETDEF", "rule_effect": "permit", "privilege_scope": {"entity": ["ALL"]},
            }],
            "control_set": {"classification": "U"},
        }},
    })
}

fn config(hub: &str, world: SocketAddr) -> String {
    format!(
        r#"
data = "guard"
[hub]
url = "{hub}/taxii2/"
token_file = "token"
poll_seconds = 1
[[feed]]
collection = "indicators"
mode = "enforce"
[[customer]]
name = "acme"
networks = ["127.0.0.0/8"]
listeners = ["<milter>"]
report = true
[sinkhole]
addresses = {{ "" = ["{SINKHOLE}"] }}
[sinkhole.rpz]
listen = ["<rpz>"]
origin = "rpz.example.net"
unsigned = ["127.0.0.1"]
[sinkhole.forwarder]
plain = ["<forward>"]
upstreams = ["{world}"]
[quarantine]
listen = ["<milter>"]
action = "store"
[[export]]
format = "rpz"
path = "export/zone"
serve = true
[[export]]
format = "csv"
path = "export/table.csv"
serve = true
[[export]]
format = "stix"
path = "export/bundle.json"
[status]
listen = "<status>"
"#
    )
}

/// Memory is read in pieces: allocators reserve far more than they use.
const PIECE_BYTES: usize = 1 << 16;
const OVERLAP_BYTES: usize = 1 << 8;

/// Whether words that begin with q stand anywhere in a process's memory that it can write to, in either case; `None` where
/// that cannot be read.
fn in_memory(pid: u32, words: &[&str]) -> Option<Vec<bool>> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let mut memory = File::open(format!("/proc/{pid}/mem")).ok()?;
    let mut found = vec![false; words.len()];
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (from, to) = line.split_whitespace().next()?.split_once('-')?;
        let [from, to] = [from, to].map(|digits| u64::from_str_radix(digits, 16).unwrap());
        // Each piece again begins where a word that the one before cut off may have begun.
        for at in (from..to).step_by(PIECE_BYTES - OVERLAP_BYTES) {
            let mut piece = vec![0; PIECE_BYTES.min(usize::try_from(to - at).unwrap())];
            memory.seek(SeekFrom::Start(at)).ok()?;
            // It may be gone by now, or be one that cannot be read; most of it was never written to.
            if memory.read_exact(&mut piece).is_ok() && (piece.contains(&b'q') || piece.contains(&b'Q')) {
                for (found, word) in found.iter_mut().zip(words) {
                    *found |= holds(&piece, word.as_bytes());
                }
            }
        }
    }
    Some(found)
}

fn holds(piece: &[u8], word: &[u8]) -> bool {
    let begins = piece.iter().enumerate().filter(|(_, byte)| byte.eq_ignore_ascii_case(&word[0]));
    let mut heres = begins.filter_map(|(at, _)| piece.get(at..at + word.len()));
    heres.any(|here| here.eq_ignore_ascii_case(word))
}

/// Nothing that the guard wrote or shows has a word of what nobody may read in it.
fn shows_nothing(guard: &Guard) {
    for (path, bytes) in files(&guard.dir) {
        for word in [LABEL, SUBJECT] {
            assert!(!has(&bytes, word), "`{word}` stands in {}", path.display());
        }
    }
    for path in ["/", "/status.json", "/metrics", "/healthz", "/export/zone", "/export/table.csv"] {
        let page = guard.page(path);
        assert!(!has(page.as_bytes(), LABEL) && !has(page.as_bytes(), SUBJECT), "{path}: {page}");
    }
}

#[test]
fn what_may_be_used_and_not_shown_is_met_and_stands_nowhere() {
    if !peers::has("use without display", &PROGRAMS) {
        return;
    }
    away_from_the_hour_s_end();
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::start(dir.path());
    let north = provider(&hub, "North");
    let patterns = [
        format!("[domain-name:value = '{LABEL}.example.com']"),
        format!("[email-message:subject = '{SUBJECT}']"),
        format!("[domain-name:value = '{PLAIN}.example.com']"),
        format!("[email-message:subject = '{PLAIN_SUBJECT}']"),
    ];
    let mut published: Vec<Value> =
        (1_u32..).zip(&patterns).map(|(number, pattern)| indicator(number, pattern)).collect();
    for hidden in &mut published[..2] {
        hidden["object_marking_refs"] = json!([MARKING]);
    }
    let hidden: Vec<String> =
        published[..2].iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
    published.insert(0, netdef_only());
    publish(&hub, &hub.token, dir.path(), &published);
    let readable = objects(&hub, &north, "indicator");
    assert_eq!(readable.len(), 2, "the member cannot read the others: {readable:?}");

    let world = world();
    let mut guard = Guard::started(&dir.path().join("north"), &north.token, &config(&hub.url, world));
    eventually("all four are taken", || guard.active() == 4);
    let table = || fs::read(guard.dir.join("export/table.csv")).unwrap_or_default();
    eventually("the files are written", || has(&table(), PLAIN));

    // Before anybody has asked or mailed anything of the kind.
    let found = in_memory(guard.pid(), &[PLAIN, LABEL, SUBJECT]);
    assert_eq!(found, Some(vec![true, false, false]), "[what may be shown, and what not] in memory");
    shows_nothing(&guard);
    let status = guard.status();
    assert_eq!(status["feeds"][0]["blinded"], 2, "{status}");
    assert!(guard.page("/").contains("blinded"), "the page says that there is something of the kind");
    let why = "not in the export: it is blinded, and a file needs the plain value";
    eventually("the reports of the files say it", || guard.log().matches(why).count() >= 3);

    // It works: where the plain value is not needed.
    let unbound = resolver(Kind::Unbound, dir.path(), &guard, "resolver", world);
    let (plain, name) = (format!("{PLAIN}.example.com"), format!("www.{LABEL}.example.com"));
    eventually("Unbound has the zone", || ask(guard.port("resolver"), &plain, "127.0.0.1") == Some(SINKHOLE));
    assert_eq!(ask(guard.port("resolver"), &name, "127.0.0.1"), Some(TRUE), "a zone would show it");
    assert_eq!(ask(guard.port("forward"), &name, "127.0.0.1"), Some(SINKHOLE));
    let postfix = Post::start(&dir.path().join("postfix"), &guard);
    for subject in [SUBJECT, PLAIN_SUBJECT] {
        let (taken, said) = postfix.send(&letter(subject, "mark", b"harmless"));
        assert!(taken, "{said}");
    }
    let held: Value = serde_json::from_slice(&guard.held(&["list"]).stdout).unwrap();
    assert_eq!(held["held"].as_array().unwrap().len(), 2, "{held}");
    eventually("all hits are counted", || guard.facts_waiting() == 3);
    shows_nothing(&guard);

    // It is reported by the member's own reference, which the hub alone can read.
    let hour = hour_that_is_over();
    guard.stop();
    guard.shift_facts(hour);
    guard.start();
    eventually("all is reported", || guard.facts_waiting() == 0 && guard.reported().len() == 3);
    let known = api(&hub, &hub.token, "/api/occurrences?by=indicators", None).1;
    let known: Vec<&str> =
        known["objects"].as_array().unwrap().iter().map(|one| one["object"].as_str().unwrap()).collect();
    for id in &hidden {
        assert!(known.contains(&id.as_str()), "{known:?}");
        let uuid = id.strip_prefix("indicator--").unwrap();
        for (path, bytes) in files(&guard.dir) {
            assert!(!has(&bytes, uuid), "the object's own id stands in {}", path.display());
        }
    }
    shows_nothing(&guard);
    drop(unbound);
    verified(&hub);
}
