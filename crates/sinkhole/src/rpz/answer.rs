//! What the primary answers, without a socket.
//!
//! [`Publisher::respond`] takes the bytes of one request and gives the bytes to send back; a transfer comes as an iterator of
//! messages, each signed, each full. The servers only carry them.

use std::net::IpAddr;
use std::sync::Arc;

use domain::base::iana::Rcode;

use super::entry::decode;
use super::journal::Delta;
use super::message::{Incoming, Reply, Request, TYPE_AXFR, TYPE_IXFR, TYPE_NS, TYPE_SOA, TYPE_TXT, read};
use super::publisher::Publisher;
use super::zone::{Difference, Sight, Spool, Stand, Zone};
use crate::Clock;
use crate::name::WireName;

/// A message of a transfer is closed at this size, well below the 65,535 that TCP's length allows; larger ones only make the
/// first answer later.
const MESSAGE_BYTES: usize = 32 << 10;

/// How a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// In one datagram.
    Udp,
    /// Over a connection.
    Tcp,
}

/// What goes back.
pub enum Response {
    /// Silence.
    Nothing,
    /// One message.
    Message(Vec<u8>),
    /// Many messages, one after the other.
    Transfer(Box<Transfer>),
}

impl Publisher {
    /// Answers one request from `peer`.
    ///
    /// May take as long as walking a zone's content; call it where that is allowed to block.
    #[must_use]
    pub fn respond(&self, bytes: &[u8], peer: IpAddr, transport: Transport) -> Response {
        let now = self.clock().now();
        let mut request = match read(bytes, &self.keys(), now) {
            Incoming::Nothing => return Response::Nothing,
            Incoming::Refused(reply) if reply.is_empty() => return Response::Nothing,
            Incoming::Refused(reply) => {
                self.tally(|counts| counts.refused += 1);
                return Response::Message(reply);
            }
            Incoming::Request(request) => request,
        };
        // One answer for "no such zone" and "not yours": nobody learns which zones there are.
        let zone = self.zone_above(request.name.as_wire());
        let seen = zone.and_then(|zone| {
            let sight = zone.spec.access.sight(request.key().as_ref(), peer)?;
            Some((zone, sight))
        });
        let Some((zone, sight)) = seen else {
            self.tally(|counts| counts.refused += 1);
            return Response::Message(request.reply(&Reply::error(Rcode::REFUSED), now));
        };
        let at_apex = request.name == zone.spec.apex;
        match (request.qtype, transport) {
            (TYPE_AXFR | TYPE_IXFR, _) if !at_apex => {
                Response::Message(request.reply(&Reply::error(Rcode::NOTAUTH), now))
            }
            // RFC 5936 §4.2: AXFR has no answer over UDP.
            (TYPE_AXFR, Transport::Udp) => {
                Response::Message(request.reply(&Reply::error(Rcode::FORMERR), now))
            }
            (TYPE_AXFR, Transport::Tcp) => self.whole(zone, request, sight),
            // RFC 1995 §2: over UDP the present SOA alone says that there is more, over TCP.
            (TYPE_IXFR, Transport::Udp) => Response::Message(records_at_apex(&zone, &mut request, now)),
            (TYPE_IXFR, Transport::Tcp) => self.difference(zone, request, sight, now),
            _ if at_apex => Response::Message(records_at_apex(&zone, &mut request, now)),
            _ => Response::Message(records_below(&zone, &mut request, transport, sight, now)),
        }
    }

    fn whole(&self, zone: Arc<Zone>, request: Box<Request>, sight: Sight) -> Response {
        self.tally(|counts| counts.axfr += 1);
        let (spool, stand) = match sight {
            Sight::Entries => zone.everything(),
            Sight::Empty => (Arc::default(), zone.stand()),
        };
        let parts = vec![Part::Soa(stand), Part::Ns, Part::Entries(spool), Part::Soa(stand)];
        Response::Transfer(Box::new(Transfer::new(zone, request, parts, self.clock().clone())))
    }

