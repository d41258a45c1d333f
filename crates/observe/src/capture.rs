//! Captured packets: PCAP (draft-ietf-opsawg-pcap) and pcapng (draft-ietf-opsawg-pcapng).

use std::net::{IpAddr, SocketAddr};

use flows::{DecodeLimits, Decoder};

use crate::place::{Reason, Summary, Unit};
use crate::sniff::are_flows;
use crate::source::Source;
use crate::streams::{Asked, Streams};
use crate::wire::question;
use crate::{By, Limits, Seen, Watcher};
use flows::packet::{self, Packet};

/// The largest packet; what is longer is a length that lies. Captures of USB reach 128 KiB.
const PACKET_BYTES_MAX: usize = 1024 * 1024;
/// The largest block of another kind.
const BLOCK_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Networks that one capture may be of.
const INTERFACES_MAX: usize = 4_096;

pub(crate) fn read(
    source: &mut Source<'_>,
    limits: &Limits,
    summary: &mut Summary,
    watcher: &mut dyn Watcher,
) {
    let mut looking = Looking {
        streams: Streams::new(limits.connections_max),
        flows: Decoder::new(&DecodeLimits::default()).ok(),
        summary,
        watcher,
        number: 0,
    };
    let is_new = source.head().starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]);
    let ended = if is_new { pcapng(source, &mut looking) } else { pcap(source, &mut looking) };
    if ended.is_none() {
        let number = looking.number + 1;
        looking.summary.trouble(
            Reason::Broken,
            Unit::Packet(number),
            "the capture breaks off, or lies about a length",
        );
    }
}

/// Reads numbers in a file's order of bytes.
#[derive(Clone, Copy)]
struct Order {
    is_big: bool,
}

impl Order {
    fn two(self, bytes: &[u8], at: usize) -> Option<u16> {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(if self.is_big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn four(self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(if self.is_big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    fn size(self, bytes: &[u8], at: usize) -> Option<usize> {
        usize::try_from(self.four(bytes, at)?).ok()
    }
}

/// `None`: it breaks off.
fn pcap(source: &mut Source<'_>, looking: &mut Looking<'_>) -> Option<()> {
    let head = source.exactly(24)?;
    let (order, per_micro) = match head.first_chunk()? {
        [0xd4, 0xc3, 0xb2, 0xa1] => (Order { is_big: false }, 1),
        [0xa1, 0xb2, 0xc3, 0xd4] => (Order { is_big: true }, 1),
        [0x4d, 0x3c, 0xb2, 0xa1] => (Order { is_big: false }, 1_000),
        _ => (Order { is_big: true }, 1_000),
    };
    // The upper bits tell of checksums at packets' ends.
    let link = order.four(head, 20)? & 0xffff;
    source.consume(24);
    if !packet::is_known(link) {
        looking.unknown_link(link);
        return Some(());
    }
    loop {
        if source.want(1).is_empty() {
            return Some(());
        }
        let head = source.exactly(16)?;
        let seconds = i64::from(order.four(head, 0)?);
        let micros = i64::from(order.four(head, 4)?) / per_micro;
        let length = order.size(head, 8).filter(|length| *length <= PACKET_BYTES_MAX)?;
        source.consume(16);
        let bytes = source.exactly(length)?;
        looking.packet(link, bytes, Some(seconds * 1_000_000 + micros));
        source.consume(length);
    }
}

/// A network of a capture: its kind, and how many parts of a second its clock counts.
#[derive(Clone, Copy)]
struct Interface {
    link: u32,
    parts: u64,
}

fn pcapng(source: &mut Source<'_>, looking: &mut Looking<'_>) -> Option<()> {
    let mut order = Order { is_big: false };
    let mut interfaces: Vec<Interface> = Vec::new();
    loop {
        if source.want(1).is_empty() {
            return Some(());
        }
        let head = source.exactly(12)?;
        if head.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]) {
            // A section of its own: its mark says the order, and its networks are counted anew.
            order = Order { is_big: head[8..12] == [0x1a, 0x2b, 0x3c, 0x4d] };
            interfaces.clear();
        }
        let kind = order.four(head, 0)?;
        let length = order.size(head, 4).filter(|length| (12..=BLOCK_BYTES_MAX).contains(length))?;
        let block = source.exactly(length)?;
        let body = &block[8..length - 4];
        match kind {
            1 if interfaces.len() < INTERFACES_MAX => {
                let link = u32::from(order.two(body, 0)?);
                if !packet::is_known(link) {
                    looking.unknown_link(link);
                }
                interfaces.push(Interface { link, parts: parts_of(order, body.get(8..)?) });
            }
            // Enhanced, and its elder, which has fewer bits for the network's number.
            6 | 2 => {
                let number = if kind == 6 { order.size(body, 0)? } else { usize::from(order.two(body, 0)?) };
                let clock = u64::from(order.four(body, 4)?) << 32 | u64::from(order.four(body, 8)?);
                let captured = order.size(body, 12)?;
                let bytes = body.get(20..20_usize.checked_add(captured)?)?;
                if let Some(interface) = interfaces.get(number).copied() {
                    let micros = u128::from(clock) * 1_000_000 / u128::from(interface.parts);
                    looking.packet(interface.link, bytes, i64::try_from(micros).ok());
                }
            }
            3 => {
                let whole = order.size(body, 0)?;
                let bytes = body.get(4..)?;
                if let Some(interface) = interfaces.first().copied() {
                    looking.packet(interface.link, &bytes[..bytes.len().min(whole)], None);
                }
            }
            _ => {}
        }
        source.consume(length);
    }
}

/// The option that tells of the clock (`if_tsresol`): a power of ten, or of two.
fn parts_of(order: Order, mut options: &[u8]) -> u64 {
    while let (Some(code), Some(length)) = (order.two(options, 0), order.two(options, 2)) {
        let length = usize::from(length);
        if code == 9
            && let Some(value) = options.get(4)
        {
            let power = u32::from(value & 0x7f);
            let base: u64 = if value & 0x80 == 0 { 10 } else { 2 };
            return base.checked_pow(power).unwrap_or(1_000_000);
        }
        options = options.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
        if code == 0 {
            break;
        }
    }
    1_000_000
}

struct Looking<'a> {
    streams: Streams,
    flows: Option<Decoder>,
    summary: &'a mut Summary,
    watcher: &'a mut dyn Watcher,
    number: u64,
}

impl Looking<'_> {
    fn unknown_link(&mut self, link: u32) {
        self.summary.trouble(
            Reason::Link,
            Unit::Whole,
            &format!("captures of link type {link} are not read"),
        );
    }

