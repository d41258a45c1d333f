//! A client's bytes: read or refused, and never answered with much more than came.
#![no_main]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use sinkhole::forward::{Action, Answer, Cause, Forwarder, Judge, Reason, Settings, Sink, Verdict};
use sinkhole::{Random, WireName};

struct Lists;

impl Judge for Lists {
    fn judge(&self, name: WireName<'_>, _qtype: u16, _client: IpAddr) -> Verdict {
        let answer = match name.as_bytes().get(1) {
            Some(b'a') => Answer::Address { v4: Some(Ipv4Addr::LOCALHOST), v6: None },
            Some(b'b') => Answer::NxDomain,
            Some(b'c') => Answer::NoData,
            _ => return Verdict::Pass,
        };
        Verdict::Block { slot: 1, answer, reason: Reason { cause: Cause::Blocked, text: "feed".into() } }
    }
}

impl Sink for Lists {
    fn hit(&self, _slot: u32, _action: Action) {}
}

thread_local! {
    static FORWARDER: Forwarder = {
        let settings = Settings::new(Vec::new(), Arc::new(Lists), Arc::new(Lists));
        Forwarder::new(settings, 1 << 16, Random::new(|bytes| bytes.fill(7)))
    };
}

fuzz_target!(|data: &[u8]| {
    FORWARDER.with(|forwarder| {
        if let Some(answer) = forwarder.answer_at_once(data, Ipv4Addr::LOCALHOST.into()) {
            assert_eq!(answer[..2], data[..2], "the answer has the query's identifier");
            assert!(answer[2] & 0x80 != 0, "the answer is a response");
            assert!(
                answer.len() <= data.len() + 150,
                "an answer to {} bytes has {}",
                data.len(),
                answer.len()
            );
        }
    });
});
