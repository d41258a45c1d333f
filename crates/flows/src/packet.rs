//! From the bytes of a network to who talked to whom, and what was said.
//!
//! Only what leads to TCP and UDP over IP is followed: Ethernet with tags and labels, `PPPoE`, Linux's cooked captures, IP in
//! IP. Of a packet in fragments the first one says who and where; of the others only the addresses count.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Tags, labels and tunnels in a row; real networks have up to four.
const LAYERS_MAX: usize = 16;

/// A packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'p> {
    /// Who sent it, and from which port; 0 where there are none.
    pub source: (IpAddr, u16),
    /// To whom, and to which port.
    pub destination: (IpAddr, u16),
    /// The number of the protocol: 6 is TCP, 17 is UDP.
    pub protocol: u8,
    /// Of TCP: the number of the first byte, which of a SYN is one more than it says.
    pub sequence: Option<u32>,
    /// What was said, as far as it is here.
    pub payload: &'p [u8],
}

/// The kind of a network that Ethernet is.
pub const ETHERNET: u32 = 1;
/// The kind of a network that is IP alone, of either version.
pub const RAW_IP: u32 = 101;

/// Whether packets of this kind of network are read; numbers of `LINKTYPE_`.
#[must_use]
pub fn is_known(link: u32) -> bool {
    matches!(link, 0 | 1 | 12 | 14 | 101 | 108 | 113 | 228 | 229 | 276)
}

/// Reads a packet of a kind of network; `None` if it is not TCP, UDP or another protocol over IP, or breaks off before it says so.
#[must_use]
pub fn parse(link: u32, bytes: &[u8]) -> Option<Packet<'_>> {
    match link {
        ETHERNET => ethernet(number(bytes, 12)?, bytes.get(14..)?, LAYERS_MAX),
        // The family's number is another on every system; IP says itself which it is.
        0 | 108 => ip(bytes.get(4..)?, LAYERS_MAX),
        12 | 14 | RAW_IP | 228 | 229 => ip(bytes, LAYERS_MAX),
        113 => ethernet(number(bytes, 14)?, bytes.get(16..)?, LAYERS_MAX),
        276 => ethernet(number(bytes, 0)?, bytes.get(20..)?, LAYERS_MAX),
        _ => None,
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn ethernet(kind: u16, bytes: &[u8], layers: usize) -> Option<Packet<'_>> {
    let layers = layers.checked_sub(1)?;
    match kind {
        0x0800 | 0x86dd => ip(bytes, layers),
        // IEEE 802.1Q, 802.1ad and what came before them.
        0x8100 | 0x88a8 | 0x9100 => ethernet(number(bytes, 2)?, bytes.get(4..)?, layers),
        0x8864 => match number(bytes, 6)? {
            0x0021 | 0x0057 => ip(bytes.get(8..)?, layers),
            _ => None,
        },
        0x8847 => {
            let labels = bytes.chunks_exact(4).position(|label| label[2] & 1 == 1)?;
            ip(bytes.get((labels + 1) * 4..)?, layers)
        }
        _ => None,
    }
}

fn ip(bytes: &[u8], layers: usize) -> Option<Packet<'_>> {
    let layers = layers.checked_sub(1)?;
    match bytes.first()? >> 4 {
        4 => ip4(bytes, layers),
        6 => ip6(bytes, layers),
        _ => None,
    }
}

fn ip4(bytes: &[u8], layers: usize) -> Option<Packet<'_>> {
    let address = |at: usize| Some(IpAddr::V4(Ipv4Addr::from(*bytes.get(at..)?.first_chunk::<4>()?)));
    let head = usize::from(bytes.first()? & 0x0f) * 4;
    // Where the card divides packets, captures have a length of zero.
    let total = match usize::from(number(bytes, 2)?) {
        0 => bytes.len(),
        total => total.min(bytes.len()),
    };
    let is_later_fragment = number(bytes, 6)? & 0x1fff != 0;
    let ends = (address(12)?, address(16)?);
    if head < 20 {
        return None;
    }
    let payload = bytes.get(head..total)?;
    above(*bytes.get(9)?, ends, payload, is_later_fragment, layers)
}

fn ip6(bytes: &[u8], layers: usize) -> Option<Packet<'_>> {
    let address = |at: usize| Some(IpAddr::V6(Ipv6Addr::from(*bytes.get(at..)?.first_chunk::<16>()?)));
    let ends = (address(8)?, address(24)?);
    let length = match usize::from(number(bytes, 4)?) {
        0 => bytes.len().saturating_sub(40),
        length => length,
    };
    let mut rest = bytes.get(40..)?;
    rest = &rest[..rest.len().min(length)];
    let mut next = *bytes.get(6)?;
    let mut is_later_fragment = false;
    for _ in 0..LAYERS_MAX {
        // RFC 8200 §4: each says what follows and how long it is, in units of its own.
        let size = match next {
            0 | 43 | 60 => (usize::from(*rest.get(1)?) + 1) * 8,
            51 => (usize::from(*rest.get(1)?) + 2) * 4,
            44 => {
                is_later_fragment |= number(rest, 2)? & 0xfff8 != 0;
                8
            }
            _ => return above(next, ends, rest, is_later_fragment, layers),
        };
        next = *rest.first()?;
        rest = rest.get(size..)?;
    }
    None
}

