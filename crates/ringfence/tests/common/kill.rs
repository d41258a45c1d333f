//! What the tests that kill a hub share.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use taxii_client::{Collection, PullState, Query, envelope_of};

use super::{Hub, indicator, ringfence, text};

/// How long a round waits for the first answers of its hub.
const PATIENCE: Duration = Duration::from_mins(1);

/// How many indicators are published at once.
pub(crate) const BATCH: u32 = 5;

/// The next number of a small generator (Numerical Recipes' LCG): the same rounds every time.
pub(crate) fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

/// Waits until `is_so`. Where that takes longer than anything should, it gives up, and what is missing is told at the end.
pub(crate) fn wait_until(is_so: impl Fn() -> bool) {
    let waited = Instant::now();
    while !is_so() && waited.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(1));
    }
}

/// Publishes until the hub is gone; returns the numbers whose batch was acknowledged.
pub(crate) fn publish(collection: &Collection, numbers: &AtomicU32) -> Vec<u32> {
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
pub(crate) struct Received {
    pub(crate) state: PullState,
    pub(crate) objects: Vec<Vec<u8>>,
}

/// Polls until the hub is gone, or once to the end.
pub(crate) fn poll(collection: &Collection, received: &mut Received, forever: bool) {
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
pub(crate) fn watch(url: &str) -> Option<String> {
    let mut last = None;
    while let Ok(mut answer) = ureq::get(format!("{url}/ledger/checkpoint")).call() {
        let Ok(text) = answer.body_mut().read_to_string() else { break };
        last = Some(text);
        thread::sleep(Duration::from_millis(1));
    }
    last
}

/// Everything that was acknowledged came, once, as it was sent; and nothing came that nobody sent.
pub(crate) fn compare(received: &[Vec<u8>], acknowledged: &BTreeSet<u32>, sent: u32) {
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
pub(crate) fn continues_them_all(hub: &Hub, dir: &Path, checkpoints: &[String]) {
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
