//! The beginnings of connections over TCP.
//!
//! A greeting of TLS or a request of HTTP may lie in several packets. What begins like one is kept until it can be read, if its
//! packets come in order; a few kilobytes of it, of so many connections at a time.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;

use crate::wire::{Request, Told, question, request, server_name};
use flows::packet::Packet;

/// What is kept of one beginning: a greeting with keys against quantum computers takes about two kilobytes.
const BEGINNING_BYTES_MAX: usize = 16 * 1024;
/// Beginnings that are kept at a time.
const BEGINNINGS_MAX: usize = 4_096;

type End = (IpAddr, u16);

/// Names that a packet tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Dns(String),
    Tls(String),
    Http(Request),
}

struct Beginning {
    next: u32,
    bytes: Vec<u8>,
}

/// Which connections were told, and how far the new ones are.
pub(crate) struct Streams {
    told: HashSet<(End, End, u8)>,
    order: VecDeque<(End, End, u8)>,
    told_max: usize,
    beginnings: HashMap<(End, End), Beginning>,
    waiting: VecDeque<(End, End)>,
}

impl Streams {
    pub(crate) fn new(told_max: usize) -> Self {
        Self {
            told: HashSet::new(),
            order: VecDeque::new(),
            told_max: told_max.max(1),
            beginnings: HashMap::new(),
            waiting: VecDeque::new(),
        }
    }

    /// Whether these two are seen for the first time, or again after many others.
    pub(crate) fn is_new(&mut self, packet: &Packet<'_>) -> bool {
        let (one, other) = (packet.source, packet.destination);
        let key = if one <= other { (one, other, packet.protocol) } else { (other, one, packet.protocol) };
        if !self.told.insert(key) {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > self.told_max
            && let Some(oldest) = self.order.pop_front()
        {
            self.told.remove(&oldest);
        }
        true
    }

    /// What a packet of TCP asks for, with those before it.
    pub(crate) fn asked(&mut self, packet: &Packet<'_>, sequence: u32) -> Option<Asked> {
        if packet.payload.is_empty() {
            return None;
        }
        let key = (packet.source, packet.destination);
        let next = |bytes: usize| sequence.wrapping_add(u32::try_from(bytes).unwrap_or(0));
        let (told, bytes) = match self.beginnings.get_mut(&key) {
            Some(known) if known.next == sequence => {
                let room = BEGINNING_BYTES_MAX.saturating_sub(known.bytes.len());
                known.bytes.extend_from_slice(&packet.payload[..packet.payload.len().min(room)]);
                known.next = next(packet.payload.len());
                let is_full = known.bytes.len() >= BEGINNING_BYTES_MAX;
                match tell(&known.bytes, packet.destination.1) {
                    Told::NeedsMore if !is_full => return None,
                    told @ (Told::Is(_) | Told::NeedsMore | Told::Nothing) => {
                        self.beginnings.remove(&key);
                        (told, None)
                    }
                }
            }
            // Another packet than the next: a repetition, or one was lost.
            Some(_) => return None,
            None => {
                let payload = &packet.payload[..packet.payload.len().min(BEGINNING_BYTES_MAX)];
                (tell(payload, packet.destination.1), Some(payload))
            }
        };
        match (told, bytes) {
            (Told::Is(asked), _) => Some(asked),
            (Told::NeedsMore, Some(bytes)) => {
                let beginning = Beginning { next: next(packet.payload.len()), bytes: bytes.to_vec() };
                self.keep(key, beginning);
                None
            }
            (_, _) => None,
        }
    }

    fn keep(&mut self, key: (End, End), beginning: Beginning) {
        self.beginnings.insert(key, beginning);
        self.waiting.push_back(key);
        // Those that were read meanwhile stand in the queue, too; so it is bounded by itself.
        while self.waiting.len() > BEGINNINGS_MAX {
            if let Some(oldest) = self.waiting.pop_front() {
                self.beginnings.remove(&oldest);
            }
        }
    }
}

fn tell(bytes: &[u8], port: u16) -> Told<Asked> {
    if port == 53 {
        // RFC 1035 §4.2.2: over TCP its length stands before a message.
        let Some(length) = bytes.first_chunk().map(|length| usize::from(u16::from_be_bytes(*length))) else {
            return Told::NeedsMore;
        };
        return match bytes.get(2..2 + length) {
            Some(message) => question(message).map_or(Told::Nothing, |name| Told::Is(Asked::Dns(name))),
            None => Told::NeedsMore,
        };
    }
    match server_name(bytes) {
        Told::Is(name) => return Told::Is(Asked::Tls(name)),
        Told::NeedsMore => return Told::NeedsMore,
        Told::Nothing => {}
    }
    match request(bytes) {
        Told::Is(request) => Told::Is(Asked::Http(request)),
        Told::NeedsMore => Told::NeedsMore,
        Told::Nothing => Told::Nothing,
    }
}
