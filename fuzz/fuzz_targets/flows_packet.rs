//! Packets of exporters: several in a row, since templates are kept from one to the next.
#![no_main]

use std::net::SocketAddr;

use flows::{DecodeLimits, Decoder};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let limits = DecodeLimits {
        exporters_max: 4,
        templates_max: 8,
        waiting_max: 4,
        waiting_bytes_max: 4_096,
        ..DecodeLimits::default()
    };
    let mut decoder = Decoder::new(&limits).expect("no limit is zero");
    let mut rest = data;
    // Each packet has its length and its sender before it.
    while let [high, low, sender, behind @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(behind.len());
        let from = SocketAddr::from(([192, 0, 2, sender & 7], 2_055));
        let mut seen = 0;
        let decoded = decoder.decode(from, &behind[..length], &mut |exporter, flow| {
            assert_eq!(exporter.address, from.ip());
            assert!(!(flow.source.is_unspecified() && flow.destination.is_unspecified()));
            seen += 1;
        });
        assert_eq!(decoded.flows, seen);
        assert!(decoder.waiting().now <= 4 * 8, "what waits has a limit");
        rest = &behind[length..];
    }
});
