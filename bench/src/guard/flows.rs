//! Flows through the guard's own judge: packets as exporters send them, one flow in a thousand with an end that is listed.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;

use anyhow::{Context as _, Result, ensure};
use flows::{Client, Collector, Hit, Judge as FlowJudge, Settings, Sink};
use guard::allow::Allowed;
use guard::config::{Config, Service};
use guard::customers::{CustomerId, Customers};
use guard::indicator::{Indicator, Rights};
use guard::judge::Judge;
use guard::set::Set;
use model::{Clock, SystemClock, Timestamp};
use uuid::Uuid;

use super::matcher::timed;
use super::names::Numbers;
use crate::report::{Bound, Row};
use crate::units::{per_second, short};

/// What is listed: addresses, networks, and ports at addresses.
const LISTED: u32 = 100_000;
const PACKETS: u32 = 100_000;
/// As many as NetFlow v5 permits in a packet, and as fit into one of 1,500 bytes.
const FLOWS_A_PACKET: u16 = 30;
/// One flow of so many has a listed end.
const RARE: u32 = 1_000;
/// What the issue asks for, a second.
const RATE: f64 = 2e6;

/// Template fields of NetFlow v9 and IPFIX with their lengths: addresses, ports, protocol, packets, bytes.
const FIELDS: [(u16, u16); 7] = [(8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (2, 4), (1, 4)];
const TEMPLATE: u16 = 256;

#[derive(Clone, Copy)]
enum Version {
    Five,
    Nine,
    Ipfix,
}

impl Version {
    const ALL: [Self; 3] = [Self::Five, Self::Nine, Self::Ipfix];

    const fn name(self) -> &'static str {
        match self {
            Self::Five => "NetFlow v5",
            Self::Nine => "NetFlow v9",
            Self::Ipfix => "IPFIX",
        }
    }
}

/// An exporter's view of the judge, as the guard has it.
struct Face {
    judge: Judge,
    customer: CustomerId,
    hits: AtomicU64,
}

impl FlowJudge for Face {
    fn address(&self, _client: &Client<'_>, address: IpAddr, slots: &mut Vec<u32>) {
        slots.extend(self.judge.address(self.customer, Service::Flow, address).map(|decided| decided.slot));
    }

    fn endpoint(&self, _client: &Client<'_>, address: IpAddr, port: u16, slots: &mut Vec<u32>) {
        slots
            .extend(self.judge.port(self.customer, Service::Flow, address, port).map(|decided| decided.slot));
    }

    fn reference(&self, slot: u32) -> String {
        self.judge.reference(slot)
    }

    fn may_show(&self, _slot: u32) -> bool {
        true
    }
}

impl Sink for Face {
    fn hit(&self, hit: Hit) {
        self.hits.fetch_add(hit.flows, Ordering::Relaxed);
    }
}

pub(super) fn measure() -> Result<Vec<Row>> {
    let mut numbers = Numbers(0x0dd_f10f_0001);
    let listed: Vec<Ipv4Addr> = (0..LISTED).map(|_| Ipv4Addr::from(numbers.below(u32::MAX))).collect();
    let mut rows = Vec::new();
    for version in Version::ALL {
        let face = Arc::new(face(&listed)?);
        let (alerts, _taken) = tokio::sync::mpsc::channel(1_000);
        let collector =
            Collector::new(Settings::default(), Arc::clone(&face) as _, Arc::clone(&face) as _, alerts)?;
        let from = SocketAddr::from((Ipv4Addr::LOCALHOST, 2055));
        let now = SystemClock::default().now();
        if let Some(template) = template(version) {
            collector.packet("bench", from, &template, now);
        }
        let (packets, planted) = packets(version, &mut numbers, &listed);
        let took = timed(|| packets.iter().for_each(|packet| collector.packet("bench", from, packet, now)))?;
        let counts = collector.counts();
        let flows = u64::from(PACKETS) * u64::from(FLOWS_A_PACKET);
        ensure!(counts.flows == flows && counts.broken == 0, "{} of {flows} flows were read", counts.flows);
        ensure!(counts.hits >= planted, "{} of {planted} planted ends were met", counts.hits);
        let rate = per_second(flows, took);
        let row = Row::told(
            &format!("flows read and matched, {}, a CPU-s", version.name()),
            format!("{} /s, {} hits", short(rate), counts.hits),
            "",
        );
        rows.push(row.judged(rate, Bound::AtLeast(RATE), None));
    }
    Ok(rows)
}