    fn difference(&self, zone: Arc<Zone>, mut request: Box<Request>, sight: Sight, now: u64) -> Response {
        let (difference, stand) = zone.since(request.serial.unwrap_or_default());
        let difference = match (difference, sight) {
            // Nothing, whole, is less than the way there.
            (Difference::Changes(_), Sight::Empty) => Difference::Everything,
            (difference, _) => difference,
        };
        match difference {
            Difference::Nothing => {
                self.tally(|counts| counts.up_to_date += 1);
                Response::Message(records_at_apex(&zone, &mut request, now))
            }
            // RFC 1995 §4: a server that lacks the changes answers with the whole zone.
            Difference::Everything => {
                self.tally(|counts| counts.ixfr_whole += 1);
                self.whole(zone, request, sight)
            }
            Difference::Changes(deltas) => {
                self.tally(|counts| counts.ixfr += 1);
                let mut parts = vec![Part::Soa(stand)];
                for Delta { from, to, expire, removed, added, .. } in deltas {
                    parts.extend([
                        Part::Soa(Stand { serial: from, expire: expire.0 }),
                        Part::Changed(removed),
                        Part::Soa(Stand { serial: to, expire: expire.1 }),
                        Part::Changed(added),
                    ]);
                }
                parts.push(Part::Soa(stand));
                Response::Transfer(Box::new(Transfer::new(zone, request, parts, self.clock().clone())))
            }
        }
    }
}

/// SOA and NS of the zone, and no data for every other type.
fn records_at_apex(zone: &Zone, request: &mut Request, now: u64) -> Vec<u8> {
    let soa = soa(zone, zone.stand());
    let ns = ns(zone);
    let (answer, authority): (&[u8], &[u8]) = match request.qtype {
        TYPE_SOA | TYPE_IXFR => (&soa, &[]),
        TYPE_NS => (&ns, &[]),
        _ => (&[], &soa),
    };
    let (answer_ends, authority_ends) = ([answer.len()], [authority.len()]);
    let one = |bytes: &[u8]| usize::from(!bytes.is_empty());
    let reply = Reply {
        rcode: Rcode::NOERROR,
        authoritative: true,
        truncated: false,
        answer: (answer, &answer_ends[..one(answer)]),
        authority: (authority, &authority_ends[..one(authority)]),
    };
    request.reply(&reply, now)
}

/// The records of one entry, for an operator who asks by hand (`dig @guard TXT bad.example.rpz.guard`).
fn records_below(
    zone: &Zone,
    request: &mut Request,
    transport: Transport,
    sight: Sight,
    now: u64,
) -> Vec<u8> {
    let name = request.name.as_wire().as_bytes();
    let before = &name[..name.len() - zone.spec.apex.as_wire().as_bytes().len()];
    let owner = [before, &[0]].concat();
    let soa = soa(zone, zone.stand());
    let (mut found, mut exists) = (Vec::new(), false);
    if let Ok(owner) = WireName::new(&owner) {
        let visible = sight == Sight::Entries && !zone.content.is_subsumed(owner);
        zone.content.find(owner, &mut |entry| {
            let fits = entry.check(zone.spec.apex.as_wire(), zone.spec.triggers).is_ok();
            if !visible || !fits {
                return;
            }
            exists = true;
            let (mut bytes, mut ends) = (Vec::new(), Vec::new());
            entry.records(zone.spec.ttl, zone.room(), &mut bytes, &mut ends);
            let starts = std::iter::once(0).chain(ends.iter().copied());
            for (start, end) in starts.zip(ends.iter().copied()) {
                // Only those at the asked owner; the question's name is already written, at offset 12.
                let (head, rest) = bytes[start..end].split_at(before.len().min(end - start));
                if head != before || rest.first() != Some(&0xc0) {
                    continue;
                }
                let rtype = u16::from_be_bytes([rest[2], rest[3]]);
                if rtype == request.qtype || (rtype != TYPE_TXT && rtype == 5) {
                    found.push(rest.to_vec());
                }
            }
        });
    }
    let answer = found.concat();
    let mut ends: Vec<usize> = Vec::new();
    for record in &found {
        ends.push(ends.last().copied().unwrap_or(0) + record.len());
    }
    // The question's name is not the zone's here, so the SOA's owner cannot point to it.
    let soa = [zone.spec.apex.as_wire().as_bytes(), &soa[2..]].concat();
    let soa_ends = [soa.len()];
    let reply = Reply {
        rcode: if exists { Rcode::NOERROR } else { Rcode::NXDOMAIN },
        authoritative: true,
        truncated: false,
        answer: (&answer, &ends),
        authority: if found.is_empty() { (&soa, &soa_ends) } else { (&[], &[]) },
    };
    match transport {
        Transport::Udp => request.reply_in_datagram(&reply, now),
        Transport::Tcp => request.reply(&reply, now),
    }
}

