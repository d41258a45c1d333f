//! kill -9 at any moment: what was acknowledged is there, what was handed out is on the ledger.
//!
//! One data directory lives through all rounds. In each a hub is started on it, one client publishes small batches, another
//! polls as a member with the cursor that it has, and the process is killed after a few milliseconds, now and then
//! while it is still starting. At the end everything is compared: with what was acknowledged, with what was
//! received, with the ledger, and the ledger with every checkpoint that was ever seen.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::num::NonZeroU32;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::{Hub, hub_command, indicator, member, ringfence, text};
use taxii_client::{Collection, PullState, Query, envelope_of};

const ROUNDS: u32 = 120;
/// Rounds in which the hub is killed while it starts.
const STARTS: u32 = 20;
const BATCH: u32 = 5;
/// No round begins after this, so that a slow machine ends with fewer rounds and says so.
const LONGEST: Duration = Duration::from_secs(80);

/// The next number of a small generator (Numerical Recipes' LCG): the same rounds every time.
fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

/// Publishes until the hub is gone; returns the numbers whose batch was acknowledged.
fn publish(collection: &Collection, numbers: &AtomicU32) -> Vec<u32> {
    let mut acknowledged = Vec::new();
    loop {
        let first = numbers.fetch_add(BATCH, Ordering::Relaxed);
        let objects: Vec<Vec<u8>> = (first..first + BATCH).map(indicator).collect();
        let Ok(status) = collection.post(&envelope_of(objects.iter().map(Vec::as_slice))) else {
            return acknowledged;
        };
        assert_eq!(status.success_count, u64::from(BATCH), "{status:?}");
        acknowledged.extend(first..first + BATCH);
    }
}

/// What the member has, and where it stands.
#[derive(Default)]
struct Received {
    state: PullState,
    objects: Vec<Vec<u8>>,
}

/// Polls until the hub is gone, or once to the end.
fn poll(collection: &Collection, received: &mut Received, forever: bool) {
    let query = Query::default().with_limit(NonZeroU32::new(20).unwrap());
    loop {
        for page in collection.objects(&query, received.state.clone()) {
            let Ok(page) = page else {
                assert!(forever, "the hub is there and does not answer: {page:?}");
                return;
            };
            received.objects.extend(page.items().map(<[u8]>::to_vec));
            received.state = page.state().clone();
        }
        if !forever {
            return;
        }
    }
}

/// The last checkpoint that the hub signed before it was gone.
fn watch(url: &str) -> Option<String> {
    let mut last = None;
    while let Ok(mut answer) = ureq::get(format!("{url}/ledger/checkpoint")).call() {
        let Ok(text) = answer.body_mut().read_to_string() else { break };
        last = Some(text);
        thread::sleep(Duration::from_millis(1));
    }
    last
}

#[test]
fn nothing_acknowledged_and_no_disclosure_is_lost() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    let begun = Instant::now();
    let hub = Hub::start(dir);
    let (id, user, password) = member(&hub, "Poller");
    let operator = hub.json(&["token", "add", "--role", "operator"]);
    let (publisher, secret) = (
        operator["credential"]["login"].as_str().unwrap().to_owned(),
        operator["secret"].as_str().unwrap().to_owned(),
    );
    hub.kill();

    let numbers = AtomicU32::new(1);
    let received = Arc::new(Mutex::new(Received::default()));
    let mut acknowledged = BTreeSet::new();
    let mut checkpoints = Vec::new();
    let mut seed = 20_120_113;
    let mut rounds = 0;
    for round in 0..ROUNDS + STARTS {
        if begun.elapsed() > LONGEST {
            break;
        }
        rounds += 1;
        if round % (ROUNDS / STARTS + 1) == 0 {
            let mut child = hub_command(dir).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            thread::sleep(Duration::from_millis(next(&mut seed) % 120));
            child.kill().unwrap();
            child.wait().unwrap();
            continue;
        }
        let hub = Hub::start(dir);
        let to = hub.collection(&publisher, &secret, "indicators");
        let from = hub.collection(&user, &password, "indicators");
        let url = hub.url.clone();
        thread::scope(|scope| {
            let publishing = scope.spawn(|| publish(&to, &numbers));
            let polling = scope.spawn(|| poll(&from, &mut received.lock().unwrap(), true));
            let watching = scope.spawn(|| watch(&url));
            thread::sleep(Duration::from_millis(10 + next(&mut seed) % 150));
            hub.kill();
            acknowledged.extend(publishing.join().unwrap());
            polling.join().unwrap();
            checkpoints.extend(watching.join().unwrap());
        });
    }

    let hub = Hub::start(dir);
    let from = hub.collection(&user, &password, "indicators");
    let mut received = received.lock().unwrap();
    poll(&from, &mut received, false);
    compare(&received.objects, &acknowledged, numbers.load(Ordering::Relaxed));
    let report = hub.json(&["ledger", "holds", &id]);
    let held: BTreeSet<String> = report["objects"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|held| held["whole"] == true)
        .map(|held| held["id"].as_str().unwrap().to_owned())
        .collect();
    for object in &received.objects {
        let id = stix::Head::parse(object).unwrap().id.to_string();
        assert!(held.contains(&id), "{id} was handed out and is not on the ledger");
    }
    continues_them_all(&hub, dir, &checkpoints);
    hub.stop();
    assert!(rounds >= 100, "the machine was too slow: only {rounds} rounds");
    eprintln!(
        "{rounds} rounds in {:.1} s: {} objects acknowledged, {} received, {} checkpoints",
        begun.elapsed().as_secs_f64(),
        acknowledged.len(),
        received.objects.len(),
        checkpoints.len()
    );
}

/// Everything that was acknowledged came, once, as it was sent; and nothing came that nobody sent.
fn compare(received: &[Vec<u8>], acknowledged: &BTreeSet<u32>, sent: u32) {
    let mut came: BTreeMap<&[u8], u32> = BTreeMap::new();
    for object in received {
        *came.entry(object).or_default() += 1;
    }
    for number in acknowledged {
        let object = indicator(*number);
        assert!(came.contains_key(object.as_slice()), "{number} was acknowledged and is lost");
    }
    for number in 1..sent + BATCH {
        let object = indicator(number);
        if let Some(times) = came.remove(object.as_slice()) {
            assert_eq!(times, 1, "{number} came more than once");
        }
    }
    assert!(came.is_empty(), "{} objects came that nobody sent", came.len());
    assert!(acknowledged.len() > 100, "only {} objects were acknowledged at all", acknowledged.len());
}

/// The ledger is whole, and continues every checkpoint that was seen before some kill.
fn continues_them_all(hub: &Hub, dir: &std::path::Path, checkpoints: &[String]) {
    assert!(!checkpoints.is_empty());
    let (folder, older) = (dir.join("ledger"), dir.join("older"));
    hub.json(&["ledger", "export", folder.to_str().unwrap()]);
    for checkpoint in checkpoints {
        fs::write(&older, checkpoint).unwrap();
        let verified = ringfence()
            .args(["ledger", "verify", folder.to_str().unwrap(), "--older", older.to_str().unwrap()])
            .output()
            .unwrap();
        assert!(verified.status.success(), "{checkpoint}\n{}", text(&verified));
    }
}
