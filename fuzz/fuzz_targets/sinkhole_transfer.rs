//! A secondary's bytes: whatever they ask, each message of the answer is whole and the answer ends.
#![no_main]

use std::net::Ipv4Addr;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use sinkhole::rpz::{
    Access, Change, Entry, JournalKey, MemoryContent, Publisher, Response, Rule, Scope, Transport, Triggers,
    TsigAlgorithm, TsigKey, ZoneSpec,
};
use sinkhole::{Clock, Name, Random};

thread_local! {
    static PUBLISHER: Publisher = {
        let folder = std::env::temp_dir().join(format!("ringfence-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for the journal");
        let random = Random::new(|bytes| bytes.fill(7));
        let publisher = Publisher::new(&folder, JournalKey::new(&[1; 32]), Clock::new(|| 1_000_000), random);
        let apex: Name = "z".parse().expect("a name");
        let key = TsigKey::new("k".parse().expect("a name"), TsigAlgorithm::HmacSha256, &[1; 32]).expect("a key");
        publisher.set_keys(&[key]);
        let access = Access { keys: vec!["k".parse().expect("a name")], unsigned: vec![Ipv4Addr::LOCALHOST.into()], ..Access::default() };
        let spec = ZoneSpec { access, ..ZoneSpec::new(apex.clone(), Triggers::Names) };
        let content = Arc::new(MemoryContent::default());
        publisher.add_zone(spec, Arc::clone(&content) as _).expect("a new zone");
        for number in 0..20 {
            let owner: Name = format!("n{number}.example").parse().expect("a name");
            let entry = Entry { owner: owner.as_wire(), scope: Scope::Exact, rule: Rule::NxDomain, reference: "r" };
            publisher.apply(&apex, &Change { added: &[entry], removed: &[] }, || content.insert(&entry));
        }
        publisher
    };
}

fuzz_target!(|data: &[u8]| {
    PUBLISHER.with(|publisher| {
        for transport in [Transport::Udp, Transport::Tcp] {
            match publisher.respond(data, Ipv4Addr::LOCALHOST.into(), transport) {
                Response::Nothing => {}
                Response::Message(message) => assert!(message.len() >= 12 && message[2] & 0x80 != 0),
                Response::Transfer(transfer) => {
                    assert_eq!(transport, Transport::Tcp);
                    let messages: Vec<Vec<u8>> = transfer.collect();
                    assert!(!messages.is_empty() && messages.iter().all(|message| message[..2] == data[..2]));
                }
            }
        }
    });
});
