//! A mail, whole and cut short: with any structure, encodings, archives and links.
#![no_main]

use std::cell::Cell;
use std::net::IpAddr;
use std::sync::Mutex;

use libfuzzer_sys::fuzz_target;
use quarantine::inspect::{Limits, Mail, inspect};
use quarantine::judge::{Action, Client, Finding, Judge, Observable};

/// Lists everything, each kind in a slot of its own, and counts.
struct All(Mutex<Cell<usize>>);

impl Judge for All {
    fn judge(&self, _client: &Client<'_>, observable: &Observable<'_>, findings: &mut Vec<Finding>) {
        let count = self.0.lock().expect("nobody panics");
        count.set(count.get() + 1);
        let slot = match observable {
            Observable::Mailbox(..) => 0,
            Observable::SenderName(_) => 1,
            Observable::Subject(_) => 2,
            Observable::Url(url) => {
                assert!(!url.is_empty());
                3
            }
            Observable::Name(name) => {
                assert!(!name.is_empty());
                4
            }
            Observable::FileName(_) => 5,
            Observable::Hash(..) => 6,
            Observable::Address(IpAddr::V4(_) | IpAddr::V6(_)) => 7,
            Observable::Text(_) => 8,
        };
        findings.push(Finding { slot, action: Action::Monitor });
    }

    fn reference(&self, slot: u32) -> String {
        slot.to_string()
    }
}

fuzz_target!(|data: &[u8]| {
    let limits = Limits {
        unpacked_bytes_max: 4 << 20,
        member_bytes_max: 1 << 20,
        links_max: 200,
        ..Limits::default()
    };
    let client = Client { listener: "", peer: None, recipients: &[] };
    for is_cut in [false, true] {
        let judge = All(Mutex::default());
        let report = inspect(&Mail { client, sender: "a@b.example", bytes: data, is_cut }, &judge, &limits);
        let asked = judge.0.into_inner().expect("nobody panics").get();
        // Each part, file and link asks a few times; nothing asks more often than it has bytes for.
        assert!(
            asked <= 64 + 16 * (limits.parts_max + limits.members_max + data.len()),
            "asked {asked} times"
        );
        assert!(report.findings.len() <= 9);
    }
});
