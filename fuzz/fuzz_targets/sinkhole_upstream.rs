//! An upstream's bytes: what a client gets of them is a message that can be walked to its end.
#![no_main]

#[path = "shared/forwarder.rs"]
mod forwarder;

use std::net::Ipv4Addr;

use forwarder::FORWARDER;
use libfuzzer_sys::fuzz_target;

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
