//! kill -9 amid imports: a part that was acknowledged is wholly there, any other is wholly there or not at all, and
//! every standing is what the rules say to the statements that are there.
//!
//! One data directory lives through all rounds. In each a hub is started on it and compared with what its client knows;
//! then one client imports (whole, in parts, and lists whose editions end what they leave out), one publishes, a member
//! whose standing goes to and fro polls with the cursor that it has, and the process is killed.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::kill::{Received, compare, continues_them_all, next, poll, publish, wait_until, watch};
use common::{Hub, hub_command, member};
use serde_json::{Value, json};

const ROUNDS: u32 = 60;
/// In one of so many rounds the hub is killed while it starts.
const STARTS: u32 = 7;
/// So many rounds and imports there are at least; other rounds begin only within this time.
const ROUNDS_MIN: u32 = 20;
const IMPORTS_MIN: u32 = 30;
const USUAL: Duration = Duration::from_secs(75);
/// After so many acknowledged requests at least one import is whole: none has more than two, and one that broke off is
/// run again from its beginning.
const REQUESTS: u32 = 3;
/// How many statements a part has beside those that matter.
const FILLING: u32 = 40;
/// Members with a licence that comes and goes, which sets and lifts conditions by itself.
const TO_AND_FRO: u32 = 3;
/// Members that are suspended once; only people bring them back.
const ONCE: u32 = 9;

fn statement(document: &str, id: &str, said: &Value) -> Value {
    json!({"id": id, "said": said, "source": {"document": document}, "recorded": "2000-01-01T00:00:00Z"})
}

fn tie(id: &str, tie: &str, from: &str, to: &str, kind: &Value) -> Value {
    statement("register", id, &json!({"tie": {"id": tie, "from": from, "to": to, "kind": kind}}))
}

fn company(id: &str, country: &str) -> Value {
    let said = json!({"id": id, "kind": "organisation", "countries": [country], "sectors": ["security"],
        "publicly_listed": true});
    statement("register", &format!("e-{id}"), &json!({"entity": said}))
}

fn surroundings() -> Vec<Value> {
    let mut all = vec![company("dragon", "CN")];
    let listing = json!({"listing": {"id": "l-dragon", "list": "concern", "entity": "dragon"}});
    all.push(statement("decisions", "l-dragon", &listing));
    // Each has a venture of its own: of one that all hold, more than the whole would be held.
    for number in TO_AND_FRO..TO_AND_FRO + ONCE {
        let (venture, kind) = (format!("v-{number}"), json!({"holds": {"votes": "51%"}}));
        all.push(company(&venture, "HK"));
        all.push(tie(&format!("s-v-{number}"), &format!("t-v-{number}"), "dragon", &venture, &kind));
    }
    all.extend((0..TO_AND_FRO + ONCE).map(|number| company(&format!("p-{number}"), "US")));
    all
}

/// One request of an import.
#[derive(Clone)]
struct Request {
    /// Which it is among all.
    name: String,
    body: Value,
    ids: Vec<String>,
}

fn request(name: String, statements: &[Value], more: &Value) -> Request {
    let ids = statements.iter().map(|statement| statement["id"].as_str().unwrap().to_owned()).collect();
    let mut body = json!({"subject": name, "statements": statements});
    for (key, value) in more.as_object().into_iter().flatten() {
        body[key] = value.clone();
    }
    Request { name, body, ids }
}

/// The import of that number: a licence that comes or goes, a stake that suspends, or an edition of a list.
fn import(number: u32) -> Vec<Request> {
    let filling = |part: u32| -> Vec<Value> {
        let one = |place: u32| company(&format!("f-{number}-{part}-{place}"), "US");
        (0..FILLING).map(one).collect()
    };
    let name = |part: u32| format!("{number}.{part}");
    let of = |part: u32, last: bool| json!({"import": format!("i-{number}"), "number": part, "last": last});
    match number % 4 {
        0 | 1 => {
            let (turn, whose) = (number / 4, number / 8 % TO_AND_FRO);
            let licence = |turn: u32| format!("s-licence-{turn}");
            let matters = if number.is_multiple_of(4) {
                let kind = json!({"licenses": {"technology": true}});
                tie(&licence(turn), &format!("t-licence-{whose}"), "dragon", &format!("p-{whose}"), &kind)
            } else {
                let said = json!({"retraction": {"of": licence(turn), "because": "a test"}});
                statement("register", &format!("r-{turn}"), &said)
            };
            let mut first = filling(1);
            first.insert(usize::try_from(FILLING / 2).unwrap(), matters);
            vec![request(name(1), &first, &Value::Null)]
        }
        2 => {
            let whose = TO_AND_FRO + number / 4 % ONCE;
            let kind = json!({"holds": {"votes": "49%"}});
            let stake = tie(
                &format!("s-{number}"),
                &format!("t-{whose}"),
                &format!("p-{whose}"),
                &format!("v-{whose}"),
                &kind,
            );
            // Early on the stakes are little ones.
            let matters = if number / 4 < 3 { company(&format!("x-{number}"), "US") } else { stake };
            let mut second = filling(2);
            second.push(matters);
            vec![
                request(name(1), &filling(1), &json!({"part": of(1, false)})),
                request(name(2), &second, &json!({"part": of(2, true)})),
            ]
        }
        _ => {
            // Each edition of the list drops what the last one had.
            let entry = |place: u32| {
                let id = format!("l-{number}-{place}");
                let said = json!({"listing": {"id": id, "list": "watched", "entity": format!("w-{place}")}});
                statement("watched", &id, &said)
            };
            let part = |number: u32, last: bool, editions: Value, places: std::ops::Range<u32>| {
                let more = json!({"part": of(number, last), "editions": editions});
                request(name(number), &places.map(entry).collect::<Vec<_>>(), &more)
            };
            vec![part(1, false, json!([]), 0..10), part(2, true, json!(["watched"]), 10..20)]
        }
    }
}

