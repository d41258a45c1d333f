//! A client's bytes: read or refused, and never answered with much more than came.
#![no_main]

#[path = "shared/forwarder.rs"]
mod forwarder;

use std::net::Ipv4Addr;

use forwarder::FORWARDER;
use libfuzzer_sys::fuzz_target;

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
