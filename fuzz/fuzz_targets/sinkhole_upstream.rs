//! An upstream's bytes: what a client gets of them is a message that can be walked to its end.
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

/// A question for the address of `d.e`, with EDNS.
const QUERY: &[u8] = b"\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\x01d\x01e\x00\x00\x01\x00\x01\
    \x00\x00\x29\x10\x00\x00\x00\x80\x00\x00\x00";

fuzz_target!(|data: &[u8]| {
    FORWARDER.with(|forwarder| {
        let client = Ipv4Addr::LOCALHOST.into();
        let framed = [&[0, 1, 0x81, 0x80, 0, 1, 0, 2, 0, 1, 0, 1], &QUERY[12..21], data].concat();
        for message in [data, &framed] {
            if let Some(answer) = forwarder.answer_given(QUERY, message, client) {
                assert!(answer.len() <= message.len() + 150);
                let mut as_upstream = answer.clone();
                as_upstream[2] &= !2;
                assert!(forwarder.answer_given(QUERY, &as_upstream, client).is_some(), "{answer:?}");
            }
        }
    });
});