/// What the importer knows.
#[derive(Default)]
struct Sent {
    tried: BTreeMap<String, Vec<String>>,
    acknowledged: BTreeSet<String>,
    /// The import that comes next; the one that broke off is run again first.
    next: u32,
}

fn post(hub: &str, token: &str, path: &str, body: &Value) -> Option<Value> {
    let request = ureq::post(format!("{hub}{path}")).header("authorization", format!("Bearer {token}"));
    let mut answer = request.content_type("application/json").send(body.to_string()).ok()?;
    serde_json::from_str(&answer.body_mut().read_to_string().ok()?).ok()
}

fn get(hub: &Hub, path: &str) -> Value {
    let request = ureq::get(format!("{}{path}", hub.url));
    let mut answer = request.header("authorization", format!("Bearer {}", hub.token)).call().unwrap();
    let config = answer.body_mut().with_config().limit(1 << 30);
    serde_json::from_str(&config.read_to_string().unwrap()).unwrap()
}

/// Imports until the hub is gone.
fn keep_importing(url: &str, token: &str, sent: &mut Sent, acknowledged: &AtomicU32) {
    loop {
        for request in import(sent.next) {
            sent.tried.insert(request.name.clone(), request.ids.clone());
            let Some(answer) = post(url, token, "/api/ties", &request.body) else { return };
            assert_eq!(answer["refused"], json!([]), "{}: {answer}", request.name);
            sent.acknowledged.insert(request.name);
            acknowledged.fetch_add(1, Relaxed);
        }
        sent.next += 1;
    }
}

/// Everything that was said, with when it was recorded.
fn log_of(hub: &Hub) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let part = get(hub, &format!("/api/statements?from={}&limit=10000", all.len()));
        let part = part.as_array().unwrap().clone();
        if part.is_empty() {
            return all;
        }
        all.extend(part);
    }
}

/// Each request is wholly there, at one instant, or not at all; and those that were acknowledged are.
fn is_whole(log: &[Value], sent: &Sent) {
    let mut recorded: BTreeMap<&str, &str> = BTreeMap::new();
    for statement in log {
        recorded.entry(statement["id"].as_str().unwrap()).or_insert(statement["recorded"].as_str().unwrap());
    }
    for (name, ids) in &sent.tried {
        let there: Vec<_> = ids.iter().filter_map(|id| recorded.get(id.as_str())).collect();
        assert!(there.is_empty() || there.len() == ids.len(), "{name}: {} of {}", there.len(), ids.len());
        assert!(
            !sent.acknowledged.contains(name) || !there.is_empty(),
            "{name} was acknowledged and is lost"
        );
        let instants: BTreeSet<_> = there.into_iter().collect();
        assert!(instants.len() < 2, "{name} was recorded at several instants: {instants:?}");
    }
    // What an edition ends, it ends in the transaction of its last part.
    let lasts: BTreeSet<&str> = log
        .iter()
        .filter(|statement| {
            statement["id"].as_str().is_some_and(|id| id.starts_with("l-") && id.ends_with("-19"))
        })
        .map(|statement| statement["recorded"].as_str().unwrap())
        .collect();
    for end in log.iter().filter(|statement| statement["said"]["end"].is_object()) {
        assert!(lasts.contains(end["recorded"].as_str().unwrap()), "{end} came without a last part");
    }
    // And the list has what its newest edition says.
    let newest = lasts.last().copied();
    let over: BTreeSet<&str> =
        log.iter().filter_map(|statement| statement["said"]["end"]["tie"].as_str()).collect();
    for listing in log.iter().filter(|statement| statement["source"]["document"] == "watched") {
        let at = listing["recorded"].as_str().unwrap();
        let Some(id) = listing["said"]["listing"]["id"].as_str() else { continue };
        let is_before = newest.is_some_and(|newest| at < newest);
        let is_of_newest = log.iter().any(|other| {
            newest == other["recorded"].as_str()
                && other["id"].as_str().and_then(|id| id.rsplit_once('-')).map(|(edition, _)| edition)
                    == id.rsplit_once('-').map(|(edition, _)| edition)
        });
        assert!(!is_before || is_of_newest || over.contains(id), "{id} was left out and holds");
    }
}

