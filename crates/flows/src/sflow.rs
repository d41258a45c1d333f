//! sFlow v5: a switch samples one packet in so many, and sends its first bytes.
//!
//! ```text
//! datagram   5, the agent's address, sub-agent, number, uptime, how many samples
//!   sample   format, length: a flow sample (1) or an expanded one (3) has its source, its rate, ... and how many records
//!     record   format, length: the sampled header (1), or what the switch read out of it (3: IPv4, 4: IPv6)
//! ```
//!
//! Everything is in words of four bytes, the highest first (XDR, RFC 4506). What is of another format has its length before it and is passed
//! over; so counters are, and whatever manufacturers add.
//!
//! A sample is one packet: it becomes a flow of one packet, of the frame's length. Nothing is multiplied by the rate: an alert says that somebody
//! talked to what is listed, and a packet that was sampled proves that as it is. What was not sampled nobody sees, so short flows
//! go unnoticed at a high rate. The formats are those of "sFlow Version 5" (sflow.org, 2004), section 5.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::decode::Decoded;
use crate::flow::{Exporter, Flow};
use crate::packet::{self, ETHERNET, Packet, RAW_IP};

const VERSION: [u8; 4] = [0, 0, 0, 5];
/// Words of a sample before the number of its records, behind its own number and source: rate, pool, drops, input, output.
const SAMPLE_WORDS: usize = 7;
/// The same where source, input and output take two words each.
const EXPANDED_WORDS: usize = 10;

/// Whether this is a datagram of sFlow. NetFlow has its version in the first two bytes, and none is 0.
pub(crate) fn is_datagram(bytes: &[u8]) -> bool {
    bytes.starts_with(&VERSION)
}

/// Reads a datagram and hands its flows to `take`.
pub(crate) fn decode(from: IpAddr, bytes: &[u8], take: &mut dyn FnMut(Exporter, &Flow)) -> Decoded {
    let mut decoded = Decoded::default();
    let whole = datagram(bytes, &mut |domain, flow| {
        // A packet that does not say who talked to whom is no flow.
        if !(flow.source.is_unspecified() && flow.destination.is_unspecified()) {
            decoded.flows += 1;
            take(Exporter { address: from, domain }, flow);
        }
    });
    decoded.is_broken = whole.is_none();
    decoded
}

/// `None` if it breaks off; what came before has been taken.
fn datagram(bytes: &[u8], take: &mut dyn FnMut(u32, &Flow)) -> Option<()> {
    let mut xdr = Xdr(bytes);
    xdr.skip(1)?;
    let address_words = match xdr.word()? {
        0 => 0,
        1 => 1,
        2 => 4,
        _ => return None,
    };
    xdr.skip(address_words)?;
    let domain = xdr.word()?;
    xdr.skip(2)?;
    for _ in 0..xdr.word()? {
        let format = xdr.word()?;
        let body = xdr.opaque()?;
        let words = match format {
            1 => SAMPLE_WORDS,
            3 => EXPANDED_WORDS,
            _ => continue,
        };
        if let Some(flow) = sample(body, words)? {
            take(domain, &flow);
        }
    }
    Some(())
}

/// The flow of a sample: what the first record says that tells who talked to whom.
#[expect(clippy::option_option, reason = "broken, or whole with or without a flow")]
fn sample(bytes: &[u8], words: usize) -> Option<Option<Flow>> {
    let mut xdr = Xdr(bytes);
    xdr.skip(words)?;
    let mut flow = None;
    for _ in 0..xdr.word()? {
        let format = xdr.word()?;
        let body = Xdr(xdr.opaque()?);
        if flow.is_none() {
            flow = match format {
                1 => header(body),
                3 => ends::<4>(body),
                4 => ends::<16>(body),
                _ => None,
            };
        }
    }
    Some(flow)
}

