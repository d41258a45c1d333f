//! Packets of exporters, one behind the other, as RFC 5655 has them for IPFIX.
//!
//! Versions 5 and 10 (IPFIX) say how long a packet is. Version 9 does not; its sets do, and no set has an id that
//! could be the version at the beginning of the next packet.

use std::net::{Ipv4Addr, SocketAddr};

use flows::{DecodeLimits, Decoder};

use crate::place::{Reason, Summary, Unit};
use crate::source::Source;
use crate::{Seen, Watcher};

const PACKET_BYTES_MAX: usize = 65_535;

pub(crate) fn read(source: &mut Source<'_>, summary: &mut Summary, watcher: &mut dyn Watcher) {
    let Ok(mut reader) = Decoder::new(&DecodeLimits::default()) else { return };
    // Who sent them is not in the file; so they are all one's.
    let from = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let mut number = 0;
    loop {
        let bytes = source.want(PACKET_BYTES_MAX);
        if bytes.is_empty() {
            return;
        }
        number += 1;
        let Some(length) = length_of(bytes).filter(|length| *length <= bytes.len()) else {
            summary.trouble(
                Reason::Broken,
                Unit::Datagram(number),
                "a packet breaks off, or is none of an exporter",
            );
            return;
        };
        let place = summary.place(Unit::Datagram(number));
        let decoded = reader.decode(from, &bytes[..length], &mut |exporter, flow| {
            watcher.see(&place, Seen::Flow { exporter, flow: *flow, at: None });
        });
        summary.pieces += 1;
        if decoded.is_broken {
            summary.trouble(Reason::Broken, Unit::Datagram(number), "it cannot be read, or not whole");
        }
        if decoded.without_template > 0 {
            summary.trouble(Reason::NoTemplate, Unit::Datagram(number), "flows came without their template");
        }
        source.consume(length);
    }
}

/// How long the packet is that begins here.
fn length_of(bytes: &[u8]) -> Option<usize> {
    let number = |at: usize| Some(usize::from(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?)));
    match number(0)? {
        5 => Some(24 + 48 * number(2)?),
        10 => number(2).filter(|length| *length >= 16),
        9 => {
            let mut at = 20;
            while let Some(id) = number(at) {
                if matches!(id, 5 | 9 | 10) {
                    break;
                }
                at += number(at + 2).filter(|length| *length >= 4)?;
            }
            Some(at)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::{Limits, Place, Seen, read};

    /// A packet of version 9 with a template of two addresses and one flow.
    fn nine(last: u8) -> Vec<u8> {
        let mut packet = vec![0, 9, 0, 2];
        packet.extend([0; 16]);
        packet.extend([0, 0, 0, 16, 1, 0, 0, 2, 0, 8, 0, 4, 0, 12, 0, 4]);
        packet.extend([1, 0, 0, 12, 198, 51, 100, 1, 203, 0, 113, last]);
        packet
    }

    fn five() -> Vec<u8> {
        let mut packet = vec![0, 5, 0, 1];
        packet.extend([0; 20]);
        packet.extend([198, 51, 100, 1, 203, 0, 113, 5]);
        packet.extend([0; 40]);
        packet
    }

    #[test]
    fn packets_are_told_apart_by_their_lengths() {
        let file = [nine(1), nine(2), five(), nine(3)].concat();
        let told = |file: &[u8]| {
            let mut told = Vec::new();
            let summary = read("f", file, &Limits::default(), &mut |place: &Place, seen: Seen<'_>| {
                let Seen::Flow { flow, .. } = seen else { panic!("no flow") };
                told.push(format!("{place} {}", flow.destination));
            });
            (told, summary.troubles.len())
        };
        let want = [
            "f: datagram 1 203.0.113.1",
            "f: datagram 2 203.0.113.2",
            "f: datagram 3 203.0.113.5",
            "f: datagram 4 203.0.113.3",
        ];
        assert_eq!(told(&file), (want.map(ToOwned::to_owned).to_vec(), 0));
        assert_eq!(told(&file[..file.len() - 5]), (want[..3].iter().map(ToString::to_string).collect(), 1));
    }
}