    fn packet(&mut self, link: u32, bytes: &[u8], at: Option<i64>) {
        self.number += 1;
        self.summary.pieces += 1;
        let Some(packet) = packet::parse(link, bytes) else { return };
        if self.streams.is_new(&packet) {
            let Packet { source, destination, protocol, .. } = packet;
            self.tell(Seen::Connection { source, destination, protocol, at });
        }
        match packet.sequence {
            Some(sequence) => {
                if let Some(asked) = self.streams.asked(&packet, sequence) {
                    self.asked(&asked, at);
                }
            }
            // Multicast DNS asks for the names of neighbours only.
            None if packet.destination.1 == 53 => {
                if let Some(name) = question(packet.payload) {
                    self.asked(&Asked::Dns(name), at);
                }
            }
            None if packet.protocol == 17 && are_flows(packet.payload) => self.exported(&packet, at),
            None => {}
        }
    }

    fn asked(&mut self, asked: &Asked, at: Option<i64>) {
        match asked {
            Asked::Dns(name) => self.tell(Seen::Name { name, by: By::Dns, at }),
            Asked::Tls(name) => self.tell(Seen::Name { name, by: By::Tls, at }),
            Asked::Http(request) => match &request.url {
                Some(url) => self.tell(Seen::Url { url, at }),
                None if request.host.parse::<IpAddr>().is_err() => {
                    self.tell(Seen::Name { name: &request.host, by: By::Http, at });
                }
                None => {}
            },
        }
    }

    fn exported(&mut self, packet: &Packet<'_>, at: Option<i64>) {
        let place = self.summary.place(Unit::Packet(self.number));
        let Some(reader) = &mut self.flows else { return };
        let watcher = &mut *self.watcher;
        let from = SocketAddr::new(packet.source.0, packet.source.1);
        let decoded = reader.decode(from, packet.payload, &mut |exporter, flow| {
            watcher.see(&place, Seen::Flow { exporter, flow: *flow, at });
        });
        for _ in 0..decoded.without_template {
            self.summary.trouble(
                Reason::NoTemplate,
                Unit::Packet(self.number),
                "flows came without their template",
            );
        }
    }

    fn tell(&mut self, seen: Seen<'_>) {
        let place = self.summary.place(Unit::Packet(self.number));
        self.watcher.see(&place, seen);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::Place;
    use crate::read as read_any;
    use crate::wire::tests::{asked, greeting};
    use peers::capture::{tcp4, udp4};

    /// A capture without link headers, of packets that come a second apart.
    fn pcap_of(packets: &[Vec<u8>]) -> Vec<u8> {
        let mut file =
            vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0];
        for (second, packet) in (1_700_000_000_u32..).zip(packets) {
            let length = u32::try_from(packet.len()).unwrap().to_le_bytes();
            file.extend(
                [&second.to_le_bytes()[..], &500_000_u32.to_le_bytes(), &length, &length, packet].concat(),
            );
        }
        file
    }