/// Every standing is what the rules say to the statements that are there. Gives the number of the suspended.
fn stands_as_decided(hub: &Hub, members: &[String], log: &[Value]) -> usize {
    let mut suspended = 0;
    let said: BTreeSet<&str> =
        log.iter().filter_map(|statement| statement["said"]["tie"]["id"].as_str()).collect();
    for (number, member) in members.iter().enumerate() {
        let entity = format!("p-{number}");
        let asked = json!({"entity": entity, "tier": "cleared"});
        let decision = post(&hub.url, &hub.token, "/api/decisions", &asked).unwrap();
        let grade = decision["decision"]["grade"].as_str().unwrap().to_owned();
        let dossier = get(hub, &format!("/api/members/{member}/dossier"));
        assert_eq!(dossier["decided"]["cleared"]["grade"], grade.as_str(), "{entity}");
        let standing = get(hub, &format!("/api/members/{member}"))["standings"]["cleared"].clone();
        let want = match grade.as_str() {
            "clear" | "disclose" => "listed",
            "condition" => "listed-with-conditions",
            "suspend" | "bar" => "suspended",
            other => panic!("{entity}: {other}"),
        };
        assert_eq!(standing, want, "{entity} has grade {grade}");
        suspended += usize::from(want == "suspended");
        let tie = format!("t-{number}");
        let has_a_stake = said.contains(tie.as_str());
        assert_eq!(
            want == "suspended",
            has_a_stake,
            "{entity}: {} {}",
            decision["text"],
            get(hub, &format!("/api/ties?entity=v-{number}"))
        );
    }
    suspended
}

#[test]
fn an_import_is_there_or_not_and_standings_follow() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    let begun = Instant::now();
    let hub = Hub::start(dir);
    assert!(post(&hub.url, &hub.token, "/api/ties", &json!({"statements": surroundings()})).is_some());
    let mut members = Vec::new();
    let mut poller = None;
    for number in 0..TO_AND_FRO + ONCE {
        let (id, user, password) = member(&hub, &format!("Party {number}"));
        hub.json(&["member", "bind", &id, &format!("p-{number}")]);
        members.push(id);
        poller.get_or_insert((user, password));
    }
    let (user, password) = poller.unwrap();
    let operator = hub.json(&["token", "add", "--role", "operator"]);
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let (publisher, secret) = (word(&operator["credential"]["login"]), word(&operator["secret"]));
    hub.kill();

    let (numbers, acknowledged) = (AtomicU32::new(1), AtomicU32::new(0));
    let received = Arc::new(Mutex::new(Received::default()));
    let mut sent = Sent::default();
    let mut objects = BTreeSet::new();
    let mut checkpoints = Vec::new();
    let (mut seed, mut rounds) = (20_120_113, 0);
    for round in 0..ROUNDS {
        if rounds >= ROUNDS_MIN && sent.next >= IMPORTS_MIN && begun.elapsed() > USUAL {
            break;
        }
        rounds += 1;
        if round % STARTS == STARTS - 1 {
            let mut child = hub_command(dir).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            thread::sleep(Duration::from_millis(next(&mut seed) % 120));
            child.kill().unwrap();
            child.wait().unwrap();
            continue;
        }
        let hub = Hub::start(dir);
        let log = log_of(&hub);
        is_whole(&log, &sent);
        stands_as_decided(&hub, &members, &log);
        let to = hub.collection(&publisher, &secret, "cleared");
        let from = hub.collection(&user, &password, "cleared");
        let (url, token) = (hub.url.clone(), hub.token.clone());
        let before = acknowledged.load(Relaxed);
        thread::scope(|scope| {
            let importing = scope.spawn(|| keep_importing(&url, &token, &mut sent, &acknowledged));
            let publishing = scope.spawn(|| publish(&to, &numbers));
            let polling = scope.spawn(|| poll(&from, &mut received.lock().unwrap(), true));
            let watching = scope.spawn(|| watch(&url));
            // On a busy machine the first answers take a while; the kill comes at a random instant after them.
            wait_until(|| acknowledged.load(Relaxed) >= before + REQUESTS);
            thread::sleep(Duration::from_millis(next(&mut seed) % 200));
            hub.kill();
            importing.join().unwrap();
            objects.extend(publishing.join().unwrap());
            polling.join().unwrap();
            checkpoints.extend(watching.join().unwrap());
        });
    }

    let hub = Hub::start(dir);
    let log = log_of(&hub);
    is_whole(&log, &sent);
    let from = hub.collection(&user, &password, "cleared");
    let mut received = received.lock().unwrap();
    poll(&from, &mut received, false);
    compare(&received.objects, &objects, numbers.load(Relaxed));
    continues_them_all(&hub, dir, &checkpoints);
    let suspended = stands_as_decided(&hub, &members, &log);
    hub.stop();
    let broken = sent.tried.len() - sent.acknowledged.len();
    eprintln!(
        "{rounds} rounds in {:.1} s: {} requests acknowledged, {broken} not, {} statements, {} objects",
        begun.elapsed().as_secs_f64(),
        sent.acknowledged.len(),
        log.len(),
        received.objects.len()
    );
    assert!(sent.acknowledged.len() > 40 && suspended > 1, "too little happened: {suspended} are suspended");
}