/// A judge over addresses, and a tenth as many networks and ports at addresses.
fn face(listed: &[Ipv4Addr]) -> Result<Face> {
    let text = "data = \"d\"\n[hub]\nurl = \"https://hub.example\"\ntoken_file = \"t\"\n[[feed]]\ncollection = \"a\"\n";
    let config = Config::parse("guard.toml", text, Path::new("/"))?;
    let set = Arc::new(Set::new([1; 32], Allowed::new([2; 32]), config.feeds.clone()));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let mut entering = Vec::new();
    for (number, address) in (0_u128..).zip(listed) {
        let pattern = match number % 10 {
            0 => format!("[ipv4-addr:value ISSUBSET '{address}/24']"),
            1 => format!("[network-traffic:dst_ref.value = '{address}' AND network-traffic:dst_port = 443]"),
            _ => format!("[ipv4-addr:value = '{address}']"),
        };
        let from = Timestamp::EPOCH;
        let indicator = Indicator { pattern, from, ..Indicator::empty(Uuid::from_u128(number)) };
        entering.extend(set.enter(0, &indicator, Rights::ALL));
    }
    ensure!(entering.len() == listed.len(), "an address cannot be listed");
    set.commit(set.coming(0, entering, clock.now()));
    let (hits, _nobody) = sync_channel(1);
    let judge = Judge::new(set, Customers::new(&config), [5; 16], clock, hits);
    judge.set_idle(false);
    let customer = judge.customers().of_address(Ipv4Addr::LOCALHOST.into()).context("nobody is protected")?;
    Ok(Face { judge, customer, hits: AtomicU64::new(0) })
}

/// The packet that says how the records of later ones are to be read.
fn template(version: Version) -> Option<Vec<u8>> {
    let mut set = TEMPLATE.to_be_bytes().to_vec();
    set.extend(7_u16.to_be_bytes());
    for (kind, length) in FIELDS {
        set.extend(kind.to_be_bytes());
        set.extend(length.to_be_bytes());
    }
    match version {
        Version::Five => None,
        Version::Nine => Some(packet(version, 0, 1, &set)),
        Version::Ipfix => Some(packet(version, 2, 1, &set)),
    }
}

/// A header, and for those with templates a set around the records.
fn packet(version: Version, set: u16, count: u16, records: &[u8]) -> Vec<u8> {
    let length = |bytes: usize| u16::try_from(bytes).unwrap_or(u16::MAX).to_be_bytes();
    let mut packet = Vec::new();
    match version {
        Version::Five => {
            packet.extend(5_u16.to_be_bytes());
            packet.extend(count.to_be_bytes());
            packet.extend([0; 20]);
            packet.extend(records);
            return packet;
        }
        Version::Nine => {
            packet.extend(9_u16.to_be_bytes());
            packet.extend(count.to_be_bytes());
            packet.extend([0; 16]);
        }
        Version::Ipfix => {
            packet.extend(10_u16.to_be_bytes());
            packet.extend(length(16 + 4 + records.len()));
            packet.extend([0; 12]);
        }
    }
    packet.extend(set.to_be_bytes());
    packet.extend(length(4 + records.len()));
    packet.extend(records);
    packet
}

/// Packets of flows between addresses drawn by chance, and how many have a listed end for certain.
fn packets(version: Version, numbers: &mut Numbers, listed: &[Ipv4Addr]) -> (Vec<Vec<u8>>, u64) {
    let mut planted = 0;
    let mut packets = Vec::new();
    for _ in 0..PACKETS {
        let mut records = Vec::new();
        for _ in 0..FLOWS_A_PACKET {
            let source = numbers.below(u32::MAX).to_be_bytes();
            let destination = if numbers.below(RARE) == 0 {
                planted += 1;
                numbers.choice(listed).octets()
            } else {
                numbers.below(u32::MAX).to_be_bytes()
            };
            record(version, source, destination, &mut records);
        }
        packets.push(packet(version, TEMPLATE, FLOWS_A_PACKET, &records));
    }
    (packets, planted)
}

fn record(version: Version, source: [u8; 4], destination: [u8; 4], out: &mut Vec<u8>) {
    let ports = [49_152_u16.to_be_bytes(), 443_u16.to_be_bytes()].concat();
    out.extend(source);
    out.extend(destination);
    match version {
        Version::Five => {
            // Next hop, interfaces; packets, bytes; first, last; ports; padding, flags, protocol; the rest.
            out.extend([0; 8]);
            out.extend([0, 0, 0, 10, 0, 0, 4, 0]);
            out.extend([0; 8]);
            out.extend(ports);
            out.extend([0, 0x1b, 6, 0]);
            out.extend([0; 8]);
        }
        Version::Nine | Version::Ipfix => {
            out.extend(ports);
            out.extend([6, 0, 0, 0, 10, 0, 0, 4, 0]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_as_long_as_their_formats_say() {
        for (version, want) in [(Version::Five, 48), (Version::Nine, 21), (Version::Ipfix, 21)] {
            let mut bytes = Vec::new();
            record(version, [1; 4], [2; 4], &mut bytes);
            assert_eq!(bytes.len(), want, "{}", version.name());
        }
        assert_eq!(FIELDS.iter().map(|(_, length)| length).sum::<u16>(), 21);
    }
}