    fn pcapng_of(packets: &[Vec<u8>]) -> Vec<u8> {
        let block = |kind: u32, body: &[u8]| {
            let body = [body, &vec![0; body.len().next_multiple_of(4) - body.len()][..]].concat();
            let length = u32::try_from(body.len() + 12).unwrap().to_be_bytes();
            [&kind.to_be_bytes()[..], &length, &body, &length].concat()
        };
        let mut file =
            block(0x0a0d_0d0a, &[0x1a, 0x2b, 0x3c, 0x4d, 0, 1, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]);
        // Raw IP, with a clock in nanoseconds.
        file.extend(block(1, &[0, 101, 0, 0, 0, 4, 0, 0, 0, 9, 0, 1, 9, 0, 0, 0, 0, 0, 0, 0]));
        file.extend(block(5, &[1, 2, 3, 4]));
        for (second, packet) in (1_700_000_000_u64..).zip(packets) {
            let clock = (second * 1_000_000_000 + 500_000_000).to_be_bytes();
            let length = u32::try_from(packet.len()).unwrap().to_be_bytes();
            file.extend(block(6, &[&[0; 4][..], &clock, &length, &length, packet].concat()));
        }
        file
    }

    fn told(file: &[u8]) -> (Vec<String>, Vec<&'static str>) {
        let mut told = Vec::new();
        let summary = read_any("x", file, &Limits::default(), &mut |place: &Place, seen: Seen<'_>| {
            let Unit::Packet(number) = place.unit else { panic!("{place}") };
            let seconds = |at: Option<i64>| at.map_or(0, |at| at - 1_700_000_000_500_000) / 1_000_000;
            told.push(match seen {
                Seen::Name { name, by, at } => format!("{number} {by:?} {name} +{}", seconds(at)),
                Seen::Url { url, .. } => format!("{number} {url}"),
                Seen::Connection { destination, protocol, .. } => {
                    format!("{number} {}:{} {protocol}", destination.0, destination.1)
                }
                Seen::Flow { flow, .. } => format!("{number} flow {} {}", flow.source, flow.destination),
                Seen::Lines(_) | Seen::Mail { .. } | Seen::Observed { .. } => panic!("{seen:?}"),
            });
        });
        (told, summary.troubles.keys().map(|reason| reason.word()).collect())
    }

    fn packets() -> Vec<Vec<u8>> {
        let hello = greeting("evil.example", 1_200);
        let (first, second) = hello.split_at(600);
        let server = [192, 0, 2, 1];
        let mut exported = vec![0, 5, 0, 1];
        exported.extend([0; 20]);
        exported.extend([198, 51, 100, 1, 203, 0, 113, 9]);
        exported.extend([0; 40]);
        vec![
            udp4([192, 0, 2, 53], 53, &asked("Evil.example")),
            tcp4(server, 443, 1, first),
            tcp4(server, 443, 1, first), // sent again
            tcp4(server, 443, 601, second),
            tcp4(server, 80, 1, b"GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n"),
            udp4([192, 0, 2, 2], 2_055, &exported),
        ]
    }

    #[test]
    fn names_connections_and_flows_are_found_in_either_format() {
        let want = [
            "1 192.0.2.53:53 17",
            "1 Dns evil.example +0",
            "2 192.0.2.1:443 6",
            "4 Tls evil.example +3",
            "5 192.0.2.1:80 6",
            "5 http://a.example/x",
            "6 192.0.2.2:2055 17",
            "6 flow 198.51.100.1 203.0.113.9",
        ];
        let (old, troubles) = told(&pcap_of(&packets()));
        assert_eq!((old, troubles), (want.map(ToOwned::to_owned).to_vec(), vec![]));
        let (new, troubles) = told(&pcapng_of(&packets()));
        assert_eq!((new, troubles), (want.map(ToOwned::to_owned).to_vec(), vec![]));
    }

    #[test]
    fn what_breaks_off_or_lies_is_told_and_the_beginning_stands() {
        for file in [pcap_of(&packets()), pcapng_of(&packets())] {
            let (found, troubles) = told(&file[..file.len() - 3]);
            assert_eq!((found.len(), troubles), (6, vec!["broken"]));
        }
        let mut lies = pcap_of(&packets());
        lies[24 + 8..24 + 12].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(told(&lies), (vec![], vec!["broken"]));
        let mut bluetooth = pcap_of(&packets());
        bluetooth[20] = 201;
        assert_eq!(told(&bluetooth), (vec![], vec!["link-type"]));
    }
}
