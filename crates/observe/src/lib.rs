//! What lies in files: logs, mails, captured packets, flows, observed data.
//!
//! [`read`] takes any stream of bytes, finds out by its content what it is, and hands what was observed to a [`Watcher`], piece
//! by piece with its [`Place`]:
//!
//! | content | pieces |
//! |---|---|
//! | any text | whole lines, many at a time |
//! | a mail (RFC 5322), a mailbox (mbox, RFC 4155) | mails |
//! | PCAP, pcapng | names asked for by DNS; names in TLS; requests over HTTP; connections; exported flows |
//! | NetFlow v5 and v9, IPFIX, packet behind packet (RFC 5655) | flows |
//! | STIX with `observed-data` | observations with their objects |
//! | any of these packed by gzip, zstd or xz, even several times | the same |
//!
//! ```
//! use observe::{Limits, Place, Seen, read};
//!
//! let log = "Jan 15 10:00:00 ns1 query: www.evil.example IN A\n";
//! let mut lines = 0;
//! let summary = read("dns.log", log.as_bytes(), &Limits::default(), &mut |_: &Place, seen: Seen<'_>| {
//!     if let Seen::Lines(chunk) = seen {
//!         lines += chunk.bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
//!     }
//! });
//! assert_eq!((lines, summary.is_whole()), (1, true));
//! ```
//!
//! Memory is bounded whatever the size: a chunk of lines, one mail, the beginnings of so many connections. Only STIX is read as
//! a whole, up to a limit. What is broken is [told](Summary::troubles) by reason and place; what came before it still stands.
//!
//! What this is *not*: it knows no indicators, opens no file, and follows nothing. It does not put TCP together beyond the
//! first bytes of a connection, decrypts nothing, and reads no sampled packets (sFlow).

#![warn(missing_docs)]

mod capture;
mod datagrams;
mod lines;
mod mailbox;
mod place;
mod sniff;
mod source;
mod stixdata;
mod streams;
mod unpack;
mod wire;
mod words;

use std::io::Read;
use std::net::IpAddr;

use flows::{Exporter, Flow};
use serde_json::Value;

pub use place::{Place, Reason, Summary, Troubles, Unit};
pub use sniff::Format;
pub use words::{Word, time_of_line, words};

use source::Source;

/// How much is read, and kept in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Lines are handed on in chunks of this size; a longer line is cut between words.
    pub chunk_bytes: usize,
    /// The longest mail that is looked at whole; of longer ones, the beginning.
    pub mail_bytes_max: usize,
    /// The largest file with STIX; a larger one is read as text.
    pub stix_bytes_max: usize,
    /// Packings in packings.
    pub packings_max: usize,
    /// What a packed file may unpack to, as a multiple of its own size. Logs of one line over and over reach 1,000.
    pub ratio_max: u64,
    /// Below this the ratio does not matter.
    pub ratio_from_bytes: u64,
    /// Connections whose beginnings are kept, and which are told once.
    pub connections_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            chunk_bytes: 1024 * 1024,
            mail_bytes_max: 32 * 1024 * 1024,
            stix_bytes_max: 256 * 1024 * 1024,
            packings_max: 4,
            ratio_max: 5_000,
            ratio_from_bytes: 256 * 1024 * 1024,
            connections_max: 65_536,
        }
    }
}

/// Whole lines of a text. The last byte is a line feed, but at the end of the text and where a line is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// The lines.
    pub bytes: &'a [u8],
    /// The number of the first of them, from 1.
    pub first: u64,
}

/// Where a name or a URL was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum By {
    /// A question of DNS.
    Dns,
    /// The name that a client of TLS says it wants.
    Tls,
    /// A request of HTTP.
    Http,
}

/// Something that was observed. Instants are microseconds since 1970.
#[derive(Clone, Debug)]
pub enum Seen<'a> {
    /// Lines of a text. Their place is the first one's.
    Lines(Chunk<'a>),
    /// A mail, or its beginning.
    Mail {
        /// Headers and body.
        bytes: &'a [u8],
        /// Whether there is more that is not looked at.
        is_cut: bool,
    },
    /// A name of a host that somebody asked for.
    Name {
        /// In lower case, without a dot at its end; what is no letter, digit or mark as `\ddd`.
        name: &'a str,
        /// How.
        by: By,
        /// When.
        at: Option<i64>,
    },
    /// A URL that somebody asked for.
    Url {
        /// As far as the request tells it.
        url: &'a str,
        /// When.
        at: Option<i64>,
    },
    /// Two that talked, told once for each pair of ends.
    Connection {
        /// Who sent the first packet that was seen, from which port.
        source: (IpAddr, u16),
        /// Who received it.
        destination: (IpAddr, u16),
        /// The number of the protocol.
        protocol: u8,
        /// When.
        at: Option<i64>,
    },
    /// A flow that a device told of.
    Flow {
        /// Which device.
        exporter: Exporter,
        /// The flow.
        flow: Flow,
        /// When its packet was captured, if it was.
        at: Option<i64>,
    },
    /// What an `observed-data` object tells.
    Observed {
        /// The object.
        data: &'a Value,
        /// What it is about, each under the identifier that others name it by.
        objects: &'a [(String, Value)],
    },
}

/// Takes what is observed.
pub trait Watcher {
    /// Takes one piece.
    fn see(&mut self, place: &Place, seen: Seen<'_>);
}

impl<F: FnMut(&Place, Seen<'_>)> Watcher for F {
    fn see(&mut self, place: &Place, seen: Seen<'_>) {
        self(place, seen);
    }
}

/// Reads a stream to its end. `name` stands in places.
pub fn read(name: &str, reader: impl Read, limits: &Limits, watcher: &mut dyn Watcher) -> Summary {
    let mut summary = Summary::new(name);
    let mut source = Source::new(unpack::unpacked(Box::new(reader), limits));
    let format = sniff::format_of(source.head());
    summary.format = Some(format);
    match format {
        Format::Pcap | Format::PcapNg => capture::read(&mut source, limits, &mut summary, watcher),
        Format::Flows => datagrams::read(&mut source, &mut summary, watcher),
        Format::Mail => mailbox::mail(&mut source, limits, &mut summary, watcher),
        Format::Mbox => mailbox::mbox(&mut source, limits, &mut summary, watcher),
        Format::Stix => stixdata::read(&mut source, limits, &mut summary, watcher),
        Format::Text => lines::read(&mut source, limits, &mut summary, watcher),
        Format::Nfcapd => summary.trouble(
            Reason::Unknown,
            Unit::Whole,
            "it is nfcapd's own format; replay it with nfreplay into a capture",
        ),
        Format::Empty => {}
    }
    summary.bytes = source.consumed();
    if let Some(error) = source.into_error() {
        summary.trouble(unpack::reason_of(&error), Unit::Whole, &error.to_string());
    }
    summary
}