/// The zone's SOA as it stands or stood, for a message whose question names the zone. A secondary looks several times before it lets go of
/// the zone.
pub(crate) fn soa(zone: &Zone, Stand { serial, expire }: Stand) -> Vec<u8> {
    let spec = &zone.spec;
    let mut data = b"\x09localhost\x00\x0ahostmaster\x09localhost\x00".to_vec();
    let (refresh, retry) = (spec.refresh.min((expire / 4).max(1)), spec.retry.min((expire / 8).max(1)));
    for number in [serial, refresh, retry, expire, spec.ttl] {
        data.extend_from_slice(&number.to_be_bytes());
    }
    apex_record(TYPE_SOA, spec.ttl, &data)
}

fn ns(zone: &Zone) -> Vec<u8> {
    apex_record(TYPE_NS, zone.spec.ttl, b"\x09localhost\x00")
}

fn apex_record(rtype: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).expect("some tens of bytes");
    let head = [[0xc0, 12], rtype.to_be_bytes(), 1_u16.to_be_bytes()].concat();
    [&head[..], &ttl.to_be_bytes(), &length.to_be_bytes(), data].concat()
}

/// What a transfer consists of, in order.
enum Part {
    Soa(Stand),
    Ns,
    Entries(Arc<Spool>),
    Changed(Arc<[u8]>),
}

/// The messages of a transfer.
pub struct Transfer {
    zone: Arc<Zone>,
    request: Box<Request>,
    clock: Clock,
    parts: std::vec::IntoIter<Part>,
    /// The part under way, and where in it we are: piece, byte.
    current: Option<Part>,
    piece: usize,
    at: usize,
    /// Records that wait for the next message.
    records: Vec<u8>,
    ends: Vec<usize>,
}

impl Transfer {
    fn new(zone: Arc<Zone>, request: Box<Request>, parts: Vec<Part>, clock: Clock) -> Self {
        let (records, ends) = (Vec::with_capacity(MESSAGE_BYTES + 4096), Vec::new());
        Self { zone, request, clock, parts: parts.into_iter(), current: None, piece: 0, at: 0, records, ends }
    }

    /// Appends the next record, or the records of the next entry; `false` at the end.
    fn step(&mut self) -> bool {
        loop {
            let part = match self.current.take() {
                Some(part) => part,
                None => match self.parts.next() {
                    Some(part) => part,
                    None => return false,
                },
            };
            let bytes: &[u8] = match &part {
                Part::Soa(stand) => {
                    self.records.extend_from_slice(&soa(&self.zone, *stand));
                    self.ends.push(self.records.len());
                    return true;
                }
                Part::Ns => {
                    self.records.extend_from_slice(&ns(&self.zone));
                    self.ends.push(self.records.len());
                    return true;
                }
                Part::Entries(spool) => spool.get(self.piece).map_or(&[], Vec::as_slice),
                Part::Changed(bytes) => bytes,
            };
            let left = bytes.get(self.at..).unwrap_or_default();
            if let Some((entry, rest)) = decode(left) {
                entry.records(self.zone.spec.ttl, self.zone.room(), &mut self.records, &mut self.ends);
                self.at += left.len() - rest.len();
                self.current = Some(part);
                return true;
            }
            // The end of a piece, or of the part.
            let more = matches!(&part, Part::Entries(spool) if self.piece + 1 < spool.len());
            self.at = 0;
            self.piece = if more { self.piece + 1 } else { 0 };
            if let (Part::Entries(spool), false) = (&part, more) {
                self.zone.handed_out(spool);
            }
            self.current = more.then_some(part);
        }
    }
}

impl Iterator for Transfer {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        self.records.clear();
        self.ends.clear();
        while self.records.len() < MESSAGE_BYTES && self.step() {}
        if self.ends.is_empty() {
            return None;
        }
        let reply = Reply {
            rcode: Rcode::NOERROR,
            authoritative: true,
            truncated: false,
            answer: (&self.records, &self.ends),
            authority: (&[], &[]),
        };
        let message = self.request.reply(&reply, self.clock.now());
        (!message.is_empty()).then_some(message)
    }
}
