//! The body of a POST, all the way: whatever is accepted is handed out again, byte for byte.
#![no_main]

use std::collections::BTreeSet;
use std::sync::Arc;

use exchange::{Exchange, Keys, Options, PublishOptions};
use libfuzzer_sys::fuzz_target;
use model::{ManualClock, Principal, Role};
use programme::{Programme, template};
use store::MemoryStore;
use taxii::{Endpoint, Envelope, ObjectFilter};

thread_local! {
    // Read once: it takes longer than all the rest.
    static PROGRAMME: Arc<Programme> =
        Arc::new(Programme::from_files(&template()).expect("the template is a programme"));
}

fn empty_hub() -> Exchange {
    let options = Options {
        clock: Arc::new(ManualClock::at("2012-03-28T00:00:00Z".parse().expect("a date"))),
        random: Arc::new(|bytes: &mut [u8]| bytes.fill(7)),
        keys: Keys {
            origin: "test.example/jcsp".to_owned(),
            ledger: [1; 32],
            cursor: [2; 32],
            credentials: [3; 32],
        },
    };
    let programme = PROGRAMME.with(Arc::clone);
    Exchange::open(Arc::new(MemoryStore::new()), &programme, options).expect("an empty hub opens")
}

fuzz_target!(|data: &[u8]| {
    let hub = empty_hub();
    let operator = testkit::caller_of(Principal::Role(Role::Operator));
    let Ok(submission) = hub.publish(&operator, "indicators", data.to_vec(), PublishOptions::default())
    else {
        return;
    };
    let status = &submission.status;
    assert_eq!(status.success_count + status.failure_count + status.pending_count, status.total_count);
    let sent: BTreeSet<&[u8]> = stix::split(data, &stix::Limits::default())
        .map(|objects| objects.iter().collect())
        .unwrap_or_default();
    let every = ObjectFilter::parse(Endpoint::Objects, "match[version]=all&match[spec_version]=2.0,2.1");
    let answer = hub
        .objects(&operator, "indicators", &every.expect("the filter is sound"))
        .expect("the operator can poll");
    let page: Envelope<'_> = serde_json::from_slice(&answer.body).expect("a page is an envelope");
    for object in &page.objects {
        assert!(sent.contains(object.get().as_bytes()), "handed out as it was received: {}", object.get());
    }
    assert!(page.objects.len() <= submission.stored, "nothing is handed out that was not stored");
    assert!(submission.stored == 0 || !page.objects.is_empty(), "what was stored is handed out");
});
