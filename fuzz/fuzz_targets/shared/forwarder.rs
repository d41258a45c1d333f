//! A forwarder without upstreams that blocks by the first letter of a name: `a` an address, `b` no name, `c` no data.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

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
    pub static FORWARDER: Forwarder = {
        let settings = Settings::new(Vec::new(), Arc::new(Lists), Arc::new(Lists));
        Forwarder::new(settings, 1 << 16, Random::new(|bytes| bytes.fill(7)))
    };
}
