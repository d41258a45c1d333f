//! How many flows a core takes: `cargo run --release -p flows --example rate`.
//!
//! NetFlow v9 with fourteen fields as routers send them, 24 flows in a packet; one flow in a thousand hits one of 100,000 addresses. Counts
//! processor time, which other programs on the machine do not add to.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement is for the terminal")]

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use flows::{Client, Collector, Hit, Judge, Settings, Sink};
use model::Timestamp;
use nix::sys::resource::{UsageWho, getrusage};
use tokio::sync::mpsc;

struct Listed(HashSet<IpAddr>, HashSet<(IpAddr, u16)>);

impl Judge for Listed {
    fn address(&self, _client: &Client<'_>, address: IpAddr, slots: &mut Vec<u32>) {
        if self.0.contains(&address) {
            slots.push(1);
        }
    }

    fn endpoint(&self, _client: &Client<'_>, address: IpAddr, port: u16, slots: &mut Vec<u32>) {
        if self.1.contains(&(address, port)) {
            slots.push(2);
        }
    }

    fn reference(&self, slot: u32) -> String {
        slot.to_string()
    }

    fn may_show(&self, _slot: u32) -> bool {
        true
    }
}

struct Nothing;

impl Sink for Nothing {
    fn hit(&self, _hit: Hit) {}
}

const FIELDS: [(u16, u16); 14] = [
    (8, 4),
    (12, 4),
    (21, 4),
    (22, 4),
    (1, 4),
    (2, 4),
    (10, 4),
    (14, 4),
    (7, 2),
    (11, 2),
    (4, 1),
    (6, 1),
    (60, 1),
    (5, 1),
];

fn packet(id: u16, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![0, 9, 0, 1];
    packet.resize(16, 0);
    packet.extend(1_u32.to_be_bytes());
    packet.extend([id, u16::try_from(body.len() + 4).unwrap()].map(u16::to_be_bytes).concat());
    packet.extend(body);
    packet
}

fn cpu_seconds() -> f64 {
    let used = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let seconds = |time: nix::sys::time::TimeVal| {
        f64::from(i32::try_from(time.tv_sec()).unwrap())
            + f64::from(i32::try_from(time.tv_usec()).unwrap()) / 1e6
    };
    seconds(used.user_time()) + seconds(used.system_time())
}

fn main() {
    let address = |n: u32| IpAddr::from((0xc600_0000_u32 + n * 7).to_be_bytes());
    let listed =
        Listed((0..50_000).map(address).collect(), (50_000..100_000).map(|n| (address(n), 443)).collect());
    let (alerts, _kept) = mpsc::channel(10);
    let collector = Collector::new(Settings::default(), Arc::new(listed), Arc::new(Nothing), alerts).unwrap();
    let (from, now) = (SocketAddr::from(([192, 0, 2, 1], 2_055)), Timestamp::EPOCH);
    let mut template = [256, u16::try_from(FIELDS.len()).unwrap()].map(u16::to_be_bytes).concat();
    template.extend(FIELDS.iter().flat_map(|(field, size)| [*field, *size].map(u16::to_be_bytes).concat()));
    collector.packet("lan", from, &packet(0, &template), now);
    let packets: Vec<_> = (0..1_000_u32)
        .map(|number| {
            let mut body = Vec::new();
            for record in 0..24_u32 {
                let n = number * 24 + record;
                let outside = if n.is_multiple_of(1_000) {
                    address(n)
                } else {
                    IpAddr::from((0x5000_0000 + n * 977).to_be_bytes())
                };
                let IpAddr::V4(outside) = outside else { unreachable!() };
                body.extend((0x0a00_0000 + n).to_be_bytes());
                body.extend(outside.octets());
                body.extend([0; 24]);
                body.extend([0x9c, 0x40, 1, 187, 6, 0x12, 4, 0]);
            }
            packet(256, &body)
        })
        .collect();
    let rounds = 200;
    let began = cpu_seconds();
    for _ in 0..rounds {
        for packet in &packets {
            collector.packet("lan", from, packet, now);
        }
    }
    let spent = cpu_seconds() - began;
    let counts = collector.counts();
    assert_eq!(counts.flows, rounds * 24_000);
    let millions = f64::from(u32::try_from(counts.flows).unwrap()) / 1e6;
    println!(
        "{millions:.1} M flows, {} hits: {:.2} M flows per second of one core",
        counts.hits,
        millions / spent
    );
}