/// A sampled header: the kind of network, the frame's length, how much of it was taken off, its first bytes.
fn header(mut xdr: Xdr<'_>) -> Option<Flow> {
    let link = match xdr.word()? {
        1 => ETHERNET,
        11 | 12 => RAW_IP,
        _ => return None,
    };
    let length = xdr.word()?;
    xdr.skip(1)?;
    let Packet { source, destination, protocol, .. } = packet::parse(link, xdr.opaque()?)?;
    Some(Flow {
        source: source.0,
        destination: destination.0,
        source_port: source.1,
        destination_port: destination.1,
        protocol,
        packets: 1,
        bytes: length.into(),
    })
}

/// What the switch read out of it: length, protocol, addresses, ports.
fn ends<const N: usize>(mut xdr: Xdr<'_>) -> Option<Flow>
where
    Address<N>: Into<IpAddr>,
{
    let (length, protocol) = (xdr.word()?, u8::try_from(xdr.word()?).ok()?);
    let mut address = || Some(Address(*xdr.take(N)?.first_chunk::<N>()?).into());
    let (source, destination) = (address()?, address()?);
    let mut port = || u16::try_from(xdr.word()?).ok();
    let (source_port, destination_port) = (port()?, port()?);
    Some(Flow {
        source,
        destination,
        source_port,
        destination_port,
        protocol,
        packets: 1,
        bytes: length.into(),
    })
}

/// An address of so many bytes.
struct Address<const N: usize>([u8; N]);

impl From<Address<4>> for IpAddr {
    fn from(address: Address<4>) -> Self {
        Ipv4Addr::from(address.0).into()
    }
}

impl From<Address<16>> for IpAddr {
    fn from(address: Address<16>) -> Self {
        Ipv6Addr::from(address.0).into()
    }
}

/// What is left of words.
struct Xdr<'b>(&'b [u8]);

