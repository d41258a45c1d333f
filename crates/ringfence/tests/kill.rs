//! kill -9 at any moment: what was acknowledged is there, what was handed out is on the ledger.
//!
//! One data directory lives through all rounds. In each a hub is started on it, one client publishes small batches, another
//! polls as a member with the cursor that it has, and the process is killed some milliseconds after its first answer, now and
//! then while it is still starting. At the end everything is compared: with what was acknowledged, with what was
//! received, with the ledger, and the ledger with every checkpoint that was ever seen.

mod common;

use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::kill::{BATCH, Received, compare, continues_them_all, next, poll, publish, wait_until, watch};
use common::{Hub, hub_command, member};

const ROUNDS: u32 = 120;
/// Rounds in which the hub is killed while it starts.
const STARTS: u32 = 20;
/// So many rounds there are at least; others begin only within this time.
const ROUNDS_MIN: u32 = 100;
const USUAL: Duration = Duration::from_secs(80);

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
        if rounds >= ROUNDS_MIN && begun.elapsed() > USUAL {
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
        let before = numbers.load(Ordering::Relaxed);
        thread::scope(|scope| {
            let publishing = scope.spawn(|| publish(&to, &numbers));
            let polling = scope.spawn(|| poll(&from, &mut received.lock().unwrap(), true));
            let watching = scope.spawn(|| watch(&url));
            // The second batch is on its way when the first was acknowledged.
            wait_until(|| numbers.load(Ordering::Relaxed) >= before + 2 * BATCH);
            thread::sleep(Duration::from_millis(next(&mut seed) % 150));
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
    eprintln!(
        "{rounds} rounds in {:.1} s: {} objects acknowledged, {} received, {} checkpoints",
        begun.elapsed().as_secs_f64(),
        acknowledged.len(),
        received.objects.len(),
        checkpoints.len()
    );
}