fn above(
    protocol: u8,
    ends: (IpAddr, IpAddr),
    bytes: &[u8],
    is_later_fragment: bool,
    layers: usize,
) -> Option<Packet<'_>> {
    let bare =
        Packet { source: (ends.0, 0), destination: (ends.1, 0), protocol, sequence: None, payload: &[] };
    if is_later_fragment {
        return Some(bare);
    }
    let ports = || Some((number(bytes, 0)?, number(bytes, 2)?));
    match protocol {
        4 | 41 => ip(bytes, layers),
        6 => {
            let (from, to) = ports()?;
            let sequence = u32::from_be_bytes(*bytes.get(4..)?.first_chunk()?);
            let head = usize::from(bytes.get(12)? >> 4) * 4;
            let is_syn = bytes.get(13)? & 2 != 0;
            // A snapshot may end within the options.
            let payload = if head >= 20 { bytes.get(head..).unwrap_or_default() } else { &[] };
            Some(Packet {
                source: (ends.0, from),
                destination: (ends.1, to),
                sequence: Some(sequence.wrapping_add(u32::from(is_syn))),
                payload,
                ..bare
            })
        }
        17 => {
            let (from, to) = ports()?;
            let length = usize::from(number(bytes, 4)?);
            let end = if length < 8 { bytes.len() } else { length.min(bytes.len()) };
            let payload = bytes.get(8..end).unwrap_or_default();
            Some(Packet { source: (ends.0, from), destination: (ends.1, to), payload, ..bare })
        }
        _ => Some(bare),
    }
}

#[cfg(test)]
mod tests {
    use peers::capture::{tcp4, udp4};

    use super::*;

    fn told(link: u32, bytes: &[u8]) -> Option<(String, Vec<u8>)> {
        parse(link, bytes).map(|packet| {
            let Packet { source, destination, protocol, payload, .. } = packet;
            (
                format!("{}:{} {}:{} {protocol}", source.0, source.1, destination.0, destination.1),
                payload.to_vec(),
            )
        })
    }

    #[test]
    fn what_lies_below_is_taken_off() {
        let inner = udp4([192, 0, 2, 1], 53, b"hello");
        let want = Some(("10.0.0.1:4000 192.0.2.1:53 17".to_owned(), b"hello".to_vec()));
        let with = |front: &[u8]| [front, &inner].concat();
        let macs = [0; 12];
        let mut tunnel = udp4([198, 51, 100, 1], 0, b"")[..20].to_vec();
        tunnel[9] = 4;
        tunnel[2..4].copy_from_slice(&u16::try_from(20 + inner.len()).unwrap().to_be_bytes());
        for (name, link, bytes) in [
            ("raw", 101, inner.clone()),
            ("null", 0, with(&[2, 0, 0, 0])),
            ("ethernet", 1, with(&[&macs[..], &[8, 0]].concat())),
            ("two tags", 1, with(&[&macs[..], &[0x88, 0xa8, 0, 1, 0x81, 0, 0, 2, 8, 0]].concat())),
            ("labels", 1, with(&[&macs[..], &[0x88, 0x47, 0, 1, 0, 0, 0, 1, 1, 0]].concat())),
            ("pppoe", 1, with(&[&macs[..], &[0x88, 0x64, 0x11, 0, 0, 1, 0, 0, 0, 0x21]].concat())),
            ("cooked", 113, with(&[&[0; 14][..], &[8, 0]].concat())),
            ("cooked 2", 276, with(&[&[8, 0][..], &[0; 18]].concat())),
            ("tunnel", 101, [tunnel.as_slice(), &inner].concat()),
            ("padded", 1, [&with(&[&macs[..], &[8, 0]].concat())[..], &[0; 9]].concat()),
        ] {
            assert_eq!(told(link, &bytes), want, "{name}");
        }
        // Extension headers of version 6: options, then a fragment that is the first.
        let mut six = vec![0x60, 0, 0, 0, 0, 29, 0, 64];
        six.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        six.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
        six.extend([44, 0, 1, 4, 0, 0, 0, 0]);
        six.extend([17, 0, 0, 1, 0, 0, 0, 7]);
        six.extend(&inner[20..]);
        assert_eq!(
            told(101, &six),
            Some(("2001:db8::1:4000 2001:db8::2:53 17".to_owned(), b"hello".to_vec()))
        );
        six[50] = 1; // a later fragment has no ports
        assert_eq!(told(101, &six).map(|it| it.0), Some("2001:db8::1:0 2001:db8::2:0 17".to_owned()));
    }

    #[test]
    fn whatever_breaks_off_is_nothing() {
        let whole = tcp4([192, 0, 2, 1], 443, 1, b"data");
        for end in 0..whole.len() {
            let _read = parse(101, &whole[..end]);
        }
        let loops = [0x81, 0, 0, 1].repeat(100);
        assert_eq!(parse(1, &[&[0; 12][..], &loops].concat()), None);
    }
}