impl<'b> Xdr<'b> {
    fn take(&mut self, bytes: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    fn word(&mut self) -> Option<u32> {
        self.take(4)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
    }

    fn skip(&mut self, words: usize) -> Option<()> {
        self.take(words * 4).map(|_| ())
    }

    /// Bytes with their length before them, filled up to a word.
    fn opaque(&mut self) -> Option<&'b [u8]> {
        let length = usize::try_from(self.word()?).ok()?;
        let bytes = self.take(length)?;
        self.take(length.wrapping_neg() % 4)?;
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use peers::capture::{tcp4, udp4};

    use super::*;

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    /// A format, a length, the bytes, and what fills them up.
    fn with_length(format: u32, bytes: &[u8]) -> Vec<u8> {
        let mut out = words(&[format, u32::try_from(bytes.len()).unwrap()]);
        out.extend(bytes);
        out.resize(out.len().next_multiple_of(4), 0);
        out
    }

    fn of_header(protocol: u32, header: &[u8]) -> Vec<u8> {
        let length = u32::try_from(header.len()).unwrap();
        let mut body = words(&[protocol, 1_500, 4, length]);
        body.extend(header);
        body.resize(body.len().next_multiple_of(4), 0);
        with_length(1, &body)
    }

    fn sample(format: u32, records: &[Vec<u8>]) -> Vec<u8> {
        let front = if format == 3 { EXPANDED_WORDS } else { SAMPLE_WORDS };
        let mut body = vec![9; front * 4];
        body.extend(words(&[u32::try_from(records.len()).unwrap()]));
        body.extend(records.concat());
        with_length(format, &body)
    }

    fn datagram(agent: &[u32], samples: &[Vec<u8>]) -> Vec<u8> {
        let mut out = words(&[&[5], agent, &[77, 1, 1_000]].concat());
        out.extend(words(&[u32::try_from(samples.len()).unwrap()]));
        out.extend(samples.concat());
        out
    }

    fn told(bytes: &[u8]) -> (Vec<String>, Decoded) {
        let (from, mut flows) = (IpAddr::from([192, 0, 2, 1]), Vec::new());
        let decoded = decode(from, bytes, &mut |exporter, flow| {
            let Flow { source, destination, source_port, destination_port, protocol, packets, bytes } = flow;
            assert_eq!((exporter.address, exporter.domain, *packets), (from, 77, 1));
            flows.push(format!("{source} {source_port} {destination} {destination_port} {protocol} {bytes}"));
        });
        assert_eq!(decoded.flows, flows.len() as u64);
        (flows, decoded)
    }

    fn ethernet(packet: &[u8]) -> Vec<u8> {
        [&[2; 12][..], &[8, 0], packet].concat()
    }

    /// What it is, the records of a sample, and the flows in it.
    type Case<'a> = (&'a str, Vec<Vec<u8>>, &'a [&'a str]);

    const ADDRESS: [u8; 4] = [198, 51, 100, 7];
    const ONE: &str = "10.0.0.1 4000 198.51.100.7 53 17 1500";

    #[test]
    fn samples_of_both_forms_are_flows() {
        let (udp, tcp) = (udp4(ADDRESS, 53, b"hello"), tcp4(ADDRESS, 443, 1, b""));
        let two = "10.0.0.1 4000 198.51.100.7 443 6 1500";
        let v4 = with_length(3, &words(&[60, 6, 0x0a00_0001, 0xc633_6407, 4_000, 443, 2, 0]));
        let mut six = words(&[80, 17]);
        six.extend([&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[1, 0x20, 1, 0xd, 0xb8], &[0; 11], &[2]].concat());
        six.extend(words(&[5_000, 53, 0, 0]));
        let v6 = with_length(4, &six);
        let switch = with_length(1_001, &words(&[1, 0, 2, 0]));
        let cases: [Case; 7] = [
            ("a header", vec![of_header(1, &ethernet(&udp))], &[ONE]),
            ("without Ethernet", vec![of_header(11, &tcp)], &[two]),
            ("read by the switch", vec![v4.clone()], &["10.0.0.1 4000 198.51.100.7 443 6 60"]),
            ("of version 6", vec![v6], &["2001:db8::1 5000 2001:db8::2 53 17 80"]),
            ("once though told twice", vec![switch.clone(), of_header(11, &udp), v4], &[ONE]),
            ("another network", vec![of_header(4, &udp)], &[]),
            ("nothing that says who", vec![switch], &[]),
        ];
        for (what, records, want) in cases {
            for format in [1, 3] {
                let counters = with_length(2, &[1; 40]);
                let of_others = with_length((4_413 << 12) | 1, &[2; 9]);
                let samples = [counters, sample(format, &records), of_others];
                for agent in [&[0][..], &[1, 0xc000_0201], &[2, 1, 2, 3, 4]] {
                    let (flows, decoded) = told(&datagram(agent, &samples));
                    assert_eq!(
                        (flows, decoded.is_broken),
                        (want.iter().map(ToString::to_string).collect(), false),
                        "{what}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_breaks_off_or_lies_is_broken_and_what_came_before_counts() {
        let one = sample(1, &[of_header(1, &ethernet(&udp4(ADDRESS, 53, b"hello")))]);
        let whole = datagram(&[1, 1], &[one.clone(), one.clone()]);
        assert_eq!(told(&whole).0, [ONE, ONE]);
        for end in 4..whole.len() {
            let (flows, decoded) = told(&whole[..end]);
            assert!(decoded.is_broken && flows.len() <= 1, "{end}");
        }
        let half = whole.len() - one.len();
        assert_eq!(told(&whole[..half]).0, [ONE]);
        // Each word in turn says as much as it can.
        for at in (4..whole.len() - 3).step_by(4) {
            let mut lying = whole.clone();
            lying[at..at + 4].copy_from_slice(&[0xff; 4]);
            let mut flows = 0;
            let decoded = decode([192, 0, 2, 1].into(), &lying, &mut |_, _| flows += 1);
            assert!(decoded.flows == flows && flows <= 2, "{at}");
        }
        assert!(told(&words(&[5, 3, 0, 77, 1, 1, 0])).1.is_broken, "an address of no known kind");
    }
}
